/* SPDX-License-Identifier: Apache-2.0 */
/* test_metrics.c: proves base/metrics.
 * Owns nothing but its cases; never touches a file or the network. */
#include "base/buf.h"
#include "base/limits.h"
#include "base/metrics.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>

#define ROOM 1000000

static void series_of_one_name_stand_together(void)
{
    AUTO_BUF struct buf *buf = NULL;
    struct metrics *metrics = NULL;
    struct metric *a;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(ROOM, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(metrics_new(&metrics, &err), ERR_OK);
    a = metrics_add(metrics, METRIC_COUNTER, "calls_total", "to=\"a\"", "Calls.");
    metric_set(metrics_add(metrics, METRIC_GAUGE, "depth", NULL, "Depth."), 7);
    metric_add(metrics_add(metrics, METRIC_COUNTER, "calls_total", "to=\"b\"", "Calls."), 2);
    metric_add(a, 3);
    CU_ASSERT_PTR_EQUAL(metrics_add(metrics, METRIC_COUNTER, "calls_total", "to=\"a\"", "C."), a);
    CU_ASSERT_EQUAL(metric_value(a), 3);
    CU_ASSERT_EQUAL(metrics_format(metrics, buf, &err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(buf_text(buf), "# HELP calls_total Calls.\n"
                                          "# TYPE calls_total counter\n"
                                          "calls_total{to=\"a\"} 3\n"
                                          "calls_total{to=\"b\"} 2\n"
                                          "# HELP depth Depth.\n"
                                          "# TYPE depth gauge\n"
                                          "depth 7\n");
    metrics_free(metrics);
}

static void a_histogram_counts_up_to_each_edge(void)
{
    AUTO_BUF struct buf *buf = NULL;
    struct metrics *metrics = NULL;
    struct metric *took;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(ROOM, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(metrics_new(&metrics, &err), ERR_OK);
    took = metrics_add(metrics, METRIC_HISTOGRAM, "took_seconds", "of=\"x\"", "Time.");
    metric_observe_us(took, 100);
    metric_observe_us(took, 500);
    metric_observe_us(took, 501);
    metric_observe_us(took, 99000000);
    CU_ASSERT_EQUAL(metric_value(took), 4);
    CU_ASSERT_EQUAL(metrics_format(metrics, buf, &err), ERR_OK);
    CU_ASSERT_PTR_NOT_NULL(
        strstr(buf_text(buf), "took_seconds_bucket{of=\"x\",le=\"0.0001\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(buf_text(buf), "took_seconds_bucket{of=\"x\",le=\"0.00025\"} 1\n"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr(buf_text(buf), "took_seconds_bucket{of=\"x\",le=\"0.0005\"} 2\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(buf), "took_seconds_bucket{of=\"x\",le=\"0.001\"} 3\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(buf), "took_seconds_bucket{of=\"x\",le=\"10\"} 3\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(buf), "took_seconds_bucket{of=\"x\",le=\"+Inf\"} 4\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(buf), "took_seconds_sum{of=\"x\"} 99.001101\n"));
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(buf), "took_seconds_count{of=\"x\"} 4\n"));
    metrics_free(metrics);
}

static void a_full_registry_shares_one_series_that_is_shown(void)
{
    static char names[METRICS_COUNT_MAX][16];
    AUTO_BUF struct buf *buf = NULL;
    struct metrics *metrics = NULL;
    struct metric *extra;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(ROOM, &buf, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(metrics_new(&metrics, &err), ERR_OK);
    for (size_t i = 0; i < METRICS_COUNT_MAX; i++) {
        (void)snprintf(names[i], sizeof names[i], "n%zu", i);
        (void)metrics_add(metrics, METRIC_GAUGE, names[i], NULL, "N.");
    }
    extra = metrics_add(metrics, METRIC_HISTOGRAM, "extra", NULL, "E.");
    metric_observe_us(extra, 900);
    metric_add(metrics_add(metrics, METRIC_COUNTER, "more", NULL, "M."), 5);
    metric_set(metrics_add(metrics, METRIC_GAUGE, "most", NULL, "M."), 5);
    CU_ASSERT_EQUAL(metric_value(extra), 3);
    CU_ASSERT_EQUAL(metrics_format(metrics, buf, &err), ERR_OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_text(buf), "\nmetrics_overflow_total 3\n"));
    buf_clear(buf);
    metrics_free(metrics);
}

UNIT_MAIN("metrics",
          {"series of one name stand together", series_of_one_name_stand_together},
          {"a histogram counts up to each edge", a_histogram_counts_up_to_each_edge},
          {"a full registry shares one series that is shown",
           a_full_registry_shares_one_series_that_is_shown})
