/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_wal.c: damaged bytes through the log's decoders and its recovery.
 * The input is read three ways: as changes, as a record (once as it is, once with a checksum that
 * fits), and as damage written over a good log, which must then open or be called corrupt, and when
 * it opens go on and open again. Owns nothing. Never accepts another outcome. */
#include "base/assert.h"
#include "base/crc32c.h"
#include "base/rng.h"
#include "storage/limits.h"
#include "storage/wal.h"
#include "tests/lib/sim_disk.h"

#include <endian.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SEGMENT      "wal-0000000000000001.seg"
#define RECORD_COUNT 6U
#define DAMAGE_MAX   4096U

static void fill_fixed(void *arg, void *bytes, size_t size)
{
    (void)arg;
    memset(bytes, 0x42, size);
}

static void read_changes(struct span bytes)
{
    struct change change;

    while (bytes.size > 0 && change_decode(&bytes, &change, NULL) == ERR_OK) {
        ASSERT(change.key.size >= 2);
        ASSERT(change.op == CHANGE_PUT || change.value.size == 0);
    }
}

/* A checksum that fits lets the fuzzer past it, to the fields behind. */
static void fix_checksum(uint8_t *frame, size_t room)
{
    uint32_t magic = htole32(RECORD_MAGIC);
    uint32_t payload_size;
    uint32_t crc;

    memcpy(frame, &magic, sizeof magic);
    memcpy(&payload_size, frame + 28, sizeof payload_size);
    payload_size = le32toh(payload_size);
    if (payload_size > room - RECORD_HEADER_SIZE) {
        return;
    }
    crc = htole32(crc32c(0, frame + 8, RECORD_HEADER_SIZE - 8 + payload_size));
    memcpy(frame + 4, &crc, sizeof crc);
}

static void read_record(const uint8_t *data, size_t size)
{
    struct record record;
    struct record_position position;
    uint8_t frame[DAMAGE_MAX];
    uint64_t salt;

    if (size < RECORD_HEADER_SIZE || size > sizeof frame) {
        return;
    }
    memcpy(&salt, data + 8, sizeof salt);
    memcpy(frame, data, size);
    fix_checksum(frame, size);
    if (record_decode(span_of(frame, size), le64toh(salt), &record, &position, NULL) == ERR_OK) {
        ASSERT(record.lsn > record.lsn_durable);
        ASSERT(record.payload.size <= size - RECORD_HEADER_SIZE);
        read_changes(record.payload);
    }
}

static enum err_code open_log(struct sim_disk *sim, struct wal **ret_wal)
{
    static const struct rng rng = {.fill = fill_fixed};
    struct wal_options options = {.home = {.disk = &sim->disk, .dir = "data"},
                                  .rng = &rng,
                                  .segment_size = WAL_SEGMENT_SIZE_MIN,
                                  .wal_size_max = 4UL * WAL_SEGMENT_SIZE_MIN};
    struct err err;

    return wal_open(&options, ret_wal, &err);
}

static void append(struct wal *wal, size_t size)
{
    struct record_position last;
    struct wal_append record = {.kind = RECORD_KIND_CHANGES, .payload_size = size};
    struct err err;
    enum err_code rc;

    wal_last(wal, &last);
    /* Damage with a fitting checksum may have any epoch and time; numbers do not wrap. */
    record.epoch = last.epoch;
    record.wall_ms = last.wall_ms;
    record.lsn_durable = last.lsn;
    memset(wal_payload(wal), 0x5a, size);
    rc = wal_append(wal, &record, &last, &err);
    ASSERT(rc == ERR_OK);
}

static enum err_code visit(void *arg,
                           const struct record *record,
                           const struct record_position *position,
                           struct err *err)
{
    uint64_t *lsn = arg;

    (void)err;
    ASSERT(position->lsn == *lsn + 1);
    *lsn = position->lsn;
    read_changes(record->payload);
    return ERR_OK;
}

/* A log that has opened can be read, goes on, and opens again with all of it. */
static void go_on(struct sim_disk *sim, struct wal *wal)
{
    struct record_position last;
    struct err err;
    uint64_t lsn = 0;
    enum err_code rc = wal_replay(wal, visit, &lsn, &err);

    ASSERT(rc == ERR_OK);
    wal_last(wal, &last);
    ASSERT(last.lsn == lsn);
    append(wal, 33);
    wal_close(wal);
    wal = NULL;
    rc = open_log(sim, &wal);
    ASSERT(rc == ERR_OK);
    wal_last(wal, &last);
    ASSERT(last.lsn == lsn + 1);
    wal_close(wal);
}

static void damage_log(const uint8_t *data, size_t size)
{
    static struct sim_disk sim;
    struct sim_file *file;
    struct wal *wal = NULL;
    size_t offset;
    enum err_code rc;

    if (size < 4 || size > DAMAGE_MAX) {
        return;
    }
    sim_disk_init(&sim);
    rc = open_log(&sim, &wal);
    ASSERT(rc == ERR_OK);
    for (size_t i = 0; i < RECORD_COUNT; i++) {
        append(wal, i * 40);
    }
    wal_close(wal);
    wal = NULL;
    file = sim_disk_file(&sim, SEGMENT);
    offset = (data[0] | (size_t)(data[1] & 0x1f) << 8) + ((data[1] & 0x80) != 0 ? 4096U : 0U);
    memcpy(file->bytes + offset, data + 3, size - 3);
    if ((data[2] & 1) != 0) {
        fix_checksum(file->bytes + offset, DAMAGE_MAX);
    }
    rc = open_log(&sim, &wal);
    ASSERT(rc == ERR_OK || rc == ERR_CORRUPT || rc == ERR_UNSUPPORTED);
    if (rc == ERR_OK) {
        go_on(&sim, wal);
    }
    sim_disk_done(&sim);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_changes(span_of(data, size));
    read_record(data, size);
    damage_log(data, size);
    return 0;
}
