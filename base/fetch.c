/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.c: outbound HTTP(S) over libcurl, on the event loop or blocking.
 * Owns the settings, the loop's sockets and timer, and the list of calls under way.
 * Never judges a call (fetch_call.c does), never calls back from inside fetch_start. */
#include "base/fetch.h"

#include "base/assert.h"
#include "base/fetch_call.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct fetch_socket {
    LIST_ENTRY(fetch_socket) link;
    struct event *event; /* owned */
};

struct fetch {
    struct event_base *base; /* borrowed, may be NULL */
    CURLM *multi;
    CURL *blocking; /* of fetch_perform; keeps its connections */
    struct event *timer;
    LIST_HEAD(, fetch_call) calls;
    LIST_HEAD(, fetch_socket) sockets;
    uint32_t call_count;
    uint32_t call_count_max;
    bool delivering;
    struct fetch_settings settings; /* the texts are owned */
};

static const char *environment(const char *const *names)
{
    const char *value = NULL;

    for (; *names != NULL && (value == NULL || value[0] == '\0'); names++) {
        value = getenv(*names);
    }
    return value == NULL ? "" : value;
}

/* Only lower case for http: HTTP_PROXY is what a CGI program gets from a client's Proxy header. */
static const char *const names_http[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
static const char *const names_https[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
                                          NULL};
static const char *const names_none[] = {"no_proxy", "NO_PROXY", NULL};

static bool keep_text(char **ret_text, const char *text, const char *fallback)
{
    const char *chosen = text != NULL ? text : fallback;

    *ret_text = mem_copy_text(chosen, strlen(chosen));
    return *ret_text != NULL;
}

/* libcurl's CAINFO replaces the system's bundle, so a private CA file goes there and the system's
 * certificates stay in force through the directory beside it. */
static enum err_code check_ca(const char *ca_file, struct err *err)
{
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
    AUTO_FREE char *text = NULL;
    size_t size;
    FILE *file;

    if (curl->capath == NULL) {
        return err_set(err, ERR_UNAVAILABLE, "CA file %s: libcurl has no CA directory", ca_file);
    }
    text = mem_new(FETCH_CA_SIZE_MAX + 1, 1);
    if (text == NULL) {
        return err_set(err, ERR_NOMEM, "CA file %s", ca_file);
    }
    file = fopen(ca_file, "re");
    if (file == NULL) {
        return err_set_errno(err, ERR_IO, errno, "CA file %s", ca_file);
    }
    size = fread(text, 1, FETCH_CA_SIZE_MAX, file);
    (void)fclose(file); /* only read */
    text[size] = '\0';
    if (strstr(text, "-----BEGIN CERTIFICATE-----") == NULL) {
        return err_set(err, ERR_INVALID, "CA file %s: no PEM certificate in it", ca_file);
    }
    return ERR_OK;
}

static enum err_code
keep_options(struct fetch *fetch, const struct fetch_options *options, struct err *err)
{
    bool kept;

    fetch->call_count_max =
        options->call_count_max == 0 ? FETCH_CALL_COUNT_MAX : options->call_count_max;
    kept =
        keep_text(&fetch->settings.proxy_http, options->proxy_url, environment(names_http)) &&
        keep_text(&fetch->settings.proxy_https, options->proxy_url, environment(names_https)) &&
        keep_text(&fetch->settings.no_proxy, options->no_proxy, environment(names_none)) &&
        keep_text(&fetch->settings.user_agent, options->user_agent, "approvald/" PACKAGE_VERSION);
    if (kept && options->ca_file != NULL) {
        kept = keep_text(&fetch->settings.ca_file, options->ca_file, "");
    }
    if (kept && options->certificate != NULL) {
        kept = keep_text(&fetch->settings.certificate, options->certificate, "") &&
               keep_text(&fetch->settings.key, options->key, "");
    }
    fetch->settings.ca_only = options->ca_only;
    if (!kept) {
        return err_set(err, ERR_NOMEM, "fetch");
    }
    return fetch->settings.ca_file == NULL ? ERR_OK : check_ca(fetch->settings.ca_file, err);
}

static void fetch_drain(struct fetch *fetch);

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
    struct fetch *fetch = arg;
    int running;

    (void)fd;
    (void)events;
    (void)curl_multi_socket_action(fetch->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    fetch_drain(fetch);
}

static void on_socket(evutil_socket_t fd, short events, void *arg)
{
    struct fetch *fetch = arg;
    int running;
    int what = ((events & EV_READ) != 0 ? CURL_CSELECT_IN : 0) |
               ((events & EV_WRITE) != 0 ? CURL_CSELECT_OUT : 0);

    (void)curl_multi_socket_action(fetch->multi, fd, what, &running); /* each call tells its own */
    fetch_drain(fetch);
}

static int timer_changed(CURLM *multi, long timeout_ms, void *arg)
{
    struct fetch *fetch = arg;
    struct timeval timeout = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

    (void)multi;
    if (timeout_ms < 0) {
        (void)event_del(fetch->timer); /* fails only for an event that is none */
    } else {
        (void)event_add(fetch->timer, &timeout);
    }
    return 0;
}

static void socket_free(struct fetch_socket *socket)
{
    LIST_REMOVE(socket, link);
    event_free(socket->event);
    mem_free(socket);
}

/* Without memory the socket is not watched, and the call ends by its time limit. */
static void
socket_watch(struct fetch *fetch, curl_socket_t fd, int what, struct fetch_socket *socket)
{
    short events = (short)(EV_PERSIST | ((what & CURL_POLL_IN) != 0 ? EV_READ : 0) |
                           ((what & CURL_POLL_OUT) != 0 ? EV_WRITE : 0));

    if (socket == NULL) {
        socket = mem_new(1, sizeof *socket);
        if (socket == NULL) {
            return;
        }
        socket->event = event_new(fetch->base, fd, events, on_socket, fetch);
        if (socket->event == NULL) {
            mem_free(socket);
            return;
        }
        LIST_INSERT_HEAD(&fetch->sockets, socket, link);
        (void)curl_multi_assign(fetch->multi, fd, socket); /* fd is curl's own: cannot fail */
    } else {
        (void)event_del(socket->event);
        (void)event_assign(socket->event, fetch->base, fd, events, on_socket, fetch);
    }
    (void)event_add(socket->event, NULL);
}

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket)
{
    (void)easy;
    if (what != CURL_POLL_REMOVE) {
        socket_watch(arg, fd, what, socket);
    } else if (socket != NULL) {
        socket_free(socket);
    }
    return 0;
}

static enum err_code fetch_attach(struct fetch *fetch, struct event_base *base, struct err *err)
{
    bool set;

    fetch->base = base;
    fetch->multi = curl_multi_init();
    fetch->timer = event_new(base, -1, 0, on_timer, fetch);
    if (fetch->multi == NULL || fetch->timer == NULL) {
        return err_set(err, ERR_NOMEM, "fetch");
    }
    set = curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETFUNCTION, socket_changed) == CURLM_OK &&
          curl_multi_setopt(fetch->multi, CURLMOPT_SOCKETDATA, fetch) == CURLM_OK &&
          curl_multi_setopt(fetch->multi, CURLMOPT_TIMERFUNCTION, timer_changed) == CURLM_OK &&
          curl_multi_setopt(fetch->multi, CURLMOPT_TIMERDATA, fetch) == CURLM_OK &&
          curl_multi_setopt(fetch->multi, CURLMOPT_MAXCONNECTS, (long)fetch->call_count_max) ==
              CURLM_OK;
    return set ? ERR_OK : err_set(err, ERR_FATAL, "libcurl refuses the options of its loop");
}

enum err_code fetch_new(struct event_base *base,
                        const struct fetch_options *options,
                        struct fetch **ret_fetch,
                        struct err *err)
{
    struct fetch *fetch = mem_new(1, sizeof *fetch);
    enum err_code rc;

    if (fetch == NULL) {
        return err_set(err, ERR_NOMEM, "fetch");
    }
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        mem_free(fetch);
        return err_set(err, ERR_NOMEM, "libcurl");
    }
    LIST_INIT(&fetch->calls);
    LIST_INIT(&fetch->sockets);
    rc = keep_options(fetch, options, err);
    if (rc == ERR_OK && base != NULL) {
        rc = fetch_attach(fetch, base, err);
    }
    if (rc != ERR_OK) {
        fetch_free(fetch);
        return rc;
    }
    *ret_fetch = fetch;
    return ERR_OK;
}

void fetch_free(struct fetch *fetch)
{
    struct fetch_call *call;
    struct fetch_socket *socket;

    if (fetch == NULL) {
        return;
    }
    ASSERT(!fetch->delivering);
    while ((call = LIST_FIRST(&fetch->calls)) != NULL) {
        fetch_cancel(call);
    }
    (void)curl_multi_cleanup(fetch->multi); /* NULL is refused and harmless */
    curl_easy_cleanup(fetch->blocking);
    while ((socket = LIST_FIRST(&fetch->sockets)) != NULL) {
        socket_free(socket);
    }
    if (fetch->timer != NULL) {
        event_free(fetch->timer);
    }
    mem_free(fetch->settings.ca_file);
    mem_free(fetch->settings.certificate);
    mem_free(fetch->settings.key);
    mem_free(fetch->settings.proxy_http);
    mem_free(fetch->settings.proxy_https);
    mem_free(fetch->settings.no_proxy);
    mem_free(fetch->settings.user_agent);
    mem_free(fetch);
    curl_global_cleanup();
}

static enum err_code fetch_call(struct fetch *fetch,
                                const struct fetch_request *request,
                                CURL *easy,
                                struct fetch_call **ret_call,
                                struct err *err)
{
    enum err_code rc = fetch_call_new(&fetch->settings, request, easy, ret_call, err);

    if (rc != ERR_OK) {
        return err_wrap(err, rc, "fetch");
    }
    (*ret_call)->fetch = fetch;
    return ERR_OK;
}

enum err_code fetch_start(struct fetch *fetch,
                          const struct fetch_request *request,
                          fetch_done_fn *done,
                          void *arg,
                          struct fetch_call **ret_call,
                          struct err *err)
{
    struct fetch_call *call = NULL;
    enum err_code rc;

    ASSERT(fetch->multi != NULL);
    ASSERT(done != NULL);
    if (fetch->call_count >= fetch->call_count_max) {
        return err_set(err, ERR_FULL, "%u calls are under way", fetch->call_count);
    }
    rc = fetch_call(fetch, request, NULL, &call, err);
    if (rc != ERR_OK) {
        return rc;
    }
    call->done = done;
    call->arg = arg;
    if (curl_multi_add_handle(fetch->multi, call->easy) != CURLM_OK) {
        fetch_call_free(call);
        return err_set(err, ERR_NOMEM, "fetch");
    }
    LIST_INSERT_HEAD(&fetch->calls, call, link);
    fetch->call_count++;
    if (ret_call != NULL) {
        *ret_call = call;
    }
    return ERR_OK;
}

/* Off the loop and out of the list, before anybody is told. */
static void fetch_detach(struct fetch_call *call)
{
    struct fetch *fetch = call->fetch;

    ASSERT(fetch->call_count > 0);
    (void)curl_multi_remove_handle(fetch->multi, call->easy); /* it is ours: cannot fail */
    LIST_REMOVE(call, link);
    fetch->call_count--;
}

void fetch_cancel(struct fetch_call *call)
{
    if (call != NULL && !call->finished) {
        fetch_detach(call);
        fetch_call_free(call);
    }
}

/* One call is over. Its callback may start and cancel others. */
static void fetch_deliver(struct fetch *fetch, CURL *easy, CURLcode code)
{
    char *private = NULL;
    struct fetch_call *call;
    bool delivering = fetch->delivering;

    (void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private); /* we set it */
    call = (void *)private;
    ASSERT(call != NULL && call->easy == easy);
    fetch_detach(call);
    fetch->delivering = true;
    fetch_call_finish(call, code);
    fetch->delivering = delivering;
    fetch_call_free(call);
}

static void fetch_drain(struct fetch *fetch)
{
    const CURLMsg *message;
    int left;

    while ((message = curl_multi_info_read(fetch->multi, &left)) != NULL) {
        if (message->msg == CURLMSG_DONE) {
            fetch_deliver(fetch, message->easy_handle, message->data.result);
        }
    }
}

enum err_code fetch_perform(struct fetch *fetch,
                            const struct fetch_request *request,
                            fetch_done_fn *done,
                            void *arg,
                            struct err *err)
{
    struct fetch_call *call = NULL;
    enum err_code rc;

    ASSERT(!fetch->delivering);
    if (fetch->blocking == NULL) {
        fetch->blocking = curl_easy_init();
    }
    if (fetch->blocking == NULL) {
        return err_set(err, ERR_NOMEM, "fetch");
    }
    rc = fetch_call(fetch, request, fetch->blocking, &call, err);
    if (rc != ERR_OK) {
        return rc;
    }
    call->done = done;
    call->arg = arg;
    fetch->delivering = true;
    fetch_call_finish(call, curl_easy_perform(call->easy));
    fetch->delivering = false;
    fetch_call_free(call);
    return ERR_OK;
}
