/* SPDX-License-Identifier: Apache-2.0 */
/* test_cardsweep.c: proves approvald/slack/outbound/cardsweep between a real store and a fake
 * Slack: what it asks for, and that failures of a page end. Owns nothing but its cases; never opens
 * a socket. */
#include "approvald/service/internal.h"
#include "approvald/slack/outbound/cardsweep.h"

#include "approvald/slack/wire/webapi.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "tests/unit/inbound_bench.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define CHANNEL "C0APV00001"
#define TS      "1800000000.000100"
#define SELF    "{\"ok\":true,\"user_id\":\"U0BOT00001\",\"bot_id\":\"B0APV00001\"}"
#define NOTHING "{\"ok\":true,\"messages\":[],\"has_more\":false}"

struct sweep_bench {
    struct bench bench;
    struct cardsweep *sweep;
    unsigned compared; /* times */
};

static void on_compared(void *arg)
{
    ((struct sweep_bench *)arg)->compared++;
}

/* One card is posted and settled. */
static void open_sweep(struct sweep_bench *bench)
{
    struct service_row_key key;
    struct service_outcome outcome = {.result = OUTBOX_SENT,
                                      .revision = 1,
                                      .channel = SPAN_LITERAL(CHANNEL),
                                      .ts = SPAN_LITERAL(TS)};
    struct cardsweep_options options;
    struct err err = ERR_INIT;

    bench_open(&bench->bench);
    key = kit_key(&bench->bench.id, SURFACE_CARD, CHANNEL);
    CU_ASSERT_EQUAL(kit_begin(&bench->bench.kit, &key).rc, ERR_OK);
    CU_ASSERT_EQUAL(kit_end(&bench->bench.kit, &key, &outcome), ERR_OK);
    options = (struct cardsweep_options){
        .base = bench->bench.base,
        .service = bench->bench.kit.service,
        .webapi = bench->bench.webapi,
        .metrics = bench->bench.metrics,
        .clock = &bench->bench.kit.clock,
        .compared = on_compared,
        .arg = bench,
    };
    bench->compared = 0;
    CU_ASSERT_EQUAL_FATAL(cardsweep_new(&options, &bench->sweep, &err), ERR_OK);
    cardsweep_start(bench->sweep);
    bench_turn(&bench->bench);
}

static void close_sweep(struct sweep_bench *bench)
{
    cardsweep_stop(bench->sweep);
    cardsweep_free(bench->sweep);
    bench_close(&bench->bench);
}

static void answer(struct sweep_bench *bench, const char *method, const char *body)
{
    CU_ASSERT_FATAL(fake_fetch_ok(method, body));
    bench_turn(&bench->bench);
}

/* Time passes; a report makes it look again (the timers of the loop are real). */
static void pass(struct sweep_bench *bench, uint64_t ms)
{
    struct kit_answer other = kit_create(&bench->bench.kit, "deploy", "");
    struct err err = ERR_INIT;

    service_kit_pass(&bench->bench.kit, ms);
    CU_ASSERT_EQUAL(service_refresh(bench->bench.kit.service, &other.id, NULL, NULL, &err), ERR_OK);
    webapi_go_on(bench->bench.webapi); /* its queue is looked at */
    bench_turn(&bench->bench);
}

static struct cardsweep_status status(const struct sweep_bench *bench)
{
    struct cardsweep_status status;

    cardsweep_status(bench->sweep, &status);
    return status;
}

static const char *page_with(const struct sweep_bench *bench, const char *ts, int revision)
{
    static char body[1024];

    (void)snprintf(body, sizeof body,
                   "{\"ok\":true,\"has_more\":false,\"messages\":[{\"ts\":\"%s\",\"user\":"
                   "\"U0BOT00001\",\"metadata\":{\"event_type\":\"approvald_request\","
                   "\"event_payload\":{\"request_id\":\"%s\",\"surface\":\"card\",\"revision\":%d,"
                   "\"plain\":true}}}]}",
                   ts, bench->bench.id_text, revision); /* fits */
    return body;
}

static void a_good_card_is_left_alone(void)
{
    struct sweep_bench bench;

    open_sweep(&bench);
    CU_ASSERT(status(&bench).running);
    answer(&bench, "auth.test", SELF);
    CU_ASSERT(bench_call_says("conversations.history", "channel=" CHANNEL "&latest="));
    CU_ASSERT(bench_call_says("conversations.history", "include_all_metadata=true"));
    /* With an end: by the beginning alone the oldest may come first. */
    CU_ASSERT(bench_call_says("conversations.history", "&oldest=1800000000"));
    answer(&bench, "conversations.history", page_with(&bench, TS, 1));
    CU_ASSERT_FALSE(status(&bench).running);
    CU_ASSERT(status(&bench).counts.good == 1 && status(&bench).repaired == 0);
    CU_ASSERT_EQUAL(service_outbox_depth(bench.bench.kit.service), 0);
    CU_ASSERT(cardsweep_is_idle(bench.sweep));
    close_sweep(&bench);
}

/* By a clock that is behind Slack's the card is of tomorrow. */
static void a_clock_that_is_behind_hides_no_card(void)
{
    struct sweep_bench bench;

    open_sweep(&bench);
    bench.bench.kit.jump_ms = -86400000;
    answer(&bench, "auth.test", SELF);
    CU_ASSERT(bench_call_says("conversations.history", "&latest=1800000600.000100&"));
    close_sweep(&bench);
}

static void a_stale_and_a_missing_card_are_owed_again(void)
{
    for (int i = 0; i < 2; i++) {
        struct sweep_bench bench;

        open_sweep(&bench);
        answer(&bench, "auth.test", SELF);
        answer(&bench, "conversations.history", i == 0 ? page_with(&bench, TS, 0) : NOTHING);
        CU_ASSERT_EQUAL(service_outbox_depth(bench.bench.kit.service), 1);
        CU_ASSERT_EQUAL(status(&bench).repaired, 1);
        CU_ASSERT_EQUAL(i == 0 ? status(&bench).counts.stale : status(&bench).counts.missing, 1);
        close_sweep(&bench);
    }
}

static void between_pages_from_the_store_others_have_their_turn(void)
{
    struct sweep_bench bench;

    open_sweep(&bench);
    for (int i = 0; i < SERVICE_CARD_REQUEST_COUNT_MAX; i++) {
        CU_ASSERT_EQUAL(kit_create(&bench.bench.kit, "deploy", "").rc, ERR_OK);
    }
    answer(&bench, "auth.test", SELF);
    CU_ASSERT(status(&bench).running);
    CU_ASSERT_PTR_NULL(fake_fetch_find("conversations.history")); /* there is another page */
    pass(&bench, SLACK_CHECK_PACE_MS);
    CU_ASSERT_PTR_NOT_NULL(fake_fetch_find("conversations.history"));
    close_sweep(&bench);
}

static void a_page_that_fails_is_asked_shorter_and_not_for_ever(void)
{
    static const struct fetch_response broken = {.outcome = FETCH_ANSWERED, .status = 500};
    struct sweep_bench bench;

    open_sweep(&bench);
    answer(&bench, "auth.test", SELF);
    CU_ASSERT(bench_call_says("conversations.history", "limit=100"));
    for (int i = 0; i < SLACK_CHECK_TRY_COUNT; i++) {
        struct fetch_call *call = fake_fetch_find("conversations.history");

        CU_ASSERT_PTR_NOT_NULL_FATAL(call);
        CU_ASSERT(i == 0 || bench_call_says("conversations.history", "limit=20"));
        fake_fetch_answer(call, &broken);
        bench_turn(&bench.bench);
        pass(&bench, SLACK_CHECK_RETRY_MS);
    }
    CU_ASSERT_FALSE(status(&bench).running);
    CU_ASSERT(status(&bench).counts.skipped == 1 && status(&bench).repaired == 0);
    close_sweep(&bench);
}

static void what_may_not_be_read_is_said(void)
{
    struct sweep_bench bench;

    open_sweep(&bench);
    answer(&bench, "auth.test", SELF);
    answer(&bench, "conversations.history",
           "{\"ok\":false,\"error\":\"missing_scope\",\"needed\":\"channels:history\"}");
    CU_ASSERT_EQUAL(status(&bench).counts.blind, 1);
    CU_ASSERT_STRING_EQUAL(status(&bench).blind_error, "missing_scope");
    CU_ASSERT_STRING_EQUAL(status(&bench).blind_scope, "channels:history");
    CU_ASSERT_EQUAL(service_outbox_depth(bench.bench.kit.service), 0);
    close_sweep(&bench);
}

static void on_done(void *arg, const struct webapi_answer *answer)
{
    (void)arg;    /* nobody waits for it */
    (void)answer; /* it failed */
}

/* A sweep, then an outage of so long. */
static void be_away(uint64_t away_ms)
{
    static const struct fetch_response lost = {.outcome = FETCH_NOT_SENT};
    const struct webapi_call call = {.method = WEBAPI_VIEWS_OPEN, .priority = WEBAPI_URGENT};
    struct sweep_bench bench;
    struct err err = ERR_INIT;

    open_sweep(&bench);
    answer(&bench, "auth.test", SELF);
    answer(&bench, "conversations.history", page_with(&bench, TS, 1));
    CU_ASSERT_FALSE(status(&bench).running);
    for (int i = 0; i < SLACK_BREAKER_FAILURE_COUNT; i++) {
        CU_ASSERT_EQUAL(webapi_call(bench.bench.webapi, &call, on_done, NULL, &err), ERR_OK);
        bench_turn(&bench.bench);
        fake_fetch_answer(fake_fetch_find("views.open"), &lost);
    }
    pass(&bench, away_ms);
    answer(&bench, "auth.test", SELF); /* the client's probe */
    CU_ASSERT(status(&bench).running);
    answer(&bench, "auth.test", SELF);
    CU_ASSERT_EQUAL(bench.compared, 1); /* before the outage */
    answer(&bench, "conversations.history", NOTHING);
    CU_ASSERT_EQUAL(status(&bench).repaired, 1);
    CU_ASSERT_EQUAL(bench.compared, 2);
    close_sweep(&bench);
}

static void when_slack_was_away_it_begins_anew(void)
{
    be_away(SLACK_BREAKER_MS_MIN);
    be_away(SLACK_CHECK_EVERY_MS + 1); /* past the time at which the next sweep was due */
}

/* A post that was given up may arrive when the network is back: then there are two cards. */
static void others_follow_a_sweep_soon(void)
{
    struct sweep_bench bench;
    uint64_t now_ms;

    open_sweep(&bench);
    now_ms = clock_boot_ms(&bench.bench.kit.clock);
    answer(&bench, "auth.test", SELF);
    answer(&bench, "conversations.history", page_with(&bench, TS, 1));
    CU_ASSERT_FALSE(status(&bench).running);
    CU_ASSERT_EQUAL(status(&bench).due_ms, now_ms + SLACK_CHECK_AGAIN_MS);
    close_sweep(&bench);
}

static void begin_and_end(struct sweep_bench *bench)
{
    answer(bench, "auth.test", SELF);
    answer(bench, "conversations.history", page_with(bench, TS, 1));
    CU_ASSERT_FALSE(status(bench).running);
}

/* A call that was given up may still arrive, and a card then shows what it showed before. */
static void a_call_that_was_given_up_is_looked_after(void)
{
    struct sweep_bench bench;
    struct service *service;
    uint64_t began_ms;

    open_sweep(&bench);
    service = bench.bench.kit.service;
    began_ms = clock_boot_ms(&bench.bench.kit.clock);
    begin_and_end(&bench);
    service_kit_pass(&bench.bench.kit, SLACK_CHECK_GAP_MS);
    service_doubted(service, SERVICE_DOUBT_LATE);
    CU_ASSERT_EQUAL(status(&bench).due_ms, began_ms + SLACK_CHECK_GAP_MS + SLACK_CHECK_LATE_MS);
    /* A sweep for another reason begins before: it is too early for that call. */
    service_doubted(service, SERVICE_DOUBT_WRONG);
    CU_ASSERT_EQUAL(status(&bench).due_ms, began_ms + SLACK_CHECK_GAP_MS);
    bench_turn(&bench.bench);
    CU_ASSERT(status(&bench).running);
    begin_and_end(&bench);
    CU_ASSERT_EQUAL(status(&bench).due_ms, began_ms + 2UL * SLACK_CHECK_GAP_MS);
    close_sweep(&bench);
}

/* Where one takes a minute, they do not follow each other without a pause. */
static void sweeps_leave_time_between_them(void)
{
    struct sweep_bench bench;
    uint64_t began_ms;

    open_sweep(&bench);
    began_ms = clock_boot_ms(&bench.bench.kit.clock);
    answer(&bench, "auth.test", SELF);
    pass(&bench, 60000);
    answer(&bench, "conversations.history", page_with(&bench, TS, 1));
    CU_ASSERT_FALSE(status(&bench).running);
    service_doubted(bench.bench.kit.service, SERVICE_DOUBT_WRONG);
    CU_ASSERT_EQUAL(status(&bench).due_ms, began_ms + SLACK_CHECK_GAP_SHARE * UINT64_C(60000));
    close_sweep(&bench);
}

UNIT_MAIN("cardsweep",
          {"a good card is left alone", a_good_card_is_left_alone},
          {"a clock that is behind hides no card", a_clock_that_is_behind_hides_no_card},
          {"a stale and a missing card are owed again", a_stale_and_a_missing_card_are_owed_again},
          {"between pages from the store others have their turn",
           between_pages_from_the_store_others_have_their_turn},
          {"a page that fails is asked shorter, and not for ever",
           a_page_that_fails_is_asked_shorter_and_not_for_ever},
          {"what may not be read is said", what_may_not_be_read_is_said},
          {"when Slack was away it begins anew", when_slack_was_away_it_begins_anew},
          {"others follow a sweep soon", others_follow_a_sweep_soon},
          {"a call that was given up is looked after", a_call_that_was_given_up_is_looked_after},
          {"sweeps leave time between them", sweeps_leave_time_between_them})
