/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.h: makes the supervisor's memory durable without the loop: a thread of its own writes and
 * syncs, so that a disk that hangs holds up no watchdog, no removal of the virtual IP and no clock
 * of the failover core. What stands behind a save waits for its number (sup_keep.c).
 *
 * Values pass by copy. Each is the whole memory, so one that has not begun gives way to the next;
 * they reach the disk in the order in which they were asked for. */
#ifndef SUPERVISOR_KEEPER_H
#define SUPERVISOR_KEEPER_H

#include "base/err.h"
#include "supervisor/memory.h"

#include <stdint.h>

struct keeper;

/* Takes memory, which was loaded, when it succeeds. */
enum err_code
keeper_new(struct memory *memory_take, struct keeper **ret_keeper, struct err *err) WARN_UNUSED;
/* Ends the thread when the newest value is durable. A disk that hangs is waited for limit_ms at
 * most; then thread and memory are left behind: the process is to end. NULL is allowed. */
void keeper_free(struct keeper *keeper, uint32_t limit_ms);

/* To be watched for reading: there is something for keeper_look. Borrowed. */
int keeper_fd(const struct keeper *keeper);
/* Asks for *value to be made durable; its number, which rises from 1. Never waits. */
uint64_t keeper_save(struct keeper *keeper, const struct memory_value *value);
/* The number up to which all is durable. An error is final: nothing is written any more. */
enum err_code keeper_look(struct keeper *keeper, uint64_t *ret_saved, struct err *err) WARN_UNUSED;

#endif
