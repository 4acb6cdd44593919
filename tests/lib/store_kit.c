/* SPDX-License-Identifier: Apache-2.0 */
/* store_kit.c: small helpers for tests of the storage.
 * Owns nothing that outlives a call. Never looks inside the storage. */
#include "tests/lib/store_kit.h"

#include "base/assert.h"

#include <poll.h>
#include <string.h>
#include <time.h>

#define KIT_TABLE 1

struct storage_options kit_options(const char *dir)
{
    return (struct storage_options){.dir = dir,
                                    .map_size = 64U << 20,
                                    .segment_size = 1U << 20,
                                    .wal_size_max = 4U << 20,
                                    .headroom_size = 1,
                                    .ballast_size = 4096};
}

enum err_code kit_run(struct storage_txn *txn, void *arg, struct err *err)
{
    struct kit_job *job = arg;
    enum err_code rc = ERR_OK;

    job->lsn = storage_lsn(txn);
    job->wall_ms = storage_now_ms(txn);
    for (uint32_t i = 0; rc == ERR_OK && i < job->count; i++) {
        struct span key = span_text(job->keys[i]);

        rc = job->values[i] == NULL
                 ? storage_delete(txn, KIT_TABLE, key, err)
                 : storage_put(txn, KIT_TABLE, key, span_text(job->values[i]), err);
    }
    if (rc == ERR_OK && job->result != ERR_OK) {
        rc = err_set(err, job->result, "as asked");
    }
    return rc;
}

void kit_done(void *arg, enum err_code rc, const struct err *err)
{
    struct kit_job *job = arg;

    ASSERT(!job->done);
    job->done = true;
    job->rc = rc;
    job->err = *err;
    if (job->order != NULL) {
        job->position = ++*job->order;
    }
}

enum err_code kit_start(struct storage *storage, struct kit_job *job)
{
    return storage_write(storage, kit_run, kit_done, job, &job->err);
}

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool kit_wait(struct storage *storage, const struct kit_job *job, int timeout_ms)
{
    int64_t until = now_ms() + timeout_ms;

    while (!job->done && now_ms() < until) {
        struct pollfd ready = {.fd = storage_fd(storage), .events = POLLIN};

        (void)poll(&ready, 1, 10); /* a timeout is looked at by the loop */
        storage_dispatch(storage);
    }
    return job->done;
}

enum err_code kit_put(struct storage *storage, const char *key, const char *value)
{
    struct kit_job job = {.keys = {key}, .values = {value}, .count = 1};
    enum err_code rc = kit_start(storage, &job);

    if (rc != ERR_OK) {
        return rc;
    }
    ASSERT(kit_wait(storage, &job, 30000));
    return job.rc;
}

struct kit_read {
    struct kit_job job;
    const char *key;
    const char *value;
    bool same;
};

static enum err_code run_read(struct storage_txn *txn, void *arg, struct err *err)
{
    struct kit_read *read = arg;
    struct span value = SPAN_NONE;
    enum err_code rc = storage_get(txn, KIT_TABLE, span_text(read->key), &value, err);

    read->same = rc == ERR_OK ? read->value != NULL && span_is(value, read->value)
                              : rc == ERR_NOT_FOUND && read->value == NULL;
    return ERR_OK;
}

static void done_read(void *arg, enum err_code rc, const struct err *err)
{
    struct kit_read *read = arg;

    kit_done(&read->job, rc, err);
}

bool kit_has(struct storage *storage, const char *key, const char *value)
{
    struct kit_read read = {.key = key, .value = value};

    return storage_read(storage, run_read, done_read, &read, &read.job.err) == ERR_OK &&
           kit_wait(storage, &read.job, 30000) && read.job.rc == ERR_OK && read.same;
}

bool kit_has_weak(struct storage *storage, const char *key, const char *value)
{
    struct kit_read read = {.key = key, .value = value};

    return storage_read_weak(storage, run_read, &read, &read.job.err) == ERR_OK && read.same;
}

bool kit_wait_applied(struct storage *storage, int timeout_ms)
{
    int64_t until = now_ms() + timeout_ms;
    struct storage_status status;

    do {
        struct timespec pause = {.tv_nsec = 1000000};

        (void)nanosleep(&pause, NULL);
        storage_status(storage, &status);
    } while (status.lsn_applied < status.lsn_commit && now_ms() < until);
    return status.lsn_applied == status.lsn_commit;
}
