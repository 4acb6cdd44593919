/* SPDX-License-Identifier: Apache-2.0 */
/* glass.c: who may break the glass.
 * Owns the order in which it is refused: what the person is, whether the policy names him, whether
 * the request is his own, whether it is still open, whether he says why.
 * Never lets a group, an escalation or self_approval stand for a name. */
#include "approvald/core/glass.h"

#include "approvald/core/eligible.h"

#include "base/assert.h"

bool glass_is_there(const struct policy *policy)
{
    return policy->glass.root || policy->glass.user_count > 0;
}

static bool names_user(const struct policy_glass *glass, struct span user)
{
    for (uint32_t i = 0; user.size > 0 && i < glass->user_count; i++) {
        if (span_equal(glass->users[i], user)) {
            return true;
        }
    }
    return false;
}

bool glass_names(const struct policy *policy, struct span name)
{
    return span_is(name, "root") ? policy->glass.root : names_user(&policy->glass, name);
}

struct span glass_name(const struct actor *actor)
{
    switch (actor->kind) {
    case ACTOR_PERSON:
    case ACTOR_TOKEN:
        return actor->user; /* a token decides for the person that it is bound to */
    case ACTOR_ROOT:
        return SPAN_LITERAL("root");
    case ACTOR_SYSTEM:
        break;
    }
    return SPAN_NONE;
}

/* No token has the name root. */
static bool is_own(const struct request *request, struct span name, bool root)
{
    return root ? span_is(request->asker, "root") : request_is_of(request, name);
}

bool glass_is_offered(const struct request *request, const struct policy *policy)
{
    return request->state == REQUEST_PENDING && (names_user(&policy->glass, request->requester) ||
                                                 names_user(&policy->glass, request->asker));
}

bool glass_is_possible(const struct request *request, const struct policy *policy)
{
    return glass_is_offered(request, policy) ||
           (policy->glass.root && span_is(request->asker, "root"));
}

static enum refusal check_open(const struct request *request, struct span name, uint64_t at_ms)
{
    switch (request->state) {
    case REQUEST_PENDING:
        return request_is_overdue(request, at_ms) ? REFUSAL_EXPIRED : REFUSAL_NONE;
    case REQUEST_EXPIRED:
        return REFUSAL_EXPIRED;
    case REQUEST_APPROVED:
        return request->glass.at_ms > 0 && span_equal(request->glass.user, name)
                   ? REFUSAL_ALREADY_DECIDED
                   : REFUSAL_ENDED;
    case REQUEST_REJECTED:
    case REQUEST_CANCELLED:
        return REFUSAL_ENDED;
    }
    return REFUSAL_ENDED;
}

enum refusal glass_check(const struct request *request,
                         const struct policy *policy,
                         const struct approval_event *event,
                         bool *ret_need_facts)
{
    bool root = event->actor.kind == ACTOR_ROOT;
    struct span name = glass_name(&event->actor);
    enum refusal person = root ? REFUSAL_NONE : eligible_ask(event->facts);
    bool unknown = person == REFUSAL_FACTS_UNKNOWN;
    enum refusal open = check_open(request, name, approval_press_ms(event));

    ASSERT(event->verdict == VERDICT_GLASS);
    *ret_need_facts = false;
    if (person != REFUSAL_NONE && !unknown) {
        return person;
    }
    if (!glass_names(policy, name) || event->head == NULL || event->head->deleted ||
        !glass_names(event->head, name)) {
        return REFUSAL_NO_GLASS;
    }
    if (!is_own(request, name, root)) {
        return REFUSAL_GLASS_OWN;
    }
    if (open != REFUSAL_NONE) {
        return open;
    }
    if (event->reason.size == 0) {
        return REFUSAL_GLASS_REASON;
    }
    *ret_need_facts = unknown;
    return REFUSAL_NONE;
}
