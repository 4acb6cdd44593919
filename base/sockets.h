/* SPDX-License-Identifier: Apache-2.0 */
/* sockets.h: listening sockets, bound, and connections begun. Nothing here waits. */
#ifndef BASE_SOCKETS_H
#define BASE_SOCKETS_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* Binds and listens on "address:port" ("[::1]:8080", "*:8080" for all addresses). Errors name the
 * address and say when it is in use. */
enum err_code sockets_bind(const char *address, int *ret_fd, struct err *err) WARN_UNUSED;
/* Binds without listening yet, also where the address is not this host's (the virtual IP, while the
 * other host holds it): who connects is refused until sockets_open. */
enum err_code sockets_reserve(const char *address, int *ret_fd, struct err *err) WARN_UNUSED;
/* Begins to listen, and stops: what has been accepted lives on, what waits is reset, and the
 * address stays ours. Every process that has a copy of the socket is concerned: accept(2) there
 * answers EINVAL while it is closed. */
enum err_code sockets_open(int fd, struct err *err) WARN_UNUSED;
void sockets_close(int fd);
/* While muted, a listening socket does not answer who begins to connect: he tries again a second
 * later, by itself (TCP), without hearing of it. Who has begun is not concerned. ERR_IO. */
enum err_code sockets_mute(int fd, bool muted, struct err *err) WARN_UNUSED;
/* True while somebody who has connected waits to be accepted. */
bool sockets_has_waiting(int fd);
/* Binds a unix socket with mode 0660, replacing a stale one; ERR_BUSY when somebody answers there.
 */
enum err_code sockets_bind_unix(const char *path, int *ret_fd, struct err *err) WARN_UNUSED;

struct sockets_peer {
    struct sockaddr_storage address;
    socklen_t size;
};
/* Reads "address:port", in numbers. ERR_INVALID. */
enum err_code
sockets_parse(const char *address, struct sockets_peer *ret_peer, struct err *err) WARN_UNUSED;
/* Begins to connect a non-blocking socket: POLLOUT says that it is over, sockets_dialled how it
 * went. ERR_IO. */
enum err_code
sockets_dial(const struct sockets_peer *peer, int *ret_fd, struct err *err) WARN_UNUSED;
enum err_code sockets_dialled(int fd, struct err *err) WARN_UNUSED;

#endif
