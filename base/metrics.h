/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.h: counters, gauges and histograms in Prometheus' text exposition format 0.0.4.
 * A registry is filled at start and bounded; values may be changed from any thread (atomics). */
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include "base/err.h"

#include <stdint.h>

struct buf;
struct metrics;
struct metric;

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

enum err_code metrics_new(struct metrics **ret_metrics, struct err *err) WARN_UNUSED;
void metrics_free(struct metrics *metrics);

/* Adds a series, or finds the one of the same name and labels. name, help and labels are borrowed
 * for the life of the registry. labels is the text between the braces, e.g. "method=\"x\"", or
 * NULL. Never NULL: when the registry is full (METRICS_COUNT_MAX) all further series share one
 * overflow series, which is shown. A histogram is of seconds, with buckets from 0.1 ms to 10 s. */
struct metric *metrics_add(struct metrics *metrics,
                           enum metric_kind kind,
                           const char *name,
                           const char *labels,
                           const char *help);
void metric_add(struct metric *metric, uint64_t amount);    /* counter, gauge */
void metric_set(struct metric *metric, uint64_t value);     /* gauge */
void metric_observe_us(struct metric *metric, uint64_t us); /* histogram */
uint64_t metric_value(const struct metric *metric); /* counter, gauge; a histogram's count */

/* Appends all series. */
enum err_code
metrics_format(const struct metrics *metrics, struct buf *buf, struct err *err) WARN_UNUSED;

#endif
