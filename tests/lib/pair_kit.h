/* SPDX-License-Identifier: Apache-2.0 */
/* pair_kit.h: two storages and, instead of a link, a hand that carries records, acknowledgements
 * and echoes between them through engine_pair.h, as much of it as the test wants. One thread. */
#ifndef TESTS_LIB_PAIR_KIT_H
#define TESTS_LIB_PAIR_KIT_H

#include "storage/engine_pair.h"
#include "storage/pair.h"
#include "tests/lib/scratch.h"
#include "tests/lib/store_kit.h"

struct pair_host {
    struct scratch scratch;
    struct storage *storage;
    uint64_t epoch;          /* that it led last: the other one follows it */
    const struct disk *disk; /* from the next pair_reopen on; NULL: this host's */
    struct err err;
};

struct pair_kit {
    struct pair_host hosts[2];
    uint32_t primary; /* index of the host that ships */
    uint64_t lsn_next;
    uint64_t ping;
    bool hold_records;
    bool hold_acks;
    bool hold_commits;
    bool hold_echoes;
    uint64_t map_size; /* of who is opened again; 0: as kit_options says */
    uint8_t *bytes;    /* owned */
};

/* Both idle, in new directories, of one cluster. */
void pair_kit_init(struct pair_kit *kit);
void pair_kit_done(struct pair_kit *kit);
/* Likewise, and then host 0 leads with the peer required, and serves. */
void pair_begin(struct pair_kit *kit);
struct storage *pair_primary(struct pair_kit *kit);
struct storage *pair_standby(struct pair_kit *kit);
/* Closes the host's storage, if it is open, and opens it again, idle. */
enum err_code pair_reopen(struct pair_kit *kit, uint32_t index) WARN_UNUSED;
/* Promises the epoch and begins it, requiring the peer or not; waits until the start record is
 * appended, and that host ships from now on. */
void pair_lead(struct pair_kit *kit, uint32_t index, uint64_t epoch, bool peer);
/* Carries once what there is. */
void pair_pump(struct pair_kit *kit);
/* Pumps and dispatches until the job is done, or a while has passed; true when done. */
bool pair_wait(struct pair_kit *kit, const struct kit_job *job);
/* Pumps for so many milliseconds. */
void pair_pass(struct pair_kit *kit, uint32_t ms);
/* Puts one pair at the primary. */
enum err_code pair_put(struct pair_kit *kit, const char *key, const char *value);
/* Puts, or deletes, one pair for each number; there are 50 keys. The test ends where one fails. */
void pair_put_many(struct pair_kit *kit, int from, int to);
/* Pumps until the host serves, or a while has passed. */
bool pair_serves(struct pair_kit *kit, uint32_t index);
/* Pumps until both have folded what is committed and say the same of it: content, position, hash.
 */
bool pair_equal(struct pair_kit *kit);
/* What the weak state of a host is, in one number. */
uint64_t pair_digest(struct storage *storage);

#endif
