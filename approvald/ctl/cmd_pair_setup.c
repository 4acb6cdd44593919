/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_pair_setup.c: pair init: the plan of a pair, from options and questions, and what follows.
 * Owns the questions and the guesses. Never begins a second pair over a first one. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/pair_fence.h"
#include "approvald/ctl/pair_setup.h"
#include "approvald/enrol/files.h"
#include "approvald/enrol/net.h"
#include "approvald/enrol/run.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/rng.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_SIZE 256

/* What an option says, or the person at the terminal; "": neither. */
static const char *
answer_of(const struct ctl *ctl, enum option option, const char *question, char room[ANSWER_SIZE])
{
    const char *given = options_text(&ctl->options, option);

    room[0] = '\0';
    if (given != NULL || isatty(STDIN_FILENO) != 1) {
        return given == NULL ? "" : given;
    }
    (void)fprintf(stderr, "%s ", question); /* a prompt */
    if (fgets(room, ANSWER_SIZE, stdin) == NULL) {
        room[0] = '\0';
    }
    room[strcspn(room, "\r\n")] = '\0';
    return room;
}

static enum err_code plan_hosts(const struct ctl *ctl, struct plan *plan, struct err *err)
{
    const char *own = options_text(&ctl->options, OPTION_ADDRESS);
    char room[ANSWER_SIZE];
    const char *peer =
        answer_of(ctl, OPTION_PEER, "The other host (its address, or its name)?", room);
    enum err_code rc;

    if (peer[0] == '\0') {
        return err_set(err, ERR_INVALID, "--peer is missing: the other host; see --help");
    }
    rc = net_resolve(peer, plan->host[1], err);
    if (rc == ERR_OK && own == NULL) {
        rc = net_own_address(plan->host[1], plan->host[0], err);
    } else if (rc == ERR_OK) {
        rc = net_resolve(own, plan->host[0], err);
    }
    return rc;
}

/* The last number of the address, as many do: unused by another pair as long as its address is. */
static uint16_t usual_router_id(const char *vip)
{
    uint32_t number = 0;

    for (const char *at = vip; *at != '\0' && *at != '/'; at++) {
        if (*at >= '0' && *at <= '9') {
            number = (number * 10 + (uint32_t)(*at - '0')) % 100000;
        } else {
            number = 0;
        }
    }
    return number % 255 == 0 ? 255 : (uint16_t)(number % 255);
}

static enum err_code plan_vip(const struct ctl *ctl, struct plan *plan, struct err *err)
{
    const char *interface = options_text(&ctl->options, OPTION_INTERFACE);
    uint64_t router_id = 0;
    char room[ANSWER_SIZE];
    const char *vip = answer_of(
        ctl, OPTION_VIP, "The virtual IP with its prefix, as 192.0.2.10/24 (or none)?", room);
    enum err_code rc;

    if (vip[0] == '\0') {
        return err_set(err, ERR_INVALID, "--vip is missing: ADDRESS/PREFIX, or none; see --help");
    }
    if (strcmp(vip, "none") == 0) {
        return ERR_OK;
    }
    if (strlen(vip) >= sizeof plan->vip ||
        (interface != NULL && strlen(interface) >= sizeof plan->interface)) {
        return err_set(err, ERR_INVALID, "--vip or --interface: too long");
    }
    (void)snprintf(plan->vip, sizeof plan->vip, "%s", vip); /* fits */
    plan->service_port = PLAN_SERVICE_PORT;
    rc = options_number(&ctl->options, OPTION_ROUTER_ID, 255, &router_id, err);
    plan->router_id = router_id == 0 ? usual_router_id(vip) : (uint16_t)router_id;
    if (rc == ERR_OK && interface == NULL) {
        rc = net_interface(plan->host[0], plan->interface, err);
    } else if (rc == ERR_OK) {
        (void)snprintf(plan->interface, sizeof plan->interface, "%s", interface); /* fits */
    }
    return rc;
}

static enum err_code plan_arbiter(const struct ctl *ctl, struct plan *plan, struct err *err)
{
    char room[ANSWER_SIZE];
    const char *arbiter =
        answer_of(ctl, OPTION_ARBITER,
                  "The arbiter, a third machine (its address or name, or fence, or manual)?", room);

    if (arbiter[0] == '\0') {
        return err_set(err, ERR_INVALID, "--arbiter is missing: a third machine, fence or manual");
    }
    plan->fence = strcmp(arbiter, "fence") == 0;
    return plan->fence || strcmp(arbiter, "manual") == 0 ? ERR_OK
                                                         : net_resolve(arbiter, plan->arbiter, err);
}

/* The admin has said where the service listens for others: that stays as it is. */
static bool has_own_listeners(void)
{
    static const char *const argv[] = {PKGSBINDIR "/approvald", "--print-sockets", NULL};
    AUTO_BUF struct buf *output = NULL;
    struct err err = ERR_INIT;
    int code = 0;

    return buf_new(ENROL_TEXT_SIZE_MAX, &output, &err) == ERR_OK &&
           run_program(argv, output, false, &code, &err) == ERR_OK && code == 0 &&
           strstr(buf_text(output), "service-tls ") != NULL;
}

/* The cluster is the one of this host's store, which counts. Below another root there may be none.
 */
static int name_cluster(struct ctl *ctl, struct pair_setup *setup)
{
    const struct client_reply *reply = NULL;
    uint8_t cluster_id[16];
    struct span told;
    int code;

    if (!pair_setup_is_live(setup) && !options_has(&ctl->options, OPTION_SOCKET)) {
        rng_fill(rng_host(), cluster_id, sizeof cluster_id);
        crypto_hex(cluster_id, sizeof cluster_id, setup->plan.cluster_id);
        return CTL_OK;
    }
    code = ctl_get(ctl, "/v1/status", &reply);
    if (code != CTL_OK) {
        return code;
    }
    told = json_text(reply->json, "storage.cluster_id");
    if (told.size != PLAN_CLUSTER_SIZE - 1) {
        return ctl_usage(ctl, "approvald does not say which cluster its store is of: upgrade it");
    }
    memcpy(setup->plan.cluster_id, told.data, told.size);
    setup->plan.cluster_id[told.size] = '\0';
    return CTL_OK;
}

/* Who is not asked, without a terminal, has not said. */
static enum err_code plan_slack(const struct ctl *ctl, struct plan *plan, struct err *err)
{
    char room[ANSWER_SIZE];
    const char *slack =
        answer_of(ctl, OPTION_SLACK,
                  "Slack (socket: the hosts call Slack; http: Slack calls them; none)?", room);

    if (slack[0] == '\0') {
        return ERR_OK;
    }
    if (!plan_is_slack(slack)) {
        return err_set(err, ERR_INVALID, "--slack: socket, http or none");
    }
    (void)snprintf(plan->slack, sizeof plan->slack, "%s", slack); /* fits: it is one of them */
    return ERR_OK;
}

static int make_plan(struct ctl *ctl, struct pair_setup *setup)
{
    struct plan *plan = &setup->plan;
    struct err err = ERR_INIT;
    enum err_code rc;
    int code;

    *plan = (struct plan){
        .link_port = PLAN_LINK_PORT, .join_port = PLAN_JOIN_PORT, .arbiter_port = PLAN_ETCD_PORT};
    setup->host = 1;
    code = name_cluster(ctl, setup);
    if (code != CTL_OK) {
        return code;
    }
    rc = plan_hosts(ctl, plan, &err);
    rc = rc == ERR_OK ? plan_vip(ctl, plan, &err) : rc;
    rc = rc == ERR_OK ? plan_arbiter(ctl, plan, &err) : rc;
    rc = rc == ERR_OK ? plan_slack(ctl, plan, &err) : rc;
    rc = rc == ERR_OK ? plan_check(plan, &err) : rc;
    if (rc == ERR_OK && pair_setup_is_live(setup) && plan->vip[0] != '\0') {
        rc = run_need_keepalived(&err);
    }
    if (rc != ERR_OK) {
        return ctl_fail(ctl, CTL_USAGE, &err);
    }
    if (pair_setup_is_live(setup) && has_own_listeners()) {
        plan->service_port = 0;
    }
    memcpy(setup->interface, plan->interface, sizeof setup->interface);
    return CTL_OK;
}

/* A repetition may ask for nothing else than the first time. */
static int check_same(struct ctl *ctl, const struct pair_setup *setup, const struct plan *kept)
{
    struct plan wanted = setup->plan;

    memcpy(wanted.cluster_id, kept->cluster_id, sizeof wanted.cluster_id);
    wanted.service_port = kept->service_port; /* what was found on the host then */
    if (plan_equal(&wanted, kept)) {
        return CTL_OK;
    }
    return ctl_usage(ctl,
                     "this host is of a pair already, and its plan says something else (%s/"
                     "plan.conf): approvalctl pair leave first",
                     setup->home.folder);
}

static int plan_once(struct ctl *ctl, struct pair_setup *setup)
{
    struct pair_setup kept = {.host = 0};
    struct err err = ERR_INIT;
    enum err_code rc;
    int code;

    if (!home_has_plan(&setup->home)) {
        return make_plan(ctl, setup);
    }
    rc = home_load_plan(&setup->home, &kept.plan, &kept.host, kept.interface, &err);
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    if (kept.host != 1) {
        return ctl_usage(ctl,
                         "this host has joined a pair as host 2: approvalctl pair leave first");
    }
    if (options_has(&ctl->options, OPTION_PEER)) {
        code = make_plan(ctl, setup);
        code = code == CTL_OK ? check_same(ctl, setup, &kept.plan) : code;
        if (code != CTL_OK) {
            return code;
        }
    }
    rc = options_has(&ctl->options, OPTION_SLACK) ? plan_slack(ctl, &kept.plan, &err) : ERR_OK;
    if (rc != ERR_OK) {
        return ctl_fail(ctl, CTL_USAGE, &err);
    }
    setup->plan = kept.plan;
    setup->host = kept.host;
    memcpy(setup->interface, kept.interface, sizeof setup->interface);
    return CTL_OK;
}

/* New devices are tried before anything is kept. What was begun by that ends with it where there is
 * no pair. */
static enum err_code try_devices(struct ctl *ctl,
                                 const struct pair_setup *setup,
                                 const struct device_pair *devices,
                                 struct err *err)
{
    enum err_code rc = pair_fence_try(ctl, setup, devices, false, err);
    struct err ignored = ERR_INIT;

    if (rc != ERR_OK && !home_has_plan(&setup->home)) {
        err_ignore(device_home_remove(&setup->home, &ignored)); /* what went wrong is told */
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "nothing was done");
}

/* *ret_fresh: they are to be kept; else there is nothing new. A repetition without options keeps
 * those that are there. */
static int find_devices(struct ctl *ctl,
                        const struct pair_setup *setup,
                        struct device_pair *ret_devices,
                        bool *ret_fresh)
{
    struct device_pair kept;
    struct err err = ERR_INIT;
    bool given = pair_fence_is_given(ctl);
    enum err_code rc;

    *ret_fresh = false;
    if (!setup->plan.fence) {
        return given ? ctl_usage(ctl, "--fence and its like go with --arbiter fence") : CTL_OK;
    }
    rc = device_home_may_save(&setup->home, &err);
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    rc = device_home_load(&setup->home, setup->host, &kept, &err);
    if (rc != ERR_NOT_FOUND && !given) {
        device_pair_wipe(&kept);
        return rc == ERR_OK ? CTL_OK : ctl_fail_err(ctl, &err);
    }
    if (pair_fence_read(ctl, ret_devices, &err) != ERR_OK) {
        device_pair_wipe(&kept);
        return ctl_fail(ctl, CTL_USAGE, &err);
    }
    *ret_fresh = rc != ERR_OK || !device_pair_equal(&kept, ret_devices);
    device_pair_wipe(&kept);
    rc = *ret_fresh ? try_devices(ctl, setup, ret_devices, &err) : ERR_OK;
    return rc == ERR_OK ? CTL_OK : ctl_fail(ctl, CTL_REFUSED, &err);
}

/* devices: to be kept; NULL: as they are. */
static int
make_home(struct ctl *ctl, const struct pair_setup *setup, const struct device_pair *devices)
{
    const struct home_self self = pair_setup_self(setup);
    struct err err = ERR_INIT;
    size_t count = 0;
    enum err_code rc = home_make_authorities(&setup->home, self.now_s, &err);

    if (rc == ERR_OK && devices != NULL) {
        rc = device_home_save(&setup->home, setup->host, devices, &err);
    }
    rc = rc == ERR_OK
             ? home_save_plan(&setup->home, &setup->plan, setup->host, setup->interface, &err)
             : rc;
    rc = rc == ERR_OK ? home_renew(&setup->home, &self, HOME_RENEW_DUE, &count, &err) : rc;
    return rc == ERR_OK ? CTL_OK : ctl_fail_err(ctl, &err);
}

int cmd_pair_init(struct ctl *ctl)
{
    struct pair_setup setup = {.host = 1};
    struct device_pair devices = {.of = {{.count = 0}}};
    bool fresh = false;
    int code = pair_setup_open(ctl, &setup);

    code = code == CTL_OK ? plan_once(ctl, &setup) : code;
    code = code == CTL_OK ? find_devices(ctl, &setup, &devices, &fresh) : code;
    code = code == CTL_OK ? make_home(ctl, &setup, fresh ? &devices : NULL) : code;
    device_pair_wipe(&devices);
    if (code != CTL_OK) {
        return code;
    }
    pair_setup_say(
        ctl, "plan", "pair %.8s: host 1 is %s (here), host 2 %s, virtual IP %s, arbiter %s",
        setup.plan.cluster_id, setup.plan.host[0], setup.plan.host[1],
        setup.plan.vip[0] == '\0' ? "none" : setup.plan.vip, plan_arbiter_word(&setup.plan));
    if (setup.plan.arbiter[0] != '\0') {
        code = pair_setup_offer(ctl, &setup, ENROL_ROLE_ARBITER);
    }
    code = code == CTL_OK ? pair_setup_offer(ctl, &setup, ENROL_ROLE_HOST) : code;
    if (code == CTL_OK) {
        pair_setup_say_slack(ctl, &setup);
    }
    return code == CTL_OK ? pair_setup_serve(ctl, &setup) : code;
}
