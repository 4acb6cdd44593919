/* SPDX-License-Identifier: Apache-2.0 */
/* slack_settings.c: approvald's configuration of Slack, read and completed.
 * Owns one fragment, 40-slack.conf, and the secrets' files. Never changes a file that an
 * administrator wrote, never prints a secret; approvald itself parses the configuration. */
#include "config.h"

#include "approvald/ctl/slack_settings.h"

#include "approvald/ctl/ctl.h"
#include "approvald/ctl/doctor.h"
#include "approvald/ctl/program.h"
#include "approvald/enrol/files.h"
#include "base/buf.h"
#include "base/mem.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG        PKGSYSCONFDIR "/approvald.conf"
#define FRAGMENT_SIZE ((size_t)8192)
#define FRAGMENT_MARK                                                                              \
    "# Written by approvalctl slack setup; a file with a later name says otherwise.\n"
#define GROUP "approvald"

static enum err_code
join_path(char *ret_path, size_t size, const char *folder, const char *name, struct err *err)
{
    int used = snprintf(ret_path, size, "%s%s", folder, name);

    return used < 0 || used >= (int)size ? err_set(err, ERR_INVALID, "%s: too long a path", folder)
                                         : ERR_OK;
}

static enum err_code find_places(const struct ctl *ctl, struct slack_settings *s, struct err *err)
{
    const char *given = options_text(&ctl->options, OPTION_CONFIG);
    const char *file = given == NULL ? CONFIG : given;
    const char *slash = strrchr(file, '/');
    const struct group *group = getgrnam(GROUP);
    enum err_code rc;

    if (slash == NULL) {
        return err_set(err, ERR_INVALID, "--config: give the whole path");
    }
    if (given == NULL && group == NULL) {
        return err_set(err, ERR_NOT_FOUND, "there is no group " GROUP ": is approvald installed?");
    }
    s->group = group != NULL && geteuid() == 0 ? group->gr_gid : FILES_ANY_GROUP;
    rc = join_path(s->folder, sizeof s->folder, file, "", err);
    if (rc == ERR_OK) {
        s->folder[slash - file] = '\0';
        rc = join_path(s->fragment, sizeof s->fragment, file, ".d/40-slack.conf", err);
    }
    return rc;
}

static enum err_code take(const char *dump, const char *key, char *ret_text, struct err *err)
{
    ret_text[0] = '\0';
    if (!doctor_value(dump, key, 0, ret_text, SLACK_TEXT_SIZE)) {
        ret_text[0] = '\0'; /* not given; one that is too long is refused by whoever uses it */
    }
    return strchr(ret_text, '\\') == NULL
               ? ERR_OK
               : err_set(err, ERR_INVALID, "slack.%s: a backslash is not understood here", key);
}

static enum err_code take_secrets(const char *dump, struct slack_settings *s, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < SLACK_SECRET_COUNT; i++) {
        char name[64];

        rc = take(dump, slack_secret_option((enum slack_secret)i), s->secrets[i].path, err);
        s->secrets[i].configured = s->secrets[i].path[0] != '\0';
        if (rc == ERR_OK && !s->secrets[i].configured) {
            (void)snprintf(name, sizeof name, "/secrets/%s", /* fits */
                           slack_secret_file((enum slack_secret)i));
            rc = join_path(s->secrets[i].path, SLACK_PATH_SIZE, s->folder, name, err);
        }
    }
    return rc;
}

enum err_code
slack_settings_load(const struct ctl *ctl, struct slack_settings *ret_settings, struct err *err)
{
    struct slack_settings *s = ret_settings;
    const struct {
        const char *key;
        char *text;
    } texts[] = {{"api_url", s->api_url},
                 {"team_id", s->team_id},
                 {"ca_file", s->ca_file},
                 {"proxy", s->proxy},
                 {"no_proxy", s->no_proxy}};
    AUTO_BUF struct buf *dump = NULL;
    int code = 0;
    enum err_code rc = find_places(ctl, s, err);

    rc = rc == ERR_OK ? buf_new(PROGRAM_OUTPUT_MAX, &dump, err) : rc;
    rc = rc == ERR_OK ? program_capture(ctl, "--dump-config", dump, &code, err) : rc;
    if (rc == ERR_OK && code != 0) {
        return err_set(err, ERR_INVALID, "%.*s", (int)strcspn(buf_text(dump), "\n"),
                       buf_text(dump));
    }
    for (size_t i = 0; rc == ERR_OK && i < sizeof texts / sizeof texts[0]; i++) {
        rc = take(buf_text(dump), texts[i].key, texts[i].text, err);
    }
    return rc == ERR_OK ? take_secrets(buf_text(dump), s, err) : rc;
}

/* A file of ours to read and to write: what a link leads to somebody else may replace as well. */
static enum err_code
check_path(const struct slack_settings *s, enum slack_secret kind, struct err *err)
{
    const char *path = s->secrets[kind].path;
    struct stat info;

    if (strchr(path, '/') == NULL) {
        return err_set(err, ERR_INVALID,
                       "%s: \"%s\" is a credential of systemd: put the %s where LoadCredential= "
                       "takes it from",
                       slack_secret_option(kind), path, slack_secret_name(kind));
    }
    if (lstat(path, &info) == 0 && S_ISLNK(info.st_mode)) {
        return err_set(err, ERR_INVALID, "%s: %s is a link: give the file itself",
                       slack_secret_option(kind), path);
    }
    return ERR_OK;
}

enum err_code slack_settings_secret(const struct slack_settings *settings,
                                    enum slack_secret kind,
                                    char ret_text[SLACK_SECRET_SIZE],
                                    struct err *err)
{
    struct buf *text = NULL;
    size_t size;
    enum err_code rc = check_path(settings, kind, err);

    ret_text[0] = '\0';
    if (rc != ERR_OK || !files_exist(settings->secrets[kind].path)) {
        return rc;
    }
    rc = files_read(settings->secrets[kind].path, SLACK_SECRET_SIZE - 1, &text, err);
    if (rc == ERR_OK) {
        size = buf_size(text);
        memcpy(ret_text, buf_text(text), size);
        while (size > 0 && (ret_text[size - 1] == '\n' || ret_text[size - 1] == '\r')) {
            size--;
        }
        ret_text[size] = '\0';
        buf_wipe(text);
    }
    buf_free(text);
    return rc;
}

enum err_code slack_settings_store(const struct slack_settings *settings,
                                   enum slack_secret kind,
                                   const char *text,
                                   struct err *err)
{
    char folder[SLACK_PATH_SIZE];
    char line[SLACK_SECRET_SIZE + 1];
    enum err_code rc = check_path(settings, kind, err);

    if (rc == ERR_OK && !settings->secrets[kind].configured) {
        rc = join_path(folder, sizeof folder, settings->folder, "/secrets", err);
        rc = rc == ERR_OK ? files_folder(folder, 0750, settings->group, err) : rc;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    (void)snprintf(line, sizeof line, "%s\n", text); /* fits */
    rc = files_write(settings->secrets[kind].path, span_text(line), 0640, settings->group, err);
    mem_wipe(line, sizeof line);
    return rc;
}

/* Ours from before, or nothing. */
static enum err_code read_before(const char *path, struct buf **ret_before, struct err *err)
{
    enum err_code rc;

    if (!files_exist(path)) {
        return buf_new(FRAGMENT_SIZE, ret_before, err);
    }
    rc = files_read(path, FRAGMENT_SIZE, ret_before, err);
    if (rc == ERR_OK &&
        strncmp(buf_text(*ret_before), FRAGMENT_MARK, sizeof FRAGMENT_MARK - 1) != 0) {
        return err_set(err, ERR_EXISTS, "%s is not from approvalctl slack setup: move it away",
                       path);
    }
    return rc;
}

/* An option that others give is theirs; what we gave, we give again. */
static enum err_code add(struct buf *after,
                         const char *before,
                         const char *key,
                         const char *configured,
                         const char *text,
                         struct err *err)
{
    char former[SLACK_TEXT_SIZE];
    bool ours = doctor_value(before, key, 0, former, sizeof former);

    if (!ours && configured[0] != '\0') {
        return ERR_OK;
    }
    return text[0] == '\0' ? ERR_OK : buf_append_format(after, err, "    %s = \"%s\"\n", key, text);
}

static enum err_code write_fragment(const char *path, const struct buf *after, struct err *err)
{
    char folder[SLACK_PATH_SIZE];
    enum err_code rc = join_path(folder, sizeof folder, path, "", err);

    if (rc != ERR_OK) {
        return rc;
    }
    *strrchr(folder, '/') = '\0';
    if (!files_exist(folder)) {
        rc = files_folder(folder, 0755, FILES_ANY_GROUP, err);
    }
    return rc == ERR_OK ? files_write(path, buf_span(after), 0644, FILES_ANY_GROUP, err) : rc;
}

enum err_code slack_settings_name(const struct slack_settings *settings,
                                  const bool given[SLACK_SECRET_COUNT],
                                  const char *team_id,
                                  bool *ret_changed,
                                  struct err *err)
{
    AUTO_BUF struct buf *before = NULL;
    AUTO_BUF struct buf *after = NULL;
    enum err_code rc = read_before(settings->fragment, &before, err);

    rc = rc == ERR_OK ? buf_new(FRAGMENT_SIZE, &after, err) : rc;
    rc = rc == ERR_OK ? buf_append_text(after, FRAGMENT_MARK "slack {\n", err) : rc;
    rc = rc == ERR_OK ? add(after, buf_text(before), "team_id", settings->team_id, team_id, err)
                      : rc;
    for (size_t i = 0; rc == ERR_OK && i < SLACK_SECRET_COUNT; i++) {
        const char *path = settings->secrets[i].path;

        rc = add(after, buf_text(before), slack_secret_option((enum slack_secret)i),
                 settings->secrets[i].configured ? path : "", given[i] ? path : "", err);
    }
    rc = rc == ERR_OK ? buf_append_text(after, "}\n", err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    *ret_changed = !span_equal(buf_span(before), buf_span(after)) &&
                   !(buf_size(before) == 0 &&
                     buf_size(after) == sizeof FRAGMENT_MARK - 1 + sizeof "slack {\n}\n" - 1);
    return *ret_changed ? write_fragment(settings->fragment, after, err) : ERR_OK;
}
