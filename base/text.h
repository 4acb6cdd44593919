/* SPDX-License-Identifier: Apache-2.0 */
/* text.h: text from people: valid UTF-8, cleaned, cut on character borders, escaped for the place
 * where it is shown. Pure. Counts are Unicode code points unless a name says size (bytes). */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/err.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

/* Strict UTF-8: no overlong forms, no surrogates, no NUL. */
bool text_is_utf8(struct span text);
/* Code points in valid UTF-8. */
size_t text_count(struct span text);
/* The longest prefix of at most count_max code points. */
struct span text_prefix(struct span text, size_t count_max);

/* Nothing here leaves half an append behind: on failure (ERR_TOO_LARGE, ERR_NOMEM) buf is as
 * before. Bytes that are not UTF-8 become U+FFFD unless said otherwise. */

/* Appends text without control characters (newline and tab stay when multiline, else become a
 * space; CR LF, CR and the Unicode line breaks count as newline), and without bidi controls,
 * zero-width, filler and tag characters that can hide or reorder text. */
enum err_code
text_clean(struct buf *buf, struct span text, bool multiline, struct err *err) WARN_UNUSED;

/* Appends text escaped for Slack's mrkdwn and top-level text (& < >), at most count_max code points
 * counted after escaping, cut between characters and never inside an entity, with an ellipsis
 * character as the last when it was cut. */
enum err_code text_escape_mrkdwn(struct buf *buf,
                                 struct span text,
                                 size_t count_max,
                                 struct err *err) WARN_UNUSED;

/* Appends text for a terminal: control characters, bidi controls and invalid bytes shown as
 * \xNN or \u{N}; at most count_max columns' worth of code points, ellipsis when cut. */
enum err_code text_escape_terminal(struct buf *buf,
                                   struct span text,
                                   size_t count_max,
                                   struct err *err) WARN_UNUSED;

/* Appends a JSON string literal with its quotes; invalid UTF-8 and NUL become U+FFFD. */
enum err_code text_append_json(struct buf *buf, struct span text, struct err *err) WARN_UNUSED;

/* Decodes application/x-www-form-urlencoded: the value of the field name in body, percent-decoded
 * into buf ('+' is a space). ERR_NOT_FOUND, ERR_INVALID (bad escape, NUL byte, field given twice,
 * under any spelling of its name), ERR_TOO_LARGE. The value need not be UTF-8. */
enum err_code
text_form_field(struct span body, const char *name, struct buf *buf, struct err *err) WARN_UNUSED;

/* Decimal digits only, no sign, no space; false on overflow or anything else. */
bool text_parse_u64(struct span text, uint64_t *ret_number);

/* RFC 3339 in UTC with seconds, "2026-01-31T23:59:59Z", with a NUL: room for 21 bytes. */
#define TEXT_TIME_SIZE 32
void text_format_time(uint64_t wall_ms, char ret_text[TEXT_TIME_SIZE]);

#endif
