/* SPDX-License-Identifier: Apache-2.0 */
/* arbiter_etcd.c: the register in etcd, by its v3 JSON gateway.
 * Owns the calls under way, the choice of the endpoint and the login token.
 * Never retries a CAS whose fate is unknown (the failover core does, with a new nonce), never takes
 * an answer for definite that is not: whatever is not a whole, understood answer to a CAS is
 * "unknown" once a byte of it may have been received. Never uses leases or locks. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "base/mem.h"
#include "base/span.h"
#include "supervisor/arbiter/arbiter.h"
#include "supervisor/arbiter/etcd_text.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define URL_SIZE    320U
#define TOKEN_SIZE  512U /* simple tokens are 30 bytes, JWTs some hundred */
#define ANSWER_SIZE 8192U

/* One read or CAS. */
struct request {
    bool active;
    bool not_started;         /* to be told by the loop */
    struct failover_cas swap; /* CAS */
    uint32_t tries;           /* endpoints asked so far */
    uint32_t logins;
    uint64_t begun_ms;
    struct fetch_call *call;
    struct etcd *owner;
    enum arbiter_request kind;
};

struct etcd {
    struct arbiter arbiter;
    struct fetch *fetch;                         /* owned */
    struct event *later;                         /* owned: tells what could not be started */
    char *endpoints[ARBITER_ENDPOINT_COUNT_MAX]; /* owned */
    size_t endpoint_count;
    size_t endpoint; /* asked first */
    char key[ETCD_KEY_SIZE];
    char *user; /* owned, may be NULL */
    char *password;
    char token[TOKEN_SIZE]; /* "Authorization: …", or empty */
    uint32_t timeout_ms;
    struct request requests[2]; /* by enum arbiter_request */
    struct arbiter_status status;
};

static uint64_t now_ms(void)
{
    return clock_boot_ms(clock_host());
}

static void send_request(struct request *request);

static void problem(struct etcd *etcd, const char *text)
{
    etcd->status.reachable = false;
    (void)snprintf(etcd->status.problem, sizeof etcd->status.problem, "%s: %s", /* may be cut */
                   etcd->endpoints[etcd->endpoint], text);
}

static void finish(struct request *request, struct failover_answer *answer)
{
    struct etcd *etcd = request->owner;

    request->active = false;
    request->call = NULL;
    answer->nonce = request->swap.value.nonce;
    if (answer->outcome == FAILOVER_DONE || answer->outcome == FAILOVER_CONFLICT ||
        answer->outcome == FAILOVER_ABSENT) {
        etcd->status.reachable = true;
        etcd->status.problem[0] = '\0';
        etcd->status.place = etcd->endpoints[etcd->endpoint];
        etcd->status.answered_ms = now_ms();
        etcd->status.latency_ms = (uint32_t)(etcd->status.answered_ms - request->begun_ms);
    }
    etcd->arbiter.answer(etcd->arbiter.arg, request->kind, answer);
}

static void finish_as(struct request *request, enum failover_read outcome)
{
    struct failover_answer answer = {.outcome = outcome};

    finish(request, &answer);
}

/* This endpoint certainly did nothing: ask the next, unless all were asked. */
static void next_endpoint(struct request *request)
{
    struct etcd *etcd = request->owner;

    etcd->endpoint = (etcd->endpoint + 1) % etcd->endpoint_count;
    request->tries++;
    if (request->tries < etcd->endpoint_count) {
        send_request(request);
    } else {
        finish_as(request, FAILOVER_NOT_SENT);
    }
}

/* No answer that can be understood. A read may be asked again elsewhere; a CAS may have happened.
 */
static void unclear(struct request *request)
{
    struct etcd *etcd = request->owner;

    if (request->kind == ARBITER_READ) {
        next_endpoint(request);
        return;
    }
    etcd->endpoint = (etcd->endpoint + 1) % etcd->endpoint_count;
    finish_as(request, FAILOVER_UNKNOWN);
}

/* The token has ended, or none was asked for yet. */
static bool wants_login(const struct request *request, uint32_t status, struct span body)
{
    return request->owner->user != NULL && request->logins == 0 &&
           (status == 401 || etcd_is_token_error(body));
}

static void refused(struct request *request, uint32_t status, struct span body)
{
    struct etcd *etcd = request->owner;
    char text[ERR_MESSAGE_SIZE];

    etcd_error_text(body, text, sizeof text);
    if (wants_login(request, status, body)) {
        etcd->token[0] = '\0';
        send_request(request);
        return;
    }
    problem(etcd, text[0] == '\0' ? "an HTTP error without a reason" : text);
    /* Not authorised or not understood: etcd evaluated nothing. Anything else (no quorum, time-out,
     * internal) may come from a proposal that is applied later. */
    if (status == 400 || status == 401 || status == 403 || status == 404) {
        next_endpoint(request);
    } else {
        unclear(request);
    }
}

/* A kept connection tells nothing new. */
static void note_certificate(struct etcd *etcd, const struct fetch_response *response)
{
    if (response->not_after_s != 0) {
        etcd->status.not_after_s = response->not_after_s;
    }
}

static void on_answer(void *arg, const struct fetch_response *response)
{
    struct request *request = arg;
    struct etcd *etcd = request->owner;
    struct failover_answer answer = {.outcome = FAILOVER_UNKNOWN};
    struct err err = ERR_INIT;
    enum err_code rc;

    request->call = NULL;
    note_certificate(etcd, response);
    if (response->outcome == FETCH_NOT_SENT) {
        problem(etcd, response->err->message);
        next_endpoint(request);
        return;
    }
    if (response->outcome == FETCH_UNKNOWN) {
        problem(etcd, response->err->message);
        unclear(request);
        return;
    }
    if (response->status != 200) {
        refused(request, response->status, response->body);
        return;
    }
    rc = request->kind == ARBITER_READ
             ? etcd_parse_range(response->body, &answer, &err)
             : etcd_parse_txn(response->body, &request->swap.value, &answer, &err);
    if (rc != ERR_OK) {
        problem(etcd, err.message);
        unclear(request);
        return;
    }
    finish(request, &answer);
}

static void on_login(void *arg, const struct fetch_response *response)
{
    struct request *request = arg;
    struct etcd *etcd = request->owner;
    struct err err = ERR_INIT;

    request->call = NULL;
    note_certificate(etcd, response);
    if (response->outcome != FETCH_ANSWERED) {
        problem(etcd, response->err->message);
        next_endpoint(request); /* the request itself was not sent */
        return;
    }
    if (response->status != 200 ||
        etcd_parse_token(response->body, etcd->token, sizeof etcd->token, &err) != ERR_OK) {
        problem(etcd, response->status != 200 ? "the user or password is refused" : err.message);
        next_endpoint(request);
        return;
    }
    send_request(request);
}

static enum err_code start(struct request *request,
                           const char *path,
                           const char *body,
                           fetch_done_fn *done,
                           struct err *err)
{
    struct etcd *etcd = request->owner;
    const char *headers[] = {"Content-Type: application/json",
                             etcd->token[0] == '\0' ? NULL : etcd->token, NULL};
    char url[URL_SIZE];
    struct fetch_request call = {.method = "POST",
                                 .url = url,
                                 .headers = headers,
                                 .body = span_text(body),
                                 .timeout_ms = etcd->timeout_ms,
                                 .connect_timeout_ms = etcd->timeout_ms,
                                 .response_size_max = ANSWER_SIZE};

    /* Fits: arbiter_etcd_new has bounded the endpoint. */
    (void)snprintf(url, sizeof url, "%s%s", etcd->endpoints[etcd->endpoint], path);
    return fetch_start(etcd->fetch, &call, done, request, &request->call, err);
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    struct etcd *etcd = arg;

    (void)fd;
    (void)what;
    for (size_t i = 0; i < 2; i++) {
        if (etcd->requests[i].not_started) {
            etcd->requests[i].not_started = false;
            finish_as(&etcd->requests[i], FAILOVER_NOT_SENT);
        }
    }
}

static void send_request(struct request *request)
{
    struct etcd *etcd = request->owner;
    char body[ETCD_BODY_SIZE];
    struct err err = ERR_INIT;
    enum err_code rc;

    if (etcd->user != NULL && etcd->token[0] == '\0') {
        request->logins++;
        etcd_login_body(etcd->user, etcd->password, body);
        rc = start(request, "/v3/auth/authenticate", body, on_login, &err);
        mem_wipe(body, sizeof body);
    } else if (request->kind == ARBITER_READ) {
        etcd_range_body(etcd->key, body);
        rc = start(request, "/v3/kv/range", body, on_answer, &err);
    } else {
        etcd_txn_body(etcd->key, &request->swap, body);
        rc = start(request, "/v3/kv/txn", body, on_answer, &err);
    }
    if (rc != ERR_OK) {
        problem(etcd, err.message);
        request->not_started = true;
        event_active(etcd->later, EV_TIMEOUT, 0);
    }
}

static void begin(struct etcd *etcd, enum arbiter_request kind)
{
    struct request *request = &etcd->requests[kind];

    request->active = true;
    request->tries = 0;
    request->logins = 0;
    request->begun_ms = now_ms();
    send_request(request);
}

static void etcd_read(struct arbiter *arbiter)
{
    struct etcd *etcd = (struct etcd *)arbiter;

    ASSERT(!etcd->requests[ARBITER_READ].active);
    begin(etcd, ARBITER_READ);
}

static void etcd_cas(struct arbiter *arbiter, const struct failover_cas *swap)
{
    struct etcd *etcd = (struct etcd *)arbiter;
    struct request *request = &etcd->requests[ARBITER_CAS];

    ASSERT(!request->active);
    ASSERT(register_is_legal(&swap->value));
    request->swap = *swap;
    begin(etcd, ARBITER_CAS);
}

static void etcd_status(const struct arbiter *arbiter, struct arbiter_status *ret_status)
{
    *ret_status = ((const struct etcd *)arbiter)->status;
}

static void etcd_free(struct arbiter *arbiter)
{
    struct etcd *etcd = (struct etcd *)arbiter;

    for (size_t i = 0; i < 2; i++) {
        fetch_cancel(etcd->requests[i].call);
    }
    fetch_free(etcd->fetch);
    if (etcd->later != NULL) {
        event_free(etcd->later);
    }
    for (size_t i = 0; i < etcd->endpoint_count; i++) {
        mem_free(etcd->endpoints[i]);
    }
    if (etcd->password != NULL) {
        mem_wipe(etcd->password, strlen(etcd->password));
    }
    mem_free(etcd->user);
    mem_free(etcd->password);
    mem_wipe(etcd->token, sizeof etcd->token);
    mem_free(etcd);
}

static const struct arbiter_ops ops = {
    .read = etcd_read, .cas = etcd_cas, .status = etcd_status, .free = etcd_free};

static bool keep(char **ret_text, const char *text)
{
    *ret_text = mem_copy_text(text, strlen(text));
    return *ret_text != NULL;
}

static enum err_code
keep_endpoints(struct etcd *etcd, const struct arbiter_etcd_options *options, struct err *err)
{
    if (options->endpoint_count == 0 || options->endpoint_count > ARBITER_ENDPOINT_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "etcd: 1 to %u endpoints", ARBITER_ENDPOINT_COUNT_MAX);
    }
    for (size_t i = 0; i < options->endpoint_count; i++) {
        const char *endpoint = options->endpoints[i];

        if (strlen(endpoint) > URL_SIZE / 2 ||
            strncmp(endpoint, options->ca == NULL ? "http://" : "https://",
                    options->ca == NULL ? 7 : 8) != 0) {
            return err_set(err, ERR_INVALID, "etcd: endpoint %s: has to be %s://address:port",
                           endpoint, options->ca == NULL ? "http" : "https");
        }
        if (!keep(&etcd->endpoints[i], endpoint)) {
            return err_set(err, ERR_NOMEM, "etcd");
        }
        etcd->endpoint_count++;
    }
    return ERR_OK;
}

static enum err_code
fill(struct etcd *etcd, const struct arbiter_etcd_options *options, struct err *err)
{
    struct fetch_options fetch = {.ca_file = options->ca,
                                  .ca_only = options->ca != NULL,
                                  .certificate = options->certificate,
                                  .key = options->key,
                                  .proxy_url = "",
                                  .call_count_max = 4};
    enum err_code rc = keep_endpoints(etcd, options, err);

    if (rc == ERR_OK) {
        rc = etcd_key(options->prefix, options->cluster_id, etcd->key, err);
    }
    if (rc == ERR_OK && options->user != NULL) {
        rc = etcd_check_user(options->user, options->password, err);
        if (rc == ERR_OK &&
            (!keep(&etcd->user, options->user) || !keep(&etcd->password, options->password))) {
            rc = err_set(err, ERR_NOMEM, "etcd");
        }
    }
    etcd->later = event_new(options->base, -1, 0, on_later, etcd);
    if (rc == ERR_OK && etcd->later == NULL) {
        rc = err_set(err, ERR_NOMEM, "etcd");
    }
    return rc == ERR_OK ? fetch_new(options->base, &fetch, &etcd->fetch, err) : rc;
}

enum err_code arbiter_etcd_new(const struct arbiter_etcd_options *options,
                               struct arbiter **ret_arbiter,
                               struct err *err)
{
    struct etcd *etcd = mem_new(1, sizeof *etcd);
    enum err_code rc;

    if (etcd == NULL) {
        return err_set(err, ERR_NOMEM, "etcd");
    }
    etcd->arbiter = (struct arbiter){.ops = &ops, .answer = options->answer, .arg = options->arg};
    etcd->timeout_ms = options->timeout_ms == 0 ? ARBITER_TIMEOUT_MS_DEFAULT : options->timeout_ms;
    etcd->status.kind = "etcd";
    etcd->status.place = "";
    for (size_t i = 0; i < 2; i++) {
        etcd->requests[i].owner = etcd;
        etcd->requests[i].kind = (enum arbiter_request)i;
    }
    rc = fill(etcd, options, err);
    if (rc != ERR_OK) {
        etcd_free(&etcd->arbiter);
        return err_wrap(err, rc, "arbiter");
    }
    *ret_arbiter = &etcd->arbiter;
    return ERR_OK;
}
