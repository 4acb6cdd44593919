/* SPDX-License-Identifier: Apache-2.0 */
/* home.h: the Home tabs of those who opened them lately: rendered, published, kept fresh.
 *
 * Best effort, and behind everything else: a Home is read and published in the background, so that
 * no card and no press waits for it, and nothing of it is durable. What it shows is read from the
 * service each time; who comes next is homeplan's. Loop thread only, never blocks. */
#ifndef APPROVALD_SLACK_OUTBOUND_HOME_H
#define APPROVALD_SLACK_OUTBOUND_HOME_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>

struct clock;
struct directory;
struct event_base;
struct home;
struct metrics;
struct service;
struct webapi;

struct home_options {
    struct event_base *base; /* borrowed, as all pointers here */
    struct service *service;
    struct webapi *webapi;
    struct directory *directory;
    struct metrics *metrics;
    const struct clock *clock; /* NULL: this host's */
};

enum err_code
home_new(const struct home_options *options, struct home **ret_home, struct err *err) WARN_UNUSED;
/* Stop it and free the webapi before, and close the storage before (it answers what is under way).
 * NULL is allowed. */
void home_free(struct home *home);

/* This host may write. */
void home_start(struct home *home);
/* Calls nobody any more. NULL is allowed. */
void home_stop(struct home *home);
bool home_is_idle(const struct home *home);

/* An app_home_opened event; hash is of the view that Slack shows, or empty. */
void home_opened(struct home *home, struct span user, struct span hash);
/* A press in a Home. False: it turns no page. */
bool home_turned(struct home *home,
                 struct span user,
                 struct span action_id,
                 struct span value,
                 struct span metadata);
/* The person has pressed something else: soon he sees what came of it. */
void home_pressed(struct home *home, struct span user);

#endif
