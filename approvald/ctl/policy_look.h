/* SPDX-License-Identifier: Apache-2.0 */
/* policy_look.h: what an apply could not know: whether Slack knows the names of the policies. */
#ifndef APPROVALD_CTL_POLICY_LOOK_H
#define APPROVALD_CTL_POLICY_LOOK_H

#include "base/err.h"

struct client_reply;
struct ctl;
struct json;

/* Warns of groups, channels and e-mail addresses that Slack does not resolve, and of people who are
 * named twice, in the policies that the answer of an apply has changed. It is written all the same,
 * so nothing that fails here is a failure. */
void policy_look(struct ctl *ctl, const struct json *applied);
/* GET /v1/policies/NAME/test; requester and approver may be NULL. */
int policy_look_get(struct ctl *ctl,
                    const char *name,
                    const char *requester,
                    const char *approver,
                    const struct client_reply **ret_reply);

/* Where the requests of a policy are shown, as its test says it, in a line or two. */
enum err_code policy_look_routes(const struct json *test, struct err *err) WARN_UNUSED;

#endif
