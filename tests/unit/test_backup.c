/* SPDX-License-Identifier: Apache-2.0 */
/* test_backup.c: proves storage_backup and storage_restore: the copy has all that was committed
 * when it was asked for, becomes a store that goes on behind it, and stalls nobody.
 * Owns nothing but its cases. Never looks inside a file but to damage it. */
#include "storage/limits.h"
#include "tests/lib/backup_kit.h"
#include "tests/lib/pair_kit.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bench {
    struct scratch from;
    struct scratch to;
    struct storage *storage;
    char path[256];
};

static void begin(struct bench *bench, uint64_t headroom)
{
    struct storage_options options;

    scratch_init(&bench->from);
    scratch_init(&bench->to);
    options = kit_options(bench->from.path);
    options.headroom_size = headroom;
    scratch_file(&bench->from, "copy", bench->path);
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &bench->storage, NULL), ERR_OK);
}

static void end(struct bench *bench)
{
    storage_close(bench->storage);
    scratch_done(&bench->from);
    scratch_done(&bench->to);
}

static void put_many(struct storage *storage, const char *prefix, int count)
{
    for (int i = 0; i < count; i++) {
        char key[32];
        char value[32];

        (void)snprintf(key, sizeof key, "%s%04d", prefix, i);
        (void)snprintf(value, sizeof value, "value %d", i);
        CU_ASSERT_EQUAL_FATAL(kit_put(storage, key, value), ERR_OK);
    }
}

static struct storage *open_in(const struct scratch *scratch)
{
    struct storage_options options = kit_options(scratch->path);
    struct storage *storage = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = storage_open(&options, &storage, &err);

    if (rc != ERR_OK) {
        (void)fprintf(stderr, "open: %s\n", err.message);
    }
    CU_ASSERT_EQUAL_FATAL(rc, ERR_OK);
    return storage;
}

static void a_restored_store_has_all_and_goes_on(void)
{
    struct bench bench;
    struct backup_answer answer = {.done = false};
    struct restore_result result;
    struct storage_status before;
    struct storage_status after;
    struct storage *storage;
    struct stat info;

    begin(&bench, 1);
    put_many(bench.storage, "k", 300);
    storage_status(bench.storage, &before);
    CU_ASSERT_EQUAL_FATAL(backup_kit_take(bench.storage, bench.path, &answer), ERR_OK);
    CU_ASSERT_EQUAL(answer.result.lsn, before.lsn_commit);
    CU_ASSERT_EQUAL(answer.result.pair_count, 300);
    CU_ASSERT_EQUAL_FATAL(stat(bench.path, &info), 0);
    CU_ASSERT_EQUAL((uint64_t)info.st_size, answer.result.size);
    CU_ASSERT_EQUAL(info.st_mode & 0777, 0600);
    put_many(bench.storage, "later", 3);
    CU_ASSERT_EQUAL_FATAL(backup_kit_restore(bench.path, bench.to.path, &result, NULL), ERR_OK);
    CU_ASSERT_EQUAL(result.size, answer.result.size);
    storage = open_in(&bench.to);
    storage_status(storage, &after);
    CU_ASSERT_EQUAL(memcmp(after.cluster_id, before.cluster_id, STORAGE_ID_SIZE), 0);
    CU_ASSERT_NOT_EQUAL(memcmp(after.store_id, before.store_id, STORAGE_ID_SIZE), 0);
    CU_ASSERT_EQUAL(memcmp(after.store_id, result.store_id, STORAGE_ID_SIZE), 0);
    CU_ASSERT(after.epoch > before.epoch);
    CU_ASSERT(after.lsn_last > answer.result.lsn);
    CU_ASSERT(kit_has(storage, "k0000", "value 0"));
    CU_ASSERT(kit_has(storage, "k0299", "value 299"));
    CU_ASSERT(kit_has(storage, "later0000", NULL));
    put_many(storage, "new", 20);
    storage_close(storage);
    storage = open_in(&bench.to);
    CU_ASSERT(kit_has(storage, "new0019", "value 19"));
    CU_ASSERT(kit_has(storage, "k0150", "value 150"));
    storage_close(storage);
    end(&bench);
}

static void an_empty_store_is_copied_too(void)
{
    struct bench bench;
    struct backup_answer answer = {.done = false};
    struct restore_result result;
    struct storage *storage;

    begin(&bench, 1);
    CU_ASSERT_EQUAL_FATAL(backup_kit_take(bench.storage, bench.path, &answer), ERR_OK);
    CU_ASSERT_EQUAL(answer.result.pair_count, 0);
    CU_ASSERT_EQUAL_FATAL(backup_kit_restore(bench.path, bench.to.path, &result, NULL), ERR_OK);
    storage = open_in(&bench.to);
    CU_ASSERT_EQUAL(kit_put(storage, "a", "b"), ERR_OK);
    storage_close(storage);
    end(&bench);
}

/* Each write is answered while the copy is made; what was answered before is in it. */
static void writes_go_on_meanwhile(void)
{
    static char value[100000];
    struct bench bench;
    struct backup_answer answer = {.done = false};
    struct restore_result result;
    struct storage *storage;
    int meanwhile = 0;

    begin(&bench, 1);
    memset(value, 'v', sizeof value - 1);
    for (int i = 0; i < 60; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "big%02d", i);
        CU_ASSERT_EQUAL_FATAL(kit_put(bench.storage, key, value), ERR_OK);
    }
    CU_ASSERT_EQUAL_FATAL(
        storage_backup(bench.storage, bench.path, backup_kit_done, &answer, &answer.err), ERR_OK);
    while (!answer.done && meanwhile < 100000) {
        char key[16];

        (void)snprintf(key, sizeof key, "m%06d", meanwhile++ % 50);
        CU_ASSERT_EQUAL_FATAL(kit_put(bench.storage, key, "x"), ERR_OK);
    }
    CU_ASSERT_FATAL(answer.done);
    CU_ASSERT(meanwhile > 0);
    CU_ASSERT_EQUAL_FATAL(answer.rc, ERR_OK);
    CU_ASSERT(answer.result.size > 60UL * 100000UL);
    CU_ASSERT_EQUAL_FATAL(backup_kit_restore(bench.path, bench.to.path, &result, NULL), ERR_OK);
    storage = open_in(&bench.to);
    CU_ASSERT(kit_has(storage, "big00", value));
    CU_ASSERT(kit_has(storage, "big59", value));
    storage_close(storage);
    end(&bench);
}

static void one_at_a_time_and_closing_answers(void)
{
    struct bench bench;
    struct backup_answer first = {.done = false};
    struct backup_answer second = {.done = false};

    begin(&bench, 1);
    CU_ASSERT_EQUAL_FATAL(
        storage_backup(bench.storage, bench.path, backup_kit_done, &first, &first.err), ERR_OK);
    CU_ASSERT_EQUAL(
        storage_backup(bench.storage, bench.path, backup_kit_done, &second, &second.err), ERR_BUSY);
    CU_ASSERT(!second.done);
    storage_close(bench.storage);
    bench.storage = NULL;
    CU_ASSERT(first.done);
    CU_ASSERT(first.rc == ERR_OK || first.rc == ERR_UNAVAILABLE);
    end(&bench);
}

static void without_room_it_is_refused_and_leaves_nothing(void)
{
    struct bench bench;
    struct backup_answer answer = {.done = false};
    char part[300];

    begin(&bench, UINT64_MAX / 4);
    CU_ASSERT_EQUAL(backup_kit_take(bench.storage, bench.path, &answer), ERR_NOSPACE);
    CU_ASSERT(strstr(answer.err.message, "MiB free") != NULL);
    (void)snprintf(part, sizeof part, "%s.part", bench.path);
    CU_ASSERT_NOT_EQUAL(access(bench.path, F_OK), 0);
    CU_ASSERT_NOT_EQUAL(access(part, F_OK), 0);
    end(&bench);
}

static void a_store_is_never_overwritten(void)
{
    struct bench bench;
    struct backup_answer answer = {.done = false};
    struct restore_result result;
    struct err err = ERR_INIT;

    begin(&bench, 1);
    CU_ASSERT_EQUAL_FATAL(backup_kit_take(bench.storage, bench.path, &answer), ERR_OK);
    CU_ASSERT_EQUAL(backup_kit_restore(bench.path, bench.from.path, &result, &err), ERR_BUSY);
    CU_ASSERT(strstr(err.message, "stop approvald") != NULL);
    CU_ASSERT_EQUAL_FATAL(kit_put(bench.storage, "a", "b"), ERR_OK);
    storage_close(bench.storage);
    bench.storage = NULL;
    CU_ASSERT_EQUAL(backup_kit_restore(bench.path, bench.from.path, &result, &err), ERR_EXISTS);
    bench.storage = open_in(&bench.from);
    CU_ASSERT(kit_has(bench.storage, "a", "b"));
    end(&bench);
}

static void a_damaged_file_changes_nothing(void)
{
    struct bench bench;
    struct backup_answer answer = {.done = false};
    struct restore_result result;
    struct err err = ERR_INIT;
    struct stat info;
    char marker[256];
    int file;

    begin(&bench, 1);
    put_many(bench.storage, "k", 50);
    CU_ASSERT_EQUAL_FATAL(backup_kit_take(bench.storage, bench.path, &answer), ERR_OK);
    file = open(bench.path, O_RDWR | O_CLOEXEC);
    CU_ASSERT_EQUAL_FATAL(pwrite(file, "?", 1, (off_t)answer.result.size / 2), 1);
    (void)close(file);
    CU_ASSERT_EQUAL(backup_kit_restore(bench.path, bench.to.path, &result, &err), ERR_CORRUPT);
    scratch_file(&bench.to, RESTORE_MARKER_FILE, marker);
    CU_ASSERT_NOT_EQUAL(stat(marker, &info), 0);
    end(&bench);
}

/* The standby's copy is as good: it has all that the primary has answered. */
/* A pair's backup is the way out of a pair, and the way into the next one. */
static void opens_alone_until_a_pair_does(const struct scratch *scratch, const uint8_t *cluster_id)
{
    struct storage_options options = kit_options(scratch->path);
    struct storage *storage = NULL;
    struct err err = ERR_INIT;

    storage_close(open_in(scratch)); /* again */
    CU_ASSERT_EQUAL_FATAL(engine_open_pair(&options, cluster_id, &storage, &err), ERR_OK);
    storage_close(storage);
    storage = NULL;
    CU_ASSERT_EQUAL(storage_open(&options, &storage, &err), ERR_CONFLICT);
    storage_close(storage);
}

static void a_standby_makes_the_same_copy(void)
{
    struct pair_kit kit;
    struct scratch to;
    struct backup_answer answer = {.done = false};
    struct restore_result result;
    struct storage *storage;
    char path[256];

    pair_kit_init(&kit);
    scratch_init(&to);
    pair_lead(&kit, 0, 4, true);
    CU_ASSERT_FATAL(pair_serves(&kit, 0));
    for (int i = 0; i < 40; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "k%04d", i);
        CU_ASSERT_EQUAL_FATAL(pair_put(&kit, key, "v"), ERR_OK);
    }
    scratch_file(&kit.hosts[1].scratch, "copy", path);
    CU_ASSERT_EQUAL_FATAL(
        storage_backup(kit.hosts[1].storage, path, backup_kit_done, &answer, &answer.err), ERR_OK);
    for (int i = 0; i < 3000 && !answer.done; i++) {
        pair_pass(&kit, 10);
        storage_dispatch(kit.hosts[1].storage);
    }
    CU_ASSERT_EQUAL_FATAL(answer.rc, ERR_OK);
    CU_ASSERT_EQUAL(answer.result.pair_count, 40);
    CU_ASSERT_EQUAL(answer.result.epoch, 4);
    CU_ASSERT_EQUAL_FATAL(backup_kit_restore(path, to.path, &result, NULL), ERR_OK);
    CU_ASSERT_EQUAL(result.header.epoch, 4);
    storage = open_in(&to);
    CU_ASSERT(kit_has(storage, "k0039", "v"));
    storage_close(storage);
    opens_alone_until_a_pair_does(&to, result.header.cluster_id);
    pair_kit_done(&kit);
    scratch_done(&to);
}

static void a_store_set_aside_leaves_an_empty_one_with_its_promise(void)
{
    struct pair_kit kit;
    struct pair_host *host;
    struct replica_options options = {.lineage = 5};
    struct storage_options where;
    struct storage_status before;
    struct storage_status after;
    char path[256];

    pair_kit_init(&kit);
    host = &kit.hosts[1];
    pair_lead(&kit, 0, 4, true);
    CU_ASSERT_FATAL(pair_serves(&kit, 0));
    CU_ASSERT_EQUAL_FATAL(pair_put(&kit, "k", "v"), ERR_OK);
    CU_ASSERT(pair_equal(&kit));
    CU_ASSERT_EQUAL(engine_promise(host->storage, 9, 77, NULL), ERR_OK);
    storage_status(host->storage, &before);
    storage_close(host->storage);
    host->storage = NULL;
    where = kit_options(host->scratch.path);
    CU_ASSERT_EQUAL_FATAL(storage_set_aside(&where, NULL), ERR_OK);
    (void)snprintf(path, sizeof path, "%s/diverged-%llu.mdb", host->scratch.path,
                   (unsigned long long)before.lsn_applied);
    CU_ASSERT_EQUAL(access(path, F_OK), 0);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 1), ERR_OK);
    engine_recovered(host->storage, &options);
    storage_status(host->storage, &after);
    CU_ASSERT_EQUAL(options.promised, 9);
    CU_ASSERT_EQUAL(options.lineage, 0);
    CU_ASSERT_EQUAL(options.last.lsn, 0);
    CU_ASSERT_NOT_EQUAL(memcmp(before.store_id, after.store_id, STORAGE_ID_SIZE), 0);
    CU_ASSERT_EQUAL(memcmp(before.cluster_id, after.cluster_id, STORAGE_ID_SIZE), 0);
    CU_ASSERT(kit_has_weak(host->storage, "k", NULL));
    pair_kit_done(&kit);
}

static void the_smallest_map_takes_writes_and_a_backup(void)
{
    struct bench bench;
    struct backup_answer answer = {.done = false};
    struct storage_options options;

    scratch_init(&bench.from);
    scratch_init(&bench.to);
    scratch_file(&bench.from, "copy", bench.path);
    options = kit_options(bench.from.path);
    options.map_size = STORAGE_MAP_SIZE_MIN;
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &bench.storage, NULL), ERR_OK);
    put_many(bench.storage, "k", 10);
    CU_ASSERT_EQUAL(backup_kit_take(bench.storage, bench.path, &answer), ERR_OK);
    end(&bench);
}

UNIT_MAIN("backup",
          {"a restored store has all of it and goes on", a_restored_store_has_all_and_goes_on},
          {"an empty store is copied too", an_empty_store_is_copied_too},
          {"writes go on meanwhile", writes_go_on_meanwhile},
          {"one at a time, and closing answers", one_at_a_time_and_closing_answers},
          {"without room it is refused and leaves nothing",
           without_room_it_is_refused_and_leaves_nothing},
          {"a store is never overwritten", a_store_is_never_overwritten},
          {"a damaged file changes nothing", a_damaged_file_changes_nothing},
          {"a standby makes the same copy", a_standby_makes_the_same_copy},
          {"a store set aside leaves an empty one with its promise",
           a_store_set_aside_leaves_an_empty_one_with_its_promise},
          {"the smallest map takes writes and a backup",
           the_smallest_map_takes_writes_and_a_backup})
