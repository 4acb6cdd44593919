/* SPDX-License-Identifier: Apache-2.0 */
/* fetch.c: outbound HTTP(S) over libcurl, on the event loop or blocking.
 * Owns the settings and the list of calls under way; fetch_loop.c has the loop.
 * Never judges a call (fetch_call.c does), never calls back from inside fetch_start. */
#include "base/fetch.h"

#include "base/assert.h"
#include "base/fetch_call.h"
#include "base/fetch_loop.h"
#include "base/fetch_trust.h"
#include "base/limits.h"
#include "base/mem.h"
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct fetch {
    struct event_base *base; /* borrowed, may be NULL */
    struct fetch_loop *loop; /* owned; NULL without a base */
    CURL *blocking;          /* of fetch_perform; keeps its connections */
    LIST_HEAD(, fetch_call) calls;
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
    const curl_version_info_data *curl = curl_version_info(CURLVERSION_NOW);
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
    fetch->settings.drop_unsent = options->drop_unsent;
    if (!kept) {
        return err_set(err, ERR_NOMEM, "fetch");
    }
    fetch->settings.ca_by_hash =
        options->ca_file == NULL && fetch_trust_by_hash(curl->cainfo, curl->capath);
    return fetch->settings.ca_file == NULL ? ERR_OK : check_ca(fetch->settings.ca_file, err);
}

static void fetch_deliver(void *arg, CURL *easy, CURLcode code);

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
    rc = keep_options(fetch, options, err);
    if (rc == ERR_OK && base != NULL) {
        fetch->base = base;
        rc = fetch_loop_new(base, (long)fetch->call_count_max, fetch_deliver, fetch, &fetch->loop,
                            err);
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

    if (fetch == NULL) {
        return;
    }
    ASSERT(!fetch->delivering);
    while ((call = LIST_FIRST(&fetch->calls)) != NULL) {
        fetch_cancel(call);
    }
    fetch_loop_free(fetch->loop);
    curl_easy_cleanup(fetch->blocking);
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

const struct fetch_settings *fetch_settings_of(const struct fetch *fetch)
{
    return &fetch->settings;
}

struct event_base *fetch_base_of(const struct fetch *fetch)
{
    return fetch->base;
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

    ASSERT(fetch->loop != NULL);
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
    rc = fetch_loop_add(fetch->loop, call->easy, err);
    if (rc != ERR_OK) {
        fetch_call_free(call);
        return rc;
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
    fetch_loop_remove(fetch->loop, call->easy);
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
static void fetch_deliver(void *arg, CURL *easy, CURLcode code)
{
    struct fetch *fetch = arg;
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
