/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.c: the thread that folds committed changes into LMDB, keeps the next WAL segment
 * ready and watches the room on the disk.
 * Owns when a frozen table may be folded (its last record is committed) and what the trimming of
 * the log may rely on (only a fold that is synced).
 * Never runs in the path of a commit: all the slow work of the disk is here. */
#include "storage/engine.h"

#include "base/assert.h"
#include "base/clock.h"
#include "storage/disk.h"
#include "storage/mutant.h"

#include <inttypes.h>

enum err_code engine_fold(struct storage *storage,
                          const struct memtable *table,
                          const struct record_position *position,
                          struct err *err)
{
    size_t count = memtable_count(table);
    enum err_code rc = store_fold_begin(storage->store, err);

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        struct change change;

        memtable_at(table, i, &change);
        rc = store_fold_change(storage->store, &change, err);
    }
    if (rc == ERR_OK) {
        rc = store_fold_commit(storage->store, position, err);
    } else {
        store_fold_abort(storage->store);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "checkpoint at LSN %" PRIu64, position->lsn);
}

static uint64_t oldest_pin(struct storage *storage)
{
    uint64_t oldest = 0;

    engine_lock(storage);
    for (size_t i = 0; i < STORAGE_SNAPSHOT_COUNT_MAX; i++) {
        uint64_t pin = storage->pins[i];

        oldest = pin != 0 && (oldest == 0 || pin < oldest) ? pin : oldest;
    }
    engine_unlock(storage);
    return oldest;
}

enum err_code engine_measure(struct storage *storage, struct err *err)
{
    const struct disk *disk = storage->options.disk;
    uint64_t free_size;
    uint64_t used_size;
    uint64_t pinned = oldest_pin(storage);
    enum err_code rc = disk->free_size(disk->arg, storage->options.dir, &free_size, err);

    if (rc == ERR_OK) {
        rc = store_used_size(storage->store, pinned, &used_size, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    engine_lock(storage);
    storage->disk_free_size = free_size;
    storage->map_used_size = used_size;
    engine_unlock(storage);
    return ERR_OK;
}

/* The frozen table belongs to this thread until FROZEN_DONE. */
static enum err_code fold_frozen(struct storage *storage, struct err *err)
{
    struct record_position position = storage->frozen_position;
    enum err_code rc;

    engine_unlock(storage);
    rc = engine_fold(storage, storage->frozen, &position, err);
    if (rc == ERR_OK) {
        rc = engine_measure(storage, err);
    }
    engine_lock(storage);
    if (rc == ERR_OK) {
        storage->frozen_state = FROZEN_DONE;
        storage->folded = position;
        storage->lsn_applied = position.lsn;
        storage->applied_wall_ms = position.wall_ms;
        storage->checkpoint_count++;
        storage->wal_blocked = false;
        storage->wakes.writer = true;
    }
    return rc;
}

static enum err_code prepare_segment(struct storage *storage, struct err *err)
{
    uint64_t lsn_trim = storage->lsn_applied;
    enum err_code rc;

    storage->preparing = true;
    engine_unlock(storage);
    rc = wal_prepare(storage->wal, lsn_trim, err);
    engine_lock(storage);
    storage->preparing = false;
    (void)pthread_cond_signal(&storage->quiet_wake); /* a signal cannot fail */
    if (storage->room_wanted) {
        engine_wake_link(storage);
    }
    if (rc == ERR_UNAVAILABLE) {
        /* The log's budget is full of records that only a checkpoint sets free. */
        storage->wal_blocked = true;
        storage->flush = true;
        rc = ERR_OK;
    }
    storage->wakes.writer = true;
    return rc;
}

static enum err_code measure_locked(struct storage *storage, struct err *err)
{
    enum err_code rc;

    engine_unlock(storage);
    rc = engine_measure(storage, err);
    engine_lock(storage);
    return rc;
}

/* While closing only for jobs that still wait: they may need it. */
static bool wants_segment(const struct storage *storage)
{
    return (!storage->closing || storage->evaluated < storage->enqueued) && !storage->wal_blocked &&
           !storage->cutting && wal_wants_segment(storage->wal);
}

/* One piece of work, the most urgent first; false when there is none. Lock held. */
static bool work(struct storage *storage, uint64_t *measured_ms, enum err_code *rc, struct err *err)
{
    uint64_t now_ms = clock_boot_ms(storage->options.clock);

    if (storage->frozen_state == FROZEN_WAITING &&
        (engine_commit_lsn(storage) >= storage->frozen_position.lsn ||
         MUTANT(fold_before_commit))) {
        *rc = fold_frozen(storage, err);
        *measured_ms = now_ms;
        return true;
    }
    if (wants_segment(storage)) {
        *rc = prepare_segment(storage, err);
        return true;
    }
    if (now_ms - *measured_ms >= STORAGE_DISK_CHECK_MS) {
        *rc = measure_locked(storage, err);
        *measured_ms = now_ms;
        return true;
    }
    return false;
}

void *checkpointer_main(void *arg)
{
    struct storage *storage = arg;
    uint64_t measured_ms = clock_boot_ms(storage->options.clock);

    engine_lock(storage);
    while (!storage->failed) {
        struct err failure = ERR_INIT;
        enum err_code rc = ERR_OK;
        bool worked;

        engine_turn(storage, ENGINE_CHECKPOINTER);
        worked = work(storage, &measured_ms, &rc, &failure);

        if (rc != ERR_OK) {
            engine_unlock(storage);
            engine_fail(storage, &failure);
            engine_lock(storage);
        } else if (!worked && storage->writer_done) {
            break;
        } else if (!worked) {
            engine_wait(storage, &storage->checkpointer_wake, STORAGE_TURN_MS);
        }
    }
    engine_unlock(storage);
    return NULL;
}
