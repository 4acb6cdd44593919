/* SPDX-License-Identifier: Apache-2.0 */
/* field.h: prints the fields of a struct, as a table says where they are. A field that has its
 * default (0, false, empty) is not printed: so what an older version did not have, reads as the
 * default and leaves no trace in what was printed before it existed. */
#ifndef TESTS_FORMATS_FIELD_H
#define TESTS_FORMATS_FIELD_H

#include "base/span.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum field_kind {
    FIELD_END = 0,
    FIELD_NUMBER, /* unsigned, of 1, 2, 4 or 8 bytes: enums, bool and counts too */
    FIELD_I32,
    FIELD_TEXT,  /* struct span */
    FIELD_CHARS, /* an array with a NUL */
    FIELD_BYTES, /* an array of numbers without meaning of their own */
    FIELD_TEXTS, /* an array of struct span; how many says a uint32_t */
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t at;
    size_t size; /* bytes of it; of FIELD_TEXTS: where the count is */
};

#define FIELD(type, member, kind)                                                                  \
    {                                                                                              \
#member, kind, offsetof(type, member), sizeof(((const type *)NULL)->member)                \
    }
#define FIELD_LIST(type, member, count)                                                            \
    {                                                                                              \
#member, FIELD_TEXTS, offsetof(type, member), offsetof(type, count)                        \
    }

/* fields ends with a FIELD_END. Each line is two spaces, prefix, the name and the value. */
void field_print(FILE *out, const char *prefix, const struct field *fields, const void *record);
/* In quotes, everything but printable ASCII as \xNN. */
void field_print_text(FILE *out, struct span text);
void field_print_hex(FILE *out, struct span bytes);

#endif
