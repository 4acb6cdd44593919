/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_json.c: foreign bytes through base/json.
 * Owns these promises: what json_scan passes cJSON reads; what is printed reads back as the same;
 * lookups take any tree. Never trusts cJSON alone: every tree is printed and read again. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"

#define SIZE_LIMIT ((size_t)256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_around(const struct json *json)
{
    uint64_t u64;
    int64_t i64;

    (void)json_text(json, "a.b");
    (void)json_u64(json, "n", &u64);
    (void)json_i64(json, "n", &i64);
    (void)json_bool(json, "b", false);
    for (const struct json *at = json_first(json); at != NULL; at = json_next(at)) {
        ASSERT(json_name(at) == NULL || json_get(json, json_name(at)) != NULL);
        ASSERT(!json_is_string(at) || json_string(at).data != NULL);
    }
    ASSERT(json_at(json, json_count(json)) == NULL);
}

static struct buf *print(const struct json *json)
{
    struct buf *buf = NULL;

    ASSERT(buf_new(16 * SIZE_LIMIT, &buf, NULL) == ERR_OK);
    ASSERT(json_print(json, buf, NULL) == ERR_OK);
    return buf;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_JSON struct json *json = NULL;
    AUTO_JSON struct json *again = NULL;
    AUTO_BUF struct buf *first = NULL;
    AUTO_BUF struct buf *second = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = json_parse(span_of(data, size), SIZE_LIMIT, &json, &err);

    ASSERT(rc != ERR_NOMEM);
    if (rc != ERR_OK) {
        ASSERT(json == NULL);
        return 0;
    }
    look_around(json);
    first = print(json);
    ASSERT(json_parse(buf_span(first), 16 * SIZE_LIMIT, &again, &err) == ERR_OK);
    second = print(again);
    ASSERT(span_equal(buf_span(first), buf_span(second)));
    return 0;
}
