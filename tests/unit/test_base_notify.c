/* SPDX-License-Identifier: Apache-2.0 */
/* test_base_notify.c: proves base/notify: nothing waits for a service manager that does not read,
 * and what it must know it is told when it reads again. Owns its cases and the manager's end. Never
 * speaks to a real manager. */
#include "base/notify.h"
#include "tests/lib/scratch.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define HANG_S 60 /* whoever waits for the manager is ended */

struct bench {
    struct scratch scratch;
    char name[256];
    struct sockaddr_un address;
    socklen_t size;
    int manager;
    char heard[600];
};

static void init_bench(struct bench *bench, bool abstract)
{
    memset(bench, 0, sizeof(*bench));
    scratch_init(&bench->scratch);
    bench->address.sun_family = AF_UNIX;
    if (abstract) {
        (void)snprintf(bench->name, sizeof(bench->name), "@approvald-test-%ld", (long)getpid());
        memcpy(bench->address.sun_path + 1, bench->name + 1, strlen(bench->name) - 1);
        bench->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(bench->name));
    } else {
        scratch_file(&bench->scratch, "notify", bench->name);
        memcpy(bench->address.sun_path, bench->name, strlen(bench->name));
        bench->size = sizeof(bench->address);
    }
    bench->manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL_FATAL(
        bind(bench->manager, (const struct sockaddr *)&bench->address, bench->size), 0);
    CU_ASSERT_EQUAL_FATAL(setenv("NOTIFY_SOCKET", bench->name, 1), 0);
    (void)alarm(HANG_S);
}

static void done_bench(struct bench *bench)
{
    (void)alarm(0);
    (void)unsetenv("NOTIFY_SOCKET"); /* it is a good name */
    (void)close(bench->manager);
    if (bench->name[0] == '/') {
        (void)unlink(bench->name);
    }
    scratch_done(&bench->scratch);
}

/* NULL: nothing more. */
static const char *hear(struct bench *bench)
{
    ssize_t size = recv(bench->manager, bench->heard, sizeof(bench->heard) - 1, MSG_DONTWAIT);

    if (size < 0) {
        return NULL;
    }
    bench->heard[size] = '\0';
    return bench->heard;
}

/* Until it takes nothing more. */
static void fill(struct bench *bench)
{
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    while (sendto(fd, "x", 1, MSG_DONTWAIT, (const struct sockaddr *)&bench->address,
                  bench->size) == 1) {
    }
    CU_ASSERT_EQUAL(errno, EAGAIN);
    (void)close(fd);
}

static void drain(struct bench *bench)
{
    const char *heard;

    while ((heard = hear(bench)) != NULL) {
        CU_ASSERT_STRING_EQUAL(heard, "x");
    }
}

static void expect(struct bench *bench, const char *wanted)
{
    const char *heard = hear(bench);

    CU_ASSERT_PTR_NOT_NULL_FATAL(heard);
    CU_ASSERT_EQUAL(strncmp(heard, wanted, strlen(wanted)), 0);
}

static void a_manager_that_reads_is_told_everything(void)
{
    for (unsigned i = 0; i < 2; i++) {
        struct notify notify = {.ready = false};
        struct bench bench;

        init_bench(&bench, i == 1);
        notify_ready(&notify);
        expect(&bench, "READY=1");
        notify_status("primary");
        expect(&bench, "STATUS=primary");
        notify_watchdog();
        expect(&bench, "WATCHDOG=1");
        notify_reloading(&notify);
        expect(&bench, "RELOADING=1\nMONOTONIC_USEC=");
        notify_ready(&notify);
        expect(&bench, "READY=1");
        notify_stopping(&notify);
        expect(&bench, "STOPPING=1");
        notify_tend(&notify);
        CU_ASSERT_PTR_NULL(hear(&bench));
        done_bench(&bench);
    }
}

static void one_that_does_not_read_holds_nobody_up(void)
{
    struct notify notify = {.ready = false};
    struct bench bench;

    init_bench(&bench, false);
    fill(&bench);
    notify_watchdog();
    notify_status("primary");
    notify_reloading(&notify);
    notify_ready(&notify);
    notify_tend(&notify);
    drain(&bench);
    notify_tend(&notify);
    expect(&bench, "RELOADING=1\nMONOTONIC_USEC=");
    expect(&bench, "READY=1");
    notify_tend(&notify);
    CU_ASSERT_PTR_NULL(hear(&bench));
    done_bench(&bench);
}

static void who_stops_is_not_ready_any_more(void)
{
    struct notify notify = {.ready = false};
    struct bench bench;

    init_bench(&bench, false);
    fill(&bench);
    notify_ready(&notify);
    notify_stopping(&notify);
    drain(&bench);
    notify_tend(&notify);
    CU_ASSERT_PTR_NULL(hear(&bench));
    done_bench(&bench);
}

static void where_nobody_listens_nothing_is_owed(void)
{
    static const char *const names[] = {"", "x", "relative/path", "/nowhere/notify",
                                        "@nobody-there"};
    char longest[200];

    memset(longest, '/', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) + 1; i++) {
        struct notify notify = {.ready = false};

        CU_ASSERT_EQUAL(
            setenv("NOTIFY_SOCKET", i == sizeof(names) / sizeof(names[0]) ? longest : names[i], 1),
            0);
        notify_reloading(&notify);
        notify_ready(&notify);
        notify_status("primary");
        CU_ASSERT_FALSE(notify.reloading);
        CU_ASSERT_FALSE(notify.ready);
    }
    (void)unsetenv("NOTIFY_SOCKET"); /* it is a good name */
}

UNIT_MAIN("base_notify",
          {"a manager that reads is told everything", a_manager_that_reads_is_told_everything},
          {"one that does not read holds nobody up", one_that_does_not_read_holds_nobody_up},
          {"who stops is not ready any more", who_stops_is_not_ready_any_more},
          {"where nobody listens nothing is owed", where_nobody_listens_nothing_is_owed})
