/* SPDX-License-Identifier: Apache-2.0 */
/* inbox.h: what makes one outside event the same as another. Pure.
 *
 * A deduplication key is the event's time (u64, big-endian, seconds), then 16 bytes of
 * SHA-256(u32 kind || identity). The time comes first so that keys written together lie together
 * and pruning by age deletes one range. Keys are kept for CORE_INBOX_KEEP_MS. */
#ifndef APPROVALD_CORE_INBOX_H
#define APPROVALD_CORE_INBOX_H

#include "approvald/core/types.h"

/* Numbers are part of stored keys: new ones go to the end. */
enum inbox_kind {
    INBOX_NONE = 0,        /* no outside event: API and CLI calls have idempotency keys */
    INBOX_BLOCK_ACTIONS,   /* a press on a card */
    INBOX_VIEW_SUBMISSION, /* a modal was sent */
    INBOX_VIEW_CLOSED,
    INBOX_SHORTCUT,         /* global shortcut */
    INBOX_MESSAGE_ACTION,   /* shortcut on a message */
    INBOX_COMMAND,          /* slash command */
    INBOX_EVENT,            /* Events API, by event_id */
    INBOX_BLOCK_SUGGESTION, /* options asked for */
};

#define INBOX_KEY_SIZE 24
struct inbox_key {
    uint8_t bytes[INBOX_KEY_SIZE];
};

void inbox_key_make(uint32_t kind,
                    uint64_t time_s,
                    struct span identity,
                    struct inbox_key *ret_key);
/* Where an event may be found: under the first key it is stored, under the others it may have been
 * when it was delivered before. A slash command has no time of its own, only that of its delivery:
 * it lies in the hour of that, and a repetition looks into the hour before as well. Which event it
 * is says its trigger_id, which is part of the payload and so the same over both transports; an
 * envelope_id is a socket's. Returns how many keys there are. */
#define INBOX_KEY_COUNT_MAX 2
uint32_t inbox_keys_make(uint32_t kind,
                         uint64_t time_s,
                         struct span identity,
                         struct inbox_key ret_keys[INBOX_KEY_COUNT_MAX]);
/* All keys that sort before the result are older than CORE_INBOX_KEEP_MS and may be deleted. */
void inbox_prune_bound(uint64_t now_ms, struct inbox_key *ret_bound);

#endif
