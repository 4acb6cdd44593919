/* SPDX-License-Identifier: Apache-2.0 */
/* api_delegations.c: /v1/delegations: who stands in for whom.
 * Owns who sees which. Never lets a token name a substitute for anybody but its own person. */
#include "approvald/core/approval.h"
#include "approvald/core/eligible.h"
#include "approvald/http/api_internal.h"
#include "approvald/http/body.h"
#include "approvald/http/limits.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define WHERE (HTTP_ON_SERVICE | HTTP_ON_LOCAL)

static void add_time(struct json *object, const char *name, uint64_t at_ms)
{
    char text[TEXT_TIME_SIZE];

    text_format_time(at_ms, text);
    json_add_text(object, name, span_text(text));
}

static void
add_delegation(struct json *object, const struct service_delegation *delegation, uint64_t now_ms)
{
    json_add_u64(object, "id", delegation->id);
    json_add_text(object, "from", delegation->from);
    json_add_text(object, "to", delegation->to);
    add_time(object, "begins_at", delegation->begin_ms);
    add_time(object, "ends_at", delegation->end_ms);
    json_add_bool(object, "active", delegation->begin_ms <= now_ms && now_ms < delegation->end_ms);
    add_time(object, "made_at", delegation->made_ms);
    json_add_text(object, "made_by", delegation->made_by);
}

/* Who may read sees all; a person who decides sees what concerns him. */
static bool may_see(const struct call *call, const struct service_delegation *delegation)
{
    struct span user = call->actor.user;

    return ((call->scopes & SCOPE_READ) != 0 && call->policy_count == 0) ||
           (user.size > 0 &&
            (span_equal(user, delegation->from) || span_equal(user, delegation->to)));
}

static void list(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_DECIDE | SCOPE_READ);
    const struct service_delegation *delegations = NULL;
    struct json *object;
    struct json *array;
    size_t count;

    if (call == NULL) {
        return;
    }
    count = service_delegation_list(call->api->options.service, &delegations);
    object = json_new_object();
    array = json_add_array(object, "delegations");
    for (size_t i = 0; i < count; i++) {
        if (may_see(call, &delegations[i])) {
            add_delegation(json_add_object(array, NULL), &delegations[i],
                           clock_wall_ms(call->api->clock));
        }
    }
    call_json(call, 200, object);
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

/* A mistake is noticed at once when Slack has told; what is not known is judged when it counts. */
static enum err_code check_substitute(const struct call *call, struct span user, struct err *err)
{
    const struct api_options *options = &call->api->options;
    struct facts facts = {.user_known = false};

    if (options->facts != NULL) {
        options->facts(options->arg, user, &facts);
    }
    if (eligible_is_gone(&facts)) {
        return err_set(err, ERR_INVALID, "to: %s", refusal_sentence(eligible_ask(&facts)));
    }
    return ERR_OK;
}

static void add(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_DECIDE | SCOPE_ROOT);
    AUTO_JSON struct json *json = NULL;
    struct service_delegation delegation = {.id = 0};
    struct err err = ERR_INIT;
    enum err_code rc;

    if (call == NULL) {
        return;
    }
    rc = body_parse_delegation(http_request_body(request), &json, &delegation, &err);
    if (rc == ERR_OK && delegation.from.size == 0) {
        delegation.from = call->actor.user; /* himself */
    }
    if (rc == ERR_OK) {
        rc = check_substitute(call, delegation.to, &err);
    }
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, &err);
        return;
    }
    call_check(call,
               service_delegate(call->api->options.service, &call->actor, &delegation, NULL,
                                on_done, call, &err),
               &err);
}

static void end(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_DECIDE | SCOPE_ROOT);
    struct err err = ERR_INIT;
    uint64_t id;

    if (call == NULL) {
        return;
    }
    if (!text_parse_u64(http_request_param(request, 0), &id) || id == 0) {
        call_fail(call, ERR_NOT_FOUND, REFUSAL_NONE, NULL);
        return;
    }
    call_check(
        call,
        service_undelegate(call->api->options.service, &call->actor, id, NULL, on_done, call, &err),
        &err);
}

const struct http_route *api_delegation_routes(void)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/delegations", WHERE, 0, NULL, list},
        {HTTP_POST, "/v1/delegations", WHERE, HTTP_API_BODY_SIZE_MAX, "application/json", add},
        {HTTP_DELETE, "/v1/delegations/?", WHERE, 0, NULL, end},
        {.pattern = NULL},
    };

    return routes;
}
