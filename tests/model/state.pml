/* SPDX-License-Identifier: Apache-2.0 */
/* state.pml: what the arbiter, the two hosts and the wires between them hold, and the words for it.
 * Owns every variable and every bound. Never a transition: those are in host.pml and world.pml. */

/* ---- Bounds; model.py gives each scenario its own. */
#ifndef MAXE
#define MAXE 4 /* epochs that a host may still ask for are below this */
#endif
#ifndef MAXL
#define MAXL 3 /* records of a log */
#endif
#ifndef HEALE
#define HEALE MAXE /* the same two after the faults have ended (LIVE) */
#endif
#ifndef HEALL
#define HEALL MAXL
#endif
#ifndef KILLS
#define KILLS 0 /* process deaths: the page cache survives */
#endif
#ifndef POWERS
#define POWERS 0 /* power losses: what was not synced is gone */
#endif
#ifndef DISKS
#define DISKS 0 /* disk losses: an empty store with a new id */
#endif
#ifndef READS
#define READS 0 /* strong reads */
#endif
#ifndef HANDOVERS
#define HANDOVERS 0 /* 1: planned handovers, any number */
#endif
#ifndef MEMBERS
#define MEMBERS 1 /* 1: the primary may remove and add the standby */
#endif
#ifndef FORCES
#define FORCES 0 /* forced promotions */
#endif
#ifndef RESTORES
#define RESTORES 0 /* 1: one restore of the register that both hosts can recognise; 2: any one */
#endif
#ifndef APPLY
#define APPLY 0 /* 1: applied LSNs are modelled */
#endif
#ifndef NC
#define NC 1 /* compare-and-swaps under way, for each host */
#endif
#ifndef TRIES
#define TRIES 2 /* of one incarnation, where RESTORES counts them */
#endif
#ifndef LIVE
#define LIVE 0 /* 1: all heals; 2: one host and the arbiter heal; 3: the arbiter is lost */
#endif
#ifndef BEGIN
#define BEGIN 0 /* 0: A leads {A,B}; 1: both are down, the register says {A,B}; 2: A leads {A} */
#endif

#define DOWN 0
#define READY 1 /* has read the register; follows whom it may */
#define PRIM 2
#define HALT 3 /* keeps the evidence and waits for the operator's resync (FORCES only) */

#define SYNC 1
#define PING 2
#define HAND 3
#define ACK 4
#define ECHO 5

/* An ISR is two fields of three bits: 0 out, else the store's id + 1. */
#define FIELD(isr, h) (((isr) >> (3 * (h))) & 7)
#define SEAT(h, store) ((store) << (3 * (h))) /* store: id + 1 */
#define SELF(h) SEAT(h, sid[h] + 1)
#define HAS(isr, h) (FIELD(isr, h) == sid[h] + 1)

/* The writer's nonce and a record's content name the incarnation; within one incarnation an epoch
 * has one sequence of records, so (epoch, host, incarnation, LSN) stands for the bytes. */
#define NONCE(h) ((h) * 8 + inc[h] + 1)
#if RESTORES /* there an epoch may come twice: the nonce also counts the attempts */
#define MINE(nonce, h) (((nonce) & 31) == NONCE(h))
#else
#define MINE(nonce, h) ((nonce) == NONCE(h))
#endif
#define REC(e, h) ((e) * 16 + (h) * 8 + inc[h])
#define EPOCH(rec) ((rec) >> 4)

/* ---- The arbiter's register. */
byte rE = 1; /* epoch; every change raises it by one */
byte rI = 0; /* ISR */
byte rN = 0; /* writer's nonce; the writer is always the primary (rule K) */
#ifdef OLD_HANDOVER_BY_PRIMARY
byte rP = 0; /* the primary it names, when another may write it */
#endif
#if FORCES
byte rL = 0;    /* lineage */
byte forced = 0;
#endif
#if RESTORES
byte bE = 0; /* the old copy */
byte bI = 0;
byte bN = 0;
bit restored = 0;
byte hi[2]; /* durable: the highest epoch that the host has seen */
byte hN[2]; /* durable: that epoch's nonce and ISR */
byte hI[2];
byte kN[2]; /* volatile: the nonce of the register as known */
byte cX[2 * NC]; /* the nonce and the ISR that a CAS expects */
byte cY[2 * NC];
byte tries[2]; /* volatile: attempts of this incarnation */
byte mX[2];    /* the nonce and the ISR of a message's epoch */
byte mY[2];
#endif

/* ---- Compare-and-swaps under way (rule D): requests and definite successes. */
byte cE[2 * NC]; /* expected epoch; 0: none */
byte cI[2 * NC];
byte cN[2 * NC];
#ifdef OLD_HANDOVER_BY_PRIMARY
bit cP[2 * NC]; /* 1: for the peer */
#endif
byte oE[2]; /* the epoch won; 0: no reply is under way */
byte oI[2];
byte oN[2];

/* ---- Durable on each host. */
byte sid[2];
byte log[2 * HEALL];
byte llen[2]; /* written, perhaps only in the page cache */
byte dur[2];  /* synced */
byte prom[2]; /* promised epoch */
#if APPLY
byte app[2]; /* applied LSN */
#endif
#if FORCES
byte lin[2];  /* lineage of this log */
byte told[2]; /* checker: the highest LSN that this store's host has told a client */
#endif

/* ---- Volatile on each host. */
byte st[2];
byte inc[2]; /* incarnation: counts deaths */
byte kE[2];  /* the register as this incarnation last knew it */
byte kI[2];
bit pend[2];  /* a CAS of ours is unresolved */
bit add[2];   /* primary: requires the standby although the ISR does not name it yet */
byte pack[2]; /* primary: the peer's acknowledged LSN under this incarnation */
byte psid[2]; /* primary: the store id (+1) that came with it */
byte cm[2];   /* commit LSN as known */
byte fE[2];   /* standby: whom it follows, epoch and incarnation */
byte fI[2];
byte vfy[2]; /* standby: last LSN verified against that incarnation */
#if HANDOVERS
bit stop[2]; /* primary: has stopped serving for a handover */
bit hov[2];  /* standby: was asked to take over */
#endif
#ifdef BUG_EVICT_AFTER_CEASING
bit ceased[2];
#endif
#ifdef OLD_STOP_WHEN_ISSUED
bit mute[2];
#endif
#ifdef OLD_RECOVERED_IS_DURABLE
byte claim[2]; /* what the process believes to be synced */
#endif

/* ---- The link: one message of each kind under way in each direction; they outlive both ends. */
byte mK[2]; /* from the primary: kind; 0: none */
byte mE[2];
byte mN[2];
byte mLen[2];
byte mCm[2];
byte mLog[2 * HEALL];
byte aK[2]; /* from the standby */
byte aE[2];
byte aN[2];
byte aS[2]; /* store id + 1 */
byte aLsn[2];
#if FORCES
byte mL[2];
byte aL[2];
#endif

/* ---- The client, and the checker's own record of what was committed. */
byte glen = 0;
byte ghost[HEALL];
#if FORCES
byte glin = 0;
#endif
#if READS
byte rdh = 0; /* the host that reads + 1 */
byte rdl = 0; /* the LSN of the state that the read saw */
byte rdg = 0; /* checker: what was committed when it began */
bit rdok = 0; /* an echo answered a ping sent after it began */
byte reads = 0;
#endif

/* ---- Faults used up. */
#if KILLS
byte kills = 0;
#endif
#if POWERS
byte powers = 0;
#endif
#if DISKS
byte disks = 0;
#endif
#if LIVE
bit healed = 0;
byte alone = 2; /* LIVE 2: the host that is left */
bit written = 0;
#define FAULTY (!healed)
#define TOPE (healed -> HEALE : MAXE)
#define TOPL (healed -> HEALL : MAXL)
#else
#define FAULTY true
#ifdef RESEED
#define TOPE (forced * 8 + MAXE)
#else
#define TOPE MAXE
#endif
#define TOPL MAXL
#endif
#if LIVE == 3
#define ARBITER FAULTY
#else
#define ARBITER true
#endif

/* Scratch of one step: 0 again at its end. */
byte i, c, n, s;
