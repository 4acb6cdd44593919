/* SPDX-License-Identifier: Apache-2.0 */
/* sender_metrics.h: what the sender counts: attempts by surface and result, and how long a change
 * waits for its message. */
#ifndef APPROVALD_SLACK_OUTBOUND_SENDER_METRICS_H
#define APPROVALD_SLACK_OUTBOUND_SENDER_METRICS_H

#include "approvald/core/outbox.h"

struct metric;
struct metrics;

struct sender_metrics {
    struct metric *attempts[SURFACE_PEOPLE + 1][OUTBOX_LOST + 1];
    struct metric *latency[SURFACE_PEOPLE + 1];
};

/* Adds them to metrics, which owns them. */
void sender_metrics_init(struct sender_metrics *own, struct metrics *metrics);

#endif
