/* SPDX-License-Identifier: Apache-2.0 */
/* mutant.h: builds of the supervisor's cores in which one rule of the pair is missing, for the
 * simulator to find (as storage/mutant.h for the logs).
 *
 * MUTANT(name) is the constant 0, so `if (MUTANT(x) || …)` compiles away; in a build with
 * -DMUTANT_x it is 1. No such build is ever shipped: only tests/sim makes them.
 *
 * rule  mutant                what is missing
 *  A    seek_unread           authority is sought only after a register read in this incarnation
 *  A    lead_over_higher      the ISR host with the higher log leads, the other waits
 *  C    grant_unsealed        the child has sealed before it is granted
 *  C    seek_outside_isr      only a host in the ISR seeks authority
 *  D    read_resolves         the old value in a read resolves nothing
 *  D    unknown_is_failed     an attempt of unknown fate is not a failed one
 *  D    accept_regression     an arbiter that went back, or another one, is refused
 *  D    absent_is_gone        an answer from before the bootstrap is no lost register
 *  D    match_by_revision     what a change replaces is known by its value, not only its revision
 *  D    forget_nonces         an earlier attempt's nonce in the register means that it landed
 *  E    mirror_speaks_first   the mirror's copy is durable before anybody hears of it
 *  E    outdated_seeks        an OUTDATED host never promotes itself
 *  E    word_adds_up          the operator's word, said again, makes no older copy the newer one
 *  E    fence_off_is_proof    a fence device that took "off" has not yet switched anything off
 *  E    fence_unclear_is_off  only the answer "off" is one: not an error, not silence
 *  E    fence_old_answer      an answer belongs to the question that is under way
 *  E    fence_unseen          a device that never said "on" is not believed
 *  F    forced_is_foreign     a forced promotion that was cut short can be finished
 *  F    force_keeps_lineage   a forced promotion begins a new lineage
 *  G    isr_names_hosts       the ISR names stores, not only hosts
 *  H    propose_any_epoch     a proposal counts only under the epoch that it was made under
 *  K    promoted_by_other     nobody receives authority through another's CAS
 *  L    grant_any_incarnation authority belongs to the incarnation whose CAS took it */
#ifndef SUPERVISOR_FAILOVER_MUTANT_H
#define SUPERVISOR_FAILOVER_MUTANT_H

/* -DMUTANT_x defines MUTANT_x as 1: the name that MUTANT_PROBE_ makes of it brings a comma along,
 * which moves the 1 into second place. Any other name is one argument, and the 0 is second. */
#define MUTANT_PROBE_1                    0,
#define MUTANT_SECOND(first, second, ...) second
/* NOLINTNEXTLINE(bugprone-macro-parentheses): what junk becomes are two arguments */
#define MUTANT_PICK(junk)   MUTANT_SECOND(junk 1, 0, 0)
#define MUTANT_PASTE(value) MUTANT_PICK(MUTANT_PROBE_##value)
#define MUTANT_VALUE(value) MUTANT_PASTE(value)
#define MUTANT(name)        MUTANT_VALUE(MUTANT_##name)

#endif
