/* SPDX-License-Identifier: Apache-2.0 */
/* store_kit.h: small helpers for tests of the storage: open with small sizes, one job at a time,
 * waiting for answers. One thread. */
#ifndef TESTS_LIB_STORE_KIT_H
#define TESTS_LIB_STORE_KIT_H

#include "storage/storage.h"

#include <stdbool.h>
#include <stdint.h>

/* Options for a small store in dir: 1 MiB segments, a small map, no ballast to speak of. */
struct storage_options kit_options(const char *dir);

#define KIT_CHANGE_COUNT_MAX 8

/* A job that puts (or deletes, where value is NULL) up to 8 pairs into table 1 and then returns
 * result. Lives until its answer. */
struct kit_job {
    const char *keys[KIT_CHANGE_COUNT_MAX];
    const char *values[KIT_CHANGE_COUNT_MAX];
    uint32_t *order; /* when not NULL: counts answers; position gets the count */
    uint64_t lsn;    /* filled, as all that follows but count and result */
    uint64_t wall_ms;
    struct err err;
    uint32_t count;
    enum err_code result;
    enum err_code rc;
    uint32_t position;
    bool done;
};

enum err_code kit_run(struct storage_txn *txn, void *arg, struct err *err);
void kit_done(void *arg, enum err_code rc, const struct err *err);

/* Queues the job. */
enum err_code kit_start(struct storage *storage, struct kit_job *job);
/* Dispatches until the job is done or timeout_ms have passed; true when done. */
bool kit_wait(struct storage *storage, const struct kit_job *job, int timeout_ms);
/* Puts one pair and waits for the answer. */
enum err_code kit_put(struct storage *storage, const char *key, const char *value);
/* A strong read; true when the key has that value (NULL: is absent). */
bool kit_has(struct storage *storage, const char *key, const char *value);
/* The same without waiting, as a weak read. */
bool kit_has_weak(struct storage *storage, const char *key, const char *value);
/* Waits until everything committed is checkpointed; false after timeout_ms. */
bool kit_wait_applied(struct storage *storage, int timeout_ms);

#endif
