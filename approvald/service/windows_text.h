/* SPDX-License-Identifier: Apache-2.0 */
/* windows_text.h: what a policy's text says about windows of time. Only policy_text.c includes it.
 */
#ifndef APPROVALD_SERVICE_WINDOWS_TEXT_H
#define APPROVALD_SERVICE_WINDOWS_TEXT_H

#include "approvald/core/types.h"
#include "base/err.h"

struct conf_section;

/* Reads windows, time_zone and outside_windows; spans borrow from the section. ERR_INVALID. */
enum err_code windows_text_read(const struct conf_section *section,
                                struct policy *policy,
                                struct err *err) WARN_UNUSED;

#endif
