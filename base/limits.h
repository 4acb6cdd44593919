/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h: every limit of the floor, with the reason for its value. */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

#include "base/json.h"

#include <assert.h>

/* tz: bytes of one file. The largest of tzdata, in its long form, has under 4 KiB. */
#define TZ_SIZE_MAX 65536
/* tz: transitions, types and the like of one file; the most in use are 240. */
#define TZ_COUNT_MAX 2000

/* json: values in one text. A node costs cJSON 64 bytes and a malloc header, the shortest value two
 * bytes, so that 1 MiB of foreign bytes could become 40 MiB; this holds it at 10 MiB. The largest
 * page we ask of Slack (200 users) has about 12,000 values. */
#define JSON_NODE_COUNT_MAX 131072
/* cJSON silently cuts numbers at 63 characters. A double needs 24. */
#define JSON_NUMBER_SIZE_MAX 32

/* log: bytes of one line. Journald splits lines of a stream at 48 KiB; 4 KiB is PIPE_BUF, so lines
 * of several processes on one pipe do not mix. */
#define LOG_LINE_SIZE_MAX 4096
/* log: bytes shown of one value: an err message (256) and a URL fit, a message body does not. */
#define LOG_VALUE_SIZE_MAX 512
/* log: fields of one line; the widest event of the house has 9. */
#define LOG_FIELD_COUNT_MAX 16
/* log: lines of one event in one second. A person reads none of more; a day at this rate is under
 * 1 GiB, within journald's default cap. */
#define LOG_REPEAT_MAX 20
/* log: events counted apart. More than the house has; two that meet share a limit. */
#define LOG_EVENT_COUNT_MAX 512

/* metrics: series. Twice what the house has; each costs under 256 bytes. */
#define METRICS_COUNT_MAX 1024

/* conf: bytes of one file; a thousand policies of 200 bytes fit. */
#define CONF_SIZE_MAX ((size_t)256 * 1024)
/* conf: files of one load, with FILE.d and includes; more is a loop or a mistake. */
#define CONF_FILE_COUNT_MAX    64
#define CONF_INCLUDE_DEPTH_MAX 4
/* conf: bytes of one text, where the option says nothing: PATH_MAX. */
#define CONF_TEXT_SIZE_MAX 4096
/* conf: texts of one list, where the option says nothing. */
#define CONF_LIST_COUNT_MAX 256
/* conf: sections of one load; each titled kind has a limit of its own below it. */
#define CONF_SECTION_COUNT_MAX 4096

/* print: bytes of what a program shows of itself: a full configuration of webhooks has 100 KiB. */
#define PRINT_SIZE_MAX ((size_t)1024 * 1024)

/* fetch: calls at once. Slack answers in well under a second and limits most methods to about one a
 * second, so more than this is a runaway, and each holds a descriptor. */
#define FETCH_CALL_COUNT_MAX 64
/* fetch: header lines of one request; the longest list of the house has 6. */
#define FETCH_HEADER_COUNT_MAX 16
/* fetch: bytes of a URL or of one header line. Slack's response URLs have about 120. */
#define FETCH_LINE_SIZE_MAX         4096
#define FETCH_TIMEOUT_MS            10000
#define FETCH_CONNECT_TIMEOUT_MS    5000
#define FETCH_RESPONSE_SIZE_DEFAULT ((size_t)1024 * 1024)
/* fetch: bytes of a private CA file; Debian's whole bundle has 230 KiB. */
#define FETCH_CA_SIZE_MAX ((size_t)1024 * 1024)
/* fetch: authorities of the system that are counted; Debian has 150. */
#define FETCH_TRUST_COUNT_MAX 10000U

/* fetch stream: bytes read at once, and in one turn of the loop: as with tls below, so that one
 * busy stream does not hold up the others. */
#define FETCH_STREAM_READ_SIZE     16384
#define FETCH_STREAM_PASS_SIZE_MAX ((size_t)256 * 1024)
/* fetch stream: bytes that wait for a peer that takes nothing: a dozen replies of the largest kind.
 */
#define FETCH_STREAM_OUTPUT_SIZE_MAX ((size_t)256 * 1024)

/* tls: plaintext bytes of one connection in one turn of the loop: about 0.2 ms of encryption, so
 * that a large response does not hold up the others. */
#define TLS_PASS_SIZE_MAX ((size_t)256 * 1024)
/* tls: bytes of one handshake flight, which leave with one write: a chain of four certificates with
 * RSA 4096 keys has about 8 KiB. */
#define TLS_FLIGHT_SIZE_MAX ((size_t)64 * 1024)
/* tls: how long a client may resume a session, in seconds. Slack and approvalctl come back within
 * minutes; a day would keep old keys useful to a thief for a day. */
#define TLS_TICKET_LIFETIME_S 3600

/* text: code points of the longest replacement of one: \u{10FFFF}. */
#define TEXT_PIECE_SIZE_MAX 12

static_assert(LOG_VALUE_SIZE_MAX * 6 < LOG_LINE_SIZE_MAX,
              "a value fits its line even when every byte is escaped");
static_assert(FETCH_CONNECT_TIMEOUT_MS < FETCH_TIMEOUT_MS,
              "a call that connected late still has time to be answered");
static_assert(JSON_DEPTH_MAX <= 64, "json_scan keeps the kinds of open containers in 64 bits");
static_assert(JSON_NUMBER_SIZE_MAX < 63, "cJSON must never cut a number");

#endif
