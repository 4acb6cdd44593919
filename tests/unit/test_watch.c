/* SPDX-License-Identifier: Apache-2.0 */
/* test_watch.c: proves supervisor/watch: a child's life, as readable traces.
 * Owns nothing but its cases. Never starts a process. */
#include "supervisor/watch.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define TRACE_SIZE 512

static struct watch_options sample_options(void)
{
    return (struct watch_options){.start_ms = 1000,
                                  .checkin_ms = 200,
                                  .stop_ms = 300,
                                  .backoff_ms = 100,
                                  .backoff_ms_max = 1000,
                                  .crash_count = 3,
                                  .crash_window_ms = 10000,
                                  .quiet_ms = 5000};
}

struct bench {
    struct watch watch;
    uint64_t now_ms;
    uint64_t random;
    char trace[TRACE_SIZE];
    struct watch_crash crash; /* the last one */
    char reason[WATCH_REASON_SIZE];
};

static void bench_init(struct bench *bench)
{
    struct watch_options options = sample_options();

    memset(bench, 0, sizeof(*bench));
    bench->now_ms = 1000;
    watch_init(&bench->watch, &options);
}

static void note(struct bench *bench, const struct watch_effect *effect)
{
    static const char *const words[] = {"fork",    "term",    "kill",     "up",     "down",
                                        "crashed", "safe-on", "safe-off", "stopped"};
    size_t used = strlen(bench->trace);

    (void)snprintf(bench->trace + used, TRACE_SIZE - used, "%s%s", used == 0 ? "" : " ",
                   words[effect->type]);
    if (effect->type == WATCH_EFFECT_CRASHED) {
        bench->crash = effect->u.crash;
    } else if (effect->type == WATCH_EFFECT_SAFE_ON) {
        (void)snprintf(bench->reason, sizeof(bench->reason), "%s", effect->u.reason);
    }
}

/* One event; the trace is of this event alone. */
static const char *step(struct bench *bench, struct watch_event *event)
{
    struct watch_effects effects;

    bench->trace[0] = '\0';
    event->now_ms = bench->now_ms;
    event->wall_ms = 1000000 + bench->now_ms;
    event->random = bench->random;
    watch_step(&bench->watch, event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        note(bench, &effects.items[i]);
    }
    return bench->trace;
}

static const char *feed(struct bench *bench, enum watch_event_type type)
{
    struct watch_event event = {.type = type};

    if (type == WATCH_EVENT_FAILED || type == WATCH_EVENT_BROKEN || type == WATCH_EVENT_REVOKE ||
        type == WATCH_EVENT_UNSTARTED || type == WATCH_EVENT_UNFIT) {
        (void)snprintf(event.u.reason, sizeof(event.u.reason), "because");
    }
    return step(bench, &event);
}

static const char *feed_exit(struct bench *bench, bool signalled, int status)
{
    struct watch_event event = {.type = WATCH_EVENT_EXIT};

    event.u.exit.signalled = signalled;
    event.u.exit.status = status;
    return step(bench, &event);
}

/* Time goes on to the core's own deadline, not beyond. */
static const char *pass(struct bench *bench)
{
    uint64_t deadline = watch_deadline_ms(&bench->watch);

    CU_ASSERT_NOT_EQUAL_FATAL(deadline, UINT64_MAX);
    CU_ASSERT_TRUE(deadline >= bench->now_ms);
    bench->now_ms = deadline;
    return feed(bench, WATCH_EVENT_TICK);
}

static const char *turns(struct bench *bench, uint64_t count, size_t but)
{
    struct watch_event event = {.type = WATCH_EVENT_CHECKIN};

    for (size_t i = 0; i < CONTRACT_TASK_COUNT; i++) {
        event.u.turns[i] = i == but ? 1 : count;
    }
    return step(bench, &event);
}

static void go_up(struct bench *bench)
{
    bench_init(bench);
    CU_ASSERT_STRING_EQUAL(feed(bench, WATCH_EVENT_START), "fork");
    bench->now_ms += 50;
    CU_ASSERT_STRING_EQUAL(feed(bench, WATCH_EVENT_READY), "up");
    CU_ASSERT_EQUAL(bench->watch.state, WATCH_UP);
}

static void a_child_is_started_comes_up_and_is_stopped(void)
{
    struct bench bench;

    go_up(&bench);
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_STOP), "down term");
    CU_ASSERT_EQUAL(bench.watch.state, WATCH_STOPPING);
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, false, 0), "stopped");
    CU_ASSERT_EQUAL(bench.watch.state, WATCH_STOPPED);
    CU_ASSERT_EQUAL(watch_deadline_ms(&bench.watch), UINT64_MAX);
    CU_ASSERT_EQUAL(bench.watch.tally.count, 0);
}

static void a_child_that_does_not_stop_is_killed_at_the_limit(void)
{
    struct bench bench;
    uint64_t begun;

    go_up(&bench);
    begun = bench.now_ms;
    (void)feed(&bench, WATCH_EVENT_STOP);
    CU_ASSERT_STRING_EQUAL(pass(&bench), "kill");
    CU_ASSERT_EQUAL(bench.now_ms, begun + 300);
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, true, 9), "stopped");
    CU_ASSERT_EQUAL(bench.watch.tally.count, 0);
}

static void a_hang_of_any_task_is_killed_at_the_deadline(void)
{
    for (size_t task = 0; task < CONTRACT_TASK_COUNT; task++) {
        struct bench bench;
        uint64_t last;

        go_up(&bench);
        (void)turns(&bench, 1, task);
        last = bench.now_ms;
        bench.now_ms += 150;
        CU_ASSERT_STRING_EQUAL(turns(&bench, 2, task), "");
        CU_ASSERT_STRING_EQUAL(pass(&bench), "down kill");
        CU_ASSERT_EQUAL(bench.now_ms, last + 200);
        CU_ASSERT_STRING_EQUAL(feed_exit(&bench, true, 9), "crashed fork");
        CU_ASSERT_EQUAL(bench.crash.cause, WATCH_CAUSE_HANG);
        CU_ASSERT_EQUAL(bench.crash.task, task);
        CU_ASSERT_PTR_NOT_NULL(strstr(bench.crash.reason, watch_task_word((uint8_t)task)));
    }
}

static void a_shorter_checkin_is_for_the_next_child_and_a_longer_one_at_once(void)
{
    struct watch_options options = sample_options();
    struct bench bench;
    uint64_t last;

    go_up(&bench);
    last = bench.now_ms;
    options.checkin_ms = 50;
    bench.now_ms += 150;
    watch_set_options(&bench.watch, &options);
    CU_ASSERT_EQUAL(watch_checkin_ms(&bench.watch), 200); /* as it was told when it started */
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_TICK), "");
    CU_ASSERT_STRING_EQUAL(pass(&bench), "down kill");
    CU_ASSERT_EQUAL(bench.now_ms, last + 200);
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, true, 9), "crashed fork");
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_READY), "up");
    last = bench.now_ms;
    CU_ASSERT_EQUAL(watch_checkin_ms(&bench.watch), 50);
    options.checkin_ms = 80;
    watch_set_options(&bench.watch, &options);
    CU_ASSERT_STRING_EQUAL(pass(&bench), "down kill");
    CU_ASSERT_EQUAL(bench.now_ms, last + 80);
}

static void turns_that_go_on_keep_the_child_alive(void)
{
    struct bench bench;

    go_up(&bench);
    for (uint64_t i = 1; i < 100; i++) {
        bench.now_ms += 190;
        CU_ASSERT_STRING_EQUAL(turns(&bench, i, SIZE_MAX), "");
        CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_TICK), "");
    }
    CU_ASSERT_EQUAL(bench.watch.state, WATCH_UP);
}

static void a_child_that_is_not_up_in_time_is_killed(void)
{
    struct bench bench;

    bench_init(&bench);
    (void)feed(&bench, WATCH_EVENT_START);
    CU_ASSERT_STRING_EQUAL(pass(&bench), "down kill");
    CU_ASSERT_EQUAL(bench.now_ms, 2000);
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_READY), ""); /* too late: it is being ended */
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, true, 9), "crashed fork");
    CU_ASSERT_EQUAL(bench.crash.cause, WATCH_CAUSE_SLOW);
}

static void the_first_restart_is_at_once_and_later_ones_wait_longer(void)
{
    struct bench bench;
    uint64_t before;
    uint64_t pauses[3];

    go_up(&bench);
    bench.watch.options.crash_count = WATCH_CRASH_COUNT;
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, true, 11), "down crashed fork");
    for (size_t i = 0; i < 3; i++) {
        CU_ASSERT_STRING_EQUAL(feed_exit(&bench, false, 3), "down crashed");
        CU_ASSERT_EQUAL(bench.watch.state, WATCH_BACKOFF);
        before = bench.now_ms;
        CU_ASSERT_STRING_EQUAL(pass(&bench), "fork");
        pauses[i] = bench.now_ms - before;
    }
    CU_ASSERT_EQUAL(pauses[0], 100);
    CU_ASSERT_EQUAL(pauses[1], 200);
    CU_ASSERT_EQUAL(pauses[2], 400);
}

static void the_pause_has_a_limit_and_the_draw_shortens_it_by_half_at_most(void)
{
    for (uint64_t draw = 0; draw < 2000; draw += 37) {
        struct bench bench;
        uint64_t before;

        go_up(&bench);
        bench.watch.options.crash_count = WATCH_CRASH_COUNT;
        bench.watch.crash_streak = 1000000;
        bench.random = draw;
        (void)feed_exit(&bench, false, 1);
        before = bench.now_ms;
        (void)pass(&bench);
        CU_ASSERT_TRUE(bench.now_ms - before <= 1000);
        CU_ASSERT_TRUE(bench.now_ms - before >= 500);
    }
}

static void a_healthy_time_makes_the_next_restart_immediate_again(void)
{
    struct bench bench;

    go_up(&bench);
    bench.watch.crash_streak = 5;
    bench.now_ms += 1000;
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, false, 1), "down crashed fork");
}

static void crashes_in_the_window_turn_safe_mode_on_with_its_reason(void)
{
    struct bench bench;

    go_up(&bench);
    (void)feed_exit(&bench, true, 11);
    (void)feed_exit(&bench, true, 11);
    (void)pass(&bench);
    (void)feed(&bench, WATCH_EVENT_READY);
    (void)feed(&bench, WATCH_EVENT_FAILED);
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, false, 74), "down crashed safe-on");
    CU_ASSERT_TRUE(bench.watch.safe);
    CU_ASSERT_STRING_EQUAL(bench.reason,
                           "crash loop: 3 in 10 s, last: ended with exit code 74: because");
    CU_ASSERT_EQUAL(bench.watch.state, WATCH_BACKOFF); /* it is still restarted */
}

static void crashes_far_apart_are_no_loop(void)
{
    struct bench bench;

    go_up(&bench);
    for (size_t i = 0; i < 2UL * WATCH_CRASH_COUNT; i++) {
        (void)feed_exit(&bench, true, 11);
        if (bench.watch.state == WATCH_BACKOFF) {
            (void)pass(&bench);
        }
        bench.now_ms += 10001;
    }
    CU_ASSERT_FALSE(bench.watch.safe);
    CU_ASSERT_EQUAL(bench.watch.tally.count, 2UL * WATCH_CRASH_COUNT);
    CU_ASSERT_PTR_NULL(watch_tally_at(&bench.watch.tally, WATCH_CRASH_COUNT));
    CU_ASSERT_TRUE(watch_tally_is_legal(&bench.watch.tally));
}

static void make_loop(struct bench *bench)
{
    go_up(bench);
    for (size_t i = 0; i < 3; i++) {
        (void)feed_exit(bench, true, 11);
        if (bench->watch.state == WATCH_BACKOFF) {
            (void)pass(bench);
        }
    }
    CU_ASSERT_TRUE(bench->watch.safe);
    CU_ASSERT_STRING_EQUAL(feed(bench, WATCH_EVENT_READY), "up");
}

static void a_quiet_period_ends_safe_mode(void)
{
    struct bench bench;
    uint64_t up_ms;

    make_loop(&bench);
    up_ms = bench.now_ms;
    for (uint64_t i = 1; bench.now_ms + 100 < up_ms + 5000; i++) {
        bench.now_ms += 100;
        (void)turns(&bench, i, SIZE_MAX);
        CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_TICK), "");
    }
    CU_ASSERT_STRING_EQUAL(pass(&bench), "safe-off");
    CU_ASSERT_EQUAL(bench.now_ms, up_ms + 5000);
    CU_ASSERT_FALSE(watch_tally_at(&bench.watch.tally, 0)->counts);
}

static void the_operator_ends_safe_mode(void)
{
    struct bench bench;

    make_loop(&bench);
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_CLEAR_SAFE), "safe-off");
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_CLEAR_SAFE), "");
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, true, 11), "down crashed fork");
    CU_ASSERT_FALSE(bench.watch.safe);
}

static void a_tally_from_before_counts_after_a_restart_of_the_supervisor(void)
{
    struct bench bench;
    struct bench next;
    struct watch_event event = {.type = WATCH_EVENT_START};

    make_loop(&bench);
    event.u.tally = bench.watch.tally;
    bench_init(&next);
    next.now_ms = bench.now_ms + 1;
    CU_ASSERT_STRING_EQUAL(step(&next, &event), "safe-on fork");
    for (size_t i = 0; i < WATCH_CRASH_COUNT; i++) {
        event.u.tally.items[i].counts = false; /* as after a reboot */
    }
    bench_init(&next);
    CU_ASSERT_STRING_EQUAL(step(&next, &event), "fork");
}

static void a_revoked_child_is_killed_and_started_again_without_a_crash(void)
{
    struct bench bench;

    go_up(&bench);
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_REVOKE), "down kill");
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_REVOKE), "");
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, true, 9), "fork");
    CU_ASSERT_EQUAL(bench.watch.tally.count, 0);
}

static void a_broken_contract_is_a_crash(void)
{
    struct bench bench;

    go_up(&bench);
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_BROKEN), "down kill");
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, true, 9), "crashed fork");
    CU_ASSERT_EQUAL(bench.crash.cause, WATCH_CAUSE_CONTRACT);
    CU_ASSERT_STRING_EQUAL(bench.crash.reason, "because");
}

static void a_child_that_is_unfit_leaves_the_lead_at_once(void)
{
    struct bench bench;

    go_up(&bench);
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_UNFIT), "safe-on down kill");
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_UNFIT), "");
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, true, 9), "crashed fork");
    CU_ASSERT_EQUAL(bench.crash.cause, WATCH_CAUSE_SLOW);
    CU_ASSERT_STRING_EQUAL(bench.watch.safe_reason, "because");
    (void)feed(&bench, WATCH_EVENT_READY);
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_UNFIT), "down kill"); /* it is on already */
}

static void a_closed_contract_is_waited_on_for_a_moment(void)
{
    struct bench bench;
    uint64_t closed;

    go_up(&bench);
    closed = bench.now_ms;
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_CLOSED), "");
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, true, 6), "down crashed fork");
    CU_ASSERT_EQUAL(bench.crash.cause, WATCH_CAUSE_SIGNAL);
    (void)feed(&bench, WATCH_EVENT_READY);
    bench.watch.options.checkin_ms = 100000;
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_CLOSED), "");
    CU_ASSERT_STRING_EQUAL(pass(&bench), "down kill");
    CU_ASSERT_TRUE(bench.now_ms > closed);
    CU_ASSERT_STRING_EQUAL(feed_exit(&bench, true, 9), "crashed");
    CU_ASSERT_EQUAL(bench.crash.cause, WATCH_CAUSE_CONTRACT);
}

static void what_cannot_be_started_is_tried_again_later(void)
{
    struct bench bench;

    bench_init(&bench);
    (void)feed(&bench, WATCH_EVENT_START);
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_UNSTARTED), "crashed down");
    CU_ASSERT_EQUAL(bench.crash.cause, WATCH_CAUSE_FORK);
    CU_ASSERT_STRING_EQUAL(pass(&bench), "fork");
    CU_ASSERT_EQUAL(bench.now_ms, 1100);
}

static void a_stop_during_the_pause_needs_no_child(void)
{
    struct bench bench;

    bench_init(&bench);
    (void)feed(&bench, WATCH_EVENT_START);
    (void)feed(&bench, WATCH_EVENT_UNSTARTED);
    CU_ASSERT_STRING_EQUAL(feed(&bench, WATCH_EVENT_STOP), "stopped");
}

static void a_kill_that_does_not_end_the_child_is_noticed(void)
{
    struct bench bench;

    go_up(&bench);
    (void)feed(&bench, WATCH_EVENT_REVOKE);
    CU_ASSERT_FALSE(watch_is_stuck(&bench.watch, bench.now_ms + 9999));
    CU_ASSERT_TRUE(watch_is_stuck(&bench.watch, bench.now_ms + 10000));
    (void)feed_exit(&bench, true, 9);
    CU_ASSERT_FALSE(watch_is_stuck(&bench.watch, bench.now_ms + 10000));
}

static void a_tally_that_nobody_wrote_is_refused(void)
{
    struct watch_tally tally = {.count = 0};

    CU_ASSERT_TRUE(watch_tally_is_legal(&tally));
    tally.count = 1;
    CU_ASSERT_FALSE(watch_tally_is_legal(&tally));
    tally.items[0].cause = WATCH_CAUSE_HANG;
    CU_ASSERT_TRUE(watch_tally_is_legal(&tally));
    tally.items[0].task = CONTRACT_TASK_COUNT;
    CU_ASSERT_FALSE(watch_tally_is_legal(&tally));
    tally.items[0].task = 0;
    memset(tally.items[0].reason, 'x', WATCH_REASON_SIZE);
    CU_ASSERT_FALSE(watch_tally_is_legal(&tally));
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

UNIT_MAIN("watch",
          CASE(a_child_is_started_comes_up_and_is_stopped),
          CASE(a_child_that_does_not_stop_is_killed_at_the_limit),
          CASE(a_hang_of_any_task_is_killed_at_the_deadline),
          CASE(a_shorter_checkin_is_for_the_next_child_and_a_longer_one_at_once),
          CASE(turns_that_go_on_keep_the_child_alive),
          CASE(a_child_that_is_not_up_in_time_is_killed),
          CASE(the_first_restart_is_at_once_and_later_ones_wait_longer),
          CASE(the_pause_has_a_limit_and_the_draw_shortens_it_by_half_at_most),
          CASE(a_healthy_time_makes_the_next_restart_immediate_again),
          CASE(crashes_in_the_window_turn_safe_mode_on_with_its_reason),
          CASE(crashes_far_apart_are_no_loop),
          CASE(a_quiet_period_ends_safe_mode),
          CASE(the_operator_ends_safe_mode),
          CASE(a_tally_from_before_counts_after_a_restart_of_the_supervisor),
          CASE(a_revoked_child_is_killed_and_started_again_without_a_crash),
          CASE(a_broken_contract_is_a_crash),
          CASE(a_child_that_is_unfit_leaves_the_lead_at_once),
          CASE(a_closed_contract_is_waited_on_for_a_moment),
          CASE(what_cannot_be_started_is_tried_again_later),
          CASE(a_stop_during_the_pause_needs_no_child),
          CASE(a_kill_that_does_not_end_the_child_is_noticed),
          CASE(a_tally_that_nobody_wrote_is_refused))
