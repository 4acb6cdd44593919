/* SPDX-License-Identifier: Apache-2.0 */
/* clocks_text.c: what a policy's text says about time.
 * Owns how the ids of escalate_to are told apart.
 * Never judges times and ids: policy_check does. */
#include "approvald/service/clocks_text.h"

#include "approvald/core/email.h"
#include "approvald/core/policy.h"

#include "base/conf.h"

#include <string.h>

static enum err_code take(struct policy_clocks *clocks, struct span id, struct err *err)
{
    if (slack_user_is_valid(id) || email_is_meant(id)) {
        if (clocks->escalate_user_count == CORE_ESCALATE_USER_COUNT_MAX) {
            return err_set(err, ERR_INVALID,
                           "escalate_to: at most %d people; use a Slack user group",
                           CORE_ESCALATE_USER_COUNT_MAX);
        }
        clocks->escalate_users[clocks->escalate_user_count++] = id;
        return ERR_OK;
    }
    if (slack_group_is_valid(id)) {
        if (clocks->escalate_group_count == CORE_POLICY_GROUP_COUNT_MAX) {
            return err_set(err, ERR_INVALID, "escalate_to: at most %d user groups",
                           CORE_POLICY_GROUP_COUNT_MAX);
        }
        clocks->escalate_groups[clocks->escalate_group_count++] = id;
        return ERR_OK;
    }
    if (clocks->escalate_channel.size > 0) {
        return err_set(err, ERR_INVALID,
                       "escalate_to: at most one channel, and \"%.*s\" is neither a person (U…, "
                       "W…, or an e-mail address) nor a user group (S…)",
                       SPAN_ARGS(id));
    }
    clocks->escalate_channel = id;
    return ERR_OK;
}

enum err_code
clocks_text_read(const struct conf_section *section, struct policy *policy, struct err *err)
{
    struct policy_clocks *clocks = &policy->clocks;
    size_t count = conf_list_count(section, "escalate_to");
    const char *recheck;
    enum err_code rc = ERR_OK;

    clocks->remind_before_ms = conf_number(section, "remind_before");
    clocks->escalate_after_ms = conf_number(section, "escalate_after");
    recheck = conf_text(section, "recheck");
    if (strcmp(recheck, "strict") == 0) {
        clocks->recheck = RECHECK_STRICT;
    } else {
        clocks->recheck = strcmp(recheck, "rules") == 0 ? RECHECK_RULES : RECHECK_NONE;
    }
    clocks->effect_after_ms = conf_number(section, "takes_effect_after");
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = take(clocks, span_text(conf_list(section, "escalate_to", i)), err);
    }
    return rc;
}
