/* SPDX-License-Identifier: Apache-2.0 */
/* conf_internal.h: what the conf files share. For conf*.c only. */
#ifndef BASE_CONF_INTERNAL_H
#define BASE_CONF_INTERNAL_H

#include "base/conf.h"
#include "base/span.h"

#include <sys/queue.h>

struct conf_value {
    uint64_t number; /* also size, duration, bool */
    char **texts;    /* owned: one for text and choice, count for a list */
    size_t count;
};

struct conf_section {
    STAILQ_ENTRY(conf_section) link;  /* in conf->sections, in the order of the files */
    const struct conf_schema *schema; /* borrowed for ever */
    const char *name;                 /* the schema's */
    char *title;                      /* "" without one */
    char *where;                      /* file:line */
    size_t option_count;
    struct conf_value values[]; /* of this section's options, in the schema's order */
};

STAILQ_HEAD(conf_sections, conf_section);

struct conf {
    const struct conf_schema *schema; /* borrowed for ever */
    struct conf_sections sections;
};

/* A section of the top level as it began in some file. */
struct conf_mark {
    STAILQ_ENTRY(conf_mark) link;
    char *where; /* file:line */
    char name[]; /* of the section */
};

STAILQ_HEAD(conf_marks, conf_mark);

/* Where the index-th section of that name began; NULL: nowhere. */
const char *conf_marks_find(const struct conf_marks *marks, const char *name, size_t index);

/* Is the section one with titles? */
bool conf_is_titled(const struct conf_schema *schema, const char *section);
/* The options of a section. */
size_t conf_option_count(const struct conf_schema *schema, const char *section);
/* The index-th option of a section; it exists. */
const struct conf_option *
conf_option_at(const struct conf_schema *schema, const char *section, size_t index);

/* Parses text as the option's type within its limits. The message says what is wrong with it, not
 * where. For a list: one of its texts. */
enum err_code conf_value_parse(const struct conf_option *option,
                               struct span text,
                               uint64_t *ret_number,
                               struct err *err) WARN_UNUSED;
/* Takes a copy of text as the value, for a list as one more. */
enum err_code conf_value_add(const struct conf_option *option,
                             struct conf_value *value,
                             struct span text,
                             struct err *err) WARN_UNUSED;
/* The number of texts within the limits of a list? */
enum err_code conf_value_check_count(const struct conf_option *option,
                                     const struct conf_value *value,
                                     struct err *err) WARN_UNUSED;
/* The value from the option's fallback. */
enum err_code conf_value_fallback(const struct conf_option *option,
                                  struct conf_value *value,
                                  struct err *err) WARN_UNUSED;
void conf_value_done(struct conf_value *value);

#endif
