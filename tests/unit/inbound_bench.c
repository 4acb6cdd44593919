/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_bench.c: the inbound half for tests.
 * Owns the objects around it and the making of signed deliveries.
 * Never opens a socket, never looks inside the handlers. */
#include "tests/unit/inbound_bench.h"

#include "approvald/core/request_id.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/outbound/home.h"
#include "approvald/slack/people/directory.h"
#include "approvald/slack/wire/webapi.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/log.h"
#include "base/metrics.h"
#include "tests/unit/fake_webapi.h"

#include <CUnit/CUnit.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

#define POLICIES                                                                                   \
    "policy deploy { channel = \"C0APV00001\" approvers = {\"U0APR00001\", \"U0APR00002\"} }\n"    \
    "policy team { channel = \"C0APV00001\" approvers = {\"S0APV00001\"} }\n"
#define TEAM     "T0APV00001"
#define SIG_SIZE 68

void bench_on_reply(void *arg, const struct slack_reply *reply)
{
    struct bench_reply *out = arg;

    out->done = true;
    out->count++;
    out->status = reply->status;
    out->retry_after_s = reply->retry_after_s;
    (void)snprintf(out->type, sizeof out->type, "%s",
                   reply->content_type == NULL ? "" : reply->content_type);
    (void)snprintf(out->body, sizeof out->body, "%.*s", SPAN_ARGS(reply->body));
}

static void open_slack(struct bench *bench)
{
    struct err err = ERR_INIT;
    struct directory_options directory = {.base = bench->base,
                                          .service = bench->kit.service,
                                          .metrics = bench->metrics,
                                          .clock = &bench->kit.clock,
                                          .team = SPAN_LITERAL(TEAM)};
    struct home_options home = {.base = bench->base,
                                .service = bench->kit.service,
                                .metrics = bench->metrics,
                                .clock = &bench->kit.clock};
    struct slack_inbound_options inbound = {.base = bench->base,
                                            .service = bench->kit.service,
                                            .metrics = bench->metrics,
                                            .clock = &bench->kit.clock,
                                            .signing_secret = SPAN_LITERAL(BENCH_SECRET)};

    bench->webapi = fake_webapi_new(bench->base, bench->metrics, &bench->kit.clock);
    directory.webapi = bench->webapi;
    CU_ASSERT_EQUAL_FATAL(directory_new(&directory, &bench->directory, &err), ERR_OK);
    home.webapi = bench->webapi;
    home.directory = bench->directory;
    CU_ASSERT_EQUAL_FATAL(home_new(&home, &bench->home, &err), ERR_OK);
    inbound.home = bench->home;
    inbound.webapi = bench->webapi;
    inbound.directory = bench->directory;
    CU_ASSERT_EQUAL_FATAL(slack_inbound_new(&inbound, &bench->inbound, &err), ERR_OK);
}

void bench_open(struct bench *bench)
{
    struct err err = ERR_INIT;
    struct kit_answer made;

    memset(bench, 0, sizeof *bench);
    log_init(LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
    fake_fetch_reset(ERR_OK);
    service_kit_open(&bench->kit);
    bench->base = event_base_new();
    CU_ASSERT_EQUAL_FATAL(metrics_new(&bench->metrics, &err), ERR_OK);
    open_slack(bench);
    CU_ASSERT_EQUAL_FATAL(kit_apply(&bench->kit, POLICIES, false, false).rc, ERR_OK);
    made = kit_create(&bench->kit, "deploy", "");
    CU_ASSERT_EQUAL_FATAL(made.rc, ERR_OK);
    bench->id = made.id;
    request_id_format(&made.id, bench->id_text);
    directory_start(bench->directory);
    home_start(bench->home);
    bench_turn(bench);
    CU_ASSERT(fake_fetch_ok("auth.test", "{\"ok\":true,\"team_id\":\"" TEAM "\"}"));
    bench_turn(bench);
}

void bench_close(struct bench *bench)
{
    service_kit_close(&bench->kit);
    webapi_free(bench->webapi);
    home_free(bench->home);
    directory_free(bench->directory);
    slack_inbound_free(bench->inbound);
    metrics_free(bench->metrics);
    event_base_free(bench->base);
}

void bench_turn(struct bench *bench)
{
    struct request_id nobody = {.bytes = {0}};

    for (int i = 0; i < 6; i++) {
        (void)kit_get(&bench->kit, &nobody);                 /* a barrier: what was begun is done */
        (void)event_base_loop(bench->base, EVLOOP_NONBLOCK); /* its result says nothing more */
    }
}

void bench_late(struct bench *bench)
{
    service_kit_pass(&bench->kit, SLACK_REPLY_BUDGET_MS);
    inbound_on_budget(-1, 0, bench->inbound);
    CU_ASSERT_EQUAL(bench->reply.status, 503);
}

void bench_wait_reply(struct bench *bench)
{
    service_kit_wait(&bench->kit, &bench->reply.done);
    bench_turn(bench);
}

static void sign(uint64_t time_s, struct span body, char ret_time[24], char ret_signature[SIG_SIZE])
{
    uint8_t mac[CRYPTO_SHA256_SIZE];
    struct span parts[4] = {SPAN_LITERAL("v0:"), SPAN_NONE, SPAN_LITERAL(":"), body};

    (void)snprintf(ret_time, 24, "%llu", (unsigned long long)time_s);
    parts[1] = span_text(ret_time);
    crypto_hmac_sha256(SPAN_LITERAL(BENCH_SECRET), parts, 4, mac);
    (void)snprintf(ret_signature, SIG_SIZE, "v0=");
    crypto_hex(mac, sizeof mac, ret_signature + 3);
}

void bench_deliver(struct bench *bench, enum slack_path path, const char *type, const char *body)
{
    char timestamp[24];
    char signature[SIG_SIZE];
    struct slack_delivery delivery = {
        .path = path, .body = span_text(body), .content_type = span_text(type)};

    sign(atomic_load(&bench->kit.now_ms) / 1000, delivery.body, timestamp, signature);
    delivery.timestamp = span_text(timestamp);
    delivery.signature = span_text(signature);
    bench->reply.done = false;
    slack_inbound_handle(bench->inbound, &delivery, bench_on_reply, &bench->reply);
}

void bench_interact_only(struct bench *bench, const char *json)
{
    AUTO_BUF struct buf *form = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(3UL * BENCH_PAYLOAD, &form, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(webapi_form_add(form, "payload", span_text(json), &err), ERR_OK);
    bench_deliver(bench, SLACK_PATH_INTERACTIONS, BENCH_FORM, buf_text(form));
}

void bench_interact(struct bench *bench, const char *json)
{
    bench_interact_only(bench, json);
    bench_wait_reply(bench);
}

const char *
bench_press_json(const char *user, const char *action, const char *value, const char *ts)
{
    static char text[BENCH_PAYLOAD];

    (void)snprintf(text, sizeof text,
                   "{\"type\":\"block_actions\",\"user\":{\"id\":\"%s\",\"team_id\":\"%s\"},"
                   "\"team\":{\"id\":\"" TEAM "\"},\"trigger_id\":\"1.2.abc\","
                   "\"container\":{\"type\":\"message\",\"message_ts\":\"1799999000.000100\","
                   "\"channel_id\":\"C0APV00001\",\"is_ephemeral\":false},"
                   "\"channel\":{\"id\":\"C0APV00001\"},\"enterprise\":null,"
                   "\"response_url\":\"https://hooks.slack.com/actions/T/1/x\","
                   "\"actions\":[{\"type\":\"button\",\"action_id\":\"%s\",\"value\":\"%s\","
                   "\"action_ts\":\"%s\"}]}",
                   user, strcmp(user, "U0EXT00009") == 0 ? "T0OTHER009" : TEAM, action, value, ts);
    return text;
}

const char *bench_submit_json(const struct bench *bench, const char *user, const char *reason)
{
    static char text[BENCH_PAYLOAD];

    (void)snprintf(
        text, sizeof text,
        "{\"type\":\"view_submission\",\"user\":{\"id\":\"%s\",\"team_id\":\"" TEAM "\"},"
        "\"team\":{\"id\":\"" TEAM "\"},\"view\":{\"id\":\"V1\",\"callback_id\":\"reject\","
        "\"hash\":\"1799999990.abc\",\"private_metadata\":"
        "\"{\\\"r\\\":\\\"%s\\\",\\\"c\\\":\\\"C0APV00001\\\",\\\"m\\\":\\\"1799999000.000100\\\"}"
        "\","
        "\"state\":{\"values\":{\"reason\":{\"reason\":{\"type\":\"plain_text_input\","
        "\"value\":\"%s\"}}}}}}",
        user, bench->id_text, reason);
    return text;
}

void bench_command_only(struct bench *bench, const char *user, const char *text)
{
    AUTO_BUF struct buf *form = NULL;
    struct err err = ERR_INIT;
    char trigger[24]; /* each command has its own */

    (void)snprintf(trigger, sizeof trigger, "1.2.%u", bench->reply.count);
    CU_ASSERT_EQUAL_FATAL(buf_new(BENCH_PAYLOAD, &form, &err), ERR_OK);
    CU_ASSERT_EQUAL(webapi_form_add(form, "command", SPAN_LITERAL("/approval"), &err), ERR_OK);
    CU_ASSERT_EQUAL(webapi_form_add(form, "user_id", span_text(user), &err), ERR_OK);
    CU_ASSERT_EQUAL(webapi_form_add(form, "team_id", SPAN_LITERAL(TEAM), &err), ERR_OK);
    CU_ASSERT_EQUAL(webapi_form_add(form, "trigger_id", span_text(trigger), &err), ERR_OK);
    CU_ASSERT_EQUAL(webapi_form_add(form, "text", span_text(text), &err), ERR_OK);
    bench_deliver(bench, SLACK_PATH_COMMANDS, BENCH_FORM, buf_text(form));
}

void bench_command(struct bench *bench, const char *user, const char *text)
{
    bench_command_only(bench, user, text);
    bench_wait_reply(bench);
}

static void nothing(void *arg)
{
    (void)arg; /* the cache is what counts */
}

void bench_know(struct bench *bench, const char *user, const char *more)
{
    struct directory_need need = {.kind = DIRECTORY_USER, .id = span_text(user)};
    struct err err = ERR_INIT;
    char body[256];

    CU_ASSERT_EQUAL(directory_fetch(bench->directory, &need, 1, nothing, NULL, &err), ERR_OK);
    bench_turn(bench);
    (void)snprintf(body, sizeof body,
                   "{\"ok\":true,\"user\":{\"id\":\"%s\",\"team_id\":\"" TEAM "\"%s}}", user, more);
    CU_ASSERT(fake_fetch_ok("users.info", body));
    bench_turn(bench);
}

bool bench_call_says(const char *method, const char *part)
{
    const struct fetch_call *call = fake_fetch_find(method);

    return call != NULL && strstr(call->body, part) != NULL;
}
