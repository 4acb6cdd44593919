/* SPDX-License-Identifier: Apache-2.0 */
/* email.c: which texts are e-mail addresses.
 * Owns the one way to write an address, so that two that are equal are equal bytes.
 * Never knows whose address it is: Slack does. */
#include "approvald/core/email.h"

#include <string.h>

#define LOCAL_SIZE_MAX ((size_t)64) /* bytes before the '@', as the standard says */
#define LABEL_SIZE_MAX ((size_t)63) /* of one word of a host name, likewise */

bool email_is_meant(struct span name)
{
    return name.size > 0 && memchr(name.data, '@', name.size) != NULL;
}

static bool is_letter_or_digit(char at)
{
    return (at >= 'a' && at <= 'z') || (at >= '0' && at <= '9');
}

/* Words of letters, digits and marks with a dot between each two; how many, 0: it is none. A word
 * of a host name does not begin or end with a mark. */
static uint32_t count_words(struct span text, const char *marks, bool is_host)
{
    uint32_t count = 1;
    size_t begin = 0;

    for (size_t i = 0; i <= text.size; i++) {
        bool end = i == text.size || text.data[i] == '.';

        if (end && (i == begin || i - begin > (is_host ? LABEL_SIZE_MAX : LOCAL_SIZE_MAX))) {
            return 0;
        }
        if (end && is_host &&
            !(is_letter_or_digit(text.data[begin]) && is_letter_or_digit(text.data[i - 1]))) {
            return 0;
        }
        if (!end && !is_letter_or_digit(text.data[i]) &&
            (text.data[i] == '\0' || strchr(marks, text.data[i]) == NULL)) {
            return 0;
        }
        count += end && i < text.size ? 1 : 0;
        begin = end ? i + 1 : begin;
    }
    return count;
}

bool email_is_valid(struct span email)
{
    const char *at = email.size == 0 ? NULL : memchr(email.data, '@', email.size);
    size_t local;

    if (at == NULL || email.size > CORE_EMAIL_SIZE_MAX) {
        return false;
    }
    local = (size_t)(at - email.data);
    return local <= LOCAL_SIZE_MAX &&
           count_words(span_of(email.data, local), "_%+'=-", false) > 0 &&
           count_words(span_of(at + 1, email.size - local - 1), "-", true) > 1;
}

static uint32_t
add_emails(const struct span *users, uint32_t user_count, struct span *ret_emails, uint32_t count)
{
    for (uint32_t i = 0; i < user_count; i++) {
        if (email_is_meant(users[i])) {
            ret_emails[count++] = users[i];
        }
    }
    return count;
}

uint32_t email_list(const struct policy *policy,
                    struct span ret_emails[CORE_POLICY_EMAIL_COUNT_MAX])
{
    const struct policy_clocks *clocks = &policy->clocks;
    uint32_t count = add_emails(policy->users, policy->user_count, ret_emails, 0);

    return add_emails(clocks->escalate_users, clocks->escalate_user_count, ret_emails, count);
}
