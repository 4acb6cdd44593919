/* SPDX-License-Identifier: Apache-2.0 */
/* rows.c: outbox rows inside a job.
 * Owns that a row is in exactly one of the tables owed, settled and dead, and that the counts of
 * owed and dead rows agree with the tables.
 * Never decides what a result means: core/outbox.h does. */
#include "approvald/service/work.h"

#include "base/assert.h"
#include "base/buf.h"

static enum table table_of(enum row_where where)
{
    switch (where) {
    case ROW_OWED:
        return TABLE_OWED;
    case ROW_SETTLED:
        return TABLE_SETTLED;
    case ROW_DEAD:
        return TABLE_DEAD;
    case ROW_NOWHERE:
        break;
    }
    return TABLE_OWED;
}

/* Look-ups that cannot find anything are spared: they cost a press more than its records. */
static bool may_be_in(const struct work *work, enum row_where where, enum surface surface)
{
    const struct counts *counts = &work->writer->state.counts;

    switch (where) {
    case ROW_OWED:
        return true;
    case ROW_DEAD:
        return counts->dead > 0;
    case ROW_SETTLED:
        return outbox_is_level(surface);
    case ROW_NOWHERE:
        break;
    }
    return false;
}

enum err_code work_row_get(struct work *work,
                           const struct request_id *id,
                           enum surface surface,
                           struct span target,
                           struct outbox_row *ret_row,
                           enum row_where *ret_where)
{
    static const enum row_where places[] = {ROW_SETTLED, ROW_OWED, ROW_DEAD};
    struct key key = key_row(id, surface, target);
    enum err_code rc = ERR_NOT_FOUND;
    struct span value;

    for (size_t i = 0; i < sizeof places / sizeof places[0] && rc == ERR_NOT_FOUND; i++) {
        if (may_be_in(work, places[i], surface)) {
            rc = work_get(work, table_of(places[i]), key, &value);
            *ret_where = places[i];
        }
    }
    if (rc == ERR_NOT_FOUND) {
        outbox_init(ret_row, id, surface, target);
        *ret_where = ROW_NOWHERE;
        return ERR_OK;
    }
    if (rc == ERR_OK) {
        rc = codec_row_decode(value, ret_row, work->err);
    }
    if (rc == ERR_OK && !outbox_row_invariant(ret_row)) {
        rc = err_set(work->err, ERR_CORRUPT, "a stored outbox row contradicts itself");
    }
    return rc;
}

static void count(struct work *work, enum row_where from, enum row_where to)
{
    struct counts *counts = &work->writer->state.counts;

    counts->owed -= from == ROW_OWED && counts->owed > 0 ? 1 : 0;
    counts->dead -= from == ROW_DEAD && counts->dead > 0 ? 1 : 0;
    counts->owed += to == ROW_OWED ? 1 : 0;
    counts->dead += to == ROW_DEAD ? 1 : 0;
}

static enum row_where where_now(const struct outbox_row *row)
{
    switch (outbox_place(row)) {
    case OUTBOX_OWED:
        return row->dead ? ROW_DEAD : ROW_OWED;
    case OUTBOX_SETTLED:
        return ROW_SETTLED;
    case OUTBOX_GONE:
        break;
    }
    return ROW_NOWHERE;
}

enum err_code work_row_put(struct work *work, const struct outbox_row *row, enum row_where where)
{
    struct key key = key_row(&row->request, row->surface, row->target);
    struct buf *bytes = work_row(work);
    enum row_where now = where_now(row);
    enum err_code rc = ERR_OK;

    ASSERT(outbox_row_invariant(row));
    /* Encoded first: the row may borrow from the value that is deleted. */
    if (now != ROW_NOWHERE) {
        rc = codec_row_encode(row, bytes, work->err);
    }
    if (rc == ERR_OK && where != ROW_NOWHERE && where != now) {
        rc = work_delete(work, table_of(where), key);
    }
    if (rc == ERR_OK && now != ROW_NOWHERE) {
        rc = work_put(work, table_of(now), key, buf_span(bytes));
    }
    if (rc == ERR_OK) {
        count(work, where, now);
    }
    return rc;
}

enum err_code row_raise(struct work *work,
                        const struct request *request,
                        const struct approval_effects *effects,
                        const struct approval_raise *raise,
                        const uint64_t *audit_seqs)
{
    struct outbox_item item = {.id = (uint32_t)audit_seqs[raise->audit],
                               .at_ms = work->now_ms,
                               .kind = effects->audits[raise->audit].action,
                               .user = raise->user,
                               .text = raise->text};
    struct outbox_row row;
    enum row_where where;
    enum err_code rc;

    rc = work_row_get(work, &request->id, raise->surface, raise->target, &row, &where);
    if (rc != ERR_OK) {
        return rc;
    }
    if (outbox_is_level(raise->surface)) {
        outbox_raise(&row, request->revision, work->now_ms);
    } else {
        rc = outbox_add(&row, &item, work->err);
    }
    return rc == ERR_OK ? work_row_put(work, &row, where) : rc;
}

enum err_code rows_raise(struct work *work,
                         const struct request *request,
                         const struct approval_effects *effects,
                         const uint64_t *audit_seqs)
{
    enum err_code rc = ERR_OK;

    for (uint32_t i = 0; rc == ERR_OK && i < effects->raise_count; i++) {
        rc = row_raise(work, request, effects, &effects->raises[i], audit_seqs);
    }
    return rc == ERR_OK ? copies_raise(work, request, effects, audit_seqs) : rc;
}

enum err_code work_notice(struct work *work, const struct notice *notice)
{
    struct outbox_item item = {.id = (uint32_t)notice->audit_seq,
                               .at_ms = work->now_ms,
                               .kind = AUDIT_NOTICE,
                               .user = notice->user,
                               .text = notice->text};
    struct outbox_row row;
    enum row_where where;
    enum err_code rc;

    if (notice->user.size == 0 || notice->user.size > CORE_SLACK_ID_SIZE_MAX) {
        return ERR_OK; /* nobody to tell */
    }
    rc = work_row_get(work, notice->id, SURFACE_NOTICE, notice->user, &row, &where);
    if (rc != ERR_OK) {
        return rc;
    }
    /* The last place where he pressed is where he looks. */
    row.channel = notice->channel;
    row.ts = notice->thread;
    rc = outbox_add(&row, &item, work->err);
    if (rc != ERR_OK) {
        return rc;
    }
    work->job->changed = true;
    work->job->id = *notice->id;
    return work_row_put(work, &row, where);
}
