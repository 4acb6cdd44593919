/* SPDX-License-Identifier: Apache-2.0 */
/* sup_leave.c: the clean stop, in an order in which nobody waits for this host: it hands over, is
 * taken out of the ISR, gives the virtual IP up, and then approvald ends.
 * Owns leave_ms and leave_epoch. Never waits longer than they say; each of these steps may fail. */
#include "base/log.h"
#include "base/notify.h"
#include "supervisor/sup_internal.h"

static void say_leaving(struct sup *sup)
{
    if (sup->link_known && sup->link.up) {
        sup_send_peer(sup, SUP_PEER_LEAVING, SPAN_NONE);
    }
}

static void stop_now(struct sup *sup)
{
    sup->leave_ms = 0;
    sup->leave_epoch = 0;
    sup->stopping = true;
    notify_stopping(&sup->notify);
    say_leaving(sup);
    sup_vip_eligible(sup, false);
    sup_watch(sup, WATCH_EVENT_STOP, "");
}

/* A standby is taken out of the ISR before it goes: the primary never waits for it, and where both
 * keep the register nobody could take it out later. Every change of the register raises the epoch
 * that the primary leads. False: nobody would do it. */
static bool leave_isr(struct sup *sup)
{
    struct failover_status status;

    failover_status(sup->failover, &status);
    if (status.role != FAILOVER_STANDBY || !sup->link_known || !sup->link.up ||
        !sup->link.in_sync || !sup->link.peer_leads) {
        return false;
    }
    sup->leave_ms = sup_now_ms() + SUP_LEAVE_OUT_MS;
    sup->leave_epoch = sup->link.peer_epoch;
    say_leaving(sup);
    return true;
}

/* Handing over, or passing on what comes late. */
static bool hands_over(const struct sup *sup, const struct failover_status *status)
{
    return sup->leave_epoch == 0 &&
           (status->role == FAILOVER_HANDING_OVER ||
            (status->role == FAILOVER_STANDBY && (sup->handing_ms != 0 || sup->muted_ms != 0)));
}

/* A primary that is stopped hands over first: clients see the pause of a switchover, and not that
 * of a lost host. One that is handing over already goes on with it. A second signal waits for
 * nothing. */
void sup_stop(struct sup *sup)
{
    struct failover_status status;

    if (sup->stopping) {
        return;
    }
    failover_status(sup->failover, &status);
    if (sup->leave_ms != 0 || !sup_config_has_pair(sup->config)) {
        stop_now(sup);
        return;
    }
    if (status.role != FAILOVER_PRIMARY && !hands_over(sup, &status)) {
        if (!leave_isr(sup)) {
            stop_now(sup);
        }
        return;
    }
    sup->leave_ms =
        sup_now_ms() + sup_config_number(sup->config, "pair", "handover") + SUP_LEAVE_MORE_MS;
    if (status.role == FAILOVER_PRIMARY) {
        sup_ask_failover(sup, 0, FAILOVER_SWITCHOVER); /* nobody waits for the reply */
    }
}

static bool waits_to_be_out(const struct sup *sup)
{
    return sup->leave_epoch != 0 && sup->link_known && sup->link.up &&
           sup->link.peer_epoch == sup->leave_epoch;
}

/* Handed over, and out of the ISR; or neither will happen. */
void sup_leave_check(struct sup *sup)
{
    struct failover_status status;

    if (sup->leave_ms == 0) {
        return;
    }
    failover_status(sup->failover, &status);
    if (sup_now_ms() < sup->leave_ms && (hands_over(sup, &status) || waits_to_be_out(sup))) {
        return;
    }
    if (sup->leave_epoch == 0 && leave_isr(sup)) {
        return;
    }
    log_fields(LOG_LEVEL_INFO, "sup", "leaves", LOG_TEXT("role", failover_role_word(status.role)));
    stop_now(sup);
}
