/* SPDX-License-Identifier: Apache-2.0 */
/* test_thread.c: proves base/thread: a thread that is started takes no signal, its starter still
 * does.
 * Owns its process's signal mask. Never sends a signal. */
#include "base/thread.h"
#include "tests/unit/unit.h"

#include <signal.h>

static void *look(void *arg)
{
    sigset_t *mask = arg;

    (void)pthread_sigmask(SIG_SETMASK, NULL, mask);
    return NULL;
}

static void test_signals_stay_with_the_starter(void)
{
    static const int wanted[] = {SIGTERM, SIGHUP, SIGINT, SIGUSR1};
    pthread_t thread;
    sigset_t one;
    sigset_t ours;
    sigset_t theirs;

    (void)sigemptyset(&one);
    (void)sigaddset(&one, SIGUSR1);
    CU_ASSERT_EQUAL_FATAL(pthread_sigmask(SIG_SETMASK, &one, NULL), 0);
    CU_ASSERT_EQUAL_FATAL(thread_start(&thread, look, &theirs), 0);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    (void)pthread_sigmask(SIG_SETMASK, NULL, &ours);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        CU_ASSERT_EQUAL(sigismember(&theirs, wanted[i]), 1);
        CU_ASSERT_EQUAL(sigismember(&ours, wanted[i]), wanted[i] == SIGUSR1);
    }
}

UNIT_MAIN("thread", {"signals stay with the starter", test_signals_stay_with_the_starter})
