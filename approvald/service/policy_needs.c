/* SPDX-License-Identifier: Apache-2.0 */
/* policy_needs.c: a policy's needs as text.
 * Owns the form of an item.
 * Never judges needs against each other. */
#include "approvald/service/policy_needs.h"

#include "approvald/core/email.h"
#include "approvald/core/policy.h"
#include "base/assert.h"
#include "base/text.h"

#include <string.h>

static bool is_space(char character)
{
    return character == ' ' || character == '\t' || character == ',';
}

/* The next word of what is left, empty at the end; a ':' ends a word and belongs to it. */
static struct span next_word(struct span *left)
{
    struct span word;
    size_t size = 0;

    while (left->size > 0 && is_space(left->data[0])) {
        *left = span_of(left->data + 1, left->size - 1);
    }
    while (size < left->size && !is_space(left->data[size]) &&
           (size == 0 || left->data[size - 1] != ':')) {
        size++;
    }
    word = span_of(left->data, size);
    *left = span_of(left->data + size, left->size - size);
    return word;
}

/* The id's place in the list, where it is added when it is new; count_max: there is no room. */
static uint32_t place_of(struct span *ids, uint32_t *count, uint32_t count_max, struct span id)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (span_equal(ids[i], id)) {
            return i;
        }
    }
    if (*count < count_max) {
        ids[*count] = id;
        *count += 1;
        return *count - 1;
    }
    return count_max;
}

static enum err_code
add_name(struct policy *policy, struct policy_need *need, struct span id, struct err *err)
{
    bool is_group = slack_crowd_is_valid(id);
    uint32_t at;

    if (!is_group && !slack_user_is_valid(id) && !email_is_valid(id)) {
        return err_set(
            err, ERR_INVALID,
            "needs: %.*s: \"%.*s\" is no Slack id of a user (U…, W…), a user group (S…) or "
            "a channel (C…, G…), and no e-mail address in small letters",
            SPAN_ARGS(need->need.name), SPAN_ARGS(id));
    }
    at = is_group ? place_of(policy->groups, &policy->group_count, CORE_POLICY_GROUP_COUNT_MAX, id)
                  : place_of(policy->users, &policy->user_count, CORE_POLICY_USER_COUNT_MAX, id);
    if (at == (is_group ? CORE_POLICY_GROUP_COUNT_MAX : CORE_POLICY_USER_COUNT_MAX)) {
        return err_set(err, ERR_INVALID,
                       "needs: at most %d people and %d groups in all of them together",
                       CORE_POLICY_USER_COUNT_MAX, CORE_POLICY_GROUP_COUNT_MAX);
    }
    if (is_group) {
        need->groups |= UINT32_C(1) << at;
    } else {
        need->users |= UINT64_C(1) << at;
    }
    return ERR_OK;
}

static enum err_code malformed(struct span item, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "needs: \"%.*s\": as \"security: 1 of S0SECURITY U0BOB\", or \"or\" alone",
                   SPAN_ARGS(item));
}

static enum err_code
parse_need(struct span item, struct policy *policy, struct policy_need *need, struct err *err)
{
    struct span left = item;
    struct span name = next_word(&left);
    uint64_t quorum = 0;
    struct span id;
    enum err_code rc = ERR_OK;

    if (name.size < 2 || name.data[name.size - 1] != ':' ||
        !text_parse_u64(next_word(&left), &quorum) || quorum > CORE_QUORUM_MAX ||
        !span_is(next_word(&left), "of")) {
        return malformed(item, err);
    }
    need->need.name = span_of(name.data, name.size - 1);
    need->need.quorum = (uint32_t)quorum;
    for (id = next_word(&left); rc == ERR_OK && id.size > 0; id = next_word(&left)) {
        rc = add_name(policy, need, id, err);
    }
    return rc;
}

enum err_code
policy_needs_parse(struct span item, struct policy *policy, uint32_t *alternative, struct err *err)
{
    uint32_t last =
        policy->need_count == 0 ? 0 : policy->needs[policy->need_count - 1].need.alternative;
    struct policy_need need = {.users = 0};
    enum err_code rc;

    if (span_is(item, "or")) {
        if (policy->need_count == 0 || *alternative != last) {
            return malformed(item, err); /* nothing stands before it */
        }
        *alternative += 1;
        return ERR_OK;
    }
    if (policy->need_count == CORE_NEED_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "needs: at most %d", CORE_NEED_COUNT_MAX);
    }
    rc = parse_need(item, policy, &need, err);
    if (rc == ERR_OK) {
        need.need.alternative = *alternative;
        policy->needs[policy->need_count++] = need;
    }
    return rc;
}
