/* SPDX-License-Identifier: Apache-2.0 */
/* fence.c: whether the other host is off for certain.
 * Owns the order of an attempt, what an agent's end means, and which device is believed.
 * Never takes anything unclear for an "off", never gives its word for an earlier silence, never
 * begins by itself (F1 to F5 of fence.h). */
#include "supervisor/arbiter/fence.h"

#include "base/assert.h"
#include "supervisor/failover/mutant.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A host that has just lost its power is "off" before the link says so. */
#define DOUBT_MS 5000U

/* ---- Effects ---- */

static struct fence_effect *add(struct fence_effects *effects, enum fence_effect_type type)
{
    struct fence_effect *effect;

    ASSERT(effects->count < FENCE_EFFECT_COUNT_MAX);
    effect = &effects->items[effects->count++];
    memset(effect, 0, sizeof(*effect));
    effect->type = type;
    return effect;
}

static void ask(struct fence *fence,
                struct fence_effects *effects,
                size_t device,
                enum fence_action action,
                uint64_t now_ms)
{
    struct fence_effect *effect = add(effects, FENCE_EFFECT_ASK);

    ASSERT(!fence->asked);
    ASSERT(device < fence->options.device_count);
    fence->asked = true;
    fence->device = device;
    fence->until_ms = now_ms + fence->options.run_ms;
    effect->ask.number = ++fence->number;
    effect->ask.device = device;
    effect->ask.action = action;
}

static void cancel(struct fence *fence, struct fence_effects *effects)
{
    if (fence->asked) {
        fence->asked = false;
        fence->looking = false;
        (void)add(effects, FENCE_EFFECT_CANCEL);
    }
}

/* ---- What is told ---- */

static const char *name_of(const struct fence *fence, size_t device)
{
    return fence->options.devices[device];
}

static void write(char reason[FENCE_REASON_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void write(char reason[FENCE_REASON_SIZE], const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(reason, FENCE_REASON_SIZE, format, arguments); /* cut is fine */
    va_end(arguments);
}

/* Why this device would not do; false: it would. */
static bool
device_fault(const struct fence *fence, size_t index, char ret_reason[FENCE_REASON_SIZE])
{
    const struct fence_device *device = &fence->devices[index];
    const char *name = name_of(fence, index);

    if (device->denied) {
        write(ret_reason,
              "%s says \"off\" of the other host, which is heard: a wrong plug, or one left off?",
              name);
    } else if (device->known && device->problem[0] != '\0') {
        write(ret_reason, "%s: %.120s", name, device->problem);
    } else {
        return false;
    }
    return true;
}

/* While nothing is wanted. */
static enum fence_phase phase_at_rest(const struct fence *fence, char ret_reason[FENCE_REASON_SIZE])
{
    for (size_t i = 0; i < fence->options.device_count; i++) {
        if (device_fault(fence, i, ret_reason)) {
            return FENCE_TROUBLE;
        }
    }
    return FENCE_READY;
}

static enum fence_phase phase_of(const struct fence *fence, char ret_reason[FENCE_REASON_SIZE])
{
    ret_reason[0] = '\0';
    if (fence->step == FENCE_STEP_NONE) {
        return phase_at_rest(fence, ret_reason);
    }
    if (fence->step == FENCE_STEP_DONE) {
        return FENCE_DONE;
    }
    if (fence->tries == 0) {
        return fence->step == FENCE_STEP_WAIT && fence->left ? FENCE_WAITING : FENCE_RUNNING;
    }
    write(ret_reason, "%s", fence->failure);
    return FENCE_FAILED;
}

static void tell(struct fence *fence, struct fence_effects *effects)
{
    char reason[FENCE_REASON_SIZE];
    enum fence_phase phase = phase_of(fence, reason);

    if (phase != fence->phase || strcmp(reason, fence->reason) != 0) {
        fence->phase = phase;
        write(fence->reason, "%s", reason);
        (void)add(effects, FENCE_EFFECT_TELL);
    }
}

/* ---- An attempt ---- */

static void fail(struct fence *fence, uint64_t now_ms)
{
    fence->step = FENCE_STEP_PAUSE;
    fence->tries++;
    fence->due_ms = now_ms + fence->pause_ms;
    fence->pause_ms =
        fence->pause_ms < FENCE_PAUSE_MS_MAX / 2 ? fence->pause_ms * 2 : FENCE_PAUSE_MS_MAX;
}

/* F4: nothing is switched off by a device that may be connected to something else. */
static bool is_believed(struct fence *fence)
{
    for (size_t i = 0; i < fence->options.device_count; i++) {
        const struct fence_device *device = &fence->devices[i];

        if (device->denied || !device->seen) {
            write(fence->failure, "%s %s", name_of(fence, i),
                  device->denied
                      ? "said \"off\" of the other host while that was heard"
                      : "has not yet said \"on\" of the other host while that was heard");
            return MUTANT(fence_unseen);
        }
    }
    return true;
}

static void begin(struct fence *fence, struct fence_effects *effects, uint64_t now_ms)
{
    if (!is_believed(fence)) {
        fail(fence, now_ms);
        return;
    }
    fence->step = FENCE_STEP_OFF;
    ask(fence, effects, 0, FENCE_ACTION_OFF, now_ms);
}

static void confirmed(struct fence *fence, struct fence_effects *effects)
{
    fence->step = FENCE_STEP_DONE;
    for (size_t i = 0; i < fence->options.device_count; i++) {
        fence->devices[i].seen = false; /* whoever repairs that host may move its plugs */
    }
    (void)add(effects, FENCE_EFFECT_OFF);
}

/* "off" was taken by the device. */
static void off_taken(struct fence *fence, struct fence_effects *effects, uint64_t now_ms)
{
    if (fence->device + 1 < fence->options.device_count) {
        ask(fence, effects, fence->device + 1, FENCE_ACTION_OFF, now_ms);
        return;
    }
    if (MUTANT(fence_off_is_proof)) {
        confirmed(fence, effects);
        return;
    }
    fence->step = FENCE_STEP_CHECK;
    ask(fence, effects, 0, FENCE_ACTION_STATUS, now_ms);
}

static void said_off(struct fence *fence, struct fence_effects *effects, uint64_t now_ms)
{
    if (fence->device + 1 < fence->options.device_count) {
        ask(fence, effects, fence->device + 1, FENCE_ACTION_STATUS, now_ms);
    } else {
        confirmed(fence, effects);
    }
}

static void attempt_result(struct fence *fence,
                           const struct fence_result *result,
                           struct fence_effects *effects,
                           uint64_t now_ms)
{
    bool off = fence->step == FENCE_STEP_OFF;
    const char *name = name_of(fence, fence->device);

    ASSERT(off || fence->step == FENCE_STEP_CHECK);
    if (off && result->exited && result->code == FENCE_CODE_OK) {
        off_taken(fence, effects, now_ms);
    } else if (!off && ((result->exited && result->code == FENCE_CODE_OFF) ||
                        MUTANT(fence_unclear_is_off))) {
        said_off(fence, effects, now_ms);
    } else if (!off && result->exited && result->code == FENCE_CODE_OK) {
        write(fence->failure, "%s took \"off\", and says that the other host is on", name);
        fail(fence, now_ms);
    } else {
        write(fence->failure, "%s: %s: %.100s", name, off ? "off" : "status", result->text);
        fail(fence, now_ms);
    }
}

/* ---- Looking at the devices ---- */

/* F4. A host that has just lost its power is off before anybody notices: the device is asked again,
 * and the host is not heard any more by then, or the device speaks of another one. */
static void look_judge(struct fence_device *device)
{
    if (device->on) {
        device->seen = true;
        device->doubt = false;
        device->denied = false;
    } else if (!device->doubt) {
        device->doubt = true;
    } else {
        device->denied = true;
        device->seen = false;
    }
}

static void look_note(struct fence *fence, const struct fence_result *result, uint64_t now_ms)
{
    struct fence_device *device = &fence->devices[fence->device];
    bool on = result->code == FENCE_CODE_OK;

    device->known = true;
    device->asked_ms = now_ms;
    if (!result->exited || (!on && result->code != FENCE_CODE_OFF)) {
        write(device->problem, "status: %.100s", result->text);
        return;
    }
    device->problem[0] = '\0';
    device->on = on;
    if (fence->up) {
        look_judge(device);
    }
}

static uint64_t look_pause_ms(const struct fence *fence)
{
    for (size_t i = 0; i < fence->options.device_count; i++) {
        if (fence->devices[i].doubt && !fence->devices[i].denied &&
            fence->options.monitor_ms > DOUBT_MS) {
            return DOUBT_MS;
        }
    }
    return fence->options.monitor_ms;
}

static void look_result(struct fence *fence,
                        const struct fence_result *result,
                        struct fence_effects *effects,
                        uint64_t now_ms)
{
    fence->looking = false;
    look_note(fence, result, now_ms);
    if (fence->device + 1 < fence->options.device_count) {
        fence->looking = true;
        ask(fence, effects, fence->device + 1, FENCE_ACTION_STATUS, now_ms);
    } else {
        fence->look_ms = now_ms + look_pause_ms(fence);
    }
}

/* ---- Events ---- */

static bool is_in_attempt(const struct fence *fence)
{
    return fence->step != FENCE_STEP_NONE;
}

static void attempt_end(struct fence *fence, struct fence_effects *effects, uint64_t now_ms)
{
    cancel(fence, effects);
    fence->step = FENCE_STEP_NONE;
    fence->tries = 0;
    fence->look_ms = now_ms;
}

/* F3, F5: begun and ended by what is wanted and by the link, never by an answer. */
static void consider(struct fence *fence, struct fence_effects *effects, uint64_t now_ms)
{
    bool wanted = fence->wanted && !fence->up;

    if (is_in_attempt(fence) && !wanted) {
        attempt_end(fence, effects, now_ms);
    } else if (!is_in_attempt(fence) && wanted) {
        cancel(fence, effects);
        fence->step = FENCE_STEP_WAIT;
        fence->pause_ms = fence->options.pause_ms;
        fence->due_ms = now_ms + (fence->left ? fence->options.leave_ms : fence->options.wait_ms) +
                        (fence->leads ? 0 : fence->options.delay_ms);
    }
}

static void on_link(struct fence *fence, bool up, uint64_t now_ms)
{
    if (fence->up == up) {
        return;
    }
    fence->up = up;
    for (size_t i = 0; i < fence->options.device_count; i++) {
        fence->devices[i].doubt = false;
    }
    if (up) {
        fence->left = false;
        fence->look_ms = now_ms; /* until then no device is believed that was not before */
    }
}

static void on_result(struct fence *fence,
                      const struct fence_result *result,
                      struct fence_effects *effects,
                      uint64_t now_ms)
{
    bool current = result->number == fence->number || MUTANT(fence_old_answer);

    if (!fence->asked || !current) {
        return; /* of a question that was given up */
    }
    fence->asked = false;
    if (fence->looking) {
        look_result(fence, result, effects, now_ms);
    } else {
        attempt_result(fence, result, effects, now_ms);
    }
}

static void on_tick(struct fence *fence, struct fence_effects *effects, uint64_t now_ms)
{
    bool waits = fence->step == FENCE_STEP_WAIT || fence->step == FENCE_STEP_PAUSE;

    if (fence->asked && now_ms >= fence->until_ms) {
        struct fence_result late = {.number = fence->number};

        write(late.text, "no answer in %u ms", (unsigned)fence->options.run_ms);
        (void)add(effects, FENCE_EFFECT_CANCEL);
        on_result(fence, &late, effects, now_ms);
    } else if (waits && now_ms >= fence->due_ms) {
        begin(fence, effects, now_ms);
    } else if (!fence->asked && now_ms >= fence->look_ms &&
               (fence->step == FENCE_STEP_NONE || fence->step == FENCE_STEP_DONE)) {
        fence->looking = true;
        ask(fence, effects, 0, FENCE_ACTION_STATUS, now_ms);
    }
}

void fence_init(struct fence *fence, const struct fence_options *options)
{
    ASSERT(options->device_count > 0);
    ASSERT(options->device_count <= FENCE_DEVICE_COUNT_MAX);
    ASSERT(options->run_ms > 0);
    ASSERT(options->monitor_ms > 0);
    ASSERT(options->pause_ms > 0);
    ASSERT(options->pause_ms <= FENCE_PAUSE_MS_MAX);
    memset(fence, 0, sizeof(*fence));
    fence->options = *options;
    fence->pause_ms = options->pause_ms;
}

void fence_step(struct fence *fence, const struct fence_event *event, struct fence_effects *effects)
{
    effects->count = 0;
    switch (event->type) {
    case FENCE_EVENT_WANT:
        fence->wanted = event->u.want.on;
        fence->leads = event->u.want.leads;
        break;
    case FENCE_EVENT_LINK:
        on_link(fence, event->u.up, event->now_ms);
        break;
    case FENCE_EVENT_LEAVING:
        fence->left = fence->up;
        break;
    case FENCE_EVENT_RESULT:
        on_result(fence, &event->u.result, effects, event->now_ms);
        break;
    case FENCE_EVENT_TICK:
        on_tick(fence, effects, event->now_ms);
        break;
    }
    consider(fence, effects, event->now_ms);
    tell(fence, effects);
    fence_invariant(fence);
}

uint64_t fence_deadline_ms(const struct fence *fence)
{
    if (fence->asked) {
        return fence->until_ms;
    }
    if (fence->step == FENCE_STEP_WAIT || fence->step == FENCE_STEP_PAUSE) {
        return fence->due_ms;
    }
    return fence->look_ms;
}

void fence_invariant(const struct fence *fence)
{
    bool asks = fence->step == FENCE_STEP_OFF || fence->step == FENCE_STEP_CHECK;

    ASSERT(!is_in_attempt(fence) || (fence->wanted && !fence->up));
    ASSERT(!asks || (fence->asked && !fence->looking)); /* F6: one question, this one */
    ASSERT(!fence->looking || fence->asked);
    ASSERT(!fence->looking || fence->step == FENCE_STEP_NONE || fence->step == FENCE_STEP_DONE);
    ASSERT(fence->device < fence->options.device_count);
    ASSERT(fence->pause_ms <= FENCE_PAUSE_MS_MAX);
}

const char *fence_phase_word(enum fence_phase phase)
{
    static const char *const words[] = {"ready", "trouble", "running", "failed", "done", "waiting"};

    ASSERT(phase <= FENCE_WAITING);
    return words[phase];
}

const char *fence_action_word(enum fence_action action)
{
    return action == FENCE_ACTION_OFF ? "off" : "status";
}
