/* SPDX-License-Identifier: Apache-2.0 */
/* app_status.c: what the admin sees of the whole: status, gauges, readiness.
 * Owns nothing. Never blocks and never reads the store: all of it is in memory. */
#include <config.h>

#include "approvald/app_internal.h"
#include "approvald/core/request_id.h"
#include "approvald/http/api.h"
#include "approvald/http/server.h"
#include "approvald/service/service.h"
#include "approvald/slack/inbound/inbound.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/outbound/cardsweep.h"
#include "approvald/slack/people/directory.h"
#include "approvald/slack/socket/socketmode.h"
#include "approvald/slack/wire/webapi.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/lastgood.h"
#include "base/metrics.h"
#include "base/text.h"
#include "base/tls.h"
#include "storage/pair.h"
#include "storage/storage.h"
#include "supervisor/contract.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Beyond T_evict: a CAS at an arbiter that is slow, and the sync of the new epoch's start. */
#define STALL_RESERVE_MS 2000U

#define GAUGE(field, name, help)                                                                   \
    {                                                                                              \
        offsetof(struct app_gauges, field), METRIC_GAUGE, name, help                               \
    }
#define COUNTER(field, name, help)                                                                 \
    {                                                                                              \
        offsetof(struct app_gauges, field), METRIC_COUNTER, name, help                             \
    }

static const struct {
    size_t offset;
    enum metric_kind kind;
    const char *name;
    const char *help;
} table[] = {
    GAUGE(lsn_last, "approvald_storage_lsn_last", "Last LSN appended."),
    GAUGE(lsn_commit, "approvald_storage_lsn_commit", "Last LSN durable on the ISR."),
    GAUGE(lsn_applied, "approvald_storage_lsn_applied", "Last LSN in the checkpoint."),
    GAUGE(epoch, "approvald_epoch", "Epoch under which this host writes."),
    GAUGE(queue, "approvald_storage_queue", "Jobs waiting or not yet answered."),
    GAUGE(wal_size, "approvald_storage_wal_bytes", "Write-ahead log on disk."),
    GAUGE(map_used, "approvald_storage_map_used_bytes", "Used of the store's address space."),
    GAUGE(map_size, "approvald_storage_map_bytes", "The store's address space."),
    GAUGE(disk_free, "approvald_storage_disk_free_bytes", "Free on the store's disk."),
    GAUGE(commits, "approvald_storage_commits", "Records committed since the start."),
    GAUGE(syncs, "approvald_storage_syncs", "fdatasyncs since the start."),
    GAUGE(sync_us_total, "approvald_storage_sync_microseconds", "Time spent in fdatasync."),
    GAUGE(sync_us_max, "approvald_storage_sync_max_microseconds", "The longest fdatasync."),
    GAUGE(rss, "approvald_resident_bytes", "Memory of this process."),
    GAUGE(descriptors, "approvald_descriptors", "Open file descriptors."),
    GAUGE(tls_not_after, "approvald_tls_not_after_seconds", "When the certificate ends (Unix)."),
    GAUGE(slack_state,
          "approvald_slack_state",
          "0: up, 1: unreachable, 2: token refused, 3: unused."),
    GAUGE(socket_state,
          "approvald_slack_socket_state",
          "Socket Mode. 0: unused, or not this host's; 1: live, 2: connecting, 3: token refused, "
          "4: switched off at Slack, 5: switched off, and HTTP is configured."),
    GAUGE(ready, "approvald_ready", "1: this process may write."),
    GAUGE(last_good,
          "approvald_config_last_good",
          "1: the configuration file was broken at the start; the last-known-good copy is used."),
};

static struct metric **slot_of(struct app *app, size_t index)
{
    return (struct metric **)(void *)((char *)&app->gauges + table[index].offset);
}

void app_metrics(struct app *app)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        *slot_of(app, i) =
            metrics_add(app->metrics, table[i].kind, table[i].name, NULL, table[i].help);
    }
    app_metrics_pair(app);
}

/* Bytes of resident memory, from the second number of /proc/self/statm. */
static uint64_t resident_size(void)
{
    char text[128];
    int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
    const char *from;
    const char *to;
    uint64_t pages = 0;

    if (fd >= 0) {
        (void)close(fd); /* only read */
    }
    if (size <= 0) {
        return 0;
    }
    from = memchr(text, ' ', (size_t)size);
    to = from == NULL ? NULL : memchr(from + 1, ' ', (size_t)(text + size - from - 1));
    if (to == NULL || !text_parse_u64(span_of(from + 1, (size_t)(to - from - 1)), &pages)) {
        return 0;
    }
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t descriptor_count(void)
{
    DIR *dir = opendir("/proc/self/fd");
    uint64_t count = 0;

    if (dir == NULL) {
        return 0;
    }
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);              /* only read */
    return count > 3 ? count - 3 : 0; /* ".", ".." and the directory itself */
}

static const char *pair_role_word(const struct app *app)
{
    static const char *const words[] = {
        [REPLICA_IDLE] = "idle", [REPLICA_STANDBY] = "standby", [REPLICA_PRIMARY] = "primary"};
    struct storage_pair_status status;

    storage_pair_status(app->storage, &status);
    return words[status.role];
}

const char *app_serving_word(const struct app *app)
{
    static const char *const words[] = {
        [APP_RESTING] = "rests", [APP_SERVING] = "serves", [APP_QUIETING] = "hands-over"};

    return words[app->serving];
}

static enum webapi_state slack_state(const struct app *app, struct webapi_status *ret_status)
{
    webapi_status(app->webapi, ret_status);
    return ret_status->state;
}

/* What is written waits for the other host, for longer than its removal takes. */
static bool is_stalled(const struct app *app)
{
    struct storage_pair_status status;

    if (!app_pair_is_paired(app)) {
        return false;
    }
    storage_pair_status(app->storage, &status);
    return status.role == REPLICA_PRIMARY && status.peer_required &&
           status.lag_ms > (uint64_t)app_pair_evict_ms(app) + STALL_RESERVE_MS;
}

bool app_ready(void *arg, const char **ret_why)
{
    struct app *app = arg;
    struct storage_status status;

    storage_status(app->storage, &status);
    if (status.failed) {
        *ret_why = "The store has failed; this process is about to stop.";
        return false;
    }
    if (app->drain_until_ms != 0) {
        *ret_why = "This process is stopping.";
        return false;
    }
    if (app_pair_is_held(app)) {
        *ret_why = "Strict: the other host is not in sync, and one host alone answers nothing.";
        return false;
    }
    if (app->serving != APP_SERVING) {
        *ret_why = app->serving == APP_QUIETING ? "This host is handing over."
                                                : "This host is the standby, or waits to become "
                                                  "primary: ask at the pair's own address.";
        return false;
    }
    if (is_stalled(app)) {
        *ret_why = "The other host, which has to acknowledge, does not: nothing is answered.";
        return false;
    }
    return true;
}

static void collect_storage(struct app *app)
{
    struct app_gauges *gauges = &app->gauges;
    struct storage_status status;

    storage_status(app->storage, &status);
    metric_set(gauges->lsn_last, status.lsn_last);
    metric_set(gauges->lsn_commit, status.lsn_commit);
    metric_set(gauges->lsn_applied, status.lsn_applied);
    metric_set(gauges->epoch, status.epoch);
    metric_set(gauges->queue, status.queue_count);
    metric_set(gauges->wal_size, status.wal_size);
    metric_set(gauges->map_used, status.map_used_size);
    metric_set(gauges->map_size, status.map_size);
    metric_set(gauges->disk_free, status.disk_free_size);
    metric_set(gauges->commits, status.commit_count);
    metric_set(gauges->syncs, status.sync_count);
    metric_set(gauges->sync_us_total, status.sync_us_total);
    metric_set(gauges->sync_us_max, status.sync_us_max);
}

/* This process's, or its supervisor's. */
static bool has_broken_config(struct app *app)
{
    const struct contract_summary *summary = app_pair_summary(app);

    return config_last_good(app->config)->kept_ms != 0 ||
           (summary != NULL && summary->config_broken);
}

#define SOCKET_STATE_SPARED 5U /* disabled, and Slack has another way in */

/* Who may reach this host over HTTP as well has switched Socket Mode off knowingly. */
static uint64_t socket_state(const struct app *app)
{
    struct socketmode_status status;

    if (app->socketmode == NULL) {
        return SOCKETMODE_STOPPED;
    }
    socketmode_status(app->socketmode, &status);
    return status.state == SOCKETMODE_DISABLED && config_signing_secret(app->config).size > 0
               ? SOCKET_STATE_SPARED
               : (uint64_t)status.state;
}

void app_collect(void *arg)
{
    struct app *app = arg;
    struct app_gauges *gauges = &app->gauges;
    struct webapi_status slack;
    const char *why;

    collect_storage(app);
    metric_set(gauges->rss, resident_size());
    metric_set(gauges->descriptors, descriptor_count());
    metric_set(gauges->tls_not_after, app->tls == NULL ? 0 : tls_server_not_after_s(app->tls));
    metric_set(gauges->slack_state, app->webapi == NULL ? 3 : (uint64_t)slack_state(app, &slack));
    metric_set(gauges->socket_state, socket_state(app));
    metric_set(gauges->ready, app_ready(app, &why) ? 1 : 0);
    metric_set(gauges->last_good, has_broken_config(app) ? 1 : 0);
    app_collect_pair(app);
}

static void add_storage(struct json *object, struct app *app)
{
    struct json *lsn = json_add_object(object, "lsn");
    struct json *disk = json_add_object(object, "storage");
    struct storage_status status;
    char cluster_id[2 * STORAGE_ID_SIZE + 1];

    storage_status(app->storage, &status);
    crypto_hex(status.cluster_id, STORAGE_ID_SIZE, cluster_id);
    json_add_text(disk, "cluster_id", span_text(cluster_id));
    json_add_u64(object, "epoch", status.epoch);
    json_add_u64(lsn, "last", status.lsn_last);
    json_add_u64(lsn, "commit", status.lsn_commit);
    json_add_u64(lsn, "applied", status.lsn_applied);
    json_add_u64(disk, "queue", status.queue_count);
    json_add_u64(disk, "isr", status.isr_count);
    json_add_u64(disk, "wal_bytes", status.wal_size);
    json_add_u64(disk, "map_bytes", status.map_size);
    json_add_u64(disk, "map_used_bytes", status.map_used_size);
    json_add_u64(disk, "disk_free_bytes", status.disk_free_size);
    json_add_u64(disk, "commits", status.commit_count);
    json_add_u64(disk, "sync_us_mean",
                 status.sync_count == 0 ? 0 : status.sync_us_total / status.sync_count);
    json_add_u64(disk, "sync_us_max", status.sync_us_max);
    json_add_bool(disk, "failed", status.failed);
    if (status.failed) {
        json_add_text(disk, "failure", span_text(status.failure.message));
    }
}

static void add_time(struct json *object, const char *name, uint64_t wall_ms)
{
    char text[TEXT_TIME_SIZE];

    if (wall_ms > 0) {
        text_format_time(wall_ms, text);
        json_add_text(object, name, span_text(text));
    } else {
        json_add_null(object, name);
    }
}

/* How often the glass was broken, and when last: what nobody should overlook. */
static void add_glass(struct json *object, const struct service_counts *counts)
{
    struct json *glass = json_add_object(object, "break_glass");
    char id[REQUEST_ID_TEXT_SIZE];

    json_add_u64(glass, "count", counts->glass_count);
    add_time(glass, "last_at", counts->glass_ms);
    if (counts->glass_ms > 0) {
        request_id_format(&counts->glass_last, id);
        json_add_text(glass, "last_request", span_text(id));
    } else {
        json_add_null(glass, "last_request");
    }
}

static void add_counts(struct json *object, struct app *app)
{
    struct json *counts = json_add_object(object, "counts");
    struct json *http = json_add_object(object, "http");
    struct service_counts now = {.pending = 0};

    if (app->service != NULL) {
        service_counts(app->service, &now);
    }
    json_add_u64(counts, "pending", now.pending);
    json_add_u64(counts, "stored", now.stored);
    json_add_u64(counts, "inbox", now.inbox_depth);
    json_add_u64(counts, "outbox_owed", now.outbox_owed);
    json_add_u64(counts, "outbox_dead", now.outbox_dead);
    json_add_u64(counts, "audit_seq", now.audit_seq);
    add_glass(object, &now);
    json_add_u64(http, "connections", http_server_connection_count(app->server));
    json_add_u64(http, "in_flight", http_server_request_count(app->server));
    json_add_u64(http, "long_polls", api_wait_count(app->api));
}

/* Which ways in there are, and when something came over each. */
static void add_transports(struct json *slack, const struct app *app)
{
    uint64_t http_ms = slack_inbound_last_ms(app->inbound, SLACK_OVER_HTTP);
    uint64_t socket_ms = slack_inbound_last_ms(app->inbound, SLACK_OVER_SOCKET);
    struct json *http = json_add_object(slack, "http");
    struct json *socket;
    struct socketmode_status status;

    add_time(slack, "last_event_at", http_ms > socket_ms ? http_ms : socket_ms);
    json_add_bool(http, "configured", config_signing_secret(app->config).size > 0);
    add_time(http, "last_event_at", http_ms);
    if (app->socketmode == NULL) {
        return;
    }
    socket = json_add_object(slack, "socket");
    socketmode_status(app->socketmode, &status);
    json_add_text(socket, "state", span_text(socketmode_state_word(status.state)));
    json_add_u64(socket, "live", status.live);
    json_add_u64(socket, "strangers", status.strangers);
    json_add_text(socket, "last_error", span_text(status.error));
    add_time(socket, "last_event_at", socket_ms);
}

/* Whether Slack is down, since when, and how often it was. */
static void add_breaker(struct json *slack, const struct webapi_status *status)
{
    struct json *breaker = json_add_object(slack, "breaker");
    const char *state = status->probing ? "half-open" : "open";

    json_add_text(breaker, "state", span_text(status->down_ms == 0 ? "closed" : state));
    json_add_u64(breaker, "down_s", status->down_ms / 1000);
    json_add_u64(breaker, "outages", status->outage_count);
}

/* What the reconciler found when it last compared the cards with Slack. */
static void add_cards(struct json *slack, const struct app *app)
{
    struct json *cards = json_add_object(slack, "cards");
    struct cardsweep_status status;

    cardsweep_status(app->cardsweep, &status);
    json_add_bool(cards, "comparing", status.running);
    add_time(cards, "compared_at", status.finished_ms);
    json_add_u64(cards, "good", status.counts.good);
    json_add_u64(cards, "stale", status.counts.stale);
    json_add_u64(cards, "missing", status.counts.missing);
    json_add_u64(cards, "skipped", status.counts.skipped);
    json_add_u64(cards, "repaired", status.repaired);
    json_add_u64(cards, "copies_removed", status.copies);
    json_add_u64(cards, "stuck", status.stuck);
    json_add_u64(cards, "unseen", status.counts.blind);
    json_add_text(cards, "unseen_because", span_text(status.blind_error));
    json_add_text(cards, "unseen_scope", span_text(status.blind_scope));
}

/* Groups and channels of policies whose members are not known, or that are worth a look. */
static void add_names(struct json *slack, const struct app *app)
{
    struct directory_trouble troubles[SLACK_TROUBLE_COUNT_MAX];
    size_t count = directory_troubles(app->directory, troubles, SLACK_TROUBLE_COUNT_MAX);
    struct json *list = json_add_array(slack, "names");

    for (size_t i = 0; i < count; i++) {
        struct json *node = json_add_object(list, NULL);

        json_add_text(node, "id", troubles[i].id);
        json_add_text(node, "word", troubles[i].word);
        json_add_text(node, "scope", troubles[i].needed);
        json_add_bool(node, "works", troubles[i].works);
    }
}

static void add_slack(struct json *object, struct app *app)
{
    static const char *const states[] = {
        [WEBAPI_UP] = "up", [WEBAPI_DOWN] = "unreachable", [WEBAPI_DEAD] = "refused"};
    struct json *slack = json_add_object(object, "slack");
    struct directory_identity identity;
    struct webapi_status status;

    if (app->webapi == NULL) {
        json_add_text(slack, "state", SPAN_LITERAL("unused"));
        return;
    }
    json_add_text(slack, "state", span_text(states[slack_state(app, &status)]));
    json_add_text(slack, "error", span_text(status.error));
    json_add_text(slack, "missing_scope", span_text(status.missing_scope));
    json_add_u64(slack, "waiting", status.waiting_count);
    if (status.skew_known) {
        json_add_i64(slack, "skew_s", status.skew_s);
    } else {
        json_add_null(slack, "skew_s");
    }
    add_breaker(slack, &status);
    add_cards(slack, app);
    directory_identity(app->directory, &identity);
    json_add_bool(slack, "team_mismatch", identity.mismatch);
    json_add_text(slack, "team", identity.team);
    json_add_text(slack, "bot_user", identity.bot_user);
    add_names(slack, app);
    add_transports(slack, app);
}

static const char *role_word(const struct app *app)
{
    if (!app_pair_is_paired(app)) {
        return app->serving == APP_RESTING ? "idle" : "primary";
    }
    return pair_role_word(app);
}

static void add_pair(struct json *object, struct app *app)
{
    const struct contract_summary *summary = app_pair_summary(app);
    struct json *pair = json_add_object(object, "pair");
    struct storage_pair_status status;

    storage_pair_status(app->storage, &status);
    json_add_text(pair, "phase", span_text(status.phase));
    json_add_u64(pair, "promised", status.promised);
    json_add_bool(pair, "peer_required", status.peer_required);
    json_add_bool(pair, "link_up", status.link.up);
    json_add_bool(pair, "link_silent", status.link.silent);
    json_add_bool(pair, "in_sync", status.link.in_sync);
    json_add_u64(pair, "lag_records", status.lag_lsn);
    json_add_u64(pair, "lag_ms", status.lag_ms);
    json_add_u64(pair, "sent_bytes", status.sent_size);
    json_add_u64(pair, "received_bytes", status.received_size);
    json_add_u64(pair, "snapshots", status.snapshot_count);
    if (status.snapshot_refused[0] != '\0') {
        json_add_text(pair, "snapshot_refused", span_text(status.snapshot_refused));
        json_add_u64(pair, "snapshot_retry_ms", status.snapshot_retry_ms);
    }
    if (summary != NULL) {
        json_add_bool(pair, "unprotected", summary->unprotected);
        json_add_bool(pair, "arbiter_down", summary->arbiter_down);
        json_add_bool(pair, "virtual_ip_here", summary->vip_here);
        json_add_text(pair, "last_change", span_text(summary->reason));
    }
    app_pair_secrets(app, pair);
}

/* Which configuration is in force; the file's own unless that was broken at the start. */
static void add_config(struct json *object, const struct app *app)
{
    const struct lastgood *last_good = config_last_good(app->config);
    struct json *config = json_add_object(object, "config");

    json_add_text(config, "file", span_text(config_file(app->config)));
    json_add_bool(config, "last_good", last_good->kept_ms != 0);
    add_time(config, "kept_at", last_good->kept_ms);
    json_add_text(config, "reason", span_text(last_good->why.message));
}

static void add_crash(struct json *object, const struct app *app)
{
    struct json *crash = json_add_object(object, "crash");

    json_add_u64(crash, "reports", app->crash.count);
    json_add_u64(crash, "age_s", crash_age_s(&app->crash));
    add_time(crash, "last_at", app->crash.newest_s * 1000);
    json_add_text(crash, "last", span_text(app->crash.name));
    json_add_text(crash, "signal", span_text(app->crash.signal));
    json_add_text(crash, "at", span_text(app->crash.frame));
}

void app_status(void *arg, struct json *object)
{
    struct app *app = arg;
    const char *why = "";
    bool ready = app_ready(app, &why);

    json_add_text(object, "version", SPAN_LITERAL(PACKAGE_VERSION));
    json_add_text(object, "role", span_text(role_word(app)));
    json_add_bool(object, "ready", ready);
    json_add_text(object, "why", span_text(ready ? "" : why));
    json_add_u64(object, "uptime_s", (clock_boot_ms(clock_host()) - app->started_ms) / 1000);
    add_storage(object, app);
    if (app_pair_is_paired(app)) {
        add_pair(object, app);
    }
    add_config(object, app);
    add_crash(object, app);
    add_counts(object, app);
    add_slack(object, app);
    app_listen_status(app, object);
}
