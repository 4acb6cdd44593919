/* SPDX-License-Identifier: Apache-2.0 */
/* sender_bench.c: a sender between fakes.
 * Owns the loop of a case and what lives on it.
 * Never opens a socket, never waits for real time. */
#include "tests/unit/sender_bench.h"

#include "approvald/core/request_id.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/wire/webapi.h"
#include "base/log.h"
#include "base/metrics.h"
#include "tests/lib/sample_request.h"
#include "tests/unit/fake_webapi.h"

#include <CUnit/CUnit.h>
#include <event2/event.h>
#include <stdio.h>
#include <string.h>

/* Everything that can happen without more time or an answer happens. */
void bench_rush(struct bench *bench)
{
    for (int i = 0; i < 40; i++) {
        (void)event_base_loop(bench->base, EVLOOP_NONBLOCK); /* its result says nothing more */
    }
}

/* The same, and then so much time is over that the next change is looked at at once. */
void bench_turn(struct bench *bench)
{
    bench_rush(bench);
    bench->now.boot_ms += SLACK_SEND_GATHER_MS;
    bench->now.wall_ms += SLACK_SEND_GATHER_MS;
}

/* Time passes; both queues look again. */
void bench_pass(struct bench *bench, uint64_t ms)
{
    struct err err = ERR_INIT;

    bench->now.boot_ms += ms;
    bench->now.wall_ms += ms;
    fake_outbox_touch(0);
    /* Timers of the loop are real; a token set again makes the client look at its queue. */
    CU_ASSERT_EQUAL(webapi_set_token(bench->webapi, SPAN_LITERAL("xoxb-test"), &err), ERR_OK);
    bench_turn(bench);
}

static void on_webhook(evutil_socket_t fd, short events, void *arg)
{
    struct bench *bench = arg;
    struct delivery_result result = {.outcome = {.result = bench->webhook_result,
                                                 .item_id = bench->webhook_item,
                                                 .error = SPAN_LITERAL("as the test says")}};

    (void)fd;
    (void)events;
    bench->webhook_done(bench->webhook_arg, &result);
}

static enum err_code start_webhook(void *driver,
                                   const struct delivery *delivery,
                                   delivery_done_fn *done,
                                   void *arg,
                                   struct err *err)
{
    static const struct timeval now = {0, 0};
    struct bench *bench = driver;

    (void)err;
    bench->webhook_count++;
    bench->webhook_done = done;
    bench->webhook_arg = arg;
    bench->webhook_item = delivery->row->items[0].id;
    CU_ASSERT_EQUAL(event_base_once(bench->base, -1, EV_TIMEOUT, on_webhook, bench, &now), 0);
    return ERR_OK;
}

static void setup(struct bench *bench, bool compares)
{
    static struct request request;
    static struct policy policy;
    struct err err = ERR_INIT;

    memset(bench, 0, sizeof *bench);
    log_init(LOG_TARGET_TEXT, LOG_LEVEL_ERROR);
    fake_fetch_reset(ERR_OK);
    bench->now = (struct fake_time){.boot_ms = 5000000, .wall_ms = NOW_MS};
    bench->clock = fake_clock(&bench->now);
    bench->base = event_base_new();
    bench->service = fake_outbox_reset(bench->base, &bench->clock);
    sample_policy(&policy);
    sample_request(SAMPLE_PENDING, &request);
    fake_outbox_state(&request, &policy);
    CU_ASSERT_EQUAL_FATAL(metrics_new(&bench->metrics, &err), ERR_OK);
    bench->webapi = fake_webapi_new(bench->base, bench->metrics, &bench->clock);
    {
        struct sender_options options = {
            .base = bench->base,
            .service = bench->service,
            .webapi = bench->webapi,
            .webhook = start_webhook,
            .webhook_driver = bench,
            .metrics = bench->metrics,
            .clock = &bench->clock,
            .cluster = "main",
            .compares = compares,
        };

        CU_ASSERT_EQUAL_FATAL(sender_new(&options, &bench->sender, &err), ERR_OK);
    }
    sender_start(bench->sender);
    bench_turn(bench);
    CU_ASSERT(fake_fetch_ok("auth.test", "{\"ok\":true,\"url\":\"https://acme.slack.com/\","
                                         "\"user_id\":\"U0BOT00001\",\"bot_id\":\"B0APV00001\"}"));
    bench_turn(bench);
}

void bench_setup(struct bench *bench)
{
    setup(bench, false);
}

void bench_setup_comparing(struct bench *bench)
{
    setup(bench, true);
}

void bench_teardown(struct bench *bench)
{
    sender_stop(bench->sender);
    webapi_free(bench->webapi);
    bench_turn(bench); /* what the store still answers */
    sender_free(bench->sender);
    metrics_free(bench->metrics);
    event_base_free(bench->base);
}

/* How many calls of a method were made. */
size_t bench_calls(const char *method)
{
    size_t count = 0;

    for (size_t i = 0; i < fake_fetch_count(); i++) {
        count += strstr(fake_fetch_call(i)->url, method) != NULL;
    }
    return count;
}

/* The last call of a method says this. */
bool bench_last_says(const char *method, const char *part)
{
    for (size_t i = fake_fetch_count(); i > 0; i--) {
        if (strstr(fake_fetch_call(i - 1)->url, method) != NULL) {
            return strstr(fake_fetch_call(i - 1)->body, part) != NULL;
        }
    }
    return false;
}

const struct outbox_row *bench_card(void)
{
    return fake_outbox_row(0, SURFACE_CARD, CHANNEL);
}

void bench_answer(struct bench *bench, const char *method, const char *body)
{
    CU_ASSERT(fake_fetch_ok(method, body));
    bench_turn(bench);
}

void bench_answer_status(struct bench *bench, const char *method, uint32_t status, const char *wait)
{
    struct fetch_response response = {
        .outcome = FETCH_ANSWERED, .status = status, .retry_after = span_text(wait)};
    struct fetch_call *call = fake_fetch_find(method);

    CU_ASSERT_PTR_NOT_NULL_FATAL(call);
    fake_fetch_answer(call, &response);
    bench_turn(bench);
}

void bench_refuse(struct bench *bench, const char *method, const char *word)
{
    char body[128];

    (void)snprintf(body, sizeof body, "{\"ok\":false,\"error\":\"%s\"}", word);
    bench_answer(bench, method, body);
}

/* A card that is posted. */
void bench_post_card(struct bench *bench)
{
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(bench);
    bench_answer(bench, "chat.postMessage", POSTED);
    CU_ASSERT_EQUAL_FATAL(bench_card()->sent, 1);
}

void bench_setup_changed(struct bench *bench)
{
    bench_setup(bench);
    bench_post_card(bench);
    bench_pass(bench, 4000);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 2);
    bench_turn(bench);
}

/* A history with one message; bot is who wrote it. */
const char *bench_history(const char *bot, const char *surface)
{
    static char body[1024];
    char id[REQUEST_ID_TEXT_SIZE];
    struct request_id request = fake_outbox_id(0);

    request_id_format(&request, id);
    (void)snprintf(body, sizeof body,
                   "{\"ok\":true,\"messages\":[{\"ts\":\"1.1\",\"text\":\"x\"},{\"ts\":\"9.5\","
                   "\"user\":\"%s\",\"metadata\":{\"event_type\":\"approvald_request\","
                   "\"event_payload\":{\"request_id\":\"%s\",\"surface\":\"%s\",\"item\":4}}}],"
                   "\"response_metadata\":{\"next_cursor\":\"\"}}",
                   bot, id, surface);
    return body;
}
