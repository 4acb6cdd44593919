/* SPDX-License-Identifier: Apache-2.0 */
/* conf_load.c: from files to a struct conf, by way of libConfuse.
 * Owns the files of one load, their order, and the lock that libConfuse needs.
 * Never hands over half a configuration, never gives libConfuse what conf_scan has not passed. */
#include "base/assert.h"
#include "base/buf.h"
#include "base/conf_confuse.h"
#include "base/conf_internal.h"
#include "base/conf_scan.h"
#include "base/limits.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A file being read, and the one that includes it above it. */
struct frame {
    char *name;
    struct buf *text;
    struct conf_scan scan;
    size_t piece_offset; /* where the piece begins not parsed yet */
    uint32_t piece_line;
};

struct load {
    struct confuse *confuse; /* owned */
    struct conf_marks marks;
    size_t mark_count;
    size_t file_count;
    struct frame frames[CONF_INCLUDE_DEPTH_MAX];
    size_t depth;
    bool may_include;
    struct err *err;
};

static pthread_mutex_t load_mutex = PTHREAD_MUTEX_INITIALIZER;

const char *conf_marks_find(const struct conf_marks *marks, const char *name, size_t index)
{
    const struct conf_mark *mark = STAILQ_FIRST(marks);

    while (mark != NULL && (strcmp(mark->name, name) != 0 || index > 0)) {
        index -= strcmp(mark->name, name) == 0;
        mark = STAILQ_NEXT(mark, link);
    }
    return mark == NULL ? NULL : mark->where;
}

/* Parses the piece of the innermost file that ends at end. */
static enum err_code load_piece(struct load *load, size_t end)
{
    const struct frame *frame = &load->frames[load->depth - 1];
    struct span text = buf_span(frame->text);

    return confuse_parse(load->confuse, frame->name, frame->piece_line,
                         span_of(text.data + frame->piece_offset, end - frame->piece_offset),
                         load->err);
}

static enum err_code load_push(struct load *load, const char *name, struct buf *text)
{
    struct frame *frame = &load->frames[load->depth];

    ASSERT(load->depth < CONF_INCLUDE_DEPTH_MAX);
    *frame = (struct frame){.text = text, .piece_line = 1};
    load->depth++;
    frame->name = mem_copy_text(name, strlen(name));
    if (frame->name == NULL) {
        return err_set(load->err, ERR_NOMEM, "%s", name);
    }
    return conf_scan_init(&frame->scan, frame->name, buf_span(text), load->err);
}

static void load_pop(struct load *load)
{
    struct frame *frame = &load->frames[load->depth - 1];

    ASSERT(load->depth > 0);
    buf_free(frame->text);
    mem_free(frame->name);
    load->depth--;
}

static enum err_code read_text(const char *name, FILE *file, struct buf *text, struct err *err)
{
    char chunk[4096];
    size_t size = fread(chunk, 1, sizeof chunk, file);
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && size > 0) {
        rc = buf_append(text, chunk, size, err);
        size = fread(chunk, 1, sizeof chunk, file);
    }
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "%s", name);
    }
    return ferror(file) == 0 ? ERR_OK : err_set_errno(err, ERR_IO, errno, "%s", name);
}

/* Reads a file whole and makes it the innermost. */
static enum err_code load_open(struct load *load, const char *name)
{
    AUTO_BUF struct buf *text = NULL;
    struct buf *taken;
    FILE *file;
    enum err_code rc = buf_new(CONF_SIZE_MAX, &text, load->err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (load->file_count == CONF_FILE_COUNT_MAX) {
        return err_set(load->err, ERR_INVALID, "%s: more than %d files", name, CONF_FILE_COUNT_MAX);
    }
    load->file_count++;
    file = fopen(name, "re");
    if (file == NULL) {
        rc = errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
        return err_set_errno(load->err, rc, errno, "%s", name);
    }
    rc = read_text(name, file, text, load->err);
    (void)fclose(file); /* only read */
    if (rc != ERR_OK) {
        return rc;
    }
    taken = text;
    text = NULL;
    return load_push(load, name, taken);
}

/* As load_open, from memory. */
static enum err_code load_text(struct load *load, const char *name, const char *text)
{
    AUTO_BUF struct buf *copy = NULL;
    struct buf *taken;
    enum err_code rc = buf_new(CONF_SIZE_MAX, &copy, load->err);

    rc = rc == ERR_OK ? buf_append_text(copy, text, load->err) : rc;
    if (rc != ERR_OK) {
        return err_wrap(load->err, rc, "%s", name);
    }
    taken = copy;
    copy = NULL;
    return load_push(load, name, taken);
}

/* The path of a file named beside another. NULL: no memory. */
static char *path_beside(const char *file, struct span name)
{
    const char *slash = strrchr(file, '/');
    size_t folder = slash == NULL || name.data[0] == '/' ? 0 : (size_t)(slash - file) + 1;
    char *path = mem_new(folder + name.size + 1, 1);

    if (path != NULL) {
        memcpy(path, file, folder);
        memcpy(path + folder, name.data, name.size);
    }
    return path;
}

static enum err_code load_include(struct load *load, const struct conf_scan_found *found)
{
    struct frame *frame = &load->frames[load->depth - 1];
    AUTO_FREE char *path = path_beside(frame->name, found->word);
    enum err_code rc = load_piece(load, found->offset);

    if (rc != ERR_OK) {
        return rc;
    }
    if (path == NULL) {
        return err_set(load->err, ERR_NOMEM, "%s", frame->name);
    }
    frame->piece_offset = frame->scan.offset;
    frame->piece_line = frame->scan.line;
    if (!load->may_include || load->depth == CONF_INCLUDE_DEPTH_MAX) {
        return err_set(load->err, ERR_INVALID, "%s:%u: %s", frame->name, found->line,
                       load->may_include ? "includes are nested too deep" : "no include here");
    }
    rc = load_open(load, path);
    if (rc != ERR_OK && load->depth > 0 && &load->frames[load->depth - 1] == frame) {
        return err_wrap(load->err, ERR_INVALID, "%s:%u: include", frame->name, found->line);
    }
    return rc;
}

static enum err_code load_mark(struct load *load, const struct conf_scan_found *found)
{
    struct frame *frame = &load->frames[load->depth - 1];
    struct conf_mark *mark = mem_new(1, sizeof *mark + found->word.size + 1);
    char where[CONF_TEXT_SIZE_MAX];

    (void)snprintf(where, sizeof where, "%s:%u", frame->name,
                   found->line); /* cut is still a hint */
    if (mark == NULL) {
        return err_set(load->err, ERR_NOMEM, "%s", where);
    }
    mark->where = mem_copy_text(where, strlen(where));
    if (found->word.size > 0) {
        memcpy(mark->name, found->word.data, found->word.size);
    }
    STAILQ_INSERT_TAIL(&load->marks, mark, link);
    load->mark_count++;
    if (mark->where == NULL) {
        return err_set(load->err, ERR_NOMEM, "%s", where);
    }
    return load->mark_count <= CONF_SECTION_COUNT_MAX
               ? ERR_OK
               : err_set(load->err, ERR_INVALID, "%s: too many sections", where);
}

/* Parses the innermost file, and what it includes, to the end. */
static enum err_code load_run(struct load *load)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && load->depth > 0) {
        struct conf_scan_found found;

        rc = conf_scan_next(&load->frames[load->depth - 1].scan, &found, load->err);
        if (rc != ERR_OK) {
            break;
        }
        switch (found.what) {
        case CONF_SCAN_NOTHING:
        case CONF_SCAN_END:
            rc = load_piece(load, buf_size(load->frames[load->depth - 1].text));
            load_pop(load);
            break;
        case CONF_SCAN_SECTION:
            rc = load_mark(load, &found);
            break;
        case CONF_SCAN_INCLUDE:
            rc = load_include(load, &found);
            break;
        }
    }
    return rc;
}

static int is_conf_file(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);

    return entry->d_name[0] != '.' && size > 5 && strcmp(entry->d_name + size - 5, ".conf") == 0;
}

static enum err_code load_folder(struct load *load, const char *file)
{
    char folder[CONF_TEXT_SIZE_MAX];
    int folder_size = snprintf(folder, sizeof folder, "%s.d", file);
    struct dirent **entries = NULL;
    enum err_code rc = ERR_OK;
    int count;

    if (folder_size < 0 || (size_t)folder_size >= sizeof folder) {
        return err_set(load->err, ERR_INVALID, "%s: path is too long", file);
    }
    count = scandir(folder, &entries, is_conf_file, alphasort);
    if (count < 0) {
        return errno == ENOENT ? ERR_OK : err_set_errno(load->err, ERR_IO, errno, "%s", folder);
    }
    for (int i = 0; i < count; i++) {
        char path[CONF_TEXT_SIZE_MAX];
        int size = snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);

        if (rc == ERR_OK && (size < 0 || (size_t)size >= sizeof path)) {
            rc = err_set(load->err, ERR_INVALID, "%s: path is too long", folder);
        }
        rc = rc == ERR_OK ? load_open(load, path) : rc;
        rc = rc == ERR_OK ? load_run(load) : rc;
        free(entries[i]); /* the C library's */
    }
    free(entries);
    return rc;
}

static void load_end(struct load *load)
{
    struct conf_mark *mark;

    while (load->depth > 0) {
        load_pop(load);
    }
    while ((mark = STAILQ_FIRST(&load->marks)) != NULL) {
        STAILQ_REMOVE_HEAD(&load->marks, link);
        mem_free(mark->where);
        mem_free(mark);
    }
    confuse_free(load->confuse);
}

static enum err_code load_all(struct load *load,
                              const struct conf_schema *schema,
                              const char *file,
                              const char *text,
                              struct conf **ret_conf)
{
    enum err_code rc = confuse_new(schema, &load->confuse, load->err);

    if (rc == ERR_OK && text == NULL) {
        rc = load_open(load, file);
    } else if (rc == ERR_OK) {
        rc = load_text(load, file, text);
    }
    rc = rc == ERR_OK ? load_run(load) : rc;
    if (rc == ERR_OK && text == NULL) {
        rc = load_folder(load, file);
    }
    return rc == ERR_OK ? confuse_take(load->confuse, &load->marks, file, ret_conf, load->err) : rc;
}

static enum err_code load_locked(const struct conf_schema *schema,
                                 const char *file,
                                 const char *text,
                                 struct conf **ret_conf,
                                 struct err *err)
{
    struct err unwanted = ERR_INIT;
    struct load load = {.may_include = text == NULL, .err = err == NULL ? &unwanted : err};
    enum err_code rc;

    STAILQ_INIT(&load.marks);
    (void)pthread_mutex_lock(&load_mutex); /* a plain mutex cannot fail */
    rc = load_all(&load, schema, file, text, ret_conf);
    load_end(&load);
    (void)pthread_mutex_unlock(&load_mutex);
    return rc;
}

enum err_code conf_load(const struct conf_schema *schema,
                        const char *file,
                        struct conf **ret_conf,
                        struct err *err)
{
    ASSERT(file != NULL);
    return load_locked(schema, file, NULL, ret_conf, err);
}

enum err_code conf_parse(const struct conf_schema *schema,
                         const char *name,
                         const char *text,
                         struct conf **ret_conf,
                         struct err *err)
{
    ASSERT(text != NULL);
    return load_locked(schema, name, text, ret_conf, err);
}
