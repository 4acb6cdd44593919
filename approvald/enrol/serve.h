/* SPDX-License-Identifier: Apache-2.0 */
/* serve.h: the host that has given tokens out waits for who brings them. Blocks. */
#ifndef APPROVALD_ENROL_SERVE_H
#define APPROVALD_ENROL_SERVE_H

#include "approvald/enrol/home.h"
#include "base/err.h"

/* What happens, for the person or the log. */
typedef void serve_tell_fn(void *arg, const char *text);

struct serve_options {
    const struct home *home;
    const struct plan *plan;
    unsigned int host;           /* this one */
    const volatile int *stopped; /* set by a signal */
    serve_tell_fn *tell;
    void *arg;
};

/* Makes an offer and saves it; ret_text is the token. */
enum err_code serve_offer(const struct home *home,
                          const struct home_self *self,
                          enum enrol_role role,
                          char ret_text[TOKEN_TEXT_SIZE_MAX],
                          struct err *err) WARN_UNUSED;

/* Serves the offers there are until each has ended, or *stopped. One connection at a time, each by
 * its deadline. ERR_BUSY: the port is taken. What one joiner does never ends it. */
enum err_code serve_run(const struct serve_options *options, struct err *err) WARN_UNUSED;
/* An offer was made and its taker has not come, or has not said that all is installed. */
bool serve_is_owed(const struct home *home);
/* Every offer that there is was used, and its taker has said that all is installed. */
bool serve_is_complete(const struct home *home);

#endif
