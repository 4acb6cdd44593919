/* SPDX-License-Identifier: Apache-2.0 */
/* test_failover.c: proves supervisor/failover/failover: start and promotion (A, C).
 * Owns nothing but its cases. Never speaks to an arbiter: the bench answers. */
#include "tests/unit/failover_unit.h"

static void a_first_pair_is_bootstrapped_by_the_operator(void)
{
    struct failover_options options = kit_options();
    struct kit kit;

    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    EXPECT(&kit, "READ; ELIGIBLE 0");
    kit_up(&kit, 1, 'A', 0, 0);
    EXPECT(&kit, "");
    kit_read(&kit, NULL); /* asked for before the child was up: it does not count */
    EXPECT(&kit, "PERSIST 0; READ");
    kit_read(&kit, NULL);
    EXPECT(&kit, "ALARM operator");
    EXPECT_ROLE(&kit, FAILOVER_HALTED);
    kit_command(&kit, FAILOVER_BOOTSTRAP);
    EXPECT(&kit, "OK: creates the register; CAS 1 p1 A- new lineage; OVER operator");
    CU_ASSERT_EQUAL(kit.cas_revision, 0);
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 1; SEAL 1; ELIGIBLE 1; ALARM unprotected");
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 1);
    EXPECT(&kit, "GRANT 1 p1 A- new lineage");
    kit_epoch(&kit, FAILOVER_EVENT_LEADING, 1);
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_command(&kit, FAILOVER_BOOTSTRAP); /* by one who did not hear the answer */
    EXPECT(&kit, "OK: there is a register already: nothing is to be done");
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_free(&kit);
}

static void a_host_alone_in_the_isr_seeks_at_once(void)
{
    struct kit kit;

    unit_ready(&kit, 1, "A-");
    EXPECT(&kit, "CAS 6 p1 A-; REGISTER 5 p1 A-; ELIGIBLE 1");
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 6; SEAL 6");
    EXPECT_ROLE(&kit, FAILOVER_SEALING);
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 6);
    EXPECT(&kit, "GRANT 6 p1 A-");
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_free(&kit);
}

static void nothing_is_told_or_sought_before_a_read_in_this_incarnation(void)
{
    struct kit kit;
    struct register_value value = kit_value(5, 1, "A-");

    unit_ready(&kit, 1, "A-");
    unit_win(&kit);
    kit_down(&kit);
    EXPECT(&kit, "");
    kit_up(&kit, 2, 'A', 6, 101);
    EXPECT(&kit, "READ");
    CU_ASSERT(kit.eligible);
    kit_wait(&kit, 10000);
    EXPECT(&kit, "");
    value = kit.cas_value;
    kit_read(&kit, &value);
    EXPECT(&kit, "CAS 7 p1 A-; REGISTER 6 p1 A-");
    kit_free(&kit);
}

static void a_read_asked_for_before_the_child_was_up_does_not_count(void)
{
    struct kit kit;
    struct register_value value = kit_value(5, 1, "A-");
    struct failover_options options = kit_options();

    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    kit_up(&kit, 1, 'A', 5, 100);
    kit_read(&kit, &value);
    EXPECT(&kit, "PERSIST 5; READ; ALARM unprotected");
    kit_read(&kit, &value);
    EXPECT(&kit, "CAS 6 p1 A-; REGISTER 5 p1 A-; ELIGIBLE 1");
    kit_free(&kit);
}

static void an_arbiter_that_does_not_answer_is_asked_again_and_raises_the_alarm(void)
{
    struct failover_options options = kit_options();
    struct register_value value = kit_value(5, 1, "A-");
    struct kit kit;

    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    kit_up(&kit, 1, 'A', 5, 100);
    kit_read_failed(&kit, FAILOVER_NOT_SENT);
    EXPECT(&kit, "READ; ALARM arbiter down");
    kit_read_failed(&kit, FAILOVER_UNKNOWN);
    EXPECT(&kit, "");
    kit_wait(&kit, 99);
    EXPECT(&kit, "");
    kit_wait(&kit, 1);
    EXPECT(&kit, "READ");
    kit_read(&kit, &value);
    EXPECT(&kit, "PERSIST 5; CAS 6 p1 A-; REGISTER 5 p1 A-; ELIGIBLE 1; ALARM unprotected; "
                 "OVER arbiter down");
    kit_free(&kit);
}

static void the_loss_of_the_arbiter_is_found_out_while_nothing_needs_it(void)
{
    struct kit kit;

    unit_paired(&kit);
    kit_wait(&kit, 2000);
    EXPECT(&kit, "READ");
    kit_read_failed(&kit, FAILOVER_NOT_SENT);
    EXPECT(&kit, "ALARM arbiter down");
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_wait(&kit, 100);
    EXPECT(&kit, "READ");
    kit_read(&kit, &kit.won);
    EXPECT(&kit, "OVER arbiter down");
    kit_free(&kit);
}

static void a_standby_of_a_leading_peer_seeks_nothing(void)
{
    struct kit kit;

    unit_ready(&kit, 2, "AB");
    EXPECT(&kit, "REGISTER 5 p2 AB; ELIGIBLE 1");
    EXPECT_ROLE(&kit, FAILOVER_STANDBY);
    kit_free(&kit);
    unit_standby(&kit);
    kit_wait(&kit, 1999);
    EXPECT(&kit, "");
    EXPECT_ROLE(&kit, FAILOVER_STANDBY);
    kit_free(&kit);
}

static void of_two_hosts_that_started_the_one_with_the_later_log_end_seeks_with_both(void)
{
    struct failover_link lower_lsn = kit_peer('B', 5, 99, 0, false);
    struct failover_link lower_epoch = kit_peer('B', 4, 500, 0, false);
    struct failover_link higher = kit_peer('B', 6, 1, 0, false);
    struct kit kit;

    unit_ready(&kit, 2, "AB");
    kit_link(&kit, &lower_lsn);
    EXPECT(&kit, "CAS 6 p1 AB");
    kit_free(&kit);
    unit_ready(&kit, 2, "AB"); /* never by mere length */
    kit_link(&kit, &lower_epoch);
    EXPECT(&kit, "CAS 6 p1 AB");
    kit_free(&kit);
    unit_ready(&kit, 1, "AB");
    kit_link(&kit, &higher);
    EXPECT(&kit, "");
    EXPECT_ROLE(&kit, FAILOVER_WAITING);
    kit_free(&kit);
}

static void on_a_tie_the_registers_primary_seeks_and_the_other_waits(void)
{
    struct failover_link equal = kit_peer('B', 5, 100, 0, false);
    struct kit kit;

    unit_ready(&kit, 1, "AB");
    kit_link(&kit, &equal);
    EXPECT(&kit, "CAS 6 p1 AB");
    kit_free(&kit);
    unit_ready(&kit, 2, "AB");
    kit_link(&kit, &equal);
    EXPECT(&kit, "");
    kit_wait(&kit, 999);
    EXPECT(&kit, "");
    kit_wait(&kit, 1);
    EXPECT(&kit, "CAS 6 p1 AB");
    kit_free(&kit);
}

static void a_lower_host_takes_over_alone_when_the_higher_one_does_not(void)
{
    struct failover_link higher = kit_peer('B', 5, 101, 0, false);
    struct kit kit;

    unit_ready(&kit, 1, "AB");
    kit_link(&kit, &higher);
    kit_wait(&kit, 999);
    EXPECT(&kit, "");
    kit_wait(&kit, 1);
    EXPECT(&kit, "CAS 6 p1 A-");
    kit_free(&kit);
}

static void a_standby_compares_its_own_log_as_it_is_now(void)
{
    struct failover_link link = kit_peer('B', 5, 150, 5, true);
    struct kit kit;

    unit_ready(&kit, 2, "AB");
    link.last_epoch = 5;
    link.last_lsn = 151;
    kit_link(&kit, &link);
    link.peer_leads = false; /* it came back, idle */
    link.peer_epoch = 0;
    kit_link(&kit, &link);
    EXPECT(&kit, "CAS 6 p1 AB");
    kit_free(&kit);
}

static void after_a_start_a_peer_in_the_isr_is_waited_for(void)
{
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_ready(&kit, 1, "AB");
    kit_link(&kit, &silence);
    kit_wait(&kit, 1899);
    EXPECT(&kit, "");
    kit_wait(&kit, 101);
    EXPECT(&kit, "CAS 6 p1 A-; READ");
    kit_free(&kit);
}

static void a_standby_waits_silence_and_bias_before_it_cases_itself_in(void)
{
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    EXPECT(&kit, "");
    kit_wait(&kit, 249);
    EXPECT(&kit, "");
    kit_wait(&kit, 1);
    EXPECT(&kit, "CAS 6 p1 A-");
    EXPECT_ROLE(&kit, FAILOVER_SEEKING);
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 6; SEAL 6; ALARM unprotected");
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 6);
    EXPECT(&kit, "GRANT 6 p1 A-; READ");
    kit_free(&kit);
}

static void the_registers_primary_needs_no_bias(void)
{
    struct failover_link alive = kit_peer('B', 6, 1, 0, false);
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_ready(&kit, 1, "AB");
    kit_link(&kit, &alive);
    kit_link(&kit, &silence);
    EXPECT(&kit, "CAS 6 p1 A-");
    kit_free(&kit);
}

static void a_silence_that_ends_in_time_changes_nothing(void)
{
    struct failover_link silence = kit_silence();
    struct failover_link alive = kit_peer('B', 5, 100, 5, true);
    struct kit kit;

    unit_standby(&kit);
    kit_link(&kit, &silence);
    kit_wait(&kit, 200);
    kit_link(&kit, &alive);
    kit_wait(&kit, 1000);
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void a_vrrp_hint_never_replaces_silence_and_only_shortens_the_start(void)
{
    struct failover_event hint = {.type = FAILOVER_EVENT_VRRP_HINT};
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_standby(&kit);
    kit_step(&kit, &hint);
    kit_wait(&kit, 1500);
    EXPECT(&kit, "");
    kit_free(&kit);
    unit_ready(&kit, 2, "AB");
    kit_link(&kit, &silence);
    kit_step(&kit, &hint);
    kit_wait(&kit, 249);
    EXPECT(&kit, "");
    kit_wait(&kit, 1);
    EXPECT(&kit, "CAS 6 p1 A-");
    kit_free(&kit);
}

static void a_host_outside_the_isr_follows_and_never_seeks(void)
{
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_ready(&kit, 2, "-B");
    EXPECT(&kit, "REGISTER 5 p2 -B");
    kit_link(&kit, &silence);
    kit_wait(&kit, 1999);
    EXPECT(&kit, "");
    kit_wait(&kit, 1);
    EXPECT(&kit, "READ; ALARM operator");
    CU_ASSERT_FALSE(kit.eligible);
    kit_free(&kit);
}

static void a_host_that_lost_its_disk_is_not_in_the_isr(void)
{
    struct kit kit;

    unit_ready(&kit, 1, "X-"); /* the register names another store of host 1 */
    EXPECT(&kit, "REGISTER 5 p1 X-");
    kit_wait(&kit, 1999);
    EXPECT(&kit, "");
    CU_ASSERT_FALSE(kit.eligible);
    kit_free(&kit);
}

static void a_store_of_another_lineage_is_not_in_the_isr(void)
{
    struct failover_options options = kit_options();
    struct register_value value = kit_value(5, 2, "AB");
    struct kit kit;

    value.lineage = 99;
    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    kit_up(&kit, 1, 'A', 4, 100);
    kit_read(&kit, &value);
    kit_read(&kit, &value);
    EXPECT(&kit, "REGISTER 5 p2 AB new lineage");
    kit_wait(&kit, 1999);
    CU_ASSERT_FALSE(kit.cas_out);
    EXPECT_ROLE(&kit, FAILOVER_STANDBY);
    kit_wait(&kit, 1); /* the other host does not come */
    CU_ASSERT_FALSE(kit.cas_out);
    EXPECT_ROLE(&kit, FAILOVER_HALTED);
    kit_free(&kit);
}

/* It forced its promotion and ended before its store had the new lineage. */
static void a_forced_host_that_died_before_it_learned_leads(void)
{
    struct failover_options options = kit_options();
    struct register_value value = kit_value(1048576, 1, "A-");
    struct kit kit;

    value.lineage = 99;
    kit_new(&kit, &options);
    kit_start(&kit, NULL);
    kit_up(&kit, 1, 'A', 4, 100);
    kit_read(&kit, &value);
    kit_read(&kit, &value);
    EXPECT(&kit, "CAS 1048577 p1 A- new lineage; REGISTER 1048576 p1 A- new lineage; ELIGIBLE 1");
    kit_free(&kit);
}

static void a_peer_that_lost_its_disk_is_cased_out(void)
{
    struct failover_link other = kit_peer('X', 5, 200, 0, false);
    struct kit kit;

    unit_ready(&kit, 2, "AB");
    kit_link(&kit, &other);
    EXPECT(&kit, "CAS 6 p1 A-");
    kit_free(&kit);
}

UNIT_MAIN(
    "failover",
    {"A a first pair is bootstrapped by the operator",
     a_first_pair_is_bootstrapped_by_the_operator},
    {"A a host alone in the ISR seeks at once", a_host_alone_in_the_isr_seeks_at_once},
    {"A nothing is told or sought before a read in this incarnation",
     nothing_is_told_or_sought_before_a_read_in_this_incarnation},
    {"A a read asked for before the child was up does not count",
     a_read_asked_for_before_the_child_was_up_does_not_count},
    {"A an arbiter that does not answer is asked again and raises the alarm",
     an_arbiter_that_does_not_answer_is_asked_again_and_raises_the_alarm},
    {"A the loss of the arbiter is found out while nothing needs it",
     the_loss_of_the_arbiter_is_found_out_while_nothing_needs_it},
    {"A a standby of a leading peer seeks nothing", a_standby_of_a_leading_peer_seeks_nothing},
    {"A of two hosts that started the one with the later log end seeks with both",
     of_two_hosts_that_started_the_one_with_the_later_log_end_seeks_with_both},
    {"A on a tie the register's primary seeks and the other waits",
     on_a_tie_the_registers_primary_seeks_and_the_other_waits},
    {"A a lower host takes over alone when the higher one does not",
     a_lower_host_takes_over_alone_when_the_higher_one_does_not},
    {"A a standby compares its own log as it is now", a_standby_compares_its_own_log_as_it_is_now},
    {"A after a start a peer in the ISR is waited for",
     after_a_start_a_peer_in_the_isr_is_waited_for},
    {"C a standby waits silence and bias before it CASes itself in",
     a_standby_waits_silence_and_bias_before_it_cases_itself_in},
    {"C the register's primary needs no bias", the_registers_primary_needs_no_bias},
    {"C a silence that ends in time changes nothing", a_silence_that_ends_in_time_changes_nothing},
    {"C a VRRP hint never replaces silence and only shortens the start",
     a_vrrp_hint_never_replaces_silence_and_only_shortens_the_start},
    {"C a host outside the ISR follows and never seeks",
     a_host_outside_the_isr_follows_and_never_seeks},
    {"G a host that lost its disk is not in the ISR", a_host_that_lost_its_disk_is_not_in_the_isr},
    {"F a store of another lineage is not in the ISR",
     a_store_of_another_lineage_is_not_in_the_isr},
    {"F a forced host that died before it learned leads",
     a_forced_host_that_died_before_it_learned_leads},
    {"G a peer that lost its disk is CASed out", a_peer_that_lost_its_disk_is_cased_out})
