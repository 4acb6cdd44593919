/* SPDX-License-Identifier: Apache-2.0 */
/* confirm.h: whom a claim asks Slack about anew. Part of service.h's contract, for who brings Slack
 * and the service together. */
#ifndef APPROVALD_SERVICE_CONFIRM_H
#define APPROVALD_SERVICE_CONFIRM_H

#include "approvald/core/types.h"
#include "approvald/service/limits.h"
#include "base/err.h"

struct service;

/* Of whom a claim has to know what Slack says now: what it has said since then (boot) is new
 * enough. Spans are borrowed for the call. */
struct service_question {
    uint64_t since_ms;
    uint32_t user_count;
    struct span users[SERVICE_QUESTION_USER_MAX];
    uint32_t group_count;
    struct span groups[2 * CORE_POLICY_GROUP_COUNT_MAX];
};
/* Slack is asked; done is called once, on the loop, never from inside, in bounded time, whether it
 * has answered or not. On an error done is not called. */
typedef enum err_code service_confirm_fn(void *arg,
                                         const struct service_question *question,
                                         void (*done)(void *done_arg),
                                         void *done_arg,
                                         struct err *err);
/* What it has said since then, and nothing else, as service_facts_fn. */
typedef void
service_certain_fn(void *arg, struct span user, uint64_t since_ms, struct facts *ret_facts);
void service_set_confirm(struct service *service,
                         service_confirm_fn *confirm,
                         service_certain_fn *certain,
                         void *arg);

#endif
