/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h: the bounds of webhooks, each with its reason. */
#ifndef APPROVALD_WEBHOOK_LIMITS_H
#define APPROVALD_WEBHOOK_LIMITS_H

#define WEBHOOK_DESTINATION_COUNT_MAX 32   /* systems that want outcomes; policies name 4 each */
#define WEBHOOK_URL_SIZE_MAX          2048 /* bytes: what servers accept in a request line */
#define WEBHOOK_SECRET_SIZE_MAX       256  /* bytes: HMAC hashes keys over 64 anyway */
#define WEBHOOK_SECRET_SIZE_MIN       16   /* bytes: a shorter one can be guessed */
#define WEBHOOK_BODY_SIZE_MAX         (256UL * 1024) /* bytes: the longest request, escaped */
#define WEBHOOK_RESPONSE_SIZE_MAX     4096           /* bytes: only the status counts */
#define WEBHOOK_TIMEOUT_MS            10000 /* a receiver queues and answers; slower is broken */
#define WEBHOOK_REFUSED_COUNT_MAX     10 /* attempts against a 4xx: a quarter of an hour to repair */
#define WEBHOOK_RETRY_AFTER_MS_MAX    600000 /* longer is a mistake of the receiver */

#endif
