/* SPDX-License-Identifier: Apache-2.0 */
/* leave.c: a host goes out of its pair.
 * Owns the order of the steps and the file that says how far they are. Never deletes a store but
 * the one that it was about to make, never starts the service before the last step is durable.
 * Folders are folder.c's, which follows no link. */
#include "approvald/enrol/leave.h"

#include "approvald/enrol/apply.h"
#include "approvald/enrol/files.h"
#include "approvald/enrol/folder.h"
#include "approvald/enrol/run.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/conf.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define JOURNAL          "leaving"
#define JOURNAL_SIZE_MAX 2048             /* bytes: three paths and four numbers */
#define KEPT_SIZE_LEFT   32               /* bytes: what is put behind a path, and its end */
#define BACKUP_NAME      "of-pair.backup" /* as storage/restore.h has it */
#define SUPERVISOR_UNIT  "approvald-supervisor.service"
#define SERVE_UNIT       "approvald-pair.service"

static const struct conf_option options[] = {
    {"", "data", CONF_TEXT, NULL, 0, ENROL_PATH_SIZE - 1, NULL, "the store; empty: none"},
    {"", "program", CONF_TEXT, NULL, 0, ENROL_PATH_SIZE - 1, NULL, "approvald"},
    {"", "config", CONF_TEXT, NULL, 0, ENROL_PATH_SIZE - 1, NULL, "its configuration"},
    {"", "user", CONF_NUMBER, NULL, 0, UINT32_MAX, NULL, "of data"},
    {"", "group", CONF_NUMBER, NULL, 0, UINT32_MAX, NULL, "of data"},
    {"", "begun", CONF_NUMBER, NULL, 0, INT64_MAX, NULL, "seconds since 1970"},
    {"", "empty", CONF_BOOL, NULL, 0, 0, NULL, "an empty store is wanted"},
    {NULL, NULL, CONF_TEXT, NULL, 0, 0, NULL, NULL},
};
static const struct conf_schema schema = {.options = options};

/* The names beside data. */
struct names {
    char kept[ENROL_PATH_SIZE];
    char alone[ENROL_PATH_SIZE];
    char backup[ENROL_PATH_SIZE];
};

static void name_all(const struct leave *leave, struct names *names)
{
    const char *data = leave->place.data;

    ASSERT(strlen(data) + KEPT_SIZE_LEFT + sizeof ".backup" < ENROL_PATH_SIZE);
    (void)snprintf(names->kept, sizeof names->kept, "%s.of-pair-%" PRIu64, data, leave->begun_s);
    (void)snprintf(names->alone, sizeof names->alone, "%s.alone-%" PRIu64, data, leave->begun_s);
    (void)snprintf(names->backup, sizeof names->backup, "%s.of-pair-%" PRIu64 ".backup", data,
                   leave->begun_s); /* all fit */
}

static bool is_live(const struct home *home)
{
    return home->root[0] == '\0' && run_has_systemd();
}

/* -- the journal ----------------------------------------------------------------------------- */

bool leave_is_begun(const struct home *home)
{
    char path[ENROL_PATH_SIZE];

    home_file(home, JOURNAL, path);
    return files_exist(path);
}

static void copy(const struct conf_section *top, const char *name, char ret_text[ENROL_PATH_SIZE])
{
    (void)snprintf(ret_text, ENROL_PATH_SIZE, "%s",
                   conf_text(top, name)); /* the schema bounds it */
}

enum err_code leave_lock(const struct home *home, int *ret_file, struct err *err)
{
    int file = open(home->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (file < 0 || flock(file, LOCK_EX | LOCK_NB) != 0) {
        enum err_code rc = errno == EWOULDBLOCK
                               ? err_set(err, ERR_BUSY, "another pair leave is at work")
                               : err_set_errno(err, ERR_IO, errno, "%s", home->folder);

        if (file >= 0) {
            (void)close(file); /* only opened */
        }
        return rc;
    }
    *ret_file = file;
    return ERR_OK;
}

enum err_code leave_load(const struct home *home, struct leave *ret_leave, struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    struct conf *conf = NULL;
    const struct conf_section *top;
    char path[ENROL_PATH_SIZE];
    enum err_code rc;

    home_file(home, JOURNAL, path);
    rc = files_read(path, JOURNAL_SIZE_MAX, &buf, err);
    rc = rc == ERR_OK ? conf_parse(&schema, path, buf_text(buf), &conf, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    top = conf_section(conf, "");
    memset(ret_leave, 0, sizeof *ret_leave);
    copy(top, "data", ret_leave->place.data);
    copy(top, "program", ret_leave->place.program);
    copy(top, "config", ret_leave->place.config);
    ret_leave->place.user = (uid_t)conf_number(top, "user");
    ret_leave->place.group = (gid_t)conf_number(top, "group");
    ret_leave->begun_s = conf_number(top, "begun");
    ret_leave->empty = conf_bool(top, "empty");
    conf_free(conf);
    return strlen(ret_leave->place.data) + KEPT_SIZE_LEFT + sizeof ".backup" < ENROL_PATH_SIZE
               ? ERR_OK
               : err_set(err, ERR_CORRUPT, "%s: too long a path", path);
}

static enum err_code save(const struct home *home, const struct leave *leave, struct err *err)
{
    const struct aside_place *place = &leave->place;
    AUTO_BUF struct buf *buf = NULL;
    char path[ENROL_PATH_SIZE];
    enum err_code rc = buf_new(JOURNAL_SIZE_MAX, &buf, err);

    home_file(home, JOURNAL, path);
    if (rc == ERR_OK) {
        rc = buf_append_format(buf, err,
                               "# approvalctl pair leave is under way: repeat it.\n"
                               "data = \"%s\"\nprogram = \"%s\"\nconfig = \"%s\"\nuser = %u\n"
                               "group = %u\nbegun = %" PRIu64 "\nempty = %s\n",
                               place->data, place->program, place->config, place->user,
                               place->group, leave->begun_s, leave->empty ? "true" : "false");
    }
    return rc == ERR_OK ? files_write(path, buf_span(buf), 0600, FILES_ANY_GROUP, err) : rc;
}

enum err_code leave_begin(const struct home *home,
                          const struct aside_place *place,
                          uint64_t now_s,
                          bool empty,
                          struct leave *ret_leave,
                          struct err *err)
{
    struct leave leave = {.place = *place, .begun_s = now_s, .empty = empty};
    struct names names;
    enum err_code rc;

    if (strlen(place->data) + KEPT_SIZE_LEFT + sizeof ".backup" >= ENROL_PATH_SIZE ||
        strpbrk(place->data, "\"\\\n") != NULL) {
        return err_set(err, ERR_INVALID, "%s: not a path that can be used", place->data);
    }
    for (name_all(&leave, &names); files_exist(names.kept); name_all(&leave, &names)) {
        leave.begun_s++; /* of one that was left within this second */
    }
    rc = save(home, &leave, err);
    if (rc == ERR_OK) {
        *ret_leave = leave;
    }
    return rc;
}

/* -- folders --------------------------------------------------------------------------------- */

/* approvald, as the user whose store it is. */
static enum err_code make_store(const struct leave *leave, const char *folder, struct err *err)
{
    AUTO_BUF struct buf *output = NULL;
    const char *const argv[] = {leave->place.program, "--config", leave->place.config,
                                "--make-alone",       folder,     NULL};
    int code = 0;
    enum err_code rc = buf_new(ENROL_TEXT_SIZE_MAX, &output, err);

    rc = rc == ERR_OK ? run_program(argv, output, true, &code, err) : rc;
    return rc == ERR_OK && code != 0
               ? err_set(err, ERR_UNAVAILABLE, "%.*s; with --force it leaves without its store",
                         SPAN_ARGS(buf_span(output)))
               : rc;
}

static enum err_code make(const struct leave *leave, const struct names *names, struct err *err)
{
    /* What a former try was making is not a store of anybody's yet: plain files, no folders. */
    enum err_code rc = folder_remove(names->alone, err);

    if (rc == ERR_OK) {
        rc = folder_make(names->alone, leave->place.user, leave->place.group, err);
    }
    return rc == ERR_OK && !leave->empty ? make_store(leave, names->alone, err) : rc;
}

/* Step 4. Beside the new store its backup, which any approvald restores. */
static enum err_code
put_in_place(const struct leave *leave, const struct names *names, struct err *err)
{
    char made[ENROL_PATH_SIZE + sizeof BACKUP_NAME];
    enum err_code rc = ERR_OK;

    if (files_exist(names->alone)) { /* an empty folder may have been made anew at a boot */
        rc = folder_move(names->alone, leave->place.data, err);
    }
    (void)snprintf(made, sizeof made, "%s/" BACKUP_NAME, leave->place.data); /* fits */
    return rc == ERR_OK && files_exist(made) ? folder_move(made, names->backup, err) : rc;
}

/* -- the steps ------------------------------------------------------------------------------- */

static enum err_code stop(const struct home *home, struct err *err)
{
    enum err_code rc;

    if (!is_live(home)) {
        return ERR_OK;
    }
    rc = run_systemctl("stop", NULL, SERVE_UNIT, err);
    return rc == ERR_OK ? run_systemctl("stop", NULL, SUPERVISOR_UNIT, err) : rc;
}

static enum err_code end_journal(const struct home *home, struct err *err)
{
    char path[ENROL_PATH_SIZE];

    home_file(home, JOURNAL, path);
    return files_remove(path, err);
}

/* Before step 3: the pair goes on. The reason is on its way already. */
static void undo(const struct home *home, const struct names *names)
{
    struct err err = ERR_INIT;

    err_ignore(folder_remove(names->alone, &err));
    if (end_journal(home, &err) == ERR_OK) {
        err_ignore(leave_start(home, &err));
    }
}

/* Steps 1 to 4. */
static enum err_code
change_store(const struct home *home, const struct leave *leave, struct err *err)
{
    struct names names;
    enum err_code rc;

    name_all(leave, &names);
    rc = stop(home, err);
    if (leave->place.data[0] == '\0') {
        return rc;
    }
    if (!files_exist(names.kept)) {
        rc = rc == ERR_OK ? make(leave, &names, err) : rc;
        rc = rc == ERR_OK ? aside_check_free(leave->place.data, err) : rc;
        rc = rc == ERR_OK ? folder_move(leave->place.data, names.kept, err) : rc;
        if (rc != ERR_OK && !files_exist(names.kept)) {
            undo(home, &names);
            return err_wrap(err, rc, "nothing was done");
        }
    }
    return rc == ERR_OK ? put_in_place(leave, &names, err) : rc;
}

enum err_code leave_run(const struct home *home,
                        const struct leave *leave,
                        char ret_kept[ENROL_PATH_SIZE],
                        struct err *err)
{
    struct names names;
    enum err_code rc = change_store(home, leave, err);

    rc = rc == ERR_OK ? apply_remove(home, err) : rc;
    rc = rc == ERR_OK ? home_remove(home, err) : rc;
    if (rc != ERR_OK) {
        return leave_is_begun(home)
                   ? err_wrap(err, rc, "half of it is done; repeat pair leave when this is mended")
                   : rc;
    }
    name_all(leave, &names);
    (void)snprintf(ret_kept, ENROL_PATH_SIZE, "%s",
                   leave->place.data[0] == '\0' ? "" : names.kept); /* as long */
    return ERR_OK;
}

enum err_code leave_start(const struct home *home, struct err *err)
{
    enum err_code rc;

    if (!is_live(home)) {
        return ERR_OK;
    }
    rc = run_systemctl("enable", "--quiet", SUPERVISOR_UNIT, err);
    return rc == ERR_OK ? run_systemctl("start", NULL, SUPERVISOR_UNIT, err) : rc;
}
