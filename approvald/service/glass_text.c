/* SPDX-License-Identifier: Apache-2.0 */
/* glass_text.c: what a policy's text says about breaking the glass.
 * Owns how root, people and the channel are told apart.
 * Never judges an id: policy_check does. */
#include "approvald/service/glass_text.h"

#include "approvald/core/policy.h"

#include "base/conf.h"

static enum err_code take_name(struct policy_glass *glass, struct span name, struct err *err)
{
    if (span_is(name, "root")) {
        glass->root = true;
        return ERR_OK;
    }
    if (glass->user_count == CORE_GLASS_USER_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "break_glass: at most %d people",
                       CORE_GLASS_USER_COUNT_MAX);
    }
    glass->users[glass->user_count++] = name;
    return ERR_OK;
}

static enum err_code take_tell(struct policy_glass *glass, struct span id, struct err *err)
{
    if (slack_user_is_valid(id)) {
        if (glass->tell_count == CORE_GLASS_TELL_COUNT_MAX) {
            return err_set(err, ERR_INVALID, "break_glass_tell: at most %d people; use a channel",
                           CORE_GLASS_TELL_COUNT_MAX);
        }
        glass->tells[glass->tell_count++] = id;
        return ERR_OK;
    }
    if (glass->channel.size > 0) {
        return err_set(err, ERR_INVALID,
                       "break_glass_tell: at most one channel, and \"%.*s\" is no id of a person "
                       "(U…, W…)",
                       SPAN_ARGS(id));
    }
    glass->channel = id;
    return ERR_OK;
}

enum err_code
glass_text_read(const struct conf_section *section, struct policy *policy, struct err *err)
{
    size_t name_count = conf_list_count(section, "break_glass");
    size_t tell_count = conf_list_count(section, "break_glass_tell");
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < name_count; i++) {
        rc = take_name(&policy->glass, span_text(conf_list(section, "break_glass", i)), err);
    }
    for (size_t i = 0; rc == ERR_OK && i < tell_count; i++) {
        rc = take_tell(&policy->glass, span_text(conf_list(section, "break_glass_tell", i)), err);
    }
    return rc;
}
