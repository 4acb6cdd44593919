/* SPDX-License-Identifier: Apache-2.0 */
/* test_snapshot.c: proves storage/engine_snapshot and storage/install: a store goes over whole or
 * not at all.
 * Owns nothing but its cases. Never looks inside. */
#include "storage/disk.h"
#include "storage/install.h"
#include "storage/limits.h"
#include "tests/lib/pair_kit.h"
#include "tests/lib/sim_disk.h"
#include "tests/unit/unit.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Host 0 leads alone and has some state, of which the log may have lost the beginning. */
static void begin(struct pair_kit *kit, int count)
{
    pair_kit_init(kit);
    kit->hold_records = true;
    kit->hold_acks = true;
    kit->hold_commits = true;
    pair_lead(kit, 0, 4, false);
    CU_ASSERT_FATAL(pair_serves(kit, 0));
    for (int i = 0; i < count; i++) {
        char key[16];
        char value[64];

        (void)snprintf(key, sizeof key, "k%04d", i);
        (void)snprintf(value, sizeof value, "some longer value %d", i * i);
        CU_ASSERT_EQUAL_FATAL(pair_put(kit, key, value), ERR_OK);
    }
    CU_ASSERT(kit_wait_applied(kit->hosts[0].storage, 20000));
}

struct transfer {
    struct record_position position;
    uint64_t count;
    uint32_t pieces;
    enum err_code rc;
};

/* Carries a snapshot from host 0 to host 1 up to its end, not its installation. */
static struct transfer carry(struct pair_kit *kit, bool diverged)
{
    struct transfer transfer = {.rc = ERR_OK};
    struct engine_snapshot *snapshot = NULL;
    struct err err = ERR_INIT;
    size_t size = 1;

    CU_ASSERT_EQUAL_FATAL(
        engine_snapshot_open(kit->hosts[0].storage, &snapshot, &transfer.position, &err), ERR_OK);
    transfer.rc = engine_snapshot_begin(kit->hosts[1].storage, &transfer.position, diverged, &err);
    while (transfer.rc == ERR_OK && size > 0) {
        CU_ASSERT_EQUAL_FATAL(engine_snapshot_next(snapshot, kit->bytes, ENGINE_SHIP_SIZE_MAX,
                                                   &size, &transfer.count, &err),
                              ERR_OK);
        CU_ASSERT(size <= ENGINE_SHIP_SIZE_MAX);
        transfer.pieces += size > 0 ? 1 : 0;
        transfer.rc = engine_snapshot_pairs(kit->hosts[1].storage, span_of(kit->bytes, size), &err);
    }
    engine_snapshot_close(snapshot);
    return transfer;
}

static void follow(struct pair_kit *kit)
{
    struct engine_news news;

    kit->hold_records = false;
    kit->hold_acks = false;
    kit->hold_commits = false;
    engine_news(kit->hosts[1].storage, &news);
    kit->lsn_next = news.local.last.lsn + 1;
    CU_ASSERT_EQUAL(pair_put(kit, "after", "the snapshot"), ERR_OK);
    CU_ASSERT(pair_equal(kit));
}

static void an_installed_snapshot_follows_on(void)
{
    struct pair_kit kit;
    struct transfer transfer;
    struct storage_status before;
    struct storage_status after;
    struct replica_options options = {.lineage = 0};
    struct engine_news news;

    begin(&kit, 500);
    CU_ASSERT_EQUAL(engine_promise(kit.hosts[1].storage, 4, 0, NULL), ERR_OK);
    storage_status(kit.hosts[1].storage, &before);
    transfer = carry(&kit, false);
    CU_ASSERT_EQUAL(transfer.rc, ERR_OK);
    CU_ASSERT_EQUAL(transfer.count, 500);
    CU_ASSERT_EQUAL(
        engine_snapshot_install(kit.hosts[1].storage, transfer.count, 77, &kit.hosts[1].err),
        ERR_OK);
    engine_news(kit.hosts[1].storage, &news);
    CU_ASSERT(news.failed);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 1), ERR_OK);
    storage_status(kit.hosts[1].storage, &after);
    engine_recovered(kit.hosts[1].storage, &options);
    CU_ASSERT_NOT_EQUAL(memcmp(before.store_id, after.store_id, STORAGE_ID_SIZE), 0);
    CU_ASSERT_EQUAL(memcmp(before.cluster_id, after.cluster_id, STORAGE_ID_SIZE), 0);
    CU_ASSERT_EQUAL(options.promised, 4);
    CU_ASSERT_EQUAL(options.lineage, 77);
    CU_ASSERT_EQUAL(options.last.lsn, transfer.position.lsn);
    CU_ASSERT_EQUAL(memcmp(&options.applied, &transfer.position, sizeof transfer.position), 0);
    CU_ASSERT_EQUAL(pair_digest(kit.hosts[1].storage), pair_digest(kit.hosts[0].storage));
    follow(&kit);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 1), ERR_OK);
    CU_ASSERT(pair_equal(&kit));
    pair_kit_done(&kit);
}

static void a_large_snapshot_goes_in_pieces(void)
{
    static char value[200000];
    struct pair_kit kit;
    struct transfer transfer;

    memset(value, 'v', sizeof value - 1);
    begin(&kit, 10);
    for (int i = 0; i < 20; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "large%d", i);
        CU_ASSERT_EQUAL_FATAL(pair_put(&kit, key, value), ERR_OK);
    }
    CU_ASSERT(kit_wait_applied(kit.hosts[0].storage, 20000));
    transfer = carry(&kit, false);
    CU_ASSERT_EQUAL(transfer.rc, ERR_OK);
    CU_ASSERT(transfer.pieces >= 5);
    CU_ASSERT_EQUAL(
        engine_snapshot_install(kit.hosts[1].storage, transfer.count, 1, &kit.hosts[1].err),
        ERR_OK);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 1), ERR_OK);
    follow(&kit);
    pair_kit_done(&kit);
}

static void the_view_that_is_sent_does_not_change(void)
{
    struct pair_kit kit;
    struct engine_snapshot *snapshot = NULL;
    struct record_position position;
    struct err err = ERR_INIT;
    uint64_t count = 0;
    size_t size = 0;

    begin(&kit, 10);
    CU_ASSERT_EQUAL_FATAL(engine_snapshot_open(kit.hosts[0].storage, &snapshot, &position, &err),
                          ERR_OK);
    CU_ASSERT_EQUAL(pair_put(&kit, "k0003", NULL), ERR_OK);
    CU_ASSERT_EQUAL(pair_put(&kit, "new", "1"), ERR_OK);
    CU_ASSERT(kit_wait_applied(kit.hosts[0].storage, 20000));
    CU_ASSERT_EQUAL(
        engine_snapshot_next(snapshot, kit.bytes, ENGINE_SHIP_SIZE_MAX, &size, &count, &err),
        ERR_OK);
    CU_ASSERT_EQUAL(count, 10);
    engine_snapshot_close(snapshot);
    pair_kit_done(&kit);
}

/* Host 1 has a state of its own: keys that host 0 never had. */
static void give_old_state(struct pair_kit *kit)
{
    pair_lead(kit, 1, 2, false);
    CU_ASSERT_FATAL(pair_serves(kit, 1));
    CU_ASSERT_EQUAL(kit_put(kit->hosts[1].storage, "old", "1"), ERR_OK);
    CU_ASSERT(kit_wait_applied(kit->hosts[1].storage, 20000));
    CU_ASSERT_EQUAL_FATAL(pair_reopen(kit, 1), ERR_OK);
    kit->primary = 0;
}

static void an_unfinished_snapshot_leaves_the_old_store(void)
{
    struct pair_kit kit;
    struct transfer transfer;
    char path[256];

    begin(&kit, 50);
    give_old_state(&kit);
    transfer = carry(&kit, true);
    CU_ASSERT_EQUAL(transfer.rc, ERR_OK);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 1), ERR_OK);
    CU_ASSERT(kit_has_weak(kit.hosts[1].storage, "old", "1"));
    scratch_file(&kit.hosts[1].scratch, "incoming.mdb", path);
    CU_ASSERT_NOT_EQUAL(access(path, F_OK), 0);
    pair_kit_done(&kit);
}

static void another_count_or_bad_pairs_drop_the_snapshot(void)
{
    struct pair_kit kit;
    struct transfer transfer;
    struct storage *storage;
    struct err err = ERR_INIT;
    uint8_t bytes[64] = {0};
    struct change change = {.op = CHANGE_DELETE, .key = span_text("\1key")};

    begin(&kit, 50);
    give_old_state(&kit);
    storage = kit.hosts[1].storage;
    CU_ASSERT_EQUAL(engine_snapshot_pairs(storage, SPAN_NONE, &err), ERR_CONFLICT);
    CU_ASSERT_EQUAL(engine_snapshot_install(storage, 0, 1, &err), ERR_CONFLICT);
    transfer = carry(&kit, true);
    CU_ASSERT_EQUAL(engine_snapshot_install(storage, transfer.count + 1, 1, &err), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(engine_snapshot_install(storage, transfer.count, 1, &err), ERR_CONFLICT);
    change_encode(bytes, &change);
    CU_ASSERT_EQUAL(engine_snapshot_begin(storage, &transfer.position, true, &err), ERR_OK);
    CU_ASSERT_EQUAL(engine_snapshot_pairs(storage, span_of(bytes, change_size(4, 0)), &err),
                    ERR_PROTOCOL);
    CU_ASSERT_EQUAL(engine_snapshot_begin(storage, &transfer.position, true, &err), ERR_OK);
    CU_ASSERT_EQUAL(engine_snapshot_pairs(storage, span_of(bytes, 5), &err), ERR_PROTOCOL);
    change = (struct change){.op = CHANGE_PUT, .key = span_text("\1key")};
    change_encode(bytes, &change);
    CU_ASSERT_EQUAL(engine_snapshot_begin(storage, &transfer.position, true, &err), ERR_OK);
    CU_ASSERT_EQUAL(engine_snapshot_pairs(storage, span_of(bytes, change_size(4, 0)), &err),
                    ERR_OK);
    /* The same key again. */
    CU_ASSERT_EQUAL(engine_snapshot_pairs(storage, span_of(bytes, change_size(4, 0)), &err),
                    ERR_PROTOCOL);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 1), ERR_OK);
    CU_ASSERT(kit_has_weak(kit.hosts[1].storage, "old", "1"));
    pair_kit_done(&kit);
}

static atomic_ullong free_size;       /* of host 1's disk */
static atomic_ullong free_size_later; /* from the given look on */
static atomic_int look_count;

static enum err_code told_free(void *arg, const char *dir, uint64_t *ret_size, struct err *err)
{
    (void)arg;
    (void)dir;
    (void)err;
    *ret_size = atomic_fetch_sub(&look_count, 1) > 0 ? atomic_load(&free_size)
                                                     : atomic_load(&free_size_later);
    return ERR_OK;
}

/* Host 1's disk says that so much is free, and later, after so many looks, so much. */
static void set_free(uint64_t now, int looks, uint64_t later)
{
    atomic_store(&free_size, now);
    atomic_store(&free_size_later, later);
    atomic_store(&look_count, looks);
}

static bool has_incoming(const struct pair_kit *kit)
{
    char path[256];

    scratch_file(&kit->hosts[1].scratch, "incoming.mdb", path);
    return access(path, F_OK) == 0;
}

/* The log, too, needs its head-room; and the primary pays for what is sent in vain. */
static void a_snapshot_without_room_is_refused_and_leaves_nothing(void)
{
    const uint64_t some = 3 * STORAGE_MIB;
    struct disk disk = *disk_host();
    struct pair_kit kit;
    struct transfer transfer;
    struct engine_news news;

    disk.free_size = told_free;
    set_free(UINT64_MAX, 0, UINT64_MAX);
    begin(&kit, 500);
    kit.hosts[1].disk = &disk;
    give_old_state(&kit);
    set_free(0, 0, 0);
    transfer = carry(&kit, false);
    CU_ASSERT_EQUAL(transfer.rc, ERR_NOSPACE);
    CU_ASSERT_EQUAL(transfer.pieces, 0); /* before the first byte */
    CU_ASSERT_FALSE(has_incoming(&kit));
    set_free(some, 1, 0); /* it fills up meanwhile */
    transfer = carry(&kit, false);
    CU_ASSERT_EQUAL(transfer.rc, ERR_NOSPACE);
    CU_ASSERT(transfer.pieces > 0);
    CU_ASSERT_FALSE(has_incoming(&kit));
    set_free(some, 0, some); /* no more than the last time */
    transfer = carry(&kit, false);
    CU_ASSERT_EQUAL(transfer.rc, ERR_NOSPACE);
    CU_ASSERT_EQUAL(transfer.pieces, 0);
    engine_news(kit.hosts[1].storage, &news);
    CU_ASSERT_FALSE(news.failed);
    CU_ASSERT(kit_has_weak(kit.hosts[1].storage, "old", "1"));
    set_free(UINT64_MAX, 0, UINT64_MAX);
    transfer = carry(&kit, false);
    CU_ASSERT_EQUAL(transfer.rc, ERR_OK);
    CU_ASSERT_EQUAL(transfer.count, 500);
    pair_kit_done(&kit);
}

static void fill_beside_a_view(uint64_t map_size)
{
    static char value[200000];
    struct pair_kit kit;
    struct engine_snapshot *snapshot = NULL;
    struct record_position position;
    struct engine_news news;
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;

    memset(value, 'v', sizeof value - 1);
    begin(&kit, 10);
    kit.map_size = map_size;
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 0), ERR_OK);
    pair_lead(&kit, 0, 5, false);
    CU_ASSERT_FATAL(pair_serves(&kit, 0));
    CU_ASSERT_EQUAL_FATAL(engine_snapshot_open(kit.hosts[0].storage, &snapshot, &position, &err),
                          ERR_OK);
    for (int i = 0; rc == ERR_OK && i < 2000; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "over%d", i % 16);
        rc = pair_put(&kit, key, value);
    }
    CU_ASSERT_EQUAL(rc, ERR_NOSPACE);
    engine_news(kit.hosts[0].storage, &news);
    CU_ASSERT_FALSE_FATAL(news.failed);
    engine_snapshot_close(snapshot);
    rc = ERR_NOSPACE;
    for (int i = 0; rc == ERR_NOSPACE && i < 5000; i++) { /* the next look at the map */
        (void)usleep(1000);
        rc = pair_put(&kit, "over", value);
    }
    CU_ASSERT_EQUAL(rc, ERR_OK);
    pair_kit_done(&kit);
}

/* What a view pins is not free, however often it was written over since: else a checkpoint fails,
 * which is the end of the storage. What it pinned is free when it ends, in a small map as well. */
static void a_long_view_fills_the_map_and_does_not_break_it(void)
{
    fill_beside_a_view(64 * STORAGE_MIB);
    fill_beside_a_view(192 * STORAGE_MIB);
}

static void a_diverged_store_is_kept_as_evidence(void)
{
    struct pair_kit kit;
    struct transfer transfer;
    struct storage_status old;
    char name[64];
    char path[256];

    begin(&kit, 50);
    give_old_state(&kit);
    storage_status(kit.hosts[1].storage, &old);
    transfer = carry(&kit, true);
    CU_ASSERT_EQUAL(
        engine_snapshot_install(kit.hosts[1].storage, transfer.count, 1, &kit.hosts[1].err),
        ERR_OK);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 1), ERR_OK);
    CU_ASSERT(kit_has_weak(kit.hosts[1].storage, "old", NULL));
    (void)snprintf(name, sizeof name, "diverged-%ju.mdb", (uintmax_t)old.lsn_applied);
    scratch_file(&kit.hosts[1].scratch, name, path);
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    follow(&kit);
    pair_kit_done(&kit);
}

static const uint8_t new_id[STORAGE_ID_SIZE] = "the new store's";

/* A directory with an old store, its log, a received store and, when marked, the decision. */
static void fill(struct sim_disk *sim, bool marked)
{
    struct install install = {
        .promise = {.epoch = 9, .lineage = 3}, .lsn_old = 55, .diverged = true};
    struct err err = ERR_INIT;

    memcpy(install.store_id, new_id, sizeof new_id);
    sim_disk_init(sim);
    (void)sim_disk_make(sim, "state.mdb", 10);
    (void)sim_disk_make(sim, "state.mdb-lock", 1);
    (void)sim_disk_make(sim, "incoming.mdb", 20);
    (void)sim_disk_make(sim, "incoming.mdb-lock", 1);
    (void)sim_disk_make(sim, "wal-0000000000000007.seg", 5);
    (void)sim_disk_make(sim, "wal-0000000000000008.seg", 5);
    (void)sim_disk_make(sim, "wal-next.tmp", 5);
    (void)sim_disk_make(sim, "wal-cut", 5);
    (void)sim_disk_make(sim, "promise-0", PROMISE_FILE_SIZE);
    (void)sim_disk_make(sim, "diverged-3.mdb", 3);
    (void)sim_disk_make(sim, "diverged-3-0000000000000002.seg", 3);
    (void)sim_disk_make(sim, "diverged-55-0000000000000006.seg", 3);
    (void)sim_disk_make(sim, "lock", 0);
    if (marked) {
        CU_ASSERT_EQUAL_FATAL(install_mark(&sim->disk, "data", &install, &err), ERR_OK);
    }
}

static bool has(struct sim_disk *sim, const char *name)
{
    return sim_disk_file(sim, name) != NULL;
}

/* The old log goes with the old store, and nothing of an earlier divergence is left. */
static void check_kept_log(struct sim_disk *sim)
{
    CU_ASSERT_FATAL(has(sim, "diverged-55-0000000000000007.seg"));
    CU_ASSERT_FATAL(has(sim, "diverged-55-0000000000000008.seg"));
    CU_ASSERT_EQUAL(sim_disk_file(sim, "diverged-55-0000000000000007.seg")->size, 5);
    CU_ASSERT_FALSE(has(sim, "diverged-3.mdb"));
    CU_ASSERT_FALSE(has(sim, "diverged-3-0000000000000002.seg"));
    CU_ASSERT_FALSE(has(sim, "diverged-55-0000000000000006.seg"));
}

static void check_installed(struct sim_disk *sim)
{
    struct promise *promise = NULL;
    struct promise_value value = {.epoch = 0};
    struct err err = ERR_INIT;

    CU_ASSERT_FATAL(has(sim, "state.mdb"));
    CU_ASSERT_EQUAL(sim_disk_file(sim, "state.mdb")->size, 20);
    CU_ASSERT_FATAL(has(sim, "diverged-55.mdb"));
    CU_ASSERT_EQUAL(sim_disk_file(sim, "diverged-55.mdb")->size, 10);
    check_kept_log(sim);
    CU_ASSERT_FALSE(has(sim, "incoming.mdb"));
    CU_ASSERT_FALSE(has(sim, "incoming.mdb-lock"));
    CU_ASSERT_FALSE(has(sim, "state.mdb-lock"));
    CU_ASSERT_FALSE(has(sim, "wal-0000000000000007.seg"));
    CU_ASSERT_FALSE(has(sim, "wal-0000000000000008.seg"));
    CU_ASSERT_FALSE(has(sim, "wal-next.tmp"));
    CU_ASSERT_FALSE(has(sim, "wal-cut"));
    CU_ASSERT_FALSE(has(sim, INSTALL_MARKER_FILE));
    CU_ASSERT(has(sim, "lock"));
    CU_ASSERT_EQUAL_FATAL(promise_open(&sim->disk, "data", new_id, &promise, &err), ERR_OK);
    promise_get(promise, &value);
    CU_ASSERT_EQUAL(value.epoch, 9);
    CU_ASSERT_EQUAL(value.lineage, 3);
    promise_close(promise);
}

static void an_installation_is_finished_whatever_fails_meanwhile(void)
{
    const uint64_t times[] = {1, FAULT_FOREVER};

    for (size_t i = 0; i < 2; i++) {
        bool failed = true;

        for (uint64_t nth = 0; failed; nth++) {
            struct sim_disk sim;
            struct err err = ERR_INIT;
            enum err_code rc;

            fill(&sim, true);
            fault_set(&sim.fault, nth, times[i]);
            rc = install_finish(&sim.disk, "data", &err);
            failed = fault_happened(&sim.fault);
            CU_ASSERT_EQUAL(rc, failed ? ERR_IO : ERR_OK);
            CU_ASSERT(!failed || has(&sim, INSTALL_MARKER_FILE) || has(&sim, "state.mdb"));
            fault_set(&sim.fault, 0, 0);
            CU_ASSERT_EQUAL(install_finish(&sim.disk, "data", &err), ERR_OK);
            check_installed(&sim);
            sim_disk_done(&sim);
        }
    }
}

static void without_a_marker_the_received_store_is_dropped(void)
{
    struct sim_disk sim;
    struct err err = ERR_INIT;

    fill(&sim, false);
    CU_ASSERT_EQUAL(install_finish(&sim.disk, "data", &err), ERR_OK);
    CU_ASSERT_FALSE(has(&sim, "incoming.mdb"));
    CU_ASSERT(has(&sim, "wal-0000000000000007.seg"));
    CU_ASSERT_EQUAL(sim_disk_file(&sim, "state.mdb")->size, 10);
    CU_ASSERT(has(&sim, "diverged-3.mdb"));
    sim_disk_done(&sim);
}

static void a_damaged_marker_is_refused(void)
{
    struct sim_disk sim;
    struct err err = ERR_INIT;

    fill(&sim, true);
    sim_disk_file(&sim, INSTALL_MARKER_FILE)->bytes[40] ^= 1;
    CU_ASSERT_EQUAL(install_finish(&sim.disk, "data", &err), ERR_CORRUPT);
    CU_ASSERT(has(&sim, "wal-0000000000000007.seg"));
    CU_ASSERT(strstr(err.message, INSTALL_MARKER_FILE) != NULL);
    sim_disk_done(&sim);
}

UNIT_MAIN("snapshot",
          {"an installed snapshot follows on", an_installed_snapshot_follows_on},
          {"a large snapshot goes in pieces", a_large_snapshot_goes_in_pieces},
          {"the view that is sent does not change", the_view_that_is_sent_does_not_change},
          {"an unfinished snapshot leaves the old store",
           an_unfinished_snapshot_leaves_the_old_store},
          {"another count or bad pairs drop the snapshot",
           another_count_or_bad_pairs_drop_the_snapshot},
          {"a snapshot without room is refused and leaves nothing",
           a_snapshot_without_room_is_refused_and_leaves_nothing},
          {"a long view fills the map and does not break it",
           a_long_view_fills_the_map_and_does_not_break_it},
          {"a diverged store is kept as evidence", a_diverged_store_is_kept_as_evidence},
          {"an installation is finished whatever fails meanwhile",
           an_installation_is_finished_whatever_fails_meanwhile},
          {"without a marker the received store is dropped",
           without_a_marker_the_received_store_is_dropped},
          {"a damaged marker is refused", a_damaged_marker_is_refused})
