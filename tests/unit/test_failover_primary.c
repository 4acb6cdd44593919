/* SPDX-License-Identifier: Apache-2.0 */
/* test_failover_primary.c: proves supervisor/failover/failover: what a host that leads does (C, G,
 * H, K, M). Owns nothing but its cases. Never speaks to an approvald: the bench does. */
#include "tests/unit/failover_unit.h"

static void a_caught_up_standby_is_added(void)
{
    struct failover_link link = kit_peer('B', 6, 101, 0, true);
    struct kit kit;

    unit_solo(&kit);
    kit_link(&kit, &link);
    kit_propose(&kit, FAILOVER_EVENT_ADD, 6, 'B');
    EXPECT(&kit, "CAS 7 p1 AB");
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 7; SEAL 7; OVER unprotected");
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 7);
    EXPECT(&kit, "GRANT 7 p1 AB");
    kit_free(&kit);
}

static void a_silent_standby_is_removed_by_cas_first(void)
{
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_paired(&kit);
    kit_link(&kit, &silence);
    EXPECT(&kit, ""); /* the log proposes, nobody else */
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 7, 'B');
    EXPECT(&kit, "CAS 8 p1 A-");
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 8; SEAL 8; ALARM unprotected");
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 8);
    EXPECT(&kit, "GRANT 8 p1 A-");
    kit_free(&kit);
}

static void a_proposal_of_another_epoch_is_nothing(void)
{
    struct kit kit;

    unit_paired(&kit);
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 6, 'B');
    EXPECT(&kit, "");
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 8, 'B');
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void a_proposal_while_the_next_epoch_is_sealed_is_not_refused(void)
{
    struct failover_link link = kit_peer('B', 6, 101, 0, true);
    struct kit kit;

    unit_solo(&kit);
    kit_link(&kit, &link);
    kit_propose(&kit, FAILOVER_EVENT_ADD, 6, 'B');
    kit_cas(&kit, FAILOVER_DONE, NULL);
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 6, 'B'); /* a refusal would end the requirement */
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void an_impossible_proposal_is_refused(void)
{
    struct failover_link link = kit_peer('B', 6, 101, 0, true);
    struct kit kit;

    unit_solo(&kit);
    kit_link(&kit, &link);
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 6, 'B');
    EXPECT(&kit, "REFUSED 6");
    kit_propose(&kit, FAILOVER_EVENT_ADD, 6, 'A'); /* a copy of this host's disk */
    EXPECT(&kit, "REFUSED 6");
    kit_propose(&kit, FAILOVER_EVENT_ADD, 6, '\0');
    EXPECT(&kit, "REFUSED 6");
    kit_free(&kit);
    unit_paired(&kit);
    kit_propose(&kit, FAILOVER_EVENT_ADD, 7, 'B');
    EXPECT(&kit, "REFUSED 7");
    kit_free(&kit);
}

static void an_addition_of_unknown_fate_is_never_refused(void)
{
    struct failover_link link = kit_peer('B', 6, 101, 0, true);
    struct failover_link silence = kit_silence();
    struct register_value old;
    struct kit kit;

    unit_solo(&kit);
    old = kit.won;
    kit_link(&kit, &link);
    kit_propose(&kit, FAILOVER_EVENT_ADD, 6, 'B');
    kit_cas(&kit, FAILOVER_UNKNOWN, NULL);
    EXPECT(&kit, "ALARM arbiter down");
    kit_wait(&kit, 100);
    kit_read(&kit, &old);
    EXPECT(&kit, "OVER arbiter down");
    kit_link(&kit, &silence);
    EXPECT(&kit, "");
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 6, 'B');
    EXPECT(&kit, "");
    kit_wait(&kit, 100);
    EXPECT(&kit, "CAS 7 p1 AB; READ");
    kit_cas(&kit, FAILOVER_NOT_SENT, NULL);
    EXPECT(&kit, "ALARM arbiter down");
    kit_wait(&kit, 200);
    EXPECT(&kit, "CAS 7 p1 AB");
    kit_free(&kit);
}

static void an_addition_that_never_left_ends_with_the_link(void)
{
    struct failover_link link = kit_peer('B', 6, 101, 0, true);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_solo(&kit);
    kit_link(&kit, &link);
    kit_propose(&kit, FAILOVER_EVENT_ADD, 6, 'B');
    kit_cas(&kit, FAILOVER_NOT_SENT, NULL);
    EXPECT(&kit, "ALARM arbiter down");
    kit_wait(&kit, 200);
    EXPECT(&kit, "READ; CAS 7 p1 AB"); /* still wanted */
    kit_cas(&kit, FAILOVER_NOT_SENT, NULL);
    kit_link(&kit, &silence);
    EXPECT(&kit, "REFUSED 6");
    kit_wait(&kit, 1000);
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void an_addition_that_never_left_is_taken_back_by_the_log(void)
{
    struct failover_link link = kit_peer('B', 6, 101, 0, true);
    struct kit kit;

    unit_solo(&kit);
    kit_link(&kit, &link);
    kit_propose(&kit, FAILOVER_EVENT_ADD, 6, 'B');
    kit_cas(&kit, FAILOVER_NOT_SENT, NULL);
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 6, 'B');
    EXPECT(&kit, "REFUSED 6");
    kit_free(&kit);
}

static void a_removal_is_tried_until_the_arbiter_answers_or_the_peer_is_back(void)
{
    struct failover_link silence = kit_silence();
    struct failover_link back = kit_peer('B', 7, 102, 0, true);
    struct kit kit;

    unit_paired(&kit);
    kit_link(&kit, &silence);
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 7, 'B');
    kit_cas(&kit, FAILOVER_NOT_SENT, NULL);
    kit_wait(&kit, 200);
    EXPECT(&kit, "READ; CAS 8 p1 A-");
    kit_cas(&kit, FAILOVER_NOT_SENT, NULL);
    kit_link(&kit, &back);
    EXPECT(&kit, "REFUSED 7");
    kit_free(&kit);
}

static void the_register_moved_to_the_peer_ends_the_child(void)
{
    struct register_value theirs = kit_value(8, 2, "-B");
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_paired(&kit);
    kit_link(&kit, &silence);
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 7, 'B');
    kit_cas(&kit, FAILOVER_CONFLICT, &theirs);
    EXPECT(&kit, "PERSIST 8; REVOKE; READ; ELIGIBLE 0; ALARM unprotected");
    kit_down(&kit);
    EXPECT(&kit, "");
    kit_up(&kit, 2, 'A', 7, 105);
    kit_read(&kit, &theirs);
    kit_read(&kit, &theirs);
    EXPECT(&kit, "REGISTER 8 p2 -B");
    kit_wait(&kit, 500);
    CU_ASSERT_FALSE(kit.eligible);
    kit_free(&kit);
}

static void a_newer_epoch_in_an_idle_read_ends_the_child(void)
{
    struct register_value theirs = kit_value(8, 2, "AB");
    struct kit kit;

    unit_paired(&kit);
    kit_wait(&kit, 2000);
    kit_read(&kit, &theirs);
    EXPECT(&kit, "PERSIST 8; REVOKE; READ; ELIGIBLE 0");
    kit_free(&kit);
}

static void a_peer_that_knows_a_higher_epoch_deposes(void)
{
    struct kit kit;

    unit_paired(&kit);
    kit_epoch(&kit, FAILOVER_EVENT_DEPOSED, 7); /* its own */
    EXPECT(&kit, "");
    kit_epoch(&kit, FAILOVER_EVENT_DEPOSED, 8);
    EXPECT(&kit, "REVOKE; READ; ELIGIBLE 0");
    kit_epoch(&kit, FAILOVER_EVENT_DEPOSED, 9); /* the dying child's last words */
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void what_moves_while_the_child_seals_is_given_up_without_a_kill(void)
{
    struct register_value theirs = kit_value(7, 2, "AB");
    struct kit kit;

    unit_ready(&kit, 1, "A-");
    kit_cas(&kit, FAILOVER_DONE, NULL);
    kit_wait(&kit, 2000);
    kit_read(&kit, &theirs);
    EXPECT(&kit, "PERSIST 7; READ; REGISTER 7 p2 AB; OVER unprotected");
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 6);
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void the_child_of_a_primary_that_died_needs_a_cas_of_its_own(void)
{
    struct failover_link link = kit_peer('B', 7, 102, 0, false);
    struct register_value ours;
    struct kit kit;

    unit_paired(&kit);
    ours = kit.won;
    kit_down(&kit);
    EXPECT(&kit, "");
    CU_ASSERT(kit.eligible); /* the sockets are kept open */
    kit_up(&kit, 2, 'A', 7, 102);
    kit_read(&kit, &ours);
    EXPECT(&kit, "REGISTER 7 p1 AB");
    kit_link(&kit, &link);
    EXPECT(&kit, "CAS 8 p1 AB");
    kit_free(&kit);
}

static void a_seal_of_an_older_epoch_grants_nothing(void)
{
    struct kit kit;

    unit_ready(&kit, 1, "A-");
    kit_cas(&kit, FAILOVER_DONE, NULL);
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 5);
    EXPECT(&kit, "");
    EXPECT_ROLE(&kit, FAILOVER_SEALING);
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 6);
    EXPECT(&kit, "GRANT 6 p1 A-");
    kit_free(&kit);
}

static void a_switchover_ends_with_the_peer_leading(void)
{
    struct register_value theirs = kit_value(8, 2, "AB");
    struct failover_link leads = kit_peer('B', 8, 103, 8, true);
    struct kit kit;

    unit_paired(&kit);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    EXPECT(&kit, "HANDOVER; OK: hands over to host 2");
    EXPECT_ROLE(&kit, FAILOVER_HANDING_OVER);
    kit_epoch(&kit, FAILOVER_EVENT_DRAINED, 7);
    EXPECT(&kit, "READ");
    kit_read(&kit, &kit.won);
    EXPECT(&kit, "");
    kit_wait(&kit, 100);
    EXPECT(&kit, "READ");
    kit_read(&kit, &theirs);
    EXPECT(&kit, "PERSIST 8");
    EXPECT_ROLE(&kit, FAILOVER_HANDING_OVER);
    kit_link(&kit, &leads);
    EXPECT(&kit, "READ; REGISTER 8 p2 AB");
    EXPECT_ROLE(&kit, FAILOVER_STANDBY);
    CU_ASSERT(kit.eligible);
    kit_free(&kit);
}

static void the_peers_lead_may_be_heard_before_the_register_is_read(void)
{
    struct failover_link leads = kit_peer('B', 8, 103, 8, true);
    struct register_value theirs = kit_value(8, 2, "AB");
    struct kit kit;

    unit_paired(&kit);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    kit_epoch(&kit, FAILOVER_EVENT_DRAINED, 7);
    kit_read(&kit, &kit.won);
    kit_link(&kit, &leads);
    EXPECT(&kit, "READ; REGISTER 7 p1 AB");
    EXPECT_ROLE(&kit, FAILOVER_STANDBY);
    kit_wait(&kit, 5000);
    EXPECT(&kit, "ELIGIBLE 0; ELIGIBLE 1"); /* above all no RESUME */
    kit_read(&kit, &theirs);
    EXPECT(&kit, "PERSIST 8; REGISTER 8 p2 AB");
    kit_free(&kit);
}

/* Such a child neither leads nor follows: left alone, the pair would stay without a standby. */
static void a_child_that_is_deposed_when_it_was_taken_for_a_standby_is_ended(void)
{
    struct failover_link leads = kit_peer('B', 8, 103, 8, true);
    struct kit kit;

    unit_paired(&kit);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    kit_epoch(&kit, FAILOVER_EVENT_DRAINED, 7);
    kit_read(&kit, &kit.won);
    kit_link(&kit, &leads);
    EXPECT_ROLE(&kit, FAILOVER_STANDBY);
    kit_epoch(&kit, FAILOVER_EVENT_DEPOSED, 8);
    EXPECT(&kit, "REVOKE; ELIGIBLE 0");
    kit_epoch(&kit, FAILOVER_EVENT_DEPOSED, 8); /* the dying child's last words */
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void a_handover_that_changes_nothing_is_resumed(void)
{
    struct kit kit;

    unit_paired(&kit);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    kit_epoch(&kit, FAILOVER_EVENT_DRAINED, 7);
    EXPECT(&kit, "READ");
    kit_wait(&kit, 2999);
    EXPECT(&kit, "");
    kit_wait(&kit, 1);
    EXPECT(&kit, "RESUME");
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_free(&kit);
}

static void a_handover_is_resumed_when_the_standby_is_lost(void)
{
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_paired(&kit);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    kit_link(&kit, &silence);
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 7, 'B');
    EXPECT(&kit, "RESUME; CAS 8 p1 A-");
    kit_free(&kit);
}

static void a_drained_primary_whose_heir_does_not_lead_is_ended(void)
{
    struct register_value theirs = kit_value(8, 2, "AB");
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_paired(&kit);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    kit_epoch(&kit, FAILOVER_EVENT_DRAINED, 7);
    kit_read(&kit, &theirs);
    EXPECT(&kit, "PERSIST 8");
    kit_link(&kit, &silence);
    EXPECT(&kit, "REVOKE; READ; ELIGIBLE 0");
    kit_free(&kit);
}

static void a_drained_primary_that_was_evicted_is_ended(void)
{
    struct register_value theirs = kit_value(8, 2, "-B");
    struct kit kit;

    unit_paired(&kit);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    kit_epoch(&kit, FAILOVER_EVENT_DRAINED, 7);
    kit_read(&kit, &theirs);
    EXPECT(&kit, "PERSIST 8; REVOKE; READ; ELIGIBLE 0; ALARM unprotected");
    kit_free(&kit);
}

static void a_switchover_says_what_stands_in_its_way(void)
{
    struct failover_link behind = kit_peer('B', 7, 90, 0, false);
    struct kit kit;

    unit_standby(&kit);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    EXPECT(&kit, "NO: this host does not lead: run it on the primary's host");
    kit_free(&kit);
    unit_solo(&kit);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    EXPECT(&kit, "NO: the other host is not in the ISR");
    kit_free(&kit);
    unit_paired(&kit);
    kit_link(&kit, &behind);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    EXPECT(&kit, "NO: the other host is not in sync");
    kit_free(&kit);
    unit_paired(&kit);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    EXPECT(&kit, "NO: a handover is under way");
    kit_free(&kit);
    unit_paired(&kit);
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 7, 'B');
    kit_command(&kit, FAILOVER_SWITCHOVER);
    EXPECT(&kit, "NO: a change of the register is under way");
    kit_free(&kit);
}

static void the_standby_takes_an_offered_epoch_with_both(void)
{
    struct kit kit;

    unit_standby(&kit);
    kit_epoch(&kit, FAILOVER_EVENT_TAKE_OVER, 5);
    EXPECT(&kit, "CAS 6 p1 AB");
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 6; SEAL 6");
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 6);
    EXPECT(&kit, "GRANT 6 p1 AB");
    kit_free(&kit);
}

static void an_offer_of_an_epoch_not_yet_read_waits_for_the_read(void)
{
    struct register_value newer = kit_value(6, 2, "AB");
    struct kit kit;

    unit_standby(&kit);
    kit_epoch(&kit, FAILOVER_EVENT_TAKE_OVER, 6);
    EXPECT(&kit, "READ");
    kit_read(&kit, &newer);
    EXPECT(&kit, "PERSIST 6; CAS 7 p1 AB; REGISTER 6 p2 AB");
    kit_free(&kit);
}

static void an_offer_is_not_taken_in_safe_mode_nor_after_its_time(void)
{
    struct kit kit;

    unit_standby(&kit);
    kit_safe(&kit, true);
    EXPECT(&kit, "ELIGIBLE 0");
    kit_epoch(&kit, FAILOVER_EVENT_TAKE_OVER, 5);
    EXPECT(&kit, "");
    kit_wait(&kit, 3000);
    EXPECT(&kit, "READ");
    kit_safe(&kit, false);
    EXPECT(&kit, "ELIGIBLE 1");
    kit_free(&kit);
}

static void a_primary_in_safe_mode_hands_over_or_else_goes_on(void)
{
    struct kit kit;

    unit_paired(&kit);
    kit_safe(&kit, true);
    EXPECT(&kit, "HANDOVER");
    CU_ASSERT(kit.eligible);
    kit_wait(&kit, 3000);
    EXPECT(&kit, "READ; RESUME");
    kit_wait(&kit, 29999);
    EXPECT(&kit, "");
    kit_wait(&kit, 1);
    EXPECT(&kit, "HANDOVER"); /* once more, after a pause */
    kit_free(&kit);
    unit_solo(&kit);
    kit_safe(&kit, true);
    EXPECT(&kit, "");
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    CU_ASSERT(kit.eligible);
    kit_free(&kit);
}

static void a_host_in_safe_mode_never_seeks(void)
{
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_standby(&kit);
    kit_safe(&kit, true);
    kit_link(&kit, &silence);
    kit_wait(&kit, 1500);
    EXPECT(&kit, "");
    kit_safe(&kit, false);
    EXPECT(&kit, "CAS 6 p1 A-; ELIGIBLE 1");
    kit_free(&kit);
}

static void a_standby_that_was_evicted_gives_up_the_virtual_ip(void)
{
    struct register_value theirs = kit_value(6, 2, "-B");
    struct failover_link link = kit_peer('B', 6, 110, 6, false);
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &link); /* it leads an epoch that was not read yet */
    kit_wait(&kit, 100);
    EXPECT(&kit, "READ");
    kit_read(&kit, &theirs);
    EXPECT(&kit, "PERSIST 6; REGISTER 6 p2 -B; ELIGIBLE 0; ALARM unprotected");
    kit_free(&kit);
}

UNIT_MAIN("failover_primary",
          {"G a caught up standby is added", a_caught_up_standby_is_added},
          {"H a silent standby is removed by CAS first", a_silent_standby_is_removed_by_cas_first},
          {"H a proposal of another epoch is nothing", a_proposal_of_another_epoch_is_nothing},
          {"G a proposal while the next epoch is sealed is not refused",
           a_proposal_while_the_next_epoch_is_sealed_is_not_refused},
          {"G an impossible proposal is refused", an_impossible_proposal_is_refused},
          {"D an addition of unknown fate is never refused",
           an_addition_of_unknown_fate_is_never_refused},
          {"D an addition that never left ends with the link",
           an_addition_that_never_left_ends_with_the_link},
          {"D an addition that never left is taken back by the log",
           an_addition_that_never_left_is_taken_back_by_the_log},
          {"H a removal is tried until the arbiter answers or the peer is back",
           a_removal_is_tried_until_the_arbiter_answers_or_the_peer_is_back},
          {"C the register moved to the peer ends the child",
           the_register_moved_to_the_peer_ends_the_child},
          {"C a newer epoch in an idle read ends the child",
           a_newer_epoch_in_an_idle_read_ends_the_child},
          {"C a peer that knows a higher epoch deposes", a_peer_that_knows_a_higher_epoch_deposes},
          {"K a child that is deposed when it was taken for a standby is ended",
           a_child_that_is_deposed_when_it_was_taken_for_a_standby_is_ended},
          {"C what moves while the child seals is given up without a kill",
           what_moves_while_the_child_seals_is_given_up_without_a_kill},
          {"L the child of a primary that died needs a CAS of its own",
           the_child_of_a_primary_that_died_needs_a_cas_of_its_own},
          {"C a seal of an older epoch grants nothing", a_seal_of_an_older_epoch_grants_nothing},
          {"K a switchover ends with the peer leading", a_switchover_ends_with_the_peer_leading},
          {"K the peer's lead may be heard before the register is read",
           the_peers_lead_may_be_heard_before_the_register_is_read},
          {"K a handover that changes nothing is resumed",
           a_handover_that_changes_nothing_is_resumed},
          {"K a handover is resumed when the standby is lost",
           a_handover_is_resumed_when_the_standby_is_lost},
          {"K a drained primary whose heir does not lead is ended",
           a_drained_primary_whose_heir_does_not_lead_is_ended},
          {"K a drained primary that was evicted is ended",
           a_drained_primary_that_was_evicted_is_ended},
          {"K a switchover says what stands in its way", a_switchover_says_what_stands_in_its_way},
          {"K the standby takes an offered epoch with both",
           the_standby_takes_an_offered_epoch_with_both},
          {"K an offer of an epoch not yet read waits for the read",
           an_offer_of_an_epoch_not_yet_read_waits_for_the_read},
          {"K an offer is not taken in safe mode nor after its time",
           an_offer_is_not_taken_in_safe_mode_nor_after_its_time},
          {"K a primary in safe mode hands over or else goes on",
           a_primary_in_safe_mode_hands_over_or_else_goes_on},
          {"C a host in safe mode never seeks", a_host_in_safe_mode_never_seeks},
          {"M a standby that was evicted gives up the virtual IP",
           a_standby_that_was_evicted_gives_up_the_virtual_ip})
