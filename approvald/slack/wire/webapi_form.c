/* SPDX-License-Identifier: Apache-2.0 */
/* webapi_form.c: bodies of the methods that read. Pure.
 * Owns the form encoding; everything but RFC 3986's unreserved characters is escaped.
 * Never touches the client, so that tests and fuzzers can use it alone. */
#include "approvald/slack/wire/webapi.h"
#include "base/buf.h"

#include <string.h>

enum err_code
webapi_form_add(struct buf *form, const char *name, struct span value, struct err *err)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    enum err_code rc = buf_append_format(form, err, "%s%s=", buf_size(form) > 0 ? "&" : "", name);

    for (size_t i = 0; rc == ERR_OK && i < value.size; i++) {
        uint8_t byte = (uint8_t)value.data[i];

        if (byte != 0 && strchr(plain, byte) != NULL) {
            rc = buf_append(form, &byte, 1, err);
        } else {
            rc = buf_append_format(form, err, "%%%02X", byte);
        }
    }
    return rc;
}
