/* SPDX-License-Identifier: Apache-2.0 */
/* home.c: what one person has to do with.
 * Owns which requests one Home shows, in which order, and the bounds on finding them.
 * Never trusts the book for more than where to look: each request shown was read and checked. */
#include "approvald/core/eligible.h"
#include "approvald/core/needs.h"
#include "approvald/core/request_id.h"
#include "approvald/service/answer.h"
#include "approvald/service/book.h"
#include "approvald/service/book_load.h"
#include "approvald/service/delegations.h"
#include "approvald/service/replay.h"

#include "base/assert.h"
#include "base/mem.h"
#include "storage/storage.h"

#include <string.h>

#define DEPTH ((size_t)SERVICE_HOME_ITEM_MAX * SERVICE_HOME_PAGE_MAX)

struct home_list {
    size_t count; /* records in the job's out */
    uint32_t page;
    bool more;
    uint32_t total;
    bool cut;
};

struct home_job {
    struct job job;
    service_home_fn *done;
    struct service_home home; /* spans point to the job's copies */
    bool ready;
    bool unknown;
    struct home_list lists[HOME_PART_COUNT];
};
static_assert(sizeof(struct home_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");
static_assert(2 * CORE_FACT_GROUP_COUNT_MAX + CORE_FACT_EMAIL_COUNT_MAX +
                      5 * CORE_STAND_IN_COUNT_MAX + 1 <=
                  JOB_KEEP_COUNT_MAX,
              "all spans are kept");

/* What a version of a policy says about the person; in a table with open addressing. */
struct opinion {
    uint64_t policy; /* 0 with named 0: free */
    enum known named;
    bool self; /* it lets the requester decide */
    bool each; /* once somebody has decided, it depends on who that was */
    bool time; /* it depends on whether a request is escalated, or approved but not in effect */
};
#define OPINION_ROOM ((size_t)2 * SERVICE_HOME_POLICY_MAX)

struct query {
    struct work *work;
    struct home_job *job;
    struct book *book;
    uint32_t person;
    uint64_t bit;
    size_t reads; /* requests read so far */
    bool spent;   /* something was not read, for enough were */
    size_t opinion_count;
    struct opinion opinions[OPINION_ROOM];
    struct facts facts; /* the question's, with those for whom he stands in, as the store says */
    size_t found_count;
    struct book_entry found[DEPTH]; /* of the part at hand, in its order */
};

/* False: no such request, a damaged one, which must not hide all others, or enough were read. */
static bool read_one(struct query *query, const struct request_id *id, struct subject *ret_subject)
{
    struct err before = *query->work->err;
    enum err_code rc;

    if (query->reads >= SERVICE_HOME_READ_MAX) {
        query->spent = true;
        return false;
    }
    query->reads++;
    rc = subject_load(query->work, id, ret_subject);
    *query->work->err = before;
    return rc == ERR_OK;
}

/* Answers. */

static enum err_code say(struct query *query, const struct subject *subject)
{
    /* Where there is no channel, his own copy, if he has one. */
    struct span channel = subject->policy.channel;
    struct span target = channel.size > 0 ? channel : query->job->home.user;
    struct outbox_row row;
    enum row_where where = ROW_NOWHERE;
    enum err_code rc = answer_subject(query->work, subject);

    if (rc == ERR_OK) {
        rc = work_row_get(query->work, &subject->request.id, SURFACE_CARD, target, &row, &where);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    return answer_row(query->work, where == ROW_NOWHERE || row.ts.size == 0 ? NULL : &row);
}

/* Cuts the page asked for out of what was found. */
typedef bool fits_fn(const struct query *query, const struct subject *subject);
static enum err_code
say_page(struct query *query, enum service_home_part part, uint32_t total, fits_fn *fits)
{
    struct home_list *list = &query->job->lists[part];
    size_t page_count = (query->found_count + SERVICE_HOME_ITEM_MAX - 1) / SERVICE_HOME_ITEM_MAX;
    uint32_t page = query->job->home.pages[part];
    struct subject subject;
    enum err_code rc = ERR_OK;
    size_t first;

    page = page >= page_count && page_count > 0 ? (uint32_t)(page_count - 1) : page;
    list->page = page_count == 0 ? 0 : page;
    list->total = total;
    first = (size_t)list->page * SERVICE_HOME_ITEM_MAX;
    list->more = query->found_count > first + SERVICE_HOME_ITEM_MAX;
    for (size_t i = first;
         rc == ERR_OK && i < query->found_count && i < first + SERVICE_HOME_ITEM_MAX; i++) {
        if (read_one(query, &query->found[i].id, &subject) && fits(query, &subject)) {
            rc = say(query, &subject);
            list->count++;
        }
    }
    return rc;
}

/* Waiting. */

/* The place of a policy's opinion, or of a new one; NULL: too many policies. */
static struct opinion *opinion_place(struct query *query, uint64_t policy)
{
    for (size_t i = 0; i < OPINION_ROOM; i++) {
        struct opinion *opinion = &query->opinions[(policy + i) % OPINION_ROOM];

        if (opinion->named == 0) {
            return query->opinion_count < SERVICE_HOME_POLICY_MAX ? opinion : NULL;
        }
        if (opinion->policy == policy) {
            return opinion;
        }
    }
    return NULL;
}

/* NULL: the policy could not be looked at. */
static const struct opinion *judge(struct query *query, const struct book_entry *entry)
{
    struct opinion *opinion = opinion_place(query, entry->policy);
    struct subject subject;
    uint32_t unknown = 0;
    uint32_t needs;
    bool behalf;

    if (opinion == NULL) {
        query->spent = true;
    }
    if (opinion == NULL || opinion->named != 0) {
        return opinion;
    }
    if (!read_one(query, &entry->id, &subject)) {
        return NULL;
    }
    /* Whoever may decide some of them: the escalated ones. */
    subject.request.clocks.escalated_ms = subject.policy.clocks.escalate_after_ms;
    needs = needs_of_decider(&subject.request, &subject.policy, query->job->home.user,
                             &query->job->home.facts, &unknown);
    behalf = subject.policy.delegation && query->facts.stand_in_count > 0;
    *opinion = (struct opinion){.policy = entry->policy,
                                .named = needs != 0 || behalf ? KNOWN_YES
                                         : unknown != 0       ? KNOWN_UNKNOWN
                                                              : KNOWN_NO,
                                .self = subject.policy.self_approval,
                                .each = subject.policy.need_count > 0,
                                .time = behalf || subject.policy.clocks.escalate_after_ms > 0 ||
                                        subject.policy.clocks.effect_after_ms > 0};
    query->opinion_count++;
    query->job->unknown = query->job->unknown || opinion->named == KNOWN_UNKNOWN;
    return opinion;
}

static bool fits_waiting(const struct query *query, const struct subject *subject)
{
    const struct service_home *home = &query->job->home;
    struct approval_event event = {
        .kind = APPROVAL_DECIDE,
        .now_ms = query->work->now_ms,
        .actor = {.kind = ACTOR_PERSON, .via = VIA_SLACK, .user = home->user},
        .verdict = VERDICT_APPROVE,
        .facts = &query->facts};
    bool need_facts = false;

    return eligible_check(&subject->request, &subject->policy, &event, &need_facts) == REFUSAL_NONE;
}

static bool is_mine(const struct query *query, const struct book_entry *entry)
{
    return entry->requester == query->person || entry->asker == query->person;
}

static bool may_wait(struct query *query, const struct book_entry *entry)
{
    const struct opinion *opinion;
    struct subject subject;

    if (entry->gone) {
        return false;
    }
    opinion = judge(query, entry);
    if (opinion == NULL || opinion->named != KNOWN_YES ||
        (is_mine(query, entry) && !opinion->self)) {
        return false;
    }
    /* His bit is set: he has decided, or somebody with the same one. */
    if (!opinion->time && (entry->people & query->bit) == 0 &&
        (entry->people == 0 || !opinion->each)) {
        return true;
    }
    return read_one(query, &entry->id, &subject) && fits_waiting(query, &subject);
}

static bool is_before(const struct book_entry *a, const struct book_entry *b)
{
    return a->at_ms < b->at_ms || (a->at_ms == b->at_ms && request_id_compare(&a->id, &b->id) < 0);
}

/* Keeps the DEPTH first ones in order; nearly all others are turned away by the last of them. */
static void keep_first(struct query *query, const struct book_entry *entry)
{
    size_t at = query->found_count;

    if (at == DEPTH) {
        if (!is_before(entry, &query->found[DEPTH - 1])) {
            return;
        }
        at--;
    } else {
        query->found_count++;
    }
    while (at > 0 && is_before(entry, &query->found[at - 1])) {
        query->found[at] = query->found[at - 1];
        at--;
    }
    query->found[at] = *entry;
}

static enum err_code find_waiting(struct query *query)
{
    size_t count = 0;
    const struct book_entry *open = book_open_entries(query->book, &count);
    uint32_t total = 0;

    query->found_count = 0;
    if (eligible_ask(&query->job->home.facts) != REFUSAL_NONE) {
        query->job->unknown = query->job->unknown || !query->job->home.facts.user_known;
        count = 0; /* a guest, a bot: nothing waits for them */
    }
    for (size_t i = 0; i < count; i++) {
        if (may_wait(query, &open[i])) {
            keep_first(query, &open[i]);
            total++;
        }
    }
    query->job->lists[HOME_WAITING].cut = query->spent;
    /* Those that are shown are few, and are read whatever was spent to find them. */
    query->reads = 0;
    return say_page(query, HOME_WAITING, total, fits_waiting);
}

/* Mine. */

static bool fits_mine(const struct query *query, const struct subject *subject)
{
    return subject->request.state == REQUEST_PENDING &&
           request_is_of(&subject->request, query->job->home.user);
}

static void keep_next(struct query *query, const struct book_entry *entry)
{
    if (query->found_count < DEPTH) {
        query->found[query->found_count++] = *entry;
    }
}

static enum err_code find_mine(struct query *query)
{
    size_t count = 0;
    const struct book_entry *open = book_open_entries(query->book, &count);
    uint32_t total = 0;

    query->found_count = 0;
    for (size_t i = count; i > 0; i--) {
        if (!open[i - 1].gone && is_mine(query, &open[i - 1])) {
            total++;
            keep_next(query, &open[i - 1]);
        }
    }
    return say_page(query, HOME_MINE, total, fits_mine);
}

/* Recent. */

static bool fits_recent(const struct query *query, const struct subject *subject)
{
    struct span user = query->job->home.user;

    return subject->request.state != REQUEST_PENDING &&
           (request_is_of(&subject->request, user) ||
            request_is_decided_by(&subject->request, user));
}

/* A bit is shared by many, so each is read; half of the reads are left for what is shown. */
static enum err_code find_recent(struct query *query)
{
    uint32_t page = query->job->home.pages[HOME_RECENT];
    size_t wanted = ((size_t)page + 1) * SERVICE_HOME_ITEM_MAX + 1;
    size_t reads_max = query->reads + SERVICE_HOME_READ_MAX / 2;
    struct subject subject;

    wanted = page >= SERVICE_HOME_PAGE_MAX || wanted > DEPTH ? DEPTH : wanted;
    query->found_count = 0;
    for (size_t i = book_ended_count(query->book);
         i > 0 && query->found_count < wanted && query->reads < reads_max; i--) {
        const struct book_entry *entry = book_ended_entry(query->book, i - 1);

        if ((entry->people & query->bit) != 0 && read_one(query, &entry->id, &subject) &&
            fits_recent(query, &subject)) {
            query->found[query->found_count++] = *entry;
        }
    }
    return say_page(query, HOME_RECENT, 0, fits_recent);
}

/* The job. */

static enum err_code find(struct query *query)
{
    enum err_code rc = find_waiting(query);

    query->reads = 0;
    if (rc == ERR_OK) {
        rc = find_mine(query);
    }
    query->reads = 0;
    return rc == ERR_OK ? find_recent(query) : rc;
}

/* As for whom nothing is decided: in an outage, after a failover, nobody is known. */
static void trust(struct facts *facts)
{
    for (uint32_t i = 0; i < facts->stand_in_count; i++) {
        struct stand_in *stand_in = &facts->stand_ins[i];

        stand_in->fit = stand_in->fit || !stand_in->known;
        stand_in->known = true;
    }
}

static enum err_code run(struct work *work)
{
    struct home_job *job = (struct home_job *)work->job;
    struct query *query;
    enum err_code rc;

    job->ready = book_state(work->writer->book) == BOOK_READY;
    if (!job->ready) {
        return ERR_OK;
    }
    query = mem_new(1, sizeof *query);
    if (query == NULL) {
        return err_set(work->err, ERR_NOMEM, "home");
    }
    query->work = work;
    query->job = job;
    query->book = work->writer->book;
    query->person = book_person(job->home.user);
    query->bit = book_bit(job->home.user);
    query->facts = job->home.facts;
    rc = delegations_apply(work, job->home.user, work->now_ms, !job->home.trusts, &query->facts);
    if (job->home.trusts) {
        trust(&query->facts);
    }
    if (rc == ERR_OK) {
        rc = find(query);
    }
    mem_free(query);
    return rc;
}

/* The records of one item, with their memory. */
struct shown {
    struct request request;
    struct policy policy;
    struct outbox_row card;
};

static void show_list(const struct home_list *list,
                      struct unpack *cursor,
                      struct shown *shown,
                      struct service_home_list *ret_list)
{
    *ret_list = (struct service_home_list){.count = list->count,
                                           .page = list->page,
                                           .more = list->more,
                                           .total = list->total,
                                           .cut = list->cut};
    for (size_t i = 0; i < list->count; i++) {
        struct service_home_item *item = &ret_list->items[i];

        item->request = answer_next_request(cursor, &shown[i].request) ? &shown[i].request : NULL;
        item->policy = answer_next_policy(cursor, &shown[i].policy) ? &shown[i].policy : NULL;
        item->card = answer_next_row(cursor, &shown[i].card) ? &shown[i].card : NULL;
        ASSERT(item->request != NULL);
        ASSERT(item->policy != NULL);
    }
}

static void answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct home_job *job = (struct home_job *)base;
    struct service_home_answer found = {.ready = job->ready, .unknown = job->unknown};
    struct err failed = ERR_INIT;
    struct shown *shown = mem_new((size_t)HOME_PART_COUNT * SERVICE_HOME_ITEM_MAX, sizeof *shown);
    struct unpack cursor;

    if (rc == ERR_OK && shown == NULL) {
        rc = err_set(&failed, ERR_NOMEM, "home");
        err = &failed;
    }
    answer_open(base, &cursor);
    for (size_t i = 0; rc == ERR_OK && job->ready && i < HOME_PART_COUNT; i++) {
        show_list(&job->lists[i], &cursor, &shown[i * SERVICE_HOME_ITEM_MAX], &found.parts[i]);
    }
    if (rc == ERR_OK && !job->ready) {
        book_load(base->service);
    }
    job->done(base->arg, rc, err, rc == ERR_OK ? &found : NULL);
    mem_free(shown);
}

enum err_code service_home(struct service *service,
                           const struct service_home *home,
                           service_home_fn *done,
                           void *arg,
                           struct err *err)
{
    struct span *spans[JOB_KEEP_COUNT_MAX];
    struct home_job *job;
    struct job *base;
    enum err_code rc;

    ASSERT(home->facts.known_count <= CORE_FACT_GROUP_COUNT_MAX);
    ASSERT(home->facts.member_count <= CORE_FACT_GROUP_COUNT_MAX);
    rc = job_new(service, sizeof *job, run, answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct home_job *)base;
    job->done = done;
    base->arg = arg;
    base->reads = true;
    job->home = *home;
    service_add_stand_ins(service, home->user, &job->home.facts);
    spans[0] = &job->home.user;
    rc = job_keep(base, spans, facts_spans(&job->home.facts, spans, 1), err);
    if (rc != ERR_OK) {
        job_free(base);
        return rc;
    }
    return job_submit_take(base, err);
}
