/* SPDX-License-Identifier: Apache-2.0 */
/* webhook.h: tells configured destinations what happened to a request: signed, in order per request
 * and destination, repeated with the same delivery id until it is taken.
 *
 * POST, JSON: {"delivery", "event", "at", "user", "reason", "epoch", "request"}. request is the
 * newest state (its revision says how new), event is what this delivery is about. Headers:
 *   Approvald-Delivery: <delivery id>
 *   Approvald-Signature: t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.delivery id.body">
 * A receiver takes each delivery id once and refuses a t that is minutes off.
 *
 * 2xx: delivered. 410: dead. Other 4xx and redirects: repeated WEBHOOK_REFUSED_COUNT_MAX times,
 * then dead. 5xx, 408, 429 and no answer: repeated until the outbox gives up. Loop thread only. */
#ifndef APPROVALD_WEBHOOK_WEBHOOK_H
#define APPROVALD_WEBHOOK_WEBHOOK_H

#include "approvald/service/delivery.h"

#include <stdbool.h>

struct clock;
struct fetch;
struct metrics;
struct webhook;

struct webhook_destination {
    const char *name; /* as policies name it */
    const char *url;  /* https; with http outward a warning is logged */
    struct span secret;
    bool allow_inward; /* may lead to loopback, private and link-local addresses */
};

struct webhook_options {
    struct fetch *fetch; /* borrowed; freed after the webhook */
    struct metrics *metrics;
    const struct clock *clock;                      /* NULL: this host's */
    const struct webhook_destination *destinations; /* copied */
    size_t destination_count;
};

/* ERR_INVALID names the destination and what is wrong with it. */
enum err_code webhook_new(const struct webhook_options *options,
                          struct webhook **ret_webhook,
                          struct err *err) WARN_UNUSED;
/* Cancels what is under way without callbacks and wipes the secrets. NULL is allowed. */
void webhook_free(struct webhook *webhook);
/* Another host takes over: what is under way is answered at once, as unknown; it is repeated there
 * under the same delivery id. Later deliveries are ERR_UNAVAILABLE. */
void webhook_stop(struct webhook *webhook);
/* It does not after all. */
void webhook_go_on(struct webhook *webhook);
/* A reload: all or nothing. What is under way ends with the old ones. */
enum err_code webhook_set_destinations(struct webhook *webhook,
                                       const struct webhook_destination *destinations,
                                       size_t count,
                                       struct err *err) WARN_UNUSED;
/* The epoch that deliveries carry, so that a receiver can tell a primary from its predecessor. */
void webhook_set_epoch(struct webhook *webhook, uint64_t epoch);

/* A delivery_start_fn; driver is the struct webhook. ERR_NOT_FOUND: no such destination here;
 * ERR_DENIED: its address leads inward. */
delivery_start_fn webhook_start;

#endif
