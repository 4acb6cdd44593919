/* SPDX-License-Identifier: Apache-2.0 */
/* command.h: the table of commands: words, options, help, function. The completion of shells and
 * the manual are made from it. */
#ifndef APPROVALD_CTL_COMMAND_H
#define APPROVALD_CTL_COMMAND_H

#include "approvald/ctl/ctl.h"

#include <stdint.h>

/* An enum ctl_exit, or (run) the exit code of what was run. */
typedef int command_fn(struct ctl *ctl);

struct command {
    const char *words[2];       /* the second is NULL for a command of one word */
    const char *arguments;      /* in the help: "ID" */
    const char *summary;        /* one line, no full stop */
    const char *help;           /* what it does and examples; ends with a newline */
    const enum option *options; /* all that it takes, ended by OPTION_COUNT */
    uint32_t argument_min;
    uint32_t argument_max;
    bool rest; /* takes "-- COMMAND" */
    command_fn *run;
};

/* All commands: the first, and the one behind this one; NULL: it was the last. */
const struct command *command_first(void);
const struct command *command_next(const struct command *command);
/* The command that argv[1 …] names; *ret_used is how many words it took. NULL: none, or only the
 * first of two words. */
const struct command *command_find(int argc, char **argv, int *ret_used);
/* Options may stand before the command as well: writes argv's words to ret_argv (argc + 1 places)
 * with those moved behind the command's words. */
void command_order(int argc, char **argv, char **ret_argv);
/* Options that every help explains apart; ended by OPTION_COUNT. */
const enum option *command_common_options(void);
/* Those that may stand before the command; ended by OPTION_COUNT. */
const enum option *command_leading_options(void);

/* Standard output. */
void command_print_help(const struct command *command);
void command_print_overview(void);
/* "request\n…": words, then options of the command that argv names; for completion. */
void command_print_words(int argc, char **argv);

/* The commands; each file cmd_*.c has those of one subject. */
command_fn cmd_request, cmd_wait, cmd_run, cmd_list, cmd_show;
command_fn cmd_approve, cmd_reject, cmd_cancel, cmd_claim;
command_fn cmd_token_add, cmd_token_list, cmd_token_revoke;
command_fn cmd_delegate_add, cmd_delegate_list, cmd_delegate_remove;
command_fn cmd_step_up_enrol, cmd_step_up_list, cmd_step_up_remove, cmd_step_up_unlock;
command_fn cmd_policy_apply, cmd_policy_list, cmd_policy_show, cmd_policy_test;
command_fn cmd_freeze_add, cmd_freeze_list, cmd_freeze_remove;
command_fn cmd_outbox_list, cmd_outbox_replay;
command_fn cmd_audit_list, cmd_audit_verify;
command_fn cmd_config_check, cmd_config_dump;
command_fn cmd_slack_manifest, cmd_slack_setup, cmd_slack_check;
command_fn cmd_status, cmd_doctor, cmd_backup, cmd_restore;
command_fn cmd_switchover, cmd_promote, cmd_rejoin, cmd_maintenance;
command_fn cmd_peer_off, cmd_arbiter_reseed, cmd_pair_bootstrap, cmd_safe_mode_clear;
command_fn cmd_keepalived_config;
command_fn cmd_notify;
command_fn cmd_pair_init, cmd_pair_join, cmd_pair_token, cmd_pair_serve;
command_fn cmd_pair_renew, cmd_pair_rotate, cmd_pair_leave;

#endif
