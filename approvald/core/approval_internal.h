/* SPDX-License-Identifier: Apache-2.0 */
/* approval_internal.h: the moves of a request and what they make visible, shared by the files of
 * the rules. Only approval*.c include it. */
#ifndef APPROVALD_CORE_APPROVAL_INTERNAL_H
#define APPROVALD_CORE_APPROVAL_INTERNAL_H

#include "approvald/core/approval.h"

/* Asserts that the move is legal. */
void approval_move_state(struct request *request, enum request_state to, uint64_t now_ms);
void approval_move_use(struct request *request, enum request_use to);
/* The quorum is met and nothing holds the approval back. */
void approval_end_approved(const struct policy *policy,
                           const struct approval_event *event,
                           struct request *request);

/* The index of the new entry. */
uint32_t effects_audit(struct approval_effects *effects,
                       enum audit_action action,
                       bool by_system,
                       struct span detail);
/* Who approved for whom; empty when everybody did for himself. */
struct span effects_people(struct approval_effects *effects);
/* What people see of a change: every card, and an entry under each. */
void effects_cards(struct approval_effects *effects, const struct policy *policy);
void effects_entries(struct approval_effects *effects,
                     const struct policy *policy,
                     uint32_t audit,
                     struct span user,
                     struct span text);
/* Both. */
void effects_card(struct approval_effects *effects,
                  const struct policy *policy,
                  uint32_t audit,
                  struct span user,
                  struct span text);
void effects_webhooks(struct approval_effects *effects,
                      const struct policy *policy,
                      uint32_t audit,
                      struct span user,
                      struct span text);
void effects_direct(struct approval_effects *effects, const struct policy *policy);
/* Who may decide has to be found out, and to be given a card, where the policy says so. */
void effects_ask(struct approval_effects *effects, const struct policy *policy);
/* Those who have one and have not decided are reminded. */
void effects_remind(struct approval_effects *effects, const struct policy *policy, uint32_t audit);
/* Those who are told directly of a broken glass. */
void effects_tell(struct approval_effects *effects, const struct policy *policy);

/* approval_time.c. A request begins: when its approvers are reminded and others asked. */
void approval_set_clocks(const struct policy *policy, struct request *request);
/* The quorum is met, but the policy lets people stop it for a while. */
void approval_delay(const struct policy *policy,
                    const struct approval_event *event,
                    struct approval_effects *effects);
/* Everything that is due, in its order. */
void approval_apply_time(const struct policy *policy,
                         const struct approval_event *event,
                         struct approval_effects *effects);

#endif
