/* SPDX-License-Identifier: Apache-2.0 */
/* socketlife.c: when a socket of Socket Mode is opened, refreshed, given up.
 * Owns the slots and their states, the budget of apps.connections.open, and back-off.
 * Never does I/O, never reads a clock, never knows an envelope. */
#include "approvald/slack/socket/socketlife.h"

#include "approvald/slack/socket/socketlife_internal.h"
#include "base/assert.h"
#include "base/mem.h"

#include <string.h>

#define NEVER UINT64_MAX

/* Looking. */

static bool is_opening(const struct slot *slot)
{
    return slot->state == SLOT_ASKING || slot->state == SLOT_DIALING;
}

uint32_t socketlife_count_state(const struct socketlife *life, enum slot_state state)
{
    uint32_t count = 0;

    for (size_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        count += life->slots[i].state == state ? 1 : 0;
    }
    return count;
}

static uint32_t count_opening(const struct socketlife *life)
{
    return socketlife_count_state(life, SLOT_ASKING) + socketlife_count_state(life, SLOT_DIALING);
}

static uint32_t count_leaving(const struct socketlife *life)
{
    uint32_t count = 0;

    for (size_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        count += life->slots[i].state == SLOT_READY && life->slots[i].leaving ? 1 : 0;
    }
    return count;
}

/* Those that stay. */
static uint32_t count_settled(const struct socketlife *life)
{
    return socketlife_count_state(life, SLOT_READY) - count_leaving(life);
}

/* Acting. */

void socketlife_effect(struct socketlife_effects *effects,
                       enum socketlife_effect_kind kind,
                       const struct socketlife *life,
                       const struct slot *slot)
{
    ASSERT(effects->count < SOCKETLIFE_EFFECT_COUNT_MAX);
    effects->list[effects->count++] =
        (struct socketlife_effect){.kind = kind, .slot = (uint32_t)(slot - life->slots)};
}

void socketlife_drop(struct socketlife *life, struct slot *slot, struct socketlife_effects *effects)
{
    if (slot->state != SLOT_ASKING) {
        life->ghost_ms = ms_later(life->ghost_ms, life->now_ms + SOCKET_GHOST_MS);
    }
    memset(slot, 0, sizeof *slot);
    socketlife_effect(effects, SOCKETLIFE_DROP, life, slot);
}

static void
close_slot(struct socketlife *life, struct slot *slot, struct socketlife_effects *effects)
{
    ASSERT(slot->state == SLOT_READY);
    slot->state = SLOT_CLOSING;
    slot->leaving = false;
    slot->deadline_ms = life->now_ms + SOCKET_CLOSE_MS;
    socketlife_effect(effects, SOCKETLIFE_CLOSE, life, slot);
}

void socketlife_wait_until(struct socketlife *life, uint64_t ms)
{
    life->retry_ms = ms_later(life->retry_ms, ms);
}

void socketlife_back_off(struct socketlife *life, uint64_t max_ms, uint32_t random)
{
    uint64_t delay_ms = SOCKET_BACKOFF_MS_MIN;

    for (uint32_t i = 0; i < life->failures && delay_ms < max_ms; i++) {
        delay_ms *= 2;
    }
    delay_ms = ms_sooner(delay_ms, max_ms);
    life->failures++;
    socketlife_wait_until(life, life->now_ms + delay_ms / 2 + random % (delay_ms / 2));
}

static void grow_credit(struct socketlife *life)
{
    life->credit_ms =
        ms_sooner(SOCKETLIFE_CREDIT_MAX, life->credit_ms + (life->now_ms - life->credited_ms));
    life->credited_ms = life->now_ms;
}

/* The last of the budget is kept for the moment in which nothing is left. */
static uint64_t credit_needed(const struct socketlife *life)
{
    uint64_t reserve = socketlife_count_state(life, SLOT_READY) > 0 ? SOCKET_OPEN_RESERVE : 0;

    return (reserve + 1) * SOCKET_OPEN_MS;
}

static bool wants_more(const struct socketlife *life)
{
    return life->running && !life->fatal && count_opening(life) == 0 &&
           count_settled(life) < SOCKETLIFE_WANTED;
}

static struct slot *find_state(struct socketlife *life, enum slot_state state)
{
    for (size_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        if (life->slots[i].state == state) {
            return &life->slots[i];
        }
    }
    return NULL;
}

/* Room for a replacement: the oldest of those that leave and have nothing under way. */
static void make_room(struct socketlife *life, struct socketlife_effects *effects)
{
    struct slot *oldest = NULL;

    for (size_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        struct slot *slot = &life->slots[i];

        if (slot->state == SLOT_CLOSING) {
            return; /* it will be free in a moment */
        }
        if (slot->state == SLOT_READY && slot->leaving && slot->busy == 0 &&
            (oldest == NULL || slot->born_ms < oldest->born_ms)) {
            oldest = slot;
        }
    }
    if (oldest != NULL) {
        close_slot(life, oldest, effects);
    }
}

static void open_more(struct socketlife *life, struct socketlife_effects *effects)
{
    struct slot *slot = find_state(life, SLOT_FREE);

    if (!wants_more(life) || life->now_ms < life->retry_ms ||
        life->credit_ms < credit_needed(life)) {
        return;
    }
    if (slot == NULL) {
        make_room(life, effects);
        return;
    }
    life->credit_ms -= SOCKET_OPEN_MS;
    slot->state = SLOT_ASKING;
    socketlife_effect(effects, SOCKETLIFE_ASK, life, slot);
}

/* May we end a leaving socket ourselves? */
static bool may_retire(const struct socketlife *life, const struct slot *slot)
{
    return slot->state == SLOT_READY && slot->leaving && slot->busy == 0 &&
           count_settled(life) >= SOCKETLIFE_WANTED;
}

/* Does its age make it leave now? One after the other. */
static bool may_refresh(const struct socketlife *life, const struct slot *slot)
{
    return slot->state == SLOT_READY && !slot->leaving && life->running && !life->fatal &&
           count_leaving(life) == 0;
}

static void
tend_ready(struct socketlife *life, struct slot *slot, struct socketlife_effects *effects)
{
    uint64_t now_ms = life->now_ms;

    if (now_ms >= slot->heard_ms + SOCKET_SILENCE_MS) {
        socketlife_drop(life, slot, effects);
        return;
    }
    if (!life->running && (slot->busy == 0 || now_ms >= life->stop_ms)) {
        close_slot(life, slot, effects);
        return;
    }
    if (may_retire(life, slot) && now_ms >= slot->deadline_ms) {
        close_slot(life, slot, effects);
    }
}

/* What goes on living. After tend for all: one that has gone may let the next one leave. */
static void renew(struct socketlife *life, struct slot *slot, struct socketlife_effects *effects)
{
    if (may_refresh(life, slot) && life->now_ms >= slot->refresh_ms) {
        slot->leaving = true; /* its deadline is the end of its lifetime */
    }
    if (slot->state == SLOT_READY && life->now_ms >= slot->ping_ms) {
        slot->ping_ms = life->now_ms + SOCKET_PING_MS;
        socketlife_effect(effects, SOCKETLIFE_PING, life, slot);
    }
}

static void tend(struct socketlife *life,
                 struct slot *slot,
                 uint32_t random,
                 struct socketlife_effects *effects)
{
    switch (slot->state) {
    case SLOT_ASKING:
        if (!life->running) {
            socketlife_drop(life, slot, effects);
        }
        break;
    case SLOT_DIALING:
        if (!life->running) {
            socketlife_drop(life, slot, effects);
        } else if (life->now_ms >= slot->deadline_ms) {
            socketlife_back_off(life, SOCKET_BACKOFF_MS_MAX, random);
            socketlife_drop(life, slot, effects);
        }
        break;
    case SLOT_READY:
        tend_ready(life, slot, effects);
        break;
    case SLOT_CLOSING:
        if (life->now_ms >= slot->deadline_ms) {
            socketlife_drop(life, slot, effects);
        }
        break;
    case SLOT_FREE:
    case SLOT_STATE_COUNT:
        break;
    }
}

void socketlife_step(struct socketlife *life,
                     const struct socketlife_event *event,
                     struct socketlife_effects *ret_effects)
{
    ASSERT(event->now_ms >= life->now_ms);
    ASSERT(event->slot < SOCKETLIFE_SLOT_COUNT);
    life->now_ms = event->now_ms;
    ret_effects->count = 0;
    grow_credit(life);
    socketlife_dispatch(life, event, ret_effects);
    for (size_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        tend(life, &life->slots[i], event->random, ret_effects);
    }
    for (size_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        renew(life, &life->slots[i], ret_effects);
    }
    open_more(life, ret_effects);
    socketlife_invariant(life);
}

/* When something of a slot is due; each case has its equal in tend. */
static uint64_t slot_deadline(const struct socketlife *life, const struct slot *slot)
{
    uint64_t due = NEVER;

    switch (slot->state) {
    case SLOT_DIALING:
    case SLOT_CLOSING:
        due = slot->deadline_ms;
        break;
    case SLOT_READY:
        due = ms_sooner(slot->ping_ms, slot->heard_ms + SOCKET_SILENCE_MS);
        due = life->running ? due : ms_sooner(due, life->stop_ms);
        due = may_retire(life, slot) ? ms_sooner(due, slot->deadline_ms) : due;
        due = may_refresh(life, slot) ? ms_sooner(due, slot->refresh_ms) : due;
        break;
    case SLOT_FREE:
    case SLOT_ASKING:
    case SLOT_STATE_COUNT:
        break;
    }
    return due;
}

/* When the next one may be asked for. Without a free slot, room is made by what then happens. */
static uint64_t open_deadline(const struct socketlife *life)
{
    uint64_t needed = credit_needed(life);
    uint64_t due = life->retry_ms;

    if (!wants_more(life)) {
        return NEVER;
    }
    if (life->credit_ms < needed) {
        due = ms_later(due, life->credited_ms + (needed - life->credit_ms));
    }
    return due > life->now_ms ? due : NEVER;
}

uint64_t socketlife_deadline_ms(const struct socketlife *life)
{
    uint64_t due = open_deadline(life);

    for (size_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        due = ms_sooner(due, slot_deadline(life, &life->slots[i]));
    }
    return due;
}

void socketlife_invariant(const struct socketlife *life)
{
    ASSERT(count_opening(life) <= 1);
    ASSERT(life->credit_ms <= SOCKETLIFE_CREDIT_MAX);
    ASSERT(life->running || count_opening(life) == 0);
    ASSERT(!(life->fatal && !life->running));
    ASSERT(!life->fatal || count_opening(life) == 0);
    ASSERT(socketlife_deadline_ms(life) > life->now_ms);
    for (size_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        const struct slot *slot = &life->slots[i];

        ASSERT(slot->state == SLOT_READY || !slot->leaving);
        ASSERT(slot->state != SLOT_FREE || slot->busy == 0);
        ASSERT(!is_opening(slot) || slot->born_ms == 0);
    }
}

void socketlife_status(const struct socketlife *life, struct socketlife_status *ret_status)
{
    *ret_status = (struct socketlife_status){.running = life->running,
                                             .fatal = life->fatal,
                                             .disabled = life->disabled,
                                             .live = socketlife_count_state(life, SLOT_READY),
                                             .strangers = life->strangers,
                                             .opening = count_opening(life) > 0,
                                             .retry_ms = life->retry_ms};
}

bool socketlife_is_live(const struct socketlife *life, uint32_t slot)
{
    ASSERT(slot < SOCKETLIFE_SLOT_COUNT);
    return life->running && life->slots[slot].state == SLOT_READY;
}

bool socketlife_is_idle(const struct socketlife *life)
{
    for (size_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        if (life->slots[i].busy > 0) {
            return false;
        }
    }
    return true;
}

enum err_code socketlife_new(uint64_t now_ms, struct socketlife **ret_life, struct err *err)
{
    struct socketlife *life = mem_new(1, sizeof *life);

    if (life == NULL) {
        return err_set(err, ERR_NOMEM, "Socket Mode");
    }
    life->now_ms = now_ms;
    life->credited_ms = now_ms;
    life->credit_ms = SOCKETLIFE_CREDIT_MAX;
    *ret_life = life;
    return ERR_OK;
}

void socketlife_free(struct socketlife *life)
{
    mem_free(life);
}
