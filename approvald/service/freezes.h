/* SPDX-License-Identifier: Apache-2.0 */
/* freezes.h: change freezes: added, removed, listed. As service.h. */
#ifndef APPROVALD_SERVICE_FREEZES_H
#define APPROVALD_SERVICE_FREEZES_H

#include "approvald/core/freeze.h"
#include "approvald/service/service.h"

/* Root's. The same freeze again is ERR_OK and writes nothing, another one of that name ERR_EXISTS;
 * ERR_INVALID, ERR_FULL. added_ms and added_by are the service's. */
enum err_code service_freeze_add(struct service *service,
                                 const struct actor *actor,
                                 const struct freeze *freeze,
                                 service_done_fn *done,
                                 void *arg,
                                 struct err *err) WARN_UNUSED;
/* ERR_NOT_FOUND. */
enum err_code service_freeze_remove(struct service *service,
                                    const struct actor *actor,
                                    struct span name,
                                    service_done_fn *done,
                                    void *arg,
                                    struct err *err) WARN_UNUSED;
/* By name, damaged ones included. now_ms is the time of records: what holds, is to come, or is
 * over. */
typedef void service_freezes_fn(void *arg,
                                enum err_code rc,
                                const struct err *err,
                                const struct freeze *freezes,
                                size_t count,
                                uint64_t now_ms);
enum err_code service_freeze_list(struct service *service,
                                  service_freezes_fn *done,
                                  void *arg,
                                  struct err *err) WARN_UNUSED;

/* What is in the way of a claim under the policy's newest version now. */
struct service_gate {
    bool held;
    bool unknown; /* hold.freeze is damaged; if it is empty, this host does not know the zone of the
                     policy's windows */
    struct request_hold hold;
};
typedef void service_gate_fn(void *arg,
                             enum err_code rc,
                             const struct err *err,
                             const struct service_gate *gate);
/* ERR_NOT_FOUND: no such policy. */
enum err_code service_gate(struct service *service,
                           struct span policy,
                           service_gate_fn *done,
                           void *arg,
                           struct err *err) WARN_UNUSED;

#endif
