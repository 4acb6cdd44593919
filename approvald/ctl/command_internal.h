/* SPDX-License-Identifier: Apache-2.0 */
/* command_internal.h: sets of options that the two halves of the table of commands share. Nobody
 * else includes it. */
#ifndef APPROVALD_CTL_COMMAND_INTERNAL_H
#define APPROVALD_CTL_COMMAND_INTERNAL_H

#include "approvald/ctl/command.h"

#define BIT(option) OPTION_BIT(OPTION_##option)
#define COMMON      (BIT(HELP) | BIT(JSON) | BIT(URL) | BIT(SOCKET) | BIT(TOKEN_FILE) | BIT(CA_FILE))
#define CONNECTED   (COMMON | BIT(TIMEOUT))
#define SUPERVISED  (BIT(HELP) | BIT(JSON) | BIT(TIMEOUT) | BIT(SUPERVISOR))
#define SETUP       (BIT(HELP) | BIT(JSON) | BIT(TIMEOUT) | BIT(SUPERVISOR) | BIT(PROGRAM) | BIT(ROOT))
#define ASKING                                                                                     \
    (CONNECTED | BIT(POLICY) | BIT(TITLE) | BIT(REASON) | BIT(TARGET) | BIT(FIELD) |               \
     BIT(REQUESTER) | BIT(EXPIRES) | BIT(KEY) | BIT(QUIET))

/* The commands of the pair; ended by words[0] NULL. */
const struct command *command_pair_table(void);

#endif
