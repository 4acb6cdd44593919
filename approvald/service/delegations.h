/* SPDX-License-Identifier: Apache-2.0 */
/* delegations.h: who stands in for whom: what the loop remembers, and what the writer looks up. The
 * use cases are in service.h. */
#ifndef APPROVALD_SERVICE_DELEGATIONS_H
#define APPROVALD_SERVICE_DELEGATIONS_H

#include "approvald/service/work.h"

struct delegations;

enum err_code delegations_new(struct delegations **ret_delegations, struct err *err) WARN_UNUSED;
void delegations_free(struct delegations *delegations);
/* A strong read of all of them into memory. done may be NULL. */
enum err_code delegations_load(struct service *service,
                               service_done_fn *done,
                               void *arg,
                               struct err *err) WARN_UNUSED;

/* On the writer. Leaves in facts those for whom the user stood in at at_ms, as the store says, with
 * what the facts know of them. certain: without those of whom too little is known. */
enum err_code delegations_apply(struct work *work,
                                struct span user,
                                uint64_t at_ms,
                                bool certain,
                                struct facts *facts) WARN_UNUSED;

#endif
