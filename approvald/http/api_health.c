/* SPDX-License-Identifier: Apache-2.0 */
/* api_health.c: /healthz, /readyz and /metrics.
 * Owns nothing. Never touches the store: health is told from memory, so that a slow disk does not
 * look like a dead process. */
#include "approvald/http/api_internal.h"
#include "base/buf.h"
#include "base/metrics.h"

#define METRICS_SIZE_MAX 2097152U /* every series the registry can hold */

static void healthz(void *arg, struct http_request *request)
{
    (void)arg;
    http_reply(request, &(struct http_reply){.status = 200,
                                             .content_type = "text/plain; charset=utf-8",
                                             .body = SPAN_LITERAL("ok\n")});
}

static void readyz(void *arg, struct http_request *request)
{
    struct api *api = arg;
    const char *why = "This process may not write.";

    if (api->draining ||
        (api->options.ready != NULL && !api->options.ready(api->options.arg, &why))) {
        http_problem(request, &(struct http_problem){
                                  .status = 503,
                                  .detail = api->draining ? "This process is stopping." : why,
                                  .retry_after_s = 1});
        return;
    }
    http_reply(request, &(struct http_reply){.status = 200,
                                             .content_type = "text/plain; charset=utf-8",
                                             .body = SPAN_LITERAL("ready\n")});
}

static void show_metrics(void *arg, struct http_request *request)
{
    struct api *api = arg;
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;
    enum err_code rc;

    if (api->options.collect != NULL) {
        api->options.collect(api->options.arg);
    }
    rc = buf_new(METRICS_SIZE_MAX, &buf, &err);
    if (rc == ERR_OK) {
        rc = metrics_format(api->options.metrics, buf, &err);
    }
    if (rc != ERR_OK) {
        http_problem(request, &(struct http_problem){.status = 503, .retry_after_s = 1});
        return;
    }
    http_reply(request,
               &(struct http_reply){.status = 200,
                                    .content_type = "text/plain; version=0.0.4; charset=utf-8",
                                    .body = buf_span(buf)});
}

const struct http_route *api_health_routes(void)
{
    static const struct http_route routes[] = {
        {HTTP_GET, "/healthz", HTTP_ON_ALL, 0, NULL, healthz},
        {HTTP_GET, "/readyz", HTTP_ON_ALL, 0, NULL, readyz},
        {HTTP_GET, "/metrics", HTTP_ON_MANAGEMENT | HTTP_ON_LOCAL, 0, NULL, show_metrics},
        {.pattern = NULL},
    };

    return routes;
}
