/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c: owns that signals stay with the thread that starts the others. Never joins one. */
#include "base/thread.h"

#include <signal.h>
#include <stddef.h>

/* What a thread does to itself. Blocked, such a signal ends the process without the handler that
 * reports it (base/crash.h). */
static const int faults[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGSYS, SIGABRT};

int thread_start(pthread_t *ret_thread, thread_fn *run, void *arg)
{
    sigset_t all;
    sigset_t before;
    int number;

    (void)sigfillset(&all); /* none of these can fail with these arguments */
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        (void)sigdelset(&all, faults[i]);
    }
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    number = pthread_create(ret_thread, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}
