/* SPDX-License-Identifier: Apache-2.0 */
/* sup_command.c: the operator's commands, on their way to the core that they concern.
 * Owns the order in which replies are owed. Never judges a command: the cores do. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/log.h"
#include "supervisor/sup_internal.h"

#include <stdio.h>
#include <string.h>

static void answer_status(struct sup *sup, uint64_t client)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(SUP_CONTROL_ANSWER_MAX, &buf, &err);

    if (rc == ERR_OK) {
        rc = sup_status(sup, buf, &err);
    }
    if (rc == ERR_OK) {
        control_answer(sup->control, client, buf_span(buf));
    } else {
        control_reply(sup->control, client, false, err.message);
    }
}

void sup_ask_failover(struct sup *sup, uint64_t client, enum failover_command command)
{
    size_t room = sizeof(sup->askers) / sizeof(sup->askers[0]);

    if (sup->asker_count == room || sup->queue_count >= SUP_EVENT_COUNT_MAX / 2) {
        control_reply(sup->control, client, false, "too many commands wait already");
        return;
    }
    sup->askers[sup->asker_count++] = client;
    sup_queue(sup, FAILOVER_EVENT_COMMAND)->u.command = command;
}

/* The core answers each command once, in their order. */
uint64_t sup_take_asker(struct sup *sup)
{
    uint64_t client = sup->askers[0];

    ASSERT(sup->asker_count > 0);
    sup->asker_count--;
    memmove(sup->askers, sup->askers + 1, sup->asker_count * sizeof(sup->askers[0]));
    return client;
}

void sup_reply(struct sup *sup, uint64_t client, bool ok, const char *message)
{
    log_fields(LOG_LEVEL_INFO, "failover", "reply", LOG_TEXT("ok", ok ? "yes" : "no"),
               LOG_TEXT("message", message));
    control_reply(sup->control, client, ok, message);
}

/* The primary hands over; a standby passes the wish on to it. */
static void switchover(struct sup *sup, uint64_t client)
{
    struct failover_status status;

    failover_status(sup->failover, &status);
    if (status.role == FAILOVER_STANDBY && sup->link_known && sup->link.up &&
        sup->link.peer_leads) {
        sup_relay_switchover(sup);
        control_reply(sup->control, client, true,
                      "passed on to the primary, the other host; look with approvalctl status");
        return;
    }
    sup_ask_failover(sup, client, FAILOVER_SWITCHOVER);
}

/* Said when it would outlive this supervisor. */
static void forgive(struct sup *sup, uint64_t client)
{
    struct sup_act act = {.effect = {.type = FAILOVER_EFFECT_REPLY}, .client = client};

    sup_watch(sup, WATCH_EVENT_CLEAR_SAFE, "");
    sup->value.tally = sup->watch.tally;
    sup_remember(sup);
    sup_bind(sup);
    act.effect.u.reply.ok = true;
    (void)snprintf(act.effect.u.reply.reason, sizeof(act.effect.u.reply.reason), "%s", /* fits */
                   "crashes so far are forgiven");
    sup_act_when_saved(sup, &act);
}

void sup_command(void *arg, uint64_t client, enum control_command command)
{
    struct sup *sup = arg;

    switch (command) {
    case CONTROL_STATUS:
        answer_status(sup, client);
        break;
    case CONTROL_SWITCHOVER:
        switchover(sup, client);
        break;
    case CONTROL_PROMOTE_FORCE:
        sup_ask_failover(sup, client, FAILOVER_FORCE);
        break;
    case CONTROL_PROMOTE_FORCE_OTHER:
        sup_ask_failover(sup, client, FAILOVER_FORCE_OTHER);
        break;
    case CONTROL_PEER_OFF:
        if (sup->arbiter != NULL) {
            (void)arbiter_confirm_off(sup->arbiter); /* the core's reply tells the rest */
        }
        sup_ask_failover(sup, client, FAILOVER_PEER_OFF);
        break;
    case CONTROL_BOOTSTRAP:
        sup_ask_failover(sup, client, FAILOVER_BOOTSTRAP);
        break;
    case CONTROL_RESEED:
        sup_ask_failover(sup, client, FAILOVER_RESEED);
        break;
    case CONTROL_REJOIN:
        sup_ask_failover(sup, client, FAILOVER_REJOIN);
        break;
    case CONTROL_MAINTENANCE_ON:
        sup_ask_failover(sup, client, FAILOVER_MAINTENANCE_ON);
        break;
    case CONTROL_MAINTENANCE_OFF:
        sup_ask_failover(sup, client, FAILOVER_MAINTENANCE_OFF);
        break;
    case CONTROL_SAFE_MODE_CLEAR:
        forgive(sup, client);
        break;
    }
    sup_pump(sup);
}
