/* SPDX-License-Identifier: Apache-2.0 */
/* rules.pml: the guards that a wording of the rules decides, one macro for each old wording and bug.
 * Never a transition. With no macro given this is the present wording. */

/* ---- Rule G: what a commit (ACKS) and a strong read (ECHOES) of primary h need from its peer. */
#ifdef BUG_EVICT_AFTER_CEASING
#define CEASED(h) ceased[h]
#else
#define CEASED(h) false
#endif
#define ACKS(h) ((FIELD(kI[h], 1 - h) != 0 || add[h]) && !CEASED(h))
#if defined(OLD_ADD_REQUIRES_ACKS_ONLY)
#define ECHOES(h) (FIELD(kI[h], 1 - h) != 0)
#elif defined(BUG_READ_WITHOUT_ECHO)
#define ECHOES(h) false
#else
#define ECHOES(h) ACKS(h)
#endif
#ifdef OLD_ISR_NAMES_HOSTS
#define MEMBER(isr, h) (FIELD(isr, h) != 0)
#define COUNTS(h, store) true
#define ADDED(h) 1 /* any store's id: the host is what is named */
#else
#define MEMBER(isr, h) HAS(isr, h)
#define COUNTS(h, store) (FIELD(kI[h], 1 - h) == 0 || FIELD(kI[h], 1 - h) == (store))
#define ADDED(h) psid[h]
#endif
#if HANDOVERS
#define STOPPED(h) stop[h]
#define ASKED(h) hov[h]
#else
#define STOPPED(h) false
#define ASKED(h) false
#endif
#ifdef OLD_STOP_WHEN_ISSUED
#define MUTE(h) mute[h]
#else
#define MUTE(h) false
#endif
#ifdef OLD_RECOVERED_IS_DURABLE
#define SYNCED(h) claim[h]
#else
#define SYNCED(h) dur[h]
#endif
#if FORCES
#define SAME_LINEAGE(h) (lin[h] == rL)
#else
#define SAME_LINEAGE(h) true
#endif
#if RESTORES && !defined(OLD_REVISION_NOT_KEPT)
#ifdef OLD_EPOCH_ALONE_KEPT
#define ACCEPTED(h) (rE >= hi[h])
#else
#define ACCEPTED(h) (rE > hi[h] || (rE == hi[h] && rN == hN[h] && rI == hI[h])) /* 14 */
#endif
#else
#define ACCEPTED(h) true
#endif
#define SILENT(h) (FAULTY || st[1 - h] == DOWN || (LIVE == 3))
#define LASTE(h) (llen[h] == 0 -> 0 : EPOCH(log[(h) * HEALL + llen[h] - 1]))
#define NOT_LOWER(h) \
    (LASTE(h) > LASTE(1 - h) || (LASTE(h) == LASTE(1 - h) && llen[h] >= llen[1 - h]))

#define LOWER(a, b) ((a) < (b) -> (a) : (b))
#define SOLO(isr, h) (MEMBER(isr, h) && FIELD(isr, 1 - h) == 0)
#ifdef BUG_OUTSIDER_PROMOTES
#define NONISR true
#else
#define NONISR false
#endif
#ifdef ANY_ORDER
#define ANYORDER true
#else
#define ANYORDER false
#endif
#ifdef OLD_VOLATILE_PROMISE
#define PROMISELESS true
#else
#define PROMISELESS false
#endif
#if READS
#define READING(h) (rdh == h + 1)
#else
#define READING(h) false
#endif
#if LIVE
/* After the faults nobody repeats what is under way or done, so that every run ends. */
#define FRESH(h) (!healed || (cE[h] == 0 && kE[h] == rE && (oE[h] == 0)))
#define NEWS(h) (!healed || (st[1 - h] == PRIM && kE[1 - h] == fE[h] && \
                 COUNTS((1 - h), sid[h] + 1) && \
                 (pack[1 - h] < LOWER(vfy[h], SYNCED(h)) || psid[1 - h] != sid[h] + 1)))
#define WORTH(h) (!healed || ((st[1 - h] == READY || st[1 - h] == PRIM) && kE[h] >= prom[1 - h] && \
                  (fE[1 - h] != kE[h] || fI[1 - h] != inc[h] || vfy[1 - h] < llen[h])))
/* Nor does a host contest the win of a peer that it hears, nor a tie that the peer is to win. */
#define MAYMEET(h) (!healed || (!MINE(rN, (1 - h)) && (LASTE(h) != LASTE(1 - h) || \
                    llen[h] != llen[1 - h] || h == 0)))
#define MAYADD(h) (!healed || (st[1 - h] == READY && psid[h] == sid[1 - h] + 1))
#define MAYCANCEL(h) (!healed || st[1 - h] == DOWN)
#define HEARS(h) true
#define MAYSTART(h) (!healed || LIVE != 2 || alone == h)
#define MAYWRITE(h) (!healed || !written)
#define wrote(h) written = (healed -> 1 : written)
#else
#define FRESH(h) true
#define NEWS(h) true
#define WORTH(h) true
#define MAYMEET(h) true
#define MAYADD(h) true
#define MAYCANCEL(h) true
#define HEARS(h) true
#define MAYSTART(h) true
#define MAYWRITE(h) true
#define wrote(h) skip
#endif
#ifdef OLD_APPLY_TO_COMMIT
#define APPLICABLE(h) LOWER(cm[h], llen[h])
#elif defined(OLD_APPLY_UNSYNCED)
#define APPLICABLE(h) (st[h] == PRIM -> cm[h] : LOWER(cm[h], vfy[h]))
#else
#define APPLICABLE(h) (st[h] == PRIM -> cm[h] : LOWER(LOWER(cm[h], vfy[h]), dur[h]))
#endif

#ifdef BUG_ACK_AFTER_AUTHORITY
#define REFUSED(h, p) (mE[p] < prom[h])
#else
#define REFUSED(h, p) (mE[p] < prom[h] || (st[h] == PRIM && mE[p] <= kE[h]))
#endif
#if FORCES
#define FOREIGN(h, p) (mL[p] < lin[h] || (mL[p] > lin[h] && mK[p] != SYNC))
#else
#define FOREIGN(h, p) false
#endif

/* G: acknowledgements and echoes count only with the same lineage, epoch, incarnation and store. */
#ifdef BUG_ACK_BY_LSN_ONLY
#define MATCHES(h, p) true
#elif FORCES
#define MATCHES(h, p) (aE[p] == kE[h] && aN[p] == inc[h] && aL[p] == lin[h])
#else
#define MATCHES(h, p) (aE[p] == kE[h] && aN[p] == inc[h])
#endif

/* Where no power loss is left to come, a sync that is late is an acknowledgement that is late. */
#if POWERS
#define SAFE_POWER (powers == POWERS)
#else
#define SAFE_POWER true
#endif

/* Whom the register names as primary: with rule K always its writer. */
#ifdef OLD_HANDOVER_BY_PRIMARY
#define NAMED(h) (rP == h)
#else
#define NAMED(h) true
#endif

/* An epoch won must be above every epoch seen: a win that is not is the win of a restored register. */
#ifdef OLD_WIN_AT_SEEN_EPOCH
#define UNSEEN(h, e) (prom[h] <= (e))
#elif RESTORES && !defined(OLD_REVISION_NOT_KEPT)
#define UNSEEN(h, e) (prom[h] < (e) && hi[h] < (e))
#else
#define UNSEEN(h, e) (prom[h] < (e))
#endif

/* A CAS compares the whole value: after a restore an epoch may be there twice. */
#if RESTORES && !defined(OLD_CAS_COMPARES_EPOCH)
#define EXPECTED(k) (cE[k] == rE && cX[k] == rN && cY[k] == rI)
#else
#define EXPECTED(k) (cE[k] == rE)
#endif
