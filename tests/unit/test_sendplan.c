/* SPDX-License-Identifier: Apache-2.0 */
/* test_sendplan.c: proves approvald/slack/outbound/sendplan: what is sent first, after an outage
 * too. Owns nothing but its cases; never reads a clock, the time is a number. */
#include "tests/unit/sendplan_kit.h"

static void after_an_outage_what_is_wrong_goes_before_what_is_new(void)
{
    struct outbox_row fresh = row_of(1, SURFACE_CARD, false, NOW - OUTAGE_MS);
    struct outbox_row stale = row_of(2, SURFACE_CARD, true, NOW - 1000 - SLACK_SEND_WATCHED_MS);
    struct outbox_row doubted = row_of(3, SURFACE_CARD, true, NOW - 5);
    struct outbox_row pressed = row_of(4, SURFACE_CARD, true, NOW - 1);
    struct outbox_row told = row_of(5, SURFACE_NOTICE, false, NOW);
    struct sendplan plan;

    sendplan_init(&plan);
    outbox_doubt(&doubted, NOW - 5);
    put(&plan, &fresh, NOW);
    put(&plan, &stale, NOW);
    put(&plan, &doubted, NOW);
    put(&plan, &pressed, NOW);
    put(&plan, &told, NOW);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 5);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 4); /* he looks whether it worked */
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 2);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 3);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 1);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 0);
}

/* Nobody has seen the new ones yet; of what is gone somebody has. */
static void new_cards_may_be_held_and_nothing_else(void)
{
    struct sendplan_limits limits = open_limits;
    struct outbox_row fresh = row_of(1, SURFACE_CARD, false, NOW - OUTAGE_MS);
    struct outbox_row gone = row_of(2, SURFACE_CARD, false, NOW);
    struct outbox_row told = row_of(3, SURFACE_DIRECT, false, NOW);
    struct outbox_row doubted = row_of(4, SURFACE_CARD, true, NOW - SLACK_SEND_WATCHED_MS);
    struct sendplan plan;

    sendplan_init(&plan);
    put(&plan, &fresh, NOW);
    CU_ASSERT_FALSE(sendplan_has_repairs(&plan));
    limits.holds_new = true;
    CU_ASSERT_EQUAL(start(&plan, &limits, NOW), 0);
    CU_ASSERT_EQUAL(sendplan_due_ms(&plan, &limits), UINT64_MAX);
    gone.reposts = 1;
    put(&plan, &gone, NOW);
    put(&plan, &told, NOW);
    CU_ASSERT(sendplan_has_repairs(&plan));
    CU_ASSERT_EQUAL(start(&plan, &limits, NOW), 2);
    CU_ASSERT(sendplan_has_repairs(&plan)); /* it is not there yet */
    CU_ASSERT_EQUAL(start(&plan, &limits, NOW), 3);
    CU_ASSERT_EQUAL(start(&plan, &limits, NOW), 0);
    outbox_doubt(&doubted, NOW);
    put(&plan, &doubted, NOW);
    CU_ASSERT_EQUAL(start(&plan, &limits, NOW), 4);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 1);
}

/* What has not ended may change again, and then its call was in vain. What is only in doubt may be
 * right. */
static void an_outcome_goes_before_how_far_others_have_come(void)
{
    struct outbox_row pressed = row_of(1, SURFACE_CARD, true, NOW - 1);
    struct outbox_row ended = row_of(2, SURFACE_CARD, true, NOW - 2UL * SLACK_SEND_WATCHED_MS);
    struct outbox_row doubted = row_of(3, SURFACE_CARD, true, NOW - 2UL * SLACK_SEND_WATCHED_MS);
    struct outbox_row told = row_of(4, SURFACE_NOTICE, false, NOW);
    struct sendplan plan;

    sendplan_init(&plan);
    outbox_doubt(&doubted, NOW - 5);
    put(&plan, &pressed, NOW);
    put(&plan, &ended, NOW);
    put(&plan, &doubted, NOW);
    put(&plan, &told, NOW);
    put_ended(&plan, &ended, NOW); /* listed again */
    put_ended(&plan, &doubted, NOW);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 4);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 2);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 1);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 3);
}

/* It is not a failure: where few are owed its back-off would be all that the others wait for. */
static void what_slack_puts_off_is_due_when_slack_says(void)
{
    struct outbox_row row = row_of(1, SURFACE_CARD, true, NOW);
    struct sendplan_row *started;
    struct sendplan plan;

    sendplan_init(&plan);
    put(&plan, &row, NOW);
    started = sendplan_next(&plan, &open_limits, NOW);
    CU_ASSERT_PTR_NOT_NULL_FATAL(started);
    sendplan_start(&plan, started);
    row.attempts = 6; /* put off again and again */
    row.attempt_ms = NOW;
    sendplan_hold_method(&plan, started, NOW + 2000);
    sendplan_finish(&plan, started, NOW + 2000, false);
    put(&plan, &row, NOW + 1);
    put(&plan, &row, NOW + 2);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW + 1999), 0);
    CU_ASSERT_EQUAL(sendplan_due_ms(&plan, &open_limits), NOW + 2000);
    started = sendplan_next(&plan, &open_limits, NOW + 2000);
    CU_ASSERT_PTR_NOT_NULL_FATAL(started);
    sendplan_start(&plan, started);
    row.attempt_ms = NOW + 2000;
    sendplan_finish(&plan, started, NOW + 2001, false); /* now it has failed */
    put(&plan, &row, NOW + 2001);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW + 4000), 0);
}

static void cards_change_before_direct_messages_about_them(void)
{
    struct outbox_row told = row_of(1, SURFACE_DIRECT, true, NOW - 2);
    struct outbox_row pressed = row_of(2, SURFACE_CARD, true, NOW - 1);
    struct outbox_row doubted = row_of(3, SURFACE_CARD, true, NOW - 1);
    struct outbox_row fresh = row_of(4, SURFACE_CARD, false, NOW - 3);
    struct sendplan plan;

    sendplan_init(&plan);
    outbox_doubt(&doubted, NOW - 1);
    put_ended(&plan, &told, NOW); /* its outcome, too */
    put(&plan, &pressed, NOW);
    put(&plan, &doubted, NOW);
    put(&plan, &fresh, NOW);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 2);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 3);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 1);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 4);
}

static void what_was_put_off_is_no_new_change(void)
{
    struct sendplan_limits limits = open_limits;
    struct outbox_row row = row_of(1, SURFACE_CARD, true, NOW);
    uint64_t settled_ms = NOW + SLACK_SEND_SETTLE_MS;
    struct sendplan_row *started;
    struct sendplan plan;

    limits.changes_spent = true;
    sendplan_init(&plan);
    put(&plan, &row, NOW);
    started = sendplan_next(&plan, &limits, settled_ms);
    CU_ASSERT_PTR_NOT_NULL_FATAL(started);
    sendplan_start(&plan, started);
    sendplan_hold_method(&plan, started, settled_ms + 1000);
    sendplan_finish(&plan, started, settled_ms + 1000, false);
    put(&plan, &row, settled_ms + 1);
    CU_ASSERT_EQUAL(sendplan_due_ms(&plan, &limits), settled_ms + 1000);
    outbox_raise(&row, row.wanted + 1, settled_ms + 2); /* it changes again */
    put(&plan, &row, settled_ms + 2);
    CU_ASSERT_EQUAL(sendplan_due_ms(&plan, &limits), settled_ms + 2 + SLACK_SEND_SETTLE_MS);
}

static void many_notices_keep_no_card_waiting(void)
{
    struct sendplan plan;

    sendplan_init(&plan);
    for (uint8_t i = 1; i <= 20; i++) {
        struct outbox_row row =
            row_of(i, i <= 10 ? SURFACE_NOTICE : SURFACE_CARD, i > 10, NOW - OUTAGE_MS);

        put(&plan, &row, NOW - SLACK_SEND_SETTLE_MS);
    }
    for (uint32_t i = 0; i < SLACK_SEND_SLACK_COUNT_MAX; i++) {
        uint8_t number = start(&plan, &open_limits, NOW);

        CU_ASSERT(number > 0);
        CU_ASSERT_EQUAL(number <= 10, i < SLACK_SEND_NOTICE_COUNT_MAX);
    }
}

/* Six messages or fewer go at once. */
static void where_many_change_each_waits_for_its_next_change(void)
{
    const uint8_t count = SLACK_SEND_SLACK_COUNT_MAX + 1;
    bool often = false;
    struct outbox_row row;
    struct sendplan plan;

    sendplan_init(&plan);
    for (uint8_t i = 1; i <= count; i++) {
        row = row_of(i, SURFACE_CARD, true, NOW);
        put(&plan, &row, NOW);
    }
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 0);
    CU_ASSERT_EQUAL(sendplan_due_ms(&plan, &open_limits), NOW + SLACK_SEND_SETTLE_MS);
    row = row_of(3, SURFACE_CARD, true, NOW);
    put_ended(&plan, &row, NOW); /* that one has ended */
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 3);
    row = row_of(8, SURFACE_CARD, true, NOW);
    put(&plan, &row, NOW);
    row = row_of(1, SURFACE_CARD, true, NOW);
    for (uint64_t ms = 1000; ms < SLACK_SEND_SETTLE_MS_MAX; ms += 1000) {
        outbox_raise(&row, (uint32_t)(ms / 1000) + 2, NOW + ms);
        put(&plan, &row, NOW + ms);
        if (ms == 1000) {
            CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW + SLACK_SEND_SETTLE_MS), 2);
        }
    }
    for (uint8_t i = 9; i <= 12; i++) {
        row = row_of(i, SURFACE_CARD, true, NOW);
        put(&plan, &row, NOW + SLACK_SEND_SETTLE_MS_MAX);
    }
    CU_ASSERT_EQUAL(sendplan_due_ms(&plan, &open_limits), NOW + SLACK_SEND_SETTLE_MS);
    for (uint8_t i = 4; i <= 7; i++) { /* those of four, and the one that has changed too often */
        uint8_t number = start(&plan, &open_limits, NOW + SLACK_SEND_SETTLE_MS_MAX);

        CU_ASSERT(number > 0 && number < 9);
        often = often || number == 1;
    }
    CU_ASSERT(often);
}

/* The last one takes nobody's place. */
static void with_the_rate_used_up_each_waits_longer_while_there_are_others(void)
{
    struct sendplan_limits limits = open_limits;
    struct outbox_row first = row_of(1, SURFACE_CARD, true, NOW);
    struct outbox_row second = row_of(2, SURFACE_CARD, true, NOW);
    struct sendplan plan;

    limits.changes_spent = true;
    sendplan_init(&plan);
    put(&plan, &first, NOW);
    CU_ASSERT_EQUAL(sendplan_due_ms(&plan, &limits), NOW + SLACK_SEND_SETTLE_MS);
    put(&plan, &second, NOW);
    CU_ASSERT_EQUAL(sendplan_due_ms(&plan, &limits), NOW + SLACK_SEND_LONG_MS);
    CU_ASSERT(start(&plan, &limits, NOW + SLACK_SEND_LONG_MS) > 0);
    CU_ASSERT_EQUAL(sendplan_due_ms(&plan, &limits), NOW + SLACK_SEND_SETTLE_MS);
}

static void behind_an_outage_each_waits_for_its_next_change_too(void)
{
    const uint64_t later_ms = NOW + SLACK_SEND_FLOOD_MS;
    struct outbox_row before = row_of(1, SURFACE_CARD, true, NOW - OUTAGE_MS);
    struct outbox_row behind = row_of(2, SURFACE_CARD, true, NOW);
    struct outbox_row later = row_of(3, SURFACE_CARD, true, later_ms);
    struct sendplan plan;

    sendplan_init(&plan);
    put(&plan, &before, NOW - OUTAGE_MS);
    sendplan_reach(&plan, NOW);
    put(&plan, &before, NOW); /* listed again: it is no change */
    put(&plan, &behind, NOW + 1);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW + 1), 1);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW + SLACK_SEND_SETTLE_MS), 0);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW + 1 + SLACK_SEND_SETTLE_MS), 2);
    put(&plan, &later, later_ms);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, later_ms), 3);
}

/* It repeats then what it got no answer for: many messages change twice. */
static void behind_an_outage_many_wait_for_what_slack_repeats(void)
{
    struct sendplan_limits limits = open_limits;
    struct sendplan plan;

    for (int full = 0; full <= 1; full++) {
        limits.changes_full = full == 1; /* what is not used is lost */
        sendplan_init(&plan);
        sendplan_reach(&plan, NOW);
        for (uint8_t number = 1; number <= SLACK_SEND_SLACK_COUNT_MAX + 1; number++) {
            struct outbox_row row = row_of(number, SURFACE_CARD, true, NOW + 1);

            put(&plan, &row, NOW + 1);
        }
        CU_ASSERT_EQUAL(start(&plan, &limits, NOW + 1 + SLACK_SEND_SETTLE_MS), (uint8_t)full);
        CU_ASSERT(start(&plan, &limits, NOW + 1 + SLACK_SEND_LONG_MS) > 0);
    }
}

static void while_the_rate_of_changes_is_used_up_new_ones_get_a_part(void)
{
    struct sendplan_limits limits = open_limits;
    struct sendplan plan;
    uint32_t changes = 0;
    uint32_t posts = 0;

    sendplan_init(&plan);
    for (uint8_t i = 1; i <= 20; i++) {
        struct outbox_row row = row_of(i, SURFACE_CARD, i <= 10, NOW - OUTAGE_MS);

        put(&plan, &row, NOW - SLACK_SEND_SETTLE_MS);
    }
    limits.change_count_max = SLACK_SEND_CHANGE_COUNT_MAX;
    for (uint32_t i = 0; i < SLACK_SEND_SLACK_COUNT_MAX; i++) {
        uint8_t number = start(&plan, &limits, NOW);

        CU_ASSERT(number > 0);
        changes += number <= 10;
        posts += number > 10;
        CU_ASSERT_FALSE(number > 10 && changes < SLACK_SEND_CHANGE_COUNT_MAX);
    }
    CU_ASSERT_EQUAL(changes, SLACK_SEND_CHANGE_COUNT_MAX);
    CU_ASSERT_EQUAL(posts, SLACK_SEND_SLACK_COUNT_MAX - SLACK_SEND_CHANGE_COUNT_MAX);
    CU_ASSERT_EQUAL(start(&plan, &limits, NOW), 0);
    CU_ASSERT_EQUAL(sendplan_due_ms(&plan, &limits), UINT64_MAX); /* an end will wake */
}

/* Slack takes one message a second for one person: the others must not wait for that. */
static void direct_messages_to_one_person_take_one_call(void)
{
    struct sendplan plan;

    sendplan_init(&plan);
    for (uint8_t i = 1; i <= 9; i++) {
        struct outbox_row row = row_of(i, SURFACE_DIRECT, false, NOW - OUTAGE_MS);

        row.target = i == 9 ? SPAN_LITERAL("U2") : SPAN_LITERAL("U1");
        put(&plan, &row, NOW);
    }
    CU_ASSERT(start(&plan, &open_limits, NOW) < 9);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 9);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 0);
    CU_ASSERT_EQUAL(sendplan_due_ms(&plan, &open_limits), UINT64_MAX);
}

static void when_slack_is_away_only_webhooks_go(void)
{
    const struct sendplan_limits limits = {.webhook_count_max = SLACK_SEND_WEBHOOK_COUNT_MAX};
    struct outbox_row card = row_of(1, SURFACE_CARD, true, NOW);
    struct outbox_row hook = row_of(2, SURFACE_WEBHOOK, false, NOW);
    struct sendplan plan;

    sendplan_init(&plan);
    put(&plan, &card, NOW);
    put(&plan, &hook, NOW);
    CU_ASSERT_EQUAL(start(&plan, &limits, NOW), 2);
    CU_ASSERT_EQUAL(start(&plan, &limits, NOW), 0);
    CU_ASSERT_EQUAL(sendplan_due_ms(&plan, &limits), UINT64_MAX);
}

static void what_failed_before_slack_came_back_is_due_at_once(void)
{
    struct outbox_row row = row_of(1, SURFACE_CARD, true, NOW - OUTAGE_MS);
    struct outbox_row hook = row_of(2, SURFACE_WEBHOOK, false, NOW - OUTAGE_MS);
    struct sendplan plan;

    sendplan_init(&plan);
    row.attempts = 20;
    row.attempt_ms = NOW - 1000;
    hook.attempts = 20;
    hook.attempt_ms = NOW - 1000;
    put(&plan, &row, NOW);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 0);
    put(&plan, &hook, NOW);
    sendplan_reach(&plan, NOW);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 1);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 0); /* the webhook's way is another */
    sendplan_init(&plan);
    sendplan_reach(&plan, NOW); /* a row that is put later, too */
    put(&plan, &row, NOW);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 1);
    row.attempt_ms = NOW + 1; /* it failed again since */
    sendplan_init(&plan);
    sendplan_reach(&plan, NOW);
    put(&plan, &row, NOW + 2);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW + 2), 0);
}

/* Channels have their cards first, then people theirs, then they hear of outcomes. */
static void copies_come_behind_the_cards_of_channels(void)
{
    struct outbox_row told = row_of(1, SURFACE_DIRECT, false, NOW - 3);
    struct outbox_row copy = row_of(2, SURFACE_CARD, false, NOW - 2);
    struct outbox_row card = row_of(3, SURFACE_CARD, false, NOW - 1);
    struct outbox_row people = row_of(4, SURFACE_PEOPLE, false, NOW);
    struct sendplan plan;

    sendplan_init(&plan);
    copy.target = SPAN_LITERAL("U0ANA");
    told.target = SPAN_LITERAL("U0BEN");
    people.target = SPAN_LITERAL(ROUTE_TARGET);
    put(&plan, &told, NOW);
    put(&plan, &copy, NOW);
    put(&plan, &card, NOW);
    put(&plan, &people, NOW);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 3);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 4);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 2);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 1);
}

/* Slack counts all that one person is sent. */
static void a_copy_and_an_outcome_for_one_person_follow_each_other(void)
{
    struct outbox_row told = row_of(1, SURFACE_DIRECT, false, NOW);
    struct outbox_row copy = row_of(2, SURFACE_CARD, false, NOW);
    struct sendplan plan;

    sendplan_init(&plan);
    copy.target = SPAN_LITERAL("U0ANA");
    told.target = SPAN_LITERAL("U0ANA");
    put(&plan, &told, NOW);
    put(&plan, &copy, NOW);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 2);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 0);
}

/* The clock ran an hour ahead and is set right: the times of records stay ahead, the pauses of the
 * plan do not. */
#define AHEAD_MS UINT64_C(3600000)

static void a_clock_set_back_takes_the_pauses_along(void)
{
    struct outbox_row rested = row_of(1, SURFACE_CARD, true, NOW - OUTAGE_MS);
    struct outbox_row asked = row_of(2, SURFACE_CARD, false, NOW - OUTAGE_MS);
    struct outbox_row failed = row_of(3, SURFACE_WEBHOOK, false, NOW - OUTAGE_MS);
    uint64_t back_ms = NOW - AHEAD_MS;
    struct sendplan plan;
    struct sendplan_row *row;

    sendplan_init(&plan);
    put(&plan, &rested, NOW);
    row = sendplan_next(&plan, &open_limits, NOW);
    sendplan_start(&plan, row);
    sendplan_finish(&plan, row, NOW + SLACK_SEND_SPACING_MS, true);
    put(&plan, &rested, NOW); /* it changed again */
    put(&plan, &asked, NOW);
    row = sendplan_next(&plan, &open_limits, NOW);
    sendplan_hold_method(&plan, row, NOW + 1000); /* Slack's wish */
    failed.attempts = 1;
    failed.attempt_ms = NOW;
    put(&plan, &failed, NOW);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, back_ms), 0);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, back_ms + 1000), 3);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, back_ms + 1000), 2);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, back_ms + 1000), 0);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, back_ms + SLACK_SEND_SPACING_MS), 1);
}

/* As they are for an hour after that: each look must not begin the pause anew. */
static void times_of_records_that_are_ahead_silence_nothing(void)
{
    struct outbox_row fresh = row_of(1, SURFACE_CARD, false, NOW + AHEAD_MS);
    struct outbox_row failed = row_of(2, SURFACE_CARD, false, NOW);
    uint64_t second_ms = NOW + CORE_BACKOFF_MS_MAX;
    struct sendplan_row *row;
    struct sendplan plan;

    sendplan_init(&plan);
    put(&plan, &fresh, NOW);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 1);
    failed.attempts = 20;
    failed.attempt_ms = NOW + AHEAD_MS;
    put(&plan, &failed, NOW);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW + CORE_BACKOFF_MS_MIN), 0);
    for (uint64_t ms = CORE_BACKOFF_MS_MIN; ms < CORE_BACKOFF_MS_MAX; ms += SLACK_SEND_SCAN_MS) {
        put(&plan, &failed, NOW + ms);
    }
    row = sendplan_next(&plan, &open_limits, second_ms);
    CU_ASSERT_PTR_NOT_NULL_FATAL(row);
    sendplan_start(&plan, row);
    failed.attempts = 21; /* that one fails, too: it has a pause of its own */
    put(&plan, &failed, second_ms);
    sendplan_finish(&plan, row, second_ms + 1, false);
    put(&plan, &failed, second_ms);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, second_ms + CORE_BACKOFF_MS_MIN), 0);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, second_ms + CORE_BACKOFF_MS_MAX), 2);
}

UNIT_MAIN("sendplan",
          {"copies come behind the cards of channels", copies_come_behind_the_cards_of_channels},
          {"a copy and an outcome for one person follow each other",
           a_copy_and_an_outcome_for_one_person_follow_each_other},
          {"after an outage what is wrong goes before what is new",
           after_an_outage_what_is_wrong_goes_before_what_is_new},
          {"new cards may be held and nothing else", new_cards_may_be_held_and_nothing_else},
          {"where many change each waits for its next change",
           where_many_change_each_waits_for_its_next_change},
          {"behind an outage many wait for what Slack repeats",
           behind_an_outage_many_wait_for_what_slack_repeats},
          {"behind an outage each waits for its next change, too",
           behind_an_outage_each_waits_for_its_next_change_too},
          {"an outcome goes before how far others have come",
           an_outcome_goes_before_how_far_others_have_come},
          {"what Slack puts off is due when Slack says",
           what_slack_puts_off_is_due_when_slack_says},
          {"with the rate used up each waits longer while there are others",
           with_the_rate_used_up_each_waits_longer_while_there_are_others},
          {"cards change before direct messages about them",
           cards_change_before_direct_messages_about_them},
          {"what was put off is no new change", what_was_put_off_is_no_new_change},
          {"many notices keep no card waiting", many_notices_keep_no_card_waiting},
          {"while the rate of changes is used up, new ones get a part",
           while_the_rate_of_changes_is_used_up_new_ones_get_a_part},
          {"direct messages to one person take one call",
           direct_messages_to_one_person_take_one_call},
          {"when Slack is away only webhooks go", when_slack_is_away_only_webhooks_go},
          {"what failed before Slack came back is due at once",
           what_failed_before_slack_came_back_is_due_at_once},
          {"a clock set back takes the pauses along", a_clock_set_back_takes_the_pauses_along},
          {"times of records that are ahead silence nothing",
           times_of_records_that_are_ahead_silence_nothing})
