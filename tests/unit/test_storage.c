/* SPDX-License-Identifier: Apache-2.0 */
/* test_storage.c: proves the storage as its callers see it.
 * Owns nothing but its cases. Never looks inside. */
#include "base/clock.h"
#include "storage/disk.h"
#include "storage/limits.h"
#include "storage/storage.h"
#include "storage/wal_segment.h"
#include "tests/lib/scratch.h"
#include "tests/lib/store_kit.h"
#include "tests/unit/unit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct storage *open_at(const struct scratch *scratch)
{
    struct storage_options options = kit_options(scratch->path);
    struct storage *storage = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = storage_open(&options, &storage, &err);

    CU_ASSERT_EQUAL_FATAL(rc, ERR_OK);
    return storage;
}

static void an_answered_write_is_there_after_reopening(void)
{
    struct scratch scratch;
    struct storage *storage;

    scratch_init(&scratch);
    storage = open_at(&scratch);
    CU_ASSERT_EQUAL(kit_put(storage, "a", "1"), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(storage, "b", "2"), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(storage, "a", "3"), ERR_OK);
    CU_ASSERT(kit_has(storage, "a", "3"));
    storage_close(storage);
    storage = open_at(&scratch);
    CU_ASSERT(kit_has(storage, "a", "3"));
    CU_ASSERT(kit_has(storage, "b", "2"));
    CU_ASSERT(kit_has(storage, "c", NULL));
    storage_close(storage);
    scratch_done(&scratch);
}

struct rig {
    struct scratch scratch;
    struct storage *storage;
    struct err err;
};

static void begin(struct rig *rig)
{
    memset(rig, 0, sizeof *rig);
    scratch_init(&rig->scratch);
    rig->storage = open_at(&rig->scratch);
}

static void reopen(struct rig *rig)
{
    storage_close(rig->storage);
    rig->storage = open_at(&rig->scratch);
}

static void end(struct rig *rig)
{
    storage_close(rig->storage);
    scratch_done(&rig->scratch);
}

static void answers_come_in_the_order_of_the_jobs(void)
{
    static struct kit_job jobs[500];
    struct rig rig;
    uint32_t order = 0;
    uint64_t lsn = 0;

    begin(&rig);
    memset(jobs, 0, sizeof jobs);
    for (uint32_t i = 0; i < 500; i++) {
        jobs[i] = (struct kit_job){.keys = {"k"}, .values = {"v"}, .count = 1, .order = &order};
        jobs[i].result = i % 7 == 3 ? ERR_CONFLICT : ERR_OK;
        CU_ASSERT_EQUAL(kit_start(rig.storage, &jobs[i]), ERR_OK);
    }
    CU_ASSERT(kit_wait(rig.storage, &jobs[499], 30000));
    for (uint32_t i = 0; i < 500; i++) {
        CU_ASSERT_EQUAL(jobs[i].position, i + 1);
        CU_ASSERT_EQUAL(jobs[i].rc, i % 7 == 3 ? ERR_CONFLICT : ERR_OK);
        CU_ASSERT(jobs[i].lsn >= lsn);
        lsn = jobs[i].lsn;
    }
    end(&rig);
}

static void a_failing_job_leaves_no_trace(void)
{
    struct rig rig;
    struct kit_job job = {.keys = {"a", "b", "c"},
                          .values = {"new", NULL, "new"},
                          .count = 3,
                          .result = ERR_CONFLICT};

    begin(&rig);
    CU_ASSERT_EQUAL(kit_put(rig.storage, "a", "old"), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(rig.storage, "b", "old"), ERR_OK);
    CU_ASSERT_EQUAL(kit_start(rig.storage, &job), ERR_OK);
    CU_ASSERT(kit_wait(rig.storage, &job, 30000));
    CU_ASSERT_EQUAL(job.rc, ERR_CONFLICT);
    CU_ASSERT_STRING_EQUAL(job.err.message, "as asked");
    for (int round = 0; round < 2; round++) {
        CU_ASSERT(kit_has(rig.storage, "a", "old"));
        CU_ASSERT(kit_has(rig.storage, "b", "old"));
        CU_ASSERT(kit_has(rig.storage, "c", NULL));
        reopen(&rig);
    }
    end(&rig);
}

/* Round by round another third of the keys is deleted. */
static void put_round(struct storage *storage, int round)
{
    for (int i = 0; i < 200; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%03d", i);
        CU_ASSERT_EQUAL(kit_put(storage, key, (i + round) % 3 == 0 ? NULL : key), ERR_OK);
    }
}

static uint32_t count_right(struct storage *storage, int round)
{
    uint32_t count = 0;

    for (int i = 0; i < 200; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%03d", i);
        count += kit_has(storage, key, (i + round) % 3 == 0 ? NULL : key) ? 1 : 0;
    }
    return count;
}

static void the_state_is_the_fold_of_the_log_wherever_it_lies(void)
{
    struct rig rig;

    begin(&rig);
    put_round(rig.storage, 0);
    CU_ASSERT_EQUAL(count_right(rig.storage, 0), 200); /* all in memory */
    put_round(rig.storage, 1);
    CU_ASSERT(kit_wait_applied(rig.storage, 30000));
    CU_ASSERT_EQUAL(count_right(rig.storage, 1), 200); /* all in LMDB */
    put_round(rig.storage, 2);
    CU_ASSERT_EQUAL(count_right(rig.storage, 2), 200); /* some here, some there */
    reopen(&rig);
    CU_ASSERT_EQUAL(count_right(rig.storage, 2), 200);
    end(&rig);
}

static void count_corked(void *arg)
{
    uint32_t *count = arg;

    *count += 1;
}

/* Queues jobs[first] to jobs[end - 1]: each puts one pair. */
static void start_puts(struct storage *storage, struct kit_job *jobs, size_t first, size_t end)
{
    for (size_t i = first; i < end; i++) {
        jobs[i] = (struct kit_job){.keys = {"a"}, .values = {"1"}, .count = 1};
        CU_ASSERT_EQUAL(kit_start(storage, &jobs[i]), ERR_OK);
    }
}

static void corked_jobs_share_a_record(void)
{
    struct kit_job jobs[STORAGE_CORK_COUNT_MAX + 2];
    struct storage_status status;
    uint32_t told = 0;
    uint64_t lsn;
    struct rig rig;

    begin(&rig);
    storage_status(rig.storage, &status);
    lsn = status.lsn_last;
    storage_cork(rig.storage, count_corked, &told);
    start_puts(rig.storage, jobs, 0, 3);
    CU_ASSERT_EQUAL(told, 1);
    CU_ASSERT_FALSE(kit_wait(rig.storage, &jobs[0], 50));
    storage_uncork(rig.storage);
    CU_ASSERT(kit_wait(rig.storage, &jobs[2], 30000));
    CU_ASSERT_EQUAL(jobs[0].lsn, lsn + 1);
    CU_ASSERT_EQUAL(jobs[2].lsn, lsn + 1);
    /* So many start by themselves; the next one waits again. */
    start_puts(rig.storage, jobs, 0, STORAGE_CORK_COUNT_MAX + 1);
    CU_ASSERT(kit_wait(rig.storage, &jobs[STORAGE_CORK_COUNT_MAX - 1], 30000));
    CU_ASSERT_EQUAL(jobs[STORAGE_CORK_COUNT_MAX - 1].lsn, lsn + 2);
    CU_ASSERT_EQUAL(told, 3);
    CU_ASSERT_FALSE(jobs[STORAGE_CORK_COUNT_MAX].done);
    /* Without the cork it starts, and so does each that comes. */
    storage_cork(rig.storage, NULL, NULL);
    CU_ASSERT(kit_wait(rig.storage, &jobs[STORAGE_CORK_COUNT_MAX], 30000));
    CU_ASSERT_EQUAL(kit_put(rig.storage, "b", "1"), ERR_OK);
    CU_ASSERT_EQUAL(told, 3);
    end(&rig);
}

static void closing_starts_what_is_corked(void)
{
    struct kit_job job = {.keys = {"a"}, .values = {"1"}, .count = 1};
    uint32_t told = 0;
    struct rig rig;

    begin(&rig);
    storage_cork(rig.storage, count_corked, &told);
    CU_ASSERT_EQUAL(kit_start(rig.storage, &job), ERR_OK);
    reopen(&rig);
    CU_ASSERT(job.done);
    CU_ASSERT_EQUAL(job.rc, ERR_OK);
    CU_ASSERT(kit_has(rig.storage, "a", "1"));
    end(&rig);
}

struct walk {
    struct kit_job job;
    const char *from;
    bool reverse;
    uint32_t limit;
    char seen[64];
};

static bool walk_visit(void *arg, struct span key, struct span value)
{
    struct walk *walk = arg;
    size_t size = strlen(walk->seen);

    (void)value;
    (void)snprintf(walk->seen + size, sizeof walk->seen - size, "%.*s ", SPAN_ARGS(key));
    return --walk->limit > 0;
}

static enum err_code walk_run(struct storage_txn *txn, void *arg, struct err *err)
{
    struct walk *walk = arg;

    return storage_scan(txn, 1, span_text(walk->from), walk->reverse, walk_visit, walk, err);
}

static void walk_done(void *arg, enum err_code rc, const struct err *err)
{
    struct walk *walk = arg;

    kit_done(&walk->job, rc, err);
}

static bool walks(struct storage *storage, const char *from, bool reverse, const char *expected)
{
    struct walk walk = {.from = from, .reverse = reverse, .limit = 6};

    return storage_read(storage, walk_run, walk_done, &walk, &walk.job.err) == ERR_OK &&
           kit_wait(storage, &walk.job, 30000) && walk.job.rc == ERR_OK &&
           strcmp(walk.seen, expected) == 0;
}

static void a_scan_sees_all_layers_in_order(void)
{
    struct rig rig;

    begin(&rig);
    CU_ASSERT(walks(rig.storage, "", false, ""));
    CU_ASSERT_EQUAL(kit_put(rig.storage, "b", "1"), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(rig.storage, "d", "1"), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(rig.storage, "f", "1"), ERR_OK);
    reopen(&rig); /* these are in LMDB now */
    CU_ASSERT_EQUAL(kit_put(rig.storage, "a", "2"), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(rig.storage, "d", NULL), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(rig.storage, "e", "2"), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(rig.storage, "f", "2"), ERR_OK);
    CU_ASSERT(walks(rig.storage, "", false, "a b e f "));
    CU_ASSERT(walks(rig.storage, "", true, "f e b a "));
    CU_ASSERT(walks(rig.storage, "b", false, "b e f "));
    CU_ASSERT(walks(rig.storage, "c", false, "e f "));
    CU_ASSERT(walks(rig.storage, "e", true, "e b a "));
    CU_ASSERT(walks(rig.storage, "d", true, "b a "));
    CU_ASSERT(walks(rig.storage, "0", true, ""));
    end(&rig);
}

static void a_full_queue_is_an_answer(void)
{
    static struct kit_job jobs[5];
    struct scratch scratch;
    struct storage_options options;
    struct storage *storage = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;
    int accepted = 0;

    scratch_init(&scratch);
    options = kit_options(scratch.path);
    options.queue_count_max = 4;
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, &err), ERR_OK);
    memset(jobs, 0, sizeof jobs);
    for (; accepted < 5 && rc == ERR_OK; accepted += rc == ERR_OK) {
        rc = kit_start(storage, &jobs[accepted]);
    }
    CU_ASSERT_EQUAL(rc, ERR_FULL);
    CU_ASSERT_EQUAL(accepted, 4);
    CU_ASSERT(kit_wait(storage, &jobs[3], 30000));
    CU_ASSERT_EQUAL(kit_put(storage, "a", "1"), ERR_OK);
    storage_close(storage);
    scratch_done(&scratch);
}

static void too_little_room_refuses_writes_and_not_reads(void)
{
    struct scratch scratch;
    struct storage_options options;
    struct storage *storage = NULL;
    struct kit_job job = {.keys = {"a"}, .values = {"1"}, .count = 1};
    struct err err = ERR_INIT;

    scratch_init(&scratch);
    options = kit_options(scratch.path);
    options.headroom_size = UINT64_MAX / 4; /* no disk has that */
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, &err), ERR_OK);
    CU_ASSERT_EQUAL(kit_start(storage, &job), ERR_NOSPACE);
    CU_ASSERT(strstr(job.err.message, "ballast") != NULL);
    CU_ASSERT(kit_has(storage, "a", NULL));
    CU_ASSERT_EQUAL(storage_reclaim(storage, kit_run, kit_done, &job, &err), ERR_NOSPACE);
    storage_close(storage);
    options.headroom_size = 1;
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, &err), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(storage, "a", "1"), ERR_OK);
    storage_close(storage);
    scratch_done(&scratch);
}

static void a_reclaiming_job_goes_on_where_writes_are_refused(void)
{
    struct scratch scratch;
    struct storage_options options;
    struct storage *storage = NULL;
    struct storage_status status;
    struct kit_job job = {.keys = {"a"}, .values = {"1"}, .count = 1};
    struct err err = ERR_INIT;

    scratch_init(&scratch);
    options = kit_options(scratch.path);
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, &err), ERR_OK);
    storage_status(storage, &status);
    storage_close(storage);
    /* Half as much again as is free: too little to write, enough to make room. */
    options.headroom_size = status.disk_free_size + status.disk_free_size / 2;
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, &err), ERR_OK);
    CU_ASSERT_EQUAL(kit_start(storage, &job), ERR_NOSPACE);
    CU_ASSERT_EQUAL_FATAL(storage_reclaim(storage, kit_run, kit_done, &job, &err), ERR_OK);
    CU_ASSERT(kit_wait(storage, &job, 30000));
    CU_ASSERT_EQUAL(job.rc, ERR_OK);
    CU_ASSERT(kit_has(storage, "a", "1"));
    storage_close(storage);
    scratch_done(&scratch);
}

static enum err_code try_open(const char *dir, struct err *err)
{
    struct storage_options options = kit_options(dir);
    struct storage *storage = NULL;
    enum err_code rc = storage_open(&options, &storage, err);

    storage_close(storage);
    return rc;
}

static void a_directory_that_others_may_enter_is_refused(void)
{
    struct scratch scratch;
    struct err err = ERR_INIT;

    scratch_init(&scratch);
    CU_ASSERT_EQUAL(chmod(scratch.path, 0750), 0);
    CU_ASSERT_EQUAL(try_open(scratch.path, &err), ERR_DENIED);
    CU_ASSERT(strstr(err.message, "chmod 0700") != NULL);
    CU_ASSERT_EQUAL(chmod(scratch.path, 0700), 0);
    CU_ASSERT_EQUAL(try_open(scratch.path, &err), ERR_OK);
    if (geteuid() == 0) { /* only root can give a directory away */
        CU_ASSERT_EQUAL(chown(scratch.path, 1, (gid_t)-1), 0);
        CU_ASSERT_EQUAL(try_open(scratch.path, &err), ERR_DENIED);
        CU_ASSERT(strstr(err.message, "belongs to user 1") != NULL);
    }
    scratch_done(&scratch);
}

static void a_second_opener_is_refused(void)
{
    struct rig rig;

    begin(&rig);
    CU_ASSERT_EQUAL(try_open(rig.scratch.path, &rig.err), ERR_BUSY);
    end(&rig);
}

static uint64_t wall_ms;

static uint64_t set_wall_ms(void *arg)
{
    (void)arg;
    return wall_ms;
}

static void record_times_never_go_back(void)
{
    struct clock clock = {.boot_ms = clock_host()->boot_ms, .wall_ms = set_wall_ms};
    struct scratch scratch;
    struct storage_options options;
    struct storage *storage = NULL;
    struct err err = ERR_INIT;
    static const uint64_t walls[] = {5000, 6000, 100, 5500, 7000};
    static const uint64_t expected[] = {5000, 6000, 6000, 6000, 7000};

    scratch_init(&scratch);
    options = kit_options(scratch.path);
    options.clock = &clock;
    for (size_t i = 0; i < 5; i++) {
        struct kit_job job = {.keys = {"a"}, .values = {"1"}, .count = 1};

        wall_ms = walls[i];
        CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, &err), ERR_OK);
        CU_ASSERT_EQUAL(kit_start(storage, &job), ERR_OK);
        CU_ASSERT(kit_wait(storage, &job, 30000));
        CU_ASSERT_EQUAL(job.wall_ms, expected[i]);
        storage_close(storage);
    }
    scratch_done(&scratch);
}

static void every_opening_begins_a_higher_epoch(void)
{
    struct rig rig;
    struct storage_status status;
    uint64_t epoch = 0;

    begin(&rig);
    for (int i = 0; i < 5; i++) {
        storage_status(rig.storage, &status);
        CU_ASSERT(status.epoch > epoch);
        epoch = status.epoch;
        reopen(&rig);
    }
    end(&rig);
}

static void the_log_stays_within_its_budget(void)
{
    static char text[100001];
    struct rig rig;
    struct storage_status status;

    memset(text, 'x', sizeof text - 1);
    begin(&rig);
    for (int i = 0; i < 120; i++) {
        CU_ASSERT_EQUAL(kit_put(rig.storage, i % 2 == 0 ? "a" : "b", text), ERR_OK);
    }
    storage_status(rig.storage, &status);
    CU_ASSERT(status.wal_size <= 4U << 20);
    CU_ASSERT(status.checkpoint_count > 0);
    reopen(&rig);
    CU_ASSERT(kit_has(rig.storage, "a", text));
    end(&rig);
}

static void an_idle_store_checkpoints(void)
{
    struct rig rig;

    begin(&rig);
    CU_ASSERT_EQUAL(kit_put(rig.storage, "a", "1"), ERR_OK);
    CU_ASSERT(kit_wait_applied(rig.storage, 10000));
    CU_ASSERT(kit_has_weak(rig.storage, "a", "1"));
    end(&rig);
}

static enum err_code put_too_much(struct storage_txn *txn, void *arg, struct err *err)
{
    static char value[STORAGE_VALUE_SIZE_MAX + 1];
    char key[STORAGE_KEY_SIZE_MAX + 1] = {1};
    enum err_code rc = storage_put(txn, 1, span_of(key, sizeof key), SPAN_LITERAL("v"), err);

    (void)arg;
    CU_ASSERT_EQUAL(rc, ERR_TOO_LARGE);
    rc = storage_put(txn, 1, SPAN_NONE, SPAN_LITERAL("v"), err);
    CU_ASSERT_EQUAL(rc, ERR_TOO_LARGE);
    rc = storage_put(txn, 1, SPAN_LITERAL("k"), span_of(value, sizeof value), err);
    CU_ASSERT_EQUAL(rc, ERR_TOO_LARGE);
    rc = storage_put(txn, 1, span_of(key, sizeof key - 1), span_of(value, sizeof value - 1), err);
    CU_ASSERT_EQUAL(rc, ERR_OK);
    for (uint32_t i = 0; rc == ERR_OK && i < STORAGE_JOB_COUNT_MAX; i++) {
        rc = storage_put(txn, 2, span_of(&i, sizeof i), SPAN_LITERAL("v"), err);
    }
    CU_ASSERT_EQUAL(rc, ERR_FULL);
    return rc;
}

static void the_limits_of_a_job_are_answers(void)
{
    struct rig rig;
    struct kit_job job = {.count = 0};

    begin(&rig);
    CU_ASSERT_EQUAL(storage_write(rig.storage, put_too_much, kit_done, &job, &rig.err), ERR_OK);
    CU_ASSERT(kit_wait(rig.storage, &job, 30000));
    CU_ASSERT_EQUAL(job.rc, ERR_FULL);
    CU_ASSERT_EQUAL(kit_put(rig.storage, "a", "1"), ERR_OK);
    end(&rig);
}

static atomic_bool sync_fails;

/* The checkpointer makes the next segment meanwhile: its syncs are not the ones that are meant. */
static bool is_next_segment(int file)
{
    char link[64];
    char path[256] = "";

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    CU_ASSERT_FATAL(readlink(link, path, sizeof path - 1) > 0);
    return strstr(path, WAL_NEXT_FILE) != NULL;
}

static enum err_code failing_sync(void *arg, int file, struct err *err)
{
    /* Once: whoever syncs again would be told that all is well. */
    bool fails = !is_next_segment(file) && atomic_exchange(&sync_fails, false);

    return fails ? err_set(err, ERR_IO, "fdatasync: as asked") : disk_host()->sync(arg, file, err);
}

static void nothing_is_served_after_a_failed_sync(void)
{
    struct rig rig = {.err = ERR_INIT};
    struct disk disk = *disk_host();
    struct storage_options options;
    struct storage_status status;
    struct kit_job job = {.keys = {"b"}, .values = {"2"}, .count = 1};
    char path[256];

    disk.sync = failing_sync;
    scratch_init(&rig.scratch);
    options = kit_options(rig.scratch.path);
    options.disk = &disk;
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &rig.storage, &rig.err), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(rig.storage, "a", "1"), ERR_OK);
    atomic_store(&sync_fails, true);
    CU_ASSERT_EQUAL(kit_start(rig.storage, &job), ERR_OK);
    CU_ASSERT(kit_wait(rig.storage, &job, 30000));
    CU_ASSERT_EQUAL(job.rc, ERR_UNKNOWN_FATE);
    CU_ASSERT_EQUAL(kit_put(rig.storage, "c", "3"), ERR_UNAVAILABLE);
    CU_ASSERT_FALSE(kit_has(rig.storage, "a", "1"));
    storage_status(rig.storage, &status);
    CU_ASSERT(status.failed);
    CU_ASSERT(strstr(status.failure.message, "fdatasync") != NULL);
    storage_close(rig.storage);
    scratch_file(&rig.scratch, "failed", path);
    CU_ASSERT_EQUAL(access(path, R_OK), 0);
    rig.storage = open_at(&rig.scratch);
    CU_ASSERT(kit_has(rig.storage, "a", "1"));
    CU_ASSERT_NOT_EQUAL(access(path, R_OK), 0);
    end(&rig);
}

UNIT_MAIN(
    "storage",
    {"an answered write is there after reopening", an_answered_write_is_there_after_reopening},
    {"answers come in the order of the jobs", answers_come_in_the_order_of_the_jobs},
    {"corked jobs share a record", corked_jobs_share_a_record},
    {"closing starts what is corked", closing_starts_what_is_corked},
    {"a failing job leaves no trace", a_failing_job_leaves_no_trace},
    {"the state is the fold of the log wherever it lies",
     the_state_is_the_fold_of_the_log_wherever_it_lies},
    {"a scan sees all layers in order", a_scan_sees_all_layers_in_order},
    {"a full queue is an answer", a_full_queue_is_an_answer},
    {"too little room refuses writes and not reads", too_little_room_refuses_writes_and_not_reads},
    {"a reclaiming job goes on where writes are refused",
     a_reclaiming_job_goes_on_where_writes_are_refused},
    {"a directory that others may enter is refused", a_directory_that_others_may_enter_is_refused},
    {"a second opener is refused", a_second_opener_is_refused},
    {"record times never go back", record_times_never_go_back},
    {"every opening begins a higher epoch", every_opening_begins_a_higher_epoch},
    {"the log stays within its budget", the_log_stays_within_its_budget},
    {"an idle store checkpoints", an_idle_store_checkpoints},
    {"the limits of a job are answers", the_limits_of_a_job_are_answers},
    {"nothing is served after a failed sync", nothing_is_served_after_a_failed_sync})
