/* SPDX-License-Identifier: Apache-2.0 */
/* waiting.c: which presses of the inbox are about which request.
 * Owns the index of the inbox by request, and that an end which waited for a press is looked at
 * when that press is gone.
 * Never decides, and never believes the index alone: an older approvald resolves entries without
 * it. */
#include "approvald/service/waiting.h"

#include "approvald/service/limits.h"

#include "base/assert.h"
#include "storage/storage.h"

#define LONG_AGO_MS 1 /* before every end */

struct visit {
    const struct request_id *id;
    enum verdict verdict;
    uint64_t next_seq; /* to look at */
    size_t count;
    uint64_t seqs[SERVICE_WAITING_COUNT];
};

static bool visit_entry(void *arg, struct span key, struct span value)
{
    struct visit *visit = arg;
    uint64_t seq;

    (void)value; /* the key says it all */
    if (!key_waiting_parse(key, visit->id, visit->verdict, &seq)) {
        return false;
    }
    visit->seqs[visit->count++] = seq;
    return visit->count < SERVICE_WAITING_COUNT;
}

/* The next few of them. */
static enum err_code look_at_some(struct work *work, struct visit *visit, uint64_t *ret_at_ms)
{
    const struct request_id *id = visit->id;
    enum verdict verdict = visit->verdict;
    struct key from = key_waiting(id, verdict, visit->next_seq);
    struct inbox_entry entry;
    struct span value;
    enum err_code rc;

    visit->count = 0;
    rc = storage_scan(work->txn, TABLE_WAITING, key_span(&from), false, visit_entry, visit,
                      work->err);
    for (size_t i = 0; rc == ERR_OK && i < visit->count && *ret_at_ms == 0; i++) {
        rc = work_get(work, TABLE_INBOX, key_u64(visit->seqs[i]), &value);
        if (rc == ERR_OK && codec_inbox_decode(value, &entry, NULL) == ERR_OK) {
            *ret_at_ms = entry.at_ms;
        } else if (rc == ERR_OK || rc == ERR_NOT_FOUND) {
            /* It is gone, or damaged, and then nobody will ever resolve it. */
            rc = work_delete(work, TABLE_WAITING, key_waiting(id, verdict, visit->seqs[i]));
        }
        visit->next_seq = visit->seqs[i] + 1;
    }
    return rc;
}

/* *ret_at_ms: when the oldest press with that verdict came; 0: there is none. Entries are in the
 * order in which they came, so the first that is still there is the oldest. Where too many are left
 * behind for one job, the oldest may be among the rest: the end waits, and is looked at again. */
static enum err_code find_oldest(struct work *work,
                                 const struct request_id *id,
                                 enum verdict verdict,
                                 uint64_t *ret_at_ms)
{
    struct visit visit = {.id = id, .verdict = verdict, .count = SERVICE_WAITING_COUNT};
    enum err_code rc = ERR_OK;

    *ret_at_ms = 0;
    while (rc == ERR_OK && *ret_at_ms == 0 && visit.count == SERVICE_WAITING_COUNT) {
        if (!work_has_room(work)) {
            *ret_at_ms = LONG_AGO_MS;
        } else {
            rc = look_at_some(work, &visit, ret_at_ms);
        }
    }
    return rc;
}

static uint64_t older(uint64_t a_ms, uint64_t b_ms)
{
    return a_ms == 0 || (b_ms > 0 && b_ms < a_ms) ? b_ms : a_ms;
}

enum err_code
waiting_find(struct work *work, const struct request *request, struct approval_waiting *ret_waiting)
{
    static const enum verdict verdicts[] = {VERDICT_APPROVE, VERDICT_REJECT, VERDICT_GLASS};
    uint64_t at_ms = 0;
    enum err_code rc = ERR_OK;

    *ret_waiting = (struct approval_waiting){.press_ms = 0};
    if (request->state != REQUEST_PENDING || approval_deadline_ms(request) > work->now_ms) {
        return ERR_OK;
    }
    for (size_t i = 0; rc == ERR_OK && i < sizeof verdicts / sizeof verdicts[0]; i++) {
        rc = find_oldest(work, &request->id, verdicts[i], &at_ms);
        if (rc == ERR_OK) {
            ret_waiting->press_ms = older(ret_waiting->press_ms, at_ms);
            ret_waiting->stop_ms = verdicts[i] == VERDICT_REJECT ? at_ms : ret_waiting->stop_ms;
        }
    }
    return rc;
}

enum err_code waiting_put(struct work *work, const struct inbox_entry *entry)
{
    return work_mark(work, TABLE_WAITING, key_waiting(&entry->id, entry->verdict, entry->seq));
}

enum err_code waiting_delete(struct work *work, const struct inbox_entry *entry)
{
    return work_delete(work, TABLE_WAITING, key_waiting(&entry->id, entry->verdict, entry->seq));
}

static enum err_code look_at(struct work *work, const struct request_id *id, uint64_t at_ms)
{
    work->job->deadline_ms = at_ms < work->job->deadline_ms ? at_ms : work->job->deadline_ms;
    return work_mark(work, TABLE_DEADLINES, key_deadline(at_ms, id));
}

enum err_code waiting_over(struct work *work, const struct request_id *id)
{
    struct subject subject;
    uint64_t deadline_ms;
    enum err_code rc = subject_load(work, id, &subject);

    if (rc == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    deadline_ms = rc == ERR_OK ? approval_deadline_ms(&subject.request) : UINT64_MAX;
    return deadline_ms <= work->now_ms ? look_at(work, id, deadline_ms) : rc;
}

enum err_code waiting_look_again(struct work *work, const struct request_id *id)
{
    return look_at(work, id, work->now_ms + SERVICE_WAITING_LOOK_MS);
}
