/* SPDX-License-Identifier: Apache-2.0 */
/* app_slack.c: Slack's rooms, the webhooks and the sender, between http and service.
 * Owns their order of birth and death. Never parses a payload and never renders a message. */
#include "approvald/app_internal.h"
#include "approvald/core/email.h"
#include "approvald/core/policy.h"
#include "approvald/http/server.h"
#include "approvald/service/confirm.h"
#include "approvald/service/service.h"
#include "approvald/slack/inbound/confirm.h"
#include "approvald/slack/inbound/inbound.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/outbound/cardsweep.h"
#include "approvald/slack/outbound/home.h"
#include "approvald/slack/outbound/sender.h"
#include "approvald/slack/people/directory.h"
#include "approvald/slack/people/people.h"
#include "approvald/slack/socket/socketmode.h"
#include "approvald/slack/wire/webapi.h"
#include "approvald/webhook/webhook.h"
#include "base/assert.h"
#include "base/fetch.h"
#include "base/log.h"

#include <string.h>

static void on_reply(void *arg, const struct slack_reply *reply)
{
    http_reply(arg, &(struct http_reply){.status = reply->status,
                                         .content_type = reply->content_type,
                                         .body = reply->body,
                                         .retry_after_s = reply->retry_after_s});
}

static void deliver(struct app *app, struct http_request *request, enum slack_path path)
{
    struct slack_delivery delivery = {
        .path = path,
        .body = http_request_body(request),
        .content_type = http_request_header_once(request, "Content-Type"),
        .signature = http_request_header_once(request, "X-Slack-Signature"),
        .timestamp = http_request_header_once(request, "X-Slack-Request-Timestamp"),
        .retry_num = http_request_header_once(request, "X-Slack-Retry-Num"),
        .retry_reason = http_request_header_once(request, "X-Slack-Retry-Reason"),
    };

    if (app->serving == APP_RESTING) {
        const char *why = "";

        (void)app_ready(app, &why); /* it is not */
        http_problem(request,
                     &(struct http_problem){.status = 503, .detail = why, .retry_after_s = 1});
        return;
    }
    if (app->inbound == NULL || config_signing_secret(app->config).size == 0) {
        http_problem(request, &(struct http_problem){
                                  .status = 404,
                                  .detail = app->inbound == NULL
                                                ? "Slack is not set up on this host."
                                                : "Slack comes over Socket Mode on this host."});
        return;
    }
    slack_inbound_handle(app->inbound, &delivery, on_reply, request);
}

static void interactions(void *arg, struct http_request *request)
{
    deliver(arg, request, SLACK_PATH_INTERACTIONS);
}

static void commands(void *arg, struct http_request *request)
{
    deliver(arg, request, SLACK_PATH_COMMANDS);
}

static void events(void *arg, struct http_request *request)
{
    deliver(arg, request, SLACK_PATH_EVENTS);
}

static const struct http_route routes[] = {
    {HTTP_POST, "/slack/interactions", HTTP_ON_SERVICE, SLACK_BODY_SIZE_MAX, NULL, interactions},
    {HTTP_POST, "/slack/commands", HTTP_ON_SERVICE, SLACK_BODY_SIZE_MAX, NULL, commands},
    {HTTP_POST, "/slack/events", HTTP_ON_SERVICE, SLACK_BODY_SIZE_MAX, NULL, events},
    {.pattern = NULL},
};

/* "": the environment's (NULL for fetch), "none": none (""). */
static const char *proxy_of(const char *text)
{
    if (text[0] == '\0') {
        return NULL;
    }
    return strcmp(text, "none") == 0 ? "" : text;
}

static const char *or_null(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

static enum err_code new_client(struct app *app, struct err *err)
{
    const struct config *config = app->config;
    struct fetch_options fetch = {
        .ca_file = or_null(config_text(config, "slack", "ca_file")),
        .proxy_url = proxy_of(config_text(config, "slack", "proxy")),
        .no_proxy = or_null(config_text(config, "slack", "no_proxy")),
        .drop_unsent = true, /* a post that another host has made anew must not come as well */
    };
    struct webapi_options webapi = {
        .base = app->base,
        .metrics = app->metrics,
        .base_url = config_text(config, "slack", "api_url"),
        .token = config_bot_token(config),
    };
    enum err_code rc = fetch_new(app->base, &fetch, &app->slack_fetch, err);

    if (rc == ERR_OK) {
        webapi.fetch = app->slack_fetch;
        rc = webapi_new(&webapi, &app->webapi, err);
    }
    return rc;
}

static enum err_code new_inbound(struct app *app, struct err *err)
{
    struct directory_options directory = {
        .base = app->base,
        .webapi = app->webapi,
        .service = app->service,
        .metrics = app->metrics,
        .team = span_text(config_text(app->config, "slack", "team_id")),
    };
    struct slack_inbound_options inbound = {
        .base = app->base,
        .service = app->service,
        .webapi = app->webapi,
        .metrics = app->metrics,
        .signing_secret = config_signing_secret(app->config),
        .previous_secret = config_previous_secret(app->config),
    };
    struct home_options home = {
        .base = app->base, .service = app->service, .webapi = app->webapi, .metrics = app->metrics};
    enum err_code rc = directory_new(&directory, &app->directory, err);

    if (rc == ERR_OK) {
        rc = confirm_new(app->base, app->directory, &app->confirm, err);
    }
    if (rc == ERR_OK) {
        home.directory = app->directory;
        rc = home_new(&home, &app->home, err);
    }
    if (rc == ERR_OK) {
        inbound.home = app->home;
        inbound.directory = app->directory;
        rc = slack_inbound_new(&inbound, &app->inbound, err);
    }
    return rc;
}

static enum err_code new_socketmode(struct app *app, struct err *err)
{
    struct socketmode_options socketmode = {
        .base = app->base,
        .fetch = app->slack_fetch,
        .inbound = app->inbound,
        .metrics = app->metrics,
        .api_url = config_text(app->config, "slack", "api_url"),
        .app_token = config_app_token(app->config),
    };

    return socketmode.app_token.size == 0 ? ERR_OK
                                          : socketmode_new(&socketmode, &app->socketmode, err);
}

static size_t destinations_of(const struct config *config,
                              struct webhook_destination destinations[CONFIG_WEBHOOK_COUNT_MAX])
{
    const struct config_webhook *webhooks = NULL;
    size_t count = config_webhooks(config, &webhooks);

    for (size_t i = 0; i < count; i++) {
        destinations[i] = (struct webhook_destination){.name = webhooks[i].name,
                                                       .url = webhooks[i].url,
                                                       .secret = webhooks[i].secret,
                                                       .allow_inward = webhooks[i].allow_inward};
    }
    return count;
}

static enum err_code new_webhook(struct app *app, struct err *err)
{
    struct webhook_destination destinations[CONFIG_WEBHOOK_COUNT_MAX];
    struct fetch_options fetch = {.ca_file = NULL};
    struct webhook_options webhook = {
        .metrics = app->metrics,
        .destinations = destinations,
        .destination_count = destinations_of(app->config, destinations),
    };
    enum err_code rc = fetch_new(app->base, &fetch, &app->webhook_fetch, err);

    if (rc == ERR_OK) {
        webhook.fetch = app->webhook_fetch;
        rc = webhook_new(&webhook, &app->webhook, err);
    }
    return rc;
}

static void compared(void *arg)
{
    sender_compared(arg);
}

static enum err_code new_cardsweep(struct app *app, struct err *err)
{
    struct cardsweep_options cardsweep = {
        .base = app->base,
        .service = app->service,
        .webapi = app->webapi,
        .metrics = app->metrics,
        .compared = compared,
        .arg = app->sender,
    };

    return cardsweep_new(&cardsweep, &app->cardsweep, err);
}

static void resolve(void *arg, struct policy *policy)
{
    directory_resolve(arg, policy);
}

enum err_code app_slack_new(struct app *app, struct err *err)
{
    struct sender_options sender = {
        .base = app->base,
        .service = app->service,
        .webhook = webhook_start,
        .metrics = app->metrics,
    };
    enum err_code rc = new_webhook(app, err);

    if (rc == ERR_OK && config_has_slack(app->config)) {
        rc = new_client(app, err);
        if (rc == ERR_OK) {
            rc = new_inbound(app, err);
        }
        if (rc == ERR_OK) {
            rc = new_socketmode(app, err);
        }
        if (rc != ERR_OK) {
            return err_wrap(err, rc, "slack");
        }
    }
    if (rc == ERR_OK && app->directory != NULL) {
        rc = people_new(app->directory, app->service, app->metrics, &app->people, err);
        sender.people = people_start;
        sender.people_driver = app->people;
    }
    if (rc == ERR_OK) {
        sender.webapi = app->webapi;
        sender.compares = app->webapi != NULL;
        sender.webhook_driver = app->webhook;
        sender.resolve = app->directory == NULL ? NULL : resolve;
        sender.resolve_arg = app->directory;
        rc = sender_new(&sender, &app->sender, err);
    }
    if (rc == ERR_OK && app->webapi != NULL) {
        rc = new_cardsweep(app, err);
    }
    return rc;
}

enum err_code app_slack_trial(const struct app *app, struct config *config, struct err *err)
{
    struct app trial = {.base = app->base, .metrics = app->metrics, .config = config};
    enum err_code rc = new_webhook(&trial, err);

    if (rc == ERR_OK && config_has_slack(config)) {
        rc = new_client(&trial, err);
        rc = rc == ERR_OK ? new_socketmode(&trial, err) : rc;
        rc = rc == ERR_OK ? rc : err_wrap(err, rc, "slack");
    }
    app_slack_drop(&trial);
    app_slack_free(&trial);
    return rc;
}

enum err_code app_slack_attach(struct app *app, struct err *err)
{
    return http_server_add(app->server, routes, app, err);
}

void app_slack_start(struct app *app)
{
    if (app->directory != NULL) {
        directory_start(app->directory);
        slack_inbound_start(app->inbound);
        home_start(app->home);
    } else {
        log_fields(LOG_LEVEL_WARNING, "app", "slack_unused",
                   LOG_TEXT("reason", "slack.bot_token_file is not set"));
    }
    sender_start(app->sender);
    if (app->cardsweep != NULL) {
        cardsweep_start(app->cardsweep);
    }
    if (app->socketmode != NULL) {
        socketmode_start(app->socketmode);
    }
}

void app_slack_hand_over(struct app *app)
{
    if (app->socketmode != NULL) {
        socketmode_stop(app->socketmode);
    }
    sender_stop(app->sender);
    if (app->cardsweep != NULL) {
        cardsweep_stop(app->cardsweep);
    }
    home_stop(app->home);
    if (app->webapi != NULL) {
        webapi_stop(app->webapi);
    }
    webhook_stop(app->webhook);
}

void app_slack_go_on(struct app *app)
{
    if (app->webapi != NULL) {
        webapi_go_on(app->webapi);
        home_start(app->home);
    }
    webhook_go_on(app->webhook);
    sender_start(app->sender);
    if (app->cardsweep != NULL) {
        cardsweep_start(app->cardsweep);
    }
    if (app->socketmode != NULL) {
        socketmode_start(app->socketmode);
    }
}

bool app_slack_is_idle(const struct app *app)
{
    return sender_is_idle(app->sender) &&
           (app->cardsweep == NULL || cardsweep_is_idle(app->cardsweep)) &&
           (app->home == NULL || home_is_idle(app->home)) &&
           (app->socketmode == NULL || socketmode_is_idle(app->socketmode));
}

uint64_t app_slack_turns(const struct app *app)
{
    return app->turns;
}

void app_slack_drop(struct app *app)
{
    socketmode_free(app->socketmode);
    app->socketmode = NULL;
    home_stop(app->home); /* it would call the next one */
    webapi_free(app->webapi);
    app->webapi = NULL;
    webhook_free(app->webhook);
    app->webhook = NULL;
}

void app_slack_free(struct app *app)
{
    cardsweep_free(app->cardsweep);
    app->cardsweep = NULL;
    people_free(app->people);
    app->people = NULL;
    sender_free(app->sender);
    app->sender = NULL;
    slack_inbound_free(app->inbound);
    app->inbound = NULL;
    home_free(app->home);
    app->home = NULL;
    confirm_free(app->confirm);
    app->confirm = NULL;
    directory_free(app->directory);
    app->directory = NULL;
    fetch_free(app->slack_fetch);
    app->slack_fetch = NULL;
    fetch_free(app->webhook_fetch);
    app->webhook_fetch = NULL;
}

enum err_code app_slack_check(struct app *app, struct config *config, struct err *err)
{
    struct webhook_destination destinations[CONFIG_WEBHOOK_COUNT_MAX];
    struct webhook_options options = {
        .fetch = app->webhook_fetch,
        .metrics = app->metrics,
        .destinations = destinations,
        .destination_count = destinations_of(config, destinations),
    };
    struct webhook *trial = NULL;
    enum err_code rc;

    if (app->serving == APP_RESTING) {
        return app_slack_trial(app, config, err); /* it takes effect when this host serves */
    }
    rc = webhook_new(&options, &trial, err);

    if (rc == ERR_OK) {
        webhook_free(trial);
    }
    return rc;
}

enum err_code app_slack_apply(struct app *app, const struct config *config, struct err *err)
{
    struct webhook_destination destinations[CONFIG_WEBHOOK_COUNT_MAX];
    size_t count = destinations_of(config, destinations);
    enum err_code rc = ERR_OK;

    if (app->serving == APP_RESTING) {
        return ERR_OK; /* see above */
    }
    if (app->inbound != NULL && config_has_slack(config)) {
        rc = slack_inbound_set_secrets(app->inbound, config_signing_secret(config),
                                       config_previous_secret(config), err);
        if (rc == ERR_OK) {
            rc = webapi_set_token(app->webapi, config_bot_token(config), err);
        }
        if (rc == ERR_OK && app->socketmode != NULL && config_app_token(config).size > 0) {
            rc = socketmode_set_token(app->socketmode, config_app_token(config), err);
        }
    }
    return rc == ERR_OK ? webhook_set_destinations(app->webhook, destinations, count, err) : rc;
}

void app_facts(void *arg, struct span user, struct facts *ret_facts)
{
    struct app *app = arg;
    struct webapi_status slack = {.state = WEBAPI_UP};

    if (app->webapi != NULL) {
        webapi_status(app->webapi, &slack);
    }
    if (app->directory != NULL && slack.state == WEBAPI_DOWN) {
        directory_facts_in_outage(app->directory, user, ret_facts); /* never one way in */
    } else if (app->directory != NULL) {
        directory_facts(app->directory, user, SPAN_NONE, ret_facts);
    } else {
        /* Without Slack nobody but root knows people, and he vouched for this one when he bound a
         * token to him. Groups stay unknown. */
        *ret_facts = (struct facts){.user_known = true};
    }
}

void app_certain(void *arg, struct span user, uint64_t since_ms, struct facts *ret_facts)
{
    struct app *app = arg;

    if (app->directory != NULL) {
        directory_facts_since(app->directory, user, since_ms, ret_facts);
    } else {
        app_facts(app, user, ret_facts);
    }
}

enum err_code app_confirm(void *arg,
                          const struct service_question *question,
                          void (*done)(void *done_arg),
                          void *done_arg,
                          struct err *err)
{
    struct app *app = arg;

    if (app->confirm == NULL) {
        return err_set(err, ERR_UNAVAILABLE, "approvald is not set up for Slack");
    }
    return confirm_ask(app->confirm, question, done, done_arg, err);
}

static enum directory_kind kind_of(struct span name)
{
    if (email_is_meant(name)) {
        return DIRECTORY_EMAIL;
    }
    return slack_user_is_valid(name) ? DIRECTORY_USER : DIRECTORY_GROUP;
}

/* NOLINTNEXTLINE(readability-function-size): done, its argument and err are three of them */
enum err_code app_learn(void *arg,
                        struct span user,
                        const struct span *names,
                        uint32_t count,
                        void (*done)(void *done_arg),
                        void *done_arg,
                        struct err *err)
{
    struct app *app = arg;
    struct directory_need needs[DIRECTORY_NEED_COUNT_MAX];
    struct span others[CORE_STAND_IN_COUNT_MAX];
    uint32_t other_count = 0;
    size_t need_count = 0;

    if (app->directory == NULL) {
        return err_set(err, ERR_UNAVAILABLE, "approvald is not set up for Slack");
    }
    if (user.size > 0) {
        needs[need_count++] = (struct directory_need){.kind = DIRECTORY_USER, .id = user};
        other_count = service_stands_in_for(app->service, user, others);
    }
    for (uint32_t i = 0; i < other_count; i++) { /* those for whom he stands in */
        needs[need_count++] = (struct directory_need){.kind = DIRECTORY_USER, .id = others[i]};
    }
    for (uint32_t i = 0; i < count && need_count < DIRECTORY_NEED_COUNT_MAX; i++) {
        needs[need_count++] = (struct directory_need){.kind = kind_of(names[i]), .id = names[i]};
    }
    return directory_fetch(app->directory, needs, need_count, done, done_arg, err);
}

bool app_group_size(void *arg, struct span group, uint32_t *ret_count)
{
    const struct app *app = arg;

    return app->directory != NULL && directory_group_size(app->directory, group, ret_count);
}

struct span app_group_error(void *arg, struct span group)
{
    const struct app *app = arg;

    return app->directory == NULL ? SPAN_NONE : directory_group_error(app->directory, group);
}

bool app_email(void *arg, struct span email, struct span *ret_user, struct span *ret_error)
{
    const struct app *app = arg;

    *ret_user = SPAN_NONE;
    *ret_error = SPAN_NONE;
    return app->directory != NULL && directory_email(app->directory, email, ret_user, ret_error);
}
