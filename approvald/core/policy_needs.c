/* SPDX-License-Identifier: Apache-2.0 */
/* policy_needs.c: validity, words and differences of a policy's needs.
 * Owns the limits of needs, rejections and excluded groups.
 * Never looks into a group: how many people are in one changes, and the card shows it. */
#include "approvald/core/needs.h"
#include "approvald/core/policy.h"

#include "base/assert.h"
#include "base/buf.h"

uint32_t policy_fewest(const struct policy *policy)
{
    uint32_t fewest = UINT32_MAX;
    uint32_t sum = 0;

    for (uint32_t i = 0; i < policy->need_count; i++) {
        const struct need *need = &policy->needs[i].need;
        bool last = i + 1 == policy->need_count ||
                    policy->needs[i + 1].need.alternative != need->alternative;

        sum += need->quorum;
        if (last) {
            fewest = sum < fewest ? sum : fewest;
            sum = 0;
        }
    }
    return policy->need_count == 0 ? policy->quorum : fewest;
}

static enum err_code check_need(const struct policy *policy, uint32_t index, struct err *err)
{
    const struct policy_need *need = &policy->needs[index];

    if (!policy_name_is_valid(need->need.name)) {
        return err_set(err, ERR_INVALID,
                       "needs: \"%.*s\" is not a name: a-z, 0-9, '.', '_' and '-'",
                       SPAN_ARGS(need->need.name));
    }
    if (need->need.quorum < 1 || need->need.quorum > CORE_QUORUM_MAX) {
        return err_set(err, ERR_INVALID, "needs: %.*s: from 1 to %d people",
                       SPAN_ARGS(need->need.name), CORE_QUORUM_MAX);
    }
    if (need->users == 0 && need->groups == 0) {
        return err_set(err, ERR_INVALID,
                       "needs: %.*s: name at least one Slack user (U…), user group (S…) or channel "
                       "(C…, G…)",
                       SPAN_ARGS(need->need.name));
    }
    for (uint32_t i = 0; i < index; i++) {
        const struct need *other = &policy->needs[i].need;

        if (other->alternative == need->need.alternative &&
            span_equal(other->name, need->need.name)) {
            return err_set(err, ERR_INVALID, "needs: \"%.*s\" is given twice",
                           SPAN_ARGS(other->name));
        }
    }
    return ERR_OK;
}

static uint32_t count_bits(uint64_t bits)
{
    uint32_t count = 0;

    for (; bits != 0; bits &= bits - 1) {
        count++;
    }
    return count;
}

/* The alternative of the first need in the set. */
static uint32_t alternative_of(const struct policy *policy, uint32_t set)
{
    uint32_t first = 0;

    while ((set >> first & 1) == 0) {
        first++;
    }
    return policy->needs[first].need.alternative;
}

/* Hall's condition for one set of needs of one alternative: those whom they name are at least as
 * many as they want. A group may have any number of members. */
static enum err_code check_set(const struct policy *policy, uint32_t set, struct err *err)
{
    uint64_t users = 0;
    uint32_t wanted = 0;
    uint32_t named;
    struct span first = SPAN_NONE;

    for (uint32_t i = 0; i < policy->need_count; i++) {
        const struct policy_need *need = &policy->needs[i];

        if ((set >> i & 1) == 0) {
            continue;
        }
        if (need->groups != 0 || need->need.alternative != alternative_of(policy, set)) {
            return ERR_OK;
        }
        first = wanted == 0 ? need->need.name : first;
        users |= need->users;
        wanted += need->need.quorum;
    }
    named = count_bits(users);
    /* Who asks may be one of the named; where two needs name one person each, he just cannot ask.
     */
    if (count_bits(set) == 1 && named > 1 && !policy->self_approval) {
        named--;
    }
    if (wanted > named) {
        return err_set(err, ERR_INVALID,
                       "needs: %.*s%s: %u approvals cannot be reached by the %u different people "
                       "named (one of them may be the requester); name more, or want fewer",
                       SPAN_ARGS(first), count_bits(set) > 1 ? " and others" : "", wanted,
                       count_bits(users));
    }
    return ERR_OK;
}

static enum err_code check_needs(const struct policy *policy, struct err *err)
{
    uint32_t sum = 0;
    enum err_code rc = ERR_OK;

    if (policy->need_count > CORE_NEED_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "needs: at most %d", CORE_NEED_COUNT_MAX);
    }
    for (uint32_t i = 0; rc == ERR_OK && i < policy->need_count; i++) {
        rc = check_need(policy, i, err);
        sum += policy->needs[i].need.quorum;
    }
    if (rc == ERR_OK && sum > CORE_QUORUM_MAX) {
        return err_set(err, ERR_INVALID, "needs: at most %d people in all of them together",
                       CORE_QUORUM_MAX);
    }
    for (uint32_t set = 1; rc == ERR_OK && set < UINT32_C(1) << policy->need_count; set++) {
        rc = check_set(policy, set, err);
    }
    if (rc == ERR_OK && policy->need_count > 0 && policy->quorum != policy_fewest(policy)) {
        return err_set(err, ERR_INVALID, "quorum: leave it out; each need says how many");
    }
    return rc;
}

static enum err_code check_rejections(const struct policy *policy, struct err *err)
{
    uint32_t reach = policy->user_count;

    if (policy->rejections < 1 || policy->rejections > CORE_REJECTIONS_MAX) {
        return err_set(err, ERR_INVALID, "rejections: from 1 to %d", CORE_REJECTIONS_MAX);
    }
    if (reach > 1 && !policy->self_approval) {
        reach--;
    }
    if (policy->group_count == 0 && policy->rejections > reach) {
        return err_set(err, ERR_INVALID,
                       "rejections: %u cannot be reached by %u people (one of them may be the "
                       "requester)",
                       policy->rejections, policy->user_count);
    }
    return ERR_OK;
}

static enum err_code check_excludes(const struct policy *policy, struct err *err)
{
    struct span groups[2 * CORE_POLICY_GROUP_COUNT_MAX];
    enum err_code rc = policy_check_ids(policy->excludes, policy->exclude_count,
                                        slack_group_is_valid, "a Slack user group id (S…)", err);

    if (rc != ERR_OK) {
        return err_wrap(err, rc, "exclude_requester_groups");
    }
    if (needs_groups(policy, groups) > CORE_POLICY_GROUP_COUNT_MAX) {
        return err_set(err, ERR_INVALID,
                       "exclude_requester_groups: at most %d groups, those of the approvers "
                       "included",
                       CORE_POLICY_GROUP_COUNT_MAX);
    }
    return ERR_OK;
}

enum err_code policy_needs_check(const struct policy *policy, struct err *err)
{
    enum err_code rc;

    ASSERT(policy->group_count <= CORE_POLICY_GROUP_COUNT_MAX);
    if (policy->exclude_count > CORE_POLICY_GROUP_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "exclude_requester_groups: at most %d",
                       CORE_POLICY_GROUP_COUNT_MAX);
    }
    rc = check_needs(policy, err);
    if (rc == ERR_OK) {
        rc = check_rejections(policy, err);
    }
    return rc == ERR_OK ? check_excludes(policy, err) : rc;
}

static enum err_code
format_names(const struct policy *policy, uint32_t index, struct buf *buf, struct err *err)
{
    const struct policy_need *need = &policy->needs[index];
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < policy->group_count; i++) {
        if ((need->groups >> i & 1) != 0) {
            rc = buf_append_format(buf, err, " %.*s", SPAN_ARGS(policy->groups[i]));
        }
    }
    for (uint32_t i = 0; rc == ERR_OK && i < policy->user_count; i++) {
        if ((need->users >> i & 1) != 0) {
            rc = buf_append_format(buf, err, " %.*s", SPAN_ARGS(policy->users[i]));
        }
    }
    return rc;
}

enum err_code policy_needs_format(const struct policy *policy, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < policy->need_count; i++) {
        const struct need *need = &policy->needs[i].need;
        const char *between = ", ";

        if (i > 0 && need->alternative != policy->needs[i - 1].need.alternative) {
            between = ", or, ";
        }
        rc = buf_append_format(buf, err, "%s%.*s: %u of", i == 0 ? "" : between,
                               SPAN_ARGS(need->name), need->quorum);
        if (rc == ERR_OK) {
            rc = format_names(policy, i, buf, err);
        }
    }
    return rc;
}

bool policy_needs_equal(const struct policy *a, const struct policy *b)
{
    bool equal = a->need_count == b->need_count;

    for (uint32_t i = 0; equal && i < a->need_count; i++) {
        const struct policy_need *left = &a->needs[i];
        const struct policy_need *right = &b->needs[i];

        equal = span_equal(left->need.name, right->need.name) &&
                left->need.quorum == right->need.quorum &&
                left->need.alternative == right->need.alternative && left->users == right->users &&
                left->groups == right->groups;
    }
    return equal;
}
