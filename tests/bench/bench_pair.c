/* SPDX-License-Identifier: Apache-2.0 */
/* bench_pair.c: how fast a pair on one host answers a lone write, against raw fdatasyncs of the
 * same run and the same disk, and how fast a standby catches up.
 * Owns nothing but its cases. Never judges: prints one JSON line per measurement. The stores are
 * made in TMPDIR, which should be on the disk in question. */
#include "base/clock.h"
#include "tests/unit/pair_bench.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SAMPLE_COUNT 2000
#define WARM_COUNT   100
#define BLOCK_SIZE   4096
#define BLOCK_COUNT  4096
#define TIMEOUT_MS   120000

static int compare(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;

    return *a < *b ? -1 : *a > *b;
}

static void print(const char *what, uint64_t *samples, size_t count)
{
    qsort(samples, count, sizeof *samples, compare);
    (void)printf(
        "{\"what\": \"%s\", \"count\": %zu, \"min_us\": %" PRIu64 ", \"median_us\": %" PRIu64
        ", \"p99_us\": %" PRIu64 ", \"max_us\": %" PRIu64 "}\n",
        what, count, samples[0], samples[count / 2], samples[count * 99 / 100], samples[count - 1]);
}

/* One write of a lone caller: handed in, on both disks, answered. */
static uint64_t write_once(struct bench_load *load)
{
    struct pollfd file = {.fd = storage_fd(load->host->storage), .events = POLLIN};
    uint64_t begun_us = clock_precise_us();

    while (!bench_load_step(load)) {
        CU_ASSERT_FATAL(poll(&file, 1, 1000) >= 0 || errno == EINTR);
        storage_dispatch(load->host->storage);
    }
    return clock_precise_us() - begun_us;
}

struct ground {
    char path[256];
    int file;
    uint64_t number;
};

/* A file whose blocks are there, as a segment of the log is. */
static void ground_open(struct ground *ground, const struct scratch *scratch)
{
    static const char block[BLOCK_SIZE];

    scratch_file(scratch, "floor", ground->path);
    ground->number = 0;
    ground->file = open(ground->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT_FATAL(ground->file >= 0);
    for (off_t i = 0; i < BLOCK_COUNT; i++) {
        CU_ASSERT_EQUAL_FATAL(pwrite(ground->file, block, sizeof block, i * BLOCK_SIZE),
                              BLOCK_SIZE);
    }
    CU_ASSERT_EQUAL(fsync(ground->file), 0);
}

static uint64_t sync_some(struct ground *ground, uint32_t count)
{
    static char block[BLOCK_SIZE];
    uint64_t begun_us = clock_precise_us();

    for (uint32_t i = 0; i < count; i++) {
        off_t at = (off_t)(ground->number % BLOCK_COUNT) * BLOCK_SIZE;

        ground->number++;
        block[0]++;
        CU_ASSERT_EQUAL(pwrite(ground->file, block, sizeof block, at), BLOCK_SIZE);
        CU_ASSERT_EQUAL(fdatasync(ground->file), 0);
    }
    return clock_precise_us() - begun_us;
}

/* The three in turn, so that whatever else the host does befalls them alike. */
static void lone_writes(void)
{
    static uint64_t samples[3][SAMPLE_COUNT];
    struct pair_bench bench;
    struct ground ground;

    bench_init(&bench, true);
    bench.direct = true;
    ground_open(&ground, &bench.hosts[0].scratch);
    bench_pair(&bench);
    for (uint64_t i = 0; i < SAMPLE_COUNT + WARM_COUNT; i++) {
        struct bench_load load = {
            .host = &bench.hosts[0], .first = i, .count = 1, .window = 1, .value_size = 200};
        size_t at = (size_t)(i < WARM_COUNT ? 0 : i - WARM_COUNT);

        samples[0][at] = sync_some(&ground, 1);
        samples[1][at] = sync_some(&ground, 2);
        samples[2][at] = write_once(&load);
        CU_ASSERT_EQUAL(load.failed + load.unknown, 0);
    }
    print("one fdatasync", samples[0], SAMPLE_COUNT);
    print("two fdatasyncs", samples[1], SAMPLE_COUNT);
    print("a lone write of a pair", samples[2], SAMPLE_COUNT);
    CU_ASSERT_EQUAL(close(ground.file), 0);
    CU_ASSERT_EQUAL(unlink(ground.path), 0);
    bench_done(&bench);
}

static bool has_caught_up(void *arg)
{
    struct pair_bench *bench = arg;
    struct message_state states[2];

    storage_pair_state(bench->hosts[0].storage, &states[0]);
    storage_pair_state(bench->hosts[1].storage, &states[1]);
    return states[1].last.lsn >= states[0].last.lsn;
}

static bool is_up(void *arg)
{
    struct pair_bench *bench = arg;

    return bench->hosts[1].link.up;
}

static void catching_up(void)
{
    struct storage_pair_status status;
    struct bench_load load;
    struct pair_bench bench;
    uint64_t begun_us;
    uint64_t took_us;

    bench_init(&bench, true);
    bench.direct = true;
    bench.options.wal_size_max = 256UL << 20;
    bench.options.segment_size = 16UL << 20;
    bench.options.map_size = 1UL << 30;
    bench.no_add = true;
    bench.primary = 1;
    bench_start(&bench, 1);
    bench_seek(&bench, 1, false);
    CU_ASSERT_FATAL(bench_until_leads(&bench, 1, false));
    load = (struct bench_load){
        .host = &bench.hosts[0], .count = 40000, .window = 64, .value_size = 4000};
    CU_ASSERT_FATAL(bench_until(&bench, bench_load_done, &load, TIMEOUT_MS));
    bench_start(&bench, 2);
    CU_ASSERT_FATAL(bench_until(&bench, is_up, &bench, TIMEOUT_MS));
    begun_us = clock_precise_us();
    CU_ASSERT_FATAL(bench_until(&bench, has_caught_up, &bench, TIMEOUT_MS));
    took_us = clock_precise_us() - begun_us;
    storage_pair_status(bench.hosts[0].storage, &status);
    (void)printf("{\"what\": \"catching up\", \"size\": %" PRIu64 ", \"took_us\": %" PRIu64
                 ", \"mb_per_s\": %.1f}\n",
                 status.sent_size, took_us, (double)status.sent_size / (double)took_us);
    bench_done(&bench);
}

UNIT_MAIN("bench_pair",
          {"a lone write against the disk", lone_writes},
          {"catching up", catching_up})
