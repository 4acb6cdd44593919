/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h: what does an answer of Slack's Web API mean for the call? Pure: the time is passed in.
 *
 * The rule behind the table: "retry" is said only when the call was certainly not carried out. A
 * read that may have been carried out is a retry too, for reading twice changes nothing. */
#ifndef APPROVALD_SLACK_WIRE_ANSWER_H
#define APPROVALD_SLACK_WIRE_ANSWER_H

#include "approvald/slack/limits.h"
#include "approvald/slack/wire/webapi.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct fetch_response;
struct json;

/* An answer with the memory that its spans borrow. */
struct answer {
    struct webapi_answer view;
    struct json *json; /* owned */
    char slug[SLACK_SLUG_SIZE_MAX];
    char detail[SLACK_DETAIL_SIZE_MAX];
    bool reached;      /* Slack itself, or something in its place, answered in its protocol */
    bool rate_limited; /* 429 or "ratelimited" */
};

/* Fills *ret_answer; free with answer_done. reads: the method changes nothing at Slack. now_s is
 * the wall time, for a Retry-After that names a date. */
void answer_read(const struct fetch_response *response,
                 bool reads,
                 uint64_t now_s,
                 struct answer *ret_answer);
/* An answer of our own, for a call that was never sent. */
void answer_make(enum webapi_outcome outcome, const char *error, struct answer *ret_answer);
void answer_done(struct answer *answer);

/* Retry-After as seconds or HTTP date; absent, garbled or past: SLACK_RETRY_AFTER_MS; capped. */
uint32_t answer_retry_after_ms(struct span header, uint64_t now_s);
/* "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110, the form that senders must use), else false. */
bool answer_parse_date(struct span header, uint64_t *ret_s);

#endif
