/* SPDX-License-Identifier: Apache-2.0 */
/* policy_rules.c: the hash of a policy's rules.
 * Owns what it is over.
 * Never decides with it: a claim compares the rules themselves. */
#include "approvald/service/policy_rules.h"

#include "approvald/core/policy.h"

#include "base/buf.h"
#include "base/crypto.h"

#include <stdio.h>

#define RULES_SIZE_MAX 65536 /* bytes: all rules of a policy; its longest fields have 16 KiB */

enum err_code policy_rules_hash(const struct policy *policy,
                                char ret_text[POLICY_RULES_TEXT_SIZE],
                                struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    uint8_t hash[32];
    enum err_code rc = buf_new(RULES_SIZE_MAX, &text, err);

    for (size_t i = 0; rc == ERR_OK && i < POLICY_FIELD_COUNT; i++) {
        if (!policy_field_is_rule(i)) {
            continue;
        }
        rc = buf_append_format(text, err, "%s=", policy_field_name(i));
        if (rc == ERR_OK) {
            rc = policy_field_format(policy, i, text, err);
        }
        if (rc == ERR_OK) {
            rc = buf_append_text(text, "\n", err);
        }
    }
    if (rc == ERR_OK) {
        crypto_sha256(buf_span(text).data, buf_span(text).size, hash);
        crypto_hex(hash, sizeof hash, ret_text);
    }
    return rc;
}

enum err_code policy_bound_text(const struct policy *policy,
                                char ret_text[POLICY_BOUND_TEXT_SIZE],
                                struct err *err)
{
    char hash[POLICY_RULES_TEXT_SIZE];
    enum err_code rc = policy_rules_hash(policy, hash, err);

    if (rc == ERR_OK) {
        (void)snprintf(ret_text, POLICY_BOUND_TEXT_SIZE, "version %u, rules %s", policy->version,
                       hash); /* ten digits and the hash fit */
    }
    return rc;
}
