/* SPDX-License-Identifier: Apache-2.0 */
/* bundle.c: the archive of doctor --bundle.
 * Owns a folder of its own while it works, and the one file that it leaves. Never writes a text
 * that was not scrubbed, never reads the store. The archive is tar's and gzip's: every host has
 * them. */
#include "approvald/ctl/bundle.h"

#include "approvald/ctl/command.h"
#include "approvald/ctl/program.h"
#include "approvald/ctl/scrub.h"
#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 512
#define FOLDER    "approvald-bundle"

struct bundle {
    struct ctl *ctl;
    struct scrub *scrub; /* owned */
    struct buf *missed;  /* owned: where secrets are that the scrub does not know */
    char above[64];      /* mkdtemp's, ours alone */
    int dir;             /* above/FOLDER; owned */
    uint64_t count;
    uint64_t removed;
};

static enum err_code open_folder(struct bundle *bundle, struct err *err)
{
    AUTO_CLOSE int above = -1;

    (void)snprintf(bundle->above, sizeof bundle->above, "/tmp/approvald-bundle-XXXXXX"); /* fits */
    if (mkdtemp(bundle->above) == NULL) {
        bundle->above[0] = '\0';
        return err_set_errno(err, ERR_IO, errno, "/tmp");
    }
    above = open(bundle->above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (above < 0 || mkdirat(above, FOLDER, 0700) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", bundle->above);
    }
    bundle->dir = openat(above, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return bundle->dir >= 0 ? ERR_OK : err_set_errno(err, ERR_IO, errno, "%s", bundle->above);
}

static void drop_folder(const struct bundle *bundle)
{
    char path[PATH_SIZE];

    if (bundle->dir >= 0) {
        for (const struct bundle_item *item = bundle_items(); item->name != NULL; item++) {
            (void)unlinkat(bundle->dir, item->name, 0); /* some were not made */
        }
        (void)close(bundle->dir);
    }
    if (bundle->above[0] != '\0') {
        (void)snprintf(path, sizeof path, "%s/" FOLDER, bundle->above); /* fits */
        (void)rmdir(path);                                              /* scrubbed, if it stays */
        (void)rmdir(bundle->above);
    }
}

static enum err_code
write_item(const struct bundle *bundle, const char *name, struct span text, struct err *err)
{
    AUTO_CLOSE int fd = openat(bundle->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", name);
    }
    while (text.size > 0) {
        ssize_t size = write(fd, text.data, text.size);

        if (size < 0) {
            return err_set_errno(err, errno == ENOSPC ? ERR_NOSPACE : ERR_IO, errno, "%s", name);
        }
        text = span_of(text.data + size, text.size - (size_t)size);
    }
    return ERR_OK;
}

static enum err_code
add_item(struct bundle *bundle, const struct bundle_item *item, struct err *err)
{
    AUTO_BUF struct buf *raw = NULL;
    AUTO_BUF struct buf *clean = NULL;
    enum err_code rc = buf_new(BUNDLE_ITEM_SIZE_MAX, &raw, err);

    if (rc == ERR_OK) {
        rc =
            buf_new(2 * BUNDLE_ITEM_SIZE_MAX, &clean, err); /* a mark may be longer than a secret */
    }
    if (rc == ERR_OK) {
        rc = item->collect(bundle->ctl, raw, err);
    }
    if (rc == ERR_OK) {
        rc = scrub_append(bundle->scrub, buf_span(raw), clean, &bundle->removed, err);
    }
    if (rc == ERR_OK) {
        rc = write_item(bundle, item->name, buf_span(clean), err);
    }
    if (raw != NULL) {
        buf_wipe(raw);
    }
    bundle->count += rc == ERR_OK ? 1 : 0;
    return rc == ERR_OK ? rc : err_wrap(err, rc, "%s", item->name);
}

static enum err_code fill_folder(struct bundle *bundle, struct err *err)
{
    enum err_code rc = scrub_new(&bundle->scrub, err);

    if (rc == ERR_OK) {
        rc = buf_new(BUNDLE_ITEM_SIZE_MAX, &bundle->missed, err);
    }
    if (rc == ERR_OK) {
        rc = bundle_learn(bundle->ctl, bundle->scrub, bundle->missed, err);
    }
    if (rc == ERR_OK) {
        rc = open_folder(bundle, err);
    }
    for (const struct bundle_item *item = bundle_items(); rc == ERR_OK && item->name != NULL;
         item++) {
        rc = add_item(bundle, item, err);
    }
    return rc;
}

static enum err_code pack(const struct bundle *bundle, const char *part, struct err *err)
{
    const char *const argv[] = {"tar",
                                "--create",
                                "--gzip",
                                "--owner=root:0",
                                "--group=root:0",
                                "--mode=u=rwX,go=",
                                "--directory",
                                bundle->above,
                                FOLDER,
                                NULL};
    AUTO_CLOSE int fd = -1;
    int code = 0;
    enum err_code rc;

    (void)unlink(part); /* of a former try */
    fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return err_set_errno(err, ERR_DENIED, errno, "%s", part);
    }
    rc = program_write(argv, fd, &code, err);
    if (rc == ERR_OK && code != 0) {
        rc = err_set(err, ERR_IO, "tar: exit code %d", code);
    }
    if (rc == ERR_OK && fsync(fd) != 0) {
        rc = err_set_errno(err, ERR_IO, errno, "%s", part);
    }
    return rc;
}

/* Both are on the disk before it is said that the archive is there. */
static enum err_code give_name(const char *part, const char *file, struct err *err)
{
    char folder[PATH_SIZE];
    const char *slash = strrchr(file, '/');
    AUTO_CLOSE int fd = -1;

    (void)snprintf(folder, sizeof folder, "%.*s", /* fits: file and ".part" do */
                   (int)(slash == NULL || slash == file ? 1 : slash - file),
                   slash == NULL ? "." : file);
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || rename(part, file) != 0 || fsync(fd) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", file);
    }
    return ERR_OK;
}

static enum err_code make(struct bundle *bundle, const char *file, struct err *err)
{
    char part[PATH_SIZE];
    int size = snprintf(part, sizeof part, "%s.part", file);
    enum err_code rc;

    if (size < 0 || (size_t)size >= sizeof part) {
        return err_set(err, ERR_INVALID, "%.60s…: too long a path", file);
    }
    rc = fill_folder(bundle, err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = pack(bundle, part, err);
    if (rc == ERR_OK) {
        rc = give_name(part, file, err);
    }
    if (rc != ERR_OK) {
        (void)unlink(part); /* the error is told */
    }
    return rc;
}

/* main looks at ferror */
static void tell(const struct bundle *bundle, const char *file)
{
    (void)printf("%s: %" PRIu64 " files, without %" PRIu64 " places that were or may have been "
                 "secrets.\n",
                 file, bundle->count, bundle->removed);
    if (buf_size(bundle->missed) == 0) {
        (void)printf("It names hosts and people: look into it before you give it away.\n");
        return;
    }
    (void)printf("It names hosts and people, and secrets may still be in it, since these could not "
                 "be read and looked for: %s. Look into it before you give it away.\n",
                 buf_text(bundle->missed));
}

int bundle_make(struct ctl *ctl)
{
    struct bundle bundle = {.ctl = ctl, .dir = -1};
    const char *file = options_text(&ctl->options, OPTION_BUNDLE);
    struct err err = ERR_INIT;
    enum err_code rc = make(&bundle, file, &err);

    if (rc == ERR_OK) {
        tell(&bundle, file);
    }
    drop_folder(&bundle);
    scrub_free(bundle.scrub);
    buf_free(bundle.missed);
    return rc == ERR_OK ? CTL_OK : ctl_fail_err(ctl, &err);
}
