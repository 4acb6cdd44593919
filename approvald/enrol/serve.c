/* SPDX-License-Identifier: Apache-2.0 */
/* serve.c: taking in the other host and the arbiter.
 * Owns the listening socket and one conversation at a time. An offer's new state is durable before
 * its verdict is told, so a crash never lets a token serve twice: it may only make the taker ask
 * again. Never tells a stranger more than that he is refused, never logs a token. */
#include "approvald/enrol/serve.h"

#include "approvald/enrol/device_home.h"
#include "approvald/enrol/talk.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/rng.h"
#include "base/sockets.h"
#include "base/tls_peer.h"
#include "base/x509.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_MS 500 /* so late is it noticed that an offer's time is over, or a signal came */

static const enum enrol_role roles[] = {ENROL_ROLE_HOST, ENROL_ROLE_ARBITER};
#define ROLE_COUNT (sizeof roles / sizeof roles[0])

struct serve {
    const struct serve_options *options;
    struct tls_identity *identity; /* owned */
    int listener;                  /* owned */
    struct notify notify;
};

static uint64_t now_s(void)
{
    return clock_wall_ms(clock_host()) / 1000;
}

/* What is to be granted later is there. */
static enum err_code check_devices(const struct home *home, unsigned int host, struct err *err)
{
    struct device_pair devices;
    enum err_code rc = device_home_load(home, host, &devices, err);

    device_pair_wipe(&devices);
    return rc;
}

enum err_code serve_offer(const struct home *home,
                          const struct home_self *self,
                          enum enrol_role role,
                          char ret_text[TOKEN_TEXT_SIZE_MAX],
                          struct err *err)
{
    struct token token = {.role = role,
                          .port = self->plan->join_port,
                          .fence = self->plan->fence && role == ENROL_ROLE_HOST};
    const char *address = self->plan->host[self->host - 1];
    struct offer offer;
    enum err_code rc = home_fingerprint(home, token.fingerprint, err);

    if (rc == ERR_OK && token.fence) {
        rc = check_devices(home, self->host, err);
    }
    (void)snprintf(token.address, sizeof token.address, "%s", address); /* fits */
    rng_fill(rng_host(), token.secret, sizeof token.secret);
    offer_init(&offer, role, token.secret, self->now_s);
    if (rc == ERR_OK) {
        rc = home_save_offer(home, &offer, err);
    }
    if (rc == ERR_OK) {
        token_format(&token, ret_text);
    }
    mem_wipe(&token, sizeof token);
    mem_wipe(&offer, sizeof offer);
    return rc;
}

static void tell(const struct serve *serve, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void tell(const struct serve *serve, const char *format, ...)
{
    char text[ERR_MESSAGE_SIZE + 64];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments); /* cut is fine */
    va_end(arguments);
    serve->options->tell(serve->options->arg, text);
}

/* -- one conversation ------------------------------------------------------------------------ */

struct turn {
    struct request request;
    struct offer offer;
    uint8_t key[CRYPTO_SHA256_SIZE]; /* the offer's, which forgets it at its end */
    uint8_t transcript[X509_HASH_SIZE];
};

static enum err_code
read_request(const struct serve *serve, struct talk *talk, struct turn *turn, struct err *err)
{
    AUTO_BUF struct buf *bytes = NULL;
    uint8_t fingerprint[X509_HASH_SIZE];
    enum err_code rc = talk_receive(talk, ENROL_REQUEST_SIZE_MAX, &bytes, err);

    if (rc == ERR_OK) {
        rc = request_decode(buf_span(bytes), &turn->request, err);
    }
    if (rc == ERR_OK) {
        rc = home_fingerprint(serve->options->home, fingerprint, err);
    }
    if (rc == ERR_OK) {
        request_transcript(&turn->request, fingerprint, turn->transcript);
    }
    return rc;
}

/* The offer that the request names. A name that is not known counts against nobody. */
static bool find_offer(const struct serve *serve, struct turn *turn)
{
    struct err err = ERR_INIT;

    return home_load_offer(serve->options->home, turn->request.role, &turn->offer, &err) ==
               ERR_OK &&
           memcmp(turn->offer.id, turn->request.id, sizeof turn->offer.id) == 0;
}

/* In a rotation the arbiter's new certificate is trusted by who has the new authority: the other
 * host has to have it first, or it would lose the arbiter. */
static bool comes_too_early(const struct serve *serve, const struct turn *turn)
{
    struct offer host;
    struct err err = ERR_INIT;

    return turn->request.role == ENROL_ROLE_ARBITER && home_is_rotating(serve->options->home) &&
           home_load_offer(serve->options->home, ENROL_ROLE_HOST, &host, &err) == ERR_OK &&
           !host.complete;
}

/* It would make a pair without the devices that it is to have. */
static bool knows_no_fence(const struct serve *serve, const struct turn *turn)
{
    return turn->request.role == ENROL_ROLE_HOST && serve->options->plan->fence &&
           !turn->request.fence;
}

/* Judges, and makes what follows durable. */
static enum err_code
judge(const struct serve *serve, struct turn *turn, const char **ret_refusal, struct err *err)
{
    static const char *const refusals[] = {
        [OFFER_GRANT] = NULL,
        [OFFER_WRONG] = "the join token is not the right one",
        [OFFER_USED] = MESSAGE_USED ": approvalctl pair token there gives another",
        [OFFER_EXPIRED] = "the join token has ended: approvalctl pair token there gives another",
    };
    struct offer_claim claim;
    bool changed = false;
    enum offer_verdict verdict;

    if (!find_offer(serve, turn)) {
        *ret_refusal = refusals[OFFER_EXPIRED];
        return ERR_OK;
    }
    if (comes_too_early(serve, turn)) {
        *ret_refusal = "in a rotation the other host joins first, then the arbiter";
        return ERR_OK;
    }
    if (knows_no_fence(serve, turn)) {
        *ret_refusal = "this pair has fence devices, of which the approvald there knows nothing: "
                       "upgrade it";
        return ERR_OK;
    }
    memcpy(turn->key, turn->offer.key, sizeof turn->key);
    request_mac(&turn->request, turn->key, turn->transcript, claim.awaited);
    memcpy(claim.given, turn->request.mac, sizeof claim.given);
    crypto_sha256(turn->request.public, sizeof turn->request.public, claim.taker);
    verdict = offer_step(&turn->offer, &claim, now_s(), &changed);
    if (verdict == OFFER_EXPIRED && turn->offer.complete) {
        verdict = OFFER_USED;
    }
    *ret_refusal = refusals[verdict];
    return changed ? home_save_offer(serve->options->home, &turn->offer, err) : ERR_OK;
}

static enum err_code certify(const struct serve *serve,
                             const struct turn *turn,
                             struct buf *certificate,
                             struct err *err)
{
    const struct plan *plan = serve->options->plan;
    unsigned int other = 3 - serve->options->host;
    bool host = turn->request.role == ENROL_ROLE_HOST;
    uint64_t now = now_s();
    char name[PLAN_NAME_SIZE] = "arbiter.pair";
    struct x509_leaf leaf = {
        .common_name = host ? name : "arbiter",
        .names = {host ? name : plan->arbiter},
        .server = host ? other == 1 : true,
        .client = host ? other == 2 : true, /* etcd's gateway dials itself with it */
        .validity = {.not_before_s = now - ENROL_BACKDATE_S,
                     .not_after_s = now + (host ? ENROL_LEAF_S : ENROL_ARBITER_S)}};
    struct x509_authority *authority = NULL;
    enum err_code rc;

    plan_host_name(other, name);
    if (!host && plan->arbiter[0] == '\0') {
        return err_set(err, ERR_INVALID, "this pair has no arbiter");
    }
    rc =
        home_load_authority(serve->options->home, host ? HOME_LINK : HOME_ARBITER, &authority, err);
    rc = rc == ERR_OK ? x509_issue(authority, &leaf, turn->request.public, certificate, err) : rc;
    x509_authority_free(authority);
    return rc;
}

/* What goes with a certificate: for a host all, for the arbiter whom it is to trust. */
struct parcel {
    struct buf *certificate;
    struct buf *link;
    struct buf *link_key;
    struct buf *arbiter;
    struct buf *arbiter_key;
    struct buf *plan;
    struct buf *device[2];
};

static void parcel_done(struct parcel *parcel)
{
    struct buf *const bufs[] = {parcel->certificate, parcel->link,        parcel->link_key,
                                parcel->arbiter,     parcel->arbiter_key, parcel->plan,
                                parcel->device[0],   parcel->device[1]};

    for (size_t i = 0; i < sizeof bufs / sizeof bufs[0]; i++) {
        if (bufs[i] != NULL) {
            buf_wipe(bufs[i]);
        }
        buf_free(bufs[i]);
    }
}

static enum err_code parcel_init(struct parcel *parcel, struct err *err)
{
    struct buf **const bufs[] = {&parcel->certificate, &parcel->link,        &parcel->link_key,
                                 &parcel->arbiter,     &parcel->arbiter_key, &parcel->plan,
                                 &parcel->device[0],   &parcel->device[1]};
    enum err_code rc = ERR_OK;

    memset(parcel, 0, sizeof *parcel);
    for (size_t i = 0; rc == ERR_OK && i < sizeof bufs / sizeof bufs[0]; i++) {
        rc = buf_new(ENROL_PEM_SIZE_MAX, bufs[i], err);
    }
    return rc;
}

static enum err_code fill_devices(const struct serve *serve, struct parcel *parcel, struct err *err)
{
    struct device_pair devices;
    enum err_code rc = device_home_load(serve->options->home, serve->options->host, &devices, err);

    for (int i = 0; rc == ERR_OK && i < 2; i++) {
        rc = device_format(&devices.of[i], parcel->device[i], err);
    }
    device_pair_wipe(&devices);
    return rc;
}

static enum err_code
fill(const struct serve *serve, const struct turn *turn, struct parcel *parcel, struct err *err)
{
    const struct home *home = serve->options->home;
    enum err_code rc = certify(serve, turn, parcel->certificate, err);

    rc = rc == ERR_OK ? home_trusted(home, HOME_ARBITER, parcel->arbiter, err) : rc;
    rc = rc == ERR_OK ? plan_format(serve->options->plan, parcel->plan, err) : rc;
    if (rc == ERR_OK && turn->request.role == ENROL_ROLE_HOST) {
        rc = home_trusted(home, HOME_LINK, parcel->link, err);
        rc = rc == ERR_OK ? home_authority_key(home, HOME_LINK, parcel->link_key, err) : rc;
        rc = rc == ERR_OK ? home_authority_key(home, HOME_ARBITER, parcel->arbiter_key, err) : rc;
        rc = rc == ERR_OK && serve->options->plan->fence ? fill_devices(serve, parcel, err) : rc;
    }
    return rc;
}

static enum err_code
send_reply(struct talk *talk, const struct turn *turn, const struct reply *reply, struct err *err)
{
    AUTO_BUF struct buf *bytes = NULL;
    enum err_code rc = buf_new(ENROL_REPLY_SIZE_MAX, &bytes, err);

    if (rc == ERR_OK) {
        rc = reply_encode(reply, turn->key, turn->transcript, bytes, err);
    }
    if (rc == ERR_OK) {
        rc = talk_send(talk, buf_span(bytes), err);
        buf_wipe(bytes);
    }
    return rc;
}

static enum err_code
grant(const struct serve *serve, struct talk *talk, const struct turn *turn, struct err *err)
{
    struct parcel parcel;
    struct reply reply = {.granted = true};
    enum err_code rc = parcel_init(&parcel, err);

    rc = rc == ERR_OK ? fill(serve, turn, &parcel, err) : rc;
    if (rc == ERR_OK) {
        reply.host =
            turn->request.role == ENROL_ROLE_HOST ? (uint8_t)(3 - serve->options->host) : 0;
        reply.certificate = buf_span(parcel.certificate);
        reply.link_authorities = buf_span(parcel.link);
        reply.link_key = buf_span(parcel.link_key);
        reply.arbiter_authorities = buf_span(parcel.arbiter);
        reply.arbiter_key = buf_span(parcel.arbiter_key);
        reply.plan = buf_span(parcel.plan);
        reply.fence = buf_size(parcel.device[0]) > 0;
        reply.device[0] = buf_span(parcel.device[0]);
        reply.device[1] = buf_span(parcel.device[1]);
        rc = send_reply(talk, turn, &reply, err);
    }
    parcel_done(&parcel);
    return rc;
}

/* The joiner writes its files before it says that they are there: until then it may ask again. */
static enum err_code
await_done(const struct serve *serve, struct talk *talk, struct turn *turn, struct err *err)
{
    AUTO_BUF struct buf *bytes = NULL;
    uint8_t awaited[MESSAGE_MAC_SIZE];
    enum err_code rc = talk_receive(talk, MESSAGE_MAC_SIZE, &bytes, err);

    if (rc != ERR_OK) {
        return rc;
    }
    done_mac(turn->key, turn->transcript, awaited);
    if (buf_size(bytes) != sizeof awaited ||
        !crypto_equal(buf_text(bytes), awaited, sizeof awaited) || !offer_complete(&turn->offer)) {
        return err_set(err, ERR_PROTOCOL, "the end of the conversation is not of this token");
    }
    return home_save_offer(serve->options->home, &turn->offer, err);
}

static enum err_code
converse(const struct serve *serve, struct talk *talk, struct turn *turn, struct err *err)
{
    struct reply refusal = {.granted = false};
    struct span proof;
    const char *reason = NULL;
    enum err_code rc = read_request(serve, talk, turn, err);

    if (rc != ERR_OK) {
        return rc;
    }
    /* Whose key it is comes first: the token is for who has proved to have the key. */
    proof = span_of(turn->request.proof, turn->request.proof_size);
    rc = x509_proof_check(turn->request.public, turn->transcript, proof, err);
    if (rc == ERR_OK) {
        rc = judge(serve, turn, &reason, err);
    }
    if (rc == ERR_OK && reason != NULL) {
        refusal.reason = span_text(reason);
        rc = send_reply(talk, turn, &refusal, err);
        return rc == ERR_OK ? err_set(err, ERR_DENIED, "%s", reason) : rc;
    }
    rc = rc == ERR_OK ? grant(serve, talk, turn, err) : rc;
    return rc == ERR_OK ? await_done(serve, talk, turn, err) : rc;
}

static void take_connection(const struct serve *serve, int file)
{
    struct turn turn = {.offer = {.state = OFFER_ENDED}};
    struct talk *talk = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = talk_new(serve->identity, file, ENROL_TALK_MS, &talk, &err);

    rc = rc == ERR_OK ? converse(serve, talk, &turn, &err) : rc;
    if (rc == ERR_OK) {
        tell(serve, "joined: %s",
             turn.request.role == ENROL_ROLE_HOST ? "the other host" : "the arbiter");
    } else {
        tell(serve, "refused: %s", err.message);
    }
    talk_free(talk);
    mem_wipe(&turn, sizeof turn);
}

/* -- the loop -------------------------------------------------------------------------------- */

/* Ends the offer when its time is over; true while it waits. */
static bool offer_waits(const struct serve *serve, enum enrol_role role)
{
    const struct home *home = serve->options->home;
    struct offer offer;
    struct err err = ERR_INIT;

    if (home_load_offer(home, role, &offer, &err) != ERR_OK) {
        return false;
    }
    if (offer_age(&offer, now_s())) {
        tell(serve, "ended: the token of the %s", enrol_role_name(role));
        if (home_save_offer(home, &offer, &err) != ERR_OK) {
            tell(serve, "%s", err.message);
        }
    }
    return offer.state != OFFER_ENDED;
}

static bool offers_wait(const struct serve *serve)
{
    bool waits = false;

    for (size_t i = 0; i < ROLE_COUNT; i++) {
        waits = offer_waits(serve, roles[i]) || waits;
    }
    return waits;
}

bool serve_is_owed(const struct home *home)
{
    for (size_t i = 0; i < ROLE_COUNT; i++) {
        struct offer offer;
        struct err err = ERR_INIT;

        if (home_load_offer(home, roles[i], &offer, &err) == ERR_OK && !offer.complete) {
            return true;
        }
    }
    return false;
}

bool serve_is_complete(const struct home *home)
{
    size_t count = 0;

    for (size_t i = 0; i < ROLE_COUNT; i++) {
        struct offer offer;
        struct err err = ERR_INIT;
        enum err_code rc = home_load_offer(home, roles[i], &offer, &err);

        if (rc == ERR_OK && !offer.complete) {
            return false;
        }
        count += rc == ERR_OK ? 1 : 0;
    }
    return count > 0;
}

static enum err_code start(struct serve *serve, struct err *err)
{
    char certificate[ENROL_PATH_SIZE];
    char key[ENROL_PATH_SIZE];
    char address[PLAN_ENDPOINT_SIZE];
    const struct plan *plan = serve->options->plan;
    enum err_code rc;

    home_file(serve->options->home, "enrol.crt", certificate);
    home_file(serve->options->home, "enrol.key", key);
    plan_endpoint(plan->host[serve->options->host - 1], plan->join_port, address);
    rc = tls_identity_new_anonymous(certificate, key, &serve->identity, err);
    if (rc == ERR_OK) {
        rc = sockets_bind(address, &serve->listener, err);
    }
    return rc;
}

static enum err_code wait_and_take(const struct serve *serve, struct err *err)
{
    struct pollfd ready = {.fd = serve->listener, .events = POLLIN};
    int count = poll(&ready, 1, LOOK_MS);
    int file;

    if (count < 0 && errno != EINTR) {
        return err_set_errno(err, ERR_IO, errno, "poll");
    }
    if (count <= 0) {
        return ERR_OK;
    }
    file = accept4(serve->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (file >= 0) {
        take_connection(serve, file);
    }
    return ERR_OK; /* who has gone again before he was accepted is no error */
}

enum err_code serve_run(const struct serve_options *options, struct err *err)
{
    struct serve serve = {.options = options, .listener = -1};
    enum err_code rc = start(&serve, err);

    ASSERT(options->host == 1 || options->host == 2);
    if (rc == ERR_OK) {
        notify_ready(&serve.notify); /* the tokens are printed when who has one is awaited */
    }
    while (rc == ERR_OK && *options->stopped == 0 && offers_wait(&serve)) {
        rc = wait_and_take(&serve, err);
        notify_tend(&serve.notify);
    }
    tls_identity_free(serve.identity);
    if (serve.listener >= 0) {
        (void)close(serve.listener); /* nothing was written */
    }
    return rc;
}
