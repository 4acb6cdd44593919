/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_address.c: which addresses lead inward: to this host, its site, or to nobody in particular.
 * Owns the table of such networks (RFC 6890, RFC 4291 and their like).
 * Never resolves a name, never connects. What it does not know, it calls inward. */
#include "base/fetch.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

struct network4 {
    uint32_t prefix;
    uint32_t bits;
};

static const struct network4 inward4[] = {
    {0x00000000, 8},  /* this network */
    {0x0a000000, 8},  /* private */
    {0x64400000, 10}, /* shared by carriers */
    {0x7f000000, 8},  /* loopback */
    {0xa9fe0000, 16}, /* link-local, with the clouds' metadata services */
    {0xac100000, 12}, /* private */
    {0xc0000000, 24}, /* protocol assignments */
    {0xc0000200, 24}, /* documentation */
    {0xc0586300, 24}, /* 6to4 relays */
    {0xc0a80000, 16}, /* private */
    {0xc6120000, 15}, /* benchmarks */
    {0xc6336400, 24}, /* documentation */
    {0xcb007100, 24}, /* documentation */
    {0xe0000000, 3},  /* multicast, reserved, broadcast */
};

static bool is_inward4(uint32_t address)
{
    for (size_t i = 0; i < sizeof inward4 / sizeof inward4[0]; i++) {
        if (((address ^ inward4[i].prefix) >> (32 - inward4[i].bits)) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t read4(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* Of IPv6 only the global unicast space leads outward, without the parts that carry an IPv4
 * address: for those the address inside decides, or nobody can tell (Teredo). */
static bool is_inward6(const uint8_t bytes[16])
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};

    if (memcmp(bytes, mapped, sizeof mapped) == 0 || memcmp(bytes, nat64, sizeof nat64) == 0) {
        return is_inward4(read4(bytes + 12));
    }
    if ((bytes[0] & 0xe0) != 0x20) {
        return true;
    }
    if (bytes[0] == 0x20 && bytes[1] == 0x02) {
        return is_inward4(read4(bytes + 2));
    }
    if (bytes[0] == 0x20 && bytes[1] == 0x01) {
        return bytes[2] < 0x02 || (bytes[2] == 0x0d && bytes[3] == 0xb8);
    }
    return false;
}

static bool same_address(const struct sockaddr *own, int family, const void *bytes)
{
    struct sockaddr_in own4;
    struct sockaddr_in6 own6;

    if (own == NULL || own->sa_family != family) {
        return false;
    }
    if (family == AF_INET) {
        memcpy(&own4, own, sizeof own4);
        return memcmp(&own4.sin_addr, bytes, sizeof own4.sin_addr) == 0;
    }
    memcpy(&own6, own, sizeof own6);
    return memcmp(&own6.sin6_addr, bytes, sizeof own6.sin6_addr) == 0;
}

/* A host's public address is as inward as its loopback. */
static bool is_own(int family, const void *bytes)
{
    struct ifaddrs *addresses = NULL;
    bool own = false;

    if (getifaddrs(&addresses) != 0) {
        return true;
    }
    for (const struct ifaddrs *at = addresses; at != NULL && !own; at = at->ifa_next) {
        own = same_address(at->ifa_addr, family, bytes);
    }
    freeifaddrs(addresses);
    return own;
}

bool fetch_address_is_inward(const char *address)
{
    uint8_t bytes[16];
    char plain[INET6_ADDRSTRLEN];
    size_t size = strcspn(address, "%"); /* a zone says nothing about the address */

    if (size >= sizeof plain) {
        return true;
    }
    memcpy(plain, address, size);
    plain[size] = '\0';
    if (inet_pton(AF_INET, plain, bytes) == 1) {
        return is_inward4(read4(bytes)) || is_own(AF_INET, bytes);
    }
    if (inet_pton(AF_INET6, plain, bytes) == 1) {
        return is_inward6(bytes) || is_own(AF_INET6, bytes);
    }
    return true;
}
