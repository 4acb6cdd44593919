/* SPDX-License-Identifier: Apache-2.0 */
/* test_notify.c: proves ctl/notify (who is told of what while Slack is down) and ctl/notify_run
 * (the admin's command for one notice). Owns nothing but its cases; never sends anything. */
#include "approvald/ctl/notify.h"
#include "approvald/ctl/notify_run.h"
#include "base/assert.h"
#include "base/clock.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define AFTER 60000

static struct notify_book *book;

static void make_book(void)
{
    struct err err = ERR_INIT;

    notify_book_free(book);
    book = NULL;
    CU_ASSERT_EQUAL_FATAL(notify_book_new(&book, &err), ERR_OK);
}

static struct notice_entry *find(const char *id)
{
    struct notice_entry *entry = notify_book_find(book, span_text(id));

    ASSERT(entry != NULL); /* the book is not full */
    return entry;
}

static void a_hiccup_is_not_told(void)
{
    struct notify_outage outage = {.since_ms = 0};

    CU_ASSERT_EQUAL(notify_look(&outage, true, AFTER, 1000), NOTIFY_NOTHING);
    CU_ASSERT_EQUAL(notify_look(&outage, true, AFTER, 60999), NOTIFY_NOTHING);
    CU_ASSERT_EQUAL(notify_look(&outage, true, AFTER, 61000), NOTIFY_TELL);
    CU_ASSERT_EQUAL(notify_look(&outage, true, AFTER, 62000), NOTIFY_TELL);
}

static void a_slack_that_comes_and_goes_is_one_outage(void)
{
    struct notify_outage outage = {.since_ms = 0};

    CU_ASSERT_EQUAL(notify_look(&outage, true, AFTER, 1000), NOTIFY_NOTHING);
    CU_ASSERT_EQUAL(notify_look(&outage, false, AFTER, 50000), NOTIFY_NOTHING);
    CU_ASSERT_EQUAL(notify_look(&outage, false, AFTER, 109999), NOTIFY_NOTHING);
    CU_ASSERT_EQUAL(notify_look(&outage, true, AFTER, 110000), NOTIFY_TELL);
    CU_ASSERT_EQUAL(notify_look(&outage, false, AFTER, 120000), NOTIFY_NOTHING);
    CU_ASSERT_EQUAL(notify_look(&outage, false, AFTER, 180000), NOTIFY_FORGET);
    CU_ASSERT_EQUAL(notify_look(&outage, false, AFTER, 999999), NOTIFY_NOTHING);
    CU_ASSERT_EQUAL(notify_look(&outage, true, AFTER, 1000000), NOTIFY_NOTHING);
}

static void after_a_start_a_world_that_is_well_forgets_once(void)
{
    struct notify_outage outage = {.since_ms = 0};

    CU_ASSERT_EQUAL(notify_look(&outage, false, AFTER, 1000), NOTIFY_NOTHING);
    CU_ASSERT_EQUAL(notify_look(&outage, false, AFTER, 61000), NOTIFY_FORGET);
    CU_ASSERT_EQUAL(notify_look(&outage, false, AFTER, 122000), NOTIFY_NOTHING);
}

static void each_notice_is_one_and_is_delivered_once(void)
{
    struct notice_entry *first;

    make_book();
    first = find("req_1/U1");
    CU_ASSERT_EQUAL(first->state, NOTIFY_DUE);
    CU_ASSERT_EQUAL(first->due_ms, 0);
    notify_end(first, true, 1000);
    CU_ASSERT_PTR_EQUAL(find("req_1/U1"), first);
    CU_ASSERT_EQUAL(first->state, NOTIFY_DELIVERED);
    CU_ASSERT_EQUAL(find("req_1/U2")->state, NOTIFY_DUE);
    notify_book_forget(book);
    CU_ASSERT_EQUAL(find("req_1/U1")->state, NOTIFY_DUE);
}

static void what_fails_is_tried_with_growing_pauses_and_given_up(void)
{
    struct notice_entry *entry;
    uint64_t now_ms = 1000;
    uint64_t pause_ms = 0;

    make_book();
    entry = find("req_1/U1");
    for (int i = 1; i < NOTIFY_TRY_COUNT; i++) {
        notify_end(entry, false, now_ms);
        CU_ASSERT_EQUAL(entry->state, NOTIFY_DUE);
        CU_ASSERT_TRUE(entry->due_ms - now_ms > pause_ms);
        pause_ms = entry->due_ms - now_ms;
        now_ms = entry->due_ms;
    }
    notify_end(entry, false, now_ms);
    CU_ASSERT_EQUAL(entry->state, NOTIFY_GIVEN_UP);
}

static void the_book_is_bounded_and_finds_all_that_is_in_it(void)
{
    char id[NOTIFY_ID_SIZE_MAX + 2];

    make_book();
    for (int i = 0; i < NOTIFY_COUNT_MAX; i++) {
        (void)snprintf(id, sizeof id, "req_%d/U1", i); /* fits */
        CU_ASSERT_PTR_NOT_NULL_FATAL(notify_book_find(book, span_text(id)));
    }
    CU_ASSERT_PTR_NULL(notify_book_find(book, SPAN_LITERAL("req_more/U1")));
    CU_ASSERT_PTR_NOT_NULL(find("req_0/U1"));
    memset(id, 'x', sizeof id - 1);
    id[sizeof id - 1] = '\0';
    CU_ASSERT_PTR_NULL(notify_book_find(book, span_text(id)));
    CU_ASSERT_PTR_NULL(notify_book_find(book, SPAN_NONE));
}

static void a_journal_is_read_back_and_a_cut_line_counts_as_nothing(void)
{
    static const char journal[] = "delivered req_1/U1\nnonsense\n\ngiven_up req_2/U1\ndelivered \n"
                                  "delivered req_3/U1";
    char line[NOTIFY_LINE_SIZE];

    make_book();
    notify_book_read(book, SPAN_LITERAL(journal));
    CU_ASSERT_EQUAL(find("req_1/U1")->state, NOTIFY_DELIVERED);
    CU_ASSERT_EQUAL(find("req_2/U1")->state, NOTIFY_GIVEN_UP);
    CU_ASSERT_EQUAL(find("req_3/U1")->state, NOTIFY_DUE);
    CU_ASSERT_EQUAL(notify_line(find("req_1/U1"), line), 19);
    CU_ASSERT_STRING_EQUAL(line, "delivered req_1/U1\n");
}

static void people_are_lines_and_wrong_ones_are_named(void)
{
    struct notify_people people;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(notify_people(SPAN_LITERAL("# all\nU0APR00001  ana@example.com # Ana\r\n\n"
                                               "W0APR00002\tben@example.com"),
                                  &people, &err),
                    ERR_OK);
    CU_ASSERT_EQUAL_FATAL(people.count, 2);
    CU_ASSERT_TRUE(span_is(people.list[0].user, "U0APR00001"));
    CU_ASSERT_TRUE(span_is(people.list[0].to, "ana@example.com"));
    CU_ASSERT_TRUE(span_is(people.list[1].to, "ben@example.com"));
    CU_ASSERT_EQUAL(notify_people(SPAN_LITERAL("\nU0APR00001\n"), &people, &err), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "line 2"));
    CU_ASSERT_EQUAL(notify_people(SPAN_LITERAL("ana ana@example.com\n"), &people, &err),
                    ERR_INVALID);
    CU_ASSERT_EQUAL(notify_people(SPAN_LITERAL("U0APR00001 a b@c\n"), &people, &err), ERR_INVALID);
    CU_ASSERT_EQUAL(notify_people(SPAN_LITERAL("U0APR00001 a@c\nU0APR00001 b@c\n"), &people, &err),
                    ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "line 2"));
}

/* The command. */

static char shell[] = "/bin/sh";
static char option[] = "-c";

static enum err_code run(char *script, const char *input, uint32_t timeout_ms, struct err *err)
{
    char *argv[] = {shell, option, script, NULL};

    return notify_run(argv, span_text(input), timeout_ms, err);
}

static void a_command_reads_its_notice_and_nothing_else(void)
{
    static char script[] = "read -r line && [ \"$line\" = '{\"id\": 1}' ] && ! read -r line && "
                           "[ -z \"${HOME-}\" ]";
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(run(script, "{\"id\": 1}\n", 5000, &err), ERR_OK);
    CU_ASSERT_EQUAL(run(script, "{\"id\": 2}\n", 5000, &err), ERR_FATAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "exit code 1"));
}

static void a_command_that_reads_nothing_is_no_fault(void)
{
    static char script[] = "exec <&-; exit 0";
    static char long_input[NOTIFY_INPUT_MAX];
    char *argv[] = {shell, option, script, NULL};
    struct err err = ERR_INIT;

    memset(long_input, 'x', sizeof long_input);
    CU_ASSERT_EQUAL(notify_run(argv, span_of(long_input, sizeof long_input), 5000, &err), ERR_OK);
}

static void a_command_that_hangs_is_killed_with_what_it_started(void)
{
    static char script[] = "sleep 60 & sleep 60; exit 0";
    uint64_t begin_ms = clock_boot_ms(clock_host());
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(run(script, "", 200, &err), ERR_TIMEOUT);
    CU_ASSERT_TRUE(clock_boot_ms(clock_host()) - begin_ms < 20000);
}

static void a_command_that_is_not_there_or_dies_fails(void)
{
    static char none[] = "/nonexistent/command";
    static char script[] = "kill -9 $$";
    char *argv[] = {none, NULL};
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(notify_run(argv, SPAN_NONE, 5000, &err), ERR_FATAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, none));
    CU_ASSERT_EQUAL(run(script, "", 5000, &err), ERR_FATAL);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "signal 9"));
    notify_book_free(book);
    book = NULL;
}

UNIT_MAIN("notify",
          {"a hiccup is not told", a_hiccup_is_not_told},
          {"a Slack that comes and goes is one outage", a_slack_that_comes_and_goes_is_one_outage},
          {"after a start a world that is well forgets once",
           after_a_start_a_world_that_is_well_forgets_once},
          {"each notice is one and is delivered once", each_notice_is_one_and_is_delivered_once},
          {"what fails is tried with growing pauses and given up",
           what_fails_is_tried_with_growing_pauses_and_given_up},
          {"the book is bounded and finds all that is in it",
           the_book_is_bounded_and_finds_all_that_is_in_it},
          {"a journal is read back and a cut line counts as nothing",
           a_journal_is_read_back_and_a_cut_line_counts_as_nothing},
          {"people are lines and wrong ones are named", people_are_lines_and_wrong_ones_are_named},
          {"a command reads its notice and nothing else",
           a_command_reads_its_notice_and_nothing_else},
          {"a command that reads nothing is no fault", a_command_that_reads_nothing_is_no_fault},
          {"a command that hangs is killed with what it started",
           a_command_that_hangs_is_killed_with_what_it_started},
          {"a command that is not there or dies fails", a_command_that_is_not_there_or_dies_fails})
