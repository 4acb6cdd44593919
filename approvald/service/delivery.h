/* SPDX-License-Identifier: Apache-2.0 */
/* delivery.h: what the sender hands to a way out, and what comes back. Between rooms that never
 * include each other: slack's sender drives, webhook (and slack itself) delivers, app.c wires. */
#ifndef APPROVALD_SERVICE_DELIVERY_H
#define APPROVALD_SERVICE_DELIVERY_H

#include "approvald/service/service.h"

/* One attempt, as service_outbox_begin gave it. Valid during the call; copy what is needed. */
struct delivery {
    const struct outbox_row *row;
    const struct outbox_row *card; /* the request's card row, or NULL */
    const struct request *request; /* NULL: no longer stored */
    const struct policy *policy;   /* NULL with it */
    uint64_t now_ms;               /* wall */
};

struct delivery_result {
    struct service_outcome outcome; /* spans are valid during the callback */
    uint64_t retry_ms; /* the other side asked to be left alone for so long; 0: it did not */
    uint64_t rest_ms;  /* this row need not be tried again for so long; 0: as the outbox says */
};

typedef void delivery_done_fn(void *arg, const struct delivery_result *result);

/* Starts a delivery; done is called once, on the loop, never from inside. On an error done is not
 * called and nothing was sent: ERR_FULL and ERR_NOMEM (try again later), any other code is
 * permanent. */
typedef enum err_code delivery_start_fn(void *driver,
                                        const struct delivery *delivery,
                                        delivery_done_fn *done,
                                        void *arg,
                                        struct err *err);

#endif
