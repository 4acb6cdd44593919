/* SPDX-License-Identifier: Apache-2.0 */
/* sup_keep.c: make durable, then speak, without waiting: what the failover core wants said behind a
 * save is kept until the save has ended, while the loop and the core go on.
 * Owns the order of what waits. Never lets an effect overtake one that waits, and never drops one:
 * a disk that makes too many wait is as good as failed.
 * To the core it is as if the child, the arbiter and the operator were far away: what it says
 * reaches them late, in its order, and a child's end takes back what had not reached that child.
 * When the process dies meanwhile, nothing of it was said. */
#include "base/assert.h"
#include "base/log.h"
#include "supervisor/sup_internal.h"

#include <event2/event.h>

#define HANGS_S      2U  /* a healthy disk takes milliseconds */
#define HANGS_LOOK_S 60U /* said again */

static void act_those_saved(struct sup *sup)
{
    while (sup->act_count > 0 && sup->acts[sup->act_first].wants <= sup->saved &&
           sup->failure.code == ERR_OK) {
        struct sup_act act = sup->acts[sup->act_first];

        sup->act_first = (sup->act_first + 1) % SUP_ACT_COUNT_MAX;
        sup->act_count--;
        sup_act(sup, &act);
    }
}

static void note_saved(struct sup *sup, uint64_t saved)
{
    if (saved == sup->saved) {
        return;
    }
    if (sup_keep_hangs_s(sup) > 0) {
        log_fields(LOG_LEVEL_INFO, "sup", "disk_answers", LOG_NUMBER("hung_s", sup->hangs_s));
    }
    sup->saved = saved;
    sup->hangs_s = 0;
}

static void on_saved(evutil_socket_t fd, short what, void *arg)
{
    struct sup *sup = arg;
    struct err err = ERR_INIT;
    uint64_t saved;

    (void)fd;
    (void)what;
    if (keeper_look(sup->keeper, &saved, &err) != ERR_OK) {
        sup_fail(sup, &err);
    }
    note_saved(sup, saved);
    act_those_saved(sup);
    sup_pump(sup);
}

static enum err_code save_memory(void *file, const void *value, struct err *err)
{
    return memory_save(file, value, err);
}

static void close_memory(void *file)
{
    memory_close(file);
}

enum err_code sup_keep_open(struct sup *sup, struct err *err)
{
    const struct keeper_file file = {.file = sup->memory,
                                     .value_size = sizeof(struct memory_value),
                                     .save = save_memory,
                                     .close = close_memory};
    enum err_code rc = keeper_new(&file, &sup->keeper, err);

    if (rc != ERR_OK) {
        return rc;
    }
    sup->memory = NULL;
    sup->keeper_event =
        event_new(sup->base, keeper_fd(sup->keeper), EV_READ | EV_PERSIST, on_saved, sup);
    return sup->keeper_event != NULL && event_add(sup->keeper_event, NULL) == 0
               ? ERR_OK
               : err_set(err, ERR_NOMEM, "state_dir");
}

void sup_keep_free(struct sup *sup)
{
    if (sup->keeper_event != NULL) {
        event_free(sup->keeper_event);
    }
    keeper_free(sup->keeper, SUP_SAVE_END_MS);
}

void sup_remember(struct sup *sup)
{
    sup->asked = keeper_save(sup->keeper, &sup->value);
}

void sup_bind(struct sup *sup)
{
    sup->bound = sup->asked;
}

void sup_act_when_saved(struct sup *sup, const struct sup_act *act)
{
    struct sup_act *waits;

    if (sup->bound <= sup->saved) {
        ASSERT(sup->act_count == 0 || sup->failure.code != ERR_OK); /* else it would overtake */
        sup_act(sup, act);
        return;
    }
    if (sup->act_count == SUP_ACT_COUNT_MAX) {
        struct err err = ERR_INIT;

        (void)err_set(&err, ERR_IO, "state_dir: the disk does not answer"); /* told by sup_fail */
        sup_fail(sup, &err);
        return;
    }
    waits = &sup->acts[(sup->act_first + sup->act_count++) % SUP_ACT_COUNT_MAX];
    *waits = *act;
    waits->wants = sup->bound;
}

bool sup_is_saved(const struct sup *sup)
{
    return sup->saved == sup->asked;
}

uint32_t sup_keep_hangs_s(const struct sup *sup)
{
    uint32_t hangs_s = sup->hangs_s > sup->register_hangs_s ? sup->hangs_s : sup->register_hangs_s;

    return hangs_s >= HANGS_S ? hangs_s : 0;
}

/* The mirrored register's copy: a thread of the arbiter's saves it. */
static void tend_register(struct sup *sup)
{
    struct arbiter_status status;
    uint32_t before_s = sup->register_hangs_s;

    if (sup->arbiter == NULL) {
        return;
    }
    arbiter_status(sup->arbiter, &status);
    sup->register_hangs_s = (uint32_t)(status.disk_ms / 1000);
    if (sup->register_hangs_s >= HANGS_S &&
        (before_s < HANGS_S || sup->register_hangs_s / HANGS_LOOK_S != before_s / HANGS_LOOK_S)) {
        log_fields(LOG_LEVEL_ERROR, "sup", "disk_hangs", LOG_NUMBER("for_s", sup->register_hangs_s),
                   LOG_TEXT("reason", "state_dir: a change of the register is not durable yet"));
    } else if (sup->register_hangs_s < HANGS_S && before_s >= HANGS_S) {
        log_fields(LOG_LEVEL_INFO, "sup", "disk_answers", LOG_NUMBER("hung_s", before_s));
    }
}

void sup_keep_tend(struct sup *sup)
{
    tend_register(sup);
    if (sup_is_saved(sup)) {
        return;
    }
    sup->hangs_s++;
    if (sup->hangs_s % HANGS_LOOK_S == HANGS_S) {
        log_fields(LOG_LEVEL_ERROR, "sup", "disk_hangs", LOG_NUMBER("for_s", sup->hangs_s),
                   LOG_TEXT("reason", "state_dir: what is to be remembered is not durable yet"),
                   LOG_NUMBER("waiting", sup->act_count));
    }
}
