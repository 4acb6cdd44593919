/* SPDX-License-Identifier: Apache-2.0 */
/* policy_glass.h: validity and differences of what a policy says about breaking the glass. Only
 * policy.c includes it. Pure. */
#ifndef APPROVALD_CORE_POLICY_GLASS_H
#define APPROVALD_CORE_POLICY_GLASS_H

#include "approvald/core/types.h"
#include "base/err.h"

struct buf;

/* ERR_INVALID: names the field, as policy_check does. */
enum err_code policy_glass_check(const struct policy *policy, struct err *err) WARN_UNUSED;

/* The fields behind those of policy_clocks.h; index < POLICY_GLASS_FIELD_COUNT. */
#define POLICY_GLASS_FIELD_COUNT 2
const char *policy_glass_field_name(size_t index);
enum err_code policy_glass_field_format(const struct policy_glass *glass,
                                        size_t index,
                                        struct buf *buf,
                                        struct err *err) WARN_UNUSED;
/* It says who may; not only who is told. */
bool policy_glass_field_is_rule(size_t index);
bool policy_glass_field_equal(const struct policy_glass *a,
                              const struct policy_glass *b,
                              size_t index);

#endif
