/* SPDX-License-Identifier: Apache-2.0 */
/* email.h: the e-mail addresses by which policies may name people. Pure. */
#ifndef APPROVALD_CORE_EMAIL_H
#define APPROVALD_CORE_EMAIL_H

#include "approvald/core/types.h"

/* A policy names somebody by his e-mail address, not by an id: it has an '@'. */
bool email_is_meant(struct span name);
/* As policies have to write it: small letters, digits and ".", "_", "%", "+", "'", "=", "-" before
 * one '@', a host name with a dot behind it, at most CORE_EMAIL_SIZE_MAX bytes. */
bool email_is_valid(struct span email);
/* The addresses among the policy's people, in their order, then those of escalate_to; how many. */
uint32_t email_list(const struct policy *policy,
                    struct span ret_emails[CORE_POLICY_EMAIL_COUNT_MAX]);

#endif
