/* SPDX-License-Identifier: Apache-2.0 */
/* command.c: finds commands by their words and prints their help.
 * Owns the layout of help; never the words themselves (command_table.c, command_pair.c), never runs
 * a command. */
#include "approvald/ctl/command.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

#define HELP_COLUMN 26 /* where the explanations begin */

const struct command *command_find(int argc, char **argv, int *ret_used)
{
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        int words = c->words[1] == NULL ? 1 : 2;

        if (argc > words && strcmp(argv[1], c->words[0]) == 0 &&
            (words == 1 || strcmp(argv[2], c->words[1]) == 0)) {
            *ret_used = words;
            return c;
        }
    }
    return NULL;
}

/* Words that belong to the option at argv[0] when it is one that every command takes; else 0. */
static int leading_words(char **argv)
{
    const char *name = argv[0] + 2;

    if (strncmp(argv[0], "--", 2) != 0) {
        return 0;
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const char *known = options_name((enum option)i);
        size_t size = strlen(known);

        if (!options_among(command_leading_options(), (enum option)i) ||
            strncmp(name, known, size) != 0) {
            continue;
        }
        if (name[size] == '=' ||
            (name[size] == '\0' && options_value_word((enum option)i) == NULL)) {
            return 1;
        }
        if (name[size] == '\0' && argv[1] != NULL) {
            return 2;
        }
    }
    return 0;
}

void command_order(int argc, char **argv, char **ret_argv)
{
    int leading = 1;
    int words = 0;
    int used = 0;
    int count = 0;

    for (words = argc > 1 ? leading_words(argv + 1) : 0; words > 0 && leading < argc;
         words = leading < argc ? leading_words(argv + leading) : 0) {
        leading += words;
    }
    ret_argv[count++] = argv[0];
    if (command_find(argc - leading + 1, argv + leading - 1, &used) == NULL) {
        used = argc - leading; /* no command: nothing to put in order */
    }
    for (int i = 0; i < used; i++) {
        ret_argv[count++] = argv[leading + i];
    }
    for (int i = 1; i < leading; i++) {
        ret_argv[count++] = argv[i];
    }
    for (int i = leading + used; i < argc; i++) {
        ret_argv[count++] = argv[i];
    }
    ASSERT(count == argc);
    ret_argv[count] = NULL;
}

static void print_words(const struct command *command)
{
    (void)printf("%s%s%s", /* main looks at ferror, here as everywhere */
                 command->words[0], command->words[1] == NULL ? "" : " ",
                 command->words[1] == NULL ? "" : command->words[1]);
}

static void print_option(enum option option)
{
    const char *word = options_value_word(option);
    int used = printf("  --%s%s%s", options_name(option), word == NULL ? "" : " ",
                      word == NULL ? "" : word);

    (void)printf("%*s%s\n", used < HELP_COLUMN ? HELP_COLUMN - used : 1, "", options_help(option));
}

/* Those of the list that the other one lacks (NULL: it lacks all), in the table's order. */
static size_t own_options(const enum option *list, const enum option *other, enum option *ret_own)
{
    size_t count = 0;

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options_among(list, (enum option)i) &&
            (other == NULL || !options_among(other, (enum option)i))) {
            ret_own[count++] = (enum option)i;
        }
    }
    return count;
}

static void print_options(const char *title, const enum option *list, const enum option *other)
{
    enum option own[OPTION_COUNT];
    size_t count = own_options(list, other, own);

    if (count > 0) {
        (void)printf("%s\n", title);
    }
    for (size_t i = 0; i < count; i++) {
        print_option(own[i]);
    }
    if (count > 0) {
        (void)printf("\n");
    }
}

static void print_exits(void)
{
#define PRINT_EXIT(code, number, text) (void)printf("  %-4d %s\n", (number), (text));
    CTL_EXIT_TABLE(PRINT_EXIT)
#undef PRINT_EXIT
}

void command_print_help(const struct command *command)
{
    ASSERT(command != NULL);
    (void)printf("usage: approvalctl ");
    print_words(command);
    (void)printf(" [OPTION]...%s%s\n\n", command->arguments[0] == '\0' ? "" : " ",
                 command->arguments);
    (void)printf("%c%s.\n%s\n", command->summary[0] - 'a' + 'A', command->summary + 1,
                 command->help);
    print_options("options:", command->options, command_common_options());
    print_options("options of every command:", command_common_options(), NULL);
    (void)printf("exit codes:\n");
    print_exits();
}

void command_print_overview(void)
{
    (void)printf("usage: approvalctl COMMAND [OPTION]...\n\n"
                 "Asks for approvals in Slack, waits for them, and looks after approvald.\n\n"
                 "commands:\n");
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        int used = printf("  %s%s%s", c->words[0], c->words[1] == NULL ? "" : " ",
                          c->words[1] == NULL ? "" : c->words[1]);

        (void)printf("%*s%s\n", used < HELP_COLUMN ? HELP_COLUMN - used : 1, "", c->summary);
    }
    (void)printf(
        "\napprovalctl COMMAND --help explains a command, with examples.\n\n"
        "Without --url, $APPROVALD_URL or a url in ~/.config/approvald/approvalctl.conf it\n"
        "speaks with the approvald of this host, over %s.\n"
        "A token is read from --token-file, $APPROVALD_TOKEN_FILE or token_file there;\n"
        "never from the command line.\n\nexit codes:\n",
        CTL_DEFAULT_SOCKET);
    print_exits();
}

/* The options of a command, one a line. */
static void print_option_words(const struct command *command)
{
    enum option own[OPTION_COUNT];
    size_t count = own_options(command->options, NULL, own);

    for (size_t i = 0; i < count; i++) {
        (void)printf("--%s%s\n", options_name(own[i]),
                     options_value_word(own[i]) == NULL ? "" : "=");
    }
}

void command_print_words(int argc, char **argv)
{
    int used = 0;
    const struct command *command = command_find(argc, argv, &used);
    const char *last = "";

    if (command != NULL) {
        print_option_words(command);
        return;
    }
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        if (argc < 2 && strcmp(last, c->words[0]) != 0) {
            (void)printf("%s\n", c->words[0]);
            last = c->words[0];
        } else if (argc == 2 && strcmp(argv[1], c->words[0]) == 0 && c->words[1] != NULL) {
            (void)printf("%s\n", c->words[1]);
        }
    }
}
