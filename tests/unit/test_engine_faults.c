/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_faults.c: proves that one of two keeps its word while the disk or the memory fails
 * under it: after any failing call it says so, and its next start finds a log that fits the
 * other's. Owns nothing but its cases. Never looks inside. */
#include "base/mem.h"
#include "storage/disk.h"
#include "tests/lib/fault.h"
#include "tests/lib/pair_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

/* This host's files, of which calls may fail. */
struct bad_disk {
    struct disk disk;
    struct fault fault;
};

static enum err_code refuse(void *arg, struct err *err)
{
    struct bad_disk *bad = arg;

    return fault_hit(&bad->fault) ? err_set(err, ERR_IO, "as asked") : ERR_OK;
}

static enum err_code
bad_open(void *arg, const char *path, enum disk_open how, int *ret_file, struct err *err)
{
    enum err_code rc = refuse(arg, err);

    return rc == ERR_OK ? disk_host()->open(NULL, path, how, ret_file, err) : rc;
}

static enum err_code
bad_write(void *arg, int file, uint64_t offset, const void *bytes, size_t size, struct err *err)
{
    enum err_code rc = refuse(arg, err);

    return rc == ERR_OK ? disk_host()->write(NULL, file, offset, bytes, size, err) : rc;
}

static enum err_code bad_sync(void *arg, int file, struct err *err)
{
    enum err_code rc = refuse(arg, err);

    return rc == ERR_OK ? disk_host()->sync(NULL, file, err) : rc;
}

static enum err_code bad_sync_dir(void *arg, const char *dir, struct err *err)
{
    enum err_code rc = refuse(arg, err);

    return rc == ERR_OK ? disk_host()->sync_dir(NULL, dir, err) : rc;
}

static enum err_code bad_rename(void *arg, const char *from, const char *to, struct err *err)
{
    enum err_code rc = refuse(arg, err);

    return rc == ERR_OK ? disk_host()->rename(NULL, from, to, err) : rc;
}

static enum err_code bad_unlink(void *arg, const char *path, struct err *err)
{
    enum err_code rc = refuse(arg, err);

    return rc == ERR_OK ? disk_host()->unlink(NULL, path, err) : rc;
}

static void bad_disk_init(struct bad_disk *bad)
{
    memset(bad, 0, sizeof *bad);
    bad->disk = *disk_host();
    bad->disk.open = bad_open;
    bad->disk.write = bad_write;
    bad->disk.sync = bad_sync;
    bad->disk.sync_dir = bad_sync_dir;
    bad->disk.rename = bad_rename;
    bad->disk.unlink = bad_unlink;
    bad->disk.arg = bad;
}

static void put_some(struct pair_kit *kit, int from, int to)
{
    for (int i = from; i < to; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "k%d", i);
        CU_ASSERT_EQUAL_FATAL(pair_put(kit, key, "v"), ERR_OK);
    }
}

/* The last record that both logs have. */
static struct record_position shared_end(struct pair_kit *kit)
{
    struct engine_news news;
    struct replica_found ours;
    struct replica_found theirs = {.readable = false};
    uint64_t lsn;

    engine_news(pair_standby(kit), &news);
    for (lsn = news.local.last.lsn; lsn > news.local.applied.lsn; lsn--) {
        CU_ASSERT_EQUAL_FATAL(engine_find(pair_standby(kit), lsn, &ours, NULL), ERR_OK);
        CU_ASSERT_EQUAL_FATAL(engine_find(pair_primary(kit), lsn, &theirs, NULL), ERR_OK);
        if (theirs.readable &&
            memcmp(ours.position.hash, theirs.position.hash, STORAGE_HASH_SIZE) == 0) {
            return ours.position;
        }
    }
    return news.local.applied;
}

/* What a standby does at the start of a session, on a disk of which calls fail; it ends where the
 * first one does. */
static void follow(struct pair_kit *kit, struct bad_disk *bad, uint64_t lsn_cut)
{
    struct storage *standby = pair_standby(kit);
    struct replica_found found = {.readable = false};
    struct err err = ERR_INIT;
    enum err_code rc = engine_promise(standby, 2, 9, &err);

    if (rc == ERR_OK) {
        rc = engine_find(standby, lsn_cut, &found, &err);
    }
    if (rc == ERR_OK) {
        CU_ASSERT(found.readable);
        rc = engine_cut(standby, &found.position, &err);
    }
    CU_ASSERT(rc == ERR_OK || (rc == ERR_UNAVAILABLE && fault_happened(&bad->fault)));
    if (rc == ERR_OK) {
        kit->lsn_next = lsn_cut + 1;
        pair_pass(kit, 5);
    }
}

static bool try_failing(uint64_t nth, uint64_t times)
{
    struct pair_kit kit;
    struct bad_disk bad;
    struct engine_news news;
    struct replica_options options = {.lineage = 0};
    struct record_position end;
    bool happened;

    bad_disk_init(&bad);
    pair_kit_init(&kit);
    kit.hosts[1].disk = &bad.disk;
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 1), ERR_OK);
    pair_lead(&kit, 0, 1, true);
    CU_ASSERT_FATAL(pair_serves(&kit, 0));
    put_some(&kit, 0, 5);
    CU_ASSERT(pair_equal(&kit));
    kit.hold_commits = true;
    put_some(&kit, 5, 10);
    engine_news(pair_standby(&kit), &news);
    engine_unrequire(pair_primary(&kit));
    fault_set(&bad.fault, nth, times);
    follow(&kit, &bad, news.local.applied.lsn + 2);
    happened = fault_happened(&bad.fault);
    storage_close(kit.hosts[1].storage);
    kit.hosts[1].storage = NULL;
    fault_set(&bad.fault, 0, 0);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 1), ERR_OK);
    engine_recovered(kit.hosts[1].storage, &options);
    CU_ASSERT(options.promised == 2 || (happened && options.promised == 0));
    end = shared_end(&kit);
    CU_ASSERT(end.lsn >= news.local.applied.lsn + 2);
    CU_ASSERT_EQUAL(engine_cut(kit.hosts[1].storage, &end, NULL), ERR_OK);
    kit.lsn_next = end.lsn + 1;
    kit.hold_commits = false;
    put_some(&kit, 10, 12);
    CU_ASSERT(pair_equal(&kit));
    pair_kit_done(&kit);
    return happened;
}

static void a_failing_call_ends_the_process_and_the_next_one_follows(void)
{
    const uint64_t times[] = {1, FAULT_FOREVER};

    for (size_t i = 0; i < 2; i++) {
        uint64_t nth = 0;

        while (nth < 200 && try_failing(nth, times[i])) {
            nth++;
        }
        CU_ASSERT(nth > 20 && nth < 200);
    }
}

static const uint8_t cluster_id[STORAGE_ID_SIZE] = "a cluster's id.";

static int refuse_memory(void *arg)
{
    return fault_hit(arg);
}

static enum err_code open_once(const struct scratch *scratch)
{
    struct storage_options options = kit_options(scratch->path);
    struct storage *storage = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = engine_open_pair(&options, cluster_id, &storage, &err);

    if (rc == ERR_OK) {
        storage_close(storage);
    }
    return rc;
}

static void too_little_memory_is_an_answer(void)
{
    struct scratch scratch;

    uint32_t refused_count = 0;
    bool happened = true;

    scratch_init(&scratch);
    for (uint64_t nth = 0; happened && nth < 200; nth++) {
        struct fault fault = {.after = 0};
        enum err_code rc;

        fault_set(&fault, nth, 1);
        mem_set_refuse(refuse_memory, &fault);
        rc = open_once(&scratch);
        mem_set_refuse(NULL, NULL);
        happened = fault_happened(&fault);
        /* After the opening it is a thread that meets it, and the storage ends. */
        CU_ASSERT(rc == ERR_OK || (happened && rc == ERR_NOMEM));
        refused_count += rc == ERR_NOMEM ? 1 : 0;
        CU_ASSERT_EQUAL(open_once(&scratch), ERR_OK);
    }
    CU_ASSERT_FALSE(happened);
    CU_ASSERT(refused_count > 15);
    scratch_done(&scratch);
}

UNIT_MAIN("engine_faults",
          {"a failing call ends the process, and the next one follows",
           a_failing_call_ends_the_process_and_the_next_one_follows},
          {"too little memory is an answer", too_little_memory_is_an_answer})
