/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_slack.c: slack manifest, slack check.
 * Owns nothing; never speaks with Slack itself: approvald does, and says what it saw. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/manifest.h"
#include "base/buf.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

int cmd_slack_manifest(struct ctl *ctl)
{
    const char *name = options_text(&ctl->options, OPTION_NAME);
    const char *command = options_text(&ctl->options, OPTION_COMMAND);
    struct manifest manifest = {
        .name = name == NULL ? "approvald" : name,
        .command = command == NULL ? "/approval" : command,
        .public_url = options_text(&ctl->options, OPTION_PUBLIC_URL),
    };
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &text, &err);

    if ((manifest.public_url == NULL) != options_has(&ctl->options, OPTION_SOCKET_MODE)) {
        return ctl_usage(ctl, "give --public-url https://HOST (how Slack reaches approvald), or "
                              "--socket-mode (approvald reaches Slack)");
    }
    if (rc == ERR_OK) {
        rc = manifest_print(&manifest, text, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    (void)fwrite(buf_text(text), 1, buf_size(text), stdout); /* main looks at ferror */
    return CTL_OK;
}

/* "ok    signed in to team T…" */
static enum err_code line(
    const char *mark, const char *what, const struct json *slack, const char *path, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &text, err);

    if (rc == ERR_OK) {
        rc = buf_append_format(text, err, "%-5s %s", mark, what);
    }
    if (rc == ERR_OK && path != NULL) {
        rc = ctl_cell(text, slack, path, err);
    }
    return rc == ERR_OK ? ctl_print_line("", buf_span(text), err) : rc;
}

/* Slack has said who we are, and is up; that one call fails is no more than a warning. */
static bool is_signed_in(const struct json *slack)
{
    return span_is(json_text(slack, "state"), "up") && json_text(slack, "team").size > 0;
}

static enum err_code check_sign_in(const struct json *slack, bool *ret_ok, struct err *err)
{
    struct span state = json_text(slack, "state");
    enum err_code rc;

    *ret_ok = is_signed_in(slack);
    if (span_is(state, "refused")) {
        return line("FAIL", "Slack refuses the bot token: ", slack, "error", err);
    }
    if (!*ret_ok && json_text(slack, "error").size > 0) {
        return line("FAIL", "Slack cannot be reached: ", slack, "error", err);
    }
    if (!*ret_ok) {
        return line("FAIL", "Slack has not answered yet; try again in a moment", slack, NULL, err);
    }
    rc = line("ok", "signed in to team ", slack, "team", err);
    if (rc == ERR_OK) {
        rc = line("ok", "as bot ", slack, "bot_user", err);
    }
    if (rc == ERR_OK && json_text(slack, "error").size > 0) {
        rc = line("warn", "the last call failed: ", slack, "error", err);
    }
    return rc;
}

#define SKEW_WARN_S 60 /* Slack's signatures are good for 300 s */

static enum err_code check_rest(const struct json *slack, bool *ret_ok, struct err *err)
{
    int64_t skew_s = 0;
    enum err_code rc = ERR_OK;

    if (json_text(slack, "missing_scope").size > 0) {
        *ret_ok = false;
        rc =
            line("FAIL", "add this scope and install the app again: ", slack, "missing_scope", err);
    }
    if (rc == ERR_OK && json_bool(slack, "team_mismatch", false)) {
        *ret_ok = false;
        rc = line("FAIL", "the token is of another team than team_id says", slack, NULL, err);
    }
    if (rc == ERR_OK && json_i64(slack, "skew_s", &skew_s)) {
        bool off = skew_s > SKEW_WARN_S || skew_s < -SKEW_WARN_S;

        *ret_ok = *ret_ok && !off;
        rc = line(off ? "FAIL" : "ok", "seconds between this clock and Slack's: ", slack, "skew_s",
                  err);
    }
    if (rc == ERR_OK && json_text(slack, "last_event_at").size > 0) {
        rc = line("ok", "Slack called us last at ", slack, "last_event_at", err);
    }
    return rc;
}

/* Socket Mode: is a socket open, and is nobody else's? */
static enum err_code check_socket(const struct json *slack, bool *ret_ok, struct err *err)
{
    struct span state = json_text(slack, "socket.state");
    uint64_t strangers = 0;
    enum err_code rc;

    if (state.size == 0) {
        return ERR_OK; /* Slack calls this host */
    }
    if (!span_is(state, "live")) {
        *ret_ok = false;
        rc = line("FAIL", "no socket is open: ", slack, "socket.state", err);
        return rc == ERR_OK
                   ? line("FAIL", "the last failure of one: ", slack, "socket.last_error", err)
                   : rc;
    }
    rc = line("ok", "sockets of Socket Mode: ", slack, "socket.live", err);
    if (rc == ERR_OK && json_u64(slack, "socket.strangers", &strangers) && strangers > 0) {
        *ret_ok = false;
        rc = line("FAIL", "sockets of another program, which takes presses away: ", slack,
                  "socket.strangers", err);
    }
    return rc;
}

/* What is wrong with a group or channel of a policy, and what to do; a word of Slack's that has no
 * sentence stands for itself. */
static const char *advice_of(struct span word)
{
    static const struct {
        const char *word;
        const char *advice;
    } table[] = {
        {"channel_not_found",
         "Slack shows no such channel to the app; if it is private, invite the app to it"},
        {"not_in_channel", "the app is not in the channel; invite it"},
        {"missing_scope", "add this scope and install the app again"},
        {"users_not_found", "nobody in the workspace has this e-mail address"},
        {"too_many_members", "it has more than 10,000 members; name a user group"},
        {"no_such_subteam", "Slack knows no such user group, or it is disabled"},
        {"is_archived", "the channel is archived; who is in it still counts, and nobody can leave"},
        {"is_public", "the channel is public: everybody may join it, and then decide"},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (span_is(word, table[i].word)) {
            return table[i].advice;
        }
    }
    return "Slack does not tell who that is";
}

/* Groups and channels that policies name. */
static enum err_code check_names(const struct json *slack, bool *ret_ok, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (const struct json *at = json_first(json_get(slack, "names")); rc == ERR_OK && at != NULL;
         at = json_next(at)) {
        AUTO_BUF struct buf *text = NULL;
        bool works = json_bool(at, "works", false);
        struct span word = json_text(at, "word");
        struct span scope = json_text(at, "scope");

        *ret_ok = *ret_ok && works;
        rc = buf_new(CTL_BODY_SIZE_MAX, &text, err);
        if (rc == ERR_OK) {
            rc = buf_append_format(text, err, "%-5s %.*s: %s (%.*s%s%.*s)", works ? "warn" : "FAIL",
                                   SPAN_ARGS(json_text(at, "id")), advice_of(word), SPAN_ARGS(word),
                                   scope.size > 0 ? " " : "", SPAN_ARGS(scope));
        }
        rc = rc == ERR_OK ? ctl_print_line("", buf_span(text), err) : rc;
    }
    return rc;
}

int cmd_slack_check(struct ctl *ctl)
{
    const struct client_reply *reply = NULL;
    const struct json *slack;
    struct err err = ERR_INIT;
    bool ok = false;
    int code = ctl_get(ctl, "/v1/status", &reply);

    if (code != CTL_OK) {
        return code;
    }
    slack = json_get(reply->json, "slack");
    if (json_text(slack, "state").size == 0 || span_is(json_text(slack, "state"), "unused")) {
        (void)err_set(&err, ERR_NOT_FOUND,
                      "approvald is not set up for Slack: docs/slack-setup.md");
        return ctl_fail(ctl, CTL_INTERNAL, &err);
    }
    if (ctl->json) {
        ctl_print_json(reply->body);
        return is_signed_in(slack) ? CTL_OK : CTL_INTERNAL;
    }
    if (check_sign_in(slack, &ok, &err) != ERR_OK || check_rest(slack, &ok, &err) != ERR_OK ||
        check_names(slack, &ok, &err) != ERR_OK || check_socket(slack, &ok, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    return ok ? CTL_OK : CTL_INTERNAL;
}
