/* SPDX-License-Identifier: Apache-2.0 */
/* arbiter.c: what an arbiter gets, in its place.
 * Owns the files of /etc/approvald-arbiter. Never touches another etcd of the host, or etcd's data.
 */
#include "approvald/enrol/arbiter.h"

#include "approvald/enrol/files.h"
#include "approvald/enrol/join.h"
#include "approvald/enrol/plan.h"
#include "approvald/enrol/run.h"
#include "approvald/enrol/texts.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/x509.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FOLDER PKGSYSCONFDIR "-arbiter"
#define DATA   "/var/lib/approvald-arbiter"
#define GROUP  "approvald-arbiter"
#define UNIT   "approvald-arbiter.service"

enum err_code arbiter_home_init(struct arbiter_home *home, const char *root, struct err *err)
{
    const struct group *group;
    size_t size = strlen(root);

    memset(home, 0, sizeof *home);
    if (size > 0 && (root[0] != '/' || root[size - 1] == '/')) {
        return err_set(err, ERR_INVALID, "%s: not an absolute path without a / at its end", root);
    }
    if (size + sizeof FOLDER + sizeof DATA + 32 > sizeof home->folder) {
        return err_set(err, ERR_INVALID, "%.60s…: too long a path", root);
    }
    memcpy(home->root, root, size + 1);
    (void)snprintf(home->folder, sizeof home->folder, "%s%s", root, FOLDER); /* fits */
    (void)snprintf(home->data, sizeof home->data, "%s%s", root, DATA);
    group = getgrnam(GROUP);
    home->group = group != NULL && geteuid() == 0 ? group->gr_gid : FILES_ANY_GROUP;
    if (group == NULL && root[0] == '\0') {
        return err_set(err, ERR_NOT_FOUND,
                       "there is no group " GROUP ": is the package approvald-arbiter installed?");
    }
    return ERR_OK;
}

static void
file_of(const struct arbiter_home *home, const char *name, char ret_path[ENROL_PATH_SIZE])
{
    int size = snprintf(ret_path, ENROL_PATH_SIZE, "%s/%s", home->folder, name);

    ASSERT(size > 0 && size < (int)ENROL_PATH_SIZE); /* arbiter_home_init has left room */
}

static enum err_code make_key(const char *path, struct x509_key **ret_key, struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    struct x509_key *key = NULL;
    enum err_code rc = buf_new(ENROL_PEM_SIZE_MAX, &buf, err);

    rc = rc == ERR_OK ? x509_key_new(&key, err) : rc;
    rc = rc == ERR_OK ? x509_key_format(key, buf, err) : rc;
    rc = rc == ERR_OK ? files_write(path, buf_span(buf), 0600, FILES_ANY_GROUP, err) : rc;
    if (rc != ERR_OK) {
        x509_key_free(key);
        return rc;
    }
    buf_wipe(buf);
    *ret_key = key;
    return ERR_OK;
}

/* A join with another token is another one: with a key of its own, and to be asked for. */
static enum err_code
begin_join(const struct arbiter_home *home, const struct token *token, struct err *err)
{
    char path[ENROL_PATH_SIZE];
    enum err_code rc;

    file_of(home, "join.token", path);
    if (join_is_of(path, token)) {
        return ERR_OK;
    }
    rc = arbiter_join_ended(home, err);
    return rc == ERR_OK ? join_begin(path, token, err) : rc;
}

enum err_code arbiter_join_key(const struct arbiter_home *home,
                               const struct token *token,
                               struct x509_key **ret_key,
                               struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    char path[ENROL_PATH_SIZE];
    enum err_code rc = files_folder(home->folder, 0750, home->group, err);

    rc = rc == ERR_OK ? begin_join(home, token, err) : rc;
    file_of(home, "join.key", path);
    if (rc == ERR_OK && !files_exist(path)) {
        return make_key(path, ret_key, err);
    }
    rc = rc == ERR_OK ? files_read(path, ENROL_PEM_SIZE_MAX, &buf, err) : rc;
    if (rc == ERR_OK) {
        rc = x509_key_parse(buf_span(buf), ret_key, err);
        buf_wipe(buf);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "%s", path);
}

static enum err_code put(const struct arbiter_home *home,
                         const char *name,
                         struct span content,
                         unsigned int mode,
                         struct err *err)
{
    char path[ENROL_PATH_SIZE];

    file_of(home, name, path);
    return files_write(path, content, mode, home->group, err);
}

static enum err_code format_etcd(const struct arbiter_home *home,
                                 struct span plan_text,
                                 struct buf *buf,
                                 struct err *err)
{
    struct texts_arbiter arbiter = {.folder = home->folder, .data = home->data};
    struct plan plan;
    enum err_code rc = plan_parse(plan_text, &plan, err);

    if (rc == ERR_OK) {
        arbiter.listen = plan.arbiter;
        rc = texts_etcd(&plan, &arbiter, buf, err);
    }
    return rc;
}

enum err_code
arbiter_install(const struct arbiter_home *home, const struct reply *reply, struct err *err)
{
    AUTO_BUF struct buf *key = NULL;
    AUTO_BUF struct buf *etcd = NULL;
    char path[ENROL_PATH_SIZE];
    enum err_code rc = x509_check_issuer(reply->certificate, reply->arbiter_authorities, err);

    file_of(home, "join.key", path);
    rc = rc == ERR_OK ? buf_new(ENROL_TEXT_SIZE_MAX, &etcd, err) : rc;
    rc = rc == ERR_OK ? format_etcd(home, reply->plan, etcd, err) : rc;
    if (rc != ERR_OK) {
        return err_wrap(err, ERR_INVALID, "what was granted");
    }
    rc = files_read(path, ENROL_PEM_SIZE_MAX, &key, err);
    rc = rc == ERR_OK ? put(home, "ca.crt", reply->arbiter_authorities, 0640, err) : rc;
    if (rc == ERR_OK) {
        rc = put(home, "server.key", buf_span(key), 0640, err);
        buf_wipe(key);
    }
    rc = rc == ERR_OK ? put(home, "server.crt", reply->certificate, 0640, err) : rc;
    rc = rc == ERR_OK ? put(home, "etcd.yml", buf_span(etcd), 0640, err) : rc;
    return rc;
}

bool arbiter_is_installed(const struct arbiter_home *home)
{
    AUTO_BUF struct buf *asked = NULL;
    AUTO_BUF struct buf *held = NULL;
    struct err ignored = ERR_INIT;
    char path[ENROL_PATH_SIZE];
    bool same;

    file_of(home, "etcd.yml", path); /* the last one that is put there */
    same = files_exist(path);
    file_of(home, "join.key", path);
    same = same && files_read(path, ENROL_PEM_SIZE_MAX, &asked, &ignored) == ERR_OK;
    file_of(home, "server.key", path);
    same = same && files_read(path, ENROL_PEM_SIZE_MAX, &held, &ignored) == ERR_OK &&
           span_equal(buf_span(asked), buf_span(held));
    if (asked != NULL) {
        buf_wipe(asked);
    }
    if (held != NULL) {
        buf_wipe(held);
    }
    return same;
}

enum err_code arbiter_join_told(const struct arbiter_home *home, struct err *err)
{
    char key[ENROL_PATH_SIZE];
    char told[ENROL_PATH_SIZE];

    file_of(home, "join.key", key);
    file_of(home, "joined", told);
    return files_exist(key) ? files_rename(key, told, err) : ERR_OK;
}

bool arbiter_join_is_told(const struct arbiter_home *home, const struct token *token)
{
    char told[ENROL_PATH_SIZE];
    char of[ENROL_PATH_SIZE];

    file_of(home, "joined", told);
    file_of(home, "join.token", of);
    return files_exist(told) && join_is_of(of, token);
}

enum err_code arbiter_join_ended(const struct arbiter_home *home, struct err *err)
{
    char path[ENROL_PATH_SIZE];
    enum err_code rc;

    file_of(home, "join.key", path);
    rc = files_remove(path, err);
    file_of(home, "joined", path);
    rc = rc == ERR_OK ? files_remove(path, err) : rc;
    file_of(home, "join.token", path); /* last: without it nobody knows whose the others are */
    return rc == ERR_OK ? files_remove(path, err) : rc;
}

static bool is_live(const struct arbiter_home *home)
{
    return home->root[0] == '\0' && run_has_systemd();
}

enum err_code arbiter_start(const struct arbiter_home *home, struct err *err)
{
    enum err_code rc;

    if (!is_live(home)) {
        return ERR_OK;
    }
    rc = run_systemctl("enable", "--quiet", UNIT, err);
    return rc == ERR_OK ? run_systemctl("restart", NULL, UNIT, err) : rc;
}

enum err_code arbiter_leave(const struct arbiter_home *home, struct err *err)
{
    static const char *const names[] = {"etcd.yml", "server.crt", "server.key", "ca.crt",
                                        "join.key", "joined",     "join.token"};
    enum err_code rc = is_live(home) ? run_systemctl("disable", "--now", UNIT, err) : ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof names / sizeof names[0]; i++) {
        char path[ENROL_PATH_SIZE];

        file_of(home, names[i], path);
        rc = files_remove(path, err);
    }
    return rc;
}
