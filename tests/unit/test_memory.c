/* SPDX-License-Identifier: Apache-2.0 */
/* test_memory.c: proves supervisor/memory: what is saved is there after a crash, or what was
 * before. Owns nothing but its cases. Never cuts power: the codec's own test does. */
#include "supervisor/memory.h"
#include "tests/lib/scratch.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct memory_value sample(uint64_t epoch)
{
    struct memory_value value = {.failover = {.epoch = epoch,
                                              .lineage = 0x1122334455667788,
                                              .revision = 42,
                                              .arbiter_id = 7,
                                              .in_sync = true},
                                 .running = true,
                                 .armed = true};

    value.tally.count = 2;
    value.tally.items[0] = (struct watch_crash){
        .boot_ms = 10, .wall_ms = 20, .cause = WATCH_CAUSE_HANG, .task = 3, .counts = true};
    value.tally.items[1] = (struct watch_crash){
        .boot_ms = 11, .wall_ms = 21, .cause = WATCH_CAUSE_SIGNAL, .status = -11, .reason = "x"};
    return value;
}

static void check_equal(const struct memory_value *a, const struct memory_value *b)
{
    CU_ASSERT_EQUAL(a->failover.epoch, b->failover.epoch);
    CU_ASSERT_EQUAL(a->failover.lineage, b->failover.lineage);
    CU_ASSERT_EQUAL(a->failover.revision, b->failover.revision);
    CU_ASSERT_EQUAL(a->failover.arbiter_id, b->failover.arbiter_id);
    CU_ASSERT_EQUAL(a->failover.in_sync, b->failover.in_sync);
    CU_ASSERT_EQUAL(a->failover.maintenance, b->failover.maintenance);
    CU_ASSERT_EQUAL(a->running, b->running);
    CU_ASSERT_EQUAL(a->armed, b->armed);
    CU_ASSERT_EQUAL(a->tally.count, b->tally.count);
    for (size_t i = 0; i < WATCH_CRASH_COUNT; i++) {
        CU_ASSERT_EQUAL(a->tally.items[i].boot_ms, b->tally.items[i].boot_ms);
        CU_ASSERT_EQUAL(a->tally.items[i].wall_ms, b->tally.items[i].wall_ms);
        CU_ASSERT_EQUAL(a->tally.items[i].cause, b->tally.items[i].cause);
        CU_ASSERT_EQUAL(a->tally.items[i].task, b->tally.items[i].task);
        CU_ASSERT_EQUAL(a->tally.items[i].status, b->tally.items[i].status);
        CU_ASSERT_EQUAL(a->tally.items[i].counts, b->tally.items[i].counts);
        CU_ASSERT_STRING_EQUAL(a->tally.items[i].reason, b->tally.items[i].reason);
    }
}

static void what_is_encoded_is_decoded(void)
{
    struct memory_value value = sample(9);
    struct memory_value back;
    struct err err = ERR_INIT;
    uint8_t body[MEMORY_BODY_SIZE];

    memory_encode(&value, body);
    CU_ASSERT_EQUAL(memory_decode(span_of(body, sizeof(body)), &back, &err), ERR_OK);
    check_equal(&value, &back);
}

static void nonsense_is_refused(void)
{
    struct memory_value value = sample(9);
    struct memory_value back;
    struct err err = ERR_INIT;
    uint8_t body[MEMORY_BODY_SIZE];

    memory_encode(&value, body);
    CU_ASSERT_EQUAL(memory_decode(span_of(body, sizeof(body) - 1), &back, &err), ERR_CORRUPT);
    body[40] = 2; /* in_sync */
    CU_ASSERT_EQUAL(memory_decode(span_of(body, sizeof(body)), &back, &err), ERR_CORRUPT);
    memory_encode(&value, body);
    memset(body + sizeof(body) - WATCH_REASON_SIZE, 'x', WATCH_REASON_SIZE);
    CU_ASSERT_EQUAL(memory_decode(span_of(body, sizeof(body)), &back, &err), ERR_CORRUPT);
}

struct bench {
    struct scratch scratch;
    char dir[256];
    struct memory *memory;
    struct memory_value value;
    enum memory_end end;
    struct err err;
};

static enum err_code open_bench(struct bench *bench)
{
    enum err_code rc;

    bench->memory = NULL;
    rc = memory_open(bench->dir, &bench->memory, &bench->err);
    if (rc == ERR_OK) {
        rc = memory_load(bench->memory, &bench->value, &bench->end, &bench->err);
    }
    if (rc != ERR_OK) {
        memory_close(bench->memory);
        bench->memory = NULL;
    }
    return rc;
}

static void init_bench(struct bench *bench)
{
    memset(bench, 0, sizeof(*bench));
    scratch_init(&bench->scratch);
    scratch_file(&bench->scratch, "state", bench->dir);
    CU_ASSERT_EQUAL_FATAL(open_bench(bench), ERR_OK);
    CU_ASSERT_EQUAL(bench->end, MEMORY_FIRST);
}

static void file_of(const struct bench *bench, const char *name, char path[300])
{
    (void)snprintf(path, 300, "%s/%s", bench->dir, name);
}

static void done_bench(struct bench *bench)
{
    static const char *const names[] = {"supervisor-0", "supervisor-1", "pair"};
    char path[300];

    memory_close(bench->memory);
    for (size_t i = 0; i < 3; i++) {
        file_of(bench, names[i], path);
        (void)unlink(path);
    }
    CU_ASSERT_EQUAL(rmdir(bench->dir), 0); /* nothing else was left behind */
    scratch_done(&bench->scratch);
}

static void reopen(struct bench *bench)
{
    memory_close(bench->memory);
    CU_ASSERT_EQUAL_FATAL(open_bench(bench), ERR_OK);
}

static void the_last_saved_value_is_read_and_the_end_is_told(void)
{
    struct bench bench;

    init_bench(&bench);
    for (uint64_t epoch = 1; epoch < 6; epoch++) {
        struct memory_value value = sample(epoch);

        CU_ASSERT_EQUAL(memory_save(bench.memory, &value, &bench.err), ERR_OK);
        reopen(&bench);
        check_equal(&value, &bench.value);
        CU_ASSERT_EQUAL(bench.end, MEMORY_CRASHED);
    }
    bench.value.running = false;
    CU_ASSERT_EQUAL(memory_save(bench.memory, &bench.value, &bench.err), ERR_OK);
    reopen(&bench);
    CU_ASSERT_EQUAL(bench.end, MEMORY_CLEAN);
    done_bench(&bench);
}

static void spoil(const struct bench *bench, const char *name)
{
    char path[300];
    int fd;

    file_of(bench, name, path);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(fd >= 0);
    CU_ASSERT_EQUAL(pwrite(fd, "spoilt", 6, 100), 6);
    (void)close(fd);
}

static void a_torn_copy_leaves_the_one_before(void)
{
    struct bench bench;
    struct memory_value first = sample(1);
    struct memory_value second = sample(2);

    init_bench(&bench);
    CU_ASSERT_EQUAL(memory_save(bench.memory, &first, &bench.err), ERR_OK);
    CU_ASSERT_EQUAL(memory_save(bench.memory, &second, &bench.err), ERR_OK);
    spoil(&bench, "supervisor-1");
    reopen(&bench);
    check_equal(&first, &bench.value);
    CU_ASSERT_EQUAL(memory_save(bench.memory, &second, &bench.err), ERR_OK);
    reopen(&bench);
    check_equal(&second, &bench.value);
    done_bench(&bench);
}

static void damage_of_all_copies_is_no_new_beginning(void)
{
    struct bench bench;
    struct memory_value value = sample(1);

    init_bench(&bench);
    CU_ASSERT_EQUAL(memory_save(bench.memory, &value, &bench.err), ERR_OK);
    CU_ASSERT_EQUAL(memory_save(bench.memory, &value, &bench.err), ERR_OK);
    spoil(&bench, "supervisor-0");
    spoil(&bench, "supervisor-1");
    memory_close(bench.memory);
    CU_ASSERT_EQUAL(open_bench(&bench), ERR_CORRUPT);
    done_bench(&bench);
}

static void a_second_supervisor_is_kept_out(void)
{
    struct bench bench;
    struct memory *other = NULL;

    init_bench(&bench);
    CU_ASSERT_EQUAL(memory_open(bench.dir, &other, &bench.err), ERR_BUSY);
    CU_ASSERT_PTR_NULL(other);
    done_bench(&bench);
}

static void a_directory_that_others_can_open_is_refused(void)
{
    struct bench bench;

    init_bench(&bench);
    memory_close(bench.memory);
    CU_ASSERT_EQUAL(chmod(bench.dir, 0750), 0);
    CU_ASSERT_EQUAL(open_bench(&bench), ERR_DENIED);
    done_bench(&bench);
}

static void crashes_of_another_boot_do_not_count(void)
{
    struct bench bench;
    struct memory_value value = sample(1);
    struct err err = ERR_INIT;
    uint8_t body[MEMORY_BODY_SIZE];

    init_bench(&bench);
    CU_ASSERT_EQUAL(memory_save(bench.memory, &value, &bench.err), ERR_OK);
    reopen(&bench);
    CU_ASSERT_TRUE(bench.value.tally.items[0].counts);
    memory_encode(&value, body); /* a value that was never saved has no boot's id */
    CU_ASSERT_EQUAL(memory_decode(span_of(body, sizeof(body)), &value, &err), ERR_OK);
    CU_ASSERT_NOT_EQUAL(memcmp(value.boot_id, bench.value.boot_id, MEMORY_BOOT_SIZE), 0);
    done_bench(&bench);
}

/* The unit hides /proc/sys, and systemd tells the boot; without it, and of nonsense, the kernel's.
 */
static void the_boot_is_what_the_manager_says_as_the_kernel_writes_it(void)
{
    static const char told[] = "00112233445566778899aabbccddeeff";
    static const char same[] = "00112233-4455-6677-8899-aabbccddeeff";
    struct memory_value value = sample(1);
    struct bench bench;

    CU_ASSERT_EQUAL_FATAL(setenv("APPROVALD_BOOT_ID", told, 1), 0);
    init_bench(&bench);
    CU_ASSERT_EQUAL(memory_save(bench.memory, &value, &bench.err), ERR_OK);
    reopen(&bench);
    CU_ASSERT_EQUAL(memcmp(bench.value.boot_id, same, MEMORY_BOOT_SIZE), 0);
    CU_ASSERT_TRUE(bench.value.tally.items[0].counts);
    CU_ASSERT_EQUAL_FATAL(setenv("APPROVALD_BOOT_ID", "00112233-4455-6677-8899-aabbccdd", 1), 0);
    reopen(&bench); /* of another boot: the kernel's */
    CU_ASSERT_FALSE(bench.value.tally.items[0].counts);
    CU_ASSERT_EQUAL_FATAL(unsetenv("APPROVALD_BOOT_ID"), 0);
    done_bench(&bench);
}

static bool bind_to(struct bench *bench, uint8_t pair)
{
    uint8_t cluster_id[REGISTER_ID_SIZE];
    bool forgot = true;

    memset(cluster_id, pair, sizeof(cluster_id));
    CU_ASSERT_EQUAL_FATAL(
        memory_bind(bench->memory, cluster_id, &bench->value, &forgot, &bench->err), ERR_OK);
    return forgot;
}

static void what_was_known_of_a_former_pair_is_forgotten(void)
{
    struct memory_value value = sample(9);
    struct bench bench;

    init_bench(&bench);
    CU_ASSERT_EQUAL(memory_save(bench.memory, &value, &bench.err), ERR_OK);
    reopen(&bench);
    CU_ASSERT_FALSE(bind_to(&bench, 1)); /* no mark: of a version that made none */
    check_equal(&value, &bench.value);
    reopen(&bench);
    CU_ASSERT_FALSE(bind_to(&bench, 1));
    check_equal(&value, &bench.value);
    reopen(&bench);
    CU_ASSERT_TRUE(bind_to(&bench, 2));
    CU_ASSERT_EQUAL(bench.value.failover.epoch, 0);
    CU_ASSERT_EQUAL(bench.value.failover.arbiter_id, 0);
    CU_ASSERT_EQUAL(bench.value.tally.count, value.tally.count);
    reopen(&bench);
    CU_ASSERT_EQUAL(bench.value.failover.epoch, 0); /* durably */
    CU_ASSERT_FALSE(bind_to(&bench, 2));
    done_bench(&bench);
}

static void a_damaged_mark_is_no_new_beginning(void)
{
    const uint8_t cluster_id[REGISTER_ID_SIZE] = {1};
    struct bench bench;
    bool forgot = false;
    char path[300];
    FILE *file;

    init_bench(&bench);
    file_of(&bench, "pair", path);
    file = fopen(path, "w");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs("0102\n", file) >= 0 && fclose(file) == 0);
    CU_ASSERT_EQUAL(memory_bind(bench.memory, cluster_id, &bench.value, &forgot, &bench.err),
                    ERR_CORRUPT);
    CU_ASSERT_FALSE(forgot);
    done_bench(&bench);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

UNIT_MAIN("memory",
          CASE(what_is_encoded_is_decoded),
          CASE(nonsense_is_refused),
          CASE(the_last_saved_value_is_read_and_the_end_is_told),
          CASE(a_torn_copy_leaves_the_one_before),
          CASE(damage_of_all_copies_is_no_new_beginning),
          CASE(a_second_supervisor_is_kept_out),
          CASE(a_directory_that_others_can_open_is_refused),
          CASE(crashes_of_another_boot_do_not_count),
          CASE(what_was_known_of_a_former_pair_is_forgotten),
          CASE(a_damaged_mark_is_no_new_beginning),
          CASE(the_boot_is_what_the_manager_says_as_the_kernel_writes_it))
