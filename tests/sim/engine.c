/* SPDX-License-Identifier: Apache-2.0 */
/* engine.c: the simulated storage: opening, and its replication thread R around the replica core.
 * Owns the order in which R takes things: one at a time, its effects in order, standing still in a
 * call that blocks, as storage/engine_pair.h says. Never decides anything itself. */
#include "tests/sim/sim.h"

#include "base/assert.h"
#include "tests/sim/log.h"

#include <stdlib.h>
#include <string.h>

#define DIR "store"

/* ---- opening ---- */

static enum err_code visit(void *arg,
                           const struct record *record,
                           const struct record_position *position,
                           struct err *err)
{
    struct engine *engine = arg;
    struct kept *kept = &engine->kept[position->lsn % KEPT_COUNT];

    if (record->payload.size > STATE_CHANGES_SIZE_MAX ||
        position->lsn - engine->applied.lsn > KEPT_COUNT) {
        return err_set(err, ERR_FATAL, "the simulation keeps too few records");
    }
    kept->position = *position;
    kept->size = (uint16_t)record->payload.size;
    memcpy(kept->changes, record->payload.data, record->payload.size);
    return ERR_OK;
}

/* A new store: no log, no state; a promise carried over when there is one. */
static enum err_code new_store(struct world *world,
                               struct host *host,
                               const struct promise_value *value,
                               struct err *err)
{
    struct sim_store *store = &host->store;
    struct promise *promise = NULL;
    enum err_code rc = ERR_OK;

    vault_wipe(&host->vault);
    memset(&store->state, 0, sizeof store->state);
    memset(&store->applied, 0, sizeof store->applied);
    store->base_lsn = 0;
    rng_fill(&world->rng, store->store_id, STORAGE_ID_SIZE);
    memcpy(store->cluster_id, world->cluster_id, STORAGE_ID_SIZE);
    if (value->epoch > 0 || value->lineage > 0) {
        rc = promise_open(&host->vault.disk, DIR, store->store_id, &promise, err);
        rc = rc == ERR_OK ? promise_set(promise, value, err) : rc;
        promise_close(promise);
    }
    checker_store_new(world, host->number, store->store_id, value);
    return rc;
}

/* Puts a received snapshot in place: made to be repeatable, as its marker stays until the end. */
static enum err_code install(struct world *world, struct host *host, struct err *err)
{
    struct sim_store *store = &host->store;
    struct promise_value value = {.lineage = store->install_lineage};
    enum err_code rc;

    value.epoch = checker_promise(world, host->number);
    rc = new_store(world, host, &value, err);
    if (rc == ERR_OK) {
        store->state = store->install_state;
        store->applied = store->install_position;
        store->base_lsn = store->install_position.lsn;
        store->install = false;
        checker_store_installed(world, host->number, &store->applied, store->state.hash);
    }
    return rc;
}

static enum err_code prepare_store(struct world *world, struct host *host, struct err *err)
{
    static const uint8_t none[STORAGE_ID_SIZE];
    struct promise_value value = {0};

    if (host->store.install) {
        return install(world, host, err);
    }
    if (host->child.configure.resync) {
        /* The store is set aside; what was promised of it stays promised. */
        value.epoch = checker_promise(world, host->number);
        return new_store(world, host, &value, err);
    }
    if (memcmp(host->store.store_id, none, STORAGE_ID_SIZE) == 0) {
        return new_store(world, host, &value, err);
    }
    return ERR_OK;
}

static enum err_code open_log(struct world *world, struct host *host, struct err *err)
{
    struct engine *engine = &host->child.engine;
    struct wal_options options = {.home = {.disk = &host->vault.disk, .dir = DIR},
                                  .rng = &world->rng,
                                  .segment_size = WAL_SEGMENT_SIZE_MIN,
                                  .wal_size_max = (world->nemesis.on[FAULT_SMALL_LOG] ? 4U : 24U) *
                                                  WAL_SEGMENT_SIZE_MIN,
                                  .applied = engine->applied,
                                  .lsn_durable = engine->applied.lsn,
                                  .lsn_base = host->store.base_lsn};
    enum err_code rc;

    memcpy(options.home.cluster_id, host->store.cluster_id, STORAGE_ID_SIZE);
    memcpy(options.home.store_id, engine->store_id, STORAGE_ID_SIZE);
    rc = wal_open(&options, &engine->wal, err);
    if (rc == ERR_OK) {
        rc = wal_replay(engine->wal, visit, engine, err);
    }
    return rc;
}

static void init_core(struct world *world, struct host *host, const struct promise_value *promise)
{
    struct engine *engine = &host->child.engine;
    const struct contract_configure *configure = &host->child.configure;
    struct replica_options options = {.lineage = promise->lineage,
                                      .incarnation = host->child.incarnation,
                                      .host = host->number,
                                      .strict = configure->strict,
                                      .ping_ms = configure->ping_ms,
                                      .silence_ms = configure->silence_ms,
                                      .evict_ms = configure->evict_ms,
                                      .hold_down_ms = configure->hold_down_ms,
                                      .promised = promise->epoch,
                                      .last = engine->last,
                                      .applied = engine->applied};

    (void)world;
    memcpy(options.cluster_id, host->store.cluster_id, STORAGE_ID_SIZE);
    memcpy(options.store_id, engine->store_id, STORAGE_ID_SIZE);
    replica_init(engine->core, &options);
}

enum err_code engine_open(struct world *world, struct host *host, struct err *err)
{
    struct engine *engine = &host->child.engine;
    struct replica *core = engine->core;
    struct kept *kept = engine->kept;
    struct promise_value promise;
    enum err_code rc;

    memset(engine, 0, sizeof *engine);
    engine->core = core;
    engine->kept = kept;
    engine_maybe_crash(world, host);
    rc = prepare_store(world, host, err);
    memcpy(engine->store_id, host->store.store_id, STORAGE_ID_SIZE);
    engine->applied = host->store.applied;
    engine->state = host->store.state;
    engine->checkpoint_lsn = engine->applied.lsn;
    if (rc == ERR_OK) {
        rc = promise_open(&host->vault.disk, DIR, engine->store_id, &engine->promise, err);
    }
    if (rc == ERR_OK) {
        rc = open_log(world, host, err);
    }
    host->vault.crash_in = 0;
    if (rc != ERR_OK) {
        return rc;
    }
    promise_get(engine->promise, &promise);
    engine->lineage = promise.lineage;
    wal_last(engine->wal, &engine->last);
    engine->lsn_durable = engine->last.lsn;
    engine->lsn_commit = engine->applied.lsn;
    engine->open = true;
    checker_recovered(world, host->number, engine, &promise);
    init_core(world, host, &promise);
    return ERR_OK;
}

static void input_free(struct input *input)
{
    free(input->frame);
    input->frame = NULL;
}

static void ring_clear(struct input_ring *ring)
{
    for (uint32_t i = 0; i < ring->count; i++) {
        input_free(&ring->items[(ring->first + i) % INPUT_COUNT_MAX]);
    }
    ring->count = 0;
}

void engine_close(struct engine *engine)
{
    ring_clear(&engine->inbox);
    ring_clear(&engine->todo);
    input_free(&engine->current);
    log_close(engine);
    wal_close(engine->wal);
    promise_close(engine->promise);
    free(engine->checkpoint_state);
    free(engine->incoming);
    free(engine->append_rest);
    engine->append_rest = NULL;
    engine->wal = NULL;
    engine->promise = NULL;
    engine->checkpoint_state = NULL;
    engine->incoming = NULL;
    engine->open = false;
}

/* ---- the disk's ends ---- */

void engine_maybe_crash(struct world *world, struct host *host)
{
    if (fault_strikes(world, FAULT_DISK_CRASH, 40)) {
        host->vault.crash_in = (uint32_t)prng_range(&world->prng, 1, 12);
    }
}

bool engine_crashed(struct world *world, struct host *host)
{
    bool crashed = host->vault.crashed;

    host->vault.crash_in = 0;
    if (crashed && prng_once_in(&world->prng, 2)) {
        host_power_off(world, host);
        nemesis_power_later(world, host, 0);
    } else if (crashed) {
        child_end(world, host, "killed within a disk call");
        world->totals.kills++;
    }
    return crashed;
}

void engine_fail(struct world *world, struct host *host, const char *why)
{
    struct engine *engine = &host->child.engine;
    struct contract_message message;

    engine->failed = true;
    memset(&message, 0, sizeof message);
    message.type = CONTRACT_FAILED;
    memcpy(message.u.reason, why,
           strlen(why) < CONTRACT_REASON_SIZE ? strlen(why) : CONTRACT_REASON_SIZE - 1);
    child_tell(world, host, &message);
    child_end(world, host, why);
}

/* ---- R ---- */

static void ring_put(struct input_ring *ring, const struct input *input)
{
    ASSERT(ring->count < INPUT_COUNT_MAX);
    ring->items[(ring->first + ring->count++) % INPUT_COUNT_MAX] = *input;
}

static struct input ring_take(struct input_ring *ring)
{
    struct input input = ring->items[ring->first];

    ring->first = (ring->first + 1) % INPUT_COUNT_MAX;
    ring->count--;
    return input;
}

void engine_input(struct world *world, struct host *host, const struct input *input)
{
    struct engine *engine = &host->child.engine;

    if (!host->child.running || !engine->open || engine->failed) {
        free(input->frame);
        return;
    }
    if (engine->inbox.count == INPUT_COUNT_MAX) {
        check_fail(world, "21 bounds", "host %u: more than %u inputs wait", host->number,
                   INPUT_COUNT_MAX);
        free(input->frame);
        return;
    }
    ring_put(&engine->inbox, input);
    engine_kick(world, host);
}

void engine_todo(struct world *world, struct host *host, const struct input *input)
{
    ring_put(&host->child.engine.todo, input);
    engine_kick(world, host);
}

static void step(struct world *world, struct host *host, struct replica_event *event)
{
    struct engine *engine = &host->child.engine;

    event->now_ms = clock_boot(world, host);
    event->wall_ms = clock_wall(world, host);
    engine->effect_next = 0;
    replica_step(engine->core, event, &engine->effects);
    world_hash(world, (uint64_t)event->type << 32 | engine->effects.count);
    if (replica_role(engine->core) == REPLICA_STANDBY && engine->role == REPLICA_IDLE) {
        engine->role = REPLICA_STANDBY;
    }
}

static void step_news(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    struct replica_event event = {.type = REPLICA_EVENT_LOCAL};

    if (engine->epoch_begun > engine->epoch_told) {
        engine->epoch_told = engine->epoch_begun;
        event.type = REPLICA_EVENT_EPOCH_BEGUN;
        event.u.epoch = engine->epoch_begun;
    } else if (engine->echo_wanted > engine->pinged && engine->echo_wanted > engine->read_told) {
        engine->read_told = engine->echo_wanted;
        event.type = REPLICA_EVENT_READ;
    } else {
        engine->news = false;
        engine_local(host, &event.u.local);
    }
    step(world, host, &event);
}

static void step_input(struct world *world, struct host *host, struct input_ring *ring)
{
    struct engine *engine = &host->child.engine;
    struct replica_event event;
    struct message message;
    struct err err = ERR_INIT;

    input_free(&engine->current);
    engine->current = ring_take(ring);
    memset(&event, 0, sizeof event);
    event.type = engine->current.type;
    switch (event.type) {
    case REPLICA_EVENT_MESSAGE:
        if (engine->current.connection != host->child.link_connection) {
            return;
        }
        if (message_decode(span_of(engine->current.frame, engine->current.frame_size), &message,
                           &err) != ERR_OK) {
            check_fail(world, "codec", "host %u: %s", host->number, err.message);
            return;
        }
        TRACE(world, "host %u: <- %s", host->number, checker_message(&message));
        event.u.message = &message;
        break;
    case REPLICA_EVENT_REGISTER:
        event.u.reg = engine->current.u.reg;
        break;
    case REPLICA_EVENT_GRANT:
        checker_granted(world, host->number, engine->current.u.grant.epoch);
        event.u.grant = engine->current.u.grant;
        break;
    case REPLICA_EVENT_FOUND:
        event.u.found = engine->current.u.found;
        break;
    case REPLICA_EVENT_SHIPPED:
        event.u.shipped = engine->current.u.shipped;
        break;
    case REPLICA_EVENT_SNAPSHOT_SENT:
        event.u.position = engine->current.u.position;
        break;
    case REPLICA_EVENT_SEAL:
    case REPLICA_EVENT_REFUSED:
    case REPLICA_EVENT_PROMISED:
    case REPLICA_EVENT_EPOCH_BEGUN:
        event.u.epoch = engine->current.u.epoch;
        break;
    case REPLICA_EVENT_HANDOVER:
        engine->drained = engine->role == REPLICA_PRIMARY;
        break;
    case REPLICA_EVENT_RESUME:
        engine->drained = false;
        engine_writer(world, host);
        break;
    case REPLICA_EVENT_LINK_UP:
    case REPLICA_EVENT_LINK_DOWN:
        engine->connection = event.type == REPLICA_EVENT_LINK_UP ? engine->current.connection : 0;
        break;
    case REPLICA_EVENT_READ:
    case REPLICA_EVENT_SNAPSHOT_REFUSED:
    case REPLICA_EVENT_DATA:
    case REPLICA_EVENT_LEAVE:
    case REPLICA_EVENT_LOCAL:
    case REPLICA_EVENT_CUT_DONE:
    case REPLICA_EVENT_TICK:
        break;
    }
    step(world, host, &event);
}

void engine_leave(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    struct replica_event event = {.type = REPLICA_EVENT_LEAVE};

    if (!host->child.running || !engine->open || engine->failed || engine->block != 0 ||
        engine->effect_next < engine->effects.count ||
        world->processes[child_process(host)].paused) {
        return; /* too busy, or frozen: it is killed in the end */
    }
    TRACE(world, "host %u: is asked to stop", host->number);
    step(world, host, &event);
    while (engine->effect_next < engine->effects.count) {
        (void)engine_perform(world, host, &engine->effects.items[engine->effect_next++]); /* SEND */
    }
}

/* Takes the next thing. False: there is none. */
static bool next(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    bool news = engine->news || engine->epoch_begun > engine->epoch_told;

    engine->effects.count = 0;
    engine->effect_next = 0;
    if (engine_append_ready(engine)) {
        engine_append_more(world, host);
    } else if (engine->todo.count > 0) {
        step_input(world, host, &engine->todo);
    } else if (engine->append_rest != NULL) {
        if (!news) {
            return false;
        }
        step_news(world, host);
    } else if (news && (engine->inbox.count == 0 || prng_once_in(&world->prng, 2))) {
        step_news(world, host);
    } else if (engine->inbox.count > 0) {
        step_input(world, host, &engine->inbox);
    } else {
        return false;
    }
    return true;
}

static void r_turn(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct engine *engine = &host->child.engine;
    uint64_t incarnation = host->child.incarnation;
    uint32_t turns = 0;

    engine->r_due = false;
    while (engine->block == 0 && turns < 200 && !world->failed) {
        if (engine->effect_next == engine->effects.count && !next(world, host)) {
            break;
        }
        if (!host->child.running || host->child.incarnation != incarnation || engine->failed) {
            return;
        }
        turns++;
        while (engine->effect_next < engine->effects.count && engine->block == 0) {
            (void)engine_perform(world, host, &engine->effects.items[engine->effect_next++]);
            if (!host->child.running || host->child.incarnation != incarnation || engine->failed) {
                return;
            }
        }
        checker_step(world);
    }
    if (turns == 200) {
        engine_kick(world, host);
    }
    engine_arm(world, host);
}

void engine_kick(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    uint64_t delay_us = prng_range(&world->prng, 3, 60);

    if (engine->r_due || engine->block != 0 || !engine->open || engine->failed) {
        return;
    }
    if (fault_strikes(world, FAULT_BUSY, 60)) {
        delay_us = prng_range(&world->prng, 1, 150) * MS_US;
    }
    engine->r_due = true;
    world_at(world, delay_us,
             (struct event){.fn = r_turn, .process = child_process(host), .host = host->index});
}

void engine_news(struct world *world, struct host *host)
{
    host->child.engine.news = true;
    engine_kick(world, host);
}

void engine_block(struct world *world, struct host *host, uint64_t delay_us, event_fn *fn)
{
    struct engine *engine = &host->child.engine;

    ASSERT(engine->block == 0);
    engine->block = ++engine->block_count;
    world_at(world, delay_us,
             (struct event){.fn = fn, .process = child_process(host), .host = host->index});
}

void engine_unblock(struct world *world, struct host *host)
{
    host->child.engine.block = 0;
    engine_kick(world, host);
}

static void on_timer(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct engine *engine = &host->child.engine;
    struct input tick = {.type = REPLICA_EVENT_TICK};

    if (!engine->open || event->a != engine->timer) {
        return;
    }
    if (engine->block != 0) {
        return; /* armed again when the call has ended */
    }
    if (clock_boot(world, host) >= replica_deadline_ms(engine->core)) {
        engine_input(world, host, &tick);
    } else {
        engine_arm(world, host);
    }
}

void engine_arm(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    uint64_t deadline_ms;

    if (!engine->open || engine->failed) {
        return;
    }
    deadline_ms = replica_deadline_ms(engine->core);
    engine->timer++;
    if (deadline_ms != UINT64_MAX) {
        world_at(world, clock_until(world, host, deadline_ms) + prng_below(&world->prng, 1500),
                 (struct event){.fn = on_timer,
                                .process = child_process(host),
                                .host = host->index,
                                .a = engine->timer});
    }
}
