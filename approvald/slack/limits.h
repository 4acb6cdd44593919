/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h: the bounds of the Slack room, each with its reason. */
#ifndef APPROVALD_SLACK_LIMITS_H
#define APPROVALD_SLACK_LIMITS_H

#include "approvald/core/limits.h"

#include <assert.h>

/* Inbound. */
#define SLACK_BODY_SIZE_MAX      (1024UL * 1024) /* a press echoes the whole message */
#define SLACK_SIGNATURE_WINDOW_S 300  /* Slack's own advice; both ways, so clocks may differ */
#define SLACK_REPLY_BUDGET_MS    2500 /* Slack gives up after 3 s; the way back takes its part */
#define SLACK_INFLIGHT_COUNT_MAX 512  /* presses between arrival and commit; one costs 1 KiB */
#define SLACK_TS_SIZE_MAX        24   /* bytes: "1764752400.118349" has 17 */
#define SLACK_TRIGGER_SIZE_MAX   160  /* bytes: those seen have 58 */
#define SLACK_URL_SIZE_MAX       512  /* bytes: response_urls seen have 90 */
#define SLACK_EVENT_KEY_SIZE_MAX 200  /* bytes: user, two timestamps and an action */
#define SLACK_CHALLENGE_SIZE_MAX 256  /* bytes: those seen have 52 */
#define SLACK_SAYING_COUNT_MAX   32   /* sentences on their way: a press owes one at most */
#define SLACK_OWED_COUNT_MAX                                                                       \
    256 /* people who are owed a word: half of the places; 144 bytes each */
#define SLACK_OWED_LOOK_MS      1000 /* between two looks whether the store works again */
#define SLACK_OWED_HTTP_MS      500 /* a press over HTTP is not repeated: as soon as it may be said */
#define SLACK_OWED_SOCKET_MS    5000   /* over a socket Slack tries again after its 3 s */
#define SLACK_OWED_LIFE_MS      900000 /* older is no news: the person has looked himself */
#define SLACK_ACT_SIZE_MAX      512    /* bytes: ids and timestamps that make an act the same one */
#define SLACK_LIST_COUNT_MAX    10     /* requests shown by /approval list: one screen of a phone */
#define SLACK_COMMAND_COUNT_MAX 32     /* code points of a slash command: Slack's own limit */
#define SLACK_INBOX_PAGE_COUNT  16     /* entries read at a time */
#define SLACK_INBOX_SLOT_COUNT  64     /* entries resolved at a time: each may wait for Slack */
#define SLACK_INBOX_GIVE_UP_MS  60000  /* a person has stopped waiting; he is told to press again */
#define SLACK_INBOX_MARK_MS     5000 /* by the boot clock so much later, or less, it gives up too */
#define SLACK_INBOX_MARK_COUNT  14   /* marks that reach behind that */
#define SLACK_INBOX_RETRY_MS    1000 /* between two tries for missing facts */

/* Web API client. */
#define SLACK_CALL_SIZE_MAX         (256UL * 1024) /* bytes: Slack's limit of a view is 250 KB */
#define SLACK_RESPONSE_SIZE_MAX     (2UL * 1024 * 1024) /* bytes: 200 messages of history */
#define SLACK_QUEUE_COUNT_MAX       256 /* calls that wait for their turn; the outbox is durable */
#define SLACK_RUNNING_COUNT_MAX     8 /* calls under way: more only wait at Slack instead of here */
#define SLACK_CALL_TIMEOUT_MS       10000 /* Slack answers in 100-800 ms; slower is broken */
#define SLACK_URGENT_TIMEOUT_MS     2800  /* a trigger id is dead after 3 s */
#define SLACK_MODAL_WAIT_MS         1500 /* of the 3 s of a trigger id: the rest is the way there */
#define SLACK_WAIT_MS_MAX           30000  /* in our queue; then the caller decides again */
#define SLACK_RETRY_AFTER_MS        30000  /* a 429 that names no usable time */
#define SLACK_RETRY_AFTER_MS_MAX    600000 /* longer is a mistake of a proxy, or a reason to alarm */
#define SLACK_CHANNEL_COUNT_MAX     256    /* channels whose spacing is remembered */
#define SLACK_CHANNEL_SPACING_MS    1000   /* Slack: about one post a second and channel */
#define SLACK_CHANNEL_BURST         3      /* short bursts are allowed */
#define SLACK_BREAKER_FAILURE_COUNT 5      /* bad calls in a row: more than a hiccup */
#define SLACK_BREAKER_WINDOW_COUNT  20     /* calls of which half are bad: a Slack that limps */
#define SLACK_BREAKER_SLOW_MS       6000   /* answers so late are of no use to who pressed */
#define SLACK_BREAKER_MS_MIN        2000   /* first pause: a proxy's restart */
#define SLACK_BREAKER_MS_MAX        5000   /* longest: 24 questions a minute burden nobody */
#define SLACK_BREAKER_STABLE_MS     60000  /* up for so long, the next outage is another one */
#define SLACK_TOKEN_SIZE_MAX        512    /* bytes: rotated tokens have about 170 */
#define SLACK_SLUG_SIZE_MAX         64     /* bytes: Slack's error words */
#define SLACK_LISTENER_COUNT_MAX    6      /* sender, directory, reconciler; spare */
#define SLACK_DETAIL_SIZE_MAX       512    /* bytes: response_metadata.messages, for one log line */

/* WebSocket and Socket Mode. */
#define WEBSOCKET_HEAD_SIZE_MAX   8192 /* bytes: Slack's answer to the upgrade has about 400 */
#define WEBSOCKET_OUTPUT_SIZE_MAX (64UL * 1024) /* bytes of frames for one turn: 3 replies */
#define SOCKET_ENVELOPE_SIZE_MAX                                                                   \
    (SLACK_BODY_SIZE_MAX + 4096)         /* a payload and what is around it                        \
                                          */
#define SOCKET_REPLY_SIZE_MAX   20479    /* bytes: Slack drops frames of 20,480 in silence */
#define SOCKET_ID_SIZE_MAX      64       /* bytes: envelope ids are UUIDs of 36 */
#define SOCKET_URL_SIZE_MAX     2048     /* bytes: those seen have about 150 */
#define SOCKET_DIAL_TIMEOUT_MS  10000    /* proxy, TLS and all; then another ticket is asked for */
#define SOCKET_HELLO_MS         15000    /* from the ticket to hello: the above and Slack's part */
#define SOCKET_PING_MS          10000    /* keeps proxies awake that end what idles for a minute */
#define SOCKET_SILENCE_MS       30000    /* three unanswered pings: the connection is dead */
#define SOCKET_CLOSE_MS         1000     /* Slack may not end the connection after the handshake */
#define SOCKET_STOP_MS          3000     /* replies under way at a stop: longer than their budget */
#define SOCKET_LINGER_MS        30000    /* a warning is 10 s ahead; then we end it ourselves */
#define SOCKET_LIFETIME_MS      3600000  /* where hello does not say: the documentation's */
#define SOCKET_LIFETIME_MS_MIN  120000   /* shorter could not be refreshed within the budget */
#define SOCKET_LIFETIME_MS_MAX  86400000 /* longer is a mistake; a day is no burden */
#define SOCKET_BACKOFF_MS_MIN   1000
#define SOCKET_BACKOFF_MS_MAX   300000 /* Slack answers with errors: as its own SDK for Go */
#define SOCKET_UNREACHED_MS_MAX 10000  /* nothing of us reaches Slack: it costs Slack nothing */
#define SOCKET_DISABLED_MS      300000 /* a person has to switch Socket Mode on again */
#define SOCKET_RETRY_MS_MAX     600000 /* a longer Retry-After is a proxy's mistake */
#define SOCKET_OPEN_MS          60000  /* apps.connections.open: tier 1, one a minute */
#define SOCKET_OPEN_BURST       6      /* two at the start and both soon replaced, and the next */
#define SOCKET_OPEN_RESERVE     2      /* of them, for when no socket is left at all */
#define SOCKET_JITTER_MS        500    /* an outage must not bring all apps back in one moment */
#define SOCKET_GHOST_MS         90000  /* so long Slack may count a socket that is gone */
#define SOCKET_RECHECK_MS       300000 /* after a count that may have had ghosts in it */

/* Directory. */
#define SLACK_USER_COUNT_MAX         4096  /* people who press; 240 bytes each */
#define SLACK_GROUP_MEMBER_COUNT_MAX 10000 /* of one group: 240 KB; larger ones are everybody */
#define SLACK_MEMBER_PAGE_COUNT      500   /* members of a channel a call; Slack allows 999 */
#define SLACK_ABSENT_CHANNEL_MS      15000 /* so soon an invitation of the app is noticed */
#define SLACK_MEMBER_PAGES_MAX       40    /* pages may be shorter than asked for, to this length */
#define SLACK_MEMBER_PAGE_MS         20000 /* kept so much longer a page: rates are for all */
#define SLACK_CURSOR_SIZE_MAX        256   /* bytes: those seen have 24 to 44 */
#define SLACK_EMAIL_FRESH_MS         300000 /* as people: whose address it was is soon forgotten */
#define SLACK_EMAIL_REFRESH_MS       240000 /* 128 addresses in four minutes: 32 a minute of 50 */
#define SLACK_TICK_EMAIL_COUNT       2      /* asked for in one tick: 40 a minute */
#define SLACK_TROUBLE_COUNT_MAX      32     /* shown at once; more have one reason */
#define SLACK_CHANNEL_INFO_COUNT_MAX 256    /* channels of cards */
#define SLACK_USER_FRESH_MS          300000 /* a guest or leaver is noticed within five minutes */
#define SLACK_GROUP_FRESH_MS         120000 /* Slack asks to cache for a minute or more */
#define SLACK_GROUP_REFRESH_MS       80000  /* refreshed in the background before they go stale */
#define SLACK_CHANNEL_FRESH_MS       600000 /* archiving is rare, and failing posts show it */
#define SLACK_NEGATIVE_FRESH_MS      60000  /* an unknown id is asked for once a minute at most */
#define SLACK_WORKSPACE_URL_MAX      128    /* bytes: "https://", a name, ".slack.com/" */
#define SLACK_LOOKUP_PAUSE_MS        5000   /* after a failed lookup, before the same one again */
#define SLACK_LOOKUP_COUNT_MAX       128    /* lookups under way, coalesced; half of the queue */
#define SLACK_WAITER_COUNT_MAX       256    /* callers that wait for them */
#define SLACK_CONFIRM_MS             5000 /* so long a claim waits for Slack: a script can come again */
#define SLACK_CONFIRM_COUNT_MAX      64     /* such claims; each waits for three fetches at most */
#define SLACK_TICK_MS                3000   /* tier 2 allows one group in three seconds */
#define SLACK_TICK_GROUP_COUNT       4      /* groups asked for in one tick: soon warm at start */
#define SLACK_IDENTITY_MS            600000 /* auth.test again: notices a dead token and skew */
#define SLACK_IDENTITY_RETRY_MS      15000  /* while it fails or the token is refused */

/* While Slack is down: outages last hours at worst; who left the company meanwhile? */
#define SLACK_OUTAGE_FACTS_MS 14400000

/* Views (reference: limits of Block Kit). */
#define SLACK_VIEW_TITLE_COUNT_MAX    24
#define SLACK_VIEW_METADATA_COUNT_MAX 3000
#define SLACK_VIEW_TEXT_COUNT_MAX     3000
#define SLACK_VIEW_INPUT_COUNT_MAX    3000
#define SLACK_VIEW_SIZE_MAX           (16UL * 1024) /* ours are small; also fits a Socket Mode reply */
#define SLACK_ASK_VIEW_SIZE_MAX       (160UL * 1024) /* 256 policies of 600 bytes: views.open only */
#define SLACK_ASK_SIZE_MAX            (24UL * 1024)  /* bytes of a filled-in form, at its longest */
#define SLACK_OPTION_TEXT_COUNT_MAX   75  /* also of a value: sources differ, the smaller one */
#define SLACK_OPTION_COUNT_MAX        100 /* options, and groups of options */
#define SLACK_BLOCK_COUNT_MAX         50
#define SLACK_MODAL_BLOCK_COUNT_MAX   100
#define SLACK_ID_COUNT_MAX            255 /* block_id, action_id, callback_id */

/* Sender. */
#define SLACK_SEND_ROW_COUNT_MAX     256 /* owed rows at hand; the rest stays in the store */
#define SLACK_SEND_DIRTY_COUNT_MAX   512 /* changed requests to look at; more: all are scanned */
#define SLACK_SEND_SLACK_COUNT_MAX   6 /* calls at once: two of the client's are left for people */
#define SLACK_SEND_WEBHOOK_COUNT_MAX 4 /* a dead destination must not stop the others */
#define SLACK_SEND_SPACING_MS        3000 /* between two changes of one message */
#define SLACK_SEND_GATHER_MS         20   /* between two looks at changes: nobody sees so little */
#define SLACK_SEND_PACE_MS           20 /* between two pages while much is at hand: 3,200 rows/s */
#define SLACK_SEND_SCAN_MS           30000 /* whatever was missed is found after so long */
#define SLACK_SEND_LOCAL_MS          1000  /* the store is full or not ready: a moment later */
#define SLACK_SEND_PAGE_COUNT        64    /* rows per page of a scan: keeps presses quick */
#define SLACK_NOTICE_FRESH_MS        60000 /* later a notice answers a press that is forgotten */
#define SLACK_MESSAGE_SIZE_MAX       (96UL * 1024) /* bytes of one message as JSON, at its longest */
#define SLACK_RECONCILE_PAGE_COUNT   200           /* messages per page: Slack's advice */
#define SLACK_RECONCILE_PAGES_MAX    10 /* the newest 2,000 messages: of a busy channel, a day */
#define SLACK_RECONCILE_MARGIN_MS                                                                  \
    86400000 /* a clock that was wrong was so by hours, a time zone: it costs some pages */
#define SLACK_RECONCILE_AGAIN_MS  120000 /* eight looks in that time, of two calls each */
#define SLACK_RECONCILE_LATE_MS   960000 /* so late it comes: SLACK_CHECK_AGAIN_COUNT */
#define SLACK_RECONCILE_TRY_COUNT 20     /* so many tries take longer: where no clock tells */

/* Sender: which change goes when. */
#define SLACK_SEND_CHANGE_COUNT_MAX 4  /* calls for changes at once, when their rate is used up */
#define SLACK_SEND_SPENT_COUNT_MAX  10 /* half of the burst left: a change goes at once, always */
#define SLACK_SEND_NOTICE_COUNT_MAX                                                                \
    2                             /* first, but not instead of cards: Slack takes 100 a minute */
#define SLACK_SEND_SETTLE_MS 1500 /* many messages change: each waits for its next change */
#define SLACK_SEND_FLOOD_MS                                                                        \
    20000 /* ... as it does when Slack is back: sockets open, it repeats                           \
           */
#define SLACK_SEND_SETTLE_MS_MAX 4000 /* ... and not for ever */
/* ... where each takes the place of another one: Slack repeats after 3 s what nobody answered. */
#define SLACK_SEND_LONG_MS     3500
#define SLACK_SEND_LONG_MS_MAX 8000
#define SLACK_SEND_WATCHED_MS  10000 /* so long people look whether their press worked */
#define SLACK_SEND_HOLD_AFTER_MS                                                                   \
    30000                        /* a shorter outage has changed little, and delays nobody more */
#define SLACK_SEND_HOLD_MS 10000 /* new cards wait for repairs: ten pages of a hundred cards */

/* Reconciler. */
#define SLACK_CHECK_CARD_COUNT_MAX 1024 /* compared at a time, 180 KiB, however many there are */
#define SLACK_CHECK_COPY_COUNT_MAX 16   /* copies at a time: there are hardly ever any */
#define SLACK_CHECK_PAGE_COUNT     100 /* messages per page: cards are long, an answer is bounded */
#define SLACK_CHECK_SHORT_COUNT    20  /* the same after a failure: perhaps it was too long */
#define SLACK_CHECK_SPARE_PAGES    16  /* of a channel: what people say above its cards */
#define SLACK_CHECK_MARGIN_US      UINT64_C(600000000) /* a copy is posted within two back-offs */
#define SLACK_CHECK_TRY_COUNT      3    /* of one page; then its channel waits for the next sweep */
#define SLACK_CHECK_RETRY_MS       5000 /* between two of them */
#define SLACK_CHECK_PACE_MS        20 /* between two pages from the store: 3,200 requests a second */
#define SLACK_CHECK_GAP_MS         20000 /* between two sweeps, whatever is reported ... */
#define SLACK_CHECK_GAP_SHARE      3     /* ... and so many times as long as the last one took */
#define SLACK_CHECK_LATE_MS        5000 /* given up after 10 s: TCP tries for the sixth time at 12.6 s */
#define SLACK_CHECK_EVERY_MS       3600000 /* without any report: what nobody notices */
#define SLACK_CHECK_AGAIN_MS       30000   /* then doubled: what was sent into a dead network ... */
#define SLACK_CHECK_AGAIN_COUNT    5 /* ... comes late, for as long as TCP tries: 16 minutes */

/* App Home. Slack takes 100 views.publish a minute, whatever we would like. */
#define SLACK_HOME_PERSON_COUNT_MAX 1000     /* people whose Home is kept fresh: 120 bytes each */
#define SLACK_HOME_KEEP_MS          86400000 /* after an opening; who looks again opens it again */
#define SLACK_HOME_SPACING_MS       3000     /* between two publishes of one Home for changes */
#define SLACK_HOME_ACT_MS           1000 /* between two when its person turns a page or presses */
#define SLACK_HOME_LOOK_MS          1000 /* between two looks at one Home that stayed the same */
#define SLACK_HOME_READ_MS          20   /* between two looks: 50 a second, 1 % of the writer */
#define SLACK_HOME_JOB_COUNT        4 /* at once: two calls run in the background, two follow them */
#define SLACK_HOME_FILL_MS          300 /* the service is still reading what is open */
#define SLACK_HOME_AGAIN_MS         5000 /* groups are not known yet: a tick of the directory later */
#define SLACK_HOME_BACKOFF_MS_MIN   2000   /* after a failure, doubled */
#define SLACK_HOME_BACKOFF_MS_MAX   300000 /* an outage's end is noticed by the next opening, too */
#define SLACK_HOME_OFF_MS           600000 /* the tab is switched off in the app, or we are wrong */
#define SLACK_HOME_WAIT_MS          10000  /* in the client's queue: later it would be old */
#define SLACK_HOME_HASH_SIZE_MAX    64     /* bytes: those seen have 19 */
#define SLACK_HOME_VIEW_SIZE_MAX    (64UL * 1024) /* 15 requests of at most 3 KB, escaped */
#define SLACK_HOME_DETAILS_COUNT    400 /* code points of what will run; the card shows all */
#define SLACK_HOME_REASON_COUNT     200 /* two lines of a telephone */

static_assert(SLACK_HOME_VIEW_SIZE_MAX < SLACK_CALL_SIZE_MAX, "a Home fits in a call");
static_assert(SLACK_CHECK_AGAIN_MS > SLACK_CHECK_GAP_MS, "a sweep is not too soon after another");
static_assert((SLACK_CHECK_AGAIN_MS << SLACK_CHECK_AGAIN_COUNT) - SLACK_CHECK_AGAIN_MS > 924600,
              "tcp_retries2: the kernel's last try is over before the last sweep of them");
static_assert(SLACK_RECONCILE_TRY_COUNT * SLACK_RECONCILE_AGAIN_MS > 2 * SLACK_RECONCILE_LATE_MS,
              "half of the tries are looks, and what comes late is found by them");
static_assert(SLACK_HOME_JOB_COUNT < SLACK_RUNNING_COUNT_MAX, "Homes leave calls to cards");
static_assert(SLACK_SEND_SLACK_COUNT_MAX < SLACK_RUNNING_COUNT_MAX, "people's calls find room");
static_assert(SLACK_SEND_HOLD_MS < SLACK_BREAKER_STABLE_MS,
              "a Slack that comes and goes holds little");
static_assert(SLACK_MESSAGE_SIZE_MAX < SLACK_CALL_SIZE_MAX, "a message fits in a call");
static_assert(CORE_SLACK_SKEW_WARN_S < SLACK_SIGNATURE_WINDOW_S, "it is told before presses fail");
static_assert(SLACK_REPLY_BUDGET_MS < 3000, "Slack shows a warning after 3 s");
static_assert(CORE_REASON_COUNT_MAX <= SLACK_VIEW_INPUT_COUNT_MAX,
              "a reason must fit in its input");
static_assert(CORE_DETAILS_COUNT_MAX <= SLACK_VIEW_INPUT_COUNT_MAX,
              "details must fit in their input");
static_assert(CORE_NAME_SIZE_MAX <= SLACK_OPTION_TEXT_COUNT_MAX, "a policy is an option's value");
static_assert(CORE_SLACK_ID_SIZE_MAX + 1 + SLACK_TRIGGER_SIZE_MAX < SLACK_EVENT_KEY_SIZE_MAX,
              "a person and his trigger are an identity");
static_assert(SLACK_ASK_VIEW_SIZE_MAX < SLACK_CALL_SIZE_MAX, "the form fits in a call");
static_assert(4UL * (CORE_TITLE_COUNT_MAX + CORE_TARGET_COUNT_MAX + CORE_REASON_COUNT_MAX +
                     CORE_DETAILS_COUNT_MAX + CORE_NAME_SIZE_MAX) +
                      CORE_FIELD_COUNT_MAX *
                          (CORE_FIELD_NAME_SIZE_MAX + CORE_FIELD_VALUE_SIZE_MAX + 2UL) +
                      256 <
                  SLACK_ASK_SIZE_MAX,
              "the longest form is kept whole");
static_assert(SLACK_CONFIRM_MS % 1000 == 0, "its timer counts whole seconds");
static_assert(SLACK_INBOX_SLOT_COUNT + 3 * SLACK_CONFIRM_COUNT_MAX <= SLACK_WAITER_COUNT_MAX,
              "presses and claims find room to wait");
static_assert(SLACK_EMAIL_REFRESH_MS < SLACK_EMAIL_FRESH_MS, "refresh comes before staleness");
static_assert(SLACK_GROUP_REFRESH_MS < SLACK_GROUP_FRESH_MS, "refresh comes before staleness");
static_assert(SLACK_MEMBER_PAGE_COUNT * SLACK_MEMBER_PAGES_MAX >= SLACK_GROUP_MEMBER_COUNT_MAX,
              "a channel of the largest size is read whole");
static_assert(SLACK_LOOKUP_COUNT_MAX < SLACK_QUEUE_COUNT_MAX, "lookups leave room for posts");
static_assert(SLACK_INBOX_MARK_COUNT * SLACK_INBOX_MARK_MS >
                  SLACK_INBOX_GIVE_UP_MS + SLACK_INBOX_MARK_MS,
              "an entry is old before its mark is forgotten");
static_assert(UINT64_C(5) * SLACK_INBOX_GIVE_UP_MS < CORE_PRESS_HOLD_MS,
              "ends wait for all presses that are not given up");
static_assert(SLACK_INBOX_RETRY_MS % 1000 == 0, "its timer counts whole seconds");
static_assert(SLACK_INBOX_SLOT_COUNT < SLACK_WAITER_COUNT_MAX, "each entry waits for one fetch");
static_assert(SLACK_VIEW_SIZE_MAX + 2UL * SOCKET_ID_SIZE_MAX < SOCKET_REPLY_SIZE_MAX,
              "every view of ours fits in a Socket Mode reply");
static_assert(SOCKET_PING_MS * 2 < SOCKET_SILENCE_MS, "one lost pong is no silence");
static_assert(SOCKET_STOP_MS > SLACK_REPLY_BUDGET_MS, "a stop waits for what may be answered");
static_assert(SOCKET_DIAL_TIMEOUT_MS < SOCKET_HELLO_MS, "who connected late is still greeted");
static_assert(SOCKET_OPEN_RESERVE < SOCKET_OPEN_BURST, "something is left beside the reserve");
static_assert(SOCKET_REPLY_SIZE_MAX < WEBSOCKET_OUTPUT_SIZE_MAX, "a reply fits in one turn");
static_assert(SLACK_RUNNING_COUNT_MAX < SLACK_QUEUE_COUNT_MAX, "the queue feeds the running calls");

#endif
