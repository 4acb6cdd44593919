/* SPDX-License-Identifier: Apache-2.0 */
/* test_log_journal.c: proves base/log_journal: an entry in journald's form, and nobody waits for a
 * journald that does not read. Owns its cases and journald's end. Never speaks to a real one. */
#include "base/log_journal.h"
#include "tests/lib/scratch.h"
#include "tests/unit/unit.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HANG_S 60 /* whoever waits for it is ended */

struct bench {
    struct scratch scratch;
    char path[256];
    int journald;
    int fd;
};

static void init_bench(struct bench *bench)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    scratch_init(&bench->scratch);
    scratch_file(&bench->scratch, "socket", bench->path);
    memcpy(address.sun_path, bench->path, strlen(bench->path));
    bench->journald = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CU_ASSERT_EQUAL_FATAL(bind(bench->journald, (const struct sockaddr *)&address, sizeof(address)),
                          0);
    bench->fd = -1;
    (void)alarm(HANG_S);
}

static void done_bench(struct bench *bench)
{
    (void)alarm(0);
    (void)close(bench->journald);
    (void)close(bench->fd);
    (void)unlink(bench->path);
    scratch_done(&bench->scratch);
}

static enum log_journal_told send_line(struct bench *bench)
{
    const struct span fields[] = {SPAN_LITERAL("PRIORITY=6"), SPAN_LITERAL("A=one=1"),
                                  SPAN_LITERAL("B=two\nlines"), SPAN_LITERAL("C=")};

    return log_journal_send(&bench->fd, bench->path, fields, 4);
}

static void an_entry_has_the_form_that_journald_reads(void)
{
    static const char wanted[] = "PRIORITY=6\nA=one=1\nB\n\x09\0\0\0\0\0\0\0two\nlines\nC=\n"
                                 "SYSLOG_IDENTIFIER=";
    struct bench bench;
    char heard[200];
    ssize_t size;

    init_bench(&bench);
    CU_ASSERT_EQUAL(send_line(&bench), LOG_JOURNAL_TOLD);
    size = recv(bench.journald, heard, sizeof(heard), 0);
    CU_ASSERT_FATAL(size > (ssize_t)sizeof(wanted));
    CU_ASSERT_EQUAL(memcmp(heard, wanted, sizeof(wanted) - 1), 0);
    CU_ASSERT_PTR_NOT_NULL(memmem(heard, (size_t)size, "test_log_journal\n", 17));
    CU_ASSERT_EQUAL(heard[size - 1], '\n');
    done_bench(&bench);
}

static void one_that_does_not_read_holds_up_nobody(void)
{
    enum log_journal_told told = LOG_JOURNAL_TOLD;
    struct bench bench;
    char heard[200];

    init_bench(&bench);
    for (int i = 0; i < 100000 && told == LOG_JOURNAL_TOLD; i++) {
        told = send_line(&bench);
    }
    CU_ASSERT_EQUAL(told, LOG_JOURNAL_LATER);
    while (recv(bench.journald, heard, sizeof(heard), 0) > 0) {
    }
    CU_ASSERT_EQUAL(send_line(&bench), LOG_JOURNAL_TOLD);
    done_bench(&bench);
}

static void where_there_is_none_it_is_said(void)
{
    struct bench bench;

    init_bench(&bench);
    (void)close(bench.journald);
    bench.journald = -1;
    CU_ASSERT_EQUAL(send_line(&bench), LOG_JOURNAL_NOBODY);
    (void)unlink(bench.path);
    CU_ASSERT_EQUAL(send_line(&bench), LOG_JOURNAL_NOBODY);
    done_bench(&bench);
}

UNIT_MAIN("log_journal",
          {"an entry has the form that journald reads", an_entry_has_the_form_that_journald_reads},
          {"one that does not read holds up nobody", one_that_does_not_read_holds_up_nobody},
          {"where there is none it is said", where_there_is_none_it_is_said})
