/* SPDX-License-Identifier: Apache-2.0 */
/* book.h: which requests are open and which ended lately, in the writer's memory, so that "what
 * waits for this person?" costs a walk over a few megabytes and not a read of each open request.
 *
 * A cache: it holds nothing that the store does not say, is filled in pieces when it is asked for
 * first, and from then on follows each job. Kept in memory and not as an index of the store, so
 * that a press writes no byte more, and an older approvald that was primary meanwhile cannot leave
 * it wrong. People and policies are hashes: whoever shows a request reads it and checks.
 *
 * Writer thread only, except for birth and death. */
#ifndef APPROVALD_SERVICE_BOOK_H
#define APPROVALD_SERVICE_BOOK_H

#include "approvald/core/types.h"
#include "approvald/service/limits.h"
#include "base/err.h"

#include <stddef.h>

struct book;

struct book_entry {
    struct request_id id;
    uint64_t at_ms;     /* open: expires; ended: ended */
    uint64_t policy;    /* book_policy */
    uint64_t people;    /* book_bit of who decided; ended: and of requester and asker */
    uint32_t requester; /* book_person, or 0 */
    uint32_t asker;     /* likewise; a program's name is one, too */
    bool gone;          /* open: it has ended */
};

/* Names as numbers. Different names may share one. */
uint64_t book_policy(struct span name, uint32_t version);
uint32_t book_person(struct span user); /* 0 only for nobody */
uint64_t book_bit(struct span user);    /* one bit; 0 for nobody */

/* It does not follow anything before book_open. */
enum err_code book_new(struct book **ret_book, struct err *err) WARN_UNUSED;
void book_free(struct book *book); /* NULL is allowed */

/* A job changes a request (before is NULL for a new one), and ends. What a job noted counts only
 * when it is kept. */
void book_note(struct book *book, const struct request *before, const struct request *after);
void book_end(struct book *book, bool kept);

/* Filling: first with all open requests, by id, then with those that ended, the newest first. */
enum book_state { BOOK_CLOSED, BOOK_FILL_OPEN, BOOK_FILL_ENDED, BOOK_READY };
enum book_state book_state(const struct book *book);
/* From now on it follows. */
void book_open(struct book *book);
/* A request as the store has it. */
void book_fill(struct book *book, const struct request *request);
/* The next state. */
void book_filled(struct book *book);

/* The open ones by id, some of them gone; those that ended, the oldest first. Valid until the
 * next call. */
const struct book_entry *book_open_entries(const struct book *book, size_t *ret_count);
size_t book_ended_count(const struct book *book);
const struct book_entry *book_ended_entry(const struct book *book, size_t index);

#endif
