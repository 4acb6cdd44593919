/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_config.c: config check, config dump: approvald itself reads its configuration.
 * Owns nothing; never parses the configuration: the program that uses it does. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/program.h"

static int ask_program(struct ctl *ctl, const char *what)
{
    struct err err = ERR_INIT;

    return ctl_fail(ctl, CTL_INTERNAL, program_exec(ctl, what, &err));
}

int cmd_config_check(struct ctl *ctl)
{
    return ask_program(ctl, "--check-config");
}

int cmd_config_dump(struct ctl *ctl)
{
    return ask_program(ctl, "--dump-config");
}
