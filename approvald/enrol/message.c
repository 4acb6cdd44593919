/* SPDX-License-Identifier: Apache-2.0 */
/* message.c: requests and replies as bytes.
 * Owns their form. Never judges a proof (offer.c and base/x509.c do), never reads past an end,
 * never takes a grant that the token has not sealed. */
#include "approvald/enrol/message.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/pack.h"

#include <string.h>

#define MAGIC         "APVJOIN"
#define VERSION       1
#define VERSION_FENCE 2

#define REPLY_REFUSED 0
#define REPLY_GRANTED 1

void request_transcript(const struct request *request,
                        const uint8_t fingerprint[X509_HASH_SIZE],
                        uint8_t ret_hash[X509_HASH_SIZE])
{
    uint8_t role = (uint8_t)request->role;
    const struct span parts[] = {SPAN_LITERAL("approvald join transcript 1"),
                                 span_of(fingerprint, X509_HASH_SIZE), span_of(&role, 1),
                                 span_of(request->id, sizeof request->id),
                                 span_of(request->public, sizeof request->public)};

    crypto_sha256_parts(parts, sizeof parts / sizeof parts[0], ret_hash);
}

/* Every part but the last has a fixed size, so no two lists of parts give the same bytes. */
static void mac(const uint8_t key[CRYPTO_SHA256_SIZE],
                char purpose,
                const uint8_t transcript[X509_HASH_SIZE],
                struct span what,
                uint8_t ret_mac[MESSAGE_MAC_SIZE])
{
    const struct span parts[] = {span_of(&purpose, 1), span_of(transcript, X509_HASH_SIZE), what};

    crypto_hmac_sha256(span_of(key, CRYPTO_SHA256_SIZE), parts, 3, ret_mac);
}

void request_mac(const struct request *request,
                 const uint8_t key[CRYPTO_SHA256_SIZE],
                 const uint8_t transcript[X509_HASH_SIZE],
                 uint8_t ret_mac[MESSAGE_MAC_SIZE])
{
    mac(key, 'q', transcript, span_of(request->proof, request->proof_size), ret_mac);
}

void done_mac(const uint8_t key[CRYPTO_SHA256_SIZE],
              const uint8_t transcript[X509_HASH_SIZE],
              uint8_t ret_mac[MESSAGE_MAC_SIZE])
{
    mac(key, 'd', transcript, SPAN_NONE, ret_mac);
}

enum err_code request_encode(const struct request *request, struct buf *buf, struct err *err)
{
    enum err_code rc = pack_bytes(buf, MAGIC, sizeof MAGIC - 1, err);

    ASSERT(request->proof_size <= sizeof request->proof);
    rc = rc == ERR_OK ? pack_u8(buf, request->fence ? VERSION_FENCE : VERSION, err) : rc;
    rc = rc == ERR_OK ? pack_u8(buf, (uint8_t)request->role, err) : rc;
    rc = rc == ERR_OK ? pack_bytes(buf, request->id, sizeof request->id, err) : rc;
    rc = rc == ERR_OK ? pack_bytes(buf, request->public, sizeof request->public, err) : rc;
    rc = rc == ERR_OK ? pack_text(buf, span_of(request->proof, request->proof_size), err) : rc;
    return rc == ERR_OK ? pack_bytes(buf, request->mac, sizeof request->mac, err) : rc;
}

enum err_code request_decode(struct span bytes, struct request *ret_request, struct err *err)
{
    struct request request = {.role = ENROL_ROLE_HOST};
    struct unpack unpack;
    struct span magic;
    struct span proof;
    uint8_t version;
    uint8_t role;

    unpack_init(&unpack, bytes);
    magic = unpack_bytes(&unpack, sizeof MAGIC - 1);
    version = unpack_u8(&unpack);
    role = unpack_u8(&unpack);
    unpack_copy(&unpack, request.id, sizeof request.id);
    unpack_copy(&unpack, request.public, sizeof request.public);
    proof = unpack_text(&unpack);
    unpack_copy(&unpack, request.mac, sizeof request.mac);
    if (!unpack_done(&unpack) || !span_is(magic, MAGIC) || proof.size > sizeof request.proof ||
        (role != ENROL_ROLE_HOST && role != ENROL_ROLE_ARBITER)) {
        return err_set(err, ERR_PROTOCOL, "not a request to join");
    }
    if (version != VERSION && version != VERSION_FENCE) {
        return err_set(err, ERR_PROTOCOL, "the joiner is of another version: upgrade both");
    }
    request.fence = version == VERSION_FENCE;
    request.role = (enum enrol_role)role;
    memcpy(request.proof, proof.data, proof.size);
    request.proof_size = proof.size;
    *ret_request = request;
    return ERR_OK;
}

static enum err_code encode_texts(const struct reply *reply, struct buf *buf, struct err *err)
{
    const struct span texts[] = {reply->certificate, reply->link_authorities,
                                 reply->link_key,    reply->arbiter_authorities,
                                 reply->arbiter_key, reply->plan};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof texts / sizeof texts[0]; i++) {
        rc = pack_text(buf, texts[i], err);
    }
    for (size_t i = 0; rc == ERR_OK && reply->fence && i < 2; i++) {
        rc = pack_text(buf, reply->device[i], err);
    }
    return rc;
}

enum err_code reply_encode(const struct reply *reply,
                           const uint8_t key[CRYPTO_SHA256_SIZE],
                           const uint8_t transcript[X509_HASH_SIZE],
                           struct buf *buf,
                           struct err *err)
{
    uint8_t seal[MESSAGE_MAC_SIZE];
    uint8_t version = reply->granted && reply->fence ? VERSION_FENCE : VERSION;
    enum err_code rc = pack_u8(buf, version, err);

    ASSERT(buf_size(buf) <= 1); /* an empty buffer was given: the seal is over all of it */
    rc = rc == ERR_OK ? pack_u8(buf, reply->granted ? REPLY_GRANTED : REPLY_REFUSED, err) : rc;
    if (rc != ERR_OK || !reply->granted) {
        return rc == ERR_OK ? pack_text(buf, reply->reason, err) : rc;
    }
    ASSERT(reply->host <= 2);
    rc = pack_u8(buf, reply->host, err);
    rc = rc == ERR_OK ? encode_texts(reply, buf, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    mac(key, 'r', transcript, buf_span(buf), seal);
    return pack_bytes(buf, seal, sizeof seal, err);
}

static void decode_texts(struct unpack *unpack, struct reply *reply)
{
    struct span *const texts[] = {&reply->certificate, &reply->link_authorities,
                                  &reply->link_key,    &reply->arbiter_authorities,
                                  &reply->arbiter_key, &reply->plan};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        *texts[i] = unpack_text(unpack);
    }
    for (size_t i = 0; reply->fence && i < 2; i++) {
        reply->device[i] = unpack_text(unpack);
    }
}

/* A refusal is of the first version, so that everybody understands it. */
static bool is_known(uint8_t version, uint8_t kind)
{
    return (version == VERSION && kind <= REPLY_GRANTED) ||
           (version == VERSION_FENCE && kind == REPLY_GRANTED);
}

enum err_code reply_decode(struct span bytes,
                           const uint8_t key[CRYPTO_SHA256_SIZE],
                           const uint8_t transcript[X509_HASH_SIZE],
                           struct reply *ret_reply,
                           struct err *err)
{
    struct reply reply = {.granted = false};
    uint8_t seal[MESSAGE_MAC_SIZE];
    uint8_t given[MESSAGE_MAC_SIZE] = {0};
    struct unpack unpack;
    uint8_t version;
    uint8_t kind;

    unpack_init(&unpack, bytes);
    version = unpack_u8(&unpack);
    kind = unpack_u8(&unpack);
    if (kind == REPLY_GRANTED) {
        reply.granted = true;
        reply.fence = version == VERSION_FENCE;
        reply.host = unpack_u8(&unpack);
        decode_texts(&unpack, &reply);
        unpack_copy(&unpack, given, sizeof given);
    } else {
        reply.reason = unpack_text(&unpack);
    }
    if (!unpack_done(&unpack) || !is_known(version, kind) || reply.host > 2) {
        return err_set(err, ERR_PROTOCOL, "the answer is not to be understood: upgrade both");
    }
    if (reply.granted) {
        mac(key, 'r', transcript, span_of(bytes.data, bytes.size - sizeof seal), seal);
        if (!crypto_equal(seal, given, sizeof seal)) {
            return err_set(err, ERR_PROTOCOL, "the answer is not of this token");
        }
    }
    *ret_reply = reply;
    return ERR_OK;
}
