/* SPDX-License-Identifier: Apache-2.0 */
/* api_waiting.c: what waits for one person's decision.
 * Owns the form of the answer: what that person's Home in Slack shows first, for programs.
 * Never decides anything, and never says that something waits which the rules would refuse. */
#include "approvald/core/policy.h"
#include "approvald/http/api_internal.h"
#include "approvald/http/limits.h"
#include "approvald/service/render.h"
#include "base/json.h"

/* service_home_fn. What is open may not be read yet, soon after a start. */
static void on_found(void *arg,
                     enum err_code rc,
                     const struct err *err,
                     const struct service_home_answer *answer)
{
    struct call *call = arg;
    const struct service_home_list *waiting;
    struct json *object;
    struct json *list;

    if (rc != ERR_OK || answer == NULL || !answer->ready) {
        call_fail(call, rc == ERR_OK ? ERR_UNAVAILABLE : rc, REFUSAL_NONE, err);
        return;
    }
    waiting = &answer->parts[HOME_WAITING];
    object = json_new_object();
    json_add_bool(object, "incomplete", answer->unknown);
    json_add_u64(object, "total", waiting->total);
    json_add_u64(object, "page", waiting->page);
    json_add_bool(object, "more", waiting->more);
    list = json_add_array(object, "requests");
    for (size_t i = 0; i < waiting->count; i++) {
        render_request(waiting->items[i].request, json_add_object(list, NULL));
    }
    call_json(call, 200, object);
}

/* Nothing is decided by it, so a person of whom Slack has said nothing yet is taken for a member:
 * in an outage, after a failover, nobody could be asked. */
static void ask(struct call *call, struct span user, uint64_t page)
{
    const struct api_options *options = &call->api->options;
    struct service_home question = {.user = user};
    struct err err = ERR_INIT;

    if (options->facts != NULL) {
        options->facts(options->arg, user, &question.facts);
    }
    question.facts.user_known = true;
    question.pages[HOME_WAITING] = (uint32_t)page;
    call_check(call, service_home(options->service, &question, on_found, call, &err), &err);
}

static void waiting(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_READ);
    char user[API_PARAM_SIZE_MAX];
    struct err err = ERR_INIT;
    uint64_t page;
    bool bad = false;

    if (call == NULL || !call_number(call, "page", SERVICE_HOME_PAGE_MAX - 1, 0, &page)) {
        return;
    }
    if (call->policy_count > 0) {
        call_fail(call, ERR_DENIED, REFUSAL_SCOPE, NULL); /* what waits is of all policies */
    } else if (!call_param(call, "user", user, &bad) || !slack_user_is_valid(span_text(user))) {
        call_fail(call, err_set(&err, ERR_INVALID, "user: has to be a Slack user id (U… or W…)"),
                  REFUSAL_NONE, &err);
    } else {
        ask(call, span_text(user), page);
    }
}

const struct http_route *api_waiting_routes(void)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/waiting", HTTP_ON_ALL, 0, NULL, waiting},
        {.pattern = NULL},
    };

    return routes;
}
