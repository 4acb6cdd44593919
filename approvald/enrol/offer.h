/* SPDX-License-Identifier: Apache-2.0 */
/* offer.h: one join token as its issuer sees it: open, taken, ended. Pure: it is fed a claim and
 * the time, and its new state has to be durable before anybody hears of the verdict.
 *
 *   OPEN ── right proof ──▶ TAKEN ── told that all is installed ──▶ ENDED
 *     │                       │
 *     └── time over, or too many wrong proofs ──────────────────▶ ENDED
 *
 * TAKEN answers again whoever took it: the first answer may have been lost. "Who" is the public
 * key: another one is refused, token or not. */
#ifndef APPROVALD_ENROL_OFFER_H
#define APPROVALD_ENROL_OFFER_H

#include "approvald/enrol/token.h"
#include "base/crypto.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;

#define OFFER_ID_SIZE 8

enum offer_state { OFFER_OPEN, OFFER_TAKEN, OFFER_ENDED };

struct offer {
    enum enrol_role role;
    enum offer_state state;
    uint64_t made_s; /* wall clock */
    uint64_t ends_s;
    uint32_t tries_left;
    uint8_t id[OFFER_ID_SIZE];
    uint8_t key[CRYPTO_SHA256_SIZE];   /* derived from the secret, which it does not show */
    uint8_t taker[CRYPTO_SHA256_SIZE]; /* hash of the public key that took it */
    bool complete;                     /* ended because the taker has installed what it got */
};

/* What both sides make of the token's secret: the key of their proofs, and the offer's name. */
void offer_derive(const uint8_t secret[ENROL_SECRET_SIZE],
                  uint8_t ret_key[CRYPTO_SHA256_SIZE],
                  uint8_t ret_id[OFFER_ID_SIZE]);
void offer_init(struct offer *offer,
                enum enrol_role role,
                const uint8_t secret[ENROL_SECRET_SIZE],
                uint64_t now_s);

enum offer_verdict {
    OFFER_GRANT,   /* issue, also when it is a repetition */
    OFFER_WRONG,   /* the proof is not of this token */
    OFFER_USED,    /* by another key */
    OFFER_EXPIRED, /* by time, tries, or completed */
};

struct offer_claim {
    uint8_t awaited[CRYPTO_SHA256_SIZE]; /* the MAC that a right proof has */
    uint8_t given[CRYPTO_SHA256_SIZE];
    uint8_t taker[CRYPTO_SHA256_SIZE]; /* hash of the public key; its possession is proved */
};

/* Judges a claim. When it returns true in *ret_changed, the offer has to be durable before the
 * verdict is told. */
enum offer_verdict
offer_step(struct offer *offer, const struct offer_claim *claim, uint64_t now_s, bool *ret_changed);
/* The taker says that all is installed. False: it was not taken. */
bool offer_complete(struct offer *offer);
/* Ends an offer whose time is over; true when that changed it. */
bool offer_age(struct offer *offer, uint64_t now_s);
/* Asserts what always holds. */
void offer_invariant(const struct offer *offer);

enum err_code offer_encode(const struct offer *offer, struct buf *buf, struct err *err) WARN_UNUSED;
/* ERR_CORRUPT. */
enum err_code offer_decode(struct span bytes, struct offer *ret_offer, struct err *err) WARN_UNUSED;

#endif
