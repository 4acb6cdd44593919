/* SPDX-License-Identifier: Apache-2.0 */
/* api_step_up.c: /v1/step-up: who is enrolled for one-time codes.
 * Owns the words of an otpauth URI. Root alone, over the local socket; never shows a secret twice.
 */
#include "approvald/core/totp.h"
#include "approvald/http/api_internal.h"
#include "approvald/http/limits.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>

#define URI_SIZE 192

/* The issuer and the person name it in the app. All parts are letters and digits. */
static void show_secret(struct call *call, struct span secret)
{
    struct span user = http_request_param(call->request, 0);
    struct json *object = json_new_object();
    char uri[URI_SIZE];

    (void)snprintf(uri, sizeof uri, /* fits: an id is bounded */
                   "otpauth://totp/approvald:%.*s?secret=%.*s&issuer=approvald&algorithm=SHA1"
                   "&digits=%d&period=30",
                   SPAN_ARGS(user), SPAN_ARGS(secret), TOTP_DIGITS);
    json_add_text(object, "user", user);
    json_add_text(object, "secret", secret);
    json_add_text(object, "uri", span_text(uri));
    mem_wipe(uri, sizeof uri);
    call_json(call, 201, object);
}

static void on_enrolled(void *arg, enum err_code rc, const struct err *err, struct span text)
{
    struct call *call = arg;

    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, err);
        return;
    }
    show_secret(call, text);
}

static void on_list(void *arg, enum err_code rc, const struct err *err, struct span text)
{
    struct call *call = arg;

    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, err);
        return;
    }
    http_reply(call->request, &(struct http_reply){
                                  .status = 200, .content_type = "application/json", .body = text});
}

static void on_done(void *arg, enum err_code rc, const struct err *err, struct span text)
{
    struct call *call = arg;

    (void)text; /* there is none */
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, err);
        return;
    }
    http_reply(call->request, &(struct http_reply){.status = 204});
}

typedef enum err_code act_fn(struct service *service,
                             const struct actor *actor,
                             struct span user,
                             service_text_fn *done,
                             void *arg,
                             struct err *err);

static void act(struct api *api, struct http_request *request, act_fn *fn, service_text_fn *done)
{
    struct call *call = call_begin(api, request, SCOPE_ROOT);
    struct err err = ERR_INIT;

    if (call != NULL) {
        call_check(call,
                   fn(api->options.service, &call->actor, http_request_param(request, 0), done,
                      call, &err),
                   &err);
    }
}

static void enrol(void *arg, struct http_request *request)
{
    act(arg, request, service_step_up_enrol, on_enrolled);
}

static void end(void *arg, struct http_request *request)
{
    act(arg, request, service_step_up_remove, on_done);
}

static void unlock(void *arg, struct http_request *request)
{
    act(arg, request, service_step_up_unlock, on_done);
}

static void list(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ROOT);
    struct err err = ERR_INIT;

    if (call != NULL) {
        call_check(call, service_step_up_list(call->api->options.service, on_list, call, &err),
                   &err);
    }
}

const struct http_route *api_step_up_routes(void)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/step-up", HTTP_ON_LOCAL, 0, NULL, list},
        {HTTP_POST, "/v1/step-up/?", HTTP_ON_LOCAL, 0, NULL, enrol},
        {HTTP_POST, "/v1/step-up/?/unlock", HTTP_ON_LOCAL, 0, NULL, unlock},
        {HTTP_DELETE, "/v1/step-up/?", HTTP_ON_LOCAL, 0, NULL, end},
        {.pattern = NULL},
    };

    return routes;
}
