/* SPDX-License-Identifier: Apache-2.0 */
/* backup.c: a consistent copy of the state in a file, written beside the work.
 * Owns the one thread that does it, from storage_backup to the delivery of its answer.
 * Never holds the lock during I/O; never lets the disk or the map come near their head-room; an
 * error of its own file fails nothing but the backup. */
#include "storage/backup_format.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"
#include "storage/disk.h"
#include "storage/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct backup {
    struct storage *storage; /* borrowed */
    storage_backup_fn *on_done;
    void *arg; /* the caller's */
    pthread_t thread;

    /* The thread's, until done. */
    int file; /* -1: none */
    uint8_t *room;
    struct backup_writer writer;
    uint64_t offset; /* bytes written */
    uint64_t synced; /* of them, synced */
    struct storage_backup_result result;
    struct err err;
    enum err_code rc;
    char path[STORAGE_PATH_SIZE_MAX];
    char part[STORAGE_PATH_SIZE_MAX];
    char dir[STORAGE_PATH_SIZE_MAX];

    bool done; /* under the storage's lock */
};

static enum err_code check_alive(struct storage *storage, struct err *err)
{
    enum err_code rc = ERR_OK;

    engine_lock(storage);
    if (storage->failed) {
        rc = err_set(err, ERR_UNAVAILABLE, "storage failed: %s", storage->failure.message);
    } else if (storage->closing) {
        rc = err_set(err, ERR_UNAVAILABLE, "storage is closing");
    }
    engine_unlock(storage);
    return rc;
}

/* A view pins pages: what is written meanwhile takes new ones, and a backup gives way a checkpoint
 * before writes would be refused. wanted: bytes still to come. */
static enum err_code check_room(struct storage *storage, uint64_t wanted, struct err *err)
{
    const struct storage_options *o = &storage->options;
    uint64_t free_size = 0;
    uint64_t used_size;
    enum err_code rc = o->disk->free_size(o->disk->arg, o->dir, &free_size, err);

    if (rc != ERR_OK) {
        return rc;
    }
    engine_lock(storage);
    used_size = storage->map_used_size;
    engine_unlock(storage);
    if (free_size < wanted + o->headroom_size) {
        return err_set(err, ERR_NOSPACE,
                       "%" PRIu64 " MiB free in %s: a backup needs up to %" PRIu64
                       " MiB besides the head-room of %" PRIu64 " MiB",
                       free_size / STORAGE_MIB, o->dir, wanted / STORAGE_MIB + 1,
                       o->headroom_size / STORAGE_MIB);
    }
    if (used_size + STORAGE_MAP_RESERVE + STORAGE_MAP_RESERVE / 4 > o->map_size) {
        return err_set(err, ERR_NOSPACE,
                       "the map of %" PRIu64 " MiB is nearly full: raise map_size",
                       o->map_size / STORAGE_MIB);
    }
    return ERR_OK;
}

/* Until all that was committed when the backup was asked for is in LMDB. Lock held. */
static enum err_code settle_locked(struct storage *storage, struct err *err)
{
    uint64_t begun_ms = clock_boot_ms(storage->options.clock);
    uint64_t lsn_committed = engine_commit_lsn(storage);

    storage->settle_lsn = storage->last.lsn > 0 ? storage->last.lsn : 1;
    storage->settled = storage->last.lsn == 0;
    storage->flush = true;
    (void)pthread_cond_signal(&storage->writer_wake); /* a signal cannot fail */
    while (!storage->settled && !storage->failed && !storage->closing) {
        uint64_t age_ms = clock_boot_ms(storage->options.clock) - begun_ms;

        if (age_ms >= BACKUP_WAIT_MS) {
            return err_set(err, ERR_TIMEOUT, "LSN %" PRIu64 " did not get into a checkpoint",
                           storage->settle_lsn);
        }
        if (age_ms >= BACKUP_SETTLE_MS && lsn_committed < storage->settle_lsn) {
            storage->settle_lsn = lsn_committed > 0 ? lsn_committed : 1;
            storage->settled = lsn_committed == 0;
        } else {
            engine_wait(storage, &storage->settle_wake, STORAGE_TURN_MS);
        }
    }
    return ERR_OK; /* the end of the storage is noticed by check_alive */
}

static enum err_code settle(struct storage *storage, struct err *err)
{
    enum err_code rc;

    engine_lock(storage);
    rc = settle_locked(storage, err);
    storage->settle_lsn = 0;
    engine_unlock(storage);
    return rc == ERR_OK ? check_alive(storage, err) : rc;
}

static enum err_code sync_file(struct backup *backup, struct err *err)
{
    const struct disk *disk = backup->storage->options.disk;
    enum err_code rc = disk->sync(disk->arg, backup->file, err);

    backup->synced = backup->offset;
    return rc == ERR_OK ? rc : err_wrap(err, rc, "%s", backup->part);
}

static enum err_code
write_piece(struct backup *backup, const uint8_t *bytes, size_t size, struct err *err)
{
    const struct disk *disk = backup->storage->options.disk;
    enum err_code rc = disk->write(disk->arg, backup->file, backup->offset, bytes, size, err);

    if (rc != ERR_OK) {
        return err_wrap(err, rc, "%s", backup->part);
    }
    backup->offset += size;
    return backup->offset - backup->synced < BACKUP_SYNC_SIZE ? ERR_OK : sync_file(backup, err);
}

static enum err_code
write_header(struct backup *backup, struct engine_snapshot *snapshot, struct err *err)
{
    struct storage *storage = backup->storage;
    struct backup_header header = {.epoch = 0};
    struct store_meta meta;
    enum err_code rc = engine_snapshot_facts(snapshot, &meta, &header.pair_count, err);

    if (rc != ERR_OK) {
        return rc;
    }
    memcpy(header.cluster_id, meta.cluster_id, STORAGE_ID_SIZE);
    header.position = meta.applied;
    header.epoch = meta.epoch > meta.applied.epoch ? meta.epoch : meta.applied.epoch;
    engine_lock(storage);
    header.lineage = storage->lineage;
    header.epoch = storage->promised > header.epoch ? storage->promised : header.epoch;
    engine_unlock(storage);
    backup_header_encode(&backup->writer, &header, backup->room);
    backup->result.lsn = meta.applied.lsn;
    backup->result.epoch = meta.applied.epoch;
    backup->result.wall_ms = meta.applied.wall_ms;
    memcpy(backup->result.hash, meta.applied.hash, STORAGE_HASH_SIZE);
    return write_piece(backup, backup->room, BACKUP_HEADER_SIZE, err);
}

static enum err_code
write_pairs(struct backup *backup, struct engine_snapshot *snapshot, struct err *err)
{
    size_t size = 1;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && size > 0) {
        rc = check_alive(backup->storage, err);
        if (rc == ERR_OK) {
            rc = check_room(backup->storage, BACKUP_PIECE_SIZE_MAX, err);
        }
        if (rc == ERR_OK) {
            rc =
                engine_snapshot_next(snapshot, backup->room + BACKUP_CHUNK_HEADER_SIZE,
                                     BACKUP_PAIRS_SIZE_MAX, &size, &backup->result.pair_count, err);
        }
        if (rc == ERR_OK && size > 0) {
            rc = write_piece(backup, backup->room,
                             backup_chunk_encode(&backup->writer, backup->room, size), err);
        }
    }
    return rc;
}

static enum err_code write_all(struct backup *backup, struct err *err)
{
    struct engine_snapshot *snapshot = NULL;
    struct record_position position;
    enum err_code rc = engine_snapshot_open(backup->storage, &snapshot, &position, err);

    if (rc == ERR_OK) {
        rc = write_header(backup, snapshot, err);
    }
    if (rc == ERR_OK) {
        rc = write_pairs(backup, snapshot, err);
    }
    engine_snapshot_close(snapshot);
    if (rc == ERR_OK) {
        backup_trailer_encode(&backup->writer, backup->result.pair_count, backup->room);
        rc = write_piece(backup, backup->room, BACKUP_TRAILER_SIZE, err);
    }
    return rc == ERR_OK ? sync_file(backup, err) : rc;
}

static enum err_code make_file(struct backup *backup, struct err *err)
{
    const struct disk *disk = backup->storage->options.disk;
    enum err_code rc = disk->open(disk->arg, backup->part, DISK_OPEN_CREATE, &backup->file, err);

    if (rc != ERR_OK) {
        backup->file = -1;
        return rc;
    }
    rc = write_all(backup, err);
    disk->close(disk->arg, backup->file);
    if (rc == ERR_OK) {
        rc = disk->rename(disk->arg, backup->part, backup->path, err);
    }
    if (rc == ERR_OK) {
        rc = disk->sync_dir(disk->arg, backup->dir, err);
    } else {
        (void)disk->unlink(disk->arg, backup->part, NULL); /* the next one replaces it too */
    }
    backup->result.size = backup->offset;
    return rc;
}

static enum err_code run(struct backup *backup, struct err *err)
{
    struct storage *storage = backup->storage;
    uint64_t used_size;
    enum err_code rc;

    engine_lock(storage);
    used_size = storage->map_used_size;
    engine_unlock(storage);
    rc = check_room(storage, used_size, err);
    if (rc == ERR_OK) {
        rc = settle(storage, err);
    }
    if (rc == ERR_OK) {
        rc = make_file(backup, err);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "backup");
}

static void *backup_main(void *arg)
{
    struct backup *backup = arg;
    struct storage *storage = backup->storage;
    struct err err = ERR_INIT;
    enum err_code rc = run(backup, &err);

    engine_lock(storage);
    backup->rc = rc;
    backup->err = err;
    backup->done = true;
    storage->wakes.caller = storage->wakes.caller || !storage->event_set;
    storage->event_set = true;
    engine_unlock(storage);
    return NULL;
}

static void free_backup(struct backup *backup)
{
    mem_free(backup->room);
    mem_free(backup);
}

static enum err_code fill_paths(struct backup *backup, const char *path, struct err *err)
{
    const char *slash = strrchr(path, '/');
    size_t dir_size = slash == NULL ? 0 : (size_t)(slash - path);
    size_t size = strlen(path);

    if (slash == NULL || dir_size == 0 || size + sizeof ".part" > sizeof backup->part) {
        return err_set(err, ERR_TOO_LARGE, "backup: %s: not a path that can be used", path);
    }
    memcpy(backup->path, path, size + 1);
    memcpy(backup->dir, path, dir_size);
    (void)snprintf(backup->part, sizeof backup->part, "%s.part", path); /* fits, see above */
    return ERR_OK;
}

static enum err_code start(struct backup *backup, struct err *err)
{
    int number = thread_start(&backup->thread, backup_main, backup);

    return number == 0 ? ERR_OK : err_set_errno(err, ERR_NOMEM, number, "backup: thread");
}

enum err_code storage_backup(struct storage *storage,
                             const char *path,
                             storage_backup_fn *on_done,
                             void *arg,
                             struct err *err)
{
    struct backup *backup;
    enum err_code rc = check_alive(storage, err);

    ASSERT(on_done != NULL);
    if (rc != ERR_OK) {
        return rc;
    }
    if (storage->backup != NULL) {
        return err_set(err, ERR_BUSY, "a backup is being written already");
    }
    backup = mem_new(1, sizeof *backup);
    if (backup == NULL) {
        return err_set(err, ERR_NOMEM, "backup");
    }
    backup->storage = storage;
    backup->on_done = on_done;
    backup->arg = arg;
    backup->file = -1;
    backup->room = mem_new(BACKUP_PIECE_SIZE_MAX, 1);
    rc = backup->room == NULL ? err_set(err, ERR_NOMEM, "backup") : fill_paths(backup, path, err);
    if (rc == ERR_OK) {
        rc = start(backup, err);
    }
    if (rc != ERR_OK) {
        free_backup(backup);
        return rc;
    }
    storage->backup = backup;
    return ERR_OK;
}

static void deliver(struct storage *storage)
{
    struct backup *backup = storage->backup;

    (void)pthread_join(backup->thread, NULL); /* it exists and nobody else joins it */
    storage->backup = NULL;
    backup->on_done(backup->arg, backup->rc, backup->rc == ERR_OK ? &backup->result : NULL,
                    &backup->err);
    free_backup(backup);
}

void backup_dispatch(struct storage *storage)
{
    bool done;

    if (storage->backup == NULL) {
        return;
    }
    engine_lock(storage);
    done = storage->backup->done;
    engine_unlock(storage);
    if (done) {
        deliver(storage);
    }
}

void backup_stop(struct storage *storage)
{
    if (storage->backup != NULL) {
        (void)pthread_cond_broadcast(&storage->settle_wake); /* closing is set: it looks up */
        deliver(storage);
    }
}
