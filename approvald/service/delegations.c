/* SPDX-License-Identifier: Apache-2.0 */
/* delegations.c: who stands in for whom, in memory and by one look at the store.
 * Owns what the loop remembers of delegations, and that the store alone says who may act in whose
 * place: memory only tells whom to ask about.
 * Never makes or ends one: delegate.c does. */
#include "approvald/service/delegations.h"
#include "approvald/service/answer.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "storage/storage.h"

#include <string.h>

struct slot {
    struct service_delegation delegation; /* spans point to the arrays below */
    char from[CORE_SLACK_ID_SIZE_MAX + 1];
    char to[CORE_SLACK_ID_SIZE_MAX + 1];
    char made_by[AUDIT_ACTOR_SIZE];
};

struct delegations {
    size_t count;
    struct slot slots[SERVICE_DELEGATION_COUNT_MAX];
    struct service_delegation list[SERVICE_DELEGATION_COUNT_MAX]; /* given out */
};

enum err_code delegations_new(struct delegations **ret_delegations, struct err *err)
{
    *ret_delegations = mem_new(1, sizeof **ret_delegations);
    return *ret_delegations == NULL ? err_set(err, ERR_NOMEM, "delegations") : ERR_OK;
}

void delegations_free(struct delegations *delegations)
{
    mem_free(delegations);
}

static struct span copy(char *room, size_t size_max, struct span text)
{
    size_t size = text.size < size_max ? text.size : size_max - 1;

    memcpy(room, text.data == NULL ? "" : text.data, size);
    room[size] = '\0';
    return span_of(room, size);
}

static void adopt(struct delegations *delegations, const struct delegation *stored)
{
    struct slot *slot = &delegations->slots[delegations->count++];

    slot->delegation = (struct service_delegation){
        .id = stored->id,
        .from = copy(slot->from, sizeof slot->from, stored->from),
        .to = copy(slot->to, sizeof slot->to, stored->to),
        .begin_ms = stored->begin_ms,
        .end_ms = stored->end_ms,
        .made_ms = stored->made_ms,
        .made_by = copy(slot->made_by, sizeof slot->made_by, stored->made_by)};
}

struct load_visit {
    struct work *work;
    enum err_code rc;
};

static bool visit_all(void *arg, struct span key, struct span value)
{
    struct load_visit *visit = arg;

    (void)key; /* the record holds what it says */
    visit->rc = answer_bytes(visit->work, value);
    return visit->rc == ERR_OK;
}

static enum err_code load_run(struct work *work)
{
    struct load_visit visit = {.work = work, .rc = ERR_OK};
    enum err_code rc;

    rc = storage_scan(work->txn, TABLE_DELEGATIONS, SPAN_NONE, false, visit_all, &visit, work->err);
    return rc == ERR_OK ? visit.rc : rc;
}

static void load_answer(struct job *job, enum err_code rc, const struct err *err)
{
    struct delegations *delegations = job->service->delegations;
    struct delegation stored;
    struct unpack cursor;
    struct span bytes;

    answer_open(job, &cursor);
    if (rc == ERR_OK) {
        delegations->count = 0;
    }
    while (rc == ERR_OK && answer_more(&cursor) && answer_next(&cursor, &bytes) &&
           delegations->count < SERVICE_DELEGATION_COUNT_MAX) {
        if (codec_delegation_decode(bytes, &stored, NULL) == ERR_OK) {
            adopt(delegations,
                  &stored); /* a damaged one lets nobody act: the writer skips it too */
        }
    }
    done_job_answer(job, rc, err);
    if (rc == ERR_OK && job->service->delegated != NULL) {
        job->service->delegated(job->service->delegated_arg);
    }
}

enum err_code
delegations_load(struct service *service, service_done_fn *done, void *arg, struct err *err)
{
    struct done_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, load_run, load_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct done_job *)base;
    job->done = done;
    base->arg = arg;
    base->reads = true;
    return job_submit_take(base, err);
}

void service_listen_delegations(struct service *service, service_delegated_fn *fn, void *arg)
{
    service->delegated = fn;
    service->delegated_arg = arg;
}

size_t service_delegation_list(const struct service *service,
                               const struct service_delegation **ret_delegations)
{
    struct delegations *delegations = service->delegations;
    uint64_t now_ms = clock_wall_ms(service->clock);
    size_t count = 0;

    for (size_t i = 0; i < delegations->count; i++) {
        if (delegations->slots[i].delegation.end_ms > now_ms) {
            delegations->list[count++] = delegations->slots[i].delegation;
        }
    }
    *ret_delegations = delegations->list;
    return count;
}

static bool is_active(uint64_t begin_ms, uint64_t end_ms, uint64_t now_ms)
{
    return begin_ms <= now_ms && now_ms < end_ms;
}

uint32_t service_stands_in_for(const struct service *service,
                               struct span user,
                               struct span ret_users[CORE_STAND_IN_COUNT_MAX])
{
    const struct delegations *delegations = service->delegations;
    uint64_t now_ms = clock_wall_ms(service->clock);
    uint32_t count = 0;

    for (size_t i = 0; i < delegations->count && count < CORE_STAND_IN_COUNT_MAX; i++) {
        const struct service_delegation *at = &delegations->slots[i].delegation;

        if (is_active(at->begin_ms, at->end_ms, now_ms) && span_equal(at->to, user)) {
            ret_users[count++] = at->from;
        }
    }
    return count;
}

bool service_substitute(const struct service *service, struct span user, struct span *ret_user)
{
    const struct delegations *delegations = service->delegations;
    uint64_t now_ms = clock_wall_ms(service->clock);

    for (size_t i = 0; i < delegations->count; i++) {
        const struct service_delegation *at = &delegations->slots[i].delegation;

        if (is_active(at->begin_ms, at->end_ms, now_ms) && span_equal(at->from, user)) {
            *ret_user = at->to;
            return true;
        }
    }
    return false;
}

static bool has(const struct span *spans, uint32_t count, struct span span)
{
    for (uint32_t i = 0; i < count; i++) {
        if (span_equal(spans[i], span)) {
            return true;
        }
    }
    return false;
}

/* His groups as bits of those known of the person who acts: one that is not known of him as well is
 * not known at all. */
static struct stand_in
describe(const struct service *service, struct span user, const struct facts *facts)
{
    struct stand_in stand_in = {.user = user};
    struct facts about = {.user_known = false};

    if (service->facts != NULL) {
        service->facts(service->facts_arg, user, &about);
    }
    stand_in.known = about.user_known;
    stand_in.fit = !about.foreign && !about.guest && !about.bot && !about.deactivated;
    stand_in.emails_known = about.emails_known;
    stand_in.email_count = about.email_count;
    for (uint32_t i = 0; i < about.email_count; i++) {
        stand_in.emails[i] = about.emails[i];
    }
    for (uint32_t i = 0; i < facts->known_count; i++) {
        if (has(about.member, about.member_count, facts->known[i])) {
            stand_in.member |= UINT64_C(1) << i;
        } else if (!has(about.known, about.known_count, facts->known[i])) {
            stand_in.known = false;
        }
    }
    return stand_in;
}

void service_add_stand_ins(const struct service *service, struct span user, struct facts *facts)
{
    struct span users[CORE_STAND_IN_COUNT_MAX];
    uint32_t count = service_stands_in_for(service, user, users);

    facts->stand_in_count = count;
    for (uint32_t i = 0; i < count; i++) {
        facts->stand_ins[i] = describe(service, users[i], facts);
    }
}

/* The writer's look. */

struct active_visit {
    struct span user;
    uint64_t now_ms;
    uint32_t count;
    struct span from[CORE_STAND_IN_COUNT_MAX];
};

static bool visit_active(void *arg, struct span key, struct span value)
{
    struct active_visit *visit = arg;
    struct delegation stored;

    if (!key_is_delegation_to(key, visit->user)) {
        return false;
    }
    if (codec_delegation_decode(value, &stored, NULL) == ERR_OK &&
        is_active(stored.begin_ms, stored.end_ms, visit->now_ms) &&
        visit->count < CORE_STAND_IN_COUNT_MAX) {
        visit->from[visit->count++] = stored.from;
    }
    return true;
}

/* Nothing is known of one who is not in the facts. */
static struct stand_in find(const struct facts *facts, struct span user)
{
    for (uint32_t i = 0; i < facts->stand_in_count; i++) {
        if (span_equal(facts->stand_ins[i].user, user)) {
            return facts->stand_ins[i];
        }
    }
    return (struct stand_in){.user = user};
}

enum err_code delegations_apply(
    struct work *work, struct span user, uint64_t at_ms, bool certain, struct facts *facts)
{
    struct active_visit visit = {.user = user, .now_ms = at_ms};
    struct stand_in active[CORE_STAND_IN_COUNT_MAX];
    struct key from = key_delegation(user, 0);
    uint32_t count = 0;
    enum err_code rc;

    ASSERT(user.size <= CORE_SLACK_ID_SIZE_MAX);
    rc = storage_scan(work->txn, TABLE_DELEGATIONS, key_span(&from), false, visit_active, &visit,
                      work->err);
    if (rc != ERR_OK) {
        return rc;
    }
    for (uint32_t i = 0; i < visit.count; i++) {
        active[count] = find(facts, visit.from[i]);
        count += active[count].known || !certain ? 1 : 0;
    }
    memcpy(facts->stand_ins, active, count * sizeof active[0]);
    facts->stand_in_count = count;
    return ERR_OK;
}
