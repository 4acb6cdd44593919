/* SPDX-License-Identifier: Apache-2.0 */
/* test_tls_pin.c: proves the two kinds of identity of base/tls_peer that know no CA: the client
 * that accepts one certificate, and the server that anybody may call. Owns a folder under the
 * system's temporary one. Never touches a network. */
#include "base/buf.h"
#include "base/tls_peer.h"
#include "base/x509.h"
#include "tests/unit/cert.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct bench {
    char folder[32];
    char ca[64];
    char cert[64];
    char key[64];
    uint8_t pin[TLS_PIN_SIZE];
};

/* A certificate that has ended long ago and bears no name: the pin alone counts. */
static void bench_start(struct bench *bench)
{
    struct cert_leaf leaf = {.not_after = "20210101000000"};
    struct cert_ca *ca;
    struct x509_facts facts;
    struct err err = ERR_INIT;
    char text[4096];
    size_t size;
    FILE *file;

    (void)snprintf(bench->folder, sizeof bench->folder, "/tmp/test_tls_pin.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(bench->folder));
    (void)snprintf(bench->ca, sizeof bench->ca, "%s/ca.crt", bench->folder);
    (void)snprintf(bench->cert, sizeof bench->cert, "%s/own.crt", bench->folder);
    (void)snprintf(bench->key, sizeof bench->key, "%s/own.key", bench->folder);
    ca = cert_ca_new("pair", bench->ca);
    cert_leaf_write(ca, &leaf, bench->cert, bench->key);
    cert_ca_free(ca);
    file = fopen(bench->cert, "re");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    size = fread(text, 1, sizeof text, file);
    (void)fclose(file); /* read only */
    CU_ASSERT_EQUAL_FATAL(x509_look(span_of(text, size), &facts, &err), ERR_OK);
    memcpy(bench->pin, facts.fingerprint, sizeof bench->pin);
}

static void bench_stop(struct bench *bench)
{
    CU_ASSERT_EQUAL(unlink(bench->ca), 0);
    CU_ASSERT_EQUAL(unlink(bench->cert), 0);
    CU_ASSERT_EQUAL(unlink(bench->key), 0);
    CU_ASSERT_EQUAL(rmdir(bench->folder), 0);
}

struct talk {
    struct tls_peer *server;
    struct tls_peer *client;
    enum err_code server_rc;
    enum err_code client_rc;
    struct err err;
};

static void talk_start(struct talk *talk, const struct bench *bench, const uint8_t *pin)
{
    struct tls_identity *server = NULL;
    struct tls_identity *client = NULL;
    bool server_done = false;
    bool client_done = false;
    int files[2];

    memset(talk, 0, sizeof *talk);
    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, files), 0);
    CU_ASSERT_EQUAL_FATAL(tls_identity_new_anonymous(bench->cert, bench->key, &server, &talk->err),
                          ERR_OK);
    CU_ASSERT_EQUAL_FATAL(tls_identity_new_pinned(pin, &client, &talk->err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(tls_peer_new(server, files[0], &talk->server, &talk->err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(tls_peer_new(client, files[1], &talk->client, &talk->err), ERR_OK);
    tls_identity_free(server);
    tls_identity_free(client);
    for (int i = 0; i < 200 && !(server_done && client_done); i++) {
        if (talk->client_rc == ERR_OK && !client_done) {
            talk->client_rc = tls_peer_handshake(talk->client, &client_done, &talk->err);
        }
        if (talk->server_rc == ERR_OK && !server_done) {
            talk->server_rc = tls_peer_handshake(talk->server, &server_done, &talk->err);
        }
    }
    CU_ASSERT(server_done);
}

static void talk_stop(struct talk *talk)
{
    tls_peer_free(talk->server);
    tls_peer_free(talk->client);
}

static void test_pinned(void)
{
    struct bench bench;
    struct talk talk;
    size_t size = 0;
    char text[8] = "";

    bench_start(&bench);
    talk_start(&talk, &bench, bench.pin);
    CU_ASSERT_EQUAL_FATAL(talk.client_rc, ERR_OK);
    CU_ASSERT_EQUAL(tls_peer_write(talk.client, SPAN_LITERAL("hello"), &size, &talk.err), ERR_OK);
    CU_ASSERT_EQUAL(size, 5);
    CU_ASSERT_EQUAL(tls_peer_read(talk.server, text, sizeof text - 1, &size, &talk.err), ERR_OK);
    CU_ASSERT_STRING_EQUAL(text, "hello");
    talk_stop(&talk);
    bench_stop(&bench);
}

static void test_other_certificate(void)
{
    struct bench bench;
    struct talk talk;

    bench_start(&bench);
    for (size_t byte = 0; byte < TLS_PIN_SIZE; byte += 31) {
        bench.pin[byte] ^= 1;
        talk_start(&talk, &bench, bench.pin);
        CU_ASSERT_EQUAL(talk.client_rc, ERR_DENIED);
        talk_stop(&talk);
        bench.pin[byte] ^= 1;
    }
    bench_stop(&bench);
}

UNIT_MAIN("tls_pin",
          {"the pinned certificate is accepted, whatever its time and name", test_pinned},
          {"any other certificate ends the handshake for the client", test_other_certificate})
