/* SPDX-License-Identifier: Apache-2.0 */
/* eligible.c: who may decide, and who may ask from Slack.
 * Owns the order in which a decision is refused: what the person is, then whether he asked himself,
 * then whether he is named, then whether the request is still open.
 * Never guesses: an unknown fact that matters is asked for, never assumed. */
#include "approvald/core/eligible.h"

#include "base/assert.h"

enum named { NAMED_NO = 1, NAMED_YES, NAMED_UNKNOWN };

static bool contains(const struct span *spans, uint32_t count, struct span span)
{
    for (uint32_t i = 0; i < count; i++) {
        if (span_equal(spans[i], span)) {
            return true;
        }
    }
    return false;
}

static enum named named_by(const struct policy *policy, struct span user, const struct facts *facts)
{
    enum named named = NAMED_NO;

    if (contains(policy->users, policy->user_count, user)) {
        return NAMED_YES;
    }
    for (uint32_t i = 0; i < policy->group_count; i++) {
        if (facts != NULL && contains(facts->member, facts->member_count, policy->groups[i])) {
            return NAMED_YES;
        }
        if (facts == NULL || !contains(facts->known, facts->known_count, policy->groups[i])) {
            named = NAMED_UNKNOWN;
        }
    }
    return named;
}

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
    for (uint32_t i = 0; i < request->decision_count; i++) {
        const struct decision *decision = &request->decisions[i];
        bool same = decision->verdict == event->verdict || request->state == REQUEST_PENDING;

        /* A double press by the one who ended it is his own decision again. */
        if (span_equal(decision->user, event->actor.user) && same) {
            return REFUSAL_ALREADY_DECIDED;
        }
    }
    switch (request->state) {
    case REQUEST_PENDING:
        return REFUSAL_NONE;
    case REQUEST_EXPIRED:
        return REFUSAL_EXPIRED;
    case REQUEST_APPROVED:
    case REQUEST_REJECTED:
    case REQUEST_CANCELLED:
        return REFUSAL_ENDED;
    }
    return REFUSAL_ENDED;
}

static bool is_person(const struct actor *actor)
{
    /* Root decides nothing, and a token decides only for the person that it is bound to. */
    return (actor->kind == ACTOR_PERSON || actor->kind == ACTOR_TOKEN) && actor->user.size > 0;
}

enum refusal eligible_check(const struct request *request,
                            const struct policy *policy,
                            const struct approval_event *event,
                            bool *ret_need_facts)
{
    struct span user = event->actor.user;
    enum refusal refusal = check_person(event->facts);
    enum named named = named_by(policy, user, event->facts);
    enum refusal state = check_state(request, event);

    ASSERT(ret_need_facts != NULL);
    *ret_need_facts = false;
    if (!is_person(&event->actor)) {
        return REFUSAL_NOT_APPROVER;
    }
    if (refusal != REFUSAL_NONE) {
        return refusal;
    }
    if (span_equal(user, request->requester) && !policy->self_approval) {
        return REFUSAL_SELF_APPROVAL;
    }
    if (named == NAMED_NO) {
        return REFUSAL_NOT_APPROVER;
    }
    if (state != REFUSAL_NONE) {
        return state;
    }
    *ret_need_facts = named == NAMED_UNKNOWN || event->facts == NULL || !event->facts->user_known;
    return REFUSAL_NONE;
}

enum refusal eligible_ask(const struct facts *facts)
{
    return facts == NULL || !facts->user_known ? REFUSAL_FACTS_UNKNOWN : check_person(facts);
}
