/* SPDX-License-Identifier: Apache-2.0 */
/* client.c: calls to approvald's HTTP API.
 * Owns the connection's settings and the last reply; decides when a call is repeated.
 * Never prints, never reads a file; never repeats a call marked "once" whose fate is unknown. */
#include "config.h"

#include "approvald/ctl/client.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/text.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#define CLIENT_ATTEMPT_MS  15000U            /* longer than any answer but a long poll's */
#define CLIENT_CONNECT_MS  4000U             /* a host that takes longer is gone: try again */
#define CLIENT_PAUSE_MS    150U              /* the first pause: a restart takes about as long */
#define CLIENT_PAUSE_MAX   4000U             /* ms: a failover is noticed soon enough */
#define CLIENT_BODY_MAX    ((size_t)8 << 20) /* bytes: a page of 1000 audit entries fits */
#define CLIENT_URL_MAX     2048U
#define CLIENT_HEADERS_MAX 4

struct client {
    struct fetch *fetch; /* owned */
    struct client_options options;
    struct buf *body;  /* owned: of the last answer */
    struct json *json; /* owned: its tree, or NULL */
    struct client_reply reply;
    enum fetch_outcome outcome;
    uint64_t retry_after_s;
    struct err why; /* when nothing was answered */
};

enum err_code
client_new(const struct client_options *options, struct client **ret_client, struct err *err)
{
    struct fetch_options fetch_options = {
        .ca_file = options->ca_file,
        .user_agent = "approvalctl/" PACKAGE_VERSION,
    };
    struct client *client = mem_new(1, sizeof *client);
    enum err_code rc;

    if (client == NULL) {
        return err_set(err, ERR_NOMEM, "client");
    }
    client->options = *options;
    rc = buf_new(CLIENT_BODY_MAX, &client->body, err);
    if (rc == ERR_OK) {
        rc = fetch_new(NULL, &fetch_options, &client->fetch, err);
    }
    if (rc != ERR_OK) {
        client_free(client);
        return rc;
    }
    *ret_client = client;
    return ERR_OK;
}

void client_free(struct client *client)
{
    if (client != NULL) {
        fetch_free(client->fetch);
        json_free(client->json);
        buf_free(client->body);
        mem_free(client);
    }
}

static void copy_text(struct span text, char *ret_copy, size_t size)
{
    size_t used = text.size < size ? text.size : size - 1;

    if (used > 0) {
        memcpy(ret_copy, text.data, used);
    }
    ret_copy[used] = '\0';
}

/* Keeps what a finished attempt brought. */
static void keep_response(void *arg, const struct fetch_response *response)
{
    struct client *client = arg;
    struct err ignored = ERR_INIT;

    client->outcome = response->outcome;
    if (response->outcome != FETCH_ANSWERED) {
        client->why = *response->err;
        return;
    }
    client->reply.status = response->status;
    copy_text(response->date, client->reply.date, sizeof client->reply.date);
    if (!text_parse_u64(response->retry_after, &client->retry_after_s)) {
        client->retry_after_s = 0;
    }
    if (buf_append_span(client->body, response->body, &client->why) != ERR_OK) {
        client->outcome = FETCH_UNKNOWN;
        return;
    }
    if (json_parse(buf_span(client->body), CLIENT_BODY_MAX, &client->json, &ignored) != ERR_OK) {
        client->json =
            NULL; /* some answers are plain text; the caller sees that there is no tree */
    }
    client->reply.body = buf_span(client->body);
    client->reply.json = client->json;
    if (response->status >= 400) {
        copy_text(json_text(client->json, "refusal"), client->reply.refusal,
                  sizeof client->reply.refusal);
    }
}

static void forget_reply(struct client *client)
{
    bool repeated = client->reply.repeated;

    json_free(client->json);
    client->json = NULL;
    buf_clear(client->body);
    client->reply = (struct client_reply){.repeated = repeated};
    client->retry_after_s = 0;
}

static uint32_t smaller(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

/* One attempt of at most left_ms. */
static enum err_code
attempt(struct client *client, const struct client_call *call, uint64_t left_ms, struct err *err)
{
    const char *headers[CLIENT_HEADERS_MAX + 1] = {"Accept: application/json"};
    char type[96];
    char key[256];
    char url[CLIENT_URL_MAX];
    size_t count = 1;
    const char *base = client->options.url == NULL ? "http://localhost" : client->options.url;
    int size = snprintf(url, sizeof url, "%s%s", base, call->path);
    struct fetch_request request = {
        .method = call->method,
        .url = url,
        .unix_socket = client->options.url == NULL ? client->options.socket : NULL,
        .headers = headers,
        .bearer = client->options.token,
        .body = call->body,
        .timeout_ms =
            smaller(call->attempt_ms == 0 ? CLIENT_ATTEMPT_MS : call->attempt_ms, left_ms),
        .connect_timeout_ms = smaller(CLIENT_CONNECT_MS, left_ms),
        .response_size_max = CLIENT_BODY_MAX,
    };

    if (size < 0 || (size_t)size >= sizeof url) {
        return err_set(err, ERR_TOO_LARGE, "URL of more than %u bytes", CLIENT_URL_MAX);
    }
    if (call->body.size > 0) {
        const char *word = call->content_type == NULL ? "application/json" : call->content_type;

        (void)snprintf(type, sizeof type, "Content-Type: %s", word); /* our own words fit */
        headers[count++] = type;
    }
    if (call->key != NULL) {
        (void)snprintf(key, sizeof key, "Idempotency-Key: %s", call->key); /* measured by options */
        headers[count++] = key;
    }
    ASSERT(count <= CLIENT_HEADERS_MAX);
    forget_reply(client);
    client->outcome = FETCH_NOT_SENT;
    return fetch_perform(client->fetch, &request, keep_response, client, err);
}

static bool not_now(uint32_t status)
{
    return status == 429 || status == 502 || status == 503 || status == 504;
}

/* May the same call be made again? */
static bool repeatable(const struct client *client, const struct client_call *call)
{
    switch (client->outcome) {
    case FETCH_NOT_SENT:
        return true;
    case FETCH_UNKNOWN:
        return !call->once;
    case FETCH_ANSWERED:
        return not_now(client->reply.status) && (!call->once || client->reply.status == 429);
    }
    return false;
}

static bool is_stopped(const struct client *client)
{
    return client->options.stopped != NULL && *client->options.stopped != 0;
}

/* Sleeps before the next attempt; false when the deadline would pass meanwhile. */
static bool pause_before(const struct client *client, uint32_t round, uint64_t deadline)
{
    uint64_t now = clock_boot_ms(clock_host());
    uint64_t pause = (uint64_t)CLIENT_PAUSE_MS << (round < 6 ? round : 6);

    pause = pause > CLIENT_PAUSE_MAX ? CLIENT_PAUSE_MAX : pause;
    if (client->outcome == FETCH_ANSWERED && client->retry_after_s * 1000 > pause) {
        pause = client->retry_after_s * 1000;
    }
    if (now + pause >= deadline || is_stopped(client)) {
        return false;
    }
    (void)poll(NULL, 0, (int)pause); /* a signal may end it early: then we look earlier */
    return !is_stopped(client);
}

static enum err_code code_of(uint32_t status)
{
    switch (status) {
    case 401:
        return ERR_UNAUTHENTICATED;
    case 403:
        return ERR_DENIED;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_CONFLICT;
    case 410:
        return ERR_EXPIRED;
    case 413:
        return ERR_TOO_LARGE;
    default:
        break;
    }
    if (not_now(status)) {
        return ERR_UNAVAILABLE;
    }
    return status >= 400 && status < 500 ? ERR_INVALID : ERR_FATAL;
}

/* What the last attempt means. */
static enum err_code judge(struct client *client, struct err *err)
{
    struct span detail;
    enum err_code rc;

    if (client->outcome != FETCH_ANSWERED) {
        return err_set(err, ERR_UNAVAILABLE, "%s", client->why.message);
    }
    if (client->reply.status >= 200 && client->reply.status < 300) {
        return ERR_OK;
    }
    detail = json_text(client->json, "detail");
    rc = code_of(client->reply.status);
    if (detail.size == 0) {
        detail = json_text(client->json, "title");
    }
    if (detail.size == 0) {
        return err_set(err, rc, "answer %u without a reason", client->reply.status);
    }
    return err_set(err, rc, "%.*s", SPAN_ARGS(detail));
}

enum err_code client_call(struct client *client,
                          const struct client_call *call,
                          const struct client_reply **ret_reply,
                          struct err *err)
{
    uint32_t limit = call->deadline_ms == 0 ? client->options.deadline_ms : call->deadline_ms;
    uint64_t deadline = clock_boot_ms(clock_host()) + limit;
    enum err_code rc;

    ASSERT(limit > 0);
    client->reply.repeated = false;
    *ret_reply = &client->reply;
    for (uint32_t round = 0;; round++) {
        uint64_t now = clock_boot_ms(clock_host());

        rc = attempt(client, call, now < deadline ? deadline - now : 1, err);
        if (rc != ERR_OK) {
            return rc;
        }
        if (!repeatable(client, call)) {
            return judge(client, err);
        }
        if (!pause_before(client, round, deadline)) {
            return judge(client, err);
        }
        client->reply.repeated = client->reply.repeated || client->outcome != FETCH_NOT_SENT;
    }
}

static int exit_of_refusal(const char *refusal)
{
    static const struct {
        const char *word;
        int exit;
    } table[] = {
        {"expired", CTL_EXPIRED},     {"lapsed", CTL_LAPSED},
        {"claimed", CTL_CONFLICT},    {"consumed", CTL_CONFLICT},
        {"ended", CTL_CONFLICT},      {"already_decided", CTL_CONFLICT},
        {"key_reused", CTL_CONFLICT}, {"too_many_open", CTL_UNREACHABLE},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(refusal, table[i].word) == 0) {
            return table[i].exit;
        }
    }
    return CTL_REFUSED;
}

int client_exit(enum err_code rc, const struct client_reply *reply)
{
    if (rc != ERR_OK && rc != ERR_UNAVAILABLE && reply != NULL && reply->refusal[0] != '\0') {
        return exit_of_refusal(reply->refusal);
    }
    switch (rc) {
    case ERR_OK:
        return CTL_OK;
    case ERR_UNAVAILABLE:
    case ERR_UNKNOWN_FATE:
    case ERR_BUSY:
    case ERR_FULL:
        return CTL_UNREACHABLE;
    case ERR_UNAUTHENTICATED:
    case ERR_DENIED:
    case ERR_NOT_FOUND:
        return CTL_REFUSED;
    case ERR_INVALID:
    case ERR_TOO_LARGE:
        return CTL_USAGE;
    case ERR_TIMEOUT:
        return CTL_TIMEOUT;
    case ERR_CONFLICT:
    case ERR_EXISTS:
        return CTL_CONFLICT;
    case ERR_EXPIRED:
        return CTL_EXPIRED;
    case ERR_NOMEM:
    case ERR_IO:
    case ERR_NOSPACE:
    case ERR_CORRUPT:
    case ERR_UNSUPPORTED:
    case ERR_PROTOCOL:
    case ERR_FATAL:
        return CTL_INTERNAL;
    }
    return CTL_INTERNAL;
}
