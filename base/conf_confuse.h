/* SPDX-License-Identifier: Apache-2.0 */
/* conf_confuse.h: the one door to libConfuse. One at a time in a process. For conf_load.c. */
#ifndef BASE_CONF_CONFUSE_H
#define BASE_CONF_CONFUSE_H

#include "base/conf_internal.h"

struct confuse;

enum err_code confuse_new(const struct conf_schema *schema,
                          struct confuse **ret_confuse,
                          struct err *err) WARN_UNUSED;
void confuse_free(struct confuse *confuse);
/* Parses a piece that conf_scan has passed and that begins at line of the file called name. What it
 * sets joins what former pieces set. */
enum err_code confuse_parse(struct confuse *confuse,
                            const char *name,
                            uint32_t line,
                            struct span piece,
                            struct err *err) WARN_UNUSED;
/* Everything parsed so far, with the defaults, as a configuration of its own. */
enum err_code confuse_take(const struct confuse *confuse,
                           const struct conf_marks *marks,
                           const char *file,
                           struct conf **ret_conf,
                           struct err *err) WARN_UNUSED;

#endif
