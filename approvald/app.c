/* SPDX-License-Identifier: Apache-2.0 */
/* app.c: the life of the process between its configuration and its end.
 * Owns the loop, the signals and the order in which rooms are made and taken down: what answers is
 * made last and drained first; the store is closed while everybody who waits for it still lives.
 * Never decides a rule, never parses bytes. */
#include "approvald/app.h"

#include "approvald/app_internal.h"
#include "approvald/http/api.h"
#include "approvald/http/server.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/crash.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"
#include "base/notify.h"
#include "base/tls.h"
#include "storage/storage.h"

#include <event2/event.h>
#include <signal.h>
#include <unistd.h>

static uint64_t now_ms(void)
{
    return clock_boot_ms(clock_host());
}

void app_drain(struct app *app, uint64_t limit_ms)
{
    if (app->drain_until_ms != 0) {
        return;
    }
    notify_stopping(&app->notify);
    app->drain_until_ms = now_ms() + limit_ms + 1;
    if (app->bound_local) {
        (void)unlink(config_text(app->config, "http", "socket")); /* a stale one is replaced too */
    }
    app_pair_drain(app);
    app_serve_quiet(app);
    http_server_drain(app->server);
}

/* The store is lost to this process: whoever waits is told, and the supervisor starts another. */
void app_fail(struct app *app, const struct err *err)
{
    if (app->failure.code != ERR_OK) {
        return;
    }
    app->failure = *err;
    log_err(LOG_LEVEL_ERROR, "app", "fatal", err);
    app_pair_failed(app, err);
    app_drain(app, 1000);
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct app *app = arg;

    (void)what;
    log_fields(LOG_LEVEL_INFO, "app", "signal", LOG_NUMBER("number", number));
    if (number == SIGHUP) {
        app_reload(app);
        return;
    }
    app_drain(app, config_number(app->config, "", "drain"));
}

static void on_answers(evutil_socket_t fd, short what, void *arg)
{
    struct app *app = arg;

    (void)fd;
    (void)what;
    storage_dispatch(app->storage);
    app_pair_work(app);
}

/* Runs behind all that is due in this turn of the loop. */
static void on_turn_end(evutil_socket_t fd, short what, void *arg)
{
    struct app *app = arg;

    (void)fd;
    (void)what;
    storage_uncork(app->storage);
}

static void on_corked(void *arg)
{
    struct app *app = arg;

    event_active(app->uncork, 0, 0);
}

/* Petting says: the loop turns, and the storage commits what it is given. */
static void tick_watchdog(struct app *app, const struct storage_status *status, uint64_t now)
{
    if (status->queue_count == 0 || status->commit_count != app->progress_commits) {
        app->progress_ms = now;
        app->progress_commits = status->commit_count;
    }
    if (app->watchdog_ms == 0 || now < app->watchdog_next_ms) {
        return;
    }
    if (now - app->progress_ms > APP_STALL_MS) {
        log_fields(LOG_LEVEL_ERROR, "app", "stalled", LOG_NUMBER("queue", status->queue_count));
        return;
    }
    app->watchdog_next_ms = now + app->watchdog_ms / 3;
    notify_watchdog();
}

static bool is_drained(const struct app *app)
{
    return http_server_connection_count(app->server) == 0 &&
           http_server_request_count(app->server) == 0 &&
           (app->serving == APP_RESTING || app_slack_is_idle(app));
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct app *app = arg;
    struct storage_status status;
    uint64_t now = now_ms();

    (void)fd;
    (void)what;
    app->turns++;
    crash_note(CRASH_NOTE_ROLE, app_serving_word(app));
    storage_status(app->storage, &status);
    if (status.failed) {
        app_fail(app, &status.failure);
    } else {
        app_pair_tick(app, now);
        app_serve_tick(app, now);
    }
    http_server_tick(app->server);
    tick_watchdog(app, &status, now);
    notify_tend(&app->notify);
    if (app->drain_until_ms != 0 && (now >= app->drain_until_ms || is_drained(app))) {
        (void)event_base_loopbreak(app->base); /* the loop is running */
    }
}

static enum err_code open_store(struct app *app, struct err *err)
{
    const struct config *config = app->config;
    struct storage_options options = {
        .dir = config_text(config, "", "data_dir"),
        .map_size = config_number(config, "storage", "map_size"),
        .wal_size_max = config_number(config, "storage", "wal_size"),
        .headroom_size = config_number(config, "storage", "headroom"),
        .ballast_size = config_number(config, "storage", "ballast"),
    };
    enum err_code rc = app->pair != NULL ? app_pair_open_store(app, &options, err)
                                         : storage_open(&options, &app->storage, err);

    return rc == ERR_OK ? rc : err_wrap(err, rc, "data_dir %s", options.dir);
}

/* The data directory is ours alone now. */
static void open_reports(struct app *app)
{
    struct err err = ERR_INIT;

    if (crash_open(config_text(app->config, "", "data_dir"), &app->crash, &err) != ERR_OK) {
        log_err(LOG_LEVEL_WARNING, "app", "crash_reports", &err);
    }
    crash_note(CRASH_NOTE_BEFORE, app->crash.fresh ? "crashed" : "left no report");
    crash_tell(&app->crash, "app");
}

static enum err_code open_server(struct app *app, struct err *err)
{
    struct http_server_options server = {
        .base = app->base,
        .metrics = app->metrics,
        .proxies = config_trusted_proxies(app->config),
        .service_connection_count = (uint32_t)config_number(app->config, "http", "connections"),
    };

    return http_server_new(&server, &app->server, err);
}

static enum err_code open_api(struct app *app, struct err *err)
{
    struct api_options options = {
        .metrics = app->metrics,
        .wait_count_max = (uint32_t)config_number(app->config, "http", "long_polls"),
        .facts = app_facts,
        .learn = app_learn,
        .group_size = app_group_size,
        .group_error = app_group_error,
        .email = app_email,
        .status = app_status,
        .ready = app_ready,
        .collect = app_collect,
        .backup_start = app_backup_start,
        .backup_status = app_backup_status,
        .arg = app,
    };
    enum err_code rc = api_new(&options, &app->api, err);

    if (rc == ERR_OK) {
        rc = api_attach(app->api, app->server, err);
    }
    return rc == ERR_OK ? app_slack_attach(app, err) : rc;
}

static enum err_code add_events(struct app *app, struct err *err)
{
    static const int numbers[APP_SIGNALS] = {SIGTERM, SIGINT, SIGHUP};
    struct timeval pause = {.tv_usec = APP_TICK_US};
    bool good = true;

    for (size_t i = 0; good && i < APP_SIGNALS; i++) {
        app->signals[i] = evsignal_new(app->base, numbers[i], on_signal, app);
        good = app->signals[i] != NULL && event_add(app->signals[i], NULL) == 0;
    }
    app->tick = event_new(app->base, -1, EV_PERSIST, on_tick, app);
    app->answers =
        event_new(app->base, storage_fd(app->storage), EV_READ | EV_PERSIST, on_answers, app);
    good = good && app->tick != NULL && event_add(app->tick, &pause) == 0;
    good = good && app->answers != NULL && event_add(app->answers, NULL) == 0;
    app->uncork = event_new(app->base, -1, 0, on_turn_end, app);
    good = good && app->uncork != NULL;
    if (good) {
        storage_cork(app->storage, on_corked, app);
    }
    return good ? ERR_OK : err_set(err, ERR_NOMEM, "event loop");
}

/* Sockets first: a port in use is told at once, and who connects meanwhile waits in the kernel. */
static enum err_code open_all(struct app *app, struct err *err)
{
    enum err_code rc = metrics_new(&app->metrics, err);

    app->base = event_base_new();
    if (rc == ERR_OK && app->base == NULL) {
        return err_set(err, ERR_NOMEM, "event loop");
    }
    if (rc == ERR_OK) {
        rc = open_server(app, err);
    }
    if (rc == ERR_OK) {
        rc = app_listen(app, err);
    }
    if (rc == ERR_OK) {
        rc = app_pair_open(app, err);
    }
    if (rc == ERR_OK) {
        rc = open_store(app, err);
    }
    if (rc == ERR_OK) {
        open_reports(app);
        rc = open_api(app, err);
    }
    return rc == ERR_OK ? add_events(app, err) : rc;
}

enum err_code app_new(struct config *config_take, struct app **ret_app, struct err *err)
{
    struct app *app = mem_new(1, sizeof(*app));
    enum err_code rc;

    if (app == NULL) {
        config_free(config_take);
        return err_set(err, ERR_NOMEM, "app");
    }
    app->config = config_take;
    app->pair_listener = -1;
    app->started_ms = now_ms();
    app->progress_ms = app->started_ms;
    app->watchdog_ms = notify_watchdog_ms();
    rc = open_all(app, err);
    if (rc != ERR_OK) {
        app_free(app);
        return rc;
    }
    app_metrics(app);
    *ret_app = app;
    return ERR_OK;
}

/* On its own a process may write from its start; under a supervisor when that says so. */
static enum err_code begin(struct app *app, struct err *err)
{
    enum err_code rc = ERR_OK;
    struct storage_status status;

    if (app->pair == NULL) {
        rc = app_serve_start(app, err);
    } else {
        http_server_wait(app->server, APP_EARLY_MS);
        rc = app_slack_trial(app, app->config, err);
        rc = rc == ERR_OK ? app_pair_begin(app, err) : rc;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    storage_status(app->storage, &status);
    log_fields(LOG_LEVEL_INFO, "app", "ready", LOG_NUMBER("ms", now_ms() - app->started_ms),
               LOG_NUMBER("epoch", status.epoch), LOG_NUMBER("lsn", status.lsn_commit));
    notify_status(app->pair == NULL ? "primary" : "waits for the supervisor");
    notify_ready(&app->notify);
    crash_note(CRASH_NOTE_ROLE, app_serving_word(app));
    config_keep(app->config); /* it listens, has its store, and Slack's part was tried */
    return ERR_OK;
}

enum err_code app_run(struct app *app, struct err *err)
{
    enum err_code rc = begin(app, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (event_base_dispatch(app->base) < 0) {
        return err_set(err, ERR_FATAL, "event loop");
    }
    if (app->failure.code != ERR_OK) {
        *err = app->failure;
        return err->code;
    }
    log_fields(LOG_LEVEL_INFO, "app", "stopped",
               LOG_NUMBER("dropped", http_server_request_count(app->server)));
    return ERR_OK;
}

static void free_event(struct event *event)
{
    if (event != NULL) {
        event_free(event);
    }
}

void app_free(struct app *app)
{
    if (app == NULL) {
        return;
    }
    if (app->api != NULL) {
        api_drain(app->api);
    }
    for (size_t i = 0; i < APP_SIGNALS; i++) {
        free_event(app->signals[i]);
    }
    free_event(app->tick);
    free_event(app->uncork);
    free_event(app->answers);
    storage_close(app->storage); /* its last answers reach those who would call Slack next … */
    app_slack_drop(app);         /* … which is stopped, and drops what they said */
    app_backup_free(app);
    app_serve_stop(app);
    api_free(app->api);
    app_pair_free(app);
    if (app->pair_listener >= 0) {
        (void)close(app->pair_listener); /* nothing was accepted from it */
    }
    http_server_free(app->server);
    if (app->tls != NULL) {
        tls_server_free(app->tls);
    }
    if (app->metrics != NULL) {
        metrics_free(app->metrics);
    }
    if (app->base != NULL) {
        event_base_free(app->base);
    }
    config_free(app->config);
    mem_free(app);
}
