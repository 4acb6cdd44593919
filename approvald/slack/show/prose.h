/* SPDX-License-Identifier: Apache-2.0 */
/* prose.h: builds one text for Slack within a limit of code points, counted after escaping. Pure.
 *
 * Each addition is taken whole or (text from people) cut between characters with an ellipsis; what
 * no longer fits is left out, so an entity, a mention or a date is never cut. Failures are sticky:
 * add freely, then ask prose_take once.
 *
 * Two kinds of text: mrkdwn (our own marks and mentions work, what people wrote is escaped and its
 * marks are disarmed), and plain (for plain_text and rich_text, which Slack never parses). */
#ifndef APPROVALD_SLACK_SHOW_PROSE_H
#define APPROVALD_SLACK_SHOW_PROSE_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

struct prose {
    struct buf *text;  /* owned */
    struct buf *clean; /* owned: what is being added, without control characters */
    size_t count_max;
    size_t count;
    struct err err; /* the first failure */
};

enum err_code prose_init(struct prose *prose, struct err *err) WARN_UNUSED;
/* A zeroed one is allowed. */
void prose_done(struct prose *prose);
#define AUTO_PROSE __attribute__((cleanup(prose_done)))

/* Begins a new text of at most count_max code points. A failure of before stays. */
void prose_begin(struct prose *prose, size_t count_max);
/* Our own words, as they are. */
void prose_add(struct prose *prose, const char *words);
void prose_add_number(struct prose *prose, uint64_t number);
/* Text from people on one line of mrkdwn, at most count_max code points. */
void prose_add_text(struct prose *prose, struct span text, size_t count_max);
/* The same, several lines. */
void prose_add_lines(struct prose *prose, struct span text, size_t count_max);
/* Text from people as plain text. Lines: at most one empty line in a row. */
void prose_add_plain(struct prose *prose, struct span text, size_t count_max);
void prose_add_plain_lines(struct prose *prose, struct span text, size_t count_max);
/* <@U…>; <!subteam^S…>, members of <#C…>; text that is no id is added as text from people. */
void prose_add_person(struct prose *prose, struct span user);
void prose_add_group(struct prose *prose, struct span group);
/* Shown in the reader's time zone, with UTC as the fallback. */
void prose_add_date(struct prose *prose, uint64_t wall_ms);
/* "30 minutes", "2 hours", "3 days": rounded down to the largest unit that fits twice. */
void prose_add_duration(struct prose *prose, uint64_t ms);
/* <URL|label>; url is ours. */
void prose_add_link(struct prose *prose, const char *url, const char *label);

/* The text so far, valid until the next call; an empty span after a failure. */
struct span prose_take(const struct prose *prose);
bool prose_is_empty(const struct prose *prose);
/* ERR_OK, or the first failure. */
enum err_code prose_status(const struct prose *prose, struct err *err) WARN_UNUSED;

/* Upper-case letters and digits, one of the given first letters, at most CORE_SLACK_ID_SIZE_MAX. */
bool prose_is_id(struct span text, const char *first_letters);

#endif
