/* SPDX-License-Identifier: Apache-2.0 */
/* app_serve.c: what only a host that may write has: the service, Slack, the sender, webhooks.
 * Owns the order in which they are made and taken down: what answers is made last and drained
 * first.
 * Never decides when: the supervisor's word does (app_pair.c), or the start of a process on its
 * own. */
#include "approvald/app_internal.h"
#include "approvald/http/api.h"
#include "approvald/http/server.h"
#include "approvald/service/confirm.h"
#include "approvald/service/service.h"
#include "approvald/webhook/webhook.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "storage/storage.h"

static enum err_code open_service(struct app *app, struct err *err)
{
    struct service_options service = {
        .storage = app->storage,
        .metrics = app->metrics,
        .open_count_max = (uint32_t)config_number(app->config, "limits", "open_requests"),
        .step_up_key = config_step_up_key(app->config),
    };
    enum err_code rc;

    rc = service_new(&service, &app->service, err);
    if (rc == ERR_OK) {
        service_set_facts(app->service, app_facts, app);
        service_set_confirm(app->service, app_confirm, app_certain, app);
    }
    return rc;
}

static void drop_all(struct app *app)
{
    app_slack_drop(app);
    app_slack_free(app);
    api_set_service(app->api, NULL);
    service_free(app->service);
    app->service = NULL;
}

/* Webhooks say under which epoch they were sent. */
static void take_epoch(struct app *app)
{
    struct storage_status status;

    storage_status(app->storage, &status);
    webhook_set_epoch(app->webhook, status.epoch);
}

enum err_code app_serve_start(struct app *app, struct err *err)
{
    enum err_code rc;

    ASSERT(app->serving == APP_RESTING);
    rc = open_service(app, err);
    if (rc == ERR_OK) {
        rc = app_slack_new(app, err);
    }
    if (rc != ERR_OK) {
        drop_all(app);
        return rc;
    }
    api_set_service(app->api, app->service);
    take_epoch(app);
    app->serving = APP_SERVING;
    app->service_tick_ms = 0;
    app_slack_start(app);
    return ERR_OK;
}

void app_serve_quiet(struct app *app)
{
    if (app->serving != APP_SERVING) {
        return;
    }
    app->serving = APP_QUIETING;
    app_slack_hand_over(app); /* Slack may take seconds, or not answer at all */
    api_drain(app->api);
}

void app_serve_go_on(struct app *app)
{
    if (app->serving == APP_RESTING) {
        return;
    }
    take_epoch(app);
    if (app->serving == APP_QUIETING) {
        app->serving = APP_SERVING;
        api_go_on(app->api);
        app_slack_go_on(app);
    }
}

bool app_serve_is_quiet(struct app *app)
{
    struct storage_status status;

    if (app->serving == APP_RESTING) {
        return true;
    }
    if (app->serving == APP_SERVING || http_server_handled_count(app->server) > 0 ||
        !app_slack_is_idle(app)) {
        return false;
    }
    storage_status(app->storage, &status);
    return status.queue_count == 0;
}

void app_serve_stop(struct app *app)
{
    if (app->serving == APP_RESTING) {
        return;
    }
    drop_all(app);
    app->serving = APP_RESTING;
}

void app_serve_tick(struct app *app, uint64_t now_ms)
{
    struct err err = ERR_INIT;

    api_tick(app->api);
    if (app->serving != APP_SERVING ||
        (clock_wall_ms(clock_host()) < service_deadline_ms(app->service) &&
         now_ms < app->service_tick_ms + APP_SERVICE_TICK_MS)) {
        return;
    }
    app->service_tick_ms = now_ms;
    if (service_tick(app->service, &err) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, "app", "tick_postponed", &err);
    }
}
