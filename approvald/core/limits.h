/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h: the bounds of the rules of approval, each with its reason. */
#ifndef APPROVALD_CORE_LIMITS_H
#define APPROVALD_CORE_LIMITS_H

#include <assert.h>
#include <stdint.h>

/* A quorum above ten is a meeting, not an approval; refusals by distinct people also take a place
 * when a policy wants more than one. */
#define CORE_DECISION_COUNT_MAX 16
#define CORE_QUORUM_MAX         10
/* Security, operations, the owner, a director, and as many for the other way; more needs than that
 * nobody can read on a card. All their people together are at most CORE_QUORUM_MAX. */
#define CORE_NEED_COUNT_MAX 8
/* Rejections by distinct people; each takes a place among the decisions beside the approvals. */
#define CORE_REJECTIONS_MAX           6
#define CORE_STAND_IN_COUNT_MAX       4   /* people one stands in for at a time: a holiday */
#define CORE_POLICY_USER_COUNT_MAX    64  /* more people are a user group's business */
#define CORE_POLICY_GROUP_COUNT_MAX   8   /* each costs a Slack call a minute to keep fresh */
#define CORE_ESCALATE_USER_COUNT_MAX  16  /* a manager and his deputies; more are a user group */
#define CORE_POLICY_WEBHOOK_COUNT_MAX 4   /* each outcome is sent to all of them */
#define CORE_GLASS_USER_COUNT_MAX     16  /* who may break the glass: an on-call team, by name */
#define CORE_WINDOW_COUNT_MAX         8   /* one for each day and one more */
#define CORE_FREEZE_COUNT_MAX         64  /* that are not over: a year's, and some for incidents */
#define CORE_FREEZE_REASON_COUNT_MAX  200 /* code points: a line on the card */
#define CORE_GLASS_TELL_COUNT_MAX     8   /* who is told directly; more are in a channel */
#define CORE_FACT_GROUP_COUNT_MAX     64  /* groups of all policies together */
#define CORE_EMAIL_SIZE_MAX           128 /* bytes; the standard allows 254, people have 30 */
#define CORE_EMAIL_COUNT_MAX          128 /* addresses of all policies: each is asked for in turn */
#define CORE_FACT_EMAIL_COUNT_MAX     4   /* addresses of one person that policies name him by */
#define CORE_OUTBOX_ITEM_COUNT_MAX    24  /* all decisions, an outcome, claim, consume, and slack */

#define CORE_TITLE_COUNT_MAX        140  /* code points: Slack's header takes 150 */
#define CORE_REASON_COUNT_MAX       1000 /* a section field takes 2,000 after escaping */
#define CORE_TARGET_COUNT_MAX       200  /* one line on a phone, twice */
#define CORE_DETAILS_COUNT_MAX      2500 /* a text object takes 3,000 */
#define CORE_NAME_SIZE_MAX          64   /* bytes: policies, tokens, webhooks; [a-z0-9._-] */
#define CORE_SLACK_ID_SIZE_MAX      24   /* bytes: ids seen have 9 to 11 */
#define CORE_KEY_SIZE_MAX           200 /* bytes of an Idempotency-Key: a UUID with a prefix fits */
#define CORE_TOKEN_POLICY_COUNT_MAX 8   /* a token for more policies than this asks for all */
#define CORE_SLACK_TS_SIZE_MAX      32  /* bytes: "1700000000.123456" has 17 */
#define CORE_SLACK_SKEW_WARN_S      60  /* between Slack's clock and ours: time to repair NTP */
#define CORE_ERROR_SIZE_MAX         256 /* bytes of an outbox row's last error: one line */
#define CORE_TEXT_SIZE_MAX          4000  /* bytes of a reason or a notice: 1,000 code points */
#define CORE_DETAILS_SIZE_MAX       10000 /* bytes: 2,500 code points */

/* Fields of a policy: what a person fills in on a phone without giving up. A value is one line and
 * stands whole in a section's field of 2,000, escaped five times as long. */
#define CORE_FIELD_COUNT_MAX        6
#define CORE_FIELD_OPTION_COUNT_MAX 50
#define CORE_FIELD_OPTION_SIZE_MAX  75 /* code points: Slack's limit of an option */
#define CORE_FIELD_NAME_SIZE_MAX    32 /* bytes: as a column of the terminal's table */
#define CORE_FIELD_LABEL_COUNT_MAX  48
#define CORE_FIELD_HINT_COUNT_MAX   150 /* Slack's limit of a placeholder */
#define CORE_FIELD_VALUE_COUNT_MAX  300
#define CORE_FIELD_VALUE_SIZE_MAX   (4UL * CORE_FIELD_VALUE_COUNT_MAX) /* bytes */
#define CORE_FIELD_NUMBER_MAX       INT64_C(1000000000000000)          /* exact in JavaScript too */
#define CORE_FIELD_SET_SIZE_MAX     4096  /* bytes of a policy's definitions, all together */
#define CORE_FIELD_VALUES_SIZE_MAX  10240 /* bytes of a request's values with their labels */

#define CORE_MINUTE_MS UINT64_C(60000)
/* One-time codes: three of a million are right at a time; so a guess a day for years finds none. */
#define CORE_CODE_SIZE_MAX    16 /* bytes as typed: "123 456" */
#define CORE_CODE_FAILURE_MAX 5  /* wrong ones in a row: a slip, and the next code too early */
#define CORE_CODE_LOCK_MS     (15 * CORE_MINUTE_MS)
#define CORE_CODE_LOCK_MS_MAX (UINT64_C(24) * 60 * CORE_MINUTE_MS)
#define CORE_DAY_MS           (UINT64_C(86400) * 1000)
/* Who looks at the screen answers in five seconds, nobody does in less; longer than a month the
 * question is another one. */
#define CORE_EXPIRES_MS_MIN UINT64_C(5000)
#define CORE_EXPIRES_MS_MAX (30 * CORE_DAY_MS)
#define CORE_LAPSES_MS_MIN  CORE_MINUTE_MS
#define CORE_LAPSES_MS_MAX  (30 * CORE_DAY_MS)
/* A reminder, an escalation and a veto window of less than a second are none; a window longer than
 * a week is another policy. */
#define CORE_CLOCK_MS_MIN  UINT64_C(1000)
#define CORE_EFFECT_MS_MAX (7 * CORE_DAY_MS)
/* How often the clocks of a zone may change before the next window opens: a real zone's do twice a
 * year, and a window opens every week. */
#define CORE_WINDOW_CHANGE_COUNT_MAX 16
/* So long at most the end of a request or of its window waits for a press that came before it: the
 * inbox gives presses up after a minute, and its queue is worked off in some. */
#define CORE_PRESS_HOLD_MS (10 * CORE_MINUTE_MS)
/* A freeze that is longer is another policy. */
#define CORE_FREEZE_MS_MAX (366 * CORE_DAY_MS)
/* Requests stay at least as long as one can be open; audit at least as long as requests. */
#define CORE_RETENTION_MS_MIN CORE_DAY_MS
#define CORE_RETENTION_MS_MAX (3660 * CORE_DAY_MS)

/* Slack redelivers events for up to an hour and our own hosts' clocks may differ by minutes; a day
 * and an hour covers a day-long outage of everything but Slack. */
#define CORE_INBOX_KEEP_MS (25 * UINT64_C(3600) * 1000)

/* Retries of an outside call: 1 s doubled to five minutes; half of each step is jitter. */
#define CORE_BACKOFF_MS_MIN UINT64_C(1000)
#define CORE_BACKOFF_MS_MAX (5 * CORE_MINUTE_MS)
/* A card or a message is worth a long weekend of outage; an ephemeral answer nobody waits for is
 * noise after ten minutes. */
#define CORE_GIVE_UP_MS        (4 * CORE_DAY_MS)
#define CORE_GIVE_UP_NOTICE_MS (10 * CORE_MINUTE_MS)

/* Who deletes a card may have slipped; who deletes it again means it, or is a rule of retention. */
#define CORE_REPOST_COUNT_MAX 1
/* A message that shows something else after so many repairs cannot be put right by another. */
#define CORE_REPAIR_COUNT_MAX 3

/* A policy's people who may be named by their e-mail addresses. */
#define CORE_POLICY_EMAIL_COUNT_MAX (CORE_POLICY_USER_COUNT_MAX + CORE_ESCALATE_USER_COUNT_MAX)

/* Cards of a request, one in each of its policy's channels: a team's, the owners', an auditor's.
 * Every change of a request changes all of them, and Slack takes 50 changes a minute. */
#define CORE_CHANNEL_COUNT_MAX 4
/* Copies of a card in the direct messages of who may approve: an outcome is on all of them within
 * half a minute. More people than this are told by a channel. */
#define CORE_DIRECT_COUNT_MAX 20
/* Those who are asked at first, and as many whom an escalation or time adds. */
#define CORE_COPY_COUNT_MAX 40

static_assert(CORE_COPY_COUNT_MAX == 2 * CORE_DIRECT_COUNT_MAX, "as many again may be added");
static_assert(CORE_QUORUM_MAX + CORE_REJECTIONS_MAX <= CORE_DECISION_COUNT_MAX,
              "a quorum and the rejections beside it must fit in the decisions");
static_assert(CORE_FACT_GROUP_COUNT_MAX <= 64, "memberships of who is stood in for are bits");
static_assert(CORE_NEED_COUNT_MAX <= 8, "a set of needs is stored in a byte");
static_assert(CORE_FIELD_COUNT_MAX * (CORE_FIELD_NAME_SIZE_MAX + 4 * CORE_FIELD_LABEL_COUNT_MAX +
                                      CORE_FIELD_VALUE_SIZE_MAX + 6) <
                  CORE_FIELD_VALUES_SIZE_MAX,
              "the longest values of a request are kept whole");
static_assert(CORE_DECISION_COUNT_MAX + 8 <= CORE_OUTBOX_ITEM_COUNT_MAX,
              "every decision, reminder, escalation, veto window, the outcome, claim and consume "
              "must fit in one ordered list");

#endif
