/* SPDX-License-Identifier: Apache-2.0 */
/* control.h: the operator's unix socket. One connection, one request line, one answer line (JSON),
 * then the connection is closed. A request is {"command":"status"} or the plain words, as
 * "maintenance on". Only root and the supervisor's own user are heard. */
#ifndef SUPERVISOR_CONTROL_H
#define SUPERVISOR_CONTROL_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

struct buf;
struct control;
struct event_base;

enum control_command {
    CONTROL_STATUS,
    CONTROL_SWITCHOVER,
    CONTROL_PROMOTE_FORCE,
    CONTROL_PROMOTE_FORCE_OTHER,
    CONTROL_PEER_OFF,
    CONTROL_BOOTSTRAP,
    CONTROL_RESEED,
    CONTROL_REJOIN,
    CONTROL_MAINTENANCE_ON,
    CONTROL_MAINTENANCE_OFF,
    CONTROL_SAFE_MODE_CLEAR
};

/* One request line without its end. ERR_INVALID. */
enum err_code
control_parse(struct span line, enum control_command *ret_command, struct err *err) WARN_UNUSED;
const char *control_word(enum control_command command);

/* Answers with control_answer or control_reply, now or later, exactly once per client. */
typedef void control_take(void *arg, uint64_t client, enum control_command command);

/* Binds path (mode 0600; a stale socket is replaced, ERR_BUSY when somebody answers there). */
enum err_code control_new(struct event_base *base,
                          const char *path,
                          control_take *take,
                          void *arg,
                          struct control **ret_control,
                          struct err *err) WARN_UNUSED;
/* Drops every client and removes the socket. NULL is allowed. */
void control_free(struct control *control);

/* id: the client. One that has gone meanwhile is no error. {"ok":…,"message":"…"} */
void control_reply(struct control *control, uint64_t id, bool ok, const char *message);
/* text is one JSON value without a line end. */
void control_answer(struct control *control, uint64_t id, struct span text);
/* Drops who has waited too long. To be called about once a second; now: boot clock, ms. */
void control_tick(struct control *control, uint64_t now);

#endif
