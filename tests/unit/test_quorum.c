/* SPDX-License-Identifier: Apache-2.0 */
/* test_quorum.c: proves approvald/core/quorum against all assignments there are.
 * Owns the exhaustive search that it is compared with; never shares an idea with the code: a state
 * is how many places of each need are taken, and every person may take any that he may, or none. */
#include "approvald/core/quorum.h"
#include "base/clock.h"
#include "tests/unit/quorum_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define CASE_COUNT     120000
#define WORST_COUNT    400
#define WORST_ROUNDS   5
#define WORST_REPEATS  100
#define STATE_COUNT    1024 /* with 10 places of 8 needs there are at most 576 */
#define SEED_OF_CASES  UINT64_C(20251203)
#define SEED_OF_WORSTS UINT64_C(7)

/* need_count needs with at most place_max places in all; people who may fill some of them. */
static struct quorum
draw_case(uint64_t *seed, uint32_t need_count, uint32_t place_max, uint32_t person_count)
{
    struct quorum quorum = {.need_count = need_count};
    uint32_t dense = 1 + draw(seed, 4);

    draw_needs(seed, place_max - need_count, &quorum);
    for (uint32_t i = 0; i < person_count; i++) {
        quorum_add_person(&quorum, 0); /* his own right has his number */
        for (uint32_t need = 0; need < need_count; need++) {
            quorum.may_fill[i] |= draw(seed, 5) < dense ? UINT32_C(1) << need : 0;
        }
    }
    return quorum;
}

/* All states that some assignment leads to. The first need counts most, so that of two states with
 * as many places taken the higher one has more of the first needs taken. */
struct states {
    uint32_t stride[CORE_NEED_COUNT_MAX];
    uint32_t count;
    bool reached[STATE_COUNT];
};

static uint32_t taken_of(const struct quorum *quorum, const struct states *states, uint32_t state)
{
    uint32_t sum = 0;

    for (uint32_t need = 0; need < quorum->need_count; need++) {
        sum += state / states->stride[need] % (quorum->places[need] + 1);
    }
    return sum;
}

static void add_person(const struct quorum *quorum, struct states *states, uint32_t usable)
{
    for (uint32_t state = states->count; state-- > 0;) {
        for (uint32_t need = 0; states->reached[state] && need < quorum->need_count; need++) {
            uint32_t filled = state / states->stride[need] % (quorum->places[need] + 1);

            if ((usable >> need & 1) != 0 && filled < quorum->places[need]) {
                states->reached[state + states->stride[need]] = true;
            }
        }
    }
}

/* The best that can be done for one alternative: how many are missing, and the taken places. */
static uint32_t exhaust(const struct quorum *quorum, uint32_t alternative, uint32_t *ret_filled)
{
    static struct states states;
    uint32_t mask = 0;
    uint32_t places = 0;
    uint32_t best = 0;

    states.count = 1;
    for (uint32_t need = quorum->need_count; need-- > 0;) {
        states.stride[need] = states.count;
        states.count *= quorum->places[need] + 1;
        mask |= quorum->alternatives[need] == alternative ? UINT32_C(1) << need : 0;
        places += quorum->alternatives[need] == alternative ? quorum->places[need] : 0;
    }
    CU_ASSERT_FATAL(states.count <= STATE_COUNT);
    memset(states.reached, 0, states.count * sizeof states.reached[0]);
    states.reached[0] = true;
    for (uint32_t i = 0; i < quorum->person_count; i++) {
        add_person(quorum, &states, quorum->may_fill[i] & mask);
    }
    for (uint32_t state = 0; state < states.count; state++) {
        if (states.reached[state] &&
            taken_of(quorum, &states, state) >= taken_of(quorum, &states, best)) {
            best = state;
        }
    }
    for (uint32_t need = 0; need < quorum->need_count; need++) {
        if ((mask >> need & 1) != 0) {
            ret_filled[need] = best / states.stride[need] % (quorum->places[need] + 1);
        }
    }
    return places - taken_of(quorum, &states, best);
}

/* Everybody has a need that he may fill, or none, and the places of the alternative are taken by
 * as many as is said. */
static bool fills_fit(const struct quorum *quorum, const struct quorum_result *result)
{
    uint32_t counts[CORE_NEED_COUNT_MAX] = {0};
    bool fit = true;

    for (uint32_t i = 0; i < quorum->person_count; i++) {
        uint32_t need = result->fills[i];

        if (need != QUORUM_NONE) {
            fit = fit && need < quorum->need_count && (quorum->may_fill[i] >> need & 1) != 0;
            counts[need % CORE_NEED_COUNT_MAX]++;
        }
    }
    return fit && quorum_counts_fit(quorum, result, counts);
}

static void shuffle(uint64_t *seed, struct quorum *quorum)
{
    for (uint32_t i = quorum->person_count; i > 1; i--) {
        uint32_t other = draw(seed, i);
        uint32_t kept = quorum->may_fill[i - 1];

        quorum->may_fill[i - 1] = quorum->may_fill[other];
        quorum->may_fill[other] = kept;
    }
}

/* The same people one after the other, only those counted who help then. */
static struct quorum press_all(const struct quorum *quorum)
{
    struct quorum pressed = *quorum;

    pressed.person_count = 0;
    pressed.right_count = 0;
    for (uint32_t i = 0; i < quorum->person_count; i++) {
        if (quorum_helps(&pressed, quorum->may_fill[i])) {
            quorum_add_person(&pressed, quorum->may_fill[i]);
        }
    }
    return pressed;
}

/* One more person: does the search of all assignments say that he helps? */
static bool more_fits(const struct quorum *quorum, uint32_t may_fill, uint32_t missing_sum)
{
    struct quorum more = *quorum;

    if (quorum->person_count == CORE_DECISION_COUNT_MAX) {
        return !quorum_helps(quorum, may_fill);
    }
    quorum_add_person(&more, may_fill);
    return quorum_more_fits(quorum, &more, quorum_helps(quorum, may_fill), exhaust, missing_sum);
}

/* What is wrong with the case, or NULL. */
static const char *judge_case(uint64_t *seed, const struct quorum *quorum)
{
    static const struct quorum_oracle oracle = {
        .exhaust = exhaust, .fits = fills_fit, .press_all = press_all};
    struct quorum other = *quorum;
    const char *what;
    uint32_t missing_sum;

    shuffle(seed, &other);
    what = quorum_judge_case(&oracle, quorum, &other, &missing_sum);
    if (what != NULL) {
        return what;
    }
    if (press_all(&other).person_count > CORE_QUORUM_MAX) {
        return "more people were counted than there are places";
    }
    if (!more_fits(quorum, draw(seed, UINT32_C(1) << quorum->need_count), missing_sum)) {
        return "one more person is judged wrongly";
    }
    return NULL;
}

static void every_case_is_as_good_as_the_best_of_all_assignments(void)
{
    uint64_t seed = SEED_OF_CASES;
    uint32_t wrong = 0;
    uint32_t satisfied = 0;

    for (uint32_t i = 0; i < CASE_COUNT; i++) {
        uint64_t began = seed;
        /* Mostly small, so that needs are met and not met about as often. */
        uint32_t need_count = 1 + draw(&seed, draw(&seed, 8) == 0 ? CORE_NEED_COUNT_MAX : 4);
        uint32_t person_count = draw(&seed, draw(&seed, 8) == 0 ? CORE_DECISION_COUNT_MAX + 1 : 8);
        struct quorum quorum =
            draw_case(&seed, need_count, need_count + draw(&seed, CORE_QUORUM_MAX - need_count + 1),
                      person_count);
        struct quorum_result result;
        const char *what = judge_case(&seed, &quorum);

        quorum_judge(&quorum, &result);
        satisfied += result.satisfied ? 1 : 0;
        if (what != NULL && wrong++ == 0) {
            (void)printf("case %u, seed %llu: %s\n", i, (unsigned long long)began, what);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(satisfied > CASE_COUNT / 10);
    CU_ASSERT(satisfied < CASE_COUNT - CASE_COUNT / 10);
    (void)printf("%u cases, %u satisfied; ", CASE_COUNT, satisfied);
}

/* Both needs want one; ana is in both groups. */
static void one_person_in_both_groups_fills_one_need(void)
{
    struct quorum quorum = {.need_count = 2, .places = {1, 1}};
    struct quorum_result result;

    quorum_add_person(&quorum, 3);
    quorum_judge(&quorum, &result);
    CU_ASSERT_FALSE(result.satisfied);
    CU_ASSERT_EQUAL(result.missing, 1);
    CU_ASSERT(result.filled[0] == 1 && result.filled[1] == 0);
    CU_ASSERT_FALSE(quorum_helps(&quorum, 0));
    CU_ASSERT(quorum_helps(&quorum, 1)); /* ana moves to the second need */
    quorum_add_person(&quorum, 1);
    quorum_judge(&quorum, &result);
    CU_ASSERT(result.satisfied);
    CU_ASSERT(result.fills[0] == 1 && result.fills[1] == 0);
    CU_ASSERT_FALSE(quorum_helps(&quorum, 3));
}

/* Seven have to move for the last one to come in. */
static void a_whole_row_makes_room(void)
{
    struct quorum quorum = {.need_count = CORE_NEED_COUNT_MAX};
    struct quorum_result result;

    for (uint32_t i = 0; i < CORE_NEED_COUNT_MAX; i++) {
        quorum.places[i] = 1;
    }
    for (uint32_t i = 0; i + 1 < CORE_NEED_COUNT_MAX; i++) {
        quorum_add_person(&quorum, UINT32_C(3) << i);
    }
    CU_ASSERT_FALSE(quorum_helps(&quorum, 0));
    CU_ASSERT(quorum_helps(&quorum, 1));
    quorum_add_person(&quorum, 1);
    quorum_judge(&quorum, &result);
    CU_ASSERT(result.satisfied);
    for (uint32_t i = 0; i + 1 < CORE_NEED_COUNT_MAX; i++) {
        CU_ASSERT_EQUAL(result.fills[i], i + 1);
    }
}

static void one_whole_alternative_is_enough(void)
{
    struct quorum quorum = {.need_count = 3, .places = {1, 2, 1}, .alternatives = {0, 0, 1}};
    struct quorum_result result;

    quorum_add_person(&quorum, 2);
    quorum_add_person(&quorum, 2);
    quorum_judge(&quorum, &result);
    CU_ASSERT(!result.satisfied && result.missing == 1 && result.alternative == 0);
    quorum_add_person(&quorum, 4);
    quorum_judge(&quorum, &result);
    CU_ASSERT(result.satisfied && result.alternative == 1);
    CU_ASSERT_EQUAL(result.fills[0], QUORUM_NONE);
    CU_ASSERT_EQUAL(result.fills[2], 2);
    quorum.may_fill[2] = 6; /* counts for both ways, and one of them is complete */
    quorum_judge(&quorum, &result);
    CU_ASSERT(result.satisfied && result.alternative == 1 && result.filled[1] == 2);
}

/* The quickest of a few rounds: others use the machine too. */
static uint64_t time_of(const struct quorum *quorum, uint32_t *helped)
{
    uint64_t best_us = UINT64_MAX;

    for (uint32_t round = 0; round < WORST_ROUNDS; round++) {
        uint64_t began_us = clock_precise_us();
        uint64_t took_us;

        for (uint32_t repeat = 0; repeat < WORST_REPEATS; repeat++) {
            *helped += quorum_helps(quorum, 1) ? 1 : 0;
        }
        took_us = clock_precise_us() - began_us;
        best_us = took_us < best_us ? took_us : best_us;
    }
    return best_us;
}

/* Nothing is asserted of the time: it is the machine's too. The bound is in the header. */
static void the_worst_case_is_shown(void)
{
    uint64_t seed = SEED_OF_WORSTS;
    uint64_t worst_us = 0;
    uint32_t helped = 0;

    for (uint32_t i = 0; i < WORST_COUNT; i++) {
        struct quorum quorum = draw_case(&seed, CORE_NEED_COUNT_MAX - i % 4, CORE_QUORUM_MAX,
                                         CORE_DECISION_COUNT_MAX - 1);
        uint64_t took_us = time_of(&quorum, &helped);

        worst_us = took_us > worst_us ? took_us : worst_us;
    }
    CU_ASSERT(helped < WORST_COUNT * WORST_ROUNDS * WORST_REPEATS);
    (void)printf("%.2f us for the worst of %u cases; ", (double)worst_us / WORST_REPEATS,
                 WORST_COUNT);
}

UNIT_MAIN("quorum",
          {"one person in both groups fills one need", one_person_in_both_groups_fills_one_need},
          {"a whole row makes room", a_whole_row_makes_room},
          {"one whole alternative is enough", one_whole_alternative_is_enough},
          {"every case is as good as the best of all assignments",
           every_case_is_as_good_as_the_best_of_all_assignments},
          {"the worst case is shown", the_worst_case_is_shown})
