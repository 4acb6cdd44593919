/* SPDX-License-Identifier: Apache-2.0 */
/* codec_fields.c: the stored forms of a policy's fields and of a request's values.
 * Owns their layouts: a set: list of (text name | u8 kind | u8 required | u64 min, max (two's
 *   complement) | text label, hint, placeholder | list of text options); values: list of text name,
 *   label, value. Nothing at all is the empty list.
 * Never judges whether they make sense: fields.c does. */
#include "approvald/core/codec_io.h"
#include "approvald/core/fields.h"

#include "base/assert.h"

#include <string.h>

static void write_field(struct codec_writer *writer, const struct form_field *field)
{
    ASSERT(field->option_count <= CORE_FIELD_OPTION_COUNT_MAX);
    codec_text(writer, field->name);
    codec_u8(writer, (uint8_t)field->kind);
    codec_u8(writer, field->required ? 1 : 0);
    codec_u64(writer, (uint64_t)field->min);
    codec_u64(writer, (uint64_t)field->max);
    codec_text(writer, field->label);
    codec_text(writer, field->hint);
    codec_text(writer, field->placeholder);
    codec_texts(writer, field->options, field->option_count);
}

enum err_code field_set_encode(const struct field_set *set, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    ASSERT(set->count <= CORE_FIELD_COUNT_MAX);
    if (set->count == 0) {
        return ERR_OK;
    }
    codec_u8(&writer, (uint8_t)set->count);
    for (uint32_t i = 0; i < set->count; i++) {
        write_field(&writer, &set->items[i]);
    }
    return writer.rc;
}

static void read_field(struct unpack *unpack, struct form_field *field)
{
    field->name = unpack_text(unpack);
    field->kind = codec_range(unpack, FIELD_KIND_TEXT, FIELD_KIND_DATE);
    field->required = codec_bool(unpack);
    field->min = (int64_t)unpack_u64(unpack);
    field->max = (int64_t)unpack_u64(unpack);
    field->label = unpack_text(unpack);
    field->hint = unpack_text(unpack);
    field->placeholder = unpack_text(unpack);
    field->option_count = codec_read_texts(unpack, field->options, CORE_FIELD_OPTION_COUNT_MAX);
}

/* The count of a list that is there: an empty one is written as nothing. */
static uint32_t read_count(struct unpack *unpack)
{
    uint32_t count = codec_count(unpack, CORE_FIELD_COUNT_MAX);

    if (count == 0) {
        unpack->failed = true;
    }
    return count;
}

enum err_code field_set_decode(struct span bytes, struct field_set *ret_set, struct err *err)
{
    struct unpack unpack;

    ASSERT(ret_set != NULL);
    memset(ret_set, 0, sizeof *ret_set);
    if (bytes.size == 0) {
        return ERR_OK;
    }
    unpack_init(&unpack, bytes);
    ret_set->count = read_count(&unpack);
    for (uint32_t i = 0; i < ret_set->count; i++) {
        read_field(&unpack, &ret_set->items[i]);
    }
    return codec_end(&unpack, "set of fields", err);
}

enum err_code
field_values_encode(const struct field_values *values, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    ASSERT(values->count <= CORE_FIELD_COUNT_MAX);
    if (values->count == 0) {
        return ERR_OK;
    }
    codec_u8(&writer, (uint8_t)values->count);
    for (uint32_t i = 0; i < values->count; i++) {
        codec_text(&writer, values->items[i].name);
        codec_text(&writer, values->items[i].label);
        codec_text(&writer, values->items[i].value);
    }
    return writer.rc;
}

enum err_code
field_values_decode(struct span bytes, struct field_values *ret_values, struct err *err)
{
    struct unpack unpack;

    ASSERT(ret_values != NULL);
    memset(ret_values, 0, sizeof *ret_values);
    if (bytes.size == 0) {
        return ERR_OK;
    }
    unpack_init(&unpack, bytes);
    ret_values->count = read_count(&unpack);
    for (uint32_t i = 0; i < ret_values->count; i++) {
        ret_values->items[i].name = unpack_text(&unpack);
        ret_values->items[i].label = unpack_text(&unpack);
        ret_values->items[i].value = unpack_text(&unpack);
    }
    return codec_end(&unpack, "values of fields", err);
}
