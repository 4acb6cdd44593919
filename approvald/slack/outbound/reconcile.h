/* SPDX-License-Identifier: Apache-2.0 */
/* reconcile.h: was a message of ours posted after all? Slack has no idempotency for posts, so after
 * an unknown result the channel's (or thread's) history is searched for the metadata that every
 * message of ours carries. Asynchronous, on the loop; bounded pages. */
#ifndef APPROVALD_SLACK_OUTBOUND_RECONCILE_H
#define APPROVALD_SLACK_OUTBOUND_RECONCILE_H

#include "approvald/core/types.h"
#include "approvald/slack/limits.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct json;
struct reconcile;
struct webapi;

struct reconcile_query {
    struct span channel;
    struct span thread; /* ts of the card whose replies are searched; empty: the channel */
    uint64_t oldest_ms; /* by clocks nothing of ours is older; a margin for them is taken here */
    uint64_t latest_ms; /* likewise newer */
    const char *request_id; /* text */
    const char *surface;    /* of the metadata */
    uint32_t item;          /* of the metadata; 0: any */
    uint32_t revision;      /* of a card or direct message: what it should show; 0: no matter */
    const char *user_id;    /* our bot; "": not known, the metadata alone decides */
    const char *bot_id;
};

enum reconcile_result {
    RECONCILE_FOUND = 1, /* it may show something else */
    RECONCILE_SHOWN,     /* found, and it shows the revision asked for */
    RECONCILE_ABSENT,    /* searched to the end (or to the limit of pages) */
    RECONCILE_BLIND,     /* the history may not be read (a scope is missing): nobody knows */
    RECONCILE_FAILED,    /* not answered; try again later */
};
/* ts is valid during the call and empty unless found; error is Slack's word or empty. */
typedef void
reconcile_done_fn(void *arg, enum reconcile_result result, struct span ts, struct span error);

/* Copies the query. done is called once, never from inside. ERR_NOMEM and what webapi_call returns:
 * done is not called. */
enum err_code reconcile_start(struct webapi *webapi,
                              const struct reconcile_query *query,
                              reconcile_done_fn *done,
                              void *arg,
                              struct reconcile **ret_reconcile,
                              struct err *err) WARN_UNUSED;
/* Only when its webapi has dropped the call (webapi_free): frees without done. NULL is allowed. */
void reconcile_free(struct reconcile *reconcile);

/* Pure: is this message of a history the one that is searched? */
bool reconcile_matches(const struct json *message, const struct reconcile_query *query);
/* Pure: does it, too, show the revision asked for? */
bool reconcile_shows(const struct json *message, const struct reconcile_query *query);

#endif
