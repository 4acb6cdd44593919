/* SPDX-License-Identifier: Apache-2.0 */
/* log.c: one line per event, on standard error or to journald.
 * Owns the log's global state under one mutex, the shapes of secrets, and the limit on repeats.
 * Never decides whether something is worth a line, never writes a secret it can recognise, never
 * fails, never waits for journald: what that does not take is counted and told later. */
#include "base/log.h"

#include "base/assert.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log_journal.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#define LOG_REPEAT_WINDOW_MS 1000
#define LOG_REDACTED         "[redacted]"
#define LOG_NUMBER_SIZE      24

struct log_entry {
    enum log_level level;
    const char *module;
    const char *event;
    const struct log_field *fields;
};

/* How often one event was logged in the current window. */
struct log_repeat {
    uint64_t key;       /* hash of module and event; 0: free */
    const char *module; /* both borrowed for ever: they are literals */
    const char *event;
    uint64_t window_ms;
    uint32_t count;
    uint32_t dropped_count; /* not yet reported */
};

static struct {
    pthread_mutex_t mutex; /* guards all below but level_min */
    _Atomic int level_min;
    enum log_target target;
    struct buf *line;    /* owned; NULL until first used */
    struct buf *value;   /* owned; scratch for one value */
    int journal_fd;      /* owned; -1: not opened yet */
    uint32_t lost_count; /* lines that journald did not take, not yet reported */
    uint64_t swept_ms;
    struct log_repeat repeats[LOG_EVENT_COUNT_MAX];
} log_state = {
    .mutex = PTHREAD_MUTEX_INITIALIZER,
    .level_min = LOG_LEVEL_INFO,
    .target = LOG_TARGET_TEXT,
    .journal_fd = -1,
};

static const char *const log_level_texts[] = {"debug", "info", "warning", "error"};
/* syslog(3) priorities, without its header: its LOG_* names are other things than ours. */
static const char *const log_priorities[] = {"PRIORITY=7", "PRIORITY=6", "PRIORITY=4",
                                             "PRIORITY=3"};

/* Where a secret begins: the text before it stays, the token behind it goes. */
static const struct {
    const char *shape;
    bool shape_is_secret; /* false: the shape itself may be shown */
} log_secrets[] = {
    {"xoxb-", true},
    {"xoxp-", true},
    {"xoxa-", true},
    {"xoxe", true},
    {"xoxs-", true},
    {"xapp-", true},
    {"xwfp-", true},
    {"apv_", true},
    {"hooks.slack.com/", false},
    {"Bearer ", false},
    {"bearer ", false},
    {"Basic ", false},
    {"hooks.slack-gov.com/", false},
    {"ticket=", false},
};

/* Fields whose value is never shown, whatever it looks like. */
static const char *const log_secret_names[] = {"authorization", "cookie",    "password",
                                               "secret",        "signature", "token"};

void log_init(enum log_target target, enum log_level level_min)
{
    (void)pthread_mutex_lock(&log_state.mutex); /* a plain mutex cannot fail */
    log_state.target = target;
    (void)pthread_mutex_unlock(&log_state.mutex);
    log_set_level(level_min);
}

void log_set_level(enum log_level level_min)
{
    atomic_store_explicit(&log_state.level_min, (int)level_min, memory_order_relaxed);
}

enum err_code log_level_parse(const char *text, enum log_level *ret_level, struct err *err)
{
    for (int i = LOG_LEVEL_DEBUG; i <= LOG_LEVEL_ERROR; i++) {
        if (strcmp(text, log_level_texts[i]) == 0) {
            *ret_level = (enum log_level)i;
            return ERR_OK;
        }
    }
    return err_set(err, ERR_INVALID, "log level \"%s\": not debug, info, warning or error", text);
}

static bool is_token_byte(char byte)
{
    return isalnum((unsigned char)byte) != 0 || (byte != '\0' && strchr("-_.~+/=%:", byte) != NULL);
}

/* The shape of a secret at the front of text: its bytes, or 0. */
static size_t secret_shape(struct span text, size_t *ret_shown_size)
{
    for (size_t i = 0; i < sizeof log_secrets / sizeof log_secrets[0]; i++) {
        size_t size = strlen(log_secrets[i].shape);

        if (size <= text.size && memcmp(text.data, log_secrets[i].shape, size) == 0) {
            *ret_shown_size = log_secrets[i].shape_is_secret ? 0 : size;
            return size;
        }
    }
    return 0;
}

static enum err_code
redact_from(struct buf *buf, struct span *rest, size_t shape_size, size_t shown)
{
    size_t end = shape_size;
    enum err_code rc;

    while (end < rest->size && is_token_byte(rest->data[end])) {
        end++;
    }
    rc = buf_append(buf, rest->data, shown, NULL);
    rc = rc == ERR_OK ? buf_append_text(buf, LOG_REDACTED, NULL) : rc;
    *rest = span_of(rest->data + end, rest->size - end);
    return rc;
}

/* Appends text with its secrets replaced, until buf is full. */
static void redact(struct buf *buf, struct span text)
{
    enum err_code rc = ERR_OK;
    size_t plain = 0; /* bytes at the front known to be harmless */

    while (rc == ERR_OK && plain < text.size) {
        size_t shown = 0;
        size_t shape = 0;

        if (strchr("xahBbt", text.data[plain]) != NULL) {
            shape = secret_shape(span_of(text.data + plain, text.size - plain), &shown);
        }
        if (shape == 0) {
            plain++;
            continue;
        }
        rc = buf_append(buf, text.data, plain, NULL);
        text = span_of(text.data + plain, text.size - plain);
        plain = 0;
        rc = rc == ERR_OK ? redact_from(buf, &text, shape, shown) : rc;
    }
    if (rc == ERR_OK && plain > buf_room(buf)) {
        plain = buf_room(buf);
    }
    err_ignore(rc == ERR_OK ? buf_append(buf, text.data, plain, NULL)
                            : rc); /* what fits is shown */
}

static bool name_is_secret(const char *name)
{
    for (size_t i = 0; i < sizeof log_secret_names / sizeof log_secret_names[0]; i++) {
        if (strcmp(name, log_secret_names[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* The value as it may be shown, in log_state.value until the next call. */
static struct span field_value(const struct log_field *field)
{
    struct span text = field->kind == LOG_FIELD_SPAN ? field->span : span_text(field->text);
    struct buf *value = log_state.value;

    buf_clear(value);
    if (field->kind == LOG_FIELD_NUMBER) {
        err_ignore(buf_append_format(value, NULL, "%" PRId64, field->number)); /* always fits */
    } else if (name_is_secret(field->name)) {
        err_ignore(buf_append_text(value, LOG_REDACTED, NULL));
    } else {
        redact(value, text);
    }
    return buf_span(value);
}

static uint64_t event_key(const char *module, const char *event)
{
    uint64_t key = 14695981039346656037U; /* FNV-1a */

    for (; *module != '\0'; module++) {
        key = (key ^ (uint8_t)*module) * 1099511628211U;
    }
    key = key * 1099511628211U;
    for (; *event != '\0'; event++) {
        key = (key ^ (uint8_t)*event) * 1099511628211U;
    }
    return key | 1;
}

/* May this event have a line now? */
static bool repeat_admit(const struct log_entry *entry, uint64_t now_ms)
{
    uint64_t key = event_key(entry->module, entry->event);
    struct log_repeat *repeat = &log_state.repeats[key % LOG_EVENT_COUNT_MAX];
    bool elapsed = now_ms - repeat->window_ms >= LOG_REPEAT_WINDOW_MS;

    if (repeat->key == 0 || (repeat->key != key && elapsed && repeat->dropped_count == 0)) {
        *repeat = (struct log_repeat){
            .key = key, .module = entry->module, .event = entry->event, .window_ms = now_ms};
    } else if (elapsed) {
        repeat->window_ms = now_ms;
        repeat->count = 0;
    }
    if (repeat->count >= LOG_REPEAT_MAX) {
        repeat->dropped_count++;
        return false;
    }
    repeat->count++;
    return true;
}

/* 2026-01-31T23:59:59.123Z */
static void format_time(char ret_text[TEXT_TIME_SIZE])
{
    uint64_t wall_ms = clock_wall_ms(clock_host());
    size_t size;

    text_format_time(wall_ms, ret_text);
    size = strlen(ret_text);
    (void)snprintf(ret_text + size - 1, TEXT_TIME_SIZE - size + 1, ".%03uZ",
                   (unsigned int)(wall_ms % 1000));
}

/* A field that has no room is left out whole; the line stays well-formed. */
static void line_json_field(const struct log_field *field)
{
    struct buf *line = log_state.line;
    size_t start = buf_size(line);
    struct span value = field_value(field);
    enum err_code rc = buf_append_text(line, ",", NULL);

    rc = rc == ERR_OK ? text_append_json(line, span_text(field->name), NULL) : rc;
    rc = rc == ERR_OK ? buf_append_text(line, ":", NULL) : rc;
    if (rc == ERR_OK) {
        rc = field->kind == LOG_FIELD_NUMBER ? buf_append_span(line, value, NULL)
                                             : text_append_json(line, value, NULL);
    }
    if (rc != ERR_OK || buf_room(line) < sizeof "}\n") {
        buf_truncate(line, start);
    }
}

static void line_text_field(const struct log_field *field)
{
    struct buf *line = log_state.line;
    size_t start = buf_size(line);
    struct span value = field_value(field);
    bool quoted = value.size == 0 || memchr(value.data, ' ', value.size) != NULL;
    enum err_code rc = buf_append_format(line, NULL, " %s=%s", field->name, quoted ? "\"" : "");

    rc = rc == ERR_OK ? text_escape_terminal(line, value, LOG_VALUE_SIZE_MAX, NULL) : rc;
    rc = rc == ERR_OK ? buf_append_text(line, quoted ? "\"" : "", NULL) : rc;
    if (rc != ERR_OK || buf_room(line) < sizeof "}\n") {
        buf_truncate(line, start);
    }
}

typedef void line_field_fn(const struct log_field *field);

static void line_fields(const struct log_field *fields, line_field_fn *put)
{
    for (size_t i = 0; fields[i].name != NULL && i < LOG_FIELD_COUNT_MAX; i++) {
        put(&fields[i]);
    }
}

/* The whole line with one write, so that lines of several processes do not mix. */
static void line_write(void)
{
    struct span line = buf_span(log_state.line);

    while (line.size > 0) {
        ssize_t written = write(STDERR_FILENO, line.data, line.size);

        if (written < 0 && errno != EINTR) {
            return; /* nobody is left to tell */
        }
        if (written > 0) {
            line = span_of(line.data + written, line.size - (size_t)written);
        }
    }
}

static void write_json(const struct log_entry *entry)
{
    char time[TEXT_TIME_SIZE];

    format_time(time);
    err_ignore(
        buf_append_format(log_state.line, NULL,
                          "{\"time\":\"%s\",\"level\":\"%s\",\"module\":\"%s\",\"event\":\"%s\"",
                          time, log_level_texts[entry->level], entry->module, entry->event));
    line_fields(entry->fields, line_json_field);
    err_ignore(buf_append_text(log_state.line, "}\n", NULL)); /* room was kept */
    line_write();
}

static void write_text(const struct log_entry *entry)
{
    char time[TEXT_TIME_SIZE];

    format_time(time);
    err_ignore(buf_append_format(log_state.line, NULL, "%s %s %s: %s", time,
                                 log_level_texts[entry->level], entry->module, entry->event));
    line_fields(entry->fields, line_text_field);
    err_ignore(buf_append_text(log_state.line, "\n", NULL));
    line_write();
}

/* Journald's native form: NAME=value blocks in one buffer, and where they are. */
struct journal {
    struct span fields[LOG_JOURNAL_FIELD_COUNT_MAX];
    size_t count;
    char room[LOG_FIELD_COUNT_MAX * (LOG_VALUE_SIZE_MAX + 64)];
    size_t used;
};

static void journal_put(struct journal *journal, const char *text, size_t size)
{
    memcpy(journal->room + journal->used, text, size);
    journal->fields[journal->count++] = span_of(journal->room + journal->used, size);
    journal->used += size;
}

static void journal_field(struct journal *journal, const struct log_field *field)
{
    char block[LOG_VALUE_SIZE_MAX + 64];
    struct span value = field_value(field);
    int size = snprintf(block, sizeof block, "APPROVALD_%s=%.*s", field->name, SPAN_ARGS(value));
    size_t block_size = size < 0 ? 0 : (size_t)size;

    block_size = block_size < sizeof block ? block_size : sizeof block - 1;
    if (block_size > sizeof journal->room - journal->used) {
        return;
    }
    for (size_t i = 0; i < block_size && block[i] != '='; i++) {
        block[i] = (char)toupper((unsigned char)block[i]);
    }
    journal_put(journal, block, block_size);
}

/* False: journald does not read now. */
static bool write_journal(const struct log_entry *entry)
{
    struct journal journal = {.count = 0};
    const struct log_field module = LOG_TEXT("module", entry->module);
    const struct log_field event = LOG_TEXT("event", entry->event);
    enum log_journal_told told;

    err_ignore(
        buf_append_format(log_state.line, NULL, "MESSAGE=%s: %s", entry->module, entry->event));
    line_fields(entry->fields, line_text_field);
    journal_put(&journal, log_priorities[entry->level], strlen(log_priorities[entry->level]));
    journal_field(&journal, &module);
    journal_field(&journal, &event);
    for (size_t i = 0; entry->fields[i].name != NULL && i < LOG_FIELD_COUNT_MAX; i++) {
        journal_field(&journal, &entry->fields[i]);
    }
    ASSERT(journal.count < LOG_JOURNAL_FIELD_COUNT_MAX);
    journal.fields[journal.count++] = buf_span(log_state.line);
    told = log_journal_send(&log_state.journal_fd, LOG_JOURNAL_PATH, journal.fields, journal.count);
    if (told == LOG_JOURNAL_NOBODY) {
        buf_clear(log_state.line);
        write_text(entry);
    }
    return told != LOG_JOURNAL_LATER;
}

/* Room for one line and one value, taken once; false when memory is out. */
static bool log_ready(void)
{
    char *room;

    if (log_state.line != NULL) {
        return true;
    }
    if (log_state.value == NULL && buf_new(LOG_VALUE_SIZE_MAX, &log_state.value, NULL) != ERR_OK) {
        return false;
    }
    if (buf_new(LOG_LINE_SIZE_MAX, &log_state.line, NULL) != ERR_OK) {
        return false;
    }
    /* Touch the maximum now, so that logging "out of memory" needs none. */
    err_ignore(buf_extend(log_state.value, LOG_VALUE_SIZE_MAX, &room, NULL));
    err_ignore(buf_extend(log_state.line, LOG_LINE_SIZE_MAX, &room, NULL));
    return true;
}

/* False: it is lost. */
static bool log_write(const struct log_entry *entry)
{
    buf_clear(log_state.line);
    switch (log_state.target) {
    case LOG_TARGET_JSON:
        write_json(entry);
        break;
    case LOG_TARGET_JOURNAL:
        return write_journal(entry);
    case LOG_TARGET_TEXT:
        write_text(entry);
        break;
    }
    return true;
}

/* Says how many lines journald did not take, once it takes one again. */
static void tell_lost(void)
{
    const struct log_field fields[] = {LOG_NUMBER("count", log_state.lost_count), {.name = NULL}};
    const struct log_entry entry = {
        .level = LOG_LEVEL_WARNING, .module = "log", .event = "lines_lost", .fields = fields};

    if (log_state.lost_count > 0 && log_write(&entry)) {
        log_state.lost_count = 0;
    }
}

/* Says how many lines were dropped, once their burst is over. */
static void log_sweep(uint64_t now_ms)
{
    if (now_ms - log_state.swept_ms < LOG_REPEAT_WINDOW_MS) {
        return;
    }
    log_state.swept_ms = now_ms;
    for (size_t i = 0; i < LOG_EVENT_COUNT_MAX; i++) {
        struct log_repeat *repeat = &log_state.repeats[i];
        const struct log_field fields[] = {LOG_TEXT("of_module", repeat->module),
                                           LOG_TEXT("of_event", repeat->event),
                                           LOG_NUMBER("count", repeat->dropped_count),
                                           {.name = NULL}};
        const struct log_entry entry = {.level = LOG_LEVEL_WARNING,
                                        .module = "log",
                                        .event = "repeats_dropped",
                                        .fields = fields};

        if (repeat->dropped_count > 0 && now_ms - repeat->window_ms >= LOG_REPEAT_WINDOW_MS &&
            log_write(&entry)) {
            repeat->dropped_count = 0;
        }
    }
}

void log_event(enum log_level level,
               const char *module,
               const char *event,
               const struct log_field *fields)
{
    const struct log_entry entry = {
        .level = level, .module = module, .event = event, .fields = fields};
    uint64_t now_ms;

    if ((int)level < atomic_load_explicit(&log_state.level_min, memory_order_relaxed)) {
        return;
    }
    now_ms = clock_boot_ms(clock_host());
    (void)pthread_mutex_lock(&log_state.mutex);
    if (log_ready()) {
        log_sweep(now_ms);
        if (repeat_admit(&entry, now_ms)) {
            tell_lost();
            log_state.lost_count += log_write(&entry) ? 0 : 1;
        }
    }
    (void)pthread_mutex_unlock(&log_state.mutex);
}
