/* SPDX-License-Identifier: Apache-2.0 */
/* audience.c: who gets a copy of a request's card in his direct messages.
 * Owns the bound, and what happens beyond it.
 * Never looks anybody up; never lets anybody decide: a press is judged as on every card. */
#include "approvald/core/audience.h"

#include "approvald/core/approval.h"
#include "approvald/core/eligible.h"

#include "base/assert.h"

void audience_init(struct audience *audience,
                   const struct request *request,
                   const struct policy *policy)
{
    *audience = (struct audience){.request = request, .policy = policy};
}

static bool is_in(const struct audience *audience, struct span user)
{
    for (uint32_t i = 0; i < audience->count; i++) {
        if (span_equal(audience->users[i], user)) {
            return true;
        }
    }
    return false;
}

void audience_add(struct audience *audience, struct span user, const struct facts *facts)
{
    if (audience->more || is_in(audience, user)) {
        return;
    }
    audience->seen++;
    if (audience->seen > AUDIENCE_SEEN_MAX) {
        audience->more = true;
        return;
    }
    if (!eligible_may_help(audience->request, audience->policy, user, facts)) {
        return;
    }
    if (audience->count == CORE_DIRECT_COUNT_MAX) {
        audience->more = true;
        return;
    }
    audience->users[audience->count++] = user;
}

uint32_t audience_size(const struct audience *audience)
{
    bool told = request_is_in_channel(audience->request, audience->policy);

    ASSERT(audience->count <= CORE_DIRECT_COUNT_MAX);
    return audience->more && told ? 0 : audience->count;
}
