/* SPDX-License-Identifier: Apache-2.0 */
/* test_sender_fate.c: proves that what Slack does with a message is told to nobody twice.
 * Owns nothing but its cases; never opens a socket. */
#include "approvald/core/audit.h"
#include "tests/unit/sender_bench.h"
#include "tests/unit/unit.h"

/* The reconciler finds an old revision there, again and again. */
static void what_a_reply_has_said_is_not_said_again_by_a_repair(void)
{
    struct bench bench;

    bench_setup_changed(&bench);
    bench_refuse(&bench, "chat.update", "edit_window_closed");
    bench_answer(&bench, "chat.postMessage", POSTED);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    bench_pass(&bench, 4000);
    fake_outbox_repair(0, SURFACE_CARD, CHANNEL);
    bench_turn(&bench);
    bench_refuse(&bench, "chat.update", "edit_window_closed");
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    CU_ASSERT_FALSE(outbox_is_owed(bench_card()));
    bench_pass(&bench, 4000);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 3); /* that is news */
    bench_turn(&bench);
    bench_refuse(&bench, "chat.update", "edit_window_closed");
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 3);
    bench_teardown(&bench);
}

/* Posted anew with each change, it would be taken for one that is deleted again and again. */
static void a_direct_message_too_old_to_change_gets_replies(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_DIRECT, "U0REQ00001", 1);
    bench_turn(&bench);
    bench_answer(&bench, "chat.postMessage", POSTED);
    for (uint32_t revision = 2; revision < 6; revision++) {
        bench_pass(&bench, 4000);
        fake_outbox_raise(0, SURFACE_DIRECT, "U0REQ00001", revision);
        bench_turn(&bench);
        bench_refuse(&bench, "chat.update", "edit_window_closed");
        CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), revision);
        CU_ASSERT(bench_last_says("chat.postMessage", "\"thread_ts\":\"1764752400.118349\""));
        bench_answer(&bench, "chat.postMessage", POSTED);
        CU_ASSERT_FALSE(outbox_is_owed(fake_outbox_row(0, SURFACE_DIRECT, "U0REQ00001")));
    }
    bench_teardown(&bench);
}

/* Else it is posted again when its fate is unknown. */
static void a_reply_in_plain_text_can_be_looked_for(void)
{
    const struct outbox_item item = {.id = 4, .at_ms = NOW_MS, .kind = AUDIT_REMINDED};
    struct bench bench;

    bench_setup(&bench);
    bench_post_card(&bench);
    fake_outbox_add(0, SURFACE_THREAD, CHANNEL, &item);
    bench_turn(&bench);
    CU_ASSERT(bench_last_says("chat.postMessage", "\"surface\":\"thread\""));
    bench_refuse(&bench, "chat.postMessage", "invalid_blocks");
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 3);
    CU_ASSERT(bench_last_says("chat.postMessage", "\"blocks\":[]"));
    CU_ASSERT(bench_last_says("chat.postMessage", "\"surface\":\"thread\""));
    CU_ASSERT(bench_last_says("chat.postMessage", "\"item\":4"));
    bench_teardown(&bench);
}

static void time_out(struct bench *bench, const char *method)
{
    const struct fetch_response response = {.outcome = FETCH_UNKNOWN};
    struct fetch_call *call = fake_fetch_find(method);

    CU_ASSERT_PTR_NOT_NULL_FATAL(call);
    fake_fetch_answer(call, &response);
    bench_turn(bench);
}

/* A Slack that is slow shows it, and does not say so in time: nobody can look for it. */
static void a_notice_that_times_out_is_tried_once_more(void)
{
    const struct outbox_item item = {
        .id = 4, .at_ms = NOW_MS, .kind = AUDIT_NOTICE, .text = SPAN_LITERAL("No.")};
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_place(0, SURFACE_NOTICE, "U0GEN00001", CHANNEL, "");
    fake_outbox_add(0, SURFACE_NOTICE, "U0GEN00001", &item);
    bench_turn(&bench);
    time_out(&bench, "chat.postEphemeral");
    CU_ASSERT(outbox_is_owed(fake_outbox_row(0, SURFACE_NOTICE, "U0GEN00001")));
    bench_pass(&bench, 2000);
    bench_answer_status(&bench, "chat.postEphemeral", 503, ""); /* that one was not shown */
    CU_ASSERT(outbox_is_owed(fake_outbox_row(0, SURFACE_NOTICE, "U0GEN00001")));
    bench_pass(&bench, 4000);
    time_out(&bench, "chat.postEphemeral");
    CU_ASSERT_FALSE(outbox_is_owed(fake_outbox_row(0, SURFACE_NOTICE, "U0GEN00001")));
    bench_pass(&bench, 20000);
    CU_ASSERT_EQUAL(bench_calls("chat.postEphemeral"), 3);
    bench_teardown(&bench);
}

UNIT_MAIN("sender_fate",
          {"what a reply has said is not said again by a repair",
           what_a_reply_has_said_is_not_said_again_by_a_repair},
          {"a direct message too old to change gets replies",
           a_direct_message_too_old_to_change_gets_replies},
          {"a reply in plain text can be looked for", a_reply_in_plain_text_can_be_looked_for},
          {"a notice that times out is tried once more",
           a_notice_that_times_out_is_tried_once_more})
