/* SPDX-License-Identifier: Apache-2.0 */
/* config.c: the options of approvald.
 * Owns the table, the parsed configuration and the secrets read for it.
 * Never applies anything: app.c does. */
#include "approvald/config.h"

#include "approvald/http/limits.h"
#include "approvald/http/proxies.h"
#include "approvald/secret.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/lastgood.h"
#include "base/mem.h"

#include <string.h>

#define MIB UINT64_C(1048576)
#define GIB (1024 * MIB)

static const struct conf_option options[] = {
    {"", "data_dir", CONF_TEXT, "/var/lib/approvald", 1, 0, NULL,
     "Directory of the store; owned by approvald's user, mode 0700."},
    {"", "log_level", CONF_CHOICE, "info", 0, 0, "debug info warning error",
     "The least severe events that are logged."},
    {"", "log_target", CONF_CHOICE, "auto", 0, 0, "auto journal json text",
     "Where events go: the journal's fields, JSON lines or text on standard error; auto: the "
     "journal "
     "when standard error leads there."},
    {"", "drain", CONF_DURATION, "10s", 0, 60000, NULL,
     "How long a stop waits for answers under way."},
    {"", "step_up_key_file", CONF_TEXT, "", 0, 0, NULL,
     "File with the key that the seeds of one-time codes are sealed with, the same on both hosts; "
     "a bare name is a systemd credential. Without it no policy can have step_up."},

    {"http", "listen", CONF_LIST, "127.0.0.1:8080", 0, 4, NULL,
     "Addresses (address:port) of the service without TLS: behind a proxy, or loopback."},
    {"http", "tls_listen", CONF_LIST, "", 0, 4, NULL, "Addresses of the service with TLS."},
    {"http", "tls_certificate", CONF_TEXT, "", 0, 0, NULL, "PEM file: certificate and chain."},
    {"http", "tls_key", CONF_TEXT, "", 0, 0, NULL, "PEM file: private key of the certificate."},
    {"http", "management_listen", CONF_LIST, "127.0.0.1:9180", 0, 4, NULL,
     "Addresses of health, metrics and status: of the host, not of the pair."},
    {"http", "socket", CONF_TEXT, "/run/approvald/approvald.sock", 0, 100, NULL,
     "Unix socket over which root administers; empty: none."},
    {"http", "trusted_proxies", CONF_LIST, "", 0, HTTP_PROXY_COUNT_MAX, NULL,
     "Addresses and networks of the proxies whose X-Forwarded-For or Forwarded names the client, "
     "for "
     "the log."},
    {"http", "connections", CONF_NUMBER, "2048", 16, HTTP_SERVICE_CONNECTION_COUNT_MAX, NULL,
     "Connections to the service at once; more are told 503."},
    {"http", "long_polls", CONF_NUMBER, "1024", 1, HTTP_WAIT_COUNT_MAX, NULL,
     "Askers that wait for an outcome at once."},

    {"slack", "api_url", CONF_TEXT, "https://slack.com/api/", 8, 0, NULL,
     "Base of Slack's Web API; GovSlack has another one."},
    {"slack", "team_id", CONF_TEXT, "", 0, 24, NULL,
     "Id of the workspace or organisation (T… or E…); empty: what the token says."},
    {"slack", "signing_secret_file", CONF_TEXT, "", 0, 0, NULL,
     "File with the app's signing secret; a bare name is a systemd credential."},
    {"slack", "previous_signing_secret_file", CONF_TEXT, "", 0, 0, NULL,
     "File with the signing secret before it was regenerated; accepted too while it is set."},
    {"slack", "bot_token_file", CONF_TEXT, "", 0, 0, NULL,
     "File with the bot's token (xoxb-…); empty: Slack is not used."},
    {"slack", "app_token_file", CONF_TEXT, "", 0, 0, NULL,
     "File with the app-level token (xapp-…): Slack's deliveries come over Socket Mode, through "
     "connections that this host opens."},
    {"slack", "ca_file", CONF_TEXT, "", 0, 0, NULL,
     "PEM file with certificates to trust besides the system's, for a proxy that inspects TLS."},
    {"slack", "proxy", CONF_TEXT, "", 0, 0, NULL,
     "URL of the proxy to Slack; empty: the environment's; none: none."},
    {"slack", "no_proxy", CONF_TEXT, "", 0, 0, NULL, "Hosts that are reached without the proxy."},

    {"storage", "map_size", CONF_SIZE, "8G", 48 * MIB, 1024 * GIB, NULL,
     "Address space of the store: the most it can ever hold."},
    {"storage", "wal_size", CONF_SIZE, "256M", 64 * MIB, 64 * GIB, NULL,
     "Write-ahead log kept at most, for a standby that comes back."},
    {"storage", "headroom", CONF_SIZE, "128M", 32 * MIB, 64 * GIB, NULL,
     "Free disk below which writes are refused."},
    {"storage", "ballast", CONF_SIZE, "64M", MIB, 64 * GIB, NULL,
     "A file that can be deleted to get a full disk working again."},

    {"limits", "open_requests", CONF_NUMBER, "100000", 1, 10000000, NULL,
     "Pending requests at once; more are told 429."},

    {"webhook", "url", CONF_TEXT, NULL, 8, 0, NULL, "Where outcomes are sent; https."},
    {"webhook", "secret_file", CONF_TEXT, NULL, 1, 0, NULL,
     "File with the key that signs them; a bare name is a systemd credential."},
    {"webhook", "allow_inward", CONF_BOOL, "false", 0, 0, NULL,
     "The destination may be a private address, and plain http."},
    {NULL, NULL, CONF_TEXT, NULL, 0, 0, NULL, NULL},
};

/* What a reload cannot change. */
static const struct {
    const char *section;
    const char *name;
} fixed_options[] = {
    {"", "data_dir"},        {"", "log_target"},          {"", "step_up_key_file"},
    {"http", "listen"},      {"http", "tls_listen"},      {"http", "management_listen"},
    {"http", "socket"},      {"http", "trusted_proxies"}, {"http", "connections"},
    {"http", "long_polls"},  {"slack", "api_url"},        {"slack", "team_id"},
    {"slack", "ca_file"},    {"slack", "proxy"},          {"slack", "no_proxy"},
    {"storage", "map_size"}, {"storage", "wal_size"},     {"storage", "headroom"},
    {"storage", "ballast"},  {"limits", "open_requests"},
};

struct config {
    struct conf *conf; /* owned */
    char *file;        /* owned */
    struct proxies proxies;
    struct buf *step_up; /* owned secrets; NULL: none */
    struct buf *signing;
    struct buf *previous;
    struct buf *token;
    struct buf *app_token;
    size_t webhook_count;
    struct config_webhook webhooks[CONFIG_WEBHOOK_COUNT_MAX];
    struct buf *webhook_secrets[CONFIG_WEBHOOK_COUNT_MAX];
    struct lastgood last_good; /* all zero: the file itself is used */
    const char *kept_at;       /* borrowed; NULL: it is not kept */
    bool untried;              /* a part of it is not in force */
};

const struct conf_schema *config_schema(void)
{
    static const char *const titled[] = {"webhook", NULL};
    static const struct conf_schema schema = {
        .options = options, .titled = titled, .section_count_max = CONFIG_WEBHOOK_COUNT_MAX};

    return &schema;
}

const char *config_text(const struct config *config, const char *section, const char *name)
{
    return conf_text(conf_section(config->conf, section), name);
}

uint64_t config_number(const struct config *config, const char *section, const char *name)
{
    return conf_number(conf_section(config->conf, section), name);
}

static enum err_code
load_proxies(const struct conf_section *http, struct proxies *proxies, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < conf_list_count(http, "trusted_proxies"); i++) {
        rc = proxies_add(proxies, conf_list(http, "trusted_proxies", i), err);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "%s: http: trusted_proxies", conf_where(http));
}

static enum err_code load_http(struct config *config, struct err *err)
{
    const struct conf_section *http = conf_section(config->conf, "http");
    bool certificate = conf_text(http, "tls_certificate")[0] != '\0';
    bool key = conf_text(http, "tls_key")[0] != '\0';

    if (certificate != key) {
        return err_set(err, ERR_INVALID, "%s: http: tls_certificate and tls_key go together",
                       conf_where(http));
    }
    if (conf_list_count(http, "tls_listen") > 0 && !certificate) {
        return err_set(err, ERR_INVALID, "%s: http: tls_listen needs tls_certificate and tls_key",
                       conf_where(http));
    }
    return load_proxies(http, &config->proxies, err);
}

/* A secret named by an option; empty: none. */
static enum err_code load_option(const struct conf_section *section,
                                 const char *name,
                                 struct buf **ret_secret,
                                 struct err *err)
{
    const char *path = conf_text(section, name);
    enum err_code rc;

    if (path[0] == '\0') {
        return ERR_OK;
    }
    rc = secret_load(path, CONFIG_SECRET_SIZE_MAX, ret_secret, err);
    return rc == ERR_OK ? rc : err_wrap(err, rc, "%s: %s", conf_where(section), name);
}

#define STEP_UP_KEY_SIZE_MIN 32 /* bytes: of `openssl rand -hex 32` it has 64 */

static enum err_code load_step_up(struct config *config, struct err *err)
{
    const struct conf_section *top = conf_section(config->conf, "");
    enum err_code rc = load_option(top, "step_up_key_file", &config->step_up, err);

    if (rc == ERR_OK && config->step_up != NULL &&
        buf_size(config->step_up) < STEP_UP_KEY_SIZE_MIN) {
        return err_set(err, ERR_INVALID,
                       "%s: step_up_key_file: shorter than %d bytes; make one with openssl rand "
                       "-hex 32",
                       conf_where(top), STEP_UP_KEY_SIZE_MIN);
    }
    return rc;
}

/* A way out, and at least one way in. */
static enum err_code
check_slack(const struct config *config, const struct conf_section *slack, struct err *err)
{
    bool way_in = config->signing != NULL || config->app_token != NULL;

    if ((config->token == NULL) != !way_in) {
        return err_set(err, ERR_INVALID,
                       "%s: slack: bot_token_file goes together with signing_secret_file (Slack "
                       "calls this host), app_token_file (this host calls Slack), or both",
                       conf_where(slack));
    }
    return ERR_OK;
}

static enum err_code load_slack(struct config *config, struct err *err)
{
    const struct conf_section *slack = conf_section(config->conf, "slack");
    enum err_code rc = load_option(slack, "bot_token_file", &config->token, err);

    if (rc == ERR_OK) {
        rc = load_option(slack, "signing_secret_file", &config->signing, err);
    }
    if (rc == ERR_OK) {
        rc = load_option(slack, "previous_signing_secret_file", &config->previous, err);
    }
    if (rc == ERR_OK) {
        rc = load_option(slack, "app_token_file", &config->app_token, err);
    }
    return rc == ERR_OK ? check_slack(config, slack, err) : rc;
}

static enum err_code load_webhooks(struct config *config, struct err *err)
{
    const struct conf_section *section = conf_titled(config->conf, "webhook", 0);
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && section != NULL) {
        size_t index = config->webhook_count;
        struct config_webhook *webhook = &config->webhooks[index];

        ASSERT(index < CONFIG_WEBHOOK_COUNT_MAX); /* conf bounds the sections */
        rc = load_option(section, "secret_file", &config->webhook_secrets[index], err);
        if (rc == ERR_OK) {
            *webhook = (struct config_webhook){.name = conf_title(section),
                                               .url = conf_text(section, "url"),
                                               .secret = buf_span(config->webhook_secrets[index]),
                                               .allow_inward = conf_bool(section, "allow_inward")};
        }
        config->webhook_count++;
        section = conf_titled(config->conf, "webhook", config->webhook_count);
    }
    return rc;
}

/* What conf_load or conf_parse has read, checked whole, with its secrets. */
static enum err_code load_parts(struct config *config, struct err *err)
{
    enum err_code rc = load_http(config, err);

    if (rc == ERR_OK) {
        rc = load_step_up(config, err);
    }
    if (rc == ERR_OK) {
        rc = load_slack(config, err);
    }
    return rc == ERR_OK ? load_webhooks(config, err) : rc;
}

/* text NULL: the file's own; else it stands in for the file. parts: what the file names is read. */
static enum err_code
load(const char *file, const char *text, bool parts, struct config **ret_config, struct err *err)
{
    struct config *config = mem_new(1, sizeof(*config));
    enum err_code rc;

    if (config == NULL) {
        return err_set(err, ERR_NOMEM, "configuration");
    }
    config->file = mem_copy_text(file, strlen(file));
    if (config->file == NULL) {
        rc = err_set(err, ERR_NOMEM, "configuration");
    } else if (text == NULL) {
        rc = conf_load(config_schema(), file, &config->conf, err);
    } else {
        rc = conf_parse(config_schema(), "last-known-good copy", text, &config->conf, err);
    }
    if (rc == ERR_OK && parts) {
        rc = load_parts(config, err);
    }
    if (rc != ERR_OK) {
        config_free(config);
        return rc;
    }
    *ret_config = config;
    return ERR_OK;
}

enum err_code config_load(const char *file, struct config **ret_config, struct err *err)
{
    return load(file, NULL, true, ret_config, err);
}

enum err_code config_load_text(const char *file, struct config **ret_config, struct err *err)
{
    return load(file, NULL, false, ret_config, err);
}

struct start {
    const char *file;
    struct config *config; /* filled */
};

static enum err_code load_any(void *arg, const char *text, struct err *err)
{
    struct start *start = arg;

    return load(start->file, text, true, &start->config, err);
}

enum err_code
config_start(const char *file, const char *last_good, struct config **ret_config, struct err *err)
{
    struct start start = {.file = file};
    struct lastgood used;
    enum err_code rc = lastgood_start(last_good, file, load_any, &start, &used, err);

    if (rc != ERR_OK) {
        return rc;
    }
    start.config->last_good = used;
    start.config->kept_at = last_good;
    *ret_config = start.config;
    return ERR_OK;
}

void config_keep(const struct config *config)
{
    if (config->last_good.kept_ms == 0 && !config->untried) {
        lastgood_keep(config->kept_at, config->file, config->conf);
    }
}

void config_keep_as(struct config *config, const struct config *old, bool untried)
{
    config->kept_at = old->kept_at;
    config->untried = old->untried || untried;
}

const struct lastgood *config_last_good(const struct config *config)
{
    return &config->last_good;
}

void config_free(struct config *config)
{
    if (config == NULL) {
        return;
    }
    secret_free(config->step_up);
    secret_free(config->signing);
    secret_free(config->previous);
    secret_free(config->token);
    secret_free(config->app_token);
    for (size_t i = 0; i < CONFIG_WEBHOOK_COUNT_MAX; i++) {
        secret_free(config->webhook_secrets[i]);
    }
    if (config->conf != NULL) {
        conf_free(config->conf);
    }
    mem_free(config->file);
    mem_free(config);
}

const struct conf *config_conf(const struct config *config)
{
    return config->conf;
}

const char *config_file(const struct config *config)
{
    return config->file;
}

const struct proxies *config_trusted_proxies(const struct config *config)
{
    return &config->proxies;
}

bool config_has_slack(const struct config *config)
{
    return config->token != NULL;
}

static struct span span_of_secret(const struct buf *secret)
{
    return secret == NULL ? SPAN_NONE : buf_span(secret);
}

struct span config_step_up_key(const struct config *config)
{
    return span_of_secret(config->step_up);
}

struct span config_signing_secret(const struct config *config)
{
    return span_of_secret(config->signing);
}

struct span config_previous_secret(const struct config *config)
{
    return span_of_secret(config->previous);
}

struct span config_bot_token(const struct config *config)
{
    return span_of_secret(config->token);
}

struct span config_app_token(const struct config *config)
{
    return span_of_secret(config->app_token);
}

size_t config_webhooks(const struct config *config, const struct config_webhook **ret_webhooks)
{
    *ret_webhooks = config->webhooks;
    return config->webhook_count;
}

void config_compare(const struct config *old,
                    const struct config *new,
                    void (*name)(void *arg, const char *section, const char *option),
                    void *arg)
{
    for (size_t i = 0; i < sizeof(fixed_options) / sizeof(fixed_options[0]); i++) {
        const char *section = fixed_options[i].section;
        const char *option = fixed_options[i].name;

        if (conf_differs(old->conf, new->conf, section, option)) {
            name(arg, section, option);
        }
    }
    if (config_has_slack(old) != config_has_slack(new)) {
        name(arg, "slack", "bot_token_file");
    }
    if ((old->app_token == NULL) != (new->app_token == NULL)) {
        name(arg, "slack", "app_token_file");
    }
}
