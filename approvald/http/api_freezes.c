/* SPDX-License-Identifier: Apache-2.0 */
/* api_freezes.c: /v1/freezes: change freezes, which root adds and removes.
 * Owns how a moment is written: RFC 3339 in UTC, whole seconds.
 * Never reads a clock: from when, if nothing is said, is the moment of the record. */
#include "approvald/http/api_internal.h"
#include "approvald/http/limits.h"
#include "approvald/service/freezes.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define FOR_S_MAX (UINT64_C(366) * 86400)

/* Digits of a fixed count. */
static bool take_digits(struct span text, size_t at, size_t count, uint32_t *ret_number)
{
    *ret_number = 0;
    for (size_t i = at; i < at + count; i++) {
        if (text.data[i] < '0' || text.data[i] > '9') {
            return false;
        }
        *ret_number = *ret_number * 10 + (uint32_t)(text.data[i] - '0');
    }
    return true;
}

/* Days from 1970-01-01; the month from 1, the year from 1970 on. */
static uint64_t days_of(uint32_t year, uint32_t month, uint32_t day)
{
    /* The year begins in March here, so that its last day is the odd one. */
    uint64_t from = month > 2 ? year : year - 1;
    uint64_t months = month > 2 ? month - 3 : month + 9;

    return 365 * from + from / 4 - from / 100 + from / 400 + (153 * months + 2) / 5 + day - 1 -
           719468;
}

/* "2026-12-24T18:00:00Z" */
static bool parse_time(struct span text, uint64_t *ret_ms)
{
    uint32_t part[6];
    static const struct {
        uint8_t at;
        uint8_t count;
        uint32_t min;
        uint32_t max;
        char behind;
    } parts[] = {{0, 4, 1970, 9000, '-'}, {5, 2, 1, 12, '-'},  {8, 2, 1, 31, 'T'},
                 {11, 2, 0, 23, ':'},     {14, 2, 0, 59, ':'}, {17, 2, 0, 59, 'Z'}};
    char again[TEXT_TIME_SIZE];
    uint64_t second;

    if (text.size != 20) {
        return false;
    }
    for (size_t i = 0; i < 6; i++) {
        if (!take_digits(text, parts[i].at, parts[i].count, &part[i]) || part[i] < parts[i].min ||
            part[i] > parts[i].max || text.data[parts[i].at + parts[i].count] != parts[i].behind) {
            return false;
        }
    }
    second = (uint64_t)part[3] * 3600 + (uint64_t)part[4] * 60 + part[5];
    *ret_ms = (days_of(part[0], part[1], part[2]) * 86400 + second) * 1000;
    text_format_time(*ret_ms, again); /* a 31st of April would be another day */
    return span_is(text, again);
}

static enum err_code
take_time(const struct json *json, const char *name, uint64_t *ret_ms, struct err *err)
{
    const struct json *member = json_get(json, name);

    if (member == NULL || json_is_null(member)) {
        return ERR_OK;
    }
    return parse_time(json_text(json, name), ret_ms)
               ? ERR_OK
               : err_set(err, ERR_INVALID, "%s: has to be a time as 2026-12-24T18:00:00Z", name);
}

/* to, or for_s from the beginning on. */
static enum err_code
parse(struct call *call, const struct json *json, struct freeze *ret_freeze, struct err *err)
{
    uint64_t for_s = 0;
    enum err_code rc = ERR_OK;

    *ret_freeze = (struct freeze){.name = json_text(json, "name"),
                                  .reason = json_text(json, "reason"),
                                  .from_ms = clock_wall_ms(call->api->clock) / 1000 * 1000,
                                  .glass_passes = json_bool(json, "break_glass", true)};
    rc = take_time(json, "from", &ret_freeze->from_ms, err);
    if (rc == ERR_OK) {
        rc = take_time(json, "to", &ret_freeze->to_ms, err);
    }
    if (rc == ERR_OK && json_u64(json, "for_s", &for_s)) {
        if (for_s == 0 || for_s > FOR_S_MAX || ret_freeze->to_ms != 0) {
            return err_set(err, ERR_INVALID,
                           "for_s: from 1 to %llu seconds, and to or for_s, not both",
                           (unsigned long long)FOR_S_MAX);
        }
        ret_freeze->to_ms = ret_freeze->from_ms + for_s * 1000;
    }
    return rc == ERR_OK && ret_freeze->to_ms == 0
               ? err_set(err, ERR_INVALID, "to: say when it ends, or for_s how long it takes")
               : rc;
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

static void add(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ROOT);
    AUTO_JSON struct json *json = NULL;
    struct freeze freeze;
    struct err err = ERR_INIT;
    enum err_code rc;

    if (call == NULL) {
        return;
    }
    rc = json_parse(http_request_body(request), HTTP_API_BODY_SIZE_MAX, &json, &err);
    if (rc == ERR_OK) {
        rc = parse(call, json, &freeze, &err);
    }
    if (rc == ERR_OK) {
        rc = service_freeze_add(call->api->options.service, &call->actor, &freeze, on_done, call,
                                &err);
    }
    call_check(call, rc, &err);
}

static void drop(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ROOT);
    struct err err = ERR_INIT;

    if (call != NULL) {
        call_check(call,
                   service_freeze_remove(call->api->options.service, &call->actor,
                                         http_request_param(request, 0), on_done, call, &err),
                   &err);
    }
}

static void add_time(struct json *object, const char *name, uint64_t at_ms)
{
    char text[TEXT_TIME_SIZE];

    text_format_time(at_ms, text);
    json_add_text(object, name, span_text(text));
}

static const char *state_of(const struct freeze *freeze, uint64_t now_ms)
{
    if (freeze->damaged) {
        return "damaged";
    }
    if (now_ms >= freeze->to_ms) {
        return "over";
    }
    return now_ms >= freeze->from_ms ? "holds" : "to come";
}

static void add_freeze(struct json *list, const struct freeze *freeze, uint64_t now_ms)
{
    static const char *const unknown[] = {"from", "to", "passes", "reason", "added_at", "added_by"};
    struct json *node = json_add_object(list, NULL);

    json_add_text(node, "name", freeze->name);
    json_add_text(node, "state", span_text(state_of(freeze, now_ms)));
    for (size_t i = 0; freeze->damaged && i < sizeof unknown / sizeof unknown[0]; i++) {
        json_add_null(node, unknown[i]);
    }
    if (freeze->damaged) {
        return;
    }
    add_time(node, "from", freeze->from_ms);
    add_time(node, "to", freeze->to_ms);
    json_add_text(node, "passes",
                  freeze->glass_passes ? SPAN_LITERAL("break_glass") : SPAN_LITERAL("nobody"));
    json_add_text(node, "reason", freeze->reason);
    add_time(node, "added_at", freeze->added_ms);
    json_add_text(node, "added_by", freeze->added_by);
}

static void on_list(void *arg,
                    enum err_code rc,
                    const struct err *err,
                    const struct freeze *freezes,
                    size_t count,
                    uint64_t now_ms)
{
    struct call *call = arg;
    struct json *object;
    struct json *list;

    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, err);
        return;
    }
    object = json_new_object();
    list = json_add_array(object, "freezes");
    for (size_t i = 0; i < count; i++) {
        add_freeze(list, &freezes[i], now_ms);
    }
    call_json(call, 200, object);
}

static void list(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ASK | SCOPE_DECIDE | SCOPE_READ);
    struct err err = ERR_INIT;

    if (call != NULL) {
        call_check(call, service_freeze_list(call->api->options.service, on_list, call, &err),
                   &err);
    }
}

const struct http_route *api_freeze_routes(void)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/freezes", HTTP_ON_SERVICE | HTTP_ON_LOCAL, 0, NULL, list},
        {HTTP_POST, "/v1/freezes", HTTP_ON_LOCAL, HTTP_API_BODY_SIZE_MAX, "application/json", add},
        {HTTP_DELETE, "/v1/freezes/?", HTTP_ON_LOCAL, 0, NULL, drop},
        {.pattern = NULL},
    };

    return routes;
}
