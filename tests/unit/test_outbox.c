/* SPDX-License-Identifier: Apache-2.0 */
/* test_outbox.c: proves approvald/core/outbox.
 * Owns nothing but its cases. Never touches a store. */
#include "approvald/core/outbox.h"
#include "tests/unit/unit.h"

#include <string.h>

#define NOW UINT64_C(1800000000000)

static struct outbox_row row_of(enum surface surface)
{
    struct request_id id = {.bytes = {1}};
    struct outbox_row row;

    outbox_init(&row, &id, surface, SPAN_LITERAL("C0CARDS"));
    return row;
}

static enum outbox_place end_at(struct outbox_row *row,
                                enum outbox_result result,
                                uint32_t number,
                                uint64_t now_ms,
                                bool *ret_died)
{
    struct outbox_outcome outcome = {.result = result,
                                     .revision = number,
                                     .item_id = number,
                                     .channel = SPAN_LITERAL("C0CARDS"),
                                     .ts = SPAN_LITERAL("1.2"),
                                     .error = SPAN_LITERAL("no")};

    return outbox_end(row, &outcome, now_ms, ret_died);
}

static enum outbox_place end(struct outbox_row *row, enum outbox_result result, uint32_t number)
{
    bool died;

    return end_at(row, result, number, NOW, &died);
}

static void add(struct outbox_row *row, uint32_t id)
{
    struct outbox_item item = {.id = id, .at_ms = NOW};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(outbox_add(row, &item, &err), ERR_OK);
}

static void changes_between_two_sends_coalesce(void)
{
    struct outbox_row row = row_of(SURFACE_CARD);

    CU_ASSERT_FALSE(outbox_is_owed(&row));
    outbox_raise(&row, 1, NOW);
    outbox_raise(&row, 2, NOW + 5);
    outbox_raise(&row, 3, NOW + 6);
    CU_ASSERT_EQUAL(row.owed_ms, NOW);
    outbox_begin(&row, NOW);
    CU_ASSERT_EQUAL(end(&row, OUTBOX_SENT, 3), OUTBOX_SETTLED);
    CU_ASSERT_EQUAL(row.sent, 3);
    outbox_raise(&row, 4, NOW);
    outbox_begin(&row, NOW);
    outbox_raise(&row, 5, NOW); /* while the call is under way */
    CU_ASSERT_EQUAL(end(&row, OUTBOX_SENT, 4), OUTBOX_OWED);
    CU_ASSERT_FALSE(row.attempted);
    outbox_begin(&row, NOW);
    CU_ASSERT_EQUAL(end(&row, OUTBOX_SENT, 5), OUTBOX_SETTLED);
    CU_ASSERT_EQUAL(end(&row, OUTBOX_SENT, 4), OUTBOX_SETTLED); /* late: nothing goes back */
    CU_ASSERT_EQUAL(row.sent, 5);
}

static void an_unknown_result_is_remembered_until_it_is_known(void)
{
    struct outbox_row row = row_of(SURFACE_CARD);

    outbox_raise(&row, 1, NOW);
    outbox_begin(&row, NOW);
    CU_ASSERT_EQUAL(end(&row, OUTBOX_UNKNOWN, 0), OUTBOX_OWED);
    CU_ASSERT(row.attempted && span_is(row.error, "no"));
    outbox_begin(&row, NOW);
    CU_ASSERT_EQUAL(end(&row, OUTBOX_RETRY, 0), OUTBOX_OWED);
    CU_ASSERT_FALSE(row.attempted);
    CU_ASSERT_EQUAL(row.attempts, 2);
    outbox_begin(&row, NOW);
    CU_ASSERT_EQUAL(end(&row, OUTBOX_SENT, 1), OUTBOX_SETTLED);
    CU_ASSERT(row.attempts == 0 && row.error.size == 0);
}

static void a_lost_message_is_owed_from_the_start(void)
{
    struct outbox_row row = row_of(SURFACE_CARD);

    outbox_raise(&row, 2, NOW);
    outbox_begin(&row, NOW);
    CU_ASSERT_EQUAL(end(&row, OUTBOX_SENT, 2), OUTBOX_SETTLED);
    CU_ASSERT_EQUAL(end(&row, OUTBOX_LOST, 0), OUTBOX_OWED);
    CU_ASSERT(row.ts.size == 0 && row.sent == 0 && row.wanted == 2);
    outbox_begin(&row, NOW);
    CU_ASSERT_EQUAL(end(&row, OUTBOX_SENT, 2), OUTBOX_SETTLED);
    outbox_doubt(&row, NOW + 9);
    CU_ASSERT(outbox_is_owed(&row) && row.ts.size > 0 && row.owed_ms == NOW + 9);
}

/* Posts what is owed, where nothing was found. */
static void post_anew(struct outbox_row *row)
{
    outbox_begin(row, NOW);
    CU_ASSERT_EQUAL(end(row, OUTBOX_SENT, row->wanted), OUTBOX_SETTLED);
}

static void a_message_that_is_deleted_again_is_left_to_the_admin(void)
{
    struct outbox_row row = row_of(SURFACE_CARD);
    bool died;

    outbox_raise(&row, 1, NOW);
    post_anew(&row);
    for (uint32_t i = 0; i < CORE_REPOST_COUNT_MAX; i++) {
        outbox_doubt(&row, NOW);
        outbox_begin(&row, NOW);
        CU_ASSERT_EQUAL(end_at(&row, OUTBOX_LOST, 0, NOW, &died), OUTBOX_OWED);
        CU_ASSERT_FALSE(died);
        CU_ASSERT_EQUAL(end_at(&row, OUTBOX_LOST, 0, NOW, &died), OUTBOX_OWED); /* repeated */
        CU_ASSERT(!died && row.reposts == i + 1);
        post_anew(&row);
    }
    outbox_raise(&row, 2, NOW);
    outbox_begin(&row, NOW);
    CU_ASSERT_EQUAL(end_at(&row, OUTBOX_LOST, 0, NOW, &died), OUTBOX_OWED);
    CU_ASSERT(died && row.dead && row.error.size > 0);
    outbox_raise(&row, 3, NOW);
    outbox_doubt(&row, NOW);
    CU_ASSERT(row.dead && row.wanted == 3);
    outbox_replay(&row, NOW);
    CU_ASSERT(!row.dead && row.reposts == 0);
    post_anew(&row);
    CU_ASSERT_EQUAL(row.sent, 3);
}

static void a_message_that_cannot_be_put_right_is_left_alone(void)
{
    struct outbox_row row = row_of(SURFACE_CARD);

    outbox_raise(&row, 1, NOW);
    post_anew(&row);
    for (uint32_t i = 0; i < CORE_REPAIR_COUNT_MAX; i++) {
        CU_ASSERT(outbox_repair(&row, NOW));
        CU_ASSERT(outbox_is_owed(&row));
        post_anew(&row);
    }
    CU_ASSERT_FALSE(outbox_repair(&row, NOW));
    CU_ASSERT_FALSE(outbox_is_owed(&row));
    outbox_raise(&row, 2, NOW);
    post_anew(&row);
    CU_ASSERT(outbox_repair(&row, NOW)); /* another content, another try */
}

static void what_takes_too_long_dies_and_a_change_revives_it(void)
{
    struct outbox_row row = row_of(SURFACE_CARD);
    bool died;

    outbox_raise(&row, 1, NOW);
    outbox_begin(&row, NOW);
    CU_ASSERT_EQUAL(end_at(&row, OUTBOX_RETRY, 0, NOW + CORE_GIVE_UP_MS - 1, &died), OUTBOX_OWED);
    CU_ASSERT_FALSE(died);
    outbox_begin(&row, NOW);
    CU_ASSERT_EQUAL(end_at(&row, OUTBOX_RETRY, 0, NOW + CORE_GIVE_UP_MS, &died), OUTBOX_OWED);
    CU_ASSERT(died && row.dead);
    (void)end_at(&row, OUTBOX_DEAD, 0, NOW, &died); /* only whether it died now matters */
    CU_ASSERT_FALSE(died);
    outbox_raise(&row, 2, NOW + 7);
    CU_ASSERT(!row.dead && row.attempts == 0 && row.owed_ms == NOW + 7);
    outbox_begin(&row, NOW);
    (void)end_at(&row, OUTBOX_DEAD, 0, NOW, &died);
    CU_ASSERT(died);
    outbox_replay(&row, NOW + 8);
    CU_ASSERT(!row.dead && outbox_is_owed(&row));
    CU_ASSERT_EQUAL(outbox_due_ms(&row, 5), NOW + 8);
}

static void list_items_go_oldest_first_and_once(void)
{
    struct outbox_row row = row_of(SURFACE_WEBHOOK);

    add(&row, 10);
    add(&row, 11);
    outbox_begin(&row, NOW);
    CU_ASSERT_EQUAL(row.items[0].id, 10);
    CU_ASSERT_EQUAL(end(&row, OUTBOX_SENT, 10), OUTBOX_OWED);
    CU_ASSERT_EQUAL(row.items[0].id, 11);
    CU_ASSERT_EQUAL(end(&row, OUTBOX_SENT, 10), OUTBOX_OWED); /* repeated: nothing is taken */
    CU_ASSERT_EQUAL(row.item_count, 1);
    CU_ASSERT_EQUAL(end(&row, OUTBOX_DROP, 11), OUTBOX_GONE);
}

static void a_full_list_refuses_but_notices_push_the_oldest_out(void)
{
    struct outbox_row row = row_of(SURFACE_WEBHOOK);
    struct outbox_item item = {.id = 999, .at_ms = NOW};
    struct err err = ERR_INIT;

    for (uint32_t i = 0; i < CORE_OUTBOX_ITEM_COUNT_MAX; i++) {
        add(&row, i + 1);
    }
    CU_ASSERT_EQUAL(outbox_add(&row, &item, &err), ERR_FULL);
    row = row_of(SURFACE_NOTICE);
    for (uint32_t i = 0; i < CORE_OUTBOX_ITEM_COUNT_MAX + 3; i++) {
        add(&row, i + 1);
    }
    CU_ASSERT_EQUAL(row.item_count, CORE_OUTBOX_ITEM_COUNT_MAX);
    CU_ASSERT_EQUAL(row.items[0].id, 4);
}

static void an_old_notice_is_dropped_and_never_a_dead_letter(void)
{
    struct outbox_row row = row_of(SURFACE_NOTICE);
    bool died;

    add(&row, 1);
    outbox_begin(&row, NOW);
    CU_ASSERT_EQUAL(end_at(&row, OUTBOX_RETRY, 0, NOW + 1, &died), OUTBOX_OWED);
    CU_ASSERT_EQUAL(end_at(&row, OUTBOX_RETRY, 0, NOW + CORE_GIVE_UP_NOTICE_MS, &died),
                    OUTBOX_GONE);
    CU_ASSERT_FALSE(died);
}

static void waiting_grows_to_a_bound_with_jitter(void)
{
    struct outbox_row row = row_of(SURFACE_CARD);
    uint64_t last_ms = 0;

    outbox_raise(&row, 1, NOW);
    CU_ASSERT_EQUAL(outbox_due_ms(&row, 77), NOW);
    for (int i = 0; i < 40; i++) {
        uint64_t least_ms;
        uint64_t most_ms = 0;

        outbox_begin(&row, NOW);
        least_ms = outbox_due_ms(&row, 0) - NOW;
        for (uint32_t draw = 0; draw < 5000; draw++) {
            uint64_t wait_ms = outbox_due_ms(&row, draw * 7919) - NOW;

            most_ms = wait_ms > most_ms ? wait_ms : most_ms;
        }
        CU_ASSERT(least_ms >= last_ms);
        CU_ASSERT(most_ms <= CORE_BACKOFF_MS_MAX && most_ms > least_ms);
        last_ms = least_ms;
    }
    CU_ASSERT_EQUAL(last_ms, CORE_BACKOFF_MS_MAX / 2);
}

static void a_copy_is_a_card_of_a_person(void)
{
    const struct request_id id = {.bytes = {1}};
    struct outbox_row row;

    outbox_init(&row, &id, SURFACE_CARD, SPAN_LITERAL("U0ANN"));
    CU_ASSERT(outbox_is_copy(&row));
    outbox_init(&row, &id, SURFACE_CARD, SPAN_LITERAL("W0ANN"));
    CU_ASSERT(outbox_is_copy(&row));
    outbox_init(&row, &id, SURFACE_CARD, SPAN_LITERAL("C0CARDS"));
    CU_ASSERT_FALSE(outbox_is_copy(&row));
    outbox_init(&row, &id, SURFACE_DIRECT, SPAN_LITERAL("U0ANN"));
    CU_ASSERT_FALSE(outbox_is_copy(&row));
    outbox_init(&row, &id, SURFACE_THREAD, SPAN_LITERAL("U0ANN"));
    CU_ASSERT_FALSE(outbox_is_copy(&row));
}

UNIT_MAIN("outbox",
          {"changes between two sends coalesce", changes_between_two_sends_coalesce},
          {"an unknown result is remembered until it is known",
           an_unknown_result_is_remembered_until_it_is_known},
          {"a lost message is owed from the start", a_lost_message_is_owed_from_the_start},
          {"a message that is deleted again is left to the admin",
           a_message_that_is_deleted_again_is_left_to_the_admin},
          {"a message that cannot be put right is left alone",
           a_message_that_cannot_be_put_right_is_left_alone},
          {"what takes too long dies and a change revives it",
           what_takes_too_long_dies_and_a_change_revives_it},
          {"list items go oldest first and once", list_items_go_oldest_first_and_once},
          {"a full list refuses, but notices push the oldest out",
           a_full_list_refuses_but_notices_push_the_oldest_out},
          {"an old notice is dropped and never a dead letter",
           an_old_notice_is_dropped_and_never_a_dead_letter},
          {"waiting grows to a bound, with jitter", waiting_grows_to_a_bound_with_jitter},
          {"a copy is a card of a person", a_copy_is_a_card_of_a_person})
