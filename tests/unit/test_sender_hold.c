/* SPDX-License-Identifier: Apache-2.0 */
/* test_sender_hold.c: proves what the sender does first when Slack is back: what people see and is
 * wrong, as soon as that is known, and not for ever.
 * Owns nothing but its cases; never opens a socket. */
#include "approvald/slack/limits.h"
#include "approvald/slack/wire/webapi.h"
#include "tests/unit/sender_bench.h"
#include "tests/unit/unit.h"

#define ELSEWHERE "C0APV00002"

/* Slack is away, and a new card is owed; then it is back. */
static void go_away_for(struct bench *bench, uint64_t away_ms)
{
    uint32_t revision = bench_card()->wanted + 1;

    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, revision);
    bench_turn(bench);
    bench_pass(bench, SLACK_SEND_SETTLE_MS); /* it may have been back a moment ago */
    bench_refuse(bench, "chat.update", "token_revoked");
    fake_outbox_raise(1, SURFACE_CARD, ELSEWHERE, revision);
    bench_turn(bench);
    bench_pass(bench, away_ms + 1000);                  /* with a token */
    CU_ASSERT(bench_last_says("chat.update", CHANNEL)); /* what changed meanwhile waits for none */
    bench_answer(bench, "chat.update", OK_TRUE);
    bench_turn(bench);
}

static void go_away(struct bench *bench)
{
    go_away_for(bench, SLACK_SEND_HOLD_AFTER_MS);
}

static void open_away(struct bench *bench)
{
    bench_setup_comparing(bench);
    bench_post_card(bench);
    bench_pass(bench, SLACK_SEND_SPACING_MS);
    go_away(bench);
}

static void new_cards_wait_until_what_is_wrong_is_sent(void)
{
    struct bench bench;
    size_t updates;

    open_away(&bench);
    bench_pass(&bench, SLACK_SEND_HOLD_MS / 4);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    fake_outbox_doubt(0, SURFACE_CARD, CHANNEL); /* the sweep owes it again ... */
    sender_compared(bench.sender);               /* ... and is through */
    bench_pass(&bench, SLACK_SEND_HOLD_MS / 4);
    updates = bench_calls("chat.update");
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    bench_refuse(&bench, "chat.update", "message_not_found");
    bench_pass(&bench, SLACK_SEND_HOLD_MS / 5);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), updates);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    CU_ASSERT(bench_last_says("chat.postMessage", CHANNEL)); /* what is gone, first */
    bench_answer(&bench, "chat.postMessage", POSTED);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 3);
    CU_ASSERT(bench_last_says("chat.postMessage", ELSEWHERE));
    bench_teardown(&bench);
}

static void nothing_wrong_lets_them_go_at_once(void)
{
    struct bench bench;

    open_away(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    sender_compared(bench.sender);
    bench_rush(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    bench_teardown(&bench);
}

static void a_comparison_that_hangs_holds_them_no_longer_than_said(void)
{
    struct bench bench;

    open_away(&bench);
    bench_pass(&bench, SLACK_SEND_HOLD_MS - 1000);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    bench_pass(&bench, 1000);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    bench_answer(&bench, "chat.postMessage", POSTED);
    go_away(&bench); /* again, soon: a Slack that comes and goes holds no more of them */
    fake_outbox_raise(2, SURFACE_CARD, ELSEWHERE, bench_card()->wanted);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 3);
    bench_teardown(&bench);
}

static void a_short_outage_holds_nothing(void)
{
    struct bench bench;

    bench_setup_comparing(&bench);
    bench_post_card(&bench);
    bench_pass(&bench, SLACK_SEND_SPACING_MS);
    go_away_for(&bench, SLACK_SEND_SPACING_MS);
    bench_pass(&bench, 100);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    bench_teardown(&bench);
}

static void on_answer(void *arg, const struct webapi_answer *answer)
{
    *(enum webapi_outcome *)arg = answer->outcome;
}

/* A call that does not reach Slack, or does. */
static void call(struct bench *bench, bool reaches)
{
    const struct webapi_call update = {
        .method = WEBAPI_CHAT_UPDATE, .priority = WEBAPI_NORMAL, .body = SPAN_LITERAL("{}")};
    const struct fetch_response lost = {.outcome = FETCH_NOT_SENT};
    enum webapi_outcome outcome = WEBAPI_PERMANENT;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(webapi_call(bench->webapi, &update, on_answer, &outcome, &err), ERR_OK);
    bench_rush(bench);
    CU_ASSERT_PTR_NOT_NULL_FATAL(fake_fetch_find("chat.update"));
    CU_ASSERT_EQUAL(fake_fetch_find("chat.update")->timeout_ms, SLACK_CALL_TIMEOUT_MS);
    if (reaches) {
        CU_ASSERT(fake_fetch_ok("chat.update", OK_TRUE));
    } else {
        fake_fetch_answer(fake_fetch_find("chat.update"), &lost);
    }
    CU_ASSERT_EQUAL(outcome, reaches ? WEBAPI_OK : WEBAPI_RETRY);
}

/* A question into a dead network stands in the way of the next one no longer than need be. */
static void the_end_of_an_outage_is_noticed_within_some_seconds(void)
{
    const struct fetch_response lost = {.outcome = FETCH_NOT_SENT};
    struct bench bench;

    bench_setup(&bench);
    for (int i = 0; i < SLACK_BREAKER_FAILURE_COUNT; i++) {
        call(&bench, false);
    }
    for (int i = 0; i <= 8; i++) {
        bench_rush(&bench);
        CU_ASSERT_PTR_NULL(fake_fetch_find("auth.test"));
        bench.now.boot_ms += 5000;
        webapi_go_on(bench.webapi); /* timers of the loop are real: it looks at its queue */
        bench_rush(&bench);
        CU_ASSERT_PTR_NOT_NULL_FATAL(fake_fetch_find("auth.test"));
        CU_ASSERT(fake_fetch_find("auth.test")->timeout_ms <= 6000);
        if (i < 8) {
            fake_fetch_answer(fake_fetch_find("auth.test"), &lost);
        }
    }
    CU_ASSERT(fake_fetch_ok("auth.test", OK_TRUE));
    call(&bench, true);
    bench_teardown(&bench);
}

UNIT_MAIN("sender_hold",
          {"the end of an outage is noticed within some seconds",
           the_end_of_an_outage_is_noticed_within_some_seconds},
          {"a short outage holds nothing", a_short_outage_holds_nothing},
          {"new cards wait until what is wrong is sent",
           new_cards_wait_until_what_is_wrong_is_sent},
          {"nothing wrong lets them go at once", nothing_wrong_lets_them_go_at_once},
          {"a comparison that hangs holds them no longer than said",
           a_comparison_that_hangs_holds_them_no_longer_than_said})
