/* SPDX-License-Identifier: Apache-2.0 */
/* main.c: approvalctl: finds the command, parses its options, runs it.
 * Owns the life of one call; never knows what a command does. */
#include "config.h"

#include "approvald/ctl/command.h"
#include "approvald/ctl/settings.h"
#include "base/crash.h"
#include "base/mem.h"
#include "base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define WIDTH_MIN 40   /* columns: narrower tables say nothing */
#define WIDTH_MAX 1000 /* columns */

static size_t terminal_width(void)
{
    const char *columns = getenv("COLUMNS");
    struct winsize size;
    uint64_t width = 80;

    if (isatty(STDOUT_FILENO) == 0) {
        return 0;
    }
    if (columns == NULL || !text_parse_u64(span_text(columns), &width)) {
        width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    }
    return width < WIDTH_MIN ? WIDTH_MIN : (width > WIDTH_MAX ? WIDTH_MAX : (size_t)width);
}

/* The command's own rules about its arguments. */
static int check_arguments(const struct ctl *ctl)
{
    const struct command *command = ctl->command;

    if (ctl->options.argument_count < command->argument_min) {
        return ctl_usage(ctl, "missing: %s; see --help", command->arguments);
    }
    if (ctl->options.argument_count > command->argument_max) {
        return ctl_usage(ctl, "too many arguments: '%s'; see --help",
                         ctl->options.arguments[command->argument_max]);
    }
    if (command->rest && (ctl->options.rest == NULL || ctl->options.rest[0] == NULL)) {
        return ctl_usage(ctl, "missing: -- COMMAND; see --help");
    }
    if (!command->rest && ctl->options.rest != NULL) {
        return ctl_usage(ctl, "this command takes no '--'; see --help");
    }
    return CTL_OK;
}

static int run_command(struct ctl *ctl, int argc, char **argv)
{
    struct err err = ERR_INIT;
    int code;

    if (options_parse(argc, argv, ctl->command->options, &ctl->options, &err) != ERR_OK) {
        return ctl_fail(ctl, CTL_USAGE, &err);
    }
    if (options_has(&ctl->options, OPTION_HELP)) {
        command_print_help(ctl->command);
        return CTL_OK;
    }
    ctl->json = options_has(&ctl->options, OPTION_JSON);
    code = check_arguments(ctl);
    return code == CTL_OK ? ctl->command->run(ctl) : code;
}

static int no_command(const struct ctl *ctl, int argc, char **argv)
{
    if (argc < 2) {
        command_print_overview();
        return CTL_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        command_print_overview();
        return CTL_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("approvalctl %s\n", PACKAGE_VERSION);
        return CTL_OK;
    }
    if (strcmp(argv[1], "--words") == 0) {
        command_print_words(argc - 1, argv + 1);
        return CTL_OK;
    }
    return ctl_usage(ctl, "no command '%s'; approvalctl --help lists them", argv[1]);
}

static int dispatch(struct ctl *ctl, int argc, char **argv)
{
    AUTO_FREE char **ordered = mem_new((size_t)argc + 1, sizeof *ordered);
    struct err err = {.code = ERR_NOMEM, .message = "out of memory"};
    int used = 0;

    if (ordered == NULL) {
        return ctl_fail(ctl, CTL_INTERNAL, &err);
    }
    command_order(argc, argv, ordered);
    ctl->command = command_find(argc, ordered, &used);
    if (ctl->command == NULL) {
        return no_command(ctl, argc, ordered);
    }
    return run_command(ctl, argc - 1 - used, ordered + 1 + used);
}

int main(int argc, char **argv)
{
    struct ctl ctl = {.width = terminal_width()};
    int code;

    crash_no_core(); /* tokens; what it runs for somebody keeps its own limits */
    code = dispatch(&ctl, argc, argv);
    ctl_done(&ctl);
    settings_free(&ctl);
    if (fflush(stdout) != 0 || ferror(stdout) != 0) {
        (void)fprintf(stderr, "approvalctl: cannot write the output\n");
        return CTL_INTERNAL;
    }
    return code;
}
