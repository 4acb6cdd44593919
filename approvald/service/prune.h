/* SPDX-License-Identifier: Apache-2.0 */
/* prune.h: removing what retention no longer keeps, a bounded piece at a time. */
#ifndef APPROVALD_SERVICE_PRUNE_H
#define APPROVALD_SERVICE_PRUNE_H

#include "approvald/service/work.h"

/* *ret_more: there is more to do at once. */
enum err_code prune_some(struct work *work, bool *ret_more) WARN_UNUSED;
/* The retention in force. */
enum err_code retention_get(struct work *work, struct retention *ret_retention) WARN_UNUSED;

#endif
