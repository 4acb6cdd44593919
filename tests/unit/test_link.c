/* SPDX-License-Identifier: Apache-2.0 */
/* test_link.c: proves the pair as a whole: two storages in one process, real threads, disks and
 * TLS, and a proxy between them that does what networks do.
 * Owns nothing but its cases; never leaves loopback. */
#include "base/clock.h"
#include "storage/disk.h"
#include "storage/limits.h"
#include "tests/lib/store_kit.h"
#include "tests/unit/pair_bench.h"
#include "tests/unit/unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define TIMEOUT_MS 60000

/* The host's log as it is: what it holds durably. */
static uint64_t durable_lsn(struct bench_host *host)
{
    struct message_state state;

    storage_pair_state(host->storage, &state);
    return state.last.lsn;
}

static bool one_done(void *arg)
{
    struct bench_load *load = arg;

    (void)bench_load_step(load);
    return load->done > 0;
}

static void acknowledged_means_on_both(void)
{
    struct pair_bench bench;
    struct bench_load load;

    bench_init(&bench, false);
    bench_pair(&bench);
    load = bench_load_of(&bench.hosts[0], 0, 500);
    CU_ASSERT(bench_load_all(&bench, &load));
    /* Answered one by one: each is in the standby's log by then. */
    for (uint64_t i = 0; i < 20; i++) {
        struct storage_status status;

        load = bench_load_of(&bench.hosts[0], 500 + i, 1);
        CU_ASSERT(bench_load_all(&bench, &load));
        storage_status(bench.hosts[0].storage, &status);
        CU_ASSERT(durable_lsn(&bench.hosts[1]) >= status.lsn_commit);
    }
    CU_ASSERT(kit_has(bench.hosts[0].storage, "key-000000000007", NULL) == false);
    CU_ASSERT(bench_until_equal(&bench, 520));
    CU_ASSERT_EQUAL(bench.epoch, 3); /* alone, then both */
    bench_done(&bench);
}

/* Nothing is acknowledged while the standby cannot be reached; strict: nor is it given up. */
static void a_strict_pair_waits_for_the_standby(void)
{
    struct storage_pair_status status;
    struct pair_bench bench;
    struct bench_load load;

    bench_init(&bench, false);
    bench.strict = true;
    bench_pair(&bench);
    proxy_hold(bench.proxy, 1);
    load = bench_load_of(&bench.hosts[0], 0, 1);
    (void)bench_load_step(&load);
    CU_ASSERT(!bench_until(&bench, one_done, &load, 1500));
    CU_ASSERT_EQUAL(bench.hosts[0].reports[REPLICA_REPORT_REMOVE], 0);
    storage_pair_status(bench.hosts[0].storage, &status);
    CU_ASSERT(status.lag_lsn >= 1);
    CU_ASSERT(status.lag_ms > 0);
    proxy_hold(bench.proxy, 0);
    CU_ASSERT(bench_until(&bench, one_done, &load, TIMEOUT_MS));
    CU_ASSERT(bench_until_equal(&bench, 1));
    bench_done(&bench);
}

static bool hears_nothing(void *arg)
{
    const struct bench_host *host = arg;

    return host->link.silent && !host->link.up;
}

/* A partition without an error: both ends give the connection up, the primary goes on alone, and
 * when the network is back, so is the standby. */
static void a_silent_partition_heals(void)
{
    struct pair_bench bench;
    struct bench_load load;

    bench_init(&bench, false);
    bench_pair(&bench);
    load = bench_load_of(&bench.hosts[0], 0, 100);
    CU_ASSERT(bench_load_all(&bench, &load));
    proxy_hold(bench.proxy, 1);
    CU_ASSERT(bench_until_leads(&bench, 1, false));
    load = bench_load_of(&bench.hosts[0], 100, 100);
    CU_ASSERT(bench_load_all(&bench, &load));
    CU_ASSERT(bench_until(&bench, hears_nothing, &bench.hosts[1], TIMEOUT_MS));
    proxy_hold(bench.proxy, 0);
    CU_ASSERT(bench_until_leads(&bench, 1, true));
    CU_ASSERT(bench_until_equal(&bench, 200));
    bench_done(&bench);
}

static bool some_done(void *arg)
{
    struct bench_load *load = arg;

    (void)bench_load_step(load);
    return load->done >= 200;
}

static bool leads_alone(void *arg)
{
    struct bench_load *load = arg;
    const struct bench_host *host = load->host;

    (void)bench_load_step(load);
    return host->leading == host->bench->epoch && !host->bench->both;
}

/* A standby that is stopped says so, also under load, when there is always something that it has
 * not read: it costs less than the silence, and nothing that was accepted. */
static void who_stops_is_not_waited_for(void)
{
    struct storage_pair_options options;
    struct storage_options unused;
    struct pair_bench bench;
    struct bench_load load;
    uint64_t stop_us;

    bench_init(&bench, false);
    bench_options(&bench, 2, &unused, &options);
    bench_pair(&bench);
    load = bench_load_of(&bench.hosts[0], 0, 1000000);
    CU_ASSERT(bench_until(&bench, some_done, &load, TIMEOUT_MS));
    stop_us = clock_precise_us();
    bench_stop(&bench, 2);
    CU_ASSERT(bench_until(&bench, leads_alone, &load, TIMEOUT_MS));
    CU_ASSERT(clock_precise_us() - stop_us < options.silence_ms * UINT64_C(1000));
    CU_ASSERT_FALSE(bench.hosts[0].link.silent);
    load.count = load.sent;
    CU_ASSERT(bench_load_all(&bench, &load));
    bench_start(&bench, 2);
    CU_ASSERT(bench_until_leads(&bench, 1, true));
    CU_ASSERT(bench_until_equal(&bench, load.count));
    bench_done(&bench);
}

static enum err_code no_sync(void *arg, int file, struct err *err)
{
    (void)arg;
    (void)file;
    (void)err;
    return ERR_OK;
}

/* Some 10,000 records, at most two jobs in each: the standby was away, comes back, catches up. */
static void a_standby_catches_up(void)
{
    struct disk disk = *disk_host();
    struct pair_bench bench;
    struct bench_load load;
    struct storage_status status;

    disk.sync = no_sync; /* of this many records it is the log's reading that counts here */
    bench_init(&bench, false);
    bench.options.disk = &disk;
    bench.options.wal_size_max = 32U << 20;
    bench_pair(&bench);
    bench_stop(&bench, 2);
    CU_ASSERT(bench_until_leads(&bench, 1, false));
    load = bench_load_of(&bench.hosts[0], 0, 20000);
    load.window = 2;
    CU_ASSERT(bench_load_all(&bench, &load));
    storage_status(bench.hosts[0].storage, &status);
    CU_ASSERT(status.lsn_last >= 10000);
    bench_start(&bench, 2);
    CU_ASSERT(bench_until_leads(&bench, 1, true));
    CU_ASSERT(bench_until_equal(&bench, 20000));
    bench_done(&bench);
}

static bool has_installed(void *arg)
{
    struct bench_host *host = arg;
    struct storage_pair_status pair;
    struct storage_status status;

    storage_status(host->storage, &status);
    storage_pair_status(host->storage, &pair);
    return status.failed && pair.snapshot_count == 1;
}

/* Syncs wait at it while it is closed. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool closed;
};

static enum err_code gated_sync(void *arg, int file, struct err *err)
{
    struct gate *gate = arg;

    (void)pthread_mutex_lock(&gate->lock);
    while (gate->closed) {
        (void)pthread_cond_wait(&gate->opened, &gate->lock);
    }
    (void)pthread_mutex_unlock(&gate->lock);
    return disk_host()->sync(disk_host()->arg, file, err);
}

static void gate_set(struct gate *gate, bool closed)
{
    (void)pthread_mutex_lock(&gate->lock);
    gate->closed = closed;
    (void)pthread_cond_broadcast(&gate->opened);
    (void)pthread_mutex_unlock(&gate->lock);
}

/* Rule H: the standby's disk hangs for longer than the silence, and shorter than what evicts. */
static void a_disk_that_hangs_makes_slow_not_silent(void)
{
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};
    struct disk disk = *disk_host();
    struct pair_bench bench;
    struct bench_load load;

    disk.sync = gated_sync;
    disk.arg = &gate;
    bench_init(&bench, false);
    bench.strict = true; /* how long a hang is borne is the core's matter, and tested there */
    bench.standby_disk = &disk;
    bench_pair(&bench);
    gate_set(&gate, true);
    load = bench_load_of(&bench.hosts[0], 0, 1);
    (void)bench_load_step(&load);
    CU_ASSERT(!bench_until(&bench, one_done, &load, 1300));
    CU_ASSERT(bench.hosts[0].link.up);
    CU_ASSERT(!bench.hosts[0].link.silent);
    CU_ASSERT_EQUAL(proxy_count(bench.proxy), 1);
    gate_set(&gate, false);
    CU_ASSERT(bench_until(&bench, one_done, &load, TIMEOUT_MS));
    bench_done(&bench);
}

/* LMDB syncs by itself, not through struct disk: this takes the place of its call. */
static atomic_bool no_room;

int mdb_env_sync(void *env, int force);
int mdb_env_sync(void *env, int force)
{
    int (*real)(void *, int);
    void *symbol = dlsym(RTLD_NEXT, "mdb_env_sync");

    memcpy(&real, &symbol, sizeof real);
    return force != 0 && atomic_load(&no_room) ? ENOSPC : real(env, force);
}

/* Host 1 leads alone, its log is trimmed, and host 2 is empty. */
static void
begin_trimmed(struct pair_bench *bench, const struct disk *disk, const struct disk *standby_disk)
{
    struct bench_load load;

    bench_init(bench, false);
    bench->options.disk = disk;
    bench->standby_disk = standby_disk;
    bench->primary = 1;
    bench_start(bench, 1);
    bench_seek(bench, 1, false);
    CU_ASSERT_FATAL(bench_until_leads(bench, 1, false));
    load = bench_load_of(&bench->hosts[0], 0, 12000);
    load.value_size = 1000;
    CU_ASSERT(bench_load_all(bench, &load));
    bench_start(bench, 2);
}

/* Host 2, which ends with the snapshot, starts again, and follows. */
static void end_followed(struct pair_bench *bench)
{
    struct bench_load load;

    CU_ASSERT(bench_until(bench, has_installed, &bench->hosts[1], TIMEOUT_MS));
    bench_stop(bench, 2);
    bench_start(bench, 2);
    CU_ASSERT(bench_until_leads(bench, 1, true));
    load = bench_load_of(&bench->hosts[0], 12000, 10);
    CU_ASSERT(bench_load_all(bench, &load));
    CU_ASSERT(bench_until_equal(bench, 12010));
}

/* The log that an empty host would need is trimmed: it gets a snapshot, ends, starts, follows. */
static void an_empty_host_gets_a_snapshot(void)
{
    struct disk disk = *disk_host();
    struct pair_bench bench;

    disk.sync = no_sync;
    begin_trimmed(&bench, &disk, NULL);
    end_followed(&bench);
    bench_done(&bench);
}

static bool has_failed(void *arg)
{
    struct bench_host *host = arg;
    struct storage_status status;

    storage_status(host->storage, &status);
    return status.failed;
}

/* Whoever cannot install what he received ends: the next start follows with the old store. */
static void a_snapshot_that_cannot_be_installed_ends_the_process(void)
{
    struct disk disk = *disk_host();
    struct storage_status status;
    struct pair_bench bench;

    disk.sync = no_sync;
    begin_trimmed(&bench, &disk, NULL);
    atomic_store(&no_room, true);
    CU_ASSERT(bench_until(&bench, has_failed, &bench.hosts[1], TIMEOUT_MS));
    atomic_store(&no_room, false);
    storage_status(bench.hosts[1].storage, &status);
    CU_ASSERT_PTR_NOT_NULL(strstr(status.failure.message, "install snapshot"));
    bench_stop(&bench, 2);
    bench_start(&bench, 2);
    end_followed(&bench);
    bench_done(&bench);
}

static atomic_bool disk_full;

static enum err_code full_or_not(void *arg, const char *dir, uint64_t *ret_size, struct err *err)
{
    if (atomic_load(&disk_full)) {
        *ret_size = 0;
        return ERR_OK;
    }
    return disk_host()->free_size(arg, dir, ret_size, err);
}

static bool is_refused(void *arg)
{
    struct bench_host *host = arg;
    struct storage_pair_status status;

    storage_pair_status(host->storage, &status);
    return strstr(status.snapshot_refused, "no room for the other host's state") != NULL &&
           strcmp(status.phase, "snapshot-refused") == 0;
}

/* It says why, stays alive, does not ask all the time, and takes it when there is room. */
static void a_standby_without_room_for_the_snapshot_waits_for_it(void)
{
    struct disk disk = *disk_host();
    struct disk full = *disk_host();
    struct storage_pair_status status;
    struct pair_bench bench;
    uint64_t count;

    disk.sync = no_sync;
    full.sync = no_sync;
    full.free_size = full_or_not;
    atomic_store(&disk_full, true);
    begin_trimmed(&bench, &disk, &full);
    CU_ASSERT(bench_until(&bench, is_refused, &bench.hosts[1], TIMEOUT_MS));
    count = proxy_count(bench.proxy);
    bench_pass(&bench, STORAGE_SNAPSHOT_PAUSE_MS_MIN / 2);
    CU_ASSERT(proxy_count(bench.proxy) <= count + 1);
    CU_ASSERT_FALSE(has_failed(&bench.hosts[1]));
    storage_pair_status(bench.hosts[1].storage, &status);
    CU_ASSERT(status.received_size < STORAGE_MIB * (uint64_t)proxy_count(bench.proxy));
    atomic_store(&disk_full, false);
    end_followed(&bench);
    bench_done(&bench);
}

/* Drains the load, hands over to the other host, which leads with both; returns its host. */
static struct bench_host *hand_over(struct pair_bench *bench, struct bench_load *load)
{
    struct bench_host *from = load->host;
    struct bench_host *to = from->host == 1 ? &bench->hosts[1] : &bench->hosts[0];

    load->paused = true;
    load->count = load->sent;
    CU_ASSERT(bench_load_all(bench, load));
    storage_handover(from->storage);
    CU_ASSERT(bench_until_leads(bench, to->host, true));
    CU_ASSERT_EQUAL(from->reports[REPLICA_REPORT_DEPOSED], 0);
    return to;
}

static void handover_goes_both_ways_under_load(void)
{
    struct pair_bench bench;
    struct bench_host *host;
    uint64_t first = 0;

    bench_init(&bench, false);
    bench_pair(&bench);
    host = &bench.hosts[0];
    for (int i = 0; i < 4; i++) {
        struct bench_load load = bench_load_of(host, first, 100000);
        uint64_t epoch = bench.epoch;

        while (load.done < 150) {
            (void)bench_load_step(&load);
            bench_pass(&bench, 1);
        }
        host = hand_over(&bench, &load);
        first += load.count;
        CU_ASSERT_EQUAL(bench.epoch, epoch + 1); /* never alone in between */
        CU_ASSERT(!storage_serves(load.host->storage));
    }
    CU_ASSERT(bench_until_equal(&bench, first));
    bench_done(&bench);
}

/* A handover that the standby does not take is resumed. */
static void a_handover_that_nobody_takes_is_resumed(void)
{
    struct pair_bench bench;
    struct bench_load load;

    bench_init(&bench, false);
    bench.strict = true;
    bench_pair(&bench);
    load = bench_load_of(&bench.hosts[0], 0, 100);
    CU_ASSERT(bench_load_all(&bench, &load));
    proxy_hold(bench.proxy, 1);
    storage_handover(bench.hosts[0].storage);
    bench_pass(&bench, 50);
    storage_resume(bench.hosts[0].storage);
    bench_pass(&bench, 50);
    bench_stop(&bench, 2); /* what it was sent meanwhile is lost with it */
    proxy_cut(bench.proxy);
    proxy_hold(bench.proxy, 0);
    bench_start(&bench, 2);
    load = bench_load_of(&bench.hosts[0], 100, 100);
    CU_ASSERT(bench_load_all(&bench, &load));
    CU_ASSERT(bench_until_equal(&bench, 200));
    bench_done(&bench);
}

/* A slow network: what waits is bounded, and pings get through: nobody is taken for silent. */
static void a_slow_network_delays_no_ping(void)
{
    struct disk disk = *disk_host();
    struct storage_pair_status status;
    struct pair_bench bench;
    struct bench_load load;
    uint32_t count;

    disk.sync = no_sync;
    bench_init(&bench, false);
    bench.options.disk = &disk;
    bench.options.wal_size_max = 32U << 20;
    bench.no_add = true; /* what the standby is behind holds nobody up */
    bench.primary = 1;
    bench_start(&bench, 1);
    bench_seek(&bench, 1, false);
    CU_ASSERT_FATAL(bench_until_leads(&bench, 1, false));
    load = bench_load_of(&bench.hosts[0], 0, 6000);
    load.value_size = 1000;
    CU_ASSERT(bench_load_all(&bench, &load));
    proxy_limit(bench.proxy, 4096); /* 4 MB/s: more than a second for all of it */
    bench_start(&bench, 2);
    CU_ASSERT(bench_until_equal(&bench, 6000));
    count = bench.hosts[0].reports[REPLICA_REPORT_LINK];
    CU_ASSERT(count > 0);
    CU_ASSERT(!bench.hosts[0].link.silent);
    CU_ASSERT_EQUAL(proxy_count(bench.proxy), 1);
    storage_pair_status(bench.hosts[0].storage, &status);
    CU_ASSERT(status.sent_size > 6000UL * 1000UL);
    CU_ASSERT(status.turn_count > 0);
    bench_done(&bench);
}

/* The standby's log holds less than is under way: nothing more can be read of the link, and with it
 * not that what is here is committed, and may go. */
static void a_standby_with_a_small_log_goes_on(void)
{
    struct pair_bench bench;
    struct bench_load load;

    bench_init(&bench, false);
    bench.options.segment_size = 1U << 20;
    bench.options.wal_size_max = 64U << 20;
    bench.options.map_size = 1U << 30;
    bench.standby_wal_size = 4U << 20;
    bench_pair(&bench);
    load = bench_load_of(&bench.hosts[0], 0, 100);
    load.value_size = BENCH_VALUE_SIZE_MAX;
    load.window = 100;
    CU_ASSERT(bench_load_all(&bench, &load));
    CU_ASSERT(bench_until_equal(&bench, 100));
    bench_done(&bench);
}

UNIT_MAIN("link",
          {"a standby with a small log goes on", a_standby_with_a_small_log_goes_on},
          {"what is acknowledged is durable on both", acknowledged_means_on_both},
          {"a strict pair waits for the standby", a_strict_pair_waits_for_the_standby},
          {"a silent partition heals", a_silent_partition_heals},
          {"who stops is not waited for", who_stops_is_not_waited_for},
          {"a standby catches up", a_standby_catches_up},
          {"a disk that hangs makes slow, not silent", a_disk_that_hangs_makes_slow_not_silent},
          {"an empty host gets a snapshot", an_empty_host_gets_a_snapshot},
          {"a standby without room for the snapshot waits for it",
           a_standby_without_room_for_the_snapshot_waits_for_it},
          {"a snapshot that cannot be installed ends the process",
           a_snapshot_that_cannot_be_installed_ends_the_process},
          {"handover goes both ways under load", handover_goes_both_ways_under_load},
          {"a handover that nobody takes is resumed", a_handover_that_nobody_takes_is_resumed},
          {"a slow network delays no ping", a_slow_network_delays_no_ping})
