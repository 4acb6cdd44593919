/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c: entries of the audit log.
 * Owns their bytes, the words of actions and the chain hash.
 * Never stores, never numbers an entry: the writer that keeps the head does. */
#include "approvald/core/audit.h"
#include "approvald/core/codec_io.h"

#include "base/assert.h"
#include "base/crypto.h"

#include <stdio.h>
#include <string.h>

#define VERSION 1

static_assert(AUDIT_HASH_SIZE == CRYPTO_SHA256_SIZE, "the chain is of SHA-256");

const char *audit_action_word(enum audit_action action)
{
    static const char *const words[] = {[AUDIT_NONE] = "",
#define AUDIT_ACTION_WORD(code, word) [code] = (word),
                                        AUDIT_ACTION_TABLE(AUDIT_ACTION_WORD)
#undef AUDIT_ACTION_WORD
    };
    size_t index = (size_t)action;

    return index < sizeof words / sizeof words[0] ? words[index] : "";
}

const char *audit_via_word(enum via via)
{
    switch (via) {
    case VIA_SLACK:
        return "slack";
    case VIA_API:
        return "api";
    case VIA_CLI:
        return "cli";
    case VIA_SYSTEM:
        return "system";
    }
    return "";
}

static struct span bounded(struct span text, size_t size_max)
{
    return span_of(text.data, text.size < size_max ? text.size : size_max);
}

/* Bounded parts always fit, so nothing is cut. */
static void format_named(const struct actor *actor, char ret_text[AUDIT_ACTOR_SIZE])
{
    struct span user = bounded(actor->user, CORE_SLACK_ID_SIZE_MAX);
    struct span behalf = bounded(actor->behalf, CORE_SLACK_ID_SIZE_MAX);
    struct span token = bounded(actor->token, CORE_NAME_SIZE_MAX);
    bool person = user.size > 0 || token.size == 0;

    (void)snprintf(ret_text, AUDIT_ACTOR_SIZE, "%s%.*s%s%.*s%s%.*s", person ? "user:" : "",
                   SPAN_ARGS(user), behalf.size > 0 ? " for:" : "", SPAN_ARGS(behalf),
                   token.size == 0 ? "" : (person ? " token:" : "token:"), SPAN_ARGS(token));
}

void audit_actor_format(const struct actor *actor, char ret_text[AUDIT_ACTOR_SIZE])
{
    ASSERT(actor != NULL);
    switch (actor->kind) {
    case ACTOR_PERSON:
    case ACTOR_TOKEN:
        format_named(actor, ret_text);
        break;
    case ACTOR_ROOT:
        memcpy(ret_text, "root", sizeof "root");
        break;
    case ACTOR_SYSTEM:
        memcpy(ret_text, "system", sizeof "system");
        break;
    }
}

enum err_code audit_entry_encode(const struct audit_entry *entry, struct buf *buf, struct err *err)
{
    struct codec_writer writer = {.buf = buf, .err = err, .rc = ERR_OK};

    ASSERT(entry != NULL);
    ASSERT(entry->seq > 0);
    codec_u8(&writer, VERSION);
    codec_u64(&writer, entry->seq);
    codec_u64(&writer, entry->at_ms);
    codec_text(&writer, entry->action);
    codec_text(&writer, entry->actor);
    codec_text(&writer, entry->via);
    codec_u8(&writer, entry->has_id ? 1 : 0);
    if (entry->has_id) {
        codec_bytes(&writer, entry->id.bytes, REQUEST_ID_SIZE);
    }
    codec_text(&writer, bounded(entry->detail, AUDIT_DETAIL_SIZE_MAX));
    return writer.rc;
}

enum err_code audit_entry_decode(struct span bytes, struct audit_entry *ret_entry, struct err *err)
{
    struct unpack unpack;

    ASSERT(ret_entry != NULL);
    memset(ret_entry, 0, sizeof *ret_entry);
    unpack_init(&unpack, bytes);
    (void)codec_range(&unpack, VERSION, VERSION); /* a failure is remembered by the cursor */
    ret_entry->seq = unpack_u64(&unpack);
    ret_entry->at_ms = unpack_u64(&unpack);
    ret_entry->action = unpack_text(&unpack);
    ret_entry->actor = unpack_text(&unpack);
    ret_entry->via = unpack_text(&unpack);
    ret_entry->has_id = codec_bool(&unpack);
    if (ret_entry->has_id) {
        unpack_copy(&unpack, ret_entry->id.bytes, REQUEST_ID_SIZE);
    }
    ret_entry->detail = unpack_text(&unpack);
    if (ret_entry->detail.size > AUDIT_DETAIL_SIZE_MAX) {
        unpack.failed = true; /* no encoder writes it */
    }
    return codec_end(&unpack, "audit entry", err);
}

void audit_chain(const uint8_t previous[AUDIT_HASH_SIZE],
                 struct span bytes,
                 uint8_t ret_hash[AUDIT_HASH_SIZE])
{
    struct span parts[2] = {span_of(previous, AUDIT_HASH_SIZE), bytes};
    uint8_t hash[AUDIT_HASH_SIZE];

    crypto_sha256_parts(parts, 2, hash);
    memcpy(ret_hash, hash, sizeof hash);
}
