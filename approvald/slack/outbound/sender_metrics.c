/* SPDX-License-Identifier: Apache-2.0 */
/* sender_metrics.c: names and labels of the sender's metrics.
 * Owns the words; the registry owns the metrics.
 * Never counts: the sender does. */
#include "approvald/slack/outbound/sender_metrics.h"

#include "base/metrics.h"

#include <stddef.h>

#define SURFACE_COUNT (SURFACE_PEOPLE + 1)
#define RESULT_COUNT  (OUTBOX_LOST + 1)

static const char *const attempt_labels[SURFACE_COUNT][RESULT_COUNT] = {
#define SENDER_LABELS(surface, word)                                                               \
    [surface] = {                                                                                  \
        [OUTBOX_SENT] = ("surface=\"" word "\",result=\"sent\""),                                  \
        [OUTBOX_RETRY] = ("surface=\"" word "\",result=\"retry\""),                                \
        [OUTBOX_UNKNOWN] = ("surface=\"" word "\",result=\"unknown\""),                            \
        [OUTBOX_DEAD] = ("surface=\"" word "\",result=\"dead\""),                                  \
        [OUTBOX_DROP] = ("surface=\"" word "\",result=\"drop\""),                                  \
        [OUTBOX_LOST] = ("surface=\"" word "\",result=\"lost\""),                                  \
    }
    SENDER_LABELS(SURFACE_CARD, "card"),       SENDER_LABELS(SURFACE_THREAD, "thread"),
    SENDER_LABELS(SURFACE_DIRECT, "direct"),   SENDER_LABELS(SURFACE_NOTICE, "notice"),
    SENDER_LABELS(SURFACE_WEBHOOK, "webhook"), SENDER_LABELS(SURFACE_PEOPLE, "people"),
#undef SENDER_LABELS
};
static const char *const latency_labels[SURFACE_COUNT] = {
    [SURFACE_CARD] = "surface=\"card\"",       [SURFACE_THREAD] = "surface=\"thread\"",
    [SURFACE_DIRECT] = "surface=\"direct\"",   [SURFACE_NOTICE] = "surface=\"notice\"",
    [SURFACE_WEBHOOK] = "surface=\"webhook\"", [SURFACE_PEOPLE] = "surface=\"people\"",
};

void sender_metrics_init(struct sender_metrics *own, struct metrics *metrics)
{
    for (int surface = SURFACE_CARD; surface < SURFACE_COUNT; surface++) {
        for (int result = OUTBOX_SENT; result < RESULT_COUNT; result++) {
            own->attempts[surface][result] = metrics_add(
                metrics, METRIC_COUNTER, "approvald_outbox_attempts_total",
                attempt_labels[surface][result], "Attempts to send what the outbox owes.");
        }
        own->latency[surface] =
            metrics_add(metrics, METRIC_HISTOGRAM, "approvald_outbox_latency_seconds",
                        latency_labels[surface], "From owed to sent.");
    }
}
