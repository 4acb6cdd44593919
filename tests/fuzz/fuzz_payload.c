/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_payload.c: all three readers of Slack's deliveries over the same bytes; the interaction also
 * as the JSON inside the form, which the fuzzer would hardly encode by itself.
 * Owns nothing; never keeps state between inputs. */
#include "approvald/slack/show/views_ask.h"
#include "approvald/slack/wire/payload.h"
#include "approvald/slack/wire/webapi.h"
#include "base/assert.h"
#include "base/buf.h"

#include <stddef.h>
#include <stdint.h>

#define INPUT_SIZE_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef enum err_code parse_fn(struct span body, struct payload *ret_payload, struct err *err);

static void try_parse(parse_fn *parse, struct span body)
{
    struct payload payload;
    struct err err = ERR_INIT;
    struct view_ask ask;
    uint64_t time_s;

    if (parse(body, &payload, &err) != ERR_OK) {
        ASSERT(err.code != ERR_OK);
        return;
    }
    ASSERT(payload.kind < PAYLOAD_KIND_COUNT);
    (void)payload_input(&payload, "reason", "reason");     /* must not crash */
    (void)payload_ts_seconds(payload.action_ts, &time_s);  /* must not crash */
    (void)payload_ts_seconds(payload.message_ts, &time_s); /* must not crash */
    if (view_ask_read(&payload, &ask, &err) == ERR_OK) {
        ASSERT(ask.fields[ASK_POLICY].size > 0);
        ASSERT(view_ask_expires_ms(&ask) > 0 || ask.fields[ASK_EXPIRES_IN].size == 0);
    }
    payload_done(&payload);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF struct buf *form = NULL;
    struct span body = span_of(data, size);
    struct err err = ERR_INIT;

    if (size > INPUT_SIZE_MAX) {
        return 0;
    }
    try_parse(payload_parse_event, body);
    try_parse(payload_parse_command, body);
    try_parse(payload_parse_interaction, body);
    (void)payload_is_ssl_check(body); /* must not crash */
    ASSERT(buf_new(INPUT_SIZE_MAX * 4UL, &form, &err) == ERR_OK);
    ASSERT(webapi_form_add(form, "payload", body, &err) == ERR_OK);
    try_parse(payload_parse_interaction, buf_span(form));
    return 0;
}
