/* SPDX-License-Identifier: Apache-2.0 */
/* proxies.h: whose word about a client's address is believed. Pure.
 *
 * Without trusted proxies the client is the peer of the connection, whatever headers say. A peer
 * that is trusted is asked who its client was: X-Forwarded-For or Forwarded (RFC 7239), all fields
 * together read from the right, where the nearest proxy writes. The first address that is not of a
 * trusted proxy is the client's; what stands left of it anybody could have written. Both kinds of
 * header in one request are not believed: a proxy writes one, so the other may be the client's. */
#ifndef APPROVALD_HTTP_PROXIES_H
#define APPROVALD_HTTP_PROXIES_H

#include "approvald/http/limits.h"
#include "base/err.h"

#include <stdint.h>

struct wire_head;

#define PROXIES_ADDRESS_SIZE 46 /* INET6_ADDRSTRLEN */

struct proxies_net {
    uint8_t bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    uint32_t bits;
};

/* {0}: nobody is trusted. */
struct proxies {
    uint32_t count;
    struct proxies_net nets[HTTP_PROXY_COUNT_MAX];
};

/* Trusts an address or a network ("10.0.0.7", "10.1.0.0/16", "fd00::/8"). ERR_INVALID: neither, or
 * bits beyond the prefix are set, or all addresses are meant; ERR_FULL. */
enum err_code proxies_add(struct proxies *proxies, const char *text, struct err *err) WARN_UNUSED;

/* address holds the peer's, and the client's afterwards (the peer's own when nothing better is
 * known). */
void proxies_resolve(const struct proxies *proxies,
                     const struct wire_head *head,
                     char address[PROXIES_ADDRESS_SIZE]);

#endif
