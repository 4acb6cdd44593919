/* SPDX-License-Identifier: Apache-2.0 */
/* run.h: other programs of the host, started without a shell. Blocks until they have ended. */
#ifndef APPROVALD_ENROL_RUN_H
#define APPROVALD_ENROL_RUN_H

#include "base/err.h"

#include <stdbool.h>

struct buf;

/* Runs argv[0] (a path, or a name that PATH knows), ended by NULL, with standard input empty. What
 * it prints is appended to output (its errors too, with errors), or goes where ours goes when
 * output is NULL. ERR_NOT_FOUND: there is no such program. */
enum err_code run_program(const char *const *argv,
                          struct buf *output,
                          bool errors,
                          int *ret_code,
                          struct err *err) WARN_UNUSED;

/* systemctl with up to three words. ERR_UNAVAILABLE when it says no; its own words have been
 * printed then. */
enum err_code
run_systemctl(const char *verb, const char *option, const char *unit, struct err *err) WARN_UNUSED;
/* ERR_NOT_FOUND: this host is run by systemd and has no keepalived, which is to carry an address.
 */
enum err_code run_need_keepalived(struct err *err) WARN_UNUSED;
/* This host is run by systemd. */
bool run_has_systemd(void);

#endif
