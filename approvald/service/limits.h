/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h: the bounds of the service, each with its reason. */
#ifndef APPROVALD_SERVICE_LIMITS_H
#define APPROVALD_SERVICE_LIMITS_H

#include "approvald/core/limits.h"

#include <assert.h>
#include <stddef.h>

/* Pending requests at once: a hundred times what a large company's approvers can answer in a day;
 * more is a runaway script. */
#define SERVICE_OPEN_COUNT_DEFAULT 100000
#define SERVICE_JOB_COUNT_MAX      4096 /* under way at once: a second of full load on a slow disk */
#define SERVICE_JOB_SPARE_MAX      64   /* kept for reuse: a usual batch */
#define SERVICE_INBOX_COUNT_MAX    10000 /* waiting for facts: Slack's lookups allow 50 a minute */
#define SERVICE_LISTENER_COUNT_MAX 8     /* outbox sender, long polls, console, spare */
#define SERVICE_PAGE_COUNT_MAX     100   /* records in one answer, fewer when they are long */
#define SERVICE_LOOK_COUNT_MAX     32  /* requests of one look at the outbox: keeps presses quick */
#define SERVICE_SCAN_COUNT_MAX     512 /* rows looked at for one page: under a millisecond */
#define SERVICE_POLICY_COUNT_MAX   256 /* live policies; heads are kept in memory */
#define SERVICE_POLICY_NAME_MAX    1024    /* names ever used, deleted ones included */
#define SERVICE_VERSION_COUNT_MAX  50      /* shown of one policy; older ones stay while pinned */
#define SERVICE_POLICY_TEXT_MAX    262144  /* bytes of one apply: 256 policies of 1 KB */
#define SERVICE_POLICY_FIELDS_MAX  1048576 /* bytes: every policy is in one answer of 4 MiB */
#define SERVICE_TOKEN_COUNT_MAX    1000    /* live ones; one per script or person */
#define SERVICE_TOKEN_TEXT_SIZE    47      /* bytes: "apv_" and 43 of base64url */
#define SERVICE_TOKEN_RATE_MAX     1000000 /* calls a minute: more than a host answers */
#define SERVICE_TOKEN_RATE_DEFAULT 600
#define SERVICE_DELEGATION_COUNT_MAX                                                               \
    512                                 /* now and to come: a large company's holidays; 300 bytes */
#define SERVICE_DELEGATION_OWN_MAX   8  /* of one person, one after the other */
#define SERVICE_DELEGATION_SWEEP_MAX 64 /* that are over and deleted by one change */
#define SERVICE_DELEGATION_AHEAD_MS  (366 * CORE_DAY_MS) /* who is away for longer is replaced */
#define SERVICE_STEP_UP_COUNT_MAX    4096   /* enrolled for one-time codes: 200 bytes each */
#define SERVICE_BOOK_OPEN_MAX        200000 /* open requests known by person: 56 bytes each */
#define SERVICE_BOOK_ENDED_MAX       4096 /* outcomes known by person: some days of a large company */
#define SERVICE_BOOK_FILL_COUNT      128 /* requests read by one job that fills: under a millisecond */
#define SERVICE_HOME_ITEM_MAX        5  /* requests of one part of a Home: a telephone's screen */
#define SERVICE_HOME_PAGE_MAX        20 /* pages of them; who has more is shown the first hundred */
#define SERVICE_HOME_READ_MAX        256 /* requests read to make one Home: a millisecond */
#define SERVICE_HOME_POLICY_MAX      512 /* versions of policies looked at for one Home */
#define SERVICE_TICK_COUNT_MAX       32  /* deadlines handled by one job: keeps presses quick */
#define SERVICE_PRUNE_COUNT_MAX      256 /* rows looked at for pruning by one job */
#define SERVICE_CLAIM_AGE_MS                                                                       \
    1000 /* what Slack said so shortly before a claim need not be asked anew */
#define SERVICE_CLAIM_LATE_MS                                                                      \
    30000 /* nor what it has said since a try that came too early for its answer */
#define SERVICE_CLAIM_WAIT_MAX    64 /* claims that wait for Slack; more than Slack answers in 5 s */
#define SERVICE_QUESTION_USER_MAX (CORE_QUORUM_MAX * (1 + CORE_STAND_IN_COUNT_MAX)) /* all */
#define SERVICE_SWEEP_LOOK_MAX    256 /* requests read by one job after a freeze: a millisecond */
#define SERVICE_SWEEP_CHANGE_MAX  8   /* of those that are written anew, with all their cards */
#define SERVICE_REFRESH_FRESH_MS                                                                   \
    10000                         /* a press says nothing of a message that was changed since */
#define SERVICE_WAITING_COUNT   8 /* indexed presses read at a time; the first is there, usually */
#define SERVICE_WAITING_LOOK_MS 5000 /* to look again, should nothing say that a press is gone */
#define SERVICE_WORK_SIZE_MAX   ((size_t)128 * 1024) /* bytes after which a long job stops early */
#define SERVICE_WORK_COUNT_MAX  512                  /* changes after which it does */
#define SERVICE_AUDIT_WALK_MAX  1024                 /* entries of one request followed back */
#define SERVICE_ANSWER_SIZE_MAX ((size_t)4 * 1024 * 1024) /* bytes a job hands back */
#define SERVICE_ROW_SIZE_MAX    ((size_t)128 * 1024)      /* bytes of one stored record */

/* Cards, for the reconciler. */
#define SERVICE_CARD_REQUEST_COUNT_MAX 64 /* requests whose cards are listed at once, at most */
/* Of one request: its cards in channels, or the copies, the requester and who hears of a broken
 * glass. */
#define SERVICE_CARD_ROW_COUNT_MAX  (CORE_COPY_COUNT_MAX + 2 + CORE_GLASS_TELL_COUNT_MAX)
#define SERVICE_CARD_PAGE_COUNT_MAX 256         /* cards listed at once: 40 KiB */
#define SERVICE_CARD_ITEM_COUNT_MAX 20          /* cards put right in one transaction */
#define SERVICE_CARD_ENDED_MS       CORE_DAY_MS /* an older outcome is history */

#define SERVICE_ZONE_COUNT_MAX 16 /* time zones in memory: a company is in fewer; 8 KiB each */
#define SERVICE_ZONE_KEEP_MS   (60 * CORE_MINUTE_MS) /* then tzdata may have been updated */

#define SERVICE_TEXT_SIZE_MAX   65536 /* bytes of a text before it is cleaned and counted */
#define SERVICE_TEXT_SLOT_COUNT 5 /* texts of one call: title, reason, target, details, fields */

#define SERVICE_RETENTION_REQUESTS_MS (90 * CORE_DAY_MS)  /* a quarter: an incident's review */
#define SERVICE_RETENTION_AUDIT_MS    (400 * CORE_DAY_MS) /* a year and a month: yearly audits */

static_assert(SERVICE_PAGE_COUNT_MAX <= SERVICE_SCAN_COUNT_MAX, "a page must be reachable");
static_assert(SERVICE_HOME_ITEM_MAX * SERVICE_HOME_PAGE_MAX < SERVICE_HOME_READ_MAX,
              "the last page can be reached");
static_assert(SERVICE_OPEN_COUNT_DEFAULT <= SERVICE_BOOK_OPEN_MAX, "all open requests are known");
static_assert(CORE_DECISION_COUNT_MAX * CORE_TEXT_SIZE_MAX + CORE_DETAILS_SIZE_MAX +
                      4 * CORE_TEXT_SIZE_MAX + CORE_FIELD_VALUES_SIZE_MAX <
                  SERVICE_ROW_SIZE_MAX,
              "the longest request must fit in a row");

#endif
