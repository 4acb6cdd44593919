/* SPDX-License-Identifier: Apache-2.0 */
/* cardsweep_internal.h: the reconciler's struct, shared by cardsweep.c (its life and what it does
 * next) and cardsweep_ask.c (its calls). Nobody else includes it. */
#ifndef APPROVALD_SLACK_OUTBOUND_CARDSWEEP_INTERNAL_H
#define APPROVALD_SLACK_OUTBOUND_CARDSWEEP_INTERNAL_H

#include "approvald/slack/outbound/cardsweep.h"

struct event;
struct metric;

/* What a sweep has found so far, or had at its end. */
struct cardsweep_found {
    struct cardcheck_counts counts;
    uint64_t repaired;
    uint64_t stuck;
    uint64_t copies;
    char blind_error[SLACK_SLUG_SIZE_MAX];
    char blind_scope[SLACK_SLUG_SIZE_MAX];
};

struct cardsweep {
    struct service *service;     /* borrowed */
    struct webapi *webapi;       /* borrowed */
    const struct clock *clock;   /* borrowed */
    void (*compared)(void *arg); /* or NULL */
    void *compared_arg;
    struct event *timer;     /* owned */
    struct cardcheck *check; /* owned */
    bool running;            /* between start and stop */
    bool busy;               /* a question is under way: its answer goes on */
    bool sweeping;
    bool known;    /* who we are is known, in this sweep */
    bool window;   /* the window is closed and being compared */
    bool ended;    /* the cards of ended requests, after the others */
    bool direct;   /* those in direct messages, after those in channels */
    bool some;     /* there may be some of them */
    bool has_next; /* next is set */
    bool last;     /* no page of the store behind this one */
    struct request_id next;
    uint32_t again;    /* sweeps that still follow this one soon */
    uint64_t due_ms;   /* boot: the next sweep */
    uint64_t began_ms; /* boot: the last one */
    uint64_t took_ms;  /* the last one that ended */
    uint64_t late_ms;  /* boot: one that begins before is too early for what may come late */
    uint64_t pause_ms; /* boot: nothing before; a failure was just met */
    uint32_t tries;    /* of the page under way */
    char user_id[CORE_SLACK_ID_SIZE_MAX + 1];
    char bot_id[CORE_SLACK_ID_SIZE_MAX + 1];
    char copy_channel[CORE_SLACK_ID_SIZE_MAX + 1];
    char copy_ts[SLACK_TS_SIZE_MAX + 1];
    struct cardsweep_found now;
    struct cardsweep_found done;
    uint64_t finished_ms;
    struct metric *sweeps;
    struct metric *repaired;
    struct metric *copies;
    struct metric *unseen;
    struct metric *stuck;
};

/* Looks at what to do next, delay_ms from now. */
void cardsweep_wake(struct cardsweep *sweep, uint64_t delay_ms);
/* An answer is worked up; failed: not before a pause of so long. 0: at once. */
void cardsweep_go_on(struct cardsweep *sweep, uint64_t pause_ms);

/* Questions. Each sets busy, and its answer goes on. */
void cardsweep_ask_identity(struct cardsweep *sweep);
void cardsweep_ask_cards(struct cardsweep *sweep);
void cardsweep_ask_page(struct cardsweep *sweep, const struct cardcheck_page *page);
void cardsweep_settle(struct cardsweep *sweep, const struct service_card_item *items, size_t count);

#endif
