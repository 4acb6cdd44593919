/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_slack.c: slack manifest, slack check.
 * Owns nothing; never speaks with Slack itself: approvald does, and says what it saw. */
#include "approvald/core/limits.h"
#include "approvald/ctl/command.h"
#include "approvald/ctl/manifest.h"
#include "approvald/ctl/ways.h"
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

/* One look at what approvald says of Slack. Text and JSON are judged by the same steps. */
struct look {
    const struct json *slack;
    bool quiet; /* the JSON has been printed: only the judgement counts */
    bool ok;
};

/* "ok    signed in to team T…" */
static enum err_code
line(const struct look *look, const char *mark, const char *what, const char *path, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    enum err_code rc;

    if (look->quiet) {
        return ERR_OK;
    }
    rc = buf_new(CTL_BODY_SIZE_MAX, &text, err);
    if (rc == ERR_OK) {
        rc = buf_append_format(text, err, "%-5s %s", mark, what);
    }
    if (rc == ERR_OK && path != NULL) {
        rc = ctl_cell(text, look->slack, path, err);
    }
    return rc == ERR_OK ? ctl_print_line("", buf_span(text), err) : rc;
}

/* Slack has said who we are, and is up; that one call fails is no more than a warning. */
static bool is_signed_in(const struct json *slack)
{
    return span_is(json_text(slack, "state"), "up") && json_text(slack, "team").size > 0;
}

static enum err_code check_sign_in(struct look *look, struct err *err)
{
    struct span state = json_text(look->slack, "state");
    enum err_code rc;

    look->ok = is_signed_in(look->slack);
    if (span_is(state, "refused")) {
        return line(look, "FAIL", "Slack refuses the bot token: ", "error", err);
    }
    if (!look->ok && json_text(look->slack, "error").size > 0) {
        return line(look, "FAIL", "Slack cannot be reached: ", "error", err);
    }
    if (!look->ok) {
        return line(look, "FAIL", "Slack has not answered yet; try again in a moment", NULL, err);
    }
    rc = line(look, "ok", "signed in to team ", "team", err);
    if (rc == ERR_OK) {
        rc = line(look, "ok", "as bot ", "bot_user", err);
    }
    if (rc == ERR_OK && json_text(look->slack, "error").size > 0) {
        rc = line(look, "warn", "the last call failed: ", "error", err);
    }
    return rc;
}

static enum err_code check_rest(struct look *look, struct err *err)
{
    int64_t skew_s = 0;
    enum err_code rc = ERR_OK;

    if (json_text(look->slack, "missing_scope").size > 0) {
        look->ok = false;
        rc = line(look, "FAIL", "add this scope and install the app again: ", "missing_scope", err);
    }
    if (rc == ERR_OK && json_bool(look->slack, "team_mismatch", false)) {
        look->ok = false;
        rc = line(look, "FAIL", "the token is of another team than team_id says", NULL, err);
    }
    if (rc == ERR_OK && json_i64(look->slack, "skew_s", &skew_s)) {
        bool off = skew_s >= CORE_SLACK_SKEW_WARN_S || skew_s <= -CORE_SLACK_SKEW_WARN_S;

        look->ok = look->ok && !off;
        rc = line(look, off ? "FAIL" : "ok", "seconds between this clock and Slack's: ", "skew_s",
                  err);
    }
    return rc;
}

typedef enum err_code add_way_fn(const struct json *slack, struct buf *line, struct err *err);

static enum err_code
way(const struct look *look, const char *mark, const char *what, add_way_fn *add, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    enum err_code rc;

    if (look->quiet) {
        return ERR_OK;
    }
    rc = buf_new(CTL_BODY_SIZE_MAX, &text, err);
    if (rc == ERR_OK) {
        rc = buf_append_format(text, err, "%-5s %s", mark, what);
    }
    if (rc == ERR_OK) {
        rc = add(look->slack, text, err);
    }
    return rc == ERR_OK ? ctl_print_line("", buf_span(text), err) : rc;
}

static enum err_code check_http(const struct look *look, struct err *err)
{
    return ways_has_http(look->slack) ? way(look, "ok", "HTTP: ", ways_add_http, err) : ERR_OK;
}

/* Socket Mode: is a socket open, and is nobody else's? */
static enum err_code check_socket(struct look *look, struct err *err)
{
    uint64_t strangers = 0;
    enum err_code rc;

    if (!ways_has_socket(look->slack)) {
        return ERR_OK; /* Slack calls this host */
    }
    if (!ways_socket_is_well(look->slack)) {
        look->ok = false;
        rc = line(look, "FAIL", "no socket is open: ", "socket.state", err);
        return rc == ERR_OK
                   ? line(look, "FAIL", "the last failure of one: ", "socket.last_error", err)
                   : rc;
    }
    rc = way(look, "ok", "sockets of Socket Mode: ", ways_add_socket, err);
    if (rc == ERR_OK && json_u64(look->slack, "socket.strangers", &strangers) && strangers > 0) {
        look->ok = false;
        rc =
            line(look, "FAIL",
                 "sockets of another program, which takes presses away: ", "socket.strangers", err);
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
static enum err_code check_names(struct look *look, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (const struct json *at = json_first(json_get(look->slack, "names"));
         rc == ERR_OK && at != NULL; at = json_next(at)) {
        AUTO_BUF struct buf *text = NULL;
        bool works = json_bool(at, "works", false);
        struct span word = json_text(at, "word");
        struct span scope = json_text(at, "scope");

        look->ok = look->ok && works;
        if (look->quiet) {
            continue;
        }
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
    struct look look = {.quiet = ctl->json};
    struct err err = ERR_INIT;
    int code = ctl_get(ctl, "/v1/status", &reply);

    if (code != CTL_OK) {
        return code;
    }
    look.slack = json_get(reply->json, "slack");
    if (json_text(look.slack, "state").size == 0 ||
        span_is(json_text(look.slack, "state"), "unused")) {
        (void)err_set(&err, ERR_NOT_FOUND,
                      "approvald is not set up for Slack: docs/slack-setup.md");
        return ctl_fail(ctl, CTL_INTERNAL, &err);
    }
    if (ctl->json) {
        ctl_print_json(reply->body);
    }
    if (check_sign_in(&look, &err) != ERR_OK || check_rest(&look, &err) != ERR_OK ||
        check_names(&look, &err) != ERR_OK || check_http(&look, &err) != ERR_OK ||
        check_socket(&look, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    return look.ok ? CTL_OK : CTL_INTERNAL;
}
