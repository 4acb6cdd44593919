/* SPDX-License-Identifier: Apache-2.0 */
/* test_engine_log.c: proves what storage/engine_log does with the log of one of two, and that the
 * replication thread may run beside the caller.
 * Owns nothing but its cases. Never looks inside. */
#include "storage/disk.h"
#include "storage/limits.h"
#include "tests/lib/pair_kit.h"
#include "tests/unit/unit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void news_of(struct storage *storage, struct engine_news *news)
{
    engine_news(storage, news);
}

static void an_acknowledgement_with_another_hash_is_a_conflict(void)
{
    struct pair_kit kit;
    struct engine_news news;
    struct record_position position;

    pair_begin(&kit);
    pair_put_many(&kit, 0, 5);
    news_of(pair_primary(&kit), &news);
    position = news.local.last;
    CU_ASSERT_EQUAL(engine_acknowledge(pair_primary(&kit), &position, NULL), ERR_OK);
    position.hash[0] ^= 1;
    CU_ASSERT_EQUAL(engine_acknowledge(pair_primary(&kit), &position, NULL), ERR_CONFLICT);
    position = news.local.last;
    position.lsn++;
    CU_ASSERT_EQUAL(engine_acknowledge(pair_primary(&kit), &position, NULL), ERR_CONFLICT);
    pair_kit_done(&kit);
}

static void an_old_acknowledgement_is_compared_well_after_a_cut(void)
{
    const uint64_t step = STORAGE_WINDOW_COUNT * 2 / 3;
    struct pair_kit kit;
    struct engine_news news;
    struct replica_found cut;
    struct replica_found old;

    pair_kit_init(&kit);
    kit.hold_commits = true;
    pair_lead(&kit, 0, 1, false);
    CU_ASSERT_FATAL(pair_serves(&kit, 0));
    pair_put_many(&kit, 0, (int)step * 3);
    do {
        pair_pump(&kit);
        news_of(pair_standby(&kit), &news);
    } while (news.local.durable.lsn < 3 * step);
    CU_ASSERT_EQUAL_FATAL(engine_find(pair_standby(&kit), 2 * step, &cut, NULL), ERR_OK);
    CU_ASSERT_EQUAL_FATAL(engine_find(pair_standby(&kit), step + 9, &old, NULL), ERR_OK);
    CU_ASSERT_FATAL(cut.readable && old.readable);
    CU_ASSERT_EQUAL_FATAL(engine_cut(pair_standby(&kit), &cut.position, NULL), ERR_OK);
    pair_lead(&kit, 1, 2, true);
    CU_ASSERT_EQUAL(engine_acknowledge(pair_primary(&kit), &old.position, NULL), ERR_OK);
    old.position.hash[0] ^= 1;
    CU_ASSERT_EQUAL(engine_acknowledge(pair_primary(&kit), &old.position, NULL), ERR_CONFLICT);
    pair_kit_done(&kit);
}

static void an_acknowledgement_from_before_the_start_is_compared_by_the_log(void)
{
    struct pair_kit kit;
    struct replica_found found;

    pair_begin(&kit);
    pair_put_many(&kit, 0, 10);
    CU_ASSERT(pair_equal(&kit));
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 0), ERR_OK);
    pair_lead(&kit, 0, 2, true);
    CU_ASSERT_EQUAL(engine_find(pair_standby(&kit), 4, &found, NULL), ERR_OK);
    CU_ASSERT(found.readable);
    CU_ASSERT_EQUAL(found.position.lsn, 4);
    CU_ASSERT_EQUAL(engine_acknowledge(pair_primary(&kit), &found.position, NULL), ERR_OK);
    found.position.hash[5] ^= 1;
    CU_ASSERT_EQUAL(engine_acknowledge(pair_primary(&kit), &found.position, NULL), ERR_CONFLICT);
    CU_ASSERT_EQUAL(engine_find(pair_standby(&kit), 400, &found, NULL), ERR_OK);
    CU_ASSERT_FALSE(found.readable);
    CU_ASSERT_EQUAL(engine_find(pair_standby(&kit), 0, &found, NULL), ERR_OK);
    CU_ASSERT(found.readable);
    pair_kit_done(&kit);
}

/* Host 0 goes on alone while host 1, cut off, has written records of its own. */
static void a_cut_standby_follows_the_other_log(void)
{
    struct pair_kit kit;
    struct replica_found found;
    struct storage_status status;

    pair_begin(&kit);
    pair_put_many(&kit, 0, 10);
    CU_ASSERT(pair_equal(&kit));
    storage_status(pair_primary(&kit), &status);
    /* Host 0 appends what nobody gets. */
    kit.hold_records = true;
    for (int i = 0; i < 3; i++) {
        static struct kit_job jobs[3];

        jobs[i] = (struct kit_job){.keys = {"lost"}, .values = {"x"}, .count = 1};
        CU_ASSERT_EQUAL(kit_start(pair_primary(&kit), &jobs[i]), ERR_OK);
        pair_pass(&kit, 20);
        CU_ASSERT_FALSE(jobs[i].done);
        if (i == 2) {
            engine_halt(pair_primary(&kit), "deposed");
            CU_ASSERT(pair_wait(&kit, &jobs[0]));
            CU_ASSERT_EQUAL(jobs[0].rc, ERR_UNKNOWN_FATE);
        }
    }
    kit.hold_records = false;
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 0), ERR_OK);
    CU_ASSERT(kit_has_weak(kit.hosts[0].storage, "lost", NULL));
    CU_ASSERT_EQUAL(engine_find(kit.hosts[0].storage, status.lsn_last, &found, NULL), ERR_OK);
    CU_ASSERT_EQUAL(engine_cut(kit.hosts[0].storage, &found.position, NULL), ERR_OK);
    pair_lead(&kit, 1, 2, true);
    CU_ASSERT_FATAL(pair_serves(&kit, 1));
    pair_put_many(&kit, 10, 30);
    CU_ASSERT(pair_equal(&kit));
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 0), ERR_OK);
    CU_ASSERT(pair_equal(&kit));
    CU_ASSERT(kit_has_weak(kit.hosts[0].storage, "lost", NULL));
    pair_kit_done(&kit);
}

static void a_bad_record_is_refused_and_leaves_the_log_as_it_was(void)
{
    struct pair_kit kit;
    struct engine_ship ship = {.lsn = 1};
    struct engine_news before;
    struct engine_news after;
    struct err err = ERR_INIT;
    uint64_t lsn_next = 0;
    size_t size = 0;
    size_t taken = 1;

    pair_begin(&kit);
    pair_put_many(&kit, 0, 3);
    kit.hold_records = true;
    ship.at = kit.bytes;
    ship.room = ENGINE_SHIP_SIZE_MAX;
    CU_ASSERT_EQUAL(engine_ship(pair_primary(&kit), &ship, &size, &lsn_next, &err), ERR_OK);
    news_of(pair_standby(&kit), &before);
    /* Again from the first one on; cut short; nothing. */
    CU_ASSERT_EQUAL(engine_append(pair_standby(&kit), span_of(kit.bytes, size), &taken, &err),
                    ERR_PROTOCOL);
    CU_ASSERT_EQUAL(taken, 0);
    CU_ASSERT_EQUAL(engine_append(pair_standby(&kit), span_of(kit.bytes, 63), &taken, &err),
                    ERR_PROTOCOL);
    CU_ASSERT_EQUAL(engine_append(pair_standby(&kit), SPAN_NONE, &taken, &err), ERR_OK);
    news_of(pair_standby(&kit), &after);
    CU_ASSERT_EQUAL(memcmp(&before.local.last, &after.local.last, sizeof after.local.last), 0);
    kit.hold_records = false;
    pair_put_many(&kit, 3, 6);
    CU_ASSERT(pair_equal(&kit));
    pair_kit_done(&kit);
}

/* What a record of that epoch could say was decided under nobody's grant. */
static void a_record_above_the_epoch_that_is_followed_is_refused(void)
{
    static uint8_t frame[RECORD_SIZE_MAX];
    struct record record = {.kind = RECORD_KIND_EPOCH, .salt = 1};
    struct record_position position;
    struct storage_status status;
    struct engine_news news;
    struct pair_kit kit;
    struct err err = ERR_INIT;
    struct span shared = span_of(frame + RECORD_LOCAL_SIZE, record_size(0) - RECORD_LOCAL_SIZE);
    size_t taken = 1;

    pair_begin(&kit);
    CU_ASSERT(pair_equal(&kit));
    storage_status(pair_standby(&kit), &status);
    news_of(pair_standby(&kit), &news);
    record.lsn = news.local.last.lsn + 1;
    record.epoch = kit.hosts[0].epoch + 1;
    record.wall_ms = news.local.last.wall_ms;
    record.payload = span_of(frame + RECORD_HEADER_SIZE, 0);
    memcpy(record.cluster_id, status.cluster_id, STORAGE_ID_SIZE);
    memcpy(record.hash_prev, news.local.last.hash, STORAGE_HASH_SIZE);
    record_encode(&record, frame, &position);
    CU_ASSERT_EQUAL(engine_append(pair_standby(&kit), shared, &taken, &err), ERR_PROTOCOL);
    CU_ASSERT_EQUAL(taken, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "of epoch 2 while epoch 1 is followed"));
    engine_follow(pair_standby(&kit), kit.hosts[0].epoch + 1);
    CU_ASSERT_EQUAL(engine_append(pair_standby(&kit), shared, &taken, &err), ERR_OK);
    CU_ASSERT_EQUAL(taken, shared.size);
    pair_kit_done(&kit);
}

/* More than the state has room for at once: such a record could never be applied. */
static void a_record_with_too_many_changes_is_refused(void)
{
    static uint8_t frame[RECORD_SIZE_MAX];
    struct record record = {.kind = RECORD_KIND_CHANGES, .epoch = 1, .salt = 1};
    struct record_position position;
    struct storage_status status;
    struct engine_news news;
    struct pair_kit kit;
    struct err err = ERR_INIT;
    size_t size = 0;
    size_t taken = 1;

    pair_begin(&kit);
    CU_ASSERT(pair_equal(&kit));
    storage_status(pair_standby(&kit), &status);
    news_of(pair_standby(&kit), &news);
    for (uint32_t i = 0; i <= MEMTABLE_COUNT_MAX; i++) {
        char key[16];
        int key_size = snprintf(key, sizeof key, "\1%06u", i);
        struct change change = {.op = CHANGE_DELETE, .key = span_of(key, (size_t)key_size)};

        change_encode(frame + RECORD_HEADER_SIZE + size, &change);
        size += change_size((size_t)key_size, 0);
    }
    record.lsn = news.local.last.lsn + 1;
    record.wall_ms = news.local.last.wall_ms;
    record.payload = span_of(frame + RECORD_HEADER_SIZE, size);
    memcpy(record.cluster_id, status.cluster_id, STORAGE_ID_SIZE);
    memcpy(record.hash_prev, news.local.last.hash, STORAGE_HASH_SIZE);
    record_encode(&record, frame, &position);
    CU_ASSERT_EQUAL(
        engine_append(pair_standby(&kit),
                      span_of(frame + RECORD_LOCAL_SIZE, record_size(size) - RECORD_LOCAL_SIZE),
                      &taken, &err),
        ERR_PROTOCOL);
    CU_ASSERT_EQUAL(taken, 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "changes in one record"));
    pair_kit_done(&kit);
}

static atomic_uint sync_count;

static enum err_code counted_sync(void *arg, int file, struct err *err)
{
    (void)atomic_fetch_add(&sync_count, 1);
    return disk_host()->sync(arg, file, err);
}

/* Each session begins with a cut, mostly at the end of a log that is durable. */
static void a_cut_at_the_end_of_a_durable_log_syncs_nothing(void)
{
    struct disk disk = *disk_host();
    struct engine_news news;
    struct pair_kit kit;
    unsigned before;

    disk.sync = counted_sync;
    pair_begin(&kit);
    pair_put_many(&kit, 0, 5);
    CU_ASSERT(pair_equal(&kit));
    kit.hosts[1].disk = &disk;
    CU_ASSERT_EQUAL_FATAL(pair_reopen(&kit, 1), ERR_OK);
    news_of(kit.hosts[1].storage, &news);
    before = atomic_load(&sync_count);
    CU_ASSERT_EQUAL(engine_cut(kit.hosts[1].storage, &news.local.last, NULL), ERR_OK);
    CU_ASSERT_EQUAL(atomic_load(&sync_count), before);
    news.local.last.hash[0] ^= 1;
    CU_ASSERT_EQUAL(engine_cut(kit.hosts[1].storage, &news.local.last, NULL), ERR_CONFLICT);
    pair_kit_done(&kit);
}

static void a_long_log_goes_over_in_order_and_is_trimmed(void)
{
    static char value[8000];
    struct pair_kit kit;
    struct replica_found found;

    memset(value, 'v', sizeof value - 1);
    pair_begin(&kit);
    for (int i = 0; i < 1500; i++) {
        char key[16];

        (void)snprintf(key, sizeof key, "%d", i % 100);
        CU_ASSERT_EQUAL_FATAL(pair_put(&kit, key, value), ERR_OK);
    }
    CU_ASSERT(pair_equal(&kit));
    CU_ASSERT_EQUAL(engine_find(pair_primary(&kit), 2, &found, NULL), ERR_OK);
    CU_ASSERT_FALSE(found.readable);
    pair_kit_done(&kit);
}

struct hand {
    struct pair_kit kit;
    atomic_bool stop;
};

static void *carry_on(void *arg)
{
    struct hand *hand = arg;

    while (!atomic_load(&hand->stop)) {
        pair_pump(&hand->kit);
    }
    return NULL;
}

/* What the callers of both hosts do all the time. */
static void use(struct hand *hand, int round)
{
    struct storage_status status;
    struct message_state state = {.host = 1};
    char key[16];

    (void)snprintf(key, sizeof key, "k%d", round % 10);
    CU_ASSERT_EQUAL(kit_put(hand->kit.hosts[0].storage, key, round % 3 == 0 ? NULL : "v"), ERR_OK);
    CU_ASSERT(kit_has(hand->kit.hosts[0].storage, key, round % 3 == 0 ? NULL : "v"));
    for (uint32_t i = 0; i < 2; i++) {
        storage_status(hand->kit.hosts[i].storage, &status);
        engine_state(hand->kit.hosts[i].storage, &state);
        CU_ASSERT(state.last.lsn >= state.lsn_applied || i == 0);
        CU_ASSERT_EQUAL(storage_serves(hand->kit.hosts[i].storage), i == 0);
        (void)pair_digest(hand->kit.hosts[i].storage);
        engine_notify(hand->kit.hosts[i].storage);
        storage_dispatch(hand->kit.hosts[i].storage);
    }
}

static void the_replication_thread_runs_beside_the_caller(void)
{
    struct hand hand;
    pthread_t thread;

    pair_begin(&hand.kit);
    atomic_init(&hand.stop, false);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, carry_on, &hand), 0);
    for (int round = 0; round < 300; round++) {
        use(&hand, round);
    }
    atomic_store(&hand.stop, true);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    CU_ASSERT(pair_equal(&hand.kit));
    pair_kit_done(&hand.kit);
}

static void count_wake(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static enum err_code read_nothing(struct storage_txn *txn, void *arg, struct err *err)
{
    (void)txn;
    (void)arg;
    (void)err;
    return ERR_OK;
}

static void on_read(void *arg, enum err_code rc, const struct err *err)
{
    (void)arg;
    (void)rc;
    (void)err;
}

/* A strong read that waits for an echo: news for the replication thread. */
static void read_some(struct storage *storage)
{
    CU_ASSERT_EQUAL(storage_read(storage, read_nothing, on_read, NULL, NULL), ERR_OK);
}

static void who_is_awake_is_not_woken_and_misses_nothing(void)
{
    atomic_int wakes = 0;
    struct engine_link link = {.arg = &wakes, .wake = count_wake};
    struct timespec pause = {.tv_nsec = 1000000};
    struct engine_news news;
    struct pair_kit kit;
    bool rests;

    pair_begin(&kit);
    engine_attach(pair_primary(&kit), &link);
    engine_awake(pair_primary(&kit));
    news_of(pair_primary(&kit), &news);
    read_some(pair_primary(&kit));
    read_some(pair_primary(&kit));
    rests = engine_rests(pair_primary(&kit));
    CU_ASSERT_FALSE(rests);
    for (int i = 0; i < 20000 && !rests; i++) {
        (void)nanosleep(&pause, NULL);
        news_of(pair_primary(&kit), &news);
        CU_ASSERT(news.echo_wanted > 0);
        rests = engine_rests(pair_primary(&kit));
    }
    CU_ASSERT_FATAL(rests);
    CU_ASSERT_EQUAL(atomic_load(&wakes), 0);
    read_some(pair_primary(&kit));
    for (int i = 0; i < 20000 && atomic_load(&wakes) == 0; i++) {
        (void)nanosleep(&pause, NULL);
    }
    read_some(pair_primary(&kit));
    CU_ASSERT_EQUAL(atomic_load(&wakes), 1);
    pair_kit_done(&kit);
}

UNIT_MAIN("engine_log",
          {"an acknowledgement with another hash is a conflict",
           an_acknowledgement_with_another_hash_is_a_conflict},
          {"an old acknowledgement is compared well after a cut",
           an_old_acknowledgement_is_compared_well_after_a_cut},
          {"an acknowledgement from before the start is compared by the log",
           an_acknowledgement_from_before_the_start_is_compared_by_the_log},
          {"a cut standby follows the other log", a_cut_standby_follows_the_other_log},
          {"a bad record is refused and leaves the log as it was",
           a_bad_record_is_refused_and_leaves_the_log_as_it_was},
          {"a record above the epoch that is followed is refused",
           a_record_above_the_epoch_that_is_followed_is_refused},
          {"a record with too many changes is refused", a_record_with_too_many_changes_is_refused},
          {"a cut at the end of a durable log syncs nothing",
           a_cut_at_the_end_of_a_durable_log_syncs_nothing},
          {"a long log goes over in order and is trimmed",
           a_long_log_goes_over_in_order_and_is_trimmed},
          {"the replication thread runs beside the caller",
           the_replication_thread_runs_beside_the_caller},
          {"who is awake is not woken and misses nothing",
           who_is_awake_is_not_woken_and_misses_nothing})
