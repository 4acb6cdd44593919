/* SPDX-License-Identifier: Apache-2.0 */
/* pair_kit.c: two storages and a hand between them.
 * Owns both, and what is under way. Never looks inside a storage. */
#include "tests/lib/pair_kit.h"

#include "base/assert.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BYTES_SIZE  (2U * ENGINE_SHIP_SIZE_MAX)
#define PATIENCE_MS 60000
#define TABLE       1

static const uint8_t cluster_id[STORAGE_ID_SIZE] = "the cluster's i";

static int64_t now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void pause_ms(void)
{
    struct timespec pause = {.tv_nsec = 1000000};

    (void)nanosleep(&pause, NULL);
}

static void wake(void *arg)
{
    (void)arg; /* the hand looks by itself */
}

enum err_code pair_reopen(struct pair_kit *kit, uint32_t index)
{
    struct pair_host *host = &kit->hosts[index];
    struct storage_options options = kit_options(host->scratch.path);
    struct engine_link link = {.wake = wake};
    enum err_code rc;

    storage_close(host->storage);
    host->storage = NULL;
    options.checkpoint_ms = 20;
    options.map_size = kit->map_size != 0 ? kit->map_size : options.map_size;
    options.disk = host->disk;
    rc = engine_open_pair(&options, cluster_id, &host->storage, &host->err);
    if (rc == ERR_OK) {
        engine_attach(host->storage, &link);
    }
    return rc;
}

void pair_kit_init(struct pair_kit *kit)
{
    memset(kit, 0, sizeof *kit);
    kit->bytes = malloc(BYTES_SIZE);
    ASSERT(kit->bytes != NULL);
    for (uint32_t i = 0; i < 2; i++) {
        enum err_code rc;

        scratch_init(&kit->hosts[i].scratch);
        rc = pair_reopen(kit, i);
        ASSERT(rc == ERR_OK);
    }
}

void pair_kit_done(struct pair_kit *kit)
{
    for (uint32_t i = 0; i < 2; i++) {
        storage_close(kit->hosts[i].storage);
        scratch_done(&kit->hosts[i].scratch);
    }
    free(kit->bytes);
}

struct storage *pair_primary(struct pair_kit *kit)
{
    return kit->hosts[kit->primary].storage;
}

struct storage *pair_standby(struct pair_kit *kit)
{
    return kit->hosts[1 - kit->primary].storage;
}

void pair_lead(struct pair_kit *kit, uint32_t index, uint64_t epoch, bool peer)
{
    struct pair_host *host = &kit->hosts[index];
    int64_t until = now_ms() + PATIENCE_MS;
    struct engine_news news;
    enum err_code rc = engine_promise(host->storage, epoch, 1, &host->err);

    ASSERT(rc == ERR_OK);
    kit->primary = index;
    host->epoch = epoch;
    if (peer) {
        engine_require(host->storage);
    }
    engine_begin_epoch(host->storage, epoch);
    do {
        pause_ms();
        engine_news(host->storage, &news);
    } while (news.epoch_begun < epoch && now_ms() < until);
    ASSERT(news.epoch_begun == epoch);
    if (kit->hosts[1 - index].storage != NULL) {
        engine_news(pair_standby(kit), &news);
        kit->lsn_next = news.local.last.lsn + 1;
    }
}

static void carry_records(struct pair_kit *kit)
{
    struct engine_ship ship = {.lsn = kit->lsn_next, .at = kit->bytes, .room = BYTES_SIZE};
    struct err err = ERR_INIT;
    uint64_t lsn_next = 0;
    size_t size = 0;
    size_t taken = 0;
    enum err_code rc = engine_ship(pair_primary(kit), &ship, &size, &lsn_next, &err);

    if (rc != ERR_OK || size == 0) {
        return;
    }
    engine_follow(pair_standby(kit), kit->hosts[kit->primary].epoch);
    rc = engine_append(pair_standby(kit), span_of(kit->bytes, size), &taken, &err);
    if (rc == ERR_OK || rc == ERR_FULL) {
        struct engine_news news;

        engine_news(pair_standby(kit), &news);
        kit->lsn_next = news.local.last.lsn + 1;
    }
}

static void carry_echo(struct pair_kit *kit, const struct engine_news *news)
{
    if (news->echo_wanted > kit->ping) {
        kit->ping++;
        engine_pinged(pair_primary(kit), kit->ping);
        engine_echoed(pair_primary(kit), kit->ping);
    }
}

void pair_pump(struct pair_kit *kit)
{
    struct engine_news primary;
    struct engine_news standby;
    struct err err = ERR_INIT;

    if (!kit->hold_records) {
        carry_records(kit);
    }
    engine_news(pair_primary(kit), &primary);
    engine_news(pair_standby(kit), &standby);
    if (!kit->hold_acks) {
        err_ignore(engine_acknowledge(pair_primary(kit), &standby.local.durable, &err));
    }
    if (!kit->hold_commits) {
        engine_commit(pair_standby(kit), primary.local.lsn_commit);
    }
    if (!kit->hold_echoes) {
        carry_echo(kit, &primary);
    }
}

static void turn(struct pair_kit *kit)
{
    pair_pump(kit);
    storage_dispatch(pair_primary(kit));
    pause_ms();
}

bool pair_wait(struct pair_kit *kit, const struct kit_job *job)
{
    int64_t until = now_ms() + PATIENCE_MS;

    while (!job->done && now_ms() < until) {
        turn(kit);
    }
    return job->done;
}

void pair_pass(struct pair_kit *kit, uint32_t ms)
{
    int64_t until = now_ms() + ms;

    while (now_ms() < until) {
        turn(kit);
    }
}

enum err_code pair_put(struct pair_kit *kit, const char *key, const char *value)
{
    struct kit_job job = {.keys = {key}, .values = {value}, .count = 1};
    enum err_code rc = kit_start(pair_primary(kit), &job);
    bool done;

    if (rc != ERR_OK) {
        return rc;
    }
    done = pair_wait(kit, &job);
    ASSERT(done);
    return job.rc;
}

bool pair_serves(struct pair_kit *kit, uint32_t index)
{
    int64_t until = now_ms() + PATIENCE_MS;

    while (!storage_serves(kit->hosts[index].storage) && now_ms() < until) {
        turn(kit);
    }
    return storage_serves(kit->hosts[index].storage);
}

static bool mix(void *arg, struct span key, struct span value)
{
    uint64_t *digest = arg;
    const struct span parts[] = {key, value};

    for (size_t i = 0; i < 2; i++) {
        for (size_t at = 0; at < parts[i].size; at++) {
            *digest = (*digest ^ (uint8_t)parts[i].data[at]) * 0x100000001b3ULL;
        }
        *digest = (*digest ^ 0x1ff) * 0x100000001b3ULL;
    }
    return true;
}

static enum err_code scan_all(struct storage_txn *txn, void *arg, struct err *err)
{
    return storage_scan(txn, TABLE, SPAN_NONE, false, mix, arg, err);
}

void pair_begin(struct pair_kit *kit)
{
    pair_kit_init(kit);
    pair_lead(kit, 0, 1, true);
    ASSERT(pair_serves(kit, 0));
}

void pair_put_many(struct pair_kit *kit, int from, int to)
{
    for (int i = from; i < to; i++) {
        char key[16];
        char value[32];

        (void)snprintf(key, sizeof key, "k%03d", i % 50);
        (void)snprintf(value, sizeof value, "value %d", i);
        ASSERT(pair_put(kit, key, i % 7 == 6 ? NULL : value) == ERR_OK);
    }
}

uint64_t pair_digest(struct storage *storage)
{
    uint64_t digest = 0xcbf29ce484222325ULL;
    struct err err = ERR_INIT;
    enum err_code rc = storage_read_weak(storage, scan_all, &digest, &err);

    ASSERT(rc == ERR_OK);
    return digest;
}

static bool are_equal(struct pair_kit *kit)
{
    struct storage_status a;
    struct storage_status b;

    storage_status(kit->hosts[0].storage, &a);
    storage_status(kit->hosts[1].storage, &b);
    return a.lsn_last == b.lsn_last && a.lsn_applied == b.lsn_applied &&
           memcmp(a.hash_last, b.hash_last, STORAGE_HASH_SIZE) == 0 &&
           a.lsn_applied >= a.lsn_commit &&
           pair_digest(kit->hosts[0].storage) == pair_digest(kit->hosts[1].storage);
}

bool pair_equal(struct pair_kit *kit)
{
    int64_t until = now_ms() + PATIENCE_MS;

    while (!are_equal(kit) && now_ms() < until) {
        turn(kit);
    }
    return are_equal(kit);
}
