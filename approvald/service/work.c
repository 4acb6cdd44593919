/* SPDX-License-Identifier: Apache-2.0 */
/* work.c: reading and writing records inside a job.
 * Owns the counters and the audit head in the writer's memory, and their recovery at start.
 * Never runs on the loop, never decides: core does. */
#include "approvald/service/work.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/pack.h"
#include "storage/storage.h"

#include <string.h>

#define COUNTS_VERSION 1
#define COUNTS_SIZE    (1 + 7 * 8)

#define ELAPSED_VERSION 1

enum err_code work_get(struct work *work, enum table table, struct key key, struct span *ret_value)
{
    return storage_get(work->txn, (uint8_t)table, key_span(&key), ret_value, work->err);
}

enum err_code work_put(struct work *work, enum table table, struct key key, struct span value)
{
    work->put_size += key.size + value.size;
    work->put_count++;
    return storage_put(work->txn, (uint8_t)table, key_span(&key), value, work->err);
}

enum err_code work_delete(struct work *work, enum table table, struct key key)
{
    work->put_size += key.size;
    work->put_count++;
    return storage_delete(work->txn, (uint8_t)table, key_span(&key), work->err);
}

enum err_code work_mark(struct work *work, enum table table, struct key key)
{
    return work_put(work, table, key, SPAN_LITERAL("\1"));
}

bool work_has_room(const struct work *work)
{
    return work->put_size < SERVICE_WORK_SIZE_MAX && work->put_count < SERVICE_WORK_COUNT_MAX / 2;
}

struct buf *work_row(struct work *work)
{
    buf_clear(work->writer->row);
    return work->writer->row;
}

/* u8 version | u64 stored, pending, owed, dead, inbox_depth, inbox_seq, token_seq */
enum err_code work_counts_put(struct work *work)
{
    const struct counts *counts = &work->writer->state.counts;
    const uint64_t numbers[] = {counts->stored,   counts->pending,     counts->owed,
                                counts->dead,     counts->inbox_depth, counts->inbox_seq,
                                counts->token_seq};
    uint8_t bytes[COUNTS_SIZE] = {COUNTS_VERSION};

    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        pack_key_u64(bytes + 1 + 8 * i, numbers[i]);
    }
    return work_put(work, TABLE_META, key_text(SPAN_LITERAL("counts")),
                    span_of(bytes, sizeof bytes));
}

static enum err_code recover_counts(struct work *work)
{
    struct counts *counts = &work->writer->state.counts;
    uint64_t *numbers[] = {&counts->stored,   &counts->pending,     &counts->owed,
                           &counts->dead,     &counts->inbox_depth, &counts->inbox_seq,
                           &counts->token_seq};
    struct span value;
    enum err_code rc;

    memset(counts, 0, sizeof *counts);
    rc = work_get(work, TABLE_META, key_text(SPAN_LITERAL("counts")), &value);
    if (rc == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (value.size != COUNTS_SIZE || value.data[0] != COUNTS_VERSION) {
        return err_set(work->err, ERR_CORRUPT, "stored counts do not decode");
    }
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        *numbers[i] = unpack_key_u64((const uint8_t *)value.data + 1 + 8 * i);
    }
    return ERR_OK;
}

/* u8 version | u8 count | count times u64 at, size */
enum err_code work_elapsed_put(struct work *work)
{
    const struct elapsed *elapsed = &work->writer->state.elapsed;
    uint8_t bytes[2 + 16 * ELAPSED_JUMP_COUNT_MAX] = {ELAPSED_VERSION,
                                                      (uint8_t)elapsed->jump_count};
    uint8_t *at = bytes + 2;

    for (size_t i = 0; i < elapsed->jump_count; i++, at += 16) {
        pack_key_u64(at, elapsed->jumps[i].at_ms);
        pack_key_u64(at + 8, elapsed->jumps[i].size_ms);
    }
    return work_put(work, TABLE_META, key_text(SPAN_LITERAL("elapsed")),
                    span_of(bytes, (size_t)(at - bytes)));
}

static enum err_code recover_elapsed(struct work *work, uint64_t record_ms)
{
    struct elapsed *elapsed = &work->writer->state.elapsed;
    const uint8_t *at;
    struct span value;
    enum err_code rc;

    *elapsed = (struct elapsed){.counting = false};
    elapsed_begin(elapsed, record_ms);
    rc = work_get(work, TABLE_META, key_text(SPAN_LITERAL("elapsed")), &value);
    if (rc != ERR_OK) {
        return rc == ERR_NOT_FOUND ? ERR_OK : rc;
    }
    at = (const uint8_t *)value.data;
    if (value.size < 2 || at[0] != ELAPSED_VERSION || at[1] > ELAPSED_JUMP_COUNT_MAX ||
        value.size != 2 + (size_t)16 * at[1]) {
        return err_set(work->err, ERR_CORRUPT, "stored jumps of the clock do not decode");
    }
    elapsed->jump_count = at[1];
    at += 2;
    for (size_t i = 0; i < elapsed->jump_count; i++, at += 16) {
        elapsed->jumps[i].at_ms = unpack_key_u64(at);
        elapsed->jumps[i].size_ms = unpack_key_u64(at + 8);
    }
    return ERR_OK;
}

struct last_entry {
    bool found;
    bool sound;
    uint64_t seq;
    uint64_t at_ms;
    uint8_t hash[AUDIT_HASH_SIZE];
};

static bool visit_last_entry(void *arg, struct span key, struct span value)
{
    struct last_entry *last = arg;
    const size_t head_size = AUDIT_HASH_SIZE + 8; /* the hash, the link of its request */
    struct audit_entry entry;

    last->found = true;
    last->sound = value.size > head_size && key_u64_parse(key, &last->seq);
    if (last->sound) {
        memcpy(last->hash, value.data, AUDIT_HASH_SIZE);
        last->sound = audit_entry_decode(span_of(value.data + head_size, value.size - head_size),
                                         &entry, NULL) == ERR_OK;
    }
    if (last->sound) {
        last->at_ms = entry.at_ms;
    }
    return false;
}

enum err_code work_recover(struct work *work)
{
    struct writer_state *state = &work->writer->state;
    struct last_entry last = {.found = false};
    enum err_code rc;

    rc = recover_counts(work);
    if (rc == ERR_OK) {
        rc = storage_scan(work->txn, TABLE_AUDIT, SPAN_NONE, true, visit_last_entry, &last,
                          work->err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    if (last.found && !last.sound) {
        return err_set(work->err, ERR_CORRUPT, "the audit log's last entry does not decode");
    }
    state->audit_seq = last.seq;
    memcpy(state->audit_head, last.hash, sizeof last.hash);
    rc = glass_recover(work);
    return rc == ERR_OK ? recover_elapsed(work, last.at_ms) : rc;
}

enum err_code work_policy_head(struct work *work, struct span name, uint32_t *ret_version)
{
    struct span value;
    enum err_code rc;

    if (name.size == 0 || name.size > CORE_NAME_SIZE_MAX) {
        return err_set(work->err, ERR_NOT_FOUND, "no policy has such a name");
    }
    rc = work_get(work, TABLE_HEADS, key_text(name), &value);
    if (rc != ERR_OK) {
        return rc;
    }
    if (value.size != 4) {
        return err_set(work->err, ERR_CORRUPT, "head of policy %.*s", SPAN_ARGS(name));
    }
    *ret_version = unpack_key_u32((const uint8_t *)value.data);
    return ERR_OK;
}

enum err_code
work_policy_get(struct work *work, struct span name, uint32_t version, struct policy *ret_policy)
{
    struct span value;
    enum err_code rc;

    rc = work_get(work, TABLE_POLICIES, key_policy(name, version), &value);
    if (rc == ERR_OK) {
        rc = codec_policy_decode(value, ret_policy, work->err);
    }
    return rc == ERR_OK
               ? ERR_OK
               : err_wrap(work->err, rc, "policy %.*s version %u", SPAN_ARGS(name), version);
}

enum err_code
work_policy_now(struct work *work, struct span name, struct policy *ret_policy, bool *ret_found)
{
    uint32_t version = 0;
    enum err_code rc = work_policy_head(work, name, &version);

    *ret_found = rc == ERR_OK;
    if (rc == ERR_OK) {
        rc = work_policy_get(work, name, version, ret_policy);
    }
    return *ret_found || rc != ERR_NOT_FOUND ? rc : ERR_OK;
}

enum err_code work_audit(struct work *work,
                         const struct audit_write *write,
                         struct subject *subject,
                         uint64_t *ret_seq)
{
    struct writer_state *state = &work->writer->state;
    struct buf *entry_buf = work->writer->entry;
    struct buf *row = work_row(work);
    char actor[AUDIT_ACTOR_SIZE];
    struct audit_entry entry = {.seq = state->audit_seq + 1,
                                .at_ms = work->now_ms,
                                .action = write->action,
                                .via = span_text(audit_via_word(write->actor->via)),
                                .has_id = write->id != NULL,
                                .detail = write->detail};
    uint8_t hash[AUDIT_HASH_SIZE];
    enum err_code rc;

    audit_actor_format(write->actor, actor);
    entry.actor = span_text(actor);
    if (write->id != NULL) {
        entry.id = *write->id;
    }
    buf_clear(entry_buf);
    rc = audit_entry_encode(&entry, entry_buf, work->err);
    if (rc != ERR_OK) {
        return rc;
    }
    audit_chain(state->audit_head, buf_span(entry_buf), hash);
    rc = pack_bytes(row, hash, sizeof hash, work->err);
    if (rc == ERR_OK) {
        rc = pack_u64(row, subject == NULL ? 0 : subject->link, work->err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_span(row, buf_span(entry_buf), work->err);
    }
    if (rc == ERR_OK) {
        rc = work_put(work, TABLE_AUDIT, key_u64(entry.seq), buf_span(row));
    }
    if (rc != ERR_OK) {
        return rc;
    }
    state->audit_seq = entry.seq;
    memcpy(state->audit_head, hash, sizeof hash);
    if (subject != NULL) {
        subject->link = entry.seq;
        subject->dirty = true;
    }
    if (ret_seq != NULL) {
        *ret_seq = entry.seq;
    }
    return ERR_OK;
}

/* u8 version | u8 deferred | u8 refusal */
enum err_code event_get(struct work *work, const struct inbox_key *key, struct event_seen *ret_seen)
{
    struct span value;
    enum err_code rc;

    rc = work_get(work, TABLE_EVENTS, key_text(span_of(key->bytes, INBOX_KEY_SIZE)), &value);
    if (rc != ERR_OK) {
        return rc;
    }
    if (value.size != 3 || value.data[0] != 1) {
        return err_set(work->err, ERR_CORRUPT, "a stored event does not decode");
    }
    ret_seen->deferred = value.data[1] != 0;
    ret_seen->refusal = (enum refusal)(uint8_t)value.data[2];
    return ERR_OK;
}

enum err_code
event_put(struct work *work, const struct inbox_key *key, const struct event_seen *seen)
{
    uint8_t value[3] = {1, seen->deferred ? 1 : 0, (uint8_t)seen->refusal};

    return work_put(work, TABLE_EVENTS, key_text(span_of(key->bytes, INBOX_KEY_SIZE)),
                    span_of(value, sizeof value));
}
