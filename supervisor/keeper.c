/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.c: the thread that makes something durable.
 * Owns the file from the start of the thread on. The lock guards the hand-over of values and
 * nothing else: it is never held while the disk is used. Never decides what waits for a save.
 * Never saves again after a failed save: what the disk holds is then unknown. */
#include "supervisor/keeper.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/thread.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct keeper {
    struct keeper_file file; /* owned; the thread's */
    void *work;              /* owned; the thread's: the value that is being saved */
    int fd;                  /* owned; an eventfd */
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    void *value;    /* owned: the newest */
    uint64_t asked; /* its number */
    uint64_t saved;
    uint64_t owes_ms; /* since when the disk owes one */
    struct err failure;
    bool closing;
    bool ended;
    bool left; /* to its thread: whose all this is from now on */
};

static void lock(struct keeper *keeper)
{
    int failed = pthread_mutex_lock(&keeper->lock);

    ASSERT(failed == 0);
}

static void unlock(struct keeper *keeper)
{
    int failed = pthread_mutex_unlock(&keeper->lock);

    ASSERT(failed == 0);
}

static void tell(const struct keeper *keeper)
{
    const uint64_t one = 1;

    (void)!write(keeper->fd, &one, sizeof(one)); /* full means told already */
}

/* Lock held: waits for a value. False: the end; what was asked for before is still saved. */
static bool next(struct keeper *keeper, uint64_t *ret_number)
{
    while (!keeper->closing && keeper->asked == keeper->saved) {
        (void)pthread_cond_wait(&keeper->wake, &keeper->lock); /* cannot fail: we hold the lock */
    }
    memcpy(keeper->work, keeper->value, keeper->file.value_size);
    *ret_number = keeper->asked;
    return keeper->asked != keeper->saved;
}

static void dispose(struct keeper *keeper)
{
    (void)(keeper->fd >= 0 && close(keeper->fd) == 0);
    (void)pthread_cond_destroy(&keeper->wake);  /* nobody waits */
    (void)pthread_mutex_destroy(&keeper->lock); /* nobody holds it */
    mem_free(keeper->value);
    mem_free(keeper->work);
    mem_free(keeper);
}

/* By whoever is the last to use it. */
static void close_and_dispose(struct keeper *keeper)
{
    keeper->file.close(keeper->file.file);
    dispose(keeper);
}

static void *keeper_main(void *arg)
{
    struct keeper *keeper = arg;
    struct err err = ERR_INIT;
    uint64_t number;
    bool left;

    lock(keeper);
    while (err.code == ERR_OK && next(keeper, &number)) {
        unlock(keeper);
        err_ignore(keeper->file.save(keeper->file.file, keeper->work, &err)); /* err keeps it */
        lock(keeper);
        keeper->saved = err.code == ERR_OK ? number : keeper->saved;
        keeper->owes_ms = clock_boot_ms(clock_host());
        keeper->failure = err;
        tell(keeper);
    }
    keeper->ended = true;
    left = keeper->left;
    tell(keeper);
    unlock(keeper);
    if (left) {
        close_and_dispose(keeper);
    }
    return NULL;
}

static enum err_code start(struct keeper *keeper, struct err *err)
{
    int number = thread_start(&keeper->thread, keeper_main, keeper);

    return number == 0 ? ERR_OK : err_set_errno(err, ERR_NOMEM, number, "state_dir: thread");
}

enum err_code
keeper_new(const struct keeper_file *file_take, struct keeper **ret_keeper, struct err *err)
{
    struct keeper *keeper = mem_new(1, sizeof(*keeper));
    enum err_code rc;

    ASSERT(file_take->value_size > 0);
    if (keeper == NULL) {
        return err_set(err, ERR_NOMEM, "state_dir: thread");
    }
    keeper->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    keeper->file = *file_take;
    keeper->value = mem_new(1, file_take->value_size);
    keeper->work = mem_new(1, file_take->value_size);
    (void)pthread_mutex_init(&keeper->lock, NULL); /* cannot fail with these arguments on Linux */
    (void)pthread_cond_init(&keeper->wake, NULL);
    rc = keeper->fd < 0 || keeper->value == NULL || keeper->work == NULL
             ? err_set(err, ERR_NOMEM, "state_dir: thread")
             : start(keeper, err);
    if (rc != ERR_OK) {
        dispose(keeper);
        return rc;
    }
    *ret_keeper = keeper;
    return ERR_OK;
}

static bool has_ended(struct keeper *keeper)
{
    bool ended;

    lock(keeper);
    ended = keeper->ended;
    unlock(keeper);
    return ended;
}

static void take_told(const struct keeper *keeper)
{
    uint64_t count;

    (void)!read(keeper->fd, &count, sizeof(count)); /* nothing there: nothing new */
}

static void await_end(struct keeper *keeper, uint32_t limit_ms)
{
    struct pollfd look = {.fd = keeper->fd, .events = POLLIN};
    uint64_t now_ms = clock_boot_ms(clock_host());
    uint64_t end_ms = now_ms + limit_ms;

    while (!has_ended(keeper) && now_ms < end_ms) {
        (void)poll(&look, 1, (int)(end_ms - now_ms)); /* the flag and the clock say the rest */
        take_told(keeper);
        now_ms = clock_boot_ms(clock_host());
    }
}

/* True: the disk does not let the thread go. The keeper is the thread's then, and gone any time. */
static bool leave(struct keeper *keeper)
{
    bool left;

    lock(keeper);
    left = !keeper->ended;
    keeper->left = left;
    if (left) {
        (void)pthread_detach(keeper->thread); /* it exists and nobody joins it */
    }
    unlock(keeper);
    return left;
}

void keeper_free(struct keeper *keeper, uint32_t limit_ms)
{
    if (keeper == NULL) {
        return;
    }
    lock(keeper);
    keeper->closing = true;
    (void)pthread_cond_signal(&keeper->wake); /* a signal cannot fail */
    unlock(keeper);
    await_end(keeper, limit_ms);
    if (leave(keeper)) {
        return;
    }
    (void)pthread_join(keeper->thread, NULL); /* it exists and nobody else joins it */
    close_and_dispose(keeper);
}

int keeper_fd(const struct keeper *keeper)
{
    return keeper->fd;
}

uint64_t keeper_save(struct keeper *keeper, const void *value)
{
    uint64_t number;

    lock(keeper);
    if (keeper->asked == keeper->saved) {
        keeper->owes_ms = clock_boot_ms(clock_host());
    }
    memcpy(keeper->value, value, keeper->file.value_size);
    number = ++keeper->asked;
    (void)pthread_cond_signal(&keeper->wake); /* a signal cannot fail */
    unlock(keeper);
    return number;
}

enum err_code keeper_look(struct keeper *keeper, uint64_t *ret_saved, struct err *err)
{
    enum err_code rc;

    take_told(keeper); /* before the look: what is told later is read later */
    lock(keeper);
    ASSERT(keeper->saved <= keeper->asked);
    *ret_saved = keeper->saved;
    rc = keeper->failure.code;
    if (rc != ERR_OK) {
        *err = keeper->failure;
    }
    unlock(keeper);
    return rc;
}

uint64_t keeper_owes_ms(struct keeper *keeper)
{
    uint64_t now_ms = clock_boot_ms(clock_host());
    uint64_t owes_ms;

    lock(keeper);
    owes_ms =
        keeper->asked != keeper->saved && now_ms > keeper->owes_ms ? now_ms - keeper->owes_ms : 0;
    unlock(keeper);
    return owes_ms;
}
