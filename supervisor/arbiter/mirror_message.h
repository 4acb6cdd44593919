/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_message.h: what two mirrors say to each other. Pure. For mirror.c only.
 *
 * A message, at most MIRROR_MESSAGE_SIZE_MAX bytes, little-endian:
 *    0 u8  type, 1 u64 sender's incarnation, 9 u64 receiver's incarnation (0: not known yet),
 *   17 u64 number of the request, 25 u64 generation, 33 u64 expected revision (PROPOSE),
 *   41     the register's text to the end (empty: none) */
#ifndef SUPERVISOR_ARBITER_MIRROR_MESSAGE_H
#define SUPERVISOR_ARBITER_MIRROR_MESSAGE_H

#include "supervisor/arbiter/mirror.h"

#define MIRROR_GENERATION_SHIFT 40U /* of a revision: the epoch is below */

enum mirror_message_type {
    MIRROR_HELLO = 1,
    MIRROR_GET,
    MIRROR_STATE,
    MIRROR_PROPOSE,
    MIRROR_ACCEPTED,
    MIRROR_REFUSED,
    MIRROR_TYPE_END
};

struct mirror_message {
    enum mirror_message_type type;
    uint64_t from;
    uint64_t to;
    uint64_t number;
    uint64_t expected;
    struct mirror_copy copy;
};

/* Returns its size. */
size_t mirror_message_format(const struct mirror_message *message,
                             uint8_t bytes[MIRROR_MESSAGE_SIZE_MAX]);
/* False: no message. */
bool mirror_message_parse(struct span bytes, struct mirror_message *ret_message);

#endif
