/* SPDX-License-Identifier: Apache-2.0 */
/* failover_fence.c: when the other host is wanted off (E).
 * Owns the wish, and what is said of it. Whether that host is off is fence.c's to say.
 * Never wants it while the other host is heard or its connection stands, nor for a host that may be
 * OUTDATED: who starts alone waits for the other one or the operator. */
#include "supervisor/failover/failover_internal.h"

#include <stdio.h>
#include <string.h>

#define WAS_STOPPED                                                                                \
    "the other host was stopped, and is waited for: start it; or is it off? then approvalctl "     \
    "peer-off"

void fence_on_event(struct failover *f, const struct failover_event *event)
{
    f->fence_how = event->u.fence.how;
    (void)snprintf(f->fence_reason, sizeof f->fence_reason, "%s", event->u.fence.reason); /* cut */
}

/* The mirror would not take the word while the connection stands. */
static bool is_wanted(const struct failover *f)
{
    bool may = f->synced || MUTANT(outdated_seeks);

    return f->options.fences && may && f->child_up && f->fresh && f->known && !f->link.up &&
           !f->peer_off && !f->split && !f->wrong;
}

/* Only a CAS was refused by the wish: a read is, too, when nothing is known yet. */
static bool is_asked_for(const struct failover *f)
{
    bool leads = f->phase == AUTHORITY_GRANTED;

    return f->cas_refused && is_wanted(f) && (f->change.kind != CHANGE_NONE || !leads);
}

bool fence_wait(struct failover *f)
{
    f->fence_asked = is_asked_for(f);
    if (!f->fence_asked) {
        return false;
    }
    f->fence_ms = f->fence_ms == 0 ? f->now_ms : f->fence_ms;
    if (f->fence_how == FAILOVER_FENCE_WAITING) {
        wait_for(f, WAS_STOPPED, due(f, f->fence_ms + f->options.start_wait_ms));
    } else if (f->fence_how == FAILOVER_FENCE_FAILED) {
        wait_for_operator(f, "not fenced: %.70s; is the other host off? then approvalctl peer-off",
                          f->fence_reason);
    } else {
        wait_for(f, "the other host is being switched off", false);
    }
    return true;
}

void fence_run(struct failover *f)
{
    bool leads = f->phase == AUTHORITY_GRANTED;
    struct failover_effect *effect;

    f->fence_ms = f->fence_asked ? f->fence_ms : 0;
    if (f->fence_on == f->fence_asked && (!f->fence_asked || f->fence_leads == leads)) {
        return;
    }
    f->fence_on = f->fence_asked;
    f->fence_leads = leads;
    effect = effect_add(f, FAILOVER_EFFECT_FENCE);
    effect->u.fence.on = f->fence_asked;
    effect->u.fence.leads = leads;
}
