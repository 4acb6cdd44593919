/* SPDX-License-Identifier: Apache-2.0 */
/* backup_kit.h: a backup taken, and one restored, in one call each. One thread. */
#ifndef TESTS_LIB_BACKUP_KIT_H
#define TESTS_LIB_BACKUP_KIT_H

#include "storage/restore.h"
#include "storage/storage.h"

#include <stdbool.h>

struct backup_answer {
    struct storage_backup_result result;
    struct err err;
    enum err_code rc;
    bool done;
};

/* A storage_backup_fn; arg is a struct backup_answer. */
void backup_kit_done(void *arg,
                     enum err_code rc,
                     const struct storage_backup_result *result,
                     const struct err *err);
/* Dispatches until the answer is there, or a while has passed. */
bool backup_kit_wait(struct storage *storage, const struct backup_answer *answer);
/* Both together. */
enum err_code
backup_kit_take(struct storage *storage, const char *path, struct backup_answer *answer);
/* Opens the file and restores it into dir with small sizes. */
enum err_code backup_kit_restore(const char *path,
                                 const char *dir,
                                 struct restore_result *ret_result,
                                 struct err *err);

#endif
