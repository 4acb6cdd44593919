/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_message.c: arbitrary bytes as frames of the pair link.
 * What decodes must encode to the same bytes again (a newer build's HELLO apart, of which we read
 * what we know), and what is not whole must be refused. Owns nothing. Never accepts a frame whose
 * size the header does not tell. */
#include "base/assert.h"
#include "storage/message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_again(struct span frame, const struct message *message)
{
    size_t size = message_size(message);
    uint8_t *again;

    ASSERT(size == frame.size);
    again = malloc(size);
    ASSERT(again != NULL);
    message_encode(message, again);
    ASSERT(memcmp(again, frame.data, size) == 0);
    free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct span stream = span_of(data, size);
    struct message message;
    struct err err;
    size_t frame_size;

    while (message_frame_size(stream, &frame_size, &err) == ERR_OK) {
        struct span frame = {.data = stream.data, .size = frame_size};
        uint16_t version;

        ASSERT(frame_size >= MESSAGE_HEADER_SIZE);
        ASSERT(frame_size <= MESSAGE_HEADER_SIZE + MESSAGE_BODY_SIZE_MAX);
        if (frame_size > stream.size) {
            ASSERT(message_decode(stream, &message, &err) == ERR_PROTOCOL);
            break;
        }
        memcpy(&version, frame.data + 6, sizeof version);
        if (message_decode(frame, &message, &err) == ERR_OK) {
            ASSERT(strcmp(message_name(message.type), "unknown") != 0);
            if (version == MESSAGE_VERSION_MAX) {
                check_again(frame, &message);
            }
        }
        stream.data += frame_size;
        stream.size -= frame_size;
    }
    return 0;
}
