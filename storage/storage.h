/* SPDX-License-Identifier: Apache-2.0 */
/* storage.h: a replicated key-value store: LMDB as state, a write-ahead log as truth.
 *
 * Knows bytes, keys and LSNs, never what they mean. All changes of one write are one atomic part
 * of a WAL record; the record is committed when it is durable on every host of the in-sync set
 * (ISR), and only then is anybody told. Three threads of its own: the writer evaluates jobs on
 * the speculative state, the syncer only syncs the log, the checkpointer folds what is committed
 * into LMDB. The caller's thread (the event loop) calls the functions below and receives every
 * answer inside storage_dispatch; there is no other hand-over.
 *
 * Promises: a job's answer is delivered exactly once, on the caller's thread, in the order of
 * commitment, and after everything that the job could have seen is committed. ERR_OK or the job's
 * own error code are therefore strong answers. ERR_UNKNOWN_FATE says that authority was lost
 * (an fsync error, shutdown by force): retry elsewhere with the same key.
 *
 * Files in the data directory: state.mdb (LMDB: the state as of the last checkpoint), wal-*.seg
 * (the log), lock, ballast, and failed (why the last process stopped serving; removed by the next
 * start); as one of two also promise-0 and -1 (promise.h), for a moment wal-cut (wal.h),
 * incoming.mdb and installing (install.h), and after a divergence diverged-<LSN>.mdb with
 * diverged-<LSN>-<number>.seg; while a backup is being put in place, restoring, and then restored
 * (restore.h). Below the head-room writes are refused with ERR_NOSPACE and reads go on. The admin
 * may then delete ballast, which frees its size at once; within a second writes go on. The next
 * start with plenty of room makes it again. */
#ifndef STORAGE_STORAGE_H
#define STORAGE_STORAGE_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct clock;
struct disk;
struct rng;
struct storage;
struct storage_txn;

#define STORAGE_ID_SIZE      16 /* bytes of a cluster id or a store id */
#define STORAGE_HASH_SIZE    16 /* bytes of a record's hash (siphash.h says which and why) */
#define STORAGE_THREAD_COUNT 3  /* threads of its own, besides the link's */

struct storage_options {
    const char *dir;           /* data directory, must exist, owned by this user, mode 0700 */
    const struct disk *disk;   /* how files are reached; NULL: this host's (disk_host()) */
    const struct clock *clock; /* NULL: this host's */
    const struct rng *rng;     /* NULL: this host's */
    uint64_t map_size;         /* bytes of address space for LMDB, fixed; 0: the default */
    uint64_t segment_size;     /* bytes of one WAL segment; 0: the default */
    uint64_t wal_size_max;     /* bytes of WAL kept at most; 0: the default */
    uint64_t headroom_size;    /* bytes of free disk below which writes are refused; 0: default */
    uint64_t ballast_size;     /* bytes of the ballast file; 0: the default */
    uint32_t checkpoint_ms;    /* longest time between checkpoints under load; 0: the default */
    uint32_t queue_count_max;  /* jobs waiting for the writer; 0: the default */
};

/* Opens or creates the store, replays the WAL, starts the threads. Blocks (disk). Errors:
 * ERR_CONFLICT (the store is one of two: it has promised an epoch, or has a lineage, and was not
 * just restored), ERR_BUSY (another process holds the directory), ERR_DENIED (wrong owner or mode,
 * not writable), ERR_CORRUPT (with the file, segment and record), ERR_NOSPACE, ERR_IO, ERR_NOMEM.
 */
enum err_code storage_open(const struct storage_options *options,
                           struct storage **ret_storage,
                           struct err *err) WARN_UNUSED;

/* Refuses new jobs, answers all accepted ones (a last dispatch runs inside), checkpoints, stops the
 * threads, releases the directory. Blocks: on the disk, and as one of two for STORAGE_CLOSE_WAIT_MS
 * on the other host's acknowledgements. NULL is allowed. After a fatal error, or when these have
 * not come by then, the unanswered jobs get ERR_UNKNOWN_FATE. */
void storage_close(struct storage *storage);

/* Readable when storage_dispatch has answers. Owned by the storage. */
int storage_fd(const struct storage *storage);
/* Delivers the answers that are due, at most a bounded batch; the descriptor stays readable while
 * there are more. Never blocks. Callbacks may call storage_write and storage_read, not close. */
void storage_dispatch(struct storage *storage);

/* A job: runs on the writer thread, reads and changes keys through txn, must not block, must not
 * keep anything it got from txn. On any code but ERR_OK none of its changes happen; the code and
 * *err reach on_done. Jobs see all changes of the jobs before them. */
typedef enum err_code storage_job_fn(struct storage_txn *txn, void *arg, struct err *err);
/* On the caller's thread, exactly once for each accepted job. *err is valid during the call. */
typedef void storage_done_fn(void *arg, enum err_code rc, const struct err *err);

/* Queues a job. arg belongs to the storage's threads until on_done gets it back. ERR_FULL when the
 * queue is full, ERR_NOSPACE below the head-room, ERR_UNAVAILABLE after a fatal error or during
 * close: then on_done is not called and arg stays with the caller. Never blocks. */
enum err_code storage_write(struct storage *storage,
                            storage_job_fn *fn,
                            storage_done_fn *on_done,
                            void *arg,
                            struct err *err) WARN_UNUSED;

/* As storage_write, for jobs that in the end give room back (pruning, ending what is over):
 * accepted still when storage_write says ERR_NOSPACE, until only one checkpoint's room is left.
 * Without it a full store could never be emptied. */
enum err_code storage_reclaim(struct storage *storage,
                              storage_job_fn *fn,
                              storage_done_fn *on_done,
                              void *arg,
                              struct err *err) WARN_UNUSED;

/* Queues a strong read: as storage_write, but the job must not change anything; it sees the
 * speculative state, and on_done waits until all of that is committed (and, when paired, until
 * authority was confirmed after the read began). Not refused for lack of disk. */
enum err_code storage_read(struct storage *storage,
                           storage_job_fn *fn,
                           storage_done_fn *on_done,
                           void *arg,
                           struct err *err) WARN_UNUSED;

/* Called inside storage_write, _reclaim and _read when a job is the first that waits; may not call
 * the storage. */
typedef void storage_corked_fn(void *arg);

/* Jobs that come in one turn of the caller's loop shall share a record, and with it one write, one
 * sync and one message to the other host: with on_corked a job that is queued waits for
 * storage_uncork, which the caller calls soon after it was told (at the end of the loop's turn), or
 * until STORAGE_CORK_COUNT_MAX wait. NULL, as at first: jobs start at once. Never blocks. */
void storage_cork(struct storage *storage, storage_corked_fn *on_corked, void *arg);
/* Starts all jobs that wait. Whoever waits for an answer in a loop of its own calls it first. */
void storage_uncork(struct storage *storage);

/* Where a backup stands in the log, and how large it is. */
struct storage_backup_result {
    uint64_t lsn; /* the last record in it */
    uint64_t epoch;
    uint64_t wall_ms; /* of that record */
    uint64_t pair_count;
    uint64_t size; /* bytes of the file */
    uint8_t hash[STORAGE_HASH_SIZE];
};

/* As storage_done_fn; result is NULL unless rc is ERR_OK. */
typedef void storage_backup_fn(void *arg,
                               enum err_code rc,
                               const struct storage_backup_result *result,
                               const struct err *err);

/* Writes a consistent copy of the state (backup_format.h) to path, on a thread of its own, in any
 * role, while writes go on. All that was committed when this was called is in it. The file is made
 * whole as path.part, then synced and renamed; it replaces an older one. Its directory exists.
 * on_done comes as the answer of a job does. ERR_BUSY: one is being written; ERR_UNAVAILABLE,
 * ERR_NOMEM, ERR_TOO_LARGE (path): on_done is not called. Later: ERR_NOSPACE (the disk or the map
 * would come near its head-room; what was written is removed), ERR_TIMEOUT (no checkpoint came
 * about), ERR_IO, ERR_UNAVAILABLE (closed, or the storage failed). */
enum err_code storage_backup(struct storage *storage,
                             const char *path,
                             storage_backup_fn *on_done,
                             void *arg,
                             struct err *err) WARN_UNUSED;

/* A weak read runs fn at once on the caller's thread, on the state of the last checkpoint: stale by
 * up to checkpoint_ms, never wrong. For metrics, exports and long listings. fn is bounded by its
 * caller: a long one pins pages. */
enum err_code storage_read_weak(struct storage *storage,
                                storage_job_fn *fn,
                                void *arg,
                                struct err *err) WARN_UNUSED;

/* Inside a job. Tables are one byte; keys are 1 to STORAGE_KEY_SIZE_MAX bytes, values up to
 * STORAGE_VALUE_SIZE_MAX (limits.h). Errors besides those named: ERR_FATAL (the store is lost to
 * this process; return it). */
/* ERR_NOT_FOUND when absent. The value stays valid until the job returns. Sees this job's puts. */
enum err_code storage_get(struct storage_txn *txn,
                          uint8_t table,
                          struct span key,
                          struct span *ret_value,
                          struct err *err) WARN_UNUSED;
/* Copies key and value. ERR_TOO_LARGE, ERR_FULL (the job changes too much). */
enum err_code storage_put(struct storage_txn *txn,
                          uint8_t table,
                          struct span key,
                          struct span value,
                          struct err *err) WARN_UNUSED;
/* Deleting what is absent is ERR_OK. */
enum err_code storage_delete(struct storage_txn *txn,
                             uint8_t table,
                             struct span key,
                             struct err *err) WARN_UNUSED;
/* Calls visit for each pair of the table from key on (inclusive; an empty key: from the first, or
 * from the last when reverse), in key order or in reverse, until visit returns false or the table
 * ends. Does not see this job's own changes; visit must not change keys itself. Spans are valid
 * until the job returns. */
typedef bool storage_visit_fn(void *arg, struct span key, struct span value);
enum err_code storage_scan(struct storage_txn *txn,
                           uint8_t table,
                           struct span key,
                           bool reverse,
                           storage_visit_fn *visit,
                           void *arg,
                           struct err *err) WARN_UNUSED;
/* The wall time of the record in the making: stamped by the primary, never decreasing. */
uint64_t storage_now_ms(const struct storage_txn *txn);
/* The LSN that this job's record will have (in a read: of the last record that it saw). */
uint64_t storage_lsn(const struct storage_txn *txn);

struct storage_status {
    uint8_t cluster_id[STORAGE_ID_SIZE];
    uint8_t store_id[STORAGE_ID_SIZE];
    uint64_t epoch;
    uint64_t lsn_last;                    /* appended */
    uint64_t lsn_commit;                  /* durable on the ISR */
    uint64_t lsn_applied;                 /* in LMDB's last checkpoint */
    uint8_t hash_last[STORAGE_HASH_SIZE]; /* of the record lsn_last */
    uint64_t wal_size;                    /* bytes of segments on disk */
    uint64_t map_size;
    uint64_t map_used_size;
    uint64_t disk_free_size;
    uint64_t commit_count;  /* records committed by this incarnation */
    uint64_t sync_count;    /* fdatasyncs done */
    uint64_t sync_us_total; /* their duration */
    uint64_t sync_us_max;   /* the longest since start */
    uint64_t checkpoint_count;
    uint32_t queue_count; /* jobs waiting or not yet answered */
    uint32_t isr_count;   /* hosts whose acknowledgement a commit needs */
    /* Turns of the writer, the syncer and the checkpointer since the start: each grows every
     * STORAGE_TURN_MS, however idle, unless its thread hangs (or the disk does). */
    uint64_t turn_counts[STORAGE_THREAD_COUNT];
    bool failed;        /* a fatal error: nothing is served any more */
    struct err failure; /* why, when failed */
};

/* A snapshot of the counters. Never blocks. */
void storage_status(struct storage *storage, struct storage_status *ret_status);

#endif
