/* SPDX-License-Identifier: Apache-2.0 */
/* notify_run.h: runs the admin's command for one notice. Blocks until it has ended. */
#ifndef APPROVALD_CTL_NOTIFY_RUN_H
#define APPROVALD_CTL_NOTIFY_RUN_H

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>

#define NOTIFY_INPUT_MAX ((size_t)48 << 10) /* bytes: less than a pipe takes at once */

/* Runs argv with input on its standard input, what it prints on our standard error, nothing of our
 * environment but a PATH, and in a process group of its own, which is killed after timeout_ms.
 * ERR_OK: it ended with 0. ERR_TIMEOUT, ERR_FATAL (another exit code or a signal), ERR_IO (it could
 * not be started): the message says which. */
enum err_code
notify_run(char *const *argv, struct span input, uint32_t timeout_ms, struct err *err) WARN_UNUSED;

#endif
