/* SPDX-License-Identifier: Apache-2.0 */
/* reach.h: could enough people approve a request that is about to be made? Pure. */
#ifndef APPROVALD_CORE_REACH_H
#define APPROVALD_CORE_REACH_H

#include "approvald/core/types.h"

/* False only when it is certain that they could not: those whom the policy names, without those who
 * ask, are too few, of every alternative. A group or channel may have any number of members, an
 * e-mail address may be anybody's; who is asked after escalate_after counts when the request lives
 * so long. */
bool reach_is_possible(const struct policy *policy, const struct request *request);

#endif
