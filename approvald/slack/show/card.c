/* SPDX-License-Identifier: Apache-2.0 */
/* card.c: the Slack message of a request.
 * Owns the order of its parts: what is asked, by whom, on what, why, what exactly, how it stands,
 * the buttons, the small print.
 * Never sends anything, never keeps what it was given, never shows text from people unguarded. */
#include "approvald/slack/show/card.h"

#include "approvald/core/approval.h"
#include "approvald/core/fields.h"
#include "approvald/core/glass.h"
#include "approvald/core/request_id.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/show/blocks.h"
#include "approvald/slack/show/prose.h"
#include "approvald/slack/show/story.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define CARD_CODE_BYTES 4 /* of the bind hash: enough for eyes, the claim compares all 32 */

/* On a telephone a line of code has some 40 characters: 8 lines are a third of its screen. */
#define CARD_DETAILS_LINES 8
#define CARD_DETAILS_COUNT 600
#define CARD_REASON_LINES  5
#define CARD_REASON_COUNT  250

static_assert(CORE_DETAILS_COUNT_MAX <= BLOCKS_RICH_COUNT_MAX, "what will run is shown whole");
static_assert(CORE_REASON_COUNT_MAX <= BLOCKS_RICH_COUNT_MAX, "a reason is shown whole");

void card_code(const struct request *request, char ret_text[CARD_CODE_SIZE])
{
    char hex[2 * CARD_CODE_BYTES + 1];

    ASSERT(request->bound);
    crypto_hex(request->bind_hash, CARD_CODE_BYTES, hex);
    memcpy(ret_text, hex, 4);
    ret_text[4] = '-';
    memcpy(ret_text + 5, hex + 4, 5);
}

/* Plain text from people; the fallback when nothing readable is left of it. */
static void say_plain(struct prose *prose, struct span text, size_t count_max, const char *fallback)
{
    size_t before = prose->count;

    prose_add_plain(prose, text, count_max);
    if (prose->count == before) {
        prose_add(prose, fallback);
    }
}

void card_head(const struct card *card, struct blocks *blocks, struct prose *prose)
{
    enum story_phase phase = story_phase(card->request);

    prose_begin(prose, BLOCKS_HEADER_COUNT_MAX);
    if (phase != STORY_PENDING) {
        prose_add(prose, story_symbol(phase));
        prose_add(prose, story_word(phase));
        prose_add(prose, ": ");
    }
    say_plain(prose, card->request->title, BLOCKS_HEADER_COUNT_MAX, "(no title)");
    blocks_header(blocks, prose_take(prose));
}

static void add_field(struct json *fields, struct prose *prose)
{
    blocks_field(fields, prose_take(prose));
}

static void begin_field(struct prose *prose, const char *label)
{
    prose_begin(prose, BLOCKS_FIELD_COUNT_MAX);
    prose_add(prose, label);
    prose_add(prose, "\n");
}

/* What the policy asked for besides; Slack takes ten fields of a section. */
static void add_values(const struct request *request, struct json *fields, struct prose *prose)
{
    struct field_values values;

    static_assert(CORE_FIELD_COUNT_MAX + 2 <= 10, "they stand beside asker and target");
    if (field_values_decode(request->fields, &values, NULL) != ERR_OK) {
        return; /* not so: the request's record would not have decoded */
    }
    for (uint32_t i = 0; i < values.count; i++) {
        prose_begin(prose, BLOCKS_FIELD_COUNT_MAX);
        prose_add(prose, "*");
        prose_add_text(prose, values.items[i].label, BLOCKS_FIELD_COUNT_MAX);
        prose_add(prose, "*\n");
        prose_add_text(prose, values.items[i].value, BLOCKS_FIELD_COUNT_MAX);
        add_field(fields, prose);
    }
}

static void add_facts(const struct card *card, struct blocks *blocks, struct prose *prose)
{
    const struct request *request = card->request;
    struct json *fields = blocks_fields(blocks);

    begin_field(prose, "*Asked by*");
    story_asker(prose, request);
    add_field(fields, prose);
    if (request->target.size > 0) {
        begin_field(prose, "*Target*");
        prose_add_text(prose, request->target, BLOCKS_FIELD_COUNT_MAX);
        add_field(fields, prose);
    }
    add_values(request, fields, prose);
}

/* Several lines of people's text, in prose; false when nothing readable is left of them. */
static bool take_lines(struct prose *prose, struct span text, size_t count_max)
{
    prose_begin(prose, count_max);
    prose_add_plain_lines(prose, text, count_max);
    return !prose_is_empty(prose);
}

void card_quote(struct blocks *blocks, struct prose *prose, struct span reason)
{
    if (take_lines(prose, reason, BLOCKS_RICH_COUNT_MAX)) {
        blocks_rich_quote(blocks_rich(blocks), prose_take(prose));
    }
}

/* What a card shows of a text. */
struct brief {
    struct span text;
    size_t lines; /* left out; or */
    size_t count; /* characters left out, of a first line that is too long by itself */
};

static size_t count_lines(struct span text)
{
    size_t count = 1;

    for (size_t i = 0; i < text.size; i++) {
        count += text.data[i] == '\n';
    }
    return count;
}

static struct brief brief_of(struct span text, size_t lines_max, size_t count_max)
{
    struct span head = text_prefix(text, count_max);
    size_t lines = 0;
    size_t end = 0; /* of the whole lines that are shown */

    for (size_t i = 0; i <= head.size && lines < lines_max; i++) {
        if (i == text.size || (i < text.size && text.data[i] == '\n')) {
            lines++;
            end = i;
        }
    }
    if (end == text.size) {
        return (struct brief){.text = text};
    }
    if (end == 0) {
        return (struct brief){.text = head, .count = text_count(text) - text_count(head)};
    }
    return (struct brief){
        .text = span_of(text.data, end),
        .lines = count_lines(span_of(text.data + end + 1, text.size - end - 1)),
    };
}

static struct brief brief_reason(struct prose *prose, struct span reason)
{
    (void)take_lines(prose, reason, BLOCKS_RICH_COUNT_MAX); /* nothing of it is brief, too */
    return brief_of(prose_take(prose), CARD_REASON_LINES, CARD_REASON_COUNT);
}

static struct brief brief_details(struct prose *prose, struct span details)
{
    (void)take_lines(prose, details, BLOCKS_RICH_COUNT_MAX); /* likewise */
    return brief_of(prose_take(prose), CARD_DETAILS_LINES, CARD_DETAILS_COUNT);
}

static bool is_cut(const struct brief *brief)
{
    return brief->lines + brief->count > 0;
}

/* What a card does not show must not be overlooked: it may be what matters. */
static void add_rest(const struct brief *brief, struct blocks *blocks, struct prose *prose)
{
    size_t count = brief->lines > 0 ? brief->lines : brief->count;

    if (!is_cut(brief)) {
        return;
    }
    prose_begin(prose, BLOCKS_MRKDWN_COUNT_MAX);
    prose_add(prose, "\xe2\x80\xa6 *");
    prose_add_number(prose, count);
    prose_add(prose, brief->lines > 0 ? " more line" : " more character");
    prose_add(prose, count == 1 ? "* under Details." : "s* under Details.");
    blocks_section(blocks, prose_take(prose));
}

void card_question(const struct card *card, struct blocks *blocks, struct prose *prose)
{
    const struct request *request = card->request;
    struct brief brief;

    add_facts(card, blocks, prose);
    brief = brief_reason(prose, request->reason);
    if (brief.text.size > 0) {
        blocks_rich_quote(blocks_rich(blocks), brief.text);
        add_rest(&brief, blocks, prose);
    }
    brief = brief_details(prose, request->details);
    if (brief.text.size > 0) {
        blocks_rich_code(blocks_rich(blocks), brief.text);
        add_rest(&brief, blocks, prose);
    }
}

void card_question_whole(const struct card *card, struct blocks *blocks, struct prose *prose)
{
    const struct request *request = card->request;

    add_facts(card, blocks, prose);
    card_quote(blocks, prose, request->reason);
    if (take_lines(prose, request->details, BLOCKS_RICH_COUNT_MAX)) {
        blocks_rich_code(blocks_rich(blocks), prose_take(prose));
    }
}

static bool leaves_out(const struct request *request, struct prose *prose)
{
    struct brief reason = brief_reason(prose, request->reason);
    struct brief details;

    if (is_cut(&reason)) {
        return true;
    }
    details = brief_details(prose, request->details);
    return is_cut(&details);
}

static void add_button(struct json *actions,
                       struct prose *prose,
                       const struct request *request,
                       struct blocks_button *button)
{
    prose_begin(prose, BLOCKS_LABEL_COUNT_MAX);
    prose_add(prose, button->text);
    prose_add(prose, ": ");
    say_plain(prose, request->title, BLOCKS_LABEL_COUNT_MAX, "(no title)");
    button->label = prose_take(prose);
    blocks_button(actions, button);
}

struct json *card_buttons(const struct card *card, struct blocks *blocks, struct prose *prose)
{
    char id[REQUEST_ID_TEXT_SIZE];
    struct json *actions;
    struct blocks_button approve = {
        .action_id = CARD_ACTION_APPROVE,
        .text = "Approve",
        .style = "primary",
    };
    struct blocks_button reject = {.action_id = CARD_ACTION_REJECT, .text = "Reject"};
    struct blocks_button stop = {.action_id = CARD_ACTION_STOP, .text = "Stop", .style = "danger"};
    struct blocks_button details = {.action_id = CARD_ACTION_DETAILS, .text = "Details"};
    bool pending = card->request->state == REQUEST_PENDING;
    bool more = leaves_out(card->request, prose);

    if (!pending && !more) {
        return NULL;
    }
    request_id_format(&card->request->id, id);
    approve.value = span_text(id);
    reject.value = span_text(id);
    stop.value = span_text(id);
    details.value = span_text(id);
    actions = blocks_actions(blocks);
    if (pending && request_is_delayed(card->request)) {
        add_button(actions, prose, card->request, &stop);
    } else if (pending) {
        add_button(actions, prose, card->request, &approve);
        add_button(actions, prose, card->request, &reject);
    }
    if (more) {
        add_button(actions, prose, card->request, &details);
    }
    return actions;
}

void card_menu(const struct card *card, struct json *actions)
{
    char id[REQUEST_ID_TEXT_SIZE];

    if (actions != NULL && card->policy != NULL && glass_is_offered(card->request, card->policy)) {
        request_id_format(&card->request->id, id);
        blocks_menu(actions, CARD_ACTION_GLASS, "Break glass\xe2\x80\xa6", span_text(id));
    }
}

/* Who approves learns that it can still be stopped. */
static void add_delay(const struct card *card, struct prose *prose)
{
    if (card->policy != NULL && card->policy->clocks.effect_after_ms > 0 &&
        !request_is_delayed(card->request)) {
        prose_add(prose, " It takes effect ");
        prose_add_duration(prose, card->policy->clocks.effect_after_ms);
        prose_add(prose, " after the approval, unless somebody stops it.");
    }
}

/* What a press on Approve leads to. */
static void add_promise(const struct card *card, struct json *context, struct prose *prose)
{
    if (card->request->state != REQUEST_PENDING) {
        return;
    }
    prose_begin(prose, BLOCKS_MRKDWN_COUNT_MAX);
    if (request_is_delayed(card->request)) {
        prose_add(prose,
                  card->request->bound ? "Then exactly this may run once" : "Then it may run once");
    } else {
        prose_add(prose, card->request->bound ? "Once approved, exactly this may run once"
                                              : "Once approved, it may run once");
    }
    if (card->policy != NULL && card->policy->lapses_after_ms > 0) {
        prose_add(prose, ", within ");
        prose_add_duration(prose, card->policy->lapses_after_ms);
    }
    prose_add(prose, ".");
    if (card->policy != NULL) {
        story_windows(prose, card->policy);
    }
    add_delay(card, prose);
    blocks_context_text(context, prose_take(prose));
}

/* Why it comes to somebody who only knows the channel. */
static void add_way(const struct card *card, struct json *context, struct prose *prose)
{
    if (card->request->state == REQUEST_PENDING && card->request->unposted) {
        prose_begin(prose, BLOCKS_MRKDWN_COUNT_MAX);
        prose_add(prose, "Asked in direct messages: the policy's channel did not take it.");
        blocks_context_text(context, prose_take(prose));
    }
}

static void add_deadline(const struct card *card, struct json *context, struct prose *prose)
{
    if (card->request->state == REQUEST_PENDING && !request_is_delayed(card->request)) {
        prose_begin(prose, BLOCKS_MRKDWN_COUNT_MAX);
        prose_add(prose, "Expires ");
        prose_add_date(prose, card->request->expires_ms);
        prose_add(prose, ".");
        blocks_context_text(context, prose_take(prose));
    }
}

static void add_policy(const struct card *card, struct json *context, struct prose *prose)
{
    bool titled = card->policy != NULL && card->policy->title.size > 0;

    prose_begin(prose, BLOCKS_MRKDWN_COUNT_MAX);
    prose_add(prose, "Policy: ");
    prose_add_text(prose, titled ? card->policy->title : card->request->policy,
                   CORE_TITLE_COUNT_MAX);
    blocks_context_text(context, prose_take(prose));
}

void card_print(const struct card *card, struct blocks *blocks, struct prose *prose)
{
    struct json *context = blocks_context(blocks);
    char id[REQUEST_ID_TEXT_SIZE];
    char code[CARD_CODE_SIZE];

    add_promise(card, context, prose);
    add_deadline(card, context, prose);
    add_way(card, context, prose);
    if (card->request->bound) {
        card_code(card->request, code);
        prose_begin(prose, BLOCKS_MRKDWN_COUNT_MAX);
        prose_add(prose, "Code ");
        prose_add(prose, code);
        prose_add(prose,
                  card->request->state == REQUEST_PENDING ? ": compare with the asker's." : "");
        blocks_context_text(context, prose_take(prose));
    }
    add_policy(card, context, prose);
    request_id_format(&card->request->id, id);
    blocks_context_text(context, span_text(id));
}

bool card_url(const struct card_place *place, char ret_url[SLACK_URL_SIZE_MAX])
{
    char digits[SLACK_TS_SIZE_MAX + 1];
    size_t count = 0;
    int size;

    for (size_t i = 0; i < place->ts.size && count < SLACK_TS_SIZE_MAX; i++) {
        if (place->ts.data[i] >= '0' && place->ts.data[i] <= '9') {
            digits[count++] = place->ts.data[i];
        }
    }
    digits[count] = '\0';
    if (place->workspace_url.size == 0 || count == 0 || !prose_is_id(place->channel, "CDG")) {
        return false;
    }
    size = snprintf(ret_url, SLACK_URL_SIZE_MAX, "%.*sarchives/%.*s/p%s",
                    SPAN_ARGS(place->workspace_url), SPAN_ARGS(place->channel), digits);
    return size > 0 && size < SLACK_URL_SIZE_MAX;
}

void card_link(struct prose *prose, const struct card *card, const char *label)
{
    struct card_place place = {.channel = card->channel, .ts = card->ts};
    char url[SLACK_URL_SIZE_MAX];

    if (card->workspace_url != NULL) {
        place.workspace_url = span_text(card->workspace_url);
    }
    if (card_url(&place, url)) {
        prose_add_link(prose, url, label);
    }
}

struct json *
card_metadata(const struct card *card, const char *surface, uint32_t item, struct json *message)
{
    struct json *metadata = json_add_object(message, "metadata");
    struct json *payload;
    char id[REQUEST_ID_TEXT_SIZE];

    request_id_format(&card->request->id, id);
    json_add_text(metadata, "event_type", SPAN_LITERAL(CARD_EVENT_TYPE));
    payload = json_add_object(metadata, "event_payload");
    json_add_text(payload, "request_id", span_text(id));
    json_add_text(payload, "surface", span_text(surface));
    json_add_u64(payload, "revision", card->request->revision);
    if (item > 0) {
        json_add_u64(payload, "item", item);
    }
    if (card->cluster != NULL && card->cluster[0] != '\0') {
        json_add_text(payload, "cluster", span_text(card->cluster));
    }
    return payload;
}

enum err_code card_add(const struct card *card, struct json *message, struct err *err)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    const struct request *request = card->request;
    struct blocks blocks;
    enum err_code rc = prose_init(&prose, err);

    if (rc != ERR_OK) {
        return rc;
    }
    prose_begin(&prose, BLOCKS_TEXT_COUNT_MAX);
    story_summary(&prose, request, card->policy,
                  "Answer with the Approve or Reject button of this message.");
    json_add_text(message, "text", prose_take(&prose));
    blocks_begin(&blocks, message, request->revision);
    card_head(card, &blocks, &prose);
    card_question(card, &blocks, &prose);
    prose_begin(&prose, BLOCKS_MRKDWN_COUNT_MAX);
    story_status(&prose, request, card->policy, "*");
    blocks_section(&blocks, prose_take(&prose));
    card_quote(&blocks, &prose, story_outcome_reason(request));
    card_menu(card, card_buttons(card, &blocks, &prose));
    card_print(card, &blocks, &prose);
    card_metadata(card, "card", 0, message);
    return prose_status(&prose, err);
}

enum err_code card_add_plain(const struct card *card, struct json *message, struct err *err)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    char answer[160];
    char id[REQUEST_ID_TEXT_SIZE];
    enum err_code rc = prose_init(&prose, err);

    if (rc != ERR_OK) {
        return rc;
    }
    request_id_format(&card->request->id, id);
    (void)snprintf(answer, sizeof answer,
                   "The buttons cannot be shown here; answer with: approvalctl approve %s (or "
                   "reject).",
                   id); /* fits: an id has 30 characters */
    prose_begin(&prose, BLOCKS_TEXT_COUNT_MAX);
    story_summary(&prose, card->request, card->policy, answer);
    json_add_text(message, "text", prose_take(&prose));
    (void)json_add_array(message, "blocks"); /* empty: an update drops what was there */
    json_add_bool(card_metadata(card, "card", 0, message), "plain", true);
    return prose_status(&prose, err);
}
