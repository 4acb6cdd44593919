/* SPDX-License-Identifier: Apache-2.0 */
/* syncer.c: the thread that only syncs the log, and what follows from a finished sync.
 * Owns the moment when this host's acknowledgement counts, and the release of answers.
 * Never syncs again after a failed sync: what the disk holds is then unknown. */
#include "storage/engine.h"

#include "base/assert.h"
#include "base/clock.h"
#include "storage/mutant.h"

uint64_t engine_commit_lsn(const struct storage *storage)
{
    uint64_t known = storage->lsn_known;

    if (storage->role == REPLICA_PRIMARY) {
        return isr_commit(&storage->isr);
    }
    return known < storage->durable.lsn ? known : storage->durable.lsn;
}

/* Lock held. A job whose records are committed may have to wait for an echo; then it is asked for.
 */
static bool may_go(struct storage *storage, const struct job *job, uint64_t commit)
{
    if (job->lsn_wait > commit) {
        return false;
    }
    if (!storage->peer_required || job->echo_wait <= storage->ping_echoed ||
        MUTANT(release_without_echo)) {
        return true;
    }
    if (job->echo_wait > storage->echo_wanted) {
        storage->echo_wanted = job->echo_wait;
    }
    engine_wake_link(storage);
    return false;
}

void engine_release(struct storage *storage)
{
    uint64_t commit = engine_commit_lsn(storage);
    uint64_t before = storage->released;

    while (storage->released < storage->evaluated &&
           may_go(storage, &storage->jobs[storage->released % storage->options.queue_count_max],
                  commit)) {
        storage->released++;
    }
    if (storage->role == REPLICA_PRIMARY && commit >= storage->lsn_start) {
        storage->serving = true;
    }
    if (storage->released > before && !storage->event_set) {
        storage->event_set = true;
        storage->wakes.caller = true;
    }
    if (storage->closing) {
        (void)pthread_cond_signal(&storage->caller_wake); /* a signal cannot fail */
    }
    if (storage->frozen_state == FROZEN_WAITING && commit >= storage->frozen_position.lsn) {
        storage->wakes.checkpointer = true;
    }
}

void engine_sync(struct storage *storage)
{
    struct record_position target = storage->last;
    struct err failure = ERR_INIT;
    uint64_t commit;
    uint64_t begun_us;
    uint64_t took_us;
    enum err_code rc;

    ASSERT(!storage->syncing);
    storage->syncing = true;
    storage->sync_begun_ms = clock_boot_ms(storage->options.clock);
    engine_unlock(storage);
    begun_us = clock_precise_us();
    rc = wal_sync(storage->wal, &failure);
    if (rc != ERR_OK && MUTANT(sync_retried)) {
        rc = wal_sync(storage->wal, &failure);
    }
    took_us = clock_precise_us() - begun_us;
    if (rc != ERR_OK) {
        engine_fail(storage, &failure);
    }
    engine_lock(storage);
    storage->syncing = false;
    (void)pthread_cond_signal(&storage->quiet_wake); /* a signal cannot fail */
    if (storage->failed) {
        return;
    }
    if (took_us > STORAGE_SYNC_SLOW_MS * 1000ULL) {
        storage->sync_slow_ms = clock_boot_ms(storage->options.clock);
    }
    storage->sync_count++;
    storage->sync_us_total += took_us;
    storage->sync_us_max = took_us > storage->sync_us_max ? took_us : storage->sync_us_max;
    commit = engine_commit_lsn(storage);
    storage->durable = target;
    if (storage->role == REPLICA_PRIMARY) {
        rc = isr_acknowledge(&storage->isr, 0, target.lsn, NULL);
        ASSERT(rc == ERR_OK);
    }
    engine_release(storage);
    if (storage->role != REPLICA_PRIMARY || engine_commit_lsn(storage) > commit) {
        engine_wake_link(storage); /* a standby acknowledges; a primary may have to tell */
    }
    storage->commit_count += engine_commit_lsn(storage) - commit;
    engine_wake_writer(storage);
}

void *syncer_main(void *arg)
{
    struct storage *storage = arg;

    engine_lock(storage);
    while (!storage->failed) {
        bool behind = storage->durable.lsn < storage->last.lsn;

        engine_turn(storage, ENGINE_SYNCER);
        if (behind && !storage->syncing && !storage->cutting) {
            engine_sync(storage);
        } else if (storage->writer_done && !behind) {
            break;
        } else {
            engine_wait(storage, &storage->syncer_wake, STORAGE_TURN_MS);
        }
    }
    engine_unlock(storage);
    return NULL;
}
