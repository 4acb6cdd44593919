/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_pair_leave.c: pair leave: this host goes on alone, with everything that was answered.
 * Owns what is typed before it and what is looked at; the order is leave.c's. A store of a pair is
 * never opened alone: the other host may have answered more. Never deletes a store. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/pair_setup.h"
#include "approvald/ctl/supervisor.h"
#include "approvald/enrol/apply.h"
#include "approvald/enrol/leave.h"
#include "base/json.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LEAVE_WORDS "leave the pair"
/* It is taken out of the pair when it is stopped; where that did not come about, the other host has
 * it switched off after fence.leave. */
#define FENCE_WORDS                                                                                \
    "Look at the other host's  approvalctl status : when it waits for this one, say there  "       \
    "approvalctl peer-off , or it has this one switched off after two minutes."

/* Of a host that may lack answers nobody is to be surprised by it. */
#define LACKING_WORDS "leave the pair without what the other host has answered"
#define LACKING                                                                                    \
    "This host is not in sync: the other one may have answered what it does not know of. "

/* Nothing is answered without what is in the register, so nobody has answered more than this host
 * when that is this store alone. */
static bool has_all(const struct json *status)
{
    const struct json *isr = json_path(status, "register.isr");
    const struct json *member = json_first(isr);

    if (json_count(isr) == 1) {
        return span_equal(json_text(member, "store"), json_text(status, "child.store"));
    }
    return show_pair_in_sync(status) &&
           (span_is(json_text(status, "role"), "primary") || show_pair_is_standby(status));
}

/* A store that is made of less than was answered is one that answers differently. Of a supervisor
 * that does not run nothing can be said. */
static bool may_lack(const struct ctl *ctl, const struct pair_setup *setup)
{
    AUTO_JSON struct json *status = NULL;
    struct err ignored = ERR_INIT;

    if (options_has(&ctl->options, OPTION_FORCE) || leave_is_begun(&setup->home) ||
        (!pair_setup_is_live(setup) && !options_has(&ctl->options, OPTION_SUPERVISOR)) ||
        supervisor_ask(ctl, "status", &status, &ignored) != ERR_OK ||
        !json_bool(status, "pair", false)) {
        return false;
    }
    return !has_all(status);
}

static bool confirmed(const struct ctl *ctl, const char *words, bool fence)
{
    const char *given = options_text(&ctl->options, OPTION_CONFIRM);
    char line[128];

    if (given != NULL) {
        return strcmp(given, words) == 0;
    }
    if (isatty(STDIN_FILENO) != 1) {
        return false;
    }
    (void)fprintf(
        stderr,
        "%sThis host's certificates and configurations of the pair are removed; its store "
        "stays.%s\nType \"%s\" to go on: ",
        strcmp(words, LACKING_WORDS) == 0 ? LACKING "\n" : "", fence ? "\n" FENCE_WORDS : "",
        words); /* a prompt */
    if (fgets(line, sizeof line, stdin) == NULL) {
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    return strcmp(line, words) == 0;
}

static int refuse_unconfirmed(struct ctl *ctl, bool lacking)
{
    return lacking
               ? ctl_usage(ctl, "not confirmed: nothing was done. " LACKING
                                "Wait (approvalctl status), or  --confirm \"" LACKING_WORDS "\"")
               : ctl_usage(ctl, "not confirmed: nothing was done; without a terminal: "
                                "--confirm \"" LEAVE_WORDS "\"");
}

/* Before anything is done: what somebody has added may want a pair. */
static enum err_code look_ahead(struct ctl *ctl, const struct pair_setup *setup, struct err *err)
{
    const struct apply apply = {.home = &setup->home, .supervisor = pair_setup_supervisor(ctl)};
    enum err_code rc = apply_may_remove(&apply, err);

    if (rc == ERR_NOT_FOUND) {
        return ERR_OK; /* without a supervisor here nothing will be refused */
    }
    if (rc == ERR_INVALID) {
        return err_wrap(err, rc,
                        "nothing was done; without the pair this would be refused, so change or "
                        "remove it first");
    }
    return rc == ERR_DENIED ? err_wrap(err, rc, "nothing was done; yours to change first") : rc;
}

/* What is to be done: what was begun, or all of it. */
static enum err_code
plan_leave(struct ctl *ctl, const struct pair_setup *setup, struct leave *leave, struct err *err)
{
    struct aside_place place;
    enum err_code rc;

    if (leave_is_begun(&setup->home)) {
        return leave_load(&setup->home, leave, err);
    }
    rc = look_ahead(ctl, setup, err);
    rc = rc == ERR_OK ? aside_find(&setup->home, pair_setup_supervisor(ctl), &place, err) : rc;
    return rc == ERR_OK ? leave_begin(&setup->home, &place, pair_setup_now_s(),
                                      options_has(&ctl->options, OPTION_FORCE), leave, err)
                        : rc;
}

static enum err_code leave_here(struct ctl *ctl, struct pair_setup *setup, struct err *err)
{
    struct leave leave;
    char kept[ENROL_PATH_SIZE] = "";
    AUTO_CLOSE int lock = -1;
    enum err_code rc = leave_lock(&setup->home, &lock, err);

    rc = rc == ERR_OK ? plan_leave(ctl, setup, &leave, err) : rc;
    rc = rc == ERR_OK ? leave_run(&setup->home, &leave, kept, err) : rc;
    if (rc == ERR_OK && kept[0] != '\0') {
        pair_setup_say(ctl, "aside", "the store of the pair is kept in %s", kept);
    }
    return rc;
}

/* Files alone: there is no service, and no store to be made. */
static enum err_code leave_files(struct ctl *ctl, const struct pair_setup *setup, struct err *err)
{
    enum err_code rc = look_ahead(ctl, setup, err);

    rc = rc == ERR_OK ? apply_remove(&setup->home, err) : rc;
    return rc == ERR_OK ? home_remove(&setup->home, err) : rc;
}

/* What a plan that cannot be read has is nothing to warn of. */
static bool has_fence(struct pair_setup *setup)
{
    struct err ignored = ERR_INIT;

    return home_load_plan(&setup->home, &setup->plan, &setup->host, setup->interface, &ignored) ==
               ERR_OK &&
           setup->plan.fence;
}

int cmd_pair_leave(struct ctl *ctl)
{
    struct pair_setup setup;
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;
    bool fence;
    bool lacking;
    int code = pair_setup_find(ctl, &setup);

    if (code != CTL_OK) {
        return code;
    }
    fence = has_fence(&setup);
    lacking = may_lack(ctl, &setup);
    if (!confirmed(ctl, lacking ? LACKING_WORDS : LEAVE_WORDS, fence)) {
        return refuse_unconfirmed(ctl, lacking);
    }
    if (!lacking && may_lack(ctl, &setup)) { /* who types takes his time */
        return refuse_unconfirmed(ctl, true);
    }
    if (pair_setup_is_live(&setup) && (home_has_plan(&setup.home) || leave_is_begun(&setup.home))) {
        rc = leave_here(ctl, &setup, &err);
    } else {
        rc = leave_files(ctl, &setup, &err);
    }
    /* Also of one that was cut just before its end. */
    rc = rc == ERR_OK && pair_setup_is_live(&setup) ? leave_start(&setup.home, &err) : rc;
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    pair_setup_say(ctl, "left", "left the pair");
    if (fence) {
        pair_setup_say(ctl, "fence", FENCE_WORDS);
    }
    return CTL_OK;
}
