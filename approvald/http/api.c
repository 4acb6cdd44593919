/* SPDX-License-Identifier: Apache-2.0 */
/* api.c: who calls, and how a call is answered; the routes are in api_requests.c, api_admin.c,
 * api_delegations.c, api_backup.c and api_health.c.
 * Owns the table from codes and refusals to statuses.
 * Never decides a rule of approval, and answers nothing that the service has not said. */
#include "approvald/http/api.h"

#include "approvald/core/approval.h"
#include "approvald/core/request_id.h"
#include "approvald/http/api_internal.h"
#include "approvald/service/render.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/text.h"

#include <stdio.h>
#include <strings.h>

/* Seconds after which a caller may try again: a full queue drains within one. */
#define RETRY_S 1
/* Slack did not answer a claim: it is not asked again for so long. */
#define CLAIM_RETRY_S 5

enum err_code api_new(const struct api_options *options, struct api **ret_api, struct err *err)
{
    struct api *api = mem_new(1, sizeof(*api));

    ASSERT(options->metrics != NULL);
    if (api == NULL) {
        return err_set(err, ERR_NOMEM, "api");
    }
    api->options = *options;
    api->clock = options->clock != NULL ? options->clock : clock_host();
    api->wait_max = options->wait_count_max == 0 || options->wait_count_max > HTTP_WAIT_COUNT_MAX
                        ? HTTP_WAIT_COUNT_MAX
                        : options->wait_count_max;
    api->waits = metrics_add(options->metrics, METRIC_GAUGE, "approvald_api_waits", NULL,
                             "Long polls under way.");
    api->unauthenticated =
        metrics_add(options->metrics, METRIC_COUNTER, "approvald_api_unauthenticated_total", NULL,
                    "Calls without a valid token.");
    told_begin(api);
    if (options->service != NULL) {
        api_set_service(api, options->service);
    }
    *ret_api = api;
    return ERR_OK;
}

void api_set_service(struct api *api, struct service *service)
{
    ASSERT(api->wait_count == 0);
    api->options.service = service;
    api->draining = false;
    if (service != NULL) {
        service_listen(service, wait_changed, api);
    }
}

void api_free(struct api *api)
{
    if (api == NULL) {
        return;
    }
    ASSERT(api->wait_count == 0);
    mem_free(api);
}

enum err_code api_attach(struct api *api, struct http_server *server, struct err *err)
{
    const struct http_route *const all[] = {
        api_request_routes(),      api_admin_routes(),      api_policy_test_routes(),
        api_request_test_routes(), api_delegation_routes(), api_step_up_routes(),
        api_backup_routes(),       api_waiting_routes(),    api_freeze_routes(),
        api_health_routes(),
    };
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof(all) / sizeof(all[0]); i++) {
        rc = http_server_add(server, all[i], api, err);
    }
    return rc;
}

/* What a refusal is in HTTP's words; 0: the code decides. */
static const uint16_t refusal_statuses[] = {
    [REFUSAL_UNKNOWN_REQUEST] = 404, [REFUSAL_NOT_APPROVER] = 403,
    [REFUSAL_SELF_APPROVAL] = 403,   [REFUSAL_ALREADY_DECIDED] = 409,
    [REFUSAL_ENDED] = 409,           [REFUSAL_EXPIRED] = 410,
    [REFUSAL_GUEST] = 403,           [REFUSAL_BOT] = 403,
    [REFUSAL_DEACTIVATED] = 403,     [REFUSAL_FOREIGN] = 403,
    [REFUSAL_NOT_APPROVED] = 409,    [REFUSAL_NOT_ASKER] = 403,
    [REFUSAL_WRONG_HASH] = 409,      [REFUSAL_CLAIMED] = 409,
    [REFUSAL_NOT_CLAIMED] = 409,     [REFUSAL_LAPSED] = 410,
    [REFUSAL_POLICY_DELETED] = 409,  [REFUSAL_UNKNOWN_POLICY] = 404,
    [REFUSAL_SCOPE] = 403,           [REFUSAL_KEY_REUSED] = 409,
    [REFUSAL_TOO_MANY] = 429,        [REFUSAL_CONSUMED] = 409,
    [REFUSAL_FACTS_UNKNOWN] = 503,   [REFUSAL_NOT_ASKABLE] = 403,
    [REFUSAL_NOT_NEEDED] = 409,      [REFUSAL_SAME_GROUP] = 403,
    [REFUSAL_ENOUGH] = 409,          [REFUSAL_POLICY_CHANGED] = 409,
    [REFUSAL_APPROVER_GONE] = 409,   [REFUSAL_STOOD_IN] = 409,
    [REFUSAL_STEP_UP] = 403,         [REFUSAL_CODE] = 403,
    [REFUSAL_NO_GLASS] = 403,        [REFUSAL_GLASS_OWN] = 403,
    [REFUSAL_GLASS_REASON] = 400,    [REFUSAL_CLOSED] = 409,
    [REFUSAL_FROZEN] = 409,          [REFUSAL_APPROVER_UNKNOWN] = 503,
};

static uint32_t code_status(enum err_code rc)
{
    switch (rc) {
    case ERR_OK:
        return 200;
    case ERR_INVALID:
    case ERR_PROTOCOL:
        return 400;
    case ERR_UNAUTHENTICATED:
        return 401;
    case ERR_DENIED:
        return 403;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_EXISTS:
    case ERR_CONFLICT:
        return 409;
    case ERR_EXPIRED:
        return 410;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_NOMEM:
    case ERR_NOSPACE:
    case ERR_BUSY:
    case ERR_FULL:
    case ERR_TIMEOUT:
    case ERR_UNAVAILABLE:
    case ERR_UNKNOWN_FATE:
    case ERR_FATAL:
        return 503;
    case ERR_IO:
    case ERR_CORRUPT:
    case ERR_UNSUPPORTED:
        break;
    }
    return 500;
}

static const char *fail_detail(enum err_code rc, enum refusal refusal, const struct err *err)
{
    bool timed = refusal == REFUSAL_CLOSED || refusal == REFUSAL_FROZEN;

    if (refusal != REFUSAL_NONE) {
        return timed && err != NULL ? err->message : refusal_sentence(refusal);
    }
    if (rc == ERR_UNKNOWN_FATE) {
        return "It is not known whether this was done. Retry with the same Idempotency-Key.";
    }
    /* What an operating error says is for the log; what a caller can mend is for the caller. */
    if (code_status(rc) < 500 && err != NULL && err->message[0] != '\0') {
        return err->message;
    }
    return code_status(rc) == 503 ? "Not available now; try again." : err_text(rc);
}

void call_fail(struct call *call, enum err_code rc, enum refusal refusal, const struct err *err)
{
    size_t count = sizeof(refusal_statuses) / sizeof(refusal_statuses[0]);
    struct http_problem problem = {.status = code_status(rc)};

    ASSERT(rc != ERR_OK);
    if ((size_t)refusal < count && refusal_statuses[refusal] != 0) {
        problem.status = refusal_statuses[refusal];
        problem.refusal = refusal_word(refusal);
    }
    problem.detail = fail_detail(rc, problem.refusal == NULL ? REFUSAL_NONE : refusal, err);
    if (problem.status == 503 || problem.status == 429) {
        problem.retry_after_s = refusal == REFUSAL_APPROVER_UNKNOWN ? CLAIM_RETRY_S : RETRY_S;
    }
    if (problem.status == 500 && err != NULL) {
        log_err(LOG_LEVEL_ERROR, "api", "call_failed", err);
    }
    http_problem(call->request, &problem);
}

void call_check(struct call *call, enum err_code rc, const struct err *err)
{
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, err);
    }
}

void call_json(struct call *call, uint32_t status, struct json *object_take)
{
    AUTO_JSON struct json *object = object_take;
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;
    char location[sizeof("/v1/requests/") + REQUEST_ID_TEXT_SIZE] = "/v1/requests/";
    struct http_reply reply = {.status = status, .content_type = "application/json"};
    enum err_code rc = buf_new(HTTP_REPLY_BODY_SIZE_MAX, &buf, &err);

    if (rc == ERR_OK) {
        rc = json_print(object, buf, &err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_text(buf, "\n", &err);
    }
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, &err);
        return;
    }
    if (call->create) {
        request_id_format(&call->id, location + sizeof("/v1/requests/") - 1);
        reply.headers[0] = (struct http_header){"Location", location};
        if (status == 200) {
            reply.headers[1] = (struct http_header){"Idempotency-Replayed", "true"};
        }
    }
    reply.body = buf_span(buf);
    http_reply(call->request, &reply);
}

void call_answer(void *arg,
                 enum err_code rc,
                 const struct err *err,
                 const struct service_answer *answer)
{
    struct call *call = arg;
    enum refusal refusal = answer == NULL ? REFUSAL_NONE : answer->refusal;
    struct json *object;
    uint32_t status = 200;

    if (rc != ERR_OK || answer == NULL || answer->request == NULL) {
        call_fail(call, rc == ERR_OK ? ERR_NOT_FOUND : rc, refusal, err);
        return;
    }
    if (answer->deferred) {
        status = 202;
    } else if (call->create && !answer->replayed) {
        status = 201;
    }
    call->id = answer->request->id;
    object = json_new_object();
    render_request(answer->request, object);
    if (answer->deferred) {
        json_add_bool(object, "deferred", true);
    }
    call_json(call, status, object);
}

static void reject_caller(struct call *call, enum err_code rc, uint32_t retry_s)
{
    static const struct http_header challenge = {"WWW-Authenticate", "Bearer realm=\"approvald\""};
    static const struct http_header bad = {"WWW-Authenticate",
                                           "Bearer realm=\"approvald\", error=\"invalid_token\""};

    if (rc == ERR_FULL) {
        http_problem(call->request,
                     &(struct http_problem){.status = 429,
                                            .detail = "This token calls more often than it may.",
                                            .retry_after_s = retry_s == 0 ? RETRY_S : retry_s});
        return;
    }
    metric_add(call->api->unauthenticated, 1);
    log_fields(LOG_LEVEL_WARNING, "api", "unauthenticated",
               LOG_TEXT("peer", http_request_peer(call->request)),
               LOG_TEXT("reason", rc == ERR_OK ? "no token" : err_text(rc)));
    http_problem(call->request,
                 &(struct http_problem){
                     .status = 401,
                     .detail = rc == ERR_OK
                                   ? "Show a token: Authorization: Bearer apv_…."
                                   : (rc == ERR_EXPIRED ? "This token has expired."
                                                        : "This token is not known or revoked."),
                     .header = rc == ERR_OK ? challenge : bad});
}

static void copy_name(char *target, size_t room, struct span name)
{
    ASSERT(name.size < room); /* the service bounds names */
    memcpy(target, name.data == NULL ? "" : name.data, name.size);
    target[name.size] = '\0';
}

static void adopt_token(struct call *call, const struct service_token *token)
{
    call->token_id = token->id;
    call->scopes = (token->may_ask ? (uint32_t)SCOPE_ASK : 0) |
                   (token->may_decide ? (uint32_t)SCOPE_DECIDE : 0) |
                   (token->may_read ? (uint32_t)SCOPE_READ : 0);
    copy_name(call->token, sizeof(call->token), token->name);
    copy_name(call->user, sizeof(call->user), token->user);
    call->policy_count = token->policy_count;
    ASSERT(call->policy_count <= CORE_TOKEN_POLICY_COUNT_MAX);
    for (uint32_t i = 0; i < call->policy_count; i++) {
        copy_name(call->policies[i], sizeof(call->policies[i]), token->policies[i]);
    }
    call->actor = (struct actor){.kind = ACTOR_TOKEN,
                                 .via = call->actor.via,
                                 .user = span_text(call->user),
                                 .token = span_text(call->token)};
}

static bool is_ctl(const struct http_request *request)
{
    struct span agent = http_request_header(request, "User-Agent");

    return agent.size >= 11 && strncasecmp(agent.data, "approvalctl", 11) == 0;
}

/* False: answered. */
static bool identify(struct call *call)
{
    struct span secret = http_request_bearer(call->request);
    const struct service_token *token = NULL;
    struct err err = ERR_INIT;
    uint32_t retry_s = 0;
    enum err_code rc;

    call->actor.via = is_ctl(call->request) ? VIA_CLI : VIA_API;
    if (secret.size == 0 && http_request_is_root(call->request)) {
        call->actor.kind = ACTOR_ROOT;
        call->scopes = SCOPE_ASK | SCOPE_READ | SCOPE_ROOT;
        return true;
    }
    if (secret.size == 0) {
        reject_caller(call, ERR_OK, 0);
        return false;
    }
    rc = service_token_check(call->api->options.service, secret, &token, &retry_s, &err);
    if (rc != ERR_OK) {
        reject_caller(call, rc, retry_s);
        return false;
    }
    adopt_token(call, token);
    return true;
}

/* Why there is no service. */
static const char *why_not(const struct api *api)
{
    const char *why = "This host is the standby: ask at the pair's own address.";

    if (api->options.ready != NULL) {
        (void)api->options.ready(api->options.arg, &why); /* it sets why when it is not */
    }
    return why;
}

struct call *call_begin(struct api *api, struct http_request *request, uint32_t scopes)
{
    struct call *call = http_request_context(request);

    call->api = api;
    call->request = request;
    if (api->options.service == NULL) {
        http_problem(request, &(struct http_problem){
                                  .status = 503, .detail = why_not(api), .retry_after_s = RETRY_S});
        return NULL;
    }
    if (!identify(call)) {
        return NULL;
    }
    if ((call->scopes & scopes) == 0) {
        call_fail(call, ERR_DENIED, REFUSAL_SCOPE, NULL);
        return NULL;
    }
    return call;
}

struct call *call_begin_host(struct api *api, struct http_request *request)
{
    struct call *call = http_request_context(request);

    if (api->options.service != NULL || !http_request_is_root(request)) {
        return call_begin(api, request, SCOPE_READ);
    }
    call->api = api;
    call->request = request;
    call->actor.kind = ACTOR_ROOT;
    call->scopes = SCOPE_READ;
    return call;
}

bool call_may_policy(const struct call *call, struct span policy)
{
    for (uint32_t i = 0; i < call->policy_count; i++) {
        if (span_is(policy, call->policies[i])) {
            return true;
        }
    }
    return call->policy_count == 0;
}

bool call_id(struct call *call)
{
    if (request_id_parse(http_request_param(call->request, 0), &call->id)) {
        return true;
    }
    call_fail(call, ERR_NOT_FOUND, REFUSAL_UNKNOWN_REQUEST, NULL);
    return false;
}

bool call_param(const struct call *call, const char *name, char *text, bool *ret_bad)
{
    AUTO_BUF struct buf *buf = NULL;
    enum err_code rc = buf_new(API_PARAM_SIZE_MAX - 1, &buf, NULL);

    *ret_bad = false;
    if (rc == ERR_OK) {
        rc = text_form_field(http_request_query(call->request), name, buf, NULL);
    }
    if (rc == ERR_OK && !text_is_utf8(buf_span(buf))) {
        rc = ERR_INVALID;
    }
    if (rc != ERR_OK) {
        *ret_bad = rc != ERR_NOT_FOUND;
        return false;
    }
    memcpy(text, buf_text(buf), buf_size(buf) + 1);
    return true;
}

bool call_number(
    struct call *call, const char *name, uint64_t max, uint64_t fallback, uint64_t *ret_number)
{
    char text[API_PARAM_SIZE_MAX];
    struct err err = ERR_INIT;
    bool bad;

    *ret_number = fallback;
    if (!call_param(call, name, text, &bad) && !bad) {
        return true;
    }
    if (bad || !text_parse_u64(span_text(text), ret_number) || *ret_number > max) {
        call_fail(call,
                  err_set(&err, ERR_INVALID, "%s: has to be an integer from 0 to %llu", name,
                          (unsigned long long)max),
                  REFUSAL_NONE, &err);
        return false;
    }
    return true;
}

bool call_flag(const struct call *call, const char *name)
{
    char text[API_PARAM_SIZE_MAX];
    bool bad;

    return call_param(call, name, text, &bad) &&
           (strcmp(text, "1") == 0 || strcmp(text, "true") == 0);
}
