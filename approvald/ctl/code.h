/* SPDX-License-Identifier: Apache-2.0 */
/* code.h: a one-time code out of the person's hand. */
#ifndef APPROVALD_CTL_CODE_H
#define APPROVALD_CTL_CODE_H

#include "base/err.h"

#define CODE_SIZE 17 /* as much as approvald takes, with the NUL */

/* From the terminal, without echo, after a question on standard error; without a terminal the first
 * line of standard input. ERR_INVALID: there is none, or it is longer. Wipe it. */
enum err_code code_read(char ret_code[CODE_SIZE], struct err *err) WARN_UNUSED;

#endif
