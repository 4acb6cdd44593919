/* SPDX-License-Identifier: Apache-2.0 */
/* record.c: the bytes of a WAL record.
 * Owns the format of records and changes, both directions.
 * Never reads past what it is given, never does I/O, never asserts on bytes from a disk. */
#include "storage/record.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/pack.h"
#include "storage/siphash.h"

#include <endian.h>
#include <inttypes.h>

static void put_u32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof value);
}

static void put_u64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof value);
}

/* shared: from byte RECORD_LOCAL_SIZE on. */
static void locate(const uint8_t *shared, const struct record *record, struct record_position *to)
{
    to->lsn = record->lsn;
    to->epoch = record->epoch;
    to->wall_ms = record->wall_ms;
    siphash(shared + 56 - RECORD_LOCAL_SIZE, shared,
            RECORD_HEADER_SIZE - RECORD_LOCAL_SIZE + record->payload.size, to->hash);
}

void record_encode(const struct record *record,
                   uint8_t *frame,
                   struct record_position *ret_position)
{
    size_t size = record->payload.size;

    ASSERT(size <= RECORD_PAYLOAD_SIZE_MAX);
    ASSERT(record->lsn > 0);
    ASSERT(record->lsn_durable < record->lsn);
    put_u32(frame, RECORD_MAGIC);
    put_u64(frame + 8, record->salt);
    put_u64(frame + 16, record->lsn_durable);
    frame[24] = RECORD_VERSION;
    frame[25] = (uint8_t)record->kind;
    frame[26] = 0;
    frame[27] = 0;
    put_u32(frame + 28, (uint32_t)size);
    put_u64(frame + 32, record->lsn);
    put_u64(frame + 40, record->epoch);
    put_u64(frame + 48, record->wall_ms);
    memcpy(frame + 56, record->cluster_id, STORAGE_ID_SIZE);
    memcpy(frame + 72, record->hash_prev, STORAGE_HASH_SIZE);
    memset(frame + RECORD_HEADER_SIZE + size, 0, record_size(size) - RECORD_HEADER_SIZE - size);
    put_u32(frame + 4, crc32c(0, frame + 8, RECORD_HEADER_SIZE - 8 + size));
    locate(frame + RECORD_LOCAL_SIZE, record, ret_position);
}

struct shared_head {
    uint8_t version;
    uint16_t reserved;
    size_t size;
};

/* The fields that all hosts share, and the payload. */
static void unpack_shared(struct unpack *in, struct record *record, struct shared_head *head)
{
    head->version = unpack_u8(in);
    record->kind = unpack_u8(in);
    head->reserved = unpack_u16(in);
    head->size = unpack_u32(in);
    record->lsn = unpack_u64(in);
    record->epoch = unpack_u64(in);
    record->wall_ms = unpack_u64(in);
    unpack_copy(in, record->cluster_id, STORAGE_ID_SIZE);
    unpack_copy(in, record->hash_prev, STORAGE_HASH_SIZE);
    record->payload = unpack_bytes(in, head->size);
}

static enum err_code check_header(const struct record *record, uint8_t version, struct err *err)
{
    if (version != RECORD_VERSION) {
        return err_set(err, ERR_UNSUPPORTED, "format version %u is not known", (unsigned)version);
    }
    if (record->kind != RECORD_KIND_CHANGES && record->kind != RECORD_KIND_EPOCH) {
        return err_set(err, ERR_UNSUPPORTED, "kind %u is not known", (unsigned)record->kind);
    }
    if (record->lsn == 0 || record->lsn_durable >= record->lsn) {
        return err_set(err, ERR_CORRUPT, "LSN %" PRIu64 " written at durable LSN %" PRIu64,
                       record->lsn, record->lsn_durable);
    }
    if (record->kind == RECORD_KIND_EPOCH && record->payload.size != 0) {
        return err_set(err, ERR_CORRUPT, "epoch start with a payload");
    }
    return ERR_OK;
}

enum err_code record_decode(struct span bytes,
                            uint64_t salt,
                            struct record *ret_record,
                            struct record_position *ret_position,
                            struct err *err)
{
    const uint8_t *frame = (const uint8_t *)bytes.data;
    struct record record;
    struct unpack in;
    struct shared_head head;
    uint32_t magic;
    uint32_t crc;
    enum err_code rc;

    unpack_init(&in, bytes);
    magic = unpack_u32(&in);
    crc = unpack_u32(&in);
    record.salt = unpack_u64(&in);
    if (!unpack_ok(&in) || magic != RECORD_MAGIC || record.salt != salt) {
        return err_set(err, ERR_NOT_FOUND, "no record of this segment");
    }
    record.lsn_durable = unpack_u64(&in);
    unpack_shared(&in, &record, &head);
    if (!unpack_ok(&in) || head.size > RECORD_PAYLOAD_SIZE_MAX) {
        return err_set(err, ERR_CORRUPT, "the record's size %zu is impossible", head.size);
    }
    if (crc32c(0, frame + 8, RECORD_HEADER_SIZE - 8 + head.size) != crc || head.reserved != 0) {
        return err_set(err, ERR_CORRUPT, "checksum mismatch");
    }
    rc = check_header(&record, head.version, err);
    if (rc != ERR_OK) {
        return rc;
    }
    locate(frame + RECORD_LOCAL_SIZE, &record, ret_position);
    *ret_record = record;
    return ERR_OK;
}

struct record_peek record_peek(const uint8_t header[RECORD_HEADER_SIZE], uint64_t salt)
{
    struct record_peek peek = {.size = 0};
    uint32_t magic;
    uint32_t size;
    uint64_t record_salt;
    uint64_t lsn;

    memcpy(&magic, header, sizeof magic);
    memcpy(&record_salt, header + 8, sizeof record_salt);
    memcpy(&size, header + 28, sizeof size);
    memcpy(&lsn, header + 32, sizeof lsn);
    if (le32toh(magic) == RECORD_MAGIC && le64toh(record_salt) == salt) {
        peek.size = record_size(le32toh(size));
        peek.lsn = le64toh(lsn);
    }
    return peek;
}

enum err_code record_shared_decode(struct span bytes,
                                   struct record *ret_record,
                                   struct record_position *ret_position,
                                   size_t *ret_size,
                                   struct err *err)
{
    struct record record = {.salt = 0};
    struct unpack in;
    struct shared_head head;
    struct span padding;
    enum err_code rc;

    unpack_init(&in, bytes);
    unpack_shared(&in, &record, &head);
    if (!unpack_ok(&in) || head.size > RECORD_PAYLOAD_SIZE_MAX) {
        return err_set(err, ERR_CORRUPT, "the record's size %zu is impossible", head.size);
    }
    padding = unpack_bytes(&in, record_size(head.size) - RECORD_HEADER_SIZE - head.size);
    if (!unpack_ok(&in) || head.reserved != 0) {
        return err_set(err, ERR_CORRUPT, "the record is cut short");
    }
    for (size_t i = 0; i < padding.size; i++) {
        if (padding.data[i] != 0) {
            return err_set(err, ERR_CORRUPT, "the record's padding is not zero");
        }
    }
    rc = check_header(&record, head.version, err);
    if (rc != ERR_OK) {
        return rc;
    }
    locate((const uint8_t *)bytes.data, &record, ret_position);
    *ret_record = record;
    *ret_size = record_size(head.size) - RECORD_LOCAL_SIZE;
    return ERR_OK;
}

void change_encode(uint8_t *at, struct change *change)
{
    char *body = (char *)at + CHANGE_HEADER_SIZE;
    uint16_t key_size = htole16((uint16_t)change->key.size);

    ASSERT(change->key.size >= 2 && change->key.size <= STORAGE_KEY_SIZE_MAX + 1);
    ASSERT(change->value.size <= STORAGE_VALUE_SIZE_MAX);
    ASSERT(change->op == CHANGE_PUT || change->value.size == 0);
    at[0] = (uint8_t)change->op;
    at[1] = 0;
    memcpy(at + 2, &key_size, sizeof key_size);
    put_u32(at + 4, (uint32_t)change->value.size);
    memcpy(body, change->key.data, change->key.size);
    if (change->value.size > 0) {
        memcpy(body + change->key.size, change->value.data, change->value.size);
    }
    change->key.data = body;
    change->value.data = body + change->key.size;
}

enum err_code change_decode(struct span *bytes, struct change *ret_change, struct err *err)
{
    struct change change;
    struct unpack in;
    uint8_t op;
    uint8_t reserved;
    size_t key_size;
    size_t value_size;

    unpack_init(&in, *bytes);
    op = unpack_u8(&in);
    reserved = unpack_u8(&in);
    key_size = unpack_u16(&in);
    value_size = unpack_u32(&in);
    change.key = unpack_bytes(&in, key_size);
    change.value = unpack_bytes(&in, value_size);
    if (!unpack_ok(&in)) {
        return err_set(err, ERR_CORRUPT, "a change goes past the record's end");
    }
    if ((op != CHANGE_PUT && op != CHANGE_DELETE) || reserved != 0 ||
        (op == CHANGE_DELETE && value_size != 0)) {
        return err_set(err, ERR_CORRUPT, "operation %u is not known", (unsigned)op);
    }
    if (key_size < 2 || key_size > STORAGE_KEY_SIZE_MAX + 1 ||
        value_size > STORAGE_VALUE_SIZE_MAX) {
        return err_set(err, ERR_CORRUPT, "a change with %zu and %zu bytes", key_size, value_size);
    }
    change.op = op == CHANGE_PUT ? CHANGE_PUT : CHANGE_DELETE;
    *bytes = span_of(in.at, in.left);
    *ret_change = change;
    return ERR_OK;
}
