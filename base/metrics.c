/* SPDX-License-Identifier: Apache-2.0 */
/* metrics.c: counters, gauges and histograms.
 * Owns the series and the exposition format (Prometheus text 0.0.4, one block per name).
 * Never allocates after metrics_new, never locks: values are atomics, series are added before the
 * registry is shared between threads. */
#include "base/metrics.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/limits.h"
#include "base/mem.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

/* The edges of the buckets; the last bucket, +Inf, has none. */
static const struct {
    uint32_t us;
    const char *text; /* seconds */
} metric_edges[] = {
    {100, "0.0001"},  {250, "0.00025"}, {500, "0.0005"},  {1000, "0.001"},
    {2500, "0.0025"}, {5000, "0.005"},  {10000, "0.01"},  {25000, "0.025"},
    {50000, "0.05"},  {100000, "0.1"},  {250000, "0.25"}, {500000, "0.5"},
    {1000000, "1"},   {2500000, "2.5"}, {5000000, "5"},   {10000000, "10"},
};
#define METRIC_EDGE_COUNT (sizeof metric_edges / sizeof metric_edges[0])

struct metric {
    const char *name;   /* borrowed */
    const char *labels; /* borrowed, or NULL */
    const char *help;   /* borrowed */
    enum metric_kind kind;
    bool overflow;       /* stands for all that found no place */
    bool first;          /* of its name */
    struct metric *next; /* of the same name */
    _Atomic uint64_t value;
    _Atomic uint64_t sum_us;
    _Atomic uint64_t buckets[METRIC_EDGE_COUNT + 1]; /* each counts its own range only */
};

struct metrics {
    size_t count;
    struct metric overflow;
    struct metric series[METRICS_COUNT_MAX];
};

enum err_code metrics_new(struct metrics **ret_metrics, struct err *err)
{
    struct metrics *metrics = mem_new(1, sizeof *metrics);

    if (metrics == NULL) {
        return err_set(err, ERR_NOMEM, "metrics");
    }
    metrics->overflow.name = "metrics_overflow_total";
    metrics->overflow.help = "Changes to series that found the registry full.";
    metrics->overflow.kind = METRIC_COUNTER;
    metrics->overflow.overflow = true;
    metrics->overflow.first = true;
    *ret_metrics = metrics;
    return ERR_OK;
}

void metrics_free(struct metrics *metrics)
{
    mem_free(metrics);
}

static bool labels_equal(const char *a, const char *b)
{
    return strcmp(a == NULL ? "" : a, b == NULL ? "" : b) == 0;
}

/* The last series called name that is not labels, or the very one, or NULL. */
static struct metric *metrics_find(struct metrics *metrics, const char *name, const char *labels)
{
    struct metric *metric = NULL;

    for (size_t i = 0; i < metrics->count && metric == NULL; i++) {
        if (metrics->series[i].first && strcmp(metrics->series[i].name, name) == 0) {
            metric = &metrics->series[i];
        }
    }
    while (metric != NULL && metric->next != NULL && !labels_equal(metric->labels, labels)) {
        metric = metric->next;
    }
    return metric;
}

struct metric *metrics_add(struct metrics *metrics,
                           enum metric_kind kind,
                           const char *name,
                           const char *labels,
                           const char *help)
{
    struct metric *before;
    struct metric *metric;

    ASSERT(name != NULL);
    ASSERT(help != NULL);
    before = metrics_find(metrics, name, labels);
    ASSERT(before == NULL || before->kind == kind);
    if (before != NULL && labels_equal(before->labels, labels)) {
        return before;
    }
    if (metrics->count == METRICS_COUNT_MAX) {
        return &metrics->overflow;
    }
    metric = &metrics->series[metrics->count];
    metrics->count++;
    metric->name = name;
    metric->labels = labels;
    metric->help = help;
    metric->kind = kind;
    metric->first = before == NULL;
    if (before != NULL) {
        before->next = metric;
    }
    return metric;
}

void metric_add(struct metric *metric, uint64_t amount)
{
    ASSERT(metric->overflow || metric->kind != METRIC_HISTOGRAM);
    atomic_fetch_add_explicit(&metric->value, metric->overflow ? 1 : amount, memory_order_relaxed);
}

void metric_set(struct metric *metric, uint64_t value)
{
    if (metric->overflow) {
        metric_add(metric, 1);
        return;
    }
    ASSERT(metric->kind == METRIC_GAUGE);
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

void metric_observe_us(struct metric *metric, uint64_t us)
{
    size_t index = 0;

    if (metric->overflow) {
        metric_add(metric, 1);
        return;
    }
    ASSERT(metric->kind == METRIC_HISTOGRAM);
    while (index < METRIC_EDGE_COUNT && us > metric_edges[index].us) {
        index++;
    }
    atomic_fetch_add_explicit(&metric->buckets[index], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&metric->sum_us, us, memory_order_relaxed);
}

uint64_t metric_value(const struct metric *metric)
{
    uint64_t count = 0;

    if (metric->kind != METRIC_HISTOGRAM) {
        return atomic_load_explicit(&metric->value, memory_order_relaxed);
    }
    for (size_t i = 0; i <= METRIC_EDGE_COUNT; i++) {
        count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
    }
    return count;
}

static enum err_code format_plain(const struct metric *metric, struct buf *buf, struct err *err)
{
    const char *labels = metric->labels == NULL ? "" : metric->labels;
    bool braces = labels[0] != '\0';

    return buf_append_format(buf, err, "%s%s%s%s %" PRIu64 "\n", metric->name, braces ? "{" : "",
                             labels, braces ? "}" : "", metric_value(metric));
}

/* The count is the sum of the buckets as read here, so that a scrape agrees with itself. */
static enum err_code format_histogram(const struct metric *metric, struct buf *buf, struct err *err)
{
    const char *labels = metric->labels == NULL ? "" : metric->labels;
    bool labelled = labels[0] != '\0';
    uint64_t sum_us = atomic_load_explicit(&metric->sum_us, memory_order_relaxed);
    uint64_t count = 0;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i <= METRIC_EDGE_COUNT; i++) {
        count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        rc = buf_append_format(buf, err, "%s_bucket{%s%sle=\"%s\"} %" PRIu64 "\n", metric->name,
                               labels, labelled ? "," : "",
                               i < METRIC_EDGE_COUNT ? metric_edges[i].text : "+Inf", count);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    return buf_append_format(buf, err,
                             "%s_sum%s%s%s %" PRIu64 ".%06" PRIu64 "\n"
                             "%s_count%s%s%s %" PRIu64 "\n",
                             metric->name, labelled ? "{" : "", labels, labelled ? "}" : "",
                             sum_us / 1000000, sum_us % 1000000, metric->name, labelled ? "{" : "",
                             labels, labelled ? "}" : "", count);
}

static const char *kind_text(enum metric_kind kind)
{
    switch (kind) {
    case METRIC_COUNTER:
        return "counter";
    case METRIC_GAUGE:
        return "gauge";
    case METRIC_HISTOGRAM:
        break;
    }
    return "histogram";
}

/* All series of one name. */
static enum err_code format_block(const struct metric *metric, struct buf *buf, struct err *err)
{
    enum err_code rc = buf_append_format(buf, err, "# HELP %s %s\n# TYPE %s %s\n", metric->name,
                                         metric->help, metric->name, kind_text(metric->kind));

    for (; rc == ERR_OK && metric != NULL; metric = metric->next) {
        rc = metric->kind == METRIC_HISTOGRAM ? format_histogram(metric, buf, err)
                                              : format_plain(metric, buf, err);
    }
    return rc;
}

enum err_code metrics_format(const struct metrics *metrics, struct buf *buf, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < metrics->count; i++) {
        if (metrics->series[i].first) {
            rc = format_block(&metrics->series[i], buf, err);
        }
    }
    if (rc == ERR_OK && metric_value(&metrics->overflow) > 0) {
        rc = format_block(&metrics->overflow, buf, err);
    }
    return rc;
}
