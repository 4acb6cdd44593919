/* SPDX-License-Identifier: Apache-2.0 */
/* test_record.c: proves storage/record: the bytes of the log.
 * Owns nothing but its cases. Never touches a file. */
#include "storage/record.h"
#include "tests/unit/unit.h"

#include <string.h>

#define SALT 77U

static const char payload_text[] = "some payload";

static size_t make(uint8_t frame[256], struct record_position *position)
{
    struct record record = {.salt = SALT,
                            .lsn_durable = 8,
                            .kind = RECORD_KIND_CHANGES,
                            .lsn = 10,
                            .epoch = 3,
                            .wall_ms = 1234567,
                            .cluster_id = {1, 2, 3},
                            .hash_prev = {4, 5, 6},
                            .payload = SPAN_LITERAL(payload_text)};

    memset(frame, 0xee, 256);
    memcpy(frame + RECORD_HEADER_SIZE, payload_text, record.payload.size);
    record_encode(&record, frame, position);
    return record_size(record.payload.size);
}

static void what_is_encoded_comes_back(void)
{
    uint8_t frame[256];
    struct record_position written;
    struct record_position read;
    struct record record;
    size_t size = make(frame, &written);

    CU_ASSERT_EQUAL(size % RECORD_ALIGN, 0);
    CU_ASSERT_EQUAL_FATAL(record_decode(span_of(frame, size), SALT, &record, &read, NULL), ERR_OK);
    CU_ASSERT_EQUAL(record.lsn, 10);
    CU_ASSERT_EQUAL(record.epoch, 3);
    CU_ASSERT_EQUAL(record.wall_ms, 1234567);
    CU_ASSERT_EQUAL(record.lsn_durable, 8);
    CU_ASSERT_EQUAL(record.cluster_id[2], 3);
    CU_ASSERT_EQUAL(record.hash_prev[2], 6);
    CU_ASSERT(span_is(record.payload, payload_text));
    CU_ASSERT_EQUAL(memcmp(read.hash, written.hash, STORAGE_HASH_SIZE), 0);
    CU_ASSERT_EQUAL(frame[size], 0xee);
}

static void every_flipped_bit_is_noticed(void)
{
    uint8_t frame[256];
    struct record_position position;
    struct record record;
    size_t size = make(frame, &position);

    for (size_t bit = 0; bit < (RECORD_HEADER_SIZE + sizeof payload_text - 1) * 8; bit++) {
        frame[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        CU_ASSERT_NOT_EQUAL(record_decode(span_of(frame, size), SALT, &record, &position, NULL),
                            ERR_OK);
        frame[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
}

static void every_cut_is_noticed(void)
{
    uint8_t frame[256];
    struct record_position position;
    struct record record;

    (void)make(frame, &position);
    for (size_t size = 0; size < RECORD_HEADER_SIZE + sizeof payload_text - 1; size++) {
        CU_ASSERT_NOT_EQUAL(record_decode(span_of(frame, size), SALT, &record, &position, NULL),
                            ERR_OK);
    }
}

static void another_salt_is_no_record_at_all(void)
{
    uint8_t frame[256];
    struct record_position position;
    struct record record;
    size_t size = make(frame, &position);

    CU_ASSERT_EQUAL(record_decode(span_of(frame, size), SALT + 1, &record, &position, NULL),
                    ERR_NOT_FOUND);
}

static void the_hash_is_the_same_on_every_host(void)
{
    uint8_t frame[256];
    struct record_position ours;
    struct record_position theirs;
    struct record record = {.salt = SALT + 5,
                            .lsn_durable = 2,
                            .kind = RECORD_KIND_CHANGES,
                            .lsn = 10,
                            .epoch = 3,
                            .wall_ms = 1234567,
                            .cluster_id = {1, 2, 3},
                            .hash_prev = {4, 5, 6},
                            .payload = SPAN_LITERAL(payload_text)};

    (void)make(frame, &ours);
    record_encode(&record, frame, &theirs);
    CU_ASSERT_EQUAL(memcmp(ours.hash, theirs.hash, STORAGE_HASH_SIZE), 0);
    record.hash_prev[0] ^= 1;
    record_encode(&record, frame, &theirs);
    CU_ASSERT_NOT_EQUAL(memcmp(ours.hash, theirs.hash, STORAGE_HASH_SIZE), 0);
}

static void changes_come_back_in_order(void)
{
    uint8_t bytes[256];
    struct change put = {
        .op = CHANGE_PUT, .key = SPAN_LITERAL("\1key"), .value = SPAN_LITERAL("value")};
    struct change gone = {.op = CHANGE_DELETE, .key = SPAN_LITERAL("\2old")};
    size_t first = change_size(put.key.size, put.value.size);
    size_t second = change_size(gone.key.size, 0);
    struct span rest = span_of(bytes, first + second);
    struct change change;

    change_encode(bytes, &put);
    change_encode(bytes + first, &gone);
    CU_ASSERT_EQUAL(put.key.data, (char *)bytes + CHANGE_HEADER_SIZE);
    CU_ASSERT_EQUAL_FATAL(change_decode(&rest, &change, NULL), ERR_OK);
    CU_ASSERT(change.op == CHANGE_PUT && span_is(change.key, "\1key"));
    CU_ASSERT(span_is(change.value, "value"));
    CU_ASSERT_EQUAL_FATAL(change_decode(&rest, &change, NULL), ERR_OK);
    CU_ASSERT(change.op == CHANGE_DELETE && span_is(change.key, "\2old"));
    CU_ASSERT_EQUAL(rest.size, 0);
}

static void a_change_with_leftovers_or_nonsense_is_refused(void)
{
    uint8_t bytes[64];
    struct change put = {
        .op = CHANGE_PUT, .key = SPAN_LITERAL("\1key"), .value = SPAN_LITERAL("value")};
    size_t size = change_size(put.key.size, put.value.size);
    struct change change;
    struct span rest;

    change_encode(bytes, &put);
    for (size_t cut = 1; cut < size; cut++) {
        rest = span_of(bytes, cut);
        CU_ASSERT_EQUAL(change_decode(&rest, &change, NULL), ERR_CORRUPT);
    }
    bytes[0] = 3;
    rest = span_of(bytes, size);
    CU_ASSERT_EQUAL(change_decode(&rest, &change, NULL), ERR_CORRUPT);
    bytes[0] = CHANGE_DELETE;
    CU_ASSERT_EQUAL(change_decode(&rest, &change, NULL), ERR_CORRUPT);
    bytes[0] = CHANGE_PUT;
    bytes[2] = 1;
    CU_ASSERT_EQUAL(change_decode(&rest, &change, NULL), ERR_CORRUPT);
}

UNIT_MAIN("record",
          {"what is encoded comes back", what_is_encoded_comes_back},
          {"every flipped bit is noticed", every_flipped_bit_is_noticed},
          {"every cut is noticed", every_cut_is_noticed},
          {"another salt is no record at all", another_salt_is_no_record_at_all},
          {"the hash is the same on every host", the_hash_is_the_same_on_every_host},
          {"changes come back in order", changes_come_back_in_order},
          {"a change with leftovers or nonsense is refused",
           a_change_with_leftovers_or_nonsense_is_refused})
