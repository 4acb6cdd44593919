/* SPDX-License-Identifier: Apache-2.0 */
/* api_wait.c: long polls: calls that wait for the outcome of a request.
 * Owns the table of waiting calls, by request id.
 * Never answers from memory: when something changed, or the time is over, the state is read again,
 * so that the answer is as strong as any other. No change can be missed: the read that finds a
 * request pending is answered in the order of commits, before the listener hears of later ones. */
#include "approvald/core/request_id.h"
#include "approvald/http/api_internal.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/metrics.h"

static struct call **bucket_of(struct api *api, const struct request_id *id)
{
    /* The last bytes of an id are random. */
    uint32_t hash =
        (uint32_t)id->bytes[REQUEST_ID_SIZE - 1] | (uint32_t)id->bytes[REQUEST_ID_SIZE - 2] << 8;

    return &api->buckets[hash % WAIT_BUCKET_COUNT];
}

static void unlink_call(struct call *call)
{
    struct call **slot = bucket_of(call->api, &call->id);

    ASSERT(call->waiting);
    while (*slot != call) {
        ASSERT(*slot != NULL);
        slot = &(*slot)->next;
    }
    *slot = call->next;
    call->next = NULL;
    call->waiting = false;
    call->api->wait_count--;
    metric_set(call->api->waits, call->api->wait_count);
    http_request_on_gone(call->request, NULL, NULL);
}

static void on_gone(void *arg)
{
    struct call *call = arg;

    unlink_call(call);
    http_reply(call->request, &(struct http_reply){.status = 204}); /* to nobody */
}

static void link_call(struct call *call)
{
    struct call **slot = bucket_of(call->api, &call->id);

    call->next = *slot;
    *slot = call;
    call->waiting = true;
    call->api->wait_count++;
    metric_set(call->api->waits, call->api->wait_count);
    http_request_set_waiting(call->request);
    http_request_on_gone(call->request, on_gone, call);
}

static bool may_see(const struct call *call, const struct service_answer *answer)
{
    const struct request *request = answer->request;

    if ((call->scopes & (SCOPE_READ | SCOPE_DECIDE)) == 0 &&
        !span_equal(request->asker, call->actor.token)) {
        return false;
    }
    return call_may_policy(call, request->policy);
}

static void
on_state(void *arg, enum err_code rc, const struct err *err, const struct service_answer *answer)
{
    struct call *call = arg;
    struct api *api = call->api;
    bool pending;

    if (rc != ERR_OK || answer == NULL || answer->request == NULL) {
        call_answer(call, rc, err, answer);
        return;
    }
    if (!may_see(call, answer)) {
        call_fail(call, ERR_NOT_FOUND, REFUSAL_UNKNOWN_REQUEST, NULL);
        return;
    }
    pending = answer->request->state == REQUEST_PENDING;
    if (!pending || api->draining || http_request_is_gone(call->request) ||
        clock_boot_ms(api->clock) >= call->wait_until_ms) {
        call_answer(call, rc, err, answer);
        return;
    }
    if (api->wait_count >= api->wait_max) {
        http_problem(call->request,
                     &(struct http_problem){.status = 503,
                                            .detail = "Too many long polls are under way.",
                                            .retry_after_s = 5});
        return;
    }
    link_call(call);
}

void wait_begin(struct call *call)
{
    struct err err = ERR_INIT;

    call_check(call, service_get(call->api->options.service, &call->id, on_state, call, &err),
               &err);
}

/* Takes the calls that fit out of a bucket and reads their requests again. */
static void wake(struct api *api, struct call **bucket, const struct request_id *id, uint64_t now)
{
    struct call *call = *bucket;

    while (call != NULL) {
        struct call *next = call->next;

        if (id == NULL ? now >= call->wait_until_ms || api->draining
                       : request_id_equal(&call->id, id)) {
            unlink_call(call);
            wait_begin(call);
        }
        call = next;
    }
}

void wait_changed(void *arg, const struct request_id *id)
{
    struct api *api = arg;

    if (api->wait_count > 0) {
        wake(api, bucket_of(api, id), id, 0);
    }
}

void api_tick(struct api *api)
{
    uint64_t now = clock_boot_ms(api->clock);

    for (size_t i = 0; api->wait_count > 0 && i < WAIT_BUCKET_COUNT; i++) {
        wake(api, &api->buckets[i], NULL, now);
    }
}

void api_drain(struct api *api)
{
    api->draining = true;
    api_tick(api);
}

void api_go_on(struct api *api)
{
    api->draining = false;
}

uint32_t api_wait_count(const struct api *api)
{
    return api->wait_count;
}
