/* SPDX-License-Identifier: Apache-2.0 */
/* audit.h: entries of the audit log and their hash chain. Pure.
 *
 * hash(n) = SHA-256(hash(n - 1) || bytes(n)); before the first entry stand 32 zero bytes. The bytes
 * of an entry, numbers little-endian, a text being a u16 length and its bytes:
 *   u8 version (1) | u64 seq | u64 at_ms | text action | text actor | text via |
 *   u8 has_id | 16 bytes of request id when has_id is 1 | text detail */
#ifndef APPROVALD_CORE_AUDIT_H
#define APPROVALD_CORE_AUDIT_H

#include "approvald/core/types.h"
#include "base/err.h"

struct buf;

#define AUDIT_HASH_SIZE 32
/* "user:U… for:U… token:name" with a NUL */
#define AUDIT_ACTOR_SIZE      (3 * CORE_NAME_SIZE_MAX + 16)
#define AUDIT_DETAIL_SIZE_MAX CORE_TEXT_SIZE_MAX /* bytes; longer text is cut */

/* What happened. The words are stable: they are in the audit log, in webhooks (event names) and in
 * the API. The numbers are stored in outbox items: new ones go to the end. */
#define AUDIT_ACTION_TABLE(X)                                                                      \
    X(AUDIT_CREATED, "created")     /* a request */                                                \
    X(AUDIT_APPROVAL, "approval")   /* one person said yes */                                      \
    X(AUDIT_REJECTION, "rejection") /* one person said no */                                       \
    X(AUDIT_APPROVED, "approved")   /* outcomes … */                                             \
    X(AUDIT_REJECTED, "rejected")                                                                  \
    X(AUDIT_EXPIRED, "expired")                                                                    \
    X(AUDIT_CANCELLED, "cancelled")                                                                \
    X(AUDIT_CLAIMED, "claimed") /* use of an approval … */                                       \
    X(AUDIT_CONSUMED, "consumed")                                                                  \
    X(AUDIT_LAPSED, "lapsed")                                                                      \
    X(AUDIT_REFUSED, "refused")   /* a press or call changed nothing */                            \
    X(AUDIT_DEFERRED, "deferred") /* waits in the inbox for facts */                               \
    X(AUDIT_NOTICE, "notice")     /* somebody is owed a sentence */                                \
    X(AUDIT_POLICY_APPLIED, "policy_applied")                                                      \
    X(AUDIT_POLICY_DELETED, "policy_deleted")                                                      \
    X(AUDIT_RETENTION_APPLIED, "retention_applied")                                                \
    X(AUDIT_TOKEN_ADDED, "token_added")                                                            \
    X(AUDIT_TOKEN_REVOKED, "token_revoked")                                                        \
    X(AUDIT_OUTBOX_DEAD, "outbox_dead") /* given up: a dead letter */                              \
    X(AUDIT_OUTBOX_REPLAYED, "outbox_replayed")                                                    \
    X(AUDIT_PRUNED, "pruned")          /* old records removed by retention */                      \
    X(AUDIT_REMINDED, "reminded")      /* approvers, before it expires */                          \
    X(AUDIT_ESCALATED, "escalated")    /* more people may decide */                                \
    X(AUDIT_DELAYED, "effect_delayed") /* the quorum is met; it takes effect later */              \
    X(AUDIT_MOVED, "effect_moved")     /* a time in which nobody could stop it does not count */   \
    X(AUDIT_DELEGATED, "delegation_added") /* somebody named who stands in for him */              \
    X(AUDIT_UNDELEGATED, "delegation_ended")                                                       \
    X(AUDIT_ENROLLED, "step_up_enrolled") /* for one-time codes */                                 \
    X(AUDIT_UNENROLLED, "step_up_removed")                                                         \
    X(AUDIT_UNLOCKED, "step_up_unlocked") /* after wrong codes */                                  \
    X(AUDIT_GLASS, "break_glass")         /* approved by its own requester, past the approvers */  \
    X(AUDIT_HELD, "held") /* a claim was, or would be, too early: a window or a freeze */          \
    X(AUDIT_FREEZE_ADDED, "freeze_added")                                                          \
    X(AUDIT_FREEZE_REMOVED, "freeze_removed")                                                      \
    X(AUDIT_RELEASED, "released")             /* nothing is in the way of a claim any more */      \
    X(AUDIT_UNPOSTED, "asked_directly")       /* no channel took the card of a request */          \
    X(AUDIT_OUTBOX_DROPPED, "outbox_dropped") /* Slack does not know the person, or no more */

enum audit_action {
    AUDIT_NONE = 0,
#define AUDIT_ACTION_ENUM(code, word) code,
    AUDIT_ACTION_TABLE(AUDIT_ACTION_ENUM)
#undef AUDIT_ACTION_ENUM
};

/* Never NULL; "" for a number that is none. */
const char *audit_action_word(enum audit_action action);

struct audit_entry {
    uint64_t seq; /* from 1, without gaps */
    uint64_t at_ms;
    struct span action;
    struct span actor; /* "user:U…", "token:name", "user:U… token:name", "root", "system"; who
                          decided in another's place: "user:U… for:U…" */
    struct span via;   /* "slack", "api", "cli", "system" */
    bool has_id;
    struct request_id id;
    struct span detail;
};

/* Appends the bytes of an entry. */
enum err_code
audit_entry_encode(const struct audit_entry *entry, struct buf *buf, struct err *err) WARN_UNUSED;
/* ERR_CORRUPT. Spans borrow from bytes. */
enum err_code
audit_entry_decode(struct span bytes, struct audit_entry *ret_entry, struct err *err) WARN_UNUSED;
/* previous and ret_hash may be the same memory. */
void audit_chain(const uint8_t previous[AUDIT_HASH_SIZE],
                 struct span bytes,
                 uint8_t ret_hash[AUDIT_HASH_SIZE]);

/* The actor as one word, with a NUL. */
void audit_actor_format(const struct actor *actor, char ret_text[AUDIT_ACTOR_SIZE]);
const char *audit_via_word(enum via via);

#endif
