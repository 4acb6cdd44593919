/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_websocket.c: foreign bytes behind (or as) the answer to the upgrade, in pieces. Never a
 * socket. Owns these promises: messages keep the limit and text is UTF-8; what is to be sent keeps
 * its limit and is made of whole masked frames; after an error no message comes. The first byte
 * says whether the upgrade is answered well, and how large the pieces are. */
#include "approvald/slack/limits.h"
#include "approvald/slack/wire/websocket.h"
#include "base/assert.h"
#include "base/text.h"
#include "tests/unit/sample_rng.h"

#define MESSAGE_SIZE_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct watch {
    bool opened;
    bool ended;
};

static void on_opened(void *arg)
{
    struct watch *watch = arg;

    ASSERT(!watch->opened);
    watch->opened = true;
}

static void on_message(void *arg, bool is_text, struct span bytes)
{
    struct watch *watch = arg;

    ASSERT(watch->opened);
    ASSERT(!watch->ended);
    ASSERT(bytes.size <= MESSAGE_SIZE_MAX);
    /* Our own judgement does not take NUL, which is UTF-8 all the same. */
    ASSERT(!is_text || text_is_utf8(bytes) || memchr(bytes.data, 0, bytes.size) != NULL);
}

/* Whole masked frames, one after the other; control frames are short. */
static void check_output(struct span output)
{
    const uint8_t *at = (const uint8_t *)output.data;
    size_t left = output.size;

    ASSERT(left <= WEBSOCKET_OUTPUT_SIZE_MAX);
    while (left > 0) {
        ASSERT(left >= 6);
        ASSERT((at[0] & 0xf0) == 0x80);
        ASSERT((at[1] & 0x80) != 0 && (at[1] & 0x7f) < 126);
        ASSERT(left >= 6UL + (at[1] & 0x7f));
        left -= 6UL + (at[1] & 0x7f);
        at += 6 + (at[1] & 0x7f);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct watch watch = {.opened = false};
    struct websocket_options options = {
        .url = "wss://host/link?ticket=1",
        .rng = &sample_rng,
        .user_agent = "fuzz",
        .message_size_max = MESSAGE_SIZE_MAX,
        .events = {.opened = on_opened, .message = on_message, .arg = &watch}};
    struct websocket *socket = NULL;
    struct span rest;
    size_t step;

    if (size == 0 || websocket_new(&options, &socket, NULL) != ERR_OK) {
        return 0;
    }
    websocket_sent(socket);
    if ((data[0] & 1) != 0) {
        ASSERT(websocket_feed(socket, SPAN_LITERAL(SAMPLE_ANSWER), NULL) == ERR_OK);
        ASSERT(watch.opened);
    }
    step = (data[0] >> 1) + 1U;
    rest = span_of(data + 1, size - 1);
    while (rest.size > 0) {
        struct span piece = span_of(rest.data, rest.size < step ? rest.size : step);
        enum err_code rc = websocket_feed(socket, piece, NULL);

        check_output(websocket_output(socket));
        websocket_sent(socket);
        ASSERT(!watch.ended || rc != ERR_OK);
        watch.ended = watch.ended || rc != ERR_OK;
        rest = span_of(rest.data + piece.size, rest.size - piece.size);
    }
    websocket_free(socket);
    return 0;
}
