/* SPDX-License-Identifier: Apache-2.0 */
/* policy_rules.h: the rules of a version of a policy as one short text, for people who compare. */
#ifndef APPROVALD_SERVICE_POLICY_RULES_H
#define APPROVALD_SERVICE_POLICY_RULES_H

#include "approvald/core/types.h"
#include "base/err.h"

/* SHA-256 over "field=value\n" of the fields that are rules, as policy show prints them, in hex. */
#define POLICY_RULES_TEXT_SIZE 65
enum err_code policy_rules_hash(const struct policy *policy,
                                char ret_text[POLICY_RULES_TEXT_SIZE],
                                struct err *err) WARN_UNUSED;

/* "version 3, rules <hash>" */
#define POLICY_BOUND_TEXT_SIZE 104
enum err_code policy_bound_text(const struct policy *policy,
                                char ret_text[POLICY_BOUND_TEXT_SIZE],
                                struct err *err) WARN_UNUSED;

#endif
