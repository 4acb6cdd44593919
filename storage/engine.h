/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h: the storage's inside, shared by its own files only (storage.c, lock.c, start.c,
 * dispatch.c, txn.c, apply.c, writer.c, syncer.c, checkpoint.c, engine_*.c, backup.c).
 *
 *   caller ── jobs ──> writer ── record ──> syncer ── durable ──> answers ──> caller
 *                        │ changes
 *                        └─ memtable, full or old enough ──> checkpointer ──> LMDB
 *
 * The speculative state is three layers: what the writer has changed since the last freeze
 * (active), what a checkpoint is folding (frozen), and LMDB. LMDB only ever gets committed records,
 * so nothing has to be undone there, and the writer never waits for an LMDB commit.
 *
 * As one of two (engine_pair.h) the storage has a role. Idle or standby, the replication thread
 * appends what the primary sent and the writer applies what is committed of it, through a reader of
 * the log; as primary the writer alone appends. The tip is the last record in the speculative
 * state; as primary it is the last one of the log before any job is evaluated.
 *
 * Jobs live in one ring, in order; five counters that only grow say how far each stage is:
 * delivered <= released <= evaluated <= started <= enqueued. One mutex guards what the threads
 * share. It is never held during I/O or a caller's function. */
#ifndef STORAGE_ENGINE_H
#define STORAGE_ENGINE_H

#include "storage/engine_pair.h"
#include "storage/isr.h"
#include "storage/limits.h"
#include "storage/memtable.h"
#include "storage/promise.h"
#include "storage/record.h"
#include "storage/storage.h"
#include "storage/store.h"
#include "storage/wal.h"
#include "storage/wal_reader.h"

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
    uint64_t lsn_wait;  /* answered when this is committed, */
    uint64_t echo_wait; /* and, while the peer is required, this ping or a later one echoed */
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

/* Who is to be woken: noted while the lock is held, done when it is given back. */
struct engine_wakes {
    bool link;
    bool caller;
    bool writer;
    bool syncer;
    bool checkpointer;
};

/* The threads whose turns are counted. */
enum engine_thread { ENGINE_WRITER, ENGINE_SYNCER, ENGINE_CHECKPOINTER };

struct storage {
    /* Set by storage_open. */
    struct storage_options options; /* resolved; dir is owned */
    int lock_file;
    int event;
    struct store *store;                     /* owned; folded by the checkpointer only */
    struct wal *wal;                         /* owned */
    struct store_meta identity;              /* as it was at the start: ids never change */
    pthread_t threads[STORAGE_THREAD_COUNT]; /* writer, syncer, checkpointer */
    uint32_t thread_count;                   /* started, in this order */
    bool paired;                             /* one of two: engine_pair.h */

    /* The caller's. */
    struct store_view *view_weak;

    /* The writer's; the frozen table is read by the checkpointer while FROZEN_WAITING. */
    struct store_view *view;
    struct memtable *active;
    struct memtable *frozen;
    struct memtable *changes;
    uint64_t active_since_ms; /* boot time of the first change in active */
    struct wal_reader *apply_reader;

    /* The replication thread's. */
    struct promise *promise;
    struct wal_reader *find_reader;
    struct wal_reader *ship_reader;
    struct store_incoming *incoming; /* NULL: no snapshot is being received */
    struct record_position incoming_position;
    bool incoming_diverged;
    /* Of the last one that did not fit. */
    uint64_t refused_ms;   /* boot time; 0: none */
    uint64_t refused_size; /* free disk that it would need at the least */
    bool refused_map;      /* it was the map that is too small */

    /* Shared, under the lock. */
    pthread_mutex_t lock;
    pthread_cond_t writer_wake;
    pthread_cond_t syncer_wake;
    pthread_cond_t checkpointer_wake;
    pthread_cond_t caller_wake;   /* storage_close only */
    pthread_cond_t quiet_wake;    /* engine_cut only: a sync, a turn of applying, … has ended */
    storage_corked_fn *on_corked; /* the caller's, as its arg; NULL: jobs start at once */
    void *corked_arg;
    struct job *jobs; /* owned ring */
    uint64_t enqueued;
    uint64_t started; /* the writer may take these; the others wait for storage_uncork */
    uint64_t evaluated;
    uint64_t released;
    uint64_t delivered;
    struct isr isr;
    struct record_position last;                             /* appended */
    struct record_position durable;                          /* of that, synced here */
    struct record_position tip;                              /* of that, in the speculative state */
    uint64_t hash_first;                                     /* the oldest LSN whose hash is kept */
    uint8_t hashes[STORAGE_WINDOW_COUNT][STORAGE_HASH_SIZE]; /* by LSN */
    struct record_position frozen_position; /* the last record in the frozen table */
    enum frozen_state frozen_state;
    enum replica_role role;    /* alone a storage is always the primary */
    bool event_set;            /* the caller is told, or about to be */
    struct engine_wakes wakes; /* whoever has the lock does it when he gives it back */
    bool syncing;              /* somebody is in wal_sync */
    bool preparing;            /* the checkpointer is in wal_prepare */
    bool applying;             /* the writer reads the log */
    bool cutting;              /* and none of these may begin */
    bool flush;       /* checkpoint as soon as possible: close, or the log's budget is used up */
    bool wal_blocked; /* no segment can be made before the next checkpoint */
    bool closing;
    bool ending; /* closing, and the link is gone: the writer may end */
    bool failed;
    bool swept;         /* after a failure all jobs are answered */
    bool writer_done;   /* the writer has ended: nothing is appended any more */
    bool serving;       /* jobs are accepted */
    bool peer_required; /* its acknowledgements and echoes */
    bool room_wanted;   /* the replication thread waits for the next segment */
    bool link_told;     /* there is news, and the link has not asked yet */
    bool link_awake;    /* the link asks before it waits: it need not be woken */
    struct err failure;
    uint64_t disk_free_size;
    uint64_t map_used_size;
    uint64_t pins[STORAGE_SNAPSHOT_COUNT_MAX]; /* views that may last, by store_view_id; 0: none */
    struct record_position folded;             /* in LMDB */
    uint64_t lsn_applied;
    uint64_t applied_wall_ms;
    uint64_t commit_count;
    uint64_t sync_count;
    uint64_t sync_us_total;
    uint64_t sync_us_max;
    uint64_t checkpoint_count;
    uint64_t turn_counts[STORAGE_THREAD_COUNT];
    uint64_t sync_begun_ms; /* boot time; while syncing */
    uint64_t sync_slow_ms;  /* when a sync last took too long; 0: never */

    /* One of two. */
    uint64_t epoch;          /* of the last start record appended here */
    uint64_t epoch_followed; /* of the session as standby; 0: none yet */
    uint64_t epoch_wanted;   /* the writer is to append its start record; 0: none */
    uint64_t epoch_begun;    /* the last one so begun; 0: none */
    uint64_t lsn_start;      /* the start record with which this host began to lead */
    uint64_t lsn_known;      /* idle, standby: committed, as the primary says */
    uint64_t ping_sent;
    uint64_t ping_echoed;
    uint64_t echo_wanted;
    uint64_t promised;
    uint64_t lineage;
    struct engine_link link;

    /* A backup (backup.c). */
    struct backup *backup; /* the caller's; NULL: none is being written */
    uint64_t settle_lsn;   /* it waits until all changes up to there are in LMDB; 0: it does not */
    bool settled;          /* they are */
    pthread_cond_t settle_wake;
};

void engine_lock(struct storage *storage);
void engine_unlock(struct storage *storage); /* then wakes who is noted in wakes */
/* Waits at most timeout_ms for the condition, or not at all; the lock is held. */
void engine_wait(struct storage *storage, pthread_cond_t *wake, uint64_t timeout_ms);

/* A fatal error: nothing is served any more; the writer answers everybody. Lock not held. The first
 * reason stays. */
void engine_fail(struct storage *storage, const struct err *failure);
/* What is committed: as primary by the ISR, else as far as it is known and durable here. Lock held.
 */
uint64_t engine_commit_lsn(const struct storage *storage);
/* Tells the replication thread that there is news, when the lock is given back. Lock held. */
void engine_wake_link(struct storage *storage);
/* A record was appended: it is the last, its hash is kept. Lock held. */
void engine_appended(struct storage *storage, const struct record_position *position);
/* A thread begins a turn. Lock held. */
void engine_turn(struct storage *storage, enum engine_thread thread);
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

/* The changes of a record become part of the active table, which has room. Writer, or nobody else
 * running. ERR_CORRUPT. */
enum err_code
engine_apply(struct storage *storage, struct span payload, struct err *err) WARN_UNUSED;
/* How many changes a payload holds. ERR_CORRUPT: not only whole ones. */
enum err_code
engine_count_changes(struct span payload, size_t *ret_count, struct err *err) WARN_UNUSED;
/* True when there are committed records that are not in the state. Lock held. */
bool engine_can_apply(const struct storage *storage);
/* The writer has something to do now that records are durable or committed. Lock held. */
void engine_wake_writer(struct storage *storage);
/* Applies some of them. Writer; lock held, dropped meanwhile. */
void engine_apply_some(struct storage *storage);
/* Appends the wanted epoch's start record. Writer; lock held, dropped meanwhile. */
void engine_begin_wanted(struct storage *storage);

/* engine_pair.c. ERR_UNAVAILABLE after a failure. Lock not held. */
enum err_code engine_check(struct storage *storage, struct err *err) WARN_UNUSED;
/* Fails the engine with *err, whose code is rc; returns ERR_UNAVAILABLE. Lock not held. */
enum err_code engine_lost(struct storage *storage, enum err_code rc, struct err *err) WARN_UNUSED;

/* start.c. ERR_CONFLICT: the store is one of two, and is not to be opened alone. */
enum err_code engine_check_alone(const struct storage *storage, struct err *err) WARN_UNUSED;
/* One host alone: replays the log, begins an epoch. Nobody else is running. */
enum err_code engine_start_alone(struct storage *storage, struct err *err) WARN_UNUSED;
/* One of two: opens the promise, stays idle. */
enum err_code engine_start_idle(struct storage *storage, struct err *err) WARN_UNUSED;

/* storage.c. cluster_id NULL: alone. */
enum err_code engine_open(const struct storage_options *options,
                          const uint8_t *cluster_id,
                          struct storage **ret_storage,
                          struct err *err) WARN_UNUSED;

/* backup.c. In storage_dispatch and storage_close, caller's thread: delivers a backup that is done;
 * ends one that is not. Lock not held. */
void backup_dispatch(struct storage *storage);
void backup_stop(struct storage *storage);

void *writer_main(void *arg);
void *syncer_main(void *arg);
void *checkpointer_main(void *arg);

#endif
