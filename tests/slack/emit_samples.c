/* SPDX-License-Identifier: Apache-2.0 */
/* emit_samples.c: prints everything that approvald shows in Slack, one JSON object a line:
 * {"kind": "message", "name", "text", "blocks"}, {"kind": "modal", "name", "view"} or {"kind":
 * "home", "name", "view"}, plausible and hostile ones, for checks that are not ours:
 * conformance/typecheck.mjs holds them against Slack's own types. Owns nothing but the list; never
 * sends anything. */
#include "approvald/core/audit.h"
#include "approvald/slack/show/message.h"
#include "approvald/slack/show/views.h"
#include "approvald/slack/show/views_ask.h"
#include "approvald/slack/show/views_away.h"
#include "approvald/slack/show/views_code.h"
#include "approvald/slack/show/views_home.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "tests/lib/sample_request.h"

#include <stdio.h>
#include <stdlib.h>

#define LINE_SIZE_MAX     (512UL * 1024)
#define FORM_POLICY_COUNT 150

/* The kinds of messages. */
enum kind { CARD, PLAIN, DIRECT, REPLY, OUTCOME, NOTICE, KIND_COUNT };
static const char *const kind_words[KIND_COUNT] = {"card",  "plain",   "direct",
                                                   "reply", "outcome", "notice"};

static enum err_code add(enum kind kind,
                         const struct card *card,
                         const struct outbox_item *item,
                         struct json *message,
                         struct err *err)
{
    switch (kind) {
    case CARD:
        return card_add(card, message, err);
    case PLAIN:
        return card_add_plain(card, message, err);
    case DIRECT:
        return message_add_direct(card, message, err);
    case REPLY:
        return message_add_reply(card, item, message, err);
    case OUTCOME:
        return message_add_outcome(card, message, err);
    case NOTICE:
        return message_add_notice(card, item, message, err);
    case KIND_COUNT:
        break;
    }
    return err_set(err, ERR_INVALID, "no such kind");
}

static enum err_code emit(enum kind kind,
                          const struct request *request,
                          const struct policy *policy,
                          const char *sample,
                          const struct outbox_item *item)
{
    AUTO_JSON struct json *message = json_new_object();
    AUTO_BUF struct buf *line = NULL;
    struct card card = {.request = request,
                        .policy = policy,
                        .cluster = "main",
                        .workspace_url = "https://acme.slack.com/",
                        .channel = SPAN_LITERAL("C0APV00001"),
                        .ts = SPAN_LITERAL("1764752400.118349")};
    struct err err = ERR_INIT;
    char name[64];
    enum err_code rc;

    (void)snprintf(name, sizeof name, "%s %s", kind_words[kind], sample); /* short words */
    json_add_text(message, "kind", SPAN_LITERAL("message"));
    json_add_text(message, "name", span_text(name));
    rc = add(kind, &card, item, message, &err);
    if (rc == ERR_OK) {
        rc = buf_new(LINE_SIZE_MAX, &line, &err);
    }
    if (rc == ERR_OK) {
        rc = json_print(message, line, &err);
    }
    if (rc != ERR_OK) {
        (void)fprintf(stderr, "%s: %s\n", name, err.message);
        return rc;
    }
    return puts(buf_text(line)) == EOF ? ERR_IO : ERR_OK;
}

/* The reply or call that carries a view is the line itself: its other members do no harm. */
static enum err_code emit_line(struct buf *json, const char *kind, const char *name)
{
    ASSERT(buf_text(json)[0] == '{');
    return printf("{\"kind\":\"%s\",\"name\":\"%s\",%s\n", kind, name, buf_text(json) + 1) < 0
               ? ERR_IO
               : ERR_OK;
}

static enum err_code emit_views(const struct request *request, const char *sample)
{
    AUTO_BUF struct buf *reject = NULL;
    AUTO_BUF struct buf *state = NULL;
    struct view_place place = {.id = request->id,
                               .channel = SPAN_LITERAL("C0APV00001"),
                               .ts = SPAN_LITERAL("1764752400.118349")};
    struct err err = ERR_INIT;
    char name[64];
    enum err_code rc = buf_new(LINE_SIZE_MAX, &reject, &err);

    if (rc == ERR_OK) {
        rc = buf_new(LINE_SIZE_MAX, &state, &err);
    }
    if (rc == ERR_OK) {
        rc = view_reject_open(request, &place, SPAN_LITERAL("1.2.3"), reject, &err);
    }
    if (rc == ERR_OK) {
        rc = view_state_update(request, "This request is already decided.", state, &err);
    }
    if (rc != ERR_OK) {
        (void)fprintf(stderr, "views %s: %s\n", sample, err.message);
        return rc;
    }
    (void)snprintf(name, sizeof name, "reject %s", sample); /* short words */
    rc = emit_line(reject, "modal", name);
    (void)snprintf(name, sizeof name, "state %s", sample);
    return rc == ERR_OK ? emit_line(state, "modal", name) : rc;
}

/* The windows that ask for a code, for a reason and a code, and for a substitute. */
static enum err_code emit_questions(const struct request *request, const char *sample)
{
    AUTO_BUF struct buf *code = NULL;
    AUTO_BUF struct buf *glass = NULL;
    AUTO_BUF struct buf *away = NULL;
    struct view_place place = {.id = request->id};
    struct err err = ERR_INIT;
    char name[64];
    enum err_code rc = buf_new(LINE_SIZE_MAX, &code, &err);

    if (rc == ERR_OK) {
        rc = buf_new(LINE_SIZE_MAX, &away, &err);
    }
    if (rc == ERR_OK) {
        rc = view_code_open(request, &place, SPAN_LITERAL("1.2.3"), code, &err);
    }
    if (rc == ERR_OK) {
        rc = buf_new(LINE_SIZE_MAX, &glass, &err);
    }
    if (rc == ERR_OK) {
        rc = view_glass_open(request, &place, SPAN_LITERAL("1.2.3"), true, glass, &err);
    }
    if (rc == ERR_OK) {
        rc = view_away_open(SPAN_LITERAL("1.2.3"), UINT64_C(1800000000000), away, &err);
    }
    if (rc != ERR_OK) {
        (void)fprintf(stderr, "questions %s: %s\n", sample, err.message);
        return rc;
    }
    (void)snprintf(name, sizeof name, "code %s", sample); /* short words */
    rc = emit_line(code, "modal", name);
    (void)snprintf(name, sizeof name, "glass %s", sample);
    rc = rc == ERR_OK ? emit_line(glass, "modal", name) : rc;
    (void)snprintf(name, sizeof name, "away %s", sample);
    return rc == ERR_OK ? emit_line(away, "modal", name) : rc;
}

/* A field of each kind. */
static enum err_code add_fields(struct policy *policy, struct buf *stored, struct err *err)
{
    struct field_set set = {.count = FIELD_KIND_DATE};
    enum err_code rc;

    for (uint32_t i = 0; i < set.count; i++) {
        struct form_field *field = &set.items[i];

        field->kind = (enum field_kind)(i + 1);
        field->name = span_text(field_kind_word(field->kind));
        field->label = SPAN_LITERAL("Label");
        field->hint = SPAN_LITERAL("Hint");
        field->placeholder = SPAN_LITERAL("Placeholder");
        field_bounds(field->kind, &field->min, &field->max);
    }
    set.items[FIELD_KIND_SELECT - 1].option_count = 1;
    set.items[FIELD_KIND_SELECT - 1].options[0] = SPAN_LITERAL("prod");
    rc = field_set_encode(&set, stored, err);
    policy->fields = buf_span(stored);
    return rc;
}

/* The form with which a person asks, of one policy and of more than one list of options takes. */
static enum err_code emit_form(const struct policy *policy, size_t count, const char *sample)
{
    const struct policy *policies[FORM_POLICY_COUNT];
    struct policy askable = *policy;
    const struct view_ask_form asked = {
        .policies = policies, .count = count, .chosen = policy->name, .details = policy->title};
    AUTO_BUF struct buf *stored = NULL;
    AUTO_BUF struct buf *form = NULL;
    struct err err = ERR_INIT;
    char name[64];
    enum err_code rc = buf_new(LINE_SIZE_MAX, &form, &err);

    if (rc == ERR_OK) {
        rc = buf_new(CORE_FIELD_SET_SIZE_MAX, &stored, &err);
    }
    if (rc == ERR_OK) {
        rc = add_fields(&askable, stored, &err);
    }

    ASSERT(count <= FORM_POLICY_COUNT);
    askable.ask_in_slack = true;
    askable.deleted = false;
    for (size_t i = 0; i < count; i++) {
        policies[i] = &askable;
    }
    if (rc == ERR_OK) {
        rc = view_ask_open(&asked, SPAN_LITERAL("1.2.3"), form, &err);
    }
    (void)snprintf(name, sizeof name, "ask %zu %s", count, sample); /* short words */
    if (rc != ERR_OK) {
        (void)fprintf(stderr, "%s: %s\n", name, err.message);
        return rc;
    }
    return emit_line(form, "modal", name);
}

/* A Home whose every part shows the request, on a page in the middle. */
static enum err_code
emit_home(const struct request *request, const struct policy *policy, const char *sample)
{
    struct outbox_row card = {.channel = SPAN_LITERAL("C0APV00001"),
                              .ts = SPAN_LITERAL("1764752400.118349")};
    struct service_home_answer found = {.ready = true, .unknown = true};
    const struct service_delegation away = {.id = 7,
                                            .from = SPAN_LITERAL("U0APR00001"),
                                            .to = SPAN_LITERAL("U0APR00002"),
                                            .begin_ms = request->created_ms,
                                            .end_ms = request->created_ms + 86400000};
    struct view_home home = {.found = &found,
                             .away = {.used = true, .delegations = &away, .count = 1},
                             .user = SPAN_LITERAL("U0APR00001"),
                             .workspace_url = "https://acme.slack.com/",
                             .now_ms = request->created_ms};
    AUTO_BUF struct buf *view = NULL;
    struct err err = ERR_INIT;
    char name[64];
    enum err_code rc = buf_new(LINE_SIZE_MAX, &view, &err);

    for (size_t part = 0; part < HOME_PART_COUNT; part++) {
        found.parts[part] = (struct service_home_list){
            .count = 1, .items[0] = {request, policy, &card}, .page = 1, .more = true, .total = 20};
    }
    if (rc == ERR_OK) {
        rc = view_home_publish(&home, view, &err);
    }
    (void)snprintf(name, sizeof name, "home %s", sample); /* short words */
    if (rc != ERR_OK) {
        (void)fprintf(stderr, "%s: %s\n", name, err.message);
        return rc;
    }
    return emit_line(view, "home", name);
}

static enum err_code
emit_all(const struct request *request, const struct policy *policy, const char *sample)
{
    struct outbox_item item = {.id = 4,
                               .at_ms = request->created_ms + 70000,
                               .kind = AUDIT_REJECTION,
                               .user = SPAN_LITERAL("U0APR00001"),
                               .text = request->reason};
    enum err_code rc = ERR_OK;

    for (int kind = CARD; kind < KIND_COUNT && rc == ERR_OK; kind++) {
        rc = emit((enum kind)kind, request, policy, sample, &item);
    }
    if (rc == ERR_OK) {
        rc = emit_views(request, sample);
    }
    if (rc == ERR_OK) {
        rc = emit_questions(request, sample);
    }
    if (rc == ERR_OK) {
        rc = emit_home(request, policy, sample);
    }
    return rc == ERR_OK ? emit_form(policy, 1, sample) : rc;
}

static enum err_code emit_replies(const struct request *request, const struct policy *policy)
{
    struct outbox_item item = {.id = 4, .at_ms = request->created_ms + 70000};
    enum err_code rc = ERR_OK;

    for (uint32_t action = AUDIT_CREATED; action <= AUDIT_NOTICE && rc == ERR_OK; action++) {
        item.kind = action;
        rc = emit(REPLY, request, policy, audit_action_word((enum audit_action)action), &item);
    }
    return rc;
}

/* The states with the most and the longest parts. */
static enum err_code emit_hostile(struct sample_room *room, enum sample sample)
{
    struct request request;
    struct policy policy;
    enum err_code rc = ERR_OK;

    for (uint32_t kind = 0; kind < SAMPLE_HOSTILE_COUNT && rc == ERR_OK; kind++) {
        sample_hostile(kind, sample, room, &request, &policy);
        rc = emit_all(&request, &policy, sample_word(sample));
    }
    return rc;
}

int main(void)
{
    static struct sample_room room;
    struct request request;
    struct policy policy;
    enum err_code rc = ERR_OK;

    sample_policy(&policy);
    for (int sample = 0; sample < SAMPLE_COUNT && rc == ERR_OK; sample++) {
        sample_request((enum sample)sample, &request);
        rc = emit_all(&request, &policy, sample_word((enum sample)sample));
    }
    if (rc == ERR_OK) {
        rc = emit_replies(&request, &policy);
    }
    if (rc == ERR_OK) {
        sample_needs(SAMPLE_PARTIAL, &request, &policy);
        rc = emit_all(&request, &policy, "needs");
    }
    if (rc == ERR_OK) {
        rc = emit_form(&policy, FORM_POLICY_COUNT, "many");
    }
    if (rc == ERR_OK) {
        rc = emit_hostile(&room, SAMPLE_PARTIAL);
    }
    if (rc == ERR_OK) {
        rc = emit_hostile(&room, SAMPLE_REJECTED);
    }
    return rc == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
