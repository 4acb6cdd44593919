/* SPDX-License-Identifier: Apache-2.0 */
/* pending_kit.h: a pending request, as its policy has it, and a press on its card, for tests of the
 * rules. */
#ifndef TESTS_UNIT_PENDING_KIT_H
#define TESTS_UNIT_PENDING_KIT_H

#include "approvald/core/approval.h"

/* Made at now_ms by the token "ci" for U0ASK. It borrows from the policy. */
static inline struct request pending_under(const struct policy *policy, uint64_t now_ms)
{
    struct request request = {.id = {.bytes = {1}},
                              .revision = 1,
                              .state = REQUEST_PENDING,
                              .policy = policy->name,
                              .policy_version = policy->version,
                              .requester = SPAN_LITERAL("U0ASK"),
                              .asker = SPAN_LITERAL("ci"),
                              .title = SPAN_LITERAL("Deploy"),
                              .created_ms = now_ms,
                              .expires_ms = now_ms + policy->expires_after_ms,
                              .quorum = policy->quorum,
                              .rejections = policy->rejections,
                              .need_count = policy->need_count};

    for (uint32_t i = 0; i < policy->need_count; i++) {
        request.needs[i] = policy->needs[i].need;
    }
    return request;
}

/* In Slack, of which the facts are known. */
static inline struct approval_event
press_with(const char *user, enum verdict verdict, uint64_t now_ms, const struct facts *facts)
{
    return (struct approval_event){
        .kind = APPROVAL_DECIDE,
        .now_ms = now_ms,
        .actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = span_text(user)},
        .verdict = verdict,
        .facts = facts};
}

#endif
