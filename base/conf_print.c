/* SPDX-License-Identifier: Apache-2.0 */
/* conf_print.c: the configuration in force, and the table of options.
 * Owns how values are written so that conf_parse reads the same back.
 * Never prints the content of a file that an option names. */
#include "base/buf.h"
#include "base/conf_internal.h"
#include "base/limits.h"

#include <inttypes.h>
#include <string.h>

static const char *const type_texts[] = {
    [CONF_TEXT] = "text",         [CONF_NUMBER] = "number", [CONF_SIZE] = "size",
    [CONF_DURATION] = "duration", [CONF_BOOL] = "bool",     [CONF_LIST] = "list",
    [CONF_CHOICE] = "choice",
};

/* A string as libConfuse reads it back; '$' would begin an environment variable. */
static enum err_code print_text(struct buf *buf, const char *text, struct err *err)
{
    enum err_code rc = buf_append_text(buf, "\"", err);

    for (; rc == ERR_OK && *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte < 0x20 || byte == 0x7f) {
            rc = buf_append_format(buf, err, "\\x%02x", byte);
        } else if (byte == '"' || byte == '\\' || byte == '$') {
            rc = buf_append_format(buf, err, "\\%c", byte);
        } else {
            rc = buf_append(buf, text, 1, err);
        }
    }
    return rc == ERR_OK ? buf_append_text(buf, "\"", err) : rc;
}

static enum err_code print_list(struct buf *buf, const struct conf_value *value, struct err *err)
{
    enum err_code rc = buf_append_text(buf, "{", err);

    for (size_t i = 0; rc == ERR_OK && i < value->count; i++) {
        rc = buf_append_text(buf, i == 0 ? "" : ", ", err);
        rc = rc == ERR_OK ? print_text(buf, value->texts[i], err) : rc;
    }
    return rc == ERR_OK ? buf_append_text(buf, "}", err) : rc;
}

static enum err_code print_value(struct buf *buf,
                                 const struct conf_option *option,
                                 const struct conf_value *value,
                                 struct err *err)
{
    if (option->type == CONF_LIST) {
        return print_list(buf, value, err);
    }
    if (option->type == CONF_TEXT || option->type == CONF_CHOICE) {
        return print_text(buf, value->texts[0], err);
    }
    return buf_append_text(buf, value->texts[0], err); /* digits and units, true, false */
}

static enum err_code
print_options(struct buf *buf, const struct conf_section *section, struct err *err)
{
    const char *indent = section->name[0] == '\0' ? "" : "    ";
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < section->option_count; i++) {
        const struct conf_option *option = conf_option_at(section->schema, section->name, i);

        rc = buf_append_format(buf, err, "%s# %s\n%s%s = ", indent, option->help, indent,
                               option->name);
        rc = rc == ERR_OK ? print_value(buf, option, &section->values[i], err) : rc;
        rc = rc == ERR_OK ? buf_append_text(buf, "\n", err) : rc;
    }
    return rc;
}

static enum err_code
print_section(struct buf *buf, const struct conf_section *section, struct err *err)
{
    bool titled = conf_is_titled(section->schema, section->name);
    enum err_code rc;

    if (section->name[0] == '\0') {
        return print_options(buf, section, err);
    }
    rc = buf_append_format(buf, err, "\n%s ", section->name);
    if (rc == ERR_OK && titled) {
        rc = print_text(buf, section->title, err);
    }
    rc = rc == ERR_OK ? buf_append_text(buf, titled ? " {\n" : "{\n", err) : rc;
    rc = rc == ERR_OK ? print_options(buf, section, err) : rc;
    return rc == ERR_OK ? buf_append_text(buf, "}\n", err) : rc;
}

enum err_code conf_dump(const struct conf *conf, struct buf *buf, struct err *err)
{
    const struct conf_section *section;
    size_t start = buf_size(buf);
    enum err_code rc = print_section(buf, conf_section(conf, ""), err);

    STAILQ_FOREACH (section, &conf->sections, link) {
        if (rc == ERR_OK && section->name[0] != '\0') {
            rc = print_section(buf, section, err);
        }
    }
    if (rc != ERR_OK) {
        buf_truncate(buf, start);
    }
    return rc;
}

static bool same_value(const struct conf_value *one, const struct conf_value *other)
{
    bool same = one->number == other->number && one->count == other->count;

    for (size_t i = 0; same && i < one->count; i++) {
        same = strcmp(one->texts[i], other->texts[i]) == 0;
    }
    return same;
}

static enum err_code is_changed(const struct conf_option *option,
                                const struct conf_value *value,
                                bool *ret_changed,
                                struct err *err)
{
    struct conf_value usual = {.number = 0};
    enum err_code rc = ERR_OK;

    *ret_changed = true;
    if (option->fallback != NULL) {
        rc = conf_value_fallback(option, &usual, err);
        *ret_changed = rc == ERR_OK && !same_value(value, &usual);
        conf_value_done(&usual);
    }
    return rc;
}

static enum err_code
print_changed_options(struct buf *buf, const struct conf_section *section, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < section->option_count; i++) {
        const struct conf_option *option = conf_option_at(section->schema, section->name, i);
        bool changed = false;

        rc = is_changed(option, &section->values[i], &changed, err);
        if (rc == ERR_OK && changed) {
            rc = buf_append_format(buf, err, "%s = ", option->name);
            rc = rc == ERR_OK ? print_value(buf, option, &section->values[i], err) : rc;
            rc = rc == ERR_OK ? buf_append_text(buf, "\n", err) : rc;
        }
    }
    return rc;
}

static enum err_code
print_changed(struct buf *buf, const struct conf_section *section, struct err *err)
{
    enum err_code rc = buf_append_format(buf, err, "%s ", section->name);

    if (rc == ERR_OK && conf_is_titled(section->schema, section->name)) {
        rc = print_text(buf, section->title, err);
    }
    rc = rc == ERR_OK ? buf_append_text(buf, " {\n", err) : rc;
    rc = rc == ERR_OK ? print_changed_options(buf, section, err) : rc;
    return rc == ERR_OK ? buf_append_text(buf, "}\n", err) : rc;
}

enum err_code conf_dump_changed(const struct conf *conf, struct buf *buf, struct err *err)
{
    const struct conf_section *section;
    size_t start = buf_size(buf);
    enum err_code rc = print_changed_options(buf, conf_section(conf, ""), err);

    STAILQ_FOREACH (section, &conf->sections, link) {
        if (rc == ERR_OK && section->name[0] != '\0') {
            rc = print_changed(buf, section, err);
        }
    }
    if (rc != ERR_OK) {
        buf_truncate(buf, start);
    }
    return rc;
}

static enum err_code
describe_limits(struct buf *buf, const struct conf_option *option, struct err *err)
{
    bool list = option->type == CONF_LIST;
    uint64_t house = list ? CONF_LIST_COUNT_MAX : CONF_TEXT_SIZE_MAX;
    uint64_t max = option->max == 0 && (list || option->type == CONF_TEXT) ? house : option->max;

    if (option->type == CONF_BOOL) {
        return buf_append_text(buf, "true, false", err);
    }
    if (option->type == CONF_CHOICE) {
        return buf_append_text(buf, option->choices, err);
    }
    if (max == 0) {
        return buf_append_format(buf, err, "from %" PRIu64, option->min);
    }
    return buf_append_format(buf, err, "%" PRIu64 " to %" PRIu64, option->min, max);
}

static enum err_code
describe_option(struct buf *buf, const struct conf_option *option, bool titled, struct err *err)
{
    enum err_code rc =
        buf_append_format(buf, err, "| %s%s | %s | %s | %s | ", option->section,
                          titled ? " \"TITLE\"" : "", option->name, type_texts[option->type],
                          option->fallback == NULL ? "must be given" : option->fallback);

    rc = rc == ERR_OK ? describe_limits(buf, option, err) : rc;
    return rc == ERR_OK ? buf_append_format(buf, err, " | %s |\n", option->help) : rc;
}

enum err_code conf_describe(const struct conf_schema *schema, struct buf *buf, struct err *err)
{
    enum err_code rc = buf_append_text(buf,
                                       "| section | option | type | default | limits | meaning |\n"
                                       "| --- | --- | --- | --- | --- | --- |\n",
                                       err);

    for (const struct conf_option *at = schema->options; rc == ERR_OK && at->name != NULL; at++) {
        rc = describe_option(buf, at, conf_is_titled(schema, at->section), err);
    }
    return rc;
}
