/* SPDX-License-Identifier: Apache-2.0 */
/* manual.h: the arbiters without a third host, for those who ask them: the register on both hosts
 * (manual.c), and fence devices in the operator's place (fence.c). */
#ifndef TESTS_SIM_MANUAL_H
#define TESTS_SIM_MANUAL_H

#include "tests/sim/sim.h"

/* manual.c */
void manual_start(struct world *world, struct host *host);
/* Its process has ended: the copy under way is on the disk, or it is not. */
void manual_end(struct world *world, struct host *host);
void manual_link(struct world *world, struct host *host, bool up);
void manual_read(struct world *world, struct host *host);
void manual_cas(struct world *world, struct host *host, const struct failover_cas *swap);
/* The word that the peer is off. */
void manual_word(struct world *world, struct host *host);
/* The operator gives it, if the peer is. */
void manual_confirm(struct world *world, struct host *host);

/* fence.c */
/* Draws whether there are fence devices, and what they are like. */
void sim_fence_draw(struct world *world);
void sim_fence_start(struct world *world, struct host *host);
void sim_fence_link(struct world *world, struct host *host, bool up);
void sim_fence_leaving(struct world *world, struct host *host);
void sim_fence_want(struct world *world, struct host *host, bool on, bool leads);

#endif
