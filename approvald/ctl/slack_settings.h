/* SPDX-License-Identifier: Apache-2.0 */
/* slack_settings.h: what approvald's configuration says of Slack, and where approvalctl slack setup
 * puts what is missing: the secrets' files, and a fragment that names them. Blocks (disk). */
#ifndef APPROVALD_CTL_SLACK_SETTINGS_H
#define APPROVALD_CTL_SLACK_SETTINGS_H

#include "approvald/ctl/slack_secret.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ctl;

#define SLACK_TEXT_SIZE 1024 /* bytes with the NUL of an option's text */
#define SLACK_PATH_SIZE 256  /* bytes with the NUL, as the writing of small files takes them */

struct slack_settings {
    char folder[SLACK_PATH_SIZE];   /* of the configuration: /etc/approvald */
    char fragment[SLACK_PATH_SIZE]; /* ours: …/approvald.conf.d/40-slack.conf */
    uint32_t group;                 /* who besides root may read a secret */
    char api_url[SLACK_TEXT_SIZE];
    char team_id[SLACK_TEXT_SIZE];
    char ca_file[SLACK_TEXT_SIZE];
    char proxy[SLACK_TEXT_SIZE];
    char no_proxy[SLACK_TEXT_SIZE];
    struct {
        char path[SLACK_TEXT_SIZE]; /* of its file, configured or where it will be */
        bool configured;
    } secrets[SLACK_SECRET_COUNT];
};

/* approvald is asked, so that fragments and defaults count. ERR_INVALID: the configuration has a
 * fault, in approvald's words. */
enum err_code slack_settings_load(const struct ctl *ctl,
                                  struct slack_settings *ret_settings,
                                  struct err *err) WARN_UNUSED;

/* The stored secret; "" when there is no file. ERR_INVALID: it is a credential of systemd's, whose
 * file only its unit knows, or a link; ERR_TOO_LARGE: longer than a secret. */
enum err_code slack_settings_secret(const struct slack_settings *settings,
                                    enum slack_secret kind,
                                    char ret_text[SLACK_SECRET_SIZE],
                                    struct err *err) WARN_UNUSED;
/* Puts it in its file, durably, closed to others. */
enum err_code slack_settings_store(const struct slack_settings *settings,
                                   enum slack_secret kind,
                                   const char *text,
                                   struct err *err) WARN_UNUSED;
/* Names in the fragment what the configuration lacks of the given secrets and of the team;
 * *ret_changed: it is another one than before. */
enum err_code slack_settings_name(const struct slack_settings *settings,
                                  const bool given[SLACK_SECRET_COUNT],
                                  const char *team_id,
                                  bool *ret_changed,
                                  struct err *err) WARN_UNUSED;

#endif
