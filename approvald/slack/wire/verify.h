/* SPDX-License-Identifier: Apache-2.0 */
/* verify.h: did Slack sign these bytes? Pure: the time is passed in. */
#ifndef APPROVALD_SLACK_WIRE_VERIFY_H
#define APPROVALD_SLACK_WIRE_VERIFY_H

#include "base/span.h"

#include <stdint.h>

struct verify_secrets {
    struct span current;  /* empty: nothing ever verifies */
    struct span previous; /* empty: none */
};

/* Result, and the word for metrics and logs. */
#define VERIFY_TABLE(X)                                                                            \
    X(VERIFY_OK, "ok")                                                                             \
    X(VERIFY_NO_SECRET, "no_secret")                                                               \
    X(VERIFY_NO_TIMESTAMP, "no_timestamp")                                                         \
    X(VERIFY_BAD_TIMESTAMP, "bad_timestamp")                                                       \
    X(VERIFY_TOO_OLD, "too_old")                                                                   \
    X(VERIFY_FUTURE, "future")                                                                     \
    X(VERIFY_NO_SIGNATURE, "no_signature")                                                         \
    X(VERIFY_BAD_FORMAT, "bad_format")                                                             \
    X(VERIFY_MISMATCH, "mismatch")

enum verify_result {
#define VERIFY_ENUM(result, word) result,
    VERIFY_TABLE(VERIFY_ENUM)
#undef VERIFY_ENUM
        VERIFY_RESULT_COUNT
};

const char *verify_word(enum verify_result result);

/* HMAC-SHA256 over "v0:" timestamp ":" body with the current or the previous secret; the signature
 * is exactly "v0=" and 64 hex digits; |now - timestamp| ≤ SLACK_SIGNATURE_WINDOW_S; compared in
 * constant time. *ret_time_s is written only on VERIFY_OK. */
enum verify_result verify_signature(const struct verify_secrets *secrets,
                                    struct span timestamp,
                                    struct span signature,
                                    struct span body,
                                    uint64_t now_s,
                                    uint64_t *ret_time_s);

#endif
