/* SPDX-License-Identifier: Apache-2.0 */
/* wal_reader.h: reads records of the log while the writer appends. Each reader is used by one
 * thread at a time, and holds one descriptor and one buffer of its own. At most
 * WAL_READER_COUNT_MAX at once. A segment that is trimmed under a reader is unlinked, not recycled:
 * what has been found can be read to the end of its segment. */
#ifndef STORAGE_WAL_READER_H
#define STORAGE_WAL_READER_H

#include "base/span.h"
#include "storage/wal.h"

struct wal_reader;

struct wal_entry {
    struct record record; /* its payload is borrowed, as shared, until the next call */
    struct record_position position;
    struct span shared; /* from RECORD_LOCAL_SIZE to the end of the padding: equal on all hosts */
};

/* The log outlives the reader. ERR_NOMEM, ERR_FULL (too many). */
enum err_code
wal_reader_new(struct wal *wal, struct wal_reader **ret_reader, struct err *err) WARN_UNUSED;
/* NULL is allowed. */
void wal_reader_free(struct wal_reader *reader);

/* Reads the record lsn, which is appended (not necessarily durable): the caller knows how far it
 * may read. One after the other is cheap, a step back or far ahead walks one segment. Blocks
 * (reads). ERR_NOT_FOUND: it is trimmed away, or not appended; ERR_CORRUPT, ERR_IO: the log cannot
 * be read there. */
enum err_code wal_reader_read(struct wal_reader *reader,
                              uint64_t lsn,
                              struct wal_entry *ret_entry,
                              struct err *err) WARN_UNUSED;

#endif
