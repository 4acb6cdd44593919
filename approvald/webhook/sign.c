/* SPDX-License-Identifier: Apache-2.0 */
/* sign.c: the identity, the body and the signature of a delivery.
 * Owns their formats (documented in webhook.h).
 * Never sends, never reads a clock, never keeps a secret. */
#include "approvald/webhook/sign.h"

#include "approvald/core/audit.h"
#include "approvald/core/request_id.h"
#include "approvald/service/render.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

void sign_delivery_id(const struct outbox_row *row, char ret_text[SIGN_DELIVERY_SIZE])
{
    char id[REQUEST_ID_TEXT_SIZE];

    ASSERT(row->item_count > 0);
    ASSERT(row->target.size <= CORE_NAME_SIZE_MAX);
    request_id_format(&row->request, id);
    (void)snprintf(ret_text, SIGN_DELIVERY_SIZE, "%s/%.*s/%" PRIu32, id, SPAN_ARGS(row->target),
                   row->items[0].id); /* fits by the bounds of its parts */
}

static void add_text(struct json *parent, const char *name, struct span text)
{
    if (text.size == 0) {
        json_add_null(parent, name);
    } else {
        json_add_text(parent, name, text);
    }
}

enum err_code sign_body(const struct outbox_row *row,
                        const struct request *request,
                        uint64_t epoch,
                        struct buf *body,
                        struct err *err)
{
    AUTO_JSON struct json *root = json_new_object();
    const struct outbox_item *item = &row->items[0];
    const char *event = audit_action_word((enum audit_action)item->kind);
    char delivery[SIGN_DELIVERY_SIZE];
    char at[TEXT_TIME_SIZE];

    sign_delivery_id(row, delivery);
    text_format_time(item->at_ms, at);
    json_add_text(root, "delivery", span_text(delivery));
    json_add_text(root, "event", span_text(event[0] == '\0' ? "changed" : event));
    json_add_text(root, "at", span_text(at));
    add_text(root, "user", item->user);
    add_text(root, "reason", item->text);
    json_add_u64(root, "epoch", epoch);
    render_request(request, json_add_object(root, "request"));
    return json_print(root, body, err);
}

void sign_header(struct span secret,
                 uint64_t now_s,
                 const char *delivery_id,
                 struct span body,
                 char ret_text[SIGN_HEADER_SIZE])
{
    uint8_t mac[CRYPTO_SHA256_SIZE];
    char hex[2 * CRYPTO_SHA256_SIZE + 1];
    char seconds[24];
    struct span parts[5];

    (void)snprintf(seconds, sizeof seconds, "%" PRIu64, now_s); /* at most 20 digits */
    parts[0] = span_text(seconds);
    parts[1] = SPAN_LITERAL(".");
    parts[2] = span_text(delivery_id);
    parts[3] = SPAN_LITERAL(".");
    parts[4] = body;
    crypto_hmac_sha256(secret, parts, sizeof parts / sizeof parts[0], mac);
    crypto_hex(mac, sizeof mac, hex);
    (void)snprintf(ret_text, SIGN_HEADER_SIZE, "t=%s,v1=%s", seconds, hex); /* 90 at most */
}
