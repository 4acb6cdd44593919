/* SPDX-License-Identifier: Apache-2.0 */
/* io_tap.h: sees every file call of the process below one directory, LMDB's as well: it defines
 * open, pwrite, fdatasync and the rest in the program itself, before the C library's. It can fail
 * calls (fault) and record them (a trace, for rebuilding what a power loss may leave).
 *
 * Linked as a source of the program that uses it, never from the library: there it would be drawn
 * into every test. */
#ifndef TESTS_LIB_IO_TAP_H
#define TESTS_LIB_IO_TAP_H

#include "tests/lib/fault.h"

#include <stddef.h>
#include <stdint.h>

enum tap_kind {
    TAP_CREATE,     /* name appears as object */
    TAP_RESIZE,     /* object gets a size */
    TAP_WRITE,      /* bytes on their way to object */
    TAP_SYNC_BEGIN, /* a sync of object starts ... */
    TAP_SYNC_END,   /* ... and has succeeded; since: the number of its begin */
    TAP_SYNC_DIR,   /* names are durable */
    TAP_RENAME,     /* name becomes name_to */
    TAP_UNLINK,     /* name disappears */
    TAP_MARK        /* the test's own: offset is its number */
};

#define TAP_NAME_SIZE 64

struct tap_event {
    enum tap_kind kind;
    uint32_t object;
    uint64_t offset;
    uint64_t size;
    uint64_t since;
    uint8_t *bytes; /* owned by the trace; NULL: zeros */
    char name[TAP_NAME_SIZE];
    char name_to[TAP_NAME_SIZE];
};

struct tap_trace {
    struct tap_event *events; /* owned */
    size_t count;
    size_t room;
};

/* Files directly in dir are watched from now on. Only before threads use them. */
void tap_watch(const char *dir);
/* Starts or (NULL) ends recording into trace, which begins with the files that are there, durable.
 */
void tap_record(struct tap_trace *trace);
/* Makes every sync of a watched file last so long, as on a real disk, so that much is under way
 * meanwhile; 0: as it comes. */
void tap_slow_syncs(uint64_t microseconds);
/* Calls that write, sync, rename, create or remove ask fault; NULL: none fail. With number as
 * errno. */
void tap_fail(struct fault *fault, int number);
/* Only syncs ask. */
void tap_fail_syncs(struct fault *fault, int number);
/* Records a mark. */
void tap_mark(uint64_t number);
void tap_trace_free(struct tap_trace *trace);

#endif
