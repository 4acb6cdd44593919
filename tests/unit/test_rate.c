/* SPDX-License-Identifier: Apache-2.0 */
/* test_rate.c: proves approvald/slack/wire/rate and the index under it (lru).
 * Owns nothing but its cases; never reads a clock, the time is a number. */
#include "approvald/slack/limits.h"
#include "approvald/slack/wire/lru.h"
#include "approvald/slack/wire/rate.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define C1 SPAN_LITERAL("C0APV00001")
#define C2 SPAN_LITERAL("C0APV00002")

static struct rate *new_rate(uint64_t now_ms)
{
    struct rate *rate = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(rate_new(now_ms, &rate, &err), ERR_OK);
    return rate;
}

static void a_burst_is_followed_by_the_tiers_pace(void)
{
    struct rate *rate = new_rate(1000);
    uint64_t now_ms = 1000;
    uint64_t ready_ms;

    for (int i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_USERGROUPS_USERS_LIST, SPAN_NONE, now_ms), 0);
    }
    ready_ms = rate_take(rate, WEBAPI_USERGROUPS_USERS_LIST, SPAN_NONE, now_ms);
    CU_ASSERT_EQUAL(ready_ms, now_ms + 3000); /* 20 a minute */
    CU_ASSERT(rate_take(rate, WEBAPI_USERGROUPS_USERS_LIST, SPAN_NONE, ready_ms - 1) > 0);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_USERGROUPS_USERS_LIST, SPAN_NONE, ready_ms), 0);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_USERS_INFO, SPAN_NONE, now_ms), 0);
    rate_free(rate);
}

static void posts_to_one_channel_are_a_second_apart(void)
{
    struct rate *rate = new_rate(0);
    uint64_t now_ms = 5;
    uint64_t ready_ms;

    for (int i = 0; i < SLACK_CHANNEL_BURST; i++) {
        CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_POST_MESSAGE, C1, now_ms), 0);
    }
    ready_ms = rate_take(rate, WEBAPI_CHAT_POST_MESSAGE, C1, now_ms);
    CU_ASSERT_EQUAL(ready_ms, now_ms + SLACK_CHANNEL_SPACING_MS);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_POST_MESSAGE, C2, now_ms), 0);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_UPDATE, C1, now_ms), 0);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_POST_MESSAGE, C1, ready_ms), 0);
    rate_free(rate);
}

static void a_limit_of_one_channel_leaves_the_others_alone(void)
{
    struct rate *rate = new_rate(0);

    rate_limited(rate, WEBAPI_CHAT_POST_MESSAGE, C1, 100, 30000);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_POST_MESSAGE, C1, 100), 30100);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_POST_MESSAGE, C2, 100), 0);
    /* A second channel says that the workspace was meant. */
    rate_limited(rate, WEBAPI_CHAT_POST_MESSAGE, C2, 200, 10000);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_POST_MESSAGE, SPAN_LITERAL("C0APV00003"), 300),
                    10200);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_UPDATE, SPAN_NONE, 300), 0);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_POST_MESSAGE, C1, 30100), 0);
    rate_free(rate);
}

static void a_limit_of_a_method_without_channel_pauses_the_method(void)
{
    struct rate *rate = new_rate(0);

    rate_limited(rate, WEBAPI_USERS_INFO, SPAN_NONE, 50, 1000);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_USERS_INFO, SPAN_NONE, 60), 1050);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_USERS_INFO, SPAN_NONE, 1050), 0);
    rate_free(rate);
}

/* Slack counts what another host sent before this one took over, too. */
static void who_was_limited_has_no_burst_left(void)
{
    struct rate *rate = new_rate(0);

    rate_limited(rate, WEBAPI_CHAT_UPDATE, SPAN_NONE, 100, 1000);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_UPDATE, SPAN_NONE, 1100), 1300);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_UPDATE, SPAN_NONE, 1300), 0);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_UPDATE, SPAN_NONE, 1300), 2500);
    rate_limited(rate, WEBAPI_CHAT_POST_MESSAGE, C1, 2000, 1000);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_POST_MESSAGE, C1, 3000), 0);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_POST_MESSAGE, C1, 3000), 4000);
    CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_POST_MESSAGE, C2, 3000), 0);
    rate_free(rate);
}

static void a_call_is_ready_behind_others_when_there_is_one_more(void)
{
    struct rate *rate = new_rate(0);
    uint64_t ready_ms = 0;

    for (uint32_t i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(rate_ready_ms(rate, WEBAPI_CHAT_UPDATE, SPAN_NONE, 19 - i, 0), 0);
        CU_ASSERT_EQUAL(rate_ready_ms(rate, WEBAPI_CHAT_UPDATE, SPAN_NONE, 20 - i, 0), 1200);
        CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_UPDATE, SPAN_NONE, 0), 0);
    }
    ready_ms = rate_take(rate, WEBAPI_CHAT_UPDATE, SPAN_NONE, 0);
    CU_ASSERT_EQUAL(rate_ready_ms(rate, WEBAPI_CHAT_UPDATE, SPAN_NONE, 0, ready_ms - 1), ready_ms);
    CU_ASSERT_EQUAL(rate_ready_ms(rate, WEBAPI_CHAT_UPDATE, SPAN_NONE, 0, ready_ms), 0);
    CU_ASSERT_EQUAL(rate_ready_ms(rate, WEBAPI_CHAT_UPDATE, SPAN_NONE, 1, ready_ms),
                    ready_ms + 1200);
    CU_ASSERT_EQUAL(rate_ready_ms(rate, WEBAPI_CHAT_POST_MESSAGE, SPAN_NONE, 0, 0), 0);
    rate_free(rate);
}

/* Asking takes nothing; the channel's own pace counts, too. */
static void a_post_is_ready_when_its_channel_takes_one(void)
{
    struct rate *rate = new_rate(0);

    for (int i = 0; i < SLACK_CHANNEL_BURST; i++) {
        CU_ASSERT_EQUAL(rate_ready_ms(rate, WEBAPI_CHAT_POST_MESSAGE, C1, 3, 0), 0);
        CU_ASSERT_EQUAL(rate_take(rate, WEBAPI_CHAT_POST_MESSAGE, C1, 0), 0);
    }
    CU_ASSERT_EQUAL(rate_ready_ms(rate, WEBAPI_CHAT_POST_MESSAGE, C1, 0, 0),
                    SLACK_CHANNEL_SPACING_MS);
    CU_ASSERT_EQUAL(rate_ready_ms(rate, WEBAPI_CHAT_POST_MESSAGE, C2, 0, 0), 0);
    CU_ASSERT_EQUAL(rate_ready_ms(rate, WEBAPI_CHAT_POST_MESSAGE, SPAN_NONE, 0, 0), 0);
    rate_free(rate);
}

static void the_least_recently_used_id_gives_way(void)
{
    struct lru *lru = NULL;
    struct err err = ERR_INIT;
    bool fresh = false;

    CU_ASSERT_EQUAL_FATAL(lru_new(3, &lru, &err), ERR_OK);
    CU_ASSERT_EQUAL(lru_take(lru, SPAN_LITERAL("U1"), &fresh), 0);
    CU_ASSERT(fresh);
    CU_ASSERT_EQUAL(lru_take(lru, SPAN_LITERAL("U2"), &fresh), 1);
    CU_ASSERT_EQUAL(lru_take(lru, SPAN_LITERAL("U3"), &fresh), 2);
    CU_ASSERT_EQUAL(lru_find(lru, SPAN_LITERAL("U1")), 0);
    CU_ASSERT_EQUAL(lru_take(lru, SPAN_LITERAL("U4"), &fresh), 1);
    CU_ASSERT(fresh);
    CU_ASSERT_EQUAL(lru_find(lru, SPAN_LITERAL("U2")), LRU_NONE);
    CU_ASSERT_EQUAL(lru_take(lru, SPAN_LITERAL("U1"), &fresh), 0);
    CU_ASSERT_FALSE(fresh);
    CU_ASSERT_EQUAL(lru_take(lru, SPAN_NONE, &fresh), LRU_NONE);
    CU_ASSERT_EQUAL(
        lru_take(lru, SPAN_LITERAL("U1234567890123456789012345678901234567890"), &fresh), LRU_NONE);
    for (unsigned int i = 0; i < 1000; i++) {
        char id[16];
        uint32_t slot;

        (void)snprintf(id, sizeof id, "U%u", i % 7); /* fits */
        slot = lru_take(lru, span_text(id), &fresh);
        CU_ASSERT(slot < 3);
        CU_ASSERT(span_is(lru_key(lru, slot), id));
    }
    CU_ASSERT_EQUAL(lru_count(lru), 3);
    lru_free(lru);
}

UNIT_MAIN("rate",
          {"a burst is followed by the tier's pace", a_burst_is_followed_by_the_tiers_pace},
          {"posts to one channel are a second apart", posts_to_one_channel_are_a_second_apart},
          {"a limit of one channel leaves the others alone",
           a_limit_of_one_channel_leaves_the_others_alone},
          {"a limit of a method without channel pauses the method",
           a_limit_of_a_method_without_channel_pauses_the_method},
          {"who was limited has no burst left", who_was_limited_has_no_burst_left},
          {"a call is ready behind others when there is one more",
           a_call_is_ready_behind_others_when_there_is_one_more},
          {"a post is ready when its channel takes one",
           a_post_is_ready_when_its_channel_takes_one},
          {"the least recently used id gives way", the_least_recently_used_id_gives_way})
