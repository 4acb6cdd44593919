/* SPDX-License-Identifier: Apache-2.0 */
/* contract.c: the messages between supervisor and approvald as bytes, and who may send what when.
 * Owns the packets' layout and the one table of legal moves.
 * Never sends or receives; never trusts a packet: both programs check what the other says. */
#include "supervisor/contract.h"

#include "base/assert.h"
#include "supervisor/failover/failover.h"

#include <assert.h>
#include <string.h>

static_assert(CONTRACT_ID_SIZE == REGISTER_ID_SIZE, "one size of ids");
static_assert(CONTRACT_REASON_SIZE == FAILOVER_REASON_SIZE, "one size of reasons");
static_assert(CONTRACT_HEADER_SIZE + sizeof(struct contract_configure) <= CONTRACT_SIZE_MAX,
              "the largest message fits");

/* One walk over a message's fields serves both ways, so that they cannot differ. */
struct wire {
    uint8_t *out;      /* encoding: where the next field goes; NULL: decoding */
    const uint8_t *in; /* decoding: the next field */
    size_t left;       /* bytes from there to the end */
    const char *fault; /* decoding: the first thing that is wrong */
};

static void wire_fail(struct wire *wire, const char *fault)
{
    if (wire->fault == NULL) {
        wire->fault = fault;
    }
}

static void wire_check(struct wire *wire, bool fine, const char *fault)
{
    if (!fine) {
        ASSERT(wire->out == NULL); /* our own messages are legal */
        wire_fail(wire, fault);
    }
}

static bool wire_has(struct wire *wire, size_t size)
{
    if (wire->fault == NULL && wire->left < size) {
        ASSERT(wire->out == NULL);
        wire_fail(wire, "too short");
    }
    return wire->fault == NULL;
}

static void wire_number(struct wire *wire, uint64_t *number, size_t size)
{
    uint64_t value = 0;

    if (!wire_has(wire, size)) {
        return;
    }
    wire->left -= size;
    if (wire->out != NULL) {
        for (size_t i = 0; i < size; i++) {
            wire->out[i] = (uint8_t)(*number >> (8 * i));
        }
        wire->out += size;
        return;
    }
    for (size_t i = 0; i < size; i++) {
        value |= (uint64_t)wire->in[i] << (8 * i);
    }
    wire->in += size;
    *number = value;
}

static void wire_u64(struct wire *wire, uint64_t *field)
{
    wire_number(wire, field, sizeof *field);
}

static void wire_i64(struct wire *wire, int64_t *field)
{
    uint64_t number = (uint64_t)*field;

    wire_number(wire, &number, sizeof number);
    *field = (int64_t)number;
}

static void wire_u32(struct wire *wire, uint32_t *field)
{
    uint64_t number = *field;

    wire_number(wire, &number, sizeof *field);
    *field = (uint32_t)number;
}

static void wire_u16(struct wire *wire, uint16_t *field)
{
    uint64_t number = *field;

    wire_number(wire, &number, sizeof *field);
    *field = (uint16_t)number;
}

static void wire_u8(struct wire *wire, uint8_t *field, uint8_t min, uint8_t max)
{
    uint64_t number = *field;

    wire_number(wire, &number, sizeof *field);
    wire_check(wire, wire->fault != NULL || (number >= min && number <= max), "out of range");
    *field = (uint8_t)number;
}

static void wire_bool(struct wire *wire, bool *field)
{
    uint8_t byte = *field ? 1 : 0;

    wire_u8(wire, &byte, 0, 1);
    *field = byte == 1;
}

static void wire_bytes(struct wire *wire, uint8_t *field, size_t size)
{
    if (!wire_has(wire, size)) {
        return;
    }
    wire->left -= size;
    if (wire->out != NULL) {
        memcpy(wire->out, field, size);
        wire->out += size;
    } else {
        memcpy(field, wire->in, size);
        wire->in += size;
    }
}

/* A text fills its field: the NUL, then zeros. */
static void wire_text(struct wire *wire, char *field, size_t size)
{
    size_t used;

    if (wire->out != NULL) {
        used = strnlen(field, size);
        ASSERT(used < size);
        memset(field + used, 0, size - used);
    }
    wire_bytes(wire, (uint8_t *)field, size);
    if (wire->fault != NULL) {
        return;
    }
    used = strnlen(field, size);
    for (size_t i = used; i < size; i++) {
        wire_check(wire, field[i] == '\0', "bytes behind a text");
    }
    wire_check(wire, used < size, "a text without an end");
}

static void wire_nonzero(struct wire *wire, uint64_t *field, const char *fault)
{
    wire_u64(wire, field);
    wire_check(wire, wire->fault != NULL || *field != 0, fault);
}

static void wire_configure(struct wire *wire, struct contract_configure *configure)
{
    wire_nonzero(wire, &configure->incarnation, "no incarnation");
    wire_u8(wire, &configure->mode, CONTRACT_ALONE, CONTRACT_PAIR);
    wire_u8(wire, &configure->host, 1, HOST_COUNT);
    wire_bool(wire, &configure->strict);
    wire_bytes(wire, configure->cluster_id, sizeof configure->cluster_id);
    wire_u32(wire, &configure->ping_ms);
    wire_u32(wire, &configure->silence_ms);
    wire_u32(wire, &configure->evict_ms);
    wire_u32(wire, &configure->hold_down_ms);
    wire_u32(wire, &configure->checkin_ms);
    wire_bool(wire, &configure->resync);
    wire_text(wire, configure->peer, sizeof configure->peer);
    wire_text(wire, configure->certificate, sizeof configure->certificate);
    wire_text(wire, configure->key, sizeof configure->key);
    wire_text(wire, configure->ca, sizeof configure->ca);
    wire_text(wire, configure->peer_name, sizeof configure->peer_name);
}

static void wire_register(struct wire *wire, struct contract_register *reg)
{
    wire_nonzero(wire, &reg->epoch, "no epoch");
    wire_nonzero(wire, &reg->lineage, "no lineage");
    wire_u8(wire, &reg->primary, 0, HOST_COUNT);
}

static void wire_grant(struct wire *wire, struct contract_grant *grant)
{
    wire_nonzero(wire, &grant->epoch, "no epoch");
    wire_nonzero(wire, &grant->lineage, "no lineage");
    wire_bool(wire, &grant->peer_in_isr);
    wire_bytes(wire, grant->peer_store_id, sizeof grant->peer_store_id);
}

static void wire_peer(struct wire *wire, struct contract_peer *peer)
{
    wire_u16(wire, &peer->size);
    wire_check(wire, wire->fault != NULL || peer->size <= CONTRACT_PEER_SIZE, "too many bytes");
    if (wire->fault == NULL) {
        wire_bytes(wire, peer->bytes, peer->size);
    }
}

static void wire_summary(struct wire *wire, struct contract_summary *summary)
{
    wire_u8(wire, &summary->role, FAILOVER_WAITING, FAILOVER_HALTED);
    wire_u64(wire, &summary->epoch);
    wire_u64(wire, &summary->lineage);
    wire_bool(wire, &summary->register_known);
    wire_bool(wire, &summary->unprotected);
    wire_bool(wire, &summary->arbiter_down);
    wire_bool(wire, &summary->arbiter_wrong);
    wire_bool(wire, &summary->needs_operator);
    wire_bool(wire, &summary->maintenance);
    wire_bool(wire, &summary->safe_mode);
    wire_bool(wire, &summary->vip_here);
    wire_bool(wire, &summary->eligible);
    wire_bool(wire, &summary->config_broken);
    wire_u32(wire, &summary->start_count);
    wire_text(wire, summary->reason, sizeof summary->reason);
    for (size_t i = 0; i < CONTRACT_END_COUNT; i++) {
        wire_u64(wire, &summary->ends_s[i]);
    }
    wire_bool(wire, &summary->disk_hangs);
    wire_bool(wire, &summary->vip_wrong);
}

static void wire_up(struct wire *wire, struct contract_up *up)
{
    wire_nonzero(wire, &up->incarnation, "no incarnation");
    wire_bytes(wire, up->store_id, sizeof up->store_id);
    wire_u64(wire, &up->lineage);
    wire_u64(wire, &up->promised);
    wire_u64(wire, &up->last_epoch);
    wire_u64(wire, &up->last_lsn);
}

static void wire_checkin(struct wire *wire, struct contract_checkin *checkin)
{
    for (size_t i = 0; i < CONTRACT_TASK_COUNT; i++) {
        wire_u64(wire, &checkin->turns[i]);
    }
}

static void wire_proposal(struct wire *wire, struct contract_proposal *proposal)
{
    wire_nonzero(wire, &proposal->epoch, "no epoch");
    wire_bytes(wire, proposal->peer_store_id, sizeof proposal->peer_store_id);
    wire_u64(wire, &proposal->lsn);
    wire_bool(wire, &proposal->slow);
}

static void wire_link(struct wire *wire, struct contract_link *link)
{
    wire_bool(wire, &link->up);
    wire_bool(wire, &link->silent);
    wire_bool(wire, &link->in_sync);
    wire_bool(wire, &link->peer_leads);
    wire_u64(wire, &link->peer_epoch);
    wire_u64(wire, &link->peer_promised);
    wire_u64(wire, &link->peer_incarnation);
    wire_bytes(wire, link->peer_store_id, sizeof link->peer_store_id);
    wire_u64(wire, &link->peer_lineage);
    wire_u64(wire, &link->peer_last_epoch);
    wire_u64(wire, &link->peer_last_lsn);
    wire_u64(wire, &link->last_epoch);
    wire_u64(wire, &link->lsn_last);
    wire_u64(wire, &link->lsn_acked);
    wire_i64(wire, &link->clock_ahead_ms);
}

/* An unknown type is refused before this. */
static void wire_body(struct wire *wire, struct contract_message *message)
{
    switch (message->type) {
    case CONTRACT_CONFIGURE:
        wire_configure(wire, &message->u.configure);
        break;
    case CONTRACT_REGISTER:
        wire_register(wire, &message->u.reg);
        break;
    case CONTRACT_GRANT:
        wire_grant(wire, &message->u.grant);
        break;
    case CONTRACT_PEER:
        wire_peer(wire, &message->u.peer);
        break;
    case CONTRACT_SUMMARY:
        wire_summary(wire, &message->u.summary);
        break;
    case CONTRACT_UP:
        wire_up(wire, &message->u.up);
        break;
    case CONTRACT_CHECKIN:
        wire_checkin(wire, &message->u.checkin);
        break;
    case CONTRACT_ADD:
    case CONTRACT_REMOVE:
        wire_proposal(wire, &message->u.proposal);
        break;
    case CONTRACT_LINK:
        wire_link(wire, &message->u.link);
        break;
    case CONTRACT_RELAYING:
        wire_bool(wire, &message->u.relaying);
        break;
    case CONTRACT_SEAL:
    case CONTRACT_REFUSED:
    case CONTRACT_SEALED:
    case CONTRACT_LEADING:
    case CONTRACT_DEPOSED:
    case CONTRACT_DRAINED:
    case CONTRACT_TAKE_OVER:
        wire_nonzero(wire, &message->u.epoch, "no epoch");
        break;
    case CONTRACT_RESYNC:
    case CONTRACT_FAILED:
        wire_text(wire, message->u.reason, sizeof message->u.reason);
        break;
    case CONTRACT_HANDOVER:
    case CONTRACT_RESUME:
    case CONTRACT_STOP:
    case CONTRACT_TYPE_END:
        break;
    }
}

#define IN(state) (1U << (state))
#define IN_UP     IN(CONTRACT_RUNNING)
#define IN_LIFE   (IN(CONTRACT_RUNNING) | IN(CONTRACT_STOPPING))
#define IN_ANY                                                                                     \
    (IN(CONTRACT_NEW) | IN(CONTRACT_CONFIGURED) | IN(CONTRACT_RUNNING) | IN(CONTRACT_STOPPING))

#define STAYS (-1)

struct move {
    const char *name;
    unsigned from_supervisor; /* the states in which that side may send it */
    unsigned from_child;
    int next; /* enum contract_state, or STAYS */
};

static const struct move moves[CONTRACT_TYPE_END] = {
    [CONTRACT_CONFIGURE] = {"CONFIGURE", IN(CONTRACT_NEW), 0, CONTRACT_CONFIGURED},
    [CONTRACT_REGISTER] = {"REGISTER", IN_UP, 0, STAYS},
    [CONTRACT_SEAL] = {"SEAL", IN_UP, 0, STAYS},
    [CONTRACT_GRANT] = {"GRANT", IN_UP, 0, STAYS},
    [CONTRACT_REFUSED] = {"REFUSED", IN_UP, 0, STAYS},
    [CONTRACT_HANDOVER] = {"HANDOVER", IN_UP, 0, STAYS},
    [CONTRACT_RESUME] = {"RESUME", IN_UP, 0, STAYS},
    [CONTRACT_PEER] = {"PEER", IN_UP, IN_LIFE, STAYS},
    [CONTRACT_SUMMARY] = {"SUMMARY", IN(CONTRACT_CONFIGURED) | IN_UP, 0, STAYS},
    [CONTRACT_STOP] = {"STOP", IN_ANY, 0, CONTRACT_STOPPING},
    [CONTRACT_UP] = {"UP", 0, IN(CONTRACT_CONFIGURED), CONTRACT_RUNNING},
    [CONTRACT_CHECKIN] = {"CHECKIN", 0, IN(CONTRACT_CONFIGURED) | IN_LIFE, STAYS},
    [CONTRACT_SEALED] = {"SEALED", 0, IN_LIFE, STAYS},
    [CONTRACT_LEADING] = {"LEADING", 0, IN_LIFE, STAYS},
    [CONTRACT_ADD] = {"ADD", 0, IN_LIFE, STAYS},
    [CONTRACT_REMOVE] = {"REMOVE", 0, IN_LIFE, STAYS},
    [CONTRACT_DEPOSED] = {"DEPOSED", 0, IN_LIFE, STAYS},
    [CONTRACT_DRAINED] = {"DRAINED", 0, IN_LIFE, STAYS},
    [CONTRACT_TAKE_OVER] = {"TAKE_OVER", 0, IN_LIFE, STAYS},
    [CONTRACT_RESYNC] = {"RESYNC", 0, IN_LIFE, STAYS},
    [CONTRACT_LINK] = {"LINK", 0, IN_LIFE, STAYS},
    [CONTRACT_RELAYING] = {"RELAYING", 0, IN_LIFE, STAYS},
    [CONTRACT_FAILED] = {"FAILED", 0, IN_ANY, STAYS},
};

static bool type_is_known(uint64_t type)
{
    return type >= CONTRACT_CONFIGURE && type < CONTRACT_TYPE_END;
}

const char *contract_name(enum contract_type type)
{
    return type_is_known(type) ? moves[type].name : "unknown";
}

size_t contract_encode(const struct contract_message *message, uint8_t *at)
{
    struct contract_message copy = *message;
    struct wire body = {.out = at + CONTRACT_HEADER_SIZE,
                        .left = CONTRACT_SIZE_MAX - CONTRACT_HEADER_SIZE};
    struct wire header = {.out = at, .left = CONTRACT_HEADER_SIZE};
    uint16_t type = (uint16_t)message->type;
    uint32_t version = CONTRACT_VERSION;
    uint16_t size;

    ASSERT(type_is_known(type));
    wire_body(&body, &copy);
    size = (uint16_t)(CONTRACT_SIZE_MAX - CONTRACT_HEADER_SIZE - body.left);
    wire_u16(&header, &type);
    wire_u16(&header, &size);
    wire_u32(&header, &version);
    ASSERT(header.left == 0);
    return CONTRACT_HEADER_SIZE + size;
}

enum err_code
contract_decode(struct span packet, struct contract_message *ret_message, struct err *err)
{
    struct wire wire = {.in = (const uint8_t *)packet.data, .left = packet.size};
    struct contract_message message;
    uint16_t type = 0;
    uint16_t size = 0;
    uint32_t version = 0;

    memset(&message, 0, sizeof message);
    wire_u16(&wire, &type);
    wire_u16(&wire, &size);
    wire_u32(&wire, &version);
    if (wire.fault != NULL) {
        return err_set(err, ERR_PROTOCOL, "contract: %s", wire.fault);
    }
    if (version != CONTRACT_VERSION) {
        return err_set(err, ERR_PROTOCOL, "contract: version %u, not %u: another build",
                       (unsigned)version, CONTRACT_VERSION);
    }
    if (!type_is_known(type)) {
        return err_set(err, ERR_PROTOCOL, "contract: type %u is unknown", (unsigned)type);
    }
    message.type = (enum contract_type)type;
    wire_check(&wire, wire.left == size, "the size is not the packet's");
    wire_body(&wire, &message);
    wire_check(&wire, wire.left == 0, "bytes left over");
    if (wire.fault != NULL) {
        return err_set(err, ERR_PROTOCOL, "contract: %s: %s", contract_name(message.type),
                       wire.fault);
    }
    *ret_message = message;
    return ERR_OK;
}

enum err_code contract_move(enum contract_state *state,
                            enum contract_side from,
                            enum contract_type type,
                            struct err *err)
{
    static const char *const words[] = {"new", "configured", "up", "stopping"};
    const struct move *move;
    unsigned allowed;

    ASSERT(*state <= CONTRACT_STOPPING);
    if (!type_is_known(type)) {
        return err_set(err, ERR_PROTOCOL, "contract: type %u is unknown", (unsigned)type);
    }
    move = &moves[type];
    allowed = from == CONTRACT_SUPERVISOR ? move->from_supervisor : move->from_child;
    if ((allowed & IN(*state)) == 0) {
        return err_set(err, ERR_PROTOCOL, "contract: %s from the %s while %s", move->name,
                       from == CONTRACT_SUPERVISOR ? "supervisor" : "child", words[*state]);
    }
    if (move->next != STAYS) {
        *state = (enum contract_state)move->next;
    }
    return ERR_OK;
}
