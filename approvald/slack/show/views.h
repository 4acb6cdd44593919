/* SPDX-License-Identifier: Apache-2.0 */
/* views.h: the modals: asking for the reason of a rejection, and showing how a request stands.
 * Pure: state in, JSON out. Slack drops a wrong view in a reply without a word, so all limits are
 * checked here before anything is sent. */
#ifndef APPROVALD_SLACK_SHOW_VIEWS_H
#define APPROVALD_SLACK_SHOW_VIEWS_H

#include "approvald/core/types.h"
#include "approvald/slack/limits.h"
#include "base/err.h"

struct buf;
struct json;

#define VIEW_REJECT_CALLBACK "reject" /* callback_id */
#define VIEW_REASON_BLOCK    "reason" /* block_id and action_id of the input */
#define VIEW_STATE_CALLBACK  "state"
#define VIEW_GLASS_CALLBACK  "break_glass"

/* What a modal remembers of the press that opened it: its private_metadata. */
struct view_place {
    struct request_id id;
    struct span channel; /* empty: no message, the home tab */
    struct span ts;
    struct span thread; /* or empty */
};
/* The metadata as Slack gave it back. False when it is not ours. The spans borrow from *ret_json,
 * which the caller frees (json_free); it is NULL on false. */
bool view_place_parse(struct span metadata, struct view_place *ret_place, struct json **ret_json);

/* Appends the body of views.open for a rejection's reason. ERR_NOMEM, ERR_TOO_LARGE, ERR_INVALID.
 */
enum err_code view_reject_open(const struct request *request,
                               const struct view_place *place,
                               struct span trigger_id,
                               struct buf *body,
                               struct err *err) WARN_UNUSED;
/* The same for the reason of who breaks the glass, which he has to give; step_up: and for a
 * one-time code. */
enum err_code view_glass_open(const struct request *request,
                              const struct view_place *place,
                              struct span trigger_id,
                              bool step_up,
                              struct buf *body,
                              struct err *err) WARN_UNUSED;
/* Appends {"response_action":"update",…}: the sentence, and how the request stands; request may be
 * NULL. */
enum err_code view_state_update(const struct request *request,
                                const char *sentence,
                                struct buf *body,
                                struct err *err) WARN_UNUSED;
/* Appends the body of views.open for the same: what came of a press where no message is. */
enum err_code view_state_open(const struct request *request,
                              const char *sentence,
                              struct span trigger_id,
                              struct buf *body,
                              struct err *err) WARN_UNUSED;
/* Appends the body of views.open for all that is asked, whole: what a card leaves out of long
 * texts.
 */
enum err_code view_details_open(const struct request *request,
                                struct span trigger_id,
                                struct buf *body,
                                struct err *err) WARN_UNUSED;
/* Appends {"response_action":"errors",…}: what is wrong with an input and how to fix it. */
enum err_code view_field_error(const char *block,
                               const char *sentence,
                               struct buf *body,
                               struct err *err) WARN_UNUSED;

/* Slack's limits of a modal or a Home (reference: Block Kit). The message names what is too long.
 */
enum err_code view_check(const struct json *view, struct err *err) WARN_UNUSED;

#endif
