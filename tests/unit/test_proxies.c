/* SPDX-License-Identifier: Apache-2.0 */
/* test_proxies.c: proves approvald/http/proxies.h: only trusted proxies name the client.
 * Owns nothing but its cases; never opens a socket. */
#include "approvald/http/proxies.h"
#include "approvald/http/wire.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define XFF "X-Forwarded-For"

static void trust(struct proxies *proxies, const char *text)
{
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(proxies_add(proxies, text, &err), ERR_OK);
}

static void check_fields(const char *peer, const char *fields, const char *want)
{
    struct proxies proxies = {0};
    struct wire_head head;
    struct wire_fault fault;
    char text[1024];
    char address[PROXIES_ADDRESS_SIZE];
    size_t scanned = 0;

    trust(&proxies, "10.0.0.0/8");
    trust(&proxies, "192.0.2.7");
    trust(&proxies, "fd00::/8");
    (void)snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: a\r\n%s\r\n", fields);
    (void)snprintf(address, sizeof address, "%s", peer);
    CU_ASSERT_EQUAL(wire_head_size(span_text(text), &scanned), strlen(text));
    CU_ASSERT_FATAL(wire_parse_head(span_text(text), &head, &fault));
    proxies_resolve(&proxies, &head, address);
    CU_ASSERT_STRING_EQUAL(address, want);
}

static void check(const char *peer, const char *name, const char *value, const char *want)
{
    char field[512];

    (void)snprintf(field, sizeof field, "%s: %s\r\n", name, value);
    check_fields(peer, field, want);
}

static void nobody_else_is_believed(void)
{
    check("203.0.113.9", XFF, "198.51.100.1", "203.0.113.9");
    check("192.0.2.8", XFF, "198.51.100.1", "192.0.2.8");
    check("11.0.0.1", "Forwarded", "for=198.51.100.1", "11.0.0.1");
    check("local", XFF, "198.51.100.1", "local");
    check("10.0.0.1", "X-Real-Ip", "198.51.100.1", "10.0.0.1");
}

static void the_nearest_address_that_is_no_proxy_is_the_client(void)
{
    check("10.0.0.1", XFF, "198.51.100.1", "198.51.100.1");
    check("10.0.0.1", XFF, "1.1.1.1, 198.51.100.1", "198.51.100.1");
    check("10.0.0.1", XFF, "1.1.1.1, 198.51.100.1 , 10.3.2.1,192.0.2.7", "198.51.100.1");
    check("::ffff:10.0.0.1", XFF, "198.51.100.1:4711", "198.51.100.1");
    check("fd12::1", XFF, "2001:db8::0:1", "2001:db8::1");
    check("fd12::1", XFF, "[2001:db8::1]:80", "2001:db8::1");
    check("10.0.0.1", XFF, "10.0.0.3, 10.0.0.2", "10.0.0.3");
    check_fields("10.0.0.1", XFF ": 1.1.1.1\r\nAccept: x\r\nx-forwarded-for: 198.51.100.1\r\n",
                 "198.51.100.1");
    check_fields("10.0.0.1", XFF ": 198.51.100.1\r\n" XFF ": 10.0.0.2\r\n", "198.51.100.1");
}

static void the_standard_header_is_read_too(void)
{
    check("10.0.0.1", "Forwarded", "for=198.51.100.1", "198.51.100.1");
    check("10.0.0.1", "forwarded", "for=1.1.1.1, proto=https;For=\"198.51.100.1:80\";by=x",
          "198.51.100.1");
    check("10.0.0.1", "Forwarded", "for=\"[2001:db8::17]:4711\", for=10.0.0.2", "2001:db8::17");
}

static void what_cannot_be_read_ends_the_search(void)
{
    check("10.0.0.1", XFF, "198.51.100.1, unknown", "10.0.0.1");
    check("10.0.0.1", XFF, "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2");
    check("10.0.0.1", XFF, "198.51.100.1,,", "10.0.0.1");
    check("10.0.0.1", XFF, "", "10.0.0.1");
    check("10.0.0.1", XFF, "[2001:db8::1", "10.0.0.1");
    check("10.0.0.1", XFF, "[2001:db8::1]x", "10.0.0.1");
    check("10.0.0.1", XFF, "198.51.100.1%0a", "10.0.0.1");
    check("10.0.0.1", XFF, "1111111111111111111111111111111111111111111111111111111", "10.0.0.1");
    check("10.0.0.1", "Forwarded", "for=_hidden", "10.0.0.1");
    check("10.0.0.1", "Forwarded", "proto=http", "10.0.0.1");
    check("10.0.0.1", "Forwarded", "for=1.1.1.1;for=2.2.2.2", "10.0.0.1");
    check("10.0.0.1", "Forwarded", "for=\"1.1.1.1, for=\"", "10.0.0.1");
}

static void two_kinds_of_header_are_not_believed(void)
{
    check_fields("10.0.0.1", XFF ": 198.51.100.1\r\nForwarded: for=1.1.1.1\r\n", "10.0.0.1");
}

static void a_chain_is_followed_so_far_and_no_further(void)
{
    char value[512] = "198.51.100.1";
    size_t size = strlen(value);

    for (int i = 1; i <= HTTP_HOP_COUNT_MAX; i++) {
        if (i == HTTP_HOP_COUNT_MAX) {
            check("10.0.0.1", XFF, value, "198.51.100.1");
        }
        size += (size_t)snprintf(value + size, sizeof value - size, ", 10.1.0.%d", i);
    }
    check("10.0.0.1", XFF, value, "10.1.0.1");
}

static void mistakes_are_refused(void)
{
    static const char *const bad[] = {"",           "proxy",      "10.0.0.0/33", "10.0.0.0/",
                                      "10.0.0.0/a", "10.0.0.1/8", "0.0.0.0/0",   "::/0",
                                      "fd00::1/8",  "fd00::/129", "10.0.0/8",    "1.2.3.4/-1"};
    struct proxies proxies = {0};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct err err = ERR_INIT;

        CU_ASSERT_EQUAL(proxies_add(&proxies, bad[i], &err), ERR_INVALID);
        CU_ASSERT_EQUAL(proxies.count, 0);
    }
    for (size_t i = 0; i < HTTP_PROXY_COUNT_MAX; i++) {
        trust(&proxies, "10.0.0.1");
    }
    {
        struct err err = ERR_INIT;

        CU_ASSERT_EQUAL(proxies_add(&proxies, "10.0.0.1", &err), ERR_FULL);
    }
}

UNIT_MAIN("proxies",
          {"nobody else is believed", nobody_else_is_believed},
          {"the nearest address that is no proxy is the client",
           the_nearest_address_that_is_no_proxy_is_the_client},
          {"the standard header is read too", the_standard_header_is_read_too},
          {"what cannot be read ends the search", what_cannot_be_read_ends_the_search},
          {"two kinds of header are not believed", two_kinds_of_header_are_not_believed},
          {"a chain is followed so far and no further", a_chain_is_followed_so_far_and_no_further},
          {"mistakes are refused", mistakes_are_refused})
