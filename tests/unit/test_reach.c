/* SPDX-License-Identifier: Apache-2.0 */
/* test_reach.c: proves approvald/core/reach, also against brute force over all assignments.
 * Owns nothing but its cases; never asks who somebody is. */
#include "approvald/core/reach.h"
#include "tests/unit/unit.h"

#include <string.h>

#define ANN SPAN_LITERAL("U0ANN")
#define BOB SPAN_LITERAL("U0BOB")
#define CAT SPAN_LITERAL("U0CAT")

static struct request request_of(struct span requester, struct span asker)
{
    return (struct request){
        .requester = requester, .asker = asker, .created_ms = 1000, .expires_ms = 3601000};
}

static bool possible(const struct policy *policy, struct span requester, struct span asker)
{
    struct request request = request_of(requester, asker);

    return reach_is_possible(policy, &request);
}

static void who_asks_and_for_whom_are_missing(void)
{
    struct policy policy = {.quorum = 2, .user_count = 3, .users = {ANN, BOB, CAT}};

    CU_ASSERT(possible(&policy, SPAN_NONE, SPAN_LITERAL("ci")));
    CU_ASSERT(possible(&policy, ANN, SPAN_LITERAL("ci")));
    CU_ASSERT_FALSE(possible(&policy, ANN, BOB));
    CU_ASSERT(possible(&policy, SPAN_LITERAL("U0DAN"), BOB));
    policy.self_approval = true;
    CU_ASSERT(possible(&policy, ANN, BOB));
    policy.self_approval = false;
    policy.group_count = 1;
    CU_ASSERT(possible(&policy, ANN, BOB)); /* anybody may be in it */
    policy.group_count = 0;
    policy.users[2] = SPAN_LITERAL("cat@acme.example"); /* may be one of them, or not */
    CU_ASSERT_FALSE(possible(&policy, ANN, BOB));
    CU_ASSERT(possible(&policy, ANN, SPAN_NONE));
}

static void who_is_asked_later_counts_when_there_is_time(void)
{
    struct policy policy = {.quorum = 1,
                            .user_count = 1,
                            .users = {ANN},
                            .clocks = {.escalate_after_ms = 60000,
                                       .escalate_user_count = 2,
                                       .escalate_users = {ANN, BOB}}};

    CU_ASSERT(possible(&policy, ANN, SPAN_NONE));
    CU_ASSERT_FALSE(possible(&policy, ANN, BOB));
    policy.clocks.escalate_group_count = 1;
    CU_ASSERT(possible(&policy, ANN, BOB));
    policy.clocks.escalate_after_ms = 3600000; /* it has expired by then */
    CU_ASSERT_FALSE(possible(&policy, ANN, SPAN_NONE));
}

static void one_alternative_is_enough(void)
{
    struct policy policy = {.user_count = 3,
                            .users = {ANN, BOB, CAT},
                            .need_count = 3,
                            .needs = {{.need = {.quorum = 1}, .users = 1},
                                      {.need = {.quorum = 1}, .users = 3},
                                      {.need = {.quorum = 1, .alternative = 1}, .users = 4}}};

    CU_ASSERT(possible(&policy, CAT, SPAN_NONE)); /* the first one */
    CU_ASSERT(possible(&policy, ANN, SPAN_NONE)); /* the other one */
    CU_ASSERT_FALSE(possible(&policy, ANN, CAT));
    CU_ASSERT_FALSE(possible(&policy, BOB, CAT)); /* Ann fills one of the two */
    policy.needs[1].groups = 1;
    CU_ASSERT(possible(&policy, BOB, CAT));
}

/* Knuth's MMIX: the same cases each time. */
static uint32_t draw(uint64_t *state)
{
    *state = *state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(*state >> 33);
}

/* Every way to give each person to one of his needs, or to none. */
static bool some_way(const struct policy *policy, const struct request *request)
{
    uint32_t ways = 1;

    for (uint32_t i = 0; i < policy->user_count; i++) {
        ways *= policy->need_count + 1;
    }
    for (uint32_t way = 0; way < ways; way++) {
        uint32_t got[CORE_NEED_COUNT_MAX] = {0};
        bool missing[2] = {false, true};
        uint32_t left = way;

        for (uint32_t i = 0; i < policy->user_count; i++) {
            uint32_t need = left % (policy->need_count + 1);

            left /= policy->need_count + 1;
            if (need < policy->need_count && (policy->needs[need].users >> i & 1) != 0 &&
                !span_equal(policy->users[i], request->requester) &&
                !span_equal(policy->users[i], request->asker)) {
                got[need]++;
            }
        }
        for (uint32_t i = 0; i < policy->need_count; i++) {
            uint32_t alternative = policy->needs[i].need.alternative;

            if (alternative == 1 && policy->needs[i - 1].need.alternative == 0) {
                missing[1] = false; /* there is one */
            }
            missing[alternative] = missing[alternative] || got[i] < policy->needs[i].need.quorum;
        }
        if (!missing[0] || !missing[1]) {
            return true;
        }
    }
    return false;
}

static void it_is_as_brute_force_says(void)
{
    static const char *const names[] = {"U0A", "U0B", "U0C", "U0D", "U0E"};
    uint64_t state = 7;
    uint32_t no = 0;

    for (int round = 0; round < 20000; round++) {
        struct policy policy = {.user_count = 5};
        struct request request;

        for (uint32_t i = 0; i < 5; i++) {
            policy.users[i] = span_text(names[i]);
        }
        policy.need_count = 1 + draw(&state) % 3;
        for (uint32_t i = 0; i < policy.need_count; i++) {
            struct policy_need *need = &policy.needs[i];

            need->need.quorum = 1 + draw(&state) % 2;
            need->users = 1 + draw(&state) % 31;
            need->need.alternative = i == 0                                      ? 0
                                     : policy.needs[i - 1].need.alternative == 1 ? 1
                                                                                 : draw(&state) % 2;
        }
        request =
            request_of(span_text(names[draw(&state) % 5]), span_text(names[draw(&state) % 5]));
        no += some_way(&policy, &request) ? 0 : 1;
        CU_ASSERT_EQUAL(reach_is_possible(&policy, &request), some_way(&policy, &request));
    }
    CU_ASSERT(no > 1000 && no < 19000); /* both answers are met often */
}

UNIT_MAIN("reach",
          {"who asks and for whom are missing", who_asks_and_for_whom_are_missing},
          {"who is asked later counts when there is time",
           who_is_asked_later_counts_when_there_is_time},
          {"one alternative is enough", one_alternative_is_enough},
          {"it is as brute force says", it_is_as_brute_force_says})
