/* SPDX-License-Identifier: Apache-2.0 */
/* failover.c: the failover core's life: events in, effects out.
 * Owns the order of a step: take in the event, then look at everything, then tell.
 * Never acts; never decides by itself what a rule's file decides. */
#include "supervisor/failover/failover.h"

#include "base/assert.h"
#include "supervisor/failover/failover_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t failover_size(void)
{
    return sizeof(struct failover);
}

void failover_init(struct failover *f, const struct failover_options *options)
{
    ASSERT(options->host == 1 || options->host == 2);
    ASSERT(options->alone || options->read_ms > 0);
    ASSERT(options->alone || options->idle_read_ms >= options->read_ms);
    ASSERT(options->alone || options->retry_ms > 0);
    ASSERT(!options->fences || !options->linearizable);
    memset(f, 0, sizeof *f);
    f->options = *options;
    f->deadline_ms = UINT64_MAX;
    f->role = FAILOVER_WAITING;
}

/* Rule E: whoever starts is outdated until it has been in sync. That is durable first. */
static void on_start(struct failover *f, const struct failover_memory *memory)
{
    ASSERT(!f->started);
    f->started = true;
    f->memory = *memory;
    f->persisted = *memory;
    f->memory.in_sync = false;
    f->head = memory->revision;
    f->read_now = true;
    say(f, "started");
}

static void on_child_up(struct failover *f, const struct failover_child *child)
{
    ASSERT(child->incarnation != 0);
    if (f->child_up) {
        authority_child_gone(f); /* one that ended without a word */
    }
    f->child_up = true;
    f->quiet = false;
    f->child = *child;
    f->child_ms = f->now_ms;
    f->read_now = true;
    say(f, "approvald is up, its log ends at epoch %" PRIu64 ", LSN %" PRIu64, child->last_epoch,
        child->last_lsn);
}

static void on_child_down(struct failover *f)
{
    if (f->child_up) {
        say(f, "approvald has ended");
        authority_child_gone(f);
    }
}

static void on_link(struct failover *f, const struct failover_link *link)
{
    bool was_alive = link_alive(f);

    if (!f->child_up) {
        return;
    }
    if (link->silent && !f->link.silent) {
        f->silent_ms = f->now_ms;
    }
    f->link = *link;
    if (!link_alive(f)) {
        return;
    }
    f->heard = true;
    f->hint = false;
    f->peer_off = false;
    if (!was_alive) {
        f->synced = false; /* what went on without this host is not known yet */
    }
    if (f->child.lineage == 0 && link->in_sync) {
        f->child.lineage = link->peer_lineage; /* the store took it with the first record */
    }
}

static void on_take_over(struct failover *f, uint64_t epoch)
{
    if (f->child_up && link_alive(f) && f->phase == AUTHORITY_NONE) {
        f->offered = true;
        f->offer_epoch = epoch;
        f->offer_ms = f->now_ms;
        f->read_now = f->read_now || (f->known && epoch > f->value.epoch);
    }
}

static void on_safe_mode(struct failover *f, const struct failover_event *event)
{
    if (event->u.safe.on != f->safe_mode) {
        say(f, "safe mode %s%s", event->u.safe.on ? "begins: " : "is over",
            event->u.safe.on ? event->u.safe.reason : "");
    }
    f->safe_mode = event->u.safe.on;
    (void)snprintf(f->safe_reason, sizeof f->safe_reason, "%s", event->u.safe.reason);
}

static void on_child_event(struct failover *f, const struct failover_event *event)
{
    switch (event->type) {
    case FAILOVER_EVENT_SEALED:
        primary_on_sealed(f, event->u.epoch);
        break;
    case FAILOVER_EVENT_LEADING:
        primary_on_leading(f, event->u.epoch);
        break;
    case FAILOVER_EVENT_LINK:
        on_link(f, &event->u.link);
        break;
    case FAILOVER_EVENT_ADD:
        primary_on_proposal(f, CHANGE_ADD, &event->u.proposal);
        break;
    case FAILOVER_EVENT_REMOVE:
        primary_on_proposal(f, CHANGE_REMOVE, &event->u.proposal);
        break;
    case FAILOVER_EVENT_DEPOSED:
        primary_on_deposed(f, event->u.epoch);
        break;
    case FAILOVER_EVENT_DRAINED:
        primary_on_drained(f, event->u.epoch);
        break;
    case FAILOVER_EVENT_TAKE_OVER:
        on_take_over(f, event->u.epoch);
        break;
    case FAILOVER_EVENT_LEAVES:
        primary_on_leaves(f);
        break;
    case FAILOVER_EVENT_START:
    case FAILOVER_EVENT_READ:
    case FAILOVER_EVENT_CAS:
    case FAILOVER_EVENT_CHILD_UP:
    case FAILOVER_EVENT_CHILD_DOWN:
    case FAILOVER_EVENT_SAFE_MODE:
    case FAILOVER_EVENT_VRRP_HINT:
    case FAILOVER_EVENT_VIP:
    case FAILOVER_EVENT_RELAYING:
    case FAILOVER_EVENT_QUIET:
    case FAILOVER_EVENT_COMMAND:
    case FAILOVER_EVENT_FENCE:
    case FAILOVER_EVENT_TICK:
        break;
    }
}

static void take_in(struct failover *f, const struct failover_event *event)
{
    switch (event->type) {
    case FAILOVER_EVENT_START:
        on_start(f, &event->u.memory);
        break;
    case FAILOVER_EVENT_READ:
        arbiter_on_read(f, &event->u.answer);
        break;
    case FAILOVER_EVENT_CAS:
        arbiter_on_cas(f, &event->u.answer);
        break;
    case FAILOVER_EVENT_CHILD_UP:
        on_child_up(f, &event->u.child);
        break;
    case FAILOVER_EVENT_CHILD_DOWN:
        on_child_down(f);
        break;
    case FAILOVER_EVENT_SAFE_MODE:
        on_safe_mode(f, event);
        break;
    case FAILOVER_EVENT_VRRP_HINT:
        f->hint = f->child_up;
        break;
    case FAILOVER_EVENT_VIP:
        vip_on_event(f, event->u.vip_here);
        break;
    case FAILOVER_EVENT_RELAYING:
        vip_on_relaying(f, event->u.relaying && f->child_up);
        break;
    case FAILOVER_EVENT_QUIET:
        f->quiet = event->u.quiet && f->child_up;
        f->read_now = f->read_now || (f->quiet && f->eligible);
        break;
    case FAILOVER_EVENT_COMMAND:
        command_do(f, event->u.command);
        break;
    case FAILOVER_EVENT_FENCE:
        fence_on_event(f, event);
        break;
    case FAILOVER_EVENT_SEALED:
    case FAILOVER_EVENT_LEADING:
    case FAILOVER_EVENT_LINK:
    case FAILOVER_EVENT_ADD:
    case FAILOVER_EVENT_REMOVE:
    case FAILOVER_EVENT_DEPOSED:
    case FAILOVER_EVENT_DRAINED:
    case FAILOVER_EVENT_TAKE_OVER:
    case FAILOVER_EVENT_LEAVES:
        on_child_event(f, event);
        break;
    case FAILOVER_EVENT_TICK:
        break;
    }
}

/* Rule E. A leading host is in sync with itself; a standby while the log says so. Silence alone
 * changes nothing for this life: the peer may be off, and then this host is the one that may lead.
 * On the disk it does: who knows what went on until the next start. */
static void track_sync(struct failover *f)
{
    bool leads = f->phase != AUTHORITY_NONE && f->granted > 0;

    if (leads || (in_isr(f) && peer_leads(f) && f->link.in_sync)) {
        f->synced = true;
    } else if (!f->child_up || (f->fresh && !in_isr(f))) {
        f->synced = false;
    }
    f->memory.in_sync = !f->options.linearizable && f->synced && (leads || link_alive(f));
}

void failover_step(struct failover *f,
                   const struct failover_event *event,
                   struct failover_effects *effects)
{
    ASSERT(f->started != (event->type == FAILOVER_EVENT_START));
    effects->count = 0;
    f->effects = effects;
    f->now_ms = event->now_ms;
    f->random = event->random;
    f->deadline_ms = UINT64_MAX;
    take_in(f, event);
    primary_run(f);
    seek_run(f);
    arbiter_run(f);
    track_sync(f);
    fence_run(f);
    vip_run(f);
    tell_register(f);
    tell_eligible(f);
    tell_alarms(f);
    tell_changed(f);
    tell_persist(f);
    f->effects = NULL;
    failover_invariant(f);
}

uint64_t failover_deadline_ms(const struct failover *f)
{
    return f->deadline_ms;
}

static void invariant_authority(const struct failover *f)
{
    ASSERT(f->child_up);
    ASSERT(f->authority.primary == f->options.host);
    ASSERT(f->authority.isr[f->options.host - 1].present);
    if (f->phase == AUTHORITY_GRANTED) {
        ASSERT(f->granted == f->authority.epoch);
        ASSERT(f->granted_to == f->child.incarnation);
        ASSERT(f->sealed >= f->authority.epoch || MUTANT(grant_unsealed));
    }
    if (!f->options.alone) {
        ASSERT(f->fresh || MUTANT(seek_unread)); /* 12 */
        ASSERT(f->known);
        ASSERT(register_equal(&f->authority, &f->value) || f->wrong);
        ASSERT(f->memory.epoch >= f->authority.epoch);
    }
}

static void invariant_change(const struct failover *f)
{
    const struct change *change = &f->change;

    ASSERT(change->nonce_count <= FAILOVER_NONCE_COUNT);
    ASSERT(change->value.primary == f->options.host); /* K: nobody is given authority */
    ASSERT(!change->unresolved || change->nonce_count > 0);
    if (change->kind != CHANGE_RESEED && change->kind != CHANGE_BOOTSTRAP) {
        /* A newer register would have resolved it. */
        ASSERT(change->value.epoch == f->value.epoch + 1 || change->kind == CHANGE_FORCE);
        ASSERT(change->revision == f->revision);
        ASSERT(register_equal(&change->before, &f->value));
    }
}

void failover_invariant(const struct failover *f)
{
    ASSERT(f->started);
    ASSERT(f->persisted.epoch == f->memory.epoch);
    ASSERT(f->persisted.arbiter_id == f->memory.arbiter_id);
    ASSERT(!f->known || f->memory.epoch >= f->value.epoch);
    if (f->phase != AUTHORITY_NONE) {
        invariant_authority(f);
    }
    if (f->change.kind != CHANGE_NONE) {
        invariant_change(f);
    }
    if (f->handover == HANDOVER_DRAINING || f->handover == HANDOVER_DRAINED) {
        ASSERT(f->phase == AUTHORITY_GRANTED);
    }
    ASSERT(f->child_up || (f->phase == AUTHORITY_NONE && f->granted == 0));
    ASSERT(f->child_up || !f->fresh);
}
