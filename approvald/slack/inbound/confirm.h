/* SPDX-License-Identifier: Apache-2.0 */
/* confirm.h: Slack is asked for a claim what it says now about those who approved: everybody at
 * once, each thing once, in bounded time. Loop thread only. */
#ifndef APPROVALD_SLACK_INBOUND_CONFIRM_H
#define APPROVALD_SLACK_INBOUND_CONFIRM_H

#include "base/err.h"

struct confirm;
struct directory;
struct event_base;
struct service_question;

/* Pointers are borrowed. */
enum err_code confirm_new(struct event_base *base,
                          struct directory *directory,
                          struct confirm **ret_confirm,
                          struct err *err) WARN_UNUSED;
/* Who waits is not called. Before the directory. NULL is allowed. */
void confirm_free(struct confirm *confirm);
/* done is called once, never from inside, when all has been answered, could not be, or after
 * SLACK_CONFIRM_MS. ERR_FULL, ERR_UNAVAILABLE: nobody is asked. */
enum err_code confirm_ask(struct confirm *confirm,
                          const struct service_question *question,
                          void (*done)(void *done_arg),
                          void *done_arg,
                          struct err *err) WARN_UNUSED;

#endif
