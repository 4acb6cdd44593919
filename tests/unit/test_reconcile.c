/* SPDX-License-Identifier: Apache-2.0 */
/* test_reconcile.c: proves approvald/slack reconcile and post: after an unknown result one message
 * stays, whatever Slack and the store do.
 * Owns nothing but its cases; never opens a socket. */
#include "approvald/core/audit.h"
#include "approvald/core/request_id.h"
#include "tests/unit/sender_bench.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static void an_unknown_result_is_looked_for_and_one_card_stays(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    bench_answer_status(&bench, "chat.postMessage", 503, "");
    CU_ASSERT(bench_card()->attempted);
    bench_pass(&bench, 2000);
    CU_ASSERT_EQUAL(bench_calls("conversations.history"), 1);
    CU_ASSERT(bench_last_says("conversations.history",
                              "channel=" CHANNEL "&oldest=1764666000.000000&latest=1764838802."));
    CU_ASSERT(bench_last_says("conversations.history", "include_all_metadata=true"));
    bench_answer(&bench, "conversations.history", bench_history("U0BOT00001", "card"));
    CU_ASSERT(span_is(bench_card()->ts, "9.5"));
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 1); /* to the newest state, whatever it showed */
    CU_ASSERT(bench_last_says("chat.update", "\"ts\":\"9.5\""));
    bench_answer(&bench, "chat.update", OK_TRUE);
    CU_ASSERT_FALSE(outbox_is_owed(bench_card()));
    bench_teardown(&bench);
}

/* A history with the card as it was posted for a revision. */
static const char *history_of(uint32_t revision)
{
    static char body[1024];
    char id[REQUEST_ID_TEXT_SIZE];
    struct request_id request = fake_outbox_id(0);

    request_id_format(&request, id);
    (void)snprintf(body, sizeof body,
                   "{\"ok\":true,\"messages\":[{\"ts\":\"9.5\",\"user\":\"U0BOT00001\","
                   "\"blocks\":[{\"block_id\":\"r%u.b0\"},{\"block_id\":\"r%u.b1\"}],"
                   "\"metadata\":{\"event_type\":\"approvald_request\",\"event_payload\":"
                   "{\"request_id\":\"%s\",\"surface\":\"card\",\"revision\":%u}}}]}",
                   revision, revision, id, revision);
    return body;
}

static void what_is_found_as_it_should_be_costs_no_change(void)
{
    struct bench bench;

    for (uint32_t wanted = 1; wanted <= 2; wanted++) {
        bench_setup(&bench);
        fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
        bench_turn(&bench);
        bench_answer_status(&bench, "chat.postMessage", 503, "");
        fake_outbox_raise(0, SURFACE_CARD, CHANNEL, wanted);
        bench_pass(&bench, 2000);
        bench_answer(&bench, "conversations.history", history_of(1));
        CU_ASSERT(span_is(bench_card()->ts, "9.5"));
        CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
        CU_ASSERT_EQUAL(bench_calls("chat.update"), wanted - 1);
        CU_ASSERT_EQUAL(outbox_is_owed(bench_card()), wanted > 1);
        bench_teardown(&bench);
    }
}

/* Then the card is older than the time of its request says. */
static void a_clock_that_was_ahead_hides_no_card(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    bench_answer_status(&bench, "chat.postMessage", 503, "");
    bench.now.wall_ms -= UINT64_C(3) * 86400000; /* it is set right */
    bench_pass(&bench, 0);                       /* its pause begins */
    bench_pass(&bench, 2000);
    CU_ASSERT(bench_last_says("conversations.history", "&oldest=1764406802."));
    bench_answer(&bench, "conversations.history", bench_history("U0BOT00001", "card"));
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    bench_teardown(&bench);
}

static void a_clock_that_is_ahead_of_slack_hides_no_card(void)
{
    struct fetch_response response = {.outcome = FETCH_ANSWERED,
                                      .status = 503,
                                      .date = SPAN_LITERAL("Sun, 30 Nov 2025 09:00:00 GMT")};
    struct fetch_call *call;
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    call = fake_fetch_find("chat.postMessage");
    CU_ASSERT_PTR_NOT_NULL_FATAL(call);
    fake_fetch_answer(call, &response);
    bench_turn(&bench);
    bench_pass(&bench, 2000);
    CU_ASSERT(bench_last_says("conversations.history", "&oldest=1764406802."));
    bench_answer(&bench, "conversations.history", bench_history("U0BOT00001", "card"));
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    bench_teardown(&bench);
}

static void a_message_of_another_app_is_not_adopted(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    bench_answer_status(&bench, "chat.postMessage", 500, "");
    bench_pass(&bench, 2000);
    bench_answer(&bench, "conversations.history", bench_history("U0EVIL0001", "card"));
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    CU_ASSERT_EQUAL(bench_card()->ts.size, 0);
    bench_teardown(&bench);
}

static void the_search_goes_through_pages_and_ends(void)
{
    struct bench bench;
    size_t pages = 0;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    bench_answer_status(&bench, "chat.postMessage", 500, "");
    bench_pass(&bench, 2000);
    while (fake_fetch_find("conversations.history") != NULL && pages < 50) {
        pages++;
        bench_answer(
            &bench, "conversations.history",
            "{\"ok\":true,\"messages\":[],\"response_metadata\":{\"next_cursor\":\"abc=\"}}");
        bench_pass(&bench, 2000);
    }
    CU_ASSERT_EQUAL(pages, 10);
    CU_ASSERT(bench_last_says("conversations.history", "cursor=abc%3D"));
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    bench_teardown(&bench);
}

static void a_failed_search_is_repeated_and_nothing_is_posted(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    bench_answer_status(&bench, "chat.postMessage", 500, "");
    bench_pass(&bench, 2000);
    bench_answer_status(&bench, "conversations.history", 502, "");
    CU_ASSERT(bench_card()->attempted);
    bench_pass(&bench, 10000);
    CU_ASSERT_EQUAL(bench_calls("conversations.history"), 2);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    bench_teardown(&bench);
}

static void without_the_scope_to_look_it_posts_again(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    bench_answer_status(&bench, "chat.postMessage", 500, "");
    bench_pass(&bench, 2000);
    bench_refuse(&bench, "conversations.history", "missing_scope");
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    bench_answer(&bench, "chat.postMessage", POSTED);
    CU_ASSERT_FALSE(outbox_is_owed(bench_card()));
    bench_teardown(&bench);
}

static void a_reply_waits_for_its_card_and_goes_into_its_thread(void)
{
    const struct outbox_item item = {
        .id = 4, .at_ms = NOW_MS, .kind = AUDIT_APPROVAL, .user = SPAN_LITERAL("U0APR00001")};
    struct bench bench;
    const struct outbox_row *thread;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    fake_outbox_add(0, SURFACE_THREAD, CHANNEL, &item);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    bench_answer(&bench, "chat.postMessage", POSTED);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    CU_ASSERT(bench_last_says("chat.postMessage", "\"thread_ts\":\"1764752400.118349\""));
    CU_ASSERT(bench_last_says("chat.postMessage", "<@U0APR00001> approved (0 of 2)."));
    bench_answer_status(&bench, "chat.postMessage", 500, "");
    bench_pass(&bench, 2000);
    CU_ASSERT(bench_last_says("conversations.replies", "ts=1764752400.118349"));
    bench_answer(&bench, "conversations.replies", bench_history("U0BOT00001", "thread"));
    thread = fake_outbox_row(0, SURFACE_THREAD, CHANNEL);
    CU_ASSERT_FALSE(outbox_is_owed(thread));
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    bench_teardown(&bench);
}

static void a_direct_message_is_found_again_and_updated(void)
{
    struct bench bench;
    const struct outbox_row *direct;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_DIRECT, "U0REQ00001", 1);
    bench_turn(&bench);
    CU_ASSERT(bench_last_says("chat.postMessage", "{\"channel\":\"U0REQ00001\""));
    bench_answer_status(&bench, "chat.postMessage", 500, "");
    bench_pass(&bench, 2000);
    CU_ASSERT(bench_last_says("conversations.open", "{\"users\":\"U0REQ00001\"}"));
    bench_answer(&bench, "conversations.open", "{\"ok\":true,\"channel\":{\"id\":\"D0REQ00001\"}}");
    CU_ASSERT(bench_last_says("conversations.history", "channel=D0REQ00001"));
    bench_answer(&bench, "conversations.history", bench_history("U0BOT00001", "direct"));
    direct = fake_outbox_row(0, SURFACE_DIRECT, "U0REQ00001");
    CU_ASSERT(span_is(direct->channel, "D0REQ00001"));
    CU_ASSERT(bench_last_says("chat.update", "{\"channel\":\"D0REQ00001\",\"ts\":\"9.5\""));
    bench_teardown(&bench);
}

static void a_result_that_cannot_be_recorded_is_looked_for_later(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    fake_outbox_refuse(ERR_UNAVAILABLE);
    bench_answer(&bench, "chat.postMessage", POSTED);
    CU_ASSERT(outbox_is_owed(bench_card()));
    fake_outbox_refuse(ERR_OK);
    bench_pass(&bench, 5000);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    bench_answer(&bench, "conversations.history", bench_history("U0BOT00001", "card"));
    CU_ASSERT(span_is(bench_card()->ts, "9.5"));
    bench_teardown(&bench);
}

UNIT_MAIN("reconcile",
          {"an unknown result is looked for and one card stays",
           an_unknown_result_is_looked_for_and_one_card_stays},
          {"what is found as it should be costs no change",
           what_is_found_as_it_should_be_costs_no_change},
          {"a clock that was ahead hides no card", a_clock_that_was_ahead_hides_no_card},
          {"a clock that is ahead of Slack's hides no card",
           a_clock_that_is_ahead_of_slack_hides_no_card},
          {"a message of another app is not adopted", a_message_of_another_app_is_not_adopted},
          {"the search goes through pages and ends", the_search_goes_through_pages_and_ends},
          {"a failed search is repeated and nothing is posted",
           a_failed_search_is_repeated_and_nothing_is_posted},
          {"without the scope to look it posts again", without_the_scope_to_look_it_posts_again},
          {"a reply waits for its card and goes into its thread",
           a_reply_waits_for_its_card_and_goes_into_its_thread},
          {"a direct message is found again and updated",
           a_direct_message_is_found_again_and_updated},
          {"a result that cannot be recorded is looked for later",
           a_result_that_cannot_be_recorded_is_looked_for_later})
