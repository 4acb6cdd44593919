/* SPDX-License-Identifier: Apache-2.0 */
/* link_conn.c: the connections of the link: dial, accept, TLS, bytes in and out.
 * Owns every socket and the identity that proves this host. A connection becomes the link only when
 * the peer's certificate is verified and, on host 1, its HELLO is of this pair.
 * Never waits, never looks into a message but the first. */
#include "storage/link_internal.h"

#include "base/assert.h"
#include "base/log.h"
#include "base/rng.h"
#include "base/tls_peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static void conn_free(struct link_conn *conn)
{
    tls_peer_free(conn->tls);
    if (conn->file >= 0) {
        (void)close(conn->file);
    }
    memset(conn, 0, sizeof *conn);
    conn->file = -1;
}

/* Half to all of the time, which doubles up to the most. */
static void dial_later(struct link *link)
{
    uint32_t most = link->backoff_ms;

    link->dial_ms = link->now_ms + most / 2 + rng_below(link->rng, most / 2 + 1);
    link->backoff_ms = most * 2 < LINK_BACKOFF_MS_MAX ? most * 2 : LINK_BACKOFF_MS_MAX;
}

/* Anybody may connect, as often as he likes: a reason is worth a line when it is a new one. */
static void log_refusal(struct link *link, const struct err *failure)
{
    struct link_refused *refused = &link->refused;
    bool other = strcmp(refused->reason, failure->message) != 0;
    uint32_t pause_ms = other ? LINK_REFUSED_OTHER_MS : LINK_REFUSED_MS;

    refused->count++;
    if (refused->logged_ms > 0 && link->now_ms < refused->logged_ms + pause_ms) {
        return;
    }
    log_fields(LOG_LEVEL_WARNING, "link", "peer_refused",
               LOG_TEXT("error", err_text(failure->code)), LOG_TEXT("reason", failure->message),
               LOG_NUMBER("count", refused->count));
    refused->count = 0;
    refused->logged_ms = link->now_ms;
    memcpy(refused->reason, failure->message, sizeof refused->reason);
}

static void conn_refuse(struct link *link, struct link_conn *conn, const struct err *failure)
{
    conn_free(conn);
    if (link->options.host == 1) {
        log_refusal(link, failure);
        return;
    }
    if (!link->dial_logged) {
        link->dial_logged = true;
        log_err(LOG_LEVEL_WARNING, "link", "dial_failed", failure);
    }
    dial_later(link);
}

/* The files as they are now, or were a moment ago; else those that loaded last. Host 2 dials no
 * more often than that is cheap. */
static void identity_renew(struct link *link)
{
    const struct tls_identity_options options = {.side = link->options.host == 1 ? TLS_SIDE_SERVER
                                                                                 : TLS_SIDE_CLIENT,
                                                 .certificate = link->options.certificate,
                                                 .key = link->options.key,
                                                 .ca = link->options.ca,
                                                 .peer_name = link->options.peer_name};
    struct tls_identity *identity = NULL;
    struct err failure = ERR_INIT;
    bool stale;

    if (link->options.host == 1 && link->renewed_ms > 0 &&
        link->now_ms < link->renewed_ms + LINK_RENEW_MS) {
        return;
    }
    link->renewed_ms = link->now_ms;
    stale = tls_identity_new(&options, &identity, &failure) != ERR_OK;
    if (stale && !link->identity_stale) {
        log_err(LOG_LEVEL_ERROR, "link", "certificate_not_renewed", &failure);
    }
    link->identity_stale = stale;
    if (!stale) {
        tls_identity_free(link->identity);
        link->identity = identity;
    }
}

/* Options that make it quicker; without one it works all the same. */
static void tune(int file)
{
    int on = 1;
    int unsent = LINK_UNSENT_SIZE;

    (void)setsockopt(file, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    (void)setsockopt(file, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent);
}

/* The socket is connected; conn takes it over. */
static void conn_shake(struct link *link, struct link_conn *conn, int file)
{
    struct err failure = ERR_INIT;

    conn->file = -1;
    conn->begun_ms = link->now_ms;
    conn->deadline_ms = link->now_ms + LINK_HANDSHAKE_MS;
    conn->state = CONN_SHAKING;
    tune(file);
    identity_renew(link);
    if (tls_peer_new(link->identity, file, &conn->tls, &failure) != ERR_OK) {
        conn_refuse(link, conn, &failure);
    }
}

/* A free place, or that of the oldest; NULL: there is none, the oldest has hardly begun. */
static struct link_conn *candidate_place(struct link *link)
{
    struct link_conn *place = &link->candidates[0];

    for (size_t i = 0; i < LINK_CANDIDATE_COUNT_MAX; i++) {
        struct link_conn *candidate = &link->candidates[i];

        if (candidate->state == CONN_NONE) {
            return candidate;
        }
        place = candidate->begun_ms < place->begun_ms ? candidate : place;
    }
    if (link->now_ms < place->begun_ms + LINK_CANDIDATE_MS_MIN) {
        return NULL;
    }
    conn_free(place);
    return place;
}

static void accept_some(struct link *link)
{
    for (size_t i = 0; i < LINK_CANDIDATE_COUNT_MAX; i++) {
        struct link_conn *place;
        int file = accept4(link->listen_file, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (file < 0) {
            /* Nobody, or one that has left; else (no descriptor is free) poll would not wait. */
            bool nobody =
                errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ECONNABORTED;

            link->accept_ms = nobody ? 0 : link->now_ms + LINK_BACKOFF_MS_MAX;
            return;
        }
        place = candidate_place(link);
        if (place != NULL) {
            conn_shake(link, place, file);
        } else {
            (void)close(file); /* the peer dials again */
        }
    }
}

static void dial(struct link *link)
{
    struct link_conn *conn = &link->candidates[0];
    struct err failure = ERR_INIT;

    ASSERT(conn->state == CONN_NONE);
    conn->begun_ms = link->now_ms;
    conn->deadline_ms = link->now_ms + LINK_CONNECT_MS;
    conn->state = CONN_CONNECTING;
    if (sockets_dial(&link->peer, &conn->file, &failure) != ERR_OK) {
        conn_refuse(link, conn, &failure);
    }
}

static bool is_ready(int file, short events)
{
    struct pollfd one = {.fd = file, .events = events};

    return poll(&one, 1, 0) > 0;
}

static void conn_connect(struct link *link, struct link_conn *conn)
{
    struct err failure = ERR_INIT;
    int file = conn->file;

    if (!is_ready(file, POLLOUT)) {
        return;
    }
    if (sockets_dialled(file, &failure) != ERR_OK) {
        conn_refuse(link, conn, &failure);
        return;
    }
    conn_shake(link, conn, file);
}

/* The first message is a HELLO of this pair's other host. The rest of it is the core's to judge. */
static enum err_code check_hello(const struct link *link, struct span frame, struct err *err)
{
    struct message message;
    enum err_code rc = message_decode(frame, &message, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (message.type != MESSAGE_HELLO) {
        return err_set(err, ERR_PROTOCOL, "the first message is %s", message_name(message.type));
    }
    if (memcmp(message.u.state.cluster_id, link->options.cluster_id, STORAGE_ID_SIZE) != 0) {
        return err_set(err, ERR_CONFLICT, "the peer is of another cluster");
    }
    if (message.u.state.host == link->options.host) {
        return err_set(err, ERR_CONFLICT, "the peer says that it is this host");
    }
    return ERR_OK;
}

static enum err_code read_hello(struct link_conn *conn, struct err *err)
{
    size_t room = sizeof conn->hello - conn->hello_size;
    size_t got = 0;
    enum err_code rc = ERR_OK;

    if (room > 0) {
        rc = tls_peer_read(conn->tls, conn->hello + conn->hello_size, room, &got, err);
    }
    conn->hello_size += got;
    return rc;
}

static void conn_greet(struct link *link, struct link_conn *conn)
{
    struct err failure = ERR_INIT;
    struct span frame;
    enum err_code rc = read_hello(conn, &failure);

    if (rc == ERR_OK) {
        rc = link_frame_first(span_of(conn->hello, conn->hello_size), &frame, &failure);
        if (rc == ERR_NOT_FOUND && conn->hello_size < sizeof conn->hello) {
            return; /* more is to come */
        }
        if (rc == ERR_NOT_FOUND) {
            rc = err_set(&failure, ERR_PROTOCOL, "the first message is too long");
        }
    }
    if (rc == ERR_OK) {
        rc = check_hello(link, frame, &failure);
    }
    if (rc == ERR_OK) {
        link_conn_ready(link, conn);
    } else {
        conn_refuse(link, conn, &failure);
    }
}

static void conn_handshake(struct link *link, struct link_conn *conn)
{
    struct err failure = ERR_INIT;
    bool done = false;

    if (tls_peer_handshake(conn->tls, &done, &failure) != ERR_OK) {
        conn_refuse(link, conn, &failure);
        return;
    }
    if (!done) {
        return;
    }
    conn->state = CONN_GREETING;
    if (link->options.host == 1) {
        conn_greet(link, conn);
    } else {
        link_conn_ready(link, conn);
    }
}

static void candidate_step(struct link *link, struct link_conn *conn)
{
    struct err failure = ERR_INIT;

    switch (conn->state) {
    case CONN_NONE:
    case CONN_UP:
        return;
    case CONN_CONNECTING:
        conn_connect(link, conn);
        break;
    case CONN_SHAKING:
        conn_handshake(link, conn);
        break;
    case CONN_GREETING:
        conn_greet(link, conn);
        break;
    }
    if (conn->state != CONN_NONE && link->now_ms >= conn->deadline_ms) {
        (void)err_set(&failure, ERR_TIMEOUT, "no connection in time");
        conn_refuse(link, conn, &failure);
    }
}

void link_conn_step(struct link *link)
{
    if (link->options.host == 1) {
        if (link->knocked || (link->accept_ms > 0 && link->now_ms >= link->accept_ms)) {
            accept_some(link);
        }
    } else if (link->conn.state == CONN_NONE && link->candidates[0].state == CONN_NONE &&
               link->now_ms >= link->dial_ms) {
        dial(link);
    }
    for (size_t i = 0; i < LINK_CANDIDATE_COUNT_MAX; i++) {
        candidate_step(link, &link->candidates[i]);
    }
}

static struct pollfd candidate_poll(const struct link_conn *conn)
{
    if (conn->state == CONN_CONNECTING) {
        return (struct pollfd){.fd = conn->file, .events = POLLOUT};
    }
    return (struct pollfd){.fd = tls_peer_file(conn->tls), .events = tls_peer_wants(conn->tls)};
}

/* True when bytes may be read: there is room, and nothing holds the frames up. */
static bool may_read(const struct link *link)
{
    return !link->read_ended && link->append_frame == 0 && link->stalled_ms == 0 &&
           link_buf_room(&link->in) >= LINK_READ_SIZE;
}

static struct pollfd up_poll(const struct link *link)
{
    struct pollfd file = {.fd = tls_peer_file(link->conn.tls),
                          .events = tls_peer_wants(link->conn.tls)};

    if (may_read(link)) {
        return file;
    }
    if ((file.events & POLLOUT) != 0) {
        file.events = POLLOUT;
    } else {
        file.fd = -1; /* not even an end is waited for: it would be told in every turn */
    }
    return file;
}

size_t link_conn_poll(const struct link *link, struct pollfd *files)
{
    size_t count = 0;

    if (link->listen_file >= 0 && link->accept_ms == 0) {
        files[count++] = (struct pollfd){.fd = link->listen_file, .events = POLLIN};
    }
    if (link->conn.state == CONN_UP) {
        files[count++] = up_poll(link);
    }
    for (size_t i = 0; i < LINK_CANDIDATE_COUNT_MAX; i++) {
        if (link->candidates[i].state != CONN_NONE) {
            files[count++] = candidate_poll(&link->candidates[i]);
        }
    }
    return count;
}

void link_conn_polled(struct link *link, const struct pollfd *files, size_t count)
{
    /* Accepting in vain in each turn was half of what this thread cost (perf, presses one by one).
     */
    link->knocked = link->listen_file >= 0 && link->accept_ms == 0 && count > 0 &&
                    files[0].fd == link->listen_file && files[0].revents != 0;
}

uint64_t link_conn_deadline_ms(const struct link *link)
{
    uint64_t deadline_ms = UINT64_MAX;

    if (link->options.host == 2 && link->conn.state == CONN_NONE &&
        link->candidates[0].state == CONN_NONE) {
        deadline_ms = link->dial_ms;
    }
    if (link->accept_ms > 0) {
        deadline_ms = link->accept_ms;
    }
    for (size_t i = 0; i < LINK_CANDIDATE_COUNT_MAX; i++) {
        const struct link_conn *conn = &link->candidates[i];

        if (conn->state != CONN_NONE && conn->deadline_ms < deadline_ms) {
            deadline_ms = conn->deadline_ms;
        }
    }
    if (link->conn.state == CONN_UP) {
        uint64_t silent_ms = link->heard_ms + link->options.silence_ms;

        deadline_ms = silent_ms < deadline_ms ? silent_ms : deadline_ms;
    }
    return deadline_ms;
}

/* The connection can do one thing less. What the peer said before counts all the same: its reason,
 * its last acknowledgements. */
static void note_end(struct link *link, const struct err *failure)
{
    if (!link->read_ended && !link->write_ended) {
        link->end = *failure;
    }
    link->write_ended = true;
    link_buf_clear(&link->out);
}

void link_conn_read(struct link *link)
{
    struct err failure = ERR_INIT;
    size_t total = 0;
    size_t got = 1;

    while (link->conn.state == CONN_UP && !link->drop && got > 0 && may_read(link) &&
           total < LINK_TURN_SIZE) {
        uint8_t *room = link_buf_extend(&link->in, LINK_READ_SIZE);
        enum err_code rc = tls_peer_read(link->conn.tls, room, LINK_READ_SIZE, &got, &failure);

        if (rc != ERR_OK) {
            link_buf_shorten(&link->in, LINK_READ_SIZE);
            note_end(link, &failure);
            link->read_ended = true;
            break;
        }
        link_buf_shorten(&link->in, LINK_READ_SIZE - got);
        total += got;
    }
    link->received_size += total;
    if (total > 0 || !may_read(link)) {
        link->heard_ms = link->now_ms; /* who is not listened to is not silent */
    }
}

bool link_conn_pending(const struct link *link)
{
    return link->conn.state == CONN_UP && may_read(link) && tls_peer_pending(link->conn.tls);
}

/* While no press waits for the peer, this thread is in nobody's way. */
static void give_way(struct link *link, size_t sent)
{
    link->yield_size += sent;
    if (link->yield_size >= LINK_YIELD_SIZE && !replica_requires_peer(link->replica)) {
        link->yield_size = 0;
        (void)sched_yield(); /* it cannot fail on Linux */
    }
}

void link_conn_flush(struct link *link)
{
    struct err failure = ERR_INIT;
    size_t sent = 1;

    while (link->conn.state == CONN_UP && !link->write_ended && sent > 0 &&
           link_buf_size(&link->out) > 0) {
        if (tls_peer_write(link->conn.tls, link_buf_span(&link->out), &sent, &failure) != ERR_OK) {
            note_end(link, &failure);
            return;
        }
        link_buf_consume(&link->out, sent);
        link->sent_size += sent;
        give_way(link, sent);
    }
}

void link_conn_close(struct link *link)
{
    link_conn_flush(link); /* the reason may be in it */
    if (link->conn.state == CONN_UP && link_buf_size(&link->out) == 0) {
        tls_peer_end(link->conn.tls);
    }
    conn_free(&link->conn);
    link_buf_clear(&link->in);
    link_buf_clear(&link->out);
    if (link->options.host == 2) {
        dial_later(link);
    }
}

void link_conn_done(struct link *link)
{
    conn_free(&link->conn);
    for (size_t i = 0; i < LINK_CANDIDATE_COUNT_MAX; i++) {
        conn_free(&link->candidates[i]);
    }
    if (link->listen_file >= 0) {
        (void)close(link->listen_file);
    }
    tls_identity_free(link->identity);
}
