/* SPDX-License-Identifier: Apache-2.0 */
/* hidden.h: a secret line out of the person's hand. */
#ifndef APPROVALD_CTL_HIDDEN_H
#define APPROVALD_CTL_HIDDEN_H

#include "base/err.h"

#include <stddef.h>

/* From the terminal, without echo, after the question on standard error; without a terminal the
 * next line of standard input. "" is a line too. Ctrl-C is SIGINT, as elsewhere, with the terminal
 * as it was. ERR_NOT_FOUND: the input has ended; ERR_TOO_LARGE: it is longer than size takes with
 * its NUL; ERR_INVALID: a NUL byte. Wipe it. */
enum err_code
hidden_line(const char *question, char *ret_line, size_t size, struct err *err) WARN_UNUSED;

#endif
