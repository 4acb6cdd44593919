/* SPDX-License-Identifier: Apache-2.0 */
/* aside.c: finding a host's store, and setting it aside when the host joins a pair.
 * Owns one rename. Never deletes anything of a store, never touches one that has something running
 * on it, never stops a service for what could not be done. */
#include "approvald/enrol/aside.h"

#include "approvald/enrol/folder.h"
#include "approvald/enrol/run.h"
#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_FILE       "lock" /* as storage/engine.h has it */
#define SUPERVISOR_CONF PKGSYSCONFDIR "/supervisor.conf"
#define SUPERVISOR_UNIT "approvald-supervisor.service"
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

/* Where a link leads is where the store is: that is what is renamed, not the link. */
static enum err_code resolve(char path[ENROL_PATH_SIZE], struct err *err)
{
    char real[PATH_MAX];

    if (realpath(path, real) == NULL) {
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    }
    if (strlen(real) >= ENROL_PATH_SIZE) {
        return err_set(err, ERR_INVALID, "%.60s…: too long a path", real);
    }
    memcpy(path, real, strlen(real) + 1);
    return ERR_OK;
}

static enum err_code look_at(struct aside_place *place, struct err *err)
{
    struct stat info;
    bool empty = false;
    enum err_code rc = folder_is_empty(place->data, &empty, err);

    if (rc == ERR_OK && empty) {
        place->data[0] = '\0';
        return ERR_OK;
    }
    rc = rc == ERR_OK ? resolve(place->data, err) : rc;
    rc = rc == ERR_OK ? folder_may_move(place->data, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    if (lstat(place->data, &info) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", place->data);
    }
    place->user = info.st_uid;
    place->group = info.st_gid;
    return ERR_OK;
}

enum err_code aside_find(const struct home *home,
                         const char *supervisor,
                         struct aside_place *ret_place,
                         struct err *err)
{
    AUTO_BUF struct buf *service = NULL;
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
    return look_at(ret_place, err);
}

enum err_code aside_check_free(const char *data, struct err *err)
{
    char path[ENROL_PATH_SIZE + sizeof LOCK_FILE];
    AUTO_CLOSE int fd = -1;

    (void)snprintf(path, sizeof path, "%s/" LOCK_FILE, data); /* fits */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 && errno != ENOENT) {
        return err_set_errno(err, ERR_IO, errno, "%s", path);
    }
    return fd < 0 || flock(fd, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK
               ? ERR_OK
               : err_set(err, ERR_BUSY, "%s: an approvald runs on it: stop that first", data);
}

/* Only what was stopped is started again: the reason why is on its way already. */
static enum err_code
stop_and_set_aside(const struct aside_place *place, const char *kept, struct err *err)
{
    struct err ignored = ERR_INIT;
    bool running = run_systemctl("is-active", "--quiet", SUPERVISOR_UNIT, &ignored) == ERR_OK;
    enum err_code rc = run_systemctl("stop", NULL, SUPERVISOR_UNIT, err);

    rc = rc == ERR_OK ? aside_check_free(place->data, err) : rc;
    rc = rc == ERR_OK ? folder_set_aside(place->data, kept, err) : rc;
    if (rc != ERR_OK && running) {
        err_ignore(run_systemctl("start", NULL, SUPERVISOR_UNIT, &ignored));
    }
    return rc;
}

enum err_code aside_store(const struct home *home,
                          const struct aside_place *place,
                          const char *word,
                          uint64_t now_s,
                          char ret_kept[ENROL_PATH_SIZE],
                          struct err *err)
{
    int size = snprintf(ret_kept, ENROL_PATH_SIZE, "%s.%s-%" PRIu64, place->data, word, now_s);
    enum err_code rc;

    if (place->data[0] == '\0') {
        ret_kept[0] = '\0';
        return ERR_OK;
    }
    if (size < 0 || size >= (int)ENROL_PATH_SIZE) {
        return err_set(err, ERR_INVALID, "%s: too long a path", place->data);
    }
    rc = folder_may_move(place->data, err);
    if (rc != ERR_OK) {
        return rc;
    }
    if (home->root[0] == '\0' && run_has_systemd()) {
        return stop_and_set_aside(place, ret_kept, err);
    }
    rc = aside_check_free(place->data, err);
    return rc == ERR_OK ? folder_set_aside(place->data, ret_kept, err) : rc;
}
