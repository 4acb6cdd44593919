/* SPDX-License-Identifier: Apache-2.0 */
/* message.c: the frames of the pair link.
 * Owns the layout of every message; encoder and decoder of a body stand side by side.
 * Never judges whether a message is timely: replica.c does. Allocates nothing. */
#include "storage/message.h"

#include "base/assert.h"
#include "base/pack.h"

#include <endian.h>
#include <string.h>

#define POSITION_SIZE (24UL + STORAGE_HASH_SIZE)
#define STATE_SIZE    (4UL + 2UL * STORAGE_ID_SIZE + 16UL + 2UL + 32UL + POSITION_SIZE)
#define LEAD_SIZE     (24UL + POSITION_SIZE)
#define FOLLOW_SIZE   (24UL + STORAGE_ID_SIZE + 2UL * POSITION_SIZE)
#define PLACE_SIZE    (16UL + POSITION_SIZE)
#define BYTES_SIZE    24UL /* and the bytes */
#define PING_SIZE     (32UL + STORAGE_ID_SIZE)

#define BYE_SIZE             1UL
#define HELLO_BEGINNING_SIZE (4UL + STORAGE_ID_SIZE)

static_assert(MESSAGE_BODY_SIZE_MAX == BYTES_SIZE + MESSAGE_BYTES_SIZE_MAX, "APPEND is largest");
static_assert(MESSAGE_DATA_SIZE_MAX < MESSAGE_BODY_SIZE_MAX, "DATA is smaller");

/* A type's body: the fixed part, and how many bytes may follow it. */
struct shape {
    const char *name;
    size_t fixed_size;
    size_t bytes_size_max;
};

static const struct shape shapes[MESSAGE_TYPE_END] = {
    [MESSAGE_HELLO] = {"hello", STATE_SIZE, 0},
    [MESSAGE_STATE] = {"state", STATE_SIZE, 0},
    [MESSAGE_LEAD] = {"lead", LEAD_SIZE, 0},
    [MESSAGE_FOLLOW] = {"follow", FOLLOW_SIZE, 0},
    [MESSAGE_PROBE] = {"probe", PLACE_SIZE, 0},
    [MESSAGE_PLACE] = {"place", PLACE_SIZE, 0},
    [MESSAGE_CUT] = {"cut", PLACE_SIZE, 0},
    [MESSAGE_APPEND] = {"append", BYTES_SIZE, MESSAGE_BYTES_SIZE_MAX},
    [MESSAGE_ACK] = {"ack", FOLLOW_SIZE, 0},
    [MESSAGE_PING] = {"ping", PING_SIZE, 0},
    [MESSAGE_ECHO] = {"echo", PING_SIZE, 0},
    [MESSAGE_SNAPSHOT] = {"snapshot", PLACE_SIZE, 0},
    [MESSAGE_PAIRS] = {"pairs", BYTES_SIZE, MESSAGE_BYTES_SIZE_MAX},
    [MESSAGE_SNAPSHOT_END] = {"snapshot-end", PING_SIZE, 0},
    [MESSAGE_HANDOVER] = {"handover", LEAD_SIZE, 0},
    [MESSAGE_DATA] = {"data", 0, MESSAGE_DATA_SIZE_MAX},
    [MESSAGE_BYE] = {"bye", BYE_SIZE, MESSAGE_BYE_SIZE_MAX},
};

static bool type_known(uint32_t type)
{
    return type >= MESSAGE_HELLO && type < MESSAGE_TYPE_END;
}

const char *message_name(enum message_type type)
{
    return type_known((uint32_t)type) ? shapes[type].name : "unknown";
}

/* Bytes that follow the fixed part. */
static struct span tail_of(const struct message *message)
{
    switch (message->type) {
    case MESSAGE_APPEND:
    case MESSAGE_PAIRS:
        return message->u.bytes.bytes;
    case MESSAGE_DATA:
        return message->u.data;
    case MESSAGE_BYE:
        return message->u.bye.reason;
    case MESSAGE_HELLO:
    case MESSAGE_STATE:
    case MESSAGE_LEAD:
    case MESSAGE_FOLLOW:
    case MESSAGE_PROBE:
    case MESSAGE_PLACE:
    case MESSAGE_CUT:
    case MESSAGE_ACK:
    case MESSAGE_PING:
    case MESSAGE_ECHO:
    case MESSAGE_SNAPSHOT:
    case MESSAGE_SNAPSHOT_END:
    case MESSAGE_HANDOVER:
    case MESSAGE_TYPE_END:
        break;
    }
    return SPAN_NONE;
}

size_t message_size(const struct message *message)
{
    struct span tail = tail_of(message);

    ASSERT(type_known((uint32_t)message->type));
    ASSERT(tail.size <= shapes[message->type].bytes_size_max);
    return MESSAGE_HEADER_SIZE + shapes[message->type].fixed_size + tail.size;
}

/* ---- Bytes ---- */

static uint8_t *put_u8(uint8_t *at, uint8_t value)
{
    *at = value;
    return at + sizeof value;
}

static uint8_t *put_u16(uint8_t *at, uint16_t value)
{
    value = htole16(value);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static uint8_t *put_u32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static uint8_t *put_u64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
    return at + sizeof value;
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t size)
{
    if (size > 0) {
        memcpy(at, bytes, size);
    }
    return at + size;
}

static uint8_t *put_position(uint8_t *at, const struct record_position *position)
{
    at = put_u64(at, position->lsn);
    at = put_u64(at, position->epoch);
    at = put_u64(at, position->wall_ms);
    return put_bytes(at, position->hash, sizeof position->hash);
}

static void take_position(struct unpack *unpack, struct record_position *position)
{
    position->lsn = unpack_u64(unpack);
    position->epoch = unpack_u64(unpack);
    position->wall_ms = unpack_u64(unpack);
    unpack_copy(unpack, position->hash, sizeof position->hash);
}

/* ---- Bodies ---- */

static uint8_t *put_state(uint8_t *at, const struct message_state *state)
{
    at = put_u16(at, state->version_min);
    at = put_u16(at, state->version_max);
    at = put_bytes(at, state->cluster_id, sizeof state->cluster_id);
    at = put_bytes(at, state->store_id, sizeof state->store_id);
    at = put_u64(at, state->lineage);
    at = put_u64(at, state->incarnation);
    at = put_u8(at, state->host);
    at = put_u8(at, state->role);
    at = put_u64(at, state->epoch);
    at = put_u64(at, state->promised);
    at = put_u64(at, state->wall_ms);
    at = put_u64(at, state->lsn_applied);
    return put_position(at, &state->last);
}

static bool take_state(struct unpack *unpack, struct message_state *state)
{
    state->version_min = unpack_u16(unpack);
    state->version_max = unpack_u16(unpack);
    unpack_copy(unpack, state->cluster_id, sizeof state->cluster_id);
    unpack_copy(unpack, state->store_id, sizeof state->store_id);
    state->lineage = unpack_u64(unpack);
    state->incarnation = unpack_u64(unpack);
    state->host = unpack_u8(unpack);
    state->role = unpack_u8(unpack);
    state->epoch = unpack_u64(unpack);
    state->promised = unpack_u64(unpack);
    state->wall_ms = unpack_u64(unpack);
    state->lsn_applied = unpack_u64(unpack);
    take_position(unpack, &state->last);
    return state->version_min >= 1 && state->version_min <= state->version_max &&
           state->incarnation != 0 && (state->host == 1 || state->host == 2) &&
           state->role <= REPLICA_PRIMARY && (state->role == REPLICA_IDLE) == (state->epoch == 0);
}

static uint8_t *put_lead(uint8_t *at, const struct message_lead *lead)
{
    at = put_u64(at, lead->epoch);
    at = put_u64(at, lead->incarnation);
    at = put_u64(at, lead->lsn_commit);
    return put_position(at, &lead->last);
}

static bool take_lead(struct unpack *unpack, struct message_lead *lead)
{
    lead->epoch = unpack_u64(unpack);
    lead->incarnation = unpack_u64(unpack);
    lead->lsn_commit = unpack_u64(unpack);
    take_position(unpack, &lead->last);
    return lead->epoch != 0 && lead->incarnation != 0;
}

static uint8_t *put_follow(uint8_t *at, const struct message_follow *follow)
{
    at = put_u64(at, follow->epoch);
    at = put_u64(at, follow->incarnation);
    at = put_bytes(at, follow->store_id, sizeof follow->store_id);
    at = put_u64(at, follow->lsn_applied);
    at = put_position(at, &follow->last);
    return put_position(at, &follow->applied);
}

static bool take_follow(struct unpack *unpack, struct message_follow *follow)
{
    follow->epoch = unpack_u64(unpack);
    follow->incarnation = unpack_u64(unpack);
    unpack_copy(unpack, follow->store_id, sizeof follow->store_id);
    follow->lsn_applied = unpack_u64(unpack);
    take_position(unpack, &follow->last);
    take_position(unpack, &follow->applied);
    return follow->epoch != 0 && follow->incarnation != 0;
}

static uint8_t *put_place(uint8_t *at, const struct message_place *place)
{
    at = put_u64(at, place->epoch);
    at = put_u64(at, place->incarnation);
    return put_position(at, &place->position);
}

static bool take_place(struct unpack *unpack, struct message_place *place)
{
    place->epoch = unpack_u64(unpack);
    place->incarnation = unpack_u64(unpack);
    take_position(unpack, &place->position);
    return place->epoch != 0 && place->incarnation != 0;
}

static uint8_t *put_bytes_body(uint8_t *at, const struct message_bytes *bytes)
{
    at = put_u64(at, bytes->epoch);
    at = put_u64(at, bytes->incarnation);
    at = put_u64(at, bytes->lsn_commit);
    return put_bytes(at, bytes->bytes.data, bytes->bytes.size);
}

static bool take_bytes_body(struct unpack *unpack, struct message_bytes *bytes)
{
    bytes->epoch = unpack_u64(unpack);
    bytes->incarnation = unpack_u64(unpack);
    bytes->lsn_commit = unpack_u64(unpack);
    bytes->bytes = unpack_bytes(unpack, unpack->left);
    return bytes->epoch != 0 && bytes->incarnation != 0 && bytes->bytes.size > 0;
}

static uint8_t *put_ping(uint8_t *at, const struct message_ping *ping)
{
    at = put_u64(at, ping->epoch);
    at = put_u64(at, ping->incarnation);
    at = put_bytes(at, ping->store_id, sizeof ping->store_id);
    at = put_u64(at, ping->sequence);
    return put_u64(at, ping->lsn_commit);
}

static bool take_ping(struct unpack *unpack, struct message_ping *ping)
{
    ping->epoch = unpack_u64(unpack);
    ping->incarnation = unpack_u64(unpack);
    unpack_copy(unpack, ping->store_id, sizeof ping->store_id);
    ping->sequence = unpack_u64(unpack);
    ping->lsn_commit = unpack_u64(unpack);
    return ping->epoch != 0 && ping->incarnation != 0;
}

static uint8_t *put_bye(uint8_t *at, const struct message_bye *bye)
{
    at = put_u8(at, bye->leaves ? 1 : 0);
    return put_bytes(at, bye->reason.data, bye->reason.size);
}

static bool take_bye(struct unpack *unpack, struct message_bye *bye)
{
    uint8_t leaves = unpack_u8(unpack);

    bye->leaves = leaves == 1;
    bye->reason = unpack_bytes(unpack, unpack->left);
    return leaves <= 1;
}

static uint8_t *put_body(uint8_t *at, const struct message *message)
{
    switch (message->type) {
    case MESSAGE_HELLO:
    case MESSAGE_STATE:
        return put_state(at, &message->u.state);
    case MESSAGE_LEAD:
    case MESSAGE_HANDOVER:
        return put_lead(at, &message->u.lead);
    case MESSAGE_FOLLOW:
    case MESSAGE_ACK:
        return put_follow(at, &message->u.follow);
    case MESSAGE_PROBE:
    case MESSAGE_PLACE:
    case MESSAGE_CUT:
    case MESSAGE_SNAPSHOT:
        return put_place(at, &message->u.place);
    case MESSAGE_APPEND:
    case MESSAGE_PAIRS:
        return put_bytes_body(at, &message->u.bytes);
    case MESSAGE_PING:
    case MESSAGE_ECHO:
    case MESSAGE_SNAPSHOT_END:
        return put_ping(at, &message->u.ping);
    case MESSAGE_DATA:
        return put_bytes(at, message->u.data.data, message->u.data.size);
    case MESSAGE_BYE:
        return put_bye(at, &message->u.bye);
    case MESSAGE_TYPE_END:
        break;
    }
    return at;
}

/* False: a value is out of range. */
static bool take_body(struct unpack *unpack, struct message *message)
{
    switch (message->type) {
    case MESSAGE_HELLO:
    case MESSAGE_STATE:
        return take_state(unpack, &message->u.state);
    case MESSAGE_LEAD:
    case MESSAGE_HANDOVER:
        return take_lead(unpack, &message->u.lead);
    case MESSAGE_FOLLOW:
    case MESSAGE_ACK:
        return take_follow(unpack, &message->u.follow);
    case MESSAGE_PROBE:
    case MESSAGE_PLACE:
    case MESSAGE_CUT:
    case MESSAGE_SNAPSHOT:
        return take_place(unpack, &message->u.place);
    case MESSAGE_APPEND:
    case MESSAGE_PAIRS:
        return take_bytes_body(unpack, &message->u.bytes);
    case MESSAGE_PING:
    case MESSAGE_ECHO:
    case MESSAGE_SNAPSHOT_END:
        return take_ping(unpack, &message->u.ping);
    case MESSAGE_DATA:
        message->u.data = unpack_bytes(unpack, unpack->left);
        return true;
    case MESSAGE_BYE:
        return take_bye(unpack, &message->u.bye);
    case MESSAGE_TYPE_END:
        break;
    }
    return false;
}

/* ---- Frames ---- */

void message_encode(const struct message *message, uint8_t *at)
{
    size_t size = message_size(message);
    uint8_t *end;

    end = put_u32(at, (uint32_t)(size - MESSAGE_HEADER_SIZE));
    end = put_u8(end, (uint8_t)message->type);
    end = put_u8(end, 0);
    end = put_u16(end, MESSAGE_VERSION_MAX);
    end = put_body(end, message);
    ASSERT(end == at + size);
}

struct header {
    uint32_t body_size;
    uint32_t type;
    uint16_t version;
};

/* A newer build's HELLO may be longer than ours, at its end. */
static bool hello_of_newer(const struct header *header)
{
    return header->type == MESSAGE_HELLO && header->version > MESSAGE_VERSION_MAX;
}

static enum err_code
header_decode(struct unpack *unpack, struct header *ret_header, struct err *err)
{
    const struct shape *shape;
    uint8_t zero;

    ret_header->body_size = unpack_u32(unpack);
    ret_header->type = unpack_u8(unpack);
    zero = unpack_u8(unpack);
    ret_header->version = unpack_u16(unpack);
    ASSERT(unpack_ok(unpack));
    if (!type_known(ret_header->type) || zero != 0) {
        return err_set(err, ERR_PROTOCOL, "message of unknown type %u", ret_header->type);
    }
    shape = &shapes[ret_header->type];
    if (hello_of_newer(ret_header)) {
        if (ret_header->body_size < HELLO_BEGINNING_SIZE ||
            ret_header->body_size > MESSAGE_BODY_SIZE_MAX) {
            return err_set(err, ERR_PROTOCOL, "hello of %u bytes", ret_header->body_size);
        }
        return ERR_OK;
    }
    if (ret_header->version < MESSAGE_VERSION_MIN || ret_header->version > MESSAGE_VERSION_MAX) {
        return err_set(err, ERR_PROTOCOL, "%s of protocol version %u", shape->name,
                       ret_header->version);
    }
    if (ret_header->body_size < shape->fixed_size ||
        ret_header->body_size - shape->fixed_size > shape->bytes_size_max) {
        return err_set(err, ERR_PROTOCOL, "%s of %u bytes", shape->name, ret_header->body_size);
    }
    return ERR_OK;
}

enum err_code message_frame_size(struct span stream, size_t *ret_size, struct err *err)
{
    struct header header;
    struct unpack unpack;
    enum err_code rc;

    if (stream.size < MESSAGE_HEADER_SIZE) {
        return ERR_NOT_FOUND;
    }
    unpack_init(&unpack, stream);
    rc = header_decode(&unpack, &header, err);
    if (rc == ERR_OK) {
        *ret_size = MESSAGE_HEADER_SIZE + header.body_size;
    }
    return rc;
}

/* Of a newer build's HELLO: what we know of it. One that is shorter than ours cannot be spoken to;
 * its versions say so. */
static bool hello_newer_decode(struct unpack *unpack, struct message_state *state)
{
    if (unpack->left >= STATE_SIZE) {
        return take_state(unpack, state);
    }
    state->version_min = unpack_u16(unpack);
    state->version_max = unpack_u16(unpack);
    unpack_copy(unpack, state->cluster_id, sizeof state->cluster_id);
    return state->version_min > MESSAGE_VERSION_MAX && state->version_min <= state->version_max;
}

enum err_code message_decode(struct span frame, struct message *ret_message, struct err *err)
{
    struct message message;
    struct header header;
    struct unpack unpack;
    enum err_code rc;
    bool fits;

    if (frame.size < MESSAGE_HEADER_SIZE) {
        return err_set(err, ERR_PROTOCOL, "frame of %zu bytes", frame.size);
    }
    unpack_init(&unpack, frame);
    rc = header_decode(&unpack, &header, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (header.body_size != unpack.left) {
        return err_set(err, ERR_PROTOCOL, "frame of %zu bytes for a body of %u", frame.size,
                       header.body_size);
    }
    memset(&message, 0, sizeof message);
    message.type = (enum message_type)header.type;
    if (hello_of_newer(&header)) {
        fits = hello_newer_decode(&unpack, &message.u.state) && unpack_ok(&unpack);
    } else {
        fits = take_body(&unpack, &message) && unpack_done(&unpack);
    }
    if (!fits) {
        return err_set(err, ERR_PROTOCOL, "%s with a value out of range",
                       message_name(message.type));
    }
    *ret_message = message;
    return ERR_OK;
}
