/* SPDX-License-Identifier: Apache-2.0 */
/* socketmode_ticket.c: apps.connections.open.
 * Owns the call and the sorting of its answers.
 * Never repeats a call by itself, never keeps or logs the URL beyond the slot that will use it. */
#include "approvald/slack/socket/socketmode_internal.h"
#include "approvald/slack/wire/answer.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/metrics.h"

#include <stdio.h>
#include <string.h>

#define MODULE "slack_socket"
#define METHOD "apps.connections.open"

/* What only a person can mend. */
static const char *const fatal_words[] = {
    "invalid_auth",       "not_authed",
    "account_inactive",   "token_revoked",
    "token_expired",      "forbidden_team",
    "missing_scope",      "no_permission",
    "team_disabled",      "user_removed_from_team",
    "missing_args",       "access_denied",
    "org_login_required", "not_allowed_token_type",
    "invalid_app_id",     "team_access_not_granted",
};
static const char *const disabled_words[] = {"socket_mode_not_enabled", "link_disabled"};

static bool is_one_of(struct span word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (span_is(word, words[i])) {
            return true;
        }
    }
    return false;
}

static void refuse(struct socket_slot *slot, enum socketlife_refusal refusal, struct span error)
{
    slot->news.answered = true;
    slot->news.refused = true;
    slot->news.refusal = refusal;
    socketmode_set_error(slot->mode, error);
    if (refusal == SOCKETLIFE_FATAL) { /* a socket that ends afterwards has another word */
        memcpy(slot->mode->refusal, slot->mode->error, sizeof slot->mode->refusal);
    }
    log_fields(LOG_LEVEL_WARNING, MODULE, "not_opened", LOG_SPAN("error", error));
    socketmode_wake(slot->mode);
}

static enum socketlife_refusal refusal_of(struct span error)
{
    if (is_one_of(error, fatal_words, sizeof fatal_words / sizeof fatal_words[0])) {
        return SOCKETLIFE_FATAL;
    }
    if (is_one_of(error, disabled_words, sizeof disabled_words / sizeof disabled_words[0])) {
        return SOCKETLIFE_DISABLED;
    }
    return span_is(error, "ratelimited") ? SOCKETLIFE_LIMITED : SOCKETLIFE_FAILED;
}

/* Nobody makes us leave TLS: with an https API only wss is taken. */
static bool is_good_url(const struct socketmode *mode, struct span url)
{
    bool secure = url.size > 6 && memcmp(url.data, "wss://", 6) == 0;
    bool plain = url.size > 5 && memcmp(url.data, "ws://", 5) == 0;

    return url.size <= SOCKET_URL_SIZE_MAX &&
           (secure || (plain && strncmp(mode->api_url, "https:", 6) != 0));
}

static void read_answer(struct socket_slot *slot, const struct json *json)
{
    struct span url = json_text(json, "url");
    struct span error = json_text(json, "error");

    if (!json_bool(json, "ok", false)) {
        refuse(slot, refusal_of(error), error.size > 0 ? error : SPAN_LITERAL("no_error_named"));
    } else if (!is_good_url(slot->mode, url)) {
        refuse(slot, SOCKETLIFE_FAILED, SPAN_LITERAL("bad_socket_url"));
    } else {
        memcpy(slot->url, url.data, url.size);
        slot->url[url.size] = '\0';
        slot->news.answered = true;
        socketmode_wake(slot->mode);
    }
}

static void on_answer(void *arg, const struct fetch_response *response)
{
    struct socket_slot *slot = arg;
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    char word[32];

    slot->asking = NULL;
    if (response->outcome != FETCH_ANSWERED) {
        refuse(slot, response->outcome == FETCH_NOT_SENT ? SOCKETLIFE_UNREACHED : SOCKETLIFE_FAILED,
               span_text(response->err->message));
    } else if (response->status == 429) {
        slot->news.retry_after_ms =
            answer_retry_after_ms(response->retry_after, clock_wall_ms(slot->mode->clock) / 1000);
        refuse(slot, SOCKETLIFE_LIMITED, SPAN_LITERAL("ratelimited"));
    } else if (response->status != 200) {
        (void)snprintf(word, sizeof word, "http_%u", response->status); /* fits */
        refuse(slot, SOCKETLIFE_FAILED, span_text(word));
    } else if (json_parse(response->body, SLACK_CALL_SIZE_MAX, &json, &err) != ERR_OK) {
        refuse(slot, SOCKETLIFE_FAILED, SPAN_LITERAL("not_json"));
    } else {
        read_answer(slot, json);
    }
}

void socketmode_ask(struct socket_slot *slot)
{
    static const char *const headers[] = {"Content-Type: application/x-www-form-urlencoded", NULL};
    struct socketmode *mode = slot->mode;
    char url[SLACK_URL_SIZE_MAX + sizeof METHOD];
    struct fetch_request request = {.method = "POST",
                                    .url = url,
                                    .headers = headers,
                                    .bearer = mode->token,
                                    .timeout_ms = SLACK_CALL_TIMEOUT_MS,
                                    .response_size_max = SLACK_CALL_SIZE_MAX};
    struct err err = ERR_INIT;

    metric_add(mode->opens, 1);
    (void)snprintf(url, sizeof url, "%s" METHOD, mode->api_url); /* fits */
    if (fetch_start(mode->fetch, &request, on_answer, slot, &slot->asking, &err) != ERR_OK) {
        refuse(slot, SOCKETLIFE_UNREACHED, span_text(err.message));
    }
}
