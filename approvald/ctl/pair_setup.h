/* SPDX-License-Identifier: Apache-2.0 */
/* pair_setup.h: what the commands that set a pair up share. Functions that return int return an
 * enum ctl_exit and have said what went wrong. */
#ifndef APPROVALD_CTL_PAIR_SETUP_H
#define APPROVALD_CTL_PAIR_SETUP_H

#include "approvald/enrol/home.h"

#include <stdbool.h>

struct ctl;

struct pair_setup {
    struct home home;
    struct plan plan;
    unsigned int host;
    char interface[PLAN_WORD_SIZE];
};

uint64_t pair_setup_now_s(void);
/* This host now, as its certificates name it; borrowed from setup. */
struct home_self pair_setup_self(const struct pair_setup *setup);
/* The folder of --root or of this host; refuses who is not root, for whom nothing would work. */
int pair_setup_find(struct ctl *ctl, struct pair_setup *setup);
/* The same; refused while this host is leaving a pair. */
int pair_setup_open(struct ctl *ctl, struct pair_setup *setup);
/* And what it says of the pair. */
int pair_setup_load(struct ctl *ctl, struct pair_setup *setup);
/* This host itself, and not a tree of files. */
bool pair_setup_is_live(const struct pair_setup *setup);

/* The supervisor's program: --program, else the installed one. */
const char *pair_setup_supervisor(const struct ctl *ctl);
/* Says what has happened: a line of text or, with --json, {"event": …, "text": …}. */
void pair_setup_say(const struct ctl *ctl, const char *event, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The next step, by the plan's way to speak with Slack; nothing where there is none. */
void pair_setup_say_slack(const struct ctl *ctl, const struct pair_setup *setup);

/* Makes a token for that role and prints it with what to do with it. */
int pair_setup_offer(struct ctl *ctl, const struct pair_setup *setup, enum enrol_role role);
/* Waits for those who bring the tokens: in the background where systemd is, else here. */
int pair_setup_serve(struct ctl *ctl, struct pair_setup *setup);
/* Writes the configurations, and with start restarts the services when something has changed. */
int pair_setup_apply(struct ctl *ctl, const struct pair_setup *setup, bool start);

/* Has what was renewed put in use, when changed says so or what approvald serves with is not what
 * its file has. Fails when it is not in use afterwards: the reload was refused. */
int pair_setup_reload(struct ctl *ctl, const struct pair_setup *setup, bool changed);

#endif
