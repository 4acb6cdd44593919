/* SPDX-License-Identifier: Apache-2.0 */
/* conf_value.c: the values of options: parsing, limits, defaults.
 * Owns what a size, a duration, a bool and a choice look like.
 * Never knows where a text came from: the caller adds file and line. */
#include "base/conf_internal.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/text.h"

#include <inttypes.h>

struct unit {
    const char *text;
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
static const struct unit duration_units[] = {{"ms", 1},      {"s", 1000},     {"m", 60000},
                                             {"h", 3600000}, {"d", 86400000}, {NULL, 0}};
static const struct unit plain_units[] = {{"", 1}, {NULL, 0}};

/* Digits and a unit. */
static bool parse_units(struct span text, const struct unit *units, uint64_t *ret_number)
{
    size_t digits = 0;
    uint64_t number;

    while (digits < text.size && text.data[digits] >= '0' && text.data[digits] <= '9') {
        digits++;
    }
    if (!text_parse_u64(span_of(text.data, digits), &number)) {
        return false;
    }
    for (; units->text != NULL; units++) {
        if (span_is(span_of(text.data + digits, text.size - digits), units->text)) {
            return !__builtin_mul_overflow(number, units->factor, ret_number);
        }
    }
    return false;
}

static enum err_code parse_number(const struct conf_option *option,
                                  struct span text,
                                  uint64_t *ret_number,
                                  struct err *err)
{
    uint64_t max = option->max == 0 ? UINT64_MAX : option->max;
    const struct unit *units = plain_units;
    const char *form = "an integer";
    uint64_t number;

    if (option->type == CONF_SIZE) {
        units = size_units;
        form = "an integer with nothing, K, M or G behind it";
    } else if (option->type == CONF_DURATION) {
        units = duration_units;
        form = "an integer with ms, s, m, h or d behind it";
    }
    if (!parse_units(text, units, &number)) {
        return err_set(err, ERR_INVALID, "\"%.*s\" is not %s", SPAN_ARGS(text), form);
    }
    if (number < option->min || number > max) {
        return err_set(err, ERR_INVALID, "%.*s is not within %" PRIu64 " and %" PRIu64,
                       SPAN_ARGS(text), option->min, max);
    }
    *ret_number = number;
    return ERR_OK;
}

static enum err_code parse_text(const struct conf_option *option, struct span text, struct err *err)
{
    bool list = option->type == CONF_LIST;
    size_t max = option->max == 0 || list ? CONF_TEXT_SIZE_MAX : option->max;
    size_t min = list ? 0 : option->min;

    if (!text_is_utf8(text)) {
        return err_set(err, ERR_INVALID, "not UTF-8, or a NUL byte");
    }
    if (text.size < min || text.size > max) {
        return err_set(err, ERR_INVALID, "%zu bytes are not within %zu and %zu", text.size, min,
                       max);
    }
    return ERR_OK;
}

static enum err_code
parse_choice(const struct conf_option *option, struct span text, struct err *err)
{
    const char *at = option->choices;

    while (*at != '\0') {
        size_t size = strcspn(at, " ");

        if (span_equal(text, span_of(at, size))) {
            return ERR_OK;
        }
        at += size + strspn(at + size, " ");
    }
    return err_set(err, ERR_INVALID, "\"%.*s\" is not one of: %s", SPAN_ARGS(text),
                   option->choices);
}

enum err_code conf_value_parse(const struct conf_option *option,
                               struct span text,
                               uint64_t *ret_number,
                               struct err *err)
{
    switch (option->type) {
    case CONF_TEXT:
    case CONF_LIST:
        return parse_text(option, text, err);
    case CONF_CHOICE:
        return parse_choice(option, text, err);
    case CONF_NUMBER:
    case CONF_SIZE:
    case CONF_DURATION:
        return parse_number(option, text, ret_number, err);
    case CONF_BOOL:
        break;
    }
    if (!span_is(text, "true") && !span_is(text, "false")) {
        return err_set(err, ERR_INVALID, "\"%.*s\" is neither true nor false", SPAN_ARGS(text));
    }
    *ret_number = span_is(text, "true") ? 1 : 0;
    return ERR_OK;
}

enum err_code conf_value_add(const struct conf_option *option,
                             struct conf_value *value,
                             struct span text,
                             struct err *err)
{
    char **texts;
    enum err_code rc = conf_value_parse(option, text, &value->number, err);

    if (rc != ERR_OK) {
        return rc;
    }
    texts = mem_resize(value->texts, value->count + 1, sizeof *texts);
    if (texts == NULL) {
        return err_set(err, ERR_NOMEM, "configuration");
    }
    value->texts = texts;
    texts[value->count] = mem_copy_text(text.data, text.size);
    if (texts[value->count] == NULL) {
        return err_set(err, ERR_NOMEM, "configuration");
    }
    value->count++;
    return ERR_OK;
}

enum err_code conf_value_check_count(const struct conf_option *option,
                                     const struct conf_value *value,
                                     struct err *err)
{
    uint64_t max = option->max == 0 ? CONF_LIST_COUNT_MAX : option->max;

    if (option->type != CONF_LIST || (value->count >= option->min && value->count <= max)) {
        return ERR_OK;
    }
    return err_set(err, ERR_INVALID, "%zu texts are not within %" PRIu64 " and %" PRIu64,
                   value->count, option->min, max);
}

static enum err_code
fallback_list(const struct conf_option *option, struct conf_value *value, struct err *err)
{
    const char *at = option->fallback + strspn(option->fallback, " ,");
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && *at != '\0') {
        size_t size = strcspn(at, ",");
        size_t shown = size;

        while (shown > 0 && at[shown - 1] == ' ') {
            shown--;
        }
        rc = conf_value_add(option, value, span_of(at, shown), err);
        at += size + strspn(at + size, " ,");
    }
    return rc;
}

enum err_code
conf_value_fallback(const struct conf_option *option, struct conf_value *value, struct err *err)
{
    enum err_code rc;

    if (option->fallback == NULL) {
        return err_set(err, ERR_INVALID, "must be given");
    }
    rc = option->type == CONF_LIST
             ? fallback_list(option, value, err)
             : conf_value_add(option, value, span_text(option->fallback), err);
    ASSERT(rc == ERR_OK || rc == ERR_NOMEM); /* a fallback outside its own limits is our mistake */
    return rc;
}

void conf_value_done(struct conf_value *value)
{
    for (size_t i = 0; i < value->count; i++) {
        mem_free(value->texts[i]);
    }
    mem_free(value->texts);
}
