/* SPDX-License-Identifier: Apache-2.0 */
/* wal_internal.h: the log's inside, shared by wal.c and wal_recover.c only. */
#ifndef STORAGE_WAL_INTERNAL_H
#define STORAGE_WAL_INTERNAL_H

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
    uint64_t seq_sync; /* the oldest segment that may hold unsynced records */
};

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
