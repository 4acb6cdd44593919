/* SPDX-License-Identifier: Apache-2.0 */
/* pair.pml: the model of the pair (design section 7): an arbiter, two hosts, the link, a client and
 * the faults. Owns the transitions of a host; each is one atomic step, so that a crash, a loss or the
 * other host's step may come between any two. README.md says what is modelled and what is not. */
#include "state.pml"
#include "rules.pml"
#include "check.pml"
#include "host.pml"
#include "world.pml"

proctype Host(byte me; byte peer)
{
    do
    /* A: start, or what an old wording made of it. */
    :: d_step { st[me] == DOWN && ARBITER && ACCEPTED(me) && MAYSTART(me) -> start(me) }
#ifdef BUG_NO_EPOCH_BUMP
    :: d_step { st[me] == READY && kE[me] == rE && HAS(rI, me) && (rN - 1) / 8 == me &&
                !MINE(rN, me) && fE[me] == 0 ->
                st[me] = PRIM;
                prom[me] = rE }
#endif
#ifdef OLD_ADOPT_LONGER
    :: d_step { st[me] == READY && st[peer] == READY && kE[me] == rE && MEMBER(kI[me], me) &&
                fE[me] == 0 && llen[peer] > llen[me] && dur[peer] == llen[peer] ->
                adopt(me, peer) }
#endif
#ifdef OLD_HANDOVER_BY_PRIMARY
    /* The register names this host: it takes the authority that another's CAS gave it. */
    :: d_step { st[me] == READY && rP == me && !MINE(rN, me) && rE > prom[me] &&
                llen[me] < TOPL -> take_authority(me, rE, rI, rN) }
#endif

    /* D: reading the register. Its old value resolves nothing; its own nonce is success. */
    :: d_step { st[me] == READY && ARBITER && rE != kE[me] && ACCEPTED(me) && !MINE(rN, me) ->
                know(me) }
    :: d_step { st[me] == READY && ARBITER && rE > kE[me] && ACCEPTED(me) && MINE(rN, me) &&
                NAMED(me) && UNSEEN(me, rE) && llen[me] < TOPL ->
#if FORCES
                lin[me] = rL;
#endif
                take_authority(me, rE, rI, rN) }
    :: d_step { st[me] == PRIM && ARBITER && rE > kE[me] && ACCEPTED(me) && MINE(rN, me) ->
#if FORCES
                lin[me] = rL;
#endif
                move_on(me, rE, rI, rN) }
    :: d_step { st[me] == PRIM && ARBITER && rE != kE[me] && ACCEPTED(me) && !MINE(rN, me) ->
                step_down(me);
                know(me) }
#ifdef OLD_REREAD_RESOLVES
    :: d_step { st[me] == PRIM && pend[me] && rE == kE[me] ->
                pend[me] = 0;
                add[me] = 0 }
#endif

    /* A definite reply. Where it is no longer about what this incarnation asked, it is dropped. */
    :: d_step { oE[me] != 0 && st[me] == PRIM && MINE(oN[me], me) && oE[me] == kE[me] + 1 ->
                move_on(me, oE[me], oI[me], oN[me]);
                clear_reply(me) }
    :: d_step { oE[me] != 0 && st[me] == READY && MINE(oN[me], me) && oE[me] == kE[me] + 1 &&
                NAMED(me) && UNSEEN(me, oE[me]) && llen[me] < TOPL ->
                take_authority(me, oE[me], oI[me], oN[me]);
                clear_reply(me) }
    :: d_step { oE[me] != 0 && (st[me] == DOWN || st[me] == HALT || !MINE(oN[me], me) ||
                                oE[me] != kE[me] + 1 || (st[me] == READY && !UNSEEN(me, oE[me]))) ->
                clear_reply(me) }

    /* C: promotion on silence, also the start where the other ISR host is not reached. */
    :: d_step { st[me] == READY && ARBITER && ROOM(me) && kE[me] < TOPE && SILENT(me) &&
                (MEMBER(kI[me], me) || NONISR) && FRESH(me) ->
#ifdef OLD_STOP_WHEN_ISSUED
                mute[me] = 1;
#endif
                issue(me, SELF(me)) }
    /* A: of two ISR hosts that meet, the one whose last (epoch, LSN) is not lower leads both. */
    :: d_step { st[me] == READY && ARBITER && ROOM(me) && kE[me] < TOPE && !SOLO(kI[me], me) &&
                MEMBER(kI[me], me) && MEMBER(kI[me], peer) && st[peer] == READY &&
                (NOT_LOWER(me) || ANYORDER) && MAYMEET(me) && FRESH(me) -> issue(me, kI[me]) }
    /* Whom the ISR names alone leads alone. */
    :: d_step { st[me] == READY && ARBITER && ROOM(me) && kE[me] < TOPE &&
                SOLO(kI[me], me) && LIVE && !SILENT(me) && FRESH(me) -> issue(me, SELF(me)) }
    :: d_step { LIVE && st[me] == READY && ARBITER && ROOM(me) && kE[me] < TOPE && !SILENT(me) &&
                MEMBER(kI[me], me) && FIELD(kI[me], peer) != 0 && !MEMBER(kI[me], peer) &&
                FRESH(me) -> issue(me, SELF(me)) }
#if HANDOVERS
    /* K: the standby that was asked promotes itself, with both in the ISR. */
    :: d_step { st[me] == READY && ARBITER && hov[me] && ROOM(me) && kE[me] < TOPE &&
                MEMBER(kI[me], me) && FIELD(kI[me], peer) != 0 && FRESH(me) ->
                issue(me, kI[me]) }
    :: d_step { st[me] == PRIM && FAULTY && !stop[me] && !pend[me] && mK[me] == 0 &&
                FIELD(kI[me], peer) != 0 && pack[me] == llen[me] && cm[me] == llen[me] &&
                !READING(me) ->
                stop[me] = 1;
#ifdef OLD_HANDOVER_BY_PRIMARY
                skip }
    :: d_step { st[me] == PRIM && stop[me] && ROOM(me) && kE[me] < TOPE ->
                cP[me * NC] = 1;
                issue(me, kI[me]) }
#else
                send(me, HAND) }
#endif
    /* If nothing changed, the primary resumes; it may always, because it still needs the standby. */
    :: d_step { st[me] == PRIM && stop[me] -> stop[me] = 0 }
#endif

    /* Section 6: appending and syncing, in parallel with sending. */
    :: d_step { st[me] == PRIM && !STOPPED(me) && llen[me] < TOPL && MAYWRITE(me) ->
                wrote(me);
                log[me * HEALL + llen[me]] = REC(kE[me], me);
                llen[me] = llen[me] + 1;
                sync_early(me);
                check_append(me) }
    :: d_step { (st[me] == PRIM || st[me] == READY) && SYNCED(me) < llen[me] ->
                dur[me] = llen[me];
                SYNCED(me) = llen[me] }
    :: d_step { st[me] == PRIM && mK[me] == 0 &&
                (pack[me] < llen[me] || psid[me] == 0 || fE[peer] != kE[me]) && WORTH(me) ->
                send(me, SYNC) }
    :: d_step { st[me] == PRIM && dur[me] > cm[me] && (!ACKS(me) || pack[me] > cm[me]) ->
                n = (ACKS(me) && pack[me] < dur[me] -> pack[me] : dur[me]);
                check_commit(me);
                cm[me] = n;
                n = 0 }

    /* The peer's messages. */
    :: d_step { mK[peer] != 0 && (st[me] == READY || st[me] == PRIM) && HEARS(me) &&
                (mK[peer] != PING || aK[me] == 0) -> receive(me, peer) }
    :: d_step { mK[peer] != 0 && (st[me] == DOWN || st[me] == HALT) && LIVE -> clear_m(peer) }
    :: d_step { st[me] == READY && fE[me] != 0 && prom[me] <= fE[me] && aK[me] == 0 &&
                vfy[me] != 0 && SYNCED(me) != 0 && !MUTE(me) && NEWS(me) ->
#ifndef OLD_RECOVERED_IS_DURABLE
                assert(dur[me] >= (vfy[me] < SYNCED(me) -> vfy[me] : SYNCED(me))); /* 6 */
#endif
                assert(prom[me] >= fE[me] || PROMISELESS); /* 6 */
                answer_ack(me) }
    :: d_step { aK[peer] != 0 -> heed(me, peer) }

#if MEMBERS
    /* G: remove: CAS first, then stop waiting. */
    :: d_step { st[me] == PRIM && ARBITER && FIELD(kI[me], peer) != 0 && ROOM(me) &&
                kE[me] < TOPE && !STOPPED(me) && (SILENT(me) || !HAS(kI[me], peer)) && FRESH(me) ->
#ifdef BUG_EVICT_AFTER_CEASING
                ceased[me] = 1;
#endif
                issue(me, SELF(me)) }
    /* G: add: caught up, then required, then confirmed to hold the last LSN, then CAS. */
#ifdef BUG_ADD_BY_CAS_FIRST
    :: d_step { st[me] == PRIM && FIELD(kI[me], peer) == 0 && psid[me] != 0 && !pend[me] &&
                pack[me] == llen[me] && ROOM(me) && kE[me] < TOPE ->
                issue(me, SELF(me) | SEAT(peer, ADDED(me))) }
#else
    :: d_step { st[me] == PRIM && FIELD(kI[me], peer) == 0 && psid[me] != 0 && !add[me] &&
                st[peer] != HALT && MAYADD(me) -> add[me] = 1 }
    :: d_step { st[me] == PRIM && add[me] && !pend[me] && MAYCANCEL(me) -> add[me] = 0 }
    :: d_step { st[me] == PRIM && ARBITER && add[me] && pack[me] == llen[me] && ROOM(me) &&
                kE[me] < TOPE && psid[me] != 0 && MAYADD(me) && FRESH(me) ->
                issue(me, SELF(me) | SEAT(peer, ADDED(me))) }
#ifndef OLD_NO_TAKING_BACK
    /* D: an addition that is unresolved is taken back by the host's own success against its epoch. */
    :: d_step { st[me] == PRIM && ARBITER && add[me] && pend[me] && ROOM(me) && kE[me] < TOPE &&
                MAYCANCEL(me) && FRESH(me) -> issue(me, SELF(me)) }
#endif
#endif
#endif

#if APPLY
    /* I: up to min(commit LSN, verified), and of that only what is synced. */
    :: d_step { (st[me] == READY || st[me] == PRIM) && APPLICABLE(me) > app[me] ->
                n = APPLICABLE(me);
                assert(n <= glen); /* 9 */
                check_prefix(me, n); /* 15 */
                app[me] = n;
                n = 0 }
    :: d_step { st[me] == PRIM && mK[me] == 0 && cm[me] > 0 -> send(me, PING) }
#endif

#if READS
    /* Strong reads (section 6): they see the speculative state. */
    :: d_step { st[me] == PRIM && !STOPPED(me) && rdh == 0 && reads < READS ->
                reads++;
                rdh = me + 1;
                rdl = llen[me];
                rdg = glen }
    :: d_step { st[me] == PRIM && rdh == me + 1 && !rdok && mK[me] == 0 -> send(me, PING) }
    :: d_step { st[me] == PRIM && rdh == me + 1 && cm[me] >= rdl && (!ECHOES(me) || rdok) ->
                assert(rdl >= rdg); /* 10 */
                check_prefix(me, rdg); /* 10 */
                rdh = 0;
                rdl = 0;
                rdg = 0;
                rdok = 0 }
#endif
    od
}

init
{
    atomic {
        begin();
        run Host(0, 1);
        run Host(1, 0);
        run World()
    }
}
