/* SPDX-License-Identifier: Apache-2.0 */
/* device_home.h: the fence devices of a pair on one of its hosts:
 *
 *   /etc/approvald/fence/peer       the other host's: the credential of who asks it, and nobody's
 *                                   else (approvald-fence@.service, LoadCredential=)
 *   /etc/approvald/fence/candidate  one that is tried, before anything counts
 *   /etc/approvald/pair/fence-own   this host's own, which it never asks: for who joins
 *
 * Root's, mode 0600. A file that somebody else has written is never changed. Calls block (disk). */
#ifndef APPROVALD_ENROL_DEVICE_HOME_H
#define APPROVALD_ENROL_DEVICE_HOME_H

#include "approvald/enrol/device.h"
#include "approvald/enrol/device_ask.h"
#include "approvald/enrol/home.h"
#include "base/err.h"

#include <stdbool.h>

/* The pair's two: of host 1, of host 2. */
struct device_pair {
    struct device of[2];
};

void device_pair_wipe(struct device_pair *pair);
/* ERR_INVALID: one is not whole, or both are the same: a host would switch itself off. */
enum err_code device_pair_check(const struct device_pair *pair, struct err *err) WARN_UNUSED;

bool device_pair_equal(const struct device_pair *a, const struct device_pair *b);
/* What was granted with the plan. ERR_INVALID: it does not fit it, or is not whole. */
enum err_code device_pair_granted(const struct reply *reply,
                                  const struct plan *plan,
                                  struct device_pair *ret_pair,
                                  struct err *err) WARN_UNUSED;

/* What host has. ERR_NOT_FOUND: none. */
enum err_code device_home_load(const struct home *home,
                               unsigned int host,
                               struct device_pair *ret_pair,
                               struct err *err) WARN_UNUSED;
/* ERR_EXISTS: a file of that name is not ours. Asked before anything is done. */
enum err_code device_home_may_save(const struct home *home, struct err *err) WARN_UNUSED;
/* As device_home_may_save. */
enum err_code device_home_save(const struct home *home,
                               unsigned int host,
                               const struct device_pair *pair,
                               struct err *err) WARN_UNUSED;
/* ERR_NOT_FOUND: there is no such agent here (below home's root); says how to get it. */
enum err_code device_home_agent(const struct home *home,
                                const struct device *device,
                                struct err *err) WARN_UNUSED;
/* Asks the device for its status: writes it as the candidate, which is gone again afterwards.
 * Starts the helper's socket on this host itself. As device_ask. */
enum err_code device_home_try(const struct home *home,
                              const struct device *device,
                              const char *socket,
                              enum device_says *ret_says,
                              struct err *err) WARN_UNUSED;
/* The helper is there from now on, also after a restart. Nothing below another root. */
enum err_code device_home_enable(const struct home *home, struct err *err) WARN_UNUSED;
/* Removes what is ours; the helper's socket ends when nothing of somebody else's is left. */
enum err_code device_home_remove(const struct home *home, struct err *err) WARN_UNUSED;

#endif
