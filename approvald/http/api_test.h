/* SPDX-License-Identifier: Apache-2.0 */
/* api_test.h: what the explanations of a policy and of a request share (api_policy_test.c,
 * api_request_test.c). Nobody else includes it. */
#ifndef APPROVALD_HTTP_API_TEST_H
#define APPROVALD_HTTP_API_TEST_H

#include "approvald/http/api_internal.h"
#include "approvald/http/limits.h"

struct json;

/* The Slack id of a parameter into text; empty when it is absent. False: answered with 400. */
bool api_test_user(struct call *call, const char *name, char text[API_PARAM_SIZE_MAX]);
/* A group or channel with the number of its members, or why that is not known. */
void api_test_group(struct json *list, const struct call *call, struct span group);
/* needs, emails, rejections, exclude_requester_groups, and the options of who decides. */
void api_test_rules(struct json *object, const struct call *call, const struct policy *policy);
/* may, refusal, detail. */
void api_test_verdict(struct json *node, enum refusal refusal, bool unknown);
/* needs: the names of a bit set. */
void api_test_needs(struct json *node, const struct policy *policy, uint32_t needs);
/* user and needs of each in whose place he would decide. */
void api_test_behalfs(struct json *node,
                      const struct policy *policy,
                      const struct behalf *behalfs,
                      uint32_t count);
/* What is known of the person, of those he stands in for, and of the requester where he matters. */
void api_test_facts(const struct call *call,
                    const struct policy *policy,
                    struct span requester,
                    struct span user,
                    struct facts *ret_facts);
/* Lets the directory fetch the groups and addresses that the policy names, and the user; when he is
 * empty and people is set, those that it names by id. done is called with the call. False: there is
 * no directory, or it cannot ask; done is not called. */
typedef void api_test_learned_fn(void *arg);
bool api_test_learn(struct call *call,
                    const struct policy *policy,
                    struct span user,
                    bool people,
                    api_test_learned_fn *done);

#endif
