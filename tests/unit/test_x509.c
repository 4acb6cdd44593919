/* SPDX-License-Identifier: Apache-2.0 */
/* test_x509.c: proves base/x509: who has which key, who issued what, and that a TLS stack agrees on
 * what the certificates are good for.
 * Owns a folder under the system's temporary one. Never touches a network. */
#include "base/x509.h"

#include "base/buf.h"
#include "base/tls_peer.h"
#include "tests/unit/starve.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TEXT_SIZE_MAX 8192

static const struct x509_validity years = {.not_before_s = 1577836800, .not_after_s = 4102444799};

static struct x509_authority *authority_new(void)
{
    struct x509_authority *authority = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(x509_authority_new("test pair", &years, &authority, &err), ERR_OK);
    return authority;
}

static struct x509_key *key_new(void)
{
    struct x509_key *key = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(x509_key_new(&key, &err), ERR_OK);
    return key;
}

static struct buf *text_new(void)
{
    struct buf *buf = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(buf_new(TEXT_SIZE_MAX, &buf, &err), ERR_OK);
    return buf;
}

static struct buf *
issue(struct x509_authority *authority, struct x509_key *key, const struct x509_leaf *leaf)
{
    struct buf *buf = text_new();
    uint8_t public[X509_PUBLIC_SIZE];
    struct err err = ERR_INIT;

    x509_key_public(key, public);
    CU_ASSERT_EQUAL_FATAL(x509_issue(authority, leaf, public, buf, &err), ERR_OK);
    return buf;
}

static struct buf *authority_text(struct x509_authority *authority)
{
    struct buf *buf = text_new();
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL_FATAL(x509_authority_format(authority, buf, &err), ERR_OK);
    return buf;
}

static const struct x509_leaf usual = {
    .common_name = "one",
    .names = {"one.pair", "192.0.2.1", "2001:db8::1"},
    .server = true,
    .client = true,
    .validity = {.not_before_s = 1577836800, .not_after_s = 4102444799}};

static void test_issuer(void)
{
    struct x509_authority *ours = authority_new();
    struct x509_authority *theirs = authority_new();
    struct x509_key *key = key_new();
    AUTO_BUF struct buf *leaf = issue(ours, key, &usual);
    AUTO_BUF struct buf *our_text = authority_text(ours);
    AUTO_BUF struct buf *their_text = authority_text(theirs);
    AUTO_BUF struct buf *both = authority_text(theirs);
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(buf_append_span(both, buf_span(our_text), &err), ERR_OK);
    CU_ASSERT_EQUAL(x509_check_issuer(buf_span(leaf), buf_span(our_text), &err), ERR_OK);
    CU_ASSERT_EQUAL(x509_check_issuer(buf_span(leaf), buf_span(both), &err), ERR_OK);
    CU_ASSERT_EQUAL(x509_check_issuer(buf_span(leaf), buf_span(their_text), &err), ERR_DENIED);
    CU_ASSERT_EQUAL(x509_check_issuer(buf_span(leaf), buf_span(leaf), &err), ERR_DENIED);
    x509_key_free(key);
    x509_authority_free(ours);
    x509_authority_free(theirs);
}

static void test_ended(void)
{
    struct x509_authority *ours = authority_new();
    struct x509_key *key = key_new();
    struct x509_leaf leaf = usual;
    struct err err = ERR_INIT;
    AUTO_BUF struct buf *text = NULL;
    AUTO_BUF struct buf *authority = authority_text(ours);

    leaf.validity.not_after_s = 1609459200;
    text = issue(ours, key, &leaf);
    CU_ASSERT_EQUAL(x509_check_issuer(buf_span(text), buf_span(authority), &err), ERR_OK);
    x509_key_free(key);
    x509_authority_free(ours);
}

static void test_look(void)
{
    struct x509_authority *ours = authority_new();
    struct x509_key *key = key_new();
    AUTO_BUF struct buf *leaf = issue(ours, key, &usual);
    AUTO_BUF struct buf *authority = authority_text(ours);
    uint8_t public[X509_PUBLIC_SIZE];
    struct x509_facts facts;
    struct x509_facts of_authority;
    struct err err = ERR_INIT;

    x509_key_public(key, public);
    CU_ASSERT_EQUAL_FATAL(x509_look(buf_span(leaf), &facts, &err), ERR_OK);
    CU_ASSERT_EQUAL(memcmp(facts.public, public, sizeof public), 0);
    CU_ASSERT_EQUAL(facts.validity.not_before_s, years.not_before_s);
    CU_ASSERT_EQUAL(facts.validity.not_after_s, years.not_after_s);
    CU_ASSERT_FALSE(facts.authority);
    CU_ASSERT_EQUAL_FATAL(x509_look(buf_span(authority), &of_authority, &err), ERR_OK);
    CU_ASSERT(of_authority.authority);
    CU_ASSERT_NOT_EQUAL(memcmp(of_authority.fingerprint, facts.fingerprint, X509_HASH_SIZE), 0);
    CU_ASSERT_EQUAL(x509_look(SPAN_LITERAL("no certificate"), &facts, &err), ERR_INVALID);
    CU_ASSERT_EQUAL(x509_look(SPAN_NONE, &facts, &err), ERR_INVALID);
    x509_key_free(key);
    x509_authority_free(ours);
}

static void test_first_end(void)
{
    struct x509_authority *ours = authority_new();
    struct x509_key *key = key_new();
    struct x509_leaf early = usual;
    AUTO_BUF struct buf *text = authority_text(ours);
    AUTO_BUF struct buf *leaf = NULL;
    uint64_t end_s = 0;
    struct err err = ERR_INIT;

    early.validity.not_after_s = 1609459200;
    leaf = issue(ours, key, &early);
    CU_ASSERT_EQUAL(x509_first_end(buf_span(text), &end_s, &err), ERR_OK);
    CU_ASSERT_EQUAL(end_s, years.not_after_s);
    CU_ASSERT_EQUAL(buf_append_span(text, buf_span(leaf), &err), ERR_OK);
    CU_ASSERT_EQUAL(x509_first_end(buf_span(text), &end_s, &err), ERR_OK);
    CU_ASSERT_EQUAL(end_s, 1609459200);
    CU_ASSERT_EQUAL(x509_first_end(SPAN_LITERAL("no certificate"), &end_s, &err), ERR_INVALID);
    x509_key_free(key);
    x509_authority_free(ours);
}

static void test_proof(void)
{
    struct x509_key *key = key_new();
    struct x509_key *other = key_new();
    uint8_t public[X509_PUBLIC_SIZE];
    uint8_t strange[X509_PUBLIC_SIZE];
    uint8_t hash[X509_HASH_SIZE] = {1, 2, 3};
    uint8_t proof[X509_PROOF_SIZE_MAX];
    size_t size = 0;
    struct err err = ERR_INIT;

    x509_key_public(key, public);
    x509_key_public(other, strange);
    CU_ASSERT_EQUAL_FATAL(x509_prove(key, hash, proof, &size, &err), ERR_OK);
    CU_ASSERT_EQUAL(x509_proof_check(public, hash, span_of(proof, size), &err), ERR_OK);
    CU_ASSERT_EQUAL(x509_proof_check(strange, hash, span_of(proof, size), &err), ERR_DENIED);
    for (size_t cut = 0; cut < size; cut++) {
        CU_ASSERT_EQUAL(x509_proof_check(public, hash, span_of(proof, cut), &err), ERR_DENIED);
    }
    hash[31] ^= 1;
    CU_ASSERT_EQUAL(x509_proof_check(public, hash, span_of(proof, size), &err), ERR_DENIED);
    x509_key_free(key);
    x509_key_free(other);
}

/* Every bit of a public key but those of the point is fixed, and the point has to be one. */
static void test_strange_key(void)
{
    struct x509_authority *ours = authority_new();
    struct x509_key *key = key_new();
    AUTO_BUF struct buf *text = text_new();
    uint8_t public[X509_PUBLIC_SIZE];
    struct err err = ERR_INIT;

    x509_key_public(key, public);
    for (size_t bit = 0; bit < sizeof public * 8; bit++) {
        public[bit / 8] ^= (uint8_t)(1U << bit % 8);
        CU_ASSERT_EQUAL(x509_issue(ours, &usual, public, text, &err), ERR_DENIED);
        public[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    CU_ASSERT_EQUAL(buf_size(text), 0);
    x509_key_free(key);
    x509_authority_free(ours);
}

static void test_names(void)
{
    static const char *const wrong[] = {"", "two words", "a,b", "tail\n", "*.pair", "[::1]", "a/b"};
    struct x509_authority *ours = authority_new();
    struct x509_key *key = key_new();
    AUTO_BUF struct buf *text = text_new();
    uint8_t public[X509_PUBLIC_SIZE];
    char longest[X509_NAME_SIZE_MAX + 2];
    struct x509_leaf leaf = usual;
    struct err err = ERR_INIT;

    x509_key_public(key, public);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        leaf.names[1] = wrong[i];
        CU_ASSERT_EQUAL(x509_issue(ours, &leaf, public, text, &err), ERR_INVALID);
        leaf.names[1] = NULL;
        leaf.common_name = wrong[i];
        CU_ASSERT_EQUAL(x509_issue(ours, &leaf, public, text, &err), ERR_INVALID);
        leaf.common_name = "one";
    }
    memset(longest, 'a', sizeof longest);
    longest[X509_NAME_SIZE_MAX + 1] = '\0';
    leaf.names[0] = longest;
    CU_ASSERT_EQUAL(x509_issue(ours, &leaf, public, text, &err), ERR_INVALID);
    longest[X509_NAME_SIZE_MAX] = '\0';
    for (size_t i = 0; i < X509_NAME_COUNT_MAX; i++) {
        leaf.names[i] = longest;
    }
    CU_ASSERT_EQUAL(x509_issue(ours, &leaf, public, text, &err), ERR_OK);
    leaf = usual;
    leaf.names[0] = NULL;
    CU_ASSERT_EQUAL(x509_issue(ours, &leaf, public, text, &err), ERR_INVALID);
    leaf = usual;
    leaf.server = leaf.client = false;
    CU_ASSERT_EQUAL(x509_issue(ours, &leaf, public, text, &err), ERR_INVALID);
    x509_key_free(key);
    x509_authority_free(ours);
}

static void test_parse(void)
{
    struct x509_authority *ours = authority_new();
    struct x509_authority *again = NULL;
    struct x509_key *key = key_new();
    AUTO_BUF struct buf *authority = authority_text(ours);
    AUTO_BUF struct buf *secret = text_new();
    AUTO_BUF struct buf *strange = text_new();
    AUTO_BUF struct buf *leaf = issue(ours, key, &usual);
    AUTO_BUF struct buf *text = NULL;
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(x509_authority_format_key(ours, secret, &err), ERR_OK);
    CU_ASSERT_EQUAL(x509_key_format(key, strange, &err), ERR_OK);
    CU_ASSERT_EQUAL(x509_authority_parse(buf_span(authority), buf_span(strange), &again, &err),
                    ERR_INVALID);
    CU_ASSERT_EQUAL(x509_authority_parse(buf_span(leaf), buf_span(strange), &again, &err),
                    ERR_INVALID);
    CU_ASSERT_EQUAL(x509_authority_parse(buf_span(authority), buf_span(authority), &again, &err),
                    ERR_INVALID);
    CU_ASSERT_EQUAL(x509_authority_parse(buf_span(authority), SPAN_NONE, &again, &err),
                    ERR_INVALID);
    CU_ASSERT_EQUAL_FATAL(x509_authority_parse(buf_span(authority), buf_span(secret), &again, &err),
                          ERR_OK);
    text = issue(again, key, &usual);
    CU_ASSERT_EQUAL(x509_check_issuer(buf_span(text), buf_span(authority), &err), ERR_OK);
    x509_authority_free(again);
    x509_authority_free(ours);
    x509_key_free(key);
}

/* -- what a TLS stack says ------------------------------------------------------------------- */

struct bench {
    char folder[32];
    struct x509_authority *authority;
};

static void put(const struct bench *bench, const char *name, struct buf *text_take)
{
    char path[64];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/%s", bench->folder, name);
    file = fopen(path, "we");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT(fputs(buf_text(text_take), file) >= 0);
    CU_ASSERT_EQUAL(fclose(file), 0);
    buf_free(text_take);
}

static void bench_leaf(struct bench *bench, const char *name, const struct x509_leaf *leaf)
{
    struct x509_key *key = key_new();
    struct buf *text = text_new();
    char file[32];
    struct err err = ERR_INIT;

    CU_ASSERT_EQUAL(x509_key_format(key, text, &err), ERR_OK);
    (void)snprintf(file, sizeof file, "%s.key", name);
    put(bench, file, text);
    (void)snprintf(file, sizeof file, "%s.crt", name);
    put(bench, file, issue(bench->authority, key, leaf));
    x509_key_free(key);
}

static void bench_start(struct bench *bench)
{
    struct x509_leaf leaf = usual;

    (void)snprintf(bench->folder, sizeof bench->folder, "/tmp/test_x509.XXXXXX");
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(bench->folder));
    bench->authority = authority_new();
    put(bench, "ca.crt", authority_text(bench->authority));
    bench_leaf(bench, "both", &leaf);
    leaf.client = false;
    bench_leaf(bench, "server", &leaf);
    leaf.client = true;
    leaf.server = false;
    bench_leaf(bench, "client", &leaf);
}

static void bench_stop(struct bench *bench)
{
    static const char *const names[] = {"ca.crt",     "both.crt",   "both.key",  "server.crt",
                                        "server.key", "client.crt", "client.key"};
    char path[64];

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", bench->folder, names[i]);
        CU_ASSERT_EQUAL(unlink(path), 0);
    }
    CU_ASSERT_EQUAL(rmdir(bench->folder), 0);
    x509_authority_free(bench->authority);
}

static struct tls_peer *
side(const struct bench *bench, const char *name, enum tls_side which, int file)
{
    char paths[3][64];
    struct tls_identity_options options = {.side = which,
                                           .certificate = paths[0],
                                           .key = paths[1],
                                           .ca = paths[2],
                                           .peer_name = "one.pair"};
    struct tls_identity *identity = NULL;
    struct tls_peer *peer = NULL;
    struct err err = ERR_INIT;

    (void)snprintf(paths[0], sizeof paths[0], "%s/%s.crt", bench->folder, name);
    (void)snprintf(paths[1], sizeof paths[1], "%s/%s.key", bench->folder, name);
    (void)snprintf(paths[2], sizeof paths[2], "%s/ca.crt", bench->folder);
    CU_ASSERT_EQUAL_FATAL(tls_identity_new(&options, &identity, &err), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(tls_peer_new(identity, file, &peer, &err), ERR_OK);
    tls_identity_free(identity);
    return peer;
}

/* Do the two understand each other? */
static bool agree(const struct bench *bench, const char *server, const char *client)
{
    struct tls_peer *peers[2];
    bool done[2] = {false, false};
    enum err_code rc = ERR_OK;
    struct err err = ERR_INIT;
    int files[2];

    CU_ASSERT_EQUAL_FATAL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, files), 0);
    peers[0] = side(bench, server, TLS_SIDE_SERVER, files[0]);
    peers[1] = side(bench, client, TLS_SIDE_CLIENT, files[1]);
    for (int i = 0; i < 400 && rc == ERR_OK && !(done[0] && done[1]); i++) {
        rc = tls_peer_handshake(peers[i % 2], &done[i % 2], &err);
    }
    tls_peer_free(peers[0]);
    tls_peer_free(peers[1]);
    return rc == ERR_OK && done[0] && done[1];
}

static void test_sides(void)
{
    struct bench bench;

    bench_start(&bench);
    CU_ASSERT(agree(&bench, "both", "both"));
    CU_ASSERT(agree(&bench, "server", "client"));
    CU_ASSERT_FALSE(agree(&bench, "client", "client"));
    CU_ASSERT_FALSE(agree(&bench, "server", "server"));
    bench_stop(&bench);
}

/* -- memory ---------------------------------------------------------------------------------- */

static enum err_code attempt_authority(void *arg)
{
    struct x509_authority *authority = NULL;
    struct err err = ERR_INIT;
    enum err_code rc = x509_authority_new("test pair", &years, &authority, &err);

    (void)arg;
    x509_authority_free(authority);
    return rc;
}

static void test_no_memory(void)
{
    CU_ASSERT(starve_each(attempt_authority, NULL) > 0);
}

UNIT_MAIN("x509",
          {"a certificate is of its authority and of no other", test_issuer},
          {"who issued it does not depend on the time", test_ended},
          {"a certificate tells its facts", test_look},
          {"of several certificates the first end counts", test_first_end},
          {"a proof holds for its key and its hash alone", test_proof},
          {"a public key with any bit changed is refused", test_strange_key},
          {"names are those of hosts, up to the longest", test_names},
          {"an authority is read back with its own key only", test_parse},
          {"a certificate serves the sides that it says and no other", test_sides},
          {"without memory nothing is half made", test_no_memory})
