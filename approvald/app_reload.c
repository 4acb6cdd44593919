/* SPDX-License-Identifier: Apache-2.0 */
/* app_reload.c: SIGHUP: the new configuration takes effect whole, or not at all.
 * Owns the order: read, check everything that can fail, then change. Never stops the service: with
 * a broken file the old configuration stays in force, and the log says why. */
#include "approvald/app_internal.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/tls.h"

static void warn_fixed(void *arg, const char *section, const char *option)
{
    bool *fixed = arg;

    *fixed = true;
    log_fields(LOG_LEVEL_WARNING, "app", "reload_needs_restart", LOG_TEXT("section", section),
               LOG_TEXT("option", option));
}

static enum err_code check_tls(const struct app *app, const struct config *config, struct err *err)
{
    struct tls_server *trial = NULL;
    enum err_code rc;

    if (app->tls == NULL) {
        return ERR_OK; /* there was no certificate at the start: no TLS listener to change */
    }
    if (config_text(config, "http", "tls_certificate")[0] == '\0') {
        return err_set(err, ERR_INVALID, "http: tls_certificate cannot be taken away by a reload");
    }
    rc = tls_server_new(config_text(config, "http", "tls_certificate"),
                        config_text(config, "http", "tls_key"), &trial, err);
    if (rc == ERR_OK) {
        tls_server_free(trial);
    }
    return rc;
}

static enum err_code apply(struct app *app, const struct config *config, struct err *err)
{
    enum log_level level = LOG_LEVEL_INFO;
    enum err_code rc = log_level_parse(config_text(config, "", "log_level"), &level, err);

    if (rc == ERR_OK && app->tls != NULL) {
        rc = tls_server_reload(app->tls, config_text(config, "http", "tls_certificate"),
                               config_text(config, "http", "tls_key"), err);
    }
    if (rc == ERR_OK) {
        rc = app_slack_apply(app, config, err);
    }
    if (rc == ERR_OK) {
        log_set_level(level);
    }
    return rc;
}

void app_reload(struct app *app)
{
    struct config *config = NULL;
    struct err err = ERR_INIT;
    bool fixed = false;
    enum err_code rc;

    notify_reloading(&app->notify);
    rc = config_load(config_file(app->config), &config, &err);
    if (rc == ERR_OK) {
        rc = check_tls(app, config, &err);
    }
    if (rc == ERR_OK) {
        rc = app_slack_check(app, config, &err);
    }
    if (rc == ERR_OK) {
        rc = apply(app, config, &err);
    }
    if (rc == ERR_OK) {
        config_compare(app->config, config, warn_fixed, &fixed);
        config_keep_as(config, app->config, fixed);
        config_free(app->config);
        app->config = config;
        config_keep(config);
        app_pair_reloaded(app);
        log_fields(LOG_LEVEL_INFO, "app", "reloaded", LOG_TEXT("file", config_file(config)));
    } else {
        log_err(LOG_LEVEL_ERROR, "app", "reload_refused", &err);
        config_free(config);
    }
    notify_ready(&app->notify);
}
