/* SPDX-License-Identifier: Apache-2.0 */
/* crash.h: what a process leaves behind that a signal ends: no core (it would hold secrets), but a
 * short text: the signal, the address, versions, build id, uptime, what was noted, and a backtrace
 * as "program+0x1234". No register but the program counter, and nothing out of memory.
 *
 * A report is written by the signal handler, with calls that signal-safety(7) allows, to standard
 * error and to crash.now in a directory, which was opened and given its room before. The next start
 * renames it to crash-SECONDS and logs it; the newest CRASH_COUNT_MAX stay. With the program of the
 * same build id: addr2line -f -e PROGRAM 0x1234. */
#ifndef BASE_CRASH_H
#define BASE_CRASH_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CRASH_COUNT_MAX   8U    /* of a crash loop the first ones say as much as the last */
#define CRASH_SIZE_MAX    8192U /* bytes of a report: 64 frames of 100 */
#define CRASH_NAME_SIZE   32U
#define CRASH_SIGNAL_SIZE 16U
#define CRASH_FRAME_SIZE  96U

/* What is left of earlier crashes. */
struct crash_found {
    size_t count;                   /* reports in the directory */
    uint64_t newest_s;              /* wall clock of the newest; 0: none */
    bool fresh;                     /* the process before this one left it */
    char name[CRASH_NAME_SIZE];     /* its file */
    char signal[CRASH_SIGNAL_SIZE]; /* "SIGSEGV" */
    char frame[CRASH_FRAME_SIZE];   /* where, the first frame in the program itself; may be "" */
};

/* No core of this process, whatever its limits and the kernel's core_pattern say, and nobody but
 * root attaches to it or reads its /proc; an exec ends that. Every program of ours that sees a
 * secret calls it first. */
void crash_no_core(void);

/* Takes SEGV, BUS, ILL, FPE, ABRT and SYS. program is a literal. Reports go to standard error until
 * crash_open. Once, in the first thread: only its own stack may overflow and still be reported. */
void crash_init(const char *program);

/* dir is this process's alone. Tidies up what earlier ones left, and has the next report written
 * there as well. Without it (a full disk) the process is as good: standard error remains. Blocks
 * (disk). */
enum err_code
crash_open(const char *dir, struct crash_found *ret_found, struct err *err) WARN_UNUSED;

/* How long ago the newest was, by the wall clock; 0: there is none. */
uint64_t crash_age_s(const struct crash_found *found);
/* Logs what the process before this one left, as an error. */
void crash_tell(const struct crash_found *found, const char *module);

/* A word for the next report; it has to live as long as the process: a literal. */
enum crash_note {
    CRASH_NOTE_ROLE,
    CRASH_NOTE_BEFORE, /* how the process before, or the host, ended */
    CRASH_NOTE_WATCHDOG,
    CRASH_NOTE_COUNT
};
void crash_note(enum crash_note note, const char *word);

#endif
