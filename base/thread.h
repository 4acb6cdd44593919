/* SPDX-License-Identifier: Apache-2.0 */
/* thread.h: starting a thread of this process. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

typedef void *thread_fn(void *arg);

/* As pthread_create with default attributes, but the new thread takes no signal but those of its
 * own faults: they stay with the caller's, whose mask is the same afterwards. 0 or an errno. Does
 * not block. */
int thread_start(pthread_t *ret_thread, thread_fn *run, void *arg);

#endif
