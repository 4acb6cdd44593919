/* SPDX-License-Identifier: Apache-2.0 */
/* inbound.h: what Slack sends us: verified, parsed, handed to the service, answered.
 *
 * Both ways in end here and are the same behind it: the HTTP listener hands in a delivery
 * (slack_inbound_handle, which checks the signature), Socket Mode an envelope (slack_inbound_take,
 * proven by the ticket of its socket). What a transport may rely on, and has to keep:
 *   1 each gets one reply, once, unless it was forgotten (slack_inbound_forget);
 *   2 a 2xx is the only acknowledgement, and it comes only when everything that the delivery has
 *     changed is durable on the in-sync hosts: a transport that acknowledges nothing else loses
 *     nothing by a crash, whatever it does not get to say is delivered again by Slack;
 *   3 past SLACK_REPLY_BUDGET_MS the reply is 503 and the work goes on; what comes of it is seen on
 *     the card, and a repeated delivery finds it done;
 *   4 a delivery repeated over either way, or over both at once, changes nothing more: the identity
 *     of an act lies in its payload, never in its transport;
 *   5 whose act was refused with 503 is told so when the store works again, unless a repeated
 *     delivery of it was accepted meanwhile (best effort, in memory).
 * Loop thread only, never blocks. */
#ifndef APPROVALD_SLACK_INBOUND_INBOUND_H
#define APPROVALD_SLACK_INBOUND_INBOUND_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct directory;
struct event_base;
struct home;
struct json;
struct metrics;
struct service;
struct slack_inbound;
struct webapi;

enum slack_path {
    SLACK_PATH_INTERACTIONS, /* /slack/interactions; option loads too */
    SLACK_PATH_COMMANDS,     /* /slack/commands */
    SLACK_PATH_EVENTS,       /* /slack/events */
};

/* One POST as it came. Spans are valid during slack_inbound_handle; absent headers are empty. */
struct slack_delivery {
    enum slack_path path;
    struct span body; /* raw, as received, at most SLACK_BODY_SIZE_MAX */
    struct span content_type;
    struct span signature;    /* X-Slack-Signature; a header given twice counts as absent */
    struct span timestamp;    /* X-Slack-Request-Timestamp; likewise */
    struct span retry_num;    /* X-Slack-Retry-Num */
    struct span retry_reason; /* X-Slack-Retry-Reason */
};

/* One envelope of Socket Mode. */
struct slack_envelope {
    enum slack_path path;
    struct json *root;         /* taken, whatever comes of it */
    const struct json *object; /* the payload in it; NULL: there is none */
    uint64_t retry_num;        /* 0: the first try */
    struct span retry_reason;
};

struct slack_reply {
    uint32_t status;
    const char *content_type; /* NULL: no body */
    struct span body;         /* valid during the call */
    uint32_t retry_after_s;   /* 0: no Retry-After header */
};
/* Exactly once per delivery, maybe from inside slack_inbound_handle. */
typedef void slack_reply_fn(void *arg, const struct slack_reply *reply);

struct slack_inbound_options {
    struct event_base *base; /* borrowed, as all pointers here */
    struct service *service;
    struct webapi *webapi;
    struct directory *directory;
    struct home *home; /* NULL: nobody has one */
    struct metrics *metrics;
    const struct clock *clock; /* NULL: this host's */
    /* Copied, wiped on free. Empty: no delivery over HTTP is taken. */
    struct span signing_secret;
    struct span previous_secret; /* accepted too while it is being replaced; empty: none */
};

/* Call slack_inbound_start when the service is primary. */
enum err_code slack_inbound_new(const struct slack_inbound_options *options,
                                struct slack_inbound **ret_inbound,
                                struct err *err) WARN_UNUSED;
/* Unanswered deliveries are not answered any more. NULL is allowed. */
void slack_inbound_free(struct slack_inbound *inbound);
/* ERR_NOMEM: the old ones stay. */
enum err_code slack_inbound_set_secrets(struct slack_inbound *inbound,
                                        struct span signing_secret,
                                        struct span previous_secret,
                                        struct err *err) WARN_UNUSED;
/* Scans the inbox for events that were accepted before a restart, and goes on watching it. */
void slack_inbound_start(struct slack_inbound *inbound);

void slack_inbound_handle(struct slack_inbound *inbound,
                          const struct slack_delivery *delivery,
                          slack_reply_fn *reply,
                          void *arg);
void slack_inbound_take(struct slack_inbound *inbound,
                        const struct slack_envelope *envelope,
                        slack_reply_fn *reply,
                        void *arg);
/* The client has gone: reply will not be called for arg. The work goes on. */
void slack_inbound_forget(struct slack_inbound *inbound, const void *arg);

enum slack_transport { SLACK_OVER_HTTP, SLACK_OVER_SOCKET, SLACK_TRANSPORT_COUNT };
/* When something verified came last; wall clock, 0: nothing since the start. */
uint64_t slack_inbound_last_ms(const struct slack_inbound *inbound, enum slack_transport transport);

#endif
