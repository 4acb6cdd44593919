/* SPDX-License-Identifier: Apache-2.0 */
/* views.c: modals as JSON.
 * Owns their words, their ids and the check against Slack's limits.
 * Never sends, never reads a clock; text from people stands in plain_text, which Slack never
 * parses, so it cannot make a mention, a link or formatting. */
#include "approvald/slack/show/views.h"

#include "approvald/core/approval.h"
#include "approvald/core/policy.h"
#include "approvald/core/request_id.h"
#include "approvald/slack/show/card.h"
#include "approvald/slack/show/views_internal.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define TITLE_REJECT   "Reject Request"
#define TITLE_STATE    "Approval Request"
#define LINE_SIZE_MAX  1024
#define ERROR_SIZE_MAX 512

bool view_place_parse(struct span metadata, struct view_place *ret_place, struct json **ret_json)
{
    struct err err = ERR_INIT;
    struct json *json = NULL;

    *ret_json = NULL;
    if (json_parse(metadata, VIEW_PLACE_SIZE_MAX, &json, &err) != ERR_OK) {
        return false;
    }
    if (!request_id_parse(json_text(json, "r"), &ret_place->id)) {
        json_free(json);
        return false;
    }
    ret_place->channel = json_text(json, "c");
    ret_place->ts = json_text(json, "m");
    ret_place->thread = json_text(json, "t");
    *ret_json = json;
    return true;
}

static enum err_code place_format(const struct view_place *place, struct buf *buf, struct err *err)
{
    char id[REQUEST_ID_TEXT_SIZE];
    struct json *json = json_new_object();
    enum err_code rc;

    request_id_format(&place->id, id);
    json_add_text(json, "r", span_text(id));
    json_add_text(json, "c", place->channel);
    json_add_text(json, "m", place->ts);
    json_add_text(json, "t", place->thread);
    rc = json_print(json, buf, err);
    json_free(json);
    return rc;
}

void view_add_plain(struct json *parent, const char *name, struct span text)
{
    struct json *plain = json_add_object(parent, name);

    json_add_text(plain, "type", SPAN_LITERAL("plain_text"));
    json_add_text(plain, "text", text);
    json_add_bool(plain, "emoji", false);
}

struct json *view_add_block(struct json *blocks, const char *type, const char *id)
{
    struct json *block = json_add_object(blocks, NULL);

    json_add_text(block, "type", span_text(type));
    json_add_text(block, "block_id", span_text(id));
    return block;
}

static void add_section(struct json *blocks, const char *id, struct span text)
{
    view_add_plain(view_add_block(blocks, "section", id), "text", text);
}

/* A line of mrkdwn in small print; the text is ours. */
static void add_context(struct json *blocks, const char *id, struct span mrkdwn)
{
    struct json *elements = json_add_array(view_add_block(blocks, "context", id), "elements");
    struct json *element = json_add_object(elements, NULL);

    json_add_text(element, "type", SPAN_LITERAL("mrkdwn"));
    json_add_text(element, "text", mrkdwn);
    json_add_bool(element, "verbatim", true);
}

/* The title, cleaned and cut, as one line. */
static enum err_code add_title(struct json *blocks, const struct request *request, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    enum err_code rc = buf_new(CORE_TEXT_SIZE_MAX, &text, err);

    if (rc == ERR_OK) {
        rc = text_clean(text, text_prefix(request->title, CORE_TITLE_COUNT_MAX), false, err);
    }
    if (rc == ERR_OK && buf_size(text) > 0) {
        add_section(blocks, "title", buf_span(text));
    }
    return rc;
}

/* Who asked for it. */
static enum err_code say_asker(struct buf *text, const struct request *request, struct err *err)
{
    if (slack_user_is_valid(request->asker)) {
        return buf_append_format(text, err, "Asked by <@%.*s> for <@%.*s>",
                                 SPAN_ARGS(request->asker), SPAN_ARGS(request->requester));
    }
    if (request->requester.size > 0) {
        return buf_append_format(text, err, "Asked by <@%.*s>", SPAN_ARGS(request->requester));
    }
    return buf_append_text(text, "Asked by a program", err);
}

static enum err_code add_origin(struct json *blocks, const struct request *request, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    char id[REQUEST_ID_TEXT_SIZE];
    enum err_code rc = buf_new(LINE_SIZE_MAX, &text, err);

    request_id_format(&request->id, id);
    if (rc == ERR_OK) {
        rc = say_asker(text, request, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_format(text, err, " · Request %s", id);
    }
    if (rc == ERR_OK) {
        add_context(blocks, "origin", buf_span(text));
    }
    return rc;
}

/* Before a decision the code helps, which the card and the asker's terminal show too; the id is
 * only long. */
static enum err_code add_asker(struct json *blocks, const struct request *request, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    char code[CARD_CODE_SIZE];
    enum err_code rc = buf_new(LINE_SIZE_MAX, &text, err);

    if (rc == ERR_OK) {
        rc = say_asker(text, request, err);
    }
    if (rc == ERR_OK && request->bound) {
        card_code(request, code);
        rc = buf_append_format(text, err, " · Code %s", code);
    }
    if (rc == ERR_OK) {
        add_context(blocks, "origin", buf_span(text));
    }
    return rc;
}

void view_add_reason(struct json *blocks, bool required, const char *hint)
{
    struct json *input = view_add_block(blocks, "input", VIEW_REASON_BLOCK);
    struct json *element;

    json_add_bool(input, "optional", !required);
    view_add_plain(input, "label", SPAN_LITERAL("Reason"));
    view_add_plain(input, "hint", span_text(hint));
    element = json_add_object(input, "element");
    json_add_text(element, "type", SPAN_LITERAL("plain_text_input"));
    json_add_text(element, "action_id", SPAN_LITERAL(VIEW_REASON_BLOCK));
    json_add_bool(element, "multiline", true);
    json_add_u64(element, "max_length", CORE_REASON_COUNT_MAX);
}

void view_begin(struct json *view, const char *callback, const char *title)
{
    json_add_text(view, "type", SPAN_LITERAL("modal"));
    json_add_text(view, "callback_id", span_text(callback));
    view_add_plain(view, "title", span_text(title));
}

struct json *
view_form(struct json *root, const char *callback, const char *title, const char *submit)
{
    struct json *view = json_add_object(root, "view");

    view_begin(view, callback, title);
    view_add_plain(view, "submit", span_text(submit));
    view_add_plain(view, "close", SPAN_LITERAL("Cancel"));
    return view;
}

enum err_code
view_print(const struct json *root, size_t size_max, struct buf *body, struct err *err)
{
    size_t before = buf_size(body);
    enum err_code rc = json_print(root, body, err);

    if (rc == ERR_OK) {
        rc = view_check(json_get(root, "view"), err);
    }
    if (rc == ERR_OK && buf_size(body) - before > size_max) {
        rc = err_set(err, ERR_TOO_LARGE, "view of %zu bytes", buf_size(body) - before);
    }
    return rc == ERR_OK ? ERR_OK : err_wrap(err, rc, "view");
}

enum err_code view_add_place(struct json *view, const struct view_place *place, struct err *err)
{
    AUTO_BUF struct buf *metadata = NULL;
    enum err_code rc = buf_new(VIEW_PLACE_SIZE_MAX, &metadata, err);

    if (rc == ERR_OK) {
        rc = place_format(place, metadata, err);
    }
    if (rc == ERR_OK) {
        json_add_text(view, "private_metadata", buf_span(metadata));
    }
    return rc == ERR_OK ? ERR_OK : err_wrap(err, rc, "view");
}

enum err_code view_add_request(struct json *blocks, const struct request *request, struct err *err)
{
    enum err_code rc = add_title(blocks, request, err);

    return rc == ERR_OK ? add_asker(blocks, request, err) : rc;
}

enum err_code view_reject_open(const struct request *request,
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
    view = view_form(root, VIEW_REJECT_CALLBACK, TITLE_REJECT, "Reject");
    rc = view_add_place(view, place, err);
    blocks = json_add_array(view, "blocks");
    if (rc == ERR_OK) {
        rc = view_add_request(blocks, request, err);
    }
    view_add_reason(blocks, false, "The requester and the channel see this text.");
    return rc == ERR_OK ? view_print(root, SLACK_VIEW_SIZE_MAX, body, err) : rc;
}

/* "Rejected by <@U…>." The last decision of the kind that ended it is the one that counts. */
static enum err_code state_line(const struct request *request, struct buf *text, struct err *err)
{
    const struct decision *last =
        request->decision_count > 0 ? &request->decisions[request->decision_count - 1] : NULL;

    switch (request->state) {
    case REQUEST_PENDING:
        return buf_append_text(text,
                               request_is_delayed(request)
                                   ? "It is approved and takes effect unless somebody stops it."
                                   : "It is waiting for a decision.",
                               err);
    case REQUEST_APPROVED:
    case REQUEST_REJECTED:
        if (request->glass.at_ms > 0) {
            return buf_append_text(text, "It is approved: its requester broke the glass.", err);
        }
        if (last == NULL) {
            break;
        }
        return buf_append_format(text, err, "It was %s by <@%.*s>.",
                                 request_state_word(request->state), SPAN_ARGS(last->user));
    case REQUEST_EXPIRED:
        return buf_append_text(text, "It has expired without a decision.", err);
    case REQUEST_CANCELLED:
        return buf_append_text(text, "It was cancelled.", err);
    }
    return buf_append_format(text, err, "It was %s.", request_state_word(request->state));
}

static enum err_code add_state(struct json *blocks, const struct request *request, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    enum err_code rc = add_title(blocks, request, err);

    if (rc == ERR_OK) {
        rc = buf_new(LINE_SIZE_MAX, &text, err);
    }
    if (rc == ERR_OK) {
        rc = state_line(request, text, err);
    }
    if (rc == ERR_OK) {
        add_context(blocks, "state", buf_span(text));
        rc = add_origin(blocks, request, err);
    }
    return rc;
}

static enum err_code print_state(struct json *root,
                                 const struct request *request,
                                 const char *sentence,
                                 struct buf *body,
                                 struct err *err)
{
    struct json *view = json_add_object(root, "view");
    struct json *blocks;
    enum err_code rc = ERR_OK;

    view_begin(view, VIEW_STATE_CALLBACK, TITLE_STATE);
    view_add_plain(view, "close", SPAN_LITERAL("Close"));
    blocks = json_add_array(view, "blocks");
    add_section(blocks, "sentence", text_prefix(span_text(sentence), SLACK_VIEW_TEXT_COUNT_MAX));
    if (request != NULL) {
        rc = add_state(blocks, request, err);
    }
    return rc == ERR_OK ? view_print(root, SLACK_VIEW_SIZE_MAX, body, err) : rc;
}

enum err_code view_state_update(const struct request *request,
                                const char *sentence,
                                struct buf *body,
                                struct err *err)
{
    AUTO_JSON struct json *root = json_new_object();

    json_add_text(root, "response_action", SPAN_LITERAL("update"));
    return print_state(root, request, sentence, body, err);
}

enum err_code view_state_open(const struct request *request,
                              const char *sentence,
                              struct span trigger_id,
                              struct buf *body,
                              struct err *err)
{
    AUTO_JSON struct json *root = json_new_object();

    json_add_text(root, "trigger_id", trigger_id);
    return print_state(root, request, sentence, body, err);
}

enum err_code
view_field_error(const char *block, const char *sentence, struct buf *body, struct err *err)
{
    AUTO_JSON struct json *root = json_new_object();
    struct span text = text_prefix(span_text(sentence), ERROR_SIZE_MAX - 1); /* and the full stop */
    char said[ERROR_SIZE_MAX + 1];
    struct json *errors;

    (void)snprintf(said, sizeof said, "%.*s%s", SPAN_ARGS(text), /* fits */
                   text.size > 0 && strchr(".!?", text.data[text.size - 1]) != NULL ? "" : ".");
    if (said[0] >= 'a' && said[0] <= 'z') {
        said[0] = (char)(said[0] - 'a' + 'A');
    }
    json_add_text(root, "response_action", SPAN_LITERAL("errors"));
    errors = json_add_object(root, "errors");
    json_add_text(errors, block, span_text(said));
    return json_print(root, body, err);
}

/* Checks. */

static enum err_code
check_count(struct span text, size_t count_max, const char *what, struct err *err)
{
    if (text_count(text) > count_max) {
        return err_set(err, ERR_TOO_LARGE, "%s: more than %zu characters", what, count_max);
    }
    return ERR_OK;
}

/* A text object that must not be empty when it is there. */
static enum err_code check_label(const struct json *view, const char *path, struct err *err)
{
    struct span text = json_text(view, path);

    if (text.size == 0) {
        return ERR_OK;
    }
    return check_count(text, SLACK_VIEW_TITLE_COUNT_MAX, path, err);
}

static enum err_code check_option(const struct json *option, struct err *err)
{
    enum err_code rc =
        check_count(json_text(option, "text.text"), SLACK_OPTION_TEXT_COUNT_MAX, "option", err);

    if (rc == ERR_OK) {
        rc = check_count(json_text(option, "description.text"), SLACK_OPTION_TEXT_COUNT_MAX,
                         "description", err);
    }
    if (rc == ERR_OK) {
        rc = check_count(json_text(option, "value"), SLACK_OPTION_TEXT_COUNT_MAX, "value", err);
    }
    if (rc == ERR_OK &&
        (json_text(option, "text.text").size == 0 || json_text(option, "value").size == 0)) {
        rc = err_set(err, ERR_INVALID, "an option needs a text and a value");
    }
    return rc;
}

static enum err_code check_options(const struct json *options, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (json_count(options) > SLACK_OPTION_COUNT_MAX) {
        return err_set(err, ERR_TOO_LARGE, "more than %d options", SLACK_OPTION_COUNT_MAX);
    }
    for (const struct json *option = json_first(options); rc == ERR_OK && option != NULL;
         option = json_next(option)) {
        rc = check_option(option, err);
    }
    return rc;
}

/* The element of an input; NULL: the block is another one. */
static enum err_code check_element(const struct json *element, struct err *err)
{
    const struct json *groups = json_get(element, "option_groups");
    enum err_code rc =
        check_count(json_text(element, "action_id"), SLACK_ID_COUNT_MAX, "action_id", err);

    if (rc == ERR_OK) {
        rc = check_options(json_get(element, "options"), err);
    }
    if (rc == ERR_OK && json_count(groups) > SLACK_OPTION_COUNT_MAX) {
        rc = err_set(err, ERR_TOO_LARGE, "more than %d groups", SLACK_OPTION_COUNT_MAX);
    }
    for (const struct json *group = json_first(groups); rc == ERR_OK && group != NULL;
         group = json_next(group)) {
        rc = check_options(json_get(group, "options"), err);
    }
    return rc;
}

static bool id_is_repeated(const struct json *block)
{
    struct span id = json_text(block, "block_id");

    for (block = json_next(block); block != NULL; block = json_next(block)) {
        if (id.size > 0 && span_equal(json_text(block, "block_id"), id)) {
            return true;
        }
    }
    return false;
}

static enum err_code check_block(const struct json *block, struct err *err)
{
    const struct json *element = json_first(json_get(block, "elements"));
    enum err_code rc =
        check_count(json_text(block, "block_id"), SLACK_ID_COUNT_MAX, "block_id", err);

    if (rc == ERR_OK && id_is_repeated(block)) {
        rc = err_set(err, ERR_INVALID, "block_id is given twice");
    }
    if (rc == ERR_OK) {
        rc = check_count(json_text(block, "text.text"), SLACK_VIEW_TEXT_COUNT_MAX, "text", err);
    }
    if (rc == ERR_OK) {
        rc = check_element(json_get(block, "element"), err);
    }
    if (rc == ERR_OK && json_get(block, "text") != NULL &&
        json_text(block, "text.text").size == 0) {
        rc = err_set(err, ERR_INVALID, "text is empty");
    }
    for (; rc == ERR_OK && element != NULL; element = json_next(element)) {
        rc = check_count(json_text(element, "text"), SLACK_VIEW_TEXT_COUNT_MAX, "context", err);
    }
    return rc;
}

static bool has_input(const struct json *blocks)
{
    for (const struct json *block = json_first(blocks); block != NULL; block = json_next(block)) {
        if (span_is(json_text(block, "type"), "input")) {
            return true;
        }
    }
    return false;
}

enum err_code view_check(const struct json *view, struct err *err)
{
    const struct json *blocks = json_get(view, "blocks");
    bool titled =
        span_is(json_text(view, "type"), "home") || json_text(view, "title.text").size > 0;
    enum err_code rc = check_label(view, "title.text", err);

    if (rc == ERR_OK) {
        rc = check_label(view, "submit.text", err);
    }
    if (rc == ERR_OK) {
        rc = check_label(view, "close.text", err);
    }
    if (rc == ERR_OK) {
        rc = check_count(json_text(view, "private_metadata"), SLACK_VIEW_METADATA_COUNT_MAX,
                         "private_metadata", err);
    }
    if (rc == ERR_OK && json_count(blocks) > SLACK_MODAL_BLOCK_COUNT_MAX) {
        rc = err_set(err, ERR_TOO_LARGE, "more than %d blocks", SLACK_MODAL_BLOCK_COUNT_MAX);
    }
    if (rc == ERR_OK && (!titled || json_count(blocks) == 0)) {
        rc = err_set(err, ERR_INVALID, "a modal needs a title and blocks");
    }
    if (rc == ERR_OK && has_input(blocks) && json_text(view, "submit.text").size == 0) {
        rc = err_set(err, ERR_INVALID, "a modal with an input needs a submit label");
    }
    for (const struct json *block = json_first(blocks); rc == ERR_OK && block != NULL;
         block = json_next(block)) {
        rc = check_block(block, err);
    }
    return rc;
}
