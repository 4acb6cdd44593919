/* SPDX-License-Identifier: Apache-2.0 */
/* log_journal.h: journald's native protocol, without waiting for it: sd_journal_sendv does where
 * journald does not read, as one whose disk hangs, and a loop must not hang with it. */
#ifndef BASE_LOG_JOURNAL_H
#define BASE_LOG_JOURNAL_H

#include "base/limits.h"
#include "base/span.h"

#include <stddef.h>

#define LOG_JOURNAL_PATH "/run/systemd/journal/socket"
/* Of an entry: a line's own and the four that each has. */
#define LOG_JOURNAL_FIELD_COUNT_MAX (LOG_FIELD_COUNT_MAX + 4)

enum log_journal_told {
    LOG_JOURNAL_TOLD,
    LOG_JOURNAL_LATER, /* it does not read now */
    LOG_JOURNAL_NOBODY /* there is none, or it does not take this */
};

/* Sends one entry of fields "NAME=value" to the socket at path, and the program's name as
 * SYSLOG_IDENTIFIER. *fd: -1, or what an earlier call has opened; the caller's to close. Never
 * blocks. */
enum log_journal_told
log_journal_send(int *fd, const char *path, const struct span *fields, size_t field_count);

#endif
