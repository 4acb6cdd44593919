/* SPDX-License-Identifier: Apache-2.0 */
/* rate.c: token buckets and pauses of the Web API client.
 * Owns all of "not yet"; buckets count thousandths of a call so that slow rates stay exact.
 * Never reads a clock, never draws a random number, never knows a queue. */
#include "approvald/slack/wire/rate.h"

#include "approvald/slack/limits.h"
#include "approvald/slack/wire/lru.h"
#include "base/assert.h"
#include "base/mem.h"

#define RATE_CALL 60000ULL /* units of one call: at n calls a minute n units come a millisecond */

struct rate_bucket {
    uint64_t units;
    uint64_t at_ms;         /* when units was computed */
    uint64_t not_before_ms; /* a pause Slack asked for */
};

struct rate_limit {
    uint32_t per_minute;
    uint32_t burst;
};

struct rate {
    struct rate_bucket methods[WEBAPI_METHOD_COUNT];
    uint64_t limited_until_ms[WEBAPI_METHOD_COUNT]; /* some channel of it is paused until */
    struct lru *channel_index;                      /* owned */
    struct rate_bucket *channels;                   /* owned, SLACK_CHANNEL_COUNT_MAX */
};

static const struct rate_limit method_limits[] = {
#define RATE_LIMIT(method, name, encoding, per_minute, burst) [method] = {(per_minute), (burst)},
    WEBAPI_METHOD_TABLE(RATE_LIMIT)
#undef RATE_LIMIT
};
static const struct rate_limit channel_limit = {60000 / SLACK_CHANNEL_SPACING_MS,
                                                SLACK_CHANNEL_BURST};

static void bucket_fill(struct rate_bucket *bucket, const struct rate_limit *limit, uint64_t now_ms)
{
    uint64_t full = (uint64_t)limit->burst * RATE_CALL;
    uint64_t passed_ms = now_ms > bucket->at_ms ? now_ms - bucket->at_ms : 0;
    uint64_t missing = full - bucket->units;

    ASSERT(bucket->units <= full);
    bucket->at_ms = now_ms;
    if (passed_ms >= missing / limit->per_minute + 1) {
        bucket->units = full;
    } else {
        bucket->units += passed_ms * limit->per_minute;
    }
}

/* Slack says that nothing is left, whatever we have counted: another host, or we before a restart,
 * have used it. Else each pause would be followed by a burst that is refused again. */
static void bucket_limit(struct rate_bucket *bucket, uint64_t now_ms, uint64_t until_ms)
{
    bucket->units = 0;
    bucket->at_ms = now_ms;
    bucket->not_before_ms = bucket->not_before_ms > until_ms ? bucket->not_before_ms : until_ms;
}

/* 0, or when the bucket holds a whole call behind so many others. */
static uint64_t bucket_ready_ms(struct rate_bucket *bucket,
                                const struct rate_limit *limit,
                                uint32_t ahead_count,
                                uint64_t now_ms)
{
    uint64_t wanted = (ahead_count + 1) * RATE_CALL;
    uint64_t ready_ms = 0;

    bucket_fill(bucket, limit, now_ms);
    if (bucket->units < wanted) {
        ready_ms = now_ms + (wanted - bucket->units + limit->per_minute - 1) / limit->per_minute;
    }
    if (bucket->not_before_ms > now_ms && bucket->not_before_ms > ready_ms) {
        ready_ms = bucket->not_before_ms;
    }
    return ready_ms;
}

enum err_code rate_new(uint64_t now_ms, struct rate **ret_rate, struct err *err)
{
    struct rate *rate = mem_new(1, sizeof *rate);
    enum err_code rc;

    if (rate == NULL) {
        return err_set(err, ERR_NOMEM, "rate limits");
    }
    rc = lru_new(SLACK_CHANNEL_COUNT_MAX, &rate->channel_index, err);
    rate->channels = mem_new(SLACK_CHANNEL_COUNT_MAX, sizeof *rate->channels);
    if (rc == ERR_OK && rate->channels == NULL) {
        rc = err_set(err, ERR_NOMEM, "rate limits");
    }
    if (rc != ERR_OK) {
        rate_free(rate);
        return rc;
    }
    for (size_t i = 0; i < WEBAPI_METHOD_COUNT; i++) {
        rate->methods[i].units = (uint64_t)method_limits[i].burst * RATE_CALL;
        rate->methods[i].at_ms = now_ms;
    }
    *ret_rate = rate;
    return ERR_OK;
}

void rate_free(struct rate *rate)
{
    if (rate != NULL) {
        lru_free(rate->channel_index);
        mem_free(rate->channels);
        mem_free(rate);
    }
}

/* NULL: the method has no spacing, or the id is none. */
static struct rate_bucket *
channel_of(struct rate *rate, enum webapi_method method, struct span channel, uint64_t now_ms)
{
    uint32_t slot;
    bool fresh = false;

    if (method != WEBAPI_CHAT_POST_MESSAGE) {
        return NULL;
    }
    slot = lru_take(rate->channel_index, channel, &fresh);
    if (slot == LRU_NONE) {
        return NULL;
    }
    if (fresh) {
        rate->channels[slot] =
            (struct rate_bucket){.units = SLACK_CHANNEL_BURST * RATE_CALL, .at_ms = now_ms};
    }
    return &rate->channels[slot];
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t rate_ready_ms(struct rate *rate,
                       enum webapi_method method,
                       struct span channel,
                       uint32_t ahead_count,
                       uint64_t now_ms)
{
    struct rate_bucket *of_channel = channel_of(rate, method, channel, now_ms);
    uint64_t ready_ms;

    ASSERT(method < WEBAPI_METHOD_COUNT);
    ready_ms = bucket_ready_ms(&rate->methods[method], &method_limits[method], ahead_count, now_ms);
    if (of_channel != NULL) {
        ready_ms = later(ready_ms, bucket_ready_ms(of_channel, &channel_limit, 0, now_ms));
    }
    ASSERT(ready_ms == 0 || ready_ms > now_ms);
    return ready_ms;
}

bool rate_is_whole(struct rate *rate, enum webapi_method method, uint64_t now_ms)
{
    return rate_ready_ms(rate, method, SPAN_NONE, method_limits[method].burst - 1, now_ms) == 0;
}

uint64_t
rate_take(struct rate *rate, enum webapi_method method, struct span channel, uint64_t now_ms)
{
    uint64_t ready_ms = rate_ready_ms(rate, method, channel, 0, now_ms);
    struct rate_bucket *of_channel;

    if (ready_ms > 0) {
        return ready_ms;
    }
    of_channel = channel_of(rate, method, channel, now_ms);
    rate->methods[method].units -= RATE_CALL;
    if (of_channel != NULL) {
        of_channel->units -= RATE_CALL;
    }
    return 0;
}

void rate_limited(struct rate *rate,
                  enum webapi_method method,
                  struct span channel,
                  uint64_t now_ms,
                  uint32_t pause_ms)
{
    struct rate_bucket *of_channel = channel_of(rate, method, channel, now_ms);
    uint64_t until_ms = now_ms + pause_ms;
    bool again = of_channel != NULL && of_channel->not_before_ms > now_ms;

    /* Slack does not say whether the channel or the workspace was meant. */
    if (of_channel == NULL || (rate->limited_until_ms[method] > now_ms && !again)) {
        bucket_limit(&rate->methods[method], now_ms, until_ms);
    }
    if (of_channel != NULL) {
        bucket_limit(of_channel, now_ms, until_ms);
        rate->limited_until_ms[method] = later(rate->limited_until_ms[method], until_ms);
    }
}
