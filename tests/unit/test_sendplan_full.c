/* SPDX-License-Identifier: Apache-2.0 */
/* test_sendplan_full.c: proves approvald/slack/outbound/sendplan: who has a place where more is
 * owed than there is room for. Owns nothing but its cases; never reads a clock, the time is a
 * number. */
#include "tests/unit/sendplan_kit.h"

static void a_new_card_goes_before_older_direct_messages(void)
{
    struct outbox_row card = row_of(255, SURFACE_CARD, false, NOW - 1);
    struct sendplan plan;

    sendplan_init(&plan);
    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        struct outbox_row row = row_of(1, SURFACE_DIRECT, false, NOW - OUTAGE_MS);

        row.request.bytes[1] = (uint8_t)i; /* more than there is room for beside the card */
        put(&plan, &row, NOW);
    }
    /* One of the others was pushed out for it. */
    CU_ASSERT_FALSE(sendplan_put(&plan, &card, false, NOW));
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 255);
}

/* A full table of cards of one channel; posted: they have changed. */
static void fill(struct sendplan *plan, bool posted, uint64_t owed_ms)
{
    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        struct outbox_row row = row_of(1, SURFACE_CARD, posted, owed_ms);

        row.request.bytes[1] = (uint8_t)i;
        put(plan, &row, NOW);
    }
}

static void an_outcome_finds_its_place_among_many_changes(void)
{
    struct outbox_row ended = row_of(2, SURFACE_CARD, true, NOW);
    struct outbox_row pressed = row_of(3, SURFACE_CARD, true, NOW);
    struct sendplan plan;

    sendplan_init(&plan);
    fill(&plan, true, NOW - 1);
    CU_ASSERT_FALSE(sendplan_put(&plan, &pressed, false, NOW));
    CU_ASSERT_FALSE(sendplan_put(&plan, &ended, true, NOW));
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 2);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW + SLACK_SEND_SETTLE_MS), 1);
}

static uint32_t count_of(const struct sendplan *plan, uint8_t number)
{
    uint32_t found = 0;

    for (uint32_t i = 0; i < SLACK_SEND_ROW_COUNT_MAX; i++) {
        found += plan->rows[i].used && plan->rows[i].key.request.bytes[0] == number;
    }
    return found;
}

/* Its cards would else be pushed out, each time, by what is sent behind them. */
static void a_channel_that_takes_one_a_second_keeps_its_cards(void)
{
    struct outbox_row told = row_of(2, SURFACE_DIRECT, false, NOW - OUTAGE_MS);
    struct outbox_row other = row_of(3, SURFACE_CARD, false, NOW);
    struct sendplan_row *row;
    struct sendplan plan;

    sendplan_init(&plan);
    fill(&plan, false, NOW - 1);
    while ((row = sendplan_next(&plan, &open_limits, NOW)) != NULL) {
        sendplan_wait(row, NOW + SLACK_CHANNEL_SPACING_MS);
    }
    fill(&plan, false, NOW - 1); /* listed again */
    CU_ASSERT_FALSE(sendplan_put(&plan, &told, false, NOW));
    CU_ASSERT_EQUAL(count_of(&plan, 1), SLACK_SEND_ROW_COUNT_MAX);
    CU_ASSERT_FALSE(sendplan_put(&plan, &other, false, NOW)); /* a channel that takes it now */
    CU_ASSERT_EQUAL(count_of(&plan, 1), SLACK_SEND_ROW_COUNT_MAX - 1);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 3);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW), 0);
    CU_ASSERT_EQUAL(start(&plan, &open_limits, NOW + SLACK_CHANNEL_SPACING_MS), 1);
}

UNIT_MAIN("sendplan_full",
          {"a new card goes before older direct messages",
           a_new_card_goes_before_older_direct_messages},
          {"an outcome finds its place among many changes",
           an_outcome_finds_its_place_among_many_changes},
          {"a channel that takes one a second keeps its cards",
           a_channel_that_takes_one_a_second_keeps_its_cards})
