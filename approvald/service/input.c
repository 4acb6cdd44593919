/* SPDX-License-Identifier: Apache-2.0 */
/* input.c: inputs of use cases.
 * Owns the limits of texts and ids at the service's border.
 * Never trusts that a caller has checked anything, never touches the store. */
#include "approvald/service/input.h"

#include "approvald/core/fields.h"
#include "approvald/core/policy.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

bool input_require(struct job *job, bool ok, const char *format, ...)
{
    char message[ERR_MESSAGE_SIZE];
    va_list args;

    if (ok || job->refuse.code != ERR_OK) {
        return ok;
    }
    va_start(args, format);
    /* A message that is too long is cut: a bounded text is the contract. */
    (void)vsnprintf(message, sizeof message, format, args);
    va_end(args);
    (void)err_set(&job->refuse, ERR_INVALID, "%s", message);
    return false;
}

static bool is_blank(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] != ' ' && text.data[i] != '\n' && text.data[i] != '\t') {
            return false;
        }
    }
    return true;
}

bool input_clean(struct job *job, enum input_slot slot, const struct input_text *input)
{
    struct buf *buf = job->service->texts[slot];
    enum err_code rc;

    ASSERT(slot < INPUT_SLOT_COUNT);
    if (!input_require(job, input->text->size <= SERVICE_TEXT_SIZE_MAX,
                       "%s: at most %zu characters", input->name, input->count_max) ||
        !input_require(job, text_is_utf8(*input->text), "%s: not valid UTF-8", input->name)) {
        return false;
    }
    buf_clear(buf);
    rc = text_clean(buf, *input->text, input->multiline, &job->refuse);
    if (rc != ERR_OK) {
        return false;
    }
    *input->text = buf_span(buf);
    if (!input_require(job, text_count(*input->text) <= input->count_max,
                       "%s: at most %zu characters", input->name, input->count_max)) {
        return false;
    }
    return input_require(job, !input->required || !is_blank(*input->text), "%s: must not be empty",
                         input->name);
}

/* A value after the other in one buffer, which grows: so its places are kept until it is whole. */
static bool clean_values(struct job *job, struct field_values *values, struct buf *text)
{
    size_t at[CORE_FIELD_COUNT_MAX + 1] = {0};

    for (uint32_t i = 0; i < values->count; i++) {
        const struct field_value *item = &values->items[i];
        struct span name = text_prefix(item->name, CORE_FIELD_NAME_SIZE_MAX);

        if (!input_require(job, item->name.size == name.size && text_is_utf8(name),
                           "fields.%.*s: the policy has no such field", SPAN_ARGS(name)) ||
            !input_require(job, item->value.size <= CORE_TEXT_SIZE_MAX,
                           "fields.%.*s: at most %d characters", SPAN_ARGS(name),
                           CORE_FIELD_VALUE_COUNT_MAX) ||
            !input_require(job, text_is_utf8(item->value), "fields.%.*s: not valid UTF-8",
                           SPAN_ARGS(name)) ||
            text_clean(text, item->value, false, &job->refuse) != ERR_OK) {
            return false;
        }
        at[i + 1] = buf_size(text);
    }
    for (uint32_t i = 0; i < values->count; i++) {
        values->items[i].value = span_of(buf_text(text) + at[i], at[i + 1] - at[i]);
    }
    return true;
}

bool input_fields(struct job *job, const struct field_values *values, struct span *ret_stored)
{
    struct buf *buf = job->service->texts[INPUT_FIELDS];
    struct field_values clean = *values;
    AUTO_BUF struct buf *text = NULL;

    *ret_stored = SPAN_NONE;
    if (values->count == 0) {
        return true;
    }
    buf_clear(buf);
    if (!input_require(job, values->count <= CORE_FIELD_COUNT_MAX, "fields: at most %d",
                       CORE_FIELD_COUNT_MAX) ||
        buf_new(SERVICE_TEXT_SIZE_MAX, &text, &job->refuse) != ERR_OK ||
        !clean_values(job, &clean, text) ||
        field_values_encode(&clean, buf, &job->refuse) != ERR_OK) {
        return false;
    }
    *ret_stored = buf_span(buf);
    return true;
}

bool input_event_key(struct job *job,
                     const struct service_event_key *event,
                     struct inbox_key *ret_key,
                     bool *ret_has)
{
    *ret_has = event->kind != INBOX_NONE;
    if (!*ret_has) {
        return true;
    }
    if (!input_require(job, event->text.size > 0, "event: it has no identity")) {
        return false;
    }
    inbox_key_make(event->kind, event->time_s, event->text, ret_key);
    return true;
}

bool input_event_keys(struct job *job,
                      const struct service_event_key *event,
                      struct inbox_key ret_keys[INBOX_KEY_COUNT_MAX],
                      uint32_t *ret_count)
{
    *ret_count = 0;
    if (event->kind != INBOX_NONE) {
        if (!input_require(job, event->text.size > 0, "event: it has no identity")) {
            return false;
        }
        *ret_count = inbox_keys_make(event->kind, event->time_s, event->text, ret_keys);
    }
    return true;
}

bool input_place(struct job *job, struct span channel, struct span thread)
{
    return input_require(job, channel.size <= CORE_SLACK_ID_SIZE_MAX,
                         "channel: not a Slack channel id") &&
           input_require(job, thread.size <= CORE_SLACK_TS_SIZE_MAX, "thread: not a Slack ts");
}

bool input_actor(struct job *job, const struct actor *actor)
{
    return input_require(job, actor->kind >= ACTOR_PERSON && actor->kind <= ACTOR_SYSTEM,
                         "actor: of no kind") &&
           input_require(job, actor->via >= VIA_SLACK && actor->via <= VIA_SYSTEM,
                         "actor: came no known way") &&
           input_require(job, actor->user.size == 0 || slack_user_is_valid(actor->user),
                         "user: not a Slack user id (U… or W…)") &&
           input_require(job, actor->token.size <= CORE_NAME_SIZE_MAX, "token: name too long");
}
