/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog.h: the hardware watchdog: it resets a host on which the supervisor does not run any
 * more. Write safety holds without it; it only bounds how long a host that hangs keeps the virtual
 * IP. Opening it arms it, so it is opened last, when everything else is known to work. */
#ifndef SUPERVISOR_WATCHDOG_H
#define SUPERVISOR_WATCHDOG_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct watchdog;

/* The system calls, so that tests can stand in for the driver. As open, ioctl, write, close. */
struct watchdog_calls {
    int (*open)(void *arg, const char *path);
    int (*ioctl)(void *arg, int fd, unsigned long request, int *value);
    int (*write)(void *arg, int fd, const void *bytes, size_t size);
    int (*close)(void *arg, int fd);
    void *arg;
};

/* Of this host. Borrowed for ever. */
const struct watchdog_calls *watchdog_host(void);

/* Arms the device. ERR_BUSY: somebody else has it (systemd's RuntimeWatchdogSec, corosync); when
 * the driver takes no timeout, its own stays and watchdog_timeout_ms tells it. */
enum err_code watchdog_new(const char *device,
                           uint64_t timeout_ms,
                           const struct watchdog_calls *calls,
                           struct watchdog **ret_watchdog,
                           struct err *err) WARN_UNUSED;
/* Disarms it (magic close) unless the driver was built never to, and frees. NULL is allowed. */
void watchdog_free(struct watchdog *watchdog);

/* The sign of life, to be given every watchdog_interval_ms at the latest. */
enum err_code watchdog_pet(struct watchdog *watchdog, struct err *err) WARN_UNUSED;
uint64_t watchdog_timeout_ms(const struct watchdog *watchdog); /* the driver's, read back */
uint64_t watchdog_interval_ms(const struct watchdog *watchdog);
/* Did the device reset the host before this boot, as far as its driver knows? */
bool watchdog_has_reset(const struct watchdog *watchdog);

#endif
