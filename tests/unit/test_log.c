/* SPDX-License-Identifier: Apache-2.0 */
/* test_log.c: proves base/log by reading back what it wrote to standard error.
 * Owns a memory file that stands in for standard error; never touches the journal of the host
 * unless there is one. */
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define ROOM 200000

static char captured[ROOM];
static int saved_fd;
static int memory_fd;

static void capture_begin(void)
{
    (void)fflush(stderr); /* nothing is buffered there */
    saved_fd = dup(STDERR_FILENO);
    memory_fd = memfd_create("log", MFD_CLOEXEC);
    CU_ASSERT_FATAL(saved_fd >= 0 && memory_fd >= 0);
    CU_ASSERT_EQUAL_FATAL(dup2(memory_fd, STDERR_FILENO), STDERR_FILENO);
}

static void capture_end(void)
{
    ssize_t size = pread(memory_fd, captured, sizeof captured - 1, 0);

    CU_ASSERT_EQUAL_FATAL(dup2(saved_fd, STDERR_FILENO), STDERR_FILENO);
    CU_ASSERT_FATAL(size >= 0);
    captured[size] = '\0';
    (void)close(saved_fd); /* the test is over */
    (void)close(memory_fd);
}

static size_t line_count(void)
{
    size_t count = 0;

    for (const char *at = captured; *at != '\0'; at++) {
        count += *at == '\n';
    }
    return count;
}

static void a_json_line_is_json_whatever_is_in_it(void)
{
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;
    int64_t number = 0;

    log_init(LOG_TARGET_JSON, LOG_LEVEL_INFO);
    capture_begin();
    log_fields(LOG_LEVEL_ERROR, "wal", "trimmed", LOG_NUMBER("segment", -12),
               LOG_TEXT("why", "a \"b\"\n\xff"), LOG_SPAN("who", SPAN_LITERAL("gr\xc3\xbcn")),
               LOG_TEXT("none", NULL));
    capture_end();
    CU_ASSERT_EQUAL(line_count(), 1);
    CU_ASSERT_EQUAL_FATAL(json_parse(span_text(captured), ROOM, &json, &err), ERR_OK);
    CU_ASSERT(span_is(json_text(json, "level"), "error"));
    CU_ASSERT(span_is(json_text(json, "module"), "wal"));
    CU_ASSERT(span_is(json_text(json, "event"), "trimmed"));
    CU_ASSERT(json_i64(json, "segment", &number) && number == -12);
    CU_ASSERT(span_is(json_text(json, "why"), "a \"b\"\n\xef\xbf\xbd"));
    CU_ASSERT(span_is(json_text(json, "who"), "gr\xc3\xbcn"));
    CU_ASSERT_EQUAL(json_text(json, "time").size, sizeof "2026-01-31T23:59:59.123Z" - 1);
}

static void secrets_do_not_pass(void)
{
    log_init(LOG_TARGET_TEXT, LOG_LEVEL_INFO);
    capture_begin();
    log_fields(LOG_LEVEL_INFO, "t", "secrets",
               LOG_TEXT("a", "token xoxb-12-SECRET, then xapp-1-SECRET"),
               LOG_TEXT("b", "Authorization: Bearer SECRET"),
               LOG_TEXT("c", "https://hooks.slack.com/services/T1/SECRET ok"),
               LOG_TEXT("d", "xoxe.xoxp-1-SECRET"), LOG_TEXT("e", "apv_SECRET"),
               LOG_TEXT("g", "wss://wss-primary.slack.com/link/?ticket=SECRET&app_id=A1 refused"),
               LOG_TEXT("h", "https://hooks.slack-gov.com/commands/T1/SECRET"),
               LOG_TEXT("token", "SECRET"), LOG_TEXT("f", "abx harmless Base"));
    capture_end();
    CU_ASSERT_PTR_NULL(strstr(captured, "SECRET"));
    CU_ASSERT_PTR_NOT_NULL(strstr(captured, "a=\"token [redacted], then [redacted]\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(captured, "b=\"Authorization: Bearer [redacted]\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(captured, "c=\"https://hooks.slack.com/[redacted] ok\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(captured, "slack.com/link/?ticket=[redacted]"));
    CU_ASSERT_PTR_NOT_NULL(strstr(captured, "h=https://hooks.slack-gov.com/[redacted]"));
    CU_ASSERT_PTR_NOT_NULL(strstr(captured, "token=[redacted]"));
    CU_ASSERT_PTR_NOT_NULL(strstr(captured, "f=\"abx harmless Base\""));
}

static void a_secret_across_the_cut_does_not_pass(void)
{
    char text[LOG_VALUE_SIZE_MAX + 64];

    log_init(LOG_TARGET_TEXT, LOG_LEVEL_INFO);
    capture_begin();
    for (size_t size = LOG_VALUE_SIZE_MAX - 12; size <= LOG_VALUE_SIZE_MAX; size++) {
        memset(text, ' ', size);
        (void)snprintf(text + size, sizeof text - size, "xoxb-SECRET-SECRET-SECRET");
        log_fields(LOG_LEVEL_INFO, "t", "cut", LOG_TEXT("a", text));
    }
    capture_end();
    CU_ASSERT_PTR_NULL(strstr(captured, "xoxb-S"));
    CU_ASSERT_PTR_NULL(strstr(captured, "SECRET"));
}

static void long_values_are_cut_and_lines_bounded(void)
{
    static char text[LOG_LINE_SIZE_MAX * 2];
    AUTO_JSON struct json *json = NULL;
    struct err err = ERR_INIT;

    memset(text, '"', sizeof text - 1);
    log_init(LOG_TARGET_JSON, LOG_LEVEL_INFO);
    capture_begin();
    log_fields(LOG_LEVEL_INFO, "t", "long", LOG_TEXT("a", text), LOG_TEXT("b", text),
               LOG_TEXT("c", text), LOG_TEXT("d", text), LOG_TEXT("e", text), LOG_NUMBER("f", 1));
    capture_end();
    CU_ASSERT(strlen(captured) <= LOG_LINE_SIZE_MAX);
    CU_ASSERT_EQUAL_FATAL(json_parse(span_text(captured), ROOM, &json, &err), ERR_OK);
    CU_ASSERT_EQUAL(json_text(json, "a").size, LOG_VALUE_SIZE_MAX);
    CU_ASSERT_PTR_NULL(json_get(json, "e"));
    CU_ASSERT_PTR_NOT_NULL(json_get(json, "f"));
}

static void repeats_are_limited_and_counted(void)
{
    log_init(LOG_TARGET_TEXT, LOG_LEVEL_INFO);
    capture_begin();
    for (int i = 0; i < 3 * LOG_REPEAT_MAX; i++) {
        log_fields(LOG_LEVEL_INFO, "t", "often", LOG_NUMBER("i", i));
    }
    log_fields(LOG_LEVEL_INFO, "t", "seldom", {.name = NULL});
    capture_end();
    CU_ASSERT(line_count() >= LOG_REPEAT_MAX + 1);
    CU_ASSERT(line_count() <= 2 * LOG_REPEAT_MAX + 2); /* the second may turn meanwhile */
    CU_ASSERT_PTR_NOT_NULL(strstr(captured, "t: seldom"));
    capture_begin();
    (void)usleep(1100 * 1000); /* the window is a second of the host's clock */
    log_fields(LOG_LEVEL_INFO, "t", "seldom", {.name = NULL});
    capture_end();
    CU_ASSERT_PTR_NOT_NULL(strstr(captured, "log: repeats_dropped of_module=t of_event=often"));
}

static void levels_below_the_least_are_silent(void)
{
    enum log_level level = LOG_LEVEL_INFO;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(log_level_parse("warning", &level, &err), ERR_OK);
    CU_ASSERT_EQUAL(level, LOG_LEVEL_WARNING);
    CU_ASSERT_EQUAL(log_level_parse("loud", &level, &err), ERR_INVALID);
    log_init(LOG_TARGET_TEXT, level);
    capture_begin();
    log_fields(LOG_LEVEL_INFO, "t", "quiet", {.name = NULL});
    log_fields(LOG_LEVEL_WARNING, "t", "heard", {.name = NULL});
    capture_end();
    CU_ASSERT_PTR_NULL(strstr(captured, "quiet"));
    CU_ASSERT_PTR_NOT_NULL(strstr(captured, "warning t: heard\n"));
}

/* Journald refuses nothing; where none runs the line falls back to standard error. */
static void the_journal_target_loses_no_line(void)
{
    log_init(LOG_TARGET_JOURNAL, LOG_LEVEL_INFO);
    capture_begin();
    log_fields(LOG_LEVEL_INFO, "t", "journal", LOG_NUMBER("count", 3), LOG_TEXT("what", "a b"));
    capture_end();
    CU_ASSERT(captured[0] == '\0' || strstr(captured, "t: journal count=3 what=\"a b\"") != NULL);
}

UNIT_MAIN("log",
          {"a JSON line is JSON whatever is in it", a_json_line_is_json_whatever_is_in_it},
          {"secrets do not pass", secrets_do_not_pass},
          {"a secret across the cut does not pass", a_secret_across_the_cut_does_not_pass},
          {"long values are cut and lines bounded", long_values_are_cut_and_lines_bounded},
          {"repeats are limited and counted", repeats_are_limited_and_counted},
          {"levels below the least are silent", levels_below_the_least_are_silent},
          {"the journal target loses no line", the_journal_target_loses_no_line})
