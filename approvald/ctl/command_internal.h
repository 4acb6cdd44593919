/* SPDX-License-Identifier: Apache-2.0 */
/* command_internal.h: lists of options that the halves of the table of commands share. Nobody
 * else includes it. */
#ifndef APPROVALD_CTL_COMMAND_INTERNAL_H
#define APPROVALD_CTL_COMMAND_INTERNAL_H

#include "approvald/ctl/command.h"

/* The value of struct command's options; static where it stands in a table. */
#define TAKES(...) ((const enum option[]){__VA_ARGS__, OPTION_COUNT})

#define ADDRESSED  OPTION_JSON, OPTION_URL, OPTION_SOCKET, OPTION_TOKEN_FILE, OPTION_CA_FILE
#define LEADING    ADDRESSED, OPTION_TIMEOUT
#define COMMON     OPTION_HELP, ADDRESSED
#define CONNECTED  OPTION_HELP, LEADING
#define SUPERVISED OPTION_HELP, OPTION_JSON, OPTION_TIMEOUT, OPTION_SUPERVISOR
#define SETUP      SUPERVISED, OPTION_PROGRAM, OPTION_ROOT
#define ASKING                                                                                     \
    CONNECTED, OPTION_POLICY, OPTION_TITLE, OPTION_REASON, OPTION_TARGET, OPTION_FIELD,            \
        OPTION_REQUESTER, OPTION_EXPIRES, OPTION_KEY, OPTION_QUIET

/* The commands of the pair; ended by words[0] NULL. */
const struct command *command_pair_table(void);

#endif
