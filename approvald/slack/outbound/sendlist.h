/* SPDX-License-Identifier: Apache-2.0 */
/* sendlist.h: keeps the sender's plan true to the store: the rows of requests that have changed are
 * looked at, and all owed rows are scanned at the start, from time to time, and when changes were
 * too many to be remembered. One question to the store at a time; changes go before the scan.
 *
 * Both stand in the writer's queue with the presses, so they come in groups: changes right behind
 * others gather for SLACK_SEND_GATHER_MS, and a scan behind a long backlog pauses between its pages
 * while the plan has enough at hand. On the loop; never blocks. */
#ifndef APPROVALD_SLACK_OUTBOUND_SENDLIST_H
#define APPROVALD_SLACK_OUTBOUND_SENDLIST_H

#include "approvald/service/service.h"
#include "approvald/slack/limits.h"

#include <stdbool.h>
#include <stdint.h>

struct clock;
struct sendplan;

struct sendlist_options {
    struct service *service; /* borrowed, as all that follows */
    const struct clock *clock;
    struct sendplan *plan;     /* is given what is found */
    bool people;               /* it can be found out who gets copies */
    bool slack;                /* rows of Slack can be sent */
    bool webhook;              /* those of webhooks can */
    void (*listed)(void *arg); /* the plan may have changed; never from inside a call of ours */
    void *arg;
};

/* Embedded in the sender; its fields are sendlist.c's own. */
struct sendlist {
    struct sendlist_options options;
    struct request_id dirty[SLACK_SEND_DIRTY_COUNT_MAX];
    uint32_t dirty_count;
    struct request_id looked[SERVICE_LOOK_COUNT_MAX]; /* whose rows are being listed */
    uint32_t looked_count;
    struct service_row_key after;
    bool listing; /* a question is under way */
    bool scan_wanted;
    bool scanning;    /* between the first and the last page */
    bool scan_on;     /* after holds the key to go on from */
    bool overflow;    /* rows are owed that the plan had no place for */
    uint64_t scan_ms; /* boot: when the next scan is due */
    uint64_t page_ms; /* boot: no page of the scan before, while what is at hand lasts */
    uint64_t list_ms; /* boot: no question before, the service had no room */
    uint64_t look_ms; /* boot: changes are not looked at before, they gather */
};

void sendlist_init(struct sendlist *list, const struct sendlist_options *options);
/* The request has changed. */
void sendlist_mark(struct sendlist *list, const struct request_id *id);
/* What is marked does not gather any longer. */
void sendlist_hurry(struct sendlist *list);
/* All rows are to be scanned. */
void sendlist_scan(struct sendlist *list);
/* Asks what is to be asked now, if anything is. */
void sendlist_next(struct sendlist *list);
/* When sendlist_next has something to ask, boot ms; UINT64_MAX: an answer comes first. */
uint64_t sendlist_due_ms(const struct sendlist *list);
/* When changes may be looked at, boot ms; in the past: now. */
uint64_t sendlist_look_ms(const struct sendlist *list);
/* The plan knows of all changes that were marked. */
bool sendlist_is_clean(const struct sendlist *list);
/* A question is under way. */
bool sendlist_is_busy(const struct sendlist *list);

#endif
