/* SPDX-License-Identifier: Apache-2.0 */
/* test_buf.c: proves base/buf.
 * Owns nothing but its cases; never touches a file or the network. */
#include "base/buf.h"
#include "tests/unit/unit.h"

#include <string.h>

static void append_keeps_content_and_nul(void)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(1000, &buf, &err), ERR_OK);
    for (int i = 0; i < 100; i++) {
        CU_ASSERT_EQUAL(buf_append_text(buf, "0123456789", &err), ERR_OK);
    }
    CU_ASSERT_EQUAL(buf_size(buf), 1000);
    CU_ASSERT_EQUAL(buf_room(buf), 0);
    CU_ASSERT_EQUAL(strlen(buf_text(buf)), 1000);
}

static void past_the_maximum_is_refused_and_changes_nothing(void)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(4, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(buf_append_text(buf, "abc", &err), ERR_OK);
    CU_ASSERT_EQUAL(buf_append_text(buf, "de", &err), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(err.code, ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(buf_append_format(buf, &err, "%d", 12), ERR_TOO_LARGE);
    CU_ASSERT(span_is(buf_span(buf), "abc"));
    CU_ASSERT_EQUAL(buf_append_format(buf, &err, "%d", 7), ERR_OK);
    CU_ASSERT(span_is(buf_span(buf), "abc7"));
}

static void consume_drops_from_the_front(void)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(10, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(buf_append_text(buf, "abcdef", &err), ERR_OK);
    buf_consume(buf, 2);
    CU_ASSERT(span_is(buf_span(buf), "cdef"));
    buf_truncate(buf, 1);
    CU_ASSERT(span_is(buf_span(buf), "c"));
}

UNIT_MAIN("buf",
          {"append keeps content and NUL", append_keeps_content_and_nul},
          {"past the maximum is refused and changes nothing",
           past_the_maximum_is_refused_and_changes_nothing},
          {"consume drops from the front", consume_drops_from_the_front})
