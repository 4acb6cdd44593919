/* SPDX-License-Identifier: Apache-2.0 */
/* texts.h: the messages that one attempt may have to send, rendered at its start, because the state
 * is at hand only then. Each is the members of a JSON object without its braces, so that the
 * address can be put before them. */
#ifndef APPROVALD_SLACK_SHOW_TEXTS_H
#define APPROVALD_SLACK_SHOW_TEXTS_H

#include "approvald/slack/show/card.h"

struct buf;

enum text_kind {
    TEXT_MAIN,
    TEXT_PLAIN,   /* when blocks are refused */
    TEXT_OUTCOME, /* a reply, when the message cannot be changed any more */
    TEXT_COUNT,
};

struct texts {
    struct buf *members[TEXT_COUNT]; /* owned; NULL: not needed for this row */
};

/* ERR_NOMEM. Not for webhooks. */
enum err_code texts_init(struct texts *texts,
                         const struct card *card,
                         const struct outbox_row *row,
                         struct err *err) WARN_UNUSED;
/* Where a message goes; "" where a member is not needed. */
struct texts_address {
    bool post; /* chat.postMessage: no previews of links */
    const char *channel;
    const char *ts;
    const char *thread;
    const char *user;
};
/* Appends the whole JSON object of a call: the address and the members of the kind. */
enum err_code texts_body(const struct texts *texts,
                         enum text_kind kind,
                         const struct texts_address *to,
                         struct buf *body,
                         struct err *err) WARN_UNUSED;
/* A zeroed one is allowed. */
void texts_done(struct texts *texts);

#endif
