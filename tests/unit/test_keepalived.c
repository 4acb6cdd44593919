/* SPDX-License-Identifier: Apache-2.0 */
/* test_keepalived.c: proves supervisor/keepalived and keepalived_conf.
 * Owns nothing but its cases. Never runs keepalived: tests/sup does. */
#include "base/buf.h"
#include "supervisor/keepalived.h"
#include "supervisor/keepalived_conf.h"
#include "tests/lib/scratch.h"
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void lines_of_both_versions_are_understood(void)
{
    static const struct {
        const char *line;
        enum keepalived_state state;
    } cases[] = {
        {"INSTANCE \"approvald\" MASTER 254", KEEPALIVED_MASTER},
        {"INSTANCE \"approvald\" BACKUP 253", KEEPALIVED_BACKUP},
        {"INSTANCE \"approvald\" FAULT 254", KEEPALIVED_FAULT},
        {"INSTANCE \"approvald\" STOP 0", KEEPALIVED_STOP},
        {"INSTANCE \"other\" MASTER 254", KEEPALIVED_UNKNOWN},
        {"INSTANCE \"approvald\" MASTER_RX_LOWER_PRI 254", KEEPALIVED_UNKNOWN},
        {"GROUP \"approvald\" MASTER 254", KEEPALIVED_UNKNOWN},
        {"INSTANCE \"approvald\" MASTER 256", KEEPALIVED_UNKNOWN},
        {"INSTANCE \"approvald\" MASTER 254 more", KEEPALIVED_UNKNOWN},
        {"INSTANCE \"approvald\" MASTER ", KEEPALIVED_UNKNOWN},
        {"INSTANCE \"approvald\" MASTER", KEEPALIVED_UNKNOWN},
        {"INSTANCE \"approvald\"MASTER 1", KEEPALIVED_UNKNOWN},
        {"INSTANCE approvald MASTER 254", KEEPALIVED_UNKNOWN},
        {"INSTANCE \"approvald", KEEPALIVED_UNKNOWN},
        {"INSTANCE", KEEPALIVED_UNKNOWN},
        {"", KEEPALIVED_UNKNOWN},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        CU_ASSERT_EQUAL(keepalived_parse(span_text(cases[i].line), "approvald"), cases[i].state);
    }
}

struct heard {
    size_t count;
    char last[KEEPALIVED_LINE_MAX + 1];
};

static void hear(void *arg, struct span line)
{
    struct heard *heard = arg;

    heard->count++;
    memcpy(heard->last, line.data, line.size);
    heard->last[line.size] = '\0';
}

static void lines_come_whole_out_of_pieces(void)
{
    struct keepalived_lines lines = {.size = 0};
    struct heard heard = {.count = 0};
    static const char text[] = "one\ntwo words\n\nlast";

    for (size_t i = 0; i + 1 < sizeof(text); i++) {
        keepalived_feed(&lines, span_of(text + i, 1), hear, &heard);
    }
    CU_ASSERT_EQUAL(heard.count, 3);
    keepalived_feed(&lines, SPAN_LITERAL(" one\n"), hear, &heard);
    CU_ASSERT_STRING_EQUAL(heard.last, "last one");
}

static void a_line_that_is_too_long_is_dropped_whole(void)
{
    struct keepalived_lines lines = {.size = 0};
    struct heard heard = {.count = 0};
    char text[KEEPALIVED_LINE_MAX + 1];

    memset(text, 'x', sizeof(text));
    keepalived_feed(&lines, span_of(text, KEEPALIVED_LINE_MAX), hear, &heard);
    keepalived_feed(&lines, SPAN_LITERAL("\n"), hear, &heard);
    CU_ASSERT_EQUAL(heard.count, 1);
    keepalived_feed(&lines, span_of(text, sizeof(text)), hear, &heard);
    keepalived_feed(&lines, SPAN_LITERAL("tail\nshort\n"), hear, &heard);
    CU_ASSERT_EQUAL(heard.count, 2);
    CU_ASSERT_STRING_EQUAL(heard.last, "short");
}

static void read_track(const char *path, char text[8])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? 0 : read(fd, text, 7);

    text[size < 0 ? 0 : size] = '\0';
    (void)close(fd);
}

static void the_track_file_says_one_or_zero(void)
{
    struct scratch scratch;
    struct err err = ERR_INIT;
    char path[256];
    char text[8];

    scratch_init(&scratch);
    scratch_file(&scratch, "track", path);
    CU_ASSERT_EQUAL(keepalived_track(path, true, &err), ERR_OK);
    read_track(path, text);
    CU_ASSERT_STRING_EQUAL(text, "1\n");
    CU_ASSERT_EQUAL(keepalived_track(path, false, &err), ERR_OK);
    read_track(path, text);
    CU_ASSERT_STRING_EQUAL(text, "0\n");
    CU_ASSERT_EQUAL(keepalived_track("/nowhere/track", false, &err), ERR_IO);
    scratch_done(&scratch);
}

static void the_fifo_is_made_once_and_nothing_else_is_taken_for_it(void)
{
    struct scratch scratch;
    struct err err = ERR_INIT;
    char path[256];
    char byte;
    int fd = -1;

    scratch_init(&scratch);
    scratch_file(&scratch, "fifo", path);
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(keepalived_fifo_open(path, &fd, &err), ERR_OK);
        CU_ASSERT_EQUAL(read(fd, &byte, 1), -1); /* empty, and no end of file */
        (void)close(fd);
    }
    scratch_clear(&scratch);
    CU_ASSERT_EQUAL(keepalived_track(path, true, &err), ERR_OK);
    CU_ASSERT_EQUAL(keepalived_fifo_open(path, &fd, &err), ERR_INVALID);
    scratch_done(&scratch);
}

/* A crash of the case's process fails it: the exit code says what became of it. */
static void one_that_keepalived_made_as_root_is_replaced(void)
{
    const uid_t own = 4321; /* nobody's */
    struct scratch scratch;
    char path[256];
    int status = -1;
    pid_t pid;

    if (geteuid() != 0) {
        (void)printf("not proved: only root can give a directory away\n");
        return;
    }
    scratch_init(&scratch);
    scratch_file(&scratch, "fifo", path);
    CU_ASSERT_EQUAL_FATAL(mkfifo(path, 0600), 0);
    CU_ASSERT_EQUAL_FATAL(chown(scratch.path, own, own), 0);
    pid = fork();
    if (pid == 0) {
        struct err err = ERR_INIT;
        struct stat found;
        int fd = -1;

        _exit(setresuid(own, own, own) == 0 && keepalived_fifo_open(path, &fd, &err) == ERR_OK &&
                      fstat(fd, &found) == 0 && found.st_uid == own
                  ? 0
                  : 1);
    }
    CU_ASSERT_EQUAL(waitpid(pid, &status, 0), pid);
    CU_ASSERT_EQUAL(status, 0);
    scratch_done(&scratch);
}

static struct keepalived_conf sample_conf(void)
{
    return (struct keepalived_conf){.host = 1,
                                    .address = "192.0.2.10/24",
                                    .interface = "eth0",
                                    .router_id = 51,
                                    .instance = "approvald",
                                    .track_file = "/run/approvald/vip-eligible",
                                    .fifo = "/run/approvald/keepalived.fifo",
                                    .unicast = true,
                                    .own_address = "192.0.2.1",
                                    .peer_address = "192.0.2.2"};
}

static bool has(const struct buf *buf, const char *text)
{
    return strstr(buf_text(buf), text) != NULL;
}

static void what_keepalived_is_told_is_what_was_measured(void)
{
    AUTO_BUF struct buf *buf = NULL;
    struct keepalived_conf conf = sample_conf();
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(65536, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL(keepalived_conf_format(&conf, buf, &err), ERR_OK);
    CU_ASSERT_TRUE(has(buf, "weight 0 reverse")); /* else a missing file would take the address */
    CU_ASSERT_TRUE(has(buf, "vrrp_version 3"));
    CU_ASSERT_TRUE(has(buf, "advert_int 0.1"));
    CU_ASSERT_TRUE(has(buf, "state BACKUP"));
    CU_ASSERT_TRUE(has(buf, "nopreempt"));
    CU_ASSERT_TRUE(has(buf, "priority 254"));
    CU_ASSERT_TRUE(has(buf, "fifo_write_vrrp_states_on_reload"));
    CU_ASSERT_TRUE(has(buf, "unicast_src_ip 192.0.2.1"));
    buf_clear(buf);
    conf.host = 2;
    conf.unicast = false;
    conf.own_address = "";
    CU_ASSERT_EQUAL(keepalived_conf_format(&conf, buf, &err), ERR_OK);
    CU_ASSERT_TRUE(has(buf, "priority 253"));
    CU_ASSERT_FALSE(has(buf, "unicast"));
}

static void a_value_that_would_be_read_as_syntax_is_refused(void)
{
    static const char *const bad[] = {"", "a b", "a\nb", "a}", "a#", "a!", "\"a\"", "a$b", "a\\"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        AUTO_BUF struct buf *buf = NULL;
        struct keepalived_conf conf = sample_conf();
        struct err err = ERR_INIT;

        CU_ASSERT_EQUAL_FATAL(buf_new(65536, &buf, &err), ERR_OK);
        conf.interface = bad[i];
        CU_ASSERT_EQUAL(keepalived_conf_format(&conf, buf, &err), ERR_INVALID);
        CU_ASSERT_EQUAL(buf_size(buf), 0);
    }
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

UNIT_MAIN("keepalived",
          CASE(lines_of_both_versions_are_understood),
          CASE(lines_come_whole_out_of_pieces),
          CASE(a_line_that_is_too_long_is_dropped_whole),
          CASE(the_track_file_says_one_or_zero),
          CASE(the_fifo_is_made_once_and_nothing_else_is_taken_for_it),
          CASE(one_that_keepalived_made_as_root_is_replaced),
          CASE(what_keepalived_is_told_is_what_was_measured),
          CASE(a_value_that_would_be_read_as_syntax_is_refused))
