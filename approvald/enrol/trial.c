/* SPDX-License-Identifier: Apache-2.0 */
/* trial.c: a configuration as it would be.
 * Owns a folder of links for as long as a program reads it. Never changes a file that is linked to:
 * whoever starts meanwhile, or is cut here, has the configuration that was there before. */
#include "approvald/enrol/trial.h"

#include "approvald/enrol/folder.h"
#include "approvald/enrol/limits.h"
#include "approvald/enrol/run.h"
#include "base/buf.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_SIZE    128                   /* bytes of the name of the folder of links */
#define DUMP_SIZE_MAX  ((size_t)1 << 20)     /* what the supervisor prints of itself at most */
#define PATH_SIZE_LONG (4 * ENROL_PATH_SIZE) /* three names, each shorter than one of these */

struct trial {
    char own[ENROL_PATH_SIZE];        /* the folder of the configuration */
    const char *name;                 /* of the configuration in it; borrowed */
    char links[FOLDER_SIZE];          /* the folder of links to what is in it */
    char pieces[ENROL_PATH_SIZE + 4]; /* of the folder of fragments */
};

/* Links in to to all that is in from, but for one name. */
static enum err_code
link_all(const char *from, const char *to, const char *without, struct err *err)
{
    DIR *dir = opendir(from);
    enum err_code rc = ERR_OK;

    if (dir == NULL) {
        return errno == ENOENT ? ERR_OK : err_set_errno(err, ERR_IO, errno, "%s", from);
    }
    for (const struct dirent *entry = readdir(dir); rc == ERR_OK && entry != NULL;
         entry = readdir(dir)) {
        char source[PATH_SIZE_LONG];
        char target[PATH_SIZE_LONG];

        (void)snprintf(source, sizeof source, "%s/%s", from, entry->d_name); /* fits */
        (void)snprintf(target, sizeof target, "%s/%s", to, entry->d_name);   /* fits */
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            (without == NULL || strcmp(entry->d_name, without) != 0) &&
            symlink(source, target) != 0) {
            rc = err_set_errno(err, ERR_IO, errno, "%s", target);
        }
    }
    (void)closedir(dir); /* only read */
    return rc;
}

static enum err_code build(struct trial *trial, const char *fragment, struct err *err)
{
    char from[PATH_SIZE_LONG];
    char to[PATH_SIZE_LONG];
    enum err_code rc = link_all(trial->own, trial->links, trial->pieces, err);

    (void)snprintf(from, sizeof from, "%s/%s", trial->own, trial->pieces); /* fits */
    (void)snprintf(to, sizeof to, "%s/%s", trial->links, trial->pieces);   /* fits */
    if (rc == ERR_OK && mkdir(to, 0700) != 0) {
        rc = err_set_errno(err, ERR_IO, errno, "%s", to);
    }
    return rc == ERR_OK ? link_all(from, to, fragment, err) : rc;
}

/* What it complains of bears the names that the admin knows. */
static enum err_code refuse(const struct trial *trial, const char *said, struct err *err)
{
    AUTO_BUF struct buf *text = NULL;
    enum err_code rc = buf_new(ENROL_TEXT_SIZE_MAX, &text, err);

    while (rc == ERR_OK) {
        const char *at = strstr(said, trial->links);

        if (at == NULL) {
            rc = buf_append_text(text, said, err);
            break;
        }
        rc = buf_append(text, said, (size_t)(at - said), err);
        rc = rc == ERR_OK ? buf_append_text(text, trial->own, err) : rc;
        said = at + strlen(trial->links);
    }
    return rc == ERR_OK ? err_set(err, ERR_INVALID, "%.*s", SPAN_ARGS(buf_span(text))) : rc;
}

static enum err_code ask(const struct trial *trial,
                         const char *supervisor,
                         const char *what,
                         struct buf *output,
                         struct err *err)
{
    char config[PATH_SIZE_LONG];
    const char *const argv[] = {supervisor, "--config", config, what, NULL};
    int code = 0;
    enum err_code rc;

    (void)snprintf(config, sizeof config, "%s/%s", trial->links, trial->name); /* fits */
    rc = run_program(argv, output, true, &code, err);
    return rc == ERR_OK && code != 0 ? refuse(trial, buf_text(output), err) : rc;
}

/* In what it dumps the section begins with the host's number. */
static bool is_paired(const char *dump)
{
    static const char head[] = "\npair {";
    static const char line[] = "\n    host = ";
    const char *at = strstr(dump, head);

    at = at == NULL ? NULL : strstr(at, line);
    return at == NULL || at[sizeof line - 1] != '0';
}

static enum err_code look(const struct trial *trial, const char *supervisor, struct err *err)
{
    AUTO_BUF struct buf *said = NULL;
    enum err_code rc = buf_new(DUMP_SIZE_MAX, &said, err);

    rc = rc == ERR_OK ? ask(trial, supervisor, "--check-config", said, err) : rc;
    if (rc == ERR_OK) {
        buf_clear(said);
        rc = ask(trial, supervisor, "--dump-config", said, err);
    }
    return rc == ERR_OK && is_paired(buf_text(said))
               ? err_set(err, ERR_DENIED,
                         "%s/%s, or a file in %s.d, makes this host one of a pair (pair, host)",
                         trial->own, trial->name, trial->name)
               : rc;
}

/* The reason why something could not be done is on its way already. */
static void tear_down(const struct trial *trial)
{
    struct err ignored = ERR_INIT;
    char pieces[PATH_SIZE_LONG];

    (void)snprintf(pieces, sizeof pieces, "%s/%s", trial->links, trial->pieces); /* fits */
    err_ignore(folder_remove(pieces, &ignored));
    err_ignore(folder_remove(trial->links, &ignored));
}

/* Whoever is cut leaves it there, where such things are removed. */
static enum err_code make_folder(struct trial *trial, struct err *err)
{
    const char *above = getenv("TMPDIR");
    int size = snprintf(trial->links, sizeof trial->links, "%s/approvalctl-XXXXXX",
                        above == NULL || above[0] != '/' ? "/tmp" : above);

    if (size < 0 || (size_t)size >= sizeof trial->links) {
        return err_set(err, ERR_INVALID, "TMPDIR: too long a path");
    }
    return mkdtemp(trial->links) != NULL ? ERR_OK
                                         : err_set_errno(err, ERR_IO, errno, "%s", trial->links);
}

enum err_code
trial_alone(const char *supervisor, const char *config, const char *fragment, struct err *err)
{
    struct trial trial = {.links = ""};
    const char *slash = strrchr(config, '/');
    enum err_code rc;

    if (slash == NULL || strlen(config) >= ENROL_PATH_SIZE) {
        return err_set(err, ERR_INVALID, "%.60s: not a path that can be used", config);
    }
    trial.name = slash + 1;
    (void)snprintf(trial.own, sizeof trial.own, "%.*s", (int)(slash - config), config); /* fits */
    (void)snprintf(trial.pieces, sizeof trial.pieces, "%s.d", trial.name);              /* fits */
    rc = make_folder(&trial, err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = build(&trial, fragment, err);
    rc = rc == ERR_OK ? look(&trial, supervisor, err) : rc;
    tear_down(&trial);
    return rc;
}
