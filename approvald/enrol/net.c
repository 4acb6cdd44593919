/* SPDX-License-Identifier: Apache-2.0 */
/* net.c: names, addresses and interfaces of this host.
 * Owns nothing; never sends anything but what the resolver asks. */
#include "approvald/enrol/net.h"

#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const void *bytes_of(const struct sockaddr *address)
{
    return address->sa_family == AF_INET
               ? (const void *)&((const struct sockaddr_in *)(const void *)address)->sin_addr
               : (const void *)&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;
}

static enum err_code
print_address(const struct sockaddr *address, char ret_text[PLAN_ADDRESS_SIZE], struct err *err)
{
    return (address->sa_family == AF_INET || address->sa_family == AF_INET6) &&
                   inet_ntop(address->sa_family, bytes_of(address), ret_text, PLAN_ADDRESS_SIZE) !=
                       NULL
               ? ERR_OK
               : err_set(err, ERR_NOT_FOUND, "not an address of IP");
}

enum err_code net_resolve(const char *name, char ret_address[PLAN_ADDRESS_SIZE], struct err *err)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    enum err_code rc;
    int failure;

    if (plan_is_address(name)) {
        (void)snprintf(ret_address, PLAN_ADDRESS_SIZE, "%s", name); /* fits */
        return ERR_OK;
    }
    if (!plan_is_host(name)) {
        return err_set(err, ERR_INVALID, "'%.80s' is no name or address", name);
    }
    failure = getaddrinfo(name, NULL, &hints, &found);
    if (failure != 0) {
        return err_set(err, ERR_NOT_FOUND, "%.80s: %s", name, gai_strerror(failure));
    }
    rc = print_address(found->ai_addr, ret_address, err);
    freeaddrinfo(found);
    return rc;
}

static enum err_code name_of(int fd, char ret_address[PLAN_ADDRESS_SIZE], struct err *err)
{
    struct sockaddr_storage own = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof own;

    if (getsockname(fd, (struct sockaddr *)&own, &size) != 0) {
        return err_set_errno(err, ERR_NOT_FOUND, errno, "own address");
    }
    return print_address((const struct sockaddr *)&own, ret_address, err);
}

enum err_code
net_own_address(const char *other, char ret_address[PLAN_ADDRESS_SIZE], struct err *err)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    AUTO_CLOSE int fd = -1;
    enum err_code rc;

    if (getaddrinfo(other, "9", &hints, &found) != 0) {
        return err_set(err, ERR_NOT_FOUND, "%s: not an address", other);
    }
    fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0) {
        rc = err_set_errno(err, ERR_NOT_FOUND, errno, "no way to %s", other);
    } else {
        rc = name_of(fd, ret_address, err); /* nothing was sent */
    }
    freeaddrinfo(found);
    return rc;
}

static bool has_address(const struct ifaddrs *at, int family, const uint8_t *bytes)
{
    return at->ifa_addr != NULL && at->ifa_addr->sa_family == family &&
           memcmp(bytes_of(at->ifa_addr), bytes, family == AF_INET ? 4 : 16) == 0;
}

enum err_code
net_interface(const char *address, char ret_interface[PLAN_WORD_SIZE], struct err *err)
{
    struct ifaddrs *all = NULL;
    uint8_t bytes[16];
    int family = strchr(address, ':') == NULL ? AF_INET : AF_INET6;
    enum err_code rc =
        err_set(err, ERR_NOT_FOUND, "no interface of this host has the address %s", address);

    if (inet_pton(family, address, bytes) != 1 || getifaddrs(&all) != 0) {
        return rc;
    }
    for (const struct ifaddrs *at = all; at != NULL && rc != ERR_OK; at = at->ifa_next) {
        if (has_address(at, family, bytes) && strlen(at->ifa_name) < PLAN_WORD_SIZE) {
            (void)snprintf(ret_interface, PLAN_WORD_SIZE, "%s", at->ifa_name); /* fits */
            rc = ERR_OK;
        }
    }
    freeifaddrs(all);
    return rc;
}
