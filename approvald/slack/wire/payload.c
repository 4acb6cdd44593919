/* SPDX-License-Identifier: Apache-2.0 */
/* payload.c: reads the forms and JSON that Slack delivers.
 * Owns the knowledge of where Slack puts what; the caller owns the result.
 * Never trusts a value, never looks at blocks or texts echoed in a message (but the one that a
 * person uses a shortcut on), never logs. */
#include "approvald/slack/wire/payload.h"

#include "approvald/slack/limits.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

#include <string.h>

#define FIELD_COUNT 9 /* of a slash command */

static const char *const kind_words[] = {
#define PAYLOAD_KIND_WORD(kind, word) [kind] = (word),
    PAYLOAD_KIND_TABLE(PAYLOAD_KIND_WORD)
#undef PAYLOAD_KIND_WORD
};

const char *payload_kind_word(enum payload_kind kind)
{
    ASSERT(kind < PAYLOAD_KIND_COUNT);
    return kind_words[kind];
}

static enum payload_kind kind_of(struct span type)
{
    for (size_t kind = PAYLOAD_UNKNOWN + 1; kind < PAYLOAD_KIND_COUNT; kind++) {
        if (kind != PAYLOAD_COMMAND && span_is(type, kind_words[kind])) {
            return (enum payload_kind)kind;
        }
    }
    return PAYLOAD_UNKNOWN;
}

void payload_done(struct payload *payload)
{
    json_free(payload->json);
    buf_free(payload->form);
    memset(payload, 0, sizeof *payload);
}

/* The first that is not empty. */
static struct span either(struct span first, struct span second)
{
    return first.size > 0 ? first : second;
}

static void read_view(struct payload *payload)
{
    const struct json *view = json_get(payload->object, "view");

    payload->view_id =
        either(json_text(view, "id"), json_text(payload->object, "container.view_id"));
    payload->view_hash = json_text(view, "hash");
    payload->callback_id =
        either(json_text(payload->object, "callback_id"), json_text(view, "callback_id"));
    payload->private_metadata = json_text(view, "private_metadata");
    payload->values = json_path(view, "state.values");
    payload->team = either(payload->team, json_text(view, "app_installed_team_id"));
}

static void read_action(struct payload *payload)
{
    const struct json *actions = json_get(payload->object, "actions");
    const struct json *action = json_is_array(actions) ? json_first(actions) : NULL;

    /* block_suggestion and shortcuts have it at the top. */
    payload->action_id =
        either(json_text(action, "action_id"), json_text(payload->object, "action_id"));
    payload->action_ts =
        either(json_text(action, "action_ts"), json_text(payload->object, "action_ts"));
    payload->value = either(json_text(action, "value"), json_text(payload->object, "value"));
    payload->choice = json_text(action, "selected_option.value");
    if (span_is(json_text(action, "type"), "overflow")) {
        payload->value = payload->choice; /* a choice of a menu is a press on a button */
    }
    payload->action_count = json_is_array(actions) ? (uint32_t)json_count(actions) : 0;
}

static void read_interaction(struct payload *payload)
{
    const struct json *json = payload->object;

    payload->type = json_text(json, "type");
    payload->kind = kind_of(payload->type);
    payload->user = json_text(json, "user.id");
    payload->user_team = json_text(json, "user.team_id");
    payload->team = json_text(json, "team.id");
    payload->enterprise = json_text(json, "enterprise.id");
    payload->org_install = json_bool(json, "is_enterprise_install", false);
    payload->channel =
        either(json_text(json, "channel.id"), json_text(json, "container.channel_id"));
    payload->message_ts =
        either(json_text(json, "container.message_ts"), json_text(json, "message.ts"));
    payload->message_ts = either(payload->message_ts, json_text(json, "message_ts"));
    payload->thread_ts =
        either(json_text(json, "container.thread_ts"), json_text(json, "message.thread_ts"));
    if (payload->kind == PAYLOAD_MESSAGE_ACTION) {
        payload->message_text = json_text(json, "message.text");
    }
    payload->ephemeral = json_bool(json, "container.is_ephemeral", false);
    payload->trigger_id = json_text(json, "trigger_id");
    payload->response_url = json_text(json, "response_url");
    read_action(payload);
    read_view(payload);
}

static void read_event(struct payload *payload)
{
    const struct json *json = payload->object;

    payload->type = json_text(json, "type");
    payload->kind = kind_of(payload->type);
    payload->team = either(json_text(json, "team_id"), json_text(json, "context_team_id"));
    payload->enterprise =
        either(json_text(json, "enterprise_id"), json_text(json, "context_enterprise_id"));
    payload->challenge = json_text(json, "challenge");
    payload->event_id = json_text(json, "event_id");
    payload->event_type = json_text(json, "event.type");
    payload->user = json_text(json, "event.user");
    payload->channel = json_text(json, "event.channel");
    payload->event_tab = json_text(json, "event.tab");
    payload->view_hash = json_text(json, "event.view.hash");
    payload->bot_token_revoked = json_count(json_path(json, "event.tokens.bot")) > 0;
    if (!json_u64(json, "event_time", &payload->event_time_s)) {
        payload->event_time_s = 0;
    }
}

static enum err_code take(struct json *root,
                          const struct json *object,
                          void (*read)(struct payload *payload),
                          struct payload *ret_payload,
                          struct err *err)
{
    struct payload payload = {.kind = PAYLOAD_UNKNOWN, .json = root, .object = object};

    if (!json_is_object(object)) {
        return err_set(err, ERR_INVALID, "not a JSON object");
    }
    read(&payload);
    *ret_payload = payload;
    return ERR_OK;
}

enum err_code payload_take_interaction(struct json *root,
                                       const struct json *object,
                                       struct payload *ret_payload,
                                       struct err *err)
{
    return take(root, object, read_interaction, ret_payload, err);
}

enum err_code payload_take_event(struct json *root,
                                 const struct json *object,
                                 struct payload *ret_payload,
                                 struct err *err)
{
    return take(root, object, read_event, ret_payload, err);
}

enum err_code
payload_parse_interaction(struct span body, struct payload *ret_payload, struct err *err)
{
    struct buf *form = NULL;
    struct json *json = NULL;
    enum err_code rc = buf_new(SLACK_BODY_SIZE_MAX, &form, err);

    if (rc == ERR_OK) {
        rc = text_form_field(body, "payload", form, err);
    }
    if (rc == ERR_OK) {
        rc = json_parse(buf_span(form), SLACK_BODY_SIZE_MAX, &json, err);
    }
    if (rc == ERR_OK) {
        rc = payload_take_interaction(json, json, ret_payload, err);
    }
    if (rc != ERR_OK) {
        json_free(json);
        buf_free(form);
        return err_wrap(err, rc == ERR_NOT_FOUND ? ERR_INVALID : rc, "interaction payload");
    }
    ret_payload->form = form;
    return ERR_OK;
}

enum err_code payload_parse_event(struct span body, struct payload *ret_payload, struct err *err)
{
    struct json *json = NULL;
    enum err_code rc = json_parse(body, SLACK_BODY_SIZE_MAX, &json, err);

    if (rc == ERR_OK) {
        rc = payload_take_event(json, json, ret_payload, err);
    }
    if (rc != ERR_OK) {
        json_free(json);
        return err_wrap(err, rc, "event payload");
    }
    return ERR_OK;
}

/* Where a field of the command's form lies in the buffer: spans are made when it has stopped
 * growing. */
struct field {
    const char *name;
    size_t offset;
    size_t size;
};

static enum err_code
read_fields(struct span body, struct buf *form, struct field fields[FIELD_COUNT], struct err *err)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        enum err_code rc;

        fields[i].offset = buf_size(form);
        rc = text_form_field(body, fields[i].name, form, err);
        if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
            return err_wrap(err, rc, "field %s", fields[i].name);
        }
        fields[i].size = buf_size(form) - fields[i].offset;
    }
    return ERR_OK;
}

enum err_code payload_parse_command(struct span body, struct payload *ret_payload, struct err *err)
{
    enum { TEAM, ENTERPRISE, CHANNEL, USER, COMMAND, TEXT, RESPONSE_URL, TRIGGER, ORG };
    struct field fields[FIELD_COUNT] = {
        [TEAM] = {.name = "team_id"},
        [ENTERPRISE] = {.name = "enterprise_id"},
        [CHANNEL] = {.name = "channel_id"},
        [USER] = {.name = "user_id"},
        [COMMAND] = {.name = "command"},
        [TEXT] = {.name = "text"},
        [RESPONSE_URL] = {.name = "response_url"},
        [TRIGGER] = {.name = "trigger_id"},
        [ORG] = {.name = "is_enterprise_install"},
    };
    struct payload payload = {.kind = PAYLOAD_COMMAND, .type = SPAN_LITERAL("command")};
    struct span found[FIELD_COUNT];
    enum err_code rc = buf_new(SLACK_BODY_SIZE_MAX, &payload.form, err);

    if (rc == ERR_OK) {
        rc = read_fields(body, payload.form, fields, err);
    }
    if (rc == ERR_OK && (fields[COMMAND].size == 0 || fields[USER].size == 0)) {
        rc = err_set(err, ERR_INVALID, "command and user_id are needed");
    }
    if (rc == ERR_OK && !text_is_utf8(buf_span(payload.form))) {
        rc = err_set(err, ERR_INVALID, "not UTF-8");
    }
    if (rc != ERR_OK) {
        payload_done(&payload);
        return err_wrap(err, rc, "slash command");
    }
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        found[i] = span_of(buf_text(payload.form) + fields[i].offset, fields[i].size);
    }
    payload.team = found[TEAM];
    payload.user_team = found[TEAM];
    payload.enterprise = found[ENTERPRISE];
    payload.channel = found[CHANNEL];
    payload.user = found[USER];
    payload.command = found[COMMAND];
    payload.text = found[TEXT];
    payload.response_url = found[RESPONSE_URL];
    payload.trigger_id = found[TRIGGER];
    payload.org_install = span_is(found[ORG], "true");
    *ret_payload = payload;
    return ERR_OK;
}

static void read_command(struct payload *payload)
{
    const struct json *json = payload->object;

    payload->kind = PAYLOAD_COMMAND;
    payload->type = SPAN_LITERAL("command");
    payload->team = json_text(json, "team_id");
    payload->user_team = payload->team;
    payload->enterprise = json_text(json, "enterprise_id");
    payload->channel = json_text(json, "channel_id");
    payload->user = json_text(json, "user_id");
    payload->command = json_text(json, "command");
    payload->text = json_text(json, "text");
    payload->response_url = json_text(json, "response_url");
    payload->trigger_id = json_text(json, "trigger_id");
    payload->org_install = span_is(json_text(json, "is_enterprise_install"), "true") ||
                           json_bool(json, "is_enterprise_install", false);
}

enum err_code payload_take_command(struct json *root,
                                   const struct json *object,
                                   struct payload *ret_payload,
                                   struct err *err)
{
    if (json_text(object, "command").size == 0 || json_text(object, "user_id").size == 0) {
        return err_set(err, ERR_INVALID, "slash command: command and user_id are needed");
    }
    return take(root, object, read_command, ret_payload, err);
}

struct span payload_input(const struct payload *payload, const char *block, const char *action)
{
    return json_text(json_get(json_get(payload->values, block), action), "value");
}

struct span payload_choice(const struct payload *payload, const char *block, const char *action)
{
    return json_text(json_get(json_get(payload->values, block), action), "selected_option.value");
}

struct span payload_person(const struct payload *payload, const char *block, const char *action)
{
    return json_text(json_get(json_get(payload->values, block), action), "selected_user");
}

bool payload_ts_seconds(struct span ts, uint64_t *ret_s)
{
    const char *dot = ts.size == 0 ? NULL : memchr(ts.data, '.', ts.size);
    uint64_t fraction;
    uint64_t seconds;
    size_t whole;

    if (dot == NULL) {
        return false;
    }
    whole = (size_t)(dot - ts.data);
    if (!text_parse_u64(span_of(ts.data, whole), &seconds) ||
        !text_parse_u64(span_of(dot + 1, ts.size - whole - 1), &fraction)) {
        return false;
    }
    *ret_s = seconds;
    return true;
}

bool payload_is_ssl_check(struct span body)
{
    struct buf *value = NULL;
    struct err err = ERR_INIT;
    bool is_check = false;

    if (buf_new(8, &value, &err) != ERR_OK) {
        return false;
    }
    is_check =
        text_form_field(body, "ssl_check", value, &err) == ERR_OK && span_is(buf_span(value), "1");
    buf_free(value);
    return is_check;
}
