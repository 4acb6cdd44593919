/* SPDX-License-Identifier: Apache-2.0 */
/* arbiter_fence.h: the shell of the fence core: its timer, and its questions to the helper
 * (supervisor/fencer), which runs the agents in a unit of its own.
 *
 * The register of the arbiter "fence" is the mirrored one (arbiter_manual_new); this stands beside
 * it, where an operator would. A question is a connection to the helper's unix socket; closing it
 * ends the agent. Nothing blocks, and nothing here knows a password. */
#ifndef SUPERVISOR_ARBITER_ARBITER_FENCE_H
#define SUPERVISOR_ARBITER_ARBITER_FENCE_H

#include "base/err.h"
#include "supervisor/arbiter/fence.h"

struct arbiter_fence;
struct event_base;

struct arbiter_fence_options {
    struct event_base *base; /* borrowed */
    const char *socket;      /* the helper's; copied */
    struct fence_options fence;
    /* The other host is off. */
    void (*word)(void *arg);
    /* Phase or reason have changed: arbiter_fence_core. Both may come from within a call. */
    void (*told)(void *arg);
    /* Behind whatever the loop has called here. */
    void (*turned)(void *arg);
    void *arg; /* of the three */
};

enum err_code arbiter_fence_new(const struct arbiter_fence_options *options,
                                struct arbiter_fence **ret_fence,
                                struct err *err) WARN_UNUSED;
void arbiter_fence_free(struct arbiter_fence *fence); /* ends an agent; NULL is allowed */
void arbiter_fence_want(struct arbiter_fence *fence, bool on, bool leads);
void arbiter_fence_link(struct arbiter_fence *fence, bool up);
void arbiter_fence_leaving(struct arbiter_fence *fence);
/* For the status. */
const struct fence *arbiter_fence_core(const struct arbiter_fence *fence);

#endif
