/* SPDX-License-Identifier: Apache-2.0 */
/* trial.h: what the supervisor would say of its configuration without one of its fragments. The
 * files of the host stay as they are: it reads a folder of links to all the others. Blocks. */
#ifndef APPROVALD_ENROL_TRIAL_H
#define APPROVALD_ENROL_TRIAL_H

#include "base/err.h"

/* config: the supervisor's; fragment: a name in its folder of fragments, left out, or NULL.
 * ERR_INVALID: it would be refused, the message is the supervisor's own; ERR_DENIED: this host
 * would still be one of a pair; ERR_NOT_FOUND: there is no such program. */
enum err_code trial_alone(const char *supervisor,
                          const char *config,
                          const char *fragment,
                          struct err *err) WARN_UNUSED;

#endif
