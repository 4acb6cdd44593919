/* SPDX-License-Identifier: Apache-2.0 */
/* test_wal_cut.c: proves storage/wal_cut: the log ends earlier, whatever fails meanwhile; and a log
 * that begins behind a snapshot.
 * Owns nothing but its cases. Never touches a file. */
#include "storage/wal_reader.h"
#include "tests/lib/wal_kit.h"
#include "tests/unit/unit.h"

#include <string.h>

static void fill(struct wal_kit *kit, uint64_t count, size_t size)
{
    wal_kit_init(kit);
    for (uint64_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL_FATAL(wal_kit_append(kit, size, 0), ERR_OK);
    }
}

static enum err_code cut_at(struct wal_kit *kit, uint64_t lsn, uint64_t lsn_applied)
{
    struct wal_cut cut = {.position = kit->positions[lsn], .applied = kit->positions[lsn_applied]};
    enum err_code rc = wal_cut(kit->wal, &cut, &kit->err);

    if (rc == ERR_OK) {
        wal_last(kit->wal, &kit->last);
    }
    return rc;
}

static void check_end(struct wal_kit *kit, uint64_t lsn)
{
    CU_ASSERT_EQUAL(kit->last.lsn, lsn);
    CU_ASSERT_EQUAL(memcmp(&kit->last, &kit->positions[lsn], sizeof kit->last), 0);
}

static void the_log_ends_at_the_cut_and_goes_on_there(void)
{
    const uint64_t applied[] = {0, 3, 7};

    for (size_t i = 0; i < sizeof applied / sizeof applied[0]; i++) {
        struct wal_kit kit;

        fill(&kit, 12, 700);
        CU_ASSERT_EQUAL(cut_at(&kit, 7, applied[i]), ERR_OK);
        check_end(&kit, 7);
        CU_ASSERT(sim_disk_file(&kit.sim, "wal-cut") == NULL);
        CU_ASSERT_EQUAL(wal_kit_append(&kit, 300, 0), ERR_OK);
        CU_ASSERT_EQUAL(wal_kit_append(&kit, 300, 0), ERR_OK);
        CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&kit), ERR_OK);
        check_end(&kit, 9);
        wal_kit_done(&kit);
    }
}

static void a_cut_goes_across_segments(void)
{
    struct wal_kit kit;

    fill(&kit, 50, 50000);
    CU_ASSERT(sim_disk_file(&kit.sim, "wal-0000000000000003.seg") != NULL);
    CU_ASSERT_EQUAL(cut_at(&kit, 5, 2), ERR_OK);
    check_end(&kit, 5);
    CU_ASSERT(sim_disk_file(&kit.sim, "wal-0000000000000002.seg") == NULL);
    CU_ASSERT(sim_disk_file(&kit.sim, "wal-0000000000000003.seg") == NULL);
    for (int i = 0; i < 50; i++) {
        CU_ASSERT_EQUAL(wal_kit_append(&kit, 50000, 0), ERR_OK);
    }
    CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&kit), ERR_OK);
    check_end(&kit, 55);
    wal_kit_done(&kit);
}

static void everything_may_be_cut_when_nothing_is_applied(void)
{
    struct wal_kit kit;

    fill(&kit, 5, 100);
    CU_ASSERT_EQUAL(cut_at(&kit, 0, 0), ERR_OK);
    CU_ASSERT_EQUAL(kit.last.lsn, 0);
    CU_ASSERT_EQUAL(wal_kit_append(&kit, 100, 0), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&kit), ERR_OK);
    CU_ASSERT_EQUAL(kit.last.lsn, 1);
    wal_kit_done(&kit);
}

static void a_cut_at_the_end_only_syncs(void)
{
    struct wal_kit kit;
    uint64_t syncs;

    fill(&kit, 5, 100);
    syncs = kit.sim.sync_count;
    CU_ASSERT_EQUAL(cut_at(&kit, 5, 0), ERR_OK);
    CU_ASSERT_EQUAL(kit.sim.sync_count, syncs + 1);
    check_end(&kit, 5);
    wal_kit_done(&kit);
}

static void another_record_at_the_cut_is_a_conflict(void)
{
    struct wal_kit kit;

    fill(&kit, 5, 100);
    kit.positions[3].hash[0] ^= 1;
    CU_ASSERT_EQUAL(cut_at(&kit, 3, 0), ERR_CONFLICT);
    kit.positions[3].hash[0] ^= 1;
    kit.positions[7] = kit.positions[5];
    kit.positions[7].lsn = 7;
    CU_ASSERT_EQUAL(cut_at(&kit, 7, 0), ERR_CONFLICT);
    CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&kit), ERR_OK);
    check_end(&kit, 5);
    wal_kit_done(&kit);
}

static void a_reader_forgets_what_was_cut(void)
{
    struct wal_kit kit;
    struct wal_reader *reader;
    struct wal_entry entry;

    fill(&kit, 6, 100);
    CU_ASSERT_EQUAL_FATAL(wal_reader_new(kit.wal, &reader, &kit.err), ERR_OK);
    CU_ASSERT_EQUAL(wal_reader_read(reader, 1, &entry, &kit.err), ERR_OK);
    CU_ASSERT_EQUAL(cut_at(&kit, 3, 0), ERR_OK);
    CU_ASSERT_EQUAL(wal_reader_read(reader, 4, &entry, &kit.err), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(wal_kit_append(&kit, 200, 0), ERR_OK);
    CU_ASSERT_EQUAL(wal_reader_read(reader, 4, &entry, &kit.err), ERR_OK);
    CU_ASSERT_EQUAL(entry.record.payload.size, 200);
    wal_reader_free(reader);
    wal_kit_done(&kit);
}

/* Fails the nth call of a cut, once or for good; after that the start finds the old log or finishes
 * the cut, and the log goes on from there. */
static void try_failing(uint64_t count, size_t size, uint64_t times)
{
    bool failed = true;

    for (uint64_t nth = 0; failed; nth++) {
        struct wal_kit kit;
        enum err_code rc;

        fill(&kit, count, size);
        kit.options.applied = kit.positions[3];
        kit.options.lsn_durable = 3;
        CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&kit), ERR_OK);
        fault_set(&kit.sim.fault, nth, times);
        rc = cut_at(&kit, 4, 3);
        failed = fault_happened(&kit.sim.fault);
        CU_ASSERT_EQUAL(rc, failed ? ERR_IO : ERR_OK);
        fault_set(&kit.sim.fault, 0, 0);
        CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&kit), ERR_OK);
        CU_ASSERT(kit.last.lsn == count || kit.last.lsn == 4);
        check_end(&kit, kit.last.lsn);
        CU_ASSERT(sim_disk_file(&kit.sim, "wal-cut") == NULL);
        CU_ASSERT_EQUAL(cut_at(&kit, 4, 3), ERR_OK);
        CU_ASSERT_EQUAL(wal_kit_append(&kit, 10, 0), ERR_OK);
        CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&kit), ERR_OK);
        check_end(&kit, 5);
        wal_kit_done(&kit);
    }
}

static void a_failing_call_leaves_the_old_end_or_a_cut_to_be_finished(void)
{
    try_failing(12, 3000, 1);
    try_failing(12, 3000, FAULT_FOREVER);
    try_failing(30, 100000, 1);
    try_failing(30, 100000, FAULT_FOREVER);
}

static void a_start_that_fails_while_it_finishes_a_cut_is_tried_again(void)
{
    bool failed = true;

    for (uint64_t nth = 0; failed; nth++) {
        struct wal_kit kit;
        enum err_code rc;

        fill(&kit, 30, 100000);
        kit.options.applied = kit.positions[3];
        kit.options.lsn_durable = 3;
        /* The mark is five calls: what follows fails. */
        fault_set(&kit.sim.fault, 5, FAULT_FOREVER);
        CU_ASSERT_EQUAL(cut_at(&kit, 4, 3), ERR_IO);
        CU_ASSERT(sim_disk_file(&kit.sim, "wal-cut") != NULL);
        fault_set(&kit.sim.fault, nth, 1);
        rc = wal_kit_reopen(&kit);
        failed = fault_happened(&kit.sim.fault);
        CU_ASSERT_EQUAL(rc, failed ? ERR_IO : ERR_OK);
        fault_set(&kit.sim.fault, 0, 0);
        CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&kit), ERR_OK);
        check_end(&kit, 4);
        wal_kit_done(&kit);
    }
}

static void a_damaged_mark_is_refused(void)
{
    struct wal_kit kit;

    fill(&kit, 12, 700);
    fault_set(&kit.sim.fault, 5, FAULT_FOREVER);
    CU_ASSERT_EQUAL(cut_at(&kit, 4, 3), ERR_IO);
    fault_set(&kit.sim.fault, 0, 0);
    sim_disk_file(&kit.sim, "wal-cut")->bytes[30] ^= 1;
    CU_ASSERT_EQUAL(wal_kit_reopen(&kit), ERR_CORRUPT);
    CU_ASSERT(strstr(kit.err.message, "wal-cut") != NULL);
    wal_kit_done(&kit);
}

static void a_log_may_begin_behind_a_snapshot(void)
{
    struct wal_kit kit;
    struct record_position base;
    struct wal_reader *reader;
    struct wal_entry entry;

    fill(&kit, 9, 100);
    base = kit.positions[9];
    wal_close(kit.wal);
    kit.wal = NULL;
    sim_disk_done(&kit.sim);
    sim_disk_init(&kit.sim);
    kit.options.applied = base;
    kit.options.lsn_durable = 9;
    CU_ASSERT_EQUAL(wal_kit_reopen(&kit), ERR_CORRUPT);
    kit.options.lsn_base = 9;
    CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&kit), ERR_OK);
    check_end(&kit, 9);
    /* Also when it was opened again before anything was appended. */
    CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&kit), ERR_OK);
    check_end(&kit, 9);
    CU_ASSERT_EQUAL(wal_kit_append(&kit, 100, 0), ERR_OK);
    CU_ASSERT_EQUAL(wal_kit_append(&kit, 100, 0), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&kit), ERR_OK);
    check_end(&kit, 11);
    CU_ASSERT_EQUAL_FATAL(wal_reader_new(kit.wal, &reader, &kit.err), ERR_OK);
    CU_ASSERT_EQUAL(wal_reader_read(reader, 9, &entry, &kit.err), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(wal_reader_read(reader, 10, &entry, &kit.err), ERR_OK);
    CU_ASSERT_EQUAL(memcmp(entry.record.hash_prev, base.hash, STORAGE_HASH_SIZE), 0);
    wal_reader_free(reader);
    /* And cut back to its beginning. */
    CU_ASSERT_EQUAL(cut_at(&kit, 9, 9), ERR_OK);
    check_end(&kit, 9);
    CU_ASSERT_EQUAL(wal_kit_append(&kit, 50, 0), ERR_OK);
    /* Once something of the log is applied, the log must have it. */
    kit.options.applied = kit.positions[10];
    kit.options.lsn_durable = 10;
    CU_ASSERT_EQUAL_FATAL(wal_kit_reopen(&kit), ERR_OK);
    check_end(&kit, 10);
    wal_kit_done(&kit);
}

UNIT_MAIN("wal_cut",
          {"the log ends at the cut and goes on there", the_log_ends_at_the_cut_and_goes_on_there},
          {"a cut goes across segments", a_cut_goes_across_segments},
          {"everything may be cut when nothing is applied",
           everything_may_be_cut_when_nothing_is_applied},
          {"a cut at the end only syncs", a_cut_at_the_end_only_syncs},
          {"another record at the cut is a conflict", another_record_at_the_cut_is_a_conflict},
          {"a reader forgets what was cut", a_reader_forgets_what_was_cut},
          {"a failing call leaves the old end or a cut to be finished",
           a_failing_call_leaves_the_old_end_or_a_cut_to_be_finished},
          {"a start that fails while it finishes a cut is tried again",
           a_start_that_fails_while_it_finishes_a_cut_is_tried_again},
          {"a damaged mark is refused", a_damaged_mark_is_refused},
          {"a log may begin behind a snapshot", a_log_may_begin_behind_a_snapshot})
