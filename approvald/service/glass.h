/* SPDX-License-Identifier: Apache-2.0 */
/* glass.h: how often the glass was broken, kept in the store: a record of its own, so that it
 * outlives the requests that it counts and a failover. */
#ifndef APPROVALD_SERVICE_GLASS_H
#define APPROVALD_SERVICE_GLASS_H

#include "approvald/core/types.h"
#include "base/err.h"

struct work;

struct glass_seen {
    uint64_t count;
    uint64_t last_ms; /* 0: never */
    struct request_id last;
};

/* After a step: the glass of this request was broken in it, if it was. */
enum err_code glass_note(struct work *work,
                         const struct request *before,
                         const struct request *after) WARN_UNUSED;
/* At start. */
enum err_code glass_recover(struct work *work) WARN_UNUSED;

#endif
