/* SPDX-License-Identifier: Apache-2.0 */
/* test_enrol.c: proves the pure parts of the enrolment: tokens, offers, messages.
 * Owns two fixed secrets of its own. Never touches a file, a clock or a network. */
#include "approvald/enrol/message.h"
#include "approvald/enrol/offer.h"
#include "approvald/enrol/token.h"
#include "base/buf.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define NOW_S UINT64_C(1800000000)

static const uint8_t secret[ENROL_SECRET_SIZE] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
static const uint8_t fingerprint[X509_HASH_SIZE] = {9, 8, 7};

static struct buf *buf_of(size_t size_max)
{
    struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(size_max, &buf, &err), ERR_OK);
    return buf;
}

/* -- tokens ---------------------------------------------------------------------------------- */

static struct token sample_token(const char *address)
{
    struct token token = {.role = ENROL_ROLE_ARBITER, .port = 8472};

    memcpy(token.secret, secret, sizeof secret);
    memcpy(token.fingerprint, fingerprint, sizeof fingerprint);
    (void)snprintf(token.address, sizeof token.address, "%s", address); /* fits */
    return token;
}

static void test_token(void)
{
    static const char *const addresses[] = {"192.0.2.1", "::1", "2001:db8:1:2:3:4:5:6",
                                            "::ffff:255.255.255.255"};
    struct err err = ERR_INIT;

    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct token token = sample_token(addresses[i]);
        struct token back;
        char text[TOKEN_TEXT_SIZE_MAX];
        char framed[TOKEN_TEXT_SIZE_MAX + 8];

        token.fence = i % 2 == 1;
        token_format(&token, text);
        /* Who knows no fence devices takes the first for no token. */
        CU_ASSERT_EQUAL(strncmp(text, token.fence ? "apvjoin2." : "apvjoin1.", 9), 0);
        (void)snprintf(framed, sizeof framed, " \t%s\r\n", text);
        CU_ASSERT_EQUAL_FATAL(token_parse(span_text(framed), &back, &err), ERR_OK);
        CU_ASSERT_EQUAL(back.role, token.role);
        CU_ASSERT_EQUAL(back.port, token.port);
        CU_ASSERT_EQUAL(back.fence, token.fence);
        CU_ASSERT_STRING_EQUAL(back.address, addresses[i]);
        CU_ASSERT_EQUAL(memcmp(back.secret, secret, sizeof secret), 0);
        CU_ASSERT_EQUAL(memcmp(back.fingerprint, fingerprint, sizeof fingerprint), 0);
    }
}

/* Another character at any place, or any tail missing. */
static void test_token_spoilt(void)
{
    struct token token = sample_token("192.0.2.1");
    struct token back;
    char text[TOKEN_TEXT_SIZE_MAX];
    struct err err = ERR_INIT;
    size_t size;

    token_format(&token, text);
    size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        char was = text[i];

        text[i] = was == 'A' ? 'B' : 'A';
        CU_ASSERT_EQUAL(token_parse(span_text(text), &back, &err), ERR_INVALID);
        CU_ASSERT_PTR_NULL(strstr(err.message, text + 12));
        text[i] = was;
        CU_ASSERT_EQUAL(token_parse(span_of(text, i), &back, &err), ERR_INVALID);
    }
    CU_ASSERT_EQUAL(token_parse(SPAN_LITERAL("xoxb-1"), &back, &err), ERR_INVALID);
    CU_ASSERT_EQUAL(token_parse(SPAN_NONE, &back, &err), ERR_INVALID);
    text[7] = '3';
    CU_ASSERT_EQUAL(token_parse(span_text(text), &back, &err), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "later version"));
}

static void test_token_longest(void)
{
    static const char prefix[] = "apvjoin1.";
    char text[4096];
    struct token back;
    struct err err = ERR_INIT;

    memset(text, 'A', sizeof text);
    for (size_t i = 0; i < sizeof prefix - 1; i++) {
        text[i] = prefix[i];
    }
    for (size_t size = 9; size <= sizeof text; size++) {
        CU_ASSERT_EQUAL(token_parse(span_of(text, size), &back, &err), ERR_INVALID);
    }
}

/* -- offers ---------------------------------------------------------------------------------- */

static struct offer new_offer(void)
{
    struct offer offer;

    offer_init(&offer, ENROL_ROLE_HOST, secret, NOW_S);
    return offer;
}

static struct offer_claim claim_of(bool right, uint8_t taker)
{
    struct offer_claim claim = {.awaited = {7}, .given = {7}, .taker = {taker}};

    claim.given[31] = right ? 0 : 1;
    return claim;
}

static enum offer_verdict step(struct offer *offer, bool right, uint8_t taker, uint64_t now_s)
{
    struct offer before = *offer;
    struct offer_claim claim = claim_of(right, taker);
    bool changed = false;
    enum offer_verdict verdict = offer_step(offer, &claim, now_s, &changed);

    CU_ASSERT_EQUAL(changed,
                    before.state != offer->state || before.tries_left != offer->tries_left);
    return verdict;
}

static void test_taken_once(void)
{
    struct offer offer = new_offer();

    CU_ASSERT_EQUAL(step(&offer, true, 1, NOW_S), OFFER_GRANT);
    CU_ASSERT_EQUAL(offer.state, OFFER_TAKEN);
    CU_ASSERT_EQUAL(step(&offer, true, 2, NOW_S + 1), OFFER_USED);
    CU_ASSERT_EQUAL(step(&offer, true, 1, NOW_S + 2), OFFER_GRANT); /* the answer was lost */
    CU_ASSERT_EQUAL(step(&offer, true, 2, NOW_S + 3), OFFER_USED);
    CU_ASSERT(offer_complete(&offer));
    CU_ASSERT(offer.complete);
    CU_ASSERT_EQUAL(step(&offer, true, 1, NOW_S + 4), OFFER_EXPIRED);
    CU_ASSERT_FALSE(offer_complete(&offer));
}

static void test_time(void)
{
    struct offer offer = new_offer();
    struct offer early = new_offer();

    CU_ASSERT_EQUAL(step(&offer, true, 1, NOW_S + ENROL_OFFER_S - 1), OFFER_GRANT);
    CU_ASSERT_EQUAL(step(&offer, true, 1, NOW_S + ENROL_OFFER_S), OFFER_EXPIRED);
    CU_ASSERT_EQUAL(step(&offer, true, 1, NOW_S + 1), OFFER_EXPIRED); /* for good */
    CU_ASSERT_FALSE(offer.complete);
    CU_ASSERT_EQUAL(step(&early, true, 1, NOW_S - 1), OFFER_EXPIRED); /* the clock went back */
    CU_ASSERT_EQUAL(step(&early, true, 1, NOW_S + 1), OFFER_EXPIRED);
}

static void test_tries(void)
{
    struct offer offer = new_offer();

    for (unsigned int i = 0; i < ENROL_TRIES_MAX; i++) {
        CU_ASSERT_EQUAL(step(&offer, false, 1, NOW_S), OFFER_WRONG);
    }
    CU_ASSERT_EQUAL(step(&offer, true, 1, NOW_S), OFFER_EXPIRED);
    offer = new_offer();
    for (unsigned int i = 1; i < ENROL_TRIES_MAX; i++) {
        CU_ASSERT_EQUAL(step(&offer, false, 1, NOW_S), OFFER_WRONG);
    }
    CU_ASSERT_EQUAL(step(&offer, true, 1, NOW_S), OFFER_GRANT);
    CU_ASSERT_EQUAL(step(&offer, false, 1, NOW_S), OFFER_WRONG); /* also of a taken one */
    CU_ASSERT_EQUAL(step(&offer, true, 1, NOW_S), OFFER_EXPIRED);
}

static void test_ended_has_no_key(void)
{
    static const uint8_t zeros[CRYPTO_SHA256_SIZE];
    struct offer offer = new_offer();

    CU_ASSERT_NOT_EQUAL(memcmp(offer.key, zeros, sizeof zeros), 0);
    CU_ASSERT(offer_age(&offer, NOW_S + ENROL_OFFER_S));
    CU_ASSERT_EQUAL(memcmp(offer.key, zeros, sizeof zeros), 0);
    CU_ASSERT_FALSE(offer_age(&offer, NOW_S + ENROL_OFFER_S));
}

static void test_offer_kept(void)
{
    struct offer offers[3] = {new_offer(), new_offer(), new_offer()};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(step(&offers[1], true, 5, NOW_S + 9), OFFER_GRANT);
    offers[2] = offers[1];
    CU_ASSERT(offer_complete(&offers[2]));
    for (size_t i = 0; i < 3; i++) {
        AUTO_BUF struct buf *buf = buf_of(512);
        struct offer back;

        memset(&back, 0, sizeof back);
        CU_ASSERT_EQUAL(offer_encode(&offers[i], buf, &err), ERR_OK);
        CU_ASSERT_EQUAL_FATAL(offer_decode(buf_span(buf), &back, &err), ERR_OK);
        CU_ASSERT_EQUAL(back.state, offers[i].state);
        CU_ASSERT_EQUAL(back.ends_s, offers[i].ends_s);
        CU_ASSERT_EQUAL(back.complete, offers[i].complete);
        CU_ASSERT_EQUAL(memcmp(back.taker, offers[i].taker, sizeof back.taker), 0);
        CU_ASSERT_EQUAL(memcmp(back.key, offers[i].key, sizeof back.key), 0);
        for (size_t size = 0; size < buf_size(buf); size++) {
            CU_ASSERT_EQUAL(offer_decode(span_of(buf_text(buf), size), &back, &err), ERR_CORRUPT);
        }
        CU_ASSERT_EQUAL(buf_append_text(buf, "x", &err), ERR_OK);
        CU_ASSERT_EQUAL(offer_decode(buf_span(buf), &back, &err), ERR_CORRUPT);
    }
}

/* -- messages -------------------------------------------------------------------------------- */

struct talk {
    struct x509_key *key;
    struct request request;
    uint8_t offer_key[CRYPTO_SHA256_SIZE];
    uint8_t transcript[X509_HASH_SIZE];
};

static void talk_start(struct talk *talk)
{
    struct err err = ERR_INIT;

    memset(talk, 0, sizeof *talk);
    CU_ASSERT_EQUAL_FATAL(x509_key_new(&talk->key, &err), ERR_OK);
    talk->request.role = ENROL_ROLE_HOST;
    offer_derive(secret, talk->offer_key, talk->request.id);
    x509_key_public(talk->key, talk->request.public);
    request_transcript(&talk->request, fingerprint, talk->transcript);
    CU_ASSERT_EQUAL_FATAL(x509_prove(talk->key, talk->transcript, talk->request.proof,
                                     &talk->request.proof_size, &err),
                          ERR_OK);
    request_mac(&talk->request, talk->offer_key, talk->transcript, talk->request.mac);
}

static void check_request(bool fence)
{
    AUTO_BUF struct buf *buf = buf_of(ENROL_REQUEST_SIZE_MAX);
    struct request back;
    struct talk talk;
    struct err err = ERR_INIT;

    talk_start(&talk);
    talk.request.fence = fence;
    CU_ASSERT_EQUAL(request_encode(&talk.request, buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(request_decode(buf_span(buf), &back, &err), ERR_OK);
    CU_ASSERT_EQUAL(back.fence, fence);
    CU_ASSERT_EQUAL(*buf_at(buf, 7), fence ? 2 : 1); /* as hosts before fence devices say it */
    CU_ASSERT_EQUAL(memcmp(back.public, talk.request.public, sizeof back.public), 0);
    CU_ASSERT_EQUAL(back.proof_size, talk.request.proof_size);
    CU_ASSERT_EQUAL(memcmp(back.mac, talk.request.mac, sizeof back.mac), 0);
    for (size_t size = 0; size < buf_size(buf); size++) {
        CU_ASSERT_EQUAL(request_decode(span_of(buf_text(buf), size), &back, &err), ERR_PROTOCOL);
    }
    CU_ASSERT_EQUAL(buf_append_text(buf, "x", &err), ERR_OK);
    CU_ASSERT_EQUAL(request_decode(buf_span(buf), &back, &err), ERR_PROTOCOL);
    buf_truncate(buf, buf_size(buf) - 1);
    *buf_at(buf, 7) = 3;
    CU_ASSERT_EQUAL(request_decode(buf_span(buf), &back, &err), ERR_PROTOCOL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "upgrade"));
    x509_key_free(talk.key);
}

static void test_request(void)
{
    check_request(false);
    check_request(true);
}

/* Who sits in the middle has another certificate; who is somebody else has another key. */
static void test_bound(void)
{
    struct talk talk;
    struct talk other;
    uint8_t strange[X509_HASH_SIZE] = {1};
    uint8_t mac[MESSAGE_MAC_SIZE];
    struct err err = ERR_INIT;
    struct span proof;

    talk_start(&talk);
    talk_start(&other);
    proof = span_of(talk.request.proof, talk.request.proof_size);
    CU_ASSERT_EQUAL(x509_proof_check(talk.request.public, talk.transcript, proof, &err), ERR_OK);
    CU_ASSERT_EQUAL(x509_proof_check(other.request.public, other.transcript, proof, &err),
                    ERR_DENIED);
    CU_ASSERT_NOT_EQUAL(memcmp(talk.transcript, other.transcript, sizeof talk.transcript), 0);
    request_transcript(&talk.request, strange, strange);
    CU_ASSERT_EQUAL(x509_proof_check(talk.request.public, strange, proof, &err), ERR_DENIED);
    request_mac(&talk.request, talk.offer_key, strange, mac);
    CU_ASSERT_NOT_EQUAL(memcmp(mac, talk.request.mac, sizeof mac), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(other.request.mac, talk.request.mac, sizeof mac), 0);
    talk.request.role = ENROL_ROLE_ARBITER;
    request_transcript(&talk.request, fingerprint, strange);
    CU_ASSERT_NOT_EQUAL(memcmp(strange, talk.transcript, sizeof strange), 0);
    talk.request.role = ENROL_ROLE_HOST;
    talk.offer_key[0] ^= 1;
    request_mac(&talk.request, talk.offer_key, talk.transcript, mac);
    CU_ASSERT_NOT_EQUAL(memcmp(mac, talk.request.mac, sizeof mac), 0);
    x509_key_free(talk.key);
    x509_key_free(other.key);
}

static void check_grant(bool fence)
{
    AUTO_BUF struct buf *buf = buf_of(ENROL_REPLY_SIZE_MAX);
    struct reply grant = {.granted = true,
                          .fence = fence,
                          .device = {SPAN_LITERAL("one"), SPAN_LITERAL("two")},
                          .certificate = SPAN_LITERAL("certificate"),
                          .link_authorities = SPAN_LITERAL("link"),
                          .arbiter_authorities = SPAN_LITERAL("arbiter"),
                          .plan = SPAN_LITERAL("plan")};
    struct reply back;
    struct talk talk;
    struct err err = ERR_INIT;
    char *bytes;

    talk_start(&talk);
    CU_ASSERT_EQUAL(reply_encode(&grant, talk.offer_key, talk.transcript, buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(reply_decode(buf_span(buf), talk.offer_key, talk.transcript, &back, &err),
                          ERR_OK);
    CU_ASSERT(back.granted);
    CU_ASSERT(span_is(back.certificate, "certificate"));
    CU_ASSERT(span_is(back.link_key, ""));
    CU_ASSERT(span_is(back.plan, "plan"));
    CU_ASSERT_EQUAL(back.fence, fence);
    CU_ASSERT(span_is(back.device[0], fence ? "one" : ""));
    CU_ASSERT(span_is(back.device[1], fence ? "two" : ""));
    CU_ASSERT_EQUAL(*buf_at(buf, 0), fence ? 2 : 1);
    for (size_t size = 0; size < buf_size(buf); size++) {
        CU_ASSERT_EQUAL(reply_decode(span_of(buf_text(buf), size), talk.offer_key, talk.transcript,
                                     &back, &err),
                        ERR_PROTOCOL);
    }
    bytes = buf_at(buf, 0);
    for (size_t i = 0; i < buf_size(buf); i++) {
        bytes[i] ^= 4;
        CU_ASSERT_EQUAL(reply_decode(buf_span(buf), talk.offer_key, talk.transcript, &back, &err),
                        ERR_PROTOCOL);
        bytes[i] ^= 4;
    }
    bytes[0] ^= 3; /* the other version, which has other fields */
    CU_ASSERT_EQUAL(reply_decode(buf_span(buf), talk.offer_key, talk.transcript, &back, &err),
                    ERR_PROTOCOL);
    bytes[0] ^= 3;
    talk.transcript[0] ^= 1;
    CU_ASSERT_EQUAL(reply_decode(buf_span(buf), talk.offer_key, talk.transcript, &back, &err),
                    ERR_PROTOCOL);
    x509_key_free(talk.key);
}

static void test_grant(void)
{
    check_grant(false);
    check_grant(true);
}

static void test_refusal(void)
{
    AUTO_BUF struct buf *buf = buf_of(ENROL_REPLY_SIZE_MAX);
    struct reply refusal = {.reason = SPAN_LITERAL("the token was used"), .fence = true};
    struct reply back;
    struct talk talk;
    struct err err = ERR_INIT;

    talk_start(&talk);
    CU_ASSERT_EQUAL(reply_encode(&refusal, talk.offer_key, talk.transcript, buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(reply_decode(buf_span(buf), talk.offer_key, talk.transcript, &back, &err),
                          ERR_OK);
    CU_ASSERT_FALSE(back.granted);
    CU_ASSERT(span_is(back.reason, "the token was used"));
    CU_ASSERT_EQUAL(*buf_at(buf, 0), 1); /* who knows no other version understands it */
    *buf_at(buf, 0) = 2;
    CU_ASSERT_EQUAL(reply_decode(buf_span(buf), talk.offer_key, talk.transcript, &back, &err),
                    ERR_PROTOCOL);
    x509_key_free(talk.key);
}

UNIT_MAIN("enrol",
          {"a token comes back as it went", test_token},
          {"a token with any character wrong or missing is refused and not shown",
           test_token_spoilt},
          {"a token of any length is refused within bounds", test_token_longest},
          {"an offer is taken once and answers its taker again", test_taken_once},
          {"an offer ends with its time whatever the clock does", test_time},
          {"wrong proofs end an offer", test_tries},
          {"an ended offer keeps no key", test_ended_has_no_key},
          {"an offer is read back whole or not at all", test_offer_kept},
          {"a request is read back whole or not at all", test_request},
          {"a proof holds for one certificate, role, key and token", test_bound},
          {"a grant is sealed by the token", test_grant},
          {"a refusal brings its reason", test_refusal})
