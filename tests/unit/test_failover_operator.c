/* SPDX-License-Identifier: Apache-2.0 */
/* test_failover_operator.c: proves supervisor/failover/failover: arbiters that went wrong, outdated
 * hosts, what the operator may say, and the host that is alone (D, E, F). Owns nothing but its
 * cases. Never speaks to an arbiter: the bench answers. */
#include "tests/unit/failover_unit.h"

static void a_wiped_arbiter_is_unavailable_not_empty(void)
{
    struct kit kit;

    unit_paired(&kit);
    kit_wait(&kit, 2000);
    kit_read(&kit, NULL);
    EXPECT(&kit, "ALARM arbiter wrong");
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY); /* a healthy pair needs no arbiter */
    kit_command(&kit, FAILOVER_BOOTSTRAP);
    EXPECT(&kit,
           "NO: the arbiter is another one, or its register is gone: approvalctl arbiter reseed "
           "(if the other host is off: first approvalctl peer-off)");
    kit_command(&kit, FAILOVER_SWITCHOVER);
    EXPECT(&kit, "NO: the arbiter does not answer");
    kit_free(&kit);
}

static void an_arbiter_restored_from_an_old_copy_is_refused(void)
{
    struct failover_memory memory = {
        .epoch = 7, .lineage = KIT_LINEAGE, .revision = 17, .arbiter_id = KIT_ARBITER};
    struct failover_options options = kit_options();
    struct register_value old = kit_value(6, 1, "A-");
    struct kit kit;

    kit_new(&kit, &options);
    kit.head = 40; /* it has had other writes since */
    kit_start(&kit, &memory);
    kit_up(&kit, 1, 'A', 6, 100);
    kit_read(&kit, &old);
    EXPECT(&kit, "READ; ALARM arbiter wrong; ALARM operator");
    kit_read(&kit, &old);
    kit_wait(&kit, 5000);
    CU_ASSERT_FALSE(kit.cas_out);
    EXPECT_ROLE(&kit, FAILOVER_HALTED);
    kit_free(&kit);
}

static void an_arbiter_whose_revision_went_back_is_refused(void)
{
    struct failover_memory memory = {
        .epoch = 5, .lineage = KIT_LINEAGE, .revision = 30, .arbiter_id = KIT_ARBITER};
    struct failover_options options = kit_options();
    struct register_value value = kit_value(5, 1, "A-");
    struct kit kit;

    kit_new(&kit, &options);
    kit_start(&kit, &memory);
    kit_up(&kit, 1, 'A', 5, 100);
    kit_read(&kit, &value); /* head 15 */
    EXPECT(&kit, "READ; ALARM arbiter wrong; ALARM operator");
    kit_free(&kit);
}

static void another_arbiter_or_another_clusters_register_is_refused(void)
{
    struct register_value value = kit_value(5, 2, "AB");
    struct failover_answer answer = foreign(FAILOVER_DONE, &value, 15);
    struct kit kit;

    unit_standby(&kit);
    kit_wait(&kit, 2000);
    step_answer(&kit, &answer);
    EXPECT(&kit, "ALARM arbiter wrong; ALARM operator");
    kit_free(&kit);
    unit_standby(&kit);
    kit_wait(&kit, 2000);
    value = kit_value(6, 2, "AB");
    value.cluster_id[0] ^= 1;
    kit_read(&kit, &value);
    EXPECT(&kit, "ALARM arbiter wrong; ALARM operator");
    kit_free(&kit);
    unit_standby(&kit);
    kit_wait(&kit, 2000);
    value = kit_value(5, 2, "AB");
    value.nonce++;
    kit_read(&kit, &value); /* another value under the same epoch */
    EXPECT(&kit, "ALARM arbiter wrong; ALARM operator");
    kit_free(&kit);
}

static void a_register_below_what_the_child_has_promised_is_refused(void)
{
    struct failover_options options = kit_options();
    struct register_value old = kit_value(5, 1, "A-");
    struct kit kit;

    kit_new(&kit, &options); /* the supervisor's own memory is lost */
    kit_start(&kit, NULL);
    kit_up(&kit, 1, 'A', 6, 100);
    kit_read(&kit, &old);
    kit_read(&kit, &old);
    EXPECT(&kit, "ALARM arbiter wrong; ALARM operator");
    CU_ASSERT_FALSE(kit.cas_out);
    kit_free(&kit);
}

static void a_register_below_what_the_peer_leads_is_refused(void)
{
    struct failover_link later = kit_peer('B', 7, 120, 7, false);
    struct register_value old = kit_value(5, 2, "AB");
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &later);
    kit_wait(&kit, 100);
    kit_read(&kit, &old);
    EXPECT(&kit, "ALARM arbiter wrong; ALARM operator");
    kit_free(&kit);
}

static void an_answer_asked_for_before_our_own_change_is_only_old(void)
{
    struct failover_link silence = kit_silence();
    struct register_value old;
    struct kit kit;

    unit_paired(&kit);
    old = kit.won;
    kit_wait(&kit, 2000);
    kit_link(&kit, &silence);
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 7, 'B');
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 8; SEAL 8; ALARM unprotected");
    kit.head = 17; /* as it was when the read was executed */
    kit_read(&kit, &old);
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void a_cas_answered_by_a_wrong_arbiter_stays_unresolved(void)
{
    struct failover_link silence = kit_silence();
    struct failover_answer answer;
    struct failover_status status;
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    answer = foreign(FAILOVER_DONE, &kit.cas_value, 16);
    step_cas_answer(&kit, &answer);
    EXPECT(&kit, "ALARM arbiter wrong; ALARM operator");
    failover_status(kit.failover, &status);
    CU_ASSERT(status.cas_unresolved);
    kit_wait(&kit, 5000);
    CU_ASSERT_FALSE(kit.cas_out);
    kit_free(&kit);
}

static void the_primary_reseeds_with_its_isr_and_a_raised_epoch(void)
{
    struct failover_answer answer = foreign(FAILOVER_ABSENT, NULL, 3);
    struct kit kit;

    unit_paired(&kit);
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit, "NO: the arbiter is right: there is nothing to reseed");
    kit_wait(&kit, 2000);
    step_answer(&kit, &answer);
    EXPECT(&kit, "ALARM arbiter wrong");
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit, "OK: writes the register to the new arbiter; CAS 23 p1 AB");
    CU_ASSERT_EQUAL(kit.cas_revision, 0);
    answer = foreign(FAILOVER_DONE, &kit.cas_value, 4);
    step_cas_answer(&kit, &answer);
    EXPECT(&kit, "PERSIST 23; SEAL 23; OVER arbiter wrong");
    CU_ASSERT_EQUAL(kit.memory.arbiter_id, 88);
    CU_ASSERT_EQUAL(kit.memory.revision, 4);
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 23);
    EXPECT(&kit, "GRANT 23 p1 AB");
    kit_free(&kit);
}

static void a_reseed_ends_the_handover_that_is_under_way(void)
{
    struct failover_answer answer = foreign(FAILOVER_ABSENT, NULL, 3);
    struct kit kit;

    unit_paired(&kit);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    EXPECT(&kit, "HANDOVER; OK: hands over to host 2");
    kit_epoch(&kit, FAILOVER_EVENT_DRAINED, 7);
    EXPECT(&kit, "READ");
    step_answer(&kit, &answer);
    EXPECT(&kit, "ALARM arbiter wrong");
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit, "OK: writes the register to the new arbiter; CAS 23 p1 AB");
    answer = foreign(FAILOVER_DONE, &kit.cas_value, 4);
    step_cas_answer(&kit, &answer);
    EXPECT(&kit, "PERSIST 23; RESUME; SEAL 23; OVER arbiter wrong");
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_free(&kit);
}

static void the_standby_accepts_what_the_primary_has_reseeded(void)
{
    struct register_value reseeded = kit_value(8, 2, "AB");
    struct failover_answer answer = foreign(FAILOVER_DONE, &reseeded, 4);
    struct failover_link leads = kit_peer('B', 8, 120, 8, true);
    struct kit kit;

    unit_standby(&kit);
    kit_wait(&kit, 2000);
    step_answer(&kit, &answer);
    EXPECT(&kit, "ALARM arbiter wrong; ALARM operator");
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit, "NO: the other host has the newer log, or leads: run it there");
    kit_link(&kit, &leads);
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit,
           "PERSIST 8; OK: follows the register at the new arbiter; READ; OVER arbiter wrong; "
           "OVER operator");
    step_answer(&kit, &answer);
    EXPECT(&kit, "REGISTER 8 p2 AB");
    kit_free(&kit);
}

static void without_a_primary_the_later_log_end_reseeds_beside_its_peer(void)
{
    struct failover_answer answer = foreign(FAILOVER_ABSENT, NULL, 3);
    struct failover_link higher = kit_peer('B', 5, 101, 0, false);
    struct failover_link lower = kit_peer('B', 5, 99, 0, false);
    struct kit kit;

    unit_ready(&kit, 2, "AB");
    kit_wait(&kit, 1900);
    kit_link(&kit, &higher);
    kit_wait(&kit, 100);
    step_answer(&kit, &answer);
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit, "NO: the other host has the newer log, or leads: run it there");
    kit_link(&kit, &lower);
    EXPECT(&kit, "");
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit, "OK: writes the register to the new arbiter; CAS 21 p1 A-");
    kit_free(&kit);
}

static void without_its_peer_a_reseed_is_a_forced_promotion(void)
{
    struct failover_answer answer = foreign(FAILOVER_ABSENT, NULL, 3);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_ready(&kit, 2, "AB");
    kit_link(&kit, &silence);
    kit_wait(&kit, 1999);
    kit_safe(&kit, true);
    kit_wait(&kit, 1);
    step_answer(&kit, &answer);
    kit_command(&kit, FAILOVER_FORCE);
    EXPECT(&kit, "NO: this host is in safe mode or maintenance");
    kit_safe(&kit, false);
    kit_command(&kit, FAILOVER_FORCE);
    EXPECT(&kit, "NO: the arbiter does not answer: replace it, then approvalctl arbiter reseed");
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit,
           "NO: the other host is not there: start it, or confirm that it is off: approvalctl "
           "peer-off");
    kit_command(&kit, FAILOVER_PEER_OFF);
    kit_command(&kit, FAILOVER_RESEED);
    EXPECT(&kit, "OK: writes the register to the new arbiter; CAS 1048576 p1 A- new lineage");
    kit_free(&kit);
}

static void a_forced_promotion_begins_a_new_lineage(void)
{
    struct failover_link alive = kit_peer('B', 5, 100, 5, true);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_ready(&kit, 2, "-B"); /* not even in the ISR */
    kit_link(&kit, &alive);
    kit_command(&kit, FAILOVER_FORCE);
    EXPECT(&kit, "NO: the other host is heard: it is not off");
    kit_link(&kit, &silence);
    kit_command(&kit, FAILOVER_FORCE);
    EXPECT(&kit, "OK: forced promotion, new lineage; this host was not known to be in sync when it "
                 "was last heard; CAS 1048576 p1 A- new lineage");
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 1048576; SEAL 1048576; ELIGIBLE 1");
    CU_ASSERT_NOT_EQUAL(kit.memory.lineage, KIT_LINEAGE);
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 1048576);
    EXPECT(&kit, "GRANT 1048576 p1 A- new lineage");
    kit_free(&kit);
}

static void an_empty_store_or_another_lineage_is_never_forced(void)
{
    struct failover_options options = kit_options();
    struct register_value value = kit_value(5, 2, "-B");
    struct kit kit;

    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    kit_up(&kit, 1, 'A', 0, 0);
    kit_read(&kit, &value);
    kit_read(&kit, &value);
    kit_command(&kit, FAILOVER_FORCE);
    EXPECT(&kit, "NO: this host's store is empty");
    kit_down(&kit);
    kit_command(&kit, FAILOVER_FORCE);
    EXPECT(&kit, "NO: approvald is not up");
    kit_free(&kit);
    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    kit_up(&kit, 1, 'A', 4, 10);
    value.lineage = 99;
    kit_read(&kit, &value);
    kit_read(&kit, &value);
    kit_command(&kit, FAILOVER_FORCE);
    EXPECT(&kit, "NO: this host's store is of another lineage; if the register's is lost: promote "
                 "--force --other-lineage");
    kit_free(&kit);
}

static void a_force_that_did_not_reach_the_arbiter_is_not_repeated_by_itself(void)
{
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_ready(&kit, 2, "-B");
    kit_link(&kit, &silence);
    kit_command(&kit, FAILOVER_FORCE);
    kit_cas(&kit, FAILOVER_NOT_SENT, NULL);
    kit_wait(&kit, 3000);
    CU_ASSERT_FALSE(kit.cas_out);
    EXPECT_ROLE(&kit, FAILOVER_HALTED);
    kit_free(&kit);
}

static void unit_manual(struct kit *kit, uint8_t primary, const char *stores)
{
    struct failover_options options = kit_options();
    struct register_value value = kit_value(5, primary, stores);

    options.linearizable = false;
    kit_new(kit, &options);
    kit_start(kit, NULL);
    kit_up(kit, 1, 'A', 5, 100);
    kit_read(kit, &value);
    kit_read(kit, &value);
}

static void an_outdated_host_never_promotes_itself_alone(void)
{
    struct kit kit;

    unit_manual(&kit, 1, "AB");
    kit_wait(&kit, 3000);
    CU_ASSERT_FALSE(kit.cas_out);
    EXPECT_ROLE(&kit, FAILOVER_HALTED);
    CU_ASSERT(kit.alarms[FAILOVER_ALARM_NEEDS_OPERATOR]);
    kit_command(&kit, FAILOVER_PEER_OFF);
    EXPECT(&kit, "NO: noted, but this host may be outdated: only a forced promotion lets it lead");
    kit_wait(&kit, 3000);
    CU_ASSERT_FALSE(kit.cas_out);
    kit_command(&kit, FAILOVER_FORCE);
    CU_ASSERT(kit.cas_out);
    kit_free(&kit);
}

static void an_outdated_host_may_seek_beside_its_peer(void)
{
    struct failover_link link = kit_peer('B', 5, 99, 0, false);
    struct kit kit;

    unit_manual(&kit, 2, "AB");
    kit_link(&kit, &link);
    EXPECT(&kit, "CAS 6 p1 AB");
    kit_free(&kit);
}

static void a_host_in_sync_without_a_break_may_seek_after_silence(void)
{
    struct failover_link link = kit_peer('B', 5, 100, 5, true);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_manual(&kit, 2, "AB");
    kit_link(&kit, &link);
    EXPECT(&kit, "PERSIST 5 in sync");
    kit_link(&kit, &silence);
    EXPECT(&kit, "PERSIST 5");
    kit_wait(&kit, 250);
    EXPECT(&kit, "CAS 6 p1 A-");
    kit_cas(&kit, FAILOVER_REFUSED, NULL); /* the peer is not confirmed off */
    EXPECT(&kit, "ALARM operator");
    kit_command(&kit, FAILOVER_PEER_OFF);
    EXPECT(&kit, "OK: the operator says that the other host is off; CAS 6 p1 A-; OVER operator");
    kit_cas(&kit, FAILOVER_REFUSED,
            NULL); /* the word is not enough: the alarm says something else */
    EXPECT(&kit, "ALARM operator");
    kit_wait(&kit, 200);
    EXPECT(&kit, "CAS 6 p1 A-");
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 6; SEAL 6; ALARM unprotected; OVER operator");
    kit_free(&kit);
}

static void a_link_that_returns_makes_outdated_until_in_sync(void)
{
    struct failover_link link = kit_peer('B', 5, 100, 5, true);
    struct failover_link behind = kit_peer('B', 5, 130, 5, false);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_manual(&kit, 2, "AB");
    kit_link(&kit, &link);
    kit_link(&kit, &silence);
    kit_link(&kit, &behind);
    kit_link(&kit, &silence);
    kit_wait(&kit, 1000);
    CU_ASSERT_FALSE(kit.cas_out);
    EXPECT_ROLE(&kit, FAILOVER_HALTED);
    kit_free(&kit);
}

static void a_removal_that_the_arbiter_refuses_waits_for_the_operator(void)
{
    struct failover_link link = kit_peer('B', 5, 99, 0, false);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_manual(&kit, 1, "AB");
    kit_link(&kit, &link);
    unit_win(&kit);
    kit_link(&kit, &silence);
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 6, 'B');
    EXPECT(&kit, "CAS 7 p1 A-");
    kit_cas(&kit, FAILOVER_REFUSED, NULL);
    EXPECT(&kit, "ALARM operator");
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_wait(&kit, 200);
    CU_ASSERT(kit.cas_out);
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 7 in sync; SEAL 7; ALARM unprotected; OVER operator");
    kit_free(&kit);
}

static void the_operators_word_may_raise_the_revision_alone(void)
{
    struct failover_link link = kit_peer('B', 5, 99, 0, false);
    struct failover_link silence = kit_silence();
    struct failover_answer raised = {.revision = 1000, .revision_head = 1000};
    struct kit kit;

    unit_manual(&kit, 1, "AB");
    kit_link(&kit, &link);
    unit_win(&kit);
    raised.arbiter_id = KIT_ARBITER;
    raised.value = kit.won;
    kit_link(&kit, &silence);
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 6, 'B');
    CU_ASSERT_EQUAL(kit.cas_revision, 16);
    raised.outcome = FAILOVER_CONFLICT;
    step_cas_answer(&kit, &raised);
    EXPECT(&kit, "CAS 7 p1 A-"); /* the proposal still stands, the child is not refused */
    CU_ASSERT_EQUAL(kit.cas_revision, 1000);
    kit_free(&kit);
    unit_manual(&kit, 1, "A-");
    kit_cas(&kit, FAILOVER_REFUSED, NULL);
    raised.outcome = FAILOVER_DONE;
    raised.value = kit_value(5, 1, "A-");
    kit_wait(&kit, 2000);
    EXPECT(&kit, "CAS 6 p1 A-; READ");
    kit_cas(&kit, FAILOVER_REFUSED, NULL);
    step_answer(&kit, &raised);
    kit_wait(&kit, 200);
    EXPECT(&kit, "CAS 6 p1 A-");
    CU_ASSERT_EQUAL(kit.cas_revision, 1000);
    kit_free(&kit);
}

static void maintenance_is_remembered_and_hands_over(void)
{
    struct failover_memory memory = {.maintenance = true};
    struct failover_options options = kit_options();
    struct register_value value = kit_value(5, 1, "A-");
    struct kit kit;

    unit_paired(&kit);
    kit_command(&kit, FAILOVER_MAINTENANCE_ON);
    EXPECT(&kit, "PERSIST 7 maintenance; OK: maintenance begins; HANDOVER");
    kit_free(&kit);
    kit_new(&kit, &options);
    kit_start(&kit, &memory);
    kit_up(&kit, 1, 'A', 5, 100);
    kit_read(&kit, &value);
    kit_read(&kit, &value);
    EXPECT(&kit, "REGISTER 5 p1 A-");
    kit_command(&kit, FAILOVER_MAINTENANCE_OFF);
    EXPECT(&kit, "PERSIST 5; OK: maintenance is over; CAS 6 p1 A-; ELIGIBLE 1");
    kit_free(&kit);
}

static void only_a_store_that_nobody_needs_is_given_up(void)
{
    struct failover_link leads = kit_peer('B', 5, 120, 5, false);
    struct kit kit;

    unit_standby(&kit);
    kit_command(&kit, FAILOVER_REJOIN);
    EXPECT(&kit, "NO: this host is in the ISR: its store is needed");
    kit_free(&kit);
    unit_ready(&kit, 2, "-B");
    kit_link(&kit, &leads);
    kit_command(&kit, FAILOVER_REJOIN);
    EXPECT(&kit, "RESYNC; OK: gives up its store and fetches the other host's");
    kit_free(&kit);
    unit_solo(&kit);
    kit_command(&kit, FAILOVER_REJOIN);
    EXPECT(&kit, "NO: this host leads");
    kit_free(&kit);
}

static void a_host_alone_grants_itself_a_higher_epoch_at_each_start(void)
{
    struct failover_options options = kit_options();
    struct kit kit;

    options.alone = true;
    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    EXPECT(&kit, "ELIGIBLE 0");
    kit_up(&kit, 1, 'A', 5, 100);
    EXPECT(&kit, "SEAL 6; ELIGIBLE 1");
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 6);
    EXPECT(&kit, "GRANT 6 p1 A-");
    kit_epoch(&kit, FAILOVER_EVENT_LEADING, 6);
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    for (int command = FAILOVER_SWITCHOVER; command <= FAILOVER_REJOIN; command++) {
        kit_command(&kit, (enum failover_command)command);
        EXPECT(&kit, "NO: this host is alone: there is no pair");
    }
    kit_down(&kit);
    kit_up(&kit, 2, 'A', 6, 120);
    EXPECT(&kit, "SEAL 7");
    kit_free(&kit);
}

UNIT_MAIN("failover_operator",
          {"D a wiped arbiter is unavailable, not empty", a_wiped_arbiter_is_unavailable_not_empty},
          {"D an arbiter restored from an old copy is refused",
           an_arbiter_restored_from_an_old_copy_is_refused},
          {"D an arbiter whose revision went back is refused",
           an_arbiter_whose_revision_went_back_is_refused},
          {"D another arbiter or another cluster's register is refused",
           another_arbiter_or_another_clusters_register_is_refused},
          {"D a register below what the child has promised is refused",
           a_register_below_what_the_child_has_promised_is_refused},
          {"D a register below what the peer leads is refused",
           a_register_below_what_the_peer_leads_is_refused},
          {"D an answer asked for before our own change is only old",
           an_answer_asked_for_before_our_own_change_is_only_old},
          {"D a CAS answered by a wrong arbiter stays unresolved",
           a_cas_answered_by_a_wrong_arbiter_stays_unresolved},
          {"F the primary reseeds with its ISR and a raised epoch",
           the_primary_reseeds_with_its_isr_and_a_raised_epoch},
          {"K a reseed ends the handover that is under way",
           a_reseed_ends_the_handover_that_is_under_way},
          {"F the standby accepts what the primary has reseeded",
           the_standby_accepts_what_the_primary_has_reseeded},
          {"F without a primary the later log end reseeds beside its peer",
           without_a_primary_the_later_log_end_reseeds_beside_its_peer},
          {"F without its peer a reseed is a forced promotion",
           without_its_peer_a_reseed_is_a_forced_promotion},
          {"F a forced promotion begins a new lineage", a_forced_promotion_begins_a_new_lineage},
          {"F an empty store or another lineage is never forced",
           an_empty_store_or_another_lineage_is_never_forced},
          {"F a force that did not reach the arbiter is not repeated by itself",
           a_force_that_did_not_reach_the_arbiter_is_not_repeated_by_itself},
          {"E an outdated host never promotes itself alone",
           an_outdated_host_never_promotes_itself_alone},
          {"E an outdated host may seek beside its peer",
           an_outdated_host_may_seek_beside_its_peer},
          {"E a host in sync without a break may seek after silence",
           a_host_in_sync_without_a_break_may_seek_after_silence},
          {"E a link that returns makes outdated until in sync",
           a_link_that_returns_makes_outdated_until_in_sync},
          {"E a removal that the arbiter refuses waits for the operator",
           a_removal_that_the_arbiter_refuses_waits_for_the_operator},
          {"E the operator's word may raise the revision alone",
           the_operators_word_may_raise_the_revision_alone},
          {"maintenance is remembered and hands over", maintenance_is_remembered_and_hands_over},
          {"only a store that nobody needs is given up",
           only_a_store_that_nobody_needs_is_given_up},
          {"a host alone grants itself a higher epoch at each start",
           a_host_alone_grants_itself_a_higher_epoch_at_each_start})
