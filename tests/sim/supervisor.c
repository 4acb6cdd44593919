/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor.c: the shell around the failover core: one arbiter, one child, one small file.
 * Owns the effects in their order; a fault may end it between any two. Never decides anything. */
#include "tests/sim/sim.h"

#include "base/assert.h"
#include "tests/sim/manual.h"

#include <string.h>

static void started(struct world *world, struct event *event);

static void on_timer(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct failover_event tick = {.type = FAILOVER_EVENT_TICK};

    if (host->supervisor.running && event->a == host->supervisor.timer) {
        if (clock_boot(world, host) >= failover_deadline_ms(host->supervisor.core)) {
            supervisor_feed(world, host, &tick);
        } else {
            supervisor_arm(world, host);
        }
    }
}

void supervisor_arm(struct world *world, struct host *host)
{
    struct supervisor *supervisor = &host->supervisor;
    uint64_t deadline_ms;

    if (!supervisor->running) {
        return;
    }
    deadline_ms = failover_deadline_ms(supervisor->core);
    supervisor->timer++;
    if (deadline_ms != UINT64_MAX) {
        world_at(world, clock_until(world, host, deadline_ms) + prng_below(&world->prng, 1500),
                 (struct event){.fn = on_timer,
                                .process = supervisor_process(host),
                                .host = host->index,
                                .a = supervisor->timer});
    }
}

static void child_again(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];

    if (host->supervisor.running && !host->child.running) {
        child_start(world, host);
    }
}

/* Restarted with the patience of a watch: longer when it keeps failing. */
static void child_later(struct world *world, struct host *host)
{
    uint64_t delay_ms = prng_range(&world->prng, 5, 60);

    if (host->supervisor.child_failures++ > 4) {
        delay_ms += 500;
    }
    world_at(world, delay_ms * MS_US,
             (struct event){
                 .fn = child_again, .process = supervisor_process(host), .host = host->index});
}

void supervisor_child_down(struct world *world, struct host *host)
{
    struct failover_event event = {.type = FAILOVER_EVENT_CHILD_DOWN};

    if (!host->supervisor.running) {
        return;
    }
    child_later(world, host);
    manual_link(world, host, false);
    sim_fence_link(world, host, false);
    if (host->supervisor.running) {
        supervisor_feed(world, host, &event);
    }
}

static void to_child(struct world *world, struct host *host, const struct failover_effect *effect)
{
    struct contract_message message;
    const struct register_value *value = &effect->u.value;
    const struct register_member *peer;

    memset(&message, 0, sizeof message);
    if (effect->type == FAILOVER_EFFECT_REGISTER) {
        message.type = CONTRACT_REGISTER;
        message.u.reg = (struct contract_register){
            .epoch = value->epoch, .lineage = value->lineage, .primary = value->primary};
    } else if (effect->type == FAILOVER_EFFECT_GRANT) {
        peer = &value->isr[host_other(host->number) - 1];
        message.type = CONTRACT_GRANT;
        message.u.grant = (struct contract_grant){
            .epoch = value->epoch, .lineage = value->lineage, .peer_in_isr = peer->present};
        memcpy(message.u.grant.peer_store_id, peer->store_id, CONTRACT_ID_SIZE);
        checker_grant(world, host->number, value);
    } else {
        message.type = effect->type == FAILOVER_EFFECT_SEAL ? CONTRACT_SEAL : CONTRACT_REFUSED;
        message.u.epoch = effect->u.epoch;
    }
    child_send(world, host, &message);
}

static void simple_to_child(struct world *world, struct host *host, enum contract_type type)
{
    struct contract_message message;

    memset(&message, 0, sizeof message);
    message.type = type;
    child_send(world, host, &message);
}

static void revoke(struct world *world, struct host *host, const char *why)
{
    if (host->child.running) {
        child_kill(world, host, why);
    }
}

static const char *alarm_name(enum failover_alarm alarm)
{
    static const char *const names[] = {"UNPROTECTED", "ARBITER DOWN", "ARBITER WRONG",
                                        "NEEDS OPERATOR"};

    return names[alarm];
}

static void perform(struct world *world, struct host *host, const struct failover_effect *effect)
{
    switch (effect->type) {
    case FAILOVER_EFFECT_PERSIST:
        checker_persist(world, host->number, &host->memory, &effect->u.memory);
        host->memory = effect->u.memory;
        break;
    case FAILOVER_EFFECT_READ:
        arbiter_ask_read(world, host);
        break;
    case FAILOVER_EFFECT_CAS:
        arbiter_ask_cas(world, host, &effect->u.cas);
        break;
    case FAILOVER_EFFECT_REGISTER:
    case FAILOVER_EFFECT_SEAL:
    case FAILOVER_EFFECT_GRANT:
    case FAILOVER_EFFECT_REFUSED:
        to_child(world, host, effect);
        break;
    case FAILOVER_EFFECT_HANDOVER:
        checker_handover(world, host);
        simple_to_child(world, host, CONTRACT_HANDOVER);
        break;
    case FAILOVER_EFFECT_RESUME:
        world->totals.handovers_aborted++;
        simple_to_child(world, host, CONTRACT_RESUME);
        break;
    case FAILOVER_EFFECT_REVOKE:
        revoke(world, host, effect->u.reason);
        break;
    case FAILOVER_EFFECT_RESYNC:
        host->supervisor.resync = true;
        revoke(world, host, "resync");
        break;
    case FAILOVER_EFFECT_FENCE:
        sim_fence_want(world, host, effect->u.fence.on, effect->u.fence.leads);
        break;
    case FAILOVER_EFFECT_ASK_HANDOVER: /* there is no virtual IP here that could stray */
        TRACE(world, "host %u: asks for the lead", host->number);
        break;
    case FAILOVER_EFFECT_ELIGIBLE:
        host->supervisor.eligible = effect->u.eligible;
        break;
    case FAILOVER_EFFECT_CHANGED:
        TRACE(world, "host %u: CHANGED %s", host->number, effect->u.reason);
        break;
    case FAILOVER_EFFECT_ALARM:
        TRACE(world, "host %u: alarm %s %s: %s", host->number, alarm_name(effect->u.alarm.which),
              effect->u.alarm.on ? "on" : "off", effect->u.alarm.reason);
        checker_alarm(world, host->number, effect->u.alarm.which, effect->u.alarm.on);
        break;
    case FAILOVER_EFFECT_REPLY:
        TRACE(world, "host %u: reply %s: %s", host->number, effect->u.reply.ok ? "ok" : "no",
              effect->u.reply.reason);
        break;
    }
}

static bool struck(struct world *world, struct host *host)
{
    if (!fault_strikes(world, FAULT_KILL_EFFECT, 400)) {
        return false;
    }
    if (prng_once_in(&world->prng, 2)) {
        host_power_off(world, host);
        nemesis_power_later(world, host, 0);
    } else {
        supervisor_kill(world, host);
        world_at(world, prng_range(&world->prng, 20, 400) * MS_US,
                 (struct event){.fn = started,
                                .process = PROCESS_WORLD,
                                .host = host->index,
                                .a = host->power_life});
    }
    return true;
}

/* Only a reseed makes a command change what the register is taken for. */
static void note_accepted(struct host *host, const struct failover_status *before)
{
    struct failover_status after;

    failover_status(host->supervisor.core, &after);
    if (after.value.nonce != before->value.nonce) {
        host->supervisor.accepted_nonce = after.value.nonce;
    }
}

void supervisor_feed(struct world *world, struct host *host, struct failover_event *event)
{
    struct failover_effects effects;
    struct failover_status before;
    uint32_t life = world->processes[supervisor_process(host)].life;

    ASSERT(host->supervisor.running);
    event->now_ms = clock_boot(world, host);
    event->random = prng_next(&world->prng);
    failover_status(host->supervisor.core, &before);
    failover_step(host->supervisor.core, event, &effects);
    if (event->type == FAILOVER_EVENT_COMMAND) {
        note_accepted(host, &before);
    }
    for (size_t i = 0; i < effects.count; i++) {
        if (world->processes[supervisor_process(host)].life != life || struck(world, host)) {
            return;
        }
        perform(world, host, &effects.items[i]);
    }
    if (world->processes[supervisor_process(host)].life == life) {
        supervisor_arm(world, host);
        checker_knows(world, host);
        checker_step(world);
    }
}

void supervisor_command(struct world *world, struct host *host, enum failover_command command)
{
    struct failover_event event = {.type = FAILOVER_EVENT_COMMAND, .u.command = command};

    if (host->supervisor.running && !world->processes[supervisor_process(host)].paused) {
        TRACE(world, "host %u: COMMAND %s", host->number, checker_command(command));
        supervisor_feed(world, host, &event);
    }
}

static void started(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];

    if (host->powered && event->a == host->power_life && !host->supervisor.running) {
        supervisor_start(world, host);
    }
}

void supervisor_start(struct world *world, struct host *host)
{
    struct supervisor *supervisor = &host->supervisor;
    struct failover_options options = {.host = host->number,
                                       .linearizable = !world->manual,
                                       .fences = world->fence,
                                       .strict = world->strict,
                                       .bias_ms = world->bias_ms,
                                       .start_wait_ms = 400,
                                       .takeover_ms = 1000,
                                       .read_ms = 250,
                                       .idle_read_ms = 5000,
                                       .retry_ms = 100,
                                       .handover_ms = 1500};
    struct failover_event event = {.type = FAILOVER_EVENT_START, .u.memory = host->memory};
    struct failover *core = supervisor->core;
    uint64_t timer = supervisor->timer;

    ASSERT(!supervisor->running);
    memset(supervisor, 0, sizeof *supervisor);
    supervisor->core = core;
    supervisor->timer = timer;
    supervisor->running = true;
    supervisor->start_order = world->order;
    memcpy(options.cluster_id, world->cluster_id, sizeof options.cluster_id);
    failover_init(core, &options);
    manual_start(world, host);
    sim_fence_start(world, host);
    TRACE(world, "host %u: supervisor starts", host->number);
    child_start(world, host);
    supervisor_feed(world, host, &event);
}

void supervisor_kill(struct world *world, struct host *host)
{
    if (!host->supervisor.running) {
        return;
    }
    TRACE(world, "host %u: supervisor killed", host->number);
    world->totals.kills++;
    if (host->child.running) {
        child_kill(world, host, "its supervisor died");
    }
    manual_end(world, host);
    host->supervisor.running = false;
    process_end(world, supervisor_process(host));
}

/* ---- what the child says ---- */

static void hear_link(struct world *world, struct host *host, const struct contract_link *link)
{
    struct failover_event event = {.type = FAILOVER_EVENT_LINK,
                                   .u.link = {.up = link->up,
                                              .silent = link->silent,
                                              .in_sync = link->in_sync,
                                              .peer_leads = link->peer_leads,
                                              .peer_epoch = link->peer_epoch,
                                              .peer_promised = link->peer_promised,
                                              .peer_incarnation = link->peer_incarnation,
                                              .peer_lineage = link->peer_lineage,
                                              .peer_last_epoch = link->peer_last_epoch,
                                              .peer_last_lsn = link->peer_last_lsn,
                                              .last_epoch = link->last_epoch,
                                              .last_lsn = link->lsn_last}};

    memcpy(event.u.link.peer_store_id, link->peer_store_id, REGISTER_ID_SIZE);
    checker_told_link(world, host->number, link);
    manual_link(world, host, link->up);
    sim_fence_link(world, host, link->up);
    if (host->supervisor.running) { /* what the fence told may have been its last */
        supervisor_feed(world, host, &event);
    }
}

static void hear_up(struct world *world, struct host *host, const struct contract_up *up)
{
    struct failover_event event = {.type = FAILOVER_EVENT_CHILD_UP,
                                   .u.child = {.incarnation = up->incarnation,
                                               .lineage = up->lineage,
                                               .promised = up->promised,
                                               .last_epoch = up->last_epoch,
                                               .last_lsn = up->last_lsn}};

    memcpy(event.u.child.store_id, up->store_id, REGISTER_ID_SIZE);
    host->supervisor.child_failures = 0;
    supervisor_feed(world, host, &event);
}

static void hear_proposal(struct world *world,
                          struct host *host,
                          enum failover_event_type type,
                          const struct contract_proposal *proposal)
{
    struct failover_event event = {
        .type = type, .u.proposal = {.epoch = proposal->epoch, .slow = proposal->slow}};

    memcpy(event.u.proposal.peer_store_id, proposal->peer_store_id, REGISTER_ID_SIZE);
    checker_proposed(world, host->number, proposal->epoch);
    supervisor_feed(world, host, &event);
}

static void
hear_epoch(struct world *world, struct host *host, enum failover_event_type type, uint64_t epoch)
{
    struct failover_event event = {.type = type, .u.epoch = epoch};

    supervisor_feed(world, host, &event);
}

void supervisor_hear(struct world *world, struct host *host, const struct contract_message *message)
{
    switch (message->type) {
    case CONTRACT_UP:
        hear_up(world, host, &message->u.up);
        break;
    case CONTRACT_SEALED:
        hear_epoch(world, host, FAILOVER_EVENT_SEALED, message->u.epoch);
        break;
    case CONTRACT_LEADING:
        hear_epoch(world, host, FAILOVER_EVENT_LEADING, message->u.epoch);
        break;
    case CONTRACT_DEPOSED:
        hear_epoch(world, host, FAILOVER_EVENT_DEPOSED, message->u.epoch);
        break;
    case CONTRACT_DRAINED:
        hear_epoch(world, host, FAILOVER_EVENT_DRAINED, message->u.epoch);
        break;
    case CONTRACT_TAKE_OVER:
        checker_offered(world, host->number, message->u.epoch);
        hear_epoch(world, host, FAILOVER_EVENT_TAKE_OVER, message->u.epoch);
        break;
    case CONTRACT_ADD:
        hear_proposal(world, host, FAILOVER_EVENT_ADD, &message->u.proposal);
        break;
    case CONTRACT_REMOVE:
        hear_proposal(world, host, FAILOVER_EVENT_REMOVE, &message->u.proposal);
        break;
    case CONTRACT_LINK:
        hear_link(world, host, &message->u.link);
        break;
    case CONTRACT_RESYNC:
    case CONTRACT_FAILED:
        TRACE(world, "host %u: approvald says %s: %s", host->number, contract_name(message->type),
              message->u.reason);
        break;
    case CONTRACT_CHECKIN:
    case CONTRACT_RELAYING:
    case CONTRACT_PEER:
    case CONTRACT_CONFIGURE:
    case CONTRACT_REGISTER:
    case CONTRACT_SEAL:
    case CONTRACT_GRANT:
    case CONTRACT_REFUSED:
    case CONTRACT_HANDOVER:
    case CONTRACT_RESUME:
    case CONTRACT_SUMMARY:
    case CONTRACT_STOP:
    case CONTRACT_TYPE_END:
        ASSERT(!"a message that this child sends");
        break;
    }
}
