/* SPDX-License-Identifier: Apache-2.0 */
/* fault.h: fail after N calls, for M times: the one thing that every fake, the allocator and the
 * tap on file calls ask before they do anything. May be asked from several threads. */
#ifndef TESTS_LIB_FAULT_H
#define TESTS_LIB_FAULT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct fault {
    atomic_uint_fast64_t count; /* calls so far */
    uint64_t after;             /* that many calls succeed */
    uint64_t times;             /* then that many fail; 0: none ever */
};

#define FAULT_FOREVER UINT64_MAX

/* Starts counting anew. */
void fault_set(struct fault *fault, uint64_t after, uint64_t times);
/* Counts a call; true when it must fail. */
bool fault_hit(struct fault *fault);
/* True when a call has failed. */
bool fault_happened(struct fault *fault);

#endif
