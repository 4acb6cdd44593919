/* SPDX-License-Identifier: Apache-2.0 */
/* views_fields.c: a policy's own fields in the form with which people ask.
 * Owns how each kind looks in Slack.
 * Never judges a value: the service does, where the policy is. */
#include "approvald/slack/show/views_fields.h"

#include "approvald/slack/show/views_internal.h"
#include "approvald/slack/wire/payload.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BLOCK_SIZE_MAX (sizeof VIEW_FIELDS_PREFIX + CORE_FIELD_NAME_SIZE_MAX)

static void add_number(struct json *element, const char *name, int64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof text, "%" PRId64, number); /* fits */
    json_add_text(element, name, span_text(text));
}

static void add_options(struct json *element, const struct form_field *field)
{
    struct json *options = json_add_array(element, "options");

    for (uint32_t i = 0; i < field->option_count; i++) {
        struct json *option = json_add_object(options, NULL);

        view_add_plain(option, "text", field->options[i]);
        json_add_text(option, "value", field->options[i]);
    }
}

static void fill_element(struct json *element, const struct form_field *field)
{
    static const char *const types[] = {[FIELD_KIND_TEXT] = "plain_text_input",
                                        [FIELD_KIND_SELECT] = "static_select",
                                        [FIELD_KIND_NUMBER] = "number_input",
                                        [FIELD_KIND_DATE] = "datepicker"};

    json_add_text(element, "type", span_text(types[field->kind]));
    if (field->placeholder.size > 0) {
        view_add_plain(element, "placeholder", field->placeholder);
    }
    switch (field->kind) {
    case FIELD_KIND_TEXT:
        json_add_u64(element, "min_length", (uint64_t)field->min);
        json_add_u64(element, "max_length", (uint64_t)field->max);
        break;
    case FIELD_KIND_SELECT:
        add_options(element, field);
        break;
    case FIELD_KIND_NUMBER:
        json_add_bool(element, "is_decimal_allowed", false);
        add_number(element, "min_value", field->min);
        add_number(element, "max_value", field->max);
        break;
    case FIELD_KIND_DATE:
        break;
    }
}

static void
add_field(struct json *blocks, const struct policy *policy, const struct form_field *field)
{
    char id[BLOCK_SIZE_MAX];
    struct json *block;
    struct json *element;

    (void)snprintf(id, sizeof id, VIEW_FIELDS_PREFIX "%.*s", SPAN_ARGS(field->name)); /* fits */
    block = view_add_block(blocks, "input", id);
    json_add_bool(block, "optional", !field->required);
    view_add_plain(block, "label", field->label);
    if (field->hint.size > 0) {
        view_add_plain(block, "hint", field->hint);
    }
    element = json_add_object(block, "element");
    json_add_text(element, "action_id", policy->name);
    fill_element(element, field);
}

void view_fields_add(struct json *blocks, const struct policy *policy)
{
    struct field_set set;

    if (field_set_decode(policy->fields, &set, NULL) != ERR_OK) {
        return; /* not so: the policy's record would not have decoded */
    }
    for (uint32_t i = 0; i < set.count; i++) {
        add_field(blocks, policy, &set.items[i]);
    }
}

/* What was typed, chosen or picked, or empty. */
static struct span value_of(const struct json *action)
{
    static const char *const places[] = {"value", "selected_option.value", "selected_date"};
    struct span value = SPAN_NONE;

    for (size_t i = 0; value.size == 0 && i < sizeof places / sizeof places[0]; i++) {
        value = json_text(action, places[i]);
    }
    return value;
}

enum err_code
view_fields_read(const struct payload *payload, struct field_values *ret_values, struct err *err)
{
    struct field_values values = {.count = 0};
    size_t prefix = strlen(VIEW_FIELDS_PREFIX);

    for (const struct json *at = json_first(payload->values); at != NULL; at = json_next(at)) {
        struct span block = span_text(json_name(at));
        struct field_value item = {.value = value_of(json_first(at))};

        if (block.size <= prefix || memcmp(block.data, VIEW_FIELDS_PREFIX, prefix) != 0) {
            continue;
        }
        item.name = span_of(block.data + prefix, block.size - prefix);
        if (values.count == CORE_FIELD_COUNT_MAX || item.name.size > CORE_FIELD_NAME_SIZE_MAX) {
            return err_set(err, ERR_INVALID, "policy: the form is not one of ours; open it again");
        }
        if (item.value.size > CORE_FIELD_VALUE_SIZE_MAX) {
            return err_set(err, ERR_INVALID, "%.*s: at most %d characters", SPAN_ARGS(block),
                           CORE_FIELD_VALUE_COUNT_MAX);
        }
        values.items[values.count++] = item;
    }
    *ret_values = values;
    return ERR_OK;
}

bool view_fields_match(const struct field_values *values, const struct policy *policy)
{
    struct field_set set;

    if (field_set_decode(policy->fields, &set, NULL) != ERR_OK || set.count != values->count) {
        return false;
    }
    for (uint32_t i = 0; i < values->count; i++) {
        if (field_set_find(&set, values->items[i].name) == NULL) {
            return false;
        }
    }
    return true;
}
