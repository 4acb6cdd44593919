/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_queue.c: what the mirror says, until its copy is durable.
 * Owns the order of what waits. Never drops an answer, never lets anything be said before its save.
 */
#include "supervisor/arbiter/mirror_queue.h"

#include "base/assert.h"
#include "supervisor/failover/mutant.h"

#include <string.h>

void mirror_queue_put(struct mirror_queue *queue, const struct mirror_effect *effect)
{
    bool message = effect->type == MIRROR_EFFECT_SEND;

    ASSERT(message || effect->type == MIRROR_EFFECT_ANSWER);
    if (message && queue->message_count == MIRROR_QUEUE_MESSAGE_MAX) {
        return;
    }
    ASSERT(queue->count < MIRROR_QUEUE_MAX);
    queue->items[queue->count].wants = queue->asked;
    queue->items[queue->count].effect = *effect;
    queue->count++;
    queue->message_count += message ? 1 : 0;
}

static void remove_at(struct mirror_queue *queue, size_t at)
{
    queue->message_count -= queue->items[at].effect.type == MIRROR_EFFECT_SEND ? 1 : 0;
    queue->count--;
    memmove(&queue->items[at], &queue->items[at + 1],
            (queue->count - at) * sizeof(queue->items[0]));
}

bool mirror_queue_take(struct mirror_queue *queue, struct mirror_effect *ret_effect)
{
    ASSERT(queue->saved <= queue->asked);
    if (queue->count == 0 ||
        (queue->items[0].wants > queue->saved && !MUTANT(mirror_speaks_first))) {
        return false;
    }
    *ret_effect = queue->items[0].effect;
    remove_at(queue, 0);
    return true;
}

void mirror_queue_link(struct mirror_queue *queue)
{
    for (size_t at = queue->count; at > 0; at--) {
        if (queue->items[at - 1].effect.type == MIRROR_EFFECT_SEND) {
            remove_at(queue, at - 1);
        }
    }
}
