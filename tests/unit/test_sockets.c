/* SPDX-License-Identifier: Apache-2.0 */
/* test_sockets.c: proves of base/sockets what a bound socket does when it opens and closes.
 * Owns a socket and the connections to it, on loopback. Never leaves this host. */
#include "base/sockets.h"
#include "tests/unit/unit.h"

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
    CU_ASSERT_EQUAL(poll(&ready, 1, 5000), 1);
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

UNIT_MAIN("sockets",
          {"a reserved socket opens and closes", a_reserved_socket_opens_and_closes},
          {"who waits is seen until he is accepted", who_waits_is_seen_until_he_is_accepted})
