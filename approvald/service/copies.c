/* SPDX-License-Identifier: Apache-2.0 */
/* copies.c: the copies of a request's card in direct messages.
 * Owns that a copy shows what the request is from the transaction on that makes it: it is made for
 * the newest revision of a pending request, and every later change raises all that are there.
 * Owns when a request becomes one that has copies: when no channel took its card.
 * Never finds out who gets one: slack/people/people.c does. */
#include "approvald/service/cards.h"

#include "approvald/core/eligible.h"
#include "approvald/core/policy.h"
#include "approvald/core/policy_routes.h"
#include "approvald/service/work.h"
#include "base/assert.h"
#include "storage/storage.h"

#include <string.h>

#define UNPOSTED_TEXT                                                                              \
    "The channel of its policy did not take this request. Those who may decide are asked in "      \
    "direct messages; you will be told what comes of it."

struct copy_visit {
    const struct request_id *id;
    struct copies *copies;
};

static bool has_copy(const struct copies *copies, struct span user)
{
    for (uint32_t i = 0; i < copies->count; i++) {
        if (span_is(user, copies->users[i])) {
            return true;
        }
    }
    return false;
}

static void add_copy(struct copies *copies, struct span user)
{
    char *room = copies->users[copies->count];

    ASSERT(copies->count < CORE_COPY_COUNT_MAX);
    ASSERT(user.size <= CORE_SLACK_ID_SIZE_MAX);
    memcpy(room, user.data, user.size);
    room[user.size] = '\0';
    copies->count++;
}

/* Keys are in the order of targets, and ids of channels come before those of people; the next
 * surface begins with another byte. */
static bool visit_copy(void *arg, struct span key, struct span value)
{
    struct copy_visit *visit = arg;
    struct outbox_row row;

    if (!key_is_of_request(key, visit->id) || visit->copies->count == CORE_COPY_COUNT_MAX) {
        return false;
    }
    if (codec_row_decode(value, &row, NULL) != ERR_OK) {
        return true; /* one damaged row must not keep all others from being shown */
    }
    if (outbox_is_copy(&row) && !has_copy(visit->copies, row.target)) {
        add_copy(visit->copies, row.target);
    }
    return row.surface == SURFACE_CARD;
}

enum err_code copies_find(struct work *work, const struct request_id *id, struct copies *ret_copies)
{
    static const enum table tables[] = {TABLE_SETTLED, TABLE_OWED, TABLE_DEAD};
    struct copy_visit visit = {.id = id, .copies = ret_copies};
    struct key from = key_row(id, SURFACE_CARD, SPAN_LITERAL("U"));
    enum err_code rc = ERR_OK;

    ret_copies->count = 0;
    for (size_t i = 0; rc == ERR_OK && i < sizeof tables / sizeof tables[0]; i++) {
        if (tables[i] != TABLE_DEAD || work->writer->state.counts.dead > 0) {
            rc = storage_scan(work->txn, (uint8_t)tables[i], key_span(&from), false, visit_copy,
                              &visit, work->err);
        }
    }
    return rc;
}

enum err_code copies_raise(struct work *work,
                           const struct request *request,
                           const struct approval_effects *effects,
                           const uint64_t *audit_seqs)
{
    struct copies copies = {.count = 0};
    enum err_code rc = ERR_OK;

    if (effects->copies || effects->reminds) {
        rc = copies_find(work, &request->id, &copies);
    }
    for (uint32_t i = 0; rc == ERR_OK && i < copies.count; i++) {
        struct approval_raise raise = {.surface = SURFACE_CARD,
                                       .target = span_text(copies.users[i])};

        if (effects->copies) {
            rc = row_raise(work, request, effects, &raise, audit_seqs);
        }
        if (rc == ERR_OK && effects->reminds && !request_is_used_up(request, raise.target)) {
            raise.surface = SURFACE_THREAD;
            raise.audit = effects->remind_audit;
            rc = row_raise(work, request, effects, &raise, audit_seqs);
        }
    }
    return rc;
}

/* Its card was refused there: it never was, and nobody has deleted it. */
static bool is_refused(const struct outbox_row *row, enum row_where where)
{
    return where == ROW_DEAD && row->ts.size == 0 && row->reposts == 0;
}

/* Is there no channel that has the card, or may have it soon? */
static enum err_code
all_refused(struct work *work, const struct subject *subject, bool *ret_all_refused)
{
    struct span channels[APPROVAL_CHANNEL_COUNT_MAX];
    uint32_t count = approval_channels(&subject->request, &subject->policy, channels);
    enum err_code rc = ERR_OK;

    *ret_all_refused = count > 0;
    for (uint32_t i = 0; rc == ERR_OK && *ret_all_refused && i < count; i++) {
        struct outbox_row row;
        enum row_where where;

        rc = work_row_get(work, &subject->request.id, SURFACE_CARD, channels[i], &row, &where);
        *ret_all_refused = rc == ERR_OK && is_refused(&row, where);
    }
    return rc;
}

/* Who gets a copy is found out, as for a policy that says so. */
static enum err_code ask_people(struct work *work, const struct request *request)
{
    struct outbox_row row;
    enum row_where where;
    enum err_code rc =
        work_row_get(work, &request->id, SURFACE_PEOPLE, SPAN_LITERAL(ROUTE_TARGET), &row, &where);

    if (rc != ERR_OK) {
        return rc;
    }
    outbox_raise(&row, request->revision, work->now_ms);
    return work_row_put(work, &row, where);
}

/* Who waits for the answer looks for the card in vain. */
static enum err_code tell_unposted(struct work *work, const struct request *request, uint64_t seq)
{
    const struct span waiting[] = {request->requester, request->asker};
    struct notice notice = {.id = &request->id, .text = SPAN_LITERAL(UNPOSTED_TEXT)};
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof waiting / sizeof waiting[0]; i++) {
        bool told = i == 1 && span_equal(waiting[0], waiting[1]);

        notice.user = waiting[i];
        notice.audit_seq = seq;
        if (slack_user_is_valid(waiting[i]) && !told) {
            rc = work_notice(work, &notice);
        }
    }
    return rc;
}

enum err_code copies_rescue(struct work *work, const struct outbox_row *card)
{
    static const struct actor system = {.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM};
    struct audit_write write = {.action = span_text(audit_action_word(AUDIT_UNPOSTED)),
                                .actor = &system,
                                .id = &card->request,
                                .detail = card->target};
    struct subject subject;
    bool all = false;
    uint64_t seq = 0;
    enum err_code rc;

    if (card->surface != SURFACE_CARD || outbox_is_copy(card)) {
        return ERR_OK;
    }
    rc = subject_load(work, &card->request, &subject);
    if (rc == ERR_NOT_FOUND ||
        (rc == ERR_OK && (subject.request.state != REQUEST_PENDING || subject.request.unposted))) {
        return ERR_OK;
    }
    if (rc == ERR_OK) {
        rc = all_refused(work, &subject, &all);
    }
    if (rc != ERR_OK || !all) {
        return rc;
    }
    subject.request.unposted = true;
    subject.dirty = true;
    rc = work_audit(work, &write, &subject, &seq);
    if (rc == ERR_OK) {
        rc = ask_people(work, &subject.request);
    }
    if (rc == ERR_OK) {
        rc = tell_unposted(work, &subject.request, seq);
    }
    return rc == ERR_OK ? subject_store(work, &subject) : rc;
}

struct give_job {
    struct job job;
    service_done_fn *done;
    struct copies wanted;
};
static_assert(sizeof(struct give_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

static enum err_code
give_one(struct work *work, const struct request *request, struct copies *copies, const char *user)
{
    struct span target = span_text(user);
    struct outbox_row row;
    enum row_where where;
    enum err_code rc;

    if (has_copy(copies, target) || copies->count == CORE_COPY_COUNT_MAX) {
        return ERR_OK;
    }
    rc = work_row_get(work, &request->id, SURFACE_CARD, target, &row, &where);
    if (rc != ERR_OK || where != ROW_NOWHERE) {
        return rc;
    }
    add_copy(copies, target);
    outbox_raise(&row, request->revision, work->now_ms);
    work->job->changed = true;
    return work_row_put(work, &row, where);
}

static enum err_code give_run(struct work *work)
{
    const struct copies *wanted = &((struct give_job *)work->job)->wanted;
    const struct request_id id = work->job->id;
    struct copies copies = {.count = 0};
    struct subject subject;
    enum err_code rc;

    rc = subject_load(work, &id, &subject);
    if (rc != ERR_OK || subject.request.state != REQUEST_PENDING ||
        !request_is_direct(&subject.request, &subject.policy)) {
        return rc;
    }
    rc = copies_find(work, &id, &copies);
    for (uint32_t i = 0; rc == ERR_OK && i < wanted->count; i++) {
        rc = give_one(work, &subject.request, &copies, wanted->users[i]);
    }
    return rc;
}

static void give_answer(struct job *base, enum err_code rc, const struct err *err)
{
    ((struct give_job *)base)->done(base->arg, rc, err);
}

/* NOLINTNEXTLINE(readability-function-size): done, arg and err are three of the parameters */
enum err_code service_cards_give(struct service *service,
                                 const struct request_id *id,
                                 const struct span *users,
                                 uint32_t count,
                                 service_done_fn *done,
                                 void *arg,
                                 struct err *err)
{
    struct give_job *job;
    struct job *base;
    enum err_code rc;

    ASSERT(count <= CORE_DIRECT_COUNT_MAX);
    rc = job_new(service, sizeof *job, give_run, give_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct give_job *)base;
    job->done = done;
    base->arg = arg;
    base->id = *id;
    for (uint32_t i = 0; i < count; i++) {
        if (slack_user_is_valid(users[i])) { /* of bounded size, too */
            add_copy(&job->wanted, users[i]);
        }
    }
    return job_submit_take(base, err);
}
