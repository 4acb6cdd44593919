/* SPDX-License-Identifier: Apache-2.0 */
/* register.c: the arbiter's one value as a struct and as text.
 * Owns what is a legal value and the one spelling of it.
 * Never guesses: a text that register_format would not write is refused, so that no two readers can
 * understand it differently. Never reads, sends or keeps anything. */
#include "supervisor/failover/register.h"

#include "base/assert.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define HEX_U64_SIZE    16U /* digits */
#define HEX_ID_SIZE     (REGISTER_ID_SIZE * 2U + 1U)
#define DIGIT_COUNT_MAX 20U /* of a u64 */

static bool id_is_zero(const uint8_t *id)
{
    static const uint8_t zeros[REGISTER_ID_SIZE];

    return memcmp(id, zeros, REGISTER_ID_SIZE) == 0;
}

/* Says what is wrong, or NULL. */
static const char *register_fault(const struct register_value *value)
{
    const struct register_member *one = &value->isr[0];
    const struct register_member *two = &value->isr[1];

    if (id_is_zero(value->cluster_id) || value->lineage == 0 || value->nonce == 0) {
        return "cluster, lineage and nonce are never 0";
    }
    if (value->epoch == 0 || value->epoch == UINT64_MAX) {
        return "the epoch is out of range";
    }
    if (value->primary == 0 || value->primary > HOST_COUNT) {
        return "the primary is no host";
    }
    if (!value->isr[value->primary - 1].present) {
        return "the primary is not in the ISR";
    }
    if ((one->present && id_is_zero(one->store_id)) ||
        (two->present && id_is_zero(two->store_id))) {
        return "a store id is never 0";
    }
    /* A copied disk would let one host speak for both. */
    if (one->present && two->present &&
        memcmp(one->store_id, two->store_id, REGISTER_ID_SIZE) == 0) {
        return "two hosts have one store id";
    }
    return NULL;
}

bool register_is_legal(const struct register_value *value)
{
    ASSERT(value != NULL);
    return register_fault(value) == NULL;
}

bool register_has(const struct register_value *value, uint8_t host, const uint8_t *store_id)
{
    const struct register_member *member;

    ASSERT(host >= 1);
    ASSERT(host <= HOST_COUNT);
    member = &value->isr[host - 1];
    return member->present && memcmp(member->store_id, store_id, REGISTER_ID_SIZE) == 0;
}

static bool member_equal(const struct register_member *a, const struct register_member *b)
{
    if (a->present != b->present) {
        return false;
    }
    return !a->present || memcmp(a->store_id, b->store_id, REGISTER_ID_SIZE) == 0;
}

bool register_equal(const struct register_value *a, const struct register_value *b)
{
    return memcmp(a->cluster_id, b->cluster_id, REGISTER_ID_SIZE) == 0 &&
           a->lineage == b->lineage && a->epoch == b->epoch && a->nonce == b->nonce &&
           a->primary == b->primary && member_equal(&a->isr[0], &b->isr[0]) &&
           member_equal(&a->isr[1], &b->isr[1]);
}

struct writer {
    char *at;
    size_t left; /* bytes, the NUL's included */
};

__attribute__((format(printf, 2, 3))) static void
write_format(struct writer *writer, const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(writer->at, writer->left, format, arguments);
    va_end(arguments);
    ASSERT(size >= 0);
    ASSERT((size_t)size < writer->left);
    writer->at += size;
    writer->left -= (size_t)size;
}

static void hex_format(const uint8_t *id, char text[HEX_ID_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < REGISTER_ID_SIZE; i++) {
        text[2 * i] = digits[id[i] >> 4];
        text[2 * i + 1] = digits[id[i] & 15];
    }
    text[HEX_ID_SIZE - 1] = '\0';
}

void register_format(const struct register_value *value, char *text)
{
    struct writer writer = {.at = text, .left = REGISTER_TEXT_SIZE_MAX};
    char id[HEX_ID_SIZE];
    const char *comma = "";

    ASSERT(register_is_legal(value));
    hex_format(value->cluster_id, id);
    write_format(&writer,
                 "{\"version\":1,\"cluster\":\"%s\",\"lineage\":\"%016" PRIx64
                 "\",\"epoch\":%" PRIu64 ",\"primary\":%u,\"isr\":[",
                 id, value->lineage, value->epoch, (unsigned)value->primary);
    for (unsigned host = 1; host <= HOST_COUNT; host++) {
        const struct register_member *member = &value->isr[host - 1];

        if (member->present) {
            hex_format(member->store_id, id);
            write_format(&writer, "%s{\"host\":%u,\"store\":\"%s\"}", comma, host, id);
            comma = ",";
        }
    }
    write_format(&writer, "],\"nonce\":\"%016" PRIx64 "\"}", value->nonce);
}

struct reader {
    const char *at;
    size_t left;        /* bytes */
    const char *wanted; /* what was not found; NULL: all is well so far */
};

static void read_fail(struct reader *reader, const char *wanted)
{
    if (reader->wanted == NULL) {
        reader->wanted = wanted;
    }
}

static bool read_is_next(const struct reader *reader, const char *literal)
{
    size_t size = strlen(literal);

    return reader->wanted == NULL && reader->left >= size && memcmp(reader->at, literal, size) == 0;
}

static void read_skip(struct reader *reader, size_t size)
{
    reader->at += size;
    reader->left -= size;
}

static void read_literal(struct reader *reader, const char *literal)
{
    if (read_is_next(reader, literal)) {
        read_skip(reader, strlen(literal));
    } else {
        read_fail(reader, literal);
    }
}

static uint8_t hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return (uint8_t)(c - '0');
    }
    return c >= 'a' && c <= 'f' ? (uint8_t)(c - 'a' + 10) : UINT8_MAX;
}

/* count lower-case digits; the value of the last 16 of them. */
static uint64_t read_hex(struct reader *reader, size_t count)
{
    uint64_t number = 0;

    if (reader->wanted != NULL || reader->left < count) {
        read_fail(reader, "hexadecimal digits");
        return 0;
    }
    for (size_t i = 0; i < count; i++) {
        uint8_t digit = hex_digit(reader->at[i]);

        if (digit == UINT8_MAX) {
            read_fail(reader, "hexadecimal digits");
            return 0;
        }
        number = number << 4 | digit;
    }
    read_skip(reader, count);
    return number;
}

static void read_id(struct reader *reader, uint8_t *id)
{
    for (size_t i = 0; i < REGISTER_ID_SIZE; i++) {
        id[i] = (uint8_t)read_hex(reader, 2);
    }
}

static uint64_t read_decimal(struct reader *reader)
{
    size_t size = 0;
    uint64_t number = 0;

    while (size < reader->left && reader->at[size] >= '0' && reader->at[size] <= '9') {
        size++;
    }
    if (reader->wanted != NULL || size == 0 || size > DIGIT_COUNT_MAX || reader->at[0] == '0' ||
        !text_parse_u64(span_of(reader->at, size), &number)) {
        read_fail(reader, "a decimal number from 1");
        return 0;
    }
    read_skip(reader, size);
    return number;
}

static uint8_t read_host(struct reader *reader)
{
    uint64_t number = read_decimal(reader);

    if (number > HOST_COUNT) {
        read_fail(reader, "host 1 or 2");
        return 0;
    }
    return (uint8_t)number;
}

/* Members stand in the order of their hosts. */
static void read_isr(struct reader *reader, struct register_value *value)
{
    uint8_t before = 0;

    do {
        uint8_t host;

        read_literal(reader, before == 0 ? "{\"host\":" : ",{\"host\":");
        host = read_host(reader);
        if (host <= before) {
            read_fail(reader, "hosts in order");
            return;
        }
        read_literal(reader, ",\"store\":\"");
        read_id(reader, value->isr[host - 1].store_id);
        value->isr[host - 1].present = true;
        read_literal(reader, "\"}");
        before = host;
    } while (read_is_next(reader, ","));
}

enum err_code register_parse(struct span text, struct register_value *ret_value, struct err *err)
{
    struct reader reader = {.at = text.data, .left = text.size};
    struct register_value value;
    const char *fault;

    memset(&value, 0, sizeof value);
    if (text.size >= REGISTER_TEXT_SIZE_MAX) {
        return err_set(err, ERR_CORRUPT, "register: %zu bytes are too many", text.size);
    }
    read_literal(&reader, "{\"version\":1,\"cluster\":\"");
    read_id(&reader, value.cluster_id);
    read_literal(&reader, "\",\"lineage\":\"");
    value.lineage = read_hex(&reader, HEX_U64_SIZE);
    read_literal(&reader, "\",\"epoch\":");
    value.epoch = read_decimal(&reader);
    read_literal(&reader, ",\"primary\":");
    value.primary = read_host(&reader);
    read_literal(&reader, ",\"isr\":[");
    read_isr(&reader, &value);
    read_literal(&reader, "],\"nonce\":\"");
    value.nonce = read_hex(&reader, HEX_U64_SIZE);
    read_literal(&reader, "\"}");
    if (reader.wanted == NULL && reader.left > 0) {
        read_fail(&reader, "the end");
    }
    if (reader.wanted != NULL) {
        return err_set(err, ERR_CORRUPT, "register: byte %zu: not %s", text.size - reader.left,
                       reader.wanted);
    }
    fault = register_fault(&value);
    if (fault != NULL) {
        return err_set(err, ERR_CORRUPT, "register: %s", fault);
    }
    *ret_value = value;
    return ERR_OK;
}
