/* SPDX-License-Identifier: Apache-2.0 */
/* writer.c: the thread that evaluates jobs on the speculative state and appends their changes.
 * Owns the layers of that state (active, frozen, the view of LMDB), batches, and the order of
 * everything. Never waits for LMDB's commit, and for a sync only when there is nothing else to do.
 * After a fatal error it is the one that answers all jobs: only it knows that none is running. */
#include "storage/engine.h"

#include "base/assert.h"
#include "base/clock.h"
#include "storage/disk.h"

#include <stdio.h>

struct batch {
    uint64_t first; /* job */
    uint64_t end;   /* the first job that is not in it */
    size_t payload_size;
    uint64_t wall_ms;
    struct record_position last; /* before the batch */
};

static struct job *job_at(struct storage *storage, uint64_t number)
{
    return &storage->jobs[number % storage->options.queue_count_max];
}

static bool fits_job(const struct memtable *table)
{
    return memtable_fits(table, STORAGE_JOB_COUNT_MAX, STORAGE_JOB_SIZE_MAX);
}

/* The job's changes become part of the speculative state: all or none. */
static void take_changes(struct storage *storage)
{
    size_t count = memtable_count(storage->changes);

    if (memtable_count(storage->active) == 0 && count > 0) {
        storage->active_since_ms = clock_boot_ms(storage->options.clock);
    }
    for (size_t i = 0; i < count; i++) {
        struct change change;

        memtable_at(storage->changes, i, &change);
        memtable_set(storage->active, &change);
    }
}

static enum err_code
run_job(struct storage *storage, struct batch *batch, struct job *job, struct err *err)
{
    uint64_t lsn_seen = batch->last.lsn + (batch->payload_size > 0 ? 1 : 0);
    struct storage_txn txn = {
        .view = storage->view,
        .frozen = storage->frozen,
        .active = storage->active,
        .changes = job->kind == JOB_READ ? NULL : storage->changes,
        .payload = wal_payload(storage->wal),
        .payload_start = batch->payload_size,
        .payload_size = batch->payload_size,
        .wall_ms = batch->wall_ms,
        .lsn = job->kind == JOB_READ ? lsn_seen : batch->last.lsn + 1,
    };

    memtable_clear(storage->changes, false);
    job->err.code = ERR_OK;
    job->err.message[0] = '\0';
    job->rc = job->fn(&txn, job->arg, &job->err);
    if (txn.broken) {
        *err = txn.failure;
        return txn.failure.code;
    }
    if (job->rc == ERR_OK) {
        take_changes(storage);
        /* A job that changed nothing is a read; its record needs no echo. */
        job->echo_wait = txn.payload_size > batch->payload_size ? 0 : job->echo_wait;
        batch->payload_size = txn.payload_size;
    }
    job->lsn_wait = batch->last.lsn + (batch->payload_size > 0 ? 1 : 0);
    return ERR_OK;
}

/* Runs jobs from batch->first on; sets batch->end. */
static enum err_code run_batch(struct storage *storage, struct batch *batch, struct err *err)
{
    uint64_t end = batch->end;
    enum err_code rc = ERR_OK;

    batch->end = batch->first;
    while (rc == ERR_OK && batch->end < end && batch->payload_size < STORAGE_BATCH_SIZE &&
           fits_job(storage->active)) {
        rc = run_job(storage, batch, job_at(storage, batch->end), err);
        batch->end++;
    }
    return rc;
}

static enum err_code append_batch(struct storage *storage,
                                  const struct batch *batch,
                                  uint64_t lsn_durable,
                                  struct record_position *ret_position,
                                  struct err *err)
{
    struct wal_append append = {.kind = RECORD_KIND_CHANGES,
                                .payload_size = batch->payload_size,
                                .epoch = storage->epoch,
                                .wall_ms = batch->wall_ms,
                                .lsn_durable = lsn_durable};

    *ret_position = batch->last;
    return batch->payload_size == 0 ? ERR_OK : wal_append(storage->wal, &append, ret_position, err);
}

/* What a batch changed becomes visible to the other threads. Lock held. */
static void
publish(struct storage *storage, const struct batch *batch, const struct record_position *position)
{
    storage->evaluated = batch->end;
    if (position->lsn > storage->last.lsn) {
        engine_appended(storage, position);
        storage->tip = *position;
        isr_append(&storage->isr, position->lsn);
    }
    engine_release(storage);
}

/* With a single job and nothing else to do, the writer syncs itself and saves a hop between
 * threads; otherwise it goes on while the syncer does. A standby's disk answers later than this
 * one anyway: then the hop costs nothing, and the next job need not wait. Lock held. */
static void start_sync(struct storage *storage, uint64_t job_count)
{
    bool lone = job_count == 1 && storage->enqueued == storage->evaluated;

    if (storage->durable.lsn == storage->last.lsn || storage->failed) {
        return;
    }
    if (!storage->syncing && lone && !storage->peer_required) {
        engine_sync(storage);
    } else if (!storage->syncing) {
        storage->wakes.syncer = true;
    }
}

/* Lock held, dropped meanwhile. */
static void do_batch(struct storage *storage)
{
    uint64_t lsn_durable = storage->durable.lsn;
    uint64_t wall_ms = clock_wall_ms(storage->options.clock);
    struct batch batch = {.first = storage->evaluated,
                          .end = storage->started,
                          .last = storage->last,
                          .wall_ms = storage->last.wall_ms};
    struct record_position position;
    struct err failure = ERR_INIT;
    enum err_code rc;

    if (batch.end - batch.first > STORAGE_BATCH_COUNT_MAX) {
        batch.end = batch.first + STORAGE_BATCH_COUNT_MAX;
    }
    batch.wall_ms = wall_ms > batch.wall_ms ? wall_ms : batch.wall_ms;
    engine_unlock(storage);
    rc = run_batch(storage, &batch, &failure);
    if (rc == ERR_OK) {
        rc = append_batch(storage, &batch, lsn_durable, &position, &failure);
    }
    if (rc != ERR_OK) {
        engine_fail(storage, &failure);
    }
    engine_lock(storage);
    if (rc == ERR_OK && !storage->failed) {
        publish(storage, &batch, &position);
        start_sync(storage, batch.end - batch.first);
    }
}

/* The frozen table is in LMDB: first the view moves there, then the table goes, so that no reader
 * of the layers ever misses it. Memory goes back once nothing has come meanwhile: under load the
 * kernel would have to fill the same pages anew for each table. Lock held, dropped meanwhile. */
static void drop_frozen(struct storage *storage)
{
    bool idle = storage->enqueued == storage->evaluated && memtable_count(storage->active) == 0;
    struct err failure = ERR_INIT;
    enum err_code rc;

    engine_unlock(storage);
    rc = store_view_renew(storage->view, &failure);
    if (rc == ERR_OK) {
        memtable_clear(storage->frozen, idle);
        if (idle) {
            memtable_clear(storage->active, true);
        }
    } else {
        engine_fail(storage, &failure);
    }
    engine_lock(storage);
    storage->frozen_state = FROZEN_NONE;
}

/* The tip is behind records that change nothing (starts of epochs): LMDB is told all the same, so
 * that both hosts come to say the same of it. Lock held. */
static bool is_behind(const struct storage *storage)
{
    return storage->paired && storage->tip.lsn > storage->folded.lsn &&
           storage->tip.lsn <= engine_commit_lsn(storage);
}

/* Lock held. */
static bool should_freeze(const struct storage *storage, uint64_t now_ms)
{
    bool old = now_ms - storage->active_since_ms >= storage->options.checkpoint_ms;

    if (storage->frozen_state != FROZEN_NONE) {
        return false;
    }
    if (memtable_count(storage->active) == 0) {
        return old && is_behind(storage);
    }
    return old || storage->flush || memtable_count(storage->active) >= MEMTABLE_COUNT_SOFT ||
           memtable_size(storage->active) >= MEMTABLE_SIZE_SOFT;
}

static void freeze(struct storage *storage)
{
    struct memtable *empty = storage->frozen;

    ASSERT(memtable_count(empty) == 0);
    storage->frozen = storage->active;
    storage->active = empty;
    storage->frozen_position = storage->tip;
    storage->frozen_state = FROZEN_WAITING;
    storage->flush = storage->closing;
    storage->wakes.checkpointer = true;
}

/* A backup waits for this: what it wants is in LMDB, whatever came behind it. Lock held. */
static void note_settled(struct storage *storage)
{
    if (storage->settle_lsn == 0 || storage->settled) {
        return;
    }
    storage->settled =
        storage->lsn_applied >= storage->settle_lsn ||
        (storage->tip.lsn >= storage->settle_lsn && memtable_count(storage->active) == 0 &&
         storage->frozen_state == FROZEN_NONE);
    if (storage->settled) {
        (void)pthread_cond_signal(&storage->settle_wake); /* a signal cannot fail */
    }
}

/* Lock held. Everything a batch needs is there: it can then not stop half-way. */
static bool can_batch(const struct storage *storage)
{
    return storage->evaluated < storage->started && storage->role == REPLICA_PRIMARY &&
           storage->tip.lsn == storage->last.lsn &&
           storage->last.lsn - storage->durable.lsn < STORAGE_UNSYNCED_COUNT_MAX &&
           storage->last.lsn - isr_commit(&storage->isr) < STORAGE_UNCOMMITTED_COUNT_MAX &&
           fits_job(storage->active) && wal_has_room(storage->wal);
}

/* Lock held. The start record of an epoch goes in between two batches. It must not need a segment
 * that only its own commit sets free. */
static bool can_begin(const struct storage *storage)
{
    return storage->epoch_wanted != 0 && wal_has_room_for_start(storage->wal);
}

/* Lock held. */
static bool finished(const struct storage *storage)
{
    return storage->ending && storage->delivered == storage->enqueued &&
           storage->durable.lsn == storage->last.lsn && memtable_count(storage->active) == 0 &&
           storage->frozen_state == FROZEN_NONE;
}

static uint64_t wait_ms(const struct storage *storage, uint64_t now_ms)
{
    uint64_t age_ms = now_ms - storage->active_since_ms;

    uint64_t due_ms = storage->options.checkpoint_ms - age_ms + 1;

    if (memtable_count(storage->active) == 0 || storage->frozen_state != FROZEN_NONE ||
        age_ms > storage->options.checkpoint_ms || due_ms > STORAGE_TURN_MS) {
        return STORAGE_TURN_MS;
    }
    return due_ms;
}

/* Leaves the reason where the admin and the next start find it. The disk may be the very thing
 * that failed, so this is an attempt. */
static void leave_note(struct storage *storage, const struct err *failure)
{
    const struct disk *disk = storage->options.disk;
    char path[STORAGE_PATH_SIZE_MAX];
    char text[ERR_MESSAGE_SIZE + 1];
    int size = snprintf(text, sizeof text, "%s\n", failure->message);
    int file;

    if (size < 0 || disk_path(path, storage->options.dir, STORAGE_FAILED_FILE, NULL) != ERR_OK ||
        disk->open(disk->arg, path, DISK_OPEN_CREATE, &file, NULL) != ERR_OK) {
        return;
    }
    if (disk->write(disk->arg, file, 0, text, (size_t)size, NULL) == ERR_OK) {
        (void)disk->sync(disk->arg, file, NULL); /* an attempt, see above */
    }
    disk->close(disk->arg, file);
}

/* Everybody whose record is not known to be committed gets an honest "unknown". Lock held. */
static void sweep(struct storage *storage)
{
    for (uint64_t i = storage->released; i < storage->enqueued; i++) {
        struct job *job = job_at(storage, i);

        job->rc = err_set(&job->err, ERR_UNKNOWN_FATE, "%s", storage->failure.message);
    }
    storage->started = storage->enqueued;
    storage->evaluated = storage->enqueued;
    if (storage->released < storage->enqueued) {
        storage->released = storage->enqueued;
        storage->wakes.caller = storage->wakes.caller || !storage->event_set;
        storage->event_set = true;
    }
    storage->swept = true;
    (void)pthread_cond_signal(&storage->caller_wake);
}

void *writer_main(void *arg)
{
    struct storage *storage = arg;

    engine_lock(storage);
    while (!storage->failed && !finished(storage)) {
        uint64_t now_ms = clock_boot_ms(storage->options.clock);

        engine_turn(storage, ENGINE_WRITER);
        note_settled(storage);
        if (storage->frozen_state == FROZEN_DONE) {
            drop_frozen(storage);
        } else if (should_freeze(storage, now_ms)) {
            freeze(storage);
        } else if (can_begin(storage)) {
            engine_begin_wanted(storage);
        } else if (engine_can_apply(storage)) {
            engine_apply_some(storage);
        } else if (can_batch(storage)) {
            do_batch(storage);
        } else {
            engine_wait(storage, &storage->writer_wake, wait_ms(storage, now_ms));
        }
    }
    storage->writer_done = true;
    if (storage->failed) {
        struct err failure = storage->failure;

        sweep(storage);
        engine_unlock(storage);
        leave_note(storage, &failure);
        engine_lock(storage);
    }
    (void)pthread_cond_broadcast(&storage->syncer_wake);
    (void)pthread_cond_broadcast(&storage->checkpointer_wake);
    (void)pthread_cond_broadcast(&storage->caller_wake);
    engine_unlock(storage);
    return NULL;
}
