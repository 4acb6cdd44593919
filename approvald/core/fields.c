/* SPDX-License-Identifier: Apache-2.0 */
/* fields.c: the fields of a policy: which definitions make sense, and which values fit them.
 * Owns the limits of both and the words for them.
 * Never reads a form or a body, never stores; texts are clean before they come here. */
#include "approvald/core/fields.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/text.h"

#include <string.h>

static const char *const kind_words[] = {[FIELD_KIND_TEXT] = "text",
                                         [FIELD_KIND_SELECT] = "select",
                                         [FIELD_KIND_NUMBER] = "number",
                                         [FIELD_KIND_DATE] = "date"};

const char *field_kind_word(enum field_kind kind)
{
    ASSERT(kind >= FIELD_KIND_TEXT);
    ASSERT(kind <= FIELD_KIND_DATE);
    return kind_words[kind];
}

const struct form_field *field_set_find(const struct field_set *set, struct span name)
{
    for (uint32_t i = 0; i < set->count; i++) {
        if (span_equal(set->items[i].name, name)) {
            return &set->items[i];
        }
    }
    return NULL;
}

/* Definitions. */

void field_bounds(enum field_kind kind, int64_t *ret_min, int64_t *ret_max)
{
    *ret_min = 0;
    *ret_max = 0;
    switch (kind) {
    case FIELD_KIND_TEXT:
        *ret_max = CORE_FIELD_VALUE_COUNT_MAX;
        break;
    case FIELD_KIND_NUMBER:
        *ret_min = -CORE_FIELD_NUMBER_MAX;
        *ret_max = CORE_FIELD_NUMBER_MAX;
        break;
    case FIELD_KIND_SELECT:
    case FIELD_KIND_DATE:
        break;
    }
}

static bool name_is_valid(struct span name)
{
    if (name.size == 0 || name.size > CORE_FIELD_NAME_SIZE_MAX || name.data[0] < 'a' ||
        name.data[0] > 'z') {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        char character = name.data[i];
        bool letter = character >= 'a' && character <= 'z';
        bool digit = character >= '0' && character <= '9';

        if (!letter && !digit && character != '_') {
            return false;
        }
    }
    return true;
}

static bool is_plain(char character)
{
    return character != ' ' && character != '\t' && character != '\n';
}

static struct span trim(struct span text)
{
    while (text.size > 0 && !is_plain(text.data[0])) {
        text = span_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && !is_plain(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

/* What an option would become on its way through a form has to be the option. */
static bool is_clean(struct span text)
{
    AUTO_BUF struct buf *clean = NULL;

    return buf_new(CORE_TEXT_SIZE_MAX, &clean, NULL) == ERR_OK &&
           text_clean(clean, text, false, NULL) == ERR_OK && span_equal(text, buf_span(clean)) &&
           span_equal(text, trim(text));
}

static enum err_code check_words(const struct form_field *field, struct err *err)
{
    const struct {
        const char *name;
        struct span text;
        size_t count_max;
    } words[] = {
        {"label", field->label, CORE_FIELD_LABEL_COUNT_MAX},
        {"hint", field->hint, CORE_FIELD_HINT_COUNT_MAX},
        {"placeholder", field->placeholder, CORE_FIELD_HINT_COUNT_MAX},
    };

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!text_is_utf8(words[i].text) || text_count(words[i].text) > words[i].count_max) {
            return err_set(err, ERR_INVALID, "%s: at most %zu characters of UTF-8", words[i].name,
                           words[i].count_max);
        }
        if (!is_clean(words[i].text)) {
            return err_set(err, ERR_INVALID, "%s: one line, without blanks around it",
                           words[i].name);
        }
    }
    return field->label.size > 0 ? ERR_OK : err_set(err, ERR_INVALID, "label: must not be empty");
}

static bool is_repeated(const struct form_field *field, uint32_t index)
{
    for (uint32_t i = 0; i < index; i++) {
        if (span_equal(field->options[i], field->options[index])) {
            return true;
        }
    }
    return false;
}

static enum err_code check_options(const struct form_field *field, struct err *err)
{
    bool select = field->kind == FIELD_KIND_SELECT;

    if (field->option_count > CORE_FIELD_OPTION_COUNT_MAX || (select && field->option_count == 0)) {
        return err_set(err, ERR_INVALID, "options: a select has 1 to %d",
                       CORE_FIELD_OPTION_COUNT_MAX);
    }
    if (!select && field->option_count > 0) {
        return err_set(err, ERR_INVALID, "options: only a select has them");
    }
    for (uint32_t i = 0; i < field->option_count; i++) {
        struct span option = field->options[i];

        if (!text_is_utf8(option) || option.size == 0 || !is_clean(option) ||
            text_count(option) > CORE_FIELD_OPTION_SIZE_MAX) {
            return err_set(err, ERR_INVALID,
                           "options: \"%.*s\" is not 1 to %d characters in one "
                           "line, without blanks around them",
                           SPAN_ARGS(text_prefix(option, 40)), CORE_FIELD_OPTION_SIZE_MAX);
        }
        if (is_repeated(field, i)) {
            return err_set(err, ERR_INVALID, "options: \"%.*s\" is given twice", SPAN_ARGS(option));
        }
    }
    return ERR_OK;
}

static enum err_code check_bounds(const struct form_field *field, struct err *err)
{
    int64_t min;
    int64_t max;

    field_bounds(field->kind, &min, &max);
    if (field->min < min || field->max > max || field->min > field->max) {
        return err_set(err, ERR_INVALID, "min, max: from %lld to %lld, min not above max",
                       (long long)min, (long long)max);
    }
    if (field->kind == FIELD_KIND_TEXT && field->max < 1) {
        return err_set(err, ERR_INVALID, "max: nobody could write anything; at least 1");
    }
    return ERR_OK;
}

static enum err_code check_field(const struct form_field *field, struct err *err)
{
    enum err_code rc;

    if (field->kind < FIELD_KIND_TEXT || field->kind > FIELD_KIND_DATE) {
        return err_set(err, ERR_INVALID, "kind: text, select, number or date");
    }
    rc = check_words(field, err);
    if (rc == ERR_OK) {
        rc = check_options(field, err);
    }
    return rc == ERR_OK ? check_bounds(field, err) : rc;
}

enum err_code field_set_check(const struct field_set *set, struct err *err)
{
    if (set->count > CORE_FIELD_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "fields: at most %d", CORE_FIELD_COUNT_MAX);
    }
    for (uint32_t i = 0; i < set->count; i++) {
        const struct form_field *field = &set->items[i];
        enum err_code rc;

        if (!name_is_valid(field->name)) {
            return err_set(err, ERR_INVALID,
                           "fields: \"%.*s\" is not 1 to %d of a-z, 0-9 and '_', beginning with a "
                           "letter",
                           SPAN_ARGS(text_prefix(field->name, 40)), CORE_FIELD_NAME_SIZE_MAX);
        }
        if (field_set_find(set, field->name) != field) {
            return err_set(err, ERR_INVALID, "fields: %.*s is given twice", SPAN_ARGS(field->name));
        }
        rc = check_field(field, err);
        if (rc != ERR_OK) {
            return err_wrap(err, rc, "field %.*s", SPAN_ARGS(field->name));
        }
    }
    return ERR_OK;
}

static enum err_code
format_options(const struct form_field *field, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < field->option_count; i++) {
        rc = buf_append_format(buf, err, "%s%.*s", i == 0 ? ", " : " | ",
                               SPAN_ARGS(field->options[i]));
    }
    return rc;
}

static enum err_code format_words(const struct form_field *field, struct buf *buf, struct err *err)
{
    enum err_code rc = buf_append_format(buf, err, ", \"%.*s\"", SPAN_ARGS(field->label));

    if (rc == ERR_OK && field->hint.size > 0) {
        rc = buf_append_format(buf, err, ", hint \"%.*s\"", SPAN_ARGS(field->hint));
    }
    if (rc == ERR_OK && field->placeholder.size > 0) {
        rc = buf_append_format(buf, err, ", placeholder \"%.*s\"", SPAN_ARGS(field->placeholder));
    }
    return rc;
}

enum err_code field_set_format(const struct field_set *set, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < set->count; i++) {
        const struct form_field *field = &set->items[i];

        rc = buf_append_format(buf, err, "%s%.*s: %s%s", i == 0 ? "" : "; ", SPAN_ARGS(field->name),
                               field_kind_word(field->kind), field->required ? ", required" : "");
        if (rc == ERR_OK && field->max != 0) {
            rc = buf_append_format(buf, err, ", %lld to %lld", (long long)field->min,
                                   (long long)field->max);
        }
        if (rc == ERR_OK) {
            rc = format_options(field, buf, err);
        }
        if (rc == ERR_OK) {
            rc = format_words(field, buf, err);
        }
    }
    return rc;
}

/* Values. */

static enum err_code judge_text(const struct form_field *field, struct span value, struct err *err)
{
    size_t count = text_count(value);

    if (count > (size_t)field->max) {
        return err_set(err, ERR_INVALID, "at most %lld characters", (long long)field->max);
    }
    if (count < (size_t)field->min) {
        return err_set(err, ERR_INVALID, "at least %lld characters", (long long)field->min);
    }
    return ERR_OK;
}

static enum err_code
judge_select(const struct form_field *field, struct span value, struct err *err)
{
    for (uint32_t i = 0; i < field->option_count; i++) {
        if (span_equal(field->options[i], value)) {
            return ERR_OK;
        }
    }
    return err_set(err, ERR_INVALID, "choose one of the list; \"%.*s\" is not in it",
                   SPAN_ARGS(text_prefix(value, 40)));
}

/* Digits, with a '-' before them at most. */
static bool parse_number(struct span text, int64_t *ret_number)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    struct span digits = negative ? span_of(text.data + 1, text.size - 1) : text;
    uint64_t number;

    if (!text_parse_u64(digits, &number) || number > (uint64_t)CORE_FIELD_NUMBER_MAX) {
        return false;
    }
    *ret_number = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

static enum err_code
judge_number(const struct form_field *field, struct span value, struct err *err)
{
    int64_t number;

    if (!parse_number(value, &number)) {
        return err_set(err, ERR_INVALID, "has to be a whole number, in digits");
    }
    if (number < field->min || number > field->max) {
        return err_set(err, ERR_INVALID, "has to be from %lld to %lld", (long long)field->min,
                       (long long)field->max);
    }
    return ERR_OK;
}

static bool is_date(struct span text)
{
    static const uint64_t days[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    uint64_t year;
    uint64_t month;
    uint64_t day;
    bool leap;

    if (text.size != 10 || text.data[4] != '-' || text.data[7] != '-' ||
        !text_parse_u64(span_of(text.data, 4), &year) ||
        !text_parse_u64(span_of(text.data + 5, 2), &month) ||
        !text_parse_u64(span_of(text.data + 8, 2), &day)) {
        return false;
    }
    leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month >= 1 && month <= 12 && day >= 1 && day <= days[month - 1] &&
           (month != 2 || day < 29 || leap);
}

static enum err_code judge_value(const struct form_field *field, struct span value, struct err *err)
{
    if (value.size > CORE_FIELD_VALUE_SIZE_MAX) {
        return err_set(err, ERR_INVALID, "at most %d characters", CORE_FIELD_VALUE_COUNT_MAX);
    }
    switch (field->kind) {
    case FIELD_KIND_TEXT:
        return judge_text(field, value, err);
    case FIELD_KIND_SELECT:
        return judge_select(field, value, err);
    case FIELD_KIND_NUMBER:
        return judge_number(field, value, err);
    case FIELD_KIND_DATE:
        return is_date(value) ? ERR_OK
                              : err_set(err, ERR_INVALID, "has to be a date such as 2026-01-31");
    }
    return ERR_OK;
}

/* Its place in what is given; the count when it is not there. */
static uint32_t place_of(const struct field_values *given, struct span name)
{
    uint32_t at = 0;

    while (at < given->count && !span_equal(given->items[at].name, name)) {
        at++;
    }
    return at;
}

static enum err_code
judge_names(const struct field_set *set, const struct field_values *given, struct err *err)
{
    for (uint32_t i = 0; i < given->count; i++) {
        struct span name = given->items[i].name;

        if (field_set_find(set, name) == NULL) {
            return err_set(err, ERR_INVALID, "fields.%.*s: the policy has no such field",
                           SPAN_ARGS(text_prefix(name, CORE_FIELD_NAME_SIZE_MAX)));
        }
        if (place_of(given, name) != i) {
            return err_set(err, ERR_INVALID, "fields.%.*s: given twice", SPAN_ARGS(name));
        }
    }
    return ERR_OK;
}

enum err_code field_values_judge(const struct field_set *set,
                                 const struct field_values *given,
                                 struct field_values *ret_values,
                                 struct err *err)
{
    enum err_code rc;

    ASSERT(set->count <= CORE_FIELD_COUNT_MAX);
    ASSERT(given->count <= CORE_FIELD_COUNT_MAX);
    ret_values->count = 0;
    rc = judge_names(set, given, err);
    for (uint32_t i = 0; rc == ERR_OK && i < set->count; i++) {
        const struct form_field *field = &set->items[i];
        uint32_t at = place_of(given, field->name);
        struct span value = at == given->count ? SPAN_NONE : trim(given->items[at].value);

        if (value.size > 0) {
            rc = judge_value(field, value, err);
        } else if (field->required) {
            rc = err_set(err, ERR_INVALID, "must not be empty");
        }
        if (rc != ERR_OK) {
            return err_wrap(err, rc, "fields.%.*s", SPAN_ARGS(field->name));
        }
        if (value.size > 0) {
            ret_values->items[ret_values->count++] =
                (struct field_value){.name = field->name, .label = field->label, .value = value};
        }
    }
    return rc;
}
