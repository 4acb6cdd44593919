/* SPDX-License-Identifier: Apache-2.0 */
/* approval.c: the state machine of one request.
 * Owns the legal moves, the order of checks and what each move makes visible.
 * Never stores, sends, reads a clock or looks up a person: facts and time come with the event.
 * Assumes that events of one request are applied one after the other. */
#include "approvald/core/approval_internal.h"
#include "approvald/core/eligible.h"
#include "approvald/core/glass.h"
#include "approvald/core/needs.h"
#include "approvald/core/policy.h"
#include "approvald/core/rights.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

/* The one table of moves. A request reaches one outcome, once. */
static const bool state_moves[REQUEST_CANCELLED + 1][REQUEST_CANCELLED + 1] = {
    [REQUEST_PENDING] = {[REQUEST_APPROVED] = true,
                         [REQUEST_REJECTED] = true,
                         [REQUEST_EXPIRED] = true,
                         [REQUEST_CANCELLED] = true},
};
/* What is done with an approval, each step once. */
static const bool use_moves[USE_LAPSED + 1][USE_LAPSED + 1] = {
    [USE_NONE] = {[USE_UNUSED] = true},
    [USE_UNUSED] = {[USE_CLAIMED] = true, [USE_LAPSED] = true},
    [USE_CLAIMED] = {[USE_CONSUMED] = true},
};

bool approval_state_may_follow(enum request_state from, enum request_state to)
{
    return from <= REQUEST_CANCELLED && to <= REQUEST_CANCELLED && state_moves[from][to];
}

bool approval_use_may_follow(enum request_use from, enum request_use to)
{
    return from <= USE_LAPSED && to <= USE_LAPSED && use_moves[from][to];
}

void approval_move_state(struct request *request, enum request_state to, uint64_t now_ms)
{
    ASSERT(approval_state_may_follow(request->state, to));
    request->state = to;
    request->ended_ms = now_ms;
}

void approval_move_use(struct request *request, enum request_use to)
{
    ASSERT(approval_use_may_follow(request->use, to));
    request->use = to;
}

void approval_open(const struct request *request,
                   const struct policy *policy,
                   struct approval_effects *effects)
{
    ASSERT(request_invariant(request));
    ASSERT(request->state == REQUEST_PENDING && request->decision_count == 0);
    ASSERT(request->policy_version == policy->version);

    memset(effects, 0, sizeof *effects);
    effects->after = *request;
    effects->changed = true;
    approval_set_clocks(policy, &effects->after);
    (void)effects_audit(effects, AUDIT_CREATED, false, request->title); /* the only one */
    effects_cards(effects, policy);
    effects_ask(effects, policy);
}

/* What may not be used yet does not lapse before it may. */
void approval_end_approved(const struct policy *policy,
                           const struct approval_event *event,
                           struct request *request)
{
    uint64_t from_ms = event->now_ms;

    approval_move_state(request, REQUEST_APPROVED, event->now_ms);
    approval_move_use(request, USE_UNUSED);
    request->hold = (struct request_hold){.until_ms = 0};
    if (event->hold != NULL) {
        ASSERT(event->hold->until_ms > event->now_ms);
        request->hold = *event->hold;
    }
    if (request->hold.until_ms > 0 && request->hold.until_ms != UINT64_MAX) {
        from_ms = request->hold.until_ms;
    }
    if (policy->lapses_after_ms > 0) {
        request->lapses_ms = from_ms + policy->lapses_after_ms;
    }
}

/* Which needs this person fills, by which rights, is settled now: later changes in the groups and
 * the end of a delegation change nothing. */
static void
add_decision(const struct policy *policy, const struct approval_event *event, struct request *after)
{
    struct decision decision;
    struct rights rights;
    enum refusal refusal;

    rights_find(after, policy, event, &rights);
    ASSERT(rights.unknown == 0 || event->verdict == VERDICT_REJECT || after->need_count == 0);
    ASSERT(after->decision_count < CORE_DECISION_COUNT_MAX);
    refusal = rights_use(after, event, &rights, &decision);
    ASSERT(refusal == REFUSAL_NONE);
    after->decisions[after->decision_count++] = decision;
    after->revision++;
}

/* Effective at once, also where others could stop an approval for a while. */
static void break_glass(const struct policy *policy,
                        const struct approval_event *event,
                        struct approval_effects *effects)
{
    struct request *after = &effects->after;
    uint32_t audit;

    effects->refusal = glass_check(after, policy, event, &effects->need_facts);
    if (effects->refusal != REFUSAL_NONE || effects->need_facts) {
        return;
    }
    after->glass = (struct request_glass){.at_ms = event->now_ms,
                                          .via = event->actor.via,
                                          .user = glass_name(&event->actor),
                                          .reason = event->reason};
    approval_end_approved(policy, event, after);
    after->revision++;
    effects->changed = true;
    audit = effects_audit(effects, AUDIT_GLASS, false, event->reason);
    effects_card(effects, policy, audit, after->glass.user, event->reason);
    effects_webhooks(effects, policy, audit, event->actor.user, event->reason);
    audit = effects_audit(effects, AUDIT_APPROVED, false, SPAN_NONE);
    effects_webhooks(effects, policy, audit, event->actor.user, event->reason);
    effects_direct(effects, policy);
    effects_tell(effects, policy);
}

static void decide(const struct policy *policy,
                   const struct approval_event *event,
                   struct approval_effects *effects)
{
    struct request *after = &effects->after;
    bool approves = event->verdict == VERDICT_APPROVE;
    bool stops = !approves && after->clocks.effect_ms > 0; /* by one, whatever rejections says */
    struct span principals[CORE_DECISION_COUNT_MAX];
    struct quorum_result result;
    uint32_t audit;

    effects->refusal = eligible_check(after, policy, event, &effects->need_facts);
    if (effects->refusal != REFUSAL_NONE || effects->need_facts) {
        return;
    }
    add_decision(policy, event, after);
    needs_judge(after, after->decision_count, &result);
    effects->changed = true;
    audit =
        effects_audit(effects, approves ? AUDIT_APPROVAL : AUDIT_REJECTION, false, event->reason);
    needs_principals(after, after->decision_count, principals);
    effects->audits[audit].behalf = principals[after->decision_count - 1];
    effects_card(effects, policy, audit, event->actor.user, event->reason);

    if (stops || needs_rejections(after, after->decision_count) >= after->rejections) {
        approval_move_state(after, REQUEST_REJECTED, event->now_ms);
        audit = effects_audit(effects, AUDIT_REJECTED, false, SPAN_NONE);
    } else if (result.satisfied && policy->clocks.effect_after_ms > 0) {
        approval_delay(policy, event, effects);
        return;
    } else if (result.satisfied) {
        approval_end_approved(policy, event, after);
        audit = effects_audit(effects, AUDIT_APPROVED, false, effects_people(effects));
    } else {
        return;
    }
    effects_direct(effects, policy);
    effects_webhooks(effects, policy, audit, event->actor.user, event->reason);
}

static bool is_asker(const struct request *request, const struct actor *actor)
{
    switch (actor->kind) {
    case ACTOR_TOKEN:
        return request->asker.size > 0 && !slack_user_is_valid(request->asker)
                   ? span_equal(actor->token, request->asker)
                   : request_is_of(request, actor->user);
    case ACTOR_ROOT:
        return span_is(request->asker, "root");
    case ACTOR_PERSON:
    case ACTOR_SYSTEM:
        return false;
    }
    return false;
}

static struct span name_of(const struct actor *actor)
{
    switch (actor->kind) {
    case ACTOR_PERSON:
        return actor->user;
    case ACTOR_TOKEN:
        return actor->token;
    case ACTOR_ROOT:
        return SPAN_LITERAL("root");
    case ACTOR_SYSTEM:
        return SPAN_LITERAL("system");
    }
    return SPAN_NONE;
}

static bool may_cancel(const struct request *request, const struct actor *actor)
{
    switch (actor->kind) {
    case ACTOR_PERSON:
        return request_is_of(request, actor->user);
    case ACTOR_TOKEN:
        return is_asker(request, actor);
    case ACTOR_ROOT:
        return true; /* stops things, decides nothing */
    case ACTOR_SYSTEM:
        return false;
    }
    return false;
}

static void cancel(const struct policy *policy,
                   const struct approval_event *event,
                   struct approval_effects *effects)
{
    struct request *after = &effects->after;
    struct span name = name_of(&event->actor);
    uint32_t audit;

    if (!may_cancel(after, &event->actor)) {
        effects->refusal = REFUSAL_NOT_ASKER;
    } else if (after->state == REQUEST_CANCELLED && span_equal(after->end_actor, name)) {
        effects->repeated = true;
    } else if (after->state == REQUEST_EXPIRED || request_is_overdue(after, event->now_ms)) {
        effects->refusal = REFUSAL_EXPIRED;
    } else if (after->state != REQUEST_PENDING) {
        effects->refusal = REFUSAL_ENDED;
    }
    if (effects->refusal != REFUSAL_NONE || effects->repeated) {
        return;
    }
    approval_move_state(after, REQUEST_CANCELLED, event->now_ms);
    after->revision++;
    after->end_actor = name;
    after->end_reason = event->reason;
    effects->changed = true;
    audit = effects_audit(effects, AUDIT_CANCELLED, false, event->reason);
    effects_card(effects, policy, audit, event->actor.user, event->reason);
    effects_direct(effects, policy);
    effects_webhooks(effects, policy, audit, event->actor.user, event->reason);
}

/* Why there is no approval to use; REFUSAL_NONE when there is one or was one. */
static enum refusal check_approved(const struct request *request)
{
    switch (request->state) {
    case REQUEST_APPROVED:
        return REFUSAL_NONE;
    case REQUEST_EXPIRED:
        return REFUSAL_EXPIRED;
    case REQUEST_PENDING:
    case REQUEST_REJECTED:
    case REQUEST_CANCELLED:
        return REFUSAL_NOT_APPROVED;
    }
    return REFUSAL_NOT_APPROVED;
}

static bool is_bound_to(const struct request *request, const uint8_t *bind_hash)
{
    if (!request->bound || bind_hash == NULL) {
        return !request->bound && bind_hash == NULL;
    }
    return memcmp(request->bind_hash, bind_hash, sizeof request->bind_hash) == 0;
}

static enum refusal
check_claim(const struct request *request, const struct approval_event *event, bool *ret_repeated)
{
    enum refusal refusal = check_approved(request);

    if (!is_asker(request, &event->actor)) {
        return REFUSAL_NOT_ASKER;
    }
    if (refusal != REFUSAL_NONE) {
        return refusal;
    }
    if (request->use == USE_LAPSED) {
        return REFUSAL_LAPSED;
    }
    if (!is_bound_to(request, event->bind_hash)) {
        return REFUSAL_WRONG_HASH;
    }
    if (request->use == USE_UNUSED) {
        return REFUSAL_NONE;
    }
    /* A lost answer may be asked for again, but not after the work is done. */
    *ret_repeated = request->use == USE_CLAIMED && event->claim_hash.size > 0 &&
                    span_equal(request->claim_hash, event->claim_hash);
    return *ret_repeated ? REFUSAL_NONE : REFUSAL_CLAIMED;
}

bool approval_is_rechecked(const struct request *request, const struct policy *policy)
{
    return policy->clocks.recheck != RECHECK_NONE || request->glass.at_ms > 0;
}

/* Is what was approved still what the rules allow? Only its first claim asks. A broken glass is
 * looked at under every policy: whom it rests on is one person. */
static enum refusal check_again(const struct request *request,
                                const struct policy *policy,
                                const struct claim_check *check,
                                bool *ret_need_facts)
{
    bool rules = policy->clocks.recheck != RECHECK_NONE;
    bool people = policy->clocks.recheck == RECHECK_STRICT;

    if (check == NULL || !approval_is_rechecked(request, policy)) {
        return REFUSAL_NONE;
    }
    if (check->head == NULL || check->head->deleted ||
        (rules && !policy_rules_equal(policy, check->head))) {
        return REFUSAL_POLICY_CHANGED;
    }
    if (request->glass.at_ms > 0 && !glass_names(check->head, request->glass.user)) {
        return REFUSAL_POLICY_CHANGED;
    }
    if (!people && request->glass.at_ms == 0) {
        return REFUSAL_NONE;
    }
    *ret_need_facts = !check->judged;
    if (check->judged && check->gone) {
        return REFUSAL_APPROVER_GONE;
    }
    /* An emergency is no time to wait for Slack: who broke the glass is named in both versions. */
    return check->judged && check->unknown && people && request->glass.at_ms == 0
               ? REFUSAL_APPROVER_UNKNOWN
               : REFUSAL_NONE;
}

static bool hold_equal(const struct request_hold *a, const struct request_hold *b)
{
    return a->until_ms == b->until_ms && span_equal(a->freeze, b->freeze) &&
           span_equal(a->reason, b->reason);
}

/* A claim comes too early. The card says until when, once for each time that it becomes another. */
static void hold(const struct policy *policy,
                 const struct approval_event *event,
                 struct approval_effects *effects)
{
    struct request *after = &effects->after;
    struct span freeze = event->hold->freeze;

    effects->refusal = freeze.size > 0 ? REFUSAL_FROZEN : REFUSAL_CLOSED;
    if (hold_equal(&after->hold, event->hold)) {
        return;
    }
    after->hold = *event->hold;
    after->revision++;
    effects->changed = true;
    (void)effects_audit(effects, AUDIT_HELD, false,
                        freeze.size > 0 ? freeze : SPAN_LITERAL("windows")); /* no entry */
    effects_cards(effects, policy);
}

bool request_shows_hold(const struct request *request)
{
    return request->use == USE_UNUSED ||
           (request->state == REQUEST_PENDING && request->hold.until_ms > 0);
}

/* The freezes have changed, or time has moved on: the card says what is in the way now. */
static void look(const struct policy *policy,
                 const struct approval_event *event,
                 struct approval_effects *effects)
{
    static const struct request_hold nothing = {.until_ms = 0};
    const struct request_hold *now = event->hold == NULL ? &nothing : event->hold;
    struct request *after = &effects->after;
    struct span freeze = now->until_ms > 0 ? now->freeze : after->hold.freeze;

    if (!request_shows_hold(after) || hold_equal(&after->hold, now)) {
        return;
    }
    after->hold = *now;
    after->revision++;
    effects->changed = true;
    (void)effects_audit(effects, now->until_ms > 0 ? AUDIT_HELD : AUDIT_RELEASED, true,
                        freeze.size > 0 ? freeze : SPAN_LITERAL("windows")); /* no entry */
    effects_cards(effects, policy);
    if (after->state != REQUEST_PENDING || request_is_delayed(after)) {
        effects_direct(effects, policy); /* else the requester has no message yet */
    }
}

static void claim(const struct policy *policy,
                  const struct approval_event *event,
                  struct approval_effects *effects)
{
    struct request *after = &effects->after;
    uint32_t audit;

    effects->refusal = check_claim(after, event, &effects->repeated);
    if (effects->refusal == REFUSAL_NONE && !effects->repeated && event->hold != NULL) {
        hold(policy, event, effects);
        return;
    }
    if (effects->refusal == REFUSAL_NONE && !effects->repeated) {
        effects->refusal = check_again(after, policy, event->check, &effects->need_facts);
    }
    if (effects->refusal != REFUSAL_NONE || effects->repeated || effects->need_facts) {
        return;
    }
    approval_move_use(after, USE_CLAIMED);
    after->hold = (struct request_hold){.until_ms = 0};
    after->revision++;
    after->claimed_ms = event->now_ms;
    after->claim_hash = event->claim_hash;
    effects->changed = true;
    audit = effects_audit(effects, AUDIT_CLAIMED, false, event->bound);
    effects_card(effects, policy, audit, event->actor.user, SPAN_NONE);
    effects_webhooks(effects, policy, audit, event->actor.user, SPAN_NONE);
}

static enum refusal
check_consume(const struct request *request, const struct approval_event *event, bool *ret_repeated)
{
    enum refusal refusal = check_approved(request);

    if (!is_asker(request, &event->actor)) {
        return REFUSAL_NOT_ASKER;
    }
    if (refusal != REFUSAL_NONE) {
        return refusal;
    }
    switch (request->use) {
    case USE_CLAIMED:
        return REFUSAL_NONE;
    case USE_LAPSED:
        return REFUSAL_LAPSED;
    case USE_CONSUMED:
        *ret_repeated = request->consume_result == event->result;
        return *ret_repeated ? REFUSAL_NONE : REFUSAL_CONSUMED;
    case USE_NONE:
    case USE_UNUSED:
        return REFUSAL_NOT_CLAIMED;
    }
    return REFUSAL_NOT_CLAIMED;
}

static void consume(const struct policy *policy,
                    const struct approval_event *event,
                    struct approval_effects *effects)
{
    struct request *after = &effects->after;
    struct span text;
    uint32_t audit;
    int size;

    effects->refusal = check_consume(after, event, &effects->repeated);
    if (effects->refusal != REFUSAL_NONE || effects->repeated) {
        return;
    }
    approval_move_use(after, USE_CONSUMED);
    after->revision++;
    after->consumed_ms = event->now_ms;
    after->consume_result = event->result;
    effects->changed = true;
    size = snprintf(effects->text, sizeof effects->text, "result %d", (int)event->result);
    ASSERT(size > 0 && (size_t)size < sizeof effects->text);
    text = span_of(effects->text, (size_t)size);
    audit = effects_audit(effects, AUDIT_CONSUMED, false, text);
    effects_card(effects, policy, audit, event->actor.user, text);
    effects_webhooks(effects, policy, audit, event->actor.user, text);
}

static void dispatch(const struct policy *policy,
                     const struct approval_event *event,
                     struct approval_effects *effects)
{
    switch (event->kind) {
    case APPROVAL_DECIDE:
        if (event->verdict == VERDICT_GLASS) {
            break_glass(policy, event, effects);
        } else {
            decide(policy, event, effects);
        }
        break;
    case APPROVAL_CANCEL:
        cancel(policy, event, effects);
        break;
    case APPROVAL_CLAIM:
        claim(policy, event, effects);
        break;
    case APPROVAL_CONSUME:
        consume(policy, event, effects);
        break;
    case APPROVAL_LOOK:
        look(policy, event, effects);
        break;
    case APPROVAL_TIME:
        break;
    }
}

void approval_step(const struct request *before,
                   const struct policy *policy,
                   const struct approval_event *event,
                   struct approval_effects *effects)
{
    ASSERT(request_invariant(before));
    ASSERT(before->policy_version == policy->version);
    ASSERT(event->claim_hash.size == 0 || event->claim_hash.size == 32);

    memset(effects, 0, sizeof *effects);
    effects->after = *before;
    approval_apply_time(policy, event, effects);
    dispatch(policy, event, effects);

    ASSERT(request_invariant(&effects->after));
    ASSERT(effects->changed == (effects->after.revision != before->revision));
    ASSERT(effects->changed == (effects->audit_count > 0));
    ASSERT(before->state == effects->after.state ||
           approval_state_may_follow(before->state, effects->after.state));
    /* Each move was legal; an approval may have taken effect and been claimed in one step. */
    ASSERT(before->use <= effects->after.use);
}
