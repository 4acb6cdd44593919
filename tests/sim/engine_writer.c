/* SPDX-License-Identifier: Apache-2.0 */
/* engine_writer.c: the simulated storage's writer, syncer and checkpointer.
 * Owns the speculative state, batches and records, what is durable, committed, applied, answered.
 * Never answers before the record is committed and, where the answer changes nothing, an echo has
 * come; never folds what is not committed. */
#include "tests/sim/sim.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define BATCH_JOB_COUNT 4U

static void checkpoint_start(struct world *world, struct host *host);

/* ---- commit ---- */

uint64_t engine_commit_lsn(const struct engine *engine)
{
    uint64_t lsn = engine->role == REPLICA_PRIMARY ? isr_commit(&engine->isr) : 0;

    return lsn > engine->lsn_commit ? lsn : engine->lsn_commit;
}

void engine_local(struct host *host, struct replica_local *ret_local)
{
    const struct engine *engine = &host->child.engine;
    const struct kept *kept = &engine->kept[engine->lsn_durable % KEPT_COUNT];

    ret_local->last = engine->last;
    ret_local->applied = engine->applied;
    ret_local->lsn_commit = engine_commit_lsn(engine);
    ret_local->sync_slow = host->disk_slow_us > 200 * MS_US;
    if (engine->lsn_durable == engine->last.lsn) {
        ret_local->durable = engine->last;
    } else if (engine->lsn_durable == engine->applied.lsn) {
        ret_local->durable = engine->applied;
    } else {
        ASSERT(kept->position.lsn == engine->lsn_durable);
        ret_local->durable = kept->position;
    }
}

/* Folds what is committed and durable here. */
static void apply(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    uint64_t lsn = engine_commit_lsn(engine);

    lsn = lsn < engine->lsn_durable ? lsn : engine->lsn_durable;
    while (engine->applied.lsn < lsn) {
        const struct kept *kept = &engine->kept[(engine->applied.lsn + 1) % KEPT_COUNT];

        ASSERT(kept->position.lsn == engine->applied.lsn + 1);
        if (!state_fold(&engine->state, span_of(kept->changes, kept->size))) {
            check_fail(world, "15 fold", "host %u: bad changes", host->number);
            return;
        }
        engine->applied = kept->position;
        checker_applied(world, host->number, &kept->position, engine->state.hash);
    }
}

static bool can_append(struct engine *engine)
{
    return wal_has_room(engine->wal) && engine->last.lsn - engine->lsn_durable < 4 &&
           engine->last.lsn - isr_commit(&engine->isr) < STORAGE_WINDOW_COUNT &&
           engine->last.lsn - engine->checkpoint_lsn < KEPT_COUNT - 16 && !engine->drained;
}

static bool releasable(const struct engine *engine, const struct job *job, uint64_t lsn_commit)
{
    return job->evaluated && job->lsn_wait <= lsn_commit &&
           (job->ping_wait == 0 || !engine->required || engine->echoed >= job->ping_wait);
}

void engine_release(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    uint64_t lsn_commit = engine_commit_lsn(engine);
    uint32_t kept = 0;

    if (engine->role == REPLICA_PRIMARY && lsn_commit > engine->lsn_commit) {
        engine->lsn_commit = lsn_commit;
        checker_committed(world, host->number, engine);
        engine_news(world, host);
    }
    apply(world, host);
    if (engine->applied.lsn - engine->checkpoint_lsn > KEPT_COUNT / 2) {
        checkpoint_start(world, host);
    }
    for (uint32_t i = 0; i < engine->job_count; i++) {
        if (releasable(engine, &engine->jobs[i], lsn_commit)) {
            app_answered(world, host, &engine->jobs[i].answer);
        } else {
            engine->jobs[kept++] = engine->jobs[i];
        }
    }
    engine->job_count = kept;
    for (uint32_t i = 0; i < kept; i++) {
        if (!engine->jobs[i].evaluated && can_append(engine)) {
            engine_writer(world, host);
            break;
        }
    }
    app_drain_step(world, host);
}

/* ---- the sync ---- */

uint64_t engine_sync_us(struct world *world, struct host *host)
{
    return prng_range(&world->prng, 80, 1200) + host->disk_slow_us +
           (prng_once_in(&world->prng, 200) ? 20 * MS_US : 0);
}

static void synced(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct engine *engine = &host->child.engine;

    if (!engine->open || engine->failed) {
        return;
    }
    engine->syncing = false;
    engine->lsn_durable = event->a > engine->lsn_durable ? event->a : engine->lsn_durable;
    if (engine->role == REPLICA_PRIMARY) {
        err_ignore(isr_acknowledge(&engine->isr, 0, event->a, NULL)); /* host 0 is a member */
    }
    engine_release(world, host);
    engine_writer(world, host);
    engine_news(world, host);
    engine_sync(world, host);
}

/* The medium has it, whatever became of the process. */
static void landed(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];

    if ((uint32_t)event->b == host->power_life) {
        vault_complete(&host->vault, event->a);
    }
}

static void sync_lands(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct engine *engine = &host->child.engine;

    if (engine->open) {
        checker_durable(world, host->number, event->a);
    }
}

static void sync_fails(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct engine *engine = &host->child.engine;
    struct err err = ERR_INIT;

    if (!engine->open || engine->failed) {
        return;
    }
    host->vault.fail_sync = true;
    ASSERT(wal_sync(engine->wal, &err) != ERR_OK);
    host->vault.fail_sync = false;
    world->totals.sync_failures++;
    engine->sync_failed = true;
    checker_sync_failed(world, host->number);
    engine_fail(world, host, "fsync failed");
}

void engine_sync(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    uint64_t delay_us = engine_sync_us(world, host);
    struct err err = ERR_INIT;

    if (engine->syncing || !engine->open || engine->failed ||
        engine->lsn_durable == engine->last.lsn) {
        return;
    }
    engine->syncing = true;
    engine->sync_lsn = engine->last.lsn;
    if (host->disk_bad || fault_strikes(world, FAULT_DISK_SYNC, 300)) {
        host->disk_bad = false;
        world_at(
            world, delay_us,
            (struct event){.fn = sync_fails, .process = child_process(host), .host = host->index});
        return;
    }
    host->vault.defer_ticket = ++host->disk_tickets;
    ASSERT(wal_sync(engine->wal, &err) == ERR_OK);
    host->vault.defer_ticket = 0;
    world_at(world, delay_us,
             (struct event){.fn = landed,
                            .process = PROCESS_WORLD,
                            .host = host->index,
                            .a = host->disk_tickets,
                            .b = host->power_life});
    /* The checker learns of it at the same moment, the process a little later. */
    world_at(world, delay_us,
             (struct event){.fn = sync_lands,
                            .process = child_process(host),
                            .host = host->index,
                            .a = engine->sync_lsn});
    world_at(world, delay_us + prng_range(&world->prng, 1, 50),
             (struct event){.fn = synced,
                            .process = child_process(host),
                            .host = host->index,
                            .a = engine->sync_lsn});
}

/* ---- checkpoint ---- */

bool engine_wal_prepare(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    struct err err = ERR_INIT;
    enum err_code rc;

    if (!wal_wants_segment(engine->wal)) {
        return true;
    }
    engine_maybe_crash(world, host);
    rc = wal_prepare(engine->wal, engine->checkpoint_lsn + 1, &err);
    if (engine_crashed(world, host)) {
        return false;
    }
    if (rc != ERR_OK && rc != ERR_UNAVAILABLE) {
        engine_fail(world, host, err.message);
        return false;
    }
    engine->wal_blocked = rc == ERR_UNAVAILABLE;
    return rc == ERR_OK;
}

static void checkpoint_process(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct engine *engine = &host->child.engine;

    if (!engine->open || engine->failed) {
        return;
    }
    engine->checkpointing = false;
    engine->checkpoint_lsn = event->a;
    if (fault_strikes(world, FAULT_SMALL_LOG, 3)) {
        engine->lsn_trimmed = event->a;
    }
    free(engine->checkpoint_state);
    engine->checkpoint_state = NULL;
    if (engine_wal_prepare(world, host)) {
        engine_writer(world, host);
    }
}

struct fold {
    struct record_position position;
    struct state state;
    uint8_t store_id[STORAGE_ID_SIZE];
};

/* LMDB has committed: the kernel's doing, whatever became of the process. */
static void checkpoint_lands(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    const struct fold *fold = event->data;

    if ((uint32_t)event->b == host->power_life && host->child.incarnation == event->a &&
        host->child.running && memcmp(fold->store_id, host->store.store_id, STORAGE_ID_SIZE) == 0) {
        host->store.applied = fold->position;
        host->store.state = fold->state;
    }
}

static void checkpoint_start(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    uint64_t delay_us = 2 * engine_sync_us(world, host);
    struct fold *fold;

    if (engine->checkpointing || engine->applied.lsn == engine->checkpoint_lsn) {
        return;
    }
    fold = malloc(sizeof *fold);
    ASSERT(fold != NULL);
    fold->position = engine->applied;
    fold->state = engine->state;
    memcpy(fold->store_id, engine->store_id, STORAGE_ID_SIZE);
    engine->checkpointing = true;
    world_at(world, delay_us,
             (struct event){.fn = checkpoint_lands,
                            .process = PROCESS_WORLD,
                            .host = host->index,
                            .a = host->child.incarnation,
                            .b = host->power_life,
                            .data = fold,
                            .size = sizeof *fold});
    world_at(world, delay_us + 10,
             (struct event){.fn = checkpoint_process,
                            .process = child_process(host),
                            .host = host->index,
                            .a = engine->applied.lsn});
}

static void checkpoint_timer(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];

    if (host->child.engine.open && !host->child.engine.failed) {
        checkpoint_start(world, host);
        engine_checkpoint(world, host);
    }
}

void engine_checkpoint(struct world *world, struct host *host)
{
    world_at(world, world->checkpoint_ms * MS_US + prng_below(&world->prng, 20 * MS_US),
             (struct event){
                 .fn = checkpoint_timer, .process = child_process(host), .host = host->index});
}

/* ---- the writer ---- */

static bool append(struct world *world,
                   struct host *host,
                   enum record_kind kind,
                   const uint8_t *changes,
                   size_t size)
{
    struct engine *engine = &host->child.engine;
    uint64_t wall_ms = clock_wall(world, host);
    struct wal_append append = {.kind = kind,
                                .payload_size = size,
                                .epoch = engine->epoch,
                                .wall_ms =
                                    wall_ms > engine->last.wall_ms ? wall_ms : engine->last.wall_ms,
                                .lsn_durable = engine->lsn_durable};
    struct record_position position;
    struct kept *kept;
    struct err err = ERR_INIT;

    memcpy(wal_payload(engine->wal), changes, size);
    if (wal_append(engine->wal, &append, &position, &err) != ERR_OK) {
        engine_fail(world, host, err.message);
        return false;
    }
    kept = &engine->kept[position.lsn % KEPT_COUNT];
    kept->position = position;
    kept->size = (uint16_t)size;
    memcpy(kept->changes, changes, size);
    engine->last = position;
    isr_append(&engine->isr, position.lsn);
    world->totals.records++;
    checker_append(world, host->number, &position, true);
    engine_news(world, host);
    return true;
}

/* From idle or standby: the rest of the log becomes speculative state. */
static void become_primary(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;

    engine->lsn_commit = engine->applied.lsn;
    isr_begin(&engine->isr, &(struct isr_start){.lsn_last = engine->last.lsn,
                                                .lsn_durable = engine->lsn_durable,
                                                .lsn_commit = engine->applied.lsn});
    if (engine->required) {
        err_ignore(isr_add_behind(&engine->isr, 1, NULL)); /* it is not a member yet */
    }
    engine->spec = engine->state;
    for (uint64_t lsn = engine->applied.lsn + 1; lsn <= engine->last.lsn; lsn++) {
        const struct kept *kept = &engine->kept[lsn % KEPT_COUNT];

        ASSERT(kept->position.lsn == lsn);
        ASSERT(state_fold(&engine->spec, span_of(kept->changes, kept->size)));
    }
    engine->role = REPLICA_PRIMARY;
    engine->epoch_first = engine->last.lsn + 1;
    TRACE(world, "host %u: becomes primary of epoch %llu at LSN %llu", host->number,
          (unsigned long long)engine->epoch_wanted, (unsigned long long)engine->epoch_first);
}

static bool begin_epoch(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    uint64_t epoch = engine->epoch_wanted;

    checker_begin(world, host->number, epoch);
    if (engine->role != REPLICA_PRIMARY) {
        become_primary(world, host);
    }
    engine->epoch = epoch;
    engine->epoch_wanted = 0;
    if (!append(world, host, RECORD_KIND_EPOCH, (const uint8_t *)"", 0)) {
        return false;
    }
    engine->epoch_begun = epoch;
    return true;
}

static void writer_turn(struct world *world, struct event *event);

static bool run_jobs(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    uint8_t changes[STATE_CHANGES_SIZE_MAX];
    size_t size = 0;
    uint32_t done = 0;

    for (uint32_t i = 0; i < engine->job_count && done < BATCH_JOB_COUNT; i++) {
        struct job *job = &engine->jobs[i];

        if (!job->evaluated) {
            size += job_run(&engine->spec, job, engine->last.lsn + 1, changes + size);
            job->lsn_wait = engine->last.lsn + (size > 0 ? 1 : 0);
            job->evaluated = true;
            done++;
            if (job->ping_wait != 0) { /* it changed nothing: a strong read */
                job->ping_wait = engine->required ? engine->pinged + 1 : 0;
                engine->echo_wanted =
                    job->ping_wait > engine->echo_wanted ? job->ping_wait : engine->echo_wanted;
            }
        }
    }
    return size == 0 || append(world, host, RECORD_KIND_CHANGES, changes, size);
}

static void writer_turn(struct world *world, struct event *event)
{
    struct host *host = &world->hosts[event->host];
    struct engine *engine = &host->child.engine;

    engine->writer_due = false;
    if (!engine->open || engine->failed) {
        return;
    }
    if (engine->role != REPLICA_PRIMARY && engine->epoch_wanted == 0) {
        apply(world, host);
        if (engine->applied.lsn - engine->checkpoint_lsn > KEPT_COUNT / 2) {
            checkpoint_start(world, host);
        }
        engine_news(world, host);
        return;
    }
    if (!wal_has_room(engine->wal)) {
        checkpoint_start(world, host);
        if (!engine_wal_prepare(world, host)) {
            if (host->child.running) {
                engine_writer(world, host);
            }
            return;
        }
    }
    if (engine->epoch_wanted != 0 && !begin_epoch(world, host)) {
        return;
    }
    if (can_append(engine) && !run_jobs(world, host)) {
        return;
    }
    engine_release(world, host);
    engine_sync(world, host);
    engine_news(world, host);
}

void engine_writer(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;
    uint64_t delay_us = prng_range(&world->prng, 5, 150);

    if (engine->writer_due || !engine->open || engine->failed) {
        return;
    }
    delay_us += fault_strikes(world, FAULT_BUSY, 60) ? 100 * MS_US : 0;
    delay_us += wal_has_room(engine->wal) ? 0 : 2 * MS_US;
    engine->writer_due = true;
    world_at(
        world, delay_us,
        (struct event){.fn = writer_turn, .process = child_process(host), .host = host->index});
}

bool engine_job(struct world *world, struct host *host, const struct request *request)
{
    struct engine *engine = &host->child.engine;

    if (engine->role != REPLICA_PRIMARY || engine->job_count == JOB_COUNT_MAX) {
        return false;
    }
    engine->jobs[engine->job_count++] =
        (struct job){.request = *request, .answer.request = *request};
    engine_writer(world, host);
    return true;
}

void engine_step_down(struct world *world, struct host *host)
{
    struct engine *engine = &host->child.engine;

    TRACE(world, "host %u: steps down", host->number);
    world->totals.handovers_done++;
    /* Jobs that came behind RESUME's command and before R had it were not evaluated. */
    for (uint32_t i = 0; i < engine->job_count; i++) {
        if (!engine->jobs[i].evaluated) {
            app_refuse_job(world, &engine->jobs[i].request);
            engine->jobs[i--] = engine->jobs[--engine->job_count];
        }
    }
    engine->drained = false;
    if (engine->job_count > 0 || engine_commit_lsn(engine) != engine->last.lsn) {
        check_fail(world, "K step down", "host %u: %u jobs, commit %llu of %llu", host->number,
                   engine->job_count, (unsigned long long)engine_commit_lsn(engine),
                   (unsigned long long)engine->last.lsn);
        return;
    }
    apply(world, host);
    engine->lsn_commit = engine->last.lsn;
    engine->role = REPLICA_STANDBY;
    engine->required = false;
    engine->epoch = 0;
    app_refuse(world, host);
}
