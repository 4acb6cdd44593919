/* SPDX-License-Identifier: Apache-2.0 */
/* policy_windows.h: validity and differences of what a policy says about windows of time. Pure. */
#ifndef APPROVALD_CORE_POLICY_WINDOWS_H
#define APPROVALD_CORE_POLICY_WINDOWS_H

#include "approvald/core/types.h"
#include "base/err.h"

struct buf;

/* ERR_INVALID: names the field, as policy_check does. Whether there is such a zone is the host's to
 * say. Only policy.c calls it. */
enum err_code policy_windows_check(const struct policy *policy, struct err *err) WARN_UNUSED;

/* Appends "mon-fri 09:00-17:00, sat 10:00-12:00"; nothing when there is none. */
enum err_code policy_windows_format(const struct policy_windows *windows,
                                    struct buf *buf,
                                    struct err *err) WARN_UNUSED;
/* One of them as people write it: "mon-fri 09:00-17:00", "sat,sun 22:00-06:00", "daily
 * 00:00-24:00". ERR_INVALID. */
enum err_code policy_window_parse(struct span text,
                                  struct policy_window *ret_window,
                                  struct err *err) WARN_UNUSED;

/* The fields behind those of policy_glass.h; index < POLICY_WINDOWS_FIELD_COUNT. None is a rule of
 * who decides. For policy.c. */
#define POLICY_WINDOWS_FIELD_COUNT 3
const char *policy_windows_field_name(size_t index);
enum err_code policy_windows_field_format(const struct policy_windows *windows,
                                          size_t index,
                                          struct buf *buf,
                                          struct err *err) WARN_UNUSED;
/* It says when an approval may be used. */
bool policy_windows_field_is_rule(size_t index);
bool policy_windows_field_equal(const struct policy_windows *a,
                                const struct policy_windows *b,
                                size_t index);

#endif
