/* SPDX-License-Identifier: Apache-2.0 */
/* code.c: reads a one-time code.
 * Owns the words about it. Never prints a code. */
#include "approvald/ctl/code.h"

#include "approvald/ctl/hidden.h"

enum err_code code_read(char ret_code[CODE_SIZE], struct err *err)
{
    enum err_code rc = hidden_line("Code of your authenticator app: ", ret_code, CODE_SIZE, err);

    if (rc == ERR_TOO_LARGE) {
        return err_set(err, ERR_INVALID, "that is longer than a code");
    }
    if (rc != ERR_OK || ret_code[0] == '\0') {
        return err_set(err, ERR_INVALID,
                       "a one-time code is needed: type it, or give it on standard input");
    }
    return ERR_OK;
}
