/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.h: outbound HTTP(S). The one file over libcurl.
 *
 * Asynchronous calls run on the event loop and never block it. Every call has a total time limit
 * and a limit on the response; redirects are never followed; only http and https; certificates are
 * always verified (a private CA file can be added). Proxies: as configured, else the environment's
 * (https_proxy, http_proxy, all_proxy, no_proxy). Authorization headers never reach a log or an
 * error text.
 *
 * HTTP/1.1 with kept connections: one answer per connection at a time keeps "not sent" and
 * "unknown" apart. A request of which a byte may have been received is never sent again by itself,
 * except GET and HEAD. */
#ifndef BASE_FETCH_H
#define BASE_FETCH_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct event_base;
struct fetch;
struct fetch_call;

struct fetch_options {
    const char *ca_file;     /* PEM, in addition to the system's; NULL: none */
    bool ca_only;            /* trust ca_file alone: a server of a private CA's */
    const char *certificate; /* PEM files: ours, for servers that ask for one; NULL: none */
    const char *key;
    const char *proxy_url;   /* NULL: from the environment; "": none */
    const char *no_proxy;    /* hosts; NULL: from the environment */
    const char *user_agent;  /* NULL: "approvald/VERSION" */
    uint32_t call_count_max; /* at once; more are ERR_FULL; 0: the default */
    /* What the peer has not acknowledged when a call ends, or this process, is never sent later.
     * Else the kernel goes on trying for a quarter of an hour, and a call that was given up, and
     * made anew elsewhere, still has its effect when the network is back. Not for streams. */
    bool drop_unsent;
};

/* base is borrowed and must outlive the fetch; NULL: only fetch_perform may be used. */
enum err_code fetch_new(struct event_base *base,
                        const struct fetch_options *options,
                        struct fetch **ret_fetch,
                        struct err *err) WARN_UNUSED;
/* Cancels what is under way (their callbacks are not called). Never from inside a callback. NULL is
 * allowed. */
void fetch_free(struct fetch *fetch);

struct fetch_request {
    const char *method; /* "GET", "POST", … */
    const char *url;
    const char *unix_socket;     /* path, instead of TCP; NULL: TCP */
    const char *const *headers;  /* "Name: value" texts, NULL-ended; may be NULL */
    const char *bearer;          /* secret for Authorization: Bearer; NULL: none */
    struct span body;            /* copied */
    uint32_t timeout_ms;         /* total; 0: 10 s */
    uint32_t connect_timeout_ms; /* 0: 5 s */
    size_t response_size_max;    /* bytes; 0: 1 MiB */
    /* Refuse loopback, private, link-local, multicast and this host's own addresses, checked on the
     * address that is connected to. Behind a proxy that resolves names, literal addresses only;
     * such a call always takes the proxy, whatever no_proxy says. */
    bool refuse_inward;
    const char *wanted_header; /* the name of a field of the response; borrowed; NULL: none */
};

enum fetch_outcome {
    FETCH_ANSWERED, /* a complete HTTP response: status, headers, body */
    FETCH_NOT_SENT, /* certainly not received: name, connect, TLS, proxy failed */
    FETCH_UNKNOWN,  /* sent, at least in part, and no complete answer: it may have happened */
};

struct fetch_response {
    enum fetch_outcome outcome;
    uint32_t status;  /* HTTP, when answered */
    struct span body; /* valid during the callback */
    struct span content_type;
    struct span retry_after; /* the header's text, or empty */
    struct span date;        /* the header's text, or empty */
    const struct err *err;   /* why, when not answered */
    uint32_t duration_ms;
    struct span wanted; /* the text of the wanted header, or empty */
    /* Since 1970: the end of the server's certificate, or 0: no TLS, or a kept connection. */
    uint64_t not_after_s;
};

typedef void fetch_done_fn(void *arg, const struct fetch_response *response);

/* Starts a call; done is called once, on the loop, never from inside fetch_start. ret_call may be
 * NULL when it will not be cancelled. ERR_FULL, ERR_INVALID (URL, method, a line break in a header
 * or the bearer), ERR_DENIED (an inward literal address), ERR_NOMEM: done is not called. */
enum err_code fetch_start(struct fetch *fetch,
                          const struct fetch_request *request,
                          fetch_done_fn *done,
                          void *arg,
                          struct fetch_call **ret_call,
                          struct err *err) WARN_UNUSED;
/* Ends a call without its callback. The call is gone once its callback has begun; NULL is allowed.
 */
void fetch_cancel(struct fetch_call *call);

/* The same, blocking, for programs without a loop: done is called before it returns. */
enum err_code fetch_perform(struct fetch *fetch,
                            const struct fetch_request *request,
                            fetch_done_fn *done,
                            void *arg,
                            struct err *err) WARN_UNUSED;

/* Is the literal IPv4 or IPv6 address one of ours or inward? True for what is no address. */
bool fetch_address_is_inward(const char *address);

#endif
