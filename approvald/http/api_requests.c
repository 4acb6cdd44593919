/* SPDX-License-Identifier: Apache-2.0 */
/* api_requests.c: /v1/requests and what can be done with one.
 * Owns nothing. Never answers before the service has: what it says is committed. */
#include "approvald/core/approval.h"
#include "approvald/core/request_id.h"
#include "approvald/http/api_internal.h"
#include "approvald/http/body.h"
#include "approvald/service/render.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"

#include <string.h>

/* An Idempotency-Key: visible ASCII, no longer than the service keeps. False: answered. */
static bool take_key(struct call *call, struct span *ret_key)
{
    struct span key = http_request_header(call->request, "Idempotency-Key");
    struct err err = ERR_INIT;
    bool good = key.size <= CORE_KEY_SIZE_MAX;

    for (size_t i = 0; good && i < key.size; i++) {
        good = key.data[i] > ' ' && key.data[i] <= '~';
    }
    if (!good) {
        call_fail(call,
                  err_set(&err, ERR_INVALID,
                          "Idempotency-Key: has to be at most %d visible ASCII characters",
                          CORE_KEY_SIZE_MAX),
                  REFUSAL_NONE, &err);
        return false;
    }
    *ret_key = key;
    return true;
}

static void create(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ASK);
    AUTO_JSON struct json *json = NULL;
    struct service_create create = {0};
    struct err err = ERR_INIT;
    struct span body = http_request_body(request);
    struct span key;
    enum err_code rc;

    if (call == NULL || !take_key(call, &key)) {
        return;
    }
    rc = body_parse_create(body, &json, &create, &err);
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, &err);
        return;
    }
    if (!call_may_policy(call, create.policy)) {
        call_fail(call, ERR_DENIED, REFUSAL_SCOPE, NULL);
        return;
    }
    call->create = true;
    create.actor = call->actor;
    create.token_id = call->token_id;
    create.idempotency_key = key;
    crypto_sha256(body.data, body.size, create.body_hash);
    call_check(call, service_create(call->api->options.service, &create, call_answer, call, &err),
               &err);
}

static void get(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ASK | SCOPE_DECIDE | SCOPE_READ);
    uint64_t wait_s;

    if (call == NULL || !call_id(call) || !call_number(call, "wait", HTTP_WAIT_S_MAX, 0, &wait_s)) {
        return;
    }
    call->wait_until_ms = wait_s == 0 ? 0 : clock_boot_ms(call->api->clock) + wait_s * 1000;
    wait_begin(call);
}

/* NOLINTNEXTLINE(readability-function-size): service_list_fn has seven parameters */
static void on_list(void *arg,
                    enum err_code rc,
                    const struct err *err,
                    const struct request *const *requests,
                    size_t count,
                    bool more,
                    const struct request_id *next)
{
    struct call *call = arg;
    struct json *object;
    struct json *list;
    char text[REQUEST_ID_TEXT_SIZE];

    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, err);
        return;
    }
    object = json_new_object();
    list = json_add_array(object, "requests");
    for (size_t i = 0; i < count; i++) {
        render_request(requests[i], json_add_object(list, NULL));
    }
    if (more && next != NULL) {
        request_id_format(next, text);
        json_add_text(object, "next", span_text(text));
    } else {
        json_add_null(object, "next");
    }
    call_json(call, 200, object);
}

/* The bit of a state, or 0. */
static uint32_t state_bit(struct span word)
{
    static const enum request_state states[] = {REQUEST_PENDING, REQUEST_APPROVED, REQUEST_REJECTED,
                                                REQUEST_EXPIRED, REQUEST_CANCELLED};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        if (span_is(word, request_state_word(states[i]))) {
            return 1U << states[i];
        }
    }
    return 0;
}

/* "pending,approved" as a bit set. */
static bool parse_states(struct span text, uint32_t *ret_states)
{
    *ret_states = 0;
    while (text.size > 0) {
        const char *comma = memchr(text.data, ',', text.size);
        size_t size = comma == NULL ? text.size : (size_t)(comma - text.data);
        size_t taken = comma == NULL ? size : size + 1;
        uint32_t bit = state_bit(span_of(text.data, size));

        if (bit == 0) {
            return false;
        }
        *ret_states |= bit;
        text = span_of(text.data + taken, text.size - taken);
    }
    return true;
}

struct list_params {
    char state[API_PARAM_SIZE_MAX];
    char policy[API_PARAM_SIZE_MAX];
    char before[API_PARAM_SIZE_MAX];
    char asker[API_PARAM_SIZE_MAX];
};

/* False: answered. */
static bool
take_list_params(struct call *call, struct list_params *params, struct service_list *list)
{
    const struct {
        const char *name;
        char *text;
    } texts[] = {{"state", params->state},
                 {"policy", params->policy},
                 {"before", params->before},
                 {"asker", params->asker}};
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;
    bool bad;

    for (size_t i = 0; rc == ERR_OK && i < sizeof(texts) / sizeof(texts[0]); i++) {
        texts[i].text[0] = '\0';
        if (!call_param(call, texts[i].name, texts[i].text, &bad) && bad) {
            rc = err_set(&err, ERR_INVALID, "%s: cannot be read", texts[i].name);
        }
    }
    if (rc == ERR_OK && !parse_states(span_text(params->state), &list->states)) {
        rc = err_set(&err, ERR_INVALID,
                     "state: has to list pending, approved, rejected, expired or cancelled");
    }
    list->has_before = params->before[0] != '\0';
    if (rc == ERR_OK && list->has_before &&
        !request_id_parse(span_text(params->before), &list->before)) {
        rc = err_set(&err, ERR_INVALID, "before: has to be the id of a request");
    }
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, &err);
        return false;
    }
    list->policy = span_text(params->policy);
    list->asker = span_text(params->asker);
    return true;
}

static void list(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ASK | SCOPE_READ);
    struct service_list list = {0};
    struct list_params params;
    struct err err = ERR_INIT;
    uint64_t limit;

    if (call == NULL ||
        !call_number(call, "limit", SERVICE_PAGE_COUNT_MAX, API_PAGE_COUNT_DEFAULT, &limit) ||
        !take_list_params(call, &params, &list)) {
        return;
    }
    /* Who may not read sees what he asked for himself. */
    if ((call->scopes & SCOPE_READ) == 0) {
        list.asker = call->actor.token;
    }
    if (call->policy_count == 1 && list.policy.size == 0) {
        list.policy = span_text(call->policies[0]);
    }
    if (call->policy_count > 0 && !call_may_policy(call, list.policy)) {
        call_fail(call, err_set(&err, ERR_INVALID, "policy: name one that this token may see"),
                  REFUSAL_NONE, &err);
        return;
    }
    list.count_max = limit == 0 ? 1 : (size_t)limit;
    call_check(call, service_list(call->api->options.service, &list, on_list, call, &err), &err);
}

static void decide(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_DECIDE | SCOPE_ROOT);
    AUTO_JSON struct json *json = NULL;
    struct service_decide decide = {0};
    struct body_decision body;
    struct err err = ERR_INIT;
    enum err_code rc;

    if (call == NULL || !call_id(call)) {
        return;
    }
    rc = body_parse_decision(http_request_body(request), &json, &body, &err);
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, &err);
        return;
    }
    /* Root breaks a glass where the policy lets him, and decides nothing else. */
    if ((call->scopes & SCOPE_DECIDE) == 0 && body.verdict != VERDICT_GLASS) {
        call_fail(call, ERR_DENIED, REFUSAL_SCOPE, NULL);
        return;
    }
    decide.actor = call->actor;
    decide.id = call->id;
    decide.verdict = body.verdict;
    decide.reason = body.reason;
    decide.code = body.code;
    if (call->api->options.facts != NULL && call->actor.user.size > 0) {
        call->api->options.facts(call->api->options.arg, call->actor.user, &decide.facts);
    }
    call_check(call, service_decide(call->api->options.service, &decide, call_answer, call, &err),
               &err);
}

static void cancel(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ASK);
    AUTO_JSON struct json *json = NULL;
    struct service_cancel cancel = {0};
    struct err err = ERR_INIT;
    enum err_code rc;

    if (call == NULL || !call_id(call)) {
        return;
    }
    rc = body_parse_cancel(http_request_body(request), &json, &cancel.reason, &err);
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, &err);
        return;
    }
    cancel.actor = call->actor;
    cancel.id = call->id;
    call_check(call, service_cancel(call->api->options.service, &cancel, call_answer, call, &err),
               &err);
}

static void claim(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ASK);
    AUTO_JSON struct json *json = NULL;
    struct body_claim claim;
    struct err err = ERR_INIT;
    struct span key;
    enum err_code rc;

    if (call == NULL || !call_id(call) || !take_key(call, &key)) {
        return;
    }
    rc = body_parse_claim(http_request_body(request), &json, &claim, &err);
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, &err);
        return;
    }
    rc = service_claim(call->api->options.service, &call->actor, &call->id,
                       claim.bound ? claim.bind_hash : NULL,
                       claim.claim_key.size > 0 ? claim.claim_key : key, call_answer, call, &err);
    call_check(call, rc, &err);
}

static void consume(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ASK);
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    int32_t result = 0;
    enum err_code rc;

    if (call == NULL || !call_id(call)) {
        return;
    }
    rc = body_parse_consume(http_request_body(request), &json, &result, &err);
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, &err);
        return;
    }
    call_check(call,
               service_consume(call->api->options.service, &call->actor, &call->id, result,
                               call_answer, call, &err),
               &err);
}

#define JSON_BODY HTTP_API_BODY_SIZE_MAX, "application/json"
#define NO_BODY   0, NULL
#define WHERE     (HTTP_ON_SERVICE | HTTP_ON_LOCAL)

const struct http_route *api_request_routes(void)
{
    static const struct http_route routes[] = {
        {HTTP_POST, "/v1/requests", WHERE, JSON_BODY, create},
        {HTTP_GET, "/v1/requests", WHERE, NO_BODY, list},
        {HTTP_GET, "/v1/requests/?", WHERE, NO_BODY, get},
        {HTTP_POST, "/v1/requests/?/decisions", WHERE, JSON_BODY, decide},
        {HTTP_POST, "/v1/requests/?/cancel", WHERE, JSON_BODY, cancel},
        {HTTP_POST, "/v1/requests/?/claim", WHERE, JSON_BODY, claim},
        {HTTP_POST, "/v1/requests/?/consume", WHERE, JSON_BODY, consume},
        {.pattern = NULL},
    };

    return routes;
}
