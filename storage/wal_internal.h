/* SPDX-License-Identifier: Apache-2.0 */
/* wal_internal.h: the log's inside, shared by its own files only (wal.c, wal_recover.c, wal_cut.c,
 * wal_reader.c). */
#ifndef STORAGE_WAL_INTERNAL_H
#define STORAGE_WAL_INTERNAL_H

#include "base/assert.h"
#include "storage/limits.h"
#include "storage/wal.h"

#include <pthread.h>

struct wal {
    struct wal_options options;
    struct record_position last; /* writer */
    uint8_t *buffer;             /* owned: the tail's last partial page, then the next record */
    struct wal_segment tail;     /* writer: a copy of the last segment, whose file it borrows */
    uint64_t offset;             /* writer: where the next record goes in the tail */

    pthread_mutex_t lock;         /* guards what follows */
    struct wal_segment *segments; /* owned: by sequence, without gaps; the last is the tail */
    uint32_t segment_count;
    struct wal_segment spare; /* the next segment */
    bool spare_ready;
    uint64_t seq_sync;   /* the oldest segment that may hold unsynced records */
    uint64_t generation; /* counts cuts: what a reader has read before one is not to be trusted */
    struct wal_pin {
        bool taken;
        uint64_t seq; /* this segment's file is not recycled; 0: none */
    } pins[WAL_READER_COUNT_MAX];
};

static inline void wal_lock(struct wal *wal)
{
    int failed = pthread_mutex_lock(&wal->lock);

    ASSERT(failed == 0);
}

static inline void wal_unlock(struct wal *wal)
{
    int failed = pthread_mutex_unlock(&wal->lock);

    ASSERT(failed == 0);
}

/* A cut that was begun: a file that exists until the cut is done, so that a crash in between does
 * not make what is left behind the cut look like damage. */
#define WAL_CUT_FILE "wal-cut"
enum err_code wal_cut_mark(const struct wal_home *home,
                           const struct record_position *position,
                           struct err *err) WARN_UNUSED;
/* *ret_begun says whether there is such a file. ERR_CORRUPT. */
enum err_code wal_cut_pending(const struct wal_home *home,
                              struct record_position *ret_position,
                              bool *ret_begun,
                              struct err *err) WARN_UNUSED;
/* Durably. */
enum err_code wal_cut_unmark(const struct wal_home *home, struct err *err) WARN_UNUSED;

/* Fills segments, spare, last and offset from the directory. */
enum err_code wal_recover(struct wal *wal, struct err *err) WARN_UNUSED;

/* Walks the records of one segment in memory. */
struct wal_scan {
    const struct wal_home *home;
    const struct wal_segment *segment;
    struct span bytes; /* the whole segment */
    uint64_t offset;
    struct record_position last; /* the record before */
    bool linked;                 /* last.hash is known: the next must match it */
};

/* The record at the offset, which is moved past it. ERR_NOT_FOUND: none begins here; ERR_CORRUPT:
 * a bad one does, or one that does not follow the last. */
enum err_code wal_scan_next(struct wal_scan *scan,
                            struct record *ret_record,
                            struct record_position *ret_position,
                            struct err *err) WARN_UNUSED;
/* Reads the whole segment into bytes, which has its size. */
enum err_code wal_load(const struct wal_home *home,
                       const struct wal_segment *segment,
                       uint8_t *bytes,
                       struct err *err) WARN_UNUSED;

#endif
