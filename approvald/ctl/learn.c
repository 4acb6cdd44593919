/* SPDX-License-Identifier: Apache-2.0 */
/* learn.c: where the secrets of a host are, and what in a file is one.
 * Owns the list of options that name one. Never prints a secret, never keeps one: the scrub does.
 * A file that cannot be read now may have been read by others, whose words we print: that is said.
 */
#include "approvald/ctl/learn.h"

#include "approvald/ctl/doctor.h"
#include "approvald/ctl/scrub.h"
#include "base/buf.h"
#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 4096

enum err_code
learn_miss(const struct learn *learn, const char *what, const char *why, struct err *err)
{
    return buf_append_format(learn->missed, err, "%s%s (%s)",
                             buf_size(learn->missed) > 0 ? ", " : "", what, why);
}

/* Of what a fence agent is told, these are in the journal and in a configuration as well, and a
 * name like "approvald" stands everywhere. Anything else may be a secret. */
static bool is_shown(struct span key)
{
    static const char *const shown[] = {"agent", "ip",     "ipaddr", "ipport",  "port",
                                        "plug",  "plugs",  "login",  "user",    "username",
                                        "auth",  "method", "cipher", "privlvl", "managed"};

    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++) {
        if (span_is(key, shown[i])) {
            return true;
        }
    }
    return false;
}

static struct span trim(struct span text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = span_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && strchr(" \t\r", text.data[text.size - 1]) != NULL) {
        text.size--;
    }
    return text;
}

/* What stands behind the sign. */
static enum err_code
learn_behind(const struct learn *learn, struct span line, enum learn_form form, struct err *err)
{
    const char *sign =
        line.size == 0 ? NULL : memchr(line.data, form == LEARN_USER ? ':' : '=', line.size);
    struct span key;

    if (sign == NULL) {
        return ERR_OK;
    }
    key = trim(span_of(line.data, (size_t)(sign - line.data)));
    if (form == LEARN_DEVICE && is_shown(key)) {
        return ERR_OK;
    }
    return scrub_know(learn->scrub,
                      trim(span_of(sign + 1, line.size - 1 - (size_t)(sign - line.data))), err);
}

static enum err_code
learn_text(const struct learn *learn, struct span text, enum learn_form form, struct err *err)
{
    static const char key[] = "PRIVATE KEY-----";
    bool pairs = form == LEARN_USER || form == LEARN_DEVICE;
    enum err_code rc = ERR_OK;

    if (form == LEARN_KEY && memmem(text.data, text.size, key, sizeof key - 1) == NULL) {
        return ERR_OK;
    }
    if (form != LEARN_DEVICE) {
        rc = scrub_know(learn->scrub, text, err);
    }
    while (rc == ERR_OK && pairs && text.size > 0) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);

        rc = learn_behind(learn, span_of(text.data, size), form, err);
        size += end == NULL ? 0 : 1;
        text = span_of(text.data + size, text.size - size);
    }
    return rc;
}

/* Of what was opened; path is for people. Closes it. */
static enum err_code learn_open(
    const struct learn *learn, int opened, const char *path, enum learn_form form, struct err *err)
{
    char bytes[LEARN_FILE_SIZE_MAX + 1];
    AUTO_CLOSE int fd = opened;
    struct stat info;
    ssize_t size = fd < 0 || fstat(fd, &info) != 0 ? -1 : 0;
    enum err_code rc;

    if (size == 0 && !S_ISREG(info.st_mode)) {
        return learn_miss(learn, path, "not a plain file", err);
    }
    size = size == 0 ? read(fd, bytes, sizeof bytes) : size;
    if (size < 0) {
        return learn_miss(learn, path, strerrordesc_np(errno), err);
    }
    rc = learn_text(learn, span_of(bytes, (size_t)size), form, err);
    mem_wipe(bytes, sizeof bytes);
    return rc == ERR_OK && size > LEARN_FILE_SIZE_MAX
               ? learn_miss(learn, path, "larger than a secret", err)
               : rc;
}

static int open_in(int dir, const char *path)
{
    return openat(dir, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

enum err_code
learn_file(const struct learn *learn, const char *path, enum learn_form form, struct err *err)
{
    return learn_open(learn, open_in(AT_FDCWD, path), path, form, err);
}

enum err_code
learn_folder(const struct learn *learn, const char *path, enum learn_form form, struct err *err)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    enum err_code rc = ERR_OK;

    if (dir == NULL) {
        return errno == ENOENT || errno == ENOTDIR
                   ? ERR_OK
                   : learn_miss(learn, path, strerrordesc_np(errno), err);
    }
    while (rc == ERR_OK && (entry = readdir(dir)) != NULL) {
        char file[PATH_SIZE];
        struct stat info;

        /* Through a link: what is behind it is read by who reads secrets. */
        if (fstatat(dirfd(dir), entry->d_name, &info, 0) == 0 && S_ISREG(info.st_mode)) {
            (void)snprintf(file, sizeof file, "%s/%s", path, entry->d_name); /* cut is fine */
            rc = learn_open(learn, open_in(dirfd(dir), entry->d_name), file, form, err);
        }
    }
    (void)closedir(dir); /* only read */
    return rc;
}

/* The credential of any unit: ours are approvald-supervisor's, another may have been given it too.
 */
static enum err_code
learn_credential(const struct learn *learn, const char *name, enum learn_form form, struct err *err)
{
    DIR *dir = opendir(learn->credentials);
    const struct dirent *entry;
    enum err_code rc = ERR_OK;
    bool found = false;

    while (rc == ERR_OK && dir != NULL && (entry = readdir(dir)) != NULL) {
        char file[PATH_SIZE];
        int size = snprintf(file, sizeof file, "%s/%s", entry->d_name, name);
        struct stat info;

        if (entry->d_name[0] != '.' && size > 0 && (size_t)size < sizeof file &&
            fstatat(dirfd(dir), file, &info, 0) == 0) {
            rc = learn_open(learn, open_in(dirfd(dir), file), name, form, err);
            found = true;
        }
    }
    if (dir != NULL) {
        (void)closedir(dir); /* only read */
    }
    return rc == ERR_OK && !found
               ? learn_miss(learn, name, "a credential of systemd's that is not loaded", err)
               : rc;
}

/* "http://NAME:PASSWORD@HOST:PORT": where it is not printed as a URL, it is no less secret. */
static enum err_code learn_proxy(const struct learn *learn, const char *url, struct err *err)
{
    const char *start = strstr(url, "://");
    const char *end = strrchr(url, '@');
    const char *colon;

    start = start == NULL ? url : start + 3;
    if (end == NULL || end < start) {
        return ERR_OK;
    }
    colon = memchr(start, ':', (size_t)(end - start));
    return colon == NULL
               ? ERR_OK
               : scrub_know(learn->scrub, span_of(colon + 1, (size_t)(end - colon) - 1), err);
}

#define URL_PATH_SIZE_MIN 16U /* a short one is a word that stands elsewhere too */

/* "https://HOST/PATH": of a webhook, the path may be what lets one in. */
static enum err_code learn_url(const struct learn *learn, const char *url, struct err *err)
{
    const char *path = strstr(url, "://");

    path = path == NULL ? NULL : strchr(path + 3, '/');
    return path == NULL || strlen(path + 1) < URL_PATH_SIZE_MIN
               ? ERR_OK
               : scrub_know(learn->scrub, span_text(path + 1), err);
}

enum err_code learn_config(const struct learn *learn, const char *dump, struct err *err)
{
    static const struct {
        const char *key;
        enum learn_form form;
    } keys[] = {{"signing_secret_file", LEARN_LINE},
                {"previous_signing_secret_file", LEARN_LINE},
                {"bot_token_file", LEARN_LINE},
                {"app_token_file", LEARN_LINE},
                {"step_up_key_file", LEARN_LINE},
                {"secret_file", LEARN_LINE},
                {"user_file", LEARN_USER},
                {"tls_key", LEARN_LINE},
                {"key", LEARN_LINE}};
    char value[PATH_SIZE];
    enum err_code rc = ERR_OK;

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        for (size_t n = 0; rc == ERR_OK && doctor_value(dump, keys[i].key, n, value, sizeof value);
             n++) {
            rc = strchr(value, '/') != NULL ? learn_file(learn, value, keys[i].form, err)
                                            : learn_credential(learn, value, keys[i].form, err);
        }
    }
    for (size_t n = 0; rc == ERR_OK && doctor_value(dump, "proxy", n, value, sizeof value); n++) {
        rc = learn_proxy(learn, value, err);
        mem_wipe(value, sizeof value);
    }
    for (size_t n = 0; rc == ERR_OK && doctor_value(dump, "url", n, value, sizeof value); n++) {
        rc = learn_url(learn, value, err);
        mem_wipe(value, sizeof value);
    }
    return rc;
}
