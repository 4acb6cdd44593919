/* SPDX-License-Identifier: Apache-2.0 */
/* test_link_conn.c: proves the link's connections: made anew, guarded against strangers, renewed
 * certificates; and the data that goes over them.
 * Owns nothing but its cases; never leaves loopback. */
#include "storage/limits.h"
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

static void a_cut_connection_is_made_anew(void)
{
    struct pair_bench bench;
    struct bench_load load;

    bench_init(&bench, false);
    bench_pair(&bench);
    load = bench_load_of(&bench.hosts[0], 0, 3000);
    for (int i = 0; i < 5; i++) {
        uint64_t until = load.done + 200;

        while (load.done < until) {
            (void)bench_load_step(&load);
            bench_pass(&bench, 1);
        }
        proxy_cut(bench.proxy);
    }
    CU_ASSERT(bench_load_all(&bench, &load));
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
    load = bench_load_of(&bench.hosts[0], 0, 300);
    CU_ASSERT(bench_load_all(&bench, &load));
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
    load = bench_load_of(&bench.hosts[0], 0, 300);
    CU_ASSERT(bench_load_all(&bench, &load));
    CU_ASSERT_EQUAL(proxy_count(bench.proxy), 1);
    /* Nor do they keep it out when it has to connect anew. */
    proxy_cut(bench.proxy);
    load = bench_load_of(&bench.hosts[0], 300, 300);
    CU_ASSERT(bench_load_all(&bench, &load));
    CU_ASSERT(bench_until_equal(&bench, 600));
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        CU_ASSERT_EQUAL(close(files[i]), 0);
    }
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
        load = bench_load_of(&bench.hosts[0], (uint64_t)i * 100, 100);
        CU_ASSERT(bench_load_all(&bench, &load));
    }
    CU_ASSERT(bench_until_equal(&bench, 300));
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

static bool has_sent(void *arg)
{
    struct storage_pair_status status;

    storage_pair_status(arg, &status);
    return status.sent_size > 0;
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
    load = bench_load_of(&bench.hosts[0], 0, 2000);
    CU_ASSERT(bench_load_all(&bench, &load));
    CU_ASSERT(bench_until(&bench, has_sent, stranger, TIMEOUT_MS)); /* it has said its HELLO */
    storage_pair_status(stranger, &status);
    CU_ASSERT(!status.link.up);
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
                bench_pass(&bench, 1);
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
    load = bench_load_of(&bench.hosts[0], 0, 100);
    CU_ASSERT(bench_load_all(&bench, &load));
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

UNIT_MAIN("link_conn",
          {"a cut connection is made anew", a_cut_connection_is_made_anew},
          {"a soiled connection is made anew", a_soiled_connection_is_made_anew},
          {"strangers do not disturb", strangers_do_not_disturb},
          {"a restarted standby is taken back", a_restarted_standby_is_taken_back},
          {"data goes both ways", data_goes_both_ways},
          {"data that nobody takes is bounded", data_that_nobody_takes_is_bounded},
          {"certificates are renewed by connecting", certificates_are_renewed_by_connecting},
          {"a host of another cluster is refused", a_host_of_another_cluster_is_refused},
          {"a start without certificate says so", a_start_without_certificate_says_so},
          {"no link is said at once", no_link_is_said_at_once})
