/* SPDX-License-Identifier: Apache-2.0 */
/* policy_clocks.c: what a policy says about time.
 * Owns the limits of reminder, escalation and veto window, and the words for them.
 * Never runs a clock: approval_time.c does. */
#include "approvald/core/policy_clocks.h"

#include "approvald/core/policy.h"
#include "approvald/core/policy_routes.h"

#include "base/assert.h"
#include "base/buf.h"

static enum err_code check_ids(const struct policy *policy, struct err *err)
{
    const struct policy_clocks *clocks = &policy->clocks;
    enum err_code rc;

    rc = policy_check_ids(clocks->escalate_users, clocks->escalate_user_count,
                          policy_person_is_valid,
                          "a Slack user id (U… or W…) or an e-mail address in small letters", err);
    if (rc == ERR_OK) {
        rc = policy_check_ids(clocks->escalate_groups, clocks->escalate_group_count,
                              slack_group_is_valid, "a Slack user group id (S…)", err);
    }
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "escalate_to");
    }
    if (policy->group_count + clocks->escalate_group_count > CORE_POLICY_GROUP_COUNT_MAX) {
        return err_set(err, ERR_INVALID,
                       "escalate_to: at most %d user groups together with approvers",
                       CORE_POLICY_GROUP_COUNT_MAX);
    }
    if (clocks->escalate_channel.size == 0) {
        return ERR_OK;
    }
    if (!slack_channel_is_valid(clocks->escalate_channel)) {
        return err_set(err, ERR_INVALID,
                       "escalate_to: \"%.*s\" is no Slack id of a person (U…, W…), a user group "
                       "(S…) or a channel (C…, G…)",
                       SPAN_ARGS(clocks->escalate_channel));
    }
    if (policy_has_channel(policy, clocks->escalate_channel)) {
        return err_set(err, ERR_INVALID, "escalate_to: the card is in channel %.*s already",
                       SPAN_ARGS(clocks->escalate_channel));
    }
    return ERR_OK;
}

static enum err_code
check_before_expiry(const char *name, uint64_t ms, const struct policy *policy, struct err *err)
{
    if (ms != 0 && (ms < CORE_CLOCK_MS_MIN || ms >= policy->expires_after_ms)) {
        return err_set(err, ERR_INVALID, "%s: from 1s to less than expires_after, or 0s for never",
                       name);
    }
    return ERR_OK;
}

enum err_code policy_clocks_check(const struct policy *policy, struct err *err)
{
    const struct policy_clocks *clocks = &policy->clocks;
    uint32_t count = clocks->escalate_user_count + clocks->escalate_group_count;
    bool somebody = count > 0 || clocks->escalate_channel.size > 0;
    enum err_code rc;

    rc = check_before_expiry("remind_before", clocks->remind_before_ms, policy, err);
    if (rc == ERR_OK) {
        rc = check_before_expiry("escalate_after", clocks->escalate_after_ms, policy, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (somebody != (clocks->escalate_after_ms > 0)) {
        return err_set(err, ERR_INVALID,
                       somebody ? "escalate_after: say when escalate_to is asked"
                                : "escalate_to: say who is asked after escalate_after");
    }
    if (clocks->effect_after_ms != 0 && (clocks->effect_after_ms < CORE_CLOCK_MS_MIN ||
                                         clocks->effect_after_ms > CORE_EFFECT_MS_MAX)) {
        return err_set(err, ERR_INVALID, "takes_effect_after: from 1s to 7d, or 0s for at once");
    }
    if (clocks->escalate_user_count > CORE_ESCALATE_USER_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "escalate_to: at most %d people; use a Slack user group",
                       CORE_ESCALATE_USER_COUNT_MAX);
    }
    return check_ids(policy, err);
}

enum field {
    FIELD_REMIND_BEFORE,
    FIELD_ESCALATE_AFTER,
    FIELD_ESCALATE_TO,
    FIELD_EFFECT_AFTER,
    FIELD_RECHECK,
};

static const char *const field_names[] = {
    [FIELD_REMIND_BEFORE] = "remind_before",
    [FIELD_ESCALATE_AFTER] = "escalate_after",
    [FIELD_ESCALATE_TO] = "escalate_to",
    [FIELD_EFFECT_AFTER] = "takes_effect_after",
    [FIELD_RECHECK] = "recheck",
};

static_assert(sizeof field_names / sizeof field_names[0] == POLICY_CLOCKS_FIELD_COUNT,
              "every field has its name");

const char *policy_recheck_word(enum recheck recheck)
{
    switch (recheck) {
    case RECHECK_NONE:
        return "none";
    case RECHECK_STRICT:
        return "strict";
    case RECHECK_RULES:
        return "rules";
    }
    return "";
}

bool policy_clocks_field_is_rule(size_t index)
{
    ASSERT(index < POLICY_CLOCKS_FIELD_COUNT);
    switch ((enum field)index) {
    case FIELD_ESCALATE_AFTER:
    case FIELD_ESCALATE_TO:
    case FIELD_EFFECT_AFTER:
        return true;
    case FIELD_REMIND_BEFORE:
    case FIELD_RECHECK: /* of an approval that is there the pinned version says it */
        break;
    }
    return false;
}

const char *policy_clocks_field_name(size_t index)
{
    ASSERT(index < POLICY_CLOCKS_FIELD_COUNT);
    return field_names[index];
}

static enum err_code
format_escalate_to(const struct policy_clocks *clocks, struct buf *buf, struct err *err)
{
    enum err_code rc;

    rc = policy_format_ids(&clocks->escalate_channel, clocks->escalate_channel.size > 0 ? 1 : 0,
                           buf, err);
    if (rc == ERR_OK) {
        rc = policy_format_ids(clocks->escalate_users, clocks->escalate_user_count, buf, err);
    }
    return rc == ERR_OK
               ? policy_format_ids(clocks->escalate_groups, clocks->escalate_group_count, buf, err)
               : rc;
}

enum err_code policy_clocks_field_format(const struct policy_clocks *clocks,
                                         size_t index,
                                         struct buf *buf,
                                         struct err *err)
{
    ASSERT(index < POLICY_CLOCKS_FIELD_COUNT);
    switch ((enum field)index) {
    case FIELD_REMIND_BEFORE:
        return policy_format_ms(clocks->remind_before_ms, buf, err);
    case FIELD_ESCALATE_AFTER:
        return policy_format_ms(clocks->escalate_after_ms, buf, err);
    case FIELD_ESCALATE_TO:
        return format_escalate_to(clocks, buf, err);
    case FIELD_EFFECT_AFTER:
        return clocks->effect_after_ms == 0 ? buf_append_text(buf, "at once", err)
                                            : policy_format_ms(clocks->effect_after_ms, buf, err);
    case FIELD_RECHECK:
        return buf_append_text(buf, policy_recheck_word(clocks->recheck), err);
    }
    return ERR_OK;
}

bool policy_clocks_field_equal(const struct policy_clocks *a,
                               const struct policy_clocks *b,
                               size_t index)
{
    ASSERT(index < POLICY_CLOCKS_FIELD_COUNT);
    switch ((enum field)index) {
    case FIELD_REMIND_BEFORE:
        return a->remind_before_ms == b->remind_before_ms;
    case FIELD_ESCALATE_AFTER:
        return a->escalate_after_ms == b->escalate_after_ms;
    case FIELD_ESCALATE_TO:
        return span_equal(a->escalate_channel, b->escalate_channel) &&
               policy_ids_equal(a->escalate_users, a->escalate_user_count, b->escalate_users,
                                b->escalate_user_count) &&
               policy_ids_equal(a->escalate_groups, a->escalate_group_count, b->escalate_groups,
                                b->escalate_group_count);
    case FIELD_EFFECT_AFTER:
        return a->effect_after_ms == b->effect_after_ms;
    case FIELD_RECHECK:
        return a->recheck == b->recheck;
    }
    return true;
}
