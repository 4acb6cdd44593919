/* SPDX-License-Identifier: Apache-2.0 */
/* confirm.c: asks Slack anew for a claim.
 * Owns the questions under way and how long they may take.
 * Never keeps an answer: the directory does; never decides what it means. */
#include "approvald/slack/inbound/confirm.h"

#include "approvald/service/confirm.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/people/directory.h"
#include "base/assert.h"
#include "base/mem.h"

#include <event2/event.h>

/* One question. It is free again when it is answered and nothing of it is under way any more. */
struct confirm_slot {
    struct event *timer; /* owned */
    uint32_t fetch_count;
    void (*done)(void *arg); /* NULL: answered */
    void *arg;
};

struct confirm {
    struct directory *directory; /* borrowed */
    struct confirm_slot slots[SLACK_CONFIRM_COUNT_MAX];
};

static void answer(struct confirm_slot *slot)
{
    void (*done)(void *arg) = slot->done;

    if (done != NULL) {
        slot->done = NULL;
        (void)event_del(slot->timer); /* it may have fired */
        done(slot->arg);
    }
}

static void on_late(int fd, short what, void *arg)
{
    (void)fd;   /* a timer has none */
    (void)what; /* one kind */
    answer(arg);
}

static void on_fetched(void *arg)
{
    struct confirm_slot *slot = arg;

    ASSERT(slot->fetch_count > 0);
    slot->fetch_count--;
    if (slot->fetch_count == 0) {
        answer(slot);
    }
}

static struct directory_need need_of(const struct service_question *question, uint32_t index)
{
    bool user = index < question->user_count;

    return (struct directory_need){.kind = user ? DIRECTORY_USER : DIRECTORY_GROUP,
                                   .id = user ? question->users[index]
                                              : question->groups[index - question->user_count],
                                   .since_ms = question->since_ms};
}

/* As many as the directory takes at once; what it does not take stays unknown. */
static enum err_code fetch_all(struct confirm *confirm,
                               struct confirm_slot *slot,
                               const struct service_question *question,
                               struct err *err)
{
    struct directory_need needs[DIRECTORY_NEED_COUNT_MAX];
    uint32_t total = question->user_count + question->group_count;
    enum err_code rc = ERR_OK;
    size_t count = 0;

    for (uint32_t i = 0; i < total && rc == ERR_OK; i++) {
        needs[count++] = need_of(question, i);
        if (count == DIRECTORY_NEED_COUNT_MAX || i + 1 == total) {
            rc = directory_fetch(confirm->directory, needs, count, on_fetched, slot, err);
            slot->fetch_count += rc == ERR_OK ? 1 : 0;
            count = 0;
        }
    }
    return slot->fetch_count > 0 ? ERR_OK : rc;
}

enum err_code confirm_ask(struct confirm *confirm,
                          const struct service_question *question,
                          void (*done)(void *done_arg),
                          void *done_arg,
                          struct err *err)
{
    static const struct timeval patience = {.tv_sec = SLACK_CONFIRM_MS / 1000};
    struct confirm_slot *slot = NULL;
    enum err_code rc;

    ASSERT(question->user_count + question->group_count > 0);
    for (size_t i = 0; i < SLACK_CONFIRM_COUNT_MAX && slot == NULL; i++) {
        struct confirm_slot *at = &confirm->slots[i];

        slot = at->done == NULL && at->fetch_count == 0 ? at : NULL;
    }
    if (slot == NULL) {
        return err_set(err, ERR_FULL, "%d claims wait for Slack", SLACK_CONFIRM_COUNT_MAX);
    }
    if (event_add(slot->timer, &patience) != 0) {
        return err_set(err, ERR_NOMEM, "a timer");
    }
    rc = fetch_all(confirm, slot, question, err);
    if (rc != ERR_OK) {
        (void)event_del(slot->timer); /* it was added */
        return rc;
    }
    slot->done = done;
    slot->arg = done_arg;
    return ERR_OK;
}

enum err_code confirm_new(struct event_base *base,
                          struct directory *directory,
                          struct confirm **ret_confirm,
                          struct err *err)
{
    struct confirm *confirm = mem_new(1, sizeof *confirm);

    if (confirm == NULL) {
        return err_set(err, ERR_NOMEM, "claims that wait for Slack");
    }
    confirm->directory = directory;
    for (size_t i = 0; i < SLACK_CONFIRM_COUNT_MAX; i++) {
        struct confirm_slot *slot = &confirm->slots[i];

        slot->timer = event_new(base, -1, 0, on_late, slot);
        if (slot->timer == NULL) {
            confirm_free(confirm);
            return err_set(err, ERR_NOMEM, "claims that wait for Slack");
        }
    }
    *ret_confirm = confirm;
    return ERR_OK;
}

void confirm_free(struct confirm *confirm)
{
    if (confirm == NULL) {
        return;
    }
    for (size_t i = 0; i < SLACK_CONFIRM_COUNT_MAX; i++) {
        if (confirm->slots[i].timer != NULL) {
            event_free(confirm->slots[i].timer);
        }
    }
    mem_free(confirm);
}
