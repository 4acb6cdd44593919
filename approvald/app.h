/* SPDX-License-Identifier: Apache-2.0 */
/* app.h: approvald as a whole: opens the store, wires the rooms, runs the loop, ends in order. */
#ifndef APPROVALD_APP_H
#define APPROVALD_APP_H

#include "base/err.h"

struct app;
struct buf;
struct config;

/* Takes config (also on failure). Opens the store and listens; nothing is answered before app_run.
 * Blocks (disk). */
enum err_code
app_new(struct config *config_take, struct app **ret_app, struct err *err) WARN_UNUSED;
/* Runs until a signal or a fatal error has ended it; ERR_OK after a signal. */
enum err_code app_run(struct app *app, struct err *err) WARN_UNUSED;
/* Makes a new store in data_dir out of a backup, while nothing runs there (storage/restore.h), as
 * the owner of data_dir; adds to said what that means. Blocks. */
enum err_code app_restore(const struct config *config,
                          const char *file,
                          struct buf *said,
                          struct err *err) WARN_UNUSED;
/* Makes, in the empty folder dir of data_dir's owner, the store of a host of its own out of the
 * pair's in data_dir, while nothing runs there (storage_make_alone). As app_restore. */
enum err_code app_make_alone(const struct config *config,
                             const char *dir,
                             struct buf *said,
                             struct err *err) WARN_UNUSED;
/* Closes the store. NULL is allowed. */
void app_free(struct app *app);

#endif
