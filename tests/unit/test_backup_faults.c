/* SPDX-License-Identifier: Apache-2.0 */
/* test_backup_faults.c: proves that a failing file call, each in its turn, leaves of a restore
 * either a directory that no storage opens, or the whole store; and of a backup nothing but an
 * error.
 * Owns one backup that all runs restore. Never needs luck: the calls come in one order. */
#include "storage/install.h"
#include "tests/lib/backup_kit.h"
#include "tests/lib/io_tap.h"
#include "tests/lib/scratch.h"
#include "tests/lib/store_kit.h"
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CALL_COUNT_MAX 2000U

static bool exists(const struct scratch *scratch, const char *name)
{
    char path[256];

    scratch_file(scratch, name, path);
    return access(path, F_OK) == 0;
}

static void fill(struct storage *storage)
{
    for (int i = 0; i < 30; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "k%02d", i);
        CU_ASSERT_EQUAL_FATAL(kit_put(storage, key, "a value"), ERR_OK);
    }
}

static bool is_whole(const struct scratch *scratch)
{
    struct storage_options options = kit_options(scratch->path);
    struct storage *storage = NULL;
    bool whole;

    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, NULL), ERR_OK);
    whole = kit_has(storage, "k00", "a value") && kit_has(storage, "k29", "a value");
    storage_close(storage);
    return whole;
}

/* What the failed restore has left: nobody takes it for a store. */
static void look_at_the_rest(const struct scratch *to)
{
    struct storage_options options = kit_options(to->path);
    struct storage *storage = NULL;

    if (exists(to, RESTORE_MARKER_FILE) && !exists(to, INSTALL_MARKER_FILE)) {
        CU_ASSERT_EQUAL(storage_open(&options, &storage, NULL), ERR_UNAVAILABLE);
        CU_ASSERT_PTR_NULL(storage);
    }
}

/* One restore with the n-th call failing; false: no call failed any more. */
static bool restore_with_fault(const char *path, uint64_t n)
{
    struct scratch to;
    struct fault fault;
    struct restore_result result;
    struct err err = ERR_INIT;
    bool happened;
    enum err_code rc;

    scratch_init(&to);
    tap_watch(to.path);
    fault_set(&fault, n, 1);
    tap_fail(&fault, EIO);
    rc = backup_kit_restore(path, to.path, &result, &err);
    tap_fail(NULL, 0);
    happened = fault_happened(&fault);
    if (rc != ERR_OK) {
        CU_ASSERT(happened);
        CU_ASSERT(err.message[0] != '\0');
        look_at_the_rest(&to);
        rc = backup_kit_restore(path, to.path, &result, &err);
        CU_ASSERT(rc == ERR_OK || rc == ERR_EXISTS);
    }
    CU_ASSERT(is_whole(&to));
    scratch_done(&to);
    return happened;
}

static void a_failing_call_leaves_all_or_nothing_of_a_restore(void)
{
    struct scratch from;
    struct storage_options options;
    struct storage *storage = NULL;
    struct backup_answer answer = {.done = false};
    char path[256];
    uint64_t n = 0;

    scratch_init(&from);
    options = kit_options(from.path);
    scratch_file(&from, "copy", path);
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, NULL), ERR_OK);
    fill(storage);
    CU_ASSERT_EQUAL_FATAL(backup_kit_take(storage, path, &answer), ERR_OK);
    storage_close(storage);
    while (n < CALL_COUNT_MAX && restore_with_fault(path, n)) {
        n++;
    }
    CU_ASSERT(n > 20);
    CU_ASSERT(n < CALL_COUNT_MAX);
    scratch_done(&from);
}

static void a_failing_call_fails_nothing_but_the_backup(void)
{
    struct scratch from;
    struct scratch beside;
    struct storage_options options;
    struct storage *storage = NULL;
    struct fault fault;
    char path[256];
    uint64_t n = 0;
    bool happened = true;

    scratch_init(&from);
    scratch_init(&beside);
    options = kit_options(from.path);
    scratch_file(&beside, "copy", path);
    tap_watch(beside.path);
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, NULL), ERR_OK);
    fill(storage);
    for (n = 0; happened && n < CALL_COUNT_MAX; n++) {
        struct backup_answer answer = {.done = false};
        enum err_code rc;

        fault_set(&fault, n, 1);
        tap_fail(&fault, n % 2 == 0 ? EIO : ENOSPC);
        rc = backup_kit_take(storage, path, &answer);
        tap_fail(NULL, 0);
        happened = fault_happened(&fault);
        CU_ASSERT((rc != ERR_OK) == happened);
        CU_ASSERT(!exists(&beside, "copy.part"));
        CU_ASSERT_EQUAL(kit_put(storage, "on", "it goes"), ERR_OK);
    }
    CU_ASSERT(n > 5);
    CU_ASSERT(exists(&beside, "copy"));
    storage_close(storage);
    scratch_done(&from);
    scratch_done(&beside);
}

static bool has_kept_log(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    bool found = false;

    CU_ASSERT_FATAL(dir != NULL);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        found = found || (strncmp(entry->d_name, "diverged-", 9) == 0 &&
                          strstr(entry->d_name, ".seg") != NULL);
    }
    CU_ASSERT_EQUAL(dir == NULL ? -1 : closedir(dir), 0);
    return found;
}

/* One store set aside with the n-th call failing; then the start goes on, and it is the old store
 * or the empty one, never a mixture. False: no call failed any more. */
static bool set_aside_with_fault(uint64_t n)
{
    struct scratch scratch;
    struct storage_options options;
    struct storage *storage = NULL;
    struct fault fault;
    bool happened;
    bool old;
    enum err_code rc;

    scratch_init(&scratch);
    options = kit_options(scratch.path);
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, NULL), ERR_OK);
    fill(storage);
    storage_close(storage);
    tap_watch(scratch.path);
    fault_set(&fault, n, 1);
    tap_fail(&fault, EIO);
    rc = storage_set_aside(&options, NULL);
    tap_fail(NULL, 0);
    happened = fault_happened(&fault);
    CU_ASSERT(rc == ERR_OK || happened);
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &storage, NULL), ERR_OK);
    old = kit_has(storage, "k00", "a value");
    CU_ASSERT_EQUAL(kit_has(storage, "k29", "a value"), old);
    CU_ASSERT(rc != ERR_OK || !old);
    CU_ASSERT(old || has_kept_log(scratch.path)); /* in it is what was not folded */
    CU_ASSERT_EQUAL(kit_put(storage, "on", "it goes"), ERR_OK);
    storage_close(storage);
    scratch_done(&scratch);
    return happened;
}

static void a_failing_call_leaves_the_old_store_or_the_empty_one(void)
{
    uint64_t n = 0;

    while (n < CALL_COUNT_MAX && set_aside_with_fault(n)) {
        n++;
    }
    CU_ASSERT(n > 20);
    CU_ASSERT(n < CALL_COUNT_MAX);
}

UNIT_MAIN("backup_faults",
          {"a failing call leaves all or nothing of a restore",
           a_failing_call_leaves_all_or_nothing_of_a_restore},
          {"a failing call fails nothing but the backup",
           a_failing_call_fails_nothing_but_the_backup},
          {"a failing call leaves the old store or the empty one",
           a_failing_call_leaves_the_old_store_or_the_empty_one})
