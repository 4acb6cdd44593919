/* SPDX-License-Identifier: Apache-2.0 */
/* test_text.c: proves base/text.
 * Owns nothing but its cases; never touches a file or the network. */
#include "base/buf.h"
#include "base/text.h"
#include "tests/unit/unit.h"

#include <string.h>

#define ROOM 4096

typedef enum err_code
escape_fn(struct buf *buf, struct span text, size_t count_max, struct err *err);

static void check_escape(escape_fn *escape, struct span text, size_t count_max, const char *want)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(ROOM, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(escape(buf, text, count_max, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(buf), want);
}

static void check_clean(struct span text, bool multiline, const char *want)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(ROOM, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(text_clean(buf, text, multiline, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(buf), want);
}

static void check_json(struct span text, const char *want)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(ROOM, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(text_append_json(buf, text, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(buf), want);
}

static void check_form(const char *body, const char *name, enum err_code rc, const char *want)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(ROOM, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(text_form_field(span_text(body), name, buf, &err), rc);
    CU_ASSERT_STRING_EQUAL(buf_text(buf), want);
}

static void utf8_is_strict(void)
{
    static const char *const good[] = {
        "",
        "plain ascii that is longer than one word",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "mixed gr\xc3\xbc\xc3\x9f and then more than eight ascii bytes"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\xaf",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2\x41",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xe2\x82",
                                      "long enough for a word \xfe and more than that",
                                      "\xf8\x88\x80\x80\x80"};

    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        CU_ASSERT(text_is_utf8(span_text(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CU_ASSERT_FALSE(text_is_utf8(span_text(bad[i])));
    }
    for (size_t i = 0; i < 20; i++) {
        char zeros[20];

        memset(zeros, 'a', sizeof zeros);
        zeros[i] = '\0';
        CU_ASSERT_FALSE(text_is_utf8(span_of(zeros, sizeof zeros)));
    }
}

static void counts_and_prefixes_are_of_characters(void)
{
    const struct span text = SPAN_LITERAL("a\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80z");

    CU_ASSERT_EQUAL(text_count(text), 5);
    CU_ASSERT_EQUAL(text_count(SPAN_NONE), 0);
    CU_ASSERT(span_is(text_prefix(text, 0), ""));
    CU_ASSERT(span_is(text_prefix(text, 2), "a\xc3\xbc"));
    CU_ASSERT_EQUAL(text_prefix(text, 4).size, text.size - 1);
    CU_ASSERT_EQUAL(text_prefix(text, 9).size, text.size);
}

static void clean_takes_out_what_hides_or_reorders(void)
{
    check_clean(SPAN_LITERAL("deploy \xe2\x80\xaetxt.exe\xe2\x80\xac"), false, "deploy txt.exe");
    check_clean(SPAN_LITERAL("a\xe2\x81\xa6g\xe2\x81\xa9\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c"
                             "b"),
                false, "agb");
    check_clean(SPAN_LITERAL("pro\xe2\x80\x8b\xe2\x80\x8c\xe2\x80\x8d\xe2\x81\xa0\xef\xbb\xbf"
                             "d\xc2\xad"),
                false, "prod");
    check_clean(SPAN_LITERAL("x\xf3\xa0\x80\x81\xf3\xa0\x81\xbfy"), false, "xy"); /* tags */
    check_clean(SPAN_LITERAL("\xe3\x85\xa4name\xef\xbf\xbf"), false, "name");
    check_clean(SPAN_LITERAL("gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80"), false,
                "gr\xc3\xbc\xc3\x9f \xf0\x9f\x98\x80");
}

static void clean_keeps_lines_only_where_asked(void)
{
    const struct span text = SPAN_LITERAL("a\r\nb\rc\n\td\xe2\x80\xa8"
                                          "e\x1b[1m\x7f\xc2\x9b\0f");

    check_clean(text, true,
                "a\nb\nc\n\td\ne [1m  \xef\xbf\xbd"
                "f");
    check_clean(text, false,
                "a b c  d e [1m  \xef\xbf\xbd"
                "f");
    check_clean(SPAN_NONE, true, "");
}

static void mrkdwn_is_escaped_and_cut_between_characters(void)
{
    check_escape(text_escape_mrkdwn, SPAN_LITERAL("<!here> & <@U1>"), 100,
                 "&lt;!here&gt; &amp; &lt;@U1&gt;");
    check_escape(text_escape_mrkdwn, SPAN_LITERAL("abcd"), 4, "abcd");
    check_escape(text_escape_mrkdwn, SPAN_LITERAL("abcde"), 4, "abc\xe2\x80\xa6");
    check_escape(text_escape_mrkdwn, SPAN_LITERAL("a<b"), 5, "a\xe2\x80\xa6");
    check_escape(text_escape_mrkdwn, SPAN_LITERAL("a<b"), 6, "a&lt;b");
    check_escape(text_escape_mrkdwn, SPAN_LITERAL("a<bc"), 6, "a&lt;\xe2\x80\xa6");
    check_escape(text_escape_mrkdwn, SPAN_LITERAL("a&"), 5, "a\xe2\x80\xa6");
    check_escape(text_escape_mrkdwn, SPAN_LITERAL("\xe2\x82\xac\xe2\x82\xac\xe2\x82\xac"), 2,
                 "\xe2\x82\xac\xe2\x80\xa6");
    check_escape(text_escape_mrkdwn, SPAN_LITERAL("&"), 1, "\xe2\x80\xa6");
    check_escape(text_escape_mrkdwn, SPAN_LITERAL("a"), 1, "a");
    check_escape(text_escape_mrkdwn, SPAN_LITERAL("a"), 0, "");
    check_escape(text_escape_mrkdwn, SPAN_LITERAL("\xff"), 5, "\xef\xbf\xbd");
}

static void a_terminal_gets_no_control_sequence(void)
{
    check_escape(text_escape_terminal,
                 SPAN_LITERAL("\x1b[2J\n\xc2\x9b"
                              "1m\xff"),
                 100, "\\x1B[2J\\x0A\\x9B1m\\xFF");
    check_escape(text_escape_terminal, SPAN_LITERAL("\xe2\x80\xae\xf3\xa0\x80\x81"), 100,
                 "\\u{202E}\\u{E0001}");
    check_escape(text_escape_terminal,
                 SPAN_LITERAL("ab\x1b"
                              "cd"),
                 5, "ab\xe2\x80\xa6");
    check_escape(text_escape_terminal,
                 SPAN_LITERAL("ab\x1b"
                              "cd"),
                 8,
                 "ab\\x1B"
                 "cd");
    check_escape(text_escape_terminal, SPAN_LITERAL("gr\xc3\xbcn"), 4, "gr\xc3\xbcn");
}

static void json_literals_hold_any_bytes(void)
{
    check_json(SPAN_LITERAL("a\"b\\c\n\t\x01\x7f/"), "\"a\\\"b\\\\c\\n\\u0009\\u0001\\u007f/\"");
    check_json(SPAN_LITERAL("gr\xc3\xbcn\xff\0."), "\"gr\xc3\xbcn\xef\xbf\xbd\xef\xbf\xbd.\"");
    check_json(SPAN_NONE, "\"\"");
}

static void a_form_field_is_found_once_and_decoded(void)
{
    check_form("a=1&payload=%7B%22x%22%3A+1%7d&b", "payload", ERR_OK, "{\"x\": 1}");
    check_form("a=1&b=", "b", ERR_OK, "");
    check_form("a=1&b", "b", ERR_OK, "");
    check_form("a=x=y", "a", ERR_OK, "x=y");
    check_form("pay%6Coad=1", "payload", ERR_OK, "1");
    check_form("payload=1&pay%6Coad=2", "payload", ERR_INVALID, "");
    check_form("a=1&a=1", "a", ERR_INVALID, "");
    check_form("ab=1&abcd=2", "abc", ERR_NOT_FOUND, "");
    check_form("", "a", ERR_NOT_FOUND, "");
    check_form("&&=&", "a", ERR_NOT_FOUND, "");
    check_form("a=%", "a", ERR_INVALID, "");
    check_form("a=%4", "a", ERR_INVALID, "");
    check_form("a=%4g", "a", ERR_INVALID, "");
    check_form("a=%00", "a", ERR_INVALID, "");
    check_form("a=abcd%%%%", "a", ERR_INVALID, "");
    check_form("a=ab%%41", "a", ERR_INVALID, "");
    check_form("a=%%%", "a", ERR_INVALID, "");
    check_form("a=x%41%", "a", ERR_INVALID, "");
    check_form("a=%7e%7E%fF+%41", "a", ERR_OK, "~~\xff A");
    check_form("a%00=1&a=2", "a", ERR_INVALID, "");
    check_form("a=%C3%BC&b=%zz", "a", ERR_OK, "\xc3\xbc");
}

static void a_full_buffer_is_left_as_it_was(void)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;
    const struct span text = SPAN_LITERAL("a\"b\nc<d&e\x1b"
                                          "f");

    CU_ASSERT_EQUAL_FATAL(buf_new(8, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(buf_append_text(buf, "x", &err), ERR_OK);
    CU_ASSERT_EQUAL(text_append_json(buf, text, &err), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(text_escape_mrkdwn(buf, text, 100, &err), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(text_escape_terminal(buf, text, 100, &err), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(text_clean(buf, text, true, &err), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(text_form_field(SPAN_LITERAL("a=12345678"), "a", buf, &err), ERR_TOO_LARGE);
    CU_ASSERT_STRING_EQUAL(buf_text(buf), "x");
    CU_ASSERT_EQUAL(text_form_field(SPAN_LITERAL("a=%31%32%33%34567"), "a", buf, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(buf), "x1234567");
}

static void numbers_are_digits_only(void)
{
    uint64_t number = 7;

    CU_ASSERT(text_parse_u64(SPAN_LITERAL("18446744073709551615"), &number));
    CU_ASSERT_EQUAL(number, UINT64_MAX);
    CU_ASSERT(text_parse_u64(SPAN_LITERAL("000"), &number));
    CU_ASSERT_EQUAL(number, 0);
    number = 7;
    CU_ASSERT_FALSE(text_parse_u64(SPAN_LITERAL("18446744073709551616"), &number));
    CU_ASSERT_FALSE(text_parse_u64(SPAN_LITERAL(""), &number));
    CU_ASSERT_FALSE(text_parse_u64(SPAN_LITERAL("+1"), &number));
    CU_ASSERT_FALSE(text_parse_u64(SPAN_LITERAL("1 "), &number));
    CU_ASSERT_FALSE(text_parse_u64(SPAN_LITERAL("0x1"), &number));
    CU_ASSERT_EQUAL(number, 7);
}

static void times_are_rfc_3339(void)
{
    char text[TEXT_TIME_SIZE];

    text_format_time(0, text);
    CU_ASSERT_STRING_EQUAL(text, "1970-01-01T00:00:00Z");
    text_format_time(1769903999999, text);
    CU_ASSERT_STRING_EQUAL(text, "2026-01-31T23:59:59Z");
    text_format_time(UINT64_MAX, text);
    CU_ASSERT_STRING_EQUAL(text, "9999-12-31T23:59:59Z");
}

UNIT_MAIN("text",
          {"UTF-8 is strict", utf8_is_strict},
          {"counts and prefixes are of characters", counts_and_prefixes_are_of_characters},
          {"clean takes out what hides or reorders", clean_takes_out_what_hides_or_reorders},
          {"clean keeps lines only where asked", clean_keeps_lines_only_where_asked},
          {"mrkdwn is escaped and cut between characters",
           mrkdwn_is_escaped_and_cut_between_characters},
          {"a terminal gets no control sequence", a_terminal_gets_no_control_sequence},
          {"JSON literals hold any bytes", json_literals_hold_any_bytes},
          {"a form field is found once and decoded", a_form_field_is_found_once_and_decoded},
          {"a full buffer is left as it was", a_full_buffer_is_left_as_it_was},
          {"numbers are digits only", numbers_are_digits_only},
          {"times are RFC 3339", times_are_rfc_3339})
