/* SPDX-License-Identifier: Apache-2.0 */
/* verify.c: Slack's request signature, version 0.
 * Owns the rule of what counts as signed; keeps nothing.
 * Never reads the clock, never looks into the body, never says which part of a MAC differed. */
#include "approvald/slack/wire/verify.h"

#include "approvald/slack/limits.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/text.h"

#include <stdbool.h>
#include <string.h>

#define VERIFY_PREFIX      "v0="
#define VERIFY_PREFIX_SIZE (sizeof VERIFY_PREFIX - 1)

static const char *const verify_words[] = {
#define VERIFY_WORD(result, word) [result] = (word),
    VERIFY_TABLE(VERIFY_WORD)
#undef VERIFY_WORD
};

const char *verify_word(enum verify_result result)
{
    ASSERT(result < VERIFY_RESULT_COUNT);
    return verify_words[result];
}

static enum verify_result check_time(struct span timestamp, uint64_t now_s, uint64_t *ret_time_s)
{
    uint64_t time_s;

    if (timestamp.size == 0) {
        return VERIFY_NO_TIMESTAMP;
    }
    if (!text_parse_u64(timestamp, &time_s)) {
        return VERIFY_BAD_TIMESTAMP;
    }
    if (time_s < now_s && now_s - time_s > SLACK_SIGNATURE_WINDOW_S) {
        return VERIFY_TOO_OLD;
    }
    if (time_s > now_s && time_s - now_s > SLACK_SIGNATURE_WINDOW_S) {
        return VERIFY_FUTURE;
    }
    *ret_time_s = time_s;
    return VERIFY_OK;
}

static bool mac_is(struct span secret,
                   struct span timestamp,
                   struct span body,
                   const uint8_t claimed[CRYPTO_SHA256_SIZE])
{
    const struct span parts[] = {SPAN_LITERAL("v0:"), timestamp, SPAN_LITERAL(":"), body};
    uint8_t mac[CRYPTO_SHA256_SIZE];

    if (secret.size == 0) {
        return false;
    }
    crypto_hmac_sha256(secret, parts, sizeof parts / sizeof parts[0], mac);
    return crypto_equal(mac, claimed, sizeof mac);
}

enum verify_result verify_signature(const struct verify_secrets *secrets,
                                    struct span timestamp,
                                    struct span signature,
                                    struct span body,
                                    uint64_t now_s,
                                    uint64_t *ret_time_s)
{
    uint8_t claimed[CRYPTO_SHA256_SIZE];
    struct span digits;
    uint64_t time_s = 0;
    enum verify_result result;

    ASSERT(secrets != NULL);
    ASSERT(ret_time_s != NULL);
    if (secrets->current.size == 0) {
        return VERIFY_NO_SECRET;
    }
    result = check_time(timestamp, now_s, &time_s);
    if (result != VERIFY_OK) {
        return result;
    }
    if (signature.size == 0) {
        return VERIFY_NO_SIGNATURE;
    }
    if (signature.size < VERIFY_PREFIX_SIZE ||
        memcmp(signature.data, VERIFY_PREFIX, VERIFY_PREFIX_SIZE) != 0) {
        return VERIFY_BAD_FORMAT;
    }
    digits = span_of(signature.data + VERIFY_PREFIX_SIZE, signature.size - VERIFY_PREFIX_SIZE);
    if (!crypto_unhex(digits, claimed, sizeof claimed)) {
        return VERIFY_BAD_FORMAT;
    }
    if (!mac_is(secrets->current, timestamp, body, claimed) &&
        !mac_is(secrets->previous, timestamp, body, claimed)) {
        return VERIFY_MISMATCH;
    }
    *ret_time_s = time_s;
    return VERIFY_OK;
}
