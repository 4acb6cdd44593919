/* SPDX-License-Identifier: Apache-2.0 */
/* pair_bench.h: two storages in one process, with real directories, threads, sockets and TLS, and a
 * small stand-in for the two supervisors and their register. One thread drives it. */
#ifndef TESTS_UNIT_PAIR_BENCH_H
#define TESTS_UNIT_PAIR_BENCH_H

#include "storage/pair.h"
#include "tests/lib/scratch.h"
#include "tests/unit/proxy.h"

#include <stdbool.h>
#include <stdint.h>

#define BENCH_REPORT_COUNT 9 /* enum replica_report_type */
#define BENCH_LINEAGE      77

struct bench_host {
    struct pair_bench *bench;
    struct scratch scratch;
    struct storage *storage; /* NULL: not running */
    uint8_t host;
    uint64_t incarnation;
    uint64_t leading;  /* the epoch of the last LEADING */
    uint64_t sealing;  /* a grant follows when this epoch is sealed; 0: none */
    bool sealing_both; /* with both in the ISR */
    uint8_t sealing_id[STORAGE_ID_SIZE];
    uint32_t reports[BENCH_REPORT_COUNT];
    struct replica_link link;         /* as last reported */
    char reason[REPLICA_REASON_SIZE]; /* of RESYNC */
    uint64_t data_count;
    uint64_t data_size;
    uint32_t data_sum; /* of the pieces' first bytes, in order */
};

struct pair_bench {
    struct scratch certificates;
    char ca[256];
    char cert[2][256];
    char key[2][256];
    char peer[64]; /* where host 2 dials */
    int listener;
    uint16_t port;
    struct proxy *proxy;
    struct bench_host hosts[2];
    struct storage_options options;  /* of both, but for the directory */
    const struct disk *standby_disk; /* host 2's, when not NULL */
    uint64_t standby_wal_size;       /* host 2's, when not 0 */
    bool strict;
    bool no_add; /* proposals to add are left unanswered */
    bool direct; /* host 2 connects without the proxy */
    /* The register. */
    uint64_t epoch;
    uint8_t primary;
    bool both;
};

/* Makes directories, certificates and the proxy; nothing runs. disk: on a real disk. */
void bench_init(struct pair_bench *bench, bool disk);
void bench_done(struct pair_bench *bench);
/* Makes the CA and both hosts' certificates, which end at the given time ("20470102030405"), in
 * the place of those before. */
void bench_certificates(struct pair_bench *bench, const char *not_after);
/* What a host is started with, in a new incarnation. A listening socket in *ret_pair is the
 * caller's. */
void bench_options(struct pair_bench *bench,
                   uint8_t number,
                   struct storage_options *ret_options,
                   struct storage_pair_options *ret_pair);
/* A host 2 of another cluster, with this pair's certificates, that dials host 1. */
struct storage *bench_stranger(struct pair_bench *bench, const char *dir);
/* Starts a host in a new incarnation, and tells it the register. */
void bench_start(struct pair_bench *bench, uint8_t number);
void bench_stop(struct pair_bench *bench, uint8_t host);
/* The host's supervisor takes authority: epoch + 1, sealed, granted. */
void bench_seek(struct pair_bench *bench, uint8_t host, bool both);
/* Both run, host 1 leads, host 2 is required. */
void bench_pair(struct pair_bench *bench);

/* Dispatches both until the condition holds; false after timeout_ms. */
typedef bool bench_condition_fn(void *arg);
bool bench_until(struct pair_bench *bench, bench_condition_fn *holds, void *arg, int timeout_ms);
/* Dispatches both for so long. */
void bench_pass(struct pair_bench *bench, int time_ms);
/* The host leads the register's epoch, with the peer required or not. */
bool bench_until_leads(struct pair_bench *bench, uint8_t host, bool required);

#define BENCH_VALUE_SIZE_MAX 200000U

/* Writes pairs key number first, first + 1, …, with values of value_size bytes, at most window at
 * once; answers are counted as they come. */
struct bench_load {
    struct bench_host *host;
    uint64_t first;
    uint64_t count;
    uint32_t window;
    uint32_t value_size;
    uint64_t sent; /* filled, as all that follows */
    uint64_t done;
    uint64_t unknown; /* of those: ERR_UNKNOWN_FATE */
    uint64_t failed;  /* of those: any other */
    uint64_t refused; /* not accepted: tried again */
    bool paused;
};
/* Queues what the window allows; call it in every turn. True when all are answered. */
bool bench_load_step(struct bench_load *load);
/* The same as a bench_condition_fn. */
bool bench_load_done(void *load);

/* The load of count small pairs, 64 at once. */
struct bench_load bench_load_of(struct bench_host *host, uint64_t first, uint64_t count);
/* Until all are answered, and well. */
bool bench_load_all(struct pair_bench *bench, struct bench_load *load);

struct bench_digest {
    uint64_t count;
    uint64_t sum;
};
struct bench_digest bench_digest(struct bench_host *host);
/* Both stores have folded the same count pairs. */
bool bench_until_equal(struct pair_bench *bench, uint64_t count);

#endif
