/* SPDX-License-Identifier: Apache-2.0 */
/* slack_secret.c: the shapes of Slack's secrets.
 * Owns the table of them. Never puts a secret's bytes into a message. */
#include "approvald/ctl/slack_secret.h"

#include "base/assert.h"

#include <string.h>

static const struct {
    const char *name;
    const char *hint;
    const char *option;
    const char *file;
} table[SLACK_SECRET_COUNT] = {
    [SLACK_BOT_TOKEN] = {"bot token", "OAuth & Permissions, Bot User OAuth Token, xoxb-…",
                         "bot_token_file", "slack-bot-token"},
    [SLACK_APP_TOKEN] = {"app-level token",
                         "Basic Information, App-Level Tokens, with connections:write, xapp-…",
                         "app_token_file", "slack-app-token"},
    [SLACK_SIGNING_SECRET] = {"signing secret", "Basic Information, Signing Secret",
                              "signing_secret_file", "slack-signing-secret"},
};

#define SIGNING_SIZE   32
#define TOKEN_SIZE_MIN 20 /* of the shortest that were ever given out: twice that */

static bool begins(struct span text, const char *start)
{
    return text.size >= strlen(start) && memcmp(text.data, start, strlen(start)) == 0;
}

static bool only(struct span text, const char *allowed)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '\0' || strchr(allowed, text.data[i]) == NULL) {
            return false;
        }
    }
    return true;
}

/* What people take for one of ours. */
static const char *mistake(struct span text)
{
    static const struct {
        const char *start;
        const char *what;
    } others[] = {
        {"xoxp-", "this is a user's token; the bot's begins with xoxb-"},
        {"xoxe", "this app rotates its tokens, which approvald does not follow: make the app from "
                 "its manifest, where rotation is off"},
        {"xoxa-", "this is a token of an old kind; the bot's begins with xoxb-"},
        {"xoxc-", "this is a token of a browser's session; the bot's begins with xoxb-"},
        {"apv_", "this is a token of approvald's own API, not of Slack"},
    };

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (begins(text, others[i].start)) {
            return others[i].what;
        }
    }
    return "this is none of Slack's secrets: a bot token begins with xoxb-, an app-level token "
           "with xapp-, a signing secret has 32 hexadecimal digits";
}

enum err_code slack_secret_kind(struct span text, enum slack_secret *ret_kind, struct err *err)
{
    static const char hex[] = "0123456789abcdef";
    static const char token[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-";
    bool bot = begins(text, "xoxb-");

    if (text.size == SIGNING_SIZE && only(text, hex)) {
        *ret_kind = SLACK_SIGNING_SECRET;
        return ERR_OK;
    }
    if (!bot && !begins(text, "xapp-")) {
        return err_set(err, ERR_INVALID, "%s", mistake(text));
    }
    if (text.size < TOKEN_SIZE_MIN || text.size >= SLACK_SECRET_SIZE || !only(text, token)) {
        return err_set(err, ERR_INVALID,
                       "this %s is cut, or has something before or behind it: copy it again",
                       bot ? "bot token" : "app-level token");
    }
    *ret_kind = bot ? SLACK_BOT_TOKEN : SLACK_APP_TOKEN;
    return ERR_OK;
}

const char *slack_secret_name(enum slack_secret kind)
{
    ASSERT(kind < SLACK_SECRET_COUNT);
    return table[kind].name;
}

const char *slack_secret_hint(enum slack_secret kind)
{
    ASSERT(kind < SLACK_SECRET_COUNT);
    return table[kind].hint;
}

const char *slack_secret_option(enum slack_secret kind)
{
    ASSERT(kind < SLACK_SECRET_COUNT);
    return table[kind].option;
}

const char *slack_secret_file(enum slack_secret kind)
{
    ASSERT(kind < SLACK_SECRET_COUNT);
    return table[kind].file;
}
