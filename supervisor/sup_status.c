/* SPDX-License-Identifier: Apache-2.0 */
/* sup_status.c: what is told about the supervisor: the operator's status, approvald's summary.
 * Owns the names of the status' fields. Never changes anything. */
#include <config.h>

#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/lastgood.h"
#include "base/text.h"
#include "supervisor/sup_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add_text(struct json *parent, const char *name, const char *text)
{
    json_add_text(parent, name, span_text(text));
}

static void add_id(struct json *parent, const char *name, const uint8_t id[REGISTER_ID_SIZE])
{
    char text[REGISTER_ID_SIZE * 2 + 1];

    crypto_hex(id, REGISTER_ID_SIZE, text);
    add_text(parent, name, text);
}

/* Random numbers of 64 bits are texts: JSON readers round above 2^53. */
static void add_hex(struct json *parent, const char *name, uint64_t number)
{
    char text[24];

    (void)snprintf(text, sizeof(text), "%016" PRIx64, number); /* fits */
    add_text(parent, name, text);
}

static void add_time(struct json *parent, const char *name, uint64_t wall_ms)
{
    char text[TEXT_TIME_SIZE];

    text_format_time(wall_ms, text);
    add_text(parent, name, text);
}

static void add_register(struct json *root, const struct failover_status *status)
{
    struct json *parent;
    struct json *isr;

    if (!status->register_known) {
        json_add_null(root, "register");
        return;
    }
    parent = json_add_object(root, "register");
    json_add_u64(parent, "epoch", status->value.epoch);
    json_add_u64(parent, "revision", status->revision);
    add_hex(parent, "lineage", status->value.lineage);
    json_add_u64(parent, "primary", status->value.primary);
    isr = json_add_array(parent, "isr");
    for (uint8_t host = 1; host <= HOST_COUNT; host++) {
        const struct register_member *member = &status->value.isr[host - 1];

        if (member->present) {
            struct json *entry = json_add_object(isr, NULL);

            json_add_u64(entry, "host", host);
            add_id(entry, "store", member->store_id);
        }
    }
    json_add_bool(parent, "cas_unresolved", status->cas_unresolved);
}

static const char *const alarm_words[FAILOVER_ALARM_COUNT] = {"unprotected", "arbiter_down",
                                                              "arbiter_wrong", "needs_operator"};

/* The supervisor's own disk, of which the failover core knows nothing. */
static void add_disk_alarm(struct json *alarms, const struct sup *sup)
{
    uint32_t hangs_s = sup_keep_hangs_s(sup);
    struct json *entry;
    char reason[80];

    if (hangs_s == 0) {
        return;
    }
    entry = json_add_object(alarms, NULL);
    (void)snprintf(reason, sizeof(reason), "state_dir: a save has waited for %" PRIu32 " s",
                   hangs_s); /* fits */
    add_text(entry, "alarm", "disk_hangs");
    add_text(entry, "reason", reason);
}

/* The file was broken at the start: what was changed in it is not in force. */
static void add_config_alarm(struct json *alarms, const struct sup *sup)
{
    const struct lastgood *last_good = sup_config_last_good(sup->config);
    struct json *entry;

    if (last_good->kept_ms == 0) {
        return;
    }
    entry = json_add_object(alarms, NULL);
    add_text(entry, "alarm", "config_broken");
    add_text(entry, "reason", last_good->why.message);
    add_time(entry, "kept_at", last_good->kept_ms);
}

/* keepalived's affair, but who asks does not reach this host. */
static void add_vip_alarm(struct json *alarms, const struct sup *sup)
{
    const char *why = sup_vip_wrong(sup);
    struct json *entry;
    char reason[200];

    if (why == NULL) {
        return;
    }
    entry = json_add_object(alarms, NULL);
    (void)snprintf(reason, sizeof(reason), "%s %s", sup_config_text(sup->config, "vip", "address"),
                   why); /* fits */
    add_text(entry, "alarm", "virtual_ip");
    add_text(entry, "reason", reason);
}

static void add_alarms(struct json *root, const struct sup *sup)
{
    struct json *parent = json_add_array(root, "alarms");

    for (size_t i = 0; i < FAILOVER_ALARM_COUNT; i++) {
        if (sup->alarms[i].on) {
            struct json *entry = json_add_object(parent, NULL);

            add_text(entry, "alarm", alarm_words[i]);
            add_text(entry, "reason", sup->alarms[i].reason);
        }
    }
    add_vip_alarm(parent, sup);
    add_disk_alarm(parent, sup);
    add_config_alarm(parent, sup);
}

static void add_link(struct json *root, const struct sup *sup)
{
    const struct contract_link *link = &sup->link;
    struct json *parent;

    if (!sup->link_known) {
        json_add_null(root, "link");
        return;
    }
    parent = json_add_object(root, "link");
    json_add_bool(parent, "up", link->up);
    json_add_bool(parent, "silent", link->silent);
    json_add_bool(parent, "in_sync", link->in_sync);
    json_add_bool(parent, "peer_leads", link->peer_leads);
    json_add_u64(parent, "peer_epoch", link->peer_epoch);
    json_add_u64(parent, "peer_last_epoch", link->peer_last_epoch);
    json_add_u64(parent, "peer_last_lsn", link->peer_last_lsn);
    add_hex(parent, "peer_lineage", link->peer_lineage);
    add_id(parent, "peer_store", link->peer_store_id);
    json_add_u64(parent, "lsn_last", link->lsn_last);
    json_add_u64(parent, "lsn_acked", link->lsn_acked);
    json_add_u64(parent, "lag",
                 link->lsn_last > link->lsn_acked ? link->lsn_last - link->lsn_acked : 0);
    json_add_u64(parent, "peer_promised", link->peer_promised);
    json_add_i64(parent, "clock_ahead_ms", link->clock_ahead_ms);
}

/* What the other supervisor said last. */
static void add_peer(struct json *root, const struct sup *sup)
{
    const struct digest *peer = &sup->peer;
    struct json *parent;
    struct json *alarms;

    if (sup->peer_ms == 0) {
        json_add_null(root, "peer");
        return;
    }
    parent = json_add_object(root, "peer");
    json_add_u64(parent, "age_ms", sup_now_ms() - sup->peer_ms);
    add_text(parent, "version", peer->version);
    add_text(parent, "role", failover_role_word(peer->role));
    json_add_bool(parent, "serving", peer->serving);
    json_add_bool(parent, "maintenance", peer->maintenance);
    json_add_bool(parent, "safe_mode", peer->safe_mode);
    json_add_u64(parent, "epoch", peer->epoch);
    json_add_u64(parent, "starts", peer->starts);
    json_add_bool(parent, "vip_here", peer->vip_here);
    add_text(parent, "vrrp", keepalived_word(peer->vrrp));
    if (peer->arbiter_known) {
        json_add_bool(parent, "arbiter_reachable", peer->arbiter_reachable);
        json_add_u64(parent, "arbiter_latency_ms", peer->arbiter_latency_ms);
    }
    alarms = json_add_array(parent, "alarms");
    for (size_t i = 0; i < FAILOVER_ALARM_COUNT; i++) {
        if (peer->alarms[i]) {
            add_text(json_add_object(alarms, NULL), "alarm", alarm_words[i]);
        }
    }
    add_text(parent, "reason", peer->reason);
}

/* For the doctor, which reads them as root. */
static void add_files(struct json *root, const struct sup *sup)
{
    static const char *const sections[] = {"pair", "arbiter"};
    static const char *const names[] = {"certificate", "key", "ca"};
    struct json *parent = json_add_object(root, "files");

    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
        struct json *section = json_add_object(parent, sections[i]);

        for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++) {
            add_text(section, names[j], sup_config_text(sup->config, sections[i], names[j]));
        }
    }
}

/* The other host's address, without a port: that of VRRP, or on host 2 that of the link. */
static void add_peer_address(struct json *root, const struct sup *sup)
{
    const char *given = sup_config_text(sup->config, "vip", "peer_address");
    const char *link = sup_config_text(sup->config, "pair", "peer");
    const char *colon = strrchr(link, ':');
    struct span host = span_of(link, colon == NULL ? 0 : (size_t)(colon - link));

    if (host.size > 2 && host.data[0] == '[') { /* [2001:db8::1]:port */
        host = span_of(host.data + 1, host.size - 2);
    }
    json_add_text(root, "peer_address", given[0] != '\0' ? span_text(given) : host);
}

static void add_times(struct json *root, const struct sup *sup)
{
    static const char *const names[] = {"ping", "silence", "bias", "evict", "hold_down"};
    struct json *parent = json_add_object(root, "times_ms");

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        json_add_u64(parent, names[i], sup_config_number(sup->config, "pair", names[i]));
    }
}

static void add_crashes(struct json *parent, const struct sup *sup)
{
    struct json *list = json_add_array(parent, "crashes");
    const struct watch_crash *crash;

    json_add_u64(parent, "crash_count", sup->watch.tally.count);
    for (size_t i = 0; (crash = watch_tally_at(&sup->watch.tally, i)) != NULL; i++) {
        struct json *entry = json_add_object(list, NULL);

        add_time(entry, "time", crash->wall_ms);
        add_text(entry, "cause", watch_cause_word(crash->cause));
        add_text(entry, "reason", crash->reason);
        json_add_i64(entry, "status", crash->status);
        json_add_bool(entry, "counts", crash->counts);
        if (crash->cause == WATCH_CAUSE_HANG) {
            add_text(entry, "task", watch_task_word(crash->task));
        }
    }
}

static void add_child(struct json *root, const struct sup *sup)
{
    struct json *parent = json_add_object(root, "child");

    add_text(parent, "state", watch_state_word(sup->watch.state));
    json_add_u64(parent, "pid", (uint64_t)sup->child.pid);
    json_add_u64(parent, "starts", sup->start_count);
    json_add_bool(parent, "safe_mode", sup->watch.safe);
    add_text(parent, "safe_reason", sup->watch.safe_reason);
    if (sup->up_known) {
        add_id(parent, "store", sup->up.store_id);
        json_add_u64(parent, "last_epoch", sup->up.last_epoch);
        json_add_u64(parent, "last_lsn", sup->up.last_lsn);
        json_add_u64(parent, "promised", sup->up.promised);
    }
    add_crashes(parent, sup);
}

static void add_arbiter(struct json *root, const struct sup *sup)
{
    struct arbiter_status status;
    struct json *parent;

    if (sup->arbiter == NULL) {
        json_add_null(root, "arbiter");
        return;
    }
    arbiter_status(sup->arbiter, &status);
    parent = json_add_object(root, "arbiter");
    add_text(parent, "kind", status.kind);
    add_text(parent, "place", status.place);
    json_add_bool(parent, "reachable", status.reachable);
    json_add_u64(parent, "latency_ms", status.latency_ms);
    add_text(parent, "problem", status.problem);
}

static void add_vip(struct json *root, const struct sup *sup)
{
    struct json *parent;

    if (sup->vip == NULL) {
        json_add_null(root, "vip");
        return;
    }
    parent = json_add_object(root, "vip");
    add_text(parent, "address", sup_config_text(sup->config, "vip", "address"));
    json_add_bool(parent, "here", vip_is_here(sup->vip));
    json_add_bool(parent, "eligible", sup->eligible);
    add_text(parent, "vrrp", keepalived_word(sup->vrrp));
    /* An address behind which nobody listens is a problem of it too. */
    add_text(parent, "problem",
             sup->vip_problem[0] == '\0' ? sup->listen_problem : sup->vip_problem);
}

static void add_watchdog(struct json *root, const struct sup *sup)
{
    struct json *parent = json_add_object(root, "watchdog");

    json_add_bool(parent, "armed", sup->watchdog != NULL);
    if (sup->watchdog != NULL) {
        json_add_u64(parent, "timeout_ms", watchdog_timeout_ms(sup->watchdog));
        json_add_bool(parent, "reset_before_boot", watchdog_has_reset(sup->watchdog));
    }
    add_text(parent, "problem", sup->watchdog_problem);
    add_text(parent, "before", memory_end_word(sup->last_end));
    json_add_bool(parent, "armed_before", sup->armed_before);
}

static void add_crash(struct json *root, const struct sup *sup)
{
    struct json *parent = json_add_object(root, "crash");

    json_add_u64(parent, "reports", sup->crash.count);
    json_add_u64(parent, "age_s", crash_age_s(&sup->crash));
    if (sup->crash.newest_s > 0) {
        add_time(parent, "last_at", sup->crash.newest_s * 1000);
    } else {
        json_add_null(parent, "last_at");
    }
    add_text(parent, "last", sup->crash.name);
    add_text(parent, "signal", sup->crash.signal);
    add_text(parent, "at", sup->crash.frame);
}

enum err_code sup_status(const struct sup *sup, struct buf *buf, struct err *err)
{
    AUTO_JSON struct json *root = json_new_object();
    struct failover_status status;

    failover_status(sup->failover, &status);
    json_add_bool(root, "ok", true);
    add_text(root, "version", PACKAGE_VERSION);
    json_add_u64(root, "host", sup_config_host(sup->config));
    json_add_bool(root, "pair", sup_config_has_pair(sup->config));
    add_text(root, "role", failover_role_word(status.role));
    json_add_bool(root, "serving", status.serving);
    json_add_bool(root, "listening", sup->serving_open && sup->listen_problem[0] == '\0');
    json_add_bool(root, "maintenance", status.maintenance);
    add_text(root, "reason", status.reason);
    json_add_u64(root, "changed_ms_ago",
                 status.changed_ms == 0 ? 0 : sup_now_ms() - status.changed_ms);
    add_text(root, "protection", sup_config_text(sup->config, "pair", "protection"));
    add_register(root, &status);
    add_alarms(root, sup);
    json_add_bool(root, "remembered", sup_is_saved(sup)); /* no save is under way */
    add_link(root, sup);
    add_peer(root, sup);
    add_times(root, sup);
    add_files(root, sup);
    add_peer_address(root, sup);
    add_arbiter(root, sup);
    sup_fence_status(root, sup);
    add_vip(root, sup);
    add_child(root, sup);
    add_watchdog(root, sup);
    add_crash(root, sup);
    return json_print(root, buf, err);
}

void sup_tell_summary(struct sup *sup)
{
    struct contract_message message = {.type = CONTRACT_SUMMARY};
    struct contract_summary *summary = &message.u.summary;
    struct failover_status status;
    uint8_t packet[CONTRACT_SIZE_MAX];
    size_t size;

    failover_status(sup->failover, &status);
    crash_note(CRASH_NOTE_ROLE, failover_role_word(status.role));
    summary->role = (uint8_t)status.role;
    summary->epoch = status.value.epoch;
    summary->lineage = status.value.lineage;
    summary->register_known = status.register_known;
    summary->unprotected = sup->alarms[FAILOVER_ALARM_UNPROTECTED].on;
    summary->arbiter_down = sup->alarms[FAILOVER_ALARM_ARBITER_DOWN].on;
    summary->arbiter_wrong = sup->alarms[FAILOVER_ALARM_ARBITER_WRONG].on;
    summary->needs_operator = sup->alarms[FAILOVER_ALARM_NEEDS_OPERATOR].on;
    summary->maintenance = status.maintenance;
    summary->safe_mode = sup->watch.safe;
    summary->vip_here = sup->vip != NULL && vip_is_here(sup->vip);
    summary->config_broken = sup_config_last_good(sup->config)->kept_ms != 0;
    summary->eligible = status.eligible;
    summary->start_count = sup->start_count;
    (void)snprintf(summary->reason, sizeof(summary->reason), "%s", status.reason); /* fits */
    sup_certificates_tell(sup, summary->ends_s);
    summary->disk_hangs = sup_keep_hangs_s(sup) != 0;
    summary->vip_wrong = sup_vip_wrong(sup) != NULL;
    size = contract_encode(&message, packet);
    if (sup->contract_fd >= 0 && memcmp(packet, sup->summary, size) != 0) {
        memcpy(sup->summary, packet, size);
        sup_send(sup, &message);
    }
}
