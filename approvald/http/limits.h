/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h: the bounds of the HTTP room, each with its reason. */
#ifndef APPROVALD_HTTP_LIMITS_H
#define APPROVALD_HTTP_LIMITS_H

#include <assert.h>

/* Request line and fields together. Slack sends under 1 KiB, proxies and trace headers add some;
 * 16 KiB is what common proxies allow, so nothing that passes them is refused here. */
#define HTTP_HEAD_SIZE_MAX 16384U
/* A target carries an id and a few query words. */
#define HTTP_TARGET_SIZE_MAX 2048
/* Slack sends 12 fields, a chain of two proxies adds a dozen. */
#define HTTP_HEADER_COUNT_MAX 64
/* Slack echoes whole messages and views in payloads; bodies above 1 MiB were never seen. */
#define HTTP_BODY_SIZE_MAX 2097152U
/* An API body: details of 2,500 characters, escaped at six bytes each, and room to spare. */
#define HTTP_API_BODY_SIZE_MAX 65536U
/* A file of policies: a few hundred of them with comments. */
#define HTTP_POLICY_BODY_SIZE_MAX 524288U
/* Bytes of bodies in memory at once, over all connections: 32 of the largest. */
#define HTTP_BODY_SIZE_TOTAL_MAX 67108864U
/* A chunk-size line with its extensions, and all trailer lines: nobody we serve sends either. */
#define HTTP_CHUNK_LINE_SIZE_MAX 256
#define HTTP_TRAILER_SIZE_MAX    4096
/* Bytes taken from a socket before they are looked at: a head fits, a pipelined flood waits in the
 * kernel. */
#define HTTP_INPUT_SIZE_MAX (HTTP_HEAD_SIZE_MAX + 16384U)

/* Connections at once: every asker of a large shop may hold a long poll, a descriptor and some
 * 4 KiB each. Monitoring and the admin have places of their own, so that a full service can still
 * be seen and mended. */
#define HTTP_SERVICE_CONNECTION_COUNT_MAX    2048
#define HTTP_MANAGEMENT_CONNECTION_COUNT_MAX 32
#define HTTP_LOCAL_CONNECTION_COUNT_MAX      64
/* Connections beyond the limit that are being told 503: they live a second at most. */
#define HTTP_REFUSED_CONNECTION_COUNT_MAX 64
#define HTTP_CONNECTION_COUNT_MAX                                                                  \
    (HTTP_SERVICE_CONNECTION_COUNT_MAX + HTTP_MANAGEMENT_CONNECTION_COUNT_MAX +                    \
     HTTP_LOCAL_CONNECTION_COUNT_MAX + HTTP_REFUSED_CONNECTION_COUNT_MAX)
/* Requests whose answer is awaited, long polls included. */
#define HTTP_REQUEST_COUNT_MAX 1536
/* Long polls at once: those that ask again after a 503 lose nothing. */
#define HTTP_WAIT_COUNT_MAX 1024
#define HTTP_WAIT_S_MAX     60 /* under the idle time-outs of common proxies */

/* A whole request must arrive within this time of its first byte, however slowly it drips. Slack
 * gives up after 3 s; 2 MiB in 30 s is a slow telephone line. */
#define HTTP_READ_MS_MAX 30000
/* A reply must be taken within this time. */
#define HTTP_WRITE_MS_MAX 30000
/* An idle connection is kept longer than proxies keep theirs (60 s), so that they never write into
 * a connection that is being closed. */
#define HTTP_IDLE_MS_MAX 75000
/* After a reply that closes: time in which late bytes are read and dropped, so that the peer reads
 * the reply and no reset. */
#define HTTP_LINGER_MS_MAX   1000
#define HTTP_LINGER_SIZE_MAX 4194304U
/* A process that stops: in this time a connection that nothing has come on yet may still bring a
 * request. It was accepted a moment ago, or is kept by a client that asks often; both are on the
 * way to us, while another process is not there yet. Longer would only lengthen a restart. */
#define HTTP_DRAIN_MS 200U
/* The same for a TLS connection without its first request, from its accepting: the handshake takes
 * two round trips more, and Slack is far. */
#define HTTP_DRAIN_TLS_MS 1000U
/* Pipelined requests answered in one turn of the loop before others get theirs. */
#define HTTP_TURN_COUNT_MAX 16

#define HTTP_LISTENER_COUNT_MAX 16 /* addresses of all kinds */
#define HTTP_PROXY_COUNT_MAX    16 /* trusted addresses and networks */
#define HTTP_HOP_COUNT_MAX      16 /* of a chain of proxies that is followed */
#define HTTP_ROUTE_COUNT_MAX    64
#define HTTP_PARAM_COUNT_MAX    3    /* wildcards in one pattern */
#define HTTP_REPLY_HEADER_MAX   4    /* besides those that the server writes */
#define HTTP_REPLY_HEAD_SIZE    1024 /* bytes of a reply's head, at most */
#define HTTP_CONTEXT_SIZE       1024 /* bytes of a handler's own memory in each request */
/* A page of audit entries or requests: 100 of 20 KiB. */
#define HTTP_REPLY_BODY_SIZE_MAX 4194304U

#define API_PAGE_COUNT_DEFAULT 50
#define API_PARAM_SIZE_MAX     256 /* bytes of one decoded query value */

static_assert(HTTP_API_BODY_SIZE_MAX <= HTTP_BODY_SIZE_MAX, "every body fits the largest");
static_assert(HTTP_POLICY_BODY_SIZE_MAX <= HTTP_BODY_SIZE_MAX, "every body fits the largest");
static_assert(HTTP_BODY_SIZE_MAX * 8 <= HTTP_BODY_SIZE_TOTAL_MAX, "some large bodies at once");
static_assert(HTTP_WAIT_COUNT_MAX < HTTP_REQUEST_COUNT_MAX,
              "long polls leave places for requests that end them");
static_assert(HTTP_DRAIN_MS < HTTP_DRAIN_TLS_MS, "a handshake takes longer than a request");
static_assert(HTTP_TARGET_SIZE_MAX < HTTP_HEAD_SIZE_MAX, "a target fits its head");
static_assert(HTTP_WAIT_S_MAX * 1000 < HTTP_IDLE_MS_MAX, "a poll is no longer than an idle time");

#endif
