/* SPDX-License-Identifier: Apache-2.0 */
/* test_breaker.c: proves approvald/slack/wire/breaker: what is an outage, how seldom a Slack that
 * is down is asked, and by random lives the invariants of its header. Owns nothing but its cases;
 * never reads a clock, the time is a number. A life that fails prints its seed. */
#include "approvald/slack/wire/breaker.h"
#include "tests/unit/unit.h"

#include <stdio.h>

#define NOW UINT64_C(5000)

static bool end(struct breaker *breaker, bool bad, uint64_t now_ms)
{
    return breaker_end(breaker, &(struct breaker_result){.bad = bad}, now_ms);
}

static bool probe(struct breaker *breaker, bool bad, uint64_t now_ms)
{
    CU_ASSERT_EQUAL(breaker_ready_ms(breaker, now_ms), 0);
    CU_ASSERT(breaker_begin(breaker));
    return breaker_end(breaker, &(struct breaker_result){.probe = true, .bad = bad}, now_ms);
}

static void open_it(struct breaker *breaker, uint64_t now_ms)
{
    for (uint32_t i = 0; i < SLACK_BREAKER_FAILURE_COUNT; i++) {
        CU_ASSERT_EQUAL(breaker->state, BREAKER_CLOSED);
        CU_ASSERT_EQUAL(end(breaker, true, now_ms), i + 1 == SLACK_BREAKER_FAILURE_COUNT);
    }
    CU_ASSERT_EQUAL(breaker->state, BREAKER_OPEN);
}

static void bad_calls_in_a_row_open_it(void)
{
    struct breaker breaker;

    breaker_init(&breaker);
    CU_ASSERT_EQUAL(breaker_ready_ms(&breaker, NOW), 0);
    CU_ASSERT_FALSE(breaker_begin(&breaker));
    for (uint32_t i = 0; i + 1 < SLACK_BREAKER_FAILURE_COUNT; i++) {
        CU_ASSERT_FALSE(end(&breaker, true, NOW));
    }
    CU_ASSERT_FALSE(end(&breaker, false, NOW)); /* a good one between them */
    open_it(&breaker, NOW);
    CU_ASSERT_EQUAL(breaker.since_ms, NOW);
    CU_ASSERT_EQUAL(breaker.outage_count, 1);
    CU_ASSERT_EQUAL(breaker_ready_ms(&breaker, NOW), NOW + SLACK_BREAKER_MS_MIN / 2);
}

static void a_slack_that_limps_is_down_too(void)
{
    struct breaker breaker;
    uint32_t count = 0;

    breaker_init(&breaker);
    while (breaker.state == BREAKER_CLOSED && count < 100) {
        (void)end(&breaker, count % 2 == 0, NOW);
        count++;
    }
    CU_ASSERT(breaker.state == BREAKER_OPEN && count >= SLACK_BREAKER_WINDOW_COUNT);
    breaker_init(&breaker);
    for (uint32_t i = 0; i < 1000; i++) {
        (void)end(&breaker, i % 3 == 0, NOW); /* a third of them is a bad day, no outage */
    }
    CU_ASSERT_EQUAL(breaker.state, BREAKER_CLOSED);
}

static void open_it_lets_one_probe_through_and_asks_more_and_more_seldom(void)
{
    struct breaker breaker;
    uint64_t now_ms = NOW;
    uint64_t last_ms = 0;

    breaker_init(&breaker);
    open_it(&breaker, now_ms);
    for (int i = 0; i < 40; i++) {
        uint64_t ready_ms = breaker_ready_ms(&breaker, now_ms);

        CU_ASSERT(ready_ms - now_ms >= last_ms);
        CU_ASSERT(ready_ms - now_ms <= SLACK_BREAKER_MS_MAX);
        last_ms = ready_ms - now_ms;
        now_ms = ready_ms;
        CU_ASSERT_EQUAL(breaker_ready_ms(&breaker, now_ms - 1), now_ms);
        CU_ASSERT(breaker_begin(&breaker));
        CU_ASSERT_EQUAL(breaker_ready_ms(&breaker, now_ms + 1000000), UINT64_MAX);
        CU_ASSERT_FALSE(end(&breaker, false, now_ms)); /* it began before the outage */
        CU_ASSERT_FALSE(
            breaker_end(&breaker, &(struct breaker_result){.probe = true, .bad = true}, now_ms));
    }
    CU_ASSERT_EQUAL(last_ms, SLACK_BREAKER_MS_MAX / 2);
    now_ms = breaker_ready_ms(&breaker, now_ms);
    CU_ASSERT(probe(&breaker, false, now_ms));
    CU_ASSERT(breaker.state == BREAKER_CLOSED && breaker.since_ms == 0);
    CU_ASSERT_EQUAL(breaker_ready_ms(&breaker, now_ms), 0);
}

static void what_comes_and_goes_is_not_asked_from_the_start(void)
{
    struct breaker breaker;
    uint64_t now_ms = NOW;
    uint64_t first_ms;

    breaker_init(&breaker);
    open_it(&breaker, now_ms);
    first_ms = breaker_ready_ms(&breaker, now_ms) - now_ms;
    now_ms += first_ms;
    CU_ASSERT(probe(&breaker, false, now_ms));
    now_ms += SLACK_BREAKER_STABLE_MS - 1;
    open_it(&breaker, now_ms);
    CU_ASSERT_EQUAL(breaker_ready_ms(&breaker, now_ms) - now_ms, first_ms * 2);
    now_ms = breaker_ready_ms(&breaker, now_ms);
    CU_ASSERT(probe(&breaker, false, now_ms));
    now_ms += SLACK_BREAKER_STABLE_MS;
    open_it(&breaker, now_ms);
    CU_ASSERT_EQUAL(breaker_ready_ms(&breaker, now_ms) - now_ms, first_ms);
    CU_ASSERT_EQUAL(breaker.outage_count, 3);
}

static void a_probe_that_is_given_up_leaves_room_for_another(void)
{
    struct breaker breaker;
    uint64_t now_ms = NOW;

    breaker_init(&breaker);
    open_it(&breaker, now_ms);
    now_ms = breaker_ready_ms(&breaker, now_ms);
    CU_ASSERT(breaker_begin(&breaker));
    breaker_forget(&breaker);
    CU_ASSERT(probe(&breaker, false, now_ms));
    breaker_forget(&breaker);
    CU_ASSERT_EQUAL(breaker.state, BREAKER_CLOSED);
}

static uint32_t draw(uint64_t *seed, uint32_t below)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % below;
}

/* Calls begin whenever they may and end in any order; a Slack that is up in the end is found. */
static void live(uint64_t seed)
{
    struct breaker breaker;
    uint64_t now_ms = 1 + draw(&seed, 100000);
    uint32_t running = 0; /* calls begun while it was closed, whenever they end */
    bool probing = false;

    breaker_init(&breaker);
    for (int i = 0; i < 400; i++) {
        bool up = i >= 300 || draw(&seed, 3) == 0;
        struct breaker_result result = {.bad = !up, .draw = draw(&seed, UINT32_MAX)};

        now_ms += i >= 300 ? SLACK_BREAKER_MS_MAX : draw(&seed, 4000);
        if (running < 8 && breaker_ready_ms(&breaker, now_ms) == 0) {
            bool is_probe = breaker_begin(&breaker);

            CU_ASSERT_EQUAL(is_probe, breaker.state != BREAKER_CLOSED);
            CU_ASSERT_FALSE(is_probe && probing);
            probing = probing || is_probe;
            running += !is_probe;
        }
        result.probe = probing && (running == 0 || draw(&seed, 2) == 0);
        if (result.probe && draw(&seed, 10) == 0) {
            breaker_forget(&breaker);
            probing = false;
        } else if (result.probe || running > 0) {
            bool changed = breaker_end(&breaker, &result, now_ms);

            CU_ASSERT_FALSE(changed && result.bad != (breaker.state == BREAKER_OPEN));
            running -= !result.probe;
            probing = probing && !result.probe;
        }
        CU_ASSERT(breaker_invariant(&breaker));
    }
    CU_ASSERT_EQUAL(breaker.state, BREAKER_CLOSED);
}

static void whatever_happens_its_invariants_hold_and_an_end_is_found(void)
{
    for (uint64_t seed = 1; seed <= 2000 && CU_get_number_of_failures() == 0; seed++) {
        live(seed);
        if (CU_get_number_of_failures() > 0) {
            (void)printf("seed %llu\n", (unsigned long long)seed);
        }
    }
}

UNIT_MAIN("breaker",
          {"bad calls in a row open it", bad_calls_in_a_row_open_it},
          {"a Slack that limps is down too", a_slack_that_limps_is_down_too},
          {"open, it lets one probe through and asks more and more seldom",
           open_it_lets_one_probe_through_and_asks_more_and_more_seldom},
          {"what comes and goes is not asked from the start",
           what_comes_and_goes_is_not_asked_from_the_start},
          {"a probe that is given up leaves room for another",
           a_probe_that_is_given_up_leaves_room_for_another},
          {"whatever happens, its invariants hold and an end is found",
           whatever_happens_its_invariants_hold_and_an_end_is_found})
