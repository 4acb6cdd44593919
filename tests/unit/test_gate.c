/* SPDX-License-Identifier: Apache-2.0 */
/* test_gate.c: proves approvald/core/gate: windows of time by the clock on the wall, freezes, and
 * what both do to an approval.
 * Owns nothing but its cases. Never reads a file: the zone is made here. */
#include "approvald/core/gate.h"
#include "approvald/core/policy_windows.h"
#include "base/buf.h"
#include "base/tz.h"
#include "tests/unit/approval_time_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define MINUTE UINT64_C(60000)
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define WEEK   (7 * DAY)
/* Berlin's clocks: 2026-03-29 01:00 UTC, 02:00 becomes 03:00; 2026-10-25 01:00 UTC, 03:00 becomes
 * 02:00. Both are Sundays. */
#define SPRING UINT64_C(1774746000000)
#define AUTUMN UINT64_C(1792890000000)
#define MONDAY UINT64_C(1774828800000) /* 2026-03-30 00:00 UTC */

static struct tz *berlin(void)
{
    static const char first[] = "TZif2";
    char room[256] = "";
    struct tz *tz = NULL;
    size_t size = 0;

    for (int i = 0; i < 2; i++) {
        memcpy(room + size, first, sizeof first - 1);
        room[size + 39] = 1;
        room[size + 43] = 4;
        size += 44 + 6 + 4;
    }
    size += (size_t)snprintf(room + size, sizeof room - size, "\nCET-1CEST,M3.5.0,M10.5.0/3\n");
    CU_ASSERT_EQUAL_FATAL(tz_parse(span_of(room, size), &tz, NULL), ERR_OK);
    return tz;
}

static struct policy_windows window_of(const char *text)
{
    struct policy_windows windows = {.count = 1, .zone = SPAN_LITERAL("Europe/Berlin")};

    CU_ASSERT_EQUAL_FATAL(policy_window_parse(span_text(text), &windows.items[0], NULL), ERR_OK);
    return windows;
}

static void a_window_is_written_as_people_write_it(void)
{
    static const char *const good[] = {"mon-fri 09:00-17:00", "daily 00:00-24:00",
                                       "sat,sun 22:00-06:00", "mon,wed,fri-sun 00:01-00:02"};
    static const char *const bad[] = {"",
                                      "mon",
                                      "mon 9:00-17:00",
                                      "mon 09:00-17:00 ",
                                      "mon  09:00-17:00",
                                      "mon 09:00-09:00",
                                      "mon 24:00-01:00",
                                      "mon 09:00-24:01",
                                      "mon 09:60-10:00",
                                      "day 09:00-10:00",
                                      "mon- 09:00-10:00",
                                      "mon, 09:00-10:00",
                                      "Mon 09:00-10:00",
                                      "mon 09:00",
                                      "-mon 09:00-10:00"};
    struct policy_window window;

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        AUTO_BUF struct buf *buf = NULL;
        struct policy_windows one = window_of(good[i]);

        CU_ASSERT_EQUAL_FATAL(buf_new(128, &buf, NULL), ERR_OK);
        CU_ASSERT_EQUAL(policy_windows_format(&one, buf, NULL), ERR_OK);
        CU_ASSERT(span_is(buf_span(buf), good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(policy_window_parse(span_text(bad[i]), &window, NULL), ERR_INVALID);
    }
    CU_ASSERT_EQUAL(window_of("sat-mon 00:00-01:00").items[0].days, 0x61);
    CU_ASSERT_EQUAL(window_of("mon 22:00-00:00").items[0].to_min, 1440);
}

static void hours_are_those_on_the_wall(void)
{
    struct policy_windows windows = window_of("mon-fri 09:00-17:00");
    struct tz *tz = berlin();
    uint64_t monday = MONDAY - 2 * HOUR; /* 00:00 in Berlin, in summer */

    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, monday), monday + 9 * HOUR);
    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, monday + 9 * HOUR + 1), monday + 9 * HOUR + 1);
    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, monday + 17 * HOUR - 1), monday + 17 * HOUR - 1);
    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, monday + 17 * HOUR), monday + 33 * HOUR);
    /* From Friday evening, before the clocks are set forward, to Monday. */
    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, SPRING - 32 * HOUR), monday + 9 * HOUR);
    tz_free(tz);
}

static void an_hour_that_is_left_out_does_not_open(void)
{
    struct policy_windows windows = window_of("sun 02:00-03:00");
    struct policy_windows around = window_of("sun 01:30-03:30");
    struct tz *tz = berlin();
    uint64_t next = SPRING - HOUR + WEEK; /* 02:00 in summer is 00:00 UTC */

    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, SPRING - DAY), next);
    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, SPRING), next);
    /* 01:30 to 02:00, and 03:00 to 03:30. */
    CU_ASSERT_EQUAL(windows_open_ms(&around, tz, SPRING - 30 * MINUTE), SPRING - 30 * MINUTE);
    CU_ASSERT_EQUAL(windows_open_ms(&around, tz, SPRING), SPRING);
    CU_ASSERT(windows_open_ms(&around, tz, SPRING + 30 * MINUTE) > SPRING + DAY);
    tz_free(tz);
}

static void an_hour_that_occurs_twice_is_open_twice(void)
{
    struct policy_windows windows = window_of("sun 02:00-02:30");
    struct tz *tz = berlin();

    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, AUTUMN - 2 * HOUR), AUTUMN - HOUR);
    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, AUTUMN - 30 * MINUTE), AUTUMN);
    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, AUTUMN + 30 * MINUTE - 1),
                    AUTUMN + 30 * MINUTE - 1);
    CU_ASSERT(windows_open_ms(&windows, tz, AUTUMN + 30 * MINUTE) > AUTUMN + DAY);
    tz_free(tz);
}

static void a_night_belongs_to_the_day_on_which_it_begins(void)
{
    struct policy_windows windows = window_of("sun 22:00-06:00");
    struct tz *tz = NULL;

    CU_ASSERT_EQUAL_FATAL(tz_utc(&tz, NULL), ERR_OK);
    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, MONDAY + 6 * HOUR - 1), MONDAY + 6 * HOUR - 1);
    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, MONDAY + 6 * HOUR), MONDAY + 6 * DAY + 22 * HOUR);
    tz_free(tz);
}

/* Below bound: a plain generator, the same on every machine. */
static uint32_t draw(uint64_t *state, uint32_t bound)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*state >> 33) % bound;
}

/* By the plainest reading of the words. */
static bool plainly_open(const struct policy_windows *windows, const struct tz *tz, int64_t at_s)
{
    int64_t local_s = at_s + tz_offset_s(tz, at_s);
    int64_t minute = local_s / 60 % 1440;
    uint32_t day = (uint32_t)((local_s / 86400 + 3) % 7);

    for (uint32_t i = 0; i < windows->count; i++) {
        const struct policy_window *window = &windows->items[i];
        bool today = (window->days >> day & 1) != 0;
        bool yesterday = (window->days >> ((day + 6) % 7) & 1) != 0;
        bool over = window->to_min <= window->from_min;

        if (today && minute >= window->from_min && (over || minute < window->to_min)) {
            return true;
        }
        if (over && yesterday && minute < window->to_min) {
            return true;
        }
    }
    return false;
}

static struct policy_windows draw_windows(uint64_t *state)
{
    struct policy_windows windows = {.count = 1 + draw(state, 3)};

    for (uint32_t i = 0; i < windows.count; i++) {
        uint32_t from_min = draw(state, 1440);

        windows.items[i] =
            (struct policy_window){.days = 1 + draw(state, 127),
                                   .from_min = from_min,
                                   .to_min = (from_min + draw(state, 1439)) % 1440 + 1};
        if (windows.items[i].to_min == from_min) {
            windows.items[i].to_min = from_min + 1;
        }
    }
    return windows;
}

static void it_opens_when_a_plain_reading_says_so(void)
{
    struct tz *tz = berlin();
    uint64_t state = 4711;

    for (int run = 0; run < 400; run++) {
        struct policy_windows windows = draw_windows(&state);
        uint64_t change_ms = draw(&state, 2) == 0 ? SPRING : AUTUMN;
        int64_t at_s = (int64_t)(change_ms / 1000) - (int64_t)draw(&state, 5760) * 60;
        uint64_t open_ms = windows_open_ms(&windows, tz, (uint64_t)at_s * 1000);

        while (!plainly_open(&windows, tz, at_s)) {
            at_s += 60;
        }
        CU_ASSERT_EQUAL(open_ms, (uint64_t)at_s * 1000);
    }
    tz_free(tz);
}

static const struct policy_windows always = {.count = 0};

static void freezes_add_up(void)
{
    const struct freeze freezes[] = {
        {.name = SPAN_LITERAL("a"), .from_ms = NOW, .to_ms = NOW + HOUR, .glass_passes = true},
        {.name = SPAN_LITERAL("b"), .from_ms = NOW + HOUR, .to_ms = NOW + 3 * HOUR},
        {.name = SPAN_LITERAL("c"), .from_ms = NOW + 5 * HOUR, .to_ms = NOW + 6 * HOUR}};
    struct gate gate = {.windows = &always, .freezes = freezes, .freeze_count = 3};
    struct request_hold hold;

    CU_ASSERT(gate_holds(&gate, NOW, &hold));
    CU_ASSERT(hold.until_ms == NOW + 3 * HOUR && span_is(hold.freeze, "a"));
    CU_ASSERT_FALSE(gate_holds(&gate, NOW - 1, &hold));
    CU_ASSERT_FALSE(gate_holds(&gate, NOW + 3 * HOUR, &hold));
    gate.glass = true;
    CU_ASSERT_FALSE(gate_holds(&gate, NOW, &hold)); /* passes a, which says so */
    CU_ASSERT(gate_holds(&gate, NOW + HOUR, &hold));
    CU_ASSERT(hold.until_ms == NOW + 3 * HOUR && span_is(hold.freeze, "b"));
}

static void a_window_may_open_into_a_freeze(void)
{
    struct policy_windows windows = window_of("daily 09:00-10:00");
    const struct freeze freezes[] = {
        {.name = SPAN_LITERAL("a"), .from_ms = MONDAY + 8 * HOUR, .to_ms = MONDAY + DAY}};
    struct gate gate = {.windows = &windows, .freezes = freezes, .freeze_count = 1};
    struct request_hold hold;
    struct tz *tz = NULL;

    CU_ASSERT_EQUAL_FATAL(tz_utc(&tz, NULL), ERR_OK);
    gate.tz = tz;
    CU_ASSERT(gate_holds(&gate, MONDAY, &hold));
    CU_ASSERT_EQUAL(hold.until_ms, MONDAY + DAY + 9 * HOUR);
    CU_ASSERT_EQUAL(hold.freeze.size, 0); /* the window is in the way first */
    CU_ASSERT(gate_holds(&gate, MONDAY + 9 * HOUR, &hold));
    CU_ASSERT(span_is(hold.freeze, "a"));
    gate.glass = true; /* needs no window, but this freeze lets nobody pass */
    CU_ASSERT_FALSE(gate_holds(&gate, MONDAY, &hold));
    CU_ASSERT(gate_holds(&gate, MONDAY + 9 * HOUR, &hold));
    CU_ASSERT_EQUAL(hold.until_ms, MONDAY + DAY);
    tz_free(tz);
}

static void a_clock_beyond_all_calendars_opens_nothing(void)
{
    struct policy_windows windows = window_of("daily 00:00-24:00");
    struct tz *tz = berlin();

    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, UINT64_MAX - 1), UINT64_MAX);
    CU_ASSERT_EQUAL(windows_open_ms(&windows, tz, (uint64_t)TZ_S_MAX * 1000), UINT64_MAX);
    tz_free(tz);
}

static void a_claim_waits_and_nothing_lapses_before(void)
{
    struct policy policy = policy_of(1);
    struct request request;
    struct request_hold hold = {.until_ms = NOW + 500 * SECOND};
    struct approval_event press = press_of("U0ANN", VERDICT_APPROVE, NOW);
    struct approval_event claim = asker_of(APPROVAL_CLAIM, NOW + SECOND);
    uint32_t revision;

    policy.clocks.effect_after_ms = 0;
    request = opened(&policy);
    press.hold = &hold;
    CU_ASSERT_EQUAL(step(&request, &policy, &press), REFUSAL_NONE);
    CU_ASSERT_EQUAL(request.hold.until_ms, hold.until_ms);
    CU_ASSERT_EQUAL(request.lapses_ms, hold.until_ms + policy.lapses_after_ms);
    claim.hold = &hold;
    revision = request.revision;
    CU_ASSERT_EQUAL(step(&request, &policy, &claim), REFUSAL_CLOSED);
    CU_ASSERT_EQUAL(request.revision, revision); /* the card says so already */
    hold.freeze = SPAN_LITERAL("x-mas");
    CU_ASSERT_EQUAL(step(&request, &policy, &claim), REFUSAL_FROZEN);
    CU_ASSERT(audited(AUDIT_HELD) == 1 && raised(SURFACE_CARD, "C0CARDS") == 1);
    CU_ASSERT_EQUAL(step(&request, &policy, &claim), REFUSAL_FROZEN);
    CU_ASSERT(!effects.changed);
    claim.hold = NULL;
    CU_ASSERT_EQUAL(step(&request, &policy, &claim), REFUSAL_NONE);
    CU_ASSERT(request.use == USE_CLAIMED && request.hold.until_ms == 0);
    CU_ASSERT(request_invariant(&request));
}

static void who_may_not_claim_learns_nothing_of_it(void)
{
    struct policy policy = policy_of(1);
    struct request request = opened(&policy);
    struct request_hold hold = {.until_ms = NOW + 500 * SECOND};
    struct approval_event claim = asker_of(APPROVAL_CLAIM, NOW + SECOND);

    claim.hold = &hold;
    CU_ASSERT_EQUAL(step(&request, &policy, &claim), REFUSAL_NOT_APPROVED);
    claim.actor.token = SPAN_LITERAL("other");
    CU_ASSERT_EQUAL(step(&request, &policy, &claim), REFUSAL_NOT_ASKER);
}

static void a_freeze_has_its_limits(void)
{
    const struct freeze good = {.name = SPAN_LITERAL("x-mas"),
                                .from_ms = NOW,
                                .to_ms = NOW + DAY,
                                .reason = SPAN_LITERAL("holidays")};
    struct freeze bad[] = {good, good, good, good, good, good};

    CU_ASSERT_EQUAL(freeze_check(&good, NOW, NULL), ERR_OK);
    bad[0].name = SPAN_LITERAL("X mas");
    bad[1].to_ms = NOW;
    bad[2].to_ms = NOW + CORE_FREEZE_MS_MAX + 1;
    bad[3].reason = SPAN_NONE;
    bad[4].reason = SPAN_LITERAL("\xff");
    bad[5].from_ms = 0;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(freeze_check(&bad[i], NOW, NULL), ERR_INVALID);
    }
    CU_ASSERT_EQUAL(freeze_check(&good, NOW + DAY, NULL), ERR_INVALID); /* over */
}

static void a_stored_freeze_comes_out_as_it_went_in(void)
{
    const struct freeze in = {.name = SPAN_LITERAL("x-mas"),
                              .from_ms = 5,
                              .to_ms = 9,
                              .glass_passes = true,
                              .reason = SPAN_LITERAL("holidays"),
                              .added_ms = 4,
                              .added_by = SPAN_LITERAL("root")};
    AUTO_BUF struct buf *buf = NULL;
    struct freeze out;

    CU_ASSERT_EQUAL_FATAL(buf_new(256, &buf, NULL), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(codec_freeze_encode(&in, buf, NULL), ERR_OK);
    CU_ASSERT_EQUAL(codec_freeze_decode(buf_span(buf), &out, NULL), ERR_OK);
    CU_ASSERT(span_equal(out.name, in.name) && span_equal(out.reason, in.reason));
    CU_ASSERT(out.from_ms == 5 && out.to_ms == 9 && out.glass_passes && out.added_ms == 4);
    for (size_t size = 0; size < buf_size(buf); size++) {
        CU_ASSERT_EQUAL(codec_freeze_decode(span_of(buf_text(buf), size), &out, NULL), ERR_CORRUPT);
    }
}

UNIT_MAIN("gate",
          {"a window is written as people write it", a_window_is_written_as_people_write_it},
          {"hours are those on the wall", hours_are_those_on_the_wall},
          {"an hour that is left out does not open", an_hour_that_is_left_out_does_not_open},
          {"an hour that occurs twice is open twice", an_hour_that_occurs_twice_is_open_twice},
          {"a night belongs to the day on which it begins",
           a_night_belongs_to_the_day_on_which_it_begins},
          {"it opens when a plain reading says so", it_opens_when_a_plain_reading_says_so},
          {"freezes add up", freezes_add_up},
          {"a window may open into a freeze", a_window_may_open_into_a_freeze},
          {"a clock beyond all calendars opens nothing",
           a_clock_beyond_all_calendars_opens_nothing},
          {"a claim waits, and nothing lapses before", a_claim_waits_and_nothing_lapses_before},
          {"who may not claim learns nothing of it", who_may_not_claim_learns_nothing_of_it},
          {"a freeze has its limits", a_freeze_has_its_limits},
          {"a stored freeze comes out as it went in", a_stored_freeze_comes_out_as_it_went_in})
