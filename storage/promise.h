/* SPDX-License-Identifier: Apache-2.0 */
/* promise.h: what this host has promised, durably: never to acknowledge or echo below an epoch
 * (rules C, G); and of which lineage its store is.
 *
 * Two files, promise-0 and promise-1, written in turn, each of PROMISE_FILE_SIZE bytes,
 * little-endian:
 *
 *    0 u64 magic "APPROMI1"
 *    8 u32 CRC32C of bytes 12 to 63
 *   12 u32 format version, 1
 *   16 u64 sequence number: the higher whole one counts
 *   24 u64 epoch
 *   32 u64 lineage
 *   40     store id, 16 bytes: a promise of another store's is refused (ERR_CORRUPT)
 *   56     zeros
 *
 * A crash while one is written leaves the other. Both bad, or one missing beside a bad one:
 * ERR_CORRUPT (a promise that may have been higher is lost: this store must not speak); both
 * missing: a new store, epoch 0. A copy is first made whole under another name (promise-0.tmp).
 * Opening writes what it found once more, for a killed process may have left it in the page cache
 * only. Blocks (writes, fdatasync, and sync of the directory when a file
 * is made). After an error of a write nothing may be promised any more by this process. */
#ifndef STORAGE_PROMISE_H
#define STORAGE_PROMISE_H

#include "base/err.h"
#include "storage/storage.h"

#include <stdint.h>

#define PROMISE_FILE_SIZE 64U

struct disk;
struct promise;

struct promise_value {
    uint64_t epoch;
    uint64_t lineage; /* 0: none yet */
};

enum err_code promise_open(const struct disk *disk,
                           const char *dir,
                           const uint8_t store_id[STORAGE_ID_SIZE],
                           struct promise **ret_promise,
                           struct err *err) WARN_UNUSED;
void promise_close(struct promise *promise);
/* The durable value. */
void promise_get(const struct promise *promise, struct promise_value *ret_value);
/* Makes *value durable. The epoch never falls (asserted). */
enum err_code promise_set(struct promise *promise,
                          const struct promise_value *value,
                          struct err *err) WARN_UNUSED;

/* Whatever promise is there gives way to this one, of another store: for a store that was installed
 * from a snapshot (install.h). A crash leaves none, one, or the new one: the caller does it again
 * until it is done. */
enum err_code promise_replace(const struct disk *disk,
                              const char *dir,
                              const uint8_t store_id[STORAGE_ID_SIZE],
                              const struct promise_value *value,
                              struct err *err) WARN_UNUSED;

#endif
