/* SPDX-License-Identifier: Apache-2.0 */
/* policy_glass.c: what a policy says about breaking the glass.
 * Owns its limits and the words for them; that nobody may break it unheard.
 * Never judges a person: glass.c does. */
#include "approvald/core/policy_glass.h"
#include "approvald/core/policy_routes.h"

#include "approvald/core/policy.h"

#include "base/assert.h"
#include "base/buf.h"

static enum err_code check_tells(const struct policy *policy, struct err *err)
{
    const struct policy_glass *glass = &policy->glass;
    enum err_code rc;

    if (glass->tell_count > CORE_GLASS_TELL_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "break_glass_tell: at most %d people; use a channel",
                       CORE_GLASS_TELL_COUNT_MAX);
    }
    rc = policy_check_ids(glass->tells, glass->tell_count, slack_user_is_valid,
                          "a Slack user id (U… or W…)", err);
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "break_glass_tell");
    }
    if (glass->channel.size > 0 && !slack_channel_is_valid(glass->channel)) {
        return err_set(err, ERR_INVALID,
                       "break_glass_tell: \"%.*s\" is no Slack id of a person (U…, W…) or a "
                       "channel (C…, G…)",
                       SPAN_ARGS(glass->channel));
    }
    if (glass->channel.size > 0 && policy_has_channel(policy, glass->channel)) {
        return err_set(err, ERR_INVALID, "break_glass_tell: the card is in channel %.*s already",
                       SPAN_ARGS(glass->channel));
    }
    return ERR_OK;
}

static bool may_break(const struct policy_glass *glass, struct span user)
{
    for (uint32_t i = 0; i < glass->user_count; i++) {
        if (span_equal(glass->users[i], user)) {
            return true;
        }
    }
    return false;
}

/* Would somebody hear of it who could not have done it himself? Members of a channel would. */
static bool is_heard(const struct policy *policy)
{
    const struct policy_glass *glass = &policy->glass;
    bool heard = policy->channel.size > 0 || glass->channel.size > 0;

    for (uint32_t i = 0; i < glass->tell_count && !heard; i++) {
        heard = !may_break(glass, glass->tells[i]);
    }
    return heard;
}

enum err_code policy_glass_check(const struct policy *policy, struct err *err)
{
    const struct policy_glass *glass = &policy->glass;
    bool somebody = glass->root || glass->user_count > 0;
    bool told = glass->channel.size > 0 || glass->tell_count > 0;
    enum err_code rc;

    if (glass->user_count > CORE_GLASS_USER_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "break_glass: at most %d people",
                       CORE_GLASS_USER_COUNT_MAX);
    }
    rc = policy_check_ids(glass->users, glass->user_count, slack_user_is_valid,
                          "a Slack user id (U… or W…) or \"root\"; a user group cannot be named",
                          err);
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "break_glass");
    }
    if (told && !somebody) {
        return err_set(err, ERR_INVALID, "break_glass: say who may break the glass");
    }
    rc = check_tells(policy, err);
    if (rc == ERR_OK && somebody && !is_heard(policy)) {
        return err_set(err, ERR_INVALID,
                       "break_glass_tell: name a channel, or somebody who is not in break_glass: "
                       "nobody else would hear of it, and this policy has no channel");
    }
    return rc;
}

enum field { FIELD_GLASS, FIELD_TELL };

static const char *const field_names[] = {
    [FIELD_GLASS] = "break_glass",
    [FIELD_TELL] = "break_glass_tell",
};

static_assert(sizeof field_names / sizeof field_names[0] == POLICY_GLASS_FIELD_COUNT,
              "every field has its name");

const char *policy_glass_field_name(size_t index)
{
    ASSERT(index < POLICY_GLASS_FIELD_COUNT);
    return field_names[index];
}

enum err_code policy_glass_field_format(const struct policy_glass *glass,
                                        size_t index,
                                        struct buf *buf,
                                        struct err *err)
{
    static const struct span root = {.data = "root", .size = 4};
    enum err_code rc = ERR_OK;

    ASSERT(index < POLICY_GLASS_FIELD_COUNT);
    switch ((enum field)index) {
    case FIELD_GLASS:
        rc = policy_format_ids(&root, glass->root ? 1 : 0, buf, err);
        return rc == ERR_OK ? policy_format_ids(glass->users, glass->user_count, buf, err) : rc;
    case FIELD_TELL:
        rc = policy_format_ids(&glass->channel, glass->channel.size > 0 ? 1 : 0, buf, err);
        return rc == ERR_OK ? policy_format_ids(glass->tells, glass->tell_count, buf, err) : rc;
    }
    return rc;
}

bool policy_glass_field_is_rule(size_t index)
{
    ASSERT(index < POLICY_GLASS_FIELD_COUNT);
    switch ((enum field)index) {
    case FIELD_GLASS:
        return true;
    case FIELD_TELL:
        break;
    }
    return false;
}

bool policy_glass_field_equal(const struct policy_glass *a,
                              const struct policy_glass *b,
                              size_t index)
{
    ASSERT(index < POLICY_GLASS_FIELD_COUNT);
    switch ((enum field)index) {
    case FIELD_GLASS:
        return a->root == b->root &&
               policy_ids_equal(a->users, a->user_count, b->users, b->user_count);
    case FIELD_TELL:
        return span_equal(a->channel, b->channel) &&
               policy_ids_equal(a->tells, a->tell_count, b->tells, b->tell_count);
    }
    return true;
}
