/* SPDX-License-Identifier: Apache-2.0 */
/* engine_log.c: what the replication thread does with the log.
 * Owns appending in the roles idle and standby, cutting, looking up and shipping.
 * Never interprets a record, but checks that its changes can be applied before it is written. */
#include "base/assert.h"
#include "storage/engine.h"

#include <inttypes.h>
#include <string.h>

/* Positions that are known without reading: the place before the first record, what LMDB has, the
 * ends. Lock held. */
static bool known_position(const struct storage *storage, uint64_t lsn, struct replica_found *found)
{
    const struct record_position *known[] = {&storage->last, &storage->tip, &storage->folded,
                                             &storage->durable, &storage->identity.applied};

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (known[i]->lsn == lsn) {
            found->position = *known[i];
            return true;
        }
    }
    return lsn == 0;
}

/* A record that is applied may be damaged on the disk: then it is as good as trimmed. Any other
 * cannot be done without. */
static enum err_code
unreadable(struct storage *storage, uint64_t lsn, enum err_code rc, struct err *err)
{
    bool applied;

    engine_lock(storage);
    applied = lsn <= storage->lsn_applied;
    engine_unlock(storage);
    if (rc == ERR_NOT_FOUND || ((rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED) && applied)) {
        return err_wrap(err, ERR_NOT_FOUND, "record %" PRIu64 " is gone", lsn);
    }
    return engine_lost(storage, rc, err);
}

enum err_code
engine_find(struct storage *storage, uint64_t lsn, struct replica_found *ret_found, struct err *err)
{
    struct replica_found found = {.lsn = lsn};
    struct wal_entry entry;
    bool beyond;
    enum err_code rc = engine_check(storage, err);

    if (rc != ERR_OK) {
        return rc;
    }
    engine_lock(storage);
    beyond = lsn > storage->last.lsn;
    found.readable = !beyond && known_position(storage, lsn, &found);
    engine_unlock(storage);
    if (!found.readable && !beyond) {
        rc = wal_reader_read(storage->find_reader, lsn, &entry, err);
        rc = rc == ERR_OK ? rc : unreadable(storage, lsn, rc, err);
        found.readable = rc == ERR_OK;
    }
    if (rc == ERR_OK && found.readable && found.position.lsn != lsn) {
        found.position = entry.position;
    }
    if (rc == ERR_UNAVAILABLE) {
        return rc;
    }
    *ret_found = found;
    return ERR_OK;
}

/* Nobody else touches the log until end_quiet. Waits for what is under way. */
static void begin_quiet(struct storage *storage)
{
    engine_lock(storage);
    ASSERT(storage->role != REPLICA_PRIMARY);
    ASSERT(storage->epoch_wanted == 0);
    storage->cutting = true;
    while (storage->syncing || storage->preparing || storage->applying) {
        engine_wait(storage, &storage->quiet_wake, STORAGE_TURN_MS);
    }
    engine_unlock(storage);
}

/* The log ends earlier. Of the kept hashes those are lost that records behind the cut have
 * replaced. */
static void shorten_hashes(struct storage *storage, const struct record_position *end)
{
    uint64_t oldest = storage->last.lsn < STORAGE_WINDOW_COUNT
                          ? 0
                          : storage->last.lsn - (STORAGE_WINDOW_COUNT - 1);

    storage->hash_first = storage->hash_first > oldest ? storage->hash_first : oldest;
    storage->hash_first = storage->hash_first < end->lsn ? storage->hash_first : end->lsn;
    memcpy(storage->hashes[end->lsn % STORAGE_WINDOW_COUNT], end->hash, STORAGE_HASH_SIZE);
}

static void end_quiet(struct storage *storage, const struct record_position *end)
{
    engine_lock(storage);
    storage->cutting = false;
    if (end != NULL) {
        shorten_hashes(storage, end);
        storage->last = *end;
        storage->durable = *end;
        storage->lsn_known = storage->lsn_known < end->lsn ? storage->lsn_known : end->lsn;
        engine_wake_link(storage);
    }
    (void)pthread_cond_broadcast(&storage->writer_wake); /* a broadcast cannot fail */
    (void)pthread_cond_broadcast(&storage->syncer_wake);
    (void)pthread_cond_broadcast(&storage->checkpointer_wake);
    engine_unlock(storage);
}

enum err_code
engine_cut(struct storage *storage, const struct record_position *position, struct err *err)
{
    struct wal_cut cut = {.position = *position};
    enum err_code rc = engine_check(storage, err);

    if (rc != ERR_OK) {
        return rc;
    }
    begin_quiet(storage);
    engine_lock(storage);
    cut.applied = storage->folded;
    cut.durable = storage->durable.lsn == storage->last.lsn;
    ASSERT(position->lsn >= storage->tip.lsn);
    ASSERT(position->lsn <= storage->last.lsn);
    engine_unlock(storage);
    rc = engine_check(storage, err); /* what was waited for may have failed */
    if (rc != ERR_OK) {
        end_quiet(storage, NULL);
        return rc;
    }
    rc = wal_cut(storage->wal, &cut, err);
    if (rc == ERR_OK) {
        struct record_position last;

        wal_last(storage->wal, &last);
        ASSERT(last.lsn == position->lsn);
        end_quiet(storage, &last);
        return ERR_OK;
    }
    end_quiet(storage, NULL);
    return rc == ERR_CONFLICT ? rc : engine_lost(storage, rc, err);
}

/* The record at the start of bytes, if it may be appended next. */
static enum err_code decode_record(struct span bytes,
                                   struct wal_received *ret_received,
                                   size_t *ret_size,
                                   struct err *err)
{
    size_t count = 0;
    enum err_code rc =
        record_shared_decode(bytes, &ret_received->record, &ret_received->position, ret_size, err);

    if (rc == ERR_OK) {
        rc = engine_count_changes(ret_received->record.payload, &count, err);
    }
    if (rc == ERR_OK && count > MEMTABLE_COUNT_MAX) {
        rc = err_set(err, ERR_PROTOCOL, "%zu changes in one record", count);
    }
    return rc == ERR_OK ? rc : err_wrap(err, ERR_PROTOCOL, "received record");
}

static enum err_code
append_one(struct storage *storage, struct span bytes, size_t *ret_size, struct err *err)
{
    struct wal_received received;
    struct record_position position;
    enum err_code rc = decode_record(bytes, &received, ret_size, err);

    if (rc != ERR_OK) {
        return rc;
    }
    engine_lock(storage);
    received.lsn_durable = storage->durable.lsn;
    storage->room_wanted = !wal_has_room(storage->wal);
    if (storage->failed) {
        rc = err_set(err, ERR_UNAVAILABLE, "storage failed: %s", storage->failure.message);
    } else if (received.position.epoch > storage->epoch_followed) {
        rc = err_set(err, ERR_PROTOCOL,
                     "received record: LSN %" PRIu64 " of epoch %" PRIu64 " while epoch %" PRIu64
                     " is followed",
                     received.position.lsn, received.position.epoch, storage->epoch_followed);
    } else if (storage->room_wanted) {
        storage->wakes.checkpointer = true;
        rc = err_set(err, ERR_FULL, "the log has no room at present");
    }
    engine_unlock(storage);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = wal_append_record(storage->wal, &received, &position, err);
    if (rc != ERR_OK) {
        return rc == ERR_PROTOCOL ? rc : engine_lost(storage, rc, err);
    }
    engine_lock(storage);
    engine_appended(storage, &position);
    engine_unlock(storage);
    return ERR_OK;
}

/* The syncer does it, also for a lone record: a disk that hangs for a moment must make this host
 * slow, not silent (rule H), so the replication thread never waits for it. Measured: no slower. */
static void sync_appended(struct storage *storage, uint64_t count)
{
    engine_lock(storage);
    /* Whoever syncs now looks again afterwards. */
    storage->wakes.syncer = storage->wakes.syncer || (count > 0 && !storage->syncing);
    engine_unlock(storage);
}

enum err_code
engine_append(struct storage *storage, struct span records, size_t *ret_taken, struct err *err)
{
    uint64_t count = 0;
    size_t taken = 0;
    enum err_code rc = engine_check(storage, err);

    *ret_taken = 0;
    if (rc != ERR_OK) {
        return rc;
    }
    engine_lock(storage);
    ASSERT(storage->role != REPLICA_PRIMARY);
    ASSERT(storage->epoch_wanted == 0);
    storage->role = REPLICA_STANDBY;
    engine_unlock(storage);
    while (rc == ERR_OK && taken < records.size) {
        struct span rest = span_of(records.data + taken, records.size - taken);
        size_t size = 0;

        rc = append_one(storage, rest, &size, err);
        taken += rc == ERR_OK ? size : 0;
        count += rc == ERR_OK ? 1 : 0;
    }
    sync_appended(storage, count);
    *ret_taken = taken;
    return rc == ERR_OK ? engine_check(storage, err) : rc;
}

enum err_code engine_ship(struct storage *storage,
                          const struct engine_ship *ship,
                          size_t *ret_size,
                          uint64_t *ret_lsn_next,
                          struct err *err)
{
    uint64_t lsn = ship->lsn;
    size_t size = 0;
    uint64_t last;
    enum err_code rc = engine_check(storage, err);

    ASSERT(ship->room >= ENGINE_SHIP_SIZE_MAX);
    ASSERT(lsn > 0);
    engine_lock(storage);
    last = storage->last.lsn;
    engine_unlock(storage);
    while (rc == ERR_OK && lsn <= last && size < STORAGE_SHIP_SIZE) {
        struct wal_entry entry;

        rc = wal_reader_read(storage->ship_reader, lsn, &entry, err);
        if (rc != ERR_OK) {
            return unreadable(storage, lsn, rc, err);
        }
        if (entry.shared.size > ship->room - size) {
            break;
        }
        memcpy(ship->at + size, entry.shared.data, entry.shared.size);
        size += entry.shared.size;
        lsn++;
    }
    if (rc == ERR_OK) {
        *ret_size = size;
        *ret_lsn_next = lsn;
    }
    return rc;
}
