/* SPDX-License-Identifier: Apache-2.0 */
/* groups.h: the user groups that the directory has to keep fresh, in the loop's memory. */
#ifndef APPROVALD_SERVICE_GROUPS_H
#define APPROVALD_SERVICE_GROUPS_H

#include "approvald/service/internal.h"

enum err_code groups_new(struct groups **ret_groups, struct err *err) WARN_UNUSED;
void groups_free(struct groups *groups);
/* A strong read of all policies, which replaces the list when it is answered. done may be NULL. */
enum err_code
groups_load(struct service *service, service_done_fn *done, void *arg, struct err *err) WARN_UNUSED;

#endif
