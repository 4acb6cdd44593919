/* SPDX-License-Identifier: Apache-2.0 */
/* request_id.c: request ids.
 * Owns the layout of an id (48 bits of milliseconds, 80 random bits) and its text.
 * Never reads a clock and never draws randomness: both are passed in. */
#include "approvald/core/request_id.h"

#include "base/assert.h"

#include <string.h>

#define PREFIX      "req_"
#define PREFIX_SIZE (sizeof PREFIX - 1)
#define DIGIT_COUNT 26
#define TIME_SIZE   6

static_assert(PREFIX_SIZE + DIGIT_COUNT + 1 == REQUEST_ID_TEXT_SIZE, "the text must fit");
static_assert(TIME_SIZE + REQUEST_ID_RANDOM_SIZE == REQUEST_ID_SIZE, "the id must be filled");

/* Crockford's base 32: no I, L, O, U, which people mistake for other characters. */
static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void request_id_make(uint64_t now_ms,
                     const uint8_t random[REQUEST_ID_RANDOM_SIZE],
                     struct request_id *ret_id)
{
    ASSERT(random != NULL);
    ASSERT(ret_id != NULL);

    for (size_t i = 0; i < TIME_SIZE; i++) {
        ret_id->bytes[i] = (uint8_t)(now_ms >> (40 - 8 * i));
    }
    memcpy(ret_id->bytes + TIME_SIZE, random, REQUEST_ID_RANDOM_SIZE);
}

void request_id_format(const struct request_id *id, char ret_text[REQUEST_ID_TEXT_SIZE])
{
    /* 26 digits are 130 bits: two zero bits stand before the first byte. */
    uint32_t bits = 0;
    unsigned int count = 2;
    size_t digit = PREFIX_SIZE;

    ASSERT(id != NULL);
    memcpy(ret_text, PREFIX, PREFIX_SIZE);
    for (size_t i = 0; i < REQUEST_ID_SIZE; i++) {
        bits = bits << 8 | id->bytes[i];
        count += 8;
        while (count >= 5) {
            count -= 5;
            ret_text[digit++] = digits[bits >> count & 31];
        }
    }
    ASSERT(digit == REQUEST_ID_TEXT_SIZE - 1);
    ret_text[digit] = '\0';
}

static int digit_value(char character)
{
    const char *found = character == '\0' ? NULL : strchr(digits, character);

    return found == NULL ? -1 : (int)(found - digits);
}

bool request_id_parse(struct span text, struct request_id *ret_id)
{
    struct request_id id;
    uint32_t bits = 0;
    unsigned int count = 0;
    size_t size = 0;

    ASSERT(ret_id != NULL);
    if (text.size != PREFIX_SIZE + DIGIT_COUNT || memcmp(text.data, PREFIX, PREFIX_SIZE) != 0) {
        return false;
    }
    for (size_t i = PREFIX_SIZE; i < text.size; i++) {
        int value = digit_value(text.data[i]);

        if (value < 0 || (i == PREFIX_SIZE && value > 7)) {
            return false;
        }
        bits = bits << 5 | (uint32_t)value;
        count += i == PREFIX_SIZE ? 3 : 5;
        if (count >= 8) {
            count -= 8;
            id.bytes[size++] = (uint8_t)(bits >> count);
        }
    }
    ASSERT(size == REQUEST_ID_SIZE);
    *ret_id = id;
    return true;
}

int request_id_compare(const struct request_id *a, const struct request_id *b)
{
    return memcmp(a->bytes, b->bytes, REQUEST_ID_SIZE);
}

uint64_t request_id_time_ms(const struct request_id *id)
{
    uint64_t time_ms = 0;

    for (size_t i = 0; i < TIME_SIZE; i++) {
        time_ms = time_ms << 8 | id->bytes[i];
    }
    return time_ms;
}
