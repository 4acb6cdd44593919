/* SPDX-License-Identifier: Apache-2.0 */
/* post.h: one attempt to show in Slack what a row owes: card, thread, direct message, notice.
 *
 * A message with a known ts is changed in place; else it is posted, after a look for an earlier
 * copy when an earlier attempt may have happened. What Slack refuses is turned into the next best
 * thing (plain text, a reply, a direct message) before it becomes a dead letter. Loop thread only.
 */
#ifndef APPROVALD_SLACK_OUTBOUND_POST_H
#define APPROVALD_SLACK_OUTBOUND_POST_H

#include "approvald/service/delivery.h"
#include "approvald/slack/limits.h"

struct metric;
struct metrics;
struct poster;
struct webapi;

/* What auth.test tells about us. "" where it is not known. */
struct poster_identity {
    char user_id[CORE_SLACK_ID_SIZE_MAX + 1];
    char bot_id[CORE_SLACK_ID_SIZE_MAX + 1];
    char workspace_url[SLACK_SLUG_SIZE_MAX + 64];
};

/* webapi and metrics are borrowed; cluster is copied, "" or NULL: none. */
enum err_code poster_new(struct webapi *webapi,
                         struct metrics *metrics,
                         const char *cluster,
                         struct poster **ret_poster,
                         struct err *err) WARN_UNUSED;
/* Forgets attempts under way without their callbacks; free the webapi first. NULL is allowed. */
void poster_free(struct poster *poster);
void poster_set_identity(struct poster *poster, const struct poster_identity *identity);

/* As delivery_start_fn. The surface is not SURFACE_WEBHOOK, and sendfate_settled said no. */
enum err_code poster_start(struct poster *poster,
                           const struct delivery *delivery,
                           delivery_done_fn *done,
                           void *arg,
                           struct err *err) WARN_UNUSED;

#endif
