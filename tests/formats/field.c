/* SPDX-License-Identifier: Apache-2.0 */
/* field.c: prints the fields of a struct by a table.
 * Owns how a value looks in a text.
 * Never knows what a field means. */
#include "tests/formats/field.h"

#include "base/assert.h"

#include <inttypes.h>
#include <string.h>

void field_print_text(FILE *out, struct span text)
{
    (void)fputc('"', out);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];

        if (byte < ' ' || byte > '~' || byte == '"' || byte == '\\') {
            (void)fprintf(out, "\\x%02x", byte);
        } else {
            (void)fputc(byte, out);
        }
    }
    (void)fputc('"', out);
}

void field_print_hex(FILE *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.size; i++) {
        (void)fprintf(out, "%02x", (unsigned char)bytes.data[i]);
    }
}

static uint64_t number_of(const char *at, size_t size)
{
    uint8_t u8;
    uint16_t u16;
    uint32_t u32;
    uint64_t u64;

    switch (size) {
    case 1:
        memcpy(&u8, at, size);
        return u8;
    case 2:
        memcpy(&u16, at, size);
        return u16;
    case 4:
        memcpy(&u32, at, size);
        return u32;
    default:
        ASSERT(size == 8);
        memcpy(&u64, at, size);
        return u64;
    }
}

static bool is_default(const char *at, const struct field *field, const char *record)
{
    struct span text;

    switch (field->kind) {
    case FIELD_TEXT:
        memcpy(&text, at, sizeof text);
        return text.size == 0;
    case FIELD_CHARS:
        return at[0] == '\0';
    case FIELD_TEXTS:
        return number_of(record + field->size, 4) == 0;
    case FIELD_NUMBER:
    case FIELD_I32:
    case FIELD_BYTES:
    case FIELD_END:
        break;
    }
    for (size_t i = 0; i < field->size; i++) {
        if (at[i] != 0) {
            return false;
        }
    }
    return true;
}

static void print_texts(FILE *out, const char *at, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct span text;

        memcpy(&text, at + i * sizeof text, sizeof text);
        (void)fputs(i == 0 ? "" : " ", out);
        field_print_text(out, text);
    }
}

static void print_value(FILE *out, const char *at, const struct field *field, const char *record)
{
    struct span text;
    int32_t i32;

    switch (field->kind) {
    case FIELD_NUMBER:
        (void)fprintf(out, "%" PRIu64, number_of(at, field->size));
        break;
    case FIELD_I32:
        memcpy(&i32, at, sizeof i32);
        (void)fprintf(out, "%" PRId32, i32);
        break;
    case FIELD_TEXT:
        memcpy(&text, at, sizeof text);
        field_print_text(out, text);
        break;
    case FIELD_CHARS:
        field_print_text(out, span_of(at, strnlen(at, field->size)));
        break;
    case FIELD_BYTES:
        field_print_hex(out, span_of(at, field->size));
        break;
    case FIELD_TEXTS:
        print_texts(out, at, number_of(record + field->size, 4));
        break;
    case FIELD_END:
        break;
    }
}

void field_print(FILE *out, const char *prefix, const struct field *fields, const void *record)
{
    const char *base = record;

    for (; fields->kind != FIELD_END; fields++) {
        if (!is_default(base + fields->at, fields, base)) {
            (void)fprintf(out, "  %s%s ", prefix, fields->name);
            print_value(out, base + fields->at, fields, base);
            (void)fputc('\n', out);
        }
    }
}
