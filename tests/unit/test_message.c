/* SPDX-License-Identifier: Apache-2.0 */
/* test_message.c: proves storage/message: frames out and in.
 * Owns nothing but its cases. Never touches a file. */
#include "storage/message.h"
#include "tests/lib/message_sample.h"
#include "tests/unit/unit.h"

#include <string.h>

#define FRAME_SIZE_MAX 1024U

static size_t encode(const struct message *message, uint8_t frame[FRAME_SIZE_MAX])
{
    size_t size = message_size(message);

    CU_ASSERT_FATAL(size <= FRAME_SIZE_MAX);
    memset(frame, 0xee, FRAME_SIZE_MAX);
    message_encode(message, frame);
    return size;
}

static void every_message_comes_back_as_it_was_sent(void)
{
    for (enum message_type type = MESSAGE_HELLO; type < MESSAGE_TYPE_END; type++) {
        uint8_t frame[FRAME_SIZE_MAX];
        uint8_t again[FRAME_SIZE_MAX];
        struct message message = message_sample(type);
        struct message back;
        size_t size = encode(&message, frame);
        size_t size_seen = 0;

        CU_ASSERT_EQUAL(frame[size < FRAME_SIZE_MAX ? size : 0], 0xee);
        CU_ASSERT_EQUAL(message_frame_size(span_of(frame, size), &size_seen, NULL), ERR_OK);
        CU_ASSERT_EQUAL(size_seen, size);
        CU_ASSERT_EQUAL_FATAL(message_decode(span_of(frame, size), &back, NULL), ERR_OK);
        CU_ASSERT_EQUAL(back.type, type);
        CU_ASSERT_EQUAL(encode(&back, again), size);
        CU_ASSERT_EQUAL(memcmp(frame, again, size), 0);
    }
}

static void the_layout_is_the_documented_one(void)
{
    uint8_t frame[FRAME_SIZE_MAX];
    struct message ping = message_sample(MESSAGE_PING);
    static const uint8_t expected[] = {48,   0, 0, 0, MESSAGE_PING,
                                       0,    1, 0, /* size, type, 0, version */
                                       1,    0, 0, 0, 0,
                                       0,    0, 0, 2, 0,
                                       0,    0, 0, 0, 0,
                                       0, /* epoch, incarnation */
                                       0x51, 0, 0, 0, 0,
                                       0,    0, 0, 0, 0,
                                       0,    0, 0, 0, 0,
                                       0, /* store id */
                                       4,    0, 0, 0, 0,
                                       0,    0, 0, 5, 0,
                                       0,    0, 0, 0, 0,
                                       0}; /* sequence, commit LSN */

    CU_ASSERT_EQUAL(encode(&ping, frame), sizeof expected);
    CU_ASSERT_EQUAL(memcmp(frame, expected, sizeof expected), 0);
}

static void a_bye_says_whether_the_process_leaves(void)
{
    uint8_t frame[FRAME_SIZE_MAX];
    struct message bye = message_sample(MESSAGE_BYE);
    struct message back;
    size_t size = encode(&bye, frame);

    CU_ASSERT_EQUAL_FATAL(message_decode(span_of(frame, size), &back, NULL), ERR_OK);
    CU_ASSERT(back.u.bye.leaves);
    CU_ASSERT(span_is(back.u.bye.reason, "a reason"));
    frame[MESSAGE_HEADER_SIZE] = 0;
    CU_ASSERT_EQUAL_FATAL(message_decode(span_of(frame, size), &back, NULL), ERR_OK);
    CU_ASSERT_FALSE(back.u.bye.leaves);
    frame[MESSAGE_HEADER_SIZE] = 2;
    CU_ASSERT_EQUAL(message_decode(span_of(frame, size), &back, NULL), ERR_PROTOCOL);
}

static void a_frame_whose_header_is_not_there_yet_waits(void)
{
    uint8_t frame[FRAME_SIZE_MAX];
    struct message message = message_sample(MESSAGE_PING);
    size_t size = 0;

    (void)encode(&message, frame); /* its size does not matter here */
    for (size_t i = 0; i < MESSAGE_HEADER_SIZE; i++) {
        CU_ASSERT_EQUAL(message_frame_size(span_of(frame, i), &size, NULL), ERR_NOT_FOUND);
    }
    CU_ASSERT_EQUAL(message_frame_size(span_of(frame, MESSAGE_HEADER_SIZE), &size, NULL), ERR_OK);
}

static void a_frame_that_is_cut_or_too_long_is_refused(void)
{
    for (enum message_type type = MESSAGE_HELLO; type < MESSAGE_TYPE_END; type++) {
        uint8_t frame[FRAME_SIZE_MAX];
        struct message message = message_sample(type);
        struct message back;
        size_t size = encode(&message, frame);

        for (size_t i = 0; i < size; i++) {
            CU_ASSERT_EQUAL(message_decode(span_of(frame, i), &back, NULL), ERR_PROTOCOL);
        }
        CU_ASSERT_EQUAL(message_decode(span_of(frame, size + 1), &back, NULL), ERR_PROTOCOL);
    }
}

static void fixed_bodies_of_another_size_are_refused(void)
{
    uint8_t frame[FRAME_SIZE_MAX];
    struct message message = message_sample(MESSAGE_PING);
    struct message back;
    size_t size = encode(&message, frame);
    size_t seen;

    frame[0]++; /* one byte more, and it is there */
    CU_ASSERT_EQUAL(message_frame_size(span_of(frame, size + 1), &seen, NULL), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(message_decode(span_of(frame, size + 1), &back, NULL), ERR_PROTOCOL);
    frame[0] = (uint8_t)(frame[0] - 2);
    CU_ASSERT_EQUAL(message_decode(span_of(frame, size - 1), &back, NULL), ERR_PROTOCOL);
}

static enum err_code decode_with(enum message_type type, size_t at, uint8_t value)
{
    uint8_t frame[FRAME_SIZE_MAX];
    struct message message = message_sample(type);
    struct message back;
    size_t size = encode(&message, frame);

    frame[at] = value;
    return message_decode(span_of(frame, size), &back, NULL);
}

static void unknown_types_and_versions_are_refused(void)
{
    CU_ASSERT_EQUAL(decode_with(MESSAGE_PING, 4, 0), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_PING, 4, MESSAGE_TYPE_END), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_PING, 4, 255), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_PING, 5, 1), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_PING, 6, 0), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_PING, 6, 2), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_HELLO, 6, 0), ERR_PROTOCOL);
}

static void values_out_of_range_are_refused(void)
{
    size_t host = MESSAGE_HEADER_SIZE + 4 + 32 + 16;

    CU_ASSERT_EQUAL(decode_with(MESSAGE_STATE, host, 1), ERR_OK);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_STATE, host, 0), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_STATE, host, 3), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_STATE, host + 1, 3), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_STATE, host + 1, REPLICA_IDLE), ERR_PROTOCOL); /* epoch */
    CU_ASSERT_EQUAL(decode_with(MESSAGE_STATE, host - 8, 0), ERR_PROTOCOL); /* incarnation 0 */
    CU_ASSERT_EQUAL(decode_with(MESSAGE_STATE, MESSAGE_HEADER_SIZE, 2), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_STATE, MESSAGE_HEADER_SIZE, 0), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_LEAD, MESSAGE_HEADER_SIZE, 0), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(decode_with(MESSAGE_ACK, MESSAGE_HEADER_SIZE + 8, 0), ERR_PROTOCOL);
}

static void sizes_beyond_the_bounds_are_refused_from_the_header_alone(void)
{
    static const struct {
        enum message_type type;
        uint32_t size;
        enum err_code rc;
    } cases[] = {
        {MESSAGE_APPEND, MESSAGE_BODY_SIZE_MAX, ERR_OK},
        {MESSAGE_APPEND, MESSAGE_BODY_SIZE_MAX + 1, ERR_PROTOCOL},
        {MESSAGE_DATA, MESSAGE_DATA_SIZE_MAX, ERR_OK},
        {MESSAGE_DATA, MESSAGE_DATA_SIZE_MAX + 1, ERR_PROTOCOL},
        {MESSAGE_BYE, MESSAGE_BYE_SIZE_MAX + 2, ERR_PROTOCOL},
        {MESSAGE_BYE, UINT32_MAX, ERR_PROTOCOL},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint32_t size = cases[i].size;
        uint8_t header[MESSAGE_HEADER_SIZE] = {(uint8_t)size,
                                               (uint8_t)(size >> 8),
                                               (uint8_t)(size >> 16),
                                               (uint8_t)(size >> 24),
                                               (uint8_t)cases[i].type,
                                               0,
                                               1,
                                               0};
        size_t seen = 0;

        CU_ASSERT_EQUAL(message_frame_size(span_of(header, sizeof header), &seen, NULL),
                        cases[i].rc);
        CU_ASSERT(cases[i].rc != ERR_OK || seen == size + MESSAGE_HEADER_SIZE);
    }
}

static void a_newer_builds_hello_is_read_as_far_as_it_is_known(void)
{
    uint8_t frame[FRAME_SIZE_MAX];
    struct message hello = message_sample(MESSAGE_HELLO);
    struct message back;
    size_t size;

    hello.u.state.version_max = 9;
    size = encode(&hello, frame);
    frame[6] = 9;                       /* it speaks 1 to 9 … */
    frame[0] = (uint8_t)(frame[0] + 5); /* … and its HELLO is longer */
    CU_ASSERT_EQUAL_FATAL(message_decode(span_of(frame, size + 5), &back, NULL), ERR_OK);
    CU_ASSERT_EQUAL(back.u.state.version_max, 9);
    CU_ASSERT_EQUAL(back.u.state.host, 2);
    /* One that knows nothing of ours any more says at least so. */
    frame[0] = 20;
    frame[MESSAGE_HEADER_SIZE] = 8;
    CU_ASSERT_EQUAL_FATAL(message_decode(span_of(frame, MESSAGE_HEADER_SIZE + 20), &back, NULL),
                          ERR_OK);
    CU_ASSERT_EQUAL(back.u.state.version_min, 8);
    CU_ASSERT_EQUAL(back.u.state.cluster_id[0], 0xc1);
    frame[0] = 19;
    CU_ASSERT_EQUAL(message_decode(span_of(frame, MESSAGE_HEADER_SIZE + 19), &back, NULL),
                    ERR_PROTOCOL);
}

static void every_type_has_a_name(void)
{
    for (enum message_type type = MESSAGE_HELLO; type < MESSAGE_TYPE_END; type++) {
        CU_ASSERT(strcmp(message_name(type), "unknown") != 0);
    }
    CU_ASSERT_STRING_EQUAL(message_name(MESSAGE_TYPE_END), "unknown");
    CU_ASSERT_STRING_EQUAL(message_name(MESSAGE_SNAPSHOT_END), "snapshot-end");
}

UNIT_MAIN("message",
          {"every message comes back as it was sent", every_message_comes_back_as_it_was_sent},
          {"the layout is the documented one", the_layout_is_the_documented_one},
          {"a bye says whether the process leaves", a_bye_says_whether_the_process_leaves},
          {"a frame whose header is not there yet waits",
           a_frame_whose_header_is_not_there_yet_waits},
          {"a frame that is cut or too long is refused",
           a_frame_that_is_cut_or_too_long_is_refused},
          {"fixed bodies of another size are refused", fixed_bodies_of_another_size_are_refused},
          {"unknown types and versions are refused", unknown_types_and_versions_are_refused},
          {"values out of range are refused", values_out_of_range_are_refused},
          {"sizes beyond the bounds are refused from the header alone",
           sizes_beyond_the_bounds_are_refused_from_the_header_alone},
          {"a newer builds hello is read as far as it is known",
           a_newer_builds_hello_is_read_as_far_as_it_is_known},
          {"every type has a name", every_type_has_a_name})
