/* SPDX-License-Identifier: Apache-2.0 */
/* sample.h: what the fixture of a version holds: records of every kind, in every shape that a codec
 * knows, and messages. Always the same ones. A field that is new gets a value here. */
#ifndef TESTS_FORMATS_SAMPLE_H
#define TESTS_FORMATS_SAMPLE_H

#include "approvald/pair_secrets.h"
#include "base/err.h"
#include "base/span.h"
#include "storage/message.h"
#include "supervisor/arbiter/mirror_message.h"
#include "supervisor/memory.h"

#include <stdint.h>

extern const uint8_t sample_cluster[STORAGE_ID_SIZE];

/* A value of NULL deletes. */
typedef enum err_code
sample_put_fn(void *arg, uint8_t table, struct span key, struct span value, struct err *err);

/* What the state holds as of the last checkpoint. */
enum err_code sample_state(sample_put_fn *fn, void *arg, struct err *err) WARN_UNUSED;
/* What only the log holds behind it: one more of some, one changed, one gone. */
enum err_code sample_tail(sample_put_fn *fn, void *arg, struct err *err) WARN_UNUSED;

/* type below MESSAGE_TYPE_END, MIRROR_TYPE_END. */
struct message sample_message(enum message_type type);
struct mirror_message sample_mirror(enum mirror_message_type type);
struct register_value sample_register(void);
struct memory_value sample_memory(void);
struct pair_secrets sample_secrets(void);

#endif
