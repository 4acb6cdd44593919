/* SPDX-License-Identifier: Apache-2.0 */
/* app_backup.c: a backup of the running store for root, and a restore for a host that runs nothing.
 * Owns the folder backup under data_dir, which holds one file at most, and what is known of the
 * last backup of this process. Never waits for one: who asked for it asks again. */
#include "approvald/app_internal.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "storage/restore.h"
#include "storage/storage.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER    "backup"
#define FILE_NAME "latest"
#define PATH_SIZE 512

enum backup_state { BACKUP_NONE, BACKUP_RUNNING, BACKUP_DONE, BACKUP_FAILED };

struct app_backup {
    enum backup_state state;
    uint64_t number; /* of this process, so that nobody takes an older one for his own */
    struct storage_backup_result result;
    struct err err;
    char path[PATH_SIZE];
};

static void on_backup(void *arg,
                      enum err_code rc,
                      const struct storage_backup_result *result,
                      const struct err *err)
{
    struct app *app = arg;
    struct app_backup *backup = app->backup;

    if (rc != ERR_OK) {
        backup->state = BACKUP_FAILED;
        backup->err = *err;
        log_err(LOG_LEVEL_ERROR, "app", "backup_failed", err);
        return;
    }
    backup->state = BACKUP_DONE;
    backup->result = *result;
    log_fields(LOG_LEVEL_INFO, "app", "backup_done", LOG_NUMBER("lsn", result->lsn),
               LOG_NUMBER("pairs", result->pair_count), LOG_NUMBER("size", result->size));
}

/* The folder is ours alone; a file left in it is replaced. */
static enum err_code prepare(struct app_backup *backup, const char *data_dir, struct err *err)
{
    char folder[PATH_SIZE];
    int size = snprintf(folder, sizeof(folder), "%s/" FOLDER, data_dir);
    int path_size =
        snprintf(backup->path, sizeof(backup->path), "%s/" FOLDER "/" FILE_NAME, data_dir);

    if (size < 0 || path_size < 0 || (size_t)path_size >= sizeof(backup->path)) {
        return err_set(err, ERR_TOO_LARGE, "%s: too long a path", data_dir);
    }
    if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
        return err_set_errno(err, errno == ENOSPC ? ERR_NOSPACE : ERR_IO, errno, "%s", folder);
    }
    return ERR_OK;
}

enum err_code app_backup_start(void *arg, uint64_t *ret_number, struct err *err)
{
    struct app *app = arg;
    enum err_code rc;

    if (app->backup == NULL) {
        app->backup = mem_new(1, sizeof(*app->backup));
    }
    if (app->backup == NULL) {
        return err_set(err, ERR_NOMEM, "backup");
    }
    if (app->backup->state == BACKUP_RUNNING) {
        return err_set(err, ERR_CONFLICT, "A backup is being written already.");
    }
    rc = prepare(app->backup, config_text(app->config, "", "data_dir"), err);
    if (rc == ERR_OK) {
        rc = storage_backup(app->storage, app->backup->path, on_backup, app, err);
    }
    if (rc == ERR_OK) {
        app->backup->state = BACKUP_RUNNING;
        *ret_number = ++app->backup->number;
    }
    return rc;
}

void app_backup_status(void *arg, struct json *object)
{
    static const char *const words[] = {[BACKUP_NONE] = "none",
                                        [BACKUP_RUNNING] = "running",
                                        [BACKUP_DONE] = "done",
                                        [BACKUP_FAILED] = "failed"};
    const struct app *app = arg;
    const struct app_backup *backup = app->backup;
    enum backup_state state = backup == NULL ? BACKUP_NONE : backup->state;
    char hash[STORAGE_HASH_SIZE * 2 + 1];
    char at[TEXT_TIME_SIZE];

    json_add_text(object, "state", span_text(words[state]));
    json_add_u64(object, "number", backup == NULL ? 0 : backup->number);
    if (state == BACKUP_FAILED) {
        json_add_text(object, "error", span_text(backup->err.message));
    }
    if (state != BACKUP_DONE) {
        return;
    }
    crypto_hex(backup->result.hash, STORAGE_HASH_SIZE, hash);
    text_format_time(backup->result.wall_ms, at);
    json_add_text(object, "path", span_text(backup->path));
    json_add_u64(object, "size", backup->result.size);
    json_add_u64(object, "pairs", backup->result.pair_count);
    json_add_u64(object, "lsn", backup->result.lsn);
    json_add_u64(object, "epoch", backup->result.epoch);
    json_add_text(object, "at", span_text(at));
    json_add_text(object, "hash", span_text(hash));
}

void app_backup_free(struct app *app)
{
    mem_free(app->backup);
    app->backup = NULL;
}

/* ---- Restore: no loop, no threads, nothing is served ---- */

static enum err_code open_backup(const char *file, int *ret_fd, struct err *err)
{
    struct stat info;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0) {
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_DENIED, errno, "%s", file);
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        (void)close(fd); /* only opened */
        return err_set(err, ERR_INVALID, "%s: not a file", file);
    }
    *ret_fd = fd;
    return ERR_OK;
}

/* Root becomes the owner of the directory, who has to be able to read all that is made. */
static enum err_code become_owner(const char *data_dir, struct err *err)
{
    struct stat info;

    if (stat(data_dir, &info) != 0) {
        return err_set_errno(err, ERR_NOT_FOUND, errno, "data_dir %s", data_dir);
    }
    if (geteuid() != 0 || info.st_uid == 0) {
        return ERR_OK;
    }
    if (setgroups(0, NULL) != 0 || setresgid(info.st_gid, info.st_gid, info.st_gid) != 0 ||
        setresuid(info.st_uid, info.st_uid, info.st_uid) != 0) {
        return err_set_errno(err, ERR_DENIED, errno, "become the owner of %s", data_dir);
    }
    return ERR_OK;
}

static enum err_code
say(struct buf *said, const struct restore_result *result, const char *dir, struct err *err)
{
    const struct backup_header *header = &result->header;
    char at[TEXT_TIME_SIZE];

    text_format_time(header->position.wall_ms, at);
    return buf_append_format(
        said, err,
        "Restored %" PRIu64 " pairs as of %s (LSN %" PRIu64 ", epoch %" PRIu64 ") into %s.\n"
        "A host of its own: start approvald.\n"
        "One of a pair: this is a new store, which is not in the ISR. While the other host has "
        "its\nstore, just start: this one follows it. When neither host has one, start, then\n"
        "approvalctl promote --force here, then start the other host with an empty data_dir.\n",
        header->pair_count, at, header->position.lsn, header->position.epoch, dir);
}

static struct storage_options store_of(const struct config *config)
{
    return (struct storage_options){
        .dir = config_text(config, "", "data_dir"),
        .map_size = config_number(config, "storage", "map_size"),
        .wal_size_max = config_number(config, "storage", "wal_size"),
        .headroom_size = config_number(config, "storage", "headroom"),
        .ballast_size = config_number(config, "storage", "ballast"),
    };
}

enum err_code
app_restore(const struct config *config, const char *file, struct buf *said, struct err *err)
{
    struct storage_options options = store_of(config);
    struct restore_result result;
    AUTO_CLOSE int fd = -1;
    enum err_code rc = open_backup(file, &fd, err);

    if (rc == ERR_OK) {
        rc = become_owner(options.dir, err);
    }
    if (rc == ERR_OK) {
        rc = storage_restore(&options, fd, &result, err);
    }
    return rc == ERR_OK ? say(said, &result, options.dir, err) : rc;
}

enum err_code
app_make_alone(const struct config *config, const char *dir, struct buf *said, struct err *err)
{
    struct storage_options options = store_of(config);
    struct restore_result result;
    enum err_code rc = become_owner(options.dir, err);

    if (rc == ERR_OK) {
        rc = storage_make_alone(&options, dir, &result, err);
    }
    return rc == ERR_OK ? buf_append_format(said, err,
                                            "%" PRIu64 " pairs as of LSN %" PRIu64
                                            " (epoch %" PRIu64 ") are in a store of its own\n",
                                            result.header.pair_count, result.header.position.lsn,
                                            result.header.position.epoch)
                        : rc;
}
