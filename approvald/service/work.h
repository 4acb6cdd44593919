/* SPDX-License-Identifier: Apache-2.0 */
/* work.h: what a job does with the store, on the writer thread. Everything changed here is one
 * transaction; any error returned from a job undoes all of it. */
#ifndef APPROVALD_SERVICE_WORK_H
#define APPROVALD_SERVICE_WORK_H

#include "approvald/core/approval.h"
#include "approvald/service/internal.h"

struct storage_txn;

struct work {
    struct writer *writer;
    struct storage_txn *txn;
    struct job *job;
    struct err *err;
    uint64_t now_ms;
    size_t put_size;  /* bytes written by this job so far */
    size_t put_count; /* changes */
};

/* Keys are built from our own limits, so ERR_NOT_FOUND is the only answer besides failure. */
enum err_code
work_get(struct work *work, enum table table, struct key key, struct span *ret_value) WARN_UNUSED;
enum err_code
work_put(struct work *work, enum table table, struct key key, struct span value) WARN_UNUSED;
enum err_code work_delete(struct work *work, enum table table, struct key key) WARN_UNUSED;
/* A one-byte value: the key says it all. */
enum err_code work_mark(struct work *work, enum table table, struct key key) WARN_UNUSED;
/* A long job may begin another piece: what one request takes at most fits behind it. */
bool work_has_room(const struct work *work);
/* The writer's buffer for values, empty. */
struct buf *work_row(struct work *work);

enum err_code work_counts_put(struct work *work) WARN_UNUSED;
/* The jumps of the time of records. */
enum err_code work_elapsed_put(struct work *work) WARN_UNUSED;
/* At start: counts, audit head and what is known of the time, from the store. */
enum err_code work_recover(struct work *work) WARN_UNUSED;

/* A request with the version of the policy that it pins, as one job sees and changes it. */
struct subject {
    struct request request;
    struct policy policy;
    uint64_t link; /* newest audit entry about it */
    bool dirty;    /* subject_store has something to write */
};
/* ERR_NOT_FOUND, ERR_CORRUPT. */
enum err_code subject_load(struct work *work,
                           const struct request_id *id,
                           struct subject *ret_subject) WARN_UNUSED;
enum err_code subject_store(struct work *work, struct subject *subject) WARN_UNUSED;
/* Writes what a step of the rules asks for, except the request's row: subject_store does. before
 * is NULL for a new request. */
enum err_code subject_apply(struct work *work,
                            struct subject *subject,
                            const struct request *before,
                            const struct actor *actor,
                            const struct approval_effects *effects) WARN_UNUSED;
/* The outbox rows of effects' raises, and of the copies; ids are the seqs of the audit entries. */
enum err_code rows_raise(struct work *work,
                         const struct request *request,
                         const struct approval_effects *effects,
                         const uint64_t *audit_seqs) WARN_UNUSED;

/* ERR_NOT_FOUND: no such policy. */
enum err_code
work_policy_head(struct work *work, struct span name, uint32_t *ret_version) WARN_UNUSED;
enum err_code work_policy_get(struct work *work,
                              struct span name,
                              uint32_t version,
                              struct policy *ret_policy) WARN_UNUSED;

/* The policy as it is now. *ret_found: there is one of that name. */
enum err_code work_policy_now(struct work *work,
                              struct span name,
                              struct policy *ret_policy,
                              bool *ret_found) WARN_UNUSED;

/* One entry. subject may be NULL, has_id tells whether id is set; a subject's link is moved on. */
struct audit_write {
    struct span action;
    const struct actor *actor;
    const struct request_id *id; /* or NULL */
    struct span detail;
};
enum err_code work_audit(struct work *work,
                         const struct audit_write *write,
                         struct subject *subject,
                         uint64_t *ret_seq) WARN_UNUSED;

/* Outbox rows. */
enum row_where { ROW_NOWHERE = 0, ROW_OWED, ROW_SETTLED, ROW_DEAD };
/* *ret_where ROW_NOWHERE: none, and *ret_row is a new one. */
enum err_code work_row_get(struct work *work,
                           const struct request_id *id,
                           enum surface surface,
                           struct span target,
                           struct outbox_row *ret_row,
                           enum row_where *ret_where) WARN_UNUSED;
/* Puts the row where it belongs now and removes it from where it was. */
enum err_code
work_row_put(struct work *work, const struct outbox_row *row, enum row_where where) WARN_UNUSED;
/* One row is owed what the raise says. */
enum err_code row_raise(struct work *work,
                        const struct request *request,
                        const struct approval_effects *effects,
                        const struct approval_raise *raise,
                        const uint64_t *audit_seqs) WARN_UNUSED;

/* copies.c. The people who have a copy of a request's card, or are owed one. */
struct copies {
    uint32_t count;
    char users[CORE_COPY_COUNT_MAX][CORE_SLACK_ID_SIZE_MAX + 1];
};
enum err_code
copies_find(struct work *work, const struct request_id *id, struct copies *ret_copies) WARN_UNUSED;
/* A row of a request has died: when no channel took the card of a pending one, the people of its
 * policy are asked directly from now on, and who waits for it is told. */
enum err_code copies_rescue(struct work *work, const struct outbox_row *card) WARN_UNUSED;
/* What the effects say of copies. */
enum err_code copies_raise(struct work *work,
                           const struct request *request,
                           const struct approval_effects *effects,
                           const uint64_t *audit_seqs) WARN_UNUSED;

/* outbox_look.c. Has the request its outcome? One that cannot be read has none that could be shown.
 */
bool look_is_ended(struct work *work, const struct request_id *id);

/* refresh.c. Somebody pressed what a message that shows the newest state does not have: the
 * request's messages are owed again, except those that are owed already. */
enum err_code refresh_pressed(struct work *work, const struct subject *subject) WARN_UNUSED;
/* Has a card of this state that button? */
bool refresh_is_offered(const struct request *request, enum verdict verdict);

/* Owes a person an ephemeral sentence. */
struct notice {
    const struct request_id *id;
    struct span user;
    struct span channel;
    struct span thread;
    struct span text;
    uint64_t audit_seq;
};
enum err_code work_notice(struct work *work, const struct notice *notice) WARN_UNUSED;

/* Outside events. */
struct event_seen {
    bool deferred;
    enum refusal refusal;
};
/* ERR_NOT_FOUND: it is new. */
enum err_code
event_get(struct work *work, const struct inbox_key *key, struct event_seen *ret_seen) WARN_UNUSED;
enum err_code event_put(struct work *work,
                        const struct inbox_key *key,
                        const struct event_seen *seen) WARN_UNUSED;

/* Answers: appended to the job's out by the writer, read on the loop. NULL: none. */
enum err_code answer_request(struct work *work, const struct request *request) WARN_UNUSED;
enum err_code answer_policy(struct work *work, const struct policy *policy) WARN_UNUSED;
enum err_code answer_row(struct work *work, const struct outbox_row *row) WARN_UNUSED;
/* Both of a subject, or none of NULL. */
enum err_code answer_subject(struct work *work, const struct subject *subject) WARN_UNUSED;

#endif
