/* SPDX-License-Identifier: Apache-2.0 */
/* test_sup_digest.c: proves for how long the other supervisor's last word counts.
 * Owns a struct sup of which only what that needs is filled. Never starts a supervisor. */
#include "supervisor/sup_internal.h"
#include "tests/unit/unit.h"

static struct sup sup; /* large */

static void told(bool vip_here)
{
    memset(&sup, 0, sizeof sup);
    sup.link_known = true;
    sup.link.up = true;
    sup.peer_ms = sup_now_ms();
    sup.peer.vip_here = vip_here;
}

static void what_it_has_just_said_counts(void)
{
    told(true);
    CU_ASSERT_TRUE(sup_peer_has_vip(&sup));
    told(false);
    CU_ASSERT_FALSE(sup_peer_has_vip(&sup));
    memset(&sup, 0, sizeof sup);
    CU_ASSERT_FALSE(sup_peer_has_vip(&sup)); /* and who said nothing has nothing */
}

/* It has died, or has been stopped: it cannot say that the address is gone. */
static void of_who_is_not_heard_any_more_no_word_counts(void)
{
    told(true);
    sup.link.up = false;
    CU_ASSERT_FALSE(sup_peer_has_vip(&sup));
    told(true);
    sup.link.silent = true;
    CU_ASSERT_FALSE(sup_peer_has_vip(&sup));
    told(true);
    sup.link_known = false;
    CU_ASSERT_FALSE(sup_peer_has_vip(&sup));
}

/* Else its last word alone would be an alarm where the address has long come here. */
static void no_word_lasts_as_long_as_an_alarm_takes(void)
{
    told(true);
    sup.peer_ms -= 2000U;
    CU_ASSERT_TRUE(sup_peer_has_vip(&sup));
    told(true);
    sup.peer_ms -= (uint64_t)(SUP_VIP_WRONG_COUNT - 1) * SUP_HOUSE_MS;
    CU_ASSERT_FALSE(sup_peer_has_vip(&sup));
}

UNIT_MAIN("what the other supervisor said",
          {"what it has just said counts", what_it_has_just_said_counts},
          {"of who is not heard any more no word counts",
           of_who_is_not_heard_any_more_no_word_counts},
          {"no word lasts as long as an alarm takes", no_word_lasts_as_long_as_an_alarm_takes})
