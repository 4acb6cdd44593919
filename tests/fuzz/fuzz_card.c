/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_card.c: whatever people write, every message about it is valid JSON within Slack's limits
 * and forges nothing. The first byte chooses the state, the rest is every text at once. Owns
 * nothing; never keeps state between inputs. */
#include "approvald/core/audit.h"
#include "approvald/slack/show/message.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/json.h"
#include "tests/lib/block_check.h"
#include "tests/lib/sample_request.h"

#include <stddef.h>
#include <stdint.h>

#define INPUT_SIZE_MAX 65536
#define PRINT_SIZE_MAX (1024UL * 1024)
#define KIND_COUNT     7

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static enum err_code add(int kind,
                         const struct card *card,
                         const struct outbox_item *item,
                         struct json *message,
                         struct err *err)
{
    switch (kind) {
    case 0:
        return card_add(card, message, err);
    case 1:
        return card_add_plain(card, message, err);
    case 2:
        return message_add_direct(card, message, err);
    case 3:
        return message_add_reply(card, item, message, err);
    case 4:
        return message_add_outcome(card, message, err);
    default:
        return message_add_notice(card, item, message, err);
    }
}

static void check(int kind, const struct card *card, const struct outbox_item *item)
{
    AUTO_JSON struct json *message = json_new_object();
    AUTO_JSON struct json *read = NULL;
    AUTO_BUF struct buf *out = NULL;
    struct err err = ERR_INIT;

    ASSERT(add(kind, card, item, message, &err) == ERR_OK);
    ASSERT(buf_new(PRINT_SIZE_MAX, &out, &err) == ERR_OK);
    ASSERT(json_print(message, out, &err) == ERR_OK);
    ASSERT(json_parse(buf_span(out), PRINT_SIZE_MAX, &read, &err) == ERR_OK);
    ASSERT(block_check(read) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request request;
    struct policy policy;
    struct span text;
    struct outbox_item item = {.id = 1, .kind = AUDIT_REJECTION};
    struct card card = {.request = &request, .policy = &policy};

    if (size == 0 || size > INPUT_SIZE_MAX) {
        return 0;
    }
    text = span_of(data + 1, size - 1);
    sample_policy(&policy);
    sample_request((enum sample)(data[0] % SAMPLE_COUNT), &request);
    request.title = text;
    request.reason = text;
    request.target = text;
    request.details = text;
    request.asker = text;
    request.requester = text;
    request.end_actor = text;
    request.end_reason = text;
    policy.title = text;
    policy.users[0] = text;
    policy.groups[0] = text;
    card.channel = text;
    card.ts = text;
    for (uint32_t i = 0; i < request.decision_count; i++) {
        request.decisions[i].user = text;
        request.decisions[i].reason = text;
    }
    item.user = text;
    item.text = text;
    for (int kind = 0; kind < KIND_COUNT; kind++) {
        check(kind, &card, &item);
    }
    return 0;
}
