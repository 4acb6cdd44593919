/* SPDX-License-Identifier: Apache-2.0 */
/* test_wal.c: proves storage/wal and its recovery, on a disk in memory.
 * Owns nothing but its cases. Never touches a file. */
#include "base/crc32c.h"
#include "base/rng.h"
#include "storage/limits.h"
#include "storage/wal.h"
#include "tests/lib/sim_disk.h"
#include "tests/unit/unit.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#define SEGMENT_1 "wal-0000000000000001.seg"
#define SEGMENT_2 "wal-0000000000000002.seg"

struct rig {
    struct sim_disk sim;
    struct wal *wal;
    struct wal_options options;
    struct record_position last; /* appended */
    struct err err;
    uint64_t replayed_first;
    uint64_t replayed_last;
    uint64_t replayed_count;
    /* Of the watched disk: */
    enum err_code (*unlink)(void *arg, const char *path, struct err *err);
    enum err_code (*sync_dir)(void *arg, const char *dir, struct err *err);
    uint32_t unlinked_count; /* since the directory was synced */
};

static enum err_code open_rig(struct rig *rig)
{
    rig->options.home.disk = &rig->sim.disk;
    rig->options.home.dir = "data";
    rig->options.rng = rng_host();
    rig->options.segment_size = WAL_SEGMENT_SIZE_MIN;
    rig->options.wal_size_max = 4UL * WAL_SEGMENT_SIZE_MIN;
    return wal_open(&rig->options, &rig->wal, &rig->err);
}

static void begin_rig(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    sim_disk_init(&rig->sim);
    CU_ASSERT_EQUAL_FATAL(open_rig(rig), ERR_OK);
}

static void close_rig(struct rig *rig)
{
    wal_close(rig->wal);
    rig->wal = NULL;
}

static void end_rig(struct rig *rig)
{
    close_rig(rig);
    sim_disk_done(&rig->sim);
}

/* Appends a record of so many bytes, written when everything before it was durable (or, behind: so
 * many records were not). */
static void append(struct rig *rig, size_t size, uint64_t behind)
{
    struct wal_append record = {.kind = RECORD_KIND_CHANGES,
                                .payload_size = size,
                                .epoch = 1,
                                .wall_ms = 1000,
                                .lsn_durable = rig->last.lsn - behind};

    memset(wal_payload(rig->wal), 0x5a, size);
    CU_ASSERT_EQUAL_FATAL(wal_append(rig->wal, &record, &rig->last, &rig->err), ERR_OK);
}

static enum err_code visit(void *arg,
                           const struct record *record,
                           const struct record_position *position,
                           struct err *err)
{
    struct rig *rig = arg;

    (void)err;
    CU_ASSERT_EQUAL(record->lsn, position->lsn);
    if (rig->replayed_count++ == 0) {
        rig->replayed_first = position->lsn;
    } else {
        CU_ASSERT_EQUAL(position->lsn, rig->replayed_last + 1);
    }
    rig->replayed_last = position->lsn;
    return ERR_OK;
}

static void replay(struct rig *rig)
{
    rig->replayed_count = 0;
    CU_ASSERT_EQUAL(wal_replay(rig->wal, visit, rig, &rig->err), ERR_OK);
}

static uint8_t *record_bytes(struct rig *rig, const char *segment, uint64_t offset)
{
    struct sim_file *file = sim_disk_file(&rig->sim, segment);

    CU_ASSERT_FATAL(file != NULL && offset < file->size);
    return file->bytes + offset;
}

static void records_come_back_in_order(void)
{
    struct rig rig;

    begin_rig(&rig);
    for (size_t i = 0; i < 100; i++) {
        append(&rig, i * 13, 0);
    }
    close_rig(&rig);
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    replay(&rig);
    CU_ASSERT_EQUAL(rig.replayed_first, 1);
    CU_ASSERT_EQUAL(rig.replayed_last, 100);
    append(&rig, 10, 0);
    CU_ASSERT_EQUAL(rig.last.lsn, 101);
    end_rig(&rig);
}

static void replay_starts_after_the_applied_record(void)
{
    struct rig rig;

    begin_rig(&rig);
    for (size_t i = 0; i < 10; i++) {
        append(&rig, 100, 0);
        if (i == 3) {
            rig.options.applied = rig.last;
            rig.options.lsn_durable = rig.last.lsn;
        }
    }
    close_rig(&rig);
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    replay(&rig);
    CU_ASSERT_EQUAL(rig.replayed_first, 5);
    CU_ASSERT_EQUAL(rig.replayed_last, 10);
    end_rig(&rig);
}

static void a_torn_tail_is_cut(void)
{
    struct rig rig;

    begin_rig(&rig);
    append(&rig, 100, 0);
    append(&rig, 100, 0);
    close_rig(&rig);
    *record_bytes(&rig, SEGMENT_1, WAL_SEGMENT_HEADER_SIZE + record_size(100) + 120) ^= 1;
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    replay(&rig);
    CU_ASSERT_EQUAL(rig.replayed_last, 1);
    wal_last(rig.wal, &rig.last);
    append(&rig, 50, 0);
    CU_ASSERT_EQUAL(rig.last.lsn, 2);
    close_rig(&rig);
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    replay(&rig);
    CU_ASSERT_EQUAL(rig.replayed_last, 2);
    end_rig(&rig);
}

static void what_was_in_flight_behind_a_hole_is_cut_with_it(void)
{
    struct rig rig;

    begin_rig(&rig);
    append(&rig, 100, 0);
    append(&rig, 100, 0);
    append(&rig, 100, 1); /* written while record 2 was not durable */
    close_rig(&rig);
    *record_bytes(&rig, SEGMENT_1, WAL_SEGMENT_HEADER_SIZE + record_size(100) + 120) ^= 1;
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    replay(&rig);
    CU_ASSERT_EQUAL(rig.replayed_last, 1);
    wal_last(rig.wal, &rig.last);
    append(&rig, 100, 0); /* exactly as long as the lost one: the old record 3 is next to it */
    close_rig(&rig);
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    replay(&rig);
    CU_ASSERT_EQUAL(rig.replayed_last, 2);
    end_rig(&rig);
}

static void a_bad_record_that_was_durable_is_refused(void)
{
    struct rig rig;

    begin_rig(&rig);
    append(&rig, 100, 0);
    append(&rig, 100, 0);
    append(&rig, 100, 0); /* written when record 2 was durable */
    close_rig(&rig);
    *record_bytes(&rig, SEGMENT_1, WAL_SEGMENT_HEADER_SIZE + record_size(100) + 120) ^= 1;
    CU_ASSERT_EQUAL(open_rig(&rig), ERR_CORRUPT);
    CU_ASSERT(strstr(rig.err.message, "segment 1: record 2 ") != NULL);
    CU_ASSERT(strstr(rig.err.message, "checksum") != NULL);
    end_rig(&rig);
}

/* Gives the record another version, as whole as it was. */
static void make_newer(struct rig *rig, uint64_t offset, size_t size)
{
    uint8_t *frame = record_bytes(rig, SEGMENT_1, offset);
    uint32_t crc;

    frame[24]++;
    crc = htole32(crc32c(0, frame + 8, RECORD_HEADER_SIZE - 8 + size));
    memcpy(frame + 4, &crc, sizeof crc);
}

static void a_record_of_another_version_is_no_torn_tail(void)
{
    struct rig rig;
    uint64_t third = WAL_SEGMENT_HEADER_SIZE + 2 * record_size(100);

    begin_rig(&rig);
    append(&rig, 100, 0);
    append(&rig, 100, 1);
    append(&rig, 100, 2);
    close_rig(&rig);
    make_newer(&rig, third, 100);
    CU_ASSERT_EQUAL(open_rig(&rig), ERR_UNSUPPORTED);
    CU_ASSERT(strstr(rig.err.message, "another version") != NULL);
    /* Nor behind a hole: nobody here can tell what it says of what was durable. */
    *record_bytes(&rig, SEGMENT_1, third - 20) ^= 1;
    CU_ASSERT_EQUAL(open_rig(&rig), ERR_UNSUPPORTED);
    *record_bytes(&rig, SEGMENT_1, third - 20) ^= 1;
    /* Not whole, it is one. */
    *record_bytes(&rig, SEGMENT_1, third + 100) ^= 1;
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    replay(&rig);
    CU_ASSERT_EQUAL(rig.replayed_last, 2);
    end_rig(&rig);
}

static void a_bad_applied_record_is_refused(void)
{
    struct rig rig;

    begin_rig(&rig);
    append(&rig, 100, 0);
    append(&rig, 100, 0);
    rig.options.applied = rig.last;
    rig.options.lsn_durable = rig.last.lsn;
    close_rig(&rig);
    *record_bytes(&rig, SEGMENT_1, WAL_SEGMENT_HEADER_SIZE + record_size(100) + 120) ^= 1;
    CU_ASSERT_EQUAL(open_rig(&rig), ERR_CORRUPT);
    CU_ASSERT(strstr(rig.err.message, "record 2 ") != NULL);
    end_rig(&rig);
}

static void another_history_than_the_applied_one_is_refused(void)
{
    struct rig rig;

    begin_rig(&rig);
    append(&rig, 100, 0);
    append(&rig, 100, 0);
    rig.options.applied = rig.last;
    rig.options.applied.hash[0] ^= 1;
    rig.options.lsn_durable = rig.last.lsn;
    close_rig(&rig);
    CU_ASSERT_EQUAL(open_rig(&rig), ERR_CORRUPT);
    CU_ASSERT(strstr(rig.err.message, "hash") != NULL);
    end_rig(&rig);
}

static void a_lost_log_is_refused(void)
{
    struct rig rig;

    begin_rig(&rig);
    append(&rig, 100, 0);
    rig.options.lsn_durable = 1;
    close_rig(&rig);
    sim_disk_file(&rig.sim, SEGMENT_1)->name[0] = '\0';
    CU_ASSERT_EQUAL(open_rig(&rig), ERR_CORRUPT);
    CU_ASSERT(strstr(rig.err.message, "missing") != NULL);
    end_rig(&rig);
}

static void a_bad_segment_header_is_refused(void)
{
    struct rig rig;

    begin_rig(&rig);
    append(&rig, 100, 0);
    close_rig(&rig);
    *record_bytes(&rig, SEGMENT_1, 30) ^= 4;
    CU_ASSERT_EQUAL(open_rig(&rig), ERR_CORRUPT);
    CU_ASSERT(strstr(rig.err.message, "segment 1") != NULL);
    end_rig(&rig);
}

/* One large record, durable; the next segment is made when it is needed. */
static enum err_code append_large(struct rig *rig, uint64_t lsn_trim)
{
    enum err_code rc = ERR_OK;

    if (!wal_has_room(rig->wal)) {
        rc = wal_prepare(rig->wal, lsn_trim, &rig->err);
    }
    if (rc == ERR_OK) {
        append(rig, 200000, 0);
        rc = wal_sync(rig->wal, &rig->err);
    }
    return rc;
}

/* Fills segments until that one exists. */
static void fill_segments(struct rig *rig, uint64_t lsn_trim, const char *until)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && sim_disk_file(&rig->sim, until) == NULL) {
        rc = append_large(rig, lsn_trim);
    }
    CU_ASSERT_EQUAL_FATAL(rc, ERR_OK);
}

static void the_log_goes_on_in_the_next_segment(void)
{
    struct rig rig;
    uint64_t lsn;

    begin_rig(&rig);
    fill_segments(&rig, 0, "wal-0000000000000003.seg");
    lsn = rig.last.lsn;
    close_rig(&rig);
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    replay(&rig);
    CU_ASSERT_EQUAL(rig.replayed_count, lsn);
    CU_ASSERT_EQUAL(wal_size(rig.wal), 3UL * WAL_SEGMENT_SIZE_MIN);
    end_rig(&rig);
}

static void nothing_is_trimmed_that_is_not_applied(void)
{
    struct rig rig;
    enum err_code rc = ERR_OK;

    begin_rig(&rig);
    for (size_t i = 0; rc == ERR_OK && i < 100; i++) {
        rc = append_large(&rig, 0);
    }
    CU_ASSERT_EQUAL(rc, ERR_UNAVAILABLE);
    CU_ASSERT(sim_disk_file(&rig.sim, SEGMENT_1) != NULL);
    CU_ASSERT_EQUAL(wal_prepare(rig.wal, rig.last.lsn, &rig.err), ERR_OK);
    CU_ASSERT(sim_disk_file(&rig.sim, SEGMENT_1) == NULL);
    CU_ASSERT(wal_size(rig.wal) <= rig.options.wal_size_max);
    end_rig(&rig);
}

static void what_is_older_than_a_gap_stays_while_the_log_is_refused(void)
{
    struct rig rig;

    begin_rig(&rig);
    append(&rig, 100, 0);
    rig.options.applied = rig.last;
    rig.options.lsn_durable = 1;
    fill_segments(&rig, 0, "wal-0000000000000003.seg");
    close_rig(&rig);
    sim_disk_file(&rig.sim, SEGMENT_2)->name[0] = '\0';
    CU_ASSERT_EQUAL(open_rig(&rig), ERR_CORRUPT);
    CU_ASSERT(sim_disk_file(&rig.sim, SEGMENT_1) != NULL);
    end_rig(&rig);
}

/* The disk with a look at the order of its calls; the rig begins with it. */
static enum err_code watched_unlink(void *arg, const char *path, struct err *err)
{
    struct rig *rig = arg;
    enum err_code rc = rig->unlink(arg, path, err);

    if (rc == ERR_OK) {
        CU_ASSERT_EQUAL(rig->unlinked_count, 0);
        rig->unlinked_count++;
    }
    return rc;
}

static enum err_code watched_sync_dir(void *arg, const char *dir, struct err *err)
{
    struct rig *rig = arg;

    rig->unlinked_count = 0;
    return rig->sync_dir(arg, dir, err);
}

/* Were the older of two unlinks the only one to last, the newer segment would look like the log. */
static void each_segment_behind_a_torn_tail_goes_durably(void)
{
    struct rig rig;

    begin_rig(&rig);
    while (sim_disk_file(&rig.sim, "wal-0000000000000003.seg") == NULL) {
        if (!wal_has_room(rig.wal)) {
            CU_ASSERT_EQUAL_FATAL(wal_prepare(rig.wal, 0, &rig.err), ERR_OK);
        }
        append(&rig, 200000, rig.last.lsn);
    }
    close_rig(&rig);
    *record_bytes(&rig, SEGMENT_1, WAL_SEGMENT_HEADER_SIZE + 120) ^= 1;
    rig.unlink = rig.sim.disk.unlink;
    rig.sync_dir = rig.sim.disk.sync_dir;
    rig.sim.disk.unlink = watched_unlink;
    rig.sim.disk.sync_dir = watched_sync_dir;
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    CU_ASSERT_EQUAL(rig.unlinked_count, 0);
    CU_ASSERT(sim_disk_file(&rig.sim, SEGMENT_2) == NULL);
    replay(&rig);
    CU_ASSERT_EQUAL(rig.replayed_count, 0);
    end_rig(&rig);
}

static void stale_records_of_a_recycled_segment_are_never_accepted(void)
{
    struct rig rig;
    struct record_position applied;

    begin_rig(&rig);
    fill_segments(&rig, UINT64_MAX, "wal-0000000000000006.seg");
    /* Segment 6 was segment 2: full of whole records, with an older salt. */
    CU_ASSERT(sim_disk_file(&rig.sim, SEGMENT_2) == NULL);
    applied = rig.last;
    close_rig(&rig);
    rig.options.applied = applied;
    rig.options.lsn_durable = applied.lsn;
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    replay(&rig);
    CU_ASSERT_EQUAL(rig.replayed_count, 0);
    wal_last(rig.wal, &rig.last);
    CU_ASSERT_EQUAL(rig.last.lsn, applied.lsn);
    append(&rig, 10, 0);
    close_rig(&rig);
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    replay(&rig);
    CU_ASSERT_EQUAL(rig.replayed_count, 1);
    end_rig(&rig);
}

static void a_failed_write_is_told(void)
{
    struct rig rig;
    struct wal_append record = {.kind = RECORD_KIND_CHANGES, .epoch = 1};

    begin_rig(&rig);
    fault_set(&rig.sim.fault, 0, 1);
    CU_ASSERT_EQUAL(wal_append(rig.wal, &record, &rig.last, &rig.err), ERR_IO);
    CU_ASSERT(strstr(rig.err.message, "segment 1") != NULL);
    fault_set(&rig.sim.fault, 0, 1);
    CU_ASSERT_EQUAL(wal_sync(rig.wal, &rig.err), ERR_IO);
    end_rig(&rig);
}

static void what_is_recovered_is_synced_before_it_counts(void)
{
    struct rig rig;
    uint64_t syncs;

    begin_rig(&rig);
    for (size_t i = 0; i < 3; i++) {
        append(&rig, 100, i);
    }
    close_rig(&rig);
    syncs = rig.sim.sync_count;
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    CU_ASSERT_EQUAL(rig.sim.sync_count, syncs + 1);
    close_rig(&rig);
    fault_set(&rig.sim.fault, 0, FAULT_FOREVER);
    CU_ASSERT_EQUAL(open_rig(&rig), ERR_IO);
    end_rig(&rig);
}

UNIT_MAIN(
    "wal",
    {"records come back in order", records_come_back_in_order},
    {"replay starts after the applied record", replay_starts_after_the_applied_record},
    {"a torn tail is cut", a_torn_tail_is_cut},
    {"what was in flight behind a hole is cut with it",
     what_was_in_flight_behind_a_hole_is_cut_with_it},
    {"a bad record that was durable is refused", a_bad_record_that_was_durable_is_refused},
    {"a record of another version is no torn tail", a_record_of_another_version_is_no_torn_tail},
    {"a bad applied record is refused", a_bad_applied_record_is_refused},
    {"another history than the applied one is refused",
     another_history_than_the_applied_one_is_refused},
    {"a lost log is refused", a_lost_log_is_refused},
    {"a bad segment header is refused", a_bad_segment_header_is_refused},
    {"the log goes on in the next segment", the_log_goes_on_in_the_next_segment},
    {"nothing is trimmed that is not applied", nothing_is_trimmed_that_is_not_applied},
    {"what is older than a gap stays while the log is refused",
     what_is_older_than_a_gap_stays_while_the_log_is_refused},
    {"each segment behind a torn tail goes durably", each_segment_behind_a_torn_tail_goes_durably},
    {"stale records of a recycled segment are never accepted",
     stale_records_of_a_recycled_segment_are_never_accepted},
    {"what is recovered is synced before it counts", what_is_recovered_is_synced_before_it_counts},
    {"a failed write is told", a_failed_write_is_told})
