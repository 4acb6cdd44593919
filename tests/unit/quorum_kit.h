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

/* The places of needs, spare of them beyond one each, and which alternative each need is of. */
static inline void draw_needs(uint64_t *seed, uint32_t spare, struct quorum *quorum)
{
    for (uint32_t i = 0; i < quorum->need_count; i++) {
        uint32_t more = draw(seed, spare + 1);

        quorum->places[i] = 1 + more;
        spare -= more;
        quorum->alternatives[i] =
            i == 0 ? 0 : quorum->alternatives[i - 1] + (draw(seed, 4) == 0 ? 1 : 0);
    }
}

/* As many fill each need as the result says, and those of the shown alternative alone. */
static inline bool quorum_counts_fit(const struct quorum *quorum,
                                     const struct quorum_result *result,
                                     const uint32_t counts[CORE_NEED_COUNT_MAX])
{
    bool fit = true;

    for (uint32_t need = 0; need < quorum->need_count; need++) {
        bool shown = quorum->alternatives[need] == result->alternative;

        fit = fit && counts[need] == (shown ? result->filled[need] : 0);
    }
    return fit;
}

/* With one more person nothing is lost; helps: it is said that he helps. */
static inline bool quorum_more_fits(const struct quorum *quorum,
                                    const struct quorum *more,
                                    bool helps,
                                    quorum_exhaust_fn *exhaust,
                                    uint32_t missing_sum)
{
    struct quorum_result before;
    struct quorum_result after;
    uint32_t sum;

    (void)quorum_exhaust_all(more, exhaust, &sum); /* its sum is wanted */
    quorum_judge(quorum, &before);
    quorum_judge(more, &after);
    return helps == (sum < missing_sum) && (after.satisfied || !before.satisfied) &&
           after.missing <= before.missing;
}

/* In what is asserted: who fills what may differ. */
static inline bool quorum_results_equal(const struct quorum_result *a,
                                        const struct quorum_result *b)
{
    return a->satisfied == b->satisfied && a->alternative == b->alternative &&
           a->missing == b->missing && memcmp(a->filled, b->filled, sizeof a->filled) == 0;
}

/* What a test brings to judge a case by. */
struct quorum_oracle {
    quorum_exhaust_fn *exhaust;
    bool (*fits)(const struct quorum *quorum, const struct quorum_result *result);
    /* The same people one after the other, only those counted who help then. */
    struct quorum (*press_all)(const struct quorum *quorum);
};

/* What is wrong with the case, or NULL. shuffled: the same people in another order. */
static inline const char *quorum_judge_case(const struct quorum_oracle *oracle,
                                            const struct quorum *quorum,
                                            const struct quorum *shuffled,
                                            uint32_t *ret_missing_sum)
{
    struct quorum_result expected = quorum_exhaust_all(quorum, oracle->exhaust, ret_missing_sum);
    struct quorum pressed = oracle->press_all(shuffled);
    struct quorum_result got;

    quorum_judge(quorum, &got);
    if (!quorum_results_equal(&got, &expected)) {
        return "differs from the best assignment";
    }
    if (!oracle->fits(quorum, &got)) {
        return "people do not fit their rights and places";
    }
    quorum_judge(shuffled, &got);
    if (!quorum_results_equal(&got, &expected)) {
        return "depends on the order";
    }
    quorum_judge(&pressed, &got);
    if (!quorum_results_equal(&got, &expected)) {
        return "who was left out would have mattered";
    }
    return NULL;
}

#endif
