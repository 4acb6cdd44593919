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
/* No supervisor is started here any more: the track file, where there is one, says "not eligible"
 * then, unless a supervisor runs on that state_dir: it says what is so. ERR_IO: it could neither be
 * written nor removed. Blocks (disk). */
enum err_code sup_give_up(const struct sup_config *config, struct err *err) WARN_UNUSED;
/* The configuration cannot be read: the same at the default places. A file elsewhere is not known:
 * only the configuration names it. */
void sup_deny_default(void);

#endif
