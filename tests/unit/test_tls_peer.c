/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls_peer.c: proves base/tls_peer over socket pairs: who is let in, who is not, and that the
 * bytes arrive whatever the pieces.
 * Owns a folder under the system's temporary one for its certificates; touches no network. */
#include "base/mem.h"
#include "base/tls_peer.h"
#include "tests/unit/cert.h"
#include "tests/unit/starve.h"
#include "tests/unit/unit.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STEP_COUNT_MAX 10000 /* turns of one conversation; a real one has some dozens */
#define LARGE          ((size_t)1024 * 1024)

enum leaf { LEAF_ONE, LEAF_TWO, LEAF_OTHER_CA, LEAF_EXPIRED, LEAF_FUTURE, LEAF_NAMELESS, LEAF_END };

struct bench {
    char folder[40];
    char ca[2][64];
    char cert[LEAF_END][64];
    char key[LEAF_END][64];
};

struct side {
    struct tls_identity *identity;
    struct tls_peer *peer;
    enum err_code rc;
    struct err err;
    bool done;
};

static void bench_start(struct bench *bench)
{
    static const struct cert_leaf leaves[LEAF_END] = {
        [LEAF_ONE] = {.dns_name = "one.pair"},
        [LEAF_TWO] = {.dns_name = "two.pair"},
        [LEAF_OTHER_CA] = {.dns_name = "two.pair"},
        [LEAF_EXPIRED] = {.dns_name = "two.pair", .not_after = "20210101000000"},
        [LEAF_FUTURE] = {.dns_name = "two.pair", .not_before = "20480101000000"},
        [LEAF_NAMELESS] = {.dns_name = NULL},
    };
    char folder[sizeof bench->folder] = "/tmp/test_tls_peer.XXXXXX";
    struct cert_ca *authorities[2];

    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(folder));
    for (int i = 0; i < 2; i++) {
        (void)snprintf(bench->ca[i], sizeof bench->ca[i], "%s/ca%d.pem", folder, i);
        authorities[i] = cert_ca_new("pair", bench->ca[i]);
    }
    for (int i = 0; i < LEAF_END; i++) {
        (void)snprintf(bench->cert[i], sizeof bench->cert[i], "%s/cert%d.pem", folder, i);
        (void)snprintf(bench->key[i], sizeof bench->key[i], "%s/key%d.pem", folder, i);
        cert_leaf_write(authorities[i == LEAF_OTHER_CA ? 1 : 0], &leaves[i], bench->cert[i],
                        bench->key[i]);
    }
    memcpy(bench->folder, folder, sizeof folder);
    cert_ca_free(authorities[0]);
    cert_ca_free(authorities[1]);
}

static void bench_stop(struct bench *bench)
{
    for (int i = 0; i < LEAF_END; i++) {
        CU_ASSERT_EQUAL(unlink(bench->cert[i]), 0);
        CU_ASSERT_EQUAL(unlink(bench->key[i]), 0);
    }
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(unlink(bench->ca[i]), 0);
    }
    CU_ASSERT_EQUAL(rmdir(bench->folder), 0);
}

static void side_start(struct side *side, const struct tls_identity_options *options, int file)
{
    memset(side, 0, sizeof *side);
    CU_ASSERT_EQUAL_FATAL(tls_identity_new(options, &side->identity, &side->err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(tls_peer_new(side->identity, file, &side->peer, &side->err), ERR_OK);
}

static void side_stop(struct side *side)
{
    tls_identity_free(side->identity); /* the stream holds it */
    tls_peer_free(side->peer);
}

/* Host 1 with its own certificate, host 2 with the given one, over a socket pair. */
static void
couple(const struct bench *bench, enum leaf leaf, const char *awaited, struct side sides[2])
{
    struct tls_identity_options options[2] = {{.side = TLS_SIDE_SERVER,
                                               .certificate = bench->cert[LEAF_ONE],
                                               .key = bench->key[LEAF_ONE],
                                               .ca = bench->ca[0],
                                               .peer_name = awaited},
                                              {.side = TLS_SIDE_CLIENT,
                                               .certificate = bench->cert[leaf],
                                               .key = bench->key[leaf],
                                               .ca = bench->ca[0],
                                               .peer_name = "one.pair"}};
    int files[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, files), 0);
    side_start(&sides[0], &options[0], files[0]);
    side_start(&sides[1], &options[1], files[1]);
}

static void side_step(struct side *side)
{
    if (side->rc == ERR_OK && !side->done) {
        side->rc = tls_peer_handshake(side->peer, &side->done, &side->err);
    }
}

static void shake(struct side sides[2])
{
    for (int i = 0; i < 200 && !(sides[0].done && sides[1].done); i++) {
        side_step(&sides[1]);
        side_step(&sides[0]);
        CU_ASSERT(sides[0].rc != ERR_OK || sides[0].done || tls_peer_wants(sides[0].peer) != 0);
        if (sides[0].rc != ERR_OK) {
            return;
        }
    }
}

/* A client may learn by its first read only. */
static enum err_code learn(struct side *side)
{
    char byte;
    size_t size;

    side_step(side);
    if (side->rc == ERR_OK && side->done) {
        side->rc = tls_peer_read(side->peer, &byte, 1, &size, &side->err);
    }
    return side->rc;
}

static char byte_at(size_t index)
{
    return (char)('a' + index % 23);
}

/* Sends size bytes from one side to the other in pieces, reading in pieces, as the loop would. */
static void
carry(struct side *from, struct side *to, size_t size, size_t write_size, size_t read_size)
{
    char *out = mem_new(size, 1);
    char *in = mem_new(size, 1);
    size_t sent = 0;
    size_t got = 0;

    CU_ASSERT_FATAL(out != NULL && in != NULL);
    for (size_t i = 0; i < size; i++) {
        out[i] = byte_at(i);
    }
    for (size_t turn = 0; got < size && turn < size * 4 + STEP_COUNT_MAX; turn++) {
        size_t piece = size - sent < write_size ? size - sent : write_size;
        size_t room = size - got < read_size ? size - got : read_size;
        size_t count = 0;

        if (piece > 0) {
            /* A refused write is offered again with the same beginning: out + sent is that. */
            CU_ASSERT_EQUAL_FATAL(
                tls_peer_write(from->peer, span_of(out + sent, piece), &count, &from->err), ERR_OK);
            CU_ASSERT_FATAL(count <= piece);
            CU_ASSERT(count > 0 || (tls_peer_wants(from->peer) & POLLOUT) != 0);
            sent += count;
        }
        CU_ASSERT_EQUAL_FATAL(tls_peer_read(to->peer, in + got, room, &count, &to->err), ERR_OK);
        got += count;
    }
    CU_ASSERT_EQUAL(got, size);
    CU_ASSERT_EQUAL(memcmp(in, out, size), 0);
    CU_ASSERT(!tls_peer_pending(to->peer));
    mem_free(out);
    mem_free(in);
}

static void test_both_sides_speak(void)
{
    struct bench bench;
    struct side sides[2];
    struct tls_validity validity;

    bench_start(&bench);
    couple(&bench, LEAF_TWO, "two.pair", sides);
    shake(sides);
    CU_ASSERT_FATAL(sides[0].done && sides[1].done);
    CU_ASSERT_EQUAL(tls_peer_wants(sides[0].peer), POLLIN);
    carry(&sides[0], &sides[1], 100, 100, 1000);
    carry(&sides[1], &sides[0], 100, 100, 7);
    carry(&sides[0], &sides[1], 300, 1, 300);
    carry(&sides[1], &sides[0], LARGE, LARGE, 4096);
    carry(&sides[0], &sides[1], LARGE, 100000, LARGE);
    tls_identity_validity(sides[0].identity, &validity);
    CU_ASSERT_EQUAL(validity.not_after_s, CERT_NOT_AFTER_S);
    CU_ASSERT_EQUAL(validity.ca_not_after_s, CERT_NOT_AFTER_S);
    CU_ASSERT_EQUAL(validity.not_before_s, 1577836800);
    side_stop(&sides[0]);
    side_stop(&sides[1]);
    bench_stop(&bench);
}

/* The server lets nobody in but the one: by leaf and awaited name. */
static void test_wrong_clients_are_refused(void)
{
    static const struct {
        enum leaf leaf;
        const char *awaited;
        const char *reason;
    } cases[] = {{LEAF_OTHER_CA, "two.pair", "not correctly signed"},
                 {LEAF_TWO, "three.pair", "does not match"},
                 {LEAF_TWO, "wo.pair", "does not match"},
                 {LEAF_NAMELESS, "none", "does not match"},
                 {LEAF_EXPIRED, "two.pair", "expired"},
                 {LEAF_FUTURE, "two.pair", "future"}};
    struct bench bench;

    bench_start(&bench);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct side sides[2];

        couple(&bench, cases[i].leaf, cases[i].awaited, sides);
        shake(sides);
        CU_ASSERT_EQUAL(sides[0].rc, ERR_DENIED);
        CU_ASSERT_PTR_NOT_NULL(strstr(sides[0].err.message, cases[i].reason));
        CU_ASSERT_PTR_NULL(strchr(sides[0].err.message, '\n'));
        CU_ASSERT_PTR_NOT_NULL(strstr(sides[0].err.message, cases[i].awaited));
        tls_peer_free(sides[0].peer); /* the alert is on its way */
        sides[0].peer = NULL;
        CU_ASSERT_NOT_EQUAL(learn(&sides[1]), ERR_OK);
        side_stop(&sides[0]);
        side_stop(&sides[1]);
    }
    bench_stop(&bench);
}

/* The client lets no server in but the one. */
static void test_wrong_servers_are_refused(void)
{
    static const enum leaf leaves[] = {LEAF_OTHER_CA, LEAF_EXPIRED, LEAF_FUTURE, LEAF_NAMELESS,
                                       LEAF_ONE};
    struct bench bench;

    bench_start(&bench);
    for (size_t i = 0; i < sizeof leaves / sizeof leaves[0]; i++) {
        struct tls_identity_options server = {.side = TLS_SIDE_SERVER,
                                              .certificate = bench.cert[leaves[i]],
                                              .key = bench.key[leaves[i]],
                                              .ca = bench.ca[0],
                                              .peer_name = "one.pair"};
        struct tls_identity_options client = {.side = TLS_SIDE_CLIENT,
                                              .certificate = bench.cert[LEAF_ONE],
                                              .key = bench.key[LEAF_ONE],
                                              .ca = bench.ca[0],
                                              .peer_name = "two.pair"};
        struct side sides[2];
        int files[2];

        CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, files), 0);
        side_start(&sides[0], &server, files[0]);
        side_start(&sides[1], &client, files[1]);
        for (int turn = 0; turn < 200 && sides[1].rc == ERR_OK && !sides[1].done; turn++) {
            side_step(&sides[1]);
            side_step(&sides[0]);
        }
        CU_ASSERT_EQUAL(sides[1].rc, ERR_DENIED);
        CU_ASSERT(!sides[0].done);
        side_stop(&sides[0]);
        side_stop(&sides[1]);
    }
    bench_stop(&bench);
}

/* A client that shows no certificate: the server's own identity, used as a stranger would. */
static void test_a_client_without_certificate_is_refused(void)
{
    struct bench bench;
    struct side sides[2];
    int files[2];
    struct cert_stranger *stranger;

    bench_start(&bench);
    {
        struct tls_identity_options server = {.side = TLS_SIDE_SERVER,
                                              .certificate = bench.cert[LEAF_ONE],
                                              .key = bench.key[LEAF_ONE],
                                              .ca = bench.ca[0],
                                              .peer_name = "two.pair"};

        CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, files), 0);
        side_start(&sides[0], &server, files[0]);
    }
    stranger = cert_stranger_new(files[1]);
    for (int turn = 0; turn < 200 && sides[0].rc == ERR_OK; turn++) {
        cert_stranger_step(stranger);
        side_step(&sides[0]);
    }
    CU_ASSERT_NOT_EQUAL(sides[0].rc, ERR_OK);
    CU_ASSERT(!sides[0].done);
    cert_stranger_free(stranger);
    side_stop(&sides[0]);
    bench_stop(&bench);
}

static void test_garbage_is_refused(void)
{
    static const char *const garbage[] = {"GET / HTTP/1.0\r\n\r\n",
                                          "\x16\x03\x01\xff\xff\x01\x00\x00",
                                          "\x15\x03\x03\x00\x02\x02\x28"};
    static const size_t sizes[] = {18, 8, 7};
    struct bench bench;

    bench_start(&bench);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct side sides[2];

        couple(&bench, LEAF_TWO, "two.pair", sides);
        CU_ASSERT_EQUAL(send(tls_peer_file(sides[1].peer), garbage[i], sizes[i], MSG_NOSIGNAL),
                        (ssize_t)sizes[i]);
        CU_ASSERT_EQUAL(shutdown(tls_peer_file(sides[1].peer), SHUT_WR), 0);
        for (int turn = 0; turn < 10; turn++) {
            side_step(&sides[0]);
        }
        CU_ASSERT(sides[0].rc == ERR_PROTOCOL || sides[0].rc == ERR_IO);
        CU_ASSERT(!sides[0].done);
        side_stop(&sides[0]);
        side_stop(&sides[1]);
    }
    bench_stop(&bench);
}

/* Garbage after the handshake never comes out as data. */
static void test_forged_bytes_end_the_stream(void)
{
    struct bench bench;
    struct side sides[2];
    char room[64];
    size_t size = 1;

    bench_start(&bench);
    couple(&bench, LEAF_TWO, "two.pair", sides);
    shake(sides);
    CU_ASSERT_FATAL(sides[0].done && sides[1].done);
    carry(&sides[1], &sides[0], 10, 10, 10);
    CU_ASSERT_EQUAL(send(tls_peer_file(sides[1].peer),
                         "\x17\x03\x03\x00\x20"
                         "0123456789abcdef0123456789abcdef",
                         37, MSG_NOSIGNAL),
                    37);
    CU_ASSERT_EQUAL(tls_peer_read(sides[0].peer, room, sizeof room, &size, &sides[0].err),
                    ERR_PROTOCOL);
    side_stop(&sides[0]);
    side_stop(&sides[1]);
    bench_stop(&bench);
}

static void test_an_end_is_told_from_a_cut(void)
{
    struct bench bench;

    bench_start(&bench);
    for (int cut = 0; cut < 2; cut++) {
        struct side sides[2];
        char room[64];
        size_t size = 0;

        couple(&bench, LEAF_TWO, "two.pair", sides);
        shake(sides);
        CU_ASSERT_FATAL(sides[0].done && sides[1].done);
        CU_ASSERT_EQUAL(
            tls_peer_write(sides[1].peer, SPAN_LITERAL("last words"), &size, &sides[1].err),
            ERR_OK);
        CU_ASSERT_EQUAL(size, 10);
        if (cut == 0) {
            tls_peer_end(sides[1].peer);
        }
        CU_ASSERT_EQUAL(shutdown(tls_peer_file(sides[1].peer), SHUT_WR), 0);
        CU_ASSERT_EQUAL(tls_peer_read(sides[0].peer, room, sizeof room, &size, &sides[0].err),
                        ERR_OK);
        CU_ASSERT_EQUAL(size, 10);
        CU_ASSERT_EQUAL(tls_peer_read(sides[0].peer, room, sizeof room, &size, &sides[0].err),
                        cut == 0 ? ERR_NOT_FOUND : ERR_IO);
        side_stop(&sides[0]);
        side_stop(&sides[1]);
    }
    bench_stop(&bench);
}

static void test_a_half_closed_peer_is_still_written_to(void)
{
    struct bench bench;
    struct side sides[2];
    char room[16];
    size_t size = 0;

    bench_start(&bench);
    couple(&bench, LEAF_TWO, "two.pair", sides);
    shake(sides);
    CU_ASSERT_FATAL(sides[0].done && sides[1].done);
    CU_ASSERT_EQUAL(shutdown(tls_peer_file(sides[1].peer), SHUT_WR), 0);
    CU_ASSERT_EQUAL(tls_peer_write(sides[0].peer, SPAN_LITERAL("bye"), &size, &sides[0].err),
                    ERR_OK);
    CU_ASSERT_EQUAL(size, 3);
    CU_ASSERT_EQUAL(tls_peer_read(sides[1].peer, room, sizeof room, &size, &sides[1].err), ERR_OK);
    CU_ASSERT_EQUAL(size, 3);
    CU_ASSERT_EQUAL(tls_peer_read(sides[0].peer, room, sizeof room, &size, &sides[0].err), ERR_IO);
    side_stop(&sides[0]);
    side_stop(&sides[1]);
    bench_stop(&bench);
}

/* The kernel takes no more: nothing is lost, and the write goes on where it stopped. */
static void test_a_full_socket_holds_the_writer(void)
{
    struct bench bench;
    struct side sides[2];
    char *bytes = mem_new(LARGE, 1);
    char *room = mem_new(LARGE, 1);
    size_t sent = 0;
    size_t got = 0;
    size_t size = 1;

    bench_start(&bench);
    couple(&bench, LEAF_TWO, "two.pair", sides);
    shake(sides);
    CU_ASSERT_FATAL(sides[0].done && sides[1].done && bytes != NULL && room != NULL);
    for (size_t i = 0; i < LARGE; i++) {
        bytes[i] = byte_at(i);
    }
    while (sent < LARGE && size > 0) {
        CU_ASSERT_EQUAL_FATAL(tls_peer_write(sides[0].peer, span_of(bytes + sent, LARGE - sent),
                                             &size, &sides[0].err),
                              ERR_OK);
        sent += size;
    }
    CU_ASSERT_FATAL(sent < LARGE);
    CU_ASSERT_EQUAL(tls_peer_wants(sides[0].peer), POLLIN | POLLOUT);
    /* A read between does not forget that a write waits. */
    CU_ASSERT_EQUAL(tls_peer_read(sides[0].peer, room, 10, &size, &sides[0].err), ERR_OK);
    CU_ASSERT_EQUAL(size, 0);
    CU_ASSERT_EQUAL(tls_peer_wants(sides[0].peer), POLLIN | POLLOUT);
    while (got < LARGE) {
        CU_ASSERT_EQUAL_FATAL(
            tls_peer_read(sides[1].peer, room + got, LARGE - got, &size, &sides[1].err), ERR_OK);
        got += size;
        if (sent < LARGE) {
            CU_ASSERT_EQUAL_FATAL(tls_peer_write(sides[0].peer, span_of(bytes + sent, LARGE - sent),
                                                 &size, &sides[0].err),
                                  ERR_OK);
            sent += size;
        }
    }
    CU_ASSERT_EQUAL(memcmp(bytes, room, LARGE), 0);
    CU_ASSERT_EQUAL(tls_peer_wants(sides[0].peer), POLLIN);
    mem_free(bytes);
    mem_free(room);
    side_stop(&sides[0]);
    side_stop(&sides[1]);
    bench_stop(&bench);
}

static void test_bad_files_are_named(void)
{
    struct bench bench;
    struct tls_identity *identity = NULL;
    struct err err = ERR_INIT;
    struct tls_identity_options good;

    bench_start(&bench);
    good = (struct tls_identity_options){.side = TLS_SIDE_CLIENT,
                                         .certificate = bench.cert[LEAF_ONE],
                                         .key = bench.key[LEAF_ONE],
                                         .ca = bench.ca[0],
                                         .peer_name = "two.pair"};
    for (int i = 0; i < 4; i++) {
        struct tls_identity_options bad = good;
        const char *culprit = "/nonexistent/file.pem";

        bad.certificate = i == 0 ? culprit : bad.certificate;
        bad.key = i == 1 ? culprit : bad.key;
        bad.ca = i == 2 ? culprit : bad.ca;
        if (i == 3) {
            culprit = bench.key[LEAF_TWO]; /* of another certificate */
            bad.key = culprit;
        }
        CU_ASSERT_EQUAL(tls_identity_new(&bad, &identity, &err), ERR_INVALID);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, culprit));
        CU_ASSERT_PTR_NULL(identity);
    }
    bench_stop(&bench);
}

static enum err_code attempt(void *arg)
{
    const struct tls_identity_options *options = arg;
    struct tls_identity *identity = NULL;
    struct tls_peer *peer = NULL;
    struct err err = ERR_INIT;
    int files[2];
    enum err_code rc = tls_identity_new(options, &identity, &err);

    if (rc == ERR_OK) {
        CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, files), 0);
        rc = tls_peer_new(identity, files[0], &peer, &err);
        tls_peer_free(peer);
        CU_ASSERT_EQUAL(close(files[1]), 0);
    }
    tls_identity_free(identity);
    return rc;
}

static void test_running_out_of_memory_leaves_nothing(void)
{
    struct bench bench;
    struct tls_identity_options options;

    bench_start(&bench);
    options = (struct tls_identity_options){.side = TLS_SIDE_SERVER,
                                            .certificate = bench.cert[LEAF_ONE],
                                            .key = bench.key[LEAF_ONE],
                                            .ca = bench.ca[0],
                                            .peer_name = "two.pair"};
    CU_ASSERT(starve_each(attempt, &options) >= 3);
    bench_stop(&bench);
}

static void test_the_last_words_are_read_after_a_failed_write(void)
{
    struct bench bench;
    struct side sides[2];
    char room[32];
    size_t count = 0;

    bench_start(&bench);
    couple(&bench, LEAF_TWO, "two.pair", sides);
    shake(sides);
    CU_ASSERT_EQUAL(tls_peer_write(sides[1].peer, SPAN_LITERAL("last words"), &count, NULL),
                    ERR_OK);
    CU_ASSERT_EQUAL(count, 10);
    CU_ASSERT_EQUAL(shutdown(tls_peer_file(sides[1].peer), SHUT_RD), 0);
    CU_ASSERT_EQUAL(tls_peer_write(sides[0].peer, SPAN_LITERAL("x"), &count, NULL), ERR_IO);
    CU_ASSERT_EQUAL(tls_peer_wants(sides[0].peer), POLLIN);
    CU_ASSERT_EQUAL(tls_peer_read(sides[0].peer, room, sizeof room, &count, NULL), ERR_OK);
    CU_ASSERT_EQUAL(count, 10);
    CU_ASSERT_EQUAL(memcmp(room, "last words", 10), 0);
    tls_peer_end(sides[0].peer);
    side_stop(&sides[0]);
    side_stop(&sides[1]);
    bench_stop(&bench);
}

static void test_the_suite_is_the_fastest(void)
{
    struct bench bench;
    struct side sides[2];

    bench_start(&bench);
    couple(&bench, LEAF_TWO, "two.pair", sides);
    shake(sides);
#if defined(__x86_64__)
    CU_ASSERT_PTR_NOT_NULL(strstr(tls_peer_suite(sides[0].peer), "AES-128-CCM"));
#endif
    CU_ASSERT_STRING_EQUAL(tls_peer_suite(sides[0].peer), tls_peer_suite(sides[1].peer));
    side_stop(&sides[0]);
    side_stop(&sides[1]);
    bench_stop(&bench);
}

UNIT_MAIN("tls_peer",
          {"two that know each other speak, whatever the pieces", test_both_sides_speak},
          {"the suite is the fastest", test_the_suite_is_the_fastest},
          {"wrong clients are refused with the reason", test_wrong_clients_are_refused},
          {"wrong servers are refused", test_wrong_servers_are_refused},
          {"a client without a certificate is refused",
           test_a_client_without_certificate_is_refused},
          {"garbage is refused", test_garbage_is_refused},
          {"forged bytes end the stream", test_forged_bytes_end_the_stream},
          {"an end is told from a cut", test_an_end_is_told_from_a_cut},
          {"a half-closed peer is still written to", test_a_half_closed_peer_is_still_written_to},
          {"the last words are read after a failed write",
           test_the_last_words_are_read_after_a_failed_write},
          {"a full socket holds the writer", test_a_full_socket_holds_the_writer},
          {"bad files are named", test_bad_files_are_named},
          {"running out of memory leaves nothing behind",
           test_running_out_of_memory_leaves_nothing})
