/* SPDX-License-Identifier: Apache-2.0 */
/* api_waiting.c: what waits for one person's decision, and how it goes with telling people of it.
 * Owns the form of the answer: what that person's Home in Slack shows first, for programs; and the
 * metrics of approvalctl notify, which is a process that nobody else sees.
 * Never decides anything, and never says that something waits which the rules would refuse. */
#include "approvald/core/policy.h"
#include "approvald/http/api_internal.h"
#include "approvald/http/limits.h"
#include "approvald/service/render.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/metrics.h"

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

/* Nothing is decided by it, so a person of whom Slack has said nothing yet is taken for a member,
 * and so is he for whom he stands in: in an outage, after a failover, nobody could be asked. */
static void ask(struct call *call, struct span user, uint64_t page)
{
    const struct api_options *options = &call->api->options;
    struct service_home question = {.user = user, .trusts = true};
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

/* What approvalctl notify reports: counts since its start. Nothing is stored and nothing decided by
 * it, so who may read may report. */

static const struct {
    const char *member;
    const char *metric;
    const char *help;
} counts[TOLD_COUNT] = {
    [TOLD_DELIVERED] = {"delivered", "approvald_notify_delivered_total",
                        "People told by approvalctl notify while Slack was down."},
    [TOLD_FAILED] = {"failed", "approvald_notify_failed_total",
                     "Runs of its command that failed; each is tried again."},
    [TOLD_GIVEN_UP] = {"given_up", "approvald_notify_given_up_total", "People it gave up telling."},
};

void told_begin(struct api *api)
{
    struct metrics *metrics = api->options.metrics;

    for (size_t i = 0; i < TOLD_COUNT; i++) {
        api->told[i] = metrics_add(metrics, METRIC_COUNTER, counts[i].metric, NULL, counts[i].help);
    }
    api->told_last = metrics_add(metrics, METRIC_GAUGE, "approvald_notify_last_success_seconds",
                                 NULL, "When its command worked last (Unix); 0: not known.");
    api->told_seen = metrics_add(metrics, METRIC_GAUGE, "approvald_notify_last_seen_seconds", NULL,
                                 "When approvalctl notify reported last (Unix); 0: never.");
}

/* A smaller count than before is that of a process that was started anew. Who ran before this
 * process did has counted what is long over: an alarm would ring after each restart here. */
static void count(struct api *api, const uint64_t told[TOLD_COUNT])
{
    for (size_t i = 0; i < TOLD_COUNT; i++) {
        uint64_t before = api->told_before[i] <= told[i] ? api->told_before[i] : 0;

        metric_add(api->told[i], api->told_known ? told[i] - before : 0);
        api->told_before[i] = told[i];
    }
    api->told_known = true;
}

static enum err_code
read_told(const struct json *json, uint64_t told[TOLD_COUNT], uint64_t *ret_last_s, struct err *err)
{
    for (size_t i = 0; i < TOLD_COUNT; i++) {
        if (!json_u64(json, counts[i].member, &told[i])) {
            return err_set(err, ERR_INVALID, "%s: has to be a number", counts[i].member);
        }
    }
    return json_u64(json, "last_success_s", ret_last_s)
               ? ERR_OK
               : err_set(err, ERR_INVALID, "last_success_s: has to be a number");
}

static void told(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_READ);
    AUTO_JSON struct json *json = NULL;
    uint64_t now[TOLD_COUNT] = {0};
    struct err err = ERR_INIT;
    uint64_t last_s = 0;
    enum err_code rc;

    if (call == NULL) {
        return;
    }
    if (call->policy_count > 0) {
        call_fail(call, ERR_DENIED, REFUSAL_SCOPE, NULL); /* as above */
        return;
    }
    rc = json_parse(http_request_body(request), HTTP_API_BODY_SIZE_MAX, &json, &err);
    if (rc == ERR_OK) {
        rc = read_told(json, now, &last_s, &err);
    }
    if (rc != ERR_OK) {
        call_fail(call, rc, REFUSAL_NONE, &err);
        return;
    }
    count(call->api, now);
    if (last_s > 0) {
        metric_set(call->api->told_last, last_s);
    }
    metric_set(call->api->told_seen, clock_wall_ms(call->api->clock) / 1000);
    http_reply(request, &(struct http_reply){.status = 204});
}

const struct http_route *api_waiting_routes(void)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/waiting", HTTP_ON_ALL, 0, NULL, waiting},
        {HTTP_POST, "/v1/waiting/told", HTTP_ON_ALL, HTTP_API_BODY_SIZE_MAX, NULL, told},
        {.pattern = NULL},
    };

    return routes;
}
