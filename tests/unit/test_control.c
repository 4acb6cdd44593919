/* SPDX-License-Identifier: Apache-2.0 */
/* test_control.c: proves supervisor/control over a real unix socket.
 * Owns nothing but its cases. Never waits without a limit: the loop runs until an answer is there
 * or its turns are used up. */
#include "supervisor/control.h"

#include "base/clock.h"
#include "supervisor/limits.h"
#include "tests/lib/scratch.h"
#include "tests/unit/unit.h"

#include <event2/event.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define TURNS_MAX 1000

struct bench {
    struct scratch scratch;
    char path[256];
    struct event_base *base;
    struct control *control;
    size_t count; /* of commands */
    enum control_command last;
    uint64_t client;
    bool later; /* the command is answered by the test */
};

static void take(void *arg, uint64_t client, enum control_command command)
{
    struct bench *bench = arg;

    bench->count++;
    bench->last = command;
    bench->client = client;
    if (!bench->later) {
        control_reply(bench->control, client, true, "done");
    }
}

static void init_bench(struct bench *bench)
{
    struct err err = ERR_INIT;

    memset(bench, 0, sizeof(*bench));
    scratch_init(&bench->scratch);
    scratch_file(&bench->scratch, "sock", bench->path);
    bench->base = event_base_new();
    CU_ASSERT_EQUAL_FATAL(control_new(bench->base, bench->path, take, bench, &bench->control, &err),
                          ERR_OK);
}

static void done_bench(struct bench *bench)
{
    struct stat found;

    control_free(bench->control);
    CU_ASSERT_NOT_EQUAL(stat(bench->path, &found), 0);
    event_base_free(bench->base);
    scratch_done(&bench->scratch);
}

static void turn(const struct bench *bench)
{
    (void)event_base_loop(bench->base, EVLOOP_NONBLOCK);
}

static int connect_to(const struct bench *bench)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", bench->path);
    CU_ASSERT_EQUAL_FATAL(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* What comes until the end; "" when nothing came. */
static void receive(const struct bench *bench, int fd, char text[512])
{
    size_t used = 0;

    for (size_t i = 0; i < TURNS_MAX; i++) {
        ssize_t got;

        turn(bench);
        got = recv(fd, text + used, 511 - used, 0);
        if (got == 0) {
            break;
        }
        used += got > 0 ? (size_t)got : 0;
    }
    text[used] = '\0';
    (void)close(fd);
}

static void ask(const struct bench *bench, const char *request, char text[512])
{
    int fd = connect_to(bench);

    CU_ASSERT_EQUAL(send(fd, request, strlen(request), MSG_NOSIGNAL), (ssize_t)strlen(request));
    receive(bench, fd, text);
}

static void words_and_json_name_the_same_commands(void)
{
    static const struct {
        const char *line;
        enum control_command command;
    } cases[] = {
        {"status", CONTROL_STATUS},
        {"status\r", CONTROL_STATUS},
        {"{\"command\":\"status\"}", CONTROL_STATUS},
        {"switchover", CONTROL_SWITCHOVER},
        {"promote-force", CONTROL_PROMOTE_FORCE},
        {"promote-force-other-lineage", CONTROL_PROMOTE_FORCE_OTHER},
        {"peer-off", CONTROL_PEER_OFF},
        {"bootstrap", CONTROL_BOOTSTRAP},
        {"reseed", CONTROL_RESEED},
        {"rejoin", CONTROL_REJOIN},
        {"maintenance on", CONTROL_MAINTENANCE_ON},
        {"{\"command\":\"maintenance off\"}", CONTROL_MAINTENANCE_OFF},
        {"safe-mode-clear", CONTROL_SAFE_MODE_CLEAR},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum control_command command = CONTROL_REJOIN;
        struct err err = ERR_INIT;

        CU_ASSERT_EQUAL(control_parse(span_text(cases[i].line), &command, &err), ERR_OK);
        CU_ASSERT_EQUAL(command, cases[i].command);
        CU_ASSERT_PTR_NOT_NULL(strstr(cases[i].line, control_word(command)));
    }
}

static void anything_else_is_refused(void)
{
    static const char *const bad[] = {"",
                                      "Status",
                                      "status now",
                                      "maintenance",
                                      "{",
                                      "{}",
                                      "{\"command\":7}",
                                      "{\"command\":\"status\",\"force\":true}",
                                      "{\"command\":\"status\"} x"};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        enum control_command command;
        struct err err = ERR_INIT;

        CU_ASSERT_EQUAL(control_parse(span_text(bad[i]), &command, &err), ERR_INVALID);
    }
}

static void a_question_gets_one_line_and_the_end(void)
{
    struct bench bench;
    struct stat found;
    char text[512];

    init_bench(&bench);
    CU_ASSERT_EQUAL(stat(bench.path, &found), 0);
    CU_ASSERT_EQUAL(found.st_mode & 0777, 0660); /* who is in its group and no more is refused */
    ask(&bench, "maintenance on\n", text);
    CU_ASSERT_STRING_EQUAL(text, "{\"ok\":true,\"message\":\"done\"}\n");
    CU_ASSERT_EQUAL(bench.last, CONTROL_MAINTENANCE_ON);
    ask(&bench, "nonsense\n", text);
    CU_ASSERT_EQUAL(strncmp(text, "{\"ok\":false", 11), 0);
    CU_ASSERT_EQUAL(bench.count, 1);
    done_bench(&bench);
}

static void an_endless_request_is_refused(void)
{
    struct bench bench;
    char request[SUP_CONTROL_LINE_MAX + 1];
    char text[512];

    init_bench(&bench);
    memset(request, 'x', SUP_CONTROL_LINE_MAX);
    request[SUP_CONTROL_LINE_MAX] = '\0';
    ask(&bench, request, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "too long"));
    done_bench(&bench);
}

static void who_waits_too_long_is_told_or_dropped(void)
{
    struct bench bench;
    char text[512];
    uint64_t now = clock_boot_ms(clock_host());
    int silent;
    int asking;

    init_bench(&bench);
    bench.later = true;
    silent = connect_to(&bench);
    asking = connect_to(&bench);
    CU_ASSERT_EQUAL(send(asking, "switchover\n", 11, MSG_NOSIGNAL), 11);
    for (size_t i = 0; i < TURNS_MAX && bench.count == 0; i++) {
        turn(&bench);
    }
    control_tick(bench.control, now + SUP_CONTROL_IDLE_MS + 5000);
    receive(&bench, silent, text);
    CU_ASSERT_STRING_EQUAL(text, "");
    control_tick(bench.control, now + SUP_CONTROL_WAIT_MS + 5000);
    receive(&bench, asking, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "no answer in time"));
    control_reply(bench.control, bench.client, true, "late"); /* nobody is there: no harm */
    done_bench(&bench);
}

static void more_clients_than_the_limit_are_turned_away(void)
{
    struct bench bench;
    int clients[SUP_CONTROL_COUNT_MAX];
    char text[512];

    init_bench(&bench);
    for (size_t i = 0; i < SUP_CONTROL_COUNT_MAX; i++) {
        clients[i] = connect_to(&bench);
        turn(&bench);
    }
    receive(&bench, connect_to(&bench), text);
    CU_ASSERT_STRING_EQUAL(text, "");
    (void)close(clients[0]);
    turn(&bench);
    ask(&bench, "status\n", text);
    CU_ASSERT_STRING_EQUAL(text, "{\"ok\":true,\"message\":\"done\"}\n");
    for (size_t i = 1; i < SUP_CONTROL_COUNT_MAX; i++) {
        (void)close(clients[i]);
    }
    done_bench(&bench);
}

static void a_second_one_on_the_same_path_is_refused(void)
{
    struct bench bench;
    struct control *other = NULL;
    struct err err = ERR_INIT;

    init_bench(&bench);
    CU_ASSERT_EQUAL(control_new(bench.base, bench.path, take, &bench, &other, &err), ERR_BUSY);
    CU_ASSERT_PTR_NULL(other);
    done_bench(&bench);
}

#define CASE(name)                                                                                 \
    {                                                                                              \
#name, name                                                                                \
    }

UNIT_MAIN("control",
          CASE(words_and_json_name_the_same_commands),
          CASE(anything_else_is_refused),
          CASE(a_question_gets_one_line_and_the_end),
          CASE(an_endless_request_is_refused),
          CASE(who_waits_too_long_is_told_or_dropped),
          CASE(more_clients_than_the_limit_are_turned_away),
          CASE(a_second_one_on_the_same_path_is_refused))
