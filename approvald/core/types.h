/* SPDX-License-Identifier: Apache-2.0 */
/* types.h: the words of the domain as plain data. Spans borrow from the bytes that a record was
 * decoded from, or from what the caller passed. Nothing here has behaviour. */
#ifndef APPROVALD_CORE_TYPES_H
#define APPROVALD_CORE_TYPES_H

#include "approvald/core/limits.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

/* 48 bits of milliseconds, 80 random bits, so that keys are in order of creation. As text:
 * "req_" and 26 characters of Crockford's base 32. */
#define REQUEST_ID_SIZE      16
#define REQUEST_ID_TEXT_SIZE 31 /* with the NUL */
struct request_id {
    uint8_t bytes[REQUEST_ID_SIZE];
};

enum request_state {
    REQUEST_PENDING = 1,
    REQUEST_APPROVED,
    REQUEST_REJECTED,
    REQUEST_EXPIRED,
    REQUEST_CANCELLED,
};

/* What was done with an approval. */
enum request_use {
    USE_NONE = 0, /* not approved */
    USE_UNUSED,
    USE_CLAIMED,
    USE_CONSUMED,
    USE_LAPSED,
};

/* VERDICT_GLASS breaks the glass: of an event alone, a request's decisions have the other two. */
enum verdict { VERDICT_APPROVE = 1, VERDICT_REJECT, VERDICT_GLASS };
enum via { VIA_SLACK = 1, VIA_API, VIA_CLI, VIA_SYSTEM };

/* Who acts. A deciding actor always has a user. */
enum actor_kind { ACTOR_PERSON = 1, ACTOR_TOKEN, ACTOR_ROOT, ACTOR_SYSTEM };
struct actor {
    enum actor_kind kind;
    enum via via;
    struct span user;   /* Slack user id (U… or W…), or empty */
    struct span token;  /* the token's name, or empty */
    struct span behalf; /* in an audit entry: the person in whose place he decided, or empty */
};

/* Approvals by distinct people of one kind. The needs of one alternative are all needed; one
 * alternative is enough. Bit sets of needs are of their indexes. core/quorum.h judges them. */
struct need {
    struct span name;     /* for people: "security" */
    uint32_t quorum;      /* how many people */
    uint32_t alternative; /* from 0 on, without gaps, never decreasing */
};

/* Somebody in whose place a person may decide, and the needs that he may fill there. */
struct behalf {
    struct span user;
    uint32_t needs; /* as those of a decision */
};

struct decision {
    enum verdict verdict;
    enum via via;
    uint32_t needs; /* bit set: those of the request that this person may fill, by what was known
                       when he decided; 0 when the request has none */
    uint64_t at_ms;
    struct span user;
    struct span reason; /* may be empty */
    /* Delegation: the rights that he had besides his own, by what was known then. Each right, his
     * own or another's, counts once in a request, whoever uses it: core/quorum.h. */
    bool no_own;           /* he has none of his own here */
    uint32_t behalf_count; /* of a rejection: 0, or 1 without an own one: the right it uses up */
    struct behalf behalfs[CORE_STAND_IN_COUNT_MAX];
};

/* What time will do to a pending request, and did: core/approval_time.c. All 0 without such
 * policies. */
struct request_clocks {
    uint64_t remind_ms;      /* when the approvers are reminded; 0: never, or it is done */
    uint64_t escalate_ms;    /* when more people are asked; 0: never, or it is done */
    uint64_t escalated_ms;   /* since when the policy's escalate_to may decide too, or 0 */
    uint64_t effect_from_ms; /* the quorum is met, and since then people may stop it, or 0 */
    uint64_t effect_ms;      /* … until the approval takes effect, or 0 */
};

/* Somebody approved his own request past its approvers, with a reason: core/glass.h. It is no
 * decision and fills no place. at_ms 0: nobody has. */
struct request_glass {
    uint64_t at_ms;
    enum via via;
    struct span user; /* Slack user id, or "root" */
    struct span reason;
};

/* An approval that may not be used yet, as it was found when that was looked at last: core/gate.h.
 * A claim looks anew. until_ms 0: nothing was in its way. */
struct request_hold {
    uint64_t until_ms;
    struct span freeze; /* its name; empty: the policy's windows */
    struct span reason; /* of the freeze */
};

struct request {
    struct request_id id;
    uint32_t revision; /* rises with every change that people can see */
    enum request_state state;
    enum request_use use;

    struct span policy; /* name */
    uint32_t policy_version;
    struct span requester; /* Slack user id; empty when a program asks for itself */
    struct span asker; /* name of the token that asked, "root" on the local socket, the person (U…)
                          who asked in Slack for somebody else, or empty */
    struct span title;     /* what is asked, one line */
    struct span reason;    /* why */
    struct span target;    /* on what: a host, a service, an environment */
    struct span details;   /* more text, or the command that will run; several lines */
    bool bound;            /* bind_hash is set: an approval holds for exactly these bytes */
    bool unposted;         /* no channel took its card: who may decide was asked directly */
    uint8_t bind_hash[32]; /* SHA-256 over what will run; documented in docs/api.md */
    struct span key_hash;  /* of the idempotency key, 32 bytes, or empty: for pruning */

    uint64_t created_ms;
    uint64_t expires_ms;
    uint64_t lapses_ms;     /* approved: when an unclaimed approval lapses; else 0 */
    uint64_t ended_ms;      /* when the outcome was reached, or 0 */
    uint64_t claimed_ms;    /* or 0 */
    struct span claim_hash; /* SHA-256 of the claim key, 32 bytes, or empty */
    uint64_t consumed_ms;
    int32_t consume_result; /* the asker's exit code, when consumed */
    struct span end_actor;  /* user id or token name that cancelled; empty otherwise */
    struct span end_reason; /* of a cancellation */
    struct span fields;     /* the policy's: field_values of core/fields.h, stored form, or empty */

    /* Copied from the policy's version. */
    uint32_t quorum;     /* approvals needed; with needs: the fewest that can be enough */
    uint32_t rejections; /* by as many distinct people it is rejected */
    uint32_t need_count; /* 0: whoever may decide counts, and quorum says how many */
    struct need needs[CORE_NEED_COUNT_MAX];

    uint32_t decision_count;
    struct decision decisions[CORE_DECISION_COUNT_MAX]; /* in order */
    struct request_clocks clocks;
    struct request_glass glass;
    struct request_hold hold;
};

/* What is looked at again when an approval is claimed. */
enum recheck {
    RECHECK_NONE = 0, /* what was approved stays approved */
    RECHECK_STRICT,   /* its rules are as they were, and who approved it still may */
    RECHECK_RULES,    /* its rules are as they were; Slack is not asked */
};

/* What a policy says about time, besides expiry and lapse. All 0: nothing. */
struct policy_clocks {
    enum recheck recheck;
    uint64_t remind_before_ms;    /* approvers are reminded so long before a request expires */
    uint64_t escalate_after_ms;   /* the people of escalate_to are asked too, so long after it */
    uint64_t effect_after_ms;     /* an approval can be stopped so long before it takes effect */
    struct span escalate_channel; /* gets a card of its own, or empty */
    uint32_t escalate_user_count;
    struct span escalate_users[CORE_ESCALATE_USER_COUNT_MAX];
    uint32_t escalate_group_count;
    struct span escalate_groups[CORE_POLICY_GROUP_COUNT_MAX];
};

/* Who may approve his own request in an emergency, and who besides the policy's channel is told.
 * All empty: nobody may. */
struct policy_glass {
    bool root; /* root on a host, what root asked */
    uint32_t user_count;
    struct span users[CORE_GLASS_USER_COUNT_MAX]; /* by name: a group changes without notice */
    struct span channel;                          /* gets a card of its own, or empty */
    uint32_t tell_count;
    struct span tells[CORE_GLASS_TELL_COUNT_MAX]; /* get a direct message */
};

/* Some hours of some days of every week, by the clock on the wall. */
struct policy_window {
    uint32_t days;     /* bit set: 1 is Monday, 64 is Sunday: those on which it begins */
    uint32_t from_min; /* of the day, 0 to 1439 */
    uint32_t to_min;   /* 1 to 1440; not behind from_min: of the next day */
};

/* When an approval may be claimed. count 0: always. */
struct policy_windows {
    uint32_t count;
    struct policy_window items[CORE_WINDOW_COUNT_MAX];
    struct span zone; /* "Europe/Berlin": whose clock */
    bool refuse;      /* at other times, and while a freeze holds, nothing can be asked either */
};

/* Who may fill a need: bit sets of the policy's users and groups. */
struct policy_need {
    struct need need;
    uint64_t users;
    uint32_t groups;
};

/* One version of a policy. A request pins the version that it was made under. */
struct policy {
    struct span name;
    uint32_t version;
    bool deleted;          /* no new requests; old ones go on */
    struct span title;     /* for people */
    struct span channel;   /* Slack channel id of the (first) card */
    uint32_t quorum;       /* distinct people; with needs: the fewest that can be enough */
    uint32_t rejections;   /* distinct people who end a request by rejecting it */
    bool self_approval;    /* may the requester approve? default: no */
    bool direct_requester; /* direct message to requester and asker of the outcome? default: yes */
    bool require_reason;   /* a request must say why */
    bool ask_in_slack;     /* may people ask under it from Slack? default: no */
    bool step_up;          /* does an approval need a one-time code? default: no */
    bool direct_approvers; /* do those who may decide get a card each? default: no */
    bool delegation;       /* may approvers who are out of office be stood in for? default: no */
    uint64_t expires_after_ms; /* a pending request expires */
    uint64_t lapses_after_ms;  /* an unclaimed approval lapses; 0: never */
    uint32_t user_count;
    struct span users[CORE_POLICY_USER_COUNT_MAX]; /* who may decide: Slack user ids, and e-mail
                                                      addresses (core/email.h) */
    uint32_t group_count;
    struct span groups[CORE_POLICY_GROUP_COUNT_MAX]; /* user groups (S…) and channels (C…) */
    uint32_t need_count; /* 0: each of the users and the groups' members counts for the quorum */
    struct policy_need needs[CORE_NEED_COUNT_MAX];
    uint32_t exclude_count; /* groups whose members do not decide what a member has asked for */
    struct span excludes[CORE_POLICY_GROUP_COUNT_MAX];
    uint32_t webhook_count;
    uint32_t more_channel_count; /* further channels with a card each; none without a first one */
    struct span webhooks[CORE_POLICY_WEBHOOK_COUNT_MAX]; /* names of configured destinations */
    struct span more_channels[CORE_CHANNEL_COUNT_MAX - 1];
    struct span fields; /* asked for besides: field_set of core/fields.h, stored form, or empty */
    uint64_t applied_ms;
    struct span applied_by;
    struct policy_clocks clocks;
    struct policy_glass glass;
    struct policy_windows windows;
};

/* A person who is stood in for, as far as he is known: see struct facts. */
struct stand_in {
    struct span user;
    bool known;        /* it is known what he is */
    bool fit;          /* a full member: no guest, bot, stranger, leaver */
    bool emails_known; /* and his e-mail addresses, as in the facts */
    uint32_t email_count;
    struct span emails[CORE_FACT_EMAIL_COUNT_MAX];
    uint64_t member; /* bit set of the facts' known groups: those that he is in */
};

/* What is known about the person who presses, from the directory's cache. Unknown facts that the
 * policy needs send the event to the inbox. */
struct facts {
    bool user_known;
    bool foreign; /* of another organisation (Slack Connect) */
    bool guest;
    bool bot;
    bool deactivated;
    uint32_t known_count; /* groups whose members are known and fresh */
    struct span known[CORE_FACT_GROUP_COUNT_MAX];
    uint32_t member_count; /* those of them that the person is in */
    struct span member[CORE_FACT_GROUP_COUNT_MAX];
    bool emails_known;    /* all his e-mail addresses are among these */
    uint32_t email_count; /* addresses that are his, in small letters */
    struct span emails[CORE_FACT_EMAIL_COUNT_MAX];
    /* Of the requester, when somebody has looked: decisions come from the inbox then. */
    bool requester_known;     /* his membership of all known groups of the policy */
    uint32_t requester_count; /* those that he is in */
    struct span requester[CORE_POLICY_GROUP_COUNT_MAX];
    /* Of those in whose place the person may decide now; whether he may, the store says. */
    uint32_t stand_in_count;
    struct stand_in stand_ins[CORE_STAND_IN_COUNT_MAX];
};

/* Why a press or a call changes nothing: the word for programs, the sentence for people. The
 * numbers are stored with deduplication keys: new ones go to the end. */
#define REFUSAL_TABLE(X)                                                                           \
    X(REFUSAL_NONE, "none", "")                                                                    \
    X(REFUSAL_UNKNOWN_REQUEST, "unknown_request",                                                  \
      "This request is not known here. It may have been removed; ask for a new one.")              \
    X(REFUSAL_NOT_APPROVER, "not_approver",                                                        \
      "You are not among the people who may decide this request.")                                 \
    X(REFUSAL_SELF_APPROVAL, "self_approval",                                                      \
      "You asked for this yourself, so somebody else has to decide it.")                           \
    X(REFUSAL_ALREADY_DECIDED, "already_decided",                                                  \
      "You have already decided this request; one person counts once.")                            \
    X(REFUSAL_ENDED, "ended", "This request is already decided; nothing was changed.")             \
    X(REFUSAL_EXPIRED, "expired", "This request has expired; the requester can ask again.")        \
    X(REFUSAL_GUEST, "guest", "Guests of this workspace can neither ask nor decide here.")         \
    X(REFUSAL_BOT, "bot", "Bots can neither ask nor decide here.")                                 \
    X(REFUSAL_DEACTIVATED, "deactivated", "A deactivated account can neither ask nor decide.")     \
    X(REFUSAL_FOREIGN, "foreign", "Only people of this organisation can ask or decide here.")      \
    X(REFUSAL_NOT_APPROVED, "not_approved", "There is no approval to use.")                        \
    X(REFUSAL_NOT_ASKER, "not_asker", "Only the asker of this request can do this.")               \
    X(REFUSAL_WRONG_HASH, "wrong_hash",                                                            \
      "What would run is not what was approved (the hashes differ).")                              \
    X(REFUSAL_CLAIMED, "claimed", "The approval has been claimed already; it serves once.")        \
    X(REFUSAL_NOT_CLAIMED, "not_claimed", "The approval has to be claimed first.")                 \
    X(REFUSAL_LAPSED, "lapsed", "The approval was not used in time and has lapsed.")               \
    X(REFUSAL_POLICY_DELETED, "policy_deleted", "This policy takes no new requests.")              \
    X(REFUSAL_UNKNOWN_POLICY, "unknown_policy", "There is no policy of this name.")                \
    X(REFUSAL_SCOPE, "scope", "This token is not allowed to do this.")                             \
    X(REFUSAL_KEY_REUSED, "key_reused", "This Idempotency-Key was used with another body.")        \
    X(REFUSAL_TOO_MANY, "too_many_open", "Too many requests are open; try again later.")           \
    X(REFUSAL_CONSUMED, "consumed", "Another result of this approval is recorded already.")        \
    X(REFUSAL_FACTS_UNKNOWN, "facts_unknown",                                                      \
      "Slack did not tell us in time whether you may do this; please press again.")                \
    X(REFUSAL_NOT_ASKABLE, "not_askable", "This policy takes no requests from Slack.")             \
    X(REFUSAL_NOT_NEEDED, "not_needed",                                                            \
      "What you may approve here is approved already; other people have to approve the rest.")     \
    X(REFUSAL_SAME_GROUP, "same_group",                                                            \
      "You are in a group with the requester that may not decide its own requests.")               \
    X(REFUSAL_ENOUGH, "enough",                                                                    \
      "Enough people have approved this; it takes effect soon unless somebody stops it.")          \
    X(REFUSAL_POLICY_CHANGED, "policy_changed",                                                    \
      "The rules of the policy have changed since this was approved; ask again.")                  \
    X(REFUSAL_APPROVER_GONE, "approver_gone",                                                      \
      "Somebody who approved this may not approve it any more; ask again.")                        \
    X(REFUSAL_STOOD_IN, "stood_in",                                                                \
      "An approver and who stands in for him count once together, and that has been used here.")   \
    X(REFUSAL_STEP_UP, "step_up", "An approval needs the code of your authenticator app as well.") \
    X(REFUSAL_CODE, "wrong_code",                                                                  \
      "This code does not count. Type the next one. After five wrong ones none counts for a "      \
      "while; an admin can unlock or enrol you.")                                                  \
    X(REFUSAL_NO_GLASS, "no_break_glass",                                                          \
      "You are not among the people who may break the glass under this policy.")                   \
    X(REFUSAL_GLASS_OWN, "not_own",                                                                \
      "Only the requester can break the glass, and only for his own request.")                     \
    X(REFUSAL_GLASS_REASON, "reason_missing",                                                      \
      "Breaking the glass needs a reason that others read.")                                       \
    X(REFUSAL_CLOSED, "outside_windows", "This is outside the time windows of the policy.")        \
    X(REFUSAL_FROZEN, "frozen", "A change freeze holds.")                                          \
    X(REFUSAL_APPROVER_UNKNOWN, "approver_unknown",                                                \
      "Slack does not say whether those who approved this still may; claim it again later.")

enum refusal {
#define REFUSAL_ENUM(code, word, sentence) code,
    REFUSAL_TABLE(REFUSAL_ENUM)
#undef REFUSAL_ENUM
};

/* Where a request shows. One outbox row per (request, surface, target). */
enum surface {
    SURFACE_CARD = 1, /* target: channel id, or the id of a person, for a copy in his direct
                         messages. The card, updated in place */
    SURFACE_THREAD,   /* target: as the card's. Ordered replies under it, one per decision; under a
                         copy reminders alone */
    SURFACE_DIRECT,   /* target: user id. Direct message to the requester */
    SURFACE_NOTICE,   /* target: user id. Ephemeral answer to a press that changed nothing */
    SURFACE_WEBHOOK,  /* target: name of a configured destination. Ordered events */
    SURFACE_PEOPLE,   /* target: ROUTE_TARGET. Who gets a copy of the card has to be found out; it
                         is shown by the copies */
};
#define ROUTE_TARGET "approvers"

struct outbox_item {
    uint32_t id;      /* unique in its request; stable over retries: part of the delivery id */
    uint64_t at_ms;   /* when it was owed first */
    uint32_t kind;    /* enum audit_action of what happened */
    struct span user; /* who, or empty */
    struct span text; /* a reason, or the refusal's sentence */
};

struct outbox_row {
    struct request_id request;
    enum surface surface;
    bool attempted; /* a call was begun and its result is not recorded: it may have happened */
    bool dead;      /* given up; the admin can replay it */
    struct span target;
    uint32_t wanted;     /* revision that should be shown (card, direct) */
    uint32_t sent;       /* revision that is shown */
    struct span channel; /* where Slack put it (C… or D…), or empty; a notice: where was pressed */
    struct span ts;      /* the message, or empty; a notice: the thread, or empty */
    uint64_t owed_ms;    /* since when wanted > sent or items wait */
    uint64_t attempt_ms; /* the last attempt began */
    uint32_t attempts;   /* since the last success */
    uint32_t item_count;
    uint32_t reposts;  /* card, direct: how often its message was gone and had to be posted anew */
    uint32_t repairs;  /* card, direct: how often it was put right since the last change */
    struct span error; /* of the last attempt, for the admin */
    struct outbox_item
        items[CORE_OUTBOX_ITEM_COUNT_MAX]; /* thread, notice, webhook: oldest first */
};

#endif
