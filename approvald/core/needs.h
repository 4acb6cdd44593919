/* SPDX-License-Identifier: Apache-2.0 */
/* needs.h: how far the decisions of a request have come, and who may fill which need. Pure.
 * A request or a policy without needs is judged as one need of its quorum, which everybody who may
 * decide can fill; its bit is 1. */
#ifndef APPROVALD_CORE_NEEDS_H
#define APPROVALD_CORE_NEEDS_H

#include "approvald/core/quorum.h"

/* By the first decision_count decisions. ret_result->fills has an entry for each; a rejection
 * fills nothing. */
void needs_judge(const struct request *request,
                 uint32_t decision_count,
                 struct quorum_result *ret_result);
/* Would the approval of one more person help who may fill this bit set of needs? */
bool needs_helps(const struct request *request, uint32_t may_fill);
/* Places taken by all decisions, of all alternatives together. */
uint32_t needs_taken(const struct request *request);
/* In whose place each of the first decision_count decisions counts, as needs_judge has it: empty
 * for a person who counts for himself. */
void needs_principals(const struct request *request,
                      uint32_t decision_count,
                      struct span ret_users[CORE_DECISION_COUNT_MAX]);
/* Rejections among the first decision_count decisions. */
uint32_t needs_rejections(const struct request *request, uint32_t decision_count);
/* Needs in order, without gaps in their alternatives, with quorums that add up to at most
 * CORE_QUORUM_MAX; decisions say needs that there are. */
bool needs_invariant(const struct request *request);

/* What is known of somebody's right to something. */
enum known { KNOWN_NO = 1, KNOWN_YES, KNOWN_UNKNOWN };
/* The needs of the policy that this person may fill, by what is known; *ret_unknown: those that
 * more facts could add. facts may be NULL: nothing is known of groups. */
uint32_t needs_of_person(const struct policy *policy,
                         struct span user,
                         const struct facts *facts,
                         uint32_t *ret_unknown);
/* The needs of this request: as that, and once it is escalated, the people of the policy's
 * escalate_to may fill every one. */
uint32_t needs_of_decider(const struct request *request,
                          const struct policy *policy,
                          struct span user,
                          const struct facts *facts,
                          uint32_t *ret_unknown);
/* Is the person in one of the policy's excluded groups together with the requester? */
enum known
needs_excluded(const struct policy *policy, struct span requester, const struct facts *facts);

/* Adds to a person's facts in which of the groups (at most CORE_POLICY_GROUP_COUNT_MAX) the
 * requester is, by what is known of him; nothing when one of the groups is not known. */
void needs_add_requester(const struct span *groups,
                         uint32_t count,
                         const struct facts *requester,
                         struct facts *facts);

/* The groups whose members matter: the policy's, the excluded ones and those of escalate_to, each
 * once. */
uint32_t needs_groups(const struct policy *policy,
                      struct span ret_groups[2 * CORE_POLICY_GROUP_COUNT_MAX]);

#endif
