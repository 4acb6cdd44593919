/* SPDX-License-Identifier: Apache-2.0 */
/* sendfate.c: what Slack's answer to a message means for the row that owed it.
 * Owns the table of Slack's error words.
 * Never calls anything, never gives up by time (core/outbox does). Pure. */
#include "approvald/slack/outbound/sendfate.h"

#include "approvald/core/policy.h"
#include "approvald/slack/limits.h"
#include "base/assert.h"

#include <string.h>

#define ADVICE_INVITE                                                                              \
    "the app is not in the channel of this policy: write /invite @approvald there, then replay"
/* A row keeps the channel that the policy named when the request was made. */
#define ADVICE_CHANNEL                                                                             \
    "Slack knows no such channel, or it is private and the app is not in it: write /invite "       \
    "@approvald there, then replay; another channel in the policy is for new requests"
#define ADVICE_ARCHIVED                                                                            \
    "the channel is archived: unarchive it, then replay; another channel in the policy is for "    \
    "new requests"
#define ADVICE_RESTRICTED                                                                          \
    "the workspace does not let apps post in this channel: ask its admins, then replay; another "  \
    "channel in the policy is for new requests"
#define ADVICE_TAB                                                                                 \
    "direct messages to the app are off: turn on the Messages Tab under App Home of the app's "    \
    "settings"
/* In the place of those about channels, for a person's direct messages. */
#define ADVICE_PERSON                                                                              \
    "the app cannot write to this person: is he an active member of this workspace, and may the "  \
    "app write direct messages there?"
#define ADVICE_THREAD                                                                              \
    "the card was deleted: the reply waits until it is posted anew, at the next comparison"
#define ADVICE_BLOCKS "Slack refused the layout; please report this with the log line"
#define ADVICE_SCOPE                                                                               \
    "the app lacks a permission: add the scope in the app's settings and install it again"
#define ADVICE_OTHER "Slack refused it for good"

/* What a word means when posting, replying, changing and for a notice. A word that ends with '*'
 * stands for all that begin so. */
static const struct {
    const char *word;
    enum sendfate post;
    enum sendfate reply;
    enum sendfate update;
    enum sendfate ephemeral;
    const char *advice;
} fates[] = {
    {"message_not_found", FATE_DEAD, FATE_DEAD, FATE_LOST, FATE_DROP, ADVICE_OTHER},
    {"cant_update_message", FATE_DEAD, FATE_DEAD, FATE_LOST, FATE_DROP, ADVICE_OTHER},
    {"cannot_reply_to_message", FATE_DEAD, FATE_RETRY, FATE_DEAD, FATE_DROP, ADVICE_THREAD},
    {"thread_not_found", FATE_DEAD, FATE_RETRY, FATE_DEAD, FATE_DROP, ADVICE_THREAD},
    {"edit_window_closed", FATE_DEAD, FATE_DEAD, FATE_REPLY, FATE_DROP, ADVICE_OTHER},
    {"block_mismatch", FATE_PLAIN, FATE_PLAIN, FATE_REPLY, FATE_PLAIN, ADVICE_BLOCKS},
    {"update_failed", FATE_RETRY, FATE_RETRY, FATE_RETRY, FATE_RETRY, ADVICE_OTHER},
    {"external_channel_migrating", FATE_RETRY, FATE_RETRY, FATE_RETRY, FATE_RETRY, ADVICE_OTHER},
    {"message_limit_exceeded", FATE_RETRY, FATE_RETRY, FATE_RETRY, FATE_RETRY, ADVICE_OTHER},
    {"team_added_to_org", FATE_RETRY, FATE_RETRY, FATE_RETRY, FATE_RETRY, ADVICE_OTHER},
    {"missing_scope", FATE_RETRY, FATE_RETRY, FATE_RETRY, FATE_DIRECT, ADVICE_SCOPE},
    {"not_in_channel", FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT, ADVICE_INVITE},
    {"channel_not_found", FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT, ADVICE_CHANNEL},
    {"user_not_in_channel", FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT, ADVICE_OTHER},
    {"is_archived", FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT, ADVICE_ARCHIVED},
    {"is_inactive", FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT, ADVICE_ARCHIVED},
    {"restricted_action*", FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DIRECT, ADVICE_RESTRICTED},
    {"messages_tab_disabled", FATE_DEAD, FATE_DEAD, FATE_DEAD, FATE_DROP, ADVICE_TAB},
    {"cannot_dm_bot", FATE_DROP, FATE_DROP, FATE_DROP, FATE_DROP, ADVICE_OTHER},
    {"user_disabled", FATE_DROP, FATE_DROP, FATE_DROP, FATE_DROP, ADVICE_OTHER},
    {"user_not_found", FATE_DROP, FATE_DROP, FATE_DROP, FATE_DROP, ADVICE_OTHER},
    {"user_not_visible", FATE_DROP, FATE_DROP, FATE_DROP, FATE_DROP, ADVICE_OTHER},
    {"invalid_blocks*", FATE_PLAIN, FATE_PLAIN, FATE_PLAIN, FATE_PLAIN, ADVICE_BLOCKS},
    {"msg_blocks_too_long", FATE_PLAIN, FATE_PLAIN, FATE_PLAIN, FATE_PLAIN, ADVICE_BLOCKS},
    {"msg_too_long", FATE_PLAIN, FATE_PLAIN, FATE_PLAIN, FATE_PLAIN, ADVICE_BLOCKS},
};
#define FATE_COUNT (sizeof fates / sizeof fates[0])

static bool word_matches(const char *word, struct span error)
{
    size_t size = strlen(word);

    if (word[size - 1] != '*') {
        return span_is(error, word);
    }
    return error.size >= size - 1 && memcmp(error.data, word, size - 1) == 0;
}

/* FATE_COUNT when the word is not in the table. */
static size_t fate_index(struct span error)
{
    size_t i = 0;

    while (i < FATE_COUNT && !word_matches(fates[i].word, error)) {
        i++;
    }
    return i;
}

static enum sendfate fate_permanent(enum sendfate_try tried, struct span error)
{
    size_t i = fate_index(error);

    switch (tried) {
    case TRY_POST:
        return i < FATE_COUNT ? fates[i].post : FATE_DEAD;
    case TRY_REPLY:
        return i < FATE_COUNT ? fates[i].reply : FATE_DEAD;
    case TRY_UPDATE:
        return i < FATE_COUNT ? fates[i].update : FATE_DEAD;
    case TRY_EPHEMERAL:
        return i < FATE_COUNT ? fates[i].ephemeral : FATE_DROP;
    }
    return FATE_DEAD;
}

enum sendfate sendfate_of(enum sendfate_try tried, enum webapi_outcome outcome, struct span error)
{
    switch (outcome) {
    case WEBAPI_OK:
        return FATE_SENT;
    case WEBAPI_RETRY:
    case WEBAPI_REFUSED:
        return FATE_RETRY;
    case WEBAPI_UNKNOWN:
        return FATE_UNKNOWN;
    case WEBAPI_PERMANENT:
        break;
    }
    return fate_permanent(tried, error);
}

static bool is_of_channel(const char *advice)
{
    static const char *const advices[] = {ADVICE_INVITE, ADVICE_CHANNEL, ADVICE_ARCHIVED,
                                          ADVICE_RESTRICTED};
    bool is = false;

    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++) {
        is = is || strcmp(advice, advices[i]) == 0;
    }
    return is;
}

const char *sendfate_advice(struct span error, struct span target)
{
    size_t i = fate_index(error);
    const char *advice = i < FATE_COUNT ? fates[i].advice : ADVICE_OTHER;
    bool direct = target.size > 0 && target.data[0] == 'D'; /* where a copy's replies go */

    return is_of_channel(advice) && (direct || slack_user_is_valid(target)) ? ADVICE_PERSON
                                                                            : advice;
}

static bool has_ended(const struct delivery *delivery)
{
    return delivery->request != NULL && delivery->request->state != REQUEST_PENDING;
}

bool sendfate_is_ended_copy(const struct delivery *delivery)
{
    return has_ended(delivery) && outbox_is_copy(delivery->row);
}

/* The request has ended: nobody is asked any more who was not, and what was never in a person's
 * direct messages is not sent there for the outcome's sake. */
static bool is_over(const struct delivery *delivery)
{
    const struct outbox_row *row = delivery->row;
    bool ended = has_ended(delivery);

    switch (row->surface) {
    case SURFACE_PEOPLE:
        return ended;
    case SURFACE_CARD:
        return sendfate_is_ended_copy(delivery) && row->ts.size == 0 && !row->attempted;
    case SURFACE_THREAD:
        return ended && slack_user_is_valid(row->target) &&
               (delivery->card == NULL || delivery->card->ts.size == 0);
    case SURFACE_DIRECT:
    case SURFACE_NOTICE:
    case SURFACE_WEBHOOK:
        break;
    }
    return false;
}

bool sendfate_settled(const struct delivery *delivery, struct delivery_result *ret_result)
{
    const struct outbox_row *row = delivery->row;
    bool unposted = delivery->card == NULL || delivery->card->ts.size == 0;

    if (delivery->request == NULL && row->surface != SURFACE_NOTICE) {
        *ret_result = (struct delivery_result){
            .outcome = {.result = OUTBOX_DROP,
                        .item_id = row->item_count > 0 ? row->items[0].id : 0,
                        .error = SPAN_LITERAL("the request is no longer stored")}};
        return true;
    }
    if (is_over(delivery)) {
        *ret_result = (struct delivery_result){
            .outcome = {.result = OUTBOX_DROP,
                        .item_id = row->item_count > 0 ? row->items[0].id : 0}};
        return true;
    }
    if (row->surface == SURFACE_NOTICE) {
        ASSERT(row->item_count > 0);
        if (delivery->now_ms <= row->items[0].at_ms + SLACK_NOTICE_FRESH_MS) {
            return false;
        }
        *ret_result = (struct delivery_result){
            .outcome = {.result = OUTBOX_DROP, .item_id = row->items[0].id}};
        return true;
    }
    if (row->surface == SURFACE_THREAD && unposted) {
        ASSERT(row->item_count > 0);
        *ret_result = (struct delivery_result){
            .outcome = {.result = row->attempted ? OUTBOX_UNKNOWN : OUTBOX_RETRY,
                        .item_id = row->items[0].id,
                        .error = SPAN_LITERAL("waits for its card to be posted")}};
        return true;
    }
    return false;
}
