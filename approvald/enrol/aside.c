/* SPDX-License-Identifier: Apache-2.0 */
/* aside.c: setting aside the store of a host that joins a pair.
 * Owns one rename. Never deletes anything of a store, never touches one that has something running
 * on it. A crash between the rename and the new directory leaves none: approvald says so, and
 * joining again makes it. */
#include "approvald/enrol/aside.h"

#include "approvald/enrol/run.h"
#include "base/buf.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
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

/* Where the service's data are: the supervisor knows the service, and the service its data. */
static enum err_code find_data(const struct home *home,
                               const char *supervisor,
                               char ret_data[ENROL_PATH_SIZE],
                               struct err *err)
{
    AUTO_BUF struct buf *own = NULL;
    AUTO_BUF struct buf *service = NULL;
    char file[ENROL_PATH_SIZE];
    char program[ENROL_PATH_SIZE];
    char config[ENROL_PATH_SIZE];
    enum err_code rc = home_path(home, SUPERVISOR_CONF, file, err);

    if (rc == ERR_OK && access(file, F_OK) != 0) {
        ret_data[0] = '\0'; /* nothing has ever run here */
        return ERR_OK;
    }
    rc = rc == ERR_OK ? dump(supervisor, file, &own, err) : rc;
    rc = rc == ERR_OK ? dumped(own, "program", program, err) : rc;
    rc = rc == ERR_OK ? dumped(own, "config", config, err) : rc;
    if (rc == ERR_OK && (access(program, X_OK) != 0 || access(config, F_OK) != 0)) {
        ret_data[0] = '\0';
        return ERR_OK;
    }
    rc = rc == ERR_OK ? dump(program, config, &service, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    if (strncmp(buf_text(service), "data_dir = \"", 12) == 0) { /* the first line has none before */
        size_t size = strcspn(buf_text(service) + 12, "\"\n");

        (void)snprintf(ret_data, ENROL_PATH_SIZE, "%.*s", (int)size, buf_text(service) + 12);
        return ERR_OK;
    }
    return dumped(service, "data_dir", ret_data, err);
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

static enum err_code sync_above(const char *path, struct err *err)
{
    char above[ENROL_PATH_SIZE];
    AUTO_CLOSE int fd = -1;

    (void)snprintf(above, sizeof above, "%s", path); /* as long as path */
    *strrchr(above, '/') = '\0';
    fd = open(above[0] == '\0' ? "/" : above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? ERR_OK : err_set_errno(err, ERR_IO, errno, "%s", above);
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
    return sync_above(data, err);
}

enum err_code aside_store(const struct home *home,
                          const char *supervisor,
                          uint64_t now_s,
                          char ret_kept[ENROL_PATH_SIZE],
                          struct err *err)
{
    char data[ENROL_PATH_SIZE] = "";
    enum err_code rc = find_data(home, supervisor, data, err);
    int size;

    ret_kept[0] = '\0';
    if (rc != ERR_OK || data[0] != '/' || is_empty(data)) {
        return rc;
    }
    if (home->root[0] == '\0' && run_has_systemd()) {
        rc = run_systemctl("stop", NULL, "approvald-supervisor.service", err);
    }
    size = snprintf(ret_kept, ENROL_PATH_SIZE, "%s.before-pair-%" PRIu64, data, now_s);
    if (rc == ERR_OK && (size < 0 || size >= (int)ENROL_PATH_SIZE)) {
        rc = err_set(err, ERR_INVALID, "%s: too long a path", data);
    }
    return rc == ERR_OK ? rename_folder(data, ret_kept, err) : rc;
}
