/* SPDX-License-Identifier: Apache-2.0 */
/* test_storage_pair.c: proves the storage as one of two, driven through engine_pair.h without a
 * link.
 * Owns nothing but its cases. Never looks inside. */
#include "storage/limits.h"
#include "tests/lib/pair_kit.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define IDLE_LOOK_COUNT 120 /* of half a second: a busy machine lets a thread wait */

static uint64_t applied_lsn(struct storage *storage)
{
    struct storage_status status;

    storage_status(storage, &status);
    return status.lsn_applied;
}

static void news_of(struct storage *storage, struct engine_news *news)
{
    engine_news(storage, news);
}

static void an_idle_storage_refuses_jobs_and_serves_weak_reads(void)
{
    struct pair_kit kit;
    struct kit_job job = {.keys = {"a"}, .values = {"1"}, .count = 1};
    struct engine_news news;

    pair_kit_init(&kit);
    CU_ASSERT_EQUAL(kit_start(kit.hosts[0].storage, &job), ERR_UNAVAILABLE);
    CU_ASSERT_FALSE(kit_has(kit.hosts[0].storage, "a", NULL));
    CU_ASSERT(kit_has_weak(kit.hosts[0].storage, "a", NULL));
    CU_ASSERT_FALSE(storage_serves(kit.hosts[0].storage));
    news_of(kit.hosts[0].storage, &news);
    CU_ASSERT_EQUAL(news.local.last.lsn, 0);
    CU_ASSERT_EQUAL(news.epoch_begun, 0);
    CU_ASSERT(news.room);
    CU_ASSERT_FALSE(news.failed);
    pair_kit_done(&kit);
}

static void without_the_peer_a_granted_host_serves_by_itself(void)
{
    struct pair_kit kit;

    pair_kit_init(&kit);
    kit.hold_records = true;
    kit.hold_acks = true;
    pair_lead(&kit, 0, 3, false);
    CU_ASSERT(pair_serves(&kit, 0));
    CU_ASSERT_EQUAL(kit_put(kit.hosts[0].storage, "a", "1"), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 0), ERR_OK);
    CU_ASSERT_FALSE(storage_serves(kit.hosts[0].storage));
    pair_lead(&kit, 0, 4, false);
    CU_ASSERT(pair_serves(&kit, 0));
    CU_ASSERT(kit_has(kit.hosts[0].storage, "a", "1"));
    pair_kit_done(&kit);
}

static void a_fed_standby_ends_with_equal_content_and_hash(void)
{
    struct pair_kit kit;
    struct storage_status status;

    pair_begin(&kit);
    pair_put_many(&kit, 0, 300);
    CU_ASSERT(pair_equal(&kit));
    storage_status(pair_standby(&kit), &status);
    CU_ASSERT(status.lsn_last >= 301);
    CU_ASSERT(kit_has_weak(pair_standby(&kit), "k049", "value 299"));
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 1), ERR_OK);
    CU_ASSERT(pair_equal(&kit));
    pair_kit_done(&kit);
}

static void a_promoted_standby_adopts_the_whole_tail(void)
{
    struct pair_kit kit;

    pair_begin(&kit);
    pair_put_many(&kit, 0, 20);
    CU_ASSERT(pair_equal(&kit));
    kit.hold_commits = true;
    pair_put_many(&kit, 20, 60);
    /* The standby has acknowledged what it does not know to be committed. */
    CU_ASSERT(applied_lsn(pair_standby(&kit)) < applied_lsn(pair_primary(&kit)) + 1);
    CU_ASSERT(kit_has_weak(pair_standby(&kit), "k009", "value 9"));
    storage_close(kit.hosts[0].storage);
    kit.hosts[0].storage = NULL;
    pair_lead(&kit, 1, 2, false);
    for (int i = 0; i < 10000 && !storage_serves(kit.hosts[1].storage); i++) {
        struct timespec pause = {.tv_nsec = 1000000};

        (void)nanosleep(&pause, NULL);
    }
    CU_ASSERT_FATAL(storage_serves(kit.hosts[1].storage));
    CU_ASSERT(kit_has(kit.hosts[1].storage, "k009", "value 59"));
    CU_ASSERT(kit_has(kit.hosts[1].storage, "k004", "value 54"));
    CU_ASSERT(kit_has(kit.hosts[1].storage, "k048", NULL));
    pair_kit_done(&kit);
}

static void a_recovered_tail_is_adopted_too(void)
{
    struct pair_kit kit;

    pair_begin(&kit);
    kit.hold_commits = true;
    pair_put_many(&kit, 0, 60);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 1), ERR_OK);
    CU_ASSERT_EQUAL(applied_lsn(kit.hosts[1].storage), 0);
    CU_ASSERT(kit_has_weak(kit.hosts[1].storage, "k009", NULL));
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 0), ERR_OK);
    kit.hold_commits = false;
    pair_lead(&kit, 1, 2, true);
    CU_ASSERT_FATAL(pair_serves(&kit, 1));
    pair_put_many(&kit, 60, 80);
    CU_ASSERT(pair_equal(&kit));
    CU_ASSERT(kit_has_weak(kit.hosts[0].storage, "k009", "value 59"));
    pair_kit_done(&kit);
}

static void nothing_uncommitted_reaches_the_state_on_disk(void)
{
    struct pair_kit kit;
    struct kit_job job = {.keys = {"a"}, .values = {"new"}, .count = 1};
    uint64_t before;

    pair_begin(&kit);
    CU_ASSERT_EQUAL(pair_put(&kit, "a", "old"), ERR_OK);
    CU_ASSERT(pair_equal(&kit));
    before = applied_lsn(pair_primary(&kit));
    kit.hold_acks = true;
    CU_ASSERT_EQUAL(kit_start(pair_primary(&kit), &job), ERR_OK);
    pair_pass(&kit, 200); /* ten checkpoints' time */
    CU_ASSERT_FALSE(job.done);
    CU_ASSERT_EQUAL(applied_lsn(pair_primary(&kit)), before);
    CU_ASSERT_EQUAL(applied_lsn(pair_standby(&kit)), before);
    CU_ASSERT(kit_has_weak(pair_primary(&kit), "a", "old"));
    CU_ASSERT(kit_has_weak(pair_standby(&kit), "a", "old"));
    kit.hold_acks = false;
    CU_ASSERT(pair_wait(&kit, &job));
    CU_ASSERT_EQUAL(job.rc, ERR_OK);
    CU_ASSERT(pair_equal(&kit));
    CU_ASSERT(kit_has_weak(pair_standby(&kit), "a", "new"));
    pair_kit_done(&kit);
}

static void nothing_is_served_before_the_peer_has_the_start_record(void)
{
    struct pair_kit kit;
    struct storage_status status;
    struct engine_news news;

    pair_begin(&kit);
    kit.hold_commits = true;
    pair_put_many(&kit, 0, 10);
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 0), ERR_OK);
    kit.hold_commits = false;
    kit.hold_records = true;
    pair_lead(&kit, 1, 2, true);
    pair_pass(&kit, 150);
    /* The peer has acknowledged the whole tail, which is durable here; but not the start record. */
    CU_ASSERT_FALSE(storage_serves(kit.hosts[1].storage));
    storage_status(kit.hosts[1].storage, &status);
    CU_ASSERT_EQUAL(status.lsn_commit, 0);
    CU_ASSERT_EQUAL(status.lsn_applied, 0);
    news_of(kit.hosts[1].storage, &news);
    CU_ASSERT_EQUAL(news.local.durable.lsn, news.local.last.lsn);
    kit.hold_records = false;
    CU_ASSERT(pair_serves(&kit, 1));
    pair_kit_done(&kit);
}

static enum err_code look(struct storage_txn *txn, void *arg, struct err *err)
{
    struct kit_job *job = arg;

    (void)txn;
    return job->result == ERR_OK ? ERR_OK : err_set(err, job->result, "as asked");
}

static void a_read_waits_for_an_echo_of_a_later_ping(void)
{
    struct pair_kit kit;
    struct kit_job job = {.result = ERR_OK};
    struct engine_news news;

    pair_begin(&kit);
    CU_ASSERT_EQUAL(pair_put(&kit, "a", "1"), ERR_OK);
    kit.hold_echoes = true;
    engine_pinged(pair_primary(&kit), ++kit.ping);
    CU_ASSERT_EQUAL(storage_read(pair_primary(&kit), look, kit_done, &job, &job.err), ERR_OK);
    news_of(pair_primary(&kit), &news);
    CU_ASSERT_EQUAL(news.echo_wanted, kit.ping + 1);
    pair_pass(&kit, 50);
    CU_ASSERT_FALSE(job.done);
    /* That ping was sent before the read began. */
    engine_echoed(pair_primary(&kit), kit.ping);
    pair_pass(&kit, 50);
    CU_ASSERT_FALSE(job.done);
    engine_pinged(pair_primary(&kit), ++kit.ping);
    engine_echoed(pair_primary(&kit), kit.ping);
    CU_ASSERT(pair_wait(&kit, &job));
    news_of(pair_primary(&kit), &news);
    CU_ASSERT_EQUAL(news.echo_wanted, 0);
    pair_kit_done(&kit);
}

static void a_job_that_changes_nothing_waits_for_an_echo_and_a_write_does_not(void)
{
    struct pair_kit kit;
    struct kit_job conflict = {.result = ERR_CONFLICT};
    struct kit_job write = {.keys = {"a"}, .values = {"1"}, .count = 1};
    struct kit_job after = {.keys = {"a"}, .values = {"2"}, .count = 1};

    pair_begin(&kit);
    kit.hold_echoes = true;
    CU_ASSERT_EQUAL(kit_start(pair_primary(&kit), &write), ERR_OK);
    CU_ASSERT(pair_wait(&kit, &write));
    CU_ASSERT_EQUAL(storage_write(pair_primary(&kit), look, kit_done, &conflict, &conflict.err),
                    ERR_OK);
    CU_ASSERT_EQUAL(kit_start(pair_primary(&kit), &after), ERR_OK);
    pair_pass(&kit, 50);
    CU_ASSERT_FALSE(conflict.done);
    CU_ASSERT_FALSE(after.done); /* answers keep their order */
    kit.hold_echoes = false;
    CU_ASSERT(pair_wait(&kit, &after));
    CU_ASSERT(conflict.done);
    CU_ASSERT_EQUAL(conflict.rc, ERR_CONFLICT);
    pair_kit_done(&kit);
}

static void what_waits_only_for_the_peer_goes_when_it_is_not_required_any_more(void)
{
    struct pair_kit kit;
    struct kit_job write = {.keys = {"a"}, .values = {"1"}, .count = 1};
    struct kit_job read = {.result = ERR_OK};

    pair_begin(&kit);
    kit.hold_acks = true;
    kit.hold_echoes = true;
    CU_ASSERT_EQUAL(kit_start(pair_primary(&kit), &write), ERR_OK);
    CU_ASSERT_EQUAL(storage_read(pair_primary(&kit), look, kit_done, &read, &read.err), ERR_OK);
    pair_pass(&kit, 50);
    CU_ASSERT_FALSE(write.done);
    engine_unrequire(pair_primary(&kit));
    engine_unrequire(pair_primary(&kit));
    CU_ASSERT(pair_wait(&kit, &read));
    CU_ASSERT(write.done);
    pair_kit_done(&kit);
}

static void a_peer_that_is_added_is_required_from_the_next_record_on(void)
{
    struct pair_kit kit;
    struct kit_job job = {.keys = {"b"}, .values = {"1"}, .count = 1};

    pair_kit_init(&kit);
    pair_lead(&kit, 0, 1, false);
    CU_ASSERT_FATAL(pair_serves(&kit, 0));
    kit.hold_acks = true;
    CU_ASSERT_EQUAL(pair_put(&kit, "a", "1"), ERR_OK);
    engine_require(pair_primary(&kit));
    engine_require(pair_primary(&kit));
    CU_ASSERT_EQUAL(kit_start(pair_primary(&kit), &job), ERR_OK);
    pair_pass(&kit, 50);
    CU_ASSERT_FALSE(job.done);
    kit.hold_acks = false;
    CU_ASSERT(pair_wait(&kit, &job));
    pair_kit_done(&kit);
}

static void an_epoch_changes_between_two_batches(void)
{
    struct pair_kit kit;
    struct storage_status status;

    pair_begin(&kit);
    pair_put_many(&kit, 0, 10);
    pair_lead(&kit, 0, 5, true);
    CU_ASSERT(storage_serves(pair_primary(&kit)));
    pair_put_many(&kit, 10, 20);
    storage_status(pair_primary(&kit), &status);
    CU_ASSERT_EQUAL(status.epoch, 5);
    CU_ASSERT(pair_equal(&kit));
    pair_kit_done(&kit);
}

static void a_drained_primary_steps_down_and_leads_again(void)
{
    struct pair_kit kit;

    pair_begin(&kit);
    for (uint64_t epoch = 2; epoch < 8; epoch++) {
        uint32_t next = 1 - kit.primary;

        pair_put_many(&kit, (int)epoch * 20, (int)epoch * 20 + 20);
        CU_ASSERT(pair_equal(&kit));
        engine_step_down(pair_primary(&kit));
        CU_ASSERT_FALSE(storage_serves(pair_primary(&kit)));
        pair_lead(&kit, next, epoch, true);
        CU_ASSERT_FATAL(pair_serves(&kit, next));
    }
    CU_ASSERT_EQUAL(pair_put(&kit, "last", "1"), ERR_OK);
    CU_ASSERT(pair_equal(&kit));
    pair_kit_done(&kit);
}

static void after_a_halt_nothing_goes_on(void)
{
    struct pair_kit kit;
    struct kit_job job = {.keys = {"a"}, .values = {"1"}, .count = 1};
    struct engine_news news;
    struct engine_ship ship = {.lsn = 1, .room = ENGINE_SHIP_SIZE_MAX};
    struct record_position position;
    struct replica_found found;
    struct err err = ERR_INIT;
    uint64_t lsn_next = 0;
    size_t size = 0;

    pair_begin(&kit);
    kit.hold_acks = true;
    ship.at = kit.bytes;
    CU_ASSERT_EQUAL(kit_start(pair_primary(&kit), &job), ERR_OK);
    pair_pass(&kit, 30);
    engine_halt(pair_primary(&kit), "the logs differ");
    CU_ASSERT(pair_wait(&kit, &job));
    CU_ASSERT_EQUAL(job.rc, ERR_UNKNOWN_FATE);
    news_of(pair_primary(&kit), &news);
    CU_ASSERT(news.failed);
    CU_ASSERT_STRING_EQUAL(news.failure.message, "the logs differ");
    position = news.local.last;
    CU_ASSERT_EQUAL(engine_acknowledge(pair_primary(&kit), &position, &err), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(engine_promise(pair_primary(&kit), 9, 0, &err), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(engine_find(pair_primary(&kit), 1, &found, &err), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(engine_ship(pair_primary(&kit), &ship, &size, &lsn_next, &err),
                    ERR_UNAVAILABLE);
    CU_ASSERT_FALSE(storage_serves(pair_primary(&kit)));
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 0), ERR_OK);
    CU_ASSERT(kit_has_weak(kit.hosts[0].storage, "a", NULL));
    pair_kit_done(&kit);
}

static void a_store_of_one_host_becomes_the_pairs_first(void)
{
    struct pair_kit kit;
    struct storage_options options;
    struct storage *alone = NULL;
    struct storage_status status;
    struct storage *storage = NULL;
    struct engine_link link = {.wake = NULL};
    struct err err = ERR_INIT;
    struct scratch scratch;

    scratch_init(&scratch);
    options = kit_options(scratch.path);
    CU_ASSERT_EQUAL_FATAL(storage_open(&options, &alone, &err), ERR_OK);
    CU_ASSERT_EQUAL(kit_put(alone, "a", "1"), ERR_OK);
    storage_status(alone, &status);
    storage_close(alone);
    CU_ASSERT_EQUAL(engine_open_pair(&options, (const uint8_t *)"another cluster", &storage, &err),
                    ERR_CONFLICT);
    CU_ASSERT_EQUAL_FATAL(engine_open_pair(&options, status.cluster_id, &storage, &err), ERR_OK);
    engine_attach(storage, &link);
    memset(&kit, 0, sizeof kit);
    kit.hosts[0].storage = storage;
    pair_lead(&kit, 0, status.epoch + 1, false);
    for (int i = 0; i < 10000 && !storage_serves(storage); i++) {
        struct timespec pause = {.tv_nsec = 1000000};

        (void)nanosleep(&pause, NULL);
    }
    CU_ASSERT(kit_has(storage, "a", "1"));
    storage_close(storage);
    CU_ASSERT_EQUAL(storage_open(&options, &alone, &err), ERR_CONFLICT); /* and stays it */
    scratch_done(&scratch);
}

static void the_threads_take_turns_however_idle(void)
{
    struct pair_kit kit;
    struct storage_status before;
    struct storage_status after;
    struct timespec pause = {.tv_nsec = 500000000};
    int turned = 0;

    pair_kit_init(&kit);
    storage_status(kit.hosts[0].storage, &before);
    for (int i = 0; i < IDLE_LOOK_COUNT && turned < STORAGE_THREAD_COUNT; i++) {
        (void)nanosleep(&pause, NULL);
        storage_status(kit.hosts[0].storage, &after);
        turned = 0;
        for (int k = 0; k < STORAGE_THREAD_COUNT; k++) {
            turned += after.turn_counts[k] > before.turn_counts[k];
        }
    }
    CU_ASSERT_EQUAL(turned, STORAGE_THREAD_COUNT);
    pair_kit_done(&kit);
}

static void a_primary_may_step_down_while_it_still_applies_its_tail(void)
{
    struct pair_kit kit;

    pair_begin(&kit);
    for (uint64_t epoch = 2; epoch < 12; epoch++) {
        uint32_t next = 1 - kit.primary;
        struct engine_news news;

        kit.hold_commits = true;
        pair_put_many(&kit, (int)epoch * 40, (int)epoch * 40 + 40);
        kit.hold_commits = false;
        engine_step_down(pair_primary(&kit));
        pair_lead(&kit, next, epoch, true);
        do {
            pair_pump(&kit);
            engine_news(pair_primary(&kit), &news);
        } while (news.local.lsn_commit < news.local.last.lsn);
        CU_ASSERT(storage_serves(pair_primary(&kit)));
    }
    CU_ASSERT_EQUAL(pair_put(&kit, "last", "1"), ERR_OK);
    CU_ASSERT(pair_equal(&kit));
    pair_kit_done(&kit);
}

static void stepping_down_beside_a_job_fails_the_engine(void)
{
    struct pair_kit kit;
    struct kit_job job = {.keys = {"a"}, .values = {"1"}, .count = 1};
    struct engine_news news;

    pair_begin(&kit);
    kit.hold_acks = true;
    CU_ASSERT_EQUAL(kit_start(pair_primary(&kit), &job), ERR_OK);
    engine_step_down(pair_primary(&kit));
    CU_ASSERT(pair_wait(&kit, &job));
    CU_ASSERT_EQUAL(job.rc, ERR_UNKNOWN_FATE);
    news_of(pair_primary(&kit), &news);
    CU_ASSERT(news.failed);
    CU_ASSERT_FALSE(storage_serves(pair_primary(&kit)));
    pair_kit_done(&kit);
}

/* As many records lack the acknowledgement as may, and the next job waits for its turn. */
static void closing_does_not_wait_for_a_peer_that_is_silent(void)
{
    struct pair_kit kit;
    struct kit_job jobs[STORAGE_UNCOMMITTED_COUNT_MAX + 2];

    pair_begin(&kit);
    CU_ASSERT_EQUAL(pair_put(&kit, "a", "1"), ERR_OK);
    kit.hold_acks = true;
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        jobs[i] = (struct kit_job){.keys = {"a"}, .values = {"2"}, .count = 1};
        CU_ASSERT_EQUAL(kit_start(pair_primary(&kit), &jobs[i]), ERR_OK);
        pair_pass(&kit, 30); /* a record of its own */
    }
    (void)alarm(60); /* else this test would not end */
    storage_close(kit.hosts[0].storage);
    (void)alarm(0);
    kit.hosts[0].storage = NULL;
    for (size_t i = 0; i < sizeof jobs / sizeof jobs[0]; i++) {
        CU_ASSERT(jobs[i].done);
        CU_ASSERT_EQUAL(jobs[i].rc, ERR_UNKNOWN_FATE);
    }
    pair_kit_done(&kit);
}

static void start_records_alone_are_folded_too(void)
{
    struct pair_kit kit;

    pair_begin(&kit);
    pair_put_many(&kit, 0, 5);
    pair_lead(&kit, 0, 2, true);
    pair_lead(&kit, 0, 3, true);
    CU_ASSERT(pair_equal(&kit)); /* of which a part is that all of the log is applied */
    pair_kit_done(&kit);
}

static void with_a_standby_nothing_is_answered_before_it_acknowledges(void)
{
    struct pair_kit kit;
    struct kit_job job = {.keys = {"a"}, .values = {"1"}, .count = 1};
    struct kit_job failing = {.result = ERR_CONFLICT};
    struct storage_status status;

    pair_begin(&kit);
    CU_ASSERT(pair_equal(&kit));
    kit.hold_acks = true;
    CU_ASSERT_EQUAL(kit_start(pair_primary(&kit), &job), ERR_OK);
    CU_ASSERT_EQUAL(kit_start(pair_primary(&kit), &failing), ERR_OK);
    pair_pass(&kit, 100);
    CU_ASSERT_FALSE(job.done);
    CU_ASSERT_FALSE(failing.done); /* it may have seen what is not committed */
    storage_status(pair_primary(&kit), &status);
    CU_ASSERT_EQUAL(status.isr_count, 2);
    CU_ASSERT_EQUAL(status.lsn_commit, status.lsn_last - 1);
    CU_ASSERT(status.lsn_applied < status.lsn_last);
    CU_ASSERT_FALSE(kit_has_weak(pair_primary(&kit), "a", "1"));
    kit.hold_acks = false;
    CU_ASSERT(pair_wait(&kit, &failing));
    CU_ASSERT(job.done && job.rc == ERR_OK);
    CU_ASSERT_EQUAL(failing.rc, ERR_CONFLICT);
    pair_kit_done(&kit);
}

/* What is there may be less than what the other host was answered, or more: nobody alone can say.
 */
static void a_store_of_a_pair_is_not_opened_alone(void)
{
    for (uint32_t i = 0; i < 2; i++) {
        struct pair_kit kit;
        struct storage_options options;
        struct storage *alone = NULL;
        struct err err = ERR_INIT;

        pair_begin(&kit);
        pair_put_many(&kit, 0, 30);
        CU_ASSERT(pair_equal(&kit));
        pair_put_many(&kit, 30, 40);
        CU_ASSERT_EQUAL(engine_promise(pair_standby(&kit), 1, 1, &err), ERR_OK);
        storage_close(kit.hosts[i].storage);
        kit.hosts[i].storage = NULL;
        options = kit_options(kit.hosts[i].scratch.path);
        CU_ASSERT_EQUAL(storage_open(&options, &alone, &err), ERR_CONFLICT);
        CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "belongs to a pair"));
        storage_close(alone);
        CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, i), ERR_OK);
        pair_kit_done(&kit);
    }
}

UNIT_MAIN(
    "storage_pair",
    {"with a standby nothing is answered before it acknowledges",
     with_a_standby_nothing_is_answered_before_it_acknowledges},
    {"an idle storage refuses jobs and serves weak reads",
     an_idle_storage_refuses_jobs_and_serves_weak_reads},
    {"without the peer a granted host serves by itself",
     without_the_peer_a_granted_host_serves_by_itself},
    {"a fed standby ends with equal content and hash",
     a_fed_standby_ends_with_equal_content_and_hash},
    {"a promoted standby adopts the whole tail", a_promoted_standby_adopts_the_whole_tail},
    {"a recovered tail is adopted too", a_recovered_tail_is_adopted_too},
    {"nothing uncommitted reaches the state on disk",
     nothing_uncommitted_reaches_the_state_on_disk},
    {"nothing is served before the peer has the start record",
     nothing_is_served_before_the_peer_has_the_start_record},
    {"a read waits for an echo of a later ping", a_read_waits_for_an_echo_of_a_later_ping},
    {"a job that changes nothing waits for an echo, and a write does not",
     a_job_that_changes_nothing_waits_for_an_echo_and_a_write_does_not},
    {"what waits only for the peer goes when it is not required any more",
     what_waits_only_for_the_peer_goes_when_it_is_not_required_any_more},
    {"a peer that is added is required from the next record on",
     a_peer_that_is_added_is_required_from_the_next_record_on},
    {"an epoch changes between two batches", an_epoch_changes_between_two_batches},
    {"a drained primary steps down and leads again", a_drained_primary_steps_down_and_leads_again},
    {"a primary may step down while it still applies its tail",
     a_primary_may_step_down_while_it_still_applies_its_tail},
    {"stepping down beside a job fails the engine", stepping_down_beside_a_job_fails_the_engine},
    {"closing does not wait for a peer that is silent",
     closing_does_not_wait_for_a_peer_that_is_silent},
    {"start records alone are folded too", start_records_alone_are_folded_too},
    {"after a halt nothing goes on", after_a_halt_nothing_goes_on},
    {"a store of one host becomes the pair's first", a_store_of_one_host_becomes_the_pairs_first},
    {"a store of a pair is not opened alone", a_store_of_a_pair_is_not_opened_alone},
    {"the threads take turns however idle", the_threads_take_turns_however_idle})
