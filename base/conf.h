/* SPDX-License-Identifier: Apache-2.0 */
/* conf.h: one table of options makes parser, defaults, check, dump and the manual's table. The one
 * file over libConfuse (sections with titles, lists, include()).
 *
 * A program declares its sections and options; conf_load parses FILE and then *.conf of FILE.d, in
 * the order of their names, into a new struct conf, validates it whole and hands it over; the old
 * one stays valid until its owner frees it. Unknown keys, wrong types and values outside the
 * limits are ERR_INVALID with file:line. Files are at most CONF_SIZE_MAX bytes.
 *
 * A scalar given again, and a list given again with "=", replaces the former; "+=" appends to a
 * list. Sections without a title are merged; a title given twice is an error. Environment variables
 * are not read. One load at a time in a process (libConfuse is not thread-safe; a lock sees to it).
 */
#ifndef BASE_CONF_H
#define BASE_CONF_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;
struct conf;
struct conf_section;

enum conf_type {
    CONF_TEXT,     /* "…", of min … max bytes */
    CONF_NUMBER,   /* integer within min … max */
    CONF_SIZE,     /* integer with optional K, M, G (powers of 1024), in bytes */
    CONF_DURATION, /* integer with ms, s, m, h or d, in milliseconds */
    CONF_BOOL,     /* true or false */
    CONF_LIST,     /* {"a", "b"}: min … max texts */
    CONF_CHOICE,   /* one of the words in choices, separated by spaces */
};

struct conf_option {
    const char *section; /* "" for the top level, else the section's name */
    const char *name;
    enum conf_type type;
    /* As it would be written, without quotes; a list as "a, b"; NULL: must be given, where a
     * titled section is given; for an untitled one always. */
    const char *fallback;
    uint64_t min; /* of the number, bytes of the text, texts in the list */
    uint64_t max; /* 0: none but the house's (CONF_TEXT_SIZE_MAX, CONF_LIST_COUNT_MAX) */
    const char *choices;
    const char *help; /* one sentence for the manual and the dump */
};

struct conf_schema {
    const struct conf_option *options; /* ended by name NULL */
    const char *const *titled;         /* names of sections that have titles and may repeat */
    uint32_t section_count_max;        /* of each titled kind */
};

/* ERR_NOT_FOUND when there is no FILE; no FILE.d is fine. include("OTHER") at the top level is read
 * in its place, relative to its file's directory. Blocks (disk). */
enum err_code conf_load(const struct conf_schema *schema,
                        const char *file,
                        struct conf **ret_conf,
                        struct err *err) WARN_UNUSED;
/* As conf_load from memory; name stands for the file in messages. No FILE.d, and include() is
 * refused. */
enum err_code conf_parse(const struct conf_schema *schema,
                         const char *name,
                         const char *text,
                         struct conf **ret_conf,
                         struct err *err) WARN_UNUSED;
void conf_free(struct conf *conf);

/* The only section of an untitled kind ("" is the top level), never NULL: defaults fill it. */
const struct conf_section *conf_section(const struct conf *conf, const char *name);
/* The index-th section of a titled kind, or NULL past the end. */
const struct conf_section *conf_titled(const struct conf *conf, const char *name, size_t index);
const char *conf_title(const struct conf_section *section);
/* file:line where the section begins, for messages. */
const char *conf_where(const struct conf_section *section);

/* The getters assert that the option exists with that type. Texts are borrowed from the conf. */
const char *conf_text(const struct conf_section *section, const char *name);
uint64_t conf_number(const struct conf_section *section,
                     const char *name); /* also size, duration */
bool conf_bool(const struct conf_section *section, const char *name);
size_t conf_list_count(const struct conf_section *section, const char *name);
const char *conf_list(const struct conf_section *section, const char *name, size_t index);

/* Has the option another value in the one than in the other? Both are of one schema, and the
 * section is untitled; where it does not stand, its defaults count. Asserts that there is such an
 * option. Lists are compared in their order. */
bool conf_differs(const struct conf *a,
                  const struct conf *b,
                  const char *section,
                  const char *name);

/* Appends the configuration in force, with defaults, parseable again by conf_parse. */
enum err_code conf_dump(const struct conf *conf, struct buf *buf, struct err *err) WARN_UNUSED;
/* The same without what equals its default and without explanations: what a later version reads
 * with its own defaults. */
enum err_code
conf_dump_changed(const struct conf *conf, struct buf *buf, struct err *err) WARN_UNUSED;
/* Appends a table of all options for the manual (Markdown): section, name, type, default, limits,
 * help. */
enum err_code
conf_describe(const struct conf_schema *schema, struct buf *buf, struct err *err) WARN_UNUSED;

#endif
