/* SPDX-License-Identifier: Apache-2.0 */
/* views_ask.h: the form with which a person asks for an approval in Slack: its modal, and what
 * comes back in it. Pure. The fields are those of POST /v1/requests that a person can fill in;
 * block_id and action_id of each are its name. */
#ifndef APPROVALD_SLACK_VIEWS_ASK_H
#define APPROVALD_SLACK_VIEWS_ASK_H

#include "approvald/core/types.h"
#include "base/err.h"

struct buf;
struct payload;

#define VIEW_ASK_SHORTCUT                                                                          \
    "approval_new"              /* callback_id of the shortcut; ctl/manifest.c declares it */
#define VIEW_ASK_CALLBACK "ask" /* of the modal */

enum ask_field {
    ASK_POLICY,
    ASK_TITLE,
    ASK_TARGET,
    ASK_REASON,
    ASK_DETAILS,
    ASK_EXPIRES_IN, /* seconds, one of the form's choices; empty: the policy's */
    ASK_FIELD_COUNT
};

struct view_ask {
    struct span fields[ASK_FIELD_COUNT]; /* as typed or chosen; empty: nothing */
};

/* Appends the body of views.open: those of the policies that take requests from Slack are the
 * choice. ERR_NOT_FOUND: there is none; ERR_NOMEM, ERR_TOO_LARGE, ERR_INVALID. */
enum err_code view_ask_open(const struct policy *const *policies,
                            size_t count,
                            struct span trigger_id,
                            struct buf *body,
                            struct err *err) WARN_UNUSED;

/* The fields of a submitted form; the spans borrow from the payload. ERR_INVALID: the message names
 * the field, says what is wrong and how to fix it (view_ask_error shows it there). */
enum err_code
view_ask_read(const struct payload *payload, struct view_ask *ret_ask, struct err *err) WARN_UNUSED;
/* 0: the policy's own. The choice has been read by view_ask_read. */
uint64_t view_ask_expires_ms(const struct view_ask *ask);

/* Appends {"response_action":"errors",…} for a message "field: what is wrong"; what names no field
 * of the form stands at its first. */
enum err_code view_ask_error(struct span message, struct buf *body, struct err *err) WARN_UNUSED;

#endif
