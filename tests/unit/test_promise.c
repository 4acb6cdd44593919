/* SPDX-License-Identifier: Apache-2.0 */
/* test_promise.c: proves storage/promise, on a disk in memory.
 * Owns nothing but its cases. Never touches a file. */
#include "storage/promise.h"
#include "tests/lib/sim_disk.h"
#include "tests/unit/unit.h"

#include <string.h>

static const uint8_t store_id[STORAGE_ID_SIZE] = "the store's id.";
static const uint8_t other_id[STORAGE_ID_SIZE] = "another's id..";

struct rig {
    struct sim_disk sim;
    struct promise *promise;
    struct err err;
};

static enum err_code open_rig(struct rig *rig)
{
    return promise_open(&rig->sim.disk, "data", store_id, &rig->promise, &rig->err);
}

static void begin(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    sim_disk_init(&rig->sim);
    CU_ASSERT_EQUAL_FATAL(open_rig(rig), ERR_OK);
}

static void close_rig(struct rig *rig)
{
    promise_close(rig->promise);
    rig->promise = NULL;
}

static void end(struct rig *rig)
{
    close_rig(rig);
    sim_disk_done(&rig->sim);
}

static enum err_code set(struct rig *rig, uint64_t epoch, uint64_t lineage)
{
    struct promise_value value = {.epoch = epoch, .lineage = lineage};

    return promise_set(rig->promise, &value, &rig->err);
}

static uint64_t epoch_of(const struct rig *rig)
{
    struct promise_value value;

    promise_get(rig->promise, &value);
    return value.epoch;
}

static uint32_t dir_syncs;
static enum err_code (*real_sync_dir)(void *arg, const char *dir, struct err *err);

static enum err_code counted_sync_dir(void *arg, const char *dir, struct err *err)
{
    dir_syncs++;
    return real_sync_dir(arg, dir, err);
}

/* Found by the simulator: killed between the rename that gave a copy its name and the directory's
 * sync, then started, promised more, and lost the power. */
static void a_copys_name_is_durable_before_it_is_written_over(void)
{
    struct rig rig;

    begin(&rig);
    CU_ASSERT_EQUAL(set(&rig, 1, 7), ERR_OK);
    CU_ASSERT_EQUAL(set(&rig, 2, 7), ERR_OK);
    close_rig(&rig);
    dir_syncs = 0;
    real_sync_dir = rig.sim.disk.sync_dir;
    rig.sim.disk.sync_dir = counted_sync_dir;
    CU_ASSERT_EQUAL(open_rig(&rig), ERR_OK);
    CU_ASSERT_EQUAL(dir_syncs, 1);
    end(&rig);
}

static void a_new_store_has_promised_nothing(void)
{
    struct rig rig;
    struct promise_value value;

    begin(&rig);
    promise_get(rig.promise, &value);
    CU_ASSERT_EQUAL(value.epoch, 0);
    CU_ASSERT_EQUAL(value.lineage, 0);
    CU_ASSERT(sim_disk_file(&rig.sim, "promise-0") == NULL);
    end(&rig);
}

static void a_promise_is_there_after_reopening(void)
{
    struct rig rig;
    struct promise_value value;

    begin(&rig);
    for (uint64_t epoch = 1; epoch < 8; epoch++) {
        CU_ASSERT_EQUAL(set(&rig, epoch, epoch / 4), ERR_OK);
        close_rig(&rig);
        CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
        promise_get(rig.promise, &value);
        CU_ASSERT_EQUAL(value.epoch, epoch);
        CU_ASSERT_EQUAL(value.lineage, epoch / 4);
    }
    CU_ASSERT_EQUAL(sim_disk_file(&rig.sim, "promise-0")->size, PROMISE_FILE_SIZE);
    CU_ASSERT_EQUAL(sim_disk_file(&rig.sim, "promise-1")->size, PROMISE_FILE_SIZE);
    end(&rig);
}

/* The file that the last write went to. */
static struct sim_file *newest(struct rig *rig)
{
    struct sim_file *a = sim_disk_file(&rig->sim, "promise-0");
    struct sim_file *b = sim_disk_file(&rig->sim, "promise-1");

    return a->bytes[16] > b->bytes[16] ? a : b;
}

static void a_write_torn_at_any_byte_leaves_the_old_or_the_new_promise(void)
{
    struct rig rig;
    uint8_t before[2][PROMISE_FILE_SIZE];
    uint8_t after[PROMISE_FILE_SIZE];
    struct sim_file *file;
    struct sim_file *other;

    begin(&rig);
    CU_ASSERT_EQUAL(set(&rig, 1, 9), ERR_OK);
    CU_ASSERT_EQUAL(set(&rig, 2, 9), ERR_OK);
    memcpy(before[0], sim_disk_file(&rig.sim, "promise-0")->bytes, PROMISE_FILE_SIZE);
    memcpy(before[1], sim_disk_file(&rig.sim, "promise-1")->bytes, PROMISE_FILE_SIZE);
    CU_ASSERT_EQUAL(set(&rig, 3, 9), ERR_OK);
    file = newest(&rig);
    other =
        sim_disk_file(&rig.sim, strcmp(file->name, "promise-0") == 0 ? "promise-1" : "promise-0");
    memcpy(after, file->bytes, PROMISE_FILE_SIZE);
    for (size_t at = 0; at <= PROMISE_FILE_SIZE; at++) {
        size_t index = strcmp(file->name, "promise-0") == 0 ? 0 : 1;
        bool whole;

        close_rig(&rig);
        memcpy(file->bytes, after, at);
        memcpy(file->bytes + at, before[index] + at, PROMISE_FILE_SIZE - at);
        memcpy(other->bytes, before[1 - index], PROMISE_FILE_SIZE);
        whole = memcmp(file->bytes, after, PROMISE_FILE_SIZE) == 0;
        CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
        CU_ASSERT_EQUAL(epoch_of(&rig), whole ? 3 : 2);
    }
    end(&rig);
}

/* Promises one epoch after others, the nth call failing; false when there were fewer. */
static bool set_failing(uint64_t epochs, uint64_t nth)
{
    struct rig rig;
    enum err_code rc;
    bool failed;

    begin(&rig);
    for (uint64_t epoch = 1; epoch <= epochs; epoch++) {
        CU_ASSERT_EQUAL(set(&rig, epoch, 1), ERR_OK);
    }
    fault_set(&rig.sim.fault, nth, FAULT_FOREVER);
    rc = set(&rig, epochs + 1, 1);
    failed = fault_happened(&rig.sim.fault);
    CU_ASSERT_EQUAL(rc, failed ? ERR_IO : ERR_OK);
    CU_ASSERT_EQUAL(epoch_of(&rig), failed ? epochs : epochs + 1);
    fault_set(&rig.sim.fault, 0, 0);
    if (failed) {
        /* What the disk holds is unknown: this process promises nothing any more. */
        CU_ASSERT_EQUAL(set(&rig, epochs + 2, 1), ERR_UNAVAILABLE);
    }
    close_rig(&rig);
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    CU_ASSERT(epoch_of(&rig) == epochs || epoch_of(&rig) == epochs + 1);
    end(&rig);
    return failed;
}

static void a_failing_call_leaves_the_old_or_the_new_promise(void)
{
    for (uint64_t epochs = 0; epochs < 4; epochs++) {
        uint64_t nth = 0;

        while (set_failing(epochs, nth)) {
            nth++;
        }
        CU_ASSERT(nth >= 3); /* at least: open, write, sync */
    }
}

static void a_failing_open_promises_nothing(void)
{
    bool failed = true;

    for (uint64_t nth = 0; failed; nth++) {
        struct rig rig;
        enum err_code rc;

        begin(&rig);
        CU_ASSERT_EQUAL(set(&rig, 5, 1), ERR_OK);
        close_rig(&rig);
        fault_set(&rig.sim.fault, nth, 1);
        rc = open_rig(&rig);
        failed = fault_happened(&rig.sim.fault);
        CU_ASSERT_EQUAL(rc, failed ? ERR_IO : ERR_OK);
        fault_set(&rig.sim.fault, 0, 0);
        close_rig(&rig);
        CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
        CU_ASSERT_EQUAL(epoch_of(&rig), 5);
        end(&rig);
    }
}

static void what_is_read_is_written_again_before_it_counts(void)
{
    struct rig rig;
    uint64_t syncs;

    begin(&rig);
    CU_ASSERT_EQUAL(set(&rig, 5, 1), ERR_OK);
    CU_ASSERT_EQUAL(set(&rig, 6, 1), ERR_OK);
    close_rig(&rig);
    syncs = rig.sim.sync_count;
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    CU_ASSERT_EQUAL(rig.sim.sync_count, syncs + 1);
    /* Both copies now say 6: the page cache may lose either. */
    newest(&rig)->bytes[30] ^= 1;
    close_rig(&rig);
    CU_ASSERT_EQUAL_FATAL(open_rig(&rig), ERR_OK);
    CU_ASSERT_EQUAL(epoch_of(&rig), 6);
    end(&rig);
}

static void lost_copies_are_refused(void)
{
    struct rig rig;

    begin(&rig);
    CU_ASSERT_EQUAL(set(&rig, 5, 1), ERR_OK);
    close_rig(&rig);
    sim_disk_file(&rig.sim, "promise-0")->bytes[40] ^= 1;
    CU_ASSERT_EQUAL(open_rig(&rig), ERR_CORRUPT);
    CU_ASSERT(strstr(rig.err.message, "promise") != NULL);
    sim_disk_make(&rig.sim, "promise-1", 0);
    CU_ASSERT_EQUAL(open_rig(&rig), ERR_CORRUPT);
    end(&rig);
}

static void a_promise_of_another_store_is_refused(void)
{
    struct rig rig;
    struct promise *promise = NULL;

    begin(&rig);
    CU_ASSERT_EQUAL(set(&rig, 5, 1), ERR_OK);
    CU_ASSERT_EQUAL(promise_open(&rig.sim.disk, "data", other_id, &promise, &rig.err), ERR_CORRUPT);
    CU_ASSERT(promise == NULL);
    end(&rig);
}

static void a_replaced_promise_is_the_new_store_s(void)
{
    bool failed = true;

    for (uint64_t nth = 0; failed; nth++) {
        struct rig rig;
        struct promise_value value = {.epoch = 7, .lineage = 3};
        enum err_code rc;

        begin(&rig);
        CU_ASSERT_EQUAL(set(&rig, 5, 1), ERR_OK);
        CU_ASSERT_EQUAL(set(&rig, 6, 1), ERR_OK);
        close_rig(&rig);
        fault_set(&rig.sim.fault, nth, 1);
        rc = promise_replace(&rig.sim.disk, "data", other_id, &value, &rig.err);
        failed = fault_happened(&rig.sim.fault);
        CU_ASSERT_EQUAL(rc, failed ? ERR_IO : ERR_OK);
        fault_set(&rig.sim.fault, 0, 0);
        if (failed) {
            rc = promise_replace(&rig.sim.disk, "data", other_id, &value, &rig.err);
            CU_ASSERT_EQUAL(rc, ERR_OK);
        }
        CU_ASSERT_EQUAL_FATAL(promise_open(&rig.sim.disk, "data", other_id, &rig.promise, &rig.err),
                              ERR_OK);
        CU_ASSERT_EQUAL(epoch_of(&rig), 7);
        end(&rig);
    }
}

UNIT_MAIN("promise",
          {"a new store has promised nothing", a_new_store_has_promised_nothing},
          {"a copy's name is durable before it is written over",
           a_copys_name_is_durable_before_it_is_written_over},
          {"a promise is there after reopening", a_promise_is_there_after_reopening},
          {"a write torn at any byte leaves the old or the new promise",
           a_write_torn_at_any_byte_leaves_the_old_or_the_new_promise},
          {"a failing call leaves the old or the new promise",
           a_failing_call_leaves_the_old_or_the_new_promise},
          {"a failing open promises nothing", a_failing_open_promises_nothing},
          {"what is read is written again before it counts",
           what_is_read_is_written_again_before_it_counts},
          {"lost copies are refused", lost_copies_are_refused},
          {"a promise of another store is refused", a_promise_of_another_store_is_refused},
          {"a replaced promise is the new store's", a_replaced_promise_is_the_new_store_s})
