/* SPDX-License-Identifier: Apache-2.0 */
/* views_code.h: the window that asks for a one-time code. Pure: state in, JSON out. */
#ifndef APPROVALD_SLACK_SHOW_VIEWS_CODE_H
#define APPROVALD_SLACK_SHOW_VIEWS_CODE_H

#include "approvald/slack/show/views.h"

#define VIEW_CODE_CALLBACK "code"
#define VIEW_CODE_BLOCK    "code" /* block_id and action_id of the input */
#define VIEW_CODE_SIX      "Type the six digits that your authenticator app shows."

/* Appends the body of views.open. place comes back as private_metadata. */
enum err_code view_code_open(const struct request *request,
                             const struct view_place *place,
                             struct span trigger_id,
                             struct buf *body,
                             struct err *err) WARN_UNUSED;

#endif
