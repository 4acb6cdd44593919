/* SPDX-License-Identifier: Apache-2.0 */
/* device_home.c: the files of a pair's fence devices.
 * Owns what begins with our mark in /etc/approvald/fence, and nothing else there.
 * Never lets anybody but root read a device. A candidate that a kill has left goes with the next
 * try, with what is kept then, and with the pair. */
#include "approvald/enrol/device_home.h"

#include "approvald/enrol/files.h"
#include "approvald/enrol/run.h"
#include "approvald/enrol/texts.h"
#include "base/assert.h"
#include "base/buf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER    PKGSYSCONFDIR "/fence"
#define CANDIDATE "candidate"
#define OWN       "fence-own"
#define UNIT      "approvald-fence.socket"

void device_pair_wipe(struct device_pair *pair)
{
    device_wipe(&pair->of[0]);
    device_wipe(&pair->of[1]);
}

bool device_pair_equal(const struct device_pair *a, const struct device_pair *b)
{
    return device_equal(&a->of[0], &b->of[0]) && device_equal(&a->of[1], &b->of[1]);
}

enum err_code device_pair_check(const struct device_pair *pair, struct err *err)
{
    for (unsigned int i = 0; i < 2; i++) {
        enum err_code rc = device_check(&pair->of[i], err);

        if (rc != ERR_OK) {
            return err_wrap(err, rc, "fence device of host %u", i + 1);
        }
    }
    return device_is_same(&pair->of[0], &pair->of[1])
               ? err_set(err, ERR_INVALID,
                         "fence devices: both hosts have the same one: a host would switch itself "
                         "off. What differs, as the address or the plug, is of one host alone")
               : ERR_OK;
}

enum err_code device_pair_granted(const struct reply *reply,
                                  const struct plan *plan,
                                  struct device_pair *ret_pair,
                                  struct err *err)
{
    enum err_code rc = ERR_OK;

    memset(ret_pair, 0, sizeof *ret_pair);
    if (reply->fence != plan->fence) {
        return err_set(err, ERR_INVALID,
                       "what was granted: fence devices without such a plan, or "
                       "the other way round");
    }
    if (!plan->fence) {
        return ERR_OK;
    }
    for (int i = 0; rc == ERR_OK && i < 2; i++) {
        rc = device_parse(reply->device[i], &ret_pair->of[i], err);
    }
    rc = rc == ERR_OK ? device_pair_check(ret_pair, err) : rc;
    if (rc != ERR_OK) {
        device_pair_wipe(ret_pair);
        return err_wrap(err, ERR_INVALID, "what was granted: fence device");
    }
    return ERR_OK;
}

static bool is_live(const struct home *home)
{
    return home->root[0] == '\0' && run_has_systemd();
}

static enum err_code fence_file(const struct home *home,
                                const char *name,
                                char ret_path[ENROL_PATH_SIZE],
                                struct err *err)
{
    char file[64];

    (void)snprintf(file, sizeof file, FOLDER "/%s", name); /* cut it would be too long below too */
    return home_path(home, file, ret_path, err);
}

/* ERR_NOT_FOUND: none. ERR_EXISTS: one that is not ours. */
static enum err_code read_device(const char *path, struct device *ret_device, struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    enum err_code rc = files_read(path, DEVICE_TEXT_SIZE_MAX, &buf, err);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = device_parse(buf_span(buf), ret_device, err);
    buf_wipe(buf);
    return rc == ERR_OK ? rc : err_wrap(err, rc, "%s", path);
}

enum err_code device_home_load(const struct home *home,
                               unsigned int host,
                               struct device_pair *ret_pair,
                               struct err *err)
{
    char peer[ENROL_PATH_SIZE];
    char own[ENROL_PATH_SIZE];
    enum err_code rc = fence_file(home, TEXTS_DEVICE, peer, err);

    ASSERT(host == 1 || host == 2);
    memset(ret_pair, 0, sizeof *ret_pair);
    home_file(home, OWN, own);
    rc = rc == ERR_OK ? read_device(peer, &ret_pair->of[2 - host], err) : rc;
    rc = rc == ERR_OK ? read_device(own, &ret_pair->of[host - 1], err) : rc;
    if (rc != ERR_OK) {
        device_pair_wipe(ret_pair);
    }
    return rc;
}

/* A file that is there and not ours stays; a link, or one larger than ours are, is not. */
static enum err_code check_ours(const char *path, bool *ret_there, struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    struct stat info;
    enum err_code rc = ERR_OK;
    bool ours = false;

    *ret_there = lstat(path, &info) == 0;
    if (!*ret_there) {
        return ERR_OK;
    }
    if (S_ISREG(info.st_mode) && info.st_size <= (off_t)DEVICE_TEXT_SIZE_MAX) {
        rc = files_read(path, DEVICE_TEXT_SIZE_MAX, &buf, err);
        ours = rc == ERR_OK && texts_is_ours(buf_span(buf));
    }
    if (buf != NULL) {
        buf_wipe(buf);
    }
    return rc == ERR_OK && !ours
               ? err_set(err, ERR_EXISTS, "%s is not from approvalctl pair: move it away", path)
               : rc;
}

static enum err_code remove_ours(const char *path, struct err *err)
{
    bool there = false;
    enum err_code rc = check_ours(path, &there, err);

    if (rc == ERR_EXISTS) {
        return ERR_OK; /* somebody else's: it stays */
    }
    return rc == ERR_OK ? files_remove(path, err) : rc;
}

enum err_code device_home_may_save(const struct home *home, struct err *err)
{
    char path[ENROL_PATH_SIZE];
    bool there = false;
    enum err_code rc = fence_file(home, TEXTS_DEVICE, path, err);

    return rc == ERR_OK ? check_ours(path, &there, err) : rc;
}

static enum err_code write_device(const char *path, const struct device *device, struct err *err)
{
    AUTO_BUF struct buf *buf = NULL;
    bool there = false;
    enum err_code rc = check_ours(path, &there, err);

    rc = rc == ERR_OK ? buf_new(DEVICE_TEXT_SIZE_MAX, &buf, err) : rc;
    rc = rc == ERR_OK ? device_format(device, buf, err) : rc;
    rc = rc == ERR_OK ? files_write(path, buf_span(buf), 0600, FILES_ANY_GROUP, err) : rc;
    if (buf != NULL) {
        buf_wipe(buf);
    }
    return rc;
}

static enum err_code make_folder(const struct home *home, struct err *err)
{
    char folder[ENROL_PATH_SIZE];
    enum err_code rc = home_path(home, FOLDER, folder, err);

    return rc == ERR_OK ? files_folder(folder, 0700, FILES_ANY_GROUP, err) : rc;
}

enum err_code device_home_save(const struct home *home,
                               unsigned int host,
                               const struct device_pair *pair,
                               struct err *err)
{
    char peer[ENROL_PATH_SIZE];
    char own[ENROL_PATH_SIZE];
    enum err_code rc = fence_file(home, TEXTS_DEVICE, peer, err);

    ASSERT(host == 1 || host == 2);
    home_file(home, OWN, own);
    rc = rc == ERR_OK ? make_folder(home, err) : rc;
    rc = rc == ERR_OK ? files_folder(home->folder, 0750, home->group, err) : rc;
    rc = rc == ERR_OK ? write_device(peer, &pair->of[2 - host], err) : rc;
    rc = rc == ERR_OK ? write_device(own, &pair->of[host - 1], err) : rc;
    rc = rc == ERR_OK ? fence_file(home, CANDIDATE, peer, err) : rc;
    return rc == ERR_OK ? remove_ours(peer, err) : rc;
}

enum err_code
device_home_agent(const struct home *home, const struct device *device, struct err *err)
{
    const char *agent = device_value(device, "agent");
    char name[sizeof DEVICE_AGENTS + DEVICE_VALUE_SIZE];
    char path[ENROL_PATH_SIZE];
    enum err_code rc;

    ASSERT(agent != NULL);                                        /* device_check */
    (void)snprintf(name, sizeof name, DEVICE_AGENTS "%s", agent); /* fits */
    rc = home_path(home, name, path, err);
    if (rc != ERR_OK || access(path, X_OK) == 0) {
        return rc;
    }
    return err_set(err, errno == ENOENT ? ERR_NOT_FOUND : ERR_INVALID,
                   "the fence agent %s is not here: apt install fence-agents (or the package that "
                   "has it), then again",
                   path);
}

enum err_code device_home_try(const struct home *home,
                              const struct device *device,
                              const char *socket,
                              enum device_says *ret_says,
                              struct err *err)
{
    char path[ENROL_PATH_SIZE];
    struct err gone = ERR_INIT;
    enum err_code rc = fence_file(home, CANDIDATE, path, err);

    rc = rc == ERR_OK ? make_folder(home, err) : rc;
    rc = rc == ERR_OK ? write_device(path, device, err) : rc;
    if (rc != ERR_OK) {
        return rc;
    }
    if (is_live(home)) {
        rc = run_systemctl("start", NULL, UNIT, err);
    }
    rc = rc == ERR_OK ? device_ask(socket, CANDIDATE, DEVICE_ASK_MS, ret_says, err) : rc;
    if (files_remove(path, &gone) != ERR_OK && rc == ERR_OK) {
        *err = gone;
        return gone.code;
    }
    return rc;
}

enum err_code device_home_enable(const struct home *home, struct err *err)
{
    enum err_code rc;

    if (!is_live(home)) {
        return ERR_OK;
    }
    rc = run_systemctl("enable", "--quiet", UNIT, err);
    return rc == ERR_OK ? run_systemctl("start", NULL, UNIT, err) : rc;
}

enum err_code device_home_remove(const struct home *home, struct err *err)
{
    static const char *const names[] = {TEXTS_DEVICE, CANDIDATE};
    char path[ENROL_PATH_SIZE];
    enum err_code rc = ERR_OK;

    for (size_t i = 0; rc == ERR_OK && i < sizeof names / sizeof names[0]; i++) {
        rc = fence_file(home, names[i], path, err);
        rc = rc == ERR_OK ? remove_ours(path, err) : rc;
    }
    home_file(home, OWN, path);
    rc = rc == ERR_OK ? files_remove(path, err) : rc;
    rc = rc == ERR_OK ? home_path(home, FOLDER, path, err) : rc;
    if (rc == ERR_OK && rmdir(path) == 0 && is_live(home)) {
        rc = run_systemctl("disable", "--quiet", UNIT, err);
        rc = rc == ERR_OK ? run_systemctl("stop", NULL, UNIT, err) : rc;
    }
    return rc;
}
