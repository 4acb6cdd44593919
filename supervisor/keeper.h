/* SPDX-License-Identifier: Apache-2.0 */
/* keeper.h: makes something durable without the loop: a thread of its own writes and syncs, so that
 * a disk that hangs holds up no watchdog, no removal of the virtual IP and no clock of the failover
 * core. What stands behind a save waits for its number: for the supervisor's memory in sup_keep.c,
 * for the mirrored register in arbiter_manual.c.
 *
 * Values pass by copy. Each is the whole, so one that has not begun gives way to the next; they
 * reach the disk in the order in which they were asked for. */
#ifndef SUPERVISOR_KEEPER_H
#define SUPERVISOR_KEEPER_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct keeper;

struct keeper_file {
    void *file;        /* the thread's, when keeper_new succeeds */
    size_t value_size; /* bytes of a value */
    /* By the thread: durable when it returns. */
    enum err_code (*save)(void *file, const void *value, struct err *err);
    void (*close)(void *file);
};

enum err_code keeper_new(const struct keeper_file *file_take,
                         struct keeper **ret_keeper,
                         struct err *err) WARN_UNUSED;
/* Ends the thread when the newest value is durable. A disk that hangs is waited for limit_ms at
 * most; then thread and file are left behind: they end when the disk lets the thread go, if the
 * process has not ended before. NULL is allowed. */
void keeper_free(struct keeper *keeper, uint32_t limit_ms);

/* To be watched for reading: there is something for keeper_look. Borrowed. */
int keeper_fd(const struct keeper *keeper);
/* Asks for *value to be made durable; its number, which rises from 1. Never waits. */
uint64_t keeper_save(struct keeper *keeper, const void *value);
/* The number up to which all is durable. An error is final: nothing is written any more. */
enum err_code keeper_look(struct keeper *keeper, uint64_t *ret_saved, struct err *err) WARN_UNUSED;
/* For how long the disk has owed a save, in milliseconds; 0: it owes none. */
uint64_t keeper_owes_ms(struct keeper *keeper);

#endif
