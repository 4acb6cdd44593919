/* SPDX-License-Identifier: Apache-2.0 */
/* render.c: a request as JSON, the same for the API and for webhooks.
 * Owns the names of the members; the words of states and uses are core/words.c's.
 * Never decides anything, never escapes for a screen: JSON only. Pure. */
#include "approvald/service/render.h"

#include "approvald/core/approval.h"
#include "approvald/core/audit.h"
#include "approvald/core/fields.h"
#include "approvald/core/needs.h"
#include "approvald/core/request_id.h"
#include "base/assert.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>

const char *render_verdict(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_APPROVE:
        return "approve";
    case VERDICT_REJECT:
        return "reject";
    case VERDICT_GLASS:
        return "break_glass";
    }
    return "unknown";
}

uint32_t render_approval_count(const struct request *request)
{
    uint32_t count = 0;

    ASSERT(request->decision_count <= CORE_DECISION_COUNT_MAX);
    for (uint32_t i = 0; i < request->decision_count; i++) {
        count += request->decisions[i].verdict == VERDICT_APPROVE;
    }
    return count;
}

static void add_text(struct json *parent, const char *name, struct span text)
{
    if (text.size == 0) {
        json_add_null(parent, name);
    } else {
        json_add_text(parent, name, text);
    }
}

static void add_time(struct json *parent, const char *name, uint64_t wall_ms)
{
    char text[TEXT_TIME_SIZE];

    if (wall_ms == 0) {
        json_add_null(parent, name);
        return;
    }
    text_format_time(wall_ms, text);
    json_add_text(parent, name, span_text(text));
}

static void
add_needs(struct json *parent, const struct request *request, const struct quorum_result *result)
{
    struct json *list = json_add_array(parent, "needs");

    for (uint32_t i = 0; i < request->need_count; i++) {
        const struct need *need = &request->needs[i];
        struct json *node = json_add_object(list, NULL);

        json_add_text(node, "name", need->name);
        json_add_u64(node, "alternative", need->alternative);
        json_add_u64(node, "quorum", need->quorum);
        json_add_u64(node, "approvals", result->filled[i]);
    }
}

static void add_decisions(struct json *parent,
                          const struct request *request,
                          const struct quorum_result *result)
{
    struct json *list = json_add_array(parent, "decisions");
    struct span principals[CORE_DECISION_COUNT_MAX];

    needs_principals(request, request->decision_count, principals);
    for (uint32_t i = 0; i < request->decision_count; i++) {
        const struct decision *decision = &request->decisions[i];
        struct json *node = json_add_object(list, NULL);

        add_text(node, "user", decision->user);
        json_add_text(node, "verdict", span_text(render_verdict(decision->verdict)));
        add_text(node, "need",
                 result->fills[i] < request->need_count ? request->needs[result->fills[i]].name
                                                        : SPAN_NONE);
        add_time(node, "at", decision->at_ms);
        json_add_text(node, "via", span_text(audit_via_word(decision->via)));
        add_text(node, "reason", decision->reason);
        add_text(node, "on_behalf_of", principals[i]);
    }
}

static void add_glass(struct json *parent, const struct request_glass *glass)
{
    struct json *node;

    if (glass->at_ms == 0) {
        json_add_null(parent, "break_glass");
        return;
    }
    node = json_add_object(parent, "break_glass");
    add_text(node, "user", glass->user);
    add_time(node, "at", glass->at_ms);
    json_add_text(node, "via", span_text(audit_via_word(glass->via)));
    add_text(node, "reason", glass->reason);
}

/* until null: no end can be seen. */
static void add_hold(struct json *parent, const struct request_hold *hold)
{
    struct json *node;

    if (hold->until_ms == 0) {
        json_add_null(parent, "held");
        return;
    }
    node = json_add_object(parent, "held");
    add_time(node, "until", hold->until_ms == UINT64_MAX ? 0 : hold->until_ms);
    add_text(node, "freeze", hold->freeze);
    add_text(node, "reason", hold->reason);
}

static void add_fields(struct json *parent, const struct request *request)
{
    struct json *object = json_add_object(parent, "fields");
    struct field_values values;
    char name[CORE_FIELD_NAME_SIZE_MAX + 1];

    if (field_values_decode(request->fields, &values, NULL) != ERR_OK) {
        return; /* not so: the request's record would not have decoded */
    }
    for (uint32_t i = 0; i < values.count; i++) {
        /* Fits: its name was judged. */
        (void)snprintf(name, sizeof name, "%.*s", SPAN_ARGS(values.items[i].name));
        json_add_text(object, name, values.items[i].value);
    }
}

void render_policy_fields(const struct policy *policy, struct json *parent)
{
    struct json *list = json_add_array(parent, "fields");
    struct field_set set;

    if (field_set_decode(policy->fields, &set, NULL) != ERR_OK) {
        return; /* not so: the policy's record would not have decoded */
    }
    for (uint32_t i = 0; i < set.count; i++) {
        const struct form_field *field = &set.items[i];
        struct json *node = json_add_object(list, NULL);
        struct json *options;

        json_add_text(node, "name", field->name);
        json_add_text(node, "label", field->label);
        json_add_text(node, "kind", span_text(field_kind_word(field->kind)));
        json_add_bool(node, "required", field->required);
        json_add_i64(node, "min", field->min);
        json_add_i64(node, "max", field->max);
        options = json_add_array(node, "options");
        for (uint32_t k = 0; k < field->option_count; k++) {
            json_add_text(options, NULL, field->options[k]);
        }
        add_text(node, "hint", field->hint);
        add_text(node, "placeholder", field->placeholder);
    }
}

/* What was asked: fixed from the first moment on. */
static void add_question(struct json *parent, const struct request *request)
{
    struct json *policy = json_add_object(parent, "policy");
    char hash[2 * sizeof request->bind_hash + 1];

    add_text(policy, "name", request->policy);
    json_add_u64(policy, "version", request->policy_version);
    add_text(parent, "requester", request->requester);
    add_text(parent, "asker", request->asker);
    add_text(parent, "title", request->title);
    add_text(parent, "reason", request->reason);
    add_text(parent, "target", request->target);
    add_text(parent, "details", request->details);
    add_fields(parent, request);
    if (request->bound) {
        crypto_hex(request->bind_hash, sizeof request->bind_hash, hash);
        json_add_text(parent, "bind_hash", span_text(hash));
    } else {
        json_add_null(parent, "bind_hash");
    }
    add_time(parent, "created_at", request->created_ms);
    add_time(parent, "expires_at", request->expires_ms);
}

/* What became of it. */
static void add_answer(struct json *parent, const struct request *request)
{
    bool cancelled = request->state == REQUEST_CANCELLED;
    struct quorum_result result;

    needs_judge(request, request->decision_count, &result);
    add_time(parent, "lapses_at", request->lapses_ms);
    add_time(parent, "ended_at", request->ended_ms);
    add_time(parent, "claimed_at", request->claimed_ms);
    add_time(parent, "consumed_at", request->consumed_ms);
    add_time(parent, "escalated_at", request->clocks.escalated_ms);
    add_time(parent, "takes_effect_at", request->clocks.effect_ms);
    json_add_u64(parent, "quorum", request->quorum);
    json_add_u64(parent, "approvals", render_approval_count(request));
    add_needs(parent, request, &result);
    json_add_u64(parent, "rejection_quorum", request->rejections);
    json_add_u64(parent, "rejections", needs_rejections(request, request->decision_count));
    add_decisions(parent, request, &result);
    add_glass(parent, &request->glass);
    add_hold(parent, &request->hold);
    add_text(parent, "cancelled_by", cancelled ? request->end_actor : SPAN_NONE);
    add_text(parent, "cancel_reason", cancelled ? request->end_reason : SPAN_NONE);
    if (request->use == USE_CONSUMED) {
        json_add_i64(parent, "result", request->consume_result);
    } else {
        json_add_null(parent, "result");
    }
}

void render_request(const struct request *request, struct json *parent)
{
    char id[REQUEST_ID_TEXT_SIZE];

    ASSERT(request != NULL);
    request_id_format(&request->id, id);
    json_add_text(parent, "id", span_text(id));
    json_add_u64(parent, "revision", request->revision);
    json_add_text(parent, "state", span_text(request_state_word(request->state)));
    json_add_text(parent, "use", span_text(request_use_word(request->use)));
    add_question(parent, request);
    add_answer(parent, request);
}
