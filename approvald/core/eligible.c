/* SPDX-License-Identifier: Apache-2.0 */
/* eligible.c: who may decide, and who may ask from Slack.
 * Owns the order in which a decision is refused: what the person is, then whether he asked himself,
 * then whether he is named, then whether the request is still open, then whether he is too near to
 * the requester, and at last whether his approval would help, or his right is used already.
 * Never guesses: an unknown fact that matters is asked for, never assumed. */
#include "approvald/core/eligible.h"
#include "approvald/core/needs.h"
#include "approvald/core/rights.h"

#include "base/assert.h"

static enum refusal check_person(const struct facts *facts)
{
    if (facts == NULL || !facts->user_known) {
        return REFUSAL_NONE;
    }
    if (facts->foreign) {
        return REFUSAL_FOREIGN;
    }
    if (facts->bot) {
        return REFUSAL_BOT;
    }
    if (facts->deactivated) {
        return REFUSAL_DEACTIVATED;
    }
    return facts->guest ? REFUSAL_GUEST : REFUSAL_NONE;
}

static enum refusal check_state(const struct request *request, const struct approval_event *event)
{
    bool pending = request->state == REQUEST_PENDING;
    bool delayed = pending && request->clocks.effect_ms > 0;
    bool stops = delayed && event->verdict == VERDICT_REJECT;

    for (uint32_t i = 0; i < request->decision_count; i++) {
        const struct decision *decision = &request->decisions[i];
        bool same = !stops && (decision->verdict == event->verdict || pending);

        /* A double press by the one who ended it is his own decision again. Whoever
         * may decide may stop it, whatever he said before. */
        if (span_equal(decision->user, event->actor.user) && same) {
            return REFUSAL_ALREADY_DECIDED;
        }
    }
    switch (request->state) {
    case REQUEST_PENDING:
        if (request_is_overdue(request, approval_press_ms(event))) {
            return REFUSAL_EXPIRED;
        }
        return delayed && !stops ? REFUSAL_ENOUGH : REFUSAL_NONE;
    case REQUEST_EXPIRED:
        return REFUSAL_EXPIRED;
    case REQUEST_APPROVED:
    case REQUEST_REJECTED:
    case REQUEST_CANCELLED:
        return REFUSAL_ENDED;
    }
    return REFUSAL_ENDED;
}

bool request_is_of(const struct request *request, struct span user)
{
    /* Names of tokens are in small letters, so none is a user's id. */
    return user.size > 0 &&
           (span_equal(user, request->requester) || span_equal(user, request->asker));
}

bool request_is_decided_by(const struct request *request, struct span user)
{
    for (uint32_t i = 0; i < request->decision_count; i++) {
        if (span_equal(request->decisions[i].user, user)) {
            return true;
        }
    }
    return false;
}

bool request_is_used_up(const struct request *request, struct span user)
{
    for (uint32_t i = 0; i < request->decision_count; i++) {
        const struct decision *decision = &request->decisions[i];

        if (decision->no_own && decision->behalf_count == 1 &&
            span_equal(decision->behalfs[0].user, user)) {
            return true;
        }
    }
    return request_is_decided_by(request, user);
}

static bool is_person(const struct actor *actor)
{
    /* Root decides nothing, and a token decides only for the person that it is bound to. */
    return (actor->kind == ACTOR_PERSON || actor->kind == ACTOR_TOKEN) && actor->user.size > 0;
}

/* REFUSAL_NONE with *ret_unknown set: more facts may say otherwise. */
static enum refusal check_named(const struct request *request,
                                const struct policy *policy,
                                const struct approval_event *event,
                                bool *ret_unknown)
{
    bool rejects = event->verdict == VERDICT_REJECT;
    enum known excluded = needs_excluded(policy, request->requester, event->facts);
    enum refusal state = check_state(request, event);
    struct decision decision;
    struct rights rights;
    bool some;

    rights_find(request, policy, event, &rights);
    if (rights_are_none(&rights)) {
        return REFUSAL_NOT_APPROVER;
    }
    if (state != REFUSAL_NONE) {
        return state;
    }
    if (excluded == KNOWN_YES) {
        return REFUSAL_SAME_GROUP;
    }
    /* Whoever may fill one need may reject; what an approval fills must be known in full, for it
     * is recorded and never looked at again. */
    some = rights.own != 0 || rights.behalf_count > 0;
    *ret_unknown =
        excluded == KNOWN_UNKNOWN || (rejects ? !some : rights.unknown != 0 || rights.more);
    if (!some || (!rejects && (rights.unknown != 0 || rights.more))) {
        return REFUSAL_NONE;
    }
    return rights_use(request, event, &rights, &decision);
}

enum refusal eligible_check(const struct request *request,
                            const struct policy *policy,
                            const struct approval_event *event,
                            bool *ret_need_facts)
{
    struct span user = event->actor.user;
    enum refusal refusal = check_person(event->facts);
    bool unknown = false;

    ASSERT(ret_need_facts != NULL);
    *ret_need_facts = false;
    if (!is_person(&event->actor)) {
        return REFUSAL_NOT_APPROVER;
    }
    if (refusal != REFUSAL_NONE) {
        return refusal;
    }
    if (request_is_of(request, user) && !policy->self_approval) {
        return REFUSAL_SELF_APPROVAL;
    }
    refusal = check_named(request, policy, event, &unknown);
    if (refusal == REFUSAL_NONE) {
        *ret_need_facts = unknown || event->facts == NULL || !event->facts->user_known;
    }
    return refusal;
}

/* As if the requester (or a program: empty) asked now. */
static struct request request_under(const struct policy *policy, struct span requester)
{
    struct request request = {.state = REQUEST_PENDING,
                              .requester = requester,
                              .quorum = policy->quorum,
                              .rejections = policy->rejections,
                              .need_count = policy->need_count};

    for (uint32_t i = 0; i < policy->need_count; i++) {
        request.needs[i] = policy->needs[i].need;
    }
    return request;
}

static struct approval_event approval_by(struct span user, const struct facts *facts)
{
    return (struct approval_event){.kind = APPROVAL_DECIDE,
                                   .actor = {.kind = ACTOR_PERSON, .via = VIA_API, .user = user},
                                   .verdict = VERDICT_APPROVE,
                                   .facts = facts};
}

enum refusal eligible_try(const struct policy *policy,
                          struct span requester,
                          struct span user,
                          const struct facts *facts,
                          uint32_t *ret_needs,
                          bool *ret_need_facts)
{
    struct request request = request_under(policy, requester);
    struct approval_event event = approval_by(user, facts);
    uint32_t unknown;

    *ret_needs = needs_of_person(policy, user, facts, &unknown);
    return eligible_check(&request, policy, &event, ret_need_facts);
}

bool eligible_may_help(const struct request *request,
                       const struct policy *policy,
                       struct span user,
                       const struct facts *facts)
{
    struct approval_event event = approval_by(user, facts);
    bool unknown; /* then he might */

    return eligible_check(request, policy, &event, &unknown) == REFUSAL_NONE;
}

uint32_t eligible_behalfs(const struct policy *policy,
                          struct span requester,
                          struct span user,
                          const struct facts *facts,
                          struct behalf ret_behalfs[CORE_STAND_IN_COUNT_MAX])
{
    struct request request = request_under(policy, requester);
    struct approval_event event = approval_by(user, facts);
    struct rights rights;

    rights_find(&request, policy, &event, &rights);
    for (uint32_t i = 0; i < rights.behalf_count; i++) {
        ret_behalfs[i] = rights.behalfs[i];
    }
    return rights.behalf_count;
}

bool eligible_still(const struct request *request,
                    const struct policy *policy,
                    const struct behalf *right,
                    const struct facts *facts,
                    bool certain,
                    uint32_t *ret_needs)
{
    uint32_t unknown;
    uint32_t now = needs_of_decider(request, policy, right->user, facts, &unknown);

    if (certain) {
        unknown = 0;
    }
    *ret_needs = right->needs & (now | unknown);
    return check_person(facts) == REFUSAL_NONE && (now != 0 || unknown != 0) &&
           (!certain || facts->user_known) &&
           (policy->self_approval || !request_is_of(request, right->user));
}

bool eligible_is_gone(const struct facts *facts)
{
    return check_person(facts) != REFUSAL_NONE;
}

enum refusal eligible_ask(const struct facts *facts)
{
    return facts == NULL || !facts->user_known ? REFUSAL_FACTS_UNKNOWN : check_person(facts);
}
