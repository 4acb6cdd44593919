/* SPDX-License-Identifier: Apache-2.0 */
/* policy_routes.h: in which channels a policy's requests show their cards. Pure. */
#ifndef APPROVALD_CORE_POLICY_ROUTES_H
#define APPROVALD_CORE_POLICY_ROUTES_H

#include "approvald/core/types.h"
#include "base/err.h"

struct buf;

/* All channels of the policy's cards in their order, without those of an escalation and of a broken
 * glass; how many. */
uint32_t policy_channels(const struct policy *policy,
                         struct span ret_channels[CORE_CHANNEL_COUNT_MAX]);
bool policy_has_channel(const struct policy *policy, struct span channel);
/* The parts of policy_check, policy_field_format and policy_field_equal that are about channels. */
enum err_code policy_routes_check(const struct policy *policy, struct err *err) WARN_UNUSED;
enum err_code
policy_channels_format(const struct policy *policy, struct buf *buf, struct err *err) WARN_UNUSED;
bool policy_channels_equal(const struct policy *a, const struct policy *b);

#endif
