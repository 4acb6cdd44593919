/* SPDX-License-Identifier: Apache-2.0 */
/* relay.c: requests of a host that has handed over, to the one that has taken over, and back.
 * Owns the requests passed on, the foreign ones under way, and the bytes that wait for the link.
 * Never decides when (app_move.c does), never answers for the service: an answer is the peer's, or
 * 503.
 */
#include "approvald/relay.h"

#include "approvald/http/server.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/rng.h"

#include <string.h>
#include <sys/queue.h>

#define PIECE_SIZE       60000U /* bytes of a message in one piece; with its head below the limit */
#define PIECE_HEAD_SIZE  14U
#define MESSAGE_SIZE_MAX (HTTP_REPLY_BODY_SIZE_MAX + HTTP_HEAD_SIZE_MAX + 4096U)
#define FIRST            1U
#define LAST             2U

/* One request: ours that is with the peer, or the peer's that is with us. */
struct entry {
    TAILQ_ENTRY(entry) link;
    struct relay *relay;
    uint64_t number;
    uint64_t since_ms;
    struct http_request *request; /* ours; NULL: a foreign one */
    struct buf *in;               /* what has come of the peer's message; owned, may be NULL */
    bool begun;                   /* a foreign one is with our service: it has come whole */
};

/* A message that waits for the link. */
struct outgoing {
    TAILQ_ENTRY(outgoing) link;
    struct buf *bytes; /* owned */
    size_t sent;
    uint64_t number;
    uint8_t kind;
};

TAILQ_HEAD(entry_list, entry);

struct relay {
    struct relay_options options;
    struct entry_list ours;
    struct entry_list foreign;
    TAILQ_HEAD(, outgoing) queue;
    uint32_t our_count;
    uint32_t foreign_count;
    size_t held_size; /* bytes in all bufs */
    uint64_t number_last;
};

static uint64_t now_ms(void)
{
    return clock_boot_ms(clock_host());
}

enum err_code
relay_new(const struct relay_options *options, struct relay **ret_relay, struct err *err)
{
    struct relay *relay = mem_new(1, sizeof(*relay));

    if (relay == NULL) {
        return err_set(err, ERR_NOMEM, "relay");
    }
    relay->options = *options;
    TAILQ_INIT(&relay->ours);
    TAILQ_INIT(&relay->foreign);
    TAILQ_INIT(&relay->queue);
    /* An answer to a number of an earlier process must never meet a request of this one. */
    rng_fill(rng_host(), &relay->number_last, sizeof(relay->number_last));
    *ret_relay = relay;
    return ERR_OK;
}

static void release(struct relay *relay, struct buf *buf)
{
    if (buf != NULL) {
        ASSERT(relay->held_size >= buf_size(buf));
        relay->held_size -= buf_size(buf);
        buf_free(buf);
    }
}

static void entry_free(struct entry *entry)
{
    struct relay *relay = entry->relay;

    if (entry->request != NULL) {
        TAILQ_REMOVE(&relay->ours, entry, link);
        relay->our_count--;
    } else {
        TAILQ_REMOVE(&relay->foreign, entry, link);
        relay->foreign_count--;
    }
    release(relay, entry->in);
    mem_free(entry);
}

static void outgoing_free(struct relay *relay, struct outgoing *out)
{
    TAILQ_REMOVE(&relay->queue, out, link);
    release(relay, out->bytes);
    mem_free(out);
}

static void give_up(struct entry *entry, const char *detail)
{
    struct http_request *request = entry->request;

    entry_free(entry);
    if (request != NULL) {
        http_problem(request,
                     &(struct http_problem){.status = 503, .detail = detail, .retry_after_s = 1});
    }
}

static const char unknown_fate[] =
    "The pair was moving to its other host, and it is not known whether this was done. Retry with "
    "the same Idempotency-Key.";

void relay_link_down(struct relay *relay)
{
    struct entry *entry;
    struct outgoing *out;

    while ((out = TAILQ_FIRST(&relay->queue)) != NULL) {
        outgoing_free(relay, out);
    }
    while ((entry = TAILQ_FIRST(&relay->ours)) != NULL) {
        give_up(entry, unknown_fate);
    }
    /* The rest of what has only begun to arrive will not come; what our service has in hand will be
     * answered to nobody. */
    for (entry = TAILQ_FIRST(&relay->foreign); entry != NULL;) {
        struct entry *next = TAILQ_NEXT(entry, link);

        if (entry->in != NULL) {
            entry_free(entry);
        }
        entry = next;
    }
}

void relay_free(struct relay *relay)
{
    struct entry *entry;

    if (relay == NULL) {
        return;
    }
    relay_link_down(relay);
    while ((entry = TAILQ_FIRST(&relay->foreign)) != NULL) {
        entry_free(entry);
    }
    mem_free(relay);
}

uint32_t relay_count(const struct relay *relay)
{
    return relay->our_count;
}

/* Sends pieces of the first message; false: the link takes no more now. */
static bool send_piece(struct relay *relay, struct outgoing *out)
{
    uint8_t piece[PIECE_HEAD_SIZE + PIECE_SIZE];
    struct span bytes = buf_span(out->bytes);
    size_t left = bytes.size - out->sent;
    size_t size = left < PIECE_SIZE ? left : PIECE_SIZE;

    piece[0] = out->kind;
    piece[1] = (uint8_t)((out->sent == 0 ? FIRST : 0U) | (size == left ? LAST : 0U));
    for (size_t i = 0; i < 8; i++) {
        piece[2 + i] = (uint8_t)(out->number >> (8 * i));
    }
    for (size_t i = 0; i < 4; i++) {
        piece[10 + i] = (uint8_t)(bytes.size >> (8 * i));
    }
    memcpy(piece + PIECE_HEAD_SIZE, bytes.data + out->sent, size);
    if (relay->options.send(relay->options.arg, span_of(piece, PIECE_HEAD_SIZE + size), NULL) !=
        ERR_OK) {
        return false;
    }
    out->sent += size;
    if (size == left) {
        outgoing_free(relay, out);
    }
    return true;
}

static void pump(struct relay *relay)
{
    struct outgoing *out;

    while ((out = TAILQ_FIRST(&relay->queue)) != NULL && send_piece(relay, out)) {
    }
}

/* Queues a message; takes its bytes. */
static enum err_code
enqueue_take(struct relay *relay, uint8_t kind, uint64_t number, struct buf *bytes, struct err *err)
{
    struct outgoing *out = mem_new(1, sizeof(*out));

    if (out == NULL || relay->held_size + buf_size(bytes) > RELAY_SIZE_MAX) {
        mem_free(out);
        buf_free(bytes);
        return err_set(err, ERR_FULL, "too much is being relayed");
    }
    *out = (struct outgoing){.bytes = bytes, .number = number, .kind = kind};
    relay->held_size += buf_size(bytes);
    TAILQ_INSERT_TAIL(&relay->queue, out, link);
    pump(relay);
    return ERR_OK;
}

static enum err_code
format_request(const struct http_request *request, struct buf *buf, struct err *err)
{
    struct span head = http_request_head(request);
    enum err_code rc = pack_u8(buf, (uint8_t)http_request_listener(request), err);

    if (rc == ERR_OK) {
        rc = pack_u8(buf, http_request_is_root(request) ? 1 : 0, err);
    }
    if (rc == ERR_OK) {
        rc = pack_text(buf, span_text(http_request_peer(request)), err);
    }
    if (rc == ERR_OK) {
        rc = pack_u32(buf, (uint32_t)head.size, err);
    }
    if (rc == ERR_OK) {
        rc = buf_append_span(buf, head, err);
    }
    return rc == ERR_OK ? buf_append_span(buf, http_request_body(request), err) : rc;
}

static struct entry *entry_new(struct relay *relay, uint64_t number, struct http_request *request)
{
    struct entry *entry = mem_new(1, sizeof(*entry));

    if (entry == NULL) {
        return NULL;
    }
    *entry =
        (struct entry){.relay = relay, .number = number, .since_ms = now_ms(), .request = request};
    if (request != NULL) {
        TAILQ_INSERT_TAIL(&relay->ours, entry, link);
        relay->our_count++;
    } else {
        TAILQ_INSERT_TAIL(&relay->foreign, entry, link);
        relay->foreign_count++;
    }
    return entry;
}

void relay_request_take(struct relay *relay, struct http_request *request)
{
    struct entry *entry = NULL;
    struct buf *buf = NULL;
    enum err_code rc = buf_new(MESSAGE_SIZE_MAX, &buf, NULL);

    if (rc == ERR_OK) {
        rc = format_request(request, buf, NULL);
    }
    if (rc == ERR_OK && relay->our_count < RELAY_COUNT_MAX) {
        entry = entry_new(relay, ++relay->number_last, request);
    }
    if (entry == NULL) {
        buf_free(buf);
        http_problem(request,
                     &(struct http_problem){.status = 503,
                                            .detail = "The pair is moving to its other host.",
                                            .retry_after_s = 1});
        return;
    }
    if (enqueue_take(relay, RELAY_REQUEST, entry->number, buf, NULL) != ERR_OK) {
        give_up(entry, "The pair is moving to its other host.");
    }
}

static enum err_code format_reply(const struct http_reply *reply, struct buf *buf, struct err *err)
{
    const char *type = reply->content_type == NULL ? "" : reply->content_type;
    uint8_t count = 0;
    enum err_code rc = pack_u16(buf, (uint16_t)reply->status, err);

    while (count < HTTP_REPLY_HEADER_MAX && reply->headers[count].name != NULL) {
        count++;
    }
    if (rc == ERR_OK) {
        rc = pack_u32(buf, reply->retry_after_s, err);
    }
    if (rc == ERR_OK) {
        rc = pack_text(buf, span_text(type), err);
    }
    if (rc == ERR_OK) {
        rc = pack_u8(buf, count, err);
    }
    for (uint8_t i = 0; rc == ERR_OK && i < count; i++) {
        rc = pack_text(buf, span_text(reply->headers[i].name), err);
        if (rc == ERR_OK) {
            rc = pack_text(buf, span_text(reply->headers[i].value), err);
        }
    }
    return rc == ERR_OK ? buf_append_span(buf, reply->body, err) : rc;
}

/* Our service has answered a foreign request. */
static void on_foreign(void *arg, const struct http_reply *reply)
{
    struct entry *entry = arg;
    struct relay *relay = entry->relay;
    uint64_t number = entry->number;
    struct buf *buf = NULL;
    enum err_code rc = buf_new(MESSAGE_SIZE_MAX, &buf, NULL);

    entry_free(entry);
    if (rc == ERR_OK) {
        rc = format_reply(reply, buf, NULL);
    }
    if (rc == ERR_OK) {
        /* When it does not fit, the other host ends its wait by itself: "fate unknown". */
        err_ignore(enqueue_take(relay, RELAY_REPLY, number, buf, NULL));
    } else {
        buf_free(buf);
    }
}

/* The whole of a foreign request is here. */
static enum err_code begin_foreign(struct entry *entry, struct err *err)
{
    struct relay *relay = entry->relay;
    struct http_foreign foreign = {.kind = HTTP_SERVICE};
    char peer[64];
    struct unpack unpack;
    struct span text;
    uint8_t kind;
    struct buf *in = entry->in;
    enum err_code rc = ERR_PROTOCOL;

    unpack_init(&unpack, buf_span(in));
    kind = unpack_u8(&unpack);
    foreign.root = unpack_u8(&unpack) == 1;
    text = unpack_text(&unpack);
    foreign.head = unpack_bytes(&unpack, unpack_u32(&unpack));
    foreign.body = unpack_bytes(&unpack, unpack.left);
    if (!unpack_done(&unpack) || kind >= HTTP_LISTENER_KIND_COUNT || text.size >= sizeof(peer)) {
        return err_set(err, ERR_PROTOCOL, "relayed request: not one");
    }
    memcpy(peer, text.data == NULL ? "" : text.data, text.size);
    peer[text.size] = '\0';
    foreign.kind = (enum http_listener)kind;
    foreign.peer = peer;
    entry->in = NULL; /* the entry may be gone when inject returns */
    entry->begun = true;
    rc = http_server_inject(relay->options.server, &foreign, on_foreign, entry, err);
    release(relay, in);
    if (rc != ERR_OK) {
        const struct http_reply reply = {.status = 503, .retry_after_s = 1};

        on_foreign(entry, &reply);
    }
    return ERR_OK;
}

/* The whole answer to a request of ours is here. */
static enum err_code finish_ours(struct entry *entry, struct err *err)
{
    struct http_reply reply = {.status = 0};
    char texts[2 * HTTP_REPLY_HEADER_MAX + 1][1024];
    struct http_request *request = entry->request;
    struct unpack unpack;
    uint32_t text_count;
    uint8_t count;
    bool good = true;

    unpack_init(&unpack, buf_span(entry->in));
    reply.status = unpack_u16(&unpack);
    reply.retry_after_s = unpack_u32(&unpack);
    text_count = 1;
    for (uint32_t i = 0; good && i < text_count; i++) {
        struct span text = unpack_text(&unpack);

        good = text.size < sizeof(texts[i]);
        if (good) {
            memcpy(texts[i], text.data == NULL ? "" : text.data, text.size);
            texts[i][text.size] = '\0';
        }
        if (good && i == 0) {
            count = unpack_u8(&unpack);
            good = count <= HTTP_REPLY_HEADER_MAX;
            text_count += good ? 2U * count : 0;
        }
    }
    reply.body = unpack_bytes(&unpack, unpack.left);
    if (!good || !unpack_done(&unpack) || reply.status < 200 || reply.status > 599) {
        return err_set(err, ERR_PROTOCOL, "relayed reply: not one");
    }
    reply.content_type = texts[0][0] == '\0' ? NULL : texts[0];
    for (uint32_t i = 0; 2 * i + 2 < text_count; i++) {
        reply.headers[i] = (struct http_header){texts[2 * i + 1], texts[2 * i + 2]};
    }
    http_reply(request, &reply);
    entry_free(entry);
    return ERR_OK;
}

static struct entry *find(struct entry_list *list, uint64_t number)
{
    struct entry *entry;

    TAILQ_FOREACH (entry, list, link) {
        if (entry->number == number) {
            return entry;
        }
    }
    return NULL;
}

/* The entry that a piece belongs to; NULL: nobody waits for it (any more), or it is one too many.
 */
static struct entry *entry_of(struct relay *relay, uint8_t kind, uint64_t number, bool first)
{
    if (kind == RELAY_REPLY) {
        return find(&relay->ours, number);
    }
    if (!first) {
        struct entry *entry = find(&relay->foreign, number);

        return entry == NULL || entry->begun ? NULL : entry;
    }
    return relay->foreign_count < RELAY_COUNT_MAX ? entry_new(relay, number, NULL) : NULL;
}

static enum err_code
append(struct relay *relay, struct entry *entry, struct span bytes, struct err *err)
{
    enum err_code rc = ERR_OK;

    if (entry->in == NULL) {
        rc = buf_new(MESSAGE_SIZE_MAX, &entry->in, err);
    }
    if (rc == ERR_OK && relay->held_size + bytes.size > RELAY_SIZE_MAX) {
        rc = err_set(err, ERR_FULL, "too much is being relayed");
    }
    if (rc == ERR_OK) {
        rc = buf_append_span(entry->in, bytes, err);
    }
    relay->held_size += rc == ERR_OK ? bytes.size : 0;
    return rc;
}

/* All pieces are here. When the link was made anew in between, some may have been lost with the old
 * one. */
static enum err_code finish(struct entry *entry, uint32_t size, struct err *err)
{
    if (buf_size(entry->in) != size) {
        return err_set(err, ERR_PROTOCOL, "relay: %zu bytes came of %u", buf_size(entry->in),
                       (unsigned)size);
    }
    return entry->request == NULL ? begin_foreign(entry, err) : finish_ours(entry, err);
}

enum err_code relay_receive(struct relay *relay, struct span data, struct err *err)
{
    struct unpack unpack;
    struct entry *entry;
    enum err_code rc;
    uint64_t number;
    uint32_t size;
    uint8_t kind;
    uint8_t flags;

    unpack_init(&unpack, data);
    kind = unpack_u8(&unpack);
    flags = unpack_u8(&unpack);
    number = unpack_u64(&unpack);
    size = unpack_u32(&unpack);
    if (!unpack_ok(&unpack) || (kind != RELAY_REQUEST && kind != RELAY_REPLY) || flags > 3) {
        return err_set(err, ERR_PROTOCOL, "relay: not a piece of a request or reply");
    }
    entry = entry_of(relay, kind, number, (flags & FIRST) != 0);
    if (entry == NULL) {
        return ERR_OK;
    }
    rc = append(relay, entry, unpack_bytes(&unpack, unpack.left), err);
    if (rc == ERR_OK && (flags & LAST) != 0) {
        rc = finish(entry, size, err);
    }
    if (rc != ERR_OK) {
        give_up(entry, unknown_fate);
    }
    return rc;
}

void relay_tick(struct relay *relay, uint64_t now)
{
    struct entry *entry;

    pump(relay);
    while ((entry = TAILQ_FIRST(&relay->ours)) != NULL && now > entry->since_ms + RELAY_WAIT_MS) {
        give_up(entry, unknown_fate);
    }
}
