/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c: sd_notify and inherited descriptors. The only file over libsystemd.
 * Owns nothing. Never fails loudly: a service manager that does not listen is no fault of ours.
 * Never waits: sd_notify does where the manager does not read, and a loop must not hang with it. */
#include "base/notify.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>

#define TEXT_SIZE 512U /* a line for people, cut there */

/* Of NOTIFY_SOCKET: a path, or "@" and an abstract name. 0: nobody listens. */
static socklen_t find(struct sockaddr_un *ret_address)
{
    const char *name = getenv("NOTIFY_SOCKET");
    size_t size = name == NULL ? 0 : strlen(name);

    memset(ret_address, 0, sizeof(*ret_address));
    ret_address->sun_family = AF_UNIX;
    if (size < 2 || size >= sizeof(ret_address->sun_path) || (name[0] != '/' && name[0] != '@')) {
        return 0;
    }
    memcpy(ret_address->sun_path, name, size);
    if (name[0] == '@') {
        ret_address->sun_path[0] = '\0';
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    }
    return (socklen_t)sizeof(*ret_address);
}

enum told { TOLD, NOBODY, LATER };

/* With a copy of fd, unless that is -1. LATER: nobody reads now, later perhaps. */
static enum told tell_with(const char *text, int fd)
{
    union {
        struct cmsghdr head; /* aligned as such */
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct sockaddr_un address;
    socklen_t size = find(&address);
    AUTO_CLOSE int own = size == 0 ? -1 : socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct iovec piece = {.iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text)};
    struct msghdr message = {
        .msg_name = &address, .msg_namelen = size, .msg_iov = &piece, .msg_iovlen = 1};

    if (own < 0) {
        return NOBODY;
    }
    if (fd >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof(control.room);
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(fd));
        memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
    }
    if (sendmsg(own, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        return TOLD;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? LATER : NOBODY;
}

/* False: nobody reads now, later perhaps. */
static bool tell(const char *text)
{
    return tell_with(text, -1) != LATER;
}

void notify_tend(struct notify *notify)
{
    char text[TEXT_SIZE];

    (void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, /* fits */
                   notify->reloading_us);
    if (notify->reloading && tell(text)) {
        notify->reloading = false;
    }
    if (notify->ready && !notify->reloading && tell("READY=1")) {
        notify->ready = false;
    }
}

void notify_ready(struct notify *notify)
{
    notify->ready = true;
    notify_tend(notify);
}

void notify_reloading(struct notify *notify)
{
    notify->reloading = true;
    notify->reloading_us = clock_precise_us();
    notify->ready = false;
    notify_tend(notify);
}

void notify_stopping(struct notify *notify)
{
    notify->reloading = false;
    notify->ready = false;
    (void)tell("STOPPING=1"); /* it is seen when we are gone */
}

void notify_status(const char *text)
{
    char line[TEXT_SIZE];

    (void)snprintf(line, sizeof(line), "STATUS=%s", text); /* may be cut */
    (void)tell(line);                                      /* the next one is newer */
}

void notify_watchdog(void)
{
    (void)tell("WATCHDOG=1"); /* three are sent where one is wanted */
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

/* Without FDPOLL=0 it would let go of a listening socket that is shut down for a while. */
bool notify_keep(int fd, const char *name)
{
    char text[TEXT_SIZE];
    int size = snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);

    return size > 0 && (size_t)size < sizeof(text) && tell_with(text, fd) == TOLD;
}

void notify_drop(const char *name)
{
    char text[TEXT_SIZE];
    int size = snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);

    if (size > 0 && (size_t)size < sizeof(text)) {
        (void)tell(text); /* at the next start it is let go of again */
    }
}
