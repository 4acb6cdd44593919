/* SPDX-License-Identifier: Apache-2.0 */
/* policy_text.h: policies and retention as text, in the configuration's syntax. */
#ifndef APPROVALD_SERVICE_POLICY_TEXT_H
#define APPROVALD_SERVICE_POLICY_TEXT_H

#include "approvald/core/codec.h"

struct conf;
struct policy_fields;
struct policy_set;
struct policy_set {
    struct conf *conf;            /* owned; spans borrow from it */
    struct policy_fields *fields; /* owned; spans borrow from it */
    size_t count;
    struct policy *policies;    /* owned; versions are 0 */
    struct retention retention; /* 0: not given */
};

/* Parses and validates the whole text. ERR_INVALID: policy:LINE: what is wrong and how to put it
 * right. Free with policy_set_free. */
enum err_code
policy_text_parse(struct span text, struct policy_set **ret_set, struct err *err) WARN_UNUSED;
void policy_set_free(struct policy_set *set);

/* The schema, for the manual. */
struct conf_schema;
const struct conf_schema *policy_text_schema(void);

#endif
