/* SPDX-License-Identifier: Apache-2.0 */
/* test_storage.c: proves the storage as its callers see it.
 * Owns nothing but its cases. Never looks inside. */
#include "base/clock.h"
#include "storage/storage.h"
#include "tests/lib/scratch.h"
#include "tests/lib/store_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static struct storage *open_at(const struct scratch *scratch)
{
    struct storage_options options = kit_options(scratch->path);
    struct storage *storage = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = storage_open(&options, &storage, &err);

    CU_ASSERT_EQUAL_FATAL(rc, ERR_OK);
    return storage;
}

static void an_answered_write_is_there_after_reopening(void)
{
    struct scratch scratch;
    struct storage *storage;

    scratch_init(&scratch);
    storage = open_at(&scratch);
    CU_ASSERT_EQUAL(kit_put(storage, "a", "1"), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(storage, "b", "2"), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(storage, "a", "3"), ERR_OK);
    CU_ASSERT(kit_has(storage, "a", "3"));
    storage_close(storage);
    storage = open_at(&scratch);
    CU_ASSERT(kit_has(storage, "a", "3"));
    CU_ASSERT(kit_has(storage, "b", "2"));
    CU_ASSERT(kit_has(storage, "c", NULL));
    storage_close(storage);
    scratch_done(&scratch);
}

UNIT_MAIN("storage",
          {"an answered write is there after reopening",
           an_answered_write_is_there_after_reopening})
