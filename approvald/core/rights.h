/* SPDX-License-Identifier: Apache-2.0 */
/* rights.h: by which rights may this person decide this request? His own, and those of the people
 * for whom he stands in (delegation). Pure.
 *
 * One hop: only the people of facts.stand_ins count, never those for whom these stand in. Whoever
 * asked, or was asked for, is never stood in for and stands in for nobody. */
#ifndef APPROVALD_CORE_RIGHTS_H
#define APPROVALD_CORE_RIGHTS_H

#include "approvald/core/approval.h"

struct rights {
    uint32_t own;     /* needs that he may fill himself, by what is known */
    uint32_t unknown; /* those that more facts could add */
    bool more;        /* … and whether they could add another's right */
    uint32_t behalf_count;
    struct behalf behalfs[CORE_STAND_IN_COUNT_MAX];
};

/* Of a policy or request without needs the one need is bit 1, as in needs.h. */
void rights_find(const struct request *request,
                 const struct policy *policy,
                 const struct approval_event *event,
                 struct rights *ret_rights);
bool rights_are_none(const struct rights *rights);
/* The decision of the event by these rights. REFUSAL_NOT_NEEDED: as an approval it would not help;
 * REFUSAL_STOOD_IN: it would, had its right not been used by somebody else. */
enum refusal rights_use(const struct request *request,
                        const struct approval_event *event,
                        const struct rights *rights,
                        struct decision *ret_decision);
/* What is known of one who is stood in for, as facts of his own. */
void rights_facts(const struct facts *facts,
                  const struct stand_in *stand_in,
                  struct facts *ret_facts);

#endif
