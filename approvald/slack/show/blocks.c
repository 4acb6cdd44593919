/* SPDX-License-Identifier: Apache-2.0 */
/* blocks.c: Block Kit pieces of a message.
 * Owns the shape of each kind of block and the naming of block ids.
 * Never escapes, cuts or words anything: texts come finished from prose. Pure. */
#include "approvald/slack/show/blocks.h"

#include "approvald/slack/limits.h"
#include "base/assert.h"
#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

static void check(struct span text, size_t count_max)
{
    ASSERT(text_count(text) <= count_max);
}

void blocks_begin(struct blocks *blocks, struct json *message, uint32_t revision)
{
    *blocks = (struct blocks){
        .list = json_add_array(message, "blocks"),
        .revision = revision,
    };
}

static struct json *add_block(struct blocks *blocks, const char *type)
{
    struct json *block = json_add_object(blocks->list, NULL);
    char id[32];

    ASSERT(blocks->count < SLACK_BLOCK_COUNT_MAX);
    (void)snprintf(id, sizeof id, "r%" PRIu32 ".b%" PRIu32, blocks->revision, blocks->count);
    blocks->count++;
    json_add_text(block, "type", span_text(type));
    json_add_text(block, "block_id", span_text(id));
    return block;
}

static void add_plain(struct json *parent, const char *name, struct span text)
{
    struct json *node = json_add_object(parent, name);

    json_add_text(node, "type", SPAN_LITERAL("plain_text"));
    json_add_text(node, "text", text);
    json_add_bool(node, "emoji", false);
}

/* verbatim: Slack makes no links and mentions of its own from names and URLs. */
static void add_mrkdwn(struct json *parent, const char *name, struct span text)
{
    struct json *node = json_add_object(parent, name);

    json_add_text(node, "type", SPAN_LITERAL("mrkdwn"));
    json_add_text(node, "text", text);
    json_add_bool(node, "verbatim", true);
}

void blocks_header(struct blocks *blocks, struct span plain)
{
    check(plain, BLOCKS_HEADER_COUNT_MAX);
    if (plain.size > 0) {
        add_plain(add_block(blocks, "header"), "text", plain);
    }
}

void blocks_section(struct blocks *blocks, struct span mrkdwn)
{
    check(mrkdwn, BLOCKS_MRKDWN_COUNT_MAX);
    if (mrkdwn.size > 0) {
        add_mrkdwn(add_block(blocks, "section"), "text", mrkdwn);
    }
}

struct json *blocks_fields(struct blocks *blocks)
{
    return json_add_array(add_block(blocks, "section"), "fields");
}

void blocks_field(struct json *fields, struct span mrkdwn)
{
    check(mrkdwn, BLOCKS_FIELD_COUNT_MAX);
    if (mrkdwn.size > 0) {
        add_mrkdwn(fields, NULL, mrkdwn);
    }
}

struct json *blocks_rich(struct blocks *blocks)
{
    return json_add_array(add_block(blocks, "rich_text"), "elements");
}

static void add_rich(struct json *rich, const char *type, struct span plain)
{
    struct json *element;
    struct json *text;

    check(plain, BLOCKS_RICH_COUNT_MAX);
    if (plain.size == 0) {
        return;
    }
    element = json_add_object(rich, NULL);
    json_add_text(element, "type", span_text(type));
    text = json_add_object(json_add_array(element, "elements"), NULL);
    json_add_text(text, "type", SPAN_LITERAL("text"));
    json_add_text(text, "text", plain);
}

void blocks_rich_quote(struct json *rich, struct span plain)
{
    add_rich(rich, "rich_text_quote", plain);
}

void blocks_rich_code(struct json *rich, struct span plain)
{
    add_rich(rich, "rich_text_preformatted", plain);
}

struct json *blocks_actions(struct blocks *blocks)
{
    return json_add_array(add_block(blocks, "actions"), "elements");
}

void blocks_button(struct json *actions, const struct blocks_button *button)
{
    struct json *node = json_add_object(actions, NULL);

    check(button->label, BLOCKS_LABEL_COUNT_MAX);
    json_add_text(node, "type", SPAN_LITERAL("button"));
    json_add_text(node, "action_id", span_text(button->action_id));
    add_plain(node, "text", span_text(button->text));
    json_add_text(node, "value", button->value);
    if (button->style != NULL) {
        json_add_text(node, "style", span_text(button->style));
    }
    json_add_text(node, "accessibility_label", button->label);
}

void blocks_menu(struct json *actions, const char *action_id, const char *text, struct span value)
{
    struct json *node = json_add_object(actions, NULL);
    struct json *option;

    json_add_text(node, "type", SPAN_LITERAL("overflow"));
    json_add_text(node, "action_id", span_text(action_id));
    option = json_add_object(json_add_array(node, "options"), NULL);
    add_plain(option, "text", span_text(text));
    json_add_text(option, "value", value);
}

struct json *blocks_context(struct blocks *blocks)
{
    return json_add_array(add_block(blocks, "context"), "elements");
}

void blocks_context_text(struct json *context, struct span mrkdwn)
{
    check(mrkdwn, BLOCKS_MRKDWN_COUNT_MAX);
    if (mrkdwn.size > 0) {
        add_mrkdwn(context, NULL, mrkdwn);
    }
}
