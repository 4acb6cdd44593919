/* SPDX-License-Identifier: Apache-2.0 */
/* cardseen.c: what a card in a history shows.
 * Owns how metadata and block ids are read back.
 * Never says whether that is right (cardcheck does); never adopts a message of another app when our
 * bot is known. Pure. */
#include "approvald/slack/outbound/cardseen.h"

#include "approvald/core/request_id.h"
#include "approvald/slack/show/card.h"
#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define FRACTION_SIZE 6 /* digits behind the point: microseconds */

bool cardseen_time(struct span ts, uint64_t *ret_us)
{
    const char *point = ts.size > 0 ? memchr(ts.data, '.', ts.size) : NULL;
    size_t whole = point == NULL ? ts.size : (size_t)(point - ts.data);
    size_t fraction = point == NULL ? 0 : ts.size - whole - 1;
    uint64_t seconds = 0;
    uint64_t us = 0;

    if (ts.size > SLACK_TS_SIZE_MAX || fraction > FRACTION_SIZE ||
        !text_parse_u64(span_of(ts.data, whole), &seconds) || seconds > UINT64_MAX / 1000000 - 1) {
        return false;
    }
    if (fraction > 0 && !text_parse_u64(span_of(point + 1, fraction), &us)) {
        return false;
    }
    for (size_t i = fraction; i < FRACTION_SIZE; i++) {
        us *= 10;
    }
    *ret_us = seconds * 1000000 + us;
    return true;
}

bool cardseen_is_ours(const struct json *message, const struct cardseen_self *self)
{
    bool user = self->user_id[0] != '\0';
    bool bot = self->bot_id[0] != '\0';

    /* One of the two is enough: Slack leaves out either in some histories. */
    return (!user && !bot) || (user && span_is(json_text(message, "user"), self->user_id)) ||
           (bot && span_is(json_text(message, "bot_id"), self->bot_id));
}

/* The ids of the blocks as blocks.c makes them for a revision, one after the other. */
static bool blocks_show(const struct json *blocks, uint64_t revision)
{
    const struct json *block = json_first(blocks);
    char id[64];

    for (uint32_t i = 0; block != NULL; i++) {
        (void)snprintf(id, sizeof id, "r%" PRIu64 ".b%" PRIu32, revision, i); /* fits */
        if (!span_is(json_text(block, "block_id"), id)) {
            return false;
        }
        block = json_next(block);
    }
    return true;
}

/* Cards of before they said their revision: the first block does. */
static bool first_block_revision(const struct json *blocks, uint64_t *ret_revision)
{
    struct span id = json_text(json_first(blocks), "block_id");
    const char *point = id.size > 0 ? memchr(id.data, '.', id.size) : NULL;

    return point != NULL && id.data[0] == 'r' &&
           text_parse_u64(span_of(id.data + 1, (size_t)(point - id.data) - 1), ret_revision);
}

static void
read_revision(const struct json *message, const struct json *payload, struct cardseen *seen)
{
    const struct json *blocks = json_get(message, "blocks");
    bool plain = json_bool(payload, "plain", false);
    uint64_t revision = 0;
    bool known = json_u64(payload, "revision", &revision) ||
                 (!plain && first_block_revision(blocks, &revision));

    seen->altered = !known || revision > UINT32_MAX;
    if (!plain) {
        seen->altered =
            seen->altered || json_first(blocks) == NULL || !blocks_show(blocks, revision);
    }
    seen->revision = seen->altered ? 0 : (uint32_t)revision;
}

bool cardseen_read(const struct json *message,
                   const struct cardseen_self *self,
                   struct cardseen *ret_seen)
{
    const struct json *payload = json_path(message, "metadata.event_payload");
    struct span ts = json_text(message, "ts");

    memset(ret_seen, 0, sizeof *ret_seen);
    ret_seen->direct = span_is(json_text(payload, "surface"), "direct");
    if (!span_is(json_text(message, "metadata.event_type"), CARD_EVENT_TYPE) ||
        (!ret_seen->direct && !span_is(json_text(payload, "surface"), "card")) ||
        !cardseen_is_ours(message, self) ||
        !request_id_parse(json_text(payload, "request_id"), &ret_seen->request) ||
        !cardseen_time(ts, &ret_seen->at_us)) {
        return false;
    }
    memcpy(ret_seen->ts, ts.data, ts.size); /* cardseen_time looked at its size */
    read_revision(message, payload, ret_seen);
    return true;
}
