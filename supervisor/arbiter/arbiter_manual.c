/* SPDX-License-Identifier: Apache-2.0 */
/* arbiter_manual.c: the shell of the mirrored register: its thread, its timer, its messages.
 * Owns the keeper of this host's copy and the answers on their way to the loop.
 * Never decides what counts: mirror.c does. Never waits for the disk once it is open, and says
 * nothing before it is durable: what the mirror says behind a STORE waits in the queue. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "supervisor/arbiter/arbiter.h"
#include "supervisor/arbiter/mirror_file.h"
#include "supervisor/arbiter/mirror_queue.h"
#include "supervisor/keeper.h"
#include "supervisor/limits.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>

/* A step answers a read and a CAS at most, and one more of each may be asked before the loop runs.
 */
#define ANSWER_COUNT_MAX 4U
#define KIND_SIZE        16U

struct manual {
    struct arbiter arbiter;
    struct arbiter_manual_options options; /* but its texts: they are the caller's */
    char kind[KIND_SIZE];
    struct mirror mirror;
    struct mirror_queue queue;
    struct keeper *keeper; /* owned */
    struct event *saved;   /* owned: the keeper has something to tell */
    struct event *timer;   /* owned */
    struct event *later;   /* owned: delivers answers */
    bool failed;
    uint32_t answer_count;
    struct {
        enum arbiter_request request;
        struct failover_answer answer;
    } answers[ANSWER_COUNT_MAX];
    uint64_t asked_ms;
    struct arbiter_status status;
};

/* ---- Steps ---- */

static void arm(struct manual *manual)
{
    uint64_t deadline_ms = mirror_deadline_ms(&manual->mirror);
    uint64_t now_ms = clock_boot_ms(clock_host());
    uint64_t wait_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    struct timeval wait = {.tv_sec = (time_t)(wait_ms / 1000),
                           .tv_usec = (suseconds_t)(wait_ms % 1000 * 1000)};

    if (deadline_ms == UINT64_MAX) {
        (void)event_del(manual->timer); /* fails only for an event that is none */
    } else {
        (void)event_add(manual->timer, &wait); /* a timer that was added once needs no memory */
    }
}

static void keep_answer(struct manual *manual, const struct mirror_effect *effect)
{
    ASSERT(manual->answer_count < ANSWER_COUNT_MAX);
    manual->answers[manual->answer_count].request = effect->u.answer.request;
    manual->answers[manual->answer_count].answer = effect->u.answer.answer;
    manual->answer_count++;
    event_active(manual->later, EV_TIMEOUT, 0);
}

/* What may be said now. */
static void say(struct manual *manual)
{
    struct mirror_effect effect;

    while (!manual->failed && mirror_queue_take(&manual->queue, &effect)) {
        if (effect.type == MIRROR_EFFECT_ANSWER) {
            keep_answer(manual, &effect);
        } else {
            manual->options.send(manual->options.arg,
                                 span_of(effect.u.message.bytes, effect.u.message.size));
        }
    }
}

static void carry_out(struct manual *manual, const struct mirror_effect *effect)
{
    switch (effect->type) {
    case MIRROR_EFFECT_STORE:
        manual->queue.asked = keeper_save(manual->keeper, &effect->u.copy);
        break;
    case MIRROR_EFFECT_SEND:
    case MIRROR_EFFECT_ANSWER:
        mirror_queue_put(&manual->queue, effect);
        break;
    case MIRROR_EFFECT_PROBLEM:
        (void)snprintf(manual->status.problem, sizeof(manual->status.problem),
                       "%s", /* may be cut */
                       effect->u.problem);
        break;
    }
}

static void step(struct manual *manual, struct mirror_event *event)
{
    struct mirror_effects effects;

    event->now_ms = clock_boot_ms(clock_host());
    mirror_step(&manual->mirror, event, &effects);
    for (size_t i = 0; i < effects.count; i++) {
        carry_out(manual, &effects.items[i]);
    }
    say(manual);
    arm(manual);
}

static void on_saved(evutil_socket_t fd, short what, void *arg)
{
    struct manual *manual = arg;
    struct err err = ERR_INIT;
    enum err_code rc = keeper_look(manual->keeper, &manual->queue.saved, &err);

    (void)fd;
    (void)what;
    say(manual);
    if (rc != ERR_OK && !manual->failed) {
        manual->failed = true;
        manual->options.fatal(manual->options.arg, &err);
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct mirror_event event = {.type = MIRROR_EVENT_TICK};

    (void)fd;
    (void)what;
    step(arg, &event);
}

static void note(struct manual *manual, enum failover_read outcome)
{
    manual->status.reachable = outcome != FAILOVER_REFUSED && outcome != FAILOVER_UNKNOWN;
    if (manual->status.reachable) {
        manual->status.answered_ms = clock_boot_ms(clock_host());
        manual->status.latency_ms = (uint32_t)(manual->status.answered_ms - manual->asked_ms);
    } else if (manual->status.problem[0] == '\0') {
        (void)snprintf(manual->status.problem, sizeof(manual->status.problem), "%s", /* fits */
                       "the other host does not answer: it has to come back, or an operator to "
                       "confirm that it is off");
    }
}

static void on_later(evutil_socket_t fd, short what, void *arg)
{
    struct manual *manual = arg;

    (void)fd;
    (void)what;
    while (manual->answer_count > 0) {
        enum arbiter_request request = manual->answers[0].request;
        struct failover_answer answer = manual->answers[0].answer;

        manual->answer_count--;
        memmove(manual->answers, manual->answers + 1,
                manual->answer_count * sizeof(manual->answers[0]));
        note(manual, answer.outcome);
        manual->arbiter.answer(manual->arbiter.arg, request, &answer);
    }
}

static void manual_read(struct arbiter *arbiter)
{
    struct manual *manual = (struct manual *)arbiter;
    struct mirror_event event = {.type = MIRROR_EVENT_READ};

    manual->asked_ms = clock_boot_ms(clock_host());
    step(manual, &event);
}

/* before is not looked at: of one revision there is one value, or the pair is split. */
static void manual_cas(struct arbiter *arbiter, const struct failover_cas *swap)
{
    struct manual *manual = (struct manual *)arbiter;
    struct mirror_event event = {.type = MIRROR_EVENT_CAS,
                                 .u.cas = {.value = swap->value, .revision = swap->revision}};

    ASSERT(register_is_legal(&swap->value));
    manual->asked_ms = clock_boot_ms(clock_host());
    step(manual, &event);
}

static void manual_peer(struct arbiter *arbiter, struct span bytes)
{
    struct mirror_event event = {.type = MIRROR_EVENT_MESSAGE, .u.message = bytes};

    step((struct manual *)arbiter, &event);
}

static void manual_peer_up(struct arbiter *arbiter, bool up)
{
    struct manual *manual = (struct manual *)arbiter;
    struct mirror_event event = {.type = MIRROR_EVENT_LINK, .u.up = up};

    if (manual->mirror.up != up) {
        mirror_queue_link(&manual->queue);
        step(manual, &event);
    }
}

static void manual_confirm_off(struct arbiter *arbiter)
{
    struct mirror_event event = {.type = MIRROR_EVENT_CONFIRM_OFF};

    step((struct manual *)arbiter, &event);
}

static void manual_status(const struct arbiter *arbiter, struct arbiter_status *ret_status)
{
    const struct manual *manual = (const struct manual *)arbiter;

    *ret_status = manual->status;
    ret_status->disk_ms = keeper_owes_ms(manual->keeper);
}

static void free_event(struct event *event)
{
    if (event != NULL) {
        event_free(event);
    }
}

static void manual_free(struct arbiter *arbiter)
{
    struct manual *manual = (struct manual *)arbiter;

    free_event(manual->saved);
    free_event(manual->timer);
    free_event(manual->later);
    keeper_free(manual->keeper, SUP_SAVE_END_MS);
    mem_free(manual);
}

static const struct arbiter_ops ops = {.read = manual_read,
                                       .cas = manual_cas,
                                       .peer = manual_peer,
                                       .peer_up = manual_peer_up,
                                       .confirm_off = manual_confirm_off,
                                       .status = manual_status,
                                       .free = manual_free};

static enum err_code save_copy(void *file, const void *value, struct err *err)
{
    return mirror_file_save(file, value, err);
}

static void close_copy(void *file)
{
    mirror_file_close(file);
}

static enum err_code open_keeper(struct manual *manual,
                                 const char *state_dir,
                                 struct mirror_copy *ret_copy,
                                 struct err *err)
{
    struct keeper_file keep = {
        .value_size = sizeof(struct mirror_copy), .save = save_copy, .close = close_copy};
    struct mirror_file *file = NULL;
    enum err_code rc = mirror_file_open(manual->options.dir, state_dir, &file, ret_copy, err);

    if (rc != ERR_OK) {
        return rc;
    }
    keep.file = file;
    rc = keeper_new(&keep, &manual->keeper, err);
    if (rc != ERR_OK) {
        mirror_file_close(file);
    }
    return rc;
}

static enum err_code fill(struct manual *manual, const char *state_dir, struct err *err)
{
    struct mirror_options options = {.host = manual->options.host,
                                     .incarnation = manual->options.incarnation,
                                     .timeout_ms = manual->options.timeout_ms};
    struct event_base *base = manual->options.base;
    enum err_code rc = open_keeper(manual, state_dir, &options.copy, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (options.copy.present &&
        memcmp(options.copy.value.cluster_id, manual->options.cluster_id, REGISTER_ID_SIZE) != 0) {
        memset(&options.copy, 0, sizeof(options.copy)); /* of a former pair */
    }
    if (options.timeout_ms == 0) {
        options.timeout_ms = ARBITER_TIMEOUT_MS_DEFAULT;
    }
    manual->timer = event_new(base, -1, 0, on_timer, manual);
    manual->later = event_new(base, -1, 0, on_later, manual);
    manual->saved =
        event_new(base, keeper_fd(manual->keeper), EV_READ | EV_PERSIST, on_saved, manual);
    if (manual->timer == NULL || manual->later == NULL || manual->saved == NULL ||
        event_add(manual->saved, NULL) != 0) {
        return err_set(err, ERR_NOMEM, "manual");
    }
    mirror_init(&manual->mirror, &options);
    return ERR_OK;
}

enum err_code arbiter_manual_new(const struct arbiter_manual_options *options,
                                 struct arbiter **ret_arbiter,
                                 struct err *err)
{
    struct manual *manual = mem_new(1, sizeof(*manual));
    enum err_code rc;

    if (manual == NULL) {
        return err_set(err, ERR_NOMEM, "manual");
    }
    manual->arbiter = (struct arbiter){.ops = &ops, .answer = options->answer, .arg = options->arg};
    manual->options = *options;
    manual->options.state_dir = NULL;
    manual->options.kind = NULL;
    (void)snprintf(manual->kind, KIND_SIZE, "%s", /* fits */
                   options->kind == NULL ? "manual" : options->kind);
    manual->status.kind = manual->kind;
    manual->status.place = "both hosts";
    rc = fill(manual, options->state_dir, err);
    if (rc != ERR_OK) {
        manual_free(&manual->arbiter);
        return err_wrap(err, rc, "arbiter");
    }
    *ret_arbiter = &manual->arbiter;
    return ERR_OK;
}
