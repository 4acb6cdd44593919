/* SPDX-License-Identifier: Apache-2.0 */
/* policy_routes.c: in which channels a policy's requests show their cards.
 * Owns the order of the channels, the limits of the list and the words for them.
 * Never asks Slack whether a channel exists. */
#include "approvald/core/policy_routes.h"

#include "approvald/core/policy.h"

#include "base/assert.h"

uint32_t policy_channels(const struct policy *policy,
                         struct span ret_channels[CORE_CHANNEL_COUNT_MAX])
{
    uint32_t count = 0;

    ASSERT(policy->more_channel_count < CORE_CHANNEL_COUNT_MAX);
    if (policy->channel.size > 0) {
        ret_channels[count++] = policy->channel;
    }
    for (uint32_t i = 0; i < policy->more_channel_count; i++) {
        ret_channels[count++] = policy->more_channels[i];
    }
    return count;
}

bool policy_has_channel(const struct policy *policy, struct span channel)
{
    struct span channels[CORE_CHANNEL_COUNT_MAX];
    uint32_t count = policy_channels(policy, channels);
    bool found = false;

    for (uint32_t i = 0; i < count; i++) {
        found = found || span_equal(channels[i], channel);
    }
    return found;
}

enum err_code policy_routes_check(const struct policy *policy, struct err *err)
{
    struct span channels[CORE_CHANNEL_COUNT_MAX];
    enum err_code rc;

    if (policy->more_channel_count >= CORE_CHANNEL_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "channels: at most %d", CORE_CHANNEL_COUNT_MAX);
    }
    if (policy->more_channel_count > 0 && policy->channel.size == 0) {
        return err_set(err, ERR_INVALID, "channels: the first one is missing");
    }
    rc = policy_check_ids(channels, policy_channels(policy, channels), slack_channel_is_valid,
                          "a Slack channel id (C… or G…, at the bottom of the channel's details); "
                          "leave it out for no card",
                          err);
    return rc == ERR_OK ? ERR_OK : err_wrap(err, rc, "channel");
}

enum err_code policy_channels_format(const struct policy *policy, struct buf *buf, struct err *err)
{
    struct span channels[CORE_CHANNEL_COUNT_MAX];

    return policy_format_ids(channels, policy_channels(policy, channels), buf, err);
}

bool policy_channels_equal(const struct policy *a, const struct policy *b)
{
    return span_equal(a->channel, b->channel) &&
           policy_ids_equal(a->more_channels, a->more_channel_count, b->more_channels,
                            b->more_channel_count);
}
