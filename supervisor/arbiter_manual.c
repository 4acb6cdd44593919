/* SPDX-License-Identifier: Apache-2.0 */
/* arbiter_manual.c: the shell of the mirrored register: its files, its timer, its messages.
 * Owns the copies register-0 and register-1 and the answers on their way to the loop.
 * Never decides what counts: mirror.c does. A copy is written whole over the older one and synced;
 * the first of each is made under another name and renamed. Blocks for that sync: a change of the
 * register is rare, and nothing may be said before it. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/twocopy.h"
#include "supervisor/arbiter.h"
#include "supervisor/mirror.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BODY_SIZE (1UL + 8UL + REGISTER_TEXT_SIZE_MAX)
#define COPY_SIZE (TWOCOPY_HEADER_SIZE + BODY_SIZE)
/* The first byte of a copy. */
#define COPY_PRESENT 1U
#define COPY_RAISED  2U
#define COPY_ADDING  4U
/* A step answers a read and a CAS at most, and one more of each may be asked before the loop runs.
 */
#define ANSWER_COUNT_MAX 4U

static const struct twocopy_format file_format = {
    .magic = {'A', 'P', 'V', 'R', 'E', 'G', 'I', 'S'}, .version = 1, .size = COPY_SIZE};

struct manual {
    struct arbiter arbiter;
    struct arbiter_manual_options options; /* but its texts: they are the caller's */
    char *state_dir;                       /* owned */
    struct mirror mirror;
    struct event *timer; /* owned */
    struct event *later; /* owned: delivers answers */
    int dir;             /* owned */
    uint64_t sequence;
    uint32_t next; /* the copy to write */
    bool exists[2];
    uint32_t answer_count;
    struct {
        enum arbiter_request request;
        struct failover_answer answer;
    } answers[ANSWER_COUNT_MAX];
    uint64_t asked_ms;
    struct arbiter_status status;
};

static const char *const names[2] = {"register-0", "register-1"};
static const char new_name[] = "register-new";

/* ---- Files ---- */

static enum err_code
write_file(const struct manual *manual, const char *name, const uint8_t *copy, struct err *err)
{
    AUTO_CLOSE int fd =
        openat(manual->dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t done = 0;

    while (fd >= 0 && done < COPY_SIZE) {
        ssize_t size = pwrite(fd, copy + done, COPY_SIZE - done, (off_t)done);

        if (size <= 0 && errno != EINTR) {
            return err_set_errno(err, ERR_IO, errno, "%s", name);
        }
        done += size > 0 ? (size_t)size : 0;
    }
    if (fd < 0 || fdatasync(fd) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", name);
    }
    return ERR_OK;
}

static enum err_code save(struct manual *manual, const struct mirror_copy *value, struct err *err)
{
    uint8_t copy[COPY_SIZE] = {0};
    uint8_t *body = copy + TWOCOPY_HEADER_SIZE;
    const char *name = names[manual->next];
    bool exists = manual->exists[manual->next];
    enum err_code rc;

    body[0] = (uint8_t)((value->present ? COPY_PRESENT : 0U) | (value->raised ? COPY_RAISED : 0U) |
                        (value->adding ? COPY_ADDING : 0U));
    for (size_t i = 0; i < 8; i++) {
        body[1 + i] = (uint8_t)(value->generation >> (8 * i));
    }
    if (value->present) {
        register_format(&value->value, (char *)body + 9);
    }
    twocopy_seal(&file_format, manual->sequence + 1, copy);
    rc = write_file(manual, exists ? name : new_name, copy, err);
    if (rc == ERR_OK && !exists &&
        (renameat(manual->dir, new_name, manual->dir, name) != 0 || fsync(manual->dir) != 0)) {
        rc = err_set_errno(err, ERR_IO, errno, "%s", name);
    }
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "register in %s", manual->state_dir);
    }
    manual->exists[manual->next] = true;
    manual->next = 1 - manual->next;
    manual->sequence++;
    return ERR_OK;
}

/* SPAN_NONE: there is no such file. */
static enum err_code read_file(struct manual *manual,
                               uint32_t index,
                               uint8_t bytes[COPY_SIZE + 1],
                               struct span *ret_span,
                               struct err *err)
{
    AUTO_CLOSE int fd = openat(manual->dir, names[index], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size;

    *ret_span = SPAN_NONE;
    if (fd < 0 && errno == ENOENT) {
        return ERR_OK;
    }
    size = fd < 0 ? -1 : pread(fd, bytes, COPY_SIZE + 1, 0);
    if (size < 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", names[index]);
    }
    manual->exists[index] = true;
    *ret_span = span_of(bytes, (size_t)size);
    return ERR_OK;
}

static enum err_code decode(struct span body, struct mirror_copy *ret_copy, struct err *err)
{
    const uint8_t *at = (const uint8_t *)(const void *)body.data;
    const char *text = body.data + 9;

    ASSERT(body.size == BODY_SIZE);
    memset(ret_copy, 0, sizeof(*ret_copy));
    ret_copy->present = (at[0] & COPY_PRESENT) != 0;
    ret_copy->raised = (at[0] & COPY_RAISED) != 0;
    ret_copy->adding = (at[0] & COPY_ADDING) != 0;
    for (size_t i = 0; i < 8; i++) {
        ret_copy->generation |= (uint64_t)at[1 + i] << (8 * i);
    }
    return ret_copy->present ? register_parse(span_of(text, strnlen(text, REGISTER_TEXT_SIZE_MAX)),
                                              &ret_copy->value, err)
                             : ERR_OK;
}

static enum err_code load(struct manual *manual, struct mirror_copy *ret_copy, struct err *err)
{
    uint8_t bytes[2][COPY_SIZE + 1];
    struct span copies[2];
    struct twocopy_choice choice;
    enum err_code rc = read_file(manual, 0, bytes[0], &copies[0], err);

    if (rc == ERR_OK) {
        rc = read_file(manual, 1, bytes[1], &copies[1], err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = twocopy_choose(&file_format, copies, &choice, err);
    if (rc == ERR_NOT_FOUND) {
        *ret_copy = (struct mirror_copy){.present = false};
        return ERR_OK;
    }
    if (rc == ERR_OK) {
        manual->sequence = choice.sequence;
        manual->next = 1 - choice.index;
        rc = decode(choice.body, ret_copy, err);
    }
    return rc;
}

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

/* False: the copy is not durable, and nothing behind it may be said. */
static bool carry_out(struct manual *manual, const struct mirror_effect *effect)
{
    struct err err = ERR_INIT;

    switch (effect->type) {
    case MIRROR_EFFECT_STORE:
        if (save(manual, &effect->u.copy, &err) != ERR_OK) {
            manual->options.fatal(manual->options.arg, &err);
            return false;
        }
        break;
    case MIRROR_EFFECT_SEND:
        manual->options.send(manual->options.arg,
                             span_of(effect->u.message.bytes, effect->u.message.size));
        break;
    case MIRROR_EFFECT_ANSWER:
        keep_answer(manual, effect);
        break;
    case MIRROR_EFFECT_PROBLEM:
        (void)snprintf(manual->status.problem, sizeof(manual->status.problem),
                       "%s", /* may be cut */
                       effect->u.problem);
        break;
    }
    return true;
}

static void step(struct manual *manual, struct mirror_event *event)
{
    struct mirror_effects effects;

    event->now_ms = clock_boot_ms(clock_host());
    mirror_step(&manual->mirror, event, &effects);
    for (size_t i = 0; i < effects.count && carry_out(manual, &effects.items[i]); i++) {
    }
    arm(manual);
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
    *ret_status = ((const struct manual *)arbiter)->status;
}

static void manual_free(struct arbiter *arbiter)
{
    struct manual *manual = (struct manual *)arbiter;

    if (manual->timer != NULL) {
        event_free(manual->timer);
    }
    if (manual->later != NULL) {
        event_free(manual->later);
    }
    if (manual->dir >= 0) {
        (void)close(manual->dir); /* all that was written is synced */
    }
    mem_free(manual->state_dir);
    mem_free(manual);
}

static const struct arbiter_ops ops = {.read = manual_read,
                                       .cas = manual_cas,
                                       .peer = manual_peer,
                                       .peer_up = manual_peer_up,
                                       .confirm_off = manual_confirm_off,
                                       .status = manual_status,
                                       .free = manual_free};

static enum err_code fill(struct manual *manual, struct err *err)
{
    struct mirror_options options = {.host = manual->options.host,
                                     .incarnation = manual->options.incarnation,
                                     .timeout_ms = manual->options.timeout_ms};
    enum err_code rc;

    if (options.timeout_ms == 0) {
        options.timeout_ms = ARBITER_TIMEOUT_MS_DEFAULT;
    }
    if (manual->state_dir == NULL) {
        return err_set(err, ERR_NOMEM, "manual");
    }
    manual->dir = open(manual->state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (manual->dir < 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", manual->state_dir);
    }
    manual->timer = event_new(manual->options.base, -1, 0, on_timer, manual);
    manual->later = event_new(manual->options.base, -1, 0, on_later, manual);
    if (manual->timer == NULL || manual->later == NULL) {
        return err_set(err, ERR_NOMEM, "manual");
    }
    rc = load(manual, &options.copy, err);
    if (rc == ERR_OK && manual->sequence > 0) {
        /* What was read, and the names of the copies, may be in the page cache only: nothing may
         * count upon it before it is durable. */
        rc = fsync(manual->dir) == 0 ? save(manual, &options.copy, err)
                                     : err_set_errno(err, ERR_IO, errno, "sync of the directory");
    }
    if (rc == ERR_OK) {
        mirror_init(&manual->mirror, &options);
    }
    return rc;
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
    manual->state_dir = mem_copy_text(options->state_dir, strlen(options->state_dir));
    manual->dir = -1;
    manual->status.kind = "manual";
    manual->status.place = "both hosts";
    rc = fill(manual, err);
    if (rc != ERR_OK) {
        manual_free(&manual->arbiter);
        return err_wrap(err, rc, "arbiter");
    }
    *ret_arbiter = &manual->arbiter;
    return ERR_OK;
}
