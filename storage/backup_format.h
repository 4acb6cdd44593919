/* SPDX-License-Identifier: Apache-2.0 */
/* backup_format.h: the bytes of a backup file. Pure: no I/O of its own.
 *
 * A header, chunks of pairs, a trailer; all little-endian, nothing behind the trailer. Every piece
 * behind the header names the hash of the piece before, so that a file with a piece lost, twice, or
 * of another backup is refused; each has a CRC as well, which tells where damage is.
 *
 * Header, BACKUP_HEADER_SIZE bytes:
 *    0 u64 magic "APBACKU1"
 *    8 u32 CRC32C of bytes 12 to the end
 *   12 u32 format version, 1
 *   16     cluster id, 16 bytes
 *   32 u64 lineage (0: a store of one host)
 *   40 u64 LSN, 48 u64 epoch, 56 u64 wall time in ms, 64 hash (16 bytes): the last record in it
 *   80 u64 the highest epoch that the store had begun or promised
 *   88 u64 pairs in the file
 *   96     zeros
 * Chunk:
 *    0 u32 CRC32C of bytes 4 to the end
 *    4 u32 size of the pairs, 1 to BACKUP_PAIRS_SIZE_MAX
 *    8     hash of the piece before, 16 bytes: SipHash of all its bytes, keyed with the cluster id
 *   24     pairs: puts as in a WAL record (record.h), keys rising through the whole file
 * Trailer, BACKUP_TRAILER_SIZE bytes: as a chunk with size 0, then
 *   24 u64 pairs in the file */
#ifndef STORAGE_BACKUP_FORMAT_H
#define STORAGE_BACKUP_FORMAT_H

#include "base/err.h"
#include "base/span.h"
#include "storage/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKUP_HEADER_SIZE       128UL
#define BACKUP_CHUNK_HEADER_SIZE 24UL
#define BACKUP_TRAILER_SIZE      32UL
/* As much as a thread copies between two looks at the disk's room; holds several of the largest
 * pairs. */
#define BACKUP_PAIRS_SIZE_MAX (1024UL * 1024UL)
#define BACKUP_PIECE_SIZE_MAX (BACKUP_CHUNK_HEADER_SIZE + BACKUP_PAIRS_SIZE_MAX)

struct backup_header {
    uint8_t cluster_id[STORAGE_ID_SIZE];
    uint64_t lineage;
    struct record_position position;
    uint64_t epoch; /* the highest that was begun or promised */
    uint64_t pair_count;
};

/* ---- Writing ---- */

struct backup_writer {
    uint8_t cluster_id[STORAGE_ID_SIZE];
    uint8_t hash[STORAGE_HASH_SIZE]; /* of the last piece */
};

void backup_header_encode(struct backup_writer *writer,
                          const struct backup_header *header,
                          uint8_t at[BACKUP_HEADER_SIZE]);
/* The pairs lie at at + BACKUP_CHUNK_HEADER_SIZE already. Returns the size of the chunk. */
size_t backup_chunk_encode(struct backup_writer *writer, uint8_t *at, size_t pairs_size);
void backup_trailer_encode(struct backup_writer *writer,
                           uint64_t pair_count,
                           uint8_t at[BACKUP_TRAILER_SIZE]);

/* ---- Reading ---- */

enum backup_stage { BACKUP_AT_HEADER, BACKUP_AT_CHUNK, BACKUP_AT_END };

struct backup_reader {
    enum backup_stage stage;
    struct backup_header header;
    uint8_t hash[STORAGE_HASH_SIZE]; /* of the last piece */
    uint64_t offset;                 /* of the next one */
    uint64_t pair_count;             /* up to now */
    size_t key_size;                 /* 0: none yet */
    uint8_t key[STORAGE_KEY_SIZE_MAX + 1];
};

void backup_reader_init(struct backup_reader *reader);
/* How many bytes, in all, the next piece has as far as its beginning (have) tells; at most
 * BACKUP_PIECE_SIZE_MAX, and have.size when it is whole. 0: the file is at its end. */
size_t backup_reader_need(const struct backup_reader *reader, struct span have);
/* The next piece, whole. *ret_pairs: the pairs in it, borrowed; empty for header and trailer.
 * ERR_CORRUPT names the byte and what is wrong; ERR_INVALID: no backup at all, or of a later
 * version. */
enum err_code backup_reader_take(struct backup_reader *reader,
                                 struct span piece,
                                 struct span *ret_pairs,
                                 struct err *err) WARN_UNUSED;

/* ---- A whole file ---- */

struct backup_walk {
    /* Up to size bytes; *ret_size 0: the end. */
    enum err_code (*read)(void *arg, void *at, size_t size, size_t *ret_size, struct err *err);
    /* Each chunk's pairs; NULL: nobody wants them. */
    enum err_code (*pairs)(void *arg, struct span pairs, struct err *err);
    void *arg;
};

/* Reads a file from its first byte to its last and checks all of it. ERR_OK: it is whole, *ret_size
 * its size. Errors: as backup_reader_take, those of the functions, ERR_NOMEM. */
enum err_code backup_walk(const struct backup_walk *walk,
                          struct backup_header *ret_header,
                          uint64_t *ret_size,
                          struct err *err) WARN_UNUSED;

#endif
