/* SPDX-License-Identifier: Apache-2.0 */
/* sup_config.h: the supervisor's configuration (supervisor.conf): the table of options, and what
 * must hold between them. A file without a section pair's host is one of a single host. */
#ifndef SUPERVISOR_SUP_CONFIG_H
#define SUPERVISOR_SUP_CONFIG_H

#include "base/conf.h"
#include "base/err.h"
#include "supervisor/arbiter/fence.h"
#include "supervisor/contract.h"
#include "supervisor/failover/failover.h"
#include "supervisor/watch.h"

struct lastgood;
struct sup_config;

const struct conf_schema *sup_config_schema(void);
/* Parses file (and file.d) and checks it whole. Errors name file and line. Blocks. */
enum err_code
sup_config_load(const char *file, struct sup_config **ret_config, struct err *err) WARN_UNUSED;
/* For a start: where file is broken the copy at last_good (lastgood.h; NULL: none is kept) stands
 * in, and sup_config_last_good says so. When that cannot either, the error names both reasons.
 * last_good is borrowed for the config's life. Blocks. */
enum err_code sup_config_start(const char *file,
                               const char *last_good,
                               struct sup_config **ret_config,
                               struct err *err) WARN_UNUSED;
/* It has proven itself: the next start may fall back on it. Once is enough; one that stands in
 * itself is not kept. From a thread: does not block. */
void sup_config_keep(struct sup_config *config, const char *file);
/* Of a reload: the new one is kept where the old one was. */
void sup_config_keep_as(struct sup_config *config, const struct sup_config *old);
const struct lastgood *sup_config_last_good(const struct sup_config *config);
/* From memory, for tests; name stands for the file. */
enum err_code sup_config_parse(const char *name,
                               const char *text,
                               struct sup_config **ret_config,
                               struct err *err) WARN_UNUSED;
void sup_config_free(struct sup_config *config); /* NULL is allowed */

/* All borrowed from the config. */
const struct conf *sup_config_conf(const struct sup_config *config);
const char *sup_config_text(const struct sup_config *config, const char *section, const char *name);
uint64_t sup_config_number(const struct sup_config *config, const char *section, const char *name);
bool sup_config_bool(const struct sup_config *config, const char *section, const char *name);

bool sup_config_has_pair(const struct sup_config *config);
bool sup_config_has_vip(const struct sup_config *config);
/* A pair of which one host alone answers nothing. */
bool sup_config_is_strict(const struct sup_config *config);
/* The host's number, 1 where there is no pair. */
uint8_t sup_config_host(const struct sup_config *config);

void sup_config_watch(const struct sup_config *config, struct watch_options *ret_options);
void sup_config_failover(const struct sup_config *config, struct failover_options *ret_options);
/* Of arbiter kind fence: ERR_INVALID names the file and line. */
enum err_code sup_config_check_fence(const struct sup_config *config, struct err *err) WARN_UNUSED;
/* False: there are no fence devices. */
bool sup_config_fence(const struct sup_config *config, struct fence_options *ret_options);
/* Everything but incarnation and resync. */
void sup_config_configure(const struct sup_config *config,
                          struct contract_configure *ret_configure);

/* The first option that differs and takes effect only at a start, by its name, or NULL. */
const char *sup_config_fixed_change(const struct sup_config *old, const struct sup_config *new);

#endif
