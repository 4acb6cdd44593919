/* SPDX-License-Identifier: Apache-2.0 */
/* sender.h: works on what the outbox owes until nothing is owed.
 *
 * Level-triggered: it hears which requests changed, lists what they owe, and scans all owed rows at
 * the start, after it heard too much at once, and every SLACK_SEND_SCAN_MS. Each attempt is
 * recorded before the call (service_outbox_begin) and its result after (service_outbox_end). Memory
 * is bounded whatever is owed. Loop thread only, never blocks. */
#ifndef APPROVALD_SLACK_OUTBOUND_SENDER_H
#define APPROVALD_SLACK_OUTBOUND_SENDER_H

#include "approvald/service/delivery.h"

#include <stdbool.h>

struct clock;
struct event_base;
struct metrics;
struct policy;
struct sender;
struct webapi;

struct sender_options {
    struct event_base *base; /* borrowed, as all pointers here */
    struct service *service;
    struct webapi *webapi;      /* NULL: Slack is not set up; its rows stay owed */
    delivery_start_fn *webhook; /* NULL: webhooks stay owed */
    void *webhook_driver;
    /* Who gets copies is found out by: NULL: it stays owed. */
    delivery_start_fn *people;
    void *people_driver;
    struct metrics *metrics;
    const struct clock *clock; /* NULL: this host's */
    /* After an outage new cards wait for sender_compared, SLACK_SEND_HOLD_MS at most. */
    bool compares;
    const char *cluster; /* copied; name for the metadata of messages; NULL: none */
    /* Puts ids in the place of a policy's e-mail addresses; NULL: they stay. */
    void (*resolve)(void *arg, struct policy *policy);
    void *resolve_arg;
};

enum err_code sender_new(const struct sender_options *options,
                         struct sender **ret_sender,
                         struct err *err) WARN_UNUSED;
/* Free the webapi and the webhook driver before (they drop their calls), and close the storage
 * before (it answers what is under way). NULL is allowed. */
void sender_free(struct sender *sender);

/* This host may write: begins to send. Once; asks Slack who we are. */
void sender_start(struct sender *sender);
/* Begins nothing more; what is under way goes on. */
void sender_stop(struct sender *sender);
/* The cards of pending requests were compared with Slack, and what is wrong is owed again. */
void sender_compared(struct sender *sender);
/* Nothing is under way: after a stop, the process may end. What was owed stays owed. */
bool sender_is_idle(const struct sender *sender);

#endif
