/* SPDX-License-Identifier: Apache-2.0 */
/* test_sender_copies.c: proves what the sender does with copies of a card in direct messages: each
 * is posted once, found again, changed in place, and nobody is bothered with what has ended.
 * Owns nothing but its cases; never opens a socket. */
#include "approvald/core/audit.h"
#include "approvald/slack/limits.h"
#include "tests/lib/sample_request.h"
#include "tests/unit/sender_bench.h"
#include "tests/unit/unit.h"

#include <string.h>

#define ANA    "U0APR00001"
#define OPENED "{\"ok\":true,\"channel\":{\"id\":\"D0APR00001\"}}"
#define PLACED "{\"ok\":true,\"channel\":\"D0APR00001\",\"ts\":\"1764752400.200000\"}"
#define NONE   "{\"ok\":true,\"messages\":[],\"response_metadata\":{\"next_cursor\":\"\"}}"

static const struct outbox_row *copy_row(void)
{
    return fake_outbox_row(0, SURFACE_CARD, ANA);
}

static void put_state(enum sample state)
{
    static struct request request;
    static struct policy policy;

    sample_policy(&policy);
    policy.direct_approvers = true;
    sample_request(state, &request);
    fake_outbox_state(&request, &policy);
}

static void setup(struct bench *bench)
{
    bench_setup(bench);
    put_state(SAMPLE_PENDING);
    fake_outbox_raise(0, SURFACE_CARD, ANA, 1);
    bench_turn(bench);
}

static void a_copy_is_posted_to_its_person_and_changed_where_it_is(void)
{
    struct bench bench;

    setup(&bench);
    CU_ASSERT(bench_last_says("chat.postMessage", "{\"channel\":\"" ANA "\","));
    CU_ASSERT(bench_last_says("chat.postMessage", "\"surface\":\"card\""));
    bench_answer(&bench, "chat.postMessage", PLACED);
    CU_ASSERT(span_is(copy_row()->channel, "D0APR00001"));
    bench_pass(&bench, 4000);
    put_state(SAMPLE_APPROVED);
    fake_outbox_raise(0, SURFACE_CARD, ANA, 3);
    bench_turn(&bench);
    CU_ASSERT(
        bench_last_says("chat.update", "{\"channel\":\"D0APR00001\",\"ts\":\"1764752400.200000\""));
    bench_answer(&bench, "chat.update", OK_TRUE);
    CU_ASSERT_FALSE(outbox_is_owed(copy_row()));
    bench_teardown(&bench);
}

static void a_copy_of_unknown_fate_is_looked_for_with_its_person(void)
{
    struct bench bench;

    setup(&bench);
    bench_answer_status(&bench, "chat.postMessage", 503, "");
    bench_pass(&bench, 2000);
    bench_answer_status(&bench, "conversations.open", 503, "");
    CU_ASSERT_EQUAL(fake_outbox_away(), 1);
    bench_pass(&bench, 3000);
    CU_ASSERT(bench_last_says("conversations.open", "{\"users\":\"" ANA "\"}"));
    bench_answer(&bench, "conversations.open", OPENED);
    CU_ASSERT(bench_last_says("conversations.history", "channel=D0APR00001"));
    bench_answer(&bench, "conversations.history", bench_history("U0BOT00001", "card"));
    CU_ASSERT(span_is(copy_row()->channel, "D0APR00001") && span_is(copy_row()->ts, "9.5"));
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    CU_ASSERT(bench_last_says("chat.update", "{\"channel\":\"D0APR00001\",\"ts\":\"9.5\""));
    bench_teardown(&bench);
}

static void what_ended_before_it_was_posted_is_not_posted(void)
{
    struct bench bench;

    setup(&bench);
    bench_answer_status(&bench, "chat.postMessage", 429, "1");
    put_state(SAMPLE_REJECTED);
    fake_outbox_raise(0, SURFACE_CARD, ANA, 2);
    bench_pass(&bench, 3000);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    CU_ASSERT_FALSE(outbox_is_owed(copy_row()));
    bench_teardown(&bench);
}

/* The copy may have got out, and the request ends. */
static void doubt(struct bench *bench)
{
    setup(bench);
    bench_answer_status(bench, "chat.postMessage", 503, "");
    put_state(SAMPLE_REJECTED);
    bench_pass(bench, 2000);
}

/* It may come late: then it has to show the outcome. */
static void what_may_have_been_posted_is_looked_for_when_it_has_ended(void)
{
    struct bench bench;

    doubt(&bench);
    bench_answer(&bench, "conversations.open", OPENED);
    bench_answer(&bench, "conversations.history", NONE);
    CU_ASSERT(outbox_is_owed(copy_row()) && copy_row()->attempted);
    CU_ASSERT_EQUAL(fake_outbox_away(), 1); /* the post, and not the look */
    bench_pass(&bench, SLACK_RECONCILE_AGAIN_MS - 5000);
    CU_ASSERT_EQUAL(bench_calls("conversations."), 2); /* Slack takes few of them */
    bench_pass(&bench, 5000);
    bench_answer(&bench, "conversations.open", OPENED);
    bench_answer(&bench, "conversations.history", bench_history("U0BOT00001", "card"));
    CU_ASSERT(bench_last_says("chat.update", "{\"channel\":\"D0APR00001\",\"ts\":\"9.5\""));
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    bench_teardown(&bench);
}

static void what_has_not_come_by_then_does_not_come(void)
{
    struct bench bench;

    doubt(&bench);
    bench_answer(&bench, "conversations.open", OPENED);
    bench_answer(&bench, "conversations.history", NONE);
    bench_pass(&bench, 300000 + SLACK_RECONCILE_LATE_MS); /* it ended after 300 s */
    CU_ASSERT(outbox_is_owed(copy_row()));
    bench_answer(&bench, "conversations.open", OPENED);
    bench_answer(&bench, "conversations.history", NONE);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    CU_ASSERT_FALSE(outbox_is_owed(copy_row()));
    bench_teardown(&bench);
}

/* By the clock that is set right, it ends tomorrow. */
static void it_is_not_looked_for_until_a_clock_that_was_ahead_is_caught_up_with(void)
{
    struct bench bench;
    uint32_t looks = 0;

    doubt(&bench);
    bench.now.wall_ms -= UINT64_C(86400000);
    while (fake_fetch_find("conversations.open") != NULL && looks < 25) {
        looks++;
        bench_answer(&bench, "conversations.open", OPENED);
        bench_answer(&bench, "conversations.history", NONE);
        bench_pass(&bench, CORE_BACKOFF_MS_MAX);
    }
    CU_ASSERT(looks * SLACK_RECONCILE_AGAIN_MS >= SLACK_RECONCILE_LATE_MS && looks < 25);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    CU_ASSERT_FALSE(outbox_is_owed(copy_row()));
    bench_teardown(&bench);
}

/* Whoever gives the app the scope finds it changed; the admin is told in the end. */
static void what_cannot_be_looked_for_stays_in_doubt_when_it_has_ended(void)
{
    struct bench bench;

    doubt(&bench);
    bench_refuse(&bench, "conversations.open", "missing_scope");
    CU_ASSERT(outbox_is_owed(copy_row()) && copy_row()->attempted);
    bench_pass(&bench, 300000 + SLACK_RECONCILE_LATE_MS);
    bench_answer(&bench, "conversations.open", OPENED);
    bench_refuse(&bench, "conversations.history", "missing_scope");
    CU_ASSERT(outbox_is_owed(copy_row()) && copy_row()->attempted);
    CU_ASSERT(memmem(copy_row()->error.data, copy_row()->error.size, "add the scope", 13) != NULL);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    bench_teardown(&bench);
}

static void who_cannot_be_written_to_has_no_copy_in_doubt(void)
{
    struct bench bench;

    doubt(&bench);
    bench_refuse(&bench, "conversations.open", "user_disabled");
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    CU_ASSERT_FALSE(outbox_is_owed(copy_row()));
    bench_teardown(&bench);
}

static void a_copy_that_cannot_be_opened_tells_nobody_else(void)
{
    struct bench bench;

    setup(&bench);
    bench_refuse(&bench, "chat.postMessage", "messages_tab_disabled");
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    CU_ASSERT(copy_row()->dead);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    bench_refuse(&bench, "chat.postMessage", "is_archived");
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2); /* approvers have copies of their own */
    CU_ASSERT(bench_card()->dead);
    bench_teardown(&bench);
}

static void a_reminder_is_an_entry_under_the_copy(void)
{
    const struct outbox_item item = {.id = 4, .at_ms = NOW_MS, .kind = AUDIT_REMINDED};
    struct bench bench;

    setup(&bench);
    fake_outbox_add(0, SURFACE_THREAD, ANA, &item);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1); /* it waits for the copy */
    bench_answer(&bench, "chat.postMessage", PLACED);
    bench_pass(&bench, 2000);
    CU_ASSERT(bench_last_says("chat.postMessage", "{\"channel\":\"D0APR00001\",\"thread_ts\":"
                                                  "\"1764752400.200000\""));
    bench_answer_status(&bench, "chat.postMessage", 503, "");
    bench_pass(&bench, 2000);
    CU_ASSERT(bench_last_says("conversations.replies", "channel=D0APR00001"));
    bench_teardown(&bench);
}

static void a_reminder_of_what_has_ended_waits_for_no_copy(void)
{
    const struct outbox_item item = {.id = 4, .at_ms = NOW_MS, .kind = AUDIT_REMINDED};
    struct bench bench;

    bench_setup(&bench);
    put_state(SAMPLE_REJECTED);
    fake_outbox_add(0, SURFACE_THREAD, ANA, &item);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat."), 0);
    CU_ASSERT_FALSE(outbox_is_owed(fake_outbox_row(0, SURFACE_THREAD, ANA)));
    bench_teardown(&bench);
}

UNIT_MAIN("sender_copies",
          {"a copy is posted to its person and changed where it is",
           a_copy_is_posted_to_its_person_and_changed_where_it_is},
          {"a copy of unknown fate is looked for with its person",
           a_copy_of_unknown_fate_is_looked_for_with_its_person},
          {"what ended before it was posted is not posted",
           what_ended_before_it_was_posted_is_not_posted},
          {"what may have been posted is looked for when it has ended",
           what_may_have_been_posted_is_looked_for_when_it_has_ended},
          {"what has not come by then does not come", what_has_not_come_by_then_does_not_come},
          {"it is not looked for until a clock that was ahead is caught up with",
           it_is_not_looked_for_until_a_clock_that_was_ahead_is_caught_up_with},
          {"what cannot be looked for stays in doubt when it has ended",
           what_cannot_be_looked_for_stays_in_doubt_when_it_has_ended},
          {"who cannot be written to has no copy in doubt",
           who_cannot_be_written_to_has_no_copy_in_doubt},
          {"a copy that cannot be opened tells nobody else",
           a_copy_that_cannot_be_opened_tells_nobody_else},
          {"a reminder is an entry under the copy", a_reminder_is_an_entry_under_the_copy},
          {"a reminder of what has ended waits for no copy",
           a_reminder_of_what_has_ended_waits_for_no_copy})
