/* SPDX-License-Identifier: Apache-2.0 */
/* test_wal_reader.c: proves storage/wal_reader, and that a record which was read can be appended to
 * another log.
 * Owns nothing but its cases. Never touches a file. */
#include "storage/wal_reader.h"
#include "tests/lib/wal_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

struct rig {
    struct wal_kit kit;
    struct wal_reader *reader;
};

static void begin(struct rig *rig)
{
    wal_kit_init(&rig->kit);
    CU_ASSERT_EQUAL_FATAL(wal_reader_new(rig->kit.wal, &rig->reader, &rig->kit.err), ERR_OK);
}

static void end(struct rig *rig)
{
    wal_reader_free(rig->reader);
    wal_kit_done(&rig->kit);
}

static void append(struct rig *rig, size_t size)
{
    CU_ASSERT_EQUAL_FATAL(wal_kit_append(&rig->kit, size, UINT64_MAX), ERR_OK);
}

/* True when the record lsn can be read and is the one that was appended. */
static bool is_there(struct rig *rig, uint64_t lsn)
{
    struct wal_entry entry;

    return wal_reader_read(rig->reader, lsn, &entry, &rig->kit.err) == ERR_OK &&
           entry.position.lsn == lsn &&
           memcmp(&entry.position, &rig->kit.positions[lsn], sizeof entry.position) == 0 &&
           (entry.record.payload.size == 0 ||
            (uint8_t)entry.record.payload.data[0] == (lsn - 1) % 251);
}

static void each_record_is_read_as_soon_as_it_is_appended(void)
{
    struct rig rig;
    struct wal_entry entry;

    begin(&rig);
    CU_ASSERT_EQUAL(wal_reader_read(rig.reader, 1, &entry, &rig.kit.err), ERR_NOT_FOUND);
    for (uint64_t lsn = 1; lsn < 300; lsn++) {
        append(&rig, (size_t)(lsn * 37 % 5000));
        CU_ASSERT(is_there(&rig, lsn));
        CU_ASSERT_EQUAL(wal_reader_read(rig.reader, lsn + 1, &entry, &rig.kit.err), ERR_NOT_FOUND);
    }
    end(&rig);
}

static void records_are_found_in_any_order_and_across_segments(void)
{
    struct rig rig;

    begin(&rig);
    for (uint64_t lsn = 1; lsn <= 60; lsn++) {
        append(&rig, 50000);
    }
    for (uint64_t i = 0; i < 60; i++) {
        CU_ASSERT(is_there(&rig, 1 + i * 17 % 60));
    }
    for (uint64_t lsn = 60; lsn > 0; lsn--) {
        CU_ASSERT(is_there(&rig, lsn));
    }
    for (uint64_t lsn = 1; lsn <= 60; lsn++) {
        CU_ASSERT(is_there(&rig, lsn));
    }
    end(&rig);
}

/* A standby whose table is full asks for the same record again, a hundred times in a segment. */
static void the_last_record_again_is_not_looked_for(void)
{
    struct rig rig;
    uint64_t read_count;

    begin(&rig);
    for (uint64_t lsn = 1; lsn <= 100; lsn++) {
        append(&rig, 2000);
    }
    for (uint64_t lsn = 1; lsn <= 100; lsn++) {
        CU_ASSERT(is_there(&rig, lsn));
        read_count = rig.kit.sim.read_count;
        CU_ASSERT(is_there(&rig, lsn));
        CU_ASSERT_EQUAL(rig.kit.sim.read_count, read_count);
    }
    CU_ASSERT(is_there(&rig, 1));
    CU_ASSERT(is_there(&rig, 100));
    CU_ASSERT(is_there(&rig, 99));
    end(&rig);
}

static void the_largest_record_is_read(void)
{
    struct rig rig;

    begin(&rig);
    append(&rig, 10);
    append(&rig, RECORD_PAYLOAD_SIZE_MAX);
    append(&rig, 10);
    append(&rig, RECORD_PAYLOAD_SIZE_MAX);
    for (uint64_t lsn = 1; lsn <= 4; lsn++) {
        CU_ASSERT(is_there(&rig, lsn));
    }
    end(&rig);
}

static void old_segments_are_found_after_reopening(void)
{
    struct rig rig;

    begin(&rig);
    for (uint64_t lsn = 1; lsn <= 60; lsn++) {
        append(&rig, 50000);
    }
    wal_reader_free(rig.reader);
    rig.kit.options.applied = rig.kit.positions[55];
    rig.kit.options.lsn_durable = 55;
    CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&rig.kit), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(wal_reader_new(rig.kit.wal, &rig.reader, &rig.kit.err), ERR_OK);
    for (uint64_t lsn = 1; lsn <= 60; lsn++) {
        CU_ASSERT(is_there(&rig, lsn));
    }
    end(&rig);
}

static void a_trimmed_record_is_not_found(void)
{
    struct rig rig;
    struct wal_entry entry;

    begin(&rig);
    for (uint64_t lsn = 1; lsn <= 200; lsn++) {
        append(&rig, 50000);
    }
    CU_ASSERT_EQUAL(wal_reader_read(rig.reader, 1, &entry, &rig.kit.err), ERR_NOT_FOUND);
    CU_ASSERT(is_there(&rig, 200));
    CU_ASSERT(is_there(&rig, 170));
    end(&rig);
}

static void a_segment_that_is_being_read_outlives_its_trimming(void)
{
    struct rig rig;
    struct wal_entry entry;

    begin(&rig);
    for (uint64_t lsn = 1; lsn <= 5; lsn++) {
        append(&rig, 50000);
    }
    CU_ASSERT(is_there(&rig, 2));
    for (uint64_t lsn = 6; lsn <= 200; lsn++) {
        append(&rig, 50000);
    }
    CU_ASSERT(sim_disk_file(&rig.kit.sim, "wal-0000000000000001.seg") == NULL);
    CU_ASSERT(is_there(&rig, 3));
    CU_ASSERT(is_there(&rig, 5));
    /* What lay further on in that segment was not known to the reader: it is gone. */
    CU_ASSERT_EQUAL(wal_reader_read(rig.reader, 60, &entry, &rig.kit.err), ERR_NOT_FOUND);
    CU_ASSERT(is_there(&rig, 200));
    end(&rig);
}

static void damage_is_told_from_the_end(void)
{
    struct rig rig;
    struct wal_entry entry;
    struct sim_file *file;

    begin(&rig);
    for (uint64_t lsn = 1; lsn <= 5; lsn++) {
        append(&rig, 100);
    }
    file = sim_disk_file(&rig.kit.sim, "wal-0000000000000001.seg");
    file->bytes[WAL_SEGMENT_HEADER_SIZE + 3 * record_size(100) + 100] ^= 1;
    CU_ASSERT(is_there(&rig, 3));
    CU_ASSERT_EQUAL(wal_reader_read(rig.reader, 4, &entry, &rig.kit.err), ERR_CORRUPT);
    CU_ASSERT(strstr(rig.kit.err.message, "read record 4") != NULL);
    end(&rig);
}

static void there_are_only_so_many_readers(void)
{
    struct rig rig;
    struct wal_reader *readers[WAL_READER_COUNT_MAX];
    struct wal_reader *more = NULL;

    begin(&rig);
    readers[0] = rig.reader;
    for (size_t i = 1; i < WAL_READER_COUNT_MAX; i++) {
        CU_ASSERT_EQUAL_FATAL(wal_reader_new(rig.kit.wal, &readers[i], &rig.kit.err), ERR_OK);
    }
    CU_ASSERT_EQUAL(wal_reader_new(rig.kit.wal, &more, &rig.kit.err), ERR_FULL);
    wal_reader_free(readers[1]);
    CU_ASSERT_EQUAL(wal_reader_new(rig.kit.wal, &readers[1], &rig.kit.err), ERR_OK);
    for (size_t i = 1; i < WAL_READER_COUNT_MAX; i++) {
        wal_reader_free(readers[i]);
    }
    end(&rig);
}

/* Gives the record to the other log, as a standby gets it. */
static enum err_code ship(struct rig *from, struct rig *to, uint64_t lsn)
{
    struct wal_received received = {.lsn_durable = to->kit.last.lsn};
    struct wal_entry entry;
    size_t size = 0;

    CU_ASSERT_EQUAL_FATAL(wal_reader_read(from->reader, lsn, &entry, &from->kit.err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(record_shared_decode(entry.shared, &received.record, &received.position,
                                               &size, &to->kit.err),
                          ERR_OK);
    CU_ASSERT_EQUAL(size, entry.shared.size);
    return wal_append_record(to->kit.wal, &received, &to->kit.last, &to->kit.err);
}

static void a_shipped_record_has_the_same_hash_there(void)
{
    struct rig from;
    struct rig to;

    begin(&from);
    begin(&to);
    for (uint64_t lsn = 1; lsn <= 20; lsn++) {
        append(&from, (size_t)(lsn * 1000));
        CU_ASSERT_EQUAL_FATAL(ship(&from, &to, lsn), ERR_OK);
        CU_ASSERT_EQUAL(memcmp(&from.kit.last, &to.kit.last, sizeof to.kit.last), 0);
    }
    wal_reader_free(to.reader);
    to.reader = NULL;
    CU_ASSERT_EQUAL(wal_kit_reopen(&to.kit), ERR_OK);
    CU_ASSERT_EQUAL(memcmp(from.kit.last.hash, to.kit.last.hash, STORAGE_HASH_SIZE), 0);
    end(&from);
    end(&to);
}

static void a_record_that_does_not_follow_is_refused(void)
{
    struct rig from;
    struct rig to;

    begin(&from);
    begin(&to);
    for (uint64_t lsn = 1; lsn <= 3; lsn++) {
        append(&from, 100);
    }
    CU_ASSERT_EQUAL(ship(&from, &to, 2), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(ship(&from, &to, 1), ERR_OK);
    CU_ASSERT_EQUAL(ship(&from, &to, 1), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(ship(&from, &to, 3), ERR_PROTOCOL);
    append(&to, 101);
    CU_ASSERT_EQUAL(ship(&from, &to, 3), ERR_PROTOCOL);
    CU_ASSERT(strstr(to.kit.err.message, "another record") != NULL);
    CU_ASSERT_EQUAL(to.kit.last.lsn, 2);
    end(&from);
    end(&to);
}

static void a_record_of_another_cluster_is_refused(void)
{
    struct rig from;
    struct rig to;

    begin(&from);
    begin(&to);
    wal_reader_free(to.reader);
    wal_close(to.kit.wal);
    to.kit.wal = NULL;
    sim_disk_done(&to.kit.sim);
    sim_disk_init(&to.kit.sim);
    to.kit.options.home.cluster_id[3] = 1;
    CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&to.kit), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(wal_reader_new(to.kit.wal, &to.reader, &to.kit.err), ERR_OK);
    append(&from, 100);
    CU_ASSERT_EQUAL(ship(&from, &to, 1), ERR_PROTOCOL);
    end(&from);
    end(&to);
}

static void shared_bytes_are_decoded_only_whole(void)
{
    struct rig rig;
    struct wal_entry entry;
    struct record record;
    struct record_position position;
    uint8_t bytes[256];
    size_t size = 0;

    begin(&rig);
    append(&rig, 101);
    CU_ASSERT_EQUAL_FATAL(wal_reader_read(rig.reader, 1, &entry, &rig.kit.err), ERR_OK);
    CU_ASSERT_FATAL(entry.shared.size < sizeof bytes);
    memcpy(bytes, entry.shared.data, entry.shared.size);
    for (size_t i = 0; i < entry.shared.size; i++) {
        CU_ASSERT_EQUAL(record_shared_decode(span_of(bytes, i), &record, &position, &size, NULL),
                        ERR_CORRUPT);
    }
    /* Bytes that belong to nobody must be zero, or two hosts would differ under one hash. */
    bytes[2] = 1;
    CU_ASSERT_EQUAL(
        record_shared_decode(span_of(bytes, sizeof bytes), &record, &position, &size, NULL),
        ERR_CORRUPT);
    bytes[2] = 0;
    bytes[entry.shared.size - 1] = 1;
    CU_ASSERT_EQUAL(
        record_shared_decode(span_of(bytes, sizeof bytes), &record, &position, &size, NULL),
        ERR_CORRUPT);
    end(&rig);
}

UNIT_MAIN("wal_reader",
          {"each record is read as soon as it is appended",
           each_record_is_read_as_soon_as_it_is_appended},
          {"records are found in any order and across segments",
           records_are_found_in_any_order_and_across_segments},
          {"the last record again is not looked for", the_last_record_again_is_not_looked_for},
          {"the largest record is read", the_largest_record_is_read},
          {"old segments are found after reopening", old_segments_are_found_after_reopening},
          {"a trimmed record is not found", a_trimmed_record_is_not_found},
          {"a segment that is being read outlives its trimming",
           a_segment_that_is_being_read_outlives_its_trimming},
          {"damage is told from the end", damage_is_told_from_the_end},
          {"there are only so many readers", there_are_only_so_many_readers},
          {"a shipped record has the same hash there", a_shipped_record_has_the_same_hash_there},
          {"a record that does not follow is refused", a_record_that_does_not_follow_is_refused},
          {"a record of another cluster is refused", a_record_of_another_cluster_is_refused},
          {"shared bytes are decoded only whole", shared_bytes_are_decoded_only_whole})
