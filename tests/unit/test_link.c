/* SPDX-License-Identifier: Apache-2.0 */
/* test_link.c: proves the pair as a whole: two storages in one process, real threads, disks and
 * TLS, and a proxy between them that does what networks do.
 * Owns nothing but its cases; never leaves loopback. */
#include "base/clock.h"
#include "storage/disk.h"
#include "storage/limits.h"
#include "tests/lib/store_kit.h"
#include "tests/unit/cert.h"
#include "tests/unit/pair_bench.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS 60000

static bool load_all(struct pair_bench *bench, struct bench_load *load)
{
    bool done = bench_until(bench, bench_load_done, load, TIMEOUT_MS);

    CU_ASSERT_EQUAL(load->failed, 0);
    CU_ASSERT_EQUAL(load->unknown, 0);
    return done;
}

static struct bench_load load_of(struct bench_host *host, uint64_t first, uint64_t count)
{
    return (struct bench_load){
        .host = host, .first = first, .count = count, .window = 64, .value_size = 100};
}

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

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void acknowledged_means_on_both(void)
{
    struct pair_bench bench;
    struct bench_load load;

    bench_init(&bench, false);
    bench_pair(&bench);
    load = load_of(&bench.hosts[0], 0, 500);
    CU_ASSERT(load_all(&bench, &load));
    /* Answered one by one: each is in the standby's log by then. */
    for (uint64_t i = 0; i < 20; i++) {
        struct storage_status status;

        load = load_of(&bench.hosts[0], 500 + i, 1);
        CU_ASSERT(load_all(&bench, &load));
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
    load = load_of(&bench.hosts[0], 0, 1);
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

/* A partition without an error: both ends give the connection up, the primary goes on alone, and
 * when the network is back, so is the standby. */
static void a_silent_partition_heals(void)
{
    struct pair_bench bench;
    struct bench_load load;

    bench_init(&bench, false);
    bench_pair(&bench);
    load = load_of(&bench.hosts[0], 0, 100);
    CU_ASSERT(load_all(&bench, &load));
    proxy_hold(bench.proxy, 1);
    CU_ASSERT(bench_until_leads(&bench, 1, false));
    load = load_of(&bench.hosts[0], 100, 100);
    CU_ASSERT(load_all(&bench, &load));
    CU_ASSERT(bench.hosts[1].link.silent);
    CU_ASSERT(!bench.hosts[1].link.up);
    proxy_hold(bench.proxy, 0);
    CU_ASSERT(bench_until_leads(&bench, 1, true));
    CU_ASSERT(bench_until_equal(&bench, 200));
    bench_done(&bench);
}

static void a_cut_connection_is_made_anew(void)
{
    struct pair_bench bench;
    struct bench_load load;

    bench_init(&bench, false);
    bench_pair(&bench);
    load = load_of(&bench.hosts[0], 0, 3000);
    for (int i = 0; i < 5; i++) {
        uint64_t until = load.done + 200;

        while (load.done < until) {
            (void)bench_load_step(&load);
            (void)bench_until(&bench, never, NULL, 1);
        }
        proxy_cut(bench.proxy);
    }
    CU_ASSERT(load_all(&bench, &load));
    CU_ASSERT(bench_until_equal(&bench, 3000));
    CU_ASSERT(proxy_count(bench.proxy) >= 6);
    bench_done(&bench);
}

/* Bytes that no TLS record is made of end the connection, and nothing else. */
static void a_soiled_connection_is_made_anew(void)
{
    struct pair_bench bench;
    struct bench_load load;

    bench_init(&bench, false);
    bench_pair(&bench);
    proxy_inject(bench.proxy, "these are not the bytes of a TLS record, and many of them");
    load = load_of(&bench.hosts[0], 0, 300);
    CU_ASSERT(load_all(&bench, &load));
    CU_ASSERT(bench_until_equal(&bench, 300));
    CU_ASSERT(proxy_count(bench.proxy) >= 2);
    bench_done(&bench);
}

/* Strangers that connect to host 1 and say nothing, or nonsense, take no place from the peer. */
static void strangers_do_not_disturb(void)
{
    struct pair_bench bench;
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct bench_load load;
    int files[12];

    bench_init(&bench, false);
    bench_pair(&bench);
    address.sin_port = htons(bench.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        files[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CU_ASSERT_FATAL(files[i] >= 0);
        CU_ASSERT_EQUAL(connect(files[i], (struct sockaddr *)&address, sizeof address), 0);
        if (i % 2 == 0) {
            CU_ASSERT_EQUAL(send(files[i], "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL), 18);
        }
    }
    load = load_of(&bench.hosts[0], 0, 300);
    CU_ASSERT(load_all(&bench, &load));
    CU_ASSERT_EQUAL(proxy_count(bench.proxy), 1);
    /* Nor do they keep it out when it has to connect anew. */
    proxy_cut(bench.proxy);
    load = load_of(&bench.hosts[0], 300, 300);
    CU_ASSERT(load_all(&bench, &load));
    CU_ASSERT(bench_until_equal(&bench, 600));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        CU_ASSERT_EQUAL(close(files[i]), 0);
    }
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
    load = load_of(&bench.hosts[0], 0, 20000);
    load.window = 2;
    CU_ASSERT(load_all(&bench, &load));
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

/* The log that an empty host would need is trimmed: it gets a snapshot, ends, starts, follows. */
static void an_empty_host_gets_a_snapshot(void)
{
    struct disk disk = *disk_host();
    struct pair_bench bench;
    struct bench_load load;

    disk.sync = no_sync;
    bench_init(&bench, false);
    bench.options.disk = &disk;
    bench.primary = 1;
    bench_start(&bench, 1);
    bench_seek(&bench, 1, false);
    CU_ASSERT_FATAL(bench_until_leads(&bench, 1, false));
    load = load_of(&bench.hosts[0], 0, 12000);
    load.value_size = 1000;
    CU_ASSERT(load_all(&bench, &load));
    bench_start(&bench, 2);
    CU_ASSERT(bench_until(&bench, has_installed, &bench.hosts[1], TIMEOUT_MS));
    bench_stop(&bench, 2);
    bench_start(&bench, 2);
    CU_ASSERT(bench_until_leads(&bench, 1, true));
    load = load_of(&bench.hosts[0], 12000, 10);
    CU_ASSERT(load_all(&bench, &load));
    CU_ASSERT(bench_until_equal(&bench, 12010));
    bench_done(&bench);
}

/* Drains the load, hands over to the other host, which leads with both; returns its host. */
static struct bench_host *hand_over(struct pair_bench *bench, struct bench_load *load)
{
    struct bench_host *from = load->host;
    struct bench_host *to = from->host == 1 ? &bench->hosts[1] : &bench->hosts[0];

    load->paused = true;
    load->count = load->sent;
    CU_ASSERT(load_all(bench, load));
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
        struct bench_load load = load_of(host, first, 100000);
        uint64_t epoch = bench.epoch;

        while (load.done < 150) {
            (void)bench_load_step(&load);
            (void)bench_until(&bench, never, NULL, 1);
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
    load = load_of(&bench.hosts[0], 0, 100);
    CU_ASSERT(load_all(&bench, &load));
    proxy_hold(bench.proxy, 1);
    storage_handover(bench.hosts[0].storage);
    (void)bench_until(&bench, never, NULL, 50);
    storage_resume(bench.hosts[0].storage);
    (void)bench_until(&bench, never, NULL, 50);
    bench_stop(&bench, 2); /* what it was sent meanwhile is lost with it */
    proxy_cut(bench.proxy);
    proxy_hold(bench.proxy, 0);
    bench_start(&bench, 2);
    load = load_of(&bench.hosts[0], 100, 100);
    CU_ASSERT(load_all(&bench, &load));
    CU_ASSERT(bench_until_equal(&bench, 200));
    bench_done(&bench);
}

/* The dialler is killed and starts again: the newer connection takes the place of the older. */
static void a_restarted_standby_is_taken_back(void)
{
    struct pair_bench bench;
    struct bench_load load;

    bench_init(&bench, false);
    bench.strict = true; /* the same ISR all along: only the connection changes */
    bench_pair(&bench);
    for (int i = 0; i < 3; i++) {
        bench_stop(&bench, 2);
        bench_start(&bench, 2);
        load = load_of(&bench.hosts[0], (uint64_t)i * 100, 100);
        CU_ASSERT(load_all(&bench, &load));
    }
    CU_ASSERT(bench_until_equal(&bench, 300));
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
    load = load_of(&bench.hosts[0], 0, 6000);
    load.value_size = 1000;
    CU_ASSERT(load_all(&bench, &load));
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

static bool data_arrived(void *arg)
{
    const struct bench_host *host = arg;

    return host->data_size >= 40UL * 60000UL;
}

/* Data of the layer above arrives whole and in order, in pieces as it was sent, and the sender is
 * told when it must wait. */
static void data_goes_both_ways(void)
{
    static char piece[MESSAGE_DATA_SIZE_MAX];
    struct pair_bench bench;
    struct err err = ERR_INIT;

    bench_init(&bench, false);
    bench_pair(&bench);
    memset(piece, 'x', sizeof piece);
    for (int way = 0; way < 2; way++) {
        struct bench_host *from = &bench.hosts[way];
        struct bench_host *to = &bench.hosts[1 - way];
        uint32_t sum = 0;

        for (uint32_t i = 0; i < 40;) {
            enum err_code rc;

            piece[0] = (char)i;
            rc = storage_peer_send(from->storage, span_of(piece, 60000), &err);
            if (rc == ERR_FULL) {
                (void)bench_until(&bench, never, NULL, 1);
                continue;
            }
            CU_ASSERT_EQUAL_FATAL(rc, ERR_OK);
            sum = sum * 31 + i;
            i++;
        }
        CU_ASSERT(bench_until(&bench, data_arrived, to, TIMEOUT_MS));
        CU_ASSERT_EQUAL(to->data_count, 40);
        CU_ASSERT_EQUAL(to->data_sum, sum);
    }
    bench_done(&bench);
}

/* Nobody takes what has come: the sender hears of it, memory does not grow, records go on. */
static void data_that_nobody_takes_is_bounded(void)
{
    static char piece[MESSAGE_DATA_SIZE_MAX];
    struct pair_bench bench;
    struct bench_load load;
    struct err err = ERR_INIT;
    size_t sent = 0;

    bench_init(&bench, false);
    bench_pair(&bench);
    while (storage_peer_send(bench.hosts[0].storage, span_of(piece, sizeof piece), &err) ==
           ERR_OK) {
        sent += sizeof piece; /* no dispatch at all meanwhile */
        CU_ASSERT_FATAL(sent < 64UL << 20);
    }
    CU_ASSERT(err.code == ERR_FULL || err.code == ERR_UNAVAILABLE);
    load = load_of(&bench.hosts[0], 0, 100);
    CU_ASSERT(load_all(&bench, &load));
    bench_done(&bench);
}

struct renewal {
    struct bench_host *host;
    uint32_t connection_count;
    uint64_t not_after_s;
};

static bool is_renewed(void *arg)
{
    const struct renewal *renewal = arg;
    struct storage_pair_status status;

    storage_pair_status(renewal->host->storage, &status);
    return proxy_count(renewal->host->bench->proxy) > renewal->connection_count &&
           status.link.in_sync && status.certificate_not_after_s == renewal->not_after_s;
}

/* Each connection reads the certificates anew; files that do not load change nothing. */
static void certificates_are_renewed_by_connecting(void)
{
    struct pair_bench bench;
    struct renewal renewal;
    FILE *file;

    bench_init(&bench, false);
    bench_pair(&bench);
    renewal = (struct renewal){.host = &bench.hosts[1], .not_after_s = CERT_NOT_AFTER_S};
    renewal.connection_count = proxy_count(bench.proxy);
    file = fopen(bench.cert[1], "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs("half a certif", file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
    proxy_cut(bench.proxy);
    CU_ASSERT(bench_until(&bench, is_renewed, &renewal, TIMEOUT_MS));
    bench_certificates(&bench, "20470102030405");
    renewal.not_after_s = 2430011045;
    renewal.connection_count = proxy_count(bench.proxy);
    proxy_cut(bench.proxy);
    CU_ASSERT(bench_until(&bench, is_renewed, &renewal, TIMEOUT_MS));
    bench_done(&bench);
}

/* Another cluster's host with a certificate of this pair's CA: refused, and the link stays. */
static void a_host_of_another_cluster_is_refused(void)
{
    struct pair_bench bench;
    struct storage *stranger;
    struct storage_pair_status status;
    struct scratch scratch;
    struct bench_load load;

    bench_init(&bench, false);
    bench_pair(&bench);
    scratch_init(&scratch);
    stranger = bench_stranger(&bench, scratch.path);
    load = load_of(&bench.hosts[0], 0, 2000);
    CU_ASSERT(load_all(&bench, &load));
    storage_pair_status(stranger, &status);
    CU_ASSERT(!status.link.up);
    CU_ASSERT(status.sent_size > 0); /* it has said its HELLO */
    CU_ASSERT_EQUAL(proxy_count(bench.proxy), 1);
    storage_close(stranger);
    scratch_done(&scratch);
    bench_done(&bench);
}

static void a_start_without_certificate_says_so(void)
{
    struct pair_bench bench;
    struct storage_pair_options pair;
    struct storage_options options;
    struct storage *storage = NULL;
    struct err err = ERR_INIT;

    bench_init(&bench, false);
    bench_options(&bench, 1, &options, &pair);
    pair.ca = "/nonexistent/ca.pem";
    CU_ASSERT_EQUAL(storage_open_pair(&options, &pair, &storage, &err), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "/nonexistent/ca.pem"));
    CU_ASSERT_PTR_NULL(storage);
    bench_pair(&bench); /* nothing of it is left in the way */
    bench_done(&bench);
}

static void no_link_is_said_at_once(void)
{
    struct pair_bench bench;
    struct storage_pair_status status;
    struct err err = ERR_INIT;

    bench_init(&bench, false);
    bench.primary = 1;
    bench_start(&bench, 1);
    CU_ASSERT_EQUAL(storage_peer_send(bench.hosts[0].storage, SPAN_LITERAL("x"), &err),
                    ERR_UNAVAILABLE);
    storage_pair_status(bench.hosts[0].storage, &status);
    CU_ASSERT_EQUAL(status.role, REPLICA_IDLE);
    CU_ASSERT(status.certificate_not_after_s > 0);
    CU_ASSERT(!storage_serves(bench.hosts[0].storage));
    bench_done(&bench);
}

UNIT_MAIN("link",
          {"what is acknowledged is durable on both", acknowledged_means_on_both},
          {"a strict pair waits for the standby", a_strict_pair_waits_for_the_standby},
          {"a silent partition heals", a_silent_partition_heals},
          {"a cut connection is made anew", a_cut_connection_is_made_anew},
          {"a soiled connection is made anew", a_soiled_connection_is_made_anew},
          {"strangers do not disturb", strangers_do_not_disturb},
          {"a standby catches up", a_standby_catches_up},
          {"an empty host gets a snapshot", an_empty_host_gets_a_snapshot},
          {"handover goes both ways under load", handover_goes_both_ways_under_load},
          {"a handover that nobody takes is resumed", a_handover_that_nobody_takes_is_resumed},
          {"a restarted standby is taken back", a_restarted_standby_is_taken_back},
          {"a slow network delays no ping", a_slow_network_delays_no_ping},
          {"data goes both ways", data_goes_both_ways},
          {"data that nobody takes is bounded", data_that_nobody_takes_is_bounded},
          {"certificates are renewed by connecting", certificates_are_renewed_by_connecting},
          {"a host of another cluster is refused", a_host_of_another_cluster_is_refused},
          {"a start without certificate says so", a_start_without_certificate_says_so},
          {"no link is said at once", no_link_is_said_at_once})
