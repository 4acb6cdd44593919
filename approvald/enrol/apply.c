/* SPDX-License-Identifier: Apache-2.0 */
/* apply.c: fragments for supervisor and approvald, and keepalived.conf.
 * Owns what begins with our mark and nothing else. Never leaves a configuration that the supervisor
 * refuses: the next start of the host would fail. */
#include "approvald/enrol/apply.h"

#include "approvald/enrol/files.h"
#include "approvald/enrol/run.h"
#include "approvald/enrol/texts.h"
#include "approvald/enrol/trial.h"
#include "base/buf.h"

#include <string.h>
#include <unistd.h>

#define PIECE_NAME       "50-pair.conf"
#define SUPERVISOR_CONF  PKGSYSCONFDIR "/supervisor.conf"
#define SUPERVISOR_PIECE PKGSYSCONFDIR "/supervisor.conf.d/" PIECE_NAME
#define SERVICE_PIECE    PKGSYSCONFDIR "/approvald.conf.d/" PIECE_NAME
#define KEEPALIVED_CONF  "/etc/keepalived/keepalived.conf"
/* The first line of what the supervisor makes for keepalived. */
#define KEEPALIVED_MARK "# Written by approvalctl keepalived-config"

#define SUPERVISOR_UNIT "approvald-supervisor.service"
#define KEEPALIVED_UNIT "keepalived.service"

/* A file that is to be, or not to be, and what it was. */
struct piece {
    char path[ENROL_PATH_SIZE];
    struct buf *before; /* NULL: there was none */
    struct buf *after;
};

static void piece_done(struct piece *piece)
{
    buf_free(piece->before);
    buf_free(piece->after);
}

static bool begins_with(const struct buf *buf, const char *mark)
{
    return strncmp(buf_text(buf), mark, strlen(mark)) == 0;
}

/* ERR_EXISTS: it is there and not ours. */
static enum err_code piece_init(struct piece *piece,
                                const struct home *home,
                                const char *path,
                                const char *mark,
                                struct err *err)
{
    enum err_code rc = home_path(home, path, piece->path, err);

    piece->before = NULL;
    piece->after = NULL;
    if (rc == ERR_OK && files_exist(piece->path)) {
        rc = files_read(piece->path, ENROL_TEXT_SIZE_MAX, &piece->before, err);
    }
    if (rc == ERR_OK && piece->before != NULL && !begins_with(piece->before, mark)) {
        rc = err_set(err, ERR_EXISTS, "%s is not from approvalctl pair: move it away", piece->path);
    }
    return rc == ERR_OK ? buf_new(ENROL_TEXT_SIZE_MAX, &piece->after, err) : rc;
}

static bool piece_differs(const struct piece *piece)
{
    return piece->before == NULL || !span_equal(buf_span(piece->before), buf_span(piece->after));
}

static enum err_code folder_of(const char *path, struct err *err)
{
    char folder[ENROL_PATH_SIZE];
    size_t size = (size_t)(strrchr(path, '/') - path);

    memcpy(folder, path, size);
    folder[size] = '\0';
    return files_exist(folder) ? ERR_OK : files_folder(folder, 0755, FILES_ANY_GROUP, err);
}

static enum err_code piece_put(const struct piece *piece, struct err *err)
{
    enum err_code rc = folder_of(piece->path, err);

    return rc == ERR_OK
               ? files_write(piece->path, buf_span(piece->after), 0644, FILES_ANY_GROUP, err)
               : rc;
}

static void note_path(const struct home *home, char path[ENROL_PATH_SIZE])
{
    home_file(home, "restart", path);
}

/* Before a change: nothing else says afterwards that the services have not seen it. */
static enum err_code owe_restart(const struct home *home, struct err *err)
{
    char path[ENROL_PATH_SIZE];

    note_path(home, path);
    return files_exist(path) ? ERR_OK : files_write(path, SPAN_NONE, 0600, FILES_ANY_GROUP, err);
}

static bool restart_is_owed(const struct home *home)
{
    char path[ENROL_PATH_SIZE];

    note_path(home, path);
    return files_exist(path);
}

/* Puts it there when it differs. */
static enum err_code
piece_change(const struct piece *piece, const struct home *home, struct err *err)
{
    enum err_code rc;

    if (!piece_differs(piece)) {
        return ERR_OK;
    }
    rc = owe_restart(home, err);
    return rc == ERR_OK ? piece_put(piece, err) : rc;
}

/* As it was. The reason why is on its way already. */
static void piece_back(const struct piece *piece)
{
    struct err err = ERR_INIT;

    if (piece->before == NULL) {
        err_ignore(files_remove(piece->path, &err));
    } else {
        err_ignore(files_write(piece->path, buf_span(piece->before), 0644, FILES_ANY_GROUP, &err));
    }
}

/* Fragments are read only beside the file whose name they bear. */
static enum err_code
need_file(const struct home *home, const char *name, const char *content, struct err *err)
{
    char path[ENROL_PATH_SIZE];
    enum err_code rc = home_path(home, name, path, err);

    if (rc != ERR_OK || files_exist(path)) {
        return rc;
    }
    rc = folder_of(path, err);
    return rc == ERR_OK ? files_write(path, span_text(content), 0644, FILES_ANY_GROUP, err) : rc;
}

/* Asks the supervisor about the whole configuration: --check-config, or --keepalived-config. */
static enum err_code
ask_supervisor(const struct apply *apply, const char *what, struct buf *output, struct err *err)
{
    char config[ENROL_PATH_SIZE];
    const char *const argv[] = {apply->supervisor, "--config", config, what, NULL};
    int code = 0;
    enum err_code rc = home_path(apply->home, SUPERVISOR_CONF, config, err);

    if (rc == ERR_OK) {
        rc = run_program(argv, output, true, &code, err);
    }
    if (rc == ERR_OK && code != 0) {
        rc = err_set(err, ERR_INVALID, "%.*s", SPAN_ARGS(buf_span(output)));
    }
    return rc;
}

static enum err_code check(const struct apply *apply, struct err *err)
{
    AUTO_BUF struct buf *output = NULL;
    enum err_code rc = buf_new(ENROL_TEXT_SIZE_MAX, &output, err);

    return rc == ERR_OK ? ask_supervisor(apply, "--check-config", output, err) : rc;
}

static enum err_code write_service(const struct apply *apply, struct err *err)
{
    const struct texts_host host = {
        .host = apply->host, .interface = apply->interface, .folder = apply->home->folder};
    struct piece piece;
    enum err_code rc;

    if (apply->plan->vip[0] == '\0' || apply->plan->service_port == 0) {
        return ERR_OK;
    }
    rc = need_file(apply->home, PKGSYSCONFDIR "/approvald.conf", "# See approvald.conf(5).\n", err);
    if (rc != ERR_OK) {
        return rc;
    }
    rc = piece_init(&piece, apply->home, SERVICE_PIECE, TEXTS_MARK, err);
    rc = rc == ERR_OK ? texts_service(apply->plan, &host, piece.after, err) : rc;
    rc = rc == ERR_OK ? piece_change(&piece, apply->home, err) : rc;
    piece_done(&piece);
    return rc;
}

/* Where the admin has a file of his own, ours stands beside the certificates. */
static enum err_code
write_keepalived(const struct apply *apply, struct applied *applied, struct err *err)
{
    struct piece piece;
    struct err kept = ERR_INIT;
    enum err_code rc;

    if (apply->plan->vip[0] == '\0') {
        return ERR_OK;
    }
    rc = piece_init(&piece, apply->home, KEEPALIVED_CONF, KEEPALIVED_MARK, &kept);
    if (rc == ERR_EXISTS) {
        applied->keepalived_kept = true;
        piece_done(&piece);
        home_file(apply->home, "keepalived.conf", piece.path);
        piece = (struct piece){.before = NULL};
        home_file(apply->home, "keepalived.conf", piece.path);
        rc = buf_new(ENROL_TEXT_SIZE_MAX, &piece.after, err);
    } else if (rc != ERR_OK) {
        *err = kept;
    }
    rc = rc == ERR_OK ? ask_supervisor(apply, "--keepalived-config", piece.after, err) : rc;
    if (rc == ERR_OK && applied->keepalived_kept) {
        rc = piece_put(&piece, err); /* what keepalived reads is not changed */
    } else if (rc == ERR_OK) {
        rc = piece_change(&piece, apply->home, err);
    }
    piece_done(&piece);
    return rc;
}

enum err_code apply_write(const struct apply *apply, struct applied *ret_applied, struct err *err)
{
    const struct texts_host host = {
        .host = apply->host, .interface = apply->interface, .folder = apply->home->folder};
    struct piece piece;
    enum err_code rc =
        need_file(apply->home, SUPERVISOR_CONF, "# See approvald-supervisor.conf(5).\n", err);

    *ret_applied = (struct applied){.changed = false};
    if (rc != ERR_OK) {
        return rc;
    }
    rc = piece_init(&piece, apply->home, SUPERVISOR_PIECE, TEXTS_MARK, err);
    rc = rc == ERR_OK ? texts_supervisor(apply->plan, &host, piece.after, err) : rc;
    if (rc == ERR_OK) {
        rc = piece_change(&piece, apply->home, err);
        rc = rc == ERR_OK ? check(apply, err) : rc;
        rc = rc == ERR_OK ? write_service(apply, err) : rc;
        rc = rc == ERR_OK ? write_keepalived(apply, ret_applied, err) : rc;
        if (rc != ERR_OK) {
            piece_back(&piece);
        }
    }
    ret_applied->changed = restart_is_owed(apply->home);
    piece_done(&piece);
    return rc;
}

static bool is_live(const struct home *home)
{
    return home->root[0] == '\0' && run_has_systemd();
}

static enum err_code is_ours(
    const struct home *home, const char *path, const char *mark, bool *ret_ours, struct err *err)
{
    struct piece piece;
    enum err_code rc = piece_init(&piece, home, path, mark, err);

    *ret_ours = rc == ERR_OK && piece.before != NULL;
    piece_done(&piece);
    return rc == ERR_EXISTS ? ERR_OK : rc; /* somebody else's: it stays */
}

enum err_code apply_may_remove(const struct apply *apply, struct err *err)
{
    char config[ENROL_PATH_SIZE];
    bool ours = false;
    enum err_code rc = is_ours(apply->home, SUPERVISOR_PIECE, TEXTS_MARK, &ours, err);

    rc = rc == ERR_OK ? home_path(apply->home, SUPERVISOR_CONF, config, err) : rc;
    if (rc != ERR_OK || !files_exist(config)) {
        return rc; /* nothing has ever run here */
    }
    return trial_alone(apply->supervisor, config, ours ? PIECE_NAME : NULL, err);
}

static enum err_code
remove_ours(const struct home *home, const char *path, const char *mark, struct err *err)
{
    char full[ENROL_PATH_SIZE];
    bool ours = false;
    enum err_code rc = is_ours(home, path, mark, &ours, err);

    rc = rc == ERR_OK ? home_path(home, path, full, err) : rc;
    return rc == ERR_OK && ours ? files_remove(full, err) : rc;
}

/* Whoever is cut in between finds the file, and stops it then. */
static enum err_code remove_keepalived(const struct home *home, struct err *err)
{
    bool ours = false;
    enum err_code rc = is_ours(home, KEEPALIVED_CONF, KEEPALIVED_MARK, &ours, err);

    if (rc == ERR_OK && ours && is_live(home)) {
        rc = run_systemctl("disable", "--now", KEEPALIVED_UNIT, err);
    }
    return rc == ERR_OK ? remove_ours(home, KEEPALIVED_CONF, KEEPALIVED_MARK, err) : rc;
}

enum err_code apply_remove(const struct home *home, struct err *err)
{
    char path[ENROL_PATH_SIZE];
    enum err_code rc = remove_ours(home, SUPERVISOR_PIECE, TEXTS_MARK, err);

    rc = rc == ERR_OK ? remove_ours(home, SERVICE_PIECE, TEXTS_MARK, err) : rc;
    rc = rc == ERR_OK ? remove_keepalived(home, err) : rc;
    home_file(home, "keepalived.conf", path);
    return rc == ERR_OK ? files_remove(path, err) : rc;
}

static enum err_code restart(const char *unit, struct err *err)
{
    enum err_code rc = run_systemctl("enable", "--quiet", unit, err);

    return rc == ERR_OK ? run_systemctl("restart", NULL, unit, err) : rc;
}

enum err_code apply_start(const struct home *home, const struct plan *plan, struct err *err)
{
    char path[ENROL_PATH_SIZE];
    enum err_code rc = is_live(home) ? restart(SUPERVISOR_UNIT, err) : ERR_OK;

    if (rc == ERR_OK && is_live(home) && plan != NULL && plan->vip[0] != '\0') {
        rc = restart(KEEPALIVED_UNIT, err);
    }
    note_path(home, path);
    return rc == ERR_OK ? files_remove(path, err) : rc;
}

enum err_code apply_reload(const struct home *home, struct err *err)
{
    if (!is_live(home)) {
        return ERR_OK;
    }
    return run_systemctl("try-reload-or-restart", NULL, SUPERVISOR_UNIT, err);
}
