/* SPDX-License-Identifier: Apache-2.0 */
/* test_homeplan.c: proves approvald/slack/outbound/homeplan: whose Home is looked at and published,
 * when. Owns nothing but its cases; never reads a clock, the time is a number. */
#include "approvald/slack/outbound/homeplan.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define ANA      SPAN_LITERAL("U0ANA")
#define BEN      SPAN_LITERAL("U0BEN")
#define START_MS UINT64_C(1000000)

struct bench {
    struct homeplan plan;
    uint64_t now_ms;
};

static void open_bench(struct bench *bench)
{
    struct err err = ERR_INIT;

    bench->now_ms = START_MS;
    CU_ASSERT_EQUAL_FATAL(homeplan_init(&bench->plan, &err), ERR_OK);
}

static void opened(struct bench *bench, struct span user)
{
    CU_ASSERT(homeplan_opened(&bench->plan, user, SPAN_NONE, bench->now_ms));
}

/* The next job, after whatever wait; false: there is none within the time. */
static bool next(struct bench *bench, uint64_t within_ms, struct homeplan_job *job)
{
    uint64_t end_ms = bench->now_ms + within_ms;

    while (!homeplan_next(&bench->plan, bench->now_ms, job)) {
        uint64_t due_ms = homeplan_due_ms(&bench->plan, bench->now_ms);

        if (due_ms > end_ms) {
            return false;
        }
        CU_ASSERT_FATAL(due_ms > bench->now_ms); /* else it would be asked for ever */
        bench->now_ms = due_ms;
    }
    return true;
}

static void end(struct bench *bench, const struct homeplan_job *job, enum homeplan_result result)
{
    homeplan_end(
        &bench->plan, job,
        &(struct homeplan_outcome){.result = result, .digest = 7, .hash = SPAN_LITERAL("1.abc")},
        bench->now_ms);
}

/* Opened, looked at and published. */
static void show(struct bench *bench, struct span user)
{
    struct homeplan_job job;

    opened(bench, user);
    CU_ASSERT_FATAL(next(bench, 60000, &job));
    CU_ASSERT(span_equal(homeplan_user(&bench->plan, &job), user));
    end(bench, &job, HOMEPLAN_PUBLISHED);
}

static void who_opens_it_is_served_at_once_and_nobody_else(void)
{
    struct bench bench;
    struct homeplan_job job;

    open_bench(&bench);
    homeplan_changed(&bench.plan);
    CU_ASSERT_FALSE(next(&bench, 600000, &job)); /* nobody has a Home */
    opened(&bench, ANA);
    CU_ASSERT(homeplan_next(&bench.plan, bench.now_ms, &job));
    CU_ASSERT_FALSE(homeplan_person(&bench.plan, &job)->shown);
    end(&bench, &job, HOMEPLAN_PUBLISHED);
    CU_ASSERT(homeplan_person(&bench.plan, &job)->shown);
    CU_ASSERT_EQUAL(homeplan_person(&bench.plan, &job)->digest, 7);
    homeplan_person(&bench.plan, &job)->member = true;
    opened(&bench, ANA);
    CU_ASSERT(next(&bench, 600000, &job));
    CU_ASSERT_FALSE(homeplan_person(&bench.plan, &job)->member); /* he may be a guest by now */
    end(&bench, &job, HOMEPLAN_PUBLISHED);
    CU_ASSERT_FALSE(next(&bench, 600000, &job));
    CU_ASSERT_FALSE(homeplan_opened(&bench.plan, SPAN_NONE, SPAN_NONE, bench.now_ms));
    homeplan_done(&bench.plan);
}

static void changes_are_published_at_most_every_few_seconds(void)
{
    struct bench bench;
    struct homeplan_job job;
    uint64_t shown_ms;
    uint32_t count = 0;

    open_bench(&bench);
    show(&bench, ANA);
    shown_ms = bench.now_ms;
    for (uint64_t i = 0; i < 10000; i++) { /* a change each millisecond of ten seconds */
        homeplan_changed(&bench.plan);
        bench.now_ms = shown_ms + i;
        if (homeplan_next(&bench.plan, bench.now_ms, &job)) {
            end(&bench, &job, HOMEPLAN_PUBLISHED);
            count++;
        }
    }
    CU_ASSERT_EQUAL(count, 3);                            /* at 3, 6 and 9 s */
    CU_ASSERT(next(&bench, SLACK_HOME_SPACING_MS, &job)); /* what came behind the last one */
    CU_ASSERT_EQUAL(job.changes, 10000);
    end(&bench, &job, HOMEPLAN_PUBLISHED);
    CU_ASSERT_FALSE(next(&bench, 600000, &job));
    homeplan_done(&bench.plan);
}

static void what_shows_the_same_is_looked_at_and_left(void)
{
    struct bench bench;
    struct homeplan_job job;
    uint64_t looked_ms;

    open_bench(&bench);
    show(&bench, ANA);
    bench.now_ms += 60000;
    homeplan_changed(&bench.plan);
    CU_ASSERT(homeplan_next(&bench.plan, bench.now_ms, &job));
    homeplan_changed(&bench.plan); /* behind the look */
    looked_ms = bench.now_ms;
    end(&bench, &job, HOMEPLAN_SAME);
    CU_ASSERT(next(&bench, 60000, &job));
    CU_ASSERT_EQUAL(bench.now_ms, looked_ms + SLACK_HOME_LOOK_MS);
    end(&bench, &job, HOMEPLAN_SAME);
    CU_ASSERT_FALSE(next(&bench, 600000, &job));
    homeplan_done(&bench.plan);
}

static void who_acts_does_not_wait_behind_changes(void)
{
    static const uint32_t pages[HOME_PART_COUNT] = {2, 0, 1};
    struct bench bench;
    struct homeplan_job job;
    uint64_t shown_ms;

    open_bench(&bench);
    show(&bench, ANA);
    show(&bench, BEN);
    shown_ms = bench.now_ms;
    homeplan_changed(&bench.plan);
    CU_ASSERT(homeplan_turned(&bench.plan, BEN, pages, bench.now_ms));
    CU_ASSERT(next(&bench, 60000, &job));
    CU_ASSERT(span_equal(homeplan_user(&bench.plan, &job), BEN));
    CU_ASSERT_EQUAL(bench.now_ms, shown_ms + SLACK_HOME_ACT_MS);
    CU_ASSERT_EQUAL(homeplan_person(&bench.plan, &job)->pages[0], 2);
    end(&bench, &job, HOMEPLAN_PUBLISHED);
    CU_ASSERT(next(&bench, 60000, &job));
    CU_ASSERT(span_equal(homeplan_user(&bench.plan, &job), ANA));
    end(&bench, &job, HOMEPLAN_PUBLISHED);
    homeplan_pressed(&bench.plan, ANA);
    homeplan_pressed(&bench.plan, SPAN_LITERAL("U0NOBODY"));
    CU_ASSERT(next(&bench, SLACK_HOME_ACT_MS, &job));
    CU_ASSERT(span_equal(homeplan_user(&bench.plan, &job), ANA));
    end(&bench, &job, HOMEPLAN_SAME);
    opened(&bench, BEN); /* from the first page again */
    CU_ASSERT(next(&bench, SLACK_HOME_SPACING_MS, &job));
    CU_ASSERT_EQUAL(homeplan_person(&bench.plan, &job)->pages[0], 0);
    end(&bench, &job, HOMEPLAN_PUBLISHED);
    homeplan_done(&bench.plan);
}

static void all_have_their_turn_however_often_things_change(void)
{
    struct bench bench;
    struct homeplan_job job;
    bool seen[200] = {false};
    uint32_t count = 0;
    char user[16];

    open_bench(&bench);
    for (uint32_t i = 0; i < 200; i++) {
        (void)snprintf(user, sizeof user, "U%u", i);
        show(&bench, span_text(user));
    }
    bench.now_ms += 10000;
    for (uint32_t i = 0; i < 200; i++) {
        homeplan_changed(&bench.plan);
        CU_ASSERT_FATAL(next(&bench, 10000, &job));
        count += seen[job.slot] ? 0 : 1;
        seen[job.slot] = true;
        end(&bench, &job, HOMEPLAN_SAME);
    }
    CU_ASSERT_EQUAL(count, 200);
    homeplan_done(&bench.plan);
}

static void no_more_than_a_few_are_worked_on_at_once(void)
{
    struct bench bench;
    struct homeplan_job jobs[SLACK_HOME_JOB_COUNT + 1];
    char user[16];

    open_bench(&bench);
    for (uint32_t i = 0; i <= SLACK_HOME_JOB_COUNT; i++) {
        (void)snprintf(user, sizeof user, "U%u", i);
        opened(&bench, span_text(user));
    }
    for (uint32_t i = 0; i < SLACK_HOME_JOB_COUNT; i++) {
        CU_ASSERT(next(&bench, 1000, &jobs[i]));
        CU_ASSERT_EQUAL(bench.now_ms, START_MS + (uint64_t)i * SLACK_HOME_READ_MS);
    }
    CU_ASSERT_FALSE(next(&bench, 60000, &jobs[SLACK_HOME_JOB_COUNT]));
    end(&bench, &jobs[0], HOMEPLAN_PUBLISHED);
    CU_ASSERT(next(&bench, 60000, &jobs[SLACK_HOME_JOB_COUNT]));
    for (uint32_t i = 1; i <= SLACK_HOME_JOB_COUNT; i++) {
        end(&bench, &jobs[i], HOMEPLAN_PUBLISHED);
    }
    homeplan_done(&bench.plan);
}

static void failures_back_off_and_a_conflict_is_tried_on_top(void)
{
    struct bench bench;
    struct homeplan_job job;
    uint64_t before_ms = 0;

    open_bench(&bench);
    show(&bench, ANA);
    homeplan_changed(&bench.plan);
    for (uint32_t i = 0; i < 12; i++) {
        CU_ASSERT_FATAL(next(&bench, SLACK_HOME_BACKOFF_MS_MAX, &job));
        CU_ASSERT(i == 0 || bench.now_ms - before_ms >= SLACK_HOME_BACKOFF_MS_MIN / 2);
        before_ms = bench.now_ms;
        end(&bench, &job, HOMEPLAN_FAILED);
    }
    CU_ASSERT_FALSE(next(&bench, SLACK_HOME_BACKOFF_MS_MAX / 2 - 1, &job));
    CU_ASSERT(next(&bench, SLACK_HOME_BACKOFF_MS_MAX, &job));
    CU_ASSERT_EQUAL(homeplan_person(&bench.plan, &job)->hash_size, 0); /* not known any more */
    end(&bench, &job, HOMEPLAN_PUBLISHED);
    CU_ASSERT_EQUAL(homeplan_person(&bench.plan, &job)->hash_size, 5);
    homeplan_changed(&bench.plan);
    CU_ASSERT(next(&bench, 60000, &job));
    before_ms = bench.now_ms;
    end(&bench, &job, HOMEPLAN_CONFLICT);
    CU_ASSERT(next(&bench, 60000, &job));
    CU_ASSERT_EQUAL(bench.now_ms, before_ms + SLACK_HOME_ACT_MS);
    CU_ASSERT_EQUAL(homeplan_person(&bench.plan, &job)->hash_size, 0);
    CU_ASSERT_FALSE(homeplan_person(&bench.plan, &job)->shown);
    end(&bench, &job, HOMEPLAN_PUBLISHED);
    homeplan_done(&bench.plan);
}

static void slacks_pause_is_for_all_and_nothing_is_forgotten(void)
{
    struct bench bench;
    struct homeplan_job job;
    uint64_t before_ms;

    open_bench(&bench);
    show(&bench, ANA);
    opened(&bench, BEN);
    CU_ASSERT(next(&bench, 1000, &job));
    before_ms = bench.now_ms;
    homeplan_changed(&bench.plan);
    homeplan_end(&bench.plan, &job,
                 &(struct homeplan_outcome){.result = HOMEPLAN_LIMITED, .retry_ms = 30000},
                 bench.now_ms);
    CU_ASSERT(next(&bench, 60000, &job));
    CU_ASSERT_EQUAL(bench.now_ms, before_ms + 30000);
    CU_ASSERT(span_equal(homeplan_user(&bench.plan, &job), BEN));
    before_ms = bench.now_ms;
    end(&bench, &job, HOMEPLAN_OFF);
    CU_ASSERT(next(&bench, SLACK_HOME_OFF_MS, &job));
    CU_ASSERT_EQUAL(bench.now_ms, before_ms + SLACK_HOME_OFF_MS);
    end(&bench, &job, HOMEPLAN_REFUSED); /* only this one */
    CU_ASSERT(next(&bench, 1000, &job));
    CU_ASSERT(span_equal(homeplan_user(&bench.plan, &job), ANA));
    end(&bench, &job, HOMEPLAN_PUBLISHED);
    homeplan_done(&bench.plan);
}

static void what_could_not_be_told_is_asked_again(void)
{
    struct bench bench;
    struct homeplan_job job;
    uint64_t before_ms;

    open_bench(&bench);
    opened(&bench, ANA);
    CU_ASSERT(next(&bench, 0, &job));
    before_ms = bench.now_ms;
    end(&bench, &job, HOMEPLAN_NOT_READY);
    CU_ASSERT(next(&bench, 60000, &job));
    CU_ASSERT_EQUAL(bench.now_ms, before_ms + SLACK_HOME_FILL_MS);
    before_ms = bench.now_ms;
    homeplan_end(&bench.plan, &job,
                 &(struct homeplan_outcome){.result = HOMEPLAN_PUBLISHED, .partial = true},
                 bench.now_ms);
    CU_ASSERT(next(&bench, 60000, &job));
    CU_ASSERT_EQUAL(bench.now_ms, before_ms + SLACK_HOME_AGAIN_MS);
    end(&bench, &job, HOMEPLAN_SAME);
    CU_ASSERT_FALSE(next(&bench, 600000, &job));
    homeplan_done(&bench.plan);
}

static void who_has_not_looked_for_a_day_gives_way(void)
{
    struct bench bench;
    struct homeplan_job first;
    struct homeplan_job job;
    char user[16];

    open_bench(&bench);
    show(&bench, ANA);
    bench.now_ms += SLACK_HOME_KEEP_MS;
    homeplan_changed(&bench.plan);
    CU_ASSERT_FALSE(next(&bench, 600000, &job));
    opened(&bench, ANA);
    CU_ASSERT(next(&bench, 0, &first));
    /* More than there is room for: Ana, whose job is under way, is the oldest. */
    for (uint32_t i = 0; i < SLACK_HOME_PERSON_COUNT_MAX; i++) {
        (void)snprintf(user, sizeof user, "U%u", i);
        opened(&bench, span_text(user));
    }
    CU_ASSERT_PTR_NULL(homeplan_person(&bench.plan, &first));
    end(&bench, &first, HOMEPLAN_SAME);
    CU_ASSERT(homeplan_invariant(&bench.plan));
    CU_ASSERT_EQUAL(bench.plan.job_count, 0);
    homeplan_done(&bench.plan);
}

/* xorshift64 */
static uint64_t draw_from(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct chance {
    struct bench bench;
    struct homeplan_job jobs[SLACK_HOME_JOB_COUNT];
    uint32_t job_count;
    uint64_t published_ms[8]; /* by slot */
};

static void begin_one(struct chance *chance)
{
    struct homeplan_job job;

    if (homeplan_next(&chance->bench.plan, chance->bench.now_ms, &job)) {
        CU_ASSERT_FATAL(chance->job_count < SLACK_HOME_JOB_COUNT);
        CU_ASSERT_FATAL(job.slot < 8);
        chance->jobs[chance->job_count++] = job;
    }
}

static void end_one(struct chance *chance, enum homeplan_result result)
{
    const struct homeplan_job *job;
    uint64_t *published_ms;

    if (chance->job_count == 0) {
        return;
    }
    job = &chance->jobs[--chance->job_count];
    published_ms = &chance->published_ms[job->slot];
    if (result == HOMEPLAN_PUBLISHED) {
        CU_ASSERT(*published_ms == 0 || chance->bench.now_ms >= *published_ms + SLACK_HOME_ACT_MS);
        *published_ms = chance->bench.now_ms;
    }
    end(&chance->bench, job, result);
}

static void do_something(struct chance *chance, uint64_t draw)
{
    const struct span users[] = {ANA, BEN, SPAN_LITERAL("U0CHI"), SPAN_LITERAL("U0DOV")};
    struct span user = users[draw % 4];

    switch (draw >> 16 & 7) {
    case 0:
        opened(&chance->bench, user);
        break;
    case 1:
        homeplan_pressed(&chance->bench.plan, user);
        break;
    case 2:
    case 3:
        homeplan_changed(&chance->bench.plan);
        break;
    case 4:
    case 5:
        begin_one(chance);
        break;
    default:
        end_one(chance, (enum homeplan_result)(1 + (draw >> 24) % 8));
    }
}

static void whatever_happens_the_bounds_hold(void)
{
    struct chance chance = {.job_count = 0};
    uint64_t state = 4711;

    open_bench(&chance.bench);
    for (uint32_t i = 0; i < 200000; i++) {
        uint64_t draw = draw_from(&state);

        chance.bench.now_ms += draw >> 8 & 63;
        do_something(&chance, draw);
        CU_ASSERT_FATAL(homeplan_invariant(&chance.bench.plan));
    }
    homeplan_done(&chance.bench.plan);
}

UNIT_MAIN("homeplan",
          {"who opens it is served at once and nobody else",
           who_opens_it_is_served_at_once_and_nobody_else},
          {"changes are published at most every few seconds",
           changes_are_published_at_most_every_few_seconds},
          {"what shows the same is looked at and left", what_shows_the_same_is_looked_at_and_left},
          {"who acts does not wait behind changes", who_acts_does_not_wait_behind_changes},
          {"all have their turn however often things change",
           all_have_their_turn_however_often_things_change},
          {"no more than a few are worked on at once", no_more_than_a_few_are_worked_on_at_once},
          {"failures back off and a conflict is tried on top",
           failures_back_off_and_a_conflict_is_tried_on_top},
          {"Slack's pause is for all and nothing is forgotten",
           slacks_pause_is_for_all_and_nothing_is_forgotten},
          {"what could not be told is asked again", what_could_not_be_told_is_asked_again},
          {"who has not looked for a day gives way", who_has_not_looked_for_a_day_gives_way},
          {"whatever happens the bounds hold", whatever_happens_the_bounds_hold})
