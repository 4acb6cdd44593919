/* SPDX-License-Identifier: Apache-2.0 */
/* test_sender.c: proves approvald/slack sender, post, sendfate and sendplan: what is owed is sent,
 * in order, and what Slack refuses becomes the next best thing. Owns nothing but its cases; never
 * opens a socket. */
#include "approvald/core/audit.h"
#include "approvald/slack/limits.h"
#include "tests/lib/sample_request.h"
#include "tests/unit/sender_bench.h"
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

static void a_card_is_posted_and_its_place_recorded(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    CU_ASSERT(bench_last_says("chat.postMessage",
                              "{\"channel\":\"" CHANNEL "\",\"unfurl_links\":false,"
                              "\"unfurl_media\":false,\"text\":\"Approval needed"));
    CU_ASSERT(bench_card()->attempted);
    bench_answer(&bench, "chat.postMessage", POSTED);
    CU_ASSERT_FALSE(outbox_is_owed(bench_card()));
    CU_ASSERT(span_is(bench_card()->ts, "1764752400.118349"));
    CU_ASSERT(span_is(bench_card()->channel, CHANNEL));
    CU_ASSERT(sender_is_idle(bench.sender));
    bench_pass(&bench, 60000);
    CU_ASSERT_EQUAL(bench_calls("chat."), 1);
    bench_teardown(&bench);
}

static void a_deleted_message_is_posted_once_more(void)
{
    struct bench bench;

    bench_setup_changed(&bench);
    bench_refuse(&bench, "chat.update", "message_not_found");
    CU_ASSERT_EQUAL(bench_card()->ts.size, 0);
    bench_pass(&bench, 2000);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    CU_ASSERT_EQUAL(bench_calls("conversations.history"), 0);
    bench_answer(&bench, "chat.postMessage",
                 "{\"ok\":true,\"channel\":\"" CHANNEL "\",\"ts\":\"1764752499.000001\"}");
    CU_ASSERT(span_is(bench_card()->ts, "1764752499.000001"));
    CU_ASSERT_FALSE(outbox_is_owed(bench_card()));
    bench_pass(&bench, 60000);
    CU_ASSERT_EQUAL(bench_calls("chat."), 3);
    bench_teardown(&bench);
}

static void an_archived_channel_is_a_dead_letter(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    bench_refuse(&bench, "chat.postMessage", "is_archived");
    CU_ASSERT(bench_card()->dead);
    CU_ASSERT_EQUAL(bench_card()->ts.size, 0);
    CU_ASSERT_PTR_NOT_NULL(
        memmem(bench_card()->error.data, bench_card()->error.size, "unarchive it", 12));
    bench_pass(&bench, 600000);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    bench_teardown(&bench);
}

static void refused_blocks_become_plain_text(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    bench_refuse(&bench, "chat.postMessage", "invalid_blocks");
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    CU_ASSERT(bench_last_says("chat.postMessage", "\"blocks\":[]"));
    CU_ASSERT(bench_last_says("chat.postMessage", "answer with: approvalctl approve req_"));
    bench_answer(&bench, "chat.postMessage", POSTED);
    CU_ASSERT_FALSE(outbox_is_owed(bench_card()));
    bench_teardown(&bench);
}

static void a_message_too_old_to_change_gets_a_reply(void)
{
    struct bench bench;

    bench_setup_changed(&bench);
    bench_refuse(&bench, "chat.update", "edit_window_closed");
    CU_ASSERT(bench_last_says("chat.postMessage", "\"thread_ts\":\"1764752400.118349\""));
    bench_answer(&bench, "chat.postMessage", POSTED);
    CU_ASSERT_FALSE(outbox_is_owed(bench_card()));
    CU_ASSERT(span_is(bench_card()->ts, "1764752400.118349"));
    bench_teardown(&bench);
}

static void changes_in_a_burst_become_one_update(void)
{
    struct bench bench;

    bench_setup(&bench);
    bench_post_card(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 2);
    bench_turn(&bench);
    bench_pass(&bench, 1000);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 3);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 0);
    bench_pass(&bench, 2100);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 1);
    CU_ASSERT(bench_last_says("chat.update", "\"block_id\":\"r3.b0\""));
    bench_answer(&bench, "chat.update", OK_TRUE);
    CU_ASSERT_FALSE(outbox_is_owed(bench_card()));
    bench_teardown(&bench);
}

/* The request that the store tells of, in this state. */
static void put_state(enum sample state)
{
    static struct request request;
    static struct policy policy;

    sample_policy(&policy);
    sample_request(state, &request);
    fake_outbox_state(&request, &policy);
}

static void an_outcome_does_not_wait_for_the_spacing_but_what_follows_does(void)
{
    struct bench bench;

    bench_setup(&bench);
    bench_post_card(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 2); /* one of two approvals */
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 0);
    put_state(SAMPLE_APPROVED);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 3);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 1);
    CU_ASSERT(bench_last_says("chat.update", "\"block_id\":\"r3.b0\""));
    bench_answer(&bench, "chat.update", OK_TRUE);
    CU_ASSERT_FALSE(outbox_is_owed(bench_card()));
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 4); /* claimed */
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 1);
    bench_pass(&bench, SLACK_SEND_SPACING_MS);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 2);
    bench_teardown(&bench);
}

static void an_outcome_during_the_first_post_follows_it_at_once(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    put_state(SAMPLE_APPROVED);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 2);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat."), 1);
    bench_answer(&bench, "chat.postMessage", POSTED);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 1);
    bench_answer(&bench, "chat.update", OK_TRUE);
    CU_ASSERT_EQUAL(bench_card()->sent, 2);
    bench_teardown(&bench);
}

static void an_outcome_waits_when_slack_asks_for_a_pause(void)
{
    struct bench bench;

    bench_setup(&bench);
    bench_post_card(&bench);
    bench_pass(&bench, SLACK_SEND_SPACING_MS);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 2);
    bench_turn(&bench);
    bench_answer_status(&bench, "chat.update", 429, "30");
    put_state(SAMPLE_APPROVED);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 3);
    bench_turn(&bench);
    bench_pass(&bench, 29000);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 1);
    bench_pass(&bench, 2000);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 2);
    bench_teardown(&bench);
}

static void the_first_change_is_looked_at_at_once_and_those_behind_it_together(void)
{
    struct bench bench;
    size_t looks;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_rush(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    looks = fake_outbox_looks();
    for (uint32_t i = 1; i < 5; i++) {
        char channel[16];

        (void)snprintf(channel, sizeof channel, "C0NEW%05u", i);
        fake_outbox_raise(i, SURFACE_CARD, channel, 1);
        bench_rush(&bench);
        bench.now.boot_ms += SLACK_SEND_GATHER_MS / 5;
    }
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    /* Its own timer, which the later changes have not moved, looks at all of them. */
    bench.now.boot_ms += SLACK_SEND_GATHER_MS / 5;
    CU_ASSERT_EQUAL(event_base_loop(bench.base, EVLOOP_ONCE), 0);
    bench_rush(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 5);
    CU_ASSERT_EQUAL(fake_outbox_looks(), looks + 1); /* of a pair each costs a round */
    bench_teardown(&bench);
}

static void what_a_look_does_not_show_is_looked_at_again(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_show(2);
    for (uint32_t i = 0; i < 5; i++) {
        char channel[16];

        (void)snprintf(channel, sizeof channel, "C0NEW%05u", i);
        fake_outbox_raise(i, SURFACE_CARD, channel, 1);
    }
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 5);
    bench_teardown(&bench);
}

static void a_change_during_the_call_is_sent_after_it(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 2);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat."), 1);
    bench_answer(&bench, "chat.postMessage", POSTED);
    CU_ASSERT_EQUAL(bench_card()->sent, 1);
    bench_pass(&bench, 3100);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 1);
    bench_answer(&bench, "chat.update", OK_TRUE);
    CU_ASSERT_EQUAL(bench_card()->sent, 2);
    bench_teardown(&bench);
}

static void too_many_requests_hold_one_method_and_not_the_others(void)
{
    struct bench bench;

    bench_setup_changed(&bench);
    bench_answer_status(&bench, "chat.update", 429, "30");
    bench_pass(&bench, 10000);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 1);
    fake_outbox_raise(1, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    bench_answer(&bench, "chat.postMessage", POSTED);
    bench_pass(&bench, 21000);
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 2);
    bench_teardown(&bench);
}

static void a_notice_is_shown_where_it_was_pressed_or_told_directly(void)
{
    const struct outbox_item item = {.id = 4,
                                     .at_ms = NOW_MS,
                                     .kind = AUDIT_NOTICE,
                                     .text = SPAN_LITERAL("Not among the approvers.")};
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_place(0, SURFACE_NOTICE, "U0GEN00001", CHANNEL, "");
    fake_outbox_add(0, SURFACE_NOTICE, "U0GEN00001", &item);
    bench_turn(&bench);
    CU_ASSERT(bench_last_says("chat.postEphemeral", "{\"channel\":\"" CHANNEL
                                                    "\",\"user\":\"U0GEN00001\",\"text\":\"Not "));
    bench_refuse(&bench, "chat.postEphemeral", "user_not_in_channel");
    CU_ASSERT(bench_last_says("chat.postMessage", "{\"channel\":\"U0GEN00001\""));
    bench_answer(&bench, "chat.postMessage", POSTED);
    CU_ASSERT_FALSE(outbox_is_owed(fake_outbox_row(0, SURFACE_NOTICE, "U0GEN00001")));
    bench_teardown(&bench);
}

static void a_dead_webhook_waits_for_the_admin_and_keeps_its_order(void)
{
    struct outbox_item item = {.id = 4, .at_ms = NOW_MS, .kind = AUDIT_APPROVED};
    const struct outbox_row *row;
    struct bench bench;

    bench_setup(&bench);
    bench.webhook_result = OUTBOX_DEAD;
    fake_outbox_add(0, SURFACE_WEBHOOK, "deploys", &item);
    item.id = 5;
    fake_outbox_add(0, SURFACE_WEBHOOK, "deploys", &item);
    bench_turn(&bench);
    row = fake_outbox_row(0, SURFACE_WEBHOOK, "deploys");
    CU_ASSERT(row->dead);
    CU_ASSERT(span_is(row->error, "as the test says"));
    bench_pass(&bench, 600000);
    CU_ASSERT_EQUAL(bench.webhook_count, 1);
    CU_ASSERT_EQUAL(bench.webhook_item, 4);
    bench.webhook_result = OUTBOX_SENT;
    fake_outbox_replay(0, SURFACE_WEBHOOK, "deploys");
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench.webhook_count, 3);
    CU_ASSERT_EQUAL(bench.webhook_item, 5);
    CU_ASSERT_FALSE(outbox_is_owed(row));
    bench_teardown(&bench);
}

static void a_notice_that_comes_too_late_is_dropped(void)
{
    const struct outbox_item item = {
        .id = 4, .at_ms = NOW_MS - 61000, .kind = AUDIT_NOTICE, .text = SPAN_LITERAL("No.")};
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_add(0, SURFACE_NOTICE, "U0GEN00001", &item);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat."), 0);
    CU_ASSERT_FALSE(outbox_is_owed(fake_outbox_row(0, SURFACE_NOTICE, "U0GEN00001")));
    bench_teardown(&bench);
}

static void a_refused_token_pauses_and_a_new_one_resumes(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    bench_refuse(&bench, "chat.postMessage", "token_revoked");
    bench.now.boot_ms += 600000;
    bench.now.wall_ms += 600000;
    fake_outbox_touch(0);
    bench_turn(&bench);
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    CU_ASSERT(outbox_is_owed(bench_card()));
    CU_ASSERT_FALSE(bench_card()->dead);
    bench_pass(&bench, 1000); /* with a token */
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 2);
    bench_teardown(&bench);
}

static void what_people_see_comes_before_what_is_new(void)
{
    const struct outbox_item item = {
        .id = 4, .at_ms = NOW_MS, .kind = AUDIT_NOTICE, .text = SPAN_LITERAL("No.")};
    struct bench bench;
    size_t before;

    bench_setup(&bench);
    for (uint32_t i = 0; i < 20; i++) {
        char channel[16];

        (void)snprintf(channel, sizeof channel, "C0NEW%05u", i);
        fake_outbox_raise(i, SURFACE_CARD, channel, 1);
    }
    for (uint32_t i = 20; i < 23; i++) {
        char channel[16];

        (void)snprintf(channel, sizeof channel, "C0OLD%05u", i);
        fake_outbox_place(i, SURFACE_CARD, channel, channel, "1.5");
        fake_outbox_raise(i, SURFACE_CARD, channel, 2);
    }
    fake_outbox_place(30, SURFACE_NOTICE, "U0GEN00001", CHANNEL, "");
    fake_outbox_add(30, SURFACE_NOTICE, "U0GEN00001", &item);
    bench_turn(&bench);
    before = fake_fetch_count();
    CU_ASSERT(before <= 8); /* auth.test and those that may run at once */
    for (size_t i = 0; i < 6; i++) {
        if (fake_fetch_find("chat.postMessage") != NULL) {
            bench_answer(&bench, "chat.postMessage", POSTED);
        }
    }
    CU_ASSERT_EQUAL(bench_calls("chat.update"), 3);
    CU_ASSERT_EQUAL(bench_calls("chat.postEphemeral"), 1);
    CU_ASSERT(bench_calls("chat.postMessage") < 20);
    bench_teardown(&bench);
}

static void more_than_fits_in_memory_is_sent_in_the_end(void)
{
    struct bench bench;
    size_t sent = 0;

    bench_setup(&bench);
    sender_stop(bench.sender);
    for (uint32_t i = 0; i < 400; i++) {
        char user[24];

        (void)snprintf(user, sizeof user, "U0MANY%05u", i);
        fake_outbox_raise(i, SURFACE_DIRECT, user, 1);
    }
    fake_fetch_reset(ERR_OK);
    sender_start(bench.sender);
    bench_turn(&bench);
    for (int round = 0; round < 600 && sent < 400; round++) {
        if (fake_fetch_find("auth.test") != NULL) {
            bench_answer(&bench, "auth.test", OK_TRUE);
        }
        while (fake_fetch_find("chat.postMessage") != NULL) {
            bench_answer(&bench, "chat.postMessage", POSTED);
            sent++;
        }
        if (fake_fetch_count() > 40) {
            fake_fetch_reset(ERR_OK);
        }
        bench_pass(&bench, 1000);
    }
    CU_ASSERT_EQUAL(sent, 400);
    for (uint32_t i = 0; i < 400; i++) {
        char user[24];

        (void)snprintf(user, sizeof user, "U0MANY%05u", i);
        CU_ASSERT_FALSE(outbox_is_owed(fake_outbox_row(i, SURFACE_DIRECT, user)));
    }
    bench_teardown(&bench);
}

static void owe_cards(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        fake_outbox_raise(i, SURFACE_CARD, CHANNEL, 1);
    }
}

static void a_scan_pauses_between_pages_while_enough_is_at_hand(void)
{
    const uint32_t count = 7 * SLACK_SEND_PAGE_COUNT;
    struct bench bench;
    size_t pages;

    bench_setup(&bench);
    owe_cards(count);
    bench_turn(&bench);
    pages = fake_outbox_pages();
    bench_pass(&bench, SLACK_SEND_SCAN_MS);
    CU_ASSERT_EQUAL(fake_outbox_pages(), pages + 1); /* each is a read before the next press */
    bench_rush(&bench);
    CU_ASSERT_EQUAL(fake_outbox_pages(), pages + 1);
    for (size_t i = 2; i <= count / SLACK_SEND_PAGE_COUNT; i++) {
        size_t looks = fake_outbox_looks();

        bench_pass(&bench, SLACK_SEND_PACE_MS);
        CU_ASSERT_EQUAL(fake_outbox_pages(), pages + i);
        CU_ASSERT(fake_outbox_looks() > looks); /* a change does not wait for the scan's end */
    }
    bench_pass(&bench, SLACK_SEND_PACE_MS);
    CU_ASSERT_EQUAL(fake_outbox_pages(), pages + count / SLACK_SEND_PAGE_COUNT); /* its end */
    bench_teardown(&bench);
}

static void a_scan_for_a_plan_with_room_does_not_pause(void)
{
    const uint32_t count = SLACK_SEND_ROW_COUNT_MAX / 2 - 1;
    struct bench bench;
    size_t pages;

    bench_setup(&bench);
    owe_cards(count);
    bench_turn(&bench);
    pages = fake_outbox_pages();
    bench_pass(&bench, SLACK_SEND_SCAN_MS);
    CU_ASSERT_EQUAL(fake_outbox_pages(), pages + 2);
    bench_teardown(&bench);
}

static void a_stop_lets_what_is_under_way_end(void)
{
    struct bench bench;

    bench_setup(&bench);
    fake_outbox_raise(0, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    sender_stop(bench.sender);
    CU_ASSERT_FALSE(sender_is_idle(bench.sender));
    fake_outbox_raise(1, SURFACE_CARD, CHANNEL, 1);
    bench_turn(&bench);
    bench_answer(&bench, "chat.postMessage", POSTED);
    CU_ASSERT(sender_is_idle(bench.sender));
    CU_ASSERT_FALSE(outbox_is_owed(bench_card()));
    CU_ASSERT_EQUAL(bench_calls("chat.postMessage"), 1);
    bench_teardown(&bench);
}

UNIT_MAIN(
    "sender",
    {"a card is posted and its place recorded", a_card_is_posted_and_its_place_recorded},
    {"a deleted message is posted once more", a_deleted_message_is_posted_once_more},
    {"an archived channel is a dead letter", an_archived_channel_is_a_dead_letter},
    {"refused blocks become plain text", refused_blocks_become_plain_text},
    {"a message too old to change gets a reply", a_message_too_old_to_change_gets_a_reply},
    {"changes in a burst become one update", changes_in_a_burst_become_one_update},
    {"an outcome does not wait for the spacing but what follows does",
     an_outcome_does_not_wait_for_the_spacing_but_what_follows_does},
    {"an outcome during the first post follows it at once",
     an_outcome_during_the_first_post_follows_it_at_once},
    {"an outcome waits when Slack asks for a pause", an_outcome_waits_when_slack_asks_for_a_pause},
    {"the first change is looked at at once and those behind it together",
     the_first_change_is_looked_at_at_once_and_those_behind_it_together},
    {"what a look does not show is looked at again", what_a_look_does_not_show_is_looked_at_again},
    {"a change during the call is sent after it", a_change_during_the_call_is_sent_after_it},
    {"too many requests hold one method and not the others",
     too_many_requests_hold_one_method_and_not_the_others},
    {"a notice is shown where it was pressed or told directly",
     a_notice_is_shown_where_it_was_pressed_or_told_directly},
    {"a dead webhook waits for the admin and keeps its order",
     a_dead_webhook_waits_for_the_admin_and_keeps_its_order},
    {"a notice that comes too late is dropped", a_notice_that_comes_too_late_is_dropped},
    {"a refused token pauses and a new one resumes", a_refused_token_pauses_and_a_new_one_resumes},
    {"what people see comes before what is new", what_people_see_comes_before_what_is_new},
    {"more than fits in memory is sent in the end", more_than_fits_in_memory_is_sent_in_the_end},
    {"a scan pauses between pages while enough is at hand",
     a_scan_pauses_between_pages_while_enough_is_at_hand},
    {"a scan for a plan with room does not pause", a_scan_for_a_plan_with_room_does_not_pause},
    {"a stop lets what is under way end", a_stop_lets_what_is_under_way_end})
