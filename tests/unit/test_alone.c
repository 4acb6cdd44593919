/* SPDX-License-Identifier: Apache-2.0 */
/* test_alone.c: proves storage_make_alone: who leaves a pair has all that was answered, in a store
 * of another cluster, and the pair's store is a pair's still.
 * Owns nothing but its cases. Never opens a store that another case has. */
#include "storage/restore.h"
#include "tests/lib/backup_kit.h"
#include "tests/lib/pair_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define KEYS 40

/* A pair that has answered for KEYS keys, and has stopped. */
static void begin(struct pair_kit *kit, struct storage_status *ret_status)
{
    pair_kit_init(kit);
    pair_lead(kit, 0, 4, true);
    CU_ASSERT_FATAL(pair_serves(kit, 0));
    for (int i = 0; i < KEYS; i++) {
        char key[16];

        kit->hold_commits = i >= KEYS / 2; /* what the standby has is more than it knows */
        (void)snprintf(key, sizeof key, "k%04d", i);
        CU_ASSERT_EQUAL_FATAL(pair_put(kit, key, "v"), ERR_OK);
    }
    storage_status(kit->hosts[0].storage, ret_status);
    for (int i = 0; i < 2; i++) {
        storage_close(kit->hosts[i].storage);
        kit->hosts[i].storage = NULL;
    }
}

static enum err_code
make(const struct pair_host *host, const char *dir, struct restore_result *ret, struct err *err)
{
    struct storage_options options = kit_options(host->scratch.path);

    return storage_make_alone(&options, dir, ret, err);
}

static void opens_with_all(const char *dir, const struct storage_status *pair)
{
    struct storage_options options = kit_options(dir);
    struct storage *storage = NULL;
    struct storage_status status;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, &err), ERR_OK);
    for (int i = 0; i < KEYS; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "k%04d", i);
        CU_ASSERT(kit_has(storage, key, "v"));
    }
    CU_ASSERT_EQUAL(kit_put(storage, "new", "w"), ERR_OK);
    storage_status(storage, &status);
    CU_ASSERT_NOT_EQUAL(memcmp(status.cluster_id, pair->cluster_id, STORAGE_ID_SIZE), 0);
    CU_ASSERT(status.epoch > pair->epoch);
    storage_close(storage);
    storage = NULL;
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, &err), ERR_OK); /* its log is its own */
    CU_ASSERT(kit_has(storage, "new", "w"));
    storage_close(storage);
}

/* The standby has heard of no commit since its last ping: its tail counts all the same. */
static void either_host_goes_on_with_all_that_was_answered(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct pair_kit kit;
        struct scratch to;
        struct storage_status status;
        struct restore_result result;
        struct err err = ERR_INIT;

        begin(&kit, &status);
        scratch_init(&to);
        CU_ASSERT_EQUAL_FATAL(make(&kit.hosts[i], to.path, &result, &err), ERR_OK);
        CU_ASSERT_EQUAL(result.header.position.lsn, status.lsn_last);
        opens_with_all(to.path, &status);
        scratch_done(&to);
        pair_kit_done(&kit);
    }
}

static void the_pairs_store_stays_a_pairs(void)
{
    struct pair_kit kit;
    struct scratch to;
    struct storage_status status;
    struct storage_status after;
    struct restore_result result;
    struct replica_options recovered = {.lineage = 0};
    struct storage_options options;
    struct storage *storage = NULL;
    struct err err = ERR_INIT;

    begin(&kit, &status);
    scratch_init(&to);
    CU_ASSERT_EQUAL_FATAL(make(&kit.hosts[0], to.path, &result, &err), ERR_OK);
    options = kit_options(kit.hosts[0].scratch.path);
    CU_ASSERT_EQUAL(storage_open(&options, &storage, &err), ERR_CONFLICT);
    storage_close(storage);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 0), ERR_OK);
    storage_status(kit.hosts[0].storage, &after);
    engine_recovered(kit.hosts[0].storage, &recovered);
    CU_ASSERT_EQUAL(after.lsn_last, status.lsn_last);
    CU_ASSERT_EQUAL(recovered.promised, 4);
    CU_ASSERT_EQUAL(memcmp(after.cluster_id, status.cluster_id, STORAGE_ID_SIZE), 0);
    CU_ASSERT_EQUAL(memcmp(after.store_id, status.store_id, STORAGE_ID_SIZE), 0);
    scratch_done(&to);
    pair_kit_done(&kit);
}

static void it_may_be_done_again_and_is_never_done_over_a_store(void)
{
    struct pair_kit kit;
    struct scratch first;
    struct scratch second;
    struct storage_status status;
    struct restore_result result;
    struct err err = ERR_INIT;

    begin(&kit, &status);
    scratch_init(&first);
    scratch_init(&second);
    CU_ASSERT_EQUAL_FATAL(make(&kit.hosts[1], first.path, &result, &err), ERR_OK);
    CU_ASSERT_EQUAL(make(&kit.hosts[1], first.path, &result, &err), ERR_EXISTS);
    CU_ASSERT_EQUAL_FATAL(make(&kit.hosts[1], second.path, &result, &err), ERR_OK);
    opens_with_all(second.path, &status);
    scratch_done(&first);
    scratch_done(&second);
    pair_kit_done(&kit);
}

static void of_a_store_that_is_open_nothing_is_made(void)
{
    struct pair_kit kit;
    struct scratch to;
    struct storage_status status;
    struct restore_result result;
    struct err err = ERR_INIT;

    begin(&kit, &status);
    scratch_init(&to);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 0), ERR_OK);
    CU_ASSERT_EQUAL(make(&kit.hosts[0], to.path, &result, &err), ERR_BUSY);
    CU_ASSERT_EQUAL(rmdir(to.path), 0); /* nothing was begun in it */
    CU_ASSERT_EQUAL(mkdir(to.path, 0700), 0);
    scratch_done(&to);
    pair_kit_done(&kit);
}

UNIT_MAIN("alone",
          {"either host goes on with all that was answered",
           either_host_goes_on_with_all_that_was_answered},
          {"the pair's store stays a pair's", the_pairs_store_stays_a_pairs},
          {"it may be done again, and is never done over a store",
           it_may_be_done_again_and_is_never_done_over_a_store},
          {"of a store that is open nothing is made", of_a_store_that_is_open_nothing_is_made})
