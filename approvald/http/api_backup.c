/* SPDX-License-Identifier: Apache-2.0 */
/* api_backup.c: /v1/backup: begins a backup, and tells how the last one went.
 * Owns nothing. Root alone, over the local socket, on either host. Never keeps a request waiting
 * for the disk: it would stand in the way of a handover. */
#include "approvald/http/api_internal.h"
#include "base/json.h"

/* Unlike call_begin it needs no service: a standby has none. NULL: answered. */
static struct call *begin_root(struct api *api, struct http_request *request)
{
    struct call *call = http_request_context(request);

    call->api = api;
    call->request = request;
    if (!http_request_is_root(request) || http_request_bearer(request).size > 0 ||
        api->options.backup_start == NULL) {
        call_fail(call, ERR_DENIED, REFUSAL_SCOPE, NULL);
        return NULL;
    }
    return call;
}

static void show_backup(void *arg, struct http_request *request)
{
    struct call *call = begin_root(arg, request);
    struct json *object;

    if (call != NULL) {
        object = json_new_object();
        call->api->options.backup_status(call->api->options.arg, object);
        call_json(call, 200, object);
    }
}

static void start_backup(void *arg, struct http_request *request)
{
    struct call *call = begin_root(arg, request);
    struct err err = ERR_INIT;
    uint64_t number = 0;
    struct json *object;
    enum err_code rc;

    if (call == NULL) {
        return;
    }
    rc = call->api->options.backup_start(call->api->options.arg, &number, &err);
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, &err);
        return;
    }
    object = json_new_object();
    json_add_text(object, "state", SPAN_LITERAL("running"));
    json_add_u64(object, "number", number);
    call_json(call, 202, object);
}

const struct http_route *api_backup_routes(void)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/backup", HTTP_ON_LOCAL, 0, NULL, show_backup},
        {HTTP_POST, "/v1/backup", HTTP_ON_LOCAL, 0, NULL, start_backup},
        {.pattern = NULL},
    };

    return routes;
}
