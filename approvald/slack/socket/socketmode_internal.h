/* SPDX-License-Identifier: Apache-2.0 */
/* socketmode_internal.h: what the files of the shell share. Included by socketmode*.c only. */
#ifndef APPROVALD_SLACK_SOCKET_SOCKETMODE_INTERNAL_H
#define APPROVALD_SLACK_SOCKET_SOCKETMODE_INTERNAL_H

#include "approvald/slack/limits.h"
#include "approvald/slack/socket/socketlife.h"
#include "approvald/slack/socket/socketmode.h"

#include <sys/queue.h>

struct event;
struct fetch_call;
struct fetch_stream;
struct json;
struct metric;
struct websocket;

/* One envelope from its arrival until inbound has answered it. */
struct socket_reply {
    TAILQ_ENTRY(socket_reply) link; /* in the slot's list, or spare */
    struct socket_slot *slot;
    char id[SOCKET_ID_SIZE_MAX + 1];
    bool takes_payload;
    bool is_command;
};
TAILQ_HEAD(socket_replies, socket_reply);

/* What has happened to a slot since the core last heard of it. */
struct socket_news {
    bool answered; /* the ticket's call: refusal and retry_after_ms when it was refused */
    bool refused;
    enum socketlife_refusal refusal;
    uint32_t retry_after_ms;
    bool heard;
    bool hello;
    uint32_t count;
    uint32_t lifetime_s;
    bool busy; /* the number of replies has changed */
    bool disconnect;
    enum socketlife_reason reason;
    bool closed;
};

struct socket_slot {
    struct socketmode *mode;
    uint32_t index;
    struct fetch_call *asking;         /* under way, or NULL */
    struct fetch_stream *stream;       /* owned, or NULL */
    struct websocket *websocket;       /* owned, or NULL */
    char url[SOCKET_URL_SIZE_MAX + 1]; /* a ticket, until it is used; wiped */
    bool connected;
    bool feeding; /* its bytes are being read: output leaves afterwards */
    bool greeted; /* hello was read */
    bool closing; /* no envelope is taken any more */
    struct socket_news news;
    struct socket_replies replies; /* under way */
    uint32_t reply_count;
};

struct socketmode {
    struct event_base *base;       /* borrowed */
    struct fetch *fetch;           /* borrowed */
    struct slack_inbound *inbound; /* borrowed */
    const struct clock *clock;     /* borrowed */
    struct socketlife *life;       /* owned */
    struct event *work; /* owned: the core's timer, and the one place where it is asked */
    char api_url[SLACK_URL_SIZE_MAX + 1];
    char token[SLACK_TOKEN_SIZE_MAX + 1]; /* wiped on free */
    bool running;
    char error[SLACK_DETAIL_SIZE_MAX];   /* the last one, of whichever socket */
    char refusal[SLACK_DETAIL_SIZE_MAX]; /* why Slack takes the token no more, when it does not */
    struct socketlife_status told;       /* what was logged last */
    struct socket_slot slots[SOCKETLIFE_SLOT_COUNT];
    struct socket_reply *pool; /* owned, SLACK_INFLIGHT_COUNT_MAX */
    struct socket_replies spare;

    struct metric *live_gauge;
    struct metric *strangers_gauge;
    struct metric *opens;
    struct metric *envelopes;
    struct metric *acknowledged;
    struct metric *unacknowledged;
    struct metric *malformed;
};

/* socketmode.c: lets the core know soon. */
void socketmode_wake(struct socketmode *mode);
void socketmode_set_error(struct socketmode *mode, struct span error);

/* socketmode_ticket.c: asks for a ticket; the answer is news. */
void socketmode_ask(struct socket_slot *slot);

/* socketmode_slot.c */
void socketmode_dial(struct socket_slot *slot);
void socketmode_ping(struct socket_slot *slot);
void socketmode_close(struct socket_slot *slot);
/* Lets go of everything, the replies under way too. Not from inside an event of the stream. */
void socketmode_drop(struct socket_slot *slot);
/* Text as one frame; false: the socket cannot take it any more. */
bool socketmode_send(struct socket_slot *slot, struct span text);

/* socketmode_envelope.c: a message of Slack. */
void socketmode_on_message(struct socket_slot *slot, struct span text);

#endif
