/* SPDX-License-Identifier: Apache-2.0 */
/* host.pml: one host: rules A, B, C, D, F, G, I and K of design section 7, each in the present wording
 * and, behind a macro, in the wording or with the bug that broke it. Timers are absent: whatever a
 * timer could start may start at any time, so no safety rests on one.
 * Never loses anything: that is world.pml. */

/* What can never be accepted any more is the same as lost: this keeps the states few. */
inline sweep()
{
    s = 0;
    do
    :: s < 2 ->
       if
       :: oE[s] != 0 && (!MINE(oN[s], s) || oE[s] != kE[s] + 1 || st[s] == DOWN) -> clear_reply(s)
       :: else
       fi;
#ifndef BUG_ACK_BY_LSN_ONLY
       if
       :: aK[s] != 0 && (st[1 - s] != PRIM || !MATCHES((1 - s), s)) -> clear_a(s)
       :: else
       fi;
#endif
#if !defined(OLD_VOLATILE_PROMISE) && !RESTORES
       if
       :: mK[s] != 0 && mE[s] < prom[1 - s] -> clear_m(s)
       :: else
       fi;
#endif
#if !RESTORES
       if
       :: cE[s * NC] != 0 && cE[s * NC] < rE -> clear_cas((s * NC))
       :: else
       fi;
#if NC == 2
       if
       :: cE[s * NC + 1] != 0 && cE[s * NC + 1] < rE -> clear_cas((s * NC + 1))
       :: else
       fi;
#endif
#endif
       s++
    :: else -> break
    od;
    s = 0
}

/* Rule D: the highest epoch seen is durable, with what makes its value the one that was seen. */
inline seen(h, e, nonce, isr)
{
#if RESTORES
    if
    :: hi[h] < e ->
       hi[h] = e;
       hN[h] = nonce;
       hI[h] = isr
    :: else
    fi
#endif
    skip
}

inline forget_primary(h)
{
    pend[h] = 0;
    add[h] = 0;
    pack[h] = 0;
    psid[h] = 0;
#if HANDOVERS
    stop[h] = 0;
#endif
#ifdef BUG_EVICT_AFTER_CEASING
    ceased[h] = 0;
#endif
#if READS
    if
    :: rdh == h + 1 ->
       rdh = 0;
       rdl = 0;
       rdg = 0;
       rdok = 0
    :: else
    fi
#endif
    skip
}

inline forget_standby(h)
{
    fE[h] = 0;
    fI[h] = 0;
    vfy[h] = 0;
    cm[h] = 0;
#if HANDOVERS
    hov[h] = 0;
#endif
    skip
}

inline step_down(h)
{
    st[h] = READY;
    forget_primary(h);
    forget_standby(h)
}

/* A free place for a request; s = NC where there is none. */
#if RESTORES
#define ROOM(h) (cE[h] == 0 && tries[h] < TRIES)
#elif NC == 1
#define ROOM(h) (cE[h] == 0)
#else
#define ROOM(h) (cE[2 * h] == 0 || cE[2 * h + 1] == 0)
#endif
inline issue(h, isr)
{
    s = h * NC;
#if NC == 2
    if
    :: cE[s] != 0 -> s = s + 1
    :: else
    fi;
#endif
    cE[s] = kE[h];
    cI[s] = isr;
#if RESTORES
    cX[s] = kN[h];
    cY[s] = kI[h];
    tries[h] = tries[h] + 1;
    cN[s] = NONCE(h) | (tries[h] << 5);
#else
    cN[s] = NONCE(h);
#endif
    s = 0;
    pend[h] = (st[h] == PRIM)
}

inline sync_early(h)
{
    if
    :: SAFE_POWER ->
       dur[h] = llen[h];
       SYNCED(h) = llen[h]
    :: else
    fi
}

/* Rule C: seal, then authority: the promise of e is durable, so nothing lower is acknowledged or
 * echoed again; the whole log is adopted and the epoch-start record durable before it serves. */
inline take_authority(h, e, isr, nonce)
{
    forget_primary(h);
    forget_standby(h);
#ifdef OLD_STOP_WHEN_ISSUED
    mute[h] = 0;
#endif
#ifndef BUG_ACK_AFTER_AUTHORITY
    prom[h] = e;
#endif
    seen(h, e, nonce, isr);
    kE[h] = e;
    kI[h] = isr;
#if RESTORES
    kN[h] = nonce;
#endif
    st[h] = PRIM;
    if
    :: e == rE -> check_prefix(h, glen) /* 3; one that learns late of a lost epoch commits nothing */
    :: else
    fi;
    log[h * HEALL + llen[h]] = REC(e, h);
    llen[h] = llen[h] + 1;
    dur[h] = llen[h];
#ifdef OLD_RECOVERED_IS_DURABLE
    claim[h] = llen[h];
#endif
    check_append(h);
    sweep()
}

/* The sitting primary's own change has landed: the next epoch, without a record of its own. */
inline move_on(h, e, isr, nonce)
{
    kE[h] = e;
    kI[h] = isr;
#if RESTORES
    kN[h] = nonce;
#endif
    pend[h] = 0;
    add[h] = 0;
#ifdef BUG_EVICT_AFTER_CEASING
    ceased[h] = 0;
#endif
    prom[h] = e;
#ifdef OLD_HANDOVER_BY_PRIMARY
    if
    :: rP != h -> step_down(h)
    :: else
    fi;
#endif
    seen(h, e, nonce, isr);
    sweep()
}

inline know(h)
{
    kE[h] = rE;
    kI[h] = rI;
#if RESTORES
    kN[h] = rN;
#endif
    pend[h] = 0;
#if HANDOVERS
    hov[h] = 0;
#endif
#ifdef OLD_STOP_WHEN_ISSUED
    mute[h] = 0;
#endif
#if FORCES
    /* F: the lineage of a log is that of the register which names its store. */
    if
    :: HAS(rI, h) -> lin[h] = rL
    :: else
    fi;
#endif
    seen(h, rE, rN, rI);
    sweep()
}

/* Rule A. */
inline start(h)
{
#ifdef OLD_RECOVERED_IS_DURABLE
    claim[h] = llen[h];
#else
    dur[h] = llen[h];
#endif
    st[h] = READY;
#ifdef OLD_VOLATILE_PROMISE
    prom[h] = 0
#else
    know(h);
    if
    :: prom[h] < rE -> prom[h] = rE
    :: else
    fi;
    sweep()
#endif
}

/* Rule I: cut to the last LSN at which both logs agree, then append what the primary has. */
inline cut(h, p)
{
    c = 0;
#ifdef OLD_CUT_TO_NEWER_EPOCH
    /* "cut back to the first LSN of the newer epoch" */
    do
    :: c < mLen[p] && EPOCH(mLog[p * HEALL + c]) != mE[p] -> c++
    :: else -> break
    od;
    if
    :: c >= mLen[p] || c > llen[h] -> c = llen[h]
    :: else
    fi;
#else
    do
    :: c < llen[h] && c < mLen[p] && log[h * HEALL + c] == mLog[p * HEALL + c] -> c++
    :: else -> break
    od;
#endif
#if APPLY
    assert(c >= app[h]); /* 9: nothing applied is ever cut */
#endif
#if FORCES
    assert(c >= told[h]); /* F: nothing that a client was told is cut silently */
#endif
    if
    :: c < dur[h] -> dur[h] = c
    :: else
    fi;
#ifdef OLD_RECOVERED_IS_DURABLE
    if
    :: c < claim[h] -> claim[h] = c
    :: else
    fi;
#endif
    n = llen[h];
    do
    :: c < mLen[p] ->
       log[h * HEALL + c] = mLog[p * HEALL + c];
       c++
    :: else -> break
    od;
    llen[h] = c;
    do
    :: c < n ->
       log[h * HEALL + c] = 0;
       c++
    :: else -> break
    od;
    n = 0;
    c = 0;
    sync_early(h);
    check_logs()
}

inline clear_m(p)
{
    mK[p] = 0;
    mE[p] = 0;
    mN[p] = 0;
    mLen[p] = 0;
    mCm[p] = 0;
#if RESTORES
    mX[p] = 0;
    mY[p] = 0;
#endif
#if FORCES
    mL[p] = 0;
#endif
    i = 0;
    do
    :: i < HEALL ->
       mLog[p * HEALL + i] = 0;
       i++
    :: else -> break
    od;
    i = 0
}

inline clear_a(h)
{
    aK[h] = 0;
    aE[h] = 0;
    aN[h] = 0;
    aS[h] = 0;
    aLsn[h] = 0;
#if FORCES
    aL[h] = 0;
#endif
    skip
}

inline send(h, kind)
{
    mK[h] = kind;
    mE[h] = kE[h];
    mN[h] = inc[h];
    mLen[h] = llen[h];
#if RESTORES
    mX[h] = kN[h];
    mY[h] = kI[h];
#endif
#if APPLY
    mCm[h] = cm[h];
#endif
#if FORCES
    mL[h] = lin[h];
#endif
    i = 0;
    do
    :: kind == SYNC && i < llen[h] ->
       mLog[h * HEALL + i] = log[h * HEALL + i];
       i++
    :: else -> break
    od;
    i = 0
}

/* h has accepted a message of its peer p's epoch: the promise is durable before any answer. */
inline follow(h, p)
{
    if
    :: st[h] == PRIM -> step_down(h)
    :: else
    fi;
    prom[h] = mE[p];
#if RESTORES
    seen(h, mE[p], mX[p], mY[p]);
#endif
    if
    :: fE[h] != mE[p] || fI[h] != mN[p] ->
       forget_standby(h);
       fE[h] = mE[p];
       fI[h] = mN[p]
    :: else
    fi;
    if
    :: cm[h] < mCm[p] -> cm[h] = mCm[p]
    :: else
    fi
}

inline answer_ping(h, p)
{
    aK[h] = ECHO;
    aE[h] = mE[p];
    aN[h] = mN[p];
    aS[h] = sid[h] + 1;
#if FORCES
    aL[h] = lin[h];
#endif
    skip
}

inline receive(h, p)
{
    if
    :: REFUSED(h, p) || FOREIGN(h, p) -> skip
#ifdef BUG_ACK_AFTER_AUTHORITY
    :: st[h] == PRIM && !REFUSED(h, p) && mE[p] < kE[h] ->
       if
       :: mK[p] == PING -> answer_ping(h, p)
       :: else
       fi
#endif
    :: else ->
#if FORCES
       changed_lineage(h, p);
       if
       :: st[h] == HALT -> skip
       :: else -> accept(h, p)
       fi
#else
       accept(h, p)
#endif
    fi;
    clear_m(p)
}

inline accept(h, p)
{
    follow(h, p);
    if
    :: mK[p] == SYNC ->
       cut(h, p);
       vfy[h] = mLen[p]
    :: mK[p] == PING -> answer_ping(h, p)
#if HANDOVERS
    :: mK[p] == HAND -> hov[h] = (dur[h] >= mLen[p] && vfy[h] >= mLen[p])
#endif
    fi;
    sweep()
}

#if FORCES
/* Rule F: a log of a lineage that was given up is never cut silently: what the new lineage's log does
 * not hold is evidence. Only a SYNC can tell; anything else of a newer lineage is dropped. */
inline changed_lineage(h, p)
{
    c = 0;
    do
    :: c < llen[h] && c < mLen[p] && log[h * HEALL + c] == mLog[p * HEALL + c] -> c++
    :: else -> break
    od;
#ifdef OLD_LINEAGE_CUTS
    lin[h] = mL[p];
#else
    if
    :: mL[p] > lin[h] && c < llen[h] ->
       step_down(h);
       st[h] = HALT
    :: else -> lin[h] = mL[p]
    fi;
#endif
    c = 0
}
#endif
