/* SPDX-License-Identifier: Apache-2.0 */
/* offer.c: the life of one join token.
 * Owns its states. Never reads a clock or a file, never goes back to an earlier state, never keeps
 * the key of an offer that has ended. */
#include "approvald/enrol/offer.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/pack.h"

#include <string.h>

#define MAGIC   "APVOFFER"
#define VERSION 1

/* HKDF (RFC 5869) in small: extract with a fixed salt, then one block for each purpose. */
void offer_derive(const uint8_t secret[ENROL_SECRET_SIZE],
                  uint8_t ret_key[CRYPTO_SHA256_SIZE],
                  uint8_t ret_id[OFFER_ID_SIZE])
{
    static const struct span salt = {"approvald join 1", 16};
    static const struct span id_info = {"id\x01", 3};
    struct span bytes = span_of(secret, ENROL_SECRET_SIZE);
    uint8_t id[CRYPTO_SHA256_SIZE];

    crypto_hmac_sha256(salt, &bytes, 1, ret_key);
    crypto_hmac_sha256(span_of(ret_key, CRYPTO_SHA256_SIZE), &id_info, 1, id);
    memcpy(ret_id, id, OFFER_ID_SIZE);
}

void offer_init(struct offer *offer,
                enum enrol_role role,
                const uint8_t secret[ENROL_SECRET_SIZE],
                uint64_t now_s)
{
    *offer = (struct offer){.role = role,
                            .state = OFFER_OPEN,
                            .made_s = now_s,
                            .ends_s = now_s + ENROL_OFFER_S,
                            .tries_left = ENROL_TRIES_MAX};
    offer_derive(secret, offer->key, offer->id);
    offer_invariant(offer);
}

void offer_invariant(const struct offer *offer)
{
    static const uint8_t zeros[CRYPTO_SHA256_SIZE];
    bool keyless = memcmp(offer->key, zeros, sizeof zeros) == 0;
    bool taken = memcmp(offer->taker, zeros, sizeof zeros) != 0;

    ASSERT(offer->role == ENROL_ROLE_HOST || offer->role == ENROL_ROLE_ARBITER);
    ASSERT(offer->ends_s == offer->made_s + ENROL_OFFER_S);
    ASSERT(offer->tries_left <= ENROL_TRIES_MAX);
    ASSERT(keyless == (offer->state == OFFER_ENDED));
    ASSERT(taken || offer->state != OFFER_TAKEN);
    ASSERT(!taken || offer->state != OFFER_OPEN);
    ASSERT(!offer->complete || (taken && offer->state == OFFER_ENDED));
    ASSERT(offer->tries_left > 0 || offer->state == OFFER_ENDED);
}

static void end(struct offer *offer)
{
    offer->state = OFFER_ENDED;
    mem_wipe(offer->key, sizeof offer->key);
}

bool offer_age(struct offer *offer, uint64_t now_s)
{
    /* A clock that went back would let it live on. */
    bool over = now_s >= offer->ends_s || now_s < offer->made_s;

    if (offer->state == OFFER_ENDED || !over) {
        return false;
    }
    end(offer);
    offer_invariant(offer);
    return true;
}

static enum offer_verdict wrong(struct offer *offer)
{
    offer->tries_left--;
    if (offer->tries_left == 0) {
        end(offer);
    }
    return OFFER_WRONG;
}

enum offer_verdict
offer_step(struct offer *offer, const struct offer_claim *claim, uint64_t now_s, bool *ret_changed)
{
    enum offer_verdict verdict = OFFER_USED;

    *ret_changed = offer_age(offer, now_s);
    if (offer->state == OFFER_ENDED) {
        return OFFER_EXPIRED;
    }
    if (!crypto_equal(claim->awaited, claim->given, sizeof claim->given)) {
        verdict = wrong(offer);
        *ret_changed = true;
    } else if (offer->state == OFFER_OPEN) {
        offer->state = OFFER_TAKEN;
        memcpy(offer->taker, claim->taker, sizeof offer->taker);
        verdict = OFFER_GRANT;
        *ret_changed = true;
    } else if (crypto_equal(offer->taker, claim->taker, sizeof offer->taker)) {
        verdict = OFFER_GRANT; /* the answer was lost */
    }
    offer_invariant(offer);
    return verdict;
}

bool offer_complete(struct offer *offer)
{
    if (offer->state != OFFER_TAKEN) {
        return false;
    }
    end(offer);
    offer->complete = true;
    offer_invariant(offer);
    return true;
}

enum err_code offer_encode(const struct offer *offer, struct buf *buf, struct err *err)
{
    enum err_code rc = pack_bytes(buf, MAGIC, sizeof MAGIC - 1, err);

    offer_invariant(offer);
    rc = rc == ERR_OK ? pack_u8(buf, VERSION, err) : rc;
    rc = rc == ERR_OK ? pack_u8(buf, (uint8_t)offer->role, err) : rc;
    rc = rc == ERR_OK ? pack_u8(buf, (uint8_t)offer->state, err) : rc;
    rc = rc == ERR_OK ? pack_u8(buf, offer->complete ? 1 : 0, err) : rc;
    rc = rc == ERR_OK ? pack_u64(buf, offer->made_s, err) : rc;
    rc = rc == ERR_OK ? pack_u32(buf, offer->tries_left, err) : rc;
    rc = rc == ERR_OK ? pack_bytes(buf, offer->id, sizeof offer->id, err) : rc;
    rc = rc == ERR_OK ? pack_bytes(buf, offer->key, sizeof offer->key, err) : rc;
    return rc == ERR_OK ? pack_bytes(buf, offer->taker, sizeof offer->taker, err) : rc;
}

static bool is_zero(const uint8_t bytes[CRYPTO_SHA256_SIZE])
{
    static const uint8_t zeros[CRYPTO_SHA256_SIZE];

    return memcmp(bytes, zeros, sizeof zeros) == 0;
}

/* What offer_invariant asserts, of bytes from a disk. */
static bool is_legal(const struct offer *offer)
{
    bool ended = offer->state == OFFER_ENDED;
    bool taken = !is_zero(offer->taker);

    return is_zero(offer->key) == ended && (taken || offer->state != OFFER_TAKEN) &&
           (!taken || offer->state != OFFER_OPEN) && (!offer->complete || (taken && ended)) &&
           (offer->tries_left > 0 || ended) && offer->tries_left <= ENROL_TRIES_MAX &&
           offer->made_s <= UINT64_MAX - ENROL_OFFER_S;
}

enum err_code offer_decode(struct span bytes, struct offer *ret_offer, struct err *err)
{
    struct offer offer = {.role = ENROL_ROLE_HOST};
    struct unpack unpack;
    struct span magic;
    uint8_t numbers[4];

    unpack_init(&unpack, bytes);
    magic = unpack_bytes(&unpack, sizeof MAGIC - 1);
    unpack_copy(&unpack, numbers, sizeof numbers);
    offer.made_s = unpack_u64(&unpack);
    offer.tries_left = unpack_u32(&unpack);
    unpack_copy(&unpack, offer.id, sizeof offer.id);
    unpack_copy(&unpack, offer.key, sizeof offer.key);
    unpack_copy(&unpack, offer.taker, sizeof offer.taker);
    if (!unpack_done(&unpack) || !span_is(magic, MAGIC) || numbers[0] != VERSION ||
        (numbers[1] != ENROL_ROLE_HOST && numbers[1] != ENROL_ROLE_ARBITER) ||
        numbers[2] > OFFER_ENDED || numbers[3] > 1) {
        return err_set(err, ERR_CORRUPT, "offer: not of this version");
    }
    offer.role = (enum enrol_role)numbers[1];
    offer.state = (enum offer_state)numbers[2];
    offer.complete = numbers[3] == 1;
    if (!is_legal(&offer)) {
        return err_set(err, ERR_CORRUPT, "offer: the content makes no sense");
    }
    offer.ends_s = offer.made_s + ENROL_OFFER_S;
    offer_invariant(&offer);
    *ret_offer = offer;
    return ERR_OK;
}
