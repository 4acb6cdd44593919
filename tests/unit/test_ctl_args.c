/* SPDX-License-Identifier: Apache-2.0 */
/* test_ctl_args.c: proves ctl/options and the table of commands.
 * Owns nothing but its cases; never runs a command of approvalctl. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/options.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static const enum option allowed[] = {OPTION_JSON,    OPTION_REASON, OPTION_ENV,
                                      OPTION_TIMEOUT, OPTION_LIMIT,  OPTION_COUNT};

/* getopt's way: argv holds char *, which options_parse never writes to. */
static enum err_code
parse(const char *const *words, size_t count, struct options *ret_options, struct err *err)
{
    static char copies[16][64];
    static char *argv[17]; /* the options point into it */

    memset(argv, 0, sizeof argv);
    for (size_t i = 0; i < count; i++) {
        (void)strncpy(copies[i], words[i], sizeof copies[i] - 1);
        copies[i][sizeof copies[i] - 1] = '\0';
        argv[i] = copies[i];
    }
    return options_parse((int)count, argv, allowed, ret_options, err);
}

#define PARSE(options, err, ...)                                                                   \
    parse((const char *const[]){__VA_ARGS__},                                                      \
          sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *), (options), (err))

static void options_and_arguments_may_be_mixed(void)
{
    struct options options;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(PARSE(&options, &err, "--json", "one", "--reason", "why", "two"), ERR_OK);
    CU_ASSERT_TRUE(options_has(&options, OPTION_JSON));
    CU_ASSERT_FALSE(options_has(&options, OPTION_LIMIT));
    CU_ASSERT_STRING_EQUAL(options_text(&options, OPTION_REASON), "why");
    CU_ASSERT_EQUAL_FATAL(options.argument_count, 2);
    CU_ASSERT_STRING_EQUAL(options.arguments[1], "two");
    CU_ASSERT_PTR_NULL(options.rest);
}

static void values_may_stand_behind_an_equals_sign(void)
{
    struct options options;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(PARSE(&options, &err, "--reason=a=b", "--reason="), ERR_OK);
    CU_ASSERT_STRING_EQUAL(options_nth(&options, OPTION_REASON, 0), "a=b");
    CU_ASSERT_STRING_EQUAL(options_text(&options, OPTION_REASON), "");
    CU_ASSERT_PTR_NULL(options_nth(&options, OPTION_REASON, 2));
}

static void a_double_dash_ends_the_options(void)
{
    struct options options;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(PARSE(&options, &err, "--env", "A", "--", "sh", "--json"), ERR_OK);
    CU_ASSERT_FALSE(options_has(&options, OPTION_JSON));
    if (options.rest == NULL) {
        CU_FAIL("nothing behind the dashes");
        return;
    }
    CU_ASSERT_STRING_EQUAL(options.rest[0], "sh");
    CU_ASSERT_STRING_EQUAL(options.rest[1], "--json");
    CU_ASSERT_PTR_NULL(options.rest[2]);
}

static void what_is_wrong_is_refused_by_name(void)
{
    struct options options;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(PARSE(&options, &err, "--nonsense"), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "--nonsense"));
    CU_ASSERT_EQUAL(PARSE(&options, &err, "--policy", "p"), ERR_INVALID); /* not of this command */
    CU_ASSERT_EQUAL(PARSE(&options, &err, "--json=yes"), ERR_INVALID);
    CU_ASSERT_EQUAL(PARSE(&options, &err, "--reason"), ERR_INVALID);
    CU_ASSERT_EQUAL(PARSE(&options, &err, "-x"), ERR_INVALID);
    CU_ASSERT_EQUAL(PARSE(&options, &err, "1", "2", "3", "4", "5", "6", "7", "8", "9"),
                    ERR_INVALID);
}

/* Any option may be any command's: nothing depends on where it stands in the table. */
static void every_option_can_be_taken(void)
{
    static char word[64];
    static char value[] = "1";
    char *argv[] = {word, value, NULL};

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        enum option one[] = {(enum option)i, OPTION_COUNT};
        enum option other[] = {(enum option)((i + 1) % OPTION_COUNT), OPTION_COUNT};
        bool valued = options_value_word((enum option)i) != NULL;
        struct options options;
        struct err err = ERR_INIT;

        (void)snprintf(word, sizeof word, "--%s", options_name((enum option)i));
        CU_ASSERT_EQUAL(options_parse(valued ? 2 : 1, argv, one, &options, &err), ERR_OK);
        CU_ASSERT_TRUE(options_has(&options, (enum option)i));
        CU_ASSERT_EQUAL(options_parse(valued ? 2 : 1, argv, other, &options, &err), ERR_INVALID);
    }
}

/* Each list names an option once, and an option that no command takes would be a dead word. */
static void every_option_is_some_command_s(void)
{
    size_t takers[OPTION_COUNT] = {0};

    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        size_t in_this[OPTION_COUNT] = {0};

        for (const enum option *at = c->options; *at != OPTION_COUNT; at++) {
            CU_ASSERT_FATAL(*at < OPTION_COUNT);
            CU_ASSERT_EQUAL(in_this[*at]++, 0);
            takers[*at]++;
        }
    }
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        CU_ASSERT_NOT_EQUAL(takers[i], 0);
    }
}

static void one_option_too_many_is_refused(void)
{
    static char json[] = "--json";
    static char help[] = "-h";
    char *argv[OPTIONS_GIVEN_MAX + 2] = {NULL};
    struct options options;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < OPTIONS_GIVEN_MAX; i++) {
        argv[i] = json;
    }
    CU_ASSERT_EQUAL(options_parse(OPTIONS_GIVEN_MAX, argv, allowed, &options, &err), ERR_OK);
    argv[OPTIONS_GIVEN_MAX] = json;
    CU_ASSERT_EQUAL(options_parse(OPTIONS_GIVEN_MAX + 1, argv, allowed, &options, &err),
                    ERR_INVALID);
    argv[OPTIONS_GIVEN_MAX] = help; /* the short form counts as well */
    CU_ASSERT_EQUAL(options_parse(OPTIONS_GIVEN_MAX + 1, argv, allowed, &options, &err),
                    ERR_INVALID);
}

static enum err_code seconds(const char *text, uint64_t *ret_s)
{
    struct options options;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(PARSE(&options, &err, "--timeout", text), ERR_OK);
    return options_seconds(&options, OPTION_TIMEOUT, ret_s, &err);
}

static void times_have_units_and_bounds(void)
{
    uint64_t s = 7;

    CU_ASSERT_EQUAL(seconds("90s", &s), ERR_OK);
    CU_ASSERT_EQUAL(s, 90);
    CU_ASSERT_EQUAL(seconds("2h", &s), ERR_OK);
    CU_ASSERT_EQUAL(s, 7200);
    CU_ASSERT_EQUAL(seconds("366d", &s), ERR_OK);
    CU_ASSERT_EQUAL(s, UINT64_C(366) * 86400);
    CU_ASSERT_EQUAL(seconds("367d", &s), ERR_INVALID);
    CU_ASSERT_EQUAL(seconds("18446744073709551615d", &s), ERR_INVALID);
    CU_ASSERT_EQUAL(seconds("10", &s), ERR_INVALID);
    CU_ASSERT_EQUAL(seconds("-1s", &s), ERR_INVALID);
    CU_ASSERT_EQUAL(seconds("s", &s), ERR_INVALID);
    CU_ASSERT_EQUAL(seconds("", &s), ERR_INVALID);
}

static void numbers_are_bounded(void)
{
    struct options options;
    struct err err = ERR_INIT;
    uint64_t number = 5;

    CU_ASSERT_EQUAL(PARSE(&options, &err, "--limit", "100"), ERR_OK);
    CU_ASSERT_EQUAL(options_number(&options, OPTION_LIMIT, 100, &number, &err), ERR_OK);
    CU_ASSERT_EQUAL(number, 100);
    CU_ASSERT_EQUAL(options_number(&options, OPTION_LIMIT, 99, &number, &err), ERR_INVALID);
    CU_ASSERT_EQUAL(options_number(&options, OPTION_RATE, 99, &number, &err), ERR_OK);
    CU_ASSERT_EQUAL(number, 100);
}

static void every_command_is_found_by_its_words(void)
{
    static char program[] = "approvalctl";
    static char first[64];
    static char second[64];

    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        char *argv[] = {program, first, second, NULL};
        int used = 0;

        (void)strncpy(first, c->words[0], sizeof first - 1);
        (void)strncpy(second, c->words[1] == NULL ? "--json" : c->words[1], sizeof second - 1);
        CU_ASSERT_PTR_EQUAL(command_find(3, argv, &used), c);
        CU_ASSERT_EQUAL(used, c->words[1] == NULL ? 1 : 2);
    }
}

static void options_may_stand_before_the_command(void)
{
    static char words[][32] = {"approvalctl", "--url=u", "--token-file", "f",
                               "token",       "list",    "--",           "--json"};
    static const int order[] = {0, 4, 5, 1, 2, 3, 6, 7};
    char *argv[9] = {NULL};
    char *ordered[9] = {NULL};

    for (size_t i = 0; i < 8; i++) {
        argv[i] = words[i];
    }
    command_order(8, argv, ordered);
    for (size_t i = 0; i < 8; i++) {
        CU_ASSERT_PTR_EQUAL(ordered[i], words[order[i]]);
    }
    command_order(1, argv, ordered);
    CU_ASSERT_PTR_EQUAL(ordered[0], words[0]);
    argv[3] = NULL;
    command_order(3, argv, ordered); /* ends in an option that lacks its value and its command */
    CU_ASSERT_PTR_NULL(ordered[3]);
}

static void every_command_has_help_with_an_example(void)
{
    for (const struct command *c = command_first(); c != NULL; c = command_next(c)) {
        CU_ASSERT_PTR_NOT_NULL(strstr(c->help, "approvalctl "));
        CU_ASSERT_EQUAL(c->help[strlen(c->help) - 1], '\n');
        CU_ASSERT_TRUE(options_among(c->options, OPTION_HELP));
        CU_ASSERT_TRUE(options_among(c->options, OPTION_JSON));
    }
}

UNIT_MAIN("ctl_args",
          {"options and arguments may be mixed", options_and_arguments_may_be_mixed},
          {"values may stand behind an equals sign", values_may_stand_behind_an_equals_sign},
          {"a double dash ends the options", a_double_dash_ends_the_options},
          {"what is wrong is refused by name", what_is_wrong_is_refused_by_name},
          {"every option can be taken", every_option_can_be_taken},
          {"every option is some command's", every_option_is_some_command_s},
          {"one option too many is refused", one_option_too_many_is_refused},
          {"times have units and bounds", times_have_units_and_bounds},
          {"numbers are bounded", numbers_are_bounded},
          {"every command is found by its words", every_command_is_found_by_its_words},
          {"options may stand before the command", options_may_stand_before_the_command},
          {"every command has help with an example", every_command_has_help_with_an_example})
