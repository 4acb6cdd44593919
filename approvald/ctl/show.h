/* SPDX-License-Identifier: Apache-2.0 */
/* show.h: a request for people. */
#ifndef APPROVALD_CTL_SHOW_H
#define APPROVALD_CTL_SHOW_H

#include "approvald/ctl/ctl.h"

struct buf;
struct json;

/* Prints a request as approvald renders it. */
enum err_code show_request(const struct json *request, struct err *err) WARN_UNUSED;
/* With --json the body, else show_request. */
int show_reply(const struct ctl *ctl, const struct client_reply *reply);

/* Appends how far it is: "1 of 2 approvals", or with needs "security 1 of 1, ops 0 of 2, or
 * director 0 of 1"; and how many rejections, where one is not enough. */
enum err_code
show_progress_add(const struct json *request, struct buf *line, struct err *err) WARN_UNUSED;

/* The exit code that tells the outcome; CTL_TIMEOUT when there is none yet. */
int show_outcome(const struct json *request);

/* Seconds since 1970 of "2026-01-31T23:59:59Z"; false for anything else. */
bool show_parse_time(struct span text, int64_t *ret_s);
/* Now, in seconds since 1970. */
int64_t show_now_s(void);
/* "3 s", "12 min", "5 h", "2 days": one unit, for a glance. */
#define SHOW_SPAN_SIZE 32
void show_span(int64_t seconds, char ret_text[SHOW_SPAN_SIZE]);

#endif
