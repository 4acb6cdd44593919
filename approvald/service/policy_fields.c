/* SPDX-License-Identifier: Apache-2.0 */
/* policy_fields.c: the fields of policies as text.
 * Owns the stored forms that it makes and which sections were named.
 * Never judges a definition: core/fields.h does. */
#include "approvald/service/policy_fields.h"

#include "approvald/core/fields.h"
#include "approvald/service/limits.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/mem.h"
#include "base/text.h"

#include <string.h>

struct policy_fields {
    size_t count;
    struct buf *stored[SERVICE_POLICY_COUNT_MAX]; /* owned; count of them */
    bool used[SERVICE_POLICY_COUNT_MAX];          /* the index-th section has been named */
};

enum err_code policy_fields_new(struct policy_fields **ret_fields, struct err *err)
{
    *ret_fields = mem_new(1, sizeof **ret_fields);
    return *ret_fields == NULL ? err_set(err, ERR_NOMEM, "fields") : ERR_OK;
}

void policy_fields_free(struct policy_fields *fields)
{
    if (fields == NULL) {
        return;
    }
    for (size_t i = 0; i < fields->count; i++) {
        buf_free(fields->stored[i]);
    }
    mem_free(fields);
}

static enum field_kind kind_of(const char *word)
{
    enum field_kind kind = FIELD_KIND_TEXT;

    while (strcmp(field_kind_word(kind), word) != 0) {
        kind++; /* one of them: the option's choices are the kinds' words */
    }
    return kind;
}

static bool parse_bound(struct span text, int64_t *bound)
{
    bool negative = text.size > 0 && text.data[0] == '-';
    struct span digits = negative ? span_of(text.data + 1, text.size - 1) : text;
    uint64_t number;

    if (text.size == 0) {
        return true; /* the kind's own */
    }
    if (!text_parse_u64(digits, &number) || number > INT64_MAX) {
        return false;
    }
    *bound = negative ? -(int64_t)number : (int64_t)number;
    return true;
}

static enum err_code
read_bounds(const struct conf_section *section, struct form_field *field, struct err *err)
{
    struct span min = span_text(conf_text(section, "min"));
    struct span max = span_text(conf_text(section, "max"));
    bool bounded = field->kind == FIELD_KIND_TEXT || field->kind == FIELD_KIND_NUMBER;

    field_bounds(field->kind, &field->min, &field->max);
    if (!bounded && min.size + max.size > 0) {
        return err_set(err, ERR_INVALID, "field %s: min, max: only a text and a number have them",
                       conf_title(section));
    }
    if (!parse_bound(min, &field->min) || !parse_bound(max, &field->max)) {
        return err_set(err, ERR_INVALID, "field %s: min, max: whole numbers in digits",
                       conf_title(section));
    }
    return ERR_OK;
}

static enum err_code
read_field(const struct conf_section *section, struct form_field *field, struct err *err)
{
    size_t count = conf_list_count(section, "options");

    *field = (struct form_field){.name = span_text(conf_title(section)),
                                 .label = span_text(conf_text(section, "label")),
                                 .hint = span_text(conf_text(section, "hint")),
                                 .placeholder = span_text(conf_text(section, "placeholder")),
                                 .kind = kind_of(conf_text(section, "kind")),
                                 .required = conf_bool(section, "required")};
    ASSERT(count <= CORE_FIELD_OPTION_COUNT_MAX);
    for (size_t i = 0; i < count; i++) {
        field->options[field->option_count++] = span_text(conf_list(section, "options", i));
    }
    if (field->label.size == 0) {
        field->label = field->name;
    }
    return read_bounds(section, field, err);
}

/* The section of that name, or NULL. */
static const struct conf_section *
find(struct policy_fields *fields, const struct conf *conf, const char *name)
{
    const struct conf_section *section;

    for (size_t i = 0; (section = conf_titled(conf, "field", i)) != NULL; i++) {
        ASSERT(i < SERVICE_POLICY_COUNT_MAX);
        if (strcmp(conf_title(section), name) == 0) {
            fields->used[i] = true;
            return section;
        }
    }
    return NULL;
}

static enum err_code keep(struct policy_fields *fields,
                          const struct field_set *set,
                          struct span *ret_stored,
                          struct err *err)
{
    struct buf **stored = &fields->stored[fields->count];
    enum err_code rc;

    ASSERT(fields->count < SERVICE_POLICY_COUNT_MAX);
    rc = buf_new(CORE_FIELD_SET_SIZE_MAX, stored, err);
    if (rc != ERR_OK) {
        return rc;
    }
    fields->count++;
    rc = field_set_encode(set, *stored, err);
    if (rc == ERR_TOO_LARGE) {
        return err_set(err, ERR_INVALID, "fields: all their texts together are at most %d bytes",
                       CORE_FIELD_SET_SIZE_MAX);
    }
    *ret_stored = buf_span(*stored);
    return rc;
}

enum err_code policy_fields_read(struct policy_fields *fields,
                                 const struct conf *conf,
                                 const struct conf_section *policy,
                                 struct span *ret_stored,
                                 struct err *err)
{
    size_t count = conf_list_count(policy, "fields");
    struct field_set set = {.count = 0};
    enum err_code rc = ERR_OK;

    ASSERT(count <= CORE_FIELD_COUNT_MAX);
    *ret_stored = SPAN_NONE;
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        const char *name = conf_list(policy, "fields", i);
        const struct conf_section *section = find(fields, conf, name);

        if (section == NULL) {
            return err_set(err, ERR_INVALID, "fields: there is no section field %s in this text",
                           name);
        }
        rc = read_field(section, &set.items[set.count++], err);
    }
    if (rc == ERR_OK) {
        rc = field_set_check(&set, err); /* before it is stored: its counts are within bounds */
    }
    return rc == ERR_OK && count > 0 ? keep(fields, &set, ret_stored, err) : rc;
}

enum err_code policy_fields_check_used(const struct policy_fields *fields,
                                       const struct conf *conf,
                                       struct err *err)
{
    const struct conf_section *section;

    for (size_t i = 0; (section = conf_titled(conf, "field", i)) != NULL; i++) {
        if (!fields->used[i]) {
            return err_set(err, ERR_INVALID, "%s: field %s: no policy of this text names it",
                           conf_where(section), conf_title(section));
        }
    }
    return ERR_OK;
}
