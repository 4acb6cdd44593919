/* SPDX-License-Identifier: Apache-2.0 */
/* gate_sweep.c: requests whose cards say what is in the way of a claim say what is in it now.
 * Owns the walk over the requests after the freezes have changed, and when it is due again.
 * Never decides a claim: that looks at the freezes itself; never walks all of them in one job. */
#include "approvald/service/gate_sweep.h"

#include "approvald/service/gate.h"
#include "approvald/service/limits.h"
#include "approvald/service/waiting.h"

#include "base/assert.h"
#include "base/pack.h"
#include "storage/storage.h"

#include <string.h>

#define LINK_SIZE  8 /* before a request in its row */
#define VERSION    1
#define MARK_SIZE  (1 + 1 + 8 + REQUEST_ID_SIZE)
#define RUNNING    1
#define HAS_CURSOR 2
#define MARK_KEY   SPAN_LITERAL("gate_sweep")
#define DUE_NOW    0 /* the freezes that there are have not been looked at */

/* u8 version | u8 flags: running, has a cursor | u64 due | 16 cursor */
static enum err_code store_mark(struct work *work)
{
    const struct gate_sweep *sweep = &work->writer->state.gate_sweep;
    uint8_t bytes[MARK_SIZE] = {VERSION};

    bytes[1] = (uint8_t)((sweep->running ? RUNNING : 0) | (sweep->has_cursor ? HAS_CURSOR : 0));
    pack_key_u64(bytes + 2, sweep->due_ms);
    memcpy(bytes + 10, sweep->cursor.bytes, REQUEST_ID_SIZE);
    return work_put(work, TABLE_META, key_text(MARK_KEY), span_of(bytes, sizeof bytes));
}

enum err_code gate_sweep_recover(struct work *work)
{
    struct gate_sweep *sweep = &work->writer->state.gate_sweep;
    struct span value;
    const uint8_t *bytes;
    enum err_code rc = work_get(work, TABLE_META, key_text(MARK_KEY), &value);

    *sweep = (struct gate_sweep){.due_ms = DUE_NOW};
    if (rc != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc; /* no approvald that knows of it was primary */
    }
    bytes = (const uint8_t *)value.data;
    if (value.size != MARK_SIZE || bytes[0] != VERSION || bytes[1] > (RUNNING | HAS_CURSOR)) {
        return ERR_OK; /* damaged: a walk more costs little, and a start that fails a lot */
    }
    sweep->running = (bytes[1] & RUNNING) != 0;
    sweep->has_cursor = (bytes[1] & HAS_CURSOR) != 0;
    sweep->due_ms = unpack_key_u64(bytes + 2);
    memcpy(sweep->cursor.bytes, bytes + 10, REQUEST_ID_SIZE);
    return ERR_OK;
}

enum err_code gate_sweep_begin(struct work *work)
{
    work->writer->state.gate_sweep = (struct gate_sweep){.due_ms = DUE_NOW};
    work->job->deadline_ms = work->now_ms;
    return store_mark(work);
}

static uint64_t next_edge(uint64_t edge_ms, uint64_t now_ms, uint64_t due_ms)
{
    return edge_ms > now_ms && edge_ms < due_ms ? edge_ms : due_ms;
}

/* When a freeze begins or ends next. */
static enum err_code find_due(struct work *work, uint64_t *ret_due_ms)
{
    struct freezes freezes;
    enum err_code rc = freezes_load(work, &freezes);
    uint64_t due_ms = UINT64_MAX;

    for (uint32_t i = 0; rc == ERR_OK && i < freezes.count; i++) {
        due_ms = next_edge(freezes.items[i].from_ms, work->now_ms, due_ms);
        due_ms = next_edge(freezes.items[i].to_ms, work->now_ms, due_ms);
    }
    *ret_due_ms = due_ms;
    return rc;
}

struct walk {
    const struct gate_sweep *sweep;
    struct request_id last; /* looked at */
    size_t look_count;
    size_t count; /* that show a hold */
    struct request_id ids[SERVICE_SWEEP_CHANGE_MAX];
    bool ended;
};

static bool visit_request(void *arg, struct span key, struct span value)
{
    struct walk *walk = arg;
    struct request request;

    if (key.size != REQUEST_ID_SIZE ||
        (walk->sweep->has_cursor &&
         memcmp(key.data, walk->sweep->cursor.bytes, REQUEST_ID_SIZE) == 0)) {
        return true; /* it was the last one of the piece before */
    }
    if (walk->look_count == SERVICE_SWEEP_LOOK_MAX || walk->count == SERVICE_SWEEP_CHANGE_MAX) {
        walk->ended = false;
        return false;
    }
    walk->look_count++;
    memcpy(walk->last.bytes, key.data, REQUEST_ID_SIZE);
    /* A damaged one stays as evidence, and others are looked at. */
    if (value.size > LINK_SIZE &&
        codec_request_decode(span_of(value.data + LINK_SIZE, value.size - LINK_SIZE), &request,
                             NULL) == ERR_OK &&
        request_shows_hold(&request)) {
        walk->ids[walk->count++] = walk->last;
    }
    return true;
}

/* *ret_changed: it says something else now. */
static enum err_code look_at(struct work *work, const struct request_id *id, bool *ret_changed)
{
    static const struct actor system = {.kind = ACTOR_SYSTEM, .via = VIA_SYSTEM};
    struct approval_event event = {.kind = APPROVAL_LOOK,
                                   .now_ms = work->now_ms,
                                   .elapsed = &work->writer->state.elapsed,
                                   .actor = system};
    struct approval_effects effects;
    struct request_hold hold;
    struct subject subject;
    bool held = false;
    enum err_code rc = subject_load(work, id, &subject);

    *ret_changed = false;
    if (rc == ERR_OK) {
        rc = gate_look(work, &subject.policy, subject.request.glass.at_ms > 0, &hold, &held);
    }
    if (rc == ERR_CORRUPT || rc == ERR_UNAVAILABLE) {
        return ERR_OK; /* it is damaged, or what is in the way is not known */
    }
    if (rc == ERR_OK) {
        rc = waiting_find(work, &subject.request, &event.waiting);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    event.hold = held ? &hold : NULL;
    approval_step(&subject.request, &subject.policy, &event, &effects);
    *ret_changed = effects.changed;
    rc = subject_apply(work, &subject, &subject.request, &system, &effects);
    return rc == ERR_OK ? subject_store(work, &subject) : rc;
}

/* The first of those that were found, and more while there is room: the piece before has left some,
 * or there would be none. */
static enum err_code look_at_found(struct work *work,
                                   struct walk *walk,
                                   struct request_id *ret_changed,
                                   size_t *ret_count)
{
    enum err_code rc = ERR_OK;
    size_t i;

    for (i = 0; rc == ERR_OK && i < walk->count && (i == 0 || work_has_room(work)); i++) {
        bool changed;

        rc = look_at(work, &walk->ids[i], &changed);
        if (rc == ERR_OK && changed) {
            ret_changed[(*ret_count)++] = walk->ids[i];
        }
    }
    if (i < walk->count) {
        walk->last = walk->ids[i - 1]; /* the next piece begins behind it */
        walk->ended = false;
    }
    return rc;
}

static enum err_code walk_on(struct work *work, struct request_id *ret_changed, size_t *ret_count)
{
    struct gate_sweep *sweep = &work->writer->state.gate_sweep;
    struct walk walk = {.sweep = sweep, .ended = true};
    struct key from = key_request(&sweep->cursor);
    enum err_code rc =
        storage_scan(work->txn, TABLE_REQUESTS, sweep->has_cursor ? key_span(&from) : SPAN_NONE,
                     true, visit_request, &walk, work->err);

    if (rc == ERR_OK) {
        rc = look_at_found(work, &walk, ret_changed, ret_count);
    }
    if (rc == ERR_OK && walk.ended) {
        *sweep = (struct gate_sweep){.due_ms = sweep->due_ms};
    } else if (rc == ERR_OK) {
        sweep->has_cursor = true;
        sweep->cursor = walk.last;
    }
    return rc == ERR_OK ? store_mark(work) : rc;
}

/* From the newest request on: what is looked at is what people look at first. What begins or ends
 * during the walk lets it begin anew, for those behind it say what was before. There are few
 * freezes, so it comes to its end. */
static enum err_code begin_walk(struct work *work)
{
    struct gate_sweep *sweep = &work->writer->state.gate_sweep;

    *sweep = (struct gate_sweep){.running = true};
    return find_due(work, &sweep->due_ms);
}

enum err_code gate_sweep_step(struct work *work,
                              struct request_id *ret_changed,
                              size_t *ret_count,
                              uint64_t *ret_next_ms)
{
    struct gate_sweep *sweep = &work->writer->state.gate_sweep;
    enum err_code rc = ERR_OK;

    *ret_count = 0;
    if (sweep->due_ms <= work->now_ms) {
        rc = begin_walk(work);
    }
    if (rc == ERR_OK && sweep->running) {
        rc = walk_on(work, ret_changed, ret_count);
    }
    ASSERT(*ret_count <= SERVICE_SWEEP_CHANGE_MAX);
    *ret_next_ms = sweep->running ? work->now_ms : sweep->due_ms;
    return rc;
}
