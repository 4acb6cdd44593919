/* SPDX-License-Identifier: Apache-2.0 */
/* sender_bench.h: a sender between a fake Slack (fake_fetch), a fake store (fake_outbox) and a
 * clock that the test sets. */
#ifndef TESTS_UNIT_SENDER_BENCH_H
#define TESTS_UNIT_SENDER_BENCH_H

#include "approvald/slack/outbound/sender.h"
#include "tests/unit/fake_clock.h"
#include "tests/unit/fake_fetch.h"
#include "tests/unit/fake_outbox.h"

struct event_base;
struct metrics;
struct webapi;

#define CHANNEL "C0APV00001"
#define NOW_MS  UINT64_C(1764752400000)
#define POSTED                                                                                     \
    "{\"ok\":true,\"channel\":\"" CHANNEL "\",\"ts\":\"1764752400.118349\",\"message\":{}}"
#define OK_TRUE "{\"ok\":true}"

struct bench {
    struct fake_time now;
    struct clock clock;
    struct event_base *base;
    struct metrics *metrics;
    struct webapi *webapi;
    struct sender *sender;
    struct service *service;
    enum outbox_result webhook_result; /* of every webhook delivery */
    unsigned webhook_count;
    delivery_done_fn *webhook_done; /* of the one under way */
    void *webhook_arg;
    uint32_t webhook_item;
};

/* Everything that can happen without more time or an answer happens. */
void bench_rush(struct bench *bench);
/* The same, and then so much time is over that the next change is looked at at once. */
void bench_turn(struct bench *bench);
/* Time passes; both queues look again. */
void bench_pass(struct bench *bench, uint64_t ms);
/* A started sender that knows who it is. */
void bench_setup(struct bench *bench);
/* The same; after an outage it waits to be told what is wrong. */
void bench_setup_comparing(struct bench *bench);
void bench_teardown(struct bench *bench);
/* How many calls of a method were made. */
size_t bench_calls(const char *method);
/* The last call of a method says this. */
bool bench_last_says(const char *method, const char *part);
/* The row of the card of request 0. */
const struct outbox_row *bench_card(void);
/* Answers the oldest open call of the method: with a body, a status (and Retry-After), Slack's
 * word. */
void bench_answer(struct bench *bench, const char *method, const char *body);
void bench_answer_status(struct bench *bench,
                         const char *method,
                         uint32_t status,
                         const char *wait);
void bench_refuse(struct bench *bench, const char *method, const char *word);
/* A card that is posted. */
void bench_post_card(struct bench *bench);
/* A new bench with such a card whose second revision is about to be sent. */
void bench_setup_changed(struct bench *bench);
/* A history with one message; bot is who wrote it. */
const char *bench_history(const char *bot, const char *surface);

#endif
