/* SPDX-License-Identifier: Apache-2.0 */
/* failover_vip.c: eligibility for the virtual IP (M), and what is done when it strays.
 * Owns the choice between moving authority to the address and giving the address up.
 * Never takes the address for authority: who may write says the register.
 *
 * VRRP may move the address while the primary is well: its keepalived died or was paused. It does
 * not bring it back (nopreempt), and clients would knock at a standby for ever. The standby that
 * got it asks the primary to hand over: that works whatever became of the primary's keepalived. If
 * nothing comes of it, the standby gives the address up for a while. After a planned handover the
 * address follows a little later: what had begun on the way to the old primary is passed on and
 * answered first. That may have to wait for a disk, but one that hangs must not keep the address
 * from the primary. */
#include "base/assert.h"
#include "supervisor/failover/failover_internal.h"

#include <stddef.h>

/* The other keepalived, if it lives, has the address within 0.4 s (measured: reference/ha.md). */
#define YIELD_MS 1000U

static void yield(struct failover *f, uint64_t from_ms)
{
    f->yield_from_ms = from_ms;
    f->yield_ms = from_ms + YIELD_MS;
}

/* With nothing unanswered at the end of the stay the address goes there and then. */
static void follow(struct failover *f)
{
    uint64_t from_ms = f->handed_ms + FAILOVER_VIP_STAY_MS;
    uint64_t last_ms = f->handed_ms + FAILOVER_VIP_STAY_MS_MAX;

    if (f->relaying) {
        from_ms = last_ms;
    } else if (f->now_ms >= from_ms) {
        from_ms = f->now_ms + FAILOVER_VIP_LAST_MS;
    }
    yield(f, from_ms < last_ms ? from_ms : last_ms);
}

void vip_follow(struct failover *f)
{
    f->handed_ms = f->now_ms;
    follow(f);
}

void vip_keep(struct failover *f)
{
    f->handed_ms = 0;
    f->yield_from_ms = 0;
    f->yield_ms = 0;
}

/* Said late, but before the address was let go, it counts: the machine may be busy. */
void vip_on_relaying(struct failover *f, bool relaying)
{
    bool waits = f->handed_ms != 0 && f->eligible && f->now_ms < f->yield_ms;

    if (waits && relaying != f->relaying) {
        f->relaying = relaying;
        follow(f);
    }
    f->relaying = relaying;
}

void vip_on_event(struct failover *f, bool here)
{
    f->vip_here = here;
}

/* The address is here, and another one serves. */
static bool strays(const struct failover *f)
{
    return f->vip_here && f->child_up && role_of(f) == FAILOVER_STANDBY && link_alive(f) &&
           peer_leads(f) && f->now_ms >= f->yield_ms;
}

void vip_run(struct failover *f)
{
    uint64_t ask_ms = f->stray_ms + f->options.bias_ms;

    if (!strays(f)) {
        f->stray_ms = 0;
        f->stray_asked = false;
        return;
    }
    if (f->stray_ms == 0) {
        f->stray_ms = f->now_ms;
        ask_ms = f->stray_ms + f->options.bias_ms; /* a planned move takes less */
    }
    if (!f->stray_asked && due(f, ask_ms)) {
        f->stray_asked = true;
        say(f, "the virtual IP is here, but host %u serves: it is asked to hand over",
            (unsigned)peer_host(f));
        (void)effect_add(f, FAILOVER_EFFECT_ASK_HANDOVER); /* carries nothing */
    }
    if (f->stray_asked && due(f, ask_ms + f->options.handover_ms)) {
        f->stray_ms = 0;
        f->stray_asked = false;
        f->handed_ms = 0;
        yield(f, f->now_ms);
        say(f, "the virtual IP is given up: host %u serves", (unsigned)peer_host(f));
    }
}

/* Only to a host that serves; without a child the last that was heard of it has to do. */
static bool yields(struct failover *f)
{
    bool begun = due(f, f->yield_from_ms);

    return begun && !due(f, f->yield_ms) && (!f->child_up || (peer_leads(f) && link_alive(f)));
}

static bool is_member(const struct failover *f)
{
    return !f->known || f->value.isr[f->options.host - 1].present;
}

/* Rule M. While the child is being started again, what held before holds on, unless the peer has
 * taken over meanwhile: the listening sockets are the supervisor's. */
static bool eligible_now(struct failover *f)
{
    if (f->options.alone) {
        return f->child_up || f->eligible;
    }
    if (f->phase == AUTHORITY_GRANTED || f->granted > 0) {
        return true;
    }
    if (f->barred || f->safe_mode || f->memory.maintenance) {
        return false;
    }
    if (yields(f)) {
        return false;
    }
    if (f->child_up && f->fresh) {
        return in_isr(f);
    }
    return f->eligible && (f->child_up ? in_isr(f) : is_member(f));
}

void tell_eligible(struct failover *f)
{
    bool eligible = eligible_now(f);

    if (!f->eligible_told || eligible != f->eligible) {
        effect_add(f, FAILOVER_EFFECT_ELIGIBLE)->u.eligible = eligible;
    }
    f->eligible = eligible;
    f->eligible_told = true;
}
