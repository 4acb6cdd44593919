/* SPDX-License-Identifier: Apache-2.0 */
/* approval_time_kit.h: a policy with all times, a request under it, events, and one step of the
 * rules, for tests of what time does. */
#ifndef TESTS_UNIT_APPROVAL_TIME_KIT_H
#define TESTS_UNIT_APPROVAL_TIME_KIT_H

#include "approvald/core/approval.h"
#include "approvald/core/elapsed.h"
#include "tests/unit/pending_kit.h"

#define NOW           UINT64_C(1800000000000)
#define SECOND        UINT64_C(1000)
#define EXPIRES_AFTER (600 * SECOND)
#define REMIND_AT     (NOW + 500 * SECOND)
#define ESCALATE_AT   (NOW + 200 * SECOND)
#define WINDOW        (60 * SECOND)

static inline struct policy policy_of(uint32_t quorum)
{
    return (struct policy){
        .name = SPAN_LITERAL("deploy"),
        .version = 3,
        .channel = SPAN_LITERAL("C0CARDS"),
        .quorum = quorum,
        .rejections = 1,
        .direct_requester = true,
        .expires_after_ms = EXPIRES_AFTER,
        .lapses_after_ms = 100 * SECOND,
        .user_count = 3,
        .users = {SPAN_LITERAL("U0ANN"), SPAN_LITERAL("U0BOB"), SPAN_LITERAL("U0ASK")},
        .webhook_count = 1,
        .webhooks = {SPAN_LITERAL("ci")},
        .clocks = {.remind_before_ms = 100 * SECOND,
                   .escalate_after_ms = 200 * SECOND,
                   .effect_after_ms = WINDOW,
                   .escalate_channel = SPAN_LITERAL("C0BOSS"),
                   .escalate_user_count = 1,
                   .escalate_users = {SPAN_LITERAL("U0BOSS")},
                   .escalate_group_count = 1,
                   .escalate_groups = {SPAN_LITERAL("S0BOSS")}}};
}

static inline struct request opened(const struct policy *policy)
{
    struct request request = pending_under(policy, NOW);
    struct approval_effects effects;

    approval_open(&request, policy, &effects);
    return effects.after;
}

static const struct facts known = {.user_known = true};

static inline struct approval_event
press_of(const char *user, enum verdict verdict, uint64_t now_ms)
{
    return press_with(user, verdict, now_ms, &known);
}

static inline struct approval_event time_of(uint64_t now_ms)
{
    return (struct approval_event){.kind = APPROVAL_TIME,
                                   .now_ms = now_ms,
                                   .actor = {.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM}};
}

static inline struct approval_event asker_of(enum approval_kind kind, uint64_t now_ms)
{
    return (struct approval_event){
        .kind = kind,
        .now_ms = now_ms,
        .actor = {.kind = ACTOR_TOKEN, .via = VIA_API, .token = SPAN_LITERAL("ci")}};
}

/* The last step's effects stay: a request borrows from them. */
static struct approval_effects effects;

static inline enum refusal
step(struct request *request, const struct policy *policy, const struct approval_event *event)
{
    struct request before = *request;

    approval_step(&before, policy, event, &effects);
    *request = effects.after;
    return effects.refusal;
}

static inline uint32_t raised(enum surface surface, const char *target)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < effects.raise_count; i++) {
        count += effects.raises[i].surface == surface && span_is(effects.raises[i].target, target);
    }
    return count;
}

static inline uint32_t audited(enum audit_action action)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < effects.audit_count; i++) {
        count += effects.audits[i].action == action;
    }
    return count;
}

#endif
