/* SPDX-License-Identifier: Apache-2.0 */
/* socketlife_internal.h: the core's state, shared by socketlife.c (what time does) and
 * socketlife_event.c (what events do). Nobody else includes it. */
#ifndef APPROVALD_SLACK_SOCKET_SOCKETLIFE_INTERNAL_H
#define APPROVALD_SLACK_SOCKET_SOCKETLIFE_INTERNAL_H

#include "approvald/slack/limits.h"
#include "approvald/slack/socket/socketlife.h"

#define SOCKETLIFE_CREDIT_MAX ((uint64_t)SOCKET_OPEN_BURST * SOCKET_OPEN_MS)

enum slot_state {
    SLOT_FREE,
    SLOT_ASKING,
    SLOT_DIALING, /* until hello */
    SLOT_READY,
    SLOT_CLOSING,
    SLOT_STATE_COUNT
};

struct slot {
    enum slot_state state;
    bool leaving;         /* ready: it will be replaced */
    uint32_t busy;        /* replies under way */
    uint64_t born_ms;     /* hello */
    uint64_t heard_ms;    /* the last byte */
    uint64_t ping_ms;     /* the next ping */
    uint64_t refresh_ms;  /* when it starts leaving by itself */
    uint64_t deadline_ms; /* dialing, closing: given up; leaving: closed by us if it can be */
};

struct socketlife {
    bool running;
    bool fatal;
    bool disabled;
    uint32_t strangers;
    uint32_t failures;    /* since the last hello */
    uint64_t retry_ms;    /* nothing is asked for before it */
    uint64_t credit_ms;   /* of asking: one costs SOCKET_OPEN_MS, and grows back with the time */
    uint64_t credited_ms; /* until when it has grown */
    uint64_t ghost_ms;    /* until then Slack may count what is gone */
    uint64_t stop_ms;     /* not running: replies under way are given up */
    uint64_t now_ms;
    struct slot slots[SOCKETLIFE_SLOT_COUNT];
};

static inline uint64_t ms_later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t ms_sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* socketlife.c */
uint32_t socketlife_count_state(const struct socketlife *life, enum slot_state state);
void socketlife_effect(struct socketlife_effects *effects,
                       enum socketlife_effect_kind kind,
                       const struct socketlife *life,
                       const struct slot *slot);
/* The slot is free; Slack may go on counting its socket for a while. */
void socketlife_drop(struct socketlife *life,
                     struct slot *slot,
                     struct socketlife_effects *effects);
void socketlife_wait_until(struct socketlife *life, uint64_t ms);
/* Doubles with each failure in a row; half of it is jitter. */
void socketlife_back_off(struct socketlife *life, uint64_t max_ms, uint32_t random);

/* socketlife_event.c: what the event itself changes. */
void socketlife_dispatch(struct socketlife *life,
                         const struct socketlife_event *event,
                         struct socketlife_effects *effects);

#endif
