/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog.c: /dev/watchdog.
 * Owns the descriptor. Never decides whether the host deserves a sign of life. */
#include "supervisor/watchdog.h"

#include "base/assert.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/watchdog.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct watchdog {
    const struct watchdog_calls *calls; /* borrowed for ever */
    int fd;                             /* owned */
    uint64_t timeout_ms;
    bool has_reset;
};

static int host_open(void *arg, const char *path)
{
    (void)arg;
    return open(path, O_WRONLY | O_CLOEXEC);
}

static int host_ioctl(void *arg, int fd, unsigned long request, int *value)
{
    (void)arg;
    return ioctl(fd, request, value);
}

static int host_write(void *arg, int fd, const void *bytes, size_t size)
{
    (void)arg;
    return (int)write(fd, bytes, size);
}

static int host_close(void *arg, int fd)
{
    (void)arg;
    return close(fd);
}

const struct watchdog_calls *watchdog_host(void)
{
    static const struct watchdog_calls calls = {
        .open = host_open, .ioctl = host_ioctl, .write = host_write, .close = host_close};

    return &calls;
}

/* Drivers round the timeout, or have one of their own: what they say afterwards counts. */
static void set_timeout(struct watchdog *watchdog, uint64_t timeout_ms)
{
    const struct watchdog_calls *calls = watchdog->calls;
    int seconds = (int)((timeout_ms + 999) / 1000);

    (void)calls->ioctl(calls->arg, watchdog->fd, WDIOC_SETTIMEOUT, &seconds); /* see above */
    if (calls->ioctl(calls->arg, watchdog->fd, WDIOC_GETTIMEOUT, &seconds) != 0 || seconds <= 0) {
        seconds = (int)((timeout_ms + 999) / 1000);
    }
    watchdog->timeout_ms = (uint64_t)seconds * 1000;
}

enum err_code watchdog_new(const char *device,
                           uint64_t timeout_ms,
                           const struct watchdog_calls *calls,
                           struct watchdog **ret_watchdog,
                           struct err *err)
{
    struct watchdog *watchdog = mem_new(1, sizeof(*watchdog));
    int status = 0;

    ASSERT(timeout_ms > 0);
    if (watchdog == NULL) {
        return err_set(err, ERR_NOMEM, "watchdog");
    }
    watchdog->calls = calls;
    watchdog->fd = calls->open(calls->arg, device);
    if (watchdog->fd < 0) {
        enum err_code rc = errno == EBUSY ? ERR_BUSY : ERR_IO;

        rc = err_set_errno(err, rc, errno, "watchdog %s", device);
        mem_free(watchdog);
        return rc;
    }
    if (calls->ioctl(calls->arg, watchdog->fd, WDIOC_GETBOOTSTATUS, &status) == 0) {
        watchdog->has_reset = (status & WDIOF_CARDRESET) != 0;
    }
    set_timeout(watchdog, timeout_ms);
    *ret_watchdog = watchdog;
    return ERR_OK;
}

void watchdog_free(struct watchdog *watchdog)
{
    if (watchdog == NULL) {
        return;
    }
    /* A driver built with nowayout goes on counting: nothing more can be done here. */
    (void)watchdog->calls->write(watchdog->calls->arg, watchdog->fd, "V", 1);
    (void)watchdog->calls->close(watchdog->calls->arg, watchdog->fd);
    mem_free(watchdog);
}

enum err_code watchdog_pet(struct watchdog *watchdog, struct err *err)
{
    /* Any byte but V. */
    if (watchdog->calls->write(watchdog->calls->arg, watchdog->fd, "\0", 1) != 1) {
        return err_set_errno(err, ERR_IO, errno, "watchdog");
    }
    return ERR_OK;
}

uint64_t watchdog_timeout_ms(const struct watchdog *watchdog)
{
    return watchdog->timeout_ms;
}

uint64_t watchdog_interval_ms(const struct watchdog *watchdog)
{
    return watchdog->timeout_ms / 3;
}

bool watchdog_has_reset(const struct watchdog *watchdog)
{
    return watchdog->has_reset;
}
