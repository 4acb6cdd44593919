/* SPDX-License-Identifier: Apache-2.0 */
/* test_websocket.c: proves the client's half of a WebSocket against bytes made by hand.
 * Owns a peer and what it was told; never opens a socket. */
#include "approvald/slack/limits.h"
#include "approvald/slack/wire/websocket.h"
#include "base/buf.h"
#include "tests/unit/sample_rng.h"
#include "tests/unit/starve.h"
#include "tests/unit/unit.h"

#include <stdint.h>
#include <stdio.h>

#define MESSAGE_SIZE_MAX 100000
#define URL              "wss://wss.slack.com/link/?ticket=SECRET&app_id=1"

struct peer {
    struct websocket *socket;
    int opened;
    int messages;
    bool is_text;
    size_t size;
    char last[64];
};

static void on_opened(void *arg)
{
    struct peer *peer = arg;

    peer->opened++;
}

static void on_message(void *arg, bool is_text, struct span bytes)
{
    struct peer *peer = arg;

    peer->messages++;
    peer->is_text = is_text;
    peer->size = bytes.size;
    (void)snprintf(peer->last, sizeof peer->last, "%.*s", SPAN_ARGS(bytes)); /* cut is fine */
}

static enum err_code make(struct peer *peer, const char *url, struct err *err)
{
    struct websocket_options options = {
        .url = url,
        .rng = &sample_rng,
        .user_agent = "test",
        .message_size_max = MESSAGE_SIZE_MAX,
        .events = {.opened = on_opened, .message = on_message, .arg = peer}};

    *peer = (struct peer){.socket = NULL};
    return websocket_new(&options, &peer->socket, err);
}

static enum err_code feed(struct peer *peer, struct span bytes, struct err *err)
{
    return websocket_feed(peer->socket, bytes, err);
}

#define FEED(peer, bytes, err) feed((peer), span_of((bytes), sizeof(bytes) - 1), (err))

static void open_peer(struct peer *peer)
{
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(make(peer, URL, &err), ERR_OK);
    websocket_sent(peer->socket);
    CU_ASSERT_EQUAL_FATAL(FEED(peer, SAMPLE_ANSWER, &err), ERR_OK);
    CU_ASSERT(websocket_is_open(peer->socket));
}

/* The one frame in the output: opcode, and its payload unmasked. */
static int frame(struct peer *peer, char *payload, size_t room, size_t *ret_size)
{
    struct span output = websocket_output(peer->socket);
    const uint8_t *at = (const uint8_t *)output.data;
    size_t head = 2;
    size_t size;
    int opcode;

    CU_ASSERT_FATAL(output.size >= 6);
    opcode = at[0] & 0x0f;
    CU_ASSERT((at[0] & 0xf0) == 0x80); /* whole, nothing reserved */
    CU_ASSERT((at[1] & 0x80) != 0);    /* masked */
    size = at[1] & 0x7f;
    if (size == 126) {
        size = (size_t)at[2] << 8 | at[3];
        head = 4;
    }
    CU_ASSERT_EQUAL_FATAL(output.size, head + 4 + size); /* one frame */
    CU_ASSERT_FATAL(size <= room);
    for (size_t i = 0; i < size; i++) {
        payload[i] = (char)(at[head + 4 + i] ^ at[head + i % 4]);
    }
    *ret_size = size;
    websocket_sent(peer->socket);
    return opcode;
}

static void the_upgrade_is_the_standards_example(void)
{
    struct peer peer;
    struct err err = ERR_INIT;
    char request[1024];

    CU_ASSERT_EQUAL_FATAL(make(&peer, URL, &err), ERR_OK);
    (void)snprintf(request, sizeof request, "%.*s", SPAN_ARGS(websocket_output(peer.socket)));
    CU_ASSERT_PTR_EQUAL(strstr(request, "GET /link/?ticket=SECRET&app_id=1 HTTP/1.1\r\n"), request);
    CU_ASSERT_PTR_NOT_NULL(strstr(request, "\r\nHost: wss.slack.com\r\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(request, "\r\nSec-WebSocket-Key: " SAMPLE_KEY "\r\n"));
    websocket_sent(peer.socket);
    for (size_t i = 0; i < sizeof SAMPLE_ANSWER - 1; i++) {
        CU_ASSERT_EQUAL(peer.opened, 0);
        CU_ASSERT_EQUAL(feed(&peer, span_of(&SAMPLE_ANSWER[i], 1), &err), ERR_OK);
    }
    CU_ASSERT_EQUAL(peer.opened, 1);
    CU_ASSERT_EQUAL(websocket_output(peer.socket).size, 0);
    websocket_free(peer.socket);
}

static void what_is_no_upgrade_is_refused_without_the_url(void)
{
    static const struct {
        const char *answer;
        enum err_code code;
    } cases[] = {
        {"HTTP/1.1 409 Conflict\r\nContent-Length: 0\r\n\r\n", ERR_DENIED},
        {"HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\n\r\n", ERR_DENIED},
        {"HTTP/1.0 101 Yes\r\n\r\n", ERR_PROTOCOL},
        {"SSH-2.0-x\r\n\r\n", ERR_PROTOCOL},
        {"\r\n\r\n", ERR_PROTOCOL},
        {"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", ERR_PROTOCOL},
        {"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
         ERR_PROTOCOL},
        {"HTTP/1.1 101 Yes\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " SAMPLE_ACCEPT "\r\n\r\n",
         ERR_PROTOCOL},
        {"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n"
         "Sec-WebSocket-Accept: " SAMPLE_ACCEPT "\r\n\r\n",
         ERR_PROTOCOL},
        {"HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Accept: " SAMPLE_ACCEPT "\r\nSec-WebSocket-Extensions: x\r\n\r\n",
         ERR_PROTOCOL},
        {"HTTP/1.1 101 Yes\r\nupgrade:WebSocket\r\nconnection: keep-alive, upgrade\r\n"
         "sec-websocket-accept:  " SAMPLE_ACCEPT " \r\n\r\n",
         ERR_OK},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer peer;
        struct err err = ERR_INIT;

        CU_ASSERT_EQUAL_FATAL(make(&peer, URL, &err), ERR_OK);
        CU_ASSERT_EQUAL(feed(&peer, span_text(cases[i].answer), &err), cases[i].code);
        CU_ASSERT_EQUAL(peer.opened, cases[i].code == ERR_OK ? 1 : 0);
        CU_ASSERT_PTR_NULL(strstr(err.message, "SECRET"));
        websocket_free(peer.socket);
    }
}

static void an_endless_answer_is_cut_off(void)
{
    static char noise[WEBSOCKET_HEAD_SIZE_MAX + 1];
    struct peer peer;
    struct err err = ERR_INIT;

    memset(noise, 'x', sizeof noise);
    CU_ASSERT_EQUAL_FATAL(make(&peer, URL, &err), ERR_OK);
    CU_ASSERT_EQUAL(feed(&peer, span_of(noise, sizeof noise), &err), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(feed(&peer, span_of(noise, 1), &err), ERR_PROTOCOL);
    websocket_free(peer.socket);
}

static void fragments_are_put_together_and_pings_between_them_answered(void)
{
    struct peer peer;
    struct err err = ERR_INIT;
    char payload[125];
    size_t size = 0;

    open_peer(&peer);
    CU_ASSERT_EQUAL(FEED(&peer, "\x01\x03hel", &err), ERR_OK);
    CU_ASSERT_EQUAL(peer.messages, 0);
    CU_ASSERT_EQUAL(FEED(&peer, "\x89\x02go", &err), ERR_OK);
    CU_ASSERT_EQUAL(frame(&peer, payload, sizeof payload, &size), 0xa);
    CU_ASSERT(size == 2 && memcmp(payload, "go", 2) == 0);
    CU_ASSERT_EQUAL(FEED(&peer, "\x00\x01l\x80\x01o\x82\x02\xff\xfe", &err), ERR_OK);
    CU_ASSERT_EQUAL(peer.messages, 2); /* and a binary one, in the same bytes */
    CU_ASSERT_FALSE(peer.is_text);
    CU_ASSERT_EQUAL(FEED(&peer, "\x81\x05hello", &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(peer.last, "hello");
    CU_ASSERT(peer.is_text);
    websocket_free(peer.socket);
}

static void bytes_behind_the_upgrade_are_frames(void)
{
    struct peer peer;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(make(&peer, URL, &err), ERR_OK);
    CU_ASSERT_EQUAL(FEED(&peer, SAMPLE_ANSWER "\x81\x02hi", &err), ERR_OK);
    CU_ASSERT_EQUAL(peer.messages, 1);
    CU_ASSERT_STRING_EQUAL(peer.last, "hi");
    websocket_free(peer.socket);
}

/* Each ends the socket, and the closing frame names the reason, where wslay gives one. */
static void breaches_of_the_protocol_end_it(void)
{
    const struct {
        struct span bytes;
        unsigned status; /* 0: none */
    } cases[] = {
        {SPAN_LITERAL("\x81\x82\x00\x00\x00\x00hi"), 1002}, /* masked by a server */
        {SPAN_LITERAL("\xc1\x02hi"), 1002},                 /* reserved bit */
        {SPAN_LITERAL("\x80\x02hi"), 1002},                 /* nothing to go on */
        {SPAN_LITERAL("\x01\x01h\x81\x01i"), 1002},         /* the first is not over */
        {SPAN_LITERAL("\x09\x00"), 0},                      /* a ping in fragments */
        {SPAN_LITERAL("\x89\x7e\x00\x7e"), 0},              /* a ping of 126 bytes */
        {SPAN_LITERAL("\x83\x00"), 1002},                   /* no such opcode */
        {SPAN_LITERAL("\x81\x02\xc3\x28"), 1007},           /* not UTF-8 */
        {SPAN_LITERAL("\x81\x7f\x00\x00\x00\x00\x00\x0f\x42\x40x"), 1009}, /* 1,000,000 bytes */
        {SPAN_LITERAL("\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x01"), 0},     /* 2^63 + 1 bytes */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct peer peer;
        struct err err = ERR_INIT;
        char payload[125];
        size_t size = 0;

        open_peer(&peer);
        CU_ASSERT_EQUAL(feed(&peer, cases[i].bytes, &err), ERR_PROTOCOL);
        CU_ASSERT_EQUAL(peer.messages, 0);
        CU_ASSERT_FALSE(websocket_is_open(peer.socket));
        CU_ASSERT_EQUAL(frame(&peer, payload, sizeof payload, &size), 0x8);
        CU_ASSERT_EQUAL(size < 2 ? 0 : (unsigned)(uint8_t)payload[0] << 8 | (uint8_t)payload[1],
                        cases[i].status);
        CU_ASSERT_EQUAL(websocket_send(peer.socket, SPAN_LITERAL("x"), &err), ERR_UNAVAILABLE);
        CU_ASSERT_EQUAL(FEED(&peer, "\x81\x02hi", &err), ERR_PROTOCOL);
        websocket_free(peer.socket);
    }
}

static void fragments_together_are_not_larger_than_allowed(void)
{
    static char part[40004] = "\x01\x7e\x9c\x40"; /* 40,000 bytes */
    struct peer peer;
    struct err err = ERR_INIT;

    memset(part + 4, 'x', sizeof part - 4);
    part[0] = 0x01;
    open_peer(&peer);
    CU_ASSERT_EQUAL(feed(&peer, span_of(part, sizeof part), &err), ERR_OK);
    part[0] = 0x00;
    CU_ASSERT_EQUAL(feed(&peer, span_of(part, sizeof part), &err), ERR_OK);
    CU_ASSERT_EQUAL(feed(&peer, span_of(part, sizeof part), &err), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(peer.messages, 0);
    websocket_free(peer.socket);
}

static void a_message_of_ours_is_one_masked_frame(void)
{
    static char text[SOCKET_REPLY_SIZE_MAX];
    static char payload[SOCKET_REPLY_SIZE_MAX];
    struct peer peer;
    struct err err = ERR_INIT;
    size_t size = 0;

    memset(text, 'y', sizeof text);
    CU_ASSERT_EQUAL_FATAL(make(&peer, URL, &err), ERR_OK);
    CU_ASSERT_EQUAL(websocket_send(peer.socket, SPAN_LITERAL("x"), &err), ERR_UNAVAILABLE);
    websocket_free(peer.socket);
    open_peer(&peer);
    CU_ASSERT_EQUAL(websocket_send(peer.socket, span_of(text, sizeof text), &err), ERR_OK);
    CU_ASSERT_EQUAL(frame(&peer, payload, sizeof payload, &size), 0x1);
    CU_ASSERT(size == sizeof text && memcmp(text, payload, size) == 0);
    CU_ASSERT_EQUAL(websocket_ping(peer.socket, &err), ERR_OK);
    CU_ASSERT_EQUAL(frame(&peer, payload, sizeof payload, &size), 0x9);
    websocket_free(peer.socket);
}

static void a_flood_of_pings_is_no_flood_of_memory(void)
{
    static char pings[2000 * 127];
    struct peer peer;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < 2000; i++) {
        pings[i * 127] = (char)0x89;
        pings[i * 127 + 1] = 125;
    }
    open_peer(&peer);
    CU_ASSERT_EQUAL(feed(&peer, span_of(pings, sizeof pings), &err), ERR_FULL);
    CU_ASSERT(websocket_output(peer.socket).size <= WEBSOCKET_OUTPUT_SIZE_MAX);
    websocket_free(peer.socket);
}

static void both_sides_may_close(void)
{
    struct peer peer;
    struct err err = ERR_INIT;
    char payload[125];
    size_t size = 0;

    open_peer(&peer);
    CU_ASSERT_EQUAL(websocket_close(peer.socket, WEBSOCKET_CLOSE_GOING_AWAY, &err), ERR_OK);
    CU_ASSERT_EQUAL(frame(&peer, payload, sizeof payload, &size), 0x8);
    CU_ASSERT(size == 2 && memcmp(payload, "\x03\xe9", 2) == 0);
    CU_ASSERT_FALSE(websocket_is_open(peer.socket));
    CU_ASSERT_FALSE(websocket_is_over(peer.socket));
    CU_ASSERT_EQUAL(FEED(&peer, "\x88\x02\x03\xe9", &err), ERR_OK);
    CU_ASSERT(websocket_is_over(peer.socket));
    websocket_free(peer.socket);
    open_peer(&peer);
    CU_ASSERT_EQUAL(FEED(&peer, "\x88\x02\x03\xe8", &err), ERR_OK);
    CU_ASSERT_EQUAL(frame(&peer, payload, sizeof payload, &size), 0x8);
    CU_ASSERT(websocket_is_over(peer.socket));
    CU_ASSERT_EQUAL(websocket_status(peer.socket), WEBSOCKET_CLOSE_NORMAL);
    websocket_free(peer.socket);
}

static void only_urls_of_websockets_are_taken(void)
{
    static const char *const bad[] = {
        "https://a/",        "wss://",     "wss:///x",    "wss://u:p@h/", "wss://h/a b",
        "wss://h/a\r\nX: 1", "wss://h/#x", "wss://h\\x/", "ftp://h/",     "wss://h/\xc3\xa4"};
    AUTO_BUF struct buf *address = NULL;
    struct err err = ERR_INIT;
    struct peer peer;

    CU_ASSERT_EQUAL_FATAL(buf_new(256, &address, &err), ERR_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(make(&peer, bad[i], &err), ERR_INVALID);
        CU_ASSERT_EQUAL(websocket_address(bad[i], address, &err), ERR_INVALID);
    }
    CU_ASSERT_EQUAL(websocket_address(URL, address, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(address), "https://wss.slack.com/");
    buf_clear(address);
    CU_ASSERT_EQUAL(websocket_address("ws://[::1]:80?x", address, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(address), "http://[::1]:80/");
}

static enum err_code talk(void *arg)
{
    struct peer peer;
    struct err err = ERR_INIT;
    enum err_code rc = make(&peer, URL, &err);

    (void)arg;
    if (rc == ERR_OK) {
        rc = FEED(&peer, SAMPLE_ANSWER "\x81\x02hi", &err);
    }
    websocket_free(peer.socket);
    return rc;
}

static void any_failed_allocation_is_told(void)
{
    CU_ASSERT(starve_each(talk, NULL) > 3);
}

UNIT_MAIN("websocket",
          {"the upgrade is the standard's example", the_upgrade_is_the_standards_example},
          {"what is no upgrade is refused without the URL",
           what_is_no_upgrade_is_refused_without_the_url},
          {"an endless answer is cut off", an_endless_answer_is_cut_off},
          {"fragments are put together and pings between them answered",
           fragments_are_put_together_and_pings_between_them_answered},
          {"bytes behind the upgrade are frames", bytes_behind_the_upgrade_are_frames},
          {"breaches of the protocol end it", breaches_of_the_protocol_end_it},
          {"fragments together are not larger than allowed",
           fragments_together_are_not_larger_than_allowed},
          {"a message of ours is one masked frame", a_message_of_ours_is_one_masked_frame},
          {"a flood of pings is no flood of memory", a_flood_of_pings_is_no_flood_of_memory},
          {"both sides may close", both_sides_may_close},
          {"only URLs of WebSockets are taken", only_urls_of_websockets_are_taken},
          {"any failed allocation is told", any_failed_allocation_is_told})
