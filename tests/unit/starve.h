/* SPDX-License-Identifier: Apache-2.0 */
/* starve.h: runs an attempt once per allocation that it makes, failing the n-th. Each failing run
 * must answer ERR_NOMEM; the sanitizers see to it that it leaves nothing behind. */
#ifndef TESTS_UNIT_STARVE_H
#define TESTS_UNIT_STARVE_H

#include "base/err.h"
#include "base/mem.h"

#include <CUnit/CUnit.h>
#include <stdbool.h>
#include <stddef.h>

#define STARVE_RUN_COUNT_MAX 10000 /* more is a loop without end */

struct starve {
    size_t left; /* allocations before the one that fails */
    bool done;
};

static inline int starve_refuse(void *arg)
{
    struct starve *starve = arg;

    if (starve->done) {
        return 0;
    }
    starve->done = starve->left == 0;
    starve->left -= starve->done ? 0 : 1;
    return starve->done;
}

/* One run; false when it made fewer than n + 1 allocations. */
static inline bool starve_run(enum err_code (*attempt)(void *arg), void *arg, size_t n)
{
    struct starve starve = {.left = n};
    enum err_code rc;

    mem_set_refuse(starve_refuse, &starve);
    rc = attempt(arg);
    mem_set_refuse(NULL, NULL);
    CU_ASSERT_EQUAL(rc, starve.done ? ERR_NOMEM : ERR_OK);
    return starve.done;
}

/* Returns how many allocations the attempt makes when none fails. */
static inline size_t starve_each(enum err_code (*attempt)(void *arg), void *arg)
{
    size_t n = 0;

    while (n < STARVE_RUN_COUNT_MAX && starve_run(attempt, arg, n)) {
        n++;
    }
    CU_ASSERT(n < STARVE_RUN_COUNT_MAX);
    return n;
}

#endif
