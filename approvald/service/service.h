/* SPDX-License-Identifier: Apache-2.0 */
/* service.h: what approvald can do, for the rooms that speak with the outside (http, slack, ctl's
 * local socket). Every use case is one storage transaction: rules from core, records, audit entry,
 * outbox rows, dedup keys together or not at all.
 *
 * All functions are called on the loop thread and never block. Arguments are copied during the
 * call. Answers come once, on the loop thread, after the commit, so an answer may be spoken. A
 * function that returns an error does not call back (ERR_FULL, ERR_NOSPACE, ERR_UNAVAILABLE: say
 * 503 and Retry-After; ERR_NOMEM). What a callback gets is valid during the callback.
 *
 * Codes in callbacks: ERR_OK; ERR_INVALID (message says which field and how to fix it);
 * ERR_NOT_FOUND, ERR_DENIED, ERR_CONFLICT, ERR_EXPIRED, ERR_FULL with a refusal; ERR_UNKNOWN_FATE.
 */
#ifndef APPROVALD_SERVICE_SERVICE_H
#define APPROVALD_SERVICE_SERVICE_H

#include "approvald/core/fields.h"
#include "approvald/core/outbox.h"
#include "approvald/core/types.h"
#include "approvald/service/limits.h"
#include "base/err.h"
#include "base/span.h"

struct clock;
struct metrics;
struct rng;
struct service;
struct storage;

struct service_options {
    struct storage *storage;   /* borrowed */
    struct metrics *metrics;   /* borrowed */
    const struct rng *rng;     /* NULL: this host's */
    const struct clock *clock; /* NULL: this host's; for token rates only, records have storage's */
    uint32_t open_count_max;   /* pending requests at once; 0: the default */
    struct span step_up_key;   /* what the seeds of one-time codes are sealed with, of any size;
                                  empty: nobody can be enrolled, and no code counts */
    const char *zone_folder;   /* borrowed; NULL: this host's zones of time */
};

/* Reads what it keeps in memory (tokens, policies' heads, counts). Blocks until read. */
enum err_code service_new(const struct service_options *options,
                          struct service **ret_service,
                          struct err *err) WARN_UNUSED;
/* After storage_close, which answers what is under way. NULL is allowed. */
void service_free(struct service *service);

/* Called on the loop after every commit that changed a request or its outbox rows: the outbox
 * sender and the long polls listen. At most SERVICE_LISTENER_COUNT_MAX. */
typedef void service_changed_fn(void *arg, const struct request_id *id);
void service_listen(struct service *service, service_changed_fn *changed, void *arg);

/* What is known of a person now; at once, on the loop. */
typedef void service_facts_fn(void *arg, struct span user, struct facts *ret_facts);
/* Whom a claim asks about those who approved, where its policy says recheck; without one nobody is
 * known to be gone. */
void service_set_facts(struct service *service, service_facts_fn *facts, void *arg);

/* The answer about one request. */
struct service_answer {
    enum refusal refusal;          /* REFUSAL_NONE when rc is ERR_OK */
    bool replayed;                 /* the same intent was answered before; this is that answer */
    bool deferred;                 /* facts are missing: the event is durable in the inbox */
    const struct request *request; /* the state after the call; NULL when unknown */
    const struct policy *policy;   /* the pinned version; NULL when unknown */
};
typedef void service_request_fn(void *arg,
                                enum err_code rc,
                                const struct err *err,
                                const struct service_answer *answer);

/* In the place of a token's id: idempotency keys of requests from Slack are their own. */
#define SERVICE_SLACK_ID UINT64_MAX

struct service_create {
    struct actor actor;
    const struct facts *facts;   /* VIA_SLACK: of the person who asks; else NULL */
    uint64_t token_id;           /* 0 on the local socket */
    struct span idempotency_key; /* may be empty: then each call is an intent of its own */
    uint8_t body_hash[32];       /* of the request body, to tell one intent from another */
    struct span policy;
    struct span requester; /* Slack user id or empty; never the actor's choice when its token
                              is bound to a user */
    struct span title;
    struct span reason;
    struct span target;
    struct span details;
    struct field_values fields; /* of the policy; labels are not looked at */
    bool bound;
    uint8_t bind_hash[32];
    uint64_t expires_after_ms; /* 0: the policy's; never longer than the policy's */
};
/* Over Slack a person asks, for himself: only under policies that say ask_in_slack, only when the
 * facts say that he is somebody who may, and a refusal is audited. */
enum err_code service_create(struct service *service,
                             const struct service_create *create,
                             service_request_fn *done,
                             void *arg,
                             struct err *err) WARN_UNUSED;

/* A strong read. */
enum err_code service_get(struct service *service,
                          const struct request_id *id,
                          service_request_fn *done,
                          void *arg,
                          struct err *err) WARN_UNUSED;

/* What makes one outside event the same as another: kept until it cannot come again. */
struct service_event_key {
    uint32_t kind;    /* enum inbox_kind of core/inbox.h; 0: no outside event (API, CLI) */
    uint64_t time_s;  /* of the event itself, from signed bytes: bounds the search */
    struct span text; /* identity: event_id, trigger_id, or user + action_ts + message + action */
};

struct service_decide {
    struct actor actor; /* user is set; root only breaks the glass */
    struct request_id id;
    enum verdict verdict;
    struct span reason; /* may be empty */
    struct facts facts;
    struct service_event_key key;
    struct span channel; /* where it was pressed, for an ephemeral answer; may be empty */
    struct span thread;  /* ts, may be empty */
    struct span code;    /* one-time code, as typed; empty: none. Not kept beyond the decision */
    bool quiet; /* the caller shows a refusal himself, at once; one that comes later, from the
                   inbox, is owed all the same */
};
/* Decision, terminal state if the quorum is met, audit, outbox, dedup key in one transaction.
 * VERDICT_GLASS breaks the glass (core/glass.h): its actor may be root, and it needs a reason. When
 * the policy needs facts that are not known, the event goes to the inbox in the same transaction
 * (answer->deferred) and is decided by service_inbox_resolve. A refusal of an ACTOR_PERSON over
 * Slack also owes him a notice, unless it is quiet. A second delivery of the same key gets the
 * first one's answer (replayed) and owes nothing. */
enum err_code service_decide(struct service *service,
                             const struct service_decide *decide,
                             service_request_fn *done,
                             void *arg,
                             struct err *err) WARN_UNUSED;

/* Records an outside event that changes no request (opening a modal, a slash command, an event):
 * ERR_OK when it is new, ERR_EXISTS when it was seen before; either way it is durable. detail goes
 * to the audit log when audit is set. */
struct service_note {
    struct service_event_key key;
    struct actor actor;
    bool audit;
    bool has_id;
    struct request_id id; /* when has_id */
    struct span action;   /* short word for the audit log */
    struct span detail;
};
typedef void service_done_fn(void *arg, enum err_code rc, const struct err *err);
enum err_code service_note(struct service *service,
                           const struct service_note *note,
                           service_done_fn *done,
                           void *arg,
                           struct err *err) WARN_UNUSED;

/* Owes a person an ephemeral sentence about a request (refused press, out-of-date message). */
enum err_code service_notice(struct service *service,
                             const struct request_id *id,
                             struct span user,
                             struct span channel,
                             struct span thread,
                             struct span text,
                             service_done_fn *done,
                             void *arg,
                             struct err *err) WARN_UNUSED;
/* Raises the wanted revision of every live surface of a request: repairs a stale card. */
enum err_code service_refresh(struct service *service,
                              const struct request_id *id,
                              service_done_fn *done,
                              void *arg,
                              struct err *err) WARN_UNUSED;

struct service_inbox_entry {
    uint64_t seq;
    uint64_t at_ms;
    struct request_id id;
    struct span user;
    uint32_t group_count; /* whose members must be known */
    struct span groups[CORE_POLICY_GROUP_COUNT_MAX];
    struct span requester; /* whose membership in them must be known too, or empty */
};
/* The oldest entries after seq (0: from the first), at most count_max (≤ SERVICE_PAGE_COUNT_MAX).
 */
typedef void service_inbox_fn(void *arg,
                              enum err_code rc,
                              const struct err *err,
                              const struct service_inbox_entry *entries,
                              size_t count);
enum err_code service_inbox_list(struct service *service,
                                 uint64_t after_seq,
                                 size_t count_max,
                                 service_inbox_fn *done,
                                 void *arg,
                                 struct err *err) WARN_UNUSED;
/* Decides an inbox entry with the facts now known and removes it; facts still unknown after the
 * inbox's give-up time refuse it with a notice that says to press again. */
enum err_code service_inbox_resolve(struct service *service,
                                    uint64_t seq,
                                    const struct facts *facts,
                                    bool give_up,
                                    service_request_fn *done,
                                    void *arg,
                                    struct err *err) WARN_UNUSED;
uint64_t service_inbox_depth(const struct service *service);
/* Of the newest entry that there ever was. */
uint64_t service_inbox_seq(const struct service *service);

struct service_cancel {
    struct actor actor; /* the asker's token, the requester in Slack, or root */
    struct request_id id;
    struct span reason;
    struct service_event_key key;
};
enum err_code service_cancel(struct service *service,
                             const struct service_cancel *cancel,
                             service_request_fn *done,
                             void *arg,
                             struct err *err) WARN_UNUSED;
/* Succeeds exactly once; the same claim_key (may be empty) again gets the same answer (replayed)
 * until the result is recorded. bind_hash has to be given exactly when the request is bound. Under
 * a policy with recheck, approvers and rules are looked at again, in the claim's own transaction.
 */
enum err_code service_claim(struct service *service,
                            const struct actor *actor,
                            const struct request_id *id,
                            const uint8_t *bind_hash /* 32 or NULL */,
                            struct span claim_key,
                            service_request_fn *done,
                            void *arg,
                            struct err *err) WARN_UNUSED;
/* Once; the same result again is the same answer (replayed), another one is REFUSAL_CONSUMED. */
enum err_code service_consume(struct service *service,
                              const struct actor *actor,
                              const struct request_id *id,
                              int32_t result,
                              service_request_fn *done,
                              void *arg,
                              struct err *err) WARN_UNUSED;

struct service_list {
    uint32_t states;    /* bit set: 1 << enum request_state; 0: all */
    struct span policy; /* or empty */
    struct span asker;  /* or empty */
    bool has_before;
    struct request_id before; /* page on: only older ones */
    size_t count_max;         /* ≤ SERVICE_PAGE_COUNT_MAX */
};
/* Newest first. more: there may be older ones, page on from *next. */
typedef void service_list_fn(void *arg,
                             enum err_code rc,
                             const struct err *err,
                             const struct request *const *requests,
                             size_t count,
                             bool more,
                             const struct request_id *next);
enum err_code service_list(struct service *service,
                           const struct service_list *list,
                           service_list_fn *done,
                           void *arg,
                           struct err *err) WARN_UNUSED;

/* What one person has to do with: open requests that he may decide and has not, those that expire
 * first first; his own open requests, newest first; those that ended lately and that he asked for
 * or decided, the last one first. */
enum service_home_part { HOME_WAITING, HOME_MINE, HOME_RECENT, HOME_PART_COUNT };
struct service_home {
    struct span user;
    struct facts facts; /* about him; groups not known are taken for such that he is not in */
    uint32_t pages[HOME_PART_COUNT]; /* from 0; one behind the last is the last */
    bool trusts; /* whom he stands in for is taken for a member when nothing is known of him */
};
struct service_home_item {
    const struct request *request;
    const struct policy *policy;
    const struct outbox_row *card; /* NULL: not posted */
};
struct service_home_list {
    size_t count;
    struct service_home_item items[SERVICE_HOME_ITEM_MAX];
    uint32_t page;  /* shown */
    bool more;      /* there is a page behind it */
    uint32_t total; /* all of them, on all pages; 0 for HOME_RECENT */
    bool cut;       /* there may be more: too many were open to look at each */
};
struct service_home_answer {
    bool ready;   /* else ask again in a moment: what is open is not known yet */
    bool unknown; /* groups of policies are not known yet: more may wait */
    struct service_home_list parts[HOME_PART_COUNT];
};
/* answer is NULL unless rc is ERR_OK. */
typedef void service_home_fn(void *arg,
                             enum err_code rc,
                             const struct err *err,
                             const struct service_home_answer *answer);
/* A strong read, whose cost is bounded however many requests are open (book.h). */
enum err_code service_home(struct service *service,
                           const struct service_home *home,
                           service_home_fn *done,
                           void *arg,
                           struct err *err) WARN_UNUSED;

/* Time: expires, lapses, prunes what is due; call when service_deadline_ms (wall) has come, and at
 * least once a minute. Bounded work per call. */
enum err_code service_tick(struct service *service, struct err *err) WARN_UNUSED;
uint64_t service_deadline_ms(const struct service *service);

/* Outbox. The sender keeps what is owed small in memory and asks for the rest by pages. */
struct service_row_key {
    struct request_id request;
    enum surface surface;
    char target[CORE_NAME_SIZE_MAX + 1];
};
struct service_rows {
    const struct outbox_row *rows; /* valid during the call */
    const bool *ended;             /* of each live row: its request has its outcome */
    size_t count;
    bool more;
};
/* rows is never NULL; empty when rc is not ERR_OK. */
typedef void service_rows_fn(void *arg,
                             enum err_code rc,
                             const struct err *err,
                             const struct service_rows *rows);
/* Owed rows after *after (NULL: from the first) in key order; dead ones when dead is set, else live
 * ones. Or those of one request when only is set. */
enum err_code service_outbox_list(struct service *service,
                                  const struct service_row_key *after,
                                  const struct request_id *only,
                                  bool dead,
                                  size_t count_max,
                                  service_rows_fn *done,
                                  void *arg,
                                  struct err *err) WARN_UNUSED;
/* What is owed for one of the requests that were asked for. */
struct service_look {
    struct request_id request;
    size_t row_count; /* ≤ SERVICE_PAGE_COUNT_MAX; a request that owes more shows no more at once */
    bool ended;       /* rows are owed and it has its outcome */
};
struct service_looks {
    const struct service_look *looks; /* valid during the call, in the order of the question */
    size_t count;                     /* at least one; fewer than asked for when rows are many */
    const struct outbox_row *rows;    /* those of the first request, then of the next, … */
};
/* looks is never NULL; empty when rc is not ERR_OK. */
typedef void service_looks_fn(void *arg,
                              enum err_code rc,
                              const struct err *err,
                              const struct service_looks *looks);
/* The live rows of count requests (1 … SERVICE_LOOK_COUNT_MAX), which are copied. One question for
 * all of them: each question of a pair costs a round to the other host. */
enum err_code service_outbox_look(struct service *service,
                                  const struct request_id *requests,
                                  size_t count,
                                  service_looks_fn *done,
                                  void *arg,
                                  struct err *err) WARN_UNUSED;
/* The newest state to render. row->items[0] is the one to send for thread, notice and webhook.
 * row->attempted says that an earlier attempt may have happened: reconcile before repeating. */
struct service_attempt {
    const struct outbox_row *row;
    const struct outbox_row *card; /* of the request (for a thread: its ts); NULL: not posted yet */
    const struct request *request; /* NULL: no longer stored */
    const struct policy *policy;   /* NULL with it */
};
/* attempt is NULL when rc is not ERR_OK. */
typedef void service_attempt_fn(void *arg,
                                enum err_code rc,
                                const struct err *err,
                                const struct service_attempt *attempt);
/* Records the attempt, durably. ERR_NOT_FOUND: nothing is owed any more (or it is dead). */
enum err_code service_outbox_begin(struct service *service,
                                   const struct service_row_key *key,
                                   service_attempt_fn *done,
                                   void *arg,
                                   struct err *err) WARN_UNUSED;
/* enum outbox_result: core/outbox.h. */
struct service_outcome {
    enum outbox_result result;
    uint32_t revision;
    uint32_t item_id;
    struct span channel; /* where Slack put it; empty: unchanged */
    struct span ts;
    struct span error; /* for the admin; empty when sent */
    bool away;         /* of OUTBOX_UNKNOWN: a call of this attempt got out and may arrive later */
};
enum err_code service_outbox_end(struct service *service,
                                 const struct service_row_key *key,
                                 const struct service_outcome *outcome,
                                 service_done_fn *done,
                                 void *arg,
                                 struct err *err) WARN_UNUSED;
/* Makes a dead row live again. */
enum err_code service_outbox_replay(struct service *service,
                                    const struct service_row_key *key,
                                    const struct actor *actor,
                                    service_done_fn *done,
                                    void *arg,
                                    struct err *err) WARN_UNUSED;
uint64_t service_outbox_depth(const struct service *service);
uint64_t service_outbox_dead(const struct service *service);

/* Policies. text is the configuration syntax; apply parses and validates it whole. With dry_run the
 * difference is computed and nothing written. diff is text for people, json its JSON form. */
typedef void service_text_fn(void *arg, enum err_code rc, const struct err *err, struct span text);
enum err_code service_policy_apply(struct service *service,
                                   const struct actor *actor,
                                   struct span text,
                                   bool dry_run,
                                   bool delete_absent,
                                   service_text_fn *done /* JSON of the difference */,
                                   void *arg,
                                   struct err *err) WARN_UNUSED;
typedef void service_policies_fn(void *arg,
                                 enum err_code rc,
                                 const struct err *err,
                                 const struct policy *const *policies,
                                 size_t count);
/* All heads, or (name set) all versions of one, newest first. */
enum err_code service_policy_list(struct service *service,
                                  struct span name,
                                  service_policies_fn *done,
                                  void *arg,
                                  struct err *err) WARN_UNUSED;
/* The groups named by live policies and open requests, for the directory to keep fresh; at most
 * CORE_FACT_GROUP_COUNT_MAX; borrowed until the next call into the service. */
size_t service_groups(const struct service *service, const struct span **ret_groups);
/* The same of e-mail addresses; at most CORE_EMAIL_COUNT_MAX. */
size_t service_emails(const struct service *service, const struct span **ret_emails);

/* API tokens: "apv_" + 43 characters, stored as SHA-256, shown once. */
struct service_token {
    uint64_t id;
    struct span name;
    bool may_ask;
    bool may_decide;       /* then user is set */
    bool may_read;         /* list and audit */
    struct span user;      /* Slack user id it is bound to, or empty */
    uint32_t policy_count; /* 0: all */
    struct span policies[CORE_POLICY_GROUP_COUNT_MAX];
    uint32_t rate_per_minute; /* calls */
    uint64_t created_ms;
    uint64_t expires_ms; /* 0: never */
    bool revoked;
};
/* From memory, at once: ERR_UNAUTHENTICATED, ERR_EXPIRED, ERR_FULL (rate; *ret_retry_s says how
 * long). Constant time in the secret. *ret_token is borrowed until the next call into the service.
 */
enum err_code service_token_check(struct service *service,
                                  struct span secret,
                                  const struct service_token **ret_token,
                                  uint32_t *ret_retry_s,
                                  struct err *err) WARN_UNUSED;
/* done's text is the secret, once. */
enum err_code service_token_add(struct service *service,
                                const struct actor *actor,
                                const struct service_token *token,
                                service_text_fn *done,
                                void *arg,
                                struct err *err) WARN_UNUSED;
enum err_code service_token_revoke(struct service *service,
                                   const struct actor *actor,
                                   struct span name,
                                   service_done_fn *done,
                                   void *arg,
                                   struct err *err) WARN_UNUSED;
/* From memory; borrowed until the next call into the service. */
size_t service_token_list(const struct service *service, const struct service_token *const **ret);

/* Delegation: an approver who is out of office names who stands in for him, where the policy lets
 * it (core/rights.h). */
struct service_delegation {
    uint64_t id; /* given by service_delegate */
    struct span from;
    struct span to;
    uint64_t begin_ms; /* in the past: now */
    uint64_t end_ms;
    uint64_t made_ms;
    struct span made_by; /* as the audit log says it */
};
/* A person for himself, root for anybody. One substitute at a time: ERR_EXISTS. The same again is
 * ERR_OK. key may be NULL, or that of the event that asked for it. Once it is answered, memory
 * (below) has it too. */
enum err_code service_delegate(struct service *service,
                               const struct actor *actor,
                               const struct service_delegation *delegation,
                               const struct service_event_key *key,
                               service_done_fn *done,
                               void *arg,
                               struct err *err) WARN_UNUSED;
/* Root, the approver, or his substitute ends it; what was decided stays. ERR_NOT_FOUND. */
enum err_code service_undelegate(struct service *service,
                                 const struct actor *actor,
                                 uint64_t id,
                                 const struct service_event_key *key,
                                 service_done_fn *done,
                                 void *arg,
                                 struct err *err) WARN_UNUSED;
/* From memory: those that are not over; borrowed until the next call into the service. */
size_t service_delegation_list(const struct service *service,
                               const struct service_delegation **ret_delegations);
/* From memory: for whom this person stands in now; and who stands in for him. */
uint32_t service_stands_in_for(const struct service *service,
                               struct span user,
                               struct span ret_users[CORE_STAND_IN_COUNT_MAX]);
bool service_substitute(const struct service *service, struct span user, struct span *ret_user);
/* Adds to a person's facts what is known of those for whom he stands in. service_decide and
 * service_home do so themselves; who asks the rules directly, or resolves from the inbox, has to.
 */
void service_add_stand_ins(const struct service *service, struct span user, struct facts *facts);
/* Does any policy in force let approvers be stood in for? */
bool service_delegation_is_used(const struct service *service);
/* Called on the loop when delegations have changed. One listener. */
typedef void service_delegated_fn(void *arg);
void service_listen_delegations(struct service *service, service_delegated_fn *fn, void *arg);

/* One-time codes (core/totp.h) of people who approve under policies with step_up. done's text is
 * the new secret, once (enrol), JSON (list), or nothing. */
enum err_code service_step_up_enrol(struct service *service,
                                    const struct actor *actor,
                                    struct span user,
                                    service_text_fn *done,
                                    void *arg,
                                    struct err *err) WARN_UNUSED;
enum err_code service_step_up_remove(struct service *service,
                                     const struct actor *actor,
                                     struct span user,
                                     service_text_fn *done,
                                     void *arg,
                                     struct err *err) WARN_UNUSED;
/* After wrong codes. */
enum err_code service_step_up_unlock(struct service *service,
                                     const struct actor *actor,
                                     struct span user,
                                     service_text_fn *done,
                                     void *arg,
                                     struct err *err) WARN_UNUSED;
enum err_code service_step_up_list(struct service *service,
                                   service_text_fn *done,
                                   void *arg,
                                   struct err *err) WARN_UNUSED;

/* Audit. */
struct service_audit_entry {
    uint64_t seq;
    uint64_t at_ms;
    uint8_t hash[32];
    uint8_t previous[32];
    struct span action; /* word */
    struct span actor;  /* "user:U…", "token:name", "root", "system" */
    struct span via;
    bool has_id;
    struct request_id id;
    struct span detail;
    struct span bytes; /* what is hashed after previous, so that a stranger can verify */
};
typedef void service_audit_fn(void *arg,
                              enum err_code rc,
                              const struct err *err,
                              const struct service_audit_entry *entries,
                              size_t count,
                              bool more);
/* Oldest first from seq on; id NULL: all. */
enum err_code service_audit_list(struct service *service,
                                 uint64_t from_seq,
                                 const struct request_id *id,
                                 size_t count_max,
                                 service_audit_fn *done,
                                 void *arg,
                                 struct err *err) WARN_UNUSED;
/* Audits a refusal or an administrative act that changes no record. */
enum err_code service_audit_add(struct service *service,
                                const struct actor *actor,
                                const struct request_id *id,
                                struct span action,
                                struct span detail,
                                struct err *err) WARN_UNUSED;

struct service_counts {
    uint64_t pending;
    uint64_t inbox_depth;
    uint64_t outbox_owed;
    uint64_t outbox_dead;
    uint64_t audit_seq;
    uint64_t stored;              /* requests */
    uint64_t glass_count;         /* how often the glass was broken, ever */
    uint64_t glass_ms;            /* when last; 0: never */
    struct request_id glass_last; /* by which request */
};
void service_counts(const struct service *service, struct service_counts *ret_counts);

#endif
