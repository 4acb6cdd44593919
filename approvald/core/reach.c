/* SPDX-License-Identifier: Apache-2.0 */
/* reach.c: are enough people named beside those who ask?
 * Owns Hall's condition for a request: of every set of needs, as many people as they want.
 * Never looks into a group: what it cannot know it takes for enough. */
#include "approvald/core/reach.h"

#include "approvald/core/eligible.h"
#include "approvald/core/needs.h"

#include "base/assert.h"

/* Whom time adds to the policy's people, for every need. */
struct later {
    bool any; /* a group of them: any number */
    uint32_t count;
    const struct span *users;
};

static struct later later_of(const struct policy *policy, const struct request *request)
{
    const struct policy_clocks *clocks = &policy->clocks;
    bool asked = clocks->escalate_after_ms > 0 &&
                 clocks->escalate_after_ms < request->expires_ms - request->created_ms;

    return (struct later){.any = asked && clocks->escalate_group_count > 0,
                          .count = asked ? clocks->escalate_user_count : 0,
                          .users = clocks->escalate_users};
}

static bool contains(const struct span *spans, uint32_t count, struct span span)
{
    for (uint32_t i = 0; i < count; i++) {
        if (span_equal(spans[i], span)) {
            return true;
        }
    }
    return false;
}

/* Those of the policy's people in the bit set, and those of later, who may decide this request. */
static uint32_t count_people(const struct policy *policy,
                             const struct request *request,
                             const struct later *later,
                             uint64_t users)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < policy->user_count; i++) {
        struct span user = policy->users[i];
        bool named = (users >> i & 1) != 0 || contains(later->users, later->count, user);

        count += named && (policy->self_approval || !request_is_of(request, user)) ? 1 : 0;
    }
    for (uint32_t i = 0; i < later->count; i++) {
        struct span user = later->users[i];

        count += !contains(policy->users, policy->user_count, user) &&
                         (policy->self_approval || !request_is_of(request, user))
                     ? 1
                     : 0;
    }
    return count;
}

/* The needs of the bit set that are of the alternative want no more people than there are. */
static bool set_is_possible(const struct policy *policy,
                            const struct request *request,
                            const struct later *later,
                            uint32_t alternative,
                            uint32_t set)
{
    uint64_t users = 0;
    uint32_t wanted = 0;

    for (uint32_t i = 0; i < policy->need_count; i++) {
        const struct policy_need *need = &policy->needs[i];

        if ((set >> i & 1) == 0 || need->need.alternative != alternative) {
            continue;
        }
        if (need->groups != 0) {
            return true;
        }
        users |= need->users;
        wanted += need->need.quorum;
    }
    return wanted <= count_people(policy, request, later, users);
}

static bool alternative_is_possible(const struct policy *policy,
                                    const struct request *request,
                                    const struct later *later,
                                    uint32_t alternative)
{
    bool possible = true;

    for (uint32_t set = 1; possible && set < UINT32_C(1) << policy->need_count; set++) {
        possible = set_is_possible(policy, request, later, alternative, set);
    }
    return possible;
}

bool reach_is_possible(const struct policy *policy, const struct request *request)
{
    struct later later = later_of(policy, request);
    bool possible = later.any;
    uint32_t last;

    if (possible) {
        return true;
    }
    if (policy->need_count == 0) {
        return policy->group_count > 0 ||
               policy->quorum <= count_people(policy, request, &later, UINT64_MAX);
    }
    last = policy->needs[policy->need_count - 1].need.alternative;
    for (uint32_t alternative = 0; !possible && alternative <= last; alternative++) {
        possible = alternative_is_possible(policy, request, &later, alternative);
    }
    return possible;
}
