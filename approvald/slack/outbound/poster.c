/* SPDX-License-Identifier: Apache-2.0 */
/* poster.c: the life of what posts messages.
 * Owns the attempts under way and what is counted of all of them.
 * Never calls Slack: the steps of an attempt are post.c's. */
#include "approvald/slack/outbound/post_internal.h"
#include "approvald/slack/outbound/reconcile.h"
#include "base/assert.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <stdio.h>

enum err_code poster_new(struct webapi *webapi,
                         struct metrics *metrics,
                         const char *cluster,
                         struct poster **ret_poster,
                         struct err *err)
{
    static const char name[] = "approvald_slack_reconciled_total";
    static const char help[] = "Searches for a message whose posting had an unknown result.";
    struct poster *poster = mem_new(1, sizeof *poster);

    if (poster == NULL) {
        return err_set(err, ERR_NOMEM, "poster");
    }
    poster->webapi = webapi;
    (void)snprintf(poster->cluster, sizeof poster->cluster, "%s",
                   cluster == NULL ? "" : cluster); /* a longer name is only cut */
    poster->found = metrics_add(metrics, METRIC_COUNTER, name, "result=\"found\"", help);
    poster->absent = metrics_add(metrics, METRIC_COUNTER, name, "result=\"absent\"", help);
    poster->blind = metrics_add(metrics, METRIC_COUNTER, name, "result=\"blind\"", help);
    poster->plain = metrics_add(metrics, METRIC_COUNTER, "approvald_slack_plain_total", NULL,
                                "Messages sent as plain text because Slack refused their blocks.");
    poster->untold = metrics_add(metrics, METRIC_COUNTER, "approvald_slack_untold_total", NULL,
                                 "Messages to people whom Slack does not know, or no more.");
    *ret_poster = poster;
    return ERR_OK;
}

void post_free(struct post *post)
{
    struct post **slot = post->previous == NULL ? &post->poster->posts : &post->previous->next;

    ASSERT(*slot == post);
    *slot = post->next;
    if (post->next != NULL) {
        post->next->previous = post->previous;
    }
    reconcile_free(post->search);
    texts_done(&post->texts);
    mem_free(post);
}

void poster_free(struct poster *poster)
{
    if (poster == NULL) {
        return;
    }
    while (poster->posts != NULL) {
        post_free(poster->posts);
    }
    mem_free(poster);
}

void poster_set_identity(struct poster *poster, const struct poster_identity *identity)
{
    poster->identity = *identity;
}
