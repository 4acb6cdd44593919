/* SPDX-License-Identifier: Apache-2.0 */
/* message.c: what Slack shows about a request besides its card.
 * Owns the words of replies, direct messages and notices.
 * Never sends anything, never shows text from people unguarded. Pure. */
#include "approvald/slack/show/message.h"
#include "approvald/core/policy.h"

#include "approvald/core/approval.h"
#include "approvald/core/audit.h"
#include "approvald/core/needs.h"
#include "approvald/core/request_id.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/show/blocks.h"
#include "approvald/slack/show/prose.h"
#include "approvald/slack/show/story.h"
#include "base/assert.h"
#include "base/json.h"

#include <stdio.h>
#include <string.h>

#define MESSAGE_TITLE_COUNT_MAX 300

/* Did somebody ask for somebody else? */
static bool is_for_other(const struct request *request)
{
    return slack_user_is_valid(request->asker) && !span_equal(request->asker, request->requester);
}

static void say_asked(struct prose *prose, const struct card *card)
{
    const struct request *request = card->request;

    if (request->state != REQUEST_PENDING) {
        return;
    }
    if (!is_for_other(request)) {
        prose_add(prose, "You asked for this. ");
    } else if (span_equal(card->reader, request->asker)) {
        prose_add(prose, "You asked for this for ");
        prose_add_person(prose, request->requester);
        prose_add(prose, ". ");
    } else {
        prose_add_person(prose, request->asker);
        prose_add(prose, " asked for this for you. ");
    }
}

enum err_code message_add_direct(const struct card *card, struct json *message, struct err *err)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    const struct request *request = card->request;
    struct blocks blocks;
    enum err_code rc = prose_init(&prose, err);

    if (rc != ERR_OK) {
        return rc;
    }
    prose_begin(&prose, BLOCKS_TEXT_COUNT_MAX);
    story_summary(&prose, request, card->policy, "You will be told here what comes of it.");
    json_add_text(message, "text", prose_take(&prose));
    blocks_begin(&blocks, message, request->revision);
    card_head(card, &blocks, &prose);
    prose_begin(&prose, BLOCKS_MRKDWN_COUNT_MAX);
    say_asked(&prose, card);
    story_status(&prose, request, card->policy, "*");
    blocks_section(&blocks, prose_take(&prose));
    card_quote(&blocks, &prose, story_outcome_reason(request));
    prose_begin(&prose, BLOCKS_MRKDWN_COUNT_MAX);
    card_link(&prose, card, "Open the card");
    blocks_section(&blocks, prose_take(&prose));
    card_print(card, &blocks, &prose);
    card_metadata(card, "direct", 0, message);
    return prose_status(&prose, err);
}

/* How many had decided when the item happened, the item's own decision included. Decisions are in
 * the order in which they were stored; the time of each is that of its press, which may have waited
 * for as long as Slack did not say whose it was. */
static uint32_t
decisions_at(const struct request *request, const struct outbox_item *item, enum verdict verdict)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < request->decision_count; i++) {
        const struct decision *decision = &request->decisions[i];

        if (decision->verdict == verdict && span_equal(decision->user, item->user)) {
            return i + 1;
        }
        count += decision->at_ms <= item->at_ms;
    }
    return count;
}

static void say_who(struct prose *prose, struct span user, const char *verb)
{
    if (user.size > 0) {
        prose_add_person(prose, user);
        prose_add(prose, " ");
    }
    prose_add(prose, verb);
}

static void say_by(struct prose *prose, const char *verb, struct span user)
{
    prose_add(prose, verb);
    if (user.size > 0) {
        prose_add(prose, " by ");
        prose_add_person(prose, user);
    }
    prose_add(prose, ".");
}

static void say_consumed(struct prose *prose, const struct request *request)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%s with result %d.",
                   request->consume_result == 0 ? "Done" : "It ran and failed",
                   (int)request->consume_result); /* fits */
    prose_add(prose, text);
}

/* Where one is not enough, how many there were then. */
static void
say_rejection(struct prose *prose, const struct request *request, const struct outbox_item *item)
{
    const struct request_clocks *clocks = &request->clocks;

    if (clocks->effect_ms > 0 && item->at_ms >= clocks->effect_from_ms) {
        say_who(prose, item->user, "stopped this.");
        return;
    }
    say_who(prose, item->user, "rejected this");
    story_principal(prose, request, item->user);
    if (request->rejections > 1) {
        prose_add(prose, " (");
        prose_add_number(prose,
                         needs_rejections(request, decisions_at(request, item, VERDICT_REJECT)));
        prose_add(prose, " of ");
        prose_add_number(prose, request->rejections);
        prose_add(prose, ")");
    }
    prose_add(prose, ".");
}

static void say_reminder(struct prose *prose, const struct card *card)
{
    const struct request *request = card->request;
    bool others;

    if (request->state != REQUEST_PENDING || request_is_delayed(request)) {
        prose_add(prose, "\xe2\x8f\xb0 There was a reminder; it is decided by now.");
        return;
    }
    prose_add(prose, "\xe2\x8f\xb0 Reminder: this expires ");
    prose_add_date(prose, request->expires_ms);
    prose_add(prose, ". ");
    if (card->policy == NULL) {
        return;
    }
    others = request->clocks.escalated_ms > 0 && story_has_deciders(request, card->policy, true);
    if (story_deciders(prose, request, card->policy, false)) {
        prose_add(prose, others ? ", " : "");
    }
    if (others) {
        (void)story_deciders(prose, request, card->policy, true); /* or the others alone */
    }
}

/* Whom an outage kept from hearing it in time is not woken for what is decided. */
static void say_escalation(struct prose *prose, const struct card *card)
{
    if (card->request->state != REQUEST_PENDING) {
        prose_add(prose, "\xe2\x8f\xab It was escalated; it is decided by now.");
        return;
    }
    prose_add(prose, "\xe2\x8f\xab Escalated. ");
    if (card->policy != NULL && story_deciders(prose, card->request, card->policy, true)) {
        prose_add(prose, " may decide this too from now on.");
    }
}

static void say_delayed(struct prose *prose, const struct request *request)
{
    bool open = request_is_delayed(request);

    prose_add(prose, "\xe2\x8f\xb3 Enough approvals. It ");
    prose_add(prose, open ? "takes effect " : "was to take effect ");
    prose_add_date(prose, request->clocks.effect_ms);
    prose_add(prose, open ? " unless somebody stops it." : ".");
}

/* The words of an item; the codes are core's. */
static void say_item(struct prose *prose, const struct card *card, const struct outbox_item *item)
{
    const struct request *request = card->request;

    switch (item->kind) {
    case AUDIT_REMINDED:
        say_reminder(prose, card);
        return;
    case AUDIT_ESCALATED:
        say_escalation(prose, card);
        return;
    case AUDIT_DELAYED:
        say_delayed(prose, request);
        return;
    case AUDIT_GLASS:
        prose_add(prose, "\xf0\x9f\x9a\xa8 ");
        say_who(prose, request->glass.user,
                "broke the glass: approved by the requester alone, past the approvers.");
        return;
    case AUDIT_APPROVAL:
        say_who(prose, item->user, "approved");
        story_principal(prose, request, item->user);
        prose_add(prose, " (");
        story_progress(prose, request, decisions_at(request, item, VERDICT_APPROVE));
        prose_add(prose, ").");
        return;
    case AUDIT_REJECTION:
        say_rejection(prose, request, item);
        return;
    case AUDIT_APPROVED:
        prose_add(prose, "\xe2\x9c\x85 Approved: it may be used now.");
        return;
    case AUDIT_REJECTED:
        prose_add(prose, "\xe2\x9d\x8c Rejected: nothing will run.");
        return;
    case AUDIT_EXPIRED:
        prose_add(prose, "\xe2\x8c\x9b Expired without enough approvals: nothing will run.");
        return;
    case AUDIT_CANCELLED:
        say_by(prose, "\xf0\x9f\x9a\xab Cancelled", item->user);
        return;
    case AUDIT_CLAIMED:
        say_by(prose, "Claimed", item->user);
        return;
    case AUDIT_CONSUMED:
        say_consumed(prose, request);
        return;
    case AUDIT_LAPSED:
        prose_add(prose,
                  "\xe2\x8c\x9b Nobody used the approval in time, so it is no longer valid.");
        return;
    default: /* stored by a newer version */
        prose_add(prose, "Changed.");
        return;
    }
}

/* The last entry that a requester waits for. */
static bool is_outcome(const struct request *request, const struct outbox_item *item)
{
    switch (item->kind) {
    case AUDIT_APPROVAL:
    case AUDIT_REJECTION:
        return request->state != REQUEST_PENDING && item->at_ms == request->ended_ms;
    case AUDIT_APPROVED:
    case AUDIT_REJECTED:
    case AUDIT_EXPIRED:
    case AUDIT_CANCELLED:
    case AUDIT_LAPSED:
    case AUDIT_GLASS:
        return true;
    default:
        return false;
    }
}

/* Where the policy sends no direct messages, the thread tells them: a mention is a notification. */
static void
say_addressee(struct prose *prose, const struct card *card, const struct outbox_item *item)
{
    const struct request *request = card->request;

    if (card->policy == NULL || card->policy->direct_requester || !is_outcome(request, item) ||
        !slack_user_is_valid(request->requester)) {
        return;
    }
    prose_add(prose, "\n");
    prose_add_person(prose, request->requester);
    if (is_for_other(request)) {
        prose_add(prose, " ");
        prose_add_person(prose, request->asker);
    }
    prose_add(prose, " This is the outcome of your request.");
}

enum err_code message_add_reply(const struct card *card,
                                const struct outbox_item *item,
                                struct json *message,
                                struct err *err)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    struct blocks blocks;
    enum err_code rc = prose_init(&prose, err);

    if (rc != ERR_OK) {
        return rc;
    }
    prose_begin(&prose, BLOCKS_MRKDWN_COUNT_MAX);
    say_item(&prose, card, item);
    if (item->text.size > 0) {
        prose_add(&prose, "\nReason: ");
        prose_add_text(&prose, item->text, CORE_REASON_COUNT_MAX);
    }
    say_addressee(&prose, card, item);
    json_add_text(message, "text", prose_take(&prose));
    blocks_begin(&blocks, message, item->id);
    prose_begin(&prose, BLOCKS_MRKDWN_COUNT_MAX);
    say_item(&prose, card, item);
    say_addressee(&prose, card, item);
    blocks_section(&blocks, prose_take(&prose));
    card_quote(&blocks, &prose, item->text);
    card_metadata(card, "thread", item->id, message);
    return prose_status(&prose, err);
}

enum err_code message_add_outcome(const struct card *card, struct json *message, struct err *err)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    const struct request *request = card->request;
    struct blocks blocks;
    enum err_code rc = prose_init(&prose, err);

    if (rc != ERR_OK) {
        return rc;
    }
    prose_begin(&prose, BLOCKS_MRKDWN_COUNT_MAX);
    prose_add(&prose, "The message above can no longer be changed; this is how it stands. ");
    story_status(&prose, request, card->policy, "");
    json_add_text(message, "text", prose_take(&prose));
    blocks_begin(&blocks, message, request->revision);
    blocks_section(&blocks, prose_take(&prose));
    card_quote(&blocks, &prose, story_outcome_reason(request));
    card_metadata(card, "outcome", request->revision, message);
    return prose_status(&prose, err);
}

enum err_code message_add_notice(const struct card *card,
                                 const struct outbox_item *item,
                                 struct json *message,
                                 struct err *err)
{
    AUTO_PROSE struct prose prose = {.err = ERR_INIT};
    struct blocks blocks;
    enum err_code rc = prose_init(&prose, err);

    if (rc != ERR_OK) {
        return rc;
    }
    prose_begin(&prose, BLOCKS_MRKDWN_COUNT_MAX);
    prose_add_lines(&prose, item->text, CORE_REASON_COUNT_MAX);
    if (prose_is_empty(&prose)) {
        prose_add(&prose, "Nothing was changed.");
    }
    if (card->request != NULL) {
        story_decider(&prose, card->request); /* whoever was second wants to know the first */
        prose_add(&prose, "\nThis is about: ");
        prose_add_text(&prose, card->request->title, MESSAGE_TITLE_COUNT_MAX);
    }
    json_add_text(message, "text", prose_take(&prose));
    blocks_begin(&blocks, message, item->id);
    blocks_section(&blocks, prose_take(&prose));
    return prose_status(&prose, err);
}
