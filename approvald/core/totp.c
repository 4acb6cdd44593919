/* SPDX-License-Identifier: Apache-2.0 */
/* totp.c: one-time codes.
 * Owns the window of steps, and the locks after wrong codes.
 * Never stores a seed, never says which of the steps a code was of. */
#include "approvald/core/totp.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/pack.h"

#define STEP_MS     UINT64_C(30000)
#define STEP_BESIDE 1

uint64_t totp_step(uint64_t now_ms)
{
    return now_ms / STEP_MS;
}

/* RFC 4226, 5.3. */
uint32_t totp_code(const uint8_t seed[TOTP_SEED_SIZE], uint64_t step)
{
    uint8_t counter[8];
    uint8_t mac[CRYPTO_SHA1_SIZE];
    struct span part = span_of(counter, sizeof counter);
    uint32_t offset;
    uint32_t number;

    pack_key_u64(counter, step);
    crypto_hmac_sha1(span_of(seed, TOTP_SEED_SIZE), &part, 1, mac);
    offset = mac[CRYPTO_SHA1_SIZE - 1] & 15U;
    number = unpack_key_u32(mac + offset) & UINT32_C(0x7fffffff);
    return number % TOTP_CODE_END;
}

bool totp_parse(struct span text, uint32_t *ret_code)
{
    uint32_t code = 0;
    uint32_t digits = 0;

    for (size_t i = 0; i < text.size && i < CORE_CODE_SIZE_MAX; i++) {
        char character = text.data[i];

        if (character == ' ') {
            continue;
        }
        if (character < '0' || character > '9' || digits == TOTP_DIGITS) {
            return false;
        }
        code = code * 10 + (uint32_t)(character - '0');
        digits++;
    }
    *ret_code = code;
    return digits == TOTP_DIGITS && text.size <= CORE_CODE_SIZE_MAX;
}

void totp_secret(const uint8_t seed[TOTP_SEED_SIZE], char ret_text[TOTP_SECRET_SIZE])
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

    for (size_t i = 0; i < TOTP_SECRET_SIZE - 1; i++) {
        size_t bit = 5 * i;
        uint32_t pair = (uint32_t)seed[bit / 8] << 8;

        pair |= bit / 8 + 1 < TOTP_SEED_SIZE ? seed[bit / 8 + 1] : 0U;
        ret_text[i] = letters[pair >> (11 - bit % 8) & 31U];
    }
    ret_text[TOTP_SECRET_SIZE - 1] = '\0';
}

/* 15 minutes after five wrong ones in a row, and twice as long after each five more. */
static uint64_t lock_ms(uint32_t failures)
{
    uint32_t rounds = failures / CORE_CODE_FAILURE_MAX;
    uint64_t ms = CORE_CODE_LOCK_MS;

    if (rounds == 0 || failures % CORE_CODE_FAILURE_MAX != 0) {
        return 0;
    }
    while (--rounds > 0 && ms < CORE_CODE_LOCK_MS_MAX) {
        ms *= 2;
    }
    return ms < CORE_CODE_LOCK_MS_MAX ? ms : CORE_CODE_LOCK_MS_MAX;
}

bool totp_try(struct totp_state *state,
              const uint8_t seed[TOTP_SEED_SIZE],
              uint32_t code,
              uint64_t now_ms)
{
    uint64_t step = totp_step(now_ms);
    uint64_t found = 0;

    ASSERT(code < TOTP_CODE_END);
    if (now_ms < state->locked_ms) {
        return false;
    }
    /* All are computed and compared, whichever is right. */
    for (uint64_t at = step - STEP_BESIDE; at <= step + STEP_BESIDE; at++) {
        uint32_t wanted = totp_code(seed, at);

        found = crypto_equal(&wanted, &code, sizeof code) && at > state->last_step ? at : found;
    }
    if (found != 0) {
        *state = (struct totp_state){.last_step = found};
        return true;
    }
    state->failures += state->failures < UINT32_MAX ? 1 : 0;
    if (lock_ms(state->failures) > 0) {
        state->locked_ms = now_ms + lock_ms(state->failures);
    }
    return false;
}
