/* SPDX-License-Identifier: Apache-2.0 */
/* eligible.h: may this person decide this request now, may he ask at all? Pure. */
#ifndef APPROVALD_CORE_ELIGIBLE_H
#define APPROVALD_CORE_ELIGIBLE_H

#include "approvald/core/approval.h"

/* REFUSAL_NONE: yes, or, with *ret_need_facts set, not known until more facts are there. Facts are
 * asked for only when the answer depends on them. */
enum refusal eligible_check(const struct request *request,
                            const struct policy *policy,
                            const struct approval_event *event,
                            bool *ret_need_facts);

/* Could this person approve, if the requester (or a program: empty) asked now? *ret_needs: the
 * needs that he may fill, by what is known. As eligible_check otherwise. */
enum refusal eligible_try(const struct policy *policy,
                          struct span requester,
                          struct span user,
                          const struct facts *facts,
                          uint32_t *ret_needs,
                          bool *ret_need_facts);
/* Would this person's approval help the request now, as far as is known of him? Who is not known
 * might. */
bool eligible_may_help(const struct request *request,
                       const struct policy *policy,
                       struct span user,
                       const struct facts *facts);
/* In whose place could he do so, as far as is certain; how many. */
uint32_t eligible_behalfs(const struct policy *policy,
                          struct span requester,
                          struct span user,
                          const struct facts *facts,
                          struct behalf ret_behalfs[CORE_STAND_IN_COUNT_MAX]);
/* May the right by which this request was approved (somebody's own, or that of one who was stood in
 * for) still be used under that version of the policy, as far as is known of its owner? False only
 * when it is certain that it may not; with certain set, true only when it is certain that it may.
 * *ret_needs: those of the needs that it could fill then which it may still fill; without needs 0.
 * That a delegation has ended since does not matter: it held when it was used. */
bool eligible_still(const struct request *request,
                    const struct policy *policy,
                    const struct behalf *right,
                    const struct facts *facts,
                    bool certain,
                    uint32_t *ret_needs);
/* It is known that this person decides nothing here: a guest, a bot, a stranger, a leaver. */
bool eligible_is_gone(const struct facts *facts);

/* Is it this person's own: asked by him, or for him? */
bool request_is_of(const struct request *request, struct span user);
/* Is one of its decisions this person's? */
bool request_is_decided_by(const struct request *request, struct span user);
/* Has he decided, or somebody who could only do so in his place? Then he is not asked again. */
bool request_is_used_up(const struct request *request, struct span user);
/* May this person ask at all? REFUSAL_FACTS_UNKNOWN until it is known what he is. Whether a policy
 * takes requests from people is the policy's ask_in_slack. */
enum refusal eligible_ask(const struct facts *facts);

#endif
