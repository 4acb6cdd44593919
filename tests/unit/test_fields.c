/* SPDX-License-Identifier: Apache-2.0 */
/* test_fields.c: proves approvald/core/fields: definitions, values, their stored forms.
 * Owns nothing but its cases. Never touches a store. */
#include "approvald/core/fields.h"
#include "base/buf.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

static struct form_field field_of(enum field_kind kind, const char *name)
{
    struct form_field field = {.name = span_text(name), .label = span_text("Label"), .kind = kind};

    field_bounds(kind, &field.min, &field.max);
    if (kind == FIELD_KIND_SELECT) {
        field.option_count = 2;
        field.options[0] = SPAN_LITERAL("staging");
        field.options[1] = SPAN_LITERAL("prod <!channel>");
    }
    return field;
}

static struct field_set all_kinds(void)
{
    struct field_set set = {.count = 4};

    set.items[0] = field_of(FIELD_KIND_SELECT, "env");
    set.items[0].required = true;
    set.items[0].hint = SPAN_LITERAL("Where it goes.");
    set.items[1] = field_of(FIELD_KIND_TEXT, "ticket");
    set.items[1].min = 3;
    set.items[1].max = 8;
    set.items[1].placeholder = SPAN_LITERAL("OPS-1");
    set.items[2] = field_of(FIELD_KIND_NUMBER, "hosts");
    set.items[2].min = -2;
    set.items[2].max = 12;
    set.items[3] = field_of(FIELD_KIND_DATE, "due");
    return set;
}

/* What the message says of a single value beside a good environment; NULL: it fits. */
static const char *judged(const char *name, const char *value, char message[ERR_MESSAGE_SIZE])
{
    struct field_set set = all_kinds();
    struct field_values given = {
        .count = 2,
        .items = {{.name = SPAN_LITERAL("env"), .value = SPAN_LITERAL("staging")},
                  {.name = span_text(name), .value = span_text(value)}}};
    struct field_values values;
    struct err err = ERR_INIT;

    if (strcmp(name, "env") == 0) {
        given.items[0] = given.items[1];
        given.count = 1;
    }
    if (field_values_judge(&set, &given, &values, &err) == ERR_OK) {
        return NULL;
    }
    CU_ASSERT_EQUAL(err.code, ERR_INVALID);
    memcpy(message, err.message, ERR_MESSAGE_SIZE);
    return message;
}

static void fits(const char *name, const char *value)
{
    char message[ERR_MESSAGE_SIZE];

    CU_ASSERT_PTR_NULL(judged(name, value, message));
}

static void refused(const char *name, const char *value, const char *part)
{
    char message[ERR_MESSAGE_SIZE];
    char start[64];
    const char *said = judged(name, value, message);

    (void)snprintf(start, sizeof start, "fields.%s: ", name); /* fits */
    CU_ASSERT_PTR_NOT_NULL_FATAL(said);
    if (said != NULL) {
        CU_ASSERT_EQUAL(strncmp(said, start, strlen(start)), 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(said, part));
    }
}

static void values_are_judged_by_their_kind(void)
{
    fits("env", "prod <!channel>");
    refused("env", "production", "choose one of the list");
    refused("env", "Staging", "choose one of the list");
    refused("env", "  ", "must not be empty");
    fits("ticket", "OPS-12");
    fits("ticket", "  OPS ");
    fits("ticket", "\xc3\xa4\xc3\xb6\xc3\xbc"); /* characters are counted, not bytes */
    fits("ticket", "");
    refused("ticket", "ab", "at least 3 characters");
    refused("ticket", "123456789", "at most 8 characters");
    fits("hosts", "12");
    fits("hosts", "-2");
    fits("hosts", "007");
    refused("hosts", "13", "from -2 to 12");
    refused("hosts", "-3", "from -2 to 12");
    refused("hosts", "1.5", "whole number");
    refused("hosts", "+1", "whole number");
    refused("hosts", "-", "whole number");
    refused("hosts", "1e1", "whole number");
    refused("hosts", "99999999999999999999", "whole number");
    fits("due", "2028-02-29");
    fits("due", "2000-02-29");
    refused("due", "2027-02-29", "a date such as");
    refused("due", "2100-02-29", "a date such as");
    refused("due", "2026-13-01", "a date such as");
    refused("due", "2026-00-01", "a date such as");
    refused("due", "2026-04-31", "a date such as");
    refused("due", "2026-4-3", "a date such as");
    refused("due", "26-04-2026", "a date such as");
    refused("due", "2026-04-00", "a date such as");
    refused("nothing", "x", "no such field");
    refused("", "x", "no such field");
}

static void a_value_given_twice_is_refused(void)
{
    struct field_set set = all_kinds();
    struct field_values given = {
        .count = 2,
        .items = {{.name = SPAN_LITERAL("env"), .value = SPAN_LITERAL("staging")},
                  {.name = SPAN_LITERAL("env"), .value = SPAN_LITERAL("staging")}}};
    struct field_values values;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(field_values_judge(&set, &given, &values, &err), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(err.message, "fields.env: given twice");
}

static void what_is_kept_is_in_the_policys_order_with_labels(void)
{
    struct field_set set = all_kinds();
    struct field_values given = {
        .count = 3,
        .items = {{.name = SPAN_LITERAL("due"), .value = SPAN_LITERAL(" 2026-01-31 ")},
                  {.name = SPAN_LITERAL("ticket"), .value = SPAN_LITERAL(" \t")},
                  {.name = SPAN_LITERAL("env"), .value = SPAN_LITERAL("staging")}}};
    struct field_values values;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(field_values_judge(&set, &given, &values, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(values.count, 2); /* an empty one is not kept */
    CU_ASSERT(span_is(values.items[0].name, "env") && span_is(values.items[0].label, "Label"));
    CU_ASSERT(span_is(values.items[1].name, "due") && span_is(values.items[1].value, "2026-01-31"));
}

static void without_fields_only_nothing_fits(void)
{
    const struct field_set none = {.count = 0};
    struct field_values given = {.count = 0};
    struct field_values values;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(field_values_judge(&none, &given, &values, &err), ERR_OK);
    CU_ASSERT_EQUAL(values.count, 0);
    given.count = 1;
    given.items[0] = (struct field_value){.name = SPAN_LITERAL("env"), .value = SPAN_LITERAL("x")};
    CU_ASSERT_EQUAL(field_values_judge(&none, &given, &values, &err), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(err.message, "fields.env: the policy has no such field");
}

/* The only field is wrong in the way that the message begins with. */
static void ill_defined(struct form_field field, const char *part)
{
    struct field_set set = {.count = 1};
    struct err err = ERR_INIT;

    set.items[0] = field;
    CU_ASSERT_EQUAL(field_set_check(&set, &err), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, part));
}

static void definitions_have_their_limits(void)
{
    static char long_text[400];
    struct field_set set = all_kinds();
    struct form_field field;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(field_set_check(&set, &err), ERR_OK);
    memset(long_text, 'x', sizeof long_text - 1);
    ill_defined(field_of(FIELD_KIND_TEXT, "Env"), "\"Env\" is not");
    ill_defined(field_of(FIELD_KIND_TEXT, "1st"), "is not");
    ill_defined(field_of(FIELD_KIND_TEXT, ""), "is not");
    ill_defined(field_of(FIELD_KIND_TEXT, long_text), "is not");
    field = field_of(FIELD_KIND_TEXT, "env");
    field.label = span_text(long_text);
    ill_defined(field, "field env: label: at most");
    field.label = SPAN_LITERAL("");
    ill_defined(field, "field env: label");
    field.label = SPAN_LITERAL("two\nlines");
    ill_defined(field, "field env: label");
    field = field_of(FIELD_KIND_TEXT, "env");
    field.hint = span_text(long_text);
    ill_defined(field, "field env: hint: at most");
    field.hint = SPAN_LITERAL("\x1b[31mred");
    ill_defined(field, "field env: hint: one line");
    field.hint = SPAN_NONE;
    field.placeholder = SPAN_LITERAL(" ");
    ill_defined(field, "field env: placeholder: one line");
    field = field_of(FIELD_KIND_TEXT, "env");
    field.option_count = 1;
    ill_defined(field, "only a select");
    field.option_count = 0;
    field.max = CORE_FIELD_VALUE_COUNT_MAX + 1;
    ill_defined(field, "min, max: from 0 to 300");
    field.max = 0;
    ill_defined(field, "max: nobody could write anything");
    field.max = 2;
    field.min = 3;
    ill_defined(field, "min, max");
    field = field_of(FIELD_KIND_SELECT, "env");
    field.options[1] = field.options[0];
    ill_defined(field, "\"staging\" is given twice");
    field.options[1] = SPAN_LITERAL("a\xe2\x80\xae");
    ill_defined(field, "options");
    field.options[1] = SPAN_LITERAL(" a");
    ill_defined(field, "options");
    field.options[1] = span_text(long_text);
    ill_defined(field, "options");
    field.option_count = 0;
    ill_defined(field, "a select has 1 to 50");
    set.items[3].name = SPAN_LITERAL("env");
    CU_ASSERT_EQUAL(field_set_check(&set, &err), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(err.message, "fields: env is given twice");
}

static void stored_forms_come_back_and_nothing_else_decodes(void)
{
    AUTO_BUF struct buf *bytes = NULL;
    AUTO_BUF struct buf *again = NULL;
    struct field_set set = all_kinds();
    struct field_set back;
    struct field_values values;
    struct err err = ERR_INIT;
    struct span whole;

    CU_ASSERT_EQUAL_FATAL(buf_new(CORE_FIELD_SET_SIZE_MAX, &bytes, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(buf_new(CORE_FIELD_SET_SIZE_MAX, &again, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(field_set_encode(&set, bytes, &err), ERR_OK);
    whole = buf_span(bytes);
    CU_ASSERT_EQUAL_FATAL(field_set_decode(whole, &back, &err), ERR_OK);
    CU_ASSERT(back.count == 4 && back.items[2].min == -2 && back.items[0].required);
    CU_ASSERT(span_is(back.items[0].options[1], "prod <!channel>"));
    CU_ASSERT_EQUAL(field_set_encode(&back, again, &err), ERR_OK);
    CU_ASSERT(span_equal(whole, buf_span(again)));
    for (size_t cut = 1; cut < whole.size; cut++) {
        CU_ASSERT_EQUAL(field_set_decode(span_of(whole.data, cut), &back, &err), ERR_CORRUPT);
    }
    CU_ASSERT_EQUAL(field_set_decode(SPAN_LITERAL("\x00"), &back, &err), ERR_CORRUPT);
    CU_ASSERT_EQUAL(field_set_decode(SPAN_LITERAL("\x07"), &back, &err), ERR_CORRUPT);
    CU_ASSERT_EQUAL(field_values_decode(SPAN_LITERAL("\x00"), &values, &err), ERR_CORRUPT);
    CU_ASSERT_EQUAL(field_values_decode(SPAN_NONE, &values, &err), ERR_OK);
    CU_ASSERT_EQUAL(values.count, 0);
    values.count = 1;
    values.items[0] = (struct field_value){
        .name = SPAN_LITERAL("env"), .label = SPAN_LITERAL("Env"), .value = SPAN_LITERAL("prod")};
    buf_clear(bytes);
    CU_ASSERT_EQUAL(field_values_encode(&values, bytes, &err), ERR_OK);
    CU_ASSERT_EQUAL(field_values_decode(buf_span(bytes), &values, &err), ERR_OK);
    CU_ASSERT(values.count == 1 && span_is(values.items[0].value, "prod"));
}

static void they_are_told_in_one_line(void)
{
    AUTO_BUF struct buf *text = NULL;
    struct field_set set = all_kinds();
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(CORE_FIELD_SET_SIZE_MAX, &text, &err), ERR_OK);
    CU_ASSERT_EQUAL(field_set_format(&set, text, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(
        buf_text(text),
        "env: select, required, staging | prod <!channel>, \"Label\", hint \"Where it goes.\"; "
        "ticket: text, 3 to 8, \"Label\", placeholder \"OPS-1\"; hosts: number, -2 to 12, "
        "\"Label\"; due: date, \"Label\"");
}

UNIT_MAIN("fields",
          {"values are judged by their kind", values_are_judged_by_their_kind},
          {"a value given twice is refused", a_value_given_twice_is_refused},
          {"what is kept is in the policy's order, with labels",
           what_is_kept_is_in_the_policys_order_with_labels},
          {"without fields only nothing fits", without_fields_only_nothing_fits},
          {"definitions have their limits", definitions_have_their_limits},
          {"stored forms come back and nothing else decodes",
           stored_forms_come_back_and_nothing_else_decodes},
          {"they are told in one line", they_are_told_in_one_line})
