/* SPDX-License-Identifier: Apache-2.0 */
/* waiting.h: which presses of the inbox are about which request, on the writer. */
#ifndef APPROVALD_SERVICE_WAITING_H
#define APPROVALD_SERVICE_WAITING_H

#include "approvald/service/work.h"

/* An entry goes into the inbox, or leaves it. */
enum err_code waiting_put(struct work *work, const struct inbox_entry *entry) WARN_UNUSED;
enum err_code waiting_delete(struct work *work, const struct inbox_entry *entry) WARN_UNUSED;
/* Those that were there when the job began and have not left since. Costs nothing unless the
 * request's time has come: nothing else asks for them. */
enum err_code waiting_find(struct work *work,
                           const struct request *request,
                           struct approval_waiting *ret_waiting) WARN_UNUSED;
/* An entry about the request has left: what its end has waited for may be over, and then the next
 * tick, which comes at once, ends it. */
enum err_code waiting_over(struct work *work, const struct request_id *id) WARN_UNUSED;
/* The end of the request waits: it is looked at again soon. */
enum err_code waiting_look_again(struct work *work, const struct request_id *id) WARN_UNUSED;

#endif
