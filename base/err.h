/* SPDX-License-Identifier: Apache-2.0 */
/* err.h: operating errors: a code for the caller, a bounded message for the operator.
 *
 * Every fallible function returns enum err_code and takes a struct err last. On failure it fills
 * the err; on ERR_OK it leaves it untouched. On the way up callers prefix the message with
 * err_wrap, so that the operator reads a path: "recover wal: segment 12: checksum mismatch". */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#define ERR_MESSAGE_SIZE 256 /* bytes with the NUL: one readable log line; longer text is cut */

/* Code and its text live together: a code without a text does not compile. */
#define ERR_TABLE(X)                                                                               \
    X(ERR_OK, "ok")                                                                                \
    X(ERR_NOMEM, "out of memory")                                                                  \
    X(ERR_IO, "input/output error")                                                                \
    X(ERR_NOSPACE, "no space left")                                                                \
    X(ERR_CORRUPT, "stored data is corrupt")                                                       \
    X(ERR_UNSUPPORTED, "of a version that is not known")                                           \
    X(ERR_BUSY, "resource is in use")                                                              \
    X(ERR_FULL, "a limit is reached, retry later")                                                 \
    X(ERR_INVALID, "invalid input")                                                                \
    X(ERR_TOO_LARGE, "input is too large")                                                         \
    X(ERR_NOT_FOUND, "not found")                                                                  \
    X(ERR_EXISTS, "already exists")                                                                \
    X(ERR_CONFLICT, "conflicts with what was decided before")                                      \
    X(ERR_DENIED, "not permitted")                                                                 \
    X(ERR_UNAUTHENTICATED, "not authenticated")                                                    \
    X(ERR_EXPIRED, "expired")                                                                      \
    X(ERR_TIMEOUT, "timed out")                                                                    \
    X(ERR_UNAVAILABLE, "not available now")                                                        \
    X(ERR_UNKNOWN_FATE, "fate unknown, retry with the same key")                                   \
    X(ERR_PROTOCOL, "peer broke the protocol")                                                     \
    X(ERR_FATAL, "this process must stop")

enum err_code {
#define ERR_ENUM(code, text) code,
    ERR_TABLE(ERR_ENUM)
#undef ERR_ENUM
};

struct err {
    enum err_code code;
    char message[ERR_MESSAGE_SIZE];
};

#define ERR_INIT                                                                                   \
    {                                                                                              \
        .code = ERR_OK, .message = ""                                                              \
    }

#define WARN_UNUSED __attribute__((warn_unused_result))

/* Discards a result on purpose, which gcc does not let a (void) do; the reason stands beside it. */
static inline void err_ignore(enum err_code rc)
{
    (void)rc;
}

/* The fixed text of a code, never NULL. */
const char *err_text(enum err_code code);

/* Fills *err (which may be NULL) with code and the formatted message; returns code. */
enum err_code err_set(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* As err_set, with ": " and the text of errno value number appended. */
enum err_code
err_set_errno(struct err *err, enum err_code code, int number, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Prefixes the message of *err (which may be NULL) with the formatted text and ": "; returns code,
 * which becomes the code of *err. */
enum err_code err_wrap(struct err *err, enum err_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
