/* SPDX-License-Identifier: Apache-2.0 */
/* child.h: runs a command to its end and passes signals on. */
#ifndef APPROVALD_CTL_CHILD_H
#define APPROVALD_CTL_CHILD_H

#include "base/err.h"

#include <stdint.h>

#define CHILD_NOT_FOUND      127 /* as shells say it */
#define CHILD_NOT_EXECUTABLE 126
#define CHILD_SIGNAL_BASE    128 /* plus the signal that ended it */

/* Runs argv in the directory open as directory_fd with this process's environment and waits for it.
 * Signals INT, TERM, HUP, QUIT, USR1 and USR2 that a process sent to us go to the child; what the
 * terminal sends reaches it anyway. *ret_code: its exit code, 128 + the signal that ended it, 127
 * (not found) or 126 (not to be executed). ERR_IO: it could not be started at all. */
enum err_code
child_run(int directory_fd, char **argv, int32_t *ret_code, struct err *err) WARN_UNUSED;

/* Calls note(signal number) on INT, TERM and HUP; NULL: as it was before. One caller at a time. */
void child_catch(void (*note)(int));

#endif
