/* SPDX-License-Identifier: Apache-2.0 */
/* start.c: from an open store and an open log to the first role.
 * Owns the start of one host alone (all of the log counts, a new epoch durable in LMDB, then in the
 * log) and of one of two (nothing counts but what is folded: the register decides the rest); and
 * that the second never becomes the first by itself. Never runs beside the threads. */
#include "base/assert.h"
#include "base/clock.h"
#include "storage/disk.h"
#include "storage/engine.h"
#include "storage/restore.h"

#include <inttypes.h>
#include <string.h>

/* The active table goes to LMDB. */
static enum err_code fold_active(struct storage *storage, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (memtable_count(storage->active) > 0) {
        rc = engine_fold(storage, storage->active, &storage->last, err);
    }
    if (rc == ERR_OK && memtable_count(storage->active) > 0) {
        storage->folded = storage->last;
        storage->lsn_applied = storage->last.lsn;
        storage->applied_wall_ms = storage->last.wall_ms;
        memtable_clear(storage->active, true);
    }
    return rc;
}

static enum err_code replay_record(void *arg,
                                   const struct record *record,
                                   const struct record_position *position,
                                   struct err *err)
{
    struct storage *storage = arg;
    size_t count = 0;
    enum err_code rc = engine_count_changes(record->payload, &count, err);

    if (rc == ERR_OK && (memtable_count(storage->active) >= MEMTABLE_COUNT_SOFT ||
                         memtable_size(storage->active) >= MEMTABLE_SIZE_SOFT ||
                         !memtable_fits(storage->active, count, record->payload.size))) {
        rc = fold_active(storage, err);
    }
    if (rc == ERR_OK) {
        rc = engine_apply(storage, record->payload, err);
    }
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "record %" PRIu64, position->lsn);
    }
    storage->last = *position;
    return ERR_OK;
}

/* The log is durable and this host alone decides what is committed: all of it counts. */
static enum err_code replay(struct storage *storage, struct err *err)
{
    enum err_code rc = wal_replay(storage->wal, replay_record, storage, err);

    if (rc == ERR_OK && !wal_has_room(storage->wal)) {
        /* No room for the record that starts the epoch. */
        rc = fold_active(storage, err);
        if (rc == ERR_OK) {
            rc = wal_prepare(storage->wal, storage->lsn_applied, err);
        }
    }
    wal_last(storage->wal, &storage->last);
    return rc;
}

static void keep_hash(struct storage *storage)
{
    storage->hash_first = storage->last.lsn;
    memcpy(storage->hashes[storage->last.lsn % STORAGE_WINDOW_COUNT], storage->last.hash,
           STORAGE_HASH_SIZE);
}

/* The epoch is durable in LMDB, then in the log, before anything else is written under it. */
static enum err_code begin_epoch(struct storage *storage, struct err *err)
{
    uint64_t wall_ms = clock_wall_ms(storage->options.clock);
    struct wal_append append = {.kind = RECORD_KIND_EPOCH, .wall_ms = storage->last.wall_ms};
    struct store_meta meta;
    enum err_code rc;

    store_meta(storage->store, &meta);
    storage->epoch = (meta.epoch > storage->last.epoch ? meta.epoch : storage->last.epoch) + 1;
    rc = store_begin_epoch(storage->store, storage->epoch, storage->last.lsn + 1, err);
    if (rc != ERR_OK) {
        return rc;
    }
    append.epoch = storage->epoch;
    append.wall_ms = wall_ms > append.wall_ms ? wall_ms : append.wall_ms;
    append.lsn_durable = storage->last.lsn;
    rc = wal_append(storage->wal, &append, &storage->last, err);
    if (rc == ERR_OK) {
        rc = wal_sync(storage->wal, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    storage->lsn_start = storage->last.lsn;
    storage->durable = storage->last;
    storage->tip = storage->last;
    isr_init(&storage->isr, storage->last.lsn);
    keep_hash(storage);
    storage->active_since_ms = clock_boot_ms(storage->options.clock);
    return store_view_renew(storage->view, err);
}

/* True when the store was made out of a backup and no pair has opened it since. */
static enum err_code is_restored(const struct storage *storage, bool *ret_restored, struct err *err)
{
    const struct storage_options *o = &storage->options;

    return disk_exists(o->disk, o->dir, RESTORE_DONE_FILE, ret_restored, err);
}

/* One of two may lack what the other one has answered, or have what nobody may count on: alone it
 * would serve either. */
enum err_code engine_check_alone(const struct storage *storage, struct err *err)
{
    const struct storage_options *o = &storage->options;
    struct promise_value value = {.epoch = 0};
    struct promise *promise = NULL;
    struct store_meta meta;
    bool restored = false;
    enum err_code rc;

    store_meta(storage->store, &meta);
    rc = promise_open(o->disk, o->dir, meta.store_id, &promise, err);
    if (rc == ERR_OK) {
        promise_get(promise, &value);
        promise_close(promise);
        rc = is_restored(storage, &restored, err);
    }
    if (rc != ERR_OK || restored || (value.epoch == 0 && value.lineage == 0)) {
        return rc;
    }
    return err_set(err, ERR_CONFLICT,
                   "this store belongs to a pair: start it under approvald-supervisor with the "
                   "pair's supervisor.conf; to run it alone for good, restore its backup into an "
                   "empty data_dir");
}

enum err_code engine_start_alone(struct storage *storage, struct err *err)
{
    enum err_code rc = replay(storage, err);

    if (rc == ERR_OK) {
        rc = begin_epoch(storage, err);
    }
    if (rc == ERR_OK) {
        storage->role = REPLICA_PRIMARY;
        storage->serving = true;
    }
    return rc;
}

/* As one of two the log may be cut behind what is applied: what LMDB says about epochs that began
 * there must not make a shorter log look damaged. */
static enum err_code forget_epochs(struct storage *storage, struct err *err)
{
    struct store_meta meta;
    uint64_t lsn_first = 0;
    enum err_code rc;

    store_meta(storage->store, &meta);
    if (meta.epoch == 0) {
        return ERR_OK;
    }
    rc = store_epoch_first(storage->store, meta.epoch, &lsn_first, err);
    if (rc != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    return lsn_first <= meta.applied.lsn + 1
               ? ERR_OK
               : store_forget_epochs(storage->store, meta.applied.lsn + 2, err);
}

static enum err_code open_readers(struct storage *storage, struct err *err)
{
    enum err_code rc = wal_reader_new(storage->wal, &storage->apply_reader, err);

    if (rc == ERR_OK) {
        rc = wal_reader_new(storage->wal, &storage->find_reader, err);
    }
    if (rc == ERR_OK) {
        rc = wal_reader_new(storage->wal, &storage->ship_reader, err);
    }
    return rc;
}

/* From here on what a backup has brought is the pair's. */
static enum err_code leave_restored(const struct storage *storage, struct err *err)
{
    const struct storage_options *o = &storage->options;
    bool restored = false;
    enum err_code rc = is_restored(storage, &restored, err);

    if (rc == ERR_OK && restored) {
        rc = disk_remove(o->disk, o->dir, RESTORE_DONE_FILE, err);
    }
    return rc == ERR_OK && restored ? o->disk->sync_dir(o->disk->arg, o->dir, err) : rc;
}

enum err_code engine_start_idle(struct storage *storage, struct err *err)
{
    struct promise_value value;
    enum err_code rc = forget_epochs(storage, err);

    if (rc == ERR_OK) {
        rc = leave_restored(storage, err);
    }
    if (rc == ERR_OK) {
        rc = promise_open(storage->options.disk, storage->options.dir, storage->identity.store_id,
                          &storage->promise, err);
    }
    if (rc == ERR_OK) {
        rc = open_readers(storage, err);
    }
    if (rc == ERR_OK) {
        rc = store_view_renew(storage->view, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    promise_get(storage->promise, &value);
    storage->promised = value.epoch;
    storage->lineage = value.lineage;
    wal_last(storage->wal, &storage->last); /* wal_open has made all of it durable (rule A) */
    storage->durable = storage->last;
    storage->tip = storage->folded;
    storage->epoch = storage->last.epoch;
    storage->lsn_known = storage->folded.lsn;
    storage->role = REPLICA_IDLE;
    isr_init(&storage->isr, storage->last.lsn);
    keep_hash(storage);
    storage->active_since_ms = clock_boot_ms(storage->options.clock);
    return ERR_OK;
}
