/* SPDX-License-Identifier: Apache-2.0 */
/* test_replica.c: proves storage/replica on whole paths: add, remove, take over, hand over, and a
 * crash after every message. Each case asserts the trace of a path; it is the path's document. What
 * one step refuses is in test_replica_link.c and test_replica_words.c. Owns nothing but its cases.
 * Never touches a file. */
#include "tests/unit/replica_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

/* ---- Add and remove ---- */

/* Rule G: caught up, required, has the last record from before that, then proposed. */
static void a_standby_that_caught_up_is_required_first_and_proposed_then(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair(kit);
    kit_wait(kit, KIT_HOLD_DOWN_MS - KIT_PING_MS);
    CU_ASSERT(kit_traced(kit, ""));
    kit_wait(kit, KIT_PING_MS);
    CU_ASSERT(kit_traced(kit, "1: require\n"
                              "1: propose add at 1\n"));
    CU_ASSERT_EQUAL(one->proposal.epoch, 1);
    CU_ASSERT_EQUAL(memcmp(one->proposal.peer_store_id, two->options.store_id, STORAGE_ID_SIZE), 0);
    kit_clear(kit);
    kit_grant(kit, one, 2, two);
    CU_ASSERT(kit_traced(kit, "1: promise 2\n"
                              "1: sealed 2\n"
                              "1: begin 2\n"
                              "1> lead 2\n"
                              "2: promise 2\n"
                              "2> follow 2 last 1 applied 1\n"
                              "1: find 1\n"
                              "1> cut 1\n"
                              "2: cut behind 1\n"
                              "2> ack 1\n"
                              "1: ship 2\n"
                              "1> append 1\n"
                              "2: append to 2\n"
                              "2> ack 2\n"
                              "1: leading 2\n"));
    CU_ASSERT(one->link.in_sync);
    kit_free(kit);
}

/* Counterexample 3: an addition that is not resolved keeps its requirement, whatever the link. */
static void an_unresolved_addition_stays_required_without_the_link(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair(kit);
    kit_wait(kit, KIT_HOLD_DOWN_MS);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_ADD], 1);
    kit_clear(kit);
    kit_disconnect(kit);
    kit_write(kit, one);
    kit_wait(kit, 3UL * KIT_EVICT_MS);
    CU_ASSERT(kit_traced(kit, ""));
    CU_ASSERT(replica_requires_peer(one->replica));
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 1);
    kit_refuse(kit, one, 0); /* of another epoch: nothing */
    CU_ASSERT(kit_traced(kit, ""));
    kit_refuse(kit, one, 1);
    CU_ASSERT(kit_traced(kit, "1: unrequire\n"));
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 2);
    kit_free(kit);
}

/* Required at LSN 2, of which the standby has only acknowledged what is committed: LSN 1. */
static struct kit *adding(void)
{
    struct kit *kit = kit_new();

    kit_pair(kit);
    kit_host(kit, 1)->hold_sync = true;
    kit_host(kit, 2)->hold_sync = true;
    kit_write(kit, kit_host(kit, 1));
    kit_clear(kit);
    kit_wait(kit, KIT_HOLD_DOWN_MS);
    CU_ASSERT(kit_traced(kit, "1: require\n"));
    kit_clear(kit);
    return kit;
}

static void an_addition_is_proposed_with_the_last_record_from_before_it(void)
{
    struct kit *kit = adding();

    kit_release(kit, kit_host(kit, 2));
    CU_ASSERT(kit_traced(kit, "2> ack 2\n"
                              "1: propose add at 2\n"));
    kit_free(kit);
}

/* Under load the commit LSN of a primary that is alone is always ahead of the acknowledgements. */
static void a_standby_is_added_under_load_as_well(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair(kit);
    two->hold_sync = true;
    for (uint32_t i = 0; i < 60; i++) {
        kit_wait(kit, KIT_PING_MS - 1U);
        kit_write(kit, one);
        two->lsn_durable = two->lsn_last - 1; /* the newest record is always under way */
        kit_command(kit, two, REPLICA_EVENT_LOCAL);
    }
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_ADD], 1);
    kit_free(kit);
}

static void an_addition_that_is_not_proposed_ends_with_the_link(void)
{
    struct kit *kit = adding();

    kit_disconnect(kit);
    CU_ASSERT(kit_traced(kit, "1: unrequire\n"));
    kit_free(kit);
}

static void an_addition_that_holds_up_every_commit_is_given_up(void)
{
    struct kit *kit = adding();

    kit_wait(kit, KIT_EVICT_MS);
    CU_ASSERT(kit_traced(kit, "1: unrequire\n"));
    kit_free(kit);
}

static void a_silent_standby_is_proposed_for_removal_and_required_until_then(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair_in_sync(kit);
    kit->mute = true; /* the link stands, nothing comes */
    kit_write(kit, one);
    kit_clear(kit);
    kit_wait(kit, KIT_SILENCE_MS);
    kit_wait(kit, 5UL * KIT_SILENCE_MS);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit->trace, "1: propose remove silent\n"));
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_REMOVE], 1); /* once */
    CU_ASSERT(one->link.silent);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 3); /* H: CAS first, then stop waiting */
    kit_clear(kit);
    kit_grant(kit, one, 3, NULL);
    CU_ASSERT(kit_traced(kit, "1: promise 3\n"
                              "1: sealed 3\n"
                              "1: unrequire\n"
                              "1: begin 3\n"
                              "1> lead 3\n"
                              "1: leading 3\n"));
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 5);
    kit_free(kit);
}

static void a_slow_standby_that_echoes_is_proposed_for_removal_as_slow(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair_in_sync(kit);
    two->hold_sync = true;
    kit_write(kit, one);
    kit_clear(kit);
    kit_wait(kit, KIT_EVICT_MS - 1);
    CU_ASSERT(kit_traced(kit, ""));
    kit_wait(kit, 1);
    CU_ASSERT(kit_traced(kit, "1: propose remove slow\n"));
    CU_ASSERT_FALSE(one->link.silent);
    /* It comes back before the change is made: its acknowledgement counts. */
    kit_release(kit, two);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 4);
    /* Refused: it stays required, and no new proposal is due. */
    kit_clear(kit);
    kit_refuse(kit, one, 2);
    kit_wait(kit, KIT_EVICT_MS);
    CU_ASSERT_PTR_NULL(strstr(kit->trace, "1: propose"));
    CU_ASSERT_PTR_NULL(strstr(kit->trace, "1: unrequire"));
    CU_ASSERT(replica_requires_peer(one->replica));
    kit_free(kit);
}

static void a_slow_disk_here_blames_nobody(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair_in_sync(kit);
    two->hold_sync = true;
    one->sync_slow = true;
    kit_write(kit, one);
    kit_wait(kit, 3UL * KIT_EVICT_MS);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_REMOVE], 0);
    kit_free(kit);
}

static void a_strict_primary_never_proposes_to_go_solo(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    one->options.strict = true;
    kit_start(kit, one);
    kit_register(kit, one, 0, 0);
    kit_pair_in_sync(kit);
    kit_disconnect(kit);
    kit_write(kit, one);
    kit_wait(kit, 10UL * KIT_EVICT_MS);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_REMOVE], 0);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 3);
    kit_free(kit);
}

/* Counterexample 9: a host that lost its disk is not the one that the ISR names. */
static void another_store_in_the_peers_place_satisfies_nothing(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair_in_sync(kit);
    kit_disconnect(kit);
    two->options.store_id[0] = 0x77; /* a new disk */
    two->options.lineage = 0;
    two->options.promised = 0;
    two->lsn_last = 0;
    two->lsn_durable = 0;
    two->lsn_applied = 0;
    kit_start(kit, two);
    kit_register(kit, two, 2, 1);
    kit_connect(kit);
    CU_ASSERT_EQUAL(two->lsn_durable, 3); /* it follows and has all */
    kit_write(kit, one);
    CU_ASSERT_EQUAL(two->lsn_durable, 4);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 3); /* and nothing of it counts */
    kit_clear(kit);
    kit_wait(kit, KIT_SILENCE_MS);
    CU_ASSERT(kit_traced(kit, "1: propose remove silent\n"));
    kit_grant(kit, one, 3, NULL);
    kit_wait(kit, KIT_HOLD_DOWN_MS);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit->trace, "1: propose add at 5\n"));
    CU_ASSERT_EQUAL(one->proposal.peer_store_id[0], 0x77);
    kit_free(kit);
}

static void a_primary_that_slept_gives_the_standby_time(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair_in_sync(kit);
    kit->now_ms += 5UL * KIT_SILENCE_MS; /* stopped, and continued */
    kit_command(kit, one, REPLICA_EVENT_TICK);
    CU_ASSERT_FALSE(one->link.silent);
    kit_wait(kit, KIT_SILENCE_MS);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_REMOVE], 0);
    kit_free(kit);
}

/* ---- Takeover, deposed ---- */

static void a_standby_hears_silence_seals_and_leads_with_its_whole_log(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair_in_sync(kit);
    two->hold_sync = false;
    kit_write(kit, one);
    kit->mute = true;
    one->dead = true;
    CU_ASSERT_FALSE(two->link.silent);
    kit_wait(kit, KIT_SILENCE_MS);
    CU_ASSERT(two->link.silent);
    kit_disconnect(kit);
    kit->mute = false;
    kit_clear(kit);
    kit_grant(kit, two, 3, NULL);
    CU_ASSERT(kit_traced(kit, "2: promise 3\n"
                              "2: sealed 3\n"
                              "2: begin 3\n"
                              "2: leading 3\n"));
    CU_ASSERT_EQUAL(isr_commit(&two->isr), 5);
    /* Counterexample 1: the old primary, with a tail of its own, follows and is cut. */
    kit_fill(one, 2, 2, 5);
    kit_start(kit, one);
    kit_register(kit, one, 3, 2);
    kit_clear(kit);
    kit_connect(kit);
    CU_ASSERT(kit_traced(kit, "2> lead 3\n"
                              "1: promise 3\n"
                              "1> follow 3 last 6 applied 4\n"
                              "2: find 4\n"
                              "2> probe 5\n"
                              "1: find 5\n"
                              "1> place 5\n"
                              "2: find 5\n"
                              "2> cut 4\n"
                              "1: cut behind 4\n"
                              "1> ack 4\n"
                              "2: ship 5\n"
                              "2> append 1\n"
                              "1: append to 5\n"
                              "1> ack 5\n"
                              "1: commit 5\n"));
    kit_free(kit);
}

static void a_deposed_primary_counts_and_says_nothing_any_more(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair_in_sync(kit);
    kit_seal(kit, two, 3);
    CU_ASSERT(kit_traced(kit, "2: promise 3\n"
                              "2: sealed 3\n"
                              "1: deposed by 3\n"));
    kit_clear(kit);
    kit_write(kit, one);
    kit_command(kit, one, REPLICA_EVENT_READ);
    kit_wait(kit, 5UL * KIT_EVICT_MS);
    CU_ASSERT(kit_traced(kit, ""));
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 3);
    CU_ASSERT_STRING_EQUAL(replica_phase(one->replica), "deposed");
    kit_free(kit);
}

static void a_deposed_primary_that_was_alone_stops_committing(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair(kit);
    kit_register(kit, one, 4, 2); /* forced elsewhere */
    CU_ASSERT(kit_traced(kit, "1: deposed by 4\n"
                              "1: require\n"));
    kit_write(kit, one);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 1);
    kit_free(kit);
}

/* ---- Handover ---- */

static void a_drained_primary_hands_over_and_follows_in_the_same_process(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair_in_sync(kit);
    two->hold_sync = true;
    kit_write(kit, one);
    kit_clear(kit);
    kit_command(kit, one, REPLICA_EVENT_HANDOVER);
    CU_ASSERT(kit_traced(kit, "")); /* not before the standby has all */
    kit_release(kit, two);
    CU_ASSERT(kit_traced(kit, "2> ack 4\n"
                              "1> handover 2\n"
                              "1: drained 2\n"
                              "2: take over 2\n"
                              "2: commit 4\n"));
    kit_clear(kit);
    kit_grant(kit, two, 3, one);
    CU_ASSERT(kit_traced(kit, "2: promise 3\n"
                              "2: sealed 3\n"
                              "2: require\n"
                              "2: begin 3\n"
                              "2> lead 3\n"
                              "1: step down\n"
                              "1: promise 3\n"
                              "1> follow 3 last 4 applied 4\n"
                              "2: find 4\n"
                              "2> cut 4\n"
                              "1: cut behind 4\n"
                              "1> ack 4\n"
                              "2: ship 5\n"
                              "2> append 1\n"
                              "1: append to 5\n"
                              "1> ack 5\n"
                              "2: leading 3\n"));
    CU_ASSERT_EQUAL(replica_role(one->replica), REPLICA_STANDBY);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_DEPOSED], 0);
    /* And back. */
    kit_wait(kit, KIT_PING_MS);
    kit_clear(kit);
    kit_command(kit, two, REPLICA_EVENT_HANDOVER);
    kit_grant(kit, one, 4, two);
    CU_ASSERT_EQUAL(replica_role(one->replica), REPLICA_PRIMARY);
    CU_ASSERT_EQUAL(replica_role(two->replica), REPLICA_STANDBY);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 6);
    kit_free(kit);
}

static void a_handover_that_changed_nothing_is_resumed(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);

    kit_pair_in_sync(kit);
    kit_command(kit, one, REPLICA_EVENT_HANDOVER);
    CU_ASSERT(kit_traced(kit, "1> handover 2\n"
                              "1: drained 2\n"
                              "2: take over 2\n"));
    kit_command(kit, one, REPLICA_EVENT_RESUME);
    kit_clear(kit);
    kit_write(kit, one);
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 4);
    /* And may be tried again. */
    kit_command(kit, one, REPLICA_EVENT_HANDOVER);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_DRAINED], 2);
    kit_free(kit);
}

/* Rule K: the peer sealed while this one was drained; its own resumption finds it out. */
/* The peer took the register and was lost before it led; this host took it back. Found by
 * tests/sim: the pair stayed solo. */
static void a_grant_ends_a_handover_that_came_to_nothing(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    uint32_t adds;

    kit_pair_in_sync(kit);
    kit_command(kit, one, REPLICA_EVENT_HANDOVER);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_DRAINED], 1);
    kit_disconnect(kit);
    kit_grant(kit, one, 4, NULL);
    adds = one->report_count[REPLICA_REPORT_ADD];
    kit_connect(kit);
    kit_wait(kit, 10000);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_ADD], adds + 1);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_DRAINED], 1);
    kit_free(kit);
}

static void a_handover_resumed_after_the_peer_has_sealed_is_deposed(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair_in_sync(kit);
    kit_command(kit, one, REPLICA_EVENT_HANDOVER);
    kit_seal(kit, two, 3);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_DEPOSED], 0);
    kit_clear(kit);
    kit_command(kit, one, REPLICA_EVENT_RESUME);
    CU_ASSERT(kit_traced(kit, "1: deposed by 3\n"));
    kit_free(kit);
}

static void a_handover_goes_on_over_a_new_link(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair_in_sync(kit);
    kit_command(kit, one, REPLICA_EVENT_HANDOVER);
    kit_disconnect(kit);
    kit_grant(kit, two, 3, one);
    kit_clear(kit);
    kit_connect(kit);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit->trace, "1: step down\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(kit->trace, "2: leading 3\n"));
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_DEPOSED], 0);
    kit_free(kit);
}

static void a_primary_that_has_not_drained_is_deposed_by_lead(void)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_pair_in_sync(kit);
    kit_disconnect(kit);
    kit_write(kit, one);
    kit_command(kit, one, REPLICA_EVENT_HANDOVER);
    kit_grant(kit, two, 3, one);
    kit_clear(kit);
    kit_connect(kit);
    CU_ASSERT_PTR_NOT_NULL(strstr(kit->trace, "1: deposed by 3\n"));
    CU_ASSERT_PTR_NULL(strstr(kit->trace, "1: step down\n"));
    CU_ASSERT_EQUAL(isr_commit(&one->isr), 3);
    kit_free(kit);
}

/* ---- Every place where a process may end ---- */

/* Host 2 is restarted, or the link lost, after each of the path's first n deliveries; then all
 * heals: both logs are the same, and the pair is whole. */
static void heals_after(uint32_t deliveries, bool restart)
{
    struct kit *kit = kit_new();
    struct kit_host *one = kit_host(kit, 1);
    struct kit_host *two = kit_host(kit, 2);

    kit_fill(one, 12, 1, 0);
    kit_fill(two, 7, 1, 0);
    kit_fill(two, 3, 1, 5);
    two->lsn_applied = 2;
    kit_start(kit, one);
    kit_start(kit, two);
    kit_register(kit, two, 1, 1);
    kit_grant(kit, one, 2, NULL);
    kit_connect_for(kit, deliveries);
    kit_disconnect(kit);
    if (restart) {
        kit_start(kit, two);
        kit_register(kit, two, 2, 1);
    }
    kit_connect(kit);
    kit_wait(kit, KIT_HOLD_DOWN_MS + KIT_PING_MS);
    CU_ASSERT_EQUAL(two->lsn_durable, 13);
    CU_ASSERT_EQUAL(two->lsn_applied, 13);
    CU_ASSERT_EQUAL(memcmp(&one->log[1], &two->log[1], 13 * sizeof one->log[1]), 0);
    CU_ASSERT_EQUAL(one->report_count[REPLICA_REPORT_ADD], 1);
    kit_free(kit);
}

static void a_link_lost_after_any_message_heals(void)
{
    for (uint32_t i = 0; i < 60; i++) {
        heals_after(i, false);
    }
}

static void a_standby_killed_after_any_message_heals(void)
{
    for (uint32_t i = 0; i < 60; i++) {
        heals_after(i, true);
    }
}

UNIT_MAIN(
    "replica",
    {"a standby that caught up is required first and proposed then",
     a_standby_that_caught_up_is_required_first_and_proposed_then},
    {"an unresolved addition stays required without the link",
     an_unresolved_addition_stays_required_without_the_link},
    {"an addition is proposed with the last record from before it",
     an_addition_is_proposed_with_the_last_record_from_before_it},
    {"a standby is added under load as well", a_standby_is_added_under_load_as_well},
    {"an addition that is not proposed ends with the link",
     an_addition_that_is_not_proposed_ends_with_the_link},
    {"an addition that holds up every commit is given up",
     an_addition_that_holds_up_every_commit_is_given_up},
    {"a silent standby is proposed for removal and required until then",
     a_silent_standby_is_proposed_for_removal_and_required_until_then},
    {"a slow standby that echoes is proposed for removal as slow",
     a_slow_standby_that_echoes_is_proposed_for_removal_as_slow},
    {"a slow disk here blames nobody", a_slow_disk_here_blames_nobody},
    {"a strict primary never proposes to go solo", a_strict_primary_never_proposes_to_go_solo},
    {"another store in the peers place satisfies nothing",
     another_store_in_the_peers_place_satisfies_nothing},
    {"a primary that slept gives the standby time", a_primary_that_slept_gives_the_standby_time},
    {"a standby hears silence seals and leads with its whole log",
     a_standby_hears_silence_seals_and_leads_with_its_whole_log},
    {"a deposed primary counts and says nothing any more",
     a_deposed_primary_counts_and_says_nothing_any_more},
    {"a deposed primary that was alone stops committing",
     a_deposed_primary_that_was_alone_stops_committing},
    {"a drained primary hands over and follows in the same process",
     a_drained_primary_hands_over_and_follows_in_the_same_process},
    {"a handover that changed nothing is resumed", a_handover_that_changed_nothing_is_resumed},
    {"a grant ends a handover that came to nothing", a_grant_ends_a_handover_that_came_to_nothing},
    {"a handover resumed after the peer has sealed is deposed",
     a_handover_resumed_after_the_peer_has_sealed_is_deposed},
    {"a handover goes on over a new link", a_handover_goes_on_over_a_new_link},
    {"a primary that has not drained is deposed by lead",
     a_primary_that_has_not_drained_is_deposed_by_lead},
    {"a link lost after any message heals", a_link_lost_after_any_message_heals},
    {"a standby killed after any message heals", a_standby_killed_after_any_message_heals})
