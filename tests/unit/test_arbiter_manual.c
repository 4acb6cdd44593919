/* SPDX-License-Identifier: Apache-2.0 */
/* test_arbiter_manual.c: proves supervisor/arbiter/arbiter_manual: a disk that hangs holds up
 * nobody, and nothing is said before it is durable. Owns its cases; the disk is hung_disk.h's.
 * Never cuts power: the simulation does. */
#include "base/mem.h"
#include "supervisor/arbiter/arbiter.h"
#include "tests/lib/scratch.h"
#include "tests/unit/hung_disk.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define HANG_MS     50
#define END_COUNT   1000 /* of HANG_MS: far more than anything here needs */
#define MESSAGE_MAX 32U

struct end {
    char dir[256];
    int fd;
    struct arbiter *arbiter;
    size_t sent_count;
    size_t sizes[MESSAGE_MAX];
    uint8_t sent[MESSAGE_MAX][512];
    size_t answer_count;
    enum arbiter_request requests[8];
    struct failover_answer answers[8];
    unsigned fatal_count;
};

struct bench {
    struct scratch scratch;
    struct event_base *base;
    struct end ends[2];
    uint64_t incarnations;
    uint8_t cluster; /* each byte of its id */
    char kind[8];    /* "": not given */
};

static void take_message(void *arg, struct span bytes)
{
    struct end *end = arg;

    CU_ASSERT_FATAL(end->sent_count < MESSAGE_MAX);
    memcpy(end->sent[end->sent_count], bytes.data, bytes.size);
    end->sizes[end->sent_count++] = bytes.size;
}

static void take_fatal(void *arg, const struct err *err)
{
    struct end *end = arg;

    CU_ASSERT_EQUAL(err->code, ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(err->message, end->dir));
    end->fatal_count++;
}

static void
take_answer(void *arg, enum arbiter_request request, const struct failover_answer *answer)
{
    struct end *end = arg;

    CU_ASSERT_FATAL(end->answer_count < 8);
    end->requests[end->answer_count] = request;
    end->answers[end->answer_count++] = *answer;
}

static void open_end(struct bench *bench, unsigned at)
{
    struct end *end = &bench->ends[at];
    struct arbiter_manual_options options = {.base = bench->base,
                                             .kind = bench->kind[0] == '\0' ? NULL : bench->kind,
                                             .state_dir = end->dir,
                                             .host = (uint8_t)(at + 1),
                                             .incarnation = ++bench->incarnations,
                                             .send = take_message,
                                             .fatal = take_fatal,
                                             .answer = take_answer,
                                             .arg = end};
    struct err err = ERR_INIT;

    end->fd = open(end->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CU_ASSERT_FATAL(end->fd >= 0 && flock(end->fd, LOCK_EX | LOCK_NB) == 0);
    options.dir = end->fd;
    memset(options.cluster_id, bench->cluster, sizeof(options.cluster_id));
    CU_ASSERT_EQUAL_FATAL(arbiter_manual_new(&options, &end->arbiter, &err), ERR_OK);
}

static void close_end(struct end *end)
{
    arbiter_free(end->arbiter);
    (void)close(end->fd);
}

static void init_bench(struct bench *bench)
{
    memset(bench, 0, sizeof(*bench));
    bench->cluster = 0xc1;
    disk_set(false, 0);
    scratch_init(&bench->scratch);
    bench->base = event_base_new();
    CU_ASSERT_PTR_NOT_NULL_FATAL(bench->base);
    for (unsigned i = 0; i < 2; i++) {
        scratch_file(&bench->scratch, i == 0 ? "one" : "two", bench->ends[i].dir);
        CU_ASSERT_EQUAL_FATAL(mkdir(bench->ends[i].dir, 0700), 0);
        open_end(bench, i);
    }
}

static void remove_files(struct bench *bench)
{
    static const char *const names[] = {"register-0", "register-1", "register-new"};
    char path[300];

    for (size_t i = 0; i < 6; i++) {
        (void)snprintf(path, sizeof(path), "%s/%s", bench->ends[i / 3].dir, names[i % 3]);
        (void)unlink(path);
    }
    CU_ASSERT_EQUAL(rmdir(bench->ends[0].dir), 0);
    CU_ASSERT_EQUAL(rmdir(bench->ends[1].dir), 0);
    event_base_free(bench->base);
    scratch_done(&bench->scratch);
}

static void done_bench(struct bench *bench)
{
    close_end(&bench->ends[0]);
    close_end(&bench->ends[1]);
    remove_files(bench);
}

static void turn(struct bench *bench)
{
    struct timeval wait = {.tv_usec = HANG_MS * 1000L};

    CU_ASSERT_EQUAL(event_base_loopexit(bench->base, &wait), 0);
    CU_ASSERT(event_base_dispatch(bench->base) >= 0);
}

static void await(struct bench *bench, const size_t *count, size_t wanted)
{
    for (unsigned i = 0; i < END_COUNT && *count < wanted; i++) {
        turn(bench);
    }
    CU_ASSERT_EQUAL_FATAL(*count, wanted);
}

static void create(struct end *end)
{
    struct failover_cas swap = {.value = {.lineage = 1, .epoch = 1, .nonce = 7, .primary = 1}};

    memset(swap.value.cluster_id, 0xc1, REGISTER_ID_SIZE);
    swap.value.isr[0].present = true;
    memset(swap.value.isr[0].store_id, 0xa0, REGISTER_ID_SIZE);
    arbiter_cas(end->arbiter, &swap);
}

static void deliver(struct end *from, size_t index, struct end *to)
{
    CU_ASSERT_FATAL(index < from->sent_count);
    arbiter_peer(to->arbiter, span_of(from->sent[index], from->sizes[index]));
}

static void an_answer_waits_for_its_save_and_nobody_for_the_answer(void)
{
    struct arbiter_status status;
    struct bench bench;
    struct end *end = &bench.ends[0];

    init_bench(&bench);
    disk_set(true, 0);
    create(end); /* returns */
    arbiter_read(end->arbiter);
    turn(&bench);
    CU_ASSERT_EQUAL(end->answer_count, 0);
    arbiter_status(end->arbiter, &status);
    CU_ASSERT(status.disk_ms >= HANG_MS / 2);
    disk_set(false, 0);
    await(&bench, &end->answer_count, 2);
    CU_ASSERT_EQUAL(end->requests[0], ARBITER_CAS);
    CU_ASSERT_EQUAL(end->answers[0].outcome, FAILOVER_DONE);
    CU_ASSERT_EQUAL(end->answers[1].outcome, FAILOVER_REFUSED);
    arbiter_status(end->arbiter, &status);
    CU_ASSERT_EQUAL(status.disk_ms, 0);
    close_end(end);
    open_end(&bench, 0); /* another life */
    arbiter_confirm_off(end->arbiter);
    arbiter_read(end->arbiter);
    await(&bench, &end->answer_count, 3);
    CU_ASSERT_EQUAL(end->answers[2].value.nonce, 7);
    done_bench(&bench);
}

static void a_message_waits_and_is_dropped_with_its_connection(void)
{
    struct bench bench;
    struct end *one = &bench.ends[0];
    struct end *two = &bench.ends[1];

    init_bench(&bench);
    create(one);
    await(&bench, &one->answer_count, 1);
    arbiter_peer_up(one->arbiter, true);
    arbiter_peer_up(two->arbiter, true);
    CU_ASSERT_EQUAL_FATAL(one->sent_count, 1); /* HELLO */
    CU_ASSERT_EQUAL_FATAL(two->sent_count, 1);
    disk_set(true, 0);
    deliver(one, 0, two); /* the register: to be stored, and then a HELLO to be said */
    turn(&bench);
    CU_ASSERT_EQUAL(two->sent_count, 1);
    arbiter_peer_up(two->arbiter, false);
    arbiter_peer_up(two->arbiter, true); /* and another HELLO */
    turn(&bench);
    CU_ASSERT_EQUAL(two->sent_count, 1);
    disk_set(false, 0);
    await(&bench, &two->sent_count, 2);
    turn(&bench);
    CU_ASSERT_EQUAL(two->sent_count, 2);
    CU_ASSERT_EQUAL(two->sent[1][0], 1); /* HELLO … */
    CU_ASSERT_EQUAL(two->sent[1][9], 0); /* … to whom it has not heard yet */
    done_bench(&bench);
}

static void messages_too_many_are_lost_and_answers_are_not(void)
{
    struct bench bench;
    struct end *one = &bench.ends[0];
    struct end *two = &bench.ends[1];

    init_bench(&bench);
    create(one);
    await(&bench, &one->answer_count, 1);
    arbiter_peer_up(one->arbiter, true);
    arbiter_peer_up(two->arbiter, true);
    disk_set(true, 0);
    for (unsigned i = 0; i < 100; i++) {
        deliver(one, 0, two); /* each is answered by a HELLO: who says it does not know us */
    }
    arbiter_read(two->arbiter); /* its question is too many */
    disk_set(false, 0);
    await(&bench, &two->answer_count, 1); /* when its time is over */
    CU_ASSERT_EQUAL(two->answers[0].outcome, FAILOVER_REFUSED);
    CU_ASSERT_EQUAL(two->sent_count, 1 + 16);
    done_bench(&bench);
}

static void a_failed_save_is_told_once_and_nothing_is_said(void)
{
    struct bench bench;
    struct end *end = &bench.ends[0];

    init_bench(&bench);
    disk_set(false, EIO);
    create(end);
    for (unsigned i = 0; i < END_COUNT && end->fatal_count == 0; i++) {
        turn(&bench);
    }
    disk_set(false, 0);
    arbiter_peer_up(end->arbiter, true);
    turn(&bench);
    CU_ASSERT_EQUAL(end->fatal_count, 1);
    CU_ASSERT_EQUAL(end->answer_count, 0);
    CU_ASSERT_EQUAL(end->sent_count, 0);
    done_bench(&bench);
}

static void a_copy_of_a_former_pair_is_none(void)
{
    struct bench bench;
    struct end *end = &bench.ends[0];

    init_bench(&bench);
    create(end);
    await(&bench, &end->answer_count, 1);
    close_end(end);
    bench.cluster = 0xd2;
    open_end(&bench, 0);
    arbiter_confirm_off(end->arbiter);
    arbiter_read(end->arbiter);
    await(&bench, &end->answer_count, 2);
    CU_ASSERT_EQUAL(end->answers[1].outcome, FAILOVER_ABSENT);
    done_bench(&bench);
}

/* Else another supervisor would read what this one may yet write over. */
static void the_end_does_not_wait_for_ever_and_leaves_the_lock(void)
{
    struct bench bench;
    struct end *end = &bench.ends[0];
    int other;

    init_bench(&bench);
    disk_set(true, 0);
    create(end);
    turn(&bench);
    close_end(end);
    other = open(end->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CU_ASSERT_EQUAL(flock(other, LOCK_EX | LOCK_NB), -1);
    (void)close(other);
    close_end(&bench.ends[1]);
    remove_files(&bench); /* it still hangs, and we are here */
}

/* A configuration that is read anew takes its texts along. */
static void its_texts_are_its_own(void)
{
    struct bench bench;
    struct end *end = &bench.ends[0];
    struct arbiter_status status;

    init_bench(&bench);
    close_end(end);
    (void)snprintf(bench.kind, sizeof(bench.kind), "fence");
    open_end(&bench, 0);
    (void)snprintf(bench.kind, sizeof(bench.kind), "freed");
    arbiter_status(end->arbiter, &status);
    CU_ASSERT_STRING_EQUAL(status.kind, "fence");
    done_bench(&bench);
}

UNIT_MAIN("arbiter_manual",
          {"an answer waits for its save, and nobody for the answer",
           an_answer_waits_for_its_save_and_nobody_for_the_answer},
          {"a message waits, and is dropped with its connection",
           a_message_waits_and_is_dropped_with_its_connection},
          {"messages too many are lost, and answers are not",
           messages_too_many_are_lost_and_answers_are_not},
          {"a failed save is told once, and nothing is said",
           a_failed_save_is_told_once_and_nothing_is_said},
          {"a copy of a former pair is none", a_copy_of_a_former_pair_is_none},
          {"the end does not wait for ever, and leaves the lock",
           the_end_does_not_wait_for_ever_and_leaves_the_lock},
          {"its texts are its own", its_texts_are_its_own})
