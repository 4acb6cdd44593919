/* SPDX-License-Identifier: Apache-2.0 */
/* world.pml: the arbiter, what goes lost or late, the deaths, the operator, and the end (rule 20). */

inline begin()
{
    prom[0] = 1;
    prom[1] = 1;
    kE[0] = 1;
    kE[1] = 1;
#if BEGIN == 2
    rI = SEAT(0, 1);
#else
    rI = SEAT(0, 1) | SEAT(1, 1);
#endif
    kI[0] = rI;
    kI[1] = rI;
    rN = NONCE(0);
#if RESTORES
    hi[0] = 1;
    hi[1] = 1;
    hN[0] = rN;
    hN[1] = rN;
    hI[0] = rI;
    hI[1] = rI;
    kN[0] = rN;
    kN[1] = rN;
#endif
#if BEGIN == 1
    inc[0] = 1; /* so that the register's writer is an incarnation that is dead */
    kE[0] = 0;
    kE[1] = 0;
    kI[0] = 0;
    kI[1] = 0
#else
    st[0] = PRIM;
    st[1] = READY
#endif
}

inline clear_reply(h)
{
    oE[h] = 0;
    oI[h] = 0;
    oN[h] = 0
}

inline clear_cas(k)
{
    cE[k] = 0;
    cI[k] = 0;
    cN[k] = 0;
#if RESTORES
    cX[k] = 0;
    cY[k] = 0;
#endif
#ifdef OLD_HANDOVER_BY_PRIMARY
    cP[k] = 0;
#endif
    skip
}

inline answer_ack(h)
{
    aK[h] = ACK;
    aE[h] = fE[h];
    aN[h] = fI[h];
    aS[h] = sid[h] + 1;
    aLsn[h] = LOWER(vfy[h], SYNCED(h));
#if FORCES
    aL[h] = lin[h];
#endif
    skip
}

inline heed(h, p)
{
    if
    :: st[h] == PRIM && aK[p] == ACK && MATCHES(h, p) && COUNTS(h, aS[p]) ->
       if
       :: psid[h] != aS[p] ->
          psid[h] = aS[p];
          pack[h] = LOWER(aLsn[p], llen[h])
       :: pack[h] < aLsn[p] && psid[h] == aS[p] -> pack[h] = LOWER(aLsn[p], llen[h])
       :: else
       fi
#if READS
    :: st[h] == PRIM && aK[p] == ECHO && MATCHES(h, p) && COUNTS(h, aS[p]) && rdh == h + 1 ->
       rdok = 1
#endif
    :: else
    fi;
    clear_a(p)
}

#ifdef OLD_ADOPT_LONGER
inline adopt(h, p)
{
    c = 0;
    do
    :: c < llen[p] ->
       log[h * HEALL + c] = log[p * HEALL + c];
       c++
    :: else -> break
    od;
    llen[h] = c;
    dur[h] = c;
    c = 0
}
#endif

/* The register is changed by compare-and-swap only, and its epoch only rises (1). */
inline land(k)
{
    n = k / NC;
#ifndef BUG_OUTSIDER_PROMOTES
    /* 11: only a host of the ISR wins; a primary that removes or adds is one. */
    assert(FIELD(rI, n) != 0);
#endif
#if FORCES
    assert(lin[n] == glin); /* F: an old lineage never changes the register again */
#endif
    rE = rE + 1;
    rI = cI[k];
    rN = cN[k];
#ifdef OLD_HANDOVER_BY_PRIMARY
    rP = (cP[k] -> 1 - n : n);
#endif
    n = 0
}

inline reply(k)
{
    n = k / NC;
    oE[n] = rE;
    oI[n] = rI;
    oN[n] = rN;
    n = 0;
    clear_cas(k)
}

inline die(h)
{
    st[h] = DOWN;
    forget_primary(h);
    forget_standby(h);
    kE[h] = 0;
    kI[h] = 0;
#if RESTORES
    kN[h] = 0;
    tries[h] = 0;
#endif
#ifdef OLD_STOP_WHEN_ISSUED
    mute[h] = 0;
#endif
#ifdef OLD_RECOVERED_IS_DURABLE
    claim[h] = 0;
#endif
    inc[h] = inc[h] + 1;
    sweep()
}

inline lose_log(h, keep)
{
    i = keep;
    do
    :: i < llen[h] ->
       log[h * HEALL + i] = 0;
       i++
    :: else -> break
    od;
    i = 0;
    llen[h] = keep
}

#define SLOT(k) \
    :: d_step { ARBITER && cE[k] != 0 && EXPECTED(k) -> land(k); reply(k); sweep() } \
    :: d_step { ARBITER && cE[k] != 0 && EXPECTED(k) && FAULTY -> land(k); clear_cas(k); sweep() } \
    :: d_step { cE[k] != 0 && (!EXPECTED(k) || FAULTY || !ARBITER) -> clear_cas(k) }

#define WIRE(h) \
    :: d_step { mK[h] != 0 && FAULTY -> clear_m(h) } \
    :: d_step { aK[h] != 0 && FAULTY -> clear_a(h) }

#define DEATHS(h) \
    KILL(h) POWER(h) DISK(h)
#if KILLS
#define KILL(h) :: d_step { st[h] != DOWN && FAULTY && kills < KILLS -> kills++; die(h) }
#else
#define KILL(h)
#endif
#if POWERS
#define POWER(h) \
    :: d_step { FAULTY && powers < POWERS && (st[h] != DOWN || dur[h] < llen[h]) -> \
                powers++; die(h); lose_log(h, dur[h]); sync_early(0); sync_early(1) }
#else
#define POWER(h)
#endif
#if APPLY
#define LOSE_APPLIED(h) app[h] = 0
#else
#define LOSE_APPLIED(h) skip
#endif
#if FORCES
#define LOSE_LINEAGE(h) lin[h] = 0; told[h] = 0
#else
#define LOSE_LINEAGE(h) skip
#endif
#if RESTORES
#define LOSE_SEEN(h) hi[h] = 0; hN[h] = 0; hI[h] = 0
#else
#define LOSE_SEEN(h) skip
#endif
#if DISKS
#define DISK(h) \
    :: d_step { FAULTY && disks < DISKS -> \
                disks++; die(h); lose_log(h, 0); dur[h] = 0; prom[h] = 0; sid[h] = sid[h] + 1; \
                LOSE_APPLIED(h); LOSE_LINEAGE(h); LOSE_SEEN(h) }
#else
#define DISK(h)
#endif

#if FORCES
/* F: the operator makes h the primary of a new lineage. What h's log does not hold is given up. */
inline force(h)
{
    forced++;
    glin++;
    i = 0;
    do
    :: i < glen && i < llen[h] && ghost[i] == log[h * HEALL + i] -> i++
    :: else -> break
    od;
    do
    :: glen > i ->
       glen--;
       ghost[glen] = 0
    :: else -> break
    od;
    i = 0;
#ifdef OLD_FORCE_BESIDE_REGISTER
    lin[h] = glin;
    take_authority(h, kE[h] + 1, SELF(h), NONCE(h))
#else
    rL = glin;
#ifdef RESEED
    /* The old arbiter is gone and with it what is under way to it. Its epoch may have been higher
     * than any that this host knows, so a lineage's epochs begin above all of the one before. */
    clear_cas(0);
    clear_cas(1);
    clear_reply(0);
    clear_reply(1);
#ifdef OLD_RESEED_NEXT_EPOCH
    rE = kE[h] + 1;
#else
    rE = 8 + kE[h];
#endif
#else
    rE = rE + 1;
#endif
    rI = SELF(h);
    rN = NONCE(h)
#endif
}
#ifdef RESEED
#define PEER_OFF(h) (st[1 - h] == DOWN)
#else
#define PEER_OFF(h) true
#endif
#define FORCE(h) \
    :: d_step { forced < FORCES && ARBITER && st[h] == READY && rE < MAXE && llen[h] < MAXL && \
                PEER_OFF(h) -> force(h) }
#else
#define FORCE(h)
#endif

/* 20: what must be true where nothing can move any more. */
#define LEADS(h) (st[h] == PRIM && kE[h] == rE && MINE(rN, h) && written && \
                  cm[h] == llen[h])
#define PAIRED(h) (LEADS(h) && st[1 - h] == READY && HAS(rI, h) && HAS(rI, 1 - h))
#if LIVE == 1
#define GOAL (PAIRED(0) || PAIRED(1) || LOST)
#elif LIVE == 2
#define GOAL (!HAS(rI, alone) || LEADS(alone))
#else
#define GOAL ((st[0] != PRIM && st[1] != PRIM) || \
              (written && ((st[0] == PRIM && cm[0] == llen[0]) || (st[1] == PRIM && cm[1] == llen[1]))))
#endif
/* No store that the register names is left: only an operator can help. */
#define LOST (!HAS(rI, 0) && !HAS(rI, 1))

#if LIVE
/* From here on nothing is lost, nothing dies and nobody suspects a host that is up. */
inline heal()
{
    healed = 1;
    written = 0
}

inline leave(h)
{
    if
    :: st[h] != DOWN -> die(h)
    :: else
    fi
}
#endif

proctype World()
{
#if LIVE
progress_before:
#endif
    do
    SLOT(0)
    SLOT(1)
#if NC == 2
    SLOT(2)
    SLOT(3)
#endif
    WIRE(0)
    WIRE(1)
    DEATHS(0)
    DEATHS(1)
    FORCE(0)
    FORCE(1)
#if RESTORES
    :: d_step { bE == 0 -> bE = rE; bI = rI; bN = rN }
    :: d_step { bE != 0 && !restored && bE < rE &&
                (RESTORES == 2 || (bE < hi[0] && bE < hi[1])) ->
                restored = 1; rE = bE; rI = bI; rN = bN }
#endif
#if LIVE
#if LIVE == 2
    :: d_step { true -> heal(); alone = 0; leave(1) } -> goto after
    :: d_step { true -> heal(); alone = 1; leave(0) } -> goto after
#else
    :: d_step { true -> heal() } -> goto after
#endif
#endif
    od;
#if LIVE
after:
    do
    SLOT(0)
    SLOT(1)
    :: timeout -> assert(GOAL); break
    od
#endif
}
