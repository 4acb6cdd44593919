/* SPDX-License-Identifier: Apache-2.0 */
/* http_kit.h: a server with some routes, over real sockets on the loopback interface, and a
 * client's words. One thread: whoever waits turns the loop. */
#ifndef TESTS_UNIT_HTTP_KIT_H
#define TESTS_UNIT_HTTP_KIT_H

#include "approvald/http/server.h"
#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;

#define LARGE_SIZE 3145728U /* bytes of the answer of /large */

struct bench {
    struct event_base *base;
    struct metrics *metrics;
    struct clock clock;
    uint64_t now_ms; /* 0: the host's time */
    struct http_server *server;
    uint16_t port;
    char socket_path[64];
    struct http_request *held; /* kept by the "hold" handler */
    bool gone;
    size_t body_size; /* seen last by "echo" */
};

/* A socket that listens on the loopback interface, at a port that is free. */
int kit_listen(uint16_t *ret_port);
/* Routes: /echo, /json (POST), /who, /hold, /large, /peer (GET). */
void kit_setup(struct bench *bench, struct http_server_options options);
/* Answers what is held. */
void kit_teardown(struct bench *bench);
/* The loop, for so many times 2 ms. */
void kit_turn(struct bench *bench, int count);
/* A connection to the service. */
int kit_dial(struct bench *bench);
void kit_say(int fd, const char *text);
/* Runs the loop until the peer closed or nothing came for a while; the text of what came. */
const char *kit_hear(struct bench *bench, int fd, bool *ret_closed);
/* All of it over a connection of its own. */
const char *kit_ask(struct bench *bench, const char *text, bool *ret_closed);
/* Prints what there is instead. */
bool kit_begins(const char *answer, const char *start);

#endif
