/* SPDX-License-Identifier: Apache-2.0 */
/* json_scan.h: is this strictly RFC 8259, within our bounds? Pure. For json.c. */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>

struct json_scan_count {
    size_t values;
    size_t names; /* of members of objects */
};

/* ERR_TOO_LARGE (depth JSON_DEPTH_MAX, values JSON_NODE_COUNT_MAX), ERR_INVALID (syntax, encoding,
 * NUL, lone surrogate, number longer than JSON_NUMBER_SIZE_MAX, bytes left over) with the offset in
 * the message. */
enum err_code
json_scan(struct span bytes, struct json_scan_count *ret_count, struct err *err) WARN_UNUSED;

#endif
