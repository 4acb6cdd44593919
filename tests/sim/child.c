/* SPDX-License-Identifier: Apache-2.0 */
/* child.c: approvald as a process.
 * Owns its start and end, the socket pair to its supervisor (every message through the production
 * codec and its table of moves), and what approvald does with each message.
 * Never decides anything. */
#include "tests/sim/sim.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static void exec_done(struct world *world, struct event *event);

void child_start(struct world *world, struct host *host)
{
    struct child *child = &host->child;
    struct contract_message message;

    ASSERT(!child->running);
    child->running = true;
    child->cut = false;
    child->exec = true;
    child->up = false;
    child->serving = false;
    child->holding = false;
    child->held_count = 0;
    child->drain_wanted = false;
    child->outbox_intent = 0;
    child->outbox_step = 0;
    child->link_connection = 0;
    child->contract = CONTRACT_NEW;
    checker_child_new(world, host->number);
    child->incarnation = prng_next(&world->prng) | 1;
    child->start_order = world->order;
    TRACE(world, "host %u: approvald starts, incarnation %llx", host->number,
          (unsigned long long)child->incarnation);
    memset(&message, 0, sizeof message);
    message.type = CONTRACT_CONFIGURE;
    message.u.configure = (struct contract_configure){.incarnation = child->incarnation,
                                                      .mode = CONTRACT_PAIR,
                                                      .host = host->number,
                                                      .strict = world->strict,
                                                      .ping_ms = world->ping_ms,
                                                      .silence_ms = world->silence_ms,
                                                      .evict_ms = world->evict_ms,
                                                      .hold_down_ms = world->hold_down_ms,
                                                      .checkin_ms = 1000,
                                                      .resync = host->supervisor.resync};
    if (host->number == 2) {
        memcpy(message.u.configure.peer, "10.0.0.1:7070", 14);
    }
    memcpy(message.u.configure.certificate, "/c", 3);
    memcpy(message.u.configure.key, "/k", 3);
    memcpy(message.u.configure.ca, "/a", 3);
    memcpy(message.u.configure.peer_name, "peer", 5);
    memcpy(message.u.configure.cluster_id, world->cluster_id, CONTRACT_ID_SIZE);
    host->supervisor.resync = false;
    child_send(world, host, &message);
}

/* The process is gone: kill -9, power, or its own end. */
static void gone(struct world *world, struct host *host)
{
    struct child *child = &host->child;

    link_close(world, host);
    engine_close(&child->engine);
    vault_close_all(&host->vault);
    child->running = false;
    child->up = false;
    child->serving = false;
    process_end(world, child_process(host));
}

static void ended(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];

    if (host->supervisor.running && !host->child.running && event->a == host->child.incarnation) {
        supervisor_child_down(world, host);
    }
}

/* The supervisor learns of the end behind everything that the child has said. */
static void tell_end(struct world *world, struct host *host)
{
    uint64_t delay_us = prng_range(&world->prng, 50, 3000);

    if (world->now_us + delay_us < host->child.to_supervisor_us) {
        delay_us = host->child.to_supervisor_us - world->now_us;
    }
    world_at(world, delay_us,
             (struct event){.fn = ended,
                            .process = supervisor_process(host),
                            .host = host->index,
                            .a = host->child.incarnation});
}

void child_kill(struct world *world, struct host *host, const char *why)
{
    TRACE(world, "host %u: approvald killed: %s", host->number, why);
    host->child.cut = true;
    gone(world, host);
    tell_end(world, host);
}

void child_end(struct world *world, struct host *host, const char *why)
{
    TRACE(world, "host %u: approvald ended: %s", host->number, why);
    gone(world, host);
    tell_end(world, host);
}

/* ---- supervisor to child ---- */

static void
configure(struct world *world, struct host *host, const struct contract_configure *configure)
{
    struct child *child = &host->child;

    child->configure = *configure;
    world_at(world,
             prng_range(&world->prng, 2, 30) * MS_US +
                 (fault_strikes(world, FAULT_BUSY, 4) ? 300 * MS_US : 0),
             (struct event){.fn = exec_done, .process = child_process(host), .host = host->index});
}

static void command(struct world *world, struct host *host, const struct contract_message *message)
{
    struct input input;

    memset(&input, 0, sizeof input);
    switch (message->type) {
    case CONTRACT_REGISTER:
        input.type = REPLICA_EVENT_REGISTER;
        input.u.reg = (struct replica_register){.epoch = message->u.reg.epoch,
                                                .lineage = message->u.reg.lineage,
                                                .primary = message->u.reg.primary};
        break;
    case CONTRACT_SEAL:
        input.type = REPLICA_EVENT_SEAL;
        input.u.epoch = message->u.epoch;
        break;
    case CONTRACT_GRANT:
        input.type = REPLICA_EVENT_GRANT;
        input.u.grant = (struct replica_grant){.epoch = message->u.grant.epoch,
                                               .lineage = message->u.grant.lineage,
                                               .peer_in_isr = message->u.grant.peer_in_isr};
        memcpy(input.u.grant.peer_store_id, message->u.grant.peer_store_id, STORAGE_ID_SIZE);
        break;
    case CONTRACT_REFUSED:
        input.type = REPLICA_EVENT_REFUSED;
        input.u.epoch = message->u.epoch;
        break;
    case CONTRACT_HANDOVER:
        app_handover(world, host);
        return;
    case CONTRACT_RESUME:
        app_resume(world, host);
        input.type = REPLICA_EVENT_RESUME;
        break;
    case CONTRACT_CONFIGURE:
        configure(world, host, &message->u.configure);
        return;
    case CONTRACT_PEER:
    case CONTRACT_SUMMARY:
    case CONTRACT_STOP:
    case CONTRACT_UP:
    case CONTRACT_CHECKIN:
    case CONTRACT_SEALED:
    case CONTRACT_LEADING:
    case CONTRACT_ADD:
    case CONTRACT_REMOVE:
    case CONTRACT_DEPOSED:
    case CONTRACT_DRAINED:
    case CONTRACT_TAKE_OVER:
    case CONTRACT_RESYNC:
    case CONTRACT_LINK:
    case CONTRACT_RELAYING:
    case CONTRACT_FAILED:
    case CONTRACT_TYPE_END:
        ASSERT(!"a message that this supervisor sends");
        return;
    }
    engine_input(world, host, &input);
}

/* A packet of the socket pair: decoded, and moved in the table, by the one who reads it. */
static void packet_read(struct world *world,
                        const struct event *event,
                        struct child *child,
                        enum contract_side from,
                        struct contract_message *ret_message)
{
    struct err err = ERR_INIT;

    if (contract_decode(span_of(event->data, event->size), ret_message, &err) != ERR_OK ||
        contract_move(&child->contract, from, ret_message->type, &err) != ERR_OK) {
        check_fail(world, "contract", "host %u: %s from the %s", event->host + 1U, err.message,
                   from == CONTRACT_SUPERVISOR ? "supervisor" : "child");
    }
}

static void child_hears(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct contract_message message;

    if (host->child.running && host->child.incarnation == event->a) {
        packet_read(world, event, &host->child, CONTRACT_SUPERVISOR, &message);
        if (!world->failed) {
            command(world, host, &message);
        }
    }
}

static void supervisor_hears(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct contract_message message;
    struct err err = ERR_INIT;

    /* What a child said before it died still counts; what a killed one said does not: the
     * supervisor has closed that socket pair. */
    if (!host->supervisor.running || host->child.incarnation != event->a || host->child.cut) {
        return;
    }
    if (contract_decode(span_of(event->data, event->size), &message, &err) != ERR_OK) {
        check_fail(world, "contract", "host %u: %s", host->number, err.message);
        return;
    }
    supervisor_hear(world, host, &message);
}

/* Whoever is to read it may take long to get its turn. */
static uint64_t busy_us(struct world *world)
{
    return fault_strikes(world, FAULT_LAZY, 4) ? prng_range(&world->more, 1, 400) * MS_US : 0;
}

static void packet_send(struct world *world,
                        struct host *host,
                        enum process to,
                        const struct contract_message *message)
{
    bool down = to == child_process(host);
    uint64_t *floor_us = down ? &host->child.from_supervisor_us : &host->child.to_supervisor_us;
    uint64_t at_us = world->now_us + prng_range(&world->prng, 10, 200) + busy_us(world);
    uint8_t *bytes = malloc(CONTRACT_SIZE_MAX);

    ASSERT(bytes != NULL);
    at_us = at_us > *floor_us ? at_us : *floor_us;
    *floor_us = at_us;
    world_at(world, at_us - world->now_us,
             (struct event){.fn = down ? child_hears : supervisor_hears,
                            .process = to,
                            .host = host->index,
                            .a = host->child.incarnation,
                            .data = bytes,
                            .size = contract_encode(message, bytes)});
}

void child_send(struct world *world, struct host *host, const struct contract_message *message)
{
    if (host->child.running) {
        TRACE(world, "host %u: supervisor -> %s", host->number, contract_name(message->type));
        packet_send(world, host, child_process(host), message);
    }
}

/* ---- child to supervisor ---- */

void child_tell(struct world *world, struct host *host, const struct contract_message *message)
{
    struct err err = ERR_INIT;

    if (contract_move(&host->child.contract, CONTRACT_CHILD, message->type, &err) != ERR_OK) {
        check_fail(world, "contract", "host %u: %s", host->number, err.message);
        return;
    }
    packet_send(world, host, supervisor_process(host), message);
}

static void tell_up(struct world *world, struct host *host)
{
    const struct engine *engine = &host->child.engine;
    struct promise_value promise;
    struct contract_message message;

    promise_get(engine->promise, &promise);
    memset(&message, 0, sizeof message);
    message.type = CONTRACT_UP;
    message.u.up = (struct contract_up){.incarnation = host->child.incarnation,
                                        .lineage = promise.lineage,
                                        .promised = promise.epoch,
                                        .last_epoch = engine->last.epoch,
                                        .last_lsn = engine->last.lsn};
    memcpy(message.u.up.store_id, engine->store_id, CONTRACT_ID_SIZE);
    child_tell(world, host, &message);
}

static void exec_done(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct child *child = &host->child;
    struct err err = ERR_INIT;
    enum err_code rc;

    if (!child->running) {
        return;
    }
    child->exec = false;
    rc = engine_open(world, host, &err);
    if (engine_crashed(world, host)) {
        return;
    }
    if (rc != ERR_OK) {
        TRACE(world, "host %u: approvald cannot start: %s", host->number, err.message);
        if (!host->disk_bad && rc != ERR_IO) {
            check_fail(world, "recovery", "host %u: %s", host->number, err.message);
        }
        child_end(world, host, "no store");
        return;
    }
    child->up = true;
    TRACE(world, "host %u: approvald is up: last (%llu, %llu) applied %llu", host->number,
          (unsigned long long)child->engine.last.epoch, (unsigned long long)child->engine.last.lsn,
          (unsigned long long)child->engine.applied.lsn);
    tell_up(world, host);
    engine_arm(world, host);
    engine_checkpoint(world, host);
    if (host->number == 2) {
        link_dial(world);
    }
}

static void
report_link(struct host *host, const struct replica_link *link, struct contract_message *message)
{
    const struct message_state *peer = &link->peer;

    message->type = CONTRACT_LINK;
    message->u.link = (struct contract_link){.up = link->up,
                                             .silent = link->silent,
                                             .in_sync = link->in_sync,
                                             .peer_leads = peer->role == REPLICA_PRIMARY,
                                             .peer_epoch = peer->epoch,
                                             .peer_promised = peer->promised,
                                             .peer_incarnation = peer->incarnation,
                                             .peer_lineage = peer->lineage,
                                             .peer_last_epoch = peer->last.epoch,
                                             .peer_last_lsn = peer->last.lsn,
                                             .last_epoch = host->child.engine.last.epoch,
                                             .lsn_last = host->child.engine.last.lsn,
                                             .lsn_acked = link->lsn_acked,
                                             .clock_ahead_ms = link->clock_ahead_ms};
    memcpy(message->u.link.peer_store_id, peer->store_id, CONTRACT_ID_SIZE);
}

void child_report(struct world *world, struct host *host, const struct replica_report *report)
{
    static const enum contract_type types[] = {[REPLICA_REPORT_SEALED] = CONTRACT_SEALED,
                                               [REPLICA_REPORT_LEADING] = CONTRACT_LEADING,
                                               [REPLICA_REPORT_ADD] = CONTRACT_ADD,
                                               [REPLICA_REPORT_REMOVE] = CONTRACT_REMOVE,
                                               [REPLICA_REPORT_DEPOSED] = CONTRACT_DEPOSED,
                                               [REPLICA_REPORT_DRAINED] = CONTRACT_DRAINED,
                                               [REPLICA_REPORT_TAKE_OVER] = CONTRACT_TAKE_OVER,
                                               [REPLICA_REPORT_RESYNC] = CONTRACT_RESYNC,
                                               [REPLICA_REPORT_LINK] = CONTRACT_LINK};
    struct contract_message message;

    memset(&message, 0, sizeof message);
    message.type = types[report->type];
    if (report->type == REPLICA_REPORT_LINK) {
        report_link(host, &report->u.link, &message);
        if (world->fence && report->u.link.up && report->u.link.silent) {
            link_give_up(world, host); /* as storage/link.c does */
        }
    } else if (report->type == REPLICA_REPORT_ADD || report->type == REPLICA_REPORT_REMOVE) {
        message.u.proposal = (struct contract_proposal){.epoch = report->u.proposal.epoch,
                                                        .lsn = report->u.proposal.lsn,
                                                        .slow = report->u.proposal.slow};
        memcpy(message.u.proposal.peer_store_id, report->u.proposal.peer_store_id,
               CONTRACT_ID_SIZE);
    } else if (report->type == REPLICA_REPORT_RESYNC) {
        memcpy(message.u.reason, report->u.reason, CONTRACT_REASON_SIZE);
        host->child.engine.diverged = true;
        world->totals.resyncs++;
    } else {
        message.u.epoch = report->u.epoch;
    }
    if (report->type == REPLICA_REPORT_LEADING && world->strict && !host->child.engine.required) {
        TRACE(world, "host %u: leads alone: strict, it does not serve", host->number);
        return;
    }
    TRACE(world, "host %u: report %s", host->number, contract_name(message.type));
    if (report->type == REPLICA_REPORT_LEADING) {
        checker_serves(world, host->number, &host->child.engine);
        app_serve(world, host);
    }
    child_tell(world, host, &message);
}
