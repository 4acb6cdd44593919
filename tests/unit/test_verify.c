/* SPDX-License-Identifier: Apache-2.0 */
/* test_verify.c: proves approvald/slack/wire/verify with tests/data/slack/signing_vectors.json.
 * Owns nothing but its cases; never reads a clock, the time is the vectors'. */
#include "approvald/slack/wire/verify.h"
#include "base/crypto.h"
#include "base/json.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define VECTOR_COUNT 24

static bool is_judged_as_it_says(const struct json *vector)
{
    struct verify_secrets secrets = {.current = json_text(vector, "secret")};
    uint64_t now_s = 0;
    uint64_t time_s = 0;
    bool good;

    if (!json_u64(vector, "now", &now_s)) {
        return false;
    }
    good =
        verify_signature(&secrets, json_text(vector, "timestamp"), json_text(vector, "signature"),
                         json_text(vector, "body"), now_s, &time_s) == VERIFY_OK;
    return good == json_bool(vector, "expect", !good);
}

static void every_published_vector_is_judged_as_it_says(void)
{
    AUTO_BUF struct buf *text = fixture_read("slack/signing_vectors.json");
    AUTO_JSON struct json *vectors = NULL;
    struct err err = ERR_INIT;
    size_t count = 0;
    size_t wrong_count = 0;

    CU_ASSERT_PTR_NOT_NULL_FATAL(text);
    CU_ASSERT_EQUAL_FATAL(json_parse(buf_span(text), FIXTURE_SIZE_MAX, &vectors, &err), ERR_OK);
    for (const struct json *item = json_first(vectors); item != NULL; item = json_next(item)) {
        if (!is_judged_as_it_says(item)) {
            (void)printf("vector %.*s\n", SPAN_ARGS(json_text(item, "name")));
            wrong_count++;
        }
        count++;
    }
    CU_ASSERT_EQUAL(count, VECTOR_COUNT);
    CU_ASSERT_EQUAL(wrong_count, 0);
}

/* "v0=" and the MAC of body at the time under secret. */
static void sign(const char *secret, const char *timestamp, const char *body, char ret[68])
{
    const struct span parts[] = {SPAN_LITERAL("v0:"), span_text(timestamp), SPAN_LITERAL(":"),
                                 span_text(body)};
    uint8_t mac[CRYPTO_SHA256_SIZE];

    crypto_hmac_sha256(span_text(secret), parts, 4, mac);
    (void)snprintf(ret, 4, "v0="); /* fits */
    crypto_hex(mac, sizeof mac, ret + 3);
}

static enum verify_result
check(const char *current, const char *previous, const char *signature, uint64_t now_s)
{
    struct verify_secrets secrets = {.current = span_text(current),
                                     .previous = span_text(previous)};
    uint64_t time_s = 7;
    enum verify_result result =
        verify_signature(&secrets, SPAN_LITERAL("1764752400"), span_text(signature),
                         SPAN_LITERAL("a=b"), now_s, &time_s);

    CU_ASSERT_EQUAL(time_s, result == VERIFY_OK ? 1764752400 : 7);
    return result;
}

static void the_previous_secret_is_accepted_while_it_is_set(void)
{
    char signature[68];

    sign("old", "1764752400", "a=b", signature);
    CU_ASSERT_EQUAL(check("new", "old", signature, 1764752400), VERIFY_OK);
    CU_ASSERT_EQUAL(check("old", "", signature, 1764752400), VERIFY_OK);
    CU_ASSERT_EQUAL(check("new", "", signature, 1764752400), VERIFY_MISMATCH);
    CU_ASSERT_EQUAL(check("", "old", signature, 1764752400), VERIFY_NO_SECRET);
}

static void the_window_is_300_seconds_both_ways(void)
{
    char signature[68];

    sign("s", "1764752400", "a=b", signature);
    CU_ASSERT_EQUAL(check("s", "", signature, 1764752400 + 300), VERIFY_OK);
    CU_ASSERT_EQUAL(check("s", "", signature, 1764752400 + 301), VERIFY_TOO_OLD);
    CU_ASSERT_EQUAL(check("s", "", signature, 1764752400 - 300), VERIFY_OK);
    CU_ASSERT_EQUAL(check("s", "", signature, 1764752400 - 301), VERIFY_FUTURE);
}

static void only_v0_and_64_digits_are_a_signature(void)
{
    char signature[68];

    sign("s", "1764752400", "a=b", signature);
    for (size_t i = 3; i < 67; i++) {
        char other[68];

        memcpy(other, signature, sizeof other);
        other[i] = other[i] == '0' ? '1' : '0';
        CU_ASSERT_EQUAL(check("s", "", other, 1764752400), VERIFY_MISMATCH);
        other[i] = 'g';
        CU_ASSERT_EQUAL(check("s", "", other, 1764752400), VERIFY_BAD_FORMAT);
    }
    signature[1] = '1';
    CU_ASSERT_EQUAL(check("s", "", signature, 1764752400), VERIFY_BAD_FORMAT);
    CU_ASSERT_EQUAL(check("s", "", "", 1764752400), VERIFY_NO_SIGNATURE);
    CU_ASSERT_EQUAL(check("s", "", "v0=", 1764752400), VERIFY_BAD_FORMAT);
    CU_ASSERT_STRING_EQUAL(verify_word(VERIFY_FUTURE), "future");
}

UNIT_MAIN("verify",
          {"every published vector is judged as it says",
           every_published_vector_is_judged_as_it_says},
          {"the previous secret is accepted while it is set",
           the_previous_secret_is_accepted_while_it_is_set},
          {"the window is 300 seconds both ways", the_window_is_300_seconds_both_ways},
          {"only v0 and 64 digits are a signature", only_v0_and_64_digits_are_a_signature})
