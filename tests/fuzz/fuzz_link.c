/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_link.c: a hostile but authenticated peer, and an erratic caller, against the frame reader
 * and the replication core.
 * Owns a toy engine that keeps positions only. Never lets pass what the real engine would assert
 * against: whatever the peer says, the core must not ask for it.
 *
 * Input: operations of one byte and their arguments; what is missing reads as 0. Frames are made
 * from a few bytes with plausible fields, or taken as they are. */
#include "base/assert.h"
#include "storage/link_buf.h"
#include "storage/message.h"
#include "storage/replica.h"

#include <stdlib.h>
#include <string.h>

#define LOG_COUNT_MAX   64
#define QUEUE_COUNT_MAX 64
#define STEP_COUNT_MAX  20000 /* of one input: more is a loop without end */
#define STREAM_SIZE     4096

struct toy {
    struct span input;
    struct replica *replica;
    struct replica_effects effects;
    struct replica_event queue[QUEUE_COUNT_MAX];
    size_t queue_first;
    size_t queue_count;
    struct link_buf in;
    struct record_position log[LOG_COUNT_MAX + 1]; /* by LSN; 0 is the place before the first */
    struct replica_local local;
    struct message_state peer; /* what the forged frames are made of */
    uint64_t promised;
    uint64_t sought;        /* the epoch that the caller has taken from the register */
    uint64_t sealed;        /* as reported */
    uint64_t lsn_committed; /* highest COMMIT */
    uint64_t now_ms;
    size_t step_count;
    bool connected;
    bool primary;
    bool over; /* the process would end */
};

static uint8_t next(struct toy *toy)
{
    uint8_t byte = 0;

    if (toy->input.size > 0) {
        byte = (uint8_t)toy->input.data[0];
        toy->input.data++;
        toy->input.size--;
    }
    return byte;
}

static void later(struct toy *toy, const struct replica_event *event)
{
    ASSERT(toy->queue_count < QUEUE_COUNT_MAX);
    toy->queue[(toy->queue_first + toy->queue_count) % QUEUE_COUNT_MAX] = *event;
    toy->queue_count++;
}

static void append(struct toy *toy, uint64_t epoch, uint8_t salt)
{
    struct record_position *last = &toy->local.last;

    if (last->lsn >= LOG_COUNT_MAX) {
        return;
    }
    last->lsn++;
    last->epoch = epoch > last->epoch ? epoch : last->epoch;
    last->hash[0] = (uint8_t)(last->hash[0] * 31 + salt);
    toy->log[last->lsn] = *last;
    toy->local.durable = *last;
}

static void perform_cut(struct toy *toy, const struct record_position *position)
{
    struct replica_event event = {.type = REPLICA_EVENT_CUT_DONE};

    ASSERT(!toy->primary);
    ASSERT(position->lsn >= toy->local.applied.lsn);
    ASSERT(position->lsn <= toy->local.last.lsn);
    if (memcmp(position->hash, toy->log[position->lsn].hash, STORAGE_HASH_SIZE) != 0 ||
        position->epoch != toy->log[position->lsn].epoch) {
        toy->connected = false; /* ERR_CONFLICT: the link is dropped, the cut not done */
        toy->over = true;       /* the core waits for it: the shell ends the process */
        return;
    }
    toy->local.last = toy->log[position->lsn];
    toy->local.durable = toy->local.last;
    later(toy, &event);
}

static void perform_commit(struct toy *toy, uint64_t lsn)
{
    ASSERT(lsn >= toy->lsn_committed);
    ASSERT(lsn <= toy->local.durable.lsn);
    toy->lsn_committed = lsn;
    toy->local.applied = toy->log[lsn];
}

static void perform_find(struct toy *toy, uint64_t lsn)
{
    struct replica_event event = {.type = REPLICA_EVENT_FOUND};

    event.u.found.lsn = lsn;
    event.u.found.readable = lsn <= toy->local.last.lsn;
    if (event.u.found.readable) {
        event.u.found.position = toy->log[lsn];
    }
    later(toy, &event);
}

static void perform_begin(struct toy *toy, uint64_t epoch)
{
    struct replica_event event = {.type = REPLICA_EVENT_EPOCH_BEGUN, .u.epoch = epoch};

    ASSERT(epoch <= toy->promised);
    ASSERT(epoch > toy->local.last.epoch);
    toy->primary = true;
    append(toy, epoch, 1);
    later(toy, &event);
}

static void perform_promise(struct toy *toy, uint64_t epoch)
{
    struct replica_event event = {.type = REPLICA_EVENT_PROMISED, .u.epoch = epoch};

    ASSERT(epoch >= toy->promised);
    toy->promised = epoch;
    later(toy, &event);
}

static void perform_ship(struct toy *toy, uint64_t lsn)
{
    struct replica_event event = {.type = REPLICA_EVENT_SHIPPED};

    ASSERT(toy->primary);
    event.u.shipped.lsn_next = toy->local.last.lsn + 1 > lsn ? toy->local.last.lsn + 1 : lsn;
    later(toy, &event);
}

static void perform_acknowledge(struct toy *toy, const struct record_position *position)
{
    ASSERT(toy->primary);
    if (position->lsn <= toy->local.last.lsn &&
        memcmp(position->hash, toy->log[position->lsn].hash, STORAGE_HASH_SIZE) == 0) {
        toy->local.lsn_commit =
            position->lsn > toy->local.lsn_commit ? position->lsn : toy->local.lsn_commit;
    } else {
        toy->over = true; /* ERR_CONFLICT: HALT */
    }
}

static void check_sent(const struct message *message)
{
    static uint8_t frame[MESSAGE_HEADER_SIZE + MESSAGE_BODY_SIZE_MAX];
    struct message back;
    struct err err = ERR_INIT;
    size_t size = message_size(message);

    ASSERT(size <= sizeof frame);
    message_encode(message, frame);
    ASSERT(message_decode(span_of(frame, size), &back, &err) == ERR_OK);
    ASSERT(back.type == message->type);
}

static void perform(struct toy *toy, const struct replica_effect *effect)
{
    struct replica_event sent = {.type = REPLICA_EVENT_SNAPSHOT_SENT};

    switch (effect->type) {
    case REPLICA_EFFECT_SEND:
        ASSERT(toy->connected);
        check_sent(&effect->u.message);
        break;
    case REPLICA_EFFECT_DROP_LINK:
        toy->connected = false;
        break;
    case REPLICA_EFFECT_PROMISE:
        perform_promise(toy, effect->u.epoch);
        break;
    case REPLICA_EFFECT_BEGIN_EPOCH:
        perform_begin(toy, effect->u.epoch);
        break;
    case REPLICA_EFFECT_FIND:
        perform_find(toy, effect->u.lsn);
        break;
    case REPLICA_EFFECT_CUT:
        perform_cut(toy, &effect->u.position);
        break;
    case REPLICA_EFFECT_APPEND:
        ASSERT(!toy->primary);
        append(toy, replica_epoch(toy->replica), effect->u.bytes.size > 0 ? 1 : 2);
        break;
    case REPLICA_EFFECT_COMMIT:
        perform_commit(toy, effect->u.lsn);
        break;
    case REPLICA_EFFECT_SHIP:
        perform_ship(toy, effect->u.lsn);
        break;
    case REPLICA_EFFECT_ACKNOWLEDGE:
        perform_acknowledge(toy, &effect->u.position);
        break;
    case REPLICA_EFFECT_SNAPSHOT_SEND:
        sent.u.position = toy->local.applied;
        later(toy, &sent);
        break;
    case REPLICA_EFFECT_STEP_DOWN:
        ASSERT(toy->primary && toy->local.lsn_commit == toy->local.last.lsn);
        toy->primary = false;
        toy->local.applied = toy->local.last;
        toy->lsn_committed = toy->local.last.lsn;
        break;
    case REPLICA_EFFECT_SNAPSHOT_INSTALL:
    case REPLICA_EFFECT_HALT:
        toy->over = true;
        break;
    case REPLICA_EFFECT_REQUIRE:
    case REPLICA_EFFECT_UNREQUIRE:
    case REPLICA_EFFECT_ECHOED:
    case REPLICA_EFFECT_SNAPSHOT_BEGIN:
    case REPLICA_EFFECT_SNAPSHOT_PAIRS:
    case REPLICA_EFFECT_DATA:
        break;
    case REPLICA_EFFECT_REPORT:
        if (effect->u.report.type == REPLICA_REPORT_SEALED) {
            toy->sealed = effect->u.report.u.epoch;
        }
        break;
    }
}

static void step(struct toy *toy, struct replica_event *event)
{
    bool up = toy->connected;

    event->now_ms = toy->now_ms;
    event->wall_ms = toy->now_ms;
    toy->step_count++;
    ASSERT(toy->step_count < STEP_COUNT_MAX);
    replica_step(toy->replica, event, &toy->effects);
    for (size_t i = 0; i < toy->effects.count && !toy->over; i++) {
        perform(toy, &toy->effects.items[i]);
    }
    if (up && !toy->connected) {
        struct replica_event down = {.type = REPLICA_EVENT_LINK_DOWN};

        link_buf_clear(&toy->in);
        later(toy, &down);
    }
}

static void local(struct toy *toy)
{
    struct replica_event event = {.type = REPLICA_EVENT_LOCAL};

    if (toy->primary && !replica_requires_peer(toy->replica)) {
        toy->local.lsn_commit = toy->local.last.lsn;
    }
    if (toy->primary) {
        toy->local.applied = toy->log[toy->local.lsn_commit];
    }
    event.u.local = toy->local;
    step(toy, &event);
}

static void feed(struct toy *toy, struct replica_event *event)
{
    step(toy, event);
    while (toy->queue_count > 0 && !toy->over) {
        struct replica_event result = toy->queue[toy->queue_first];

        toy->queue_first = (toy->queue_first + 1) % QUEUE_COUNT_MAX;
        toy->queue_count--;
        step(toy, &result);
    }
    for (int i = 0; i < 2 && !toy->over; i++) {
        local(toy);
        while (toy->queue_count > 0 && !toy->over) {
            struct replica_event result = toy->queue[toy->queue_first];

            toy->queue_first = (toy->queue_first + 1) % QUEUE_COUNT_MAX;
            toy->queue_count--;
            step(toy, &result);
        }
    }
}

/* The reader, as link.c has it. */
static void hear(struct toy *toy)
{
    struct replica_event event = {.type = REPLICA_EVENT_MESSAGE};
    struct message message;
    struct err err = ERR_INIT;
    struct span frame;

    while (toy->connected && !toy->over) {
        enum err_code rc = link_frame_first(link_buf_span(&toy->in), &frame, &err);

        if (rc == ERR_NOT_FOUND) {
            return;
        }
        rc = rc == ERR_OK ? message_decode(frame, &message, &err) : rc;
        if (rc != ERR_OK) {
            struct replica_event down = {.type = REPLICA_EVENT_LINK_DOWN};

            toy->connected = false;
            link_buf_clear(&toy->in);
            feed(toy, &down);
            return;
        }
        event.u.message = &message;
        feed(toy, &event);
        if (toy->connected) {
            link_buf_consume(&toy->in, frame.size);
        }
    }
}

static void put(struct toy *toy, struct span bytes)
{
    if (toy->connected && bytes.size <= link_buf_room(&toy->in) && bytes.size > 0) {
        memcpy(link_buf_extend(&toy->in, bytes.size), bytes.data, bytes.size);
        hear(toy);
    }
}

/* A message whose fields are right, or nearly. */
static void forge(struct toy *toy)
{
    static const char bytes[16] = "some bytes";
    struct message message = {.type = (enum message_type)(1 + next(toy) % (MESSAGE_TYPE_END - 1))};
    struct record_position position = toy->log[next(toy) % (LOG_COUNT_MAX + 1)];
    uint64_t own = replica_epoch(toy->replica) > 0 ? replica_epoch(toy->replica) : toy->peer.epoch;
    uint64_t epoch = own + next(toy) % 3 - 1;
    uint64_t incarnation = toy->primary ? 11 : 22;
    uint8_t frame[512];

    position.hash[0] = (uint8_t)(position.hash[0] + next(toy) % 2);
    switch (message.type) {
    case MESSAGE_HELLO:
    case MESSAGE_STATE:
        toy->peer.epoch = epoch;
        toy->peer.promised = epoch > toy->peer.promised ? epoch : toy->peer.promised;
        toy->peer.role = next(toy) % 3;
        toy->peer.lineage = next(toy) % 2 == 0 ? 0 : 7;
        toy->peer.last = position;
        message.u.state = toy->peer;
        break;
    case MESSAGE_LEAD:
    case MESSAGE_HANDOVER:
        toy->peer.epoch = epoch;
        message.u.lead = (struct message_lead){
            .epoch = epoch, .incarnation = 22, .lsn_commit = next(toy), .last = position};
        break;
    case MESSAGE_FOLLOW:
    case MESSAGE_ACK:
        message.u.follow =
            (struct message_follow){.epoch = epoch, .incarnation = incarnation, .last = position};
        memset(message.u.follow.store_id, 2, STORAGE_ID_SIZE);
        message.u.follow.applied =
            message.type == MESSAGE_FOLLOW ? toy->log[next(toy) % 4] : (struct record_position){0};
        break;
    case MESSAGE_PROBE:
    case MESSAGE_PLACE:
    case MESSAGE_CUT:
    case MESSAGE_SNAPSHOT:
        message.u.place = (struct message_place){
            .epoch = epoch, .incarnation = incarnation, .position = position};
        break;
    case MESSAGE_APPEND:
    case MESSAGE_PAIRS:
        message.u.bytes = (struct message_bytes){.epoch = epoch,
                                                 .incarnation = incarnation,
                                                 .lsn_commit = next(toy),
                                                 .bytes = span_of(bytes, sizeof bytes)};
        break;
    case MESSAGE_PING:
    case MESSAGE_ECHO:
    case MESSAGE_SNAPSHOT_END:
        message.u.ping = (struct message_ping){
            .epoch = epoch, .incarnation = incarnation, .sequence = next(toy)};
        message.u.ping.lsn_commit = next(toy);
        memset(message.u.ping.store_id, 2, STORAGE_ID_SIZE);
        break;
    case MESSAGE_BYE:
        message.u.bye.leaves = next(toy) % 2 == 1;
        message.u.bye.reason = span_of(bytes, sizeof bytes);
        break;
    case MESSAGE_DATA:
    case MESSAGE_TYPE_END:
        message.u.data = span_of(bytes, sizeof bytes);
        break;
    }
    ASSERT(message_size(&message) <= sizeof frame);
    message_encode(&message, frame);
    put(toy, span_of(frame, message_size(&message)));
}

/* The caller is erratic, but grants only what it took and saw sealed: an epoch of its own. */
static void command(struct toy *toy)
{
    struct replica_event event = {.type = REPLICA_EVENT_TICK};
    uint64_t epoch = toy->promised + next(toy) % 3;

    switch (next(toy) % 7) {
    case 0:
        event.type = REPLICA_EVENT_SEAL;
        toy->sought = (toy->promised > toy->sought ? toy->promised : toy->sought) + 1;
        event.u.epoch = toy->sought;
        break;
    case 1:
        epoch = toy->sealed;
        if (epoch == 0 || epoch != toy->sought) {
            return;
        }
        toy->sought++; /* never twice */
        event.type = REPLICA_EVENT_GRANT;
        event.u.grant =
            (struct replica_grant){.epoch = epoch, .lineage = 7, .peer_in_isr = next(toy) % 2 == 1};
        memset(event.u.grant.peer_store_id, 2, STORAGE_ID_SIZE);
        break;
    case 2:
        event.type = REPLICA_EVENT_REGISTER;
        event.u.reg =
            (struct replica_register){.epoch = epoch, .lineage = 7, .primary = next(toy) % 3};
        break;
    case 3:
        event.type = REPLICA_EVENT_REFUSED;
        event.u.epoch = replica_epoch(toy->replica);
        break;
    case 4:
        event.type = REPLICA_EVENT_HANDOVER;
        break;
    case 5:
        event.type = REPLICA_EVENT_RESUME;
        break;
    default:
        event.type = REPLICA_EVENT_READ;
        break;
    }
    feed(toy, &event);
}

static void operate(struct toy *toy)
{
    struct replica_event event = {.type = REPLICA_EVENT_TICK};
    uint8_t size;

    switch (next(toy) % 8) {
    case 0:
        event.type = toy->connected ? REPLICA_EVENT_LINK_DOWN : REPLICA_EVENT_LINK_UP;
        toy->connected = !toy->connected;
        link_buf_clear(&toy->in);
        feed(toy, &event);
        break;
    case 1:
        size = next(toy);
        size = size < toy->input.size ? size : (uint8_t)toy->input.size;
        put(toy, span_of(toy->input.data, size));
        toy->input.data += size;
        toy->input.size -= size;
        break;
    case 2:
        command(toy);
        break;
    case 3:
        toy->now_ms += next(toy);
        feed(toy, &event);
        break;
    case 4:
        if (toy->primary) {
            append(toy, 0, next(toy));
            local(toy);
        }
        break;
    default:
        forge(toy);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct toy toy;
    struct replica_options options = {.lineage = 7,
                                      .incarnation = 11,
                                      .host = 1,
                                      .ping_ms = 20,
                                      .silence_ms = 100,
                                      .evict_ms = 300,
                                      .hold_down_ms = 50};
    struct err err = ERR_INIT;

    memset(&toy, 0, sizeof toy);
    toy.input = span_of(data, size);
    toy.replica = calloc(1, replica_size());
    ASSERT(toy.replica != NULL);
    ASSERT(link_buf_init(&toy.in, STREAM_SIZE, &err) == ERR_OK);
    memset(options.store_id, 1, STORAGE_ID_SIZE);
    toy.peer = (struct message_state){
        .version_min = 1, .version_max = 1, .lineage = 7, .incarnation = 22, .host = 2};
    memset(toy.peer.store_id, 2, STORAGE_ID_SIZE);
    options.host = 1;
    for (uint8_t i = next(&toy) % 8; i > 0; i--) {
        append(&toy, 1, i);
    }
    options.last = toy.local.last;
    options.applied = toy.log[toy.local.last.lsn / 2];
    toy.local.applied = options.applied;
    toy.lsn_committed = options.applied.lsn;
    toy.local.lsn_commit = options.applied.lsn;
    toy.promised = 1;
    options.promised = 1;
    replica_init(toy.replica, &options);
    while (toy.input.size > 0 && !toy.over && toy.step_count < STEP_COUNT_MAX / 2) {
        operate(&toy);
    }
    link_buf_done(&toy.in);
    free(toy.replica);
    return 0;
}
