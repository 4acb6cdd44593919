/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_pair_life.c: pair renew, pair rotate: what becomes of certificates.
 * Owns the order of a rotation on its first host, and the look whether what was renewed is in use.
 * Never shortens what the other host needs to trust this one. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/pair_setup.h"
#include "approvald/enrol/apply.h"
#include "approvald/enrol/run.h"
#include "approvald/enrol/serve.h"
#include "base/clock.h"
#include "base/json.h"

#include <poll.h>
#include <string.h>

#define RELOAD_MS      15000U /* a busy host; most take some milliseconds */
#define RELOAD_STEP_MS 50

/* When the certificate in the file ends. 0: there is none. */
static uint64_t end_in_file(const struct pair_setup *setup)
{
    const struct home_self self = pair_setup_self(setup);

    for (size_t i = 0; i < HOME_LEAF_COUNT; i++) {
        struct home_leaf leaf;

        if (home_look(&setup->home, &self, i, &leaf) && strcmp(leaf.name, "service") == 0) {
            return leaf.fits ? leaf.not_after_s : 0;
        }
    }
    return 0;
}

/* When the one ends that approvald has in use; *ret_end 0: it has none, or one of the admin's. */
static enum err_code
end_in_use(struct ctl *ctl, const struct pair_setup *setup, uint64_t *ret_end, struct err *err)
{
    const struct client_call call = {.method = "GET", .path = "/v1/status", .local = true};
    const struct client_reply *reply = NULL;
    char path[ENROL_PATH_SIZE];
    enum err_code rc = ctl_connect(ctl, err);

    rc = rc == ERR_OK ? client_call(ctl->client, &call, &reply, err) : rc;
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "which certificate is in use");
    }
    *ret_end = 0;
    home_file(&setup->home, "service.crt", path);
    if (span_is(json_text(reply->json, "tls_certificate"), path)) {
        (void)json_u64(reply->json, "tls_not_after_s", ret_end); /* absent: 0 */
    }
    return ERR_OK;
}

/* A service that is just being started answers soon. */
static enum err_code
await_end(struct ctl *ctl, const struct pair_setup *setup, uint64_t wanted, struct err *err)
{
    uint64_t until_ms = clock_boot_ms(clock_host()) + RELOAD_MS;
    uint64_t end = 0;
    enum err_code rc = end_in_use(ctl, setup, &end, err);

    while ((rc != ERR_OK || (end != 0 && end != wanted)) &&
           clock_boot_ms(clock_host()) < until_ms) {
        (void)poll(NULL, 0, RELOAD_STEP_MS); /* a sleep; an early end does no harm */
        rc = end_in_use(ctl, setup, &end, err);
    }
    if (rc == ERR_OK && end != 0 && end != wanted) {
        rc = err_set(err, ERR_CONFLICT,
                     "the certificate in the file is not the one in use: approvald has refused to "
                     "reload; approvalctl config check says why, then pair renew again");
    }
    return rc;
}

/* Below another root nothing runs; a service that is stopped reads its files when it starts. */
static bool runs_here(const struct pair_setup *setup)
{
    struct err err = ERR_INIT;

    return pair_setup_is_live(setup) && run_has_systemd() &&
           run_systemctl("is-active", "--quiet", "approvald-supervisor.service", &err) == ERR_OK;
}

int pair_setup_reload(struct ctl *ctl, const struct pair_setup *setup, bool changed)
{
    struct err err = ERR_INIT;
    uint64_t wanted = end_in_file(setup);
    uint64_t end = 0;
    enum err_code rc = ERR_OK;
    bool looks = runs_here(setup) && wanted != 0;

    if (looks && !changed && end_in_use(ctl, setup, &end, &err) == ERR_OK) {
        changed = end != 0 && end != wanted; /* an earlier reload was refused */
    }
    rc = rc == ERR_OK && changed ? apply_reload(&setup->home, &err) : rc;
    rc = rc == ERR_OK && changed && looks ? await_end(ctl, setup, wanted, &err) : rc;
    if (rc == ERR_CONFLICT) {
        return ctl_fail(ctl, CTL_REFUSED, &err);
    }
    return rc == ERR_OK ? CTL_OK : ctl_fail_err(ctl, &err);
}

int cmd_pair_renew(struct ctl *ctl)
{
    struct pair_setup setup = {.host = 0};
    struct home_self self;
    struct err err = ERR_INIT;
    size_t count = 0;
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
    if (home_renew(&setup.home, &self, HOME_RENEW_DUE, &count, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    code = pair_setup_reload(ctl, &setup, count > 0);
    if (code == CTL_OK) {
        pair_setup_say(ctl, "renewed", "%zu certificates renewed", count);
    }
    return code;
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
    /* They would not trust this host, which began it, and for its own part ends it by itself. */
    if (serve_is_owed(&setup->home)) {
        (void)err_set(&err, ERR_CONFLICT,
                      "nothing was done: who was given a token here has not joined yet; then this "
                      "host ends the rotation by itself, and --end is for the other one");
        return ctl_fail(ctl, CTL_REFUSED, &err);
    }
    rc = home_renew(&setup->home, &self, HOME_RENEW_ALL, &count, &err);
    rc = rc == ERR_OK ? home_end_rotation(&setup->home, &err) : rc;
    return rc == ERR_OK ? pair_setup_reload(ctl, setup, true) : ctl_fail_err(ctl, &err);
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
    /* Before the authorities: by the offers of a former time all would have joined already, and who
     * is cut in between ends a rotation of which nobody knows. */
    code = pair_setup_offer(ctl, &setup, ENROL_ROLE_HOST); /* it comes first: see serve.c */
    if (code == CTL_OK && setup.plan.arbiter[0] != '\0') {
        code = pair_setup_offer(ctl, &setup, ENROL_ROLE_ARBITER);
    }
    if (code == CTL_OK && home_rotate(&setup.home, pair_setup_now_s(), &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    return code == CTL_OK ? pair_setup_serve(ctl, &setup) : code;
}
