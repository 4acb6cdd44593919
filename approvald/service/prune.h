/* SPDX-License-Identifier: Apache-2.0 */
/* prune.h: removing what retention no longer keeps, a bounded piece at a time. */
#ifndef APPROVALD_SERVICE_PRUNE_H
#define APPROVALD_SERVICE_PRUNE_H

#include "approvald/service/work.h"

/* The clocks as the loop read them. */
struct prune_time {
    uint64_t wall_ms;
    uint64_t boot_ms;
};

/* A piece of pruning when it is due and the wall clock may be believed (prune_clock.h). *ret_more:
 * there is more to do at once. */
enum err_code
prune_due(struct work *work, const struct prune_time *time, bool *ret_more) WARN_UNUSED;
/* At start: the clock as it is stored. */
enum err_code prune_recover(struct work *work) WARN_UNUSED;
/* The retention in force. */
enum err_code retention_get(struct work *work, struct retention *ret_retention) WARN_UNUSED;

#endif
