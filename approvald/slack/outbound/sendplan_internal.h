/* SPDX-License-Identifier: Apache-2.0 */
/* sendplan_internal.h: what the two halves of sendplan share; nobody else includes it. */
#ifndef APPROVALD_SLACK_OUTBOUND_SENDPLAN_INTERNAL_H
#define APPROVALD_SLACK_OUTBOUND_SENDPLAN_INTERNAL_H

#include "approvald/slack/outbound/sendplan.h"

enum sendplan_priority {
    PRIORITY_NOTICE,
    PRIORITY_OUTCOME, /* a message shows its outcome: that call is never in vain */
    PRIORITY_WATCHED, /* a change that was made a moment ago */
    PRIORITY_CHANGE,
    PRIORITY_TOLD,  /* a change of a direct message: it asks nobody for anything */
    PRIORITY_AGAIN, /* a message that is gone */
    PRIORITY_NEW,
    PRIORITY_COPY,   /* of a new card, in direct messages: the channels have theirs first */
    PRIORITY_DIRECT, /* of one person there may be hundreds, and Slack takes one a second */
    PRIORITY_REPLY,
};

static inline bool sendplan_on_slack(enum surface surface)
{
    return surface != SURFACE_WEBHOOK;
}

/* Is a to be sent before b, if both may be sent? */
bool sendplan_is_before(const struct sendplan_row *a, const struct sendplan_row *b);
/* The wall clock was set back: what is left of each pause is left of it still. */
void sendplan_follow_clock(struct sendplan *plan, uint64_t now_ms);
/* The row's place is free. */
void sendplan_drop(struct sendplan *plan, struct sendplan_row *row);

#endif
