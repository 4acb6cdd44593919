/* SPDX-License-Identifier: Apache-2.0 */
/* power_model.c: what a disk may hold after a power loss.
 * Owns the rule of the header and nothing of the storage. Never touches the recorded directory. */
#include "tests/crash/power_model.h"

#include "base/assert.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECTOR_SIZE      512U
#define IMAGE_PAGE_SIZE  4096U
#define OBJECT_COUNT_MAX 1024U
#define NAME_COUNT_MAX   256U
#define CHANGE_COUNT_MAX 8192U

/* A write or a resize that may still be lost. */
struct pending {
    const struct tap_event *event;
    size_t number;
};

struct object {
    uint8_t *bytes; /* owned: what is durable */
    uint64_t size;
    uint64_t room;
    struct pending *pending; /* owned */
    size_t pending_count;
};

struct name {
    char name[TAP_NAME_SIZE];
    uint32_t object;
};

struct directory {
    struct name names[NAME_COUNT_MAX];
    uint32_t count;
};

struct power_model {
    struct object objects[OBJECT_COUNT_MAX];
    struct directory durable;
    const struct tap_event *changes[CHANGE_COUNT_MAX]; /* of names, since the last sync */
    size_t change_count;
    size_t position;
    uint64_t lost_count;
    uint64_t kept_count;
};

uint64_t power_mix(uint64_t *seed)
{
    uint64_t z = (*seed += 0x9e3779b97f4a7c15U);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
}

struct power_model *power_model_new(void)
{
    struct power_model *model = calloc(1, sizeof *model);

    ASSERT(model != NULL);
    return model;
}

void power_model_free(struct power_model *model)
{
    for (size_t i = 0; i < OBJECT_COUNT_MAX; i++) {
        free(model->objects[i].bytes);
        free(model->objects[i].pending);
    }
    free(model);
}

static void reserve(struct object *object, uint64_t size)
{
    if (size > object->room) {
        uint64_t room = size + (1U << 20);

        object->bytes = realloc(object->bytes, room);
        ASSERT(object->bytes != NULL);
        memset(object->bytes + object->room, 0, room - object->room);
        object->room = room;
    }
}

static void resize(struct object *object, uint64_t size)
{
    reserve(object, size);
    if (size < object->size) {
        memset(object->bytes + size, 0, object->size - size);
    }
    object->size = size;
}

static void
put_bytes(struct object *object, const struct tap_event *event, uint64_t at, size_t size)
{
    reserve(object, at + size);
    if (object->bytes == NULL) {
        return;
    }
    if (event->bytes == NULL) {
        memset(object->bytes + at, 0, size);
    } else {
        memcpy(object->bytes + at, event->bytes + (at - event->offset), size);
    }
    object->size = at + size > object->size ? at + size : object->size;
}

static void apply(struct object *object, const struct tap_event *event)
{
    if (event->kind == TAP_RESIZE) {
        resize(object, event->offset);
    } else {
        put_bytes(object, event, event->offset, event->size);
    }
}

/* What was on its way when the sync began has arrived. */
static void sync_object(struct object *object, uint64_t since)
{
    size_t kept = 0;

    for (size_t i = 0; i < object->pending_count; i++) {
        if (object->pending[i].number < since) {
            apply(object, object->pending[i].event);
        } else {
            object->pending[kept++] = object->pending[i];
        }
    }
    object->pending_count = kept;
}

static void add_pending(struct object *object, const struct tap_event *event, size_t number)
{
    if ((object->pending_count & 63) == 0) {
        object->pending =
            realloc(object->pending, (object->pending_count + 64) * sizeof *object->pending);
        ASSERT(object->pending != NULL);
    }
    object->pending[object->pending_count++] = (struct pending){.event = event, .number = number};
}

static struct name *find(struct directory *directory, const char *name)
{
    for (uint32_t i = 0; i < directory->count; i++) {
        if (strcmp(directory->names[i].name, name) == 0) {
            return &directory->names[i];
        }
    }
    return NULL;
}

static void drop(struct directory *directory, const char *name)
{
    struct name *found = find(directory, name);

    if (found != NULL) {
        *found = directory->names[--directory->count];
    }
}

static void rename_in(struct directory *directory, const struct tap_event *event)
{
    const char *name = event->kind == TAP_RENAME ? event->name_to : event->name;
    struct name *entry;

    if (event->kind == TAP_RENAME) {
        drop(directory, event->name);
    }
    drop(directory, name);
    if (event->kind == TAP_UNLINK) {
        return;
    }
    ASSERT(directory->count < NAME_COUNT_MAX);
    entry = &directory->names[directory->count++];
    (void)snprintf(entry->name, sizeof entry->name, "%s", name);
    entry->object = event->object;
}

static void take(struct power_model *model, const struct tap_event *event, size_t number)
{
    struct object *object = &model->objects[event->object % OBJECT_COUNT_MAX];

    switch (event->kind) {
    case TAP_CREATE:
    case TAP_RENAME:
    case TAP_UNLINK:
        ASSERT(model->change_count < CHANGE_COUNT_MAX);
        model->changes[model->change_count++] = event;
        break;
    case TAP_RESIZE:
    case TAP_WRITE:
        add_pending(object, event, number);
        break;
    case TAP_SYNC_END:
        sync_object(object, event->since);
        break;
    case TAP_SYNC_DIR:
        for (size_t i = 0; i < model->change_count; i++) {
            rename_in(&model->durable, model->changes[i]);
        }
        model->change_count = 0;
        break;
    case TAP_SYNC_BEGIN:
    case TAP_MARK:
        break;
    }
}

void power_model_advance(struct power_model *model, const struct tap_trace *trace, size_t position)
{
    for (; model->position < position; model->position++) {
        ASSERT(trace->events[model->position].object < OBJECT_COUNT_MAX ||
               trace->events[model->position].object == UINT32_MAX);
        take(model, &trace->events[model->position], model->position);
    }
}

/* Each sector of a write for itself: keep of 256 are kept. */
static void apply_part(struct power_model *model,
                       struct object *object,
                       const struct tap_event *event,
                       uint32_t keep,
                       uint64_t *seed)
{
    uint64_t end = event->offset + event->size;
    uint64_t at = event->offset;

    if (event->kind == TAP_RESIZE) {
        if (power_mix(seed) % 256 < keep) {
            resize(object, event->offset);
        }
        return;
    }
    while (at < end) {
        uint64_t next = (at / SECTOR_SIZE + 1) * SECTOR_SIZE;
        bool kept = power_mix(seed) % 256 < keep;

        next = next < end ? next : end;
        if (kept) {
            put_bytes(object, event, at, (size_t)(next - at));
        }
        model->kept_count += kept ? 1 : 0;
        model->lost_count += kept ? 0 : 1;
        at = next;
    }
}

static void write_file(const struct object *object, const char *dir, const char *name)
{
    static const uint8_t zeros[IMAGE_PAGE_SIZE];
    char path[512];
    int file;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ASSERT(file >= 0);
    ASSERT(ftruncate(file, (off_t)object->size) == 0);
    for (uint64_t at = 0; at < object->size; at += IMAGE_PAGE_SIZE) {
        uint64_t left = object->size - at;
        size_t size = left < IMAGE_PAGE_SIZE ? (size_t)left : IMAGE_PAGE_SIZE;

        if (memcmp(object->bytes + at, zeros, size) != 0) {
            ASSERT(pwrite(file, object->bytes + at, size, (off_t)at) == (ssize_t)size);
        }
    }
    (void)close(file);
}

static void write_object(struct power_model *model,
                         const struct name *name,
                         const char *dir,
                         uint32_t keep,
                         uint64_t *seed)
{
    const struct object *durable = &model->objects[name->object];
    struct object image = {.size = durable->size};

    reserve(&image, durable->size);
    if (durable->size > 0) {
        memcpy(image.bytes, durable->bytes, durable->size);
    }
    for (size_t i = 0; i < durable->pending_count; i++) {
        apply_part(model, &image, durable->pending[i].event, keep, seed);
    }
    write_file(&image, dir, name->name);
    free(image.bytes);
}

void power_model_write(struct power_model *model, const char *dir, uint64_t *seed)
{
    static const uint32_t keeps[] = {0, 16, 128, 240, 256};
    struct directory directory = model->durable;
    size_t names = power_mix(seed) % (model->change_count + 1);
    uint32_t keep;

    for (size_t i = 0; i < names; i++) {
        rename_in(&directory, model->changes[i]);
    }
    for (uint32_t i = 0; i < directory.count; i++) {
        keep = keeps[power_mix(seed) % (sizeof keeps / sizeof keeps[0])];
        write_object(model, &directory.names[i], dir, keep, seed);
    }
}

void power_model_counts(const struct power_model *model, uint64_t *ret_lost, uint64_t *ret_kept)
{
    *ret_lost = model->lost_count;
    *ret_kept = model->kept_count;
}
