/* SPDX-License-Identifier: Apache-2.0 */
/* test_fence.c: proves supervisor/arbiter/fence: when the other host is off for certain, as
 * readable traces. Owns nothing but its cases. Never runs an agent. */
#include "supervisor/arbiter/fence.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define TRACE_SIZE                512U
#define EXPECT_TEXT(text, wanted) CU_ASSERT_STRING_EQUAL(text, wanted)

struct bench {
    struct fence fence;
    uint64_t now_ms;
    uint64_t number; /* of the last question */
    char trace[TRACE_SIZE];
};

static void note(struct bench *bench, const struct fence_effect *effect)
{
    static const char *const words[] = {"cancel", "", "WORD", "tell"};
    size_t used = strlen(bench->trace);
    const char *space = used == 0 ? "" : " ";
    char *to = bench->trace + used;

    if (effect->type == FENCE_EFFECT_ASK) {
        bench->number = effect->ask.number;
        (void)snprintf(to, TRACE_SIZE - used, "%s%s:%s", space,
                       fence_action_word(effect->ask.action),
                       bench->fence.options.devices[effect->ask.device]);
    } else if (effect->type == FENCE_EFFECT_TELL) {
        (void)snprintf(to, TRACE_SIZE - used, "%s(%s)", space,
                       fence_phase_word(bench->fence.phase));
    } else {
        (void)snprintf(to, TRACE_SIZE - used, "%s%s", space, words[effect->type]);
    }
}

static const char *step(struct bench *bench, struct fence_event *event)
{
    struct fence_effects effects;

    bench->trace[0] = '\0';
    event->now_ms = bench->now_ms;
    fence_step(&bench->fence, event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        note(bench, &effects.items[i]);
    }
    return bench->trace;
}

static const char *result_of(struct bench *bench, uint64_t number, bool exited, int code)
{
    struct fence_event event = {.type = FENCE_EVENT_RESULT,
                                .u.result = {.number = number, .exited = exited, .code = code}};

    (void)snprintf(event.u.result.text, sizeof(event.u.result.text), "because");
    return step(bench, &event);
}

static const char *ends(struct bench *bench, int code)
{
    return result_of(bench, bench->number, true, code);
}

static const char *set_link(struct bench *bench, bool up)
{
    struct fence_event event = {.type = FENCE_EVENT_LINK, .u.up = up};

    return step(bench, &event);
}

static const char *want(struct bench *bench, bool on, bool leads)
{
    struct fence_event event = {.type = FENCE_EVENT_WANT, .u.want = {.on = on, .leads = leads}};

    return step(bench, &event);
}

/* What is due after so long. */
static const char *after(struct bench *bench, uint64_t ms)
{
    struct fence_event event = {.type = FENCE_EVENT_TICK};

    bench->now_ms += ms;
    return step(bench, &event);
}

static void bench_init(struct bench *bench, size_t device_count)
{
    struct fence_options options = {.device_count = device_count,
                                    .devices = {"a", "b"},
                                    .wait_ms = 2000,
                                    .leave_ms = 120000,
                                    .delay_ms = 5000,
                                    .run_ms = 30000,
                                    .pause_ms = 1000,
                                    .monitor_ms = 60000};

    memset(bench, 0, sizeof(*bench));
    bench->now_ms = 1000;
    fence_init(&bench->fence, &options);
}

/* One device, which has said "on" while the other host was heard; then the link is lost. */
static void bench_silent(struct bench *bench)
{
    bench_init(bench, 1);
    (void)set_link(bench, true);
    EXPECT_TEXT(after(bench, 0), "status:a");
    EXPECT_TEXT(ends(bench, FENCE_CODE_OK), "");
    EXPECT_TEXT(set_link(bench, false), "");
}

/* "off" of the device is under way. */
static void bench_off(struct bench *bench)
{
    bench_silent(bench);
    EXPECT_TEXT(want(bench, true, true), "(running)");
    EXPECT_TEXT(after(bench, 2000), "off:a");
}

static void off_and_confirmed_is_the_word(void)
{
    struct bench bench;

    bench_off(&bench);
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "status:a");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OFF), "WORD (done)");
    EXPECT_TEXT(want(&bench, false, true), "(ready)");
    CU_ASSERT_FALSE(bench.fence.devices[0].seen); /* before it is believed again it says "on" */
}

static void taken_and_not_done_is_no_word(void)
{
    struct bench bench;

    bench_off(&bench);
    (void)ends(&bench, FENCE_CODE_OK);
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "(failed)"); /* status: it is on */
    EXPECT_TEXT(bench.fence.reason, "a took \"off\", and says that the other host is on");
    EXPECT_TEXT(after(&bench, 999), "");
    EXPECT_TEXT(after(&bench, 1), "off:a"); /* from the start */
}

static void whatever_is_unclear_is_no_word(void)
{
    static const int codes[] = {1, 3, 127, 255, -1};
    struct bench bench;

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        bench_off(&bench);
        EXPECT_TEXT(ends(&bench, codes[i]), "(failed)");
        bench_off(&bench);
        (void)ends(&bench, FENCE_CODE_OK);
        EXPECT_TEXT(ends(&bench, codes[i]), "(failed)");
    }
    bench_off(&bench); /* a script that cannot be read ends with 2, too */
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OFF), "(failed)");
    bench_off(&bench);
    EXPECT_TEXT(result_of(&bench, bench.number, false, FENCE_CODE_OK), "(failed)");
    bench_off(&bench);
    (void)ends(&bench, FENCE_CODE_OK);
    EXPECT_TEXT(result_of(&bench, bench.number, false, FENCE_CODE_OFF), "(failed)");
    EXPECT_TEXT(bench.fence.reason, "a: status: because");
}

static void an_agent_that_hangs_is_cancelled_and_tried_again(void)
{
    struct bench bench;

    bench_off(&bench);
    CU_ASSERT(fence_deadline_ms(&bench.fence) == bench.now_ms + 30000);
    EXPECT_TEXT(after(&bench, 30000), "cancel (failed)");
    EXPECT_TEXT(bench.fence.reason, "a: off: no answer in 30000 ms");
    EXPECT_TEXT(after(&bench, 1000), "off:a");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "status:a");
    EXPECT_TEXT(after(&bench, 30000), "cancel (failed)");
    EXPECT_TEXT(bench.fence.reason, "a: status: no answer in 30000 ms");
}

static void pauses_grow_and_end_with_the_silence(void)
{
    uint64_t pause_ms = 1000;
    struct bench bench;

    bench_off(&bench);
    for (unsigned int i = 0; i < 10; i++) {
        (void)ends(&bench, 1);
        CU_ASSERT(fence_deadline_ms(&bench.fence) == bench.now_ms + pause_ms);
        EXPECT_TEXT(after(&bench, pause_ms), "off:a");
        pause_ms = pause_ms < FENCE_PAUSE_MS_MAX / 2 ? pause_ms * 2 : FENCE_PAUSE_MS_MAX;
    }
    EXPECT_TEXT(set_link(&bench, true), "cancel (ready)");
    (void)set_link(&bench, false);
    EXPECT_TEXT(after(&bench, 2000), "off:a");
    (void)ends(&bench, 1);
    CU_ASSERT(fence_deadline_ms(&bench.fence) == bench.now_ms + 1000);
}

static void the_host_that_does_not_lead_waits_longer(void)
{
    struct bench bench;

    bench_silent(&bench);
    (void)want(&bench, true, false);
    EXPECT_TEXT(after(&bench, 6999), "");
    EXPECT_TEXT(after(&bench, 1), "off:a");
}

static void a_link_that_returns_ends_the_attempt_wherever_it_is(void)
{
    struct bench bench;
    uint64_t late;

    bench_silent(&bench);
    (void)want(&bench, true, true);
    EXPECT_TEXT(set_link(&bench, true), "(ready)"); /* it waited */
    bench_off(&bench);
    EXPECT_TEXT(set_link(&bench, true), "cancel (ready)");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "");
    bench_off(&bench);
    (void)ends(&bench, FENCE_CODE_OK);
    late = bench.number;
    EXPECT_TEXT(set_link(&bench, true), "cancel (ready)");
    EXPECT_TEXT(result_of(&bench, late, true, FENCE_CODE_OFF), "");
    /* The next silence, in which the device takes "off" and does not do it. */
    EXPECT_TEXT(set_link(&bench, false), "(running)");
    EXPECT_TEXT(after(&bench, 2000), "off:a");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "status:a");
    EXPECT_TEXT(result_of(&bench, late, true, FENCE_CODE_OFF), "");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "(failed)");
}

static void a_host_that_is_being_stopped_is_given_longer(void)
{
    struct fence_event leaving = {.type = FENCE_EVENT_LEAVING};
    struct bench bench;

    bench_init(&bench, 1);
    (void)set_link(&bench, true);
    (void)after(&bench, 0);
    (void)ends(&bench, FENCE_CODE_OK);
    EXPECT_TEXT(step(&bench, &leaving), "");
    (void)set_link(&bench, false);
    EXPECT_TEXT(want(&bench, true, true), "(waiting)");
    EXPECT_TEXT(after(&bench, 119999), "");
    EXPECT_TEXT(after(&bench, 1), "off:a (running)");
    (void)set_link(&bench, true); /* it is back: its next silence is any other */
    (void)set_link(&bench, false);
    EXPECT_TEXT(step(&bench, &leaving), ""); /* said on a connection that is gone */
    EXPECT_TEXT(after(&bench, 2000), "off:a");
}

static void who_does_not_want_it_any_more_gives_no_word(void)
{
    struct bench bench;

    bench_off(&bench);
    (void)ends(&bench, FENCE_CODE_OK);
    EXPECT_TEXT(want(&bench, false, false), "cancel (ready)"); /* its approvald crashed */
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OFF), "");
}

static void a_host_with_two_inputs_is_off_when_both_are(void)
{
    struct bench bench;

    bench_init(&bench, 2);
    (void)set_link(&bench, true);
    EXPECT_TEXT(after(&bench, 0), "status:a");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "status:b");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "");
    (void)set_link(&bench, false);
    (void)want(&bench, true, true);
    EXPECT_TEXT(after(&bench, 2000), "off:a");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "off:b");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "status:a");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OFF), "status:b");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "(failed)");
    EXPECT_TEXT(after(&bench, 1000), "off:a");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "off:b");
    EXPECT_TEXT(ends(&bench, 1), "(failed)"); /* for another reason */
    EXPECT_TEXT(after(&bench, 2000), "off:a");
    (void)ends(&bench, FENCE_CODE_OK);
    (void)ends(&bench, FENCE_CODE_OK);
    (void)ends(&bench, FENCE_CODE_OFF);
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OFF), "WORD (done)");
}

static void a_device_that_never_said_on_is_asked_for_nothing(void)
{
    struct bench bench;

    bench_init(&bench, 1);
    (void)want(&bench, true, true);
    EXPECT_TEXT(after(&bench, 2000), "(failed)");
    EXPECT_TEXT(bench.fence.reason,
                "a has not yet said \"on\" of the other host while that was heard");
    bench_init(&bench, 1); /* it says so of a host that is not heard */
    EXPECT_TEXT(after(&bench, 0), "status:a");
    (void)ends(&bench, FENCE_CODE_OK);
    (void)want(&bench, true, true);
    EXPECT_TEXT(after(&bench, 2000), "(failed)");
}

static void a_device_that_says_off_of_a_host_that_is_heard_is_not_believed(void)
{
    struct bench bench;

    bench_init(&bench, 1);
    (void)set_link(&bench, true);
    (void)after(&bench, 0);
    (void)ends(&bench, FENCE_CODE_OK);
    EXPECT_TEXT(after(&bench, 60000), "status:a");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OFF), ""); /* the host may just have lost its power */
    EXPECT_TEXT(after(&bench, 5000), "status:a");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OFF), "(trouble)");
    (void)set_link(&bench, false);
    (void)want(&bench, true, true);
    EXPECT_TEXT(after(&bench, 2000), "(failed)");
    EXPECT_TEXT(set_link(&bench, true), "(trouble)");
    EXPECT_TEXT(after(&bench, 0), "status:a");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "(ready)"); /* plugged in again */
}

static void a_host_that_has_just_lost_its_power_leaves_its_device_believed(void)
{
    struct bench bench;

    bench_init(&bench, 1);
    (void)set_link(&bench, true);
    (void)after(&bench, 0);
    (void)ends(&bench, FENCE_CODE_OK);
    (void)after(&bench, 60000);
    (void)ends(&bench, FENCE_CODE_OFF);
    (void)set_link(&bench, false);
    (void)want(&bench, true, true);
    EXPECT_TEXT(after(&bench, 2000), "off:a");
    (void)ends(&bench, FENCE_CODE_OK);
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OFF), "WORD (done)");
}

static void a_device_that_does_not_answer_is_told_before_it_is_needed(void)
{
    struct bench bench;

    bench_init(&bench, 1);
    (void)set_link(&bench, true);
    (void)after(&bench, 0);
    EXPECT_TEXT(ends(&bench, 1), "(trouble)");
    EXPECT_TEXT(bench.fence.reason, "a: status: because");
    EXPECT_TEXT(after(&bench, 60000), "status:a");
    EXPECT_TEXT(after(&bench, 30000), "cancel (trouble)");
    EXPECT_TEXT(after(&bench, 60000), "status:a");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OK), "(ready)");
}

static void a_look_under_way_gives_way_to_an_attempt(void)
{
    struct bench bench;

    bench_silent(&bench);
    EXPECT_TEXT(after(&bench, 60000), "status:a");
    EXPECT_TEXT(want(&bench, true, true), "cancel (running)");
    EXPECT_TEXT(ends(&bench, FENCE_CODE_OFF), "");
    EXPECT_TEXT(after(&bench, 2000), "off:a");
}

UNIT_MAIN(
    "fence",
    {"off and confirmed is the word", off_and_confirmed_is_the_word},
    {"taken and not done is no word", taken_and_not_done_is_no_word},
    {"whatever is unclear is no word", whatever_is_unclear_is_no_word},
    {"an agent that hangs is cancelled and tried again",
     an_agent_that_hangs_is_cancelled_and_tried_again},
    {"pauses grow and end with the silence", pauses_grow_and_end_with_the_silence},
    {"the host that does not lead waits longer", the_host_that_does_not_lead_waits_longer},
    {"a link that returns ends the attempt wherever it is",
     a_link_that_returns_ends_the_attempt_wherever_it_is},
    {"a host that is being stopped is given longer", a_host_that_is_being_stopped_is_given_longer},
    {"who does not want it any more gives no word", who_does_not_want_it_any_more_gives_no_word},
    {"a host with two inputs is off when both are", a_host_with_two_inputs_is_off_when_both_are},
    {"a device that never said on is asked for nothing",
     a_device_that_never_said_on_is_asked_for_nothing},
    {"a device that says off of a host that is heard is not believed",
     a_device_that_says_off_of_a_host_that_is_heard_is_not_believed},
    {"a host that has just lost its power leaves its device believed",
     a_host_that_has_just_lost_its_power_leaves_its_device_believed},
    {"a device that does not answer is told before it is needed",
     a_device_that_does_not_answer_is_told_before_it_is_needed},
    {"a look under way gives way to an attempt", a_look_under_way_gives_way_to_an_attempt})
