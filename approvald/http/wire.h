/* SPDX-License-Identifier: Apache-2.0 */
/* wire.h: the bytes of an HTTP/1.x request as a structure. Pure: owns no socket and no memory.
 *
 * Strict where leniency lets two parsers disagree about where a request ends (request smuggling):
 * bare LF, folded fields, spaces before colons, repeated or signed lengths, a length beside a
 * transfer coding, unknown codings are all refused. */
#ifndef APPROVALD_HTTP_WIRE_H
#define APPROVALD_HTTP_WIRE_H

#include "approvald/http/limits.h"
#include "base/span.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OTHER, /* a well-formed method that we do not serve */
};

struct wire_header {
    struct span name;
    struct span value; /* without white space around it */
};

/* Spans borrow from the parsed bytes. */
struct wire_head {
    enum http_method method;
    struct span path;  /* begins with '/', as sent (not decoded) */
    struct span query; /* behind '?', may be empty */
    uint32_t minor;    /* HTTP/1.minor: 0 or 1 */
    bool keep_alive;
    bool expect_continue;
    bool chunked;
    uint64_t content_length;
    uint32_t header_count;
    struct wire_header headers[HTTP_HEADER_COUNT_MAX];
};

/* What to answer to a request that cannot be read. */
struct wire_fault {
    uint32_t status;
    const char *detail; /* fixed text */
};

/* Bytes of the head at the start of bytes (with its empty line), or 0 when more are needed.
 * scanned: bytes looked at by earlier calls, 0 at first; updated. */
size_t wire_head_size(struct span bytes, size_t *scanned);
/* Parses a whole head (as measured by wire_head_size). False: *ret_fault says why. */
bool wire_parse_head(struct span bytes, struct wire_head *ret_head, struct wire_fault *ret_fault);
/* The value of the first field of that name (any case), or an empty span. */
struct span wire_header(const struct wire_head *head, const char *name);
/* As wire_header; empty when the field is given more than once. */
struct span wire_header_once(const struct wire_head *head, const char *name);

/* The chunked transfer coding. */
struct wire_chunks {
    uint32_t state;
    uint32_t digits;
    uint32_t line_size;
    uint32_t trailer_size;
    uint64_t left; /* bytes of this chunk still to come */
};
enum wire_progress { WIRE_MORE, WIRE_DATA, WIRE_DONE, WIRE_BAD };

void wire_chunks_init(struct wire_chunks *chunks);
/* Takes bytes from *bytes (which shrinks). WIRE_DATA: *ret_data are body bytes, call again;
 * WIRE_MORE: all bytes are taken; WIRE_DONE: the body is complete, what is left in *bytes belongs
 * to the next request; WIRE_BAD: not the chunked coding. */
enum wire_progress
wire_chunks_step(struct wire_chunks *chunks, struct span *bytes, struct span *ret_data);

#endif
