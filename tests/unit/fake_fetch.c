/* SPDX-License-Identifier: Apache-2.0 */
/* fake_fetch.c: outbound HTTP for tests.
 * Owns a list of the calls that were started; the test plays the other side.
 * Never opens a socket, never calls back by itself. */
#include "tests/unit/fake_fetch.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

/* One test program runs one case at a time, so the fake may be one for all. */
static struct fetch_call calls[FAKE_FETCH_CALL_COUNT_MAX];
static size_t call_count;
static enum err_code refuse_with;

struct fetch *fake_fetch(void)
{
    return (struct fetch *)calls;
}

void fake_fetch_reset(enum err_code refuse)
{
    memset(calls, 0, sizeof calls);
    call_count = 0;
    refuse_with = refuse;
}

size_t fake_fetch_count(void)
{
    return call_count;
}

const struct fetch_call *fake_fetch_call(size_t index)
{
    ASSERT(index < call_count);
    return &calls[index];
}

enum err_code fetch_start(struct fetch *fetch,
                          const struct fetch_request *request,
                          fetch_done_fn *done,
                          void *arg,
                          struct fetch_call **ret_call,
                          struct err *err)
{
    struct fetch_call *call = &calls[call_count];

    ASSERT(fetch == fake_fetch());
    if (refuse_with != ERR_OK) {
        return err_set(err, refuse_with, "fake");
    }
    ASSERT(call_count < FAKE_FETCH_CALL_COUNT_MAX);
    call_count++;
    call->open = true;
    call->done = done;
    call->arg = arg;
    call->timeout_ms = request->timeout_ms;
    /* Longer texts are cut: tests look at their beginnings. */
    (void)snprintf(call->url, sizeof call->url, "%s", request->url);
    (void)snprintf(call->body, sizeof call->body, "%.*s", SPAN_ARGS(request->body));
    (void)snprintf(call->bearer, sizeof call->bearer, "%s",
                   request->bearer == NULL ? "" : request->bearer);
    (void)snprintf(call->content_type, sizeof call->content_type, "%s", request->headers[0]);
    *ret_call = call;
    return ERR_OK;
}

void fetch_cancel(struct fetch_call *call)
{
    if (call != NULL) {
        ASSERT(call->open);
        call->open = false;
    }
}

struct fetch_call *fake_fetch_find(const char *url_end)
{
    size_t end_size = strlen(url_end);

    for (size_t i = 0; i < call_count; i++) {
        size_t size = strlen(calls[i].url);

        if (calls[i].open && size >= end_size &&
            strcmp(calls[i].url + size - end_size, url_end) == 0) {
            return &calls[i];
        }
    }
    return NULL;
}

void fake_fetch_answer(struct fetch_call *call, const struct fetch_response *response)
{
    ASSERT(call->open);
    call->open = false;
    call->done(call->arg, response);
}

bool fake_fetch_ok(const char *url_end, const char *body)
{
    struct fetch_call *call = fake_fetch_find(url_end);
    struct fetch_response response = {
        .outcome = FETCH_ANSWERED, .status = 200, .body = span_text(body)};

    if (call != NULL) {
        fake_fetch_answer(call, &response);
    }
    return call != NULL;
}
