/* SPDX-License-Identifier: Apache-2.0 */
/* wait.h: waits for the outcome of a request, across restarts and failovers of approvald. Blocks.
 */
#ifndef APPROVALD_CTL_WAIT_H
#define APPROVALD_CTL_WAIT_H

#include "approvald/ctl/ctl.h"

struct wait_options {
    const char *id;
    const char *code; /* of a bound request, shown in the progress line; NULL: none */
    uint32_t poll_s;  /* longest silence before ctl->stopped is looked at */
    bool progress;    /* on standard error */
};

/* CTL_OK: approved; *ret_reply then holds the request. CTL_TIMEOUT: --timeout is over, or
 * ctl->stopped is set. Prints nothing but progress and failures. */
int wait_outcome(struct ctl *ctl,
                 const struct wait_options *options,
                 const struct client_reply **ret_reply);
/* True when a progress line makes sense: a terminal, and neither --quiet nor --json. */
bool wait_shows_progress(const struct ctl *ctl);

#endif
