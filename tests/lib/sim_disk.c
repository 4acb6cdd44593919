/* SPDX-License-Identifier: Apache-2.0 */
/* sim_disk.c: a disk in memory.
 * Owns the files. Never loses anything by itself: the test says what is lost. */
#include "tests/lib/sim_disk.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

static const char *name_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

static enum err_code faulty(struct sim_disk *sim, struct err *err)
{
    return fault_hit(&sim->fault) ? err_set(err, sim->fault_code, "as asked") : ERR_OK;
}

struct sim_file *sim_disk_file(struct sim_disk *sim, const char *name)
{
    for (size_t i = 0; i < SIM_FILE_COUNT_MAX; i++) {
        if (strcmp(sim->files[i].name, name) == 0) {
            return &sim->files[i];
        }
    }
    return NULL;
}

static void set_size(struct sim_file *file, uint64_t size)
{
    file->bytes = realloc(file->bytes, size + 1);
    ASSERT(file->bytes != NULL);
    if (size > file->size) {
        memset(file->bytes + file->size, 0, size - file->size);
    }
    file->size = size;
}

static struct sim_file *free_slot(struct sim_disk *sim)
{
    struct sim_file *file = NULL;

    for (size_t i = 0; i < SIM_FILE_COUNT_MAX && file == NULL; i++) {
        if (sim->files[i].name[0] == '\0' && sim->files[i].open_count == 0) {
            file = &sim->files[i];
        }
    }
    ASSERT(file != NULL);
    return file;
}

struct sim_file *sim_disk_make(struct sim_disk *sim, const char *name, uint64_t size)
{
    struct sim_file *file = sim_disk_file(sim, name);

    if (file == NULL) {
        file = free_slot(sim);
        ASSERT(strlen(name) < SIM_NAME_SIZE);
        memcpy(file->name, name, strlen(name) + 1);
        file->size = 0;
    }
    set_size(file, size);
    return file;
}

static enum err_code
sim_open(void *arg, const char *path, enum disk_open how, int *ret_file, struct err *err)
{
    struct sim_disk *sim = arg;
    struct sim_file *file = sim_disk_file(sim, name_of(path));
    enum err_code rc = faulty(sim, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (file == NULL && how == DISK_OPEN_EXISTING) {
        return err_set(err, ERR_NOT_FOUND, "open %s", path);
    }
    if (how == DISK_OPEN_CREATE) {
        file = sim_disk_make(sim, name_of(path), 0);
    }
    file->open_count++;
    *ret_file = (int)(file - sim->files);
    return ERR_OK;
}

static void sim_close(void *arg, int file)
{
    struct sim_disk *sim = arg;

    ASSERT(file >= 0 && file < SIM_FILE_COUNT_MAX);
    ASSERT(sim->files[file].open_count > 0);
    sim->files[file].open_count--;
}

static enum err_code
sim_read(void *arg, int number, uint64_t offset, void *bytes, size_t size, struct err *err)
{
    struct sim_disk *sim = arg;
    const struct sim_file *file = &sim->files[number];

    sim->read_count++;
    if (offset > file->size || size > file->size - offset) {
        return err_set(err, ERR_IO, "read: the file ends");
    }
    memcpy(bytes, file->bytes + offset, size);
    return ERR_OK;
}

static enum err_code
sim_write(void *arg, int number, uint64_t offset, const void *bytes, size_t size, struct err *err)
{
    struct sim_disk *sim = arg;
    struct sim_file *file = &sim->files[number];
    enum err_code rc = faulty(sim, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (offset + size > file->size) {
        set_size(file, offset + size);
    }
    memcpy(file->bytes + offset, bytes, size);
    return ERR_OK;
}

static enum err_code sim_sync(void *arg, int number, struct err *err)
{
    struct sim_disk *sim = arg;

    (void)number;
    sim->sync_count++;
    return faulty(sim, err);
}

static enum err_code sim_sync_dir(void *arg, const char *dir, struct err *err)
{
    (void)dir;
    return faulty(arg, err);
}

static enum err_code sim_size(void *arg, int number, uint64_t *ret_size, struct err *err)
{
    struct sim_disk *sim = arg;

    (void)err;
    *ret_size = sim->files[number].size;
    return ERR_OK;
}

static enum err_code sim_allocate(void *arg, int number, uint64_t size, struct err *err)
{
    struct sim_disk *sim = arg;
    enum err_code rc = faulty(sim, err);

    if (rc == ERR_OK) {
        set_size(&sim->files[number], size);
    }
    return rc;
}

static enum err_code sim_unlink(void *arg, const char *path, struct err *err)
{
    struct sim_disk *sim = arg;
    struct sim_file *file = sim_disk_file(sim, name_of(path));
    enum err_code rc = faulty(sim, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (file == NULL) {
        return err_set(err, ERR_NOT_FOUND, "unlink %s", path);
    }
    file->name[0] = '\0';
    return ERR_OK;
}

static enum err_code sim_rename(void *arg, const char *from, const char *to, struct err *err)
{
    struct sim_disk *sim = arg;
    struct sim_file *file = sim_disk_file(sim, name_of(from));
    struct sim_file *old = sim_disk_file(sim, name_of(to));
    enum err_code rc = faulty(sim, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (file == NULL) {
        return err_set(err, ERR_NOT_FOUND, "rename %s", from);
    }
    if (old != NULL) {
        old->name[0] = '\0';
    }
    memcpy(file->name, name_of(to), strlen(name_of(to)) + 1);
    return ERR_OK;
}

static enum err_code sim_list(void *arg, const char *dir, struct disk_list list, struct err *err)
{
    struct sim_disk *sim = arg;
    bool more = true;

    (void)dir;
    (void)err;
    for (size_t i = 0; more && i < SIM_FILE_COUNT_MAX; i++) {
        if (sim->files[i].name[0] != '\0') {
            more = list.visit(list.arg, sim->files[i].name);
        }
    }
    return ERR_OK;
}

static enum err_code sim_free_size(void *arg, const char *dir, uint64_t *ret_size, struct err *err)
{
    struct sim_disk *sim = arg;

    (void)dir;
    (void)err;
    *ret_size = sim->free_size;
    return ERR_OK;
}

static enum err_code sim_lock(void *arg, const char *path, int *ret_file, struct err *err)
{
    return sim_open(arg, path, DISK_OPEN_CREATE, ret_file, err);
}

static enum err_code sim_check_dir(void *arg, const char *dir, struct err *err)
{
    (void)dir;
    return faulty(arg, err);
}

void sim_disk_init(struct sim_disk *sim)
{
    memset(sim, 0, sizeof *sim);
    sim->fault_code = ERR_IO;
    sim->free_size = UINT64_MAX;
    sim->disk = (struct disk){.open = sim_open,
                              .close = sim_close,
                              .read = sim_read,
                              .write = sim_write,
                              .sync = sim_sync,
                              .sync_dir = sim_sync_dir,
                              .size = sim_size,
                              .allocate = sim_allocate,
                              .rename = sim_rename,
                              .unlink = sim_unlink,
                              .list = sim_list,
                              .free_size = sim_free_size,
                              .lock = sim_lock,
                              .check_dir = sim_check_dir,
                              .arg = sim};
}

void sim_disk_done(struct sim_disk *sim)
{
    for (size_t i = 0; i < SIM_FILE_COUNT_MAX; i++) {
        free(sim->files[i].bytes);
    }
}
