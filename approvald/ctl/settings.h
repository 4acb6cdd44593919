/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h: where approvald is and with which token: options, then the environment, then the
 * user's file, then the local socket. */
#ifndef APPROVALD_CTL_SETTINGS_H
#define APPROVALD_CTL_SETTINGS_H

#include "base/err.h"

struct client_options;
struct ctl;

/* Fills ctl->url, ->socket and ->token, and the options' texts. ERR_INVALID says what to give.
 * Reads small files. */
enum err_code
settings_find(struct ctl *ctl, struct client_options *options, struct err *err) WARN_UNUSED;
/* Frees what settings_find read. */
void settings_free(struct ctl *ctl);

#endif
