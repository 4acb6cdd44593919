/* SPDX-License-Identifier: Apache-2.0 */
/* wal_segment.h: one file of the WAL: its name, its header, making it.
 *
 * wal-<16 hex digits of the sequence number>.seg, of fixed size, written with zeros (so that an
 * fdatasync of the log never has to write metadata), then the header, little-endian:
 *
 *    0 u64 magic "AWALSEG1"
 *    8 u32 CRC32C of bytes 12 to 71
 *   12 u32 format version, 1
 *   16 u64 sequence number
 *   24 u64 size of the file
 *   32 u64 salt: every record in this life of the file carries it
 *   40     cluster id, 16 bytes
 *   56     store id, 16 bytes
 *
 * Records begin at 4096. A file gets its name only when all of that is durable; while it is made
 * or recycled it is called wal-next.tmp. */
#ifndef STORAGE_WAL_SEGMENT_H
#define STORAGE_WAL_SEGMENT_H

#include "base/err.h"
#include "storage/storage.h"

#include <stdbool.h>
#include <stdint.h>

struct disk;

#define WAL_NEXT_FILE         "wal-next.tmp"
#define WAL_SEGMENT_NAME_SIZE 32U /* "wal-", 16 digits, ".seg", NUL, and some */

struct wal_segment {
    uint64_t seq;
    uint64_t size;
    uint64_t salt;
    uint64_t lsn_first; /* 0: no record yet */
    uint64_t lsn_last;
    uint64_t end; /* where its records end; its size when that is not known */
    int file;     /* -1 while closed; owned */
};

/* Where segments live and whose they are. */
struct wal_home {
    const struct disk *disk; /* borrowed */
    const char *dir;         /* borrowed */
    uint8_t cluster_id[STORAGE_ID_SIZE];
    uint8_t store_id[STORAGE_ID_SIZE];
};

void wal_segment_name(char name[WAL_SEGMENT_NAME_SIZE], uint64_t seq);
/* False when it is not a segment's name. */
bool wal_segment_name_parse(const char *name, uint64_t *ret_seq);

/* Makes segment->seq with the given size and salt; opens it. Blocks for the syncs. */
enum err_code wal_segment_create(const struct wal_home *home,
                                 struct wal_segment *segment,
                                 struct err *err) WARN_UNUSED;
/* The same from the file of old, which is closed and loses its name. The sizes are equal. */
enum err_code wal_segment_recycle(const struct wal_home *home,
                                  const struct wal_segment *old,
                                  struct wal_segment *segment,
                                  struct err *err) WARN_UNUSED;
/* Opens segment->seq and reads its header. ERR_CORRUPT. */
enum err_code wal_segment_open(const struct wal_home *home,
                               struct wal_segment *segment,
                               struct err *err) WARN_UNUSED;
void wal_segment_close(const struct wal_home *home, struct wal_segment *segment);
/* Removes the file; the directory is not synced. */
enum err_code
wal_segment_remove(const struct wal_home *home, uint64_t seq, struct err *err) WARN_UNUSED;

#endif
