/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h: every bound of the storage with its reason; the relations between them are proved at
 * compile time. Sizes are bytes. */
#ifndef STORAGE_LIMITS_H
#define STORAGE_LIMITS_H

#include <assert.h>

#define STORAGE_KIB 1024UL
#define STORAGE_MIB (1024UL * 1024UL)

/* The simulation of the pair (tests/sim) runs hundreds of thousands of logs and wants each to turn
 * its segments over: a build with -DSTORAGE_LIMITS_SMALL has small sizes, and everything else the
 * same. Never shipped. */
#ifdef STORAGE_LIMITS_SMALL
#define STORAGE_SIZE(usual, small) (small)
#else
#define STORAGE_SIZE(usual, small) (usual)
#endif

/* LMDB's key limit is 511; the table takes one byte of it. */
#define STORAGE_KEY_SIZE_MAX 510U
/* The largest thing kept is a request with its texts (a few tens of KiB); ample room for that. */
#define STORAGE_VALUE_SIZE_MAX STORAGE_SIZE(256UL * STORAGE_KIB, 512UL)
/* What one job may change: encoded bytes and count. Long work (pruning) is cut into jobs. */
#define STORAGE_JOB_SIZE_MAX  STORAGE_SIZE(512UL * STORAGE_KIB, 1536UL)
#define STORAGE_JOB_COUNT_MAX 1024U

/* A batch takes no further job past these: a record then syncs in about a millisecond. */
#define STORAGE_BATCH_SIZE      STORAGE_SIZE(256UL * STORAGE_KIB, 512UL)
#define STORAGE_BATCH_COUNT_MAX 256U
/* A record holds a batch: the last job taken may bring its maximum. */
#define RECORD_PAYLOAD_SIZE_MAX (STORAGE_BATCH_SIZE + STORAGE_JOB_SIZE_MAX)

/* Jobs that wait for storage_uncork start without it once they are as many: the writer works on
 * them while the caller takes in more. With 64 callers that is a fourth of them, and a record's own
 * cost is small beside that of so many jobs. Measured by tests/bench/bench_pair.py. */
#define STORAGE_CORK_COUNT_MAX 16U

/* Records written and not yet synced here: one in the fdatasync, one behind it, one filling. Jobs
 * of one turn share a record anyway (the cork), so more of them do not make records smaller until
 * they are many. Measured by tests/bench/bench_pair.py. */
#define STORAGE_UNSYNCED_COUNT_MAX 3U
/* Records written and not yet committed, for the same reason when a standby is waited for: two more
 * are on their way there and back. */
#define STORAGE_UNCOMMITTED_COUNT_MAX 5U
/* The newest records, whose hashes are kept for acknowledgements. */
#define STORAGE_WINDOW_COUNT 1024U
/* Hosts in the ISR: a pair, and room for one being added while another is removed. */
#define ISR_HOST_COUNT_MAX 4U

/* Jobs queued or unanswered. 4096 jobs at 10,000 a second is 0.4 s of work: past that an answer
 * "busy" now serves the caller better. */
#define STORAGE_QUEUE_COUNT_DEFAULT 4096U
#define STORAGE_QUEUE_COUNT_MAX     65536U
/* Answers in one storage_dispatch, so that the loop gets back to its other descriptors. */
#define STORAGE_DISPATCH_COUNT_MAX 256U

/* Changes held in memory in front of LMDB. The soft limits start a checkpoint: each changed key
 * dirties about one LMDB page of 4 KiB, and LMDB never gives dirty pages back, so 1400 keys bound
 * that memory to about 6 MiB. Past the hard limits the writer waits for the checkpoint. */
#define MEMTABLE_COUNT_SOFT 1400U
#define MEMTABLE_SIZE_SOFT  (1536UL * STORAGE_KIB)
#define MEMTABLE_COUNT_MAX  3072U
#define MEMTABLE_SIZE_MAX   (3UL * STORAGE_MIB)

/* WAL. 16 MiB is a quarter of a second at full load, so that making a segment (a few syncs) is
 * rare. The first one is small because storage_open waits for it. */
#define WAL_SEGMENT_SIZE_DEFAULT (16UL * STORAGE_MIB)
#define WAL_SEGMENT_SIZE_MIN     STORAGE_SIZE(1UL * STORAGE_MIB, 16UL * STORAGE_KIB)
#define WAL_SEGMENT_SIZE_MAX     (64UL * STORAGE_MIB)
#define WAL_SEGMENT_SIZE_FIRST   STORAGE_SIZE(1UL * STORAGE_MIB, 16UL * STORAGE_KIB)
#define WAL_SEGMENT_HEADER_SIZE  4096U
/* Kept for a standby that comes back: 256 MiB is hours of real approvals. At least: the one being
 * written, the one prepared, and two that the running checkpoint still needs. */
#define WAL_SIZE_MAX_DEFAULT  (256UL * STORAGE_MIB)
#define WAL_SEGMENT_COUNT_MIN 4U
#define WAL_SEGMENT_COUNT_MAX STORAGE_SIZE(1024U, 64U)
/* Shipping, looking up, applying, and the check before a cut. */
#define WAL_READER_COUNT_MAX 4U
/* Read ahead when many records are behind: a few page-cache reads a MiB. */
#define WAL_READ_SIZE            STORAGE_SIZE(64UL * STORAGE_KIB, 4UL * STORAGE_KIB)
#define WAL_ZERO_CHUNK_SIZE      STORAGE_SIZE(512UL * STORAGE_KIB, 16UL * STORAGE_KIB)
#define WAL_PAGE_SIZE            4096U
#define STORAGE_PATH_SIZE_MAX    512U
#define STORAGE_EPOCH_COUNT_MAX  1024U /* table epoch -> first LSN: newest entries kept */
#define STORAGE_MAP_SIZE_DEFAULT (8UL * 1024UL * STORAGE_MIB)
#define STORAGE_MAP_SIZE_MIN     (48UL * STORAGE_MIB)
/* Free space below which writes are refused: one checkpoint, one segment, and slack for what is
 * written between two looks at the disk. */
#define STORAGE_HEADROOM_DEFAULT (128UL * STORAGE_MIB)
/* Given back by deleting one file when the disk is full: enough to run while the admin cleans. */
#define STORAGE_BALLAST_DEFAULT (64UL * STORAGE_MIB)
/* LMDB pages that a checkpoint may add; below this much room in the map writes are refused. */
#define STORAGE_MAP_RESERVE (3UL * MEMTABLE_COUNT_MAX * 4096UL)
/* A reclaiming job may use the reserves down to this share of them: the map keeps the pages of one
 * checkpoint. */
#define STORAGE_RECLAIM_SHARE 3UL

#define STORAGE_CHECKPOINT_MS_DEFAULT 1000U
/* A thread that has not begun a turn for several of these hangs. Ten wake-ups a second cost nothing
 * that one could measure. */
#define STORAGE_TURN_MS 100U
/* A sync that took longer than this says nothing about the standby (rule H): half of evict_ms. */
#define STORAGE_SYNC_SLOW_MS 500U
/* For so long after it a slow sync counts. */
#define STORAGE_SYNC_SLOW_PAST_MS 2000U
/* storage_close waits so long for the standby's acknowledgements. */
#define STORAGE_CLOSE_WAIT_MS 1000U
/* Records that the writer applies before it looks up. */
#define STORAGE_APPLY_COUNT_MAX 64U
/* How often the disk's free space is looked at when no checkpoint does it. */
#define STORAGE_DISK_CHECK_MS 1000U

/* Bytes of records or pairs in one message: behind the one that reaches this a message ends, so
 * that over a slow network acknowledgements and echoes still come many times within the silence. */
#define STORAGE_SHIP_SIZE (64UL * STORAGE_KIB)
/* Views of the state that may last at one time: what is sent to the other host, a backup, and as
 * many to spare. */
#define STORAGE_SNAPSHOT_COUNT_MAX 4U
/* A standby that could not take a snapshot (no room) waits so long before it lets the primary send
 * one again, doubled from the least to the most: each try costs the primary a look at its state and
 * what the sockets hold, and an admin who has made room waits no longer than this. */
#define STORAGE_SNAPSHOT_PAUSE_MS_MIN 1000U
#define STORAGE_SNAPSHOT_PAUSE_MS_MAX 60000U
/* For so long it is believed that what did not fit would not fit now: the other host's state may
 * have become smaller, which only a transfer tells. */
#define STORAGE_SNAPSHOT_NEED_MS 3600000U
/* What did not fit is larger than what was received of it: so much more room, besides an eighth of
 * it, makes another transfer worth while. */
#define STORAGE_SNAPSHOT_NEED_MORE (8UL * STORAGE_MIB)
/* A backup waits so long for all records to be committed (a standby hears of that with the next
 * ping), then only for those that were known to be when it began, */
#define BACKUP_SETTLE_MS 3000U
/* and so long in all: a checkpoint takes well under a second. */
#define BACKUP_WAIT_MS 30000U
/* Bytes written before they are synced: more would be one long write in the way of the log's. */
#define BACKUP_SYNC_SIZE (4UL * STORAGE_MIB)

/* link: bytes in the send queue up to which records, pairs and data are added: 128 KiB are 1 ms at
 * 1 Gbit/s, so that a ping behind them is not late; the kernel's own queue is held to LINK_UNSENT
 * by TCP_NOTSENT_LOWAT. One frame may go beyond: a record can be that large. */
#define LINK_BULK_SIZE   (128UL * STORAGE_KIB)
#define LINK_UNSENT_SIZE (64UL * STORAGE_KIB)
/* Bytes sent to a peer that is not required, after which the thread lets others have its processor:
 * catching up is in no hurry, and whoever presses waits for the other threads. Where a processor is
 * free this costs nothing; on a host whose only one is busy presses waited up to three times as
 * long without it (the 99th percentile during a catch-up), and at 16 KiB the catch-up took twice as
 * long as at this. */
#define LINK_YIELD_SIZE (256UL * STORAGE_KIB)
/* Room behind that for everything else (pings, acknowledgements, one piece of data): thousands of
 * them. A peer that lets this fill up is as good as gone. */
#define LINK_CONTROL_SIZE (160UL * STORAGE_KIB)
/* Bytes of frames handled in one turn, and steps of the core: some milliseconds of work, then the
 * others (commands, connections, the clock) have theirs. */
#define LINK_TURN_SIZE      (1UL * STORAGE_MIB)
#define LINK_STEP_COUNT_MAX 256U
/* Bytes of data of the layer above, in each direction, between its thread and the link's: a relayed
 * burst of 16 of the largest pieces. */
#define LINK_DATA_SIZE (1UL * STORAGE_MIB)
/* Pieces of data handed to the caller in one storage_dispatch. */
#define LINK_DATA_COUNT_MAX 16U
/* The share of the silence for which a full queue of received data may hold up the link before the
 * connection is given up: the peer must not take this host for dead meanwhile. */
#define LINK_DATA_STALL_SHARE 2U
/* Commands and reports between the two threads. Each command but REGISTER waits for its report, and
 * REGISTER and LINK (while it stays up or down) are coalesced: a handful is under way at once. */
#define LINK_COMMAND_COUNT_MAX 64U
#define LINK_REPORT_COUNT_MAX  64U
/* Connections whose peer has not proved itself yet; a further one replaces the oldest, */
#define LINK_CANDIDATE_COUNT_MAX 4U
/* or is refused while that is younger than this: whoever knocks without end must not take the peer
 * its place in the middle of a handshake, which takes a few round trips. */
#define LINK_CANDIDATE_MS_MIN 100U
/* Host 1 reads the certificate files again at most so often, whoever connects. */
#define LINK_RENEW_MS 1000U
/* The same refusal is logged so often, another one no sooner than this. */
#define LINK_REFUSED_MS       60000U
#define LINK_REFUSED_OTHER_MS 1000U
/* Bytes of the first frame, HELLO, of any version to come. */
#define LINK_HELLO_SIZE_MAX 1024U
/* A connect, and the handshake with the first frame, each take a few round trips; a host that needs
 * longer is better dialled anew. */
#define LINK_CONNECT_MS   1000U
#define LINK_HANDSHAKE_MS 2000U
/* Between two attempts, doubled from the least to the most, each with jitter: a peer that comes
 * back is noticed in a fraction of the silence. */
#define LINK_BACKOFF_MS_MIN 20U
#define LINK_BACKOFF_MS_MAX 200U
/* How long a host that stops waits for the peer to end the connection: a round trip and a turn of
 * its thread. Who has not by then will find the silence out. */
#define LINK_LEAVE_MS_MAX 100U
/* How often a snapshot that the peer would refuse is looked at again (a checkpoint helps). */
#define LINK_SNAPSHOT_RETRY_MS 50U

static_assert(STORAGE_SHIP_SIZE <= LINK_BULK_SIZE, "the next message is read while one leaves");
static_assert(STORAGE_VALUE_SIZE_MAX + STORAGE_KEY_SIZE_MAX < STORAGE_JOB_SIZE_MAX,
              "one job can hold the largest pair");
static_assert(RECORD_PAYLOAD_SIZE_MAX + WAL_SEGMENT_HEADER_SIZE + 2UL * WAL_PAGE_SIZE <=
                  WAL_SEGMENT_SIZE_MIN,
              "the largest record fits the smallest segment");
static_assert(WAL_SEGMENT_SIZE_FIRST >= WAL_SEGMENT_SIZE_MIN, "the first segment is legal");
static_assert(WAL_SEGMENT_SIZE_MIN % WAL_ZERO_CHUNK_SIZE == 0, "segments are made of chunks");
static_assert(WAL_SIZE_MAX_DEFAULT / WAL_SEGMENT_SIZE_DEFAULT >= WAL_SEGMENT_COUNT_MIN,
              "the budget holds the segments in use");
static_assert(STORAGE_JOB_COUNT_MAX + MEMTABLE_COUNT_SOFT < MEMTABLE_COUNT_MAX,
              "a full job fits beyond the soft limit");
static_assert(STORAGE_JOB_SIZE_MAX + MEMTABLE_SIZE_SOFT < MEMTABLE_SIZE_MAX,
              "a full job fits beyond the soft limit");
static_assert(RECORD_PAYLOAD_SIZE_MAX < MEMTABLE_SIZE_MAX, "replay can hold any record");
static_assert(STORAGE_UNSYNCED_COUNT_MAX < STORAGE_WINDOW_COUNT, "unsynced records have hashes");
static_assert(STORAGE_UNCOMMITTED_COUNT_MAX < STORAGE_WINDOW_COUNT, "so have uncommitted ones");
static_assert(STORAGE_HEADROOM_DEFAULT > STORAGE_MAP_RESERVE + WAL_SEGMENT_SIZE_DEFAULT,
              "a checkpoint and a segment fit the head-room");
static_assert(STORAGE_MAP_RESERVE / STORAGE_RECLAIM_SHARE >= MEMTABLE_COUNT_MAX * 4096UL,
              "a reclaiming job leaves room for its own checkpoint");
static_assert(STORAGE_MAP_SIZE_MIN > STORAGE_MAP_RESERVE + STORAGE_MAP_RESERVE / 4,
              "the least map takes writes, and lets a backup be made");

#endif
