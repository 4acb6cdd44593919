/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h: what the supervisor remembers over its own end: what it has seen in the register, the
 * crashes of its child, and whether it ended cleanly. Two alternating copies, supervisor-0 and
 * supervisor-1 in state_dir: a crash while one is written leaves the other. */
#ifndef SUPERVISOR_MEMORY_H
#define SUPERVISOR_MEMORY_H

#include "base/err.h"
#include "base/span.h"
#include "supervisor/failover/failover.h"
#include "supervisor/watch.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_BOOT_SIZE 36 /* text of /proc/sys/kernel/random/boot_id */

struct memory_value {
    struct failover_memory failover;
    struct watch_tally tally;
    char boot_id[MEMORY_BOOT_SIZE]; /* of the boot in which it was written; no NUL */
    bool running;                   /* a supervisor runs, or ended without a clean stop */
    bool armed;                     /* it had armed the watchdog */
};

enum memory_end {                  /* how the last supervisor here ended */
                  MEMORY_FIRST,    /* there was none */
                  MEMORY_CLEAN,    /* it was stopped */
                  MEMORY_CRASHED,  /* it ended within this boot */
                  MEMORY_HOST_DOWN /* the host went down under it: power, crash or watchdog */
};

/* The body of a copy. Pure. */
#define MEMORY_BODY_SIZE                                                                           \
    (5UL * 8 + 2 + MEMORY_BOOT_SIZE + 2 + 8 +                                                      \
     WATCH_CRASH_COUNT * (8UL + 8 + 1 + 1 + 4 + 1 + WATCH_REASON_SIZE))
void memory_encode(const struct memory_value *value, uint8_t body[MEMORY_BODY_SIZE]);
/* ERR_CORRUPT. */
enum err_code
memory_decode(struct span body, struct memory_value *ret_value, struct err *err) WARN_UNUSED;

struct memory;

/* Opens dir (made with mode 0700 when it is missing) and locks it against a second supervisor:
 * ERR_BUSY says that there is one, and nothing else does. Syncs and reads nothing: does not wait
 * for a disk that hangs. */
enum err_code memory_open(const char *dir, struct memory **ret_memory, struct err *err) WARN_UNUSED;
/* Once, before memory_save: what is there. ERR_CORRUPT: copies that are all damaged are no reason
 * to begin anew: what had been promised would be forgotten. Blocks (disk). */
enum err_code memory_load(struct memory *memory,
                          struct memory_value *ret_value,
                          enum memory_end *ret_end,
                          struct err *err) WARN_UNUSED;
/* Once, between the two: the memory is this pair's from now on. What it held of another one is
 * forgotten, *ret_forgot is true: that one's arbiter, epochs and operators say nothing about this
 * one. Crashes are this host's, and stay. Without a mark (of a first pair, or of a version that
 * made none) what is there counts. The mark is the file "pair": the body of a copy has no room for
 * it that an older version would leave alone. Blocks (disk). */
enum err_code memory_bind(struct memory *memory,
                          const uint8_t cluster_id[REGISTER_ID_SIZE],
                          struct memory_value *value,
                          bool *ret_forgot,
                          struct err *err) WARN_UNUSED;
void memory_close(struct memory *memory); /* NULL is allowed */
/* dir, borrowed: whoever duplicates it holds the lock, too. */
int memory_dir(const struct memory *memory);
/* Durable when it returns; on failure the old value is. boot_id is filled in. Blocks (disk): what
 * stands behind it must not happen before. */
enum err_code
memory_save(struct memory *memory, const struct memory_value *value, struct err *err) WARN_UNUSED;
const char *memory_end_word(enum memory_end end);

#endif
