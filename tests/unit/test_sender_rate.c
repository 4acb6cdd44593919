/* SPDX-License-Identifier: Apache-2.0 */
/* test_sender_rate.c: proves that what waits for Slack's rates is rendered when its turn comes, so
 * that no call shows what is past and has to be followed by another one.
 * Owns nothing but its cases; never opens a socket. */
#include "approvald/slack/limits.h"
#include "approvald/slack/wire/webapi.h"
#include "tests/lib/sample_request.h"
#include "tests/unit/sender_bench.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define CHANGE_MS 1200 /* between two changes of any messages: 50 a minute */

static void on_answer(void *arg, const struct webapi_answer *answer)
{
    (void)arg;
    CU_ASSERT_EQUAL(answer->outcome, WEBAPI_OK);
}

/* Others have used the burst of changes but for so many calls. */
static void spend(struct bench *bench, uint32_t left_count)
{
    struct webapi_call call = {
        .method = WEBAPI_CHAT_UPDATE, .priority = WEBAPI_NORMAL, .body = SPAN_LITERAL("{}")};
    struct err err = ERR_INIT;

    while (webapi_wait_ms(bench->webapi, WEBAPI_CHAT_UPDATE, SPAN_NONE, left_count) == 0) {
        CU_ASSERT_EQUAL_FATAL(webapi_call(bench->webapi, &call, on_answer, NULL, &err), ERR_OK);
        bench_rush(bench);
        CU_ASSERT_FATAL(fake_fetch_ok("chat.update", OK_TRUE));
        bench_rush(bench);
    }
}

static void put_ended(uint32_t number, const char *channel, uint32_t revision)
{
    static struct request request;
    static struct policy policy;

    sample_policy(&policy);
    sample_request(SAMPLE_APPROVED, &request);
    fake_outbox_state(&request, &policy);
    fake_outbox_raise(number, SURFACE_CARD, channel, revision);
}

/* One card more than calls at once, each in a channel of its own. */
static const char *channel_of(uint32_t number)
{
    static char channel[16];

    (void)snprintf(channel, sizeof channel, "C0NEW%05u", number); /* fits */
    return channel;
}

static void post_many(struct bench *bench)
{
    for (uint32_t i = 0; i <= SLACK_SEND_SLACK_COUNT_MAX; i++) {
        fake_outbox_raise(i, SURFACE_CARD, channel_of(i), 1);
        bench_turn(bench);
        bench_answer(bench, "chat.postMessage", POSTED);
    }
    bench_pass(bench, SLACK_SEND_SPACING_MS);
}

static void change_many(bool ended)
{
    for (uint32_t i = 0; i <= SLACK_SEND_SLACK_COUNT_MAX; i++) {
        if (ended) {
            put_ended(i, channel_of(i), 2);
        } else {
            fake_outbox_raise(i, SURFACE_CARD, channel_of(i), 2);
        }
    }
}

static void changes_that_wait_for_the_rate_are_sent_as_they_are_then(void)
{
    static const char *const channels[] = {CHANNEL, "C0APV00002", "C0APV00003"};
    const uint32_t count = sizeof channels / sizeof channels[0];
    struct bench bench;
    size_t others;

    bench_setup(&bench);
    for (uint32_t i = 0; i < count; i++) {
        fake_outbox_raise(i, SURFACE_CARD, channels[i], 1);
        bench_turn(&bench);
        bench_answer(&bench, "chat.postMessage", POSTED);
    }
    bench_pass(&bench, SLACK_SEND_SPACING_MS);
    spend(&bench, 0);
    others = bench_calls("chat.update");
    for (uint32_t revision = 2; revision <= 3; revision++) { /* approved; claimed */
        for (uint32_t i = 0; i < count; i++) {
            put_ended(i, channels[i], revision);
        }
        bench_turn(&bench);
        CU_ASSERT_EQUAL(bench_calls("chat.update"), others);
    }
    for (uint32_t i = 1; i <= count; i++) {
        bench_pass(&bench, CHANGE_MS);
        CU_ASSERT_EQUAL(bench_calls("chat.update"), others + i);
        CU_ASSERT(bench_last_says("chat.update", "\"block_id\":\"r3.b0\""));
        bench_answer(&bench, "chat.update", OK_TRUE);
    }
    bench_pass(&bench, SLACK_SEND_SPACING_MS);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), others + count);
    bench_teardown(&bench);
}

/* Of a request with many copies: sent at once they would leave no call for what comes next. */
static void changes_that_would_use_up_the_rate_wait_for_more_of_them(void)
{
    struct bench bench;
    size_t others;

    for (uint32_t left_count = 4; left_count <= 9; left_count += 5) {
        bench_setup(&bench);
        post_many(&bench);
        spend(&bench, left_count);
        others = bench_calls("chat.update");
        change_many(false);
        bench_turn(&bench);
        bench_pass(&bench, SLACK_SEND_SETTLE_MS);
        CU_ASSERT_EQUAL(bench_calls("chat.update") > others, left_count == 9);
        bench_pass(&bench, SLACK_SEND_LONG_MS - SLACK_SEND_SETTLE_MS);
        CU_ASSERT(bench_calls("chat.update") > others);
        bench_teardown(&bench);
    }
}

/* Another host takes over and finds by its scan what is owed: outcomes wait for no other change. */
static void outcomes_that_a_scan_finds_go_at_once(void)
{
    struct bench bench;

    for (int ended = 0; ended <= 1; ended++) {
        bench_setup(&bench);
        post_many(&bench);
        sender_stop(bench.sender);
        change_many(ended == 1);
        sender_start(bench.sender);
        bench_turn(&bench);
        CU_ASSERT_EQUAL(bench_calls("chat.update"), (size_t)ended * SLACK_SEND_SLACK_COUNT_MAX);
        bench_teardown(&bench);
    }
}

static void a_card_that_waits_for_its_channel_is_posted_as_it_is_then(void)
{
    struct bench bench;

    bench_setup(&bench);
    bench_post_card(&bench);
    for (uint32_t i = 1; i < SLACK_CHANNEL_BURST; i++) {
        fake_outbox_raise(i, SURFACE_CARD, CHANNEL, 1);
        bench_turn(&bench);
        bench_answer(&bench, "chat.postMessage", POSTED);
    }
    fake_outbox_raise(7, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), SLACK_CHANNEL_BURST);
    put_ended(7, CHANNEL, 2);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), SLACK_CHANNEL_BURST);
    bench_pass(&bench, SLACK_CHANNEL_SPACING_MS);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), SLACK_CHANNEL_BURST + 1);
    CU_ASSERT(bench_last_says("chat.postMessage", "\"block_id\":\"r2.b0\""));
    bench_answer(&bench, "chat.postMessage", POSTED);
    bench_pass(&bench, SLACK_SEND_SPACING_MS);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 0);
    bench_teardown(&bench);
}

UNIT_MAIN("sender_rate",
          {"changes that wait for the rate are sent as they are then",
           changes_that_wait_for_the_rate_are_sent_as_they_are_then},
          {"changes that would use up the rate wait for more of them",
           changes_that_would_use_up_the_rate_wait_for_more_of_them},
          {"outcomes that a scan finds go at once", outcomes_that_a_scan_finds_go_at_once},
          {"a card that waits for its channel is posted as it is then",
           a_card_that_waits_for_its_channel_is_posted_as_it_is_then})
