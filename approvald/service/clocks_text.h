/* SPDX-License-Identifier: Apache-2.0 */
/* clocks_text.h: what a policy's text says about time. Only policy_text.c includes it. */
#ifndef APPROVALD_SERVICE_CLOCKS_TEXT_H
#define APPROVALD_SERVICE_CLOCKS_TEXT_H

#include "approvald/core/types.h"
#include "base/err.h"

struct conf_section;

/* All lists of escalate_to together. */
#define CLOCKS_TEXT_ID_COUNT_MAX (1 + CORE_ESCALATE_USER_COUNT_MAX + CORE_POLICY_GROUP_COUNT_MAX)

/* Fills policy->clocks; policy_check judges it. Spans borrow from the section. ERR_INVALID: more
 * ids than there is room for. */
enum err_code clocks_text_read(const struct conf_section *section,
                               struct policy *policy,
                               struct err *err) WARN_UNUSED;

#endif
