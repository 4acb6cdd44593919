/* SPDX-License-Identifier: Apache-2.0 */
/* cards.c: what the reconciler asks of the store.
 * Owns that a card is put in doubt only as it was listed: whatever has changed since is not undone.
 * Never looks at Slack, never sends: the sender does, because the row is owed again. */
#include "approvald/service/cards.h"

#include "approvald/core/request_id.h"
#include "approvald/service/answer.h"
#include "base/assert.h"
#include "base/buf.h"
#include "storage/storage.h"

#include <stdio.h>
#include <string.h>

#define LINK_SIZE 8 /* bytes of the audit link before a stored request */

struct cards_job {
    struct job job;
    service_cards_fn *done;
    struct service_cards_query query;
    bool direct; /* the answer */
    bool has_before;
    struct request_id before;
    bool more;
    struct request_id next;
    uint64_t oldest_ms; /* ended: no request made before */
    size_t looked;
    size_t id_count;
    struct request_id ids[SERVICE_CARD_REQUEST_COUNT_MAX];
};
static_assert(sizeof(struct cards_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

static bool is_wanted(const struct cards_job *job, struct span value, bool *ret_old)
{
    struct request request;

    *ret_old = false;
    if (!job->query.ended) {
        return true;
    }
    if (value.size < LINK_SIZE ||
        codec_request_decode(span_of(value.data + LINK_SIZE, value.size - LINK_SIZE), &request,
                             NULL) != ERR_OK) {
        return false; /* a damaged one is not the reconciler's business */
    }
    *ret_old = request.created_ms < job->oldest_ms;
    return request.state != REQUEST_PENDING;
}

static bool visit_request(void *arg, struct span key, struct span value)
{
    struct cards_job *job = arg;
    struct request_id id;
    bool old;
    bool wanted;

    if (key.size != REQUEST_ID_SIZE) {
        return true;
    }
    memcpy(id.bytes, key.data, REQUEST_ID_SIZE);
    if (job->has_before && request_id_compare(&id, &job->before) >= 0) {
        return true;
    }
    if (job->id_count == SERVICE_CARD_REQUEST_COUNT_MAX || job->looked == SERVICE_SCAN_COUNT_MAX) {
        job->more = true;
        return false;
    }
    wanted = is_wanted(job, value, &old);
    job->looked++;
    job->next = id;
    if (wanted && !old) {
        job->ids[job->id_count++] = id;
    }
    return !old; /* ids are in the order of creation */
}

struct row_visit {
    struct work *work;
    const struct request_id *id;
    bool direct;
    bool personal;        /* there are some in direct messages */
    struct span revision; /* as it is answered */
    uint32_t count;
    enum err_code rc;
};

static bool visit_row(void *arg, struct span key, struct span value)
{
    struct row_visit *visit = arg;
    struct outbox_row row;
    bool personal;

    if (!key_is_of_request(key, visit->id) || visit->count == SERVICE_CARD_ROW_COUNT_MAX) {
        return false;
    }
    if (codec_row_decode(value, &row, NULL) != ERR_OK || !outbox_is_shown(row.surface) ||
        row.channel.size > CORE_SLACK_ID_SIZE_MAX || row.ts.size > CORE_SLACK_TS_SIZE_MAX) {
        return true; /* nothing that could be compared */
    }
    personal = row.surface == SURFACE_DIRECT || outbox_is_copy(&row);
    visit->personal = visit->personal || personal;
    if (personal != visit->direct) {
        return true;
    }
    visit->count++;
    visit->rc = answer_bytes(visit->work, visit->revision);
    if (visit->rc == ERR_OK) {
        visit->rc = answer_bytes(visit->work, value);
    }
    return visit->rc == ERR_OK;
}

/* *count: how many there are then. */
static enum err_code add_cards(struct work *work, const struct request_id *id, size_t *count)
{
    struct cards_job *job = (struct cards_job *)work->job;
    struct row_visit visit = {.work = work, .id = id, .direct = job->query.direct, .rc = ERR_OK};
    struct key from = key_request(id);
    struct subject subject;
    char revision[sizeof subject.request.revision];
    enum err_code rc = subject_load(work, id, &subject);

    if (rc == ERR_NOT_FOUND || rc == ERR_CORRUPT) {
        return ERR_OK; /* one damaged record must not keep all others from being looked at */
    }
    if (rc != ERR_OK) {
        return rc;
    }
    memcpy(revision, &subject.request.revision, sizeof revision); /* read back in this process */
    visit.revision = span_of(revision, sizeof revision);
    rc = storage_scan(work->txn, TABLE_SETTLED, key_span(&from), false, visit_row, &visit,
                      work->err);
    job->direct = job->direct || visit.personal;
    *count += visit.count;
    return rc == ERR_OK ? visit.rc : rc;
}

static enum err_code list_run(struct work *work)
{
    struct cards_job *job = (struct cards_job *)work->job;
    struct key from = {.size = 0};
    size_t count = 0;
    enum table table = job->query.ended ? TABLE_REQUESTS : TABLE_PENDING;
    enum err_code rc;

    if (job->has_before) {
        from = key_request(&job->before);
    }
    if (work->now_ms > SERVICE_CARD_ENDED_MS) {
        job->oldest_ms = work->now_ms - SERVICE_CARD_ENDED_MS;
    }
    rc = storage_scan(work->txn, (uint8_t)table, key_span(&from), true, visit_request, job,
                      work->err);
    for (size_t i = 0; rc == ERR_OK && i < job->id_count; i++) {
        if (count + SERVICE_CARD_ROW_COUNT_MAX > SERVICE_CARD_PAGE_COUNT_MAX) {
            job->more = true; /* the page is full: on from the last one that is on it */
            job->next = job->ids[i - 1];
            break;
        }
        rc = add_cards(work, &job->ids[i], &count);
    }
    return rc;
}

static void copy(char *room, size_t size, struct span text)
{
    (void)snprintf(room, size, "%.*s", SPAN_ARGS(text)); /* fits: visit_row looked */
}

static void take_card(const struct outbox_row *row, struct service_card *card)
{
    card->key = (struct service_row_key){.request = row->request, .surface = row->surface};
    copy(card->key.target, sizeof card->key.target, row->target);
    copy(card->channel, sizeof card->channel, row->channel);
    copy(card->ts, sizeof card->ts, row->ts);
    card->sent = row->sent;
}

static void list_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct cards_job *job = (struct cards_job *)base;
    struct service_card cards[SERVICE_CARD_PAGE_COUNT_MAX];
    struct service_cards page = {
        .direct = job->direct, .cards = cards, .more = job->more, .next = job->next};
    struct unpack cursor;

    answer_open(base, &cursor);
    while (rc == ERR_OK && answer_more(&cursor)) {
        struct service_card *card = &cards[page.count];
        struct outbox_row row;
        struct span revision;
        bool whole = answer_next(&cursor, &revision) && answer_next_row(&cursor, &row);

        ASSERT(whole);
        ASSERT(page.count < sizeof cards / sizeof cards[0]);
        take_card(&row, card);
        memcpy(&card->revision, revision.data, sizeof card->revision);
        card->pending = !job->query.ended;
        page.count++;
    }
    job->done(base->arg, rc, err, &page);
}

enum err_code service_cards_list(struct service *service,
                                 const struct service_cards_query *query,
                                 const struct request_id *before,
                                 service_cards_fn *done,
                                 void *arg,
                                 struct err *err)
{
    struct cards_job *job;
    struct job *base;
    enum err_code rc;

    rc = job_new(service, sizeof *job, list_run, list_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct cards_job *)base;
    job->done = done;
    job->query = *query;
    job->has_before = before != NULL;
    if (before != NULL) {
        job->before = *before;
    }
    base->arg = arg;
    base->reads = true;
    return job_submit_take(base, err);
}

void service_cards_listen(struct service *service, service_doubted_fn *doubted, void *arg)
{
    service->doubted = doubted;
    service->doubted_arg = arg;
}

void service_doubted(struct service *service, enum service_doubt doubt)
{
    if (service->doubted != NULL) {
        service->doubted(service->doubted_arg, doubt);
    }
}

struct settle_job {
    struct job job;
    service_card_items_fn *done;
    size_t count;
    struct service_card_item items[SERVICE_CARD_ITEM_COUNT_MAX];
};
static_assert(sizeof(struct settle_job) <= JOB_BLOCK_SIZE, "a job must fit in its block");

static enum err_code settle_one(struct work *work, struct service_card_item *item)
{
    struct outbox_row row;
    enum row_where where;
    enum err_code rc = work_row_get(work, &item->key.request, item->key.surface,
                                    span_text(item->key.target), &row, &where);

    item->fate = CARD_MOVED;
    if (rc != ERR_OK || where != ROW_SETTLED || row.sent != item->sent ||
        !span_is(row.ts, item->ts)) {
        return rc;
    }
    item->fate = CARD_HELD;
    if (!item->repair) {
        return ERR_OK;
    }
    if (!outbox_repair(&row, work->now_ms)) {
        item->fate = CARD_STUCK;
        return ERR_OK;
    }
    return work_row_put(work, &row, where);
}

static enum err_code settle_run(struct work *work)
{
    struct settle_job *job = (struct settle_job *)work->job;
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < job->count; i++) {
        rc = settle_one(work, &job->items[i]);
    }
    return rc;
}

static void settle_answer(struct job *base, enum err_code rc, const struct err *err)
{
    struct settle_job *job = (struct settle_job *)base;

    for (size_t i = 0; rc == ERR_OK && i < job->count; i++) {
        if (job->items[i].repair && job->items[i].fate == CARD_HELD) {
            service_changed(base->service, &job->items[i].key.request);
        }
    }
    job->done(base->arg, rc, err, rc == ERR_OK ? job->items : NULL, rc == ERR_OK ? job->count : 0);
}

enum err_code service_cards_settle(struct service *service,
                                   const struct service_card_item *items,
                                   size_t count,
                                   service_card_items_fn *done,
                                   void *arg,
                                   struct err *err)
{
    struct settle_job *job;
    struct job *base;
    enum err_code rc;

    ASSERT(count > 0 && count <= SERVICE_CARD_ITEM_COUNT_MAX);
    rc = job_new(service, sizeof *job, settle_run, settle_answer, &base, err);
    if (rc != ERR_OK) {
        return rc;
    }
    job = (struct settle_job *)base;
    job->done = done;
    job->count = count;
    memcpy(job->items, items, count * sizeof items[0]);
    base->arg = arg;
    return job_submit_take(base, err);
}
