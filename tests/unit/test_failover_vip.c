/* SPDX-License-Identifier: Apache-2.0 */
/* test_failover_vip.c: the failover core when the virtual IP strays (M).
 * Owns its kits. Never has an address: the core is told of it. */
#include "tests/unit/failover_unit.h"

static void vip(struct kit *kit, bool here)
{
    struct failover_event event = {.type = FAILOVER_EVENT_VIP, .u.vip_here = here};

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
    vip(&kit, false);
    kit_wait(&kit, 999);
    CU_ASSERT(!kit.eligible);
    kit_wait(&kit, 1);
    CU_ASSERT(kit.eligible);
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

static void after_a_handover_the_address_follows_a_little_later(void)
{
    struct failover_link leads = kit_peer('B', 8, 102, 8, true);
    struct failover_link in_sync = kit_peer('B', 7, 101, 0, true);
    struct register_value value = kit_value(8, 2, "AB");
    struct kit kit;

    unit_paired(&kit);
    kit_link(&kit, &in_sync);
    vip(&kit, true);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    kit_epoch(&kit, FAILOVER_EVENT_DRAINED, 7);
    kit_read(&kit, &value);
    kit_link(&kit, &leads);
    CU_ASSERT_EQUAL(kit_role(&kit), FAILOVER_STANDBY);
    kit_wait(&kit, FAILOVER_VIP_STAY_MS - 1);
    CU_ASSERT(kit.eligible);
    kit_wait(&kit, 1);
    CU_ASSERT(!kit.eligible);
    vip(&kit, false);
    kit_wait(&kit, 1000);
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
          {"M a host whose service is away looks whether the peer has taken over",
           a_host_whose_service_is_away_looks_whether_the_peer_has_taken_over},
          {"M a host whose service says nothing looks too",
           a_host_whose_service_says_nothing_looks_too})
