/* SPDX-License-Identifier: Apache-2.0 */
/* totp.h: one-time codes of an authenticator app (RFC 6238: HMAC-SHA-1, six digits, 30 s), and what
 * a wrong one costs. Pure.
 *
 * A code counts when it is of the step that the time of records is in, or of one beside it (a clock
 * that is wrong by half a minute, a person who types), and newer than the last one that counted: so
 * each serves once, on whatever host, for the step is stored with what it approved. A clock that
 * jumps ahead makes codes wait for it; back it goes never, as records do not. */
#ifndef APPROVALD_CORE_TOTP_H
#define APPROVALD_CORE_TOTP_H

#include "approvald/core/types.h"

#define TOTP_SEED_SIZE   20 /* bytes: as long as the hash (RFC 4226, 4) */
#define TOTP_DIGITS      6
#define TOTP_CODE_END    UINT32_C(1000000)
#define TOTP_SECRET_SIZE 33 /* of 20 bytes in base 32, with the NUL */

/* The code of a step. */
uint32_t totp_code(const uint8_t seed[TOTP_SEED_SIZE], uint64_t step);
uint64_t totp_step(uint64_t now_ms);
/* Six digits, with spaces among them or around; false: no code. */
bool totp_parse(struct span text, uint32_t *ret_code);
/* In base 32, as apps take it. */
void totp_secret(const uint8_t seed[TOTP_SEED_SIZE], char ret_text[TOTP_SECRET_SIZE]);

/* What is remembered of one person. */
struct totp_state {
    uint64_t last_step; /* of the newest code that counted */
    uint32_t failures;  /* wrong codes since then */
    uint64_t locked_ms; /* no code counts before */
};
/* True: it counts, once. In any case the state is to be stored. */
bool totp_try(struct totp_state *state,
              const uint8_t seed[TOTP_SEED_SIZE],
              uint32_t code,
              uint64_t now_ms);

#endif
