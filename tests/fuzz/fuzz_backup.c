/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_backup.c: foreign bytes as a backup file, once as they are and once with checksums and
 * hashes that fit, so that the fuzzer gets to what lies behind them.
 * Owns a copy of the input. Never accepts a file whose pairs are not what its header says. */
#include "base/assert.h"
#include "base/crc32c.h"
#include "storage/backup_format.h"
#include "storage/siphash.h"

#include <endian.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FILE_SIZE_MAX 65536U

struct file {
    uint8_t bytes[FILE_SIZE_MAX];
    size_t size;
    size_t at;
    uint64_t pair_count;
};

static enum err_code read_file(void *arg, void *at, size_t size, size_t *ret_size, struct err *err)
{
    struct file *file = arg;
    size_t left = file->size - file->at;

    (void)err;
    size = size < left ? size : left;
    memcpy(at, file->bytes + file->at, size);
    file->at += size;
    *ret_size = size;
    return ERR_OK;
}

static enum err_code count(void *arg, struct span pairs, struct err *err)
{
    struct file *file = arg;

    while (pairs.size > 0) {
        struct change change;

        ASSERT(change_decode(&pairs, &change, err) == ERR_OK); /* it was checked */
        ASSERT(change.op == CHANGE_PUT);
        file->pair_count++;
    }
    return ERR_OK;
}

static void walk(struct file *file)
{
    struct backup_walk options = {.read = read_file, .pairs = count, .arg = file};
    struct backup_header header;
    struct err err = ERR_INIT;
    uint64_t size = 0;
    enum err_code rc;

    file->at = 0;
    file->pair_count = 0;
    rc = backup_walk(&options, &header, &size, &err);
    if (rc == ERR_OK) {
        ASSERT(size == file->size);
        ASSERT(header.pair_count == file->pair_count);
    } else {
        ASSERT(rc == ERR_CORRUPT || rc == ERR_INVALID);
        ASSERT(err.message[0] != '\0');
    }
}

static void fix(uint8_t *at, size_t from, size_t size)
{
    uint32_t crc = htole32(crc32c(0, at + from, size - from));

    memcpy(at + from - 4, &crc, sizeof crc);
}

/* Magic, version, checksums and the chain of hashes as far as the sizes lead. */
static void mend(struct file *file)
{
    static const uint8_t begin[8] = {'A', 'P', 'B', 'A', 'C', 'K', 'U', '1'};
    const uint32_t version = htole32(1);
    uint8_t hash[STORAGE_HASH_SIZE];
    struct span at;

    if (file->size < BACKUP_HEADER_SIZE) {
        return;
    }
    memcpy(file->bytes, begin, sizeof begin);
    memcpy(file->bytes + 12, &version, sizeof version);
    fix(file->bytes, 12, BACKUP_HEADER_SIZE);
    siphash(file->bytes + 16, file->bytes, BACKUP_HEADER_SIZE, hash);
    at = span_of(file->bytes + BACKUP_HEADER_SIZE, file->size - BACKUP_HEADER_SIZE);
    while (at.size >= BACKUP_CHUNK_HEADER_SIZE) {
        uint8_t *piece = file->bytes + (file->size - at.size);
        uint32_t pairs;
        size_t size;

        memcpy(&pairs, piece + 4, sizeof pairs);
        pairs = le32toh(pairs);
        size = pairs == 0 ? BACKUP_TRAILER_SIZE : BACKUP_CHUNK_HEADER_SIZE + (size_t)pairs;
        if (size > at.size) {
            return;
        }
        memcpy(piece + 8, hash, sizeof hash);
        fix(piece, 4, size);
        siphash(file->bytes + 16, piece, size, hash);
        at = span_of(piece + size, at.size - size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct file file;

    file.size = size < FILE_SIZE_MAX ? size : FILE_SIZE_MAX;
    memcpy(file.bytes, data, file.size);
    walk(&file);
    mend(&file);
    walk(&file);
    return 0;
}
