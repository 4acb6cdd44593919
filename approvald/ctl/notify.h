/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h: who is told of what while Slack is down, as a pure core: the outage, the notices of it,
 * their retries.
 *
 * A notice is a request and a person, and has one id, whichever host makes it. In one outage it is
 * delivered once; when it cannot be delivered it is tried again with growing pauses and then given
 * up. Over is an outage when Slack was not down for NOTIFY_WELL_MS; then all notices are forgotten.
 * Times are milliseconds of one monotonic clock. */
#ifndef APPROVALD_CTL_NOTIFY_H
#define APPROVALD_CTL_NOTIFY_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NOTIFY_COUNT_MAX   8192 /* notices of one outage: 200 people with forty requests each */
#define NOTIFY_PEOPLE_MAX  200  /* asked for one after the other: within a token's rate */
#define NOTIFY_ID_SIZE_MAX 64   /* bytes: "req_…/U…" has 43 */
#define NOTIFY_TO_SIZE_MAX 254  /* bytes: the longest address of mail */
#define NOTIFY_TRY_COUNT   5    /* the last one after a quarter of an hour */
#define NOTIFY_WELL_MS     60000 /* as the circuit breaker: up for so long, the next one is another */

/* The outage. */
struct notify_outage {
    uint64_t since_ms; /* Slack is down since; 0: it is not */
    uint64_t well_ms;  /* not down since; 0: it is, or nothing was heard yet */
    bool over;         /* the end was told */
};
enum notify_word { NOTIFY_NOTHING, NOTIFY_TELL, NOTIFY_FORGET };
/* After a look: tell people when it has been down for after_ms, forget when it is over (told once,
 * also after a start into a world that is well). */
enum notify_word
notify_look(struct notify_outage *outage, bool down, uint64_t after_ms, uint64_t now_ms);

/* The notices of it. */
enum notify_state { NOTIFY_FREE, NOTIFY_DUE, NOTIFY_DELIVERED, NOTIFY_GIVEN_UP };
struct notice_entry {
    char id[NOTIFY_ID_SIZE_MAX + 1];
    enum notify_state state;
    uint32_t tries;
    uint64_t due_ms; /* of a notice that is due: not before */
};
struct notify_book;

enum err_code notify_book_new(struct notify_book **ret_book, struct err *err) WARN_UNUSED;
void notify_book_free(struct notify_book *book); /* NULL is allowed */
void notify_book_forget(struct notify_book *book);
/* The notice with this id, made when there is none; NULL: the book is full, or the id too long. */
struct notice_entry *notify_book_find(struct notify_book *book, struct span id);
/* An attempt has ended. */
void notify_end(struct notice_entry *entry, bool delivered, uint64_t now_ms);

/* The journal: one line for each notice that has ended; what a crash has cut short is not one. */
#define NOTIFY_LINE_SIZE (NOTIFY_ID_SIZE_MAX + 16)
/* "delivered ID\n" or "given_up ID\n"; its size. */
size_t notify_line(const struct notice_entry *entry, char ret_line[NOTIFY_LINE_SIZE]);
/* Takes in what was written; lines that are none are left out. */
void notify_book_read(struct notify_book *book, struct span journal);

/* People: "U0123456789 ana@example.com", one a line, "#" begins a comment. */
struct notify_person {
    struct span user;
    struct span to; /* whatever the command understands */
};
struct notify_people {
    size_t count;
    struct notify_person list[NOTIFY_PEOPLE_MAX];
};
/* Spans borrow from text. ERR_INVALID names the line. */
enum err_code
notify_people(struct span text, struct notify_people *ret_people, struct err *err) WARN_UNUSED;

#endif
