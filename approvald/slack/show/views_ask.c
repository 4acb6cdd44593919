/* SPDX-License-Identifier: Apache-2.0 */
/* views_ask.c: the form with which a person asks for an approval in Slack.
 * Owns its fields, their words and what a submitted one may hold.
 * Never judges what the service judges: whether somebody may ask, whether a policy is there, how
 * long a text is when it is clean. Text from people stands in plain_text only. */
#include "approvald/slack/show/views_ask.h"

#include "approvald/slack/show/card.h"
#include "approvald/slack/show/views.h"
#include "approvald/slack/show/views_fields.h"
#include "approvald/slack/show/views_internal.h"
#include "approvald/slack/wire/payload.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define TITLE_ASK          "Ask for Approval"
#define ERROR_SIZE_MAX     512
#define CHARACTER_SIZE_MAX 4 /* bytes in UTF-8 */
#define FIELD_ID_SIZE      64

static_assert(SLACK_URL_SIZE_MAX + 2 < CORE_DETAILS_COUNT_MAX, "a link leaves room for words");

enum input { INPUT_CHOICE, INPUT_PERSON, INPUT_LINE, INPUT_LINES };

static const struct {
    const char *name; /* as in the API, and in the service's messages */
    const char *label;
    const char *hint;
    enum input input;
    bool optional;
    size_t count_max;
} fields[ASK_FIELD_COUNT] = {
    [ASK_POLICY] = {"policy", "Policy", "Who decides, and under which rules.", INPUT_CHOICE, false,
                    CORE_NAME_SIZE_MAX},
    [ASK_TITLE] = {"title", "What", "What you want to do, in one line.", INPUT_LINE, false,
                   CORE_TITLE_COUNT_MAX},
    [ASK_TARGET] = {"target", "Target", "On what: a host, a service, an environment.", INPUT_LINE,
                    true, CORE_TARGET_COUNT_MAX},
    [ASK_REASON] = {"reason", "Why", "Who decides sees this; some policies need it.", INPUT_LINES,
                    true, CORE_REASON_COUNT_MAX},
    [ASK_DETAILS] = {"details", "Details", "More, or the command that you will run.", INPUT_LINES,
                     true, CORE_DETAILS_COUNT_MAX},
    [ASK_REQUESTER] = {"requester", "For whom",
                       "Yourself, unless you choose somebody, who is then told the outcome.",
                       INPUT_PERSON, true, CORE_SLACK_ID_SIZE_MAX},
    [ASK_EXPIRES_IN] = {"expires_in", "Expires in", "Never later than the policy says.",
                        INPUT_CHOICE, true, 8},
};

static const struct {
    const char *text;
    const char *value; /* seconds */
    uint64_t ms;
} durations[] = {
    {"15 minutes", "900", 15 * CORE_MINUTE_MS}, {"1 hour", "3600", 60 * CORE_MINUTE_MS},
    {"4 hours", "14400", 240 * CORE_MINUTE_MS}, {"1 day", "86400", CORE_DAY_MS},
    {"3 days", "259200", 3 * CORE_DAY_MS},      {"7 days", "604800", 7 * CORE_DAY_MS},
};
#define DURATION_COUNT (sizeof durations / sizeof durations[0])

/* The modal. */

/* dispatch: Slack tells at once that something is chosen. */
static struct json *
add_input(struct json *blocks, enum ask_field field, bool optional, bool dispatch)
{
    static const char *const types[] = {[INPUT_CHOICE] = "static_select",
                                        [INPUT_PERSON] = "users_select",
                                        [INPUT_LINE] = "plain_text_input",
                                        [INPUT_LINES] = "plain_text_input"};
    struct json *block = view_add_block(blocks, "input", fields[field].name);
    struct json *element;

    json_add_bool(block, "optional", optional);
    if (dispatch) {
        json_add_bool(block, "dispatch_action", true);
    }
    view_add_plain(block, "label", span_text(fields[field].label));
    view_add_plain(block, "hint", span_text(fields[field].hint));
    element = json_add_object(block, "element");
    json_add_text(element, "type", span_text(types[fields[field].input]));
    json_add_text(element, "action_id", span_text(fields[field].name));
    return element;
}

static void
add_text_input(struct json *blocks, enum ask_field field, bool optional, struct span initial)
{
    struct json *element = add_input(blocks, field, optional, false);

    json_add_bool(element, "multiline", fields[field].input == INPUT_LINES);
    json_add_u64(element, "max_length", fields[field].count_max);
    if (initial.size > 0) {
        json_add_text(element, "initial_value", text_prefix(initial, fields[field].count_max));
    }
}

static void fill_option(struct json *option, struct span text, struct span value, bool described)
{
    view_add_plain(option, "text", text);
    json_add_text(option, "value", value);
    if (described) {
        view_add_plain(option, "description", value);
    }
}

static bool is_blank(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != ' ') {
            return false;
        }
    }
    return true;
}

/* By its title, with the name below; by its name alone when it has none. */
static enum err_code
add_policy(struct json *option, const struct policy *policy, struct buf *title, struct err *err)
{
    enum err_code rc;

    buf_clear(title);
    rc = text_clean(title, policy->title, false, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (is_blank(buf_span(title))) {
        fill_option(option, policy->name, policy->name, false);
    } else {
        fill_option(option, text_prefix(buf_span(title), SLACK_OPTION_TEXT_COUNT_MAX), policy->name,
                    true);
    }
    return ERR_OK;
}

static bool is_askable(const struct policy *policy)
{
    return !policy->deleted && policy->ask_in_slack;
}

/* What matters of all policies that may be chosen. */
struct choice {
    size_t count;
    const struct policy *chosen; /* whose fields the form shows, or NULL */
    bool more;                   /* some policy has fields: choosing one changes the form */
    bool reason_needed;          /* by each of them, or by the chosen one */
    uint64_t expires_ms_max;
};

static struct choice look(const struct view_ask_form *form)
{
    const struct policy *const *policies = form->policies;
    const struct policy *last = NULL;
    struct choice choice = {.reason_needed = true};

    for (size_t i = 0; i < form->count; i++) {
        if (!is_askable(policies[i])) {
            continue;
        }
        choice.count++;
        last = policies[i];
        choice.chosen = span_equal(last->name, form->chosen) ? last : choice.chosen;
        choice.more = choice.more || last->fields.size > 0;
        choice.reason_needed = choice.reason_needed && policies[i]->require_reason;
        if (policies[i]->expires_after_ms > choice.expires_ms_max) {
            choice.expires_ms_max = policies[i]->expires_after_ms;
        }
    }
    if (choice.count == 1) {
        choice.chosen = last;
    }
    if (choice.chosen != NULL) {
        choice.reason_needed = choice.chosen->require_reason;
        choice.expires_ms_max = choice.chosen->expires_after_ms;
    }
    return choice;
}

/* A select takes so many options, and as many groups of so many. */
static struct json *add_group(struct json *groups, size_t first, size_t count)
{
    struct json *group = json_add_object(groups, NULL);
    size_t last = first + SLACK_OPTION_COUNT_MAX < count ? first + SLACK_OPTION_COUNT_MAX : count;
    char label[64];

    (void)snprintf(label, sizeof label, "Policies %zu to %zu", first + 1, last); /* fits */
    view_add_plain(group, "label", span_text(label));
    return json_add_array(group, "options");
}

static enum err_code add_options(struct json *element,
                                 const struct view_ask_form *form,
                                 const struct choice *choice,
                                 struct buf *title,
                                 struct err *err)
{
    bool grouped = choice->count > SLACK_OPTION_COUNT_MAX;
    struct json *list = json_add_array(element, grouped ? "option_groups" : "options");
    struct json *options = list;
    enum err_code rc = ERR_OK;
    size_t added = 0;

    for (size_t i = 0; rc == ERR_OK && i < form->count; i++) {
        if (!is_askable(form->policies[i])) {
            continue;
        }
        if (grouped && added % SLACK_OPTION_COUNT_MAX == 0) {
            options = add_group(list, added, choice->count);
        }
        rc = add_policy(json_add_object(options, NULL), form->policies[i], title, err);
        added++;
    }
    return rc;
}

static enum err_code add_policy_input(struct json *blocks,
                                      const struct view_ask_form *form,
                                      const struct choice *choice,
                                      struct err *err)
{
    struct json *element = add_input(blocks, ASK_POLICY, false, choice->more && choice->count > 1);
    AUTO_BUF struct buf *title = NULL;
    enum err_code rc = buf_new(CORE_TEXT_SIZE_MAX, &title, err);

    view_add_plain(element, "placeholder", SPAN_LITERAL("Choose a policy"));
    if (rc == ERR_OK) {
        rc = add_options(element, form, choice, title, err);
    }
    if (rc == ERR_OK && choice->chosen != NULL) {
        rc = add_policy(json_add_object(element, "initial_option"), choice->chosen, title, err);
    }
    return rc;
}

/* Only what is shorter than some policy's own time is a choice. */
static void add_expiry_input(struct json *blocks, uint64_t expires_ms_max)
{
    struct json *element;
    struct json *options;

    if (durations[0].ms >= expires_ms_max) {
        return;
    }
    element = add_input(blocks, ASK_EXPIRES_IN, true, false);
    view_add_plain(element, "placeholder", SPAN_LITERAL("As the policy says"));
    options = json_add_array(element, "options");
    for (size_t i = 0; i < DURATION_COUNT && durations[i].ms < expires_ms_max; i++) {
        fill_option(json_add_object(options, NULL), span_text(durations[i].text),
                    span_text(durations[i].value), false);
    }
}

/* The view under root. Its private_metadata is the policy whose fields stand in it. Ids stay the
 * same over an update, so that what was typed stays. */
static enum err_code add_form(struct json *root, const struct view_ask_form *form, struct err *err)
{
    struct choice choice = look(form);
    struct json *blocks;
    struct json *view;
    enum err_code rc;

    if (choice.count == 0) {
        return err_set(err, ERR_NOT_FOUND, "no policy takes requests from Slack");
    }
    view = view_form(root, VIEW_ASK_CALLBACK, TITLE_ASK, "Ask");
    if (choice.chosen != NULL) {
        json_add_text(view, "private_metadata", choice.chosen->name);
    }
    blocks = json_add_array(view, "blocks");
    rc = add_policy_input(blocks, form, &choice, err);
    if (choice.chosen != NULL) {
        view_fields_add(blocks, choice.chosen);
    }
    add_text_input(blocks, ASK_TITLE, false, SPAN_NONE);
    add_text_input(blocks, ASK_TARGET, true, SPAN_NONE);
    add_text_input(blocks, ASK_REASON, !choice.reason_needed, SPAN_NONE);
    add_text_input(blocks, ASK_DETAILS, true, form->details);
    view_add_plain(add_input(blocks, ASK_REQUESTER, true, false), "placeholder",
                   SPAN_LITERAL("Yourself"));
    add_expiry_input(blocks, choice.expires_ms_max);
    return rc;
}

enum err_code view_ask_open(const struct view_ask_form *form,
                            struct span trigger_id,
                            struct buf *body,
                            struct err *err)
{
    AUTO_JSON struct json *root = json_new_object();
    enum err_code rc;

    json_add_text(root, "trigger_id", trigger_id);
    rc = add_form(root, form, err);
    return rc == ERR_OK ? view_print(root, SLACK_ASK_VIEW_SIZE_MAX, body, err) : rc;
}

enum err_code view_ask_update(const struct view_ask_form *form,
                              struct span view_id,
                              struct buf *body,
                              struct err *err)
{
    AUTO_JSON struct json *root = json_new_object();
    enum err_code rc;

    json_add_text(root, "view_id", view_id);
    rc = add_form(root, form, err);
    return rc == ERR_OK ? view_print(root, SLACK_ASK_VIEW_SIZE_MAX, body, err) : rc;
}

/* About a message. */

/* Slack escapes three characters in a message's text; in the form they are themselves. */
static const struct {
    struct span entity;
    const char *text;
} entities[] = {{{"&lt;", 4}, "<"}, {{"&gt;", 4}, ">"}, {{"&amp;", 5}, "&"}};

/* The entity that the text begins with, or NULL and its first byte in *ret_size. */
static const char *entity_at(struct span text, size_t *ret_size)
{
    for (size_t i = 0; i < sizeof entities / sizeof entities[0]; i++) {
        struct span entity = entities[i].entity;

        if (text.size >= entity.size && memcmp(text.data, entity.data, entity.size) == 0) {
            *ret_size = entity.size;
            return entities[i].text;
        }
    }
    *ret_size = 1;
    return NULL;
}

static enum err_code unescape(struct span text, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && text.size > 0) {
        size_t size;
        const char *plain = entity_at(text, &size);

        rc = plain == NULL ? buf_append(buf, text.data, size, err)
                           : buf_append_text(buf, plain, err);
        text = span_of(text.data + size, text.size - size);
    }
    return rc;
}

enum err_code
view_ask_draft(const struct view_ask_message *message, struct buf *draft, struct err *err)
{
    AUTO_BUF struct buf *plain = NULL;
    AUTO_BUF struct buf *clean = NULL;
    struct card_place place = {
        .workspace_url = message->url, .channel = message->channel, .ts = message->ts};
    char link[SLACK_URL_SIZE_MAX];
    bool linked = card_url(&place, link);
    size_t room = CORE_DETAILS_COUNT_MAX - (linked ? strlen(link) + 2 : 0);
    enum err_code rc = buf_new(SLACK_ASK_SIZE_MAX, &plain, err);

    if (rc == ERR_OK) {
        rc = buf_new(SLACK_ASK_SIZE_MAX, &clean, err);
    }
    if (rc == ERR_OK) {
        rc = unescape(text_prefix(message->text, 2UL * CORE_DETAILS_COUNT_MAX), plain, err);
    }
    if (rc == ERR_OK) {
        rc = text_clean(clean, buf_span(plain), true, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_span(draft, text_prefix(buf_span(clean), room), err);
    }
    if (rc == ERR_OK && linked) {
        rc = buf_append_format(draft, err, "%s%s", buf_size(draft) > 0 ? "\n\n" : "", link);
    }
    return rc;
}

/* What comes back. */

static struct span typed(const struct payload *payload, size_t field)
{
    const char *name = fields[field].name;

    switch (fields[field].input) {
    case INPUT_CHOICE:
        return payload_choice(payload, name, name);
    case INPUT_PERSON:
        return payload_person(payload, name, name);
    case INPUT_LINE:
    case INPUT_LINES:
        break;
    }
    return payload_input(payload, name, name);
}

enum err_code
view_ask_read(const struct payload *payload, struct view_ask *ret_ask, struct err *err)
{
    struct view_ask ask = {.more = {.count = 0}};

    for (size_t i = 0; i < ASK_FIELD_COUNT; i++) {
        const char *name = fields[i].name;

        ask.fields[i] = typed(payload, i);
        /* Slack's client keeps to the length; who does not is not worth the memory. */
        if (ask.fields[i].size > fields[i].count_max * CHARACTER_SIZE_MAX) {
            return err_set(err, ERR_INVALID, "%s: at most %zu characters", name,
                           fields[i].count_max);
        }
    }
    if (ask.fields[ASK_POLICY].size == 0) {
        return err_set(err, ERR_INVALID, "policy: choose one");
    }
    if (ask.fields[ASK_EXPIRES_IN].size > 0 && view_ask_expires_ms(&ask) == 0) {
        return err_set(err, ERR_INVALID, "expires_in: choose one of the list");
    }
    /* Fields of another policy: the form had not changed yet when it was sent. */
    if (span_equal(payload->private_metadata, ask.fields[ASK_POLICY]) &&
        view_fields_read(payload, &ask.more, err) != ERR_OK) {
        return err->code;
    }
    *ret_ask = ask;
    return ERR_OK;
}

uint64_t view_ask_expires_ms(const struct view_ask *ask)
{
    for (size_t i = 0; i < DURATION_COUNT; i++) {
        if (span_is(ask->fields[ASK_EXPIRES_IN], durations[i].value)) {
            return durations[i].ms;
        }
    }
    return 0;
}

/* Cuts "field: " off a message; NULL: it names no field of ours. */
static const char *cut_field(struct span *message)
{
    for (size_t i = 0; i < ASK_FIELD_COUNT; i++) {
        size_t size = strlen(fields[i].name);

        if (message->size > size + 2 && memcmp(message->data, fields[i].name, size) == 0 &&
            memcmp(message->data + size, ": ", 2) == 0) {
            *message = span_of(message->data + size + 2, message->size - size - 2);
            return fields[i].name;
        }
    }
    return NULL;
}

/* The same for "fields.NAME: ", into room; NULL: it is none of the policy's. */
static const char *cut_more(struct span *message, char *room, size_t size)
{
    size_t prefix = strlen(VIEW_FIELDS_PREFIX);
    const char *colon = message->size == 0 ? NULL : memmem(message->data, message->size, ": ", 2);
    size_t at = colon == NULL ? 0 : (size_t)(colon - message->data);

    if (at <= prefix || at >= size || memcmp(message->data, VIEW_FIELDS_PREFIX, prefix) != 0) {
        return NULL;
    }
    memcpy(room, message->data, at);
    room[at] = '\0';
    *message = span_of(colon + 2, message->size - at - 2);
    return room;
}

enum err_code view_ask_error(struct span message, struct buf *body, struct err *err)
{
    char more[FIELD_ID_SIZE];
    const char *name = cut_more(&message, more, sizeof more);
    char sentence[ERROR_SIZE_MAX];

    if (name == NULL) {
        name = cut_field(&message);
    }
    (void)snprintf(sentence, sizeof sentence, "%.*s", SPAN_ARGS(message)); /* cut: bounded */
    return view_field_error(name == NULL ? fields[ASK_POLICY].name : name, sentence, body, err);
}
