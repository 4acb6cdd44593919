/* SPDX-License-Identifier: Apache-2.0 */
/* recheck.c: whether who approved still may, when the approval is claimed.
 * Owns what Slack is asked for a claim, and the claims that wait for it.
 * Never takes silence for a yes: what Slack has not said since the claim came is not known. */
#include "approvald/core/eligible.h"
#include "approvald/core/glass.h"
#include "approvald/core/needs.h"
#include "approvald/core/request_id.h"
#include "approvald/service/answer.h"
#include "approvald/service/limits.h"
#include "approvald/service/use.h"

#include "base/assert.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* What is known of a person, and of who is stood in for. */
static void
look_at(const struct service *service, uint64_t since_ms, struct span user, struct facts *ret_facts)
{
    if (service->certain != NULL) {
        service->certain(service->confirm_arg, user, since_ms, ret_facts);
    } else {
        service->facts(service->facts_arg, user, ret_facts);
    }
}

/* One look at all who approved. */
struct look {
    const struct service *service;
    uint64_t since_ms;
    const struct request *request;
    const struct policy *head;
    bool certain;  /* what is not known counts as no, else as yes */
    bool presumed; /* everybody is a member of the workspace: nobody has been asked yet */
};

static void facts_for(const struct look *look, struct span user, struct facts *ret_facts)
{
    *ret_facts = (struct facts){.user_known = true};
    if (!look->presumed) {
        look_at(look->service, look->since_ms, user, ret_facts);
    }
}

/* Leaves the decision those of its rights that still hold. False: none of them, or the person
 * himself may not decide any more. */
static bool hold_again(const struct look *look, struct decision *decision)
{
    struct behalf own = {.user = decision->user, .needs = decision->needs};
    uint32_t count = decision->behalf_count;
    struct facts facts;

    facts_for(look, decision->user, &facts);
    if (eligible_is_gone(&facts) || (look->certain && !facts.user_known)) {
        return false;
    }
    decision->no_own = decision->no_own || !eligible_still(look->request, look->head, &own, &facts,
                                                           look->certain, &own.needs);
    decision->needs = decision->no_own ? 0 : own.needs;
    decision->behalf_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        struct behalf right = decision->behalfs[i];

        facts_for(look, right.user, &facts);
        if (eligible_still(look->request, look->head, &right, &facts, look->certain,
                           &right.needs)) {
            decision->behalfs[decision->behalf_count++] = right;
        }
    }
    return !decision->no_own || decision->behalf_count > 0;
}

/* A broken glass rests on one person alone, and no group. Of root there is nothing to know. */
static bool glass_holds(const struct look *look)
{
    struct facts facts;
    enum refusal refusal;

    if (span_is(look->request->glass.user, "root")) {
        return true;
    }
    facts_for(look, look->request->glass.user, &facts);
    refusal = eligible_ask(&facts);
    /* The way out of an emergency is not shut because Slack is silent, too. */
    return refusal == REFUSAL_NONE || refusal == REFUSAL_FACTS_UNKNOWN;
}

/* May all who approved do so still, or those who are left fill the needs? */
static bool approval_holds(const struct look *look)
{
    struct request now = *look->request;
    struct quorum_result result;

    if (look->request->glass.at_ms > 0) {
        return glass_holds(look);
    }
    for (uint32_t i = 0; i < now.decision_count; i++) {
        struct decision *decision = &now.decisions[i];

        if (decision->verdict == VERDICT_APPROVE && !hold_again(look, decision)) {
            return false;
        }
    }
    needs_judge(&now, now.decision_count, &result);
    return result.satisfied;
}

static void add_user(struct service_question *question, struct span user)
{
    bool there = user.size == 0 || span_is(user, "root");

    for (uint32_t i = 0; i < question->user_count && !there; i++) {
        there = span_equal(question->users[i], user);
    }
    if (!there && question->user_count < SERVICE_QUESTION_USER_MAX) {
        question->users[question->user_count++] = user;
    }
}

static void add_decision(struct service_question *question, const struct decision *decision)
{
    if (decision->verdict != VERDICT_APPROVE) {
        return;
    }
    add_user(question, decision->user);
    for (uint32_t i = 0; i < decision->behalf_count; i++) {
        add_user(question, decision->behalfs[i].user);
    }
}

/* Everybody on whom the approval rests; and the groups, unless they are all named themselves. */
static void ask_about(const struct request *request,
                      const struct policy *head,
                      struct service_question *question)
{
    struct look by_name = {.request = request, .head = head, .certain = true, .presumed = true};

    add_user(question, request->glass.user);
    for (uint32_t i = 0; i < request->decision_count && request->glass.at_ms == 0; i++) {
        add_decision(question, &request->decisions[i]);
    }
    if (request->glass.at_ms > 0 || approval_holds(&by_name)) {
        return;
    }
    for (uint32_t i = 0; i < head->group_count; i++) {
        question->groups[question->group_count++] = head->groups[i];
    }
    for (uint32_t i = 0; request->clocks.escalated_ms > 0 && i < head->clocks.escalate_group_count;
         i++) {
        question->groups[question->group_count++] = head->clocks.escalate_groups[i];
    }
}

/* The same claim once more. */
static enum err_code run_again(struct service *service,
                               const struct claim_wait *wait,
                               struct use_job **ret_job,
                               struct err *err)
{
    struct actor actor = {.kind = wait->kind,
                          .via = wait->via,
                          .user = span_text(wait->user),
                          .token = span_text(wait->token)};
    enum err_code rc = use_new(service, &actor, &wait->id, ret_job, err);

    if (rc == ERR_OK) {
        (*ret_job)->what = "claim";
        (*ret_job)->event.kind = APPROVAL_CLAIM;
        use_bind(*ret_job, wait->bound ? wait->bind_hash : NULL);
        if (wait->keyed) {
            use_claim_hash(*ret_job, wait->claim_hash);
        }
        (*ret_job)->try_count = wait->try_count;
        (*ret_job)->since_ms = wait->since_ms;
    }
    return rc;
}

/* False: a name is longer than any of ours. */
static bool remember(const struct use_job *job, struct claim_wait *wait)
{
    const struct actor *actor = &job->event.actor;

    *wait = (struct claim_wait){.service = job->base.job.service,
                                .done = job->base.done,
                                .arg = job->base.job.arg,
                                .kind = actor->kind,
                                .via = actor->via,
                                .id = job->id,
                                .bound = job->event.bind_hash != NULL,
                                .keyed = job->event.claim_hash.size > 0,
                                .try_count = job->try_count,
                                .since_ms = job->since_ms};
    if (actor->user.size >= sizeof wait->user || actor->token.size >= sizeof wait->token) {
        return false;
    }
    memcpy(wait->user, actor->user.data, actor->user.size);
    memcpy(wait->token, actor->token.data, actor->token.size);
    memcpy(wait->bind_hash, job->bind_hash, sizeof wait->bind_hash);
    memcpy(wait->claim_hash, job->claim_hash, sizeof wait->claim_hash);
    return true;
}

/* Slack has answered, or takes too long: it is looked at anew what the claim rests on. */
static void on_confirmed(void *arg)
{
    struct claim_wait *wait = arg;
    struct service_answer nothing = {.refusal = REFUSAL_NONE};
    struct use_job *job;
    struct err err = ERR_INIT;
    enum err_code rc;

    ASSERT(wait->busy);
    wait->busy = false;
    rc = run_again(wait->service, wait, &job, &err);
    if (rc == ERR_OK) {
        rc = use_submit(job, wait->done, wait->arg, &err);
    }
    if (rc != ERR_OK) {
        wait->done(wait->arg, rc, &err, &nothing);
    }
}

/* Of the last try of a claim of this request; NULL: there was none, or it is forgotten. */
static struct claim_wait *find_last(struct service *service, const struct request_id *id)
{
    for (size_t i = 0; i < SERVICE_CLAIM_WAIT_MAX; i++) {
        struct claim_wait *wait = &service->waits[i];

        if (!wait->busy && wait->since_ms > 0 && request_id_equal(&wait->id, id)) {
            return wait;
        }
    }
    return NULL;
}

static bool is_late(const struct claim_wait *wait, uint64_t boot_ms)
{
    return wait->late && boot_ms - wait->since_ms < SERVICE_CLAIM_LATE_MS;
}

/* What Slack says only after a claim has given up, as of a channel of many pages, is new enough for
 * its next try. Else each try would ask anew, and come too early again. */
static uint64_t new_enough_ms(struct service *service, const struct request_id *id)
{
    uint64_t boot_ms = clock_boot_ms(service->clock);
    const struct claim_wait *last = find_last(service, id);

    if (last != NULL && is_late(last, boot_ms)) {
        return last->since_ms;
    }
    return boot_ms > SERVICE_CLAIM_AGE_MS ? boot_ms - SERVICE_CLAIM_AGE_MS : 1;
}

/* The place of the last try, else one that nobody needs, else one that is free. NULL: none is. */
static struct claim_wait *find_place(struct service *service, const struct request_id *id)
{
    uint64_t boot_ms = clock_boot_ms(service->clock);
    struct claim_wait *place = find_last(service, id);

    for (size_t i = 0; i < SERVICE_CLAIM_WAIT_MAX && place == NULL; i++) {
        struct claim_wait *wait = &service->waits[i];

        place = wait->busy || is_late(wait, boot_ms) ? NULL : wait;
    }
    for (size_t i = 0; i < SERVICE_CLAIM_WAIT_MAX && place == NULL; i++) {
        place = service->waits[i].busy ? NULL : &service->waits[i];
    }
    return place;
}

/* False: there is nobody to ask, or no room to wait; then what is known decides at once. */
static bool
ask_slack(struct claim_wait *now, const struct request *request, const struct policy *head)
{
    struct service *service = now->service;
    struct service_question question = {.since_ms = now->since_ms};
    struct claim_wait *wait = find_place(service, &now->id);
    struct err err = ERR_INIT;

    if (wait == NULL || service->confirm == NULL) {
        return false;
    }
    ask_about(request, head, &question);
    if (question.user_count == 0) {
        return false;
    }
    *wait = *now;
    wait->busy =
        service->confirm(service->confirm_arg, &question, on_confirmed, wait, &err) == ERR_OK;
    return wait->busy;
}

/* What the loop knows of them now judges the claim. */
static enum err_code judge(const struct claim_wait *wait,
                           const struct request *request,
                           const struct policy *head,
                           struct err *err)
{
    struct look look = {
        .service = wait->service, .since_ms = wait->since_ms, .request = request, .head = head};
    struct claim_wait *last = find_last(wait->service, &wait->id);
    struct use_job *job;
    enum err_code rc = run_again(wait->service, wait, &job, err);

    if (rc != ERR_OK) {
        return rc;
    }
    job->try_count++;
    job->judged_version = head->version;
    job->gone = !approval_holds(&look);
    look.certain = true;
    job->unknown = !job->gone && !approval_holds(&look);
    if (last != NULL) {
        last->late = job->unknown;
    }
    return use_submit(job, wait->done, wait->arg, err);
}

enum err_code recheck_claim(const struct use_job *job, struct err *err)
{
    struct service *service = job->base.job.service;
    struct claim_wait wait;
    struct request request;
    struct policy head;
    struct unpack cursor;
    bool complete;

    answer_open(&job->base.job, &cursor);
    complete = answer_next_request(&cursor, &request) && answer_next_policy(&cursor, &head);
    ASSERT(complete);
    if (!remember(job, &wait)) {
        return err_set(err, ERR_INVALID, "the asker's name is too long");
    }
    if (wait.since_ms == 0) {
        wait.since_ms = new_enough_ms(service, &wait.id);
        if (ask_slack(&wait, &request, &head)) {
            return ERR_OK;
        }
    }
    return judge(&wait, &request, &head, err);
}
