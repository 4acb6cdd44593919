/* SPDX-License-Identifier: Apache-2.0 */
/* test_replica_leave.c: proves what the BYE of a host that stops does, and what it never does.
 * Owns nothing but its cases; never lets real time pass. */
#include "tests/unit/replica_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

#define LEAVES "2> leave this host stops\n"

/* In sync at epoch 2; the last LSN is 3. The trace is empty. */
static struct kit *in_sync(void)
{
    struct kit *kit = kit_new();

    kit_pair_in_sync(kit);
    kit_clear(kit);
    return kit;
}

/* Says BYE; its shell, or the peer's, ends the connection, and the process. */
static void leave(struct kit *kit, struct kit_host *host)
{
    kit_command(kit, host, REPLICA_EVENT_LEAVE);
    host->dead = true;
    if (kit->link_up) {
        kit_disconnect(kit);
    }
}

static uint32_t removals(struct kit *kit)
{
    return kit_host(kit, 1)->report_count[REPLICA_REPORT_REMOVE];
}

static void who_leaves_is_proposed_for_removal_at_once_and_required_until_then(void)
{
    struct kit *kit = in_sync();
    struct kit_host *one = kit_host(kit, 1);
    uint64_t now_ms = kit->now_ms;

    leave(kit, kit_host(kit, 2));
    CU_ASSERT(kit_traced(kit, LEAVES "1: propose remove silent\n"));
    CU_ASSERT_EQUAL(kit->now_ms, now_ms);
    CU_ASSERT_FALSE(one->link.silent); /* so soon is it */
    kit_write(kit, one);
    kit_wait(kit, 3UL * KIT_EVICT_MS);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 3); /* H: CAS first, then stop waiting */
    CU_ASSERT_EQUAL(removals(kit), 1);
    kit_grant(kit, one, 3, NULL);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 5);
    CU_ASSERT_FALSE(replica_requires_peer(one->replica));
    kit_free(kit);
}

static void what_it_acknowledged_before_counts(void)
{
    struct kit *kit = in_sync();
    struct kit_host *one = kit_host(kit, 1);

    kit_write(kit, one);
    leave(kit, kit_host(kit, 2));
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 4);
    kit_free(kit);
}

static void it_is_the_last_word(void)
{
    struct kit *kit = in_sync();
    struct kit_host *two = kit_host(kit, 2);

    two->hold_sync = true;
    kit_write(kit, kit_host(kit, 1));
    kit_clear(kit);
    kit_command(kit, two, REPLICA_EVENT_LEAVE);
    kit_clear(kit);
    kit_release(kit, two); /* durable now, and not acknowledged */
    kit_wait(kit, KIT_SILENCE_MS);
    CU_ASSERT_EQUAL(isr_commit(&kit_host(kit, 1)->isr), 3);
    CU_ASSERT_PTR_NULL(strstr(kit->trace, "2"));
    CU_ASSERT_EQUAL(replica_deadline_ms(two->replica), UINT64_MAX);
    kit_free(kit);
}

static void a_strict_primary_waits_for_who_left(void)
{
    struct kit *kit = kit_new();

    kit_host(kit, 1)->options.strict = true;
    kit_start(kit, kit_host(kit, 1));
    kit_register(kit, kit_host(kit, 1), 0, 0);
    kit_pair_in_sync(kit);
    leave(kit, kit_host(kit, 2));
    kit_wait(kit, 3UL * KIT_EVICT_MS);
    CU_ASSERT_EQUAL(removals(kit), 0);
    CU_ASSERT(replica_requires_peer(kit_host(kit, 1)->replica));
    kit_free(kit);
}

/* An end of the link for another reason is no leaving: it comes back in a moment. */
static void another_bye_is_no_leaving(void)
{
    struct message bye = {.type = MESSAGE_BYE, .u.bye.reason = SPAN_LITERAL("a bad record")};
    struct kit *kit = in_sync();

    kit_inject(kit, kit_host(kit, 1), &bye);
    kit_disconnect(kit);
    CU_ASSERT_EQUAL(removals(kit), 0);
    kit_wait(kit, KIT_SILENCE_MS);
    CU_ASSERT_EQUAL(removals(kit), 1);
    kit_free(kit);
}

/* As of an earlier life, whose connection came through late: HELLO, BYE, and never followed. */
static void who_does_not_follow_cannot_leave(void)
{
    struct message bye = {.type = MESSAGE_BYE, .u.bye.leaves = true};
    struct kit *kit = in_sync();
    struct kit_host *one = kit_host(kit, 1);
    struct message hello = kit_hello_from(kit_host(kit, 2));

    kit_disconnect(kit);
    kit_connect_for(kit, 0);
    kit_inject(kit, one, &hello);
    kit_inject(kit, one, &bye);
    CU_ASSERT_EQUAL(removals(kit), 0);
    kit_free(kit);
}

static void who_does_not_follow_the_new_epoch_yet_cannot_leave(void)
{
    struct kit *kit = in_sync();
    struct kit_host *one = kit_host(kit, 1);

    one->hold_begin = true;
    kit_grant(kit, one, 3, kit_host(kit, 2));
    leave(kit, kit_host(kit, 2));
    CU_ASSERT_EQUAL(removals(kit), 0);
    kit_release(kit, one);
    CU_ASSERT_EQUAL(removals(kit), 0);
    kit_wait(kit, KIT_SILENCE_MS); /* as it would have been */
    CU_ASSERT_EQUAL(removals(kit), 1);
    kit_free(kit);
}

/* The addition may have landed: nothing else may be wished before that is known. */
static struct kit *left_while_proposed(void)
{
    struct kit *kit = kit_new();

    kit_pair(kit);
    kit_wait(kit, KIT_HOLD_DOWN_MS);
    CU_ASSERT_EQUAL(kit_host(kit, 1)->report_count[REPLICA_REPORT_ADD], 1);
    kit_clear(kit);
    leave(kit, kit_host(kit, 2));
    kit_wait(kit, 2UL * KIT_EVICT_MS);
    CU_ASSERT(kit_traced(kit, LEAVES));
    CU_ASSERT(replica_requires_peer(kit_host(kit, 1)->replica));
    kit_clear(kit);
    return kit;
}

static void an_unresolved_addition_that_lands_is_undone_at_once(void)
{
    struct kit *kit = left_while_proposed();
    struct kit_host *one = kit_host(kit, 1);

    kit_grant(kit, one, 2, kit_host(kit, 2));
    CU_ASSERT_EQUAL(removals(kit), 1);
    CU_ASSERT_EQUAL(one->proposal.epoch, 2);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 1);
    kit_grant(kit, one, 3, NULL);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), one->lsn_last);
    kit_free(kit);
}

static void an_unresolved_addition_that_is_refused_is_over(void)
{
    struct kit *kit = left_while_proposed();
    struct kit_host *one = kit_host(kit, 1);

    kit_refuse(kit, one, 1);
    CU_ASSERT(kit_traced(kit, "1: unrequire\n"));
    kit_wait(kit, KIT_EVICT_MS);
    CU_ASSERT_EQUAL(removals(kit), 0);
    kit_free(kit);
}

static void who_is_heard_again_has_not_left(void)
{
    struct kit *kit = in_sync();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    leave(kit, two);
    CU_ASSERT_EQUAL(removals(kit), 1);
    kit_start(kit, two);
    kit_register(kit, two, 2, 1);
    kit_connect(kit);
    CU_ASSERT(one->link.in_sync);
    kit_refuse(kit, one, 2); /* the arbiter was not reached, and now nobody wants it */
    kit_wait(kit, 3UL * KIT_EVICT_MS);
    CU_ASSERT_EQUAL(removals(kit), 1);
    kit_free(kit);
}

static void a_removal_that_was_refused_is_proposed_again_after_the_silence(void)
{
    struct kit *kit = in_sync();

    leave(kit, kit_host(kit, 2));
    kit_refuse(kit, kit_host(kit, 1), 2);
    CU_ASSERT_EQUAL(removals(kit), 1);
    kit_wait(kit, KIT_SILENCE_MS);
    CU_ASSERT_EQUAL(removals(kit), 2);
    kit_free(kit);
}

/* What it was offered it may have taken: as for silence, RESUME is waited for. */
static void who_leaves_after_an_offer_is_removed_when_the_offer_is_over(void)
{
    struct kit *kit = in_sync();
    struct kit_host *one = kit_host(kit, 1);

    kit_command(kit, one, REPLICA_EVENT_HANDOVER);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_DRAINED], 1);
    leave(kit, kit_host(kit, 2));
    kit_wait(kit, KIT_EVICT_MS);
    CU_ASSERT_EQUAL(removals(kit), 0);
    kit_command(kit, one, REPLICA_EVENT_RESUME);
    CU_ASSERT_EQUAL(removals(kit), 1);
    kit_free(kit);
}

/* A primary hands over before it stops; one that could not is waited for as always. */
static void a_primary_that_leaves_is_not_taken_for_silent(void)
{
    struct kit *kit = in_sync();
    struct kit_host *two = kit_host(kit, 2);

    leave(kit, kit_host(kit, 1));
    CU_ASSERT(kit_traced(kit, "1> leave this host stops\n"));
    CU_ASSERT_FALSE(two->link.silent);
    kit_wait(kit, KIT_SILENCE_MS);
    CU_ASSERT(two->link.silent);
    kit_free(kit);
}

UNIT_MAIN("replica_leave",
          {"who leaves is proposed for removal at once and required until then",
           who_leaves_is_proposed_for_removal_at_once_and_required_until_then},
          {"what it acknowledged before counts", what_it_acknowledged_before_counts},
          {"it is the last word", it_is_the_last_word},
          {"a strict primary waits for who left", a_strict_primary_waits_for_who_left},
          {"another bye is no leaving", another_bye_is_no_leaving},
          {"who does not follow cannot leave", who_does_not_follow_cannot_leave},
          {"who does not follow the new epoch yet cannot leave",
           who_does_not_follow_the_new_epoch_yet_cannot_leave},
          {"an unresolved addition that lands is undone at once",
           an_unresolved_addition_that_lands_is_undone_at_once},
          {"an unresolved addition that is refused is over",
           an_unresolved_addition_that_is_refused_is_over},
          {"who is heard again has not left", who_is_heard_again_has_not_left},
          {"a removal that was refused is proposed again after the silence",
           a_removal_that_was_refused_is_proposed_again_after_the_silence},
          {"who leaves after an offer is removed when the offer is over",
           who_leaves_after_an_offer_is_removed_when_the_offer_is_over},
          {"a primary that leaves is not taken for silent",
           a_primary_that_leaves_is_not_taken_for_silent})
