/* SPDX-License-Identifier: Apache-2.0 */
/* glass.h: breaking the glass: somebody whom the policy names approves his own request, alone, with
 * a reason, at once, and everybody hears of it. Pure.
 *
 * It is no decision: it fills no need and no place of a quorum, so nobody can count twice by it.
 * Who may do it must be named by the version of the policy that the request pins and by the one
 * that is in force now: a right that is taken away is gone at once, one that is given is of new
 * requests. */
#ifndef APPROVALD_CORE_GLASS_H
#define APPROVALD_CORE_GLASS_H

#include "approvald/core/approval.h"

/* May somebody break the glass under this policy at all? */
bool glass_is_there(const struct policy *policy);
/* May this one: a Slack user id or "root"? */
bool glass_names(const struct policy *policy, struct span name);
/* The actor as a broken glass keeps him: his user id, or "root"; empty when he can be neither. */
struct span glass_name(const struct actor *actor);
/* Is there a person who could break the glass for this request, as far as it and its policy say?
 * Then its card offers it. */
bool glass_is_offered(const struct request *request, const struct policy *policy);

/* The same, or root may. */
bool glass_is_possible(const struct request *request, const struct policy *policy);

/* As eligible_check, of an event with VERDICT_GLASS. */
enum refusal glass_check(const struct request *request,
                         const struct policy *policy,
                         const struct approval_event *event,
                         bool *ret_need_facts);

#endif
