/* SPDX-License-Identifier: Apache-2.0 */
/* socketlife.h: the life of the sockets of Socket Mode, as a pure core.
 *
 * Two sockets are wanted. Slack says when one will end (disconnect), or its lifetime does: then it
 * is *leaving*: a replacement is opened first, and the old one goes on serving until Slack closes
 * it. Invariants (socketlife_invariant, and tests/unit/test_socketlife.c):
 *   1 at most one socket is being opened at a time, whatever happens: one loop, no storm;
 *   2 apps.connections.open is asked for SOCKET_OPEN_BURST times at once and once a minute on
 *     average; what never reached Slack does not count;
 *   3 while running, a live socket is closed by us only when it is leaving and enough others are
 *     live, or when it has been silent;
 *   4 a socket with a reply under way is closed only by silence, its peer, or a stop's time limit;
 *   5 after a fatal refusal nothing is asked for until the next START;
 *   6 the deadline is later than the step that it comes from: no busy loop.
 * Acknowledging is none of its business: an envelope is lost with its socket, and Slack delivers it
 * again. */
#ifndef APPROVALD_SLACK_SOCKET_SOCKETLIFE_H
#define APPROVALD_SLACK_SOCKET_SOCKETLIFE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

#define SOCKETLIFE_WANTED           2 /* one may die without a gap */
#define SOCKETLIFE_SLOT_COUNT       4 /* both, and a replacement for each */
#define SOCKETLIFE_EFFECT_COUNT_MAX (2 * SOCKETLIFE_SLOT_COUNT)

struct socketlife;

enum socketlife_event_kind {
    SOCKETLIFE_START,      /* this host may write; also: try again after a fatal refusal */
    SOCKETLIFE_STOP,       /* it may not any more, or is about to hand over */
    SOCKETLIFE_TIMEOUT,    /* the deadline, or any other time */
    SOCKETLIFE_TICKET,     /* an ASK was granted */
    SOCKETLIFE_REFUSED,    /* or not: refusal, retry_after_ms */
    SOCKETLIFE_HELLO,      /* Slack greets: count, lifetime_s (0: not said) */
    SOCKETLIFE_HEARD,      /* any byte came */
    SOCKETLIFE_BUSY,       /* envelopes whose reply is under way: count */
    SOCKETLIFE_DISCONNECT, /* Slack's message: reason */
    SOCKETLIFE_CLOSED,     /* the connection has ended, or was never made */
    SOCKETLIFE_EVENT_COUNT
};

enum socketlife_refusal {
    SOCKETLIFE_UNREACHED, /* certainly not received */
    SOCKETLIFE_FAILED,    /* any other error */
    SOCKETLIFE_LIMITED,   /* 429 */
    SOCKETLIFE_DISABLED,  /* Socket Mode is switched off for the app */
    SOCKETLIFE_FATAL,     /* the token is wrong: a person has to act */
};

enum socketlife_reason {
    SOCKETLIFE_WARNING,
    SOCKETLIFE_REFRESH, /* also any unknown reason */
    SOCKETLIFE_LINK_DISABLED,
    SOCKETLIFE_TOO_MANY, /* too_many_websockets */
};

struct socketlife_event {
    enum socketlife_event_kind kind;
    uint64_t now_ms; /* boot; never goes back */
    uint32_t random; /* a fresh draw */
    uint32_t slot;   /* of all but START, STOP, TIMEOUT */
    enum socketlife_refusal refusal;
    enum socketlife_reason reason;
    uint32_t retry_after_ms;
    uint32_t count;
    uint32_t lifetime_s;
};

enum socketlife_effect_kind {
    SOCKETLIFE_ASK,   /* apps.connections.open */
    SOCKETLIFE_DIAL,  /* connect with the ticket that came */
    SOCKETLIFE_PING,  /* a WebSocket ping */
    SOCKETLIFE_CLOSE, /* begin the closing handshake; take no more envelopes */
    SOCKETLIFE_DROP,  /* let go of everything that the slot has; no event of it follows */
};

struct socketlife_effect {
    enum socketlife_effect_kind kind;
    uint32_t slot;
};

struct socketlife_effects {
    struct socketlife_effect list[SOCKETLIFE_EFFECT_COUNT_MAX]; /* in the order of performing */
    uint32_t count;
};

enum err_code
socketlife_new(uint64_t now_ms, struct socketlife **ret_life, struct err *err) WARN_UNUSED;
void socketlife_free(struct socketlife *life); /* NULL is allowed */

/* Events of a slot come only between its ASK and its DROP, and only those that its state allows
 * (asserted): TICKET or REFUSED after ASK, the others after DIAL. */
void socketlife_step(struct socketlife *life,
                     const struct socketlife_event *event,
                     struct socketlife_effects *ret_effects);
/* When to send TIMEOUT; UINT64_MAX: never. */
uint64_t socketlife_deadline_ms(const struct socketlife *life);
void socketlife_invariant(const struct socketlife *life);

struct socketlife_status {
    bool running;
    bool fatal;         /* stopped by a refusal; START tries again */
    bool disabled;      /* Socket Mode is off at Slack, as far as is known */
    uint32_t live;      /* sockets that Slack has greeted and that are not being closed */
    uint32_t strangers; /* connections of the app that are none of ours */
    bool opening;
    uint64_t retry_ms; /* nothing is asked for before it */
};
void socketlife_status(const struct socketlife *life, struct socketlife_status *ret_status);
/* Is the slot greeted and not being closed? Then its envelopes are taken. */
bool socketlife_is_live(const struct socketlife *life, uint32_t slot);
/* A stop has nothing left to wait for: nothing is under way on any socket. */
bool socketlife_is_idle(const struct socketlife *life);

#endif
