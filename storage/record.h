/* SPDX-License-Identifier: Apache-2.0 */
/* record.h: the bytes of a WAL record. Pure: no I/O, no allocation.
 *
 * A record, little-endian, padded with zeros to 8 bytes:
 *
 *    0 u32 magic 0x31525741 ("AWR1")
 *    4 u32 CRC32C of bytes 8 to the end of the payload
 *    8 u64 salt of the segment: what an earlier life of the file left behind never matches
 *   16 u64 durable LSN of this host when it wrote the record: tells a torn tail from damage
 *   24 u8  format version, 1
 *   25 u8  kind: 1 changes, 2 epoch start
 *   26 u16 0
 *   28 u32 payload size
 *   32 u64 LSN
 *   40 u64 epoch
 *   48 u64 wall time in ms, never decreasing
 *   56     cluster id, 16 bytes
 *   72     hash of the record before, 16 bytes (zeros before LSN 1)
 *   88     payload
 *
 * Bytes 8 to 23 belong to this host; from 24 on they are equal on all hosts, and the record's hash
 * is SipHash of them, keyed with the cluster id.
 *
 * The payload of "changes" is a list of physical changes without leftovers:
 *
 *    0 u8  1 put, 2 delete
 *    1 u8  0
 *    2 u16 key size, 2 to 511
 *    4 u32 value size (0 for delete)
 *    8     key: table byte and the caller's key, then the value
 *
 * The payload of "epoch start" is empty. */
#ifndef STORAGE_RECORD_H
#define STORAGE_RECORD_H

#include "base/err.h"
#include "base/span.h"
#include "storage/limits.h"
#include "storage/storage.h"

#include <stddef.h>
#include <stdint.h>

#define RECORD_MAGIC       0x31525741U
#define RECORD_VERSION     1U
#define RECORD_HEADER_SIZE 88UL
#define RECORD_LOCAL_SIZE  24UL /* where the part that all hosts share begins */
#define RECORD_ALIGN       8UL
#define RECORD_SIZE_MAX    (RECORD_HEADER_SIZE + RECORD_PAYLOAD_SIZE_MAX)
#define CHANGE_HEADER_SIZE 8UL

enum record_kind { RECORD_KIND_CHANGES = 1, RECORD_KIND_EPOCH = 2 };

/* A place in the log: the record and its hash. */
struct record_position {
    uint64_t lsn;
    uint64_t epoch;
    uint64_t wall_ms;
    uint8_t hash[STORAGE_HASH_SIZE];
};

struct record {
    uint64_t salt;
    uint64_t lsn_durable;
    enum record_kind kind;
    uint64_t lsn;
    uint64_t epoch;
    uint64_t wall_ms;
    uint8_t cluster_id[STORAGE_ID_SIZE];
    uint8_t hash_prev[STORAGE_HASH_SIZE];
    struct span payload; /* borrowed from the decoded bytes; encoding: where the caller put it */
};

/* Bytes that a payload of that size takes in a segment. */
static inline size_t record_size(size_t payload_size)
{
    return (RECORD_HEADER_SIZE + payload_size + RECORD_ALIGN - 1) & ~(size_t)(RECORD_ALIGN - 1);
}

/* Writes the header into frame, in which the payload already lies behind RECORD_HEADER_SIZE bytes
 * of room, and the padding behind it. record->payload.size counts. Fills the record's position. */
void record_encode(const struct record *record,
                   uint8_t *frame,
                   struct record_position *ret_position);

/* Reads the record at the start of bytes. ERR_NOT_FOUND: no record of this segment begins here;
 * ERR_CORRUPT: one does, and it is damaged (the message says how); ERR_UNSUPPORTED: it is whole,
 * and another version of this program has written it. */
enum err_code record_decode(struct span bytes,
                            uint64_t salt,
                            struct record *ret_record,
                            struct record_position *ret_position,
                            struct err *err) WARN_UNUSED;

/* What may be a record of this segment, by its header alone: size is that of the whole record, 0
 * when no header is there. Nothing of it is checked. */
struct record_peek {
    size_t size;
    uint64_t lsn;
};
struct record_peek record_peek(const uint8_t header[RECORD_HEADER_SIZE], uint64_t salt);

/* The same for a record as another host sends it: from byte RECORD_LOCAL_SIZE to the end of its
 * padding, which *ret_size counts. ERR_CORRUPT, ERR_UNSUPPORTED. */
enum err_code record_shared_decode(struct span bytes,
                                   struct record *ret_record,
                                   struct record_position *ret_position,
                                   size_t *ret_size,
                                   struct err *err) WARN_UNUSED;

enum change_op { CHANGE_PUT = 1, CHANGE_DELETE = 2 };

struct change {
    enum change_op op;
    struct span key; /* table byte and key */
    struct span value;
};

static inline size_t change_size(size_t key_size, size_t value_size)
{
    return CHANGE_HEADER_SIZE + key_size + value_size;
}

/* Writes the change to at, which has change_size bytes; the copy's spans replace those of
 * *change. */
void change_encode(uint8_t *at, struct change *change);
/* Takes the first change off *bytes, which is not empty. ERR_CORRUPT. Borrows from the bytes. */
enum err_code
change_decode(struct span *bytes, struct change *ret_change, struct err *err) WARN_UNUSED;

#endif
