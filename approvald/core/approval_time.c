/* SPDX-License-Identifier: Apache-2.0 */
/* approval_time.c: what time does to a request: reminder, escalation, the end of a veto window,
 * expiry, lapse.
 * Owns their order and that each happens once: its time is forgotten in the same step.
 * Never reads a clock: now comes with the event, and how much of it has certainly passed. */
#include "approvald/core/approval_internal.h"
#include "approvald/core/elapsed.h"

#include "base/assert.h"

static uint64_t earlier(uint64_t a_ms, uint64_t b_ms)
{
    return b_ms > 0 && b_ms < a_ms ? b_ms : a_ms;
}

/* What met its quorum in time no longer expires: it takes effect, or is stopped or cancelled. */
static uint64_t pending_ms(const struct request *request)
{
    const struct request_clocks *clocks = &request->clocks;

    if (clocks->effect_ms > 0) {
        return clocks->effect_ms;
    }
    return earlier(earlier(request->expires_ms, clocks->remind_ms), clocks->escalate_ms);
}

uint64_t approval_press_ms(const struct approval_event *event)
{
    ASSERT(event->pressed_ms <= event->now_ms);
    return event->pressed_ms > 0 ? event->pressed_ms : event->now_ms;
}

/* While people may stop it, it does not expire. */
bool request_is_overdue(const struct request *request, uint64_t at_ms)
{
    return request->state == REQUEST_PENDING && request->clocks.effect_ms == 0 &&
           request->expires_ms > 0 && at_ms >= request->expires_ms;
}

bool request_is_delayed(const struct request *request)
{
    return request->state == REQUEST_PENDING && request->clocks.effect_ms > 0;
}

uint64_t approval_deadline_ms(const struct request *request)
{
    if (request->state == REQUEST_PENDING) {
        return pending_ms(request);
    }
    if (request->use == USE_UNUSED && request->lapses_ms > 0) {
        return request->lapses_ms;
    }
    return UINT64_MAX;
}

/* A request that is shorter than a time of its policy goes without. */
void approval_set_clocks(const struct policy *policy, struct request *request)
{
    const struct policy_clocks *clocks = &policy->clocks;
    uint64_t life_ms = request->expires_ms - request->created_ms;

    request->clocks = (struct request_clocks){.remind_ms = 0};
    if (clocks->remind_before_ms > 0 && clocks->remind_before_ms < life_ms) {
        request->clocks.remind_ms = request->expires_ms - clocks->remind_before_ms;
    }
    if (clocks->escalate_after_ms > 0 && clocks->escalate_after_ms < life_ms) {
        request->clocks.escalate_ms = request->created_ms + clocks->escalate_after_ms;
    }
}

void approval_delay(const struct policy *policy,
                    const struct approval_event *event,
                    struct approval_effects *effects)
{
    struct request_clocks *clocks = &effects->after.clocks;
    uint32_t audit;

    ASSERT(policy->clocks.effect_after_ms > 0);
    ASSERT(clocks->effect_ms == 0);
    clocks->effect_from_ms = event->now_ms;
    clocks->effect_ms = event->now_ms + policy->clocks.effect_after_ms;
    audit = effects_audit(effects, AUDIT_DELAYED, true, SPAN_NONE);
    effects_entries(effects, policy, audit, SPAN_NONE, SPAN_NONE);
    effects_direct(effects, policy);
    effects_webhooks(effects, policy, audit, SPAN_NONE, SPAN_NONE);
}

static void take_effect(const struct policy *policy,
                        const struct approval_event *event,
                        struct approval_effects *effects)
{
    uint32_t audit;

    approval_end_approved(policy, event, &effects->after);
    audit = effects_audit(effects, AUDIT_APPROVED, true, effects_people(effects));
    effects_card(effects, policy, audit, SPAN_NONE, SPAN_NONE);
    effects_direct(effects, policy);
    effects_webhooks(effects, policy, audit, SPAN_NONE, SPAN_NONE);
}

/* How much of the window people have not had yet. Its end may have come by the clock; but could
 * they really stop it for so long? */
static uint64_t window_left_ms(const struct request *request, const struct approval_event *event)
{
    const struct request_clocks *clocks = &request->clocks;
    uint64_t window_ms = clocks->effect_ms - clocks->effect_from_ms;
    uint64_t passed_ms;

    ASSERT(clocks->effect_ms > 0);
    if (event->elapsed == NULL) {
        return 0;
    }
    passed_ms = elapsed_since_ms(event->elapsed, clocks->effect_from_ms);
    return passed_ms < window_ms ? window_ms - passed_ms : 0;
}

static void end_window(const struct policy *policy,
                       const struct approval_event *event,
                       struct approval_effects *effects)
{
    struct request_clocks *clocks = &effects->after.clocks;
    uint64_t left_ms = window_left_ms(&effects->after, event);

    if (left_ms == 0) {
        take_effect(policy, event, effects);
        return;
    }
    clocks->effect_from_ms = event->now_ms;
    clocks->effect_ms = event->now_ms + left_ms;
    /* No entry under the card and no event: it may happen any number of times, and their lists are
     * bounded. */
    (void)effects_audit(effects, AUDIT_MOVED, true, SPAN_NONE);
    effects_cards(effects, policy);
    effects_direct(effects, policy);
}

static void expire(const struct policy *policy, uint64_t now_ms, struct approval_effects *effects)
{
    uint32_t audit;

    approval_move_state(&effects->after, REQUEST_EXPIRED, now_ms);
    audit = effects_audit(effects, AUDIT_EXPIRED, true, SPAN_NONE);
    effects_direct(effects, policy);
    effects_card(effects, policy, audit, SPAN_NONE, SPAN_NONE);
    effects_webhooks(effects, policy, audit, SPAN_NONE, SPAN_NONE);
}

static void lapse(const struct policy *policy, struct approval_effects *effects)
{
    uint32_t audit;

    approval_move_use(&effects->after, USE_LAPSED);
    audit = effects_audit(effects, AUDIT_LAPSED, true, SPAN_NONE);
    effects_card(effects, policy, audit, SPAN_NONE, SPAN_NONE);
    effects_webhooks(effects, policy, audit, SPAN_NONE, SPAN_NONE);
}

static void escalate(const struct policy *policy, uint64_t now_ms, struct approval_effects *effects)
{
    struct request_clocks *clocks = &effects->after.clocks;
    uint32_t audit;

    clocks->escalate_ms = 0;
    clocks->escalated_ms = now_ms;
    audit = effects_audit(effects, AUDIT_ESCALATED, true, SPAN_NONE);
    effects_ask(effects, policy);
    effects_card(effects, policy, audit, SPAN_NONE, SPAN_NONE);
    effects_webhooks(effects, policy, audit, SPAN_NONE, SPAN_NONE);
}

static void remind(const struct policy *policy, struct approval_effects *effects)
{
    uint32_t audit;

    effects->after.clocks.remind_ms = 0;
    audit = effects_audit(effects, AUDIT_REMINDED, true, SPAN_NONE);
    effects_entries(effects, policy, audit, SPAN_NONE, SPAN_NONE);
    effects_remind(effects, policy, audit);
    effects_ask(effects, policy); /* who has become one of them since */
    effects_webhooks(effects, policy, audit, SPAN_NONE, SPAN_NONE);
}

/* One of the things that are due. Who is too late for a reminder is not reminded. */
static void move_on(const struct policy *policy,
                    const struct approval_event *event,
                    struct approval_effects *effects)
{
    const struct request *after = &effects->after;
    const struct request_clocks *clocks = &after->clocks;

    if (after->state != REQUEST_PENDING) {
        lapse(policy, effects);
    } else if (clocks->effect_ms > 0) {
        end_window(policy, event, effects);
    } else if (event->now_ms >= after->expires_ms) {
        expire(policy, event->now_ms, effects);
    } else if (clocks->escalate_ms > 0 && event->now_ms >= clocks->escalate_ms) {
        escalate(policy, event->now_ms, effects);
    } else {
        remind(policy, effects);
    }
    effects->changed = true;
    effects->after.revision++;
}

/* How long the press has kept the end waiting; less where the time of records jumped over both. */
static uint64_t held_ms(const struct approval_event *event, uint64_t came_ms, uint64_t end_ms)
{
    uint64_t end_since_ms;
    uint64_t came_since_ms;

    if (event->elapsed == NULL) {
        return event->now_ms - end_ms;
    }
    end_since_ms = elapsed_since_ms(event->elapsed, end_ms);
    came_since_ms = elapsed_since_ms(event->elapsed, came_ms);
    return came_since_ms < end_since_ms ? came_since_ms : end_since_ms;
}

/* The end has come, but a press that could make it another one came before it, and it is not known
 * yet whose it is. What waits is decided or given up long before CORE_PRESS_HOLD_MS, which is there
 * so that no record of it, whatever happened to it, keeps a request open for ever. */
static bool is_held(const struct request *request, const struct approval_event *event)
{
    bool delayed = request_is_delayed(request);
    uint64_t end_ms = delayed ? request->clocks.effect_ms : request->expires_ms;
    uint64_t came_ms = delayed ? event->waiting.stop_ms : event->waiting.press_ms;

    if (request->state != REQUEST_PENDING || event->now_ms < end_ms || came_ms == 0 ||
        came_ms >= end_ms || (delayed && window_left_ms(request, event) > 0)) {
        return false;
    }
    return held_ms(event, came_ms, end_ms) < CORE_PRESS_HOLD_MS;
}

void approval_apply_time(const struct policy *policy,
                         const struct approval_event *event,
                         struct approval_effects *effects)
{
    /* Each move takes its time away or sets it later than now, so this ends. */
    while (event->now_ms >= approval_deadline_ms(&effects->after) &&
           !is_held(&effects->after, event)) {
        move_on(policy, event, effects);
    }
}
