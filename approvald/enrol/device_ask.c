/* SPDX-License-Identifier: Apache-2.0 */
/* device_ask.c: one question to the fence helper.
 * Owns one connection. Never asks for anything but "status", never sees what a device is told. */
#include "approvald/enrol/device_ask.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SIZE 256 /* a word, a code and at most 120 bytes of the agent's */

/* As fence agents end. */
#define CODE_ON  0
#define CODE_OFF 2

static int reach(const char *socket_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(socket_path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", socket_path); /* fits */
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int failure = errno;

        (void)close(fd); /* nothing was sent */
        errno = failure;
        return -1;
    }
    return fd;
}

/* Its line, without the end. */
static enum err_code hear(int fd, uint64_t until_ms, char ret_line[ANSWER_SIZE], struct err *err)
{
    size_t used = 0;

    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        uint64_t now_ms = clock_boot_ms(clock_host());
        ssize_t size;

        if (now_ms >= until_ms || poll(&ready, 1, (int)(until_ms - now_ms)) == 0) {
            return err_set(err, ERR_TIMEOUT, "no answer in time");
        }
        size = read(fd, ret_line + used, ANSWER_SIZE - 1 - used);
        if (size < 0 && errno == EINTR) {
            continue;
        }
        used += size > 0 ? (size_t)size : 0;
        ret_line[used] = '\0';
        ret_line[strcspn(ret_line, "\n")] = '\0';
        if (size <= 0 || strlen(ret_line) < used) {
            break;
        }
    }
    return used > 0 ? ERR_OK : err_set(err, ERR_UNAVAILABLE, "the fence helper says nothing");
}

/* "exit CODE WORDS", "failed WORDS". */
static enum err_code judge(const char *line, enum device_says *ret_says, struct err *err)
{
    static const char exited[] = "exit ";
    static const char failed[] = "failed ";
    const char *words;
    uint64_t code = 0;

    if (strncmp(line, failed, sizeof failed - 1) == 0) {
        return err_set(err, ERR_UNAVAILABLE, "%s", line + sizeof failed - 1);
    }
    words = strchr(line + strcspn(line, " ") + (strchr(line, ' ') != NULL), ' ');
    if (strncmp(line, exited, sizeof exited - 1) != 0 || words == NULL ||
        !text_parse_u64(
            span_of(line + sizeof exited - 1, (size_t)(words - line) - (sizeof exited - 1)),
            &code)) {
        return err_set(err, ERR_PROTOCOL, "the fence helper is not to be understood");
    }
    if (code != CODE_ON && code != CODE_OFF) {
        return err_set(err, ERR_UNAVAILABLE, "%s", words + 1);
    }
    *ret_says = code == CODE_ON ? DEVICE_ON : DEVICE_OFF;
    return ERR_OK;
}

enum err_code device_ask(const char *socket_path,
                         const char *name,
                         uint32_t limit_ms,
                         enum device_says *ret_says,
                         struct err *err)
{
    uint64_t until_ms = clock_boot_ms(clock_host()) + limit_ms;
    AUTO_CLOSE int fd = reach(socket_path);
    char line[ANSWER_SIZE] = "";
    int size = snprintf(line, sizeof line, "status %s\n", name);
    enum err_code rc;

    if (fd < 0) {
        return err_set_errno(err, ERR_NOT_FOUND, errno, "the fence helper's socket %s",
                             socket_path);
    }
    if (size < 0 || (size_t)size >= sizeof line) {
        return err_set(err, ERR_INVALID, "too long a name of a device");
    }
    if (send(fd, line, (size_t)size, MSG_NOSIGNAL) != size) {
        return err_set_errno(err, ERR_UNAVAILABLE, errno, "the fence helper");
    }
    rc = hear(fd, until_ms, line, err);
    return rc == ERR_OK ? judge(line, ret_says, err) : rc;
}
