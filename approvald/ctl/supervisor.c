/* SPDX-License-Identifier: Apache-2.0 */
/* supervisor.c: asks the supervisor of this host.
 * Owns one connection at a time. Never sends anything but the line it is given; never prints. */
#include "approvald/ctl/supervisor.h"

#include "approvald/ctl/ctl.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SIZE_MAX 262144U

const char *supervisor_socket(const struct ctl *ctl)
{
    const char *given = options_text(&ctl->options, OPTION_SUPERVISOR);

    return given == NULL ? SUPERVISOR_SOCKET : given;
}

bool supervisor_is_used(const struct ctl *ctl)
{
    return options_has(&ctl->options, OPTION_SUPERVISOR) ||
           (ctl->url == NULL && !options_has(&ctl->options, OPTION_SOCKET) &&
            access(SUPERVISOR_SOCKET, F_OK) == 0);
}

/* Takes the descriptor out of its guard. */
static int take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

static enum err_code reach(const char *path, int *ret_fd, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof address.sun_path) {
        return err_set(err, ERR_INVALID, "%s: longer than a socket's path may be", path);
    }
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path); /* fits */
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        enum err_code code = errno == EACCES || errno == EPERM ? ERR_DENIED : ERR_UNAVAILABLE;

        return err_set_errno(err, code, errno, "the supervisor's socket %s", path);
    }
    *ret_fd = take(&fd);
    return ERR_OK;
}

/* Reads to the end of the answer. */
static enum err_code read_answer(int fd, uint64_t until_ms, struct buf *buf, struct err *err)
{
    char piece[4096];

    for (;;) {
        uint64_t now_ms = clock_boot_ms(clock_host());
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t size;
        enum err_code rc;

        if (now_ms >= until_ms || poll(&ready, 1, (int)(until_ms - now_ms)) == 0) {
            return err_set(err, ERR_TIMEOUT, "the supervisor does not answer in time");
        }
        size = read(fd, piece, sizeof piece);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        if (size < 0) {
            return err_set_errno(err, ERR_UNAVAILABLE, errno, "supervisor");
        }
        if (size == 0) {
            return ERR_OK;
        }
        rc = buf_append(buf, piece, (size_t)size, err);
        if (rc != ERR_OK) {
            return rc;
        }
    }
}

static enum err_code send_line(int fd, const char *line, struct err *err)
{
    char text[128];
    int size = snprintf(text, sizeof text, "%s\n", line);

    if (size < 0 || (size_t)size >= sizeof text) {
        return err_set(err, ERR_INVALID, "too long a command for the supervisor");
    }
    return send(fd, text, (size_t)size, MSG_NOSIGNAL) == size
               ? ERR_OK
               : err_set_errno(err, ERR_UNAVAILABLE, errno, "supervisor");
}

enum err_code
supervisor_ask(const struct ctl *ctl, const char *line, struct json **ret_json, struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    AUTO_CLOSE int fd = -1;
    uint64_t limit_s = CTL_DEADLINE_MS / 1000;
    enum err_code rc = options_seconds(&ctl->options, OPTION_TIMEOUT, &limit_s, err);

    if (rc == ERR_OK) {
        rc = reach(supervisor_socket(ctl), &fd, err);
    }
    if (rc == ERR_OK) {
        rc = buf_new(ANSWER_SIZE_MAX, &buf, err);
    }
    if (rc == ERR_OK) {
        rc = send_line(fd, line, err);
    }
    if (rc == ERR_OK) {
        rc = read_answer(fd, clock_boot_ms(clock_host()) + limit_s * 1000, buf, err);
    }
    if (rc == ERR_OK && json_parse(buf_span(buf), ANSWER_SIZE_MAX, ret_json, err) != ERR_OK) {
        rc = err_set(err, ERR_PROTOCOL, "the supervisor's answer is not to be understood");
    }
    return rc;
}
