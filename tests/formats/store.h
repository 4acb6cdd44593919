/* SPDX-License-Identifier: Apache-2.0 */
/* store.h: the directories of a fixture: made by this build, or by an earlier version and read. All
 * calls block. Reading changes the files as a start does: give it a copy. */
#ifndef TESTS_FORMATS_STORE_H
#define TESTS_FORMATS_STORE_H

#include "base/err.h"

#include <stdio.h>

/* A store whose state is as of a checkpoint, with records behind it in the log only; and a backup
 * of it. dir exists. */
enum err_code store_make(const char *dir, const char *backup, struct err *err) WARN_UNUSED;
/* Opens it, which replays the log, and prints everything in it; then what the service makes of it.
 */
enum err_code store_print(FILE *out, const char *dir, struct err *err) WARN_UNUSED;
enum err_code store_backup_print(FILE *out, const char *path, struct err *err) WARN_UNUSED;
enum err_code store_promise_make(const char *dir, struct err *err) WARN_UNUSED;
enum err_code store_promise_print(FILE *out, const char *dir, struct err *err) WARN_UNUSED;
/* The supervisor's: supervisor-0 and -1, register-0 and -1, pair. */
enum err_code store_memory_make(const char *dir, struct err *err) WARN_UNUSED;
enum err_code store_memory_print(FILE *out, const char *dir, struct err *err) WARN_UNUSED;

#endif
