/* SPDX-License-Identifier: Apache-2.0 */
/* test_replica_words.c: proves which words storage/replica counts as primary (acknowledgements,
 * echoes) and what it does as primary on its own. Owns nothing but its cases. Never touches a file.
 */
#include "tests/unit/replica_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

/* ---- Which words count ---- */

static struct message ack_of(const struct kit *kit, uint64_t lsn)
{
    const struct kit_host *one = &kit->hosts[0];
    struct message ack = {.type = MESSAGE_ACK};

    ack.u.follow = (struct message_follow){.epoch = replica_epoch(one->replica),
                                           .incarnation = one->options.incarnation,
                                           .last = one->log[lsn]};
    memcpy(ack.u.follow.store_id, kit->hosts[1].options.store_id, STORAGE_ID_SIZE);
    return ack;
}

/* In sync, with LSN 4 appended and durable here alone. */
static struct kit *waiting(void)
{
    struct kit *kit = kit_new();

    kit_pair_in_sync(kit);
    kit->mute = true;
    kit_write(kit, kit_host(kit, 1));
    kit_clear(kit);
    CU_ASSERT_EQUAL(isr_commit(&kit_host(kit, 1)->isr), 3);
    return kit;
}

static void an_acknowledgement_counts_with_everything_right(void)
{
    struct kit *kit = waiting();
    struct message ack = ack_of(kit, 4);

    kit_inject(kit, kit_host(kit, 1), &ack);
    CU_ASSERT_EQUAL(isr_commit(&kit_host(kit, 1)->isr), 4);
    kit_free(kit);
}

static void an_acknowledgement_of_another_epoch_or_incarnation_is_nothing(void)
{
    struct kit *kit = waiting();
    struct message ack = ack_of(kit, 4);

    ack.u.follow.epoch--;
    kit_inject(kit, kit_host(kit, 1), &ack);
    ack.u.follow.epoch += 2;
    kit_inject(kit, kit_host(kit, 1), &ack);
    ack = ack_of(kit, 4);
    ack.u.follow.incarnation++;
    kit_inject(kit, kit_host(kit, 1), &ack);
    CU_ASSERT(kit_traced(kit, ""));
    CU_ASSERT_EQUAL(isr_commit(&kit_host(kit, 1)->isr), 3);
    kit_free(kit);
}

static void an_acknowledgement_of_another_store_ends_the_link(void)
{
    struct kit *kit = waiting();
    struct message ack = ack_of(kit, 4);

    ack.u.follow.store_id[0] ^= 1;
    kit_inject(kit, kit_host(kit, 1), &ack);
    CU_ASSERT(kit_traced(kit, "1> bye the standby became another store\n"
                              "1: drop the standby became another store\n"));
    CU_ASSERT_EQUAL(isr_commit(&kit_host(kit, 1)->isr), 3);
    kit_free(kit);
}

static void an_acknowledgement_with_another_hash_is_fatal(void)
{
    struct kit *kit = waiting();
    struct message ack = ack_of(kit, 4);

    ack.u.follow.last.hash[0] ^= 1;
    kit_inject(kit, kit_host(kit, 1), &ack);
    CU_ASSERT(kit_traced(kit, "1: halt the standby acknowledges another record than the one "
                              "here\n"));
    CU_ASSERT_EQUAL(isr_commit(&kit_host(kit, 1)->isr), 3);
    kit_free(kit);
}

static void an_acknowledgement_of_what_is_not_written_ends_the_link(void)
{
    struct kit *kit = waiting();
    struct message ack = ack_of(kit, 4);

    ack.u.follow.last.lsn = 5;
    kit_inject(kit, kit_host(kit, 1), &ack);
    CU_ASSERT(kit_traced(kit, "1> bye ACK of a record that is not appended here\n"
                              "1: drop ACK of a record that is not appended here\n"));
    kit_free(kit);
}

static void an_acknowledgement_before_the_cut_ends_the_link(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct message ack;

    kit_grant(kit, one, 1, NULL);
    kit_connect_for(kit, 3); /* both HELLOs and LEAD */
    ack = ack_of(kit, 1);
    kit_clear(kit);
    kit_inject(kit, one, &ack);
    CU_ASSERT(kit_traced(kit, "1> bye ACK out of turn\n"
                              "1: drop ACK out of turn\n"));
    kit_free(kit);
}

/* ---- Strong reads ---- */

static void a_read_waits_for_the_echo_of_a_ping_sent_after_it(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    uint64_t sequence;

    kit_pair_in_sync(kit);
    sequence = replica_ping_sequence(one->replica);
    kit->mute = true;
    kit_command(kit, one, REPLICA_EVENT_READ);
    CU_ASSERT_EQUAL(replica_ping_sequence(one->replica), sequence + 1);
    CU_ASSERT(one->echoed <= sequence);
    /* Reads that come meanwhile ride on the next: one early ping is under way at most. */
    kit_command(kit, one, REPLICA_EVENT_READ);
    kit_command(kit, one, REPLICA_EVENT_READ);
    CU_ASSERT_EQUAL(replica_ping_sequence(one->replica), sequence + 1);
    kit->mute = false;
    kit_run(kit);
    CU_ASSERT_EQUAL(replica_ping_sequence(one->replica), sequence + 2);
    CU_ASSERT_EQUAL(one->echoed, sequence + 2);
    kit_free(kit);
}

/* Counterexample 5: a peer that is only being added is asked as well. */
static void the_echoes_of_a_peer_that_is_being_added_are_required(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    uint64_t echoed;

    kit_pair(kit);
    kit_wait(kit, KIT_HOLD_DOWN_MS);
    CU_ASSERT(replica_requires_peer(one->replica));
    echoed = one->echoed;
    kit->mute = true;
    kit_command(kit, one, REPLICA_EVENT_READ);
    CU_ASSERT_EQUAL(one->echoed, echoed);
    kit_free(kit);
}

static void a_read_that_waited_through_a_lost_link_is_echoed_on_the_next(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    uint64_t sequence;

    kit_pair_in_sync(kit);
    kit_disconnect(kit);
    kit_command(kit, one, REPLICA_EVENT_READ);
    sequence = replica_ping_sequence(one->replica);
    kit_connect(kit);
    CU_ASSERT(one->echoed > sequence);
    kit_free(kit);
}

static void an_echo_of_a_ping_that_was_never_sent_ends_the_link(void)
{
    struct kit *kit = waiting();
    struct kit_host *one = kit_host(kit, 1);
    struct message echo = {.type = MESSAGE_ECHO};
    uint64_t echoed = one->echoed;

    echo.u.ping = (struct message_ping){.epoch = 2,
                                        .incarnation = one->options.incarnation,
                                        .sequence = replica_ping_sequence(one->replica) + 1};
    memcpy(echo.u.ping.store_id, kit_host(kit, 2)->options.store_id, STORAGE_ID_SIZE);
    kit_inject(kit, one, &echo);
    CU_ASSERT(kit_traced(kit, "1> bye ECHO of a ping that was not sent\n"
                              "1: drop ECHO of a ping that was not sent\n"));
    CU_ASSERT_EQUAL(one->echoed, echoed);
    kit_free(kit);
}

/* ---- The primary ---- */

static void a_follow_of_another_lineage_is_dropped(void)
{
    struct kit *kit = kit_greeted();
    struct kit_host *one = kit_host(kit, 1);
    struct message state = kit_hello_from(kit_host(kit, 2));
    struct message follow = {.type = MESSAGE_FOLLOW};

    kit_grant(kit, one, 1, NULL);
    state.type = MESSAGE_STATE;
    state.u.state.lineage = KIT_LINEAGE + 1;
    kit_inject(kit, one, &state);
    kit_clear(kit);
    follow.u.follow = (struct message_follow){.epoch = 1, .incarnation = one->options.incarnation};
    memcpy(follow.u.follow.store_id, kit_host(kit, 2)->options.store_id, STORAGE_ID_SIZE);
    kit_inject(kit, one, &follow);
    CU_ASSERT(kit_traced(kit, "1> bye the standby's log is of another lineage\n"
                              "1: drop the standby's log is of another lineage\n"));
    kit_free(kit);
}

/* "Not readable" is never taken for "different": nothing is cut by it. */
static void a_standby_that_cannot_read_its_log_is_not_cut(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_fill(one, 9, 1, 0);
    kit_fill(two, 12, 1, 0);
    kit_start(kit, one);
    kit_start(kit, two);
    kit_register(kit, two, 1, 1);
    kit_grant(kit, one, 2, NULL);
    two->lsn_first = 12; /* what was applied nowhere is gone: a fault */
    kit_clear(kit);
    kit_connect(kit);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit->trace, "1: drop the standby cannot read its own log\n"));
    CU_ASSERT_PTR_NULL(strstr(kit->trace, "> cut"));
    kit_free(kit);
}

static void a_grant_that_names_a_third_store_halts(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct replica_event grant = {.type = REPLICA_EVENT_GRANT};

    kit_pair_in_sync(kit);
    kit_seal(kit, one, 3);
    kit_clear(kit);
    grant.u.grant = (struct replica_grant){.epoch = 3, .lineage = KIT_LINEAGE, .peer_in_isr = true};
    memset(grant.u.grant.peer_store_id, 0x99, STORAGE_ID_SIZE);
    kit_event(kit, one, &grant);
    CU_ASSERT(kit_traced(kit, "1: halt the grant names another store than the one that "
                              "acknowledges\n"));
    kit_free(kit);
}

/* Union of the old and the proposed: a refused removal changes nothing. */
static void a_removal_that_is_not_resolved_leaves_the_peer_required(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair_in_sync(kit);
    kit_disconnect(kit);
    kit_wait(kit, KIT_SILENCE_MS);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_REMOVE], 1);
    kit_write(kit, one);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 3);
    kit_connect(kit); /* it is back: the records commit with it */
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 4);
    kit_clear(kit);
    kit_refuse(kit, one, 2);
    CU_ASSERT(kit_traced(kit, ""));
    CU_ASSERT(replica_requires_peer(one->replica));
    kit_free(kit);
}

static void a_refused_removal_is_proposed_again_not_at_once(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair_in_sync(kit);
    kit_disconnect(kit);
    kit_wait(kit, KIT_SILENCE_MS);
    kit_refuse(kit, one, 2);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_REMOVE], 1);
    kit_wait(kit, KIT_SILENCE_MS);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_REMOVE], 2);
    kit_free(kit);
}

static void a_refused_addition_waits_for_the_hold_down_again(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair(kit);
    kit_wait(kit, KIT_HOLD_DOWN_MS);
    kit_refuse(kit, one, 1);
    kit_wait(kit, KIT_HOLD_DOWN_MS - 1);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_ADD], 1);
    kit_wait(kit, 1);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_ADD], 2);
    kit_free(kit);
}

static void a_peer_that_speaks_and_does_not_follow_is_slow(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair_in_sync(kit);
    kit_disconnect(kit);
    kit_start(kit, two); /* it says STATE, and has read no register */
    kit_connect(kit);
    kit_wait(kit, KIT_EVICT_MS + KIT_PING_MS);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_REMOVE], 1);
    CU_ASSERT(one->proposal.slow);
    kit_free(kit);
}

static void a_long_replay_of_the_primary_is_not_blamed_on_the_standby(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_connect(kit);
    one->hold_begin = true;
    kit_grant(kit, one, 1, two);
    kit_wait(kit, 5UL * KIT_EVICT_MS);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_REMOVE], 0);
    kit_release(kit, one);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_LEADING], 1);
    kit_free(kit);
}

static void only_one_ship_is_under_way(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair(kit);
    one->hold_ship = true;
    kit_write(kit, one);
    kit_write(kit, one);
    CU_ASSERT(kit_traced(kit, "1: ship 2\n"
                              "1> append 1\n"
                              "2: append to 2\n"
                              "2> ack 2\n"
                              "2: commit 2\n"));
    kit_free(kit);
}

static void a_ship_of_an_earlier_epoch_is_not_taken_for_this_ones(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair_in_sync(kit);
    one->hold_ship = true;
    kit_write(kit, one);
    kit_grant(kit, one, 3, two);
    CU_ASSERT_EQUAL(two->lsn_durable, 4); /* not before the answer */
    kit_release(kit, one);
    CU_ASSERT_EQUAL(two->lsn_durable, 5);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 5);
    kit_free(kit);
}

static void a_handover_with_a_removal_unresolved_waits(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair_in_sync(kit);
    kit_disconnect(kit);
    kit_wait(kit, KIT_SILENCE_MS);
    kit_connect(kit);
    kit_command(kit, one, REPLICA_EVENT_HANDOVER);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_DRAINED], 0);
    kit_refuse(kit, one, 2);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_DRAINED], 1);
    kit_free(kit);
}

static void a_handover_to_a_peer_outside_the_isr_never_drains(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair(kit);
    kit_command(kit, one, REPLICA_EVENT_HANDOVER);
    kit_wait(kit, 2UL * KIT_HOLD_DOWN_MS);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_DRAINED], 0);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_ADD], 0);
    kit_free(kit);
}

static void data_passes_both_ways_while_the_link_lives(void)
{
    struct kit *kit = kit_new();
    struct replica_event data = {.type = REPLICA_EVENT_DATA, .u.data = SPAN_LITERAL("late")};

    kit_connect(kit);
    kit_event(kit, kit_host(kit, 1), &data);
    CU_ASSERT(kit_traced(kit, "1> data late\n"
                              "2: data late\n"));
    kit_disconnect(kit);
    kit_clear(kit);
    kit_event(kit, kit_host(kit, 1), &data);
    CU_ASSERT(kit_traced(kit, ""));
    kit_free(kit);
}

static void idle_hosts_tell_each_other_that_they_live(void)
{
    struct kit *kit = kit_new();

    kit_connect(kit);
    kit_wait(kit, 10UL * KIT_PING_MS);
    CU_ASSERT_FALSE(kit_host(kit, 1)->link.silent);
    CU_ASSERT_FALSE(kit_host(kit, 2)->link.silent);
    CU_ASSERT(kit_host(kit, 1)->sent[MESSAGE_STATE] >= 10);
    CU_ASSERT_EQUAL(kit_host(kit, 1)->link.clock_ahead_ms, 0);
    kit_free(kit);
}

static uint32_t additions(struct kit *kit)
{
    return kit_host(kit, 1)->report_count[REPLICA_REPORT_ADD];
}

/* Epoch 1 is the register as it was made: nobody was ever removed. Afterwards that is no excuse. */
static void the_first_standby_of_a_register_waits_for_nothing(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    uint64_t now_ms = kit->now_ms;

    kit_grant(kit, one, 1, NULL);
    kit_connect(kit);
    CU_ASSERT_EQUAL(additions(kit), 1);
    CU_ASSERT_EQUAL(kit->now_ms, now_ms);
    kit_grant(kit, one, 2, kit_host(kit, 2));
    kit_grant(kit, one, 3, NULL);
    kit_wait(kit, KIT_HOLD_DOWN_MS - KIT_PING_MS);
    CU_ASSERT_EQUAL(additions(kit), 1);
    kit_wait(kit, KIT_PING_MS);
    CU_ASSERT_EQUAL(additions(kit), 2);
    kit_free(kit);
}

static void who_may_have_been_removed_before_this_process_waits(void)
{
    struct kit *kit = kit_new();

    kit_grant(kit, kit_host(kit, 1), 2, NULL);
    kit_connect(kit);
    kit_wait(kit, KIT_HOLD_DOWN_MS - KIT_PING_MS);
    CU_ASSERT_EQUAL(additions(kit), 0);
    kit_wait(kit, KIT_PING_MS);
    CU_ASSERT_EQUAL(additions(kit), 1);
    kit_free(kit);
}

static void an_idle_host_without_a_link_needs_no_clock_once_it_is_silent(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    CU_ASSERT(replica_deadline_ms(one->replica) <= kit->now_ms + KIT_PING_MS);
    kit_wait(kit, KIT_SILENCE_MS);
    CU_ASSERT(one->link.silent);
    CU_ASSERT_EQUAL(replica_deadline_ms(one->replica), UINT64_MAX);
    kit_free(kit);
}

UNIT_MAIN("replica words",
          {"an acknowledgement counts with everything right",
           an_acknowledgement_counts_with_everything_right},
          {"an acknowledgement of another epoch or incarnation is nothing",
           an_acknowledgement_of_another_epoch_or_incarnation_is_nothing},
          {"an acknowledgement of another store ends the link",
           an_acknowledgement_of_another_store_ends_the_link},
          {"an acknowledgement with another hash is fatal",
           an_acknowledgement_with_another_hash_is_fatal},
          {"an acknowledgement of what is not written ends the link",
           an_acknowledgement_of_what_is_not_written_ends_the_link},
          {"an acknowledgement before the cut ends the link",
           an_acknowledgement_before_the_cut_ends_the_link},
          {"a read waits for the echo of a ping sent after it",
           a_read_waits_for_the_echo_of_a_ping_sent_after_it},
          {"the echoes of a peer that is being added are required",
           the_echoes_of_a_peer_that_is_being_added_are_required},
          {"a read that waited through a lost link is echoed on the next",
           a_read_that_waited_through_a_lost_link_is_echoed_on_the_next},
          {"an echo of a ping that was never sent ends the link",
           an_echo_of_a_ping_that_was_never_sent_ends_the_link},
          {"a follow of another lineage is dropped", a_follow_of_another_lineage_is_dropped},
          {"a standby that cannot read its log is not cut",
           a_standby_that_cannot_read_its_log_is_not_cut},
          {"a grant that names a third store halts", a_grant_that_names_a_third_store_halts},
          {"a removal that is not resolved leaves the peer required",
           a_removal_that_is_not_resolved_leaves_the_peer_required},
          {"a refused removal is proposed again not at once",
           a_refused_removal_is_proposed_again_not_at_once},
          {"a refused addition waits for the hold down again",
           a_refused_addition_waits_for_the_hold_down_again},
          {"a peer that speaks and does not follow is slow",
           a_peer_that_speaks_and_does_not_follow_is_slow},
          {"a long replay of the primary is not blamed on the standby",
           a_long_replay_of_the_primary_is_not_blamed_on_the_standby},
          {"only one ship is under way", only_one_ship_is_under_way},
          {"a ship of an earlier epoch is not taken for this ones",
           a_ship_of_an_earlier_epoch_is_not_taken_for_this_ones},
          {"a handover with a removal unresolved waits",
           a_handover_with_a_removal_unresolved_waits},
          {"a handover to a peer outside the isr never drains",
           a_handover_to_a_peer_outside_the_isr_never_drains},
          {"data passes both ways while the link lives",
           data_passes_both_ways_while_the_link_lives},
          {"idle hosts tell each other that they live", idle_hosts_tell_each_other_that_they_live},
          {"the first standby of a register waits for nothing",
           the_first_standby_of_a_register_waits_for_nothing},
          {"who may have been removed before this process waits",
           who_may_have_been_removed_before_this_process_waits},
          {"an idle host without a link needs no clock once it is silent",
           an_idle_host_without_a_link_needs_no_clock_once_it_is_silent})
