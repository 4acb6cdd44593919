/* SPDX-License-Identifier: Apache-2.0 */
/* websocket.c: the client's half of a WebSocket over wslay.
 * Owns the handshake, the frames in both directions and the limits of both.
 * Never touches a socket or a clock, never sends a fragment, never puts the URL into an error. */
#include "approvald/slack/wire/websocket.h"

#include "approvald/slack/limits.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/rng.h"

#include <string.h>
#include <strings.h>
#include <sys/types.h>
#include <wslay/wslay.h>

#define KEY_SIZE      16 /* RFC 6455, 4.1 */
#define KEY_TEXT_SIZE 25
#define ACCEPT_SIZE   29 /* base64 of a SHA-1 */
#define GUID          "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

enum websocket_state {
    WEBSOCKET_UPGRADING,
    WEBSOCKET_OPEN,
    WEBSOCKET_DEAD, /* a call has failed */
};

struct websocket {
    enum websocket_state state;
    struct websocket_events events;
    const struct rng *rng;         /* borrowed */
    wslay_event_context_ptr wslay; /* owned */
    struct buf *head;              /* owned: the answer to the upgrade, until it is whole */
    struct buf *output;            /* owned */
    struct span input;             /* during websocket_feed */
    bool feeding;
    char accept[ACCEPT_SIZE]; /* what the answer must show */
};

/* The URL. */

struct parts {
    bool secure;
    struct span authority;
    struct span target; /* path and query; may be empty or begin with "?" */
};

/* Printable ASCII only, so that nothing in it can end a line of the request. */
static bool split_url(const char *url, struct parts *ret_parts)
{
    const char *rest = NULL;
    size_t size;

    if (strncmp(url, "wss://", 6) == 0) {
        rest = url + 6;
    } else if (strncmp(url, "ws://", 5) == 0) {
        rest = url + 5;
    }
    if (rest == NULL) {
        return false;
    }
    for (const char *at = rest; *at != '\0'; at++) {
        if (*at <= ' ' || *at >= 0x7f || *at == '#' || *at == '\\') {
            return false;
        }
    }
    size = strcspn(rest, "/?");
    ret_parts->secure = url[2] == 's';
    ret_parts->authority = span_of(rest, size);
    ret_parts->target = span_text(rest + size);
    return size > 0 && memchr(rest, '@', size) == NULL;
}

enum err_code websocket_address(const char *url, struct buf *address, struct err *err)
{
    struct parts parts;

    if (!split_url(url, &parts)) {
        return err_set(err, ERR_INVALID, "not the URL of a WebSocket");
    }
    return buf_append_format(address, err, "%s://%.*s/", parts.secure ? "https" : "http",
                             SPAN_ARGS(parts.authority));
}

static enum err_code
make_request(struct websocket *socket, const struct websocket_options *options, struct err *err)
{
    uint8_t key[KEY_SIZE];
    uint8_t hash[CRYPTO_SHA1_SIZE];
    char key_text[KEY_TEXT_SIZE];
    struct span hashed[2];
    struct parts parts;

    if (!split_url(options->url, &parts)) {
        return err_set(err, ERR_INVALID, "not the URL of a WebSocket");
    }
    rng_fill(options->rng, key, sizeof key);
    crypto_base64(key, sizeof key, key_text);
    hashed[0] = span_text(key_text);
    hashed[1] = SPAN_LITERAL(GUID);
    crypto_sha1_parts(hashed, 2, hash);
    crypto_base64(hash, sizeof hash, socket->accept);
    return buf_append_format(socket->output, err,
                             "GET %s%.*s HTTP/1.1\r\n"
                             "Host: %.*s\r\n"
                             "User-Agent: %s\r\n"
                             "Upgrade: websocket\r\n"
                             "Connection: Upgrade\r\n"
                             "Sec-WebSocket-Key: %s\r\n"
                             "Sec-WebSocket-Version: 13\r\n\r\n",
                             parts.target.size > 0 && parts.target.data[0] == '/' ? "" : "/",
                             SPAN_ARGS(parts.target), SPAN_ARGS(parts.authority),
                             options->user_agent, key_text);
}

/* wslay's side. */

static ssize_t
take_input(wslay_event_context_ptr wslay, uint8_t *bytes, size_t room, int flags, void *arg)
{
    struct websocket *socket = arg;
    size_t size = socket->input.size < room ? socket->input.size : room;

    (void)flags;
    if (size == 0) {
        wslay_event_set_error(wslay, WSLAY_ERR_WOULDBLOCK);
        return -1;
    }
    memcpy(bytes, socket->input.data, size);
    socket->input = span_of(socket->input.data + size, socket->input.size - size);
    return (ssize_t)size;
}

static ssize_t
put_output(wslay_event_context_ptr wslay, const uint8_t *bytes, size_t size, int flags, void *arg)
{
    struct websocket *socket = arg;

    (void)flags;
    if (buf_append(socket->output, bytes, size, NULL) != ERR_OK) {
        wslay_event_set_error(wslay, WSLAY_ERR_CALLBACK_FAILURE);
        return -1;
    }
    return (ssize_t)size;
}

static int make_mask(wslay_event_context_ptr wslay, uint8_t *mask, size_t size, void *arg)
{
    struct websocket *socket = arg;

    (void)wslay;
    rng_fill(socket->rng, mask, size);
    return 0;
}

static void on_message(wslay_event_context_ptr wslay,
                       const struct wslay_event_on_msg_recv_arg *message,
                       void *arg)
{
    struct websocket *socket = arg;

    (void)wslay;
    if (!wslay_is_ctrl_frame(message->opcode)) { /* wslay answers those by itself */
        socket->events.message(socket->events.arg, message->opcode == WSLAY_TEXT_FRAME,
                               span_of(message->msg, message->msg_length));
    }
}

/* Frames that wslay has queued become output. */
static enum err_code flush(struct websocket *socket, struct err *err)
{
    int code = 0;

    if (!socket->feeding) { /* else websocket_feed does it when wslay has returned */
        code = wslay_event_send(socket->wslay);
    }
    if (code == 0) {
        return ERR_OK;
    }
    socket->state = WEBSOCKET_DEAD;
    return code == WSLAY_ERR_NOMEM ? err_set(err, ERR_NOMEM, "websocket")
                                   : err_set(err, ERR_FULL, "the peer asks for more than it takes");
}

static enum err_code feed_frames(struct websocket *socket, struct err *err)
{
    enum err_code rc;
    int code;

    socket->feeding = true;
    code = wslay_event_recv(socket->wslay);
    socket->feeding = false;
    socket->input = SPAN_NONE;
    rc = flush(socket, err);
    if (rc == ERR_OK && code != 0) {
        rc = err_set(err, code == WSLAY_ERR_NOMEM ? ERR_NOMEM : ERR_PROTOCOL, "websocket");
    } else if (rc == ERR_OK && !wslay_event_get_read_enabled(socket->wslay) &&
               !wslay_event_get_close_received(socket->wslay)) {
        rc = err_set(err, ERR_PROTOCOL, "the peer broke the WebSocket protocol (%u)",
                     (unsigned)wslay_event_get_status_code_sent(socket->wslay));
    }
    if (rc != ERR_OK) {
        socket->state = WEBSOCKET_DEAD;
    }
    return rc;
}

/* The answer to the upgrade. */

/* Does a comma-separated list name the token? */
static bool list_has(struct span list, const char *token)
{
    size_t size = strlen(token);

    for (size_t at = 0; at < list.size;) {
        const char *comma = memchr(list.data + at, ',', list.size - at);
        size_t end = comma == NULL ? list.size : (size_t)(comma - list.data);

        while (at < end && (list.data[at] == ' ' || list.data[at] == '\t')) {
            at++;
        }
        if (end - at >= size && strncasecmp(list.data + at, token, size) == 0 &&
            strspn(list.data + at + size, " \t") + at + size >= end) {
            return true;
        }
        at = end + 1;
    }
    return false;
}

/* The value of a header line that has this name, trimmed; false when it has another. */
static bool line_value(struct span line, const char *name, struct span *ret_value)
{
    size_t size = strlen(name);
    size_t end = line.size;
    size_t at = size + 1;

    if (line.size <= size || line.data[size] != ':' || strncasecmp(line.data, name, size) != 0) {
        return false;
    }
    while (at < end && (line.data[at] == ' ' || line.data[at] == '\t')) {
        at++;
    }
    while (end > at && (line.data[end - 1] == ' ' || line.data[end - 1] == '\t')) {
        end--;
    }
    *ret_value = span_of(line.data + at, end - at);
    return true;
}

struct head {
    bool upgrade;
    bool connection;
    bool accept;
    bool foreign; /* an extension or protocol that nobody asked for */
};

static void read_line(const struct websocket *socket, struct span line, struct head *head)
{
    struct span value;

    if (line_value(line, "Upgrade", &value)) {
        head->upgrade = list_has(value, "websocket");
    } else if (line_value(line, "Connection", &value)) {
        head->connection = head->connection || list_has(value, "upgrade");
    } else if (line_value(line, "Sec-WebSocket-Accept", &value)) {
        head->accept = span_is(value, socket->accept);
    } else if (line_value(line, "Sec-WebSocket-Extensions", &value) ||
               line_value(line, "Sec-WebSocket-Protocol", &value)) {
        head->foreign = true;
    }
}

/* Text is the head with its last empty line. */
static enum err_code check_head(const struct websocket *socket, struct span text, struct err *err)
{
    static const char version[] = "HTTP/1.1 ";
    struct head head = {.upgrade = false};
    const char *end = memchr(text.data, '\r', text.size);
    size_t version_size = sizeof version - 1;

    ASSERT(end != NULL);
    if ((size_t)(end - text.data) < version_size + 3 ||
        memcmp(text.data, version, version_size) != 0) {
        return err_set(err, ERR_PROTOCOL, "the upgrade was not answered in HTTP/1.1");
    }
    if (memcmp(text.data + version_size, "101", 3) != 0) {
        return err_set(err, ERR_DENIED, "the upgrade was refused with status %.3s",
                       text.data + version_size);
    }
    for (const char *at = end + 2; at < text.data + text.size; at = end + 2) {
        end = memmem(at, (size_t)(text.data + text.size - at), "\r\n", 2);
        ASSERT(end != NULL); /* the head ends with two */
        read_line(socket, span_of(at, (size_t)(end - at)), &head);
    }
    if (!head.upgrade || !head.connection || !head.accept || head.foreign) {
        return err_set(err, ERR_PROTOCOL, "the answer to the upgrade is not one of a WebSocket");
    }
    return ERR_OK;
}

/* Collects the head; what follows it stays in the input. */
static enum err_code feed_head(struct websocket *socket, struct err *err)
{
    size_t before = buf_size(socket->head);
    size_t room = buf_room(socket->head);
    size_t size = socket->input.size < room ? socket->input.size : room;
    struct span text;
    const char *end;
    enum err_code rc = buf_append(socket->head, socket->input.data, size, err);

    if (rc != ERR_OK) {
        return rc;
    }
    text = buf_span(socket->head);
    end = memmem(text.data, text.size, "\r\n\r\n", 4);
    if (end == NULL) {
        return buf_room(socket->head) == 0
                   ? err_set(err, ERR_PROTOCOL, "the answer to the upgrade is too long")
                   : ERR_OK;
    }
    text.size = (size_t)(end - text.data) + 4;
    rc = check_head(socket, text, err);
    if (rc != ERR_OK) {
        return rc;
    }
    ASSERT(text.size > before);
    socket->input = span_of(socket->input.data + (text.size - before),
                            socket->input.size - (text.size - before));
    socket->state = WEBSOCKET_OPEN;
    socket->events.opened(socket->events.arg);
    return ERR_OK;
}

enum err_code websocket_feed(struct websocket *socket, struct span bytes, struct err *err)
{
    enum err_code rc;

    ASSERT(!socket->feeding);
    if (socket->state == WEBSOCKET_DEAD) {
        return err_set(err, ERR_PROTOCOL, "the WebSocket has ended");
    }
    socket->input = bytes;
    if (socket->state == WEBSOCKET_UPGRADING) {
        rc = feed_head(socket, err);
        if (rc != ERR_OK || socket->state == WEBSOCKET_UPGRADING) {
            socket->state = rc == ERR_OK ? socket->state : WEBSOCKET_DEAD;
            return rc;
        }
    }
    return feed_frames(socket, err);
}

struct span websocket_output(const struct websocket *socket)
{
    return buf_span(socket->output);
}

void websocket_sent(struct websocket *socket)
{
    buf_wipe(socket->output);
}

/* Our frames. */

static enum err_code queue(struct websocket *socket, int code, struct err *err)
{
    if (code == WSLAY_ERR_NOMEM) {
        return err_set(err, ERR_NOMEM, "websocket");
    }
    if (code != 0) {
        return err_set(err, ERR_UNAVAILABLE, "the WebSocket is closing");
    }
    return flush(socket, err);
}

static enum err_code
send_frame(struct websocket *socket, uint8_t opcode, struct span bytes, struct err *err)
{
    struct wslay_event_msg message = {
        .opcode = opcode, .msg = (const uint8_t *)bytes.data, .msg_length = bytes.size};

    if (!websocket_is_open(socket)) {
        return err_set(err, ERR_UNAVAILABLE, "the WebSocket is not open");
    }
    return queue(socket, wslay_event_queue_msg(socket->wslay, &message), err);
}

enum err_code websocket_send(struct websocket *socket, struct span text, struct err *err)
{
    return send_frame(socket, WSLAY_TEXT_FRAME, text, err);
}

enum err_code websocket_ping(struct websocket *socket, struct err *err)
{
    return send_frame(socket, WSLAY_PING, SPAN_NONE, err);
}

enum err_code websocket_close(struct websocket *socket, uint16_t status, struct err *err)
{
    if (!websocket_is_open(socket)) {
        return err_set(err, ERR_UNAVAILABLE, "the WebSocket is not open");
    }
    return queue(socket, wslay_event_queue_close(socket->wslay, status, NULL, 0), err);
}

bool websocket_is_open(const struct websocket *socket)
{
    return socket->state == WEBSOCKET_OPEN && !wslay_event_get_close_sent(socket->wslay) &&
           !wslay_event_get_close_received(socket->wslay);
}

bool websocket_is_over(const struct websocket *socket)
{
    return wslay_event_get_close_sent(socket->wslay) &&
           wslay_event_get_close_received(socket->wslay);
}

uint16_t websocket_status(const struct websocket *socket)
{
    return wslay_event_get_status_code_received(socket->wslay);
}

/* Birth and death. */

static enum err_code
make(struct websocket *socket, const struct websocket_options *options, struct err *err)
{
    const struct wslay_event_callbacks callbacks = {.recv_callback = take_input,
                                                    .send_callback = put_output,
                                                    .genmask_callback = make_mask,
                                                    .on_msg_recv_callback = on_message};
    enum err_code rc = buf_new(WEBSOCKET_HEAD_SIZE_MAX, &socket->head, err);

    if (rc == ERR_OK) {
        rc = buf_new(WEBSOCKET_OUTPUT_SIZE_MAX, &socket->output, err);
    }
    if (rc == ERR_OK && wslay_event_context_client_init(&socket->wslay, &callbacks, socket) != 0) {
        rc = err_set(err, ERR_NOMEM, "websocket");
    }
    if (rc != ERR_OK) {
        return rc;
    }
    wslay_event_config_set_max_recv_msg_length(socket->wslay, options->message_size_max);
    return make_request(socket, options, err);
}

enum err_code websocket_new(const struct websocket_options *options,
                            struct websocket **ret_socket,
                            struct err *err)
{
    struct websocket *socket = mem_new(1, sizeof *socket);
    enum err_code rc;

    ASSERT(options->events.opened != NULL && options->events.message != NULL);
    if (socket == NULL) {
        return err_set(err, ERR_NOMEM, "websocket");
    }
    socket->events = options->events;
    socket->rng = options->rng;
    rc = make(socket, options, err);
    if (rc != ERR_OK) {
        websocket_free(socket);
        return rc;
    }
    *ret_socket = socket;
    return ERR_OK;
}

void websocket_free(struct websocket *socket)
{
    if (socket == NULL) {
        return;
    }
    ASSERT(!socket->feeding);
    if (socket->wslay != NULL) {
        wslay_event_context_free(socket->wslay);
    }
    buf_free(socket->head);
    if (socket->output != NULL) {
        buf_wipe(socket->output);
        buf_free(socket->output);
    }
    mem_free(socket);
}
