/* SPDX-License-Identifier: Apache-2.0 */
/* log_journal.c: one entry in one datagram.
 * Owns the form: "NAME=value\n" or, with a line's end in the value, "NAME\n", its size in eight
 * bytes, the lowest first, the value, "\n". Never waits, never tries again. */
#include "base/log_journal.h"

#include "base/assert.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#define PIECE_COUNT_MAX 4 /* of a field */
#define SIZE_BYTES      8

struct entry {
    struct iovec pieces[(LOG_JOURNAL_FIELD_COUNT_MAX + 2) * PIECE_COUNT_MAX];
    size_t piece_count;
    uint8_t sizes[LOG_JOURNAL_FIELD_COUNT_MAX + 1][1 + SIZE_BYTES];
    size_t size_count;
};

static void put(struct entry *entry, const void *bytes, size_t size)
{
    ASSERT(entry->piece_count < sizeof entry->pieces / sizeof entry->pieces[0]);
    entry->pieces[entry->piece_count++] =
        (struct iovec){.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
}

static void put_size(struct entry *entry, uint64_t size)
{
    uint8_t *at = entry->sizes[entry->size_count++];

    at[0] = '\n';
    for (size_t i = 0; i < SIZE_BYTES; i++) {
        at[1 + i] = (uint8_t)(size >> (8 * i));
    }
    put(entry, at, 1 + SIZE_BYTES);
}

static void put_field(struct entry *entry, struct span field)
{
    const char *equals = memchr(field.data, '=', field.size);
    size_t name_size;

    ASSERT(equals != NULL);
    name_size = (size_t)(equals - field.data);
    if (memchr(equals, '\n', field.size - name_size) == NULL) {
        put(entry, field.data, field.size);
    } else {
        put(entry, field.data, name_size);
        put_size(entry, field.size - name_size - 1);
        put(entry, equals + 1, field.size - name_size - 1);
    }
    put(entry, "\n", 1);
}

static enum log_journal_told send_entry(int fd, const char *path, struct entry *entry)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct msghdr message = {.msg_name = &address,
                             .msg_namelen = sizeof address,
                             .msg_iov = entry->pieces,
                             .msg_iovlen = entry->piece_count};

    ASSERT(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    if (sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
        return LOG_JOURNAL_TOLD;
    }
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS ? LOG_JOURNAL_LATER
                                                                       : LOG_JOURNAL_NOBODY;
}

enum log_journal_told
log_journal_send(int *fd, const char *path, const struct span *fields, size_t field_count)
{
    struct entry entry = {.piece_count = 0};

    ASSERT(field_count <= LOG_JOURNAL_FIELD_COUNT_MAX);
    for (size_t i = 0; i < field_count; i++) {
        put_field(&entry, fields[i]);
    }
    put(&entry, "SYSLOG_IDENTIFIER=", sizeof "SYSLOG_IDENTIFIER=" - 1);
    put(&entry, program_invocation_short_name, strlen(program_invocation_short_name));
    put(&entry, "\n", 1);
    if (*fd < 0) {
        *fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    }
    return *fd < 0 ? LOG_JOURNAL_NOBODY : send_entry(*fd, path, &entry);
}
