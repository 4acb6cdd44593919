/* SPDX-License-Identifier: Apache-2.0 */
/* policy_fields.h: the fields of policies as text: sections "field NAME { … }", which policies of
 * the same text name. For policy_text.c. */
#ifndef APPROVALD_SERVICE_POLICY_FIELDS_H
#define APPROVALD_SERVICE_POLICY_FIELDS_H

#include "base/err.h"
#include "base/span.h"

struct conf;
struct conf_section;
struct policy_fields;

enum err_code policy_fields_new(struct policy_fields **ret_fields, struct err *err) WARN_UNUSED;
void policy_fields_free(struct policy_fields *fields); /* NULL is allowed */
/* The stored form of the fields that the policy's section names, which fields owns; empty without
 * any. ERR_INVALID: the message names the field and how to put it right; ERR_NOMEM. */
enum err_code policy_fields_read(struct policy_fields *fields,
                                 const struct conf *conf,
                                 const struct conf_section *policy,
                                 struct span *ret_stored,
                                 struct err *err) WARN_UNUSED;
/* ERR_INVALID for a field that none of the policies read has named: a slip of the pen. */
enum err_code policy_fields_check_used(const struct policy_fields *fields,
                                       const struct conf *conf,
                                       struct err *err) WARN_UNUSED;

#endif
