/* SPDX-License-Identifier: Apache-2.0 */
/* message.h: what joiner and issuer say to each other over TLS, as bytes. Pure.
 *
 *   joiner ── request ──▶ issuer      names the offer, shows a public key, proves key and token
 *   joiner ◀── reply ──── issuer      a certificate and what goes with it, or why not
 *   joiner ── done ─────▶ issuer      all of it is durable here: the offer ends
 *
 * Two versions: 2 brings the pair's fence devices, and is spoken only where there are some; so
 * hosts of which one does not know it make any other pair.
 *
 * Each is a frame: a u32 length, then so many bytes. Everything is bound to one transcript: the
 * issuer's certificate, the offer and the public key. So what one token has proved to one issuer
 * for one key serves nobody in the middle, who has another certificate or another key. */
#ifndef APPROVALD_ENROL_MESSAGE_H
#define APPROVALD_ENROL_MESSAGE_H

#include "approvald/enrol/offer.h"
#include "base/err.h"
#include "base/span.h"
#include "base/x509.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;

#define MESSAGE_FRAME_SIZE 4 /* bytes of a length */
/* How the reason of a refusal begins when the token has served: perhaps for who asks. */
#define MESSAGE_USED     "the join token was used"
#define MESSAGE_MAC_SIZE CRYPTO_SHA256_SIZE

struct request {
    enum enrol_role role;
    uint8_t id[OFFER_ID_SIZE];
    uint8_t public[X509_PUBLIC_SIZE];
    uint8_t proof[X509_PROOF_SIZE_MAX]; /* signature of the transcript by the public key */
    size_t proof_size;
    uint8_t mac[MESSAGE_MAC_SIZE]; /* of transcript and proof, by the token */
    bool fence; /* knows fence devices: version 2; said only where the token speaks of them */
};

/* The hash of what a conversation is about; fingerprint: of the issuer's certificate. */
void request_transcript(const struct request *request,
                        const uint8_t fingerprint[X509_HASH_SIZE],
                        uint8_t ret_hash[X509_HASH_SIZE]);
/* The MAC that a request with this proof has when it is of the token with this key. */
void request_mac(const struct request *request,
                 const uint8_t key[CRYPTO_SHA256_SIZE],
                 const uint8_t transcript[X509_HASH_SIZE],
                 uint8_t ret_mac[MESSAGE_MAC_SIZE]);
enum err_code
request_encode(const struct request *request, struct buf *buf, struct err *err) WARN_UNUSED;
/* ERR_PROTOCOL. Nothing of it is proved yet. */
enum err_code
request_decode(struct span bytes, struct request *ret_request, struct err *err) WARN_UNUSED;

struct reply {
    bool granted;
    struct span reason; /* of a refusal: one line for the person */
    uint8_t host;       /* of a grant to a host: its number, 1 or 2; else 0 */
    /* Of a grant; borrowed. An authority's key goes to a host, never to an arbiter: empty then. */
    struct span certificate;
    struct span link_authorities;
    struct span link_key;
    struct span arbiter_authorities;
    struct span arbiter_key;
    struct span plan;
    bool fence;            /* the devices are there: version 2 */
    struct span device[2]; /* the fence device of host 1, of host 2, with their secrets */
};

/* A grant bears a MAC by the token. */
enum err_code reply_encode(const struct reply *reply,
                           const uint8_t key[CRYPTO_SHA256_SIZE],
                           const uint8_t transcript[X509_HASH_SIZE],
                           struct buf *buf,
                           struct err *err) WARN_UNUSED;
/* The spans of *ret_reply lie in bytes. ERR_PROTOCOL: also a grant whose MAC is not right. */
enum err_code reply_decode(struct span bytes,
                           const uint8_t key[CRYPTO_SHA256_SIZE],
                           const uint8_t transcript[X509_HASH_SIZE],
                           struct reply *ret_reply,
                           struct err *err) WARN_UNUSED;

/* The bytes of "done". */
void done_mac(const uint8_t key[CRYPTO_SHA256_SIZE],
              const uint8_t transcript[X509_HASH_SIZE],
              uint8_t ret_mac[MESSAGE_MAC_SIZE]);

#endif
