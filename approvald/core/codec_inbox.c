/* SPDX-License-Identifier: Apache-2.0 */
/* codec_inbox.c: the stored form of a press that waits for facts.
 * Owns its layout: u8 version (1, 2 with a requester, 3 with both that follow) | u64 seq, at_ms |
 * 16 request | u8 actor kind | u8 via | text user, token | u8 verdict | text reason | u8 has_key |
 * 24 key when has_key | text channel, thread | list of text groups | in version 2: text requester,
 * not empty | in version 3: text requester, u8 stepped (1) Never decides anything about the press.
 */
#include "approvald/core/codec.h"
#include "approvald/core/codec_io.h"

#include "base/assert.h"

#include <string.h>

#define VERSION           1
#define VERSION_REQUESTER 2
#define VERSION_STEPPED   3

static uint8_t version_of(const struct inbox_entry *entry)
{
    if (entry->stepped) {
        return VERSION_STEPPED;
    }
    return entry->requester.size > 0 ? VERSION_REQUESTER : VERSION;
}

enum err_code codec_inbox_encode(const struct inbox_entry *entry, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    ASSERT(entry != NULL);
    ASSERT(entry->group_count <= CORE_POLICY_GROUP_COUNT_MAX);
    codec_u8(&writer, version_of(entry));
    codec_u64(&writer, entry->seq);
    codec_u64(&writer, entry->at_ms);
    codec_bytes(&writer, entry->id.bytes, REQUEST_ID_SIZE);
    codec_u8(&writer, (uint8_t)entry->actor.kind);
    codec_u8(&writer, (uint8_t)entry->actor.via);
    codec_text(&writer, entry->actor.user);
    codec_text(&writer, entry->actor.token);
    codec_u8(&writer, (uint8_t)entry->verdict);
    codec_text(&writer, entry->reason);
    codec_u8(&writer, entry->has_key ? 1 : 0);
    if (entry->has_key) {
        codec_bytes(&writer, entry->key.bytes, INBOX_KEY_SIZE);
    }
    codec_text(&writer, entry->channel);
    codec_text(&writer, entry->thread);
    codec_texts(&writer, entry->groups, entry->group_count);
    if (version_of(entry) != VERSION) {
        codec_text(&writer, entry->requester);
    }
    if (entry->stepped) {
        codec_u8(&writer, 1);
    }
    return writer.rc;
}

enum err_code codec_inbox_decode(struct span bytes, struct inbox_entry *ret_entry, struct err *err)
{
    struct unpack unpack;
    uint8_t version;

    ASSERT(ret_entry != NULL);
    memset(ret_entry, 0, sizeof *ret_entry);
    unpack_init(&unpack, bytes);
    version = codec_range(&unpack, VERSION, VERSION_STEPPED);
    ret_entry->seq = unpack_u64(&unpack);
    ret_entry->at_ms = unpack_u64(&unpack);
    unpack_copy(&unpack, ret_entry->id.bytes, REQUEST_ID_SIZE);
    ret_entry->actor.kind = codec_range(&unpack, ACTOR_PERSON, ACTOR_SYSTEM);
    ret_entry->actor.via = codec_range(&unpack, VIA_SLACK, VIA_SYSTEM);
    ret_entry->actor.user = unpack_text(&unpack);
    ret_entry->actor.token = unpack_text(&unpack);
    ret_entry->verdict = codec_range(&unpack, VERDICT_APPROVE, VERDICT_GLASS);
    ret_entry->reason = unpack_text(&unpack);
    ret_entry->has_key = codec_bool(&unpack);
    if (ret_entry->has_key) {
        unpack_copy(&unpack, ret_entry->key.bytes, INBOX_KEY_SIZE);
    }
    ret_entry->channel = unpack_text(&unpack);
    ret_entry->thread = unpack_text(&unpack);
    ret_entry->group_count =
        codec_read_texts(&unpack, ret_entry->groups, CORE_POLICY_GROUP_COUNT_MAX);
    if (version != VERSION) {
        ret_entry->requester = unpack_text(&unpack);
    }
    ret_entry->stepped = version == VERSION_STEPPED && codec_range(&unpack, 1, 1) == 1;
    if (version_of(ret_entry) != version) {
        unpack.failed = true; /* no encoder says that there is nothing to say */
    }
    return codec_end(&unpack, "inbox entry", err);
}
