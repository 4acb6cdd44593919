/* SPDX-License-Identifier: Apache-2.0 */
/* message_sample.h: one message of each type between the two hosts, with a value in each field. */
#ifndef TESTS_LIB_MESSAGE_SAMPLE_H
#define TESTS_LIB_MESSAGE_SAMPLE_H

#include "storage/message.h"

/* Where the samples say that a log is. */
extern const struct record_position message_sample_position;

/* type below MESSAGE_TYPE_END; texts are static. */
struct message message_sample(enum message_type type);

#endif
