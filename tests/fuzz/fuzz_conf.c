/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_conf.c: an admin's bytes through base/conf.
 * Owns these promises: what is dumped reads back as the same, and no text, however broken, colours
 * the next one that libConfuse's global lexer sees. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/mem.h"

#define ROOM ((size_t)256 * 1024)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct conf_option options[] = {
    {"", "name", CONF_TEXT, "a", 1, 20, NULL, "Text."},
    {"", "count", CONF_NUMBER, "4", 1, 64, NULL, "Number."},
    {"http", "listen", CONF_LIST, "x, y", 1, 4, NULL, "List."},
    {"http", "size", CONF_SIZE, "1M", 0, 0, NULL, "Size."},
    {"http", "idle", CONF_DURATION, "30s", 0, 0, NULL, "Duration."},
    {"http", "tls", CONF_BOOL, "true", 0, 0, NULL, "Bool."},
    {"policy", "who", CONF_LIST, NULL, 0, 3, NULL, "List."},
    {"policy", "mode", CONF_CHOICE, "any", 0, 0, "any all", "Choice."},
    {NULL, NULL, CONF_TEXT, NULL, 0, 0, NULL, NULL}};
static const char *const titled[] = {"policy", NULL};
static const struct conf_schema schema = {
    .options = options, .titled = titled, .section_count_max = 3};

static struct buf *dump(const struct conf *conf)
{
    struct buf *buf = NULL;

    ASSERT(buf_new(ROOM, &buf, NULL) == ERR_OK);
    ASSERT(conf_dump(conf, buf, NULL) == ERR_OK);
    return buf;
}

static void check_dump(struct conf *conf)
{
    AUTO_BUF struct buf *first = dump(conf);
    AUTO_BUF struct buf *second = NULL;
    struct conf *again = NULL;

    ASSERT(conf_parse(&schema, "dump", buf_text(first), &again, NULL) == ERR_OK);
    second = dump(again);
    ASSERT(span_equal(buf_span(first), buf_span(second)));
    conf_free(again);
}

static void check_no_trace(void)
{
    struct conf *conf = NULL;

    ASSERT(conf_parse(&schema, "good", "count = 9", &conf, NULL) == ERR_OK);
    ASSERT(conf_number(conf_section(conf, ""), "count") == 9);
    conf_free(conf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_FREE char *text = mem_copy_text((const char *)data, size);
    struct conf *conf = NULL;
    struct err err = ERR_INIT;

    ASSERT(text != NULL);
    if (conf_parse(&schema, "fuzz", text, &conf, &err) == ERR_OK) {
        check_dump(conf);
        conf_free(conf);
    } else {
        ASSERT(err.message[0] != '\0');
    }
    check_no_trace();
    return 0;
}
