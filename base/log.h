/* SPDX-License-Identifier: Apache-2.0 */
/* log.h: one line per event: a module's token, an event name, fields. JSON lines on standard error
 * or journald's native fields. The only mutable global of the product.
 *
 * Never log a secret or a message body. Known secret shapes (xoxb-, xoxp-, xapp-, xoxe, "Bearer ",
 * hooks URLs, our own apv_) are redacted in values as a second line of defence. Repeats of one
 * event are limited (LOG_REPEAT_MAX a second per event); what was dropped is counted in a line of
 * its own, "repeats_dropped", with a later line, and what journald did not take in "lines_lost".
 * Thread-safe; may block only as a write to standard error does: never for journald. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };
enum log_target { LOG_TARGET_JSON, LOG_TARGET_JOURNAL, LOG_TARGET_TEXT };

struct log_field {
    const char *name; /* NULL ends a list */
    enum { LOG_FIELD_TEXT, LOG_FIELD_SPAN, LOG_FIELD_NUMBER } kind;
    const char *text;
    struct span span;
    int64_t number;
};

#define LOG_TEXT(field, value)                                                                     \
    ((struct log_field){.name = (field), .kind = LOG_FIELD_TEXT, .text = (value)})
#define LOG_SPAN(field, value)                                                                     \
    ((struct log_field){.name = (field), .kind = LOG_FIELD_SPAN, .span = (value)})
#define LOG_NUMBER(field, value)                                                                   \
    ((struct log_field){.name = (field), .kind = LOG_FIELD_NUMBER, .number = (int64_t)(value)})

void log_init(enum log_target target, enum log_level level_min);
void log_set_level(enum log_level level_min);
/* Parses "debug", "info", "warning", "error". */
enum err_code
log_level_parse(const char *text, enum log_level *ret_level, struct err *err) WARN_UNUSED;

/* module and event are literals (kept for the count of repeats). A value longer than
 * LOG_VALUE_SIZE_MAX is cut; fields called authorization, cookie, password, secret, signature or
 * token are never shown. Journald gets APPROVALD_MODULE, APPROVALD_EVENT and APPROVALD_<FIELD>. */
void log_event(enum log_level level,
               const char *module,
               const char *event,
               const struct log_field *fields);

/* log_fields(LOG_LEVEL_INFO, "wal", "segment_trimmed", LOG_NUMBER("segment", 12)); */
/* These two read as the functions that they stand for. NOLINTBEGIN(readability-identifier-naming)
 */
#define log_fields(level, module, event, ...)                                                      \
    log_event(level, module, event, (const struct log_field[]){__VA_ARGS__, {.name = NULL}})
/* The shell that handles an error logs it, once. */
#define log_err(level, module, event, err)                                                         \
    log_fields(level, module, event, LOG_TEXT("error", err_text((err)->code)),                     \
               LOG_TEXT("reason", (err)->message))
/* NOLINTEND(readability-identifier-naming) */

#endif
