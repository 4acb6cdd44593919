/* SPDX-License-Identifier: Apache-2.0 */
/* lastgood.c: the last configuration that has proven itself.
 * Owns the file's form, and the order in which it is replaced.
 * Never decides when one has proven itself or when to fall back, never reads a secret.
 * A crash leaves the former file or the new one; what it leaves torn is told by the hash. */
#include "base/lastgood.h"

#include <config.h>

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/conf.h"
#include "base/crypto.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_TEXT_SIZE (2UL * CRYPTO_SHA256_SIZE)
#define FILE_SIZE_MAX  (CONF_SIZE_MAX + 1024UL) /* the two lines above it */
#define WORD           "# last-good 1 "
#define OF             " of "

struct job {
    char path[LASTGOOD_PATH_SIZE];
    struct buf *text; /* owned: the file's content */
};

/* The part under the hash: who wrote it, of which file, and the options. */
static enum err_code
format_body(const char *file, const struct conf *conf, struct buf *body, struct err *err)
{
    enum err_code rc =
        buf_append_format(body, err, "# " PACKAGE_NAME " " PACKAGE_VERSION OF "%s\n", file);

    return rc == ERR_OK ? conf_dump_changed(conf, body, err) : rc;
}

static enum err_code format(const char *file,
                            const struct conf *conf,
                            uint64_t now_ms,
                            struct buf **ret_text,
                            struct err *err)
{
    AUTO_BUF struct buf *body = NULL;
    AUTO_BUF struct buf *text = NULL;
    uint8_t hash[CRYPTO_SHA256_SIZE];
    char hex[HASH_TEXT_SIZE + 1];
    enum err_code rc = buf_new(FILE_SIZE_MAX, &body, err);

    if (rc == ERR_OK) {
        rc = buf_new(FILE_SIZE_MAX, &text, err);
    }
    if (rc == ERR_OK) {
        rc = format_body(file, conf, body, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    crypto_sha256(buf_text(body), buf_size(body), hash);
    crypto_hex(hash, sizeof hash, hex);
    rc = buf_append_format(text, err, WORD "%" PRIu64 " %s\n", now_ms, hex);
    if (rc == ERR_OK) {
        rc = buf_append(text, buf_text(body), buf_size(body), err);
    }
    if (rc == ERR_OK) {
        *ret_text = text;
        text = NULL;
    }
    return rc;
}

/* Cuts the line off the front of *text; false: there is none. */
static bool take_line(struct span *text, struct span *ret_line)
{
    const char *end = text->size == 0 ? NULL : memchr(text->data, '\n', text->size);

    if (end == NULL) {
        return false;
    }
    *ret_line = span_of(text->data, (size_t)(end - text->data));
    *text = span_of(end + 1, text->size - ret_line->size - 1);
    return true;
}

/* The first line; what follows it is left in *text. */
static bool take_head(struct span *text, uint64_t *ret_ms, struct span *ret_hash)
{
    struct span line;
    const char *space;

    if (!take_line(text, &line) || line.size <= sizeof WORD - 1 + HASH_TEXT_SIZE ||
        memcmp(line.data, WORD, sizeof WORD - 1) != 0) {
        return false;
    }
    line = span_of(line.data + sizeof WORD - 1, line.size - (sizeof WORD - 1));
    space = memchr(line.data, ' ', line.size);
    if (space == NULL || !text_parse_u64(span_of(line.data, (size_t)(space - line.data)), ret_ms)) {
        return false;
    }
    *ret_hash = span_of(space + 1, line.size - (size_t)(space + 1 - line.data));
    return ret_hash->size == HASH_TEXT_SIZE && *ret_ms > 0;
}

static bool is_of(struct span body, const char *file)
{
    struct span line;
    const char *of;

    if (!take_line(&body, &line) || line.size > CONF_TEXT_SIZE_MAX) {
        return false;
    }
    of = memmem(line.data, line.size, OF, sizeof OF - 1);
    return of != NULL && span_is(span_of(of + sizeof OF - 1,
                                         line.size - (size_t)(of + sizeof OF - 1 - line.data)),
                                 file);
}

/* The hash first: nothing is made of bytes that are not those that were written. */
static enum err_code
check(struct span text, const char *file, struct span *ret_body, uint64_t *ret_ms, struct err *err)
{
    uint8_t hash[CRYPTO_SHA256_SIZE];
    char hex[HASH_TEXT_SIZE + 1];
    struct span wanted = SPAN_NONE;

    if (!take_head(&text, ret_ms, &wanted)) {
        return err_set(err, ERR_CORRUPT, "does not begin as it should");
    }
    crypto_sha256(text.data, text.size, hash);
    crypto_hex(hash, sizeof hash, hex);
    if (!span_is(wanted, hex)) {
        return err_set(err, ERR_CORRUPT, "torn or changed: the checksum does not match");
    }
    if (!is_of(text, file)) {
        return err_set(err, ERR_CONFLICT, "it is of another configuration file");
    }
    *ret_body = text;
    return ERR_OK;
}

static enum err_code check_file(int fd, struct err *err)
{
    struct stat about;

    if (fstat(fd, &about) != 0) {
        return err_set_errno(err, ERR_IO, errno, "stat");
    }
    if (!S_ISREG(about.st_mode) || (about.st_mode & (S_IWGRP | S_IWOTH)) != 0 ||
        (about.st_uid != 0 && about.st_uid != geteuid())) {
        return err_set(err, ERR_DENIED, "somebody else could have written it");
    }
    return ERR_OK;
}

static enum err_code read_whole(int fd, struct buf *text, struct err *err)
{
    char bytes[4096];
    ssize_t size;

    while ((size = read(fd, bytes, sizeof bytes)) != 0) {
        if (size < 0) {
            return err_set_errno(err, ERR_IO, errno, "read");
        }
        if (buf_append(text, bytes, (size_t)size, err) != ERR_OK) {
            return err_set(err, ERR_CORRUPT, "longer than one that was written");
        }
    }
    return ERR_OK;
}

static enum err_code
open_read(const char *path, size_t size_max, struct buf **ret_text, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    AUTO_BUF struct buf *text = NULL;
    enum err_code rc;

    if (fd < 0) {
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "open");
    }
    rc = check_file(fd, err);
    if (rc == ERR_OK) {
        rc = buf_new(size_max, &text, err);
    }
    if (rc == ERR_OK) {
        rc = read_whole(fd, text, err);
    }
    if (rc == ERR_OK) {
        *ret_text = text;
        text = NULL;
    }
    return rc;
}

enum err_code lastgood_read(const char *path,
                            const char *file,
                            struct buf **ret_text,
                            uint64_t *ret_kept_ms,
                            struct err *err)
{
    AUTO_BUF struct buf *whole = NULL;
    AUTO_BUF struct buf *body = NULL;
    struct span found = SPAN_NONE;
    uint64_t kept_ms = 0;
    enum err_code rc = open_read(path, FILE_SIZE_MAX, &whole, err);

    if (rc == ERR_OK) {
        rc = check(buf_span(whole), file, &found, &kept_ms, err);
    }
    if (rc == ERR_OK) {
        rc = buf_new(FILE_SIZE_MAX, &body, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append(body, found.data, found.size, err);
    }
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "%s", path);
    }
    *ret_text = body;
    body = NULL;
    *ret_kept_ms = kept_ms;
    return ERR_OK;
}

/* Does the file hold the same configuration already, and whole? Its time stays the first one's. */
static bool is_there(const char *path, struct span text)
{
    AUTO_BUF struct buf *old = NULL;
    struct span old_text;
    struct span old_hash;
    struct span hash;
    uint64_t ms;

    if (open_read(path, FILE_SIZE_MAX, &old, NULL) != ERR_OK) {
        return false;
    }
    old_text = buf_span(old);
    return take_head(&old_text, &ms, &old_hash) && take_head(&text, &ms, &hash) &&
           memcmp(old_hash.data, hash.data, HASH_TEXT_SIZE) == 0 && old_text.size == text.size &&
           memcmp(old_text.data, text.data, text.size) == 0;
}

static enum err_code write_whole(int fd, struct span text, struct err *err)
{
    while (text.size > 0) {
        ssize_t size = write(fd, text.data, text.size);

        if (size < 0) {
            return err_set_errno(err, errno == ENOSPC ? ERR_NOSPACE : ERR_IO, errno, "write");
        }
        text = span_of(text.data + size, text.size - (size_t)size);
    }
    return fsync(fd) == 0 ? ERR_OK : err_set_errno(err, ERR_IO, errno, "fsync");
}

static enum err_code sync_folder(const char *path, struct err *err)
{
    char folder[LASTGOOD_PATH_SIZE];
    char *slash;
    AUTO_CLOSE int fd = -1;

    (void)snprintf(folder, sizeof folder, "%s", path); /* as long as path */
    slash = strrchr(folder, '/');
    ASSERT(slash != NULL);
    slash[slash == folder ? 1 : 0] = '\0';
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 && fsync(fd) == 0 ? ERR_OK
                                     : err_set_errno(err, ERR_IO, errno, "fsync of its directory");
}

static enum err_code replace(const char *path, struct span text, struct err *err)
{
    char fresh[LASTGOOD_PATH_SIZE + 8];
    AUTO_CLOSE int fd = -1;
    enum err_code rc;

    if (is_there(path, text)) {
        return ERR_OK;
    }
    (void)snprintf(fresh, sizeof fresh, "%s.new", path); /* fits */
    (void)unlink(fresh);                                 /* of a start that did not get further */
    fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_set_errno(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, errno, "%s", fresh);
    }
    rc = write_whole(fd, text, err);
    if (rc == ERR_OK && rename(fresh, path) != 0) {
        rc = err_set_errno(err, ERR_IO, errno, "rename");
    }
    if (rc != ERR_OK) {
        (void)unlink(fresh); /* the error is told */
        return rc;
    }
    return sync_folder(path, err);
}

/* path has room for what is put behind it, and names a directory. */
static enum err_code check_path(const char *path, struct err *err)
{
    return path[0] == '/' && strlen(path) < LASTGOOD_PATH_SIZE
               ? ERR_OK
               : err_set(err, ERR_INVALID, "%.60s: not a path for the last-known-good copy", path);
}

enum err_code lastgood_write(
    const char *path, const char *file, const struct conf *conf, uint64_t now_ms, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    enum err_code rc = check_path(path, err);

    ASSERT(now_ms > 0);
    if (rc == ERR_OK) {
        rc = format(file, conf, now_ms, &text, err);
    }
    if (rc == ERR_OK) {
        rc = replace(path, buf_span(text), err);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "%s", path);
}

static void tell_not_kept(const struct err *err)
{
    log_err(LOG_LEVEL_WARNING, "conf", "last_good_not_kept", err);
}

static void free_job(struct job *job)
{
    if (job != NULL) {
        buf_free(job->text);
        mem_free(job);
    }
}

static enum err_code new_job(const char *path,
                             const char *file,
                             const struct conf *conf,
                             struct job **ret_job,
                             struct err *err)
{
    struct job *job = mem_new(1, sizeof *job);
    enum err_code rc = check_path(path, err);

    if (job == NULL) {
        return err_set(err, ERR_NOMEM, "%s", path);
    }
    (void)snprintf(job->path, sizeof job->path, "%s", path); /* refused when it does not fit */
    if (rc == ERR_OK) {
        rc = format(file, conf, clock_wall_ms(clock_host()), &job->text, err);
    }
    if (rc != ERR_OK) {
        free_job(job);
        return rc;
    }
    *ret_job = job;
    return ERR_OK;
}

/* One writes at a time, in the order in which they came; of several that wait for a slow disk the
 * newest is enough. A process has one such file: its own. */
static struct {
    pthread_mutex_t lock;
    bool busy;
    struct job *next; /* owned; NULL: none waits */
} writing = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The one that waits, or NULL: then nobody writes any more. */
static struct job *take_next(void)
{
    struct job *job;

    (void)pthread_mutex_lock(&writing.lock); /* neither can fail here */
    job = writing.next;
    writing.next = NULL;
    writing.busy = job != NULL;
    (void)pthread_mutex_unlock(&writing.lock);
    return job;
}

/* False: somebody writes, and takes it next. */
static bool must_start(struct job *job)
{
    struct job *older = NULL;
    bool start;

    (void)pthread_mutex_lock(&writing.lock);
    start = !writing.busy;
    writing.busy = true;
    if (!start) {
        older = writing.next;
        writing.next = job;
    }
    (void)pthread_mutex_unlock(&writing.lock);
    free_job(older);
    return start;
}

static void *write_jobs(void *arg)
{
    for (struct job *job = arg; job != NULL; job = take_next()) {
        struct err err = ERR_INIT;

        if (replace(job->path, buf_span(job->text), &err) != ERR_OK) {
            tell_not_kept(&err);
        }
        free_job(job);
    }
    return NULL;
}

void lastgood_keep(const char *path, const char *file, const struct conf *conf)
{
    struct job *job = NULL;
    struct err err = ERR_INIT;
    pthread_t thread;
    int number;

    if (path == NULL || path[0] == '\0') {
        return;
    }
    if (new_job(path, file, conf, &job, &err) != ERR_OK) {
        tell_not_kept(&err);
        return;
    }
    if (!must_start(job)) {
        return;
    }
    number = thread_start(&thread, write_jobs, job);
    if (number == 0) {
        (void)pthread_detach(thread); /* it frees the jobs; the process does not wait for it */
        return;
    }
    (void)err_set_errno(&err, ERR_NOMEM, number, "%s: thread", path); /* told below */
    tell_not_kept(&err);
    free_job(job);
    free_job(take_next()); /* this thread is the only one that adds one */
}

void lastgood_tell(const struct lastgood *lastgood, const char *module, const char *file)
{
    char kept[TEXT_TIME_SIZE];

    if (lastgood->kept_ms == 0) {
        return;
    }
    text_format_time(lastgood->kept_ms, kept);
    log_fields(LOG_LEVEL_ERROR, module, "last_good_config_used", LOG_TEXT("file", file),
               LOG_TEXT("kept_at", kept), LOG_TEXT("reason", lastgood->why.message));
}

static enum err_code refuse(const struct err *file, const struct err *copy, struct err *err)
{
    if (copy->code == ERR_OK || copy->code == ERR_NOT_FOUND) {
        return err_set(err, file->code, "%s", file->message);
    }
    return err_set(err, file->code, "%s; no last-known-good copy can stand in: %s", file->message,
                   copy->message);
}

static enum err_code stand_in(const char *path,
                              const char *file,
                              lastgood_load_fn *load,
                              void *arg,
                              uint64_t *ret_kept_ms,
                              struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    enum err_code rc = lastgood_read(path, file, &text, ret_kept_ms, err);

    return rc == ERR_OK ? load(arg, buf_text(text), err) : rc;
}

enum err_code lastgood_start(const char *path,
                             const char *file,
                             lastgood_load_fn *load,
                             void *arg,
                             struct lastgood *ret_lastgood,
                             struct err *err)
{
    struct err copy = ERR_INIT;
    uint64_t kept_ms = 0;
    enum err_code rc;

    *ret_lastgood = (struct lastgood){.kept_ms = 0, .why = ERR_INIT};
    rc = load(arg, NULL, &ret_lastgood->why);
    /* Without memory a copy does not load either. */
    if (rc == ERR_OK || rc == ERR_NOMEM || path == NULL || path[0] == '\0') {
        return rc == ERR_OK ? rc : refuse(&ret_lastgood->why, &copy, err);
    }
    rc = stand_in(path, file, load, arg, &kept_ms, &copy);
    if (rc != ERR_OK) {
        return refuse(&ret_lastgood->why, &copy, err);
    }
    ret_lastgood->kept_ms = kept_ms;
    return ERR_OK;
}
