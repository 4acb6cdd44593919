/* SPDX-License-Identifier: Apache-2.0 */
/* memory.c: the supervisor's state files.
 * Owns supervisor-0, supervisor-1, pair and the lock of state_dir. Never begins anew over damaged
 * copies.
 * A crash leaves: while an existing copy is overwritten, the other one; while the first of a copy
 * is made, no copy of that name (it is made under another name and renamed). */
#include "supervisor/memory.h"

#include "base/assert.h"
#include "base/crypto.h"
#include "base/mem.h"
#include "base/pack.h"
#include "base/twocopy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define COPY_SIZE (TWOCOPY_HEADER_SIZE + MEMORY_BODY_SIZE)
#define BOOT_FILE "/proc/sys/kernel/random/boot_id"
/* The same from systemd (%b), as 32 digits: its unit hides /proc/sys. */
#define BOOT_VARIABLE    "APPROVALD_BOOT_ID"
#define BOOT_DIGIT_COUNT 32U
#define PAIR_TEXT_SIZE   (2U * REGISTER_ID_SIZE + 1U) /* digits and the end of the line */

static const struct twocopy_format format = {
    .magic = {'A', 'P', 'V', 'S', 'U', 'P', 'E', 'R'}, .version = 1, .size = COPY_SIZE};

static const char *const names[2] = {"supervisor-0", "supervisor-1"};
static const char pair_name[] = "pair";

struct memory {
    int dir; /* owned; holds the lock */
    uint64_t sequence;
    uint32_t next; /* the copy to write */
    bool exists[2];
    char boot_id[MEMORY_BOOT_SIZE];
};

static void put(uint8_t **at, const void *bytes, size_t size)
{
    memcpy(*at, bytes, size);
    *at += size;
}

static void put_number(uint8_t **at, uint64_t number, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        *(*at)++ = (uint8_t)(number >> (8 * i));
    }
}

static void put_crash(uint8_t **at, const struct watch_crash *crash)
{
    put_number(at, crash->boot_ms, 8);
    put_number(at, crash->wall_ms, 8);
    put_number(at, crash->cause, 1);
    put_number(at, crash->task, 1);
    put_number(at, (uint32_t)crash->status, 4);
    put_number(at, crash->counts, 1);
    put(at, crash->reason, WATCH_REASON_SIZE);
}

void memory_encode(const struct memory_value *value, uint8_t body[MEMORY_BODY_SIZE])
{
    uint8_t *at = body;

    ASSERT(watch_tally_is_legal(&value->tally));
    put_number(&at, value->failover.epoch, 8);
    put_number(&at, value->failover.lineage, 8);
    put_number(&at, value->failover.nonce, 8);
    put_number(&at, value->failover.revision, 8);
    put_number(&at, value->failover.arbiter_id, 8);
    put_number(&at, value->failover.in_sync, 1);
    put_number(&at, value->failover.maintenance, 1);
    put(&at, value->boot_id, MEMORY_BOOT_SIZE);
    put_number(&at, value->running, 1);
    put_number(&at, value->armed, 1);
    put_number(&at, value->tally.count, 8);
    for (size_t i = 0; i < WATCH_CRASH_COUNT; i++) {
        put_crash(&at, &value->tally.items[i]);
    }
    ASSERT((size_t)(at - body) == MEMORY_BODY_SIZE);
}

static bool take_flag(struct unpack *unpack)
{
    uint8_t value = unpack_u8(unpack);

    unpack->failed = unpack->failed || value > 1;
    return value == 1;
}

static void take_crash(struct unpack *unpack, struct watch_crash *crash)
{
    crash->boot_ms = unpack_u64(unpack);
    crash->wall_ms = unpack_u64(unpack);
    crash->cause = unpack_u8(unpack);
    crash->task = unpack_u8(unpack);
    crash->status = (int32_t)unpack_u32(unpack);
    crash->counts = take_flag(unpack);
    unpack_copy(unpack, crash->reason, WATCH_REASON_SIZE);
}

enum err_code memory_decode(struct span body, struct memory_value *ret_value, struct err *err)
{
    struct memory_value value;
    struct unpack unpack;

    memset(&value, 0, sizeof(value));
    unpack_init(&unpack, body);
    value.failover.epoch = unpack_u64(&unpack);
    value.failover.lineage = unpack_u64(&unpack);
    value.failover.nonce = unpack_u64(&unpack);
    value.failover.revision = unpack_u64(&unpack);
    value.failover.arbiter_id = unpack_u64(&unpack);
    value.failover.in_sync = take_flag(&unpack);
    value.failover.maintenance = take_flag(&unpack);
    unpack_copy(&unpack, value.boot_id, MEMORY_BOOT_SIZE);
    value.running = take_flag(&unpack);
    value.armed = take_flag(&unpack);
    value.tally.count = unpack_u64(&unpack);
    for (size_t i = 0; i < WATCH_CRASH_COUNT; i++) {
        take_crash(&unpack, &value.tally.items[i]);
    }
    if (!unpack_done(&unpack) || !watch_tally_is_legal(&value.tally)) {
        return err_set(err, ERR_CORRUPT, "supervisor's state: the content makes no sense");
    }
    *ret_value = value;
    return ERR_OK;
}

/* Reads size bytes at most; *ret_size is 0 when there is no such file. */
static enum err_code
read_file(int dir, const char *name, uint8_t *bytes, size_t size, size_t *ret_size, struct err *err)
{
    AUTO_CLOSE int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t got;

    *ret_size = 0;
    if (fd < 0) {
        return errno == ENOENT ? ERR_OK : err_set_errno(err, ERR_IO, errno, "%s", name);
    }
    got = pread(fd, bytes, size, 0);
    if (got < 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", name);
    }
    *ret_size = (size_t)got;
    return ERR_OK;
}

static enum err_code open_dir(struct memory *memory, const char *dir, struct err *err)
{
    struct stat found;

    if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
        return err_set_errno(err, ERR_IO, errno, "%s", dir);
    }
    memory->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (memory->dir < 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", dir);
    }
    /* First: who finds the lock taken has to know that, whatever else is wrong. */
    if (flock(memory->dir, LOCK_EX | LOCK_NB) != 0) {
        return errno == EWOULDBLOCK
                   ? err_set(err, ERR_BUSY, "%s: another supervisor runs here", dir)
                   : err_set_errno(err, ERR_IO, errno, "%s", dir);
    }
    if (fstat(memory->dir, &found) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", dir);
    }
    if (found.st_uid != geteuid() || (found.st_mode & 077) != 0) {
        return err_set(err, ERR_DENIED, "%s: has to be the supervisor's own, with mode 0700", dir);
    }
    return ERR_OK;
}

static enum err_code load(struct memory *memory,
                          struct memory_value *ret_value,
                          enum memory_end *ret_end,
                          struct err *err)
{
    uint8_t copies[2][COPY_SIZE + 1]; /* one more: a longer file is seen to be longer */
    struct span spans[2] = {SPAN_NONE, SPAN_NONE};
    struct twocopy_choice choice;
    enum err_code rc = ERR_OK;
    size_t size = 0;

    for (size_t i = 0; rc == ERR_OK && i < 2; i++) {
        rc = read_file(memory->dir, names[i], copies[i], sizeof(copies[i]), &size, err);
        if (rc == ERR_OK && size > 0) {
            spans[i] = span_of(copies[i], size);
            memory->exists[i] = true;
        }
    }
    if (rc != ERR_OK) {
        return rc;
    }
    rc = twocopy_choose(&format, spans, &choice, err);
    if (rc == ERR_NOT_FOUND) {
        memset(ret_value, 0, sizeof(*ret_value));
        *ret_end = MEMORY_FIRST;
        return ERR_OK;
    }
    if (rc != ERR_OK) {
        return rc;
    }
    /* The name of a copy may be in the page cache only: what is written over it later would go with
     * it when the power fails. */
    if (fsync(memory->dir) != 0) {
        return err_set_errno(err, ERR_IO, errno, "sync of the directory");
    }
    memory->sequence = choice.sequence;
    memory->next = 1 - choice.index;
    rc = memory_decode(choice.body, ret_value, err);
    if (rc == ERR_OK && !ret_value->running) {
        *ret_end = MEMORY_CLEAN;
    } else if (rc == ERR_OK) {
        *ret_end = memcmp(ret_value->boot_id, memory->boot_id, MEMORY_BOOT_SIZE) == 0
                       ? MEMORY_CRASHED
                       : MEMORY_HOST_DOWN;
    }
    return rc;
}

/* The boot clock begins anew with a boot: crashes of another boot say nothing about this one. */
static void forget_other_boot(const struct memory *memory, struct memory_value *value)
{
    if (memcmp(value->boot_id, memory->boot_id, MEMORY_BOOT_SIZE) == 0) {
        return;
    }
    for (size_t i = 0; i < WATCH_CRASH_COUNT; i++) {
        value->tally.items[i].counts = false;
    }
}

enum err_code memory_open(const char *dir, struct memory **ret_memory, struct err *err)
{
    struct memory *memory = mem_new(1, sizeof(*memory));
    enum err_code rc;

    if (memory == NULL) {
        return err_set(err, ERR_NOMEM, "supervisor's state");
    }
    memory->dir = -1;
    rc = open_dir(memory, dir, err);
    if (rc != ERR_OK) {
        memory_close(memory);
        return err_wrap(err, rc, "state_dir");
    }
    *ret_memory = memory;
    return ERR_OK;
}

/* 8-4-4-4-12, as the kernel writes it. False: there is none, or it is not one. */
static bool boot_from_manager(char ret_id[MEMORY_BOOT_SIZE])
{
    const char *digits = getenv(BOOT_VARIABLE);
    size_t at = 0;

    if (digits == NULL || strlen(digits) != BOOT_DIGIT_COUNT ||
        strspn(digits, "0123456789abcdef") != BOOT_DIGIT_COUNT) {
        return false;
    }
    for (size_t i = 0; i < BOOT_DIGIT_COUNT; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) {
            ret_id[at++] = '-';
        }
        ret_id[at++] = digits[i];
    }
    ASSERT(at == MEMORY_BOOT_SIZE);
    return true;
}

static enum err_code read_boot(struct memory *memory, struct err *err)
{
    size_t size = 0;
    enum err_code rc;

    if (boot_from_manager(memory->boot_id)) {
        return ERR_OK;
    }
    rc = read_file(AT_FDCWD, BOOT_FILE, (uint8_t *)memory->boot_id, MEMORY_BOOT_SIZE, &size, err);
    return rc == ERR_OK && size != MEMORY_BOOT_SIZE
               ? err_set(err, ERR_IO, "%s: not readable", BOOT_FILE)
               : rc;
}

enum err_code memory_load(struct memory *memory,
                          struct memory_value *ret_value,
                          enum memory_end *ret_end,
                          struct err *err)
{
    enum err_code rc = read_boot(memory, err);

    if (rc == ERR_OK) {
        rc = load(memory, ret_value, ret_end, err);
    }
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "state_dir");
    }
    forget_other_boot(memory, ret_value);
    return ERR_OK;
}

void memory_close(struct memory *memory)
{
    if (memory != NULL) {
        if (memory->dir >= 0) {
            (void)close(memory->dir);
        }
        mem_free(memory);
    }
}

int memory_dir(const struct memory *memory)
{
    return memory->dir;
}

static enum err_code
write_copy(int dir, const char *name, const uint8_t *copy, int flags, struct err *err)
{
    AUTO_CLOSE int fd = openat(dir, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | flags, 0600);

    if (fd < 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", name);
    }
    errno = ENOSPC; /* what a short write means */
    if (pwrite(fd, copy, COPY_SIZE, 0) != (ssize_t)COPY_SIZE || fdatasync(fd) != 0) {
        return err_set_errno(err, errno == ENOSPC ? ERR_NOSPACE : ERR_IO, errno, "%s", name);
    }
    return ERR_OK;
}

static enum err_code make_copy(struct memory *memory, const uint8_t *copy, struct err *err)
{
    static const char fresh[] = "supervisor.new";
    const char *name = names[memory->next];
    enum err_code rc = write_copy(memory->dir, fresh, copy, O_CREAT | O_TRUNC, err);

    if (rc != ERR_OK) {
        return rc;
    }
    if (renameat(memory->dir, fresh, memory->dir, name) != 0 || fsync(memory->dir) != 0) {
        return err_set_errno(err, ERR_IO, errno, "%s", name);
    }
    memory->exists[memory->next] = true;
    return ERR_OK;
}

enum err_code memory_save(struct memory *memory, const struct memory_value *value, struct err *err)
{
    struct memory_value stamped = *value;
    uint8_t copy[COPY_SIZE];
    enum err_code rc;

    memcpy(stamped.boot_id, memory->boot_id, MEMORY_BOOT_SIZE);
    memory_encode(&stamped, copy + TWOCOPY_HEADER_SIZE);
    twocopy_seal(&format, memory->sequence + 1, copy);
    rc = memory->exists[memory->next] ? write_copy(memory->dir, names[memory->next], copy, 0, err)
                                      : make_copy(memory, copy, err);
    if (rc != ERR_OK) {
        return err_wrap(err, rc, "state_dir");
    }
    memory->sequence++;
    memory->next = 1 - memory->next;
    return ERR_OK;
}

/* *ret_known is false when there is no mark. */
static enum err_code read_pair(const struct memory *memory,
                               uint8_t cluster_id[REGISTER_ID_SIZE],
                               bool *ret_known,
                               struct err *err)
{
    uint8_t text[PAIR_TEXT_SIZE + 1]; /* one more: a longer file is seen to be longer */
    size_t size = 0;
    enum err_code rc = read_file(memory->dir, pair_name, text, sizeof(text), &size, err);

    *ret_known = size > 0;
    if (rc == ERR_OK && size > 0 &&
        (size != PAIR_TEXT_SIZE || text[size - 1] != '\n' ||
         !crypto_unhex(span_of(text, size - 1), cluster_id, REGISTER_ID_SIZE))) {
        rc = err_set(err, ERR_CORRUPT, "%s: is no cluster id", pair_name);
    }
    return rc;
}

static enum err_code
write_pair(const struct memory *memory, const uint8_t cluster_id[REGISTER_ID_SIZE], struct err *err)
{
    static const char fresh[] = "pair.new";
    char text[PAIR_TEXT_SIZE];
    AUTO_CLOSE int fd =
        openat(memory->dir, fresh, O_WRONLY | O_CLOEXEC | O_NOFOLLOW | O_CREAT | O_TRUNC, 0600);

    crypto_hex(cluster_id, REGISTER_ID_SIZE, text);
    text[PAIR_TEXT_SIZE - 1] = '\n';
    errno = fd < 0 ? errno : ENOSPC; /* what a short write means */
    if (fd < 0 || write(fd, text, sizeof(text)) != (ssize_t)sizeof(text) || fdatasync(fd) != 0 ||
        renameat(memory->dir, fresh, memory->dir, pair_name) != 0 || fsync(memory->dir) != 0) {
        return err_set_errno(err, errno == ENOSPC ? ERR_NOSPACE : ERR_IO, errno, "%s", pair_name);
    }
    return ERR_OK;
}

/* Forgotten first: a crash in between leaves the old mark, and it is done again. */
enum err_code memory_bind(struct memory *memory,
                          const uint8_t cluster_id[REGISTER_ID_SIZE],
                          struct memory_value *value,
                          bool *ret_forgot,
                          struct err *err)
{
    uint8_t before[REGISTER_ID_SIZE];
    bool known = false;
    enum err_code rc = read_pair(memory, before, &known, err);

    *ret_forgot = rc == ERR_OK && known && memcmp(before, cluster_id, sizeof(before)) != 0;
    if (*ret_forgot) {
        memset(&value->failover, 0, sizeof(value->failover));
        rc = memory_save(memory, value, err);
    }
    if (rc == ERR_OK && (!known || *ret_forgot)) {
        rc = write_pair(memory, cluster_id, err);
    }
    return rc == ERR_OK ? rc : err_wrap(err, rc, "state_dir");
}

const char *memory_end_word(enum memory_end end)
{
    static const char *const words[] = {"first start", "stopped", "crashed", "host went down"};

    return words[end];
}
