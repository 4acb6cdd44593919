/* SPDX-License-Identifier: Apache-2.0 */
/* settings.c: where approvald is and with which token.
 * Owns the user's file, approvalctl.conf; never takes a token from the command line, where every
 * process of the host could read it, and never shows one. */
#include "approvald/ctl/settings.h"

#include "approvald/ctl/ctl.h"
#include "base/buf.h"
#include "base/conf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SETTINGS_PATH_SIZE 4096

static const struct conf_option settings_options[] = {
    {"", "url", CONF_TEXT, "", 0, 1024, NULL, "where approvald listens"},
    {"", "socket", CONF_TEXT, "", 0, 100, NULL, "local socket, when there is no url"},
    {"", "token_file", CONF_TEXT, "", 0, 1024, NULL, "file with the API token, mode 0600"},
    {"", "ca_file", CONF_TEXT, "", 0, 1024, NULL, "certificates to trust on top of the system's"},
    {.name = NULL},
};
static const char *const settings_titled[] = {NULL};
static const struct conf_schema settings_schema = {settings_options, settings_titled, 1};

/* $XDG_CONFIG_HOME/approvald/approvalctl.conf, else below ~/.config. */
static bool user_file(char *ret_path, size_t size)
{
    const char *config = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    int written;

    if (config != NULL && config[0] == '/') {
        written = snprintf(ret_path, size, "%s/approvald/approvalctl.conf", config);
    } else if (home != NULL && home[0] == '/') {
        written = snprintf(ret_path, size, "%s/.config/approvald/approvalctl.conf", home);
    } else {
        return false;
    }
    return written > 0 && (size_t)written < size && access(ret_path, F_OK) == 0;
}

static enum err_code load_user_file(struct ctl *ctl, struct err *err)
{
    char path[SETTINGS_PATH_SIZE];
    struct conf *conf = NULL;
    enum err_code rc;

    if (!user_file(path, sizeof path)) {
        return ERR_OK;
    }
    rc = conf_load(&settings_schema, path, &conf, err);
    if (rc == ERR_OK) {
        ctl->conf = conf;
    }
    return rc;
}

void settings_free(struct ctl *ctl)
{
    conf_free(ctl->conf);
    ctl->conf = NULL;
}

/* Option, then environment, then file; NULL when none says it. */
static const char *
choose(const struct ctl *ctl, enum option option, const char *variable, const char *key)
{
    const char *text = options_text(&ctl->options, option);

    if (text == NULL && variable != NULL) {
        text = getenv(variable);
    }
    if ((text == NULL || text[0] == '\0') && ctl->conf != NULL) {
        text = conf_text(conf_section(ctl->conf, ""), key);
    }
    return text == NULL || text[0] == '\0' ? NULL : text;
}

static enum err_code read_token(struct ctl *ctl, const char *file, struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    enum err_code rc = ctl_read_file(file, CTL_TOKEN_SIZE_MAX - 1, &buf, err);
    size_t size;

    if (rc != ERR_OK) {
        return err_wrap(err, rc, "token");
    }
    size = strcspn(buf_text(buf), " \t\r\n");
    if (size > 0) {
        memcpy(ctl->token, buf_text(buf), size);
    }
    ctl->token[size] = '\0';
    buf_wipe(buf);
    return size > 0 ? ERR_OK : err_set(err, ERR_INVALID, "token: %s is empty", file);
}

/* "https://host" without the slashes at its end, which the paths bring. */
static enum err_code check_url(const char *url, struct err *err)
{
    if (strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) {
        return err_set(err, ERR_INVALID, "URL '%s' does not begin with https:// or http://", url);
    }
    if (url[strlen(url) - 1] == '/') {
        return err_set(err, ERR_INVALID, "URL '%s': leave out the '/' at its end", url);
    }
    return ERR_OK;
}

enum err_code settings_find(struct ctl *ctl, struct client_options *options, struct err *err)
{
    const char *token_file;
    const char *socket;
    enum err_code rc = load_user_file(ctl, err);

    if (rc != ERR_OK) {
        return rc;
    }
    socket = options_text(&ctl->options, OPTION_SOCKET);
    ctl->url = socket != NULL ? NULL : choose(ctl, OPTION_URL, "APPROVALD_URL", "url");
    ctl->socket = choose(ctl, OPTION_SOCKET, "APPROVALD_SOCKET", "socket");
    if (ctl->socket == NULL) {
        ctl->socket = CTL_DEFAULT_SOCKET;
    }
    if (ctl->url == NULL && access(ctl->socket, R_OK | W_OK) != 0 &&
        access(ctl->socket, F_OK) == 0) {
        return err_set(err, ERR_DENIED,
                       "%s is not open to you: give --url and --token-file, or be root",
                       ctl->socket);
    }
    token_file = choose(ctl, OPTION_TOKEN_FILE, "APPROVALD_TOKEN_FILE", "token_file");
    if (ctl->url != NULL) {
        rc = check_url(ctl->url, err);
    }
    if (rc == ERR_OK && token_file != NULL) {
        rc = read_token(ctl, token_file, err);
    }
    options->url = ctl->url;
    options->socket = ctl->socket;
    options->token = ctl->token[0] == '\0' ? NULL : ctl->token;
    options->ca_file = choose(ctl, OPTION_CA_FILE, "APPROVALD_CA_FILE", "ca_file");
    return rc;
}
