/* SPDX-License-Identifier: Apache-2.0 */
/* record.h: prints what is stored under a key, read by the present codecs. */
#ifndef TESTS_FORMATS_RECORD_H
#define TESTS_FORMATS_RECORD_H

#include "base/err.h"
#include "base/span.h"

#include <stdint.h>
#include <stdio.h>

/* One line with table and key, then those of the fields. ERR_CORRUPT: it does not decode, or what
 * was decoded is not encoded to the same bytes. */
enum err_code record_print(
    FILE *out, uint8_t table, struct span key, struct span value, struct err *err) WARN_UNUSED;
/* "struct request 2048": another size says that there is a field that the samples do not have. */
void record_print_sizes(FILE *out);

#endif
