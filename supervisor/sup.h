/* SPDX-License-Identifier: Apache-2.0 */
/* sup.h: the supervisor as a whole: the loop around the cores watch and failover. */
#ifndef SUPERVISOR_SUP_H
#define SUPERVISOR_SUP_H

#include "base/err.h"

struct sup;
struct sup_config;

/* Takes the configuration, whatever comes of it; file is where it came from, for reloads. Binds the
 * sockets, opens what is kept, starts nothing yet. Blocks (disk, approvald --print-sockets). */
enum err_code sup_new(struct sup_config *config_take,
                      const char *file,
                      struct sup **ret_sup,
                      struct err *err) WARN_UNUSED;
/* Runs until a signal stops it; the child has ended when it returns. */
enum err_code sup_run(struct sup *sup, struct err *err) WARN_UNUSED;
void sup_free(struct sup *sup); /* NULL is allowed */
/* The configuration cannot be read: a track file of a former life at its default place says "not
 * eligible" then, unless a supervisor runs on the default state_dir. A file elsewhere is not known:
 * only the configuration names it. */
void sup_deny_default(void);

#endif
