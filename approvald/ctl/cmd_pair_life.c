/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_pair_life.c: pair renew, pair rotate: what becomes of certificates.
 * Owns the order of a rotation on its first host. Never shortens what the other host needs to trust
 * this one. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/pair_setup.h"
#include "approvald/enrol/apply.h"

int cmd_pair_renew(struct ctl *ctl)
{
    struct pair_setup setup = {.host = 0};
    struct home_self self;
    struct err err = ERR_INIT;
    size_t count = 0;
    enum err_code rc;
    int code = pair_setup_open(ctl, &setup);

    if (code == CTL_OK && !home_has_plan(&setup.home)) {
        pair_setup_say(ctl, "renewed",
                       "this host is of no pair: nothing to renew"); /* the timer runs everywhere */
        return CTL_OK;
    }
    code = code == CTL_OK ? pair_setup_load(ctl, &setup) : code;
    if (code != CTL_OK) {
        return code;
    }
    self = pair_setup_self(&setup);
    rc = home_renew(&setup.home, &self, HOME_RENEW_DUE, &count, &err);
    if (rc == ERR_OK && count > 0) {
        rc = apply_reload(&setup.home, &err);
    }
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    pair_setup_say(ctl, "renewed", "%zu certificates renewed", count);
    return CTL_OK;
}

static int end_rotation(struct ctl *ctl, const struct pair_setup *setup)
{
    const struct home_self self = pair_setup_self(setup);
    struct err err = ERR_INIT;
    size_t count = 0;
    enum err_code rc = ERR_OK;

    if (!home_is_rotating(&setup->home)) {
        pair_setup_say(ctl, "rotated", "no rotation is under way");
        return CTL_OK;
    }
    rc = home_renew(&setup->home, &self, HOME_RENEW_ALL, &count, &err);
    rc = rc == ERR_OK ? home_end_rotation(&setup->home, &err) : rc;
    rc = rc == ERR_OK ? apply_reload(&setup->home, &err) : rc;
    return rc == ERR_OK ? CTL_OK : ctl_fail_err(ctl, &err);
}

int cmd_pair_rotate(struct ctl *ctl)
{
    struct pair_setup setup = {.host = 0};
    struct err err = ERR_INIT;
    int code = pair_setup_load(ctl, &setup);

    if (code != CTL_OK) {
        return code;
    }
    if (options_has(&ctl->options, OPTION_END)) {
        return end_rotation(ctl, &setup);
    }
    if (home_rotate(&setup.home, pair_setup_now_s(), &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    code = pair_setup_offer(ctl, &setup, ENROL_ROLE_HOST); /* it comes first: see serve.c */
    if (code == CTL_OK && setup.plan.arbiter[0] != '\0') {
        code = pair_setup_offer(ctl, &setup, ENROL_ROLE_ARBITER);
    }
    return code == CTL_OK ? pair_setup_serve(ctl, &setup) : code;
}
