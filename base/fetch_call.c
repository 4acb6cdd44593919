/* SPDX-License-Identifier: Apache-2.0 */
/* fetch_call.c: one outbound call over libcurl.
 * Owns the call's handle, copies and secrets, the checks before it, and the judgement whether the
 * request may have been received.
 * Never follows a redirect, never skips verification, never sends a request twice of which a byte
 * may have arrived, never puts a header's value or a URL's path into an error. */
#include "base/fetch_call.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#define KEEPALIVE_S 5L

/* Bodies and headers carry tokens. */
void fetch_call_free(struct fetch_call *call)
{
    if (call == NULL) {
        return;
    }
    for (struct curl_slist *at = call->headers; at != NULL; at = at->next) {
        mem_wipe(at->data, strlen(at->data));
    }
    if (call->shared) {
        curl_easy_reset(call->easy);
    } else {
        curl_easy_cleanup(call->easy);
    }
    curl_slist_free_all(call->headers);
    mem_wipe(call->body, call->body_size);
    mem_free(call->body);
    mem_free(call->host);
    mem_free(call->socket);
    buf_free(call->response);
    mem_free(call);
}

static bool is_literal(const char *host)
{
    return strchr(host, ':') != NULL || strspn(host, "0123456789.") == strlen(host);
}

static bool is_localhost(const char *host)
{
    size_t size = strlen(host);
    size_t name_size = sizeof "localhost" - 1;

    while (size > 0 && host[size - 1] == '.') {
        size--;
    }
    if (size < name_size || strncasecmp(host + size - name_size, "localhost", name_size) != 0) {
        return false;
    }
    return size == name_size || host[size - name_size - 1] == '.';
}

/* Takes host and scheme out of a URL that curl itself has parsed, so that both see the same. */
static enum err_code call_host(struct fetch_call *call, CURLU *parts, struct err *err)
{
    char *host = NULL;
    char *scheme = NULL;
    size_t bracket;

    if (curl_url_get(parts, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) {
        curl_free(host);
        return err_set(err, ERR_INVALID, "URL without a host");
    }
    bracket = host[0] == '[' ? 1 : 0;
    call->host = mem_copy_text(host + bracket, strlen(host) - 2 * bracket);
    call->https = strcmp(scheme, "https") == 0;
    bracket = call->https || strcmp(scheme, "http") == 0 ? 0 : 1;
    curl_free(host);
    curl_free(scheme);
    if (bracket != 0) {
        return err_set(err, ERR_INVALID, "URL is neither http nor https");
    }
    return call->host == NULL ? err_set(err, ERR_NOMEM, "fetch") : ERR_OK;
}

static enum err_code call_url(struct fetch_call *call, const char *url, struct err *err)
{
    CURLU *parts = curl_url();
    CURLUcode code;
    enum err_code rc;

    if (parts == NULL) {
        return err_set(err, ERR_NOMEM, "fetch");
    }
    code = strlen(url) > FETCH_LINE_SIZE_MAX ? CURLUE_MALFORMED_INPUT
                                             : curl_url_set(parts, CURLUPART_URL, url, 0);
    rc = code == CURLUE_OK ? call_host(call, parts, err)
                           : err_set(err, ERR_INVALID, "URL: %s", curl_url_strerror(code));
    curl_url_cleanup(parts);
    if (rc == ERR_OK && call->refuse_inward &&
        (is_localhost(call->host) ||
         (is_literal(call->host) && fetch_address_is_inward(call->host)))) {
        return err_set(err, ERR_DENIED, "%s: the address leads inward", call->host);
    }
    return rc;
}

static enum err_code call_header(struct fetch_call *call, const char *line, struct err *err)
{
    struct curl_slist *headers;

    if (strpbrk(line, "\r\n") != NULL || strlen(line) > FETCH_LINE_SIZE_MAX) {
        return err_set(err, ERR_INVALID, "a header is too long or has a line break in it");
    }
    headers = curl_slist_append(call->headers, line);
    if (headers == NULL) {
        return err_set(err, ERR_NOMEM, "fetch");
    }
    call->headers = headers;
    return ERR_OK;
}

static enum err_code
call_headers(struct fetch_call *call, const struct fetch_request *request, struct err *err)
{
    char line[FETCH_LINE_SIZE_MAX];
    enum err_code rc = call_header(call, "Expect:", err); /* no waiting for 100 Continue */
    size_t count = 0;
    int size;

    for (; rc == ERR_OK && request->headers != NULL && request->headers[count] != NULL; count++) {
        rc = count < FETCH_HEADER_COUNT_MAX ? call_header(call, request->headers[count], err)
                                            : err_set(err, ERR_INVALID, "too many headers");
    }
    if (rc != ERR_OK || request->bearer == NULL) {
        return rc;
    }
    size = snprintf(line, sizeof line, "Authorization: Bearer %s", request->bearer);
    rc = size > 0 && (size_t)size < sizeof line ? call_header(call, line, err)
                                                : err_set(err, ERR_INVALID, "bearer is too long");
    mem_wipe(line, sizeof line);
    return rc;
}

static void set_text(struct fetch_call *call, CURLoption option, const char *text)
{
    if (call->setup == CURLE_OK) {
        call->setup = curl_easy_setopt(call->easy, option, text);
    }
}

static void set_number(struct fetch_call *call, CURLoption option, long number)
{
    if (call->setup == CURLE_OK) {
        call->setup = curl_easy_setopt(call->easy, option, number);
    }
}

static void set_pointer(struct fetch_call *call, CURLoption option, void *pointer)
{
    if (call->setup == CURLE_OK) {
        call->setup = curl_easy_setopt(call->easy, option, pointer);
    }
}

static void set_method(struct fetch_call *call, const struct fetch_request *request)
{
    bool get = strcmp(request->method, "GET") == 0;

    call->safe = get || strcmp(request->method, "HEAD") == 0;
    if (call->safe && request->body.size == 0) {
        set_number(call, get ? CURLOPT_HTTPGET : CURLOPT_NOBODY, 1);
        return;
    }
    if (call->setup == CURLE_OK) {
        call->setup = curl_easy_setopt(call->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                       (curl_off_t)request->body.size);
    }
    set_pointer(call, CURLOPT_POSTFIELDS, call->body); /* borrowed from the call */
    set_text(call, CURLOPT_CUSTOMREQUEST, request->method);
}

/* Who refuses inward addresses asks a proxy, where there is one, for every name: no_proxy lists
 * what is inside. */
static void set_proxy(struct fetch_call *call,
                      const struct fetch_settings *settings,
                      const struct fetch_request *request)
{
    const char *proxy = call->https ? settings->proxy_https : settings->proxy_http;

    if (request->unix_socket != NULL) {
        proxy = "";
        set_text(call, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
    }
    call->proxied = proxy[0] != '\0';
    set_text(call, CURLOPT_PROXY, proxy); /* "": not even the environment's */
    set_text(call, CURLOPT_NOPROXY, call->refuse_inward ? "" : settings->no_proxy);
    if (settings->ca_file != NULL) {
        set_text(call, CURLOPT_CAINFO, settings->ca_file);
        set_text(call, CURLOPT_PROXY_CAINFO, settings->ca_file);
        /* Ours to change while we run: curl would keep what it has read for a day. */
        set_number(call, CURLOPT_CA_CACHE_TIMEOUT, 0);
    } else if (settings->ca_by_hash) {
        set_text(call, CURLOPT_CAINFO, NULL);
        set_text(call, CURLOPT_PROXY_CAINFO, NULL);
    }
    if (settings->ca_only) {
        set_text(call, CURLOPT_CAPATH, NULL);
    }
    if (settings->certificate != NULL) {
        set_text(call, CURLOPT_SSLCERT, settings->certificate);
        set_text(call, CURLOPT_SSLKEY, settings->key);
    }
}

static void
set_limits(struct fetch_call *call, const struct fetch_request *request, size_t size_max)
{
    uint32_t timeout_ms = request->timeout_ms == 0 ? FETCH_TIMEOUT_MS : request->timeout_ms;
    uint32_t connect_ms =
        request->connect_timeout_ms == 0 ? FETCH_CONNECT_TIMEOUT_MS : request->connect_timeout_ms;

    set_number(call, CURLOPT_TIMEOUT_MS, (long)timeout_ms);
    set_number(call, CURLOPT_CONNECTTIMEOUT_MS, (long)connect_ms);
    if (call->setup == CURLE_OK) {
        call->setup = curl_easy_setopt(call->easy, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)size_max);
    }
    set_number(call, CURLOPT_NOSIGNAL, 1);
    set_number(call, CURLOPT_QUICK_EXIT, 1); /* never joins a resolver thread that hangs */
    set_number(call, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    set_number(call, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    set_number(call, CURLOPT_CERTINFO, 1); /* to name the certificate that was refused */
    /* A long poll says nothing: of a peer whose address has moved to another host it hears only
     * when it asks. */
    set_number(call, CURLOPT_TCP_KEEPALIVE, 1);
    set_number(call, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_S);
    set_number(call, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_S);
    set_text(call, CURLOPT_PROTOCOLS_STR, "http,https");
}

static size_t on_body(char *data, size_t size, size_t count, void *arg)
{
    struct fetch_call *call = arg;

    return buf_append(call->response, data, size * count, NULL) == ERR_OK ? size * count : 0;
}

/* Addresses are judged here, after the name was resolved and before anything is sent, so that a
 * name cannot answer differently the second time. */
static curl_socket_t on_open(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct fetch_call *call = arg;
    char text[NI_MAXHOST];

    int fd;

    (void)purpose;
    if (call->refuse_inward && !call->proxied &&
        (getnameinfo(&address->addr, (socklen_t)address->addrlen, text, sizeof text, NULL, 0,
                     NI_NUMERICHOST) != 0 ||
         fetch_address_is_inward(text))) {
        call->refused = true;
        return CURL_SOCKET_BAD;
    }
    fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    if (fd >= 0 && call->drop_unsent) {
        static const struct linger none = {.l_onoff = 1, .l_linger = 0};

        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none); /* fails for no stream */
    }
    return fd;
}

/* A connection is ready, possibly one that another call opened. Curl comes here again when a kept
 * connection died under the request: it must not send what may have arrived. */
static int on_begin(void *arg, char *address, char *own_address, int port, int own_port)
{
    struct fetch_call *call = arg;
    long sent_size = 0;

    (void)own_address;
    (void)port;
    (void)own_port;
    if (call->refuse_inward && !call->proxied && fetch_address_is_inward(address)) {
        call->refused = true;
        return CURL_PREREQFUNC_ABORT;
    }
    if (call->begun && !call->safe &&
        (curl_easy_getinfo(call->easy, CURLINFO_REQUEST_SIZE, &sent_size) != CURLE_OK ||
         sent_size > 0)) {
        return CURL_PREREQFUNC_ABORT;
    }
    call->begun = true;
    return CURL_PREREQFUNC_OK;
}

static void set_callbacks(struct fetch_call *call)
{
    if (call->setup == CURLE_OK) {
        call->setup = curl_easy_setopt(call->easy, CURLOPT_WRITEFUNCTION, on_body);
    }
    if (call->setup == CURLE_OK) {
        call->setup = curl_easy_setopt(call->easy, CURLOPT_OPENSOCKETFUNCTION, on_open);
    }
    if (call->setup == CURLE_OK) {
        call->setup = curl_easy_setopt(call->easy, CURLOPT_PREREQFUNCTION, on_begin);
    }
    set_pointer(call, CURLOPT_WRITEDATA, call);
    set_pointer(call, CURLOPT_OPENSOCKETDATA, call);
    set_pointer(call, CURLOPT_PREREQDATA, call);
    set_pointer(call, CURLOPT_PRIVATE, call);
    set_pointer(call, CURLOPT_ERRORBUFFER, call->error);
    set_pointer(call, CURLOPT_HTTPHEADER, call->headers);
}

static enum err_code call_setup(struct fetch_call *call,
                                const struct fetch_settings *settings,
                                const struct fetch_request *request,
                                struct err *err)
{
    size_t size_max =
        request->response_size_max == 0 ? FETCH_RESPONSE_SIZE_DEFAULT : request->response_size_max;
    enum err_code rc = buf_new(size_max, &call->response, err);

    if (rc != ERR_OK) {
        return rc;
    }
    call->body_size = request->body.size;
    call->body = mem_copy_text(request->body.data, request->body.size);
    if (call->easy == NULL || call->body == NULL) {
        return err_set(err, ERR_NOMEM, "fetch");
    }
    set_text(call, CURLOPT_URL, request->url);
    set_text(call, CURLOPT_USERAGENT, settings->user_agent);
    set_method(call, request);
    set_proxy(call, settings, request);
    set_limits(call, request, size_max);
    set_callbacks(call);
    if (call->setup == CURLE_OUT_OF_MEMORY) {
        return err_set(err, ERR_NOMEM, "fetch");
    }
    return call->setup == CURLE_OK
               ? ERR_OK
               : err_set(err, ERR_FATAL, "libcurl: %s", curl_easy_strerror(call->setup));
}

enum err_code fetch_call_new(const struct fetch_settings *settings,
                             const struct fetch_request *request,
                             CURL *easy,
                             struct fetch_call **ret_call,
                             struct err *err)
{
    struct fetch_call *call;
    size_t method_size = strspn(request->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    enum err_code rc;

    if (method_size == 0 || request->method[method_size] != '\0') {
        return err_set(err, ERR_INVALID, "method is not a word of capital letters");
    }
    call = mem_new(1, sizeof *call);
    if (call == NULL) {
        return err_set(err, ERR_NOMEM, "fetch");
    }
    call->shared = easy != NULL;
    call->easy = easy != NULL ? easy : curl_easy_init();
    call->refuse_inward = request->refuse_inward && request->unix_socket == NULL;
    call->wanted_header = request->wanted_header;
    call->drop_unsent = settings->drop_unsent && request->unix_socket == NULL;
    rc = call_url(call, request->url, err);
    if (rc == ERR_OK && request->unix_socket != NULL) {
        call->socket = mem_copy_text(request->unix_socket, strlen(request->unix_socket));
        rc = call->socket == NULL ? err_set(err, ERR_NOMEM, "fetch") : ERR_OK;
    }
    rc = rc == ERR_OK ? call_headers(call, request, err) : rc;
    rc = rc == ERR_OK ? call_setup(call, settings, request, err) : rc;
    if (rc != ERR_OK) {
        fetch_call_free(call);
        return rc;
    }
    *ret_call = call;
    return ERR_OK;
}

/* How a call ended. */

static struct span response_header(const struct fetch_call *call, const char *name)
{
    struct curl_header *header;

    if (curl_easy_header(call->easy, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK) {
        return SPAN_NONE;
    }
    return span_text(header->value);
}

/* What the server's certificate says, where curl got as far as to know it: not on a kept
 * connection.
 */
static const char *certificate_field(const struct fetch_call *call, const char *name)
{
    struct curl_certinfo *chain = NULL;
    size_t name_size = strlen(name);

    if (curl_easy_getinfo(call->easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == NULL ||
        chain->num_of_certs < 1) {
        return NULL;
    }
    for (const struct curl_slist *at = chain->certinfo[0]; at != NULL; at = at->next) {
        if (strncmp(at->data, name, name_size) == 0) {
            return at->data + name_size;
        }
    }
    return NULL;
}

/* 0: not known. */
static uint64_t certificate_end_s(const struct fetch_call *call)
{
    const char *text = certificate_field(call, "Expire date:");
    time_t end_s = text == NULL ? -1 : curl_getdate(text, NULL);

    return end_s < 0 ? 0 : (uint64_t)end_s;
}

static enum err_code code_of(const struct fetch_call *call, CURLcode code)
{
    if (call->refused) {
        return ERR_DENIED;
    }
    if (code == CURLE_OPERATION_TIMEDOUT) {
        return ERR_TIMEOUT;
    }
    if (code == CURLE_OUT_OF_MEMORY) {
        return ERR_NOMEM;
    }
    if (code == CURLE_WRITE_ERROR || code == CURLE_FILESIZE_EXCEEDED) {
        return ERR_TOO_LARGE;
    }
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        return ERR_UNAUTHENTICATED;
    }
    if (code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_UNSUPPORTED_PROTOCOL) {
        return ERR_PROTOCOL;
    }
    return ERR_UNAVAILABLE;
}

static void explain_certificate(const struct fetch_call *call, const char *detail, struct err *err)
{
    const char *subject = certificate_field(call, "Subject:");
    const char *issuer = certificate_field(call, "Issuer:");

    if (subject == NULL || issuer == NULL) {
        err_set(err, ERR_UNAUTHENTICATED, "%s: %s (does a proxy inspect TLS? then add its CA file)",
                call->host, detail);
        return;
    }
    err_set(err, ERR_UNAUTHENTICATED, "%s: %s; the certificate is of %s, issued by %s", call->host,
            detail, subject, issuer);
}

void fetch_call_explain(const struct fetch_call *call, CURLcode code, struct err *err)
{
    const char *detail = call->error[0] != '\0' ? call->error : curl_easy_strerror(code);
    enum err_code rc = code_of(call, code);
    long connect_status = 0;

    (void)curl_easy_getinfo(call->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status); /* or 0 */
    if (call->refused) {
        err_set(err, rc, "%s: the address leads inward", call->host);
    } else if (!call->begun && connect_status == 407) {
        err_set(err, rc, "%s: the proxy wants credentials (407)", call->host);
    } else if (!call->begun && connect_status >= 300) {
        err_set(err, rc, "%s: the proxy refused the tunnel (%ld)", call->host, connect_status);
    } else if (rc == ERR_UNAUTHENTICATED) {
        explain_certificate(call, detail, err);
    } else if (rc == ERR_TOO_LARGE) {
        err_set(err, rc, "%s: the response is too large", call->host);
    } else if (code == CURLE_COULDNT_CONNECT && call->socket != NULL) {
        /* libcurl speaks of "localhost port 80" here. */
        err_set(err, rc, "%s: nobody answers on this socket", call->socket);
    } else if (code == CURLE_ABORTED_BY_CALLBACK) {
        err_set(err, rc, "%s: the kept connection ended while the request was sent", call->host);
    } else {
        err_set(err, rc, "%s%s: %s", call->host, call->proxied ? " by proxy" : "", detail);
    }
}

static void respond(struct fetch_call *call, CURLcode code, struct fetch_response *response)
{
    long status = 0;

    (void)curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status); /* or 0 */
    if (code != CURLE_OK) {
        response->outcome = call->begun ? FETCH_UNKNOWN : FETCH_NOT_SENT;
        return;
    }
    if (call->proxied && status == 407) { /* plain http: the proxy itself answered */
        response->outcome = FETCH_NOT_SENT;
        return;
    }
    response->outcome = FETCH_ANSWERED;
    response->status = (uint32_t)status;
    response->body = buf_span(call->response);
    response->content_type = response_header(call, "Content-Type");
    response->retry_after = response_header(call, "Retry-After");
    response->date = response_header(call, "Date");
    if (call->wanted_header != NULL) {
        response->wanted = response_header(call, call->wanted_header);
    }
    response->not_after_s = certificate_end_s(call);
}

void fetch_call_finish(struct fetch_call *call, CURLcode code)
{
    struct err err = ERR_INIT;
    struct fetch_response response = {.outcome = FETCH_UNKNOWN};
    curl_off_t duration_us = 0;

    ASSERT(!call->finished);
    call->finished = true;
    (void)curl_easy_getinfo(call->easy, CURLINFO_TOTAL_TIME_T, &duration_us); /* or 0 */
    response.duration_ms = (uint32_t)(duration_us / 1000);
    respond(call, code, &response);
    if (response.outcome != FETCH_ANSWERED) {
        if (code == CURLE_OK) {
            err_set(&err, ERR_UNAVAILABLE, "%s: the proxy wants credentials (407)", call->host);
        } else {
            fetch_call_explain(call, code, &err);
        }
        response.err = &err;
    }
    call->done(call->arg, &response);
}
