/* SPDX-License-Identifier: Apache-2.0 */
/* syncer.c: the thread that only syncs the log, and what follows from a finished sync.
 * Owns the moment when this host's acknowledgement counts, and the release of answers.
 * Never syncs again after a failed sync: what the disk holds is then unknown. */
#include "storage/engine.h"

#include "base/assert.h"
#include "base/clock.h"

void engine_release(struct storage *storage)
{
    uint64_t commit = isr_commit(&storage->isr);
    uint64_t before = storage->released;

    while (storage->released < storage->evaluated &&
           storage->jobs[storage->released % storage->options.queue_count_max].lsn_wait <= commit) {
        storage->released++;
    }
    if (storage->released > before && !storage->event_set) {
        storage->event_set = true;
        storage->news = true;
    }
    if (storage->closing) {
        (void)pthread_cond_signal(&storage->caller_wake); /* a signal cannot fail */
    }
    if (storage->frozen_state == FROZEN_WAITING && commit >= storage->frozen_position.lsn) {
        (void)pthread_cond_signal(&storage->checkpointer_wake);
    }
}

void engine_sync(struct storage *storage)
{
    uint64_t target = storage->last.lsn;
    struct err failure = ERR_INIT;
    uint64_t commit;
    uint64_t begun_us;
    uint64_t took_us;
    enum err_code rc;

    ASSERT(!storage->syncing);
    storage->syncing = true;
    engine_unlock(storage);
    begun_us = clock_precise_us();
    rc = wal_sync(storage->wal, &failure);
    took_us = clock_precise_us() - begun_us;
    if (rc != ERR_OK) {
        engine_fail(storage, &failure);
    }
    engine_lock(storage);
    storage->syncing = false;
    if (storage->failed) {
        return;
    }
    storage->sync_count++;
    storage->sync_us_total += took_us;
    storage->sync_us_max = took_us > storage->sync_us_max ? took_us : storage->sync_us_max;
    commit = isr_commit(&storage->isr);
    rc = isr_acknowledge(&storage->isr, 0, target, NULL);
    ASSERT(rc == ERR_OK);
    storage->commit_count += isr_commit(&storage->isr) - commit;
    engine_release(storage);
    (void)pthread_cond_signal(&storage->writer_wake);
}

void *syncer_main(void *arg)
{
    struct storage *storage = arg;

    engine_lock(storage);
    while (!storage->failed) {
        bool behind = storage->isr.members[0].lsn_durable < storage->last.lsn;

        if (behind && !storage->syncing) {
            engine_sync(storage);
        } else if (storage->writer_done && !behind) {
            break;
        } else {
            engine_wait(storage, &storage->syncer_wake, STORAGE_DISK_CHECK_MS);
        }
    }
    engine_unlock(storage);
    return NULL;
}
