/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c: parses HTTP/1.x request heads and the chunked coding.
 * Owns nothing; every span it returns lies inside the bytes that it was given.
 * Never allocates, never touches a socket, never guesses what a sender meant: RFC 9112's optional
 * leniencies are refused, because a proxy in front may have decided otherwise. */
#include "approvald/http/wire.h"

#include "base/assert.h"
#include "base/text.h"

#include <strings.h>

/* Why parsing stopped; NULL detail: it did not. */
static bool fault(struct wire_fault *ret_fault, uint32_t status, const char *detail)
{
    ret_fault->status = status;
    ret_fault->detail = detail;
    return false;
}

static bool is_token_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')) {
        return true;
    }
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool is_token(struct span text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!is_token_char(text.data[i])) {
            return false;
        }
    }
    return text.size > 0;
}

static bool is_word(struct span text, const char *word)
{
    return text.size == strlen(word) && strncasecmp(text.data, word, text.size) == 0;
}

/* Cuts *rest at the first sep: what is before it is returned, what is behind it stays. False when
 * there is no sep. */
static bool cut(struct span *rest, char sep, struct span *ret_before)
{
    const char *found = rest->size == 0 ? NULL : memchr(rest->data, sep, rest->size);
    size_t size;

    if (found == NULL) {
        return false;
    }
    size = (size_t)(found - rest->data);
    *ret_before = span_of(rest->data, size);
    *rest = span_of(found + 1, rest->size - size - 1);
    return true;
}

static struct span trim(struct span text)
{
    while (text.size > 0 && (text.data[0] == ' ' || text.data[0] == '\t')) {
        text = span_of(text.data + 1, text.size - 1);
    }
    while (text.size > 0 && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t')) {
        text.size--;
    }
    return text;
}

size_t wire_head_size(struct span bytes, size_t *scanned)
{
    const char *found;
    size_t from;

    ASSERT(*scanned <= bytes.size);
    from = *scanned > 3 ? *scanned - 3 : 0;
    found = bytes.size == 0 ? NULL : memmem(bytes.data + from, bytes.size - from, "\r\n\r\n", 4);
    *scanned = bytes.size;
    return found == NULL ? 0 : (size_t)(found - bytes.data) + 4;
}

static enum http_method parse_method(struct span text)
{
    static const struct {
        const char *word;
        enum http_method method;
    } methods[] = {
        {"GET", HTTP_GET}, {"POST", HTTP_POST},     {"HEAD", HTTP_HEAD},
        {"PUT", HTTP_PUT}, {"DELETE", HTTP_DELETE},
    };

    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (span_is(text, methods[i].word)) {
            return methods[i].method;
        }
    }
    return HTTP_OTHER;
}

/* origin-form, or absolute-form (which a server has to accept) cut down to it. */
static bool parse_target(struct span target, struct wire_head *head, struct wire_fault *ret_fault)
{
    struct span before;

    if (target.size > HTTP_TARGET_SIZE_MAX) {
        return fault(ret_fault, 414, "The request target is too long.");
    }
    for (size_t i = 0; i < target.size; i++) {
        if (target.data[i] <= ' ' || target.data[i] > '~') {
            return fault(ret_fault, 400, "The request target has a character outside ASCII.");
        }
    }
    if (target.size > 7 && strncasecmp(target.data, "http", 4) == 0) {
        struct span rest = target;

        if (cut(&rest, '/', &before) && cut(&rest, '/', &before) && cut(&rest, '/', &before)) {
            target = span_of(rest.data - 1, rest.size + 1);
        }
    }
    if (target.size == 0 || target.data[0] != '/') {
        return fault(ret_fault, 400, "The request target is not a path.");
    }
    head->query = SPAN_NONE;
    head->path = target;
    if (cut(&target, '?', &before)) {
        head->path = before;
        head->query = target;
    }
    return true;
}

static bool
parse_request_line(struct span line, struct wire_head *head, struct wire_fault *ret_fault)
{
    struct span method;
    struct span target;

    if (!cut(&line, ' ', &method) || !is_token(method) || !cut(&line, ' ', &target)) {
        return fault(ret_fault, 400, "The request line is malformed.");
    }
    head->method = parse_method(method);
    if (span_is(line, "HTTP/1.1")) {
        head->minor = 1;
    } else if (span_is(line, "HTTP/1.0")) {
        head->minor = 0;
    } else if (line.size > 5 && memcmp(line.data, "HTTP/", 5) == 0) {
        return fault(ret_fault, 505, "Only HTTP/1.0 and HTTP/1.1 are spoken here.");
    } else {
        return fault(ret_fault, 400, "The request line is malformed.");
    }
    head->keep_alive = head->minor == 1;
    return parse_target(target, head, ret_fault);
}

static bool parse_header(struct span line, struct wire_head *head, struct wire_fault *ret_fault)
{
    struct span name;
    struct span value;

    if (!cut(&line, ':', &name) || !is_token(name)) {
        return fault(ret_fault, 400, "A header field is malformed.");
    }
    value = trim(line);
    for (size_t i = 0; i < value.size; i++) {
        unsigned char c = (unsigned char)value.data[i];

        if ((c < ' ' && c != '\t') || c == 0x7f) {
            return fault(ret_fault, 400, "A header field has a control character.");
        }
    }
    if (head->header_count == HTTP_HEADER_COUNT_MAX) {
        return fault(ret_fault, 431, "There are too many header fields.");
    }
    head->headers[head->header_count++] = (struct wire_header){.name = name, .value = value};
    return true;
}

/* The fields that say where a request ends and what becomes of the connection. */
struct framing {
    uint32_t host_count;
    uint32_t length_count;
    uint32_t coding_count;
};

static void parse_connection(struct span value, struct wire_head *head)
{
    bool more = true;

    while (more) {
        struct span word = value;

        more = cut(&value, ',', &word);
        word = trim(word);
        if (is_word(word, "close")) {
            head->keep_alive = false;
            return;
        }
        if (is_word(word, "keep-alive")) {
            head->keep_alive = true;
        }
    }
}

static bool parse_framing(const struct wire_header *header,
                          struct wire_head *head,
                          struct framing *framing,
                          struct wire_fault *ret_fault)
{
    if (is_word(header->name, "Content-Length")) {
        framing->length_count++;
        if (!text_parse_u64(header->value, &head->content_length)) {
            return fault(ret_fault, 400, "Content-Length is not a number.");
        }
    } else if (is_word(header->name, "Transfer-Encoding")) {
        framing->coding_count++;
        head->chunked = true;
        if (!is_word(header->value, "chunked")) {
            return fault(ret_fault, 501, "The only transfer coding known here is chunked.");
        }
    } else if (is_word(header->name, "Host")) {
        framing->host_count++;
    } else if (is_word(header->name, "Connection")) {
        parse_connection(header->value, head);
    } else if (is_word(header->name, "Expect")) {
        head->expect_continue = true;
        if (!is_word(header->value, "100-continue")) {
            return fault(ret_fault, 417, "The only expectation known here is 100-continue.");
        }
    }
    return true;
}

static bool check_framing(const struct wire_head *head,
                          const struct framing *framing,
                          struct wire_fault *ret_fault)
{
    if (framing->length_count > 1 || framing->coding_count > 1) {
        return fault(ret_fault, 400, "The length of the body is given more than once.");
    }
    if (framing->length_count > 0 && framing->coding_count > 0) {
        return fault(ret_fault, 400, "The body has a length and a transfer coding.");
    }
    if (framing->coding_count > 0 && head->minor == 0) {
        return fault(ret_fault, 400, "HTTP/1.0 has no transfer codings.");
    }
    if (framing->host_count > 1 || (framing->host_count == 0 && head->minor == 1)) {
        return fault(ret_fault, 400, "The request needs exactly one Host field.");
    }
    return true;
}

/* The next line without its CR LF; empty at the end of the head. */
static bool take_line(struct span *bytes, struct span *ret_line, struct wire_fault *ret_fault)
{
    if (!cut(bytes, '\n', ret_line) || ret_line->size == 0 ||
        ret_line->data[ret_line->size - 1] != '\r') {
        return fault(ret_fault, 400, "A line does not end with CR LF.");
    }
    ret_line->size--;
    return true;
}

static bool parse_headers(struct span bytes,
                          struct wire_head *head,
                          struct framing *framing,
                          struct wire_fault *ret_fault)
{
    struct span line;

    while (take_line(&bytes, &line, ret_fault)) {
        if (line.size == 0) {
            return true;
        }
        if (!parse_header(line, head, ret_fault) ||
            !parse_framing(&head->headers[head->header_count - 1], head, framing, ret_fault)) {
            return false;
        }
    }
    return false;
}

bool wire_parse_head(struct span bytes, struct wire_head *ret_head, struct wire_fault *ret_fault)
{
    struct framing framing = {0};
    struct span line;

    ret_head->header_count = 0;
    ret_head->content_length = 0;
    ret_head->chunked = false;
    ret_head->expect_continue = false;
    return take_line(&bytes, &line, ret_fault) && parse_request_line(line, ret_head, ret_fault) &&
           parse_headers(bytes, ret_head, &framing, ret_fault) &&
           check_framing(ret_head, &framing, ret_fault);
}

struct span wire_header(const struct wire_head *head, const char *name)
{
    for (uint32_t i = 0; i < head->header_count; i++) {
        if (is_word(head->headers[i].name, name)) {
            return head->headers[i].value;
        }
    }
    return SPAN_NONE;
}

struct span wire_header_once(const struct wire_head *head, const char *name)
{
    struct span value = SPAN_NONE;
    uint32_t count = 0;

    for (uint32_t i = 0; i < head->header_count; i++) {
        if (is_word(head->headers[i].name, name)) {
            value = head->headers[i].value;
            count++;
        }
    }
    return count == 1 ? value : SPAN_NONE;
}

/* Chunks: size line, data, CR LF, …, size 0, trailer lines, empty line. */
enum chunk_state {
    CHUNK_SIZE,      /* hex digits */
    CHUNK_EXTENSION, /* ignored up to CR */
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER,      /* at the start of a trailer line */
    CHUNK_TRAILER_LINE, /* ignored up to CR */
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_DONE,
    CHUNK_BAD,
};

void wire_chunks_init(struct wire_chunks *chunks)
{
    *chunks = (struct wire_chunks){.state = CHUNK_SIZE};
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static enum chunk_state chunk_size_char(struct wire_chunks *chunks, char c)
{
    int value = hex_value(c);

    if (value >= 0) {
        /* Eight digits are 4 GiB: far above any limit, far below an overflow. */
        chunks->left = chunks->left * 16 + (uint64_t)value;
        return ++chunks->digits > 8 ? CHUNK_BAD : CHUNK_SIZE;
    }
    if (chunks->digits == 0) {
        return CHUNK_BAD;
    }
    if (c == ';') {
        return CHUNK_EXTENSION;
    }
    return c == '\r' ? CHUNK_SIZE_LF : CHUNK_BAD;
}

static enum chunk_state chunk_extension_char(struct wire_chunks *chunks, char c)
{
    if (c == '\n' || ++chunks->line_size > HTTP_CHUNK_LINE_SIZE_MAX) {
        return CHUNK_BAD;
    }
    return c == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
}

static enum chunk_state chunk_trailer_char(struct wire_chunks *chunks, char c, bool first)
{
    if (c == '\n' || ++chunks->trailer_size > HTTP_TRAILER_SIZE_MAX) {
        return CHUNK_BAD;
    }
    if (c == '\r') {
        return first ? CHUNK_END_LF : CHUNK_TRAILER_LF;
    }
    return CHUNK_TRAILER_LINE;
}

static enum chunk_state chunk_after_size(struct wire_chunks *chunks, char c)
{
    if (c != '\n') {
        return CHUNK_BAD;
    }
    chunks->digits = 0;
    chunks->line_size = 0;
    return chunks->left == 0 ? CHUNK_TRAILER : CHUNK_DATA;
}

static enum chunk_state chunk_char(struct wire_chunks *chunks, char c)
{
    switch ((enum chunk_state)chunks->state) {
    case CHUNK_SIZE:
        return chunk_size_char(chunks, c);
    case CHUNK_EXTENSION:
        return chunk_extension_char(chunks, c);
    case CHUNK_SIZE_LF:
        return chunk_after_size(chunks, c);
    case CHUNK_DATA_CR:
        return c == '\r' ? CHUNK_DATA_LF : CHUNK_BAD;
    case CHUNK_DATA_LF:
        return c == '\n' ? CHUNK_SIZE : CHUNK_BAD;
    case CHUNK_TRAILER:
        return chunk_trailer_char(chunks, c, true);
    case CHUNK_TRAILER_LINE:
        return chunk_trailer_char(chunks, c, false);
    case CHUNK_TRAILER_LF:
        return c == '\n' ? CHUNK_TRAILER : CHUNK_BAD;
    case CHUNK_END_LF:
        return c == '\n' ? CHUNK_DONE : CHUNK_BAD;
    case CHUNK_DATA:
    case CHUNK_DONE:
    case CHUNK_BAD:
        break;
    }
    return CHUNK_BAD;
}

enum wire_progress
wire_chunks_step(struct wire_chunks *chunks, struct span *bytes, struct span *ret_data)
{
    while (bytes->size > 0) {
        if (chunks->state == CHUNK_DATA) {
            size_t size = chunks->left < bytes->size ? (size_t)chunks->left : bytes->size;

            *ret_data = span_of(bytes->data, size);
            *bytes = span_of(bytes->data + size, bytes->size - size);
            chunks->left -= size;
            chunks->state = chunks->left == 0 ? CHUNK_DATA_CR : CHUNK_DATA;
            return WIRE_DATA;
        }
        chunks->state = chunk_char(chunks, bytes->data[0]);
        *bytes = span_of(bytes->data + 1, bytes->size - 1);
        if (chunks->state == CHUNK_DONE) {
            return WIRE_DONE;
        }
        if (chunks->state == CHUNK_BAD) {
            return WIRE_BAD;
        }
    }
    return WIRE_MORE;
}
