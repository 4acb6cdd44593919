/* SPDX-License-Identifier: Apache-2.0 */
/* slack_ask.c: auth.test and apps.connections.open, once each.
 * Owns the words for what Slack answers. Never keeps a token, never tries again: a person waits,
 * and does so himself. */
#include "config.h"

#include "approvald/ctl/slack_ask.h"

#include "base/fetch.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define ANSWER_SIZE_MAX ((size_t)64 << 10) /* bytes: Slack's have some hundred */
#define TIMEOUT_MS      15000U             /* a person waits; a proxy may take its time */
#define URL_SIZE        1024

/* What has been answered, until it is freed. */
struct answer {
    struct json *json; /* owned, or NULL */
    struct slack_bot *bot;
    struct err *err;
    enum err_code rc;
};

static void copy(struct span text, char *ret_copy, size_t size)
{
    size_t used = text.size < size ? text.size : size - 1;

    if (used > 0) {
        memcpy(ret_copy, text.data, used);
    }
    ret_copy[used] = '\0';
}

static const char *advice_of(struct span word)
{
    static const struct {
        const char *word;
        const char *advice;
    } table[] = {
        {"invalid_auth", "the token is wrong, or of another Slack (api_url)"},
        {"token_revoked", "the token was revoked: install the app again and copy the new one"},
        {"account_inactive", "the app was removed from the workspace: install it again"},
        {"token_expired", "the app rotates its tokens: switch that off in its settings"},
        {"not_allowed_token_type", "it is a token of another kind"},
        {"missing_scope", "the app-level token lacks connections:write: make another one"},
        {"socket_mode_not_enabled", "Socket Mode is off in the app's settings: switch it on"},
        {"ratelimited", "asked too often: again in a minute"},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (span_is(word, table[i].word)) {
            return table[i].advice;
        }
    }
    return "look the word up in Slack's documentation";
}

static enum err_code refuse(struct span word, struct err *err)
{
    char text[SLACK_WORD_SIZE];

    copy(word, text, sizeof text);
    return err_set(err, ERR_DENIED, "Slack says %s: %s", text, advice_of(span_text(text)));
}

static void on_answer(void *arg, const struct fetch_response *response)
{
    struct answer *answer = arg;
    struct err ignored = ERR_INIT;

    if (response->outcome != FETCH_ANSWERED) {
        answer->rc = err_set(answer->err, ERR_UNAVAILABLE, "Slack was not reached: %s",
                             response->err->message);
        return;
    }
    if (json_parse(response->body, ANSWER_SIZE_MAX, &answer->json, &ignored) != ERR_OK) {
        answer->rc = err_set(answer->err, ERR_UNAVAILABLE,
                             "what answered for Slack is not Slack (HTTP %u): a proxy's page?",
                             (unsigned)response->status);
        return;
    }
    if (!json_bool(answer->json, "ok", false)) {
        answer->rc = refuse(json_text(answer->json, "error"), answer->err);
        return;
    }
    if (answer->bot != NULL) {
        copy(json_text(answer->json, "team_id"), answer->bot->team_id, SLACK_WORD_SIZE);
        copy(json_text(answer->json, "enterprise_id"), answer->bot->enterprise_id, SLACK_WORD_SIZE);
        copy(json_text(answer->json, "team"), answer->bot->team, SLACK_WORD_SIZE);
        copy(json_text(answer->json, "user"), answer->bot->user, SLACK_WORD_SIZE);
        copy(response->wanted, answer->bot->scopes, SLACK_SCOPES_SIZE);
    }
}

static const char *given(const char *text)
{
    return text[0] == '\0' ? NULL : text;
}

static const char *proxy_of(const struct slack_way *way)
{
    return strcmp(way->proxy, "none") == 0 ? "" : given(way->proxy);
}

static enum err_code ask(const struct slack_way *way,
                         const char *method,
                         const char *token,
                         struct slack_bot *bot,
                         struct err *err)
{
    const struct fetch_options options = {.ca_file = given(way->ca_file),
                                          .proxy_url = proxy_of(way),
                                          .no_proxy = given(way->no_proxy),
                                          .user_agent = "approvalctl/" PACKAGE_VERSION};
    struct answer answer = {.bot = bot, .err = err, .rc = ERR_OK};
    char url[URL_SIZE];
    struct fetch_request request = {.method = "POST",
                                    .url = url,
                                    .bearer = token,
                                    .timeout_ms = TIMEOUT_MS,
                                    .response_size_max = ANSWER_SIZE_MAX,
                                    .wanted_header = "X-OAuth-Scopes"};
    struct fetch *fetch = NULL;
    int size = snprintf(url, sizeof url, "%s%s", way->api_url, method);
    enum err_code rc;

    if (size < 0 || size >= (int)sizeof url) {
        return err_set(err, ERR_INVALID, "slack.api_url: too long");
    }
    rc = fetch_new(NULL, &options, &fetch, err);
    if (rc == ERR_OK) {
        rc = fetch_perform(fetch, &request, on_answer, &answer, err);
    }
    fetch_free(fetch);
    json_free(answer.json);
    rc = rc == ERR_OK ? answer.rc : rc;
    return rc == ERR_OK ? ERR_OK : err_wrap(err, rc, "%s", method);
}

enum err_code slack_ask_bot(const struct slack_way *way,
                            const char *token,
                            struct slack_bot *ret_bot,
                            struct err *err)
{
    *ret_bot = (struct slack_bot){.team_id = ""};
    return ask(way, "auth.test", token, ret_bot, err);
}

enum err_code slack_ask_app(const struct slack_way *way, const char *token, struct err *err)
{
    return ask(way, "apps.connections.open", token, NULL, err);
}
