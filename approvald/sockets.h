/* SPDX-License-Identifier: Apache-2.0 */
/* sockets.h: the listening sockets: adopted from whoever started us, else bound here. */
#ifndef APPROVALD_SOCKETS_H
#define APPROVALD_SOCKETS_H

#include "base/err.h"

#include <stdint.h>

/* Binds and listens on "address:port" ("[::1]:8080", "*:8080" for all addresses). Errors name the
 * address and say when it is in use. */
enum err_code sockets_bind(const char *address, int *ret_fd, struct err *err) WARN_UNUSED;
/* Binds a unix socket with mode 0660, replacing a stale one; ERR_BUSY when somebody answers there.
 */
enum err_code sockets_bind_unix(const char *path, int *ret_fd, struct err *err) WARN_UNUSED;

#endif
