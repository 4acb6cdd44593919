/* SPDX-License-Identifier: Apache-2.0 */
/* needs.c: a request's needs, and who may fill them.
 * Owns the one need that stands for none.
 * Never guesses: a membership that is not known is neither. */
#include "approvald/core/needs.h"

#include "approvald/core/email.h"

#include "base/assert.h"

#include <string.h>

/* Whose the quorum's rights are. */
struct owners {
    struct span users[QUORUM_RIGHT_COUNT_MAX];
};

/* The right of that person; what it may fill is what was known when it was mentioned first. */
static uint32_t right_of(struct quorum *quorum,
                         struct owners *owners,
                         const struct request *request,
                         const struct behalf *behalf)
{
    uint32_t right = 0;

    while (right < quorum->right_count && !span_equal(owners->users[right], behalf->user)) {
        right++;
    }
    if (right == quorum->right_count) {
        owners->users[right] = behalf->user;
        (void)quorum_add_right(quorum, request->need_count == 0 ? 1 : behalf->needs);
    }
    return right;
}

/* Who stops what is approved uses nothing up: everybody may who may decide. */
static bool is_stop(const struct request *request, uint32_t index)
{
    return request->clocks.effect_ms > 0 && index + 1 == request->decision_count &&
           request->decisions[index].verdict == VERDICT_REJECT;
}

static void add_decider(const struct request *request,
                        uint32_t index,
                        struct quorum *quorum,
                        struct owners *owners,
                        bool *spent)
{
    const struct decision *decision = &request->decisions[index];
    struct quorum_person *person = &quorum->people[index];
    const struct behalf own = {.user = decision->user, .needs = decision->needs};
    bool approves = decision->verdict == VERDICT_APPROVE;

    ASSERT(decision->behalf_count <= CORE_STAND_IN_COUNT_MAX);
    if (is_stop(request, index)) {
        return;
    }
    if (!decision->no_own) {
        person->rights[person->count++] = right_of(quorum, owners, request, &own);
    }
    for (uint32_t i = 0; i < decision->behalf_count; i++) {
        person->rights[person->count++] = right_of(quorum, owners, request, &decision->behalfs[i]);
    }
    for (uint32_t i = 0; !approves && i < person->count; i++) {
        spent[person->rights[i]] = true;
    }
    person->count = approves ? person->count : 0;
}

static void quorum_of(const struct request *request,
                      uint32_t decision_count,
                      struct quorum *ret_quorum,
                      struct owners *owners)
{
    bool spent[QUORUM_RIGHT_COUNT_MAX] = {false};

    ASSERT(decision_count <= request->decision_count);
    ASSERT(decision_count <= CORE_DECISION_COUNT_MAX);
    memset(ret_quorum, 0, sizeof *ret_quorum);
    memset(owners, 0, sizeof *owners);
    ret_quorum->need_count = request->need_count == 0 ? 1 : request->need_count;
    ret_quorum->places[0] = request->quorum;
    for (uint32_t i = 0; i < request->need_count; i++) {
        ret_quorum->places[i] = request->needs[i].quorum;
        ret_quorum->alternatives[i] = request->needs[i].alternative;
    }
    ret_quorum->person_count = decision_count;
    for (uint32_t i = 0; i < decision_count; i++) {
        add_decider(request, i, ret_quorum, owners, spent);
    }
    for (uint32_t right = 0; right < ret_quorum->right_count; right++) {
        ret_quorum->may_fill[right] = spent[right] ? 0 : ret_quorum->may_fill[right];
    }
}

void needs_judge(const struct request *request,
                 uint32_t decision_count,
                 struct quorum_result *ret_result)
{
    struct quorum quorum;
    struct owners owners;

    quorum_of(request, decision_count, &quorum, &owners);
    quorum_judge(&quorum, ret_result);
}

bool needs_helps(const struct request *request, uint32_t may_fill)
{
    struct quorum quorum;
    struct owners owners;

    quorum_of(request, request->decision_count, &quorum, &owners);
    return quorum_helps(&quorum, may_fill);
}

uint32_t needs_taken(const struct request *request)
{
    struct quorum quorum;
    struct owners owners;

    quorum_of(request, request->decision_count, &quorum, &owners);
    return quorum_taken(&quorum);
}

void needs_principals(const struct request *request,
                      uint32_t decision_count,
                      struct span ret_users[CORE_DECISION_COUNT_MAX])
{
    struct quorum quorum;
    struct owners owners;
    struct quorum_result result;

    quorum_of(request, decision_count, &quorum, &owners);
    quorum_judge(&quorum, &result);
    for (uint32_t i = 0; i < decision_count; i++) {
        const struct decision *decision = &request->decisions[i];
        uint32_t right = result.uses[i];
        struct span user = decision->user;

        if (right != QUORUM_NONE) {
            user = owners.users[right];
        } else if (decision->no_own && decision->behalf_count > 0) {
            user = decision->behalfs[0].user;
        }
        ret_users[i] = span_equal(user, decision->user) ? SPAN_NONE : user;
    }
}

uint32_t needs_rejections(const struct request *request, uint32_t decision_count)
{
    uint32_t count = 0;

    ASSERT(decision_count <= request->decision_count);
    for (uint32_t i = 0; i < decision_count; i++) {
        count += request->decisions[i].verdict == VERDICT_REJECT ? 1U : 0U;
    }
    return count;
}

static bool are_ordered(const struct request *request)
{
    uint32_t alternative = 0;
    uint32_t sum = 0;

    for (uint32_t i = 0; i < request->need_count; i++) {
        const struct need *need = &request->needs[i];
        bool next = i > 0 && need->alternative == alternative + 1;

        if (need->quorum < 1 || need->quorum > CORE_QUORUM_MAX ||
            (need->alternative != alternative && !next)) {
            return false;
        }
        alternative = need->alternative;
        sum += need->quorum;
    }
    return sum <= CORE_QUORUM_MAX;
}

static bool fills_something(const struct request *request, uint32_t needs)
{
    return needs >> request->need_count == 0 && (needs == 0) == (request->need_count == 0);
}

/* Who may decide may fill something, by his own right or by another's. */
static bool rights_fit(const struct request *request, const struct decision *decision)
{
    bool fit = decision->no_own ? decision->needs == 0 && decision->behalf_count > 0
                                : fills_something(request, decision->needs);

    if (decision->behalf_count > CORE_STAND_IN_COUNT_MAX ||
        (decision->verdict == VERDICT_REJECT &&
         decision->behalf_count != (decision->no_own ? 1U : 0U))) {
        return false;
    }
    for (uint32_t i = 0; i < decision->behalf_count; i++) {
        const struct behalf *behalf = &decision->behalfs[i];

        fit = fit && behalf->user.size > 0 && !span_equal(behalf->user, decision->user) &&
              fills_something(request, behalf->needs);
        for (uint32_t j = 0; j < i; j++) {
            fit = fit && !span_equal(decision->behalfs[j].user, behalf->user);
        }
    }
    return fit;
}

bool needs_invariant(const struct request *request)
{
    if (request->need_count > CORE_NEED_COUNT_MAX || !are_ordered(request) ||
        request->rejections < 1 || request->rejections > CORE_REJECTIONS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < request->decision_count; i++) {
        if (!rights_fit(request, &request->decisions[i])) {
            return false;
        }
    }
    return true;
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

static enum known in_group(const struct facts *facts, struct span group)
{
    if (facts == NULL) {
        return KNOWN_UNKNOWN;
    }
    if (contains(facts->member, facts->member_count, group)) {
        return KNOWN_YES;
    }
    return contains(facts->known, facts->known_count, group) ? KNOWN_NO : KNOWN_UNKNOWN;
}

/* Is he meant by one of the policy's people: an id, or an e-mail address? */
static enum known is_person(struct span name, struct span user, const struct facts *facts)
{
    if (!email_is_meant(name)) {
        return span_equal(name, user) ? KNOWN_YES : KNOWN_NO;
    }
    if (facts != NULL && contains(facts->emails, facts->email_count, name)) {
        return KNOWN_YES;
    }
    return facts != NULL && facts->emails_known ? KNOWN_NO : KNOWN_UNKNOWN;
}

/* Named by one of the policy's users or groups in the bit sets? */
static enum known named_by(const struct policy *policy,
                           uint64_t users,
                           uint32_t groups,
                           struct span user,
                           const struct facts *facts)
{
    enum known named = KNOWN_NO;

    for (uint32_t i = 0; named != KNOWN_YES && i < policy->user_count; i++) {
        enum known person =
            (users >> i & 1) == 0 ? KNOWN_NO : is_person(policy->users[i], user, facts);

        named = person == KNOWN_NO ? named : person;
    }
    for (uint32_t i = 0; named != KNOWN_YES && i < policy->group_count; i++) {
        enum known member = (groups >> i & 1) == 0 ? KNOWN_NO : in_group(facts, policy->groups[i]);

        named = member == KNOWN_NO ? named : member;
    }
    return named;
}

uint32_t needs_of_person(const struct policy *policy,
                         struct span user,
                         const struct facts *facts,
                         uint32_t *ret_unknown)
{
    uint32_t count = policy->need_count == 0 ? 1 : policy->need_count;
    uint32_t may_fill = 0;

    *ret_unknown = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool any = policy->need_count == 0;
        enum known named = named_by(policy, any ? UINT64_MAX : policy->needs[i].users,
                                    any ? UINT32_MAX : policy->needs[i].groups, user, facts);

        may_fill |= named == KNOWN_YES ? UINT32_C(1) << i : 0;
        *ret_unknown |= named == KNOWN_UNKNOWN ? UINT32_C(1) << i : 0;
    }
    return may_fill;
}

/* Are both in the group? The person first: that of the requester is asked for only when it matters.
 */
static enum known both_in_group(const struct facts *facts, struct span group)
{
    enum known member = in_group(facts, group);

    if (member != KNOWN_YES || !facts->requester_known) {
        return member == KNOWN_NO ? KNOWN_NO : KNOWN_UNKNOWN;
    }
    return contains(facts->requester, facts->requester_count, group) ? KNOWN_YES : KNOWN_NO;
}

static enum known
named_later(const struct policy_clocks *clocks, struct span user, const struct facts *facts)
{
    enum known named = KNOWN_NO;

    for (uint32_t i = 0; named != KNOWN_YES && i < clocks->escalate_user_count; i++) {
        enum known person = is_person(clocks->escalate_users[i], user, facts);

        named = person == KNOWN_NO ? named : person;
    }
    for (uint32_t i = 0; named != KNOWN_YES && i < clocks->escalate_group_count; i++) {
        enum known member = in_group(facts, clocks->escalate_groups[i]);

        named = member == KNOWN_NO ? named : member;
    }
    return named;
}

uint32_t needs_of_decider(const struct request *request,
                          const struct policy *policy,
                          struct span user,
                          const struct facts *facts,
                          uint32_t *ret_unknown)
{
    uint32_t count = policy->need_count == 0 ? 1 : policy->need_count;
    uint32_t all = (UINT32_C(1) << count) - 1;
    uint32_t may_fill = needs_of_person(policy, user, facts, ret_unknown);
    enum known later = KNOWN_NO;

    if (request->clocks.escalated_ms > 0 && may_fill != all) {
        later = named_later(&policy->clocks, user, facts);
    }
    if (later == KNOWN_YES) {
        *ret_unknown = 0;
        return all;
    }
    *ret_unknown |= later == KNOWN_UNKNOWN ? all & ~may_fill : 0;
    return may_fill;
}

enum known
needs_excluded(const struct policy *policy, struct span requester, const struct facts *facts)
{
    enum known excluded = KNOWN_NO;

    if (requester.size == 0) {
        return KNOWN_NO; /* a program asked for itself */
    }
    for (uint32_t i = 0; excluded != KNOWN_YES && i < policy->exclude_count; i++) {
        enum known both = both_in_group(facts, policy->excludes[i]);

        excluded = both == KNOWN_NO ? excluded : both;
    }
    return excluded;
}

void needs_add_requester(const struct span *groups,
                         uint32_t count,
                         const struct facts *requester,
                         struct facts *facts)
{
    ASSERT(count <= CORE_POLICY_GROUP_COUNT_MAX);
    facts->requester_known = true;
    facts->requester_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        enum known member = in_group(requester, groups[i]);

        facts->requester_known = facts->requester_known && member != KNOWN_UNKNOWN;
        if (member == KNOWN_YES) {
            facts->requester[facts->requester_count++] = groups[i];
        }
    }
    facts->requester_count = facts->requester_known ? facts->requester_count : 0;
}

uint32_t needs_groups(const struct policy *policy,
                      struct span ret_groups[2 * CORE_POLICY_GROUP_COUNT_MAX])
{
    const struct policy_clocks *clocks = &policy->clocks;
    uint32_t count = policy->group_count;

    /* policy_check: these two together are no more than one of the lists may have. */
    ASSERT(policy->group_count + clocks->escalate_group_count <= CORE_POLICY_GROUP_COUNT_MAX);
    ASSERT(policy->group_count <= CORE_POLICY_GROUP_COUNT_MAX);
    ASSERT(policy->exclude_count <= CORE_POLICY_GROUP_COUNT_MAX);
    for (uint32_t i = 0; i < count; i++) {
        ret_groups[i] = policy->groups[i];
    }
    for (uint32_t i = 0; i < policy->exclude_count; i++) {
        if (!contains(ret_groups, count, policy->excludes[i])) {
            ret_groups[count++] = policy->excludes[i];
        }
    }
    for (uint32_t i = 0; i < clocks->escalate_group_count; i++) {
        if (!contains(ret_groups, count, clocks->escalate_groups[i])) {
            ret_groups[count++] = clocks->escalate_groups[i];
        }
    }
    return count;
}
