/* SPDX-License-Identifier: Apache-2.0 */
/* home.c: the folder of a pair on one host: plan, offers, the key of a join, and its end.
 * Owns the order in which files appear and go: the plan comes last and goes first.
 * Never touches a file outside the folder, never makes a certificate (home_certs.c does). */
#include "approvald/enrol/home.h"

#include "approvald/enrol/device_home.h"
#include "approvald/enrol/files.h"
#include "approvald/enrol/join.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/x509.h"

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define FOLDER         PKGSYSCONFDIR "/pair"
#define SELF_SIZE_MAX  64
#define OFFER_SIZE_MAX 256

enum err_code home_path(const struct home *home,
                        const char *path,
                        char ret_path[ENROL_PATH_SIZE],
                        struct err *err)
{
    int size = snprintf(ret_path, ENROL_PATH_SIZE, "%s%s", home->root, path);

    return size > 0 && size < (int)ENROL_PATH_SIZE
               ? ERR_OK
               : err_set(err, ERR_INVALID, "%.60s…: too long a path", home->root);
}

static enum err_code
find_group(const char *name, const char *root, uint32_t *ret_group, struct err *err)
{
    const struct group *group = getgrnam(name);

    *ret_group = group != NULL && geteuid() == 0 ? group->gr_gid : FILES_ANY_GROUP;
    return group != NULL || root[0] != '\0'
               ? ERR_OK
               : err_set(err, ERR_NOT_FOUND, "there is no group %s: is approvald installed?", name);
}

enum err_code home_init(struct home *home, const char *root, struct err *err)
{
    size_t size = strlen(root);
    enum err_code rc;

    memset(home, 0, sizeof *home);
    if (size > 0 && (root[0] != '/' || root[size - 1] == '/')) {
        return err_set(err, ERR_INVALID, "%s: not an absolute path without a / at its end", root);
    }
    /* Longer names are made of it: see home_file. */
    if (size + sizeof FOLDER + 32 > sizeof home->folder) {
        return err_set(err, ERR_INVALID, "%.60s…: too long a path", root);
    }
    memcpy(home->root, root, size + 1);
    (void)snprintf(home->folder, sizeof home->folder, "%s%s", root, FOLDER); /* fits */
    rc = find_group("approvald", root, &home->group, err);
    return rc == ERR_OK ? find_group("approvald-supervisor", root, &home->supervisor, err) : rc;
}

void home_file(const struct home *home, const char *name, char ret_path[ENROL_PATH_SIZE])
{
    int size = snprintf(ret_path, ENROL_PATH_SIZE, "%s/%s", home->folder, name);

    ASSERT(size > 0 && size < (int)ENROL_PATH_SIZE); /* home_init has left room */
}

bool home_has_plan(const struct home *home)
{
    char path[ENROL_PATH_SIZE];

    home_file(home, "plan.conf", path);
    return files_exist(path);
}

/* "2 eth0" */
static enum err_code load_self(const struct home *home,
                               unsigned int *ret_host,
                               char ret_interface[PLAN_WORD_SIZE],
                               struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    char path[ENROL_PATH_SIZE];
    enum err_code rc;
    const char *text;
    size_t size;

    home_file(home, "self", path);
    rc = files_read(path, SELF_SIZE_MAX, &buf, err);
    if (rc != ERR_OK) {
        return rc;
    }
    text = buf_text(buf);
    size = strcspn(text, "\n");
    if (size < 2 || (text[0] != '1' && text[0] != '2') || text[1] != ' ' ||
        size - 2 >= PLAN_WORD_SIZE) {
        return err_set(err, ERR_CORRUPT, "%s: the content makes no sense", path);
    }
    *ret_host = text[0] == '1' ? 1 : 2;
    memcpy(ret_interface, text + 2, size - 2);
    ret_interface[size - 2] = '\0';
    return ERR_OK;
}

enum err_code home_load_plan(const struct home *home,
                             struct plan *ret_plan,
                             unsigned int *ret_host,
                             char ret_interface[PLAN_WORD_SIZE],
                             struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    char path[ENROL_PATH_SIZE];
    enum err_code rc;

    home_file(home, "plan.conf", path);
    if (!files_exist(path)) {
        return err_set(err, ERR_NOT_FOUND,
                       "this host is of no pair: approvalctl pair init, or pair join");
    }
    rc = files_read(path, ENROL_PLAN_SIZE_MAX, &buf, err);
    if (rc == ERR_OK) {
        rc = plan_parse(buf_span(buf), ret_plan, err);
    }
    return rc == ERR_OK ? load_self(home, ret_host, ret_interface, err)
                        : err_wrap(err, rc, "%s", path);
}

enum err_code home_save_plan(const struct home *home,
                             const struct plan *plan,
                             unsigned int host,
                             const char *interface,
                             struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    char path[ENROL_PATH_SIZE];
    char self[SELF_SIZE_MAX];
    enum err_code rc = files_folder(home->folder, 0750, home->group, err);

    ASSERT(host == 1 || host == 2);
    ASSERT(strlen(interface) < PLAN_WORD_SIZE);
    (void)snprintf(self, sizeof self, "%u %s\n", host, interface); /* fits */
    home_file(home, "self", path);
    if (rc == ERR_OK) {
        rc = files_write(path, span_text(self), 0644, FILES_ANY_GROUP, err);
    }
    if (rc == ERR_OK) {
        rc = buf_new(ENROL_PLAN_SIZE_MAX, &buf, err);
    }
    if (rc == ERR_OK) {
        rc = plan_format(plan, buf, err);
    }
    home_file(home, "plan.conf", path);
    return rc == ERR_OK ? files_write(path, buf_span(buf), 0644, FILES_ANY_GROUP, err) : rc;
}

/* -- offers ---------------------------------------------------------------------------------- */

static void offer_file(const struct home *home, enum enrol_role role, char path[ENROL_PATH_SIZE])
{
    home_file(home, role == ENROL_ROLE_HOST ? "offer-host" : "offer-arbiter", path);
}

enum err_code home_save_offer(const struct home *home, const struct offer *offer, struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    char path[ENROL_PATH_SIZE];
    enum err_code rc = buf_new(OFFER_SIZE_MAX, &buf, err);

    if (rc == ERR_OK) {
        rc = offer_encode(offer, buf, err);
    }
    offer_file(home, offer->role, path);
    if (rc == ERR_OK) {
        rc = files_write(path, buf_span(buf), 0600, FILES_ANY_GROUP, err);
        buf_wipe(buf);
    }
    return rc;
}

enum err_code home_load_offer(const struct home *home,
                              enum enrol_role role,
                              struct offer *ret_offer,
                              struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    char path[ENROL_PATH_SIZE];
    enum err_code rc;

    offer_file(home, role, path);
    rc = files_read(path, OFFER_SIZE_MAX, &buf, err);
    if (rc == ERR_OK) {
        rc = offer_decode(buf_span(buf), ret_offer, err);
        buf_wipe(buf);
    }
    return rc;
}

/* -- joining --------------------------------------------------------------------------------- */

static enum err_code make_join_key(const char *path, struct x509_key **ret_key, struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    struct x509_key *key = NULL;
    enum err_code rc = buf_new(ENROL_PEM_SIZE_MAX, &buf, err);

    if (rc == ERR_OK) {
        rc = x509_key_new(&key, err);
    }
    if (rc == ERR_OK) {
        rc = x509_key_format(key, buf, err);
    }
    if (rc == ERR_OK) {
        rc = files_write(path, buf_span(buf), 0600, FILES_ANY_GROUP, err);
        buf_wipe(buf);
    }
    if (rc != ERR_OK) {
        x509_key_free(key);
        return rc;
    }
    *ret_key = key;
    return ERR_OK;
}

/* A join with another token is another one: with a key of its own, and to be asked for. */
static enum err_code begin_join(const struct home *home, const struct token *token, struct err *err)
{
    char path[ENROL_PATH_SIZE];
    enum err_code rc;

    home_file(home, "join.token", path);
    if (join_is_of(path, token)) {
        return ERR_OK;
    }
    rc = home_join_ended(home, err);
    return rc == ERR_OK ? join_begin(path, token, err) : rc;
}

enum err_code home_join_key(const struct home *home,
                            const struct token *token,
                            struct x509_key **ret_key,
                            struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    char path[ENROL_PATH_SIZE];
    enum err_code rc = files_folder(home->folder, 0750, home->group, err);

    rc = rc == ERR_OK ? begin_join(home, token, err) : rc;
    home_file(home, "join.key", path);
    if (rc == ERR_OK && !files_exist(path)) {
        return make_join_key(path, ret_key, err);
    }
    if (rc == ERR_OK) {
        rc = files_read(path, ENROL_PEM_SIZE_MAX, &buf, err);
    }
    if (rc == ERR_OK) {
        rc = x509_key_parse(buf_span(buf), ret_key, err);
        buf_wipe(buf);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "%s", path);
}

struct piece {
    const char *name;
    struct span content;
    unsigned int mode;
};

static enum err_code
install_pieces(const struct home *home, const struct piece *pieces, size_t count, struct err *err)
{
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < count; i++) {
        char path[ENROL_PATH_SIZE];

        home_file(home, pieces[i].name, path);
        rc = files_write(path, pieces[i].content, pieces[i].mode,
                         pieces[i].mode == 0640 ? home->group : FILES_ANY_GROUP, err);
    }
    return rc;
}

static enum err_code
check_authority(struct span certificates, struct span key, const char *what, struct err *err)
{
    struct x509_authority *authority = NULL;
    enum err_code rc = x509_authority_parse(certificates, key, &authority, err);

    x509_authority_free(authority);
    return rc == ERR_OK ? rc : err_wrap(err, ERR_INVALID, "what was granted: %s", what);
}

static enum err_code install_devices(const struct home *home,
                                     const struct reply *reply,
                                     const struct plan *plan,
                                     struct err *err)
{
    struct device_pair devices;
    enum err_code rc = device_pair_granted(reply, plan, &devices, err);

    if (rc == ERR_OK && plan->fence) {
        rc = device_home_save(home, reply->host, &devices, err);
    }
    device_pair_wipe(&devices);
    return rc;
}

/* Who joins offers nothing: what was offered here before is of no matter any more. */
static enum err_code end_offers(const struct home *home, struct err *err)
{
    char path[ENROL_PATH_SIZE];
    enum err_code rc;

    offer_file(home, ENROL_ROLE_HOST, path);
    rc = files_remove(path, err);
    offer_file(home, ENROL_ROLE_ARBITER, path);
    return rc == ERR_OK ? files_remove(path, err) : rc;
}

enum err_code home_install(const struct home *home,
                           const struct reply *reply,
                           const struct plan *plan,
                           const char *interface,
                           uint64_t now_s,
                           struct err *err)
{
    const struct home_self self = {.plan = plan, .host = reply->host, .now_s = now_s};
    AUTO_BUF struct buf *join_key = NULL;
    char path[ENROL_PATH_SIZE];
    size_t count = 0;
    enum err_code rc;

    home_file(home, "join.key", path);
    if (reply->host != 1 && reply->host != 2) {
        return err_set(err, ERR_INVALID, "what was granted: not for a host");
    }
    rc = check_authority(reply->link_authorities, reply->link_key, "link", err);
    if (rc == ERR_OK) {
        rc = check_authority(reply->arbiter_authorities, reply->arbiter_key, "arbiter", err);
    }
    if (rc == ERR_OK) {
        rc = x509_check_issuer(reply->certificate, reply->link_authorities, err);
    }
    if (rc == ERR_OK) {
        rc = files_read(path, ENROL_PEM_SIZE_MAX, &join_key, err);
    }
    if (rc == ERR_OK) {
        const struct piece pieces[] = {{"link-ca.key", reply->link_key, 0600},
                                       {"link-ca.crt", reply->link_authorities, 0644},
                                       {"arbiter-ca.key", reply->arbiter_key, 0600},
                                       {"arbiter-ca.crt", reply->arbiter_authorities, 0644},
                                       {"link.key", buf_span(join_key), 0640},
                                       {"link.crt", reply->certificate, 0644}};

        rc = install_pieces(home, pieces, sizeof pieces / sizeof pieces[0], err);
        buf_wipe(join_key);
    }
    if (rc == ERR_OK) {
        /* What its own authorities' keys can make. In a rotation what it has from before stays: the
         * arbiter does not trust the new authority yet. */
        rc = home_renew(home, &self, HOME_RENEW_DUE, &count, err);
    }
    if (rc == ERR_OK) {
        rc = install_devices(home, reply, plan, err);
    }
    rc = rc == ERR_OK ? home_save_plan(home, plan, reply->host, interface, err) : rc;
    return rc == ERR_OK ? end_offers(home, err) : rc;
}

bool home_is_installed(const struct home *home)
{
    AUTO_BUF struct buf *asked = NULL;
    AUTO_BUF struct buf *held = NULL;
    struct err ignored = ERR_INIT;
    char path[ENROL_PATH_SIZE];
    bool same;

    home_file(home, "join.key", path);
    if (!home_has_plan(home) || files_read(path, ENROL_PEM_SIZE_MAX, &asked, &ignored) != ERR_OK) {
        return false;
    }
    home_file(home, "link.key", path);
    same = files_read(path, ENROL_PEM_SIZE_MAX, &held, &ignored) == ERR_OK &&
           span_equal(buf_span(asked), buf_span(held));
    buf_wipe(asked);
    if (held != NULL) {
        buf_wipe(held);
    }
    return same;
}

enum err_code home_join_told(const struct home *home, struct err *err)
{
    char key[ENROL_PATH_SIZE];
    char told[ENROL_PATH_SIZE];

    home_file(home, "join.key", key);
    home_file(home, "joined", told);
    return files_exist(key) ? files_rename(key, told, err) : ERR_OK;
}

bool home_join_is_told(const struct home *home, const struct token *token)
{
    char told[ENROL_PATH_SIZE];
    char of[ENROL_PATH_SIZE];

    home_file(home, "joined", told);
    home_file(home, "join.token", of);
    return home_has_plan(home) && files_exist(told) && join_is_of(of, token);
}

enum err_code home_join_ended(const struct home *home, struct err *err)
{
    char path[ENROL_PATH_SIZE];
    enum err_code rc;

    home_file(home, "join.key", path);
    rc = files_remove(path, err);
    home_file(home, "joined", path);
    rc = rc == ERR_OK ? files_remove(path, err) : rc;
    home_file(home, "join.token", path); /* last: without it nobody knows whose the others are */
    return rc == ERR_OK ? files_remove(path, err) : rc;
}

enum err_code home_remove(const struct home *home, struct err *err)
{
    static const char *const names[] = {
        "plan.conf",   "self",           "link.key",    "link.crt",    "arbiter.key",
        "arbiter.crt", "service.key",    "service.crt", "enrol.key",   "enrol.crt",
        "offer-host",  "offer-arbiter",  "join.key",    "link-ca.key", "arbiter-ca.key",
        "link-ca.crt", "arbiter-ca.crt", "restart",     "joined",      "join.token"};
    char path[ENROL_PATH_SIZE];
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof names / sizeof names[0]; i++) {
        home_file(home, names[i], path);
        rc = files_remove(path, err);
    }
    rc = rc == ERR_OK ? device_home_remove(home, err) : rc;
    home_file(home, "leaving", path); /* the last one: see leave.h */
    rc = rc == ERR_OK ? files_remove(path, err) : rc;
    if (rc == ERR_OK) {
        (void)rmdir(home->folder); /* it may have something of the admin's */
    }
    return rc;
}
