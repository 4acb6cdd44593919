/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c: messages and small values of a fixture.
 * Owns the tables of their fields.
 * Never opens a file or a socket. */
#include "tests/formats/wire.h"

#include "base/buf.h"
#include "base/pack.h"
#include "tests/formats/field.h"
#include "tests/formats/sample.h"

#include <inttypes.h>
#include <string.h>

#define FRAME_SIZE_LIMIT 1024U

#define NUMBER(member) FIELD(RECORD, member, FIELD_NUMBER)
#define BYTES(member)  FIELD(RECORD, member, FIELD_BYTES)
#define LAST                                                                                       \
    {                                                                                              \
        .kind = FIELD_END                                                                          \
    }

#define RECORD struct record_position
static const struct field position_fields[] = {NUMBER(lsn), NUMBER(epoch), NUMBER(wall_ms),
                                               BYTES(hash), LAST};
#undef RECORD
#define RECORD struct message_state
static const struct field state_fields[] = {NUMBER(version_min),
                                            NUMBER(version_max),
                                            BYTES(cluster_id),
                                            BYTES(store_id),
                                            NUMBER(lineage),
                                            NUMBER(incarnation),
                                            NUMBER(host),
                                            NUMBER(role),
                                            NUMBER(epoch),
                                            NUMBER(promised),
                                            NUMBER(wall_ms),
                                            NUMBER(lsn_applied),
                                            LAST};
#undef RECORD
#define RECORD struct message_lead
static const struct field lead_fields[] = {NUMBER(epoch), NUMBER(incarnation), NUMBER(lsn_commit),
                                           LAST};
#undef RECORD
#define RECORD struct message_follow
static const struct field follow_fields[] = {NUMBER(epoch), NUMBER(incarnation), BYTES(store_id),
                                             NUMBER(lsn_applied), LAST};
#undef RECORD
#define RECORD struct message_place
static const struct field place_fields[] = {NUMBER(epoch), NUMBER(incarnation), LAST};
#undef RECORD
#define RECORD struct message_bytes
static const struct field bytes_fields[] = {NUMBER(epoch), NUMBER(incarnation), NUMBER(lsn_commit),
                                            FIELD(RECORD, bytes, FIELD_TEXT), LAST};
#undef RECORD
#define RECORD struct message_ping
static const struct field ping_fields[] = {NUMBER(epoch),    NUMBER(incarnation), BYTES(store_id),
                                           NUMBER(sequence), NUMBER(lsn_commit),  LAST};
#undef RECORD
#define RECORD struct message_bye
static const struct field bye_fields[] = {NUMBER(leaves), FIELD(RECORD, reason, FIELD_TEXT), LAST};
#undef RECORD
#define RECORD struct register_value
static const struct field register_fields[] = {BYTES(cluster_id),      NUMBER(lineage),
                                               NUMBER(epoch),          NUMBER(nonce),
                                               NUMBER(primary),        NUMBER(isr[0].present),
                                               BYTES(isr[0].store_id), NUMBER(isr[1].present),
                                               BYTES(isr[1].store_id), LAST};
#undef RECORD
#define RECORD struct mirror_copy
static const struct field copy_fields[] = {NUMBER(present), NUMBER(adding), NUMBER(raised),
                                           NUMBER(generation), LAST};
#undef RECORD
#define RECORD struct mirror_message
static const struct field mirror_fields[] = {NUMBER(from), NUMBER(to), NUMBER(number),
                                             NUMBER(expected), LAST};
#undef RECORD
#define RECORD struct memory_value
static const struct field memory_fields[] = {NUMBER(failover.epoch),
                                             NUMBER(failover.lineage),
                                             NUMBER(failover.nonce),
                                             NUMBER(failover.revision),
                                             NUMBER(failover.arbiter_id),
                                             NUMBER(failover.in_sync),
                                             NUMBER(failover.maintenance),
                                             NUMBER(tally.count),
                                             NUMBER(armed),
                                             LAST};
#undef RECORD
#define RECORD struct watch_crash
static const struct field crash_fields[] = {NUMBER(boot_ms),
                                            NUMBER(wall_ms),
                                            NUMBER(cause),
                                            NUMBER(task),
                                            NUMBER(counts),
                                            FIELD(RECORD, status, FIELD_I32),
                                            FIELD(RECORD, reason, FIELD_CHARS),
                                            LAST};
#undef RECORD

static void print_position(FILE *out, const char *prefix, const struct record_position *position)
{
    field_print(out, prefix, position_fields, position);
}

void wire_print_copy(FILE *out, const struct mirror_copy *copy)
{
    field_print(out, "copy.", copy_fields, copy);
    field_print(out, "value.", register_fields, &copy->value);
}

void wire_print_memory(FILE *out, const struct memory_value *value)
{
    char prefix[32];

    field_print(out, "", memory_fields, value);
    for (uint32_t i = 0; i < WATCH_CRASH_COUNT; i++) {
        (void)snprintf(prefix, sizeof prefix, "crashes[%" PRIu32 "].", i); /* fits */
        field_print(out, prefix, crash_fields, &value->tally.items[i]);
    }
}

static enum err_code add_message(struct buf *bytes, const struct message *message, struct err *err)
{
    char *room;
    enum err_code rc = buf_extend(bytes, message_size(message), &room, err);

    if (rc == ERR_OK) {
        message_encode(message, (uint8_t *)(void *)room);
    }
    return rc;
}

enum err_code wire_link_make(struct buf *bytes, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (enum message_type type = MESSAGE_HELLO; rc == ERR_OK && type < MESSAGE_TYPE_END; type++) {
        struct message message = sample_message(type);

        rc = add_message(bytes, &message, err);
    }
    return rc;
}

static void print_message(FILE *out, const struct message *message)
{
    (void)fprintf(out, "message %s\n", message_name(message->type));
    switch (message->type) {
    case MESSAGE_HELLO:
    case MESSAGE_STATE:
        field_print(out, "", state_fields, &message->u.state);
        print_position(out, "last.", &message->u.state.last);
        break;
    case MESSAGE_LEAD:
    case MESSAGE_HANDOVER:
        field_print(out, "", lead_fields, &message->u.lead);
        print_position(out, "last.", &message->u.lead.last);
        break;
    case MESSAGE_FOLLOW:
    case MESSAGE_ACK:
        field_print(out, "", follow_fields, &message->u.follow);
        print_position(out, "last.", &message->u.follow.last);
        print_position(out, "applied.", &message->u.follow.applied);
        break;
    case MESSAGE_PROBE:
    case MESSAGE_PLACE:
    case MESSAGE_CUT:
    case MESSAGE_SNAPSHOT:
        field_print(out, "", place_fields, &message->u.place);
        print_position(out, "position.", &message->u.place.position);
        break;
    case MESSAGE_APPEND:
    case MESSAGE_PAIRS:
        field_print(out, "", bytes_fields, &message->u.bytes);
        break;
    case MESSAGE_PING:
    case MESSAGE_ECHO:
    case MESSAGE_SNAPSHOT_END:
        field_print(out, "", ping_fields, &message->u.ping);
        break;
    case MESSAGE_DATA:
        (void)fputs("  data ", out);
        field_print_text(out, message->u.data);
        (void)fputc('\n', out);
        break;
    case MESSAGE_BYE:
        field_print(out, "", bye_fields, &message->u.bye);
        break;
    case MESSAGE_TYPE_END:
        break;
    }
}

enum err_code wire_link_print(FILE *out, struct span bytes, struct err *err)
{
    while (bytes.size > 0) {
        struct message message;
        size_t size;
        enum err_code rc = message_frame_size(bytes, &size, err);

        if (rc == ERR_OK && size <= bytes.size) {
            rc = message_decode(span_of(bytes.data, size), &message, err);
        }
        if (rc != ERR_OK || size > bytes.size) {
            return rc == ERR_OK ? err_set(err, ERR_CORRUPT, "a frame is cut") : rc;
        }
        print_message(out, &message);
        bytes = span_of(bytes.data + size, bytes.size - size);
    }
    return ERR_OK;
}

enum err_code wire_mirror_make(struct buf *bytes, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (unsigned type = MIRROR_HELLO; rc == ERR_OK && type < MIRROR_TYPE_END; type++) {
        struct mirror_message message = sample_mirror((enum mirror_message_type)type);
        uint8_t room[MIRROR_MESSAGE_SIZE_MAX];
        size_t size = mirror_message_format(&message, room);

        rc = pack_u16(bytes, (uint16_t)size, err);
        if (rc == ERR_OK) {
            rc = pack_bytes(bytes, room, size, err);
        }
    }
    return rc;
}

enum err_code wire_mirror_print(FILE *out, struct span bytes, struct err *err)
{
    struct unpack unpack;

    unpack_init(&unpack, bytes);
    while (unpack.left > 0) {
        struct mirror_message message;
        struct span one = unpack_bytes(&unpack, unpack_u16(&unpack));

        if (!unpack_ok(&unpack) || !mirror_message_parse(one, &message)) {
            return err_set(err, ERR_CORRUPT, "a mirror's message does not decode");
        }
        (void)fprintf(out, "mirror %u\n", message.type);
        field_print(out, "", mirror_fields, &message);
        wire_print_copy(out, &message.copy);
    }
    return ERR_OK;
}

enum err_code wire_secrets_make(struct buf *bytes, struct err *err)
{
    struct pair_secrets secrets = sample_secrets();
    uint8_t room[PAIR_SECRETS_SIZE_MAX];

    return pack_bytes(bytes, room, pair_secrets_encode(&secrets, room), err);
}

enum err_code wire_secrets_print(FILE *out, struct span bytes, struct err *err)
{
    struct pair_secrets secrets;
    enum err_code rc = pair_secrets_decode(bytes, &secrets, err);

    for (unsigned i = 0; rc == ERR_OK && i < secrets.count; i++) {
        (void)fprintf(out, "secret %s %s ", pair_secret_word((enum pair_secret)i),
                      secrets.there[i] ? "there" : "absent");
        field_print_hex(out, span_of(secrets.marks[i], PAIR_MARK_SIZE));
        (void)fputc('\n', out);
    }
    return rc;
}

enum err_code wire_register_make(struct buf *bytes, struct err *err)
{
    struct register_value value = sample_register();
    char text[REGISTER_TEXT_SIZE_MAX];

    register_format(&value, text);
    return buf_append_text(bytes, text, err);
}

enum err_code wire_register_print(FILE *out, struct span bytes, struct err *err)
{
    struct register_value value;
    enum err_code rc = register_parse(bytes, &value, err);

    if (rc == ERR_OK) {
        (void)fputs("register\n", out);
        field_print(out, "", register_fields, &value);
    }
    return rc;
}
