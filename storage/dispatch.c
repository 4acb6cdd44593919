/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch.c: the caller's side: jobs in, answers out, weak reads.
 * Owns admission (queue, head-room, failure) and the delivery of each answer exactly once.
 * Never blocks: the lock is only ever held for a few instructions. Caller's thread only. */
#include "storage/engine.h"

#include "base/assert.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/eventfd.h>

/* A job that gives room back may go into the reserve, down to what one checkpoint needs. */
static enum err_code check_room(const struct storage *storage, enum job_kind kind, struct err *err)
{
    uint64_t share = kind == JOB_RECLAIM ? STORAGE_RECLAIM_SHARE : 1;

    if (storage->disk_free_size < storage->options.headroom_size / share) {
        return err_set(err, ERR_NOSPACE,
                       "%" PRIu64 " MiB free in %s, %" PRIu64
                       " needed: make room (removing the file ballast gives some)",
                       storage->disk_free_size / STORAGE_MIB, storage->options.dir,
                       storage->options.headroom_size / STORAGE_MIB);
    }
    if (storage->map_used_size + STORAGE_MAP_RESERVE / share > storage->options.map_size) {
        return err_set(err, ERR_NOSPACE,
                       "the map of %" PRIu64
                       " MiB is full: raise map_size, or keep records for a shorter time",
                       storage->options.map_size / STORAGE_MIB);
    }
    return ERR_OK;
}

static enum err_code admit(const struct storage *storage, enum job_kind kind, struct err *err)
{
    if (storage->failed) {
        return err_set(err, ERR_UNAVAILABLE, "storage failed: %s", storage->failure.message);
    }
    if (storage->closing) {
        return err_set(err, ERR_UNAVAILABLE, "storage is closing");
    }
    if (!storage->serving) {
        return err_set(err, ERR_UNAVAILABLE, "this host is not the primary");
    }
    if (storage->enqueued - storage->delivered >= storage->options.queue_count_max) {
        return err_set(err, ERR_FULL, "%" PRIu32 " jobs are waiting",
                       storage->options.queue_count_max);
    }
    return kind == JOB_READ ? ERR_OK : check_room(storage, kind, err);
}

/* One who evaluates looks again afterwards. Lock held. */
static void start_jobs(struct storage *storage)
{
    bool waits = storage->started == storage->evaluated && storage->started < storage->enqueued;

    storage->wakes.writer = storage->wakes.writer || waits;
    storage->started = storage->enqueued;
}

/* A job came in; true when the caller has to be told that it waits. Lock held. */
static bool cork_or_start(struct storage *storage)
{
    uint64_t waiting = storage->enqueued - storage->started;

    if (storage->on_corked == NULL || waiting >= STORAGE_CORK_COUNT_MAX) {
        start_jobs(storage);
        return false;
    }
    return waiting == 1;
}

void storage_cork(struct storage *storage, storage_corked_fn *on_corked, void *arg)
{
    engine_lock(storage);
    storage->on_corked = on_corked;
    storage->corked_arg = arg;
    start_jobs(storage);
    engine_unlock(storage);
}

void storage_uncork(struct storage *storage)
{
    engine_lock(storage);
    start_jobs(storage);
    engine_unlock(storage);
}

static enum err_code enqueue(struct storage *storage, const struct job *job, struct err *err)
{
    bool corked = false;
    enum err_code rc;

    ASSERT(job->fn != NULL);
    ASSERT(job->on_done != NULL);
    engine_lock(storage);
    rc = admit(storage, job->kind, err);
    if (rc == ERR_OK) {
        struct job *slot = &storage->jobs[storage->enqueued % storage->options.queue_count_max];

        slot->fn = job->fn;
        slot->on_done = job->on_done;
        slot->arg = job->arg;
        slot->kind = job->kind;
        slot->echo_wait = storage->ping_sent + 1;
        if (job->kind == JOB_READ && storage->peer_required) {
            /* Asked for at once, the echo is on its way while the job is evaluated. */
            storage->echo_wanted = slot->echo_wait;
            engine_wake_link(storage);
        }
        storage->enqueued++;
        corked = cork_or_start(storage);
    }
    engine_unlock(storage);
    if (corked) {
        storage->on_corked(storage->corked_arg);
    }
    return rc;
}

enum err_code storage_write(struct storage *storage,
                            storage_job_fn *fn,
                            storage_done_fn *on_done,
                            void *arg,
                            struct err *err)
{
    struct job job = {.fn = fn, .on_done = on_done, .arg = arg, .kind = JOB_WRITE};

    return enqueue(storage, &job, err);
}

enum err_code storage_read(struct storage *storage,
                           storage_job_fn *fn,
                           storage_done_fn *on_done,
                           void *arg,
                           struct err *err)
{
    struct job job = {.fn = fn, .on_done = on_done, .arg = arg, .kind = JOB_READ};

    return enqueue(storage, &job, err);
}

enum err_code storage_reclaim(struct storage *storage,
                              storage_job_fn *fn,
                              storage_done_fn *on_done,
                              void *arg,
                              struct err *err)
{
    struct job job = {.fn = fn, .on_done = on_done, .arg = arg, .kind = JOB_RECLAIM};

    return enqueue(storage, &job, err);
}

int storage_fd(const struct storage *storage)
{
    return storage->event;
}

/* The next answer, out of its slot: a callback may fill the slot again. */
static bool take_answer(struct storage *storage, struct job *ret_job)
{
    bool due;

    engine_lock(storage);
    due = storage->delivered < storage->released;
    if (due) {
        *ret_job = storage->jobs[storage->delivered % storage->options.queue_count_max];
        storage->delivered++;
    }
    engine_unlock(storage);
    return due;
}

void storage_dispatch(struct storage *storage)
{
    struct job job;

    for (uint32_t i = 0; i < STORAGE_DISPATCH_COUNT_MAX && take_answer(storage, &job); i++) {
        job.on_done(job.arg, job.rc, &job.err);
    }
    engine_lock(storage);
    if (storage->delivered == storage->released && storage->event_set) {
        eventfd_t count;

        /* Nothing there yet: it is about to be told, and then it comes here again. */
        storage->event_set = eventfd_read(storage->event, &count) != 0;
    }
    engine_unlock(storage);
    /* After the event was taken back: what comes while this runs tells the caller anew. */
    backup_dispatch(storage);
    if (storage->link.dispatch != NULL) {
        storage->link.dispatch(storage->link.arg);
    }
}

enum err_code
storage_read_weak(struct storage *storage, storage_job_fn *fn, void *arg, struct err *err)
{
    struct storage_txn txn = {.view = storage->view_weak};
    enum err_code rc;

    engine_lock(storage);
    txn.lsn = storage->lsn_applied;
    txn.wall_ms = storage->applied_wall_ms;
    engine_unlock(storage);
    rc = store_view_renew(storage->view_weak, err);
    if (rc == ERR_OK) {
        rc = fn(&txn, arg, err);
        store_view_reset(storage->view_weak);
    }
    return rc;
}
