/* SPDX-License-Identifier: Apache-2.0 */
/* people.h: finds out who gets a copy of a request's card in his direct messages, and has the store
 * owe it to them: what the sender does with a row of SURFACE_PEOPLE.
 *
 * The row is owed when a request begins, when it is escalated and when its approvers are reminded,
 * so who has become one of them in between, or a substitute, is found then. An attempt is two
 * transactions: the copies, and the end of the row; a crash between them repeats the first one,
 * which changes nothing. What the directory does not know is fetched and the attempt repeated after
 * the outbox's back-off; meanwhile those who are known have their copies, unless there is a channel
 * that has the card and it may yet turn out that they are too many (core/audience.h). */
#ifndef APPROVALD_SLACK_PEOPLE_PEOPLE_H
#define APPROVALD_SLACK_PEOPLE_PEOPLE_H

#include "approvald/service/delivery.h"

struct directory;
struct metrics;
struct people;

/* All borrowed. */
enum err_code people_new(struct directory *directory,
                         struct service *service,
                         struct metrics *metrics,
                         struct people **ret_people,
                         struct err *err) WARN_UNUSED;
/* Close the storage before: it answers what is under way. NULL is allowed. */
void people_free(struct people *people);
/* delivery_start_fn. */
enum err_code people_start(void *driver,
                           const struct delivery *delivery,
                           delivery_done_fn *done,
                           void *arg,
                           struct err *err);

#endif
