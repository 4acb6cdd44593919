/* SPDX-License-Identifier: Apache-2.0 */
/* mirror_file.c: the mirrored register's copy on this host's disk.
 * Owns the files register-0 and register-1. Never decides what is in them, and never writes over
 * the newer one: a copy is written whole over the older one and synced; the first of each is made
 * under another name and renamed. */
#include "supervisor/arbiter/mirror_file.h"

#include "base/assert.h"
#include "base/mem.h"
#include "base/twocopy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BODY_SIZE (1UL + 8UL + REGISTER_TEXT_SIZE_MAX)
#define COPY_SIZE (TWOCOPY_HEADER_SIZE + BODY_SIZE)
/* The first byte of a copy. */
#define COPY_PRESENT 1U
#define COPY_RAISED  2U
#define COPY_ADDING  4U

static const struct twocopy_format file_format = {
    .magic = {'A', 'P', 'V', 'R', 'E', 'G', 'I', 'S'}, .version = 1, .size = COPY_SIZE};

struct mirror_file {
    int dir;     /* owned */
    char *place; /* owned: of dir, for errors */
    uint64_t sequence;
    uint32_t next; /* the copy to write */
    bool exists[2];
};

static const char *const names[2] = {"register-0", "register-1"};
static const char new_name[] = "register-new";

static enum err_code
write_file(const struct mirror_file *file, const char *name, const uint8_t *copy, struct err *err)
{
    AUTO_CLOSE int fd = openat(file->dir, name, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    size_t done = 0;

    while (fd >= 0 && done < COPY_SIZE) {
        ssize_t size = pwrite(fd, copy + done, COPY_SIZE - done, (off_t)done);

        if (size <= 0 && errno != EINTR) {
            return err_set_errno(err, ERR_IO, errno, "%s", name);
        }
        done += size > 0 ? (size_t)size : 0;
    }
    if (fd < 0 || fdatasync(fd) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", name);
    }
    return ERR_OK;
}

enum err_code
mirror_file_save(struct mirror_file *file, const struct mirror_copy *copy, struct err *err)
{
    uint8_t bytes[COPY_SIZE] = {0};
    uint8_t *body = bytes + TWOCOPY_HEADER_SIZE;
    const char *name = names[file->next];
    bool exists = file->exists[file->next];
    enum err_code rc;

    body[0] = (uint8_t)((copy->present ? COPY_PRESENT : 0U) | (copy->raised ? COPY_RAISED : 0U) |
                        (copy->adding ? COPY_ADDING : 0U));
    for (size_t i = 0; i < 8; i++) {
        body[1 + i] = (uint8_t)(copy->generation >> (8 * i));
    }
    if (copy->present) {
        register_format(&copy->value, (char *)body + 9);
    }
    twocopy_seal(&file_format, file->sequence + 1, bytes);
    rc = write_file(file, exists ? name : new_name, bytes, err);
    if (rc == ERR_OK && !exists &&
        (renameat(file->dir, new_name, file->dir, name) != 0 || fsync(file->dir) != 0)) {
        rc = err_set_errno(err, ERR_IO, errno, "%s", name);
    }
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "register in %s", file->place);
    }
    file->exists[file->next] = true;
    file->next = 1 - file->next;
    file->sequence++;
    return ERR_OK;
}

/* SPAN_NONE: there is no such file. */
static enum err_code read_file(struct mirror_file *file,
                               uint32_t index,
                               uint8_t bytes[COPY_SIZE + 1],
                               struct span *ret_span,
                               struct err *err)
{
    AUTO_CLOSE int fd = openat(file->dir, names[index], O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t size;

    *ret_span = SPAN_NONE;
    if (fd < 0 && errno == ENOENT) {
        return ERR_OK;
    }
    size = fd < 0 ? -1 : pread(fd, bytes, COPY_SIZE + 1, 0);
    if (size < 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", names[index]);
    }
    file->exists[index] = true;
    *ret_span = span_of(bytes, (size_t)size);
    return ERR_OK;
}

static enum err_code decode(struct span body, struct mirror_copy *ret_copy, struct err *err)
{
    const uint8_t *at = (const uint8_t *)(const void *)body.data;
    const char *text = body.data + 9;

    ASSERT(body.size == BODY_SIZE);
    memset(ret_copy, 0, sizeof(*ret_copy));
    ret_copy->present = (at[0] & COPY_PRESENT) != 0;
    ret_copy->raised = (at[0] & COPY_RAISED) != 0;
    ret_copy->adding = (at[0] & COPY_ADDING) != 0;
    for (size_t i = 0; i < 8; i++) {
        ret_copy->generation |= (uint64_t)at[1 + i] << (8 * i);
    }
    return ret_copy->present ? register_parse(span_of(text, strnlen(text, REGISTER_TEXT_SIZE_MAX)),
                                              &ret_copy->value, err)
                             : ERR_OK;
}

static enum err_code load(struct mirror_file *file, struct mirror_copy *ret_copy, struct err *err)
{
    uint8_t bytes[2][COPY_SIZE + 1];
    struct span copies[2];
    struct twocopy_choice choice;
    enum err_code rc = read_file(file, 0, bytes[0], &copies[0], err);

    if (rc == ERR_OK) {
        rc = read_file(file, 1, bytes[1], &copies[1], err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = twocopy_choose(&file_format, copies, &choice, err);
    if (rc == ERR_NOT_FOUND) {
        *ret_copy = (struct mirror_copy){.present = false};
        return ERR_OK;
    }
    if (rc == ERR_OK) {
        file->sequence = choice.sequence;
        file->next = 1 - choice.index;
        rc = decode(choice.body, ret_copy, err);
    }
    return rc;
}

/* What was read, and the names of the copies, may be in the page cache only: nothing may count upon
 * it before it is durable. */
static enum err_code
settle(struct mirror_file *file, const struct mirror_copy *copy, struct err *err)
{
    if (file->sequence == 0) {
        return ERR_OK;
    }
    return fsync(file->dir) == 0 ? mirror_file_save(file, copy, err)
                                 : err_set_errno(err, ERR_IO, errno, "sync of the directory");
}

enum err_code mirror_file_open(int dir,
                               const char *name,
                               struct mirror_file **ret_file,
                               struct mirror_copy *ret_copy,
                               struct err *err)
{
    struct mirror_file *file = mem_new(1, sizeof(*file));
    enum err_code rc = ERR_OK;

    if (file == NULL) {
        return err_set(err, ERR_NOMEM, "register");
    }
    file->dir = fcntl(dir, F_DUPFD_CLOEXEC, 0);
    file->place = mem_copy_text(name, strlen(name));
    if (file->dir < 0 || file->place == NULL) {
        rc = err_set(err, ERR_NOMEM, "register");
    }
    if (rc == ERR_OK) {
        rc = load(file, ret_copy, err);
    }
    if (rc == ERR_OK) {
        rc = settle(file, ret_copy, err);
    }
    if (rc != ERR_OK) {
        mirror_file_close(file);
        return rc;
    }
    *ret_file = file;
    return ERR_OK;
}

void mirror_file_close(struct mirror_file *file)
{
    if (file == NULL) {
        return;
    }
    if (file->dir >= 0) {
        (void)close(file->dir); /* all that was written is synced */
    }
    mem_free(file->place);
    mem_free(file);
}
