/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_pair_serve.c: pair token, pair serve: those who bring a token are waited for, and when all
 * have come, this host becomes one of a pair.
 * Owns that last step and its order. Never touches the service before it: a single host goes on as
 * it was. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/pair_setup.h"
#include "approvald/ctl/supervisor.h"
#include "approvald/enrol/apply.h"
#include "approvald/enrol/run.h"
#include "approvald/enrol/serve.h"
#include "base/clock.h"
#include "base/json.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define SERVE_UNIT     "approvald-pair.service"
#define BOOTSTRAP_MS   120000U /* approvald reads its log, etcd starts */
#define BOOTSTRAP_STEP 250

static volatile int *stopped; /* of the command under way: a handler gets no argument */

static void on_signal(int number)
{
    *stopped = number;
}

static void catch_signals(struct ctl *ctl)
{
    const struct sigaction action = {.sa_handler = on_signal};

    stopped = &ctl->stopped;
    (void)sigaction(SIGINT, &action, NULL); /* cannot fail with these */
    (void)sigaction(SIGTERM, &action, NULL);
    (void)sigaction(SIGHUP, &action, NULL);
}

static void on_tell(void *arg, const char *text)
{
    pair_setup_say(arg, "enrolment", "%s", text);
}

/* Once the register is there, the pair has begun. */
static bool has_register(const struct ctl *ctl)
{
    AUTO_JSON struct json *status = NULL;
    struct err err = ERR_INIT;

    return supervisor_ask(ctl, "status", &status, &err) == ERR_OK &&
           json_is_object(json_get(status, "register"));
}

/* Who begins a pair leads it, or has handed over already. A register that was there before is
 * another one's, and waits for hosts that are no more. */
static int await_part(struct ctl *ctl)
{
    uint64_t until_ms = clock_boot_ms(clock_host()) + BOOTSTRAP_MS;
    struct err err = ERR_INIT;
    bool begun = false;

    while (ctl->stopped == 0 && !begun && clock_boot_ms(clock_host()) < until_ms) {
        AUTO_JSON struct json *status = NULL;
        struct err why = ERR_INIT;

        if (supervisor_ask(ctl, "status", &status, &why) == ERR_OK) {
            begun = span_is(json_text(status, "role"), "primary") ||
                    span_is(json_text(status, "role"), "standby");
            (void)err_set(&err, ERR_UNAVAILABLE,
                          "the arbiter has a register, and this host does not lead by it: %.*s",
                          SPAN_ARGS(json_text(status, "reason")));
        }
        (void)poll(NULL, 0, begun ? 0 : BOOTSTRAP_STEP); /* as below */
    }
    if (ctl->stopped != 0) {
        return CTL_INTERNAL;
    }
    return begun ? CTL_OK : ctl_fail(ctl, CTL_UNREACHABLE, &err);
}

/* The supervisor says no until approvald is up and the arbiter was read. */
static int bootstrap(struct ctl *ctl)
{
    uint64_t until_ms = clock_boot_ms(clock_host()) + BOOTSTRAP_MS;
    struct err err = ERR_INIT;

    while (ctl->stopped == 0 && !has_register(ctl)) {
        AUTO_JSON struct json *answer = NULL;
        struct err why = ERR_INIT;

        if (supervisor_ask(ctl, "bootstrap", &answer, &why) == ERR_OK) {
            (void)err_set(&err, ERR_UNAVAILABLE, "the register is not made yet: %.*s",
                          SPAN_ARGS(json_text(answer, "message")));
        } else {
            err = why;
        }
        if (clock_boot_ms(clock_host()) >= until_ms) {
            return ctl_fail(ctl, CTL_UNREACHABLE, &err);
        }
        (void)poll(NULL, 0, BOOTSTRAP_STEP); /* a sleep; an early end does no harm */
    }
    return ctl->stopped == 0 ? await_part(ctl) : CTL_INTERNAL;
}

/* Both others trust the new authorities now: this host's certificates follow, and the former ones
 * are no longer trusted here. */
static int finish_rotation(struct ctl *ctl, const struct pair_setup *setup)
{
    const struct home_self self = pair_setup_self(setup);
    struct err err = ERR_INIT;
    size_t count = 0;
    int code;
    enum err_code rc = home_renew(&setup->home, &self, HOME_RENEW_ALL, &count, &err);

    rc = rc == ERR_OK ? home_end_rotation(&setup->home, &err) : rc;
    code = rc == ERR_OK ? pair_setup_reload(ctl, setup, true) : ctl_fail_err(ctl, &err);
    if (code != CTL_OK) {
        return code;
    }
    pair_setup_say(ctl, "rotated",
                   "rotated: on the other host now  approvalctl pair rotate --end%s",
                   setup->plan.arbiter[0] == '\0'
                       ? ""
                       : " , on the arbiter once more  approvald-arbiter join  with a token of  "
                         "approvalctl pair token arbiter");
    return CTL_OK;
}

static int finish(struct ctl *ctl, const struct pair_setup *setup)
{
    int code;

    if (home_is_rotating(&setup->home)) {
        return finish_rotation(ctl, setup);
    }
    code = pair_setup_apply(ctl, setup, true);
    if (code == CTL_OK && pair_setup_is_live(setup) && setup->host == 1) {
        code = bootstrap(ctl);
    }
    if (code == CTL_OK) {
        pair_setup_say(ctl, "paired", "the pair is set up: approvalctl status");
    }
    return code;
}

static int serve_here(struct ctl *ctl, struct pair_setup *setup)
{
    const struct serve_options options = {.home = &setup->home,
                                          .plan = &setup->plan,
                                          .host = setup->host,
                                          .stopped = &ctl->stopped,
                                          .tell = on_tell,
                                          .arg = ctl};
    struct err err = ERR_INIT;

    catch_signals(ctl);
    (void)fflush(stdout);
    if (serve_run(&options, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    if (ctl->stopped == SIGTERM) {
        return CTL_OK; /* the service is stopped, and has not failed: the tokens serve once it is
                          back */
    }
    if (!serve_is_complete(&setup->home)) {
        (void)err_set(&err, ERR_EXPIRED, "not all have joined: approvalctl pair token gives anew");
        return ctl_fail(ctl, CTL_TIMEOUT, &err);
    }
    return finish(ctl, setup);
}

int pair_setup_serve(struct ctl *ctl, struct pair_setup *setup)
{
    struct err err = ERR_INIT;

    if (!pair_setup_is_live(setup) || !run_has_systemd()) {
        return serve_here(ctl, setup);
    }
    if (run_systemctl("restart", NULL, SERVE_UNIT, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    pair_setup_say(
        ctl, "waiting",
        "the tokens serve once, for 15 minutes; this terminal may be closed. What happens:  "
        "journalctl -fu approvald-pair");
    return CTL_OK;
}

int cmd_pair_serve(struct ctl *ctl)
{
    struct pair_setup setup = {.host = 0};
    int code = pair_setup_load(ctl, &setup);

    return code == CTL_OK ? serve_here(ctl, &setup) : code;
}

int cmd_pair_token(struct ctl *ctl)
{
    struct pair_setup setup = {.host = 0};
    const char *whom = ctl->options.arguments[0];
    struct home_self self;
    enum enrol_role role = strcmp(whom, "arbiter") == 0 ? ENROL_ROLE_ARBITER : ENROL_ROLE_HOST;
    struct err err = ERR_INIT;
    size_t count = 0;
    int code;

    if (strcmp(whom, enrol_role_name(role)) != 0) {
        return ctl_usage(ctl, "a token is for the host or for the arbiter, not for '%s'", whom);
    }
    code = pair_setup_load(ctl, &setup);
    if (code == CTL_OK && role == ENROL_ROLE_ARBITER && setup.plan.arbiter[0] == '\0') {
        return ctl_usage(ctl, "this pair has no arbiter");
    }
    self = pair_setup_self(&setup);
    if (code == CTL_OK && home_renew(&setup.home, &self, HOME_RENEW_DUE, &count, &err) != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    code = code == CTL_OK ? pair_setup_offer(ctl, &setup, role) : code;
    return code == CTL_OK ? pair_setup_serve(ctl, &setup) : code;
}
