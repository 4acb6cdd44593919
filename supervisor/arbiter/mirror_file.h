/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_file.h: this host's copy of the mirrored register on its disk: two alternating files,
 * register-0 and register-1 in state_dir: a crash while one is written leaves the other. */
#ifndef SUPERVISOR_ARBITER_MIRROR_FILE_H
#define SUPERVISOR_ARBITER_MIRROR_FILE_H

#include "supervisor/arbiter/mirror.h"

struct mirror_file;

/* dir is state_dir, borrowed: a second descriptor of it is kept, and with that the lock upon it,
 * for as long as a copy may be written. name: how it is called in errors. Blocks (disk): what is
 * there is in *ret_copy, and durable. ERR_CORRUPT: damaged copies are no reason to begin anew. */
enum err_code mirror_file_open(int dir,
                               const char *name,
                               struct mirror_file **ret_file,
                               struct mirror_copy *ret_copy,
                               struct err *err) WARN_UNUSED;
void mirror_file_close(struct mirror_file *file); /* NULL is allowed */
/* Durable when it returns; on failure the old copy is. Blocks (disk). */
enum err_code mirror_file_save(struct mirror_file *file,
                               const struct mirror_copy *copy,
                               struct err *err) WARN_UNUSED;

#endif
