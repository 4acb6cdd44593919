/* SPDX-License-Identifier: Apache-2.0 */
/* views_ask.h: the form with which a person asks for an approval in Slack: its modal, and what
 * comes back in it. Pure. The fields are those of POST /v1/requests that a person can fill in;
 * block_id and action_id of each are its name. */
#ifndef APPROVALD_SLACK_SHOW_VIEWS_ASK_H
#define APPROVALD_SLACK_SHOW_VIEWS_ASK_H

#include "approvald/core/fields.h"
#include "approvald/core/types.h"
#include "base/err.h"

struct buf;
struct payload;

#define VIEW_ASK_SHORTCUT                                                                          \
    "approval_new" /* callback_id of the shortcut; ctl/manifest.c declares it */
#define VIEW_ASK_MESSAGE  "approval_from_message" /* of the shortcut on a message; there too */
#define VIEW_ASK_CALLBACK "ask"                   /* of the modal */
#define VIEW_ASK_DETAILS  "details"               /* its field for more */
#define VIEW_ASK_POLICY   "policy"                /* action_id of the choice of a policy */

enum ask_field {
    ASK_POLICY,
    ASK_TITLE,
    ASK_TARGET,
    ASK_REASON,
    ASK_DETAILS,
    ASK_REQUESTER,  /* for whom; empty: for himself */
    ASK_EXPIRES_IN, /* seconds, one of the form's choices; empty: the policy's */
    ASK_FIELD_COUNT
};

struct view_ask {
    struct span fields[ASK_FIELD_COUNT]; /* as typed or chosen; empty: nothing */
    struct field_values more;            /* of the policy, as the form shows them; empty ones too */
};

/* The form to show. */
struct view_ask_form {
    const struct policy *const *policies; /* those that take requests from Slack are the choice */
    size_t count;
    struct span chosen;  /* the policy whose fields stand in it; empty: the only one, or none */
    struct span details; /* to begin with, or empty */
};
/* Append the body of views.open, of views.update. ERR_NOT_FOUND: there is no policy to choose;
 * ERR_NOMEM, ERR_TOO_LARGE, ERR_INVALID. */
enum err_code view_ask_open(const struct view_ask_form *form,
                            struct span trigger_id,
                            struct buf *body,
                            struct err *err) WARN_UNUSED;
enum err_code view_ask_update(const struct view_ask_form *form,
                              struct span view_id,
                              struct buf *body,
                              struct err *err) WARN_UNUSED;

/* Appends the details to begin with, about a message: its text, as Slack escapes it, and a link to
 * it where url (the workspace's) is known; cut so that both fit into the field. */
struct view_ask_message {
    struct span text;
    struct span url;
    struct span channel;
    struct span ts;
};
enum err_code view_ask_draft(const struct view_ask_message *message,
                             struct buf *draft,
                             struct err *err) WARN_UNUSED;

/* The fields of a submitted form; the spans borrow from the payload. ERR_INVALID: the message names
 * the field, says what is wrong and how to fix it (view_ask_error shows it there). */
enum err_code
view_ask_read(const struct payload *payload, struct view_ask *ret_ask, struct err *err) WARN_UNUSED;
/* 0: the policy's own. The choice has been read by view_ask_read. */
uint64_t view_ask_expires_ms(const struct view_ask *ask);

/* Appends {"response_action":"errors",…} for a message "field: what is wrong"; what names no field
 * of the form stands at its first. A field of the policy ("fields.NAME: …") has to stand in it. */
enum err_code view_ask_error(struct span message, struct buf *body, struct err *err) WARN_UNUSED;

#endif
