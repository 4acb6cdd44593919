/* SPDX-License-Identifier: Apache-2.0 */
/* thread.c: owns that signals stay with the thread that starts the others. Never joins one. */
#include "base/thread.h"

#include <signal.h>
#include <stddef.h>

int thread_start(pthread_t *ret_thread, thread_fn *run, void *arg)
{
    sigset_t all;
    sigset_t before;
    int number;

    (void)sigfillset(&all); /* none of these can fail with these arguments */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    number = pthread_create(ret_thread, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return number;
}
