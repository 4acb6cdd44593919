/* SPDX-License-Identifier: Apache-2.0 */
/* mirror.c: the register kept by both hosts.
 * Owns the rule of acceptance and which copy counts.
 * Never accepts a proposal of an earlier life, never changes its copy without the other host or the
 * operator's word, never speaks of a copy before it is durable (STORE comes first). */
#include "supervisor/arbiter/mirror.h"

#include "base/assert.h"
#include "supervisor/arbiter/mirror_message.h"
#include "supervisor/failover/mutant.h"

#include <string.h>

#define HELLO_MS     200U /* between two, until the other host has answered */
#define FORCED_SHIFT 10U  /* see mirror.h */

uint64_t mirror_revision(const struct mirror_copy *copy)
{
    return copy->present ? copy->generation << MIRROR_GENERATION_SHIFT | copy->value.epoch : 0;
}

/* ---- Effects ---- */

static struct mirror_effect *add(struct mirror_effects *effects, enum mirror_effect_type type)
{
    struct mirror_effect *effect;

    ASSERT(effects->count < MIRROR_EFFECT_COUNT_MAX);
    effect = &effects->items[effects->count++];
    effect->type = type;
    return effect;
}

static void
send(const struct mirror *mirror, struct mirror_effects *effects, struct mirror_message *message)
{
    struct mirror_effect *effect = add(effects, MIRROR_EFFECT_SEND);

    message->from = mirror->options.incarnation;
    message->to = mirror->peer_incarnation;
    effect->u.message.size = mirror_message_format(message, effect->u.message.bytes);
}

static void send_copy(const struct mirror *mirror,
                      struct mirror_effects *effects,
                      enum mirror_message_type type,
                      uint64_t number)
{
    struct mirror_message message = {.type = type, .number = number, .copy = mirror->copy};

    send(mirror, effects, &message);
}

static void
store(struct mirror *mirror, struct mirror_effects *effects, const struct mirror_copy *copy)
{
    /* *copy may be part of what is written to. */
    struct mirror_copy next = *copy;

    ASSERT(next.present || !mirror->copy.present);
    ASSERT(mirror_revision(&next) >= mirror_revision(&mirror->copy));
    mirror->copy = next;
    add(effects, MIRROR_EFFECT_STORE)->u.copy = next;
}

static void problem(struct mirror_effects *effects, const char *text)
{
    add(effects, MIRROR_EFFECT_PROBLEM)->u.problem = text;
}

static void answer(const struct mirror *mirror,
                   struct mirror_effects *effects,
                   enum arbiter_request request,
                   enum failover_read outcome)
{
    struct mirror_effect *effect = add(effects, MIRROR_EFFECT_ANSWER);
    struct failover_answer *to = &effect->u.answer.answer;

    memset(to, 0, sizeof(*to));
    effect->u.answer.request = request;
    to->outcome = outcome;
    to->revision = mirror_revision(&mirror->copy);
    to->revision_head = to->revision;
    to->arbiter_id = 1; /* the pair itself: there is no other */
    to->split = outcome == FAILOVER_REFUSED && mirror->split;
    to->nonce = request == ARBITER_CAS ? mirror->cas_value.nonce : 0;
    if (outcome == FAILOVER_DONE || outcome == FAILOVER_CONFLICT) {
        to->value = mirror->copy.value;
    }
}

static void answer_read(struct mirror *mirror, struct mirror_effects *effects)
{
    mirror->reading = false;
    answer(mirror, effects, ARBITER_READ, mirror->copy.present ? FAILOVER_DONE : FAILOVER_ABSENT);
}

static void
answer_cas(struct mirror *mirror, struct mirror_effects *effects, enum failover_read outcome)
{
    mirror->changing = false;
    if (outcome == FAILOVER_CONFLICT && !mirror->copy.present) {
        outcome = FAILOVER_ABSENT;
    }
    answer(mirror, effects, ARBITER_CAS, outcome);
}

/* ---- What counts ---- */

/* The other host has our copy, or a later one: the operator's next word is another one. */
static void
note_known(struct mirror *mirror, struct mirror_effects *effects, const struct mirror_copy *theirs)
{
    struct mirror_copy next = mirror->copy;

    if (next.raised && mirror_revision(theirs) >= mirror_revision(&next)) {
        next.raised = false;
        store(mirror, effects, &next);
    }
}

/* The other host's copy is seen. A newer one becomes ours. */
static void
merge(struct mirror *mirror, struct mirror_effects *effects, const struct mirror_copy *theirs)
{
    uint64_t ours_at = mirror_revision(&mirror->copy);
    uint64_t theirs_at = mirror_revision(theirs);

    mirror->split = theirs_at == ours_at && theirs->present &&
                    !register_equal(&theirs->value, &mirror->copy.value);
    note_known(mirror, effects, theirs); /* in a split, too: the word is to end it */
    if (mirror->split) {
        problem(effects, "both hosts were changed alone: shut down the one whose changes are to "
                         "go, then approvalctl peer-off on the other one");
        return;
    }
    problem(effects, "");
    if (theirs_at > ours_at) {
        store(mirror, effects, theirs);
        mirror->proposed = false; /* it was for an older copy */
        if (mirror->changing) {
            answer_cas(mirror, effects, FAILOVER_CONFLICT);
        }
    }
}

/* The other host's copy, as it is after all that was ever proposed to it: what it has not accepted
 * by now it never will. */
static void
settle(struct mirror *mirror, struct mirror_effects *effects, const struct mirror_copy *theirs)
{
    struct mirror_copy next = mirror->copy;

    if (mirror->split || mirror_revision(theirs) > mirror_revision(&next)) {
        return;
    }
    mirror->proposed = false;
    if (next.adding) {
        next.adding = false;
        store(mirror, effects, &next);
    }
}

static void on_hello(struct mirror *mirror,
                     const struct mirror_message *message,
                     struct mirror_effects *effects)
{
    bool knows_us = message->to == mirror->options.incarnation;

    if (mirror->peer_incarnation != message->from) {
        mirror->peer_incarnation = message->from;
        merge(mirror, effects, &message->copy);
        if (mirror->changing) { /* nobody is left who could answer */
            answer_cas(mirror, effects, FAILOVER_UNKNOWN);
        }
        settle(mirror, effects, &message->copy);
    } else {
        note_known(mirror, effects, &message->copy);
    }
    if (!knows_us) {
        send_copy(mirror, effects, MIRROR_HELLO, 0);
    }
}

static void on_propose(struct mirror *mirror,
                       const struct mirror_message *message,
                       struct mirror_effects *effects)
{
    bool same = mirror->copy.present && message->copy.present &&
                register_equal(&mirror->copy.value, &message->copy.value);
    bool mine_first = mirror->options.host == 1 && mirror->proposed;
    struct mirror_copy next = message->copy;

    if (same) {
        send_copy(mirror, effects, MIRROR_ACCEPTED, message->number);
        return;
    }
    if (mirror->split || mine_first || !message->copy.present ||
        message->expected != mirror_revision(&mirror->copy)) {
        send_copy(mirror, effects, MIRROR_REFUSED, message->number);
        return;
    }
    next.generation = mirror->copy.generation;
    store(mirror, effects, &next);
    send_copy(mirror, effects, MIRROR_ACCEPTED, message->number);
    mirror->proposed = false; /* of our own, at the same revision: it can no longer succeed */
    if (mirror->changing) {
        answer_cas(mirror, effects, FAILOVER_CONFLICT);
    }
}

static void on_accepted(struct mirror *mirror,
                        const struct mirror_message *message,
                        struct mirror_effects *effects)
{
    struct mirror_copy next = {
        .present = true, .generation = mirror->copy.generation, .value = mirror->cas_value};

    if (!mirror->changing || message->number != mirror->cas_number) {
        return; /* an earlier attempt: the one that follows it finds out */
    }
    store(mirror, effects, &next);
    mirror->proposed = false;
    answer_cas(mirror, effects, FAILOVER_DONE);
}

static void on_refused(struct mirror *mirror,
                       const struct mirror_message *message,
                       struct mirror_effects *effects)
{
    merge(mirror, effects, &message->copy);
    if (mirror->changing && message->number == mirror->cas_number) {
        settle(mirror, effects, &message->copy);
        mirror->proposed = false;
        answer_cas(mirror, effects, FAILOVER_CONFLICT);
    }
}

static void on_state(struct mirror *mirror,
                     const struct mirror_message *message,
                     struct mirror_effects *effects)
{
    merge(mirror, effects, &message->copy);
    if (!mirror->reading || message->number != mirror->read_number) {
        return;
    }
    if (mirror->split) {
        mirror->reading = false;
        answer(mirror, effects, ARBITER_READ, FAILOVER_REFUSED);
        return;
    }
    if (!mirror->changing && mirror->read_number > mirror->cas_number) { /* asked for behind it */
        settle(mirror, effects, &message->copy);
    }
    answer_read(mirror, effects);
}

static void on_message(struct mirror *mirror, struct span bytes, struct mirror_effects *effects)
{
    struct mirror_message message;

    if (!mirror->up || !mirror_message_parse(bytes, &message)) {
        return;
    }
    if (message.type == MIRROR_HELLO) {
        on_hello(mirror, &message, effects);
        return;
    }
    if (message.from != mirror->peer_incarnation || message.to != mirror->options.incarnation) {
        return; /* of an earlier life */
    }
    switch (message.type) {
    case MIRROR_GET:
        send_copy(mirror, effects, MIRROR_STATE, message.number);
        break;
    case MIRROR_STATE:
        on_state(mirror, &message, effects);
        break;
    case MIRROR_PROPOSE:
        on_propose(mirror, &message, effects);
        break;
    case MIRROR_ACCEPTED:
        on_accepted(mirror, &message, effects);
        break;
    case MIRROR_REFUSED:
        on_refused(mirror, &message, effects);
        break;
    case MIRROR_HELLO:
    case MIRROR_TYPE_END:
        break; /* handled above; parse refuses the other */
    }
}

/* ---- Requests ---- */

static bool reachable(const struct mirror *mirror)
{
    return mirror->up && mirror->peer_incarnation != 0 && !mirror->split;
}

static void on_read(struct mirror *mirror, uint64_t now_ms, struct mirror_effects *effects)
{
    struct mirror_message get = {.type = MIRROR_GET};

    ASSERT(!mirror->reading);
    if (mirror->alone) {
        answer_read(mirror, effects);
    } else if (!reachable(mirror)) {
        answer(mirror, effects, ARBITER_READ, FAILOVER_REFUSED);
    } else {
        mirror->reading = true;
        mirror->read_number = ++mirror->number;
        mirror->read_until_ms = now_ms + mirror->options.timeout_ms;
        get.number = mirror->read_number;
        send(mirror, effects, &get);
    }
}

/* The first register of all is made by an operator's word; there need not be another host yet. One
 * that was proposed to it may have been taken there. */
static bool may_change_alone(const struct mirror *mirror)
{
    return mirror->alone ||
           (!mirror->copy.present && !reachable(mirror) && !mirror->split && !mirror->proposed);
}

static bool has_other(const struct mirror *mirror, const struct register_value *value)
{
    return value->isr[host_other(mirror->options.host) - 1].present;
}

static void change_alone(struct mirror *mirror, struct mirror_effects *effects)
{
    struct mirror_copy next = {
        .present = true, .generation = mirror->copy.generation, .value = mirror->cas_value};
    bool forced = mirror->copy.present && next.value.lineage != mirror->copy.value.lineage;

    if (mirror->copy.adding && !forced && !has_other(mirror, &next.value)) {
        problem(effects, "the other host may have been added and gone on alone: start it, or "
                         "promote this one by force");
        answer_cas(mirror, effects, FAILOVER_REFUSED);
        return;
    }
    if (forced) {
        next.generation = ((next.generation >> FORCED_SHIFT) + 1) << FORCED_SHIFT;
    } else if (!mirror->copy.present && mirror->alone) {
        /* By that word: what the other host may have accepted is void, and stays so when that host
         * is given the word, too (raise_of). */
        next.generation = 2;
        next.raised = true;
    }
    store(mirror, effects, &next);
    mirror->proposed = false;
    answer_cas(mirror, effects, FAILOVER_DONE);
}

/* Durable before the other host hears of it. */
static void note_addition(struct mirror *mirror, struct mirror_effects *effects)
{
    struct mirror_copy next = mirror->copy;

    if (next.present && !next.adding && has_other(mirror, &mirror->cas_value) &&
        !has_other(mirror, &next.value)) {
        next.adding = true;
        store(mirror, effects, &next);
    }
}

static void
on_cas(struct mirror *mirror, const struct mirror_event *event, struct mirror_effects *effects)
{
    struct mirror_copy next = {
        .present = true, .generation = mirror->copy.generation, .value = event->u.cas.value};
    struct mirror_message propose = {
        .type = MIRROR_PROPOSE, .expected = event->u.cas.revision, .copy = next};

    ASSERT(!mirror->changing);
    mirror->cas_value = event->u.cas.value;
    mirror->cas_revision = event->u.cas.revision;
    if (event->u.cas.revision != mirror_revision(&mirror->copy)) {
        answer_cas(mirror, effects, FAILOVER_CONFLICT);
    } else if (may_change_alone(mirror)) {
        change_alone(mirror, effects);
    } else if (!reachable(mirror)) {
        answer_cas(mirror, effects, FAILOVER_REFUSED);
    } else {
        note_addition(mirror, effects);
        mirror->changing = true;
        mirror->proposed = true;
        mirror->cas_number = ++mirror->number;
        mirror->cas_until_ms = event->now_ms + mirror->options.timeout_ms;
        propose.number = mirror->cas_number;
        send(mirror, effects, &propose);
    }
}

static bool is_alone_in_isr(const struct mirror *mirror)
{
    return !has_other(mirror, &mirror->copy.value) && !mirror->copy.adding;
}

/* By how much the word raises. The other host's word raises a copy that it has accepted and nobody
 * here knows of by one: where that is void, it stays below. It is so where the other host cannot
 * have gone on alone: it is not in the ISR and was not proposed for it, or (proposed in this life)
 * this host was not off since. */
static uint64_t raise_of(const struct mirror *mirror)
{
    return (mirror->proposed || is_alone_in_isr(mirror)) ? 2 : 1;
}

/* Before the other host can have this copy, or accept what is made of it: the next word counts
 * again, for that host may be given one, too. Not so where it may go on alone: a word to this host
 * would outrank what was done there. */
static void note_contact(struct mirror *mirror, struct mirror_effects *effects)
{
    struct mirror_copy next = mirror->copy;

    if (next.present && next.raised && is_alone_in_isr(mirror)) {
        next.raised = false;
        store(mirror, effects, &next);
    }
}

static void on_confirm(struct mirror *mirror, struct mirror_effects *effects)
{
    struct mirror_copy next = mirror->copy;

    if (mirror->up) { /* of a split pair too */
        problem(effects, "the other host answers: it is not off");
        return;
    }
    mirror->alone = true;
    mirror->split = false;
    if (next.present && (!next.raised || mirror->proposed || MUTANT(word_adds_up))) {
        next.generation += raise_of(mirror);
        next.raised = true;
        store(mirror, effects, &next);
        mirror->proposed = false; /* void, accepted or not */
    }
    problem(effects, "");
}

static void
on_link(struct mirror *mirror, const struct mirror_event *event, struct mirror_effects *effects)
{
    mirror->up = event->u.up;
    mirror->peer_incarnation = 0;
    mirror->hello_ms = event->now_ms + HELLO_MS;
    if (mirror->up) {
        mirror->alone = false; /* the other host is there: it is not off */
        note_contact(mirror, effects);
        send_copy(mirror, effects, MIRROR_HELLO, 0);
        return;
    }
    if (mirror->reading) {
        mirror->reading = false;
        answer(mirror, effects, ARBITER_READ, FAILOVER_REFUSED);
    }
    if (mirror->changing) {
        answer_cas(mirror, effects, FAILOVER_UNKNOWN);
    }
}

static void on_tick(struct mirror *mirror, uint64_t now_ms, struct mirror_effects *effects)
{
    if (mirror->up && mirror->peer_incarnation == 0 && now_ms >= mirror->hello_ms) {
        mirror->hello_ms = now_ms + HELLO_MS;
        send_copy(mirror, effects, MIRROR_HELLO, 0);
    }
    if (mirror->reading && now_ms >= mirror->read_until_ms) {
        mirror->reading = false;
        answer(mirror, effects, ARBITER_READ, FAILOVER_REFUSED);
    }
    if (mirror->changing && now_ms >= mirror->cas_until_ms) {
        answer_cas(mirror, effects, FAILOVER_UNKNOWN);
    }
}

void mirror_init(struct mirror *mirror, const struct mirror_options *options)
{
    ASSERT(options->host == 1 || options->host == 2);
    ASSERT(options->incarnation != 0);
    memset(mirror, 0, sizeof(*mirror));
    mirror->options = *options;
    mirror->copy = options->copy;
}

void mirror_step(struct mirror *mirror,
                 const struct mirror_event *event,
                 struct mirror_effects *effects)
{
    effects->count = 0;
    switch (event->type) {
    case MIRROR_EVENT_LINK:
        on_link(mirror, event, effects);
        break;
    case MIRROR_EVENT_MESSAGE:
        on_message(mirror, event->u.message, effects);
        break;
    case MIRROR_EVENT_READ:
        on_read(mirror, event->now_ms, effects);
        break;
    case MIRROR_EVENT_CAS:
        on_cas(mirror, event, effects);
        break;
    case MIRROR_EVENT_CONFIRM_OFF:
        on_confirm(mirror, effects);
        break;
    case MIRROR_EVENT_TICK:
        on_tick(mirror, event->now_ms, effects);
        break;
    }
    mirror_invariant(mirror);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t mirror_deadline_ms(const struct mirror *mirror)
{
    uint64_t deadline_ms = UINT64_MAX;

    if (mirror->up && mirror->peer_incarnation == 0) {
        deadline_ms = sooner(deadline_ms, mirror->hello_ms);
    }
    if (mirror->reading) {
        deadline_ms = sooner(deadline_ms, mirror->read_until_ms);
    }
    return mirror->changing ? sooner(deadline_ms, mirror->cas_until_ms) : deadline_ms;
}

void mirror_invariant(const struct mirror *mirror)
{
    ASSERT(!mirror->changing || mirror->proposed);
    ASSERT(!mirror->alone || !mirror->up);
    ASSERT(mirror->up || mirror->peer_incarnation == 0);
    ASSERT(!mirror->reading || !mirror->alone);
}
