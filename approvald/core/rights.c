/* SPDX-License-Identifier: Apache-2.0 */
/* rights.c: the rights by which a person decides, and which of them a decision uses.
 * Owns that a right which is not certain is not used, and that no right is used twice.
 * Never knows a delegation's dates: whoever fills facts.stand_ins does. */
#include "approvald/core/rights.h"

#include "approvald/core/eligible.h"
#include "approvald/core/needs.h"
#include "base/assert.h"

void rights_facts(const struct facts *facts,
                  const struct stand_in *stand_in,
                  struct facts *ret_facts)
{
    *ret_facts = *facts;
    ret_facts->user_known = stand_in->known;
    ret_facts->member_count = 0;
    ret_facts->stand_in_count = 0;
    ret_facts->emails_known = stand_in->emails_known;
    ret_facts->email_count = stand_in->email_count;
    for (uint32_t i = 0; i < stand_in->email_count; i++) {
        ret_facts->emails[i] = stand_in->emails[i];
    }
    for (uint32_t i = 0; i < facts->known_count; i++) {
        if ((stand_in->member >> i & 1) != 0) {
            ret_facts->member[ret_facts->member_count++] = facts->known[i];
        }
    }
}

/* The needs of that right in a decision. False: it has none such. */
static bool has_right(const struct decision *decision, struct span user, uint32_t *ret_needs)
{
    if (!decision->no_own && span_equal(decision->user, user)) {
        *ret_needs = decision->needs;
        return true;
    }
    for (uint32_t i = 0; i < decision->behalf_count; i++) {
        if (span_equal(decision->behalfs[i].user, user)) {
            *ret_needs = decision->behalfs[i].needs;
            return true;
        }
    }
    return false;
}

/* The needs that the right was recorded with in this request. False: it was not. */
static bool recorded(const struct request *request, struct span user, uint32_t *ret_needs)
{
    for (uint32_t i = 0; i < request->decision_count; i++) {
        if (has_right(&request->decisions[i], user, ret_needs)) {
            return true;
        }
    }
    return false;
}

/* A right is what it was when it was recorded first. Whoever has lost a part of it since could use
 * more than he has: then it is none at all. */
static uint32_t as_recorded(const struct request *request,
                            const struct approval_event *event,
                            struct span user,
                            uint32_t needs)
{
    uint32_t before = 0;

    if (event->verdict == VERDICT_REJECT || request->need_count == 0 ||
        !recorded(request, user, &before)) {
        return needs; /* a rejection uses up all of it */
    }
    return (before & ~needs) != 0 ? 0 : before;
}

static void add_stand_in(const struct request *request,
                         const struct policy *policy,
                         const struct approval_event *event,
                         const struct stand_in *stand_in,
                         struct rights *rights)
{
    struct facts about;
    uint32_t unknown = 0;
    uint32_t needs;
    enum known excluded;

    if (request_is_of(request, stand_in->user) || (stand_in->known && !stand_in->fit)) {
        return;
    }
    rights_facts(event->facts, stand_in, &about);
    needs = needs_of_decider(request, policy, stand_in->user, &about, &unknown);
    excluded = needs_excluded(policy, request->requester, &about);
    if (excluded == KNOWN_YES || (needs | unknown) == 0) {
        return;
    }
    if (unknown != 0 || excluded == KNOWN_UNKNOWN || !stand_in->known) {
        rights->more = true;
        return;
    }
    needs = as_recorded(request, event, stand_in->user, needs);
    if (needs != 0) {
        rights->behalfs[rights->behalf_count++] =
            (struct behalf){.user = stand_in->user, .needs = needs};
    }
}

void rights_find(const struct request *request,
                 const struct policy *policy,
                 const struct approval_event *event,
                 struct rights *ret_rights)
{
    const struct facts *facts = event->facts;
    struct span user = event->actor.user;

    *ret_rights = (struct rights){.own = 0};
    ret_rights->own = needs_of_decider(request, policy, user, facts, &ret_rights->unknown);
    if (ret_rights->unknown == 0) {
        ret_rights->own = as_recorded(request, event, user, ret_rights->own);
    }
    if (!policy->delegation || facts == NULL || request_is_of(request, user)) {
        return;
    }
    ASSERT(facts->stand_in_count <= CORE_STAND_IN_COUNT_MAX);
    for (uint32_t i = 0; i < facts->stand_in_count; i++) {
        if (!span_equal(facts->stand_ins[i].user, user)) {
            add_stand_in(request, policy, event, &facts->stand_ins[i], ret_rights);
        }
    }
}

bool rights_are_none(const struct rights *rights)
{
    return (rights->own | rights->unknown) == 0 && !rights->more && rights->behalf_count == 0;
}

/* Has a rejection used it up? */
static bool is_spent(const struct request *request, struct span user)
{
    for (uint32_t i = 0; i < request->decision_count; i++) {
        const struct decision *decision = &request->decisions[i];
        struct span right = decision->no_own ? decision->behalfs[0].user : decision->user;

        if (decision->verdict == VERDICT_REJECT && span_equal(right, user)) {
            return true;
        }
    }
    return false;
}

/* With the decision, how many places are taken? */
static uint32_t taken_with(const struct request *request, const struct decision *decision)
{
    struct request more = *request;

    ASSERT(more.decision_count < CORE_DECISION_COUNT_MAX);
    more.decisions[more.decision_count++] = *decision;
    return needs_taken(&more);
}

/* What is stored of a right: nothing where the request has no needs. */
static uint32_t stored(const struct request *request, uint32_t needs)
{
    return request->need_count == 0 ? 0 : needs;
}

static void
use_one(const struct request *request, const struct behalf *right, struct decision *decision)
{
    bool own = span_equal(right->user, decision->user);

    decision->no_own = !own;
    decision->needs = own ? stored(request, right->needs) : 0;
    decision->behalf_count = own ? 0 : 1;
    decision->behalfs[0] = own ? (struct behalf){.needs = 0} : *right;
    decision->behalfs[0].needs = stored(request, decision->behalfs[0].needs);
}

/* A rejection uses up the first right that no approval needs. */
static enum refusal
reject(const struct request *request, const struct rights *rights, struct decision *decision)
{
    const struct behalf own = {.user = decision->user, .needs = rights->own};
    bool stops = request->clocks.effect_ms > 0;
    uint32_t taken = needs_taken(request);

    for (uint32_t i = rights->own != 0 ? 0 : 1; i <= rights->behalf_count; i++) {
        const struct behalf *right = i == 0 ? &own : &rights->behalfs[i - 1];

        use_one(request, right, decision);
        if (stops || (!is_spent(request, right->user) && taken_with(request, decision) == taken)) {
            return REFUSAL_NONE;
        }
    }
    return REFUSAL_STOOD_IN;
}

static enum refusal
approve(const struct request *request, const struct rights *rights, struct decision *decision)
{
    uint32_t any = rights->own;

    decision->no_own = rights->own == 0;
    decision->needs = stored(request, rights->own);
    decision->behalf_count = rights->behalf_count;
    for (uint32_t i = 0; i < rights->behalf_count; i++) {
        any |= rights->behalfs[i].needs;
        decision->behalfs[i] = rights->behalfs[i];
        decision->behalfs[i].needs = stored(request, rights->behalfs[i].needs);
    }
    if (request->decision_count == CORE_DECISION_COUNT_MAX) {
        return REFUSAL_NOT_NEEDED;
    }
    if (taken_with(request, decision) > needs_taken(request)) {
        return REFUSAL_NONE;
    }
    return needs_helps(request, any) ? REFUSAL_STOOD_IN : REFUSAL_NOT_NEEDED;
}

enum refusal rights_use(const struct request *request,
                        const struct approval_event *event,
                        const struct rights *rights,
                        struct decision *ret_decision)
{
    *ret_decision = (struct decision){.verdict = event->verdict,
                                      .via = event->actor.via,
                                      .at_ms = approval_press_ms(event),
                                      .user = event->actor.user,
                                      .reason = event->reason};
    ASSERT(rights->own != 0 || rights->behalf_count > 0);
    return event->verdict == VERDICT_REJECT ? reject(request, rights, ret_decision)
                                            : approve(request, rights, ret_decision);
}
