/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_call.h: one outbound call: its curl handle, and the judgement of how it ended. For fetch.c.
 */
#ifndef BASE_FETCH_CALL_H
#define BASE_FETCH_CALL_H

#include "base/fetch.h"

#include <curl/curl.h>
#include <sys/queue.h>

/* What all calls of one fetch share. Texts are never NULL, but for ca_file, certificate and key. */
struct fetch_settings {
    char *ca_file;
    char *certificate;
    char *key;
    bool ca_only;
    bool ca_by_hash; /* of the system's authorities the directory is enough */
    bool drop_unsent;
    char *proxy_http;
    char *proxy_https;
    char *no_proxy;
    char *user_agent;
};

struct fetch_call {
    LIST_ENTRY(fetch_call) link; /* in fetch->calls */
    struct fetch *fetch;         /* borrowed; fetch.c's */
    CURL *easy;                  /* owned, unless shared */
    bool shared;                 /* easy is the one of fetch_perform: reset, not freed */
    struct curl_slist *headers;
    char *host;
    char *socket; /* NULL: TCP */
    char *body;
    size_t body_size;
    struct buf *response;
    CURLcode setup; /* the first option that curl refused */
    bool https;
    bool proxied; /* unless no_proxy exempts the host */
    bool refuse_inward;
    const char *wanted_header; /* borrowed, or NULL */
    bool drop_unsent;
    bool refused;  /* an address was inward */
    bool safe;     /* may be sent twice: GET and HEAD */
    bool begun;    /* a connection was ready and the request is being sent */
    bool finished; /* its callback runs or has run */
    fetch_done_fn *done;
    void *arg;
    char error[CURL_ERROR_SIZE];
};

/* A call ready to be performed. easy is borrowed, or NULL for one of its own. */
enum err_code fetch_call_new(const struct fetch_settings *settings,
                             const struct fetch_request *request,
                             CURL *easy,
                             struct fetch_call **ret_call,
                             struct err *err) WARN_UNUSED;
/* Wipes and frees it. NULL is allowed. */
void fetch_call_free(struct fetch_call *call);
/* Tells done how the call ended. */
void fetch_call_finish(struct fetch_call *call, CURLcode code);
/* Why there is no answer, for the operator. */
void fetch_call_explain(const struct fetch_call *call, CURLcode code, struct err *err);

/* fetch.c: what streams share with calls. Borrowed. */
const struct fetch_settings *fetch_settings_of(const struct fetch *fetch);
struct event_base *fetch_base_of(const struct fetch *fetch);

#endif
