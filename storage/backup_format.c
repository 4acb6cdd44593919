/* SPDX-License-Identifier: Apache-2.0 */
/* backup_format.c: the bytes of a backup file, written and read.
 * Owns every offset. Never trusts a size that it has read: pieces are bounded, keys have to rise.
 */
#include "storage/backup_format.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "base/pack.h"
#include "storage/siphash.h"

#include <assert.h>
#include <endian.h>
#include <inttypes.h>
#include <string.h>

#define BACKUP_MAGIC   0x31554b4341425041ULL /* "APBACKU1" */
#define BACKUP_VERSION 1U

static_assert(BACKUP_PAIRS_SIZE_MAX >=
                  CHANGE_HEADER_SIZE + STORAGE_KEY_SIZE_MAX + 1 + STORAGE_VALUE_SIZE_MAX,
              "a chunk holds the largest pair");
static_assert(BACKUP_PIECE_SIZE_MAX <= UINT32_MAX, "sizes are 32 bits");

static void put_u32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

static void put_u64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
}

static uint32_t get_u32(const void *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof value);
    return le32toh(value);
}

/* ---- Writing ---- */

void backup_header_encode(struct backup_writer *writer,
                          const struct backup_header *header,
                          uint8_t at[BACKUP_HEADER_SIZE])
{
    memset(at, 0, BACKUP_HEADER_SIZE);
    put_u64(at, BACKUP_MAGIC);
    put_u32(at + 12, BACKUP_VERSION);
    memcpy(at + 16, header->cluster_id, STORAGE_ID_SIZE);
    put_u64(at + 32, header->lineage);
    put_u64(at + 40, header->position.lsn);
    put_u64(at + 48, header->position.epoch);
    put_u64(at + 56, header->position.wall_ms);
    memcpy(at + 64, header->position.hash, STORAGE_HASH_SIZE);
    put_u64(at + 80, header->epoch);
    put_u64(at + 88, header->pair_count);
    put_u32(at + 8, crc32c(0, at + 12, BACKUP_HEADER_SIZE - 12));
    memcpy(writer->cluster_id, header->cluster_id, STORAGE_ID_SIZE);
    siphash(writer->cluster_id, at, BACKUP_HEADER_SIZE, writer->hash);
}

/* Everything behind the piece's own bytes is there already. */
static void seal(struct backup_writer *writer, uint8_t *at, size_t pairs_size, size_t size)
{
    put_u32(at + 4, (uint32_t)pairs_size);
    memcpy(at + 8, writer->hash, STORAGE_HASH_SIZE);
    put_u32(at, crc32c(0, at + 4, size - 4));
    siphash(writer->cluster_id, at, size, writer->hash);
}

size_t backup_chunk_encode(struct backup_writer *writer, uint8_t *at, size_t pairs_size)
{
    size_t size = BACKUP_CHUNK_HEADER_SIZE + pairs_size;

    ASSERT(pairs_size > 0);
    ASSERT(pairs_size <= BACKUP_PAIRS_SIZE_MAX);
    seal(writer, at, pairs_size, size);
    return size;
}

void backup_trailer_encode(struct backup_writer *writer,
                           uint64_t pair_count,
                           uint8_t at[BACKUP_TRAILER_SIZE])
{
    put_u64(at + BACKUP_CHUNK_HEADER_SIZE, pair_count);
    seal(writer, at, 0, BACKUP_TRAILER_SIZE);
}

/* ---- Reading ---- */

void backup_reader_init(struct backup_reader *reader)
{
    memset(reader, 0, sizeof *reader);
    reader->stage = BACKUP_AT_HEADER;
}

size_t backup_reader_need(const struct backup_reader *reader, struct span have)
{
    size_t size;

    switch (reader->stage) {
    case BACKUP_AT_HEADER:
        return BACKUP_HEADER_SIZE;
    case BACKUP_AT_CHUNK:
        if (have.size < BACKUP_CHUNK_HEADER_SIZE) {
            return BACKUP_CHUNK_HEADER_SIZE;
        }
        size = get_u32(have.data + 4);
        if (size == 0) {
            return BACKUP_TRAILER_SIZE;
        }
        /* A size beyond the bound is refused when the piece is taken. */
        return BACKUP_CHUNK_HEADER_SIZE + (size <= BACKUP_PAIRS_SIZE_MAX ? size : 0);
    case BACKUP_AT_END:
        break;
    }
    return 0;
}

static enum err_code take_header(struct backup_reader *reader, struct span piece, struct err *err)
{
    struct backup_header *header = &reader->header;
    struct unpack in;
    uint32_t crc;
    uint32_t version;

    if (piece.size != BACKUP_HEADER_SIZE) {
        return err_set(err, ERR_INVALID, "not a backup: shorter than its header");
    }
    unpack_init(&in, piece);
    if (unpack_u64(&in) != BACKUP_MAGIC) {
        return err_set(err, ERR_INVALID, "not a backup of approvald");
    }
    crc = unpack_u32(&in);
    version = unpack_u32(&in);
    if (crc != crc32c(0, piece.data + 12, BACKUP_HEADER_SIZE - 12)) {
        return err_set(err, ERR_CORRUPT, "the header is damaged");
    }
    if (version != BACKUP_VERSION) {
        return err_set(err, ERR_INVALID, "format version %" PRIu32 ": made by a later approvald",
                       version);
    }
    unpack_copy(&in, header->cluster_id, STORAGE_ID_SIZE);
    header->lineage = unpack_u64(&in);
    header->position.lsn = unpack_u64(&in);
    header->position.epoch = unpack_u64(&in);
    header->position.wall_ms = unpack_u64(&in);
    unpack_copy(&in, header->position.hash, STORAGE_HASH_SIZE);
    header->epoch = unpack_u64(&in);
    header->pair_count = unpack_u64(&in);
    if (header->epoch < header->position.epoch) {
        return err_set(err, ERR_CORRUPT, "the header contradicts itself: epochs");
    }
    reader->stage = BACKUP_AT_CHUNK;
    return ERR_OK;
}

/* True when the key lies behind the last one, which it becomes. */
static bool key_rises(struct backup_reader *reader, struct span key)
{
    size_t common = key.size < reader->key_size ? key.size : reader->key_size;
    int order = common == 0 ? 0 : memcmp(key.data, reader->key, common);

    if (key.size > sizeof reader->key || (order == 0 && key.size <= reader->key_size) ||
        order < 0) {
        return false;
    }
    memcpy(reader->key, key.data, key.size);
    reader->key_size = key.size;
    return true;
}

static enum err_code take_pairs(struct backup_reader *reader, struct span pairs, struct err *err)
{
    while (pairs.size > 0) {
        struct change change;
        enum err_code rc = change_decode(&pairs, &change, err);

        if (rc != ERR_OK) {
            return rc;
        }
        if (change.op != CHANGE_PUT || !key_rises(reader, change.key)) {
            return err_set(err, ERR_CORRUPT, "pair %" PRIu64 " is out of order",
                           reader->pair_count + 1);
        }
        reader->pair_count++;
    }
    return ERR_OK;
}

static enum err_code take_trailer(struct backup_reader *reader, struct span piece, struct err *err)
{
    struct unpack in;
    uint64_t count;

    unpack_init(&in, span_of(piece.data + BACKUP_CHUNK_HEADER_SIZE, 8));
    count = unpack_u64(&in);
    if (count != reader->pair_count || count != reader->header.pair_count) {
        return err_set(err, ERR_CORRUPT, "%" PRIu64 " pairs instead of %" PRIu64,
                       reader->pair_count, reader->header.pair_count);
    }
    reader->stage = BACKUP_AT_END;
    return ERR_OK;
}

static enum err_code
take_chunk(struct backup_reader *reader, struct span piece, struct span *ret_pairs, struct err *err)
{
    size_t size;

    if (piece.size < BACKUP_CHUNK_HEADER_SIZE || piece.size != backup_reader_need(reader, piece)) {
        return err_set(err, ERR_CORRUPT, "the file ends too early");
    }
    size = get_u32(piece.data + 4);
    if (size > BACKUP_PAIRS_SIZE_MAX) {
        return err_set(err, ERR_CORRUPT, "a chunk of %zu bytes", size);
    }
    if (get_u32(piece.data) != crc32c(0, piece.data + 4, piece.size - 4)) {
        return err_set(err, ERR_CORRUPT, "checksum mismatch");
    }
    if (memcmp(piece.data + 8, reader->hash, STORAGE_HASH_SIZE) != 0) {
        return err_set(err, ERR_CORRUPT, "it does not follow the piece before it");
    }
    if (size == 0) {
        return take_trailer(reader, piece, err);
    }
    *ret_pairs = span_of(piece.data + BACKUP_CHUNK_HEADER_SIZE, size);
    return take_pairs(reader, *ret_pairs, err);
}

enum err_code backup_reader_take(struct backup_reader *reader,
                                 struct span piece,
                                 struct span *ret_pairs,
                                 struct err *err)
{
    enum err_code rc;

    ASSERT(reader->stage != BACKUP_AT_END);
    *ret_pairs = SPAN_NONE;
    rc = reader->stage == BACKUP_AT_HEADER ? take_header(reader, piece, err)
                                           : take_chunk(reader, piece, ret_pairs, err);
    if (rc != ERR_OK) {
        *ret_pairs = SPAN_NONE;
        return err_wrap(err, rc, "byte %" PRIu64, reader->offset);
    }
    siphash(reader->header.cluster_id, piece.data, piece.size, reader->hash);
    reader->offset += piece.size;
    return ERR_OK;
}

/* ---- A whole file ---- */

/* Reads until the piece is whole, or the file at its end. */
static enum err_code read_piece(const struct backup_walk *walk,
                                const struct backup_reader *reader,
                                uint8_t *room,
                                size_t *ret_size,
                                struct err *err)
{
    size_t have = 0;
    size_t need = backup_reader_need(reader, SPAN_NONE);
    size_t got = 1;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && got > 0 && have < need) {
        ASSERT(need <= BACKUP_PIECE_SIZE_MAX);
        rc = walk->read(walk->arg, room + have, need - have, &got, err);
        if (rc == ERR_OK) {
            have += got;
            need = backup_reader_need(reader, span_of(room, have));
        }
    }
    *ret_size = have;
    return rc;
}

static enum err_code walk_piece(const struct backup_walk *walk,
                                struct backup_reader *reader,
                                uint8_t *room,
                                struct err *err)
{
    struct span pairs = SPAN_NONE;
    size_t size = 0;
    enum err_code rc = read_piece(walk, reader, room, &size, err);

    if (rc == ERR_OK) {
        rc = backup_reader_take(reader, span_of(room, size), &pairs, err);
    }
    if (rc == ERR_OK && pairs.size > 0 && walk->pairs != NULL) {
        rc = walk->pairs(walk->arg, pairs, err);
    }
    return rc;
}

enum err_code backup_walk(const struct backup_walk *walk,
                          struct backup_header *ret_header,
                          uint64_t *ret_size,
                          struct err *err)
{
    AUTO_FREE uint8_t *room = mem_new(BACKUP_PIECE_SIZE_MAX, 1);
    struct backup_reader reader;
    size_t left = 0;
    enum err_code rc = ERR_OK;

    if (room == NULL) {
        return err_set(err, ERR_NOMEM, "backup");
    }
    backup_reader_init(&reader);
    while (rc == ERR_OK && reader.stage != BACKUP_AT_END) {
        rc = walk_piece(walk, &reader, room, err);
    }
    if (rc == ERR_OK) {
        rc = walk->read(walk->arg, room, 1, &left, err);
    }
    if (rc == ERR_OK && left != 0) {
        rc = err_set(err, ERR_CORRUPT, "byte %" PRIu64 ": more than a backup", reader.offset);
    }
    if (rc == ERR_OK) {
        *ret_header = reader.header;
        *ret_size = reader.offset;
    }
    return rc;
}
