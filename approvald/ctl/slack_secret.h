/* SPDX-License-Identifier: Apache-2.0 */
/* slack_secret.h: what a secret of Slack's looks like, and which one it is. Pure. */
#ifndef APPROVALD_CTL_SLACK_SECRET_H
#define APPROVALD_CTL_SLACK_SECRET_H

#include "base/err.h"
#include "base/span.h"

enum slack_secret {
    SLACK_BOT_TOKEN,      /* xoxb-…: posts, and asks who somebody is */
    SLACK_APP_TOKEN,      /* xapp-…: opens the sockets of Socket Mode */
    SLACK_SIGNING_SECRET, /* 32 hexadecimal digits: signs what Slack sends over HTTP */
    SLACK_SECRET_COUNT
};

#define SLACK_SECRET_SIZE                                                                          \
    512 /* bytes with the NUL; Slack's tokens have some 60 to 110, and grow                        \
         */

/* ERR_INVALID says what it is instead, never what was given. */
enum err_code
slack_secret_kind(struct span text, enum slack_secret *ret_kind, struct err *err) WARN_UNUSED;
/* "bot token": for people. */
const char *slack_secret_name(enum slack_secret kind);
/* Where it stands at api.slack.com and how it begins. */
const char *slack_secret_hint(enum slack_secret kind);
/* Its option of approvald's configuration, and the name of its file. */
const char *slack_secret_option(enum slack_secret kind);
const char *slack_secret_file(enum slack_secret kind);

#endif
