/* SPDX-License-Identifier: Apache-2.0 */
/* post_internal.h: an attempt under way and what all of them share: post.c (the steps of an
 * attempt) and poster.c (the poster's life). Nobody else includes it. */
#ifndef APPROVALD_SLACK_OUTBOUND_POST_INTERNAL_H
#define APPROVALD_SLACK_OUTBOUND_POST_INTERNAL_H

#include "approvald/slack/outbound/post.h"
#include "approvald/slack/show/texts.h"

struct reconcile;

#define POST_ERROR_SIZE 320 /* bytes: Slack's word, advice */

enum post_step {
    STEP_POST,      /* the message itself */
    STEP_UPDATE,    /* of the message */
    STEP_EPHEMERAL, /* a notice */
    STEP_DIRECT,    /* a notice, to a person who cannot see it in the channel */
    STEP_OUTCOME,   /* a reply in place of an update */
};

struct post {
    struct poster *poster;
    struct post *next; /* in poster->posts */
    struct post *previous;
    delivery_done_fn *done;
    void *arg;
    struct reconcile *search; /* owned while it runs */
    struct texts texts;
    enum surface surface;
    enum post_step step;
    enum text_kind text;
    bool again;    /* the fate of an earlier attempt is unknown */
    bool doubtful; /* an earlier attempt may have happened and was not looked for yet */
    bool away;     /* a call of this attempt may have got out, and nobody knows */
    bool told;     /* what it should show was sent once, as a change or as a reply in its place */
    bool over;     /* a copy of a card whose request has ended: it is not posted any more */
    bool young;    /* lately: what an earlier attempt posted may still arrive */
    uint32_t revision;
    uint32_t item_id;
    uint64_t oldest_ms; /* time of records: when it was wanted first */
    uint64_t now_ms;    /* wall, at the start */
    char request_id[REQUEST_ID_TEXT_SIZE];
    char target[CORE_NAME_SIZE_MAX + 1];
    char channel[CORE_NAME_SIZE_MAX + 1];
    char ts[SLACK_TS_SIZE_MAX + 1];
    char thread[SLACK_TS_SIZE_MAX + 1]; /* reply there; or "" */
    uint32_t retry_ms;                  /* Slack's wish */
    uint32_t rest_ms;                   /* ours, for this message */
};

struct poster {
    struct webapi *webapi; /* borrowed */
    struct post *posts;    /* owned: those under way */
    struct poster_identity identity;
    char cluster[CORE_NAME_SIZE_MAX + 1];
    bool blind_told; /* the log was told that histories cannot be read */
    struct metric *found;
    struct metric *absent;
    struct metric *blind;
    struct metric *plain;
    struct metric *untold;
};

/* Takes it out of its poster. */
void post_free(struct post *post);

#endif
