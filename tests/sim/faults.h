/* SPDX-License-Identifier: Apache-2.0 */
/* faults.h: the kinds of faults. Each seed draws which of them happen and how often (a swarm); each
 * kind has a stream of random numbers of its own, so that it can be switched off alone. */
#ifndef TESTS_SIM_FAULTS_H
#define TESTS_SIM_FAULTS_H

#include "tests/sim/prng.h"

#include <stdbool.h>
#include <stdint.h>

struct world;

#define FAULT_TABLE(X)                                                                             \
    X(KILL_CHILD, "kill-approvald")        /* kill -9 of approvald */                              \
    X(KILL_SUPERVISOR, "kill-supervisor")  /* kill -9 of the supervisor, and so of its child */    \
    X(KILL_EFFECT, "kill-between-effects") /* of either, between two effects of one step */        \
    X(POWER, "power")                      /* one host loses power for a while */                  \
    X(POWER_BOTH, "power-both")            /* both do, and come back in any order */               \
    X(PAUSE_CHILD, "pause-approvald")      /* frozen with its queues, then goes on */              \
    X(PAUSE_SUPERVISOR, "pause-supervisor")                                                        \
    X(PAUSE_HOST, "pause-host")                                                                    \
    X(DISK_SLOW, "disk-slow")                                                                      \
    X(DISK_SYNC, "disk-sync")   /* a sync fails and drops what it should have written */           \
    X(DISK_CRASH, "disk-crash") /* killed or without power within a call that writes */            \
    X(DISK_LOSS, "disk-loss")   /* a host comes back with an empty disk */                         \
    X(LINK_BREAK, "link-break")                                                                    \
    X(LINK_BLOCK, "link-block") /* one direction or both swallow for a while */                    \
    X(LINK_SLOW, "link-slow")                                                                      \
    X(ARBITER_DOWN, "arbiter-down")       /* refuses or swallows */                                \
    X(ARBITER_CUT, "arbiter-cut")         /* one host has no way to it */                          \
    X(ARBITER_LOSE, "arbiter-lose")       /* single requests and replies are lost */               \
    X(ARBITER_LATE, "arbiter-late")       /* a request lands long after its sender gave up */      \
    X(ARBITER_RESTORE, "arbiter-restore") /* wiped, or an old copy */                              \
    X(CLOCK_RATE, "clock-rate")           /* fast, slow or standing */                             \
    X(CLOCK_JUMP, "clock-jump")           /* boot clock forward, wall clock anywhere */            \
    X(HANDOVER, "handover")               /* the operator asks for a switchover */                 \
    X(FORCE, "force")                     /* the operator promotes beside a dead peer */           \
    X(HINT, "vrrp-hint")                                                                           \
    X(SAFE_MODE, "safe-mode")                                                                      \
    X(SMALL_LOG, "small-log")   /* budget so small that a standby needs snapshots */               \
    X(BUSY, "busy")             /* threads take long to get their turn */                          \
    X(ISOLATE, "isolate")       /* a host sees clients only: no peer, no arbiter */                \
    X(STOP, "stop")             /* a host's processes are asked to stop, and say BYE */            \
    X(LAZY, "slow-messages")    /* between supervisor and approvald */                             \
    X(PEER_OFF, "peer-off")     /* the operator says that a host without power is off (manual) */  \
    X(NO_ROOM, "no-room")       /* a standby has no room for the snapshot that it needs */         \
    X(FENCE_LOSE, "fence-lose") /* a fence device does not answer, or fails */                     \
    X(FENCE_LATE, "fence-late") /* it does what it is asked long after, and answers later still */ \
    X(FENCE_LIE, "fence-lie")   /* it takes "off" and leaves the power on */

enum fault {
#define FAULT_ENUM(name, text) FAULT_##name,
    FAULT_TABLE(FAULT_ENUM)
#undef FAULT_ENUM
        FAULT_COUNT
};

struct nemesis {
    struct prng draws[FAULT_COUNT];
    bool on[FAULT_COUNT];
    uint32_t mean_ms[FAULT_COUNT]; /* between two of the kind */
    bool stopped;
    bool forcing[2]; /* the operator has asked this host to promote by force */
    bool reseeding[2];
    bool reseed;  /* how the operator mends an arbiter that went back */
    bool reseeds; /* he does so while other things go wrong */
    uint32_t reseed_tries;
    uint32_t disk_losses;
};

const char *fault_name(enum fault fault);
/* FAULT_COUNT: no such kind. */
enum fault fault_of(const char *name);
/* Draws the swarm of this seed and starts it. */
void nemesis_init(struct world *world);
/* No new faults; what is broken is mended. */
void nemesis_heal(struct world *world);
static inline bool fault_on(const struct nemesis *nemesis, enum fault fault)
{
    return nemesis->on[fault] && !nemesis->stopped;
}
/* True once in n while that kind is on. */
bool fault_strikes(struct world *world, enum fault fault, uint64_t n);

#endif
