/* SPDX-License-Identifier: Apache-2.0 */
/* talk.h: one conversation over TLS, frame by frame, by a deadline. Calls block until then. */
#ifndef APPROVALD_ENROL_TALK_H
#define APPROVALD_ENROL_TALK_H

#include "base/err.h"
#include "base/span.h"

#include <stddef.h>
#include <stdint.h>

struct buf;
struct talk;
struct tls_identity;

/* Over a connected socket, which it takes (also when it fails), until so many milliseconds from
 * now. Shakes hands. ERR_TIMEOUT, ERR_DENIED (not the awaited certificate), ERR_PROTOCOL, ERR_IO,
 * ERR_NOMEM. */
enum err_code talk_new(struct tls_identity *identity,
                       int file_take,
                       uint32_t limit_ms,
                       struct talk **ret_talk,
                       struct err *err) WARN_UNUSED;
/* Says goodbye and closes. NULL is allowed. */
void talk_free(struct talk *talk);

enum err_code talk_send(struct talk *talk, struct span content, struct err *err) WARN_UNUSED;
/* A frame of at most size_max bytes, into a new buffer. ERR_TOO_LARGE before a byte of it is kept.
 * As talk_new; the peer's end is ERR_NOT_FOUND. */
enum err_code talk_receive(struct talk *talk,
                           size_t size_max,
                           struct buf **ret_content,
                           struct err *err) WARN_UNUSED;

#endif
