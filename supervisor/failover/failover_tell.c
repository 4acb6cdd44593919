/* SPDX-License-Identifier: Apache-2.0 */
/* failover_tell.c: what the failover core tells: effects, alarms, role, status.
 * Owns the comparison of what was told with what is so.
 * Never changes what is so. */
#include "base/assert.h"
#include "supervisor/failover/failover_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct failover_effect *effect_add(struct failover *f, enum failover_effect_type type)
{
    struct failover_effect *effect;

    ASSERT(f->effects->count < FAILOVER_EFFECT_COUNT_MAX);
    effect = &f->effects->items[f->effects->count++];
    memset(effect, 0, sizeof *effect);
    effect->type = type;
    return effect;
}

void effect_epoch(struct failover *f, enum failover_effect_type type, uint64_t epoch)
{
    ASSERT(epoch > 0);
    effect_add(f, type)->u.epoch = epoch;
}

static void reason_set(char *reason, const char *text)
{
    (void)snprintf(reason, FAILOVER_REASON_SIZE, "%s", text); /* cut is fine */
}

void effect_reply(struct failover *f, bool ok, const char *reason)
{
    struct failover_effect *effect = effect_add(f, FAILOVER_EFFECT_REPLY);

    effect->u.reply.ok = ok;
    reason_set(effect->u.reply.reason, reason);
}

void say(struct failover *f, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(f->reason, sizeof f->reason, format, arguments); /* cut is fine */
    va_end(arguments);
    f->changed = true;
}

void wait_for(struct failover *f, const char *what, bool needs_operator)
{
    f->waits = what;
    f->needs_operator = needs_operator;
}

void wait_for_operator(struct failover *f, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(f->waits_room, sizeof f->waits_room, format, arguments); /* cut is fine */
    va_end(arguments);
    wait_for(f, f->waits_room, true);
}

static enum failover_role role_without_authority(const struct failover *f)
{
    if (f->handover == HANDOVER_MOVED) {
        return FAILOVER_HANDING_OVER;
    }
    if (f->child_up && f->change.kind != CHANGE_NONE && f->change.kind != CHANGE_ADD &&
        f->change.kind != CHANGE_REMOVE) {
        return FAILOVER_SEEKING;
    }
    if (f->needs_operator) {
        return FAILOVER_HALTED;
    }
    if (f->fresh && f->known && (peer_leads(f) || f->value.primary == peer_host(f))) {
        return FAILOVER_STANDBY;
    }
    return FAILOVER_WAITING;
}

enum failover_role role_of(const struct failover *f)
{
    if (f->phase == AUTHORITY_NONE) {
        return role_without_authority(f);
    }
    if (f->handover != HANDOVER_NONE) {
        return FAILOVER_HANDING_OVER;
    }
    return f->phase == AUTHORITY_SEALING && f->granted == 0 ? FAILOVER_SEALING : FAILOVER_PRIMARY;
}

void tell_register(struct failover *f)
{
    if (!f->child_up || !f->fresh || !f->known || f->options.alone ||
        f->told_epoch == f->value.epoch || f->phase != AUTHORITY_NONE ||
        f->handover != HANDOVER_NONE) {
        return;
    }
    f->told_epoch = f->value.epoch;
    effect_add(f, FAILOVER_EFFECT_REGISTER)->u.value = f->value;
}

static void alarm_set(struct failover *f, enum failover_alarm which, bool on, const char *reason)
{
    struct failover_effect *effect;
    char *told = f->alarm_reasons[which];

    if (f->alarms[which] == on && (!on || strcmp(told, reason) == 0)) {
        return;
    }
    f->alarms[which] = on;
    reason_set(told, reason);
    effect = effect_add(f, FAILOVER_EFFECT_ALARM);
    effect->u.alarm.which = which;
    effect->u.alarm.on = on;
    reason_set(effect->u.alarm.reason, on ? reason : "over");
}

static void tell_arbiter_down(struct failover *f)
{
    char reason[FAILOVER_REASON_SIZE] = "the arbiter does not answer: no failover";
    bool fence = f->options.fences && f->fence_how == FAILOVER_FENCE_TROUBLE;

    if (!f->down && fence) {
        (void)snprintf(reason, sizeof reason, "fence device %.120s: no failover", /* cut is fine */
                       f->fence_reason);
    }
    alarm_set(f, FAILOVER_ALARM_ARBITER_DOWN, f->down || fence, reason);
}

static bool is_solo(const struct failover *f)
{
    return f->known && !(f->value.isr[0].present && f->value.isr[1].present);
}

void tell_alarms(struct failover *f)
{
    if (f->options.alone) {
        return;
    }
    alarm_set(f, FAILOVER_ALARM_UNPROTECTED, is_solo(f), "one host holds every record alone");
    tell_arbiter_down(f);
    alarm_set(f, FAILOVER_ALARM_ARBITER_WRONG, f->wrong,
              "the arbiter was wiped, restored or replaced: approvalctl arbiter reseed");
    alarm_set(f, FAILOVER_ALARM_NEEDS_OPERATOR, f->needs_operator,
              f->waits == NULL ? "the operator is needed" : f->waits);
}

void tell_changed(struct failover *f)
{
    enum failover_role role = role_of(f);
    uint64_t epoch = f->known ? f->value.epoch : 0;

    if (role != f->role || epoch != f->role_epoch) {
        f->role = role;
        f->role_epoch = epoch;
        f->changed = true;
    }
    if (f->changed) {
        f->changed = false;
        f->changed_ms = f->now_ms;
        reason_set(effect_add(f, FAILOVER_EFFECT_CHANGED)->u.reason, f->reason);
    }
}

static bool memory_equal(const struct failover_memory *a, const struct failover_memory *b)
{
    return a->epoch == b->epoch && a->lineage == b->lineage && a->revision == b->revision &&
           a->arbiter_id == b->arbiter_id && a->in_sync == b->in_sync &&
           a->maintenance == b->maintenance;
}

/* Make durable, then speak: before every other effect of the step. */
void tell_persist(struct failover *f)
{
    struct failover_effects *effects = f->effects;

    if (memory_equal(&f->memory, &f->persisted)) {
        return;
    }
    f->persisted = f->memory;
    (void)effect_add(f, FAILOVER_EFFECT_PERSIST);
    memmove(&effects->items[1], &effects->items[0],
            (effects->count - 1) * sizeof effects->items[0]);
    memset(&effects->items[0], 0, sizeof effects->items[0]);
    effects->items[0].type = FAILOVER_EFFECT_PERSIST;
    effects->items[0].u.memory = f->memory;
}

bool due(struct failover *f, uint64_t at_ms)
{
    if (f->now_ms >= at_ms) {
        return true;
    }
    if (at_ms < f->deadline_ms) {
        f->deadline_ms = at_ms;
    }
    return false;
}

bool link_alive(const struct failover *f)
{
    return f->child_up && f->link.up && !f->link.silent;
}

bool in_isr(const struct failover *f)
{
    const struct register_member *member = &f->value.isr[f->options.host - 1];

    if (!f->child_up || !f->known || !member->present) {
        return false;
    }
    /* A store without a lineage took this one when it followed, or takes it with its grant. One of
     * another lineage is in the ISR when this host forced its promotion and ended before the store
     * had the new lineage: nobody else writes a register of which this host is primary. */
    if (f->child.lineage != f->value.lineage && f->child.lineage != 0 &&
        (f->value.primary != f->options.host || MUTANT(forced_is_foreign))) {
        return false;
    }
    return MUTANT(isr_names_hosts) || register_has(&f->value, f->options.host, f->child.store_id);
}

bool peer_in_isr(const struct failover *f)
{
    if (!f->known || !peer_member(f)->present) {
        return false;
    }
    if (!link_alive(f) || MUTANT(isr_names_hosts)) {
        return true;
    }
    return register_has(&f->value, peer_host(f), f->link.peer_store_id);
}

bool peer_leads(const struct failover *f)
{
    return link_alive(f) && f->link.peer_leads &&
           (!f->known || f->link.peer_epoch >= f->value.epoch || f->value.primary == peer_host(f));
}

bool peer_supplies(const struct failover *f)
{
    return f->known && peer_leads(f) && f->link.peer_lineage == f->value.lineage;
}

void failover_status(const struct failover *f, struct failover_status *ret_status)
{
    memset(ret_status, 0, sizeof *ret_status);
    ret_status->role = f->role;
    ret_status->serving = f->phase != AUTHORITY_NONE && f->leading;
    ret_status->register_known = f->known;
    ret_status->value = f->options.alone ? f->authority : f->value;
    ret_status->revision = f->revision;
    ret_status->cas_unresolved = f->change.kind != CHANGE_NONE && f->change.unresolved;
    ret_status->eligible = f->eligible;
    ret_status->maintenance = f->memory.maintenance;
    ret_status->safe_mode = f->safe_mode;
    memcpy(ret_status->alarms, f->alarms, sizeof ret_status->alarms);
    reason_set(ret_status->reason, f->waits != NULL ? f->waits : f->reason);
    ret_status->changed_ms = f->changed_ms;
}

const char *failover_role_word(enum failover_role role)
{
    static const char *const words[] = {"waiting", "standby",      "seeking", "sealing",
                                        "primary", "handing over", "halted"};

    ASSERT(role <= FAILOVER_HALTED);
    return words[role];
}
