/* SPDX-License-Identifier: Apache-2.0 */
/* link_effects.c: carries out what the replication core wants done, on the engine, the send queue
 * and the caller's mail.
 * Owns the order "make durable, then speak": an effect is done before the next one is looked at,
 * and what it led to becomes an event. Never decides whether something is to be done. */
#include "storage/link_internal.h"

#include "base/assert.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static void perform_send(struct link *link, const struct message *message)
{
    if (message->type == MESSAGE_PING) {
        engine_pinged(link->storage, message->u.ping.sequence); /* before it is in the queue */
    }
    if (message->type == MESSAGE_FOLLOW) {
        engine_follow(link->storage, message->u.follow.epoch);
    }
    link_queue(link, message);
}

static void perform_promise(struct link *link, uint64_t epoch)
{
    struct replica_event event = {.type = REPLICA_EVENT_PROMISED};
    struct err failure = ERR_INIT;

    link_append_forget(link);
    if (engine_promise(link->storage, epoch, replica_lineage(link->replica), &failure) != ERR_OK) {
        link_failed(link, &failure);
        return;
    }
    event.u.epoch = epoch;
    link_follow_up(link, &event);
}

static void perform_find(struct link *link, uint64_t lsn)
{
    struct replica_event event = {.type = REPLICA_EVENT_FOUND};
    struct err failure = ERR_INIT;

    if (engine_find(link->storage, lsn, &event.u.found, &failure) != ERR_OK) {
        link_failed(link, &failure);
        return;
    }
    link_follow_up(link, &event);
}

static void perform_cut(struct link *link, const struct record_position *position)
{
    struct replica_event event = {.type = REPLICA_EVENT_CUT_DONE};
    struct err failure = ERR_INIT;
    enum err_code rc;

    link_append_forget(link);
    rc = engine_cut(link->storage, position, &failure);
    if (rc == ERR_CONFLICT) {
        link_drop(link, failure.message);
    } else if (rc != ERR_OK) {
        link_failed(link, &failure);
    } else {
        link_follow_up(link, &event);
    }
}

/* What became of records: all taken, some to be taken later, or a bad one. */
static void appended(struct link *link, enum err_code rc, const struct err *failure)
{
    switch ((int)rc) {
    case ERR_OK:
    case ERR_FULL:
        break;
    case ERR_PROTOCOL:
        link_drop(link, failure->message);
        break;
    default:
        link_failed(link, failure);
        break;
    }
}

/* The bytes lie in the frame in front of link->in: what has no room stays there. */
static void perform_append(struct link *link, struct span records)
{
    struct span in = link_buf_span(&link->in);
    struct err failure = ERR_INIT;
    size_t taken = 0;
    enum err_code rc = engine_append(link->storage, records, &taken, &failure);

    ASSERT(taken <= records.size);
    if (rc == ERR_FULL) {
        ASSERT(records.data >= in.data && records.data + records.size <= in.data + in.size);
        link->append_offset = (size_t)(records.data - in.data) + taken;
        link->append_frame = (size_t)(records.data - in.data) + records.size;
        link->append_ms = link->now_ms;
    }
    appended(link, rc, &failure);
}

void link_append_more(struct link *link)
{
    struct span in = link_buf_span(&link->in);
    struct span records =
        span_of(in.data + link->append_offset, link->append_frame - link->append_offset);
    struct err failure = ERR_INIT;
    size_t taken = 0;
    enum err_code rc = engine_append(link->storage, records, &taken, &failure);

    link->append_offset += taken;
    link->append_ms = taken > 0 ? link->now_ms : link->append_ms;
    if (rc == ERR_OK) {
        ASSERT(link->append_offset == link->append_frame);
        link_append_forget(link);
    }
    appended(link, rc, &failure);
}

void link_append_forget(struct link *link)
{
    if (link->append_frame > 0 && !link->handling) {
        link_buf_consume(&link->in, link->append_frame);
    }
    link->append_frame = 0;
}

static void perform_acknowledge(struct link *link, const struct record_position *position)
{
    struct err failure = ERR_INIT;
    enum err_code rc = engine_acknowledge(link->storage, position, &failure);

    if (rc == ERR_CONFLICT) {
        engine_halt(link->storage, failure.message);
        link_failed(link, &failure);
    } else if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
        link_failed(link, &failure);
    }
}

/* A snapshot that cannot be received is dropped with the connection: the next one begins anew, when
 * the core lets it. Said once: the tries that follow show in the status. */
static void snapshot_result(struct link *link, enum err_code rc, const struct err *failure)
{
    struct replica_event event = {.type = REPLICA_EVENT_SNAPSHOT_REFUSED};

    if (rc == ERR_UNAVAILABLE) {
        link_failed(link, failure);
    } else if (rc != ERR_OK) {
        link->quiet = replica_snapshot_retry_ms(link->replica) != 0;
        if (!link->quiet) {
            log_err(LOG_LEVEL_ERROR, "link", "snapshot_not_taken", failure);
        }
        memcpy(link->snapshot_refused, failure->message, sizeof link->snapshot_refused);
        link_drop(link, failure->message);
        link_follow_up(link, &event);
    }
}

static void perform_snapshot_begin(struct link *link, const struct record_position *position)
{
    struct err failure = ERR_INIT;

    snapshot_result(link, engine_snapshot_begin(link->storage, position, link->diverged, &failure),
                    &failure);
}

static void perform_snapshot_pairs(struct link *link, struct span pairs)
{
    struct err failure = ERR_INIT;

    snapshot_result(link, engine_snapshot_pairs(link->storage, pairs, &failure), &failure);
}

/* The core rests from here on, whatever comes of it: so this process is to end. The next one has
 * the new store; or, when that could not be installed, the old one, which follows again. */
static void perform_snapshot_install(struct link *link, uint64_t pair_count)
{
    struct err failure = ERR_INIT;
    enum err_code rc = engine_snapshot_install(link->storage, pair_count,
                                               replica_lineage(link->replica), &failure);

    link->snapshot_count += rc == ERR_OK ? 1 : 0;
    if (rc == ERR_OK) {
        (void)err_set(&failure, ERR_UNAVAILABLE, "the peer's snapshot is installed: start again");
    } else {
        engine_halt(link->storage, failure.message);
    }
    link_failed(link, &failure);
}

static void perform_halt(struct link *link, const char *reason)
{
    struct err failure = ERR_INIT;

    (void)err_set(&failure, ERR_UNAVAILABLE, "%s", reason);
    engine_halt(link->storage, reason);
    link_failed(link, &failure);
}

static void perform_report(struct link *link, const struct replica_report *report)
{
    link->diverged = link->diverged || report->type == REPLICA_REPORT_RESYNC;
    link_mail_report(&link->mail, report);
    link->notify = true;
}

static void perform_begin_epoch(struct link *link, uint64_t epoch)
{
    link_append_forget(link);
    engine_begin_epoch(link->storage, epoch);
}

static void perform_require(struct link *link)
{
    engine_require(link->storage);
    link->local_told = false; /* LOCAL is owed, even when nothing moved */
}

static void perform_data(struct link *link, struct span data)
{
    link_mail_receive(&link->mail, data);
    link->notify = true;
}

void link_perform(struct link *link, const struct replica_effect *effect)
{
    switch (effect->type) {
    case REPLICA_EFFECT_SEND:
        perform_send(link, &effect->u.message);
        break;
    case REPLICA_EFFECT_DROP_LINK:
        link_drop(link, effect->u.reason);
        break;
    case REPLICA_EFFECT_PROMISE:
        perform_promise(link, effect->u.epoch);
        break;
    case REPLICA_EFFECT_BEGIN_EPOCH:
        perform_begin_epoch(link, effect->u.epoch);
        break;
    case REPLICA_EFFECT_FIND:
        perform_find(link, effect->u.lsn);
        break;
    case REPLICA_EFFECT_CUT:
        perform_cut(link, &effect->u.position);
        break;
    case REPLICA_EFFECT_APPEND:
        perform_append(link, effect->u.bytes);
        break;
    case REPLICA_EFFECT_COMMIT:
        engine_commit(link->storage, effect->u.lsn);
        break;
    case REPLICA_EFFECT_SHIP:
        link_ship(link, effect->u.lsn);
        break;
    case REPLICA_EFFECT_REQUIRE:
        perform_require(link);
        break;
    case REPLICA_EFFECT_UNREQUIRE:
        engine_unrequire(link->storage);
        break;
    case REPLICA_EFFECT_ACKNOWLEDGE:
        perform_acknowledge(link, &effect->u.position);
        break;
    case REPLICA_EFFECT_ECHOED:
        engine_echoed(link->storage, effect->u.sequence);
        break;
    case REPLICA_EFFECT_SNAPSHOT_SEND:
        link_snapshot(link, &effect->u.position);
        break;
    case REPLICA_EFFECT_SNAPSHOT_BEGIN:
        perform_snapshot_begin(link, &effect->u.position);
        break;
    case REPLICA_EFFECT_SNAPSHOT_PAIRS:
        perform_snapshot_pairs(link, effect->u.bytes);
        break;
    case REPLICA_EFFECT_SNAPSHOT_INSTALL:
        perform_snapshot_install(link, effect->u.sequence);
        break;
    case REPLICA_EFFECT_STEP_DOWN:
        engine_step_down(link->storage);
        break;
    case REPLICA_EFFECT_HALT:
        perform_halt(link, effect->u.reason);
        break;
    case REPLICA_EFFECT_REPORT:
        perform_report(link, &effect->u.report);
        break;
    case REPLICA_EFFECT_DATA:
        perform_data(link, effect->u.data);
        break;
    }
}
