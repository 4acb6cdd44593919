/* SPDX-License-Identifier: Apache-2.0 */
/* keepalived.c: keepalived's track file and notify FIFO.
 * Owns their formats. Never starts, stops or signals keepalived, never believes it. */
#include "supervisor/keepalived.h"

#include "base/mem.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_SIZE 512

enum err_code keepalived_track(const char *path, bool eligible, struct err *err)
{
    char fresh[PATH_SIZE];
    AUTO_CLOSE int fd = -1;

    if (snprintf(fresh, sizeof(fresh), "%s.new", path) >= (int)sizeof(fresh)) {
        return err_set(err, ERR_INVALID, "track file %s: the path is too long", path);
    }
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
    if (fd < 0 || write(fd, eligible ? "1\n" : "0\n", 2) != 2 || rename(fresh, path) != 0) {
        return err_set_errno(err, ERR_IO, errno, "track file %s", path);
    }
    return ERR_OK;
}

bool keepalived_track_says(const char *path, bool eligible)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    char found[3]; /* one more: a longer file is seen to be longer */

    return fd >= 0 && read(fd, found, sizeof(found)) == 2 &&
           memcmp(found, eligible ? "1\n" : "0\n", 2) == 0;
}

/* Takes the descriptor out of its guard. */
static int take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* For writing too: else every exit of keepalived would read as the end of the file. */
static int open_fifo(const char *path)
{
    if (mkfifo(path, 0600) != 0 && errno != EEXIST) {
        return -1;
    }
    return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
}

enum err_code keepalived_fifo_open(const char *path, int *ret_fd, struct err *err)
{
    AUTO_CLOSE int fd = open_fifo(path);
    struct stat found;

    /* keepalived, which is root, has made it: in our folder we make another one. What it writes to
     * its own until it is started again was but a hint. */
    if (fd < 0 && errno == EACCES && unlink(path) == 0) {
        fd = open_fifo(path);
    }
    if (fd < 0 || fstat(fd, &found) != 0) {
        return err_set_errno(err, ERR_IO, errno, "notify FIFO %s", path);
    }
    if (!S_ISFIFO(found.st_mode)) {
        return err_set(err, ERR_INVALID, "notify FIFO %s: there is something else", path);
    }
    *ret_fd = take(&fd);
    return ERR_OK;
}

/* Takes the bytes before the separator; the rest stays. False: there is none. */
static bool cut(struct span *rest, char separator, struct span *ret_word)
{
    const char *found = memchr(rest->data, separator, rest->size);

    if (found == NULL) {
        return false;
    }
    ret_word->data = rest->data;
    ret_word->size = (size_t)(found - rest->data);
    rest->data = found + 1;
    rest->size -= ret_word->size + 1;
    return true;
}

enum keepalived_state keepalived_parse(struct span line, const char *instance)
{
    static const char *const words[] = {"MASTER", "BACKUP", "FAULT", "STOP"};
    struct span rest = line;
    struct span word;
    uint64_t priority;

    if (line.size == 0 || !cut(&rest, ' ', &word) || !span_is(word, "INSTANCE") ||
        !cut(&rest, '"', &word) || word.size != 0 || !cut(&rest, '"', &word) ||
        !span_is(word, instance) || !cut(&rest, ' ', &word) || word.size != 0 ||
        !cut(&rest, ' ', &word)) {
        return KEEPALIVED_UNKNOWN;
    }
    if (!text_parse_u64(rest, &priority) || priority > 255) {
        return KEEPALIVED_UNKNOWN;
    }
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (span_is(word, words[i])) {
            return (enum keepalived_state)(KEEPALIVED_MASTER + i);
        }
    }
    return KEEPALIVED_UNKNOWN;
}

const char *keepalived_word(enum keepalived_state state)
{
    static const char *const words[] = {"unknown", "master", "backup", "fault", "stop"};

    return words[state];
}

static void add_byte(struct keepalived_lines *lines, char byte)
{
    if (lines->size == sizeof(lines->bytes)) {
        lines->dropping = true;
    } else {
        lines->bytes[lines->size++] = byte;
    }
}

void keepalived_feed(struct keepalived_lines *lines,
                     struct span bytes,
                     void (*give)(void *arg, struct span line),
                     void *arg)
{
    for (size_t i = 0; i < bytes.size; i++) {
        if (bytes.data[i] != '\n') {
            add_byte(lines, bytes.data[i]);
            continue;
        }
        if (!lines->dropping) {
            give(arg, span_of(lines->bytes, lines->size));
        }
        lines->size = 0;
        lines->dropping = false;
    }
}
