/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_message.c: the messages of the mirrored register as bytes.
 * Owns their form. Never judges what they say. */
#include "supervisor/arbiter/mirror_message.h"

#include "base/assert.h"
#include "base/pack.h"

#include <string.h>

#define HEAD_SIZE 41U

static void put_u64(uint8_t *at, uint64_t number)
{
    for (size_t i = 0; i < 8; i++) {
        at[i] = (uint8_t)(number >> (8 * i));
    }
}

size_t mirror_message_format(const struct mirror_message *message,
                             uint8_t bytes[MIRROR_MESSAGE_SIZE_MAX])
{
    char text[REGISTER_TEXT_SIZE_MAX] = "";
    size_t size;

    if (message->copy.present) {
        register_format(&message->copy.value, text);
    }
    size = strlen(text);
    ASSERT(HEAD_SIZE + size <= MIRROR_MESSAGE_SIZE_MAX);
    bytes[0] = (uint8_t)message->type;
    put_u64(bytes + 1, message->from);
    put_u64(bytes + 9, message->to);
    put_u64(bytes + 17, message->number);
    put_u64(bytes + 25, message->copy.generation);
    put_u64(bytes + 33, message->expected);
    memcpy(bytes + HEAD_SIZE, text, size);
    return HEAD_SIZE + size;
}

bool mirror_message_parse(struct span bytes, struct mirror_message *ret_message)
{
    struct unpack unpack;
    struct span text;
    uint8_t type;

    unpack_init(&unpack, bytes);
    memset(ret_message, 0, sizeof(*ret_message));
    type = unpack_u8(&unpack);
    ret_message->from = unpack_u64(&unpack);
    ret_message->to = unpack_u64(&unpack);
    ret_message->number = unpack_u64(&unpack);
    ret_message->copy.generation = unpack_u64(&unpack);
    ret_message->expected = unpack_u64(&unpack);
    text = unpack_bytes(&unpack, unpack.left);
    if (!unpack_done(&unpack) || type == 0 || type >= MIRROR_TYPE_END || ret_message->from == 0 ||
        ret_message->copy.generation >> (64U - MIRROR_GENERATION_SHIFT) != 0) {
        return false;
    }
    ret_message->type = (enum mirror_message_type)type;
    ret_message->copy.present = text.size > 0;
    return text.size == 0 || register_parse(text, &ret_message->copy.value, NULL) == ERR_OK;
}
