/* SPDX-License-Identifier: Apache-2.0 */
/* keys.h: the tables of the store and the layout of their keys. Numbers in keys are big-endian, so
 * that byte order is their order. Keys of what belongs to a request begin with its id, so that a
 * press touches neighbouring pages.
 *
 * | table      | key                                   | value                                  |
 * | requests   | id                                    | u64 audit link, codec_request          |
 * | pending    | id                                    | u8 1                                   |
 * | deadlines  | u64 ms, id                            | u8 1                                   |
 * | intents    | SHA-256 of token id, idempotency key  | id, 32 bytes of body hash              |
 * | owed       | id, u8 surface, target                | codec_row: work is left                |
 * | settled    | id, u8 surface, target                | codec_row: shown; channel and ts kept  |
 * | dead       | id, u8 surface, target                | codec_row: given up                    |
 * | events     | inbox key                             | u8 1, u8 flags, u8 refusal             |
 * | inbox      | u64 seq                               | codec_inbox                            |
 * | waiting    | id, u8 verdict, u64 seq               | u8 1: the entry is in the inbox        |
 * | heads      | policy name                           | u32 version                            |
 * | policies   | policy name, NUL, u32 version         | codec_policy                           |
 * | freezes    | name                                  | codec_freeze                           |
 * | tokens     | u64 token id                          | codec_token                            |
 * | delegations| substitute's user id, NUL, u64 id      | codec_delegation                       |
 * | step_ups   | user id                               | codec_step_up                          |
 * | audit      | u64 seq                               | 32 hash, u64 audit link, entry's bytes |
 * | meta       | "counts", "anchor", "retention",      | work.c, audit_log.c, codec_retention,  |
 * |            | "prune_clock", "elapsed", "glass",    | prune.c, work.c, glass.c,              |
 * |            | "gate_sweep"                          | gate_sweep.c                           |
 *
 * An audit link is the seq of the newest entry about the request (in an audit row: of the one
 * before it), 0 for none: the entries of one request are a list from the newest on. A row of the
 * outbox is in exactly one of owed, settled and dead. */
#ifndef APPROVALD_SERVICE_KEYS_H
#define APPROVALD_SERVICE_KEYS_H

#include "approvald/core/types.h"
#include "base/span.h"

enum table {
    TABLE_REQUESTS = 'r',
    TABLE_PENDING = 'p',
    TABLE_DEADLINES = 'd',
    TABLE_INTENTS = 'k',
    TABLE_OWED = 'o',
    TABLE_SETTLED = 'c',
    TABLE_DEAD = 'z',
    TABLE_EVENTS = 'x',
    TABLE_INBOX = 'i',
    TABLE_WAITING = 'w',
    TABLE_HEADS = 'h',
    TABLE_POLICIES = 'l',
    TABLE_FREEZES = 'f',
    TABLE_TOKENS = 't',
    TABLE_DELEGATIONS = 'g',
    TABLE_STEP_UPS = 's',
    TABLE_AUDIT = 'a',
    TABLE_META = 'm',
};

#define KEY_SIZE_MAX (REQUEST_ID_SIZE + 1 + CORE_NAME_SIZE_MAX)
struct key {
    uint8_t bytes[KEY_SIZE_MAX];
    size_t size;
};

struct span key_span(const struct key *key); /* borrowed from key */
struct key key_request(const struct request_id *id);
struct key key_deadline(uint64_t deadline_ms, const struct request_id *id);
bool key_deadline_parse(struct span bytes, uint64_t *ret_deadline_ms, struct request_id *ret_id);
struct key key_row(const struct request_id *id, enum surface surface, struct span target);
bool key_is_of_request(struct span bytes, const struct request_id *id);
struct key key_u64(uint64_t number);
bool key_u64_parse(struct span bytes, uint64_t *ret_number);
struct key key_waiting(const struct request_id *id, enum verdict verdict, uint64_t seq);
/* False: of another request, or another verdict. */
bool key_waiting_parse(struct span bytes,
                       const struct request_id *id,
                       enum verdict verdict,
                       uint64_t *ret_seq);
struct key key_policy(struct span name, uint32_t version);
struct key key_delegation(struct span to, uint64_t id);
bool key_is_delegation_to(struct span bytes, struct span to);
struct key key_text(struct span text);

/* SHA-256(u64 token id || key), the key of an intent. */
#define INTENT_SIZE 32
void intent_make(uint64_t token_id, struct span idempotency_key, uint8_t ret_intent[INTENT_SIZE]);

#endif
