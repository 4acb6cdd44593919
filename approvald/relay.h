/* SPDX-License-Identifier: Apache-2.0 */
/* relay.h: passes requests that arrive at a host which has just handed over to the host that has
 * taken over, and its answers back (rule K): so a planned handover costs nobody a request.
 *
 * Both ends live here. Messages are pieces of at most MESSAGE_DATA_SIZE_MAX bytes over the pair
 * link, little-endian:
 *
 *    0 u8  kind: RELAY_REQUEST, RELAY_REPLY
 *    1 u8  1: the first piece, 2: the last one (bits)
 *    2 u64 number of the request, of the host that passes it on
 *   10 u32 bytes of the whole message
 *   14     bytes; all pieces of one message together are:
 *
 *   request: u8 listener, u8 root, text peer, u32 size of the head, head, body
 *   reply:   u16 status, u32 Retry-After in s, text content type, u8 count of fields, (text name,
 *            text value) each, body
 *
 * A text is a u16 size and the bytes. The link is the pair's own; sizes are checked all the same.
 * Loop thread only, never blocks. Bounded: RELAY_COUNT_MAX requests each way, RELAY_SIZE_MAX bytes
 * held; past that a request is answered 503 here. */
#ifndef APPROVALD_RELAY_H
#define APPROVALD_RELAY_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define RELAY_REQUEST                                                                              \
    2U /* kinds of data between two approvalds; 1 is the supervisors', 4 secrets' */
#define RELAY_REPLY 3U

#define RELAY_COUNT_MAX 512U       /* as many as may arrive in the second a handover takes */
#define RELAY_SIZE_MAX  33554432UL /* bytes waiting for the link or for their last piece */
#define RELAY_WAIT_MS   10000U     /* an answer that takes longer is not coming */

struct http_request;
struct http_server;
struct relay;

struct relay_options {
    struct http_server *server; /* borrowed: foreign requests are handled there */
    /* Sends one piece; ERR_FULL: later again; else the link is down. */
    enum err_code (*send)(void *arg, struct span data, struct err *err);
    void *arg;
};

enum err_code relay_new(const struct relay_options *options,
                        struct relay **ret_relay,
                        struct err *err) WARN_UNUSED;
/* Requests of ours are answered 503, answers to the peer are dropped. NULL is allowed. */
void relay_free(struct relay *relay);
/* Passes a request on and answers it with what the peer says. Takes it. */
void relay_request_take(struct relay *relay, struct http_request *request);
/* A piece from the peer. ERR_PROTOCOL: it is none of ours; what it belonged to is dropped. */
enum err_code relay_receive(struct relay *relay, struct span data, struct err *err) WARN_UNUSED;
/* Goes on sending, ends what waits too long. Call a few times a second, and when the link has room.
 */
void relay_tick(struct relay *relay, uint64_t now_ms);
/* What was passed on will not be answered: "fate unknown". */
void relay_link_down(struct relay *relay);
/* Requests of this host that wait for the peer. */
uint32_t relay_count(const struct relay *relay);

#endif
