/* SPDX-License-Identifier: Apache-2.0 */
/* press.c: one decision on the writer.
 * Owns the order: rules, their effects, refusal's notice, the event's key, the request's row.
 * Never asks whether the event is new: its caller has. */
#include "approvald/service/press.h"
#include "approvald/core/needs.h"
#include "approvald/service/delegations.h"
#include "approvald/service/gate.h"
#include "approvald/service/step_up.h"
#include "approvald/service/waiting.h"

#include "base/assert.h"
#include "base/buf.h"

#include <stdio.h>

enum err_code
press_refuse(struct work *work, const struct refused *refused, struct subject *subject)
{
    const struct actor *actor = refused->actor;
    char detail[64];
    int size =
        snprintf(detail, sizeof detail, "%s: %s", refused->what, refusal_word(refused->refusal));
    struct audit_write write = {.action = span_text(audit_action_word(AUDIT_REFUSED)),
                                .actor = actor,
                                .id = refused->id,
                                .detail = span_text(detail)};
    struct notice notice = {.id = refused->id,
                            .user = actor->user,
                            .channel = refused->channel,
                            .thread = refused->thread,
                            .text = span_text(refusal_sentence(refused->refusal))};
    enum err_code rc;

    ASSERT(size > 0 && (size_t)size < sizeof detail);
    work->job->refusal = refused->refusal;
    rc = work_audit(work, &write, subject, &notice.audit_seq);
    if (rc == ERR_OK && actor->kind == ACTOR_PERSON && actor->via == VIA_SLACK && !refused->quiet) {
        rc = work_notice(work, &notice);
    }
    return rc;
}

static enum err_code
put_inbox(struct work *work, const struct press *press, struct subject *subject)
{
    struct counts *counts = &work->writer->state.counts;
    struct buf *row;
    struct inbox_entry entry = {.seq = counts->inbox_seq + 1,
                                .at_ms = work->now_ms,
                                .id = press->id,
                                .actor = press->actor,
                                .verdict = press->verdict,
                                .reason = press->reason,
                                .has_key = press->has_key,
                                .key = press->key,
                                .channel = press->channel,
                                .thread = press->thread,
                                .stepped =
                                    subject->policy.step_up && press->verdict != VERDICT_REJECT};
    struct span groups[2 * CORE_POLICY_GROUP_COUNT_MAX];
    struct audit_write write = {.action = span_text(audit_action_word(AUDIT_DEFERRED)),
                                .actor = &press->actor,
                                .id = &press->id};
    enum err_code rc;

    if (counts->inbox_depth >= SERVICE_INBOX_COUNT_MAX) {
        return err_set(work->err, ERR_FULL, "too many presses wait for facts from Slack");
    }
    if (press->verdict != VERDICT_GLASS) { /* that needs no group, and no time to lose */
        entry.group_count = needs_groups(&subject->policy, groups);
    }
    ASSERT(entry.group_count <= CORE_POLICY_GROUP_COUNT_MAX); /* policy_check has seen to it */
    for (uint32_t i = 0; i < entry.group_count; i++) {
        entry.groups[i] = groups[i];
    }
    if (subject->policy.exclude_count > 0 && press->verdict != VERDICT_GLASS) {
        entry.requester = subject->request.requester;
    }
    rc = work_audit(work, &write, subject, NULL);
    if (rc != ERR_OK) {
        return rc;
    }
    row = work_row(work);
    rc = codec_inbox_encode(&entry, row, work->err);
    if (rc == ERR_OK) {
        rc = work_put(work, TABLE_INBOX, key_u64(entry.seq), buf_span(row));
    }
    if (rc == ERR_OK) {
        rc = waiting_put(work, &entry);
    }
    counts->inbox_seq = entry.seq;
    counts->inbox_depth++;
    return rc;
}

static enum err_code missing_facts(struct work *work,
                                   const struct press *press,
                                   enum press_missing missing,
                                   struct subject *subject,
                                   enum refusal *ret_refusal)
{
    switch (missing) {
    case PRESS_DEFER:
        work->job->deferred = true;
        return put_inbox(work, press, subject);
    case PRESS_WAIT:
        work->job->deferred = true;
        return ERR_OK;
    case PRESS_GIVE_UP:
        *ret_refusal = REFUSAL_FACTS_UNKNOWN;
        return ERR_OK;
    }
    return ERR_OK;
}

/* What would be approved (or only waits for facts) needs a code that counts; it is judged before
 * anything of the press is stored, and then never needed again. */
static enum err_code check_code(struct work *work,
                                const struct press *press,
                                const struct subject *subject,
                                enum refusal *ret_refusal)
{
    bool counts = false;
    enum err_code rc;

    bool asked = press->verdict == VERDICT_APPROVE ||
                 (press->verdict == VERDICT_GLASS && press->actor.user.size > 0);

    if (!subject->policy.step_up || !asked || press->stepped || *ret_refusal != REFUSAL_NONE) {
        return ERR_OK;
    }
    if (!press->has_code) {
        *ret_refusal = REFUSAL_STEP_UP;
        return ERR_OK;
    }
    rc = step_up_try(work, press->actor.user, press->code, &counts);
    *ret_refusal = counts ? REFUSAL_NONE : REFUSAL_CODE;
    return rc;
}

/* What an approval would have to wait for. A zone that is not known keeps nobody from deciding: the
 * claim will say so. */
static enum err_code look_at_gate(struct work *work,
                                  const struct press *press,
                                  const struct subject *subject,
                                  struct request_hold *hold,
                                  struct approval_event *event)
{
    bool held = false;
    enum err_code rc = ERR_OK;

    if (press->verdict != VERDICT_REJECT || request_is_delayed(&subject->request)) {
        rc = gate_look(work, &subject->policy, press->verdict == VERDICT_GLASS, hold, &held);
    }
    event->hold = rc == ERR_OK && held ? hold : NULL;
    return rc == ERR_UNAVAILABLE ? ERR_OK : rc;
}

/* Whoever pressed it saw an older card. */
static bool is_stale(const struct press *press, const struct request *request)
{
    bool shown = press->actor.via == VIA_SLACK && press->channel.size > 0 && !press->quiet;

    return shown && !refresh_is_offered(request, press->verdict);
}

/* Of the inbox: when it was put there. 0: it comes now. */
static uint64_t came_ms(const struct work *work, const struct press *press)
{
    return press->at_ms < work->now_ms ? press->at_ms : work->now_ms;
}

static enum err_code refuse(struct work *work,
                            const struct press *press,
                            const struct refused *refused,
                            struct subject *subject)
{
    enum err_code rc = press_refuse(work, refused, subject);

    return rc == ERR_OK && is_stale(press, &subject->request) ? refresh_pressed(work, subject) : rc;
}

static enum err_code step(struct work *work,
                          const struct press *press,
                          const struct facts *facts,
                          enum press_missing missing,
                          struct subject *subject)
{
    struct approval_event event = {.kind = APPROVAL_DECIDE,
                                   .now_ms = work->now_ms,
                                   .elapsed = &work->writer->state.elapsed,
                                   .actor = press->actor,
                                   .pressed_ms = came_ms(work, press),
                                   .verdict = press->verdict,
                                   .facts = facts,
                                   .reason = press->reason};
    struct refused refused = {.what = "decide",
                              .actor = &press->actor,
                              .id = &press->id,
                              .channel = press->channel,
                              .thread = press->thread,
                              .quiet = press->quiet};
    struct approval_effects effects;
    struct facts known;
    struct request_hold hold;
    struct policy head;
    bool found = false;
    enum err_code rc = ERR_OK;

    if (press->verdict == VERDICT_GLASS) {
        rc = work_policy_now(work, subject->request.policy, &head, &found);
        event.head = found ? &head : NULL;
    } else if (subject->policy.delegation) {
        known = *facts;
        rc = delegations_apply(work, press->actor.user, approval_press_ms(&event),
                               missing == PRESS_GIVE_UP, &known);
        event.facts = &known;
    }
    if (rc == ERR_OK) {
        rc = waiting_find(work, &subject->request, &event.waiting);
    }
    if (rc == ERR_OK) {
        rc = look_at_gate(work, press, subject, &hold, &event);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    approval_step(&subject->request, &subject->policy, &event, &effects);
    refused.refusal = effects.refusal;
    rc = check_code(work, press, subject, &refused.refusal);
    if (rc == ERR_OK && refused.refusal == REFUSAL_STEP_UP) {
        work->job->refusal = REFUSAL_STEP_UP; /* a question, and no refused act */
        return ERR_OK;
    }
    if (rc == ERR_OK && refused.refusal == REFUSAL_CODE) {
        rc = press_refuse(work, &refused, subject);
        return rc == ERR_OK ? subject_store(work, subject) : rc;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = subject_apply(work, subject, &subject->request, &press->actor, &effects);
    if (rc == ERR_OK && effects.need_facts) {
        rc = missing_facts(work, press, missing, subject, &refused.refusal);
    }
    if (rc == ERR_OK && refused.refusal != REFUSAL_NONE) {
        rc = refuse(work, press, &refused, subject);
    }
    return rc == ERR_OK ? subject_store(work, subject) : rc;
}

static enum err_code unknown(struct work *work, const struct press *press)
{
    struct refused refused = {.what = "decide",
                              .actor = &press->actor,
                              .id = &press->id,
                              .refusal = REFUSAL_UNKNOWN_REQUEST,
                              .channel = press->channel,
                              .thread = press->thread,
                              .quiet = press->quiet};

    return press_refuse(work, &refused, NULL);
}

enum err_code press_decide(struct work *work,
                           const struct press *press,
                           const struct facts *facts,
                           enum press_missing missing)
{
    struct subject subject;
    bool found = true;
    enum err_code rc;

    rc = subject_load(work, &press->id, &subject);
    if (rc == ERR_OK) {
        rc = step(work, press, facts, missing, &subject);
    } else if (rc == ERR_NOT_FOUND) {
        found = false;
        rc = unknown(work, press);
    }
    /* Another code in the same window is another try, but its event is the same. */
    if (rc == ERR_OK && press->has_key && !(work->job->deferred && missing == PRESS_WAIT) &&
        work->job->refusal != REFUSAL_CODE) {
        struct event_seen seen = {.deferred = work->job->deferred, .refusal = work->job->refusal};

        rc = event_put(work, &press->key, &seen);
    }
    return rc == ERR_OK ? answer_subject(work, found ? &subject : NULL) : rc;
}
