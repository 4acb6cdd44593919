/* SPDX-License-Identifier: Apache-2.0 */
/* fake_outbox.h: the outbox half of service.h in memory, under core's own rules (core/outbox), so
 * that a sender can be driven without a store. Linked in the place of the service. Answers come on
 * the loop, never from inside a call. */
#ifndef TESTS_UNIT_FAKE_OUTBOX_H
#define TESTS_UNIT_FAKE_OUTBOX_H

#include "approvald/service/service.h"

struct clock;
struct event_base;

#define FAKE_OUTBOX_ROW_COUNT_MAX 512

/* The one service of a test program, emptied. clock is borrowed. */
struct service *fake_outbox_reset(struct event_base *base, const struct clock *clock);
/* What every attempt is given; copied, the spans are borrowed. The id is replaced by the row's. */
void fake_outbox_state(const struct request *request, const struct policy *policy);
/* A request's id by a number from 0 on. */
struct request_id fake_outbox_id(uint32_t number);
/* Owes a revision (card, direct); the row is made when it is not there. */
void fake_outbox_raise(uint32_t number,
                       enum surface surface,
                       const char *target,
                       uint32_t revision);
/* What is shown is in doubt. */
void fake_outbox_doubt(uint32_t number, enum surface surface, const char *target);
/* The reconciler has seen that it shows something else. */
void fake_outbox_repair(uint32_t number, enum surface surface, const char *target);
/* Owes an item (thread, notice, webhook). Texts are borrowed. */
void fake_outbox_add(uint32_t number,
                     enum surface surface,
                     const char *target,
                     const struct outbox_item *item);
/* Sets where a row's message is, or a notice was pressed. */
void fake_outbox_place(
    uint32_t number, enum surface surface, const char *target, const char *channel, const char *ts);
/* The row, or NULL. */
const struct outbox_row *fake_outbox_row(uint32_t number, enum surface surface, const char *target);
/* What an attempt shows is recorded, as its end would. */
void fake_outbox_settle(uint32_t number, enum surface surface, const char *target);
/* Makes a dead row live again, as an admin would. */
void fake_outbox_replay(uint32_t number, enum surface surface, const char *target);
/* Says that the request changed, as a commit would. */
void fake_outbox_touch(uint32_t number);
/* Attempts of which a call got out, and nobody knows what became of it. */
size_t fake_outbox_away(void);
/* The next begins and ends are refused so. */
void fake_outbox_refuse(enum err_code rc);
/* A look shows this many requests at most (0: all that are asked for), as when rows are many. */
void fake_outbox_show(size_t count_max);
/* Looks, and pages of scans, answered since the reset. */
size_t fake_outbox_looks(void);
size_t fake_outbox_pages(void);

#endif
