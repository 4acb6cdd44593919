/* SPDX-License-Identifier: Apache-2.0 */
/* conf.c: the configuration once it is loaded: sections, getters.
 * Owns a struct conf and its sections.
 * Never changes one that was handed over, never reads a file (conf_load.c does). */
#include "base/conf.h"

#include "base/assert.h"
#include "base/conf_internal.h"
#include "base/mem.h"

#include <string.h>

bool conf_is_titled(const struct conf_schema *schema, const char *section)
{
    bool titled = false;

    for (size_t i = 0; schema->titled != NULL && schema->titled[i] != NULL && !titled; i++) {
        titled = strcmp(schema->titled[i], section) == 0;
    }
    return titled;
}

size_t conf_option_count(const struct conf_schema *schema, const char *section)
{
    size_t count = 0;

    for (const struct conf_option *at = schema->options; at->name != NULL; at++) {
        count += strcmp(at->section, section) == 0;
    }
    return count;
}

const struct conf_option *
conf_option_at(const struct conf_schema *schema, const char *section, size_t index)
{
    const struct conf_option *at = schema->options;

    while (at->name != NULL && (strcmp(at->section, section) != 0 || index > 0)) {
        index -= strcmp(at->section, section) == 0;
        at++;
    }
    ASSERT(at->name != NULL);
    return at;
}

void conf_free(struct conf *conf)
{
    struct conf_section *section;

    if (conf == NULL) {
        return;
    }
    while ((section = STAILQ_FIRST(&conf->sections)) != NULL) {
        STAILQ_REMOVE_HEAD(&conf->sections, link);
        for (size_t i = 0; i < section->option_count; i++) {
            conf_value_done(&section->values[i]);
        }
        mem_free(section->title);
        mem_free(section->where);
        mem_free(section);
    }
    mem_free(conf);
}

static const struct conf_section *
find_section(const struct conf *conf, const char *name, size_t index)
{
    const struct conf_section *section = STAILQ_FIRST(&conf->sections);

    while (section != NULL && (strcmp(section->name, name) != 0 || index > 0)) {
        index -= strcmp(section->name, name) == 0;
        section = STAILQ_NEXT(section, link);
    }
    return section;
}

const struct conf_section *conf_section(const struct conf *conf, const char *name)
{
    const struct conf_section *section = find_section(conf, name, 0);

    ASSERT(!conf_is_titled(conf->schema, name));
    ASSERT(section != NULL);
    return section;
}

const struct conf_section *conf_titled(const struct conf *conf, const char *name, size_t index)
{
    ASSERT(conf_is_titled(conf->schema, name));
    return find_section(conf, name, index);
}

const char *conf_title(const struct conf_section *section)
{
    return section->title;
}

const char *conf_where(const struct conf_section *section)
{
    return section->where;
}

/* The value of an option that exists, and its type. */
static const struct conf_value *
find_value(const struct conf_section *section, const char *name, enum conf_type *ret_type)
{
    const struct conf_option *option = NULL;
    size_t index = 0;

    for (; index < section->option_count; index++) {
        option = conf_option_at(section->schema, section->name, index);
        if (strcmp(option->name, name) == 0) {
            break;
        }
    }
    ASSERT(index < section->option_count);
    *ret_type = option->type;
    return &section->values[index];
}

const char *conf_text(const struct conf_section *section, const char *name)
{
    enum conf_type type;
    const struct conf_value *value = find_value(section, name, &type);

    ASSERT(type == CONF_TEXT || type == CONF_CHOICE);
    return value->texts[0];
}

uint64_t conf_number(const struct conf_section *section, const char *name)
{
    enum conf_type type;
    const struct conf_value *value = find_value(section, name, &type);

    ASSERT(type == CONF_NUMBER || type == CONF_SIZE || type == CONF_DURATION);
    return value->number;
}

bool conf_bool(const struct conf_section *section, const char *name)
{
    enum conf_type type;
    const struct conf_value *value = find_value(section, name, &type);

    ASSERT(type == CONF_BOOL);
    return value->number != 0;
}

size_t conf_list_count(const struct conf_section *section, const char *name)
{
    enum conf_type type;
    const struct conf_value *value = find_value(section, name, &type);

    ASSERT(type == CONF_LIST);
    return value->count;
}

const char *conf_list(const struct conf_section *section, const char *name, size_t index)
{
    enum conf_type type;
    const struct conf_value *value = find_value(section, name, &type);

    ASSERT(type == CONF_LIST);
    ASSERT(index < value->count);
    return value->texts[index];
}

static bool texts_differ(const struct conf_value *a, const struct conf_value *b)
{
    if (a->count != b->count) {
        return true;
    }
    for (size_t i = 0; i < a->count; i++) {
        if (strcmp(a->texts[i], b->texts[i]) != 0) {
            return true;
        }
    }
    return false;
}

bool conf_differs(const struct conf *a, const struct conf *b, const char *section, const char *name)
{
    enum conf_type type;
    const struct conf_value *one = find_value(conf_section(a, section), name, &type);
    const struct conf_value *other = find_value(conf_section(b, section), name, &type);

    ASSERT(a->schema == b->schema);
    switch (type) {
    case CONF_TEXT:
    case CONF_CHOICE:
    case CONF_LIST:
        return texts_differ(one, other);
    case CONF_NUMBER: /* 1s and 1000ms are the same */
    case CONF_SIZE:
    case CONF_DURATION:
    case CONF_BOOL:
        break;
    }
    return one->number != other->number;
}
