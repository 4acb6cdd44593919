/* SPDX-License-Identifier: Apache-2.0 */
/* apply.c: records of the log become part of the speculative state, and a host begins to lead.
 * Owns how far the writer may apply: what is committed and durable here, nothing else.
 * Never applies half a record, never evaluates a job. */
#include "base/assert.h"
#include "base/clock.h"
#include "storage/engine.h"
#include "storage/mutant.h"

#include <inttypes.h>
#include <string.h>

enum err_code engine_count_changes(struct span payload, size_t *ret_count, struct err *err)
{
    enum err_code rc = ERR_OK;
    size_t count = 0;

    for (; rc == ERR_OK && payload.size > 0; count++) {
        struct change change;

        rc = change_decode(&payload, &change, err);
    }
    *ret_count = count;
    return rc;
}

enum err_code engine_apply(struct storage *storage, struct span payload, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && payload.size > 0) {
        struct change change;

        rc = change_decode(&payload, &change, err);
        if (rc == ERR_OK && !memtable_fits(storage->active, 1, 0)) {
            rc = err_set(err, ERR_CORRUPT, "more changes than a record can hold");
        }
        if (rc == ERR_OK) {
            memtable_set(storage->active, &change);
        }
    }
    return rc;
}

static uint64_t apply_limit(const struct storage *storage)
{
    uint64_t commit = engine_commit_lsn(storage);

    return MUTANT(apply_uncommitted) ? storage->durable.lsn : commit;
}

bool engine_can_apply(const struct storage *storage)
{
    /* The active table may be full: then it has to be frozen first. */
    return storage->tip.lsn < apply_limit(storage) && !storage->cutting && !storage->failed &&
           !(storage->flush && memtable_count(storage->active) > 0);
}

void engine_wake_writer(struct storage *storage)
{
    uint64_t limit = apply_limit(storage);
    uint64_t count = limit > storage->tip.lsn ? limit - storage->tip.lsn : 0;

    /* A standby applies in passing: a few records wait for the writer's next turn, so that they do
     * not stand in the way of the next sync. */
    if (storage->role == REPLICA_PRIMARY || storage->epoch_wanted != 0 || storage->closing ||
        count >= STORAGE_APPLY_COUNT_MAX) {
        storage->wakes.writer = storage->wakes.writer || count > 0 || storage->closing ||
                                storage->evaluated < storage->enqueued;
    }
}

/* *ret_full: the record needs an empty table first. */
static enum err_code apply_record(struct storage *storage,
                                  const struct wal_entry *entry,
                                  bool *ret_full,
                                  struct err *err)
{
    struct span payload = entry->record.payload;
    size_t count = 0;
    enum err_code rc = engine_count_changes(payload, &count, err);

    if (rc != ERR_OK) {
        return rc;
    }
    *ret_full = memtable_count(storage->active) > 0 &&
                (memtable_count(storage->active) >= MEMTABLE_COUNT_SOFT ||
                 memtable_size(storage->active) >= MEMTABLE_SIZE_SOFT ||
                 !memtable_fits(storage->active, count, payload.size));
    if (*ret_full) {
        return ERR_OK;
    }
    if (memtable_count(storage->active) == 0) {
        storage->active_since_ms = clock_boot_ms(storage->options.clock);
    }
    return engine_apply(storage, payload, err);
}

static enum err_code apply_range(struct storage *storage,
                                 uint64_t limit,
                                 struct record_position *tip,
                                 bool *ret_full,
                                 struct err *err)
{
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0;
         rc == ERR_OK && !*ret_full && i < STORAGE_APPLY_COUNT_MAX && tip->lsn < limit; i++) {
        struct wal_entry entry;

        rc = wal_reader_read(storage->apply_reader, tip->lsn + 1, &entry, err);
        if (rc == ERR_OK) {
            rc = apply_record(storage, &entry, ret_full, err);
        }
        if (rc == ERR_OK && !*ret_full) {
            *tip = entry.position;
        }
    }
    return rc;
}

void engine_apply_some(struct storage *storage)
{
    uint64_t limit = apply_limit(storage);
    struct record_position tip = storage->tip;
    struct err failure = ERR_INIT;
    bool full = false;
    enum err_code rc;

    storage->applying = true;
    engine_unlock(storage);
    rc = apply_range(storage, limit, &tip, &full, &failure);
    if (rc != ERR_OK) {
        err_ignore(err_wrap(&failure, rc, "apply record %" PRIu64, tip.lsn + 1));
        engine_fail(storage, &failure);
    }
    engine_lock(storage);
    storage->applying = false;
    storage->tip = tip;
    storage->flush = storage->flush || full;
    (void)pthread_cond_signal(&storage->quiet_wake); /* a signal cannot fail */
    engine_wake_link(storage);
}

/* The tail is now this host's own, and is committed with the start record. */
static void take_lead(struct storage *storage, uint64_t lsn_start)
{
    struct isr_start start = {.lsn_last = storage->last.lsn,
                              .lsn_durable = storage->durable.lsn,
                              .lsn_commit = engine_commit_lsn(storage)};

    isr_begin(&storage->isr, &start);
    if (storage->peer_required) {
        enum err_code rc = isr_add_behind(&storage->isr, 1, NULL);

        ASSERT(rc == ERR_OK);
    }
    storage->role = REPLICA_PRIMARY;
    storage->lsn_start = lsn_start;
}

void engine_begin_wanted(struct storage *storage)
{
    uint64_t wall_ms = clock_wall_ms(storage->options.clock);
    struct wal_append append = {.kind = RECORD_KIND_EPOCH,
                                .epoch = storage->epoch_wanted,
                                .wall_ms = storage->last.wall_ms,
                                .lsn_durable = storage->durable.lsn};
    struct record_position position;
    struct err failure = ERR_INIT;
    enum err_code rc;

    append.wall_ms = wall_ms > append.wall_ms ? wall_ms : append.wall_ms;
    engine_unlock(storage);
    rc = wal_append(storage->wal, &append, &position, &failure);
    if (rc != ERR_OK) {
        engine_fail(storage, &failure);
    }
    engine_lock(storage);
    if (rc != ERR_OK || storage->failed) {
        return;
    }
    if (storage->role != REPLICA_PRIMARY) {
        take_lead(storage, position.lsn);
    }
    engine_appended(storage, &position);
    isr_append(&storage->isr, position.lsn);
    if (storage->tip.lsn + 1 == position.lsn) {
        storage->tip = position; /* it changes nothing */
        if (memtable_count(storage->active) == 0) {
            storage->active_since_ms = clock_boot_ms(storage->options.clock);
        }
    }
    storage->epoch = append.epoch;
    storage->epoch_begun = append.epoch;
    storage->epoch_wanted = storage->epoch_wanted == append.epoch ? 0 : storage->epoch_wanted;
    if (!storage->syncing) {
        engine_sync(storage);
    }
}
