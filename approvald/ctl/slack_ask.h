/* SPDX-License-Identifier: Apache-2.0 */
/* slack_ask.h: Slack is asked about a token before approvald gets it. Blocks (network). */
#ifndef APPROVALD_CTL_SLACK_ASK_H
#define APPROVALD_CTL_SLACK_ASK_H

#include "base/err.h"

#include <stddef.h>

/* As approvald is configured to reach Slack; texts are borrowed and never NULL, "" is none. */
struct slack_way {
    const char *api_url; /* with '/' at its end */
    const char *ca_file;
    const char *proxy; /* "": as the environment says; "none" */
    const char *no_proxy;
};

#define SLACK_WORD_SIZE 96 /* bytes with the NUL of a name, an id */
#define SLACK_SCOPES_SIZE                                                                          \
    2048 /* bytes with the NUL: some thirty scopes, of which we use a dozen                        \
          */

/* What a token is good for. */
struct slack_bot {
    char team_id[SLACK_WORD_SIZE];
    char enterprise_id[SLACK_WORD_SIZE]; /* "": the workspace is of no organisation */
    char team[SLACK_WORD_SIZE];
    char user[SLACK_WORD_SIZE];
    char scopes[SLACK_SCOPES_SIZE]; /* with commas between them; "": Slack has not told */
};

/* ERR_DENIED: Slack refuses the token, and says with which word; ERR_UNAVAILABLE: Slack was not
 * reached, or what answered is not Slack; the message says where it ended. */
enum err_code slack_ask_bot(const struct slack_way *way,
                            const char *token,
                            struct slack_bot *ret_bot,
                            struct err *err) WARN_UNUSED;
/* Whether the token may open sockets; none is opened. Errors as above. */
enum err_code
slack_ask_app(const struct slack_way *way, const char *token, struct err *err) WARN_UNUSED;

#endif
