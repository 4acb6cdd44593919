/* SPDX-License-Identifier: Apache-2.0 */
/* test_webhook.c: proves approvald/webhook against a receiver on the loopback that checks every
 * signature.
 * Owns nothing but its cases; never leaves this host. */
#include "approvald/core/audit.h"
#include "approvald/webhook/sign.h"
#include "approvald/webhook/webhook.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/fetch.h"
#include "base/json.h"
#include "base/log.h"
#include "base/metrics.h"
#include "tests/lib/sample_request.h"
#include "tests/unit/starve.h"
#include "tests/unit/unit.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdio.h>
#include <string.h>

#define SECRET "a secret of enough bytes"

/* The receiver, and what one delivery came to. */
struct bench {
    struct event_base *base;
    struct evhttp *http;
    uint16_t port;
    struct metrics *metrics;
    struct fetch *fetch;
    struct webhook *webhook;
    int status;              /* what the receiver answers; 0: it hangs up without a word */
    const char *retry_after; /* or NULL */
    unsigned arrived;
    unsigned genuine;
    char delivery[SIGN_DELIVERY_SIZE];
    char event[32];
    uint64_t epoch;
    bool done;
    enum outbox_result result;
    uint64_t retry_ms;
    char error[256];
};

/* As a receiver would, from the headers and the bytes alone. */
static bool is_genuine(struct evhttp_request *request, struct span body)
{
    struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const char *delivery = evhttp_find_header(headers, "Approvald-Delivery");
    const char *signature = evhttp_find_header(headers, "Approvald-Signature");
    char t[32] = "";
    char hex[2 * CRYPTO_SHA256_SIZE + 1];
    uint8_t mac[CRYPTO_SHA256_SIZE];
    const char *v1;

    if (delivery == NULL || signature == NULL || strncmp(signature, "t=", 2) != 0) {
        return false;
    }
    v1 = strstr(signature, ",v1=");
    if (v1 == NULL || (size_t)(v1 - signature - 2) >= sizeof t) {
        return false;
    }
    memcpy(t, signature + 2, (size_t)(v1 - signature - 2));
    {
        struct span parts[] = {span_text(t), SPAN_LITERAL("."), span_text(delivery),
                               SPAN_LITERAL("."), body};

        crypto_hmac_sha256(SPAN_LITERAL(SECRET), parts, 5, mac);
    }
    crypto_hex(mac, sizeof mac, hex);
    return strcmp(hex, v1 + 4) == 0;
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct bench *bench = arg;
    struct evbuffer *input = evhttp_request_get_input_buffer(request);
    size_t size = evbuffer_get_length(input);
    struct span body = span_of(evbuffer_pullup(input, -1), size);
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;

    bench->arrived++;
    bench->genuine += is_genuine(request, body);
    CU_ASSERT_EQUAL_FATAL(json_parse(body, 1U << 20, &json, &err), ERR_OK);
    (void)snprintf(bench->delivery, sizeof bench->delivery, "%.*s",
                   SPAN_ARGS(json_text(json, "delivery")));
    (void)snprintf(bench->event, sizeof bench->event, "%.*s", SPAN_ARGS(json_text(json, "event")));
    CU_ASSERT(json_u64(json, "epoch", &bench->epoch));
    CU_ASSERT(span_is(json_text(json, "request.title"), "Deploy billing-api 4.2.1 to production"));
    CU_ASSERT(span_is(json_text(json, "request.state"), "rejected"));
    CU_ASSERT_EQUAL(json_count(json_path(json, "request.decisions")), 1);
    if (bench->status == 0) {
        evhttp_connection_free(evhttp_request_get_connection(request));
        return;
    }
    if (bench->retry_after != NULL) {
        CU_ASSERT_EQUAL(evhttp_add_header(evhttp_request_get_output_headers(request), "Retry-After",
                                          bench->retry_after),
                        0);
    }
    evhttp_send_reply(request, bench->status, "Answer", NULL);
}

static void setup(struct bench *bench, bool allow_inward)
{
    struct err err = ERR_INIT;
    struct evhttp_bound_socket *bound;
    char url[64];
    struct fetch_options fetch_options = {.proxy_url = ""};
    struct webhook_destination destination = {.name = "deploys",
                                              .url = url,
                                              .secret = SPAN_LITERAL(SECRET),
                                              .allow_inward = allow_inward};
    struct webhook_options options = {.destinations = &destination, .destination_count = 1};

    memset(bench, 0, sizeof *bench);
    log_init(LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
    bench->base = event_base_new();
    bench->http = evhttp_new(bench->base);
    evhttp_set_gencb(bench->http, on_request, bench);
    bound = evhttp_bind_socket_with_handle(bench->http, "127.0.0.1", 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bound);
    {
        struct sockaddr_in address = {.sin_port = 0};
        socklen_t size = sizeof address;

        CU_ASSERT_EQUAL(
            getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&address, &size), 0);
        bench->port = ntohs(address.sin_port);
    }
    (void)snprintf(url, sizeof url, "%s://127.0.0.1:%u/hook", allow_inward ? "http" : "https",
                   bench->port);
    CU_ASSERT_EQUAL_FATAL(metrics_new(&bench->metrics, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(fetch_new(bench->base, &fetch_options, &bench->fetch, &err), ERR_OK);
    options.fetch = bench->fetch;
    options.metrics = bench->metrics;
    CU_ASSERT_EQUAL_FATAL(webhook_new(&options, &bench->webhook, &err), ERR_OK);
    webhook_set_epoch(bench->webhook, 7);
}

static void teardown(struct bench *bench)
{
    webhook_free(bench->webhook);
    fetch_free(bench->fetch);
    metrics_free(bench->metrics);
    evhttp_free(bench->http);
    event_base_free(bench->base);
}

static void on_done(void *arg, const struct delivery_result *result)
{
    struct bench *bench = arg;

    CU_ASSERT_FALSE(bench->done);
    bench->done = true;
    bench->result = result->outcome.result;
    bench->retry_ms = result->retry_ms;
    CU_ASSERT_EQUAL(result->outcome.item_id, 3);
    (void)snprintf(bench->error, sizeof bench->error, "%.*s", SPAN_ARGS(result->outcome.error));
}

static void make_row(const struct request *request, uint32_t attempts, struct outbox_row *row)
{
    *row = (struct outbox_row){
        .request = request->id,
        .surface = SURFACE_WEBHOOK,
        .target = SPAN_LITERAL("deploys"),
        .attempts = attempts,
        .item_count = 1,
        .items = {{.id = 3,
                   .at_ms = request->ended_ms,
                   .kind = AUDIT_REJECTED,
                   .user = SPAN_LITERAL("U0APR00002")}},
    };
}

static enum err_code
start(struct bench *bench, uint32_t attempts, const char *target, struct err *err)
{
    struct request request;
    struct policy policy;
    struct outbox_row row;
    struct delivery delivery = {.row = &row, .request = &request, .policy = &policy};

    sample_policy(&policy);
    sample_request(SAMPLE_REJECTED, &request);
    make_row(&request, attempts, &row);
    row.target = span_text(target);
    bench->done = false;
    return webhook_start(bench->webhook, &delivery, on_done, bench, err);
}

/* One attempt, to its end. */
static void deliver(struct bench *bench, uint32_t attempts)
{
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(start(bench, attempts, "deploys", &err), ERR_OK);
    for (int i = 0; i < 1000 && !bench->done; i++) {
        (void)event_base_loop(bench->base, EVLOOP_ONCE); /* its result says nothing more */
    }
    CU_ASSERT_FATAL(bench->done);
}

static void a_delivery_is_signed_and_names_itself(void)
{
    struct bench bench;

    setup(&bench, true);
    bench.status = 202;
    deliver(&bench, 1);
    CU_ASSERT_EQUAL(bench.result, OUTBOX_SENT);
    CU_ASSERT_EQUAL(bench.genuine, 1);
    CU_ASSERT_STRING_EQUAL(bench.event, "rejected");
    CU_ASSERT_EQUAL(bench.epoch, 7);
    CU_ASSERT_PTR_NOT_NULL(strstr(bench.delivery, "/deploys/3"));
    teardown(&bench);
}

static void a_repeated_delivery_has_the_same_id(void)
{
    struct bench bench;
    char first[SIGN_DELIVERY_SIZE];

    setup(&bench, true);
    bench.status = 503;
    deliver(&bench, 1);
    CU_ASSERT_EQUAL(bench.result, OUTBOX_RETRY);
    CU_ASSERT_PTR_NOT_NULL(strstr(bench.error, "webhook deploys answered 503"));
    memcpy(first, bench.delivery, sizeof first);
    bench.status = 0;
    deliver(&bench, 2);
    CU_ASSERT_EQUAL(bench.result, OUTBOX_UNKNOWN);
    CU_ASSERT_STRING_EQUAL(bench.delivery, first);
    bench.status = 200;
    deliver(&bench, 3);
    CU_ASSERT_EQUAL(bench.result, OUTBOX_SENT);
    CU_ASSERT_STRING_EQUAL(bench.delivery, first);
    CU_ASSERT_EQUAL(bench.genuine, 3);
    teardown(&bench);
}

static void refusals_end_and_outages_do_not(void)
{
    struct bench bench;

    setup(&bench, true);
    bench.status = 410;
    deliver(&bench, 1);
    CU_ASSERT_EQUAL(bench.result, OUTBOX_DEAD);
    bench.status = 401;
    deliver(&bench, 1);
    CU_ASSERT_EQUAL(bench.result, OUTBOX_RETRY);
    deliver(&bench, 10);
    CU_ASSERT_EQUAL(bench.result, OUTBOX_DEAD);
    bench.status = 302;
    deliver(&bench, 10);
    CU_ASSERT_EQUAL(bench.result, OUTBOX_DEAD);
    bench.status = 500;
    deliver(&bench, 1000);
    CU_ASSERT_EQUAL(bench.result, OUTBOX_RETRY);
    teardown(&bench);
}

static void a_receiver_may_ask_for_a_pause(void)
{
    struct bench bench;

    setup(&bench, true);
    bench.status = 429;
    bench.retry_after = "17";
    deliver(&bench, 1);
    CU_ASSERT_EQUAL(bench.result, OUTBOX_RETRY);
    CU_ASSERT_EQUAL(bench.retry_ms, 17000);
    bench.retry_after = "99999999";
    deliver(&bench, 1);
    CU_ASSERT_EQUAL(bench.retry_ms, 600000);
    teardown(&bench);
}

static void an_inward_address_is_refused_unless_allowed(void)
{
    struct bench bench;
    struct err err = ERR_INIT;

    setup(&bench, false);
    CU_ASSERT_EQUAL(start(&bench, 1, "deploys", &err), ERR_DENIED);
    CU_ASSERT_EQUAL(bench.arrived, 0);
    teardown(&bench);
}

static void an_unknown_destination_is_named(void)
{
    struct bench bench;
    struct err err = ERR_INIT;

    setup(&bench, true);
    CU_ASSERT_EQUAL(start(&bench, 1, "payroll", &err), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "no webhook payroll is configured"));
    teardown(&bench);
}

static void bad_destinations_leave_the_old_ones(void)
{
    static const struct {
        const char *name;
        const char *url;
        const char *secret;
        bool allow_inward;
        const char *words;
    } bad[] = {
        {"deploys", "ftp://example.com/", SECRET, true, "https://"},
        {"deploys", "https://example.com/", "short", false, "16 to 256 bytes"},
        {"", "https://example.com/", SECRET, false, "a name"},
    };
    struct bench bench;
    struct err err = ERR_INIT;

    setup(&bench, true);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct webhook_destination destination = {.name = bad[i].name,
                                                  .url = bad[i].url,
                                                  .secret = span_text(bad[i].secret),
                                                  .allow_inward = bad[i].allow_inward};

        CU_ASSERT_EQUAL(webhook_set_destinations(bench.webhook, &destination, 1, &err),
                        ERR_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, bad[i].words));
    }
    {
        struct webhook_destination twice[2] = {
            {.name = "a", .url = "https://x/", .secret = SPAN_LITERAL(SECRET)},
            {.name = "a", .url = "https://y/", .secret = SPAN_LITERAL(SECRET)},
        };

        CU_ASSERT_EQUAL(webhook_set_destinations(bench.webhook, twice, 2, &err), ERR_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "twice"));
    }
    bench.status = 200;
    deliver(&bench, 1);
    CU_ASSERT_EQUAL(bench.result, OUTBOX_SENT);
    teardown(&bench);
}

static void a_stop_drops_what_is_under_way(void)
{
    struct bench bench;
    struct err err = ERR_INIT;

    setup(&bench, true);
    CU_ASSERT_EQUAL(start(&bench, 1, "deploys", &err), ERR_OK);
    teardown(&bench);
    CU_ASSERT_FALSE(bench.done);
}

/* Computed apart: printf '1764752700.req_X/deploys/3.{}' | openssl dgst -sha256 -hmac SECRET. */
static void the_signature_is_what_the_manual_says(void)
{
    char header[SIGN_HEADER_SIZE];

    sign_header(SPAN_LITERAL(SECRET), 1764752700, "req_X/deploys/3", SPAN_LITERAL("{}"), header);
    CU_ASSERT_STRING_EQUAL(header,
                           "t=1764752700,v1="
                           "52dce2fbf361f69ea24a5a178500fb5204ead25ef0f7c3d83e42fc6bae3dee60");
}

static enum err_code body_attempt(void *arg)
{
    struct request request;
    struct outbox_row row;
    struct err err = ERR_INIT;

    sample_request(SAMPLE_REJECTED, &request);
    make_row(&request, 1, &row);
    buf_clear(arg);
    return sign_body(&row, &request, 1, arg, &err);
}

static void no_allocation_can_fail_unseen(void)
{
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(65536, &out, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(body_attempt(out), ERR_OK); /* out has grown to its size */
    CU_ASSERT(starve_each(body_attempt, out) > 5);
}

UNIT_MAIN("webhook",
          {"a delivery is signed and names itself", a_delivery_is_signed_and_names_itself},
          {"a repeated delivery has the same id", a_repeated_delivery_has_the_same_id},
          {"refusals end and outages do not", refusals_end_and_outages_do_not},
          {"a receiver may ask for a pause", a_receiver_may_ask_for_a_pause},
          {"an inward address is refused unless allowed",
           an_inward_address_is_refused_unless_allowed},
          {"an unknown destination is named", an_unknown_destination_is_named},
          {"bad destinations leave the old ones", bad_destinations_leave_the_old_ones},
          {"a stop drops what is under way", a_stop_drops_what_is_under_way},
          {"the signature is what the manual says", the_signature_is_what_the_manual_says},
          {"no allocation can fail unseen", no_allocation_can_fail_unseen})
