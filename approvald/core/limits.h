/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h: the bounds of the rules of approval, each with its reason. */
#ifndef APPROVALD_CORE_LIMITS_H
#define APPROVALD_CORE_LIMITS_H

#include <assert.h>

/* A quorum above ten is a meeting, not an approval; refusals by distinct people also take a place
 * when a policy wants more than one. */
#define CORE_DECISION_COUNT_MAX       16
#define CORE_QUORUM_MAX               10
#define CORE_POLICY_USER_COUNT_MAX    64 /* more people are a user group's business */
#define CORE_POLICY_GROUP_COUNT_MAX   8  /* each costs a Slack call a minute to keep fresh */
#define CORE_POLICY_WEBHOOK_COUNT_MAX 4  /* each outcome is sent to all of them */
#define CORE_FACT_GROUP_COUNT_MAX     64 /* groups of all policies together */
#define CORE_OUTBOX_ITEM_COUNT_MAX    24 /* all decisions, an outcome, claim, consume, and slack */

#define CORE_TITLE_COUNT_MAX   140  /* code points: Slack's header takes 150 */
#define CORE_REASON_COUNT_MAX  1000 /* a section field takes 2,000 after escaping */
#define CORE_TARGET_COUNT_MAX  200  /* one line on a phone, twice */
#define CORE_DETAILS_COUNT_MAX 2500 /* a text object takes 3,000 */
#define CORE_NAME_SIZE_MAX     64   /* bytes: policies, tokens, webhooks; [a-z0-9._-] */
#define CORE_SLACK_ID_SIZE_MAX 24   /* bytes: ids seen have 9 to 11 */
#define CORE_KEY_SIZE_MAX      200  /* bytes of an Idempotency-Key: a UUID with a prefix fits */

static_assert(CORE_QUORUM_MAX < CORE_DECISION_COUNT_MAX, "a quorum must fit in the decisions");
static_assert(CORE_DECISION_COUNT_MAX + 8 <= CORE_OUTBOX_ITEM_COUNT_MAX,
              "every decision, the outcome, claim and consume must fit in one ordered list");

#endif
