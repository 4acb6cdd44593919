/* SPDX-License-Identifier: Apache-2.0 */
/* aside.c: setting aside the store of a host that joins a pair.
 * Owns one rename. Never deletes anything of a store, never touches one that has something running
 * on it. A crash between the rename and the new directory leaves none, which systemd-tmpfiles makes
 * at the next start of the host. */
#include "approvald/enrol/aside.h"

#include "approvald/enrol/files.h"
#include "approvald/enrol/run.h"
#include "base/buf.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUPERVISOR_CONF PKGSYSCONFDIR "/supervisor.conf"
#define DUMP_SIZE_MAX   ((size_t)1024 * 1024) /* what a program prints of itself at most */

/* The value of a text of the top level in what --dump-config prints. */
static enum err_code
dumped(const struct buf *dump, const char *name, char ret_value[ENROL_PATH_SIZE], struct err *err)
{
    char head[32];
    const char *at;
    size_t size;

    (void)snprintf(head, sizeof head, "\n%s = \"", name); /* fits: the names are ours */
    at = strstr(buf_text(dump), head);
    size = at == NULL ? ENROL_PATH_SIZE : strcspn(at + strlen(head), "\"\n");
    if (at == NULL || size >= ENROL_PATH_SIZE) {
        return err_set(err, ERR_PROTOCOL, "the configuration does not say %s", name);
    }
    memcpy(ret_value, at + strlen(head), size);
    ret_value[size] = '\0';
    return ERR_OK;
}

static enum err_code
dump(const char *program, const char *config, struct buf **ret_dump, struct err *err)
{
    const char *const argv[] = {program, "--config", config, "--dump-config", NULL};
    struct buf *text = NULL;
    int code = 0;
    enum err_code rc = buf_new(DUMP_SIZE_MAX, &text, err);

    rc = rc == ERR_OK ? run_program(argv, text, false, &code, err) : rc;
    if (rc == ERR_OK && code != 0) {
        rc = err_set(err, ERR_INVALID, "%s: its configuration is wrong", program);
    }
    if (rc != ERR_OK) {
        buf_free(text);
        return rc;
    }
    *ret_dump = text;
    return ERR_OK;
}

/* What --dump-config says first has no line before it. */
static enum err_code dumped_data(const struct buf *service, char ret_data[ENROL_PATH_SIZE])
{
    static const char head[] = "data_dir = \"";
    const char *at = strstr(buf_text(service), head);
    size_t size = at == NULL ? ENROL_PATH_SIZE : strcspn(at + sizeof head - 1, "\"\n");

    if (size >= ENROL_PATH_SIZE) {
        return ERR_PROTOCOL;
    }
    memcpy(ret_data, at + sizeof head - 1, size);
    ret_data[size] = '\0';
    return ERR_OK;
}

static bool is_empty(const char *folder)
{
    DIR *dir = opendir(folder);
    size_t count = 0;

    if (dir == NULL) {
        return true;
    }
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir); /* only read */
    return count <= 2;   /* itself and its parent */
}

static enum err_code rename_folder(const char *data, const char *kept, struct err *err)
{
    struct stat info;

    if (stat(data, &info) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", data);
    }
    if (rename(data, kept) != 0) {
        return errno == EBUSY
                   ? err_set(err, ERR_BUSY, "%s is a mount: move what is in it away by hand", data)
                   : err_set_errno(err, ERR_IO, errno, "%s", data);
    }
    if (mkdir(data, 0700) != 0 || chown(data, info.st_uid, info.st_gid) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", data);
    }
    return files_sync_above(data, err);
}

static enum err_code find_service(const struct home *home,
                                  const char *supervisor,
                                  struct aside_place *place,
                                  struct err *err)
{
    AUTO_BUF struct buf *own = NULL;
    char file[ENROL_PATH_SIZE];
    enum err_code rc = home_path(home, SUPERVISOR_CONF, file, err);

    if (rc != ERR_OK || access(file, F_OK) != 0) {
        return rc; /* nothing has ever run here */
    }
    rc = dump(supervisor, file, &own, err);
    rc = rc == ERR_OK ? dumped(own, "program", place->program, err) : rc;
    return rc == ERR_OK ? dumped(own, "config", place->config, err) : rc;
}

enum err_code aside_find(const struct home *home,
                         const char *supervisor,
                         struct aside_place *ret_place,
                         struct err *err)
{
    AUTO_BUF struct buf *service = NULL;
    struct stat info;
    enum err_code rc;

    memset(ret_place, 0, sizeof *ret_place);
    rc = find_service(home, supervisor, ret_place, err);
    if (rc != ERR_OK || ret_place->program[0] == '\0' || access(ret_place->program, X_OK) != 0 ||
        access(ret_place->config, F_OK) != 0) {
        return rc;
    }
    rc = dump(ret_place->program, ret_place->config, &service, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (dumped_data(service, ret_place->data) != ERR_OK || ret_place->data[0] != '/') {
        return err_set(err, ERR_PROTOCOL, "%s does not say its data_dir", ret_place->program);
    }
    if (is_empty(ret_place->data) || stat(ret_place->data, &info) != 0) {
        ret_place->data[0] = '\0';
        return ERR_OK;
    }
    ret_place->user = info.st_uid;
    ret_place->group = info.st_gid;
    return ERR_OK;
}

enum err_code aside_store(const struct home *home,
                          const struct aside_place *place,
                          const char *word,
                          uint64_t now_s,
                          char ret_kept[ENROL_PATH_SIZE],
                          struct err *err)
{
    int size = snprintf(ret_kept, ENROL_PATH_SIZE, "%s.%s-%" PRIu64, place->data, word, now_s);
    enum err_code rc = ERR_OK;

    if (place->data[0] == '\0') {
        ret_kept[0] = '\0';
        return ERR_OK;
    }
    if (size < 0 || size >= (int)ENROL_PATH_SIZE) {
        return err_set(err, ERR_INVALID, "%s: too long a path", place->data);
    }
    if (home->root[0] == '\0' && run_has_systemd()) {
        rc = run_systemctl("stop", NULL, "approvald-supervisor.service", err);
    }
    return rc == ERR_OK ? rename_folder(place->data, ret_kept, err) : rc;
}
