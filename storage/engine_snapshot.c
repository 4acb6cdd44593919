/* SPDX-License-Identifier: Apache-2.0 */
/* engine_snapshot.c: sending the folded state to the other host, and receiving it.
 * Owns the view that is sent, and incoming.mdb until it is decided.
 * Never touches the store in use: a received one takes its place at the next start (install.c). */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "storage/disk.h"
#include "storage/engine.h"
#include "storage/install.h"

#include <inttypes.h>
#include <string.h>

struct engine_snapshot {
    struct storage *storage; /* borrowed */
    struct store_view *view;
    uint64_t *pin; /* its place in the storage's; NULL: not yet */
    struct store_cursor *cursor;
    struct change pair; /* the next one; borrowed from the view */
    bool more;
    uint64_t count;
};

/* The walk has come to the next pair, or to the end. */
static enum err_code arrive(struct engine_snapshot *snapshot, enum err_code rc)
{
    snapshot->more = rc == ERR_OK;
    return rc == ERR_NOT_FOUND ? ERR_OK : rc;
}

static enum err_code
open_view(struct engine_snapshot *snapshot, struct record_position *ret_position, struct err *err)
{
    struct store_meta meta;
    enum err_code rc = store_view_new(snapshot->storage->store, &snapshot->view, err);

    if (rc == ERR_OK) {
        rc = store_view_renew(snapshot->view, err);
    }
    if (rc == ERR_OK) {
        rc = store_view_meta(snapshot->view, &meta, err);
    }
    if (rc == ERR_OK) {
        rc = store_cursor_new(snapshot->view, false, &snapshot->cursor, err);
    }
    if (rc == ERR_OK) {
        struct span first = span_of("", 1); /* below every key */

        *ret_position = meta.applied;
        rc = arrive(snapshot,
                    store_cursor_seek(snapshot->cursor, first, true, &snapshot->pair, err));
    }
    return rc;
}

/* A view that lasts keeps the pages that are freed meanwhile: who measures the map has to know. */
static void pin(struct engine_snapshot *snapshot)
{
    struct storage *storage = snapshot->storage;

    engine_lock(storage);
    for (size_t i = 0; snapshot->pin == NULL && i < STORAGE_SNAPSHOT_COUNT_MAX; i++) {
        snapshot->pin = storage->pins[i] == 0 ? &storage->pins[i] : NULL;
    }
    ASSERT(snapshot->pin != NULL);
    *snapshot->pin = store_view_id(snapshot->view);
    engine_unlock(storage);
}

static void unpin(struct engine_snapshot *snapshot)
{
    if (snapshot->pin != NULL) {
        engine_lock(snapshot->storage);
        *snapshot->pin = 0;
        engine_unlock(snapshot->storage);
    }
}

enum err_code engine_snapshot_open(struct storage *storage,
                                   struct engine_snapshot **ret_snapshot,
                                   struct record_position *ret_position,
                                   struct err *err)
{
    struct engine_snapshot *snapshot;
    enum err_code rc = engine_check(storage, err);

    if (rc != ERR_OK) {
        return rc;
    }
    snapshot = mem_new(1, sizeof *snapshot);
    if (snapshot == NULL) {
        return err_set(err, ERR_NOMEM, "snapshot");
    }
    snapshot->storage = storage;
    rc = open_view(snapshot, ret_position, err);
    if (rc != ERR_OK) {
        engine_snapshot_close(snapshot);
        return rc == ERR_NOMEM ? rc : engine_lost(storage, rc, err);
    }
    pin(snapshot);
    *ret_snapshot = snapshot;
    return ERR_OK;
}

enum err_code engine_snapshot_facts(struct engine_snapshot *snapshot,
                                    struct store_meta *ret_meta,
                                    uint64_t *ret_count,
                                    struct err *err)
{
    enum err_code rc = store_view_meta(snapshot->view, ret_meta, err);

    if (rc == ERR_OK) {
        rc = store_view_count(snapshot->view, ret_count, err);
    }
    return rc == ERR_OK ? rc : engine_lost(snapshot->storage, rc, err);
}

void engine_snapshot_close(struct engine_snapshot *snapshot)
{
    if (snapshot != NULL) {
        store_cursor_free(snapshot->cursor);
        store_view_free(snapshot->view);
        unpin(snapshot);
        mem_free(snapshot);
    }
}

enum err_code engine_snapshot_next(struct engine_snapshot *snapshot,
                                   uint8_t *at,
                                   size_t room,
                                   size_t *ret_size,
                                   uint64_t *ret_count,
                                   struct err *err)
{
    size_t size = 0;
    enum err_code rc = engine_check(snapshot->storage, err);

    ASSERT(room >= ENGINE_SHIP_SIZE_MAX);
    if (rc != ERR_OK) {
        return rc;
    }
    while (rc == ERR_OK && snapshot->more && size < STORAGE_SHIP_SIZE) {
        struct change pair = snapshot->pair;
        size_t pair_size = change_size(pair.key.size, pair.value.size);

        if (pair_size > room - size) {
            break;
        }
        change_encode(at + size, &pair);
        size += pair_size;
        snapshot->count++;
        rc = arrive(snapshot, store_cursor_next(snapshot->cursor, &snapshot->pair, err));
    }
    if (rc != ERR_OK) {
        return engine_lost(snapshot->storage, rc, err);
    }
    *ret_size = size;
    *ret_count = snapshot->count;
    return ERR_OK;
}

/* The file stays. */
static void leave_incoming(struct storage *storage)
{
    store_incoming_free(storage->incoming);
    storage->incoming = NULL;
}

/* Its room is given back at once: the log goes on beside it. Should that fail, the next one, or the
 * next start, does it again and says so. */
static void drop_incoming(struct storage *storage)
{
    const struct storage_options *o = &storage->options;

    if (storage->incoming != NULL) {
        leave_incoming(storage);
        err_ignore(disk_remove(o->disk, o->dir, STORE_INCOMING_FILE, NULL));
        err_ignore(disk_remove(o->disk, o->dir, STORE_INCOMING_LOCK, NULL));
    }
}

/* ---- Room ----
 * A snapshot comes without its size. What is received keeps the same distance from a full disk as
 * the log does, and what did not fit is remembered: the next one is refused before its first byte,
 * until there is more room than the last one had. */

static enum err_code no_map(const struct storage *storage, struct err *err)
{
    return err_set(err, ERR_NOSPACE,
                   "the map of %" PRIu64
                   " MiB is too small for the other host's state: raise map_size",
                   storage->options.map_size / STORAGE_MIB);
}

static enum err_code measure(const struct storage *storage, uint64_t *ret_size, struct err *err)
{
    const struct disk *disk = storage->options.disk;

    return disk->free_size(disk->arg, storage->options.dir, ret_size, err);
}

static enum err_code no_disk(uint64_t free_size, uint64_t wanted, struct err *err)
{
    return err_set(err, ERR_NOSPACE,
                   "no room for the other host's state: %" PRIu64 " MiB free, %" PRIu64
                   " needed at the least",
                   free_size / STORAGE_MIB, wanted / STORAGE_MIB + 1);
}

static enum err_code check_disk(const struct storage *storage, uint64_t wanted, struct err *err)
{
    uint64_t free_size = 0;
    enum err_code rc = measure(storage, &free_size, err);

    return rc == ERR_OK && free_size < wanted ? no_disk(free_size, wanted, err) : rc;
}

static enum err_code check_room(struct storage *storage, struct err *err)
{
    const struct storage_options *o = &storage->options;
    uint64_t now_ms = clock_boot_ms(o->clock);

    if (storage->refused_ms != 0 && now_ms - storage->refused_ms >= STORAGE_SNAPSHOT_NEED_MS) {
        storage->refused_ms = 0;
    }
    if (storage->refused_ms == 0) {
        return check_disk(storage, o->headroom_size, err);
    }
    return storage->refused_map ? no_map(storage, err)
                                : check_disk(storage, storage->refused_size, err);
}

/* It did not fit: into the map, when that is full and the disk is not. */
static enum err_code refuse(struct storage *storage, struct err *err)
{
    const struct storage_options *o = &storage->options;
    uint64_t size = store_incoming_size(storage->incoming);
    uint64_t free_size = 0;
    enum err_code rc = measure(storage, &free_size, err);

    if (rc != ERR_OK) {
        return rc;
    }
    storage->refused_ms = clock_boot_ms(o->clock);
    storage->refused_size = o->headroom_size + size + size / 8 + STORAGE_SNAPSHOT_NEED_MORE;
    storage->refused_map =
        free_size >= o->headroom_size && size + STORAGE_MAP_RESERVE >= o->map_size;
    return storage->refused_map ? no_map(storage, err)
                                : no_disk(free_size, storage->refused_size, err);
}

enum err_code engine_snapshot_begin(struct storage *storage,
                                    const struct record_position *position,
                                    bool diverged,
                                    struct err *err)
{
    const struct storage_options *o = &storage->options;
    struct store_options options = {
        .disk = o->disk, .rng = o->rng, .dir = o->dir, .map_size = o->map_size};
    enum err_code rc = engine_check(storage, err);

    if (rc != ERR_OK) {
        return rc;
    }
    drop_incoming(storage);
    rc = check_room(storage, err);
    if (rc == ERR_OK) {
        rc = store_incoming_new(&options, &storage->incoming, err);
    }
    if (rc != ERR_OK) {
        storage->incoming = NULL;
        return err_wrap(err, rc == ERR_NOSPACE ? rc : ERR_IO, "receive snapshot");
    }
    storage->incoming_position = *position;
    storage->incoming_diverged = diverged;
    return ERR_OK;
}

enum err_code engine_snapshot_pairs(struct storage *storage, struct span pairs, struct err *err)
{
    enum err_code rc = engine_check(storage, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (storage->incoming == NULL) {
        return err_set(err, ERR_CONFLICT, "no snapshot is being received");
    }
    rc = check_disk(storage, storage->options.headroom_size, err);
    if (rc == ERR_OK) {
        rc = store_incoming_put(storage->incoming, pairs, err);
    }
    if (rc == ERR_NOSPACE) {
        rc = refuse(storage, err);
    }
    if (rc != ERR_OK) {
        drop_incoming(storage);
        rc = rc == ERR_PROTOCOL || rc == ERR_NOSPACE ? rc : ERR_IO;
        return err_wrap(err, rc, "receive snapshot");
    }
    return ERR_OK;
}

/* The new store's own knowledge of itself, with a new id: nobody may take it for the old one. */
static void new_meta(struct storage *storage, struct store_meta *meta)
{
    memset(meta, 0, sizeof *meta);
    memcpy(meta->cluster_id, storage->identity.cluster_id, STORAGE_ID_SIZE);
    rng_fill(storage->options.rng, meta->store_id, STORAGE_ID_SIZE);
    meta->applied = storage->incoming_position;
    meta->lsn_base = storage->incoming_position.lsn;
    meta->epoch = storage->incoming_position.epoch;
}

static enum err_code install(struct storage *storage, uint64_t lineage, struct err *err)
{
    struct install install = {.diverged = storage->incoming_diverged};
    struct store_meta meta;
    enum err_code rc;

    new_meta(storage, &meta);
    memcpy(install.store_id, meta.store_id, STORAGE_ID_SIZE);
    engine_lock(storage);
    install.promise.epoch = storage->promised;
    install.promise.lineage = lineage;
    install.lsn_old = storage->lsn_applied;
    engine_unlock(storage);
    rc = store_incoming_finish(storage->incoming, &meta, err);
    if (rc != ERR_OK) {
        return err_wrap(err, rc == ERR_NOSPACE ? rc : ERR_IO, "install snapshot");
    }
    rc = install_mark(storage->options.disk, storage->options.dir, &install, err);
    if (rc != ERR_OK) {
        /* The marker may be there: only the next start knows which store it is. */
        return engine_lost(storage, rc, err);
    }
    engine_halt(storage, "a snapshot was received: the next start puts it in place");
    return ERR_OK;
}

enum err_code engine_snapshot_install(struct storage *storage,
                                      uint64_t pair_count,
                                      uint64_t lineage,
                                      struct err *err)
{
    enum err_code rc = engine_check(storage, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (storage->incoming == NULL) {
        return err_set(err, ERR_CONFLICT, "no snapshot is being received");
    }
    if (store_incoming_count(storage->incoming) != pair_count) {
        rc = err_set(err, ERR_PROTOCOL, "the snapshot has %" PRIu64 " pairs instead of %" PRIu64,
                     store_incoming_count(storage->incoming), pair_count);
    } else {
        rc = install(storage, lineage, err);
    }
    leave_incoming(storage); /* it may be the store from now on */
    return rc;
}
