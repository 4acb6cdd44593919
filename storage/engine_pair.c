/* SPDX-License-Identifier: Apache-2.0 */
/* engine_pair.c: the roles of one of two, as the replication thread commands them.
 * Owns the changes of the role, who is required, echoes, the promise, the news.
 * Never decides: replica.h does. Never touches the log itself (engine_log.c). */
#include "storage/engine_pair.h"

#include "base/assert.h"
#include "base/clock.h"
#include "storage/engine.h"
#include "storage/mutant.h"
#include "storage/pair.h"

#include <string.h>

enum err_code engine_open_pair(const struct storage_options *options,
                               const uint8_t cluster_id[STORAGE_ID_SIZE],
                               struct storage **ret_storage,
                               struct err *err)
{
    ASSERT(cluster_id != NULL);
    return engine_open(options, cluster_id, ret_storage, err);
}

void engine_attach(struct storage *storage, const struct engine_link *link)
{
    engine_lock(storage);
    storage->link = *link;
    engine_unlock(storage);
}

void engine_notify(struct storage *storage)
{
    engine_lock(storage);
    storage->wakes.caller = storage->wakes.caller || !storage->event_set;
    storage->event_set = true;
    engine_unlock(storage);
}

void engine_recovered(struct storage *storage, struct replica_options *options)
{
    engine_lock(storage);
    memcpy(options->cluster_id, storage->identity.cluster_id, STORAGE_ID_SIZE);
    memcpy(options->store_id, storage->identity.store_id, STORAGE_ID_SIZE);
    options->lineage = storage->lineage;
    options->promised = storage->promised;
    options->last = storage->last;
    options->applied = storage->tip;
    engine_unlock(storage);
}

void engine_state(struct storage *storage, struct message_state *ret_state)
{
    engine_lock(storage);
    memcpy(ret_state->cluster_id, storage->identity.cluster_id, STORAGE_ID_SIZE);
    memcpy(ret_state->store_id, storage->identity.store_id, STORAGE_ID_SIZE);
    ret_state->lineage = storage->lineage;
    ret_state->promised = storage->promised;
    ret_state->last = storage->durable;
    ret_state->lsn_applied = storage->tip.lsn;
    engine_unlock(storage);
}

/* Lock held. */
static bool sync_is_slow(const struct storage *storage)
{
    uint64_t now_ms = clock_boot_ms(storage->options.clock);
    bool now = storage->syncing && now_ms - storage->sync_begun_ms > STORAGE_SYNC_SLOW_MS;
    bool lately =
        storage->sync_slow_ms > 0 && now_ms - storage->sync_slow_ms < STORAGE_SYNC_SLOW_PAST_MS;

    return now || lately;
}

void engine_news(struct storage *storage, struct engine_news *ret_news)
{
    struct engine_news news = {.room = false};

    engine_lock(storage);
    storage->link_told = false;
    news.local.last = storage->last;
    news.local.durable = storage->durable;
    news.local.lsn_commit = engine_commit_lsn(storage);
    news.local.applied = storage->tip;
    news.local.sync_slow = sync_is_slow(storage);
    news.epoch_begun = storage->epoch_begun;
    if (storage->peer_required && storage->echo_wanted > storage->ping_echoed) {
        news.echo_wanted = storage->echo_wanted;
    }
    if (storage->role != REPLICA_PRIMARY && storage->epoch_wanted == 0) {
        news.room = wal_has_room(storage->wal);
        storage->room_wanted = storage->room_wanted && !news.room;
    }
    news.failed = storage->failed;
    if (news.failed) {
        news.failure = storage->failure;
    }
    engine_unlock(storage);
    *ret_news = news;
}

void engine_awake(struct storage *storage)
{
    engine_lock(storage);
    storage->link_awake = true;
    engine_unlock(storage);
}

bool engine_rests(struct storage *storage)
{
    bool rests;

    engine_lock(storage);
    rests = !storage->link_told;
    storage->link_awake = !rests;
    engine_unlock(storage);
    return rests;
}

enum err_code
engine_promise(struct storage *storage, uint64_t epoch, uint64_t lineage, struct err *err)
{
    struct promise_value value = {.epoch = epoch, .lineage = lineage};
    enum err_code rc = engine_check(storage, err);

    if (rc != ERR_OK) {
        return rc;
    }
    value.lineage = lineage == 0 ? storage->lineage : lineage;
    if (epoch == storage->promised && value.lineage == storage->lineage) {
        return ERR_OK;
    }
    rc = promise_set(storage->promise, &value, err);
    if (rc != ERR_OK) {
        return engine_lost(storage, rc, err);
    }
    engine_lock(storage);
    storage->promised = value.epoch;
    storage->lineage = value.lineage;
    engine_unlock(storage);
    return ERR_OK;
}

void engine_follow(struct storage *storage, uint64_t epoch)
{
    engine_lock(storage);
    ASSERT(storage->role != REPLICA_PRIMARY);
    storage->role = REPLICA_STANDBY;
    storage->epoch_followed = epoch;
    engine_unlock(storage);
}

void engine_commit(struct storage *storage, uint64_t lsn)
{
    engine_lock(storage);
    if (storage->role != REPLICA_PRIMARY && lsn > storage->lsn_known) {
        storage->lsn_known = lsn;
        engine_wake_writer(storage);
        engine_release(storage);
    }
    engine_unlock(storage);
}

void engine_require(struct storage *storage)
{
    engine_lock(storage);
    if (!storage->peer_required && !storage->failed) {
        storage->peer_required = true;
        if (storage->role == REPLICA_PRIMARY) {
            enum err_code rc = isr_add(&storage->isr, 1, NULL);

            ASSERT(rc == ERR_OK);
        }
        if (storage->released < storage->enqueued) {
            storage->echo_wanted = storage->ping_sent + 1;
            engine_wake_link(storage);
        }
    }
    engine_unlock(storage);
}

/* The ISR or its acknowledgements changed. Lock held. */
static void advance(struct storage *storage, uint64_t commit_before)
{
    uint64_t commit = engine_commit_lsn(storage);

    storage->commit_count += commit - commit_before;
    engine_release(storage);
    if (commit > commit_before) {
        engine_wake_link(storage);
        engine_wake_writer(storage);
    }
}

void engine_unrequire(struct storage *storage)
{
    engine_lock(storage);
    if (storage->peer_required && !storage->failed) {
        uint64_t commit = engine_commit_lsn(storage);

        storage->peer_required = false;
        if (storage->role == REPLICA_PRIMARY) {
            enum err_code rc = isr_remove(&storage->isr, 1, NULL);

            ASSERT(rc == ERR_OK);
        }
        advance(storage, commit);
    }
    engine_unlock(storage);
}

void engine_begin_epoch(struct storage *storage, uint64_t epoch)
{
    engine_lock(storage);
    ASSERT(epoch > storage->last.epoch);
    ASSERT(epoch > storage->epoch_wanted);
    ASSERT(epoch <= storage->promised);
    storage->epoch_wanted = epoch;
    storage->wakes.writer = true;
    engine_unlock(storage);
}

enum known { KNOWN_SAME, KNOWN_OTHER, KNOWN_NOT };

/* What the kept hashes say of a position. Lock held. */
static enum known compare(const struct storage *storage, const struct record_position *position)
{
    const uint8_t *hash = storage->hashes[position->lsn % STORAGE_WINDOW_COUNT];

    if (position->lsn > storage->last.lsn) {
        return KNOWN_OTHER;
    }
    if (position->lsn < storage->hash_first ||
        storage->last.lsn - position->lsn >= STORAGE_WINDOW_COUNT) {
        return KNOWN_NOT;
    }
    return memcmp(hash, position->hash, STORAGE_HASH_SIZE) == 0 ? KNOWN_SAME : KNOWN_OTHER;
}

/* The hash is so old that only the log has it. */
static enum err_code compare_log(struct storage *storage,
                                 const struct record_position *position,
                                 enum known *ret_known,
                                 struct err *err)
{
    struct replica_found found;
    enum err_code rc = engine_find(storage, position->lsn, &found, err);

    if (rc == ERR_OK && !found.readable) {
        rc = err_set(err, ERR_NOT_FOUND, "record %ju is not kept", (uintmax_t)position->lsn);
    }
    if (rc == ERR_OK) {
        bool same = memcmp(found.position.hash, position->hash, STORAGE_HASH_SIZE) == 0;

        *ret_known = same ? KNOWN_SAME : KNOWN_OTHER;
    }
    return rc;
}

enum err_code
engine_acknowledge(struct storage *storage, const struct record_position *position, struct err *err)
{
    enum known known;
    enum err_code rc = engine_check(storage, err);

    if (rc != ERR_OK || position->lsn == 0) {
        return rc;
    }
    engine_lock(storage);
    known = compare(storage, position);
    engine_unlock(storage);
    if (known == KNOWN_NOT) {
        rc = compare_log(storage, position, &known, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (known == KNOWN_OTHER && !MUTANT(ack_without_hash)) {
        return err_set(err, ERR_CONFLICT, "the peer's record %ju is not ours",
                       (uintmax_t)position->lsn);
    }
    engine_lock(storage);
    if (storage->role == REPLICA_PRIMARY && storage->peer_required && !storage->failed) {
        uint64_t commit = engine_commit_lsn(storage);

        rc = isr_acknowledge(&storage->isr, 1, position->lsn, NULL);
        ASSERT(rc == ERR_OK);
        advance(storage, commit);
    }
    engine_unlock(storage);
    return ERR_OK;
}

void engine_pinged(struct storage *storage, uint64_t sequence)
{
    engine_lock(storage);
    ASSERT(sequence > storage->ping_sent);
    storage->ping_sent = sequence;
    engine_unlock(storage);
}

void engine_echoed(struct storage *storage, uint64_t sequence)
{
    engine_lock(storage);
    ASSERT(sequence <= storage->ping_sent);
    if (sequence > storage->ping_echoed && !storage->failed) {
        storage->ping_echoed = sequence;
        engine_release(storage);
    }
    engine_unlock(storage);
}

void engine_step_down(struct storage *storage)
{
    struct err failure = {.code = ERR_UNAVAILABLE,
                          .message = "a job was handed in while this host stepped down"};
    bool drained;

    engine_lock(storage);
    ASSERT(storage->role == REPLICA_PRIMARY);
    ASSERT(storage->epoch_wanted == 0);
    drained =
        storage->delivered == storage->enqueued && isr_commit(&storage->isr) == storage->last.lsn;
    storage->serving = false;
    if (drained) {
        storage->peer_required = false;
        storage->lsn_known = storage->last.lsn;
        storage->role = REPLICA_STANDBY;
    }
    engine_unlock(storage);
    if (!drained) {
        engine_fail(storage, &failure);
    }
}

void engine_halt(struct storage *storage, const char *reason)
{
    struct err failure = ERR_INIT;

    err_ignore(err_set(&failure, ERR_FATAL, "%s", reason));
    engine_fail(storage, &failure);
}

bool storage_serves(struct storage *storage)
{
    bool serves;

    engine_lock(storage);
    serves = storage->serving && !storage->failed && !storage->closing;
    engine_unlock(storage);
    return serves;
}

enum err_code engine_check(struct storage *storage, struct err *err)
{
    enum err_code rc = ERR_OK;

    engine_lock(storage);
    if (storage->failed) {
        rc = err_set(err, ERR_UNAVAILABLE, "storage failed: %s", storage->failure.message);
    }
    engine_unlock(storage);
    return rc;
}

enum err_code engine_lost(struct storage *storage, enum err_code rc, struct err *err)
{
    struct err failure = {.code = rc, .message = "the storage failed"};

    if (err != NULL) {
        failure = *err;
    }
    engine_fail(storage, &failure);
    return err_wrap(err, ERR_UNAVAILABLE, "storage failed");
}
