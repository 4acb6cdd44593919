/* SPDX-License-Identifier: Apache-2.0 */
/* test_link_end.c: proves how a connection of the pair ends (what the peer has said before the end
 * counts, whatever comes together with it), and what strangers can do to one that begins.
 * Owns nothing but its cases; never leaves loopback. */
#include "storage/limits.h"
#include "tests/lib/store_kit.h"
#include "tests/unit/puppet.h"
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define TIMEOUT_MS  60000
#define PIECE_COUNT 8

/* What is logged meanwhile. */
struct capture {
    char text[65536];
    int saved;
    int memory;
};

static void capture_begin(struct capture *capture)
{
    capture->saved = dup(STDERR_FILENO);
    capture->memory = memfd_create("log", MFD_CLOEXEC);
    CU_ASSERT_FATAL(capture->saved >= 0 && capture->memory >= 0);
    CU_ASSERT_EQUAL_FATAL(dup2(capture->memory, STDERR_FILENO), STDERR_FILENO);
}

static void capture_end(struct capture *capture)
{
    ssize_t size = pread(capture->memory, capture->text, sizeof capture->text - 1, 0);

    CU_ASSERT_EQUAL_FATAL(dup2(capture->saved, STDERR_FILENO), STDERR_FILENO);
    CU_ASSERT_FATAL(size >= 0);
    capture->text[size] = '\0';
    (void)fputs(capture->text, stderr); /* it is the test's log all the same */
    (void)close(capture->saved);
    (void)close(capture->memory);
}

static uint32_t count_of(const char *text, const char *what)
{
    uint32_t count = 0;

    for (const char *at = strstr(text, what); at != NULL; at = strstr(at + 1, what)) {
        count++;
    }
    return count;
}

static void begin_alone(struct pair_bench *bench)
{
    bench_init(bench, false);
    bench->primary = 1;
    bench_start(bench, 1);
    bench_seek(bench, 1, false);
    CU_ASSERT_FATAL(bench_until_leads(bench, 1, false));
}

static bool has_data(void *arg)
{
    const struct bench_host *host = arg;

    return host->data_count == PIECE_COUNT;
}

/* Words, the reason, the end, in one. */
static void what_comes_with_the_end_counts(void)
{
    static struct capture capture;
    static char words[60000]; /* so much that the end comes while host 1 still reads */
    struct message data = {.type = MESSAGE_DATA, .u = {.data = span_of(words, sizeof words)}};
    struct pair_bench bench;
    struct puppet puppet;

    begin_alone(&bench);
    capture_begin(&capture);
    puppet_init(&puppet, &bench);
    puppet_hello(&puppet);
    for (int i = 0; i < PIECE_COUNT; i++) {
        puppet_say(&puppet, &data);
    }
    puppet_bye(&puppet, "the disk is on fire");
    puppet_flush(&puppet);
    puppet_end(&puppet);
    CU_ASSERT(bench_until(&bench, has_data, &bench.hosts[0], TIMEOUT_MS));
    bench_pass(&bench, 50);
    capture_end(&capture);
    CU_ASSERT_PTR_NOT_NULL(strstr(capture.text, "down reason=\"the disk is on fire\""));
    CU_ASSERT_PTR_NULL(strstr(capture.text, "ended the connection"));
    puppet_done(&puppet);
    bench_done(&bench);
}

static bool is_required(void *arg)
{
    struct puppet *puppet = arg;
    struct storage_pair_status status;

    puppet_step(puppet);
    storage_pair_status(puppet->bench->hosts[0].storage, &status);
    return status.peer_required && puppet->bench->both &&
           storage_serves(puppet->bench->hosts[0].storage) &&
           puppet->bench->hosts[0].leading == puppet->bench->epoch;
}

struct write {
    struct puppet *puppet;
    struct kit_job job;
    uint64_t lsn_before;
};

static bool has_come(void *arg)
{
    struct write *write = arg;

    puppet_step(write->puppet);
    return write->puppet->last.lsn > write->lsn_before;
}

static bool is_done(void *arg)
{
    const struct write *write = arg;

    return write->job.done;
}

/* The standby's host dies with the acknowledgement: with protection strict nothing else could
 * commit the record. */
static void an_acknowledgement_before_the_end_counts(void)
{
    struct pair_bench bench;
    struct puppet puppet;
    struct write write = {.puppet = &puppet, .job = {.keys = {"a"}, .values = {"1"}, .count = 1}};

    bench_init(&bench, false);
    bench.strict = true;
    bench.primary = 1;
    bench_start(&bench, 1);
    bench_seek(&bench, 1, false);
    CU_ASSERT_FATAL(bench_until_leads(&bench, 1, false));
    puppet_init(&puppet, &bench);
    puppet_hello(&puppet);
    puppet_flush(&puppet);
    CU_ASSERT_FATAL(bench_until(&bench, is_required, &puppet, TIMEOUT_MS));
    puppet.hold_acks = true;
    write.lsn_before = puppet.last.lsn;
    CU_ASSERT_EQUAL(kit_start(bench.hosts[0].storage, &write.job), ERR_OK);
    CU_ASSERT(bench_until(&bench, has_come, &write, TIMEOUT_MS));
    CU_ASSERT_FALSE(write.job.done);
    puppet_acknowledge(&puppet);
    puppet_flush(&puppet);
    puppet_end(&puppet);
    CU_ASSERT(bench_until(&bench, is_done, &write, TIMEOUT_MS));
    CU_ASSERT_EQUAL(write.job.rc, ERR_OK);
    puppet_done(&puppet);
    bench_done(&bench);
}

static int knock(const struct pair_bench *bench)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(bench->port)};
    int file = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CU_ASSERT_FATAL(file >= 0);
    CU_ASSERT_EQUAL_FATAL(connect(file, (struct sockaddr *)&address, sizeof address), 0);
    return file;
}

static void strangers_are_not_logged_without_end(void)
{
    static struct capture capture;
    struct pair_bench bench;

    begin_alone(&bench);
    capture_begin(&capture);
    for (int i = 0; i < 40; i++) {
        int file = knock(&bench);

        CU_ASSERT_EQUAL(send(file, "GET / HTTP/1.0\r\n\r\n", 18, MSG_NOSIGNAL), 18);
        bench_pass(&bench, 5); /* slower than what the log drops by itself */
        CU_ASSERT_EQUAL(close(file), 0);
    }
    bench_pass(&bench, 50);
    capture_end(&capture);
    CU_ASSERT(count_of(capture.text, "peer_refused") >= 1);
    CU_ASSERT(count_of(capture.text, "peer_refused") <= 3);
    bench_done(&bench);
}

/* The peer has connected and not yet proved itself when many others come: it may go on. */
static bool survives_strangers(struct pair_bench *bench)
{
    struct puppet puppet;
    int files[3 * LINK_CANDIDATE_COUNT_MAX];
    bool through;

    puppet_dial(&puppet, bench);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        files[i] = knock(bench);
    }
    bench_pass(bench, 10); /* host 1 has seen them all */
    through = puppet_shake(&puppet);
    puppet_done(&puppet);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        CU_ASSERT_EQUAL(close(files[i]), 0);
    }
    bench_pass(bench, (int)LINK_CANDIDATE_MS_MIN * 2);
    return through;
}

static void strangers_do_not_end_a_handshake(void)
{
    struct pair_bench bench;
    bool through = false;

    begin_alone(&bench);
    for (int i = 0; i < 10 && !through; i++) { /* on a busy machine it takes longer than that */
        through = survives_strangers(&bench);
    }
    CU_ASSERT(through);
    bench_done(&bench);
}

UNIT_MAIN("link_end",
          {"strangers are not logged without end", strangers_are_not_logged_without_end},
          {"strangers do not end a handshake", strangers_do_not_end_a_handshake},
          {"what comes with the end counts", what_comes_with_the_end_counts},
          {"an acknowledgement before the end counts", an_acknowledgement_before_the_end_counts})
