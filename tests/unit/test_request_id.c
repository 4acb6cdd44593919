/* SPDX-License-Identifier: Apache-2.0 */
/* test_request_id.c: proves approvald/core/request_id.
 * Owns nothing but its cases. Never draws a random number. */
#include "approvald/core/request_id.h"
#include "tests/unit/unit.h"

#include <string.h>

static void an_id_survives_its_text(void)
{
    static const uint8_t random[REQUEST_ID_RANDOM_SIZE] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 255};
    struct request_id id;
    struct request_id back;
    char text[REQUEST_ID_TEXT_SIZE];

    for (uint64_t time_ms = 0; time_ms < UINT64_C(1) << 48; time_ms = time_ms * 3 + 1) {
        request_id_make(time_ms, random, &id);
        request_id_format(&id, text);
        CU_ASSERT_EQUAL(strlen(text), REQUEST_ID_TEXT_SIZE - 1);
        CU_ASSERT(request_id_parse(span_text(text), &back));
        CU_ASSERT(request_id_equal(&id, &back));
        CU_ASSERT_EQUAL(request_id_time_ms(&back), time_ms);
    }
    memset(id.bytes, 0xff, sizeof id.bytes);
    request_id_format(&id, text);
    CU_ASSERT_STRING_EQUAL(text, "req_7ZZZZZZZZZZZZZZZZZZZZZZZZZ");
    CU_ASSERT(request_id_parse(span_text(text), &back) && request_id_equal(&id, &back));
}

static void ids_sort_by_time_as_bytes_and_as_text(void)
{
    static const uint8_t late[REQUEST_ID_RANDOM_SIZE] = {0};
    static const uint8_t early[REQUEST_ID_RANDOM_SIZE] = {255, 255};
    struct request_id a;
    struct request_id b;
    char a_text[REQUEST_ID_TEXT_SIZE];
    char b_text[REQUEST_ID_TEXT_SIZE];

    request_id_make(1000, early, &a);
    request_id_make(1001, late, &b);
    request_id_format(&a, a_text);
    request_id_format(&b, b_text);
    CU_ASSERT(request_id_compare(&a, &b) < 0);
    CU_ASSERT(strcmp(a_text, b_text) < 0);
}

static void other_texts_are_refused(void)
{
    static const char *const bad[] = {
        "",
        "req_",
        "7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "req_7ZZZZZZZZZZZZZZZZZZZZZZZZ",   /* short */
        "req_7ZZZZZZZZZZZZZZZZZZZZZZZZZZ", /* long */
        "req_8ZZZZZZZZZZZZZZZZZZZZZZZZZ",  /* more than 128 bits */
        "req_7zZZZZZZZZZZZZZZZZZZZZZZZZ",  /* lower case */
        "req_7IZZZZZZZZZZZZZZZZZZZZZZZZ",  /* I, L, O and U are not used */
        "req_7LZZZZZZZZZZZZZZZZZZZZZZZZ",
        "req_7OZZZZZZZZZZZZZZZZZZZZZZZZ",
        "req_7UZZZZZZZZZZZZZZZZZZZZZZZZ",
        "req_7 ZZZZZZZZZZZZZZZZZZZZZZZZ",
        "REQ_7ZZZZZZZZZZZZZZZZZZZZZZZZZ",
    };
    struct request_id id;

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_FALSE(request_id_parse(span_text(bad[i]), &id));
    }
    CU_ASSERT_FALSE(request_id_parse(
        span_of("req_7\0ZZZZZZZZZZZZZZZZZZZZZZZZ", REQUEST_ID_TEXT_SIZE - 1), &id));
}

UNIT_MAIN("request_id",
          {"an id survives its text", an_id_survives_its_text},
          {"ids sort by time, as bytes and as text", ids_sort_by_time_as_bytes_and_as_text},
          {"other texts are refused", other_texts_are_refused})
