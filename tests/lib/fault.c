/* SPDX-License-Identifier: Apache-2.0 */
/* fault.c: fail after N calls, for M times.
 * Owns the counting. Never fails anything itself: who asks does. */
#include "tests/lib/fault.h"

void fault_set(struct fault *fault, uint64_t after, uint64_t times)
{
    fault->after = after;
    fault->times = times;
    atomic_store(&fault->count, 0);
}

bool fault_hit(struct fault *fault)
{
    uint64_t number = atomic_fetch_add(&fault->count, 1);

    return fault->times > 0 && number >= fault->after && number - fault->after < fault->times;
}

bool fault_happened(struct fault *fault)
{
    return fault->times > 0 && atomic_load(&fault->count) > fault->after;
}
