/* SPDX-License-Identifier: Apache-2.0 */
/* backup_kit.c: a backup taken, and one restored.
 * Owns nothing that outlives a call. Never judges an answer. */
#include "tests/lib/backup_kit.h"

#include "base/assert.h"
#include "tests/lib/store_kit.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#define WAIT_TURNS 6000 /* of 10 ms */

void backup_kit_done(void *arg,
                     enum err_code rc,
                     const struct storage_backup_result *result,
                     const struct err *err)
{
    struct backup_answer *answer = arg;

    ASSERT(!answer->done);
    ASSERT((rc == ERR_OK) == (result != NULL));
    answer->done = true;
    answer->rc = rc;
    answer->err = *err;
    if (result != NULL) {
        answer->result = *result;
    }
}

bool backup_kit_wait(struct storage *storage, const struct backup_answer *answer)
{
    for (int i = 0; i < WAIT_TURNS && !answer->done; i++) {
        struct pollfd ready = {.fd = storage_fd(storage), .events = POLLIN};

        (void)poll(&ready, 1, 10); /* a timeout is looked at by the loop */
        storage_dispatch(storage);
    }
    return answer->done;
}

enum err_code
backup_kit_take(struct storage *storage, const char *path, struct backup_answer *answer)
{
    enum err_code rc = storage_backup(storage, path, backup_kit_done, answer, &answer->err);

    if (rc != ERR_OK) {
        return rc;
    }
    ASSERT(backup_kit_wait(storage, answer));
    return answer->rc;
}

enum err_code backup_kit_restore(const char *path,
                                 const char *dir,
                                 struct restore_result *ret_result,
                                 struct err *err)
{
    struct storage_options options = kit_options(dir);
    int file = open(path, O_RDONLY | O_CLOEXEC);
    enum err_code rc;

    ASSERT(file >= 0);
    rc = storage_restore(&options, file, ret_result, err);
    (void)close(file);
    return rc;
}
