/* SPDX-License-Identifier: Apache-2.0 */
/* pair_fence.h: the fence devices of a pair, from options and questions, tried before they count.
 */
#ifndef APPROVALD_CTL_PAIR_FENCE_H
#define APPROVALD_CTL_PAIR_FENCE_H

#include "approvald/enrol/device_home.h"

#include <stdbool.h>

struct ctl;
struct pair_setup;

/* An option of fence devices was given. */
bool pair_fence_is_given(const struct ctl *ctl);
/* The devices of both hosts: what is given as options, else what a person says; each secret from
 * standard input or a hidden prompt. Wipe them. ERR_INVALID says what is missing or wrong. */
enum err_code
pair_fence_read(const struct ctl *ctl, struct device_pair *ret_pair, struct err *err) WARN_UNUSED;
/* Asks both devices, seen from host setup->host, whether their hosts are on, and says so. This
 * host is on; peer_is_on: the other one is known to be. An error says which device will not do and
 * why; nothing is kept of it then. A device of this host that cannot be asked from here is only
 * told: it is the other host that needs it. */
enum err_code pair_fence_try(const struct ctl *ctl,
                             const struct pair_setup *setup,
                             const struct device_pair *pair,
                             bool peer_is_on,
                             struct err *err) WARN_UNUSED;

#endif
