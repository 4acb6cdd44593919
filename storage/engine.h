/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h: the storage's inside, shared by its own files only (storage.c, dispatch.c, txn.c,
 * writer.c, syncer.c, checkpoint.c).
 *
 *   caller ── jobs ──> writer ── record ──> syncer ── durable ──> answers ──> caller
 *                        │ changes
 *                        └─ memtable, full or old enough ──> checkpointer ──> LMDB
 *
 * The speculative state is three layers: what the writer has changed since the last freeze
 * (active), what a checkpoint is folding (frozen), and LMDB. LMDB only ever gets committed records,
 * so nothing has to be undone there, and the writer never waits for an LMDB commit.
 *
 * Jobs live in one ring, in order; four counters that only grow say how far each stage is:
 * delivered <= released <= evaluated <= enqueued. One mutex guards what the threads share. It is
 * never held during I/O or a caller's function. */
#ifndef STORAGE_ENGINE_H
#define STORAGE_ENGINE_H

#include "storage/isr.h"
#include "storage/limits.h"
#include "storage/memtable.h"
#include "storage/record.h"
#include "storage/storage.h"
#include "storage/store.h"
#include "storage/wal.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define STORAGE_LOCK_FILE    "lock"
#define STORAGE_BALLAST_FILE "ballast"
#define STORAGE_FAILED_FILE  "failed"

enum job_kind { JOB_WRITE, JOB_READ, JOB_RECLAIM };

struct job {
    storage_job_fn *fn;
    storage_done_fn *on_done;
    void *arg; /* the caller's; handed back to on_done */
    enum job_kind kind;
    enum err_code rc;
    uint64_t lsn_wait; /* answered when this is committed */
    struct err err;
};

/* What the layers of a job's reads are, and where its changes go. */
struct storage_txn {
    struct store_view *view;
    const struct memtable *frozen; /* NULL: no such layer */
    const struct memtable *active;
    struct memtable *changes; /* this job's own; NULL: it may not change anything */
    uint8_t *payload;         /* where changes are encoded */
    size_t payload_start;     /* of this job */
    size_t payload_size;
    uint64_t wall_ms;
    uint64_t lsn;
    bool broken; /* the store failed under it */
    struct err failure;
};

enum frozen_state {
    FROZEN_NONE,    /* the frozen table is empty; the writer may freeze */
    FROZEN_WAITING, /* waits for the commit of its last record, then for the fold */
    FROZEN_DONE     /* is in LMDB; the writer moves its view, then empties the table */
};

struct storage {
    /* Set by storage_open. */
    struct storage_options options; /* resolved; dir is owned */
    int lock_file;
    int event;
    struct store *store;        /* owned; folded by the checkpointer only */
    struct wal *wal;            /* owned */
    struct store_meta identity; /* as it was at the start: ids never change */
    uint64_t epoch;
    uint64_t lsn_start;    /* the record that began this epoch */
    pthread_t threads[3];  /* writer, syncer, checkpointer */
    uint32_t thread_count; /* started, in this order */

    /* The caller's. */
    struct store_view *view_weak;

    /* The writer's; the frozen table is read by the checkpointer while FROZEN_WAITING. */
    struct store_view *view;
    struct memtable *active;
    struct memtable *frozen;
    struct memtable *changes;
    uint64_t active_since_ms; /* boot time of the first change in active */

    /* Shared, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t writer_wake;
    pthread_cond_t syncer_wake;
    pthread_cond_t checkpointer_wake;
    pthread_cond_t caller_wake; /* storage_close only */
    struct job *jobs;           /* owned ring */
    uint64_t enqueued;
    uint64_t evaluated;
    uint64_t released;
    uint64_t delivered;
    bool event_set; /* the caller is told, or about to be */
    bool news;      /* whoever has the lock tells the caller when he gives it back */
    struct isr isr;
    struct record_position last;                             /* appended */
    uint8_t hashes[STORAGE_WINDOW_COUNT][STORAGE_HASH_SIZE]; /* by LSN */
    enum frozen_state frozen_state;
    struct record_position frozen_position; /* the last record in it */
    bool syncing;                           /* somebody is in wal_sync */
    bool flush;       /* checkpoint as soon as possible: close, or the log's budget is used up */
    bool wal_blocked; /* no segment can be made before the next checkpoint */
    bool closing;
    bool failed;
    bool swept;       /* after a failure all jobs are answered */
    bool writer_done; /* the writer has ended: nothing is appended any more */
    struct err failure;
    uint64_t disk_free_size;
    uint64_t map_used_size;
    uint64_t lsn_applied;
    uint64_t applied_wall_ms;
    uint64_t commit_count;
    uint64_t sync_count;
    uint64_t sync_us_total;
    uint64_t sync_us_max;
    uint64_t checkpoint_count;
};

void engine_lock(struct storage *storage);
void engine_unlock(struct storage *storage); /* tells the caller what was released */
/* Waits at most timeout_ms for the condition, or not at all; the lock is held. */
void engine_wait(struct storage *storage, pthread_cond_t *wake, uint64_t timeout_ms);

/* A fatal error: nothing is served any more; the writer answers everybody. Lock not held. The first
 * reason stays. */
void engine_fail(struct storage *storage, const struct err *failure);
/* Lets go of the answers whose records are committed; wakes who waits for that. Lock held. */
void engine_release(struct storage *storage);
/* Syncs the log and counts this host's acknowledgement. Lock held, dropped meanwhile; nobody else
 * is syncing. */
void engine_sync(struct storage *storage);
/* Looks at the disk and the map. Lock not held; checkpointer, or nobody else running. */
enum err_code engine_measure(struct storage *storage, struct err *err) WARN_UNUSED;
/* Folds a table into LMDB. Checkpointer, or nobody else running. */
enum err_code engine_fold(struct storage *storage,
                          const struct memtable *table,
                          const struct record_position *position,
                          struct err *err) WARN_UNUSED;

void *writer_main(void *arg);
void *syncer_main(void *arg);
void *checkpointer_main(void *arg);

#endif
