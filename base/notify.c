/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c: sd_notify and inherited descriptors. With base/log.c the only file over libsystemd.
 * Owns nothing. Never fails loudly: a service manager that does not listen is no fault of ours. */
#include "base/notify.h"

#include "base/clock.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdio.h>
#include <systemd/sd-daemon.h>

void notify_ready(void)
{
    (void)sd_notify(0, "READY=1"); /* as all here: see above */
}

void notify_reloading(void)
{
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_precise_us());
}

void notify_stopping(void)
{
    (void)sd_notify(0, "STOPPING=1");
}

void notify_status(const char *text)
{
    (void)sd_notifyf(0, "STATUS=%s", text);
}

void notify_watchdog(void)
{
    (void)sd_notify(0, "WATCHDOG=1");
}

uint64_t notify_watchdog_ms(void)
{
    uint64_t us = 0;

    return sd_watchdog_enabled(0, &us) > 0 ? us / 1000 : 0;
}

int notify_inherit(void (*take)(void *arg, int fd, const char *name), void *arg)
{
    char **names = NULL;
    int count = sd_listen_fds_with_names(1, &names);

    for (int i = 0; i < count; i++) {
        take(arg, SD_LISTEN_FDS_START + i, names[i]);
        mem_free(names[i]);
    }
    mem_free((void *)names);
    return count < 0 ? -1 : count;
}
