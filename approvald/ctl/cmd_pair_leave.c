/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_pair_leave.c: pair leave: this host goes on alone, with everything that was answered.
 * Owns what is typed before it, and the order: a backup of the running store, the pair's store set
 * aside, configurations and keys removed, a store of this host's own made of the backup. A store of
 * a pair is never opened alone: the other host may have answered more. Never deletes a store. */
#include "approvald/ctl/command.h"
#include "approvald/ctl/pair_setup.h"
#include "approvald/enrol/apply.h"
#include "approvald/enrol/aside.h"
#include "approvald/enrol/run.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LEAVE_WORDS "leave the pair"
/* It is taken out of the pair when it is stopped; where that did not come about, the other host has
 * it switched off after fence.leave. */
#define FENCE_WORDS                                                                                \
    "Look at the other host's  approvalctl status : when it waits for this one, say there  "       \
    "approvalctl peer-off , or it has this one switched off after two minutes."

struct leave {
    struct pair_setup setup;
    struct aside_place place;
    char backup[ENROL_PATH_SIZE];
    char kept[ENROL_PATH_SIZE];
};

static bool confirmed(const struct ctl *ctl, bool fence)
{
    const char *given = options_text(&ctl->options, OPTION_CONFIRM);
    char line[64];

    if (given != NULL) {
        return strcmp(given, LEAVE_WORDS) == 0;
    }
    if (isatty(STDIN_FILENO) != 1) {
        return false;
    }
    (void)fprintf(stderr,
                  "This host's certificates and configurations of the pair are removed; its store "
                  "stays.%s\nType \"%s\" to go on: ",
                  fence ? "\n" FENCE_WORDS : "", LEAVE_WORDS); /* a prompt */
    if (fgets(line, sizeof line, stdin) == NULL) {
        return false;
    }
    line[strcspn(line, "\n")] = '\0';
    return strcmp(line, LEAVE_WORDS) == 0;
}

/* approvalctl backup, as a command of its own. */
static enum err_code back_up(struct leave *leave, uint64_t now_s, struct err *err)
{
    const char *const argv[] = {"/proc/self/exe", "backup", leave->backup, NULL};
    int size = snprintf(leave->backup, sizeof leave->backup, "%s.of-pair-%" PRIu64 ".backup",
                        leave->place.data, now_s);
    int code = 0;
    enum err_code rc;

    if (size < 0 || (size_t)size >= sizeof leave->backup) {
        return err_set(err, ERR_INVALID, "%s: too long a path", leave->place.data);
    }
    rc = run_program(argv, NULL, false, &code, err);
    if (rc == ERR_OK && code != CTL_OK) {
        rc =
            err_set(err, ERR_UNAVAILABLE,
                    "no backup could be made of what this host has: nothing was done; with --force "
                    "it leaves without its store");
    }
    return rc;
}

static enum err_code take_store(struct ctl *ctl, struct leave *leave, struct err *err)
{
    uint64_t now_s = pair_setup_now_s();
    enum err_code rc =
        aside_find(&leave->setup.home, pair_setup_supervisor(ctl), &leave->place, err);

    if (rc != ERR_OK || leave->place.data[0] == '\0') {
        return rc;
    }
    if (!options_has(&ctl->options, OPTION_FORCE)) {
        rc = back_up(leave, now_s, err);
    }
    return rc == ERR_OK
               ? aside_store(&leave->setup.home, &leave->place, "of-pair", now_s, leave->kept, err)
               : rc;
}

/* Before anything is done: what somebody has added may want a pair. */
static enum err_code look_ahead(struct ctl *ctl, struct leave *leave, struct err *err)
{
    const struct apply apply = {.home = &leave->setup.home,
                                .supervisor = pair_setup_supervisor(ctl)};
    enum err_code rc = apply_may_remove(&apply, err);

    if (rc == ERR_NOT_FOUND) {
        return ERR_OK; /* without a supervisor here nothing will be refused */
    }
    return rc == ERR_INVALID
               ? err_wrap(err, rc,
                          "nothing was done; without the pair this would be refused, so "
                          "change or remove it first")
               : rc;
}

static enum err_code remove_all(struct leave *leave, struct err *err)
{
    enum err_code rc = apply_remove(&leave->setup.home, err);

    return rc == ERR_OK ? home_remove(&leave->setup.home, err) : rc;
}

/* With the pair's configurations gone: a single host. */
static enum err_code go_on_alone(struct ctl *ctl, struct leave *leave, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (leave->backup[0] != '\0') {
        rc = aside_restore(&leave->place, leave->backup, err);
        rc = rc == ERR_OK ? rc
                          : err_wrap(err, rc, "left, but its store was not made: the backup is %s",
                                     leave->backup);
    }
    if (leave->kept[0] != '\0') {
        pair_setup_say(ctl, "aside", "the store of the pair is kept in %s", leave->kept);
    }
    return rc == ERR_OK ? apply_start(&leave->setup.home, NULL, err) : rc;
}

/* What a plan that cannot be read has is nothing to warn of. */
static bool has_fence(struct leave *leave)
{
    struct pair_setup *setup = &leave->setup;
    struct err ignored = ERR_INIT;

    return home_load_plan(&setup->home, &setup->plan, &setup->host, setup->interface, &ignored) ==
               ERR_OK &&
           setup->plan.fence;
}

int cmd_pair_leave(struct ctl *ctl)
{
    struct leave leave = {.backup = "", .kept = ""};
    struct err err = ERR_INIT;
    enum err_code rc = ERR_OK;
    bool stores;
    bool fence;
    int code = pair_setup_open(ctl, &leave.setup);

    if (code != CTL_OK) {
        return code;
    }
    fence = has_fence(&leave);
    if (!confirmed(ctl, fence)) {
        return ctl_usage(ctl, "not confirmed: nothing was done; without a terminal: --confirm "
                              "\"" LEAVE_WORDS "\"");
    }
    /* Repeated after a cut, what is left to do is left to do. */
    stores = pair_setup_is_live(&leave.setup) && home_has_plan(&leave.setup.home);
    rc = home_has_plan(&leave.setup.home) ? look_ahead(ctl, &leave, &err) : rc;
    rc = rc == ERR_OK && stores ? take_store(ctl, &leave, &err) : rc;
    rc = rc == ERR_OK ? remove_all(&leave, &err) : rc;
    rc = rc == ERR_OK && stores ? go_on_alone(ctl, &leave, &err) : rc;
    if (rc != ERR_OK) {
        return ctl_fail_err(ctl, &err);
    }
    pair_setup_say(ctl, "left", "left the pair");
    if (fence) {
        pair_setup_say(ctl, "fence", FENCE_WORDS);
    }
    return CTL_OK;
}
