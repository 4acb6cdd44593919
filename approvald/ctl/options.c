/* SPDX-License-Identifier: Apache-2.0 */
/* options.c: the command line as a structure.
 * Owns the table of options; never knows what a command does with them, never prints.
 * Values are borrowed from argv, which lives as long as the process. */
#include "approvald/ctl/options.h"

#include "base/assert.h"
#include "base/text.h"

#include <string.h>

#define OPTIONS_SECONDS_MAX                                                                        \
    ((uint64_t)366 * OPTIONS_DAY_S) /* nobody waits longer for an answer                           \
                                     */

static const struct {
    const char *name;
    const char *value;
    const char *help;
} table[OPTION_COUNT] = {
#define OPTION_ROW(option, name, value, help) [option] = {name, value, help},
    OPTION_TABLE(OPTION_ROW)
#undef OPTION_ROW
};

const char *options_name(enum option option)
{
    ASSERT(option < OPTION_COUNT);
    return table[option].name;
}

const char *options_value_word(enum option option)
{
    ASSERT(option < OPTION_COUNT);
    return table[option].value;
}

const char *options_help(enum option option)
{
    ASSERT(option < OPTION_COUNT);
    return table[option].help;
}

bool options_among(const enum option *list, enum option option)
{
    ASSERT(list != NULL);
    for (; *list != OPTION_COUNT; list++) {
        if (*list == option) {
            return true;
        }
    }
    return false;
}

static bool find(struct span name, const enum option *allowed, enum option *ret_option)
{
    for (; *allowed != OPTION_COUNT; allowed++) {
        ASSERT(*allowed < OPTION_COUNT);
        if (span_is(name, table[*allowed].name)) {
            *ret_option = *allowed;
            return true;
        }
    }
    return false;
}

static enum err_code take_argument(struct options *options, const char *word, struct err *err)
{
    if (options->argument_count == OPTIONS_ARGUMENT_MAX) {
        return err_set(err, ERR_INVALID, "too many arguments, beginning with '%s'", word);
    }
    options->arguments[options->argument_count++] = word;
    return ERR_OK;
}

static enum err_code
give(struct options *options, const struct options_given *given, struct err *err)
{
    if (options->given_count == OPTIONS_GIVEN_MAX) {
        return err_set(err, ERR_INVALID, "more than %d options", OPTIONS_GIVEN_MAX);
    }
    options->given[options->given_count++] = *given;
    return ERR_OK;
}

/* One option; *index moves past a value that stands in the next word. */
static enum err_code take_option(int argc,
                                 char **argv,
                                 const enum option *allowed,
                                 int *index,
                                 struct options *options,
                                 struct err *err)
{
    const char *word = argv[*index] + 2;
    const char *equals = strchr(word, '=');
    struct span name = span_of(word, equals == NULL ? strlen(word) : (size_t)(equals - word));
    struct options_given given = {.value = equals == NULL ? NULL : equals + 1};

    if (!find(name, allowed, &given.option)) {
        return err_set(err, ERR_INVALID, "no option '--%.*s' here; see --help", SPAN_ARGS(name));
    }
    if (table[given.option].value == NULL && given.value != NULL) {
        return err_set(err, ERR_INVALID, "option '--%s' takes no value", table[given.option].name);
    }
    if (table[given.option].value != NULL && given.value == NULL) {
        if (*index + 1 >= argc) {
            return err_set(err, ERR_INVALID, "option '--%s' needs a value (%s)",
                           table[given.option].name, table[given.option].value);
        }
        *index += 1;
        given.value = argv[*index];
    }
    return give(options, &given, err);
}

enum err_code options_parse(
    int argc, char **argv, const enum option *allowed, struct options *ret_options, struct err *err)
{
    enum err_code rc = ERR_OK;

    *ret_options = (struct options){0};
    for (int i = 0; i < argc && rc == ERR_OK; i++) {
        if (strcmp(argv[i], "--") == 0) {
            ret_options->rest = argv + i + 1;
            return ERR_OK;
        }
        if (strcmp(argv[i], "-h") == 0) {
            return give(ret_options, &(struct options_given){.option = OPTION_HELP}, err);
        }
        if (strncmp(argv[i], "--", 2) == 0) {
            rc = take_option(argc, argv, allowed, &i, ret_options, err);
        } else if (argv[i][0] == '-' && argv[i][1] != '\0') {
            rc = err_set(err, ERR_INVALID, "no option '%s'; options begin with --", argv[i]);
        } else {
            rc = take_argument(ret_options, argv[i], err);
        }
    }
    return rc;
}

bool options_has(const struct options *options, enum option option)
{
    for (size_t i = 0; i < options->given_count; i++) {
        if (options->given[i].option == option) {
            return true;
        }
    }
    return false;
}

const char *options_text(const struct options *options, enum option option)
{
    const char *value = NULL;

    for (size_t i = 0; i < options->given_count; i++) {
        if (options->given[i].option == option) {
            value = options->given[i].value;
        }
    }
    return value;
}

const char *options_nth(const struct options *options, enum option option, size_t index)
{
    for (size_t i = 0; i < options->given_count; i++) {
        if (options->given[i].option == option && index-- == 0) {
            return options->given[i].value;
        }
    }
    return NULL;
}

enum err_code options_number(const struct options *options,
                             enum option option,
                             uint64_t max,
                             uint64_t *ret_number,
                             struct err *err)
{
    const char *text = options_text(options, option);
    uint64_t number;

    if (text == NULL) {
        return ERR_OK;
    }
    if (!text_parse_u64(span_text(text), &number) || number > max) {
        return err_set(err, ERR_INVALID, "--%s: '%s' is not a number within 0 to %llu",
                       table[option].name, text, (unsigned long long)max);
    }
    *ret_number = number;
    return ERR_OK;
}

static uint64_t unit_seconds(char unit)
{
    switch (unit) {
    case 's':
        return 1;
    case 'm':
        return 60;
    case 'h':
        return 3600;
    case 'd':
        return OPTIONS_DAY_S;
    default:
        return 0;
    }
}

enum err_code
options_seconds(const struct options *options, enum option option, uint64_t *ret_s, struct err *err)
{
    const char *text = options_text(options, option);
    size_t size = text == NULL ? 0 : strlen(text);
    uint64_t unit;
    uint64_t number;

    if (text == NULL) {
        return ERR_OK;
    }
    unit = size == 0 ? 0 : unit_seconds(text[size - 1]);
    if (unit == 0 || !text_parse_u64(span_of(text, size - 1), &number) ||
        number > OPTIONS_SECONDS_MAX / unit) {
        return err_set(err, ERR_INVALID,
                       "--%s: '%s' is not a time up to 366d; write 90s, 10m, 2h or 1d",
                       table[option].name, text);
    }
    *ret_s = number * unit;
    return ERR_OK;
}
