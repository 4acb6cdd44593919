/* SPDX-License-Identifier: Apache-2.0 */
/* disk.h: files, as a thing that can be replaced. The WAL and the small files of the storage go
 * through it; LMDB does its own I/O. All calls block. Errors: ERR_NOSPACE, ERR_DENIED,
 * ERR_NOT_FOUND, ERR_EXISTS, ERR_BUSY, ERR_NOMEM, else ERR_IO; messages name the path or leave
 * that to the caller who knows the file by its handle. */
#ifndef STORAGE_DISK_H
#define STORAGE_DISK_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum disk_open {
    DISK_OPEN_EXISTING, /* read and write */
    DISK_OPEN_CREATE    /* new or emptied, mode 0600 */
};

/* False ends the listing. */
typedef bool disk_visit_fn(void *arg, const char *name);

struct disk_list {
    disk_visit_fn *visit;
    void *arg;
};

struct disk {
    /* Handles are >= 0 and CLOEXEC. */
    enum err_code (*open)(
        void *arg, const char *path, enum disk_open how, int *ret_file, struct err *err);
    void (*close)(void *arg, int file);
    /* Exactly size bytes; fewer in the file is ERR_IO. */
    enum err_code (*read)(
        void *arg, int file, uint64_t offset, void *bytes, size_t size, struct err *err);
    /* Exactly size bytes. */
    enum err_code (*write)(
        void *arg, int file, uint64_t offset, const void *bytes, size_t size, struct err *err);
    /* fdatasync. A failure is final: what the file holds on the medium is then unknown. */
    enum err_code (*sync)(void *arg, int file, struct err *err);
    enum err_code (*sync_dir)(void *arg, const char *dir, struct err *err);
    enum err_code (*size)(void *arg, int file, uint64_t *ret_size, struct err *err);
    /* Reserves space for size bytes, which become the file's size. */
    enum err_code (*allocate)(void *arg, int file, uint64_t size, struct err *err);
    enum err_code (*rename)(void *arg, const char *from, const char *to, struct err *err);
    enum err_code (*unlink)(void *arg, const char *path, struct err *err);
    /* Names of the directory in no order, without "." and "..". */
    enum err_code (*list)(void *arg, const char *dir, struct disk_list list, struct err *err);
    /* Bytes that this user may still write. */
    enum err_code (*free_size)(void *arg, const char *dir, uint64_t *ret_size, struct err *err);
    /* Takes an exclusive lock, released by close. ERR_BUSY when another holds it. */
    enum err_code (*lock)(void *arg, const char *path, int *ret_file, struct err *err);
    /* ERR_DENIED unless dir is a directory of this user that nobody else may enter. */
    enum err_code (*check_dir)(void *arg, const char *dir, struct err *err);
    void *arg;
};

/* The files of this host. Borrowed for ever. */
const struct disk *disk_host(void);

/* Writes "dir/name" into path (STORAGE_PATH_SIZE_MAX bytes). ERR_TOO_LARGE. */
enum err_code disk_path(char *path, const char *dir, const char *name, struct err *err) WARN_UNUSED;
/* True when dir/name exists. */
enum err_code disk_exists(const struct disk *disk,
                          const char *dir,
                          const char *name,
                          bool *ret_exists,
                          struct err *err) WARN_UNUSED;
/* Removes dir/name; absent is ERR_OK. The directory is not synced. */
enum err_code disk_remove(const struct disk *disk,
                          const char *dir,
                          const char *name,
                          struct err *err) WARN_UNUSED;
/* Makes dir/name hold these bytes, durably: written as name.tmp, synced, renamed, and the directory
 * synced. A crash leaves the old file, or none, or the new one whole. */
enum err_code disk_put(const struct disk *disk,
                       const char *dir,
                       const char *name,
                       struct span bytes,
                       struct err *err) WARN_UNUSED;
/* Reads dir/name, which should have size bytes, into bytes. *ret_size is the file's size; with
 * another one nothing is read. ERR_NOT_FOUND: there is none. */
struct disk_get {
    uint8_t *bytes;
    size_t size;
};
enum err_code disk_get(const struct disk *disk,
                       const char *dir,
                       const char *name,
                       struct disk_get into,
                       uint64_t *ret_size,
                       struct err *err) WARN_UNUSED;

#endif
