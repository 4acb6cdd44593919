/* SPDX-License-Identifier: Apache-2.0 */
/* test_json.c: proves base/json and base/json_scan.
 * Owns nothing but its cases; never touches a file or the network. */
#include "base/buf.h"
#include "base/json.h"
#include "base/limits.h"
#include "tests/unit/starve.h"
#include "tests/unit/unit.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define SIZE_LIMIT 1000000

static enum err_code parse_code(struct span text)
{
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;

    return json_parse(text, SIZE_LIMIT, &json, &err);
}

static void check_round(const char *text, const char *want)
{
    AUTO_JSON struct json *json = NULL;
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(SIZE_LIMIT, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(json_parse(span_text(text), SIZE_LIMIT, &json, &err), ERR_OK);
    CU_ASSERT_EQUAL(json_print(json, buf, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(buf), want);
}

static void what_is_not_rfc_8259_is_refused(void)
{
    static const char *const bad[] = {"",           " ",
                                      "{",          "[",
                                      "]",          "[1,]",
                                      "[,1]",       "{,}",
                                      "{\"a\"}",    "{\"a\":}",
                                      "{\"a\":1,}", "{a:1}",
                                      "{'a':1}",    "[1 2]",
                                      "01",         "+1",
                                      "1.",         ".5",
                                      "1e",         "1e+",
                                      "-",          "--1",
                                      "0x10",       "NaN",
                                      "Infinity",   "tru",
                                      "truex",      "nul",
                                      "True",       "\"",
                                      "\"a",        "\"\\x41\"",
                                      "\"\\u12\"",  "\"\\u12g4\"",
                                      "\"\t\"",     "\"a\nb\"",
                                      "1 1",        "{} x",
                                      "[]]",        "{\"a\":1}}",
                                      "[}",         "{]",
                                      "[1}",        "{\"a\":1]",
                                      "// c\n1",    "\xef\xbb\xbf{}",
                                      "\"\xc3\"",   "\"\xed\xa0\x80\"",
                                      "\x01",       "{\"a\":1 \"b\":2}",
                                      "[1:2]",      "123456789012345678901234567890123"};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_EQUAL(parse_code(span_text(bad[i])), ERR_INVALID);
    }
    CU_ASSERT_EQUAL(parse_code(SPAN_LITERAL("1\0")), ERR_INVALID);
    CU_ASSERT_EQUAL(parse_code(SPAN_LITERAL("\"a\0b\"")), ERR_INVALID);
}

static void what_would_be_cut_or_lost_is_refused(void)
{
    CU_ASSERT_EQUAL(parse_code(SPAN_LITERAL("\"a\\u0000b\"")), ERR_INVALID);
    CU_ASSERT_EQUAL(parse_code(SPAN_LITERAL("{\"a\\u0000b\":1}")), ERR_INVALID);
    CU_ASSERT_EQUAL(parse_code(SPAN_LITERAL("\"\\ud800\"")), ERR_INVALID);
    CU_ASSERT_EQUAL(parse_code(SPAN_LITERAL("\"\\udc00\"")), ERR_INVALID);
    CU_ASSERT_EQUAL(parse_code(SPAN_LITERAL("\"\\ud800\\ud800\"")), ERR_INVALID);
    CU_ASSERT_EQUAL(parse_code(SPAN_LITERAL("\"\\ud800\\n\"")), ERR_INVALID);
    CU_ASSERT_EQUAL(parse_code(SPAN_LITERAL("\"\\ud83d\\ude00\"")), ERR_OK);
}

static void errors_name_the_byte(void)
{
    struct json *json = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(json_parse(SPAN_LITERAL("{\"a\": tru}"), 99, &json, &err), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(err.message, "JSON: no value at byte 9");
    CU_ASSERT_PTR_NULL(json);
}

static void size_depth_and_count_are_bounded(void)
{
    static char deep[2 * JSON_DEPTH_MAX + 2];
    static char many[2 * JSON_NODE_COUNT_MAX + 3];
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(json_parse(SPAN_LITERAL("[1,2]"), 4, &json, &err), ERR_TOO_LARGE);
    memset(deep, '[', JSON_DEPTH_MAX);
    memset(deep + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
    CU_ASSERT_EQUAL(parse_code(span_of(deep, (size_t)2 * JSON_DEPTH_MAX)), ERR_OK);
    memset(deep, '[', JSON_DEPTH_MAX + 1);
    memset(deep + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
    CU_ASSERT_EQUAL(parse_code(span_of(deep, sizeof deep)), ERR_TOO_LARGE);
    for (size_t i = 0; i < sizeof many; i++) {
        many[i] = i % 2 == 0 ? ',' : '1';
    }
    many[0] = '[';
    many[sizeof many - 1] = ']';
    CU_ASSERT_EQUAL(parse_code(span_of(many, sizeof many)), ERR_TOO_LARGE);
}

static void lookups_answer_absent_for_anything_else(void)
{
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    bool yes = false;

    CU_ASSERT_EQUAL_FATAL(
        json_parse(SPAN_LITERAL("{\"view\":{\"state\":{\"ok\":true,\"t\":\"x\",\"n\":null}},"
                                "\"view\":1,\"list\":[1,{\"a\":\"b\"},\"s\"]}"),
                   SIZE_LIMIT, &json, &err),
        ERR_OK);
    CU_ASSERT(span_is(json_text(json, "view.state.t"), "x"));
    CU_ASSERT(json_bool(json, "view.state.ok", false));
    CU_ASSERT(json_bool(json, "view.state.t", true));
    CU_ASSERT_FALSE(json_bool(json, "view.state.none", yes));
    CU_ASSERT(json_is_null(json_path(json, "view.state.n")));
    CU_ASSERT_EQUAL(json_text(json, "view.state.n").size, 0);
    CU_ASSERT_EQUAL(json_text(json, "view.state").size, 0);
    CU_ASSERT_PTR_NULL(json_path(json, "view.state.t.more"));
    CU_ASSERT_PTR_NULL(json_path(json, "view.stat"));
    CU_ASSERT_PTR_NULL(json_path(json, "view.statement"));
    CU_ASSERT_PTR_NULL(json_path(json, ""));
    CU_ASSERT_PTR_NULL(json_path(NULL, "a.b"));
    CU_ASSERT(json_is_object(json_get(json, "view")));
    CU_ASSERT_PTR_NULL(json_get(json_get(json, "list"), "a"));
    CU_ASSERT_EQUAL(json_count(json_get(json, "list")), 3);
    CU_ASSERT(span_is(json_text(json_at(json_get(json, "list"), 1), "a"), "b"));
    CU_ASSERT(span_is(json_string(json_at(json_get(json, "list"), 2)), "s"));
    CU_ASSERT_PTR_NULL(json_at(json_get(json, "list"), 3));
    CU_ASSERT_EQUAL(json_count(NULL), 0);
    CU_ASSERT_PTR_NULL(json_name(json_first(json_get(json, "list"))));
    CU_ASSERT_STRING_EQUAL(json_name(json_first(json)), "view");
}

static void check_integer(const char *text, bool is_u64, bool is_i64, int64_t want)
{
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    char object[80];
    uint64_t u64 = 77;
    int64_t i64 = 77;

    (void)snprintf(object, sizeof object, "{\"n\":%s}", text);
    CU_ASSERT_EQUAL_FATAL(json_parse(span_text(object), SIZE_LIMIT, &json, &err), ERR_OK);
    CU_ASSERT_EQUAL(json_u64(json, "n", &u64), is_u64);
    CU_ASSERT_EQUAL(u64, is_u64 ? (uint64_t)want : 77);
    CU_ASSERT_EQUAL(json_i64(json, "n", &i64), is_i64);
    CU_ASSERT_EQUAL(i64, is_i64 ? want : 77);
}

static void integers_are_exact_or_absent(void)
{
    check_integer("0", true, true, 0);
    check_integer("-0", true, true, 0);
    check_integer("1e3", true, true, 1000);
    check_integer("9007199254740992", true, true, 9007199254740992);
    check_integer("-9007199254740992", false, true, -9007199254740992);
    check_integer("9007199254740994", false, false, 0);
    check_integer("-1", false, true, -1);
    check_integer("1.5", false, false, 0);
    check_integer("1e999", false, false, 0);
    check_integer("-1e999", false, false, 0);
    check_integer("\"1\"", false, false, 0);
    check_integer("true", false, false, 0);
}

static void printing_is_compact_and_loses_nothing(void)
{
    check_round(" { \"a\" : [ 1 , -2.5 , true , null , { } , [ ] ] , \"b\" : \"\\u00fc\\/\\n\" } ",
                "{\"a\":[1,-2.5,true,null,{},[]],\"b\":\"\xc3\xbc/\\n\"}");
    check_round("[[[]],{\"a\":{\"b\":[false]}},1]", "[[[]],{\"a\":{\"b\":[false]}},1]");
    check_round("0.1", "0.1");
    check_round("0.30000000000000004", "0.30000000000000004");
    check_round("9007199254740991", "9007199254740991");
    check_round("1e999", "null");
    check_round("\"\\ud83d\\ude00\"", "\"\xf0\x9f\x98\x80\"");
}

static struct json *build(void)
{
    struct json *root = json_new_object();
    struct json *list = json_add_array(root, "list");
    struct json *part = json_new_array();

    json_add_u64(list, NULL, UINT64_MAX);
    json_add_i64(list, NULL, INT64_MIN);
    json_add_bool(json_add_object(list, NULL), "yes", true);
    json_add_null(root, "nothing");
    json_add_text(root, "text", SPAN_LITERAL("cut here, not there: \"\xff"));
    json_add_text(part, NULL, SPAN_NONE);
    json_add_take(root, "part", part);
    return root;
}

static enum err_code build_and_print(void *arg)
{
    AUTO_JSON struct json *root = build();
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(SIZE_LIMIT, &buf, &err);

    rc = rc == ERR_OK ? json_print(root, buf, &err) : rc;
    if (rc == ERR_OK) {
        CU_ASSERT_STRING_EQUAL(buf_text(buf), (const char *)arg);
    } else if (buf != NULL) {
        CU_ASSERT_EQUAL(buf_size(buf), 0);
    }
    return rc;
}

static char built[] = "{\"list\":[18446744073709551615,-9223372036854775808,{\"yes\":true}],"
                      "\"nothing\":null,\"text\":\"cut here, not there: \\\"\xef\xbf\xbd\","
                      "\"part\":[\"\"]}";

static void a_tree_that_missed_any_allocation_is_not_printed(void)
{
    CU_ASSERT(starve_each(build_and_print, built) > 15);
}

static enum err_code parse_starved(void *arg)
{
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;

    return json_parse(span_text(arg), SIZE_LIMIT, &json, &err);
}

static void parsing_survives_any_failed_allocation(void)
{
    CU_ASSERT(starve_each(parse_starved, built) >= 1);
}

/* Where the room for a tree is counted too small, parsing fails. */
static void any_tree_fits_its_block(void)
{
    static const char *items[] = {"\"\"",
                                  "1",
                                  "-0.5e+10",
                                  "12345678901234567890",
                                  "[]",
                                  "{}",
                                  "[[]]",
                                  "{\"\":\"\"}",
                                  "{\"a\":1,\"b\":\"\\u00e4\"}",
                                  "\"0123456789abcde\"",
                                  "\"0123456789abcdef\"",
                                  "null",
                                  "true",
                                  "{\"0123456789abcdef\":[0]}"};

    for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
        AUTO_BUF struct buf *buf = NULL;
        AUTO_JSON struct json *json = NULL;
        struct err err = ERR_INIT;

        CU_ASSERT_EQUAL_FATAL(buf_new(100000, &buf, &err), ERR_OK);
        for (size_t k = 0; k < 1000; k++) {
            CU_ASSERT_EQUAL(buf_append_format(buf, &err, "%s%s", k == 0 ? "[" : ",", items[i]),
                            ERR_OK);
        }
        CU_ASSERT_EQUAL(buf_append_text(buf, "]", &err), ERR_OK);
        CU_ASSERT_EQUAL(json_parse(buf_span(buf), 100000, &json, &err), ERR_OK);
        CU_ASSERT_EQUAL(json_count(json), 1000);
    }
}

static enum err_code take_parsed(void *arg)
{
    AUTO_JSON struct json *root = json_new_object();
    AUTO_BUF struct buf *buf = NULL;
    struct json *part = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = buf_new(SIZE_LIMIT, &buf, &err);

    rc = rc == ERR_OK ? json_parse(SPAN_LITERAL("{\"a\":[1,{\"b\":\"c\"}],\"d\":null}"), SIZE_LIMIT,
                                   &part, &err)
                      : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    json_add_take(root, "part", part);
    rc = json_print(root, buf, &err);
    if (rc == ERR_OK) {
        CU_ASSERT_STRING_EQUAL(buf_text(buf), (const char *)arg);
    }
    return rc;
}

static void a_parsed_tree_can_become_a_part(void)
{
    static char whole[] = "{\"part\":{\"a\":[1,{\"b\":\"c\"}],\"d\":null}}";

    CU_ASSERT(starve_each(take_parsed, whole) > 5);
}

static void builders_accept_null(void)
{
    AUTO_JSON struct json *root = json_new_object();
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(64, &buf, &err), ERR_OK);
    json_add_text(NULL, "a", SPAN_LITERAL("b"));
    json_add_u64(NULL, NULL, 1);
    json_add_take(NULL, "a", json_new_object());
    CU_ASSERT_PTR_NULL(json_add_object(NULL, "a"));
    CU_ASSERT_EQUAL(json_print(NULL, buf, &err), ERR_NOMEM);
    json_add_take(root, "a", NULL);
    CU_ASSERT_EQUAL(json_print(root, buf, &err), ERR_NOMEM);
    json_free(NULL);
}

static void a_tree_too_deep_to_read_is_not_printed(void)
{
    AUTO_JSON struct json *root = json_new_array();
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;
    struct json *at = root;

    CU_ASSERT_EQUAL_FATAL(buf_new(SIZE_LIMIT, &buf, &err), ERR_OK);
    for (int i = 1; i < JSON_DEPTH_MAX; i++) {
        at = json_add_array(at, NULL);
    }
    CU_ASSERT_EQUAL(json_print(root, buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(parse_code(buf_span(buf)), ERR_OK);
    buf_clear(buf);
    (void)json_add_array(json_add_array(at, NULL), NULL);
    CU_ASSERT_EQUAL(json_print(root, buf, &err), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(buf_size(buf), 0);
}

UNIT_MAIN("json",
          {"what is not RFC 8259 is refused", what_is_not_rfc_8259_is_refused},
          {"what would be cut or lost is refused", what_would_be_cut_or_lost_is_refused},
          {"errors name the byte", errors_name_the_byte},
          {"size, depth and count are bounded", size_depth_and_count_are_bounded},
          {"lookups answer absent for anything else", lookups_answer_absent_for_anything_else},
          {"integers are exact or absent", integers_are_exact_or_absent},
          {"printing is compact and loses nothing", printing_is_compact_and_loses_nothing},
          {"a tree that missed any allocation is not printed",
           a_tree_that_missed_any_allocation_is_not_printed},
          {"parsing survives any failed allocation", parsing_survives_any_failed_allocation},
          {"any tree fits its block", any_tree_fits_its_block},
          {"a parsed tree can become a part", a_parsed_tree_can_become_a_part},
          {"builders accept NULL", builders_accept_null},
          {"a tree too deep to read is not printed", a_tree_too_deep_to_read_is_not_printed})
