/* SPDX-License-Identifier: Apache-2.0 */
/* approval_effects.c: what a move of a request makes visible.
 * Owns the bounds of the effects, and in which channels a request has its cards.
 * Never moves anything, never words anything. */
#include "approvald/core/approval_internal.h"

#include "approvald/core/needs.h"
#include "approvald/core/policy.h"
#include "approvald/core/policy_routes.h"
#include "base/assert.h"

#include <stdio.h>

uint32_t effects_audit(struct approval_effects *effects,
                       enum audit_action action,
                       bool by_system,
                       struct span detail)
{
    uint32_t index = effects->audit_count;

    ASSERT(index < APPROVAL_AUDIT_COUNT_MAX);
    effects->audits[index] =
        (struct approval_audit){.action = action, .by_system = by_system, .detail = detail};
    effects->audit_count++;
    return index;
}

struct span effects_people(struct approval_effects *effects)
{
    const struct request *request = &effects->after;
    struct span principals[CORE_DECISION_COUNT_MAX];
    bool behalf = false;
    size_t size = 0;

    needs_principals(request, request->decision_count, principals);
    for (uint32_t i = 0; i < request->decision_count; i++) {
        const struct decision *decision = &request->decisions[i];
        int more;

        if (decision->verdict != VERDICT_APPROVE) {
            continue;
        }
        behalf = behalf || principals[i].size > 0;
        more = snprintf(effects->people + size, sizeof effects->people - size, "%s%.*s%s%.*s",
                        size > 0 ? ", " : "", SPAN_ARGS(decision->user),
                        principals[i].size > 0 ? " for " : "", SPAN_ARGS(principals[i]));
        ASSERT(more > 0 && (size_t)more < sizeof effects->people - size);
        size += (size_t)more;
    }
    return behalf ? span_of(effects->people, size) : SPAN_NONE;
}

bool request_is_in_channel(const struct request *request, const struct policy *policy)
{
    struct span channels[CORE_CHANNEL_COUNT_MAX];

    return !request->unposted && policy_channels(policy, channels) > 0;
}

bool request_is_direct(const struct request *request, const struct policy *policy)
{
    return policy->direct_approvers || request->unposted;
}

static void add_raise(struct approval_effects *effects, struct approval_raise raise)
{
    if (raise.target.size > 0) {
        ASSERT(effects->raise_count < APPROVAL_RAISE_COUNT_MAX);
        effects->raises[effects->raise_count++] = raise;
    }
}

static uint32_t
add_channel(struct span channel, struct span channels[APPROVAL_CHANNEL_COUNT_MAX], uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (span_equal(channels[i], channel)) {
            return count;
        }
    }
    if (channel.size > 0) {
        channels[count++] = channel;
    }
    return count;
}

uint32_t approval_channels(const struct request *request,
                           const struct policy *policy,
                           struct span ret_channels[APPROVAL_CHANNEL_COUNT_MAX])
{
    uint32_t count = policy_channels(policy, ret_channels);

    if (request->clocks.escalated_ms > 0) {
        count = add_channel(policy->clocks.escalate_channel, ret_channels, count);
    }
    if (request->glass.at_ms > 0) {
        count = add_channel(policy->glass.channel, ret_channels, count);
    }
    return count;
}

void effects_cards(struct approval_effects *effects, const struct policy *policy)
{
    struct span channels[APPROVAL_CHANNEL_COUNT_MAX];
    uint32_t count = approval_channels(&effects->after, policy, channels);

    for (uint32_t i = 0; i < count; i++) {
        add_raise(effects, (struct approval_raise){.surface = SURFACE_CARD, .target = channels[i]});
    }
    effects->copies = request_is_direct(&effects->after, policy);
}

void effects_ask(struct approval_effects *effects, const struct policy *policy)
{
    if (request_is_direct(&effects->after, policy)) {
        add_raise(effects, (struct approval_raise){.surface = SURFACE_PEOPLE,
                                                   .target = SPAN_LITERAL(ROUTE_TARGET)});
    }
}

void effects_remind(struct approval_effects *effects, const struct policy *policy, uint32_t audit)
{
    effects->reminds = request_is_direct(&effects->after, policy);
    effects->remind_audit = audit;
}

void effects_entries(struct approval_effects *effects,
                     const struct policy *policy,
                     uint32_t audit,
                     struct span user,
                     struct span text)
{
    struct span channels[APPROVAL_CHANNEL_COUNT_MAX];
    uint32_t count = approval_channels(&effects->after, policy, channels);

    for (uint32_t i = 0; i < count; i++) {
        add_raise(effects, (struct approval_raise){.surface = SURFACE_THREAD,
                                                   .target = channels[i],
                                                   .audit = audit,
                                                   .user = user,
                                                   .text = text});
    }
}

void effects_card(struct approval_effects *effects,
                  const struct policy *policy,
                  uint32_t audit,
                  struct span user,
                  struct span text)
{
    effects_cards(effects, policy);
    effects_entries(effects, policy, audit, user, text);
}

void effects_webhooks(struct approval_effects *effects,
                      const struct policy *policy,
                      uint32_t audit,
                      struct span user,
                      struct span text)
{
    for (uint32_t i = 0; i < policy->webhook_count; i++) {
        add_raise(effects, (struct approval_raise){.surface = SURFACE_WEBHOOK,
                                                   .target = policy->webhooks[i],
                                                   .audit = audit,
                                                   .user = user,
                                                   .text = text});
    }
}

void effects_direct(struct approval_effects *effects, const struct policy *policy)
{
    const struct request *request = &effects->after;
    bool other = slack_user_is_valid(request->asker) &&
                 !span_equal(request->asker, request->requester); /* he asked for somebody else */

    if (policy->direct_requester || !request_is_in_channel(request, policy)) {
        add_raise(effects,
                  (struct approval_raise){.surface = SURFACE_DIRECT, .target = request->requester});
        add_raise(effects, (struct approval_raise){.surface = SURFACE_DIRECT,
                                                   .target = other ? request->asker : SPAN_NONE});
    }
}

void effects_tell(struct approval_effects *effects, const struct policy *policy)
{
    for (uint32_t i = 0; i < policy->glass.tell_count; i++) {
        add_raise(effects, (struct approval_raise){.surface = SURFACE_DIRECT,
                                                   .target = policy->glass.tells[i]});
    }
}
