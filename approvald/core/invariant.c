/* SPDX-License-Identifier: Apache-2.0 */
/* invariant.c: what must hold of every request.
 * Owns the relations between state, use, decisions and times.
 * Never repairs anything: a record that fails is corrupt. */
#include "approvald/core/approval.h"
#include "approvald/core/needs.h"

static bool decided_before(const struct request *request, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (span_equal(request->decisions[i].user, request->decisions[index].user)) {
            return true;
        }
    }
    return false;
}

/* Its last decision stopped it before it took effect. */
static bool is_stopped(const struct request *request)
{
    return request->clocks.effect_ms > 0 && request->state == REQUEST_REJECTED;
}

/* Who decided may still stop it before it takes effect; nobody else decides twice. */
static bool deciders_are_distinct(const struct request *request)
{
    uint32_t count = request->decision_count;

    for (uint32_t i = 0; i < count; i++) {
        bool stop = i == count - 1 && is_stopped(request);

        if (request->decisions[i].user.size == 0 || (!stop && decided_before(request, i))) {
            return false;
        }
    }
    return true;
}

static bool clocks_fit(const struct request *request)
{
    const struct request_clocks *clocks = &request->clocks;

    if (clocks->effect_from_ms > clocks->effect_ms ||
        (clocks->effect_ms > 0) != (clocks->effect_from_ms > 0)) {
        return false;
    }
    if (clocks->effect_ms > 0 && request->state == REQUEST_EXPIRED) {
        return false;
    }
    return clocks->escalate_ms == 0 || clocks->escalated_ms == 0;
}

/* Who breaks the glass ends the request in the same moment, and says why. */
static bool glass_fits(const struct request *request)
{
    const struct request_glass *glass = &request->glass;

    if (glass->at_ms == 0) {
        return glass->user.size == 0 && glass->reason.size == 0;
    }
    return request->state == REQUEST_APPROVED && request->ended_ms == glass->at_ms &&
           glass->user.size > 0 && glass->reason.size > 0;
}

static bool hold_fits(const struct request *request)
{
    bool held = request->hold.until_ms > 0;
    bool used = request->use == USE_CLAIMED || request->use == USE_CONSUMED;

    return held ? !used : request->hold.freeze.size == 0 && request->hold.reason.size == 0;
}

struct tally {
    bool approved; /* there are enough approvals */
    bool rejected; /* there are enough rejections */
};

static struct tally tally_of(const struct request *request, uint32_t decision_count)
{
    struct quorum_result result;

    needs_judge(request, decision_count, &result);
    return (struct tally){.approved = result.satisfied,
                          .rejected =
                              needs_rejections(request, decision_count) >= request->rejections};
}

/* The decision that is enough is the last one, and it ends the request, or begins the time in which
 * it can be stopped. A broken glass needs no decision. */
static bool decisions_fit(const struct request *request)
{
    bool stopped = is_stopped(request);
    bool met = (request->state == REQUEST_APPROVED && request->glass.at_ms == 0) ||
               request->clocks.effect_ms > 0;
    uint32_t count = request->decision_count - (stopped && request->decision_count > 0 ? 1 : 0);
    struct tally now = tally_of(request, count);
    struct tally before = count == 0 ? now : tally_of(request, count - 1);

    if (stopped && request->decisions[count].verdict != VERDICT_REJECT) {
        return false;
    }
    return now.approved == met &&
           now.rejected == (request->state == REQUEST_REJECTED && !stopped) &&
           (count == 0 || (!before.approved && !before.rejected));
}

static bool use_fits(const struct request *request)
{
    bool claimed = request->use == USE_CLAIMED || request->use == USE_CONSUMED;

    if ((request->state == REQUEST_APPROVED) != (request->use != USE_NONE)) {
        return false;
    }
    if (claimed != (request->claimed_ms != 0)) {
        return false;
    }
    if ((request->use == USE_CONSUMED) != (request->consumed_ms != 0)) {
        return false;
    }
    if (!claimed && request->claim_hash.size != 0) {
        return false;
    }
    if (request->use == USE_LAPSED && request->lapses_ms == 0) {
        return false;
    }
    return request->state == REQUEST_APPROVED || request->lapses_ms == 0;
}

static bool end_fits(const struct request *request)
{
    bool cancelled = request->state == REQUEST_CANCELLED;

    if ((request->state == REQUEST_PENDING) != (request->ended_ms == 0)) {
        return false;
    }
    return cancelled || (request->end_actor.size == 0 && request->end_reason.size == 0);
}

bool request_invariant(const struct request *request)
{
    return request->revision >= 1 && request->state >= REQUEST_PENDING &&
           request->state <= REQUEST_CANCELLED && request->quorum >= 1 &&
           request->quorum <= CORE_QUORUM_MAX && request->created_ms > 0 &&
           request->expires_ms > request->created_ms && end_fits(request) && use_fits(request) &&
           request->decision_count <= CORE_DECISION_COUNT_MAX && needs_invariant(request) &&
           clocks_fit(request) && glass_fits(request) && hold_fits(request) &&
           decisions_fit(request) && deciders_are_distinct(request);
}
