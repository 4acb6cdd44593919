/* SPDX-License-Identifier: Apache-2.0 */
/* wal_segment.c: one file of the WAL.
 * Owns the segment header and the order of syncs and renames that makes a segment appear whole.
 * Never writes or reads a record, never decides which segment is needed. */
#include "storage/wal_segment.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "base/pack.h"
#include "storage/disk.h"
#include "storage/limits.h"

#include <endian.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SEGMENT_VERSION 1U
#define HEADER_SIZE     72U
#define CRC_OFFSET      12U

static const char segment_magic[8] = {'A', 'W', 'A', 'L', 'S', 'E', 'G', '1'};

void wal_segment_name(char name[WAL_SEGMENT_NAME_SIZE], uint64_t seq)
{
    int size = snprintf(name, WAL_SEGMENT_NAME_SIZE, "wal-%016" PRIx64 ".seg", seq);

    ASSERT(size == 24);
}

bool wal_segment_name_parse(const char *name, uint64_t *ret_seq)
{
    uint64_t seq = 0;
    char canonical[WAL_SEGMENT_NAME_SIZE];

    if (strlen(name) != 24 || strncmp(name, "wal-", 4) != 0) {
        return false;
    }
    for (size_t i = 4; i < 20; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = strchr(digits, name[i]);

        if (digit == NULL) {
            return false;
        }
        seq = seq << 4 | (uint64_t)(digit - digits);
    }
    wal_segment_name(canonical, seq);
    *ret_seq = seq;
    return strcmp(name, canonical) == 0;
}

static enum err_code
segment_path(const struct wal_home *home, uint64_t seq, char *path, struct err *err)
{
    char name[WAL_SEGMENT_NAME_SIZE];

    wal_segment_name(name, seq);
    return disk_path(path, home->dir, name, err);
}

static void put_u64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
}

static void put_u32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

static void header_encode(const struct wal_home *home,
                          const struct wal_segment *segment,
                          uint8_t header[HEADER_SIZE])
{
    memcpy(header, segment_magic, sizeof segment_magic);
    put_u32(header + 12, SEGMENT_VERSION);
    put_u64(header + 16, segment->seq);
    put_u64(header + 24, segment->size);
    put_u64(header + 32, segment->salt);
    memcpy(header + 40, home->cluster_id, STORAGE_ID_SIZE);
    memcpy(header + 56, home->store_id, STORAGE_ID_SIZE);
    put_u32(header + 8, crc32c(0, header + CRC_OFFSET, HEADER_SIZE - CRC_OFFSET));
}

static enum err_code header_decode(const struct wal_home *home,
                                   struct wal_segment *segment,
                                   const uint8_t header[HEADER_SIZE],
                                   struct err *err)
{
    struct unpack in;
    uint32_t crc;
    uint32_t version;
    uint64_t seq;
    uint64_t size;

    unpack_init(&in, span_of(header + 8, HEADER_SIZE - 8));
    crc = unpack_u32(&in);
    version = unpack_u32(&in);
    seq = unpack_u64(&in);
    size = unpack_u64(&in);
    segment->salt = unpack_u64(&in);
    ASSERT(unpack_ok(&in));
    if (memcmp(header, segment_magic, sizeof segment_magic) != 0) {
        return err_set(err, ERR_CORRUPT, "the header has no magic");
    }
    if (crc != crc32c(0, header + CRC_OFFSET, HEADER_SIZE - CRC_OFFSET)) {
        return err_set(err, ERR_CORRUPT, "the header's checksum does not match");
    }
    if (version != SEGMENT_VERSION) {
        return err_set(err, ERR_CORRUPT, "format version %" PRIu32 " is not known", version);
    }
    if (seq != segment->seq || size != segment->size) {
        return err_set(err, ERR_CORRUPT,
                       "the header is that of segment %" PRIu64 " of %" PRIu64 " bytes", seq, size);
    }
    if (memcmp(header + 40, home->cluster_id, STORAGE_ID_SIZE) != 0 ||
        memcmp(header + 56, home->store_id, STORAGE_ID_SIZE) != 0) {
        return err_set(err, ERR_CORRUPT, "the segment belongs to another store");
    }
    return ERR_OK;
}

/* In chunks, each synced: one large burst would hold up the log's own syncs. */
static enum err_code
write_zeros(const struct wal_home *home, int file, uint64_t size, struct err *err)
{
    const struct disk *disk = home->disk;
    AUTO_FREE void *zeros = mem_new(WAL_ZERO_CHUNK_SIZE, 1);
    enum err_code rc = ERR_OK;

    if (zeros == NULL) {
        return err_set(err, ERR_NOMEM, "zeros");
    }
    for (uint64_t at = 0; rc == ERR_OK && at < size; at += WAL_ZERO_CHUNK_SIZE) {
        uint64_t left = size - at;
        size_t chunk = left < WAL_ZERO_CHUNK_SIZE ? (size_t)left : WAL_ZERO_CHUNK_SIZE;

        rc = disk->write(disk->arg, file, at, zeros, chunk, err);
        if (rc == ERR_OK) {
            rc = disk->sync(disk->arg, file, err);
        }
    }
    return rc;
}

/* Header, sync, name, sync of the directory: whoever sees the name sees a whole segment. */
static enum err_code finish(const struct wal_home *home,
                            const char *path_next,
                            const struct wal_segment *segment,
                            struct err *err)
{
    const struct disk *disk = home->disk;
    uint8_t page[WAL_SEGMENT_HEADER_SIZE] = {0};
    char path[STORAGE_PATH_SIZE_MAX];
    enum err_code rc = segment_path(home, segment->seq, path, err);

    header_encode(home, segment, page);
    if (rc == ERR_OK) {
        rc = disk->write(disk->arg, segment->file, 0, page, sizeof page, err);
    }
    if (rc == ERR_OK) {
        rc = disk->sync(disk->arg, segment->file, err);
    }
    if (rc == ERR_OK) {
        rc = disk->rename(disk->arg, path_next, path, err);
    }
    if (rc == ERR_OK) {
        rc = disk->sync_dir(disk->arg, home->dir, err);
    }
    return rc;
}

enum err_code
wal_segment_create(const struct wal_home *home, struct wal_segment *segment, struct err *err)
{
    char path_next[STORAGE_PATH_SIZE_MAX];
    enum err_code rc = disk_path(path_next, home->dir, WAL_NEXT_FILE, err);

    segment->file = -1;
    segment->end = WAL_SEGMENT_HEADER_SIZE;
    if (rc == ERR_OK) {
        rc = home->disk->open(home->disk->arg, path_next, DISK_OPEN_CREATE, &segment->file, err);
    }
    if (rc == ERR_OK) {
        rc = write_zeros(home, segment->file, segment->size, err);
    }
    if (rc == ERR_OK) {
        rc = finish(home, path_next, segment, err);
    }
    if (rc != ERR_OK) {
        wal_segment_close(home, segment);
        return err_wrap(err, rc, "create segment %" PRIu64, segment->seq);
    }
    return ERR_OK;
}

enum err_code wal_segment_recycle(const struct wal_home *home,
                                  const struct wal_segment *old,
                                  struct wal_segment *segment,
                                  struct err *err)
{
    const struct disk *disk = home->disk;
    char path_old[STORAGE_PATH_SIZE_MAX];
    char path_next[STORAGE_PATH_SIZE_MAX];
    enum err_code rc = segment_path(home, old->seq, path_old, err);

    ASSERT(old->size == segment->size);
    ASSERT(old->salt != segment->salt);
    segment->file = -1;
    segment->end = WAL_SEGMENT_HEADER_SIZE;
    if (rc == ERR_OK) {
        rc = disk_path(path_next, home->dir, WAL_NEXT_FILE, err);
    }
    /* The old name is durably gone before the header changes: a crash in between must not leave
     * a segment under the old name with the new number. */
    if (rc == ERR_OK) {
        rc = disk->rename(disk->arg, path_old, path_next, err);
    }
    if (rc == ERR_OK) {
        rc = disk->sync_dir(disk->arg, home->dir, err);
    }
    if (rc == ERR_OK) {
        rc = disk->open(disk->arg, path_next, DISK_OPEN_EXISTING, &segment->file, err);
    }
    if (rc == ERR_OK) {
        rc = finish(home, path_next, segment, err);
    }
    if (rc != ERR_OK) {
        wal_segment_close(home, segment);
        return err_wrap(err, rc, "recycle segment %" PRIu64, old->seq);
    }
    return ERR_OK;
}

enum err_code
wal_segment_open(const struct wal_home *home, struct wal_segment *segment, struct err *err)
{
    const struct disk *disk = home->disk;
    uint8_t header[HEADER_SIZE];
    char path[STORAGE_PATH_SIZE_MAX];
    enum err_code rc = segment_path(home, segment->seq, path, err);

    segment->file = -1;
    if (rc == ERR_OK) {
        rc = disk->open(disk->arg, path, DISK_OPEN_EXISTING, &segment->file, err);
    }
    if (rc == ERR_OK) {
        rc = disk->size(disk->arg, segment->file, &segment->size, err);
    }
    if (rc == ERR_OK &&
        (segment->size < WAL_SEGMENT_SIZE_MIN || segment->size > WAL_SEGMENT_SIZE_MAX)) {
        rc = err_set(err, ERR_CORRUPT, "a size of %" PRIu64 " is impossible", segment->size);
    }
    if (rc == ERR_OK) {
        rc = disk->read(disk->arg, segment->file, 0, header, sizeof header, err);
    }
    if (rc == ERR_OK) {
        segment->end = segment->size;
        rc = header_decode(home, segment, header, err);
    }
    if (rc != ERR_OK) {
        wal_segment_close(home, segment);
        return err_wrap(err, rc, "segment %" PRIu64, segment->seq);
    }
    return ERR_OK;
}

void wal_segment_close(const struct wal_home *home, struct wal_segment *segment)
{
    if (segment->file >= 0) {
        home->disk->close(home->disk->arg, segment->file);
        segment->file = -1;
    }
}

enum err_code wal_segment_remove(const struct wal_home *home, uint64_t seq, struct err *err)
{
    char name[WAL_SEGMENT_NAME_SIZE];

    wal_segment_name(name, seq);
    return disk_remove(home->disk, home->dir, name, err);
}
