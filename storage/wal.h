/* SPDX-License-Identifier: Apache-2.0 */
/* wal.h: the write-ahead log: the truth of the storage, a chain of records in segments.
 *
 * Three threads meet here, each with its own calls: the writer appends, the syncer (or the writer
 * while nothing else syncs, never both) syncs, the checkpointer prepares and trims segments. After
 * any error but ERR_UNAVAILABLE (and ERR_PROTOCOL of wal_append_record, ERR_CONFLICT of wal_cut)
 * the log must not be used again: what the disk holds is unknown. Readers (wal_reader.h) come
 * along. */
#ifndef STORAGE_WAL_H
#define STORAGE_WAL_H

#include "base/err.h"
#include "storage/record.h"
#include "storage/wal_segment.h"

#include <stdbool.h>
#include <stdint.h>

struct rng;
struct wal;

struct wal_options {
    struct wal_home home;
    const struct rng *rng; /* borrowed */
    uint64_t segment_size;
    uint64_t wal_size_max;
    struct record_position applied; /* the newest record in the store; the log must hold it */
    uint64_t lsn_durable;           /* the log is known to have reached this far once */
    uint64_t lsn_base;              /* the store was installed as of this record: the log begins
                                     * behind it */
};

/* Opens or creates the log: finds its end, cuts a torn tail, makes all of it durable. Blocks.
 * ERR_CORRUPT names segment and record when a record that was durable is bad. */
enum err_code
wal_open(const struct wal_options *options, struct wal **ret_wal, struct err *err) WARN_UNUSED;
/* Closes the files; writes nothing. NULL is allowed. */
void wal_close(struct wal *wal);

/* Calls visit for each record after the applied one, in order; stops at its first error. Only
 * between wal_open and the first append. */
typedef enum err_code wal_visit_fn(void *arg,
                                   const struct record *record,
                                   const struct record_position *position,
                                   struct err *err);
enum err_code
wal_replay(struct wal *wal, wal_visit_fn *visit, void *arg, struct err *err) WARN_UNUSED;

/* Writer. The last record. */
void wal_last(const struct wal *wal, struct record_position *ret_position);
/* Where the next record's payload is to be put: RECORD_PAYLOAD_SIZE_MAX bytes. Moves with each
 * append. */
uint8_t *wal_payload(struct wal *wal);

struct wal_append {
    enum record_kind kind;
    size_t payload_size; /* bytes put at wal_payload */
    uint64_t epoch;
    uint64_t wall_ms;
    uint64_t lsn_durable; /* what of this log is durable here */
};

/* True when any record can be appended now; false while the next segment is missing. */
bool wal_has_room(struct wal *wal);
/* The same for a record without a payload. */
bool wal_has_room_for_start(struct wal *wal);
/* Writes one record (not durable yet). The log has room. */
enum err_code wal_append(struct wal *wal,
                         const struct wal_append *append,
                         struct record_position *ret_position,
                         struct err *err) WARN_UNUSED;

/* A record that another host wrote, decoded by record_shared_decode. */
struct wal_received {
    struct record record;
    struct record_position position;
    uint64_t lsn_durable; /* what of this log is durable here */
};

/* The same for a record of another host: it must be of this cluster and follow the last one. The
 * log has room. ERR_PROTOCOL: it does not follow; nothing was written. */
enum err_code wal_append_record(struct wal *wal,
                                const struct wal_received *received,
                                struct record_position *ret_position,
                                struct err *err) WARN_UNUSED;

/* Where the log is to end, and what of it the store has. */
struct wal_cut {
    struct record_position position;
    struct record_position applied; /* not behind the position; the log holds it */
    bool durable;                   /* the whole log is: a cut at its end is nothing to do */
};

/* Makes the log end at cut->position, durably; reads it anew. A crash leaves the old end, or a mark
 * by which the next wal_open finishes the cut. Nobody appends, syncs, prepares or reads meanwhile.
 * ERR_CONFLICT: the record there is another one, or there is none; nothing was done. */
enum err_code wal_cut(struct wal *wal, const struct wal_cut *cut, struct err *err) WARN_UNUSED;

/* Makes everything durable that was appended before the call. */
enum err_code wal_sync(struct wal *wal, struct err *err) WARN_UNUSED;

/* Checkpointer, and whoever wakes it. True when the next segment is missing. */
bool wal_wants_segment(struct wal *wal);
/* Makes the next segment, if missing: from one that lies wholly below lsn_trim when the budget is
 * used up, else a new one. ERR_UNAVAILABLE: the budget is used up and nothing may go yet. */
enum err_code wal_prepare(struct wal *wal, uint64_t lsn_trim, struct err *err) WARN_UNUSED;

/* Any thread. Bytes of segments on disk. */
uint64_t wal_size(struct wal *wal);

#endif
