/* SPDX-License-Identifier: Apache-2.0 */
/* failover_command.c: what the operator may tell the failover core.
 * Owns the conditions of each command and its reply: done, begun, or refused with the reason.
 * Never overrules the register: a forced promotion and a reseed write one too (F). */
#include "base/assert.h"
#include "supervisor/failover/failover_internal.h"

#include <stddef.h>
#include <string.h>

static uint64_t max_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

#define LINEAGE_SHIFT 20U /* see first_epoch */
#define RESEED_RAISE  16U /* see reseed_write */

/* Another draw out of the event's, for the lineage beside the nonce. */
static uint64_t new_lineage(const struct failover *f)
{
    uint64_t lineage = f->random * 6364136223846793005U + 1442695040888963407U;

    return lineage == 0 ? 1 : lineage;
}

static const char *do_switchover(struct failover *f)
{
    const char *obstacle = handover_obstacle(f);

    if (obstacle == NULL) {
        handover_begin(f);
    }
    return obstacle;
}

static const char *do_maintenance(struct failover *f, bool on)
{
    const char *obstacle =
        on && f->leading && f->handover == HANDOVER_NONE ? handover_obstacle(f) : NULL;

    if (obstacle != NULL) {
        return obstacle; /* this host serves, and would go on */
    }
    f->memory.maintenance = on;
    f->handover_pause_ms = f->now_ms;
    say(f, "maintenance %s", on ? "begins" : "is over");
    return NULL;
}

static const char *do_peer_off(struct failover *f)
{
    if (link_alive(f)) {
        return f->split ? "the other host is heard: shut it down first, if its changes are to go"
                        : "the other host is heard: it is not off";
    }
    if (!f->options.linearizable && f->child_up && f->link.up) { /* nor would the mirror take it */
        return "the connection to the other host has not ended yet: try again";
    }
    f->peer_off = true;
    f->cas_refused = false; /* what was refused until now is tried at once */
    f->cas_not_before_ms = f->now_ms;
    f->change.retry_ms = f->now_ms;
    say(f, f->fence_on ? "the other host is off, by the fence device or the operator's word"
                       : "the operator says that the other host is off");
    if (!f->options.linearizable && f->phase == AUTHORITY_NONE && !f->synced && f->known &&
        peer_member(f)->present) {
        return "noted, but this host may be outdated: only a forced promotion lets it lead";
    }
    return NULL;
}

static const char *do_bootstrap(struct failover *f)
{
    struct failover_cas swap = {.revision = 0};
    struct register_value *value = &swap.value;

    if (f->wrong) {
        return "the arbiter is another one, or its register is gone: approvalctl arbiter reseed "
               "(if the other host is off: first approvalctl peer-off)";
    }
    if (!f->child_up || !f->fresh) {
        return "approvald or the arbiter is not there yet: try again";
    }
    if (f->known || f->memory.epoch > 0) {
        return "there was a register already, and it is not known now: try again";
    }
    if (!change_possible(f)) {
        return "a change of the register is under way";
    }
    memcpy(value->cluster_id, f->options.cluster_id, REGISTER_ID_SIZE);
    value->lineage = f->child.lineage != 0 ? f->child.lineage : new_lineage(f);
    value->epoch = max_of(f->child.promised, f->child.last_epoch) + 1;
    value->primary = f->options.host;
    value->isr[f->options.host - 1].present = true;
    memcpy(value->isr[f->options.host - 1].store_id, f->child.store_id, REGISTER_ID_SIZE);
    say(f, "creates the register");
    change_begin(f, CHANGE_BOOTSTRAP, &swap);
    return NULL;
}

/* A lineage's epochs begin above all that the other host can have seen or promised: it may have
 * gone on for long, and must yet follow when it has rejoined. A million changes of the register
 * that nobody here heard of take longer than a pair lives. */
static uint64_t first_epoch(const struct failover *f, uint64_t epoch)
{
    epoch = max_of(epoch, max_of(f->memory.epoch, f->child.promised));
    epoch = max_of(epoch, max_of(f->child.last_epoch, f->link.peer_promised));
    return ((epoch >> LINEAGE_SHIFT) + 1) << LINEAGE_SHIFT;
}

/* What stops every promotion with a new lineage; NULL: nothing. */
static const char *force_obstacle(const struct failover *f)
{
    if (!f->child_up) {
        return "approvald is not up";
    }
    if (link_alive(f)) {
        return "the other host is heard: it is not off";
    }
    if (f->phase != AUTHORITY_NONE) {
        return "this host leads already";
    }
    if (f->safe_mode || f->memory.maintenance) {
        return "this host is in safe mode or maintenance";
    }
    if (f->child.last_lsn == 0 && f->link.last_lsn == 0) { /* it may have followed since */
        return "this host's store is empty";
    }
    if (f->cas_out || f->change.kind != CHANGE_NONE) {
        return "a change of the register is under way or unresolved";
    }
    return NULL;
}

/* other_lineage: the register's was forced, and its host's disk is lost. Only the comparison falls
 * away: a host of that lineage that lives after all is deposed by its next read of the register,
 * one that returns is refused by its lineage. */
static const char *do_force(struct failover *f, bool other_lineage)
{
    const char *obstacle = force_obstacle(f);
    struct failover_cas swap;

    if (obstacle != NULL) {
        return obstacle;
    }
    if (!f->options.linearizable && !f->wrong && (!f->fresh || !f->known)) {
        return f->peer_off ? "the register is read again: try again"
                           : "first: approvalctl peer-off";
    }
    if (f->wrong || f->down || !f->fresh || !f->known) {
        return "the arbiter does not answer: replace it, then approvalctl arbiter reseed";
    }
    if (other_lineage && f->child.lineage == f->value.lineage) {
        return "this host's store is of the register's lineage: promote --force without more";
    }
    if (other_lineage && !f->peer_off) {
        return "first confirm that the other host is off: approvalctl peer-off";
    }
    if (f->child.lineage != f->value.lineage && !other_lineage) {
        return "this host's store is of another lineage; if the register's is lost: promote "
               "--force --other-lineage";
    }
    swap = register_next(f);
    if (!MUTANT(force_keeps_lineage)) {
        swap.value.lineage = new_lineage(f);
        swap.value.epoch = first_epoch(f, f->value.epoch);
    }
    say(f, "forced promotion, new lineage; this host was %sin sync when it was last heard",
        f->synced ? "" : "not known to be ");
    change_begin(f, CHANGE_FORCE, &swap);
    return NULL;
}

/* The highest epoch that this host or the peer's store speaks of. */
static uint64_t highest_epoch(const struct failover *f)
{
    uint64_t epoch = max_of(f->memory.epoch, max_of(f->child.promised, f->child.last_epoch));

    return max_of(epoch, max_of(f->link.peer_promised, f->link.peer_last_epoch));
}

/* The peer has written the new arbiter's register and leads under it. */
static bool reseeded_by_peer(const struct failover *f)
{
    const struct register_value *value = &f->foreign_answer.value;

    return value->primary == peer_host(f) && link_alive(f) && f->link.peer_leads &&
           f->link.peer_epoch == value->epoch;
}

/* A reseed that names this very store, and that this host has not heard of: its own whose answer
 * was lost, or one of a peer that ended before this host had accepted it. It is higher than
 * anything that is known here, so no old copy; who leads by it is its arbiter's to say, as if the
 * answer had come and this host had ended right behind it. */
static bool reseeded_unheard(const struct failover *f)
{
    const struct register_value *value = &f->foreign_answer.value;
    bool ours = value->primary == f->options.host;

    if (link_alive(f) && f->link.peer_leads) {
        return false; /* it is to write there what it leads */
    }
    return register_has(value, f->options.host, f->child.store_id) &&
           (ours || value->lineage == f->memory.lineage) && value->epoch > f->memory.epoch &&
           value->epoch >= highest_epoch(f);
}

/* The new arbiter's register has been written already, and is to be followed. */
static bool is_reseeded(const struct failover *f)
{
    const struct failover_answer *answer = &f->foreign_answer;

    return f->foreign && answer->outcome == FAILOVER_DONE && register_is_legal(&answer->value) &&
           answer->value.epoch <= FAILOVER_EPOCH_MAX &&
           memcmp(answer->value.cluster_id, f->options.cluster_id, REGISTER_ID_SIZE) == 0 &&
           f->phase == AUTHORITY_NONE && (reseeded_by_peer(f) || reseeded_unheard(f));
}

static const char *reseed_adopt(struct failover *f)
{
    arbiter_adopt(f, &f->foreign_answer);
    f->fresh = false;
    f->read_now = true;
    f->change.kind = CHANGE_NONE; /* what was under way at the old arbiter is gone with it */
    say(f, "follows the register at the new arbiter");
    return NULL;
}

static bool peer_agrees(const struct failover *f)
{
    /* Our log may have grown since the child came up. */
    bool told = f->link.last_lsn != 0;
    uint64_t epoch = told ? f->link.last_epoch : f->child.last_epoch;
    uint64_t lsn = told ? f->link.last_lsn : f->child.last_lsn;
    bool longer = epoch > f->link.peer_last_epoch ||
                  (epoch == f->link.peer_last_epoch && lsn >= f->link.peer_last_lsn);

    return link_alive(f) && !f->link.peer_leads && f->link.peer_lineage == f->child.lineage &&
           f->child.lineage == f->memory.lineage && longer;
}

/* A peer of the ISR that is not heard may have taken over at the old arbiter, and lead alone. */
static const char *reseed_obstacle_leading(const struct failover *f)
{
    if (f->authority.isr[peer_host(f) - 1].present && !link_alive(f)) {
        return "the other host is not heard and may lead: start it; if it is lost: restart "
               "approvald-supervisor here, then peer-off and reseed";
    }
    if (f->change.unresolved && f->change.kind != CHANGE_NONE &&
        !(link_alive(f) && f->link.in_sync)) {
        return "a change at the old arbiter is unresolved and the other host is not in sync";
    }
    return NULL;
}

/* Why the same lineage may not be written to the new arbiter; NULL: it may. */
static const char *reseed_obstacle(const struct failover *f)
{
    if (f->phase == AUTHORITY_GRANTED) {
        return reseed_obstacle_leading(f);
    }
    if (f->phase != AUTHORITY_NONE) {
        return "a change of the register is under way";
    }
    if (f->change.kind != CHANGE_NONE) {
        return "a change at the old arbiter is unresolved: restart approvald-supervisor here, then "
               "run it again";
    }
    if (peer_agrees(f)) {
        return NULL;
    }
    if (!link_alive(f)) {
        return "the other host is not there: start it, or confirm that it is off: approvalctl "
               "peer-off";
    }
    if (f->link.peer_lineage != f->child.lineage) {
        return "the two stores are of different lineages: stop the host whose store is to go, here "
               "peer-off and reseed again, then rejoin there";
    }
    return "the other host has the newer log, or leads: run it there";
}

/* Whose ISR is written. An addition of unknown fate at the old arbiter is written too (D): the peer
 * is required for it already, and in sync. */
static struct register_value reseed_base(const struct failover *f)
{
    const struct change *change = &f->change;

    if (f->phase != AUTHORITY_GRANTED) {
        return f->value;
    }
    return change->kind == CHANGE_ADD && change->unresolved ? change->value : f->authority;
}

/* The old arbiter may have given epochs away of which nobody here has heard: to a change of this
 * host's earlier life, to a peer that has not sealed yet. None of them may be written twice. */
static void reseed_write(struct failover *f, bool same_lineage)
{
    const struct failover_answer *there = &f->foreign_answer;
    struct failover_cas swap = {.value = reseed_base(f)};
    struct register_value *value = &swap.value;
    struct register_member *self = &value->isr[f->options.host - 1];
    uint64_t epoch = highest_epoch(f);

    if (there->outcome != FAILOVER_ABSENT) {
        epoch = there->value.epoch > FAILOVER_EPOCH_MAX ? epoch : max_of(epoch, there->value.epoch);
        swap.before = there->value;
        swap.revision = there->revision;
    }
    if (f->phase != AUTHORITY_GRANTED) {
        memset(value->isr, 0, sizeof value->isr);
    }
    memcpy(value->cluster_id, f->options.cluster_id, REGISTER_ID_SIZE);
    value->epoch = same_lineage ? epoch + RESEED_RAISE : first_epoch(f, epoch);
    /* No store has one: nothing was ever written. */
    value->lineage = same_lineage && f->child.lineage != 0 ? f->child.lineage : new_lineage(f);
    value->primary = f->options.host;
    self->present = true;
    memcpy(self->store_id, f->child.store_id, REGISTER_ID_SIZE);
    f->change.kind = CHANGE_NONE;
    say(f, "writes the register to the new arbiter");
    change_begin(f, CHANGE_RESEED, &swap);
}

static const char *do_reseed(struct failover *f)
{
    const char *obstacle;

    if (!f->wrong) {
        return f->down ? "no arbiter answers" : "the arbiter is right: there is nothing to reseed";
    }
    if (!f->child_up || !f->foreign) {
        return "approvald is not up, or the arbiter has not answered yet: try again";
    }
    if (f->cas_out || f->change.kind == CHANGE_RESEED) {
        return "a change of the register is under way";
    }
    if (is_reseeded(f)) {
        return reseed_adopt(f);
    }
    obstacle = reseed_obstacle(f);
    if (obstacle == NULL) {
        reseed_write(f, true);
    } else if (f->peer_off && f->phase == AUTHORITY_NONE) {
        f->change.kind = CHANGE_NONE; /* gone with the old arbiter; it was to take authority */
        obstacle = force_obstacle(f);
        if (obstacle == NULL) {
            reseed_write(f, false);
        }
    }
    return obstacle;
}

static const char *do_rejoin(struct failover *f)
{
    if (!f->child_up) {
        return "approvald is not up";
    }
    if (f->phase != AUTHORITY_NONE || f->granted > 0) {
        return "this host leads";
    }
    if (!f->fresh || !f->known) {
        return "the register is not known: nobody can say that the store is not needed";
    }
    if (in_isr(f)) {
        return "this host is in the ISR: its store is needed";
    }
    if (!peer_supplies(f)) {
        return "the other host does not lead the register's lineage: there is nothing to fetch";
    }
    say(f, "gives up its store and fetches the other host's");
    (void)effect_add(f, FAILOVER_EFFECT_RESYNC);
    return NULL;
}

static const char *done(struct failover *f, enum failover_command command)
{
    switch (command) {
    case FAILOVER_SWITCHOVER:
        return do_switchover(f);
    case FAILOVER_FORCE:
        return do_force(f, false);
    case FAILOVER_FORCE_OTHER:
        return do_force(f, true);
    case FAILOVER_PEER_OFF:
        return do_peer_off(f);
    case FAILOVER_BOOTSTRAP:
        return do_bootstrap(f);
    case FAILOVER_RESEED:
        return do_reseed(f);
    case FAILOVER_MAINTENANCE_ON:
        return do_maintenance(f, true);
    case FAILOVER_MAINTENANCE_OFF:
        return do_maintenance(f, false);
    case FAILOVER_REJOIN:
        return do_rejoin(f);
    }
    return "unknown command";
}

void command_do(struct failover *f, enum failover_command command)
{
    const char *obstacle;

    if (f->options.alone) {
        effect_reply(f, false, "this host is alone: there is no pair");
        return;
    }
    if (command == FAILOVER_BOOTSTRAP && f->known && !f->wrong) {
        /* Who did not hear the first answer asks again. */
        effect_reply(f, true, "there is a register already: nothing is to be done");
        return;
    }
    obstacle = done(f, command);
    effect_reply(f, obstacle == NULL, obstacle == NULL ? f->reason : obstacle);
}
