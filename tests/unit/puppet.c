/* SPDX-License-Identifier: Apache-2.0 */
/* puppet.c: a host 2 that a test leads by the hand.
 * Owns its connection. Never keeps a record: it knows the last one's position. */
#include "tests/unit/puppet.h"

#include "base/mem.h"
#include "base/tls_peer.h"
#include "storage/link_buf.h"

#include <CUnit/CUnit.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define ROOM (4UL * MESSAGE_BODY_SIZE_MAX)

static int dial(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_FATAL(file >= 0);
    CU_ASSERT_EQUAL_FATAL(connect(file, (struct sockaddr *)&address, sizeof address), 0);
    return file;
}

bool puppet_shake(struct puppet *puppet)
{
    enum err_code rc = ERR_OK;
    bool done = false;

    for (int i = 0; i < 1000 && rc == ERR_OK && !done; i++) {
        struct pollfd file = {.fd = tls_peer_file(puppet->tls), .events = POLLIN};

        rc = tls_peer_handshake(puppet->tls, &done, NULL);
        if (rc == ERR_OK && !done) {
            (void)poll(&file, 1, 10);
        }
    }
    return rc == ERR_OK && done;
}

void puppet_dial(struct puppet *puppet, struct pair_bench *bench)
{
    const struct tls_identity_options options = {.side = TLS_SIDE_CLIENT,
                                                 .certificate = bench->cert[1],
                                                 .key = bench->key[1],
                                                 .ca = bench->ca,
                                                 .peer_name = "one.pair"};
    struct err err = ERR_INIT;

    memset(puppet, 0, sizeof *puppet);
    puppet->bench = bench;
    puppet->incarnation = 4711;
    memset(puppet->store_id, 9, STORAGE_ID_SIZE);
    puppet->in = mem_new(1, ROOM);
    puppet->out = mem_new(1, ROOM);
    CU_ASSERT_FATAL(puppet->in != NULL && puppet->out != NULL);
    CU_ASSERT_EQUAL_FATAL(tls_identity_new(&options, &puppet->identity, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(tls_peer_new(puppet->identity, dial(bench->port), &puppet->tls, &err),
                          ERR_OK);
}

void puppet_init(struct puppet *puppet, struct pair_bench *bench)
{
    puppet_dial(puppet, bench);
    CU_ASSERT_FATAL(puppet_shake(puppet));
}

void puppet_done(struct puppet *puppet)
{
    tls_identity_free(puppet->identity); /* the stream holds it */
    tls_peer_free(puppet->tls);
    mem_free(puppet->in);
    mem_free(puppet->out);
}

void puppet_say(struct puppet *puppet, const struct message *message)
{
    size_t size = message_size(message);

    CU_ASSERT_FATAL(size <= ROOM - puppet->out_size);
    message_encode(message, puppet->out + puppet->out_size);
    puppet->out_size += size;
}

void puppet_hello(struct puppet *puppet)
{
    struct message message = {.type = MESSAGE_HELLO};
    struct message_state *state = &message.u.state;

    *state = (struct message_state){.version_min = MESSAGE_VERSION_MIN,
                                    .version_max = MESSAGE_VERSION_MAX,
                                    .lineage = BENCH_LINEAGE,
                                    .incarnation = puppet->incarnation,
                                    .host = 2,
                                    .role = REPLICA_IDLE,
                                    .last = puppet->last};
    memset(state->cluster_id, 7, STORAGE_ID_SIZE);
    memcpy(state->store_id, puppet->store_id, STORAGE_ID_SIZE);
    puppet_say(puppet, &message);
}

void puppet_bye(struct puppet *puppet, const char *reason)
{
    struct message message = {.type = MESSAGE_BYE};

    message.u.bye.reason = span_text(reason);
    puppet_say(puppet, &message);
}

static void say_follow(struct puppet *puppet, enum message_type type)
{
    struct message message = {.type = type};
    struct message_follow *follow = &message.u.follow;

    *follow = (struct message_follow){
        .epoch = puppet->lead.epoch, .incarnation = puppet->lead.incarnation, .last = puppet->last};
    memcpy(follow->store_id, puppet->store_id, STORAGE_ID_SIZE);
    puppet_say(puppet, &message);
}

void puppet_acknowledge(struct puppet *puppet)
{
    say_follow(puppet, MESSAGE_ACK);
}

void puppet_flush(struct puppet *puppet)
{
    struct err err = ERR_INIT;
    size_t done = 0;

    while (!puppet->ended && done < puppet->out_size) {
        size_t sent = 0;

        CU_ASSERT_EQUAL_FATAL(tls_peer_write(puppet->tls,
                                             span_of(puppet->out + done, puppet->out_size - done),
                                             &sent, &err),
                              ERR_OK);
        done += sent;
    }
    puppet->out_size = 0;
}

void puppet_end(struct puppet *puppet)
{
    tls_peer_end(puppet->tls);
    CU_ASSERT_EQUAL(shutdown(tls_peer_file(puppet->tls), SHUT_WR), 0);
    puppet->ended = true;
}

static void take_records(struct puppet *puppet, struct span bytes)
{
    while (bytes.size > 0) {
        struct err err = ERR_INIT;
        struct record record;
        size_t size = 0;

        CU_ASSERT_EQUAL_FATAL(record_shared_decode(bytes, &record, &puppet->last, &size, &err),
                              ERR_OK);
        bytes = span_of(bytes.data + size, bytes.size - size);
    }
    if (!puppet->hold_acks) {
        puppet_acknowledge(puppet);
    }
}

static void answer(struct puppet *puppet, const struct message *message)
{
    struct message echo = *message;

    switch ((int)message->type) {
    case MESSAGE_LEAD:
        puppet->lead = message->u.lead;
        say_follow(puppet, MESSAGE_FOLLOW);
        break;
    case MESSAGE_CUT:
        puppet->last = message->u.place.position;
        puppet_acknowledge(puppet);
        break;
    case MESSAGE_APPEND:
        take_records(puppet, message->u.bytes.bytes);
        break;
    case MESSAGE_PING:
        echo.type = MESSAGE_ECHO;
        echo.u.ping.lsn_commit = 0;
        memcpy(echo.u.ping.store_id, puppet->store_id, STORAGE_ID_SIZE);
        puppet_say(puppet, &echo);
        break;
    default:
        break;
    }
}

void puppet_step(struct puppet *puppet)
{
    struct message message;
    struct err err = ERR_INIT;
    struct span frame;
    size_t got = 0;

    if (puppet->ended) {
        return;
    }
    CU_ASSERT_EQUAL_FATAL(tls_peer_read(puppet->tls, puppet->in + puppet->in_size,
                                        ROOM - puppet->in_size, &got, &err),
                          ERR_OK);
    puppet->in_size += got;
    while (link_frame_first(span_of((char *)puppet->in, puppet->in_size), &frame, &err) == ERR_OK) {
        CU_ASSERT_EQUAL_FATAL(message_decode(frame, &message, &err), ERR_OK);
        answer(puppet, &message);
        puppet->in_size -= frame.size;
        memmove(puppet->in, puppet->in + frame.size, puppet->in_size);
    }
    puppet_flush(puppet);
}
