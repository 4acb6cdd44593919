/* SPDX-License-Identifier: Apache-2.0 */
/* store.c: the directories of a fixture.
 * Owns how they are made: with the program's own modules, so they are what it leaves behind.
 * Never writes one of these formats itself. */
#include "tests/formats/store.h"

#include "approvald/service/service.h"
#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/metrics.h"
#include "base/rng.h"
#include "storage/disk.h"
#include "storage/promise.h"
#include "storage/store.h"
#include "supervisor/arbiter/mirror_file.h"
#include "tests/formats/record.h"
#include "tests/formats/sample.h"
#include "tests/formats/wire.h"
#include "tests/lib/backup_kit.h"
#include "tests/lib/store_kit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define NEVER_MS 3600000U /* between checkpoints: none comes by itself */
#define NOW_MS   UINT64_C(1800000000000)
#define WAIT_MS  20000

static uint64_t now(void *arg)
{
    (void)arg;
    return NOW_MS;
}

static const struct clock still = {.boot_ms = now, .wall_ms = now};

typedef enum err_code sample_fn(sample_put_fn *put, void *arg, struct err *err);

/* A job and its answer. */
struct work {
    sample_fn *sample;
    FILE *out;
    struct err err;
    enum err_code rc;
    bool done;
    uint8_t table;
};

static enum err_code
put_pair(void *arg, uint8_t table, struct span key, struct span value, struct err *err)
{
    return value.data == NULL ? storage_delete(arg, table, key, err)
                              : storage_put(arg, table, key, value, err);
}

static enum err_code run_sample(struct storage_txn *txn, void *arg, struct err *err)
{
    return ((struct work *)arg)->sample(put_pair, txn, err);
}

static bool visit(void *arg, struct span key, struct span value)
{
    struct work *work = arg;

    work->rc = record_print(work->out, work->table, key, value, &work->err);
    return work->rc == ERR_OK;
}

static enum err_code run_scan(struct storage_txn *txn, void *arg, struct err *err)
{
    struct work *work = arg;
    enum err_code rc = ERR_OK;

    for (work->table = 'a'; rc == ERR_OK && work->table <= 'z'; work->table++) {
        rc = storage_scan(txn, work->table, SPAN_NONE, false, visit, work, err);
        if (rc == ERR_OK && work->rc != ERR_OK) {
            return err_set(err, work->rc, "table %c: %s", work->table, work->err.message);
        }
    }
    return rc;
}

static void on_done(void *arg, enum err_code rc, const struct err *err)
{
    struct work *work = arg;

    work->rc = rc;
    work->err = *err;
    work->done = true;
}

static enum err_code wait_for(struct storage *storage, struct work *work, struct err *err)
{
    while (!work->done) {
        struct pollfd ready = {.fd = storage_fd(storage), .events = POLLIN};

        if (poll(&ready, 1, WAIT_MS) <= 0) {
            return err_set(err, ERR_TIMEOUT, "no answer came");
        }
        storage_dispatch(storage);
    }
    return work->rc == ERR_OK ? ERR_OK : err_set(err, work->rc, "%s", work->err.message);
}

static enum err_code open_storage(const char *dir, struct storage **ret_storage, struct err *err)
{
    struct storage_options options = kit_options(dir);

    options.clock = &still;
    options.checkpoint_ms = NEVER_MS;
    return storage_open(&options, ret_storage, err);
}

static enum err_code write_sample(struct storage *storage, sample_fn *sample, struct err *err)
{
    struct work work = {.sample = sample, .rc = ERR_OK};
    enum err_code rc = storage_write(storage, run_sample, on_done, &work, err);

    return rc == ERR_OK ? wait_for(storage, &work, err) : rc;
}

/* In a process that ends as after a loss of power: what it wrote last is in the log alone. */
static enum err_code write_tail(const char *dir, struct err *err)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct storage *storage;
        enum err_code rc = open_storage(dir, &storage, err);

        if (rc == ERR_OK) {
            rc = write_sample(storage, sample_tail, err);
        }
        if (rc != ERR_OK) {
            (void)fprintf(stderr, "write the tail: %s\n", err->message);
        }
        _exit(rc == ERR_OK ? EXIT_SUCCESS : EXIT_FAILURE);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
        return err_set(err, ERR_IO, "the process that writes the tail failed");
    }
    return ERR_OK;
}

enum err_code store_make(const char *dir, const char *backup, struct err *err)
{
    struct backup_answer answer = {.done = false};
    struct storage *storage;
    enum err_code rc = open_storage(dir, &storage, err);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = write_sample(storage, sample_state, err);
    if (rc == ERR_OK) {
        rc = backup_kit_take(storage, backup, &answer);
    }
    storage_close(storage);
    return rc == ERR_OK ? write_tail(dir, err) : rc;
}

/* What the state is before the log is replayed: it must lack what the tail says. */
static enum err_code print_applied(FILE *out, const char *dir, struct err *err)
{
    const struct store_options options = {
        .disk = disk_host(), .rng = rng_host(), .dir = dir, .map_size = kit_options(dir).map_size};
    struct store_meta meta;
    struct store *store;
    enum err_code rc = store_open(&options, &store, err);

    if (rc != ERR_OK) {
        return rc;
    }
    store_meta(store, &meta);
    (void)fprintf(out, "state.mdb: applied LSN %" PRIu64 ", epoch %" PRIu64 "\n", meta.applied.lsn,
                  meta.epoch);
    store_close(store);
    return ERR_OK;
}

static enum err_code print_service(FILE *out, struct storage *storage, struct err *err)
{
    struct service_options options = {.storage = storage, .clock = &still};
    const struct service_delegation *delegations;
    const struct service_token *const *tokens;
    struct service_counts counts;
    struct service *service;
    enum err_code rc = metrics_new(&options.metrics, err);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = service_new(&options, &service, err);
    if (rc == ERR_OK) {
        service_counts(service, &counts);
        (void)fprintf(
            out,
            "service: stored %" PRIu64 " pending %" PRIu64 " owed %" PRIu64 " dead %" PRIu64
            " inbox %" PRIu64 " audit %" PRIu64 " glass %" PRIu64 " tokens %zu delegations %zu\n",
            counts.stored, counts.pending, counts.outbox_owed, counts.outbox_dead,
            counts.inbox_depth, counts.audit_seq, counts.glass_count,
            service_token_list(service, &tokens), service_delegation_list(service, &delegations));
    }
    storage_close(storage); /* before the service, which its answers go to */
    service_free(service);
    metrics_free(options.metrics);
    return rc;
}

enum err_code store_print(FILE *out, const char *dir, struct err *err)
{
    struct work work = {.out = out, .rc = ERR_OK};
    struct storage_status status;
    struct storage *storage;
    enum err_code rc = print_applied(out, dir, err);

    if (rc == ERR_OK) {
        rc = open_storage(dir, &storage, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    storage_status(storage, &status);
    (void)fprintf(out, "replayed: last LSN %" PRIu64 ", epoch %" PRIu64 "\n", status.lsn_last,
                  status.epoch);
    rc = storage_read(storage, run_scan, on_done, &work, err);
    if (rc == ERR_OK) {
        rc = wait_for(storage, &work, err);
    }
    if (rc != ERR_OK) {
        storage_close(storage);
        return rc;
    }
    return print_service(out, storage, err);
}

struct reader {
    FILE *out;
    int file;
};

static enum err_code read_some(void *arg, void *at, size_t size, size_t *ret_size, struct err *err)
{
    ssize_t got = read(((struct reader *)arg)->file, at, size);

    if (got < 0) {
        return err_set(err, ERR_IO, "read");
    }
    *ret_size = (size_t)got;
    return ERR_OK;
}

static enum err_code print_pairs(void *arg, struct span pairs, struct err *err)
{
    enum err_code rc = ERR_OK;

    while (rc == ERR_OK && pairs.size > 0) {
        struct change change;

        rc = change_decode(&pairs, &change, err);
        if (rc == ERR_OK) {
            rc = record_print(((struct reader *)arg)->out, (uint8_t)change.key.data[0],
                              span_of(change.key.data + 1, change.key.size - 1), change.value, err);
        }
    }
    return rc;
}

enum err_code store_backup_print(FILE *out, const char *path, struct err *err)
{
    struct reader reader = {.out = out, .file = open(path, O_RDONLY | O_CLOEXEC)};
    const struct backup_walk walk = {.read = read_some, .pairs = print_pairs, .arg = &reader};
    struct backup_header header;
    uint64_t size;
    enum err_code rc;

    if (reader.file < 0) {
        return err_set(err, ERR_NOT_FOUND, "%s", path);
    }
    rc = backup_walk(&walk, &header, &size, err);
    (void)close(reader.file); /* was only read */
    if (rc == ERR_OK) {
        (void)fprintf(out, "backup: LSN %" PRIu64 ", epoch %" PRIu64 ", %" PRIu64 " pairs\n",
                      header.position.lsn, header.epoch, header.pair_count);
    }
    return rc;
}

static const uint8_t promise_store[STORAGE_ID_SIZE] = {0x51};

enum err_code store_promise_make(const char *dir, struct err *err)
{
    struct promise *promise;
    enum err_code rc = promise_open(disk_host(), dir, promise_store, &promise, err);

    for (uint64_t epoch = 6; rc == ERR_OK && epoch <= 7; epoch++) {
        rc = promise_set(promise, &(struct promise_value){.epoch = epoch, .lineage = 3}, err);
    }
    promise_close(promise);
    return rc;
}

enum err_code store_promise_print(FILE *out, const char *dir, struct err *err)
{
    struct promise_value value;
    struct promise *promise;
    enum err_code rc = promise_open(disk_host(), dir, promise_store, &promise, err);

    if (rc != ERR_OK) {
        return rc;
    }
    promise_get(promise, &value);
    (void)fprintf(out, "promise: epoch %" PRIu64 ", lineage %" PRIu64 "\n", value.epoch,
                  value.lineage);
    promise_close(promise);
    return ERR_OK;
}

static enum err_code make_mirror(int dir, struct err *err)
{
    struct mirror_copy copy;
    struct mirror_file *file;
    enum err_code rc = mirror_file_open(dir, "the fixture", &file, &copy, err);

    if (rc != ERR_OK) {
        return rc;
    }
    copy = (struct mirror_copy){.present = true,
                                .adding = true,
                                .raised = true,
                                .generation = 1,
                                .value = sample_register()};
    for (unsigned i = 0; rc == ERR_OK && i < 2; i++) {
        copy.generation++;
        rc = mirror_file_save(file, &copy, err);
    }
    mirror_file_close(file);
    return rc;
}

enum err_code store_memory_make(const char *dir, struct err *err)
{
    struct memory_value value;
    struct memory *memory;
    enum memory_end how;
    bool forgot;
    enum err_code rc = memory_open(dir, &memory, err);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = memory_load(memory, &value, &how, err);
    if (rc == ERR_OK) {
        rc = memory_bind(memory, sample_cluster, &value, &forgot, err);
    }
    value = sample_memory();
    for (unsigned i = 0; rc == ERR_OK && i < 2; i++) {
        value.failover.revision++;
        rc = memory_save(memory, &value, err);
    }
    if (rc == ERR_OK) {
        rc = make_mirror(memory_dir(memory), err);
    }
    memory_close(memory);
    return rc;
}

static enum err_code print_memory(FILE *out, struct memory *memory, struct err *err)
{
    struct memory_value value;
    struct mirror_copy copy;
    struct mirror_file *file;
    enum memory_end how; /* of the last one here, which depends on this host's boot */
    bool forgot;
    enum err_code rc = memory_load(memory, &value, &how, err);

    if (rc == ERR_OK) {
        rc = memory_bind(memory, sample_cluster, &value, &forgot, err);
    }
    if (rc != ERR_OK) {
        return rc;
    }
    (void)fprintf(out, "supervisor: this pair's %d\n", forgot ? 0 : 1);
    wire_print_memory(out, &value);
    rc = mirror_file_open(memory_dir(memory), "the fixture", &file, &copy, err);
    if (rc == ERR_OK) {
        (void)fputs("mirrored register\n", out);
        wire_print_copy(out, &copy);
        mirror_file_close(file);
    }
    return rc;
}

enum err_code store_memory_print(FILE *out, const char *dir, struct err *err)
{
    struct memory *memory;
    enum err_code rc = memory_open(dir, &memory, err);

    if (rc != ERR_OK) {
        return rc;
    }
    rc = print_memory(out, memory, err);
    memory_close(memory);
    return rc;
}
