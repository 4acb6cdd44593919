/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h: the simulated disk of one host behind storage/disk.h: what the kernel's cache holds and
 * what the medium holds are two things.
 *
 * A write is in the cache at once and on the medium when a sync of its file that began after it has
 * succeeded. Until then a power loss keeps or loses each of its 512-byte sectors. Names (create,
 * rename, unlink) after the last sync of the directory are kept up to a point and lost from there
 * on. A sync that fails drops what it should have written: the cache still shows it, no later sync
 * writes it.
 *
 * Syncs are immediate, or deferred: then they only mark what they cover, and sim_disk_complete says
 * later that it is on the medium; a power loss in between loses it like any unsynced write. */
#ifndef TESTS_SIM_DISK_H
#define TESTS_SIM_DISK_H

#include "storage/disk.h"
#include "tests/sim/prng.h"

#define VAULT_FILE_COUNT_MAX 48U
#define VAULT_NAME_SIZE      40U
#define VAULT_OP_COUNT_MAX   64U

struct vault_write {
    struct vault_write *next;
    uint64_t ticket; /* 0: no sync covers it yet */
    uint64_t offset;
    uint32_t size;
    bool dropped; /* by a failed sync: never reaches the medium by a sync */
    uint8_t bytes[];
};

struct vault_file {
    bool used;
    uint32_t open_count;
    uint8_t *cache; /* owned */
    uint64_t size;
    uint64_t room;   /* bytes allocated for cache and for medium */
    uint8_t *medium; /* owned */
    uint64_t medium_size;
    struct vault_write *first; /* owned, oldest first */
    struct vault_write *last;
};

struct vault_name {
    char name[VAULT_NAME_SIZE]; /* empty: unused */
    uint32_t file;
};

enum vault_op_type { VAULT_LINK, VAULT_UNLINK, VAULT_RENAME };

struct vault_op {
    enum vault_op_type type;
    uint32_t file; /* LINK */
    char name[VAULT_NAME_SIZE];
    char to[VAULT_NAME_SIZE]; /* RENAME */
};

struct vault {
    struct disk disk;  /* give this to what is tested */
    struct prng *prng; /* borrowed */
    struct vault_file files[VAULT_FILE_COUNT_MAX];
    struct vault_name names[VAULT_FILE_COUNT_MAX];   /* as the kernel sees them */
    struct vault_name durable[VAULT_FILE_COUNT_MAX]; /* as the medium has them */
    struct vault_op ops[VAULT_OP_COUNT_MAX];         /* since the last sync of the directory */
    uint32_t op_count;
    uint64_t defer_ticket; /* not 0: syncs are deferred under it */
    bool fail_sync;        /* the next sync fails and drops its writes */
    uint32_t crash_in;     /* 0: never; else the call that many calls away fails, and all after */
    bool crashed;          /* crash_in came: the caller's process is to die now */
    uint64_t sectors_lost;
    uint64_t sectors_kept;
};

void vault_init(struct vault *vault, struct prng *prng);
void vault_done(struct vault *vault);
/* Removes everything, durably: a new disk. */
void vault_wipe(struct vault *vault);
/* All writes under the ticket are on the medium. */
void vault_complete(struct vault *vault, uint64_t ticket);
/* A process ended: its handles are closed. */
void vault_close_all(struct vault *vault);
/* Power is lost. keep_percent of the unsynced sectors survive. */
void vault_power_loss(struct vault *vault, uint32_t keep_percent);

#endif
