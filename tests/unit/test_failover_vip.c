/* SPDX-License-Identifier: Apache-2.0 */
/* test_failover_vip.c: the failover core when the virtual IP strays (M).
 * Owns its kits. Never has an address: the core is told of it. */
#include "tests/unit/failover_unit.h"

static void vip(struct kit *kit, bool here)
{
    struct failover_event event = {.type = FAILOVER_EVENT_VIP, .u.vip_here = here};

    kit_step(kit, &event);
}

/* The address leaves, and this host may have it again a second after it gave it up. */
static void goes_for_a_second(struct kit *kit)
{
    vip(kit, false);
    kit_wait(kit, 999);
    CU_ASSERT(!kit->eligible);
    kit_wait(kit, 1);
    CU_ASSERT(kit->eligible);
}

static void relaying(struct kit *kit, bool on)
{
    struct failover_event event = {.type = FAILOVER_EVENT_RELAYING, .u.relaying = on};

    kit_step(kit, &event);
}

static void a_standby_that_gets_the_virtual_ip_asks_for_the_lead_then_gives_it_up(void)
{
    uint64_t handover_ms = kit_options().handover_ms;
    struct kit kit;

    unit_standby(&kit);
    vip(&kit, true);
    kit_wait(&kit, 249);
    EXPECT(&kit, "");
    kit_wait(&kit, 1);
    EXPECT(&kit, "ASK");
    kit_wait(&kit, handover_ms - 1);
    CU_ASSERT(kit.eligible);
    kit_wait(&kit, 1);
    CU_ASSERT(!kit.eligible);
    goes_for_a_second(&kit);
    kit_free(&kit);
}

static void a_virtual_ip_that_passes_by_asks_nobody(void)
{
    struct kit kit;

    unit_standby(&kit);
    vip(&kit, true);
    kit_wait(&kit, 200);
    vip(&kit, false);
    kit_wait(&kit, 1000);
    EXPECT(&kit, "");
    vip(&kit, true);
    kit_wait(&kit, 249);
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void a_virtual_ip_that_comes_with_silence_is_followed_by_the_register(void)
{
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_standby(&kit);
    vip(&kit, true);
    kit_link(&kit, &silence);
    kit_wait(&kit, 250);
    EXPECT(&kit, "CAS 6 p1 A-");
    kit_free(&kit);
}

static void a_standby_that_lets_the_address_go_may_have_it_when_the_primary_falls_silent(void)
{
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_standby(&kit);
    vip(&kit, true);
    kit_wait(&kit, 250);
    kit_wait(&kit, kit_options().handover_ms);
    CU_ASSERT(!kit.eligible);
    kit_link(&kit, &silence);
    EXPECT(&kit, "ELIGIBLE 1");
    kit_free(&kit);
}

/* A host with the address that has handed over in this very moment. */
static void handed_over(struct kit *kit)
{
    struct failover_link leads = kit_peer('B', 8, 102, 8, true);
    struct failover_link in_sync = kit_peer('B', 7, 101, 0, true);
    struct register_value value = kit_value(8, 2, "AB");

    unit_paired(kit);
    kit_link(kit, &in_sync);
    vip(kit, true);
    kit_command(kit, FAILOVER_SWITCHOVER);
    kit_epoch(kit, FAILOVER_EVENT_DRAINED, 7);
    kit_read(kit, &value);
    kit_link(kit, &leads);
    CU_ASSERT_EQUAL(kit_role(kit), FAILOVER_STANDBY);
}

static void after_a_handover_the_address_follows_a_little_later(void)
{
    struct kit kit;

    handed_over(&kit);
    kit_wait(&kit, FAILOVER_VIP_STAY_MS - 1);
    CU_ASSERT(kit.eligible);
    kit_wait(&kit, 1);
    CU_ASSERT(!kit.eligible);
    vip(&kit, false);
    kit_wait(&kit, 1000);
    CU_ASSERT(kit.eligible);
    kit_free(&kit);
}

static void the_address_follows_when_all_that_was_passed_on_is_answered(void)
{
    struct kit kit;

    handed_over(&kit);
    relaying(&kit, true);
    kit_wait(&kit, FAILOVER_VIP_STAY_MS + 400);
    CU_ASSERT(kit.eligible);
    relaying(&kit, false);
    kit_wait(&kit, FAILOVER_VIP_LAST_MS - 1);
    CU_ASSERT(kit.eligible);
    kit_wait(&kit, 1);
    CU_ASSERT(!kit.eligible);
    relaying(&kit, true); /* too late: it is not taken back */
    CU_ASSERT(!kit.eligible);
    goes_for_a_second(&kit);
    kit_free(&kit);
}

static void what_was_passed_on_and_answered_in_time_keeps_the_address_no_longer(void)
{
    struct kit kit;

    handed_over(&kit);
    relaying(&kit, true);
    kit_wait(&kit, FAILOVER_VIP_STAY_MS - 1);
    relaying(&kit, false);
    CU_ASSERT(kit.eligible);
    kit_wait(&kit, 1);
    CU_ASSERT(!kit.eligible);
    kit_free(&kit);
}

static void an_answer_that_does_not_come_keeps_the_address_for_a_bounded_time(void)
{
    struct kit kit;

    handed_over(&kit);
    kit_wait(&kit, 100);
    relaying(&kit, true);
    kit_wait(&kit, 600);
    relaying(&kit, false); /* one after another: each is waited for, within the same bound */
    relaying(&kit, true);
    kit_wait(&kit, FAILOVER_VIP_STAY_MS_MAX - 701);
    CU_ASSERT(kit.eligible);
    kit_wait(&kit, 1);
    CU_ASSERT(!kit.eligible);
    kit_free(&kit);
}

/* The supervisor did not run for a moment. */
static void what_was_said_in_time_and_heard_late_keeps_the_address(void)
{
    struct kit kit;

    handed_over(&kit);
    kit.now_ms += FAILOVER_VIP_STAY_MS + 50;
    relaying(&kit, true);
    CU_ASSERT(kit.eligible);
    kit_wait(&kit, FAILOVER_VIP_STAY_MS_MAX - FAILOVER_VIP_STAY_MS - 51);
    CU_ASSERT(kit.eligible);
    kit_wait(&kit, 1);
    CU_ASSERT(!kit.eligible);
    kit_free(&kit);
}

static void a_service_that_ends_with_calls_unanswered_lets_the_address_go(void)
{
    struct kit kit;

    handed_over(&kit);
    relaying(&kit, true);
    kit_wait(&kit, FAILOVER_VIP_STAY_MS + 100);
    kit_down(&kit);
    CU_ASSERT(kit.eligible);
    kit_wait(&kit, FAILOVER_VIP_LAST_MS);
    CU_ASSERT(!kit.eligible);
    kit_free(&kit);
}

/* What came before is over: the address is this host's again, its service away or not. */
static void who_is_handed_the_lead_back_at_once_keeps_the_address(void)
{
    struct failover_link offers = kit_peer('B', 8, 103, 0, true);
    struct kit kit;

    handed_over(&kit);
    relaying(&kit, true);
    kit_wait(&kit, 300);
    if (kit.read_out) {
        struct register_value theirs = kit_value(8, 2, "AB");

        kit_read(&kit, &theirs);
    }
    kit_link(&kit, &offers);
    kit_epoch(&kit, FAILOVER_EVENT_TAKE_OVER, 8);
    EXPECT(&kit, "CAS 9 p1 AB");
    kit_cas(&kit, FAILOVER_DONE, NULL);
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 9);
    relaying(&kit, false);
    kit_down(&kit);
    kit_wait(&kit, FAILOVER_VIP_STAY_MS_MAX);
    CU_ASSERT(kit.eligible);
    kit_free(&kit);
}

static void a_host_whose_service_is_away_looks_whether_the_peer_has_taken_over(void)
{
    struct register_value mine = kit_value(7, 1, "AB");
    struct register_value theirs = kit_value(8, 2, "-B");
    struct kit kit;

    unit_paired(&kit);
    mine.nonce = kit.won.nonce;
    vip(&kit, true);
    kit_down(&kit);
    if (kit.read_out) {
        kit_read(&kit, &mine);
    }
    kit_wait(&kit, 250);
    EXPECT(&kit, "READ");
    kit_read(&kit, &mine);
    CU_ASSERT(kit.eligible);
    kit_wait(&kit, 250);
    kit_read(&kit, &theirs);
    CU_ASSERT(!kit.eligible);
    kit_free(&kit);
}

static void a_host_whose_service_says_nothing_looks_too(void)
{
    struct failover_event event = {.type = FAILOVER_EVENT_QUIET, .u.quiet = true};
    struct register_value theirs = kit_value(8, 2, "-B");
    struct kit kit;

    unit_paired(&kit);
    kit_step(&kit, &event);
    EXPECT(&kit, "READ");
    kit_read(&kit, &kit.won);
    kit_wait(&kit, 250);
    EXPECT(&kit, "READ");
    kit_read(&kit, &theirs);
    CU_ASSERT(!kit.eligible);
    CU_ASSERT_EQUAL(kit.incarnation, 0); /* revoked */
    kit_free(&kit);
}

UNIT_MAIN("failover, the virtual IP",
          {"M a standby that gets the virtual IP asks for the lead, then gives it up",
           a_standby_that_gets_the_virtual_ip_asks_for_the_lead_then_gives_it_up},
          {"M a virtual IP that passes by asks nobody", a_virtual_ip_that_passes_by_asks_nobody},
          {"C a virtual IP that comes with silence is followed by the register",
           a_virtual_ip_that_comes_with_silence_is_followed_by_the_register},
          {"M a standby that lets the address go may have it when the primary falls silent",
           a_standby_that_lets_the_address_go_may_have_it_when_the_primary_falls_silent},
          {"M after a handover the address follows a little later",
           after_a_handover_the_address_follows_a_little_later},
          {"M the address follows when all that was passed on is answered",
           the_address_follows_when_all_that_was_passed_on_is_answered},
          {"M what was passed on and answered in time keeps the address no longer",
           what_was_passed_on_and_answered_in_time_keeps_the_address_no_longer},
          {"M an answer that does not come keeps the address for a bounded time",
           an_answer_that_does_not_come_keeps_the_address_for_a_bounded_time},
          {"M what was said in time and heard late keeps the address",
           what_was_said_in_time_and_heard_late_keeps_the_address},
          {"M a service that ends with calls unanswered lets the address go",
           a_service_that_ends_with_calls_unanswered_lets_the_address_go},
          {"M who is handed the lead back at once keeps the address",
           who_is_handed_the_lead_back_at_once_keeps_the_address},
          {"M a host whose service is away looks whether the peer has taken over",
           a_host_whose_service_is_away_looks_whether_the_peer_has_taken_over},
          {"M a host whose service says nothing looks too",
           a_host_whose_service_says_nothing_looks_too})
