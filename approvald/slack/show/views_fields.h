/* SPDX-License-Identifier: Apache-2.0 */
/* views_fields.h: a policy's own fields in the form with which people ask: inputs, and what comes
 * back in them. Pure. Each has the block_id "fields.NAME", as the service's messages name it. */
#ifndef APPROVALD_SLACK_SHOW_VIEWS_FIELDS_H
#define APPROVALD_SLACK_SHOW_VIEWS_FIELDS_H

#include "approvald/core/fields.h"
#include "approvald/core/types.h"

struct json;
struct payload;

#define VIEW_FIELDS_PREFIX "fields."

/* Adds an input for each field. Their action_id is the policy: what was filled in for one policy is
 * not taken for another's. */
void view_fields_add(struct json *blocks, const struct policy *policy);
/* Every field in the submitted view, empty ones too; spans borrow from the payload. ERR_INVALID: a
 * value is longer than any; the message names it. */
enum err_code view_fields_read(const struct payload *payload,
                               struct field_values *ret_values,
                               struct err *err) WARN_UNUSED;
/* Has the view exactly the fields that the policy asks for? */
bool view_fields_match(const struct field_values *values, const struct policy *policy);

#endif
