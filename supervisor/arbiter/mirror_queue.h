/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_queue.h: make durable, then speak, without waiting: what the mirror wants said behind a
 * STORE is kept here until that copy, or a later one, is durable. Pure.
 *
 * To the mirror it is as if the other host and the failover core were far away. A message belongs
 * to the connection on which it was to be said: at its end those that wait are dropped
 * (mirror_queue_link). A message too many is dropped, too, as one that is lost on its way; an
 * answer never is. Nothing overtakes. */
#ifndef SUPERVISOR_ARBITER_MIRROR_QUEUE_H
#define SUPERVISOR_ARBITER_MIRROR_QUEUE_H

#include "supervisor/arbiter/mirror.h"

/* While the disk hangs the other host asks about once a second, and a HELLO is sent five times a
 * second: more than a few that wait are of no use to anybody. */
#define MIRROR_QUEUE_MESSAGE_MAX 16U
/* A read and a CAS are under way at most, and each is asked anew only when it was answered. */
#define MIRROR_QUEUE_ANSWER_MAX 2U
#define MIRROR_QUEUE_MAX        (MIRROR_QUEUE_MESSAGE_MAX + MIRROR_QUEUE_ANSWER_MAX)

struct mirror_queue {
    uint64_t asked; /* the number of the last save that was asked for, */
    uint64_t saved; /* and of the last that is durable */
    size_t count;
    size_t message_count; /* of them */
    struct {
        uint64_t wants;
        struct mirror_effect effect; /* SEND or ANSWER */
    } items[MIRROR_QUEUE_MAX];       /* in their order */
};

/* Behind what was asked for so far. */
void mirror_queue_put(struct mirror_queue *queue, const struct mirror_effect *effect);
/* The next that may be said now. False: none. */
bool mirror_queue_take(struct mirror_queue *queue, struct mirror_effect *ret_effect);
/* A connection has begun, or ended: before the mirror hears of it. */
void mirror_queue_link(struct mirror_queue *queue);

#endif
