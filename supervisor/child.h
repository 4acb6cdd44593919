/* SPDX-License-Identifier: Apache-2.0 */
/* child.h: a process of ours: started with exactly the descriptors, the user and the environment
 * that it needs, ended through its pidfd, and never outliving us: it is on a leash, and killed by
 * the kernel when our end of that is closed. */
#ifndef SUPERVISOR_CHILD_H
#define SUPERVISOR_CHILD_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define CHILD_GROUP_COUNT_MAX 64

struct child_user {
    bool change; /* false: stay who we are */
    uid_t uid;
    gid_t gid;
    int group_count; /* 0: gid alone */
    gid_t groups[CHILD_GROUP_COUNT_MAX];
};

struct child_socket {
    int fd;           /* borrowed */
    const char *name; /* without ':' */
};

struct child_options {
    char *const *argv; /* argv[0] is the path */
    const struct child_user *user;
    const struct child_socket *sockets; /* handed down as by sd_listen_fds(3) */
    size_t socket_count;
    int contract_fd; /* told in CONTRACT_ENV; -1: none */
    int output_fd;   /* becomes its standard output; -1: ours */
};

struct child {
    pid_t pid; /* 0: none */
    int pidfd; /* owned; readable when it has ended */
    int leash; /* owned; closed, it kills the child */
    uid_t uid; /* whose it is, where it is another user's */
};

#define CHILD_NONE                                                                                 \
    {                                                                                              \
        .pid = 0, .pidfd = -1, .leash = -1                                                         \
    }

/* The user called name; "" or our own: stay. ERR_NOT_FOUND; ERR_DENIED: without CAP_SETUID and
 * CAP_SETGID. Asks the name service: may block. */
enum err_code
child_user_find(const char *name, struct child_user *ret_user, struct err *err) WARN_UNUSED;

/* From here on this process, and all that it starts, can become that user and no other one, root
 * above all, whatever capabilities it has. Its groups are as narrow where it has but its own; else
 * any can be taken. Once, before there are threads. ERR_DENIED: there is no filter. */
enum err_code child_user_narrow(const struct child_user *user, struct err *err) WARN_UNUSED;

/* The child has no privileges and cannot get any, whoever its user is. Blocks for the fork only; a
 * program that cannot be run ends with exit code 127. */
enum err_code child_start(const struct child_options *options,
                          struct child *ret_child,
                          struct err *err) WARN_UNUSED;
/* In the child's own name where ours may not. A child that has ended already is fine. */
void child_signal(const struct child *child, int number);
/* True when it has ended: it is reaped, the pidfd is closed, and *child is none. Never waits. */
bool child_reap(struct child *child, bool *ret_signalled, int32_t *ret_status);

/* Kills it and waits for its end, SUP_CHILD_END_MS at most: a process cannot put it off, but a call
 * that hangs in the kernel can. False: it is still there. None is fine. */
bool child_end(struct child *child);

/* Runs argv to its end, at most limit_ms, and gives what it printed (at most size - 1 bytes, with a
 * NUL). Blocks: for the time before the loop. ERR_TIMEOUT, ERR_TOO_LARGE, ERR_UNAVAILABLE (it ended
 * with another code than 0; its own words are on standard error). */
enum err_code child_ask(char *const *argv,
                        const struct child_user *user,
                        uint32_t limit_ms,
                        char *text,
                        size_t size,
                        struct err *err) WARN_UNUSED;

#endif
