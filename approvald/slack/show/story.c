/* SPDX-License-Identifier: Apache-2.0 */
/* story.c: the sentences about a request.
 * Owns the words that people read and the order in which things are said.
 * Never builds JSON, never decides anything. Pure. */
#include "approvald/slack/show/story.h"

#include "approvald/core/approval.h"
#include "approvald/core/eligible.h"
#include "approvald/core/fields.h"
#include "approvald/core/needs.h"
#include "approvald/core/policy.h"
#include "approvald/core/request_id.h"
#include "approvald/slack/limits.h"
#include "approvald/slack/show/prose.h"
#include "base/assert.h"

#include <assert.h>
#include <string.h>

/* Code points after escaping, in text that stands alone: together they fit in its limit. */
#define STORY_TITLE_COUNT_MAX   300 /* a title of 140, each character escaped twice as long */
#define STORY_TARGET_COUNT_MAX  400
#define STORY_REASON_COUNT_MAX  1000
#define STORY_DETAILS_COUNT_MAX 1000
#define STORY_FIELD_COUNT_MAX   400 /* what no longer fits behind the rest is on the card */
/* People and groups named as approvers; more would be a wall of names and wake everybody. */
#define STORY_MENTION_COUNT_MAX 10

/* Text from people; the fallback when nothing readable is left of it. */
static void say_text(struct prose *prose, struct span text, size_t count_max, const char *fallback)
{
    size_t before = prose->count;

    prose_add_text(prose, text, count_max);
    if (prose->count == before) {
        prose_add(prose, fallback);
    }
}

void story_title(struct prose *prose, const struct request *request)
{
    say_text(prose, request->title, STORY_TITLE_COUNT_MAX, "(no title)");
}

void story_asker(struct prose *prose, const struct request *request)
{
    bool person = request->requester.size > 0;

    if (person && slack_user_is_valid(request->asker)) {
        prose_add_person(prose, request->asker);
        prose_add(prose, " for ");
        prose_add_person(prose, request->requester);
        return;
    }
    if (person) {
        prose_add_person(prose, request->requester);
    }
    if (person && request->asker.size > 0) {
        prose_add(prose, " via ");
    }
    if (request->asker.size > 0) {
        prose_add_text(prose, request->asker, CORE_NAME_SIZE_MAX);
    } else if (!person) {
        prose_add(prose, "unknown");
    }
}

/* Who has decided is not asked again, and the requester only where the policy lets him decide; but
 * any of them may stop it. */
static bool is_asked(const struct request *request, const struct policy *policy, struct span user)
{
    if (request_is_delayed(request)) {
        return true;
    }
    return !request_is_used_up(request, user) &&
           (policy->self_approval || !request_is_of(request, user));
}

/* Of the policy's users, as bits. */
static uint64_t asked_users(const struct request *request, const struct policy *policy)
{
    uint64_t users = 0;

    static_assert(CORE_POLICY_USER_COUNT_MAX <= 64, "a bit each");
    for (uint32_t i = 0; i < policy->user_count; i++) {
        users |= is_asked(request, policy, policy->users[i]) ? UINT64_C(1) << i : 0;
    }
    return users;
}

/* How many more people and groups there is room to name. */
struct names {
    uint32_t left;
    uint32_t hidden;
    const char *lead; /* what stands before the first one; NULL: it is said */
};

static void say_lead(struct prose *prose, struct names *names)
{
    prose_add(prose, names->lead == NULL ? "" : names->lead);
    names->lead = NULL;
}

/* Returns true when it was named, and says what stands before it. */
static bool name_one(struct prose *prose, struct names *names, bool first)
{
    if (names->left == 0) {
        names->hidden++;
        return false;
    }
    names->left--;
    say_lead(prose, names);
    prose_add(prose, first ? "" : ", ");
    return true;
}

/* Groups first: they stay true when people come and go. */
static void say_names(struct prose *prose,
                      const struct policy *policy,
                      uint64_t users,
                      uint32_t groups,
                      struct names *names)
{
    bool first = true;

    ASSERT(policy->group_count <= CORE_POLICY_GROUP_COUNT_MAX);
    ASSERT(policy->user_count <= CORE_POLICY_USER_COUNT_MAX);
    for (uint32_t i = 0; i < policy->group_count; i++) {
        if ((groups >> i & 1) != 0 && name_one(prose, names, first)) {
            prose_add_group(prose, policy->groups[i]);
            first = false;
        }
    }
    for (uint32_t i = 0; i < policy->user_count; i++) {
        if ((users >> i & 1) != 0 && name_one(prose, names, first)) {
            prose_add_person(prose, policy->users[i]);
            first = false;
        }
    }
}

/* "security: @sec; ops: @ops, @bob": of the needs for which one more person would help. That may be
 * one whose places are taken, when somebody there can fill another. */
static void say_missing_names(struct prose *prose,
                              const struct request *request,
                              const struct policy *policy,
                              uint64_t asked,
                              struct names *names)
{
    bool first = true;

    for (uint32_t i = 0; i < policy->need_count; i++) {
        const struct policy_need *need = &policy->needs[i];
        bool anybody = (need->users & asked) != 0 || need->groups != 0;

        if (!anybody || !needs_helps(request, UINT32_C(1) << i)) {
            continue;
        }
        if (names->left > 0) {
            say_lead(prose, names);
            prose_add(prose, first ? "" : "; ");
            prose_add_text(prose, need->need.name, CORE_NAME_SIZE_MAX);
            prose_add(prose, ": ");
        }
        say_names(prose, policy, need->users & asked, need->groups, names);
        first = false;
    }
}

/* Groups and people in one list. */
struct crowd {
    const struct span *groups;
    uint32_t group_count;
    const struct span *users;
    uint32_t user_count;
};

static struct crowd crowd_of(const struct policy *policy, bool escalated)
{
    const struct policy_clocks *clocks = &policy->clocks;

    return escalated ? (struct crowd){.groups = clocks->escalate_groups,
                                      .group_count = clocks->escalate_group_count,
                                      .users = clocks->escalate_users,
                                      .user_count = clocks->escalate_user_count}
                     : (struct crowd){.groups = policy->groups,
                                      .group_count = policy->group_count,
                                      .users = policy->users,
                                      .user_count = policy->user_count};
}

/* Groups first: they stay true when people come and go. */
bool story_deciders(struct prose *prose,
                    const struct request *request,
                    const struct policy *policy,
                    bool escalated)
{
    struct crowd crowd = crowd_of(policy, escalated);
    uint32_t shown = 0;
    uint32_t more = 0;

    ASSERT(crowd.group_count <= CORE_POLICY_GROUP_COUNT_MAX);
    ASSERT(crowd.user_count <= CORE_POLICY_USER_COUNT_MAX);
    for (uint32_t i = 0; i < crowd.group_count + crowd.user_count; i++) {
        bool group = i < crowd.group_count;
        struct span id = group ? crowd.groups[i] : crowd.users[i - crowd.group_count];

        if (!group && !is_asked(request, policy, id)) {
            continue;
        }
        if (shown == STORY_MENTION_COUNT_MAX) {
            more++;
            continue;
        }
        prose_add(prose, shown == 0 ? "" : ", ");
        if (group) {
            prose_add_group(prose, id);
        } else {
            prose_add_person(prose, id);
        }
        shown++;
    }
    if (more > 0) {
        prose_add(prose, " and ");
        prose_add_number(prose, more);
        prose_add(prose, " more");
    }
    return shown > 0;
}

bool story_has_deciders(const struct request *request, const struct policy *policy, bool escalated)
{
    struct crowd crowd = crowd_of(policy, escalated);
    bool found = crowd.group_count > 0;

    for (uint32_t i = 0; !found && i < crowd.user_count; i++) {
        found = is_asked(request, policy, crowd.users[i]);
    }
    return found;
}

/* " May decide: @ann, @ben.": of the approvers, who would still help; nothing when nobody would. */
static void
say_approvers(struct prose *prose, const struct request *request, const struct policy *policy)
{
    struct names names = {.left = STORY_MENTION_COUNT_MAX, .lead = " May decide: "};
    uint64_t asked = asked_users(request, policy);

    if (policy->need_count == 0) {
        say_names(prose, policy, asked, UINT32_MAX, &names);
    } else {
        say_missing_names(prose, request, policy, asked, &names);
    }
    if (names.hidden > 0) {
        prose_add(prose, " and ");
        prose_add_number(prose, names.hidden);
        prose_add(prose, " more");
    }
    prose_add(prose, names.lead == NULL ? "." : "");
}

static void
say_deciders(struct prose *prose, const struct request *request, const struct policy *policy)
{
    if (!request_is_delayed(request)) {
        say_approvers(prose, request, policy);
    } else if (story_has_deciders(request, policy, false)) {
        prose_add(prose, " May stop it: ");
        (void)story_deciders(prose, request, policy, false); /* there is somebody */
        prose_add(prose, ".");
    }
    if (request->clocks.escalated_ms > 0 && story_has_deciders(request, policy, true)) {
        prose_add(prose, " Also, since ");
        prose_add_date(prose, request->clocks.escalated_ms);
        prose_add(prose, ": ");
        (void)story_deciders(prose, request, policy, true); /* there is somebody */
        prose_add(prose, ".");
    }
}

static void say_delay(struct prose *prose, const struct request *request, const char *bold)
{
    prose_add(prose, " Takes effect ");
    prose_add(prose, bold);
    prose_add_date(prose, request->clocks.effect_ms);
    prose_add(prose, bold);
    prose_add(prose, " unless somebody stops it.");
}

static void say_of(struct prose *prose, uint32_t count, uint32_t of)
{
    prose_add_number(prose, count);
    prose_add(prose, " of ");
    prose_add_number(prose, of);
}

void story_progress(struct prose *prose, const struct request *request, uint32_t decision_count)
{
    struct quorum_result result;
    bool first = true;

    needs_judge(request, decision_count, &result);
    if (request->need_count == 0) {
        say_of(prose, result.filled[0], request->quorum);
        return;
    }
    for (uint32_t i = 0; i < request->need_count; i++) {
        const struct need *need = &request->needs[i];
        bool other = i > 0 && need->alternative != request->needs[i - 1].alternative;

        if (result.satisfied && need->alternative != result.alternative) {
            continue;
        }
        prose_add(prose, first ? "" : ", ");
        prose_add(prose, other && !first ? "or " : "");
        prose_add_text(prose, need->name, CORE_NAME_SIZE_MAX);
        prose_add(prose, " ");
        say_of(prose, result.filled[i], need->quorum);
        first = false;
    }
}

/* "1 of 2 approved.", and where one rejection is not enough how many there are. */
static void say_count(struct prose *prose, const struct request *request, const char *bold)
{
    uint32_t rejections = needs_rejections(request, request->decision_count);

    prose_add(prose, bold);
    story_progress(prose, request, request->decision_count);
    prose_add(prose, " approved");
    prose_add(prose, bold);
    prose_add(prose, ".");
    if (rejections > 0) {
        prose_add(prose, " ");
        say_of(prose, rejections, request->rejections);
        prose_add(prose, " rejected.");
    }
}

/* "*Approved* 2 of 2." */
static void say_head(struct prose *prose, const char *word, const char *bold)
{
    prose_add(prose, bold);
    prose_add(prose, word);
    prose_add(prose, bold);
}

static void say_ended(struct prose *prose, const struct request *request)
{
    if (request->ended_ms > 0) {
        prose_add(prose, ", ");
        prose_add_date(prose, request->ended_ms);
    }
    prose_add(prose, ".");
}

/* An end_actor is a user id or a token's name. */
static void say_cancelled(struct prose *prose, const struct request *request, const char *bold)
{
    say_head(prose, "Cancelled", bold);
    if (request->end_actor.size > 0) {
        prose_add(prose, " by ");
        prose_add_person(prose, request->end_actor);
    }
    say_ended(prose, request);
    prose_add(prose, " Nothing will run.");
}

static void say_use(struct prose *prose, const struct request *request)
{
    switch (request->use) {
    case USE_NONE:
        break;
    case USE_UNUSED:
        prose_add(prose, "\nNot used yet");
        if (request->lapses_ms > 0) {
            prose_add(prose, "; lapses ");
            prose_add_date(prose, request->lapses_ms);
        }
        prose_add(prose, ".");
        break;
    case USE_CLAIMED:
        prose_add(prose, "\nClaimed ");
        prose_add_date(prose, request->claimed_ms);
        prose_add(prose, ": it may be running now.");
        break;
    case USE_CONSUMED:
        prose_add(prose, request->consume_result == 0 ? "\nDone" : "\nIt ran and failed");
        prose_add(prose, " with result ");
        prose_add(prose, request->consume_result < 0 ? "-" : "");
        prose_add_number(prose, request->consume_result < 0
                                    ? (uint64_t)(-(int64_t)request->consume_result)
                                    : (uint64_t)request->consume_result);
        prose_add(prose, ", ");
        prose_add_date(prose, request->consumed_ms);
        prose_add(prose, ".");
        break;
    case USE_LAPSED:
        prose_add(prose, "\nNobody used the approval in time, so it is no longer valid.");
        break;
    }
}

void story_status(struct prose *prose,
                  const struct request *request,
                  const struct policy *policy,
                  const char *bold)
{
    switch (request->state) {
    case REQUEST_PENDING:
        say_count(prose, request, bold);
        if (request_is_delayed(request)) {
            say_delay(prose, request, bold);
        }
        if (policy != NULL) {
            say_deciders(prose, request, policy);
        }
        story_decisions(prose, request);
        story_hold(prose, request);
        break;
    case REQUEST_APPROVED:
        if (request->glass.at_ms > 0) {
            story_glass(prose, request, bold);
        }
        if (request->glass.at_ms == 0 || request->decision_count > 0) {
            say_count(prose, request, bold);
        }
        story_decisions(prose, request);
        say_use(prose, request);
        story_hold(prose, request);
        break;
    case REQUEST_REJECTED:
        say_head(prose, story_word(story_phase(request)), bold);
        prose_add(prose, ": nothing will run.");
        story_decisions(prose, request);
        break;
    case REQUEST_EXPIRED:
        say_head(prose, "Expired", bold);
        say_ended(prose, request);
        prose_add(prose, " There were not enough approvals (");
        story_progress(prose, request, request->decision_count);
        prose_add(prose, "), so nothing will run. It can be asked for again.");
        story_decisions(prose, request);
        break;
    case REQUEST_CANCELLED:
        say_cancelled(prose, request, bold);
        break;
    }
}

void story_decider(struct prose *prose, const struct request *request)
{
    bool decided = request->state == REQUEST_APPROVED || request->state == REQUEST_REJECTED;

    if (request->glass.at_ms > 0) {
        prose_add(prose, " ");
        prose_add_person(prose, request->glass.user);
        prose_add(prose, " broke the glass.");
        return;
    }
    if (decided && request->decision_count > 0) {
        prose_add(prose, request->state == REQUEST_APPROVED ? " It was approved by "
                                                            : " It was rejected by ");
        prose_add_person(prose, request->decisions[request->decision_count - 1].user);
        story_principal(prose, request, request->decisions[request->decision_count - 1].user);
        prose_add(prose, ".");
    }
}

struct span story_outcome_reason(const struct request *request)
{
    if (request->state == REQUEST_CANCELLED) {
        return request->end_reason;
    }
    if (request->state != REQUEST_REJECTED) {
        return request->glass.reason;
    }
    for (uint32_t i = request->decision_count; i > 0; i--) {
        if (request->decisions[i - 1].verdict == VERDICT_REJECT) {
            return request->decisions[i - 1].reason;
        }
    }
    return SPAN_NONE;
}

/* What people wrote may have brought its own full stop, or was cut with an ellipsis. */
static bool ends_a_sentence(const struct prose *prose)
{
    static const char *const ends[] = {".", "!", "?", "\xe2\x80\xa6"};
    struct span text = prose_take(prose);

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        size_t size = strlen(ends[i]);

        if (text.size >= size && memcmp(text.data + text.size - size, ends[i], size) == 0) {
            return true;
        }
    }
    return false;
}

static void say_labelled(struct prose *prose, const char *label, struct span text, size_t count_max)
{
    if (text.size > 0) {
        prose_add(prose, label);
        say_text(prose, text, count_max, "(unreadable)");
        prose_add(prose, ends_a_sentence(prose) ? "" : ".");
    }
}

static void say_fields(struct prose *prose, const struct request *request)
{
    struct field_values values;

    if (field_values_decode(request->fields, &values, NULL) != ERR_OK) {
        return; /* not so: the request's record would not have decoded */
    }
    for (uint32_t i = 0; i < values.count; i++) {
        prose_add(prose, "\n");
        say_text(prose, values.items[i].label, STORY_FIELD_COUNT_MAX, "(unreadable)");
        say_labelled(prose, ": ", values.items[i].value, STORY_FIELD_COUNT_MAX);
    }
}

void story_summary(struct prose *prose,
                   const struct request *request,
                   const struct policy *policy,
                   const char *answer)
{
    char id[REQUEST_ID_TEXT_SIZE];

    request_id_format(&request->id, id);
    prose_add(prose, story_word(story_phase(request)));
    prose_add(prose, ": ");
    story_title(prose, request);
    prose_add(prose, ".\nAsked by ");
    story_asker(prose, request);
    prose_add(prose, ".");
    say_labelled(prose, " Target: ", request->target, STORY_TARGET_COUNT_MAX);
    say_labelled(prose, "\nReason: ", request->reason, STORY_REASON_COUNT_MAX);
    prose_add(prose, "\n");
    story_status(prose, request, policy, "");
    say_labelled(prose, "\nReason given: ", story_outcome_reason(request), STORY_REASON_COUNT_MAX);
    if (request_is_delayed(request)) {
        prose_add(prose, "\nTo stop it, press Stop on its card, or use approvalctl reject.");
    } else if (request->state == REQUEST_PENDING) {
        prose_add(prose, "\nExpires ");
        prose_add_date(prose, request->expires_ms);
        prose_add(prose, ". ");
        prose_add(prose, answer);
    }
    prose_add(prose, "\nRequest ");
    prose_add(prose, id);
    prose_add(prose, ".");
    say_fields(prose, request);
    say_labelled(prose, "\nDetails: ", request->details, STORY_DETAILS_COUNT_MAX);
}
