/* SPDX-License-Identifier: Apache-2.0 */
/* views_away.h: out of office: its section of a Home, and the form that names a substitute. Pure:
 * state in, JSON out. */
#ifndef APPROVALD_SLACK_SHOW_VIEWS_AWAY_H
#define APPROVALD_SLACK_SHOW_VIEWS_AWAY_H

#include "approvald/service/service.h"
#include "approvald/slack/show/blocks.h"

struct buf;
struct payload;
struct prose;

#define VIEW_AWAY_CALLBACK "away"     /* of the form */
#define VIEW_AWAY_SET      "away_set" /* action_id of the Home's button that opens it */
#define VIEW_AWAY_END      "away_end" /* of one that ends a delegation; its value is the id */
#define VIEW_AWAY_TO       "to"       /* block_id and action_id of its inputs */
#define VIEW_AWAY_FROM     "from_time"
#define VIEW_AWAY_UNTIL    "to_time"

/* What a Home says of it. used: some policy lets approvers be stood in for. */
struct view_away {
    bool used;
    const struct service_delegation *delegations; /* of everybody, not over */
    size_t count;
};
/* Nothing when nobody can be stood in for and nothing concerns the person. */
void view_away_add(const struct view_away *away,
                   struct span user,
                   struct blocks *blocks,
                   struct prose *prose);
/* Equal for equal sections. */
uint64_t view_away_digest(const struct view_away *away, struct span user);

/* Appends the body of views.open. */
enum err_code view_away_open(struct span trigger_id,
                             uint64_t now_ms,
                             struct buf *body,
                             struct err *err) WARN_UNUSED;
/* The form as it was sent; a time that was left out is 0. */
struct view_away_form {
    struct span to;
    uint64_t begin_ms;
    uint64_t end_ms;
};
void view_away_read(const struct payload *payload, struct view_away_form *ret_form);
/* The input to which a message "to_time: …" belongs, and what is left of the message. */
const char *view_away_field(const char *message, const char **ret_rest);

#endif
