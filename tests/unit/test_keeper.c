/* SPDX-License-Identifier: Apache-2.0 */
/* test_keeper.c: proves supervisor/keeper: a disk that hangs holds up nobody, and what is told to
 * be durable is. Owns its cases; the disk is hung_disk.h's. Never cuts power: the codec's own test
 * does. */
#include "supervisor/keeper.h"
#include "supervisor/memory.h"
#include "tests/lib/scratch.h"
#include "tests/unit/hung_disk.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define END_MS  10000 /* far more than a healthy disk needs */
#define HANG_MS 50

struct bench {
    struct scratch scratch;
    char dir[256];
    struct keeper *keeper;
    uint64_t saved;
    struct err err;
};

static struct memory *load(struct bench *bench, uint64_t *ret_epoch)
{
    struct memory *memory = NULL;
    struct memory_value value;
    enum memory_end end;

    CU_ASSERT_EQUAL_FATAL(memory_open(bench->dir, &memory, &bench->err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(memory_load(memory, &value, &end, &bench->err), ERR_OK);
    *ret_epoch = value.failover.epoch;
    return memory;
}

static enum err_code save_memory(void *file, const void *value, struct err *err)
{
    return memory_save(file, value, err);
}

static atomic_uint closed;

static void close_memory(void *file)
{
    memory_close(file);
    atomic_fetch_add(&closed, 1);
}

static void init_bench(struct bench *bench)
{
    struct keeper_file file = {
        .value_size = sizeof(struct memory_value), .save = save_memory, .close = close_memory};
    uint64_t epoch;

    memset(bench, 0, sizeof(*bench));
    disk_set(false, 0);
    scratch_init(&bench->scratch);
    scratch_file(&bench->scratch, "state", bench->dir);
    file.file = load(bench, &epoch);
    CU_ASSERT_EQUAL_FATAL(keeper_new(&file, &bench->keeper, &bench->err), ERR_OK);
    CU_ASSERT_EQUAL(epoch, 0);
}

static void remove_files(struct bench *bench)
{
    static const char *const names[] = {"supervisor-0", "supervisor-1", "supervisor.new"};
    char path[300];

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", bench->dir, names[i]);
        (void)unlink(path);
    }
    CU_ASSERT_EQUAL(rmdir(bench->dir), 0);
    scratch_done(&bench->scratch);
}

/* What a later life would read. */
static uint64_t done_bench(struct bench *bench)
{
    uint64_t epoch;

    keeper_free(bench->keeper, END_MS);
    memory_close(load(bench, &epoch)); /* its lock is free */
    remove_files(bench);
    return epoch;
}

static uint64_t save(struct bench *bench, uint64_t epoch)
{
    struct memory_value value;

    memset(&value, 0, sizeof(value));
    value.failover.epoch = epoch;
    return keeper_save(bench->keeper, &value);
}

static enum err_code look(struct bench *bench)
{
    return keeper_look(bench->keeper, &bench->saved, &bench->err);
}

static bool is_told(struct bench *bench, int limit_ms)
{
    struct pollfd look = {.fd = keeper_fd(bench->keeper), .events = POLLIN};

    return poll(&look, 1, limit_ms) == 1;
}

static void what_is_told_to_be_durable_is(void)
{
    struct bench bench;

    init_bench(&bench);
    CU_ASSERT_EQUAL(save(&bench, 5), 1);
    while (bench.saved < 1) {
        CU_ASSERT_TRUE_FATAL(is_told(&bench, END_MS));
        CU_ASSERT_EQUAL(look(&bench), ERR_OK);
    }
    CU_ASSERT_FALSE(is_told(&bench, 0)); /* told once */
    CU_ASSERT_EQUAL(done_bench(&bench), 5);
}

static void while_the_disk_hangs_nobody_waits_and_nothing_is_told(void)
{
    struct bench bench;

    init_bench(&bench);
    disk_set(true, 0);
    CU_ASSERT_EQUAL(save(&bench, 5), 1);
    disk_await(1);
    for (uint64_t epoch = 6; epoch < 100; epoch++) {
        CU_ASSERT_EQUAL(save(&bench, epoch), epoch - 4);
    }
    CU_ASSERT_FALSE(is_told(&bench, HANG_MS));
    CU_ASSERT_EQUAL(look(&bench), ERR_OK);
    CU_ASSERT_EQUAL(bench.saved, 0);
    CU_ASSERT(keeper_owes_ms(bench.keeper) >= HANG_MS);
    disk_set(false, 0);
    while (bench.saved < 95) {
        CU_ASSERT_TRUE_FATAL(is_told(&bench, END_MS));
        CU_ASSERT_EQUAL(look(&bench), ERR_OK);
        CU_ASSERT(bench.saved <= 1 || bench.saved == 95); /* those between gave way */
    }
    CU_ASSERT_EQUAL(keeper_owes_ms(bench.keeper), 0);
    CU_ASSERT_EQUAL(done_bench(&bench), 99);
}

static void what_was_asked_for_before_the_end_is_durable(void)
{
    struct bench bench;

    init_bench(&bench);
    disk_set(true, 0);
    (void)save(&bench, 5); /* the epochs say it */
    disk_await(1);
    (void)save(&bench, 6);
    disk_set(false, 0);
    CU_ASSERT_EQUAL(done_bench(&bench), 6);
}

static void a_failed_disk_is_told_and_not_tried_again(void)
{
    struct bench bench;

    init_bench(&bench);
    disk_set(false, EIO);
    (void)save(&bench, 5); /* fails */
    CU_ASSERT_TRUE_FATAL(is_told(&bench, END_MS));
    disk_set(false, 0);
    (void)save(&bench, 6); /* is not made */
    CU_ASSERT_EQUAL(look(&bench), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(bench.err.message, "state_dir"));
    CU_ASSERT_EQUAL(bench.saved, 0);
    CU_ASSERT_EQUAL(done_bench(&bench), 0);
}

/* What hangs is left behind, and closed by its thread when the disk lets it go. */
static void the_end_does_not_wait_for_ever(void)
{
    struct bench bench;
    uint64_t epoch;

    init_bench(&bench);
    atomic_store(&closed, 0);
    disk_set(true, 0);
    (void)save(&bench, 5);
    disk_await(1);
    keeper_free(bench.keeper, HANG_MS);
    CU_ASSERT_EQUAL(disk_syncs(), 1); /* it still hangs, and we are here */
    CU_ASSERT_EQUAL(atomic_load(&closed), 0);
    disk_set(false, 0);
    for (unsigned i = 0; i < END_MS && atomic_load(&closed) == 0; i++) {
        (void)poll(NULL, 0, 1);
    }
    CU_ASSERT_EQUAL_FATAL(atomic_load(&closed), 1);
    memory_close(load(&bench, &epoch)); /* its lock is free */
    CU_ASSERT_EQUAL(epoch, 5);
    remove_files(&bench);
}

UNIT_MAIN("keeper",
          {"what is told to be durable is", what_is_told_to_be_durable_is},
          {"while the disk hangs nobody waits and nothing is told",
           while_the_disk_hangs_nobody_waits_and_nothing_is_told},
          {"what was asked for before the end is durable",
           what_was_asked_for_before_the_end_is_durable},
          {"a failed disk is told and not tried again", a_failed_disk_is_told_and_not_tried_again},
          {"the end does not wait for ever", the_end_does_not_wait_for_ever})
