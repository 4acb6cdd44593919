/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_pair.c: the doctor's look at the pair: what the supervisor says of both hosts, what the
 * certificates' files say, what the kernel says of the way to the other host.
 * Owns the thresholds. Never asks the other host itself: what it does not tell is not known, and
 * said to be so. */
#include "approvald/ctl/doctor.h"

#include "approvald/ctl/show.h"
#include "approvald/ctl/supervisor.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/text.h"
#include "base/tls_peer.h"

#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define DAY_S            86400
#define CERT_WARN_S      (30 * (int64_t)DAY_S) /* a certificate of two hosts is renewed on both */
#define CLOCK_WARN_MS    2000   /* expiry times and logs of the two hosts begin to look odd */
#define CLOCK_FAIL_MS    120000 /* Slack's signatures are good for 300 s */
#define ARBITER_WARN_MS  250    /* a takeover takes so much longer */
#define SYNC_WARN_US     20000  /* every answer waits for the slower of two disks */
#define SYNC_FAIL_US     200000
#define SLACK_MS         3000 /* Slack waits so long for an answer */
#define MTU_MIN          1280
#define PEER_TOLD_MS_MAX 5000U
#define PATH_SIZE        512
#define WORD_SIZE        64
#define REASON_SIZE      256

static uint64_t number(const struct json *json, const char *path)
{
    uint64_t value = 0;

    (void)json_u64(json, path, &value); /* absent: 0 */
    return value;
}

static bool flag(const struct json *json, const char *path)
{
    return json_bool(json, path, false);
}

/* doctor_say escapes; this only ends the text. */
static const char *word(const struct json *json, const char *path, char *room, size_t size)
{
    struct span text = json_text(json, path);

    (void)snprintf(room, size, "%.*s", (int)(text.size < size ? text.size : size - 1),
                   text.data == NULL ? "" : text.data); /* cut is fine */
    return room;
}

static bool peer_told(const struct json *status)
{
    return json_is_object(json_get(status, "peer")) && flag(status, "link.up") &&
           number(status, "peer.age_ms") < PEER_TOLD_MS_MAX;
}

static void check_protection(struct doctor *doctor, const struct json *status)
{
    char mode[WORD_SIZE];

    word(status, "protection", mode, sizeof mode);
    if (!json_is_object(json_get(status, "register"))) {
        doctor_say(doctor, DOCTOR_FAIL,
                   "register: not read yet; a new pair: approvalctl pair bootstrap, on one host");
    } else if (show_pair_in_isr(status, 1) && show_pair_in_isr(status, 2) &&
               !show_pair_in_sync(status)) {
        doctor_say(doctor, DOCTOR_FAIL,
                   "protection: both hosts have to acknowledge, and are not in sync (%s): nothing "
                   "is answered until they are",
                   mode);
    } else if (show_pair_in_isr(status, 1) && show_pair_in_isr(status, 2)) {
        doctor_say(doctor, DOCTOR_OK, "protection: every answer is on both hosts (%s)", mode);
    } else {
        doctor_say(doctor, DOCTOR_FAIL,
                   "protection: host %d alone has every answer (%s): bring the other one back, it "
                   "catches up by itself",
                   show_pair_in_isr(status, 1) ? 1 : 2, mode);
    }
}

static void check_alarms(struct doctor *doctor, const struct json *status)
{
    const struct json *alarm = json_first(json_get(status, "alarms"));
    char name[WORD_SIZE];
    char reason[REASON_SIZE];

    for (; alarm != NULL; alarm = json_next(alarm)) {
        doctor_say(doctor, DOCTOR_FAIL, "alarm: %s: %s", word(alarm, "alarm", name, sizeof name),
                   word(alarm, "reason", reason, sizeof reason));
    }
    if (flag(status, "child.safe_mode")) {
        doctor_say(doctor, DOCTOR_FAIL,
                   "safe mode: %s: this host does not lead; then approvalctl safe-mode clear",
                   word(status, "child.safe_reason", reason, sizeof reason));
    }
    if (flag(status, "maintenance")) {
        doctor_say(doctor, DOCTOR_WARN,
                   "maintenance: this host takes over from nobody: approvalctl maintenance off");
    }
}

static void check_peer(struct doctor *doctor, const struct json *status)
{
    char ours[WORD_SIZE];
    char theirs[WORD_SIZE];

    if (!flag(status, "link.up")) {
        doctor_say(
            doctor, DOCTOR_FAIL,
            "other host: not connected: is it on, does its approvald run, is the port of the "
            "link open?");
        return;
    }
    if (!peer_told(status)) {
        doctor_say(doctor, DOCTOR_WARN, "other host: connected, but its supervisor says nothing");
        return;
    }
    doctor_say(doctor, DOCTOR_OK, "other host: connected, %s%s",
               word(status, "peer.role", theirs, sizeof theirs),
               flag(status, "peer.serving") ? ", serves" : "");
    if (flag(status, "peer.safe_mode")) {
        doctor_say(doctor, DOCTOR_FAIL, "other host: in safe mode: approvalctl doctor there");
    }
    if (flag(status, "peer.maintenance")) {
        doctor_say(doctor, DOCTOR_WARN, "other host: in maintenance, it takes over from nobody");
    }
    if (strcmp(word(status, "version", ours, sizeof ours),
               word(status, "peer.version", theirs, sizeof theirs)) != 0) {
        doctor_say(doctor, DOCTOR_WARN, "versions: %s here, %s there: finish the upgrade", ours,
                   theirs);
    }
}

static void check_clock(struct doctor *doctor, const struct json *status)
{
    int64_t ahead_ms = 0;
    uint64_t off_ms;
    enum doctor_mark mark = DOCTOR_OK;

    if (!flag(status, "link.up") || !json_i64(status, "link.clock_ahead_ms", &ahead_ms)) {
        return; /* the line about the other host has said so */
    }
    off_ms = (uint64_t)(ahead_ms < 0 ? -ahead_ms : ahead_ms);
    if (off_ms > CLOCK_WARN_MS) {
        mark = off_ms > CLOCK_FAIL_MS ? DOCTOR_FAIL : DOCTOR_WARN;
    }
    doctor_say(doctor, mark, "clocks: the two hosts differ by %" PRIu64 " ms%s", off_ms,
               mark == DOCTOR_OK ? "" : ": is NTP running on both?");
}

static void say_end(struct doctor *doctor, const char *what, const char *file, uint64_t end_s)
{
    int64_t left_s = (int64_t)end_s - show_now_s();

    if (left_s <= 0) {
        doctor_say(doctor, DOCTOR_FAIL, "%s: %s has ended: renew it", what, file);
    } else {
        doctor_say(doctor, left_s < CERT_WARN_S ? DOCTOR_WARN : DOCTOR_OK,
                   "%s: %s ends in %" PRId64 " days%s", what, file, left_s / DAY_S,
                   left_s < CERT_WARN_S ? ": renew it" : "");
    }
}

/* The certificate of one purpose ("pair", "arbiter") and the CA it is checked with. */
static void check_certificate(struct doctor *doctor, const struct json *status, const char *purpose)
{
    char certificate[PATH_SIZE];
    char key[PATH_SIZE];
    char ca[PATH_SIZE];
    char what[WORD_SIZE];
    const struct json *files = json_get(json_get(status, "files"), purpose);
    struct tls_identity_options options = {.side = TLS_SIDE_CLIENT,
                                           .certificate = certificate,
                                           .key = key,
                                           .ca = ca,
                                           .peer_name = "any"};
    struct tls_identity *identity = NULL;
    struct tls_validity validity;
    struct err err = ERR_INIT;

    word(files, "certificate", certificate, sizeof certificate);
    word(files, "key", key, sizeof key);
    word(files, "ca", ca, sizeof ca);
    if (certificate[0] == '\0') {
        return; /* none is configured: the manual arbiter, an etcd with a user alone */
    }
    if (tls_identity_new(&options, &identity, &err) != ERR_OK) {
        doctor_say(doctor, DOCTOR_FAIL, "certificate of the %s: %s", purpose, err.message);
        return;
    }
    tls_identity_validity(identity, &validity);
    tls_identity_free(identity);
    (void)snprintf(what, sizeof what, "certificate of the %s", purpose); /* fits */
    say_end(doctor, what, certificate, validity.not_after_s);
    (void)snprintf(what, sizeof what, "CA of the %s", purpose); /* fits */
    say_end(doctor, what, ca, validity.ca_not_after_s);
}

static void say_latency(struct doctor *doctor, const char *from, uint64_t latency_ms)
{
    bool slow = latency_ms > ARBITER_WARN_MS;

    doctor_say(doctor, slow ? DOCTOR_WARN : DOCTOR_OK, "arbiter: answers %s in %" PRIu64 " ms%s",
               from, latency_ms, slow ? ": a takeover takes so much longer" : "");
}

static void check_arbiter(struct doctor *doctor, const struct json *status)
{
    char problem[REASON_SIZE];

    if (!json_is_object(json_get(status, "arbiter"))) {
        return;
    }
    if (flag(status, "arbiter.reachable")) {
        say_latency(doctor, "this host", number(status, "arbiter.latency_ms"));
    } else {
        doctor_say(doctor, DOCTOR_FAIL,
                   "arbiter: does not answer this host: %s: no takeover is possible until it does",
                   word(status, "arbiter.problem", problem, sizeof problem));
    }
    if (!peer_told(status) || json_path(status, "peer.arbiter_reachable") == NULL) {
        doctor_say(doctor, DOCTOR_WARN,
                   "arbiter: whether the other host reaches it is not known here: approvalctl "
                   "doctor there");
    } else if (flag(status, "peer.arbiter_reachable")) {
        say_latency(doctor, "the other host", number(status, "peer.arbiter_latency_ms"));
    } else {
        doctor_say(doctor, DOCTOR_FAIL, "arbiter: does not answer the other host");
    }
}

/* What a device said last, at most fence.monitor ago: that it will do is known before it has to. */
static void check_device(struct doctor *doctor, const struct json *device)
{
    char name[WORD_SIZE];
    char problem[REASON_SIZE];
    char says[WORD_SIZE];

    word(device, "name", name, sizeof name);
    if (!flag(device, "known")) {
        doctor_say(doctor, DOCTOR_WARN, "fence: %s has not been asked yet: try again", name);
    } else if (word(device, "problem", problem, sizeof problem)[0] != '\0') {
        doctor_say(doctor, DOCTOR_FAIL, "fence: %s: %s: no takeover by itself until it answers",
                   name, problem);
    } else {
        doctor_say(doctor, flag(device, "believed") ? DOCTOR_OK : DOCTOR_WARN,
                   "fence: %s said %" PRIu64 " s ago that the other host is %s%s", name,
                   number(device, "age_ms") / 1000, word(device, "says", says, sizeof says),
                   flag(device, "believed")
                       ? ""
                       : ": it is used only when it has said on of a host that is heard");
    }
}

static void check_fence(struct doctor *doctor, const struct json *status)
{
    const struct json *device = json_first(json_path(status, "fence.devices"));
    char problem[REASON_SIZE];

    if (device != NULL && word(status, "fence.problem", problem, sizeof problem)[0] != '\0') {
        doctor_say(doctor, DOCTOR_FAIL, "fence: %s", problem);
    }
    for (; device != NULL; device = json_next(device)) {
        check_device(doctor, device);
    }
}

static void check_vrrp(struct doctor *doctor, const struct json *status)
{
    bool here = flag(status, "vip.here");
    bool there = peer_told(status) && flag(status, "peer.vip_here");
    bool serving = flag(status, "serving");
    char problem[REASON_SIZE];
    char vrrp[WORD_SIZE];

    if (!json_is_object(json_get(status, "vip"))) {
        return;
    }
    word(status, "vip.vrrp", vrrp, sizeof vrrp);
    if (word(status, "vip.problem", problem, sizeof problem)[0] != '\0') {
        doctor_say(doctor, DOCTOR_FAIL, "virtual IP: %s", problem);
    }
    if (strcmp(vrrp, "unknown") == 0) {
        doctor_say(
            doctor, DOCTOR_WARN,
            "VRRP: keepalived has told nothing since the start: systemctl status keepalived, "
            "and is its file from approvalctl keepalived-config?");
    } else {
        doctor_say(doctor, DOCTOR_OK, "VRRP: keepalived says %s", vrrp);
    }
    if (here && there) {
        doctor_say(doctor, DOCTOR_FAIL,
                   "virtual IP: on both hosts: their VRRP packets do not arrive (protocol 112)");
    } else if (serving && !here) {
        doctor_say(doctor, DOCTOR_FAIL, "virtual IP: not here, although this host serves");
    } else if (!here && !there && peer_told(status)) {
        doctor_say(doctor, DOCTOR_FAIL, "virtual IP: on neither host");
    } else {
        doctor_say(doctor, DOCTOR_OK, "virtual IP: %s", here ? "here" : "not here");
    }
}

/* What the kernel knows of the way to an address without a port; 0: nothing. */
static int path_mtu(const char *address)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    socklen_t size = sizeof(int);
    int mtu = 0;
    int fd;

    if (getaddrinfo(address, "9", &hints, &found) != 0) {
        return 0;
    }
    fd = socket(found->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen) != 0 ||
        getsockopt(fd, found->ai_family == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP,
                   found->ai_family == AF_INET6 ? IPV6_MTU : IP_MTU, &mtu, &size) != 0) {
        mtu = 0;
    }
    if (fd >= 0) {
        (void)close(fd); /* nothing was sent */
    }
    freeaddrinfo(found);
    return mtu;
}

static void check_mtu(struct doctor *doctor, const struct json *status)
{
    char address[WORD_SIZE];
    int mtu;

    word(status, "peer_address", address, sizeof address);
    mtu = address[0] == '\0' ? 0 : path_mtu(address);
    if (mtu == 0) {
        doctor_say(doctor, DOCTOR_OK,
                   "MTU: not known here: no address of the other host is configured (vip: "
                   "peer_address)");
    } else {
        doctor_say(doctor, mtu < MTU_MIN ? DOCTOR_WARN : DOCTOR_OK,
                   "MTU: %d to %s, as far as the kernel has found out", mtu, address);
    }
}

static void check_sync(struct doctor *doctor, const struct json *status, const struct json *own)
{
    uint64_t mean_us = number(own, "storage.sync_us_mean");
    uint64_t max_us = number(own, "storage.sync_us_max");
    uint64_t evict_us = number(status, "times_ms.evict") * 1000;
    enum doctor_mark mark = DOCTOR_OK;

    if (own == NULL) {
        return;
    }
    if (mean_us > SYNC_WARN_US || (evict_us > 0 && max_us > evict_us / 2)) {
        mark = mean_us > SYNC_FAIL_US ? DOCTOR_FAIL : DOCTOR_WARN;
    }
    doctor_say(doctor, mark,
               "disk: an fdatasync takes %" PRIu64 ".%" PRIu64 " ms, the longest %" PRIu64 " ms%s",
               mean_us / 1000, mean_us % 1000 / 100, max_us / 1000,
               mark == DOCTOR_OK ? ""
                                 : ": every answer waits for it, and a slow standby is left "
                                   "behind");
}

/* What hurts after a failover, and only then. */
static void check_secrets(struct doctor *doctor, const struct json *own)
{
    const struct json *secret = json_first(json_path(own, "pair.secrets"));
    char option[WORD_SIZE];

    if (secret != NULL && !show_secrets_known(own) && flag(own, "pair.link_up")) {
        doctor_say(doctor, DOCTOR_WARN,
                   "secrets: the other host has not said which it has: an older version, or it has "
                   "just come");
    } else if (secret != NULL && show_secrets_agree(own) && flag(own, "pair.link_up")) {
        doctor_say(doctor, DOCTOR_OK, "secrets: the same on both hosts");
    }
    for (; secret != NULL; secret = json_next(secret)) {
        const char *problem = show_secret_problem(secret);

        if (problem != NULL) {
            doctor_say(doctor, DOCTOR_FAIL,
                       "secrets: %s %s, which hurts after a failover: change the standby's file, "
                       "then systemctl reload approvald-supervisor there",
                       word(secret, "option", option, sizeof option), problem);
        }
    }
}

static void check_times(struct doctor *doctor, const struct json *status)
{
    uint64_t ping = number(status, "times_ms.ping");
    uint64_t silence = number(status, "times_ms.silence");
    uint64_t bias = number(status, "times_ms.bias");
    uint64_t evict = number(status, "times_ms.evict");
    bool fit = silence >= 3 * ping && bias >= 2 * ping && evict >= silence &&
               silence + bias < SLACK_MS && evict < SLACK_MS;

    doctor_say(doctor, fit ? DOCTOR_OK : DOCTOR_WARN,
               "times: ping %" PRIu64 ", silence %" PRIu64 ", bias %" PRIu64 ", evict %" PRIu64
               " ms: a takeover begins after %" PRIu64 " ms%s",
               ping, silence, bias, evict, silence + bias,
               fit ? "" : "; Slack waits for 3 s in all: see supervisor.conf");
}

static void check_agreement(struct doctor *doctor, const struct json *status)
{
    char ours[WORD_SIZE];
    char theirs[WORD_SIZE];
    uint64_t epoch = number(status, "register.epoch");
    uint64_t promised = number(status, "child.promised");
    bool up = flag(status, "link.up");

    if (!json_is_object(json_get(status, "register"))) {
        return;
    }
    word(status, "register.lineage", ours, sizeof ours);
    word(status, "link.peer_lineage", theirs, sizeof theirs);
    if (up && strcmp(ours, theirs) != 0 && strspn(theirs, "0") != strlen(theirs)) {
        doctor_say(doctor, DOCTOR_FAIL,
                   "lineage: the other host's store is of another one (a forced promotion): %s",
                   flag(status, "serving")
                       ? "approvalctl rejoin there"
                       : "give up neither while this host does not serve, see the alarms");
    } else if (promised > epoch || (up && number(status, "link.peer_promised") > epoch)) {
        doctor_say(doctor, DOCTOR_WARN,
                   "epochs: a host has promised a higher one than the register's %" PRIu64
                   ": is the arbiter the right one?",
                   epoch);
    } else {
        doctor_say(doctor, DOCTOR_OK,
                   "epochs and lineage: %s agree with the register's, epoch %" PRIu64,
                   up ? "both hosts" : "this host's", epoch);
    }
}

static void check_all(struct doctor *doctor, const struct json *status, const struct json *own)
{
    check_protection(doctor, status);
    check_alarms(doctor, status);
    check_peer(doctor, status);
    check_agreement(doctor, status);
    check_clock(doctor, status);
    check_arbiter(doctor, status);
    check_fence(doctor, status);
    check_certificate(doctor, status, "pair");
    check_certificate(doctor, status, "arbiter");
    check_vrrp(doctor, status);
    check_mtu(doctor, status);
    check_sync(doctor, status, own);
    check_secrets(doctor, own);
    check_times(doctor, status);
}

void doctor_pair(struct doctor *doctor, const struct json *own)
{
    if (doctor->pair == NULL) {
        return;
    }
    if (flag(doctor->pair, "pair")) {
        check_all(doctor, doctor->pair, own);
    } else {
        check_alarms(doctor, doctor->pair);
    }
}
