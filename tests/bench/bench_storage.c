/* SPDX-License-Identifier: Apache-2.0 */
/* bench_storage.c: how fast the storage answers, against the floor of the same run.
 * Owns the load: jobs of eight puts of 200 to 1500 bytes. "ordered", as approvals do it: two in key
 * order (audit), two under a new id that begins with the time (request, outbox), one under a random
 * key (dedup), three that change one of the newest 10,000 requests. "random": three under random
 * keys, three anywhere in 10,000 hot keys: the worst case for a tree of pages.
 * Never judges: prints one JSON line per measurement, for people and for comparing builds.
 *
 * bench_storage [SECONDS [ITEMS [ordered|random]]]: each load for SECONDS (2); with ITEMS also the
 * time to open a store of so many. The store is made in TMPDIR, which should be on the disk in
 * question. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "storage/storage.h"
#include "tests/lib/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define VALUE_SIZE_MIN   200U
#define VALUE_SIZE_MAX   1500U
#define PUT_COUNT        8U
#define HOT_COUNT        10000U
#define OUTSTANDING_MAX  1024U
#define SAMPLE_COUNT_MAX 2000000U

struct bench_job {
    struct bench *bench;
    uint64_t begun_us;
    uint64_t seed;
    uint64_t number;
};

struct bench {
    struct storage *storage;
    struct bench_job jobs[OUTSTANDING_MAX];
    uint32_t free_list[OUTSTANDING_MAX];
    uint32_t free_count;
    uint64_t seed;
    uint64_t number;
    uint64_t done_count;
    uint64_t refused_count;
    uint32_t *samples_us; /* owned */
    uint64_t sample_count;
    char text[VALUE_SIZE_MAX];
    bool random;
};

static uint64_t mix(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

static uint64_t random_key(struct bench_job *job, uint32_t put)
{
    if (put < 2) {
        return job->number;
    }
    return put < 5 ? mix(&job->seed) : mix(&job->seed) % HOT_COUNT;
}

static uint64_t ordered_key(struct bench_job *job, uint32_t put)
{
    uint64_t back = mix(&job->seed) % HOT_COUNT;

    if (put < 4) {
        return job->number;
    }
    if (put == 4) {
        return mix(&job->seed);
    }
    return job->number > back ? job->number - back : job->number;
}

static enum err_code run_job(struct storage_txn *txn, void *arg, struct err *err)
{
    struct bench_job *job = arg;
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < PUT_COUNT; i++) {
        uint64_t key = job->bench->random ? random_key(job, i) : ordered_key(job, i);
        size_t size = VALUE_SIZE_MIN + mix(&job->seed) % (VALUE_SIZE_MAX - VALUE_SIZE_MIN);
        char name[32];
        struct span value;
        int name_size = snprintf(name, sizeof name, "%016" PRIx64, key);

        rc = storage_get(txn, (uint8_t)(i + 1), span_of(name, (size_t)name_size), &value, err);
        if (rc == ERR_OK || rc == ERR_NOT_FOUND) {
            rc = storage_put(txn, (uint8_t)(i + 1), span_of(name, (size_t)name_size),
                             span_of(job->bench->text, size), err);
        }
    }
    return rc;
}

static void job_done(void *arg, enum err_code rc, const struct err *err)
{
    struct bench_job *job = arg;
    struct bench *bench = job->bench;

    if (rc != ERR_OK) {
        (void)fprintf(stderr, "job: %s\n", err->message);
        exit(EXIT_FAILURE);
    }
    if (bench->sample_count < SAMPLE_COUNT_MAX) {
        bench->samples_us[bench->sample_count++] = (uint32_t)(clock_precise_us() - job->begun_us);
    }
    bench->done_count++;
    bench->free_list[bench->free_count++] = (uint32_t)(job - bench->jobs);
}

static void start_job(struct bench *bench, uint64_t begun_us)
{
    struct bench_job *job = &bench->jobs[bench->free_list[--bench->free_count]];
    struct err err = ERR_INIT;

    job->bench = bench;
    job->begun_us = begun_us;
    job->seed = mix(&bench->seed);
    job->number = bench->number++;
    if (storage_write(bench->storage, run_job, job_done, job, &err) != ERR_OK) {
        bench->refused_count++;
        bench->free_list[bench->free_count++] = (uint32_t)(job - bench->jobs);
    }
}

static void wait_answers(struct bench *bench, uint64_t timeout_us)
{
    struct pollfd ready = {.fd = storage_fd(bench->storage), .events = POLLIN};
    struct timespec timeout = {.tv_sec = (time_t)(timeout_us / 1000000),
                               .tv_nsec = (long)(timeout_us % 1000000 * 1000)};

    if (ppoll(&ready, 1, &timeout, NULL) > 0) {
        storage_dispatch(bench->storage);
    }
}

static int compare_sample(const void *a, const void *b)
{
    uint32_t x;
    uint32_t y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

static uint32_t quantile(struct bench *bench, double part)
{
    return bench->sample_count == 0
               ? 0
               : bench->samples_us[(uint64_t)(part * (double)(bench->sample_count - 1))];
}

static uint64_t anonymous_kib(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[256];
    uint64_t kib = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "RssAnon:", 8) == 0) {
            kib = strtoull(line + 8, NULL, 10);
        }
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return kib;
}

static void begin(struct bench *bench, uint32_t outstanding)
{
    bench->free_count = outstanding;
    for (uint32_t i = 0; i < outstanding; i++) {
        bench->free_list[i] = i;
    }
    bench->done_count = 0;
    bench->refused_count = 0;
    bench->sample_count = 0;
}

static void drain(struct bench *bench, uint32_t outstanding)
{
    while (bench->free_count < outstanding) {
        wait_answers(bench, 1000000);
    }
}

static void report(struct bench *bench,
                   const char *name,
                   uint32_t outstanding,
                   const struct storage_status *before,
                   uint64_t took_us)
{
    struct storage_status after;
    uint64_t records;

    storage_status(bench->storage, &after);
    records = after.commit_count - before->commit_count;
    qsort(bench->samples_us, bench->sample_count, sizeof *bench->samples_us, compare_sample);
    (void)printf("{\"bench\":\"%s\",\"outstanding\":%" PRIu32
                 ",\"jobs_per_s\":%.0f,\"p50_us\":%" PRIu32 ",\"p99_us\":%" PRIu32
                 ",\"p999_us\":%" PRIu32 ",\"max_us\":%" PRIu32
                 ",\"jobs_per_record\":%.1f,\"sync_mean_us\":%.0f,\"refused\":%" PRIu64
                 ",\"checkpoints\":%" PRIu64 "}\n",
                 name, outstanding, (double)bench->done_count * 1e6 / (double)took_us,
                 quantile(bench, 0.5), quantile(bench, 0.99), quantile(bench, 0.999),
                 quantile(bench, 1), records == 0 ? 0 : (double)bench->done_count / (double)records,
                 (double)(after.sync_us_total - before->sync_us_total) /
                     (double)(after.sync_count - before->sync_count + 1),
                 bench->refused_count, after.checkpoint_count - before->checkpoint_count);
    (void)fflush(stdout);
}

/* So many jobs always under way, for that long. */
static void bench_closed(struct bench *bench, uint32_t outstanding, uint64_t seconds)
{
    struct storage_status before;
    uint64_t begun_us = clock_precise_us();
    uint64_t now_us = begun_us;

    begin(bench, outstanding);
    storage_status(bench->storage, &before);
    while (now_us - begun_us < seconds * 1000000) {
        while (bench->free_count > 0) {
            start_job(bench, clock_precise_us());
        }
        wait_answers(bench, 1000000);
        now_us = clock_precise_us();
    }
    drain(bench, outstanding);
    report(bench, "storage_closed", outstanding, &before, now_us - begun_us);
}

/* So many jobs a second whatever happens; the clock of a job starts when it was due. */
static void bench_paced(struct bench *bench, uint64_t rate, uint64_t seconds)
{
    struct storage_status before;
    uint64_t begun_us = clock_precise_us();
    uint64_t now_us = begun_us;
    uint64_t started = 0;
    uint64_t due_us;
    char name[32];

    begin(bench, OUTSTANDING_MAX);
    storage_status(bench->storage, &before);
    while (now_us - begun_us < seconds * 1000000) {
        while (bench->free_count > 0 && begun_us + started * 1000000 / rate <= now_us) {
            start_job(bench, begun_us + started * 1000000 / rate);
            started++;
        }
        due_us = begun_us + started * 1000000 / rate;
        now_us = clock_precise_us();
        wait_answers(bench, due_us > now_us ? due_us - now_us : 0);
        now_us = clock_precise_us();
    }
    drain(bench, OUTSTANDING_MAX);
    (void)snprintf(name, sizeof name, "storage_paced_%" PRIu64, rate);
    report(bench, name, OUTSTANDING_MAX, &before, now_us - begun_us);
}

/* The floor: pages of a file that is all there, one write and one fdatasync each. */
static void bench_floor(struct bench *bench, const struct scratch *scratch, size_t size)
{
    static char zeros[1U << 20];
    char path[256];
    uint64_t begun_us;
    int file;

    scratch_file(scratch, "floor", path);
    file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT(file >= 0);
    for (int i = 0; i < 32; i++) {
        ASSERT(pwrite(file, zeros, sizeof zeros, (off_t)i << 20) == (ssize_t)sizeof zeros);
    }
    ASSERT(fsync(file) == 0);
    begin(bench, 1);
    for (uint64_t at = 0; at + size <= 32U << 20 && bench->sample_count < 3000; at += size) {
        begun_us = clock_precise_us();
        ASSERT(pwrite(file, zeros, size, (off_t)at) == (ssize_t)size);
        ASSERT(fdatasync(file) == 0);
        bench->samples_us[bench->sample_count++] = (uint32_t)(clock_precise_us() - begun_us);
    }
    (void)close(file);
    (void)unlink(path);
    qsort(bench->samples_us, bench->sample_count, sizeof *bench->samples_us, compare_sample);
    (void)printf("{\"bench\":\"floor_fdatasync\",\"size\":%zu,\"p50_us\":%" PRIu32
                 ",\"p99_us\":%" PRIu32 "}\n",
                 size, quantile(bench, 0.5), quantile(bench, 0.99));
    (void)fflush(stdout);
}

static struct storage *open_timed(const struct scratch *scratch, const char *name)
{
    struct storage_options options = {.dir = scratch->path};
    struct storage *storage = NULL;
    struct err err = ERR_INIT;
    uint64_t begun_us = clock_precise_us();

    if (storage_open(&options, &storage, &err) != ERR_OK) {
        (void)fprintf(stderr, "%s\n", err.message);
        exit(EXIT_FAILURE);
    }
    (void)printf("{\"bench\":\"%s\",\"us\":%" PRIu64 "}\n", name, clock_precise_us() - begun_us);
    (void)fflush(stdout);
    return storage;
}

static void fill(struct bench *bench, uint64_t items)
{
    begin(bench, OUTSTANDING_MAX);
    while (bench->done_count * PUT_COUNT < items * PUT_COUNT / 5) {
        while (bench->free_count > 0) {
            start_job(bench, clock_precise_us());
        }
        wait_answers(bench, 1000000);
    }
    drain(bench, OUTSTANDING_MAX);
}

static void print_memory(void)
{
    (void)printf("{\"bench\":\"storage_anonymous_memory\",\"kib\":%" PRIu64 "}\n", anonymous_kib());
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct scratch scratch;
    uint64_t seconds = argc > 1 ? strtoull(argv[1], NULL, 10) : 2;
    uint64_t items = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;

    bench.random = argc > 3 && strcmp(argv[3], "random") == 0;

    scratch_init_disk(&scratch);
    bench.samples_us = mem_new(SAMPLE_COUNT_MAX, sizeof *bench.samples_us);
    ASSERT(bench.samples_us != NULL);
    bench.storage = open_timed(&scratch, "open_empty");
    bench_floor(&bench, &scratch, 12288);
    bench_closed(&bench, 1, seconds);
    bench_closed(&bench, 64, seconds);
    bench_closed(&bench, 256, seconds);
    bench_paced(&bench, 1000, seconds);
    bench_paced(&bench, 10000, seconds);
    bench_floor(&bench, &scratch, 12288);
    bench_floor(&bench, &scratch, 262144);
    print_memory();
    if (items > 0) {
        fill(&bench, items);
        storage_close(bench.storage);
        bench.storage = open_timed(&scratch, "open_full");
    }
    storage_close(bench.storage);
    bench.storage = open_timed(&scratch, "open_again");
    storage_close(bench.storage);
    mem_free(bench.samples_us);
    scratch_done(&scratch);
    return EXIT_SUCCESS;
}
