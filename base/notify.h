/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h: what we tell whoever started us, and what he handed down (sd_notify(3),
 * sd_listen_fds(3)). All calls are harmless when nobody listens, and none ever waits: where nobody
 * reads, what must not be lost is kept and said again by notify_tend; a sign of life, a line for
 * people and the end are lost. */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

/* What is still owed, in this order; all zero: nothing. */
struct notify {
    uint64_t reloading_us;
    bool reloading;
    bool ready;
};

void notify_ready(struct notify *notify);
void notify_reloading(struct notify *notify); /* then notify_ready */
/* About once a second: says what is owed. */
void notify_tend(struct notify *notify);
void notify_stopping(struct notify *notify); /* nothing is owed any more */
/* A short line for `systemctl status`. */
void notify_status(const char *text);
void notify_watchdog(void);
/* Milliseconds between two notify_watchdog at most; 0: nobody watches. */
uint64_t notify_watchdog_ms(void);

/* Calls take(arg, fd, name) for each inherited descriptor, once; take owns it. Returns how many, or
 * -1 when what was handed down cannot be read. */
int notify_inherit(void (*take)(void *arg, int fd, const char *name), void *arg);

/* Gives the service manager a copy of fd, which it hands down under name to the next start: of a
 * restart, planned or not, and only of that. A name has no colon. True: it was told; whether it
 * keeps any is its configuration (FileDescriptorStoreMax=). */
bool notify_keep(int fd, const char *name);
/* It closes all that it keeps under that name. */
void notify_drop(const char *name);

#endif
