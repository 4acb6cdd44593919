/* SPDX-License-Identifier: Apache-2.0 */
/* book.c: the open requests and those that ended lately, in the writer's memory.
 * Owns both lists and that a job which fails leaves no trace in them.
 * Never reads the store, never says more than the store does: what it has no room for it forgets.
 */
#include "approvald/service/book.h"

#include "approvald/core/request_id.h"
#include "base/assert.h"
#include "base/mem.h"

#include <string.h>

#define ROOM_MIN     64
#define NOTE_MAX     SERVICE_TICK_COUNT_MAX /* requests that one job changes */
#define FNV_BASIS    UINT64_C(14695981039346656037)
#define FNV_PRIME    UINT64_C(1099511628211)
#define PERSON_SHIFT 32
#define BIT_SHIFT    58 /* the top six bits choose one of 64 */

struct note {
    bool ended;
    struct book_entry entry;
};

struct book {
    enum book_state state;
    struct book_entry *open; /* owned, by id */
    size_t open_count;
    size_t open_room;
    size_t gone_count;
    struct book_entry *ended; /* owned ring, SERVICE_BOOK_ENDED_MAX, by time and id */
    size_t ended_first;
    size_t ended_count;
    struct note notes[NOTE_MAX]; /* of the job that runs */
    size_t note_count;
    bool too_many; /* it changed more */
};

static uint64_t hash(uint64_t seed, const void *bytes, size_t size)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < size; i++) {
        seed = (seed ^ at[i]) * FNV_PRIME;
    }
    return seed ^ (seed >> PERSON_SHIFT); /* the last bytes reach all bits */
}

uint64_t book_policy(struct span name, uint32_t version)
{
    return hash(hash(FNV_BASIS, name.data, name.size), &version, sizeof version);
}

uint32_t book_person(struct span user)
{
    uint32_t person;

    if (user.size == 0) {
        return 0;
    }
    person = (uint32_t)hash(FNV_BASIS, user.data, user.size);
    return person == 0 ? 1 : person;
}

uint64_t book_bit(struct span user)
{
    uint64_t mixed;

    if (user.size == 0) {
        return 0;
    }
    mixed = hash(FNV_BASIS, user.data, user.size) * FNV_PRIME;
    return UINT64_C(1) << (mixed >> BIT_SHIFT);
}

enum err_code book_new(struct book **ret_book, struct err *err)
{
    *ret_book = mem_new(1, sizeof **ret_book);
    return *ret_book == NULL ? err_set(err, ERR_NOMEM, "book of requests") : ERR_OK;
}

/* Forgets all: whoever asks next has it filled again. */
static void book_close(struct book *book)
{
    mem_free(book->open);
    mem_free(book->ended);
    memset(book, 0, sizeof *book);
}

void book_free(struct book *book)
{
    if (book != NULL) {
        book_close(book);
        mem_free(book);
    }
}

enum book_state book_state(const struct book *book)
{
    return book->state;
}

void book_open(struct book *book)
{
    ASSERT(book->state == BOOK_CLOSED);
    book->ended = mem_new(SERVICE_BOOK_ENDED_MAX, sizeof *book->ended);
    book->state = book->ended == NULL ? BOOK_CLOSED : BOOK_FILL_OPEN;
}

void book_filled(struct book *book)
{
    switch (book->state) {
    case BOOK_FILL_OPEN:
        book->state = BOOK_FILL_ENDED;
        break;
    case BOOK_FILL_ENDED:
        book->state = BOOK_READY;
        break;
    case BOOK_CLOSED:
    case BOOK_READY:
        break;
    }
}

/* Open ones. */

/* Where the id is, or belongs. */
static size_t find_open(const struct book *book, const struct request_id *id, bool *ret_found)
{
    size_t low = 0;
    size_t high = book->open_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (request_id_compare(&book->open[middle].id, id) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_found = low < book->open_count && request_id_equal(&book->open[low].id, id);
    return low;
}

static bool make_room(struct book *book)
{
    size_t room = book->open_room == 0 ? ROOM_MIN : book->open_room * 2;
    struct book_entry *open;

    if (book->open_count < book->open_room) {
        return true;
    }
    room = room > SERVICE_BOOK_OPEN_MAX ? SERVICE_BOOK_OPEN_MAX : room;
    if (room == book->open_room) {
        return false;
    }
    open = mem_resize(book->open, room, sizeof *open);
    if (open != NULL) {
        book->open = open;
        book->open_room = room;
    }
    return open != NULL;
}

static void put_open(struct book *book, const struct book_entry *entry)
{
    bool found;
    size_t at = find_open(book, &entry->id, &found);

    if (found) {
        book->open[at].people = entry->people;
        return;
    }
    if (!make_room(book)) {
        return; /* the oldest ones are shown; so many nobody reads in a Home */
    }
    memmove(&book->open[at + 1], &book->open[at], (book->open_count - at) * sizeof *entry);
    book->open[at] = *entry;
    book->open_count++;
}

/* Removes those that are gone, when they are many: each removal costs little on the average. */
static void sweep(struct book *book)
{
    size_t kept = 0;

    if (book->gone_count < ROOM_MIN || book->gone_count < book->open_count / 2) {
        return;
    }
    for (size_t i = 0; i < book->open_count; i++) {
        if (!book->open[i].gone) {
            book->open[kept++] = book->open[i];
        }
    }
    book->open_count = kept;
    book->gone_count = 0;
}

static void drop_open(struct book *book, const struct request_id *id)
{
    bool found;
    size_t at = find_open(book, id, &found);

    if (found && !book->open[at].gone) {
        book->open[at].gone = true;
        book->gone_count++;
        sweep(book);
    }
}

const struct book_entry *book_open_entries(const struct book *book, size_t *ret_count)
{
    *ret_count = book->open_count;
    return book->open;
}

/* Ended ones. */

static struct book_entry *ended_at(const struct book *book, size_t index)
{
    return &book->ended[(book->ended_first + index) % SERVICE_BOOK_ENDED_MAX];
}

static int compare_ended(const struct book_entry *a, const struct book_entry *b)
{
    if (a->at_ms != b->at_ms) {
        return a->at_ms < b->at_ms ? -1 : 1;
    }
    return request_id_compare(&a->id, &b->id);
}

/* How many are before it. */
static size_t place_ended(const struct book *book, const struct book_entry *entry)
{
    size_t low = 0;
    size_t high = book->ended_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (compare_ended(ended_at(book, middle), entry) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Time runs, so it is the last one nearly always; filling goes backwards and puts it first. The
 * shorter side makes room. */
static void put_ended(struct book *book, const struct book_entry *entry)
{
    size_t at = place_ended(book, entry);
    bool full = book->ended_count == SERVICE_BOOK_ENDED_MAX;

    if ((at < book->ended_count && compare_ended(ended_at(book, at), entry) == 0) ||
        (full && at == 0)) {
        return; /* it is there, or older than all for which there is room */
    }
    if (full) {
        book->ended_first = (book->ended_first + 1) % SERVICE_BOOK_ENDED_MAX;
        book->ended_count--;
        at--;
    }
    book->ended_count++;
    if (at < book->ended_count / 2) {
        book->ended_first =
            (book->ended_first + SERVICE_BOOK_ENDED_MAX - 1) % SERVICE_BOOK_ENDED_MAX;
        for (size_t i = 0; i < at; i++) {
            *ended_at(book, i) = *ended_at(book, i + 1);
        }
    } else {
        for (size_t i = book->ended_count - 1; i > at; i--) {
            *ended_at(book, i) = *ended_at(book, i - 1);
        }
    }
    *ended_at(book, at) = *entry;
}

size_t book_ended_count(const struct book *book)
{
    return book->ended_count;
}

const struct book_entry *book_ended_entry(const struct book *book, size_t index)
{
    ASSERT(index < book->ended_count);
    return ended_at(book, index);
}

/* Requests. */

static struct book_entry entry_of(const struct request *request)
{
    bool open = request->state == REQUEST_PENDING;
    struct book_entry entry = {
        .id = request->id,
        .at_ms = open ? request->expires_ms : request->ended_ms,
        .policy = book_policy(request->policy, request->policy_version),
        .people = open ? 0 : book_bit(request->requester) | book_bit(request->asker),
        .requester = book_person(request->requester),
        .asker = book_person(request->asker)};

    for (uint32_t i = 0; i < request->decision_count; i++) {
        entry.people |= book_bit(request->decisions[i].user);
    }
    return entry;
}

static void put(struct book *book, bool ended, const struct book_entry *entry)
{
    if (ended) {
        drop_open(book, &entry->id);
        put_ended(book, entry);
    } else {
        put_open(book, entry);
    }
}

void book_fill(struct book *book, const struct request *request)
{
    struct book_entry entry = entry_of(request);

    ASSERT(book->state != BOOK_CLOSED);
    put(book, request->state != REQUEST_PENDING, &entry);
}

void book_note(struct book *book, const struct request *before, const struct request *after)
{
    bool was_open = before == NULL || before->state == REQUEST_PENDING;

    if (book->state == BOOK_CLOSED || !was_open) {
        return; /* what is done with an outcome moves nothing */
    }
    if (book->note_count == NOTE_MAX) {
        book->too_many = true;
        return;
    }
    book->notes[book->note_count++] =
        (struct note){.ended = after->state != REQUEST_PENDING, .entry = entry_of(after)};
}

void book_end(struct book *book, bool kept)
{
    if (kept && book->too_many) {
        book_close(book);
        return;
    }
    for (size_t i = 0; kept && i < book->note_count; i++) {
        put(book, book->notes[i].ended, &book->notes[i].entry);
    }
    book->note_count = 0;
    book->too_many = false;
}
