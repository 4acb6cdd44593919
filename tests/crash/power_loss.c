/* SPDX-License-Identifier: Apache-2.0 */
/* power_loss.c: the storage after a power loss at any moment.
 * Records every file call of a random workload, LMDB's as well, then rebuilds for thousands of
 * moments one possible content of the disk, opens the storage on it and checks: it opens; each job
 * acknowledged before that moment is there; no job is there in part; the state is that of a prefix
 * of the jobs. Every eighth image is worked on and crashes again, during its recovery as well.
 * Never uses the storage's own idea of what is durable.
 *
 * power_loss [POINTS [SEED]], or POWER_LOSS_POINTS in the environment; 1000 by default. */
#include "base/assert.h"
#include "tests/crash/power_model.h"
#include "tests/crash/power_work.h"
#include "tests/lib/io_tap.h"
#include "tests/lib/scratch.h"
#include "tests/lib/store_kit.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define JOB_COUNT        4000U
#define OPEN_COUNT       3U
#define OUTSTANDING_MAX  200U
#define FAILURE_SHOW_MAX 10U
#define SYNC_US          200U
#define AGAIN_JOB_COUNT  30U /* after a first crash, before a second */
#define AGAIN_POINTS     4U

struct run {
    struct tap_trace trace;
    uint64_t seed;
    uint32_t outstanding;
    uint64_t failed_count; /* checks that failed */
    uint64_t acknowledged_count;
    uint64_t point_count;
};

struct run_job {
    struct work_job job;
    struct run *run;
};

static struct storage *open_store(const char *dir, struct err *err)
{
    struct storage_options options = kit_options(dir);
    struct storage *storage = NULL;

    options.checkpoint_ms = 5;
    return storage_open(&options, &storage, err) == ERR_OK ? storage : NULL;
}

static void job_done(void *arg, enum err_code rc, const struct err *err)
{
    struct run_job *job = arg;

    (void)err;
    ASSERT(rc == (work_fails(job->job.number) ? ERR_CONFLICT : ERR_OK));
    if (rc == ERR_OK) {
        tap_mark(job->job.number);
        job->run->acknowledged_count++;
    }
    job->run->outstanding--;
}

static void wait_below(struct run *run, struct storage *storage, uint32_t limit)
{
    while (run->outstanding > limit) {
        struct pollfd ready = {.fd = storage_fd(storage), .events = POLLIN};

        (void)poll(&ready, 1, 100); /* a timeout is looked at by the loop */
        storage_dispatch(storage);
    }
}

static void pause_sometimes(struct run *run)
{
    struct timespec pause = {.tv_nsec = (long)(power_mix(&run->seed) % 8000000)};

    if (power_mix(&run->seed) % 64 == 0) {
        (void)nanosleep(&pause, NULL); /* lets a checkpoint happen; any length will do */
    }
}

static void work(struct run *run, struct storage *storage, uint64_t first, uint64_t last)
{
    static struct run_job jobs[JOB_COUNT + AGAIN_JOB_COUNT + 1];
    struct err err = ERR_INIT;

    for (uint64_t number = first; number <= last; number++) {
        jobs[number] = (struct run_job){.job = {.number = number}, .run = run};
        ASSERT(storage_write(storage, work_run, job_done, &jobs[number], &err) == ERR_OK);
        run->outstanding++;
        if (power_mix(&run->seed) % 8 == 0) {
            wait_below(run, storage, (uint32_t)(power_mix(&run->seed) % OUTSTANDING_MAX));
        }
        wait_below(run, storage, OUTSTANDING_MAX);
        pause_sometimes(run);
    }
}

static void record_workload(struct run *run)
{
    struct scratch scratch;

    scratch_init(&scratch);
    tap_watch(scratch.path);
    tap_record(&run->trace);
    tap_slow_syncs(SYNC_US);
    for (uint64_t i = 0; i < OPEN_COUNT; i++) {
        struct err err = ERR_INIT;
        struct storage *storage = open_store(scratch.path, &err);

        ASSERT(storage != NULL);
        work(run, storage, i * JOB_COUNT / OPEN_COUNT + 1, (i + 1) * JOB_COUNT / OPEN_COUNT);
        storage_close(storage);
        ASSERT(run->outstanding == 0);
    }
    tap_slow_syncs(0);
    tap_record(NULL);
    tap_watch("");
    scratch_done(&scratch);
}

static void complain(struct run *run, size_t position, uint64_t seed, const char *what)
{
    if (run->failed_count++ < FAILURE_SHOW_MAX) {
        (void)printf("FAILED at event %zu, image seed %" PRIu64 ": %s\n", position, seed, what);
    }
}

/* Opens one image and looks. */
static void
check_image(struct run *run, const char *dir, size_t position, uint64_t seed, uint64_t acknowledged)
{
    struct err err = ERR_INIT;
    struct storage *storage = open_store(dir, &err);
    const char *reason = NULL;
    uint64_t last = 0;

    if (storage == NULL) {
        complain(run, position, seed, err.message);
        return;
    }
    if (!work_check(storage, &last, &reason)) {
        complain(run, position, seed, reason);
    } else if (last < acknowledged) {
        complain(run, position, seed, "an acknowledged job is lost");
    }
    storage_close(storage);
}

/* Works on an image with the tap open; what was there counts as acknowledged once it was read. */
static bool work_again(struct run *again, const char *dir)
{
    struct err err = ERR_INIT;
    const char *reason = NULL;
    struct storage *storage;
    uint64_t last = 0;
    bool good;

    tap_watch(dir);
    tap_record(&again->trace);
    tap_slow_syncs(SYNC_US);
    storage = open_store(dir, &err);
    good = storage != NULL && work_check(storage, &last, &reason);
    if (good) {
        tap_mark(last);
        work(again, storage, last + 1, last + AGAIN_JOB_COUNT);
    }
    storage_close(storage);
    tap_slow_syncs(0);
    tap_record(NULL);
    tap_watch("");
    return good;
}

/* The highest job acknowledged in the events from *from up to position. */
static void follow_marks(const struct run *run, size_t *from, size_t position, uint64_t *highest)
{
    for (; *from < position; (*from)++) {
        const struct tap_event *event = &run->trace.events[*from];

        if (event->kind == TAP_MARK && event->offset > *highest) {
            *highest = event->offset;
        }
    }
}

/* One crash: the image of a moment, checked; then, if again is given, the work on it. */
static void crash_at(struct run *run,
                     struct power_model *model,
                     const char *dir,
                     size_t position,
                     uint64_t acknowledged,
                     struct run *again)
{
    uint64_t seed = power_mix(&run->seed);
    uint64_t image_seed = seed;

    power_model_write(model, dir, &image_seed);
    if (again == NULL) {
        check_image(run, dir, position, seed, acknowledged);
    } else if (!work_again(again, dir)) {
        complain(run, position, seed, "the image does not open");
    }
}

/* Crashes the work on a crashed image: counted in run. */
static void crash_twice(struct run *run, struct run *again, const struct scratch *scratch)
{
    struct power_model *model = power_model_new();
    uint64_t acknowledged = 0;
    size_t marked = 0;
    size_t base = 0;

    /* The recording begins with the files that were there. */
    while (base < again->trace.count && again->trace.events[base].kind != TAP_SYNC_DIR) {
        base++;
    }
    base++;
    for (uint64_t i = 0; again->trace.count > base && i < AGAIN_POINTS; i++) {
        size_t room = again->trace.count - base;
        size_t position = base + (size_t)((i * room + power_mix(&run->seed) % room) / AGAIN_POINTS);

        follow_marks(again, &marked, position, &acknowledged);
        power_model_advance(model, &again->trace, position);
        crash_at(run, model, scratch->path, position, acknowledged, NULL);
        scratch_clear(scratch);
        run->point_count++;
    }
    power_model_free(model);
    tap_trace_free(&again->trace);
}

static void crash_everywhere(struct run *run, uint64_t points)
{
    struct power_model *model = power_model_new();
    struct scratch scratch;
    uint64_t acknowledged = 0;
    uint64_t lost;
    uint64_t kept;
    size_t marked = 0;

    scratch_init(&scratch);
    while (run->point_count < points) {
        size_t position = (size_t)((run->point_count * run->trace.count +
                                    power_mix(&run->seed) % run->trace.count) /
                                   points);
        struct run again = {.seed = power_mix(&run->seed)};
        bool twice = run->point_count++ % 8 == 0;

        follow_marks(run, &marked, position, &acknowledged);
        power_model_advance(model, &run->trace, position);
        crash_at(run, model, scratch.path, position, acknowledged, twice ? &again : NULL);
        scratch_clear(&scratch);
        if (twice) {
            crash_twice(run, &again, &scratch);
        }
    }
    power_model_counts(model, &lost, &kept);
    (void)printf("%" PRIu64 " crash points, unsynced sectors: %" PRIu64 " lost, %" PRIu64
                 " kept; %" PRIu64 " failed\n",
                 run->point_count, lost, kept, run->failed_count);
    power_model_free(model);
    scratch_done(&scratch);
}

static uint64_t points_wanted(int argc, char **argv)
{
    const char *environment = getenv("POWER_LOSS_POINTS");

    if (argc > 1) {
        return strtoull(argv[1], NULL, 10);
    }
    return environment != NULL ? strtoull(environment, NULL, 10) : 1000;
}

int main(int argc, char **argv)
{
    static struct run run;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 10) : (uint64_t)time(NULL);

    run.seed = seed;
    (void)printf("power loss: seed %" PRIu64 "\n", seed);
    record_workload(&run);
    (void)printf("%" PRIu64 " jobs acknowledged, %zu file events\n", run.acknowledged_count,
                 run.trace.count);
    crash_everywhere(&run, points_wanted(argc, argv));
    tap_trace_free(&run.trace);
    return run.failed_count == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
