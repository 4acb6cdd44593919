/* SPDX-License-Identifier: Apache-2.0 */
/* policy.h: what makes a policy valid, and what differs between two versions. Pure. */
#ifndef APPROVALD_CORE_POLICY_H
#define APPROVALD_CORE_POLICY_H

#include "approvald/core/types.h"
#include "base/err.h"

struct buf;

/* [a-z0-9._-]+, at most CORE_NAME_SIZE_MAX bytes, not beginning with '.' or '-'. */
bool policy_name_is_valid(struct span name);
/* ^[UW][A-Z0-9]+$, ^S[A-Z0-9]+$, ^[CG][A-Z0-9]+$, of bounded size. */
bool slack_user_is_valid(struct span id);
bool slack_group_is_valid(struct span id);
bool slack_channel_is_valid(struct span id);
/* One of a policy's people: a Slack user's id, or an e-mail address. */
bool policy_person_is_valid(struct span name);
/* Whose members may be approvers: a user group or a channel. */
bool slack_crowd_is_valid(struct span id);

/* ERR_INVALID: the message names the field, says what is wrong and how to put it right. */
enum err_code policy_check(const struct policy *policy, struct err *err) WARN_UNUSED;

/* The fewest people who can be enough: a policy's quorum; with needs it has to be the quorum. */
uint32_t policy_fewest(const struct policy *policy);
/* The parts of policy_check, policy_field_format and policy_field_equal that are about needs,
 * rejections and excluded groups: policy_needs.c. Equal when both name the same users and groups
 * too. As in the text: "security: 1 of S0SEC, ops: 2 of S0OPS U0BOB, or, director: 1 of U0DIR". */
enum err_code policy_needs_check(const struct policy *policy, struct err *err) WARN_UNUSED;
enum err_code
policy_needs_format(const struct policy *policy, struct buf *buf, struct err *err) WARN_UNUSED;
bool policy_needs_equal(const struct policy *a, const struct policy *b);

/* The fields that people set, in the order in which a difference shows them. */
#define POLICY_FIELD_COUNT 28
/* As in the policy's text; index < POLICY_FIELD_COUNT. */
const char *policy_field_name(size_t index);
/* Does it say who decides, how, or when what they approved may be used? */
bool policy_field_is_rule(size_t index);
/* Appends the value of a field for people: "2", "24h", "U1, S2", "yes". */
enum err_code policy_field_format(const struct policy *policy,
                                  size_t index,
                                  struct buf *buf,
                                  struct err *err) WARN_UNUSED;
bool policy_field_equal(const struct policy *a, const struct policy *b, size_t index);
/* The fields that say who decides, and how, are equal: what was approved under one of them would
 * have been under the other. Where it is shown and how long it waits is not among them. */
bool policy_rules_equal(const struct policy *a, const struct policy *b);
/* All fields are equal and both are alive or both deleted. */
bool policy_equal(const struct policy *a, const struct policy *b);

/* As in the policy's text. */
const char *policy_recheck_word(enum recheck recheck);

/* Lists of ids, for the files of this kind: each valid (what says what it should be) and given
 * once; appended with commas behind what is there; the same in the same order. */
enum err_code policy_check_ids(const struct span *items,
                               uint32_t count,
                               bool (*is_valid)(struct span item),
                               const char *what,
                               struct err *err) WARN_UNUSED;
enum err_code policy_format_ids(const struct span *items,
                                uint32_t count,
                                struct buf *buf,
                                struct err *err) WARN_UNUSED;
bool policy_ids_equal(const struct span *a, uint32_t a_count, const struct span *b, uint32_t count);

/* Appends a duration in its largest exact unit: "90m", "24h", "7d"; "never" for 0. */
enum err_code policy_format_ms(uint64_t duration_ms, struct buf *buf, struct err *err) WARN_UNUSED;

#endif
