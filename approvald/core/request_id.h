/* SPDX-License-Identifier: Apache-2.0 */
/* request_id.h: making, writing and reading request ids. Pure. */
#ifndef APPROVALD_CORE_REQUEST_ID_H
#define APPROVALD_CORE_REQUEST_ID_H

#include "approvald/core/types.h"

#include <string.h>

#define REQUEST_ID_RANDOM_SIZE 10

/* now_ms in the upper 48 bits, then the random bytes. */
void request_id_make(uint64_t now_ms,
                     const uint8_t random[REQUEST_ID_RANDOM_SIZE],
                     struct request_id *ret_id);
/* "req_" and 26 characters, with a NUL. */
void request_id_format(const struct request_id *id, char ret_text[REQUEST_ID_TEXT_SIZE]);
/* Only what request_id_format writes (upper case, no I L O U, first digit at most 7), else false
 * and *ret_id is untouched. */
bool request_id_parse(struct span text, struct request_id *ret_id);
/* As memcmp: ids sort by their time. */
int request_id_compare(const struct request_id *a, const struct request_id *b);
/* Here for the compiler: tables are searched for an id, row by row. */
static inline bool request_id_equal(const struct request_id *a, const struct request_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
/* When it was made. */
uint64_t request_id_time_ms(const struct request_id *id);

#endif
