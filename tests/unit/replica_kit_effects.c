/* SPDX-License-Identifier: Apache-2.0 */
/* replica_kit_effects.c: the toy executor: what each effect does, and its line in the trace.
 * Owns the checks of every word against the promise. Never does what the effects do not say. */
#include "tests/unit/replica_kit.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KIT_SHIP_COUNT 4U /* records of one APPEND */

__attribute__((format(printf, 3, 4))) static void
trace(struct kit *kit, const struct kit_host *host, const char *format, ...)
{
    char text[256];
    va_list args;
    int size;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args); /* bounded; a cut line fails its test */
    va_end(args);
    size = snprintf(kit->trace + kit->trace_size, sizeof kit->trace - kit->trace_size, "%d%s\n",
                    host->number, text);
    ASSERT(size > 0);
    ASSERT((size_t)size < sizeof kit->trace - kit->trace_size);
    kit->trace_size += (size_t)size;
}

void kit_clear(struct kit *kit)
{
    kit->trace_size = 0;
    kit->trace[0] = '\0';
}

bool kit_traced(const struct kit *kit, const char *expected)
{
    if (strcmp(kit->trace, expected) == 0) {
        return true;
    }
    printf("\n--- expected\n%s--- traced\n%s---\n", expected, kit->trace);
    return false;
}

struct kit_host *kit_host(struct kit *kit, uint8_t number)
{
    ASSERT(number == 1 || number == 2);
    return &kit->hosts[number - 1];
}

struct kit_host *kit_peer(struct kit *kit, const struct kit_host *host)
{
    return kit_host(kit, (uint8_t)(3 - host->number));
}

/* ---- The toy log ---- */

struct record_position kit_next_record(const struct kit_host *host, uint64_t epoch, uint8_t salt)
{
    struct record_position next = {
        .lsn = host->lsn_last + 1, .epoch = epoch, .wall_ms = host->lsn_last + 1};
    const struct record_position *before = &host->log[host->lsn_last];

    /* A chain: what came before is in it. */
    for (size_t i = 0; i < sizeof next.hash; i++) {
        next.hash[i] = (uint8_t)(31UL * before->hash[i] + epoch + salt + i + 1U);
    }
    return next;
}

void kit_put_record(struct kit_host *host, const struct record_position *record)
{
    ASSERT(record->lsn == host->lsn_last + 1);
    ASSERT(record->lsn < KIT_LOG_COUNT_MAX);
    host->log[record->lsn] = *record;
    host->lsn_last = record->lsn;
    if (host->leads) {
        isr_append(&host->isr, record->lsn);
    }
    if (!host->hold_sync) {
        host->lsn_durable = record->lsn;
        if (host->leads) {
            ASSERT(isr_acknowledge(&host->isr, 0, record->lsn, NULL) == ERR_OK);
        }
    }
}

void kit_fill(struct kit_host *host, uint64_t count, uint64_t epoch, uint8_t salt)
{
    for (uint64_t i = 0; i < count; i++) {
        struct record_position next = kit_next_record(host, epoch, salt);

        kit_put_record(host, &next);
    }
    host->options.last = host->log[host->lsn_last];
}

/* ---- Events ---- */

void kit_later(struct kit_host *host, const struct replica_event *event)
{
    ASSERT(host->event_count < KIT_EVENT_COUNT_MAX);
    host->events[host->event_count] = *event;
    host->event_count++;
}

void kit_later_epoch(struct kit_host *host, enum replica_event_type type, uint64_t epoch)
{
    struct replica_event event = {.type = type, .u.epoch = epoch};

    kit_later(host, &event);
}

void kit_later_local(struct kit_host *host)
{
    struct replica_event event = {.type = REPLICA_EVENT_LOCAL};

    kit_later(host, &event); /* filled when it is delivered */
}

void kit_fill_local(struct kit_host *host, struct replica_local *local)
{
    if (host->leads && !host->applied_frozen) {
        host->lsn_applied = isr_commit(&host->isr);
    }
    *local = (struct replica_local){.last = host->log[host->lsn_last],
                                    .durable = host->log[host->lsn_durable],
                                    .lsn_commit = host->leads ? isr_commit(&host->isr) : 0,
                                    .applied = host->log[host->lsn_applied],
                                    .sync_slow = host->sync_slow};
}

/* ---- Messages ---- */

/* Counterexamples 4, 5, 6: nothing is said at an epoch that is not the promised one. */
static void check_words(const struct kit_host *host, const struct message *message)
{
    uint64_t epoch = 0;

    if (message->type == MESSAGE_ACK || message->type == MESSAGE_FOLLOW) {
        epoch = message->u.follow.epoch;
        ASSERT(message->u.follow.last.lsn <= host->lsn_durable);
        ASSERT(memcmp(message->u.follow.last.hash, host->log[message->u.follow.last.lsn].hash,
                      STORAGE_HASH_SIZE) == 0);
    } else if (message->type == MESSAGE_ECHO) {
        epoch = message->u.ping.epoch;
    } else {
        return;
    }
    ASSERT(epoch == host->options.promised);
    ASSERT(host->lsn_promise_asked <= epoch);
}

static void trace_message(struct kit *kit, const struct kit_host *host, const struct message *m)
{
    const char *name = message_name(m->type);

    switch (m->type) {
    case MESSAGE_LEAD:
    case MESSAGE_HANDOVER:
        trace(kit, host, "> %s %" PRIu64, name, m->u.lead.epoch);
        break;
    case MESSAGE_FOLLOW:
        trace(kit, host, "> %s %" PRIu64 " last %" PRIu64 " applied %" PRIu64, name,
              m->u.follow.epoch, m->u.follow.last.lsn, m->u.follow.applied.lsn);
        break;
    case MESSAGE_ACK:
        trace(kit, host, "> %s %" PRIu64, name, m->u.follow.last.lsn);
        break;
    case MESSAGE_PROBE:
    case MESSAGE_PLACE:
    case MESSAGE_CUT:
    case MESSAGE_SNAPSHOT:
        trace(kit, host, "> %s %" PRIu64, name, m->u.place.position.lsn);
        break;
    case MESSAGE_APPEND:
        trace(kit, host, "> %s %zu", name, m->u.bytes.bytes.size / sizeof(struct record_position));
        break;
    case MESSAGE_PAIRS:
    case MESSAGE_SNAPSHOT_END:
        trace(kit, host, "> %s", name);
        break;
    case MESSAGE_DATA:
        trace(kit, host, "> %s %.*s", name, SPAN_ARGS(m->u.data));
        break;
    case MESSAGE_BYE:
        trace(kit, host, "> %s %.*s", m->u.bye.leaves ? "leave" : name, SPAN_ARGS(m->u.bye.reason));
        break;
    case MESSAGE_HELLO:
    case MESSAGE_STATE:
    case MESSAGE_PING:
    case MESSAGE_ECHO:
    case MESSAGE_TYPE_END:
        break;
    }
}

static void send(struct kit *kit, struct kit_host *host, const struct message *message)
{
    struct kit_queue *queue = &kit_peer(kit, host)->inbox;
    size_t size = message_size(message);

    check_words(host, message);
    host->sent[message->type]++;
    trace_message(kit, host, message);
    if (!kit->link_up) {
        return;
    }
    ASSERT(size <= sizeof queue->bytes - queue->size);
    message_encode(message, queue->bytes + queue->size);
    queue->size += size;
}

/* ---- Effects ---- */

static void ship(struct kit *kit, struct kit_host *host, uint64_t lsn)
{
    struct replica_event event = {.type = REPLICA_EVENT_SHIPPED, .u.shipped.lsn_next = lsn};
    struct message append = {.type = MESSAGE_APPEND};
    uint64_t end = lsn;

    trace(kit, host, ": ship %" PRIu64, lsn);
    if (lsn < host->lsn_first) {
        event.u.shipped.gone = true;
        kit_later(host, &event);
        return;
    }
    while (end <= host->lsn_last && end < lsn + KIT_SHIP_COUNT) {
        end++;
    }
    append.u.bytes = (struct message_bytes){
        .epoch = replica_epoch(host->replica),
        .incarnation = host->options.incarnation,
        .lsn_commit = isr_commit(&host->isr),
        .bytes = span_of(&host->log[lsn], (end - lsn) * sizeof host->log[0])};
    if (end > lsn) {
        send(kit, host, &append);
    }
    event.u.shipped.lsn_next = end;
    if (host->hold_ship) {
        host->ship_held = true;
    } else {
        kit_later(host, &event);
    }
}

static void append(struct kit *kit, struct kit_host *host, struct span bytes)
{
    struct record_position record;
    struct record_position wanted;

    ASSERT(!host->leads);
    ASSERT(bytes.size % sizeof record == 0);
    for (size_t at = 0; at < bytes.size; at += sizeof record) {
        memcpy(&record, bytes.data + at, sizeof record);
        ASSERT(record.lsn == host->lsn_last + 1);
        /* The chain: as the record's own writer made it, upon what lies here. */
        for (uint8_t salt = 0; salt < 8; salt++) {
            wanted = kit_next_record(host, record.epoch, salt);
            if (memcmp(wanted.hash, record.hash, sizeof wanted.hash) == 0) {
                break;
            }
        }
        ASSERT(memcmp(wanted.hash, record.hash, sizeof wanted.hash) == 0);
        kit_put_record(host, &record);
    }
    trace(kit, host, ": append to %" PRIu64, host->lsn_last);
    kit_later_local(host);
}

void kit_begin_epoch(struct kit_host *host, uint64_t epoch)
{
    struct record_position next = kit_next_record(host, epoch, 0);

    ASSERT(epoch == host->options.promised);
    ASSERT(host->log[host->lsn_last].epoch < epoch);
    kit_put_record(host, &next);
    kit_later_local(host);
    kit_later_epoch(host, REPLICA_EVENT_EPOCH_BEGUN, epoch);
}

/* From idle the counting begins; what is in the log is taken over as it is. */
static void count_from_here(struct kit_host *host)
{
    if (!host->leads) {
        isr_init(&host->isr, host->lsn_last);
        host->leads = true;
    }
}

void kit_cut(struct kit_host *host, uint64_t lsn)
{
    ASSERT(!host->leads);
    ASSERT(lsn >= host->lsn_applied);
    ASSERT(lsn <= host->lsn_last);
    host->lsn_last = lsn;
    host->lsn_durable = lsn;
    kit_later_epoch(host, REPLICA_EVENT_CUT_DONE, 0);
}

static void acknowledge(struct kit_host *host, const struct record_position *position)
{
    ASSERT(memcmp(position->hash, host->log[position->lsn].hash, STORAGE_HASH_SIZE) == 0);
    ASSERT(isr_acknowledge(&host->isr, 1, position->lsn, NULL) == ERR_OK);
    kit_later_local(host);
}

void kit_promise_kept(struct kit_host *host)
{
    host->promise_held = false;
    host->options.promised = host->lsn_promise_asked;
    host->options.lineage = replica_lineage(host->replica);
    kit_later_epoch(host, REPLICA_EVENT_PROMISED, host->lsn_promise_asked);
}

static void send_snapshot(struct kit *kit, struct kit_host *host, uint64_t lsn_least)
{
    struct replica_event event = {.type = REPLICA_EVENT_SNAPSHOT_SENT,
                                  .u.position = host->log[host->lsn_applied]};
    struct message message = {.type = MESSAGE_SNAPSHOT};

    trace(kit, host, ": snapshot at least %" PRIu64, lsn_least);
    message.u.place = (struct message_place){.epoch = replica_epoch(host->replica),
                                             .incarnation = host->options.incarnation,
                                             .position = host->log[host->lsn_applied]};
    send(kit, host, &message);
    message.type = MESSAGE_PAIRS;
    message.u.bytes = (struct message_bytes){.epoch = replica_epoch(host->replica),
                                             .incarnation = host->options.incarnation,
                                             .lsn_commit = 0,
                                             .bytes = SPAN_LITERAL("pairs")};
    send(kit, host, &message);
    message.type = MESSAGE_SNAPSHOT_END;
    message.u.ping = (struct message_ping){.epoch = replica_epoch(host->replica),
                                           .incarnation = host->options.incarnation,
                                           .sequence = 1};
    send(kit, host, &message);
    kit_later(host, &event);
}

static void install(struct kit *kit, struct kit_host *host)
{
    uint64_t lsn = host->snapshot.lsn;

    trace(kit, host, ": install %" PRIu64, lsn);
    host->log[lsn] = host->snapshot;
    host->lsn_first = lsn + 1;
    host->lsn_last = lsn;
    host->lsn_durable = lsn;
    host->lsn_applied = lsn;
    host->dead = true;
}

static void report(struct kit *kit, struct kit_host *host, const struct replica_report *report)
{
    host->report_count[report->type]++;
    switch (report->type) {
    case REPLICA_REPORT_LINK:
        host->link = report->u.link;
        break;
    case REPLICA_REPORT_SEALED:
        trace(kit, host, ": sealed %" PRIu64, report->u.epoch);
        break;
    case REPLICA_REPORT_LEADING:
        trace(kit, host, ": leading %" PRIu64, report->u.epoch);
        break;
    case REPLICA_REPORT_ADD:
        host->proposal = report->u.proposal;
        trace(kit, host, ": propose add at %" PRIu64, report->u.proposal.lsn);
        break;
    case REPLICA_REPORT_REMOVE:
        host->proposal = report->u.proposal;
        trace(kit, host, ": propose remove %s", report->u.proposal.slow ? "slow" : "silent");
        break;
    case REPLICA_REPORT_DEPOSED:
        trace(kit, host, ": deposed by %" PRIu64, report->u.epoch);
        break;
    case REPLICA_REPORT_DRAINED:
        trace(kit, host, ": drained %" PRIu64, report->u.epoch);
        break;
    case REPLICA_REPORT_TAKE_OVER:
        trace(kit, host, ": take over %" PRIu64, report->u.epoch);
        break;
    case REPLICA_REPORT_RESYNC:
        trace(kit, host, ": resync %s", report->u.reason);
        break;
    }
}

static void drop_link(struct kit *kit, const struct kit_host *host, const char *reason)
{
    kit->drop = true; /* when what is under way has arrived */
    trace(kit, host, ": drop %s", reason);
}

static void perform_log(struct kit *kit, struct kit_host *host, const struct replica_effect *effect)
{
    struct replica_event found = {.type = REPLICA_EVENT_FOUND, .u.found.lsn = effect->u.lsn};

    if (effect->type == REPLICA_EFFECT_PROMISE) {
        trace(kit, host, ": promise %" PRIu64, effect->u.epoch);
        host->lsn_promise_asked = effect->u.epoch;
        if (host->hold_promise) {
            host->promise_held = true;
        } else {
            kit_promise_kept(host);
        }
    } else if (effect->type == REPLICA_EFFECT_BEGIN_EPOCH) {
        trace(kit, host, ": begin %" PRIu64, effect->u.epoch);
        count_from_here(host);
        if (host->hold_begin) {
            host->begin_held = true;
        } else {
            kit_begin_epoch(host, effect->u.epoch);
        }
    } else if (effect->type == REPLICA_EFFECT_FIND) {
        trace(kit, host, ": find %" PRIu64, effect->u.lsn);
        /* A log's first record names the one before: it can be found too. */
        found.u.found.readable =
            effect->u.lsn + 1 >= host->lsn_first && effect->u.lsn <= host->lsn_last;
        found.u.found.position = host->log[effect->u.lsn % KIT_LOG_COUNT_MAX];
        kit_later(host, &found);
    } else if (effect->type == REPLICA_EFFECT_CUT) {
        trace(kit, host, ": cut behind %" PRIu64, effect->u.position.lsn);
        host->cut_held = host->hold_cut;
        host->lsn_cut = effect->u.position.lsn;
        if (!host->hold_cut) {
            kit_cut(host, effect->u.position.lsn);
        }
    } else {
        ASSERT(effect->type == REPLICA_EFFECT_COMMIT);
        trace(kit, host, ": commit %" PRIu64, effect->u.lsn);
        ASSERT(effect->u.lsn > host->lsn_applied);
        ASSERT(effect->u.lsn <= host->lsn_durable);
        host->lsn_applied = effect->u.lsn;
        kit_later_local(host);
    }
}

static void perform_isr(struct kit *kit, struct kit_host *host, const struct replica_effect *effect)
{
    if (effect->type == REPLICA_EFFECT_REQUIRE) {
        trace(kit, host, ": require");
        count_from_here(host);
        ASSERT(isr_add(&host->isr, 1, NULL) == ERR_OK);
        kit_later_local(host);
    } else if (effect->type == REPLICA_EFFECT_UNREQUIRE) {
        trace(kit, host, ": unrequire");
        ASSERT(isr_remove(&host->isr, 1, NULL) == ERR_OK);
        kit_later_local(host);
    } else if (effect->type == REPLICA_EFFECT_ACKNOWLEDGE) {
        acknowledge(host, &effect->u.position);
    } else if (effect->type == REPLICA_EFFECT_ECHOED) {
        host->echoed = effect->u.sequence;
    } else {
        ASSERT(effect->type == REPLICA_EFFECT_STEP_DOWN);
        trace(kit, host, ": step down");
        ASSERT(isr_commit(&host->isr) == host->lsn_last);
        host->lsn_applied = host->lsn_last;
        host->leads = false;
    }
}

void kit_perform(struct kit *kit, struct kit_host *host, const struct replica_effect *effect)
{
    switch (effect->type) {
    case REPLICA_EFFECT_SEND:
        send(kit, host, &effect->u.message);
        break;
    case REPLICA_EFFECT_DROP_LINK:
        drop_link(kit, host, effect->u.reason);
        break;
    case REPLICA_EFFECT_PROMISE:
    case REPLICA_EFFECT_BEGIN_EPOCH:
    case REPLICA_EFFECT_FIND:
    case REPLICA_EFFECT_CUT:
    case REPLICA_EFFECT_COMMIT:
        perform_log(kit, host, effect);
        break;
    case REPLICA_EFFECT_APPEND:
        append(kit, host, effect->u.bytes);
        break;
    case REPLICA_EFFECT_SHIP:
        ship(kit, host, effect->u.lsn);
        break;
    case REPLICA_EFFECT_REQUIRE:
    case REPLICA_EFFECT_UNREQUIRE:
    case REPLICA_EFFECT_ACKNOWLEDGE:
    case REPLICA_EFFECT_ECHOED:
    case REPLICA_EFFECT_STEP_DOWN:
        perform_isr(kit, host, effect);
        break;
    case REPLICA_EFFECT_SNAPSHOT_SEND:
        send_snapshot(kit, host, effect->u.position.lsn);
        break;
    case REPLICA_EFFECT_SNAPSHOT_BEGIN:
        trace(kit, host, ": receive %" PRIu64, effect->u.position.lsn);
        host->snapshot = effect->u.position;
        break;
    case REPLICA_EFFECT_SNAPSHOT_PAIRS:
        break;
    case REPLICA_EFFECT_SNAPSHOT_INSTALL:
        install(kit, host);
        break;
    case REPLICA_EFFECT_HALT:
        trace(kit, host, ": halt %s", effect->u.reason);
        host->dead = true;
        break;
    case REPLICA_EFFECT_REPORT:
        report(kit, host, &effect->u.report);
        break;
    case REPLICA_EFFECT_DATA:
        trace(kit, host, ": data %.*s", SPAN_ARGS(effect->u.data));
        break;
    }
}
