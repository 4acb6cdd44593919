/* SPDX-License-Identifier: Apache-2.0 */
/* webapi_internal.h: the client's struct, shared by webapi.c (queue, sending),
 * webapi_state.c (state) and webapi_life.c (birth, token, death). Nobody else includes it. */
#ifndef APPROVALD_SLACK_WIRE_WEBAPI_INTERNAL_H
#define APPROVALD_SLACK_WIRE_WEBAPI_INTERNAL_H

#include "approvald/slack/limits.h"
#include "approvald/slack/wire/breaker.h"
#include "approvald/slack/wire/webapi.h"

#include <sys/queue.h>

#define WEBAPI_METHOD_NONE    WEBAPI_METHOD_COUNT /* of an item: a post to a response_url */
#define WEBAPI_PRIORITY_COUNT 3
#define WEBAPI_OUTCOME_COUNT  (WEBAPI_REFUSED + 1)

struct event;
struct fetch_call;
struct metric;
struct rate;

struct webapi_item {
    TAILQ_ENTRY(webapi_item) link;
    struct webapi *webapi;
    enum webapi_method method; /* or WEBAPI_METHOD_NONE */
    enum webapi_priority priority;
    char channel[CORE_SLACK_ID_SIZE_MAX];
    size_t channel_size;
    char *body; /* owned */
    size_t body_size;
    uint64_t deadline_ms;    /* boot: the end of its wait in the queue */
    struct fetch_call *call; /* under way, or NULL */
    bool probe;              /* it asks whether Slack is up again */
    const char *failure;     /* in finished: why it was not sent */
    enum webapi_outcome failure_outcome;
    webapi_done_fn *done; /* NULL only for WEBAPI_METHOD_NONE and for our own probe */
    void *arg;
};
TAILQ_HEAD(webapi_list, webapi_item);

struct webapi_listener {
    webapi_state_fn *changed;
    void *arg;
};

struct webapi {
    struct fetch *fetch;       /* borrowed */
    const struct clock *clock; /* borrowed */
    struct rate *rate;         /* owned */
    struct event *timer;       /* owned; its firing is the only place where calls start */
    char base_url[SLACK_URL_SIZE_MAX + 1];
    char token[SLACK_TOKEN_SIZE_MAX + 1]; /* wiped on free */
    struct webapi_item *items;            /* owned pool, SLACK_QUEUE_COUNT_MAX */
    struct webapi_list spare;
    struct webapi_list waiting[WEBAPI_PRIORITY_COUNT];
    struct webapi_list running;
    struct webapi_list finished; /* not sent; their callbacks are due */
    uint32_t waiting_count;
    uint32_t running_count;
    uint32_t running_by[WEBAPI_PRIORITY_COUNT];
    bool dead;
    bool stopped;
    enum webapi_state state;
    struct breaker breaker;
    char dead_error[SLACK_SLUG_SIZE_MAX];
    char lost_error[SLACK_DETAIL_SIZE_MAX];  /* why the last call did not reach Slack, or "" */
    char missing_scope[SLACK_SLUG_SIZE_MAX]; /* or "" */
    enum webapi_method missing_method;       /* by which it was missed */
    bool skew_known;
    bool skew_warned;
    int64_t skew_s;
    struct webapi_listener listeners[SLACK_LISTENER_COUNT_MAX];
    size_t listener_count;
    struct metric *calls[WEBAPI_METHOD_COUNT][WEBAPI_OUTCOME_COUNT];
    struct metric *responses[WEBAPI_OUTCOME_COUNT];
    struct metric *duration;
    struct metric *state_gauge;
    struct metric *skew_gauge;
    struct metric *waiting_gauge;
    struct metric *limited;
    struct metric *breaker_gauge;
    struct metric *outages;
};

/* The queue is looked at again, soon. */
void webapi_wake(struct webapi *webapi);
/* Tells of a change of state, if there is one. */
void webapi_update_state(struct webapi *webapi);
/* A Date header of Slack's: how far are the clocks apart? */
void webapi_note_clock(struct webapi *webapi, struct span date);
/* The queue's timer: starts what may start. */
void webapi_on_timer(int fd, short what, void *arg);
/* Slack is believed to take the token. */
void webapi_mark_alive(struct webapi *webapi);

#endif
