/* SPDX-License-Identifier: Apache-2.0 */
/* audience.h: who gets a copy of a request's card in his direct messages. Pure: the caller says who
 * is named and what is known of him.
 *
 * Everybody who may decide now, as far as is known, in the order in which he is named: people
 * before groups, each once. At most CORE_DIRECT_COUNT_MAX: when there are more, a policy with a
 * channel sends no copies at all (the channel has the card, and nobody wonders why he was left
 * out); one without a channel sends them to the first. */
#ifndef APPROVALD_CORE_AUDIENCE_H
#define APPROVALD_CORE_AUDIENCE_H

#include "approvald/core/types.h"

/* People looked at, those who may not decide among them: more are too many in any case. */
#define AUDIENCE_SEEN_MAX 256

struct audience {
    const struct request *request; /* borrowed, as all here */
    const struct policy *policy;
    uint32_t seen;
    bool more; /* there are more than these: looking further says nothing new */
    uint32_t count;
    struct span users[CORE_DIRECT_COUNT_MAX];
};

void audience_init(struct audience *audience,
                   const struct request *request,
                   const struct policy *policy);
/* facts: with those for whom he stands in, and of the requester where the policy excludes groups.
 */
void audience_add(struct audience *audience, struct span user, const struct facts *facts);
/* Who gets one; 0: nobody, for they are too many. */
uint32_t audience_size(const struct audience *audience);

#endif
