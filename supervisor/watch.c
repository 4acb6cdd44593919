/* SPDX-License-Identifier: Apache-2.0 */
/* watch.c: one child's life.
 * Owns the decision to start, stop and kill, the tally of crashes and safe mode.
 * Never makes a system call, never reads a clock, never asks who may write. Times are the boot
 * clock's, in milliseconds. */
#include "supervisor/watch.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define CLOSED_MS 200   /* descriptors are closed just before an end can be seen */
#define STUCK_MS  10000 /* a kill takes microseconds; a task in a disk's hands at most seconds */

static struct watch_effect *emit(struct watch_effects *effects, enum watch_effect_type type)
{
    struct watch_effect *effect;

    ASSERT(effects->count < WATCH_EFFECT_COUNT_MAX);
    effect = &effects->items[effects->count++];
    effect->type = type;
    return effect;
}

static void copy_reason(char target[WATCH_REASON_SIZE], const char *reason)
{
    (void)snprintf(target, WATCH_REASON_SIZE, "%s", reason); /* cut is fine: it is for people */
}

static void move(struct watch *watch, enum watch_state state, uint64_t now_ms, uint64_t limit_ms)
{
    watch->state = state;
    watch->since_ms = now_ms;
    watch->until_ms = limit_ms == 0 ? UINT64_MAX : now_ms + limit_ms;
}

static void tell_down(struct watch *watch, struct watch_effects *effects)
{
    if (watch->shown) {
        watch->shown = false;
        (void)emit(effects, WATCH_EFFECT_DOWN); /* carries nothing */
    }
}

static void start(struct watch *watch, uint64_t now_ms, struct watch_effects *effects)
{
    memset(watch->turns, 0, sizeof(watch->turns));
    memset(watch->turned_ms, 0, sizeof(watch->turned_ms));
    watch->kill_cause = 0;
    watch->kill_task = 0;
    watch->kill_reason[0] = '\0';
    watch->closed_ms = UINT64_MAX;
    watch->checkin_ms = watch->options.checkin_ms;
    watch->shown = true;
    move(watch, WATCH_STARTING, now_ms, watch->options.start_ms);
    (void)emit(effects, WATCH_EFFECT_FORK); /* carries nothing */
}

static bool has_process(const struct watch *watch)
{
    return watch->state == WATCH_STARTING || watch->state == WATCH_UP ||
           watch->state == WATCH_STOPPING || watch->state == WATCH_KILLED;
}

static void kill_child(struct watch *watch,
                       const struct watch_event *event,
                       uint8_t cause,
                       const char *reason,
                       struct watch_effects *effects)
{
    ASSERT(has_process(watch));
    watch->kill_cause = cause;
    copy_reason(watch->kill_reason, reason);
    tell_down(watch, effects);
    move(watch, WATCH_KILLED, event->now_ms, 0);
    (void)emit(effects, WATCH_EFFECT_KILL); /* carries nothing */
}

/* Crashes that count and lie in the window. */
static uint32_t recent_count(const struct watch *watch, uint64_t now_ms)
{
    uint32_t count = 0;

    for (size_t i = 0; i < WATCH_CRASH_COUNT; i++) {
        const struct watch_crash *crash = watch_tally_at(&watch->tally, i);

        if (crash != NULL && crash->counts &&
            now_ms < crash->boot_ms + watch->options.crash_window_ms) {
            count++;
        }
    }
    return count;
}

static void enter_safe(struct watch *watch, const char *reason, struct watch_effects *effects)
{
    ASSERT(!watch->safe);
    watch->safe = true;
    copy_reason(watch->safe_reason, reason);
    copy_reason(emit(effects, WATCH_EFFECT_SAFE_ON)->u.reason, watch->safe_reason);
}

static void judge_loop(struct watch *watch, uint64_t now_ms, struct watch_effects *effects)
{
    const struct watch_crash *last = watch_tally_at(&watch->tally, 0);
    uint32_t count = recent_count(watch, now_ms);
    char reason[WATCH_REASON_SIZE];

    if (watch->safe || count < watch->options.crash_count) {
        return;
    }
    ASSERT(last != NULL); /* crash_count is at least one */
    (void)snprintf(reason, sizeof(reason), "crash loop: %" PRIu32 " in %" PRIu32 " s, last: %.100s",
                   count, watch->options.crash_window_ms / 1000, last->reason);
    enter_safe(watch, reason, effects);
}

static void note_crash(struct watch *watch,
                       const struct watch_event *event,
                       const struct watch_crash *crash,
                       struct watch_effects *effects)
{
    struct watch_crash *slot = &watch->tally.items[watch->tally.count % WATCH_CRASH_COUNT];

    *slot = *crash;
    slot->boot_ms = event->now_ms;
    slot->wall_ms = event->wall_ms;
    slot->counts = true;
    watch->tally.count++;
    if (watch->crash_streak < UINT32_MAX) {
        watch->crash_streak++;
    }
    emit(effects, WATCH_EFFECT_CRASHED)->u.crash = *slot;
    judge_loop(watch, event->now_ms, effects);
}

/* Nothing before the first restart; then doubling, of which a random half, so that two hosts that
 * fall over the same thing do not restart in step. */
static uint64_t backoff(const struct watch *watch, uint64_t random)
{
    uint64_t limit = watch->options.backoff_ms;

    if (watch->crash_streak <= 1) {
        return 0;
    }
    for (uint32_t i = 2; i < watch->crash_streak && limit < watch->options.backoff_ms_max; i++) {
        limit *= 2;
    }
    if (limit > watch->options.backoff_ms_max) {
        limit = watch->options.backoff_ms_max;
    }
    return limit - random % (limit / 2 + 1);
}

static void after_end(struct watch *watch,
                      const struct watch_event *event,
                      uint64_t pause_ms,
                      struct watch_effects *effects)
{
    tell_down(watch, effects);
    if (!watch->wanted) {
        move(watch, WATCH_STOPPED, event->now_ms, 0);
        (void)emit(effects, WATCH_EFFECT_STOPPED); /* carries nothing */
    } else if (pause_ms == 0) {
        start(watch, event->now_ms, effects);
    } else {
        move(watch, WATCH_BACKOFF, event->now_ms, pause_ms);
    }
}

static void
on_start(struct watch *watch, const struct watch_event *event, struct watch_effects *effects)
{
    ASSERT(!watch->wanted);
    ASSERT(watch_tally_is_legal(&event->u.tally)); /* the reader has checked it */
    watch->tally = event->u.tally;
    watch->wanted = true;
    judge_loop(watch, event->now_ms, effects);
    if (watch->state == WATCH_STOPPED) {
        start(watch, event->now_ms, effects);
    }
}

static void
on_unstarted(struct watch *watch, const struct watch_event *event, struct watch_effects *effects)
{
    struct watch_crash crash = {.cause = WATCH_CAUSE_FORK};

    ASSERT(watch->state == WATCH_STARTING);
    copy_reason(crash.reason, event->u.reason);
    note_crash(watch, event, &crash, effects);
    /* What could not be started a moment ago is not tried again at once. */
    after_end(watch, event, backoff(watch, event->random) + watch->options.backoff_ms, effects);
}

static void
on_ready(struct watch *watch, const struct watch_event *event, struct watch_effects *effects)
{
    if (watch->state != WATCH_STARTING) {
        return; /* it is being ended */
    }
    for (size_t i = 0; i < CONTRACT_TASK_COUNT; i++) {
        watch->turned_ms[i] = event->now_ms;
    }
    move(watch, WATCH_UP, event->now_ms, 0);
    (void)emit(effects, WATCH_EFFECT_UP); /* carries nothing */
}

static void on_checkin(struct watch *watch, const struct watch_event *event)
{
    for (size_t i = 0; i < CONTRACT_TASK_COUNT; i++) {
        if (event->u.turns[i] != watch->turns[i]) {
            watch->turns[i] = event->u.turns[i];
            watch->turned_ms[i] = event->now_ms;
        }
    }
}

/* The cause of an end that was not asked for. */
static void describe_end(const struct watch *watch,
                         const struct watch_event *event,
                         struct watch_crash *ret_crash)
{
    int status = (int)event->u.exit.status;

    ret_crash->status = event->u.exit.status;
    if (watch->kill_cause != 0) {
        ret_crash->cause = watch->kill_cause;
        ret_crash->task = watch->kill_task;
        copy_reason(ret_crash->reason, watch->kill_reason);
        return;
    }
    ret_crash->cause = event->u.exit.signalled ? WATCH_CAUSE_SIGNAL : WATCH_CAUSE_EXIT;
    (void)snprintf(ret_crash->reason, WATCH_REASON_SIZE, "%s %d%s%.120s",
                   event->u.exit.signalled ? "ended by signal" : "ended with exit code", status,
                   watch->kill_reason[0] == '\0' ? "" : ": ", watch->kill_reason);
}

static void
on_end(struct watch *watch, const struct watch_event *event, struct watch_effects *effects)
{
    struct watch_crash crash = {.cause = 0};
    bool asked =
        watch->state == WATCH_STOPPING || (watch->state == WATCH_KILLED && watch->kill_cause == 0);

    ASSERT(has_process(watch));
    if (asked) {
        after_end(watch, event, 0, effects);
        return;
    }
    if (watch->state == WATCH_UP &&
        event->now_ms - watch->since_ms >= watch->options.backoff_ms_max) {
        watch->crash_streak = 0;
    }
    tell_down(watch, effects);
    describe_end(watch, event, &crash);
    note_crash(watch, event, &crash, effects);
    after_end(watch, event, backoff(watch, event->random), effects);
}

static void on_failed(struct watch *watch, const struct watch_event *event)
{
    if (watch->kill_cause == 0) {
        copy_reason(watch->kill_reason, event->u.reason);
    }
}

static void
on_broken(struct watch *watch, const struct watch_event *event, struct watch_effects *effects)
{
    if (has_process(watch) && watch->state != WATCH_KILLED) {
        kill_child(watch, event, WATCH_CAUSE_CONTRACT, event->u.reason, effects);
    }
}

/* One such crash is enough for safe mode: a restart would take the lead again, and waste as much
 * time. */
static void
on_unfit(struct watch *watch, const struct watch_event *event, struct watch_effects *effects)
{
    if (!has_process(watch) || watch->state == WATCH_KILLED) {
        return;
    }
    if (!watch->safe) {
        enter_safe(watch, event->u.reason, effects);
    }
    kill_child(watch, event, WATCH_CAUSE_SLOW, event->u.reason, effects);
}

static void
on_revoke(struct watch *watch, const struct watch_event *event, struct watch_effects *effects)
{
    if (has_process(watch) && watch->state != WATCH_KILLED) {
        kill_child(watch, event, 0, event->u.reason, effects);
    }
}

static void
on_stop(struct watch *watch, const struct watch_event *event, struct watch_effects *effects)
{
    if (!watch->wanted) {
        return;
    }
    watch->wanted = false;
    switch (watch->state) {
    case WATCH_STOPPED:
    case WATCH_BACKOFF:
        after_end(watch, event, 0, effects);
        return;
    case WATCH_STARTING:
    case WATCH_UP:
        tell_down(watch, effects);
        move(watch, WATCH_STOPPING, event->now_ms, watch->options.stop_ms);
        (void)emit(effects, WATCH_EFFECT_TERM); /* carries nothing */
        return;
    case WATCH_STOPPING:
    case WATCH_KILLED:
        return;
    }
}

static void leave_safe(struct watch *watch, struct watch_effects *effects)
{
    for (size_t i = 0; i < WATCH_CRASH_COUNT; i++) {
        watch->tally.items[i].counts = false;
    }
    watch->crash_streak = 0;
    if (watch->safe) {
        watch->safe = false;
        watch->safe_reason[0] = '\0';
        (void)emit(effects, WATCH_EFFECT_SAFE_OFF); /* carries nothing */
    }
}

/* The task that has stood still the longest, or COUNT. */
static size_t slowest_task(const struct watch *watch)
{
    size_t found = 0;

    for (size_t i = 1; i < CONTRACT_TASK_COUNT; i++) {
        if (watch->turned_ms[i] < watch->turned_ms[found]) {
            found = i;
        }
    }
    return found;
}

static void
tick_up(struct watch *watch, const struct watch_event *event, struct watch_effects *effects)
{
    size_t task = slowest_task(watch);
    char reason[WATCH_REASON_SIZE];

    if (event->now_ms >= watch->turned_ms[task] + watch_checkin_ms(watch)) {
        (void)snprintf(reason, sizeof(reason), "task %s did not check in for %" PRIu64 " ms",
                       watch_task_word((uint8_t)task), event->now_ms - watch->turned_ms[task]);
        watch->kill_task = (uint8_t)task;
        kill_child(watch, event, WATCH_CAUSE_HANG, reason, effects);
        return;
    }
    if (watch->safe && event->now_ms >= watch->since_ms + watch->options.quiet_ms) {
        leave_safe(watch, effects);
    }
}

static void
on_tick(struct watch *watch, const struct watch_event *event, struct watch_effects *effects)
{
    char reason[WATCH_REASON_SIZE];

    if (event->now_ms >= watch->closed_ms &&
        (watch->state == WATCH_UP || watch->state == WATCH_STARTING)) {
        kill_child(watch, event, WATCH_CAUSE_CONTRACT, "closed the contract and did not end",
                   effects);
        return;
    }
    if (watch->state == WATCH_UP) {
        tick_up(watch, event, effects);
        return;
    }
    if (event->now_ms < watch->until_ms) {
        return;
    }
    if (watch->state == WATCH_BACKOFF) {
        start(watch, event->now_ms, effects);
    } else if (watch->state == WATCH_STARTING) {
        (void)snprintf(reason, sizeof(reason), "not up within %" PRIu32 " ms",
                       watch->options.start_ms);
        kill_child(watch, event, WATCH_CAUSE_SLOW, reason, effects);
    } else if (watch->state == WATCH_STOPPING) {
        kill_child(watch, event, 0, "did not stop in time", effects);
    }
}

static void
dispatch(struct watch *watch, const struct watch_event *event, struct watch_effects *effects)
{
    switch (event->type) {
    case WATCH_EVENT_START:
        on_start(watch, event, effects);
        break;
    case WATCH_EVENT_UNSTARTED:
        on_unstarted(watch, event, effects);
        break;
    case WATCH_EVENT_READY:
        on_ready(watch, event, effects);
        break;
    case WATCH_EVENT_CHECKIN:
        on_checkin(watch, event);
        break;
    case WATCH_EVENT_FAILED:
        on_failed(watch, event);
        break;
    case WATCH_EVENT_BROKEN:
        on_broken(watch, event, effects);
        break;
    case WATCH_EVENT_CLOSED:
        watch->closed_ms = event->now_ms + CLOSED_MS;
        break;
    case WATCH_EVENT_EXIT:
        on_end(watch, event, effects);
        break;
    case WATCH_EVENT_UNFIT:
        on_unfit(watch, event, effects);
        break;
    case WATCH_EVENT_REVOKE:
        on_revoke(watch, event, effects);
        break;
    case WATCH_EVENT_STOP:
        on_stop(watch, event, effects);
        break;
    case WATCH_EVENT_CLEAR_SAFE:
        leave_safe(watch, effects);
        break;
    case WATCH_EVENT_TICK:
        on_tick(watch, event, effects);
        break;
    }
}

void watch_init(struct watch *watch, const struct watch_options *options)
{
    memset(watch, 0, sizeof(*watch));
    watch_set_options(watch, options);
    watch->state = WATCH_STOPPED;
    watch->until_ms = UINT64_MAX;
    watch->closed_ms = UINT64_MAX;
    watch_invariant(watch);
}

void watch_set_options(struct watch *watch, const struct watch_options *options)
{
    ASSERT(options->crash_count > 0);
    ASSERT(options->crash_count <= WATCH_CRASH_COUNT);
    ASSERT(options->checkin_ms > 0);
    ASSERT(options->backoff_ms > 0);
    ASSERT(options->backoff_ms <= options->backoff_ms_max);
    ASSERT(options->start_ms > 0);
    ASSERT(options->stop_ms > 0);
    watch->options = *options;
}

uint32_t watch_checkin_ms(const struct watch *watch)
{
    uint32_t told = watch->checkin_ms;

    return told > watch->options.checkin_ms ? told : watch->options.checkin_ms;
}

void watch_step(struct watch *watch, const struct watch_event *event, struct watch_effects *effects)
{
    effects->count = 0;
    dispatch(watch, event, effects);
    watch_invariant(watch);
}

uint64_t watch_deadline_ms(const struct watch *watch)
{
    uint64_t deadline = watch->until_ms;

    if (watch->state == WATCH_UP) {
        deadline = watch->turned_ms[slowest_task(watch)] + watch_checkin_ms(watch);
    }
    if ((watch->state == WATCH_UP || watch->state == WATCH_STARTING) &&
        watch->closed_ms < deadline) {
        return watch->closed_ms;
    }
    if (watch->state != WATCH_UP) {
        return deadline;
    }
    if (watch->safe && watch->since_ms + watch->options.quiet_ms < deadline) {
        deadline = watch->since_ms + watch->options.quiet_ms;
    }
    return deadline;
}

void watch_invariant(const struct watch *watch)
{
    ASSERT(watch->state != WATCH_BACKOFF || watch->wanted);
    ASSERT(watch->state != WATCH_UP || watch->wanted);
    ASSERT(watch->state != WATCH_STOPPED || !watch->shown);
    ASSERT(watch->state != WATCH_KILLED || !watch->shown);
    ASSERT(!watch->safe || watch->safe_reason[0] != '\0');
    ASSERT(watch->kill_cause < WATCH_CAUSE_END);
    ASSERT(watch->kill_task < CONTRACT_TASK_COUNT);
}

bool watch_is_stuck(const struct watch *watch, uint64_t now_ms)
{
    return watch->state == WATCH_KILLED && now_ms >= watch->since_ms + STUCK_MS;
}

const char *watch_state_word(enum watch_state state)
{
    static const char *const words[] = {"stopped",  "starting", "up",
                                        "stopping", "killed",   "backoff"};

    return words[state];
}

const char *watch_cause_word(uint8_t cause)
{
    static const char *const words[WATCH_CAUSE_END] = {"none", "exit",     "signal", "hang",
                                                       "slow", "contract", "fork"};

    ASSERT(cause < WATCH_CAUSE_END);
    return words[cause];
}

const char *watch_task_word(uint8_t task)
{
    static const char *const words[CONTRACT_TASK_COUNT] = {"loop",         "writer",      "syncer",
                                                           "checkpointer", "replication", "outbox"};

    ASSERT(task < CONTRACT_TASK_COUNT);
    return words[task];
}

const struct watch_crash *watch_tally_at(const struct watch_tally *tally, size_t index)
{
    if (index >= WATCH_CRASH_COUNT || index >= tally->count) {
        return NULL;
    }
    return &tally->items[(tally->count - 1 - index) % WATCH_CRASH_COUNT];
}

bool watch_tally_is_legal(const struct watch_tally *tally)
{
    for (size_t i = 0; i < WATCH_CRASH_COUNT; i++) {
        const struct watch_crash *crash = &tally->items[i];
        bool used = i < tally->count;

        if (used != (crash->cause != 0) || crash->cause >= WATCH_CAUSE_END ||
            crash->task >= CONTRACT_TASK_COUNT ||
            memchr(crash->reason, '\0', WATCH_REASON_SIZE) == NULL) {
            return false;
        }
    }
    return true;
}
