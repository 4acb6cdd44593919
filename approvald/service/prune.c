/* SPDX-License-Identifier: Apache-2.0 */
/* prune.c: removing what retention no longer keeps.
 * Owns which records hang on a request, and that the audit chain stays verifiable: the hash before
 * its new first entry is kept as the anchor.
 * Never removes a request that is open or rests for less than retention says (an approval that
 * never lapses rests from its outcome on, or from when it could be used, or from the last word
 * about it), never removes the audit log's last entry. */
#include "approvald/service/prune.h"

#include "base/assert.h"
#include "base/pack.h"
#include "storage/storage.h"

#include <assert.h>
#include <string.h>

/* Keys found by a scan, deleted after it. A few pages of them make a job. */
#define BATCH_COUNT_MAX 64
static_assert(
    SERVICE_WORK_COUNT_MAX / 2 + 2 * BATCH_COUNT_MAX <= SERVICE_WORK_COUNT_MAX,
    "behind the deadlines (tick.c) and the events there is room for some rows: each piece "
    "comes further than the last one");
static_assert(SERVICE_PRUNE_COUNT_MAX > 1, "a piece looks beyond where the last one stopped");

#define LINK_SIZE 8 /* before a request in its row, and before an entry in its */

#define PRUNE_EVERY_MS CORE_MINUTE_MS
#define CLOCK_KEY      "prune_clock"
#define CLOCK_VERSION  1
#define CLOCK_SIZE     (1 + 2 * 8)
#define CLOCK_STORE_MS (60 * CORE_MINUTE_MS) /* so much of a wait a restart may forget */

struct batch {
    size_t count;
    struct key keys[BATCH_COUNT_MAX];
    bool full;                   /* there may be more */
    const uint8_t *bound;        /* keys below this … */
    size_t bound_size;           /* … are found */
    const struct request_id *id; /* or those of this request ... */
    struct key after;            /* ... behind this one; empty: from its first one */
};

static void batch_add(struct batch *batch, struct span key)
{
    struct key *slot = &batch->keys[batch->count++];

    slot->size = key.size;
    memcpy(slot->bytes, key.data, key.size);
}

static bool visit_key(void *arg, struct span key, struct span value)
{
    struct batch *batch = arg;

    (void)value; /* only the keys matter */
    if (batch->after.size > 0 && span_equal(key, key_span(&batch->after))) {
        return true;
    }
    if (batch->id != NULL && !key_is_of_request(key, batch->id)) {
        return false;
    }
    if (batch->bound != NULL &&
        (key.size < batch->bound_size || memcmp(key.data, batch->bound, batch->bound_size) >= 0)) {
        return false;
    }
    if (batch->count == BATCH_COUNT_MAX || key.size > KEY_SIZE_MAX) {
        batch->full = batch->count == BATCH_COUNT_MAX;
        return false;
    }
    batch_add(batch, key);
    return true;
}

static enum err_code delete_batch(struct work *work, enum table table, const struct batch *batch)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < batch->count; i++) {
        rc = work_delete(work, table, batch->keys[i]);
    }
    return rc;
}

static enum err_code prune_events(struct work *work, uint64_t now_ms, bool *ret_more)
{
    struct inbox_key bound;
    struct batch batch = {.bound = bound.bytes, .bound_size = INBOX_KEY_SIZE};
    enum err_code rc;

    inbox_prune_bound(now_ms, &bound);
    rc = storage_scan(work->txn, TABLE_EVENTS, SPAN_NONE, false, visit_key, &batch, work->err);
    *ret_more = *ret_more || batch.full;
    return rc == ERR_OK ? delete_batch(work, TABLE_EVENTS, &batch) : rc;
}

/* One batch of rows; the next one begins behind it, for a scan still finds what was deleted. */
static enum err_code prune_some_rows(struct work *work, enum table table, struct batch *batch)
{
    struct counts *counts = &work->writer->state.counts;
    struct key from = batch->after.size > 0 ? batch->after : key_request(batch->id);
    enum err_code rc;

    batch->count = 0;
    batch->full = false;
    rc = storage_scan(work->txn, (uint8_t)table, key_span(&from), false, visit_key, batch,
                      work->err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (table == TABLE_OWED) {
        counts->owed -= batch->count < counts->owed ? batch->count : counts->owed;
    } else if (table == TABLE_DEAD) {
        counts->dead -= batch->count < counts->dead ? batch->count : counts->dead;
    }
    if (batch->count > 0) {
        batch->after = batch->keys[batch->count - 1];
    }
    return delete_batch(work, table, batch);
}

/* *ret_whole: none is left. Else there are so many that the next piece goes on. */
static enum err_code
prune_rows(struct work *work, enum table table, const struct request_id *id, bool *ret_whole)
{
    struct batch batch = {.id = id, .full = true};
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && batch.full && work->put_count < SERVICE_WORK_COUNT_MAX) {
        rc = prune_some_rows(work, table, &batch);
    }
    *ret_whole = !batch.full;
    return rc;
}

/* Its rows first: nothing would lead to those that are left when it is gone. */
static enum err_code
prune_request(struct work *work, const struct request *request, bool *ret_whole)
{
    static const enum table tables[] = {TABLE_OWED, TABLE_SETTLED, TABLE_DEAD, TABLE_WAITING};
    struct counts *counts = &work->writer->state.counts;
    enum err_code rc = ERR_OK;

    *ret_whole = true;
    for (size_t i = 0; rc == ERR_OK && *ret_whole && i < sizeof tables / sizeof tables[0]; i++) {
        rc = prune_rows(work, tables[i], &request->id, ret_whole);
    }
    if (rc != ERR_OK || !*ret_whole) {
        return rc;
    }
    rc = work_delete(work, TABLE_REQUESTS, key_request(&request->id));
    if (rc == ERR_OK && request->key_hash.size > 0) {
        rc = work_delete(work, TABLE_INTENTS, key_text(request->key_hash));
    }
    if (rc == ERR_OK && approval_deadline_ms(request) != UINT64_MAX) {
        rc = work_delete(work, TABLE_DEADLINES,
                         key_deadline(approval_deadline_ms(request), &request->id));
    }
    counts->stored -= counts->stored > 0 ? 1 : 0;
    return rc;
}

/* When the last thing happened to an ended request: an approval may have to wait until it can be
 * used, for longer than its records are kept. */
static uint64_t rests_since_ms(const struct request *request)
{
    bool waits = request->use == USE_UNUSED && request->hold.until_ms != UINT64_MAX;
    uint64_t since_ms = request->ended_ms;

    since_ms = waits && request->hold.until_ms > since_ms ? request->hold.until_ms : since_ms;
    since_ms = request->lapses_ms > since_ms ? request->lapses_ms : since_ms;
    since_ms = request->claimed_ms > since_ms ? request->claimed_ms : since_ms;
    return request->consumed_ms > since_ms ? request->consumed_ms : since_ms;
}

static enum err_code decode_row(struct span row, struct request *ret_request, struct err *err)
{
    return codec_request_decode(span_of(row.data + LINK_SIZE, row.size - LINK_SIZE), ret_request,
                                err);
}

struct found_requests {
    struct work *work;
    uint64_t before_ms;
    size_t looked;
    bool stopped; /* by a bound, not by the table's end */
    struct request_id last;
    size_t count;
    struct span rows[BATCH_COUNT_MAX]; /* valid until the job returns */
    bool deleted;                      /* some of it */
};

static bool visit_request(void *arg, struct span key, struct span value)
{
    struct found_requests *found = arg;
    struct request request;

    if (key.size != REQUEST_ID_SIZE || value.size < LINK_SIZE) {
        return true;
    }
    if (found->looked == SERVICE_PRUNE_COUNT_MAX || found->count == BATCH_COUNT_MAX) {
        found->stopped = true;
        return false;
    }
    found->looked++;
    memcpy(found->last.bytes, key.data, REQUEST_ID_SIZE);
    if (decode_row(value, &request, NULL) != ERR_OK) {
        return true; /* damage is reported to whoever asks for it, and kept as evidence */
    }
    if (request.created_ms >= found->before_ms) {
        return false; /* all that follow are younger */
    }
    if (request.state != REQUEST_PENDING && rests_since_ms(&request) < found->before_ms) {
        found->rows[found->count++] = value;
    }
    return true;
}

/* An approval that never lapses may have been released from a freeze a moment ago. Only the audit
 * log remembers when: its newest entry about the request. */
static enum err_code find_kept(struct work *work,
                               struct span row,
                               const struct request *request,
                               uint64_t before_ms,
                               bool *ret_kept)
{
    const size_t head_size = AUDIT_HASH_SIZE + LINK_SIZE;
    uint64_t link = unpack_key_u64((const uint8_t *)row.data);
    struct audit_entry entry;
    struct span value;
    enum err_code rc;

    *ret_kept = false;
    if (request->use != USE_UNUSED) {
        return ERR_OK;
    }
    rc = work_get(work, TABLE_AUDIT, key_u64(link), &value);
    if (rc != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc; /* it is old enough to be pruned itself */
    }
    *ret_kept = value.size > head_size &&
                audit_entry_decode(span_of(value.data + head_size, value.size - head_size), &entry,
                                   NULL) == ERR_OK &&
                entry.at_ms >= before_ms;
    return ERR_OK;
}

static enum err_code
delete_request(struct work *work, struct found_requests *found, struct span row, bool *ret_whole)
{
    struct request request;
    bool kept = false;
    enum err_code rc = decode_row(row, &request, work->err);

    *ret_whole = false;
    if (rc == ERR_OK) {
        rc = find_kept(work, row, &request, found->before_ms, &kept);
    }
    if (rc == ERR_OK && kept) {
        *ret_whole = true;
    } else if (rc == ERR_OK && work->put_count < SERVICE_WORK_COUNT_MAX) {
        found->deleted = true;
        rc = prune_request(work, &request, ret_whole);
    }
    if (rc == ERR_OK && !*ret_whole) {
        found->last = request.id; /* the next piece begins here */
        found->stopped = true;
    }
    return rc;
}

static enum err_code delete_requests(struct work *work, struct found_requests *found)
{
    enum err_code rc = ERR_OK;
    bool whole = true;

    for (size_t i = 0; rc == ERR_OK && whole && i < found->count; i++) {
        rc = delete_request(work, found, found->rows[i], &whole);
    }
    return rc;
}

static enum err_code audit_pruned(struct work *work, struct span detail)
{
    static const struct actor system = {.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM};
    struct audit_write write = {
        .action = span_text(audit_action_word(AUDIT_PRUNED)), .actor = &system, .detail = detail};

    return work_audit(work, &write, NULL, NULL);
}

/* The cursor passes over old requests that must stay, so that they are not looked at for ever. */
static enum err_code prune_requests(struct work *work,
                                    const struct retention *retention,
                                    uint64_t now_ms,
                                    bool *ret_more)
{
    struct writer_state *state = &work->writer->state;
    struct found_requests found = {.work = work};
    struct key from = {.size = 0};
    enum err_code rc;

    if (now_ms <= retention->requests_ms) {
        return ERR_OK;
    }
    found.before_ms = now_ms - retention->requests_ms;
    if (state->prune_cursor_set) {
        from = key_request(&state->prune_cursor);
    }
    rc = storage_scan(work->txn, TABLE_REQUESTS, key_span(&from), false, visit_request, &found,
                      work->err);
    if (rc == ERR_OK) {
        rc = delete_requests(work, &found);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    state->prune_cursor_set = found.stopped;
    state->prune_cursor = found.last;
    *ret_more = *ret_more || found.stopped;
    return found.deleted ? audit_pruned(work, SPAN_LITERAL("requests")) : ERR_OK;
}

struct found_audit {
    uint64_t before_ms;
    uint64_t last_seq; /* stays */
    size_t count;
    uint64_t seqs[BATCH_COUNT_MAX];
    uint8_t hash[AUDIT_HASH_SIZE]; /* of the last one found */
    bool full;
};

static bool visit_audit(void *arg, struct span key, struct span value)
{
    struct found_audit *found = arg;
    struct audit_entry entry;
    uint64_t seq;

    if (!key_u64_parse(key, &seq) || seq >= found->last_seq || value.size <= AUDIT_HASH_SIZE + 8) {
        return false;
    }
    if (audit_entry_decode(
            span_of(value.data + AUDIT_HASH_SIZE + 8, value.size - AUDIT_HASH_SIZE - 8), &entry,
            NULL) != ERR_OK ||
        entry.at_ms >= found->before_ms) {
        return false;
    }
    if (found->count == BATCH_COUNT_MAX) {
        found->full = true;
        return false;
    }
    found->seqs[found->count++] = seq;
    memcpy(found->hash, value.data, AUDIT_HASH_SIZE);
    return true;
}

static enum err_code
prune_audit(struct work *work, const struct retention *retention, uint64_t now_ms, bool *ret_more)
{
    struct found_audit found = {.last_seq = work->writer->state.audit_seq};
    enum err_code rc;

    if (now_ms <= retention->audit_ms) {
        return ERR_OK;
    }
    found.before_ms = now_ms - retention->audit_ms;
    rc = storage_scan(work->txn, TABLE_AUDIT, SPAN_NONE, false, visit_audit, &found, work->err);
    for (size_t i = 0; rc == ERR_OK && i < found.count; i++) {
        rc = work_delete(work, TABLE_AUDIT, key_u64(found.seqs[i]));
    }
    if (rc != ERR_OK || found.count == 0) {
        return rc;
    }
    *ret_more = *ret_more || found.full;
    rc = work_put(work, TABLE_META, key_text(SPAN_LITERAL("anchor")),
                  span_of(found.hash, sizeof found.hash));
    return rc == ERR_OK ? audit_pruned(work, SPAN_LITERAL("audit")) : rc;
}

enum err_code retention_get(struct work *work, struct retention *ret_retention)
{
    struct span value;
    enum err_code rc;

    rc = work_get(work, TABLE_META, key_text(SPAN_LITERAL("retention")), &value);
    if (rc == ERR_NOT_FOUND) {
        *ret_retention = (struct retention){.requests_ms = SERVICE_RETENTION_REQUESTS_MS,
                                            .audit_ms = SERVICE_RETENTION_AUDIT_MS};
        return ERR_OK;
    }
    return rc == ERR_OK ? codec_retention_decode(value, ret_retention, work->err) : rc;
}

static enum err_code prune_some(struct work *work, uint64_t now_ms, bool *ret_more)
{
    struct retention retention;
    enum err_code rc;

    rc = retention_get(work, &retention);
    if (rc == ERR_OK) {
        rc = prune_events(work, now_ms, ret_more);
    }
    if (rc == ERR_OK) {
        rc = prune_requests(work, &retention, now_ms, ret_more);
    }
    return rc == ERR_OK ? prune_audit(work, &retention, now_ms, ret_more) : rc;
}

/* u8 version | u64 known | u64 waited */
static enum err_code put_clock(struct work *work)
{
    struct writer_state *state = &work->writer->state;
    uint8_t bytes[CLOCK_SIZE] = {CLOCK_VERSION};

    pack_key_u64(bytes + 1, state->prune_clock.known_ms);
    pack_key_u64(bytes + 9, state->prune_clock.waited_ms);
    state->prune_stored = state->prune_clock;
    return work_put(work, TABLE_META, key_text(SPAN_LITERAL(CLOCK_KEY)),
                    span_of(bytes, sizeof bytes));
}

enum err_code prune_recover(struct work *work)
{
    struct writer_state *state = &work->writer->state;
    struct span value;
    enum err_code rc = work_get(work, TABLE_META, key_text(SPAN_LITERAL(CLOCK_KEY)), &value);

    state->prune_clock = (struct prune_clock){0};
    state->prune_step_ms = 0;
    if (rc == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (value.size != CLOCK_SIZE || value.data[0] != CLOCK_VERSION) {
        return err_set(work->err, ERR_CORRUPT, "the stored clock of pruning does not decode");
    }
    state->prune_clock.known_ms = unpack_key_u64((const uint8_t *)value.data + 1);
    state->prune_clock.waited_ms = unpack_key_u64((const uint8_t *)value.data + 9);
    state->prune_stored = state->prune_clock;
    return ERR_OK;
}

/* Not each minute's step is worth a record. */
static bool is_worth_storing(const struct prune_clock *now, const struct prune_clock *stored)
{
    return stored->known_ms == 0 || now->known_ms - stored->known_ms >= CLOCK_STORE_MS ||
           now->waited_ms < stored->waited_ms ||
           now->waited_ms - stored->waited_ms >= CLOCK_STORE_MS;
}

enum err_code prune_due(struct work *work, const struct prune_time *time, bool *ret_more)
{
    struct writer_state *state = &work->writer->state;
    uint64_t elapsed_ms = state->prune_step_ms == 0 ? 0 : time->boot_ms - state->prune_step_ms;
    bool believed;
    enum err_code rc = ERR_OK;

    *ret_more = false;
    if (state->pruned_ms > 0 && time->boot_ms - state->pruned_ms < PRUNE_EVERY_MS) {
        return ERR_OK;
    }
    believed = prune_clock_step(&state->prune_clock, time->wall_ms, elapsed_ms);
    state->prune_step_ms = time->boot_ms;
    state->prune_ahead_ms = believed ? 0 : time->wall_ms - state->prune_clock.known_ms;
    if (is_worth_storing(&state->prune_clock, &state->prune_stored)) {
        rc = put_clock(work);
    }
    if (rc == ERR_OK && believed) {
        /* The storage's time never goes back, not even after a wrong clock was set right. */
        rc =
            prune_some(work, work->now_ms < time->wall_ms ? work->now_ms : time->wall_ms, ret_more);
    }
    if (!*ret_more) {
        state->pruned_ms = time->boot_ms;
    }
    return rc;
}
