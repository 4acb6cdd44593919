/* SPDX-License-Identifier: Apache-2.0 */
/* script.h: a server on loopback that answers by a script, in the loop of the test. */
#ifndef TESTS_UNIT_SCRIPT_H
#define TESTS_UNIT_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

struct bufferevent;
struct evconnlistener;
struct event_base;
struct sockaddr;

/* Answers the n-th request with the n-th reply; NULL: closes the connection. */
struct script {
    struct event_base *base;
    struct evconnlistener *listener;
    struct bufferevent *peers[8];
    const char *const *replies;
    size_t reply_count;
    size_t accept_count;
    size_t request_count;
    char last[4096]; /* request as it came */
    char url[64];
    uint16_t port;
};

/* Listens at an address of any family; the fields of script but the listener are set before. */
void script_listen(struct script *script, const struct sockaddr *address, int size);
/* Listens on loopback (AF_INET or AF_INET6) and fills port and url. replies are borrowed. */
void script_start(struct script *script,
                  struct event_base *base,
                  int family,
                  const char *const *replies,
                  size_t reply_count);
/* Closes the listener and the connections. */
void script_stop(struct script *script);

#endif
