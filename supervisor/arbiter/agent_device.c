/* SPDX-License-Identifier: Apache-2.0 */
/* agent_device.c: what is known of a fence device: a file of key=value lines.
 * Owns its form and who may read it. Never tells what stands in it. */
#include "base/mem.h"
#include "supervisor/arbiter/agent.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define AGENT_DIR "/usr/sbin/"

static bool is_plain(const char *name, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (!isalnum((unsigned char)name[i]) && strchr("_-.", name[i]) == NULL) {
            return false;
        }
    }
    return size > 0 && name[0] != '.';
}

static enum err_code take_path(struct agent_device *device, const char *value, size_t size)
{
    const char *folder = value[0] == '/' ? "" : AGENT_DIR;

    if (device->path[0] != '\0' || (value[0] != '/' && !is_plain(value, size)) ||
        strlen(folder) + size >= AGENT_PATH_SIZE) {
        return ERR_INVALID;
    }
    (void)snprintf(device->path, AGENT_PATH_SIZE, "%s%.*s", folder, (int)size, value); /* fits */
    return ERR_OK;
}

/* What an agent may say is passed on, but for the values of these. */
static bool is_secret(const char *key, size_t size)
{
    static const char *const words[] = {"pass", "community", "secret", "token", "key"};
    char lower[64];

    for (size_t i = 0; i < size && i < sizeof(lower) - 1; i++) {
        lower[i] = (char)tolower((unsigned char)key[i]);
    }
    lower[size < sizeof(lower) - 1 ? size : sizeof(lower) - 1] = '\0';
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strstr(lower, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

static enum err_code
take_option(struct agent_device *device, const char *line, size_t size, size_t key_size)
{
    size_t at = device->size;

    if (is_secret(line, key_size) && size > key_size + 1) {
        if (device->secret_count == AGENT_SECRET_MAX) {
            return ERR_INVALID;
        }
        device->secrets[device->secret_count].at = at + key_size + 1;
        device->secrets[device->secret_count++].size = size - key_size - 1;
    }
    memcpy(device->input + at, line, size); /* no longer than the file, which fits */
    device->input[at + size] = '\n';
    device->size += size + 1;
    return ERR_OK;
}

static bool is_key(const char *line, size_t size, const char *key)
{
    return size == strlen(key) && memcmp(line, key, size) == 0;
}

static enum err_code take_line(struct agent_device *device, const char *line, size_t size)
{
    const char *equals = memchr(line, '=', size);
    size_t key_size = equals == NULL ? 0 : (size_t)(equals - line);

    if (key_size == 0 || !is_plain(line, key_size) || memchr(line, '\0', size) != NULL ||
        is_key(line, key_size, "action") || is_key(line, key_size, "option")) {
        return ERR_INVALID;
    }
    if (is_key(line, key_size, "agent")) {
        return take_path(device, equals + 1, size - key_size - 1);
    }
    return take_option(device, line, size, key_size);
}

enum err_code
agent_device_parse(const char *text, size_t size, struct agent_device *ret_device, struct err *err)
{
    unsigned int number = 0;

    memset(ret_device, 0, sizeof(*ret_device));
    if (size >= AGENT_FILE_SIZE_MAX) {
        return err_set(err, ERR_TOO_LARGE, "longer than %u bytes", AGENT_FILE_SIZE_MAX - 1);
    }
    for (size_t at = 0; at < size;) {
        const char *end = memchr(text + at, '\n', size - at);
        size_t from = at;
        size_t to = end == NULL ? size : (size_t)(end - text);

        number++;
        at = to + 1;
        while (from < to && isspace((unsigned char)text[from])) {
            from++;
        }
        while (to > from && isspace((unsigned char)text[to - 1])) {
            to--;
        }
        if (from < to && text[from] != '#' &&
            take_line(ret_device, text + from, to - from) != ERR_OK) {
            return err_set(err, ERR_INVALID, "line %u: KEY=VALUE is wanted, no action, one agent",
                           number);
        }
    }
    return ret_device->path[0] == '\0' ? err_set(err, ERR_INVALID, "agent= is missing") : ERR_OK;
}

enum err_code agent_device_read(const char *path,
                                bool credential,
                                struct agent_device *ret_device,
                                struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char text[AGENT_FILE_SIZE_MAX];
    struct stat stat;
    ssize_t size = -1;
    enum err_code rc;

    if (fd < 0 || fstat(fd, &stat) != 0) {
        return err_set_errno(err, ERR_NOT_FOUND, errno, "device's file");
    }
    if (!S_ISREG(stat.st_mode) ||
        (!credential && (stat.st_uid != geteuid() || (stat.st_mode & 077U) != 0))) {
        return err_set(err, ERR_DENIED, "device's file: has to be the helper's, mode 0600");
    }
    size = read(fd, text, sizeof(text));
    rc = size < 0 ? err_set_errno(err, ERR_IO, errno, "device's file")
                  : agent_device_parse(text, (size_t)size, ret_device, err);
    mem_wipe(text, sizeof(text));
    return rc == ERR_OK ? rc : err_wrap(err, rc, "device");
}
