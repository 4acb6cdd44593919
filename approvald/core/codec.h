/* SPDX-License-Identifier: Apache-2.0 */
/* codec.h: the stored form of every record. Numbers are little-endian, a text is a u16 length and
 * its bytes, a list is a u8 count and its members; the first byte is the format's version. The
 * layout of each record stands in its codec_*.c.
 *
 * Encoders append and fail with ERR_TOO_LARGE or ERR_NOMEM. Decoders answer ERR_CORRUPT for
 * anything an encoder does not write: another version, an unknown number, a count past its bound,
 * bytes missing or left over. Spans of what they return borrow from bytes. Pure. */
#ifndef APPROVALD_CORE_CODEC_H
#define APPROVALD_CORE_CODEC_H

#include "approvald/core/inbox.h"
#include "approvald/core/totp.h"
#include "approvald/core/types.h"
#include "base/crypto.h"
#include "base/err.h"

struct buf;

enum err_code
codec_request_encode(const struct request *request, struct buf *buf, struct err *err) WARN_UNUSED;
enum err_code
codec_request_decode(struct span bytes, struct request *ret_request, struct err *err) WARN_UNUSED;

enum err_code
codec_policy_encode(const struct policy *policy, struct buf *buf, struct err *err) WARN_UNUSED;
enum err_code
codec_policy_decode(struct span bytes, struct policy *ret_policy, struct err *err) WARN_UNUSED;

/* How long ended records stay; versioned like a policy. */
struct retention {
    uint32_t version; /* 0: never applied, the defaults */
    uint64_t requests_ms;
    uint64_t audit_ms;
    uint64_t applied_ms;
    struct span applied_by;
};
enum err_code codec_retention_encode(const struct retention *retention,
                                     struct buf *buf,
                                     struct err *err) WARN_UNUSED;
enum err_code codec_retention_decode(struct span bytes,
                                     struct retention *ret_retention,
                                     struct err *err) WARN_UNUSED;

enum err_code
codec_row_encode(const struct outbox_row *row, struct buf *buf, struct err *err) WARN_UNUSED;
enum err_code
codec_row_decode(struct span bytes, struct outbox_row *ret_row, struct err *err) WARN_UNUSED;

struct token_record {
    uint64_t id;
    uint8_t hash[32]; /* SHA-256 of the secret */
    struct span name;
    bool may_ask;
    bool may_decide;
    bool may_read;
    bool revoked;
    struct span user;
    uint32_t policy_count;
    struct span policies[CORE_TOKEN_POLICY_COUNT_MAX];
    uint32_t rate_per_minute;
    uint64_t created_ms;
    uint64_t expires_ms;
};
enum err_code
codec_token_encode(const struct token_record *token, struct buf *buf, struct err *err) WARN_UNUSED;
enum err_code
codec_token_decode(struct span bytes, struct token_record *ret_token, struct err *err) WARN_UNUSED;

/* Somebody stands in for an approver for a time. */
struct delegation {
    uint64_t id;
    struct span from; /* the approver */
    struct span to;   /* his substitute */
    uint64_t begin_ms;
    uint64_t end_ms; /* it is over then */
    uint64_t made_ms;
    struct span made_by; /* as the audit log says it */
};
enum err_code codec_delegation_encode(const struct delegation *delegation,
                                      struct buf *buf,
                                      struct err *err) WARN_UNUSED;
enum err_code codec_delegation_decode(struct span bytes,
                                      struct delegation *ret_delegation,
                                      struct err *err) WARN_UNUSED;

/* Somebody is enrolled for one-time codes. */
struct step_up {
    struct span user;
    uint64_t enrolled_ms;
    struct span enrolled_by; /* as the audit log says it */
    uint8_t nonce[CRYPTO_NONCE_SIZE];
    struct span sealed; /* the seed, sealed about the user */
    struct totp_state state;
};
enum err_code
codec_step_up_encode(const struct step_up *step_up, struct buf *buf, struct err *err) WARN_UNUSED;
enum err_code
codec_step_up_decode(struct span bytes, struct step_up *ret_step_up, struct err *err) WARN_UNUSED;

/* A press that waits for facts. */
struct inbox_entry {
    uint64_t seq;
    uint64_t at_ms;
    struct request_id id;
    struct actor actor;
    enum verdict verdict;
    struct span reason;
    bool has_key;
    struct inbox_key key; /* of its deduplication row, to record the answer there */
    struct span channel;  /* where it was pressed */
    struct span thread;
    uint32_t group_count; /* of the pinned policy: whose members must be known */
    struct span groups[CORE_POLICY_GROUP_COUNT_MAX];
    struct span requester; /* when his groups must be known too; else empty */
    bool stepped;          /* its one-time code has counted */
};
enum err_code
codec_inbox_encode(const struct inbox_entry *entry, struct buf *buf, struct err *err) WARN_UNUSED;
enum err_code
codec_inbox_decode(struct span bytes, struct inbox_entry *ret_entry, struct err *err) WARN_UNUSED;

#endif
