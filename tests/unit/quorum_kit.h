/* SPDX-License-Identifier: Apache-2.0 */
/* quorum_kit.h: drawn numbers for cases of a quorum, and the best of all alternatives by a search
 * that the test brings. */
#ifndef TESTS_UNIT_QUORUM_KIT_H
#define TESTS_UNIT_QUORUM_KIT_H

#include "approvald/core/quorum.h"

#include <string.h>

/* Below the bound. */
static inline uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % below;
}

/* The best that can be done for one alternative: how many are missing, and the taken places. */
typedef uint32_t
quorum_exhaust_fn(const struct quorum *quorum, uint32_t alternative, uint32_t *ret_filled);

static inline struct quorum_result quorum_exhaust_all(const struct quorum *quorum,
                                                      quorum_exhaust_fn *exhaust,
                                                      uint32_t *ret_missing_sum)
{
    struct quorum_result result = {.missing = UINT32_MAX};

    *ret_missing_sum = 0;
    for (uint32_t i = 0; i <= quorum->alternatives[quorum->need_count - 1]; i++) {
        uint32_t missing = exhaust(quorum, i, result.filled);

        *ret_missing_sum += missing;
        if (missing < result.missing) {
            result.missing = missing;
            result.alternative = i;
        }
    }
    result.satisfied = result.missing == 0;
    return result;
}

/* In what is asserted: who fills what may differ. */
static inline bool quorum_results_equal(const struct quorum_result *a,
                                        const struct quorum_result *b)
{
    return a->satisfied == b->satisfied && a->alternative == b->alternative &&
           a->missing == b->missing && memcmp(a->filled, b->filled, sizeof a->filled) == 0;
}

#endif
