/* SPDX-License-Identifier: Apache-2.0 */
/* test_backup_format.c: proves storage/backup_format: what is written is read, and nothing else is.
 * Owns a small file in memory. Never touches a disk. */
#include "base/crc32c.h"
#include "storage/backup_format.h"
#include "tests/unit/unit.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#define PAIR_COUNT 12

struct file {
    uint8_t bytes[8192];
    size_t size;
    size_t at; /* of the reader */
    uint64_t seen;
};

static size_t put_pair(uint8_t *at, int number)
{
    char key[16];
    char value[40];
    struct change change = {.op = CHANGE_PUT};
    size_t size;

    (void)snprintf(key, sizeof key, "\x01k%03d", number);
    (void)snprintf(value, sizeof value, "value %d", number * number);
    change.key = span_text(key);
    change.value = span_text(value);
    size = change_size(change.key.size, change.value.size);
    change_encode(at, &change);
    return size;
}

static struct backup_header sample_header(void)
{
    struct backup_header header = {.lineage = 7,
                                   .position = {.lsn = 40, .epoch = 3, .wall_ms = 99},
                                   .epoch = 4,
                                   .pair_count = PAIR_COUNT};

    memset(header.cluster_id, 0x11, sizeof header.cluster_id);
    memset(header.position.hash, 0x22, sizeof header.position.hash);
    return header;
}

/* Three chunks of four pairs; skip and swap make files that are not whole. */
static void make(struct file *file, int first_skipped, bool swap)
{
    struct backup_header header = sample_header();
    struct backup_writer writer;

    memset(file, 0, sizeof *file);
    backup_header_encode(&writer, &header, file->bytes);
    file->size = BACKUP_HEADER_SIZE;
    for (int chunk = 0; chunk < 3; chunk++) {
        size_t pairs = 0;

        for (int i = chunk * 4; i < chunk * 4 + 4; i++) {
            int number = swap ? PAIR_COUNT - i : i;

            if (i != first_skipped) {
                pairs +=
                    put_pair(file->bytes + file->size + BACKUP_CHUNK_HEADER_SIZE + pairs, number);
            }
        }
        file->size += backup_chunk_encode(&writer, file->bytes + file->size, pairs);
    }
    backup_trailer_encode(&writer, PAIR_COUNT, file->bytes + file->size);
    file->size += BACKUP_TRAILER_SIZE;
}

/* A few bytes at a time: pieces are put together. */
static enum err_code read_some(void *arg, void *at, size_t size, size_t *ret_size, struct err *err)
{
    struct file *file = arg;
    size_t left = file->size - file->at;

    (void)err;
    size = size < 7 ? size : 7;
    size = size < left ? size : left;
    memcpy(at, file->bytes + file->at, size);
    file->at += size;
    *ret_size = size;
    return ERR_OK;
}

static enum err_code count_pairs(void *arg, struct span pairs, struct err *err)
{
    struct file *file = arg;

    while (pairs.size > 0) {
        struct change change;

        CU_ASSERT_EQUAL_FATAL(change_decode(&pairs, &change, err), ERR_OK);
        file->seen++;
    }
    return ERR_OK;
}

static enum err_code walk(struct file *file, struct backup_header *ret_header)
{
    struct backup_walk options = {.read = read_some, .pairs = count_pairs, .arg = file};
    struct err err = ERR_INIT;
    uint64_t size = 0;
    enum err_code rc;

    file->at = 0;
    file->seen = 0;
    rc = backup_walk(&options, ret_header, &size, &err);
    CU_ASSERT(rc != ERR_OK || size == file->size);
    CU_ASSERT((rc == ERR_OK) == (err.message[0] == '\0'));
    return rc;
}

static bool is_refused(struct file *file)
{
    struct backup_header header;
    enum err_code rc = walk(file, &header);

    return rc == ERR_CORRUPT || rc == ERR_INVALID;
}

static void what_was_written_is_read(void)
{
    static struct file file;
    struct backup_header wanted = sample_header();
    struct backup_header header;

    make(&file, -1, false);
    CU_ASSERT_EQUAL_FATAL(walk(&file, &header), ERR_OK);
    CU_ASSERT_EQUAL(file.seen, PAIR_COUNT);
    CU_ASSERT_EQUAL(header.lineage, wanted.lineage);
    CU_ASSERT_EQUAL(header.epoch, wanted.epoch);
    CU_ASSERT_EQUAL(header.pair_count, PAIR_COUNT);
    CU_ASSERT_EQUAL(header.position.lsn, wanted.position.lsn);
    CU_ASSERT_EQUAL(header.position.epoch, wanted.position.epoch);
    CU_ASSERT_EQUAL(header.position.wall_ms, wanted.position.wall_ms);
    CU_ASSERT_EQUAL(memcmp(header.position.hash, wanted.position.hash, STORAGE_HASH_SIZE), 0);
    CU_ASSERT_EQUAL(memcmp(header.cluster_id, wanted.cluster_id, STORAGE_ID_SIZE), 0);
}

static void every_torn_file_is_refused(void)
{
    static struct file file;
    size_t whole;

    make(&file, -1, false);
    whole = file.size;
    for (file.size = 0; file.size < whole; file.size++) {
        CU_ASSERT(is_refused(&file));
    }
    file.size = whole + 1;
    CU_ASSERT(is_refused(&file));
}

static void every_flipped_bit_is_refused(void)
{
    static struct file file;

    make(&file, -1, false);
    for (size_t i = 0; i < file.size * 8; i++) {
        file.bytes[i / 8] ^= (uint8_t)(1U << i % 8);
        CU_ASSERT(is_refused(&file));
        file.bytes[i / 8] ^= (uint8_t)(1U << i % 8);
    }
}

static void a_missing_pair_and_a_wrong_order_are_refused(void)
{
    static struct file file;

    make(&file, 5, false);
    CU_ASSERT(is_refused(&file));
    make(&file, -1, true);
    CU_ASSERT(is_refused(&file));
}

/* Whole pieces, each with a good checksum, in another order, or one less. */
static void a_chunk_lost_or_twice_is_refused(void)
{
    static struct file file;
    static struct file other;
    size_t chunk;
    uint32_t pairs;

    make(&file, -1, false);
    memcpy(&pairs, file.bytes + BACKUP_HEADER_SIZE + 4, sizeof pairs);
    chunk = BACKUP_CHUNK_HEADER_SIZE + le32toh(pairs);
    other = file;
    memmove(other.bytes + BACKUP_HEADER_SIZE, other.bytes + BACKUP_HEADER_SIZE + chunk,
            other.size - BACKUP_HEADER_SIZE - chunk);
    other.size -= chunk;
    CU_ASSERT(is_refused(&other));
    other = file;
    memmove(other.bytes + BACKUP_HEADER_SIZE + chunk, other.bytes + BACKUP_HEADER_SIZE,
            other.size - BACKUP_HEADER_SIZE);
    other.size += chunk;
    CU_ASSERT(is_refused(&other));
}

static void a_later_version_and_a_huge_chunk_are_refused(void)
{
    static struct file file;
    uint32_t value = htole32(2);

    make(&file, -1, false);
    memcpy(file.bytes + 12, &value, sizeof value);
    value = htole32(crc32c(0, file.bytes + 12, BACKUP_HEADER_SIZE - 12));
    memcpy(file.bytes + 8, &value, sizeof value);
    CU_ASSERT(is_refused(&file));
    make(&file, -1, false);
    value = htole32(UINT32_MAX);
    memcpy(file.bytes + BACKUP_HEADER_SIZE + 4, &value, sizeof value);
    CU_ASSERT(is_refused(&file));
}

UNIT_MAIN("backup_format",
          {"what was written is read", what_was_written_is_read},
          {"every torn file is refused", every_torn_file_is_refused},
          {"every flipped bit is refused", every_flipped_bit_is_refused},
          {"a missing pair and a wrong order are refused",
           a_missing_pair_and_a_wrong_order_are_refused},
          {"a chunk lost or twice is refused", a_chunk_lost_or_twice_is_refused},
          {"a later version and a huge chunk are refused",
           a_later_version_and_a_huge_chunk_are_refused})
