/* SPDX-License-Identifier: Apache-2.0 */
/* webapi.h: the client of Slack's Web API. Asynchronous, on the loop thread, never blocks.
 *
 * A call waits in a bounded queue until the rate limits of its method and channel allow it, is sent
 * once, and its answer is sorted into what the caller has to do next. Nothing is repeated here:
 * the outbox is durable and repeats by itself. The token stays in memory, is wiped on free and
 * never appears in a log.
 *
 * While Slack refuses our token (WEBAPI_DEAD) nothing is sent until webapi_set_token; while Slack
 * is down (WEBAPI_DOWN, breaker.h) one call at a time probes: what a person waits for, else a
 * question of the client's own (auth.test), so that nothing that is owed is tried in vain. Facts
 * that a press waits for wait; other calls are given back (WEBAPI_RETRY "slack_down").
 * webapi_listen tells of the changes. */
#ifndef APPROVALD_SLACK_WIRE_WEBAPI_H
#define APPROVALD_SLACK_WIRE_WEBAPI_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct clock;
struct event_base;
struct fetch;
struct json;
struct metrics;
struct webapi;

/* Method, name, encoding of the body, calls a minute (Slack's tier), burst. */
#define WEBAPI_METHOD_TABLE(X)                                                                     \
    X(WEBAPI_AUTH_TEST, "auth.test", WEBAPI_FORM, 100, 10)                                         \
    X(WEBAPI_CHAT_POST_MESSAGE, "chat.postMessage", WEBAPI_JSON, 300, 30)                          \
    X(WEBAPI_CHAT_UPDATE, "chat.update", WEBAPI_JSON, 50, 20)                                      \
    X(WEBAPI_CHAT_POST_EPHEMERAL, "chat.postEphemeral", WEBAPI_JSON, 100, 20)                      \
    X(WEBAPI_CHAT_DELETE, "chat.delete", WEBAPI_JSON, 50, 10)                                      \
    X(WEBAPI_CHAT_GET_PERMALINK, "chat.getPermalink", WEBAPI_FORM, 100, 10)                        \
    X(WEBAPI_CONVERSATIONS_OPEN, "conversations.open", WEBAPI_JSON, 50, 10)                        \
    X(WEBAPI_CONVERSATIONS_HISTORY, "conversations.history", WEBAPI_FORM, 50, 10)                  \
    X(WEBAPI_CONVERSATIONS_REPLIES, "conversations.replies", WEBAPI_FORM, 50, 10)                  \
    X(WEBAPI_CONVERSATIONS_INFO, "conversations.info", WEBAPI_FORM, 50, 10)                        \
    X(WEBAPI_USERS_INFO, "users.info", WEBAPI_FORM, 100, 20)                                       \
    X(WEBAPI_USERGROUPS_USERS_LIST, "usergroups.users.list", WEBAPI_FORM, 20, 10)                  \
    X(WEBAPI_CONVERSATIONS_MEMBERS, "conversations.members", WEBAPI_FORM, 100, 20)                 \
    X(WEBAPI_USERS_LOOKUP_BY_EMAIL, "users.lookupByEmail", WEBAPI_FORM, 50, 20)                    \
    X(WEBAPI_VIEWS_OPEN, "views.open", WEBAPI_JSON, 100, 20)                                       \
    X(WEBAPI_VIEWS_UPDATE, "views.update", WEBAPI_JSON, 100, 20)                                   \
    X(WEBAPI_VIEWS_PUBLISH, "views.publish", WEBAPI_JSON, 100, 20)

enum webapi_encoding { WEBAPI_JSON, WEBAPI_FORM };

enum webapi_method {
#define WEBAPI_METHOD_ENUM(method, name, encoding, per_minute, burst) method,
    WEBAPI_METHOD_TABLE(WEBAPI_METHOD_ENUM)
#undef WEBAPI_METHOD_ENUM
        WEBAPI_METHOD_COUNT
};

/* "chat.postMessage" */
const char *webapi_method_name(enum webapi_method method);

enum webapi_priority {
    WEBAPI_URGENT,     /* a person looks at the screen: modals, ephemeral answers */
    WEBAPI_NORMAL,     /* cards, threads, direct messages; facts that a press waits for */
    WEBAPI_BACKGROUND, /* refreshing caches, comparing cards after an outage */
};

struct webapi_options {
    struct event_base *base;   /* borrowed */
    struct fetch *fetch;       /* borrowed; freed after the webapi */
    struct metrics *metrics;   /* borrowed */
    const struct clock *clock; /* NULL: this host's */
    const char *base_url;      /* copied; "https://slack.com/api/" with the last slash */
    struct span token;         /* copied; empty: WEBAPI_DEAD until webapi_set_token */
};

/* ERR_INVALID: base URL or token. */
enum err_code webapi_new(const struct webapi_options *options,
                         struct webapi **ret_webapi,
                         struct err *err) WARN_UNUSED;
/* Drops what waits and what is under way without callbacks: free it before their args. NULL is
 * allowed. */
void webapi_free(struct webapi *webapi);

/* Another host takes over: every call is answered soon with the error "handing_over", what waits as
 * RETRY, what is under way as UNKNOWN (what only reads: RETRY), and further ones are
 * ERR_UNAVAILABLE. */
void webapi_stop(struct webapi *webapi);
/* It does not after all: calls are taken again. */
void webapi_go_on(struct webapi *webapi);

/* A new token, e.g. after a reload: sending resumes, and listeners hear of it. ERR_INVALID keeps
 * the old one. */
enum err_code
webapi_set_token(struct webapi *webapi, struct span token, struct err *err) WARN_UNUSED;

struct webapi_call {
    enum webapi_method method;
    enum webapi_priority priority;
    struct span body;     /* copied; JSON text or form text, as the table says for the method */
    struct span channel;  /* for the spacing of chat.postMessage (channel or user id), else empty */
    uint32_t wait_ms_max; /* in the queue, then WEBAPI_RETRY "queue_wait"; 0: SLACK_WAIT_MS_MAX */
};

enum webapi_outcome {
    WEBAPI_OK = 1,
    WEBAPI_RETRY,     /* certainly not done; try again, not before retry_after_ms */
    WEBAPI_UNKNOWN,   /* it may have been done: reconcile before repeating */
    WEBAPI_PERMANENT, /* refused for what it is; the same call again is refused again */
    WEBAPI_REFUSED,   /* the token is refused; not done; keep it owed until webapi_listen says up */
};

struct webapi_answer {
    enum webapi_outcome outcome;
    /* Slack's word ("channel_not_found"), or ours: "http_503", "rate_limited", "not_sent",
     * "timeout", "not_json", "queue_wait", "slack_down". Empty when ok. */
    struct span error;
    struct span needed;   /* missing_scope: the scope */
    struct span provided; /* missing_scope: those that the token has */
    struct span detail; /* response_metadata.messages, joined, bounded; or the transport's reason */
    const struct json *json; /* Slack's answer; never NULL when ok, NULL when there was none */
    uint32_t status;         /* HTTP; 0: none */
    uint32_t retry_after_ms; /* retry: Slack's wish, bounded; 0: the caller's own back-off */
};

/* Once per call, on the loop, never from inside webapi_call; the answer is valid during it. */
typedef void webapi_done_fn(void *arg, const struct webapi_answer *answer);

/* ERR_FULL (queue), ERR_TOO_LARGE (body), ERR_NOMEM, ERR_UNAVAILABLE (state is WEBAPI_DEAD, or
 * stopped): done is not called. */
enum err_code webapi_call(struct webapi *webapi,
                          const struct webapi_call *call,
                          webapi_done_fn *done,
                          void *arg,
                          struct err *err) WARN_UNUSED;

/* Posts JSON to a response_url of a payload, without token. ERR_INVALID: the URL is not Slack's
 * (https on hooks.slack.com, hooks.slack-gov.com, or the origin of base_url). done may be NULL.
 * Best effort; ERR_FULL as above. */
enum err_code webapi_respond(struct webapi *webapi,
                             struct span url,
                             struct span body,
                             webapi_done_fn *done,
                             void *arg,
                             struct err *err) WARN_UNUSED;

/* Appends "name=value" in form encoding, after "&" when form is not empty. */
enum err_code
webapi_form_add(struct buf *form, const char *name, struct span value, struct err *err) WARN_UNUSED;

enum webapi_state {
    WEBAPI_UP,
    WEBAPI_DOWN, /* Slack is down: the breaker is not closed */
    WEBAPI_DEAD, /* the token is missing, revoked or the app uninstalled */
};
struct webapi_status {
    enum webapi_state state;
    /* Why it is dead (Slack's word); else why the last call did not reach Slack (the proxy's or the
     * certificate's fault in words), or, while Slack is down, that it was slow; "" when it did and
     * while all is well. */
    const char *error;
    bool probing;              /* down, and a probe is under way */
    uint64_t down_ms;          /* down for so long; 0: it is not */
    uint64_t outage_count;     /* since the start */
    const char *missing_scope; /* the last one, until its method succeeds or a token is set; "" */
    bool skew_known;
    int64_t skew_s; /* Slack's clock minus ours, from the last Date header */
    uint32_t waiting_count;
    uint32_t running_count;
};
void webapi_status(const struct webapi *webapi, struct webapi_status *ret_status);
/* So long (ms) a call would wait for its rate behind ahead_count others that are still to be handed
 * in, and those that wait already. 0: it would be sent at once. channel as in webapi_call. Who
 * renders only then shows what is so when it is sent. */
uint64_t webapi_wait_ms(const struct webapi *webapi,
                        enum webapi_method method,
                        struct span channel,
                        uint32_t ahead_count);
/* Would as many calls be sent at once as ever? Then one that is not sent now is lost to the rate.
 */
bool webapi_rate_is_whole(const struct webapi *webapi, enum webapi_method method);

/* Stops sending as if Slack had refused the token: an app_uninstalled or tokens_revoked event. */
void webapi_mark_dead(struct webapi *webapi, const char *error);

/* Called on every change of state; at most SLACK_LISTENER_COUNT_MAX, asserted. It may call the
 * webapi, except webapi_free. */
typedef void webapi_state_fn(void *arg, enum webapi_state state);
void webapi_listen(struct webapi *webapi, webapi_state_fn *changed, void *arg);

#endif
