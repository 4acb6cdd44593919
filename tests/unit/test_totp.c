/* SPDX-License-Identifier: Apache-2.0 */
/* test_totp.c: proves approvald/core/totp against RFC 6238 and RFC 4226, and what a wrong code
 * costs.
 * Owns nothing but its cases; never touches a clock. */
#include "approvald/core/codec.h"
#include "approvald/core/totp.h"
#include "base/buf.h"
#include "tests/unit/unit.h"

#include <string.h>

#define NOW UINT64_C(1800000000000)

static const uint8_t seed[TOTP_SEED_SIZE + 1] = "12345678901234567890";

/* The last six of the eight digits of RFC 6238, appendix B; then RFC 4226, appendix D. */
static void codes_agree_with_the_rfcs(void)
{
    static const struct {
        uint64_t time_s;
        uint32_t code;
    } vectors[] = {{59, 287082},       {1111111109, 81804},  {1111111111, 50471},
                   {1234567890, 5924}, {2000000000, 279037}, {20000000000, 353130}};
    static const uint32_t counters[] = {755224, 287082, 359152, 969429, 338314,
                                        254676, 287922, 162583, 399871, 520489};
    char secret[TOTP_SECRET_SIZE];

    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
        CU_ASSERT_EQUAL(totp_code(seed, totp_step(vectors[i].time_s * 1000)), vectors[i].code);
    }
    for (uint64_t i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(totp_code(seed, i), counters[i]);
    }
    totp_secret(seed, secret);
    CU_ASSERT_STRING_EQUAL(secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
}

static void a_code_is_six_digits(void)
{
    static const char *const bad[] = {"",
                                      "12345",
                                      "1234567",
                                      "12345a",
                                      "-12345",
                                      "+12345",
                                      "123456789012345678",
                                      "1234 5\t6",
                                      "      ",
                                      ("\xef\xbc\x91"
                                       "23456")};
    uint32_t code = 0;

    CU_ASSERT(totp_parse(SPAN_LITERAL("000001"), &code) && code == 1);
    CU_ASSERT(totp_parse(SPAN_LITERAL(" 123 456 "), &code) && code == 123456);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_FALSE(totp_parse(span_text(bad[i]), &code));
    }
}

static void each_code_serves_once_and_beside_its_step(void)
{
    struct totp_state state = {.last_step = 0};
    uint64_t step = totp_step(NOW);

    CU_ASSERT_FALSE(totp_try(&state, seed, totp_code(seed, step - 2), NOW));
    CU_ASSERT_FALSE(totp_try(&state, seed, totp_code(seed, step + 2), NOW));
    CU_ASSERT(totp_try(&state, seed, totp_code(seed, step - 1), NOW));
    CU_ASSERT_EQUAL(state.failures, 0);
    CU_ASSERT_FALSE(totp_try(&state, seed, totp_code(seed, step - 1), NOW));
    CU_ASSERT(totp_try(&state, seed, totp_code(seed, step), NOW));
    CU_ASSERT(totp_try(&state, seed, totp_code(seed, step + 1), NOW));
    for (uint64_t at = step - 1; at <= step + 1; at++) {
        CU_ASSERT_FALSE(totp_try(&state, seed, totp_code(seed, at), NOW));
    }
    CU_ASSERT(totp_try(&state, seed, totp_code(seed, step + 2), NOW + 30000));
}

/* A clock that was an hour ahead: what it accepted makes the next code wait, and no longer. */
static void a_clock_that_jumped_ahead_costs_only_waiting(void)
{
    struct totp_state state = {.last_step = 0};
    uint64_t ahead = NOW + 3600000;

    CU_ASSERT(totp_try(&state, seed, totp_code(seed, totp_step(ahead)), ahead));
    CU_ASSERT_FALSE(totp_try(&state, seed, totp_code(seed, totp_step(NOW)), NOW));
    CU_ASSERT(totp_try(&state, seed, totp_code(seed, totp_step(ahead + 30000)), ahead + 30000));
}

static void wrong_codes_lock_for_longer_and_longer(void)
{
    struct totp_state state = {.last_step = 0};
    uint64_t now_ms = NOW;
    uint64_t before_ms = 0;
    uint32_t wrong = (totp_code(seed, totp_step(NOW)) + 1) % TOTP_CODE_END;
    uint32_t tries = 0;

    for (uint32_t i = 0; i < CORE_CODE_FAILURE_MAX; i++) {
        CU_ASSERT_EQUAL(state.locked_ms, 0);
        CU_ASSERT_FALSE(totp_try(&state, seed, wrong, NOW));
    }
    CU_ASSERT_EQUAL(state.locked_ms, NOW + CORE_CODE_LOCK_MS);
    CU_ASSERT_FALSE(totp_try(&state, seed, totp_code(seed, totp_step(NOW)), NOW));
    CU_ASSERT_EQUAL(state.failures, CORE_CODE_FAILURE_MAX); /* not counted while it is locked */
    /* Whoever guesses for a month gets this many guesses. */
    while (now_ms < NOW + 30 * CORE_DAY_MS) {
        uint32_t other = (totp_code(seed, totp_step(now_ms) + 7) + 1) % TOTP_CODE_END;

        before_ms = now_ms;
        if (now_ms >= state.locked_ms) {
            (void)totp_try(&state, seed, other, now_ms);
            tries++;
        } else {
            now_ms = state.locked_ms;
        }
    }
    CU_ASSERT(before_ms > NOW);
    CU_ASSERT(tries < 200);
    now_ms = state.locked_ms > now_ms ? state.locked_ms : now_ms;
    CU_ASSERT(totp_try(&state, seed, totp_code(seed, totp_step(now_ms)), now_ms));
    CU_ASSERT(state.failures == 0 && state.locked_ms == 0);
}

static void an_enrolment_is_sealed_stored_and_read_back(void)
{
    const uint8_t key[CRYPTO_KEY_SIZE] = {1};
    const uint8_t other[CRYPTO_KEY_SIZE] = {2};
    uint8_t sealed[TOTP_SEED_SIZE + CRYPTO_TAG_SIZE];
    uint8_t opened[TOTP_SEED_SIZE];
    struct step_up stored = {.user = SPAN_LITERAL("U0ANA"),
                             .enrolled_ms = NOW,
                             .enrolled_by = SPAN_LITERAL("root"),
                             .nonce = {9},
                             .sealed = span_of(sealed, sizeof sealed),
                             .state = {.last_step = 7, .failures = 3, .locked_ms = 11}};
    struct step_up read;
    AUTO_BUF struct buf *buf = NULL;

    CU_ASSERT_EQUAL_FATAL(
        crypto_seal(key, stored.nonce, stored.user, span_of(seed, TOTP_SEED_SIZE), sealed, NULL),
        ERR_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(sealed, seed, TOTP_SEED_SIZE), 0);
    CU_ASSERT_EQUAL_FATAL(buf_new(1024, &buf, NULL), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(codec_step_up_encode(&stored, buf, NULL), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(codec_step_up_decode(buf_span(buf), &read, NULL), ERR_OK);
    CU_ASSERT(read.state.last_step == 7 && read.state.failures == 3 && read.state.locked_ms == 11);
    CU_ASSERT_EQUAL(crypto_open(key, read.nonce, read.user, read.sealed, opened, NULL), ERR_OK);
    CU_ASSERT_EQUAL(memcmp(opened, seed, sizeof opened), 0);
    CU_ASSERT_EQUAL(crypto_open(other, read.nonce, read.user, read.sealed, opened, NULL),
                    ERR_CORRUPT);
    CU_ASSERT_EQUAL(crypto_open(key, read.nonce, SPAN_LITERAL("U0BEN"), read.sealed, opened, NULL),
                    ERR_CORRUPT); /* nobody's seed becomes another's */
    for (size_t size = 0; size < buf_size(buf); size++) {
        CU_ASSERT_NOT_EQUAL(codec_step_up_decode(span_of(buf_text(buf), size), &read, NULL),
                            ERR_OK);
    }
}

UNIT_MAIN("totp",
          {"codes agree with the RFCs", codes_agree_with_the_rfcs},
          {"a code is six digits", a_code_is_six_digits},
          {"each code serves once and beside its step", each_code_serves_once_and_beside_its_step},
          {"a clock that jumped ahead costs only waiting",
           a_clock_that_jumped_ahead_costs_only_waiting},
          {"wrong codes lock for longer and longer", wrong_codes_lock_for_longer_and_longer},
          {"an enrolment is sealed, stored and read back",
           an_enrolment_is_sealed_stored_and_read_back})
