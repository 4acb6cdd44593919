/* SPDX-License-Identifier: Apache-2.0 */
/* test_sockets.c: proves of base/sockets what a bound socket does when it opens and closes.
 * Owns a socket and the connections to it, on loopback. Never leaves this host. */
#include "base/sockets.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <unistd.h>

/* A connection to the listening or bound socket; -1: refused. */
static int connect_to(int fd)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CU_ASSERT_FATAL(client >= 0);
    CU_ASSERT_EQUAL_FATAL(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    if (connect(client, (const struct sockaddr *)&address, size) != 0) {
        (void)close(client);
        return -1;
    }
    return client;
}

static void a_reserved_socket_opens_and_closes(void)
{
    int fd = -1;
    int client;

    CU_ASSERT_EQUAL_FATAL(sockets_reserve("127.0.0.1:0", &fd, NULL), ERR_OK);
    CU_ASSERT_EQUAL(connect_to(fd), -1);
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_EQUAL(sockets_open(fd, NULL), ERR_OK);
        client = connect_to(fd);
        CU_ASSERT(client >= 0);
        (void)close(client);
        sockets_close(fd);
        CU_ASSERT_EQUAL(connect_to(fd), -1);
    }
    (void)close(fd);
}

static void who_waits_is_seen_until_he_is_accepted(void)
{
    struct pollfd ready = {.events = POLLIN};
    int fd = -1;
    int client;
    int accepted;

    CU_ASSERT_EQUAL_FATAL(sockets_reserve("127.0.0.1:0", &fd, NULL), ERR_OK);
    CU_ASSERT_FALSE(sockets_has_waiting(fd));
    CU_ASSERT_EQUAL(sockets_open(fd, NULL), ERR_OK);
    CU_ASSERT_FALSE(sockets_has_waiting(fd));
    client = connect_to(fd);
    CU_ASSERT_FATAL(client >= 0);
    ready.fd = fd;
    CU_ASSERT_EQUAL(poll(&ready, 1, 60000), 1);
    CU_ASSERT(sockets_has_waiting(fd));
    accepted = accept(fd, NULL, NULL);
    CU_ASSERT(accepted >= 0);
    CU_ASSERT_FALSE(sockets_has_waiting(fd));
    CU_ASSERT_FALSE(sockets_has_waiting(accepted));
    CU_ASSERT_EQUAL(write(client, "x", 1), 1); /* not acknowledged perhaps, and no listener */
    CU_ASSERT_FALSE(sockets_has_waiting(client));
    (void)close(accepted);
    (void)close(client);
    (void)close(fd);
}

static void who_begins_to_connect_to_a_muted_socket_comes_in_later(void)
{
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    struct pollfd late = {.events = POLLOUT};
    struct pollfd ready = {.events = POLLIN};
    char byte = 0;
    int begun;
    int served;

    CU_ASSERT_EQUAL_FATAL(sockets_reserve("127.0.0.1:0", &ready.fd, NULL), ERR_OK);
    CU_ASSERT_EQUAL(sockets_open(ready.fd, NULL), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(getsockname(ready.fd, (struct sockaddr *)&address, &size), 0);
    begun = connect_to(ready.fd);
    CU_ASSERT_EQUAL_FATAL(sockets_mute(ready.fd, true, NULL), ERR_OK);
    served = accept(ready.fd, NULL, NULL); /* who has begun is served */
    CU_ASSERT_EQUAL(write(begun, "x", 1), 1);
    CU_ASSERT_EQUAL(read(served, &byte, 1), 1);
    late.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CU_ASSERT_EQUAL(connect(late.fd, (const struct sockaddr *)&address, size), -1);
    CU_ASSERT_EQUAL(errno, EINPROGRESS);
    CU_ASSERT_EQUAL(poll(&late, 1, 100), 0); /* neither let in nor refused */
    CU_ASSERT_EQUAL(sockets_mute(ready.fd, false, NULL), ERR_OK);
    CU_ASSERT_EQUAL(sockets_mute(ready.fd, false, NULL), ERR_OK);
    CU_ASSERT_EQUAL(poll(&ready, 1, 60000), 1); /* TCP has tried again */
    CU_ASSERT_EQUAL(poll(&late, 1, 0), 1);
    CU_ASSERT_EQUAL(late.revents, POLLOUT);
    sockets_close(ready.fd);
    CU_ASSERT_EQUAL(connect_to(ready.fd), -1);
    (void)close(late.fd);
    (void)close(served);
    (void)close(begun);
    (void)close(ready.fd);
}

UNIT_MAIN("sockets",
          {"a reserved socket opens and closes", a_reserved_socket_opens_and_closes},
          {"who waits is seen until he is accepted", who_waits_is_seen_until_he_is_accepted},
          {"who begins to connect to a muted socket comes in later",
           who_begins_to_connect_to_a_muted_socket_comes_in_later})
