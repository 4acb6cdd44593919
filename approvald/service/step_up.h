/* SPDX-License-Identifier: Apache-2.0 */
/* step_up.h: one-time codes on the writer. The use cases of the admin are in service.h. */
#ifndef APPROVALD_SERVICE_STEP_UP_H
#define APPROVALD_SERVICE_STEP_UP_H

#include "approvald/service/work.h"

/* Does the person's code count now? It never does again then; a wrong one is counted. Both are
 * stored with whatever else the job does, so a job that fails has used nothing up. Why it does not
 * count (nobody enrolled, wrong, used, locked) is not said. */
enum err_code
step_up_try(struct work *work, struct span user, uint32_t code, bool *ret_counts) WARN_UNUSED;

#endif
