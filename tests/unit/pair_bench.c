/* SPDX-License-Identifier: Apache-2.0 */
/* pair_bench.c: two storages, their network and stand-ins for their supervisors.
 * Owns the register of the test: a compare-and-swap is an assignment here. Never decides more than
 * a supervisor would: proposals are carried out when they are made under the register's epoch. */
#include "tests/unit/pair_bench.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/sockets.h"
#include "tests/lib/store_kit.h"
#include "tests/unit/cert.h"

#include <CUnit/CUnit.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TABLE      1
#define TIMEOUT_MS 60000 /* for what takes some ms: the machine may be busy, or sanitized */

static struct bench_host *host_of(struct pair_bench *bench, uint8_t host)
{
    return &bench->hosts[host - 1];
}

void bench_certificates(struct pair_bench *bench, const char *not_after)
{
    static const char *const names[] = {"one.pair", "two.pair"};
    struct cert_ca *ca;

    scratch_file(&bench->certificates, "ca.pem", bench->ca);
    ca = cert_ca_new("pair", bench->ca);
    for (int i = 0; i < 2; i++) {
        const struct cert_leaf leaf = {.dns_name = names[i], .not_after = not_after};

        scratch_file(&bench->certificates, i == 0 ? "cert1.pem" : "cert2.pem", bench->cert[i]);
        scratch_file(&bench->certificates, i == 0 ? "key1.pem" : "key2.pem", bench->key[i]);
        cert_leaf_write(ca, &leaf, bench->cert[i], bench->key[i]);
    }
    cert_ca_free(ca);
}

void bench_init(struct pair_bench *bench, bool disk)
{
    struct sockaddr_in address = {0};
    socklen_t size = sizeof address;
    struct err err = ERR_INIT;

    memset(bench, 0, sizeof *bench);
    scratch_init(&bench->certificates);
    bench_certificates(bench, NULL);
    CU_ASSERT_EQUAL_FATAL(sockets_bind("127.0.0.1:0", &bench->listener, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(getsockname(bench->listener, (struct sockaddr *)&address, &size), 0);
    bench->port = ntohs(address.sin_port);
    bench->proxy = proxy_new(bench->port);
    bench->options = kit_options("");
    bench->epoch = 1;
    for (uint8_t i = 0; i < 2; i++) {
        bench->hosts[i].bench = bench;
        bench->hosts[i].host = (uint8_t)(i + 1);
        if (disk) {
            scratch_init_disk(&bench->hosts[i].scratch);
        } else {
            scratch_init(&bench->hosts[i].scratch);
        }
    }
}

void bench_done(struct pair_bench *bench)
{
    for (uint8_t host = 1; host <= 2; host++) {
        bench_stop(bench, host);
        scratch_done(&host_of(bench, host)->scratch);
    }
    proxy_free(bench->proxy);
    (void)close(bench->listener);
    scratch_done(&bench->certificates);
}

/* A compare-and-swap that succeeds, then the seal; the grant follows the report. */
static void change(struct bench_host *host, bool both, const uint8_t id[STORAGE_ID_SIZE])
{
    struct pair_bench *bench = host->bench;

    bench->epoch++;
    bench->primary = host->host;
    bench->both = both;
    host->sealing = bench->epoch;
    host->sealing_both = both;
    memcpy(host->sealing_id, id, STORAGE_ID_SIZE);
    storage_seal(host->storage, bench->epoch);
}

void bench_seek(struct pair_bench *bench, uint8_t host, bool both)
{
    struct bench_host *other = host_of(bench, (uint8_t)(3 - host));
    struct message_state state = {0};

    if (both) {
        storage_pair_state(other->storage, &state);
    }
    change(host_of(bench, host), both, state.store_id);
}

static void on_sealed(struct bench_host *host, uint64_t epoch)
{
    struct replica_grant grant = {
        .epoch = epoch, .lineage = BENCH_LINEAGE, .peer_in_isr = host->sealing_both};

    if (epoch == host->sealing && epoch == host->bench->epoch) {
        host->sealing = 0;
        memcpy(grant.peer_store_id, host->sealing_id, STORAGE_ID_SIZE);
        storage_grant(host->storage, &grant);
    }
}

static void on_proposal(struct bench_host *host, const struct replica_proposal *proposal, bool add)
{
    struct pair_bench *bench = host->bench;

    if (add && bench->no_add) {
        return;
    }
    if (proposal->epoch != bench->epoch || bench->primary != host->host) {
        storage_refused(host->storage, proposal->epoch);
        return;
    }
    change(host, add, proposal->peer_store_id);
}

static void on_report(void *arg, const struct replica_report *report)
{
    struct bench_host *host = arg;

    host->reports[report->type]++;
    switch (report->type) {
    case REPLICA_REPORT_LINK:
        host->link = report->u.link;
        break;
    case REPLICA_REPORT_SEALED:
        on_sealed(host, report->u.epoch);
        break;
    case REPLICA_REPORT_LEADING:
        host->leading = report->u.epoch;
        break;
    case REPLICA_REPORT_ADD:
        on_proposal(host, &report->u.proposal, true);
        break;
    case REPLICA_REPORT_REMOVE:
        on_proposal(host, &report->u.proposal, false);
        break;
    case REPLICA_REPORT_TAKE_OVER:
        if (report->u.epoch == host->bench->epoch) {
            change(host, true, host->link.peer.store_id);
        }
        break;
    case REPLICA_REPORT_RESYNC:
        (void)snprintf(host->reason, sizeof host->reason, "%s", report->u.reason);
        break;
    case REPLICA_REPORT_DEPOSED:
    case REPLICA_REPORT_DRAINED:
        break;
    }
}

static void on_data(void *arg, struct span data)
{
    struct bench_host *host = arg;

    host->data_count++;
    host->data_size += data.size;
    host->data_sum = host->data_sum * 31 + (data.size > 0 ? (uint8_t)data.data[0] : 0);
}

void bench_options(struct pair_bench *bench,
                   uint8_t number,
                   struct storage_options *ret_options,
                   struct storage_pair_options *ret_pair)
{
    struct bench_host *host = host_of(bench, number);
    struct storage_pair_options pair = {.host = number,
                                        .strict = bench->strict,
                                        .listen_file = -1,
                                        .certificate = bench->cert[number - 1],
                                        .key = bench->key[number - 1],
                                        .ca = bench->ca,
                                        .peer_name = number == 1 ? "two.pair" : "one.pair",
                                        .ping_ms = 20,
                                        .silence_ms = 600,
                                        .evict_ms = 2000,
                                        .hold_down_ms = 50};

    memset(pair.cluster_id, 7, STORAGE_ID_SIZE);
    pair.incarnation = (uint64_t)number * 1000 + ++host->incarnation;
    if (number == 1) {
        pair.listen_file = fcntl(bench->listener, F_DUPFD_CLOEXEC, 0);
        CU_ASSERT_FATAL(pair.listen_file >= 0);
    } else {
        (void)snprintf(bench->peer, sizeof bench->peer, "127.0.0.1:%u",
                       bench->direct ? bench->port : proxy_port(bench->proxy));
        pair.peer = bench->peer;
    }
    *ret_options = bench->options;
    ret_options->dir = host->scratch.path;
    if (number == 2 && bench->standby_disk != NULL) {
        ret_options->disk = bench->standby_disk;
    }
    if (number == 2 && bench->standby_wal_size != 0) {
        ret_options->wal_size_max = bench->standby_wal_size;
    }
    *ret_pair = pair;
}

static struct storage *open_host(const struct storage_options *options,
                                 const struct storage_pair_options *pair)
{
    struct storage *storage = NULL;
    struct err err = ERR_INIT;

    if (storage_open_pair(options, pair, &storage, &err) != ERR_OK) {
        (void)fprintf(stderr, "host %u: %s\n", pair->host, err.message);
        CU_FAIL_FATAL("storage_open_pair");
    }
    return storage;
}

struct storage *bench_stranger(struct pair_bench *bench, const char *dir)
{
    struct storage_pair_options pair;
    struct storage_options options;
    char peer[64];

    bench_options(bench, 2, &options, &pair);
    (void)snprintf(peer, sizeof peer, "127.0.0.1:%u", bench->port);
    pair.peer = peer;
    memset(pair.cluster_id, 8, STORAGE_ID_SIZE);
    options.dir = dir;
    return open_host(&options, &pair);
}

void bench_start(struct pair_bench *bench, uint8_t number)
{
    struct bench_host *host = host_of(bench, number);
    struct replica_register reg = {
        .epoch = bench->epoch, .lineage = BENCH_LINEAGE, .primary = bench->primary};
    struct storage_pair_options pair;
    struct storage_options options;

    bench_options(bench, number, &options, &pair);
    host->leading = 0;
    memset(&host->link, 0, sizeof host->link);
    host->storage = open_host(&options, &pair);
    storage_pair_listen(host->storage, on_report, on_data, host);
    storage_register(host->storage, &reg);
}

void bench_stop(struct pair_bench *bench, uint8_t host)
{
    storage_close(host_of(bench, host)->storage);
    host_of(bench, host)->storage = NULL;
}

bool bench_until(struct pair_bench *bench, bench_condition_fn *holds, void *arg, int timeout_ms)
{
    uint64_t end_us = clock_precise_us() + (uint64_t)timeout_ms * 1000;

    while (!holds(arg)) {
        struct pollfd files[2] = {{.fd = -1}, {.fd = -1}};

        if (clock_precise_us() >= end_us) {
            return false;
        }
        for (int i = 0; i < 2; i++) {
            if (bench->hosts[i].storage != NULL) {
                files[i].fd = storage_fd(bench->hosts[i].storage);
                files[i].events = POLLIN;
            }
        }
        CU_ASSERT_FATAL(poll(files, 2, 5) >= 0);
        for (int i = 0; i < 2; i++) {
            if (bench->hosts[i].storage != NULL) {
                storage_dispatch(bench->hosts[i].storage);
            }
        }
    }
    return true;
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

void bench_pass(struct pair_bench *bench, int time_ms)
{
    CU_ASSERT(!bench_until(bench, never, NULL, time_ms));
}

struct lead {
    struct bench_host *host;
    bool required;
};

static bool leads(void *arg)
{
    const struct lead *lead = arg;
    struct storage_pair_status status;

    if (lead->host->leading != lead->host->bench->epoch || !storage_serves(lead->host->storage)) {
        return false;
    }
    storage_pair_status(lead->host->storage, &status);
    return status.role == REPLICA_PRIMARY && status.epoch == lead->host->bench->epoch &&
           status.peer_required == lead->required && lead->host->bench->both == lead->required;
}

bool bench_until_leads(struct pair_bench *bench, uint8_t host, bool required)
{
    struct lead lead = {.host = host_of(bench, host), .required = required};

    return bench_until(bench, leads, &lead, TIMEOUT_MS);
}

void bench_pair(struct pair_bench *bench)
{
    bench->primary = 1;
    bench_start(bench, 1);
    bench_seek(bench, 1, false);
    CU_ASSERT_FATAL(bench_until_leads(bench, 1, false));
    bench_start(bench, 2);
    CU_ASSERT_FATAL(bench_until_leads(bench, 1, true));
}

struct bench_job {
    struct bench_load *load;
    uint64_t number;
};

static enum err_code run_job(struct storage_txn *txn, void *arg, struct err *err)
{
    const struct bench_job *job = arg;
    char value[BENCH_VALUE_SIZE_MAX];
    char key[32];
    int size = snprintf(key, sizeof key, "key-%012llu", (unsigned long long)job->number);

    memset(value, 'a' + (int)(job->number % 26), sizeof value);
    return storage_put(txn, TABLE, span_of(key, (size_t)size),
                       span_of(value, job->load->value_size), err);
}

static void on_job_done(void *arg, enum err_code rc, const struct err *err)
{
    struct bench_job *job = arg;
    struct bench_load *load = job->load;

    (void)err;
    load->done++;
    load->unknown += rc == ERR_UNKNOWN_FATE ? 1 : 0;
    load->failed += rc != ERR_OK && rc != ERR_UNKNOWN_FATE ? 1 : 0;
    mem_free(job);
}

bool bench_load_step(struct bench_load *load)
{
    while (!load->paused && load->sent < load->count && load->sent - load->done < load->window) {
        struct bench_job *job = mem_new(1, sizeof *job);
        struct err err = ERR_INIT;

        CU_ASSERT_FATAL(job != NULL && load->value_size <= BENCH_VALUE_SIZE_MAX);
        job->load = load;
        job->number = load->first + load->sent;
        if (storage_write(load->host->storage, run_job, on_job_done, job, &err) != ERR_OK) {
            mem_free(job);
            load->refused++;
            break;
        }
        load->sent++;
    }
    return load->done == load->count;
}

bool bench_load_done(void *load)
{
    return bench_load_step(load);
}

struct bench_load bench_load_of(struct bench_host *host, uint64_t first, uint64_t count)
{
    return (struct bench_load){
        .host = host, .first = first, .count = count, .window = 64, .value_size = 100};
}

bool bench_load_all(struct pair_bench *bench, struct bench_load *load)
{
    bool done = bench_until(bench, bench_load_done, load, TIMEOUT_MS);

    CU_ASSERT_EQUAL(load->failed, 0);
    CU_ASSERT_EQUAL(load->unknown, 0);
    return done;
}

static bool digest_pair(void *arg, struct span key, struct span value)
{
    struct bench_digest *digest = arg;

    digest->count++;
    for (size_t i = 0; i < key.size; i++) {
        digest->sum = digest->sum * 1099511628211ULL + (uint8_t)key.data[i];
    }
    for (size_t i = 0; i < value.size; i++) {
        digest->sum = digest->sum * 1099511628211ULL + (uint8_t)value.data[i];
    }
    return true;
}

static enum err_code digest_job(struct storage_txn *txn, void *arg, struct err *err)
{
    return storage_scan(txn, TABLE, SPAN_NONE, false, digest_pair, arg, err);
}

struct bench_digest bench_digest(struct bench_host *host)
{
    struct bench_digest digest = {0};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(storage_read_weak(host->storage, digest_job, &digest, &err), ERR_OK);
    return digest;
}

struct equal {
    struct pair_bench *bench;
    uint64_t count;
};

/* The same log, and the same pairs folded. How far is folded may differ by records that change
 * nothing (an epoch's start). */
static bool equal(void *arg)
{
    const struct equal *want = arg;
    struct message_state state[2];
    struct bench_digest digest[2];

    for (int i = 0; i < 2; i++) {
        storage_pair_state(want->bench->hosts[i].storage, &state[i]);
        digest[i] = bench_digest(&want->bench->hosts[i]);
    }
    return state[0].last.lsn == state[1].last.lsn &&
           memcmp(state[0].last.hash, state[1].last.hash, STORAGE_HASH_SIZE) == 0 &&
           digest[0].count == want->count && digest[1].count == want->count &&
           digest[0].sum == digest[1].sum;
}

bool bench_until_equal(struct pair_bench *bench, uint64_t count)
{
    struct equal want = {.bench = bench, .count = count};

    return bench_until(bench, equal, &want, TIMEOUT_MS);
}
