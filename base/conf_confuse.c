/* SPDX-License-Identifier: Apache-2.0 */
/* conf_confuse.c: libConfuse: the schema in, texts through, a struct conf out.
 * Owns every call to libConfuse, whose lexer lives in globals and whose error function is given no
 * argument of ours: the caller holds a lock over a whole load.
 * Never opens a file, never lets libConfuse print. */
#include "base/conf_confuse.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"

#include <confuse.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct confuse {
    const struct conf_schema *schema;
    cfg_t *cfg;       /* owned */
    const char *name; /* of the file being parsed */
    struct err *err;
    bool failed; /* err is filled */
};

static struct confuse *confuse_current; /* while libConfuse parses; under the caller's lock */

__attribute__((format(printf, 2, 0))) static void
on_error(cfg_t *cfg, const char *format, va_list args)
{
    struct confuse *confuse = confuse_current;
    char text[ERR_MESSAGE_SIZE];

    if (confuse->failed) {
        return; /* the first says it */
    }
    (void)vsnprintf(text, sizeof text, format, args); /* cut to the size of a message */
    confuse->failed = true;
    err_set(confuse->err, ERR_INVALID, "%s:%d: %s", confuse->name, cfg->line, text);
}

/* Every value comes here as a text. libConfuse copies what is answered. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    const struct conf_option *option = &confuse_current->schema->options[opt->def.number];
    struct err err = ERR_INIT;
    uint64_t number;

    ASSERT(strcmp(option->name, opt->name) == 0);
    if (conf_value_parse(option, span_text(value), &number, &err) != ERR_OK) {
        cfg_error(cfg, "%s: %s", option->name, err.message);
        return -1;
    }
    if (option->type == CONF_LIST && cfg_opt_size(opt) > CONF_LIST_COUNT_MAX) {
        cfg_error(cfg, "%s: too many texts", option->name);
        return -1;
    }
    memcpy(result, &value, sizeof value);
    return 0;
}

static void fill_option(cfg_opt_t *opt, const struct conf_schema *schema, size_t index)
{
    const struct conf_option *option = &schema->options[index];

    opt->name = option->name;
    opt->type = CFGT_STR;
    opt->flags = option->type == CONF_LIST ? CFGF_LIST | CFGF_NODEFAULT : CFGF_NODEFAULT;
    opt->def.number = (long)index; /* unused by libConfuse for texts; how on_value finds it */
    opt->parsecb = on_value;
}

static void fill_options(cfg_opt_t *opts, const struct conf_schema *schema, const char *section)
{
    for (size_t i = 0; schema->options[i].name != NULL; i++) {
        if (strcmp(schema->options[i].section, section) == 0) {
            fill_option(opts, schema, i);
            opts++;
        }
    }
}

/* Is this the first option of a section other than the top level's? */
static bool begins_section(const struct conf_schema *schema, size_t index)
{
    const char *section = schema->options[index].section;

    for (size_t i = 0; i < index; i++) {
        if (strcmp(schema->options[i].section, section) == 0) {
            return false;
        }
    }
    return section[0] != '\0';
}

static bool fill_section(cfg_opt_t *opts, const struct conf_schema *schema, const char *section)
{
    opts->subopts = mem_new(conf_option_count(schema, section) + 1, sizeof *opts);
    if (opts->subopts == NULL) {
        return false;
    }
    fill_options(opts->subopts, schema, section);
    opts->name = section;
    opts->type = CFGT_SEC;
    opts->flags =
        conf_is_titled(schema, section) ? CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES : CFGF_NONE;
    return true;
}

static bool fill_sections(cfg_opt_t *opts, const struct conf_schema *schema)
{
    bool filled = true;

    for (size_t i = 0; filled && schema->options[i].name != NULL; i++) {
        if (begins_section(schema, i)) {
            filled = fill_section(opts, schema, schema->options[i].section);
            opts++;
        }
    }
    return filled;
}

static cfg_t *confuse_init(const struct conf_schema *schema)
{
    size_t count = 0;
    cfg_opt_t *opts;
    cfg_t *cfg = NULL;

    while (schema->options[count].name != NULL) {
        count++;
    }
    opts = mem_new(count * 2 + 1, sizeof *opts);
    if (opts == NULL) {
        return NULL;
    }
    fill_options(opts, schema, "");
    if (fill_sections(opts + conf_option_count(schema, ""), schema)) {
        cfg = cfg_init(opts, CFGF_NONE); /* copies opts */
    }
    for (size_t i = 0; i < count * 2; i++) {
        mem_free(opts[i].subopts);
    }
    mem_free(opts);
    return cfg;
}

enum err_code
confuse_new(const struct conf_schema *schema, struct confuse **ret_confuse, struct err *err)
{
    struct confuse *confuse = mem_new(1, sizeof *confuse);

    if (confuse == NULL) {
        return err_set(err, ERR_NOMEM, "configuration");
    }
    confuse->schema = schema;
    confuse->cfg = confuse_init(schema);
    if (confuse->cfg == NULL) {
        mem_free(confuse);
        return err_set(err, ERR_NOMEM, "configuration");
    }
    /* cfg_init sets the process' locale from the environment; our formats are the C locale's. */
    (void)setlocale(LC_ALL, "C"); /* always exists */
    (void)cfg_set_error_function(confuse->cfg, on_error);
    *ret_confuse = confuse;
    return ERR_OK;
}

void confuse_free(struct confuse *confuse)
{
    if (confuse != NULL) {
        (void)cfg_free(confuse->cfg); /* fails only for NULL */
        mem_free(confuse);
    }
}

enum err_code confuse_parse(
    struct confuse *confuse, const char *name, uint32_t line, struct span piece, struct err *err)
{
    size_t breaks = line - 1; /* put in front, they make libConfuse's line numbers right */
    AUTO_FREE char *text = mem_new(breaks + piece.size + 1, 1);
    FILE *file = NULL;
    int result;

    if (piece.size == 0) {
        return ERR_OK;
    }
    if (text != NULL) {
        memset(text, '\n', breaks);
        memcpy(text + breaks, piece.data, piece.size);
        file = fmemopen(text, breaks + piece.size, "r");
    }
    if (file == NULL) {
        return err_set(err, ERR_NOMEM, "%s", name);
    }
    confuse->name = name;
    confuse->err = err;
    confuse->failed = false;
    confuse_current = confuse;
    result = cfg_parse_fp(confuse->cfg, file);
    confuse_current = NULL;
    (void)fclose(file); /* memory */
    if (result == CFG_SUCCESS) {
        return ERR_OK;
    }
    return confuse->failed
               ? ERR_INVALID
               : err_set(err, ERR_INVALID, "%s:%d: syntax error", name, confuse->cfg->line);
}

/* From libConfuse's tree to ours. */

struct take {
    const struct confuse *confuse;
    const struct conf_marks *marks;
    struct err *err;
};

static enum err_code take_value(const struct conf_option *option,
                                cfg_opt_t *opt,
                                struct conf_value *value,
                                struct err *err)
{
    enum err_code rc = ERR_OK;

    if ((opt->flags & CFGF_MODIFIED) == 0) {
        return conf_value_fallback(option, value, err);
    }
    for (unsigned int i = 0; rc == ERR_OK && i < cfg_opt_size(opt); i++) {
        rc = conf_value_add(option, value, span_text(cfg_opt_getnstr(opt, i)), err);
    }
    return rc == ERR_OK ? conf_value_check_count(option, value, err) : rc;
}

static enum err_code take_values(const struct take *take, struct conf_section *section, cfg_t *from)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < section->option_count; i++) {
        const struct conf_option *option = conf_option_at(take->confuse->schema, section->name, i);
        cfg_opt_t *opt = cfg_getopt(from, option->name);

        ASSERT(opt != NULL);
        rc = take_value(option, opt, &section->values[i], take->err);
        if (rc != ERR_OK) {
            return err_wrap(take->err, rc, "%s: %s%s%s", section->where, section->name,
                            section->name[0] == '\0' ? "" : ".", option->name);
        }
    }
    return rc;
}

static enum err_code take_section(
    const struct take *take, struct conf *conf, const char *name, cfg_t *from, const char *where)
{
    const char *title = from->title == NULL ? "" : from->title;
    size_t count = conf_option_count(take->confuse->schema, name);
    struct conf_section *section = mem_new(1, sizeof *section + count * sizeof section->values[0]);

    if (section == NULL) {
        return err_set(take->err, ERR_NOMEM, "configuration");
    }
    STAILQ_INSERT_TAIL(&conf->sections, section, link);
    section->schema = take->confuse->schema;
    section->name = name;
    section->option_count = count;
    section->title = mem_copy_text(title, strlen(title));
    section->where = mem_copy_text(where, strlen(where));
    if (section->title == NULL || section->where == NULL) {
        return err_set(take->err, ERR_NOMEM, "configuration");
    }
    return take_values(take, section, from);
}

static enum err_code
take_kind(const struct take *take, struct conf *conf, const char *name, const char *file)
{
    cfg_opt_t *opt = cfg_getopt(take->confuse->cfg, name);
    bool titled = conf_is_titled(take->confuse->schema, name);
    size_t count = cfg_opt_size(opt);
    enum err_code rc = ERR_OK;

    if (titled && count > take->confuse->schema->section_count_max) {
        return err_set(take->err, ERR_INVALID, "%s: more than %u sections %s",
                       conf_marks_find(take->marks, name, take->confuse->schema->section_count_max),
                       take->confuse->schema->section_count_max, name);
    }
    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        const char *where = conf_marks_find(take->marks, name, i);

        rc = take_section(take, conf, name, cfg_opt_getnsec(opt, (unsigned int)i),
                          where == NULL ? file : where);
    }
    return rc;
}

enum err_code confuse_take(const struct confuse *confuse,
                           const struct conf_marks *marks,
                           const char *file,
                           struct conf **ret_conf,
                           struct err *err)
{
    const struct conf_schema *schema = confuse->schema;
    const struct take take = {.confuse = confuse, .marks = marks, .err = err};
    struct conf *conf = mem_new(1, sizeof *conf);
    enum err_code rc;

    if (conf == NULL) {
        return err_set(err, ERR_NOMEM, "configuration");
    }
    conf->schema = schema;
    STAILQ_INIT(&conf->sections);
    rc = take_section(&take, conf, "", confuse->cfg, file);
    for (size_t i = 0; rc == ERR_OK && schema->options[i].name != NULL; i++) {
        if (begins_section(schema, i)) {
            rc = take_kind(&take, conf, schema->options[i].section, file);
        }
    }
    if (rc != ERR_OK) {
        conf_free(conf);
        return rc;
    }
    *ret_conf = conf;
    return ERR_OK;
}
