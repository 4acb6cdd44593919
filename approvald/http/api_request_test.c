/* SPDX-License-Identifier: Apache-2.0 */
/* api_request_test.c: who could approve a request as it stands, and why.
 * Owns the steps: read the request with the version of the policy that it keeps, let the directory
 * fetch what that names, read it again, explain.
 * Root alone, over the local socket: the answer tells who is in which group. Never decides, stores
 * or audits anything. */
#include "approvald/core/eligible.h"
#include "approvald/core/email.h"
#include "approvald/core/explain.h"
#include "approvald/core/glass.h"
#include "approvald/core/policy.h"
#include "approvald/core/request_id.h"
#include "approvald/http/api_test.h"
#include "approvald/service/render.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

/* People who are named: by the policy, by its escalation, the owners of its addresses. */
#define NAMED_COUNT_MAX                                                                            \
    (CORE_POLICY_USER_COUNT_MAX + CORE_ESCALATE_USER_COUNT_MAX + CORE_POLICY_EMAIL_COUNT_MAX)

struct named {
    struct span users[NAMED_COUNT_MAX];
    uint32_t count;
};

static void add_named(struct named *named, struct span user)
{
    for (uint32_t i = 0; i < named->count; i++) {
        if (span_equal(named->users[i], user)) {
            return;
        }
    }
    if (slack_user_is_valid(user)) {
        ASSERT(named->count < NAMED_COUNT_MAX);
        named->users[named->count++] = user;
    }
}

static void
find_named(const struct call *call, const struct policy *policy, struct named *ret_named)
{
    const struct api_options *options = &call->api->options;
    const struct policy_clocks *clocks = &policy->clocks;
    struct span emails[CORE_POLICY_EMAIL_COUNT_MAX];
    uint32_t count = email_list(policy, emails);

    ret_named->count = 0;
    for (uint32_t i = 0; i < policy->user_count; i++) {
        add_named(ret_named, policy->users[i]);
    }
    for (uint32_t i = 0; i < clocks->escalate_user_count; i++) {
        add_named(ret_named, clocks->escalate_users[i]);
    }
    for (uint32_t i = 0; options->email != NULL && i < count; i++) {
        struct span user = SPAN_NONE;
        struct span error = SPAN_NONE;

        if (options->email(options->arg, emails[i], &user, &error) && user.size > 0) {
            add_named(ret_named, user);
        }
    }
}

static void add_time(struct json *node, const char *name, uint64_t wall_ms)
{
    char text[TEXT_TIME_SIZE];

    if (wall_ms == 0) {
        json_add_null(node, name);
        return;
    }
    text_format_time(wall_ms, text);
    json_add_text(node, name, span_text(text));
}

/* Who may decide besides, and since or from when; null: the policy knows no escalation, or the
 * request has ended before it. */
static void add_escalation(struct json *object,
                           const struct call *call,
                           const struct request *request,
                           const struct policy *policy)
{
    const struct policy_clocks *clocks = &policy->clocks;
    bool done = request->clocks.escalated_ms > 0;
    uint64_t at_ms = done ? request->clocks.escalated_ms : request->clocks.escalate_ms;
    struct json *node;
    struct json *list;

    if (at_ms == 0 || (!done && request->state != REQUEST_PENDING)) {
        json_add_null(object, "escalation");
        return;
    }
    node = json_add_object(object, "escalation");
    add_time(node, "at", at_ms);
    json_add_bool(node, "done", done);
    list = json_add_array(node, "users");
    for (uint32_t i = 0; i < clocks->escalate_user_count; i++) {
        json_add_text(list, NULL, clocks->escalate_users[i]);
    }
    list = json_add_array(node, "groups");
    for (uint32_t i = 0; i < clocks->escalate_group_count; i++) {
        api_test_group(list, call, clocks->escalate_groups[i]);
    }
}

static void add_approver(struct json *list,
                         const struct call *call,
                         const struct request *request,
                         const struct policy *policy,
                         struct span user)
{
    struct json *node = json_add_object(list, NULL);
    struct explanation found;
    struct facts facts;

    api_test_facts(call, policy, request->requester, user, &facts);
    explain_approval(request, policy, user, &facts, clock_wall_ms(call->api->clock), &found);
    json_add_text(node, "user", user);
    api_test_verdict(node, found.refusal, found.unknown);
    add_time(node, "from", found.from_ms);
    json_add_bool(node, "by_escalation", found.by_escalation);
    api_test_needs(node, policy, found.needs);
    api_test_behalfs(node, policy, found.behalfs, found.behalf_count);
    json_add_bool(node, "break_glass",
                  request->state == REQUEST_PENDING && request_is_of(request, user) &&
                      glass_names(policy, user));
}

static void answer(struct call *call, const struct request *request, const struct policy *policy)
{
    struct json *object = json_new_object();
    struct named named = {.count = 0};
    char user[API_PARAM_SIZE_MAX];
    struct json *list;

    if (!api_test_user(call, "approver", user)) {
        json_free(object);
        return;
    }
    render_request(request, json_add_object(object, "request"));
    api_test_rules(object, call, policy);
    add_escalation(object, call, request, policy);
    if (user[0] != '\0') {
        add_named(&named, span_text(user));
    } else {
        find_named(call, policy, &named);
    }
    list = json_add_array(object, "approvers");
    for (uint32_t i = 0; i < named.count; i++) {
        add_approver(list, call, request, policy, named.users[i]);
    }
    call_json(call, 200, object);
}

static void
on_second(void *arg, enum err_code rc, const struct err *err, const struct service_answer *found)
{
    struct call *call = arg;

    if (rc != ERR_OK || found->request == NULL) {
        call_fail(call, rc == ERR_OK ? ERR_NOT_FOUND : rc,
                  found == NULL ? REFUSAL_UNKNOWN_REQUEST : found->refusal, err);
    } else if (found->policy == NULL) {
        call_fail(call, ERR_NOT_FOUND, REFUSAL_UNKNOWN_POLICY, NULL);
    } else {
        answer(call, found->request, found->policy);
    }
}

static void read_request(struct call *call, service_request_fn *done)
{
    struct service *service = call->api->options.service;
    struct err err = ERR_INIT;

    if (service == NULL) {
        call_fail(call, ERR_UNAVAILABLE, REFUSAL_NONE, NULL); /* this host lost its authority */
        return;
    }
    call_check(call, service_get(service, &call->id, done, call, &err), &err);
}

static void on_learned(void *arg)
{
    read_request(arg, on_second);
}

/* Whom the policy names is known now: they are fetched, then all is read again. */
static void
on_first(void *arg, enum err_code rc, const struct err *err, const struct service_answer *found)
{
    struct call *call = arg;
    char user[API_PARAM_SIZE_MAX];

    if (rc != ERR_OK || found->request == NULL || found->policy == NULL) {
        on_second(arg, rc, err, found);
    } else if (api_test_user(call, "approver", user) &&
               !api_test_learn(call, found->policy, span_text(user), true, on_learned)) {
        answer(call, found->request, found->policy);
    }
}

static void test(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ROOT);
    char user[API_PARAM_SIZE_MAX];

    if (call != NULL && call_id(call) && api_test_user(call, "approver", user)) {
        read_request(call, on_first);
    }
}

const struct http_route *api_request_test_routes(void)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/requests/?/test", HTTP_ON_LOCAL, 0, NULL, test},
        {.pattern = NULL},
    };

    return routes;
}
