/* SPDX-License-Identifier: Apache-2.0 */
/* app_listen.c: which socket serves what.
 * Owns nothing: the server gets every descriptor. Never binds what was handed down: sockets that
 * the supervisor or systemd holds outlive us, so that a restart refuses no connection. */
#include "approvald/app_internal.h"
#include "approvald/http/server.h"
#include "base/json.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/sockets.h"
#include "base/tls.h"

#include <string.h>
#include <unistd.h>

static enum err_code load_tls(struct app *app, struct err *err)
{
    const char *certificate = config_text(app->config, "http", "tls_certificate");
    const char *key = config_text(app->config, "http", "tls_key");

    return certificate[0] == '\0' ? ERR_OK : tls_server_new(certificate, key, &app->tls, err);
}

/* Names of inherited descriptors (FileDescriptorName=). */
static const struct {
    const char *name;
    enum http_listener kind;
    bool tls;
} inherited[] = {
    {"service", HTTP_SERVICE, false},
    {"service-tls", HTTP_SERVICE, true},
    {"management", HTTP_MANAGEMENT, false},
    {"local", HTTP_LOCAL, false},
};

static void adopt(void *arg, int fd, const char *name)
{
    struct app *app = arg;
    enum err_code rc = ERR_INVALID;

    if (strcmp(name, "pair") == 0 && app->pair_listener < 0) {
        app->pair_listener = fd;
        return;
    }
    for (size_t i = 0; i < sizeof(inherited) / sizeof(inherited[0]); i++) {
        if (strcmp(name, inherited[i].name) != 0) {
            continue;
        }
        if (inherited[i].tls && app->tls == NULL) {
            break;
        }
        rc = http_server_listen(app->server, inherited[i].kind, fd,
                                inherited[i].tls ? app->tls : NULL, &app->adopt_err);
        if (rc == ERR_OK) {
            log_fields(LOG_LEVEL_INFO, "app", "adopted", LOG_TEXT("name", name),
                       LOG_NUMBER("fd", fd));
        }
        return;
    }
    (void)close(fd); /* not ours */
    if (app->adopt_err.code == ERR_OK) {
        (void)err_set(&app->adopt_err, rc, /* told by app_listen */
                      "inherited socket \"%s\": has to be service, service-tls (with a "
                      "tls_certificate), management, local or pair",
                      name);
    }
}

/* Tokens in clear text belong on this host, or on the way from a proxy that is asked to be there.
 */
static void warn_plain(const char *address)
{
    if (strncmp(address, "127.", 4) != 0 && strncmp(address, "[::1]", 5) != 0) {
        log_fields(LOG_LEVEL_WARNING, "app", "plain_http", LOG_TEXT("address", address),
                   LOG_TEXT("advice", "use tls_listen, or let only a TLS proxy reach it"));
    }
}

static enum err_code bind_list(struct app *app,
                               const char *option,
                               enum http_listener kind,
                               struct tls_server *tls,
                               struct err *err)
{
    const struct conf_section *http = conf_section(config_conf(app->config), "http");
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < conf_list_count(http, option); i++) {
        const char *address = conf_list(http, option, i);
        int fd = -1;

        rc = sockets_bind(address, &fd, err);
        if (rc != ERR_OK) {
            return err_wrap(err, rc, "http: %s", option);
        }
        rc = http_server_listen(app->server, kind, fd, tls, err);
        log_fields(LOG_LEVEL_INFO, "app", "listening", LOG_TEXT("for", option),
                   LOG_TEXT("address", address));
        if (kind == HTTP_SERVICE && tls == NULL) {
            warn_plain(address);
        }
    }
    return rc;
}

static enum err_code bind_local(struct app *app, struct err *err)
{
    const char *path = config_text(app->config, "http", "socket");
    enum err_code rc;
    int fd = -1;

    if (path[0] == '\0') {
        return ERR_OK;
    }
    rc = sockets_bind_unix(path, &fd, err);
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "http: socket");
    }
    app->bound_local = true;
    return http_server_listen(app->server, HTTP_LOCAL, fd, NULL, err);
}

enum err_code app_listen(struct app *app, struct err *err)
{
    enum err_code rc = load_tls(app, err);
    int count;

    if (rc != ERR_OK) {
        return rc;
    }
    count = notify_inherit(adopt, app);
    if (count < 0) {
        return err_set(err, ERR_INVALID, "inherited sockets cannot be read");
    }
    if (app->adopt_err.code != ERR_OK) {
        *err = app->adopt_err;
        return err->code;
    }
    if (count > 0) {
        return ERR_OK;
    }
    rc = bind_list(app, "listen", HTTP_SERVICE, NULL, err);
    if (rc == ERR_OK) {
        rc = bind_list(app, "tls_listen", HTTP_SERVICE, app->tls, err);
    }
    if (rc == ERR_OK) {
        rc = bind_list(app, "management_listen", HTTP_MANAGEMENT, NULL, err);
    }
    return rc == ERR_OK ? bind_local(app, err) : rc;
}

void app_listen_status(const struct app *app, struct json *object)
{
    if (app->tls != NULL) {
        json_add_u64(object, "tls_not_after_s", tls_server_not_after_s(app->tls));
        json_add_text(object, "tls_certificate",
                      span_text(config_text(app->config, "http", "tls_certificate")));
    }
}
