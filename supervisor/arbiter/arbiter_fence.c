/* SPDX-License-Identifier: Apache-2.0 */
/* arbiter_fence.c: carries out the fence core's effects.
 * Owns the one connection to the helper, and what has come of its answer.
 * Never judges an answer (fence.c does), never waits for the helper, never starts a program. */
#include "supervisor/arbiter/arbiter_fence.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "supervisor/limits.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct arbiter_fence {
    struct arbiter_fence_options options; /* but its texts */
    struct sockaddr_un address;
    struct fence fence;
    struct event *timer;  /* owned */
    struct event *answer; /* owned: the connection is readable; NULL: there is none */
    int fd;               /* owned; -1: none */
    uint64_t number;      /* of the question on it, or that has failed */
    bool failed;          /* before it was asked: told by the timer */
    char problem[FENCE_REASON_SIZE];
    size_t line_size;
    char line[SUP_FENCE_LINE_MAX + 1];
};

static void step(struct arbiter_fence *fence, struct fence_event *event);

/* ---- A question ---- */

static void hang_up(struct arbiter_fence *fence)
{
    if (fence->answer != NULL) {
        event_free(fence->answer);
        fence->answer = NULL;
    }
    if (fence->fd >= 0) {
        (void)close(fence->fd); /* nothing is written to it that could be lost */
        fence->fd = -1;
    }
    fence->failed = false;
}

static void result(struct arbiter_fence *fence, bool exited, int code, const char *text)
{
    struct fence_event event = {.type = FENCE_EVENT_RESULT,
                                .u.result = {.exited = exited, .code = code}};

    event.u.result.number = fence->number;
    (void)snprintf(event.u.result.text, sizeof(event.u.result.text), "%s", text); /* cut is fine */
    hang_up(fence);
    step(fence, &event);
}

/* "exit CODE WORDS", or "failed WORDS". Anything else is no answer. */
static void take_line(struct arbiter_fence *fence)
{
    char *line = fence->line;
    char *end = NULL;
    long code;

    if (strncmp(line, "failed ", 7) == 0) {
        result(fence, false, 0, line + 7);
        return;
    }
    if (strncmp(line, "exit ", 5) == 0) {
        errno = 0;
        code = strtol(line + 5, &end, 10);
        if (errno == 0 && end != line + 5 && *end == ' ' && code >= 0 && code <= 255) {
            result(fence, true, (int)code, end + 1);
            return;
        }
    }
    result(fence, false, 0, "the helper was not understood");
}

static void clean(char *line)
{
    for (; *line != '\0'; line++) {
        if ((unsigned char)*line < 0x20 || (unsigned char)*line >= 0x7f) {
            *line = '?';
        }
    }
}

static void on_answer(evutil_socket_t fd, short what, void *arg)
{
    struct arbiter_fence *fence = arg;
    ssize_t size = recv(fd, fence->line + fence->line_size, SUP_FENCE_LINE_MAX - fence->line_size,
                        MSG_DONTWAIT);
    char *end;

    (void)what;
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
        return;
    }
    if (size > 0) {
        fence->line_size += (size_t)size;
        fence->line[fence->line_size] = '\0';
    }
    end = memchr(fence->line, '\n', fence->line_size);
    if (end != NULL) {
        *end = '\0';
        clean(fence->line);
        take_line(fence);
    } else if (size <= 0 || fence->line_size == SUP_FENCE_LINE_MAX) {
        result(fence, false, 0, "the helper ended without an answer");
    }
    fence->options.turned(fence->options.arg);
}

/* Connects and asks, neither of which waits. NULL, or what is wrong. */
static const char *begin(struct arbiter_fence *fence, const char *question)
{
    size_t size = strlen(question);

    fence->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fence->fd < 0 ||
        connect(fence->fd, (const struct sockaddr *)&fence->address, sizeof(fence->address)) != 0) {
        return strerror(errno);
    }
    if (send(fence->fd, question, size, MSG_NOSIGNAL) != (ssize_t)size) {
        return "does not take a question";
    }
    fence->answer =
        event_new(fence->options.base, fence->fd, EV_READ | EV_PERSIST, on_answer, fence);
    return fence->answer == NULL || event_add(fence->answer, NULL) != 0 ? "no memory" : NULL;
}

static void ask(struct arbiter_fence *fence, const struct fence_effect *effect)
{
    char question[FENCE_NAME_SIZE + 16];
    const char *problem;

    hang_up(fence);
    (void)snprintf(question, sizeof(question), "%s %s\n", fence_action_word(effect->ask.action),
                   fence->options.fence.devices[effect->ask.device]); /* fits */
    fence->number = effect->ask.number;
    fence->line_size = 0;
    problem = begin(fence, question);
    if (problem != NULL) {
        hang_up(fence);
        fence->failed = true;
        (void)snprintf(fence->problem, sizeof(fence->problem), "the helper at %.80s: %s",
                       fence->address.sun_path, problem); /* fits */
    }
}

/* ---- Steps ---- */

/* What has failed already is told by the loop, not from within the call that asks. */
static void arm(struct arbiter_fence *fence)
{
    uint64_t deadline_ms = fence_deadline_ms(&fence->fence);
    uint64_t now_ms = clock_boot_ms(clock_host());
    uint64_t wait_ms = deadline_ms > now_ms && !fence->failed ? deadline_ms - now_ms : 0;
    struct timeval wait = {.tv_sec = (time_t)(wait_ms / 1000),
                           .tv_usec = (suseconds_t)(wait_ms % 1000 * 1000)};

    (void)event_add(fence->timer, &wait); /* a timer that was added once needs no memory */
}

static void carry_out(struct arbiter_fence *fence, const struct fence_effect *effect)
{
    switch (effect->type) {
    case FENCE_EFFECT_CANCEL:
        hang_up(fence);
        break;
    case FENCE_EFFECT_ASK:
        ask(fence, effect);
        break;
    case FENCE_EFFECT_OFF:
        fence->options.word(fence->options.arg);
        break;
    case FENCE_EFFECT_TELL:
        fence->options.told(fence->options.arg);
        break;
    }
}

static void step(struct arbiter_fence *fence, struct fence_event *event)
{
    struct fence_effects effects;

    event->now_ms = clock_boot_ms(clock_host());
    fence_step(&fence->fence, event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        carry_out(fence, &effects.items[i]);
    }
    arm(fence);
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct arbiter_fence *fence = arg;
    struct fence_event tick = {.type = FENCE_EVENT_TICK};

    (void)fd;
    (void)what;
    if (fence->failed) {
        result(fence, false, 0, fence->problem);
    } else {
        step(fence, &tick);
    }
    fence->options.turned(fence->options.arg);
}

void arbiter_fence_want(struct arbiter_fence *fence, bool on, bool leads)
{
    struct fence_event event = {.type = FENCE_EVENT_WANT, .u.want = {.on = on, .leads = leads}};

    step(fence, &event);
}

void arbiter_fence_link(struct arbiter_fence *fence, bool up)
{
    struct fence_event event = {.type = FENCE_EVENT_LINK, .u.up = up};

    step(fence, &event);
}

void arbiter_fence_leaving(struct arbiter_fence *fence)
{
    struct fence_event event = {.type = FENCE_EVENT_LEAVING};

    step(fence, &event);
}

const struct fence *arbiter_fence_core(const struct arbiter_fence *fence)
{
    return &fence->fence;
}

enum err_code arbiter_fence_new(const struct arbiter_fence_options *options,
                                struct arbiter_fence **ret_fence,
                                struct err *err)
{
    struct arbiter_fence *fence = mem_new(1, sizeof(*fence));

    if (fence == NULL) {
        return err_set(err, ERR_NOMEM, "fence");
    }
    fence->options = *options;
    fence->fd = -1;
    fence->address.sun_family = AF_UNIX;
    (void)snprintf(fence->address.sun_path, sizeof(fence->address.sun_path), "%s",
                   options->socket); /* the table of options keeps it shorter */
    fence->options.socket = NULL;
    fence_init(&fence->fence, &options->fence);
    fence->timer = event_new(options->base, -1, 0, on_timer, fence);
    if (fence->timer == NULL) {
        arbiter_fence_free(fence);
        return err_set(err, ERR_NOMEM, "fence");
    }
    arm(fence);
    *ret_fence = fence;
    return ERR_OK;
}

void arbiter_fence_free(struct arbiter_fence *fence)
{
    if (fence == NULL) {
        return;
    }
    hang_up(fence);
    if (fence->timer != NULL) {
        event_free(fence->timer);
    }
    mem_free(fence);
}
