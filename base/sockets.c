/* SPDX-License-Identifier: Apache-2.0 */
/* sockets.c: binds listening sockets.
 * Owns a socket until it is handed over. Never resolves a name: addresses are numbers. Never takes
 * a path from a process that still listens there. */
#include "base/sockets.h"

#include "base/mem.h"

#include <errno.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 1024 /* http/server.c sets its own; this covers the time before */

/* Takes the descriptor out of its guard. */
static int take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

struct parts {
    char host[64];
    char port[8];
};

static enum err_code split(const char *address, struct parts *parts, struct err *err)
{
    const char *colon = strrchr(address, ':');
    const char *host = address;
    size_t size = colon == NULL ? 0 : (size_t)(colon - address);

    if (size >= 2 && host[0] == '[' && host[size - 1] == ']') {
        host++;
        size -= 2;
    }
    if (colon == NULL || size >= sizeof(parts->host) || colon[1] == '\0' ||
        strlen(colon + 1) >= sizeof(parts->port)) {
        return err_set(err, ERR_INVALID, "%s: has to be address:port", address);
    }
    memcpy(parts->host, host, size);
    parts->host[size] = '\0';
    (void)snprintf(parts->port, sizeof(parts->port), "%s", colon + 1); /* fits */
    return ERR_OK;
}

/* IPv6 sockets take the option of IPv4 too; it says so for both. */
static bool allow_foreign(int fd)
{
    int on = 1;

    return setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)) == 0;
}

static enum err_code bind_to(
    const struct addrinfo *info, const char *address, bool foreign, int *ret_fd, struct err *err)
{
    AUTO_CLOSE int fd = socket(info->ai_family, info->ai_socktype | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", address);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        (foreign && !allow_foreign(fd))) {
        return err_set_errno(err, ERR_IO, errno, "%s", address);
    }
    if (bind(fd, info->ai_addr, info->ai_addrlen) != 0 || (!foreign && listen(fd, BACKLOG) != 0)) {
        return errno == EADDRINUSE
                   ? err_set(err, ERR_BUSY, "%s: another process listens there (ss -ltnp shows it)",
                             address)
                   : err_set_errno(err, errno == EACCES ? ERR_DENIED : ERR_IO, errno, "%s",
                                   address);
    }
    *ret_fd = take(&fd);
    return ERR_OK;
}

static enum err_code bind_named(const char *address, bool foreign, int *ret_fd, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *info = NULL;
    struct parts parts;
    enum err_code rc = split(address, &parts, err);
    int failed;

    if (rc != ERR_OK) {
        return rc;
    }
    if (strcmp(parts.host, "*") == 0) {
        hints.ai_family = AF_INET6; /* takes IPv4 too, unless the host says otherwise */
    }
    failed =
        getaddrinfo(hints.ai_family == AF_INET6 ? NULL : parts.host, parts.port, &hints, &info);
    if (failed != 0) {
        return err_set(err, ERR_INVALID, "%s: %s", address, gai_strerror(failed));
    }
    rc = bind_to(info, address, foreign, ret_fd, err);
    freeaddrinfo(info);
    return rc;
}

enum err_code sockets_bind(const char *address, int *ret_fd, struct err *err)
{
    return bind_named(address, false, ret_fd, err);
}

enum err_code sockets_reserve(const char *address, int *ret_fd, struct err *err)
{
    return bind_named(address, true, ret_fd, err);
}

enum err_code sockets_open(int fd, struct err *err)
{
    return listen(fd, BACKLOG) == 0 ? ERR_OK : err_set_errno(err, ERR_BUSY, errno, "listen");
}

/* Linux takes a listening socket that is shut down back to "bound". */
void sockets_close(int fd)
{
    (void)shutdown(fd, SHUT_RDWR); /* one that does not listen is closed already */
}

#define TCP_FLAGS_AT 13   /* byte of a TCP header, where a socket's filter begins */
#define TCP_FLAG_SYN 0x02 /* to a listening socket it comes without ACK */

enum err_code sockets_mute(int fd, bool muted, struct err *err)
{
    static struct sock_filter no_syn[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_AT),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TCP_FLAG_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {.len = sizeof(no_syn) / sizeof(no_syn[0]), .filter = no_syn};
    int nothing = 0;
    bool good;

    if (muted) {
        good = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
    } else {
        good = setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &nothing, sizeof(nothing)) == 0 ||
               errno == ENOENT;
    }
    return good ? ERR_OK : err_set_errno(err, ERR_IO, errno, "filter");
}

/* Of a listening socket Linux tells the length of its queue where other sockets have what is not
 * acknowledged. */
bool sockets_has_waiting(int fd)
{
    struct tcp_info info = {.tcpi_unacked = 0};
    socklen_t size = sizeof(info);

    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
           info.tcpi_state == TCP_LISTEN && info.tcpi_unacked > 0;
}

/* True when a process answers at the path. */
static bool is_alive(const struct sockaddr_un *address)
{
    AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    return fd >= 0 && (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ||
                       errno == EAGAIN);
}

enum err_code sockets_bind_unix(const char *path, int *ret_fd, struct err *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    AUTO_CLOSE int fd = -1;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return err_set(err, ERR_INVALID, "%s: longer than a socket's path may be", path);
    }
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path); /* fits */
    if (is_alive(&address)) {
        return err_set(err, ERR_BUSY, "%s: another process listens there", path);
    }
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    }
    (void)unlink(path); /* what bind says matters */
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0 ||
        chmod(path, 0660) != 0 || listen(fd, BACKLOG) != 0) {
        return err_set_errno(err, errno == EACCES ? ERR_DENIED : ERR_IO, errno, "%s", path);
    }
    *ret_fd = take(&fd);
    return ERR_OK;
}

enum err_code sockets_parse(const char *address, struct sockets_peer *ret_peer, struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *info = NULL;
    struct parts parts;
    enum err_code rc = split(address, &parts, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (getaddrinfo(parts.host, parts.port, &hints, &info) != 0) {
        return err_set(err, ERR_INVALID, "%s: has to be numbers: address:port", address);
    }
    memset(ret_peer, 0, sizeof(*ret_peer));
    memcpy(&ret_peer->address, info->ai_addr, info->ai_addrlen);
    ret_peer->size = info->ai_addrlen;
    freeaddrinfo(info);
    return ERR_OK;
}

enum err_code sockets_dial(const struct sockets_peer *peer, int *ret_fd, struct err *err)
{
    AUTO_CLOSE int fd =
        socket(peer->address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0) {
        return err_set_errno(err, ERR_IO, errno, "socket");
    }
    if (connect(fd, (const struct sockaddr *)&peer->address, peer->size) != 0 &&
        errno != EINPROGRESS) {
        return err_set_errno(err, ERR_IO, errno, "connect");
    }
    *ret_fd = take(&fd);
    return ERR_OK;
}

enum err_code sockets_dialled(int fd, struct err *err)
{
    int failed = 0;
    socklen_t size = sizeof(failed);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &size) != 0) {
        failed = errno;
    }
    return failed == 0 ? ERR_OK : err_set_errno(err, ERR_IO, failed, "connect");
}
