/* SPDX-License-Identifier: Apache-2.0 */
/* policy_needs.h: a policy's needs as text: each "NAME: COUNT of ID ID …", and "or" alone between
 * those of one alternative and those of the next. Pure. */
#ifndef APPROVALD_SERVICE_POLICY_NEEDS_H
#define APPROVALD_SERVICE_POLICY_NEEDS_H

#include "approvald/core/types.h"
#include "base/err.h"

/* Adds the need of one item, or notes the "or", which has to be followed by a need. *alternative is
 * that of the next need, 0 at first. Users and groups are added to the policy's once. ERR_INVALID;
 * spans borrow from item. Whether the needs make sense together: policy_check. */
enum err_code policy_needs_parse(struct span item,
                                 struct policy *policy,
                                 uint32_t *alternative,
                                 struct err *err) WARN_UNUSED;

#endif
