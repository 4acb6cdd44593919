/* SPDX-License-Identifier: Apache-2.0 */
/* talk.c: frames over base/tls_peer, waited for with poll().
 * Owns one stream and its deadline, which covers the whole conversation: who sends a byte a minute
 * gains nothing. Never reads more than the frame that was announced. */
#include "approvald/enrol/talk.h"

#include "approvald/enrol/message.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/tls_peer.h"

#include <errno.h>
#include <poll.h>

struct talk {
    struct tls_peer *peer; /* owned */
    uint64_t until_ms;
};

/* ERR_TIMEOUT when the deadline is over. A signal only ends the wait early. */
static enum err_code await(struct talk *talk, struct err *err)
{
    uint64_t now_ms = clock_boot_ms(clock_host());
    struct pollfd ready = {.fd = tls_peer_file(talk->peer), .events = tls_peer_wants(talk->peer)};

    if (now_ms >= talk->until_ms) {
        return err_set(err, ERR_TIMEOUT, "the other side does not answer in time");
    }
    if (poll(&ready, 1, (int)(talk->until_ms - now_ms)) < 0 && errno != EINTR) {
        return err_set_errno(err, ERR_IO, errno, "poll");
    }
    return ERR_OK;
}

static enum err_code shake(struct talk *talk, struct err *err)
{
    bool done = false;
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && !done) {
        rc = tls_peer_handshake(talk->peer, &done, err);
        if (rc == ERR_OK && !done) {
            rc = await(talk, err);
        }
    }
    return rc;
}

enum err_code talk_new(struct tls_identity *identity,
                       int file_take,
                       uint32_t limit_ms,
                       struct talk **ret_talk,
                       struct err *err)
{
    struct talk *talk = mem_new(1, sizeof *talk);
    struct tls_peer *peer = NULL;
    enum err_code rc = tls_peer_new(identity, file_take, &peer, err);

    if (rc != ERR_OK) {
        mem_free(talk);
        return rc;
    }
    if (talk == NULL) {
        tls_peer_free(peer);
        return err_set(err, ERR_NOMEM, "conversation");
    }
    talk->peer = peer;
    talk->until_ms = clock_boot_ms(clock_host()) + limit_ms;
    rc = shake(talk, err);
    if (rc != ERR_OK) {
        tls_peer_free(peer);
        mem_free(talk);
        return rc;
    }
    *ret_talk = talk;
    return ERR_OK;
}

void talk_free(struct talk *talk)
{
    if (talk != NULL) {
        tls_peer_end(talk->peer);
        tls_peer_free(talk->peer);
        mem_free(talk);
    }
}

static enum err_code send_all(struct talk *talk, struct span bytes, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && bytes.size > 0) {
        size_t size = 0;

        rc = tls_peer_write(talk->peer, bytes, &size, err);
        if (rc == ERR_OK && size == 0) {
            rc = await(talk, err);
        }
        bytes = span_of(bytes.data + size, bytes.size - size);
    }
    return rc;
}

enum err_code talk_send(struct talk *talk, struct span content, struct err *err)
{
    AUTO_BUF struct buf *frame = NULL;
    uint8_t head[MESSAGE_FRAME_SIZE];
    enum err_code rc = buf_new(content.size + sizeof head, &frame, err);

    for (size_t i = 0; i < sizeof head; i++) {
        head[i] = (uint8_t)(content.size >> (8 * i));
    }
    rc = rc == ERR_OK ? buf_append(frame, head, sizeof head, err) : rc;
    rc = rc == ERR_OK ? buf_append_span(frame, content, err) : rc;
    if (rc == ERR_OK) {
        rc = send_all(talk, buf_span(frame), err);
        buf_wipe(frame);
    }
    return rc;
}

static enum err_code receive_exactly(struct talk *talk, char *room, size_t size, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && size > 0) {
        size_t got = 0;

        rc = tls_peer_read(talk->peer, room, size, &got, err);
        if (rc == ERR_OK && got == 0) {
            rc = await(talk, err);
        }
        room += got;
        size -= got;
    }
    return rc;
}

enum err_code
talk_receive(struct talk *talk, size_t size_max, struct buf **ret_content, struct err *err)
{
    struct buf *content = NULL;
    uint8_t head[MESSAGE_FRAME_SIZE];
    char *room = NULL;
    size_t size = 0;
    enum err_code rc = receive_exactly(talk, (char *)head, sizeof head, err);

    if (rc != ERR_OK) {
        return rc;
    }
    for (size_t i = sizeof head; i > 0; i--) {
        size = size << 8 | head[i - 1];
    }
    if (size == 0 || size > size_max) {
        return err_set(err, ERR_TOO_LARGE, "a message of %zu bytes", size);
    }
    rc = buf_new(size, &content, err);
    rc = rc == ERR_OK ? buf_extend(content, size, &room, err) : rc;
    rc = rc == ERR_OK ? receive_exactly(talk, room, size, err) : rc;
    if (rc != ERR_OK) {
        buf_free(content);
        return rc;
    }
    *ret_content = content;
    return ERR_OK;
}
