/* SPDX-License-Identifier: Apache-2.0 */
/* locked.h: the supervisor's memory stays in memory. */
#ifndef SUPERVISOR_LOCKED_H
#define SUPERVISOR_LOCKED_H

#include "base/err.h"

/* From now on no page of this process that was used once is taken away, so signs of life, the
 * virtual IP's end and a failover wait for no disk: neither for swap, nor for program text that was
 * dropped under pressure. Pages are locked when they are used first, so what only is reserved (the
 * stacks of threads, libraries' rest) costs nothing; our own program is read whole.
 * ERR_DENIED: RLIMIT_MEMLOCK is not unlimited and counts for us; nothing is locked, for under a
 * limit a later allocation would fail. */
enum err_code locked_all(struct err *err) WARN_UNUSED;

#endif
