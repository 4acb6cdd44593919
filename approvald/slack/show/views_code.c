/* SPDX-License-Identifier: Apache-2.0 */
/* views_code.c: the field for a one-time code, and the window that has nothing else.
 * Owns their words. Never shows a code, nor why one does not count. */
#include "approvald/slack/show/views_code.h"

#include "approvald/slack/show/views_internal.h"
#include "base/buf.h"
#include "base/json.h"

void view_add_code(struct json *blocks, bool focused)
{
    struct json *input = view_add_block(blocks, "input", VIEW_CODE_BLOCK);
    struct json *element;

    view_add_plain(input, "label", SPAN_LITERAL("One-time code"));
    view_add_plain(input, "hint",
                   SPAN_LITERAL("Six digits of your authenticator app. Each serves once."));
    element = json_add_object(input, "element");
    json_add_text(element, "type", SPAN_LITERAL("plain_text_input"));
    json_add_text(element, "action_id", SPAN_LITERAL(VIEW_CODE_BLOCK));
    json_add_u64(element, "min_length", 6);
    json_add_u64(element, "max_length", CORE_CODE_SIZE_MAX);
    if (focused) {
        json_add_bool(element, "focus_on_load", true);
    }
}

enum err_code view_code_open(const struct request *request,
                             const struct view_place *place,
                             struct span trigger_id,
                             struct buf *body,
                             struct err *err)
{
    AUTO_JSON struct json *root = json_new_object();
    struct json *blocks;
    struct json *view;
    enum err_code rc;

    json_add_text(root, "trigger_id", trigger_id);
    view = view_form(root, VIEW_CODE_CALLBACK, "Approve Request", "Approve");
    rc = view_add_place(view, place, err);
    blocks = json_add_array(view, "blocks");
    if (rc == ERR_OK) {
        rc = view_add_request(blocks, request, err);
    }
    view_add_code(blocks, true);
    return rc == ERR_OK ? view_print(root, SLACK_VIEW_SIZE_MAX, body, err) : rc;
}
