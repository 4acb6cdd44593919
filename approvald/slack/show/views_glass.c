/* SPDX-License-Identifier: Apache-2.0 */
/* views_glass.c: the modal of who breaks the glass.
 * Owns the words that tell him what he is about to do.
 * Never sends; whether he may is judged before it opens and when it comes back. */
#include "approvald/slack/show/views.h"
#include "approvald/slack/show/views_internal.h"

#include "base/buf.h"
#include "base/json.h"

enum err_code view_glass_open(const struct request *request,
                              const struct view_place *place,
                              struct span trigger_id,
                              bool step_up,
                              struct buf *body,
                              struct err *err)
{
    AUTO_JSON struct json *root = json_new_object();
    struct json *blocks;
    struct json *view;
    enum err_code rc;

    json_add_text(root, "trigger_id", trigger_id);
    view = view_form(root, VIEW_GLASS_CALLBACK, "Break Glass", "Break glass");
    rc = view_add_place(view, place, err);
    blocks = json_add_array(view, "blocks");
    view_add_plain(view_add_block(blocks, "section", "warning"), "text",
                   SPAN_LITERAL("This approves your own request at once, without its approvers. "
                                "They and the channel are told, with your name and your reason, "
                                "and the audit log keeps it."));
    if (rc == ERR_OK) {
        rc = view_add_request(blocks, request, err);
    }
    view_add_reason(blocks, true, "What is so urgent? Everybody reads this text.");
    if (step_up) {
        view_add_code(blocks, false);
    }
    return rc == ERR_OK ? view_print(root, SLACK_VIEW_SIZE_MAX, body, err) : rc;
}
