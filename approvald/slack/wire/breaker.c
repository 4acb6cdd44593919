/* SPDX-License-Identifier: Apache-2.0 */
/* breaker.c: is Slack down?
 * Owns what counts as an outage, the pauses between probes and their growth.
 * Never reads a clock, never draws a random number, never calls anything. */
#include "approvald/slack/wire/breaker.h"

#include "base/assert.h"

#include <string.h>

#define DOUBLINGS_MAX 16 /* the longest pause is reached long before */

void breaker_init(struct breaker *breaker)
{
    memset(breaker, 0, sizeof *breaker);
    ASSERT(breaker_invariant(breaker));
}

bool breaker_invariant(const struct breaker *breaker)
{
    if (breaker->result_count > SLACK_BREAKER_WINDOW_COUNT ||
        breaker->result_next >= SLACK_BREAKER_WINDOW_COUNT ||
        breaker->row_count > SLACK_BREAKER_FAILURE_COUNT || breaker->doublings > DOUBLINGS_MAX) {
        return false;
    }
    return (breaker->state == BREAKER_CLOSED) == (breaker->since_ms == 0);
}

uint64_t breaker_ready_ms(const struct breaker *breaker, uint64_t now_ms)
{
    switch (breaker->state) {
    case BREAKER_CLOSED:
        return 0;
    case BREAKER_HALF_OPEN:
        return UINT64_MAX;
    case BREAKER_OPEN:
        break;
    }
    return breaker->probe_ms <= now_ms ? 0 : breaker->probe_ms;
}

bool breaker_begin(struct breaker *breaker)
{
    ASSERT(breaker->state != BREAKER_HALF_OPEN);
    if (breaker->state == BREAKER_CLOSED) {
        return false;
    }
    breaker->state = BREAKER_HALF_OPEN;
    return true;
}

/* Half of it is jitter, so that many hosts do not come back together. */
static uint64_t pause_of(const struct breaker *breaker, uint32_t draw)
{
    uint64_t pause_ms = (uint64_t)SLACK_BREAKER_MS_MIN << breaker->doublings;

    if (pause_ms > SLACK_BREAKER_MS_MAX) {
        pause_ms = SLACK_BREAKER_MS_MAX;
    }
    return pause_ms / 2 + draw % (pause_ms / 2 + 1);
}

static void pause_longer(struct breaker *breaker)
{
    breaker->doublings += breaker->doublings < DOUBLINGS_MAX ? 1 : 0;
}

static void open_up(struct breaker *breaker, uint32_t draw, uint64_t now_ms)
{
    bool again = breaker->closed_ms > 0 && now_ms < breaker->closed_ms + SLACK_BREAKER_STABLE_MS;

    if (again) {
        pause_longer(breaker);
    } else {
        breaker->doublings = 0;
    }
    breaker->state = BREAKER_OPEN;
    breaker->since_ms = now_ms > 0 ? now_ms : 1;
    breaker->probe_ms = now_ms + pause_of(breaker, draw);
    breaker->outage_count++;
}

static void close_down(struct breaker *breaker, uint64_t now_ms)
{
    breaker->state = BREAKER_CLOSED;
    breaker->since_ms = 0;
    breaker->closed_ms = now_ms > 0 ? now_ms : 1;
    breaker->result_count = 0;
    breaker->result_next = 0;
    breaker->row_count = 0;
}

static void note(struct breaker *breaker, bool bad)
{
    breaker->bad[breaker->result_next] = bad;
    breaker->result_next = (breaker->result_next + 1) % SLACK_BREAKER_WINDOW_COUNT;
    breaker->result_count += breaker->result_count < SLACK_BREAKER_WINDOW_COUNT ? 1 : 0;
    breaker->row_count = bad ? breaker->row_count + 1 : 0;
}

static bool is_outage(const struct breaker *breaker)
{
    uint32_t bad_count = 0;

    if (breaker->row_count >= SLACK_BREAKER_FAILURE_COUNT) {
        return true;
    }
    for (uint32_t i = 0; i < breaker->result_count; i++) {
        bad_count += breaker->bad[i];
    }
    return breaker->result_count == SLACK_BREAKER_WINDOW_COUNT &&
           bad_count * 2 >= SLACK_BREAKER_WINDOW_COUNT;
}

static bool end_probe(struct breaker *breaker, const struct breaker_result *result, uint64_t now_ms)
{
    ASSERT(breaker->state == BREAKER_HALF_OPEN);
    if (!result->bad) {
        close_down(breaker, now_ms);
        return true;
    }
    pause_longer(breaker);
    breaker->state = BREAKER_OPEN;
    breaker->probe_ms = now_ms + pause_of(breaker, result->draw);
    return false;
}

bool breaker_end(struct breaker *breaker, const struct breaker_result *result, uint64_t now_ms)
{
    bool changed = false;

    if (result->probe) {
        changed = end_probe(breaker, result, now_ms);
    } else if (breaker->state == BREAKER_CLOSED) {
        note(breaker, result->bad);
        changed = result->bad && is_outage(breaker);
        if (changed) {
            open_up(breaker, result->draw, now_ms);
        }
    }
    ASSERT(breaker_invariant(breaker));
    return changed;
}

void breaker_forget(struct breaker *breaker)
{
    if (breaker->state == BREAKER_HALF_OPEN) {
        breaker->state = BREAKER_OPEN;
    }
}
