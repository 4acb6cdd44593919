/* SPDX-License-Identifier: Apache-2.0 */
/* policy_clocks.h: validity and differences of what a policy says about time. Only policy.c
 * includes it. Pure. */
#ifndef APPROVALD_CORE_POLICY_CLOCKS_H
#define APPROVALD_CORE_POLICY_CLOCKS_H

#include "approvald/core/types.h"
#include "base/err.h"

struct buf;

/* ERR_INVALID: names the field, as policy_check does. The other fields are valid. */
enum err_code policy_clocks_check(const struct policy *policy, struct err *err) WARN_UNUSED;

/* The fields behind those of policy.c; index < POLICY_CLOCKS_FIELD_COUNT. */
#define POLICY_CLOCKS_FIELD_COUNT 5
const char *policy_clocks_field_name(size_t index);
enum err_code policy_clocks_field_format(const struct policy_clocks *clocks,
                                         size_t index,
                                         struct buf *buf,
                                         struct err *err) WARN_UNUSED;
/* It says who decides, and how; not only who is told when. */
bool policy_clocks_field_is_rule(size_t index);
bool policy_clocks_field_equal(const struct policy_clocks *a,
                               const struct policy_clocks *b,
                               size_t index);

#endif
