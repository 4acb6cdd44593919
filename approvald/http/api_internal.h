/* SPDX-License-Identifier: Apache-2.0 */
/* api_internal.h: what the files of the API share: a call in the making, who makes it, how it is
 * answered. Nobody else includes it. */
#ifndef APPROVALD_HTTP_API_INTERNAL_H
#define APPROVALD_HTTP_API_INTERNAL_H

#include "approvald/http/api.h"
#include "approvald/http/server.h"
#include "approvald/service/service.h"

#include <assert.h>

struct buf;

#define WAIT_BUCKET_COUNT 1024 /* a power of two, one poll in each at the limit */

enum scope { SCOPE_ASK = 1, SCOPE_DECIDE = 2, SCOPE_READ = 4, SCOPE_ROOT = 8 };

/* What is in the way of a claim under a policy, while the rest of an answer is looked for. */
struct call_gate {
    bool known;
    bool held;
    uint64_t until_ms;
    char freeze[CORE_NAME_SIZE_MAX + 1];
};

/* Lives in its request (http_request_context) until that is answered. */
struct call {
    struct api *api;
    struct http_request *request;
    struct actor actor; /* spans point into token and user below */
    uint32_t scopes;    /* bit set of enum scope */
    uint64_t token_id;
    uint32_t policy_count;  /* 0: all */
    bool create;            /* answered with 201 and a Location */
    bool waiting;           /* linked in a bucket */
    uint64_t wait_until_ms; /* 0: answer at once */
    struct request_id id;
    struct call_gate gate;
    struct call *next;
    char token[CORE_NAME_SIZE_MAX + 1];
    char user[CORE_SLACK_ID_SIZE_MAX + 1];
    char policies[CORE_TOKEN_POLICY_COUNT_MAX][CORE_NAME_SIZE_MAX + 1];
};
static_assert(sizeof(struct call) <= HTTP_CONTEXT_SIZE, "a call fits its request");

/* Of approvalctl notify: what it says of itself, as metrics (api_waiting.c). */
enum told { TOLD_DELIVERED, TOLD_FAILED, TOLD_GIVEN_UP, TOLD_COUNT };

struct api {
    struct api_options options;
    const struct clock *clock;
    uint32_t wait_max;
    uint32_t wait_count;
    bool draining;
    struct call *buckets[WAIT_BUCKET_COUNT];
    struct metric *waits;
    struct metric *unauthenticated;
    struct metric *told[TOLD_COUNT];
    uint64_t told_before[TOLD_COUNT]; /* of its last report */
    bool told_known;                  /* there was one since this process started */
    struct metric *told_last;
    struct metric *told_seen;
};

/* api.c. The call of a request whose caller has one of the scopes (SCOPE_ROOT: root alone); NULL:
 * it is answered already. */
struct call *call_begin(struct api *api, struct http_request *request, uint32_t scopes);
/* As call_begin with SCOPE_READ; of a host without a service, root is answered all the same. */
struct call *call_begin_host(struct api *api, struct http_request *request);
/* May this caller see or use a policy? */
bool call_may_policy(const struct call *call, struct span policy);
/* Answers with the status that code and refusal stand for; err may be NULL. */
void call_fail(struct call *call, enum err_code rc, enum refusal refusal, const struct err *err);
/* A service call was not accepted: as call_fail, when rc is not ERR_OK. */
void call_check(struct call *call, enum err_code rc, const struct err *err);
/* Answers with an object, which is freed. */
void call_json(struct call *call, uint32_t status, struct json *object_take);
/* service_request_fn: answers with the request. */
void call_answer(void *arg,
                 enum err_code rc,
                 const struct err *err,
                 const struct service_answer *answer);
/* The "?" of the path as request id into call->id; false: answered with 404. */
bool call_id(struct call *call);
/* A value of the query, decoded into text (API_PARAM_SIZE_MAX bytes with a NUL); false when it is
 * absent. *ret_bad is set when it cannot be read. */
bool call_param(const struct call *call, const char *name, char *text, bool *ret_bad);
/* An integer of the query; fallback when absent; false: answered with 400. */
bool call_number(
    struct call *call, const char *name, uint64_t max, uint64_t fallback, uint64_t *ret_number);
bool call_flag(const struct call *call, const char *name);

/* api_wait.c */
void wait_begin(struct call *call); /* until call->wait_until_ms or an outcome */
void wait_changed(void *arg, const struct request_id *id);

/* policy_json.c: adds channels, break_glass, windows and what belongs to them. */
void policy_json_more(const struct policy *policy, struct json *object);
/* Where its cards are, alone. */
void policy_json_routes(const struct policy *policy, struct json *object);
/* windows, time_zone, outside_windows alone. */
void policy_json_windows(const struct policy_windows *windows, struct json *object);

/* api_waiting.c */
void told_begin(struct api *api);

/* The routes of each file. */
const struct http_route *api_request_routes(void);
const struct http_route *api_admin_routes(void);
const struct http_route *api_policy_test_routes(void);
const struct http_route *api_request_test_routes(void);
const struct http_route *api_delegation_routes(void);
const struct http_route *api_step_up_routes(void);
const struct http_route *api_backup_routes(void);
const struct http_route *api_waiting_routes(void);
const struct http_route *api_freeze_routes(void);
const struct http_route *api_health_routes(void);

#endif
