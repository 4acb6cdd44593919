/* SPDX-License-Identifier: Apache-2.0 */
/* inbound_facts.c: what has to be known of a person who wants to decide or to see a request.
 * Owns the list of what is asked for, and that the requester's groups belong to it where the policy
 * excludes who shares one with him.
 * Never waits and never judges: what is not known stays unknown. */
#include "approvald/core/needs.h"
#include "approvald/service/service.h"
#include "approvald/slack/inbound/inbound_internal.h"
#include "base/assert.h"

static_assert(CORE_POLICY_GROUP_COUNT_MAX + CORE_STAND_IN_COUNT_MAX + 1 <= DIRECTORY_NEED_COUNT_MAX,
              "a person, those for whom he stands in and all groups of a policy are one fetch");

void inbound_facts(struct slack_inbound *inbound,
                   const struct inbound_about *about,
                   struct facts *ret_facts)
{
    struct facts requester;

    directory_facts(inbound->directory, about->user, about->team, ret_facts);
    if (about->requester.size > 0) {
        directory_facts(inbound->directory, about->requester, SPAN_NONE, &requester);
        needs_add_requester(about->groups, about->group_count, &requester, ret_facts);
    }
    service_add_stand_ins(inbound->service, about->user, ret_facts);
}

enum err_code inbound_fetch_facts(struct slack_inbound *inbound,
                                  const struct inbound_about *about,
                                  directory_done_fn *done,
                                  void *arg,
                                  struct err *err)
{
    struct directory_need needs[DIRECTORY_NEED_COUNT_MAX] = {
        {.kind = DIRECTORY_USER, .id = about->user}};
    struct span others[CORE_STAND_IN_COUNT_MAX];
    uint32_t other_count = service_stands_in_for(inbound->service, about->user, others);
    uint32_t count = 1;

    ASSERT(about->group_count <= CORE_POLICY_GROUP_COUNT_MAX);
    for (uint32_t i = 0; i < about->group_count; i++) {
        needs[count++] = (struct directory_need){.kind = DIRECTORY_GROUP, .id = about->groups[i]};
    }
    for (uint32_t i = 0; i < other_count; i++) {
        needs[count++] = (struct directory_need){.kind = DIRECTORY_USER, .id = others[i]};
    }
    return directory_fetch(inbound->directory, needs, count, done, arg, err);
}
