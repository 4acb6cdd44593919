/* SPDX-License-Identifier: Apache-2.0 */
/* mutant.h: builds in which one rule of the pair is missing, for the tests to notice.
 *
 * MUTANT(name) is the constant 0, so `if (MUTANT(x) || …)` compiles away; in a build with
 * -DMUTANT_x it is 1. No such build is ever shipped: only tests make them.
 *
 * rule  mutant                   what is missing
 * Found by tests/sim, in the replication core:
 *  A    follow_unread            following waits for a register read in this incarnation
 *  B    step_down_undrained      only a primary without an uncommitted record may become standby
 *  C    ack_after_seal           after SEAL nothing lower is acknowledged or echoed
 *  C    serve_before_committed   the epoch's start record is committed before anything is served
 *  C    tail_unrequired          a granted peer is needed for the tail, and for the start record
 *  D    forget_unresolved_add    an unresolved addition keeps the peer required, whatever the link
 *  D    refused_ends_removal     a refused removal leaves the peer required
 *  G    ack_before_promise       the promise is durable before the first word at an epoch
 *  G    add_without_require      the peer is required before its addition is proposed
 *  G    add_without_last_ack     it has acknowledged the last record from before the requirement
 *  G    count_any_incarnation    acknowledgements and echoes of this epoch and incarnation only
 *  G    count_any_store          of the store that the ISR names only
 *  G    read_without_echo        strong reads wait for the standby's echo
 *  H    stop_before_cas          a standby is waited for until the register is changed
 *  I    ack_before_cut           the cut is durable before the first acknowledgement
 *  I    apply_beyond_verified    applied is only what is committed and verified in this session
 *  I    match_by_lsn             logs are shared up to an equal hash, not up to an equal LSN
 *  J    effect_unchecked         a host calls outside only when its epoch was confirmed since
 *  K    offer_outlives_grant     a new grant ends a handover that came to nothing
 *  K    handover_undrained       HANDOVER is sent when all is committed and acknowledged
 *  N    read_by_clock            an echo that came a moment ago proves nothing about now
 * Found by tests/unit: no rule, but what stands behind one:
 *  -    speak_deposed            a deposed primary counts nothing any more (the peer has sealed, C)
 * Found by tests/unit and tests/crash, in the engine:
 *  A    recovered_unsynced       the recovered log is written and synced again before it counts
 *  C    promise_unsynced         the promise is durable before it is told
 *  C    commit_before_start      nothing is committed before the epoch's start record
 *  G    ack_without_hash         an acknowledgement counts only with our hash
 *  G    release_without_echo     strong reads wait for the standby's echo
 *  I    apply_uncommitted        a standby applies only what is committed
 *  6    fold_before_commit       nothing uncommitted reaches LMDB
 *  6    sync_retried             a failed sync is final */
#ifndef STORAGE_MUTANT_H
#define STORAGE_MUTANT_H

/* -DMUTANT_x defines MUTANT_x as 1: the name that MUTANT_PROBE_ makes of it brings a comma along,
 * which moves the 1 into second place. Any other name is one argument, and the 0 is second. */
#define MUTANT_PROBE_1                    0,
#define MUTANT_SECOND(first, second, ...) second
/* NOLINTNEXTLINE(bugprone-macro-parentheses): with them it would be one argument */
#define MUTANT_PICK(junk)   MUTANT_SECOND(junk 1, 0, 0)
#define MUTANT_PASTE(value) MUTANT_PICK(MUTANT_PROBE_##value)
#define MUTANT_VALUE(value) MUTANT_PASTE(value)
#define MUTANT(name)        MUTANT_VALUE(MUTANT_##name)

#endif
