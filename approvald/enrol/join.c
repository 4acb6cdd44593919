/* SPDX-License-Identifier: Apache-2.0 */
/* join.c: a host or an arbiter asks to be taken in.
 * Owns one connection and what came over it, wiped when freed.
 * Never sends the token or the private key, never trusts a certificate but the token's. */
#include "approvald/enrol/join.h"

#include "approvald/enrol/files.h"
#include "approvald/enrol/offer.h"
#include "approvald/enrol/plan.h"
#include "approvald/enrol/talk.h"
#include "base/buf.h"
#include "base/mem.h"
#include "base/sockets.h"
#include "base/tls_peer.h"
#include "base/x509.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#define DIAL_MS   5000 /* one SYN is lost, and its repetition */
#define NAME_SIZE (2 * OFFER_ID_SIZE + 1)

struct join {
    struct talk *talk; /* owned */
    struct buf *bytes; /* owned: the reply */
    struct reply reply;
    struct request request;
    uint8_t key[CRYPTO_SHA256_SIZE];
    uint8_t transcript[X509_HASH_SIZE];
};

static enum err_code dial(const struct token *token, int *ret_file, struct err *err)
{
    char address[PLAN_ENDPOINT_SIZE];
    struct sockets_peer peer;
    struct pollfd ready = {.fd = -1, .events = POLLOUT};
    enum err_code rc;
    int count;

    plan_endpoint(token->address, token->port, address);
    rc = sockets_parse(address, &peer, err);
    if (rc == ERR_OK) {
        rc = sockets_dial(&peer, &ready.fd, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    do {
        count = poll(&ready, 1, DIAL_MS);
    } while (count < 0 && errno == EINTR);
    rc = count > 0 ? sockets_dialled(ready.fd, err) : err_set(err, ERR_TIMEOUT, "no answer");
    if (rc != ERR_OK) {
        (void)close(ready.fd); /* nothing was sent */
        return err_wrap(err, ERR_UNAVAILABLE,
                        "%s: does the host that gave the token out still wait, and is the port "
                        "open?",
                        address);
    }
    *ret_file = ready.fd;
    return ERR_OK;
}

static enum err_code connect_to(struct join *join, const struct token *token, struct err *err)
{
    struct tls_identity *identity = NULL;
    int file = -1;
    enum err_code rc = tls_identity_new_pinned(token->fingerprint, &identity, err);

    rc = rc == ERR_OK ? dial(token, &file, err) : rc;
    if (rc == ERR_OK) {
        rc = talk_new(identity, file, ENROL_TALK_MS, &join->talk, err);
    }
    tls_identity_free(identity);
    return rc;
}

static enum err_code
send_request(struct join *join, const struct token *token, struct x509_key *key, struct err *err)
{
    AUTO_BUF struct buf *bytes = NULL;
    struct request *request = &join->request;
    enum err_code rc = buf_new(ENROL_REQUEST_SIZE_MAX, &bytes, err);

    request->role = token->role;
    request->fence = token->fence;
    offer_derive(token->secret, join->key, request->id);
    x509_key_public(key, request->public);
    request_transcript(request, token->fingerprint, join->transcript);
    rc = rc == ERR_OK ? x509_prove(key, join->transcript, request->proof, &request->proof_size, err)
                      : rc;
    if (rc == ERR_OK) {
        request_mac(request, join->key, join->transcript, request->mac);
        rc = request_encode(request, bytes, err);
    }
    return rc == ERR_OK ? talk_send(join->talk, buf_span(bytes), err) : rc;
}

static enum err_code receive_reply(struct join *join, struct err *err)
{
    enum err_code rc = talk_receive(join->talk, ENROL_REPLY_SIZE_MAX, &join->bytes, err);

    if (rc == ERR_OK) {
        rc = reply_decode(buf_span(join->bytes), join->key, join->transcript, &join->reply, err);
    }
    if (rc == ERR_OK && !join->reply.granted) {
        struct span reason = join->reply.reason;
        bool used = reason.size >= sizeof MESSAGE_USED - 1 &&
                    memcmp(reason.data, MESSAGE_USED, sizeof MESSAGE_USED - 1) == 0;

        return err_set(err, used ? ERR_EXISTS : ERR_DENIED, "refused: %.*s", SPAN_ARGS(reason));
    }
    return rc;
}

enum err_code
join_ask(const struct token *token, struct x509_key *key, struct join **ret_join, struct err *err)
{
    struct join *join = mem_new(1, sizeof *join);
    enum err_code rc;

    if (join == NULL) {
        return err_set(err, ERR_NOMEM, "join");
    }
    rc = connect_to(join, token, err);
    rc = rc == ERR_OK ? send_request(join, token, key, err) : rc;
    rc = rc == ERR_OK ? receive_reply(join, err) : rc;
    if (rc != ERR_OK) {
        join_free(join);
        return rc;
    }
    *ret_join = join;
    return ERR_OK;
}

const struct reply *join_grant(const struct join *join)
{
    return &join->reply;
}

enum err_code join_done(struct join *join, struct err *err)
{
    uint8_t mac[MESSAGE_MAC_SIZE];

    done_mac(join->key, join->transcript, mac);
    return talk_send(join->talk, span_of(mac, sizeof mac), err);
}

void join_free(struct join *join)
{
    if (join != NULL) {
        talk_free(join->talk);
        if (join->bytes != NULL) {
            buf_wipe(join->bytes);
        }
        buf_free(join->bytes);
        mem_wipe(join, sizeof *join);
        mem_free(join);
    }
}

/* -- which token it is of -------------------------------------------------------------------- */

/* The offer's name, which goes over the wire in the clear. */
static void name_of(const struct token *token, char ret_name[NAME_SIZE])
{
    uint8_t key[CRYPTO_SHA256_SIZE];
    uint8_t id[OFFER_ID_SIZE];

    offer_derive(token->secret, key, id);
    mem_wipe(key, sizeof key);
    crypto_hex(id, sizeof id, ret_name);
}

bool join_is_of(const char *path, const struct token *token)
{
    AUTO_BUF struct buf *buf = NULL;
    struct err ignored = ERR_INIT;
    char name[NAME_SIZE];

    name_of(token, name);
    return files_read(path, NAME_SIZE, &buf, &ignored) == ERR_OK && span_is(buf_span(buf), name);
}

enum err_code join_begin(const char *path, const struct token *token, struct err *err)
{
    char name[NAME_SIZE];

    name_of(token, name);
    return files_write(path, span_text(name), 0600, FILES_ANY_GROUP, err);
}

/* -- the token ------------------------------------------------------------------------------- */

/* One line, read byte by byte: what stands behind it is not ours. */
static size_t read_line(char *text, size_t size_max)
{
    size_t size = 0;

    while (size < size_max) {
        ssize_t got = read(STDIN_FILENO, text + size, 1);

        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0 || text[size] == '\n') {
            break;
        }
        size++;
    }
    return size;
}

enum err_code join_read_token(struct token *ret_token, struct err *err)
{
    struct termios usual;
    struct termios silent;
    char text[2 * TOKEN_TEXT_SIZE_MAX]; /* longer is no token */
    bool terminal = tcgetattr(STDIN_FILENO, &usual) == 0;
    enum err_code rc;
    size_t size;

    if (terminal) {
        silent = usual;
        silent.c_lflag &= ~(tcflag_t)ECHO;
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent); /* else it is seen, as any typing */
        (void)fprintf(stderr, "Join token: ");             /* a prompt */
    }
    size = read_line(text, sizeof text);
    if (terminal) {
        (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &usual);
        (void)fprintf(stderr, "\n");
    }
    rc = token_parse(span_of(text, size), ret_token, err);
    mem_wipe(text, sizeof text);
    return rc;
}
