/* SPDX-License-Identifier: Apache-2.0 */
/* explain.c: who could approve a request as it stands, and why.
 * Owns the look at the request with and without its escalation.
 * Never decides, never judges by rules of its own: all are eligible.c's. */
#include "approvald/core/explain.h"

#include "approvald/core/eligible.h"
#include "approvald/core/rights.h"
#include "base/assert.h"

/* The request as it is, and as it would be otherwise. */
static enum refusal check(const struct request *request,
                          const struct policy *policy,
                          const struct approval_event *event,
                          uint64_t escalated_ms,
                          bool *ret_unknown)
{
    struct request other = *request;

    other.clocks.escalated_ms = escalated_ms;
    return eligible_check(&other, policy, event, ret_unknown);
}

/* Will it be escalated at all? */
static bool is_to_be_escalated(const struct request *request)
{
    return request->state == REQUEST_PENDING && request->clocks.escalate_ms > 0 &&
           request->clocks.escalate_ms < request->expires_ms;
}

static void find_rights(const struct request *request,
                        const struct policy *policy,
                        const struct approval_event *event,
                        struct explanation *explanation)
{
    struct request then = *request;
    struct rights rights;

    if (explanation->from_ms > 0) {
        then.clocks.escalated_ms = explanation->from_ms;
    }
    rights_find(&then, policy, event, &rights);
    explanation->needs = rights.own;
    explanation->behalf_count = rights.behalf_count;
    for (uint32_t i = 0; i < rights.behalf_count; i++) {
        explanation->behalfs[i] = rights.behalfs[i];
    }
}

void explain_approval(const struct request *request,
                      const struct policy *policy,
                      struct span user,
                      const struct facts *facts,
                      uint64_t now_ms,
                      struct explanation *ret_explanation)
{
    const struct approval_event event = {
        .kind = APPROVAL_DECIDE,
        .now_ms = now_ms,
        .actor = {.kind = ACTOR_PERSON, .via = VIA_API, .user = user},
        .verdict = VERDICT_APPROVE,
        .facts = facts};
    uint64_t escalated_ms = request->clocks.escalated_ms;
    struct explanation found = {.refusal = REFUSAL_NONE};
    bool unknown = false;

    found.refusal = check(request, policy, &event, escalated_ms, &found.unknown);
    if (found.refusal == REFUSAL_NONE && escalated_ms > 0) {
        found.by_escalation = check(request, policy, &event, 0, &unknown) != REFUSAL_NONE;
    } else if (found.refusal != REFUSAL_NONE && is_to_be_escalated(request) &&
               check(request, policy, &event, request->clocks.escalate_ms, &unknown) ==
                   REFUSAL_NONE) {
        found.from_ms = request->clocks.escalate_ms;
        found.by_escalation = true;
        found.unknown = unknown;
    }
    if (found.refusal == REFUSAL_NONE || found.from_ms > 0) {
        find_rights(request, policy, &event, &found);
    }
    ASSERT(found.from_ms == 0 || found.refusal != REFUSAL_NONE);
    *ret_explanation = found;
}
