/* SPDX-License-Identifier: Apache-2.0 */
/* agent.h: runs one fence agent, as its interface wants it: options as key=value lines on its
 * standard input, never as arguments; how it ended is its exit code.
 *
 * For the helper (supervisor/fencer/main.c), which is a unit of its own: whatever runs here is a
 * foreign program. It has a time limit, and ends with its asker: it and all that it has started are
 * killed then. Blocks meanwhile. */
#ifndef SUPERVISOR_ARBITER_AGENT_H
#define SUPERVISOR_ARBITER_AGENT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define AGENT_FILE_SIZE_MAX 8192U /* of a device's file: thirty options of two hundred bytes */
#define AGENT_PATH_SIZE     256U
#define AGENT_TEXT_SIZE     120U /* of what it said last */
#define AGENT_SECRET_MAX    16U  /* values that are never told */

/* What a device's file says. */
struct agent_device {
    char path[AGENT_PATH_SIZE];      /* of the agent */
    size_t size;                     /* of input */
    char input[AGENT_FILE_SIZE_MAX]; /* key=value lines, without the action; wiped by its owner */
    size_t secret_count;
    struct {
        size_t at; /* in input */
        size_t size;
    } secrets[AGENT_SECRET_MAX];
};

struct agent_end {
    bool exited; /* false: killed, or not started */
    int code;
    char text[AGENT_TEXT_SIZE]; /* its last words, one printable line, secrets replaced; or why not
                                 */
};

/* Lines of key=value; empty ones and those that begin with # are skipped. One has to be
 * agent=NAME (of /usr/sbin) or agent=/PATH; action is not allowed: the asker says it. The text is
 * changed. ERR_INVALID names the line, never what stands in it. */
enum err_code agent_device_parse(const char *text,
                                 size_t size,
                                 struct agent_device *ret_device,
                                 struct err *err) WARN_UNUSED;
/* Reads the device's file: it has to be ours and nobody else's to read, unless it is a credential
 * (secure). */
enum err_code agent_device_read(const char *path,
                                bool credential,
                                struct agent_device *ret_device,
                                struct err *err) WARN_UNUSED;

/* asker: a socket whose end ends the agent; -1: none. */
void agent_run(const struct agent_device *device,
               const char *action,
               int asker,
               uint32_t timeout_ms,
               struct agent_end *ret_end);

#endif
