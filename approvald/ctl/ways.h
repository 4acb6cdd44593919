/* SPDX-License-Identifier: Apache-2.0 */
/* ways.h: the ways in which Slack's deliveries come, for people: sockets of Socket Mode, HTTP. */
#ifndef APPROVALD_CTL_WAYS_H
#define APPROVALD_CTL_WAYS_H

#include "base/err.h"

#include <stdbool.h>

struct buf;
struct json;

/* slack: the part of that name of a status. Which ways the host is configured for. */
bool ways_has_socket(const struct json *slack);
bool ways_has_http(const struct json *slack);
/* A socket is open, or Socket Mode is unused, or it is switched off in the app's settings while
 * HTTP is configured: then that is how its admin wants it. */
bool ways_socket_is_well(const struct json *slack);

/* Appends "2 live, last came 2026-…", "NONE (refused), nothing came yet". */
enum err_code
ways_add_socket(const struct json *slack, struct buf *line, struct err *err) WARN_UNUSED;
/* Appends "configured, last came 2026-…". */
enum err_code
ways_add_http(const struct json *slack, struct buf *line, struct err *err) WARN_UNUSED;

#endif
