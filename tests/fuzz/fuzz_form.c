/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_form.c: foreign bytes as a form, and as text from people, through base/text.
 * Owns these promises: escapes hold their limits and never let markup or control bytes through;
 * cleaning once is cleaning for good; a JSON literal reads back. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"

#define ROOM      ((size_t)1024 * 1024)
#define COUNT_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct buf *room(void)
{
    struct buf *buf = NULL;

    ASSERT(buf_new(ROOM, &buf, NULL) == ERR_OK);
    return buf;
}

static void check_form(struct span body)
{
    AUTO_BUF struct buf *value = room();
    enum err_code rc = text_form_field(body, "payload", value, NULL);

    ASSERT(rc == ERR_OK || buf_size(value) == 0);
    ASSERT(rc == ERR_OK || rc == ERR_INVALID || rc == ERR_NOT_FOUND);
    ASSERT(buf_size(value) <= body.size);
    ASSERT(buf_size(value) == 0 || memchr(buf_text(value), 0, buf_size(value)) == NULL);
}

static void check_mrkdwn(struct span text, size_t count_max)
{
    AUTO_BUF struct buf *shown = room();
    const char *at;

    ASSERT(text_escape_mrkdwn(shown, text, count_max, NULL) == ERR_OK);
    ASSERT(text_is_utf8(buf_span(shown)));
    ASSERT(text_count(buf_span(shown)) <= count_max);
    ASSERT(strpbrk(buf_text(shown), "<>") == NULL);
    for (at = strchr(buf_text(shown), '&'); at != NULL; at = strchr(at + 1, '&')) {
        ASSERT(strncmp(at, "&amp;", 5) == 0 || strncmp(at, "&lt;", 4) == 0 ||
               strncmp(at, "&gt;", 4) == 0);
    }
}

static void check_terminal(struct span text)
{
    AUTO_BUF struct buf *shown = room();

    ASSERT(text_escape_terminal(shown, text, COUNT_MAX, NULL) == ERR_OK);
    ASSERT(text_is_utf8(buf_span(shown)));
    ASSERT(text_count(buf_span(shown)) <= COUNT_MAX);
    for (const char *at = buf_text(shown); *at != '\0'; at++) {
        ASSERT((unsigned char)*at >= 0x20 && *at != 0x7f);
    }
}

static void check_clean(struct span text, bool multiline)
{
    AUTO_BUF struct buf *once = room();
    AUTO_BUF struct buf *twice = room();

    ASSERT(text_clean(once, text, multiline, NULL) == ERR_OK);
    ASSERT(text_is_utf8(buf_span(once)));
    ASSERT(text_clean(twice, buf_span(once), multiline, NULL) == ERR_OK);
    ASSERT(span_equal(buf_span(once), buf_span(twice)));
}

static void check_json(struct span text)
{
    AUTO_BUF struct buf *literal = room();
    AUTO_JSON struct json *json = NULL;

    ASSERT(text_append_json(literal, text, NULL) == ERR_OK);
    ASSERT(json_parse(buf_span(literal), ROOM, &json, NULL) == ERR_OK);
    ASSERT(!text_is_utf8(text) || span_equal(json_string(json), text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span text = span_of(data, size < ROOM / 16 ? size : ROOM / 16);

    check_form(text);
    check_mrkdwn(text, COUNT_MAX);
    check_mrkdwn(text, ROOM);
    check_terminal(text);
    check_clean(text, true);
    check_clean(text, false);
    check_json(text);
    ASSERT(text_prefix(text, COUNT_MAX).size <= text.size);
    return 0;
}
