/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h: the messages of a fixture as one file of bytes, and back as text. */
#ifndef TESTS_FORMATS_WIRE_H
#define TESTS_FORMATS_WIRE_H

#include "base/err.h"
#include "base/span.h"
#include "supervisor/arbiter/mirror.h"
#include "supervisor/memory.h"

#include <stdio.h>

struct buf;

/* The pair link's frames, one behind the other. */
enum err_code wire_link_make(struct buf *bytes, struct err *err) WARN_UNUSED;
enum err_code wire_link_print(FILE *out, struct span bytes, struct err *err) WARN_UNUSED;
/* The mirrored register's messages, each behind its size, a u16. */
enum err_code wire_mirror_make(struct buf *bytes, struct err *err) WARN_UNUSED;
enum err_code wire_mirror_print(FILE *out, struct span bytes, struct err *err) WARN_UNUSED;
enum err_code wire_secrets_make(struct buf *bytes, struct err *err) WARN_UNUSED;
enum err_code wire_secrets_print(FILE *out, struct span bytes, struct err *err) WARN_UNUSED;
/* What is in the register. */
enum err_code wire_register_make(struct buf *bytes, struct err *err) WARN_UNUSED;
enum err_code wire_register_print(FILE *out, struct span bytes, struct err *err) WARN_UNUSED;

/* Also for the other parts of a fixture. */
void wire_print_copy(FILE *out, const struct mirror_copy *copy);
void wire_print_memory(FILE *out, const struct memory_value *value);

#endif
