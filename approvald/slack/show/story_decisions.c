/* SPDX-License-Identifier: Apache-2.0 */
/* story_decisions.c: who decided a request, in whose place, for which need, and how it came.
 * Owns the lines about decisions.
 * Never builds JSON, never decides anything. Pure. */
#include "approvald/core/needs.h"
#include "approvald/slack/show/prose.h"
#include "approvald/slack/show/story.h"
#include "base/assert.h"

static void say_via(struct prose *prose, enum via via)
{
    switch (via) {
    case VIA_SLACK:
    case VIA_SYSTEM:
        break;
    case VIA_API:
        prose_add(prose, " over the API");
        break;
    case VIA_CLI:
        prose_add(prose, " with approvalctl");
        break;
    }
}

/* In whose place. */
static void say_principal(struct prose *prose, struct span user)
{
    if (user.size > 0) {
        prose_add(prose, " for ");
        prose_add_person(prose, user);
    }
}

void story_principal(struct prose *prose, const struct request *request, struct span user)
{
    struct span principals[CORE_DECISION_COUNT_MAX];

    needs_principals(request, request->decision_count, principals);
    for (uint32_t i = 0; i < request->decision_count; i++) {
        if (span_equal(request->decisions[i].user, user)) {
            say_principal(prose, principals[i]);
            return;
        }
    }
}

void story_decisions(struct prose *prose, const struct request *request)
{
    struct span principals[CORE_DECISION_COUNT_MAX];
    struct quorum_result result;

    ASSERT(request->decision_count <= CORE_DECISION_COUNT_MAX);
    needs_judge(request, request->decision_count, &result);
    needs_principals(request, request->decision_count, principals);
    for (uint32_t i = 0; i < request->decision_count; i++) {
        const struct decision *decision = &request->decisions[i];
        bool stop = i + 1 == request->decision_count && request->state == REQUEST_REJECTED &&
                    request->clocks.effect_ms > 0;
        const char *no = stop ? "\nStopped by " : "\nRejected by ";

        prose_add(prose, decision->verdict == VERDICT_APPROVE ? "\nApproved by " : no);
        prose_add_person(prose, decision->user);
        say_principal(prose, principals[i]);
        if (result.fills[i] < request->need_count) {
            prose_add(prose, principals[i].size > 0 ? " (" : " for ");
            prose_add_text(prose, request->needs[result.fills[i]].name, CORE_NAME_SIZE_MAX);
            prose_add(prose, principals[i].size > 0 ? ")" : "");
        }
        say_via(prose, decision->via);
        prose_add(prose, ", ");
        prose_add_date(prose, decision->at_ms);
    }
}

/* Who did it comes before how many approvals there were. */
void story_glass(struct prose *prose, const struct request *request, const char *bold)
{
    prose_add(prose, bold);
    prose_add_person(prose, request->glass.user);
    prose_add(prose, " broke the glass");
    prose_add(prose, bold);
    say_via(prose, request->glass.via);
    prose_add(prose, ", ");
    prose_add_date(prose, request->glass.at_ms);
    prose_add(prose, ": approved by the requester alone, past the approvers. ");
}
