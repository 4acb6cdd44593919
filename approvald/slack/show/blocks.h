/* SPDX-License-Identifier: Apache-2.0 */
/* blocks.h: Block Kit pieces of a message, with Slack's limits. Pure. Texts are copied; an empty
 * text adds nothing, because Slack refuses empty ones. Failed allocations show in json_print. */
#ifndef APPROVALD_SLACK_SHOW_BLOCKS_H
#define APPROVALD_SLACK_SHOW_BLOCKS_H

#include "base/span.h"

#include <assert.h>
#include <stdint.h>

struct json;

/* Code points (reference: limits of Block Kit). */
#define BLOCKS_TEXT_COUNT_MAX   3900 /* top-level text: chat.update refuses more than 4,000 */
#define BLOCKS_HEADER_COUNT_MAX 150
#define BLOCKS_MRKDWN_COUNT_MAX 2950 /* of 3,000 */
#define BLOCKS_FIELD_COUNT_MAX  1950 /* of 2,000 */
#define BLOCKS_LABEL_COUNT_MAX  75   /* accessibility_label */
#define BLOCKS_RICH_COUNT_MAX   2950 /* one text of rich_text; no limit is published: as mrkdwn */

static_assert(BLOCKS_TEXT_COUNT_MAX < 4000 && BLOCKS_MRKDWN_COUNT_MAX < 3000,
              "slack for whatever Slack counts otherwise than in code points");

/* The list under construction. */
struct blocks {
    struct json *list;
    uint32_t revision; /* part of every block_id: a new one for each revision */
    uint32_t count;
};

/* Adds "blocks" to the message. */
void blocks_begin(struct blocks *blocks, struct json *message, uint32_t revision);
/* plain_text, at most BLOCKS_HEADER_COUNT_MAX. */
void blocks_header(struct blocks *blocks, struct span plain);
void blocks_section(struct blocks *blocks, struct span mrkdwn);

/* A section of fields, each at most BLOCKS_FIELD_COUNT_MAX; at most ten. */
struct json *blocks_fields(struct blocks *blocks);
void blocks_field(struct json *fields, struct span mrkdwn);

/* Rich text: never parsed by Slack. */
struct json *blocks_rich(struct blocks *blocks);
void blocks_rich_quote(struct json *rich, struct span plain);
void blocks_rich_code(struct json *rich, struct span plain);

struct json *blocks_actions(struct blocks *blocks);
struct blocks_button {
    const char *action_id;
    const char *text;
    const char *style; /* "primary" or NULL */
    struct span value;
    struct span label; /* for screen readers */
};
void blocks_button(struct json *actions, const struct blocks_button *button);

/* A menu behind three dots, with one choice. */
void blocks_menu(struct json *actions, const char *action_id, const char *text, struct span value);

/* Small grey texts, at most ten. */
struct json *blocks_context(struct blocks *blocks);
void blocks_context_text(struct json *context, struct span mrkdwn);

#endif
