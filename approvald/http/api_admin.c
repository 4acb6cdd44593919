/* SPDX-License-Identifier: Apache-2.0 */
/* api_admin.c: audit, policies, tokens, outbox, status.
 * Owns nothing. Never lets a token administer: what changes rules, tokens or deliveries is done by
 * root over the local socket. */
#include "approvald/core/policy.h"
#include "approvald/core/request_id.h"
#include "approvald/http/api_internal.h"
#include "approvald/http/body.h"
#include "approvald/service/policy_rules.h"
#include "approvald/service/render.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

static void add_time(struct json *object, const char *name, uint64_t at_ms)
{
    char text[TEXT_TIME_SIZE];

    if (at_ms == 0) {
        json_add_null(object, name);
        return;
    }
    text_format_time(at_ms, text);
    json_add_text(object, name, span_text(text));
}

static void add_text_or_null(struct json *object, const char *name, struct span text)
{
    if (text.size == 0) {
        json_add_null(object, name);
    } else {
        json_add_text(object, name, text);
    }
}

static void add_id(struct json *object, const char *name, const struct request_id *id)
{
    char text[REQUEST_ID_TEXT_SIZE];

    request_id_format(id, text);
    json_add_text(object, name, span_text(text));
}

static void add_hex(struct json *object, const char *name, const void *bytes, size_t size)
{
    AUTO_FREE char *text = mem_new(size * 2 + 1, 1);

    if (text == NULL) {
        json_add_null(object, name);
        return;
    }
    crypto_hex(bytes, size, text);
    json_add_text(object, name, span_text(text));
}

static void add_audit_entry(struct json *list, const struct service_audit_entry *entry)
{
    struct json *object = json_add_object(list, NULL);

    json_add_u64(object, "seq", entry->seq);
    add_time(object, "at", entry->at_ms);
    json_add_u64(object, "at_ms", entry->at_ms);
    json_add_text(object, "action", entry->action);
    json_add_text(object, "actor", entry->actor);
    json_add_text(object, "via", entry->via);
    if (entry->has_id) {
        add_id(object, "request", &entry->id);
    } else {
        json_add_null(object, "request");
    }
    add_text_or_null(object, "detail", entry->detail);
    add_hex(object, "previous", entry->previous, sizeof(entry->previous));
    add_hex(object, "bytes", entry->bytes.data, entry->bytes.size);
    add_hex(object, "hash", entry->hash, sizeof(entry->hash));
}

static void on_audit(void *arg,
                     enum err_code rc,
                     const struct err *err,
                     const struct service_audit_entry *entries,
                     size_t count,
                     bool more)
{
    struct call *call = arg;
    struct json *object;
    struct json *list;

    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, err);
        return;
    }
    object = json_new_object();
    list = json_add_array(object, "entries");
    for (size_t i = 0; i < count; i++) {
        add_audit_entry(list, &entries[i]);
    }
    if (more && count > 0) {
        json_add_u64(object, "next", entries[count - 1].seq + 1);
    } else {
        json_add_null(object, "next");
    }
    call_json(call, 200, object);
}

static void audit(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_READ);
    char text[API_PARAM_SIZE_MAX];
    struct err err = ERR_INIT;
    uint64_t limit;
    uint64_t from;
    bool bad;
    bool one;

    if (call == NULL || !call_number(call, "from", UINT64_MAX, 1, &from) ||
        !call_number(call, "limit", SERVICE_PAGE_COUNT_MAX, API_PAGE_COUNT_DEFAULT, &limit)) {
        return;
    }
    if (call->policy_count > 0) {
        call_fail(call, ERR_DENIED, REFUSAL_SCOPE, NULL); /* the chain tells of all policies */
        return;
    }
    one = call_param(call, "request", text, &bad);
    if (bad || (one && !request_id_parse(span_text(text), &call->id))) {
        call_fail(call, err_set(&err, ERR_INVALID, "request: has to be the id of a request"),
                  REFUSAL_NONE, &err);
        return;
    }
    call_check(call,
               service_audit_list(call->api->options.service, from, one ? &call->id : NULL,
                                  limit == 0 ? 1 : (size_t)limit, on_audit, call, &err),
               &err);
}

static void
add_names(struct json *object, const char *name, const struct span *names, uint32_t count)
{
    struct json *list = json_add_array(object, name);

    for (uint32_t i = 0; i < count; i++) {
        json_add_text(list, NULL, names[i]);
    }
}

static void add_need(struct json *list, const struct policy *policy, uint32_t index)
{
    const struct policy_need *need = &policy->needs[index];
    struct json *object = json_add_object(list, NULL);
    struct json *names;

    json_add_text(object, "name", need->need.name);
    json_add_u64(object, "alternative", need->need.alternative);
    json_add_u64(object, "quorum", need->need.quorum);
    names = json_add_array(object, "users");
    for (uint32_t i = 0; i < policy->user_count; i++) {
        if ((need->users >> i & 1) != 0) {
            json_add_text(names, NULL, policy->users[i]);
        }
    }
    names = json_add_array(object, "groups");
    for (uint32_t i = 0; i < policy->group_count; i++) {
        if ((need->groups >> i & 1) != 0) {
            json_add_text(names, NULL, policy->groups[i]);
        }
    }
}

static void add_needs(struct json *object, const struct policy *policy)
{
    struct json *list = json_add_array(object, "needs");

    for (uint32_t i = 0; i < policy->need_count; i++) {
        add_need(list, policy, i);
    }
}

static void add_clocks(struct json *object, const struct policy_clocks *clocks)
{
    struct json *to;

    json_add_u64(object, "remind_before_s", clocks->remind_before_ms / 1000);
    json_add_u64(object, "escalate_after_s", clocks->escalate_after_ms / 1000);
    to = json_add_object(object, "escalate_to");
    add_text_or_null(to, "channel", clocks->escalate_channel);
    add_names(to, "users", clocks->escalate_users, clocks->escalate_user_count);
    add_names(to, "groups", clocks->escalate_groups, clocks->escalate_group_count);
    json_add_u64(object, "takes_effect_after_s", clocks->effect_after_ms / 1000);
    json_add_text(object, "recheck", span_text(policy_recheck_word(clocks->recheck)));
}

static void add_policy(struct json *list, const struct policy *policy)
{
    struct json *object = json_add_object(list, NULL);
    char rules[POLICY_RULES_TEXT_SIZE];

    json_add_text(object, "name", policy->name);
    json_add_u64(object, "version", policy->version);
    if (policy_rules_hash(policy, rules, NULL) ==
        ERR_OK) { /* without memory the answer fails, too */
        json_add_text(object, "rules", span_text(rules));
    }
    json_add_bool(object, "deleted", policy->deleted);
    add_text_or_null(object, "title", policy->title);
    add_text_or_null(object, "channel", policy->channel);
    json_add_u64(object, "quorum", policy->quorum);
    add_needs(object, policy);
    json_add_u64(object, "rejections", policy->rejections);
    add_names(object, "exclude_requester_groups", policy->excludes, policy->exclude_count);
    json_add_bool(object, "self_approval", policy->self_approval);
    json_add_bool(object, "direct_requester", policy->direct_requester);
    json_add_bool(object, "require_reason", policy->require_reason);
    json_add_bool(object, "ask_in_slack", policy->ask_in_slack);
    json_add_u64(object, "expires_after_s", policy->expires_after_ms / 1000);
    json_add_u64(object, "lapses_after_s", policy->lapses_after_ms / 1000);
    add_names(object, "users", policy->users, policy->user_count);
    add_names(object, "groups", policy->groups, policy->group_count);
    add_names(object, "webhooks", policy->webhooks, policy->webhook_count);
    add_clocks(object, &policy->clocks);
    policy_json_more(policy, object);
    render_policy_fields(policy, object);
    json_add_bool(object, "delegation", policy->delegation);
    json_add_bool(object, "step_up", policy->step_up);
    add_time(object, "applied_at", policy->applied_ms);
    add_text_or_null(object, "applied_by", policy->applied_by);
}

static void on_policies(void *arg,
                        enum err_code rc,
                        const struct err *err,
                        const struct policy *const *policies,
                        size_t count)
{
    struct call *call = arg;
    struct json *object;
    struct json *list;

    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, err);
        return;
    }
    object = json_new_object();
    list = json_add_array(object, "policies");
    for (size_t i = 0; i < count; i++) {
        if (call_may_policy(call, policies[i]->name)) {
            add_policy(list, policies[i]);
        }
    }
    call_json(call, 200, object);
}

static void list_policies(struct call *call, struct span name)
{
    struct err err = ERR_INIT;

    if (name.size > CORE_NAME_SIZE_MAX || (name.size > 0 && !call_may_policy(call, name))) {
        call_fail(call, ERR_NOT_FOUND, REFUSAL_NONE, NULL);
        return;
    }
    call_check(call, service_policy_list(call->api->options.service, name, on_policies, call, &err),
               &err);
}

static void policies(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ASK | SCOPE_DECIDE | SCOPE_READ);

    if (call != NULL) {
        list_policies(call, SPAN_NONE);
    }
}

static void policy_versions(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ASK | SCOPE_DECIDE | SCOPE_READ);

    if (call != NULL) {
        list_policies(call, http_request_param(request, 0));
    }
}

/* service_text_fn: text is JSON. */
static void on_text(void *arg, enum err_code rc, const struct err *err, struct span text)
{
    struct call *call = arg;

    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, err);
        return;
    }
    http_reply(call->request, &(struct http_reply){
                                  .status = 200, .content_type = "application/json", .body = text});
}

static void apply_policies(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ROOT);
    struct err err = ERR_INIT;

    if (call == NULL) {
        return;
    }
    call_check(call,
               service_policy_apply(call->api->options.service, &call->actor,
                                    http_request_body(request), call_flag(call, "dry_run"),
                                    call_flag(call, "delete_absent"), on_text, call, &err),
               &err);
}

static void add_token(struct json *list, const struct service_token *token)
{
    struct json *object = json_add_object(list, NULL);
    struct json *scopes;

    json_add_text(object, "name", token->name);
    scopes = json_add_array(object, "scopes");
    if (token->may_ask) {
        json_add_text(scopes, NULL, SPAN_LITERAL("ask"));
    }
    if (token->may_decide) {
        json_add_text(scopes, NULL, SPAN_LITERAL("decide"));
    }
    if (token->may_read) {
        json_add_text(scopes, NULL, SPAN_LITERAL("read"));
    }
    add_text_or_null(object, "user", token->user);
    add_names(object, "policies", token->policies, token->policy_count);
    json_add_u64(object, "rate_per_minute", token->rate_per_minute);
    add_time(object, "created_at", token->created_ms);
    add_time(object, "expires_at", token->expires_ms);
    json_add_bool(object, "revoked", token->revoked);
}

static void tokens(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ROOT);
    const struct service_token *const *list = NULL;
    struct json *object;
    struct json *array;
    size_t count;

    if (call == NULL) {
        return;
    }
    count = service_token_list(call->api->options.service, &list);
    object = json_new_object();
    array = json_add_array(object, "tokens");
    for (size_t i = 0; i < count; i++) {
        add_token(array, list[i]);
    }
    call_json(call, 200, object);
}

/* service_text_fn: text is the secret. */
static void on_token(void *arg, enum err_code rc, const struct err *err, struct span text)
{
    struct call *call = arg;
    struct json *object;

    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, err);
        return;
    }
    object = json_new_object();
    json_add_text(object, "token", text);
    call_json(call, 201, object);
}

static void add_new_token(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ROOT);
    AUTO_JSON struct json *json = NULL;
    struct service_token token;
    struct err err = ERR_INIT;
    enum err_code rc;

    if (call == NULL) {
        return;
    }
    rc = body_parse_token(http_request_body(request), clock_wall_ms(call->api->clock), &json,
                          &token, &err);
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, &err);
        return;
    }
    call_check(
        call,
        service_token_add(call->api->options.service, &call->actor, &token, on_token, call, &err),
        &err);
}

static void on_done(void *arg, enum err_code rc, const struct err *err)
{
    struct call *call = arg;

    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, err);
        return;
    }
    http_reply(call->request, &(struct http_reply){.status = 204});
}

static void revoke_token(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ROOT);
    struct err err = ERR_INIT;

    if (call == NULL) {
        return;
    }
    call_check(call,
               service_token_revoke(call->api->options.service, &call->actor,
                                    http_request_param(request, 0), on_done, call, &err),
               &err);
}

static void add_row(struct json *list, const struct outbox_row *row)
{
    struct json *object = json_add_object(list, NULL);

    add_id(object, "request", &row->request);
    json_add_text(object, "surface", span_text(body_surface_word(row->surface)));
    json_add_text(object, "target", row->target);
    json_add_u64(object, "wanted", row->wanted);
    json_add_u64(object, "sent", row->sent);
    json_add_u64(object, "items", row->item_count);
    json_add_bool(object, "dead", row->dead);
    json_add_u64(object, "attempts", row->attempts);
    add_time(object, "owed_at", row->owed_ms);
    add_time(object, "attempted_at", row->attempt_ms);
    add_text_or_null(object, "error", row->error);
}

static void add_cursor(struct json *object, const struct outbox_row *row)
{
    char id[REQUEST_ID_TEXT_SIZE];
    char text[REQUEST_ID_TEXT_SIZE + CORE_NAME_SIZE_MAX + 16];

    request_id_format(&row->request, id);
    (void)snprintf(text, sizeof(text), "%s:%s:%.*s", id, body_surface_word(row->surface), /* fits */
                   SPAN_ARGS(row->target));
    json_add_text(object, "next", span_text(text));
}

static void
on_rows(void *arg, enum err_code rc, const struct err *err, const struct service_rows *found)
{
    struct call *call = arg;
    struct json *object;
    struct json *list;

    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, err);
        return;
    }
    object = json_new_object();
    list = json_add_array(object, "rows");
    for (size_t i = 0; i < found->count; i++) {
        add_row(list, &found->rows[i]);
    }
    if (found->more && found->count > 0) {
        add_cursor(object, &found->rows[found->count - 1]);
    } else {
        json_add_null(object, "next");
    }
    call_json(call, 200, object);
}

static void outbox(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ROOT);
    struct service_row_key after;
    char text[API_PARAM_SIZE_MAX];
    struct err err = ERR_INIT;
    uint64_t limit;
    bool bad;
    bool paged;
    bool one;

    if (call == NULL ||
        !call_number(call, "limit", SERVICE_PAGE_COUNT_MAX, API_PAGE_COUNT_DEFAULT, &limit)) {
        return;
    }
    paged = call_param(call, "after", text, &bad);
    if (bad || (paged && !body_parse_row_key(span_text(text), &after))) {
        call_fail(call, err_set(&err, ERR_INVALID, "after: has to be what next said"), REFUSAL_NONE,
                  &err);
        return;
    }
    one = call_param(call, "request", text, &bad);
    if (bad || (one && !request_id_parse(span_text(text), &call->id))) {
        call_fail(call, err_set(&err, ERR_INVALID, "request: has to be the id of a request"),
                  REFUSAL_NONE, &err);
        return;
    }
    call_check(call,
               service_outbox_list(call->api->options.service, paged ? &after : NULL,
                                   one ? &call->id : NULL, call_flag(call, "dead"),
                                   limit == 0 ? 1 : (size_t)limit, on_rows, call, &err),
               &err);
}

static void replay(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ROOT);
    AUTO_JSON struct json *json = NULL;
    struct service_row_key key;
    struct err err = ERR_INIT;
    enum err_code rc;

    if (call == NULL) {
        return;
    }
    rc = body_parse_row(http_request_body(request), &json, &key, &err);
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, &err);
        return;
    }
    call_check(
        call,
        service_outbox_replay(call->api->options.service, &key, &call->actor, on_done, call, &err),
        &err);
}

/* On the management listener without a token: it tells of health, not of requests. */
static void status(void *arg, struct http_request *request)
{
    struct call *call;
    struct json *object;

    if (http_request_listener(request) == HTTP_MANAGEMENT) {
        call = http_request_context(request);
        call->api = arg;
        call->request = request;
    } else {
        call = call_begin_host(arg, request);
    }
    if (call == NULL) {
        return;
    }
    object = json_new_object();
    if (call->api->options.status != NULL) {
        call->api->options.status(call->api->options.arg, object);
    }
    call_json(call, 200, object);
}

#define JSON_BODY HTTP_API_BODY_SIZE_MAX, "application/json"
#define NO_BODY   0, NULL
#define WHERE     (HTTP_ON_SERVICE | HTTP_ON_LOCAL)

const struct http_route *api_admin_routes(void)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/audit", WHERE, NO_BODY, audit},
        {HTTP_GET, "/v1/policies", WHERE, NO_BODY, policies},
        {HTTP_GET, "/v1/policies/?", WHERE, NO_BODY, policy_versions},
        {HTTP_PUT, "/v1/policies", HTTP_ON_LOCAL, HTTP_POLICY_BODY_SIZE_MAX, "text/plain",
         apply_policies},
        {HTTP_GET, "/v1/tokens", HTTP_ON_LOCAL, NO_BODY, tokens},
        {HTTP_POST, "/v1/tokens", HTTP_ON_LOCAL, JSON_BODY, add_new_token},
        {HTTP_DELETE, "/v1/tokens/?", HTTP_ON_LOCAL, NO_BODY, revoke_token},
        {HTTP_GET, "/v1/outbox", HTTP_ON_LOCAL, NO_BODY, outbox},
        {HTTP_POST, "/v1/outbox/replay", HTTP_ON_LOCAL, JSON_BODY, replay},
        {HTTP_GET, "/v1/status", HTTP_ON_ALL, NO_BODY, status},
        {.pattern = NULL},
    };

    return routes;
}
