/* SPDX-License-Identifier: Apache-2.0 */
/* glass_text.h: what a policy's text says about breaking the glass. Only policy_text.c includes it.
 */
#ifndef APPROVALD_SERVICE_GLASS_TEXT_H
#define APPROVALD_SERVICE_GLASS_TEXT_H

#include "approvald/core/types.h"
#include "base/err.h"

struct conf_section;

/* More are refused by the reader of the file already. */
#define GLASS_TEXT_NAME_COUNT_MAX (1 + CORE_GLASS_USER_COUNT_MAX)
#define GLASS_TEXT_TELL_COUNT_MAX (1 + CORE_GLASS_TELL_COUNT_MAX)

/* Reads break_glass and break_glass_tell; spans borrow from the section. ERR_INVALID. */
enum err_code glass_text_read(const struct conf_section *section,
                              struct policy *policy,
                              struct err *err) WARN_UNUSED;

#endif
