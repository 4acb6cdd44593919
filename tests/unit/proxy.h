/* SPDX-License-Identifier: Apache-2.0 */
/* proxy.h: a TCP proxy on loopback with a thread of its own, for tests that hurt a connection. */
#ifndef TESTS_UNIT_PROXY_H
#define TESTS_UNIT_PROXY_H

#include <stdint.h>

struct proxy;

/* Passes what connects to its port on to the given one. Aborts when it cannot. */
struct proxy *proxy_new(uint16_t to_port);
void proxy_free(struct proxy *proxy);
uint16_t proxy_port(const struct proxy *proxy);
/* Bytes stay where they are, in both directions, without an error: a network that is gone. New
 * connections are accepted and held too. */
void proxy_hold(struct proxy *proxy, int hold);
/* At most so many bytes in a millisecond in each direction; 0: no limit. */
void proxy_limit(struct proxy *proxy, uint32_t size_per_ms);
/* Ends all connections. Counts as done when it returns. */
void proxy_cut(struct proxy *proxy);
/* Connections taken so far. */
uint32_t proxy_count(struct proxy *proxy);
/* Sends the bytes into every connection, toward the port. */
void proxy_inject(struct proxy *proxy, const char *text);

#endif
