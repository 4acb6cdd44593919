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

static void sync_floor(const struct scratch *scratch, uint32_t sync_count, uint64_t *samples)
{
    static char block[BLOCK_SIZE];
    char path[256];
    int file;

    scratch_file(scratch, "floor", path);
    file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    CU_ASSERT_FATAL(file >= 0);
    for (off_t i = 0; i < SAMPLE_COUNT + WARM_COUNT; i++) {
        CU_ASSERT_EQUAL_FATAL(pwrite(file, block, sizeof block, i * BLOCK_SIZE), BLOCK_SIZE);
    }
    CU_ASSERT_EQUAL(fsync(file), 0);
    for (off_t i = 0; i < SAMPLE_COUNT; i++) {
        uint64_t begun_us = clock_precise_us();

        for (uint32_t k = 0; k < sync_count; k++) {
            block[k] = (char)i;
            CU_ASSERT_EQUAL(pwrite(file, block, sizeof block, i * BLOCK_SIZE), BLOCK_SIZE);
            CU_ASSERT_EQUAL(fdatasync(file), 0);
        }
        samples[i] = clock_precise_us() - begun_us;
    }
    CU_ASSERT_EQUAL(close(file), 0);
    CU_ASSERT_EQUAL(unlink(path), 0);
}

static void lone_writes(void)
{
    static uint64_t samples[SAMPLE_COUNT];
    struct pair_bench bench;

    bench_init(&bench, true);
    bench.direct = true;
    sync_floor(&bench.hosts[0].scratch, 1, samples);
    print("one fdatasync", samples, SAMPLE_COUNT);
    sync_floor(&bench.hosts[0].scratch, 2, samples);
    print("two fdatasyncs", samples, SAMPLE_COUNT);
    bench_pair(&bench);
    for (uint64_t i = 0; i < SAMPLE_COUNT + WARM_COUNT; i++) {
        struct bench_load load = {
            .host = &bench.hosts[0], .first = i, .count = 1, .window = 1, .value_size = 200};
        uint64_t took_us = write_once(&load);

        CU_ASSERT_EQUAL(load.failed + load.unknown, 0);
        if (i >= WARM_COUNT) {
            samples[i - WARM_COUNT] = took_us;
        }
    }
    print("a lone write of a pair", samples, SAMPLE_COUNT);
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
