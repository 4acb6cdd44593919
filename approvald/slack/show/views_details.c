/* SPDX-License-Identifier: Apache-2.0 */
/* views_details.c: the modal behind Details on a card.
 * Owns that a text is in it whole, as what is approved.
 * Never sends, decides nothing: it has no button but Close. */
#include "approvald/slack/show/blocks.h"
#include "approvald/slack/show/card.h"
#include "approvald/slack/show/prose.h"
#include "approvald/slack/show/views.h"
#include "approvald/slack/show/views_internal.h"

#include "base/buf.h"
#include "base/json.h"

enum err_code view_details_open(const struct request *request,
                                struct span trigger_id,
                                struct buf *body,
                                struct err *err)
{
    AUTO_JSON struct json *root = json_new_object();
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    const struct card card = {.request = request};
    struct blocks blocks;
    struct json *view;
    enum err_code rc = prose_init(&prose, err);

    if (rc != ERR_OK) {
        return rc;
    }
    json_add_text(root, "trigger_id", trigger_id);
    view = json_add_object(root, "view");
    view_begin(view, VIEW_STATE_CALLBACK, "Details");
    view_add_plain(view, "close", SPAN_LITERAL("Close"));
    blocks_begin(&blocks, view, request->revision);
    card_head(&card, &blocks, &prose);
    card_question_whole(&card, &blocks, &prose);
    card_print(&card, &blocks, &prose);
    rc = prose_status(&prose, err);
    return rc == ERR_OK ? view_print(root, SLACK_MESSAGE_SIZE_MAX, body, err) : rc;
}
