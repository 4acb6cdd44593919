/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h: what we tell whoever started us, and what he handed down (sd_notify(3),
 * sd_listen_fds(3)). All calls are harmless when nobody listens. */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <stdint.h>

void notify_ready(void);
void notify_reloading(void); /* then notify_ready */
void notify_stopping(void);
/* A short line for `systemctl status`. */
void notify_status(const char *text);
void notify_watchdog(void);
/* Milliseconds between two notify_watchdog at most; 0: nobody watches. */
uint64_t notify_watchdog_ms(void);

/* Calls take(arg, fd, name) for each inherited descriptor, once; take owns it. Returns how many, or
 * -1 when what was handed down cannot be read. */
int notify_inherit(void (*take)(void *arg, int fd, const char *name), void *arg);

#endif
