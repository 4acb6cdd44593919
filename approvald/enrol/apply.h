/* SPDX-License-Identifier: Apache-2.0 */
/* apply.h: the configurations of a host of a pair, put in place and taken away. A file that
 * somebody else has written is never changed. Blocks. */
#ifndef APPROVALD_ENROL_APPLY_H
#define APPROVALD_ENROL_APPLY_H

#include "approvald/enrol/home.h"
#include "base/err.h"

#include <stdbool.h>

struct apply {
    const struct home *home;
    const struct plan *plan;
    unsigned int host;
    const char *interface;
    const char *supervisor; /* the program, which checks what was made and makes keepalived.conf */
};

struct applied {
    bool changed;         /* something is different from what is in force */
    bool keepalived_kept; /* the admin has a keepalived.conf of his own: ours is in the folder */
};

/* Writes supervisor.conf.d/50-pair.conf, approvald.conf.d/50-pair.conf and keepalived.conf. When
 * the supervisor does not like the whole, all is as before. ERR_EXISTS: a file of such a name is
 * not ours. */
enum err_code
apply_write(const struct apply *apply, struct applied *ret_applied, struct err *err) WARN_UNUSED;
/* Would the rest be the configuration of a single host? ERR_INVALID, with the supervisor's words:
 * something that somebody has written beside ours wants a pair; ERR_DENIED: it makes one. Changes
 * nothing (trial.h). ERR_NOT_FOUND: there is no supervisor. Of apply only home and supervisor are
 * used. */
enum err_code apply_may_remove(const struct apply *apply, struct err *err) WARN_UNUSED;
/* Removes them. keepalived is stopped when its configuration was ours: it would keep the address.
 */
enum err_code apply_remove(const struct home *home, struct err *err) WARN_UNUSED;

/* Restarts the services with what was written; without a plan the supervisor alone. Below another
 * root, or without systemd, it only forgets that this is owed: apply_write has noted it before it
 * changed anything, for who is cut in between or whose systemctl fails. */
enum err_code
apply_start(const struct home *home, const struct plan *plan, struct err *err) WARN_UNUSED;
/* Has them read renewed certificates. As apply_start. */
enum err_code apply_reload(const struct home *home, struct err *err) WARN_UNUSED;

#endif
