/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h: what a policy asks for beyond the fields that every request has: their definitions, and
 * the values that a request has. A policy's record and a request's keep them in their stored form
 * (one span each), which this file alone reads and writes. Pure. */
#ifndef APPROVALD_CORE_FIELDS_H
#define APPROVALD_CORE_FIELDS_H

#include "approvald/core/limits.h"
#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;

enum field_kind {
    FIELD_KIND_TEXT = 1, /* one line; min and max count characters */
    FIELD_KIND_SELECT,   /* one of the options */
    FIELD_KIND_NUMBER,   /* a whole number from min to max */
    FIELD_KIND_DATE,     /* YYYY-MM-DD */
};
const char *field_kind_word(enum field_kind kind); /* "text", "select", … */

struct form_field {
    struct span name; /* [a-z][a-z0-9_]*, as in the API */
    struct span label;
    struct span hint;        /* may be empty */
    struct span placeholder; /* may be empty */
    enum field_kind kind;
    bool required;
    int64_t min; /* 0 and 0 for a select and a date */
    int64_t max;
    uint32_t option_count;
    struct span options[CORE_FIELD_OPTION_COUNT_MAX];
};
struct field_set {
    uint32_t count;
    struct form_field items[CORE_FIELD_COUNT_MAX];
};

/* The bounds of a kind when the policy names none. */
void field_bounds(enum field_kind kind, int64_t *ret_min, int64_t *ret_max);
/* ERR_INVALID: the message names the field, says what is wrong and how to put it right. */
enum err_code field_set_check(const struct field_set *set, struct err *err) WARN_UNUSED;
/* The stored form; an empty set has an empty one. ERR_TOO_LARGE, ERR_NOMEM. */
enum err_code
field_set_encode(const struct field_set *set, struct buf *buf, struct err *err) WARN_UNUSED;
/* ERR_CORRUPT for anything that the encoder does not write. Spans borrow from bytes. */
enum err_code
field_set_decode(struct span bytes, struct field_set *ret_set, struct err *err) WARN_UNUSED;
/* Appends them for people, in one line: "environment: select, required, staging | prod". */
enum err_code
field_set_format(const struct field_set *set, struct buf *buf, struct err *err) WARN_UNUSED;
/* NULL when there is none of that name. */
const struct form_field *field_set_find(const struct field_set *set, struct span name);

struct field_value {
    struct span name;
    struct span label; /* as it was when the request was made; empty in what is given */
    struct span value;
};
struct field_values {
    uint32_t count;
    struct field_value items[CORE_FIELD_COUNT_MAX];
};

/* Judges cleaned values against the definitions of a policy: *ret_values has those that are not
 * empty, without the blanks around them, in the policy's order, with labels; it borrows from both.
 * ERR_INVALID: "fields.NAME: what is wrong" or "fields: …". */
enum err_code field_values_judge(const struct field_set *set,
                                 const struct field_values *given,
                                 struct field_values *ret_values,
                                 struct err *err) WARN_UNUSED;
enum err_code field_values_encode(const struct field_values *values,
                                  struct buf *buf,
                                  struct err *err) WARN_UNUSED;
enum err_code field_values_decode(struct span bytes,
                                  struct field_values *ret_values,
                                  struct err *err) WARN_UNUSED;

#endif
