/* SPDX-License-Identifier: Apache-2.0 */
/* policy_diff.h: what an apply changes, as JSON for people's tools:
 * {"dry_run":false,"policies":[{"name":"x","change":"changed","version":2,"fields":[
 *   {"name":"quorum","before":"1","after":"2"}]}],"retention":{"change":"unchanged",
 *   "requests":"90d","audit":"400d"}}
 * change is one of added, changed, unchanged, deleted, restored; before is null when added. */
#ifndef APPROVALD_SERVICE_POLICY_DIFF_H
#define APPROVALD_SERVICE_POLICY_DIFF_H

#include "approvald/core/codec.h"

struct buf;

enum policy_change {
    POLICY_ADDED = 1,
    POLICY_CHANGED,
    POLICY_UNCHANGED,
    POLICY_DELETED,
    POLICY_RESTORED,
};

/* before is NULL for a new policy. */
enum policy_change policy_change_of(const struct policy *before, const struct policy *after);
enum err_code policy_diff_open(struct buf *json, bool dry_run, struct err *err) WARN_UNUSED;
/* first: no comma before it. */
enum err_code policy_diff_add(struct buf *json,
                              bool first,
                              const struct policy *before,
                              const struct policy *after,
                              struct err *err) WARN_UNUSED;
enum err_code policy_diff_close(struct buf *json,
                                bool retention_changed,
                                const struct retention *retention,
                                struct err *err) WARN_UNUSED;

#endif
