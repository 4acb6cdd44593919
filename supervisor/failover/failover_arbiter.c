/* SPDX-License-Identifier: Apache-2.0 */
/* failover_arbiter.c: what is asked of the arbiter, and what an answer means.
 * Owns the one change under way (D), the reads, and the refusal of an arbiter that went back.
 * Never decides what to change: failover_seek.c, failover_primary.c and failover_command.c do.
 * Assumes one answer to each question. */
#include "base/assert.h"
#include "supervisor/failover/failover_internal.h"

#include <inttypes.h>
#include <string.h>

static struct floor floor_now(const struct failover *f)
{
    struct floor floor = {.epoch = f->memory.epoch, .revision = f->head};

    /* A peer that leads has read its epoch in the register: nothing older is the truth. */
    if (f->known && link_alive(f) && f->link.peer_leads &&
        f->link.peer_lineage == f->value.lineage && f->link.peer_epoch > floor.epoch) {
        floor.epoch = f->link.peer_epoch;
    }
    return floor;
}

static bool carries_value(const struct failover_answer *answer)
{
    return answer->outcome == FAILOVER_DONE || answer->outcome == FAILOVER_CONFLICT;
}

/* What is wrong with a value; NULL: nothing. */
static const char *
value_fault(const struct failover *f, const struct register_value *value, const struct floor *floor)
{
    if (!register_is_legal(value) ||
        memcmp(value->cluster_id, f->options.cluster_id, REGISTER_ID_SIZE) != 0) {
        return "the register is another cluster's";
    }
    if (value->epoch < floor->epoch) {
        return "the register's epoch went back";
    }
    if (value->epoch > FAILOVER_EPOCH_MAX) {
        return "the register's epoch is out of range";
    }
    if (f->known && value->epoch == f->value.epoch && !register_equal(value, &f->value)) {
        return "the register has another value under the same epoch";
    }
    /* Also over a restart: the highest epoch alone does not tell a restored register in which a
     * late CAS of an earlier life has landed. */
    if (value->epoch == f->memory.epoch && f->memory.nonce != 0 &&
        value->nonce != f->memory.nonce) {
        return "the register has another value under the same epoch";
    }
    return NULL;
}

/* What is wrong with the arbiter that gave this answer; NULL: nothing. */
static const char *answer_fault(const struct failover *f,
                                const struct failover_answer *answer,
                                const struct floor *floor)
{
    if (MUTANT(accept_regression)) {
        return NULL;
    }
    if (f->memory.arbiter_id != 0 && answer->arbiter_id != f->memory.arbiter_id) {
        return "another arbiter answers";
    }
    if (answer->revision_head < floor->revision) {
        return "the arbiter's revision went back";
    }
    if (answer->outcome == FAILOVER_ABSENT) {
        /* Asked before the register was made, an answer may come after it. */
        return floor->epoch > 0 || (MUTANT(absent_is_gone) && f->memory.epoch > 0)
                   ? "the register is gone"
                   : NULL;
    }
    return value_fault(f, &answer->value, floor);
}

static void answer_distrusted(struct failover *f, const struct failover_answer *answer)
{
    f->foreign = true;
    f->foreign_answer = *answer;
    f->down = false;
    f->wrong = true;
}

static void answer_missing(struct failover *f)
{
    f->down = true;
}

static void answer_trusted(struct failover *f, const struct failover_answer *answer)
{
    if (f->down) {
        f->orphan_ms = 0; /* while nobody could seek, nobody failed to */
    }
    f->down = false;
    f->memory.arbiter_id = answer->arbiter_id;
    if (answer->revision_head > f->head) {
        f->head = answer->revision_head;
    }
}

static void value_set(struct failover *f, const struct register_value *value, uint64_t revision)
{
    if (f->known && value->epoch == f->value.epoch && revision > f->revision) {
        f->revision = revision; /* "manual": the operator's word raises it, and nothing else */
    }
    if (f->known && value->epoch <= f->value.epoch) {
        return; /* the same, or asked before the newer one */
    }
    if (f->known && f->fresh && value->primary == peer_host(f)) {
        f->moved_ms = f->now_ms;
    }
    f->known = true;
    f->absent = false;
    f->value = *value;
    f->revision = revision;
    f->memory.epoch = value->epoch;
    f->memory.lineage = value->lineage;
    f->memory.nonce = value->nonce;
    f->memory.revision = f->head;
}

/* The change. */

bool change_possible(const struct failover *f)
{
    return f->change.kind == CHANGE_NONE && !f->cas_out;
}

struct failover_cas register_next(const struct failover *f)
{
    struct failover_cas swap = {.value = f->value, .before = f->value, .revision = f->revision};
    struct register_member *self = &swap.value.isr[f->options.host - 1];

    memset(swap.value.isr, 0, sizeof swap.value.isr);
    swap.value.epoch++;
    swap.value.primary = f->options.host;
    self->present = true;
    memcpy(self->store_id, f->child.store_id, REGISTER_ID_SIZE);
    return swap;
}

void change_begin(struct failover *f, enum change_kind kind, const struct failover_cas *swap)
{
    ASSERT(f->change.kind == CHANGE_NONE);
    ASSERT(f->child_up);
    ASSERT(swap->value.primary == f->options.host);
    memset(&f->change, 0, sizeof f->change);
    f->change.kind = kind;
    f->change.value = swap->value;
    f->change.before = swap->before;
    f->change.revision = swap->revision;
    f->change.incarnation = f->child.incarnation;
    f->change.retry_ms = f->now_ms;
}

static void change_attempt(struct failover *f)
{
    struct change *change = &f->change;
    struct failover_effect *effect;

    /* A full memory of nonces forgets none: the last is used again, for it is the same change. */
    if (change->nonce_count < FAILOVER_NONCE_COUNT) {
        change->value.nonce = f->random == 0 ? 1 : f->random;
        change->nonces[change->nonce_count++] = change->value.nonce;
    }
    ASSERT(register_is_legal(&change->value));
    change->tried = true;
    f->cas_out = true;
    f->cas_nonce = change->value.nonce;
    f->cas_floor = floor_now(f);
    effect = effect_add(f, FAILOVER_EFFECT_CAS);
    effect->u.cas.value = change->value;
    effect->u.cas.before = change->before;
    effect->u.cas.revision = change->revision;
}

static bool change_has_nonce(const struct change *change, uint64_t nonce)
{
    size_t from = MUTANT(forget_nonces) && change->nonce_count > 0 ? change->nonce_count - 1 : 0;

    for (size_t i = from; i < change->nonce_count; i++) {
        if (change->nonces[i] == nonce) {
            return true;
        }
    }
    return false;
}

/* The value is what an attempt of the change has written. */
static bool change_has(const struct change *change, const struct register_value *value)
{
    struct register_value attempt = change->value;

    attempt.nonce = value->nonce;
    return change_has_nonce(change, value->nonce) && register_equal(&attempt, value);
}

static void change_won(struct failover *f)
{
    uint64_t incarnation = f->change.incarnation;

    f->change.kind = CHANGE_NONE;
    authority_take(f, incarnation);
}

/* Definitely not happened: somebody else has moved the register. The child that proposed it is not
 * told: it would stop to wait for a host that the register names. It is ended (hold_check). */
static void change_lost(struct failover *f)
{
    f->change.kind = CHANGE_NONE;
    f->barred = true;
    f->read_now = true;
    say(f, "lost the register to host %u, epoch %" PRIu64, (unsigned)f->value.primary,
        f->value.epoch);
}

/* The attempt that was answered belongs to the change under way, not to one that a read resolved
 * before its answer came. */
static bool attempt_is_ours(const struct failover *f)
{
    return f->change.kind != CHANGE_NONE && change_has_nonce(&f->change, f->cas_nonce);
}

static bool is_proposal(const struct change *change)
{
    return change->kind == CHANGE_ADD || change->kind == CHANGE_REMOVE;
}

static bool is_of_this_child(const struct failover *f)
{
    return f->child_up && f->granted > 0 && f->child.incarnation == f->change.incarnation;
}

/* This attempt has done nothing. */
static void attempt_void(struct failover *f)
{
    struct change *change = &f->change;

    if (!attempt_is_ours(f)) {
        return;
    }
    if (change->nonce_count < FAILOVER_NONCE_COUNT) {
        change->nonce_count--;
    }
    change->retry_ms = f->now_ms + f->options.retry_ms;
    if (change->unresolved || (is_proposal(change) && is_of_this_child(f))) {
        return;
    }
    if (change->kind != CHANGE_SEEK && !is_proposal(change)) {
        say(f, "the arbiter did not take the change: give the command again");
    }
    change->kind = CHANGE_NONE; /* the wish is looked at again */
    f->cas_not_before_ms = change->retry_ms;
}

static void attempt_unknown(struct failover *f)
{
    if (!attempt_is_ours(f)) {
        return;
    }
    if (MUTANT(unknown_is_failed)) {
        attempt_void(f);
        return;
    }
    f->change.unresolved = true;
    f->change.retry_ms = f->now_ms + f->options.retry_ms;
}

/* What the change is to replace stands there still. The revision alone does not say so: an arbiter
 * that was restored from a backup and written anew has come to the same one by another value. */
static bool
is_before(const struct change *change, const struct register_value *value, uint64_t revision)
{
    return revision == change->revision &&
           (register_equal(value, &change->before) || MUTANT(match_by_revision));
}

/* The same value under a newer revision: no attempt against the older one can land any more. A
 * proposal is made against the newer one, anything else is thought over. */
static void change_rebase(struct failover *f)
{
    struct change *change = &f->change;

    change->revision = f->revision;
    change->unresolved = false;
    change->nonce_count = 0;
    change->retry_ms = f->now_ms;
    if (!is_proposal(change) || !is_of_this_child(f)) {
        change->kind = CHANGE_NONE;
    }
}

/* A newer register than the one that the change is made against decides its fate. */
static void change_resolve(struct failover *f)
{
    if (f->change.kind == CHANGE_NONE || f->change.kind == CHANGE_RESEED || !f->known ||
        is_before(&f->change, &f->value, f->revision)) {
        return;
    }
    if (register_equal(&f->value, &f->change.before)) {
        change_rebase(f);
        return;
    }
    if (change_has(&f->change, &f->value)) {
        change_won(f);
    } else {
        change_lost(f);
    }
}

void arbiter_adopt(struct failover *f, const struct failover_answer *answer)
{
    f->known = true;
    f->absent = false;
    f->value = answer->value;
    f->revision = answer->revision;
    f->head = answer->revision_head;
    f->memory.epoch = answer->value.epoch;
    f->memory.lineage = answer->value.lineage;
    f->memory.nonce = answer->value.nonce;
    f->memory.arbiter_id = answer->arbiter_id;
    f->memory.revision = answer->revision_head;
    memset(&f->read_floor, 0, sizeof f->read_floor);
    f->wrong = false;
    f->foreign = false;
}

/* RESEED: its arbiter is another one than we remember. True when the answer was its. */
static bool reseed_resolve(struct failover *f, const struct failover_answer *answer)
{
    if (f->change.kind != CHANGE_RESEED || !carries_value(answer) ||
        is_before(&f->change, &answer->value, answer->revision)) {
        return false;
    }
    if (!change_has(&f->change, &answer->value)) {
        f->change.kind = CHANGE_NONE;
        answer_distrusted(f, answer);
        say(f, "reseed: somebody else has written that register: give the command again");
        return true;
    }
    arbiter_adopt(f, answer);
    f->down = false;
    f->fresh = f->child_up;
    change_won(f);
    return true;
}

/* Answers. */

static void cas_answered(struct failover *f, const struct failover_answer *answer)
{
    const char *fault = answer_fault(f, answer, &f->cas_floor);

    if (reseed_resolve(f, answer)) {
        return;
    }
    if (f->wrong || fault != NULL) {
        answer_distrusted(f, answer);
        attempt_unknown(f);
        return;
    }
    answer_trusted(f, answer);
    if (!carries_value(answer) || (answer->outcome == FAILOVER_CONFLICT && attempt_is_ours(f) &&
                                   is_before(&f->change, &answer->value, answer->revision))) {
        attempt_unknown(f); /* an answer that says nothing */
        return;
    }
    value_set(f, &answer->value, answer->revision);
    change_resolve(f);
    hold_check(f);
}

void arbiter_on_cas(struct failover *f, const struct failover_answer *answer)
{
    if (!f->cas_out || answer->nonce != f->cas_nonce) {
        return;
    }
    f->cas_out = false;
    f->cas_refused = false;
    f->split = answer->split;
    switch (answer->outcome) {
    case FAILOVER_DONE:
    case FAILOVER_CONFLICT:
    case FAILOVER_ABSENT:
        cas_answered(f, answer);
        break;
    case FAILOVER_NOT_SENT:
        answer_missing(f);
        attempt_void(f);
        break;
    case FAILOVER_UNKNOWN:
        answer_missing(f);
        attempt_unknown(f);
        break;
    case FAILOVER_REFUSED:
        f->down = false;
        f->cas_refused = true;
        f->refused_off = f->peer_off;
        attempt_void(f);
        break;
    }
}

/* The child has promised what the register must have said. */
static bool below_promise(const struct failover *f, const struct failover_answer *answer)
{
    return f->read_counts && answer->outcome == FAILOVER_DONE && f->child_up &&
           f->child.lineage == answer->value.lineage && f->child.promised > answer->value.epoch &&
           !MUTANT(accept_regression);
}

static void read_answered(struct failover *f, const struct failover_answer *answer)
{
    bool counts = f->read_counts && f->child_up;
    bool fault = answer_fault(f, answer, &f->read_floor) != NULL || below_promise(f, answer);

    if (reseed_resolve(f, answer)) {
        return;
    }
    if (f->wrong || fault) {
        answer_distrusted(f, answer);
        return;
    }
    answer_trusted(f, answer);
    f->fresh = f->fresh || counts;
    if (answer->outcome == FAILOVER_ABSENT) {
        f->absent = !f->known;
        return;
    }
    if (MUTANT(read_resolves) && f->change.unresolved && f->change.kind != CHANGE_NONE &&
        f->revision == f->change.revision) {
        change_lost(f);
    }
    value_set(f, &answer->value, answer->revision);
    change_resolve(f);
    hold_check(f);
    if (answer->value.epoch == f->value.epoch && in_isr(f)) {
        f->barred = false;
    }
}

void arbiter_on_read(struct failover *f, const struct failover_answer *answer)
{
    if (!f->read_out) {
        return;
    }
    f->read_out = false;
    f->read_ms = f->now_ms;
    f->refused = false;
    f->split = answer->split;
    switch (answer->outcome) {
    case FAILOVER_DONE:
    case FAILOVER_ABSENT:
        read_answered(f, answer);
        break;
    case FAILOVER_NOT_SENT:
    case FAILOVER_UNKNOWN:
    case FAILOVER_CONFLICT:
        answer_missing(f);
        break;
    case FAILOVER_REFUSED:
        f->down = false;
        f->refused = true;
        break;
    }
}

/* A seek of which nobody knows the fate is tried again while there is still a reason to lead: else
 * its late success would take the pair from a host that leads it well. It stays unresolved. A peer
 * that offers its place (rule K) still says that it leads. */
static bool retry_wanted(const struct failover *f)
{
    if (f->change.kind == CHANGE_RESEED) {
        return f->child_up;
    }
    if (!f->child_up || (!f->fresh && !MUTANT(seek_unread)) || f->wrong) {
        return false; /* A: not before a read in this incarnation either */
    }
    if (f->change.kind != CHANGE_SEEK || !f->change.tried) {
        return true;
    }
    return !f->safe_mode && !f->memory.maintenance && (!peer_leads(f) || f->offered);
}

/* Nobody acknowledges, and nobody would say that another one has been promoted by force: only the
 * register can. */
static bool leads_unheard(const struct failover *f)
{
    return f->phase == AUTHORITY_GRANTED && !f->options.alone && !peer_member(f)->present &&
           !link_alive(f);
}

static bool read_needed(const struct failover *f)
{
    return f->down || leads_unheard(f) || f->refused || !f->known || (f->child_up && !f->fresh) ||
           f->offered || f->handover != HANDOVER_NONE ||
           (peer_leads(f) && f->link.peer_epoch > f->value.epoch);
}

static void read_run(struct failover *f)
{
    uint64_t pause_ms = f->options.read_ms;

    if (f->read_out) {
        return;
    }
    if ((!f->child_up || f->quiet) && f->eligible && f->known) {
        pause_ms = f->options.bias_ms; /* clients come here: has the peer taken over? */
    } else if (!read_needed(f)) {
        pause_ms = f->options.idle_read_ms;
    }
    if (!f->read_now && !due(f, f->read_ms + pause_ms)) {
        return;
    }
    f->read_now = false;
    f->read_out = true;
    f->read_counts = f->child_up;
    f->read_ms = f->now_ms;
    f->read_floor = floor_now(f);
    (void)effect_add(f, FAILOVER_EFFECT_READ);
}

void arbiter_run(struct failover *f)
{
    if (f->options.alone) {
        return;
    }
    if (f->change.kind != CHANGE_NONE && !f->cas_out && retry_wanted(f) &&
        due(f, f->change.retry_ms)) {
        change_attempt(f);
    }
    read_run(f);
}
