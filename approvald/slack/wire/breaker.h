/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.h: is Slack down? A circuit breaker over the calls of one Slack. Pure: the time and the
 * random draw are passed in; times are milliseconds of one monotonic clock.
 *
 * Bad is a call that got no usable answer (no connection, a time-out, 5xx, a proxy's page) or one
 * that took SLACK_BREAKER_SLOW_MS. What Slack refuses or limits (4xx, 429) is an answer: it is up.
 * It opens after SLACK_BREAKER_FAILURE_COUNT bad calls in a row, or when half of the last
 * SLACK_BREAKER_WINDOW_COUNT were bad. Open, nothing is called until a pause is over; then one call
 * at a time probes, and a bad one doubles the pause. A good probe closes it. If it opens again
 * within SLACK_BREAKER_STABLE_MS, the pauses go on where they were: a Slack that comes and goes is
 * not asked ever again from the start.
 *
 * Invariants: closed, every call may go; else at most one is under way that began since; the state
 * is closed exactly when since_ms is 0. */
#ifndef APPROVALD_SLACK_WIRE_BREAKER_H
#define APPROVALD_SLACK_WIRE_BREAKER_H

#include "approvald/slack/limits.h"

#include <stdbool.h>
#include <stdint.h>

enum breaker_state {
    BREAKER_CLOSED,
    BREAKER_HALF_OPEN, /* a probe is under way */
    BREAKER_OPEN,
};

struct breaker {
    enum breaker_state state;
    bool bad[SLACK_BREAKER_WINDOW_COUNT]; /* results since it closed, a ring */
    uint32_t result_count;                /* in it */
    uint32_t result_next;
    uint32_t row_count; /* bad ones in a row */
    uint32_t doublings; /* of the pause */
    uint64_t since_ms;  /* it is not closed since; 0: it is */
    uint64_t closed_ms; /* when it closed last; 0: it never was open */
    uint64_t probe_ms;  /* open: no probe before */
    uint64_t outage_count;
};

/* Closed. */
void breaker_init(struct breaker *breaker);
/* 0: a call may go now; UINT64_MAX: not before a probe has ended; else when to ask again. */
uint64_t breaker_ready_ms(const struct breaker *breaker, uint64_t now_ms);
/* A call begins that breaker_ready_ms allowed. True: it is the probe; say so at its end. */
bool breaker_begin(struct breaker *breaker);
/* How a call ended. Only the probe's result counts while the breaker is not closed: others began
 * before. draw is random, for jitter. True: it opened or closed. */
struct breaker_result {
    bool probe;
    bool bad;
    uint32_t draw;
};
bool breaker_end(struct breaker *breaker, const struct breaker_result *result, uint64_t now_ms);
/* A probe was given up for reasons of ours: nothing is known, another may go. */
void breaker_forget(struct breaker *breaker);

bool breaker_invariant(const struct breaker *breaker);

#endif
