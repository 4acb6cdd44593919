/* SPDX-License-Identifier: Apache-2.0 */
/* socketmode.h: Slack's deliveries over WebSockets that we open (Socket Mode), for hosts that
 * nothing outside can reach. The other way in is HTTP; both end in inbound.h, and both may be in
 * use.
 *
 * An envelope is acknowledged, on the socket that brought it, when inbound has answered it with
 * 2xx, and by nothing else: after a crash, a lost socket, a stop or a slow store it is delivered
 * again, and its identity makes it count once. Only between socketmode_start and socketmode_stop
 * are sockets held and envelopes taken. Loop thread only, never blocks. The app-level token and the
 * sockets' URLs (tickets) are secrets: wiped, never logged. */
#ifndef APPROVALD_SLACK_SOCKET_SOCKETMODE_H
#define APPROVALD_SLACK_SOCKET_SOCKETMODE_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct clock;
struct event_base;
struct fetch;
struct metrics;
struct slack_inbound;
struct socketmode;

struct socketmode_options {
    struct event_base *base;       /* borrowed, as all pointers here */
    struct fetch *fetch;           /* freed after the socketmode */
    struct slack_inbound *inbound; /* likewise */
    struct metrics *metrics;
    const struct clock *clock; /* NULL: this host's */
    const char *api_url;       /* copied; as webapi's. With https, sockets have to be wss */
    struct span app_token;     /* copied, wiped on free */
};

/* ERR_INVALID: the token is none. */
enum err_code socketmode_new(const struct socketmode_options *options,
                             struct socketmode **ret_mode,
                             struct err *err) WARN_UNUSED;
/* Ends the connections at once. NULL is allowed. */
void socketmode_free(struct socketmode *mode);

/* Opens sockets and keeps them. Again after a fatal refusal, or after a stop. */
void socketmode_start(struct socketmode *mode);
/* Takes no further envelope; says what is under way, then closes. */
void socketmode_stop(struct socketmode *mode);
/* Nothing is under way on any socket. */
bool socketmode_is_idle(const struct socketmode *mode);
/* After a reload. ERR_INVALID: the old one stays. Ends a fatal state when it is running. */
enum err_code
socketmode_set_token(struct socketmode *mode, struct span app_token, struct err *err) WARN_UNUSED;

/* Also the values of approvald_slack_socket_state: they stay as they are. */
enum socketmode_state {
    SOCKETMODE_STOPPED, /* this host holds none: it is no primary */
    SOCKETMODE_LIVE,
    SOCKETMODE_CONNECTING,
    SOCKETMODE_REFUSED,  /* the app-level token is; nothing is tried again before a reload */
    SOCKETMODE_DISABLED, /* Socket Mode is switched off in the app's settings */
};
/* "stopped", "live", … */
const char *socketmode_state_word(enum socketmode_state state);

struct socketmode_status {
    enum socketmode_state state;
    const char *error; /* Slack's word or the transport's reason, of the last failure; or "" */
    uint32_t live;
    uint32_t strangers; /* connections of the app that are none of ours: they take presses away */
};
void socketmode_status(const struct socketmode *mode, struct socketmode_status *ret_status);

#endif
