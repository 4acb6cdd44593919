/* SPDX-License-Identifier: Apache-2.0 */
/* notify.c: who is told of what while Slack is down.
 * Owns when an outage begins and ends, the notices of one, and the form of the two files.
 * Never reads a clock or a file, never runs anything. */
#include "approvald/ctl/notify.h"

#include "approvald/core/policy.h"
#include "base/assert.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

#define SLOT_COUNT ((size_t)2 * NOTIFY_COUNT_MAX) /* half empty: a search ends soon */
#define DELIVERED  "delivered "
#define GIVEN_UP   "given_up "

static const uint32_t pauses_ms[NOTIFY_TRY_COUNT] = {2000, 10000, 60000, 900000, 0};

struct notify_book {
    size_t count;
    struct notice_entry slots[SLOT_COUNT]; /* open addressing by the hash of the id */
};

/* The outage. */

enum notify_word
notify_look(struct notify_outage *outage, bool down, uint64_t after_ms, uint64_t now_ms)
{
    if (down) {
        outage->well_ms = 0;
        outage->over = false;
        if (outage->since_ms == 0) {
            outage->since_ms = now_ms;
        }
        return now_ms - outage->since_ms >= after_ms ? NOTIFY_TELL : NOTIFY_NOTHING;
    }
    if (outage->well_ms == 0) {
        outage->well_ms = now_ms;
    }
    if (outage->over || now_ms - outage->well_ms < NOTIFY_WELL_MS) {
        return NOTIFY_NOTHING;
    }
    outage->over = true;
    outage->since_ms = 0;
    return NOTIFY_FORGET;
}

/* The notices. */

enum err_code notify_book_new(struct notify_book **ret_book, struct err *err)
{
    struct notify_book *book = mem_new(1, sizeof *book);

    if (book == NULL) {
        return err_set(err, ERR_NOMEM, "notices");
    }
    *ret_book = book;
    return ERR_OK;
}

void notify_book_free(struct notify_book *book)
{
    mem_free(book);
}

void notify_book_forget(struct notify_book *book)
{
    memset(book, 0, sizeof *book);
}

/* FNV-1a. */
static size_t slot_of(struct span id)
{
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < id.size; i++) {
        hash = (hash ^ (uint8_t)id.data[i]) * UINT64_C(1099511628211);
    }
    return (size_t)(hash % SLOT_COUNT);
}

struct notice_entry *notify_book_find(struct notify_book *book, struct span id)
{
    size_t at = slot_of(id);

    if (id.size == 0 || id.size > NOTIFY_ID_SIZE_MAX) {
        return NULL;
    }
    while (book->slots[at].state != NOTIFY_FREE) {
        if (span_equal(span_text(book->slots[at].id), id)) {
            return &book->slots[at];
        }
        at = (at + 1) % SLOT_COUNT;
    }
    if (book->count == NOTIFY_COUNT_MAX) {
        return NULL;
    }
    book->count++;
    book->slots[at] = (struct notice_entry){.state = NOTIFY_DUE};
    memcpy(book->slots[at].id, id.data, id.size);
    return &book->slots[at];
}

void notify_end(struct notice_entry *entry, bool delivered, uint64_t now_ms)
{
    ASSERT(entry->state == NOTIFY_DUE);
    entry->tries++;
    if (delivered) {
        entry->state = NOTIFY_DELIVERED;
    } else if (entry->tries >= NOTIFY_TRY_COUNT) {
        entry->state = NOTIFY_GIVEN_UP;
    } else {
        entry->due_ms = now_ms + pauses_ms[entry->tries - 1];
    }
}

/* The journal. */

size_t notify_line(const struct notice_entry *entry, char ret_line[NOTIFY_LINE_SIZE])
{
    int size = snprintf(ret_line, NOTIFY_LINE_SIZE, "%s%s\n",
                        entry->state == NOTIFY_DELIVERED ? DELIVERED : GIVEN_UP, entry->id);

    ASSERT(entry->state == NOTIFY_DELIVERED || entry->state == NOTIFY_GIVEN_UP);
    ASSERT(size > 0 && size < NOTIFY_LINE_SIZE);
    return (size_t)size;
}

static bool begins(struct span line, const char *word)
{
    return line.size > strlen(word) && memcmp(line.data, word, strlen(word)) == 0;
}

static struct span behind(struct span text, size_t size)
{
    return span_of(text.data + size, text.size - size);
}

static void take_line(struct notify_book *book, struct span line)
{
    bool delivered = begins(line, DELIVERED);
    struct notice_entry *entry;

    if (!delivered && !begins(line, GIVEN_UP)) {
        return;
    }
    entry = notify_book_find(book, behind(line, strlen(delivered ? DELIVERED : GIVEN_UP)));
    if (entry != NULL) {
        entry->state = delivered ? NOTIFY_DELIVERED : NOTIFY_GIVEN_UP;
    }
}

void notify_book_read(struct notify_book *book, struct span journal)
{
    while (journal.size > 0) {
        const char *end = memchr(journal.data, '\n', journal.size);

        if (end == NULL) {
            return; /* a crash has cut it short: it counts as not delivered */
        }
        take_line(book, span_of(journal.data, (size_t)(end - journal.data)));
        journal = behind(journal, (size_t)(end - journal.data) + 1);
    }
}

/* People. */

static bool is_space(char byte)
{
    return byte == ' ' || byte == '\t' || byte == '\r';
}

static struct span trim(struct span text)
{
    while (text.size > 0 && is_space(text.data[0])) {
        text = behind(text, 1);
    }
    while (text.size > 0 && is_space(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

static struct span without_comment(struct span line)
{
    const char *mark = line.size == 0 ? NULL : memchr(line.data, '#', line.size);

    return trim(mark == NULL ? line : span_of(line.data, (size_t)(mark - line.data)));
}

static bool is_address(struct span to)
{
    bool good = to.size > 0 && to.size <= NOTIFY_TO_SIZE_MAX;

    for (size_t i = 0; i < to.size; i++) {
        good = good && to.data[i] > ' ' && to.data[i] < 0x7f;
    }
    return good;
}

static enum err_code
take_person(struct span line, uint32_t number, struct notify_people *people, struct err *err)
{
    struct notify_person person = {.user = line};

    for (size_t i = 0; i < line.size; i++) {
        if (is_space(line.data[i])) {
            person.user = span_of(line.data, i);
            person.to = trim(behind(line, i));
            break;
        }
    }
    if (!slack_user_is_valid(person.user) || !is_address(person.to)) {
        return err_set(err, ERR_INVALID, "line %u: has to be a Slack user id and an address",
                       number);
    }
    for (size_t i = 0; i < people->count; i++) {
        if (span_equal(people->list[i].user, person.user)) {
            return err_set(err, ERR_INVALID, "line %u: this person was named before", number);
        }
    }
    if (people->count == NOTIFY_PEOPLE_MAX) {
        return err_set(err, ERR_INVALID, "line %u: more than %d people", number, NOTIFY_PEOPLE_MAX);
    }
    people->list[people->count++] = person;
    return ERR_OK;
}

enum err_code notify_people(struct span text, struct notify_people *ret_people, struct err *err)
{
    enum err_code rc = ERR_OK;

    ret_people->count = 0;
    for (uint32_t number = 1; rc == ERR_OK && text.size > 0; number++) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end == NULL ? text.size : (size_t)(end - text.data);
        struct span line = without_comment(span_of(text.data, size));

        if (line.size > 0) {
            rc = take_person(line, number, ret_people, err);
        }
        text = behind(text, end == NULL ? size : size + 1);
    }
    return rc;
}
