/* SPDX-License-Identifier: Apache-2.0 */
/* api_policy_test.c: who could approve under a policy, and why.
 * Owns the steps: read the policy, let the directory fetch what it needs, read it again, judge.
 * Root alone, over the local socket: the answer tells who is in which group. Never decides, stores
 * or audits anything. */
#include "approvald/core/approval.h"
#include "approvald/core/eligible.h"
#include "approvald/core/email.h"
#include "approvald/core/glass.h"
#include "approvald/core/needs.h"
#include "approvald/core/policy.h"
#include "approvald/http/api_test.h"
#include "approvald/service/freezes.h"
#include "base/assert.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>

bool api_test_user(struct call *call, const char *name, char text[API_PARAM_SIZE_MAX])
{
    struct err err = ERR_INIT;
    bool bad = false;

    if (!call_param(call, name, text, &bad)) {
        text[0] = '\0';
    }
    if (bad || (text[0] != '\0' && !slack_user_is_valid(span_text(text)))) {
        call_fail(call,
                  err_set(&err, ERR_INVALID, "%s: has to be a Slack user id (U… or W…)", name),
                  REFUSAL_NONE, &err);
        return false;
    }
    return true;
}

static void add_text_or_null(struct json *node, const char *name, struct span text)
{
    if (text.size > 0) {
        json_add_text(node, name, text);
    } else {
        json_add_null(node, name);
    }
}

void api_test_group(struct json *list, const struct call *call, struct span group)
{
    const struct api_options *options = &call->api->options;
    struct json *node = json_add_object(list, NULL);
    struct span error = SPAN_NONE;
    uint32_t count = 0;

    json_add_text(node, "id", group);
    if (options->group_size != NULL && options->group_size(options->arg, group, &count)) {
        json_add_u64(node, "members", count);
    } else {
        json_add_null(node, "members");
    }
    if (options->group_error != NULL) {
        error = options->group_error(options->arg, group);
    }
    add_text_or_null(node, "error", error);
}

/* index 0 of a policy without needs is the need of all its people. */
static void
add_need(struct json *list, const struct call *call, const struct policy *policy, uint32_t index)
{
    const struct policy_need *need = policy->need_count == 0 ? NULL : &policy->needs[index];
    struct json *node = json_add_object(list, NULL);
    struct json *names;

    if (need == NULL) {
        json_add_null(node, "name");
    } else {
        json_add_text(node, "name", need->need.name);
    }
    json_add_u64(node, "alternative", need == NULL ? 0 : need->need.alternative);
    json_add_u64(node, "quorum", need == NULL ? policy->quorum : need->need.quorum);
    names = json_add_array(node, "users");
    for (uint32_t i = 0; i < policy->user_count; i++) {
        if (need == NULL || (need->users >> i & 1) != 0) {
            json_add_text(names, NULL, policy->users[i]);
        }
    }
    names = json_add_array(node, "groups");
    for (uint32_t i = 0; i < policy->group_count; i++) {
        if (need == NULL || (need->groups >> i & 1) != 0) {
            api_test_group(names, call, policy->groups[i]);
        }
    }
}

/* Whom a new request is shown directly: at most how many may approve; null where Slack has not said
 * who is in a group. */
static void add_direct(struct json *object, const struct call *call, const struct policy *policy)
{
    const struct api_options *options = &call->api->options;
    uint64_t people = policy->user_count;
    struct json *node;
    bool known = true;

    if (!policy->direct_approvers) {
        json_add_null(object, "direct");
        return;
    }
    for (uint32_t i = 0; i < policy->group_count; i++) {
        uint32_t count = 0;

        known = known && options->group_size != NULL &&
                options->group_size(options->arg, policy->groups[i], &count);
        people += count;
    }
    node = json_add_object(object, "direct");
    json_add_u64(node, "limit", CORE_DIRECT_COUNT_MAX);
    if (known) {
        json_add_u64(node, "people", people);
    } else {
        json_add_null(node, "people");
    }
}

/* Whose the policy's addresses are. */
static void add_emails(struct json *object, const struct call *call, const struct policy *policy)
{
    const struct api_options *options = &call->api->options;
    struct json *list = json_add_array(object, "emails");
    struct span emails[CORE_POLICY_EMAIL_COUNT_MAX];
    uint32_t count = email_list(policy, emails);

    for (uint32_t i = 0; i < count; i++) {
        struct json *node = json_add_object(list, NULL);
        struct span user = SPAN_NONE;
        struct span error = SPAN_NONE;

        if (options->email != NULL) {
            (void)options->email(options->arg, emails[i], &user, &error); /* not known: no user */
        }
        json_add_text(node, "email", emails[i]);
        add_text_or_null(node, "user", user);
        add_text_or_null(node, "error", error);
    }
}

void api_test_verdict(struct json *node, enum refusal refusal, bool unknown)
{
    if (refusal != REFUSAL_NONE) {
        json_add_text(node, "may", SPAN_LITERAL("no"));
        json_add_text(node, "refusal", span_text(refusal_word(refusal)));
        json_add_text(node, "detail", span_text(refusal_sentence(refusal)));
        return;
    }
    json_add_text(node, "may", unknown ? SPAN_LITERAL("unknown") : SPAN_LITERAL("yes"));
    json_add_null(node, "refusal");
    if (unknown) {
        json_add_text(node, "detail",
                      SPAN_LITERAL("Slack has not said all that has to be known of this person."));
    } else {
        json_add_null(node, "detail");
    }
}

void api_test_facts(const struct call *call,
                    const struct policy *policy,
                    struct span requester,
                    struct span user,
                    struct facts *ret_facts)
{
    const struct api_options *options = &call->api->options;
    struct facts other;

    *ret_facts = (struct facts){.user_known = false};
    if (options->facts == NULL) {
        return; /* no Slack */
    }
    options->facts(options->arg, user, ret_facts);
    if (policy->exclude_count > 0 && requester.size > 0) {
        options->facts(options->arg, requester, &other);
        needs_add_requester(policy->excludes, policy->exclude_count, &other, ret_facts);
    }
    service_add_stand_ins(options->service, user, ret_facts);
}

void api_test_needs(struct json *node, const struct policy *policy, uint32_t needs)
{
    struct json *names = json_add_array(node, "needs");

    for (uint32_t i = 0; i < policy->need_count; i++) {
        if ((needs >> i & 1) != 0) {
            json_add_text(names, NULL, policy->needs[i].need.name);
        }
    }
}

void api_test_behalfs(struct json *node,
                      const struct policy *policy,
                      const struct behalf *behalfs,
                      uint32_t count)
{
    struct json *list = json_add_array(node, "in_the_place_of");

    for (uint32_t i = 0; i < count; i++) {
        struct json *object = json_add_object(list, NULL);

        json_add_text(object, "user", behalfs[i].user);
        api_test_needs(object, policy, behalfs[i].needs);
    }
}

static void add_approver(struct json *object,
                         const struct call *call,
                         const struct policy *policy,
                         struct span requester,
                         struct span user)
{
    struct json *node = json_add_object(object, "approver");
    struct behalf behalfs[CORE_STAND_IN_COUNT_MAX];
    struct facts facts;
    enum refusal refusal;
    uint32_t needs = 0;
    bool unknown = false;

    api_test_facts(call, policy, requester, user, &facts);
    refusal = eligible_try(policy, requester, user, &facts, &needs, &unknown);
    if (policy->deleted && refusal == REFUSAL_NONE) {
        refusal = REFUSAL_POLICY_DELETED;
    }
    json_add_text(node, "user", user);
    api_test_verdict(node, refusal, unknown);
    api_test_behalfs(node, policy, behalfs,
                     eligible_behalfs(policy, requester, user, &facts, behalfs));
    /* What he asks for himself. */
    json_add_bool(node, "break_glass", !policy->deleted && glass_names(policy, user));
    api_test_needs(node, policy, needs);
}

/* Whether an approval could be used now, and else from when on. */
static void add_gate(struct json *object, const struct call_gate *gate)
{
    struct json *node = json_add_object(object, "claim");
    char text[TEXT_TIME_SIZE];

    json_add_text(node, "may",
                  !gate->known ? SPAN_LITERAL("unknown")
                  : gate->held ? SPAN_LITERAL("no")
                               : SPAN_LITERAL("yes"));
    if (gate->held && gate->until_ms != UINT64_MAX) {
        text_format_time(gate->until_ms, text);
        json_add_text(node, "from", span_text(text));
    } else {
        json_add_null(node, "from");
    }
    if (gate->freeze[0] != '\0') {
        json_add_text(node, "freeze", span_text(gate->freeze));
    } else {
        json_add_null(node, "freeze");
    }
}

void api_test_rules(struct json *object, const struct call *call, const struct policy *policy)
{
    struct json *list;

    json_add_bool(object, "self_approval", policy->self_approval);
    json_add_bool(object, "delegation", policy->delegation);
    json_add_bool(object, "step_up", policy->step_up);
    list = json_add_array(object, "needs");
    for (uint32_t i = 0; i == 0 || i < policy->need_count; i++) {
        add_need(list, call, policy, i);
    }
    add_emails(object, call, policy);
    json_add_u64(object, "rejections", policy->rejections);
    list = json_add_array(object, "exclude_requester_groups");
    for (uint32_t i = 0; i < policy->exclude_count; i++) {
        api_test_group(list, call, policy->excludes[i]);
    }
}

static void answer(struct call *call, const struct policy *policy)
{
    char requester[API_PARAM_SIZE_MAX];
    char user[API_PARAM_SIZE_MAX];
    struct json *object;
    struct json *list;

    if (!api_test_user(call, "requester", requester) || !api_test_user(call, "approver", user)) {
        return;
    }
    object = json_new_object();
    json_add_text(object, "policy", policy->name);
    json_add_u64(object, "version", policy->version);
    json_add_bool(object, "deleted", policy->deleted);
    api_test_rules(object, call, policy);
    json_add_bool(object, "break_glass_root", policy->glass.root);
    list = json_add_array(object, "break_glass");
    for (uint32_t i = 0; i < policy->glass.user_count; i++) {
        json_add_text(list, NULL, policy->glass.users[i]);
    }
    policy_json_routes(policy, object);
    add_direct(object, call, policy);
    policy_json_windows(&policy->windows, object);
    add_gate(object, &call->gate);
    if (user[0] == '\0') {
        json_add_null(object, "approver");
    } else {
        add_approver(object, call, policy, span_text(requester), span_text(user));
    }
    call_json(call, 200, object);
}

static void on_second(void *arg,
                      enum err_code rc,
                      const struct err *err,
                      const struct policy *const *policies,
                      size_t count)
{
    struct call *call = arg;

    if (rc != ERR_OK || count == 0) {
        call_fail(call, rc == ERR_OK ? ERR_NOT_FOUND : rc,
                  rc == ERR_OK || rc == ERR_NOT_FOUND ? REFUSAL_UNKNOWN_POLICY : REFUSAL_NONE, err);
        return;
    }
    answer(call, policies[0]);
}

/* Addresses stand among the people and are fetched as such. */
static uint32_t add_person(struct span *names, uint32_t count, struct span user)
{
    if (slack_user_is_valid(user)) {
        names[count++] = user;
    }
    return count;
}

bool api_test_learn(struct call *call,
                    const struct policy *policy,
                    struct span user,
                    bool people,
                    api_test_learned_fn *done)
{
    const struct api_options *options = &call->api->options;
    struct span names[2 * CORE_POLICY_GROUP_COUNT_MAX + CORE_POLICY_USER_COUNT_MAX +
                      CORE_ESCALATE_USER_COUNT_MAX + CORE_POLICY_EMAIL_COUNT_MAX];
    struct err err = ERR_INIT;
    uint32_t count = needs_groups(policy, names);

    for (uint32_t i = 0; people && user.size == 0 && i < policy->user_count; i++) {
        count = add_person(names, count, policy->users[i]);
    }
    for (uint32_t i = 0; people && user.size == 0 && i < policy->clocks.escalate_user_count; i++) {
        count = add_person(names, count, policy->clocks.escalate_users[i]);
    }
    count += email_list(policy, names + count);
    return options->learn != NULL &&
           options->learn(options->arg, user, names, count, done, call, &err) == ERR_OK;
}

static void list(struct call *call, service_policies_fn *done)
{
    struct err err = ERR_INIT;
    struct span name = http_request_param(call->request, 0);

    if (call->api->options.service == NULL) {
        call_fail(call, ERR_UNAVAILABLE, REFUSAL_NONE, NULL); /* this host lost its authority */
        return;
    }
    if (name.size > CORE_NAME_SIZE_MAX) {
        call_fail(call, ERR_NOT_FOUND, REFUSAL_UNKNOWN_POLICY, NULL);
        return;
    }
    call_check(call, service_policy_list(call->api->options.service, name, done, call, &err), &err);
}

static void on_learned(void *arg)
{
    list(arg, on_second);
}

/* Which groups there are is known now: they are fetched, then the policy is read again, for what is
 * given to a callback is gone with it. Without Slack what is known is enough. */
static void on_first(void *arg,
                     enum err_code rc,
                     const struct err *err,
                     const struct policy *const *policies,
                     size_t count)
{
    struct call *call = arg;
    char user[API_PARAM_SIZE_MAX];

    if (rc != ERR_OK || count == 0) {
        on_second(arg, rc, err, policies, count);
        return;
    }
    if (api_test_user(call, "approver", user) &&
        !api_test_learn(call, policies[0], span_text(user), false, on_learned)) {
        answer(call, policies[0]);
    }
}

static void
on_gate(void *arg, enum err_code rc, const struct err *err, const struct service_gate *gate)
{
    struct call *call = arg;
    int size;

    if (rc != ERR_OK) {
        call_fail(call, rc, rc == ERR_NOT_FOUND ? REFUSAL_UNKNOWN_POLICY : REFUSAL_NONE, err);
        return;
    }
    call->gate = (struct call_gate){
        .known = !gate->unknown, .held = gate->held, .until_ms = gate->hold.until_ms};
    size =
        snprintf(call->gate.freeze, sizeof call->gate.freeze, "%.*s", SPAN_ARGS(gate->hold.freeze));
    ASSERT(size >= 0 && (size_t)size < sizeof call->gate.freeze); /* names are bounded */
    list(call, on_first);
}

static void test(void *arg, struct http_request *request)
{
    struct call *call = call_begin(arg, request, SCOPE_ROOT);
    char text[API_PARAM_SIZE_MAX];
    struct err err = ERR_INIT;

    if (call != NULL && api_test_user(call, "requester", text) &&
        api_test_user(call, "approver", text)) {
        call_check(call,
                   service_gate(call->api->options.service, http_request_param(request, 0), on_gate,
                                call, &err),
                   &err);
    }
}

const struct http_route *api_policy_test_routes(void)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/v1/policies/?/test", HTTP_ON_LOCAL, 0, NULL, test},
        {.pattern = NULL},
    };

    return routes;
}
