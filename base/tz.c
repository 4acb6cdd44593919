/* SPDX-License-Identifier: Apache-2.0 */
/* tz.c: zones of time as TZif files describe them.
 * Owns the layout of such a file and its bounds.
 * Never opens a file, never looks at the process's own zone. */
#include "base/tz.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/mem.h"
#include "base/tz_rule.h"

#include <string.h>

#define HEADER_SIZE  44
#define TYPE_SIZE    6
#define OFFSET_S_MAX (26 * 3600) /* RFC 9636: -25:59:59 to 25:59:59 */

struct tz {
    bool ruled; /* rule is for whatever is behind the last transition */
    struct tz_rule rule;
    size_t count;
    int32_t first_s;    /* offset before the first transition */
    int64_t *times;     /* owned: ascending, count of them */
    int32_t *offsets_s; /* owned: from each of them on */
};

static bool is_start(char character)
{
    return (character >= 'A' && character <= 'Z') || (character >= '0' && character <= '9');
}

static bool is_inside(char character)
{
    return is_start(character) || (character >= 'a' && character <= 'z') || character == '_' ||
           character == '+' || character == '-';
}

bool tz_name_is_valid(struct span name)
{
    bool start = true;

    if (name.size == 0 || name.size > TZ_NAME_SIZE_MAX) {
        return false;
    }
    for (size_t i = 0; i < name.size; i++) {
        char character = name.data[i];

        if (start ? !is_start(character) : !(is_inside(character) || character == '/')) {
            return false;
        }
        start = character == '/';
    }
    return !start;
}

/* Big-endian numbers; the caller has seen to the bounds. */
static uint32_t read_u32(const char *at)
{
    const unsigned char *bytes = (const unsigned char *)at;

    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static int64_t read_i64(const char *at)
{
    return (int64_t)((uint64_t)read_u32(at) << 32 | read_u32(at + 4));
}

struct header {
    char version;
    size_t ut_count;
    size_t std_count;
    size_t leap_count;
    size_t time_count;
    size_t type_count;
    size_t char_count;
};

/* Counts are bounded, so that no sum of sizes overflows. */
static enum err_code read_header(struct span *bytes, struct header *ret_header, struct err *err)
{
    size_t *const counts[] = {&ret_header->ut_count,   &ret_header->std_count,
                              &ret_header->leap_count, &ret_header->time_count,
                              &ret_header->type_count, &ret_header->char_count};

    if (bytes->size < HEADER_SIZE || memcmp(bytes->data, "TZif", 4) != 0) {
        return err_set(err, ERR_CORRUPT, "not a TZif file");
    }
    ret_header->version = bytes->data[4];
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        *counts[i] = read_u32(bytes->data + 20 + 4 * i);
        if (*counts[i] > TZ_COUNT_MAX) {
            return err_set(err, ERR_CORRUPT, "more than %d of a kind", TZ_COUNT_MAX);
        }
    }
    *bytes = span_of(bytes->data + HEADER_SIZE, bytes->size - HEADER_SIZE);
    return ERR_OK;
}

static size_t body_size(const struct header *header, size_t time_size)
{
    return header->time_count * (time_size + 1) + header->type_count * TYPE_SIZE +
           header->char_count + header->leap_count * (time_size + 4) + header->std_count +
           header->ut_count;
}

/* The block of version 1 has the same in 32 bits, or nothing. */
static enum err_code skip_first(struct span *bytes, struct err *err)
{
    struct header header = {.version = 0};
    size_t size;
    enum err_code rc = read_header(bytes, &header, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (header.version < '2') {
        return err_set(err, ERR_CORRUPT, "version 1 has no rule for the future");
    }
    size = body_size(&header, 4);
    if (bytes->size < size) {
        return err_set(err, ERR_CORRUPT, "cut");
    }
    *bytes = span_of(bytes->data + size, bytes->size - size);
    return ERR_OK;
}

static enum err_code check_header(const struct header *header, struct err *err)
{
    if (header->version < '2') {
        return err_set(err, ERR_CORRUPT, "two versions in one file");
    }
    if (header->type_count == 0 || header->type_count > 256 || header->char_count == 0) {
        return err_set(err, ERR_CORRUPT, "no type of local time, or too many");
    }
    if (header->leap_count > 0) {
        return err_set(err, ERR_CORRUPT, "it counts leap seconds");
    }
    return ERR_OK;
}

static enum err_code read_offset(
    const struct header *header, const char *types, size_t type, int32_t *ret_s, struct err *err)
{
    const char *at = types + type * TYPE_SIZE;

    if (type >= header->type_count) {
        return err_set(err, ERR_CORRUPT, "a type of local time that is not there");
    }
    *ret_s = (int32_t)read_u32(at);
    if (*ret_s <= -OFFSET_S_MAX || *ret_s >= OFFSET_S_MAX || (unsigned char)at[4] > 1 ||
        (unsigned char)at[5] >= header->char_count) {
        return err_set(err, ERR_CORRUPT, "a type of local time that makes no sense");
    }
    return ERR_OK;
}

static enum err_code
read_times(const struct header *header, struct span bytes, struct tz *tz, struct err *err)
{
    const char *indexes = bytes.data + header->time_count * 8;
    const char *types = indexes + header->time_count;
    enum err_code rc = read_offset(header, types, 0, &tz->first_s, err);

    tz->count = header->time_count;
    for (size_t i = 0; rc == ERR_OK && i < tz->count; i++) {
        tz->times[i] = read_i64(bytes.data + i * 8);
        if (i > 0 && tz->times[i] <= tz->times[i - 1]) {
            return err_set(err, ERR_CORRUPT, "transitions out of order");
        }
        rc = read_offset(header, types, (unsigned char)indexes[i], &tz->offsets_s[i], err);
    }
    return rc;
}

/* "\nCET-1CEST,M3.5.0,M10.5.0/3\n"; an empty one says that nothing is known. */
static enum err_code read_footer(struct span bytes, struct tz *tz, struct err *err)
{
    struct span text;

    if (bytes.size < 2 || bytes.data[0] != '\n' || bytes.data[bytes.size - 1] != '\n') {
        return err_set(err, ERR_CORRUPT, "no rule at its end");
    }
    text = span_of(bytes.data + 1, bytes.size - 2);
    tz->ruled = text.size > 0;
    return tz->ruled ? tz_rule_parse(text, &tz->rule, err) : ERR_OK;
}

static enum err_code read_second(struct span bytes, struct tz *tz, struct err *err)
{
    struct header header = {.version = 0};
    size_t size;
    enum err_code rc = read_header(&bytes, &header, err);

    if (rc == ERR_OK) {
        rc = check_header(&header, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    size = body_size(&header, 8);
    if (bytes.size < size) {
        return err_set(err, ERR_CORRUPT, "cut");
    }
    tz->times = mem_new(header.time_count + 1, sizeof *tz->times);
    tz->offsets_s = mem_new(header.time_count + 1, sizeof *tz->offsets_s);
    if (tz->times == NULL || tz->offsets_s == NULL) {
        return err_set(err, ERR_NOMEM, "transitions");
    }
    rc = read_times(&header, bytes, tz, err);
    return rc == ERR_OK ? read_footer(span_of(bytes.data + size, bytes.size - size), tz, err) : rc;
}

enum err_code tz_parse(struct span bytes, struct tz **ret_tz, struct err *err)
{
    struct tz *tz = mem_new(1, sizeof *tz);
    enum err_code rc;

    if (tz == NULL) {
        return err_set(err, ERR_NOMEM, "time zone");
    }
    rc = bytes.size > TZ_SIZE_MAX ? err_set(err, ERR_CORRUPT, "larger than %d bytes", TZ_SIZE_MAX)
                                  : skip_first(&bytes, err);
    if (rc == ERR_OK) {
        rc = read_second(bytes, tz, err);
    }
    if (rc != ERR_OK) {
        tz_free(tz);
        return rc;
    }
    *ret_tz = tz;
    return ERR_OK;
}

enum err_code tz_utc(struct tz **ret_tz, struct err *err)
{
    struct tz *tz = mem_new(1, sizeof *tz);

    if (tz == NULL) {
        return err_set(err, ERR_NOMEM, "time zone");
    }
    *ret_tz = tz;
    return ERR_OK;
}

void tz_free(struct tz *tz)
{
    if (tz != NULL) {
        mem_free(tz->times);
        mem_free(tz->offsets_s);
        mem_free(tz);
    }
}

/* How many transitions are not behind at_s. */
static size_t passed(const struct tz *tz, int64_t at_s)
{
    size_t low = 0;
    size_t high = tz->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (tz->times[middle] <= at_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int32_t tz_offset_s(const struct tz *tz, int64_t at_s)
{
    size_t count = passed(tz, at_s);

    ASSERT(at_s >= TZ_S_MIN && at_s <= TZ_S_MAX);
    if (count == tz->count && tz->ruled) {
        return tz_rule_offset_s(&tz->rule, at_s);
    }
    return count == 0 ? tz->first_s : tz->offsets_s[count - 1];
}

int64_t tz_change_s(const struct tz *tz, int64_t at_s)
{
    size_t count = passed(tz, at_s);
    int64_t next_s = TZ_S_MAX;

    ASSERT(at_s >= TZ_S_MIN && at_s <= TZ_S_MAX);
    if (count < tz->count) {
        next_s = tz->times[count];
    } else if (tz->ruled) {
        next_s = tz_rule_change_s(&tz->rule, at_s);
    }
    return next_s < TZ_S_MAX ? next_s : TZ_S_MAX;
}
