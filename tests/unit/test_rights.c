/* SPDX-License-Identifier: Apache-2.0 */
/* test_rights.c: proves approvald/core/quorum where people stand in for others, against all
 * assignments there are.
 * Owns the exhaustive search: all pairs of taken places and used rights that some people can reach,
 * one person after the other; never shares an idea with the code. */
#include "approvald/core/quorum.h"
#include "base/clock.h"
#include "tests/unit/quorum_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define CASE_COUNT      150000
#define RIGHT_COUNT_MAX 7
#define PLACE_COUNT_MAX 5
#define STATE_COUNT     32 /* with 5 places there are at most 2^5 */
#define SEED_OF_CASES   UINT64_C(20261126)
#define WORST_COUNT     40
#define WORST_REPEATS   20

static bool person_holds(const struct quorum_person *person, uint32_t right)
{
    bool found = false;

    for (uint32_t i = 0; i < person->count; i++) {
        found = found || person->rights[i] == right;
    }
    return found;
}

/* His own right, most of the time, and a few of the others, each once. */
static struct quorum_person draw_person(uint64_t *seed, uint32_t own, uint32_t right_count)
{
    struct quorum_person person = {.count = 0};
    uint32_t more = draw(seed, 4);

    if (draw(seed, 4) > 0) {
        person.rights[person.count++] = own;
    }
    for (uint32_t i = 0; i < more; i++) {
        uint32_t right = draw(seed, right_count);

        if (person.count < QUORUM_HOLD_COUNT_MAX && !person_holds(&person, right)) {
            person.rights[person.count++] = right;
        }
    }
    return person;
}

static struct quorum draw_case(uint64_t *seed)
{
    struct quorum quorum = {.need_count = 1 + draw(seed, 3)};
    uint32_t spare = draw(seed, PLACE_COUNT_MAX - quorum.need_count + 1);
    uint32_t dense = 1 + draw(seed, 4);
    uint32_t right_count = 1 + draw(seed, RIGHT_COUNT_MAX);

    draw_needs(seed, spare, &quorum);
    for (uint32_t i = 0; i < right_count; i++) {
        uint32_t may_fill = 0;

        for (uint32_t need = 0; need < quorum.need_count; need++) {
            may_fill |= draw(seed, 5) < dense ? UINT32_C(1) << need : 0;
        }
        (void)quorum_add_right(&quorum, may_fill);
    }
    quorum.person_count = draw(seed, right_count + 1);
    for (uint32_t i = 0; i < quorum.person_count; i++) {
        quorum.people[i] = draw_person(seed, i, right_count);
    }
    return quorum;
}

/* What can be reached: which places are taken (the first need counts most) by which rights. */
struct reach {
    uint32_t stride[CORE_NEED_COUNT_MAX];
    uint32_t state_count;
    bool at[STATE_COUNT][1U << RIGHT_COUNT_MAX];
};

static uint32_t
filled_of(const struct quorum *quorum, const struct reach *reach, uint32_t state, uint32_t need)
{
    return state / reach->stride[need] % (quorum->places[need] + 1);
}

static uint32_t taken_of(const struct quorum *quorum, const struct reach *reach, uint32_t state)
{
    uint32_t sum = 0;

    for (uint32_t need = 0; need < quorum->need_count; need++) {
        sum += filled_of(quorum, reach, state, need);
    }
    return sum;
}

static void reach_by(const struct quorum *quorum,
                     struct reach *reach,
                     uint32_t state,
                     uint32_t used,
                     uint32_t right,
                     uint32_t usable)
{
    for (uint32_t need = 0; need < quorum->need_count; need++) {
        if ((quorum->may_fill[right] & usable & UINT32_C(1) << need) != 0 &&
            filled_of(quorum, reach, state, need) < quorum->places[need]) {
            reach->at[state + reach->stride[need]][used | 1U << right] = true;
        }
    }
}

/* By each of his rights that is not used yet. */
static void add_person_at(const struct quorum *quorum,
                          struct reach *reach,
                          const struct quorum_person *person,
                          uint32_t place[2],
                          uint32_t usable)
{
    for (uint32_t i = 0; i < person->count; i++) {
        if ((place[1] >> person->rights[i] & 1) == 0) {
            reach_by(quorum, reach, place[0], place[1], person->rights[i], usable);
        }
    }
}

/* From the fullest states down, so that nobody is counted twice. */
static void add_person(const struct quorum *quorum,
                       struct reach *reach,
                       const struct quorum_person *person,
                       uint32_t usable)
{
    for (uint32_t state = reach->state_count; state-- > 0;) {
        for (uint32_t used = 0; used < 1U << quorum->right_count; used++) {
            if (reach->at[state][used]) {
                add_person_at(quorum, reach, person, (uint32_t[2]){state, used}, usable);
            }
        }
    }
}

static uint32_t exhaust(const struct quorum *quorum, uint32_t alternative, uint32_t *ret_filled)
{
    static struct reach reach;
    uint32_t mask = 0;
    uint32_t places = 0;
    uint32_t best = 0;

    memset(&reach, 0, sizeof reach);
    reach.state_count = 1;
    for (uint32_t need = quorum->need_count; need-- > 0;) {
        reach.stride[need] = reach.state_count;
        reach.state_count *= quorum->places[need] + 1;
        mask |= quorum->alternatives[need] == alternative ? UINT32_C(1) << need : 0;
        places += quorum->alternatives[need] == alternative ? quorum->places[need] : 0;
    }
    CU_ASSERT_FATAL(reach.state_count <= STATE_COUNT);
    reach.at[0][0] = true;
    for (uint32_t i = 0; i < quorum->person_count; i++) {
        add_person(quorum, &reach, &quorum->people[i], mask);
    }
    for (uint32_t state = 0; state < reach.state_count; state++) {
        bool reached = false;

        for (uint32_t used = 0; used < 1U << quorum->right_count; used++) {
            reached = reached || reach.at[state][used];
        }
        if (reached && taken_of(quorum, &reach, state) >= taken_of(quorum, &reach, best)) {
            best = state;
        }
    }
    for (uint32_t need = 0; need < quorum->need_count; need++) {
        if ((mask >> need & 1) != 0) {
            ret_filled[need] = filled_of(quorum, &reach, best, need);
        }
    }
    return places - taken_of(quorum, &reach, best);
}

/* Everybody uses a right that he holds, nobody the right of another, and each right fills what it
 * may. */
static bool uses_fit(const struct quorum *quorum, const struct quorum_result *result)
{
    uint32_t counts[CORE_NEED_COUNT_MAX] = {0};
    uint32_t used = 0;
    bool fit = true;

    for (uint32_t i = 0; i < quorum->person_count; i++) {
        uint32_t need = result->fills[i];
        uint32_t right = result->uses[i];

        if ((need == QUORUM_NONE) != (right == QUORUM_NONE)) {
            return false;
        }
        if (need != QUORUM_NONE) {
            fit = fit && need < quorum->need_count && person_holds(&quorum->people[i], right) &&
                  (quorum->may_fill[right] >> need & 1) != 0 && (used >> right & 1) == 0;
            used |= 1U << right;
            counts[need % CORE_NEED_COUNT_MAX]++;
        }
    }
    return fit && quorum_counts_fit(quorum, result, counts);
}

static void shuffle(uint64_t *seed, struct quorum *quorum)
{
    for (uint32_t i = quorum->person_count; i > 1; i--) {
        uint32_t other = draw(seed, i);
        struct quorum_person kept = quorum->people[i - 1];

        quorum->people[i - 1] = quorum->people[other];
        quorum->people[other] = kept;
    }
}

/* The same people one after the other, only those counted who help then. */
static struct quorum press_all(const struct quorum *quorum)
{
    struct quorum pressed = *quorum;

    pressed.person_count = 0;
    for (uint32_t i = 0; i < quorum->person_count; i++) {
        struct quorum more = pressed;

        more.people[more.person_count++] = quorum->people[i];
        pressed = quorum_taken(&more) > quorum_taken(&pressed) ? more : pressed;
    }
    return pressed;
}

/* One more person: does the search of all assignments say that he helps? */
static bool more_fits(uint64_t *seed, const struct quorum *quorum, uint32_t missing_sum)
{
    struct quorum more = *quorum;

    more.people[more.person_count++] =
        draw_person(seed, draw(seed, quorum->right_count), quorum->right_count);
    return quorum_more_fits(quorum, &more, quorum_taken(&more) > quorum_taken(quorum), exhaust,
                            missing_sum);
}

/* What is wrong with the case, or NULL. */
static const char *judge_case(uint64_t *seed, const struct quorum *quorum)
{
    static const struct quorum_oracle oracle = {
        .exhaust = exhaust, .fits = uses_fit, .press_all = press_all};
    struct quorum other = *quorum;
    const char *what;
    uint32_t missing_sum;

    shuffle(seed, &other);
    what = quorum_judge_case(&oracle, quorum, &other, &missing_sum);
    if (what != NULL) {
        return what;
    }
    return more_fits(seed, quorum, missing_sum) ? NULL : "one more person is judged wrongly";
}

static void with_substitutes_every_case_is_as_good_as_the_best_of_all_assignments(void)
{
    uint64_t seed = SEED_OF_CASES;
    uint32_t wrong = 0;
    uint32_t satisfied = 0;
    uint32_t shared = 0;

    for (uint32_t i = 0; i < CASE_COUNT; i++) {
        uint64_t began = seed;
        struct quorum quorum = draw_case(&seed);
        struct quorum_result result;
        const char *what = judge_case(&seed, &quorum);

        quorum_judge(&quorum, &result);
        satisfied += result.satisfied ? 1 : 0;
        for (uint32_t j = 0; j < quorum.person_count; j++) {
            shared += result.uses[j] != QUORUM_NONE && result.uses[j] != j ? 1 : 0;
        }
        if (what != NULL && wrong++ == 0) {
            (void)printf("case %u, seed %llu: %s\n", i, (unsigned long long)began, what);
        }
    }
    CU_ASSERT_EQUAL(wrong, 0);
    CU_ASSERT(satisfied > CASE_COUNT / 10);
    CU_ASSERT(satisfied < CASE_COUNT - CASE_COUNT / 10);
    CU_ASSERT(shared > CASE_COUNT / 5);
    (void)printf("%u cases, %u satisfied, %u places taken in another's place; ", CASE_COUNT,
                 satisfied, shared);
}

/* Ben is of ops and stands in for ana, who is security: he is moved to her place when that helps,
 * and then she cannot take one any more. */
static void a_right_is_used_once(void)
{
    struct quorum quorum = {.need_count = 2, .places = {1, 1}};
    struct quorum_result result;
    uint32_t ana = quorum_add_right(&quorum, 1);
    uint32_t ben = quorum_add_right(&quorum, 2);

    quorum.people[0] = (struct quorum_person){.count = 2, .rights = {ben, ana}};
    quorum.people[1] = (struct quorum_person){.count = 1, .rights = {ana}};
    quorum.person_count = 1;
    CU_ASSERT_EQUAL(quorum_taken(&quorum), 1);
    CU_ASSERT(quorum_helps(&quorum, 2));
    quorum.person_count = 2; /* ana herself: ben counts for ops */
    quorum_judge(&quorum, &result);
    CU_ASSERT(result.satisfied && result.uses[0] == ben && result.uses[1] == ana);
    quorum.may_fill[ben] = 1; /* both are security: of two people who hold one right … */
    quorum.people[0] = (struct quorum_person){.count = 1, .rights = {ana}};
    quorum.places[0] = 2;
    quorum.need_count = 1;
    quorum_judge(&quorum, &result);
    CU_ASSERT(!result.satisfied && result.filled[0] == 1); /* … one counts */
}

/* a stands in for b and b for a: each counts once, and both together twice. */
static void a_circle_is_harmless(void)
{
    struct quorum quorum = {.need_count = 1, .places = {3}};
    struct quorum_result result;
    uint32_t a = quorum_add_right(&quorum, 1);
    uint32_t b = quorum_add_right(&quorum, 1);

    quorum.people[0] = (struct quorum_person){.count = 2, .rights = {a, b}};
    quorum.people[1] = (struct quorum_person){.count = 2, .rights = {b, a}};
    quorum.person_count = 2;
    quorum_judge(&quorum, &result);
    CU_ASSERT(!result.satisfied && result.filled[0] == 2);
}

/* Nothing is asserted of the time: it is the machine's too. */
static void the_worst_case_is_shown(void)
{
    uint64_t seed = SEED_OF_CASES;
    uint64_t worst_us = 0;

    for (uint32_t round = 0; round < WORST_COUNT; round++) {
        struct quorum quorum = {.need_count = CORE_NEED_COUNT_MAX};
        uint64_t began_us;
        uint64_t took_us;
        uint32_t taken = 0;

        for (uint32_t i = 0; i < CORE_NEED_COUNT_MAX; i++) {
            quorum.places[i] = i < 2 ? 2 : 1;
        }
        for (uint32_t i = 0; i < QUORUM_RIGHT_COUNT_MAX; i++) {
            (void)quorum_add_right(&quorum, draw(&seed, 256));
        }
        quorum.person_count = CORE_DECISION_COUNT_MAX;
        for (uint32_t i = 0; i < CORE_DECISION_COUNT_MAX * QUORUM_HOLD_COUNT_MAX; i++) {
            struct quorum_person *person = &quorum.people[i % CORE_DECISION_COUNT_MAX];

            person->rights[person->count++] = i;
        }
        began_us = clock_precise_us();
        for (uint32_t i = 0; i < WORST_REPEATS; i++) {
            taken += quorum_taken(&quorum);
        }
        took_us = clock_precise_us() - began_us;
        CU_ASSERT(taken >= WORST_REPEATS);
        worst_us = took_us > worst_us ? took_us : worst_us;
    }
    (void)printf("%.2f us for the worst of %u cases; ", (double)worst_us / WORST_REPEATS,
                 WORST_COUNT);
}

UNIT_MAIN("rights",
          {"a right is used once", a_right_is_used_once},
          {"a circle is harmless", a_circle_is_harmless},
          {"with substitutes every case is as good as the best of all assignments",
           with_substitutes_every_case_is_as_good_as_the_best_of_all_assignments},
          {"the worst case is shown", the_worst_case_is_shown})
