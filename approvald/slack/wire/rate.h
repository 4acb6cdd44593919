/* SPDX-License-Identifier: Apache-2.0 */
/* rate.h: when may a call to Slack be sent? Pure: the time and the random draw are passed in.
 *
 * A token bucket per method (Slack's tiers), one per channel for posts, and pauses after a 429.
 * Whether Slack can be reached at all is breaker.h's. Times are milliseconds of one monotonic
 * clock. */
#ifndef APPROVALD_SLACK_WIRE_RATE_H
#define APPROVALD_SLACK_WIRE_RATE_H

#include "approvald/slack/wire/webapi.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct rate;

enum err_code rate_new(uint64_t now_ms, struct rate **ret_rate, struct err *err) WARN_UNUSED;
void rate_free(struct rate *rate); /* NULL is allowed */

/* 0: send it now; its place is taken. Else the time at which to ask again, later than now_ms.
 * channel may be empty. */
uint64_t
rate_take(struct rate *rate, enum webapi_method method, struct span channel, uint64_t now_ms);
/* Slack answered 429: pauses the channel; a second channel of the same method pauses the method.
 * What was paused has no burst left then. */
void rate_limited(struct rate *rate,
                  enum webapi_method method,
                  struct span channel,
                  uint64_t now_ms,
                  uint32_t pause_ms);
/* 0: a call behind ahead_count others of its method, in other channels, could be sent now. Else
 * when, later than now_ms. Takes nothing. */
uint64_t rate_ready_ms(struct rate *rate,
                       enum webapi_method method,
                       struct span channel,
                       uint32_t ahead_count,
                       uint64_t now_ms);

/* Is the whole burst of the method there, and no pause? */
bool rate_is_whole(struct rate *rate, enum webapi_method method, uint64_t now_ms);

#endif
