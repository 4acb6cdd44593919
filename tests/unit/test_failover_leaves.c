/* SPDX-License-Identifier: Apache-2.0 */
/* test_failover_leaves.c: proves supervisor/failover/failover: a standby that is to be stopped (G,
 * H). Owns nothing but its cases. Never speaks to an approvald: the bench does. */
#include "supervisor/failover/failover_internal.h"
#include "tests/unit/failover_unit.h"

static void leaves(struct kit *kit)
{
    struct failover_event event = {.type = FAILOVER_EVENT_LEAVES};

    kit_step(kit, &event);
}

static void a_standby_that_leaves_is_removed_by_cas_first(void)
{
    struct kit kit;

    unit_paired(&kit);
    leaves(&kit);
    EXPECT(&kit, "CAS 8 p1 A-");
    leaves(&kit); /* it says so again */
    EXPECT(&kit, "");
    kit_propose(&kit, FAILOVER_EVENT_REMOVE, 7, 'B');
    EXPECT(&kit, "");
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT(&kit, "PERSIST 8; SEAL 8; ALARM unprotected");
    kit_epoch(&kit, FAILOVER_EVENT_SEALED, 8);
    EXPECT(&kit, "GRANT 8 p1 A-");
    leaves(&kit);
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void without_the_arbiter_it_leaves_in_vain(void)
{
    struct kit kit;

    unit_paired(&kit);
    leaves(&kit);
    EXPECT(&kit, "CAS 8 p1 A-");
    kit_cas(&kit, FAILOVER_NOT_SENT, NULL);
    EXPECT(&kit, "REFUSED 7; ALARM arbiter down"); /* it is in sync: not tried again */
    kit_wait(&kit, 1000);
    CU_ASSERT(!kit.cas_out);
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    kit_free(&kit);
}

static void a_removal_of_unknown_fate_goes_on_although_it_stays(void)
{
    struct kit kit;

    unit_paired(&kit);
    leaves(&kit);
    kit_cas(&kit, FAILOVER_UNKNOWN, NULL);
    EXPECT(&kit, "ALARM arbiter down");
    kit_wait(&kit, 1000);
    CU_ASSERT(kit.cas_out);
    kit_cas(&kit, FAILOVER_DONE, NULL);
    EXPECT_ROLE(&kit, FAILOVER_PRIMARY);
    CU_ASSERT_EQUAL(kit.won.epoch, 8);
    kit_free(&kit);
}

static void nobody_leaves_a_strict_pair(void)
{
    struct kit kit;

    unit_paired(&kit);
    kit.failover->options.strict = true;
    leaves(&kit);
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void nobody_leaves_in_a_handover(void)
{
    struct kit kit;

    unit_paired(&kit);
    kit_command(&kit, FAILOVER_SWITCHOVER);
    leaves(&kit);
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void the_word_of_who_is_not_heard_is_nothing(void)
{
    struct failover_link silence = kit_silence();
    struct kit kit;

    unit_paired(&kit);
    kit_link(&kit, &silence);
    leaves(&kit);
    EXPECT(&kit, "");
    kit_free(&kit);
}

static void who_does_not_lead_takes_nobody_out(void)
{
    struct kit kit;

    unit_standby(&kit);
    leaves(&kit);
    EXPECT(&kit, "");
    kit_free(&kit);
    unit_solo(&kit);
    leaves(&kit);
    EXPECT(&kit, "");
    kit_down(&kit);
    leaves(&kit);
    EXPECT(&kit, "");
    kit_free(&kit);
}

UNIT_MAIN("failover, a standby that leaves",
          {"G a standby that leaves is removed by CAS first",
           a_standby_that_leaves_is_removed_by_cas_first},
          {"without the arbiter it leaves in vain", without_the_arbiter_it_leaves_in_vain},
          {"D a removal of unknown fate goes on although it stays",
           a_removal_of_unknown_fate_goes_on_although_it_stays},
          {"strict: nobody leaves", nobody_leaves_a_strict_pair},
          {"K nobody leaves in a handover", nobody_leaves_in_a_handover},
          {"the word of who is not heard is nothing", the_word_of_who_is_not_heard_is_nothing},
          {"who does not lead takes nobody out", who_does_not_lead_takes_nobody_out})
