/* SPDX-License-Identifier: Apache-2.0 */
/* test_print.c: proves base/print.
 * Owns a memory file that stands in for standard output, and /dev/full for one that takes nothing.
 * Never writes to the standard output of the test. */
#include "base/buf.h"
#include "base/conf.h"
#include "base/limits.h"
#include "base/print.h"
#include "tests/unit/starve.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct conf_option options[] = {
    {"", "workers", CONF_NUMBER, "4", 1, 64, NULL, "How many."},
    {NULL, NULL, CONF_TEXT, NULL, 0, 0, NULL, NULL}};
static const char *const titled[] = {NULL};
static const struct conf_schema schema = {
    .options = options, .titled = titled, .section_count_max = 1};

struct page {
    char *text;
    size_t size;
    FILE *out;
};

static void open_page(struct page *page)
{
    *page = (struct page){.text = NULL};
    page->out = open_memstream(&page->text, &page->size);
    CU_ASSERT_PTR_NOT_NULL_FATAL(page->out);
}

static void close_page(struct page *page)
{
    CU_ASSERT_EQUAL(fclose(page->out), 0);
    free(page->text);
}

static enum err_code make_words(const void *arg, struct buf *buf, struct err *err)
{
    return buf_append_text(buf, arg, err);
}

static enum err_code make_half(const void *arg, struct buf *buf, struct err *err)
{
    enum err_code rc = buf_append_text(buf, arg, err);

    return rc == ERR_OK ? err_set(err, ERR_CONFLICT, "no more") : rc;
}

static enum err_code make_too_much(const void *arg, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK) {
        rc = buf_append_text(buf, arg, err);
    }
    return rc;
}

static void what_is_made_is_written_at_once(void)
{
    struct page page;
    struct err err = ERR_INIT;

    open_page(&page);
    CU_ASSERT_EQUAL(print_made(page.out, make_words, "one\n", &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(page.text, "one\n"); /* flushed: the stream is not closed yet */
    CU_ASSERT_EQUAL(print_made(page.out, make_words, "", &err), ERR_OK);
    CU_ASSERT_EQUAL(page.size, 4);
    close_page(&page);
}

static void a_failure_shows_nothing(void)
{
    struct page page;
    struct err err = ERR_INIT;

    open_page(&page);
    CU_ASSERT_EQUAL(print_made(page.out, make_half, "half", &err), ERR_CONFLICT);
    CU_ASSERT_STRING_EQUAL(err.message, "no more");
    CU_ASSERT_EQUAL(print_made(page.out, make_too_much, "sixteen letters.", &err), ERR_TOO_LARGE);
    CU_ASSERT_EQUAL(fflush(page.out), 0);
    CU_ASSERT_EQUAL(page.size, 0);
    close_page(&page);
}

static void an_output_that_takes_nothing_is_told(void)
{
    struct err err = ERR_INIT;
    FILE *full = fopen("/dev/full", "we");

    CU_ASSERT_PTR_NOT_NULL_FATAL(full);
    CU_ASSERT_EQUAL(print_made(full, make_words, "lost", &err), ERR_IO);
    (void)fclose(full); /* it has nothing to flush that could be taken */
}

static void a_configuration_and_its_options_are_shown(void)
{
    struct page page;
    struct conf *conf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(conf_parse(&schema, "t", "workers = 7", &conf, &err), ERR_OK);
    open_page(&page);
    CU_ASSERT_EQUAL(print_conf(page.out, conf, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(page.text, "# How many.\nworkers = 7\n");
    CU_ASSERT_EQUAL(print_options(page.out, &schema, &err), ERR_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(page.text, "|  | workers | number | 4 | 1 to 64 | How many. |"));
    close_page(&page);
    conf_free(conf);
}

static enum err_code print_starved(void *arg)
{
    struct err err = ERR_INIT;

    return print_options(arg, &schema, &err);
}

static void any_failed_allocation_is_told(void)
{
    FILE *nowhere = fopen("/dev/null", "we");

    CU_ASSERT_PTR_NOT_NULL_FATAL(nowhere);
    CU_ASSERT(starve_each(print_starved, nowhere) > 0);
    CU_ASSERT_EQUAL(fclose(nowhere), 0);
}

UNIT_MAIN("print",
          {"what is made is written at once", what_is_made_is_written_at_once},
          {"a failure shows nothing", a_failure_shows_nothing},
          {"an output that takes nothing is told", an_output_that_takes_nothing_is_told},
          {"a configuration and its options are shown", a_configuration_and_its_options_are_shown},
          {"any failed allocation is told", any_failed_allocation_is_told})
