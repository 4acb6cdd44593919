/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_slack_setup.c: slack setup: from the manifest to secrets that Slack takes, in their files.
 * Owns the order: shown, given, asked, stored, named. What Slack refuses is never stored, and a cut
 * anywhere leaves a host that may be set up again. Never takes a secret from the command line,
 * never prints one, never reloads the service: the administrator does. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/hidden.h"
#include "approvald/ctl/manifest.h"
#include "approvald/ctl/slack_ask.h"
#include "approvald/ctl/slack_settings.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/mem.h"

#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_SIZE 768 /* of what is said: an error's message and some words */
#define URL_SIZE  (sizeof "https://" + NI_MAXHOST)

struct setup {
    struct slack_settings settings;
    bool socket_mode;
    char url[URL_SIZE]; /* how Slack reaches this host; HTTP only */
    char secrets[SLACK_SECRET_COUNT][SLACK_SECRET_SIZE];
    bool fresh[SLACK_SECRET_COUNT]; /* given now, not stored yet */
    struct slack_bot bot;
    uint32_t missing; /* scopes */
};

/* "ok    …", or with --json {"mark": …, "text": …}. */
static void say(const struct ctl *ctl, const char *mark, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(const struct ctl *ctl, const char *mark, const char *format, ...)
{
    char text[LINE_SIZE];
    char line[LINE_SIZE + 8];
    AUTO_BUF struct buf *out = NULL;
    AUTO_JSON struct json *object = NULL;
    struct err err = ERR_INIT;
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* cut is fine */
    va_end(args);
    if (!ctl->json) {
        (void)snprintf(line, sizeof line, "%-5s %s", mark, text); /* fits */
        err_ignore(ctl_print_line("", span_text(line), &err));
        return;
    }
    object = json_new_object();
    json_add_text(object, "mark", span_text(mark));
    json_add_text(object, "text", span_text(text));
    if (buf_new(CTL_BODY_SIZE_MAX, &out, &err) == ERR_OK &&
        json_print(object, out, &err) == ERR_OK) {
        ctl_print_json(buf_span(out));
    }
}

/* This host by its whole name; how Slack reaches it nobody here can know better. */
static void own_url(char ret_url[URL_SIZE])
{
    const struct addrinfo hints = {.ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM};
    struct addrinfo *info = NULL;
    char name[NI_MAXHOST] = "localhost";

    (void)gethostname(name, sizeof name - 1); /* then it is localhost */
    if (getaddrinfo(name, NULL, &hints, &info) == 0 && info->ai_canonname != NULL) {
        (void)snprintf(name, sizeof name, "%s", info->ai_canonname); /* cut is no name: refused */
    }
    if (info != NULL) {
        freeaddrinfo(info);
    }
    (void)snprintf(ret_url, URL_SIZE, "https://%s", name); /* fits */
}

/* The way in: as given, else as configured, else the one that needs nothing inbound. */
static int choose_way(struct ctl *ctl, struct setup *setup)
{
    const char *url = options_text(&ctl->options, OPTION_PUBLIC_URL);
    bool socket_mode = options_has(&ctl->options, OPTION_SOCKET_MODE);
    const struct slack_settings *s = &setup->settings;

    if (url != NULL && socket_mode) {
        return ctl_usage(ctl, "--public-url is for HTTP: give one of it and --socket-mode");
    }
    setup->socket_mode =
        socket_mode || (url == NULL && (s->secrets[SLACK_APP_TOKEN].configured ||
                                        !s->secrets[SLACK_SIGNING_SECRET].configured));
    if (url != NULL && strlen(url) >= URL_SIZE) {
        return ctl_usage(ctl, "--public-url: too long");
    }
    if (url != NULL) {
        (void)snprintf(setup->url, URL_SIZE, "%s", url); /* fits */
    } else if (!setup->socket_mode) {
        own_url(setup->url);
    }
    return CTL_OK;
}

static int print_manifest(struct ctl *ctl, const struct setup *setup)
{
    const char *name = options_text(&ctl->options, OPTION_NAME);
    const char *command = options_text(&ctl->options, OPTION_COMMAND);
    struct manifest manifest = {
        .name = name == NULL ? "approvald" : name,
        .command = command == NULL ? "/approval" : command,
        .public_url = setup->socket_mode ? NULL : setup->url,
    };
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(CTL_BODY_SIZE_MAX, &text, &err);

    rc = rc == ERR_OK ? manifest_print(&manifest, text, &err) : rc;
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    if (ctl->json) {
        return CTL_OK; /* slack manifest prints it alone */
    }
    (void)fwrite(buf_text(text), 1, buf_size(text), stdout); /* main looks at ferror */
    (void)fflush(stdout);                                    /* likewise */
    (void)fprintf(stderr,
                  "\nThe manifest above makes the app: https://api.slack.com/apps, Create New App, "
                  "From a manifest.\nThen Install App, and copy its secrets; an empty line keeps "
                  "the stored one.\n\n");
    return CTL_OK;
}

static bool is_wanted(const struct setup *setup, enum slack_secret kind)
{
    return kind == SLACK_BOT_TOKEN || (kind == SLACK_APP_TOKEN) == setup->socket_mode;
}

/* One line, of whichever kind. ERR_NOT_FOUND: there are no more. */
static enum err_code read_secret(struct setup *setup, enum slack_secret asked, struct err *err)
{
    char line[SLACK_SECRET_SIZE];
    char question[160];
    enum slack_secret kind;
    enum err_code rc;

    (void)snprintf(question, sizeof question, "%s (%s): ", slack_secret_name(asked), /* fits */
                   slack_secret_hint(asked));
    rc = hidden_line(question, line, sizeof line, err);
    if (rc == ERR_OK && line[0] != '\0') {
        rc = slack_secret_kind(span_text(line), &kind, err);
        if (rc == ERR_OK && setup->fresh[kind]) {
            rc = err_set(err, ERR_INVALID, "two times a %s", slack_secret_name(kind));
        }
        if (rc == ERR_OK) {
            memcpy(setup->secrets[kind], line, strlen(line) + 1);
            setup->fresh[kind] = true;
        }
    }
    mem_wipe(line, sizeof line);
    return rc;
}

/* On a terminal what this way in needs; out of a pipe as many as there are. */
static int read_secrets(struct ctl *ctl, struct setup *setup)
{
    bool asks = isatty(STDIN_FILENO) != 0;
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < SLACK_SECRET_COUNT; i++) {
        enum slack_secret kind = (enum slack_secret)i;

        rc = slack_settings_secret(&setup->settings, kind, setup->secrets[i], &err);
    }
    for (size_t i = 0; rc == ERR_OK && i < SLACK_SECRET_COUNT; i++) {
        if (!asks || is_wanted(setup, (enum slack_secret)i)) {
            rc = read_secret(setup, (enum slack_secret)i, &err);
        }
    }
    if (rc == ERR_OK || rc == ERR_NOT_FOUND) {
        return CTL_OK;
    }
    return ctl_fail(ctl, rc == ERR_INVALID || rc == ERR_TOO_LARGE ? CTL_USAGE : CTL_INTERNAL, &err);
}

static bool has(const struct setup *setup, enum slack_secret kind)
{
    return setup->secrets[kind][0] != '\0';
}

/* approvald takes a bot token and a way in together, or neither. */
static int check_complete(struct ctl *ctl, const struct setup *setup)
{
    enum slack_secret way_in = setup->socket_mode ? SLACK_APP_TOKEN : SLACK_SIGNING_SECRET;
    struct err err = ERR_INIT;

    if (has(setup, SLACK_BOT_TOKEN) &&
        (has(setup, SLACK_APP_TOKEN) || has(setup, SLACK_SIGNING_SECRET))) {
        return CTL_OK;
    }
    if (has(setup, SLACK_BOT_TOKEN)) {
        (void)err_set(&err, ERR_INVALID, "the %s is needed too (%s): give both, a line each",
                      slack_secret_name(way_in), slack_secret_hint(way_in));
    } else {
        (void)err_set(&err, ERR_INVALID, "the bot token is needed (%s), on standard input",
                      slack_secret_hint(SLACK_BOT_TOKEN));
    }
    return ctl_fail(ctl, CTL_USAGE, &err);
}

/* Is the word one of the list with commas between? */
static bool lists(const char *list, const char *word)
{
    size_t size = strlen(word);

    while (*list != '\0') {
        size_t length = strcspn(list, ", ");

        if (length == size && memcmp(list, word, size) == 0) {
            return true;
        }
        list += length + strspn(list + length, ", ");
    }
    return false;
}

static void check_scopes(const struct ctl *ctl, struct setup *setup)
{
    const struct manifest_scope *scope;

    if (setup->bot.scopes[0] == '\0') {
        say(ctl, "warn", "Slack has not told which scopes the token has");
        return;
    }
    for (size_t i = 0; (scope = manifest_scope(i)) != NULL; i++) {
        if (!lists(setup->bot.scopes, scope->name)) {
            setup->missing++;
            say(ctl, "FAIL", "scope %s is missing: %s", scope->name, scope->lost);
        }
    }
    if (setup->missing == 0) {
        say(ctl, "ok", "the token has every scope of the manifest");
    } else {
        say(ctl, "FAIL",
            "add the missing: OAuth & Permissions, Bot Token Scopes; install the app "
            "again (the token stays), then approvalctl slack setup once more");
    }
}

/* A token of another workspace would post nowhere that a policy names. */
static bool is_team(const struct setup *setup)
{
    const char *wanted = setup->settings.team_id;

    return wanted[0] == '\0' || strcmp(wanted, setup->bot.team_id) == 0 ||
           strcmp(wanted, setup->bot.enterprise_id) == 0;
}

static int ask_slack(struct ctl *ctl, struct setup *setup)
{
    const struct slack_settings *s = &setup->settings;
    const struct slack_way way = {
        .api_url = s->api_url, .ca_file = s->ca_file, .proxy = s->proxy, .no_proxy = s->no_proxy};
    struct err err = ERR_INIT;
    enum err_code rc = slack_ask_bot(&way, setup->secrets[SLACK_BOT_TOKEN], &setup->bot, &err);

    if (rc == ERR_OK && !is_team(setup)) {
        rc = err_set(&err, ERR_DENIED,
                     "the bot token is of team %s, and slack.team_id says %.32s (40-slack.conf, or "
                     "wherever it is set): change it first",
                     setup->bot.team_id, s->team_id);
    }
    if (rc == ERR_OK) {
        say(ctl, "ok", "bot token: team %s (%s), as %s", setup->bot.team_id, setup->bot.team,
            setup->bot.user);
        check_scopes(ctl, setup);
    }
    if (rc == ERR_OK && has(setup, SLACK_APP_TOKEN)) {
        rc = slack_ask_app(&way, setup->secrets[SLACK_APP_TOKEN], &err);
        if (rc == ERR_OK) {
            say(ctl, "ok", "app-level token: it may open sockets");
        }
    }
    if (rc == ERR_OK && has(setup, SLACK_SIGNING_SECRET)) {
        say(ctl, "ok", "signing secret: 32 digits; the first call of Slack's proves it");
    }
    if (rc != ERR_OK) {
        (void)err_wrap(&err, rc, "nothing was stored");
        return ctl_fail(ctl, rc == ERR_DENIED ? CTL_REFUSED : CTL_INTERNAL, &err);
    }
    return CTL_OK;
}

static void say_next(const struct ctl *ctl, const struct setup *setup, bool named)
{
    char plan[SLACK_PATH_SIZE + 32];

    if (!setup->socket_mode) {
        say(ctl, "next", "let Slack reach %s/slack/…: docs/slack-setup.md, 4", setup->url);
    }
    say(ctl, "next",
        named ? "systemctl restart approvald-supervisor" : "systemctl reload approvald-supervisor");
    (void)snprintf(plan, sizeof plan, "%s/pair/plan.conf", setup->settings.folder); /* fits */
    if (access(plan, F_OK) == 0) {
        say(ctl, "next", "of this pair the same on the other host: secrets are each host's own");
    }
    say(ctl, "next", "approvalctl slack check");
}

/* Secrets first: what is named is there. */
static int store(struct ctl *ctl, struct setup *setup)
{
    bool given[SLACK_SECRET_COUNT];
    struct err err = ERR_INIT;
    bool named = false;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < SLACK_SECRET_COUNT; i++) {
        enum slack_secret kind = (enum slack_secret)i;

        given[i] = has(setup, kind);
        if (setup->fresh[i]) {
            rc = slack_settings_store(&setup->settings, kind, setup->secrets[i], &err);
        }
        if (rc == ERR_OK && setup->fresh[i]) {
            say(ctl, "ok", "%s stored in %s", slack_secret_name(kind),
                setup->settings.secrets[i].path);
        }
    }
    if (rc == ERR_OK) {
        rc = slack_settings_name(&setup->settings, given, setup->bot.team_id, &named, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    if (named) {
        say(ctl, "ok", "named in %s", setup->settings.fragment);
    }
    say_next(ctl, setup, named);
    return setup->missing == 0 ? CTL_OK : CTL_INTERNAL;
}

int cmd_slack_setup(struct ctl *ctl)
{
    struct setup *setup = mem_new(1, sizeof *setup);
    struct err err = ERR_INIT;
    int code = CTL_OK;

    if (setup == NULL) {
        (void)err_set(&err, ERR_NOMEM, "setup");
        return ctl_fail_err(ctl, &err);
    }
    if (slack_settings_load(ctl, &setup->settings, &err) != ERR_OK) {
        code = ctl_fail(ctl, CTL_INTERNAL, &err);
    }
    code = code == CTL_OK ? choose_way(ctl, setup) : code;
    code = code == CTL_OK ? print_manifest(ctl, setup) : code;
    code = code == CTL_OK ? read_secrets(ctl, setup) : code;
    code = code == CTL_OK ? check_complete(ctl, setup) : code;
    code = code == CTL_OK ? ask_slack(ctl, setup) : code;
    code = code == CTL_OK ? store(ctl, setup) : code;
    mem_wipe(setup, sizeof *setup);
    mem_free(setup);
    return code;
}
