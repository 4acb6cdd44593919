/* SPDX-License-Identifier: Apache-2.0 */
/* keepalived.h: the two files that we share with keepalived: its track file, which we write, and
 * its notify FIFO, which we read. What it says is a hint, never proof. */
#ifndef SUPERVISOR_KEEPALIVED_H
#define SUPERVISOR_KEEPALIVED_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Writes "1" or "0" by rename, so that no reader ever sees half of it. */
enum err_code keepalived_track(const char *path, bool eligible, struct err *err) WARN_UNUSED;
/* Does the file say so? One that is not there, or cannot be read, says nothing. */
bool keepalived_track_says(const char *path, bool eligible);

/* Makes the FIFO (mode 0600) unless it is there, and opens it without waiting for a writer.
 * ERR_INVALID: something else has that path. */
enum err_code keepalived_fifo_open(const char *path, int *ret_fd, struct err *err) WARN_UNUSED;

enum keepalived_state {
    KEEPALIVED_UNKNOWN, /* not a line about an instance's state */
    KEEPALIVED_MASTER,
    KEEPALIVED_BACKUP,
    KEEPALIVED_FAULT,
    KEEPALIVED_STOP
};

/* One line, without its end: INSTANCE "name" STATE PRIORITY. Anything else, and what concerns
 * another instance, is UNKNOWN. */
enum keepalived_state keepalived_parse(struct span line, const char *instance);
const char *keepalived_word(enum keepalived_state state);

/* Lines out of bytes that come in pieces; a line that is too long is dropped whole. */
#define KEEPALIVED_LINE_MAX 160 /* a name has at most 64 bytes */
struct keepalived_lines {
    char bytes[KEEPALIVED_LINE_MAX];
    size_t size;
    bool dropping;
};
/* Calls give(arg, line) for each complete line. */
void keepalived_feed(struct keepalived_lines *lines,
                     struct span bytes,
                     void (*give)(void *arg, struct span line),
                     void *arg);

#endif
