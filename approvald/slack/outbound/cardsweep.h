/* SPDX-License-Identifier: Apache-2.0 */
/* cardsweep.h: the reconciler: sees to it that every live card tells the truth.
 *
 * A sweep compares all cards with the channels' histories (cardcheck) and owes again those that are
 * gone or show something else; the sender does the rest. Cards of pending requests first, then
 * those of the last day. There is one at the start (so after a promotion), when Slack is back
 * after an outage or takes a new token, when a card turned out to be gone or out of date, a moment
 * after a call about a card was given up (at most one in SLACK_CHECK_GAP_MS), each followed by
 * SLACK_CHECK_AGAIN_COUNT others within a quarter of an hour, and every SLACK_CHECK_EVERY_MS. Its
 * calls are in the background: one at a time, behind those of the sender.
 *
 * What it may not read it says: log, status, metrics. Memory is bounded whatever is open. Loop
 * thread only, never blocks. */
#ifndef APPROVALD_SLACK_OUTBOUND_CARDSWEEP_H
#define APPROVALD_SLACK_OUTBOUND_CARDSWEEP_H

#include "approvald/slack/outbound/cardcheck.h"

struct cardsweep;
struct clock;
struct event_base;
struct metrics;
struct webapi;

struct cardsweep_options {
    struct event_base *base; /* borrowed, as all pointers here */
    struct service *service;
    struct webapi *webapi;
    struct metrics *metrics;
    const struct clock *clock; /* NULL: this host's */
    /* Each time the cards of pending requests in channels were compared since Slack came back; what
     * is wrong is owed again. NULL: nobody waits for it. */
    void (*compared)(void *arg);
    void *arg;
};

enum err_code cardsweep_new(const struct cardsweep_options *options,
                            struct cardsweep **ret_sweep,
                            struct err *err) WARN_UNUSED;
/* Free the webapi before (it drops its calls). NULL is allowed. */
void cardsweep_free(struct cardsweep *sweep);

/* This host may write: a sweep is due. */
void cardsweep_start(struct cardsweep *sweep);
/* Begins nothing more; what is under way goes on. */
void cardsweep_stop(struct cardsweep *sweep);
/* Nothing is under way. */
bool cardsweep_is_idle(const struct cardsweep *sweep);

struct cardsweep_status {
    bool running;                   /* a sweep is under way */
    uint64_t finished_ms;           /* wall: the end of the last one; 0: there was none yet */
    uint64_t due_ms;                /* boot: the next one; UINT64_MAX: never */
    struct cardcheck_counts counts; /* of the last one */
    uint64_t repaired;              /* of it: owed again */
    uint64_t stuck;                 /* wrong, and repaired as often as is reasonable */
    uint64_t copies;                /* removed */
    const char *blind_error;        /* why some could not be looked at, Slack's word; "" */
    const char *blind_scope;        /* the scope that is missing for it; "" */
};
void cardsweep_status(const struct cardsweep *sweep, struct cardsweep_status *ret_status);

#endif
