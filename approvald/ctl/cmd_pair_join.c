/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_pair_join.c: pair join: this host becomes the second one of a pair.
 * Owns the order: granted, durable here, told to the other host, in force; then the join's key
 * goes. A cut anywhere leaves a host that may join again with the same token. Never takes a token
 * from the command line. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/pair_fence.h"
#include "approvald/ctl/pair_setup.h"
#include "approvald/enrol/aside.h"
#include "approvald/enrol/join.h"
#include "approvald/enrol/net.h"
#include "approvald/enrol/run.h"
#include "base/mem.h"
#include "base/x509.h"

#include <stdio.h>
#include <string.h>

/* The interface of the virtual IP: the one given, else the one with this host's address. */
static enum err_code find_interface(const struct ctl *ctl,
                                    const struct plan *plan,
                                    unsigned int host,
                                    char ret_interface[PLAN_WORD_SIZE],
                                    struct err *err)
{
    const char *given = options_text(&ctl->options, OPTION_INTERFACE);

    if (given != NULL) {
        if (strlen(given) >= PLAN_WORD_SIZE) {
            return err_set(err, ERR_INVALID, "--interface: too long");
        }
        (void)snprintf(ret_interface, PLAN_WORD_SIZE, "%s", given); /* fits */
        return ERR_OK;
    }
    if (net_interface(plan->host[host - 1], ret_interface, err) != ERR_OK) {
        return err_wrap(err, ERR_NOT_FOUND,
                        "the pair knows this host as %s; if that is right, name the interface of "
                        "the virtual IP: --interface",
                        plan->host[host - 1]);
    }
    return ERR_OK;
}

/* What this host has stored as a single one is set aside: the other host's counts. */
static enum err_code
set_store_aside(const struct ctl *ctl, const struct pair_setup *setup, struct err *err)
{
    struct aside_place place;
    char kept[ENROL_PATH_SIZE] = "";
    enum err_code rc = aside_find(&setup->home, pair_setup_supervisor(ctl), &place, err);

    rc = rc == ERR_OK
             ? aside_store(&setup->home, &place, "before-pair", pair_setup_now_s(), kept, err)
             : rc;
    if (rc == ERR_OK && kept[0] != '\0') {
        pair_setup_say(ctl, "aside", "what this host had stored is kept in %s", kept);
    }
    return rc;
}

/* Those that are new here are tried: the other host has just answered, so it is on. */
static enum err_code try_devices(const struct ctl *ctl,
                                 const struct pair_setup *setup,
                                 const struct device_pair *devices,
                                 struct err *err)
{
    struct device_pair kept;
    struct err ignored = ERR_INIT;
    enum err_code rc = device_home_load(&setup->home, setup->host, &kept, &ignored);
    bool known = rc == ERR_OK && device_pair_equal(&kept, devices);

    device_pair_wipe(&kept);
    if (known) {
        return ERR_OK;
    }
    rc = device_home_may_save(&setup->home, err);
    rc = rc == ERR_OK ? pair_fence_try(ctl, setup, devices, true, err) : rc;
    if (rc != ERR_OK && !home_has_plan(&setup->home)) {
        err_ignore(device_home_remove(&setup->home, &ignored)); /* what went wrong is told */
    }
    return rc == ERR_OK ? rc : err_wrap(err, ERR_DENIED, "nothing was done");
}

static enum err_code check_devices(const struct ctl *ctl,
                                   const struct pair_setup *setup,
                                   const struct reply *grant,
                                   struct err *err)
{
    struct device_pair devices;
    enum err_code rc = device_pair_granted(grant, &setup->plan, &devices, err);

    if (rc == ERR_OK && setup->plan.fence) {
        rc = try_devices(ctl, setup, &devices, err);
    }
    device_pair_wipe(&devices);
    return rc;
}

static enum err_code
install(const struct ctl *ctl, struct pair_setup *setup, const struct reply *grant, struct err *err)
{
    struct plan mine = setup->plan;
    bool first = !home_has_plan(&setup->home);
    enum err_code rc = plan_parse(grant->plan, &setup->plan, err);

    if (rc != ERR_OK || grant->host == 0) {
        return rc == ERR_OK ? err_set(err, ERR_INVALID, "what was granted is not for a host") : rc;
    }
    if (!first && !plan_equal(&mine, &setup->plan)) {
        return err_set(err, ERR_EXISTS,
                       "this host is of another pair, or of another plan of this one: approvalctl "
                       "pair leave first");
    }
    setup->host = grant->host;
    rc = find_interface(ctl, &setup->plan, setup->host, setup->interface, err);
    if (rc == ERR_OK && pair_setup_is_live(setup) && setup->plan.vip[0] != '\0') {
        rc = run_need_keepalived(err);
    }
    rc = rc == ERR_OK ? check_devices(ctl, setup, grant, err) : rc;
    rc = rc == ERR_OK && first ? set_store_aside(ctl, setup, err) : rc;
    return rc == ERR_OK ? home_install(&setup->home, grant, &setup->plan, setup->interface,
                                       pair_setup_now_s(), err)
                        : rc;
}

static enum err_code read_token(struct token *ret_token, struct err *err)
{
    enum err_code rc = join_read_token(ret_token, err);

    if (rc == ERR_OK && ret_token->role != ENROL_ROLE_HOST) {
        rc = err_set(err, ERR_INVALID,
                     "this token is for the arbiter: approvald-arbiter join, on that machine");
    }
    return rc;
}

/* Stopping a service may take longer than the other host waits for a word: it is asked once more,
 * as after a cut, and told at once. That it could not be told is no harm: it is durable here, and
 * over there the token ends by its time. */
static void tell_done(struct ctl *ctl,
                      const struct pair_setup *setup,
                      const struct token *token,
                      struct x509_key *key)
{
    struct join *join = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = join_ask(token, key, &join, &err);

    rc = rc == ERR_OK ? join_done(join, &err) : rc;
    rc = rc == ERR_OK ? home_join_told(&setup->home, &err) : rc;
    if (rc != ERR_OK) {
        (void)ctl_fail_err(ctl, &err);
    }
    join_free(join);
}

static int code_of(enum err_code rc)
{
    if (rc == ERR_UNAVAILABLE || rc == ERR_TIMEOUT) {
        return CTL_UNREACHABLE;
    }
    return rc == ERR_INVALID ? CTL_USAGE : CTL_REFUSED;
}

static int join_pair(struct ctl *ctl, struct pair_setup *setup)
{
    struct token token;
    struct x509_key *key = NULL;
    struct join *join = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = read_token(&token, &err);

    if (rc == ERR_OK && home_join_is_told(&setup->home, &token)) {
        mem_wipe(&token, sizeof token);
        return CTL_OK; /* it was cut behind that: the rest is done */
    }
    rc = rc == ERR_OK ? home_join_key(&setup->home, &token, &key, &err) : rc;
    rc = rc == ERR_OK ? join_ask(&token, key, &join, &err) : rc;
    if (rc == ERR_EXISTS && home_is_installed(&setup->home)) {
        rc = ERR_OK; /* by this host, which was cut before what it brought was in force */
    } else if (rc == ERR_OK) {
        rc = install(ctl, setup, join_grant(join), &err);
        join_free(join);
        if (rc == ERR_OK) {
            tell_done(ctl, setup, &token, key);
        }
    }
    x509_key_free(key);
    mem_wipe(&token, sizeof token);
    return rc == ERR_OK ? CTL_OK : ctl_fail(ctl, code_of(rc), &err);
}

int cmd_pair_join(struct ctl *ctl)
{
    struct pair_setup setup = {.host = 0};
    struct err err = ERR_INIT;
    int code;

    if (ctl->options.argument_count > 0) {
        return ctl_usage(ctl, "a token is no argument, where every user of this host sees it and "
                              "could use it first: it is asked for, or read from standard input. "
                              "If it was one, have another made: approvalctl pair token host");
    }
    code = pair_setup_open(ctl, &setup);
    if (code == CTL_OK && home_has_plan(&setup.home) &&
        home_load_plan(&setup.home, &setup.plan, &setup.host, setup.interface, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    code = code == CTL_OK ? join_pair(ctl, &setup) : code;
    code = code == CTL_OK ? pair_setup_apply(ctl, &setup, true) : code;
    if (code == CTL_OK && home_join_ended(&setup.home, &err) != ERR_OK) {
        code = ctl_fail_err(ctl, &err);
    }
    if (code == CTL_OK) {
        pair_setup_say(ctl, "joined", "joined pair %.8s as host %u (%s)", setup.plan.cluster_id,
                       setup.host, setup.plan.host[setup.host - 1]);
        pair_setup_say_slack(ctl, &setup);
    }
    return code;
}
