/* SPDX-License-Identifier: Apache-2.0 */
/* manifest.c: the manifest that makes the app in Slack.
 * Owns the list of scopes, events and paths that approvald uses; never asks for one that it does
 * not use, never speaks with Slack. */
#include "approvald/ctl/manifest.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

#include <stdio.h>
#include <string.h>

#define MANIFEST_SIZE_MAX ((size_t)64 << 10)      /* bytes */
#define MANIFEST_MESSAGE  "approval_from_message" /* as there too */
#define MANIFEST_SHORTCUT "approval_new"          /* as approvald/slack/show/views_ask.h has it */
#define MANIFEST_URL_MAX  256                     /* bytes of a public URL: a host and a prefix */

/* docs/slack-setup.md says what each is for. */
static const struct manifest_scope scopes[] = {
    {"chat:write", "no card is posted: nothing works"},
    {"commands", "no slash command, and nobody can ask in Slack"},
    {"im:write", "no direct messages: requesters and approvers are not told"},
    {"users:read", "nobody can be told from a guest or a bot: presses are refused"},
    {"usergroups:read", "nobody decides by a user group that a policy names"},
    {"channels:history", "after a time-out a card in a public channel may be posted twice, and is "
                         "not compared with what it should show"},
    {"groups:history", "after a time-out a card in a private channel may be posted twice, and is "
                       "not compared with what it should show"},
    {"im:history", "after a time-out a direct message may be sent twice"},
    {"channels:read", "nobody decides as a member of a public channel that a policy names"},
    {"groups:read", "nobody decides as a member of a private channel that a policy names"},
    {"users:read.email", "nobody decides by an e-mail address that a policy names"},
};
#define SCOPE_COUNT (sizeof scopes / sizeof scopes[0])
static const char *const events[] = {"app_home_opened", "app_uninstalled", "tokens_revoked", NULL};

static bool only(const char *text, const char *allowed)
{
    return strspn(text, allowed) == strlen(text);
}

static enum err_code check_url(const char *url, struct err *err)
{
    const char *host = url + sizeof "https://" - 1;

    if (strncmp(url, "https://", sizeof "https://" - 1) != 0 || host[0] == '\0' || host[0] == '/' ||
        strlen(url) > MANIFEST_URL_MAX) {
        return err_set(err, ERR_INVALID, "--public-url: https://HOST; Slack takes no http:");
    }
    if (host[strlen(host) - 1] == '/' || strpbrk(host, " ?#\"\\") != NULL) {
        return err_set(err, ERR_INVALID, "--public-url: no '/' at its end, no '?', no '#'");
    }
    return ERR_OK;
}

enum err_code manifest_check(const struct manifest *manifest, struct err *err)
{
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789-_";
    size_t count = text_count(span_text(manifest->name));

    if (!text_is_utf8(span_text(manifest->name)) || count == 0 || count > MANIFEST_NAME_MAX) {
        return err_set(err, ERR_INVALID, "--name: 1 to %d characters", MANIFEST_NAME_MAX);
    }
    if (manifest->command[0] != '/' || manifest->command[1] == '\0' ||
        strlen(manifest->command) > MANIFEST_COMMAND_MAX || !only(manifest->command + 1, lower)) {
        return err_set(err, ERR_INVALID, "--command: '/' and up to %d of a-z 0-9 - _",
                       MANIFEST_COMMAND_MAX - 1);
    }
    return manifest->public_url == NULL ? ERR_OK : check_url(manifest->public_url, err);
}

/* Socket Mode needs no addresses of ours. */
static void
add_url(const struct manifest *manifest, struct json *node, const char *name, const char *path)
{
    char url[MANIFEST_URL_MAX + 64];

    if (manifest->public_url == NULL) {
        return;
    }
    (void)snprintf(url, sizeof url, "%s%s", manifest->public_url, path); /* checked: it fits */
    json_add_text(node, name, span_text(url));
}

const struct manifest_scope *manifest_scope(size_t index)
{
    return index < SCOPE_COUNT ? &scopes[index] : NULL;
}

static void add_scopes(struct json *root)
{
    struct json *oauth = json_add_object(root, "oauth_config");
    struct json *list = json_add_array(json_add_object(oauth, "scopes"), "bot");

    for (size_t i = 0; i < SCOPE_COUNT; i++) {
        json_add_text(list, NULL, span_text(scopes[i].name));
    }
}

static void add_list(struct json *node, const char *name, const char *const *words)
{
    struct json *list = json_add_array(node, name);

    for (; *words != NULL; words++) {
        json_add_text(list, NULL, span_text(*words));
    }
}

static void add_information(const struct manifest *manifest, struct json *root)
{
    struct json *node = json_add_object(root, "display_information");

    json_add_text(node, "name", span_text(manifest->name));
    json_add_text(node, "description", SPAN_LITERAL("Asks for and gives approvals inside Slack"));
    json_add_text(node, "background_color", SPAN_LITERAL("#1D3557"));
}

/* A bot's name has fewer letters than an app's: others become '-'. */
static char bot_letter(char letter)
{
    static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char lower[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    const char *found = strchr(upper, letter);

    if (found != NULL) {
        return lower[found - upper];
    }
    if (strchr(lower, letter) != NULL) {
        return letter;
    }
    return '-';
}

static void add_bot(const struct manifest *manifest, struct json *features)
{
    struct json *node = json_add_object(features, "bot_user");
    char name[MANIFEST_NAME_MAX * 4 + 1];
    size_t size = 0;

    for (const char *at = manifest->name; *at != '\0' && size < sizeof name - 1; at++) {
        name[size++] = bot_letter(*at);
    }
    json_add_text(node, "display_name", span_of(name, size));
    json_add_bool(node, "always_online", true);
}

static void add_features(const struct manifest *manifest, struct json *root)
{
    struct json *features = json_add_object(root, "features");
    struct json *home = json_add_object(features, "app_home");
    struct json *shortcuts;
    struct json *shortcut;
    struct json *command;

    json_add_bool(home, "home_tab_enabled", true);
    json_add_bool(home, "messages_tab_enabled", true); /* else direct messages are refused */
    json_add_bool(home, "messages_tab_read_only_enabled", true);
    add_bot(manifest, features);
    shortcuts = json_add_array(features, "shortcuts");
    shortcut = json_add_object(shortcuts, NULL);
    json_add_text(shortcut, "name", SPAN_LITERAL("Ask for an approval"));
    json_add_text(shortcut, "type", SPAN_LITERAL("global"));
    json_add_text(shortcut, "callback_id", SPAN_LITERAL(MANIFEST_SHORTCUT));
    json_add_text(shortcut, "description", SPAN_LITERAL("Opens a form"));
    shortcut = json_add_object(shortcuts, NULL);
    json_add_text(shortcut, "name", SPAN_LITERAL("Ask for an approval"));
    json_add_text(shortcut, "type", SPAN_LITERAL("message"));
    json_add_text(shortcut, "callback_id", SPAN_LITERAL(MANIFEST_MESSAGE));
    json_add_text(shortcut, "description", SPAN_LITERAL("Opens a form with the message in it"));
    command = json_add_object(json_add_array(features, "slash_commands"), NULL);
    json_add_text(command, "command", span_text(manifest->command));
    add_url(manifest, command, "url", "/slack/commands");
    json_add_text(command, "description", SPAN_LITERAL("Ask for approvals and see them"));
    json_add_text(command, "usage_hint",
                  SPAN_LITERAL("request | list | show ID | cancel ID | help"));
    json_add_bool(command, "should_escape", true);
}

static void add_settings(const struct manifest *manifest, struct json *root)
{
    struct json *settings = json_add_object(root, "settings");
    struct json *subscriptions = json_add_object(settings, "event_subscriptions");
    struct json *interactivity = json_add_object(settings, "interactivity");

    add_url(manifest, subscriptions, "request_url", "/slack/events");
    add_list(subscriptions, "bot_events", events);
    json_add_bool(interactivity, "is_enabled", true);
    add_url(manifest, interactivity, "request_url", "/slack/interactions");
    add_url(manifest, interactivity, "message_menu_options_url", "/slack/interactions");
    json_add_bool(settings, "org_deploy_enabled", false);
    json_add_bool(settings, "socket_mode_enabled", manifest->public_url == NULL);
    json_add_bool(settings, "token_rotation_enabled", false);
}

static struct json *make(const struct manifest *manifest)
{
    struct json *root = json_new_object();
    struct json *metadata = json_add_object(root, "_metadata");

    json_add_u64(metadata, "major_version", 2);
    json_add_u64(metadata, "minor_version", 1);
    add_information(manifest, root);
    add_features(manifest, root);
    add_scopes(root);
    add_settings(manifest, root);
    return root;
}

static enum err_code new_line(struct buf *buf, size_t depth, struct err *err)
{
    return buf_append_format(buf, err, "\n%*s", (int)(2 * depth), "");
}

/* One character outside a string. */
static enum err_code indent_mark(char mark, size_t *depth, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (mark == '}' || mark == ']') {
        *depth -= *depth > 0;
        rc = new_line(buf, *depth, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append(buf, &mark, 1, err);
    }
    if (rc == ERR_OK && mark == ':') {
        rc = buf_append_text(buf, " ", err);
    }
    if (rc == ERR_OK && (mark == '{' || mark == '[' || mark == ',')) {
        *depth += mark != ',' && *depth < JSON_DEPTH_MAX;
        rc = new_line(buf, *depth, err);
    }
    return rc;
}

/* Bytes of the string that begins at text, with its quotes. */
static size_t string_size(struct span text)
{
    size_t i = 1;

    while (i < text.size && text.data[i] != '"') {
        i += text.data[i] == '\\' ? 2 : 1;
    }
    return i < text.size ? i + 1 : text.size;
}

enum err_code manifest_indent(struct span compact, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;
    size_t depth = 0;

    for (size_t i = 0; i < compact.size && rc == ERR_OK;) {
        struct span left = span_of(compact.data + i, compact.size - i);
        size_t size = 1;

        if (left.data[0] == '"') {
            size = string_size(left);
            rc = buf_append(buf, left.data, size, err);
        } else {
            rc = indent_mark(left.data[0], &depth, buf, err);
        }
        i += size;
    }
    return rc == ERR_OK ? buf_append_text(buf, "\n", err) : rc;
}

enum err_code manifest_print(const struct manifest *manifest, struct buf *buf, struct err *err)
{
    AUTO_BUF struct buf *compact = NULL;
    AUTO_JSON struct json *root = NULL;
    enum err_code rc = manifest_check(manifest, err);

    if (rc == ERR_OK) {
        rc = buf_new(MANIFEST_SIZE_MAX, &compact, err);
    }
    if (rc == ERR_OK) {
        root = make(manifest);
        rc = json_print(root, compact, err);
    }
    return rc == ERR_OK ? manifest_indent(buf_span(compact), buf, err) : rc;
}
