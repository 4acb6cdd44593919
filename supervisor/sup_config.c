/* SPDX-License-Identifier: Apache-2.0 */
/* sup_config.c: the options of the supervisor.
 * Owns the table and the rules between options. Never reads a key or certificate: approvald and the
 * arbiter's client do. */
#include "supervisor/sup_config.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/lastgood.h"
#include "base/mem.h"
#include "supervisor/arbiter/arbiter.h"
#include "supervisor/limits.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define PATH_MAX_TEXT (CONTRACT_PATH_SIZE - 1)

static const struct conf_option options[] = {
    {"", "state_dir", CONF_TEXT, "/var/lib/approvald-supervisor", 1, PATH_MAX_TEXT - 16, NULL,
     "Directory of what the supervisor has to remember; its user's alone, mode 0700."},
    {"", "run_dir", CONF_TEXT, "/run/approvald", 1, 80, NULL,
     "Directory on a tmpfs for the control socket, the track file and keepalived's FIFO."},
    {"", "program", CONF_TEXT, PKGSBINDIR "/approvald", 1, PATH_MAX_TEXT, NULL,
     "The service that is kept alive."},
    {"", "config", CONF_TEXT, PKGSYSCONFDIR "/approvald.conf", 1, PATH_MAX_TEXT, NULL,
     "The service's own configuration."},
    {"", "user", CONF_TEXT, "approvald", 0, 32, NULL,
     "The user as whom the service runs, without privileges; its group gets the local socket. What "
     "the packages install is for approvald. Empty: the supervisor's own user."},
    {"", "log_level", CONF_CHOICE, "info", 0, 0, "debug info warning error",
     "The least severe events that are logged."},
    {"", "log_target", CONF_CHOICE, "auto", 0, 0, "auto journal json text",
     "Where events go: the journal's fields, JSON lines or text on standard error; auto: the "
     "journal when standard error leads there."},

    {"pair", "host", CONF_NUMBER, "0", 0, HOST_COUNT, NULL,
     "This host's number, 1 or 2; 0: a single host, no pair."},
    {"pair", "cluster_id", CONF_TEXT, "", 0, 2UL * REGISTER_ID_SIZE, NULL,
     "32 hexadecimal digits, the same on both hosts and of no other pair."},
    {"pair", "listen", CONF_TEXT, "", 0, SUP_ADDRESS_SIZE - 16, NULL,
     "Host 1: address:port on which the link from host 2 is taken."},
    {"pair", "peer", CONF_TEXT, "", 0, PATH_MAX_TEXT, NULL,
     "Host 2: address:port of host 1's link."},
    {"pair", "peer_name", CONF_TEXT, "", 0, PATH_MAX_TEXT, NULL,
     "The name in the peer's certificate."},
    {"pair", "certificate", CONF_TEXT, "", 0, PATH_MAX_TEXT, NULL,
     "PEM file: this host's certificate, of the pair's own CA."},
    {"pair", "key", CONF_TEXT, "", 0, PATH_MAX_TEXT, NULL,
     "PEM file: its private key, readable to the service's user."},
    {"pair", "ca", CONF_TEXT, "", 0, PATH_MAX_TEXT, NULL, "PEM file: the pair's own CA."},
    {"pair", "ping", CONF_DURATION, "50ms", 10, 10000, NULL,
     "Time between two signs of life over the link."},
    {"pair", "silence", CONF_DURATION, "300ms", 50, 60000, NULL,
     "A peer from which nothing came for so long is silent."},
    {"pair", "bias", CONF_DURATION, "250ms", 10, 60000, NULL,
     "A standby waits so much longer than the primary before it takes over."},
    {"pair", "evict", CONF_DURATION, "1s", 100, 60000, NULL,
     "A standby whose acknowledgement is owed for so long is slow, and left behind."},
    {"pair", "hold_down", CONF_DURATION, "5s", 0, 3600000, NULL,
     "A standby that was left behind is taken in again after so long at the earliest."},
    {"pair", "start_wait", CONF_DURATION, "3s", 100, 600000, NULL,
     "After a start a peer in the ISR is waited for so long."},
    {"pair", "handover", CONF_DURATION, "3s", 500, 60000, NULL,
     "A planned handover that has not happened by then is given up."},
    {"pair", "protection", CONF_CHOICE, "available", 0, 0, "available strict",
     "available: one host alone goes on, with an alarm; strict: one host alone answers nothing "
     "(503), "
     "also after a takeover, until the other one is in sync."},

    {"arbiter", "kind", CONF_CHOICE, "none", 0, 0, "none etcd manual fence",
     "Who keeps the register: etcd on a third box; manual: both hosts, an operator in doubt; "
     "fence: both hosts, in doubt the other one is switched off; none: a single host."},
    {"arbiter", "endpoints", CONF_LIST, "", 0, ARBITER_ENDPOINT_COUNT_MAX, NULL,
     "URLs of etcd, https://host:port."},
    {"arbiter", "certificate", CONF_TEXT, "", 0, PATH_MAX_TEXT, NULL,
     "PEM file: the certificate shown to etcd."},
    {"arbiter", "key", CONF_TEXT, "", 0, PATH_MAX_TEXT, NULL,
     "PEM file: its private key, readable to the supervisor's user."},
    {"arbiter", "ca", CONF_TEXT, "", 0, PATH_MAX_TEXT, NULL, "PEM file: etcd's CA."},
    {"arbiter", "user_file", CONF_TEXT, "", 0, PATH_MAX_TEXT, NULL,
     "File with NAME:PASSWORD, one line of at most 511 bytes; empty: etcd asks for none."},
    {"arbiter", "prefix", CONF_TEXT, "/approvald/", 1, 128, NULL,
     "What the register's key begins with; the cluster id follows."},

    {"fence", "devices", CONF_LIST, "peer", 0, FENCE_DEVICE_COUNT_MAX, NULL,
     "Names of the devices that switch the other host off, one for each of its power supplies; "
     "what each is stands in the file /etc/approvald/fence/NAME."},
    {"fence", "socket", CONF_TEXT, "/run/approvald-fence.sock", 1, 100, NULL,
     "Where the helper listens that runs fence agents."},
    {"fence", "wait", CONF_DURATION, "2s", 0, 600000, NULL,
     "A link that is back within this ends it."},
    {"fence", "leave", CONF_DURATION, "2m", 0, 3600000, NULL,
     "The same of a host that has said that it is being stopped: a restart or a reboot."},
    {"fence", "delay", CONF_DURATION, "8s", 0, 600000, NULL,
     "The host that does not lead waits so much longer: longer than the other one's device needs "
     "to switch this host off."},
    {"fence", "timeout", CONF_DURATION, "40s", 1000, 600000, NULL,
     "A device that has not answered by then has failed; longer than the helper's own limit."},
    {"fence", "pause", CONF_DURATION, "5s", 1000, FENCE_PAUSE_MS_MAX, NULL,
     "Between two attempts; each further pause is twice as long, up to a minute."},
    {"fence", "monitor", CONF_DURATION, "60s", 1000, 3600000, NULL,
     "Between two looks at the devices while the other host is well."},

    {"vip", "address", CONF_TEXT, "", 0, 64, NULL,
     "The virtual IP with its prefix, 192.0.2.10/24; empty: none."},
    {"vip", "interface", CONF_TEXT, "", 0, 15, NULL, "The network interface that carries it."},
    {"vip", "router_id", CONF_NUMBER, "0", 0, 255, NULL,
     "VRRP's virtual router id, 1 to 255, not used by another pair of the network."},
    {"vip", "instance", CONF_TEXT, "approvald", 1, 32, NULL, "Name of keepalived's instance."},
    {"vip", "track_file", CONF_TEXT, "/run/approvald/vip-eligible", 1, 100, NULL,
     "keepalived's track file: 1 while this host may hold the virtual IP. Elsewhere than in "
     "run_dir its folder has to be the supervisor's user's, and the unit needs a ReadWritePaths=."},
    {"vip", "fifo", CONF_TEXT, "/run/approvald/keepalived.fifo", 1, 100, NULL,
     "keepalived's notify FIFO."},
    {"vip", "unicast", CONF_BOOL, "true", 0, 0, NULL,
     "VRRP to the peer's address; false: multicast."},
    {"vip", "own_address", CONF_TEXT, "", 0, 45, NULL, "This host's address for VRRP."},
    {"vip", "peer_address", CONF_TEXT, "", 0, 45, NULL, "The peer's address for VRRP."},

    {"watchdog", "device", CONF_TEXT, "", 0, PATH_MAX_TEXT, NULL,
     "The hardware watchdog, /dev/watchdog; empty: none."},
    {"watchdog", "timeout", CONF_DURATION, "15s", 2000, 600000, NULL,
     "A host that hangs for so long is reset."},

    {"child", "start", CONF_DURATION, "120s", 100, 3600000, NULL,
     "The service has to be up within this; it reads its log meanwhile."},
    {"child", "lead", CONF_DURATION, "30s", 100, 3600000, NULL,
     "A service that is to lead has to answer within this; else the other host leads."},
    {"child", "stop", CONF_DURATION, "15s", 100, 600000, NULL,
     "A service asked to stop is killed after this."},
    {"child", "checkin", CONF_DURATION, "2s", 100, 60000, NULL,
     "A task of the service that makes no turn for so long hangs, and the service is killed."},
    {"child", "backoff", CONF_DURATION, "200ms", 10, 60000, NULL,
     "Pause before the second restart in a row; each further one doubles it."},
    {"child", "backoff_max", CONF_DURATION, "10s", 10, 600000, NULL, "The longest pause."},
    {"child", "crashes", CONF_NUMBER, "5", 1, WATCH_CRASH_COUNT, NULL,
     "So many crashes within crash_window are a crash loop: this host leaves the lead."},
    {"child", "crash_window", CONF_DURATION, "60s", 1000, 3600000, NULL, "See crashes."},
    {"child", "quiet", CONF_DURATION, "10m", 1000, 86400000, NULL,
     "After so long without a crash the host may lead again."},
    {NULL, NULL, CONF_TEXT, NULL, 0, 0, NULL, NULL},
};

/* What a reload may change; everything else needs a start. */
static const struct {
    const char *section;
    const char *name;
} free_options[] = {
    {"", "log_level"},         {"child", "start"},   {"child", "stop"},        {"child", "lead"},
    {"child", "checkin"},      {"child", "backoff"}, {"child", "backoff_max"}, {"child", "crashes"},
    {"child", "crash_window"}, {"child", "quiet"},
};

struct sup_config {
    struct conf *conf; /* owned */
    uint8_t cluster_id[REGISTER_ID_SIZE];
    struct lastgood last_good; /* all zero: the file itself is used */
    const char *kept_at;       /* borrowed; NULL: it is not kept */
    bool kept;
};

const struct conf_schema *sup_config_schema(void)
{
    static const char *const titled[] = {NULL};
    static const struct conf_schema schema = {
        .options = options, .titled = titled, .section_count_max = 1};

    return &schema;
}

const struct conf *sup_config_conf(const struct sup_config *config)
{
    return config->conf;
}

const char *sup_config_text(const struct sup_config *config, const char *section, const char *name)
{
    return conf_text(conf_section(config->conf, section), name);
}

uint64_t sup_config_number(const struct sup_config *config, const char *section, const char *name)
{
    return conf_number(conf_section(config->conf, section), name);
}

bool sup_config_bool(const struct sup_config *config, const char *section, const char *name)
{
    return conf_bool(conf_section(config->conf, section), name);
}

bool sup_config_has_pair(const struct sup_config *config)
{
    return sup_config_number(config, "pair", "host") != 0;
}

bool sup_config_has_vip(const struct sup_config *config)
{
    return sup_config_text(config, "vip", "address")[0] != '\0';
}

bool sup_config_is_strict(const struct sup_config *config)
{
    return sup_config_has_pair(config) &&
           strcmp(sup_config_text(config, "pair", "protection"), "strict") == 0;
}

uint8_t sup_config_host(const struct sup_config *config)
{
    return sup_config_has_pair(config) ? (uint8_t)sup_config_number(config, "pair", "host") : 1;
}

/* Every text named is given. */
static enum err_code check_given(const struct sup_config *config,
                                 const char *section,
                                 const char *const *names,
                                 struct err *err)
{
    for (; *names != NULL; names++) {
        if (sup_config_text(config, section, *names)[0] == '\0') {
            return err_set(err, ERR_INVALID, "%s: %s: %s has to be given",
                           conf_where(conf_section(config->conf, section)), section, *names);
        }
    }
    return ERR_OK;
}

static uint64_t pair_ms(const struct sup_config *config, const char *name)
{
    return sup_config_number(config, "pair", name);
}

/* Rule H: the four times hang together, else a healthy peer is thrown out, or both hosts reach for
 * the register at the same moment. */
static enum err_code check_times(const struct sup_config *config, struct err *err)
{
    const char *where = conf_where(conf_section(config->conf, "pair"));
    uint64_t ping = pair_ms(config, "ping");
    uint64_t silence = pair_ms(config, "silence");
    uint64_t bias = pair_ms(config, "bias");
    uint64_t evict = pair_ms(config, "evict");

    if (silence < 3 * ping) {
        return err_set(err, ERR_INVALID,
                       "%s: pair: silence (%" PRIu64 " ms) has to be at least three times ping "
                       "(%" PRIu64 " ms): one lost packet is no silence",
                       where, silence, ping);
    }
    if (bias < 2 * ping) {
        return err_set(err, ERR_INVALID,
                       "%s: pair: bias (%" PRIu64 " ms) has to be at least twice ping (%" PRIu64
                       " ms): the primary notices a broken link up to one ping later, and goes "
                       "first",
                       where, bias, ping);
    }
    if (evict <= silence) {
        return err_set(err, ERR_INVALID,
                       "%s: pair: evict (%" PRIu64 " ms) has to be longer than silence (%" PRIu64
                       " ms): a peer that is gone is not slow",
                       where, evict, silence);
    }
    if (pair_ms(config, "start_wait") < silence + bias) {
        return err_set(err, ERR_INVALID,
                       "%s: pair: start_wait (%" PRIu64 " ms) has to be at least silence and bias "
                       "together (%" PRIu64 " ms)",
                       where, pair_ms(config, "start_wait"), silence + bias);
    }
    return ERR_OK;
}

static enum err_code check_pair(struct sup_config *config, struct err *err)
{
    static const char *const both[] = {"cluster_id", "peer_name", "certificate", "key", "ca", NULL};
    static const char *const first[] = {"listen", NULL};
    static const char *const second[] = {"peer", NULL};
    enum err_code rc = check_given(config, "pair", both, err);

    if (rc == ERR_OK) {
        rc = check_given(config, "pair", sup_config_host(config) == 1 ? first : second, err);
    }
    if (rc == ERR_OK && !crypto_unhex(span_text(sup_config_text(config, "pair", "cluster_id")),
                                      config->cluster_id, REGISTER_ID_SIZE)) {
        return err_set(err, ERR_INVALID, "%s: pair: cluster_id has to be 32 hexadecimal digits",
                       conf_where(conf_section(config->conf, "pair")));
    }
    return rc == ERR_OK ? check_times(config, err) : rc;
}

static enum err_code check_arbiter(const struct sup_config *config, struct err *err)
{
    static const char *const etcd[] = {"certificate", "key", "ca", NULL};
    const struct conf_section *arbiter = conf_section(config->conf, "arbiter");
    const char *kind = conf_text(arbiter, "kind");
    bool none = strcmp(kind, "none") == 0;

    if (none == sup_config_has_pair(config)) {
        /* A section that is not there has no line: name the one that is. */
        return err_set(err, ERR_INVALID, "%s: arbiter: kind %s: %s",
                       conf_where(none ? conf_section(config->conf, "pair") : arbiter), kind,
                       none ? "a pair needs etcd, manual or fence" : "a single host needs none");
    }
    if (strcmp(kind, "fence") == 0) {
        return sup_config_check_fence(config, err);
    }
    if (strcmp(kind, "etcd") != 0) {
        return ERR_OK;
    }
    if (conf_list_count(arbiter, "endpoints") == 0) {
        return err_set(err, ERR_INVALID, "%s: arbiter: endpoints have to be given",
                       conf_where(arbiter));
    }
    return check_given(config, "arbiter", etcd, err);
}

static enum err_code check_vip(const struct sup_config *config, struct err *err)
{
    static const char *const always[] = {"interface", NULL};
    static const char *const unicast[] = {"own_address", "peer_address", NULL};
    const struct conf_section *vip = conf_section(config->conf, "vip");
    enum err_code rc;

    if (!sup_config_has_vip(config)) {
        return ERR_OK;
    }
    if (conf_number(vip, "router_id") == 0) {
        return err_set(err, ERR_INVALID, "%s: vip: router_id has to be given", conf_where(vip));
    }
    if (strchr(conf_text(vip, "address"), '/') == NULL) {
        return err_set(err, ERR_INVALID, "%s: vip: address needs its prefix, as 192.0.2.10/24",
                       conf_where(vip));
    }
    rc = check_given(config, "vip", always, err);
    if (rc == ERR_OK && conf_bool(vip, "unicast")) {
        rc = check_given(config, "vip", unicast, err);
    }
    return rc;
}

static enum err_code check_child(const struct sup_config *config, struct err *err)
{
    const struct conf_section *child = conf_section(config->conf, "child");

    if (conf_number(child, "backoff") > conf_number(child, "backoff_max")) {
        return err_set(err, ERR_INVALID, "%s: child: backoff is longer than backoff_max",
                       conf_where(child));
    }
    return ERR_OK;
}

static enum err_code check(struct sup_config *config, struct err *err)
{
    enum err_code rc = check_arbiter(config, err);

    if (rc == ERR_OK && sup_config_has_pair(config)) {
        rc = check_pair(config, err);
    }
    if (rc == ERR_OK) {
        rc = check_vip(config, err);
    }
    return rc == ERR_OK ? check_child(config, err) : rc;
}

static enum err_code new_config(struct sup_config **ret_config, struct err *err)
{
    *ret_config = mem_new(1, sizeof(**ret_config));
    return *ret_config == NULL ? err_set(err, ERR_NOMEM, "configuration") : ERR_OK;
}

static enum err_code hand_over(struct sup_config *config_take,
                               enum err_code rc,
                               struct sup_config **ret_config,
                               struct err *err)
{
    if (rc == ERR_OK) {
        rc = check(config_take, err);
    }
    if (rc != ERR_OK) {
        sup_config_free(config_take);
        return rc;
    }
    *ret_config = config_take;
    return ERR_OK;
}

enum err_code sup_config_load(const char *file, struct sup_config **ret_config, struct err *err)
{
    struct sup_config *config = NULL;
    enum err_code rc = new_config(&config, err);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = conf_load(sup_config_schema(), file, &config->conf, err);
    return hand_over(config, rc, ret_config, err);
}

enum err_code sup_config_parse(const char *name,
                               const char *text,
                               struct sup_config **ret_config,
                               struct err *err)
{
    struct sup_config *config = NULL;
    enum err_code rc = new_config(&config, err);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = conf_parse(sup_config_schema(), name, text, &config->conf, err);
    return hand_over(config, rc, ret_config, err);
}

struct start {
    const char *file;
    struct sup_config *config; /* filled */
};

static enum err_code load_any(void *arg, const char *text, struct err *err)
{
    struct start *start = arg;

    return text == NULL ? sup_config_load(start->file, &start->config, err)
                        : sup_config_parse("last-known-good copy", text, &start->config, err);
}

enum err_code sup_config_start(const char *file,
                               const char *last_good,
                               struct sup_config **ret_config,
                               struct err *err)
{
    struct start start = {.file = file};
    struct lastgood used;
    enum err_code rc = lastgood_start(last_good, file, load_any, &start, &used, err);

    if (rc != ERR_OK) {
        return rc;
    }
    start.config->last_good = used;
    start.config->kept_at = last_good;
    *ret_config = start.config;
    return ERR_OK;
}

void sup_config_keep(struct sup_config *config, const char *file)
{
    if (config->last_good.kept_ms == 0 && !config->kept) {
        config->kept = true;
        lastgood_keep(config->kept_at, file, config->conf);
    }
}

void sup_config_keep_as(struct sup_config *config, const struct sup_config *old)
{
    config->kept_at = old->kept_at;
}

const struct lastgood *sup_config_last_good(const struct sup_config *config)
{
    return &config->last_good;
}

void sup_config_free(struct sup_config *config)
{
    if (config == NULL) {
        return;
    }
    if (config->conf != NULL) {
        conf_free(config->conf);
    }
    mem_free(config);
}

static uint32_t child_ms(const struct sup_config *config, const char *name)
{
    return (uint32_t)sup_config_number(config, "child", name); /* limits are below 2^32 */
}

void sup_config_watch(const struct sup_config *config, struct watch_options *ret_options)
{
    *ret_options = (struct watch_options){
        .start_ms = child_ms(config, "start"),
        .checkin_ms = child_ms(config, "checkin"),
        .stop_ms = child_ms(config, "stop"),
        .backoff_ms = child_ms(config, "backoff"),
        .backoff_ms_max = child_ms(config, "backoff_max"),
        .crash_count = child_ms(config, "crashes"),
        .crash_window_ms = child_ms(config, "crash_window"),
        .quiet_ms = child_ms(config, "quiet"),
    };
}

void sup_config_failover(const struct sup_config *config, struct failover_options *ret_options)
{
    bool etcd = strcmp(sup_config_text(config, "arbiter", "kind"), "etcd") == 0;
    uint32_t bias_ms = (uint32_t)pair_ms(config, "bias");

    *ret_options = (struct failover_options){
        .host = sup_config_host(config),
        .alone = !sup_config_has_pair(config),
        .linearizable = etcd,
        .fences = strcmp(sup_config_text(config, "arbiter", "kind"), "fence") == 0,
        .strict = sup_config_is_strict(config),
        .bias_ms = bias_ms,
        .start_wait_ms = (uint32_t)pair_ms(config, "start_wait"),
        .takeover_ms = (uint32_t)pair_ms(config, "start_wait"),
        .read_ms = ARBITER_TIMEOUT_MS_DEFAULT,
        .idle_read_ms = SUP_IDLE_READ_MS,
        .retry_ms = ARBITER_TIMEOUT_MS_DEFAULT,
        .handover_ms = (uint32_t)pair_ms(config, "handover"),
    };
    memcpy(ret_options->cluster_id, config->cluster_id, REGISTER_ID_SIZE);
}

static void set_path(char target[CONTRACT_PATH_SIZE], const char *text)
{
    (void)snprintf(target, CONTRACT_PATH_SIZE, "%s", text); /* the table keeps it shorter */
}

void sup_config_configure(const struct sup_config *config, struct contract_configure *ret_configure)
{
    memset(ret_configure, 0, sizeof(*ret_configure));
    ret_configure->mode = sup_config_has_pair(config) ? CONTRACT_PAIR : CONTRACT_ALONE;
    ret_configure->host = sup_config_host(config);
    ret_configure->strict = sup_config_is_strict(config);
    memcpy(ret_configure->cluster_id, config->cluster_id, CONTRACT_ID_SIZE);
    ret_configure->ping_ms = (uint32_t)pair_ms(config, "ping");
    ret_configure->silence_ms = (uint32_t)pair_ms(config, "silence");
    ret_configure->evict_ms = (uint32_t)pair_ms(config, "evict");
    ret_configure->hold_down_ms = (uint32_t)pair_ms(config, "hold_down");
    /* Four turns in the time in which one is needed: a late one is not a hang. */
    ret_configure->checkin_ms = child_ms(config, "checkin") / 4;
    set_path(ret_configure->peer, sup_config_text(config, "pair", "peer"));
    set_path(ret_configure->certificate, sup_config_text(config, "pair", "certificate"));
    set_path(ret_configure->key, sup_config_text(config, "pair", "key"));
    set_path(ret_configure->ca, sup_config_text(config, "pair", "ca"));
    set_path(ret_configure->peer_name, sup_config_text(config, "pair", "peer_name"));
}

static bool is_free(const struct conf_option *option)
{
    for (size_t i = 0; i < sizeof(free_options) / sizeof(free_options[0]); i++) {
        if (strcmp(free_options[i].section, option->section) == 0 &&
            strcmp(free_options[i].name, option->name) == 0) {
            return true;
        }
    }
    return false;
}

const char *sup_config_fixed_change(const struct sup_config *old, const struct sup_config *new)
{
    for (const struct conf_option *at = options; at->name != NULL; at++) {
        if (!is_free(at) && conf_differs(old->conf, new->conf, at->section, at->name)) {
            return at->name;
        }
    }
    return NULL;
}
