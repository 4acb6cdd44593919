/* SPDX-License-Identifier: Apache-2.0 */
/* disk.c: the simulated disk.
 * Owns what is in the cache, what is on the medium, and what a power loss does to the difference.
 * Never reads a clock; never invents damage that a real disk with working fsync could not show. */
#include "tests/sim/disk.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define SECTOR_SIZE 512U

static struct vault_name *name_find(struct vault_name *names, const char *name)
{
    for (size_t i = 0; i < VAULT_FILE_COUNT_MAX; i++) {
        if (strcmp(names[i].name, name) == 0) {
            return &names[i];
        }
    }
    return NULL;
}

static void name_put(struct vault_name *names, const char *name, uint32_t file)
{
    struct vault_name *at = name_find(names, name);

    at = at != NULL ? at : name_find(names, "");
    ASSERT(at != NULL);
    ASSERT(strlen(name) < VAULT_NAME_SIZE);
    memcpy(at->name, name, strlen(name) + 1);
    at->file = file;
}

static void name_remove(struct vault_name *names, const char *name)
{
    struct vault_name *at = name_find(names, name);

    if (at != NULL) {
        at->name[0] = '\0';
    }
}

static void op_apply(struct vault_name *names, const struct vault_op *op)
{
    struct vault_name *from;

    switch (op->type) {
    case VAULT_LINK:
        name_put(names, op->name, op->file);
        break;
    case VAULT_UNLINK:
        name_remove(names, op->name);
        break;
    case VAULT_RENAME:
        from = name_find(names, op->name);
        ASSERT(from != NULL);
        name_put(names, op->to, from->file);
        name_remove(names, op->name);
        break;
    }
}

static void op_add(struct vault *vault, const struct vault_op *op)
{
    op_apply(vault->names, op);
    if (vault->op_count == VAULT_OP_COUNT_MAX) {
        /* The oldest reaches the medium by itself: journals are written now and then. */
        op_apply(vault->durable, &vault->ops[0]);
        memmove(vault->ops, vault->ops + 1, (VAULT_OP_COUNT_MAX - 1) * sizeof vault->ops[0]);
        vault->op_count--;
    }
    vault->ops[vault->op_count++] = *op;
}

static void file_clear(struct vault_file *file)
{
    while (file->first != NULL) {
        struct vault_write *write = file->first;

        file->first = write->next;
        free(write);
    }
    file->last = NULL;
}

static void file_free(struct vault_file *file)
{
    file_clear(file);
    free(file->cache);
    free(file->medium);
    memset(file, 0, sizeof *file);
}

/* Files without a name in either directory and without a handle are gone. */
static void collect(struct vault *vault)
{
    for (uint32_t i = 0; i < VAULT_FILE_COUNT_MAX; i++) {
        bool named = vault->files[i].open_count > 0;

        for (size_t j = 0; !named && j < VAULT_FILE_COUNT_MAX; j++) {
            named = (vault->names[j].name[0] != '\0' && vault->names[j].file == i) ||
                    (vault->durable[j].name[0] != '\0' && vault->durable[j].file == i);
        }
        for (size_t j = 0; !named && j < vault->op_count; j++) {
            named = vault->ops[j].type == VAULT_LINK && vault->ops[j].file == i;
        }
        if (vault->files[i].used && !named) {
            file_free(&vault->files[i]);
        }
    }
}

static uint32_t file_new(struct vault *vault)
{
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < VAULT_FILE_COUNT_MAX; i++) {
            if (!vault->files[i].used) {
                vault->files[i].used = true;
                return i;
            }
        }
        collect(vault);
    }
    ASSERT(!"room for another file");
    return 0;
}

static void file_room(struct vault_file *file, uint64_t size)
{
    uint64_t room = size > file->room * 2 ? size : file->room * 2;

    if (size <= file->room) {
        return;
    }
    file->cache = realloc(file->cache, room);
    file->medium = realloc(file->medium, room);
    ASSERT(file->cache != NULL && file->medium != NULL);
    memset(file->cache + file->room, 0, room - file->room);
    memset(file->medium + file->room, 0, room - file->room);
    file->room = room;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash == NULL ? path : slash + 1;
}

/* Counts a call that changes something; false: the process died before it. */
static bool alive(struct vault *vault)
{
    if (vault->crash_in > 0 && --vault->crash_in == 0) {
        vault->crashed = true;
    }
    return !vault->crashed;
}

static enum err_code dead(struct err *err)
{
    return err_set(err, ERR_IO, "the process is dying");
}

static enum err_code
vault_open(void *arg, const char *path, enum disk_open how, int *ret_file, struct err *err)
{
    struct vault *vault = arg;
    const struct vault_name *name = name_find(vault->names, base_name(path));
    uint32_t file;

    if (how == DISK_OPEN_EXISTING && name == NULL) {
        return err_set(err, ERR_NOT_FOUND, "open %s", path);
    }
    if (how == DISK_OPEN_CREATE && !alive(vault)) {
        return dead(err);
    }
    if (how == DISK_OPEN_CREATE) {
        /* A new file in place of an old one: emptying would have to be a write of its own. */
        struct vault_op op = {.type = VAULT_LINK};

        ASSERT(strlen(base_name(path)) < VAULT_NAME_SIZE);
        file = file_new(vault);
        op.file = file;
        memcpy(op.name, base_name(path), strlen(base_name(path)) + 1);
        op_add(vault, &op);
    } else {
        file = name->file;
    }
    vault->files[file].open_count++;
    *ret_file = (int)file;
    return ERR_OK;
}

static void vault_close(void *arg, int file)
{
    struct vault *vault = arg;

    ASSERT(vault->files[file].open_count > 0);
    vault->files[file].open_count--;
}

static enum err_code
vault_read(void *arg, int number, uint64_t offset, void *bytes, size_t size, struct err *err)
{
    struct vault *vault = arg;
    const struct vault_file *file = &vault->files[number];

    if (offset > file->size || size > file->size - offset) {
        return err_set(err, ERR_IO, "read: the file ends");
    }
    memcpy(bytes, file->cache + offset, size);
    return ERR_OK;
}

static enum err_code
vault_write(void *arg, int number, uint64_t offset, const void *bytes, size_t size, struct err *err)
{
    struct vault *vault = arg;
    struct vault_file *file = &vault->files[number];
    struct vault_write *write;

    if (!alive(vault)) {
        return dead(err);
    }
    write = malloc(sizeof *write + size);
    ASSERT(write != NULL);
    *write = (struct vault_write){.offset = offset, .size = (uint32_t)size};
    memcpy(write->bytes, bytes, size);
    file_room(file, offset + size);
    memcpy(file->cache + offset, bytes, size);
    file->size = offset + size > file->size ? offset + size : file->size;
    if (file->last != NULL) {
        file->last->next = write;
    } else {
        file->first = write;
    }
    file->last = write;
    return ERR_OK;
}

static void
land(struct vault_file *file, const struct vault_write *write, uint64_t at, uint64_t size)
{
    memcpy(file->medium + write->offset + at, write->bytes + at, size);
    if (write->offset + at + size > file->medium_size) {
        file->medium_size = write->offset + at + size;
    }
}

static void land_some(struct vault *vault,
                      struct vault_file *file,
                      const struct vault_write *write,
                      uint32_t keep_percent)
{
    for (uint64_t at = 0; at < write->size; at += SECTOR_SIZE) {
        uint64_t left = write->size - at;

        if (prng_below(vault->prng, 100) < keep_percent) {
            land(file, write, at, left < SECTOR_SIZE ? left : SECTOR_SIZE);
            vault->sectors_kept++;
        } else {
            vault->sectors_lost++;
        }
    }
}

/* Writes under the ticket land, in order. What an earlier sync has dropped is settled before: it
 * must not land on top of them later. */
static void complete_file(struct vault *vault, struct vault_file *file, uint64_t ticket)
{
    struct vault_write **link = &file->first;

    file->last = NULL;
    while (*link != NULL) {
        struct vault_write *write = *link;

        if (write->dropped) {
            land_some(vault, file, write, 50);
        } else if (write->ticket == ticket) {
            land(file, write, 0, write->size);
        } else {
            file->last = write;
            link = &write->next;
            continue;
        }
        *link = write->next;
        free(write);
    }
}

void vault_complete(struct vault *vault, uint64_t ticket)
{
    for (size_t i = 0; i < VAULT_FILE_COUNT_MAX; i++) {
        if (vault->files[i].used && vault->files[i].first != NULL) {
            complete_file(vault, &vault->files[i], ticket);
        }
    }
}

#define TICKET_NOW UINT64_MAX

static enum err_code vault_sync(void *arg, int number, struct err *err)
{
    struct vault *vault = arg;
    struct vault_file *file = &vault->files[number];
    uint64_t ticket = vault->defer_ticket != 0 ? vault->defer_ticket : TICKET_NOW;

    if (!alive(vault)) {
        return dead(err);
    }
    for (struct vault_write *write = file->first; write != NULL; write = write->next) {
        write->dropped = write->dropped || vault->fail_sync;
        /* A sync that begins takes over what an earlier one has not finished yet, unless that
         * one's end comes first; both would land the same bytes. */
        write->ticket = write->ticket == 0 || ticket == TICKET_NOW ? ticket : write->ticket;
    }
    if (vault->fail_sync) {
        vault->fail_sync = false;
        return err_set(err, ERR_IO, "sync");
    }
    if (ticket == TICKET_NOW) {
        complete_file(vault, file, ticket);
    }
    return ERR_OK;
}

static enum err_code vault_sync_dir(void *arg, const char *dir, struct err *err)
{
    struct vault *vault = arg;

    (void)dir;
    if (!alive(vault)) {
        return dead(err);
    }
    memcpy(vault->durable, vault->names, sizeof vault->durable);
    vault->op_count = 0;
    return ERR_OK;
}

static enum err_code vault_size(void *arg, int number, uint64_t *ret_size, struct err *err)
{
    struct vault *vault = arg;

    (void)err;
    *ret_size = vault->files[number].size;
    return ERR_OK;
}

static enum err_code vault_allocate(void *arg, int number, uint64_t size, struct err *err)
{
    struct vault *vault = arg;

    if (!alive(vault)) {
        return dead(err);
    }
    file_room(&vault->files[number], size);
    vault->files[number].size = size;
    vault->files[number].medium_size = size;
    return ERR_OK;
}

static enum err_code vault_rename(void *arg, const char *from, const char *to, struct err *err)
{
    struct vault *vault = arg;
    struct vault_op op = {.type = VAULT_RENAME};

    if (name_find(vault->names, base_name(from)) == NULL) {
        return err_set(err, ERR_NOT_FOUND, "rename %s", from);
    }
    if (!alive(vault)) {
        return dead(err);
    }
    memcpy(op.name, base_name(from), strlen(base_name(from)) + 1);
    memcpy(op.to, base_name(to), strlen(base_name(to)) + 1);
    op_add(vault, &op);
    return ERR_OK;
}

static enum err_code vault_unlink(void *arg, const char *path, struct err *err)
{
    struct vault *vault = arg;
    struct vault_op op = {.type = VAULT_UNLINK};

    if (name_find(vault->names, base_name(path)) == NULL) {
        return err_set(err, ERR_NOT_FOUND, "unlink %s", path);
    }
    if (!alive(vault)) {
        return dead(err);
    }
    memcpy(op.name, base_name(path), strlen(base_name(path)) + 1);
    op_add(vault, &op);
    return ERR_OK;
}

static enum err_code vault_list(void *arg, const char *dir, struct disk_list list, struct err *err)
{
    struct vault *vault = arg;
    bool more = true;

    (void)dir;
    (void)err;
    for (size_t i = 0; more && i < VAULT_FILE_COUNT_MAX; i++) {
        if (vault->names[i].name[0] != '\0') {
            more = list.visit(list.arg, vault->names[i].name);
        }
    }
    return ERR_OK;
}

static enum err_code
vault_free_size(void *arg, const char *dir, uint64_t *ret_size, struct err *err)
{
    (void)arg;
    (void)dir;
    (void)err;
    *ret_size = UINT64_MAX;
    return ERR_OK;
}

static enum err_code vault_lock(void *arg, const char *path, int *ret_file, struct err *err)
{
    return vault_open(arg, path, DISK_OPEN_CREATE, ret_file, err);
}

static enum err_code vault_check_dir(void *arg, const char *dir, struct err *err)
{
    (void)arg;
    (void)dir;
    (void)err;
    return ERR_OK;
}

void vault_init(struct vault *vault, struct prng *prng)
{
    memset(vault, 0, sizeof *vault);
    vault->prng = prng;
    vault->disk = (struct disk){.open = vault_open,
                                .close = vault_close,
                                .read = vault_read,
                                .write = vault_write,
                                .sync = vault_sync,
                                .sync_dir = vault_sync_dir,
                                .size = vault_size,
                                .allocate = vault_allocate,
                                .rename = vault_rename,
                                .unlink = vault_unlink,
                                .list = vault_list,
                                .free_size = vault_free_size,
                                .lock = vault_lock,
                                .check_dir = vault_check_dir,
                                .arg = vault};
}

void vault_done(struct vault *vault)
{
    for (size_t i = 0; i < VAULT_FILE_COUNT_MAX; i++) {
        file_free(&vault->files[i]);
    }
}

void vault_wipe(struct vault *vault)
{
    vault_done(vault);
    memset(vault->names, 0, sizeof vault->names);
    memset(vault->durable, 0, sizeof vault->durable);
    vault->op_count = 0;
}

void vault_close_all(struct vault *vault)
{
    for (size_t i = 0; i < VAULT_FILE_COUNT_MAX; i++) {
        vault->files[i].open_count = 0;
    }
    vault->crash_in = 0;
    vault->crashed = false;
    vault->fail_sync = false;
    vault->defer_ticket = 0;
}

static void lose_sectors(struct vault *vault, struct vault_file *file, uint32_t keep_percent)
{
    for (struct vault_write *write = file->first; write != NULL; write = write->next) {
        land_some(vault, file, write, keep_percent);
    }
    file_clear(file);
    file->size = file->medium_size;
    memcpy(file->cache, file->medium, file->room);
}

void vault_power_loss(struct vault *vault, uint32_t keep_percent)
{
    uint32_t kept = (uint32_t)prng_below(vault->prng, vault->op_count + 1U);

    vault_close_all(vault);
    for (uint32_t i = 0; i < kept; i++) {
        op_apply(vault->durable, &vault->ops[i]);
    }
    vault->op_count = 0;
    memcpy(vault->names, vault->durable, sizeof vault->names);
    for (size_t i = 0; i < VAULT_FILE_COUNT_MAX; i++) {
        if (vault->files[i].used && vault->files[i].room > 0) {
            lose_sectors(vault, &vault->files[i], keep_percent);
        }
    }
    collect(vault);
}
