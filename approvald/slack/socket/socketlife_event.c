/* SPDX-License-Identifier: Apache-2.0 */
/* socketlife_event.c: what Slack and the shell tell, and what it changes.
 * Owns the legal moves, the census and the plan of refreshes.
 * Never opens or closes a socket: it says what is so, and socketlife.c acts on it. */
#include "approvald/slack/socket/socketlife_internal.h"
#include "base/assert.h"

/* Event × state: which may come. START, STOP and TIMEOUT have no slot. */
static const bool legal[SOCKETLIFE_EVENT_COUNT][SLOT_STATE_COUNT] = {
    [SOCKETLIFE_TICKET] = {[SLOT_ASKING] = true},
    [SOCKETLIFE_REFUSED] = {[SLOT_ASKING] = true},
    [SOCKETLIFE_HELLO] = {[SLOT_DIALING] = true, [SLOT_READY] = true, [SLOT_CLOSING] = true},
    [SOCKETLIFE_HEARD] = {[SLOT_DIALING] = true, [SLOT_READY] = true, [SLOT_CLOSING] = true},
    [SOCKETLIFE_BUSY] = {[SLOT_DIALING] = true, [SLOT_READY] = true, [SLOT_CLOSING] = true},
    [SOCKETLIFE_DISCONNECT] = {[SLOT_DIALING] = true, [SLOT_READY] = true, [SLOT_CLOSING] = true},
    [SOCKETLIFE_CLOSED] = {[SLOT_DIALING] = true, [SLOT_READY] = true, [SLOT_CLOSING] = true},
};

static void on_start(struct socketlife *life)
{
    life->running = true;
    life->fatal = false;
    life->failures = 0;
    life->retry_ms = life->now_ms;
    /* Another process, here or on the other host, may have held some a moment ago. */
    life->ghost_ms = ms_later(life->ghost_ms, life->now_ms + SOCKET_GHOST_MS);
}

static void on_stop(struct socketlife *life)
{
    life->running = false;
    life->fatal = false;
    life->stop_ms = life->now_ms + SOCKET_STOP_MS;
}

static void
on_ticket(struct socketlife *life, struct slot *slot, struct socketlife_effects *effects)
{
    slot->state = SLOT_DIALING;
    slot->deadline_ms = life->now_ms + SOCKET_HELLO_MS;
    socketlife_effect(effects, SOCKETLIFE_DIAL, life, slot);
}

static void on_refused(struct socketlife *life,
                       struct slot *slot,
                       const struct socketlife_event *event,
                       struct socketlife_effects *effects)
{
    socketlife_drop(life, slot, effects);
    switch (event->refusal) {
    case SOCKETLIFE_UNREACHED:
        life->credit_ms = ms_sooner(SOCKETLIFE_CREDIT_MAX, life->credit_ms + SOCKET_OPEN_MS);
        socketlife_back_off(life, SOCKET_UNREACHED_MS_MAX, event->random);
        break;
    case SOCKETLIFE_FAILED:
        socketlife_back_off(life, SOCKET_BACKOFF_MS_MAX, event->random);
        break;
    case SOCKETLIFE_LIMITED:
        socketlife_back_off(life, SOCKET_BACKOFF_MS_MAX, event->random);
        socketlife_wait_until(life,
                              life->now_ms + ms_sooner(event->retry_after_ms, SOCKET_RETRY_MS_MAX));
        break;
    case SOCKETLIFE_DISABLED:
        life->disabled = true;
        socketlife_wait_until(life, life->now_ms + SOCKET_DISABLED_MS);
        break;
    case SOCKETLIFE_FATAL:
        life->fatal = true;
        break;
    }
}

/* What Slack counts against what we hold. A count that may have ghosts in it proves nothing: the
 * socket is replaced early, and the next hello tells. */
static void
take_census(struct socketlife *life, struct slot *slot, const struct socketlife_event *event)
{
    uint32_t ours =
        socketlife_count_state(life, SLOT_READY) + socketlife_count_state(life, SLOT_CLOSING);
    uint32_t excess = event->count > ours ? event->count - ours : 0;

    if (event->count == 0) {
        return; /* it does not say */
    }
    if (excess > 0 && life->now_ms < life->ghost_ms) {
        slot->refresh_ms = ms_sooner(slot->refresh_ms, life->now_ms + SOCKET_RECHECK_MS);
        return;
    }
    life->strangers = excess;
}

/* Ends its own life at nine tenths, somewhat earlier by chance, and four tenths apart from another:
 * each replacement is greeted with a count, so that strangers are found twice in a lifetime. */
static void
plan_refresh(const struct socketlife *life, struct slot *slot, uint32_t lifetime_s, uint32_t random)
{
    uint64_t life_ms = lifetime_s == 0 ? SOCKET_LIFETIME_MS : (uint64_t)lifetime_s * 1000;
    uint64_t share_ms;
    uint64_t gap_ms;

    life_ms = ms_sooner(ms_later(life_ms, SOCKET_LIFETIME_MS_MIN), SOCKET_LIFETIME_MS_MAX);
    share_ms = life_ms / 10;
    gap_ms = 4 * share_ms;
    slot->refresh_ms = slot->born_ms + 9 * share_ms - random % share_ms;
    slot->deadline_ms = slot->born_ms + life_ms + SOCKET_LINGER_MS;
    for (size_t i = 0; i < SOCKETLIFE_SLOT_COUNT; i++) {
        const struct slot *other = &life->slots[i];

        if (other != slot && other->state == SLOT_READY && !other->leaving &&
            slot->refresh_ms + gap_ms > other->refresh_ms &&
            other->refresh_ms + gap_ms > slot->refresh_ms) {
            slot->refresh_ms = other->refresh_ms - ms_sooner(other->refresh_ms, gap_ms);
        }
    }
    slot->refresh_ms = ms_later(slot->refresh_ms, slot->born_ms + share_ms);
}

static void
on_hello(struct socketlife *life, struct slot *slot, const struct socketlife_event *event)
{
    if (slot->state != SLOT_DIALING) {
        return; /* Slack greets once; a second time says nothing new */
    }
    slot->state = SLOT_READY;
    slot->born_ms = life->now_ms;
    slot->heard_ms = life->now_ms;
    slot->ping_ms = life->now_ms + SOCKET_PING_MS;
    life->failures = 0;
    life->disabled = false;
    plan_refresh(life, slot, event->lifetime_s, event->random);
    take_census(life, slot, event);
}

static void leave(struct socketlife *life, struct slot *slot)
{
    if (slot->state == SLOT_READY) {
        slot->leaving = true;
        slot->deadline_ms = life->now_ms + SOCKET_LINGER_MS;
    }
}

static void on_disconnect(struct socketlife *life,
                          struct slot *slot,
                          const struct socketlife_event *event,
                          struct socketlife_effects *effects)
{
    bool dialing = slot->state == SLOT_DIALING;

    if (event->reason == SOCKETLIFE_LINK_DISABLED) {
        life->disabled = true;
        socketlife_wait_until(life, life->now_ms + SOCKET_DISABLED_MS);
    } else if (dialing || event->reason == SOCKETLIFE_TOO_MANY) {
        socketlife_back_off(life, SOCKET_BACKOFF_MS_MAX, event->random);
    }
    leave(life, slot);
    if (dialing) {
        socketlife_drop(life, slot, effects);
    }
}

static void on_closed(struct socketlife *life,
                      struct slot *slot,
                      const struct socketlife_event *event,
                      struct socketlife_effects *effects)
{
    if (slot->state == SLOT_DIALING) {
        socketlife_back_off(life, SOCKET_BACKOFF_MS_MAX, event->random);
    } else if (slot->state == SLOT_READY && !slot->leaving) {
        socketlife_wait_until(life, life->now_ms + event->random % SOCKET_JITTER_MS);
    }
    socketlife_drop(life, slot, effects);
}

void socketlife_dispatch(struct socketlife *life,
                         const struct socketlife_event *event,
                         struct socketlife_effects *effects)
{
    struct slot *slot = &life->slots[event->slot];
    bool has_slot = event->kind != SOCKETLIFE_START && event->kind != SOCKETLIFE_STOP &&
                    event->kind != SOCKETLIFE_TIMEOUT;

    ASSERT(!has_slot || legal[event->kind][slot->state]);
    switch (event->kind) {
    case SOCKETLIFE_START:
        on_start(life);
        break;
    case SOCKETLIFE_STOP:
        on_stop(life);
        break;
    case SOCKETLIFE_TICKET:
        on_ticket(life, slot, effects);
        break;
    case SOCKETLIFE_REFUSED:
        on_refused(life, slot, event, effects);
        break;
    case SOCKETLIFE_HELLO:
        on_hello(life, slot, event);
        break;
    case SOCKETLIFE_HEARD:
        slot->heard_ms = life->now_ms;
        break;
    case SOCKETLIFE_BUSY:
        slot->busy = event->count;
        break;
    case SOCKETLIFE_DISCONNECT:
        on_disconnect(life, slot, event, effects);
        break;
    case SOCKETLIFE_CLOSED:
        on_closed(life, slot, event, effects);
        break;
    case SOCKETLIFE_TIMEOUT:
    case SOCKETLIFE_EVENT_COUNT:
        break;
    }
}
