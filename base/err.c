/* SPDX-License-Identifier: Apache-2.0 */
/* err.c: operating errors.
 * Owns the texts of the codes and the bounded formatting of messages.
 * Never allocates, never logs, never decides what a caller does with an error. */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const err_texts[] = {
#define ERR_TEXT(code, text) [code] = (text),
    ERR_TABLE(ERR_TEXT)
#undef ERR_TEXT
};

const char *err_text(enum err_code code)
{
    size_t index = (size_t)code;

    return index < sizeof err_texts / sizeof err_texts[0] ? err_texts[index] : "unknown error";
}

enum err_code err_set(struct err *err, enum err_code code, const char *format, ...)
{
    va_list args;

    if (err != NULL) {
        err->code = code;
        va_start(args, format);
        /* A message that is too long is cut: a bounded text is the contract. */
        (void)vsnprintf(err->message, sizeof err->message, format, args);
        va_end(args);
    }
    return code;
}

enum err_code
err_set_errno(struct err *err, enum err_code code, int number, const char *format, ...)
{
    char text[ERR_MESSAGE_SIZE];
    char reason[96];
    va_list args;

    if (err == NULL) {
        return code;
    }
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return err_set(err, code, "%s: %s", text, strerror_r(number, reason, sizeof reason));
}

enum err_code err_wrap(struct err *err, enum err_code code, const char *format, ...)
{
    char prefix[ERR_MESSAGE_SIZE];
    char rest[ERR_MESSAGE_SIZE];
    va_list args;

    if (err == NULL) {
        return code;
    }
    va_start(args, format);
    (void)vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    memcpy(rest, err->message, sizeof rest);
    return err_set(err, code, "%s: %s", prefix, rest[0] == '\0' ? err_text(code) : rest);
}
