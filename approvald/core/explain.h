/* SPDX-License-Identifier: Apache-2.0 */
/* explain.h: could this person approve this request, from when on, and by what right? For people
 * who ask; whoever decides is judged by approval.h anew. Pure. */
#ifndef APPROVALD_CORE_EXPLAIN_H
#define APPROVALD_CORE_EXPLAIN_H

#include "approvald/core/approval.h"

struct explanation {
    enum refusal refusal; /* now; REFUSAL_NONE: he could */
    bool unknown;         /* as far as is known: more facts may say otherwise */
    uint64_t from_ms;     /* not now, but from then on, when the request is escalated; 0: no such */
    bool by_escalation;   /* he could, now or then, since it is (will be) escalated */
    uint32_t needs;       /* those that he could fill, now or then, himself */
    uint32_t behalf_count; /* in whose place he could, now or then */
    struct behalf behalfs[CORE_STAND_IN_COUNT_MAX];
};

/* policy: the version that the request keeps. Spans borrow from the arguments. */
void explain_approval(const struct request *request,
                      const struct policy *policy,
                      struct span user,
                      const struct facts *facts,
                      uint64_t now_ms,
                      struct explanation *ret_explanation);

#endif
