/* SPDX-License-Identifier: Apache-2.0 */
/* engine_effects.c: carries out the replica core's effects as storage/engine_pair.h says.
 * Owns one call per effect upon the log, the promise, the link or the layer above; what it leads to
 * goes to the core as a later event. Never decides anything. */
#include "tests/sim/sim.h"

#include "base/assert.h"
#include "tests/sim/log.h"

#include <stdlib.h>
#include <string.h>

#define PAIRS_SIZE 2000U

static struct replica_effect *blocked_effect(struct engine *engine)
{
    ASSERT(engine->effect_next > 0);
    return &engine->effects.items[engine->effect_next - 1];
}

static void send(struct world *world, struct host *host, const struct message *message)
{
    size_t size = message_size(message);
    uint8_t *frame = malloc(size);

    ASSERT(frame != NULL);
    message_encode(message, frame);
    if (message->type == MESSAGE_PING) {
        host->child.engine.pinged = message->u.ping.sequence;
    }
    TRACE(world, "host %u: -> %s", host->number, checker_message(message));
    checker_send(world, host->number, message);
    link_send(world, host, frame, size);
}

static void drop_link(struct world *world, struct host *host, const char *why)
{
    struct input down = {.type = REPLICA_EVENT_LINK_DOWN,
                         .connection = host->child.link_connection};

    TRACE(world, "host %u: drops the link: %s", host->number, why);
    checker_blames(world, host->number, why);
    if (host->child.link_connection != 0) {
        link_close(world, host);
        engine_todo(world, host, &down);
    }
}

/* ---- calls that block ---- */

static void promise_done(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct engine *engine = &host->child.engine;
    struct promise_value value;
    struct input done = {.type = REPLICA_EVENT_PROMISED};
    struct err err = ERR_INIT;
    enum err_code rc;

    if (!engine->open || engine->failed) {
        return;
    }
    ASSERT(engine->promise_count > 0);
    value.epoch = engine->promises[0];
    value.lineage = engine->promise_lineages[0];
    engine->promise_count--;
    memmove(engine->promises, engine->promises + 1, sizeof engine->promises - sizeof value.epoch);
    memmove(engine->promise_lineages, engine->promise_lineages + 1,
            sizeof engine->promise_lineages - sizeof value.lineage);
    done.u.epoch = value.epoch;
    engine_maybe_crash(world, host);
    rc = promise_set(engine->promise, &value, &err);
    if (engine_crashed(world, host)) {
        return;
    }
    if (rc != ERR_OK) {
        engine_fail(world, host, err.message);
        return;
    }
    checker_promised(world, host->number, &value);
    engine_todo(world, host, &done);
    engine_unblock(world, host);
}

/* A call that R waits for; where calls do not block, it goes on meanwhile. */
static bool call(struct world *world, struct host *host, uint64_t delay_us, event_fn *fn)
{
    if (!world->async) {
        engine_block(world, host, delay_us, fn);
        return true;
    }
    /* Calls of one kind end in the order in which they began. */
    if (world->now_us + delay_us < host->child.engine.call_us) {
        delay_us = host->child.engine.call_us - world->now_us;
    }
    host->child.engine.call_us = world->now_us + delay_us;
    world_at(world, delay_us,
             (struct event){.fn = fn, .process = child_process(host), .host = host->index});
    return false;
}

static bool promise(struct world *world, struct host *host, uint64_t epoch)
{
    struct engine *engine = &host->child.engine;

    ASSERT(engine->promise_count < PROMISE_COUNT_MAX);
    engine->promises[engine->promise_count] = epoch;
    engine->promise_lineages[engine->promise_count++] = replica_lineage(engine->core);
    return call(world, host, engine_sync_us(world, host), promise_done);
}

static void cut_done(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct engine *engine = &host->child.engine;
    const struct record_position *position = &engine->cut;
    struct input done = {.type = REPLICA_EVENT_CUT_DONE};
    struct err err = ERR_INIT;
    enum err_code rc;

    if (!engine->open || engine->failed) {
        return;
    }
    if (engine->syncing) { /* waits for the sync that is under way */
        world_at(
            world, MS_US,
            (struct event){.fn = cut_done, .process = child_process(host), .host = host->index});
        return;
    }
    TRACE(world, "host %u: cuts (%llu, %llu) to (%llu, %llu)", host->number,
          (unsigned long long)engine->last.epoch, (unsigned long long)engine->last.lsn,
          (unsigned long long)position->epoch, (unsigned long long)position->lsn);
    world->totals.cuts += position->lsn < engine->last.lsn ? 1 : 0;
    checker_cut(world, host->number, position);
    engine_maybe_crash(world, host);
    rc = log_cut(engine, position, &err);
    if (engine_crashed(world, host)) {
        return;
    }
    if (rc == ERR_CONFLICT) {
        check_fail(world, "I cut", "host %u: %s", host->number, err.message);
        return;
    }
    if (rc != ERR_OK) {
        engine_fail(world, host, err.message);
        return;
    }
    engine->cutting = false;
    wal_last(engine->wal, &engine->last);
    engine->lsn_durable = engine->last.lsn;
    checker_cut_done(world, host->number, engine->last.lsn);
    engine_news(world, host);
    engine_todo(world, host, &done);
    engine_unblock(world, host);
}

static bool cut(struct world *world, struct host *host, const struct record_position *position)
{
    struct engine *engine = &host->child.engine;

    engine->cut = *position;
    engine->cutting = true;
    checker_cutting(world, host->number);
    return call(world, host, engine_sync_us(world, host), cut_done);
}

/* ---- the standby's log ---- */

static bool room_for_record(struct engine *engine)
{
    return wal_has_room(engine->wal) && engine->last.lsn - engine->checkpoint_lsn < KEPT_COUNT - 16;
}

static void keep(struct engine *engine, const struct record_position *position, struct span changes)
{
    struct kept *kept = &engine->kept[position->lsn % KEPT_COUNT];

    ASSERT(changes.size <= STATE_CHANGES_SIZE_MAX);
    kept->position = *position;
    kept->size = (uint16_t)changes.size;
    memcpy(kept->changes, changes.data, changes.size);
    engine->last = *position;
}

/* Keeps what finds no room: R goes on with it before it takes another message. */
static void append_later(struct engine *engine, struct span bytes)
{
    uint8_t *copy = malloc(bytes.size);

    ASSERT(copy != NULL);
    memcpy(copy, bytes.data, bytes.size);
    free(engine->append_rest);
    engine->append_rest = copy;
    engine->append_size = bytes.size;
}

static void append_again(struct world *world, struct event *event)
{
    engine_kick(world, &world->hosts[event->host]);
}

/* As the engine does: a session brings no record that was begun above its epoch. */
static enum err_code
check_epoch(const struct engine *engine, const struct record_position *position, struct err *err)
{
    uint64_t epoch = replica_epoch(engine->core);

    return position->epoch <= epoch
               ? ERR_OK
               : err_set(err, ERR_PROTOCOL,
                         "record %llu of epoch %llu while epoch %llu is followed",
                         (unsigned long long)position->lsn, (unsigned long long)position->epoch,
                         (unsigned long long)epoch);
}

/* Takes the records of an APPEND, as far as there is room. */
static void append_from(struct world *world, struct host *host, struct span bytes)
{
    struct engine *engine = &host->child.engine;
    struct err err = ERR_INIT;

    while (bytes.size > 0) {
        struct wal_received received = {.lsn_durable = engine->lsn_durable};
        struct record_position position;
        size_t size;
        enum err_code rc =
            record_shared_decode(bytes, &received.record, &received.position, &size, &err);

        rc = rc == ERR_OK ? check_epoch(engine, &received.position, &err) : rc;
        if (rc == ERR_OK && !room_for_record(engine)) {
            append_later(engine, bytes);
            if (engine_wal_prepare(world, host) || host->child.running) {
                engine_writer(world, host);
                world_at(world, 2 * MS_US,
                         (struct event){.fn = append_again,
                                        .process = child_process(host),
                                        .host = host->index});
            }
            break;
        }
        if (rc == ERR_OK) {
            rc = wal_append_record(engine->wal, &received, &position, &err);
        }
        if (rc == ERR_PROTOCOL || rc == ERR_CORRUPT) {
            check_fail(world, "I append", "host %u: %s", host->number, err.message);
            return;
        }
        if (rc != ERR_OK) {
            engine_fail(world, host, err.message);
            return;
        }
        keep(engine, &position, received.record.payload);
        checker_append(world, host->number, &position, false);
        bytes = span_of(bytes.data + size, bytes.size - size);
    }
    if (host->child.running) {
        engine_sync(world, host);
        engine_news(world, host);
    }
}

void engine_append_more(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    uint8_t *rest = engine->append_rest;
    struct span bytes = span_of(rest, engine->append_size);

    engine->append_rest = NULL;
    append_from(world, host, bytes);
    free(rest);
}

bool engine_append_ready(struct engine *engine)
{
    return engine->append_rest != NULL && room_for_record(engine);
}

/* ---- the primary's ---- */

static void require(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;

    TRACE(world, "host %u: requires the peer", host->number);
    if (!engine->required && engine->role == REPLICA_PRIMARY) {
        err_ignore(isr_add(&engine->isr, 1, NULL)); /* it is not a member: required says so */
    }
    engine->required = true;
    engine_news(world, host);
}

static void unrequire(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;

    TRACE(world, "host %u: requires the peer no more", host->number);
    if (engine->required && engine->role == REPLICA_PRIMARY) {
        err_ignore(isr_remove(&engine->isr, 1, NULL)); /* it is a member */
    }
    engine->required = false;
    engine_release(world, host);
    engine_news(world, host);
}

static void
acknowledge(struct world *world, struct host *host, const struct record_position *position)
{
    struct engine *engine = &host->child.engine;
    struct replica_found found;
    struct err err = ERR_INIT;

    if (log_find(engine, position->lsn, &found, &err) != ERR_OK) {
        engine_fail(world, host, err.message);
        return;
    }
    if (!found.readable) {
        return;
    }
    if (memcmp(found.position.hash, position->hash, STORAGE_HASH_SIZE) != 0) {
        check_fail(world, "4 hash", "host %u: the peer acknowledges another record %llu",
                   host->number, (unsigned long long)position->lsn);
        return;
    }
    err_ignore(isr_acknowledge(&engine->isr, 1, position->lsn, NULL)); /* a member, or no matter */
    engine_release(world, host);
}

static void ship(struct world *world, struct host *host, uint64_t lsn)
{
    struct engine *engine = &host->child.engine;
    uint8_t bytes[MESSAGE_BYTES_SIZE_MAX];
    struct input shipped = {.type = REPLICA_EVENT_SHIPPED, .u.shipped.lsn_next = lsn};
    uint32_t count = (uint32_t)prng_range(&world->prng, 1, 4);
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < count; i++) {
        struct log_room room = {.at = bytes, .size = sizeof bytes};
        struct message message;

        rc = log_ship(engine, shipped.u.shipped.lsn_next, count, &room, &shipped.u.shipped.lsn_next,
                      &err);
        if (rc != ERR_OK || room.used == 0) {
            break;
        }
        message.type = MESSAGE_APPEND;
        message.u.bytes = (struct message_bytes){.epoch = replica_epoch(engine->core),
                                                 .incarnation = host->child.incarnation,
                                                 .lsn_commit = engine_commit_lsn(engine),
                                                 .bytes = span_of(bytes, room.used)};
        send(world, host, &message);
    }
    if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        engine_fail(world, host, err.message);
        return;
    }
    shipped.u.shipped.gone = rc == ERR_NOT_FOUND;
    engine_todo(world, host, &shipped);
}

static void find(struct world *world, struct host *host, uint64_t lsn)
{
    struct input found = {.type = REPLICA_EVENT_FOUND};
    struct err err = ERR_INIT;

    if (log_find(&host->child.engine, lsn, &found.u.found, &err) != ERR_OK) {
        engine_fail(world, host, err.message);
        return;
    }
    engine_todo(world, host, &found);
}

/* ---- snapshots ---- */

static void snapshot_send(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    uint64_t epoch = replica_epoch(engine->core);
    uint64_t incarnation = host->child.incarnation;
    struct message message = {.type = MESSAGE_SNAPSHOT};
    struct state_change change;
    uint8_t bytes[PAIRS_SIZE];
    size_t size = 0;
    uint64_t number = 0;
    struct input sent = {.type = REPLICA_EVENT_SNAPSHOT_SENT, .u.position = engine->applied};

    world->totals.snapshots++;
    TRACE(world, "host %u: sends a snapshot of LSN %llu", host->number,
          (unsigned long long)engine->applied.lsn);
    message.u.place = (struct message_place){
        .epoch = epoch, .incarnation = incarnation, .position = engine->applied};
    send(world, host, &message);
    message.type = MESSAGE_PAIRS;
    message.u.bytes = (struct message_bytes){.epoch = epoch, .incarnation = incarnation};
    for (; state_pair(&engine->state, number, &change); number++) {
        if (size + STATE_CHANGE_SIZE > sizeof bytes) {
            message.u.bytes.bytes = span_of(bytes, size);
            send(world, host, &message);
            message.u.bytes.lsn_commit = number;
            size = 0;
        }
        size += state_encode(&change, bytes + size);
    }
    message.u.bytes.bytes = span_of(bytes, size);
    send(world, host, &message);
    message.type = MESSAGE_SNAPSHOT_END;
    memset(&message.u.ping, 0, sizeof message.u.ping);
    message.u.ping.epoch = epoch;
    message.u.ping.incarnation = incarnation;
    message.u.ping.sequence = number;
    send(world, host, &message);
    engine_todo(world, host, &sent);
}

/* There is no room for it: as the link does, the connection is ended for it. True: so it is. */
static bool snapshot_refused(struct world *world, struct host *host)
{
    struct input refused = {.type = REPLICA_EVENT_SNAPSHOT_REFUSED};

    if (!fault_strikes(world, FAULT_NO_ROOM, 2)) {
        return false;
    }
    world->totals.refusals++;
    drop_link(world, host, "no room for the snapshot");
    engine_todo(world, host, &refused);
    return true;
}

static void
snapshot_begin(struct world *world, struct host *host, const struct record_position *position)
{
    struct engine *engine = &host->child.engine;

    free(engine->incoming);
    engine->incoming = NULL;
    if (snapshot_refused(world, host)) {
        return;
    }
    engine->incoming = calloc(1, sizeof *engine->incoming);
    ASSERT(engine->incoming != NULL);
    engine->incoming_position = *position;
    engine->incoming_count = 0;
}

static void snapshot_pairs(struct world *world, struct host *host, struct span bytes)
{
    struct engine *engine = &host->child.engine;
    struct state_change change;

    ASSERT(engine->incoming != NULL);
    if (snapshot_refused(world, host)) {
        return;
    }
    while (bytes.size > 0) {
        if (!state_decode(&bytes, &change)) {
            check_fail(world, "snapshot", "host %u: bad pairs", host->number);
            return;
        }
        state_set(engine->incoming, &change);
        engine->incoming_count++;
    }
}

static void install_done(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct engine *engine = &host->child.engine;
    struct sim_store *store = &host->store;

    if (engine->incoming_count != blocked_effect(engine)->u.sequence) {
        check_fail(world, "snapshot", "host %u: %llu pairs of %llu", host->number,
                   (unsigned long long)engine->incoming_count,
                   (unsigned long long)blocked_effect(engine)->u.sequence);
        return;
    }
    store->install = true;
    store->install_position = engine->incoming_position;
    store->install_lineage = replica_lineage(engine->core);
    store->install_state = *engine->incoming;
    engine->failed = true;
    child_end(world, host, "a snapshot is to be put in place");
}

static void halt(struct world *world, struct host *host, const char *reason)
{
    TRACE(world, "host %u: HALT %s", host->number, reason);
    world->totals.halts++;
    if (world->totals.forced == 0) {
        check_fail(world, "halt", "host %u: %s", host->number, reason);
        return;
    }
    engine_fail(world, host, reason);
}

static void may_apply(struct world *world, struct host *host, uint64_t lsn)
{
    struct engine *engine = &host->child.engine;

    engine->lsn_commit = lsn > engine->lsn_commit ? lsn : engine->lsn_commit;
    engine_writer(world, host);
}

static void echoed(struct world *world, struct host *host, uint64_t sequence)
{
    struct engine *engine = &host->child.engine;

    engine->echoed = sequence > engine->echoed ? sequence : engine->echoed;
    engine_release(world, host);
}

bool engine_perform(struct world *world, struct host *host, struct replica_effect *effect)
{
    struct engine *engine = &host->child.engine;

    switch (effect->type) {
    case REPLICA_EFFECT_SEND:
        send(world, host, &effect->u.message);
        break;
    case REPLICA_EFFECT_DROP_LINK:
        drop_link(world, host, effect->u.reason);
        break;
    case REPLICA_EFFECT_PROMISE:
        return promise(world, host, effect->u.epoch);
    case REPLICA_EFFECT_BEGIN_EPOCH:
        engine->epoch_wanted = effect->u.epoch;
        engine_writer(world, host);
        break;
    case REPLICA_EFFECT_FIND:
        find(world, host, effect->u.lsn);
        break;
    case REPLICA_EFFECT_CUT:
        return cut(world, host, &effect->u.position);
    case REPLICA_EFFECT_APPEND:
        append_from(world, host, effect->u.bytes);
        break;
    case REPLICA_EFFECT_COMMIT:
        may_apply(world, host, effect->u.lsn);
        break;
    case REPLICA_EFFECT_SHIP:
        ship(world, host, effect->u.lsn);
        break;
    case REPLICA_EFFECT_REQUIRE:
        require(world, host);
        break;
    case REPLICA_EFFECT_UNREQUIRE:
        unrequire(world, host);
        break;
    case REPLICA_EFFECT_ACKNOWLEDGE:
        acknowledge(world, host, &effect->u.position);
        break;
    case REPLICA_EFFECT_ECHOED:
        echoed(world, host, effect->u.sequence);
        break;
    case REPLICA_EFFECT_SNAPSHOT_SEND:
        snapshot_send(world, host);
        break;
    case REPLICA_EFFECT_SNAPSHOT_BEGIN:
        snapshot_begin(world, host, &effect->u.position);
        break;
    case REPLICA_EFFECT_SNAPSHOT_PAIRS:
        snapshot_pairs(world, host, effect->u.bytes);
        break;
    case REPLICA_EFFECT_SNAPSHOT_INSTALL:
        engine_block(world, host, 3 * engine_sync_us(world, host), install_done);
        return true;
    case REPLICA_EFFECT_STEP_DOWN:
        engine_step_down(world, host);
        break;
    case REPLICA_EFFECT_HALT:
        halt(world, host, effect->u.reason);
        break;
    case REPLICA_EFFECT_REPORT:
        child_report(world, host, &effect->u.report);
        break;
    case REPLICA_EFFECT_DATA:
        break;
    }
    return false;
}
