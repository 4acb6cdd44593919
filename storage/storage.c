/* SPDX-License-Identifier: Apache-2.0 */
/* storage.c: opening, closing, counters, membership.
 * Owns the order of a start: the directory is ours, LMDB, the log durable to its end, the first
 * role (start.c), then the threads. Never evaluates a job and never writes after the threads run:
 * they do. */
#include "storage/storage.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "storage/disk.h"
#include "storage/engine.h"
#include "storage/install.h"
#include "storage/restore.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

void engine_fail(struct storage *storage, const struct err *failure)
{
    engine_lock(storage);
    if (!storage->failed) {
        storage->failed = true;
        storage->failure = *failure;
    }
    (void)pthread_cond_broadcast(&storage->writer_wake); /* a broadcast cannot fail */
    (void)pthread_cond_broadcast(&storage->syncer_wake);
    (void)pthread_cond_broadcast(&storage->checkpointer_wake);
    (void)pthread_cond_broadcast(&storage->caller_wake);
    (void)pthread_cond_broadcast(&storage->quiet_wake);
    (void)pthread_cond_broadcast(&storage->settle_wake);
    engine_wake_link(storage);
    engine_unlock(storage);
}

void engine_appended(struct storage *storage, const struct record_position *position)
{
    ASSERT(position->lsn == storage->last.lsn + 1);
    storage->last = *position;
    memcpy(storage->hashes[position->lsn % STORAGE_WINDOW_COUNT], position->hash,
           STORAGE_HASH_SIZE);
    if (wal_wants_segment(storage->wal)) {
        storage->wakes.checkpointer = true;
    }
    engine_wake_link(storage);
}

void engine_turn(struct storage *storage, enum engine_thread thread)
{
    storage->turn_counts[thread]++;
}

static uint64_t either(uint64_t given, uint64_t otherwise)
{
    return given == 0 ? otherwise : given;
}

static void resolve(struct storage_options *o)
{
    o->disk = o->disk == NULL ? disk_host() : o->disk;
    o->clock = o->clock == NULL ? clock_host() : o->clock;
    o->rng = o->rng == NULL ? rng_host() : o->rng;
    o->map_size = either(o->map_size, STORAGE_MAP_SIZE_DEFAULT);
    o->segment_size = either(o->segment_size, WAL_SEGMENT_SIZE_DEFAULT);
    o->wal_size_max = either(o->wal_size_max, WAL_SIZE_MAX_DEFAULT);
    o->headroom_size = either(o->headroom_size, STORAGE_HEADROOM_DEFAULT);
    o->ballast_size = either(o->ballast_size, STORAGE_BALLAST_DEFAULT);
    o->checkpoint_ms = (uint32_t)either(o->checkpoint_ms, STORAGE_CHECKPOINT_MS_DEFAULT);
    o->queue_count_max = (uint32_t)either(o->queue_count_max, STORAGE_QUEUE_COUNT_DEFAULT);
}

static enum err_code check_options(const struct storage_options *o, struct err *err)
{
    if (o->segment_size < WAL_SEGMENT_SIZE_MIN || o->segment_size > WAL_SEGMENT_SIZE_MAX ||
        o->segment_size % WAL_ZERO_CHUNK_SIZE != 0) {
        return err_set(err, ERR_INVALID,
                       "segment size %" PRIu64 " is not a multiple of %lu between %lu and %lu",
                       o->segment_size, WAL_ZERO_CHUNK_SIZE, WAL_SEGMENT_SIZE_MIN,
                       WAL_SEGMENT_SIZE_MAX);
    }
    if (o->wal_size_max < o->segment_size * WAL_SEGMENT_COUNT_MIN ||
        o->wal_size_max / o->segment_size >= WAL_SEGMENT_COUNT_MAX) {
        return err_set(err, ERR_INVALID,
                       "a log of %" PRIu64 " bytes does not hold %u to %u segments",
                       o->wal_size_max, WAL_SEGMENT_COUNT_MIN, WAL_SEGMENT_COUNT_MAX);
    }
    if (o->map_size < STORAGE_MAP_SIZE_MIN || o->queue_count_max > STORAGE_QUEUE_COUNT_MAX) {
        return err_set(err, ERR_INVALID, "map size below %lu or more than %u jobs",
                       STORAGE_MAP_SIZE_MIN, STORAGE_QUEUE_COUNT_MAX);
    }
    return ERR_OK;
}

static void init_locks(struct storage *storage)
{
    pthread_cond_t *conditions[] = {&storage->writer_wake,       &storage->syncer_wake,
                                    &storage->checkpointer_wake, &storage->caller_wake,
                                    &storage->quiet_wake,        &storage->settle_wake};
    pthread_condattr_t attributes;

    /* None of these can fail with these arguments on Linux. */
    (void)pthread_mutex_init(&storage->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    for (size_t i = 0; i < sizeof conditions / sizeof conditions[0]; i++) {
        (void)pthread_cond_init(conditions[i], &attributes);
    }
    (void)pthread_condattr_destroy(&attributes);
}

static enum err_code
new_storage(const struct storage_options *options, struct storage **ret_storage, struct err *err)
{
    struct storage *storage = mem_new(1, sizeof *storage);

    ASSERT(options != NULL && options->dir != NULL);
    if (storage == NULL) {
        return err_set(err, ERR_NOMEM, "storage");
    }
    storage->options = *options;
    storage->lock_file = -1;
    storage->event = -1;
    init_locks(storage);
    resolve(&storage->options);
    storage->options.dir = mem_copy_text(options->dir, strlen(options->dir));
    *ret_storage = storage;
    return storage->options.dir == NULL ? err_set(err, ERR_NOMEM, "storage")
                                        : check_options(&storage->options, err);
}

/* All that is not a thread. */
static void free_storage(struct storage *storage)
{
    const struct disk *disk = storage->options.disk;
    union {
        const char *in;
        char *out;
    } dir = {.in = storage->options.dir};

    wal_reader_free(storage->apply_reader);
    wal_reader_free(storage->find_reader);
    wal_reader_free(storage->ship_reader);
    promise_close(storage->promise);
    store_incoming_free(storage->incoming);
    store_view_free(storage->view);
    store_view_free(storage->view_weak);
    store_close(storage->store);
    wal_close(storage->wal);
    memtable_free(storage->active);
    memtable_free(storage->frozen);
    memtable_free(storage->changes);
    if (storage->event >= 0) {
        (void)close(storage->event);
    }
    if (storage->lock_file >= 0) {
        disk->close(disk->arg, storage->lock_file);
    }
    mem_free(storage->jobs);
    mem_free(dir.out);
    mem_free(storage);
}

static enum err_code take_directory(struct storage *storage, struct err *err)
{
    const struct disk *disk = storage->options.disk;
    char path[STORAGE_PATH_SIZE_MAX];
    enum err_code rc = disk->check_dir(disk->arg, storage->options.dir, err);

    if (rc == ERR_OK) {
        rc = disk_path(path, storage->options.dir, STORAGE_LOCK_FILE, err);
    }
    if (rc == ERR_OK) {
        rc = disk->lock(disk->arg, path, &storage->lock_file, err);
    }
    return rc;
}

static enum err_code open_wal(struct storage *storage, struct err *err)
{
    struct wal_options options = {
        .home = {.disk = storage->options.disk, .dir = storage->options.dir},
        .rng = storage->options.rng,
        .segment_size = storage->options.segment_size,
        .wal_size_max = storage->options.wal_size_max};
    struct store_meta meta;
    uint64_t lsn_epoch = 1;

    store_meta(storage->store, &meta);
    memcpy(options.home.cluster_id, meta.cluster_id, STORAGE_ID_SIZE);
    memcpy(options.home.store_id, meta.store_id, STORAGE_ID_SIZE);
    options.applied = meta.applied;
    options.lsn_base = meta.lsn_base;
    storage->identity = meta;
    if (meta.epoch > 0 && !storage->paired) {
        enum err_code rc = store_epoch_first(storage->store, meta.epoch, &lsn_epoch, err);

        if (rc != ERR_OK && rc != ERR_NOT_FOUND) {
            return rc;
        }
    }
    /* When an epoch was begun by a host alone, all records before it were durable. */
    options.lsn_durable = meta.applied.lsn > lsn_epoch - 1 ? meta.applied.lsn : lsn_epoch - 1;
    storage->folded = meta.applied;
    storage->lsn_applied = meta.applied.lsn;
    storage->applied_wall_ms = meta.applied.wall_ms;
    return wal_open(&options, &storage->wal, err);
}

static enum err_code allocate(struct storage *storage, struct err *err)
{
    enum err_code rc = memtable_new(MEMTABLE_COUNT_MAX, MEMTABLE_SIZE_MAX, &storage->active, err);

    if (rc == ERR_OK) {
        rc = memtable_new(MEMTABLE_COUNT_MAX, MEMTABLE_SIZE_MAX, &storage->frozen, err);
    }
    if (rc == ERR_OK) {
        rc = memtable_new(STORAGE_JOB_COUNT_MAX, 0, &storage->changes, err);
    }
    if (rc == ERR_OK) {
        rc = store_view_new(storage->store, &storage->view, err);
    }
    if (rc == ERR_OK) {
        rc = store_view_new(storage->store, &storage->view_weak, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    storage->jobs = mem_new(storage->options.queue_count_max, sizeof *storage->jobs);
    if (storage->jobs == NULL) {
        return err_set(err, ERR_NOMEM, "queue");
    }
    storage->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return storage->event >= 0 ? ERR_OK : err_set_errno(err, ERR_NOMEM, errno, "eventfd");
}

/* Space that the admin can free at once on a full disk. Made only while there is plenty; without
 * it the store works all the same, so failing to make it is no error. */
static void make_ballast(struct storage *storage)
{
    const struct storage_options *o = &storage->options;
    char path[STORAGE_PATH_SIZE_MAX];
    bool exists = true;
    int file;

    if (storage->disk_free_size < o->ballast_size + 2 * o->headroom_size ||
        disk_exists(o->disk, o->dir, STORAGE_BALLAST_FILE, &exists, NULL) != ERR_OK || exists ||
        disk_path(path, o->dir, STORAGE_BALLAST_FILE, NULL) != ERR_OK ||
        o->disk->open(o->disk->arg, path, DISK_OPEN_CREATE, &file, NULL) != ERR_OK) {
        return;
    }
    if (o->disk->allocate(o->disk->arg, file, o->ballast_size, NULL) != ERR_OK) {
        (void)o->disk->unlink(o->disk->arg, path, NULL); /* see above */
    }
    o->disk->close(o->disk->arg, file);
}

static enum err_code start_thread(struct storage *storage, thread_fn *run, struct err *err)
{
    pthread_t *thread = &storage->threads[storage->thread_count];
    int number = thread_start(thread, run, storage);

    if (number != 0) {
        return err_set_errno(err, ERR_NOMEM, number, "thread");
    }
    storage->thread_count++;
    return ERR_OK;
}

static enum err_code start_threads(struct storage *storage, struct err *err)
{
    enum err_code rc = start_thread(storage, writer_main, err);

    if (rc == ERR_OK) {
        rc = start_thread(storage, syncer_main, err);
    }
    if (rc == ERR_OK) {
        rc = start_thread(storage, checkpointer_main, err);
    }
    return rc;
}

static void join_threads(struct storage *storage)
{
    for (uint32_t i = 0; i < storage->thread_count; i++) {
        (void)pthread_join(storage->threads[i], NULL); /* they exist and nobody else joins them */
    }
    storage->thread_count = 0;
}

/* An old store of another cluster is not ours. */
static enum err_code
check_cluster(const struct storage *storage, const uint8_t *cluster_id, struct err *err)
{
    struct store_meta meta;

    store_meta(storage->store, &meta);
    if (memcmp(meta.cluster_id, cluster_id, STORAGE_ID_SIZE) == 0) {
        return ERR_OK;
    }
    return err_set(err, ERR_CONFLICT,
                   "this store is that of another cluster: correct cluster_id in supervisor.conf, "
                   "or move all of the data_dir away: an empty host fetches the other one's store");
}

static enum err_code open_files(struct storage *storage, const uint8_t *cluster_id, struct err *err)
{
    const struct storage_options *o = &storage->options;
    struct store_options options = {.disk = o->disk,
                                    .rng = o->rng,
                                    .dir = o->dir,
                                    .cluster_id = cluster_id,
                                    .map_size = o->map_size};
    enum err_code rc = take_directory(storage, err);

    if (rc == ERR_OK) {
        rc = restore_check(o->disk, o->dir, err);
    }
    if (rc == ERR_OK) {
        rc = install_finish(o->disk, o->dir, err);
    }
    if (rc == ERR_OK) {
        rc = store_open(&options, &storage->store, err);
    }
    if (rc == ERR_OK) {
        rc = cluster_id == NULL ? engine_check_alone(storage, err)
                                : check_cluster(storage, cluster_id, err);
    }
    if (rc == ERR_OK) {
        rc = open_wal(storage, err);
    }
    return rc;
}

static enum err_code open_all(struct storage *storage, const uint8_t *cluster_id, struct err *err)
{
    const struct storage_options *o = &storage->options;
    enum err_code rc = open_files(storage, cluster_id, err);

    if (rc == ERR_OK) {
        rc = allocate(storage, err);
    }
    if (rc == ERR_OK) {
        rc = storage->paired ? engine_start_idle(storage, err) : engine_start_alone(storage, err);
    }
    if (rc == ERR_OK) {
        rc = engine_measure(storage, err);
    }
    if (rc == ERR_OK) {
        make_ballast(storage);
        rc = disk_remove(o->disk, o->dir, STORAGE_FAILED_FILE, err);
    }
    if (rc == ERR_OK) {
        rc = start_threads(storage, err);
    }
    return rc;
}

enum err_code engine_open(const struct storage_options *options,
                          const uint8_t *cluster_id,
                          struct storage **ret_storage,
                          struct err *err)
{
    struct storage *storage = NULL;
    enum err_code rc = new_storage(options, &storage, err);

    if (storage == NULL) {
        return err_wrap(err, rc, "open storage");
    }
    storage->paired = cluster_id != NULL;
    if (rc == ERR_OK) {
        rc = open_all(storage, cluster_id, err);
    }
    if (rc == ERR_OK) {
        *ret_storage = storage;
        return ERR_OK;
    }
    if (storage->thread_count > 0) {
        struct err failure = {.code = rc, .message = "not all threads could be started"};

        engine_fail(storage, &failure);
        join_threads(storage);
    }
    free_storage(storage);
    return err_wrap(err, rc, "open storage");
}

enum err_code
storage_open(const struct storage_options *options, struct storage **ret_storage, struct err *err)
{
    return engine_open(options, NULL, ret_storage, err);
}

/* True when only another host could help: everything is done that this one can do, or a durable
 * record lacks the acknowledgement, and with it perhaps the next job its turn. Lock held. */
static bool is_stuck(const struct storage *storage)
{
    bool done_here =
        storage->evaluated == storage->enqueued && storage->durable.lsn == storage->last.lsn;
    bool held_up =
        storage->role == REPLICA_PRIMARY && isr_commit(&storage->isr) < storage->durable.lsn;

    return !storage->failed && (done_here || held_up);
}

/* Waits until there is something to deliver or nothing more to wait for. A record that only another
 * host's acknowledgement could commit will not get it after until_ms: its fate is unknown, and with
 * it that of every job behind. */
static bool wait_for_answers(struct storage *storage, uint64_t until_ms)
{
    struct err failure = {.code = ERR_UNAVAILABLE,
                          .message = "closed before the standby acknowledged"};
    bool stuck = false;
    bool answers;

    engine_lock(storage);
    while (storage->delivered < storage->enqueued && storage->released == storage->delivered &&
           !stuck) {
        stuck = clock_boot_ms(storage->options.clock) >= until_ms && is_stuck(storage);
        if (!stuck) {
            engine_wait(storage, &storage->caller_wake, STORAGE_TURN_MS);
        }
    }
    answers = storage->delivered < storage->enqueued;
    engine_unlock(storage);
    if (stuck) {
        engine_fail(storage, &failure);
    }
    return answers;
}

/* What nobody waits for any more (the start record of an epoch) may still lack an acknowledgement,
 * and what lies before it could then not be folded. */
static void wait_for_commit(struct storage *storage, uint64_t until_ms)
{
    struct err failure = {.code = ERR_UNAVAILABLE,
                          .message = "closed before the standby acknowledged"};
    bool committed = false;
    bool failed = false;

    while (!committed && !failed) {
        engine_lock(storage);
        committed =
            storage->role != REPLICA_PRIMARY || isr_commit(&storage->isr) == storage->last.lsn;
        failed = storage->failed;
        if (!committed && !failed && clock_boot_ms(storage->options.clock) < until_ms) {
            engine_wait(storage, &storage->caller_wake, STORAGE_TURN_MS / 10);
            engine_unlock(storage);
            continue;
        }
        engine_unlock(storage);
        if (!committed && !failed) {
            engine_fail(storage, &failure);
        }
    }
}

/* The threads here forget the link, and it ends. One of them may be about to wake it: so it is
 * freed only when they have ended. */
static struct engine_link stop_link(struct storage *storage)
{
    struct engine_link link;

    engine_lock(storage);
    link = storage->link;
    storage->link = (struct engine_link){.arg = NULL};
    engine_unlock(storage);
    if (link.stop != NULL) {
        link.stop(link.arg);
    }
    return link;
}

/* Waits for answers and acknowledgements, then ends the link. */
static struct engine_link finish_jobs(struct storage *storage)
{
    uint64_t until_ms = clock_boot_ms(storage->options.clock);

    if (storage->link.stop != NULL) {
        until_ms += STORAGE_CLOSE_WAIT_MS;
    }
    while (wait_for_answers(storage, until_ms)) {
        storage_dispatch(storage);
    }
    if (storage->paired) {
        wait_for_commit(storage, until_ms);
    }
    return stop_link(storage);
}

void storage_close(struct storage *storage)
{
    struct engine_link link;

    if (storage == NULL) {
        return;
    }
    engine_lock(storage);
    storage->closing = true;
    storage->started = storage->enqueued;
    storage->flush = true;
    (void)pthread_cond_broadcast(&storage->writer_wake); /* a broadcast cannot fail */
    engine_unlock(storage);
    backup_stop(storage);
    link = finish_jobs(storage);
    engine_lock(storage);
    storage->ending = true;
    (void)pthread_cond_broadcast(&storage->writer_wake);
    engine_unlock(storage);
    join_threads(storage);
    if (link.free != NULL) {
        link.free(link.arg);
    }
    free_storage(storage);
}

void storage_status(struct storage *storage, struct storage_status *ret_status)
{
    struct storage_status s = {0};

    ASSERT(ret_status != NULL);
    memcpy(s.cluster_id, storage->identity.cluster_id, STORAGE_ID_SIZE);
    memcpy(s.store_id, storage->identity.store_id, STORAGE_ID_SIZE);
    s.wal_size = wal_size(storage->wal);
    s.map_size = storage->options.map_size;
    engine_lock(storage);
    s.epoch = storage->epoch;
    s.lsn_last = storage->last.lsn;
    memcpy(s.hash_last, storage->last.hash, STORAGE_HASH_SIZE);
    s.lsn_commit = engine_commit_lsn(storage);
    s.lsn_applied = storage->lsn_applied;
    s.map_used_size = storage->map_used_size;
    s.disk_free_size = storage->disk_free_size;
    s.commit_count = storage->commit_count;
    s.sync_count = storage->sync_count;
    s.sync_us_total = storage->sync_us_total;
    s.sync_us_max = storage->sync_us_max;
    s.checkpoint_count = storage->checkpoint_count;
    s.queue_count = (uint32_t)(storage->enqueued - storage->delivered);
    s.isr_count = isr_count(&storage->isr);
    memcpy(s.turn_counts, storage->turn_counts, sizeof s.turn_counts);
    s.failed = storage->failed;
    s.failure = storage->failure;
    engine_unlock(storage);
    *ret_status = s;
}
