/* SPDX-License-Identifier: Apache-2.0 */
/* sim_disk.h: a disk in memory behind storage/disk.h, for tests of the log and for fuzzing: one
 * directory, files that a test may read, change and cut, calls that a fault may fail. One thread.
 */
#ifndef TESTS_LIB_SIM_DISK_H
#define TESTS_LIB_SIM_DISK_H

#include "storage/disk.h"
#include "tests/lib/fault.h"

#define SIM_FILE_COUNT_MAX 64
#define SIM_NAME_SIZE      64

struct sim_file {
    char name[SIM_NAME_SIZE]; /* empty: no such file */
    uint8_t *bytes;           /* owned */
    uint64_t size;
    uint32_t open_count; /* an unlinked file lives on until it is closed */
};

struct sim_disk {
    struct disk disk; /* give this to what is tested */
    struct fault fault;
    enum err_code fault_code;
    struct sim_file files[SIM_FILE_COUNT_MAX];
    uint64_t free_size;
    uint64_t sync_count;
    uint64_t read_count;
};

void sim_disk_init(struct sim_disk *sim);
void sim_disk_done(struct sim_disk *sim);
/* The file of that name in the directory, or NULL. */
struct sim_file *sim_disk_file(struct sim_disk *sim, const char *name);
/* Makes a file, or gives it another size; new bytes are zeros. */
struct sim_file *sim_disk_make(struct sim_disk *sim, const char *name, uint64_t size);

#endif
