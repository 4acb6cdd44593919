/* SPDX-License-Identifier: Apache-2.0 */
/* engine_pair.h: the storage's inside as the replication thread sees it: how the effects of
 * replica.h are carried out. Internal: link*.c and tests only. docs/pair.md is the design. Of
 * pair.h the engine has storage_serves; the rest of it is the link's, upon this.
 *
 * Threads. "R" is the replication thread: the one thread that calls the functions marked R, from
 * engine_attach on until stop has joined it (a test without a link calls them from its own
 * thread). The engine keeps its writer, syncer and checkpointer. In the roles idle and standby R
 * alone appends to the log, in the role primary the writer alone; R changes the role.
 *
 * Locks. Functions here take the engine's lock themselves and hold it only for a few instructions;
 * never call them with it held, and never from wake. "Blocks" means: on the disk (write, fdatasync,
 * LMDB) or on a sync of this log that is under way; nothing here waits for the network, and nothing
 * waits for anything that R itself would have to do.
 *
 * Errors. After ERR_UNAVAILABLE the engine has failed (before or just now: fsync error, HALT):
 * every waiting job gets ERR_UNKNOWN_FATE, nothing more is appended, acknowledged or folded, and
 * the process is to end. R then only has to say so (news.failure) and end the link. Other codes are
 * named at each function and leave everything as it was. */
#ifndef STORAGE_ENGINE_PAIR_H
#define STORAGE_ENGINE_PAIR_H

#include "storage/message.h"
#include "storage/promise.h"
#include "storage/record.h"
#include "storage/replica.h"
#include "storage/storage.h"
#include "storage/store.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Room that a record needs in the link's buffer: the shared bytes of the largest. */
#define ENGINE_SHIP_SIZE_MAX (RECORD_SIZE_MAX + RECORD_ALIGN - RECORD_LOCAL_SIZE)

/* ---- Start and end (the caller's thread) ---- */

/* Opens the store as one of two: takes the directory, finishes or discards a snapshot that was
 * under way, opens LMDB, log and promise, makes the recovered log durable, starts the three
 * threads. The role is idle: jobs are refused with ERR_UNAVAILABLE, storage_read_weak serves.
 * Nothing beyond LMDB's applied LSN is applied. storage_open_pair is this, then the link and
 * engine_attach. Blocks. Errors: as storage_open; ERR_CONFLICT (the store is of another cluster).
 */
enum err_code engine_open_pair(const struct storage_options *options,
                               const uint8_t cluster_id[STORAGE_ID_SIZE],
                               struct storage **ret_storage,
                               struct err *err) WARN_UNUSED;

/* What the engine calls of the link. */
struct engine_link {
    void *arg; /* the link; owned by it until stop */
    /* There is news. Any thread, no lock held: writes an eventfd and returns. Called once, then not
     * again before the next engine_news, and not while R is awake (engine_awake). */
    void (*wake)(void *arg);
    /* Inside storage_dispatch, caller's thread, no lock: delivers reports and data. */
    void (*dispatch)(void *arg);
    /* Inside storage_close, caller's thread, no lock, when all answers are out (until then the link
     * goes on, for acknowledgements): ends and joins R. Another thread may still wake it. */
    void (*stop)(void *arg);
    /* After stop, when nobody else is left. */
    void (*free)(void *arg);
};

/* Once, after engine_open_pair, before R runs. Copies *link. */
void engine_attach(struct storage *storage, const struct engine_link *link);
/* Any thread, no lock held: makes storage_fd readable, so that dispatch is called. */
void engine_notify(struct storage *storage);

/* Fills store_id, lineage, promised, last and applied, as recovered (the rest is the link's).
 * After engine_open_pair. */
void engine_recovered(struct storage *storage, struct replica_options *options);
/* Any thread. Store id, cluster id, lineage, promised, last (durable), lsn_applied; the role's
 * fields and versions are the link's. */
void engine_state(struct storage *storage, struct message_state *ret_state);

/* ---- News (R) ---- */

struct engine_news {
    struct replica_local local; /* for LOCAL */
    uint64_t epoch_begun;       /* the last epoch whose start record this process appended; 0:
                                 * none. When it has risen: EPOCH_BEGUN */
    uint64_t echo_wanted;       /* an answer waits for the echo of this ping or a later one; 0: none
                                 * does. Above the last ping sent: READ */
    bool room;                  /* the log has room for a record: engine_append may go on */
    bool failed;
    struct err failure; /* when failed */
};

/* All that R may have to act on. Re-arms wake. Never blocks. */
void engine_news(struct storage *storage, struct engine_news *ret_news);
/* R has stopped waiting: what happens from now on does not wake it. */
void engine_awake(struct storage *storage);
/* R is about to wait. False: there is news since engine_news; it is to be asked first. True: the
 * next news wakes it. */
bool engine_rests(struct storage *storage);

/* ---- The promise (R) ---- */

/* PROMISE: makes the epoch durable, and the lineage with it (0: as it is). Blocks. The epoch is not
 * lower than the promised one (asserted). ERR_UNAVAILABLE: the promise is unknown, the engine has
 * failed. Then PROMISED. */
enum err_code engine_promise(struct storage *storage,
                             uint64_t epoch,
                             uint64_t lineage,
                             struct err *err) WARN_UNUSED;

/* ---- Both logs (R) ---- */

/* FIND: the position of the record lsn (0: the place before the first, all zeros). readable is
 * false when it is trimmed away or beyond the end. Blocks (reads). ERR_UNAVAILABLE: the log could
 * not be read. */
enum err_code engine_find(struct storage *storage,
                          uint64_t lsn,
                          struct replica_found *ret_found,
                          struct err *err) WARN_UNUSED;

/* CUT: the log ends at the position, durably, when this returns. Idle or standby; not below what is
 * applied (asserted: news.local.applied) and not beyond the end (asserted). Equal to the end: only
 * makes sure that the log is durable. Blocks. ERR_CONFLICT: the record there is not the given one;
 * ERR_UNAVAILABLE. Then CUT_DONE. */
enum err_code engine_cut(struct storage *storage,
                         const struct record_position *position,
                         struct err *err) WARN_UNUSED;

/* ---- Standby (R) ---- */

/* FOLLOW begins: idle becomes standby, or a standby follows anew. No record of a higher epoch than
 * the session's is appended. */
void engine_follow(struct storage *storage, uint64_t epoch);

/* APPEND: whole records, each from its byte RECORD_LOCAL_SIZE to the end of its padding. Checks
 * each (size, kind, cluster, LSN = last + 1, hash of the record before, epoch and time not lower,
 * epoch not above the one that is followed, the changes in it) before it is written. Starts their
 * sync and does not wait for it. *ret_taken (always set) is how many bytes were taken: what was
 * taken is in the log. Blocks (write). ERR_FULL: no room in the log for the next record at present:
 * news.room and wake say when to go on with the bytes behind *ret_taken; ERR_PROTOCOL: the record
 * there is bad or does not follow (drop the link); ERR_UNAVAILABLE. */
enum err_code engine_append(struct storage *storage,
                            struct span records,
                            size_t *ret_taken,
                            struct err *err) WARN_UNUSED;

/* COMMIT: records up to lsn are committed and verified: the writer applies them as far as they are
 * durable here. Never falls, never blocks. */
void engine_commit(struct storage *storage, uint64_t lsn);

/* ---- Primary (R) ---- */

/* REQUIRE: the peer's acknowledgements and echoes are needed: in the role primary from the next
 * record on, else (before engine_begin_epoch) for every record that is not known to be committed.
 * UNREQUIRE: no more. Both without effect when it is so already. Never block. */
void engine_require(struct storage *storage);
void engine_unrequire(struct storage *storage);

/* BEGIN_EPOCH: from idle or standby: R appends no more; the writer applies the rest of the log as
 * speculative state, appends the epoch's start record, and the role is primary; nothing is
 * committed before that record is. In the role primary: the start record goes in between two
 * batches. The epoch is promised and higher than the last record's (asserted). Never blocks:
 * news.epoch_begun says when it is done. Jobs are accepted (storage_serves) from the commit of the
 * first one on. */
void engine_begin_epoch(struct storage *storage, uint64_t epoch);

/* SHIP: copies whole records from lsn on, as engine_append takes them, into at, up to the one that
 * reaches STORAGE_SHIP_SIZE. room is at least ENGINE_SHIP_SIZE_MAX. Fills *ret_size (0: there is
 * none yet) and *ret_lsn_next. Blocks (reads, from the page cache when the record is new).
 * ERR_NOT_FOUND: lsn is not readable any more (SHIPPED with gone); ERR_UNAVAILABLE. */
struct engine_ship {
    uint64_t lsn;
    uint8_t *at;
    size_t room;
};
enum err_code engine_ship(struct storage *storage,
                          const struct engine_ship *ship,
                          size_t *ret_size,
                          uint64_t *ret_lsn_next,
                          struct err *err) WARN_UNUSED;

/* ACKNOWLEDGE: the peer has the position durable. Compares the hash, then counts it. Blocks only
 * when the position is old (reads).
 * ERR_CONFLICT: another hash: HALT; ERR_NOT_FOUND: so old that it cannot be compared; nothing was
 * counted, nothing depends on it; ERR_UNAVAILABLE. */
enum err_code engine_acknowledge(struct storage *storage,
                                 const struct record_position *position,
                                 struct err *err) WARN_UNUSED;

/* A ping with this number is about to be sent: call it BEFORE the ping is in the send queue, or a
 * read that began in between would take its echo for a later one. Numbers only grow. */
void engine_pinged(struct storage *storage, uint64_t sequence);
/* ECHOED. */
void engine_echoed(struct storage *storage, uint64_t sequence);

/* STEP_DOWN: a drained primary becomes a standby in the same process; jobs are refused from now on.
 * Everything is committed (it may still be in the course of being applied). UNREQUIRE is included.
 * When the caller has gone back to work meanwhile, so that a job is not delivered or a record not
 * committed, the engine has failed instead: memory and the peer's log would not say the same. Never
 * blocks. */
void engine_step_down(struct storage *storage);

/* HALT. The reason reaches every waiting job, storage_status and the file "failed". */
void engine_halt(struct storage *storage, const char *reason);

/* ---- Snapshots (R) ---- */

struct engine_snapshot; /* one being sent */

/* A consistent view of LMDB as of its applied position, which is filled in. One at a time for R,
 * and one for a backup on its own thread. It pins LMDB's pages: close it soon. ERR_NOMEM,
 * ERR_UNAVAILABLE. */
enum err_code engine_snapshot_open(struct storage *storage,
                                   struct engine_snapshot **ret_snapshot,
                                   struct record_position *ret_position,
                                   struct err *err) WARN_UNUSED;
/* What the store knew of itself in that view, and how many pairs it has. ERR_UNAVAILABLE. */
enum err_code engine_snapshot_facts(struct engine_snapshot *snapshot,
                                    struct store_meta *ret_meta,
                                    uint64_t *ret_count,
                                    struct err *err) WARN_UNUSED;
/* The next pairs, change_encode'd puts, whole ones, up to the one that reaches STORAGE_SHIP_SIZE,
 * at most room bytes (at least ENGINE_SHIP_SIZE_MAX). *ret_size 0: it is at its end. *ret_count:
 * pairs up to now. Blocks (reads). ERR_UNAVAILABLE. */
enum err_code engine_snapshot_next(struct engine_snapshot *snapshot,
                                   uint8_t *at,
                                   size_t room,
                                   size_t *ret_size,
                                   uint64_t *ret_count,
                                   struct err *err) WARN_UNUSED;
/* NULL is allowed. */
void engine_snapshot_close(struct engine_snapshot *snapshot);

/* SNAPSHOT_BEGIN: prepares incoming.mdb (an unfinished one is dropped). diverged: the store to be
 * replaced has applied what the peer's log does not have, or is of another lineage: it will be kept
 * as diverged-<LSN>.mdb, its log as diverged-<LSN>-<number>.seg. Idle or standby. Blocks.
 * ERR_NOSPACE (less free than the head-room, or than what the last one that did not fit needs),
 * ERR_IO: nothing was changed but incoming.mdb. */
enum err_code engine_snapshot_begin(struct storage *storage,
                                    const struct record_position *position,
                                    bool diverged,
                                    struct err *err) WARN_UNUSED;
/* SNAPSHOT_PAIRS. Blocks (a bounded LMDB transaction now and then). ERR_CONFLICT: none is begun;
 * ERR_PROTOCOL: the bytes are not puts; ERR_NOSPACE (the head-room is reached, the map is full),
 * ERR_IO: the snapshot is dropped, and its file removed. */
enum err_code
engine_snapshot_pairs(struct storage *storage, struct span pairs, struct err *err) WARN_UNUSED;
/* SNAPSHOT_INSTALL: when it has pair_count pairs: makes incoming.mdb durable, then the marker that
 * says that it is the store; the lineage is that of the peer. From then on this engine has failed
 * (its process is to end) and the next engine_open_pair puts it in place, with a new store id and
 * the promised epoch carried over. Blocks. ERR_PROTOCOL: another count, ERR_NOSPACE, ERR_IO: it is
 * dropped, the old store stays and the engine works; but the core has ended with this effect, so R
 * halts the engine then. */
enum err_code engine_snapshot_install(struct storage *storage,
                                      uint64_t pair_count,
                                      uint64_t lineage,
                                      struct err *err) WARN_UNUSED;

#endif
