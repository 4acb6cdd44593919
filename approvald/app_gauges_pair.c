/* SPDX-License-Identifier: Apache-2.0 */
/* app_gauges_pair.c: the gauges of the pair, of the supervisor, and of the ends of certificates.
 * Owns their names. Never blocks: what it tells is in memory. */
#include "approvald/app_internal.h"
#include "base/metrics.h"
#include "base/tls.h"
#include "storage/pair.h"
#include "supervisor/contract.h"

#include <stddef.h>

#define GAUGE(field, name, help)                                                                   \
    {                                                                                              \
        offsetof(struct app_gauges, field), name, help                                             \
    }

static const struct {
    size_t offset;
    const char *name;
    const char *help;
} table[] = {
    GAUGE(role, "approvald_role", "0: idle, 1: standby, 2: primary."),
    GAUGE(paired, "approvald_pair_in_sync", "1: both hosts have every committed record."),
    GAUGE(link, "approvald_pair_link_up", "1: the other host is connected."),
    GAUGE(lag, "approvald_replication_lag_records", "Records that the standby has not yet."),
    GAUGE(lag_ms, "approvald_replication_lag_milliseconds", "Age of the oldest of them."),
    GAUGE(unprotected, "approvald_pair_unprotected", "1: the pair runs on one host."),
    GAUGE(arbiter_down, "approvald_pair_arbiter_down", "1: the arbiter does not answer."),
    GAUGE(arbiter_wrong,
          "approvald_pair_arbiter_wrong",
          "1: the arbiter was wiped, is an old copy of itself, or another one."),
    GAUGE(needs_operator, "approvald_pair_needs_operator", "1: nothing goes on by itself."),
    GAUGE(safe_mode, "approvald_pair_safe_mode", "1: this host is in safe mode."),
    GAUGE(vip_here, "approvald_pair_virtual_ip_here", "1: this host has the virtual IP."),
    GAUGE(vip_wrong,
          "approvald_pair_virtual_ip_wrong",
          "1: this host serves, and the virtual IP is not here, or on the other host too."),
    GAUGE(secrets_differ,
          "approvald_pair_secrets_differ",
          "Secrets that the two hosts of the pair do not have in common."),
    GAUGE(starts, "approvald_process_starts", "Starts of approvald by this supervisor."),
    GAUGE(snapshot_refused,
          "approvald_pair_snapshot_refused",
          "1: this standby needs the other host's whole state and cannot take it."),
    GAUGE(disk_hangs,
          "approvald_supervisor_disk_hangs",
          "1: the disk with the supervisor's state does not answer."),
};

static const char *const end_labels[APP_END_COUNT] = {
    [CONTRACT_END_PAIR] = "of=\"pair\"",
    [CONTRACT_END_PAIR_CA] = "of=\"pair-ca\"",
    [CONTRACT_END_ARBITER_CLIENT] = "of=\"arbiter-client\"",
    [CONTRACT_END_ARBITER_CA] = "of=\"arbiter-ca\"",
    [CONTRACT_END_ARBITER] = "of=\"arbiter\"",
    [APP_END_SERVICE] = "of=\"service\"",
};

void app_metrics_pair(struct app *app)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct metric **slot = (struct metric **)(void *)((char *)&app->gauges + table[i].offset);

        *slot = metrics_add(app->metrics, METRIC_GAUGE, table[i].name, NULL, table[i].help);
    }
    for (size_t i = 0; i < APP_END_COUNT; i++) {
        app->gauges.ends[i] =
            metrics_add(app->metrics, METRIC_GAUGE, "approvald_certificate_not_after_seconds",
                        end_labels[i], "When a certificate ends (Unix); 0: there is none.");
    }
}

static void collect_summary(struct app_gauges *gauges, const struct contract_summary *summary)
{
    metric_set(gauges->unprotected, summary->unprotected ? 1 : 0);
    metric_set(gauges->arbiter_down, summary->arbiter_down ? 1 : 0);
    metric_set(gauges->arbiter_wrong, summary->arbiter_wrong ? 1 : 0);
    metric_set(gauges->needs_operator, summary->needs_operator ? 1 : 0);
    metric_set(gauges->safe_mode, summary->safe_mode ? 1 : 0);
    metric_set(gauges->vip_here, summary->vip_here ? 1 : 0);
    metric_set(gauges->vip_wrong, summary->vip_wrong ? 1 : 0);
    metric_set(gauges->starts, summary->start_count);
}

static void collect_pair(struct app *app)
{
    const struct contract_summary *summary = app_pair_summary(app);
    struct app_gauges *gauges = &app->gauges;
    struct storage_pair_status status;

    if (!app_pair_is_paired(app)) {
        metric_set(gauges->role, app->serving == APP_RESTING ? REPLICA_IDLE : REPLICA_PRIMARY);
        return;
    }
    storage_pair_status(app->storage, &status);
    metric_set(gauges->role, status.role);
    metric_set(gauges->paired, status.link.in_sync ? 1 : 0);
    metric_set(gauges->link, status.link.up ? 1 : 0);
    metric_set(gauges->lag, status.lag_lsn);
    metric_set(gauges->lag_ms, status.lag_ms);
    metric_set(gauges->secrets_differ, app_pair_secrets_differ(app));
    metric_set(gauges->snapshot_refused, status.snapshot_refused[0] != '\0' ? 1 : 0);
    if (summary != NULL) {
        collect_summary(gauges, summary);
    }
}

static void collect_ends(struct app *app)
{
    const struct contract_summary *summary = app_pair_summary(app);
    struct metric **ends = app->gauges.ends;

    for (size_t i = 0; summary != NULL && i < CONTRACT_END_COUNT; i++) {
        metric_set(ends[i], summary->ends_s[i]);
    }
    metric_set(ends[APP_END_SERVICE], app->tls == NULL ? 0 : tls_server_not_after_s(app->tls));
}

void app_collect_pair(struct app *app)
{
    const struct contract_summary *summary = app_pair_summary(app);

    collect_pair(app);
    collect_ends(app);
    if (summary != NULL) { /* a single host's supervisor has a disk, too */
        metric_set(app->gauges.disk_hangs, summary->disk_hangs ? 1 : 0);
    }
}
