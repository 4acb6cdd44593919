/* SPDX-License-Identifier: Apache-2.0 */
/* lock.c: the one lock, and who is woken when it is given back.
 * Owns the hand-over between the threads. Never wakes anybody while the lock is held: on a busy
 * processor the woken thread would run at once, only to wait for the lock. */
#include "storage/engine.h"

#include "base/assert.h"
#include "base/clock.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <time.h>

void engine_lock(struct storage *storage)
{
    int failed = pthread_mutex_lock(&storage->lock);

    ASSERT(failed == 0);
}

static void tell_caller(struct storage *storage)
{
    int failed = eventfd_write(storage->event, 1);

    ASSERT(failed == 0); /* event_set: the counter is at most 1 */
}

/* The other host first: it is the farthest away. A signal cannot fail. */
static void
wake_all(struct storage *storage, const struct engine_wakes *wakes, const struct engine_link *link)
{
    if (wakes->link && link->wake != NULL) {
        link->wake(link->arg);
    }
    if (wakes->caller) {
        tell_caller(storage);
    }
    if (wakes->syncer) {
        (void)pthread_cond_signal(&storage->syncer_wake);
    }
    if (wakes->writer) {
        (void)pthread_cond_signal(&storage->writer_wake);
    }
    if (wakes->checkpointer) {
        (void)pthread_cond_signal(&storage->checkpointer_wake);
    }
}

static bool any(const struct engine_wakes *wakes)
{
    return wakes->link || wakes->caller || wakes->writer || wakes->syncer || wakes->checkpointer;
}

void engine_unlock(struct storage *storage)
{
    struct engine_wakes wakes = storage->wakes;
    struct engine_link link = storage->link;
    int failed;

    storage->wakes = (struct engine_wakes){.link = false};
    failed = pthread_mutex_unlock(&storage->lock);
    ASSERT(failed == 0);
    if (any(&wakes)) {
        wake_all(storage, &wakes, &link);
    }
}

void engine_wait(struct storage *storage, pthread_cond_t *wake, uint64_t timeout_ms)
{
    uint64_t until_us = clock_precise_us() + timeout_ms * 1000;
    struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                             .tv_nsec = (long)(until_us % 1000000 * 1000)};
    int failed;

    if (any(&storage->wakes)) { /* as if woken for nothing: the world may change meanwhile */
        engine_unlock(storage);
        engine_lock(storage);
        return;
    }
    failed = pthread_cond_timedwait(wake, &storage->lock, &until);
    ASSERT(failed == 0 || failed == ETIMEDOUT);
}

void engine_wake_link(struct storage *storage)
{
    storage->wakes.link = storage->wakes.link || (!storage->link_told && !storage->link_awake);
    storage->link_told = true;
}
