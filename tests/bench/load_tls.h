/* SPDX-License-Identifier: Apache-2.0 */
/* load_tls.h: the client's side of TLS for the load generator, which measures servers and so trusts
 * any certificate. For loopback only. */
#ifndef TESTS_BENCH_LOAD_TLS_H
#define TESTS_BENCH_LOAD_TLS_H

#include <stddef.h>
#include <sys/types.h>

struct load_tls;

/* Shakes hands over a connected, still blocking socket; NULL on failure. Lives until exit. */
struct load_tls *load_tls_connect(int fd);
/* As send and recv on a non-blocking socket: -1 with errno EAGAIN when it has to wait. */
ssize_t load_tls_write(struct load_tls *tls, const void *data, size_t size);
ssize_t load_tls_read(struct load_tls *tls, void *data, size_t size);

#endif
